/*
 * Keys of a route that mean nothing for what the route does: written, they are errors; inherited,
 * they are left out.
 */
#ifndef CONF_CONF_IDLE_H
#define CONF_CONF_IDLE_H

#include "conf/conf_error.h"
#include "conf/yaml_tree.h"

/* Reports them in the routes as they are written. */
void conf_idle_report(const struct yaml_node *written, struct conf_errors *errors);
/* Takes them out of one route of the effective tree. */
void conf_idle_drop(struct yaml_node *route);

#endif
