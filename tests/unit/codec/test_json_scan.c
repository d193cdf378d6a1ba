#include "codec/json_scan.h"

#include "base/buf.h"
#include "base/rnd.h"
#include "codec/json_texts.h"
#include "unit.h"

static struct json_value root;
static struct json_fault fault;

/* What a scan says, whichever form of the masks it goes by. */
struct verdict {
	enum err_code e;
	struct json_value root;
	struct json_fault fault;
	bool has_duplicates;
};

/* Scans an exact copy. */
static struct verdict
scan_by(const struct json_block_ops *form, struct str text, unsigned flags)
{
	struct verdict v = { .e = ERR_NONE };
	struct str copy = json_texts_tight(text);
	struct json_scan js;

	json_scan_init(&js, 42);
	js.blocks = form;
	v.e = json_scan_text(&js, copy, flags, &v.root, &v.fault);
	if (v.e == ERR_NONE)
		v.root.text.p = text.p + (v.root.text.p - copy.p);
	v.has_duplicates = js.has_duplicates;
	json_scan_fini(&js);
	json_texts_free(copy);
	return v;
}

static void
check_same(struct str text, const struct verdict *a, const struct verdict *b)
{
	const char *reason_a = a->e == ERR_NONE ? "" : a->fault.reason;
	const char *reason_b = b->e == ERR_NONE ? "" : b->fault.reason;

	ck_assert_msg(a->e == b->e && a->root.kind == b->root.kind &&
		a->root.text.p == b->root.text.p && a->root.text.n == b->root.text.n &&
		a->fault.offset == b->fault.offset && strcmp(reason_a, reason_b) == 0 &&
		a->has_duplicates == b->has_duplicates,
	    "forms differ about %.*s: \"%s\" at %zu, \"%s\" at %zu", STR_FMT(text), reason_a,
	    a->fault.offset, reason_b, b->fault.offset);
}

/* With every form of the masks that there is. */
static enum err_code
scan_flags(struct str text, unsigned flags)
{
	struct verdict first = scan_by(json_texts_form(0), text, flags);

	for (size_t i = 1; i < json_texts_n_forms(); i++) {
		struct verdict v = scan_by(json_texts_form(i), text, flags);

		check_same(text, &first, &v);
	}
	root = first.root;
	fault = first.fault;
	return first.e;
}

static enum err_code
scan(struct str text)
{
	return scan_flags(text, 0);
}

START_TEST(takes_documents)
{
	static const struct {
		const char *text;
		enum json_kind kind;
		const char *value;
	} rows[] = {
		{ "null", JSON_NULL, "null" },
		{ " true ", JSON_TRUE, "true" },
		{ "\r\n\tfalse", JSON_FALSE, "false" },
		{ "0", JSON_NUMBER, "0" },
		{ "-0", JSON_NUMBER, "-0" },
		{ "-0.0E-00", JSON_NUMBER, "-0.0E-00" },
		{ "12345678901234567890123456789", JSON_NUMBER, "12345678901234567890123456789" },
		{ "1E400 ", JSON_NUMBER, "1E400" },
		{ "1.10", JSON_NUMBER, "1.10" },
		{ "\"\"", JSON_STRING, "\"\"" },
		{ "\"\\ud800\"", JSON_STRING, "\"\\ud800\"" },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00Af\"", JSON_STRING,
		    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00Af\"" },
		{ "\"\x7f\xef\xbf\xbf\xf4\x8f\xbf\xbf\"", JSON_STRING,
		    "\"\x7f\xef\xbf\xbf\xf4\x8f\xbf\xbf\"" },
		{ "[]", JSON_ARRAY, "[]" },
		{ " [ ] ", JSON_ARRAY, "[ ]" },
		{ "[1,[2,{}],\"]\"]", JSON_ARRAY, "[1,[2,{}],\"]\"]" },
		{ "{}", JSON_OBJECT, "{}" },
		{ "{ \"a\" : 1 , \"b\" : { \"a\" : 1 } }", JSON_OBJECT,
		    "{ \"a\" : 1 , \"b\" : { \"a\" : 1 } }" },
		{ "{\"\":1,\"a\":2}", JSON_OBJECT, "{\"\":1,\"a\":2}" },
		{ "{\"\\ud800\":1,\"\\udc00\":2,\"\\ud800\\udc00\":3}", JSON_OBJECT,
		    "{\"\\ud800\":1,\"\\udc00\":2,\"\\ud800\\udc00\":3}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ck_assert_msg(scan(str_c(rows[i].text)) == ERR_NONE, "refused %s: %s", rows[i].text,
		    fault.reason);
		ck_assert_int_eq(root.kind, rows[i].kind);
		ck_assert_str_is(root.text, rows[i].value);
	}
}
END_TEST

