// SPDX-License-Identifier: GPL-2.0-only
/*
 * refctl run: has actors do what scenario files say, and tells in KTAP, or in
 * JSON, what became of it.
 *
 * The runner and its actors have a socket each. A step is an order and a reply;
 * in a parallel block each actor has its own row of steps, and the rows wait for
 * each other at barriers only. Whatever happens, all actors are killed and reaped
 * at the end of a scenario, and the objects that it left are destroyed; they die
 * with the runner, too.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <poll.h>
#include <regex.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../refctl.h"
#include "actor.h"

#define EXIT_SKIP	4
#define NSEC_PER_MSEC	1000000LL
#define SPACES_MAX	16

enum {
	OPTION_DRY_RUN = 256, OPTION_KEEP_GOING, OPTION_TRACE, OPTION_SEED,
	OPTION_ACTOR, OPTION_SVG,
};

static struct {
	bool dry_run, keep_going, trace, json;
	uint64_t seed;
	const char *svg;	/* a file for the picture */
	FILE *drawing;
	struct scn_size size;	/* of what is drawn */
	int actor[2];		/* the sockets of --actor; 0: none */
	bool root;		/* before any user namespace */
	bool spaces;		/* scenarios have network namespaces of their own */
	int64_t slow;		/* factor of all deadlines */
} run = { .seed = 1 };

/* Set by a signal handler. */
static int was_interrupted;

struct counter {
	char name[40];
	long long value;
};

struct counters {
	size_t n;
	struct counter *row;
};

struct live_actor {
	bool alive;
	bool thread;		/* of the process pid, which ends without it */
	int pid;
	int tid;
	int control;
	int mailbox;		/* where others send to it */
	int net;		/* 0: the scenario's network, else a space + 1 */
	const struct scn_step *started;	/* what "finish" ends */
};

enum outcome { PASSED, FAILED, SKIPPED };

/* One scenario while it runs. */
struct play {
	const struct scn_scenario *scenario;
	struct live_actor actor[SCN_ACTORS_MAX];
	/* of each network, which has names of its own; 0: not known */
	uint64_t id[SPACES_MAX + 1][SCN_OBJECTS_MAX];
	struct {
		const char *name;
		bool pids;	/* of processes, not networks */
		int fd;
		int keeper;	/* first process of pids */
	} space[SPACES_MAX];
	int n_spaces;
	int own_net;		/* namespace of the scenario */
	int64_t began, deadline;	/* ns of CLOCK_MONOTONIC */
	struct counters before;
	int kmsg;
	char *log;
	size_t log_length;
	struct refobj_session *onlooker;	/* of --trace and --svg */
	struct scn_mark *marks;
	int n_marks;
	enum outcome outcome;
	char *message;
	uint64_t random;
};

static const struct option_text run_options[] = {
	{ "json", 'J', NULL, "print JSON" },
	{ "keep-going", OPTION_KEEP_GOING, NULL,
	  "go on with the next scenario after one that failed" },
	{ "trace", OPTION_TRACE, NULL, "tell each step as it happens" },
	{ "svg", OPTION_SVG, "FILE", "draw what happened: actors, steps, users" },
	{ "dry-run", OPTION_DRY_RUN, NULL, "only read, and print the steps" },
	{ "seed", OPTION_SEED, "N", "what chance depends on (1)" },
	{ "actor", OPTION_ACTOR, "N,N", "be an actor: what 'exec' runs" },
	{ NULL, 0, NULL, NULL }
};

static bool run_option(int code, const char *arg)
{
	switch (code) {
	case 'J':
		run.json = true;
		return true;
	case OPTION_KEEP_GOING:
		run.keep_going = true;
		return true;
	case OPTION_TRACE:
		run.trace = true;
		return true;
	case OPTION_DRY_RUN:
		run.dry_run = true;
		return true;
	case OPTION_SVG:
		run.svg = arg;
		return true;
	case OPTION_SEED:
		if (parse_number(arg, 10, 0, UINT64_MAX, &run.seed))
			return true;
		complain(NULL, "bad seed '%s': a number is wanted", escape(arg));
		return false;
	case OPTION_ACTOR:
		if (sscanf(arg, "%d,%d", &run.actor[0], &run.actor[1]) == 2 &&
		    run.actor[0] > 2 && run.actor[1] > 2)
			return true;
		complain(NULL, "bad sockets '%s': only 'exec' in a scenario uses this option",
			 escape(arg));
		return false;
	default:
		return false;
	}
}

static bool interrupted(void)
{
	return __atomic_load_n(&was_interrupted, __ATOMIC_RELAXED);
}

static int64_t now(void)
{
	return (int64_t)host_clock(CLOCK_MONOTONIC);
}

static void end_play(struct play *p, enum outcome how, char *message)
{
	if (p->message) {
		free(message);
		return;
	}
	p->outcome = how;
	p->message = message;
}

/* The scenario has failed at a step; false, for the caller to pass on. */
static bool __printf(3, 4) fail(struct play *p, const struct scn_step *step,
				const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	end_play(p, FAILED,
		 xprintf("%s:%d:%d: %s: %s", step->loc.file, step->loc.line,
			 step->loc.column, step->text, text));
	free(text);
	return false;
}

static bool __printf(2, 3) skip(struct play *p, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	end_play(p, SKIPPED, text);
	return false;
}

/*
 * Counters and the kernel's log
 */
static bool read_counters(struct counters *c)
{
	const char *debugfs = debugfs_path();
	struct counter row;
	char *path;
	FILE *f;

	c->n = 0;
	if (!debugfs)
		return false;
	path = xprintf("%s/refobj/stats", debugfs);
	f = fopen(path, "re");
	free(path);
	if (!f)
		return false;
	while (fscanf(f, "%39s %lld", row.name, &row.value) == 2) {
		c->row = xrealloc(c->row, c->n + 1, sizeof(*c->row));
		c->row[c->n++] = row;
	}
	fclose(f);
	return c->n;
}

/* Without a line, as a cause that never occurred, it is 0. */
static long long counter(const struct counters *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (!strcmp(c->row[i].name, name))
			return c->row[i].value;
	return 0;
}

/* By how much the counters of the conditions have grown. */
static bool check_counters(struct play *p, const struct scn_step *step)
{
	struct scn_facts facts = { 0 };
	struct counters after = { 0 };
	struct scn_condition *c;
	char why[256];
	bool ok;

	if (!p->before.n || !read_counters(&after))
		return skip(p, "no counters: run as root, with debugfs mounted");
	for (c = step->expected.conditions; c; c = c->next) {
		struct scn_expected one = { .conditions = c };
		struct scn_condition *rest = c->next;

		facts.n = 1;
		facts.fact[0] = (struct scn_fact) {
			.name = c->field,
			.number = counter(&after, c->field) -
				  counter(&p->before, c->field),
		};
		c->next = NULL;
		ok = scn_match(&one, &facts, NULL, NULL, why, sizeof(why));
		c->next = rest;
		if (!ok) {
			free(after.row);
			return fail(p, step, "%s", why);
		}
	}
	free(after.row);
	return true;
}

