// SPDX-License-Identifier: GPL-2.0-only
/*
 * WAIT: what can be waited for, and how a wait ends.
 *
 * Who is waited for is seen to sleep in the kernel before anything is done that
 * may end his wait: nothing here sleeps for a time.
 */
#define _GNU_SOURCE
#include <linux/audit.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define PATIENCE	120
#define HOUR		3600000	/* ms, to linger */
#define USER		4321	/* an ordinary one */

FIXTURE(waits) {
	struct ro_look look;
	__u64 id;	/* persistent, idle */
};

FIXTURE_SETUP(waits)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, ro_create(self->look.fd, "waits", REFOBJ_PERSISTENT, 0,
			       &self->id));
}

FIXTURE_TEARDOWN(waits)
{
	if (self->id)
		EXPECT_EQ(0, ro_destroy(self->look.fd, self->id));
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

/* A child that waits, says what came of it, and goes when it is told to. */
static void waiter(struct ro_kid *kid, const struct refobj_condition *c,
		   unsigned int n, unsigned int flags)
{
	int fd;

	if (ro_kid_fork(kid))
		return;
	fd = ro_open();
	ro_kid_say(kid, 1);
	ro_kid_say(kid, ro_wait_for(fd, c, n, flags, RO_FOREVER));
	ro_kid_await(kid);
	_exit(0);
}

static void waiter_until(struct ro_kid *kid, __u64 id, unsigned int until,
			 unsigned int users)
{
	const struct refobj_condition c = {
		.id = id, .until = until, .users = users,
	};

	waiter(kid, &c, 1, 0);
}

static bool is_waiting(struct ro_kid *kid)
{
	return ro_kid_hear(kid) == 1 && ro_kid_sleeps(kid);
}

/*
 * Looking
 */
FIXTURE(look) {
	struct ro_look look;
	__u64 id;	/* in the variant's state, with 2 users where it has any */
};

FIXTURE_VARIANT(look) {
	unsigned int state;
	int idle, active, ready, users0, users1, users2, dead;
};

/* What a look says: that it holds, that it does not, or that it never will. */
#define YES	0
#define NO	(-ETIMEDOUT)
#define NEVER	(-ESTALE)

FIXTURE_VARIANT_ADD(look, at_idle) {
	REFOBJ_STATE_IDLE, YES, NO, NO, YES, YES, YES, NO
};

FIXTURE_VARIANT_ADD(look, at_building) {
	REFOBJ_STATE_BUILDING, NO, YES, NO, NO, NO, YES, NO
};

FIXTURE_VARIANT_ADD(look, at_ready) {
	REFOBJ_STATE_READY, NO, YES, YES, NO, NO, YES, NO
};

FIXTURE_VARIANT_ADD(look, at_lingering) {
	REFOBJ_STATE_LINGERING, NO, YES, YES, YES, YES, YES, NO
};

FIXTURE_VARIANT_ADD(look, at_dead) {
	REFOBJ_STATE_DEAD, YES, NEVER, NEVER, YES, YES, YES, YES
};

FIXTURE_SETUP(look)
{
	const char *why = ro_look_open(&self->look);
	unsigned int build = 0, ms = 0;
	struct refobj_stat st;
	int fd;

	if (why)
		SKIP(return, "%s", why);
	fd = self->look.fd;
	if (variant->state == REFOBJ_STATE_BUILDING)
		build = REFOBJ_BUILD;
	if (variant->state == REFOBJ_STATE_LINGERING)
		ms = HOUR;
	ASSERT_LE(1, ro_create_linger(fd, NULL, REFOBJ_PERSISTENT | build, 2,
				      ms, &self->id));
	switch (variant->state) {
	case REFOBJ_STATE_LINGERING:
		ASSERT_EQ(0, ro_release(fd, self->id, 2));
		break;
	case REFOBJ_STATE_IDLE:
	case REFOBJ_STATE_DEAD:
		ASSERT_EQ(1, ro_release(fd, self->id, 2));
	}
	if (variant->state == REFOBJ_STATE_DEAD) {
		ASSERT_EQ(0, ro_destroy(fd, self->id));
		return;
	}
	ASSERT_EQ(0, ro_stat(fd, self->id, &st));
	ASSERT_EQ(variant->state, st.state);
}

FIXTURE_TEARDOWN(look)
{
	ro_release_all(self->look.fd, 0);
	ro_destroy(self->look.fd, self->id);
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

TEST_F(look, says_whether_it_holds)
{
	int fd = self->look.fd;
	__u64 id = self->id;

	EXPECT_EQ(variant->idle, ro_wait(fd, id, REFOBJ_UNTIL_IDLE, 0, 0));
	EXPECT_EQ(variant->active, ro_wait(fd, id, REFOBJ_UNTIL_ACTIVE, 0, 0));
	EXPECT_EQ(variant->ready, ro_wait(fd, id, REFOBJ_UNTIL_READY, 0, 0));
	EXPECT_EQ(variant->users0, ro_wait(fd, id, REFOBJ_UNTIL_USERS, 0, 0));
	EXPECT_EQ(variant->users1, ro_wait(fd, id, REFOBJ_UNTIL_USERS, 1, 0));
	EXPECT_EQ(variant->users2, ro_wait(fd, id, REFOBJ_UNTIL_USERS, 2, 0));
	EXPECT_EQ(0, ro_wait(fd, id, REFOBJ_UNTIL_USERS, ~0U, 0));
	EXPECT_EQ(variant->dead, ro_wait(fd, id, REFOBJ_UNTIL_DEAD, 0, 0));
}

/* What holds already ends the wait at once, whatever its time. */
TEST_F(look, does_not_sleep_for_what_holds)
{
	int fd = self->look.fd;
	__u64 id = self->id;

	if (variant->idle != NO)
		EXPECT_EQ(variant->idle, ro_wait(fd, id, REFOBJ_UNTIL_IDLE, 0,
						 RO_FOREVER));
	if (variant->active != NO)
		EXPECT_EQ(variant->active, ro_wait(fd, id, REFOBJ_UNTIL_ACTIVE,
						   0, RO_FOREVER));
	if (variant->ready != NO)
		EXPECT_EQ(variant->ready, ro_wait(fd, id, REFOBJ_UNTIL_READY, 0,
						  RO_FOREVER));
	EXPECT_EQ(0, ro_wait(fd, id, REFOBJ_UNTIL_USERS, 2, RO_FOREVER));
	if (variant->dead != NO)
		EXPECT_EQ(0, ro_wait(fd, id, REFOBJ_UNTIL_DEAD, 0, RO_FOREVER));
}

/*
 * Time and signals
 */
TEST_F(waits, time_is_absolute)
{
	__u64 until = ro_now_ns() + 30000000;
	int i;

	EXPECT_EQ(-ETIMEDOUT, ro_wait(self->look.fd, self->id,
				      REFOBJ_UNTIL_ACTIVE, 0, until));
	EXPECT_LE(until, ro_now_ns());
	/* It has come: these do not sleep. */
	for (i = 0; i < 100; i++)
		EXPECT_EQ(-ETIMEDOUT, ro_wait(self->look.fd, self->id,
					      REFOBJ_UNTIL_ACTIVE, 0,
					      i ? until : 1));
	EXPECT_EQ(-ETIMEDOUT, ro_wait(self->look.fd, self->id,
				      REFOBJ_UNTIL_DEAD, 0, until));
	EXPECT_EQ(0, ro_wait(self->look.fd, self->id, REFOBJ_UNTIL_IDLE, 0,
			     until));
}

/* The largest time there is, and one that is for ever: until something holds. */
TEST_F(waits, for_ever)
{
	static const __u64 times[] = {
		INT64_MAX, (__u64)INT64_MAX + 1, RO_FOREVER,
	};
	struct ro_kid kid;
	unsigned int i;

	for (i = 0; i < RO_ARRAY_SIZE(times); i++) {
		ASSERT_LE(0, ro_kid_fork(&kid));
		if (!kid.pid) {
			ro_kid_say(&kid, 1);
			ro_kid_say(&kid, ro_wait(self->look.fd, self->id,
						 REFOBJ_UNTIL_ACTIVE, 0,
						 times[i]));
			_exit(0);
		}
		EXPECT_TRUE(is_waiting(&kid));
		EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
		EXPECT_EQ(0, ro_kid_hear(&kid));
		EXPECT_EQ(0, ro_kid_reap(&kid));
	}
}

static int handled_fd;

static void say_handled(int sig)
{
	ro_say_fd(handled_fd, sig);
}

static void waiter_handling(struct ro_kid *kid, __u64 id, int flags)
{
	struct sigaction sa = { .sa_handler = say_handled, .sa_flags = flags };
	int fd;

	if (ro_kid_fork(kid))
		return;
	fd = ro_open();
	handled_fd = kid->pipe.up[1];
	sigaction(SIGUSR1, &sa, NULL);
	ro_kid_say(kid, 1);
	ro_kid_say(kid, ro_wait(fd, id, REFOBJ_UNTIL_ACTIVE, 0,
				ro_deadline(100)));
	_exit(0);
}

TEST_F(waits, interrupted)
{
	struct ro_kid kid;

	waiter_handling(&kid, self->id, 0);
	EXPECT_TRUE(is_waiting(&kid));
	kill(kid.pid, SIGUSR1);
	EXPECT_EQ(SIGUSR1, ro_kid_hear(&kid));
	EXPECT_EQ(-EINTR, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_reap(&kid));
}

TEST_F(waits, restarted)
{
	struct ro_kid kid;
	int i;

	waiter_handling(&kid, self->id, SA_RESTART);
	EXPECT_EQ(1, ro_kid_hear(&kid));
	for (i = 0; i < 3; i++) {
		EXPECT_TRUE(ro_kid_sleeps(&kid));
		kill(kid.pid, SIGUSR1);
		EXPECT_EQ(SIGUSR1, ro_kid_hear(&kid));
	}
	EXPECT_TRUE(ro_kid_sleeps(&kid));
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_reap(&kid));
}

static void ignore(int sig)
{
	(void)sig;
}

/* What a WAIT returns that a signal was sent to at its very beginning. */
static long wait_with_signal(int fd, __u64 id, unsigned int until)
{
	struct __ptrace_syscall_info info = { };
	bool entered = false;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGUSR1, ignore);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		ro_wait(fd, id, until, 0, RO_FOREVER);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
	while (info.op != PTRACE_SYSCALL_INFO_EXIT || !entered) {
		if (ptrace(PTRACE_SYSCALL, pid, 0, 0) ||
		    waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
		    ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0)
			break;
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY &&
		    info.entry.nr == SYS_ioctl) {
			entered = true;
			kill(pid, SIGUSR1);
		}
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return entered ? info.exit.rval : -1000;
}