START_TEST(refuses_with_place_and_reason)
{
	static const struct {
		const char *text;
		size_t offset;
		const char *reason;
	} rows[] = {
		{ "", 0, "the text ends too early" },
		{ "  ", 2, "the text ends too early" },
		{ "\xef\xbb\xbf{}", 0, "byte order mark" },
		{ "{} {}", 3, "bytes after the value" },
		{ "1 2", 2, "bytes after the value" },
		{ "nul", 0, "a value is expected" },
		{ "nullx", 4, "bytes after the value" },
		{ "True", 0, "a value is expected" },
		{ "NaN", 0, "a value is expected" },
		{ "-Infinity", 1, "a digit is expected" },
		{ "+1", 0, "a value is expected" },
		{ ".5", 0, "a value is expected" },
		{ "-", 1, "the text ends too early" },
		{ "01", 1, "a number begins with 0" },
		{ "-01", 2, "a number begins with 0" },
		{ "1.", 2, "the text ends too early" },
		{ "1.e5", 2, "a digit is expected" },
		{ "1e", 2, "the text ends too early" },
		{ "1e+", 3, "the text ends too early" },
		{ "[1e+]", 4, "a digit is expected" },
		{ "0x1", 1, "bytes after the value" },
		{ "'a'", 0, "a value is expected" },
		{ "\"a", 2, "the text ends too early" },
		{ "\"a\n\"", 2, "control character in a string" },
		{ "\"\x1f\"", 1, "control character in a string" },
		{ "\"\\", 2, "the text ends too early" },
		{ "\"\\x41\"", 2, "unknown escape" },
		{ "\"\\u12g4\"", 5, "four hex digits must follow \\u" },
		{ "\"\\u12", 5, "the text ends too early" },
		{ "\"\x80\"", 1, "invalid UTF-8" },
		{ "\"\xc0\xaf\"", 1, "invalid UTF-8" },
		{ "\"\xe0\x9f\xbf\"", 1, "invalid UTF-8" },
		{ "\"\xed\xa0\x80\"", 1, "invalid UTF-8" },
		{ "\"\xf0\x8f\xbf\xbf\"", 1, "invalid UTF-8" },
		{ "\"\xf4\x90\x80\x80\"", 1, "invalid UTF-8" },
		{ "\"\xf5\x80\x80\x80\"", 1, "invalid UTF-8" },
		{ "\"a\xc3", 2, "invalid UTF-8" },
		{ "[", 1, "the text ends too early" },
		{ "[1", 2, "the text ends too early" },
		{ "[,]", 1, "a value is expected" },
		{ "[1,]", 3, "a value is expected" },
		{ "[1 2]", 3, "a comma or the closing bracket is expected" },
		{ "[1}", 2, "a comma or the closing bracket is expected" },
		{ "]", 0, "a value is expected" },
		{ "[]]", 2, "bytes after the value" },
		{ "{", 1, "the text ends too early" },
		{ "{,}", 1, "a key is expected" },
		{ "{\"a\"}", 4, "a colon is expected" },
		{ "{\"a\" 1}", 5, "a colon is expected" },
		{ "{\"a\":}", 5, "a value is expected" },
		{ "{\"a\":1,}", 7, "a key is expected" },
		{ "{\"a\":1 \"b\":2}", 7, "a comma or the closing bracket is expected" },
		{ "{\"a\":1]", 6, "a comma or the closing bracket is expected" },
		{ "{a:1}", 1, "a key is expected" },
		{ "{1:1}", 1, "a key is expected" },
		{ "{\"a\":1,\"a\":2}", 7, "duplicate key" },
		{ "{\"a\":1,\"\\u0061\":2}", 7, "duplicate key" },
		{ "{\"\\/\":1,\"/\":2}", 8, "duplicate key" },
		{ "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", 18, "duplicate key" },
		{ "[{\"a\":{\"a\":1,\"b\":2},\"b\":{\"c\":1,\"c\":1}}]", 31, "duplicate key" },
		{ "/* */1", 0, "a value is expected" },
		{ "1\x0b", 1, "bytes after the value" },
		{ "\xc2\xa0"
		  "1",
		    0, "a value is expected" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ck_assert_msg(
		    scan(str_c(rows[i].text)) == ERR_INVALID_BODY, "took %s", rows[i].text);
		ck_assert_msg(strcmp(fault.reason, rows[i].reason) == 0, "%s: got \"%s\"",
		    rows[i].text, fault.reason);
		ck_assert_msg(
		    fault.offset == rows[i].offset, "%s: got %zu", rows[i].text, fault.offset);
	}
	ck_assert_int_eq(scan(STR("[1]\0")), ERR_INVALID_BODY);
	ck_assert_int_eq(scan(str_none()), ERR_INVALID_BODY);
}
END_TEST

START_TEST(refuses_every_truncation)
{
	struct str text = str_trim(STR(JSON_TEXTS_MIXED));

	ck_assert_int_eq(scan(text), ERR_NONE);
	for (size_t n = 0; n < text.n; n++)
		ck_assert_msg(scan(str_of(text.p, n)) == ERR_INVALID_BODY, "took %zu bytes", n);
}
END_TEST

/* Whatever a byte becomes, the verdict is one of two, and nothing outside the text is touched. */
START_TEST(survives_every_byte_flipped)
{
	static const char text[] = JSON_TEXTS_MIXED;
	char changed[sizeof text - 1];
	size_t n_taken = 0;

	for (size_t i = 0; i < sizeof changed; i++) {
		for (unsigned c = 0; c < 256; c++) {
			memcpy(changed, text, sizeof changed);
			changed[i] = (char)c;
			n_taken += scan(str_of(changed, sizeof changed)) == ERR_NONE;
		}
	}
	ck_assert_uint_gt(n_taken, sizeof changed);
}
END_TEST

static void
nest(struct buf *b, const char *open, const char *close, unsigned depth)
{
	buf_clear(b);
	for (unsigned i = 0; i < depth; i++)
		buf_add_c(b, open);
	buf_add_c(b, "0");
	for (unsigned i = 0; i < depth; i++)
		buf_add_c(b, close);
}

START_TEST(limits_depth)
{
	struct buf b = BUF_INIT;

	nest(&b, "[", "]", JSON_SCAN_MAX_DEPTH);
	ck_assert_int_eq(scan(buf_str(&b)), ERR_NONE);
	nest(&b, "{\"a\":", "}", JSON_SCAN_MAX_DEPTH);
	ck_assert_int_eq(scan(buf_str(&b)), ERR_NONE);
	nest(&b, "[", "]", JSON_SCAN_MAX_DEPTH + 1);
	ck_assert_int_eq(scan(buf_str(&b)), ERR_INVALID_BODY);
	ck_assert_str_eq(fault.reason, "nested too deeply");
	ck_assert_uint_eq(fault.offset, JSON_SCAN_MAX_DEPTH);
	nest(&b, "{\"a\":[", "]}", 50000);
	ck_assert_int_eq(scan(buf_str(&b)), ERR_INVALID_BODY);
	buf_fini(&b);
}
END_TEST

/* n keys in an object, the one at `twin` equal to the first but for an escape (n: none is). */
static void
many_keys(struct buf *b, unsigned n, unsigned twin)
{
	buf_clear(b);
	buf_add_c(b, "{\"k0\":0");
	for (unsigned i = 1; i < n; i++)
		buf_printf(b, ",\"k%u\":{\"k0\":%u}", i, i);
	if (twin < n)
		buf_add_c(b, ",\"\\u006b0\":0");
	buf_add_c(b, "}");
}

START_TEST(finds_duplicates_in_objects_of_every_size)
{
	static const unsigned sizes[] = { 1, 2, 11, 12, 13, 14, 31, 32, 33, 256, 257, 1000,
		100000 };
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		many_keys(&b, sizes[i], sizes[i]);
		ck_assert_int_eq(scan(buf_str(&b)), ERR_NONE);
		many_keys(&b, sizes[i], 0);
		ck_assert_int_eq(scan(buf_str(&b)), ERR_INVALID_BODY);
		ck_assert_str_eq(fault.reason, "duplicate key");
		ck_assert_int_eq(scan_flags(buf_str(&b), JSON_SCAN_KEEP_DUPLICATES), ERR_NONE);
	}
	buf_fini(&b);
}
END_TEST

