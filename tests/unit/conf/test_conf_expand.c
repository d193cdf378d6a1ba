#include "conf/conf_expand.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static struct arena arena;
static struct conf_errors errors;
static char dir[32];

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

/* The one value of a file in `dir`. */
static const struct yaml_node *
expand(const char *text)
{
	struct yaml_node *root;

	conf_error_init(&errors, &arena);
	yaml_tree_parse(
	    str_c(text), arena_printf(&arena, "%s/a.yaml", dir).p, &arena, &errors, &root);
	conf_expand_tree(root, true, &arena, &errors);
	return root->entries[0].value;
}

static void
setup(void)
{
	snprintf(dir, sizeof dir, "/tmp/gatherd-expand-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	arena_init(&arena, NULL, 0);
	setenv("GATHERD_TEST_NAME", "Ada", 1);
	setenv("GATHERD_TEST_EMPTY", "", 1);
	setenv("GATHERD_TEST_BRACES", "{a} ${HOME}", 1);
	unsetenv("CREDENTIALS_DIRECTORY");
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

static void
teardown(void)
{
	ck_assert_int_eq(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	arena_reset(&arena);
}

START_TEST(expands_the_environment)
{
	setup();
	ck_assert_str_is(expand("k: ${GATHERD_TEST_NAME}")->text, "Ada");
	ck_assert_str_is(expand("k: a${GATHERD_TEST_NAME}b${GATHERD_TEST_EMPTY}c")->text, "aAdabc");
	ck_assert_str_is(
	    expand("k: '$GATHERD_TEST_NAME {x} $ $$ }'")->text, "$GATHERD_TEST_NAME {x} $ $$ }");
	ck_assert_str_is(expand("k: $${GATHERD_TEST_NAME}")->text, "${GATHERD_TEST_NAME}");
	ck_assert_str_is(expand("k: $${GATHERD_TEST_NAME}")->raw, "$${GATHERD_TEST_NAME}");
	ck_assert_uint_eq(errors.n, 0);
	teardown();
}
END_TEST

START_TEST(what_comes_out_is_not_expanded_again_and_no_template)
{
	const struct yaml_node *node;

	setup();
	node = expand("k: '{x}${GATHERD_TEST_BRACES}'");
	ck_assert_str_is(node->text, "{x}{a} ${HOME}");
	ck_assert_str_is(node->literal, "{x}{{a} ${{HOME}");
	ck_assert_str_is(expand("k: $${x}")->literal, "${{x}");
	ck_assert_uint_eq(errors.n, 0);
	teardown();
}
END_TEST

START_TEST(reads_files_beside_the_configuration)
{
	setup();
	write_file(arena_printf(&arena, "%s/secret", dir).p, "s3cret\n");
	write_file(arena_printf(&arena, "%s/lines", dir).p, "a\n\n");
	ck_assert_str_is(expand("k: ${file:secret}")->text, "s3cret");
	ck_assert_str_is(expand("k: ${file:./lines}")->text, "a\n");
	ck_assert_str_is(
	    expand(arena_printf(&arena, "k: ${file:%s/secret}", dir).p)->text, "s3cret");
	ck_assert_uint_eq(errors.n, 0);
	teardown();
}
END_TEST

START_TEST(credentials_come_first)
{
	const char *creds;

	setup();
	creds = arena_printf(&arena, "%s/creds", dir).p;
	ck_assert_int_eq(mkdir(creds, 0700), 0);
	write_file(arena_printf(&arena, "%s/token", creds).p, "from systemd");
	write_file(arena_printf(&arena, "%s/token", dir).p, "from the folder");
	write_file(arena_printf(&arena, "%s/other", dir).p, "not a credential");
	setenv("CREDENTIALS_DIRECTORY", creds, 1);
	ck_assert_str_is(expand("k: ${file:token}")->text, "from systemd");
	ck_assert_str_is(expand("k: ${file:./token}")->text, "from the folder");
	ck_assert_str_is(expand("k: ${file:other}")->text, "not a credential");
	ck_assert_uint_eq(errors.n, 0);
	teardown();
}
END_TEST

START_TEST(a_failure_is_said_once_and_breaks_the_value)
{
	setup();
	ck_assert_int_eq(expand("k: ${GATHERD_TEST_NOT_THERE} ${ALSO_NOT")->kind, YAML_BROKEN);
	ck_assert_uint_eq(errors.n, 1);
	teardown();
}
END_TEST

START_TEST(a_file_has_a_limit_and_a_fifo_does_not_hang)
{
	struct str text;
	const char *path;

	setup();
	path = arena_printf(&arena, "%s/big", dir).p;
	write_file(path, "0123456789");
	ck_assert_ptr_null(conf_expand_read(path, 10, &arena, &text));
	ck_assert_str_is(text, "0123456789");
	ck_assert_str_eq(conf_expand_read(path, 9, &arena, &text), "larger than 9 bytes");
	path = arena_printf(&arena, "%s/fifo", dir).p;
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_ptr_null(conf_expand_read(path, 10, &arena, &text));
	ck_assert_uint_eq(text.n, 0);
	teardown();
}
END_TEST

UNIT_MAIN("conf_expand", expands_the_environment,
    what_comes_out_is_not_expanded_again_and_no_template, reads_files_beside_the_configuration,
    credentials_come_first, a_failure_is_said_once_and_breaks_the_value,
    a_file_has_a_limit_and_a_fifo_does_not_hang)
