// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever ends a process, its references go with it, and debugfs says why.
 *
 * Nothing here sleeps: files are closed before a process becomes a zombie, so
 * that after waitpid() what it alone held has been dropped.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

/* As the tests are called; fewer where each takes longer. */
#define MANY_OBJECTS	(int)(100000 / ro_slow())
#define MANY_SESSIONS	(int)(1000 / ro_slow())
#define PATIENCE	240	/* seconds, where a sanitizer slows all down */

/* As the fixtures open their onlooker: no death here needs a core. */
static const char *look_open(struct ro_look *look)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	return ro_look_open(look);
}

/*
 * Each of these ends the calling process, which holds @fd.
 */
static void *pause_for_ever(void *unused)
{
	while (!unused)
		pause();
	return NULL;
}

static void *exit_group_here(void *unused)
{
	(void)unused;
	syscall(SYS_exit_group, 0);
	return NULL;
}

static void die_by_close(int fd)
{
	close(fd);
	_exit(0);
}

static void die_by_exit(int fd)
{
	(void)fd;
	exit(0);
}

/* A status that is not to be taken for a signal. */
static void die_by_exit_status(int fd)
{
	(void)fd;
	_exit(SIGKILL);
}

static void die_by_exec(int fd)
{
	(void)fd;
	execlp("true", "true", (char *)NULL);
	_exit(98);
}

static void die_after_exec(int fd)
{
	fcntl(fd, F_SETFD, 0);
	execlp("true", "true", (char *)NULL);
	_exit(98);
}

static void die_by_thread(int fd)
{
	pthread_t thread;

	(void)fd;
	if (pthread_create(&thread, NULL, exit_group_here, NULL))
		_exit(97);
	pause_for_ever(NULL);
}

static void die_by_fault(int fd)
{
	int *wall = mmap(NULL, sizeof(*wall), PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)fd;
	*wall = 0;
	_exit(96);
}

static void die_by_abort(int fd)
{
	(void)fd;
	abort();
}

static void die_by_seccomp(int fd)
{
	(void)fd;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(95);
	syscall(SYS_getpid);
	_exit(94);
}

/* Killed by the parent, as the following ones. */
static void wait_idle(int fd)
{
	(void)fd;
	pause_for_ever(NULL);
}

static void wait_with_threads(int fd)
{
	pthread_t thread;
	int i;

	(void)fd;
	for (i = 0; i < 7; i++)
		if (pthread_create(&thread, NULL, pause_for_ever, NULL))
			_exit(97);
	pause_for_ever(NULL);
}

/* The leader has left: what is killed is a zombie with a live thread. */
static void wait_without_leader(int fd)
{
	pthread_t thread;

	(void)fd;
	if (pthread_create(&thread, NULL, pause_for_ever, NULL))
		_exit(97);
	syscall(SYS_exit, 0);
}

/* A lock of the leader's, which the kernel passes on when the leader leaves. */
static struct {
	struct robust_list list;
	__u32 word;
} leaders_lock;

/*
 * The leader waits until this thread is asleep: it goes first on the processor that
 * they share.
 */
static void *be_killed_when_the_leader_leaves(void *asleep)
{
	const struct sched_param first = { .sched_priority = 1 };

	if (sched_setscheduler(0, SCHED_FIFO, &first))
		_exit(92);
	__atomic_store_n((bool *)asleep, true, __ATOMIC_RELEASE);
	syscall(SYS_futex, &leaders_lock.word, FUTEX_WAIT, leaders_lock.word,
		NULL, NULL, 0);
	kill(getpid(), SIGKILL);
	return pause_for_ever(NULL);
}

/*
 * The leader is on its way out, with a status of its own, when all are killed, and the
 * last to close its files.
 */
static void be_killed_while_leaving(int fd)
{
	static struct robust_list_head head;
	bool asleep = false;
	cpu_set_t one;
	pthread_t thread;

	(void)fd;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	leaders_lock.word = gettid() | FUTEX_WAITERS;
	leaders_lock.list.next = &head.list;
	head.list.next = &leaders_lock.list;
	head.futex_offset = offsetof(typeof(leaders_lock), word);
	if (sched_setaffinity(0, sizeof(one), &one) ||
	    pthread_create(&thread, NULL, be_killed_when_the_leader_leaves,
			   &asleep) ||
	    syscall(SYS_set_robust_list, &head, sizeof(head)))
		_exit(91);
	while (!__atomic_load_n(&asleep, __ATOMIC_ACQUIRE))
		sched_yield();
	syscall(SYS_exit, 0);
}

static void wait_stopped(int fd)
{
	(void)fd;
	raise(SIGSTOP);
	_exit(93);
}

struct ending {
	void (*end)(int fd);	/* what the child does */
	int signal;		/* what the parent then sends, or 0 */
	int status;		/* as ro_reap() tells it */
	const char *counter;
};

FIXTURE(cause) {
	struct ro_look look;
};

