/* Merging parts whose places touch. Called by merge.c, described in merge.h. */
#ifndef GATHER_MERGE_JSON_H
#define GATHER_MERGE_JSON_H

#include "gather/merge.h"

enum err_code merge_json_run(
    const struct merge_plan *plan, const struct merge_input *in, struct merge_result *result);
/* The same of two parts that are both at the root. */
enum err_code merge_json_two(
    enum conflict_policy policy, const struct merge_input *in, struct merge_result *result);

#endif