START_TEST(keeps_duplicates_when_told)
{
	struct json_scan js;

	json_scan_init(&js, 1);
	ck_assert_int_eq(
	    json_scan_text(&js, STR("{\"a\":1,\"a\":2}"), JSON_SCAN_KEEP_DUPLICATES, &root, &fault),
	    ERR_NONE);
	ck_assert(js.has_duplicates);
	ck_assert_int_eq(
	    json_scan_text(&js, STR("{\"a\":1}"), JSON_SCAN_KEEP_DUPLICATES, &root, NULL),
	    ERR_NONE);
	ck_assert(!js.has_duplicates);
	json_scan_fini(&js);
}
END_TEST

/* A million times the same key, or a million keys, must cost what their length costs. */
START_TEST(has_no_bad_case_of_keys)
{
	struct buf b = BUF_INIT;

	buf_add_c(&b, "{\"a\":0");
	for (unsigned i = 0; i < 1000000; i++)
		buf_add_c(&b, ",\"a\":0");
	buf_add_c(&b, "}");
	ck_assert_int_eq(scan(buf_str(&b)), ERR_INVALID_BODY);
	ck_assert_int_eq(scan_flags(buf_str(&b), JSON_SCAN_KEEP_DUPLICATES), ERR_NONE);
	many_keys(&b, 1000000, 1000000);
	ck_assert_int_eq(scan(buf_str(&b)), ERR_NONE);
	buf_fini(&b);
}
END_TEST

