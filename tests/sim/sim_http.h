/*
 * Reads HTTP/1.1 messages for the simulated clients and servers. Written apart from the codec on
 * purpose: what both get wrong in the same way would not be seen. Takes only canonical messages, as
 * gatherd must write them.
 */
#ifndef SIM_HTTP_H
#define SIM_HTTP_H

#include "base/buf.h"

enum sim_http_state {
	SIM_HTTP_HEAD,
	SIM_HTTP_LENGTH, /* a body of `left` bytes */
	SIM_HTTP_CHUNK_SIZE,
	SIM_HTTP_CHUNK, /* `left` bytes and CRLF */
	SIM_HTTP_TRAILER,
	SIM_HTTP_UNTIL_CLOSE,
	SIM_HTTP_COMPLETE, /* until sim_http_go_on() */
	SIM_HTTP_BROKEN,   /* `fault` says why */
};

struct sim_http {
	enum sim_http_state state;
	bool is_answer;
	bool is_bodiless; /* the next answer is to HEAD */
	bool is_http10; /* the next answer is to one who knows no chunks and keeps no connection */
	const char *fault;
	struct buf in;
	size_t at;       /* what of `in` was consumed */
	struct buf head; /* of the current message, the empty line not included */
	struct buf body;
	uint64_t left;
	unsigned status;      /* answers */
	bool is_closing;      /* Connection: close, or HTTP/1.0, or no length */
	bool is_interim_seen; /* 1xx answers are skipped */
	bool takes_upgrade;   /* but for a 101, which completes it: what follows is no HTTP */
};

void sim_http_init(struct sim_http *h, bool is_answer);
void sim_http_fini(struct sim_http *h);
void sim_http_add(struct sim_http *h, struct str bytes);
/* Goes on as far as the bytes reach; true when a message is complete. */
bool sim_http_run(struct sim_http *h);
/* The peer has ended; true when that completes the message. */
bool sim_http_end(struct sim_http *h);
/* After SIM_HTTP_COMPLETE: ready for the next message. */
void sim_http_go_on(struct sim_http *h);
/* Bytes behind a message that is complete. */
struct str sim_http_rest(const struct sim_http *h);
/* Part of a message, or bytes behind it, are there. */
bool sim_http_has_bytes(const struct sim_http *h);
/* The n-th (from 0) value of a field of the head; none when there are fewer. */
struct str sim_http_field(const struct sim_http *h, struct str name, size_t n);
/* The same of any lines of fields. */
struct str sim_http_value(struct str lines, struct str name, size_t n);
/* The head's first line. */
struct str sim_http_start(const struct sim_http *h);

#endif
