// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may watch what, when a watch ends, and what becomes of events that nobody
 * reads.
 */
#define _GNU_SOURCE
#include <sys/resource.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define PATIENCE	120

#define BIT_OF(type)	REFOBJ_WATCH(REFOBJ_EVENT_##type)
/* Both ends of an activation: one record for an acquire, and one for a release. */
#define ENDS		(BIT_OF(ACTIVATED) | BIT_OF(DEACTIVATED))

#define USER		4321	/* an ordinary one */

FIXTURE(watches) {
	struct ro_look look;	/* whose session acts */
	int fd;			/* whose session is told */
	__u64 id;		/* persistent, idle */
	__u64 watches;		/* charged before */
};

FIXTURE_SETUP(watches)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	self->fd = ro_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ro_create(self->look.fd, "watches", REFOBJ_PERSISTENT, 0,
			       &self->id));
	self->watches = ro_watches_used(self->fd);
}

FIXTURE_TEARDOWN(watches)
{
	close(self->fd);
	if (self->id)
		EXPECT_EQ(0, ro_destroy(self->look.fd, self->id));
	EXPECT_EQ(self->watches, ro_watches_used(self->look.fd));
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

TEST_F(watches, watching_again_replaces_the_watch)
{
	struct refobj_stat st;
	struct refobj_event e[8];

	ASSERT_EQ(0, ro_watch(self->fd, self->id, BIT_OF(ACTIVATED), 1));
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
	ASSERT_EQ(0, ro_watch(self->fd, self->id, BIT_OF(DEACTIVATED), 2));
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
	EXPECT_EQ(4, ro_read_events(self->fd, e, 8));
	EXPECT_EQ(REFOBJ_EVENT_SNAPSHOT, e[0].type);
	EXPECT_EQ(REFOBJ_EVENT_ACTIVATED, e[1].type);
	EXPECT_EQ(REFOBJ_EVENT_SNAPSHOT, e[2].type);
	EXPECT_EQ(REFOBJ_EVENT_DEACTIVATED, e[3].type);
	EXPECT_EQ(1ULL, e[0].cookie);
	EXPECT_EQ(1ULL, e[1].cookie);
	EXPECT_EQ(2ULL, e[2].cookie);
	EXPECT_EQ(2ULL, e[3].cookie);
	EXPECT_EQ(self->watches + 1, ro_watches_used(self->fd));
	EXPECT_EQ(0, ro_stat(self->fd, self->id, &st));
	EXPECT_EQ(1U, st.watches);

	/* With and without counts, back and forth: these are attended to. */
	ASSERT_EQ(0, ro_watch(self->fd, self->id, BIT_OF(COUNT), 3));
	EXPECT_EQ(1, ro_acquire(self->look.fd, self->id, 1, 0));
	EXPECT_EQ(0, ro_acquire(self->look.fd, self->id, 1, 0));
	ASSERT_EQ(0, ro_watch(self->fd, self->id, BIT_OF(READY), 4));
	EXPECT_EQ(0, ro_acquire(self->look.fd, self->id, 1, 0));
	ASSERT_EQ(0, ro_watch(self->fd, self->id, BIT_OF(COUNT), 5));
	EXPECT_EQ(0, ro_release(self->look.fd, self->id, 1));
	EXPECT_STREQ("snapshot none idle 0; count acquire ready 2; "
		     "snapshot none ready 2; snapshot none ready 3; "
		     "count release ready 2", ro_told(self->fd));
	EXPECT_EQ(1, ro_release_all(self->look.fd, self->id));
}

TEST_F(watches, a_mask_of_nothing_ends_the_watch)
{
	struct refobj_stat st;

	ASSERT_EQ(0, ro_watch(self->fd, self->id, ENDS, 0));
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
	EXPECT_EQ(0, ro_watch(self->fd, self->id, 0, 0));
	EXPECT_EQ(self->watches, ro_watches_used(self->fd));
	EXPECT_EQ(0, ro_stat(self->fd, self->id, &st));
	EXPECT_EQ(0U, st.watches);
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
	/* What was told before stays. */
	EXPECT_STREQ("snapshot none idle 0; activated acquire ready 1; "
		     "deactivated release idle 0", ro_told(self->fd));
	EXPECT_EQ(-ENOENT, ro_watch(self->fd, self->id, 0, 0));
	ASSERT_EQ(0, ro_watch(self->fd, self->id, ENDS, 0));
	EXPECT_STREQ("snapshot none idle 0", ro_told(self->fd));
}

TEST_F(watches, what_cannot_be_watched)
{
	struct refobj_watch w = {
		.size = sizeof(w), .id = self->id, .mask = ENDS,
	};
	unsigned int bit;
	__u64 dead = 0;

	EXPECT_EQ(-ENOENT, ro_watch(self->fd, 0, ENDS, 0));
	EXPECT_EQ(-ENOENT, ro_watch(self->fd, ~0ULL, ENDS, 0));
	EXPECT_EQ(-ENOENT, ro_watch(self->fd, 0, 0, 0));
	EXPECT_EQ(-ENOENT, ro_watch(self->fd, self->id, 0, 0));
	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &dead));
	EXPECT_EQ(1, ro_release(self->look.fd, dead, 1));
	EXPECT_EQ(-ESTALE, ro_watch(self->fd, dead, ENDS, 0));
	EXPECT_EQ(-ENOENT, ro_watch(self->fd, dead, 0, 0));
	for (bit = 0; bit < 32; bit++)
		if (!(REFOBJ_WATCH_ALL & 1U << bit))
			EXPECT_EQ(-EINVAL, ro_watch(self->fd, self->id,
						    ENDS | 1U << bit, 0));
	w.flags = 1;
	EXPECT_EQ(-EOPNOTSUPP, ro_ioctl(self->fd, REFOBJ_IOC_WATCH, &w));
	w.flags = 0;
	w.reserved = 1;
	EXPECT_EQ(-EOPNOTSUPP, ro_ioctl(self->fd, REFOBJ_IOC_WATCH, &w));
	EXPECT_EQ(0, ro_unread(self->fd));
	EXPECT_EQ(self->watches, ro_watches_used(self->fd));
}