static void read_log(struct play *p)
{
	char record[8192], *text;
	ssize_t n;

	while (p->kmsg >= 0) {
		n = read(p->kmsg, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE)	/* some were overwritten */
			continue;
		if (n <= 0)
			break;
		record[n] = '\0';
		text = strchr(record, ';');
		if (!text)
			continue;
		n = strcspn(++text, "\n");
		p->log = xrealloc(p->log, p->log_length + n + 2, 1);
		memcpy(p->log + p->log_length, text, n);
		p->log_length += n;
		p->log[p->log_length++] = '\n';
		p->log[p->log_length] = '\0';
	}
}

/* Is there such a line in @text, which was read from @where? */
static bool check_text(struct play *p, const struct scn_step *step,
		       const char *regex, const char *text, const char *where,
		       bool wanted)
{
	char message[128];
	regmatch_t at;
	regex_t re;
	bool found;
	int err;

	err = regcomp(&re, regex, REG_EXTENDED | REG_NEWLINE);
	if (err) {
		regerror(err, &re, message, sizeof(message));
		return fail(p, step,
			    "expected an extended regular expression, got one with an error (%s)",
			    message);
	}
	found = text && !regexec(&re, text, 1, &at, 0);
	regfree(&re);
	if (found == wanted)
		return true;
	if (wanted)
		return fail(p, step, "expected such a line in %s, got none", where);
	return fail(p, step, "expected no such line in %s, got '%.*s'", where,
		    (int)(at.rm_eo - at.rm_so), text + at.rm_so);
}

static bool check_log(struct play *p, const struct scn_step *step)
{
	if (p->kmsg < 0)
		return skip(p, "no kernel log: /dev/kmsg cannot be read; run as root");
	read_log(p);
	return check_text(p, step, step->words[0], p->log, "the kernel's log",
			  step->verb->id == SCN_LOG);
}

static bool check_debugfs(struct play *p, const struct scn_step *step)
{
	const char *debugfs = debugfs_path();
	char *path, *text = NULL;
	size_t size = 0;
	ssize_t n;
	bool ok;
	FILE *f;

	if (!debugfs)
		return skip(p, "no debugfs: it is not mounted");
	path = xprintf("%s/refobj/%s", debugfs, step->words[0]);
	f = fopen(path, "re");
	if (!f && errno == EACCES) {
		free(path);
		return skip(p, "no debugfs: run as root");
	}
	if (!f) {
		ok = fail(p, step, "expected a file %s, got none: %s", path,
			  strerror(errno));
		free(path);
		return ok;
	}
	n = getdelim(&text, &size, '\0', f);
	ok = check_text(p, step, step->words[1], n < 0 ? NULL : text, path,
			step->verb->id == SCN_DEBUGFS);
	fclose(f);
	free(text);
	free(path);
	return ok;
}

/*
 * Namespaces
 */

/* In which the next child, or this process's network, is; -1: complained. */
static int find_space(struct play *p, const struct scn_step *step,
		      const char *name, bool pids)
{
	int i, own, sync[2];

	for (i = 0; i < p->n_spaces; i++)
		if (p->space[i].pids == pids && !strcmp(p->space[i].name, name))
			return p->space[i].fd;
	if (p->n_spaces == SPACES_MAX) {
		fail(p, step, "expected at most %d namespaces, got one more",
		     SPACES_MAX);
		return -1;
	}
	own = open(pids ? "/proc/self/ns/pid_for_children" :
			  "/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (own < 0 || unshare(pids ? CLONE_NEWPID : CLONE_NEWNET)) {
		if (own >= 0)
			close(own);
		skip(p, "no namespace '%s': %s; run as root", name,
		     strerror(errno));
		return -1;
	}
	p->space[i].name = name;
	p->space[i].pids = pids;
	p->space[i].fd = -1;
	if (pids && !pipe2(sync, O_CLOEXEC)) {
		/* the first process keeps it, whoever else dies */
		p->space[i].keeper = fork();
		if (!p->space[i].keeper) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(sync[1]);
			if (read(sync[0], &i, 1))
				_exit(1);
			_exit(0);
		}
		close(sync[0]);
		p->space[i].fd = open("/proc/self/ns/pid_for_children",
				      O_RDONLY | O_CLOEXEC);
		/* the writing end stays open in the runner until its end */
	} else if (!pids) {
		p->space[i].fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	}
	p->n_spaces++;
	if (setns(own, 0))
		abort();
	close(own);
	if (p->space[i].fd < 0)
		fail(p, step, "cannot make a namespace: %s", strerror(errno));
	return p->space[i].fd;
}

/*
 * Actors
 */
static uint64_t id_of(const struct play *p, int actor, int object)
{
	uint64_t id = p->id[p->actor[actor].net][object];

	/* what another network has can be asked for, too */
	return id ? id : p->id[0][object];
}

struct asking {
	const struct play *play;
	int actor;
};

static uint64_t resolve(const struct scn_condition *c, void *arg)
{
	const struct asking *a = arg;

	return c->kind == SCN_PID ?
	       (uint64_t)a->play->actor[c->number].pid :
	       id_of(a->play, a->actor, c->number);
}

static void add_fact(struct scn_facts *f, const char *name, uint64_t number)
{
	f->fact[f->n++] = (struct scn_fact) { .name = name, .number = number };
}

static void add_text(struct scn_facts *f, const char *name, const char *text)
{
	f->fact[f->n++] = (struct scn_fact) { .name = name, .text = text };
}

static void stat_facts(struct scn_facts *f, const struct refobj_stat *s)
{
	add_fact(f, "users", s->users);
	add_text(f, "state", refobj_strstate(s->state));
	add_fact(f, "holders", s->holders);
	add_fact(f, "held", s->held);
	add_fact(f, "peak", s->users_peak);
	add_fact(f, "activations", s->activations);
	add_fact(f, "deactivations", s->deactivations);
	add_fact(f, "mode", s->mode);
	add_fact(f, "uid", s->uid);
	add_fact(f, "gid", s->gid);
	add_text(f, "name", s->name);
	add_text(f, "type", s->type);
	add_fact(f, "linger", s->linger_ms);
	add_fact(f, "watches", s->watches);
	add_fact(f, "version", s->value_version);
	add_fact(f, "size", s->value_size);
	add_fact(f, "file", s->has_file);
	add_fact(f, "builder", s->builder);
	add_fact(f, "edges", s->edges);
}

static void event_facts(struct scn_facts *f, const struct refobj_event *e)
{
	static char cause[32];
	char *blank;

	snprintf(cause, sizeof(cause), "%s", refobj_strcause(e->cause));
	blank = strchr(cause, ' ');
	if (blank)
		*blank = '-';
	add_text(f, "event", refobj_strevent(e->type));
	add_text(f, "cause", cause);
	add_text(f, "state", refobj_strstate(e->state));
	add_fact(f, "users", e->users);
	add_fact(f, "count", e->count);
	add_fact(f, "pid", e->pid);
	add_fact(f, "object", e->id);
	add_fact(f, "cookie", e->cookie);
}