FIXTURE_VARIANT(cause) {
	struct ending by;
};

FIXTURE_VARIANT_ADD(cause, close) {
	.by = { .end = die_by_close, .counter = "dropped_close" },
};

FIXTURE_VARIANT_ADD(cause, close_on_exec) {
	.by = { .end = die_by_exec, .counter = "dropped_close" },
};

FIXTURE_VARIANT_ADD(cause, exit) {
	.by = { .end = die_by_exit, .counter = "dropped_exit" },
};

FIXTURE_VARIANT_ADD(cause, exit_status_9) {
	.by = {
		.end = die_by_exit_status, .status = 9,
		.counter = "dropped_exit",
	},
};

FIXTURE_VARIANT_ADD(cause, exit_after_exec) {
	.by = { .end = die_after_exec, .counter = "dropped_exit" },
};

FIXTURE_VARIANT_ADD(cause, exit_of_a_thread) {
	.by = { .end = die_by_thread, .counter = "dropped_exit" },
};

FIXTURE_VARIANT_ADD(cause, sigkill) {
	.by = {
		.end = wait_idle, .signal = SIGKILL, .status = -SIGKILL,
		.counter = "dropped_signal_9",
	},
};

FIXTURE_VARIANT_ADD(cause, sigkill_8_threads) {
	.by = {
		.end = wait_with_threads, .signal = SIGKILL,
		.status = -SIGKILL, .counter = "dropped_signal_9",
	},
};

FIXTURE_VARIANT_ADD(cause, sigkill_no_leader) {
	.by = {
		.end = wait_without_leader, .signal = SIGKILL,
		.status = -SIGKILL, .counter = "dropped_signal_9",
	},
};

FIXTURE_VARIANT_ADD(cause, sigkill_leader_leaving) {
	.by = {
		.end = be_killed_while_leaving, .status = -SIGKILL,
		.counter = "dropped_signal_9",
	},
};

FIXTURE_VARIANT_ADD(cause, sigkill_while_stopped) {
	.by = {
		.end = wait_stopped, .signal = SIGKILL, .status = -SIGKILL,
		.counter = "dropped_signal_9",
	},
};

FIXTURE_VARIANT_ADD(cause, sigterm) {
	.by = {
		.end = wait_idle, .signal = SIGTERM, .status = -SIGTERM,
		.counter = "dropped_signal_15",
	},
};

FIXTURE_VARIANT_ADD(cause, last_signal) {
	.by = {
		.end = wait_idle, .signal = 64, .status = -64,
		.counter = "dropped_signal_64",
	},
};

FIXTURE_VARIANT_ADD(cause, sigsegv) {
	.by = {
		.end = die_by_fault, .status = -SIGSEGV,
		.counter = "dropped_signal_11",
	},
};

FIXTURE_VARIANT_ADD(cause, sigabrt) {
	.by = {
		.end = die_by_abort, .status = -SIGABRT,
		.counter = "dropped_signal_6",
	},
};

FIXTURE_VARIANT_ADD(cause, seccomp) {
	.by = {
		.end = die_by_seccomp, .status = -SIGKILL,
		.counter = "dropped_signal_9",
	},
};

