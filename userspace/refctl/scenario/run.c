// SPDX-License-Identifier: GPL-2.0-only
/*
 * refctl run: does what scenario files say.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../refctl.h"
#include "scenario.h"

enum { OPTION_DRY_RUN = 256, OPTION_KEEP_GOING, OPTION_TRACE, OPTION_SEED };

static struct {
	bool dry_run;
	bool keep_going;
	bool trace;
	uint64_t seed;
} run = { .seed = 1 };

static const struct option_text run_options[] = {
	{ "dry-run", OPTION_DRY_RUN, NULL, "only read, and print the steps" },
	{ "seed", OPTION_SEED, "N", "what chance depends on (1)" },
	{ NULL, 0, NULL, NULL }
};

static bool run_option(int code, const char *arg)
{
	switch (code) {
	case OPTION_DRY_RUN:
		run.dry_run = true;
		return true;
	case OPTION_SEED:
		if (parse_number(arg, 10, 0, UINT64_MAX, &run.seed))
			return true;
		complain(NULL, "bad seed '%s': a number is wanted", escape(arg));
		return false;
	default:
		return false;
	}
}

/* Paths of files, sorted within each folder. */
struct paths {
	char **path;
	size_t n;
};

static void add_path(struct paths *paths, char *path)
{
	paths->path = xrealloc(paths->path, paths->n + 1,
			       sizeof(*paths->path));
	paths->path[paths->n++] = path;
}

static int only_scenarios(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 4 && *d->d_name != '.' && !strcmp(d->d_name + n - 4, ".scn");
}

static bool find_files(struct paths *paths, const char *arg)
{
	struct dirent **entries;
	struct stat st;
	int n, i;

	if (stat(arg, &st)) {
		complain(arg, "%s", strerror(errno));
		return false;
	}
	if (!S_ISDIR(st.st_mode)) {
		add_path(paths, xstrdup(arg));
		return true;
	}
	n = scandir(arg, &entries, only_scenarios, alphasort);
	if (n < 0) {
		complain(arg, "%s", strerror(errno));
		return false;
	}
	for (i = 0; i < n; i++) {
		add_path(paths, xprintf("%s/%s", arg, entries[i]->d_name));
		free(entries[i]);
	}
	free(entries);
	if (!n)
		complain(arg, "there is no file *.scn in this folder");
	return n;
}

static void print_steps(const struct scn_step *step, int depth)
{
	for (; step; step = step->next) {
		printf("%*s%s\n", depth, "", step->text);
		print_steps(step->body, depth + 4);
	}
}

static void print_plan(const struct scn_file *file)
{
	const struct scn_scenario *s;

	for (s = file->scenarios; s; s = s->next) {
		printf("%s:%d: %s: %d steps, %d actors, %d objects\n",
		       s->loc.file, s->loc.line, s->title, s->n_steps,
		       s->n_actors, s->n_objects);
		print_steps(s->steps, 4);
	}
}

static int run_file(const char *path)
{
	struct scn_file *file = scn_read(path, stderr);
	int ret = EXIT_OK;

	if (!file) {
		complain(path, "%s", strerror(errno));
		return EXIT_FAILED;
	}
	if (!scn_plan(file, run.seed))
		ret = EXIT_FAILED;
	else
		print_plan(file);
	scn_free(file);
	return ret;
}

static int run_run(int argc, char **argv)
{
	struct paths paths = { 0 };
	int i, ret = EXIT_OK;
	size_t p;

	if (!argc)
		return usage_error("a scenario file, or a folder of them, is missing");
	for (i = 0; i < argc; i++)
		if (!find_files(&paths, argv[i]))
			ret = EXIT_FAILED;
	for (p = 0; p < paths.n; p++)
		if (run_file(paths.path[p]))
			ret = EXIT_FAILED;
	for (p = 0; p < paths.n; p++)
		free(paths.path[p]);
	free(paths.path);
	return ret;
}

const struct verb verb_run = {
	.name = "run",
	.args = "[OPTIONS] FILE|DIR...",
	.summary = "do what scenario files say",
	.help = "Does what scenario files say, with real processes, and compares what comes\n"
		"with what was expected; refobj-scenario(5) tells the language. Of a folder\n"
		"all files *.scn are taken.",
	.options = run_options,
	.usage_status = EXIT_USAGE,
	.option = run_option,
	.run = run_run,
};
