/* The command line of gatherd. What the daemon does is in daemon/; what a file means is in conf/.
 */
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

#define EXIT_USAGE 2
#define DEFAULT_FILE SYSCONFDIR "/gatherd/gatherd.yaml"

struct options {
	const char *file;
	bool is_effective;
};

struct command {
	const char *name;
	int (*run)(const struct options *options);
	bool takes_file;
	bool takes_effective;
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
count_errors(const char *file, size_t n)
{
	fprintf(stderr, "%s: %zu error%s\n", file, n, plural(n));
}

static int
on_check(const struct options *options)
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
		count_errors(options->file, errors.n_errors);
	}
	arena_reset(&arena);
	return status;
}

static int
on_dump(const struct options *options)
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
on_schema(const struct options *options)
{
	struct buf text = BUF_INIT;

	(void)options;
	conf_schema(&text);
	return print(&text);
}

static int
on_reference(const struct options *options)
{
	struct buf text = BUF_INIT;

	(void)options;
	conf_doc(&text);
	return print(&text);
}

static int
on_metrics(const struct options *options)
{
	struct buf text = BUF_INIT;

	(void)options;
	metric_doc(&text);
	return print(&text);
}

static int
on_run(const struct options *options)
{
	return daemon_run(options->file);
}

static const struct command commands[] = {
	{ "run", on_run, true, false, "serve until SIGTERM" },
	{ "check", on_check, true, false, "say everything that is wrong in the configuration" },
	{ "dump", on_dump, true, true, "print the configuration; --effective: with all defaults" },
	{ "schema", on_schema, false, false, "print the JSON schema of the configuration" },
	{ "reference", on_reference, false, false, "print the reference of all keys" },
	{ "metrics", on_metrics, false, false, "print the reference of all metrics" },
};

static void
usage(FILE *to)
{
	fprintf(to, "usage: gatherd COMMAND [-c FILE]\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(to, "  %-10s  %s\n", commands[i].name, commands[i].help);
	fprintf(to, "\n"
		    "  -c, --config FILE  the configuration (" DEFAULT_FILE ")\n"
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

/* EXIT_SUCCESS: run the command. Else: the status to end with, all said; -1: ended well. */
static int
parse_options(const struct command *command, int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "effective", no_argument, NULL, 'e' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return -1;
		}
		if (c == 'c' && command->takes_file)
			options->file = optarg;
		else if (c == 'e' && command->takes_effective)
			options->is_effective = true;
		else
			return complain("not an option of this command", "");
	}
	if (optind != argc)
		return complain("unexpected argument ", argv[optind]);
	return EXIT_SUCCESS;
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
