/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Scenarios: from the text to a plan, and from the plan to processes.
 *
 * scenario.l and scenario.y make statements of a file; plan.c evaluates what has
 * no process (variables, loops, definitions), checks every verb with its
 * arguments, and makes a flat list of steps of each scenario; run.c has actor.c's
 * processes do them, and asks expect.c whether what came is what was expected.
 *
 * All that belongs to a file is allocated in its arena and goes with it.
 */
#ifndef REFCTL_SCENARIO_H
#define REFCTL_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <librefobj.h>

#include "../util.h"

/* Bounds of one file, so that no text can make the tool run out of memory. */
#define SCN_ERRORS_MAX		20
#define SCN_DEPTH_MAX		16	/* nested blocks, calls and includes */
#define SCN_STEPS_MAX		100000	/* of one scenario, loops unrolled */
#define SCN_SCENARIOS_MAX	1000
#define SCN_ACTORS_MAX		64
#define SCN_OBJECTS_MAX		1024
#define SCN_TEXT_MAX		4096	/* bytes of a step's text, without 'times' */
#define SCN_FILE_MAX		(1 << 20)
#define SCN_DEADLINE_MS		60000	/* of a scenario, unless it says so */
#define SCN_STEP_MS		20000	/* of a step */

struct scn_loc {
	const char *file;
	int line;
	int column;
};

struct scn_chunk;

/* What is read, and what was wrong with it. */
struct scn_file {
	struct scn_chunk *chunks;	/* the arena */
	struct scn_stmt *statements;
	struct scn_scenario *scenarios;
	FILE *errors_to;
	int errors;
	uint64_t random;		/* state of "random" */
};

/* A word of a statement. */
struct scn_word {
	struct scn_word *next;
	const char *text;
	bool quoted;		/* it was a string: never an option or an errno */
	bool op;		/* it is one of == != < <= > >= + - * / % */
	struct scn_loc loc;
};

enum scn_kind {
	SCN_COMMAND,	/* target: words = results */
	SCN_LET,	/* target is the name, words the expression */
	SCN_DEFINE,	/* target is the name, words the parameters */
	SCN_CALL,	/* target is the name, words the arguments */
	SCN_REPEAT,	/* words is the count, target the variable or NULL */
	SCN_FOR,	/* target is the variable, words the values */
	SCN_IF,		/* words are two values with an operator between */
	SCN_PARALLEL,
	SCN_SCENARIO,	/* words is the title */
	SCN_INCLUDE,	/* body is the other file's statements */
};

struct scn_stmt {
	struct scn_stmt *next;
	enum scn_kind kind;
	struct scn_loc loc;
	struct scn_word *target;
	struct scn_word *words;
	bool has_results;
	struct scn_word *results;
	struct scn_stmt *body;
	struct scn_stmt *other;		/* else */
};

/* The plan */

enum scn_verb_id {
	/* of actors */
	SCN_OPEN, SCN_CLOSE, SCN_CREATE, SCN_ATTACH, SCN_LOOKUP, SCN_ACQUIRE,
	SCN_RELEASE, SCN_RELEASE_ALL, SCN_STAT, SCN_INFO, SCN_HOLDERS,
	SCN_DESTROY, SCN_WHY, SCN_PUBLISH, SCN_SET, SCN_GET, SCN_SET_FILE,
	SCN_GET_FILE, SCN_LINK, SCN_UNLINK, SCN_EXPORT, SCN_IMPORT, SCN_SEND,
	SCN_RECEIVE, SCN_DROP, SCN_WATCH, SCN_UNWATCH, SCN_WAIT, SCN_FINISH,
	SCN_EXPECT, SCN_AWAIT, SCN_ADOPT, SCN_FORK, SCN_THREAD, SCN_EXEC, SCN_EXIT,
	SCN_LAB,
	/* of the runner */
	SCN_ACTOR, SCN_KILL, SCN_COUNTERS, SCN_DEBUGFS, SCN_NO_DEBUGFS, SCN_LOG,
	SCN_NO_LOG, SCN_BARRIER, SCN_DEADLINE, SCN_REQUIRES, SCN_LEAVE_NOTHING,
	/* made by the plan: the body of a parallel block */
	SCN_TOGETHER,
};

struct scn_verb {
	const char *name;
	enum scn_verb_id id;
	bool runner;		/* has no actor before it */
	char result;		/* what else '=' may have: t text, n a number, or 0 */
	/*
	 * Words that must come, in this order, each a letter: o an object, O one
	 * that this step may make known, f a descriptor, F one that it makes, a an
	 * actor, A one that it makes, x text, s a session, n a number, e an event,
	 * u what to wait for, r a requirement, l a function of the lab. After '?'
	 * they may be left out.
	 */
	const char *words;
	uint64_t options;	/* bits of enum scn_option_id */
	const char *results;	/* words that '=' may have, blanks between */
	const char *fields;	/* what can be compared, blanks between */
	const char *synopsis;
};

