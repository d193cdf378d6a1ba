/* Skipping with the form of json_block.h that this machine takes. No state. */
#include "codec/json_skip.h"

#include "codec/json_block.h"

const char *
json_skip_container(const char *p, const char *end)
{
	return json_block_best()->skip(p, end);
}
