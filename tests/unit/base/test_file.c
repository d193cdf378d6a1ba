/* Whole files, through pipes and a file in memory. */
#include "base/file.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

static int
file_of(size_t n)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	ck_assert_int_eq(ftruncate(fd, (off_t)n), 0);
	return fd;
}

START_TEST(reads_to_the_end)
{
	struct buf out = BUF_INIT;
	int fd = file_of(100000);

	buf_add_c(&out, "before");
	ck_assert(file_read(fd, 100000, &out));
	ck_assert_uint_eq(out.n, 6 + 100000);
	ck_assert(str_has_prefix(buf_str(&out), STR("before")));
	close(fd);
	buf_fini(&out);
}
END_TEST

START_TEST(stops_beyond_the_bound)
{
	struct buf out = BUF_INIT;
	int fd = file_of(100001);

	ck_assert(!file_read(fd, 100000, &out));
	ck_assert_int_eq(errno, EFBIG);
	close(fd);
	buf_fini(&out);
}
END_TEST

START_TEST(tells_what_the_system_says)
{
	struct buf out = BUF_INIT;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert(!file_read(ends[1], 10, &out));
	ck_assert_int_eq(errno, EBADF);
	buf_fini(&out);
}
END_TEST

UNIT_MAIN("file", reads_to_the_end, stops_beyond_the_bound, tells_what_the_system_says)
