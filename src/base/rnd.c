/* Seeded pseudo-random numbers. Owned by one thread. */
#include "base/rnd.h"

#include "base/compiler.h"

/* splitmix64: spreads one word of seed over the state, as the authors of xoshiro advise. */
static uint64_t
splitmix(uint64_t *x)
{
	uint64_t z = *x += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint64_t
rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

void
rnd_init(struct rnd *r, uint64_t seed)
{
	for (size_t i = 0; i < ARRAY_LEN(r->s); i++)
		r->s[i] = splitmix(&seed);
}

uint64_t
rnd_u64(struct rnd *r)
{
	uint64_t *s = r->s;
	uint64_t result = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

uint64_t
rnd_below(struct rnd *r, uint64_t n)
{
	assert(n > 0);
	/* The bias of the multiply-shift is below n / 2^64: nothing here can see it. */
	return (uint64_t)(((unsigned __int128)rnd_u64(r) * n) >> 64);
}

bool
rnd_chance(struct rnd *r, uint64_t num, uint64_t den)
{
	return rnd_below(r, den) < num;
}
