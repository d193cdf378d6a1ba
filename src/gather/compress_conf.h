/* What the file says of compressing the answers of a route. */
#ifndef GATHER_COMPRESS_CONF_H
#define GATHER_COMPRESS_CONF_H

#include <stdbool.h>

#include "base/conf_row.h"
#include "base/conf_value.h"
#include "codec/coding.h"

struct compress_conf {
	enum coding codings[CODING_COUNT]; /* `encodings`, in the order of preference */
	size_t n_codings;                  /* 0: nothing is compressed */
	uint64_t min_bytes;                /* of a body whose length is known */
	struct conf_text_list types;       /* "text/html", or a main type and "*" */
	uint64_t gzip_level;
	uint64_t br_level;
};

extern const struct conf_section compress_conf_section;

/* Is a body with this Content-Type, its parameters included, one of those that are compressed? */
bool compress_conf_takes(const struct compress_conf *conf, struct str content_type);
/* Can it stand in the list? */
bool compress_conf_is_type(struct str type);

#endif
