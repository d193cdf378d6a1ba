/* The command line of gatherd. What the daemon does is in daemon/; what a file means is in conf/. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/metric.h"
#include "conf/conf_bound.h"
#include "conf/conf_doc.h"
#include "conf/conf_dump.h"
#include "conf/conf_load.h"
#include "conf/conf_schema.h"
#include "daemon/daemon.h"
#include "daemon/explain.h"
#include "daemon/selftest.h"

#define EXIT_USAGE 2
#define DEFAULT_FILE SYSCONFDIR "/gatherd/gatherd.yaml"

#define FIELDS_MAX 256

struct options {
	const char *file;
	bool is_effective;
	const char *junit; /* of `test`: the file to write; NULL: none */
	struct explain_options request; /* of `explain` */
	struct str fields[FIELDS_MAX];
};

/* Options that a command has. */
enum {
	TAKES_FILE = 1,
	TAKES_EFFECTIVE = 2,
	TAKES_REQUEST = 4, /* and METHOD and URL as words */
	TAKES_JUNIT = 8,   /* and the file as a word */
};

struct command {
	const char *name;
	int (*run)(struct options *options);
	unsigned takes;
	const char *help;
};

/* Writes to standard output; a full disk or a closed pipe is a failure that scripts must see. */
static int
print(struct buf *text)
{
	size_t n = text->n;
	bool is_whole = fwrite(buf_c(text), 1, n, stdout) == n && fflush(stdout) == 0;

	buf_fini(text);
	if (is_whole)
		return EXIT_SUCCESS;
	perror("gatherd: standard output");
	return EXIT_FAILURE;
}

static const char *
plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static int
summarize(const char *file, const struct conf *c)
{
	struct buf line = BUF_INIT;

	buf_printf(&line, "%s: fine: %zu listener%s, %zu upstream%s, %zu route%s, ", file,
	    c->n_listeners, plural(c->n_listeners), c->n_upstreams, plural(c->n_upstreams),
	    c->n_routes, plural(c->n_routes));
	buf_printf(&line, "worst case %llu bytes per exchange\n",
	    (unsigned long long)conf_bound_exchange(c));
	return print(&line);
}

static void
count_errors(const char *file, const struct conf_errors *errors)
{
	/* Those that are not kept may have been told twice. */
	size_t n = errors->n - errors->n_warnings;

	fprintf(stderr, "%s: %s%zu error%s\n", file, errors->has_more ? "more than " : "", n, plural(n));
}

static int
on_check(struct options *options)
{
	struct conf_errors errors;
	struct arena arena;
	struct conf *c;
	int status = EX_CONFIG;

	arena_init(&arena, NULL, 0);
	if (conf_load(options->file, &arena, &c, &errors) == ERR_NONE) {
		conf_error_print(&errors, stderr);
		status = summarize(options->file, c);
	} else {
		conf_error_print(&errors, stderr);
		count_errors(options->file, &errors);
	}
	arena_reset(&arena);
	return status;
}

static int
on_dump(struct options *options)
{
	struct conf_errors errors;
	struct arena arena;
	struct conf *c;
	struct buf text = BUF_INIT;
	int status = EX_CONFIG;

	arena_init(&arena, NULL, 0);
	if (conf_load(options->file, &arena, &c, &errors) == ERR_NONE) {
		conf_dump(options->is_effective ? c->effective : c->written, &text);
		status = print(&text);
	} else {
		conf_error_print(&errors, stderr);
	}
	arena_reset(&arena);
	return status;
}

static int
on_schema(struct options *options)
{
	struct buf text = BUF_INIT;

	(void)options;
	conf_schema(&text);
	return print(&text);
}

static int
on_reference(struct options *options)
{
	struct buf text = BUF_INIT;

	(void)options;
	conf_doc(&text);
	return print(&text);
}

static int
on_metrics(struct options *options)
{
	struct buf text = BUF_INIT;

	(void)options;
	metric_doc(&text);
	return print(&text);
}

static int
on_run(struct options *options)
{
	return daemon_run(options->file);
}

static int
on_explain(struct options *options)
{
	struct buf text = BUF_INIT;
	int status, printed;

	options->request.file = options->file;
	status = explain_run(&options->request, &text);
	printed = print(&text);
	return printed != EXIT_SUCCESS ? printed : status;
}

/* A report that is not whole is a failure, too. */
static bool
write_file(const char *path, struct buf *text)
{
	FILE *f = fopen(path, "we");
	bool is_whole = f != NULL && fwrite(buf_c(text), 1, text->n, f) == text->n;

	if (f != NULL)
		is_whole = fclose(f) == 0 && is_whole;
	buf_fini(text);
	if (!is_whole)
		perror(path);
	return is_whole;
}

