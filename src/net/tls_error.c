/* OpenSSL's reasons and ours. No state but OpenSSL's error queue of the calling thread. */
#include "net/tls_error.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"

static const struct {
	long verify_result;
	enum err_code e;
} verify_rows[] = {
	{ X509_V_ERR_CERT_HAS_EXPIRED, ERR_TLS_CERTIFICATE_EXPIRED },
	{ X509_V_ERR_CERT_NOT_YET_VALID, ERR_TLS_CERTIFICATE_EXPIRED },
	{ X509_V_ERR_HOSTNAME_MISMATCH, ERR_TLS_NAME_MISMATCH },
	{ X509_V_ERR_IP_ADDRESS_MISMATCH, ERR_TLS_NAME_MISMATCH },
};

/*
 * An alert about a certificate is about ours: to a server it says that the client does not trust
 * it.
 */
enum side { ANY, SERVER, CLIENT };

static const struct {
	int reason;
	enum err_code e;
	enum side side;
} reason_rows[] = {
	{ SSL_R_WRONG_VERSION_NUMBER, ERR_TLS_PROTOCOL, ANY },
	{ SSL_R_UNSUPPORTED_PROTOCOL, ERR_TLS_PROTOCOL, ANY },
	{ SSL_R_UNKNOWN_PROTOCOL, ERR_TLS_PROTOCOL, ANY },
	{ SSL_R_HTTP_REQUEST, ERR_PLAIN_HTTP, SERVER },
	{ SSL_R_NO_PROTOCOLS_AVAILABLE, ERR_TLS_PROTOCOL, ANY },
	{ SSL_R_VERSION_TOO_LOW, ERR_TLS_PROTOCOL, ANY },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, ERR_TLS_PROTOCOL, ANY },
	{ SSL_R_NO_SHARED_CIPHER, ERR_TLS_PROTOCOL, ANY },
	{ SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, ERR_TLS_CLIENT_CERTIFICATE, SERVER },
	{ SSL_R_CERTIFICATE_VERIFY_FAILED, ERR_TLS_CLIENT_CERTIFICATE, SERVER },
	{ SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, ERR_TLS_CLIENT_CERTIFICATE, CLIENT },
	{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, ERR_TLS_CLIENT_CERTIFICATE, CLIENT },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, ERR_TLS_CLIENT_CERTIFICATE, CLIENT },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, ERR_TLS_CLIENT_CERTIFICATE, CLIENT },
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, ERR_TLS_CLIENT_CERTIFICATE, CLIENT },
};

static enum err_code
of_verify_result(long result)
{
	for (size_t i = 0; i < ARRAY_LEN(verify_rows); i++)
		if (verify_rows[i].verify_result == result)
			return verify_rows[i].e;
	return ERR_TLS_UNTRUSTED;
}

static enum err_code
of_reason(int reason, enum side side)
{
	for (size_t i = 0; i < ARRAY_LEN(reason_rows); i++)
		if (reason_rows[i].reason == reason &&
		    (reason_rows[i].side == ANY || reason_rows[i].side == side))
			return reason_rows[i].e;
	return ERR_TLS_HANDSHAKE;
}

enum err_code
tls_error_of(const SSL *ssl)
{
	enum side side = SSL_is_server(ssl) ? SERVER : CLIENT;
	unsigned long code = ERR_peek_error();
	long verified = SSL_get_verify_result(ssl);

	if (side == CLIENT && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE && verified != X509_V_OK)
		return of_verify_result(verified);
	return ERR_GET_LIB(code) == ERR_LIB_SSL ? of_reason(ERR_GET_REASON(code), side)
						: ERR_TLS_HANDSHAKE;
}

void
tls_error_text(char *to, size_t n)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(code);

	if (ERR_SYSTEM_ERROR(code))
		snprintf(to, n, "%s", strerror(ERR_GET_REASON(code)));
	else
		snprintf(to, n, "%s", reason == NULL ? "unknown to OpenSSL" : reason);
	ERR_clear_error();
}
