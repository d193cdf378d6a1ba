/*
 * What the simulator knows: the routes of its configuration, the requests it made, what the servers
 * did with their calls, and so what a client may be told.
 */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "sim.h"
#include "sim_http.h"
#include "sim_stream.h"

enum sim_kind { SIM_KIND_CALLS, SIM_KIND_PROXY, SIM_KIND_REPLY, SIM_KIND_BATCH, SIM_KIND_NOWHERE };

struct sim_route {
	const char *name;
	enum sim_kind kind;
	const char *method;
	enum sim_format format;
	unsigned need; /* how many calls must succeed; 0: those that are required */
	bool takes_upgrade; /* to the protocol "sim" */
	unsigned n_calls;
	struct {
		const char *name; /* the first letter is the first segment of the path that the server sees */
		unsigned upstream;
		bool is_required;
		const char *default_json; /* NULL: none */
		bool passes_404;
		bool is_text;
		bool needs_x; /* made only when the request has ?x= */
		const char
		    *refers; /* NULL, or what of the first call: "ref", or each of its "list" */
	} calls[SIM_CALLS];
};

/* Routes by index; NULL beyond the last. */
const struct sim_route *sim_oracle_route(size_t i);
/* The next request, or NULL when all have begun. */
struct sim_request *sim_oracle_next(struct sim *s);
/* One that is to be the entry of a batch, or NULL. */
struct sim_request *sim_oracle_next_entry(struct sim *s);
/* As it goes over the wire, head and body apart. */
void sim_oracle_write(
    struct sim *s, const struct sim_request *r, bool is_last, struct buf *head, struct buf *body);

/*
 * A request arrived at server of upstream u: whose call is it? Fails when it should not be there.
 */
struct sim_call *sim_oracle_arrival(struct sim *s, unsigned upstream, const struct sim_http *h,
    struct sim_request **request, size_t *index);
/* An answer came: fails when it cannot be right. */
void sim_oracle_check(struct sim *s, struct sim_request *r, const struct sim_http *h);
/* A streamed answer that breaks off behind its head can only be cut off. */
bool sim_oracle_may_be_cut(const struct sim *s, const struct sim_request *r);
/* No answer will come. */
void sim_oracle_dropped(struct sim *s, struct sim_request *r, bool is_excused);

#endif
