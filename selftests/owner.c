// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions that belong to a process: what ends them, what does not, who else may
 * use them until then, and what is left to him afterwards.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define THREADS		4

static int held(int fd, __u64 id)
{
	struct refobj_stat st;
	int ret = ro_stat(fd, id, &st);

	return ret < 0 ? ret : (int)st.held;
}

/* The pid of the only holder; -1 if there is none, or more. */
static pid_t holder(int fd, __u64 id)
{
	struct refobj_holder rec;
	unsigned int total = 0;

	if (ro_holders(fd, id, &rec, 1, &total) != 1 || total != 1)
		return -1;
	return rec.pid;
}

static int polled(int fd, int timeout)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int ret = poll(&p, 1, timeout);

	return ret < 0 ? -errno : p.revents;
}

/*
 * What processes are told to do with a session; they say what came of it. Those
 * that sleep say that they are about to, before.
 */
enum order {
	HELD = 1, ACQUIRE, ADOPT, ABANDON, CLOSE, CLOSE_RANGE, DUP2, DUP, SEND,
	READ, POLL, WAIT, UNSHARE, UNSHARE_CLOSE, THREAD, SPAWN, EXIT, EXEC,
	EXEC_KEEPING,
};

struct actor {
	struct ro_kid kid;
	int fd;
	int sock;	/* where to send it */
	__u64 id;
};

static void *do_nothing(void *arg)
{
	return arg;
}

static int64_t run_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, do_nothing, NULL))
		return -1;
	return pthread_join(thread, NULL);
}

/* By itself: vfork() may clobber what its caller has in registers. */
static pid_t vfork_true(void)
{
	pid_t pid = vfork();

	if (!pid) {
		execlp("true", "true", (char *)NULL);
		_exit(98);
	}
	return pid;
}

static pid_t fork_true(void)
{
	pid_t pid = fork();

	if (!pid) {
		execlp("true", "true", (char *)NULL);
		_exit(98);
	}
	return pid;
}

static int64_t run_children(void)
{
	int64_t ret = 0;
	int i;

	for (i = 0; i < 10; i++) {
		ret |= ro_reap(vfork_true());
		ret |= ro_reap(fork_true());
	}
	return ret;
}

static int64_t obey(struct actor *a, enum order order)
{
	struct refobj_event e;
	int fd;

	switch (order) {
	case HELD:
		return held(a->fd, a->id);
	case ACQUIRE:
		return ro_acquire(a->fd, a->id, 1, 0);
	case ADOPT:
		return ro_adopt(a->fd, 0);
	case ABANDON:
		return ro_adopt(a->fd, REFOBJ_ADOPT_NOBODY);
	case CLOSE:
		return close(a->fd) ? -errno : 0;
	case CLOSE_RANGE:
		return syscall(SYS_close_range, a->fd, a->fd, 0) ? -errno : 0;
	case DUP2:
		return dup2(a->kid.pipe.down[0], a->fd) == a->fd ? 0 : -errno;
	case DUP:
		fd = fcntl(a->fd, F_DUPFD_CLOEXEC, 0);
		close(a->fd);
		a->fd = fd;
		return fd < 0 ? -errno : 0;
	case SEND:
		return ro_send_fd(a->sock, a->fd);
	case READ:
		ro_kid_say(&a->kid, 1);
		return ro_read_events(a->fd, &e, 1);
	case POLL:
		ro_kid_say(&a->kid, 1);
		return polled(a->fd, -1);
	case WAIT:
		ro_kid_say(&a->kid, 1);
		return ro_wait(a->fd, a->id, REFOBJ_UNTIL_DEAD, 0, RO_FOREVER);
	case UNSHARE:
		return unshare(CLONE_FILES) ? -errno : 0;
	case UNSHARE_CLOSE:
		return syscall(SYS_close_range, a->fd, a->fd,
			       1U << 1 /* CLOSE_RANGE_UNSHARE */) ? -errno : 0;
	case THREAD:
		return run_thread();
	case SPAWN:
		return run_children();
	case EXIT:
		_exit(0);
	case EXEC_KEEPING:
		fcntl(a->fd, F_SETFD, 0);
		ro_kid_become_cat(&a->kid);
		break;
	case EXEC:
		ro_kid_become_cat(&a->kid);
		break;
	}
	return -EBADMSG;
}