static void holder_facts(struct scn_facts *f, const struct scn_reply *r)
{
	static const char *const kinds[] = {
		[REFOBJ_HOLDER_SESSION] = "session",
		[REFOBJ_HOLDER_FD] = "fd",
		[REFOBJ_HOLDER_OBJECT] = "object",
	};
	const struct refobj_holder *h = &r->holders.first;

	add_fact(f, "total", r->holders.total);
	add_fact(f, "sessions", r->holders.sessions);
	add_fact(f, "fds", r->holders.fds);
	add_fact(f, "objects", r->holders.objects);
	if (!r->holders.total)
		return;
	add_text(f, "kind", h->kind < ARRAY_SIZE(kinds) && kinds[h->kind] ?
			    kinds[h->kind] : "unknown");
	add_fact(f, "count", h->count);
	add_fact(f, "pid", h->pid);
	add_fact(f, "uid", h->uid);
	add_text(f, "why", h->why);
}

static void lab_facts(struct scn_facts *f, const struct refobj_lab_call *c)
{
	f->ret = c->result;
	add_fact(f, "before", c->before);
	add_fact(f, "after", c->after);
	add_text(f, "warning", c->warning < LAB_WARNINGS ?
			       lab_warnings[c->warning].name : "unknown");
	add_fact(f, "mutex", !!(c->held & REFOBJ_LAB_HELD_MUTEX));
	add_fact(f, "spinlock", !!(c->held & REFOBJ_LAB_HELD_SPINLOCK));
	add_fact(f, "irqs", !!(c->held & REFOBJ_LAB_HELD_IRQS));
}

static void make_facts(struct scn_facts *f, const struct scn_step *step,
		       const struct scn_reply *r)
{
	memset(f, 0, sizeof(*f));
	f->ret = r->ret;
	if (r->ret < 0)
		return;
	switch (step->verb->id) {
	case SCN_STAT:
		stat_facts(f, &r->stat);
		break;
	case SCN_INFO:
		add_fact(f, "objects", r->info.objects_used);
		add_fact(f, "references", r->info.references_used);
		add_fact(f, "bytes", r->info.bytes_used);
		add_fact(f, "watches", r->info.watches_used);
		break;
	case SCN_HOLDERS:
		holder_facts(f, r);
		break;
	case SCN_LAB:
		lab_facts(f, &r->lab);
		break;
	case SCN_GET:
	case SCN_GET_FILE:
		f->text = r->text;
		add_fact(f, "size", r->size);
		add_fact(f, "version", r->version);
		break;
	case SCN_EXPECT:
	case SCN_AWAIT:
		if (r->has_event)
			event_facts(f, &r->event);
		break;
	default:
		break;
	}
}

static const char *event_text(const struct refobj_event *e)
{
	static char text[256];
	struct scn_facts f = { 0 };

	event_facts(&f, e);
	snprintf(text, sizeof(text),
		 "%s cause %s state %s users %u count %u pid %u",
		 f.fact[0].text, f.fact[1].text, f.fact[2].text, e->users,
		 e->count, e->pid);
	return text;
}

static int64_t deadline_of(const struct scn_step *step)
{
	int64_t ms = step->options & SCN_BIT(SCN_O_WITHIN) ?
		     step->value[SCN_O_WITHIN] : SCN_STEP_MS;

	return ms * run.slow;
}

static void forget(struct live_actor *a)
{
	a->alive = false;
	close(a->control);
	close(a->mailbox);
}

/* The other threads of an actor's process have ended. */
static void forget_others(struct play *p, const struct live_actor *a)
{
	int i;

	for (i = 0; i < p->scenario->n_actors; i++)
		if (&p->actor[i] != a && p->actor[i].alive &&
		    p->actor[i].pid == a->pid)
			forget(&p->actor[i]);
}

