/* Reads and changes the fields of answers that are compressed. No state; memory is the exchange's arena. */
#include "server/compress_fields.h"

#include <string.h>

#include "base/compiler.h"

/* ---- reading */

static void
note(struct compress_facts *facts, enum header_id id, struct str value)
{
	switch (id) {
	case HEADER_CONTENT_TYPE:
		facts->content_type = value;
		break;
	case HEADER_CONTENT_ENCODING:
		facts->is_coded = true;
		break;
	case HEADER_CACHE_CONTROL:
		facts->is_fixed |= header_has_element(value, STR("no-transform"));
		break;
	case HEADER_VARY:
		facts->has_vary = true;
		facts->varies |=
		    header_has_element(value, STR("*")) || header_has_element(value, STR("Accept-Encoding"));
		break;
	default:
		break;
	}
}

void
compress_fields_read(const struct compress_fields *f, struct compress_facts *out)
{
	struct str lines = f->lines, name, value;

	*out = (struct compress_facts){ .content_type = str_none() };
	for (size_t i = 0; f->list != NULL && i < f->list->n; i++)
		if (header_crosses(&f->list->at[i]))
			note(out, f->list->at[i].id, f->list->at[i].value);
	while (header_next_line(&lines, &name, &value))
		note(out, http_table_header(name), value);
}

/* ---- changing */

struct edit {
	unsigned what;
	bool is_vary_due; /* no Vary has been extended yet */
	struct arena *arena;
};

static bool
is_digest(struct str name)
{
	return str_ieq(name, STR("Content-Digest")) || str_ieq(name, STR("Repr-Digest")) ||
	    str_ieq(name, STR("Digest")) || str_ieq(name, STR("Content-MD5"));
}

static bool
goes(const struct edit *edit, enum header_id id, struct str name)
{
	if ((edit->what & COMPRESS_FIELDS_CODED) == 0)
		return false;
	return id == HEADER_ACCEPT_RANGES || (id == HEADER_OTHER && is_digest(name));
}

static struct str
changed(struct edit *edit, enum header_id id, struct str value)
{
	if (id == HEADER_VARY && edit->is_vary_due) {
		edit->is_vary_due = false;
		if (value.n == 0)
			return STR("Accept-Encoding");
		return arena_printf(edit->arena, "%.*s, Accept-Encoding", STR_FMT(value));
	}
	if (id == HEADER_ETAG && (edit->what & COMPRESS_FIELDS_WEAK) != 0 &&
	    !str_has_prefix(value, STR("W/")))
		return arena_printf(edit->arena, "W/%.*s", STR_FMT(value));
	return value;
}

static const struct header_list *
edit_list(struct edit *edit, const struct header_list *list)
{
	struct header_list *out = arena_alloc(edit->arena, sizeof *out);
	size_t n = list->n * sizeof *out->at;

	*out = *list;
	out->at = arena_alloc(edit->arena, n);
	if (n > 0)
		memcpy(out->at, list->at, n);
	for (size_t i = 0; i < out->n; i++) {
		struct header *h = &out->at[i];

		if (!header_crosses(h))
			continue;
		h->is_hop = goes(edit, h->id, h->name);
		h->value = changed(edit, h->id, h->value);
	}
	return out;
}

static struct str
edit_lines(struct edit *edit, struct str lines)
{
	struct str out = STR(""), name, value;

	while (header_next_line(&lines, &name, &value)) {
		enum header_id id = http_table_header(name);
		struct str now = changed(edit, id, value);

		if (!goes(edit, id, name))
			out = arena_printf(edit->arena, "%.*s%.*s: %.*s\r\n", STR_FMT(out),
			    STR_FMT(name), STR_FMT(now));
	}
	return out;
}

void
compress_fields_edit(
    struct compress_fields *f, unsigned what, enum coding coding, struct arena *arena)
{
	struct compress_facts facts;
	struct edit edit = { .what = what, .arena = arena };
	const char *vary = "";

	compress_fields_read(f, &facts);
	if ((what & COMPRESS_FIELDS_VARY) != 0 && !facts.varies) {
		edit.is_vary_due = facts.has_vary;
		vary = facts.has_vary ? "" : "Vary: Accept-Encoding\r\n";
	}
	if (f->list != NULL)
		f->list = edit_list(&edit, f->list);
	f->lines = edit_lines(&edit, f->lines);
	if ((what & COMPRESS_FIELDS_CODED) != 0)
		f->lines = arena_printf(arena, "%.*sContent-Encoding: %.*s\r\n%s",
		    STR_FMT(f->lines), STR_FMT(coding_name(coding)), vary);
	else
		f->lines = arena_printf(arena, "%.*s%s", STR_FMT(f->lines), vary);
}
