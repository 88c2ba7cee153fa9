// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects that linger: a deactivation that waits, and may be called off.
 *
 * What is to be over in time is waited for, with WAIT or by the event; what is not
 * to be over lingers for an hour.
 */
#define _GNU_SOURCE
#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define PATIENCE	120
#define HOUR		3600000		/* milliseconds, as all times to linger */
#define MILLISECOND	1000000ULL	/* nanoseconds, as all points in time */

FIXTURE(linger) {
	struct ro_look look;	/* whose session acts */
	int fd;			/* whose session is told */
};

FIXTURE_SETUP(linger)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	self->fd = ro_open();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(linger)
{
	close(self->fd);
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

#define EXPECT_STATE(_id, _state, _users, _activations, _deactivations) do { \
	struct refobj_stat st_; \
	EXPECT_EQ(0, ro_stat(self->look.fd, (_id), &st_)); \
	EXPECT_EQ((__u32)(_state), st_.state); \
	EXPECT_EQ((__u32)(_users), st_.users); \
	EXPECT_EQ((__u64)(_activations), st_.activations); \
	EXPECT_EQ((__u64)(_deactivations), st_.deactivations); \
} while (0)

/*
 * What is told when so much has been. Whoever finds an object dead, which a timer
 * has just killed, may be faster than the timer's last words.
 */
static const char *told_in_time(int fd, int n)
{
	uint64_t end = ro_deadline(20);

	while (ro_unread(fd) < n && ro_now_ns() < end)
		sched_yield();
	return ro_told(fd);
}

