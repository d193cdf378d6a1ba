/*
 * What no single row can know: the rules between keys, one function per rule. conf_check_route.h
 * has those of routes.
 */
#ifndef CONF_CONF_CHECK_H
#define CONF_CONF_CHECK_H

#include "conf/conf.h"
#include "conf/conf_error.h"

/* One run over the whole configuration. */
struct conf_check {
	struct conf *conf;
	struct arena *arena;
	struct conf_errors *errors;
};

/*
 * Reports everything that is wrong, and settles what needs the whole file: the kind and name of
 * each route, the upstreams that calls refer to.
 */
void conf_check(struct conf *c, struct arena *a, struct conf_errors *errors);
/*
 * The place of a key below an item, "response.partial.status": of its value, or of the item when
 * the value is built in.
 */
struct conf_pos conf_check_place(struct conf_pos item, const char *path);
/* It stands under `defaults`, for items of which not all need it. */
bool conf_check_is_default(struct conf_pos pos);
/* A text as it is written, for messages: what ${…} expanded to may be a secret. */
struct str conf_check_raw(const struct conf_text *text);
/* Whether the file, and not a built-in value, has the key (as conf_check_place()). */
bool conf_check_has(struct conf_pos item, const char *path);

#endif
