/*
 * Built-in values < defaults < upstream < route < call: from the tree as written to the tree as it
 * holds. Maps merge by key, lists replace. Values keep the place where they were written, so that a
 * message about an inherited value points to where it stands.
 */
#ifndef CONF_CONF_INHERIT_H
#define CONF_CONF_INHERIT_H

#include "base/arena.h"
#include "conf/yaml_tree.h"

/*
 * The effective tree: every key that has a value, whatever it comes from; `defaults`, `include` and
 * what was only passed on are gone. Loading it yields itself. Keys that are not known are left out, and those that have
 * no effect (conf_idle.h), which are reported where they are written.
 */
struct yaml_node *conf_inherit(
    const struct yaml_node *root, struct arena *a, struct conf_errors *errors);

#endif