TEST_F(linger, over_in_time)
{
	struct refobj_event e[8];
	struct refobj_stat st;
	__u64 id = 0, released;

	ASSERT_EQ(1, ro_create_linger(self->look.fd, NULL, REFOBJ_PERSISTENT, 2,
				      50, &id));
	EXPECT_EQ(0, ro_stat(self->look.fd, id, &st));
	EXPECT_EQ(50U, st.linger_ms);
	EXPECT_EQ(0, ro_release(self->look.fd, id, 1));
	ASSERT_EQ(0, ro_watch(self->fd, id, REFOBJ_WATCH_ALL, 0));
	released = ro_now_ns();
	EXPECT_EQ(0, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(0, ro_wait(self->look.fd, id, REFOBJ_UNTIL_IDLE, 0,
			     ro_deadline(20)));
	EXPECT_LE(released + 50 * MILLISECOND, ro_now_ns());
	EXPECT_STATE(id, REFOBJ_STATE_IDLE, 0, 1, 1);

	/* Without a process that did it, and not before its time. */
	EXPECT_EQ(3, ro_read_events(self->fd, e, 8));
	EXPECT_EQ(REFOBJ_EVENT_COUNT, e[1].type);
	EXPECT_EQ(REFOBJ_STATE_LINGERING, e[1].state);
	EXPECT_EQ((__u32)getpid(), e[1].pid);
	EXPECT_EQ(0U, e[1].users);
	EXPECT_EQ(REFOBJ_EVENT_DEACTIVATED, e[2].type);
	EXPECT_EQ(REFOBJ_CAUSE_LINGER, e[2].cause);
	EXPECT_EQ(REFOBJ_STATE_IDLE, e[2].state);
	EXPECT_EQ(0U, e[2].pid);
	EXPECT_LE(released + 50 * MILLISECOND, e[2].time_ns);

	EXPECT_EQ(1, ro_acquire(self->look.fd, id, 1, 0));
	EXPECT_STREQ("activated acquire ready 1; ready acquire ready 1; "
		     "count acquire ready 1", ro_told(self->fd));
	EXPECT_EQ(0, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(0, ro_wait(self->look.fd, id, REFOBJ_UNTIL_IDLE, 0,
			     ro_deadline(20)));
	EXPECT_STREQ("count release lingering 0; deactivated linger idle 0",
		     ro_told(self->fd));
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
}

TEST_F(linger, called_off_by_an_acquire)
{
	struct ro_kid kid;
	__u64 id = 0, same = 0;
	int i;

	ASSERT_EQ(1, ro_create_linger(self->look.fd, "linger",
				      REFOBJ_PERSISTENT, 1, HOUR, &id));
	ASSERT_EQ(0, ro_watch(self->fd, id, REFOBJ_WATCH_DEFAULT, 0));
	EXPECT_STREQ("snapshot none ready 1", ro_told(self->fd));
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(0, ro_release(self->look.fd, id, 1));
		EXPECT_STATE(id, REFOBJ_STATE_LINGERING, 0, 1, 0);
		switch (i) {
		case 0:
			EXPECT_EQ(0, ro_acquire(self->look.fd, id, 1, 0));
			break;
		case 1:
			/* It is no activation, which this would refuse. */
			EXPECT_EQ(0, ro_acquire(self->look.fd, id, 1,
						REFOBJ_ACQUIRE_NOT_ZERO));
			break;
		case 2:
			EXPECT_EQ(0, ro_attach(self->look.fd, "linger", 0, 1,
					       &same, NULL));
			EXPECT_EQ(id, same);
			break;
		case 3:
			EXPECT_EQ(0, ro_holder_start(&kid, id, 1));
			EXPECT_EQ(0, ro_holder_do(&kid, 1));
			EXPECT_EQ(0, ro_holder_do(&kid, RO_HOLDER_ACQUIRE + 2));
			EXPECT_STATE(id, REFOBJ_STATE_READY, 2, 1, 0);
			EXPECT_EQ(0, ro_holder_do(&kid, 2));
			EXPECT_EQ(0, ro_kid_end(&kid));
			EXPECT_EQ(0, ro_acquire(self->look.fd, id, 1, 0));
			break;
		case 4:
			/* Nobody has been there for a while, and somebody is. */
			EXPECT_EQ(-ETIMEDOUT, ro_wait(self->look.fd, id,
						      REFOBJ_UNTIL_IDLE, 0, 0));
			EXPECT_EQ(0, ro_acquire(self->look.fd, id, 1, 0));
		}
		EXPECT_STATE(id, REFOBJ_STATE_READY, 1, 1, 0);
		EXPECT_STREQ("", ro_told(self->fd));
	}
	EXPECT_EQ(0, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
}

TEST_F(linger, destroyed_meanwhile)
{
	__u64 id = 0;
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, ro_create_linger(self->look.fd, "linger",
					      i ? REFOBJ_PERSISTENT : 0, 1,
					      HOUR, &id));
		ASSERT_EQ(0, ro_watch(self->fd, id, REFOBJ_WATCH_ALL, 0));
		EXPECT_EQ(-EBUSY, ro_destroy(self->look.fd, id));
		EXPECT_EQ(0, ro_release(self->look.fd, id, 1));
		EXPECT_EQ(0, ro_destroy(self->look.fd, id));
		EXPECT_EQ(-ESTALE, ro_destroy(self->look.fd, id));
		EXPECT_EQ(-ESTALE, ro_acquire(self->look.fd, id, 1, 0));
		EXPECT_EQ(-ENOENT, ro_lookup(self->look.fd, "linger", NULL));
		EXPECT_STREQ("snapshot none ready 1; count release lingering 0; "
			     "deactivated destroy idle 0; "
			     "destroyed destroy dead 0", ro_told(self->fd));
	}
	EXPECT_EQ(2, ro_look_since(&self->look, "destroyed"));
	EXPECT_EQ(2, ro_look_since(&self->look, "deactivations"));
}

