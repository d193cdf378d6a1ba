/*
 * The words of HTTP: methods, field names and status codes, one row each. Everything that knows a
 * word by name or number comes out of these rows.
 */
#ifndef CODEC_HTTP_TABLE_H
#define CODEC_HTTP_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum {
	METHOD_SAFE = 1,       /* RFC 9110 9.2.1 */
	METHOD_IDEMPOTENT = 2, /* RFC 9110 9.2.2 */
	METHOD_HAS_BODY = 4,   /* without content it says Content-Length: 0 (RFC 9110 8.6) */
};

/* X(name, flags); RFC 9110 9.3, RFC 5789 (PATCH), the QUERY draft */
#define METHOD_TABLE(X) \
	X(GET, METHOD_SAFE | METHOD_IDEMPOTENT) \
	X(HEAD, METHOD_SAFE | METHOD_IDEMPOTENT) \
	X(POST, METHOD_HAS_BODY) \
	X(PUT, METHOD_IDEMPOTENT | METHOD_HAS_BODY) \
	X(DELETE, METHOD_IDEMPOTENT) \
	X(OPTIONS, METHOD_SAFE | METHOD_IDEMPOTENT) \
	X(PATCH, METHOD_HAS_BODY) \
	X(TRACE, METHOD_SAFE | METHOD_IDEMPOTENT) \
	X(CONNECT, 0) \
	X(QUERY, METHOD_SAFE | METHOD_IDEMPOTENT | METHOD_HAS_BODY)

enum http_method {
	METHOD_OTHER, /* any other token; the text is beside it */
#define X(name, flags) METHOD_##name,
	METHOD_TABLE(X)
#undef X
	    METHOD_COUNT
};

enum {
	/* Hop-by-hop: read or written by each hop for itself, never forwarded (RFC 9110 7.6.1). */
	FIELD_HOP = 1,
	/* Frames the message; always written anew from the framing that was decided (RFC 9112 6). */
	FIELD_FRAMING = 2,
	/* A request field that the next hop gets from gatherd itself. */
	FIELD_OWN_REQUEST = 4,
};

/*
 * X(id, slot, canonical name, flags). The slot is the name's place in a perfect hash table; two rows
 * with one slot do not compile, and tests/tools/header_slots.py gives every row the right one.
 */
