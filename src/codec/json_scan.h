/*
 * A strict JSON scanner (RFC 8259) over one contiguous text: says whether the text is a document
 * and where its root value stands; builds nothing. json_iter.h walks what was found valid.
 *
 * Refused: everything outside the grammar, a byte order mark, bytes after the value, invalid UTF-8
 * (RFC 3629: overlong forms, surrogates, above U+10FFFF), more than JSON_SCAN_MAX_DEPTH levels of
 * nesting, and an object with two equal keys (compared after unescaping). A lone surrogate *escape*
 * ("\ud800") is allowed, as RFC 8259 8.2 does; it stays the six bytes that it is.
 *
 * In the same pass it can find where the text has to be changed to obey rules: json_cuts.h.
 *
 * A struct json_scan belongs to one thread. It owns the stack of keys that finds duplicates; a
 * document with small objects allocates nothing after the first. A text of more than 192 bytes that
 * does not end with a bracket, or ends before its brackets are closed, is copied for the time of
 * the scan.
 */
#ifndef CODEC_JSON_SCAN_H
#define CODEC_JSON_SCAN_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "codec/json_cuts.h"
#include "codec/json_keys.h"
#include "codec/json_value.h"

#define JSON_SCAN_MAX_DEPTH 128 /* open arrays and objects; "[[]]" has two */

enum json_scan_flag {
	JSON_SCAN_KEEP_DUPLICATES = 1, /* equal keys are reported, not refused: see json_dedup.h */
	JSON_SCAN_CUTS = 2,            /* js->cuts, after json_cuts_begin(), become those of the text */
};

struct json_block_ops;

struct json_scan {
	const struct json_block_ops *blocks; /* a constant: for this machine */
	struct json_keys keys;
	struct json_cuts cuts; /* with JSON_SCAN_CUTS; of no use when the last text is not valid or has duplicates */
	bool has_duplicates; /* of the last text, with JSON_SCAN_KEEP_DUPLICATES */
};

/* `seed` must be unpredictable to peers: it keeps chosen keys from colliding. */
void json_scan_init(struct json_scan *js, uint64_t seed);
void json_scan_fini(struct json_scan *js);

/*
 * ERR_NONE and the root value, or ERR_INVALID_BODY and, when fault is not NULL, the first thing
 * wrong (duplicate keys are found at the end of their object). Texts of 2 GiB and more are refused.
 */
enum err_code json_scan_text(struct json_scan *js, struct str text, unsigned flags,
    struct json_value *root, struct json_fault *fault);
/* The same with a scanner of its own: for single texts, none of which a peer has sent. */
enum err_code json_scan_once(struct str text, struct json_value *root, struct json_fault *fault);

#endif
