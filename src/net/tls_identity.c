/* The client's certificate in words. Made once per connection, and only where clients are asked. */
#include "net/tls_identity.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/addr.h"

static void
add_subject(struct buf *out, const X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;

	if (bio == NULL)
		abort();
	/* Escapes control characters and everything beyond ASCII. */
	X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253);
	n = BIO_get_mem_data(bio, &text);
	if (n > 0)
		buf_add(out, str_of(text, (size_t)n));
	BIO_free(bio);
}

/* A name cannot end here and another begin: the separators, and what no header takes, are %XX. */
static void
add_escaped(struct buf *out, const unsigned char *p, size_t n)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < n; i++) {
		if (p[i] > 0x20 && p[i] < 0x7f && p[i] != ',' && p[i] != '%') {
			buf_add_char(out, (char)p[i]);
			continue;
		}
		buf_add_char(out, '%');
		buf_add_char(out, hex[p[i] >> 4]);
		buf_add_char(out, hex[p[i] & 15]);
	}
}

static void
add_name(struct buf *out, size_t begin, const char *kind, const ASN1_STRING *text)
{
	if (out->n != begin)
		buf_add_c(out, ", ");
	buf_add_c(out, kind);
	add_escaped(out, ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
}

static void
add_address(struct buf *out, size_t begin, const ASN1_OCTET_STRING *bytes)
{
	size_t n = (size_t)ASN1_STRING_length(bytes);
	char text[ADDR_TEXT_MAX];
	struct addr a;

	if (n != 4 && n != 16)
		return;
	addr_of_bytes(ASN1_STRING_get0_data(bytes), n, 0, &a);
	if (out->n != begin)
		buf_add_c(out, ", ");
	buf_add_c(out, "IP:");
	buf_add(out, str_of(text, addr_format_ip(&a, text)));
}

static void
add_names(struct buf *out, const X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	size_t begin = out->n;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			add_name(out, begin, "DNS:", name->d.dNSName);
		else if (name->type == GEN_EMAIL)
			add_name(out, begin, "email:", name->d.rfc822Name);
		else if (name->type == GEN_URI)
			add_name(out, begin, "URI:", name->d.uniformResourceIdentifier);
		else if (name->type == GEN_IPADD)
			add_address(out, begin, name->d.iPAddress);
	}
	GENERAL_NAMES_free(names);
	ERR_clear_error();
}

static void
add_fingerprint(struct buf *out, const X509 *cert)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (!X509_digest(cert, EVP_sha256(), digest, &n))
		abort();
	for (unsigned i = 0; i < n; i++)
		buf_printf(out, "%02x", digest[i]);
}

static struct tls_identity *
of_certificate(const X509 *cert)
{
	static void (*const add[TLS_IDENTITY_PARTS])(struct buf *, const X509 *) = {
		[TLS_IDENTITY_SUBJECT] = add_subject,
		[TLS_IDENTITY_SAN] = add_names,
		[TLS_IDENTITY_FINGERPRINT] = add_fingerprint,
	};
	struct tls_identity *identity = mem_calloc(1, sizeof *identity);
	size_t ends[TLS_IDENTITY_PARTS], begin = 0;

	for (size_t i = 0; i < TLS_IDENTITY_PARTS; i++) {
		add[i](&identity->text, cert);
		ends[i] = identity->text.n;
	}
	for (size_t i = 0; i < TLS_IDENTITY_PARTS; begin = ends[i++])
		if (ends[i] != begin)
			identity->parts[i] = str_of(identity->text.p + begin, ends[i] - begin);
	return identity;
}

bool
tls_identity_find(struct str name, size_t *part)
{
	static const struct str names[TLS_IDENTITY_PARTS] = {
		[TLS_IDENTITY_SUBJECT] = STR_INIT("subject"),
		[TLS_IDENTITY_SAN] = STR_INIT("san"),
		[TLS_IDENTITY_FINGERPRINT] = STR_INIT("fingerprint"),
	};

	for (size_t i = 0; i < TLS_IDENTITY_PARTS; i++)
		if (str_eq(name, names[i])) {
			*part = i;
			return true;
		}
	return false;
}

struct tls_identity *
tls_identity_new(const SSL *ssl)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);

	if (cert == NULL || SSL_get_verify_result(ssl) != X509_V_OK)
		return NULL;
	return of_certificate(cert);
}

void
tls_identity_free(struct tls_identity *identity)
{
	if (identity == NULL)
		return;
	buf_fini(&identity->text);
	free(identity);
}
