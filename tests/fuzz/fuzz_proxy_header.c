/*
 * Any bytes as a PROXY header. However they are cut into pieces, the same client comes of them, or none;
 * the reader never asks for a byte behind the header's end, nor beyond its bounds.
 */
#include "codec/proxy_header.h"
#include "fuzz.h"

static enum proxy_header_progress
drive(struct proxy_header *h, struct str bytes, size_t piece, size_t *used)
{
	enum proxy_header_progress p = PROXY_HEADER_MORE;

	proxy_header_init(h);
	*used = 0;
	while (p == PROXY_HEADER_MORE && *used < bytes.n) {
		size_t n = h->need < piece ? h->need : piece;

		MUST(h->need > 0 && *used + h->need <= PROXY_HEADER_V2_MAX);
		if (n > bytes.n - *used)
			n = bytes.n - *used;
		p = proxy_header_feed(h, str_of(bytes.p + *used, n));
		*used += n;
	}
	return p;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = str_of((const char *)data, size);
	struct proxy_header whole, cut;
	enum proxy_header_progress p, q;
	size_t used, used_cut;

	p = drive(&whole, bytes, SIZE_MAX, &used);
	for (size_t piece = 1; piece <= 3; piece++) {
		q = drive(&cut, bytes, piece, &used_cut);
		/* How soon it is refused depends on how much is looked at at once. */
		MUST((p == PROXY_HEADER_DONE) == (q == PROXY_HEADER_DONE));
		if (p != PROXY_HEADER_DONE)
			continue;
		MUST(used_cut == used);
		MUST(whole.family == cut.family && whole.port == cut.port);
		MUST(memcmp(whole.ip, cut.ip, sizeof cut.ip) == 0);
	}
	return 0;
}
