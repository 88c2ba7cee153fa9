// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scenarios of SEEDS.md that are about counts, events and waits, with real
 * processes: S1 to S4, S6, S7, S12, each with releases and, as S14, with SIGKILL in
 * their place; and the field cases F2, F4, F6, F8. (F1 is in builders.c.)
 *
 * They are ordered by what the kernel tells: by events, by what a call returns, by
 * the end of a process.
 */
#define _GNU_SOURCE
#include <sys/stat.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define PATIENCE	120
#define BIT_OF(type)	REFOBJ_WATCH(REFOBJ_EVENT_##type)

/* START and STOP of the producer, and the count of consumers. */
#define MASK		(BIT_OF(ACTIVATED) | BIT_OF(COUNT) | BIT_OF(DEACTIVATED))

FIXTURE(seeds) {
	struct ro_look look;
	int fd;		/* whose session is told */
	__u64 id;	/* persistent, idle */
};

FIXTURE_VARIANT(seeds) {
	int signal;		/* how consumers go: killed, or by a release */
	const char *cause;
};

FIXTURE_VARIANT_ADD(seeds, released) {
	.cause = "release",
};

FIXTURE_VARIANT_ADD(seeds, s14_killed) {
	.signal = SIGKILL, .cause = "signal-9",
};

FIXTURE_SETUP(seeds)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	self->fd = ro_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ro_create(self->look.fd, "producer", REFOBJ_PERSISTENT, 0,
			       &self->id));
	ASSERT_EQ(0, ro_watch(self->fd, self->id, MASK, 0));
	ASSERT_STREQ("snapshot none idle 0", ro_told(self->fd));
}

FIXTURE_TEARDOWN(seeds)
{
	close(self->fd);
	EXPECT_EQ(0, ro_destroy(self->look.fd, self->id));
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

/* A consumer goes, as the variant has it; true if it went like that. */
static bool gone(struct ro_kid *kid, int signal)
{
	if (signal)
		return ro_kid_kill(kid, signal) == -signal;
	return ro_holder_do(kid, 1) >= 0 && !ro_kid_end(kid);
}

/* What is told: text with the cause in place of each %s, in this order. */
#define EXPECT_TOLD(format, ...) do { \
	char text_[256]; \
	snprintf(text_, sizeof(text_), format, ##__VA_ARGS__); \
	EXPECT_STREQ(text_, ro_told(self->fd)); \
} while (0)

/* Users, starts and stops. */
#define EXPECT_SEEN(_users, _starts, _stops) do { \
	struct refobj_stat st_; \
	EXPECT_EQ(0, ro_stat(self->look.fd, self->id, &st_)); \
	EXPECT_EQ((__u32)(_users), st_.users); \
	EXPECT_EQ((__u64)(_starts), st_.activations); \
	EXPECT_EQ((__u64)(_stops), st_.deactivations); \
} while (0)

TEST_F(seeds, s1_one_consumer)
{
	const char *cause = variant->cause;
	struct ro_kid kid;

	EXPECT_SEEN(0, 0, 0);
	EXPECT_EQ(1, ro_holder_start(&kid, self->id, 1));
	EXPECT_TOLD("activated acquire ready 1; count acquire ready 1");
	EXPECT_SEEN(1, 1, 0);
	EXPECT_TRUE(gone(&kid, variant->signal));
	EXPECT_TOLD("count %s idle 0; deactivated %s idle 0", cause, cause);
	EXPECT_SEEN(0, 1, 1);
}

TEST_F(seeds, s2_two_consumers)
{
	const char *cause = variant->cause;
	struct ro_kid one, two;

	EXPECT_EQ(1, ro_holder_start(&one, self->id, 1));
	EXPECT_TOLD("activated acquire ready 1; count acquire ready 1");
	EXPECT_EQ(0, ro_holder_start(&two, self->id, 1));
	EXPECT_TOLD("count acquire ready 2");
	EXPECT_SEEN(2, 1, 0);
	EXPECT_TRUE(gone(&one, variant->signal));
	EXPECT_TOLD("count %s ready 1", cause);
	EXPECT_TRUE(gone(&two, variant->signal));
	EXPECT_TOLD("count %s idle 0; deactivated %s idle 0", cause, cause);
	EXPECT_SEEN(0, 1, 1);
}