/* A transient object keeps its name while it lingers, and no longer. */
TEST_F(linger, transient)
{
	unsigned int created = 9;
	__u64 id = 0, same = 0;

	ASSERT_EQ(1, ro_create_linger(self->look.fd, "linger", 0, 1, 50, &id));
	ASSERT_EQ(0, ro_watch(self->fd, id, REFOBJ_WATCH_DEFAULT, 0));
	EXPECT_EQ(0, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(0, ro_wait(self->look.fd, id, REFOBJ_UNTIL_DEAD, 0,
			     ro_deadline(20)));
	EXPECT_EQ(-ENOENT, ro_lookup(self->look.fd, "linger", NULL));
	EXPECT_EQ(-ESTALE, ro_acquire(self->look.fd, id, 1, 0));
	EXPECT_STREQ("snapshot none ready 1; deactivated linger idle 0; "
		     "destroyed linger dead 0", told_in_time(self->fd, 3));

	ASSERT_EQ(1, ro_create_linger(self->look.fd, "linger", 0, 1, HOUR,
				      &id));
	EXPECT_EQ(0, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(-EEXIST, ro_create(self->look.fd, "linger", 0, 1, NULL));
	EXPECT_EQ(0, ro_attach(self->look.fd, "linger", 0, 1, &same, &created));
	EXPECT_EQ(id, same);
	EXPECT_EQ(0U, created);
	EXPECT_STATE(id, REFOBJ_STATE_READY, 1, 1, 0);
	EXPECT_EQ(0, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
}

/* What a process that dies held last lingers as well. */
TEST_F(linger, after_a_death)
{
	struct ro_kid kid;
	__u64 id = 0;

	ASSERT_EQ(0, ro_create_linger(self->look.fd, NULL, REFOBJ_PERSISTENT, 0,
				      20, &id));
	ASSERT_EQ(0, ro_watch(self->fd, id, REFOBJ_WATCH_DEFAULT, 0));
	EXPECT_EQ(1, ro_holder_start(&kid, id, 4));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	EXPECT_EQ(0, ro_wait(self->look.fd, id, REFOBJ_UNTIL_IDLE, 0,
			     ro_deadline(20)));
	EXPECT_STREQ("snapshot none idle 0; activated acquire ready 4; "
		     "ready acquire ready 4; died signal-9 ready 0 x4; "
		     "deactivated linger idle 0", ro_told(self->fd));
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
}

/* Nothing has been built yet that were worth keeping. */
TEST_F(linger, not_while_building)
{
	__u64 id = 0;

	ASSERT_EQ(1 | REFOBJ_BUILDER,
		  ro_create_linger(self->look.fd, NULL,
				   REFOBJ_PERSISTENT | REFOBJ_BUILD, 1, HOUR,
				   &id));
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
	EXPECT_STATE(id, REFOBJ_STATE_IDLE, 0, 1, 1);
	EXPECT_EQ(1 | REFOBJ_BUILDER, ro_acquire(self->look.fd, id, 1,
						 REFOBJ_ACQUIRE_BUILD));
	EXPECT_EQ(0, ro_publish(self->look.fd, id));
	EXPECT_EQ(0, ro_release(self->look.fd, id, 1));
	EXPECT_STATE(id, REFOBJ_STATE_LINGERING, 0, 2, 1);
	/* It is still ready: there is nothing to build. */
	EXPECT_EQ(0, ro_acquire(self->look.fd, id, 1, REFOBJ_ACQUIRE_BUILD));
	EXPECT_STATE(id, REFOBJ_STATE_READY, 1, 2, 1);
	EXPECT_EQ(0, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
}

TEST_F(linger, no_longer_than_a_day)
{
	struct refobj_stat st;
	__u64 id = 0;

	EXPECT_EQ(-EINVAL, ro_create_linger(self->look.fd, NULL, 0, 1,
					    REFOBJ_LINGER_MAX + 1, &id));
	ASSERT_EQ(1, ro_create_linger(self->look.fd, NULL, 0, 1,
				      REFOBJ_LINGER_MAX, &id));
	EXPECT_EQ(0, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(0, ro_stat(self->look.fd, id, &st));
	EXPECT_EQ(REFOBJ_LINGER_MAX, st.linger_ms);
	EXPECT_EQ((__u32)REFOBJ_STATE_LINGERING, st.state);
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
}

/*
 * Acquired when the time is just over, or not quite: either it was, and this is an
 * activation, or it was not, and nothing has been; the events tell the same.
 */
TEST_F_TIMEOUT(linger, acquired_at_the_last_moment, PATIENCE)
{
	int fd, ret, i, rounds = ro_times(600), firsts = 0;
	unsigned int seed = getpid();
	struct refobj_event e[8];
	struct refobj_stat st;
	int active = 1, n, j;
	__u64 id = 0;

	TH_LOG("seed %u", seed);
	ASSERT_EQ(1, ro_create_linger(self->look.fd, NULL, REFOBJ_PERSISTENT, 1,
				      1, &id));
	fd = ro_open_with_room(16384, id, REFOBJ_WATCH_DEFAULT);
	ASSERT_LE(0, fd);
	for (i = 0; i < rounds; i++) {
		__u64 until = rand_r(&seed) % 12 * MILLISECOND;

		ASSERT_EQ(0, ro_release(self->look.fd, id, 1));
		/* Sometimes within, sometimes just at the end, sometimes after. */
		until += ro_now_ns();
		do {
			if (rand_r(&seed) % 2)
				ro_users(self->look.fd, id);
		} while (ro_now_ns() < until);
		ret = ro_acquire(self->look.fd, id, 1, 0);
		ASSERT_LE(0, ret);
		firsts += ret;
	}
	EXPECT_EQ(0, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(0, ro_wait(self->look.fd, id, REFOBJ_UNTIL_IDLE, 0,
			     ro_deadline(20)));
	EXPECT_EQ(0, ro_stat(self->look.fd, id, &st));
	EXPECT_EQ(1ULL + firsts, st.activations);
	EXPECT_EQ(st.activations, st.deactivations);
	EXPECT_EQ(1, ro_read_events(fd, e, 1));
	while (ro_unread(fd) > 0) {
		n = ro_read_events(fd, e, 8);
		for (j = 0; j < n; j++) {
			if (e[j].type == REFOBJ_EVENT_READY)
				continue;
			ASSERT_EQ(active ? REFOBJ_EVENT_DEACTIVATED :
					   REFOBJ_EVENT_ACTIVATED, e[j].type);
			ASSERT_EQ(active ? REFOBJ_CAUSE_LINGER :
					   REFOBJ_CAUSE_ACQUIRE, e[j].cause);
			active = !active;
			firsts -= active;
		}
	}
	EXPECT_EQ(0, active);
	EXPECT_EQ(0, firsts);
	TH_LOG("activated %llu times in %d rounds", st.activations, rounds);
	close(fd);
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
}

/* Destroyed when the time is just over: one of the two does it, once. */
TEST_F_TIMEOUT(linger, destroyed_at_the_last_moment, PATIENCE)
{
	int i, rounds = ro_times(300), ret, by_hand = 0;
	unsigned int seed = getpid();
	__u64 id = 0, until;
	const char *told;

	TH_LOG("seed %u", seed);
	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(1, ro_create_linger(self->look.fd, NULL, 0, 1, 1,
					      &id));
		ASSERT_EQ(0, ro_watch(self->fd, id, REFOBJ_WATCH_DEFAULT, 0));
		until = ro_now_ns() + rand_r(&seed) % 12 * MILLISECOND;
		ASSERT_EQ(0, ro_release(self->look.fd, id, 1));
		while (ro_now_ns() < until)
			;
		ret = ro_destroy(self->look.fd, id);
		told = told_in_time(self->fd, 3);
		if (ret) {
			ASSERT_EQ(-ESTALE, ret);
			ASSERT_STREQ("snapshot none ready 1; "
				     "deactivated linger idle 0; "
				     "destroyed linger dead 0", told);
		} else {
			ASSERT_STREQ("snapshot none ready 1; "
				     "deactivated destroy idle 0; "
				     "destroyed destroy dead 0", told);
			by_hand++;
		}
	}
	TH_LOG("destroyed %d times of %d", by_hand, rounds);
	EXPECT_EQ(rounds, ro_look_since(&self->look, "destroyed"));
	EXPECT_EQ(rounds, ro_look_since(&self->look, "deactivations"));
}

/*
 * Objects of a network namespace whose last process is gone: for hours, or just
 * about to be over. The namespace is taken down by the kernel in its own time.
 */
TEST_F_TIMEOUT(linger, until_the_namespace_goes, PATIENCE)
{
	int i, round, rounds = ro_times(20);
	uint64_t end;
	pid_t pid;

	for (round = 0; round < rounds; round++) {
		pid = fork();
		if (!pid) {
			int fd;

			if (unshare(CLONE_NEWNET))
				_exit(4);
			fd = ro_open();
			for (i = 0; i < 60; i++)
				if (ro_create_linger(fd, NULL,
						     i % 3 ? REFOBJ_PERSISTENT :
							     0, 1,
						     i % 2 ? HOUR : 1 + i / 2,
						     NULL) != 1)
					_exit(1);
			_exit(0);
		}
		i = ro_reap(pid);
		if (i == 4)
			SKIP(return, "no network namespaces");
		ASSERT_EQ(0, i);
	}
	end = ro_deadline(60);
	while (ro_look_since(&self->look, "objects") && ro_now_ns() < end)
		sched_yield();
	EXPECT_EQ(0, ro_look_since(&self->look, "objects"));
	EXPECT_EQ(rounds * 60, ro_look_since(&self->look, "deactivations"));
	EXPECT_EQ(rounds * 60, ro_look_since(&self->look, "destroyed"));
}

TEST_HARNESS_MAIN
