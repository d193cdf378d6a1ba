/* Whole files. Blocks on them. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * Appends what can be read from fd, to its end. False and errno when that fails: EFBIG as soon as there are more than
 * max_bytes, some of which are then in *out.
 */
bool file_read(int fd, size_t max_bytes, struct buf *out);

#endif
