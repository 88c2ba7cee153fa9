/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What costs how many instructions: the table of rows, and what rows share.
 *
 * A row runs in a process and in namespaces of its own, so what it opens, makes and
 * forks goes with it, and what other rows did is not in its figure. A new one is a
 * function run(), with prepare() and arm() if it needs them, and a line in the table of
 * its file.
 */
#ifndef REFOBJ_BENCH_H
#define REFOBJ_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/**
 * struct axis - what may be many
 * @name: of it
 * @values: how many, growing, up to a 0
 * @grow: makes it that many, from what was made for the value before, in the parent of
 *	the rows, which share it; NULL: the rows do it themselves
 */
struct axis {
	const char *name;
	const unsigned long *values;
	void (*grow)(unsigned long value);
};

/**
 * struct row - what is measured
 * @axis: along which, or NULL
 * @name: of the row
 * @kind: "limit", "peer", "ours", or "memory": bytes instead of instructions
 * @watched: one of those that userspace/bench/gate watches
 * @n: how often it is done in a sample; 0: as often as the value of @axis says
 * @prepare: once, before all; may be NULL
 * @arm: before each sample; may be NULL
 * @run: does it so many times. Of "memory": makes as many as the value of @axis says
 */
struct row {
	const struct axis *axis;
	const char *name;
	const char *kind;
	bool watched;
	unsigned long n;
	void (*prepare)(unsigned long value);
	void (*arm)(unsigned long value);
	void (*run)(unsigned long n);
};

struct rows {
	const struct row *rows;
	size_t count;
};

extern const struct rows limit_rows, refobj_rows, memory_rows;

/* Rows for several processors, each as it is measured. */
void contended(const char *kernel);

/* Ends the row: it cannot be measured here, and why. */
void skip(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/* Ends the row: this failed, with errno or, as the library does it, -errno. */
void failed(const char *what, long ret) __attribute__((noreturn));

/* The result of a call, unless it failed. */
static inline long need(long ret, const char *what)
{
	if (__builtin_expect(ret < 0, 0))
		failed(what, ret);
	return ret;
}

/*
 * A process that has done @start when this returns, and does @work for ever, or sleeps
 * if that is NULL, until the row ends.
 */
int helper(void (*start)(void), void (*work)(void));

/* For rows about death: a helper of @start is killed, and its parent learns of it. */
void victim(void (*start)(void));
void kill_run(unsigned long n);

#endif