/* One worker for each consumer that is counted. */
TEST_F(seeds, s3_pool)
{
	const char *cause = variant->cause;
	struct ro_kid kid[8];
	int i;

	for (i = 1; i <= 8; i++) {
		EXPECT_EQ(i == 1, ro_holder_start(&kid[i - 1], self->id, 1));
		EXPECT_TOLD("%scount acquire ready %d",
			    i == 1 ? "activated acquire ready 1; " : "", i);
		EXPECT_SEEN(i, 1, 0);
	}
	for (i = 7; i > 0; i--) {
		EXPECT_TRUE(gone(&kid[i], variant->signal));
		EXPECT_TOLD("count %s ready %d", cause, i);
	}
	EXPECT_TRUE(gone(&kid[0], variant->signal));
	EXPECT_TOLD("count %s idle 0; deactivated %s idle 0", cause, cause);
	EXPECT_SEEN(0, 1, 1);
}

/* A camera that converts only while somebody needs that. */
TEST_F(seeds, s4_instance_manager)
{
	const char *cause = variant->cause;
	struct ro_kid plain[2], kid[3];
	int i;

	/* They use the camera, and need no conversion. */
	for (i = 0; i < 2; i++) {
		ASSERT_LE(0, ro_kid_fork(&plain[i]));
		if (!plain[i].pid) {
			ro_kid_say(&plain[i], ro_lookup(ro_open(), "producer",
							NULL));
			ro_kid_await(&plain[i]);
			_exit(0);
		}
		EXPECT_EQ(0, ro_kid_hear(&plain[i]));
	}
	EXPECT_STREQ("", ro_told(self->fd));
	EXPECT_SEEN(0, 0, 0);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(!i, ro_holder_start(&kid[i], self->id, 1));
	EXPECT_TOLD("activated acquire ready 1; count acquire ready 2");
	EXPECT_SEEN(2, 1, 0);
	EXPECT_TRUE(gone(&kid[0], variant->signal));
	EXPECT_TOLD("count %s ready 1", cause);
	EXPECT_TRUE(gone(&kid[1], variant->signal));
	EXPECT_TOLD("count %s idle 0; deactivated %s idle 0", cause, cause);
	EXPECT_SEEN(0, 1, 1);
	EXPECT_EQ(1, ro_holder_start(&kid[2], self->id, 1));
	EXPECT_TOLD("activated acquire ready 1; count acquire ready 1");
	EXPECT_SEEN(1, 2, 1);
	EXPECT_TRUE(gone(&kid[2], variant->signal));
	EXPECT_TOLD("count %s idle 0; deactivated %s idle 0", cause, cause);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, ro_kid_end(&plain[i]));
	EXPECT_STREQ("", ro_told(self->fd));
}

/* A second release is refused, and changes nothing; nor does its caller's end. */
TEST_F(seeds, s6_underflow)
{
	struct ro_kid kid;

	EXPECT_EQ(1, ro_holder_start(&kid, self->id, 1));
	EXPECT_EQ(1, ro_holder_do(&kid, 1));
	/* The counts are one record, as nobody has read the first. */
	EXPECT_TOLD("activated acquire ready 1; count release idle 0; "
		    "deactivated release idle 0");
	EXPECT_EQ(-ERANGE, ro_holder_do(&kid, 1));
	EXPECT_EQ(-ERANGE, ro_holder_do(&kid, 65536));
	EXPECT_SEEN(0, 1, 1);
	EXPECT_EQ(-variant->signal, variant->signal ?
				    ro_kid_kill(&kid, variant->signal) :
				    ro_kid_end(&kid));
	EXPECT_SEEN(0, 1, 1);
	EXPECT_STREQ("", ro_told(self->fd));
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
}

