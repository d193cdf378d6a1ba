#include "gather/forward.h"

#include <inttypes.h>
#include <stdio.h>

#include "unit.h"

static struct arena arena;
static struct header slots[32];
static struct header_list headers;
static struct request request;
static struct rnd rnd;

static void
setup(bool is_trusted)
{
	arena_init(&arena, NULL, 0);
	rnd_init(&rnd, 1);
	header_list_init(&headers, slots, ARRAY_LEN(slots));
	request = (struct request){ .headers = &headers, .authority = STR("example.com"),
		.scheme = "http", .minor = 1, .is_peer_trusted = is_trusted };
	request.peer_ip = STR("192.0.2.1");
}

static void
add(const char *name, const char *value)
{
	ck_assert(header_list_add(&headers, str_c(name), str_c(value)));
}

static const char *
own(bool keeps_via)
{
	forward_trace(&request, &rnd);
	return arena_str(&arena, forward_own_fields(&request, keeps_via, &arena)).p;
}

static const struct conf_pair_list nothing_own;

static const struct forward_set *
set_of(struct conf_text *names, size_t n, const struct conf_pair_list *own)
{
	struct conf_text_list list = { names, n };
	struct forward_set *set = arena_alloc(&arena, sizeof *set);

	forward_set_compile(&arena, &list, own, set);
	return set;
}

static const char *
listed(const struct forward_set *set)
{
	static char to[4096];
	struct h1_write w;

	h1_write_init(&w, to, sizeof to);
	forward_listed(&w, &request, set);
	ck_assert(h1_write_is_ok(&w));
	return arena_str(&arena, h1_write_str(&w)).p;
}

static void
assert_has(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in:\n%s", part, text);
}

static void
assert_lacks(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) == NULL, "\"%s\" in:\n%s", part, text);
}

START_TEST(a_stranger_is_not_believed)
{
	const char *text;

	setup(false);
	add("X-Forwarded-For", "10.9.9.9");
	add("X-Forwarded-Proto", "https");
	add("X-Forwarded-Host", "evil.example");
	add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	text = own(false);
	assert_has(text, "X-Forwarded-For: 192.0.2.1\r\n");
	assert_has(text, "X-Forwarded-Proto: http\r\n");
	assert_has(text, "X-Forwarded-Host: example.com\r\n");
	assert_has(text, "Via: 1.1 gatherd\r\n");
	assert_lacks(text, "0af7651916cd43dd");
	assert_lacks(text, "evil");
	arena_reset(&arena);
}
END_TEST

START_TEST(a_trusted_proxy_is_extended)
{
	const char *text;

	setup(true);
	add("X-Forwarded-For", "198.51.100.7");
	add("X-Forwarded-For", "10.0.0.1");
	add("X-Forwarded-Proto", "https");
	add("Via", "1.1 edge");
	add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	text = own(true);
	assert_has(text, "X-Forwarded-For: 198.51.100.7, 10.0.0.1, 192.0.2.1\r\n");
	assert_has(text, "X-Forwarded-Proto: https\r\n");
	assert_has(text, "Via: 1.1 edge, 1.1 gatherd\r\n");
	assert_has(text, "traceparent: 00-0af7651916cd43dd8448eb211c80319c-");
	assert_lacks(text, "b7ad6b7169203331"); /* this hop is a span of its own */
	assert_has(text, "-01\r\n");
	arena_reset(&arena);
}
END_TEST

START_TEST(a_trusted_unix_peer_adds_no_address)
{
	const char *text;

	setup(true);
	request.peer_ip = STR("");
	request.client_ip = STR("");
	assert_lacks(own(false), "X-Forwarded-For");
	add("X-Forwarded-For", "198.51.100.7");
	request.client_ip = STR("198.51.100.7");
	assert_has(own(false), "X-Forwarded-For: 198.51.100.7\r\n");
	add("X-Forwarded-For", "10.0.0.1");
	assert_has(own(false), "X-Forwarded-For: 198.51.100.7, 10.0.0.1\r\n");
	request.is_rfc7239 = request.sends_forwarded = true;
	text = own(false);
	assert_has(text, "X-Forwarded-For: 198.51.100.7\r\n");
	assert_has(text, "Forwarded: for=198.51.100.7, for=unknown;host=");
	arena_reset(&arena);
}
END_TEST

