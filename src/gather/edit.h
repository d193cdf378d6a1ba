/*
 * A text with some of its pieces cut out or replaced, from the front to the end; all else is copied
 * byte for byte. A text without changes is not copied at all; one that nobody else reads can be changed
 * where it is. Lives on the stack of who edits.
 */
#ifndef GATHER_EDIT_H
#define GATHER_EDIT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct edit {
	struct arena *arena; /* borrowed */
	struct str in;       /* borrowed from whoever owns the text */
	const char *copied;  /* in `in`: up to here it is in `out` */
	char *out;           /* in the arena; NULL: nothing changed yet */
	size_t n;
	size_t cap;   /* always enough for the rest of `in` */
	size_t slack; /* room for growth asked for at first */
	bool is_in_place; /* `out` is the front of `in`, and never ahead of `copied` */
	bool is_over; /* sticky: the arena is over its budget */
};

/* slack: how much longer the usual text becomes. */
void edit_init(struct edit *e, struct arena *arena, struct str in, size_t slack);
/*
 * The same, writing into the text itself as long as it grows nowhere beyond what was cut out before; what follows the
 * latest cut can be read all the time. The memory is the caller's to write to, and no `with` lies in it.
 */
void edit_init_in_place(struct edit *e, struct arena *arena, struct str in, size_t slack);
/* `cut`, a piece of the text that may be empty, gives way to `with`. Pieces come in order and do not overlap. */
void edit_replace(struct edit *e, struct str cut, struct str with);
/* The new text, in the arena, or the text itself. ERR_BUDGET when the arena cannot hold it. */
enum err_code edit_finish(struct edit *e, struct str *out);

#endif
