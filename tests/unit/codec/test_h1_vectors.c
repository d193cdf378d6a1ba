/* The wire vectors of tests/data/h1 (see its README), driven against the codec. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/octet.h"
#include "h1_drive.h"
#include "unit.h"

enum { MIN_VECTORS = 400 };

struct vector {
	struct str name;
	bool is_response;
	enum http_method asked;
	struct buf bytes; /* owned */
	struct buf want;  /* owned; the lines of the verdict */
};

static void
read_file(struct buf *b, const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n;

	ck_assert_msg(f != NULL, "%s", path);
	do {
		n = fread(buf_reserve(b, 4096), 1, 4096, f);
		buf_commit(b, n);
	} while (n > 0);
	fclose(f);
}

/* One escape, behind its backslash; returns the characters it takes. */
static size_t
unescape(struct buf *out, struct str s)
{
	static const char names[] = "rnt0\"\\", values[] = "\r\n\t\0\"\\";
	const char *at;

	ck_assert_uint_ge(s.n, 1);
	if (s.p[0] == 'x') {
		ck_assert_uint_ge(s.n, 3);
		buf_add_char(out, (char)(octet_hex(s.p[1]) << 4 |
		    octet_hex(s.p[2])));
		return 3;
	}
	at = strchr(names, s.p[0]);
	ck_assert_msg(at != NULL, "unknown escape \\%c", s.p[0]);
	buf_add_char(out, values[at - names]);
	return 1;
}

/* A string of a vector: [count "*"] quoted. */
static void
add_bytes(struct buf *out, struct str value)
{
	struct buf piece = BUF_INIT;
	size_t quote = str_find(value, '"');
	uint64_t times = 1;
	struct str s;

	if (quote > 0)
		ck_assert(str_to_u64(str_of(value.p, str_find(value, ' ')), &times));
	ck_assert(value.n >= quote + 2 && value.p[value.n - 1] == '"');
	s = str_of(value.p + quote + 1, value.n - quote - 2);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i += unescape(&piece, str_of(s.p + i + 1, s.n - i - 1));
		else
			buf_add_char(&piece, s.p[i]);
	}
	for (; times > 0; times--)
		buf_add(out, buf_str(&piece));
	buf_fini(&piece);
}

static void
add_line(struct vector *v, struct str line)
{
	size_t space = str_find(line, ' ');
	struct str word = str_of(line.p, space);
	struct str value = space == line.n ? STR("") : str_of(line.p + space + 1, line.n - space - 1);

	if (str_eq(word, STR("vector"))) {
		v->name = value;
	} else if (str_eq(word, STR("side"))) {
		v->is_response = str_eq(value, STR("response"));
	} else if (str_eq(word, STR("asked"))) {
		v->asked = http_table_method(value);
	} else if (str_eq(word, STR("bytes"))) {
		add_bytes(&v->bytes, value);
	} else if (!str_eq(word, STR("rfc")) && !str_eq(word, STR("only"))) {
		buf_add(&v->want, line);
		buf_add_char(&v->want, '\n');
	}
}

static void
run_vector(struct vector *v)
{
	struct drive d = { .is_response = v->is_response, .asked = v->asked };
	char name[128];

	ck_assert_uint_gt(v->want.n, 0);
	snprintf(name, sizeof(name), "%.*s", STR_FMT(v->name));
	drive_check(&d, name, buf_str(&v->bytes), buf_str(&v->want));
	buf_fini(&d.out);
	buf_fini(&v->bytes);
	buf_fini(&v->want);
}

/* Returns the number of vectors. */
static size_t
run_file(const char *path)
{
	struct vector v = { .asked = METHOD_GET };
	struct buf text = BUF_INIT;
	struct str rest, line;
	size_t n = 0;

	read_file(&text, path);
	rest = buf_str(&text);
	while (str_split(&rest, '\n', &line)) {
		if (line.n > 0 && line.p[0] != '#')
			add_line(&v, line);
		if (line.n == 0 && !str_is_none(v.name)) {
			run_vector(&v);
			v = (struct vector){ .asked = METHOD_GET };
			n++;
		}
	}
	buf_fini(&text);
	return n;
}

START_TEST(every_vector_has_its_verdict)
{
	const char *srcdir = getenv("srcdir");
	struct buf pattern = BUF_INIT;
	size_t n = 0;
	glob_t files;

	buf_printf(&pattern, "%s/tests/data/h1/*.vec", srcdir == NULL ? ".." : srcdir);
	ck_assert_int_eq(glob(buf_c(&pattern), 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++)
		n += run_file(files.gl_pathv[i]);
	ck_assert_uint_ge(n, MIN_VECTORS);
	globfree(&files);
	buf_fini(&pattern);
}
END_TEST

UNIT_MAIN("h1_vectors", every_vector_has_its_verdict)