FIXTURE_SETUP(cause)
{
	const char *why = look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN(cause)
{
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

/* The parent's half of an end; how the child ended. */
static int bring_end(struct ro_kid *kid, const struct ending *by)
{
	int status;

	ro_kid_say(kid, 1);
	if (by->end == wait_stopped)
		waitpid(kid->pid, &status, WUNTRACED);
	if (by->signal)
		kill(kid->pid, by->signal);
	return ro_kid_reap(kid);
}

TEST_F(cause, transient_dies_with_its_name)
{
	__u64 id = 0, nameless = 0, again = 0;
	struct ro_kid kid;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd = ro_open();

		EXPECT_EQ(1, ro_create(fd, "cause", 0, 3, &id));
		EXPECT_EQ(1, ro_create(fd, NULL, 0, 2, &nameless));
		ro_kid_say(&kid, id);
		ro_kid_say(&kid, nameless);
		ro_kid_await(&kid);
		variant->by.end(fd);
	}
	id = ro_kid_hear(&kid);
	nameless = ro_kid_hear(&kid);
	EXPECT_EQ(3, ro_users(self->look.fd, id));
	EXPECT_EQ(2, ro_users(self->look.fd, nameless));

	EXPECT_EQ(variant->by.status, bring_end(&kid, &variant->by));

	EXPECT_EQ(-ENOENT, ro_lookup(self->look.fd, "cause", NULL));
	EXPECT_EQ(-ESTALE, ro_users(self->look.fd, id));
	EXPECT_EQ(-ESTALE, ro_acquire(self->look.fd, id, 1, 0));
	EXPECT_EQ(-ESTALE, ro_acquire(self->look.fd, nameless, 1, 0));
	EXPECT_EQ(5, ro_look_dropped(&self->look, variant->by.counter));
	EXPECT_EQ(2, ro_look_since(&self->look, "destroyed"));
	EXPECT_EQ(2, ro_look_since(&self->look, "deactivations"));
	/* The name is free, for another object. */
	EXPECT_EQ(1, ro_create(self->look.fd, "cause", 0, 1, &again));
	EXPECT_NE(id, again);
	EXPECT_EQ(1, ro_release(self->look.fd, again, 1));
}

TEST_F(cause, persistent_goes_idle)
{
	struct refobj_stat st;
	struct ro_kid kid;
	unsigned int total = 9;
	__u64 id = 0, same = 0;

	ASSERT_EQ(0, ro_create(self->look.fd, "cause", REFOBJ_PERSISTENT, 0,
			       &id));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd = ro_open();

		ro_kid_say(&kid, ro_acquire(fd, id, 70000 - 65536, 0));
		ro_kid_say(&kid, ro_acquire(fd, id, 65536, 0));
		ro_kid_await(&kid);
		variant->by.end(fd);
	}
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_hear(&kid));

	EXPECT_EQ(variant->by.status, bring_end(&kid, &variant->by));

	EXPECT_EQ(0, ro_stat(self->look.fd, id, &st));
	EXPECT_EQ(REFOBJ_STATE_IDLE, st.state);
	EXPECT_EQ(0U, st.users);
	EXPECT_EQ(70000U, st.users_peak);
	EXPECT_EQ(0U, st.holders);
	EXPECT_EQ(1ULL, st.activations);
	EXPECT_EQ(1ULL, st.deactivations);
	EXPECT_EQ(0, ro_holders(self->look.fd, id, NULL, 0, &total));
	EXPECT_EQ(0U, total);
	EXPECT_EQ(70000, ro_look_dropped(&self->look, variant->by.counter));
	EXPECT_EQ(0, ro_lookup(self->look.fd, "cause", &same));
	EXPECT_EQ(id, same);
	EXPECT_EQ(-EAGAIN, ro_acquire(self->look.fd, id, 1,
				      REFOBJ_ACQUIRE_NOT_ZERO));
	EXPECT_EQ(1, ro_acquire(self->look.fd, id, 1, 0));
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
}

TEST_F(cause, other_holders_keep_theirs)
{
	struct refobj_holder rec[3] = { };
	struct refobj_info info = { .size = sizeof(info) };
	struct refobj_stat st;
	unsigned int total = 0;
	struct ro_kid kid;
	__u64 id = 0;

	ASSERT_EQ(0, ro_ioctl(self->look.fd, REFOBJ_IOC_INFO, &info));
	ASSERT_EQ(1, ro_create(self->look.fd, "cause", 0, 2, &id));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd;

		/* The inherited session is not the child's to end. */
		close(self->look.fd);
		fd = ro_open();
		ro_kid_say(&kid, ro_acquire(fd, id, 5, 0));
		ro_kid_await(&kid);
		variant->by.end(fd);
	}
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(2, ro_holders(self->look.fd, id, rec, 3, NULL));
	EXPECT_EQ((__u32)kid.pid, rec[1].pid);

	EXPECT_EQ(variant->by.status, bring_end(&kid, &variant->by));

	EXPECT_EQ(0, ro_stat(self->look.fd, id, &st));
	EXPECT_EQ(REFOBJ_STATE_READY, st.state);
	EXPECT_EQ(2U, st.users);
	EXPECT_EQ(7U, st.users_peak);
	EXPECT_EQ(2U, st.held);
	EXPECT_EQ(0ULL, st.deactivations);
	EXPECT_EQ(1, ro_holders(self->look.fd, id, rec, 3, &total));
	EXPECT_EQ(1U, total);
	EXPECT_EQ(info.session, rec[0].session);
	EXPECT_EQ(2U, rec[0].count);
	EXPECT_EQ(5, ro_look_dropped(&self->look, variant->by.counter));
	EXPECT_EQ(0, ro_lookup(self->look.fd, "cause", NULL));
	EXPECT_EQ(1, ro_release(self->look.fd, id, 2));
}

FIXTURE(death) {
	struct ro_look look;
};

FIXTURE_SETUP(death)
{
	const char *why = look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN(death)
{
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

TEST_F(death, close_drops_while_the_process_lives)
{
	struct ro_kid kid;
	__u64 id = 0;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd = ro_open();

		ro_create(fd, "death", 0, 4, &id);
		ro_kid_say(&kid, id);
		ro_kid_await(&kid);
		ro_kid_say(&kid, close(fd));
		ro_kid_await(&kid);
		_exit(0);
	}
	id = ro_kid_hear(&kid);
	EXPECT_EQ(4, ro_users(self->look.fd, id));
	ro_kid_say(&kid, 1);
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(-ESTALE, ro_users(self->look.fd, id));
	EXPECT_EQ(4, ro_look_dropped(&self->look, "dropped_close"));
	EXPECT_EQ(0, ro_kid_end(&kid));
	EXPECT_EQ(4, ro_look_dropped(&self->look, "dropped_close"));
}

TEST_F(death, released_is_not_dropped)
{
	struct ro_kid kid;
	__u64 id = 0;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd = ro_open();

		EXPECT_EQ(1, ro_create(fd, NULL, 0, 4, &id));
		EXPECT_EQ(0, ro_release(fd, id, 3));
		ro_kid_say(&kid, id);
		wait_idle(fd);
	}
	EXPECT_LT(0, ro_kid_hear(&kid));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	EXPECT_EQ(1, ro_look_dropped(&self->look, "dropped_signal_9"));
	EXPECT_EQ(3, ro_look_since(&self->look, "references_released"));
}