enum scn_option_id {
	SCN_O_COUNT, SCN_O_INITIAL, SCN_O_MODE, SCN_O_TYPE, SCN_O_LINGER,
	SCN_O_VERSION, SCN_O_WITHIN, SCN_O_USER, SCN_O_GROUP, SCN_O_NETNS,
	SCN_O_PIDNS, SCN_O_TIMES, SCN_O_COOKIE, SCN_O_SIGNAL, SCN_O_LIMIT,
	SCN_VALUED,
	/* without a value */
	SCN_O_PERSISTENT = SCN_VALUED, SCN_O_BUILD, SCN_O_UNNAMED, SCN_O_EXISTING,
	SCN_O_NOT_ZERO, SCN_O_UNBOUND, SCN_O_NOBODY, SCN_O_CLOSED, SCN_O_START,
	SCN_O_AS_BUILDER, SCN_O_UNLESS_BUILDER,
	SCN_OPTIONS
};

#define SCN_BIT(option)	(1ULL << (option))

enum scn_op { SCN_EQ, SCN_NE, SCN_LT, SCN_LE, SCN_GT, SCN_GE };

/* One comparison of a field with a value. */
struct scn_condition {
	struct scn_condition *next;
	const char *field;
	enum scn_op op;
	enum { SCN_NUMBER, SCN_TEXT, SCN_PID, SCN_ID } kind;
	const char *text;
	int64_t number;		/* or the index of the actor or the object */
	struct scn_loc loc;
};

/* What must come; without anything: no error. */
struct scn_expected {
	int error;		/* the errno, or 0 */
	unsigned int set;	/* bits of the result that must be 1 */
	unsigned int clear;	/* bits of the result that must be 0 */
	bool last;		/* REFOBJ_FIRST means the last, of a release */
	bool has_number;
	int64_t number;
	const char *text;	/* NULL: whatever */
	struct scn_condition *conditions;
};

/* Bits of a result beyond those of the library. */
#define SCN_CREATED	(1U << 16)

struct scn_step {
	struct scn_step *next;
	struct scn_loc loc;
	const struct scn_verb *verb;
	const char *text;	/* the line as it is done, variables replaced */
	int actor;		/* index, -1 for the runner */
	const char *session;
	int object[2];		/* -1: none */
	int peer;		/* another actor, or -1 */
	const char *words[2];	/* texts, names of descriptors and sessions */
	uint32_t number;	/* of the event, the function, what to wait for; a status */
	uint64_t options;	/* bits of those given */
	int64_t value[SCN_VALUED];
	const char *type;
	const char *netns;
	const char *pidns;
	struct scn_expected expected;
	struct scn_step *body;	/* of SCN_TOGETHER */
};

struct scn_name {
	const char *name;
	struct scn_loc loc;
};

struct scn_scenario {
	struct scn_scenario *next;
	const char *title;
	struct scn_loc loc;
	struct scn_step *steps;
	int n_steps;
	int64_t deadline_ms;
	int n_actors, n_objects;
	struct scn_name actors[SCN_ACTORS_MAX];
	struct scn_name objects[SCN_OBJECTS_MAX];
};

/* parse.c is made of scenario.y */
struct scn_file *scn_read(const char *path, FILE *errors_to);
struct scn_file *scn_read_text(const char *name, const char *text, size_t size,
			       FILE *errors_to);
void scn_free(struct scn_file *file);
void *scn_alloc(struct scn_file *file, size_t size);
char *scn_strndup(struct scn_file *file, const char *s, size_t n);
char *scn_printf(struct scn_file *file, const char *fmt, ...) __printf(2, 3);
void scn_error(struct scn_file *file, const struct scn_loc *loc,
	       const char *fmt, ...) __printf(3, 4);

/* Makes the plans of all scenarios; false: scn_error() was called. */
bool scn_plan(struct scn_file *file, uint64_t seed);
extern const struct scn_verb scn_verbs[];
const char *scn_option_name(enum scn_option_id id);
const char *scn_errno_name(int error);
int scn_errno(const char *name);

/* Facts that a step brought, for expect.c. */
struct scn_fact {
	const char *name;
	const char *text;	/* NULL: it is the number */
	uint64_t number;
};

struct scn_facts {
	int64_t ret;		/* 0 or more, or a negative errno */
	const char *text;	/* what was read, or NULL */
	int n;
	struct scn_fact fact[32];
};

/*
 * Is what came what was expected? If not, says so in @why. @resolve gives the
 * number behind an actor or an object.
 */
bool scn_match(const struct scn_expected *expected,
	       const struct scn_facts *facts,
	       uint64_t (*resolve)(const struct scn_condition *c, void *arg),
	       void *arg, char *why, size_t size);

/* For a picture: what a step did, and how many users there were then. */
#define SCN_CURVES	8	/* objects that have one */
#define SCN_MARKS_MAX	2000	/* of a scenario; the rest is not drawn */

struct scn_mark {
	enum { SCN_MARK_STEP, SCN_MARK_EVENT, SCN_MARK_END } kind;
	int actor;
	int64_t ns;		/* since the scenario began */
	const char *text;
	char *result;		/* of the caller */
	uint32_t users[SCN_CURVES];
};

struct scn_size {
	int width, height;
};

/* Draws a scenario below what was drawn, and the whole with its size. */
void scn_draw(FILE *to, struct scn_size *size, const struct scn_scenario *s,
	      const struct scn_mark *marks, int n, const char *message);
void scn_draw_all(FILE *to, const struct scn_size *size, const char *drawn);

#endif /* REFCTL_SCENARIO_H */