/* Permission to read, or a reference: what is held may be watched. */
TEST_F(watches, watching_needs_permission)
{
	struct refobj_export ex = { .size = sizeof(ex), .id = self->id };
	struct refobj_import im = { .size = sizeof(im), .count = 1 };
	int other = ro_open_as(USER);

	ASSERT_LE(0, other);
	EXPECT_EQ(-EACCES, ro_watch(other, self->id, ENDS, 0));
	EXPECT_EQ(1, ro_acquire(self->look.fd, self->id, 1, 0));
	im.fd = ro_ioctl(self->look.fd, REFOBJ_IOC_EXPORT, &ex);
	ASSERT_LE(0, im.fd);
	EXPECT_EQ(-EACCES, ro_watch(other, self->id, ENDS, 0));
	EXPECT_EQ(0, ro_ioctl(other, REFOBJ_IOC_IMPORT, &im));
	close(im.fd);
	EXPECT_EQ(0, ro_watch(other, self->id, ENDS, 0));
	EXPECT_EQ(0, ro_release(self->look.fd, self->id, 1));
	/* Once it is watched, it goes on. */
	EXPECT_EQ(1, ro_release(other, self->id, 1));
	EXPECT_STREQ("snapshot none ready 2; deactivated release idle 0",
		     ro_told(other));
	EXPECT_EQ(-EACCES, ro_watch(other, self->id, ENDS, 0));
	close(other);
}