TEST_F(death, exec_drops_at_once_with_cloexec)
{
	struct ro_kid kid;
	__u64 id = 0;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		ro_create(ro_open(), "death", 0, 2, &id);
		ro_kid_say(&kid, id);
		ro_kid_await(&kid);
		ro_kid_become_cat(&kid);
	}
	id = ro_kid_hear(&kid);
	EXPECT_EQ(2, ro_users(self->look.fd, id));
	ro_kid_say(&kid, 1);
	EXPECT_TRUE(ro_kid_is_cat(&kid));
	EXPECT_EQ(-ESTALE, ro_users(self->look.fd, id));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_close"));
	EXPECT_EQ(0, ro_kid_end(&kid));
}

/* The program that runs now answers for the session: in HOLDERS, too. */
TEST_F(death, exec_keeps_without_cloexec)
{
	struct refobj_holder rec = { };
	struct ro_kid kid;
	__u64 id = 0;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd = ro_open();

		ro_create(fd, "death", 0, 2, &id);
		fcntl(fd, F_SETFD, 0);
		ro_kid_say(&kid, id);
		ro_kid_await(&kid);
		ro_kid_become_cat(&kid);
	}
	id = ro_kid_hear(&kid);
	ro_kid_say(&kid, 1);
	EXPECT_TRUE(ro_kid_is_cat(&kid));
	EXPECT_EQ(2, ro_users(self->look.fd, id));
	EXPECT_EQ(1, ro_holders(self->look.fd, id, &rec, 1, NULL));
	EXPECT_EQ((__u32)kid.pid, rec.pid);
	EXPECT_STREQ("cat", rec.comm);
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	EXPECT_EQ(0, ro_kid_end(&kid));
	EXPECT_EQ(-ESTALE, ro_users(self->look.fd, id));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_exit"));
}

TEST_F(death, kill_drops_what_exec_kept)
{
	struct ro_kid kid;
	__u64 id = 0;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd = ro_open();

		ro_create(fd, "death", 0, 2, &id);
		fcntl(fd, F_SETFD, 0);
		ro_kid_say(&kid, id);
		ro_kid_await(&kid);
		ro_kid_become_cat(&kid);
	}
	id = ro_kid_hear(&kid);
	ro_kid_say(&kid, 1);
	EXPECT_TRUE(ro_kid_is_cat(&kid));
	EXPECT_EQ(2, ro_users(self->look.fd, id));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	EXPECT_EQ(-ESTALE, ro_users(self->look.fd, id));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_signal_9"));
}

static void *cat_from_thread(void *arg)
{
	struct ro_kid *kid = arg;
	__u64 closed = 0, kept = 0;
	int fd;

	ro_create(ro_open(), NULL, 0, 2, &closed);
	fd = ro_open();
	fcntl(fd, F_SETFD, 0);
	ro_create(fd, NULL, 0, 3, &kept);
	ro_kid_say(kid, closed);
	ro_kid_say(kid, kept);
	ro_kid_become_cat(kid);
	return NULL;
}

/* exec in a thread kills the others, and the thread takes the leader's pid. */
TEST_F(death, exec_from_a_thread)
{
	struct refobj_holder rec = { };
	__u64 closed, kept;
	struct ro_kid kid;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, cat_from_thread, &kid))
			_exit(97);
		pause_for_ever(NULL);
	}
	closed = ro_kid_hear(&kid);
	kept = ro_kid_hear(&kid);
	EXPECT_TRUE(ro_kid_is_cat(&kid));
	EXPECT_EQ(-ESTALE, ro_users(self->look.fd, closed));
	EXPECT_EQ(3, ro_users(self->look.fd, kept));
	EXPECT_EQ(1, ro_holders(self->look.fd, kept, &rec, 1, NULL));
	EXPECT_EQ((__u32)kid.pid, rec.pid);
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_close"));
	EXPECT_EQ(0, ro_kid_end(&kid));
	EXPECT_EQ(3, ro_look_since(&self->look, "dropped_exit"));
}

struct lonely {
	struct ro_kid kid;
	int fd;
	__u64 id;
};

