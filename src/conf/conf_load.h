/*
 * From files to a checked configuration: read, put together, inherit, lay into structures, check.
 * All errors of all files are found in one run.
 */
#ifndef CONF_CONF_LOAD_H
#define CONF_CONF_LOAD_H

#include "base/arena.h"
#include "base/err.h"
#include "conf/conf.h"
#include "conf/conf_error.h"

/*
 * ERR_NONE and *out, which lives in the arena; or ERR_BAD_CONFIG. Either way `errors` (initialised
 * here, in the same arena) is sorted, and may hold warnings. Blocks on files; resolves no names.
 */
enum err_code conf_load(
    const char *path, struct arena *a, struct conf **out, struct conf_errors *errors);
/* The same for a text in memory; `name` stands for it in messages. It may not read any file. */
enum err_code conf_load_text(struct str text, const char *name, struct arena *a, struct conf **out,
    struct conf_errors *errors);

#endif
