// SPDX-License-Identifier: GPL-2.0-only
/*
 * librefobj-netlink: what it makes of what the family tells; netlink.c looks at the
 * family itself.
 */
#define _GNU_SOURCE
#include <librefobj-netlink.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

FIXTURE(nl) {
	struct refobj_nl *nl;
	int fd;
};

FIXTURE_SETUP(nl)
{
	const char *why = ro_obstacle();

	if (why)
		SKIP(return, "%s", why);
	if (unshare(CLONE_NEWNET))
		SKIP(return, "no network namespaces: %s", strerror(errno));
	ASSERT_EQ(0, refobj_nl_open(&self->nl));
	self->fd = ro_open();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(nl)
{
	refobj_nl_close(self->nl);
	close(self->fd);
}

struct objects {
	unsigned int n;
	struct refobj_stat object[8];
};

static int take_object(const struct refobj_stat *object, void *arg)
{
	struct objects *objects = arg;

	if (objects->n == 8)
		return -ENOSPC;
	objects->object[objects->n++] = *object;
	return 0;
}

TEST_F(nl, objects)
{
	struct refobj_nl_filter filter = { .prefix = "le" };
	struct objects objects = { .n = 0 };
	char longer[REFOBJ_NAME_SIZE + 1];
	struct refobj_stat st, got;
	__u64 id, other;

	ASSERT_EQ(1, ro_create(self->fd, "lens", 0, 3, &id));
	ASSERT_EQ(0, ro_create(self->fd, "", REFOBJ_PERSISTENT, 0, &other));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	st.held = 0;
	st.size = sizeof(st);
	st.flags = 0;

	ASSERT_EQ(0, refobj_nl_object(self->nl, id, NULL, &got));
	EXPECT_EQ(0, memcmp(&st, &got, sizeof(st)));
	memset(&got, 0xa5, sizeof(got));
	ASSERT_EQ(0, refobj_nl_object(self->nl, 0, "lens", &got));
	EXPECT_EQ(0, memcmp(&st, &got, sizeof(st)));
	EXPECT_EQ(-ENOENT, refobj_nl_object(self->nl, 0, "prism", &got));
	EXPECT_STREQ("no object has this name", refobj_nl_why(self->nl));
	EXPECT_EQ(-ENOENT, refobj_nl_object(self->nl, ~0ULL, NULL, &got));
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	EXPECT_EQ(-ENAMETOOLONG, refobj_nl_object(self->nl, 0, longer, &got));

	ASSERT_EQ(0, refobj_nl_objects(self->nl, NULL, take_object, &objects));
	ASSERT_EQ(2, objects.n);
	EXPECT_EQ(0, memcmp(&st, &objects.object[0], sizeof(st)));
	EXPECT_EQ(other, objects.object[1].id);
	objects.n = 0;
	ASSERT_EQ(0, refobj_nl_objects(self->nl, &filter, take_object, &objects));
	ASSERT_EQ(1, objects.n);
	EXPECT_EQ(id, objects.object[0].id);
	filter = (struct refobj_nl_filter) { .unused = true, .has_uid = true };
	objects.n = 0;
	ASSERT_EQ(0, refobj_nl_objects(self->nl, &filter, take_object, &objects));
	ASSERT_EQ(1, objects.n);
	EXPECT_EQ(other, objects.object[0].id);
	filter = (struct refobj_nl_filter) { .type = "", .state = REFOBJ_STATE_READY };
	objects.n = 0;
	ASSERT_EQ(0, refobj_nl_objects(self->nl, &filter, take_object, &objects));
	ASSERT_EQ(1, objects.n);
	/* what the caller says ends it */
	objects.n = 8;
	EXPECT_EQ(-ENOSPC, refobj_nl_objects(self->nl, NULL, take_object, &objects));
	EXPECT_EQ(0, ro_destroy(self->fd, other));
}

static int take_holder(uint64_t object, const struct refobj_holder *holder, void *arg)
{
	struct refobj_holder *to = arg;

	to[object & 1] = *holder;
	return 0;
}

static int take_session(const struct refobj_nl_session *session, void *arg)
{
	*(struct refobj_nl_session *)arg = *session;
	return 0;
}

static int take_edge(const struct refobj_nl_edge *edge, void *arg)
{
	*(struct refobj_nl_edge *)arg = *edge;
	return 0;
}

TEST_F(nl, holders_sessions_and_edges)
{
	struct refobj_link link = { .size = sizeof(link) };
	struct refobj_holder holder[2] = { { 0 } }, rec[2];
	struct refobj_nl_session session = { 0 };
	struct refobj_nl_edge edge = { 0 };
	unsigned int total;
	__u64 id, dep;

	ASSERT_EQ(1, ro_create(self->fd, "", 0, 3, &id));
	ASSERT_EQ(1, ro_create(self->fd, "", 0, 1, &dep));
	ASSERT_EQ(0, ro_set_why(self->fd, id, "because"));
	ASSERT_EQ(1, ro_holders(self->fd, id, rec, 2, &total));
	ASSERT_EQ(0, refobj_nl_holders(self->nl, id, take_holder, holder));
	EXPECT_EQ(0, memcmp(&rec[0], &holder[id & 1], sizeof(rec[0])));
	memset(holder, 0, sizeof(holder));
	ASSERT_EQ(0, refobj_nl_holders(self->nl, 0, take_holder, holder));
	EXPECT_EQ(3, holder[id & 1].count);
	EXPECT_EQ(1, holder[dep & 1].count);
	EXPECT_EQ(-ENOENT, refobj_nl_holders(self->nl, ~0ULL, take_holder, holder));

	ASSERT_EQ(0, refobj_nl_sessions(self->nl, take_session, &session));
	EXPECT_EQ(rec[0].session, session.id);
	EXPECT_EQ(rec[0].start_ns, session.start_ns);
	EXPECT_EQ(getpid(), session.pid);
	EXPECT_EQ(2, session.objects);
	EXPECT_EQ(4, session.references);
	EXPECT_FALSE(session.ended);
	EXPECT_STREQ(rec[0].comm, session.comm);

	link.id = id;
	link.dep = dep;
	ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_LINK, &link));
	ASSERT_EQ(0, refobj_nl_edges(self->nl, take_edge, &edge));
	EXPECT_EQ(id, edge.object);
	EXPECT_EQ(dep, edge.dep);
	EXPECT_TRUE(edge.held);
	EXPECT_LT(0, edge.since_ns);
}

