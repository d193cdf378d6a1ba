/*
 * One scan of a text, as json_scan.c starts it, and what the scan leaves to functions of its own:
 * faults, escapes, strings that are long or not plain, equal keys.
 *
 * Functions that read take the place they stand at and return the place behind what they read, or
 * NULL when they found a fault and noted it.
 */
#ifndef CODEC_JSON_RUN_H
#define CODEC_JSON_RUN_H

#include "base/compiler.h"
#include "codec/json_block.h"
#include "codec/json_keys.h"
#include "codec/json_scan.h"

struct json_run {
	/*
	 * Up to limit, a block or more behind start, bytes may be read. The last of them is the
	 * bracket that closes the root value, and no token but it reaches beyond it; or there are
	 * zeros from end to limit. So outside strings nobody asks where the text ends.
	 */
	const char *start; /* of the text; borrowed */
	const char *end;
	const char *limit;
	const char *quick_end; /* keys that begin before it can be hashed in one step */
	/* The masks at hand, and where they begin. */
	const char *window;
	struct json_block masks;
	const struct json_block_ops *blocks; /* a constant */
	struct json_keys *keys;              /* of the open objects; borrowed */
	uint64_t seed;                       /* of their hashes */
	struct json_cuts *cuts;              /* to be found; borrowed; NULL: none */
	bool keeps_duplicates;
	bool has_duplicates;
	struct json_fault fault;
};

/* Notes a fault at p; returns NULL. */
const char *json_run_fault(struct json_run *r, const char *p, const char *reason);
/* For bytes that cannot be here: a text that just ends has a reason of its own. */
const char *json_run_fault_expected(struct json_run *r, const char *p, const char *reason);
/* Reads any string, p behind its opening quote. */
const char *json_run_string(struct json_run *r, const char *p);
/* Reads any key and notes it, p behind its opening quote. */
const char *json_run_key(struct json_run *r, const char *p);
/* Reads any number, p at its minus or first digit. RFC 8259 6 */
const char *json_run_number(struct json_run *r, const char *p);
/*
 * Takes the keys from `first` on, of an object that closes, off the stack. False: two are equal,
 * and that is a fault.
 */
bool json_run_close_object(struct json_run *r, size_t first);
/* Moves the window so that it begins at p, or as near to it as the text allows. */
void json_run_move_window(struct json_run *r, const char *p);

/*
 * The bits of a mask from p on, as far as the window goes; where it shows none it is moved to p.
 * Zero: none of the JSON_BLOCK_BYTES from p on has its bit set, or none up to the end of the text.
 */
static inline uint64_t
json_run_bits_from(struct json_run *r, const uint64_t *mask, const char *p)
{
	size_t at = (size_t)(p - r->window);

	if (LIKELY(at < JSON_BLOCK_BYTES && *mask >> at != 0))
		return *mask >> at;
	json_run_move_window(r, p);
	return *mask >> (p - r->window);
}

#endif
