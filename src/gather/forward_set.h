/*
 * Which of the client's header fields or query parameters a call passes on, and under what name; compiled at load
 * from the names of `forward`: "Accept-Language", "*" for all, "!Cookie" for not this one, "X-Old: X-New" for another
 * name. What the call sets itself is not passed on.
 */
#ifndef GATHER_FORWARD_SET_H
#define GATHER_FORWARD_SET_H

#include "base/arena.h"
#include "base/conf_value.h"

struct forward_rule {
	struct str name;
	struct str as; /* none: it stays behind */
};

struct forward_set {
	struct forward_rule *rules; /* those that keep something back come first */
	size_t n;
	bool takes_all;
	bool is_empty; /* nothing is passed on */
};

/* Into the arena. own: the pairs that the call sets, which stay behind when the client sends them. */
void forward_set_compile(struct arena *arena, const struct conf_text_list *list,
    const struct conf_pair_list *own, struct forward_set *out);
/* The parts of one entry of `forward`: the name, and the other name or none. False: it is "!name". */
bool forward_set_split(struct str entry, struct str *name, struct str *as);
/* What a proxy route passes on: all but the fields that it sets. */
void forward_set_all_but(
    struct arena *arena, const struct conf_pair_list *own, struct forward_set *out);
/*
 * The name under which this field goes; none when it stays behind. *is_listed: it is named, and not only one of all.
 * One that is "-" for "_" away from a name that stays behind is none of all: servers may take it for that.
 */
struct str forward_set_field(const struct forward_set *set, struct str name, bool *is_listed);
/* The same for a query parameter, its name still encoded, as the answer's is when it is its own. */
struct str forward_set_parameter(const struct forward_set *set, struct str encoded, bool *is_renamed);

#endif
