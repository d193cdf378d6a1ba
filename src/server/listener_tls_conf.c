/* The keys of a listener's TLS. Constant data. */
#include "server/listener_tls_conf.h"

#include "base/compiler.h"
#include "server/listener_conf.h"

#define CIPHERS                                                                                    \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" \
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERSUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

#define DOC_CERTIFICATE                                                                            \
	"A PEM file: the certificate, then its intermediates. Read again when it changes and on "  \
	"SIGHUP; established connections stay, and what cannot be used is refused with a message " \
	"while the old one stays."
#define DOC_KEY                                                                                 \
	"The PEM file of the private key, without a passphrase. Without this key it is looked " \
	"for in "                                                                               \
	"the file of the certificate."
#define DOC_OCSP                                                                                  \
	"A DER file with an OCSP response to be stapled, as long as it is not out of date. Read " \
	"again "                                                                                  \
	"like the certificate."

static const struct conf_row certificate_rows[] = {
	{
	    .key = "certificate",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct tls_cert_conf, certificate),
	    .is_required = true,
	    .since = "0.1",
	    .doc = DOC_CERTIFICATE,
	},
	{
	    .key = "key",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct tls_cert_conf, key),
	    .since = "0.1",
	    .doc = DOC_KEY,
	},
	{
	    .key = "ocsp",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct tls_cert_conf, ocsp),
	    .since = "0.1",
	    .doc = DOC_OCSP,
	},
};
static const struct conf_section certificate_section = {
	.rows = certificate_rows,
	.n_rows = ARRAY_LEN(certificate_rows),
	.size = sizeof(struct tls_cert_conf),
	.name_offset = CONF_NOWHERE,
	.pos_offset = CONF_NOWHERE,
	.short_key = "certificate",
	.doc = "One certificate; a text alone is its `certificate`.",
};

static const struct conf_word versions[] = {
	{ "1.2", TLS_VERSION_1_2 },
	{ "1.3", TLS_VERSION_1_3 },
	{ NULL, 0 },
};

static const struct conf_word client_auths[] = {
	{ "none", TLS_CLIENT_AUTH_NONE },
	{ "optional", TLS_CLIENT_AUTH_OPTIONAL },
	{ "required", TLS_CLIENT_AUTH_REQUIRED },
	{ NULL, 0 },
};

static const struct conf_row rows[] = {
	{
	    .key = "certificate",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct listener_conf, tls.own.certificate),
	    .since = "0.1",
	    .doc = DOC_CERTIFICATE,
	},
	{
	    .key = "key",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct listener_conf, tls.own.key),
	    .since = "0.1",
	    .doc = DOC_KEY,
	},
	{
	    .key = "ocsp",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct listener_conf, tls.own.ocsp),
	    .since = "0.1",
	    .doc = DOC_OCSP,
	},
	{
	    .key = "certificates",
	    .type = CONF_ITEMS,
	    .offset = offsetof(struct listener_conf, tls.certificates),
	    .count_offset = offsetof(struct listener_conf, tls.n_certificates),
	    .section = &certificate_section,
	    .is_optional = true,
	    .min = 1,
	    .max = 10000,
	    .since = "0.1",
	    .doc = "More than one certificate. The name that the client asks for decides (exact "
		   "names before wildcards); certificates of the same name with other kinds of "
		   "keys (RSA, ECDSA) stand side by side; the first is for all other names.",
	},
	{
	    .key = "min_version",
	    .type = CONF_WORD,
	    .offset = offsetof(struct listener_conf, tls.min_version),
	    .words = versions,
	    .fallback = "1.2",
	    .since = "0.1",
	    .doc = "The oldest version of TLS that is spoken.",
	},
	{
	    .key = "ciphers",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct listener_conf, tls.ciphers),
	    .fallback = CIPHERS,
	    .since = "0.1",
	    .doc = "Ciphers of TLS 1.2 as OpenSSL names them, best first.",
	},
	{
	    .key = "ciphersuites",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct listener_conf, tls.ciphersuites),
	    .fallback = CIPHERSUITES,
	    .since = "0.1",
	    .doc = "Cipher suites of TLS 1.3, best first.",
	},
	{
	    .key = "groups",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct listener_conf, tls.groups),
	    .fallback = "X25519:P-256:P-384",
	    .since = "0.1",
	    .doc = "Groups of the key exchange, best first.",
	},
	{
	    .key = "client_ca",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct listener_conf, tls.client_ca),
	    .since = "0.1",
	    .doc =
		"A PEM file with the authorities whose client certificates are taken. Read again "
		"like the certificate.",
	},
	{
	    .key = "client_auth",
	    .type = CONF_WORD,
	    .offset = offsetof(struct listener_conf, tls.client_auth),
	    .words = client_auths,
	    .fallback = "none",
	    .since = "0.1",
	    .doc =
		"Whether clients are asked for a certificate. One that `client_ca` does not vouch "
		"for ends the handshake in either case; `required`: so does none.",
	},
	{
	    .key = "ktls",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct listener_conf, tls.has_ktls),
	    .fallback = "false",
	    .since = "0.1",
	    .doc = "Whether the kernel encrypts what is sent (kTLS), on connections whose cipher it "
		   "knows; `gatherd_client_ktls_total` counts them. It is asked when the "
		   "configuration is loaded: without its module `tls` there is a warning, and "
		   "nothing changes. For machines whose network card encrypts: elsewhere it costs "
		   "more than it saves, and a client that asks for other keys in mid-connection is "
		   "disconnected, because the kernel takes no others.",
	},
	{
	    .key = "tickets",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct listener_conf, tls.has_tickets),
	    .fallback = "true",
	    .since = "0.1",
	    .doc =
		"Whether clients may resume sessions. Nothing is stored here: the client keeps the "
		"session, sealed by a key that all workers make for themselves and forget in time.",
	},
	{
	    .key = "ticket_lifetime",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct listener_conf, tls.ticket_lifetime_ns),
	    .min = 10 * NS_PER_SEC,
	    .max = 7 * 24 * 3600 * NS_PER_SEC,
	    .fallback = "1h",
	    .since = "0.1",
	    .doc = "How long a session can be resumed, and how often the key of tickets changes.",
	},
};

const struct conf_section listener_tls_conf_section = {
	.rows = rows,
	.n_rows = ARRAY_LEN(rows),
	.doc = "TLS to clients. Without this section the listener speaks plain HTTP.",
};
