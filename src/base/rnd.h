/* Seeded pseudo-random numbers (xoshiro256**, Blackman and Vigna 2018). Not for secrets. */
#ifndef BASE_RND_H
#define BASE_RND_H

#include <stdbool.h>
#include <stdint.h>

struct rnd {
	uint64_t s[4];
};

/* The same seed gives the same numbers for ever. */
void rnd_init(struct rnd *r, uint64_t seed);
uint64_t rnd_u64(struct rnd *r);
/* Uniform in 0 .. n - 1; n > 0. */
uint64_t rnd_below(struct rnd *r, uint64_t n);
/* True with probability num / den. */
bool rnd_chance(struct rnd *r, uint64_t num, uint64_t den);

#endif