TEST_F(watches, watches_have_a_quota)
{
	unsigned long was = ro_get_parameter("max_watches");
	struct refobj_info info = { .size = sizeof(info) };
	int other = ro_open_as(USER), second = ro_open_as(USER), i;
	__u64 id[4] = { };

	ASSERT_LE(0, other);
	ASSERT_LE(0, second);
	ASSERT_EQ(0U, ro_watches_used(other));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(1, ro_create(other, NULL, 0, 1, &id[i]));
	ASSERT_EQ(0, ro_set_parameter("max_watches", 3));
	EXPECT_EQ(0, ro_ioctl(other, REFOBJ_IOC_INFO, &info));
	EXPECT_EQ(3ULL, info.watches_max);
	EXPECT_EQ(0, ro_watch(other, id[0], ENDS, 0));
	EXPECT_EQ(0, ro_watch(other, id[1], ENDS, 0));
	EXPECT_EQ(0, ro_watch(second, id[0], ENDS, 0));
	EXPECT_EQ(3ULL, ro_watches_used(other));
	EXPECT_EQ(-EDQUOT, ro_watch(other, id[2], ENDS, 0));
	EXPECT_EQ(-EDQUOT, ro_watch(second, id[2], ENDS, 0));
	/* To replace a watch takes no more than there is. */
	EXPECT_EQ(0, ro_watch(other, id[1], BIT_OF(READY), 0));
	EXPECT_EQ(3ULL, ro_watches_used(other));
	/* Whose session is privileged has none. */
	EXPECT_EQ(0, ro_watch(self->fd, self->id, ENDS, 0));

	EXPECT_EQ(0, ro_watch(other, id[1], 0, 0));
	EXPECT_EQ(0, ro_watch(other, id[2], ENDS, 0));
	EXPECT_EQ(-EDQUOT, ro_watch(other, id[3], ENDS, 0));
	EXPECT_EQ(1, ro_release(other, id[2], 1));
	EXPECT_EQ(-EDQUOT, ro_watch(other, id[3], ENDS, 0));
	ro_told(other);
	EXPECT_EQ(0, ro_watch(other, id[3], ENDS, 0));
	EXPECT_EQ(-EDQUOT, ro_watch(other, id[1], ENDS, 0));
	close(second);
	EXPECT_EQ(0, ro_watch(other, id[1], ENDS, 0));
	EXPECT_EQ(0, ro_set_parameter("max_watches", was));
	EXPECT_EQ(3ULL, ro_watches_used(other));
	close(other);
	other = ro_open_as(USER);
	EXPECT_EQ(0ULL, ro_watches_used(other));
	close(other);
}

/* However many may watch, one object tells no more than this. */
TEST_F_TIMEOUT(watches, an_object_has_so_many_watches, PATIENCE)
{
	const struct rlimit files = {
		REFOBJ_WATCHES_MAX + 100, REFOBJ_WATCHES_MAX + 100
	};
	unsigned long was = ro_get_parameter("max_events");
	struct refobj_stat st;
	struct ro_kid kid;

	ASSERT_EQ(0, ro_set_parameter("max_events", 16));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd, last = -1, i;

		setrlimit(RLIMIT_NOFILE, &files);
		for (i = 0; i < REFOBJ_WATCHES_MAX; i++) {
			fd = ro_open();
			if (ro_watch(fd, self->id, ENDS, i))
				break;
			last = fd;
		}
		ro_kid_say(&kid, i);
		fd = ro_open();
		ro_kid_say(&kid, -ro_watch(fd, self->id, ENDS, 0));
		/* One of them may be replaced, or make room. */
		ro_kid_say(&kid, -ro_watch(last, self->id, BIT_OF(COUNT), 0));
		ro_kid_say(&kid, -ro_watch(last, self->id, 0, 0));
		ro_kid_say(&kid, -ro_watch(fd, self->id, ENDS, 0));
		ro_kid_say(&kid, -ro_watch(last, self->id, ENDS, 0));
		ro_kid_await(&kid);
		ro_kid_say(&kid, !strcmp("snapshot none idle 0; "
					 "activated acquire ready 1; "
					 "deactivated release idle 0",
					 ro_told(fd)));
		ro_kid_await(&kid);
		_exit(0);
	}
	EXPECT_EQ(REFOBJ_WATCHES_MAX, ro_kid_hear(&kid));
	EXPECT_EQ(EDQUOT, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(EDQUOT, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_set_parameter("max_events", was));
	EXPECT_EQ(0, ro_stat(self->fd, self->id, &st));
	EXPECT_EQ((__u32)REFOBJ_WATCHES_MAX, st.watches);
	EXPECT_EQ(self->watches + REFOBJ_WATCHES_MAX, ro_watches_used(self->fd));
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
	ro_kid_say(&kid, 1);
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	EXPECT_EQ(0, ro_stat(self->fd, self->id, &st));
	EXPECT_EQ(0U, st.watches);
}

