/*
 * How fast JSON is scanned, shaped and merged: generated documents of several kinds, the best of
 * many short rounds each; the same documents in every run. Scanning by each form that this machine
 * can take (json_block.h). Shaping is told in times of plain scanning: a scan that finds what a shape
 * changes, and the same with the making of the new text.
 *
 *     bench_json [milliseconds per document and measure]
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/rnd.h"
#include "codec/json_block.h"
#include "codec/json_scan.h"
#include "gather/merge.h"
#include "gather/shape.h"

#define DOCUMENT_BYTES 1000000
#define MAX_WORDS 4

static struct rnd rnd;

static unsigned
below(unsigned n)
{
	return (unsigned)rnd_below(&rnd, n);
}

static void
add_letters(struct buf *b, unsigned n)
{
	while (n-- > 0)
		buf_add_char(b, (char)('a' + below(26)));
}

/* Records as most services send them. `gap` and `line` make the white space. */
static void
add_records(struct buf *b, size_t bytes, const char *gap, const char *line)
{
	buf_add_c(b, "[");
	for (unsigned i = 0; b->n < bytes; i++) {
		buf_printf(b, "%s%s{%s\"id\":%s%u,%s\"name\":%s\"", i == 0 ? "" : ",", line, line,
		    gap, 100000 + below(900000), line, gap);
		add_letters(b, 4 + below(12));
		buf_printf(b, "\",%s\"email\":%s\"", line, gap);
		add_letters(b, 5 + below(8));
		buf_printf(b, "@example.com\",%s\"active\":%s%s,%s\"balance\":%s%u.%02u,", line,
		    gap, below(2) == 0 ? "true" : "false", line, gap, below(10000), below(100));
		buf_printf(b, "%s\"tags\":%s[\"new\",%s\"eu-west\"],%s\"parent\":%snull%s}", line,
		    gap, gap, line, gap, line);
	}
	buf_printf(b, "%s]", line);
}

static void
small(struct buf *b)
{
	add_records(b, 400, "", "");
}

static void
records(struct buf *b)
{
	add_records(b, DOCUMENT_BYTES, "", "");
}

static void
spaced(struct buf *b)
{
	add_records(b, DOCUMENT_BYTES, " ", " ");
}

static void
indented(struct buf *b)
{
	add_records(b, DOCUMENT_BYTES, " ", "\n        ");
}

/* A user of a shop: objects in objects, numbers, escapes, text that is not ASCII. */
static void
add_user(struct buf *b)
{
	buf_printf(b, "{\"id\":%u,\"uuid\":\"%08x-%04x-%04x\",\"name\":\"", below(1000000),
	    below(1u << 31), below(65536), below(65536));
	add_letters(b, 3 + below(8));
	buf_add_c(b, below(4) == 0 ? " Mu\xc3\xb1oz" : " Smith");
	buf_printf(b, "\",\"active\":%s,\"balance\":%u.%02u,", below(2) == 0 ? "true" : "false",
	    below(10000), below(100));
	buf_printf(b, "\"created_at\":\"2026-03-%02uT12:%02u:00Z\",", 10 + below(19), below(60));
	buf_printf(b, "\"address\":{\"street\":\"%u ", below(1000));
	add_letters(b, 4 + below(8));
	buf_printf(b, " St\",\"zip\":\"%05u\",\"geo\":{\"lat\":%u.%06u,\"lng\":-%u.%06u}},",
	    below(100000), below(90), below(1000000), below(180), below(1000000));
	buf_add_c(b, "\"tags\":[");
	for (unsigned n = below(4), i = 0; i < n; i++) {
		buf_add_c(b, i == 0 ? "\"" : ",\"");
		add_letters(b, 3 + below(8));
		buf_add_c(b, "\"");
	}
	buf_printf(b, "],\"manager\":null,\"note\":\"said \\\"hi\\\" to %u\"}", below(100));
}

