/*
 * The main file and all that it includes, put together into one tree. Names may be defined in any
 * file, but only once; lists of routes are put one behind the other; every other key of the top
 * level may be set in one file only.
 */
#ifndef CONF_CONF_INCLUDE_H
#define CONF_CONF_INCLUDE_H

#include "base/arena.h"
#include "conf/conf_error.h"
#include "conf/yaml_tree.h"

#define CONF_INCLUDE_DEPTH_MAX 8
#define CONF_INCLUDE_FILES_MAX 1000

/* The root, never NULL; errors say whether it can be used. */
struct yaml_node *conf_include_load(const char *path, struct arena *a, struct conf_errors *errors);
/* The same for a text in memory, which may not read files: `include` and ${…} are errors. */
struct yaml_node *conf_include_text(
    struct str text, const char *name, struct arena *a, struct conf_errors *errors);

#endif
