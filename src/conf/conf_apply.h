/* A tree laid into the structures of its section, row by row. */
#ifndef CONF_CONF_APPLY_H
#define CONF_CONF_APPLY_H

#include "base/conf_row.h"
#include "conf/conf_error.h"
#include "conf/yaml_tree.h"

/*
 * Fills the zeroed structure at `base` (of which `section` speaks) from a map. Unknown and missing
 * keys, wrong shapes, values out of range are all reported; their fields stay zero.
 */
void conf_apply(const struct conf_section *section, const struct yaml_node *map, void *base,
    struct arena *a, struct conf_errors *errors);

#endif