static void
add_users(struct buf *b, size_t bytes)
{
	buf_add_c(b, "{\"data\":[");
	for (unsigned i = 0; b->n < bytes; i++) {
		buf_add_c(b, i == 0 ? "" : ",");
		add_user(b);
	}
	buf_add_c(b, "],\"page\":1,\"pages\":17}");
}

static void
users_small(struct buf *b)
{
	add_users(b, 2000);
}

static void
users(struct buf *b)
{
	add_users(b, DOCUMENT_BYTES);
}

static void
messages(struct buf *b)
{
	buf_add_c(b, "{\"statuses\":[");
	for (unsigned i = 0; b->n < DOCUMENT_BYTES; i++) {
		buf_printf(b, "%s{\"created_at\":\"Fri Nov 20 04:%02u:00 +0000 2026\",\"id\":%u,",
		    i == 0 ? "" : ",", below(60), below(1000000000));
		buf_add_c(b,
		    "\"text\":\"RT @someone: \\u3042\\u3044 \xe3\x81\x82\xe3\x81\x84\xe3\x81\x86 ");
		add_letters(b, 40 + below(40));
		buf_add_c(
		    b, " http:\\/\\/t.co\\/abcdef\",\"user\":{\"id\":12345,\"screen_name\":\"");
		add_letters(b, 6 + below(8));
		buf_add_c(b, "\",\"description\":\"");
		add_letters(b, 20 + below(90));
		buf_printf(b, "\",\"followers_count\":%u,\"verified\":false},", below(100000));
		buf_add_c(b, "\"entities\":{\"hashtags\":[],\"urls\":[{\"indices\":[13,36]}]}}");
	}
	buf_add_c(b, "]}");
}

static void
floats(struct buf *b)
{
	buf_add_c(b, "{\"type\":\"Polygon\",\"coordinates\":[");
	for (unsigned i = 0; b->n < DOCUMENT_BYTES; i++)
		buf_printf(b, "%s[-%u.%06u%u,%u.%06u%u]", i == 0 ? "" : ",", below(180),
		    below(1000000), below(100000), below(90), below(1000000), below(100000));
	buf_add_c(b, "]}");
}

static void
integers(struct buf *b)
{
	buf_add_c(b, "[0");
	while (b->n < DOCUMENT_BYTES)
		buf_printf(b, ",%u", below(1u << below(31)));
	buf_add_c(b, "]");
}

static void
long_strings(struct buf *b)
{
	buf_add_c(b, "[\"\"");
	while (b->n < DOCUMENT_BYTES) {
		buf_add_c(b, ",\"");
		add_letters(b, 4000 + below(4000));
		buf_add_c(b, "\"");
	}
	buf_add_c(b, "]");
}

/* Words of Cyrillic between spaces, and some of CJK. */
static void
other_scripts(struct buf *b)
{
	buf_add_c(b, "[\"\"");
	while (b->n < DOCUMENT_BYTES) {
		buf_add_c(b, ",\"");
		for (unsigned words = 20 + below(40); words > 0; words--) {
			for (unsigned n = 2 + below(9); n > 0; n--)
				buf_printf(b, below(8) == 0 ? "\xe4\xb8%c" : "\xd0%c",
				    (char)(0x90 + below(32)));
			buf_add_c(b, " ");
		}
		buf_add_c(b, "\"");
	}
	buf_add_c(b, "]");
}

static void
escapes(struct buf *b)
{
	buf_add_c(b, "[\"\"");
	while (b->n < DOCUMENT_BYTES) {
		buf_add_c(b, ",\"");
		for (unsigned n = 20 + below(40); n > 0; n--) {
			add_letters(b, below(12));
			buf_add_c(b, below(3) == 0 ? "\\u003c" : "\\n");
		}
		buf_add_c(b, "\"");
	}
	buf_add_c(b, "]");
}