START_TEST(what_connection_names_ends_here)
{
	static const char *const names[] = { "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Via",
		"traceparent", "Forwarded" };
	const char *text;

	setup(true);
	add("X-Forwarded-For", "198.51.100.7");
	add("X-Forwarded-For", "10.0.0.1");
	add("X-Forwarded-Proto", "https");
	add("X-Forwarded-Host", "shop.example");
	add("Via", "1.1 edge");
	add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	add("Forwarded", "for=198.51.100.7;proto=https;host=shop.example");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		header_list_nominate(&headers, str_c(names[i]));
	request.sends_forwarded = true;
	request.client_ip = STR("198.51.100.7");
	for (int i = 0; i < 2; i++) {
		text = own(true);
		assert_has(text, "X-Forwarded-For: 192.0.2.1\r\n");
		assert_has(text, "X-Forwarded-Proto: http\r\n");
		assert_has(text, "X-Forwarded-Host: example.com\r\n");
		assert_has(text, "Via: 1.1 gatherd\r\n");
		assert_has(text, "Forwarded: for=192.0.2.1;host=\"example.com\";proto=http\r\n");
		assert_lacks(text, "0af7651916cd43dd");
		request.is_rfc7239 = true;
		request.given_proto = STR("https");
		request.given_host = STR("shop.example");
	}
	arena_reset(&arena);
}
END_TEST

START_TEST(forwarded_tells_the_client_and_the_peer)
{
	setup(false);
	request.sends_forwarded = true;
	request.client_ip = request.peer_ip;
	assert_has(own(false), "Forwarded: for=192.0.2.1;host=\"example.com\";proto=http\r\n");
	request.is_peer_trusted = true;
	request.client_ip = STR("2001:db8::7");
	assert_has(own(false), "Forwarded: for=\"[2001:db8::7]\", for=192.0.2.1;host=");
	request.client_ip = request.peer_ip = STR("");
	assert_has(own(false), "Forwarded: for=unknown;host=");
	arena_reset(&arena);
}
END_TEST

START_TEST(what_forwarded_says_is_told_by_the_other_fields_too)
{
	const char *text;

	setup(true);
	add("X-Forwarded-For", "6.6.6.6");
	add("X-Forwarded-Proto", "evil");
	add("X-Forwarded-Host", "evil");
	add("Forwarded", "for=198.51.100.7;proto=https;host=shop.example");
	request.is_rfc7239 = true;
	request.client_ip = STR("198.51.100.7");
	request.given_proto = STR("https");
	request.given_host = STR("shop.example");
	text = own(false);
	assert_has(text, "X-Forwarded-For: 198.51.100.7, 192.0.2.1\r\n");
	assert_has(text, "X-Forwarded-Proto: https\r\n");
	assert_has(text, "X-Forwarded-Host: shop.example\r\n");
	assert_lacks(text, "evil");
	assert_lacks(text, "6.6.6.6");
	assert_lacks(text, "Forwarded: for=");
	request.given_proto = request.given_host = str_none();
	text = own(false);
	assert_has(text, "X-Forwarded-Proto: http\r\n");
	assert_has(text, "X-Forwarded-Host: example.com\r\n");
	arena_reset(&arena);
}
END_TEST

START_TEST(via_tells_the_version_in_which_the_request_came)
{
	setup(false);
	request.minor = 0;
	assert_has(own(false), "Via: 1.0 gatherd\r\n");
	arena_reset(&arena);
}
END_TEST

static const char *
all_of(const struct forward_set *set)
{
	static char to[4096];
	struct h1_write w;

	h1_write_init(&w, to, sizeof to);
	forward_all(&w, &request, set);
	ck_assert(h1_write_is_ok(&w));
	return arena_str(&arena, h1_write_str(&w)).p;
}