/* A watch is no reference, but may become one. */
TEST_F(watches, a_watch_keeps_nothing_alive)
{
	__u64 id = 0, again = 0;

	ASSERT_EQ(0, ro_watch(self->fd, self->id, ENDS, 0));
	EXPECT_EQ(0, ro_users(self->fd, self->id));
	EXPECT_EQ(-EAGAIN, ro_acquire(self->fd, self->id, 1,
				      REFOBJ_ACQUIRE_NOT_ZERO));
	ASSERT_EQ(1, ro_create(self->look.fd, "watched", 0, 1, &id));
	ASSERT_EQ(0, ro_watch(self->fd, id, ENDS, 0));
	EXPECT_EQ(0, ro_acquire(self->fd, id, 1, REFOBJ_ACQUIRE_NOT_ZERO));
	EXPECT_EQ(0, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(1, ro_users(self->fd, id));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(-ESTALE, ro_acquire(self->fd, id, 1,
				      REFOBJ_ACQUIRE_NOT_ZERO));
	/* Its successor is another. */
	ASSERT_EQ(1, ro_create(self->look.fd, "watched", 0, 1, &again));
	EXPECT_NE(id, again);
	EXPECT_EQ(-ESTALE, ro_acquire(self->fd, id, 1,
				      REFOBJ_ACQUIRE_NOT_ZERO));
	EXPECT_EQ(1, ro_release(self->look.fd, again, 1));
}

/* Upgraded at the very moment at which the object dies: it lives, or it is dead. */
TEST_F_TIMEOUT(watches, a_watch_is_upgraded_or_too_late, PATIENCE)
{
	int i, n = ro_times(500), ret, won = 0;
	struct ro_kid kid;
	__u64 id;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd = ro_open();

		for (i = 0; i < n; i++) {
			ro_create(fd, NULL, 0, 1, &id);
			ro_kid_say(&kid, id);
			ro_kid_await(&kid);
			ro_kid_say(&kid, ro_release(fd, id, 1));
		}
		_exit(0);
	}
	for (i = 0; i < n; i++) {
		id = ro_kid_hear(&kid);
		ASSERT_EQ(0, ro_watch(self->fd, id, BIT_OF(READY), 0));
		ro_kid_say(&kid, 1);
		ret = ro_acquire(self->fd, id, 1, REFOBJ_ACQUIRE_NOT_ZERO);
		if (!ret) {
			won++;
			EXPECT_EQ(0, ro_kid_hear(&kid));
			EXPECT_EQ(1, ro_release(self->fd, id, 1));
		} else {
			EXPECT_EQ(-ESTALE, ret);
			EXPECT_EQ(1, ro_kid_hear(&kid));
		}
		ASSERT_STREQ("snapshot none ready 1; destroyed release dead 0",
			     ro_told(self->fd));
	}
	TH_LOG("upgraded %d times of %d", won, n);
	EXPECT_EQ(0, ro_kid_reap(&kid));
}

