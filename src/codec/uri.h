/*
 * The parts of a request target (RFC 3986): what may stand in them, decoding and encoding by
 * position, and the check of authorities.
 *
 * Dot segments. A client that sends /a/../b, or /a/%2e%2e/b, asks two programs to agree on what
 * that means, and access rules are broken where they do not. The target is therefore never
 * normalised: uri_check_path() tells such a path apart and the request is refused. Clients resolve
 * dot segments themselves before they send (RFC 3986 5.2.4), so nothing honest is lost. %00, %0A
 * and %0D in a path are refused too: what decodes them and stops at a NUL, or copies a line end
 * into a header, sees another request. %2F and %5C stay what they are: encoded, part of one
 * segment, and sent on encoded.
 */
#ifndef CODEC_URI_H
#define CODEC_URI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/*
 * True for an absolute path (RFC 3986 3.3: begins with a slash, pchars, whole percent triplets)
 * that has no %00, %0A or %0D and no dot segment, encoded or not. `/..;x` counts as a dot segment:
 * some servers cut parameters off first.
 */
bool uri_check_path(struct str path);
/*
 * True for a query (RFC 3986 3.4), in which the bytes [ ] { } | \ ^ ` are taken too because
 * browsers send them so (WHATWG URL, query percent-encode set); uri_put_query() encodes them on the
 * way out.
 */
bool uri_check_query(struct str query);
/*
 * True for uri-host [ ":" port ] without userinfo (RFC 9112 3.2): a non-empty reg-name, an IPv4
 * address or an IPv6 literal in brackets, and a port of at most 65535 or an empty one. *host keeps
 * the brackets; *port is none without a colon. A comma, which RFC 3986 3.2.2 has in a reg-name, is
 * refused: no host has one, but two Host fields that someone joined do.
 */
bool uri_split_authority(struct str authority, struct str *host, struct str *port);

/*
 * Takes the next segment off *path, which is none or begins with a slash, still encoded. False at
 * the end. "/a/" has the segments "a" and "".
 */
bool uri_next_segment(struct str *path, struct str *segment);
/* Takes the next name=value pair off *query, still encoded; a pair without "=" has the value none. */
bool uri_next_pair(struct str *query, struct str *name, struct str *value);

/* The same up to the next pair whose name is, decoded, `name`; *value, still encoded, is empty when it has none. */
bool uri_next_value(struct str *query, struct str name, struct str *value);

/*
 * Percent-decodes s to dst, which has room for s.n bytes; dst may be s.p. Returns the number of
 * bytes. Triplets must be whole (uri_check_*); others are copied as they are. uri_decode_query()
 * also turns "+" into a space, as HTML forms write it.
 */
size_t uri_decode(char *dst, struct str s);
size_t uri_decode_query(char *dst, struct str s);
/* True when the decoded form of `encoded` is `plain`. */
bool uri_decodes_to(struct str encoded, struct str plain);

/* Room that the writers below may need for n bytes. */
#define URI_PUT_MAX(n) (3 * (n))
/*
 * Write s, percent-encoded for its position, to dst; return the number of bytes. In a segment and
 * in a query name or value all but the unreserved characters is encoded (RFC 3986 2.3), so that no
 * value can end its place. Dots cannot be encoded away: a value for which uri_is_dot_segment() is
 * true must not be sent.
 */
size_t uri_put_segment(char *dst, struct str s);
size_t uri_put_query_value(char *dst, struct str s);
/* A query as it came: encodes what RFC 3986 does not allow in it and nothing else. */
size_t uri_put_query(char *dst, struct str query);
/* True for "." and "..", plain or percent-encoded, with or without ";" and what follows. */
bool uri_is_dot_segment(struct str segment);

#endif