static const char *
all(void)
{
	return all_of(NULL);
}

START_TEST(what_a_proxy_sets_stays_behind_in_any_spelling)
{
	struct conf_pair set[] = { { .name = { .s = STR("X-Subject") } }, { .name = { .s = STR("cookie") } },
		{ .name = { .s = STR("Max-Forwards") } } };
	struct conf_pair_list own = { set, ARRAY_LEN(set) };
	struct forward_set but;

	setup(false);
	request.method = METHOD_OPTIONS;
	add("X-SUBJECT", "CN=root");
	add("x-subject", "CN=root");
	add("X_Subject", "CN=root");
	add("X-Subjects", "1");
	add("Cookie", "a=1");
	add("Max-Forwards", "3");
	add("X_Other", "2");
	forward_set_all_but(&arena, &own, &but);
	ck_assert_str_eq(all_of(&but), "X-Subjects: 1\r\nX_Other: 2\r\n");
	arena_reset(&arena);
}
END_TEST

START_TEST(star_passes_no_look_alike_of_what_the_call_sets)
{
	struct conf_text names[] = { { .s = STR("*") }, { .s = STR("x_b") } };
	struct conf_pair set[] = { { .name = { .s = STR("X-A") } }, { .name = { .s = STR("X-B") } } };
	struct conf_pair_list own = { set, ARRAY_LEN(set) };

	setup(false);
	add("X_A", "1");
	add("X_B", "2");
	add("X_C", "3");
	/* the one that is listed was meant */
	ck_assert_str_eq(listed(set_of(names, 2, &own)), "X_B: 2\r\nX_C: 3\r\n");
	arena_reset(&arena);
}
END_TEST

/* RFC 9110 7.6.2 */
START_TEST(max_forwards_counts_the_hops_of_options)
{
	setup(false);
	add("Max-Forwards", "10");
	request.method = METHOD_OPTIONS;
	ck_assert(!forward_is_last_hop(&request));
	assert_has(all(), "Max-Forwards: 9\r\n");
	request.method = METHOD_GET;
	assert_has(all(), "Max-Forwards: 10\r\n");
	slots[0].value = STR("0");
	ck_assert(!forward_is_last_hop(&request));
	request.method = METHOD_OPTIONS;
	ck_assert(forward_is_last_hop(&request));
	slots[0].value = STR("x");
	ck_assert(!forward_is_last_hop(&request));
	assert_has(all(), "Max-Forwards: x\r\n");
	arena_reset(&arena);
}
END_TEST

START_TEST(a_broken_traceparent_is_replaced)
{
	static const char *const broken[] = { "", "00-0-0-01",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x" };

	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		setup(true);
		add("traceparent", broken[i]);
		assert_lacks(own(false), broken[i][0] == '\0' ? "traceparent: \r" : broken[i]);
		ck_assert_int_eq(request.traceparent[2], '-');
		arena_reset(&arena);
	}
}
END_TEST

START_TEST(trace_ids_are_hex_digits_of_random_numbers)
{
	char expected[128];

	setup(false);
	for (int i = 0; i < 1000; i++) {
		struct rnd same = rnd;
		uint64_t high = rnd_u64(&same) | 1, low = rnd_u64(&same), span = rnd_u64(&same) | 1;

		snprintf(expected, sizeof expected, "00-%016" PRIx64 "%016" PRIx64 "-%016" PRIx64 "-00",
		    high, low, span);
		forward_trace(&request, &rnd);
		ck_assert_mem_eq(request.traceparent, expected, REQUEST_TRACE_BYTES);
	}
	arena_reset(&arena);
}
END_TEST

