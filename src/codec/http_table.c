/* Look-ups in the tables of HTTP's words. Constant data and pure functions; any thread. */
#include "codec/http_table.h"

#include <endian.h>
#include <string.h>

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
 * The perfect hash: length, the first four characters and the last four, spread over 512 slots by a
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

static uint64_t
eight(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t
four(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* All four characters of a name when it has no more. */
static uint32_t
up_to_four(struct str name)
{
	uint32_t v = 0;

	for (size_t i = 0; i < name.n && i < 4; i++)
		v = v << 8 | (unsigned char)name.p[i];
	return v;
}

/* The case of letters is folded, well enough to choose a slot. */
static inline unsigned
slot_of(struct str name)
{
	uint32_t first, last, key;

	if (UNLIKELY(name.n < 4)) {
		first = last = up_to_four(name);
	} else {
		first = le32toh(four(name.p));
		last = le32toh(four(name.p + name.n - 4));
	}
	key = (first | 0x20202020) ^ (last | 0x20202020) << 1 ^ (uint32_t)name.n;
	return key * UINT32_C(0x05021b0b) >> (32 - SLOT_BITS);
}

unsigned
http_table_slot(struct str name)
{
	return slot_of(name);
}

/*
 * 0 when eight bytes are equal but for the case of letters. The names of the table consist of
 * letters, digits and "-", of which only letters have bit 6 set: where it is set, bit 5, the case,
 * is ignored.
 */
static uint64_t
differs(uint64_t bytes, uint64_t name)
{
	return (bytes ^ name) & ~((name & UINT64_C(0x4040404040404040)) >> 1);
}

/* True when the n bytes are this name of the table, whatever the case. Exact for any bytes. */
static bool
is_name(const char *p, const char *name, size_t n)
{
	if (n < 4)
		return str_ieq(str_of(p, n), str_of(name, n));
	if (n < 8) /* two words that overlap */
		return (differs(four(p), four(name)) |
			   differs(four(p + n - 4), four(name + n - 4))) == 0;
	for (size_t i = 0; i + 8 < n; i += 8)
		if (differs(eight(p + i), eight(name + i)) != 0)
			return false;
	return differs(eight(p + n - 8), eight(name + n - 8)) == 0;
}

enum header_id
http_table_header(struct str name)
{
	unsigned id = slots[slot_of(name)];

	if (name.n != headers[id].name.n || !is_name(name.p, headers[id].name.p, name.n))
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
	case code:    \
		return STR(text);
		STATUS_TABLE(X)
#undef X
	}
	return STR("");
}
