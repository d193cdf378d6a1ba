/* The client of a rehearsal: sends its bytes and takes one answer. */
#ifndef DAEMON_REHEARSAL_CLIENT_H
#define DAEMON_REHEARSAL_CLIENT_H

#include "base/buf.h"
#include "codec/h1_frame.h"
#include "net/stream.h"

#define REHEARSAL_CLIENT_FIELDS 512

struct rehearsal_client {
	struct stream *stream; /* owned; NULL when it is over */
	struct str bytes;      /* borrowed: what it sends */
	size_t n_sent;
	enum http_method method;
	struct buf in;         /* owned: what came and is not decoded */
	struct h1_head head;
	struct header fields[REHEARSAL_CLIENT_FIELDS];
	struct h1_frame frame;
	struct buf head_bytes; /* owned: what head points into */
	struct buf body;       /* owned; decompressed when it is all there */
	bool has_head;
	uint64_t body_ns; /* when the first byte of the body came, on the clock of the loop; 0: none did */
	bool is_answered;      /* head and body are complete */
	bool is_done;
	struct loop *loop;     /* borrowed */
};

void rehearsal_client_start(struct rehearsal_client *c, struct loop *loop, const struct addr *to,
    struct str bytes, enum http_method method);
void rehearsal_client_fini(struct rehearsal_client *c);

#endif
