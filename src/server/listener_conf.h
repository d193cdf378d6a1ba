/* What the file says of one listener. */
#ifndef SERVER_LISTENER_CONF_H
#define SERVER_LISTENER_CONF_H

#include "base/conf_row.h"
#include "base/conf_value.h"
#include "codec/h1_head.h"
#include "net/addr.h"
#include "net/cidr.h"
#include "net/sock_conf.h"
#include "net/tls_conf.h"

enum trusted_field { TRUSTED_X_FORWARDED, TRUSTED_FORWARDED };

struct listener_conf {
	struct str name;
	struct conf_pos pos;
	struct conf_text address_text;
	struct addr address;    /* empty (len 0) with socket_name */
	struct str socket_name; /* of systemd socket activation; none: opened here */
	struct cidr *trusted_proxies;
	size_t n_trusted_proxies;
	bool trusts_unix; /* so is whoever may open the unix socket */
	enum trusted_field trusted_field; /* which the trusted proxies write */
	bool sends_forwarded;  /* `forwarded`: to upstreams, beside X-Forwarded-* */
	bool has_proxy_header; /* `proxy_protocol`: each connection begins with one */
	struct sock_conf socket;
	struct tls_server_conf tls;
	struct {
		uint64_t handshake_ns;   /* of TLS, from accept to its end */
		uint64_t header_ns;      /* from the first byte of a head (or accept) to its end */
		uint64_t body_ns;        /* between two pieces of a request body */
		uint64_t idle_ns;        /* keep-alive without a request */
		uint64_t write_stall_ns; /* the client takes nothing of its answer */
	} timeouts;
	struct {
		uint64_t connections; /* over all workers */
		uint64_t handshakes;  /* of TLS, begun and not ended, per worker */
		uint64_t header_bytes;
		uint64_t headers;
		uint64_t body; /* bytes; buffered request bodies; proxy routes stream and are not bound by it */
	} limits;
};

/* Of the heads of requests: no more than half of one is its target. */
static inline struct h1_limits
listener_conf_head_limits(const struct listener_conf *l)
{
	return (struct h1_limits){
		.head_bytes = l->limits.header_bytes,
		.target_bytes = l->limits.header_bytes / 2,
	};
}

/* The rows of `listeners.NAME`. */
extern const struct conf_section listener_conf_section;

#endif
