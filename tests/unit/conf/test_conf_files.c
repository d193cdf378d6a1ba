/*
 * The files of tests/data/conf: every bad one says exactly what its `# error:` lines say, every
 * good one is fine, and its effective dump loads again to itself.
 */
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "conf/conf_bound.h"
#include "conf/conf_dump.h"
#include "conf/conf_expand.h"
#include "conf/conf_load.h"

#include "unit.h"

#define MARK "# error: "
#define FILE_MAX (1u << 20)

/* Folders with files of tests/data/conf; automake sets srcdir. */
static const char *
source(struct arena *a, const char *path)
{
	const char *dir = getenv("srcdir");

	return arena_printf(a, "%s/%s", dir == NULL ? "." : dir, path).p;
}

static void
set_environment(struct arena *a)
{
	setenv("GATHERD_TEST_SECRET", "hunter2", 1);
	setenv("GATHERD_TEST_PORT", "9000", 1);
	unsetenv("GATHERD_TEST_NOT_SET");
	setenv("CREDENTIALS_DIRECTORY", source(a, "tests/data/conf/good/parts"), 1);
}

/* What the file says of itself, one line per error. */
static struct str
expected(struct arena *a, const char *path)
{
	struct str text, line, out = STR("");

	ck_assert_msg(conf_expand_read(path, FILE_MAX, a, &text) == NULL, "%s", path);
	while (str_split(&text, '\n', &line))
		if (str_has_prefix(line, STR(MARK)))
			out = arena_printf(a, "%.*s%.*s\n", STR_FMT(out),
			    (int)(line.n - strlen(MARK)), line.p + strlen(MARK));
	return out;
}

/* line without every occurrence of `what`, and without a leading `name`. */
static struct str
relative(struct arena *a, struct str line, struct str what, struct str name)
{
	char *to = arena_alloc(a, line.n);
	size_t n = 0;

	for (size_t i = 0; i < line.n;) {
		struct str rest = str_of(line.p + i, line.n - i);

		if (str_has_prefix(rest, what))
			i += what.n;
		else
			to[n++] = line.p[i++];
	}
	line = str_of(to, n);
	if (str_has_prefix(line, name))
		line = str_trim(str_of(line.p + name.n, line.n - name.n));
	return line;
}

static struct str
said(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct str dir = str_of(path, (size_t)(slash + 1 - path)), out = STR("");
	struct str name = arena_printf(a, "%s:", slash + 1);
	struct conf_errors errors;
	struct conf *c = NULL;

	ck_assert_msg(conf_load(path, a, &c, &errors) == ERR_BAD_CONFIG, "%s is taken", path);
	for (size_t i = 0; i < errors.n; i++) {
		struct str line = conf_error_line(&errors, &errors.at[i]);

		line = relative(a, line, dir, name);
		out = arena_printf(a, "%.*s%.*s\n", STR_FMT(out), STR_FMT(line));
	}
	return out;
}

START_TEST(bad_files_get_their_messages)
{
	struct arena a;
	glob_t files;
	size_t wrong = 0;

	arena_init(&a, NULL, 0);
	set_environment(&a);
	ck_assert_int_eq(glob(source(&a, "tests/data/conf/bad/*.yaml"), 0, NULL, &files), 0);
	ck_assert_uint_ge(files.gl_pathc, 80);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct str want = expected(&a, files.gl_pathv[i]),
			   got = said(&a, files.gl_pathv[i]);

		if (str_eq(want, got))
			continue;
		wrong++;
		fprintf(stderr, "%s says\n%.*sbut should say\n%.*s", files.gl_pathv[i],
		    STR_FMT(got), STR_FMT(want));
	}
	ck_assert_uint_eq(wrong, 0);
	globfree(&files);
	arena_reset(&a);
}
END_TEST

static struct conf *
load_good(struct arena *a, const char *path)
{
	struct conf_errors errors;
	struct conf *c = NULL;
	enum err_code e = conf_load(path, a, &c, &errors);

	if (e != ERR_NONE)
		conf_error_print(&errors, stderr);
	ck_assert_msg(e == ERR_NONE, "%s is refused", path);
	ck_assert_uint_eq(errors.n, 0);
	ck_assert(conf_bound_exchange(c) > 0);
	return c;
}

static void
dump_of(struct arena *a, const char *path, struct buf *out)
{
	buf_clear(out);
	conf_dump(load_good(a, path)->effective, out);
}

static void
write_file(const char *path, const struct buf *b)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(b->p, 1, b->n, f), b->n);
	ck_assert_int_eq(fclose(f), 0);
}

static void
check_pattern(struct arena *a, const char *pattern, const char *scratch)
{
	glob_t files;

	ck_assert_int_eq(glob(source(a, pattern), 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct buf first = BUF_INIT, second = BUF_INIT;

		dump_of(a, files.gl_pathv[i], &first);
		ck_assert_ptr_null(memmem(first.p, first.n, "hunter2", 7));
		ck_assert_ptr_null(memmem(first.p, first.n, "file {secret}", 13));
		write_file(scratch, &first);
		dump_of(a, scratch, &second);
		ck_assert_msg(str_eq(buf_str(&first), buf_str(&second)), "%s: the dump differs",
		    files.gl_pathv[i]);
		buf_fini(&first);
		buf_fini(&second);
	}
	globfree(&files);
}

START_TEST(good_files_are_fine_and_so_are_their_dumps)
{
	struct arena a;
	char dir[] = "/tmp/gatherd-conf-XXXXXX";
	const char *scratch;

	arena_init(&a, NULL, 0);
	set_environment(&a);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	scratch = arena_printf(&a, "%s/dump.yaml", dir).p;
	check_pattern(&a, "tests/data/conf/good/*.yaml", scratch);
	check_pattern(&a, "conf/*.yaml", scratch);
	unlink(scratch);
	rmdir(dir);
	arena_reset(&a);
}
END_TEST

UNIT_MAIN("conf_files", bad_files_get_their_messages, good_files_are_fine_and_so_are_their_dumps)
