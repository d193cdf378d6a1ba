/*
 * Paths into JSON documents as the configuration writes them: dots go through objects, brackets
 * through arrays, a key with special characters is quoted as a JSON string.
 *
 *     user.name    items[0].id    [2]    a."b.c"    orders[].product    .
 *
 * "." alone is the root. Compiled once, when the configuration is loaded; immutable then.
 */
#ifndef CODEC_JSON_PATH_H
#define CODEC_JSON_PATH_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/json_value.h"

#define JSON_PATH_MAX_STEPS 32

enum json_step_kind {
	JSON_STEP_KEY,   /* .key: a member of an object */
	JSON_STEP_INDEX, /* [3]: an element of an array, from 0 */
	JSON_STEP_EACH,  /* []: every element of an array */
};

struct json_step {
	enum json_step_kind kind;
	struct str key;    /* JSON_STEP_KEY: unescaped; in the arena or the text of the path */
	struct str quoted; /* JSON_STEP_KEY: as a JSON string with its quotes, ready to be sent; in the arena */
	uint64_t index;    /* JSON_STEP_INDEX */
};

struct json_path {
	struct json_step *steps; /* in the arena */
	size_t n;                /* 0: the root */
};

/*
 * ERR_NONE, or ERR_BAD_CONFIG with the place in the text and the reason. The text must live as long
 * as the arena.
 */
enum err_code json_path_compile(
    struct arena *a, struct str text, struct json_path *path, struct json_fault *fault);
/*
 * As json_path_compile(), for places that parts are merged into: "." the root, "a.b" nested, "a[]"
 * appended, "[]" appended to an answer that is an array. Brackets are refused anywhere but at the
 * end.
 */
enum err_code json_path_compile_into(
    struct arena *a, struct str text, struct json_path *path, struct json_fault *fault);
/* As json_path_compile(), for paths that name one value: "[]" is refused. */
enum err_code json_path_compile_ref(
    struct arena *a, struct str text, struct json_path *path, struct json_fault *fault);
/* The path of one key, whatever characters it has: the place of a call that has no `into`. */
void json_path_of_key(struct arena *a, struct str key, struct json_path *path);
bool json_path_eq(const struct json_path *a, const struct json_path *b);
/* Whether it can stand in a key without quotes: what other syntax uses cannot. */
bool json_path_is_bare(char c);
/* The first step that is JSON_STEP_EACH; path->n when there is none. */
size_t json_path_each(const struct json_path *path);
/*
 * The value that the path names in a validated document without duplicate keys; kind JSON_NONE when there is none.
 * Steps over JSON_STEP_EACH find nothing.
 */
struct json_value json_path_find(const struct json_path *path, struct json_value root);

#endif
