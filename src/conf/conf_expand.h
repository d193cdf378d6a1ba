/*
 * ${NAME} (environment) and ${file:PATH} (secrets) in scalar values. Expanded once, after parsing,
 * so that what comes out can never change the structure of the file; $${ is a literal ${. The text
 * as written stays beside the expanded one: dumps and messages show only the former.
 */
#ifndef CONF_CONF_EXPAND_H
#define CONF_CONF_EXPAND_H

#include <stdbool.h>

#include "base/arena.h"
#include "conf/conf_error.h"
#include "conf/yaml_tree.h"

#define CONF_EXPAND_FILE_MAX (64u << 10)

/*
 * Every scalar of the tree (keys are left alone). PATH is relative to the directory of the
 * configuration file; without a slash it is looked for in $CREDENTIALS_DIRECTORY first. One newline
 * at the end of a file is dropped. !may_read: ${…} is an error (texts that do not come from a file
 * of the operator).
 */
void conf_expand_tree(
    struct yaml_node *root, bool may_read, struct arena *a, struct conf_errors *errors);
/* A path as the file at `from` means it: absolute, or relative to its directory. NUL-terminated. */
struct str conf_expand_path(const char *from, struct str path, struct arena *a);
/*
 * The bytes of a file, at most max, into the arena. NULL, or what is wrong (a constant or in the
 * arena).
 */
const char *conf_expand_read(const char *path, size_t max, struct arena *a, struct str *out);

#endif
