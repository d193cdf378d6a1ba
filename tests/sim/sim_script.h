/*
 * What a simulated server answers: bytes, in steps with delays, and what becomes of the connection
 * then.
 */
#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include "base/buf.h"
#include "sim.h"
#include "sim_oracle.h"

#define SIM_STEPS 6

enum sim_end {
	SIM_END_KEEP,  /* ready for the next request */
	SIM_END_STALE, /* seems so, but closes a little later */
	SIM_END_NOISE, /* seems so, but says something unasked a little later */
	SIM_END_CLOSE,
	SIM_END_RESET,
	SIM_END_HANG, /* says nothing more until the other side goes */
};

struct sim_answer {
	struct buf bytes;
	struct {
		size_t upto;       /* bytes out when the step is done */
		uint64_t delay_ns; /* before it begins */
	} steps[SIM_STEPS];
	size_t n_steps;
	enum sim_end end;
};

/*
 * Draws the answer to call number `index` of r; fills the call's script, reasons, status and body
 * (none: what the client gets of it cannot be foretold).
 */
void sim_script_draw(
    struct sim *s, struct sim_request *r, struct sim_call *c, size_t index, struct sim_answer *out);
const char *sim_script_name(int script);

#endif
