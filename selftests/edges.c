// SPDX-License-Identifier: GPL-2.0-only
/*
 * Edges, "owner needs dep": the rules of LINK and UNLINK, and the cascade of
 * activation and deactivation. The stories S8, S9, S10 and S13 of SEEDS.md are
 * in scenarios/.
 */
#define _GNU_SOURCE
#include <sys/stat.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define PATIENCE	240
#define OF(type)	REFOBJ_WATCH(REFOBJ_EVENT_##type)
#define COMES_AND_GOES	(OF(ACTIVATED) | OF(DEACTIVATED))

static int edge(int fd, unsigned long cmd, __u64 owner, __u64 dep)
{
	struct refobj_link l = { .size = sizeof(l), .id = owner, .dep = dep };

	return ro_ioctl(fd, cmd, &l);
}

static int ro_link(int fd, __u64 owner, __u64 dep)
{
	return edge(fd, REFOBJ_IOC_LINK, owner, dep);
}

static int ro_unlink(int fd, __u64 owner, __u64 dep)
{
	return edge(fd, REFOBJ_IOC_UNLINK, owner, dep);
}

static int edges_of(int fd, __u64 id)
{
	struct refobj_stat st;
	int ret = ro_stat(fd, id, &st);

	return ret < 0 ? ret : (int)st.edges;
}

static __u64 held_object(int fd)
{
	__u64 id = 0;

	return ro_create(fd, NULL, 0, 1, &id) == 1 ? id : 0;
}

static __u64 idle_object(int fd)
{
	__u64 id = 0;

	return ro_create(fd, NULL, REFOBJ_PERSISTENT, 0, &id) ? 0 : id;
}

FIXTURE(edges) {
	struct ro_look look;
	int fd;		/* holds and links */
	int told;	/* watches */
};

FIXTURE_SETUP(edges)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	self->fd = ro_open();
	self->told = ro_open();
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->told);
}

