/* OCSP responses, looked into once when they are read. Main thread; the copies belong to workers. */
#include "net/tls_staple.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <time.h>

#include "net/tls_cert.h"

static uint64_t
seconds_of(const ASN1_GENERALIZEDTIME *at)
{
	struct tm tm;
	time_t t;

	if (at == NULL || !ASN1_TIME_to_tm(at, &tm))
		return UINT64_MAX;
	t = timegm(&tm);
	return t < 0 ? 0 : (uint64_t)t;
}

static bool
is_about(const OCSP_SINGLERESP *single, const X509 *leaf)
{
	/* The accessor takes no const pointer, and changes nothing. */
	OCSP_CERTID *id = (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(single);
	ASN1_INTEGER *serial = NULL;

	OCSP_id_get0_info(NULL, NULL, NULL, &serial, id);
	return ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0;
}

/* NULL, or what is wrong. */
static const char *
look_into(struct tls_staple *staple, OCSP_BASICRESP *basic, const X509 *leaf)
{
	ASN1_GENERALIZEDTIME *next = NULL;
	OCSP_SINGLERESP *single;

	for (int i = 0; (single = OCSP_resp_get0(basic, i)) != NULL; i++) {
		if (!is_about(single, leaf))
			continue;
		if (OCSP_single_get0_status(single, NULL, NULL, NULL, &next) !=
		    V_OCSP_CERTSTATUS_GOOD)
			return "says that the certificate is not good; replace the certificate";
		staple->until_s = seconds_of(next);
		return NULL;
	}
	return "is about another certificate; fetch the one for this certificate";
}

static const char *
parse(struct tls_staple *staple, const X509 *leaf)
{
	const unsigned char *at = (const unsigned char *)staple->der.p;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)staple->der.n);
	OCSP_BASICRESP *basic = NULL;
	const char *why = "expected an OCSP response in DER that was successful";

	if (response != NULL && OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
		basic = OCSP_response_get1_basic(response);
	if (basic != NULL)
		why = look_into(staple, basic, leaf);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	return why;
}

enum err_code
tls_staple_load(struct tls_staple *staple, const struct conf_text *file, const X509 *leaf,
    struct tls_fault *fault)
{
	enum err_code e;
	const char *why;

	*staple = (struct tls_staple){ 0 };
	e = tls_cert_read_file(file, &staple->der, fault);
	if (e != ERR_NONE)
		return e;
	why = parse(staple, leaf);
	if (why == NULL)
		return ERR_NONE;
	tls_staple_fini(staple);
	return tls_cert_refuse(fault, file, "%s: %s", file->s.p, why);
}

void
tls_staple_copy(struct tls_staple *to, const struct tls_staple *from)
{
	*to = (struct tls_staple){ .until_s = from->until_s };
	buf_add(&to->der, buf_str(&from->der));
}

void
tls_staple_fini(struct tls_staple *staple)
{
	buf_fini(&staple->der);
}

bool
tls_staple_is_fresh(const struct tls_staple *staple, uint64_t wall_s)
{
	return staple->der.n != 0 && wall_s < staple->until_s;
}
