// SPDX-License-Identifier: GPL-2.0-only
/*
 * librefobj: waiting, reading events, and being called back: in order, once, from
 * any thread, and while callbacks do what they like.
 */
#include <poll.h>
#include <pthread.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"
#include "library.h"

#define MAX_EVENTS	"/sys/module/refobj/parameters/max_events"

FIXTURE(events) {
	struct refobj_session *s;	/* watches */
	struct refobj_session *actor;
	uint64_t id;			/* persistent, idle */
};

FIXTURE_SETUP(events)
{
	struct refobj_attr attr = { .flags = REFOBJ_PERSISTENT };

	if (access(REFOBJ_DEV, F_OK))
		SKIP(return, "no " REFOBJ_DEV ": the module is not loaded");
	ASSERT_EQ(0, refobj_open(&self->s));
	ASSERT_EQ(0, refobj_open(&self->actor));
	ASSERT_EQ(0, refobj_create(self->actor, NULL, &attr, 0, &self->id));
}

FIXTURE_TEARDOWN(events)
{
	refobj_close(self->s);
	refobj_release_all(self->actor, 0);
	refobj_destroy(self->actor, self->id);
	refobj_close(self->actor);
}

/*
 * Waiting
 */

TEST_F(events, deadlines)
{
	uint64_t before = ro_now_ns(), at = refobj_deadline(1000);

	EXPECT_EQ(0, refobj_deadline(0));
	EXPECT_EQ(UINT64_MAX, refobj_deadline(-1));
	EXPECT_LE(before + 1000000000ULL, at);
	EXPECT_GE(ro_now_ns() + 1000000000ULL, at);
	/* too far away to be told in nanoseconds */
	EXPECT_EQ(UINT64_MAX, refobj_deadline(INT64_MAX));
	EXPECT_LT(at, refobj_deadline(86400000LL * 365));
}

/* Its clock is ahead of the host's: who forgot that would wait for a day. */
TEST_F(events, deadlines_in_a_time_namespace)
{
	int fd, status;
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		struct refobj_session *s;

		if (unshare(CLONE_NEWTIME))
			_exit(2);
		fd = open("/proc/self/timens_offsets", O_WRONLY);
		if (write(fd, "monotonic 86400 0", 17) != 17)
			_exit(2);
		close(fd);
		pid = fork();
		if (pid)
			_exit(ro_reap(pid));
		LIB_EXPECT(0, refobj_open(&s));
		LIB_EXPECT(-ETIMEDOUT, refobj_wait(s, self->id, REFOBJ_UNTIL_ACTIVE,
						   refobj_deadline(1)));
		LIB_EXIT();
	}
	status = ro_reap(pid);
	if (status == 2)
		SKIP(return, "no time namespaces");
	EXPECT_EQ(0, status);
}

TEST_F(events, wait_for_each_state)
{
	EXPECT_EQ(0, refobj_wait(self->s, self->id, REFOBJ_UNTIL_IDLE, 0));
	EXPECT_EQ(-ETIMEDOUT, refobj_wait(self->s, self->id, REFOBJ_UNTIL_ACTIVE, 0));
	EXPECT_EQ(-ETIMEDOUT, refobj_wait(self->s, self->id, REFOBJ_UNTIL_READY,
					  refobj_deadline(1)));
	EXPECT_EQ(-ETIMEDOUT, refobj_wait(self->s, self->id, REFOBJ_UNTIL_DEAD, 0));
	ASSERT_EQ(1, refobj_acquire(self->actor, self->id, 3));
	EXPECT_EQ(-ETIMEDOUT, refobj_wait(self->s, self->id, REFOBJ_UNTIL_IDLE, 0));
	EXPECT_EQ(0, refobj_wait(self->s, self->id, REFOBJ_UNTIL_ACTIVE, 0));
	EXPECT_EQ(0, refobj_wait(self->s, self->id, REFOBJ_UNTIL_READY, 0));
	EXPECT_EQ(-ETIMEDOUT, refobj_wait_users(self->s, self->id, 2, 0));
	EXPECT_EQ(0, refobj_wait_users(self->s, self->id, 3, 0));
	EXPECT_EQ(-EINVAL, refobj_wait(self->s, self->id, 99, 0));
	EXPECT_EQ(1, refobj_release(self->actor, self->id, 3));
	EXPECT_EQ(0, refobj_destroy(self->actor, self->id));
	EXPECT_EQ(0, refobj_wait(self->s, self->id, REFOBJ_UNTIL_DEAD, UINT64_MAX));
	EXPECT_EQ(-ESTALE, refobj_wait(self->s, self->id, REFOBJ_UNTIL_READY,
				       UINT64_MAX));
}

