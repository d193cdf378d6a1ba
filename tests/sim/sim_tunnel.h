/*
 * One end of a tunnel: says bytes that can be told by their number, hears those of the other end, and knows
 * when an end of them cannot be right.
 */
#ifndef SIM_TUNNEL_H
#define SIM_TUNNEL_H

#include "net/stream.h"
#include "sim.h"

struct sim_tunnel {
	struct sim *sim;
	struct sim_request *request; /* NULL: there is no tunnel */
	enum sim_tunnel_side side;
	struct stream *stream; /* borrowed */
	bool cannot_write;
	bool is_over; /* the other one has ended, or the connection is dead */
};

/* The answer to the upgrade is out, or here. */
void sim_tunnel_begin(struct sim_tunnel *t, struct sim *s, struct sim_request *r,
    enum sim_tunnel_side side, struct stream *stream);
/* As much as the stream takes; behind the last byte it ends its direction. */
void sim_tunnel_say(struct sim_tunnel *t);
void sim_tunnel_hear(struct sim_tunnel *t, struct str bytes);
/* The other one has ended (IO_EOF), or the connection is dead. */
void sim_tunnel_hear_end(struct sim_tunnel *t, enum io_status io);
/* Nothing more will be said or heard. */
bool sim_tunnel_is_done(const struct sim_tunnel *t);
/* The connection is about to be closed from this side, whatever is left. */
void sim_tunnel_leave(struct sim_tunnel *t);

#endif
