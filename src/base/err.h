/*
 * Every way in which a request, a call or a file can fail: one row each. The row gives the HTTP status
 * that a client sees when the failure decides the answer, the reason token (the same in `_meta`, problem
 * bodies, Proxy-Status, logs and metric labels) and one sentence for people.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* X(name, HTTP status, reason token, text) */
#define ERR_TABLE(X) \
	X(NONE, 200, "none", "no failure") \
	/* the client's request */ \
	X(BAD_REQUEST, 400, "bad_request", "the request breaks RFC 9112 syntax") \
	X(BAD_TARGET, 400, "bad_target", "the request target is not a valid URI") \
	X(BAD_FIELD, 400, "bad_field", "a header field is malformed") \
	X(BAD_HOST, 400, "bad_host", "Host is missing, repeated or invalid") \
	X(BAD_FRAMING, 400, "bad_framing", "the length of the message is ambiguous or malformed") \
	X(BAD_CHUNK, 400, "bad_chunk", "the chunked body is malformed") \
	X(BAD_BODY, 400, "bad_body", "the request body is not what the route needs") \
	X(BAD_UPGRADE, 400, "bad_upgrade", "the handshake of the upgrade is malformed") \
	X(BAD_ENTRY, 400, "bad_entry", "the entry of the batch is not a request") \
	X(NESTED_BATCH, 400, "nested_batch", "the entry of the batch is a batch itself") \
	X(BAD_PARAMETER, 400, "bad_parameter", \
	    "a value of the request cannot stand where the route uses it") \
	X(MISSING_REFERENCE, 400, "missing_reference", \
	    "a value that the route refers to is not in the request") \
	X(UPGRADE_REFUSED, 403, "upgrade_refused", \
	    "the client asks for an upgrade to a protocol that the route does not take") \
	X(NO_ROUTE, 404, "no_route", "no route matches the request") \
	X(METHOD_NOT_ALLOWED, 405, "method_not_allowed", "the route does not take this method") \
	X(NOT_ACCEPTABLE, 406, "not_acceptable", "the client accepts none of the formats that the route has") \
	X(REQUEST_TIMEOUT, 408, "request_timeout", "the client was too slow in sending its request") \
	X(BODY_TOO_LARGE, 413, "body_too_large", "the request body is over the limit") \
	X(BATCH_TOO_LARGE, 413, "batch_too_large", "the batch has more entries than the route takes") \
	X(URI_TOO_LONG, 414, "uri_too_long", "the request target is over the limit") \
	X(EXPECTATION_FAILED, 417, "expectation_failed", "Expect asks for something unknown") \
	X(WEBSOCKET_VERSION, 426, "websocket_version", "the WebSocket version is not 13") \
	X(HEAD_TOO_LARGE, 431, "head_too_large", "the header section is over the limit") \
	X(CLIENT_GONE, 499, "client_gone", "the client left before it had its answer") \
	X(INTERNAL, 500, "internal", "gatherd broke one of its own rules") \
	X(CODING_UNKNOWN, 501, "coding_unknown", "the transfer coding is not implemented") \
	X(METHOD_UNKNOWN, 501, "method_unknown", "the method is not implemented") \
	X(PLAIN_HTTP, 400, "plain_http", "plain HTTP was sent to a port that speaks TLS: use https") \
	X(VERSION_UNKNOWN, 505, "version_unknown", "the HTTP major version is not supported") \
	/* shedding */ \
	X(OVERLOADED, 503, "overloaded", "the daemon is at its concurrency limit and its queue is full") \
	X(OVERLOAD_TIMEOUT, 503, "overload_timeout", "no permit of the daemon came free in time") \
	X(QUEUE_FULL, 503, "queue_full", "the upstream is at its limit and its queue is full") \
	X(QUEUE_TIMEOUT, 503, "queue_timeout", "no permit of the upstream came free in time") \
	X(DRAINING, 503, "draining", "the daemon is shutting down") \
	/* a call to an upstream */ \
	X(DNS_NOT_FOUND, 502, "dns_not_found", "the name of the upstream's server has no address") \
	X(DNS_TIMEOUT, 504, "dns_timeout", \
	    "the address of the upstream's server is not known: no DNS server has answered in time") \
	X(DNS_FAILED, 502, "dns_failed", \
	    "the address of the upstream's server is not known: its look-up failed") \
	X(CONNECT_REFUSED, 502, "connect_refused", "the upstream refused the connection") \
	X(CONNECT_FAILED, 502, "connect_failed", "the upstream cannot be reached") \
	X(CONNECT_TIMEOUT, 504, "connect_timeout", "the connection to the upstream took too long") \
	X(TLS_UNTRUSTED, 502, "tls_untrusted", \
	    "no trusted authority vouches for the upstream's certificate") \
	X(TLS_NAME_MISMATCH, 502, "tls_name_mismatch", \
	    "the upstream's certificate is for another name") \
	X(TLS_CERTIFICATE_EXPIRED, 502, "tls_certificate_expired", \
	    "the upstream's certificate has expired or is not valid yet") \
	X(TLS_CLIENT_CERTIFICATE, 502, "tls_client_certificate", \
	    "the client's certificate is missing or was refused in the TLS handshake") \
	X(TLS_PROTOCOL, 502, "tls_protocol", \
	    "the peer does not speak TLS, or no version or cipher that is allowed here") \
	X(TLS_HANDSHAKE, 502, "tls_handshake", "the TLS handshake failed") \
	X(FIRST_BYTE_TIMEOUT, 504, "first_byte_timeout", "the upstream did not begin to answer in time") \
	X(TIMEOUT, 504, "timeout", "the upstream did not finish its answer in time") \
	X(RESET, 502, "reset", "the upstream closed the connection before its answer was complete") \
	X(INVALID_RESPONSE, 502, "invalid_response", "the upstream's answer is not valid HTTP/1.1") \
	X(INVALID_UPGRADE, 502, "invalid_upgrade", \
	    "the upstream's answer to the upgrade is not what was asked for") \
	X(TUNNEL_IDLE, 504, "tunnel_idle", "nothing came through the tunnel for too long") \
	X(TUNNEL_EXPIRED, 504, "tunnel_expired", "the tunnel was open for as long as it may be") \
	X(RESPONSE_HEAD_TOO_LARGE, 502, "response_head_too_large", \
	    "the header section of the upstream's answer is over the limit") \
	X(RESPONSE_TOO_LARGE, 502, "response_too_large", "the upstream's answer is over max_body") \
	X(CONTENT_CODING_UNKNOWN, 502, "content_coding_unknown", \
	    "the upstream's answer has a content coding other than gzip, br and deflate, or more than one") \
	X(CONTENT_CODING_INVALID, 502, "content_coding_invalid", \
	    "the upstream's compressed answer is corrupt, not complete or followed by other bytes") \
	X(DECODED_TOO_LARGE, 502, "decoded_too_large", \
	    "the upstream's answer is over max_body when it is decompressed") \
	X(DECODED_RATIO, 502, "decoded_ratio", \
	    "the upstream's answer becomes more than max_ratio times larger when it is decompressed") \
	X(STATUS_NOT_ACCEPTED, 502, "status_not_accepted", \
	    "the upstream answered with a status that the call does not accept") \
	X(INVALID_BODY, 502, "invalid_body", "the upstream's answer is not valid JSON") \
	X(MISSING_RESULT, 502, "missing_result", \
	    "a value that the call refers to is not in the answer of another call") \
	X(BAD_RESULT, 502, "bad_result", \
	    "a value in the answer of another call cannot stand where the call uses it") \
	X(TOO_MANY_ITEMS, 502, "too_many_items", "the list of a for_each is over max_items") \
	X(BATCH_MISMATCH, 502, "batch_mismatch", \
	    "the answer to a batch is not a list with one element for each item") \
	X(TOO_FEW_CALLS, 502, "too_few_calls", \
	    "so many calls were skipped that fewer are left than the answer needs") \
	X(SHAPE_MISMATCH, 502, "shape_mismatch", "the upstream's answer has not the shape that the call needs") \
	X(MERGE_CONFLICT, 502, "merge_conflict", "two parts claim the same place in the answer") \
	X(BATCH_TIMEOUT, 504, "batch_timeout", "the time of the batch was over before that of its entry") \
	X(CANCELLED, 502, "cancelled", "the call was cancelled because the answer was already decided") \
	X(BUDGET, 502, "budget", \
	    "the request needs more memory than it may have; a larger max_body of its calls gives it more") \
	/* files and the system */ \
	X(BAD_CONFIG, 500, "bad_config", "the configuration is not valid") \
	X(SYSTEM, 500, "system", "a system call failed")

enum err_code {
#define X(name, status, token, text) ERR_##name,
	ERR_TABLE(X)
#undef X
	    ERR_COUNT
};

/* The reason token, for example "queue_full"; a constant. */
const char *err_token(enum err_code e);
/* One sentence without a full stop; a constant. */
const char *err_text(enum err_code e);
/* The HTTP status that this failure gives an answer when it decides it (499 is never sent). */
unsigned err_status(enum err_code e);

#endif