TEST_F(events, wait_for_any_and_for_all)
{
	struct refobj_condition c[2] = {
		{ .id = self->id, .until = REFOBJ_UNTIL_ACTIVE },
		{ .until = REFOBJ_UNTIL_ACTIVE },
	};
	uint64_t other;

	ASSERT_EQ(1, refobj_create(self->actor, NULL, NULL, 1, &other));
	c[1].id = other;
	EXPECT_EQ(1, refobj_wait_many(self->s, c, 2, 0, UINT64_MAX));
	EXPECT_EQ(-ETIMEDOUT, refobj_wait_many(self->s, c, 2, REFOBJ_WAIT_ALL, 0));
	ASSERT_EQ(1, refobj_acquire(self->actor, self->id, 1));
	EXPECT_EQ(0, refobj_wait_many(self->s, c, 2, REFOBJ_WAIT_ALL, UINT64_MAX));
	EXPECT_EQ(-EINVAL, refobj_wait_many(self->s, c, 0, 0, 0));
}

/* A wait that another process ends. */
TEST_F(events, wait_for_a_death)
{
	struct ro_kid kid;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		struct refobj_session *s;

		LIB_EXPECT(0, refobj_open(&s));
		LIB_EXPECT(1, refobj_acquire(s, self->id, 1));
		ro_kid_say(&kid, lib_failures);
		ro_kid_hear(&kid);
		LIB_EXIT();
	}
	ASSERT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(-ETIMEDOUT, refobj_wait(self->s, self->id, REFOBJ_UNTIL_IDLE, 0));
	kill(kid.pid, SIGKILL);
	EXPECT_EQ(0, refobj_wait(self->s, self->id, REFOBJ_UNTIL_IDLE, UINT64_MAX));
	EXPECT_EQ(-SIGKILL, ro_kid_reap(&kid));
}

/*
 * Reading
 */

TEST_F(events, words)
{
	EXPECT_STREQ("snapshot", refobj_strevent(REFOBJ_EVENT_SNAPSHOT));
	EXPECT_STREQ("activated", refobj_strevent(REFOBJ_EVENT_ACTIVATED));
	EXPECT_STREQ("ready", refobj_strevent(REFOBJ_EVENT_READY));
	EXPECT_STREQ("count", refobj_strevent(REFOBJ_EVENT_COUNT));
	EXPECT_STREQ("deactivated", refobj_strevent(REFOBJ_EVENT_DEACTIVATED));
	EXPECT_STREQ("holder-died", refobj_strevent(REFOBJ_EVENT_HOLDER_DIED));
	EXPECT_STREQ("builder-changed",
		     refobj_strevent(REFOBJ_EVENT_BUILDER_CHANGED));
	EXPECT_STREQ("destroyed", refobj_strevent(REFOBJ_EVENT_DESTROYED));
	EXPECT_STREQ("lost", refobj_strevent(REFOBJ_EVENT_LOST));
	EXPECT_STREQ("unknown", refobj_strevent(99));
	EXPECT_STREQ("none", refobj_strcause(REFOBJ_CAUSE_NONE));
	EXPECT_STREQ("acquire", refobj_strcause(REFOBJ_CAUSE_ACQUIRE));
	EXPECT_STREQ("release", refobj_strcause(REFOBJ_CAUSE_RELEASE));
	EXPECT_STREQ("close", refobj_strcause(REFOBJ_CAUSE_CLOSE));
	EXPECT_STREQ("exit", refobj_strcause(REFOBJ_CAUSE_EXIT));
	EXPECT_STREQ("object", refobj_strcause(REFOBJ_CAUSE_OBJECT));
	EXPECT_STREQ("linger", refobj_strcause(REFOBJ_CAUSE_LINGER));
	EXPECT_STREQ("destroy", refobj_strcause(REFOBJ_CAUSE_DESTROY));
	EXPECT_STREQ("publish", refobj_strcause(REFOBJ_CAUSE_PUBLISH));
	EXPECT_STREQ("namespace", refobj_strcause(REFOBJ_CAUSE_NAMESPACE));
	EXPECT_STREQ("unknown", refobj_strcause(99));
	EXPECT_STREQ("unknown", refobj_strcause(REFOBJ_CAUSE_SIGNAL));
	EXPECT_STREQ("signal 9", refobj_strcause(REFOBJ_CAUSE_SIGNAL + SIGKILL));
	EXPECT_STREQ("signal 15", refobj_strcause(REFOBJ_CAUSE_SIGNAL + SIGTERM));
}