#define HEADER_TABLE(X) \
	X(ACCEPT, 223, "Accept", 0) \
	X(ACCEPT_CHARSET, 370, "Accept-Charset", 0) \
	X(ACCEPT_ENCODING, 116, "Accept-Encoding", 0) \
	X(ACCEPT_LANGUAGE, 359, "Accept-Language", 0) \
	X(ACCEPT_RANGES, 177, "Accept-Ranges", 0) \
	X(ACCESS_CONTROL_ALLOW_CREDENTIALS, 298, "Access-Control-Allow-Credentials", 0) \
	X(ACCESS_CONTROL_ALLOW_HEADERS, 420, "Access-Control-Allow-Headers", 0) \
	X(ACCESS_CONTROL_ALLOW_METHODS, 323, "Access-Control-Allow-Methods", 0) \
	X(ACCESS_CONTROL_ALLOW_ORIGIN, 182, "Access-Control-Allow-Origin", 0) \
	X(ACCESS_CONTROL_EXPOSE_HEADERS, 410, "Access-Control-Expose-Headers", 0) \
	X(ACCESS_CONTROL_MAX_AGE, 511, "Access-Control-Max-Age", 0) \
	X(ACCESS_CONTROL_REQUEST_HEADERS, 440, "Access-Control-Request-Headers", 0) \
	X(ACCESS_CONTROL_REQUEST_METHOD, 392, "Access-Control-Request-Method", 0) \
	X(AGE, 50, "Age", 0) \
	X(ALLOW, 258, "Allow", 0) \
	X(ALT_SVC, 237, "Alt-Svc", 0) \
	X(AUTHORIZATION, 332, "Authorization", 0) \
	X(CACHE_CONTROL, 124, "Cache-Control", 0) \
	X(CONNECTION, 163, "Connection", FIELD_HOP) \
	X(CONTENT_DISPOSITION, 173, "Content-Disposition", 0) \
	X(CONTENT_ENCODING, 4, "Content-Encoding", 0) \
	X(CONTENT_LANGUAGE, 246, "Content-Language", 0) \
	X(CONTENT_LENGTH, 506, "Content-Length", FIELD_FRAMING) \
	X(CONTENT_LOCATION, 203, "Content-Location", 0) \
	X(CONTENT_RANGE, 462, "Content-Range", 0) \
	X(CONTENT_SECURITY_POLICY, 217, "Content-Security-Policy", 0) \
	X(CONTENT_TYPE, 49, "Content-Type", 0) \
	X(COOKIE, 32, "Cookie", 0) \
	X(DATE, 320, "Date", 0) \
	X(ETAG, 55, "ETag", 0) \
	X(EXPECT, 159, "Expect", FIELD_HOP) \
	X(EXPIRES, 265, "Expires", 0) \
	X(FORWARDED, 377, "Forwarded", FIELD_OWN_REQUEST) \
	X(FROM, 101, "From", 0) \
	X(HOST, 295, "Host", FIELD_OWN_REQUEST) \
	X(HTTP2_SETTINGS, 510, "HTTP2-Settings", FIELD_HOP) \
	X(IDEMPOTENCY_KEY, 489, "Idempotency-Key", 0) \
	X(IF_MATCH, 154, "If-Match", 0) \
	X(IF_MODIFIED_SINCE, 438, "If-Modified-Since", 0) \
	X(IF_NONE_MATCH, 206, "If-None-Match", 0) \
	X(IF_RANGE, 309, "If-Range", 0) \
	X(IF_UNMODIFIED_SINCE, 434, "If-Unmodified-Since", 0) \
	X(KEEP_ALIVE, 301, "Keep-Alive", FIELD_HOP) \
	X(LAST_MODIFIED, 244, "Last-Modified", 0) \
	X(LINK, 463, "Link", 0) \
	X(LOCATION, 194, "Location", 0) \
	X(MAX_FORWARDS, 305, "Max-Forwards", 0) \
	X(ORIGIN, 508, "Origin", 0) \
	X(PRAGMA, 466, "Pragma", 0) \
	X(PRIORITY, 379, "Priority", 0) \
	X(PROXY_AUTHENTICATE, 289, "Proxy-Authenticate", FIELD_HOP) \
	X(PROXY_AUTHENTICATION_INFO, 225, "Proxy-Authentication-Info", FIELD_HOP) \
	X(PROXY_AUTHORIZATION, 399, "Proxy-Authorization", FIELD_HOP) \
	X(PROXY_CONNECTION, 369, "Proxy-Connection", FIELD_HOP) \
	X(PROXY_STATUS, 421, "Proxy-Status", 0) \
	X(RANGE, 220, "Range", 0) \
	X(REFERER, 261, "Referer", 0) \
	X(REFERRER_POLICY, 63, "Referrer-Policy", 0) \
	X(RETRY_AFTER, 111, "Retry-After", 0) \
	X(SEC_CH_UA, 299, "Sec-CH-UA", 0) \
	X(SEC_CH_UA_MOBILE, 231, "Sec-CH-UA-Mobile", 0) \
	X(SEC_CH_UA_PLATFORM, 407, "Sec-CH-UA-Platform", 0) \
	X(SEC_FETCH_DEST, 253, "Sec-Fetch-Dest", 0) \
	X(SEC_FETCH_MODE, 406, "Sec-Fetch-Mode", 0) \
	X(SEC_FETCH_SITE, 75, "Sec-Fetch-Site", 0) \
	X(SEC_FETCH_USER, 266, "Sec-Fetch-User", 0) \
	X(SEC_WEBSOCKET_ACCEPT, 456, "Sec-WebSocket-Accept", 0) \
	X(SEC_WEBSOCKET_EXTENSIONS, 28, "Sec-WebSocket-Extensions", 0) \
	X(SEC_WEBSOCKET_KEY, 1, "Sec-WebSocket-Key", 0) \
	X(SEC_WEBSOCKET_PROTOCOL, 251, "Sec-WebSocket-Protocol", 0) \
	X(SEC_WEBSOCKET_VERSION, 169, "Sec-WebSocket-Version", 0) \
	X(SERVER, 345, "Server", 0) \
	X(SERVER_TIMING, 0, "Server-Timing", 0) \
	X(SET_COOKIE, 102, "Set-Cookie", 0) \
	X(STRICT_TRANSPORT_SECURITY, 36, "Strict-Transport-Security", 0) \
	X(TE, 478, "TE", FIELD_HOP) \
	X(TRACEPARENT, 247, "traceparent", FIELD_OWN_REQUEST) \
	X(TRACESTATE, 59, "tracestate", 0) \
	X(TRAILER, 343, "Trailer", FIELD_HOP) \
	X(TRANSFER_ENCODING, 276, "Transfer-Encoding", FIELD_HOP | FIELD_FRAMING) \
	X(UPGRADE, 405, "Upgrade", FIELD_HOP) \
	X(UPGRADE_INSECURE_REQUESTS, 484, "Upgrade-Insecure-Requests", 0) \
	X(USER_AGENT, 73, "User-Agent", 0) \
	X(VARY, 127, "Vary", 0) \
	X(VIA, 31, "Via", FIELD_OWN_REQUEST) \
	X(WARNING, 47, "Warning", 0) \
	X(WWW_AUTHENTICATE, 184, "WWW-Authenticate", 0) \
	X(X_CONTENT_TYPE_OPTIONS, 378, "X-Content-Type-Options", 0) \
	X(X_FORWARDED_FOR, 72, "X-Forwarded-For", FIELD_OWN_REQUEST) \
	X(X_FORWARDED_HOST, 471, "X-Forwarded-Host", FIELD_OWN_REQUEST) \
	X(X_FORWARDED_PROTO, 185, "X-Forwarded-Proto", FIELD_OWN_REQUEST) \
	X(X_REAL_IP, 461, "X-Real-IP", 0) \
	X(X_REQUEST_ID, 187, "X-Request-ID", 0)

