/* What a route requires of a request. Read-only when shared; regexec(3) is safe from any thread. */
#include "gather/require.h"

#include <regex.h>

#include "base/compiler.h"
#include "codec/header.h"
#include "codec/uri.h"

struct rule {
	struct str name;
	bool has_pattern;
	regex_t pattern;
};

struct require {
	struct rule *query;
	size_t n_query;
	struct rule *headers;
	size_t n_headers;
};

static void
free_pattern(void *arg)
{
	regfree(arg);
}

static enum err_code
compile_rule(struct arena *arena, const struct conf_pair *pair, struct rule *out, struct str *why)
{
	char text[128];
	int rc;

	out->name = pair->name.s;
	out->has_pattern = pair->value.s.n != 0;
	if (!out->has_pattern)
		return ERR_NONE;
	rc = regcomp(&out->pattern, arena_str(arena, pair->value.s).p, REG_EXTENDED | REG_NOSUB);
	if (rc == 0) {
		arena_on_reset(arena, free_pattern, &out->pattern);
		return ERR_NONE;
	}
	regerror(rc, &out->pattern, text, sizeof text);
	*why = arena_printf(arena, "not a regular expression: %s", text);
	return ERR_BAD_CONFIG;
}

static enum err_code
compile_rules(struct arena *arena, const struct conf_pair_list *pairs, struct rule **out,
    struct conf_pos *where, struct str *why)
{
	enum err_code e = ERR_NONE;

	*out = arena_calloc(arena, pairs->n, sizeof **out);
	for (size_t i = 0; i < pairs->n && e == ERR_NONE; i++) {
		*where = pairs->at[i].value.pos;
		e = compile_rule(arena, &pairs->at[i], &(*out)[i], why);
	}
	return e;
}

enum err_code
require_compile(struct arena *arena, const struct require_conf *conf, struct require **out,
    struct conf_pos *where, struct str *why)
{
	struct require *require = arena_calloc(arena, 1, sizeof *require);
	enum err_code e = compile_rules(arena, &conf->query, &require->query, where, why);

	if (e == ERR_NONE)
		e = compile_rules(arena, &conf->headers, &require->headers, where, why);
	for (size_t i = 0; e == ERR_NONE && i < conf->headers.n; i++) {
		if (header_is_token(conf->headers.at[i].name.s))
			continue;
		*where = conf->headers.at[i].name.pos;
		*why = STR("not the name of a field");
		e = ERR_BAD_CONFIG;
	}
	require->n_query = conf->query.n;
	require->n_headers = conf->headers.n;
	*out = conf->query.n + conf->headers.n == 0 ? NULL : require;
	return e;
}

static bool
matches(const struct rule *rule, struct str value, struct arena *arena)
{
	struct str text;

	if (!rule->has_pattern)
		return true;
	if (memchr(value.p == NULL ? "" : value.p, '\0', value.n) != NULL)
		return false; /* the pattern would see only what comes before */
	text = arena_str(arena, value);
	return regexec(&rule->pattern, text.p, 0, NULL, 0) == 0;
}

static enum err_code
say(enum err_code e, const char *what, struct str name, struct arena *arena, struct str *why)
{
	*why = arena_printf(arena, "%s \"%.*s\" %s", what, STR_FMT(name),
	    e == ERR_BAD_PARAMETER ? "is not what this route takes" : "is missing");
	return e;
}

static enum err_code
check_query(const struct rule *rule, const struct request *r, struct arena *arena, struct str *why)
{
	struct str rest = r->query, value;
	bool is_there = false;

	while (uri_next_value(&rest, rule->name, &value)) {
		char *to = arena_alloc(arena, value.n);

		is_there = true;
		if (!matches(rule, str_of(to, uri_decode_query(to, value)), arena))
			return say(ERR_BAD_PARAMETER, "query parameter", rule->name, arena, why);
	}
	if (!is_there)
		return say(ERR_MISSING_REFERENCE, "query parameter", rule->name, arena, why);
	return ERR_NONE;
}

static enum err_code
check_header(const struct rule *rule, const struct request *r, struct arena *arena, struct str *why)
{
	bool is_there = false;

	for (size_t i = 0; i < r->headers->n; i++) {
		const struct header *h = &r->headers->at[i];

		if (!str_ieq(h->name, rule->name))
			continue;
		is_there = true;
		if (!matches(rule, h->value, arena))
			return say(ERR_BAD_PARAMETER, "header field", rule->name, arena, why);
	}
	if (!is_there)
		return say(ERR_MISSING_REFERENCE, "header field", rule->name, arena, why);
	return ERR_NONE;
}

enum err_code
require_check(
    const struct require *require, const struct request *r, struct arena *arena, struct str *why)
{
	enum err_code e = ERR_NONE;

	for (size_t i = 0; i < require->n_query && e == ERR_NONE; i++)
		e = check_query(&require->query[i], r, arena, why);
	for (size_t i = 0; i < require->n_headers && e == ERR_NONE; i++)
		e = check_header(&require->headers[i], r, arena, why);
	return e;
}