FIXTURE_TEARDOWN(edges)
{
	struct refobj_stat st = { .size = sizeof(st) };
	long long edges;

	close(self->told);
	close(self->fd);
	/* Persistent objects are left to this. */
	st.flags = REFOBJ_STAT_NEXT;
	while (!ro_ioctl(self->look.fd, REFOBJ_IOC_STAT, &st)) {
		EXPECT_EQ(0, ro_destroy(self->look.fd, st.id));
		st.flags = REFOBJ_STAT_NEXT;
	}
	edges = ro_look_since(&self->look, "edges");
	EXPECT_EQ(0, edges);
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

TEST_F(edges, an_active_owner_holds_one_reference)
{
	__u64 owner = held_object(self->fd), dep = held_object(self->fd);
	__u64 before = ro_now_ns(), after;
	struct refobj_holder h[3];
	struct refobj_stat st;
	unsigned int total;

	EXPECT_EQ(0, ro_link(self->fd, owner, dep));
	after = ro_now_ns();
	EXPECT_EQ(2, ro_users(self->fd, dep));
	EXPECT_EQ(1, ro_users(self->fd, owner));
	EXPECT_EQ(1, edges_of(self->fd, owner));
	EXPECT_EQ(0, edges_of(self->fd, dep));
	EXPECT_EQ(1, ro_look_since(&self->look, "edges"));
	ASSERT_EQ(2, ro_holders(self->fd, dep, h, 3, &total));
	EXPECT_EQ(2U, total);
	EXPECT_EQ((__u32)REFOBJ_HOLDER_OBJECT, h[1].kind);
	EXPECT_EQ(owner, h[1].session);
	EXPECT_EQ(1U, h[1].count);
	EXPECT_EQ(0U, h[1].pid);
	EXPECT_EQ(0U, h[1].uid);
	EXPECT_LE(before, h[1].since_ns);
	EXPECT_GE(after, h[1].since_ns);
	EXPECT_STREQ("", h[1].comm);

	/* More of the owner are not more of the dep. */
	EXPECT_EQ(0, ro_acquire(self->fd, owner, 5, 0));
	EXPECT_EQ(2, ro_users(self->fd, dep));
	EXPECT_EQ(0, ro_release(self->fd, owner, 5));
	EXPECT_EQ(0, ro_release(self->fd, dep, 1));
	EXPECT_EQ(0, ro_stat(self->fd, dep, &st));
	EXPECT_EQ(1U, st.users);
	EXPECT_EQ(0U, st.held);
	EXPECT_EQ(1, ro_release(self->fd, owner, 1));
	EXPECT_EQ(-ESTALE, ro_stat(self->fd, dep, &st));
}

TEST_F(edges, unlink_drops_it)
{
	__u64 owner = held_object(self->fd), dep = held_object(self->fd);

	EXPECT_EQ(0, ro_link(self->fd, owner, dep));
	EXPECT_EQ(0, ro_release(self->fd, dep, 1));
	EXPECT_EQ(0, ro_unlink(self->fd, owner, dep));
	EXPECT_EQ(-ESTALE, ro_users(self->fd, dep));
	EXPECT_EQ(0, edges_of(self->fd, owner));
}

TEST_F(edges, refused)
{
	__u64 owner = held_object(self->fd), dep = held_object(self->fd);
	__u64 dead = held_object(self->fd), third = idle_object(self->fd);

	EXPECT_EQ(1, ro_release(self->fd, dead, 1));
	EXPECT_EQ(-ENOENT, ro_link(self->fd, ~0ULL, dep));
	EXPECT_EQ(-ENOENT, ro_link(self->fd, owner, 0));
	EXPECT_EQ(-ESTALE, ro_link(self->fd, dead, dep));
	EXPECT_EQ(-ESTALE, ro_link(self->fd, owner, dead));
	EXPECT_EQ(-ELOOP, ro_link(self->fd, owner, owner));
	EXPECT_EQ(-ENOENT, ro_unlink(self->fd, owner, dep));
	EXPECT_EQ(0, ro_link(self->fd, owner, dep));
	EXPECT_EQ(-EEXIST, ro_link(self->fd, owner, dep));
	EXPECT_EQ(-ELOOP, ro_link(self->fd, dep, owner));
	EXPECT_EQ(-ENOENT, ro_unlink(self->fd, dep, owner));
	EXPECT_EQ(-ENOENT, ro_unlink(self->fd, owner, third));
	EXPECT_EQ(2, ro_users(self->fd, dep));
	EXPECT_EQ(1, ro_users(self->fd, owner));
	EXPECT_EQ(1, ro_look_since(&self->look, "edges"));
}

TEST_F(edges, need_permission)
{
	__u64 id[3] = { };
	int fd, i;

	fd = ro_open_as(4711);
	ASSERT_LE(0, fd);
	for (i = 0; i < 3; i++) {
		struct refobj_create c = {
			.size = sizeof(c), .initial = 1,
			.mode = i == 0 ? 0600 : i == 1 ? 0644 : 0666,
		};

		ASSERT_EQ(1, ro_ioctl(self->fd, REFOBJ_IOC_CREATE, &c));
		id[i] = c.id;
	}
	/* The owner is written, the dep is read. */
	EXPECT_EQ(-EACCES, ro_link(fd, id[2], id[0]));
	EXPECT_EQ(-EACCES, ro_link(fd, id[1], id[2]));
	EXPECT_EQ(0, ro_link(fd, id[2], id[1]));
	EXPECT_EQ(2, ro_users(self->fd, id[1]));
	EXPECT_EQ(0, ro_link(self->fd, id[1], id[0]));
	EXPECT_EQ(-EACCES, ro_unlink(fd, id[1], id[0]));
	/* Who may no more see what it has linked may still unlink it. */
	EXPECT_EQ(0, ro_link(self->fd, id[2], id[0]));
	EXPECT_EQ(0, ro_unlink(fd, id[2], id[0]));
	close(fd);
}

TEST_F(edges, no_cycle_however_long)
{
	__u64 id[100];
	int i;

	for (i = 0; i < 100; i++)
		id[i] = i % 2 ? idle_object(self->fd) : held_object(self->fd);
	for (i = 0; i < 99; i++)
		ASSERT_EQ(0, ro_link(self->fd, id[i], id[i + 1]));
	EXPECT_EQ(-ELOOP, ro_link(self->fd, id[99], id[0]));
	EXPECT_EQ(-ELOOP, ro_link(self->fd, id[50], id[49]));
	EXPECT_EQ(-ELOOP, ro_link(self->fd, id[70], id[3]));
	/* Two ways to the same dep are none. */
	EXPECT_EQ(0, ro_link(self->fd, id[3], id[70]));
	EXPECT_EQ(0, ro_unlink(self->fd, id[60], id[61]));
	EXPECT_EQ(0, ro_link(self->fd, id[61], id[10]));
	EXPECT_EQ(-ELOOP, ro_link(self->fd, id[60], id[61]));
}

/* Both directions at once: at most one edge of a pair may come to be. */
TEST_F_TIMEOUT(edges, no_cycle_by_two_at_once, PATIENCE)
{
	int i, n = ro_times(300), mine, theirs;
	struct ro_kid kid;
	__u64 a, b;

	a = idle_object(self->fd);
	b = idle_object(self->fd);
	if (!ro_kid_fork(&kid)) {
		int fd = ro_open();

		for (;;) {
			ro_kid_await(&kid);
			ro_kid_say(&kid, 4096 + ro_link(fd, b, a));
		}
	}
	for (i = 0; i < n; i++) {
		ro_kid_say(&kid, 1);
		mine = ro_link(self->fd, a, b);
		theirs = ro_kid_hear(&kid) - 4096;
		EXPECT_EQ(-ELOOP, mine + theirs);
		ASSERT_EQ(1, !mine + !theirs);
		ASSERT_EQ(0, mine ? ro_unlink(self->fd, b, a) :
				    ro_unlink(self->fd, a, b));
	}
	EXPECT_EQ(0, ro_kid_end(&kid));
}

/* Who needs comes before what it needs, on the way up and on the way down. */
TEST_F(edges, cascade_owner_first)
{
	__u64 id[4];
	char text[512];
	struct refobj_event e[16];
	int i;

	for (i = 0; i < 4; i++) {
		id[i] = idle_object(self->fd);
		ASSERT_EQ(0, ro_watch(self->told, id[i], COMES_AND_GOES, i));
	}
	ro_told(self->told);
	EXPECT_EQ(0, ro_link(self->fd, id[0], id[1]));
	EXPECT_EQ(0, ro_link(self->fd, id[1], id[2]));
	EXPECT_EQ(0, ro_link(self->fd, id[0], id[3]));
	EXPECT_STREQ("", ro_told(self->told));
	EXPECT_EQ(1, ro_acquire(self->fd, id[0], 1, 0));
	/* Depth first. */
	ASSERT_EQ(4, ro_read_events(self->told, e, 16));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ((__u32)REFOBJ_EVENT_ACTIVATED, e[i].type);
		EXPECT_EQ((__u64)i, e[i].cookie);
		EXPECT_EQ((__u32)(i ? REFOBJ_CAUSE_OBJECT : REFOBJ_CAUSE_ACQUIRE),
			  e[i].cause);
		EXPECT_EQ((__u32)(i ? 0 : getpid()), e[i].pid);
		EXPECT_EQ(1, ro_users(self->fd, id[i]));
	}
	EXPECT_EQ(1, ro_release(self->fd, id[0], 1));
	ASSERT_EQ(4, ro_read_events(self->told, e, 16));
	for (i = 0; i < 4; i++) {
		ro_event_text(text, sizeof(text), &e[i]);
		EXPECT_STREQ(i ? "deactivated object idle 0" :
				 "deactivated release idle 0", text);
		EXPECT_EQ((__u64)i, e[i].cookie);
	}
	/* The edges are still there. */
	EXPECT_EQ(1, ro_acquire(self->fd, id[0], 1, 0));
	EXPECT_EQ(1, ro_users(self->fd, id[2]));
	EXPECT_EQ(1, ro_release(self->fd, id[0], 1));
}

