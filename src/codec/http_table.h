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
	/*
	 * Frames the message; always written anew from the framing that was decided (RFC 9112 6).
	 */
	FIELD_FRAMING = 2,
	/* A request field that the next hop gets from gatherd itself. */
	FIELD_OWN_REQUEST = 4,
};

/*
 * X(id, slot, canonical name, flags). The slot is the name's place in a perfect hash table; two rows
 * with one slot do not compile, and tests/tools/header_slots.py gives every row the right one.
 */
#define HEADER_TABLE(X) \
	X(ACCEPT, 439, "Accept", 0) \
	X(ACCEPT_CHARSET, 481, "Accept-Charset", 0) \
	X(ACCEPT_ENCODING, 223, "Accept-Encoding", 0) \
	X(ACCEPT_LANGUAGE, 413, "Accept-Language", 0) \
	X(ACCEPT_RANGES, 197, "Accept-Ranges", 0) \
	X(ACCESS_CONTROL_ALLOW_CREDENTIALS, 347, "Access-Control-Allow-Credentials", 0) \
	X(ACCESS_CONTROL_ALLOW_HEADERS, 214, "Access-Control-Allow-Headers", 0) \
	X(ACCESS_CONTROL_ALLOW_METHODS, 330, "Access-Control-Allow-Methods", 0) \
	X(ACCESS_CONTROL_ALLOW_ORIGIN, 87, "Access-Control-Allow-Origin", 0) \
	X(ACCESS_CONTROL_EXPOSE_HEADERS, 432, "Access-Control-Expose-Headers", 0) \
	X(ACCESS_CONTROL_MAX_AGE, 296, "Access-Control-Max-Age", 0) \
	X(ACCESS_CONTROL_REQUEST_HEADERS, 194, "Access-Control-Request-Headers", 0) \
	X(ACCESS_CONTROL_REQUEST_METHOD, 238, "Access-Control-Request-Method", 0) \
	X(AGE, 190, "Age", 0) \
	X(ALLOW, 288, "Allow", 0) \
	X(ALT_SVC, 504, "Alt-Svc", 0) \
	X(AUTHORIZATION, 293, "Authorization", 0) \
	X(CACHE_CONTROL, 469, "Cache-Control", 0) \
	X(CONNECTION, 327, "Connection", FIELD_HOP) \
	X(CONTENT_DISPOSITION, 135, "Content-Disposition", 0) \
	X(CONTENT_ENCODING, 511, "Content-Encoding", 0) \
	X(CONTENT_LANGUAGE, 189, "Content-Language", 0) \
	X(CONTENT_LENGTH, 434, "Content-Length", FIELD_FRAMING) \
	X(CONTENT_LOCATION, 196, "Content-Location", 0) \
	X(CONTENT_RANGE, 417, "Content-Range", 0) \
	X(CONTENT_SECURITY_POLICY, 16, "Content-Security-Policy", 0) \
	X(CONTENT_TYPE, 270, "Content-Type", 0) \
	X(COOKIE, 460, "Cookie", 0) \
	X(DATE, 101, "Date", 0) \
	X(ETAG, 265, "ETag", 0) \
	X(EXPECT, 247, "Expect", FIELD_HOP) \
	X(EXPIRES, 12, "Expires", 0) \
	X(FORWARDED, 369, "Forwarded", FIELD_OWN_REQUEST) \
	X(FROM, 191, "From", 0) \
	X(HOST, 449, "Host", FIELD_OWN_REQUEST) \
	X(HTTP2_SETTINGS, 52, "HTTP2-Settings", FIELD_HOP) \
	X(IDEMPOTENCY_KEY, 431, "Idempotency-Key", 0) \
	X(IF_MATCH, 382, "If-Match", 0) \
	X(IF_MODIFIED_SINCE, 154, "If-Modified-Since", 0) \
	X(IF_NONE_MATCH, 377, "If-None-Match", 0) \
	X(IF_RANGE, 130, "If-Range", 0) \
	X(IF_UNMODIFIED_SINCE, 387, "If-Unmodified-Since", 0) \
	X(KEEP_ALIVE, 72, "Keep-Alive", FIELD_HOP) \
	X(LAST_MODIFIED, 178, "Last-Modified", 0) \
	X(LINK, 98, "Link", 0) \
	X(LOCATION, 416, "Location", 0) \
	X(MAX_FORWARDS, 389, "Max-Forwards", 0) \
	X(ORIGIN, 438, "Origin", 0) \
	X(PRAGMA, 477, "Pragma", 0) \
	X(PRIORITY, 403, "Priority", 0) \
	X(PROXY_AUTHENTICATE, 201, "Proxy-Authenticate", FIELD_HOP) \
	X(PROXY_AUTHENTICATION_INFO, 94, "Proxy-Authentication-Info", FIELD_HOP) \
	X(PROXY_AUTHORIZATION, 95, "Proxy-Authorization", FIELD_HOP) \
	X(PROXY_CONNECTION, 358, "Proxy-Connection", FIELD_HOP) \
	X(PROXY_STATUS, 43, "Proxy-Status", 0) \
	X(RANGE, 71, "Range", 0) \
	X(REFERER, 281, "Referer", 0) \
	X(REFERRER_POLICY, 385, "Referrer-Policy", 0) \
	X(RETRY_AFTER, 99, "Retry-After", 0) \
	X(SEC_CH_UA, 33, "Sec-CH-UA", 0) \
	X(SEC_CH_UA_MOBILE, 499, "Sec-CH-UA-Mobile", 0) \
	X(SEC_CH_UA_PLATFORM, 199, "Sec-CH-UA-Platform", 0) \
	X(SEC_FETCH_DEST, 482, "Sec-Fetch-Dest", 0) \
	X(SEC_FETCH_MODE, 21, "Sec-Fetch-Mode", 0) \
	X(SEC_FETCH_SITE, 34, "Sec-Fetch-Site", 0) \
	X(SEC_FETCH_USER, 86, "Sec-Fetch-User", 0) \
	X(SEC_WEBSOCKET_ACCEPT, 429, "Sec-WebSocket-Accept", 0) \
	X(SEC_WEBSOCKET_EXTENSIONS, 244, "Sec-WebSocket-Extensions", 0) \
	X(SEC_WEBSOCKET_KEY, 15, "Sec-WebSocket-Key", 0) \
	X(SEC_WEBSOCKET_PROTOCOL, 395, "Sec-WebSocket-Protocol", 0) \
	X(SEC_WEBSOCKET_VERSION, 70, "Sec-WebSocket-Version", 0) \
	X(SERVER, 308, "Server", 0) \
	X(SERVER_TIMING, 386, "Server-Timing", 0) \
	X(SET_COOKIE, 284, "Set-Cookie", 0) \
	X(STRICT_TRANSPORT_SECURITY, 410, "Strict-Transport-Security", 0) \
	X(TE, 234, "TE", FIELD_HOP) \
	X(TRACEPARENT, 332, "traceparent", FIELD_OWN_REQUEST) \
	X(TRACESTATE, 193, "tracestate", 0) \
	X(TRAILER, 280, "Trailer", FIELD_HOP) \
	X(TRANSFER_ENCODING, 13, "Transfer-Encoding", FIELD_HOP | FIELD_FRAMING) \
	X(UPGRADE, 90, "Upgrade", FIELD_HOP) \
	X(UPGRADE_INSECURE_REQUESTS, 454, "Upgrade-Insecure-Requests", 0) \
	X(USER_AGENT, 415, "User-Agent", 0) \
	X(VARY, 123, "Vary", 0) \
	X(VIA, 249, "Via", FIELD_OWN_REQUEST) \
	X(WARNING, 368, "Warning", 0) \
	X(WWW_AUTHENTICATE, 63, "WWW-Authenticate", 0) \
	X(X_CONTENT_TYPE_OPTIONS, 406, "X-Content-Type-Options", 0) \
	X(X_FORWARDED_FOR, 349, "X-Forwarded-For", FIELD_OWN_REQUEST) \
	X(X_FORWARDED_HOST, 50, "X-Forwarded-Host", FIELD_OWN_REQUEST) \
	X(X_FORWARDED_PROTO, 333, "X-Forwarded-Proto", FIELD_OWN_REQUEST) \
	X(X_REAL_IP, 233, "X-Real-IP", 0) \
	X(X_REQUEST_ID, 304, "X-Request-ID", 0)

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