/* How an actor ended, after it has: its status, or minus the signal. */
static int reap(struct play *p, struct live_actor *a)
{
	int status = 0;

	while (waitpid(a->pid, &status, 0) < 0)
		if (errno != EINTR)
			break;
	forget_others(p, a);
	forget(a);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/*
 * Waits for the next reply, at most until @until. 1: there is one; 0: the actor
 * has ended; a negative errno.
 */
static int hear(struct play *p, int actor, struct scn_reply *reply,
		int64_t until)
{
	struct live_actor *a = &p->actor[actor];
	int ret;

	if (until > p->deadline)
		until = p->deadline;
	for (;;) {
		struct pollfd fd = { .fd = a->control, .events = POLLIN };
		int64_t left = until - now();

		if (interrupted())
			return -EINTR;
		if (left <= 0)
			left = 0;
		ret = poll(&fd, 1, (left + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
		if (ret < 0 && errno == EINTR)
			continue;
		if (!ret)
			return -ETIMEDOUT;
		ret = scn_receive(a->control, reply, sizeof(*reply), NULL, 0,
				  reply->kind == SCN_REPLY_BORN ? &a->pid : NULL);
		if (ret == -ECONNRESET)
			ret = 0;
		return ret == sizeof(*reply) ? 1 : ret > 0 ? -EPROTO : ret;
	}
}

static bool no_reply(struct play *p, const struct scn_step *step, int actor,
		     int ret)
{
	const char *name = p->scenario->actors[actor].name;

	if (!ret) {
		int how = reap(p, &p->actor[actor]);

		if (how < 0)
			return fail(p, step, "expected a reply, got the end of '%s' by signal %d",
				    name, -how);
		return fail(p, step, "expected a reply, got the end of '%s' with status %d",
			    name, how);
	}
	if (ret == -EINTR)
		return fail(p, step, "interrupted");
	if (ret == -ETIMEDOUT && now() >= p->deadline)
		return fail(p, step,
			    "expected an end in time, got the deadline of the scenario (%lld ms); set another with 'deadline'",
			    (long long)(p->deadline - p->began) / NSEC_PER_MSEC);
	return fail(p, step, "expected a reply in time, got none: '%s' %s", name,
		    ret == -ETIMEDOUT ? "hangs" : strerror(-ret));
}

/* The runner's ends of the sockets of an actor, and the actor's. */
static bool open_sockets(struct play *p, const struct scn_step *step,
			 struct live_actor *a, int *theirs)
{
	int control[2], mailbox[2], on = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control))
		return fail(p, step, "cannot make sockets: %s", strerror(errno));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, mailbox)) {
		close(control[0]);
		close(control[1]);
		return fail(p, step, "cannot make sockets: %s", strerror(errno));
	}
	setsockopt(control[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	memset(a, 0, sizeof(*a));
	a->control = control[0];
	a->mailbox = mailbox[0];
	theirs[0] = control[1];
	theirs[1] = mailbox[1];
	return true;
}

static void change_user(const struct scn_step *step)
{
	gid_t group = step->options & SCN_BIT(SCN_O_GROUP) ?
		      step->value[SCN_O_GROUP] : step->value[SCN_O_USER];
	uid_t user = step->value[SCN_O_USER];

	if (!(step->options & SCN_BIT(SCN_O_USER)))
		user = -1;
	if (!(step->options & (SCN_BIT(SCN_O_USER) | SCN_BIT(SCN_O_GROUP))))
		return;
	if (setgroups(1, &group) || setresgid(group, group, group) ||
	    setresuid(user, user, user))
		_exit(1);
}

static bool send_order(struct play *p, const struct scn_step *step, int actor,
		       int64_t within_ms);
static bool complete(struct play *p, const struct scn_step *step, int actor,
		     struct scn_reply *reply, int64_t until, bool *again);

/* One order to an actor, and what comes of it. */
static bool exchange(struct play *p, const struct scn_step *step, int actor)
{
	int64_t within = deadline_of(step);
	int64_t until = now() + within * NSEC_PER_MSEC;
	struct scn_reply reply = { .kind = SCN_REPLY_DONE };
	bool again;
	int ret;

	if (!send_order(p, step, actor, within))
		return false;
	do {
		/* the actor keeps the time of what waits; give it some grace */
		ret = hear(p, actor, &reply,
			   until + SCN_STEP_MS * run.slow * NSEC_PER_MSEC);
		if (step->verb->id == SCN_EXIT && !ret)
			reply.ret = 0;
		else if (ret <= 0)
			return no_reply(p, step, actor, ret);
		if (!complete(p, step, actor, &reply, until, &again))
			return false;
	} while (again);
	return true;
}

static bool await_birth(struct play *p, const struct scn_step *step, int actor)
{
	struct scn_reply reply = { .kind = SCN_REPLY_BORN };
	int ret = hear(p, actor, &reply,
		       now() + SCN_STEP_MS * run.slow * NSEC_PER_MSEC);

	if (ret <= 0)
		return no_reply(p, step, actor, ret);
	p->actor[actor].tid = reply.ret;
	return true;
}

static bool start_actor(struct play *p, const struct scn_step *step)
{
	struct live_actor *a = &p->actor[step->peer];
	int theirs[2] = { -1, -1 }, net = -1, pids = -1, own_pids = -1, i;
	struct scn_step opening = *step;
	const struct scn_verb *v;

	if ((step->options & (SCN_BIT(SCN_O_USER) | SCN_BIT(SCN_O_GROUP))) &&
	    !run.root)
		return skip(p, "another user needs root");
	if (step->netns) {
		net = find_space(p, step, step->netns, false);
		if (net < 0)
			return false;
	}
	if (step->pidns) {
		pids = find_space(p, step, step->pidns, true);
		if (pids < 0)
			return false;
	}
	if (pids >= 0) {
		own_pids = open("/proc/self/ns/pid_for_children",
				O_RDONLY | O_CLOEXEC);
		if (own_pids < 0)
			return fail(p, step, "cannot open the namespace: %s",
				    strerror(errno));
	}
	if (!open_sockets(p, step, a, theirs)) {
		if (own_pids >= 0)
			close(own_pids);
		return false;
	}
	if (pids >= 0 && setns(pids, CLONE_NEWPID))
		abort();
	a->pid = fork();
	if (!a->pid) {
		if (net >= 0 && setns(net, CLONE_NEWNET))
			_exit(1);
		change_user(step);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		scn_actor(theirs[0], theirs[1]);
	}
	close(theirs[0]);
	close(theirs[1]);
	if (own_pids >= 0) {
		if (setns(own_pids, CLONE_NEWPID))
			abort();
		close(own_pids);
	}
	if (a->pid < 0) {
		close(a->control);
		close(a->mailbox);
		return fail(p, step, "cannot start a process: %s",
			    strerror(errno));
	}
	a->alive = true;
	for (i = 0; net >= 0 && i < p->n_spaces; i++)
		if (p->space[i].fd == net)
			a->net = i + 1;
	if (!await_birth(p, step, step->peer))
		return false;
	if (step->options & SCN_BIT(SCN_O_CLOSED))
		return true;
	for (v = scn_verbs; v->id != SCN_OPEN; v++)
		;
	opening.verb = v;
	opening.actor = step->peer;
	opening.peer = -1;
	opening.session = "";
	opening.options = 0;
	return exchange(p, &opening, step->peer);
}

/* Does an actor's process end in time? */
static bool ends(const struct live_actor *a)
{
	struct pollfd fd = { .fd = pidfd_open(a->pid, 0), .events = POLLIN };
	int ret;

	if (fd.fd < 0)
		return true;	/* without pidfds reap() waits */
	do {
		ret = poll(&fd, 1, SCN_STEP_MS * run.slow);
	} while (ret < 0 && errno == EINTR && !interrupted());
	close(fd.fd);
	return ret > 0;
}

static bool kill_actor(struct play *p, const struct scn_step *step)
{
	struct live_actor *a = &p->actor[step->peer];
	int sig = step->options & SCN_BIT(SCN_O_SIGNAL) ?
		  (int)step->value[SCN_O_SIGNAL] : SIGKILL, how;

	if (!a->alive)
		return fail(p, step, "expected a process, got none: it has ended");
	kill(a->pid, sig);
	if (!ends(a))
		return fail(p, step, "expected an end by signal %d, got none",
			    sig);
	how = reap(p, a);
	if (how != -sig)
		return fail(p, step, "expected an end by signal %d, got %s %d",
			    sig, how < 0 ? "one by signal" : "status", abs(how));
	return true;
}

static void kill_all(struct play *p)
{
	int i;

	for (i = 0; i < p->scenario->n_actors; i++)
		if (p->actor[i].alive) {
			kill(p->actor[i].pid, SIGKILL);
			reap(p, &p->actor[i]);
		}
}

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
}

static bool send_order(struct play *p, const struct scn_step *step, int actor,
		       int64_t within_ms)
{
	static struct scn_order o;
	int fds[2] = { -1, -1 }, n = 0, i, ret;
	const char *text = NULL;
	enum scn_verb_id id = step->verb->id;
	bool binds = id == SCN_CREATE || id == SCN_ATTACH || id == SCN_LOOKUP;

	if (id == SCN_FINISH)	/* ordered by its beginning */
		return true;
	memset(&o, 0, offsetof(struct scn_order, text));
	o.verb = id;
	o.number = step->number;
	o.options = step->options;
	memcpy(o.value, step->value, sizeof(o.value));
	o.within_ms = within_ms;
	copy(o.session, sizeof(o.session), step->session);
	copy(o.type, sizeof(o.type), step->type);
	for (i = 0; i < 2; i++) {
		if (step->object[i] < 0 || (id == SCN_IMPORT && i == 0))
			continue;
		o.id[i] = id_of(p, actor, step->object[i]);
		if (!o.id[i] && !binds)
			return fail(p, step,
				    "expected an object with an id, got '%s', which no step has made",
				    p->scenario->objects[step->object[i]].name);
	}
	if (step->object[0] >= 0)
		copy(o.name, sizeof(o.name),
		     p->scenario->objects[step->object[0]].name);
	switch (id) {
	case SCN_OPEN:
	case SCN_CLOSE:
		if (step->words[0])
			copy(o.session, sizeof(o.session), step->words[0]);
		break;
	case SCN_EXPORT:
	case SCN_IMPORT:
	case SCN_SEND:
	case SCN_RECEIVE:
	case SCN_DROP:
		copy(o.descriptor, sizeof(o.descriptor), step->words[0]);
		break;
	default:
		text = step->words[0];
	}
	if (text) {
		o.has_text = 1;
		o.text_length = strlen(text);
		copy(o.text, sizeof(o.text), text);
	}
	if (id == SCN_SEND) {
		if (!p->actor[step->peer].alive)
			return fail(p, step,
				    "expected an actor that is alive, got '%s', which has ended",
				    p->scenario->actors[step->peer].name);
		fds[n++] = p->actor[step->peer].mailbox;
	} else if (id == SCN_FORK || id == SCN_THREAD) {
		if (!open_sockets(p, step, &p->actor[step->peer], fds))
			return false;
		n = 2;
	}
	ret = scn_send(p->actor[actor].control, &o, sizeof(o), fds, n);
	if (id == SCN_FORK || id == SCN_THREAD) {
		close(fds[0]);
		close(fds[1]);
	}
	/* an actor that has ended is told of by its end */
	if (ret && ret != -EPIPE && ret != -ECONNRESET)
		return fail(p, step, "cannot order: %s", strerror(-ret));
	return true;
}

