#include "codec/h1_head.h"

#include <stdio.h>

#include "h1_drive.h"
#include "unit.h"

static struct header slots[4];
static struct h1_head head;

static enum h1_progress
feed_request(const char *text)
{
	static const struct h1_limits limits = { 256, 64 };

	h1_head_init_request(&head, &limits, slots, ARRAY_LEN(slots));
	return h1_head_feed(&head, str_c(text));
}

static enum h1_progress
feed_response(const char *text)
{
	static const struct h1_limits limits = { 256, 64 };

	h1_head_init_response(&head, &limits, slots, ARRAY_LEN(slots));
	return h1_head_feed(&head, str_c(text));
}

START_TEST(takes_a_request_apart)
{
	const char *text = "POST /a/b?c=d HTTP/1.1\r\nHost: h.example:81\r\nX: \t1 \r\n\r\nbody";

	ck_assert_int_eq(feed_request(text), H1_DONE);
	ck_assert_uint_eq(head.n_bytes, strlen(text) - 4);
	ck_assert_uint_eq(head.method, METHOD_POST);
	ck_assert_str_is(head.method_text, "POST");
	ck_assert_int_eq(head.target_form, H1_TARGET_ORIGIN);
	ck_assert_str_is(head.target, "/a/b?c=d");
	ck_assert_str_is(head.path, "/a/b");
	ck_assert_str_is(head.query, "c=d");
	ck_assert_str_is(head.authority, "h.example:81");
	ck_assert_str_is(head.host, "h.example");
	ck_assert_str_is(head.port, "81");
	ck_assert_uint_eq(head.minor, 1);
	ck_assert(head.is_persistent && !head.expects_continue && !head.offers_upgrade);
	ck_assert_uint_eq(head.fields.n, 2);
	ck_assert_str_is(slots[1].name, "X");
	ck_assert_str_is(slots[1].value, "1");
}
END_TEST

START_TEST(takes_a_response_apart)
{
	ck_assert_int_eq(feed_response("HTTP/1.0 404 Not Here\r\nAge: 1\r\n\r\n"), H1_DONE);
	ck_assert_uint_eq(head.status, 404);
	ck_assert_str_is(head.reason, "Not Here");
	ck_assert_uint_eq(head.minor, 0);
	ck_assert(!head.is_persistent);
	ck_assert_str_is(header_value(&head.fields, HEADER_AGE), "1");
}
END_TEST

START_TEST(knows_the_forms_of_a_target)
{
	ck_assert_int_eq(feed_request("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), H1_DONE);
	ck_assert_int_eq(head.target_form, H1_TARGET_ASTERISK);
	ck_assert_str_is(head.path, "*");
	ck_assert_int_eq(feed_request("CONNECT a:1 HTTP/1.1\r\nHost: b\r\n\r\n"), H1_DONE);
	ck_assert_int_eq(head.target_form, H1_TARGET_AUTHORITY);
	ck_assert_str_is(head.authority, "a:1");
	ck_assert(str_is_none(head.path));
	ck_assert_int_eq(feed_request("GET hTTp://a:?x HTTP/1.1\r\nHost: b\r\n\r\n"), H1_DONE);
	ck_assert_int_eq(head.target_form, H1_TARGET_ABSOLUTE);
	ck_assert_str_is(head.authority, "a:");
	ck_assert_str_is(head.host, "a");
	ck_assert_str_is(head.path, "/");
	ck_assert_str_is(head.query, "x");
	ck_assert_int_eq(feed_request("OPTIONS http://a HTTP/1.1\r\nHost: b\r\n\r\n"), H1_DONE);
	ck_assert_str_is(head.path, "*");
}
END_TEST

START_TEST(knows_whether_the_connection_lasts)
{
	static const struct {
		const char *version, *fields;
		bool lasts;
	} rows[] = {
		{ "1.1", "", true },
		{ "1.0", "", false },
		{ "1.9", "", true },
		{ "1.1", "Connection: close\r\n", false },
		{ "1.1", "Connection: x, CLOSE\r\n", false },
		{ "1.0", "Connection: Keep-Alive\r\n", true },
		{ "1.0", "Connection: keep-alive, close\r\n", false },
		{ "1.0", "Proxy-Connection: keep-alive\r\n", false },
		{ "1.1", "Connection: keep-alive\r\nConnection: close\r\n", false },
	};
	char text[200];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/%s\r\nHost: a\r\n%s\r\n", rows[i].version,
		    rows[i].fields);
		ck_assert_int_eq(feed_request(text), H1_DONE);
		ck_assert_int_eq(head.is_persistent, rows[i].lasts);
	}
}
END_TEST