static void act(struct actor *a)
{
	int64_t word;

	while ((word = ro_kid_hear(&a->kid)) >= 0)
		ro_kid_say(&a->kid, obey(a, word));
	_exit(0);
}

static int64_t tell(struct ro_kid *kid, enum order order)
{
	ro_kid_say(kid, order);
	return ro_kid_hear(kid);
}

/* It is asleep in what it was told to do. */
static bool tell_to_sleep(struct ro_kid *kid, enum order order)
{
	return tell(kid, order) == 1 && ro_await_sleep(kid->pid);
}

/* fork(), but the new process is the test's child too, for that to reap. */
static pid_t fork_beside(__u64 flags)
{
	/* struct clone_args: flags, ..., exit_signal, which is as the caller's. */
	const __u64 args[8] = { CLONE_PARENT | flags };

	return syscall(SYS_clone3, args, sizeof(args));
}

/*
 * A process that opens a session and acquires @n references, and another that
 * has inherited it. What the owner's acquire returned.
 */
static int start(struct ro_kid *owner, struct ro_kid *child, __u64 id,
		 unsigned int n, int sock)
{
	struct actor a = { .id = id, .sock = sock };
	int ret;

	if (child && ro_pipe_open(&child->pipe))
		return -errno;
	if (ro_kid_fork(owner)) {
		if (child) {
			ro_pipe_parent(&child->pipe);
			child->pid = ro_kid_hear(owner);
		}
		return ro_kid_hear(owner);
	}
	a.fd = ro_open();
	ret = ro_acquire(a.fd, id, n, 0);
	a.kid = *owner;
	if (child) {
		child->pid = fork_beside(0);
		if (!child->pid) {
			close(owner->pipe.up[1]);
			close(owner->pipe.down[0]);
			ro_pipe_child(&child->pipe);
			a.kid = *child;
			act(&a);
		}
		ro_pipe_parent(&child->pipe);
		ro_pipe_close(&child->pipe);
		ro_kid_say(owner, child->pid);
	}
	ro_kid_say(owner, ret);
	act(&a);
	return 0;
}

/*
 * A process with a session, and one that shares its table of descriptors and goes
 * on in its place, on the same pipe. The first exits when it is told to.
 */
static int start_sharing(struct ro_kid *first, struct ro_kid *other, __u64 id,
			 unsigned int n)
{
	struct actor a = { .id = id };
	int ret;

	/* One table: each has both pipes, and neither may close any. */
	if (ro_pipe_open(&other->pipe))
		return -errno;
	if (ro_kid_fork(first)) {
		ro_pipe_parent(&other->pipe);
		other->pid = ro_kid_hear(first);
		return ro_kid_hear(first);
	}
	ro_pipe_child(&other->pipe);
	a.fd = ro_open();
	ret = ro_acquire(a.fd, id, n, 0);
	other->pid = fork_beside(CLONE_FILES);
	a.kid = other->pid ? *first : *other;
	if (other->pid) {
		ro_kid_say(first, other->pid);
		ro_kid_say(first, ret);
	}
	act(&a);
	return 0;
}

FIXTURE(owner) {
	struct ro_look look;
	__u64 id;	/* persistent, idle */
	int sv[2];
};

FIXTURE_SETUP(owner)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	/* Who loses its parent by design becomes a child of the test. */
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				self->sv));
	ASSERT_EQ(0, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT, 0,
			       &self->id));
}

FIXTURE_TEARDOWN(owner)
{
	EXPECT_EQ(0, ro_destroy(self->look.fd, self->id));
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
	close(self->sv[0]);
	close(self->sv[1]);
}

/*
 * What ends a session, though somebody else has it open.
 */
FIXTURE(end) {
	struct ro_look look;
	__u64 id;
	int sv[2];
	struct ro_kid owner;
	struct ro_kid child;
	bool gone;	/* the owner has been reaped */
};

FIXTURE_VARIANT(end) {
	enum order order;	/* to the owner; 0 for a signal */
	int sig;
	const char *counter;
	const char *told;
};

FIXTURE_VARIANT_ADD(end, by_exit) {
	EXIT, 0, "dropped_exit", "exit"
};

