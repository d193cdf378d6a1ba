/* Takes JSON apart for the checks of answers; independent of the product's scanner. */
#ifndef SIM_JSON_H
#define SIM_JSON_H

#include "base/str.h"

/* Takes the value at the beginning of *rest off; false when there is none. Not strict. */
bool sim_json_value(struct str *rest, struct str *value);
/*
 * The value of a member of an object; none when it is not there or `object` is no object. Keys are
 * compared as they are written.
 */
struct str sim_json_member(struct str object, struct str key);
/* How many members; SIZE_MAX when the text is not exactly one object. */
size_t sim_json_count(struct str object);

#endif
