// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run a command while an object is in use.
 *
 * What ought to be is told by the object: whether it is active, and how often it
 * has been activated. What is, by the commands that run. Whatever happens, the two
 * are compared and the next step is made; so an object that comes and goes faster
 * than the commands do no harm, and nothing depends on single events.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "refctl.h"

enum {
	OPT_START = 256,
	OPT_STOP,
	OPT_LINGER,
};

static struct {
	const char *start;
	const char *stop;
	bool with_linger;
	struct refobj_attr attr;
} on_demand = { .attr = { .flags = REFOBJ_PERSISTENT } };

static struct {
	const char *name;
	uint64_t id;
	bool created;
	bool gone;	/* the object is dead */
	bool ending;	/* we have been told to go */
	bool started;	/* start has been run, and stop has not */
	uint64_t activation;	/* for which it was started */
	pid_t start;	/* its process group, as long as there is one */
	pid_t stop;	/* if it runs */
	bool terminated;	/* start has been told to go */
} now;

static bool on_demand_option(int code, const char *arg)
{
	switch (code) {
	case OPT_START:
		on_demand.start = arg;
		return true;
	case OPT_STOP:
		on_demand.stop = arg;
		return true;
	case OPT_LINGER:
		on_demand.with_linger = true;
		return parse_linger(arg, &on_demand.attr.linger_ms);
	case 't':
		on_demand.attr.type = arg;
		return true;
	case 'm':
		return parse_mode(arg, &on_demand.attr.mode);
	}
	return false;
}

static void say(const char *what)
{
	printf("%s %s\n", what, escape(now.name));
	fflush(stdout);
}

/* In a process group of its own, so that all of it can be ended; 0: complained. */
static pid_t run_shell(const char *cmd)
{
	sigset_t none;
	pid_t pid;
	int null;

	pid = fork();
	if (pid < 0) {
		complain(now.name, "cannot run %s: %s", escape(cmd),
			 strerror(errno));
		return 0;
	}
	if (pid) {
		setpgid(pid, pid);
		return pid;
	}
	setpgid(0, 0);
	/* whatever ends us, it does not outlive us */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	null = open("/dev/null", O_RDONLY);
	dup2(null, STDIN_FILENO);
	setenv("REFOBJ_NAME", now.name, 1);
	execl("/bin/sh", "sh", "-c", cmd, (char *)NULL);
	_exit(127);
}

static void report(int status, const char *cmd, bool terminated)
{
	if (WIFSIGNALED(status) && !terminated)
		complain(now.name, "killed by signal %d: %s", WTERMSIG(status),
			 escape(cmd));
	else if (WIFEXITED(status) && WEXITSTATUS(status))
		complain(now.name, "failed with status %d: %s",
			 WEXITSTATUS(status), escape(cmd));
}

/*
 * What start leaves running when it ends, or when one of its children does, comes
 * to us, so that all of it can be waited for.
 */
static void reap(void)
{
	siginfo_t info;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == now.start) {
			report(status, on_demand.start, now.terminated);
		} else if (pid == now.stop) {
			report(status, on_demand.stop, false);
			now.stop = 0;
		}
	}
	/* a group without processes: its number may be another's by and by */
	if (now.start && waitid(P_PGID, now.start, &info,
				WEXITED | WNOHANG | WNOWAIT) &&
	    errno == ECHILD)
		now.start = 0;
}

/* How the object is: the number of its activation, 0 if it is idle or gone. */
static uint64_t wanted(struct refobj_session *session)
{
	struct refobj_stat stat;
	int ret = RETRY(refobj_stat(session, now.id, &stat));

	if (ret < 0) {
		now.gone = true;
		return 0;
	}
	if (now.ending || stat.state == REFOBJ_STATE_IDLE)
		return 0;
	return stat.activations;
}

/* Makes the next steps; true if there is nothing to be done or to be waited for. */
static bool step(struct refobj_session *session)
{
	uint64_t activation = wanted(session);

	if (now.stop)
		return false;
	if (now.started && now.activation != activation) {
		now.started = false;
		if (on_demand.stop) {
			now.stop = run_shell(on_demand.stop);
			if (now.stop)
				return false;
		}
	}
	/* stop has been run: what is left of start ends now */
	if (!now.started && now.start) {
		if (!now.terminated)
			kill(-now.start, SIGTERM);
		now.terminated = true;
		return false;
	}
	if (!now.started && now.activation) {
		now.activation = 0;
		say("stopped");
	}
	if (!now.started && activation) {
		now.started = true;
		now.activation = activation;
		now.terminated = false;
		/* said first, as the command may speak into the same pipe */
		say("started");
		now.start = run_shell(on_demand.start);
	}
	return !now.started;
}

static void take_signals(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			continue;
		/* told twice: what does not listen is killed */
		if (now.ending && now.start)
			kill(-now.start, SIGKILL);
		if (now.ending && now.stop)
			kill(-now.stop, SIGKILL);
		now.ending = true;
	}
	reap();
}

static void drain(struct refobj_session *session)
{
	struct refobj_event events[16];

	while (RETRY(refobj_read_events(session, events,
					ARRAY_SIZE(events))) > 0)
		;
}

