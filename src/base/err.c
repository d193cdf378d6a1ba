/* The error table, seen as text and numbers. Constant data; any thread. */
#include "base/err.h"

#include "base/compiler.h"

static const struct {
	unsigned status;
	const char *token;
	const char *text;
} rows[] = {
#define X(name, status, token, text) { status, token, text },
	ERR_TABLE(X)
#undef X
};

const char *
err_token(enum err_code e)
{
	assert((size_t)e < ARRAY_LEN(rows));
	return rows[e].token;
}

const char *
err_text(enum err_code e)
{
	assert((size_t)e < ARRAY_LEN(rows));
	return rows[e].text;
}

unsigned
err_status(enum err_code e)
{
	assert((size_t)e < ARRAY_LEN(rows));
	return rows[e].status;
}
