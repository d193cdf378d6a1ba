/*
 * Any bytes as a compressed body. However they are cut into pieces, the same comes of them; what comes out
 * and what the decoder takes stay within their limits. And any bytes as a body: they come back.
 */
#include "codec/coding.h"
#include "fuzz.h"

#define MAX_BYTES 300000

static struct coding_store store = { .max_bytes = 64 << 20 }; /* and the heap, whose bounds are watched */

static enum err_code
decode(enum coding coding, struct str in, size_t piece, struct buf *out)
{
	static const struct coding_limits limits = { MAX_BYTES, 500 };
	struct coding_decoder *d = coding_decoder_new(&store, coding, &limits);
	enum err_code e = ERR_NONE;

	buf_clear(out);
	while (in.n > 0 && e == ERR_NONE) {
		size_t n = piece < in.n ? piece : in.n;

		e = coding_decode(d, str_of(in.p, n), out);
		in = str_of(in.p + n, in.n - n);
	}
	if (e == ERR_NONE)
		e = coding_decode_end(d);
	coding_decoder_free(&d);
	MUST(out->n <= MAX_BYTES + 1);
	MUST(store.n_states == 0);
	return e;
}

static void
there_and_back(enum coding coding, struct str text, unsigned level)
{
	const struct coding_setup setup = { coding, level, text.n % 2 == 0 ? text.n : 0 };
	struct coding_encoder *e = coding_encoder_new(&store, &setup);
	struct buf coded = BUF_INIT, back = BUF_INIT;
	size_t half = text.n / 2;

	coding_encode(e, str_of(text.p, half), level % 2 == 0 ? CODING_HOLD : CODING_FLUSH, &coded);
	coding_encode(e, str_of(text.p + half, text.n - half), CODING_FINISH, &coded);
	coding_encoder_free(&e);
	MUST(decode(coding, buf_str(&coded), 100, &back) == ERR_NONE);
	MUST(back.n == text.n && (text.n == 0 || memcmp(back.p, text.p, text.n) == 0));
	buf_fini(&coded);
	buf_fini(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF_INIT, cut = BUF_INIT;
	enum err_code e, again;
	enum coding coding;
	struct str in;

	if (size < 2 || size > 65536)
		return 0;
	coding = CODING_GZIP + data[0] % 3;
	in = str_of((const char *)data + 2, size - 2);
	e = decode(coding, in, SIZE_MAX, &whole);
	again = decode(coding, in, 1 + data[1] % 16u, &cut);
	/* Which limit is met first may depend on how much is looked at at once. */
	MUST((e == ERR_NONE) == (again == ERR_NONE));
	if (e == ERR_NONE)
		MUST(whole.n == cut.n && (whole.n == 0 || memcmp(whole.p, cut.p, whole.n) == 0));
	buf_fini(&whole);
	buf_fini(&cut);
	if (coding != CODING_DEFLATE)
		there_and_back(coding, in, 1 + data[1] % 9u);
	return 0;
}
