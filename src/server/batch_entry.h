/*
 * An entry of a batch, {"method", "path", "headers", "body"}, as a request. It is written as an HTTP/1.1 head and
 * parsed as one, so that what a client could not send alone cannot stand in a batch either.
 */
#ifndef SERVER_BATCH_ENTRY_H
#define SERVER_BATCH_ENTRY_H

#include "codec/h1_head.h"
#include "server/exchange.h"

/*
 * Fills x->request, and head, which stays with the exchange, from the entry; x is initialised and belongs to the
 * batch x->outer. ERR_BAD_ENTRY, or what the parser says: the request is then not to be used.
 */
enum err_code batch_entry_read(struct exchange *x, struct h1_head *head, struct json_value entry);
/* Whether the answer to an entry, read or not, has no body because it asks for none. */
bool batch_entry_is_head(struct json_value entry);

#endif
