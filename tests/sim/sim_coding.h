/* Compressed bodies of simulated servers, and what clients make of compressed answers. */
#ifndef SIM_CODING_H
#define SIM_CODING_H

#include "base/buf.h"
#include "sim.h"
#include "sim_http.h"

/* "gzip" or "br", by chance, of the text; appended. Returns which. */
const char *sim_coding_compress(struct sim *s, struct str text, struct buf *out);
/*
 * An answer that gatherd has compressed gets the body that it stands for. Fails when nobody asked for that, when
 * it says so in the wrong way, or when it cannot be decoded.
 */
void sim_coding_decompress(struct sim *s, const struct sim_request *r, struct sim_http *h);

#endif
