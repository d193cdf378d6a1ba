/* Which form of json_block.h this machine takes. */
#include "codec/json_block.h"

bool
json_block_has_avx2(void)
{
#ifdef __SSE2__
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("pclmul") &&
	       __builtin_cpu_supports("popcnt");
#else
	return false;
#endif
}

const struct json_block_ops *
json_block_best(void)
{
#ifdef __SSE2__
	return json_block_has_avx2() ? &json_block_avx2 : &json_block_sse2;
#else
	return &json_block_scalar;
#endif
}