static void serve(struct refobj_session *session, int signals)
{
	struct pollfd p[2] = {
		{ .fd = refobj_fd(session), .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};
	bool through;

	for (;;) {
		/* first, so that what comes from now on wakes us */
		drain(session);
		take_signals(signals);
		through = step(session);
		if (through && (now.ending || now.gone))
			return;
		poll(p, ARRAY_SIZE(p), -1);
	}
}

/* The object, made if there is none; false: complained. */
static bool find_or_create(struct refobj_session *session,
			   struct refobj_stat *stat)
{
	bool by_id = parse_id(now.name, &now.id);
	int ret = 0;

	/* what exists at the first look may be gone at the second */
	do {
		if (!by_id) {
			ret = RETRY(refobj_create(session, now.name,
						  &on_demand.attr, 0, &now.id));
			now.created = ret >= 0;
			if (ret == -EEXIST)
				ret = RETRY(refobj_lookup(session, now.name,
							  NULL, &now.id));
		}
		if (ret >= 0)
			ret = RETRY(refobj_stat(session, now.id, stat));
	} while (!by_id && (ret == -ENOENT || ret == -ESTALE));
	if (ret < 0)
		complain_object(session, now.name, ret);
	return ret >= 0;
}

static bool prepare(struct refobj_session *session)
{
	struct refobj_stat stat = { 0 };

	if (!find_or_create(session, &stat))
		return false;
	if (now.created)
		return true;
	if (!(stat.object_flags & REFOBJ_PERSISTENT)) {
		complain(now.name,
			 "the object ends with its last user: only a persistent one can come back");
		return false;
	}
	if (on_demand.attr.type && strcmp(on_demand.attr.type, stat.type) != 0) {
		complain_errno(now.name, -EPROTOTYPE, NULL);
		return false;
	}
	if (on_demand.with_linger && on_demand.attr.linger_ms != stat.linger_ms) {
		complain(now.name,
			 "the object is there and lingers for %u ms: leave out --linger, or remove it: refctl rm",
			 stat.linger_ms);
		return false;
	}
	return true;
}

static int block_signals(void)
{
	struct sigaction chld = { .sa_handler = SIG_DFL };
	sigset_t set;

	/* ignored, it would never come */
	sigaction(SIGCHLD, &chld, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int run_on_demand(int argc, char **argv)
{
	const uint32_t mask = REFOBJ_WATCH(REFOBJ_EVENT_ACTIVATED) |
			      REFOBJ_WATCH(REFOBJ_EVENT_DEACTIVATED);
	struct refobj_session *session;
	int signals, ret;

	if (!argc)
		return usage_error("an object's name is missing");
	if (argc > 1)
		return usage_error("one object is wanted, not %d", argc);
	if (!on_demand.start)
		return usage_error("--start is missing");
	now.name = argv[0];
	session = open_session();
	if (!session)
		return EXIT_FAILED;
	signals = block_signals();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (!prepare(session)) {
		refobj_close(session);
		return EXIT_FAILED;
	}
	ret = RETRY(refobj_watch(session, now.id, mask, 0));
	if (ret < 0) {
		complain_object(session, now.name, ret);
	} else {
		say("watching");
		serve(session, signals);
	}
	if (now.gone)
		complain(now.name, "the object was removed");
	else if (now.created && RETRY(refobj_destroy(session, now.id)) == -EBUSY)
		complain(now.name,
			 "it is in use, so it stays: remove it later: refctl rm");
	close(signals);
	refobj_close(session);
	return ret < 0 || now.gone ? EXIT_FAILED : EXIT_OK;
}

static const struct option_text on_demand_options[] = {
	{ "start", OPT_START, "CMD", "what to run when the object is activated" },
	{ "stop", OPT_STOP, "CMD", "what to run when it has been deactivated" },
	{ "linger", OPT_LINGER, "MS",
	  "a new object is deactivated MS milliseconds after its last release" },
	{ "type", 't', "TYPE", "demand this type; a new object gets it" },
	{ "mode", 'm', "MODE",
	  "permission bits of a new object, octal (default: 0600)" },
	{ NULL, 0, NULL, NULL }
};

const struct verb verb_on_demand = {
	.name = "on-demand",
	.args = "NAME|ID --start CMD [--stop CMD] [--linger MS]",
	.summary = "run a command while an object is in use",
	.help = "Has the shell run the start command when somebody comes to use the object, and\n"
		"the stop command when nobody uses it any more. The start command may go on running:\n"
		"it gets SIGTERM after the stop command. If either fails that is said, and the next\n"
		"activation starts anew. The object must be persistent; it is created if there is\n"
		"none of this name.\n\n"
		"SIGTERM, SIGINT and SIGHUP end this: what was started is stopped, and an object\n"
		"that was created is removed unless it is in use. A second one kills commands that\n"
		"do not end. REFOBJ_NAME tells the commands the name. A line is printed when it has\n"
		"begun to watch, has started and has stopped.",
	.options = on_demand_options,
	.usage_status = EXIT_USAGE,
	.option = on_demand_option,
	.run = run_on_demand,
};
