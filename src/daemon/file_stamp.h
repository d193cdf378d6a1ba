/* Whether files have changed since they were looked at last. Blocks on files: main thread. */
#ifndef DAEMON_FILE_STAMP_H
#define DAEMON_FILE_STAMP_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/conf_value.h"

/* How often to look. */
#define FILE_STAMP_LOOK_NS (5 * NS_PER_SEC)
#define FILE_STAMP_INIT UINT64_C(0xcbf29ce484222325)

/* The stamp with a file added: another one when the file was replaced or written to. None: as it was. */
uint64_t file_stamp_add(uint64_t stamp, const struct conf_text *file);

#endif
