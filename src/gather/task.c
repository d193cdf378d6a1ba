/* One request and the part that its answer becomes. Worker thread; memory is its owner's arena. */
#include "gather/task.h"

#include <string.h>

#include "base/compiler.h"
#include "gather/call_request.h"
#include "gather/part.h"
#include "gather/shape.h"
#include "upstream/upstream.h"

/* An answer that is not accepted is read to its end, to keep the connection, when it is this small. */
#define REJECTED_MAX_BYTES 65536

/* The fields outlive the buffer that they were parsed from. */
static const struct header_list *
keep_fields(struct task *t, const struct header_list *from)
{
	struct header_list *kept = arena_alloc(t->arena, sizeof *kept);
	struct header *at = arena_alloc(t->arena, from->n * sizeof *at);

	*kept = *from;
	kept->at = at;
	for (size_t i = 0; i < from->n; i++) {
		at[i] = from->at[i];
		at[i].name = arena_str(t->arena, from->at[i].name);
		at[i].value = arena_str(t->arena, from->at[i].value);
	}
	return kept;
}

static void
keep_type(struct task *t, struct str type)
{
	t->content_type = str_is_none(type) ? type : arena_str(t->arena, type);
}

static enum err_code
on_head(struct call *c, const struct h1_head *head, const struct h1_frame *frame)
{
	struct task *t = CONTAINER_OF(c, struct task, call);
	const struct call_conf *conf = t->plan->conf;

	if (t->plan->keeps_fields)
		t->fields = keep_fields(t, &head->fields);
	if (t->plan->keeps_type || status_set_has(&conf->pass_errors, head->status))
		keep_type(t, header_value(&head->fields, HEADER_CONTENT_TYPE));
	if (status_set_has(&conf->accept, head->status) ||
	    status_set_has(&conf->pass_errors, head->status) || frame->kind == H1_FRAME_NONE)
		return ERR_NONE;
	if (frame->kind == H1_FRAME_LENGTH && frame->length <= REJECTED_MAX_BYTES)
		return ERR_NONE;
	return ERR_STATUS_NOT_ACCEPTED;
}

/* The part that a complete and accepted answer makes. */
static enum err_code
read_part(struct task *t)
{
	const struct call_conf *conf = t->plan->conf;
	const struct shape *shape = t->plan->shape;
	const struct part_rule rule = { conf->format, conf->keep_last_duplicate,
		shape != NULL ? shape_rules(shape) : NULL };
	struct part part;
	enum err_code e = part_read(&rule, t->call.body, t->env->js, t->arena, &part);

	if (e != ERR_NONE)
		return e;
	t->body = t->result = part.value;
	if (shape != NULL && t->plan->keeps_body)
		e = shape_apply(shape, &t->env->js->cuts, t->arena, &t->result);
	else if (shape != NULL)
		e = shape_apply_in_place(shape, &t->env->js->cuts, t->arena, &t->result);
	if (e != ERR_NONE)
		t->result.kind = JSON_NONE;
	return e;
}

static enum err_code
outcome_of(struct task *t)
{
	const struct call_conf *conf = t->plan->conf;

	if (t->call.error != ERR_NONE)
		return t->call.error;
	if (status_set_has(&conf->pass_errors, t->call.status)) {
		t->is_passed = true;
		return ERR_STATUS_NOT_ACCEPTED;
	}
	if (!status_set_has(&conf->accept, t->call.status))
		return ERR_STATUS_NOT_ACCEPTED;
	return read_part(t);
}

static void
on_done(struct call *c)
{
	struct task *t = CONTAINER_OF(c, struct task, call);

	t->error = outcome_of(t);
	t->on_done(t);
}

static const struct call_events events = { .on_head = on_head, .on_done = on_done };

void
task_init(struct task *t, const struct call_plan *plan, const struct gather_env *env,
    struct arena *arena)
{
	t->plan = plan;
	t->env = env;
	t->arena = arena;
	t->error = ERR_NONE;
	t->is_passed = false;
	t->content_type = str_none();
	t->body = t->result = (struct json_value){ .kind = JSON_NONE };
	t->fields = NULL;
	call_init(&t->call, &env->upstreams[plan->conf->upstream], arena, &events, t);
	t->call.max_body_bytes = plan->conf->max_body_bytes;
	t->call.max_ratio = plan->conf->max_ratio;
	t->call.metric_index = plan->index;
}

enum err_code
task_build(struct task *t, const struct template_env *values, struct str shared)
{
	enum err_code e = call_request_build(t->plan, values, t->arena, &t->request);

	t->request.shared = shared;
	return e;
}

void
task_start(struct task *t, uint64_t deadline_ns)
{
	call_start(&t->call, &t->request, deadline_ns);
}

void
task_cancel(struct task *t)
{
	call_cancel(&t->call);
}
