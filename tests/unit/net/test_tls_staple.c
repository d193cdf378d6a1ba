#include "net/tls_staple.h"

#include <openssl/ocsp.h>
#include <time.h>

#include "tls_rig.h"

static struct rig_dir dir;
static EVP_PKEY *key;
static X509 *cert;
static struct tls_staple staple;
static struct tls_fault fault;

static void
set_up(void)
{
	rig_dir_init(&dir);
	key = EVP_EC_gen("P-256");
	cert = rig_certificate(key, "DNS:a.test", 0, 1000);
}

static void
tear_down(void)
{
	tls_staple_fini(&staple);
	X509_free(cert);
	EVP_PKEY_free(key);
	rig_dir_fini(&dir);
}

/* The file of a response about `subject`, which holds for so many seconds. */
static struct conf_text
response_file(X509 *subject, int status, long seconds)
{
	struct conf_text path = rig_path(&dir);
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), subject, cert);
	ASN1_TIME *now = X509_gmtime_adj(NULL, -3600), *next = X509_gmtime_adj(NULL, seconds);
	OCSP_RESPONSE *response;
	BIO *out = BIO_new_file(path.s.p, "w");

	OCSP_basic_add1_status(basic, id, status, 0,
	    status == V_OCSP_CERTSTATUS_REVOKED ? now : NULL, now, seconds == 0 ? NULL : next);
	OCSP_basic_sign(basic, cert, key, EVP_sha256(), NULL, 0);
	response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	ck_assert_int_eq(i2d_OCSP_RESPONSE_bio(out, response), 1);
	BIO_free(out);
	OCSP_RESPONSE_free(response);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(now);
	ASN1_TIME_free(next);
	return path;
}

START_TEST(is_fresh_until_its_next_update)
{
	uint64_t now = (uint64_t)time(NULL);
	struct conf_text file;

	set_up();
	file = response_file(cert, V_OCSP_CERTSTATUS_GOOD, 1000);
	ck_assert_int_eq(tls_staple_load(&staple, &file, cert, &fault), ERR_NONE);
	ck_assert(tls_staple_is_fresh(&staple, now));
	ck_assert(tls_staple_is_fresh(&staple, now + 990));
	ck_assert(!tls_staple_is_fresh(&staple, now + 1010));
	tear_down();
}
END_TEST

START_TEST(without_a_next_update_it_stays_fresh)
{
	struct conf_text file;

	set_up();
	file = response_file(cert, V_OCSP_CERTSTATUS_GOOD, 0);
	ck_assert_int_eq(tls_staple_load(&staple, &file, cert, &fault), ERR_NONE);
	ck_assert(tls_staple_is_fresh(&staple, UINT64_C(1) << 40));
	tear_down();
}
END_TEST

static void
expect_refusal(struct conf_text file, const char *why)
{
	ck_assert_int_eq(tls_staple_load(&staple, &file, cert, &fault), ERR_BAD_CONFIG);
	ck_assert_msg(strstr(fault.text, why) != NULL, "%s", fault.text);
	ck_assert(!tls_staple_is_fresh(&staple, 0));
}

START_TEST(what_would_harm_is_refused)
{
	X509 *other;
	FILE *f;
	struct conf_text file;

	set_up();
	other = rig_certificate(key, "DNS:a.test", 0, 1000);
	ASN1_INTEGER_set(X509_get_serialNumber(other), 2);
	expect_refusal(
	    response_file(other, V_OCSP_CERTSTATUS_GOOD, 1000), "is about another certificate");
	expect_refusal(response_file(cert, V_OCSP_CERTSTATUS_REVOKED, 1000), "is not good");
	file = rig_path(&dir);
	expect_refusal(file, "No such file");
	f = fopen(file.s.p, "w");
	fputs("x", f);
	fclose(f);
	expect_refusal(file, "expected an OCSP response");
	X509_free(other);
	tear_down();
}
END_TEST

UNIT_MAIN("tls_staple", is_fresh_until_its_next_update, without_a_next_update_it_stays_fresh,
    what_would_harm_is_refused)
