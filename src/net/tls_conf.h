/*
 * What a file says of TLS, on either side; the rows are beside the structures that hold these
 * (server/listener_tls_conf.c, upstream/upstream_tls_conf.c). Paths are NUL-terminated and settled:
 * the working directory plays no part.
 */
#ifndef NET_TLS_CONF_H
#define NET_TLS_CONF_H

#include "base/conf_value.h"

enum tls_version { TLS_VERSION_1_2, TLS_VERSION_1_3 };

enum tls_client_auth { TLS_CLIENT_AUTH_NONE, TLS_CLIENT_AUTH_OPTIONAL, TLS_CLIENT_AUTH_REQUIRED };

/* One certificate, with what belongs to it. */
struct tls_cert_conf {
	struct conf_text certificate; /* PEM: the certificate, then its intermediates */
	struct conf_text key;         /* PEM; none: in the same file */
	struct conf_text ocsp;        /* DER of an OCSP response; none: not stapled */
};

struct tls_server_conf {
	bool is_on;               /* the section is there */
	struct str name;          /* of the listener: sessions of another one are not resumed */
	struct tls_cert_conf own; /* written without a list */
	struct tls_cert_conf *certificates;
	size_t n_certificates;
	enum tls_version min_version;
	struct conf_text ciphers;      /* of TLS 1.2 */
	struct conf_text ciphersuites; /* of TLS 1.3 */
	struct conf_text groups;
	struct conf_text client_ca;
	enum tls_client_auth client_auth;
	bool has_ktls;        /* the kernel encrypts, where it can */
	bool is_ktls_missing; /* it cannot: it was asked when the configuration was checked */
	bool has_tickets;
	uint64_t ticket_lifetime_ns;
};

struct tls_client_conf {
	struct conf_text ca; /* PEM; none: the system's */
	struct conf_text client_certificate;
	struct conf_text client_key;  /* none: in the file of client_certificate */
	struct conf_text server_name; /* none: the host of the server's URL */
	enum tls_version min_version;
	bool is_unverified; /* insecure_skip_verify */
};

/* Why contexts cannot be made of it. */
struct tls_fault {
	struct conf_pos pos;
	char text[512]; /* NUL-terminated; empty: nothing */
};

#endif