static void mark(struct play *p, const struct scn_step *step,
		 const char *result)
{
	struct refobj_stat stat;
	struct scn_mark *m;
	int i;

	if (p->n_marks == SCN_MARKS_MAX)
		return;
	p->marks = xrealloc(p->marks, p->n_marks + 1, sizeof(*p->marks));
	m = &p->marks[p->n_marks++];
	memset(m, 0, sizeof(*m));
	switch (step->verb->id) {
	case SCN_EXPECT:
	case SCN_AWAIT:
		m->kind = SCN_MARK_EVENT;
		break;
	case SCN_EXIT:
	case SCN_KILL:
		m->kind = SCN_MARK_END;
		break;
	default:
		m->kind = SCN_MARK_STEP;
	}
	m->actor = step->actor >= 0 ? step->actor :
		   step->peer >= 0 ? step->peer : 0;
	m->ns = now() - p->began;
	m->text = step->text;
	m->result = xstrdup(result);
	if (!p->onlooker)
		return;
	for (i = 0; i < SCN_CURVES && i < p->scenario->n_objects; i++)
		if (p->id[0][i] && !refobj_stat(p->onlooker, p->id[0][i], &stat))
			m->users[i] = stat.users;
}

static void draw(struct play *p)
{
	int i;

	if (!run.svg)
		return;
	scn_draw(run.drawing, &run.size, p->scenario, p->marks, p->n_marks,
		 p->message);
	for (i = 0; i < p->n_marks; i++)
		free(p->marks[i].result);
	free(p->marks);
}

static void trace(struct play *p, const struct scn_step *step, int pid,
		  const char *result)
{
	struct refobj_stat stat;
	int64_t us;

	if (run.svg)
		mark(p, step, result);
	if (!run.trace || run.json)
		return;
	us = (now() - p->began) / 1000;
	printf("    # %6" PRId64 ".%03" PRId64 " ms  pid %d  %s", us / 1000,
	       us % 1000, pid, step->text);
	if (*result)
		printf(" -> %s", result);
	if (p->onlooker && step->object[0] >= 0 && step->actor >= 0) {
		if (!refobj_stat(p->onlooker,
				 id_of(p, step->actor, step->object[0]), &stat))
			printf("  [%s: %s, users %u]",
			       p->scenario->objects[step->object[0]].name,
			       refobj_strstate(stat.state), stat.users);
	}
	putchar('\n');
	fflush(stdout);
}

static const char *result_text(const struct scn_reply *r)
{
	static char text[300];

	if (r->ret < 0)
		return scn_errno_name(-r->ret);
	if (r->has_event)
		return event_text(&r->event);
	snprintf(text, sizeof(text), "%" PRId64, r->ret);
	return text;
}

/*
 * A reply has come. With @again true another one is to come, as the event was not
 * the one that is awaited.
 */
static bool complete(struct play *p, const struct scn_step *step, int actor,
		     struct scn_reply *reply, int64_t until, bool *again)
{
	struct live_actor *a = &p->actor[actor];
	enum scn_verb_id id = step->verb->id;
	struct asking asking = { .play = p, .actor = actor };
	struct scn_facts facts;
	char why[512];
	int how;

	*again = false;
	if (id == SCN_FINISH && a->started->verb->id == SCN_EXPECT)
		return complete(p, a->started, actor, reply, until, again);
	if (reply->kind == SCN_REPLY_BORN && id != SCN_EXIT) {
		if (id != SCN_EXEC)
			return fail(p, step, "expected a reply, got a new process");
		/* the thread that did it is the process's first and only one now */
		forget_others(p, a);
		a->thread = false;
		a->tid = reply->ret;
		trace(p, step, a->pid, "");
		return true;
	}
	if (id == SCN_EXIT) {
		trace(p, step, a->pid, "");
		if (a->thread) {
			forget(a);
			return true;
		}
		how = reap(p, a);
		if (how != (int)step->number)
			return fail(p, step, "expected exit status %u, got %s %d",
				    step->number, how < 0 ? "signal" : "status",
				    abs(how));
		return true;
	}
	if ((id == SCN_FORK || id == SCN_THREAD) && !reply->ret) {
		p->actor[step->peer].alive = true;
		p->actor[step->peer].thread = id == SCN_THREAD;
		p->actor[step->peer].net = a->net;
		if (!await_birth(p, step, step->peer))
			return false;
	} else if (id == SCN_FORK || id == SCN_THREAD) {
		close(p->actor[step->peer].control);
		close(p->actor[step->peer].mailbox);
	}
	if (reply->ret >= 0 && reply->id && step->object[0] >= 0)
		p->id[a->net][step->object[0]] = reply->id;
	make_facts(&facts, step, reply);
	if (id != SCN_AWAIT || !reply->has_event)
		trace(p, step, a->pid, result_text(reply));
	if (id == SCN_EXPECT && step->words[0]) {
		if (reply->has_event)
			return fail(p, step, "expected no event, got %s",
				    event_text(&reply->event));
	} else if ((id == SCN_EXPECT || id == SCN_AWAIT) &&
		   reply->ret == -ETIME) {
		return fail(p, step, "expected the event within %lld ms, got none",
			    (long long)deadline_of(step));
	}
	if (scn_match(&step->expected, &facts, resolve, &asking, why,
		      sizeof(why))) {
		if (id == SCN_AWAIT)
			trace(p, step, a->pid, result_text(reply));
		return true;
	}
	if (id == SCN_AWAIT && reply->has_event) {
		*again = true;
		return send_order(p, step, actor,
			     until > now() ? (until - now()) / NSEC_PER_MSEC : 0);
	}
	if (reply->has_event)
		return fail(p, step, "%s: %s", why, event_text(&reply->event));
	return fail(p, step, "%s", why);
}

/*
 * Is an actor asleep, so that what it has started has begun to wait? Of a thread in
 * a namespace of processes nobody can tell, as its number is another one there: yes.
 */