static void *open_and_leave(void *arg)
{
	struct lonely *l = arg;

	l->fd = ro_open();
	ro_create(l->fd, NULL, 0, 2, &l->id);
	return NULL;
}

static void *speak_alone(void *arg)
{
	struct lonely *l = arg;

	ro_kid_await(&l->kid);
	ro_kid_say(&l->kid, ro_users(l->fd, l->id));
	ro_kid_await(&l->kid);
	_exit(0);
}

TEST_F(death, exit_of_a_thread_drops_nothing)
{
	struct refobj_holder rec = { };
	struct lonely l = { };

	ASSERT_LE(0, ro_kid_fork(&l.kid));
	if (!l.kid.pid) {
		pthread_t thread;

		pthread_create(&thread, NULL, open_and_leave, &l);
		pthread_join(thread, NULL);
		ro_kid_say(&l.kid, l.id);
		ro_kid_await(&l.kid);
		_exit(0);
	}
	l.id = ro_kid_hear(&l.kid);
	EXPECT_EQ(2, ro_users(self->look.fd, l.id));
	EXPECT_EQ(1, ro_holders(self->look.fd, l.id, &rec, 1, NULL));
	EXPECT_EQ((__u32)l.kid.pid, rec.pid);
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	EXPECT_EQ(0, ro_kid_end(&l.kid));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_exit"));
}

/* Waits until /proc says that the leader of a process is a zombie. */
static bool leader_has_left(pid_t pid)
{
	__u64 end = ro_now_ns() + 10000000000ULL * ro_slow();
	char path[40], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	/* Nothing tells of a leader's exit but its state: ask again. */
	while (state != 'Z' && ro_now_ns() < end) {
		f = fopen(path, "re");
		if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = 0;
		if (f)
			fclose(f);
		sched_yield();
	}
	return state == 'Z';
}

TEST_F(death, exit_of_the_leader_drops_nothing)
{
	struct refobj_holder rec = { };
	struct lonely l = { };

	ASSERT_LE(0, ro_kid_fork(&l.kid));
	if (!l.kid.pid) {
		pthread_t thread;

		open_and_leave(&l);
		if (pthread_create(&thread, NULL, speak_alone, &l))
			_exit(97);
		ro_kid_say(&l.kid, l.id);
		syscall(SYS_exit, 0);
	}
	l.id = ro_kid_hear(&l.kid);
	EXPECT_TRUE(leader_has_left(l.kid.pid));
	EXPECT_EQ(2, ro_users(self->look.fd, l.id));
	EXPECT_EQ(1, ro_holders(self->look.fd, l.id, &rec, 1, NULL));
	EXPECT_EQ((__u32)l.kid.pid, rec.pid);
	ro_kid_say(&l.kid, 1);
	EXPECT_EQ(2, ro_kid_hear(&l.kid));
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	EXPECT_EQ(0, ro_kid_end(&l.kid));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_exit"));
}

/* Dead, but nobody has waited for it yet. */
TEST_F(death, zombie_holds_nothing)
{
	struct refobj_holder rec;
	struct ro_kid kid;
	siginfo_t info;
	__u64 id = 0;

	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &id));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		ro_kid_say(&kid, ro_acquire(ro_open(), id, 1, 0));
		pause_for_ever(NULL);
	}
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(2, ro_users(self->look.fd, id));
	kill(kid.pid, SIGKILL);
	EXPECT_EQ(0, waitid(P_PID, kid.pid, &info, WEXITED | WNOWAIT));
	EXPECT_EQ(1, ro_users(self->look.fd, id));
	EXPECT_EQ(1, ro_holders(self->look.fd, id, &rec, 1, NULL));
	EXPECT_NE((__u32)kid.pid, rec.pid);
	EXPECT_EQ(1, ro_look_dropped(&self->look, "dropped_signal_9"));
	EXPECT_EQ(-SIGKILL, ro_kid_reap(&kid));
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
}

/* A dump of core sets a bit beside the signal's number. */
TEST_F(death, core_dump)
{
	const struct rlimit some = { 1 << 20, 1 << 20 };
	char dir[] = "/tmp/refobj-core-XXXXXX", path[80];
	int status = 0, pattern;
	struct ro_kid kid;
	char first = 0;

	pattern = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
	if (pattern < 0 || read(pattern, &first, 1) != 1 || first == '|' ||
	    first == '/')
		SKIP(return, "cores go elsewhere than the working directory");
	close(pattern);
	ASSERT_NE(NULL, mkdtemp(dir));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		EXPECT_EQ(0, chdir(dir));
		/* The setup made the hard limit 0: only root may do this. */
		EXPECT_EQ(0, setrlimit(RLIMIT_CORE, &some));
		ro_create(ro_open(), NULL, 0, 6, NULL);
		die_by_fault(-1);
	}
	EXPECT_EQ(kid.pid, waitpid(kid.pid, &status, 0));
	ro_pipe_close(&kid.pipe);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(6, ro_look_dropped(&self->look, "dropped_signal_11"));
	snprintf(path, sizeof(path), "%s/core", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/core.%d", dir, kid.pid);
	unlink(path);
	EXPECT_EQ(0, rmdir(dir));
	if (!WCOREDUMP(status))
		SKIP(return, "no core was dumped");
}

