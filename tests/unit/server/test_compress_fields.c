#include "server/compress_fields.h"

#include "codec/h1_write.h"
#include "unit.h"

static struct arena arena;
static struct header at[8];
static struct header_list list;
static char text[1000];

/* "Name: value" lines as a list that was received. */
static void
receive(const char *lines)
{
	struct str rest = str_c(lines), line, name;

	header_list_init(&list, at, ARRAY_LEN(at));
	while (rest.n > 0 && str_split(&rest, '\n', &line)) {
		struct str value = line;

		str_split(&value, ':', &name);
		ck_assert(header_list_add(&list, name, str_trim(value)));
	}
}

static struct compress_facts
facts_of(const char *received, const char *lines)
{
	struct compress_fields f = { .lines = str_c(lines) };
	struct compress_facts facts;

	receive(received);
	if (*received != '\0')
		f.list = &list;
	compress_fields_read(&f, &facts);
	return facts;
}

START_TEST(what_an_answer_says_of_itself)
{
	struct compress_facts f = facts_of("Content-Type: a/b; c=d\nVary: Accept, *", "");

	ck_assert_str_is(f.content_type, "a/b; c=d");
	ck_assert(f.has_vary && f.varies && !f.is_coded && !f.is_fixed);
	f = facts_of("", "vary: Origin\r\nCache-Control: private, No-Transform\r\nContent-Type: x/y\r\n");
	ck_assert_str_is(f.content_type, "x/y");
	ck_assert(f.has_vary && !f.varies && !f.is_coded && f.is_fixed);
	f = facts_of("VARY: accept-encoding\nContent-Encoding: gzip", "X: no-transform\r\n");
	ck_assert(f.has_vary && f.varies && f.is_coded && !f.is_fixed);
	f = facts_of("", "");
	ck_assert(!f.has_vary && !f.varies && !f.is_coded && !f.is_fixed);
	ck_assert(str_is_none(f.content_type));
}
END_TEST

static const char *
edited(const char *received, const char *lines, unsigned what)
{
	struct compress_fields f = { .lines = str_c(lines) };
	struct h1_write w;

	receive(received);
	if (*received != '\0')
		f.list = &list;
	arena_init(&arena, NULL, 0);
	compress_fields_edit(&f, what, CODING_BR, &arena);
	h1_write_init(&w, text, sizeof text - 1);
	if (f.list != NULL)
		h1_write_crossing(&w, f.list);
	h1_write_raw(&w, f.lines);
	text[h1_write_str(&w).n] = '\0';
	arena_reset(&arena);
	return text;
}

#define ALL (COMPRESS_FIELDS_VARY | COMPRESS_FIELDS_WEAK | COMPRESS_FIELDS_CODED)

START_TEST(fields_become_those_of_a_compressed_answer)
{
	static const struct {
		const char *received, *lines, *want;
	} rows[] = {
		{ "", "", "Content-Encoding: br\r\nVary: Accept-Encoding\r\n" },
		{ "", "A: b\r\n", "A: b\r\nContent-Encoding: br\r\nVary: Accept-Encoding\r\n" },
		{ "", "vary: Origin\r\n", "vary: Origin, Accept-Encoding\r\nContent-Encoding: br\r\n" },
		{ "Vary: Origin", "", "Vary: Origin, Accept-Encoding\r\nContent-Encoding: br\r\n" },
		{ "Vary: A\nVary: B", "Vary: C\r\n",
		    "Vary: A, Accept-Encoding\r\nVary: B\r\nVary: C\r\nContent-Encoding: br\r\n" },
		{ "Vary: Accept-encoding", "", "Vary: Accept-encoding\r\nContent-Encoding: br\r\n" },
		{ "Vary: *", "", "Vary: *\r\nContent-Encoding: br\r\n" },
		{ "Vary:", "", "Vary: Accept-Encoding\r\nContent-Encoding: br\r\n" },
		{ "ETag: \"x\"\nVary: *", "", "ETag: W/\"x\"\r\nVary: *\r\nContent-Encoding: br\r\n" },
		{ "Vary: *", "etag: \"x\"\r\n", "Vary: *\r\netag: W/\"x\"\r\nContent-Encoding: br\r\n" },
		{ "ETag: W/\"x\"\nVary: *", "", "ETag: W/\"x\"\r\nVary: *\r\nContent-Encoding: br\r\n" },
		{ "Accept-Ranges: bytes\nVary: *\nRepr-Digest: sha-256=:x:", "content-digest: y\r\nA: b\r\n",
		    "Vary: *\r\nA: b\r\nContent-Encoding: br\r\n" },
		{ "Connection: X\nKeep-Alive: y\nVary: *", "", "Vary: *\r\nContent-Encoding: br\r\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_str_eq(edited(rows[i].received, rows[i].lines, ALL), rows[i].want);
}
END_TEST

START_TEST(one_that_could_be_compressed_says_so_and_no_more)
{
	ck_assert_str_eq(edited("ETag: \"x\"\nAccept-Ranges: bytes", "", COMPRESS_FIELDS_VARY),
	    "ETag: \"x\"\r\nAccept-Ranges: bytes\r\nVary: Accept-Encoding\r\n");
	ck_assert_str_eq(edited("", "ETag: \"x\"\r\n", COMPRESS_FIELDS_VARY | COMPRESS_FIELDS_WEAK),
	    "ETag: W/\"x\"\r\nVary: Accept-Encoding\r\n");
}
END_TEST

UNIT_MAIN("compress_fields", what_an_answer_says_of_itself, fields_become_those_of_a_compressed_answer,
    one_that_could_be_compressed_says_so_and_no_more)
