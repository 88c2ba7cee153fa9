// SPDX-License-Identifier: GPL-2.0-only
/*
 * The field cases of SEEDS.md that take more than a scenario can say: F2, with the
 * file that was the payload, and F6, with many transitions. The others, and these
 * in short, are in scenarios/. (F1 is in builders.c, too.)
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

/* What comes and goes, and the counts between. */
#define MASK		(BIT_OF(ACTIVATED) | BIT_OF(COUNT) | BIT_OF(DEACTIVATED))

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

TEST_HARNESS_MAIN