TEST_F(edges, an_idle_owner_keeps_nothing_alive)
{
	__u64 owner = idle_object(self->fd), dep = held_object(self->fd);

	EXPECT_EQ(0, ro_link(self->fd, owner, dep));
	EXPECT_EQ(1, ro_users(self->fd, dep));
	EXPECT_EQ(1, edges_of(self->fd, owner));
	EXPECT_EQ(1, ro_release(self->fd, dep, 1));
	/* The edge has gone with it. */
	EXPECT_EQ(0, edges_of(self->fd, owner));
	EXPECT_EQ(1, ro_acquire(self->fd, owner, 1, 0));
	EXPECT_EQ(1, ro_release(self->fd, owner, 1));
}

TEST_F(edges, dep_with_users_at_the_maximum)
{
	__u64 owner = held_object(self->fd), dep = held_object(self->fd);
	unsigned int n;

	for (n = 1; n < REFOBJ_USERS_MAX; ) {
		unsigned int step = REFOBJ_USERS_MAX - n;

		if (step > REFOBJ_COUNT_MAX)
			step = REFOBJ_COUNT_MAX;
		ASSERT_EQ(0, ro_acquire(self->fd, dep, step, 0));
		n += step;
	}
	EXPECT_EQ(-EOVERFLOW, ro_acquire(self->fd, dep, 1, 0));
	EXPECT_EQ(0, ro_link(self->fd, owner, dep));
	EXPECT_EQ((int)REFOBJ_USERS_MAX, ro_users(self->fd, dep));
	EXPECT_EQ(0, ro_release_all(self->fd, dep));
	EXPECT_EQ(1, ro_users(self->fd, dep));
}