/* With the first process of a pid namespace all others die. */
TEST_F(death, pid_namespace_dies)
{
	long long word, ids = 0;
	struct ro_kid kid;
	pid_t init = 0;
	int i;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		__u64 id = 0;
		pid_t pid;

		if (unshare(CLONE_NEWPID))
			_exit(92);
		pid = fork();
		if (pid) {
			ro_kid_say(&kid, -pid);
			_exit(ro_reap(pid) == -SIGKILL ? 0 : 91);
		}
		if (fork())
			ro_create(ro_open(), NULL, 0, 4, &id);
		else
			ro_create(ro_open(), NULL, 0, 3, &id);
		ro_kid_say(&kid, id);
		pause_for_ever(NULL);
	}
	/* Two ids and, below zero, a pid, in the order in which they come. */
	for (i = 0; i < 3; i++) {
		word = ro_kid_hear(&kid);
		ASSERT_NE(-1, word);
		if (word < 0)
			init = -word;
		else
			ids += ro_users(self->look.fd, word);
	}
	EXPECT_EQ(7, ids);
	ASSERT_LT(1, init);
	EXPECT_EQ(0, kill(init, SIGKILL));
	EXPECT_EQ(0, ro_kid_reap(&kid));
	EXPECT_EQ(7, ro_look_dropped(&self->look, "dropped_signal_9"));
}

static void hold_many(int fd, unsigned int n)
{
	struct refobj_create c = { };

	while (n--) {
		c = (struct refobj_create){ .size = sizeof(c), .initial = 1 };
		if (ro_ioctl(fd, REFOBJ_IOC_CREATE, &c) != 1)
			_exit(90);
	}
}

/*
 * However the ids lie: a session drops its objects in batches, and keeps them
 * in nodes of 64.
 */
TEST_F_TIMEOUT(death, all_are_dropped_wherever_they_lie, PATIENCE)
{
	int i, fd;

	for (i = 0; i < 64; i++) {
		fd = ro_open();
		ASSERT_LE(0, fd);
		/* 64 * 3 + 1: each round starts one place further. */
		hold_many(fd, 193);
		EXPECT_EQ(193, ro_look_since(&self->look, "objects"));
		close(fd);
		ASSERT_EQ(0, ro_look_since(&self->look, "objects"));
		ASSERT_EQ(0, ro_look_since(&self->look, "references"));
	}
	EXPECT_EQ(64 * 193, ro_look_dropped(&self->look, "dropped_close"));
}

/* The same with gaps, by RELEASE_ALL and by the end of a session. */
TEST_F_TIMEOUT(death, all_are_dropped_whatever_is_between, PATIENCE)
{
	int i, j, fd, holes = ro_open();
	unsigned int seed = 4711;

	for (i = 0; i < 40; i++) {
		fd = ro_open();
		ASSERT_LE(0, fd);
		for (j = 0; j < 150; j++) {
			hold_many(holes, rand_r(&seed) % (1 + i));
			hold_many(fd, 1);
		}
		if (i % 2)
			ASSERT_EQ(150, ro_release_all(fd, 0));
		close(fd);
		ro_release_all(holes, 0);
		ASSERT_EQ(0, ro_look_since(&self->look, "objects"));
		ASSERT_EQ(0, ro_look_since(&self->look, "references"));
	}
	close(holes);
}

TEST_F_TIMEOUT(death, hundred_thousand_objects_killed, PATIENCE)
{
	struct refobj_stat st;
	__u64 id[3] = { };
	struct ro_kid kid;
	unsigned int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT,
				       0, &id[i]));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd = ro_open();

		hold_many(fd, MANY_OBJECTS / 2);
		for (i = 0; i < 3; i++)
			ro_acquire(fd, id[i], 2, 0);
		hold_many(fd, MANY_OBJECTS - MANY_OBJECTS / 2);
		ro_kid_say(&kid, 1);
		pause_for_ever(NULL);
	}
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_EQ(MANY_OBJECTS + 3, ro_look_since(&self->look, "objects"));
	EXPECT_EQ(MANY_OBJECTS + 6, ro_look_since(&self->look, "references"));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	EXPECT_EQ(3, ro_look_since(&self->look, "objects"));
	EXPECT_EQ(0, ro_look_since(&self->look, "references"));
	EXPECT_EQ(MANY_OBJECTS, ro_look_since(&self->look, "destroyed"));
	EXPECT_EQ(MANY_OBJECTS + 6,
		  ro_look_dropped(&self->look, "dropped_signal_9"));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, ro_stat(self->look.fd, id[i], &st));
		EXPECT_EQ(REFOBJ_STATE_IDLE, st.state);
		EXPECT_EQ(0, ro_destroy(self->look.fd, id[i]));
	}
}

