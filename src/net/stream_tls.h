/*
 * TLS over another stream, which it owns: accepted ones wait in a gate for their handshake, others
 * begin it as soon as the stream below is connected. In both cases on_connected tells how it ended,
 * once.
 */
#ifndef NET_STREAM_TLS_H
#define NET_STREAM_TLS_H

#include "net/stream.h"

struct tls_gate;
struct tls_identity;
struct tls_peer;

/*
 * Takes over an accepted stream. The owner is set afterwards (stream_set_owner); its on_connected
 * comes when the handshake is done, or has failed, or was given up by the gate. The gate outlives
 * the stream.
 */
struct stream *stream_tls_accept(struct tls_gate *gate, struct stream *below);
/* As stream_connect(); peer says what to ask of the server, and outlives the stream. */
struct stream *stream_tls_connect(struct tls_peer *peer, struct loop *loop, const struct addr *to,
    const struct stream_events *events, void *owner);
/*
 * The stream below one whose handshake has failed with ERR_PLAIN_HTTP, for an answer to who speaks no TLS: the caller's
 * now, without an owner. *s is closed and NULL.
 */
struct stream *stream_tls_unwrap(struct stream **s);
/* Who the peer of an established stream is; NULL: it showed no certificate. The caller frees it. */
struct tls_identity *stream_tls_identity(struct stream *s);

/*
 * From now on the end of the stream below is an end like a goodbye: for bytes whose own protocol says whether
 * they are whole, as most peers do not say goodbye when they close.
 */
void stream_tls_take_bare_end(struct stream *s);

#endif