struct seen {
	__u64 first;
	unsigned char times[1500];
};

static int see(const struct refobj_stat *object, void *arg)
{
	struct seen *seen = arg;

	if (object->id >= seen->first && object->id - seen->first < 1500)
		seen->times[object->id - seen->first]++;
	return 0;
}

/* While others come and go as fast as they can. */
TEST_F(nl, a_dump_among_changes)
{
	static struct seen seen;
	unsigned int i, round, changed = 0;
	struct ro_kid kid;
	__u64 id;
	int ret;

	for (i = 0; i < 1500; i++) {
		ASSERT_EQ(0, ro_create(self->fd, "", REFOBJ_PERSISTENT, 0, &id));
		if (!i)
			seen.first = id;
	}
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd = ro_open();

		for (ro_kid_say(&kid, 0);;) {
			ro_create(fd, "", 0, 1, &id);
			ro_release(fd, id, 1);
		}
	}
	ASSERT_EQ(0, ro_kid_hear(&kid));
	for (round = 0; round < 3; round++) {
		memset(seen.times, 0, sizeof(seen.times));
		ret = refobj_nl_objects(self->nl, NULL, see, &seen);
		ASSERT_LE(0, ret);
		changed += ret == REFOBJ_NL_CHANGED;
		for (i = 0; i < 1500; i++)
			ASSERT_EQ(1, seen.times[i]);
	}
	TH_LOG("%u of 3 dumps were of changing objects", changed);
	ASSERT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	EXPECT_EQ(0, refobj_nl_objects(self->nl, NULL, see, &seen));
	for (i = 0; i < 1500; i++)
		ASSERT_EQ(0, ro_destroy(self->fd, seen.first + i));
}

TEST_F(nl, events_and_a_flood)
{
	struct refobj_event e;
	struct refobj_nl *other;
	unsigned int n = 0;
	__u64 id, told = 0;
	int small = 1, i;

	ASSERT_EQ(0, refobj_nl_listen(self->nl));
	EXPECT_EQ(0, refobj_nl_next(self->nl, &e));
	ASSERT_EQ(0, ro_create(self->fd, "", REFOBJ_PERSISTENT, 0, &id));
	ASSERT_EQ(1, ro_acquire(self->fd, id, 1, 0));
	ASSERT_EQ(1, refobj_nl_next(self->nl, &e));
	EXPECT_EQ(REFOBJ_EVENT_ACTIVATED, e.type);
	EXPECT_EQ(id, e.id);
	ASSERT_EQ(1, refobj_nl_next(self->nl, &e));
	EXPECT_EQ(REFOBJ_EVENT_READY, e.type);
	EXPECT_EQ(0, refobj_nl_next(self->nl, &e));
	ASSERT_EQ(1, ro_release(self->fd, id, 1));
	ASSERT_EQ(1, refobj_nl_next(self->nl, &e));
	EXPECT_EQ(REFOBJ_EVENT_DEACTIVATED, e.type);

	/* 300 events: those that are told, and those that are said to be lost */
	ASSERT_EQ(0, setsockopt(refobj_nl_fd(self->nl), SOL_SOCKET, SO_RCVBUF,
				&small, sizeof(small)));
	ASSERT_LE(0, ro_bounce(self->fd, id, 100));
	while (refobj_nl_next(self->nl, &e) == 1) {
		told += e.type != REFOBJ_EVENT_LOST;
		n += e.type == REFOBJ_EVENT_LOST;
		EXPECT_LE(e.type, REFOBJ_EVENT_LOST);
	}
	EXPECT_EQ(1, n);
	EXPECT_LT(told, 300);
	ASSERT_EQ(1, ro_acquire(self->fd, id, 1, 0));
	ASSERT_EQ(1, refobj_nl_next(self->nl, &e));
	EXPECT_EQ(REFOBJ_EVENT_LOST, e.type);
	EXPECT_EQ(300 - told, e.count);
	ASSERT_EQ(1, refobj_nl_next(self->nl, &e));
	EXPECT_EQ(REFOBJ_EVENT_ACTIVATED, e.type);

	/* others are not in the way */
	ASSERT_EQ(0, refobj_nl_open(&other));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, refobj_nl_object(other, id, NULL,
					      &(struct refobj_stat) { 0 }));
	refobj_nl_close(other);
	ASSERT_EQ(1, ro_release(self->fd, id, 1));
	ASSERT_EQ(0, ro_destroy(self->fd, id));
}

TEST_HARNESS_MAIN
