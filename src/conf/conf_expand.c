/* Environment and secret files in scalar values. Start-up and reload only; blocks on files. */
#include "conf/conf_expand.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"

struct expander {
	struct arena *arena;
	struct conf_errors *errors;
	bool may_read;
};

static const char *
read_fd(int fd, size_t max, struct arena *a, struct str *out)
{
	struct buf b = BUF_INIT;
	const char *why = NULL;

	if (file_read(fd, max, &b))
		*out = arena_str(a, buf_str(&b));
	else if (errno == EFBIG)
		why = arena_printf(a, "larger than %zu bytes", max).p;
	else
		why = arena_str(a, str_c(strerror(errno))).p;
	buf_fini(&b);
	return why;
}

const char *
conf_expand_read(const char *path, size_t max, struct arena *a, struct str *out)
{
	struct stat st;
	const char *why;
	/* O_NONBLOCK: a FIFO that no one writes to must not hang the start. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return arena_str(a, str_c(strerror(errno))).p;
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		why = "is a directory";
	else if (fcntl(fd, F_SETFL, 0) != 0)
		why = arena_str(a, str_c(strerror(errno))).p;
	else
		why = read_fd(fd, max, a, out);
	close(fd);
	return why;
}

struct str
conf_expand_path(const char *from, struct str path, struct arena *a)
{
	const char *slash = from == NULL ? NULL : strrchr(from, '/');

	if (slash == NULL || (path.n != 0 && path.p[0] == '/'))
		return arena_str(a, path);
	return arena_printf(a, "%.*s%.*s", (int)(slash - from) + 1, from, STR_FMT(path));
}

/* A credential of systemd has no slash in its name. */
static struct str
secret_path(const struct yaml_node *node, struct str path, struct arena *a)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (dir != NULL && str_find(path, '/') == path.n) {
		struct str full = arena_printf(a, "%s/%.*s", dir, STR_FMT(path));

		if (access(full.p, F_OK) == 0)
			return full;
	}
	return conf_expand_path(node->pos.file, path, a);
}

static bool
expand_file(struct expander *x, const struct yaml_node *node, struct str path, struct str *out)
{
	struct str full = secret_path(node, path, x->arena);
	const char *why;

	if (path.n == 0) {
		conf_error_add(x->errors, node->pos, "${file:} names no file");
		return false;
	}
	why = conf_expand_read(full.p, CONF_EXPAND_FILE_MAX, x->arena, out);
	if (why != NULL) {
		conf_error_add(x->errors, node->pos, "${file:%.*s}: %s", STR_FMT(path), why);
		return false;
	}
	if (out->n != 0 && out->p[out->n - 1] == '\n')
		out->n--;
	return true;
}

static bool
is_env_name(struct str name)
{
	return str_is_word(name) && str_find(name, '-') == name.n &&
	       !(name.p[0] >= '0' && name.p[0] <= '9');
}

static bool
expand_one(struct expander *x, const struct yaml_node *node, struct str name, struct str *out)
{
	const char *value;

	if (!x->may_read) {
		conf_error_add(x->errors, node->pos, "${…} is not allowed here");
		return false;
	}
	if (str_has_prefix(name, STR("file:")))
		return expand_file(x, node, str_of(name.p + 5, name.n - 5), out);
	if (!is_env_name(name)) {
		conf_error_add(x->errors, node->pos,
		    "${%.*s}: expected ${NAME} or ${file:PATH}; $${ is a literal ${",
		    STR_FMT(name));
		return false;
	}
	value = getenv(arena_str(x->arena, name).p);
	if (value == NULL) {
		conf_error_add(
		    x->errors, node->pos, "${%.*s}: not set in the environment", STR_FMT(name));
		return false;
	}
	*out = arena_str(x->arena, str_c(value));
	return true;
}

static void
add_literal(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '{')
			buf_add_char(b, '{');
		buf_add_char(b, s.p[i]);
	}
}

/* Takes what begins at ${ ; *at moves behind it. */
static bool
expand_at(struct expander *x, const struct yaml_node *node, size_t *at, struct buf out[2])
{
	struct str tail = str_of(node->raw.p + *at + 2, node->raw.n - *at - 2), value;
	size_t end = str_find(tail, '}');

	if (end == tail.n) {
		conf_error_add(x->errors, node->pos, "${ without }; $${ is a literal ${");
		return false;
	}
	if (!expand_one(x, node, str_of(tail.p, end), &value))
		return false;
	buf_add(&out[0], value);
	add_literal(&out[1], value);
	*at += end + 3;
	return true;
}

static bool
expand_text(struct expander *x, const struct yaml_node *node, struct buf out[2])
{
	struct str raw = node->raw;

	for (size_t i = 0; i < raw.n;) {
		struct str tail = str_of(raw.p + i, raw.n - i);

		if (str_has_prefix(tail, STR("${"))) {
			if (!expand_at(x, node, &i, out))
				return false;
			continue;
		}
		if (str_has_prefix(tail, STR("$${")))
			i++;
		buf_add_char(&out[0], raw.p[i]);
		buf_add_char(&out[1], raw.p[i]);
		/* the brace of $${ goes out with its dollar, or the next turn would expand it */
		if (raw.p[i++] == '$' && i < raw.n && raw.p[i] == '{') {
			buf_add_char(&out[0], '{');
			buf_add_c(&out[1], "{{");
			i++;
		}
	}
	return true;
}

static void
expand_scalar(struct expander *x, struct yaml_node *node)
{
	struct buf out[2] = { BUF_INIT, BUF_INIT };

	if (memmem(node->raw.p, node->raw.n, "${", 2) == NULL)
		return;
	if (expand_text(x, node, out)) {
		node->text = arena_str(x->arena, buf_str(&out[0]));
		node->literal = arena_str(x->arena, buf_str(&out[1]));
	} else {
		node->kind = YAML_BROKEN;
	}
	buf_fini(&out[0]);
	buf_fini(&out[1]);
}

/* As deep as the tree, which is bounded. */
static void
expand_node(struct expander *x, struct yaml_node *node)
{
	if (node->kind == YAML_SCALAR)
		expand_scalar(x, node);
	for (size_t i = 0; i < node->n; i++)
		expand_node(x, node->entries[i].value);
}

void
conf_expand_tree(struct yaml_node *root, bool may_read, struct arena *a, struct conf_errors *errors)
{
	struct expander x = { a, errors, may_read };

	expand_node(&x, root);
}