static bool readable(struct refobj_session *s)
{
	struct pollfd p = { .fd = refobj_fd(s), .events = POLLIN };

	return poll(&p, 1, 0) == 1 && p.revents & POLLIN;
}

TEST_F(events, read)
{
	struct refobj_event e[8];

	errno = EXDEV;
	EXPECT_EQ(0, refobj_read_events(self->s, e, 8));
	EXPECT_EQ(EXDEV, errno);
	EXPECT_EQ(-EINVAL, refobj_read_events(self->s, e, 0));
	EXPECT_EQ(-EINVAL, refobj_watch(self->s, self->id, 0, 7));
	EXPECT_EQ(-EINVAL, refobj_watch(self->s, self->id, 1, 7));
	EXPECT_EQ(-ENOENT, refobj_watch(self->s, ~0ULL, 2, 7));
	EXPECT_EQ(-ENOENT, refobj_unwatch(self->s, self->id));
	EXPECT_FALSE(readable(self->s));
	EXPECT_EQ(0, refobj_watch(self->s, self->id, REFOBJ_WATCH_DEFAULT, 7));
	EXPECT_TRUE(readable(self->s));
	ASSERT_EQ(1, refobj_acquire(self->actor, self->id, 1));
	ASSERT_EQ(1, refobj_read_events(self->s, e, 1));
	EXPECT_EQ(REFOBJ_EVENT_SNAPSHOT, e[0].type);
	EXPECT_EQ(REFOBJ_STATE_IDLE, e[0].state);
	EXPECT_EQ(7, e[0].cookie);
	EXPECT_EQ(self->id, e[0].id);
	ASSERT_EQ(2, refobj_read_events(self->s, e, 8));
	EXPECT_EQ(REFOBJ_EVENT_ACTIVATED, e[0].type);
	EXPECT_EQ(REFOBJ_EVENT_READY, e[1].type);
	EXPECT_EQ(3, e[1].seq);
	EXPECT_FALSE(readable(self->s));
	EXPECT_EQ(0, refobj_unwatch(self->s, self->id));
	EXPECT_EQ(1, refobj_release(self->actor, self->id, 1));
	EXPECT_EQ(0, refobj_read_events(self->s, e, 8));
}

/*
 * Callbacks: each writes a letter, with the number of its object if that has one,
 * and then does what the test wants. Logs outlive the test, as watches do.
 */

struct log {
	char text[4096];
	const char *name;
	void (*then)(struct refobj_session *s, const struct refobj_event *e,
		     struct log *log);
	struct log *main;	/* where it is written */
	uint64_t other;
	uint32_t cause;
	uint32_t count;
	uint32_t pid;
	uint32_t users;
	int ret;
};

static void note(struct log *log, char c)
{
	struct log *main = log->main ? log->main : log;
	size_t len = strlen(main->text);

	snprintf(main->text + len, sizeof(main->text) - len, "%c%s", c,
		 log->name ? log->name : "");
}

#define CALLBACK(function, letter)					\
static void function(struct refobj_session *s,				\
		     const struct refobj_event *e, void *data)		\
{									\
	struct log *log = data;						\
									\
	note(log, letter);						\
	log->cause = e->cause;						\
	log->count = e->count;						\
	log->pid = e->pid;						\
	log->users = e->users;						\
	if (log->then)							\
		log->then(s, e, log);					\
}

CALLBACK(on_snapshot, 'S')
CALLBACK(on_activate, 'A')
CALLBACK(on_ready, 'R')
CALLBACK(on_count, 'C')
CALLBACK(on_deactivate, 'D')
CALLBACK(on_died, 'K')
CALLBACK(on_builder, 'B')
CALLBACK(on_destroyed, 'X')
CALLBACK(on_lost, 'L')

static void on_end(void *data)
{
	note(data, '.');
}

static const struct refobj_callbacks all = {
	on_snapshot, on_activate, on_ready, NULL, on_deactivate, on_died,
	on_builder, on_destroyed, on_lost, on_end,
};

