/* Trees as block YAML. No state; as deep as the tree, which is bounded. */
#include "conf/conf_dump.h"

#define STEP 2

static void put_map(const struct yaml_node *map, size_t indent, bool is_inline, struct buf *out);
static void put_list(const struct yaml_node *list, size_t indent, bool is_inline, struct buf *out);

static bool
is_word(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!str_is_alnum(c) && c != '_' && (i == 0 || (c != '-' && c != '.')))
			return false;
	}
	return s.n != 0;
}

/* The code point at s (valid UTF-8) and its length. */
static uint32_t
decode(struct str s, size_t *n)
{
	unsigned char lead = (unsigned char)s.p[0];
	uint32_t cp = lead;

	*n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	if (*n > 1)
		cp = lead & (0xffu >> (*n + 1));
	for (size_t i = 1; i < *n && i < s.n; i++)
		cp = cp << 6 | ((unsigned char)s.p[i] & 0x3fu);
	return cp;
}

/* Controls, line breaks of YAML that no one sees, and what a YAML reader refuses. */
static bool
needs_escape(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp <= 0xa0) || cp == 0x2028 || cp == 0x2029 ||
	       cp == 0xfeff || cp == 0xfffe || cp == 0xffff;
}

static void
put_quoted(struct str s, struct buf *out)
{
	size_t n;

	buf_add_char(out, '"');
	for (size_t i = 0; i < s.n; i += n) {
		uint32_t cp = decode(str_of(s.p + i, s.n - i), &n);

		if (n > s.n - i)
			n = s.n - i;
		if (cp == '"' || cp == '\\')
			buf_printf(out, "\\%c", (char)cp);
		else if (needs_escape(cp))
			buf_printf(out, cp < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)cp);
		else
			buf_add(out, str_of(s.p + i, n));
	}
	buf_add_char(out, '"');
}

/* What begins like a word, a path, a number or ${…} is plain in every context. */
static bool
begins_plain(struct str s)
{
	char c = s.p[0];

	if (c == '-')
		return s.n > 1 && s.p[1] >= '0' && s.p[1] <= '9';
	return is_word(str_of(&c, 1)) || c == '/' || c == '$';
}

/*
 * Quotes make a string of a JSON number, so what was plain stays plain; all but words only where it
 * reads the same outside of the braces and brackets that it may have stood in.
 */
static bool
stays_plain(const struct yaml_node *node)
{
	struct str s = node->raw;

	if (!node->is_plain || s.n == 0 || !begins_plain(s) || s.p[s.n - 1] == ':')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

static void
put_scalar(const struct yaml_node *node, struct buf *out)
{
	if (stays_plain(node))
		buf_add(out, node->raw);
	else
		put_quoted(node->raw, out);
}

static void
put_indent(size_t indent, struct buf *out)
{
	for (size_t i = 0; i < indent; i++)
		buf_add_char(out, ' ');
}

/* Scalars and empty containers, which stand on the line of their key. */
static bool
put_short(const struct yaml_node *node, struct buf *out)
{
	if (node->kind == YAML_SCALAR)
		put_scalar(node, out);
	else if (node->n == 0)
		buf_add_c(out, node->kind == YAML_LIST ? "[]" : "{}");
	else
		return false;
	buf_add_char(out, '\n');
	return true;
}

static void
put_container(const struct yaml_node *node, size_t indent, bool is_inline, struct buf *out)
{
	if (node->kind == YAML_MAP)
		put_map(node, indent, is_inline, out);
	else
		put_list(node, indent, is_inline, out);
}

/* is_inline: the first line is begun already, behind a dash. */
static void
put_map(const struct yaml_node *map, size_t indent, bool is_inline, struct buf *out)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct yaml_entry *e = &map->entries[i];

		put_indent(is_inline && i == 0 ? 0 : indent, out);
		if (is_word(e->key))
			buf_add(out, e->key);
		else
			put_quoted(e->key, out);
		buf_add_char(out, ':');
		if (e->value->kind == YAML_SCALAR || e->value->n == 0)
			buf_add_char(out, ' ');
		if (put_short(e->value, out))
			continue;
		buf_add_char(out, '\n');
		put_container(e->value, indent + STEP, false, out);
	}
}

static void
put_list(const struct yaml_node *list, size_t indent, bool is_inline, struct buf *out)
{
	for (size_t i = 0; i < list->n; i++) {
		put_indent(is_inline && i == 0 ? 0 : indent, out);
		buf_add_c(out, "- ");
		if (!put_short(list->entries[i].value, out))
			put_container(list->entries[i].value, indent + STEP, true, out);
	}
}

void
conf_dump(const struct yaml_node *root, struct buf *out)
{
	put_map(root, 0, false, out);
}
