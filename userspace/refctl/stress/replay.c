// SPDX-License-Identifier: GPL-2.0-only
/*
 * What becomes of a sequence that failed: a shorter one, and a file from which it can
 * be run again.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include <linux/refobj.h>

#include "model.h"

#define MINUTE_NS	60000000000ULL

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/*
 * Reduction
 */

static uint64_t shrink_until;

/* Does this sequence fail? One that fails by chance gets some. */
static bool fails(const struct op *op, unsigned int n, bool by_chance)
{
	int tries = by_chance ? 8 : 1;

	while (tries-- && now_ns() < shrink_until) {
		memcpy(out->op, op, n * sizeof(*op));
		if (!model_run(0, n, 0))
			return true;
	}
	return false;
}

/* Try it without this stretch. */
static bool without(struct op *op, unsigned int *n, unsigned int at,
		    unsigned int size, bool by_chance)
{
	static struct op some[OPS_MAX];

	memcpy(some, op, at * sizeof(*op));
	memcpy(some + at, op + at + size, (*n - at - size) * sizeof(*op));
	if (!fails(some, *n - size, by_chance))
		return false;
	/* It may even have failed before its end. */
	*n = out->n;
	memcpy(op, some, *n * sizeof(*op));
	return true;
}

static void simplify(struct op *op, unsigned int n, unsigned int at,
		     bool by_chance)
{
	struct op was = op[at];
	unsigned int i;

	if (was.kind == TOGETHER)
		return;
	for (i = 0; i < 3; i++) {
		struct op try = op[at];

		if (i == 0)
			try.n = try.n > 1 && try.kind >= CREATE ? 1 : try.n;
		else if (i == 1)
			try.flag = 0;
		else
			try.gen = PRESENT;
		was = op[at];
		if (try.n == was.n && try.flag == was.flag && try.gen == was.gen)
			continue;
		op[at] = try;
		if (!fails(op, n, by_chance))
			op[at] = was;
	}
}

static unsigned int shrink(struct op *op, unsigned int n, bool by_chance)
{
	unsigned int size, at, before;

	for (at = 0, before = 0; at < n; at++)
		if (!out->idle[at])
			op[before++] = op[at];
	n = before;
	do {
		before = n;
		for (size = (n + 1) / 2; size; size = size > 1 ? (size + 1) / 2 : 0)
			for (at = 0; at + size <= n;)
				if (!without(op, &n, at, size, by_chance))
					at += size;
	} while (n < before && now_ns() < shrink_until);
	for (at = 0; at < n; at++)
		simplify(op, n, at, by_chance);
	return n;
}

/*
 * Files
 */

void model_op_text(const struct op *op, char *text, size_t size)
{
	snprintf(text, size, "%s w%u s%u o%u n%u f%u g%u", verb[op->kind],
		 op->w, op->s, op->o, op->n, op->flag, op->gen);
}

/*
 * 1: a line as written above, also if it was copied from what was printed; -1: it
 * cannot be done; 0: it is another one.
 */
static int read_op(const char *line, struct op *op)
{
	unsigned int w, s, o, n, f, g;
	char word[24];
	int i;

	line += strspn(line, "# \t");
	if (sscanf(line, "%23s w%u s%u o%u n%u f%u g%u", word, &w, &s, &o, &n,
		   &f, &g) != 7)
		return 0;
	for (i = 0; i < KINDS && strcmp(word, verb[i]) != 0; i++)
		;
	if (i == KINDS || w >= WORKERS || s >= FDS ||
	    (i != TOGETHER && o >= (i == TAKE ? FDS : OBJECTS)) ||
	    ((i == FORK || i == TAKE) && n >= WORKERS) ||
	    (i == DUP && n >= FDS) ||
	    ((i == LINK || i == UNLINK) && n >= OBJECTS) ||
	    ((i == EXPORT || i == CLOSE_OBJFD || i == READ_OBJFD) &&
	     n >= OBJFDS) || (i == IMPORT && o >= OBJFDS) ||
	    ((i == SET_WHY || i == SET_WHY_SESSION) && n >= WHYS) ||
	    (i == TOGETHER && f > WORKERS))
		return -1;
	*op = (struct op) {
		.kind = (unsigned char)i, .w = (unsigned char)w,
		.s = (unsigned char)s, .o = (unsigned char)o, .n = n,
		.flag = (unsigned char)f, .gen = (unsigned char)g,
	};
	return 1;
}

int model_load(const char *path, char *why, size_t size)
{
	FILE *f = fopen(path, "re");
	int n = 0, at = 0, ret = 0;
	char line[200];

	if (!f) {
		snprintf(why, size, "%s: %s", path, strerror(errno));
		return -1;
	}
	while (n < OPS_MAX && ret >= 0 && fgets(line, sizeof(line), f)) {
		at++;
		ret = read_op(line, &out->op[n]);
		n += ret > 0;
	}
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	if (ret < 0)
		snprintf(why, size,
			 "%s:%d: expected an operation as a failed run prints it, got '%s'",
			 path, at, line);
	else if (!n)
		snprintf(why, size,
			 "%s: expected the operations that a failed run prints, got none",
			 path);
	return ret < 0 || !n ? -1 : n;
}

static void write_file(FILE *to, const char *prefix, const char *path,
		       const struct op *op, unsigned int n)
{
	FILE *f = fopen(path, "we");
	bool ok = f;
	unsigned int i;
	char text[80];

	for (i = 0; f && i < n; i++) {
		model_op_text(&op[i], text, sizeof(text));
		ok = fprintf(f, "%s\n", text) > 0 && ok;
	}
	ok = f && !fclose(f) && ok;
	if (ok)
		fprintf(to, "%sfor --replay: %s\n", prefix, path);
	else
		fprintf(to, "%s%s cannot be written: %s\n", prefix, path,
			strerror(errno));
}

unsigned int model_report(FILE *to, const char *prefix, const char *path,
			  struct op *op)
{
	bool by_chance = out->together;
	uint64_t start = now_ns();
	unsigned int n = out->n, i;
	char text[80];

	memcpy(op, out->op, n * sizeof(*op));
	fprintf(to, "%soperation %u: %s\n", prefix, n, out->what);
	if (n) {
		model_op_text(&op[n - 1], text, sizeof(text));
		fprintf(to, "%s  %s\n", prefix, text);
	}

	/* What fails by chance is often seen in peace too, and then shorter. */
	limits.in_turn = true;
	for (i = 1; by_chance && i <= 20; i++) {
		if (model_run(i, 400, 0))
			continue;
		by_chance = false;
		n = out->n;
		memcpy(op, out->op, n * sizeof(*op));
		fprintf(to, "%sand with nothing at once, seed %u: %s\n", prefix,
			i, out->what);
	}
	limits.in_turn = false;

	shrink_until = start + patience * MINUTE_NS;
	if (!fails(op, n, by_chance)) {
		fprintf(to, "%sthe same operations do not fail again\n", prefix);
	} else {
		n = shrink(op, out->n, by_chance);
		fails(op, n, by_chance);
		fprintf(to, "%sreduced to %u operations in %llu s: %s\n", prefix,
			n, (unsigned long long)(now_ns() - start) / 1000000000,
			out->failed ? out->what : "it fails by chance");
	}
	if (n > 200)
		fprintf(to, "%s%u operations, of which these are the last\n",
			prefix, n);
	for (i = n > 200 ? n - 200 : 0; i < n; i++) {
		model_op_text(&op[i], text, sizeof(text));
		fprintf(to, "%s  %s\n", prefix, text);
	}
	if (path)
		write_file(to, prefix, path, op, n);
	return n;
}
