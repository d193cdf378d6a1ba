/* Turns the body of a call's answer into a part: a JSON value whose bytes go out as they came. */
#ifndef GATHER_PART_H
#define GATHER_PART_H

#include <stdbool.h>

#include "base/arena.h"
#include "codec/json_scan.h"
#include "gather/route_conf.h"

struct part {
	struct json_value value;
	struct json_fault fault; /* with ERR_INVALID_BODY */
};

/* How the answers of one call become parts. */
struct part_rule {
	enum part_format format;
	bool keep_last_duplicate; /* PART_JSON: of equal keys the last stays; false: refused */
	const struct json_rules *rules; /* js->cuts become those of the part; NULL: nobody asks for them */
};

/*
 * PART_JSON: the body must be one JSON document; the part borrows its bytes. PART_TEXT: the body
 * must be UTF-8; the part is a JSON string in the arena. PART_BASE64: any body; the part is a JSON
 * string in the arena. An empty body is `null` under every rule. ERR_INVALID_BODY, and part->fault,
 * for what breaks these rules. js lends its keys.
 */
enum err_code part_read(const struct part_rule *rule, struct str body, struct json_scan *js,
    struct arena *a, struct part *part);

#endif
