/*
 * The rows of the whole file: the top level is declared here, and the sections of the modules hang
 * from it. Some keys of a call may also be set on its upstream, its route or under `defaults`: a
 * section is therefore seen through conf_root_row(), which lists its own rows and then those that
 * it lends from another section.
 */
#ifndef CONF_CONF_ROOT_H
#define CONF_CONF_ROOT_H

#include "base/conf_row.h"

extern const struct conf_section conf_root_section;

/* A row as seen from a section. */
struct conf_root_view {
	const struct conf_row *row;
	/* NULL: the row is the section's own. Else the section whose structure it fills; its value
	 * is only passed on. */
	const struct conf_section *lender;
};

/* The i-th row, own rows first; false behind the last one. */
bool conf_root_row(const struct conf_section *section, size_t i, struct conf_root_view *out);
/* False when the section has no such key. */
bool conf_root_find(const struct conf_section *section, struct str key, struct conf_root_view *out);

#endif
