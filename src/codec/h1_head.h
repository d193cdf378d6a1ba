/*
 * The strict parser of HTTP/1.1 heads (RFC 9112 2 to 5), requests and responses. It reads a buffer
 * that grows, looks at each byte once, and refuses a head as soon as its bytes show that it is
 * wrong. Nothing is copied: slices point into the caller's buffer.
 *
 *     h1_head_init_request(&head, &limits, fields, ARRAY_LEN(fields));
 *     switch (h1_head_feed(&head, str_of(buf, n)))      the same bytes again, and more of them
 *     case H1_MORE:    read on
 *     case H1_DONE:    head.n_bytes are the head, what follows is the body
 *     case H1_REFUSED: head.error says why; answer, then close
 */
#ifndef CODEC_H1_HEAD_H
#define CODEC_H1_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "codec/header.h"
#include "codec/http_table.h"

enum h1_progress {
	H1_MORE,    /* all that is there was taken; more must come */
	H1_DONE,    /* complete; what follows belongs to the next part */
	H1_REFUSED, /* broken; only closing the connection is safe */
};

struct h1_limits {
	size_t head_bytes;   /* start line, fields and the empty line */
	size_t target_bytes; /* the request target */
};

/* RFC 9112 3.2 */
enum h1_target {
	H1_TARGET_ORIGIN,
	H1_TARGET_ABSOLUTE,
	H1_TARGET_AUTHORITY, /* CONNECT only */
	H1_TARGET_ASTERISK,  /* OPTIONS only */
};

/*
 * Slices are borrowed from the bytes of the last feed (or are constants). When the caller moves its
 * buffer before the head is done, the next feed moves them too; once it is done, h1_head_move()
 * does.
 */
struct h1_head {
	/* Valid when H1_DONE. */
	size_t n_bytes; /* of the buffer; includes an empty line before the request line */
	uint8_t minor; /* 0 or 1; HTTP/1.2 and up count as 1 (RFC 9110 2.5) */
	/*
	 * The connection may carry another message after this one (RFC 9112 9.3), if its framing
	 * lets it.
	 */
	bool is_persistent;
	bool is_response;

	/* Requests. */
	bool expects_continue; /* Expect: 100-continue from HTTP/1.1 (RFC 9110 10.1.1) */
	bool offers_upgrade;   /* Upgrade and its Connection option; never forwarded */
	enum http_method method;
	enum h1_target target_form;
	struct str method_text;
	struct str target; /* the whole of it, as it came */
	/* Begins with a slash, encoded, no dot segments; "*" for asterisk; none for CONNECT. */
	struct str path;
	struct str query;  /* without the question mark; none when there was none */
	/*
	 * Whom the client means: the target's authority, else Host (RFC 9112 3.2.2, 3.3). Valid
	 * uri-host and port; none only in HTTP/1.0 without Host.
	 */
	struct str authority;
	struct str host; /* its host, with brackets when an IPv6 literal */
	struct str port; /* its port; none without a colon */

	/* Responses. */
	unsigned status; /* 100 to 599 */
	struct str reason;

	/*
	 * Valid when H1_REFUSED. A response only knows invalid_response and
	 * response_head_too_large.
	 */
	enum err_code error;

	/* How far it is. */
	struct h1_limits limits;
	uint8_t state;
	size_t mark;      /* where the current element begins */
	size_t look;      /* bytes looked at */
	struct str name;  /* of the current field */
	const char *base; /* the buffer of the last feed */

	/* Valid when H1_DONE. At the end, because it is cleared by itself. */
	struct header_list fields;
};

/*
 * For one head each; `fields` has room for n_fields, the limit of their number. Borrowed until
 * moved on.
 */
void h1_head_init_request(struct h1_head *head, const struct h1_limits *limits,
    struct header *fields, size_t n_fields);
void h1_head_init_response(struct h1_head *head, const struct h1_limits *limits,
    struct header *fields, size_t n_fields);

/*
 * `bytes` is everything from the first byte of the head on: the bytes of the last feed, which may
 * have moved, and more behind them. Bytes after the head are not looked at. After H1_DONE or
 * H1_REFUSED not to be called again before an init.
 */
enum h1_progress h1_head_feed(struct h1_head *head, struct str bytes);

/* The bytes were moved to `to`: moves the slices with them. */
void h1_head_move(struct h1_head *head, const char *to);

/* True when nothing but (part of) an empty line came yet: an idle connection, not a slow request. */
bool h1_head_is_blank(const struct h1_head *head);

#endif