FIXTURE_VARIANT_ADD(end, by_sigkill) {
	0, SIGKILL, "dropped_signal_9", "signal-9"
};

FIXTURE_VARIANT_ADD(end, by_sigterm) {
	0, SIGTERM, "dropped_signal_15", "signal-15"
};

FIXTURE_VARIANT_ADD(end, by_close) {
	CLOSE, 0, "dropped_close", "close"
};

FIXTURE_VARIANT_ADD(end, by_close_range) {
	CLOSE_RANGE, 0, "dropped_close", "close"
};

FIXTURE_VARIANT_ADD(end, by_dup2) {
	DUP2, 0, "dropped_close", "close"
};

FIXTURE_VARIANT_ADD(end, by_exec) {
	EXEC, 0, "dropped_close", "close"
};

FIXTURE_SETUP(end)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				self->sv));
	ASSERT_EQ(0, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT, 0,
			       &self->id));
	ASSERT_EQ(1, start(&self->owner, &self->child, self->id, 2,
			   self->sv[0]));
}

FIXTURE_TEARDOWN(end)
{
	if (self->child.pid)
		EXPECT_EQ(0, ro_kid_end(&self->child));
	if (self->owner.pid && !self->gone)
		EXPECT_EQ(0, ro_kid_end(&self->owner));
	EXPECT_EQ(0, ro_destroy(self->look.fd, self->id));
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
	close(self->sv[0]);
	close(self->sv[1]);
}

/* It is over when this returns: true if it went as it should. */
static bool end_it(struct ro_kid *owner, enum order order, int sig, bool *gone)
{
	*gone = sig || order == EXIT;
	if (sig)
		return ro_kid_kill(owner, sig) == -sig;
	ro_kid_say(owner, order);
	if (order == EXIT)
		return !ro_kid_reap(owner);
	if (order == EXEC || order == EXEC_KEEPING)
		return ro_kid_is_cat(owner);
	return !ro_kid_hear(owner);
}

#define END_IT() \
	EXPECT_TRUE(end_it(&self->owner, variant->order, variant->sig, &self->gone))

/* F5 of SEEDS.md: a child that keeps the descriptor keeps nothing alive. */
TEST_F(end, drops_at_once)
{
	EXPECT_EQ(2, tell(&self->child, HELD));
	EXPECT_EQ(0, tell(&self->child, ACQUIRE));
	EXPECT_EQ(3, ro_users(self->look.fd, self->id));
	EXPECT_EQ(0, ro_look_since(&self->look, "sessions_revoked"));
	END_IT();
	EXPECT_EQ(0, ro_users(self->look.fd, self->id));
	EXPECT_EQ(3, ro_look_dropped(&self->look, variant->counter));
	EXPECT_EQ(1, ro_look_since(&self->look, "sessions_revoked"));
	EXPECT_EQ(-EOWNERDEAD, tell(&self->child, HELD));
	EXPECT_EQ(-EOWNERDEAD, tell(&self->child, ACQUIRE));
	EXPECT_EQ(-EOWNERDEAD, tell(&self->child, ADOPT));
	EXPECT_EQ(-EOWNERDEAD, tell(&self->child, ABANDON));
	/* Of the file there is nothing left to drop. */
	EXPECT_EQ(0, tell(&self->child, CLOSE));
	EXPECT_EQ(3, ro_look_dropped(&self->look, variant->counter));
	EXPECT_EQ(1, ro_look_since(&self->look, "sessions_revoked"));
}

TEST_F(end, drops_what_is_in_flight)
{
	int fd;

	EXPECT_EQ(0, tell(&self->child, CLOSE));
	EXPECT_EQ(0, tell(&self->owner, SEND));
	END_IT();
	EXPECT_EQ(0, ro_users(self->look.fd, self->id));
	EXPECT_EQ(2, ro_look_dropped(&self->look, variant->counter));
	EXPECT_EQ(1, ro_look_since(&self->look, "sessions_revoked"));
	fd = ro_receive_fd(self->sv[1]);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EOWNERDEAD, ro_acquire(fd, self->id, 1, 0));
	EXPECT_EQ(0, close(fd));
}

