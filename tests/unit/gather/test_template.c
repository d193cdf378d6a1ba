#include "gather/template_eval.h"

#include "unit.h"

static struct arena arena;
static struct header slots[8];
static struct header_list headers;
static struct request request;
static struct template_env env = { .request = &request };
static const struct str client_cert[] = { STR_INIT("CN=ann"), { NULL, 0 }, STR_INIT("0af1") };
static const struct str names[] = { STR_INIT("id"), STR_INIT("rest") };
static const struct template_params params = { .names = names, .n = 2, .has_tail = true };
static struct template_error error;

static void
setup(void)
{
	arena_init(&arena, NULL, 0);
	header_list_init(&headers, slots, ARRAY_LEN(slots));
	header_list_add(&headers, STR("X-Tier"), STR("gold"));
	request = (struct request){ .headers = &headers,
		.query = STR("a=1&b=x%20y&empty=&a=2&flag"),
		.client_ip = STR("192.0.2.1"),
		.client_cert = client_cert,
		.has_body = true,
		.body = STR("{\"n\":1.10,\"s\":\"a\\/b\",\"o\":{\"k\":[1,2]},\"z\":null}") };
	request.params[0] = STR("7");
	request.params[1] = STR("x/y%2Fz");
	env.body = (struct json_value){ JSON_OBJECT, request.body };
}

static enum err_code
eval(const char *text, enum template_place place, struct str *out)
{
	struct template t;

	ck_assert_msg(
	    template_compile(&arena, str_c(text), place, &params, &t, &error) == ERR_NONE,
	    "%s: %s at %zu", text, error.message, error.offset);
	return template_eval(&t, &env, &arena, out);
}

static void
expect(const char *text, enum template_place place, const char *want)
{
	struct str got;
	enum err_code e = eval(text, place, &got);

	ck_assert_msg(e == ERR_NONE, "%s: %s", text, err_token(e));
	ck_assert_msg(str_eq(got, str_c(want)), "%s: got %.*s, want %s", text, STR_FMT(got), want);
}

static void
expect_error(const char *text, enum template_place place, enum err_code want)
{
	struct str got;
	enum err_code e = eval(text, place, &got);

	ck_assert_msg(e == want, "%s: got %s, want %s", text, err_token(e), err_token(want));
}

START_TEST(finds_every_kind_of_value)
{
	setup();
	expect("/u/{id}", TEMPLATE_PATH, "/u/7");
	expect("{query.a} {query.b} {query.empty}.{query.flag}.", TEMPLATE_TEXT, "1 x y ..");
	expect("{query.a[]}", TEMPLATE_TEXT, "1,2");
	expect("{query.b[]}", TEMPLATE_QUERY, "x%20y");
	expect("{query.none[]|0}", TEMPLATE_TEXT, "0");
	expect("{header.x-tier}", TEMPLATE_HEADER, "gold");
	expect("{client.ip}", TEMPLATE_TEXT, "192.0.2.1");
	expect("{client.cert.subject} {client.cert.fingerprint} {client.cert.san|none}",
	    TEMPLATE_HEADER, "CN=ann 0af1 none");
	expect("{body.n} {body.s} {body.o.k} {body.o.k[1]}", TEMPLATE_TEXT, "1.10 a/b [1,2] 2");
	expect("{{x}", TEMPLATE_TEXT, "{x}");
	expect("", TEMPLATE_TEXT, "");
	arena_reset(&arena);
}
END_TEST

START_TEST(never_leaves_a_hole)
{
	setup();
	expect_error("{query.none}", TEMPLATE_TEXT, ERR_MISSING_REFERENCE);
	expect_error("{query.none[]}", TEMPLATE_TEXT, ERR_MISSING_REFERENCE);
	expect_error("{body.z}", TEMPLATE_TEXT, ERR_MISSING_REFERENCE);
	expect_error("{body.o.none}", TEMPLATE_TEXT, ERR_MISSING_REFERENCE);
	expect_error("/u/{query.empty}", TEMPLATE_PATH, ERR_MISSING_REFERENCE);
	expect("{query.none|10}", TEMPLATE_TEXT, "10");
	expect("{query.none|}", TEMPLATE_TEXT, "");
	expect("/u/{query.empty|me}", TEMPLATE_PATH, "/u/me");
	expect("{query.a|10}", TEMPLATE_TEXT, "1");
	request.has_body = false;
	expect_error("{body}", TEMPLATE_TEXT, ERR_MISSING_REFERENCE);
	arena_reset(&arena);
}
END_TEST

