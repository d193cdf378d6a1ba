/*
 * The plan of a route's answers, and the usual merge: every part under a name of its own, where
 * nothing but glue that is known beforehand goes between the parts. The plan is read by all
 * workers.
 */
#include "gather/merge.h"

#include "base/compiler.h"
#include "gather/merge_json.h"

/* Whether the part makes the answer an array. */
static bool
is_root_array(const struct json_path *path)
{
	return path->n == 1 && path->steps[0].kind == JSON_STEP_EACH;
}

/* Whether calls may share the place: the root and arrays have room for more than one. */
static bool
is_shared_place(const struct json_path *path)
{
	return path->n == 0 || path->steps[path->n - 1].kind == JSON_STEP_EACH;
}

/* Why the call i can never be merged with those before it; NULL: it can. */
static const char *
find_clash(const struct merge_plan *plan, size_t i)
{
	const struct merge_place *places = plan->spec.places;
	const struct json_path *into = &places[i].into;

	if (is_root_array(into) != plan->is_array)
		return "an answer that is an array takes all its parts into \"[]\"";
	if (into->n > 0 && plan->meta.into.n > 0 &&
	    str_eq(into->steps[0].key, plan->meta.into.steps[0].key))
		return "the place belongs to the metadata object";
	if (plan->spec.policy != CONFLICT_ERROR || is_shared_place(into))
		return NULL;
	for (size_t j = 0; j < i; j++) {
		if (json_path_eq(into, &places[j].into))
			return "another call has the same place, and on_conflict is error";
	}
	return NULL;
}

static bool
has_own_name(const struct merge_plan *plan, size_t i)
{
	const struct json_path *into = &plan->spec.places[i].into;

	if (into->n != 1 || plan->is_array)
		return false;
	for (size_t j = 0; j < i; j++) {
		if (json_path_eq(into, &plan->spec.places[j].into))
			return false;
	}
	return true;
}

static struct merge_glue
glue_of(struct arena *a, const struct json_path *path)
{
	struct str key = path->steps[0].quoted;

	return (struct merge_glue){ arena_printf(a, "{%.*s:", STR_FMT(key)),
		arena_printf(a, ",%.*s:", STR_FMT(key)) };
}

static void
make_glue(struct arena *a, struct merge_plan *plan)
{
	size_t n = plan->spec.n;

	plan->glue = arena_calloc(a, n + 1, sizeof *plan->glue);
	for (size_t i = 0; i < n; i++)
		plan->glue[i] = glue_of(a, &plan->spec.places[i].into);
	if (plan->meta.into.n > 0)
		plan->glue[n] = glue_of(a, &plan->meta.into);
}

enum err_code
merge_plan_new(struct arena *a, const struct merge_spec *spec, struct merge_plan **out,
    struct merge_fault *fault)
{
	struct merge_plan *plan = arena_calloc(a, 1, sizeof *plan);

	plan->spec = *spec;
	plan->is_flat = true;
	plan->is_array = spec->n > 0 && is_root_array(&spec->places[0].into);
	if (!str_is_none(spec->meta_key) && !plan->is_array)
		json_path_of_key(a, spec->meta_key, &plan->meta.into);
	for (size_t i = 0; i < spec->n; i++) {
		const char *clash = find_clash(plan, i);

		if (clash != NULL) {
			*fault = (struct merge_fault){ i, clash };
			return ERR_BAD_CONFIG;
		}
		plan->is_flat = plan->is_flat && has_own_name(plan, i);
	}
	if (plan->is_flat)
		make_glue(a, plan);
	*out = plan;
	return ERR_NONE;
}

/* The result while it is filled: the room is known, so nothing is checked per slice. */
static inline void
put(struct merge_result *result, struct str bytes)
{
	result->iov[result->n++] = str_iov(bytes);
	result->bytes += bytes.n;
}

static inline void
put_member(struct merge_result *result, const struct merge_glue *glue, struct str value)
{
	put(result, result->n == 0 ? glue->first : glue->next);
	put(result, value);
}

static enum err_code
merge_flat(const struct merge_plan *plan, const struct merge_input *in, struct merge_result *result)
{
	size_t n = plan->spec.n;

	result->iov = arena_alloc(in->arena, (2 * n + 3) * sizeof *result->iov);
	for (size_t i = 0; i < n; i++) {
		if (in->parts[i].kind != JSON_NONE)
			put_member(result, &plan->glue[i], in->parts[i].text);
		else if (plan->spec.keeps_places)
			put_member(result, &plan->glue[i], STR("null"));
	}
	if (!str_is_none(in->meta) && plan->meta.into.n > 0)
		put_member(result, &plan->glue[n], in->meta);
	put(result, result->n == 0 ? STR("{}") : STR("}"));
	return ERR_NONE;
}

enum err_code
merge_run(const struct merge_plan *plan, const struct merge_input *in, struct merge_result *result)
{
	*result = (struct merge_result){ .n = 0 };
	return plan->is_flat ? merge_flat(plan, in, result) : merge_json_run(plan, in, result);
}