TEST_F(end, is_told_to_who_watches)
{
	char want[128];
	pid_t pid;

	EXPECT_EQ(0, ro_watch(self->look.fd, self->id, REFOBJ_WATCH_DEFAULT, 0));
	ro_told(self->look.fd);
	END_IT();
	/* Who closes it has not died. */
	if (self->gone)
		snprintf(want, sizeof(want), "died %s ready 0 x2; ",
			 variant->told);
	else
		want[0] = 0;
	snprintf(want + strlen(want), sizeof(want) - strlen(want),
		 "deactivated %s idle 0", variant->told);
	EXPECT_STREQ(want, ro_told_by(self->look.fd, &pid));
	EXPECT_EQ(self->owner.pid, pid);
	EXPECT_EQ(0, ro_watch(self->look.fd, self->id, 0, 0));
}

TEST_F(end, wakes_who_reads)
{
	EXPECT_TRUE(tell_to_sleep(&self->child, READ));
	END_IT();
	EXPECT_EQ(-EOWNERDEAD, ro_kid_hear(&self->child));
}

TEST_F(end, wakes_who_polls)
{
	EXPECT_TRUE(tell_to_sleep(&self->child, POLL));
	END_IT();
	EXPECT_EQ(POLLHUP, ro_kid_hear(&self->child));
}

TEST_F(end, wakes_who_waits)
{
	EXPECT_TRUE(tell_to_sleep(&self->child, WAIT));
	END_IT();
	EXPECT_EQ(-EOWNERDEAD, ro_kid_hear(&self->child));
}

/* A second descriptor of the owner's keeps it, but not beyond the owner. */
TEST_F(end, comes_with_the_last_descriptor)
{
	EXPECT_EQ(0, tell(&self->owner, DUP));
	EXPECT_EQ(2, tell(&self->child, HELD));
	EXPECT_EQ(0, ro_look_since(&self->look, "sessions_revoked"));
	END_IT();
	EXPECT_EQ(0, ro_users(self->look.fd, self->id));
	EXPECT_EQ(-EOWNERDEAD, tell(&self->child, HELD));
}

/* The child's now, the former owner may do what it likes. */
TEST_F(end, is_none_once_adopted)
{
	EXPECT_EQ(self->owner.pid, holder(self->look.fd, self->id));
	EXPECT_EQ(0, tell(&self->child, ADOPT));
	EXPECT_EQ(self->child.pid, holder(self->look.fd, self->id));
	END_IT();
	EXPECT_EQ(2, tell(&self->child, HELD));
	EXPECT_EQ(self->child.pid, holder(self->look.fd, self->id));
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	EXPECT_EQ(0, ro_look_since(&self->look, "sessions_revoked"));
	kill(self->child.pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, ro_reap(self->child.pid));
	self->child.pid = 0;
	EXPECT_EQ(0, ro_users(self->look.fd, self->id));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_signal_9"));
}

/* Nobody's: it goes with the file. */
TEST_F(end, is_none_once_abandoned)
{
	EXPECT_EQ(0, tell(&self->owner, ABANDON));
	END_IT();
	EXPECT_EQ(2, tell(&self->child, HELD));
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	EXPECT_EQ(0, tell(&self->child, CLOSE));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_close"));
	EXPECT_EQ(0, ro_look_since(&self->look, "sessions_revoked"));
}

/*
 * After the end.
 */
#define COMMAND(name, type) { REFOBJ_IOC_ ## name, sizeof(struct type), #name }

static const struct {
	unsigned long cmd;
	__u32 size;
	const char *name;
} commands[] = {
	COMMAND(INFO, refobj_info),
	COMMAND(CREATE, refobj_create),
	COMMAND(ATTACH, refobj_attach),
	COMMAND(LOOKUP, refobj_lookup),
	COMMAND(ACQUIRE, refobj_acquire),
	COMMAND(RELEASE, refobj_release),
	COMMAND(RELEASE_ALL, refobj_release_all),
	COMMAND(STAT, refobj_stat),
	COMMAND(HOLDERS, refobj_holders),
	COMMAND(DESTROY, refobj_destroy),
	COMMAND(SET_WHY, refobj_set_why),
	COMMAND(WATCH, refobj_watch),
	COMMAND(WAIT, refobj_wait),
	COMMAND(PUBLISH, refobj_payload),
	COMMAND(SET_PAYLOAD, refobj_payload),
	COMMAND(GET_PAYLOAD, refobj_payload),
	COMMAND(SET_VALUE, refobj_value),
	COMMAND(GET_VALUE, refobj_value),
	COMMAND(LINK, refobj_link),
	COMMAND(UNLINK, refobj_link),
	COMMAND(EXPORT, refobj_export),
	COMMAND(IMPORT, refobj_import),
	COMMAND(ADOPT, refobj_adopt),
	COMMAND(SUBMIT, refobj_submit),
};

