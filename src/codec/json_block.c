/* Which form of json_block.h this machine takes. */
#include "codec/json_block.h"

const struct json_block_ops *
json_block_best(void)
{
#ifdef __SSE2__
	return __builtin_cpu_supports("avx2") ? &json_block_avx2 : &json_block_sse2;
#else
	return &json_block_scalar;
#endif
}
