/*
 * The header fields of an answer that is compressed here, or that could be: what they say of it, and what
 * becomes of them. They come as a list that was received, as lines that were made here, or as both.
 */
#ifndef SERVER_COMPRESS_FIELDS_H
#define SERVER_COMPRESS_FIELDS_H

#include "base/arena.h"
#include "codec/coding.h"
#include "codec/header.h"

struct compress_fields {
	const struct header_list *list; /* NULL: none */
	struct str lines;               /* complete ones */
};

/* What they say. */
struct compress_facts {
	struct str content_type; /* none: not told */
	bool is_coded;           /* Content-Encoding */
	bool is_fixed;           /* Cache-Control: no-transform (RFC 9111 5.2.2.6) */
	bool has_vary;
	bool varies; /* Vary has Accept-Encoding, or "*" */
};

void compress_fields_read(const struct compress_fields *f, struct compress_facts *out);

enum {
	/* Vary: Accept-Encoding, RFC 9110 12.5.5 */
	COMPRESS_FIELDS_VARY = 1,
	/* An entity tag is of one coding; a weak one may be of several, RFC 9110 8.8.1. */
	COMPRESS_FIELDS_WEAK = 2,
	/* Content-Encoding; what is said of other bytes goes: Accept-Ranges, digests. */
	COMPRESS_FIELDS_CODED = 4,
};

/* Changes f; new memory is the arena's. coding: with COMPRESS_FIELDS_CODED. */
void compress_fields_edit(
    struct compress_fields *f, unsigned what, enum coding coding, struct arena *arena);

#endif