static void
tiny_objects(struct buf *b)
{
	buf_add_c(b, "[{}");
	while (b->n < DOCUMENT_BYTES)
		buf_printf(
		    b, ",{\"a\":%u,\"b\":[],\"c\":\"%c\"}", below(10), (char)('a' + below(26)));
	buf_add_c(b, "]");
}

static void
nested(struct buf *b)
{
	buf_add_c(b, "[0");
	while (b->n < DOCUMENT_BYTES) {
		unsigned depth = 1 + below(60);

		buf_add_c(b, ",");
		for (unsigned i = 0; i < depth; i++)
			buf_add_c(b, i % 2 == 0 ? "{\"child\":" : "[1,");
		buf_add_c(b, "null");
		for (unsigned i = depth; i-- > 0;)
			buf_add_c(b, i % 2 == 0 ? "}" : "]");
	}
	buf_add_c(b, "]");
}

/* Records with more members than are compared one by one. */
static void
wide_records(struct buf *b)
{
	buf_add_c(b, "[{}");
	while (b->n < DOCUMENT_BYTES) {
		buf_add_c(b, ",{\"id\":1");
		for (unsigned i = 0; i < 40; i++)
			buf_printf(b, ",\"column_%u\":\"%u\"", i, below(100000));
		buf_add_c(b, "}");
	}
	buf_add_c(b, "]");
}

static void
many_keys(struct buf *b)
{
	buf_add_c(b, "{\"first\":0");
	for (unsigned i = 0; i < 100000; i++)
		buf_printf(b, ",\"key-%u\":%u", i, below(1000));
	buf_add_c(b, "}");
}

/* Words between spaces; those of renames are pairs. */
struct program {
	const char *select;
	const char *drop;
	const char *rename;
	const char *from;
};

/* Documents without members: rules that look into each element, and find nothing. */
#define NO_MEMBERS { "[].id [].name [].tags", "[].email [].parent", "[].name title", "[3]" }
#define RECORDS    { "[].id [].name [].tags", "[].email [].parent", "[].name title", "[1]" }
#define USERS                                                                                      \
	{ "data[].id data[].name data[].address.geo", "data[].note data[].tags", "data[].name title", \
	    "data" }

static const struct kind {
	const char *name;
	void (*make)(struct buf *b);
	struct program program;
} kinds[] = {
	{ "small record, 0.5 KB", small, RECORDS },
	{ "users, 2 KB", users_small, USERS },
	{ "users", users, USERS },
	{ "records, compact", records, RECORDS },
	{ "records, spaced", spaced, RECORDS },
	{ "records, indented", indented, RECORDS },
	{ "messages", messages,
	    { "statuses[].id statuses[].text statuses[].user.screen_name",
		"statuses[].entities statuses[].user.verified", "statuses[].text body", "statuses" } },
	{ "floats", floats, { "type bbox coordinates", "type bbox", "coordinates points", "coordinates" } },
	{ "integers", integers, NO_MEMBERS },
	{ "long strings", long_strings, NO_MEMBERS },
	{ "other scripts", other_scripts, NO_MEMBERS },
	{ "escapes", escapes, NO_MEMBERS },
	{ "tiny objects", tiny_objects, { "[].a", "[].b", "[].c d", "[1]" } },
	{ "nested", nested, { "[].child[].child", "[].child[].child", "[].child c", "[1]" } },
	{ "wide records", wide_records,
	    { "[].id [].column_7 [].column_39", "[].column_0 [].column_20", "[].column_20 twenty", "[1]" } },
	{ "100,000 keys", many_keys,
	    { "first key-7 key-99999", "key-8 key-50000", "key-50000 middle", "key-50000" } },
};

static struct json_scan js;
static struct arena_pool blocks;
static uint64_t budget_ns;

static void
scan(void *arg)
{
	struct str text = *(struct str *)arg;
	struct json_value root;
	struct json_fault fault;

	if (json_scan_text(&js, text, 0, &root, &fault) != ERR_NONE) {
		printf("refused at %zu: %s\n", fault.offset, fault.reason);
		exit(EXIT_FAILURE);
	}
}

