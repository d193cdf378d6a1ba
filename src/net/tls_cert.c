/* PEM files of certificates and keys, in memory. Start-up and reload; one thread. */
#include "net/tls_cert.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "net/tls_error.h"

#define FILE_MAX_BYTES ((size_t)4 << 20)

enum err_code
tls_cert_refuse(struct tls_fault *fault, const struct conf_text *at, const char *fmt, ...)
{
	va_list ap;

	fault->pos = at->pos;
	va_start(ap, fmt);
	vsnprintf(fault->text, sizeof fault->text, fmt, ap);
	va_end(ap);
	return ERR_BAD_CONFIG;
}

/* ---- files */

enum err_code
tls_cert_read_file(const struct conf_text *file, struct buf *out, struct tls_fault *fault)
{
	int fd = open(file->s.p, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool ok = fd >= 0 && file_read(fd, FILE_MAX_BYTES, out);
	int error = errno;

	if (fd >= 0)
		close(fd);
	return ok ? ERR_NONE : tls_cert_refuse(fault, file, "%s: %s", file->s.p, strerror(error));
}

/* A BIO over a file's bytes; b must outlive it. */
static BIO *
open_bytes(const struct buf *b)
{
	BIO *bio = BIO_new_mem_buf(b->p == NULL ? "" : b->p, (int)b->n);

	if (bio == NULL)
		abort();
	return bio;
}

/* Private keys do not stay behind in freed memory. */
static void
wipe(struct buf *b)
{
	if (b->p != NULL)
		OPENSSL_cleanse(b->p, b->cap);
	buf_fini(b);
}

/* The end of the PEM blocks is no error; a block that cannot be read is. */
static bool
is_end_of_pem(void)
{
	unsigned long code = ERR_peek_last_error();
	bool is_end =
	    ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;

	ERR_clear_error();
	return is_end;
}

static int
no_passphrase(char *to, int n, int is_writing, void *arg)
{
	(void)to;
	(void)n;
	(void)is_writing;
	(void)arg;
	return 0;
}

/*
 * The next certificate; NULL at the end of the PEM blocks and at a damaged one. OpenSSL decodes the
 * extensions at first use and keeps them in the certificate, which all workers share: first use is here.
 */
static X509 *
read_cert(BIO *bio)
{
	X509 *cert = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);

	if (cert != NULL)
		X509_check_purpose(cert, -1, 0);
	return cert;
}

/* ---- the certificate and its chain */

static enum err_code
parse_chain(struct tls_cert *cert, BIO *bio, const struct conf_text *file, struct tls_fault *fault)
{
	X509 *next;

	cert->leaf = read_cert(bio);
	if (cert->leaf == NULL)
		return tls_cert_refuse(fault, file,
		    "%s holds no certificate; expected PEM: the certificate, then its "
		    "intermediates",
		    file->s.p);
	while ((next = read_cert(bio)) != NULL)
		sk_X509_push(cert->chain, next);
	if (!is_end_of_pem())
		return tls_cert_refuse(fault, file, "%s: certificate %d is damaged", file->s.p,
		    sk_X509_num(cert->chain) + 2);
	return ERR_NONE;
}

/* ---- the key */

static enum err_code
parse_key(struct tls_cert *cert, BIO *bio, const struct conf_text *file, struct tls_fault *fault)
{
	char why[128];

	ERR_clear_error();
	cert->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	if (cert->key == NULL) {
		tls_error_text(why, sizeof why);
		return tls_cert_refuse(fault, file,
		    "%s holds no private key that can be read (%s); expected PEM without a "
		    "passphrase",
		    file->s.p, why);
	}
	if (X509_check_private_key(cert->leaf, cert->key) != 1)
		return tls_cert_refuse(fault, file,
		    "the key in %s does not belong to the certificate; give the pair that was "
		    "issued together",
		    file->s.p);
	return ERR_NONE;
}

/* ---- names */

static void
add_name(struct tls_cert *cert, const ASN1_STRING *text)
{
	int n = ASN1_STRING_length(text);
	char *name;

	if (n <= 0)
		return;
	name = mem_strndup((const char *)ASN1_STRING_get0_data(text), (size_t)n);
	for (int i = 0; i < n; i++)
		name[i] = (char)tolower((unsigned char)name[i]);
	cert->names = mem_realloc(cert->names, (cert->n_names + 1) * sizeof *cert->names);
	cert->names[cert->n_names++] = str_of(name, (size_t)n);
}