TEST_F(seeds, s7_overflow)
{
	const char *cause = variant->cause;
	struct ro_kid kid;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd = ro_open(), i, ret = 0;

		for (i = 0; ret >= 0; i++)
			ret = ro_acquire(fd, self->id, REFOBJ_COUNT_MAX, 0);
		ro_kid_say(&kid, i - 1);
		ro_kid_say(&kid, ret);
		ro_kid_await(&kid);
		ro_kid_say(&kid, ro_release_all(fd, 0));
		ro_kid_await(&kid);
		_exit(0);
	}
	EXPECT_EQ(REFOBJ_USERS_MAX / REFOBJ_COUNT_MAX, ro_kid_hear(&kid));
	EXPECT_EQ(-EOVERFLOW, ro_kid_hear(&kid));
	EXPECT_TOLD("activated acquire ready 65536; count acquire ready 536870912");
	EXPECT_EQ(-EOVERFLOW, ro_acquire(self->look.fd, self->id, 1, 0));
	EXPECT_EQ(-EOVERFLOW, ro_acquire(self->look.fd, self->id, 65536, 0));
	EXPECT_SEEN(REFOBJ_USERS_MAX, 1, 0);
	EXPECT_STREQ("", ro_told(self->fd));
	if (variant->signal) {
		EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	} else {
		ro_kid_say(&kid, 1);
		EXPECT_EQ(1, ro_kid_hear(&kid));
		EXPECT_EQ(0, ro_kid_end(&kid));
	}
	EXPECT_TOLD("count %s idle 0; deactivated %s idle 0", cause, cause);
	EXPECT_SEEN(0, 1, 1);
}

/* Subscribe, trigger, and the message is received: by a process that waits for it. */
TEST_F(seeds, s12_callback)
{
	struct ro_kid subscriber, kid;
	struct refobj_event e;

	ASSERT_LE(0, ro_kid_fork(&subscriber));
	if (!subscriber.pid) {
		struct pollfd p = { .fd = ro_open(), .events = POLLIN };
		__u64 id = 0;

		ro_lookup(p.fd, "producer", &id);
		ro_watch(p.fd, id, BIT_OF(ACTIVATED) | BIT_OF(DEACTIVATED),
			 0xca11bac);
		while (poll(&p, 1, -1) == 1 &&
		       ro_read_events(p.fd, &e, 1) == 1 && e.cookie == 0xca11bac)
			ro_kid_say(&subscriber, (__u64)e.type << 32 | e.cause);
		_exit(1);
	}
	EXPECT_EQ(0, ro_kid_hear(&subscriber));
	EXPECT_TRUE(ro_kid_sleeps(&subscriber));
	EXPECT_EQ(1, ro_holder_start(&kid, self->id, 1));
	EXPECT_EQ((__s64)REFOBJ_EVENT_ACTIVATED << 32 | REFOBJ_CAUSE_ACQUIRE,
		  ro_kid_hear(&subscriber));
	EXPECT_TRUE(ro_kid_sleeps(&subscriber));
	EXPECT_TRUE(gone(&kid, variant->signal));
	EXPECT_EQ((__s64)REFOBJ_EVENT_DEACTIVATED << 32 |
		  (variant->signal ? REFOBJ_CAUSE_SIGNAL + SIGKILL :
				     REFOBJ_CAUSE_RELEASE),
		  ro_kid_hear(&subscriber));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&subscriber, SIGKILL));
}

/*
 * Field cases
 */
FIXTURE(field) {
	struct ro_look look;
	int fd;		/* whose session is told */
};