START_TEST(gives_large_stacks_back)
{
	struct json_scan js;
	struct buf b = BUF_INIT;

	many_keys(&b, 100000, 100000);
	json_scan_init(&js, 1);
	ck_assert_int_eq(json_scan_text(&js, buf_str(&b), 0, &root, NULL), ERR_NONE);
	ck_assert_uint_eq(js.keys.cap, 0);
	ck_assert_int_eq(json_scan_text(&js, STR("{\"a\":1}"), 0, &root, NULL), ERR_NONE);
	ck_assert_uint_gt(js.keys.cap, 0);
	json_scan_fini(&js);
	buf_fini(&b);
}
END_TEST

/* Strings, spaces and digits of every length around the width of a vector. */
START_TEST(scans_every_length)
{
	char text[128];

	for (size_t n = 0; n < 70; n++) {
		memset(text, 'x', sizeof text);
		text[0] = text[n + 1] = '"';
		ck_assert_int_eq(scan(str_of(text, n + 2)), ERR_NONE);
		for (size_t i = 1; i <= n; i++) {
			text[i] = '\t';
			ck_assert_int_eq(scan(str_of(text, n + 2)), ERR_INVALID_BODY);
			ck_assert_uint_eq(fault.offset, i);
			text[i] = 'x';
		}
		memset(text, ' ', n + 1);
		text[n] = '1';
		ck_assert_int_eq(scan(str_of(text, n + 1)), ERR_NONE);
		memset(text, '7', n + 1);
		ck_assert_int_eq(scan(str_of(text, n + 1)), ERR_NONE);
	}
}
END_TEST

/* ---- generated documents */

static struct rnd rnd;

static void
add_one_of(struct buf *b, const char *const *texts, size_t n)
{
	buf_add_c(b, texts[rnd_below(&rnd, n)]);
}

static void
add_space(struct buf *b)
{
	static const char *const spaces[] = { "", "", "", "", " ", " ", "\n", "\r\n\t",
		"\n        ",
		"                                                                     " };

	add_one_of(b, spaces, ARRAY_LEN(spaces));
}

static void
add_string(struct buf *b)
{
	static const char *const pieces[] = { "a", "id", "name", "created_at", "\\\"", "\\\\",
		"\\n",
		"\\u00e9", "\\ud83d\\ude00", "\xc3\xa9", "\xe4\xb8\xad\xe6\x96\x87",
		"\xf0\x9f\x98\x80", "{[,:]}", " ", "twelve bytes",
		"a text that is longer than any vector, and not only that "
		"but also longer than the window over the text" };

	buf_add_char(b, '"');
	while (rnd_chance(&rnd, 2, 3))
		add_one_of(b, pieces, ARRAY_LEN(pieces));
	buf_add_char(b, '"');
}