static int
on_test(struct options *options)
{
	struct buf tap = BUF_INIT, junit = BUF_INIT;
	const struct selftest_options selftest = {
		.file = options->file,
		.tap = &tap,
		.junit = options->junit == NULL ? NULL : &junit,
	};
	int status = selftest_run(&selftest);
	int printed = print(&tap);

	if (status != EX_CONFIG && options->junit != NULL && !write_file(options->junit, &junit))
		return EXIT_FAILURE;
	return printed != EXIT_SUCCESS ? printed : status;
}

static const struct command commands[] = {
	{ "run", on_run, TAKES_FILE, "serve until SIGTERM" },
	{ "check", on_check, TAKES_FILE, "say everything that is wrong in the configuration" },
	{ "explain", on_explain, TAKES_FILE | TAKES_REQUEST,
	    "METHOD URL: say what becomes of a request, and why" },
	{ "test", on_test, TAKES_FILE | TAKES_JUNIT,
	    "[FILE]: run the tests of the configuration, without sockets" },
	{ "dump", on_dump, TAKES_FILE | TAKES_EFFECTIVE,
	    "print the configuration; --effective: with all defaults" },
	{ "schema", on_schema, 0, "print the JSON schema of the configuration" },
	{ "reference", on_reference, 0, "print the reference of all keys" },
	{ "metrics", on_metrics, 0, "print the reference of all metrics" },
};

static bool
takes(const struct command *command, unsigned option)
{
	return (command->takes & option) != 0;
}

static void
usage(FILE *to)
{
	fprintf(to, "usage: gatherd COMMAND [-c FILE]\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(to, "  %-10s  %s\n", commands[i].name, commands[i].help);
	fprintf(to, "\n"
		    "  -c, --config FILE  the configuration (" DEFAULT_FILE ")\n"
		    "  -H, --header 'Name: value', -d, --data BODY  of the request to explain\n"
		    "  --run-mocks        answer it, too, by the mock services of the configuration\n"
		    "  --junit FILE       write the results of the tests to FILE as well\n"
		    "  -h, --help         this text\n"
		    "  -V, --version      the version\n"
		    "\n"
		    "Exit status: 0 fine, 1 failure at run time, 2 usage, 78 bad configuration.\n");
}

static int
complain(const char *what, const char *word)
{
	fprintf(stderr, "gatherd: %s%s\nTry gatherd --help.\n", what, word);
	return EXIT_USAGE;
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static bool
take_request_option(const struct command *command, struct options *options, int c)
{
	struct explain_options *r = &options->request;

	if (!takes(command, TAKES_REQUEST) || (c == 'H' && r->n_fields == FIELDS_MAX))
		return false;
	if (c == 'H')
		options->fields[r->n_fields++] = str_c(optarg);
	else if (c == 'd')
		r->body = str_c(optarg);
	else if (c == 'm')
		r->runs_mocks = true;
	return c == 'H' || c == 'd' || c == 'm';
}

/* The words that are no options: METHOD and URL, or FILE. */
static int
take_words(const struct command *command, int argc, char **argv, struct options *options)
{
	if (takes(command, TAKES_JUNIT) && optind < argc)
		options->file = argv[optind++];
	if (!takes(command, TAKES_REQUEST) && optind != argc)
		return complain("unexpected argument ", argv[optind]);
	if (!takes(command, TAKES_REQUEST))
		return EXIT_SUCCESS;
	if (argc - optind != 2)
		return complain("METHOD and URL are needed, and nothing else", "");
	options->request.method = str_c(argv[optind]);
	options->request.url = str_c(argv[optind + 1]);
	options->request.fields = options->fields;
	return EXIT_SUCCESS;
}

/* EXIT_SUCCESS: run the command. Else: the status to end with, all said; -1: ended well. */
static int
parse_options(const struct command *command, int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "data", required_argument, NULL, 'd' },
		{ "effective", no_argument, NULL, 'e' },
		{ "header", required_argument, NULL, 'H' },
		{ "help", no_argument, NULL, 'h' },
		{ "junit", required_argument, NULL, 'j' },
		{ "run-mocks", no_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:d:hH:", longs, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return -1;
		}
		if (c == 'c' && takes(command, TAKES_FILE))
			options->file = optarg;
		else if (c == 'e' && takes(command, TAKES_EFFECTIVE))
			options->is_effective = true;
		else if (c == 'j' && takes(command, TAKES_JUNIT))
			options->junit = optarg;
		else if (!take_request_option(command, options, c))
			return complain("not an option of this command", "");
	}
	return take_words(command, argc, argv, options);
}

int
main(int argc, char **argv)
{
	struct options options = { .file = DEFAULT_FILE };
	const struct command *command;
	int status;

	if (argc < 2)
		return complain("a command is needed", "");
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return EXIT_SUCCESS;
	}
	if (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0) {
		printf("gatherd %s\n", PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	command = find_command(argv[1]);
	if (command == NULL)
		return complain("no such command: ", argv[1]);
	status = parse_options(command, argc - 1, argv + 1, &options);
	if (status != EXIT_SUCCESS)
		return status == -1 ? EXIT_SUCCESS : status;
	return command->run(&options);
}
