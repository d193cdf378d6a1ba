/* The keys of an upstream's TLS. Constant data. */
#include "upstream/upstream_tls_conf.h"

#include "base/compiler.h"
#include "upstream/upstream_conf.h"

static const struct conf_word versions[] = {
	{ "1.2", TLS_VERSION_1_2 },
	{ "1.3", TLS_VERSION_1_3 },
	{ NULL, 0 },
};

static const struct conf_row rows[] = {
	{
	    .key = "ca",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct upstream_conf, tls.ca),
	    .since = "0.1",
	    .doc =
		"A PEM file with the authorities (or the very certificates) that are trusted, in "
		"place of the system's. Read again when it changes and on SIGHUP, as the two below: "
		"established connections stay, and what cannot be used is refused with a message "
		"while the old one stays.",
	},
	{
	    .key = "client_certificate",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct upstream_conf, tls.client_certificate),
	    .since = "0.1",
	    .doc =
		"A PEM file: the certificate that is shown to servers that ask for one, then its "
		"intermediates.",
	},
	{
	    .key = "client_key",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct upstream_conf, tls.client_key),
	    .since = "0.1",
	    .doc =
		"The PEM file of its private key. Without this key it is looked for in the file of "
		"the certificate.",
	},
	{
	    .key = "server_name",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct upstream_conf, tls.server_name),
	    .since = "0.1",
	    .doc =
		"The name that the servers are asked for and that their certificates must be for. "
		"Without this key: the host of each server's URL.",
	},
	{
	    .key = "min_version",
	    .type = CONF_WORD,
	    .offset = offsetof(struct upstream_conf, tls.min_version),
	    .words = versions,
	    .fallback = "1.2",
	    .since = "0.1",
	    .doc = "The oldest version of TLS that is spoken.",
	},
	{
	    .key = "insecure_skip_verify",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct upstream_conf, tls.is_unverified),
	    .fallback = "false",
	    .since = "0.1",
	    .doc = "Takes any certificate from anybody who answers: whoever is on the way can read "
		   "and "
		   "change everything. For tests only; it is warned of at every start.",
	},
};

const struct conf_section upstream_tls_conf_section = {
	.rows = rows,
	.n_rows = ARRAY_LEN(rows),
	.doc = "TLS to servers with an https URL.",
};