/* What has been written since the last call. */
static const char *said(struct log *log)
{
	static char text[sizeof(log->text)];

	memcpy(text, log->text, sizeof(text));
	log->text[0] = '\0';
	return text;
}

/* S12: subscribe, trigger, message received. */
TEST_F(events, callbacks)
{
	static struct log log = { 0 };

	EXPECT_EQ(0, refobj_dispatch(self->s));
	ASSERT_EQ(0, refobj_watch_callbacks(self->s, self->id, &all, &log));
	EXPECT_STREQ("", said(&log));
	EXPECT_EQ(1, refobj_dispatch(self->s));
	EXPECT_STREQ("S", said(&log));
	ASSERT_EQ(1, refobj_acquire(self->actor, self->id, 1));
	ASSERT_EQ(0, refobj_acquire(self->actor, self->id, 1));
	EXPECT_TRUE(readable(self->s));
	EXPECT_EQ(2, refobj_dispatch(self->s));
	EXPECT_STREQ("AR", said(&log));
	EXPECT_EQ(1, refobj_release(self->actor, self->id, 2));
	EXPECT_EQ(1, refobj_dispatch(self->s));
	EXPECT_STREQ("D", said(&log));
	EXPECT_EQ(REFOBJ_CAUSE_RELEASE, log.cause);
	EXPECT_EQ(getpid(), log.pid);
	EXPECT_EQ(0, refobj_dispatch(self->s));
	ASSERT_EQ(0, refobj_destroy(self->actor, self->id));
	EXPECT_EQ(1, refobj_dispatch(self->s));
	EXPECT_STREQ("X.", said(&log));
	EXPECT_EQ(-ENOENT, refobj_unwatch(self->s, self->id));
	EXPECT_EQ(-ESTALE, refobj_watch_callbacks(self->s, self->id, &all, &log));
	EXPECT_STREQ("", said(&log));
}

/* Only what has a callback is asked for: nothing else fills the queue. */
TEST_F(events, callbacks_that_are_missing)
{
	const struct refobj_callbacks none = { 0 };
	const struct refobj_callbacks some = {
		.on_deactivate = on_deactivate, .on_count = on_count,
	};
	static struct log log = { 0 };

	ASSERT_EQ(0, refobj_watch_callbacks(self->s, self->id, &none, NULL));
	EXPECT_EQ(1, refobj_dispatch(self->s));	/* the snapshot */
	ASSERT_EQ(1, refobj_acquire(self->actor, self->id, 1));
	EXPECT_EQ(1, refobj_release(self->actor, self->id, 1));
	EXPECT_EQ(0, refobj_dispatch(self->s));
	ASSERT_EQ(0, refobj_watch_callbacks(self->s, self->id, &some, &log));
	EXPECT_EQ(1, refobj_dispatch(self->s));
	ASSERT_EQ(1, refobj_acquire(self->actor, self->id, 5));
	EXPECT_EQ(1, refobj_dispatch(self->s));
	EXPECT_STREQ("C", said(&log));
	EXPECT_EQ(5, log.users);
	EXPECT_EQ(1, refobj_release(self->actor, self->id, 5));
	EXPECT_EQ(2, refobj_dispatch(self->s));
	EXPECT_STREQ("CD", said(&log));
}

/* S14: the same with a SIGKILL in place of the release. */
TEST_F(events, callbacks_of_a_death)
{
	static struct log log = { 0 };
	struct ro_kid kid;

	ASSERT_EQ(0, refobj_watch_callbacks(self->s, self->id, &all, &log));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		struct refobj_session *s;

		LIB_EXPECT(0, refobj_open(&s));
		LIB_EXPECT(1, refobj_acquire(s, self->id, 4));
		ro_kid_say(&kid, lib_failures);
		ro_kid_hear(&kid);
		LIB_EXIT();
	}
	ASSERT_EQ(0, ro_kid_hear(&kid));
	ASSERT_EQ(0, refobj_acquire(self->actor, self->id, 1));
	EXPECT_EQ(3, refobj_dispatch(self->s));
	EXPECT_STREQ("SAR", said(&log));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	EXPECT_EQ(1, refobj_dispatch(self->s));
	EXPECT_STREQ("K", said(&log));
	EXPECT_STREQ("signal 9", refobj_strcause(log.cause));
	EXPECT_EQ(4, log.count);
	EXPECT_EQ(1, log.users);
}

