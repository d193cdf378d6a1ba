/* A tree as YAML that loads again to the same tree. What ${…} expanded to is not shown. */
#ifndef CONF_CONF_DUMP_H
#define CONF_CONF_DUMP_H

#include "base/buf.h"
#include "conf/yaml_tree.h"

void conf_dump(const struct yaml_node *root, struct buf *out);

#endif