/* The last record comes whatever the mask, and the watch is gone when it is read. */
TEST_F(watches, destroyed_is_the_last)
{
	unsigned int bit;
	__u64 id = 0;

	for (bit = REFOBJ_EVENT_ACTIVATED; bit <= REFOBJ_EVENT_DESTROYED; bit++) {
		ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &id));
		ASSERT_EQ(0, ro_watch(self->fd, id, 1 << bit, 0));
		EXPECT_STREQ("snapshot none ready 1", ro_told(self->fd));
		EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
		EXPECT_EQ(self->watches + 1, ro_watches_used(self->fd));
		EXPECT_EQ(-ESTALE, ro_watch(self->fd, id, 1 << bit, 0));
		if (bit == REFOBJ_EVENT_COUNT) {
			EXPECT_STREQ("count release idle 0; "
				     "destroyed release dead 0",
				     ro_told(self->fd));
		} else if (bit == REFOBJ_EVENT_DEACTIVATED) {
			EXPECT_STREQ("deactivated release idle 0; "
				     "destroyed release dead 0",
				     ro_told(self->fd));
		} else {
			EXPECT_STREQ("destroyed release dead 0",
				     ro_told(self->fd));
		}
		EXPECT_EQ(self->watches, ro_watches_used(self->fd));
		EXPECT_EQ(-ESTALE, ro_watch(self->fd, id, 1 << bit, 0));
		EXPECT_EQ(-ENOENT, ro_watch(self->fd, id, 0, 0));
	}
	/* It may be ended between death and reading: the record stays. */
	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &id));
	ASSERT_EQ(0, ro_watch(self->fd, id, ENDS, 0));
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(0, ro_watch(self->fd, id, 0, 0));
	EXPECT_EQ(self->watches, ro_watches_used(self->fd));
	EXPECT_EQ(-ENOENT, ro_watch(self->fd, id, 0, 0));
	EXPECT_STREQ("snapshot none ready 1; deactivated release idle 0; "
		     "destroyed release dead 0", ro_told(self->fd));
}

/*
 * A full queue
 */
TEST_F(watches, what_is_lost_is_counted)
{
	int fd = ro_open_with_room(16, self->id, ENDS), i;
	struct refobj_event e[32];

	ASSERT_LE(0, fd);
	/* The snapshot and 15 more fit. */
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 10));
	EXPECT_EQ(17, ro_unread(fd));
	EXPECT_EQ(17, ro_read_events(fd, e, 32));
	for (i = 0; i < 17; i++) {
		EXPECT_EQ(1ULL + i, e[i].seq);
		EXPECT_EQ(i == 16, e[i].type == REFOBJ_EVENT_LOST);
	}
	EXPECT_EQ(5U, e[16].count);
	EXPECT_EQ(0ULL, e[16].id);
	EXPECT_EQ(0ULL, e[16].cookie);
	EXPECT_EQ(0U, e[16].pid);
	EXPECT_EQ(72U, e[16].size);
	EXPECT_EQ(5, ro_look_since(&self->look, "events_lost"));

	/* The gap is as wide as what is missing. */
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
	EXPECT_EQ(2, ro_read_events(fd, e, 32));
	EXPECT_EQ(17ULL + 5, e[0].seq);
	EXPECT_EQ(REFOBJ_EVENT_ACTIVATED, e[0].type);
	EXPECT_EQ(17ULL + 6, e[1].seq);

	/* What says so grows until there is room again: for two, as it is one. */
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 9));
	EXPECT_EQ(1, ro_read_events(fd, e, 1));
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
	EXPECT_EQ(1, ro_read_events(fd, e, 1));
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
	EXPECT_EQ(17, ro_unread(fd));
	EXPECT_EQ(17, ro_read_events(fd, e, 32));
	EXPECT_EQ(REFOBJ_EVENT_LOST, e[14].type);
	EXPECT_EQ(4U, e[14].count);
	EXPECT_EQ(REFOBJ_EVENT_ACTIVATED, e[15].type);
	EXPECT_EQ(e[14].seq + 4, e[15].seq);
	EXPECT_EQ(REFOBJ_EVENT_LOST, e[16].type);
	EXPECT_EQ(1U, e[16].count);
	EXPECT_EQ(e[15].seq + 1, e[16].seq);
	EXPECT_EQ(5 + 4 + 1, ro_look_since(&self->look, "events_lost"));
	close(fd);
}