/* Nanoseconds of one work(arg), the best round of `times`. */
static double
best_ns(void (*work)(void *arg), void *arg, unsigned times)
{
	uint64_t begun = clock_mono_ns(), best = UINT64_MAX;

	while (clock_mono_ns() - begun < budget_ns) {
		uint64_t from = clock_mono_ns(), took;

		for (unsigned i = 0; i < times; i++)
			work(arg);
		took = clock_mono_ns() - from;
		if (took < best)
			best = took;
	}
	return (double)best / times;
}

/* The forms of json_block.h, as many as this machine can take. */
static const struct form {
	const char *name;
	const struct json_block_ops *blocks;
} forms[] = {
	{ "scalar", &json_block_scalar },
#ifdef __SSE2__
	{ "SSE2", &json_block_sse2 },
	{ "AVX2", &json_block_avx2 },
#endif
};

static size_t
count_forms(void)
{
	return json_block_has_avx2() ? ARRAY_LEN(forms) : ARRAY_LEN(forms) < 2 ? 1 : 2;
}

/* A document and one thing to do with it. */
struct job {
	struct str text;
	struct arena *arena;
	struct shape *shape;
};

static void
scan_cuts(void *arg)
{
	const struct job *job = arg;
	struct json_value root;

	json_cuts_begin(&js.cuts, shape_rules(job->shape), job->arena);
	if (json_scan_text(&js, job->text, JSON_SCAN_CUTS, &root, NULL) != ERR_NONE)
		exit(EXIT_FAILURE);
}

static void
shape(void *arg)
{
	const struct job *job = arg;
	struct json_value out;
	struct arena a;

	arena_init(&a, &blocks, 0);
	scan_cuts(arg);
	if (shape_apply(job->shape, &js.cuts, &a, &out) != ERR_NONE)
		exit(EXIT_FAILURE);
	arena_reset(&a);
}

static struct conf_text_list
list_of(struct arena *a, const char *words)
{
	struct conf_text_list list = { arena_calloc(a, MAX_WORDS, sizeof *list.at), 0 };
	struct str rest = str_c(words), word;

	while (str_split(&rest, ' ', &word))
		list.at[list.n++].s = word;
	return list;
}

/* In times of plain scanning: finding the cuts, and making the text too. */
static void
bench_shape(struct str text, const struct shape_conf *conf, unsigned times)
{
	struct arena a;
	struct job job = { .text = text, .arena = &a };
	struct conf_pos where;
	struct json_fault fault;
	double plain_ns;

	arena_init(&a, &blocks, 0);
	if (shape_compile(&a, conf, &job.shape, &where, &fault) != ERR_NONE || job.shape == NULL)
		exit(EXIT_FAILURE);
	plain_ns = best_ns(scan, &text, times);
	printf("   %6.2f", best_ns(scan_cuts, &job, times) / plain_ns);
	printf(" %6.2f", best_ns(shape, &job, times) / plain_ns);
	arena_reset(&a);
}

static void
bench_program(struct str text, const struct program *program, unsigned times)
{
	struct arena a;
	struct conf_text_list renamed;
	struct conf_pair pair;

	arena_init(&a, &blocks, 0);
	renamed = list_of(&a, program->rename);
	pair = (struct conf_pair){ renamed.at[0], renamed.at[1] };
	bench_shape(text, &(struct shape_conf){ .select = list_of(&a, program->select) }, times);
	bench_shape(text, &(struct shape_conf){ .drop = list_of(&a, program->drop) }, times);
	bench_shape(text, &(struct shape_conf){ .rename = { &pair, 1 } }, times);
	bench_shape(text, &(struct shape_conf){ .from.s = str_c(program->from) }, times);
	arena_reset(&a);
}

