/* The command line of gatherd. What the daemon does is in daemon/; what a file means is in conf/.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "conf/conf_load.h"

#define EXIT_USAGE 2
#define DEFAULT_FILE SYSCONFDIR "/gatherd/gatherd.yaml"

struct options {
	const char *file;
	bool is_effective;
};

static int
on_check(const struct options *options)
{
	struct conf_errors errors;
	struct arena arena;
	struct conf *c = NULL;
	enum err_code e;

	arena_init(&arena, NULL, 0);
	e = conf_load(options->file, &arena, &c, &errors);
	conf_error_print(&errors, stderr);
	arena_reset(&arena);
	return e == ERR_NONE ? EXIT_SUCCESS : EX_CONFIG;
}

int
main(int argc, char **argv)
{
	struct options options = { .file = argc > 3 ? argv[3] : DEFAULT_FILE };

	if (argc < 2)
		return EXIT_USAGE;
	return on_check(&options);
}