TEST_F(edges, dep_lingers)
{
	__u64 owner = held_object(self->fd), dep;
	struct refobj_stat st;

	ASSERT_EQ(0, ro_create_linger(self->fd, "edge-linger",
				      REFOBJ_PERSISTENT, 0, 3600000, &dep));
	EXPECT_EQ(0, ro_link(self->fd, owner, dep));
	EXPECT_EQ(1, ro_users(self->fd, dep));
	EXPECT_EQ(1, ro_release(self->fd, owner, 1));
	EXPECT_EQ(0, ro_stat(self->fd, dep, &st));
	EXPECT_EQ((__u32)REFOBJ_STATE_LINGERING, st.state);
	EXPECT_EQ(0, ro_destroy(self->fd, dep));
}

TEST_F(edges, are_charged_as_references)
{
	struct refobj_info info = { .size = sizeof(info) };
	__u64 before, owner, dep;
	int fd;

	fd = ro_open_as(4712);
	ASSERT_LE(0, fd);
	owner = idle_object(fd);
	dep = idle_object(fd);
	ASSERT_EQ(0, ro_ioctl(fd, REFOBJ_IOC_INFO, &info));
	before = info.references_used;
	EXPECT_EQ(0, ro_link(fd, owner, dep));
	ASSERT_EQ(0, ro_ioctl(fd, REFOBJ_IOC_INFO, &info));
	EXPECT_EQ(before + 1, info.references_used);
	EXPECT_EQ(-EEXIST, ro_link(fd, owner, dep));
	EXPECT_EQ(0, ro_destroy(fd, owner));
	ASSERT_EQ(0, ro_ioctl(fd, REFOBJ_IOC_INFO, &info));
	EXPECT_EQ(before, info.references_used);
	close(fd);
}

/* Nothing is left of a namespace in which edges lead from what lingers. */
TEST_F(edges, end_with_their_namespace)
{
	struct ro_kid kid;

	if (!ro_kid_fork(&kid)) {
		__u64 id[3];
		int fd, i;

		if (unshare(CLONE_NEWNET))
			_exit(1);
		fd = ro_open();
		for (i = 0; i < 3; i++)
			if (ro_create_linger(fd, NULL, i == 1 ?
					     REFOBJ_PERSISTENT : 0, 1, 3600000,
					     &id[i]) != 1)
				_exit(2);
		if (ro_link(fd, id[0], id[1]) || ro_link(fd, id[1], id[2]))
			_exit(3);
		if (ro_release_all(fd, 0))
			_exit(4);
		if (ro_users(fd, id[0]) || ro_users(fd, id[1]) != 1)
			_exit(5);
		_exit(0);
	}
	EXPECT_EQ(0, ro_kid_reap(&kid));
	/* The namespace goes in the background, and the objects with it. */
	while (ro_look_since(&self->look, "objects"))
		sched_yield();
}