TEST_F(events, callbacks_of_a_builder)
{
	struct refobj_attr attr = { .flags = REFOBJ_BUILD };
	static struct log log = { 0 };
	uint64_t id;

	ASSERT_EQ(257, refobj_create(self->actor, NULL, &attr, 1, &id));
	ASSERT_EQ(0, refobj_acquire(self->s, id, 1));
	ASSERT_EQ(0, refobj_watch_callbacks(self->s, id, &all, &log));
	ASSERT_EQ(0, refobj_release(self->actor, id, 1));
	EXPECT_EQ(2, refobj_dispatch(self->s));
	EXPECT_STREQ("SB", said(&log));
	EXPECT_EQ(0, log.pid);
	ASSERT_EQ(256, refobj_acquire_as(self->s, id, 1, REFOBJ_ACQUIRE_BUILD, NULL));
	EXPECT_EQ(1, refobj_dispatch(self->s));
	EXPECT_STREQ("B", said(&log));
	EXPECT_EQ(getpid(), log.pid);
	ASSERT_EQ(0, refobj_publish(self->s, id, -1));
	EXPECT_EQ(1, refobj_dispatch(self->s));
	EXPECT_STREQ("R", said(&log));
	EXPECT_EQ(REFOBJ_CAUSE_PUBLISH, log.cause);
	EXPECT_EQ(1, refobj_release_all(self->s, id));
	EXPECT_EQ(2, refobj_dispatch(self->s));
	EXPECT_STREQ("DX.", said(&log));
}

static void then_unwatch(struct refobj_session *s, const struct refobj_event *e,
			 struct log *log)
{
	log->ret = refobj_unwatch(s, e->id);
	note(log, '|');
}

/* The end comes after the callback that made it, and nothing comes after that. */
TEST_F(events, callback_ends_its_own_watch)
{
	static struct log log = { .then = then_unwatch, .ret = 1 };

	ASSERT_EQ(0, refobj_watch_callbacks(self->s, self->id, &all, &log));
	ASSERT_EQ(1, refobj_acquire(self->actor, self->id, 1));
	EXPECT_EQ(3, refobj_dispatch(self->s));
	EXPECT_STREQ("S|.", said(&log));
	EXPECT_EQ(0, log.ret);
	EXPECT_EQ(-ENOENT, refobj_unwatch(self->s, self->id));
}

static void then_unwatch_other(struct refobj_session *s,
			       const struct refobj_event *e, struct log *log)
{
	if (e->type == REFOBJ_EVENT_ACTIVATED)
		log->ret = refobj_unwatch(s, log->other);
}

/* Also when the end of the object has been read, and its callback not run. */
TEST_F(events, callback_ends_another_watch)
{
	static struct log log = { .name = "1", .then = then_unwatch_other, .ret = 1 };
	static struct log other = { .name = "2", .main = &log };
	uint64_t id;

	ASSERT_EQ(1, refobj_create(self->actor, NULL, NULL, 1, &id));
	log.other = id;
	ASSERT_EQ(0, refobj_watch_callbacks(self->s, self->id, &all, &log));
	ASSERT_EQ(0, refobj_watch_callbacks(self->s, id, &all, &other));
	EXPECT_EQ(2, refobj_dispatch(self->s));
	EXPECT_STREQ("S1S2", said(&log));
	ASSERT_EQ(1, refobj_acquire(self->actor, self->id, 1));
	ASSERT_EQ(1, refobj_release(self->actor, id, 1));
	EXPECT_EQ(4, refobj_dispatch(self->s));
	EXPECT_STREQ("A1.2R1", said(&log));
	EXPECT_EQ(0, log.ret);
	EXPECT_EQ(-ENOENT, refobj_unwatch(self->s, id));
}

static void then_dispatch(struct refobj_session *s, const struct refobj_event *e,
			  struct log *log)
{
	int n;

	note(log, '(');
	n = refobj_dispatch(s);
	log->ret += n;
	note(log, ')');
}

/* What came later is handled inside, and nothing twice. */
TEST_F(events, callback_dispatches)
{
	static struct log log = { .then = then_dispatch };

	ASSERT_EQ(0, refobj_watch_callbacks(self->s, self->id, &all, &log));
	ASSERT_EQ(1, refobj_acquire(self->actor, self->id, 1));
	ASSERT_EQ(1, refobj_release(self->actor, self->id, 1));
	EXPECT_EQ(1, refobj_dispatch(self->s));
	EXPECT_STREQ("S(A(R(D())))", said(&log));
	EXPECT_EQ(3, log.ret);
}