START_TEST(encodes_for_the_place)
{
	setup();
	request.params[0] = STR("a%2Fb%3Fc%23d%25%20%0D%0A");
	expect_error("/u/{id}/x", TEMPLATE_PATH, ERR_BAD_PARAMETER);
	expect("{id}", TEMPLATE_QUERY, "a%2Fb%3Fc%23d%25%20%0D%0A");
	expect_error("{id}", TEMPLATE_HEADER, ERR_BAD_PARAMETER);
	request.params[0] = STR("a%2Fb%3Fc%23d%25%20");
	expect("/u/{id}/x", TEMPLATE_PATH, "/u/a%2Fb%3Fc%23d%25%20/x");
	expect("/f/{rest}", TEMPLATE_PATH, "/f/x/y%2Fz");
	expect("{query.b}&{body.s}", TEMPLATE_QUERY, "x%20y&a%2Fb");
	expect_error("{body.o}", TEMPLATE_QUERY, ERR_BAD_PARAMETER);
	arena_reset(&arena);
}
END_TEST

START_TEST(dot_segments_cannot_escape)
{
	static const char *const evil[] = { "..", ".", "%2e%2E", "%2e", ".%2e" };

	setup();
	for (size_t i = 0; i < ARRAY_LEN(evil); i++) {
		request.params[0] = str_c(evil[i]);
		expect_error("/u/{id}/x", TEMPLATE_PATH, ERR_BAD_PARAMETER);
		expect_error("/u/{id}", TEMPLATE_PATH, ERR_BAD_PARAMETER);
	}
	request.params[0] = STR(".");
	expect_error("/u/{id}{id}", TEMPLATE_PATH, ERR_BAD_PARAMETER);
	expect("/u/a{id}{id}", TEMPLATE_PATH, "/u/a..");
	arena_reset(&arena);
}
END_TEST

START_TEST(refuses_what_is_no_template)
{
	static const struct {
		const char *text;
		enum template_place place;
		size_t offset;
	} rows[] = {
		{ "/u/{id", TEMPLATE_PATH, 3 },
		{ "/u/{nope}", TEMPLATE_PATH, 4 },
		{ "{calls.user.body.id}", TEMPLATE_TEXT, 1 },
		{ "{jwt.sub}", TEMPLATE_TEXT, 1 },
		{ "{}", TEMPLATE_TEXT, 1 },
		{ "{query.}", TEMPLATE_TEXT, 1 },
		{ "{header.a b}", TEMPLATE_TEXT, 8 },
		{ "{body.a..b}", TEMPLATE_TEXT, 8 },
		{ "u/{id}", TEMPLATE_PATH, 0 },
		{ "/u?x={id}", TEMPLATE_PATH, 0 },
		{ "/../{id}", TEMPLATE_PATH, 0 },
		{ "a\r\nb", TEMPLATE_HEADER, 0 },
	};

	setup();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct template t;

		ck_assert_msg(template_compile(&arena, str_c(rows[i].text), rows[i].place, &params, &t,
				  &error) == ERR_BAD_CONFIG,
		    "took %s", rows[i].text);
		ck_assert_msg(error.offset == rows[i].offset && error.message[0] != '\0',
		    "%s: at %zu: %s", rows[i].text, error.offset, error.message);
	}
	arena_reset(&arena);
}
END_TEST

UNIT_MAIN("template", finds_every_kind_of_value, never_leaves_a_hole, encodes_for_the_place,
    dot_segments_cannot_escape, refuses_what_is_no_template)