/* Whoever gets what he waited for is told, though a signal came too. */
TEST_F(waits, success_beats_the_signal)
{
	/* ERESTARTSYS: there was a signal indeed. */
	EXPECT_EQ(-512, wait_with_signal(self->look.fd, self->id,
					 REFOBJ_UNTIL_ACTIVE));
	EXPECT_EQ(0, wait_with_signal(self->look.fd, self->id,
				      REFOBJ_UNTIL_IDLE));
}

/* Killed while waiting, for many things: nobody stumbles over what was left. */
TEST_F(waits, killed)
{
	struct refobj_condition c[4] = { };
	struct ro_kid kid;
	int i;

	for (i = 0; i < 4; i++)
		c[i].id = self->id;
	c[0].until = REFOBJ_UNTIL_ACTIVE;
	c[1].until = REFOBJ_UNTIL_READY;
	c[2].until = REFOBJ_UNTIL_DEAD;
	c[3].until = REFOBJ_UNTIL_USERS;
	for (i = 0; i < 20; i++) {
		waiter(&kid, c, 3, 0);
		EXPECT_TRUE(is_waiting(&kid));
		EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
		EXPECT_EQ(1, ro_acquire(self->look.fd, self->id, 2, 0));
		waiter(&kid, c + 2, 2, 0);
		EXPECT_TRUE(is_waiting(&kid));
		EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
		/* Without the lock, and with it. */
		EXPECT_EQ(0, ro_release(self->look.fd, self->id, 1));
		EXPECT_EQ(1, ro_release(self->look.fd, self->id, 1));
	}
}

