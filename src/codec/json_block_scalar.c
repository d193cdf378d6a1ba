/* The masks of json_block.h byte by byte: for other machines, and what the fast forms are tested
 * by. */
#include "codec/json_block.h"

#include "codec/json_bytes.h"

static void
read_block(struct json_block *b, const char *p)
{
	*b = (struct json_block){ .special = 0 };
	for (unsigned i = 0; i < JSON_BLOCK_BYTES; i++) {
		b->special |= (uint64_t)!json_bytes_is_plain(p[i]) << i;
		b->others |= (uint64_t)!json_bytes_is_digit(p[i]) << i;
	}
}

static void
read_marks(struct json_block_marks *m, const char *p)
{
	*m = (struct json_block_marks){ .quotes = 0 };
	for (unsigned i = 0; i < JSON_BLOCK_BYTES; i++) {
		m->quotes |= (uint64_t)(p[i] == '"') << i;
		m->backslashes |= (uint64_t)(p[i] == '\\') << i;
		m->opening |= (uint64_t)(p[i] == '{' || p[i] == '[') << i;
		m->closing |= (uint64_t)(p[i] == '}' || p[i] == ']') << i;
	}
}

const struct json_block_ops json_block_scalar = { read_block, read_marks };