TEST_F(owner, revoked_session_answers_nothing)
{
	struct ro_kid kid;
	unsigned int i;
	int fd;

	ASSERT_EQ(1, start(&kid, NULL, self->id, 1, self->sv[0]));
	EXPECT_EQ(0, tell(&kid, SEND));
	fd = ro_receive_fd(self->sv[1]);
	ASSERT_LE(0, fd);
	/* What is unread goes as well. */
	EXPECT_EQ(0, ro_watch(fd, self->id, REFOBJ_WATCH_ALL, 0));
	EXPECT_EQ(1, ro_unread(fd));
	EXPECT_EQ(POLLIN, polled(fd, 0));
	EXPECT_EQ(0, ro_kid_end(&kid));

	for (i = 0; i < RO_ARRAY_SIZE(commands); i++) {
		__u64 args[32] = { commands[i].size };

		EXPECT_EQ(i, _IOC_NR(commands[i].cmd));
		EXPECT_EQ(-EOWNERDEAD, ro_ioctl(fd, commands[i].cmd, args)) {
			TH_LOG("%s", commands[i].name);
		}
	}
	EXPECT_EQ(-EOWNERDEAD, ro_unread(fd));
	for (i = 0; i < 2; i++) {
		struct refobj_event e;

		EXPECT_EQ(-EOWNERDEAD, ro_read_events(fd, &e, 1));
		EXPECT_EQ(0, fcntl(fd, F_SETFL, O_NONBLOCK));
	}
	EXPECT_EQ(POLLHUP, polled(fd, -1));
	EXPECT_EQ(0ULL, ro_watches_used(self->look.fd));
	EXPECT_EQ(0, close(fd));
}

/* An object descriptor is a reference of its own. */
TEST_F(owner, exported_reference_stays)
{
	struct refobj_export e = { .size = sizeof(e), .id = self->id };
	struct ro_kid kid;
	int fd, object;

	ASSERT_EQ(1, start(&kid, NULL, self->id, 1, self->sv[0]));
	EXPECT_EQ(0, tell(&kid, SEND));
	fd = ro_receive_fd(self->sv[1]);
	object = ro_ioctl(fd, REFOBJ_IOC_EXPORT, &e);
	ASSERT_LE(0, object);
	EXPECT_EQ(0, ro_kid_end(&kid));
	EXPECT_EQ(1, ro_users(self->look.fd, self->id));
	EXPECT_EQ(1, ro_look_dropped(&self->look, "dropped_exit"));
	EXPECT_EQ(0, close(object));
	EXPECT_EQ(0, ro_users(self->look.fd, self->id));
	EXPECT_EQ(0, close(fd));
}

/*
 * Adopting
 */
TEST_F(owner, receiver_adopts)
{
	struct ro_kid kid;
	int fd;

	ASSERT_EQ(1, start(&kid, NULL, self->id, 2, self->sv[0]));
	EXPECT_EQ(0, tell(&kid, SEND));
	fd = ro_receive_fd(self->sv[1]);
	ASSERT_LE(0, fd);
	EXPECT_EQ(kid.pid, holder(self->look.fd, self->id));
	EXPECT_EQ(0, ro_adopt(fd, 0));
	EXPECT_EQ(getpid(), holder(self->look.fd, self->id));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	EXPECT_EQ(2, held(fd, self->id));
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, ro_users(self->look.fd, self->id));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_close"));
}

/* Back and forth: the last to adopt it owns it. */
TEST_F(owner, last_adopter_owns_it)
{
	struct ro_kid owner, child;

	ASSERT_EQ(1, start(&owner, &child, self->id, 2, -1));
	EXPECT_EQ(0, tell(&child, ADOPT));
	EXPECT_EQ(0, tell(&owner, ADOPT));
	EXPECT_EQ(0, tell(&owner, ADOPT));
	EXPECT_EQ(owner.pid, holder(self->look.fd, self->id));
	EXPECT_EQ(0, ro_kid_end(&child));
	EXPECT_EQ(2, tell(&owner, HELD));
	EXPECT_EQ(0, ro_kid_end(&owner));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_exit"));
}