/* Whoever waits on a session that ends is told so. */
TEST_F(waits, ends_with_the_session)
{
	struct ro_kid owner;
	pid_t other;

	/* To reap what a child leaves behind. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	ASSERT_LE(0, ro_kid_fork(&owner));
	if (!owner.pid) {
		int fd = ro_open();

		other = fork();
		if (!other) {
			ro_kid_say(&owner, getpid());
			ro_kid_say(&owner, ro_wait(fd, self->id,
						   REFOBJ_UNTIL_ACTIVE, 0,
						   RO_FOREVER));
			ro_kid_say(&owner, ro_wait(fd, self->id,
						   REFOBJ_UNTIL_IDLE, 0, 0));
			_exit(0);
		}
		pause();
		_exit(0);
	}
	other = ro_kid_hear(&owner);
	EXPECT_TRUE(ro_await_sleep(other));
	kill(owner.pid, SIGKILL);
	EXPECT_EQ(-EOWNERDEAD, ro_kid_hear(&owner));
	EXPECT_EQ(-EOWNERDEAD, ro_kid_hear(&owner));
	EXPECT_EQ(-SIGKILL, ro_kid_reap(&owner));
	EXPECT_EQ(0, ro_reap(other));
}

/*
 * What ends a wait
 */
TEST_F(waits, until_active_and_idle)
{
	struct ro_kid kid;

	waiter_until(&kid, self->id, REFOBJ_UNTIL_ACTIVE, 0);
	EXPECT_TRUE(is_waiting(&kid));
	EXPECT_EQ(1, ro_acquire(self->look.fd, self->id, 1, 0));
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_end(&kid));

	waiter_until(&kid, self->id, REFOBJ_UNTIL_IDLE, 0);
	EXPECT_TRUE(is_waiting(&kid));
	EXPECT_EQ(0, ro_acquire(self->look.fd, self->id, 1, 0));
	EXPECT_EQ(0, ro_release(self->look.fd, self->id, 1));
	EXPECT_TRUE(ro_kid_sleeps(&kid));
	EXPECT_EQ(1, ro_release(self->look.fd, self->id, 1));
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_end(&kid));
}

