// SPDX-License-Identifier: GPL-2.0-only
/* refctl stress: random operations of several processes, watched by a model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "../refctl.h"
#include "model.h"

#define EXIT_SKIPPED	4	/* as kselftests have it */
#define SEED_MAX	(UINT64_MAX >> 1)

static struct {
	uint64_t seconds, ops, seed;
	const char *replay, *save;
} options = { .seconds = 10, .ops = 400 };

/* What came of it: the one row of the table. */
struct summary {
	uint64_t seed, seeds, ops, kills, objects, ns;
	bool failed;
	char what[sizeof(((struct outcome *)0)->what)];
	struct op *op;			/* what still fails */
	unsigned int n;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void get_result(struct cell *cell, const void *row)
{
	const struct summary *s = row;

	cell_string(cell, s->failed ? "failed" : "ok");
}

static void get_seed(struct cell *cell, const void *row)
{
	const struct summary *s = row;

	if (s->seed)
		cell_uint(cell, s->seed);
}

static void get_seeds(struct cell *cell, const void *row)
{
	cell_uint(cell, ((const struct summary *)row)->seeds);
}

static void get_ops(struct cell *cell, const void *row)
{
	cell_uint(cell, ((const struct summary *)row)->ops);
}

static void get_kills(struct cell *cell, const void *row)
{
	cell_uint(cell, ((const struct summary *)row)->kills);
}

static void get_objects(struct cell *cell, const void *row)
{
	cell_uint(cell, ((const struct summary *)row)->objects);
}

static void get_milliseconds(struct cell *cell, const void *row)
{
	cell_uint(cell, ((const struct summary *)row)->ns / 1000000);
}

static void get_rate(struct cell *cell, const void *row)
{
	const struct summary *s = row;

	cell_uint(cell, s->ns ? s->ops * 1000000000 / s->ns : 0);
}

static void get_what(struct cell *cell, const void *row)
{
	const struct summary *s = row;

	if (s->failed)
		cell_string(cell, s->what);
}

/* The sequence that still fails, a line each, as --replay takes them. */
static void get_sequence(struct cell *cell, const void *row)
{
	const struct summary *s = row;
	char text[80];
	unsigned int i;

	if (!s->failed)
		return;
	cell->text = xprintf("%u operations", s->n);
	cell->json = json_object_new_array();
	for (i = 0; i < s->n; i++) {
		model_op_text(&s->op[i], text, sizeof(text));
		json_object_array_add(cell->json, json_object_new_string(text));
	}
}

static const struct column stress_columns[] = {
	{ "RESULT", COLUMN_DEFAULT, 6, "ok, or failed", get_result },
	{ "SEED", COLUMN_DEFAULT | COLUMN_RIGHT, 4,
	  "the first seed, or the one that failed", get_seed },
	{ "SEEDS", COLUMN_DEFAULT | COLUMN_RIGHT, 5, "how many", get_seeds },
	{ "OPS", COLUMN_DEFAULT | COLUMN_RIGHT, 6,
	  "operations that were done and compared", get_ops },
	{ "KILLS", COLUMN_DEFAULT | COLUMN_RIGHT, 5, "processes that were killed",
	  get_kills },
	{ "OBJECTS", COLUMN_DEFAULT | COLUMN_RIGHT, 7, "objects that were created",
	  get_objects },
	{ "MS", COLUMN_DEFAULT | COLUMN_RIGHT, 6, "milliseconds that it took",
	  get_milliseconds },
	{ "RATE", COLUMN_DEFAULT | COLUMN_RIGHT, 6, "operations a second",
	  get_rate },
	{ "WHAT", 0, 20, "what was not as it must be", get_what },
	{ "SEQUENCE", 0, 13, "the operations that still fail, for --replay",
	  get_sequence },
};

static const struct table stress_table = {
	.name = "stress",
	.columns = stress_columns, .n_columns = ARRAY_SIZE(stress_columns),
};

/* A number of an option, or a complaint. */
static bool take_number(const char *arg, const char *what, uint64_t min,
			uint64_t max, uint64_t *n)
{
	if (parse_number(arg, 10, min, max, n))
		return true;
	complain(NULL, "bad %s '%s': a number from %llu to %llu is wanted",
		 what, escape(arg), (unsigned long long)min,
		 (unsigned long long)max);
	return false;
}

static bool stress_option(int code, const char *arg)
{
	uint64_t n;

	switch (code) {
	case 'a':
		if (!take_number(arg, "number of actors", 1, WORKERS, &n))
			return false;
		limits.actors = (unsigned int)n;
		return true;
	case 'b':
		if (!take_number(arg, "number of objects", 1, OBJECTS, &n))
			return false;
		limits.objects = (unsigned int)n;
		return true;
	case 'k':
		if (!take_number(arg, "share of kills", 0, 100, &n))
			return false;
		limits.kills = (int)n;
		return true;
	case 't':
		return take_number(arg, "number of seconds", 1, 1000000,
				   &options.seconds);
	case 'c':
		return take_number(arg, "number of operations", 1, OPS_MAX,
				   &options.ops);
	case 's':
		return take_number(arg, "seed", 1, SEED_MAX, &options.seed);
	case 'R':
		options.replay = arg;
		return true;
	default:
		options.save = arg;
		return true;
	}
}

/* On one line, which the next one covers. */
static void progress(const struct summary *s, uint64_t left)
{
	struct winsize size = { .ws_col = 80 };
	char text[160];

	if (!isatty(STDERR_FILENO))
		return;
	ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
	snprintf(text, sizeof(text),
		 "%llu operations, %llu kills, %llu objects, %llu s left",
		 (unsigned long long)s->ops, (unsigned long long)s->kills,
		 (unsigned long long)s->objects,
		 (unsigned long long)left / 1000000000);
	fprintf(stderr, "\r\033[K%.*s", size.ws_col ? size.ws_col - 1 : 79,
		text);
}

static void count(struct summary *s)
{
	s->ops += out->n;
	s->kills += out->kills;
	s->objects += out->objects;
}

static void run_seeds(struct summary *s, uint64_t start)
{
	uint64_t until = start + options.seconds * 1000000000, now;

	s->seed = options.seed ? options.seed : (uint64_t)time(NULL);
	do {
		s->failed = !model_run(s->seed + s->seeds, (unsigned int)options.ops,
				       until);
		s->seeds++;
		count(s);
		now = now_ns();
		progress(s, now < until ? until - now : 0);
	} while (!s->failed && now < until);
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (s->failed)
		s->seed += s->seeds - 1;
}

/* What failed, for a person; with JSON it is in that. */
static void explain(struct summary *s)
{
	FILE *to = output.json ? fopen("/dev/null", "we") : stdout;

	snprintf(s->what, sizeof(s->what), "%s", out->what);
	s->op = xrealloc(NULL, OPS_MAX, sizeof(*s->op));
	if (!to)
		return;
	if (s->seed)
		fprintf(to, "seed %llu failed, which is being reduced:\n",
			(unsigned long long)s->seed);
	fflush(to);
	s->n = model_report(to, "  ", options.save, s->op);
	if (to != stdout)
		fclose(to);
	else if (!options.save)
		puts("  for --replay: put these lines into a file, or ask for one with --save");
}

static int run_stress(int argc, char **argv)
{
	struct summary s = { 0 };
	const char *why, *slow = getenv("REFOBJ_SLOW");
	uint64_t start, w;
	char wrong[400];
	int n;

	/* A process of a run that has executed: see model_worker(). */
	if (argc == 2 && !strcmp(argv[0], "worker") &&
	    parse_number(argv[1], 10, 0, WORKERS - 1, &w))
		model_worker((unsigned int)w);
	if (argc)
		return usage_error("unexpected '%s'", escape(argv[0]));
	if (options.replay && options.seed)
		return usage_error("--replay repeats a sequence: it needs no --seed");
	patience = slow && atoi(slow) > 1 ? (unsigned int)atoi(slow) : 1;
	why = model_prepare();
	if (why) {
		complain(NULL, "nothing was done: %s", why);
		return EXIT_SKIPPED;
	}
	start = now_ns();
	if (options.replay) {
		n = model_load(options.replay, wrong, sizeof(wrong));
		if (n < 0)
			return usage_error("%s", wrong);
		s.failed = !model_run(0, (unsigned int)n, 0);
		count(&s);
	} else {
		run_seeds(&s, start);
	}
	s.ns = now_ns() - start;
	if (s.failed)
		explain(&s);
	table_print(&stress_table, &s, 1, sizeof(s));
	free(s.op);
	return s.failed ? EXIT_FAILED : EXIT_OK;
}

static const struct option_text stress_options[] = {
	{ "actors", 'a', "N", "processes at a time, 1 to 6 (6)" },
	{ "objects", 'b', "N", "objects at a time, 1 to 9 (9)" },
	{ "seconds", 't', "N", "go on for so long (10)" },
	{ "ops", 'c', "N", "operations from one seed, up to 20000 (400)" },
	{ "kills", 'k', "PERCENT", "operations that kill a process (some)" },
	{ "seed", 's', "N", "the first seed (the time)" },
	{ "replay", 'R', "FILE", "do the operations of a run that failed" },
	{ "save", 'S', "FILE", "write the operations that fail there" },
	{ NULL, 0, NULL, NULL }
};

const struct verb verb_stress = {
	.name = "stress",
	.args = "[OPTIONS]",
	.summary = "random operations, compared with a model (root, for tests)",
	.help = "Has several processes do random operations: create, attach, acquire, release,\n"
		"watch, wait, link, export..., fork, execute, get killed. After each its result\n"
		"and all that can be seen of the objects is compared with a model of what must\n"
		"be. It uses a network namespace of its own, and touches no other object.\n"
		"\n"
		"A seed that fails is reduced to a short sequence that still fails.\n"
		"\n"
		"Exit status: 0 all was as it must be, 1 something was not, 2 wrong usage,\n"
		"4 nothing was done, as the module or a permission is missing.",
	.options = stress_options,
	.option = stress_option,
	.table = &stress_table,
	.usage_status = EXIT_USAGE,
	.run = run_stress,
};