TEST_F_TIMEOUT(death, hundred_thousand_objects_closed, PATIENCE)
{
	int fd = ro_open();

	ASSERT_LE(0, fd);
	hold_many(fd, MANY_OBJECTS);
	EXPECT_EQ(MANY_OBJECTS, ro_look_since(&self->look, "objects"));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, ro_look_since(&self->look, "objects"));
	EXPECT_EQ(MANY_OBJECTS, ro_look_dropped(&self->look, "dropped_close"));
}

TEST_F_TIMEOUT(death, thousand_sessions_killed, PATIENCE)
{
	const struct rlimit files = {
		MANY_SESSIONS + 100, MANY_SESSIONS + 100
	};
	unsigned int total = 0;
	struct ro_kid kid;
	__u64 id = 0;

	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &id));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int i;

		setrlimit(RLIMIT_NOFILE, &files);
		for (i = 0; i < MANY_SESSIONS; i++) {
			int fd = ro_open();

			if (fd < 0 || ro_acquire(fd, id, 1, 0) ||
			    ro_create(fd, NULL, 0, 1, NULL) != 1)
				_exit(90);
		}
		ro_kid_say(&kid, 1);
		pause_for_ever(NULL);
	}
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_holders(self->look.fd, id, NULL, 0, &total));
	EXPECT_EQ(MANY_SESSIONS + 1U, total);
	EXPECT_EQ(MANY_SESSIONS + 1, ro_look_since(&self->look, "sessions"));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	EXPECT_EQ(1, ro_look_since(&self->look, "sessions"));
	EXPECT_EQ(1, ro_look_since(&self->look, "objects"));
	EXPECT_EQ(1, ro_users(self->look.fd, id));
	EXPECT_EQ(2 * MANY_SESSIONS,
		  ro_look_dropped(&self->look, "dropped_signal_9"));
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
}

static int write_file(const char *dir, const char *name, const char *text)
{
	char path[160];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* The value behind a key in a cgroup's file, or -1. */
static long long cgroup_event(const char *dir, const char *name,
			      const char *key)
{
	long long value = -1, v;
	char path[160], k[32];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fscanf(f, "%31s %lld", k, &v) == 2)
		if (!strcmp(k, key))
			value = v;
	fclose(f);
	return value;
}

/* Tells vm/run what the kernel is about to log by intention. */
static void announce(const char *line)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (write(fd, line, strlen(line)) < 0)
		fprintf(stderr, "# cannot write to /dev/kmsg\n");
	close(fd);
}

TEST_F(death, oom_kill)
{
	char root[] = "/tmp/refobj-cgroup-XXXXXX", dir[64];
	const size_t limit = 16 << 20;
	struct ro_kid kid;
	__u64 id = 0;
	int ret;

	ASSERT_NE(NULL, mkdtemp(root));
	if (mount("none", root, "cgroup2", 0, NULL)) {
		ret = errno;
		rmdir(root);
		SKIP(return, "no cgroup2: %s", strerror(ret));
	}
	snprintf(dir, sizeof(dir), "%s/refobj-oom", root);
	ret = write_file(root, "cgroup.subtree_control", "+memory");
	if (ret) {
		umount(root);
		rmdir(root);
		SKIP(return, "no memory controller: %s", strerror(-ret));
	}
	EXPECT_EQ(0, mkdir(dir, 0755));
	EXPECT_EQ(0, write_file(dir, "memory.max", "16M"));
	EXPECT_EQ(0, write_file(dir, "memory.oom.group", "1"));
	/* Without swap accounting there is no such file, and no swap here. */
	write_file(dir, "memory.swap.max", "0");

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		void *p;

		if (write_file(dir, "cgroup.procs", "0"))
			_exit(89);
		ro_create(ro_open(), "death", 0, 4, &id);
		ro_kid_say(&kid, id);
		ro_kid_await(&kid);
		p = mmap(NULL, 4 * limit, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(p, 1, 4 * limit);
		_exit(88);
	}
	id = ro_kid_hear(&kid);
	EXPECT_EQ(4, ro_users(self->look.fd, id));
	announce("refobj-expect: oom_kill_process");
	ro_kid_say(&kid, 1);
	EXPECT_EQ(-SIGKILL, ro_kid_reap(&kid));
	announce("refobj-expect-end");
	EXPECT_LE(1, cgroup_event(dir, "memory.events", "oom_kill"));
	EXPECT_EQ(-ENOENT, ro_lookup(self->look.fd, "death", NULL));
	EXPECT_EQ(-ESTALE, ro_users(self->look.fd, id));
	EXPECT_EQ(4, ro_look_dropped(&self->look, "dropped_signal_9"));

	EXPECT_EQ(0, rmdir(dir));
	write_file(root, "cgroup.subtree_control", "-memory");
	EXPECT_EQ(0, umount(root));
	EXPECT_EQ(0, rmdir(root));
}

