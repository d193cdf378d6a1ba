#include "codec/h1_write.h"

#include "base/compiler.h"
#include "unit.h"

static char memory[512];
static struct h1_write w;

static void
setup(void)
{
	h1_write_init(&w, memory, sizeof(memory));
}

START_TEST(writes_a_request_head)
{
	struct header slots[4];
	struct header_list list;

	setup();
	header_list_init(&list, slots, ARRAY_LEN(slots));
	header_list_add(&list, STR("x-Own"), STR("1"));
	header_list_add(&list, STR("user-agent"), STR("t"));
	header_list_add(&list, STR("content-length"), STR("7"));
	header_list_add(&list, STR("X-Hop"), STR("2"));
	header_list_nominate(&list, STR("x-hop"));
	h1_write_request_line(&w, STR("GET"), STR("/a%20b"), STR("x[]=1"));
	h1_write_known(&w, HEADER_HOST, STR("h:1"));
	h1_write_crossing(&w, &list);
	h1_write_known_u64(&w, HEADER_CONTENT_LENGTH, 12);
	h1_write_field(&w, STR("X-Empty"), STR(""));
	h1_write_end(&w);
	ck_assert(h1_write_is_ok(&w));
	ck_assert_str_is(h1_write_str(&w), "GET /a%20b?x%5B%5D=1 HTTP/1.1\r\n"
	    "Host: h:1\r\nx-Own: 1\r\nUser-Agent: t\r\nContent-Length: 12\r\nX-Empty: \r\n\r\n");
}
END_TEST

START_TEST(writes_a_status_line)
{
	setup();
	h1_write_status_line(&w, 404);
	h1_write_status_line(&w, 299);
	ck_assert_str_is(h1_write_str(&w), "HTTP/1.1 404 Not Found\r\nHTTP/1.1 299 \r\n");
}
END_TEST

START_TEST(refuses_what_breaks_framing)
{
	static const struct {
		struct str name, value;
	} bad[] = {
		{ STR_INIT("a"), STR_INIT("b\rc") }, { STR_INIT("a"), STR_INIT("b\nc") },
		{ STR_INIT("a"), STR_INIT("b\0c") }, { STR_INIT("a"), STR_INIT("\x7f") },
		{ STR_INIT("a b"), STR_INIT("c") }, { STR_INIT(""), STR_INIT("c") },
		{ STR_INIT("a:"), STR_INIT("c") },
	};
	static const struct str paths[] = { STR_INIT(""), STR_INIT("/a b"), STR_INIT("/\r\n"),
		STR_INIT("/\x80") };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		setup();
		h1_write_field(&w, bad[i].name, bad[i].value);
		h1_write_field(&w, STR("fine"), STR("1"));
		ck_assert(w.is_bad && !h1_write_is_ok(&w));
	}
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		setup();
		h1_write_request_line(&w, STR("GET"), paths[i], str_none());
		ck_assert(w.is_bad);
	}
	setup();
	h1_write_request_line(&w, STR("G T"), STR("/"), str_none());
	ck_assert(w.is_bad);
	setup();
	h1_write_known(&w, HEADER_VIA, STR("a\n"));
	ck_assert(w.is_bad);
}
END_TEST

/* Whatever the room: never a byte behind it, and over exactly when something is missing. */
START_TEST(stays_within_its_room)
{
	static const char full[] = "GET /?%7B HTTP/1.1\r\nVia: a\r\nAge: 10\r\n\r\n";

	for (size_t room = 0; room <= sizeof(full) + 8; room++) {
		memset(memory, '#', sizeof(memory));
		h1_write_init(&w, memory, room);
		h1_write_request_line(&w, STR("GET"), STR("/"), STR("{"));
		h1_write_known(&w, HEADER_VIA, STR("a"));
		h1_write_known_u64(&w, HEADER_AGE, 10);
		h1_write_end(&w);
		ck_assert_int_eq(w.is_over, room < sizeof(full) - 1);
		ck_assert_int_eq(memory[room], '#');
		if (!w.is_over)
			ck_assert_str_is(h1_write_str(&w), full);
	}
}
END_TEST

START_TEST(formats_dates)
{
	struct h1_write_date date = { 0 };

	ck_assert_str_is(h1_write_date_text(&date, 0), "Thu, 01 Jan 1970 00:00:00 GMT");
	ck_assert_str_is(h1_write_date_text(&date, 784111777 * NS_PER_SEC),
	    "Sun, 06 Nov 1994 08:49:37 GMT");
	ck_assert_str_is(h1_write_date_text(&date, 784111777 * NS_PER_SEC + NS_PER_SEC - 1),
	    "Sun, 06 Nov 1994 08:49:37 GMT");
	ck_assert_str_is(h1_write_date_text(&date, 1709251199 * NS_PER_SEC),
	    "Thu, 29 Feb 2024 23:59:59 GMT");
}
END_TEST

START_TEST(writes_chunk_sizes)
{
	char b[H1_WRITE_CHUNK_BYTES];

	ck_assert_str_is(str_of(b, h1_write_chunk(b, 1)), "1\r\n");
	ck_assert_str_is(str_of(b, h1_write_chunk(b, 0x1a0)), "1a0\r\n");
	ck_assert_str_is(str_of(b, h1_write_chunk(b, UINT64_MAX)), "ffffffffffffffff\r\n");
}
END_TEST

UNIT_MAIN("h1_write", writes_a_request_head, writes_a_status_line, refuses_what_breaks_framing,
    stays_within_its_room, formats_dates, writes_chunk_sizes)