START_TEST(nothing_leaves_unless_listed)
{
	struct conf_text names[] = { { .s = STR("accept-language") }, { .s = STR("Cookie") } };
	struct conf_pair own = { .name = { .s = STR("cookie") } };
	struct conf_pair_list cookie_own = { &own, 1 };

	setup(false);
	add("Accept-Language", "de");
	add("Authorization", "secret");
	add("cookie", "a=1");
	add("cookie", "b=2");
	ck_assert_str_eq(listed(set_of(NULL, 0, &nothing_own)), "");
	ck_assert_str_eq(listed(set_of(names, 2, &nothing_own)),
	    "Accept-Language: de\r\nCookie: a=1\r\nCookie: b=2\r\n");
	/* what the call sets itself is not passed on */
	ck_assert_str_eq(listed(set_of(names, 2, &cookie_own)), "Accept-Language: de\r\n");
	arena_reset(&arena);
}
END_TEST

START_TEST(star_leaves_out_what_is_not_for_a_call)
{
	struct conf_text star[] = { { .s = STR("*") }, { .s = STR("!x-b") },
		{ .s = STR("X-Old: X-New") }, { .s = STR("Range: X-Range") } };
	const char *text;

	setup(false);
	add("X-A", "1");
	add("Connection", "close");
	add("Keep-Alive", "timeout=5");
	add("TE", "trailers");
	add("Content-Length", "3");
	add("Content-Type", "text/plain");
	add("Accept-Encoding", "gzip");
	add("If-None-Match", "\"x\"");
	add("X-Forwarded-For", "10.9.9.9");
	add("Host", "example.com");
	text = listed(set_of(star, 1, &nothing_own));
	ck_assert_str_eq(text, "X-A: 1\r\n");
	add("X-B", "2");
	add("x-old", "3");
	add("Range", "bytes=0-1");
	text = listed(set_of(star, 4, &nothing_own));
	ck_assert_str_eq(text, "X-A: 1\r\nX-New: 3\r\nX-Range: bytes=0-1\r\n");
	arena_reset(&arena);
}
END_TEST

START_TEST(query_pairs_are_chosen_by_name)
{
	struct conf_text names[] = { { .s = STR("q") }, { .s = STR("a b") } };
	struct conf_text star[] = { { .s = STR("*") }, { .s = STR("!q") }, { .s = STR("a b: c d") } };
	struct conf_pair own = { .name = { .s = STR("q") } };
	struct conf_pair_list q_own = { &own, 1 };
	const struct forward_set *none, *some, *all, *but, *own_q;

	setup(false);
	none = set_of(NULL, 0, &nothing_own);
	some = set_of(names, 2, &nothing_own);
	all = set_of(star, 1, &nothing_own);
	but = set_of(star, 3, &nothing_own);
	own_q = set_of(names, 2, &q_own);
	request.query = STR("q=1&x=2&a%20b=3&q=4&flag&&=");
	ck_assert(str_is_none(forward_query(&request, none, str_none(), &arena)));
	ck_assert_str_is(forward_query(&request, none, STR("own=1"), &arena), "own=1");
	ck_assert_str_is(
	    forward_query(&request, some, STR("own=1"), &arena), "own=1&q=1&a%20b=3&q=4");
	ck_assert_str_is(
	    forward_query(&request, all, str_none(), &arena), "q=1&x=2&a%20b=3&q=4&flag&=");
	ck_assert_str_is(forward_query(&request, but, str_none(), &arena), "x=2&c%20d=3&flag&=");
	ck_assert_str_is(forward_query(&request, own_q, STR("q=0"), &arena), "q=0&a%20b=3");
	arena_reset(&arena);
}
END_TEST

UNIT_MAIN("forward", a_stranger_is_not_believed, a_trusted_proxy_is_extended,
    a_trusted_unix_peer_adds_no_address, what_connection_names_ends_here, forwarded_tells_the_client_and_the_peer,
    what_forwarded_says_is_told_by_the_other_fields_too,
    a_broken_traceparent_is_replaced, trace_ids_are_hex_digits_of_random_numbers,
    via_tells_the_version_in_which_the_request_came,
    max_forwards_counts_the_hops_of_options, nothing_leaves_unless_listed,
    what_a_proxy_sets_stays_behind_in_any_spelling, star_passes_no_look_alike_of_what_the_call_sets,
    star_leaves_out_what_is_not_for_a_call, query_pairs_are_chosen_by_name)
