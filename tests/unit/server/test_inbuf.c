#include "server/inbuf.h"

#include "server/server.h"
#include "unit.h"

static struct server s;

static void
add(struct inbuf **in, const char *text)
{
	inbuf_add(&s, in, str_c(text));
}

static void
free_all(void)
{
	struct inbuf *in;

	while ((in = SLIST_FIRST(&s.free_inbufs)) != NULL) {
		SLIST_REMOVE_HEAD(&s.free_inbufs, link);
		free(in);
	}
	s.n_free_inbufs = 0;
}

START_TEST(gives_the_buffer_back_when_it_is_empty)
{
	struct inbuf *in = NULL, *first;

	ck_assert(str_is_none(inbuf_str(in)));
	add(&in, "");
	ck_assert_ptr_null(in);
	add(&in, "abc");
	add(&in, "de");
	ck_assert_str_is(inbuf_str(in), "abcde");
	inbuf_take(&s, &in, 2);
	ck_assert_str_is(inbuf_str(in), "cde");
	first = in;
	inbuf_take(&s, &in, 3);
	ck_assert_ptr_null(in);
	ck_assert_uint_eq(s.n_free_inbufs, 1);
	add(&in, "x");
	ck_assert_ptr_eq(in, first);
	inbuf_drop(&s, &in);
	inbuf_drop(&s, &in);
	inbuf_take(&s, &in, 0);
	free_all();
}
END_TEST

START_TEST(grows_and_moves_to_the_front)
{
	struct inbuf *in = NULL;
	char text[10000];
	size_t room;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	for (size_t i = 0; i < sizeof(text); i += 100)
		inbuf_add(&s, &in, str_of(text + i, 100));
	ck_assert(str_eq(inbuf_str(in), str_of(text, sizeof(text))));
	inbuf_take(&s, &in, 9990);
	inbuf_reserve(&s, &in, in->cap - 10, &room);
	ck_assert_uint_ge(room, in->cap - 10);
	ck_assert(str_eq(inbuf_str(in), str_of(text + 9990, 10)));
	inbuf_drop(&s, &in);
	ck_assert_uint_le(s.n_free_inbufs, 1); /* large ones go back to the heap */
	free_all();
}
END_TEST

UNIT_MAIN("inbuf", gives_the_buffer_back_when_it_is_empty, grows_and_moves_to_the_front)
