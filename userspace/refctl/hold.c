// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hold an object while a command runs. refctl itself is the holder: the command
 * does not inherit the session, and whatever ends refctl ends the hold.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "refctl.h"

enum {
	OPT_WHY = 256,
	OPT_EXCLUSIVE,
	OPT_EXISTING,
	OPT_PERSISTENT,
	OPT_LINGER,
	OPT_BUILD,
};

static struct {
	uint64_t count;
	const char *why;
	const char *build;
	struct refobj_attr attr;
	bool exclusive;
	bool existing;
} hold = { .count = 1 };

static bool hold_option(int code, const char *arg)
{
	switch (code) {
	case 'n':
		if (parse_number(arg, 10, 1, REFOBJ_USERS_MAX, &hold.count))
			return true;
		complain(NULL, "bad number of references '%s': 1 to %u are possible",
			 escape(arg), REFOBJ_USERS_MAX);
		return false;
	case OPT_WHY:
		hold.why = arg;
		return true;
	case 't':
		hold.attr.type = arg;
		return true;
	case 'm':
		return parse_mode(arg, &hold.attr.mode);
	case OPT_EXCLUSIVE:
		hold.exclusive = true;
		return true;
	case OPT_EXISTING:
		hold.existing = true;
		return true;
	case OPT_PERSISTENT:
		hold.attr.flags |= REFOBJ_PERSISTENT;
		return true;
	case OPT_LINGER:
		return parse_linger(arg, &hold.attr.linger_ms);
	case OPT_BUILD:
		hold.build = arg;
		hold.attr.flags |= REFOBJ_BUILD;
		return true;
	}
	return false;
}

void command_as_why(char *why, size_t size, char **argv)
{
	char *line = xstrdup(argv[0]), *longer;

	while (*++argv) {
		longer = xprintf("%s %s", line, *argv);
		free(line);
		line = longer;
	}
	utf8_printable(why, size, line);
	free(line);
}

/* The reason is the session's, so that nobody sees the object without it. */
static bool set_why(struct refobj_session *session, const char *name,
		    char **argv)
{
	char why[REFOBJ_WHY_SIZE];
	int ret;

	if (!hold.why)
		command_as_why(why, sizeof(why), argv);
	ret = RETRY(refobj_set_why(session, 0, hold.why ? hold.why : why));
	if (ret >= 0)
		return true;
	complain_errno(name, ret, "setting the reason");
	/* one that nobody asked for is not worth the command */
	return !hold.why;
}

static bool acquire(struct refobj_session *session, const char *name)
{
	uint64_t left = hold.count, id;
	unsigned int n = left < REFOBJ_COUNT_MAX ? left : REFOBJ_COUNT_MAX;
	int ret, first;

	if (parse_id(name, &id)) {
		ret = RETRY(refobj_acquire_as(session, id, n, hold.build ?
					      REFOBJ_ACQUIRE_BUILD : 0,
					      hold.attr.type));
	} else if (hold.exclusive) {
		ret = *name ? RETRY(refobj_create(session, name, &hold.attr, n,
						  &id)) : -EINVAL;
	} else {
		if (hold.existing)
			hold.attr.flags |= REFOBJ_ATTACH_EXISTING;
		ret = RETRY(refobj_attach(session, name, &hold.attr, n, &id,
					  NULL));
	}
	first = ret;
	while (ret >= 0 && (left -= n)) {
		n = left < REFOBJ_COUNT_MAX ? left : REFOBJ_COUNT_MAX;
		ret = RETRY(refobj_acquire(session, id, n));
	}
	if (ret < 0) {
		complain_object(session, name, ret);
		return false;
	}
	return !hold.build ||
	       build_object(session, name, id, first & REFOBJ_BUILDER,
			    hold.build, refobj_deadline(-1));
}

/* All that can be passed on, and SIGCHLD. */
static void forwarded_signals(sigset_t *set)
{
	static const int kept[] = {
		/* our own faults */
		SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS,
		/* what stops a background process at the terminal */
		SIGTTIN, SIGTTOU,
	};
	size_t i;

	sigfillset(set);
	for (i = 0; i < ARRAY_SIZE(kept); i++)
		sigdelset(set, kept[i]);
}

/*
 * The shell's job control watches us, not the command. The default action of
 * SIGTSTP, and not SIGSTOP: it spares a group that nobody could continue.
 */