TEST_F(waits, until_ready)
{
	struct ro_kid kid;
	__u64 id = 0;

	ASSERT_EQ(0, ro_create(self->look.fd, NULL,
			       REFOBJ_PERSISTENT | REFOBJ_BUILD, 0, &id));
	waiter_until(&kid, id, REFOBJ_UNTIL_READY, 0);
	EXPECT_TRUE(is_waiting(&kid));
	EXPECT_EQ(1 | REFOBJ_BUILDER, ro_acquire(self->look.fd, id, 1,
						 REFOBJ_ACQUIRE_BUILD));
	EXPECT_TRUE(ro_kid_sleeps(&kid));
	EXPECT_EQ(0, ro_publish(self->look.fd, id));
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_end(&kid));
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
}

TEST_F(waits, until_users)
{
	struct ro_kid kid[3], holder;
	int i;

	EXPECT_EQ(1, ro_acquire(self->look.fd, self->id, 300, 0));
	EXPECT_EQ(0, ro_holder_start(&holder, self->id, 2));
	for (i = 0; i < 3; i++) {
		waiter_until(&kid[i], self->id, REFOBJ_UNTIL_USERS, i);
		EXPECT_TRUE(is_waiting(&kid[i]));
	}
	/* By the lockless way, a death, and the last release. */
	EXPECT_EQ(0, ro_release(self->look.fd, self->id, 299));
	EXPECT_TRUE(ro_kid_sleeps(&kid[2]));
	EXPECT_EQ(0, ro_holder_do(&holder, 1));
	EXPECT_EQ(0, ro_kid_hear(&kid[2]));
	EXPECT_TRUE(ro_kid_sleeps(&kid[1]));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&holder, SIGKILL));
	EXPECT_EQ(0, ro_kid_hear(&kid[1]));
	EXPECT_TRUE(ro_kid_sleeps(&kid[0]));
	EXPECT_EQ(1, ro_release(self->look.fd, self->id, 1));
	EXPECT_EQ(0, ro_kid_hear(&kid[0]));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, ro_kid_end(&kid[i]));
}

/* By destruction, by the last release, and as the time to linger is over. */
TEST_F(waits, until_dead)
{
	struct ro_kid kid;
	__u64 id = 0;

	waiter_until(&kid, self->id, REFOBJ_UNTIL_DEAD, 0);
	EXPECT_TRUE(is_waiting(&kid));
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 2));
	EXPECT_TRUE(ro_kid_sleeps(&kid));
	EXPECT_EQ(0, ro_destroy(self->look.fd, self->id));
	self->id = 0;
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_end(&kid));

	EXPECT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &id));
	/* The default mode is the owner's, which the child is. */
	waiter_until(&kid, id, REFOBJ_UNTIL_DEAD, 0);
	EXPECT_TRUE(is_waiting(&kid));
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_end(&kid));

	EXPECT_EQ(1, ro_create_linger(self->look.fd, NULL, 0, 1, 20, &id));
	waiter_until(&kid, id, REFOBJ_UNTIL_DEAD, 0);
	EXPECT_TRUE(is_waiting(&kid));
	EXPECT_EQ(0, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_end(&kid));
}