/* A queue has some room, and not all there is. */
TEST_F_TIMEOUT(watches, the_size_of_a_queue_is_bounded, PATIENCE)
{
	int fd;

	EXPECT_EQ(-EINVAL, ro_set_parameter("max_events", 15));
	EXPECT_EQ(-EINVAL, ro_set_parameter("max_events", 65537));
	fd = ro_open_with_room(16, self->id, ENDS);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 20));
	EXPECT_EQ(17, ro_unread(fd));
	close(fd);
	fd = ro_open_with_room(65536, self->id, ENDS);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 33000));
	EXPECT_EQ(65537, ro_unread(fd));
	close(fd);
}

/* Read in whatever portions, all is told or counted. */
TEST_F(watches, told_and_lost_make_the_sequence)
{
	int fd = ro_open_with_room(16, self->id, ENDS), i, j, n;
	unsigned int seed = getpid();
	struct refobj_event e[32];
	__u64 next = 1;

	ASSERT_LE(0, fd);
	TH_LOG("seed %u", seed);
	for (i = 0; i < ro_times(1000); i++) {
		ASSERT_EQ(1, ro_bounce(self->look.fd, self->id,
				       1 + rand_r(&seed) % 16));
		n = ro_read_events(fd, e, 1 + rand_r(&seed) % 20);
		ASSERT_LT(0, n);
		for (j = 0; j < n; j++) {
			ASSERT_EQ(next, e[j].seq);
			next += e[j].type == REFOBJ_EVENT_LOST ? e[j].count : 1;
		}
	}
	close(fd);
}

TEST_F(watches, no_room_for_a_snapshot)
{
	int fd = ro_open_with_room(16, self->id, ENDS);
	struct refobj_event e[32];
	__u64 other = 0;

	ASSERT_LE(0, fd);
	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &other));
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 7));
	EXPECT_EQ(1, ro_acquire(self->look.fd, self->id, 1, 0));
	EXPECT_EQ(16, ro_unread(fd));
	EXPECT_EQ(-EAGAIN, ro_watch(fd, other, REFOBJ_WATCH_ALL, 0));
	EXPECT_EQ(self->watches + 1, ro_watches_used(fd));
	/* The watch that was to be replaced is as it was. */
	EXPECT_EQ(-EAGAIN, ro_watch(fd, self->id, REFOBJ_WATCH_ALL, 1));
	EXPECT_EQ(1, ro_read_events(fd, e, 1));
	EXPECT_EQ(0, ro_watch(fd, other, REFOBJ_WATCH_ALL, 0));
	EXPECT_EQ(-EAGAIN, ro_watch(fd, self->id, REFOBJ_WATCH_ALL, 1));
	EXPECT_EQ(16, ro_read_events(fd, e, 32));
	EXPECT_EQ(1, ro_release(self->look.fd, self->id, 1));
	EXPECT_EQ(1, ro_read_events(fd, e, 32));
	EXPECT_EQ(REFOBJ_EVENT_DEACTIVATED, e[0].type);
	EXPECT_EQ(0ULL, e[0].cookie);
	EXPECT_EQ(1, ro_release(self->look.fd, other, 1));
	EXPECT_STREQ("count release idle 0; deactivated release idle 0; "
		     "destroyed release dead 0", ro_told(fd));
	close(fd);
}

