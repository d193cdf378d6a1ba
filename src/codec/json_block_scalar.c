/* The loops of json_block.h byte by byte: for other machines, and what the fast forms are tested by. */
#include "codec/json_block.h"

#include "codec/json_bytes.h"
#include "codec/json_skip_block.h"

static void
read_block(struct json_block *b, const char *p)
{
	*b = (struct json_block){ .special = 0 };
	for (unsigned i = 0; i < JSON_BLOCK_BYTES; i++) {
		b->special |= (uint64_t)!json_bytes_is_plain(p[i]) << i;
		b->others |= (uint64_t)!json_bytes_is_digit(p[i]) << i;
	}
}

static const char *
skip(const char *p, const char *end)
{
	struct json_skip s = { .open = 0 };

	return json_skip_bytes(&s, p, end);
}

const struct json_block_ops json_block_scalar = { read_block, skip };
