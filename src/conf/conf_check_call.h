/* The rules of one call; see conf_check.h. */
#ifndef CONF_CONF_CHECK_CALL_H
#define CONF_CONF_CHECK_CALL_H

#include "conf/conf_check.h"
#include "gather/template.h"

/*
 * All rules of one call of a route; its upstream is looked up. params NULL: the route's path is
 * wrong, so that references cannot be told right from wrong.
 */
void conf_check_call(const struct conf_check *check, const struct route_conf *route,
    struct call_conf *call, const struct template_params *params);
/* Finds an upstream by its name; the nearest is suggested when there is none. */
void conf_check_call_upstream(
    const struct conf_check *check, const struct conf_text *name, size_t *index);

#endif
