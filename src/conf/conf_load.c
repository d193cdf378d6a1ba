/* The order in which a configuration comes to be. Start-up and reload only; one thread. */
#include "conf/conf_load.h"

#include "conf/conf_apply.h"
#include "conf/conf_check.h"
#include "conf/conf_discover.h"
#include "conf/conf_include.h"
#include "conf/conf_inherit.h"
#include "conf/conf_root.h"

/*
 * The tree as written goes through the rows first, for the sake of its errors: what is only
 * inherited is not in the effective tree under its own path. Then the effective tree does, for its
 * values.
 */
static void
build(struct yaml_node *written, struct arena *a, struct conf **out, struct conf_errors *errors)
{
	struct conf *scratch = arena_calloc(a, 1, sizeof *scratch);
	struct conf *c = arena_calloc(a, 1, sizeof *c);

	conf_apply(&conf_root_section, written, scratch, a, errors);
	c->written = written;
	c->effective = conf_inherit(written, a, errors);
	conf_apply(&conf_root_section, c->effective, c, a, errors);
	conf_discover(c, a);
	conf_check(c, a, errors);
	*out = c;
}

static enum err_code
finish(struct yaml_node *written, struct arena *a, struct conf **out, struct conf_errors *errors)
{
	if (written->n != 0 || errors->n_errors == 0)
		build(written, a, out, errors);
	conf_error_sort(errors);
	return errors->n_errors == 0 ? ERR_NONE : ERR_BAD_CONFIG;
}

enum err_code
conf_load(const char *path, struct arena *a, struct conf **out, struct conf_errors *errors)
{
	conf_error_init(errors, a);
	return finish(conf_include_load(path, a, errors), a, out, errors);
}

enum err_code
conf_load_text(struct str text, const char *name, struct arena *a, struct conf **out,
    struct conf_errors *errors)
{
	conf_error_init(errors, a);
	return finish(conf_include_text(text, name, a, errors), a, out, errors);
}