static bool asleep(const struct live_actor *a)
{
	char *path = xprintf("/proc/%d/task/%d/stat", a->pid,
			     a->thread ? a->tid : a->pid);
	char *line = read_line(path);
	char *end = line ? strrchr(line, ')') : NULL;
	bool is = !line || (end && end[1] == ' ' && end[2] == 'S');

	free(line);
	free(path);
	return is;
}

/* Orders what is to go on while others do something, until it waits. */
static bool start(struct play *p, const struct scn_step *step)
{
	struct live_actor *a = &p->actor[step->actor];
	int64_t until = now() + SCN_STEP_MS * run.slow * NSEC_PER_MSEC;
	struct scn_reply reply = { .kind = SCN_REPLY_STARTED };
	int ret;

	if (!send_order(p, step, step->actor, deadline_of(step)))
		return false;
	a->started = step;
	ret = hear(p, step->actor, &reply, until);
	if (ret <= 0 || reply.kind != SCN_REPLY_STARTED)
		return no_reply(p, step, step->actor, ret > 0 ? -EPROTO : ret);
	trace(p, step, a->pid, "");
	while (!asleep(a)) {
		struct pollfd fd = { .fd = a->control, .events = POLLIN };

		/* what need not wait has ended by now */
		if (poll(&fd, 1, 1) > 0)
			break;
		if (interrupted() || now() > until || now() > p->deadline)
			return no_reply(p, step, step->actor,
					interrupted() ? -EINTR : -ETIMEDOUT);
	}
	return true;
}

/*
 * Parallel blocks
 */

struct row {
	const struct scn_step *next;	/* of this actor, or a barrier */
	bool busy, at_barrier;
	int64_t until;
};

static const struct scn_step *row_next(const struct scn_step *s, int actor)
{
	while (s && s->actor != actor && s->verb->id != SCN_BARRIER)
		s = s->next;
	return s;
}

static uint64_t chance(struct play *p)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return p->random;
}

/* Gives each idle row its next step; false when all rows have ended, or failed. */
static bool advance(struct play *p, struct row *row, int *busy)
{
	int n = p->scenario->n_actors, i, k, waiting, left;
	int begin = n ? chance(p) % n : 0;

	do {
		waiting = 0;
		left = 0;
		*busy = 0;
		for (k = 0; k < n; k++) {
			i = (begin + k) % n;
			if (!row[i].next)
				continue;
			left++;
			if (!row[i].busy && !row[i].at_barrier) {
				if (row[i].next->verb->id == SCN_BARRIER) {
					row[i].at_barrier = true;
				} else {
					int64_t ms = deadline_of(row[i].next);

					row[i].until = now() +
						       ms * NSEC_PER_MSEC;
					if (!send_order(p, row[i].next, i, ms))
						return false;
					row[i].busy = true;
				}
			}
			waiting += row[i].at_barrier;
			*busy += row[i].busy;
		}
		if (!waiting || waiting != left)
			return left;
		for (i = 0; i < n; i++)
			if (row[i].at_barrier) {
				row[i].at_barrier = false;
				row[i].next = row_next(row[i].next->next, i);
			}
	} while (true);
}

static bool together(struct play *p, const struct scn_step *block)
{
	struct row row[SCN_ACTORS_MAX] = { 0 };
	struct pollfd fds[SCN_ACTORS_MAX];
	int who[SCN_ACTORS_MAX], busy, n, i, ret;
	const struct scn_step *s;
	bool again;

	for (s = block->body; s; s = s->next)
		if (s->actor >= 0 && !row[s->actor].next)
			row[s->actor].next = row_next(block->body, s->actor);
	while (advance(p, row, &busy)) {
		int64_t until = p->deadline;

		for (i = 0, n = 0; i < p->scenario->n_actors; i++)
			if (row[i].busy) {
				int64_t most = row[i].until + SCN_STEP_MS *
					       run.slow * NSEC_PER_MSEC;

				fds[n] = (struct pollfd) {
					.fd = p->actor[i].control,
					.events = POLLIN,
				};
				who[n++] = i;
				if (until > most)
					until = most;
			}
		ret = poll(fds, n, until > now() ?
			   (until - now()) / NSEC_PER_MSEC + 1 : 0);
		if (interrupted())
			return fail(p, block, "interrupted");
		if (n && !ret)
			return no_reply(p, row[who[0]].next, who[0], -ETIMEDOUT);
		for (i = 0; i < n; i++) {
			struct scn_reply reply = { .kind = SCN_REPLY_DONE };
			struct row *r = &row[who[i]];

			if (ret < 0 || !fds[i].revents)
				continue;
			ret = hear(p, who[i], &reply, p->deadline);
			if (ret <= 0 && (ret || r->next->verb->id != SCN_EXIT))
				return no_reply(p, r->next, who[i], ret);
			if (!complete(p, r->next, who[i], &reply, r->until,
				      &again))
				return false;
			if (!again) {
				r->busy = false;
				r->next = row_next(r->next->next, who[i]);
			}
		}
	}
	return !p->message;
}

/*
 * Steps of the runner
 */
static bool check_requirement(struct play *p, const struct scn_step *step)
{
	static const char *const features[] = {
		"events", "linger", "build", "payload", "edges", "fds", "owner",
	};
	const char *what = step->words[0], *value = step->words[1];
	unsigned int major, minor, wanted_major, wanted_minor, i;
	struct refobj_session *session;
	struct refobj_info info = { 0 };
	struct utsname name;

	if (!strcmp(what, "root"))
		return run.root || skip(p, "needs root");
	if (!strcmp(what, "counters"))
		return p->before.n ||
		       skip(p, "needs the counters in debugfs");
	if (!strcmp(what, "log"))
		return p->kmsg >= 0 || skip(p, "needs to read /dev/kmsg");
	if (!strcmp(what, "lab"))
		return !access(LAB_DEVICE, R_OK | W_OK) ||
		       skip(p, "needs " LAB_DEVICE ", of refobj_lab.ko");
	if (!strcmp(what, "kernel")) {
		if (uname(&name) ||
		    sscanf(name.release, "%u.%u", &major, &minor) != 2 ||
		    sscanf(value, "%u.%u", &wanted_major, &wanted_minor) != 2)
			return skip(p, "the kernel's version is not known");
		return major > wanted_major ||
		       (major == wanted_major && minor >= wanted_minor) ||
		       skip(p, "needs kernel %s, this is %s", value,
			    name.release);
	}
	if (refobj_open(&session) < 0)
		return skip(p, "the device cannot be opened");
	refobj_info(session, &info);
	refobj_close(session);
	for (i = 0; i < ARRAY_SIZE(features); i++)
		if (!strcmp(features[i], value))
			return info.features & 1ULL << i ||
			       skip(p, "needs the feature '%s' of the module",
				    value);
	return skip(p, "unknown feature '%s'", value);
}

static bool leave_nothing(struct play *p, const struct scn_step *step)
{
	static const char *const all[] = { "objects", "references", "sessions" };
	struct counters after = { 0 };
	bool ok = true;
	size_t i;

	kill_all(p);
	if (!p->before.n || !read_counters(&after))
		return true;	/* nobody here may look */
	for (i = 0; i < ARRAY_SIZE(all) && ok; i++) {
		long long more = counter(&after, all[i]) -
				 counter(&p->before, all[i]);

		if (more)
			ok = fail(p, step, "expected as many %s as in the beginning, got %lld more",
				  all[i], more);
	}
	free(after.row);
	return ok;
}