/* What the holder of all, or of the first, has built goes at one stroke. */
static int build_many(int fd, bool chain, int n, __u64 *first)
{
	__u64 last = 0, id;
	int i, ret;

	for (i = 0; i < n; i++) {
		id = held_object(fd);
		ret = !id;
		if (!i)
			*first = id;
		else
			ret |= ro_link(fd, chain ? last : *first, id) ||
			       ro_release(fd, id, 1);
		if (ret)
			return -1;
		last = id;
	}
	return 0;
}

FIXTURE(many) {
	struct ro_look look;
};

FIXTURE_VARIANT(many) {
	bool chain;
	bool killed;
};

FIXTURE_VARIANT_ADD(many, chain_released) { .chain = true, };
FIXTURE_VARIANT_ADD(many, chain_killed) { .chain = true, .killed = true, };
FIXTURE_VARIANT_ADD(many, fan_released) { };
FIXTURE_VARIANT_ADD(many, fan_killed) { .killed = true, };

FIXTURE_SETUP(many)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN(many)
{
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

TEST_F_TIMEOUT(many, go_at_one_stroke, PATIENCE)
{
	int n = 100000 / ro_slow();
	struct ro_kid kid;
	__u64 first = 0;

	if (!ro_kid_fork(&kid)) {
		int fd = ro_open();

		ro_kid_say(&kid, build_many(fd, variant->chain, n, &first));
		ro_kid_await(&kid);
		ro_kid_say(&kid, ro_release(fd, first, 1));
		ro_kid_await(&kid);
	}
	ASSERT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(n - 1, ro_look_since(&self->look, "edges"));
	EXPECT_EQ(n, ro_look_since(&self->look, "objects"));
	if (variant->killed) {
		EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	} else {
		ro_kid_say(&kid, 1);
		EXPECT_EQ(1, ro_kid_hear(&kid));
		EXPECT_EQ(0, ro_look_since(&self->look, "objects"));
		EXPECT_EQ(0, ro_kid_end(&kid));
	}
	EXPECT_EQ(0, ro_look_since(&self->look, "edges"));
	EXPECT_EQ(0, ro_look_since(&self->look, "objects"));
}

/* Owners of shared deps come and go in several processes: no count is lost. */
TEST_F_TIMEOUT(edges, shared_deps_by_many_at_once, PATIENCE)
{
	int i, j, n = ro_times(2000);
	__u64 owner[4], dep[4];
	struct ro_kid kid[4];

	for (i = 0; i < 4; i++) {
		owner[i] = idle_object(self->fd);
		dep[i] = idle_object(self->fd);
	}
	for (i = 0; i < 4; i++)
		for (j = 0; j < 4; j++)
			ASSERT_EQ(0, ro_link(self->fd, owner[i], dep[j]));
	/* Deps need each other too. */
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, ro_link(self->fd, dep[i], dep[i + 1]));
	for (i = 0; i < 4; i++) {
		if (ro_kid_fork(&kid[i]))
			continue;
		ro_kid_await(&kid[i]);
		for (j = 0; j < n; j++) {
			int fd = ro_open();

			if (ro_acquire(fd, owner[(i + j) % 4], 1, 0) < 0)
				_exit(1);
			/* Held by an active owner: its own call is through. */
			if (ro_users(fd, dep[j % 4]) < 1)
				_exit(2);
			close(fd);
		}
		_exit(0);
	}
	for (i = 0; i < 4; i++)
		ro_kid_say(&kid[i], 1);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, ro_kid_reap(&kid[i]));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(0, ro_users(self->fd, owner[i]));
		EXPECT_EQ(0, ro_users(self->fd, dep[i]));
	}
}

TEST_HARNESS_MAIN
