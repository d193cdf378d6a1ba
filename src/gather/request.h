/*
 * A client's request as the floors above the codec see it, whatever protocol brought it. Slices point into
 * the connection's input buffer or the exchange's arena and stay until the exchange is done.
 */
#ifndef GATHER_REQUEST_H
#define GATHER_REQUEST_H

#include "codec/h1_frame.h"
#include "codec/h1_head.h"

#define REQUEST_MAX_PARAMS 16
#define REQUEST_TRACE_BYTES 55 /* W3C Trace Context 3.2 */

struct request {
	enum http_method method;
	struct str method_text;
	struct str path;      /* raw, begins with '/' ("*" for OPTIONS *) */
	struct str query;     /* raw, without '?'; none: no '?' */
	struct str authority; /* Host, or the authority of an absolute target */
	const char *scheme;   /* "http" or "https" */
	uint8_t minor;        /* HTTP/1.0 or 1.1: for Via */
	const struct header_list *headers;
	struct str params[REQUEST_MAX_PARAMS]; /* raw values of the route's parameters, by index */
	struct str peer_ip;   /* who is connected, as text; empty: a unix socket */
	struct str client_ip; /* the same, or what a trusted proxy says */
	const struct str *client_cert; /* by enum tls_identity_part; NULL: none was shown */
	bool is_peer_trusted; /* what the request says of hops before is believed and extended */
	bool is_rfc7239; /* that is said by Forwarded, which holds for the two below, not by X-Forwarded-* */
	struct str given_proto, given_host; /* none: not said, or not by Forwarded */
	bool sends_forwarded;               /* upstreams are told by Forwarded, too */
	char traceparent[REQUEST_TRACE_BYTES]; /* of this request, see forward_trace() */
	bool offers_upgrade; /* see upgrade_is_offered() */
	bool has_body;
	struct str body; /* whole (gathered routes), valid when the exchange has read it */
};

/* What the head alone says; head stays as long as the request. */
static inline void
request_take_head(struct request *r, const struct h1_head *head, const struct h1_frame *frame)
{
	r->method = head->method;
	r->method_text = head->method_text;
	r->path = head->path;
	r->query = head->query;
	r->authority = head->authority;
	r->minor = head->minor;
	r->headers = &head->fields;
	r->has_body = frame->kind != H1_FRAME_NONE;
}

#endif
