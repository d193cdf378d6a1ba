/*
 * Reads the records of streamed answers (ndjson, event streams, multipart) for the checks. Written apart from the
 * product on purpose, and strict: takes only what gatherd must write. No state.
 */
#ifndef SIM_STREAM_H
#define SIM_STREAM_H

#include "sim_http.h"

enum sim_format { SIM_FORMAT_JSON, SIM_FORMAT_NDJSON, SIM_FORMAT_SSE, SIM_FORMAT_MULTIPART };

enum sim_record_kind { SIM_RECORD_RESULT, SIM_RECORD_FAILURE, SIM_RECORD_END };

struct sim_record {
	enum sim_record_kind kind;
	struct str call; /* its name; of an end: none */
	struct str text; /* the result, the reason token, or the object at the end */
};

/*
 * Takes the record at the beginning of *rest off. False when what is there is none: with nothing left that is the
 * end, else a fault.
 */
bool sim_stream_next(enum sim_format format, const struct sim_http *h, struct str *rest, struct sim_record *out);

#endif
