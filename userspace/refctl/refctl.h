/* SPDX-License-Identifier: GPL-2.0-only */
/* What a verb is: a row of the table in main.c, defined beside its code. */
#ifndef REFCTL_REFCTL_H
#define REFCTL_REFCTL_H

#include <librefobj.h>
#include <librefobj-netlink.h>

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
	const char *exits;	/* exit codes, if they are not the usual ones */
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

extern const struct verb verb_ls, verb_show, verb_holders, verb_leaks,
	verb_sessions, verb_tree, verb_graph, verb_top, verb_stats, verb_watch,
	verb_monitor, verb_wait, verb_create, verb_rm, verb_link,
	verb_unlink, verb_set, verb_publish, verb_cat, verb_hold, verb_get,
	verb_on_demand, verb_lab, verb_run, verb_stress, verb_doctor;

/* Complains, points to the verb's help, and gives its exit code for that. */
int usage_error(const char *fmt, ...) __printf(1, 2);

/* Opens a session, or complains and returns NULL. */
struct refobj_session *open_session(void);

/* A socket to the netlink family, or complains and returns NULL. */
struct refobj_nl *open_netlink(void);

/* Complains of a negative errno of that, with the kernel's words if it had any. */
void complain_netlink(const struct refobj_nl *nl, int err);

/* An id written "#17" or "id=17"; everything else is a name. */
bool parse_id(const char *arg, uint64_t *id);

/* --mode: octal bits within REFOBJ_MODE_MASK, not 0; else complains. */
bool parse_mode(const char *arg, uint32_t *mode);

/* --linger: milliseconds, else complains. */
bool parse_linger(const char *arg, uint32_t *ms);

/* --timeout: seconds, as milliseconds; else complains. */
bool parse_timeout(const char *arg, int64_t *ms);

/* The object that @arg names now; 0 or a complained negative errno. */
int find_object(struct refobj_session *session, const char *arg,
		struct refobj_stat *stat);

/* The name, or id=ID without one; lives until the next call. */
const char *object_label(const struct refobj_stat *stat);

/*
 * Takes a reference on what others use, for as long as a verb lasts. 0 or a
 * complained negative errno; @idle is what to do if nobody uses the object.
 */
int borrow_object(struct refobj_session *session, const char *arg,
		  unsigned int flags, const char *idle,
		  struct refobj_stat *stat);

/* A command line as a reason: what fits, and is printable. */
void command_as_why(char *why, size_t size, char **argv);

/* Runs a command to its end and is transparent to signals; its exit status. */
int run_command(const char *name, char **argv);

/*
 * With --build CMD: if the object is to be built, runs CMD and publishes what it
 * writes, else waits until another has done so. False: complained.
 */
bool build_object(struct refobj_session *session, const char *name, uint64_t id,
		  bool builder, const char *cmd, uint64_t deadline);

/* Complains of an errno of an object, with its mode and owner if readable. */
void complain_object(struct refobj_session *session, const char *arg, int err);

#endif /* REFCTL_REFCTL_H */