static bool do_step(struct play *p, const struct scn_step *step)
{
	bool ok;

	if (interrupted())
		return fail(p, step, "interrupted");
	if (now() > p->deadline)
		return fail(p, step,
			    "expected an end in time, got the deadline of the scenario (%lld ms); set another with 'deadline'",
			    (long long)(p->deadline - p->began) / NSEC_PER_MSEC);
	switch (step->verb->id) {
	case SCN_ACTOR:
		return start_actor(p, step);
	case SCN_KILL:
		ok = kill_actor(p, step);
		break;
	case SCN_COUNTERS:
		ok = check_counters(p, step);
		break;
	case SCN_DEBUGFS:
	case SCN_NO_DEBUGFS:
		ok = check_debugfs(p, step);
		break;
	case SCN_LOG:
	case SCN_NO_LOG:
		ok = check_log(p, step);
		break;
	case SCN_REQUIRES:
		ok = check_requirement(p, step);
		break;
	case SCN_LEAVE_NOTHING:
		ok = leave_nothing(p, step);
		break;
	case SCN_DEADLINE:
		return true;
	case SCN_TOGETHER:
		return together(p, step);
	default:
		if (step->options & SCN_BIT(SCN_O_START))
			return start(p, step);
		return exchange(p, step, step->actor);
	}
	trace(p, step, step->peer >= 0 ? p->actor[step->peer].pid : getpid(),
	      "");
	return ok;
}

/* Objects that a scenario has left would trouble the next. */
static void destroy_leftovers(struct play *p)
{
	struct refobj_session *session;
	int i, k;

	for (k = -1; k < p->n_spaces; k++) {
		if (k >= 0 && (p->space[k].pids ||
			       setns(p->space[k].fd, CLONE_NEWNET)))
			continue;
		if (refobj_open(&session) < 0)
			continue;
		for (i = 0; i < p->scenario->n_objects; i++)
			if (p->id[k + 1][i])
				refobj_destroy(session, p->id[k + 1][i]);
		refobj_close(session);
	}
	if (p->n_spaces && setns(p->own_net, CLONE_NEWNET))
		abort();
}

static void clean_up(struct play *p)
{
	int i;

	kill_all(p);
	refobj_close(p->onlooker);
	destroy_leftovers(p);
	for (i = 0; i < p->n_spaces; i++) {
		close(p->space[i].fd);
		if (p->space[i].keeper > 0) {
			kill(p->space[i].keeper, SIGKILL);
			waitpid(p->space[i].keeper, NULL, 0);
		}
	}
	if (p->own_net >= 0)
		close(p->own_net);
	if (p->kmsg >= 0)
		close(p->kmsg);
	free(p->log);
	free(p->before.row);
}

static void play(struct play *p, const struct scn_scenario *s)
{
	const struct scn_step *step;
	const char *device = getenv("REFOBJ_DEVICE");

	memset(p, 0, sizeof(*p));
	p->scenario = s;
	p->random = run.seed * 0x9e3779b97f4a7c15 + 1;
	p->kmsg = -1;
	p->own_net = -1;
	if (access(device ? device : "/dev/refobj", F_OK)) {
		skip(p, "no device: is the module loaded? run: refctl doctor");
		return;
	}
	if (run.spaces && unshare(CLONE_NEWNET)) {
		end_play(p, FAILED, xprintf("cannot make a network namespace: %s",
					    strerror(errno)));
		return;
	}
	p->own_net = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if ((run.trace || run.svg) && refobj_open(&p->onlooker) < 0)
		p->onlooker = NULL;
	read_counters(&p->before);
	p->kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (p->kmsg >= 0)
		lseek(p->kmsg, 0, SEEK_END);
	p->began = now();
	p->deadline = p->began + s->deadline_ms * run.slow * NSEC_PER_MSEC;
	for (step = s->steps; step; step = step->next)
		if (!do_step(p, step))
			break;
	clean_up(p);
	draw(p);
}

/*
 * Files
 */
struct paths {
	char **path;
	size_t n;
};

static void add_path(struct paths *paths, char *path)
{
	paths->path = xrealloc(paths->path, paths->n + 1,
			       sizeof(*paths->path));
	paths->path[paths->n++] = path;
}

static int only_scenarios(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 4 && *d->d_name != '.' && !strcmp(d->d_name + n - 4, ".scn");
}

static bool find_files(struct paths *paths, const char *arg)
{
	struct dirent **entries;
	struct stat st;
	int n, i;

	if (stat(arg, &st)) {
		complain(arg, "%s", strerror(errno));
		return false;
	}
	if (!S_ISDIR(st.st_mode)) {
		add_path(paths, xstrdup(arg));
		return true;
	}
	n = scandir(arg, &entries, only_scenarios, alphasort);
	if (n < 0) {
		complain(arg, "%s", strerror(errno));
		return false;
	}
	for (i = 0; i < n; i++) {
		add_path(paths, xprintf("%s/%s", arg, entries[i]->d_name));
		free(entries[i]);
	}
	free(entries);
	if (!n)
		complain(arg, "there is no file *.scn in this folder");
	return n;
}

static void print_steps(const struct scn_step *step, int depth)
{
	for (; step; step = step->next) {
		printf("%*s%s\n", depth, "", step->text);
		print_steps(step->body, depth + 4);
	}
}

static void print_plan(const struct scn_file *file)
{
	const struct scn_scenario *s;

	for (s = file->scenarios; s; s = s->next) {
		printf("%s:%d: %s: %d steps, %d actors, %d objects\n",
		       s->loc.file, s->loc.line, s->title, s->n_steps,
		       s->n_actors, s->n_objects);
		print_steps(s->steps, 4);
	}
}

/* A failure, for people: one line of the output. */
static void print_message(const char *indent, const char *message)
{
	printf("%s# ", indent);
	for (; *message; message++)
		putchar(*message == '\n' ? ' ' : *message);
	putchar('\n');
}

static const char *const outcomes[] = {
	[PASSED] = "pass", [FAILED] = "fail", [SKIPPED] = "skip",
};

static void add_string(struct json_object *o, const char *key, const char *s)
{
	json_object_object_add(o, key, json_object_new_string(s));
}

static struct json_object *json_scenario(const struct scn_scenario *s,
					 const struct play *p, int64_t ms)
{
	struct json_object *o = json_object_new_object();

	add_string(o, "title", s->title);
	json_object_object_add(o, "line", json_object_new_int(s->loc.line));
	add_string(o, "result", outcomes[p->outcome]);
	json_object_object_add(o, "steps", json_object_new_int(s->n_steps));
	json_object_object_add(o, "ms", json_object_new_int64(ms));
	if (p->message)
		add_string(o, "message", p->message);
	return o;
}

/* All scenarios of a file; @list gets them if it is not NULL. */
static enum outcome play_file(const struct scn_file *file,
			      struct json_object *list)
{
	static struct play p;
	const struct scn_scenario *s;
	int n = 0, failed = 0, skipped = 0;

