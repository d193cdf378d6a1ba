/* What the file says of one upstream, after inheritance from `defaults`. */
#ifndef UPSTREAM_UPSTREAM_CONF_H
#define UPSTREAM_UPSTREAM_CONF_H

#include "base/conf_row.h"
#include "base/conf_value.h"
#include "codec/proxy_header.h"
#include "net/addr.h"
#include "net/tls_conf.h"

struct server_conf {
	struct conf_text url;  /* http://host:port, https://host:port or http+unix:/path */
	struct str host;       /* for the Host field, port included when it is not the scheme's */
	struct str name;       /* the host alone, NUL-terminated, for TLS; none for unix sockets */
	struct str lookup;     /* NUL-terminated: what DNS is asked for; none: addrs stands in the file */
	bool is_srv;           /* it is asked for services, which have ports of their own */
	bool is_tls;
	uint64_t port;
	struct addr *addrs;
	size_t n_addrs;
	uint64_t weight; /* 1 to 1000 */
};

enum discover_scheme { DISCOVER_HTTP, DISCOVER_HTTPS };
enum resolve_failure { RESOLVE_FAILURE_REFUSE, RESOLVE_FAILURE_START };

enum balance_kind { BALANCE_LEAST_LOADED, BALANCE_ROUND_ROBIN };

/* One rule of a `mock:` upstream. */
struct mock_conf {
	struct conf_text path; /* route template */
	struct conf_text_list methods; /* empty: any */
	uint64_t delay_ns;
	uint64_t status;
	struct conf_pair_list headers;
	struct conf_json json;
	struct conf_text body;
	struct conf_pos pos;
};

struct upstream_conf {
	struct str name;
	struct conf_pos pos;
	struct server_conf *servers; /* none when mock */
	size_t n_servers;
	struct {
		struct conf_text srv;
		struct conf_text dns;
		uint64_t port;
		enum discover_scheme scheme;
	} discover; /* becomes a server */
	enum resolve_failure on_resolve_failure;
	struct mock_conf *mocks;
	size_t n_mocks;
	struct tls_client_conf tls; /* of servers with is_tls */
	struct conf_text host; /* overrides the server's Host */
	enum proxy_header_version proxy_protocol;
	struct {
		uint64_t max_connections; /* per server and worker */
		uint64_t max_idle;
		uint64_t idle_timeout_ns;
		uint64_t max_requests; /* per connection; 0: no limit */
	} pool;
	struct {
		uint64_t connect_ns;
		uint64_t first_byte_ns;
		uint64_t total_ns;
	} timeouts;
	struct {
		uint64_t limit; /* calls in flight over all workers; 0: no limit */
	} concurrency;
	struct {
		uint64_t size; /* calls that may wait over all workers */
		uint64_t timeout_ns;
	} queue;
	enum balance_kind balance;
	struct {
		uint64_t header_bytes; /* limits on an answer's head */
		uint64_t headers;
	} limits;
};

/* The rows of `upstreams.NAME`. */
extern const struct conf_section upstream_conf_section;
/* RFC 9110 4.2: the port that a URL, and so Host, need not say. */
static inline uint64_t
upstream_conf_usual_port(bool is_tls)
{
	return is_tls ? 443 : 80;
}
/* Some server is spoken to by TLS. */
bool upstream_conf_has_tls(const struct upstream_conf *conf);

#endif
