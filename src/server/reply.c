/* Static answers. No state; worker thread. */
#include "server/reply.h"

#include "codec/json_scan.h"
#include "server/server.h"

static enum err_code
eval_field(const struct field_plan *field, const struct template_env *env, struct exchange *x,
    struct answer *out)
{
	struct str value;
	enum err_code e = template_eval(&field->value, env, &x->arena, &value);

	if (e != ERR_NONE)
		return e;
	if (str_ieq(field->name, STR("Content-Type")))
		out->content_type = value;
	else
		out->fields = arena_printf(&x->arena, "%.*s%.*s: %.*s\r\n", STR_FMT(out->fields),
		    STR_FMT(field->name), STR_FMT(value));
	return ERR_NONE;
}

static enum err_code
eval_fields(const struct reply_plan *plan, const struct template_env *env, struct exchange *x,
    struct answer *out)
{
	for (size_t i = 0; i < plan->n_fields; i++) {
		enum err_code e = eval_field(&plan->fields[i], env, x, out);

		if (e != ERR_NONE)
			return e;
	}
	return ERR_NONE;
}

static enum err_code
eval_body(const struct reply_plan *plan, const struct template_env *env, struct exchange *x,
    struct str *body, struct str *content_type)
{
	if (plan->json != NULL) {
		*content_type = STR("application/json");
		return json_template_eval(plan->json, env, &x->arena, body);
	}
	if (plan->body.n == 0)
		return ERR_NONE;
	*content_type = STR("text/plain; charset=utf-8");
	return template_eval(&plan->body, env, &x->arena, body);
}

static enum err_code
read_body(const struct reply_plan *plan, const struct exchange *x, struct template_env *env)
{
	if (!plan->needs_body_json || x->request.body.n == 0)
		return ERR_NONE;
	if (json_scan_text(x->server->setup.gather->js, x->request.body, 0, &env->body, NULL) !=
	    ERR_NONE)
		return ERR_BAD_BODY;
	return ERR_NONE;
}

enum err_code
reply_answer(const struct reply_plan *plan, const struct route_conf *conf, struct exchange *x,
    struct answer *out)
{
	struct template_env env = { .request = &x->request };
	struct str body = str_none(), content_type = str_none();
	enum err_code e = read_body(plan, x, &env);

	*out = (struct answer){ .status = (unsigned)conf->reply.status };
	if (e == ERR_NONE)
		e = eval_fields(plan, &env, x, out);
	if (e == ERR_NONE)
		e = eval_body(plan, &env, x, &body, &content_type);
	if (e != ERR_NONE)
		return e;
	if (!str_is_none(out->content_type))
		content_type = out->content_type;
	answer_set_body(out, &x->arena, content_type, body);
	return ERR_NONE;
}