START_TEST(knows_offers_to_upgrade)
{
	ck_assert_int_eq(feed_request("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n"
				      "Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: a\r\n\r\n"),
	    H1_DONE);
	ck_assert(head.offers_upgrade);
	for (uint16_t i = 1; i < head.fields.n; i++)
		ck_assert(!header_crosses(&slots[i]));
	ck_assert_int_eq(feed_request("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n"), H1_DONE);
	ck_assert(!head.offers_upgrade);
}
END_TEST

/* What is wrong shows at the byte that makes it so, not at the end of the head. */
START_TEST(refuses_at_the_first_wrong_byte)
{
	static const struct {
		const char *text;
		enum err_code error;
	} rows[] = {
		{ "\n", ERR_BAD_REQUEST },
		{ "\r\r", ERR_BAD_REQUEST },
		{ "\r\n\r", ERR_BAD_REQUEST },
		{ " ", ERR_BAD_REQUEST },
		{ "G\xc3", ERR_BAD_REQUEST },
		{ "GET\t", ERR_BAD_REQUEST },
		{ "GET  ", ERR_BAD_TARGET },
		{ "GET /#", ERR_BAD_TARGET },
		{ "GET /\x01", ERR_BAD_TARGET },
		{ "GET /\r", ERR_BAD_REQUEST },
		{ "GET / h", ERR_BAD_REQUEST },
		{ "GET / HTTP/1.x", ERR_BAD_REQUEST },
		{ "GET / HTTP/2.0", ERR_VERSION_UNKNOWN },
		{ "GET / HTTP/1.1 ", ERR_BAD_REQUEST },
		{ "GET / HTTP/1.1\n", ERR_BAD_REQUEST },
		{ "GET / HTTP/1.1\rx", ERR_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n ", ERR_BAD_FIELD },
		{ "GET / HTTP/1.1\r\n\n", ERR_BAD_FIELD },
		{ "GET / HTTP/1.1\r\n:", ERR_BAD_FIELD },
		{ "GET / HTTP/1.1\r\na ", ERR_BAD_FIELD },
		{ "GET / HTTP/1.1\r\na\r", ERR_BAD_FIELD },
		{ "GET / HTTP/1.1\r\na:b\n", ERR_BAD_FIELD },
		{ "GET / HTTP/1.1\r\na:b\rc", ERR_BAD_FIELD },
		{ "GET / HTTP/1.1\r\na:b\x01", ERR_BAD_FIELD },
		{ "GET / HTTP/1.1\r\na:b\r\n\t", ERR_BAD_FIELD },
		{ "GET / HTTP/1.1\r\na:b\r\n\rx", ERR_BAD_FIELD },
		{ "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ERR_METHOD_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[64];
		size_t n = strlen(rows[i].text);

		ck_assert_msg(feed_request(rows[i].text) == H1_REFUSED, "row %zu", i);
		ck_assert_msg(head.error == rows[i].error, "row %zu: %s", i, err_token(head.error));
		memcpy(text, rows[i].text, n - 1);
		text[n - 1] = '\0';
		ck_assert_msg(feed_request(text) == H1_MORE, "row %zu, one less", i);
	}
}
END_TEST

START_TEST(keeps_its_limits)
{
	char text[512];

	/* target: 64 fit, 65 do not, whether or not the line has ended */
	snprintf(text, sizeof(text), "GET /%063d HTTP/1.1\r\nHost: a\r\n\r\n", 0);
	ck_assert_int_eq(feed_request(text), H1_DONE);
	snprintf(text, sizeof(text), "GET /%064d", 0);
	ck_assert_int_eq(feed_request(text), H1_REFUSED);
	ck_assert_int_eq(head.error, ERR_URI_TOO_LONG);
	/* head: 256 fit, 257 do not */
	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\nX: %0224d\r\n\r\n", 0);
	ck_assert_uint_eq(strlen(text), 256);
	ck_assert_int_eq(feed_request(text), H1_DONE);
	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\nX: %0225d\r\n\r\n", 0);
	ck_assert_int_eq(feed_request(text), H1_REFUSED);
	ck_assert_int_eq(head.error, ERR_HEAD_TOO_LARGE);
	snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nX: %0256d", 0);
	ck_assert_int_eq(feed_response(text), H1_REFUSED);
	ck_assert_int_eq(head.error, ERR_RESPONSE_HEAD_TOO_LARGE);
	/* fields: 4 fit, the fifth does not */
	ck_assert_int_eq(feed_request("GET / HTTP/1.1\r\nHost: a\r\na:\r\na:\r\na:\r\n\r\n"), H1_DONE);
	ck_assert_int_eq(feed_request("GET / HTTP/1.1\r\nHost: a\r\na:\r\na:\r\na:\r\na:\r\n"),
	    H1_REFUSED);
	ck_assert_int_eq(head.error, ERR_HEAD_TOO_LARGE);
}
END_TEST

START_TEST(bounds_the_options_of_connection)
{
	char text[256] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: ";
	size_t n = strlen(text);

	for (size_t i = 0; i < 65; i++, n += 2)
		memcpy(text + n, "a,", 2);
	memcpy(text + n, "\r\n\r\n", 5);
	ck_assert_int_eq(feed_request(text), H1_REFUSED);
	ck_assert_int_eq(head.error, ERR_BAD_FIELD);
}
END_TEST

START_TEST(tells_an_idle_connection)
{
	ck_assert_int_eq(feed_request(""), H1_MORE);
	ck_assert(h1_head_is_blank(&head));
	ck_assert_int_eq(feed_request("\r"), H1_MORE);
	ck_assert(h1_head_is_blank(&head));
	ck_assert_int_eq(feed_request("\r\n"), H1_MORE);
	ck_assert(h1_head_is_blank(&head));
	ck_assert_int_eq(feed_request("G"), H1_MORE);
	ck_assert(!h1_head_is_blank(&head));
}
END_TEST

START_TEST(waits_when_nothing_came)
{
	static const struct h1_limits limits = { 256, 64 };

	h1_head_init_request(&head, &limits, slots, ARRAY_LEN(slots));
	ck_assert_int_eq(h1_head_feed(&head, str_none()), H1_MORE);
	h1_head_init_response(&head, &limits, slots, ARRAY_LEN(slots));
	ck_assert_int_eq(h1_head_feed(&head, str_none()), H1_MORE);
	ck_assert_int_eq(h1_head_feed(&head, STR("HTTP/1.1 204 \r\n\r\n")), H1_DONE);
}
END_TEST

START_TEST(moves_with_its_buffer)
{
	static const char text[] = "GET http://h:1 HTTP/1.1\r\nHost: x\r\nEmpty:\r\n\r\n";
	char other[sizeof(text)];

	ck_assert_int_eq(feed_request(text), H1_DONE);
	memcpy(other, text, sizeof(text));
	h1_head_move(&head, other);
	ck_assert_ptr_eq(head.method_text.p, other);
	ck_assert_ptr_eq(head.host.p, other + 11);
	ck_assert_str_is(head.authority, "h:1");
	ck_assert_str_is(head.path, "/"); /* a constant */
	ck_assert_ptr_eq(slots[1].name.p, other + 34);
	ck_assert_uint_eq(slots[1].value.n, 0);
	ck_assert_ptr_eq(slots[1].value.p, other + 40);
}
END_TEST

/* Whatever single byte is put in place of another: the outcome does not depend on the pieces. */
START_TEST(does_not_depend_on_the_pieces)
{
	static const char request[] = "\r\nPUT /a%20/b?c=%20d HTTP/1.1\r\nHost: [::1]:8\r\n"
				      "Connection: X-A, close\r\nX-A:\t1\r\nExpect: 100-continue\r\n\r\nz";
	static const char response[] = "HTTP/1.1 503 No \x80\r\nDate:\r\nConnection: a\r\nA: b\r\n\r\n";
	static const char odd[] = "\0\t\n\r %:/.\x7f\x80g";
	struct drive d = { .asked = METHOD_GET };

	for (int side = 0; side < 2; side++) {
		struct str s = side == 0 ? STR(request) : STR(response);

		d.is_response = side == 1;
		for (size_t i = 0; i < s.n * (sizeof(odd) - 1); i++) {
			char text[sizeof(request)];
			struct buf whole = BUF_INIT;

			memcpy(text, s.p, s.n);
			text[i % s.n] = odd[i / s.n];
			drive_run(&d, str_of(text, s.n), 0, s.n);
			buf_add(&whole, buf_str(&d.out));
			drive_run(&d, str_of(text, s.n), 0, 1);
			ck_assert_str_eq(buf_c(&whole), buf_c(&d.out));
			drive_run(&d, str_of(text, s.n), 3, 7);
			ck_assert_str_eq(buf_c(&whole), buf_c(&d.out));
			buf_fini(&whole);
		}
	}
	buf_fini(&d.out);
}
END_TEST

UNIT_MAIN("h1_head", takes_a_request_apart, takes_a_response_apart, knows_the_forms_of_a_target,
    knows_whether_the_connection_lasts, knows_offers_to_upgrade, refuses_at_the_first_wrong_byte,
    keeps_its_limits, bounds_the_options_of_connection, tells_an_idle_connection,
    waits_when_nothing_came, moves_with_its_buffer, does_not_depend_on_the_pieces)