static void stop_self(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Waits for the command, and is as transparent to signals as can be. */
static int wait_for(pid_t child, const sigset_t *set)
{
	siginfo_t info;
	int sig, status;

	for (;;) {
		sig = sigwaitinfo(set, &info);
		if (sig < 0)
			continue;
		if (sig == SIGCHLD) {
			if (waitpid(child, &status, WNOHANG) == child)
				return status;
			continue;
		}
		/*
		 * What the kernel sends for a key or a hang-up goes to the whole
		 * process group, so the command has it already; so it does if it
		 * signalled its group itself.
		 */
		if (info.si_code <= 0 && info.si_pid != child)
			kill(child, sig);
		if (sig == SIGTSTP)
			stop_self();
	}
}

int run_command(const char *name, char **argv)
{
	struct sigaction chld, old_chld;
	sigset_t set, old_set;
	int status;
	pid_t child;

	/* ignored, SIGCHLD would take the exit status with it */
	memset(&chld, 0, sizeof(chld));
	chld.sa_handler = SIG_DFL;
	sigaction(SIGCHLD, &chld, &old_chld);
	forwarded_signals(&set);
	sigprocmask(SIG_BLOCK, &set, &old_set);

	child = fork();
	if (child < 0) {
		complain(name, "cannot start %s: %s", escape(argv[0]),
			 strerror(errno));
		return EXIT_HOLD;
	}
	if (!child) {
		sigaction(SIGCHLD, &old_chld, NULL);
		sigprocmask(SIG_SETMASK, &old_set, NULL);
		execvp(argv[0], argv);
		status = errno == ENOENT ? EXIT_NOCOMMAND : EXIT_NOEXEC;
		complain(name, "cannot run %s: %s", escape(argv[0]),
			 strerror(errno));
		_exit(status);
	}
	status = wait_for(child, &set);
	return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) :
		WEXITSTATUS(status);
}

static int run_hold(int argc, char **argv)
{
	struct refobj_session *session;
	int status = EXIT_HOLD;
	uint64_t id;

	if (!argc)
		return usage_error("an object's name is missing");
	if (argc < 2)
		return usage_error("a command is missing after '%s'",
				   escape(argv[0]));
	if (hold.exclusive && hold.existing)
		return usage_error("--exclusive-create and --existing exclude each other");
	if (hold.exclusive && parse_id(argv[0], &id))
		return usage_error("--exclusive-create wants a name, not an id");
	session = open_session();
	if (!session)
		return EXIT_HOLD;
	if (set_why(session, argv[0], argv + 1) && acquire(session, argv[0]))
		status = run_command(argv[0], argv + 1);
	/* said, and not left to the end: a drop is for accidents */
	RETRY(refobj_release_all(session, 0));
	refobj_close(session);
	return status;
}

static const struct option_text hold_options[] = {
	{ "number", 'n', "N", "hold N references (default: 1)" },
	{ "why", OPT_WHY, "TEXT",
	  "the reason that others see (default: the command)" },
	{ "type", 't', "TYPE",
	  "demand this type; a new object gets it" },
	{ "mode", 'm', "MODE",
	  "permission bits of a new object, octal (default: 0600)" },
	{ "exclusive-create", OPT_EXCLUSIVE, NULL,
	  "fail if the object exists" },
	{ "existing", OPT_EXISTING, NULL, "fail if it does not" },
	{ "persistent", OPT_PERSISTENT, NULL,
	  "a new object outlives the command" },
	{ "linger", OPT_LINGER, "MS",
	  "a new object outlives its last release by MS milliseconds" },
	{ "build", OPT_BUILD, "CMD",
	  "if it is not built yet, have the shell run CMD, which prints it" },
	{ NULL, 0, NULL, NULL }
};

const struct verb verb_hold = {
	.name = "hold",
	.args = "[OPTIONS] NAME|ID [OPTIONS] [--] COMMAND [ARGUMENT...]",
	.summary = "hold an object while a command runs",
	.help = "Holds an object, which is created if there is none of this name, while COMMAND\n"
		"runs, and exits as COMMAND does. Signals sent to refctl are passed on to COMMAND.\n"
		"However refctl ends, by SIGKILL too, the kernel drops what it held; COMMAND is not\n"
		"killed then.\n\n"
		"With --build the object has a file, which all who hold it share: what CMD writes to\n"
		"its standard output. Of all who come at the same time one runs CMD and the others\n"
		"wait; if that one fails or dies, another one takes over. See also refctl get.",
	.options = hold_options,
	.usage_status = EXIT_HOLD,
	.command = true,
	.option = hold_option,
	.run = run_hold,
};
