/*
 * Keys of a route or a call that mean nothing for what it does: written, they are errors; inherited or built in,
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
/* The same of one call. */
void conf_idle_drop_call(struct yaml_node *call);

#endif