/* With the record that was lost the watch of what is dead must not be. */
TEST_F(watches, a_lost_death_ends_the_watch)
{
	int fd = ro_open_with_room(16, self->id, ENDS), i;
	__u64 id[3] = { };

	ASSERT_LE(0, fd);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &id[i]));
		ASSERT_EQ(0, ro_watch(fd, id[i], ENDS, 0));
	}
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 6));
	EXPECT_EQ(16, ro_unread(fd));
	EXPECT_EQ(1, ro_release(self->look.fd, id[0], 1));
	EXPECT_EQ(1, ro_release(self->look.fd, id[2], 1));
	EXPECT_EQ(self->watches + 4, ro_watches_used(fd));
	EXPECT_NE(NULL, strstr(ro_told(fd), "; lost none - 0 x4"));
	EXPECT_EQ(self->watches + 2, ro_watches_used(fd));
	EXPECT_EQ(-ENOENT, ro_watch(fd, id[0], 0, 0));
	EXPECT_EQ(-ESTALE, ro_watch(fd, id[0], ENDS, 0));
	/* The others go on. */
	EXPECT_EQ(1, ro_release(self->look.fd, id[1], 1));
	EXPECT_STREQ("deactivated release idle 0; destroyed release dead 0",
		     ro_told(fd));
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
	EXPECT_EQ(2, ro_unread(fd));
	close(fd);
}

/* A WATCH that succeeds has its snapshot, however full the queue is by then. */
TEST_F_TIMEOUT(watches, a_snapshot_is_not_lost, PATIENCE)
{
	int fd = ro_open_with_room(16, self->id, ENDS), i, n, ret;
	int refused = 0, rounds = ro_times(3000), *stop;
	struct refobj_event e[8];
	struct ro_kid kid[2];
	__u64 id[2], other = 0;
	bool found;

	stop = ro_shared(sizeof(*stop));
	ASSERT_NE(NULL, stop);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &other));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT,
				       0, &id[i]));
		ASSERT_EQ(0, ro_watch(fd, id[i], ENDS, 0));
	}
	for (i = 0; i < 2; i++) {
		ASSERT_LE(0, ro_kid_fork(&kid[i]));
		if (!kid[i].pid) {
			int mine = ro_open();

			while (!__atomic_load_n(stop, __ATOMIC_RELAXED))
				ro_bounce(mine, id[i], 1);
			_exit(0);
		}
	}
	for (i = 1; i <= rounds; i++) {
		while (ro_unread(fd) < 16)
			sched_yield();
		/* As soon as there is room for one more, both sides want it. */
		while ((ret = ro_watch(fd, other, BIT_OF(DESTROYED), i))) {
			ASSERT_EQ(-EAGAIN, ret);
			ASSERT_EQ(1, ro_read_events(fd, e, 1));
			refused++;
		}
		for (n = 0, found = false; n < 32 && !found; n++) {
			ASSERT_EQ(1, ro_read_events(fd, e, 1));
			found = e[0].type == REFOBJ_EVENT_SNAPSHOT &&
				e[0].cookie == (__u64)i;
		}
		ASSERT_TRUE(found);
	}
	TH_LOG("refused %d times in %d rounds", refused, rounds);
	__atomic_store_n(stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, ro_kid_reap(&kid[i]));
		EXPECT_EQ(0, ro_destroy(self->look.fd, id[i]));
	}
	close(fd);
	EXPECT_EQ(1, ro_release(self->look.fd, other, 1));
}

/* What nobody has read goes with the session: processes, objects, quota. */
TEST_F(watches, unread_events_go_with_the_session)
{
	struct ro_kid kid;
	__u64 id = 0;
	int i, fd;

	for (i = 0; i < 50; i++) {
		fd = ro_open();
		ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &id));
		ASSERT_EQ(0, ro_watch(fd, id, REFOBJ_WATCH_ALL, 0));
		ASSERT_EQ(0, ro_watch(fd, self->id, REFOBJ_WATCH_ALL, 0));
		ASSERT_EQ(1, ro_holder_start(&kid, self->id, 1));
		ASSERT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
		if (i % 2)
			ASSERT_EQ(1, ro_release(self->look.fd, id, 1));
		ASSERT_LT(5, ro_unread(fd));
		ASSERT_EQ(self->watches + 2, ro_watches_used(fd));
		close(fd);
		ASSERT_EQ(self->watches, ro_watches_used(self->fd));
		if (!(i % 2))
			ASSERT_EQ(1, ro_release(self->look.fd, id, 1));
	}
}

TEST_HARNESS_MAIN