/*
 * Killed inside an ioctl, which waits for user memory: at the first touch of a
 * page, or at the first write to it.
 */
FIXTURE(stuck) {
	struct ro_look look;
	__u64 id;
};

FIXTURE_VARIANT(stuck) {
	bool writes;
	unsigned long cmd;
};

FIXTURE_VARIANT_ADD(stuck, holders_writes_records) {
	.cmd = REFOBJ_IOC_HOLDERS,
};

FIXTURE_VARIANT_ADD(stuck, stat_writes) {
	.writes = true, .cmd = REFOBJ_IOC_STAT,
};

FIXTURE_VARIANT_ADD(stuck, create_writes) {
	.writes = true, .cmd = REFOBJ_IOC_CREATE,
};

FIXTURE_VARIANT_ADD(stuck, attach_writes) {
	.writes = true, .cmd = REFOBJ_IOC_ATTACH,
};

FIXTURE_VARIANT_ADD(stuck, acquire_reads) {
	.cmd = REFOBJ_IOC_ACQUIRE,
};

FIXTURE_SETUP(stuck)
{
	const char *why = look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(1, ro_create(self->look.fd, "stuck", 0, 1, &self->id));
}

FIXTURE_TEARDOWN(stuck)
{
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

struct trapped {
	struct ro_trap trap;
	unsigned long cmd;
	int fd;
};

/* The argument lies in the page, but for HOLDERS: there the records do. */
static void *run_into_trap(void *arg)
{
	struct trapped *t = arg;
	struct refobj_holders h = {
		.size = sizeof(h), .records = (uintptr_t)t->trap.mem,
		.capacity = 4, .record_size = sizeof(struct refobj_holder),
	};
	void *param = t->trap.mem;

	if (t->cmd == REFOBJ_IOC_HOLDERS) {
		ro_lookup(t->fd, "stuck", &h.id);
		param = &h;
	}
	ioctl(t->fd, t->cmd, param);
	_exit(87);
}

/* Puts the argument that an ioctl will read into the page that it may read. */
static void bait(void *page, unsigned long cmd, __u64 id)
{
	if (cmd == REFOBJ_IOC_STAT) {
		struct refobj_stat st = { .size = sizeof(st), .id = id };

		memcpy(page, &st, sizeof(st));
	} else if (cmd == REFOBJ_IOC_CREATE) {
		struct refobj_create c = {
			.size = sizeof(c), .initial = 2, .name = "unborn",
		};

		memcpy(page, &c, sizeof(c));
	} else if (cmd == REFOBJ_IOC_ATTACH) {
		struct refobj_attach a = {
			.size = sizeof(a), .count = 2, .name = "unborn",
		};

		memcpy(page, &a, sizeof(a));
	}
}

TEST_F(stuck, killed)
{
	struct ro_kid kid;
	long long word;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		struct trapped t = { .cmd = variant->cmd };
		pthread_t thread;
		int ret;

		close(self->look.fd);
		t.fd = ro_open();
		EXPECT_EQ(0, ro_acquire(t.fd, self->id, 3, 0));
		ret = ro_trap_open(&t.trap, 1, variant->writes);
		if (!ret && variant->writes)
			bait(t.trap.mem, variant->cmd, self->id);
		if (!ret)
			ret = ro_trap_set(&t.trap);
		if (ret) {
			ro_kid_say(&kid, ret);
			_exit(0);
		}
		if (pthread_create(&thread, NULL, run_into_trap, &t))
			_exit(97);
		ro_kid_say(&kid, ro_trap_wait(&t.trap) == t.trap.mem);
		pause_for_ever(NULL);
	}
	word = ro_kid_hear(&kid);
	if (word < 0) {
		ro_kid_reap(&kid);
		ro_release(self->look.fd, self->id, 1);
		SKIP(return, "no such userfaultfd: %s", strerror(-word));
	}
	EXPECT_EQ(1, word);
	/* It stands in nobody's way, and has done nothing yet. */
	EXPECT_EQ(4, ro_users(self->look.fd, self->id));
	EXPECT_EQ(0, ro_acquire(self->look.fd, self->id, 1, 0));
	EXPECT_EQ(0, ro_release(self->look.fd, self->id, 1));
	EXPECT_EQ(-ENOENT, ro_lookup(self->look.fd, "unborn", NULL));

	EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));

	EXPECT_EQ(1, ro_users(self->look.fd, self->id));
	EXPECT_EQ(-ENOENT, ro_lookup(self->look.fd, "unborn", NULL));
	EXPECT_EQ(1, ro_create(self->look.fd, "unborn", 0, 1, NULL));
	EXPECT_EQ(2, ro_look_since(&self->look, "created"));
	EXPECT_EQ(2, ro_look_since(&self->look, "objects"));
	EXPECT_EQ(3, ro_look_dropped(&self->look, "dropped_signal_9"));
}

TEST_HARNESS_MAIN
