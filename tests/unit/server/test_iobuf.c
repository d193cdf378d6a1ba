#include "server/iobuf.h"

#include "server/server.h"
#include "unit.h"

static struct server s;

static void
add(struct iobuf **in, const char *text)
{
	iobuf_add(&s, in, str_c(text));
}

static void
free_all(void)
{
	struct iobuf *in;

	while ((in = SLIST_FIRST(&s.free_iobufs)) != NULL) {
		SLIST_REMOVE_HEAD(&s.free_iobufs, link);
		free(in);
	}
	s.n_free_iobufs = 0;
}

START_TEST(gives_the_buffer_back_when_it_is_empty)
{
	struct iobuf *in = NULL, *first;

	ck_assert(str_is_none(iobuf_str(in)));
	add(&in, "");
	ck_assert_ptr_null(in);
	add(&in, "abc");
	add(&in, "de");
	ck_assert_str_is(iobuf_str(in), "abcde");
	iobuf_take(&s, &in, 2);
	ck_assert_str_is(iobuf_str(in), "cde");
	first = in;
	iobuf_take(&s, &in, 3);
	ck_assert_ptr_null(in);
	ck_assert_uint_eq(s.n_free_iobufs, 1);
	add(&in, "x");
	ck_assert_ptr_eq(in, first);
	iobuf_drop(&s, &in);
	iobuf_drop(&s, &in);
	iobuf_take(&s, &in, 0);
	free_all();
}
END_TEST

START_TEST(grows_and_moves_to_the_front)
{
	struct iobuf *in = NULL;
	char text[10000];
	size_t room;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	for (size_t i = 0; i < sizeof(text); i += 100)
		iobuf_add(&s, &in, str_of(text + i, 100));
	ck_assert(str_eq(iobuf_str(in), str_of(text, sizeof(text))));
	iobuf_take(&s, &in, 9990);
	iobuf_reserve(&s, &in, in->cap - 10, &room);
	ck_assert_uint_ge(room, in->cap - 10);
	ck_assert(str_eq(iobuf_str(in), str_of(text + 9990, 10)));
	iobuf_drop(&s, &in);
	ck_assert_uint_le(s.n_free_iobufs, 1); /* large ones go back to the heap */
	free_all();
}
END_TEST

UNIT_MAIN("iobuf", gives_the_buffer_back_when_it_is_empty, grows_and_moves_to_the_front)