/* A wait for what a dead object will not be any more ends, too. */
TEST_F(waits, dead_is_stale_for_active_and_ready)
{
	struct ro_kid active, ready, idle, users;
	__u64 id = 0;

	ASSERT_EQ(0, ro_create(self->look.fd, NULL,
			       REFOBJ_PERSISTENT, 0, &id));
	waiter_until(&active, id, REFOBJ_UNTIL_ACTIVE, 0);
	waiter_until(&ready, id, REFOBJ_UNTIL_READY, 0);
	EXPECT_TRUE(is_waiting(&active));
	EXPECT_TRUE(is_waiting(&ready));
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
	EXPECT_EQ(-ESTALE, ro_kid_hear(&active));
	EXPECT_EQ(-ESTALE, ro_kid_hear(&ready));
	EXPECT_EQ(0, ro_kid_end(&active));
	EXPECT_EQ(0, ro_kid_end(&ready));

	ASSERT_EQ(1 | REFOBJ_BUILDER, ro_create(self->look.fd, NULL,
						REFOBJ_BUILD, 2, &id));
	waiter_until(&ready, id, REFOBJ_UNTIL_READY, 0);
	waiter_until(&idle, id, REFOBJ_UNTIL_IDLE, 0);
	waiter_until(&users, id, REFOBJ_UNTIL_USERS, 0);
	EXPECT_TRUE(is_waiting(&ready));
	EXPECT_TRUE(is_waiting(&idle));
	EXPECT_TRUE(is_waiting(&users));
	EXPECT_EQ(1, ro_release(self->look.fd, id, 2));
	EXPECT_EQ(-ESTALE, ro_kid_hear(&ready));
	EXPECT_EQ(0, ro_kid_hear(&idle));
	EXPECT_EQ(0, ro_kid_hear(&users));
	EXPECT_EQ(0, ro_kid_end(&ready));
	EXPECT_EQ(0, ro_kid_end(&idle));
	EXPECT_EQ(0, ro_kid_end(&users));
}

/* The first thing that happens ends it, and all who wait for that are woken. */
TEST_F(waits, many_waiters_of_one_object)
{
	struct ro_kid kid[24];
	unsigned int i;

	for (i = 0; i < 24; i++)
		waiter_until(&kid[i], self->id, REFOBJ_UNTIL_ACTIVE, 0);
	for (i = 0; i < 24; i++)
		EXPECT_TRUE(is_waiting(&kid[i]));
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
	for (i = 0; i < 24; i++)
		EXPECT_EQ(0, ro_kid_hear(&kid[i]));
	for (i = 0; i < 24; i++)
		EXPECT_EQ(0, ro_kid_end(&kid[i]));
}

/*
 * Many conditions
 */
TEST_F(waits, any_tells_which)
{
	struct refobj_condition c[REFOBJ_WAIT_MAX] = { };
	struct ro_kid kid;
	__u64 last;
	int i;

	for (i = 0; i < REFOBJ_WAIT_MAX; i++) {
		c[i].until = REFOBJ_UNTIL_ACTIVE;
		ASSERT_EQ(0, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT,
				       0, &c[i].id));
	}
	for (i = 0; i < REFOBJ_WAIT_MAX; i += 9) {
		waiter(&kid, c, REFOBJ_WAIT_MAX, 0);
		EXPECT_TRUE(is_waiting(&kid));
		EXPECT_EQ(1, ro_bounce(self->look.fd, c[i].id, 1));
		EXPECT_EQ(i, ro_kid_hear(&kid));
		EXPECT_EQ(0, ro_kid_end(&kid));
	}
	/* Of several that hold already, the first. */
	EXPECT_EQ(1, ro_acquire(self->look.fd, c[20].id, 1, 0));
	EXPECT_EQ(1, ro_acquire(self->look.fd, c[40].id, 1, 0));
	EXPECT_EQ(20, ro_wait_for(self->look.fd, c, REFOBJ_WAIT_MAX, 0, 0));
	/* The same object as often as one likes. */
	for (i = 0; i < REFOBJ_WAIT_MAX; i++)
		c[i].until = REFOBJ_UNTIL_DEAD;
	last = c[63].id;
	c[63].id = c[0].id;
	c[63].until = REFOBJ_UNTIL_IDLE;
	EXPECT_EQ(63, ro_wait_for(self->look.fd, c, REFOBJ_WAIT_MAX, 0,
				  RO_FOREVER));
	EXPECT_EQ(2, ro_release_all(self->look.fd, 0));
	c[63].id = last;
	for (i = 0; i < REFOBJ_WAIT_MAX; i++)
		EXPECT_EQ(0, ro_destroy(self->look.fd, c[i].id));
}

