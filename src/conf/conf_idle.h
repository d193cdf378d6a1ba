/*
 * Keys that mean nothing beside the others of their item. Written there they are reported: as errors when what the
 * item is does not have them, as warnings when another key only switches them off, which a file may do for a while.
 * Inherited or built in, they are left out.
 */
#ifndef CONF_CONF_IDLE_H
#define CONF_CONF_IDLE_H

#include "base/conf_row.h"
#include "conf/conf_error.h"
#include "conf/yaml_tree.h"

/*
 * One item of a section (the whole file is one of conf_root_section): as it is written, and the same in the effective
 * tree, with all that is below it, which loses those keys.
 */
void conf_idle_settle(const struct conf_section *section, const struct yaml_node *written,
    struct yaml_node *effective, struct conf_errors *errors);

#endif
