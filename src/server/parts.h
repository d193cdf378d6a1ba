/*
 * A route with calls whose answer is streamed: each part leaves as soon as its call has ended. What the client
 * does not take stays where the calls have put it, within their limits, and one piece of it is held besides.
 *
 * The head leaves with the first record. A failure that decides the answer before that makes the answer that
 * it would make of a merged one; after it the last record says so, and the stream ends in good order. Lives in
 * the arena of its exchange.
 */
#ifndef SERVER_PARTS_H
#define SERVER_PARTS_H

#include "base/buf.h"
#include "gather/record.h"
#include "server/exchange.h"

struct parts {
	struct exchange *exchange; /* owner */
	struct record_style style;
	struct record *records; /* in the order in which they leave; in the arena, as all of this */
	size_t n_records;
	size_t at;         /* the record that goes out */
	size_t slice;      /* of its head, body and tail */
	size_t offset;     /* in it */
	struct buf piece;  /* what goes out next; the arena's clean-up frees it */
	struct defer later; /* the records of a turn leave together */
	struct str latest; /* name of the call that ended last */
	bool is_head_sent;
};

/*
 * The format for this request: the one that the client's Accept wants most, the first of those that it wants
 * alike. ERR_NOT_ACCEPTABLE when it wants none. A route with one format has no choice.
 */
enum err_code parts_choose_format(
    const struct route_conf *conf, const struct header_list *headers, enum route_format *out);
/* Starts the gather of the exchange. No event comes from inside. */
void parts_start(struct exchange *x, enum route_format format);
/* No more output; the gather is cancelled by its owner. Harmless when done. */
void parts_cancel(struct parts *p);
/* The client takes more. */
void parts_on_writable(struct parts *p);

#endif
