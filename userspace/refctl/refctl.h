/* SPDX-License-Identifier: GPL-2.0-only */
/* What a verb is: a row of the table in main.c, defined beside its code. */
#ifndef REFCTL_REFCTL_H
#define REFCTL_REFCTL_H

#include <librefobj.h>

#include "table.h"
#include "util.h"

#ifndef REFCTL_VERSION
#define REFCTL_VERSION	"0.1.0"	/* the Makefile tells */
#endif

struct option_text {
	const char *name;
	int code;		/* the short option, or 256 and up for none */
	const char *arg;	/* name of its argument, or NULL */
	const char *help;
};

struct verb {
	const char *name;
	const char *args;	/* synopsis */
	const char *summary;	/* one line */
	const char *help;	/* more, for --help of the verb */
	const struct option_text *options;	/* its own, or NULL */
	const struct table *table;		/* what -o selects of, or NULL */
	int usage_status;	/* exit code of a usage error */
	/*
	 * Its words end with a command: options stop at the first word, go on
	 * after it, and stop at the next or at "--".
	 */
	bool command;
	/* One of its own options; false: a bad argument, complained. */
	bool (*option)(int code, const char *arg);
	/* The words that are no options; the exit code. */
	int (*run)(int argc, char **argv);
};

extern const struct verb verb_ls, verb_show, verb_holders, verb_stats,
	verb_create, verb_rm, verb_hold, verb_doctor;

/* Complains, points to the verb's help, and gives its exit code for that. */
int usage_error(const char *fmt, ...) __printf(1, 2);

/* Opens a session, or complains and returns NULL. */
struct refobj_session *open_session(void);

/* An id written "#17" or "id=17"; everything else is a name. */
bool parse_id(const char *arg, uint64_t *id);

/* --mode: octal bits within REFOBJ_MODE_MASK, not 0; else complains. */
bool parse_mode(const char *arg, uint32_t *mode);

/* Complains of an errno of an object, with its mode and owner if readable. */
void complain_object(struct refobj_session *session, const char *arg, int err);

#endif /* REFCTL_REFCTL_H */