/* What belongs to nobody may be adopted, and is bound from there on. */
TEST_F(owner, adopted_from_nobody)
{
	struct ro_kid owner, child;

	ASSERT_EQ(1, start(&owner, &child, self->id, 2, -1));
	EXPECT_EQ(0, tell(&owner, ABANDON));
	EXPECT_EQ(0, tell(&child, ADOPT));
	EXPECT_EQ(0, ro_kid_end(&child));
	EXPECT_EQ(-EOWNERDEAD, tell(&owner, HELD));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_exit"));
	EXPECT_EQ(0, ro_kid_end(&owner));
}

TEST_F(owner, daemon_adopts)
{
	struct ro_kid kid;
	pid_t pid;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		struct actor a = { .fd = ro_open(), .id = self->id };
		int go[2];

		ro_acquire(a.fd, self->id, 3, 0);
		if (pipe(go))
			_exit(90);
		if (fork()) {
			/* Not before the daemon has adopted it. */
			ro_hear_fd(go[0]);
			_exit(0);
		}
		setsid();
		if (fork()) {
			ro_hear_fd(go[0]);
			_exit(0);
		}
		ro_kid_say(&kid, ro_adopt(a.fd, 0));
		ro_kid_say(&kid, getpid());
		ro_say_fd(go[1], 1);
		ro_say_fd(go[1], 1);
		a.kid = kid;
		act(&a);
	}
	EXPECT_EQ(0, ro_kid_hear(&kid));
	pid = ro_kid_hear(&kid);
	EXPECT_EQ(0, ro_reap(kid.pid));
	/* Between the two another one has gone, left to the test to reap. */
	EXPECT_LT(0, waitpid(-1, NULL, 0));
	EXPECT_EQ(3, ro_users(self->look.fd, self->id));
	EXPECT_EQ(pid, holder(self->look.fd, self->id));
	EXPECT_EQ(3, tell(&kid, HELD));
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	EXPECT_EQ(0, kill(pid, SIGTERM));
	EXPECT_EQ(-SIGTERM, ro_reap(pid));
	EXPECT_EQ(0, ro_users(self->look.fd, self->id));
	EXPECT_EQ(3, ro_look_dropped(&self->look, "dropped_signal_15"));
	ro_pipe_close(&kid.pipe);
}

/*
 * What does not end it.
 */
TEST_F(owner, children_do_not_matter)
{
	struct ro_kid owner, child;

	ASSERT_EQ(1, start(&owner, &child, self->id, 2, -1));
	EXPECT_EQ(0, tell(&owner, SPAWN));
	EXPECT_EQ(0, tell(&child, SPAWN));
	EXPECT_EQ(2, tell(&owner, HELD));
	EXPECT_EQ(0, tell(&child, CLOSE));
	EXPECT_EQ(2, tell(&owner, HELD));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&child, SIGKILL));
	EXPECT_EQ(2, tell(&owner, HELD));
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	EXPECT_EQ(0, ro_look_since(&self->look, "sessions_revoked"));
	EXPECT_EQ(0, ro_kid_end(&owner));
}

TEST_F(owner, exec_with_the_descriptor_keeps_it)
{
	struct ro_kid owner, child;

	ASSERT_EQ(1, start(&owner, &child, self->id, 2, -1));
	ro_kid_say(&owner, EXEC_KEEPING);
	EXPECT_TRUE(ro_kid_is_cat(&owner));
	EXPECT_EQ(2, tell(&child, HELD));
	EXPECT_EQ(owner.pid, holder(self->look.fd, self->id));
	EXPECT_EQ(0, ro_look_since(&self->look, "sessions_revoked"));
	EXPECT_EQ(0, ro_kid_end(&owner));
	EXPECT_EQ(-EOWNERDEAD, tell(&child, HELD));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_exit"));
	EXPECT_EQ(0, ro_kid_end(&child));
}

