/* What of a request is passed on. Read-only when shared. */
#include "gather/forward_set.h"

#include "codec/header.h"
#include "codec/uri.h"

bool
forward_set_split(struct str entry, struct str *name, struct str *as)
{
	*as = entry;
	if (entry.n > 1 && entry.p[0] == '!') {
		*name = str_of(entry.p + 1, entry.n - 1);
		*as = str_none();
		return false;
	}
	str_split(as, ':', name);
	*name = str_trim(*name);
	*as = str_trim(*as);
	return true;
}

static void
add(struct forward_set *set, struct str name, struct str as)
{
	set->rules[set->n++] = (struct forward_rule){ name, as };
}

void
forward_set_compile(struct arena *arena, const struct conf_text_list *list,
    const struct conf_pair_list *own, struct forward_set *out)
{
	struct str name, as;

	*out = (struct forward_set){ .is_empty = list->n == 0 };
	if (out->is_empty)
		return;
	out->rules = arena_alloc(arena, (list->n + own->n) * sizeof *out->rules);
	for (size_t i = 0; i < own->n; i++)
		add(out, own->at[i].name.s, str_none());
	for (size_t i = 0; i < list->n; i++)
		if (!forward_set_split(list->at[i].s, &name, &as))
			add(out, name, str_none());
	for (size_t i = 0; i < list->n; i++) {
		if (!forward_set_split(list->at[i].s, &name, &as))
			continue;
		if (str_eq(name, STR("*")))
			out->takes_all = true;
		else
			add(out, name, str_is_none(as) ? name : as);
	}
}

void
forward_set_all_but(
    struct arena *arena, const struct conf_pair_list *own, struct forward_set *out)
{
	struct conf_text star = { .s = STR_INIT("*") };
	const struct conf_text_list all = { &star, 1 };

	forward_set_compile(arena, &all, own, out);
}

/* X_User is X-User to CGI and its heirs. */
static bool
is_kept_back(const struct forward_set *set, struct str name)
{
	for (size_t i = 0; i < set->n; i++)
		if (str_is_none(set->rules[i].as) && header_is_same_name(set->rules[i].name, name))
			return true;
	return false;
}

struct str
forward_set_field(const struct forward_set *set, struct str name, bool *is_listed)
{
	*is_listed = false;
	for (size_t i = 0; i < set->n; i++) {
		const struct forward_rule *rule = &set->rules[i];

		if (!str_ieq(rule->name, name))
			continue;
		*is_listed = true;
		return rule->as.p == rule->name.p ? name : rule->as;
	}
	return set->takes_all && !is_kept_back(set, name) ? name : str_none();
}

struct str
forward_set_parameter(const struct forward_set *set, struct str encoded, bool *is_renamed)
{
	*is_renamed = false;
	for (size_t i = 0; i < set->n; i++) {
		const struct forward_rule *rule = &set->rules[i];

		if (!uri_decodes_to(encoded, rule->name))
			continue;
		*is_renamed = !str_is_none(rule->as) && rule->as.p != rule->name.p;
		return str_is_none(rule->as) || *is_renamed ? rule->as : encoded;
	}
	return set->takes_all ? encoded : str_none();
}
