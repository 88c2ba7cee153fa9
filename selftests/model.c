// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module against a model of it, for some seeds: see refctl/stress/model.c, which
 * this is linked with, and "refctl stress", which does it for as long as one likes.
 *
 *	model [--seed N] [--ops N] [--seconds N] [--replay FILE]
 *
 * or SEED=, OPS=, SECONDS= in the environment. Without seconds there is a fixed
 * number of seeds from N on. A seed's failure is reduced to a short sequence of
 * operations that still fails, and printed as lines for --replay.
 */
#define _GNU_SOURCE
#include <time.h>

#include "refobj_proc.h"
#include "../userspace/refctl/stress/model.h"
#include "../kselftest.h"

static unsigned long to_number(const char *text, const char *what,
			       unsigned long max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (!*text || *end || n > max) {
		fprintf(stderr, "model: %s: not a number up to %lu: '%s'\n",
			what, max, text);
		exit(1);
	}
	return n;
}

static unsigned long from_env(const char *name, unsigned long otherwise,
			      unsigned long max)
{
	const char *text = getenv(name);

	return text ? to_number(text, name, max) : otherwise;
}

static void report(unsigned long seed)
{
	static struct op op[OPS_MAX];
	const char *folder = getenv("REFOBJ_VM_LOG");
	char path[200];

	if (folder)
		snprintf(path, sizeof(path), "%s/model-%lu.replay", folder,
			 seed);
	ksft_print_msg("seed %lu\n", seed);
	model_report(stdout, "# ", folder ? path : NULL, op);
}

static void run_file(const char *path)
{
	char why[400];
	int n = model_load(path, why, sizeof(why));

	if (n < 0) {
		fprintf(stderr, "model: %s\n", why);
		exit(1);
	}
	ksft_set_plan(1);
	if (!model_run(0, n, 0)) {
		report(0);
		ksft_test_result_fail("replay of %d operations\n", n);
	} else {
		ksft_test_result_pass("replay of %d operations\n", n);
	}
	ksft_finished();
}

/* Seeds until the time is over or one fails. */
static void run_long(uint64_t seed, unsigned int ops, unsigned int seconds)
{
	uint64_t start = ro_now_ns(), until = start + seconds * 1000000000ULL;
	unsigned long total = 0, seeds = 0;
	uint64_t note = start;
	bool ok = true;

	ksft_set_plan(1);
	while (ok && ro_now_ns() < until) {
		ok = model_run(seed, ops, until);
		total += out->n;
		seeds++;
		if (!ok) {
			ksft_print_msg("failed after %llu s\n",
				       (unsigned long long)(ro_now_ns() - start) /
				       1000000000);
			report(seed);
		}
		seed++;
		if (ro_now_ns() - note > 30000000000ULL) {
			note = ro_now_ns();
			ksft_print_msg("%llu s: %lu seeds, %lu operations\n",
				       (unsigned long long)(note - start) /
				       1000000000, seeds, total);
		}
	}
	ksft_test_result(ok, "%lu operations from %lu seeds in %llu s\n", total,
			 seeds, (unsigned long long)(ro_now_ns() - start) /
			 1000000000);
	ksft_finished();
}

int main(int argc, char **argv)
{
	unsigned long seed = from_env("SEED", 0, 1UL << 31);
	unsigned long ops = from_env("OPS", 400, OPS_MAX);
	unsigned long seconds = from_env("SECONDS", 0, 1000000);
	unsigned int seeds = 6, i;
	const char *file = NULL, *why;
	int arg;

	if (argc == 4 && !strcmp(argv[1], "stress"))
		model_worker(to_number(argv[3], argv[2], WORKERS - 1));
	for (arg = 1; arg < argc; arg++) {
		const char *next = argv[arg + 1];

		if (!strcmp(argv[arg], "--seed") && next)
			seed = to_number(argv[++arg], "--seed", 1UL << 31);
		else if (!strcmp(argv[arg], "--ops") && next)
			ops = to_number(argv[++arg], "--ops", OPS_MAX);
		else if (!strcmp(argv[arg], "--seconds") && next)
			seconds = to_number(argv[++arg], "--seconds", 1000000);
		else if (!strcmp(argv[arg], "--replay") && next)
			file = argv[++arg];
		else
			break;
	}
	if (arg < argc) {
		fprintf(stderr,
			"usage: model [--seed N] [--ops N] [--seconds N] [--replay FILE]\n");
		return 1;
	}

	patience = ro_slow();
	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	why = model_prepare();
	if (why)
		ksft_exit_skip("%s\n", why);

	if (file)
		run_file(file);
	if (seconds)
		run_long(seed ?: (unsigned int)time(NULL), ops, seconds);
	if (seed)
		seeds = 1;
	else
		seed = 1;
	ksft_set_plan(seeds);
	for (i = 0; i < seeds; i++, seed++) {
		uint64_t start = ro_now_ns();
		bool ok = model_run(seed, ops, 0);

		if (!ok)
			report(seed);
		ksft_test_result(ok, "seed_%lu\n", seed);
		ksft_print_msg("%u operations in %llu ms\n", out->n,
			       (unsigned long long)(ro_now_ns() - start) /
			       1000000);
	}
	ksft_finished();
}
