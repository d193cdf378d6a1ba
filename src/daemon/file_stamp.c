/* Stamps of files, by what stat() tells. No state. */
#include "daemon/file_stamp.h"

#include <sys/stat.h>

static uint64_t
mix(uint64_t stamp, uint64_t v)
{
	/* FNV-1a over words: only has to differ when something did. */
	return (stamp ^ v) * UINT64_C(0x100000001b3);
}

uint64_t
file_stamp_add(uint64_t stamp, const struct conf_text *file)
{
	struct stat st;

	if (str_is_none(file->s))
		return stamp;
	if (stat(file->s.p, &st) != 0)
		return mix(stamp, UINT64_MAX);
	stamp = mix(stamp, (uint64_t)st.st_ino);
	stamp = mix(stamp, (uint64_t)st.st_size);
	stamp = mix(stamp, (uint64_t)st.st_mtim.tv_sec);
	return mix(stamp, (uint64_t)st.st_mtim.tv_nsec);
}
