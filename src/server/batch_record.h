/*
 * The answer to an entry of a batch, as JSON: {"status":200,"headers":{"Content-Type":"a/b"},"body":"…"}. A field
 * that came several times has a list. The body is JSON where the answer's type says so and it is; else a text; or
 * "body_base64" where it is not UTF-8; null when there is none.
 */
#ifndef SERVER_BATCH_RECORD_H
#define SERVER_BATCH_RECORD_H

#include "base/buf.h"
#include "codec/json_scan.h"
#include "gather/answer.h"
#include "server/exchange.h"

/* Starts zeroed; may be used again after batch_record_reset(). */
struct batch_record {
	struct buf text; /* what is written of the record */
	struct buf body; /* of a streamed answer, as far as it came */
	bool is_json;    /* says the answer's type */
};

/* Both write into the arena what they need for a moment only. */
void batch_record_head(struct batch_record *r, struct arena *arena, const struct exchange_head *head);
void batch_record_answer(struct batch_record *r, struct arena *arena, const struct answer *answer);
/*
 * The end of a record whose head is written, with this body: r->text is complete. False when the body would take
 * more than `max` bytes as it is written; r->text is then of no use.
 */
bool batch_record_end(struct batch_record *r, struct arena *arena, struct json_scan *js, struct str body,
    uint64_t max);
/* Forgets what was written. */
void batch_record_reset(struct batch_record *r);
void batch_record_fini(struct batch_record *r);

#endif
