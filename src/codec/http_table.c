/* Look-ups in the tables of HTTP's words. Constant data and pure functions; any thread. */
#include "codec/http_table.h"

#include "base/compiler.h"

static const struct {
	struct str name;
	unsigned flags;
} methods[METHOD_COUNT] = {
#define X(name, flags) [METHOD_##name] = { STR_INIT(#name), (flags) },
	METHOD_TABLE(X)
#undef X
};

static const struct {
	struct str name;
	unsigned flags;
} headers[HEADER_COUNT] = {
#define X(id, slot, name, flags) [HEADER_##id] = { STR_INIT(name), (flags) },
	HEADER_TABLE(X)
#undef X
};

/*
 * The perfect hash: length, first, middle and last but one character, spread over 512 slots by a
 * multiplier that was searched for until no two names met.
 */
enum { SLOT_BITS = 9 };

static const uint8_t slots[1 << SLOT_BITS] = {
#define X(id, slot, name, flags) [slot] = HEADER_##id,
	HEADER_TABLE(X)
#undef X
};

_Static_assert(HEADER_COUNT <= UINT8_MAX, "a slot holds an id in one byte");

enum http_method
http_table_method(struct str name)
{
	for (unsigned m = METHOD_OTHER + 1; m < METHOD_COUNT; m++)
		if (str_eq(name, methods[m].name))
			return (enum http_method)m;
	return METHOD_OTHER;
}

struct str
http_table_method_name(enum http_method m)
{
	assert(m > METHOD_OTHER && m < METHOD_COUNT);
	return methods[m].name;
}

unsigned
http_table_method_flags(enum http_method m)
{
	assert(m < METHOD_COUNT);
	return methods[m].flags;
}

/* A character with its case folded, well enough to choose a slot. */
static uint32_t
folded(char c)
{
	return (unsigned char)c | 0x20u;
}

unsigned
http_table_slot(struct str name)
{
	uint32_t key;

	if (name.n < 2)
		return 0;
	key = folded(name.p[0]) | folded(name.p[name.n / 2]) << 8 |
	    folded(name.p[name.n - 2]) << 16 | (uint32_t)(uint8_t)name.n << 24;
	return key * UINT32_C(0x56cef8ed) >> (32 - SLOT_BITS);
}

enum header_id
http_table_header(struct str name)
{
	unsigned id = slots[http_table_slot(name)];

	if (id == HEADER_OTHER || !str_ieq(name, headers[id].name))
		return HEADER_OTHER;
	return (enum header_id)id;
}

struct str
http_table_header_name(enum header_id id)
{
	assert(id > HEADER_OTHER && id < HEADER_COUNT);
	return headers[id].name;
}

unsigned
http_table_header_flags(enum header_id id)
{
	assert(id < HEADER_COUNT);
	return headers[id].flags;
}

struct str
http_table_reason(unsigned status)
{
	switch (status) {
#define X(code, text) \
	case code: \
		return STR(text);
		STATUS_TABLE(X)
#undef X
	}
	return STR("");
}