FIXTURE_SETUP(field)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	self->fd = ro_open();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(field)
{
	close(self->fd);
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

static __u64 bytes_used(int fd)
{
	struct refobj_info info = { .size = sizeof(info) };

	return ro_ioctl(fd, REFOBJ_IOC_INFO, &info) ? ~0ULL : info.bytes_used;
}

/* A worker that holds an object with all that an object can protect. */
static void work(struct ro_kid *kid, const char *file)
{
	static char value[REFOBJ_VALUE_MAX];
	struct refobj_payload p = { .size = sizeof(p) };
	struct refobj_value v = {
		.size = sizeof(v), .data = (uintptr_t)value,
		.length = sizeof(value),
	};
	int fd;

	if (ro_kid_fork(kid))
		return;
	fd = ro_open();
	if (ro_create(fd, "worker", 0, 3, &v.id) != 1 ||
	    ro_create(fd, NULL, 0, 2, NULL) != 1)
		_exit(90);
	p.id = v.id;
	p.fd = open(file, O_RDWR | O_CLOEXEC);
	ro_kid_say(kid, ro_ioctl(fd, REFOBJ_IOC_SET_PAYLOAD, &p));
	ro_kid_say(kid, ro_ioctl(fd, REFOBJ_IOC_SET_VALUE, &v));
	/* The object alone has the file. */
	close(p.fd);
	ro_kid_say(kid, 1);
	pause();
	_exit(0);
}

/*
 * Killed in a loop, and each time all is as before: objects, references, bytes, and
 * the file that was the payload, which nobody has open any more, as its lease says.
 */
TEST_F_TIMEOUT(field, f2_a_worker_is_killed_again_and_again, PATIENCE)
{
	char file[] = "/dev/shm/refobj-f2-XXXXXX";
	int i, n = ro_times(1000), fd;
	struct ro_kid kid;
	__u64 bytes;

	fd = mkstemp(file);
	ASSERT_LE(0, fd);
	close(fd);
	bytes = bytes_used(self->look.fd);
	for (i = 0; i < n; i++) {
		struct ro_counts now;

		work(&kid, file);
		ASSERT_EQ(0, ro_kid_hear(&kid));
		ASSERT_EQ(0, ro_kid_hear(&kid));
		ASSERT_EQ(1, ro_kid_hear(&kid));
		ASSERT_EQ(bytes + REFOBJ_VALUE_MAX + strlen("worker"),
			  bytes_used(self->look.fd));
		fd = open(file, O_RDWR | O_CLOEXEC);
		if (!i) {
			EXPECT_EQ(-1, fcntl(fd, F_SETLEASE, F_WRLCK));
			EXPECT_EQ(EAGAIN, errno);
		}
		ASSERT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
		ASSERT_EQ(0, fcntl(fd, F_SETLEASE, F_WRLCK));
		close(fd);
		ASSERT_EQ(bytes, bytes_used(self->look.fd));
		ASSERT_EQ(0, ro_counts_read(&now));
		ASSERT_EQ(ro_counts_of(&self->look.before, "objects"),
			  ro_counts_of(&now, "objects"));
		ASSERT_EQ(ro_counts_of(&self->look.before, "references"),
			  ro_counts_of(&now, "references"));
		ASSERT_EQ(-ENOENT, ro_lookup(self->look.fd, "worker", NULL));
	}
	EXPECT_EQ(5 * n, ro_look_dropped(&self->look, "dropped_signal_9"));
	EXPECT_EQ(0, unlink(file));
}

/* The daemon that made the objects dies; its helpers, and the events, go on. */
TEST_F(field, f4_the_daemon_dies)
{
	struct ro_kid daemon, helper[2];
	__u64 id[2];
	int i;

	ASSERT_LE(0, ro_kid_fork(&daemon));
	if (!daemon.pid) {
		int fd = ro_open();

		ro_create(fd, "helped", 0, 1, &id[0]);
		ro_create(fd, NULL, REFOBJ_PERSISTENT, 1, &id[1]);
		ro_kid_say(&daemon, id[0]);
		ro_kid_say(&daemon, id[1]);
		pause();
		_exit(0);
	}
	for (i = 0; i < 2; i++) {
		id[i] = ro_kid_hear(&daemon);
		ASSERT_EQ(0, ro_watch(self->fd, id[i], REFOBJ_WATCH_DEFAULT, i));
		EXPECT_EQ(0, ro_holder_start(&helper[i], id[i], 2));
	}
	EXPECT_STREQ("snapshot none ready 1; snapshot none ready 1",
		     ro_told(self->fd));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&daemon, SIGKILL));
	EXPECT_STREQ("died signal-9 ready 2 x1; died signal-9 ready 2 x1",
		     ro_told(self->fd));

	EXPECT_EQ(0, ro_lookup(self->look.fd, "helped", NULL));
	EXPECT_EQ(0, ro_holder_do(&helper[0], 1));
	EXPECT_EQ(1, ro_users(self->look.fd, id[0]));
	EXPECT_EQ(1, ro_holder_do(&helper[0], 1));
	EXPECT_STREQ("deactivated release idle 0; destroyed release dead 0",
		     ro_told(self->fd));
	EXPECT_EQ(-ENOENT, ro_lookup(self->look.fd, "helped", NULL));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&helper[1], SIGKILL));
	EXPECT_STREQ("died signal-9 ready 0 x2; deactivated signal-9 idle 0",
		     ro_told(self->fd));
	EXPECT_EQ(1, ro_acquire(self->look.fd, id[1], 1, 0));
	EXPECT_EQ(1, ro_release(self->look.fd, id[1], 1));
	EXPECT_STREQ("activated acquire ready 1; ready acquire ready 1; "
		     "deactivated release idle 0", ro_told(self->fd));
	EXPECT_EQ(0, ro_destroy(self->look.fd, id[1]));
	EXPECT_EQ(0, ro_kid_end(&helper[0]));
}

