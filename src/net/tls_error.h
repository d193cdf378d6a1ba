/* Why a handshake failed, as a row of the error table. */
#ifndef NET_TLS_ERROR_H
#define NET_TLS_ERROR_H

#include <openssl/ssl.h>

#include "base/err.h"

/* After a failed SSL_do_handshake(), before the thread's OpenSSL errors are cleared. */
enum err_code tls_error_of(const SSL *ssl);
/* The newest OpenSSL error of this thread as a sentence, NUL-terminated; empties the queue. */
void tls_error_text(char *to, size_t n);

#endif