enum header_id {
	HEADER_OTHER, /* a name without a row */
#define X(id, slot, name, flags) HEADER_##id,
	HEADER_TABLE(X)
#undef X
	    HEADER_COUNT
};

/* X(status, reason phrase): the IANA registry */
#define STATUS_TABLE(X) \
	X(100, "Continue") \
	X(101, "Switching Protocols") \
	X(102, "Processing") \
	X(103, "Early Hints") \
	X(200, "OK") \
	X(201, "Created") \
	X(202, "Accepted") \
	X(203, "Non-Authoritative Information") \
	X(204, "No Content") \
	X(205, "Reset Content") \
	X(206, "Partial Content") \
	X(207, "Multi-Status") \
	X(208, "Already Reported") \
	X(226, "IM Used") \
	X(300, "Multiple Choices") \
	X(301, "Moved Permanently") \
	X(302, "Found") \
	X(303, "See Other") \
	X(304, "Not Modified") \
	X(305, "Use Proxy") \
	X(307, "Temporary Redirect") \
	X(308, "Permanent Redirect") \
	X(400, "Bad Request") \
	X(401, "Unauthorized") \
	X(402, "Payment Required") \
	X(403, "Forbidden") \
	X(404, "Not Found") \
	X(405, "Method Not Allowed") \
	X(406, "Not Acceptable") \
	X(407, "Proxy Authentication Required") \
	X(408, "Request Timeout") \
	X(409, "Conflict") \
	X(410, "Gone") \
	X(411, "Length Required") \
	X(412, "Precondition Failed") \
	X(413, "Content Too Large") \
	X(414, "URI Too Long") \
	X(415, "Unsupported Media Type") \
	X(416, "Range Not Satisfiable") \
	X(417, "Expectation Failed") \
	X(421, "Misdirected Request") \
	X(422, "Unprocessable Content") \
	X(423, "Locked") \
	X(424, "Failed Dependency") \
	X(425, "Too Early") \
	X(426, "Upgrade Required") \
	X(428, "Precondition Required") \
	X(429, "Too Many Requests") \
	X(431, "Request Header Fields Too Large") \
	X(451, "Unavailable For Legal Reasons") \
	X(500, "Internal Server Error") \
	X(501, "Not Implemented") \
	X(502, "Bad Gateway") \
	X(503, "Service Unavailable") \
	X(504, "Gateway Timeout") \
	X(505, "HTTP Version Not Supported") \
	X(506, "Variant Also Negotiates") \
	X(507, "Insufficient Storage") \
	X(508, "Loop Detected") \
	X(511, "Network Authentication Required")

/* The method with this name, case counts (RFC 9110 9.1); METHOD_OTHER for any other. */
enum http_method http_table_method(struct str name);
/* The name of a method that has a row; a constant. */
struct str http_table_method_name(enum http_method m);
/* METHOD_* flags; 0 for METHOD_OTHER: nothing may be assumed of it. */
unsigned http_table_method_flags(enum http_method m);

/* The field with this name, whatever its case; HEADER_OTHER for any other bytes. */
enum header_id http_table_header(struct str name);
/* Where the perfect hash looks for this name; for the test that checks the rows' slots. */
unsigned http_table_slot(struct str name);
/* The canonical name of a field that has a row; a constant. */
struct str http_table_header_name(enum header_id id);
/* FIELD_* flags; 0 for HEADER_OTHER. */
unsigned http_table_header_flags(enum header_id id);

/* The reason phrase of a status, empty when it has no row; a constant. */
struct str http_table_reason(unsigned status);

#endif