/* Each has held at some moment: not all at the same one. */
TEST_F(waits, all_are_latched)
{
	struct refobj_condition c[3] = {
		{ .until = REFOBJ_UNTIL_ACTIVE },
		{ .until = REFOBJ_UNTIL_ACTIVE },
		{ .until = REFOBJ_UNTIL_DEAD },
	};
	struct ro_kid kid;
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT,
				       0, &c[i].id));
	waiter(&kid, c, 3, REFOBJ_WAIT_ALL);
	EXPECT_TRUE(is_waiting(&kid));
	EXPECT_EQ(1, ro_bounce(self->look.fd, c[1].id, 3));
	EXPECT_TRUE(ro_kid_sleeps(&kid));
	EXPECT_EQ(0, ro_destroy(self->look.fd, c[2].id));
	EXPECT_TRUE(ro_kid_sleeps(&kid));
	EXPECT_EQ(1, ro_bounce(self->look.fd, c[0].id, 1));
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_end(&kid));

	/* Those that hold at once count, and one that never will ends it. */
	EXPECT_EQ(1, ro_acquire(self->look.fd, c[0].id, 1, 0));
	EXPECT_EQ(-ETIMEDOUT, ro_wait_for(self->look.fd, c, 3, REFOBJ_WAIT_ALL,
					  0));
	waiter(&kid, c, 3, REFOBJ_WAIT_ALL);
	EXPECT_TRUE(is_waiting(&kid));
	EXPECT_EQ(0, ro_destroy(self->look.fd, c[1].id));
	EXPECT_EQ(-ESTALE, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_end(&kid));
	EXPECT_EQ(1, ro_release(self->look.fd, c[0].id, 1));
	EXPECT_EQ(0, ro_destroy(self->look.fd, c[0].id));
}

/* Ready or dead: whoever waits for both is told of the death, not of staleness. */
TEST_F(waits, a_death_that_is_waited_for)
{
	struct refobj_condition c[3] = {
		{ .until = REFOBJ_UNTIL_READY },
		{ .id = self->id, .until = REFOBJ_UNTIL_ACTIVE },
		{ .until = REFOBJ_UNTIL_DEAD },
	};
	struct ro_kid kid;

	ASSERT_EQ(0, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT, 0,
			       &c[0].id));
	c[2].id = c[0].id;
	waiter(&kid, c, 3, 0);
	EXPECT_TRUE(is_waiting(&kid));
	EXPECT_EQ(0, ro_destroy(self->look.fd, c[0].id));
	EXPECT_EQ(2, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_end(&kid));
	EXPECT_EQ(2, ro_wait_for(self->look.fd, c, 3, 0, RO_FOREVER));
	EXPECT_EQ(-ESTALE, ro_wait_for(self->look.fd, c, 2, 0, RO_FOREVER));
	EXPECT_EQ(-ESTALE, ro_wait_for(self->look.fd, c, 2, 0, 0));
	EXPECT_EQ(-ESTALE, ro_wait_for(self->look.fd, c, 3, REFOBJ_WAIT_ALL,
				       RO_FOREVER));
}

TEST_F(waits, bad_arguments)
{
	const struct refobj_condition good = {
		.id = self->id, .until = REFOBJ_UNTIL_IDLE,
	};
	struct refobj_condition c[REFOBJ_WAIT_MAX + 1];
	struct refobj_wait w = {
		.size = sizeof(w), .conditions = (uintptr_t)c, .count = 1,
		.condition_size = sizeof(c[0]),
	};
	int fd = self->look.fd, i;

	for (i = 0; i <= REFOBJ_WAIT_MAX; i++)
		c[i] = good;
	EXPECT_EQ(0, ro_ioctl(fd, REFOBJ_IOC_WAIT, &w));
	EXPECT_EQ(-EINVAL, ro_wait_for(fd, c, 0, 0, 0));
	EXPECT_EQ(0, ro_wait_for(fd, c, REFOBJ_WAIT_MAX, REFOBJ_WAIT_ALL, 0));
	EXPECT_EQ(-EINVAL, ro_wait_for(fd, c, REFOBJ_WAIT_MAX + 1, 0, 0));
	EXPECT_EQ(-EINVAL, ro_wait_for(fd, c, ~0U, 0, 0));
	for (i = 1; i < 32; i++)
		EXPECT_EQ(-EOPNOTSUPP, ro_wait_for(fd, c, 1, 1U << i, 0));
	w.condition_size--;
	EXPECT_EQ(-EINVAL, ro_ioctl(fd, REFOBJ_IOC_WAIT, &w));
	w.condition_size += 2;
	EXPECT_EQ(-EINVAL, ro_ioctl(fd, REFOBJ_IOC_WAIT, &w));
	EXPECT_EQ(-EFAULT, ro_wait_for(fd, NULL, 1, 0, 0));
	EXPECT_EQ(-EFAULT, ro_wait_for(fd, (void *)-8L, 1, 0, 0));

	/* Whichever of them it is that is bad. */
	for (i = 0; i < 3; i++) {
		c[i].until = 0;
		EXPECT_EQ(-EINVAL, ro_wait_for(fd, c, 3, 0, 0));
		c[i].until = REFOBJ_UNTIL_DEAD + 1;
		EXPECT_EQ(-EINVAL, ro_wait_for(fd, c, 3, 0, 0));
		c[i].until = ~0U;
		EXPECT_EQ(-EINVAL, ro_wait_for(fd, c, 3, 0, 0));
		c[i] = good;
		c[i].reserved = 1;
		EXPECT_EQ(-EOPNOTSUPP, ro_wait_for(fd, c, 3, 0, 0));
		c[i] = good;
		c[i].flags = 2;
		EXPECT_EQ(-EOPNOTSUPP, ro_wait_for(fd, c, 3, 0, 0));
		c[i].flags = 1U << 31;
		EXPECT_EQ(-EOPNOTSUPP, ro_wait_for(fd, c, 3, 0, 0));
		c[i] = good;
	}
	for (i = REFOBJ_UNTIL_IDLE; i <= REFOBJ_UNTIL_DEAD; i++) {
		c[0].until = i;
		c[0].users = 1;
		if (i != REFOBJ_UNTIL_USERS)
			EXPECT_EQ(-EINVAL, ro_wait_for(fd, c, 1, 0, 0));
		c[0].users = 0;
		c[0].flags = REFOBJ_COND_BUILD;
		if (i != REFOBJ_UNTIL_READY)
			EXPECT_EQ(-EINVAL, ro_wait_for(fd, c, 1, 0, 0));
		c[0].flags = 0;
	}
}