static void
bench_kind(const struct kind *kind)
{
	struct buf b = BUF_INIT;
	struct str text;
	unsigned times;

	kind->make(&b);
	text = buf_str(&b);
	times = text.n < 10000 ? 1000 : 1;
	printf("%-24s %10zu", kind->name, text.n);
	for (size_t i = 0; i < count_forms(); i++) {
		js.blocks = forms[i].blocks;
		printf(" %7.2f", (double)text.n / best_ns(scan, &text, times));
	}
	bench_program(text, &kind->program, times);
	printf("\n");
	buf_fini(&b);
}

static void
bench_kinds(void)
{
	printf("%-24s %10s", "GB/s", "bytes");
	for (size_t i = 0; i < count_forms(); i++)
		printf(" %7s", forms[i].name);
	printf("   %13s   %13s   %13s   %13s\n", "select", "drop", "rename", "from");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		bench_kind(&kinds[i]);
	js.blocks = json_block_best();
}

#define MAX_PARTS 10

/* An answer of n small records. */
struct mix {
	const char *name;
	enum conflict_policy policy;
	size_t n;
	const char *into; /* of all parts; NULL: names of their own */
	struct merge_plan *plan;
	struct json_value parts[MAX_PARTS];
};

static struct mix mixes[] = {
	{ .name = "3 under names", .n = 3 },
	{ .name = "10 under names", .n = 10 },
	{ .name = "3 appended", .n = 3, .into = "results[]" },
	{ .name = "3 at the root, last", .policy = CONFLICT_LAST, .n = 3, .into = "." },
	{ .name = "3 in one place, deep", .policy = CONFLICT_DEEP, .n = 3, .into = "a.b" },
};

static void
merge(void *arg)
{
	struct mix *mix = arg;
	struct arena a;
	struct merge_input in = { .parts = mix->parts, .js = &js, .arena = &a };
	struct merge_result result;

	arena_init(&a, &blocks, 0);
	if (merge_run(mix->plan, &in, &result) != ERR_NONE)
		exit(EXIT_FAILURE);
	arena_reset(&a);
}

static void
bench_mix(struct mix *mix)
{
	struct merge_place places[MAX_PARTS];
	struct merge_spec spec = { .places = places, .n = mix->n, .policy = mix->policy };
	struct arena a;
	struct json_fault fault;

	arena_init(&a, &blocks, 0);
	for (size_t i = 0; i < mix->n; i++) {
		places[i].name = arena_printf(&a, "part%zu", i);
		if (mix->into == NULL)
			json_path_of_key(&a, places[i].name, &places[i].into);
		else
			json_path_compile_into(&a, str_c(mix->into), &places[i].into, &fault);
		mix->parts[i] = (struct json_value){ JSON_OBJECT,
			STR("{\"id\":123456,\"name\":\"somebody\",\"email\":\"somebody@example."
			    "com\","
			    "\"active\":true,\"balance\":12.50,\"tags\":[\"new\",\"eu-west\"]}") };
	}
	if (merge_plan_new(&a, &spec, &mix->plan, NULL) != ERR_NONE)
		exit(EXIT_FAILURE);
	printf("%-24s %10.0f\n", mix->name, best_ns(merge, mix, 1000));
	arena_reset(&a);
}

int
main(int argc, char **argv)
{
	uint64_t ms = 200;

	if (argc > 1 && !str_to_u64(str_c(argv[1]), &ms))
		return EXIT_FAILURE;
	budget_ns = ms * NS_PER_MS;
	rnd_init(&rnd, 1);
	json_scan_init(&js, rnd_u64(&rnd));
	arena_pool_init(&blocks, 16, 1024 * 1024);
	bench_kinds();
	printf("\n%-24s %10s\n", "merge", "ns");
	for (size_t i = 0; i < ARRAY_LEN(mixes); i++)
		bench_mix(&mixes[i]);
	json_scan_fini(&js);
	arena_pool_fini(&blocks);
	return EXIT_SUCCESS;
}
