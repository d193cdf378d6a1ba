/* The rows of a route that takes batches of requests. */
#include "gather/batch_conf.h"

#include <stddef.h>

#include "base/compiler.h"
#include "gather/route_conf.h"

static const struct conf_row rows[] = {
	{
	    .key = "max",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct route_conf, batch.max),
	    .min = 1,
	    .max = 1000,
	    .fallback = "20",
	    .since = "0.1",
	    .doc = "How many entries a batch may have. Beyond it 413.",
	},
	{
	    .key = "parallel",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct route_conf, batch.parallel),
	    .min = 1,
	    .max = 100,
	    .fallback = "4",
	    .since = "0.1",
	    .doc = "How many entries of a batch are under way at once; they begin in their order.",
	},
	{
	    .key = "max_body",
	    .type = CONF_SIZE,
	    .offset = offsetof(struct route_conf, batch.max_body_bytes),
	    .min = 1024, /* an error of gatherd's own always fits */
	    .max = 1 << 30,
	    .fallback = "1MiB",
	    .since = "0.1",
	    .doc = "How large the body of one entry's answer may be, also that of a `proxy` route, and as it "
		   "is written in the batch's. Beyond it the entry's answer is 502 `response_too_large`.",
	},
};
const struct conf_section batch_conf_section = {
	.rows = rows,
	.n_rows = ARRAY_LEN(rows),
	.doc = "Several requests to the daemon's own routes as one. The body is a JSON array of "
	       "`{method, path, headers, body}`: `method` is GET unless it is there, a value in `headers` "
	       "is a text or a list of texts, a `body` that is a text is sent as it is and any other value "
	       "as JSON. Every entry is routed, admitted, limited, logged and counted as if it came alone, "
	       "from the same client to the same host, with the fields that it lists and no others. The "
	       "answer is an array in the order of the entries of `{status, headers, body}`: `body` is "
	       "JSON where the answer is, else a text, or `body_base64` where it is not UTF-8, or null "
	       "where there is none. An entry that is malformed, or a batch itself, has an error as its "
	       "answer; one that the route's `timeout` does not leave time for has 504 `batch_timeout`. "
	       "Only a body that is no array, or a longer one than `max`, refuses the batch.",
};
