/* Reading files into buffers. No state; any thread that may block. */
#include "base/file.h"

#include <errno.h>
#include <unistd.h>

#define READ_BYTES 16384

bool
file_read(int fd, size_t max_bytes, struct buf *out)
{
	size_t begin = out->n;
	ssize_t n;

	do {
		n = read(fd, buf_reserve(out, READ_BYTES), READ_BYTES);
		if (n > 0)
			buf_commit(out, (size_t)n);
		if (out->n - begin > max_bytes) {
			errno = EFBIG;
			return false;
		}
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n == 0;
}
