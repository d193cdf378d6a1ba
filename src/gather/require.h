/*
 * What a route requires of a request before it is admitted (`request.require`): query parameters and header fields
 * that must be there, and what they must look like. Patterns are POSIX extended regular expressions, compiled at
 * load.
 */
#ifndef GATHER_REQUIRE_H
#define GATHER_REQUIRE_H

#include "base/arena.h"
#include "base/conf_value.h"
#include "base/err.h"
#include "gather/request.h"

struct require;

struct require_conf {
	struct conf_pair_list query;   /* name: pattern; an empty pattern: anything */
	struct conf_pair_list headers;
};

/* Into the arena; *out is NULL when nothing is required. ERR_BAD_CONFIG with the place and what is wrong. */
enum err_code require_compile(struct arena *arena, const struct require_conf *conf, struct require **out,
    struct conf_pos *where, struct str *why);
/*
 * ERR_NONE; ERR_MISSING_REFERENCE or ERR_BAD_PARAMETER with a sentence for the client in the arena. Of several
 * values with one name each must match.
 */
enum err_code require_check(
    const struct require *require, const struct request *r, struct arena *arena, struct str *why);

#endif