TEST_F(waits, no_such_object)
{
	struct refobj_condition c[2] = {
		{ .id = self->id, .until = REFOBJ_UNTIL_ACTIVE },
		{ .until = REFOBJ_UNTIL_DEAD },
	};
	int fd = self->look.fd;
	unsigned int until;

	for (until = REFOBJ_UNTIL_IDLE; until <= REFOBJ_UNTIL_DEAD; until++) {
		EXPECT_EQ(-ENOENT, ro_wait(fd, 0, until, 0, RO_FOREVER));
		EXPECT_EQ(-ENOENT, ro_wait(fd, ~0ULL, until, 0, RO_FOREVER));
	}
	EXPECT_EQ(-ENOENT, ro_wait_for(fd, c, 2, 0, RO_FOREVER));
	EXPECT_EQ(-ENOENT, ro_wait_for(fd, c, 2, REFOBJ_WAIT_ALL, RO_FOREVER));
	EXPECT_EQ(-ENOENT, ro_wait_for(fd, c + 1, 1, 0, 0));
}

TEST_F(waits, needs_permission)
{
	struct refobj_export ex = { .size = sizeof(ex), .id = self->id };
	struct refobj_import im = { .size = sizeof(im), .count = 1 };
	int other = ro_open_as(USER);
	unsigned int until;

	ASSERT_LE(0, other);
	for (until = REFOBJ_UNTIL_IDLE; until <= REFOBJ_UNTIL_DEAD; until++)
		EXPECT_EQ(-EACCES, ro_wait(other, self->id, until, 0, 0));
	EXPECT_EQ(1, ro_acquire(self->look.fd, self->id, 1, 0));
	im.fd = ro_ioctl(self->look.fd, REFOBJ_IOC_EXPORT, &ex);
	ASSERT_LE(0, im.fd);
	EXPECT_EQ(0, ro_ioctl(other, REFOBJ_IOC_IMPORT, &im));
	close(im.fd);
	EXPECT_EQ(0, ro_wait(other, self->id, REFOBJ_UNTIL_READY, 0, 0));
	EXPECT_EQ(0, ro_release(self->look.fd, self->id, 1));
	EXPECT_EQ(1, ro_release(other, self->id, 1));
	EXPECT_EQ(-EACCES, ro_wait(other, self->id, REFOBJ_UNTIL_IDLE, 0, 0));
	close(other);
}

/* Whoever waits keeps nothing: the object may die, and its name be another's. */
TEST_F(waits, keeps_nothing_alive)
{
	struct ro_kid kid;
	__u64 id = 0, again = 0;

	ASSERT_EQ(1, ro_create(self->look.fd, "waited", 0, 1, &id));
	waiter_until(&kid, id, REFOBJ_UNTIL_USERS, 0);
	EXPECT_TRUE(is_waiting(&kid));
	EXPECT_EQ(1, ro_users(self->look.fd, id));
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(1, ro_create(self->look.fd, "waited", 0, 1, &again));
	EXPECT_NE(id, again);
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_end(&kid));
	EXPECT_EQ(1, ro_release(self->look.fd, again, 1));
}

