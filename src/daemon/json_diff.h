/*
 * Where two JSON values differ, for people: objects by their members in whatever order, arrays by position, strings
 * by their characters, numbers by their text.
 */
#ifndef DAEMON_JSON_DIFF_H
#define DAEMON_JSON_DIFF_H

#include "base/buf.h"
#include "codec/json_value.h"

#define JSON_DIFF_MAX 20 /* lines */

/* Appends "where: expected this, got that" lines; `name` is where the values stand. Returns how many differences. */
size_t json_diff_put(
    struct buf *out, struct str name, struct json_value expected, struct json_value got);

#endif
