/* Takes duplicate keys out of a document: what `duplicate_keys: last` asks for. No state. */
#ifndef CODEC_JSON_DEDUP_H
#define CODEC_JSON_DEDUP_H

#include "base/arena.h"
#include "codec/json_scan.h"

/*
 * A copy of root, which json_scan_text() accepted with JSON_SCAN_KEEP_DUPLICATES, in which every
 * key stands once: at the place of its first appearance, with its last value. Keys, scalars and
 * their order keep their bytes; white space between them goes. In the arena. js lends its keys.
 */
struct json_value json_dedup_last(struct json_scan *js, struct arena *a, struct json_value root);

#endif