/*
 * F6: somebody subscribes while an object comes and goes
 */
#define CHURNERS	4
#define LATE		6
#define ROOM		65536

struct story {
	struct refobj_event *e;
	int n;
	int fd;
};

static bool story_open(struct story *s, __u64 id)
{
	s->e = malloc(ROOM * sizeof(*s->e));
	s->n = 0;
	s->fd = ro_open_with_room(ROOM, id, BIT_OF(READY) | MASK);
	return s->e && s->fd >= 0;
}

static void story_read(struct story *s)
{
	int n;

	while (ro_unread(s->fd) > 0 && s->n < ROOM) {
		n = ro_read_events(s->fd, s->e + s->n, ROOM - s->n);
		if (n <= 0)
			break;
		s->n += n;
	}
}

/* What is wrong with a story, or NULL: it can be retold as the life of an object. */
static const char *story_fault(const struct story *s,
			       const struct refobj_stat *end)
{
	const struct refobj_event *e = s->e, *last = NULL;
	bool active, ending = false;
	__u32 users;
	int i;

	if (s->n < 1 || e->type != REFOBJ_EVENT_SNAPSHOT)
		return "no snapshot at the start";
	active = e->state == REFOBJ_STATE_READY;
	users = e->users;
	for (i = 1; i < s->n; i++) {
		last = e++;
		if (e->seq != last->seq + 1)
			return "a gap in the sequence of the session";
		if (e->object_seq <= last->object_seq)
			return "the sequence of the object does not grow";
		if (e->time_ns < last->time_ns)
			return "time runs backwards";
		switch (e->type) {
		case REFOBJ_EVENT_ACTIVATED:
			if (active)
				return "activated twice";
			active = true;
			break;
		case REFOBJ_EVENT_READY:
			if (last->type != REFOBJ_EVENT_ACTIVATED ||
			    e->object_seq != last->object_seq + 1)
				return "ready without being activated";
			break;
		case REFOBJ_EVENT_DEACTIVATED:
			if (!active)
				return "deactivated twice";
			active = false;
			break;
		case REFOBJ_EVENT_COUNT:
			users = e->users;
			break;
		default:
			return "an event that nobody asked for";
		}
		/* The last count comes right before what it leads to. */
		if (ending && e->type != REFOBJ_EVENT_DEACTIVATED)
			return "no end after the last user";
		ending = e->type == REFOBJ_EVENT_COUNT && !users;
		if (e->state != (active && !ending ? REFOBJ_STATE_READY :
						     REFOBJ_STATE_IDLE))
			return "another state than what was told";
	}
	if (s->e[s->n - 1].state != end->state || users != end->users)
		return "another end than what there is";
	return NULL;
}

/* Is @late what @whole tells after the snapshot of @late? Counts may be merged. */
static const char *story_differs(const struct story *whole,
				 const struct story *late)
{
	int i = 1, j = 1;

	while (i < whole->n &&
	       whole->e[i].object_seq <= late->e[0].object_seq)
		i++;
	for (;; i++, j++) {
		while (i < whole->n && whole->e[i].type == REFOBJ_EVENT_COUNT)
			i++;
		while (j < late->n && late->e[j].type == REFOBJ_EVENT_COUNT)
			j++;
		if (i == whole->n || j == late->n)
			break;
		if (whole->e[i].object_seq < late->e[j].object_seq)
			return "one was missed";
		if (whole->e[i].object_seq > late->e[j].object_seq ||
		    whole->e[i].type != late->e[j].type ||
		    whole->e[i].time_ns != late->e[j].time_ns)
			return "one was doubled or changed";
	}
	return i == whole->n && j == late->n ? NULL : "not the same end";
}

