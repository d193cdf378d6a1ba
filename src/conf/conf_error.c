/* The list of what is wrong in the files. Start-up and reload only; one thread. */
#include "conf/conf_error.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "conf/yaml_tree.h"

#define TEXT_MAX 1024

void
conf_error_init(struct conf_errors *errors, struct arena *a)
{
	*errors = (struct conf_errors){ .arena = a };
}

static struct conf_error *
grow(struct conf_errors *errors)
{
	if (errors->n == errors->cap) {
		size_t cap = errors->cap == 0 ? 16 : errors->cap * 2;
		struct conf_error *at = arena_calloc(errors->arena, cap, sizeof *at);

		if (errors->n != 0)
			memcpy(at, errors->at, errors->n * sizeof *at);
		errors->at = at;
		errors->cap = cap;
	}
	return &errors->at[errors->n++];
}

/* File names and values may hold anything; a message is one line of printable text. */
static void
make_printable(char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
}

static void PRINTF_LIKE(4, 0) add(
    struct conf_errors *errors, struct conf_pos pos, bool is_warning, const char *fmt, va_list ap)
{
	char path[YAML_TREE_PATH_MAX], text[TEXT_MAX];
	struct conf_error *e;

	vsnprintf(text, sizeof text, fmt, ap);
	make_printable(text);
	e = grow(errors);
	e->pos = pos;
	e->path = str_none();
	if (pos.node != NULL) {
		yaml_tree_path(pos.node, path);
		make_printable(path);
		e->path = arena_str(errors->arena, str_c(path));
	}
	e->text = arena_str(errors->arena, str_c(text));
	e->is_warning = is_warning;
}

void
conf_error_add(struct conf_errors *errors, struct conf_pos pos, const char *fmt, ...)
{
	va_list ap;

	errors->n_errors++;
	if (conf_error_is_full(errors)) {
		errors->has_more = true;
		return;
	}
	va_start(ap, fmt);
	add(errors, pos, false, fmt, ap);
	va_end(ap);
}

void
conf_error_warn(struct conf_errors *errors, struct conf_pos pos, const char *fmt, ...)
{
	va_list ap;

	if (errors->n_warnings == CONF_ERRORS_MAX) {
		errors->has_more_warnings = true;
		return;
	}
	errors->n_warnings++;
	va_start(ap, fmt);
	add(errors, pos, true, fmt, ap);
	va_end(ap);
}

bool
conf_error_is_full(const struct conf_errors *errors)
{
	return errors->n - errors->n_warnings >= CONF_ERRORS_MAX;
}

static int
compare(const void *left, const void *right)
{
	const struct conf_error *a = left, *b = right;
	int c = str_cmp(str_c(a->pos.file), str_c(b->pos.file));

	if (c == 0)
		c = (a->pos.line > b->pos.line) - (a->pos.line < b->pos.line);
	if (c == 0)
		c = (a->pos.column > b->pos.column) - (a->pos.column < b->pos.column);
	if (c == 0)
		c = str_cmp(a->path, b->path);
	return c != 0 ? c : str_cmp(a->text, b->text);
}

void
conf_error_sort(struct conf_errors *errors)
{
	size_t kept = 0;

	if (errors->n == 0)
		return;
	qsort(errors->at, errors->n, sizeof *errors->at, compare);
	for (size_t i = 1; i < errors->n; i++)
		if (compare(&errors->at[kept], &errors->at[i]) != 0)
			errors->at[++kept] = errors->at[i];
	errors->n = kept + 1;
	errors->n_warnings = 0;
	for (size_t i = 0; i < errors->n; i++)
		errors->n_warnings += errors->at[i].is_warning;
	if (!errors->has_more) /* else the count includes those that are not here */
		errors->n_errors = errors->n - errors->n_warnings;
}

struct str
conf_error_line(const struct conf_errors *errors, const struct conf_error *e)
{
	struct str place = STR("");

	if (e->pos.file != NULL && e->pos.line == 0)
		place = arena_printf(errors->arena, "%s: ", e->pos.file);
	else if (e->pos.file != NULL)
		place = arena_printf(
		    errors->arena, "%s:%u:%u: ", e->pos.file, e->pos.line, e->pos.column);
	return arena_printf(errors->arena, "%.*s%s%.*s%s%.*s", STR_FMT(place),
	    e->is_warning ? "warning: " : "", STR_FMT(e->path), e->path.n == 0 ? "" : ": ",
	    STR_FMT(e->text));
}

void
conf_error_print(const struct conf_errors *errors, FILE *to)
{
	for (size_t i = 0; i < errors->n; i++) {
		struct str line = conf_error_line(errors, &errors->at[i]);

		fprintf(to, "%.*s\n", STR_FMT(line));
	}
	if (errors->has_more)
		fprintf(to, "and more errors, not shown\n");
	if (errors->has_more_warnings)
		fprintf(to, "and more warnings, not shown\n");
}
