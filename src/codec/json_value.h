/* What the readers of JSON say about a text: where a value stands in it, or what is wrong with it. No state. */
#ifndef CODEC_JSON_VALUE_H
#define CODEC_JSON_VALUE_H

#include "base/str.h"

enum json_kind {
	JSON_NONE, /* no value */
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

/* A value in a validated text, without the white space around it. */
struct json_value {
	enum json_kind kind;
	struct str text; /* borrowed from whoever owns the text; strings keep their quotes */
};

/* What is wrong with a text, and where. */
struct json_fault {
	size_t offset; /* of the byte that cannot be; the length of a text that ends too early */
	const char *reason; /* a constant, for example "duplicate key" */
};

#endif