TEST_F(owner, threads_come_and_go)
{
	struct ro_kid owner;

	ASSERT_EQ(1, start(&owner, NULL, self->id, 2, -1));
	EXPECT_EQ(0, tell(&owner, THREAD));
	EXPECT_EQ(2, tell(&owner, HELD));
	EXPECT_EQ(0, ro_kid_end(&owner));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_exit"));
}

static pthread_t leader;

static void *outlive_the_leader(void *arg)
{
	struct actor *a = arg;

	/* Joined: it is through, but for what is left of it until it is reaped. */
	if (pthread_join(leader, NULL))
		_exit(91);
	ro_kid_say(&a->kid, held(a->fd, a->id));
	act(a);
	return NULL;
}

/* The first of the threads goes, which makes a zombie until all have. */
TEST_F(owner, leader_exits_before_a_thread)
{
	struct ro_kid kid;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		static struct actor a;
		pthread_t thread;

		a = (struct actor){ .kid = kid, .fd = ro_open(), .id = self->id };
		ro_acquire(a.fd, self->id, 2, 0);
		leader = pthread_self();
		if (pthread_create(&thread, NULL, outlive_the_leader, &a))
			_exit(90);
		pthread_exit(NULL);
	}
	EXPECT_EQ(2, ro_kid_hear(&kid));
	EXPECT_EQ(kid.pid, holder(self->look.fd, self->id));
	EXPECT_EQ(0, tell(&kid, ACQUIRE));
	EXPECT_EQ(0, ro_look_since(&self->look, "sessions_revoked"));
	EXPECT_EQ(0, ro_kid_end(&kid));
	EXPECT_EQ(3, ro_look_dropped(&self->look, "dropped_exit"));
}

/*
 * One table of descriptors, two processes.
 */
TEST_F(owner, shared_table_ends_with_the_last)
{
	struct ro_kid first, other;

	ASSERT_EQ(1, start_sharing(&first, &other, self->id, 2));
	EXPECT_EQ(2, tell(&other, HELD));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&first, SIGKILL));
	EXPECT_EQ(2, tell(&other, HELD));
	/* The process that opened it is gone, and its number with it. */
	EXPECT_EQ(0, holder(self->look.fd, self->id));
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	EXPECT_EQ(0, ro_kid_end(&other));
	EXPECT_EQ(0, ro_users(self->look.fd, self->id));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_exit"));
}

TEST_F(owner, close_in_a_shared_table_is_for_all)
{
	struct ro_kid first, other;

	ASSERT_EQ(1, start_sharing(&first, &other, self->id, 2));
	EXPECT_EQ(0, tell(&other, CLOSE));
	EXPECT_EQ(-EBADF, tell(&first, HELD));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_close"));
	EXPECT_EQ(0, ro_kid_end(&other));
	EXPECT_EQ(0, ro_kid_end(&first));
}

/* Who leaves the table has a copy, and is no owner. */
TEST_F(owner, unshared_table_is_a_copy)
{
	struct ro_kid first, other;

	ASSERT_EQ(1, start_sharing(&first, &other, self->id, 2));
	EXPECT_EQ(0, tell(&other, UNSHARE));
	EXPECT_EQ(0, tell(&other, CLOSE));
	EXPECT_EQ(2, tell(&first, HELD));
	EXPECT_EQ(0, ro_kid_end(&other));
	EXPECT_EQ(2, tell(&first, HELD));
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	EXPECT_EQ(0, ro_kid_end(&first));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_exit"));
}

/* The opener leaves: the table, and with it the session, is the other's. */
TEST_F(owner, opener_leaves_the_table)
{
	struct ro_kid first, other;

	ASSERT_EQ(1, start_sharing(&first, &other, self->id, 2));
	EXPECT_EQ(0, tell(&first, UNSHARE));
	EXPECT_EQ(0, tell(&first, CLOSE));
	EXPECT_EQ(2, tell(&other, HELD));
	EXPECT_EQ(0, ro_kid_end(&first));
	EXPECT_EQ(2, tell(&other, HELD));
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	EXPECT_EQ(0, ro_kid_end(&other));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_exit"));
}