static void then_use(struct refobj_session *s, const struct refobj_event *e,
		     struct log *log)
{
	if (e->type == REFOBJ_EVENT_SNAPSHOT)
		log->ret = refobj_acquire(s, e->id, 1);
	if (e->type == REFOBJ_EVENT_READY)
		log->ret += refobj_release(s, e->id, 1);
	if (e->type == REFOBJ_EVENT_DEACTIVATED)
		log->ret += refobj_wait(s, e->id, REFOBJ_UNTIL_IDLE, UINT64_MAX);
}

/* Its own doings are told to it in the same call. */
TEST_F(events, callback_acquires_and_releases)
{
	static struct log log = { .then = then_use };

	ASSERT_EQ(0, refobj_watch_callbacks(self->s, self->id, &all, &log));
	EXPECT_EQ(4, refobj_dispatch(self->s));
	EXPECT_STREQ("SARD", said(&log));
	EXPECT_EQ(2, log.ret);
}

static void then_watch_again(struct refobj_session *s,
			     const struct refobj_event *e, struct log *log)
{
	static struct log next;

	log->then = NULL;
	next = (struct log) { .name = "2", .main = log };
	log->ret = refobj_watch_callbacks(s, e->id, &all, &next);
	note(log, '|');
}

/* The old watch ends, with what was in the queue for it. */
TEST_F(events, callback_watches_again)
{
	static struct log log = { .name = "1", .then = then_watch_again, .ret = 1 };

	ASSERT_EQ(0, refobj_watch_callbacks(self->s, self->id, &all, &log));
	ASSERT_EQ(1, refobj_acquire(self->actor, self->id, 1));
	EXPECT_EQ(4, refobj_dispatch(self->s));
	EXPECT_EQ(0, log.ret);
	EXPECT_STREQ("S1|1.1S2", said(&log));
	ASSERT_EQ(1, refobj_release(self->actor, self->id, 1));
	EXPECT_EQ(1, refobj_dispatch(self->s));
	EXPECT_STREQ("D2", said(&log));
	EXPECT_EQ(0, refobj_unwatch(self->s, self->id));
	EXPECT_STREQ(".2", said(&log));
}

/* A plain watch takes the place of one with callbacks, and the other way. */
TEST_F(events, callbacks_and_plain_watches)
{
	struct refobj_event e[4];
	static struct log log = { 0 };

	ASSERT_EQ(0, refobj_watch(self->s, self->id, REFOBJ_WATCH_DEFAULT, 1));
	ASSERT_EQ(0, refobj_watch_callbacks(self->s, self->id, &all, &log));
	/* the first one's cookie is that of no watch, though it is the same */
	EXPECT_EQ(2, refobj_dispatch(self->s));
	EXPECT_STREQ("SS", said(&log));
	ASSERT_EQ(0, refobj_watch(self->s, self->id, REFOBJ_WATCH_DEFAULT, 1));
	EXPECT_STREQ(".", said(&log));
	EXPECT_EQ(1, refobj_dispatch(self->s));
	EXPECT_STREQ("", said(&log));
	ASSERT_EQ(1, refobj_acquire(self->actor, self->id, 1));
	EXPECT_EQ(2, refobj_read_events(self->s, e, 4));
}

TEST_F(events, callbacks_of_many_objects)
{
	const unsigned int n = 200;
	static struct log log = { .name = "" };
	struct refobj_callbacks few = {
		.on_destroyed = on_destroyed, .on_end = on_end,
	};
	uint64_t ids[n];
	unsigned int i;

	for (i = 0; i < n; i++) {
		ASSERT_EQ(1, refobj_create(self->actor, NULL, NULL, 1, &ids[i]));
		ASSERT_EQ(0, refobj_watch_callbacks(self->s, ids[i], &few, &log));
	}
	EXPECT_EQ(n, refobj_dispatch(self->s));
	EXPECT_STREQ("", said(&log));
	for (i = 0; i < n; i += 2)
		EXPECT_EQ(0, refobj_unwatch(self->s, ids[i]));
	EXPECT_EQ(n / 2, strlen(said(&log)));
	EXPECT_EQ(n, refobj_release_all(self->actor, 0));
	EXPECT_EQ(n / 2, refobj_dispatch(self->s));
	EXPECT_EQ(n, strlen(said(&log)));
}

