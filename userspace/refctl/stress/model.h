/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module against a model of it: what refctl stress and the kselftest "model" run.
 *
 * A run is a sequence of operations that several real processes do, each followed by
 * a comparison; it comes from a seed, or from a file that an earlier one left. One that
 * fails is reduced to a short one that still does.
 */
#ifndef REFCTL_STRESS_MODEL_H
#define REFCTL_STRESS_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define WORKERS		6
#define FDS		5	/* sessions of a worker */
#define OBJFDS		3	/* object descriptors of a worker */
#define SESSIONS	(WORKERS * FDS)
#define EXPORTS		(WORKERS * OBJFDS)
#define NAMED		6	/* the objects before this have names */
#define OBJECTS		9
#define WHYS		5	/* reasons to hold something */
#define OPS_MAX		20000	/* of a run */

enum kind {
	SPAWN, FORK, EXEC, KILL, EXIT,
	OPEN, CLOSE, DUP, TAKE,
	CREATE, ATTACH, LOOKUP, ACQUIRE, RELEASE, RELEASE_ALL, RELEASE_SESSION,
	STAT, HOLDERS, WALK, DESTROY, SET_WHY, SET_WHY_SESSION,
	ADOPT, WATCH, READ, WAIT, PUBLISH, SET_FILE, GET_FILE, SET_VALUE,
	GET_VALUE, LINK, UNLINK, EXPORT, IMPORT,
	CLOSE_OBJFD, READ_OBJFD, SUBMIT,
	TOGETHER,
	KINDS,
	/* only within TOGETHER */
	FLASH = KINDS, DONE, WRONG,
};

/* What each is called in a file. */
extern const char * const verb[KINDS + 1];

/* Whether the id is the present object's, the one's before, or nobody's. */
enum gen { PRESENT, PAST, NEVER };

/*
 * An operation: worker @w does it on its session @s with object @o. What @n and
 * @flag mean depends: references, another worker or session, O_CLOEXEC...
 */
struct op {
	unsigned char kind, w, s, o, flag, gen;
	unsigned int n;
};

/* How a sequence went, for the process that started the coordinator. */
struct outcome {
	unsigned int n;		/* operations; the last one failed, if any */
	unsigned int kills;
	unsigned int objects;	/* that were created */
	bool failed, together;
	char what[600];
	struct op op[OPS_MAX];
	bool idle[OPS_MAX];	/* passed over */
};

/* What a seed may lead to. */
struct limits {
	unsigned int actors;	/* 1 to WORKERS */
	unsigned int objects;	/* 1 to OBJECTS */
	int kills;		/* per cent of the operations, or -1: a few */
	bool in_turn;		/* nothing at once */
};

extern struct limits limits;

/* In memory that the processes share. */
extern struct outcome *out;

/* How much slower than usual the machine is: so many minutes an operation may take. */
extern unsigned int patience;

/* Before the first run. NULL, or why there can be none. */
const char *model_prepare(void);

/* "/proc/self/exe stress worker W": what a process of a run calls that has executed. */
_Noreturn void model_worker(unsigned int w);

/*
 * A run of @n operations from a seed, or of those in out->op if it is 0, until
 * CLOCK_MONOTONIC is @until_ns, if that is not 0. False: it failed, *out says how.
 */
bool model_run(uint64_t seed, unsigned int n, uint64_t until_ns);

/*
 * The operations of a file into out->op; other lines are passed over. Their number, or
 * -1: what is wrong is in @why.
 */
int model_load(const char *path, char *why, size_t size);

/*
 * After a run that failed: reduces it, and says what it found to @to, each line after
 * @prefix. The sequence is in @op, of OPS_MAX operations, then, and if @path is not
 * NULL in that file.
 *
 * Return: its length.
 */
unsigned int model_report(FILE *to, const char *prefix, const char *path,
			  struct op *op);

/* One operation as a line of a file, without its end. */
void model_op_text(const struct op *op, char *text, size_t size);

#endif /* REFCTL_STRESS_MODEL_H */