static void
add_common_name(struct tls_cert *cert)
{
	const X509_NAME *subject = X509_get_subject_name(cert->leaf);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (at >= 0)
		add_name(cert, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

/* RFC 6125 6.4.4: the common name counts only when there is no alternative name. */
static void
note_names(struct tls_cert *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert->leaf, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			add_name(cert, name->d.dNSName);
	}
	GENERAL_NAMES_free(names);
	if (cert->n_names == 0)
		add_common_name(cert);
	ERR_clear_error();
}

/* ---- all of it */

typedef enum err_code parse_fn(
    struct tls_cert *cert, BIO *bio, const struct conf_text *file, struct tls_fault *fault);

static enum err_code
load(struct tls_cert *cert, const struct conf_text *file, parse_fn *parse, struct tls_fault *fault)
{
	struct buf bytes = BUF_INIT;
	enum err_code e = tls_cert_read_file(file, &bytes, fault);

	if (e == ERR_NONE) {
		BIO *bio = open_bytes(&bytes);

		e = parse(cert, bio, file, fault);
		BIO_free(bio);
	}
	wipe(&bytes);
	ERR_clear_error();
	return e;
}

enum err_code
tls_cert_load(struct tls_cert *cert, const struct tls_cert_conf *conf, struct tls_fault *fault)
{
	const struct conf_text *key = str_is_none(conf->key.s) ? &conf->certificate : &conf->key;
	enum err_code e;

	*cert = (struct tls_cert){ .chain = sk_X509_new_null() };
	e = load(cert, &conf->certificate, parse_chain, fault);
	if (e == ERR_NONE)
		e = load(cert, key, parse_key, fault);
	if (e == ERR_NONE && !str_is_none(conf->ocsp.s))
		e = tls_staple_load(&cert->staple, &conf->ocsp, cert->leaf, fault);
	if (e == ERR_NONE)
		note_names(cert);
	else
		tls_cert_fini(cert);
	return e;
}

void
tls_cert_fini(struct tls_cert *cert)
{
	X509_free(cert->leaf);
	sk_X509_pop_free(cert->chain, X509_free);
	EVP_PKEY_free(cert->key);
	tls_staple_fini(&cert->staple);
	for (size_t i = 0; i < cert->n_names; i++)
		free((char *)(uintptr_t)cert->names[i].p);
	free(cert->names);
	*cert = (struct tls_cert){ 0 };
}

enum err_code
tls_cert_use(const struct tls_cert *cert, SSL_CTX *c, const struct conf_text *file, struct tls_fault *fault)
{
	/* A copy: signing locks the key, and RSA its blinding, which workers must not share. */
	EVP_PKEY *key = EVP_PKEY_dup(cert->key);
	char why[128];
	bool ok;

	ERR_clear_error();
	ok = SSL_CTX_use_certificate(c, cert->leaf) == 1 &&
	     SSL_CTX_set1_chain(c, cert->chain) == 1 && SSL_CTX_use_PrivateKey(c, key) == 1;
	EVP_PKEY_free(key);
	if (ok)
		return ERR_NONE;
	tls_error_text(why, sizeof why);
	return tls_cert_refuse(fault, file,
	    "%s cannot be used: %s; issue one with a key of RSA 2048, P-256 or stronger", file->s.p, why);
}

static int
trust_all(BIO *bio, X509_STORE *store, STACK_OF(X509_NAME) * subjects)
{
	X509 *next;
	int n = 0;

	while ((next = read_cert(bio)) != NULL) {
		X509_STORE_add_cert(store, next);
		if (subjects != NULL)
			sk_X509_NAME_push(subjects, X509_NAME_dup(X509_get_subject_name(next)));
		X509_free(next);
		n++;
	}
	return n;
}

enum err_code
tls_cert_load_ca(const struct conf_text *file, X509_STORE *store, STACK_OF(X509_NAME) * subjects,
    struct tls_fault *fault)
{
	struct buf bytes = BUF_INIT;
	enum err_code e = tls_cert_read_file(file, &bytes, fault);
	BIO *bio = open_bytes(&bytes);

	ERR_clear_error();
	if (e == ERR_NONE && (trust_all(bio, store, subjects) == 0 || !is_end_of_pem()))
		e = tls_cert_refuse(fault, file,
		    "%s: expected certificates of authorities in PEM, and nothing that is damaged",
		    file->s.p);
	BIO_free(bio);
	buf_fini(&bytes);
	ERR_clear_error();
	return e;
}

int
tls_cert_validity(const X509 *cert)
{
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		return 1;
	return X509_cmp_current_time(X509_get0_notBefore(cert)) > 0 ? -1 : 0;
}

void
tls_cert_end_text(const X509 *cert, char *to, size_t n)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int got;

	if (bio == NULL)
		abort();
	ASN1_TIME_print(bio, X509_get0_notAfter(cert));
	got = BIO_read(bio, to, (int)n - 1);
	to[got > 0 ? got : 0] = '\0';
	BIO_free(bio);
}