	for (s = file->scenarios; s; s = s->next)
		n++;
	if (!list)
		printf("  KTAP version 1\n  1..%d\n", n);
	n = 0;
	for (s = file->scenarios; s; s = s->next) {
		int64_t ms;

		n++;
		fflush(stdout);
		if (interrupted() || (failed && !run.keep_going)) {
			memset(&p, 0, sizeof(p));
			skip(&p, "a scenario before it failed, and there is no --keep-going");
			ms = 0;
		} else {
			ms = now();
			play(&p, s);
			ms = (now() - ms) / NSEC_PER_MSEC;
		}
		failed += p.outcome == FAILED;
		skipped += p.outcome == SKIPPED;
		if (list) {
			json_object_array_add(list, json_scenario(s, &p, ms));
		} else if (p.outcome == SKIPPED) {
			printf("  ok %d %s # SKIP %s\n", n, s->title, p.message);
		} else {
			if (p.message)
				print_message("  ", p.message);
			printf("  %sok %d %s\n", p.outcome == FAILED ? "not " : "",
			       n, s->title);
		}
		free(p.message);
		p.message = NULL;
	}
	return failed ? FAILED : skipped == n ? SKIPPED : PASSED;
}

static enum outcome run_file(const char *path, size_t number,
			     struct json_object *files)
{
	struct json_object *o = NULL, *list = NULL;
	enum outcome outcome = FAILED;
	struct scn_file *file;
	char *errors = NULL;
	size_t size;
	FILE *to = open_memstream(&errors, &size);

	if (!to)
		abort();
	file = scn_read(path, to);
	if (!file)
		fprintf(to, "%s: %s\n", path, strerror(errno));
	if (files) {
		o = json_object_new_object();
		list = json_object_new_array();
		add_string(o, "file", path);
	}
	if (file && scn_plan(file, run.seed) && !file->scenarios)
		fprintf(to,
			"%s:1:1: expected a scenario, got none; write: scenario \"TITLE\" { ... }\n",
			path);
	fflush(to);
	if (size || !file) {
		if (!run.json && !run.dry_run)
			fputs("# the file cannot be run: see the errors\n", stdout);
		fflush(stdout);
		fputs(errors, stderr);
	} else if (run.dry_run) {
		print_plan(file);
		outcome = PASSED;
	} else {
		outcome = play_file(file, list);
	}
	fclose(to);
	if (files) {
		if (*errors)
			add_string(o, "errors", errors);
		add_string(o, "result", outcomes[outcome]);
		json_object_object_add(o, "scenarios", list);
		json_object_array_add(files, o);
	} else if (!run.dry_run) {
		printf("%sok %zu %s%s\n", outcome == FAILED ? "not " : "",
		       number, path, outcome == SKIPPED ? " # SKIP" : "");
		fflush(stdout);
	}
	free(errors);
	scn_free(file);
	return outcome;
}

static void on_signal(int sig)
{
	(void)sig;
	__atomic_store_n(&was_interrupted, 1, __ATOMIC_RELAXED);
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) ==
			     (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/*
 * Scenarios have a network namespace each, so objects of their own: who is not
 * root makes them in a user namespace, or does without.
 */
static void prepare(void)
{
	const char *slow = getenv("REFOBJ_SLOW");
	struct sigaction on = { .sa_handler = on_signal };
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char *map;

	run.slow = slow && atoi(slow) > 1 ? atoi(slow) : 1;
	run.root = !uid;
	sigaction(SIGINT, &on, NULL);
	sigaction(SIGTERM, &on, NULL);
	sigaction(SIGHUP, &on, NULL);
	if (run.root) {
		run.spaces = true;
		return;
	}
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return;
	map = xprintf("%u %u 1\n", uid, uid);
	run.spaces = write_file("/proc/self/uid_map", map);
	free(map);
	map = xprintf("%u %u 1\n", gid, gid);
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/gid_map", map);
	free(map);
}

static bool write_picture(const char *drawn)
{
	FILE *to = fopen(run.svg, "we");
	bool ok = to;

	if (to) {
		scn_draw_all(to, &run.size, drawn);
		ok = !ferror(to);
		ok &= !fclose(to);
	}
	if (!ok)
		complain(run.svg, "cannot write the picture: %s",
			 strerror(errno));
	return ok;
}

static int run_run(int argc, char **argv)
{
	char *drawn = NULL;
	size_t drawn_size;
	struct json_object *top = NULL, *files = NULL;
	size_t i, n_failed = 0, n_skipped = 0;
	struct paths paths = { 0 };
	bool found = true;

	if (*run.actor) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		scn_actor(run.actor[0], run.actor[1]);
	}
	if (!argc)
		return usage_error("a scenario file, or a folder of them, is missing");
	while (argc--)
		found &= find_files(&paths, *argv++);
	if (!run.dry_run)
		prepare();
	if (run.svg) {
		run.drawing = open_memstream(&drawn, &drawn_size);
		if (!run.drawing)
			abort();
	}
	if (run.json) {
		top = json_object_new_object();
		files = json_object_new_array();
		json_object_object_add(top, "version", json_object_new_int(1));
		json_object_object_add(top, "files", files);
	} else if (!run.dry_run) {
		printf("KTAP version 1\n1..%zu\n", paths.n);
	}
	for (i = 0; i < paths.n; i++) {
		enum outcome outcome;

		if ((n_failed && !run.keep_going && !run.dry_run) ||
		    interrupted()) {
			n_skipped++;
			if (!run.json)
				printf("ok %zu %s # SKIP after a failure\n",
				       i + 1, paths.path[i]);
			continue;
		}
		outcome = run_file(paths.path[i], i + 1, files);
		n_failed += outcome == FAILED;
		n_skipped += outcome == SKIPPED;
	}
	if (top) {
		puts(json_object_to_json_string_ext(top,
						    JSON_C_TO_STRING_PRETTY));
		json_object_put(top);
	}
	for (i = 0; i < paths.n; i++)
		free(paths.path[i]);
	free(paths.path);
	if (run.svg) {
		fclose(run.drawing);
		found &= write_picture(drawn);
		free(drawn);
	}
	if (n_failed || !found || interrupted())
		return EXIT_FAILED;
	return n_skipped && n_skipped == paths.n ? EXIT_SKIP : EXIT_OK;
}

const struct verb verb_run = {
	.name = "run",
	.args = "[OPTIONS] FILE|DIR...",
	.summary = "do what scenario files say",
	.help = "Does what scenario files say, with real processes, and compares what comes\n"
		"with what was expected; refobj-scenario(5) tells the language. Of a folder\n"
		"all files *.scn are taken. Prints KTAP: what failed, where, and how.\n"
		"Deadlines are REFOBJ_SLOW times as long, if the environment has it.",
	.options = run_options,
	.exits = "    0  all scenarios passed, or some and the others were skipped\n"
		 "    1  a scenario failed, or a file has errors\n"
		 "    2  wrong usage\n"
		 "    4  all were skipped: no module, no permission, an old kernel, ...\n",
	.usage_status = EXIT_USAGE,
	.option = run_option,
	.run = run_run,
};