static void
add_scalar(struct buf *b)
{
	static const char *const words[] = { "true", "false", "null", "0", "-0", "7", "-12", "3.90",
		"1234567890", "-0.5", "1e5", "2.5E-7", "1E+400",
		"31415926535897932384626433832795028841971693993751058209749445923078164062862" };

	if (rnd_chance(&rnd, 1, 2))
		add_string(b);
	else
		add_one_of(b, words, ARRAY_LEN(words));
}

static void
add_value(struct buf *b, unsigned depth)
{
	uint64_t n = rnd_below(&rnd, 6);
	bool is_object = rnd_chance(&rnd, 1, 2);

	if (depth == 0) {
		add_scalar(b);
		return;
	}
	buf_add_char(b, is_object ? '{' : '[');
	add_space(b);
	for (uint64_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		add_space(b);
		if (is_object) {
			add_string(b);
			add_space(b);
			buf_add_char(b, ':');
			add_space(b);
		}
		add_value(b, (unsigned)rnd_below(&rnd, depth));
		add_space(b);
	}
	buf_add_char(b, is_object ? '}' : ']');
}

/* One byte changed, a few left out or twice there, or an end cut off. */
static void
mutate(struct buf *b)
{
	static const char bytes[] = "\"\\{}[]:,0-.eEtfnu \n\t\x01\x7f\x80\xc3\xed\xf4\xff";
	size_t at = rnd_below(&rnd, b->n), some = rnd_below(&rnd, 4);
	char c = bytes[rnd_below(&rnd, sizeof bytes)];
	struct buf out = BUF_INIT;

	some = some < b->n - at ? some : b->n - at;
	buf_add(&out, str_of(b->p, at));
	switch (rnd_below(&rnd, 4)) {
	case 0:
		buf_add_char(&out, c);
		some = 1;
		break;
	case 1:
		buf_add_char(&out, c);
		some = 0;
		break;
	case 2:
		break;
	default:
		buf_add(&out, str_of(b->p + at, some));
		some = rnd_chance(&rnd, 1, 4) ? b->n - at : 0;
	}
	buf_add(&out, str_of(b->p + at + some, b->n - at - some));
	buf_clear(b);
	buf_add(b, buf_str(&out));
	buf_fini(&out);
}

/* Sound ones, and what becomes of them by one change after the other. */
START_TEST(all_forms_agree_on_generated_documents)
{
	struct buf b = BUF_INIT;
	unsigned taken = 0, refused = 0;

	rnd_init(&rnd, 2024);
	for (unsigned i = 0; i < 6000; i++) {
		buf_clear(&b);
		add_space(&b);
		add_value(&b, i % 5);
		add_space(&b);
		ck_assert_int_eq(scan_flags(buf_str(&b), JSON_SCAN_KEEP_DUPLICATES), ERR_NONE);
		for (unsigned n = 0; n < 4 && b.n > 0; n++) {
			if (scan(buf_str(&b)) == ERR_NONE)
				taken++;
			else
				refused++;
			mutate(&b);
		}
	}
	ck_assert_uint_gt(taken, 5000);
	ck_assert_uint_gt(refused, 5000);
	buf_fini(&b);
}
END_TEST

/* Nothing but what JSON is made of, in any order. */
START_TEST(all_forms_agree_on_heaps_of_tokens)
{
	static const char *const tokens[] = { "{", "}", "[", "]", ":", ",", "\"", "\"a\"", "1",
		"true", "null", " ", "-", ".", "e", "\\", "\"b\":", "[]", "{}" };
	struct buf b = BUF_INIT;

	rnd_init(&rnd, 77);
	for (unsigned i = 0; i < 20000; i++) {
		buf_clear(&b);
		for (uint64_t n = rnd_below(&rnd, 60); n > 0; n--)
			add_one_of(&b, tokens, ARRAY_LEN(tokens));
		scan(buf_str(&b));
	}
	buf_fini(&b);
}
END_TEST

UNIT_MAIN("json_scan", takes_documents, refuses_with_place_and_reason, refuses_every_truncation,
    survives_every_byte_flipped, limits_depth, finds_duplicates_in_objects_of_every_size,
    keeps_duplicates_when_told, has_no_bad_case_of_keys, gives_large_stacks_back,
    scans_every_length, all_forms_agree_on_generated_documents, all_forms_agree_on_heaps_of_tokens)