/*
 * Releases without the object's lock
 */

/* All release at once what is not their last: whoever waits for few is woken. */
TEST_F_TIMEOUT(waits, no_release_is_missed, PATIENCE)
{
	int i, round, rounds = ro_times(600);
	struct ro_kid kid[4];

	for (i = 0; i < 4; i++)
		ASSERT_EQ(!i, ro_holder_start(&kid[i], self->id, 2));
	for (round = 0; round < rounds; round++) {
		/* They start while this is not yet, or already, waiting. */
		for (i = 0; i < 4; i++)
			ro_kid_say(&kid[i], 1);
		ASSERT_EQ(0, ro_wait(self->look.fd, self->id,
				     REFOBJ_UNTIL_USERS, 4 + round % 4,
				     ro_deadline(20)));
		for (i = 0; i < 4; i++)
			ASSERT_EQ(0, ro_kid_hear(&kid[i]));
		for (i = 0; i < 4; i++)
			ASSERT_EQ(0, ro_holder_do(&kid[i],
						  RO_HOLDER_ACQUIRE + 1));
	}
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, ro_kid_end(&kid[i]));
}

/*
 * One releases, and another acquires as soon as he sees that: for a moment there
 * were few users, and whoever waits for that must be told, though he finds more.
 */
TEST_F_TIMEOUT(waits, a_moment_of_few_users_counts, PATIENCE)
{
	struct { int round, released, quick[2]; } *shared;
	int i, round, rounds = ro_times(1500), quick = 0;
	pid_t me = getpid();
	struct ro_kid kid[3];

	shared = ro_shared(sizeof(*shared));
	ASSERT_NE(NULL, shared);
	EXPECT_EQ(1, ro_acquire(self->look.fd, self->id, 1, 0));
	for (i = 0; i < 3; i++) {
		int fd;

		ASSERT_LE(0, ro_kid_fork(&kid[i]));
		if (kid[i].pid)
			continue;
		fd = ro_open();
		if (!i)
			ro_acquire(fd, self->id, 2, 0);
		ro_kid_say(&kid[i], 1);
		for (round = 1; round <= rounds; round++) {
			ro_kid_await(&kid[i]);
			if (!i) {
				ro_await_sleep(me);
				ro_release(fd, self->id, 1);
				__atomic_store_n(&shared->released, round,
						 __ATOMIC_RELEASE);
				ro_kid_say(&kid[i], 1);
				ro_kid_await(&kid[i]);
				ro_kid_say(&kid[i], ro_acquire(fd, self->id, 1,
							       0));
				continue;
			}
			while (__atomic_load_n(&shared->released,
					       __ATOMIC_ACQUIRE) < round) {
				if (ro_users(fd, self->id) != 2)
					continue;
				ro_acquire(fd, self->id, 1, 0);
				if (__atomic_load_n(&shared->released,
						    __ATOMIC_ACQUIRE) < round)
					shared->quick[i - 1]++;
				break;
			}
			ro_kid_say(&kid[i], 1);
			ro_kid_await(&kid[i]);
			ro_release_all(fd, self->id);
			ro_kid_say(&kid[i], 0);
		}
		_exit(0);
	}
	for (i = 0; i < 3; i++)
		EXPECT_EQ(1, ro_kid_hear(&kid[i]));
	for (round = 1; round <= rounds; round++) {
		ASSERT_EQ(3, ro_users(self->look.fd, self->id));
		for (i = 2; i >= 0; i--)
			ro_kid_say(&kid[i], 1);
		ASSERT_EQ(0, ro_wait(self->look.fd, self->id,
				     REFOBJ_UNTIL_USERS, 2, ro_deadline(20)));
		for (i = 0; i < 3; i++)
			ASSERT_EQ(1, ro_kid_hear(&kid[i]));
		for (i = 0; i < 3; i++) {
			ro_kid_say(&kid[i], 1);
			ASSERT_EQ(0, ro_kid_hear(&kid[i]));
		}
	}
	for (i = 0; i < 2; i++)
		quick += shared->quick[i];
	TH_LOG("overtaken %d times in %d rounds", quick, rounds);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, ro_kid_reap(&kid[i]));
	EXPECT_EQ(1, ro_release(self->look.fd, self->id, 1));
}

TEST_HARNESS_MAIN