/* close_range() in a table of one's own closes nothing in that of the others. */
TEST_F(owner, close_range_unshares)
{
	struct ro_kid first, other;

	ASSERT_EQ(1, start_sharing(&first, &other, self->id, 2));
	EXPECT_EQ(0, tell(&other, UNSHARE_CLOSE));
	EXPECT_EQ(-EBADF, tell(&other, HELD));
	EXPECT_EQ(2, tell(&first, HELD));
	EXPECT_EQ(0, ro_kid_end(&other));
	EXPECT_EQ(2, tell(&first, HELD));
	/* With nobody to share with it is a close like any other. */
	EXPECT_EQ(0, tell(&first, UNSHARE_CLOSE));
	EXPECT_EQ(0, ro_users(self->look.fd, self->id));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_close"));
	EXPECT_EQ(0, ro_kid_end(&first));
}

/*
 * Revocation under way.
 */
struct racer {
	int fd;
	__u64 id;
	unsigned int *started;	/* threads that have been round, or are through */
	int ret;
};

/* Goes on until it is refused; what refused it. */
static void *acquire_until_refused(void *arg)
{
	struct racer *r = arg;
	bool first = true;
	__u64 own = 0;
	int ret;

	for (;;) {
		/* Of one object more and more, of others all. */
		ret = ro_acquire(r->fd, r->id, 2, 0);
		if (ret >= 0)
			ret = ro_release(r->fd, r->id, 1);
		if (ret >= 0)
			ret = ro_create(r->fd, NULL, 0, 2, &own);
		if (ret >= 0)
			ret = ro_watch(r->fd, own, REFOBJ_WATCH_ALL, 0);
		/* Nobody reads: the queue is full some time. */
		if (ret >= 0 || ret == -EAGAIN)
			ret = ro_set_why(r->fd, own, "racing");
		if (ret >= 0)
			ret = ro_release(r->fd, own, 2);
		if (ret < 0)
			break;
		if (first)
			__atomic_add_fetch(r->started, 1, __ATOMIC_SEQ_CST);
		first = false;
	}
	if (first)
		__atomic_add_fetch(r->started, 1, __ATOMIC_SEQ_CST);
	r->ret = ret;
	return NULL;
}

static int race_threads(int fd, __u64 id, struct ro_kid *kid)
{
	struct racer r[THREADS];
	pthread_t thread[THREADS];
	unsigned int started = 0;
	int i, ret = 0;

	for (i = 0; i < THREADS; i++) {
		r[i] = (struct racer){ fd, id, &started, 0 };
		if (pthread_create(&thread[i], NULL, acquire_until_refused, &r[i]))
			_exit(90);
	}
	while (__atomic_load_n(&started, __ATOMIC_SEQ_CST) < THREADS)
		sched_yield();
	ro_kid_say(kid, 1);
	for (i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		if (r[i].ret != -EOWNERDEAD)
			ret = r[i].ret;
	}
	return ret;
}

TEST_F(owner, revoked_while_threads_acquire)
{
	int round, rounds = ro_times(40);
	struct ro_kid owner, racers;
	pid_t pid;
	int fd;

	for (round = 0; round < rounds; round++) {
		ASSERT_EQ(1, start(&owner, NULL, self->id, 1, self->sv[0]));
		ASSERT_EQ(0, tell(&owner, SEND));
		fd = ro_receive_fd(self->sv[1]);
		ASSERT_LE(0, fd);
		pid = ro_kid_fork(&racers);
		ASSERT_LE(0, pid);
		if (!pid) {
			ro_kid_say(&racers, race_threads(fd, self->id, &racers));
			ro_kid_await(&racers);
			_exit(0);
		}
		ASSERT_EQ(1, ro_kid_hear(&racers));
		ASSERT_EQ(-SIGKILL, ro_kid_kill(&owner, SIGKILL));
		ASSERT_EQ(0, ro_kid_hear(&racers));
		/* The file is open, here and there, and there is nothing to it. */
		EXPECT_EQ(0, ro_users(self->look.fd, self->id));
		EXPECT_EQ(0, ro_look_since(&self->look, "references"));
		EXPECT_EQ(1, ro_look_since(&self->look, "objects"));
		EXPECT_EQ(0ULL, ro_watches_used(self->look.fd));
		EXPECT_EQ(round + 1, ro_look_since(&self->look,
						   "sessions_revoked"));
		EXPECT_EQ(0, ro_kid_end(&racers));
		EXPECT_EQ(0, close(fd));
	}
}

TEST_HARNESS_MAIN