static void churn(struct ro_kid *kid, __u64 id, const int *stop)
{
	unsigned int seed;
	int fd;

	if (ro_kid_fork(kid))
		return;
	seed = getpid();
	fd = ro_open();
	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		ro_acquire(fd, id, 1 + rand_r(&seed) % 3, 0);
		if (rand_r(&seed) % 2) {
			/* Without the object's lock. */
			ro_acquire(fd, id, 1, 0);
			ro_release(fd, id, 1);
		}
		if (rand_r(&seed) % 16 == 0) {
			close(fd);
			fd = ro_open();
		} else {
			ro_release_all(fd, id);
		}
	}
	_exit(0);
}

TEST_F_TIMEOUT(field, f6_a_watcher_subscribes_late, PATIENCE)
{
	int n = ro_times(600), i, late = 0, *stop;
	struct story whole, after[LATE];
	struct ro_kid kid[CHURNERS];
	struct refobj_stat st;
	long long starts = 0;
	__u64 id = 0;

	stop = ro_shared(sizeof(*stop));
	ASSERT_NE(NULL, stop);
	ASSERT_EQ(0, ro_create(self->look.fd, "churn", REFOBJ_PERSISTENT, 0,
			       &id));
	ASSERT_TRUE(story_open(&whole, id));
	for (i = 0; i < CHURNERS; i++)
		churn(&kid[i], id, stop);
	/* One more subscribes whenever so much more has been told. */
	while (late < LATE || whole.n < (LATE + 2) * n) {
		sched_yield();
		story_read(&whole);
		if (late < LATE && whole.n > (late + 1) * n) {
			ASSERT_TRUE(story_open(&after[late], id));
			late++;
		}
	}
	__atomic_store_n(stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < CHURNERS; i++)
		EXPECT_EQ(0, ro_kid_reap(&kid[i]));
	story_read(&whole);
	ASSERT_GT(ROOM, whole.n);
	EXPECT_EQ(0, ro_stat(self->look.fd, id, &st));
	EXPECT_STREQ("", story_fault(&whole, &st) ?: "");
	for (i = 0; i < whole.n; i++)
		starts += whole.e[i].type == REFOBJ_EVENT_ACTIVATED;
	EXPECT_EQ((long long)st.activations, starts);
	EXPECT_EQ(st.activations, st.deactivations);
	for (i = 0; i < late; i++) {
		story_read(&after[i]);
		EXPECT_STREQ("", story_fault(&after[i], &st) ?: "");
		EXPECT_STREQ("", story_differs(&whole, &after[i]) ?: "");
		close(after[i].fd);
		free(after[i].e);
	}
	TH_LOG("%d events, %lld activations", whole.n, starts);
	close(whole.fd);
	free(whole.e);
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
}

/* F8: a camera that is opened again soon after it was closed keeps running. */
TEST_F_TIMEOUT(field, f8_a_camera_lingers, PATIENCE)
{
	unsigned int ms = 2000 * ro_slow();
	struct refobj_stat st;
	struct ro_kid kid;
	__u64 id = 0;
	int i;

	ASSERT_EQ(0, ro_create_linger(self->look.fd, "camera",
				      REFOBJ_PERSISTENT, 0, ms, &id));
	ASSERT_EQ(0, ro_watch(self->fd, id, REFOBJ_WATCH_DEFAULT, 0));
	EXPECT_STREQ("snapshot none idle 0", ro_told(self->fd));
	for (i = 0; i < 6; i++) {
		EXPECT_EQ(!i, ro_holder_start(&kid, id, 1));
		EXPECT_STREQ(i ? "" : "activated acquire ready 1; "
				      "ready acquire ready 1",
			     ro_told(self->fd));
		EXPECT_EQ(0, ro_holder_do(&kid, 1));
		EXPECT_EQ(0, ro_stat(self->look.fd, id, &st));
		EXPECT_EQ((__u32)REFOBJ_STATE_LINGERING, st.state);
		EXPECT_EQ(0, ro_kid_end(&kid));
	}
	EXPECT_EQ(0, ro_wait(self->look.fd, id, REFOBJ_UNTIL_IDLE, 0,
			     RO_FOREVER));
	EXPECT_STREQ("deactivated linger idle 0", ro_told(self->fd));
	EXPECT_EQ(0, ro_stat(self->look.fd, id, &st));
	EXPECT_EQ(1ULL, st.activations);
	EXPECT_EQ(1ULL, st.deactivations);
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
}

TEST_HARNESS_MAIN
