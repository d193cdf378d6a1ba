#include "gather/record.h"

#include "unit.h"

static struct arena arena;

static struct record_style
style(enum route_format format)
{
	struct record_style s = { .format = format };

	memset(s.boundary, 'b', sizeof s.boundary);
	return s;
}

static void
assert_record(struct record r, const char *want)
{
	struct str all = arena_printf(
	    &arena, "%.*s%.*s%.*s", STR_FMT(r.head), STR_FMT(r.body), STR_FMT(r.tail));

	ck_assert_str_is(all, want);
}

START_TEST(ndjson_has_lines)
{
	struct record_style s = style(FORMAT_NDJSON);
	struct record r = record_of_part(&s, &arena, STR("a"), STR("x/y"), STR("[1.10]"));

	ck_assert_str_is(record_media_type(&s, &arena), "application/x-ndjson");
	assert_record(r, "{\"call\":\"a\",\"result\":[1.10]}\n");
	ck_assert(r.is_one_line);
	assert_record(record_of_failure(&s, &arena, STR("a"), ERR_TIMEOUT, 7),
	    "{\"call\":\"a\",\"error\":\"timeout\",\"ms\":7}\n");
	assert_record(record_of_end(&s, &arena, true, str_none()), "{\"complete\":true}\n");
	assert_record(record_of_end(&s, &arena, false, str_none()), "{\"complete\":false}\n");
	assert_record(record_of_end(&s, &arena, false, STR("{\"status\":504}")),
	    "{\"complete\":false,\"problem\":{\"status\":504}}\n");
	arena_reset(&arena);
}
END_TEST

START_TEST(sse_has_events)
{
	struct record_style s = style(FORMAT_SSE);
	struct record r = record_of_part(&s, &arena, STR("a"), STR("x/y"), STR("{}"));

	ck_assert_str_is(record_media_type(&s, &arena), "text/event-stream");
	assert_record(r, "event: a\ndata: {}\n\n");
	ck_assert(r.is_one_line);
	assert_record(record_of_failure(&s, &arena, STR("a"), ERR_RESET, 0),
	    "event: failure\ndata: {\"call\":\"a\",\"error\":\"reset\",\"ms\":0}\n\n");
	assert_record(
	    record_of_end(&s, &arena, true, str_none()), "event: end\ndata: {\"complete\":true}\n\n");
	arena_reset(&arena);
}
END_TEST

START_TEST(multipart_has_parts)
{
	struct record_style s = style(FORMAT_MULTIPART);
	struct record r = record_of_part(&s, &arena, STR("a"), STR("image/png"), STR("\x89\r\n"));

	ck_assert_str_is(record_media_type(&s, &arena),
	    "multipart/mixed; boundary=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
	assert_record(r,
	    "--bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\nContent-Type: image/png\r\n"
	    "Content-Disposition: inline; name=\"a\"\r\nContent-Length: 3\r\n\r\n\x89\r\n\r\n");
	ck_assert(!r.is_one_line);
	assert_record(record_of_failure(&s, &arena, STR("a"), ERR_RESET, 0),
	    "--bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\nContent-Type: application/problem+json\r\n"
	    "Content-Disposition: inline; name=\"a\"\r\nContent-Length: 141\r\n\r\n"
	    "{\"status\":502,\"title\":\"Bad Gateway\",\"detail\":\"the upstream closed the "
	    "connection before its answer was complete\",\"call\":\"a\",\"reason\":\"reset\"}\r\n");
	assert_record(record_of_end(&s, &arena, true, str_none()),
	    "--bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\nContent-Type: application/json\r\n"
	    "Content-Length: 17\r\n\r\n{\"complete\":true}\r\n"
	    "--bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb--\r\n");
	arena_reset(&arena);
}
END_TEST

UNIT_MAIN("record", ndjson_has_lines, sse_has_events, multipart_has_parts)
