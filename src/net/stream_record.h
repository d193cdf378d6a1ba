/*
 * Streams shaped like TLS, for tests: bytes travel in records over a memory stream, after a
 * handshake. To the owner they behave as badly as TLS may: a read hands out what is left of a
 * record and tells of the rest without an event below; bytes may come that are for nobody; a read
 * may have to write first, and a write to read first; what was refused must be offered again as it
 * was, which is checked; the end is a record of its own, before that of the stream below. A seed
 * decides all of it, and no time is spent on encrypting.
 */
#ifndef NET_STREAM_RECORD_H
#define NET_STREAM_RECORD_H

#include "net/stream.h"

/* As stream_connect(): on_connected tells of the end of the handshake. */
struct stream *stream_record_connect(
    struct loop *loop, const struct addr *to, const struct stream_events *events, void *owner);
/*
 * Takes over an accepted memory stream, the owner of which is set afterwards. Nothing tells of the
 * end of the handshake: until then nothing can be read, and writes wait.
 */
struct stream *stream_record_accept(struct stream *below);
/* Has some of a record come that cannot be read before all of it is there? False for a stream of another kind. */
bool stream_record_is_coming(const struct stream *s);

#endif