static int occurrences(const char *text, const char *what)
{
	int n = 0;

	while ((text = strstr(text, what))) {
		text++;
		n++;
	}
	return n;
}

static void then_resync(struct refobj_session *s, const struct refobj_event *e,
			struct log *log)
{
	if (e->type == REFOBJ_EVENT_LOST)
		log->ret = refobj_watch_callbacks(s, log->other, &all, log);
}

/* All watches are told of a loss, once; each may watch anew to know its state. */
TEST_F(events, callbacks_of_a_loss)
{
	static struct log log = { .name = "1", .then = then_resync, .ret = 1 };
	static struct log other = { .name = "2", .main = &log };
	struct refobj_session *s;
	const char *told;
	char text[32];
	uint64_t id;
	int i, fd;

	fd = open(MAX_EVENTS, O_RDWR | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text)) < 1 ||
	    pwrite(fd, "16", 2, 0) != 2)
		SKIP(return, "no " MAX_EVENTS);
	ASSERT_EQ(0, refobj_open(&s));
	log.other = self->id;
	ASSERT_EQ(1, refobj_create(self->actor, NULL, NULL, 1, &id));
	ASSERT_EQ(0, refobj_watch_callbacks(s, self->id, &all, &log));
	EXPECT_LT(0, pwrite(fd, text, strcspn(text, "\n"), 0));
	close(fd);
	ASSERT_EQ(0, refobj_watch_callbacks(s, id, &all, &other));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(1, refobj_acquire(self->actor, self->id, 1));
		ASSERT_EQ(1, refobj_release(self->actor, self->id, 1));
	}
	/* the queue, what tells of the loss, and the new snapshot */
	EXPECT_EQ(16 + 1 + 1, refobj_dispatch(s));
	EXPECT_EQ(0, log.ret);
	told = said(&log);
	EXPECT_EQ(1, occurrences(told, "L1"));
	EXPECT_EQ(1, occurrences(told, "L2"));
	EXPECT_EQ(1, occurrences(told, ".1"));
	EXPECT_LT(strstr(told, "L1"), strstr(told, ".1"));
	EXPECT_STREQ("S1", told + strlen(told) - 2);
	EXPECT_EQ(2 * 20 + 20 + 2 - 16, other.count);
	ASSERT_EQ(1, refobj_acquire(self->actor, self->id, 1));
	EXPECT_EQ(2, refobj_dispatch(s));
	EXPECT_STREQ("A1R1", said(&log));
	refobj_close(s);
}

TEST_F(events, close_ends_the_watches)
{
	static struct log log = { 0 };
	struct refobj_session *s;

	ASSERT_EQ(0, refobj_open(&s));
	ASSERT_EQ(0, refobj_watch_callbacks(s, self->id, &all, &log));
	refobj_close(s);
	EXPECT_STREQ(".", said(&log));
}

/* A child frees its copy and calls nobody; one that adopts goes on with them. */
TEST_F(events, callbacks_and_fork)
{
	static struct log log = { 0 };
	struct ro_kid kid;

	ASSERT_EQ(0, refobj_watch_callbacks(self->s, self->id, &all, &log));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		refobj_close(self->s);
		LIB_EXPECT(0, strlen(said(&log)));
		LIB_EXIT();
	}
	ASSERT_EQ(0, ro_kid_reap(&kid));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		LIB_EXPECT(0, refobj_adopt(self->s, 0));
		ro_kid_hear(&kid);
		LIB_EXPECT(3, refobj_dispatch(self->s));
		LIB_EXPECT(0, strcmp("SAR", said(&log)));
		refobj_close(self->s);
		LIB_EXPECT(0, strcmp(".", said(&log)));
		LIB_EXIT();
	}
	ASSERT_EQ(1, refobj_acquire(self->actor, self->id, 1));
	ro_kid_say(&kid, 0);
	ASSERT_EQ(0, ro_kid_reap(&kid));
	EXPECT_EQ(-EOWNERDEAD, refobj_dispatch(self->s));
}

struct race {
	struct refobj_session *s;
	uint64_t last;		/* number of the event that came last */
	unsigned int inside;
	unsigned int wrong;
	unsigned int events;
	bool stop;
};

