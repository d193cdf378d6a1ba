/*
 * The TLS side of one listener on one worker: its certificates and the handshakes under way. A
 * flood of handshakes, finished or not, must not starve the connections that are established:
 *
 *     - a connection that has sent nothing costs no SSL;
 *     - a turn makes steps of handshakes for so long and no longer; the rest wait, first come first;
 *     - of those that have begun and hang, the oldest give way to new ones;
 *     - none takes longer than the time-out.
 */
#ifndef NET_TLS_GATE_H
#define NET_TLS_GATE_H

#include <openssl/ssl.h>
#include <sys/queue.h>

#include "net/loop.h"

struct tls_ctx;
struct tls_io;

struct tls_gate_events {
	/* It may make a step now: as the last thing in tls_gate_ask(), or in a later turn. */
	void (*on_turn)(void *stream);
	/* It took too long, or had to give way (ERR_REQUEST_TIMEOUT, ERR_OVERLOADED). */
	void (*on_expired)(void *stream, enum err_code e);
};

/* What a handshake under way needs beside the stream; freed when it has ended. */
struct tls_handshake {
	TAILQ_ENTRY(tls_handshake) entered_link; /* in gate.entered */
	TAILQ_ENTRY(tls_handshake) begun_link;   /* in gate.begun, when is_begun */
	TAILQ_ENTRY(tls_handshake) ready_link;   /* in gate.ready, when is_ready */
	struct tls_gate *gate;
	const struct tls_gate_events *events;
	void *stream;        /* back pointer, cut by tls_gate_leave() */
	struct tls_ctx *ctx; /* held while is_begun */
	uint64_t due_ns;
	bool is_begun;
	bool is_ready;
};

TAILQ_HEAD(tls_handshake_list, tls_handshake);

struct tls_gate_setup {
	struct loop *loop;   /* borrowed, as the next: the thread's */
	struct tls_io *io;
	struct tls_ctx *ctx; /* taken over */
	uint64_t timeout_ns; /* from the accept to the end of the handshake */
	size_t limit;        /* handshakes begun and not ended */
	/* One has ended; ssl is NULL when it never began. */
	void (*on_ended)(void *owner, enum err_code e, const SSL *ssl);
	void *owner; /* back pointer; it ends the gate before itself */
};

struct tls_gate {
	struct loop *loop;   /* borrowed, as the next */
	struct tls_io *io;
	struct tls_ctx *ctx; /* owned; connections hold on to the one that they began with */
	uint64_t timeout_ns;
	size_t limit;
	void (*on_ended)(void *owner, enum err_code e, const SSL *ssl);
	void *owner; /* back pointer; it ends the gate before itself */
	struct tls_handshake_list entered; /* all, oldest first, so also the first to be due */
	struct tls_handshake_list begun;   /* those with an SSL, oldest first */
	struct tls_handshake_list ready;   /* those that wait for their turn */
	size_t n_begun;
	uint64_t turn; /* the loop's count when the two below were last set */
	unsigned n_steps;
	uint64_t steps_end_ns;
	struct timer due;  /* of the oldest */
	struct timer more; /* next turn: steps for those that are ready */
	struct defer trim; /* those over the limit */
};

void tls_gate_init(struct tls_gate *gate, const struct tls_gate_setup *setup);
/* Every stream of it is closed. */
void tls_gate_fini(struct tls_gate *gate);
/* Other certificates for handshakes that begin from now on; takes ctx over. */
void tls_gate_replace(struct tls_gate *gate, struct tls_ctx *ctx);

/* ---- for stream_tls */

void tls_gate_enter(struct tls_gate *gate, struct tls_handshake *h,
    const struct tls_gate_events *events, void *stream);
/* Asks for a turn. Harmless when it has asked already. */
void tls_gate_ask(struct tls_handshake *h);
/* Its SSL, now that its first byte has come. */
SSL *tls_gate_begin(struct tls_handshake *h);
/* Tells the owner of the gate how it ended. */
void tls_gate_count(struct tls_handshake *h, enum err_code e, const SSL *ssl);
/* Ended or given up: h may be freed. */
void tls_gate_leave(struct tls_handshake *h);

#endif
