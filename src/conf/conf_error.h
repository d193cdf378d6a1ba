/*
 * What is wrong in the files: all of it, collected in one run, sorted by place, each with the path
 * of the key.
 */
#ifndef CONF_CONF_ERROR_H
#define CONF_CONF_ERROR_H

#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/conf_value.h"

#define CONF_ERRORS_MAX 500 /* more are not kept, neither of errors nor of warnings */

struct conf_error {
	struct conf_pos pos;
	struct str path; /* of the key; may be empty */
	struct str text;
	bool is_warning;
};

struct conf_errors {
	struct arena *arena; /* borrowed; texts and the list live in it */
	struct conf_error *at;
	size_t n;
	size_t cap;
	size_t n_warnings; /* of the n */
	size_t n_errors;   /* those that were not kept included */
	bool has_more;     /* errors were not kept */
	bool has_more_warnings;
};

void conf_error_init(struct conf_errors *errors, struct arena *a);
/* The key path is that of pos.node; pos may be without file: then only path and text are printed. */
void conf_error_add(struct conf_errors *errors, struct conf_pos pos, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Said, but does not refuse the file. */
void conf_error_warn(struct conf_errors *errors, struct conf_pos pos, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* CONF_ERRORS_MAX errors are kept: saying more is of no use. */
bool conf_error_is_full(const struct conf_errors *errors);
/* By file, line and column; what was said twice of one place stays once. */
void conf_error_sort(struct conf_errors *errors);
/* One line each, `file:line:col: path: text`; warnings say so. Then a line when some were not kept. */
void conf_error_print(const struct conf_errors *errors, FILE *to);
/* As conf_error_print(), one line into the arena of the errors. */
struct str conf_error_line(const struct conf_errors *errors, const struct conf_error *e);

#endif