static void in_order(struct refobj_session *s, const struct refobj_event *e,
		     void *data)
{
	struct race *r = data;

	(void)s;
	if (__atomic_fetch_add(&r->inside, 1, __ATOMIC_RELAXED) ||
	    e->seq <= r->last)
		r->wrong++;
	r->last = e->seq;
	r->events++;
	__atomic_fetch_sub(&r->inside, 1, __ATOMIC_RELAXED);
}

static void *dispatch_until_stop(void *arg)
{
	struct race *r = arg;

	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		if (refobj_dispatch(r->s) < 0)
			__atomic_fetch_add(&r->wrong, 1, __ATOMIC_RELAXED);
		/* whoever wakes up for the session's lock finds it free */
		sched_yield();
	}
	return NULL;
}

/* Many threads dispatch: each event once, in order, one callback at a time. */
TEST_F(events, threads_dispatch)
{
	const struct refobj_callbacks callbacks = {
		.on_activate = in_order, .on_deactivate = in_order,
	};
	struct race r = { .s = self->s };
	pthread_t thread[3];
	struct pollfd p;
	int i;

	ASSERT_EQ(0, refobj_watch_callbacks(self->s, self->id, &callbacks, &r));
	p = (struct pollfd) { .fd = refobj_fd(self->s), .events = POLLIN };
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL,
					    dispatch_until_stop, &r));
	for (i = 0; i < 2000; i++) {
		ASSERT_EQ(1, refobj_acquire(self->actor, self->id, 1));
		ASSERT_EQ(1, refobj_release(self->actor, self->id, 1));
		/* so that none is lost; the readers are never asleep */
		while (i % 100 == 99 && poll(&p, 1, 0))
			sched_yield();
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELEASE);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
	refobj_dispatch(self->s);
	EXPECT_EQ(4000, r.events);
	EXPECT_EQ(0, r.wrong);
}

static void nothing(struct refobj_session *s, const struct refobj_event *e,
		    void *data)
{
}

static void count_end(void *data)
{
	__atomic_fetch_add((unsigned int *)data, 1, __ATOMIC_RELAXED);
}

static const struct refobj_callbacks counted = {
	.on_activate = nothing, .on_end = count_end,
};

struct watcher {
	struct refobj_session *s;
	uint64_t id;
	unsigned int began;
	unsigned int ended;
	unsigned int wrong;
	bool stop;
};

static void watch_and_unwatch(struct watcher *w, uint64_t id)
{
	int ret = refobj_watch_callbacks(w->s, id, &counted, &w->ended);

	/* the queue may be full */
	w->began += !ret;
	w->wrong += ret && ret != -EAGAIN;
	ret = refobj_unwatch(w->s, id);
	w->wrong += ret && ret != -ENOENT;
}

static void *watch_until_stop(void *arg)
{
	struct watcher *w = arg;

	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		watch_and_unwatch(w, w->id);
		sched_yield();
	}
	return NULL;
}

/* Watches come and go while others are called back; each ends once. */
TEST_F(events, threads_watch_and_dispatch)
{
	struct watcher watcher = { .s = self->s, .id = self->id };
	struct race dispatcher = { .s = self->s };
	static unsigned int ended;
	unsigned int began = 0, i;
	pthread_t thread[2];
	uint64_t id;

	ASSERT_EQ(0, pthread_create(&thread[0], NULL, watch_until_stop, &watcher));
	ASSERT_EQ(0, pthread_create(&thread[1], NULL, dispatch_until_stop,
				    &dispatcher));
	for (i = 0; i < 1000 / ro_slow(); i++) {
		ASSERT_EQ(1, refobj_create(self->actor, NULL, NULL, 1, &id));
		began += !refobj_watch_callbacks(self->s, id, &counted, &ended);
		ASSERT_EQ(1, refobj_release(self->actor, id, 1));
		/* ended by this, or by what the dispatcher has read */
		refobj_unwatch(self->s, id);
	}
	__atomic_store_n(&watcher.stop, true, __ATOMIC_RELEASE);
	__atomic_store_n(&dispatcher.stop, true, __ATOMIC_RELEASE);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
	EXPECT_EQ(0, watcher.wrong);
	EXPECT_EQ(0, dispatcher.wrong);
	EXPECT_LT(0, began);
	EXPECT_EQ(began, ended);
	EXPECT_EQ(watcher.began, watcher.ended);
}

TEST_HARNESS_MAIN
