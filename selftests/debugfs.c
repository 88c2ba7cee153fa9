// SPDX-License-Identifier: GPL-2.0-only
/*
 * What debugfs tells: the figures against exactly what was done, and tables
 * that are complete and unforgeable, however they are read.
 */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define STATS		REFOBJ_DEBUGFS "/stats"
#define OBJECTS		REFOBJ_DEBUGFS "/objects"
#define SESSIONS	REFOBJ_DEBUGFS "/sessions"

#define OBJECTS_HEADER \
	"NET ID STATE USERS PEAK HOLDERS MODE UID GID FLAGS TYPE NAME\n"
#define SESSIONS_HEADER \
	"NET ID PID COMM UID OBJECTS REFERENCES WHY\n"

#define STRANGER	4321	/* a uid that is not root's */
#define MANY		5000

/* A session of another uid, which group 0 lets open the device. */
static int open_as_stranger(void)
{
	int fd;

	if (seteuid(STRANGER))
		return -errno;
	fd = ro_open();
	if (seteuid(0))
		return -errno;
	return fd;
}

static struct refobj_info info_of(int fd)
{
	struct refobj_info info = { .size = sizeof(info) };

	ro_ioctl(fd, REFOBJ_IOC_INFO, &info);
	return info;
}

static int watch(int fd, __u64 id, unsigned int mask)
{
	struct refobj_watch a = { .size = sizeof(a), .id = id, .mask = mask };

	return ro_ioctl(fd, REFOBJ_IOC_WATCH, &a);
}

static int wait_until(int fd, __u64 id, unsigned int until, __u64 timeout_ns)
{
	struct refobj_condition c = { .id = id, .until = until };
	struct refobj_wait a = {
		.size = sizeof(a), .conditions = (uintptr_t)&c, .count = 1,
		.condition_size = sizeof(c), .timeout_ns = timeout_ns,
	};

	return ro_ioctl(fd, REFOBJ_IOC_WAIT, &a);
}

static int publish(int fd, __u64 id)
{
	struct refobj_payload a = { .size = sizeof(a), .id = id };

	return ro_ioctl(fd, REFOBJ_IOC_PUBLISH, &a);
}

static int link_to(int fd, unsigned int cmd, __u64 id, __u64 dep)
{
	struct refobj_link a = { .size = sizeof(a), .id = id, .dep = dep };

	return ro_ioctl(fd, cmd, &a);
}

static int export(int fd, __u64 id)
{
	struct refobj_export a = { .size = sizeof(a), .id = id };

	return ro_ioctl(fd, REFOBJ_IOC_EXPORT, &a);
}

static int import(int fd, int objfd)
{
	struct refobj_import a = { .size = sizeof(a), .fd = objfd, .count = 1 };

	return ro_ioctl(fd, REFOBJ_IOC_IMPORT, &a);
}

/* A session whose owner, another process than this one, has exited. */
static int open_ended(void)
{
	struct refobj_adopt a = { .size = sizeof(a) };
	int fd = ro_open();
	pid_t pid;

	if (fd < 0)
		return fd;
	pid = fork();
	if (!pid)
		_exit(ro_ioctl(fd, REFOBJ_IOC_ADOPT, &a));
	return pid < 0 || ro_reap(pid) ? -ECHILD : fd;
}

/*
 * Figures
 */
FIXTURE(stats) {
	struct ro_look look;
	struct ro_counts mark;
};

FIXTURE_SETUP(stats)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, ro_counts_read(&self->mark));
}

FIXTURE_TEARDOWN(stats)
{
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

/* The figures that follow from others, but for the peak, which no test made. */
static bool is_derived(const char *name)
{
	return !strcmp(name, "objects") || !strcmp(name, "references") ||
	       !strcmp(name, "references_dropped") ||
	       !strcmp(name, "users_peak");
}

static bool adds_up(const struct ro_counts *c)
{
	return ro_counts_of(c, "objects") ==
		ro_counts_of(c, "created") - ro_counts_of(c, "destroyed") &&
	       ro_counts_of(c, "references") ==
		ro_counts_of(c, "references_acquired") -
		ro_counts_of(c, "references_released") -
		ro_counts_of(c, "references_dropped") &&
	       ro_counts_of(c, "references_dropped") == ro_counts_dropped(c);
}

/*
 * Every figure that has changed since the mark, and by how much, in the order
 * of the file; the mark moves on. What is not in the text has not changed, and
 * what follows from other figures does so.
 */
static const char *changes(struct ro_counts *mark)
{
	static char text[1024];
	struct ro_counts now;
	unsigned int i;
	size_t len = 0;

	text[0] = 0;
	if (ro_counts_read(&now))
		return "unreadable";
	if (!adds_up(&now))
		return "wrong sums";
	for (i = 0; i < now.n && len < sizeof(text); i++) {
		const char *name = now.row[i].name;
		long long by = now.row[i].value - ro_counts_of(mark, name);

		if (by && !is_derived(name))
			len += snprintf(text + len, sizeof(text) - len,
					"%s%s %lld", len ? ", " : "", name, by);
	}
	*mark = now;
	return text;
}

#define EXPECT_CHANGES(text)	EXPECT_STREQ(text, changes(&self->mark))

TEST_F(stats, has_every_line_once)
{
	static const char * const names[] = {
		"created", "destroyed", "attaches", "acquires", "releases",
		"references_acquired", "references_released",
		"references_dropped", "activations", "deactivations",
		"sessions_revoked", "events", "events_lost", "waits",
		"publishes", "exports", "dropped_close", "dropped_exit",
		"refused_ENOTTY", "refused_EFAULT", "refused_EINVAL",
		"refused_E2BIG", "refused_EOPNOTSUPP", "refused_ENOMEM",
		"refused_ENOENT", "refused_ESTALE", "refused_EACCES",
		"refused_EEXIST", "refused_EPROTOTYPE", "refused_ERANGE",
		"refused_EOVERFLOW", "refused_EDQUOT", "refused_EPERM",
		"refused_EAGAIN", "refused_EBUSY", "refused_EINTR",
		"refused_ETIMEDOUT", "refused_ELOOP", "refused_EBADF",
		"refused_EMFILE", "refused_EXDEV", "refused_EOWNERDEAD",
		"refused_other", "objects", "sessions", "references",
		"edges", "users_peak",
	};
	char line[128], name[64] = "", again[128];
	unsigned int i, found, lines = 0;
	long long value;
	FILE *f;

	for (i = 0; i < RO_ARRAY_SIZE(names); i++) {
		unsigned int j;

		found = 0;
		for (j = 0; j < self->mark.n; j++)
			found += !strcmp(self->mark.row[j].name, names[i]);
		EXPECT_EQ(1U, found) {
			TH_LOG("%s", names[i]);
		}
	}

	f = fopen(STATS, "re");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %lld", name, &value) != 2)
			value = -1;
		EXPECT_LE(0, value);
		snprintf(again, sizeof(again), "%s %lld\n", name, value);
		EXPECT_STREQ(again, line);
		/* What is not in the list is the count of a signal. */
		for (i = 0; i < RO_ARRAY_SIZE(names); i++)
			if (!strcmp(name, names[i]))
				break;
		EXPECT_TRUE(i < RO_ARRAY_SIZE(names) ||
			    !strncmp(name, "dropped_signal_", 15));
		lines++;
	}
	fclose(f);
	EXPECT_EQ(self->mark.n, lines);
}

TEST_F(stats, sessions)
{
	int fd = ro_open(), copy;

	EXPECT_CHANGES("sessions 1");
	copy = dup(fd);
	EXPECT_CHANGES("");
	close(fd);
	EXPECT_CHANGES("");
	close(copy);
	/* Its owner's last descriptor, which nobody else had. */
	EXPECT_CHANGES("sessions -1");
}

TEST_F(stats, create)
{
	__u64 id = 0;

	EXPECT_EQ(1, ro_create(self->look.fd, "stats", 0, 3, NULL));
	EXPECT_CHANGES("created 1, references_acquired 3, activations 1");
	EXPECT_EQ(0, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT, 0, &id));
	EXPECT_CHANGES("created 1");
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
	EXPECT_CHANGES("destroyed 1");
	EXPECT_EQ(1, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT, 1, &id));
	EXPECT_CHANGES("created 1, references_acquired 1, activations 1");
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
	EXPECT_CHANGES("releases 1, references_released 1, deactivations 1");
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
	EXPECT_CHANGES("destroyed 1");
}

TEST_F(stats, attach)
{
	unsigned int created;
	__u64 id = 0;

	EXPECT_EQ(1, ro_attach(self->look.fd, "stats", REFOBJ_PERSISTENT, 2,
			       &id, &created));
	EXPECT_CHANGES("created 1, attaches 1, references_acquired 2, activations 1");
	EXPECT_EQ(0, ro_attach(self->look.fd, "stats", 0, 5, NULL, &created));
	EXPECT_CHANGES("attaches 1, references_acquired 5");
	EXPECT_EQ(1, ro_release(self->look.fd, id, 7));
	EXPECT_CHANGES("releases 1, references_released 7, deactivations 1");
	EXPECT_EQ(1, ro_attach(self->look.fd, "stats", REFOBJ_ATTACH_EXISTING,
			       1, NULL, &created));
	EXPECT_CHANGES("attaches 1, references_acquired 1, activations 1");
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
}

TEST_F(stats, acquire_and_release)
{
	__u64 id = 0;

	ASSERT_EQ(0, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT, 0, &id));
	changes(&self->mark);
	EXPECT_EQ(1, ro_acquire(self->look.fd, id, 4, 0));
	EXPECT_CHANGES("acquires 1, references_acquired 4, activations 1");
	EXPECT_EQ(0, ro_acquire(self->look.fd, id, REFOBJ_COUNT_MAX, 0));
	EXPECT_CHANGES("acquires 1, references_acquired 65536");
	EXPECT_EQ(0, ro_acquire(self->look.fd, id, 1, REFOBJ_ACQUIRE_NOT_ZERO));
	EXPECT_CHANGES("acquires 1, references_acquired 1");
	EXPECT_EQ(0, ro_release(self->look.fd, id, 5));
	EXPECT_CHANGES("releases 1, references_released 5");
	EXPECT_EQ(1, ro_release(self->look.fd, id, REFOBJ_COUNT_MAX));
	EXPECT_CHANGES("releases 1, references_released 65536, deactivations 1");
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
}

TEST_F(stats, release_all)
{
	__u64 id = 0;

	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1000, &id));
	changes(&self->mark);
	EXPECT_EQ(1, ro_release_all(self->look.fd, id));
	EXPECT_CHANGES("destroyed 1, releases 1, references_released 1000, deactivations 1");
	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 2, NULL));
	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 3, NULL));
	ASSERT_EQ(1, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT, 4, &id));
	changes(&self->mark);
	EXPECT_EQ(3, ro_release_all(self->look.fd, 0));
	EXPECT_CHANGES("destroyed 2, releases 3, references_released 9, deactivations 3");
	EXPECT_EQ(0, ro_release_all(self->look.fd, 0));
	EXPECT_CHANGES("");
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
}

TEST_F(stats, drop)
{
	static const char all[] =
		"destroyed 2, deactivations 2, dropped_close 5, sessions -1";
	int fd = ro_open();

	ASSERT_EQ(1, ro_create(fd, NULL, 0, 2, NULL));
	ASSERT_EQ(1, ro_create(fd, NULL, 0, 3, NULL));
	changes(&self->mark);
	close(fd);
	EXPECT_CHANGES(all);
}

TEST_F(stats, sessions_revoked)
{
	int fd = open_ended();

	ASSERT_LE(0, fd);
	EXPECT_CHANGES("sessions_revoked 1, sessions 1");
	close(fd);
	EXPECT_CHANGES("sessions -1");
}

TEST_F(stats, events)
{
	__u64 id = 0;

	ASSERT_EQ(0, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT, 0, &id));
	changes(&self->mark);
	EXPECT_EQ(0, watch(self->look.fd, id, REFOBJ_WATCH_ALL));
	EXPECT_CHANGES("events 1");
	EXPECT_EQ(0, watch(self->look.fd, id, REFOBJ_WATCH_DEFAULT));
	EXPECT_CHANGES("events 1");
	/* ACTIVATED, READY */
	EXPECT_EQ(1, ro_acquire(self->look.fd, id, 1, 0));
	EXPECT_CHANGES("acquires 1, references_acquired 1, activations 1, events 2");
	EXPECT_EQ(0, ro_acquire(self->look.fd, id, 1, 0));
	EXPECT_CHANGES("acquires 1, references_acquired 1");
	/* DEACTIVATED, DESTROYED */
	EXPECT_EQ(1, ro_release(self->look.fd, id, 2));
	EXPECT_CHANGES("releases 1, references_released 2, deactivations 1, events 1");
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
	EXPECT_CHANGES("destroyed 1, events 1");
}

TEST_F(stats, events_lost)
{
	int fd = ro_open(), room = 0, more = 0, events = 0;
	struct refobj_event event;
	__u64 id = 0;

	ASSERT_EQ(0, ro_create(fd, NULL, REFOBJ_PERSISTENT, 0, &id));
	EXPECT_EQ(0, watch(fd, id, REFOBJ_WATCH(REFOBJ_EVENT_DEACTIVATED)));
	/* Until the queue is full */
	do {
		room = events;
		ASSERT_EQ(1, ro_acquire(fd, id, 1, 0));
		ASSERT_EQ(1, ro_release(fd, id, 1));
		ASSERT_EQ(0, ioctl(fd, FIONREAD, &events));
	} while (room < events &&
		 !ro_counts_since(&self->look.before, "events_lost"));
	changes(&self->mark);
	for (more = 0; more < 3; more++) {
		ASSERT_EQ(1, ro_acquire(fd, id, 1, 0));
		ASSERT_EQ(1, ro_release(fd, id, 1));
	}
	EXPECT_EQ(4, ro_look_since(&self->look, "events_lost"));
	while (events) {
		ASSERT_EQ(sizeof(event), read(fd, &event, sizeof(event)));
		events -= sizeof(event);
	}
	EXPECT_EQ(REFOBJ_EVENT_LOST, event.type);
	EXPECT_EQ(4, event.count);
	EXPECT_EQ(0, ro_destroy(fd, id));
	EXPECT_EQ(4, ro_look_since(&self->look, "events_lost"));
	close(fd);
}

TEST_F(stats, waits)
{
	__u64 id = 0;

	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &id));
	changes(&self->mark);
	EXPECT_EQ(0, wait_until(self->look.fd, id, REFOBJ_UNTIL_READY, 0));
	EXPECT_CHANGES("waits 1");
	EXPECT_EQ(-ETIMEDOUT,
		  wait_until(self->look.fd, id, REFOBJ_UNTIL_IDLE, 1));
	EXPECT_CHANGES("waits 1, refused_ETIMEDOUT 1");
	EXPECT_EQ(-EINVAL, wait_until(self->look.fd, id, 0, 0));
	EXPECT_CHANGES("refused_EINVAL 1");
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
}

TEST_F(stats, publishes)
{
	__u64 id = 0;

	ASSERT_EQ(REFOBJ_FIRST | REFOBJ_BUILDER,
		  ro_create(self->look.fd, NULL, REFOBJ_BUILD, 1, &id));
	EXPECT_CHANGES("created 1, references_acquired 1, activations 1");
	EXPECT_EQ(0, publish(self->look.fd, id));
	EXPECT_CHANGES("publishes 1");
	EXPECT_EQ(-EPERM, publish(self->look.fd, id));
	EXPECT_CHANGES("refused_EPERM 1");
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
}

TEST_F(stats, exports)
{
	__u64 id = 0;
	int fd;

	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &id));
	changes(&self->mark);
	fd = export(self->look.fd, id);
	ASSERT_LE(0, fd);
	EXPECT_CHANGES("references_acquired 1, exports 1");
	EXPECT_EQ(0, import(self->look.fd, fd));
	EXPECT_CHANGES("references_acquired 1");
	EXPECT_EQ(0, ro_release(self->look.fd, id, 2));
	EXPECT_CHANGES("releases 1, references_released 2");
	close(fd);
	EXPECT_CHANGES("destroyed 1, deactivations 1, dropped_close 1");
}

TEST_F(stats, edges)
{
	__u64 id = 0, dep = 0;
	int fd = self->look.fd;

	ASSERT_EQ(1, ro_create(fd, NULL, REFOBJ_PERSISTENT, 1, &id));
	ASSERT_EQ(0, ro_create(fd, NULL, REFOBJ_PERSISTENT, 0, &dep));
	changes(&self->mark);
	EXPECT_EQ(0, link_to(fd, REFOBJ_IOC_LINK, id, dep));
	EXPECT_CHANGES("references_acquired 1, activations 1, edges 1");
	EXPECT_EQ(1, ro_release(fd, id, 1));
	EXPECT_CHANGES("releases 1, references_released 2, deactivations 2");
	EXPECT_EQ(1, ro_acquire(fd, id, 1, 0));
	EXPECT_CHANGES("acquires 1, references_acquired 2, activations 2");
	EXPECT_EQ(0, link_to(fd, REFOBJ_IOC_UNLINK, id, dep));
	EXPECT_CHANGES("references_released 1, deactivations 1, edges -1");
	EXPECT_EQ(0, link_to(fd, REFOBJ_IOC_LINK, id, dep));
	EXPECT_EQ(1, ro_release(fd, id, 1));
	changes(&self->mark);
	/* The edge of an object goes with it, from whichever side. */
	EXPECT_EQ(0, ro_destroy(fd, dep));
	EXPECT_CHANGES("destroyed 1, edges -1");
	EXPECT_EQ(0, ro_destroy(fd, id));
	EXPECT_CHANGES("destroyed 1");
}

TEST_F(stats, looking_counts_nothing)
{
	struct refobj_holder rec;
	struct refobj_stat st;
	__u64 id = 0;

	ASSERT_EQ(1, ro_create(self->look.fd, "stats", 0, 1, &id));
	changes(&self->mark);
	info_of(self->look.fd);
	EXPECT_EQ(0, ro_lookup(self->look.fd, "stats", &id));
	EXPECT_EQ(0, ro_stat(self->look.fd, id, &st));
	EXPECT_EQ(1, ro_holders(self->look.fd, id, &rec, 1, NULL));
	EXPECT_EQ(0, ro_set_why(self->look.fd, id, "counts nothing"));
	EXPECT_CHANGES("");
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
}

TEST_F(stats, peak_of_users)
{
	long long peak = ro_counts_of(&self->mark, "users_peak");
	long long more = 0;
	__u64 id = 0;

	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &id));
	/* What ran before may have gone to the limit. */
	while (more <= peak && !ro_acquire(self->look.fd, id,
					   REFOBJ_COUNT_MAX, 0))
		more += REFOBJ_COUNT_MAX;
	if (more > peak) {
		EXPECT_EQ(more + 1 - peak,
			  ro_look_since(&self->look, "users_peak"));
	} else {
		EXPECT_GE((long long)REFOBJ_USERS_MAX, peak);
	}
	peak = ro_counts_since(&self->mark, "users_peak");
	EXPECT_EQ(1, ro_release_all(self->look.fd, id));
	EXPECT_EQ(peak, ro_counts_since(&self->mark, "users_peak"));
}

/* The sums add up after whatever was done, and after what was refused. */
TEST_F(stats, sums_add_up)
{
	unsigned int seed = 20261123, i;
	int fd[3] = { ro_open(), ro_open(), ro_open() };
	struct refobj_stat st;
	__u64 id[8];

	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, ro_create(fd[0], NULL, REFOBJ_PERSISTENT, 0,
				       &id[i]));
	for (i = 0; i < 4000; i++) {
		int r = rand_r(&seed), s = fd[r % 3];
		unsigned int n = 1 + (r >> 4) % 300;
		__u64 which = id[(r >> 16) % 8];

		switch ((r >> 20) % 16) {
		case 0:
			ro_release_all(s, which);
			break;
		case 1:
			ro_create(s, NULL, 0, n, NULL);
			break;
		case 2:
			ro_acquire(s, which, n, REFOBJ_ACQUIRE_NOT_ZERO);
			break;
		case 3 ... 8:
			ro_acquire(s, which, n, 0);
			break;
		default:
			ro_release(s, which, n);
		}
		if (i == 3000)
			close(fd[2]);
	}
	EXPECT_STRNE("wrong sums", changes(&self->mark));
	EXPECT_EQ(0, ro_look_since(&self->look, "refused_other"));
	close(fd[1]);
	for (i = 0; i < 8; i++) {
		EXPECT_EQ(0, ro_stat(fd[0], id[i], &st));
		EXPECT_EQ(st.held, st.users);
	}
	ro_release_all(fd[0], 0);
	EXPECT_EQ(0, ro_look_since(&self->look, "references"));
	EXPECT_EQ(8, ro_look_since(&self->look, "objects"));
	EXPECT_EQ(ro_look_since(&self->look, "activations"),
		  ro_look_since(&self->look, "deactivations"));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(0, ro_destroy(fd[0], id[i]));
	close(fd[0]);
}

/*
 * Refusals: each is counted by its errno, and changes no other figure.
 */
struct scene {
	int fd;			/* root's */
	int stranger;
	__u64 held;		/* transient, typed, one reference of fd */
	__u64 open;		/* transient, for all, one reference of fd */
	__u64 idle;		/* persistent, unused */
	__u64 dead;
	struct ro_counts *mark;
	int left[2];		/* descriptors to close in the end, or -1 */
};

FIXTURE(refused) {
	struct ro_look look;
	struct ro_counts mark;
	struct scene scene;
};

FIXTURE_VARIANT(refused) {
	int (*refuse)(struct scene *s);
	int err;
	const char *changes;
};

static int refuse_enotty(struct scene *s)
{
	return ro_ioctl(s->fd, _IOW(REFOBJ_IOC_MAGIC, 0x3f, __u64), s);
}

FIXTURE_VARIANT_ADD(refused, ENOTTY) {
	.refuse = refuse_enotty, .err = ENOTTY, .changes = "refused_ENOTTY 1",
};

static int refuse_efault(struct scene *s)
{
	return ro_ioctl(s->fd, REFOBJ_IOC_STAT, NULL);
}

FIXTURE_VARIANT_ADD(refused, EFAULT) {
	.refuse = refuse_efault, .err = EFAULT, .changes = "refused_EFAULT 1",
};

static int refuse_einval(struct scene *s)
{
	return ro_acquire(s->fd, s->held, 0, 0);
}

FIXTURE_VARIANT_ADD(refused, EINVAL) {
	.refuse = refuse_einval, .err = EINVAL, .changes = "refused_EINVAL 1",
};

static int refuse_e2big(struct scene *s)
{
	struct {
		struct refobj_release r;
		__u64 unknown;
	} arg = {
		.r = { .size = sizeof(arg), .id = s->held, .count = 1 },
		.unknown = 1,
	};

	return ro_ioctl(s->fd, _IOC(_IOC_WRITE, REFOBJ_IOC_MAGIC, 0x05,
				    sizeof(arg)), &arg);
}

FIXTURE_VARIANT_ADD(refused, E2BIG) {
	.refuse = refuse_e2big, .err = E2BIG, .changes = "refused_E2BIG 1",
};

static int refuse_eopnotsupp(struct scene *s)
{
	return ro_acquire(s->fd, s->held, 1, 1U << 31);
}

FIXTURE_VARIANT_ADD(refused, EOPNOTSUPP) {
	.refuse = refuse_eopnotsupp, .err = EOPNOTSUPP,
	.changes = "refused_EOPNOTSUPP 1",
};

static int refuse_enoent(struct scene *s)
{
	return ro_lookup(s->fd, "no such name", NULL);
}

FIXTURE_VARIANT_ADD(refused, ENOENT) {
	.refuse = refuse_enoent, .err = ENOENT, .changes = "refused_ENOENT 1",
};

static int refuse_estale(struct scene *s)
{
	return ro_acquire(s->fd, s->dead, 1, 0);
}

FIXTURE_VARIANT_ADD(refused, ESTALE) {
	.refuse = refuse_estale, .err = ESTALE, .changes = "refused_ESTALE 1",
};

static int refuse_eacces(struct scene *s)
{
	return ro_acquire(s->stranger, s->held, 1, 0);
}

FIXTURE_VARIANT_ADD(refused, EACCES) {
	.refuse = refuse_eacces, .err = EACCES, .changes = "refused_EACCES 1",
};

static int refuse_eexist(struct scene *s)
{
	return ro_create(s->fd, "idle", 0, 1, NULL);
}

FIXTURE_VARIANT_ADD(refused, EEXIST) {
	.refuse = refuse_eexist, .err = EEXIST, .changes = "refused_EEXIST 1",
};

static int refuse_eprototype(struct scene *s)
{
	struct refobj_acquire a = {
		.size = sizeof(a), .id = s->held, .count = 1, .type = "cat",
	};

	return ro_ioctl(s->fd, REFOBJ_IOC_ACQUIRE, &a);
}

FIXTURE_VARIANT_ADD(refused, EPROTOTYPE) {
	.refuse = refuse_eprototype, .err = EPROTOTYPE,
	.changes = "refused_EPROTOTYPE 1",
};

static int refuse_erange(struct scene *s)
{
	return ro_release(s->fd, s->held, 2);
}

FIXTURE_VARIANT_ADD(refused, ERANGE) {
	.refuse = refuse_erange, .err = ERANGE, .changes = "refused_ERANGE 1",
};

static int refuse_eoverflow(struct scene *s)
{
	unsigned int users = 1;

	while (users < REFOBJ_USERS_MAX - REFOBJ_COUNT_MAX) {
		if (ro_acquire(s->fd, s->held, REFOBJ_COUNT_MAX, 0))
			return 1;
		users += REFOBJ_COUNT_MAX;
	}
	changes(s->mark);
	return ro_acquire(s->fd, s->held, REFOBJ_COUNT_MAX, 0);
}

FIXTURE_VARIANT_ADD(refused, EOVERFLOW) {
	.refuse = refuse_eoverflow, .err = EOVERFLOW,
	.changes = "refused_EOVERFLOW 1",
};

static int refuse_edquot(struct scene *s)
{
	__u64 left = info_of(s->stranger).references_max;

	for (; left >= REFOBJ_COUNT_MAX; left -= REFOBJ_COUNT_MAX)
		if (ro_acquire(s->stranger, s->open, REFOBJ_COUNT_MAX, 0))
			return 1;
	changes(s->mark);
	return ro_acquire(s->stranger, s->open, REFOBJ_COUNT_MAX, 0);
}

FIXTURE_VARIANT_ADD(refused, EDQUOT) {
	.refuse = refuse_edquot, .err = EDQUOT, .changes = "refused_EDQUOT 1",
};

static int refuse_eperm(struct scene *s)
{
	return ro_set_why(s->fd, s->idle, "not held");
}

FIXTURE_VARIANT_ADD(refused, EPERM) {
	.refuse = refuse_eperm, .err = EPERM, .changes = "refused_EPERM 1",
};

static int refuse_eagain(struct scene *s)
{
	return ro_acquire(s->fd, s->idle, 1, REFOBJ_ACQUIRE_NOT_ZERO);
}

FIXTURE_VARIANT_ADD(refused, EAGAIN) {
	.refuse = refuse_eagain, .err = EAGAIN, .changes = "refused_EAGAIN 1",
};

static int refuse_ebusy(struct scene *s)
{
	return ro_destroy(s->fd, s->held);
}

FIXTURE_VARIANT_ADD(refused, EBUSY) {
	.refuse = refuse_ebusy, .err = EBUSY, .changes = "refused_EBUSY 1",
};

/* A signal that comes too early is not the last one. */
static int refuse_eintr(struct scene *s)
{
	struct itimerval often = {
		.it_interval.tv_usec = 10000, .it_value.tv_usec = 10000,
	};
	int ret;

	if (setitimer(ITIMER_REAL, &often, NULL))
		return 1;
	ret = wait_until(s->fd, s->idle, REFOBJ_UNTIL_ACTIVE, ~0ULL);
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	return ret;
}

FIXTURE_VARIANT_ADD(refused, EINTR) {
	.refuse = refuse_eintr, .err = EINTR,
	.changes = "waits 1, refused_EINTR 1",
};

static int refuse_etimedout(struct scene *s)
{
	return wait_until(s->fd, s->idle, REFOBJ_UNTIL_ACTIVE, 0);
}

FIXTURE_VARIANT_ADD(refused, ETIMEDOUT) {
	.refuse = refuse_etimedout, .err = ETIMEDOUT,
	.changes = "waits 1, refused_ETIMEDOUT 1",
};

static int refuse_eloop(struct scene *s)
{
	return link_to(s->fd, REFOBJ_IOC_LINK, s->held, s->held);
}

FIXTURE_VARIANT_ADD(refused, ELOOP) {
	.refuse = refuse_eloop, .err = ELOOP, .changes = "refused_ELOOP 1",
};

static int refuse_ebadf(struct scene *s)
{
	return import(s->fd, -1);
}

FIXTURE_VARIANT_ADD(refused, EBADF) {
	.refuse = refuse_ebadf, .err = EBADF, .changes = "refused_EBADF 1",
};

static int refuse_emfile(struct scene *s)
{
	struct rlimit limit, none;
	int ret;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 1;
	none = limit;
	none.rlim_cur = 0;
	if (setrlimit(RLIMIT_NOFILE, &none))
		return 1;
	ret = export(s->fd, s->held);
	if (setrlimit(RLIMIT_NOFILE, &limit))
		return 1;
	return ret;
}

FIXTURE_VARIANT_ADD(refused, EMFILE) {
	.refuse = refuse_emfile, .err = EMFILE, .changes = "refused_EMFILE 1",
};

static int refuse_exdev(struct scene *s)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	__u64 id;

	if (home < 0 || unshare(CLONE_NEWNET))
		return 1;
	s->left[0] = ro_open();
	if (ro_create(s->left[0], NULL, 0, 1, &id) != 1)
		return 1;
	s->left[1] = export(s->left[0], id);
	if (s->left[1] < 0 || setns(home, CLONE_NEWNET))
		return 1;
	close(home);
	changes(s->mark);
	return import(s->fd, s->left[1]);
}

FIXTURE_VARIANT_ADD(refused, EXDEV) {
	.refuse = refuse_exdev, .err = EXDEV, .changes = "refused_EXDEV 1",
};

static int refuse_eownerdead(struct scene *s)
{
	s->left[0] = open_ended();
	changes(s->mark);
	return ro_acquire(s->left[0], s->open, 1, 0);
}

FIXTURE_VARIANT_ADD(refused, EOWNERDEAD) {
	.refuse = refuse_eownerdead, .err = EOWNERDEAD,
	.changes = "refused_EOWNERDEAD 1",
};

static void on_alarm(int sig)
{
}

FIXTURE_SETUP(refused)
{
	struct sigaction alarm = { .sa_handler = on_alarm };
	struct refobj_create c = {
		.size = sizeof(c), .initial = 1, .type = "dog",
	};
	const char *why = ro_look_open(&self->look);
	struct scene *s = &self->scene;

	if (why)
		SKIP(return, "%s", why);
	s->fd = self->look.fd;
	s->stranger = open_as_stranger();
	ASSERT_LE(0, s->stranger);
	ASSERT_EQ(1, ro_ioctl(s->fd, REFOBJ_IOC_CREATE, &c));
	s->held = c.id;
	c = (struct refobj_create){
		.size = sizeof(c), .initial = 1, .mode = 0644,
	};
	ASSERT_EQ(1, ro_ioctl(s->fd, REFOBJ_IOC_CREATE, &c));
	s->open = c.id;
	ASSERT_EQ(0, ro_create(s->fd, "idle", REFOBJ_PERSISTENT, 0, &s->idle));
	ASSERT_EQ(1, ro_create(s->fd, NULL, 0, 1, &s->dead));
	ASSERT_EQ(1, ro_release(s->fd, s->dead, 1));
	s->mark = &self->mark;
	s->left[0] = -1;
	s->left[1] = -1;
	ASSERT_EQ(0, sigaction(SIGALRM, &alarm, NULL));
	ASSERT_EQ(0, ro_counts_read(s->mark));
}

FIXTURE_TEARDOWN(refused)
{
	int i;

	for (i = 0; i < 2; i++)
		if (self->scene.left[i] >= 0)
			close(self->scene.left[i]);
	EXPECT_EQ(0, ro_destroy(self->look.fd, self->scene.idle));
	close(self->scene.stranger);
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

TEST_F(refused, is_counted_by_its_errno)
{
	EXPECT_EQ(-variant->err, variant->refuse(&self->scene));
	EXPECT_STREQ(variant->changes, changes(&self->mark));
}

/*
 * Tables
 */

/* A file as read in pieces of at most @chunk bytes; static, with a NUL. */
static char *slurp(const char *path, size_t chunk)
{
	static char *text;
	static size_t room;
	size_t len = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	do {
		if (room < len + chunk + 1) {
			room = 2 * (len + chunk + 1);
			text = realloc(text, room);
			if (!text)
				abort();
		}
		n = read(fd, text + len, chunk);
		if (n > 0)
			len += n;
	} while (n > 0);
	close(fd);
	if (n < 0)
		len = 0;
	text[len] = 0;
	return text;
}

/* Undoes the escaping of one field, in place: \ooo. */
static char *unescape(char *field)
{
	char *from = field, *to = field;

	while (*from) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' &&
		    from[2] && from[3]) {
			*to++ = (from[1] - '0') * 64 + (from[2] - '0') * 8 +
				(from[3] - '0');
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = 0;
	return field;
}

struct row {
	int n;		/* fields; 0: no such row, -1: two of them */
	char *field[20];
	char line[1024];
};

/* The row of @table whose second field, the id, is this one. */
static void find_row(const char *table, __u64 id, struct row *row)
{
	char *line, *rest, *field;

	row->n = 0;
	strtok_r(slurp(table, 4096), "\n", &rest);
	while ((line = strtok_r(NULL, "\n", &rest))) {
		unsigned long long have = 0;

		if (sscanf(line, "%*u %llu ", &have) != 1 || have != id)
			continue;
		if (row->n) {
			row->n = -1;
			return;
		}
		snprintf(row->line, sizeof(row->line), "%s", line);
		/* By single spaces: an empty field would be one too many. */
		rest = line + strlen(line) + 1;
		line = row->line;
		while (row->n < 20 && (field = strsep(&line, " ")))
			row->field[row->n++] = unescape(field);
	}
}

FIXTURE(table) {
	struct ro_look look;
	struct refobj_info info;
};

FIXTURE_SETUP(table)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	self->info = info_of(self->look.fd);
}

FIXTURE_TEARDOWN(table)
{
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

#define EXPECT_NUMBER(number, text) \
	EXPECT_EQ((unsigned long long)(number), strtoull(text, NULL, 10))

TEST_F(table, headers)
{
	EXPECT_EQ(0, strncmp(slurp(OBJECTS, 4096), OBJECTS_HEADER,
			     strlen(OBJECTS_HEADER)));
	EXPECT_EQ(0, strncmp(slurp(SESSIONS, 4096), SESSIONS_HEADER,
			     strlen(SESSIONS_HEADER)));
}

TEST_F(table, object_in_use)
{
	struct refobj_create c = {
		.size = sizeof(c), .initial = 3, .mode = 0640,
		.name = "table", .type = "dog",
	};
	int fd = ro_open();
	struct row row;

	ASSERT_EQ(1, ro_ioctl(self->look.fd, REFOBJ_IOC_CREATE, &c));
	EXPECT_EQ(0, ro_acquire(fd, c.id, 5, 0));
	EXPECT_EQ(0, ro_release(fd, c.id, 2));
	find_row(OBJECTS, c.id, &row);
	ASSERT_EQ(12, row.n);
	EXPECT_NUMBER(self->info.registry, row.field[0]);
	EXPECT_NUMBER(c.id, row.field[1]);
	EXPECT_STREQ("ready", row.field[2]);
	EXPECT_STREQ("6", row.field[3]);
	EXPECT_STREQ("8", row.field[4]);
	EXPECT_STREQ("2", row.field[5]);
	EXPECT_STREQ("0640", row.field[6]);
	EXPECT_STREQ("0", row.field[7]);
	EXPECT_STREQ("0", row.field[8]);
	EXPECT_STREQ("-", row.field[9]);
	EXPECT_STREQ("dog", row.field[10]);
	EXPECT_STREQ("table", row.field[11]);
	EXPECT_EQ(0, close(fd));
	find_row(OBJECTS, c.id, &row);
	EXPECT_STREQ("3", row.field[3]);
	EXPECT_STREQ("1", row.field[5]);
	EXPECT_EQ(1, ro_release(self->look.fd, c.id, 3));
	find_row(OBJECTS, c.id, &row);
	EXPECT_EQ(0, row.n);
}

TEST_F(table, idle_object_without_name)
{
	struct row row;
	__u64 id = 0;

	ASSERT_EQ(0, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT, 0, &id));
	find_row(OBJECTS, id, &row);
	ASSERT_EQ(12, row.n);
	EXPECT_STREQ("idle", row.field[2]);
	EXPECT_STREQ("0", row.field[3]);
	EXPECT_STREQ("0", row.field[4]);
	EXPECT_STREQ("0", row.field[5]);
	EXPECT_STREQ("0600", row.field[6]);
	EXPECT_STREQ("p", row.field[9]);
	EXPECT_STREQ("-", row.field[10]);
	EXPECT_STREQ("-", row.field[11]);
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
	find_row(OBJECTS, id, &row);
	EXPECT_EQ(0, row.n);
}

TEST_F(table, object_that_is_being_built)
{
	struct row row;
	__u64 id = 0;

	ASSERT_EQ(REFOBJ_FIRST | REFOBJ_BUILDER,
		  ro_create(self->look.fd, NULL, REFOBJ_BUILD, 3, &id));
	find_row(OBJECTS, id, &row);
	ASSERT_EQ(12, row.n);
	EXPECT_STREQ("building", row.field[2]);
	EXPECT_STREQ("3", row.field[3]);
	EXPECT_STREQ("-", row.field[9]);
	EXPECT_EQ(0, publish(self->look.fd, id));
	find_row(OBJECTS, id, &row);
	ASSERT_EQ(12, row.n);
	EXPECT_STREQ("ready", row.field[2]);
	EXPECT_EQ(1, ro_release(self->look.fd, id, 3));
}

TEST_F(table, object_that_lingers)
{
	struct refobj_create c = {
		.size = sizeof(c), .initial = 3, .linger_ms = REFOBJ_LINGER_MAX,
		.name = "table",
	};
	struct row row;

	ASSERT_EQ(1, ro_ioctl(self->look.fd, REFOBJ_IOC_CREATE, &c));
	EXPECT_EQ(0, ro_release(self->look.fd, c.id, 3));
	find_row(OBJECTS, c.id, &row);
	ASSERT_EQ(12, row.n);
	EXPECT_STREQ("lingering", row.field[2]);
	EXPECT_STREQ("0", row.field[3]);
	EXPECT_STREQ("3", row.field[4]);
	EXPECT_STREQ("0", row.field[5]);
	EXPECT_STREQ("table", row.field[11]);
	EXPECT_EQ(0, ro_acquire(self->look.fd, c.id, 1, 0));
	find_row(OBJECTS, c.id, &row);
	EXPECT_STREQ("ready", row.field[2]);
	EXPECT_EQ(0, ro_release(self->look.fd, c.id, 1));
	EXPECT_EQ(0, ro_destroy(self->look.fd, c.id));
	find_row(OBJECTS, c.id, &row);
	EXPECT_EQ(0, row.n);
}

TEST_F(table, object_that_another_and_a_descriptor_hold)
{
	__u64 id = 0, dep = 0;
	struct row row;
	int fd;

	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &id));
	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &dep));
	EXPECT_EQ(0, link_to(self->look.fd, REFOBJ_IOC_LINK, id, dep));
	fd = export(self->look.fd, dep);
	EXPECT_EQ(0, ro_release(self->look.fd, dep, 1));
	find_row(OBJECTS, dep, &row);
	ASSERT_EQ(12, row.n);
	EXPECT_STREQ("2", row.field[3]);
	EXPECT_STREQ("2", row.field[5]);
	EXPECT_EQ(0, close(fd));
	find_row(OBJECTS, dep, &row);
	EXPECT_STREQ("1", row.field[5]);
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
	find_row(OBJECTS, dep, &row);
	EXPECT_EQ(0, row.n);
}

TEST_F(table, object_of_another_uid)
{
	int fd = open_as_stranger();
	struct row row;
	__u64 id = 0;

	ASSERT_EQ(1, ro_create(fd, "table", 0, 1, &id));
	find_row(OBJECTS, id, &row);
	ASSERT_EQ(12, row.n);
	EXPECT_STREQ("4321", row.field[7]);
	EXPECT_STREQ("0", row.field[8]);
	EXPECT_EQ(0, close(fd));
}

/* The table shows all namespaces, whichever the reader is in. */
TEST_F(table, object_of_another_netns)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd;
	__u64 here = 0, there = 0;
	struct row row;

	ASSERT_EQ(1, ro_create(self->look.fd, "table", 0, 1, &here));
	if (unshare(CLONE_NEWNET))
		SKIP(return, "no network namespaces: %s", strerror(errno));
	fd = ro_open();
	EXPECT_EQ(1, ro_create(fd, "table", 0, 2, &there));
	find_row(OBJECTS, there, &row);
	ASSERT_EQ(12, row.n);
	EXPECT_NUMBER(info_of(fd).registry, row.field[0]);
	EXPECT_STREQ("2", row.field[3]);
	EXPECT_STREQ("table", row.field[11]);
	find_row(OBJECTS, here, &row);
	ASSERT_EQ(12, row.n);
	EXPECT_NUMBER(self->info.registry, row.field[0]);
	find_row(SESSIONS, info_of(fd).session, &row);
	ASSERT_EQ(8, row.n);
	EXPECT_NUMBER(info_of(fd).registry, row.field[0]);
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, setns(home, CLONE_NEWNET));
	close(home);
}

/* No name can look like two fields, another line, or another name. */
TEST_F(table, strings_are_escaped)
{
	static const char * const names[] = {
		"a space", " leading", "trailing ", "back\\slash",
		"looks\\040escaped", "Z\303\274rich \342\234\223", "\\", "\\0",
		"1 2 ready 3 4 5 0666 0 0 - fake fake",
	};
	struct row row;
	__u64 id = 0;
	size_t i;

	for (i = 0; i < RO_ARRAY_SIZE(names); i++) {
		ASSERT_EQ(1, ro_create(self->look.fd, names[i], 0, 1, &id));
		find_row(OBJECTS, id, &row);
		ASSERT_EQ(12, row.n);
		EXPECT_STREQ(names[i], row.field[11]);
		EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
	}
	ASSERT_EQ(1, ro_create(self->look.fd, "a space", 0, 1, &id));
	EXPECT_NE(NULL, strstr(slurp(OBJECTS, 4096), " a\\040space\n"));
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
}

TEST_F(table, session)
{
	struct refobj_info info;
	int fd = ro_open();
	struct row row;

	info = info_of(fd);
	find_row(SESSIONS, info.session, &row);
	ASSERT_EQ(8, row.n);
	EXPECT_NUMBER(self->info.registry, row.field[0]);
	EXPECT_NUMBER(info.session, row.field[1]);
	EXPECT_NUMBER(getpid(), row.field[2]);
	EXPECT_STREQ(ro_own_comm(), row.field[3]);
	EXPECT_STREQ("0", row.field[4]);
	EXPECT_STREQ("0", row.field[5]);
	EXPECT_STREQ("0", row.field[6]);
	EXPECT_STREQ("-", row.field[7]);
	EXPECT_EQ(1, ro_create(fd, NULL, 0, 3, NULL));
	EXPECT_EQ(1, ro_create(fd, NULL, 0, 4, NULL));
	EXPECT_EQ(0, ro_set_why(fd, 0, "why not"));
	find_row(SESSIONS, info.session, &row);
	ASSERT_EQ(8, row.n);
	EXPECT_STREQ("2", row.field[5]);
	EXPECT_STREQ("7", row.field[6]);
	EXPECT_STREQ("why not", row.field[7]);
	EXPECT_EQ(0, close(fd));
	find_row(SESSIONS, info.session, &row);
	EXPECT_EQ(0, row.n);
}

TEST_F(table, session_of_another_uid)
{
	int fd = open_as_stranger();
	struct row row;

	find_row(SESSIONS, info_of(fd).session, &row);
	ASSERT_EQ(8, row.n);
	EXPECT_STREQ("4321", row.field[4]);
	EXPECT_EQ(0, close(fd));
}

/* A process may call itself anything; what root reads stays one line. */
TEST_F(table, names_of_processes_are_escaped)
{
	char name[16] = "\033[31m a\\b\r\n9", *p;
	struct row row;
	int fd;

	ASSERT_EQ(0, prctl(PR_SET_NAME, name));
	fd = ro_open();
	find_row(SESSIONS, info_of(fd).session, &row);
	ASSERT_EQ(8, row.n);
	EXPECT_STREQ(name, row.field[3]);
	for (p = slurp(SESSIONS, 4096); *p; p++)
		EXPECT_TRUE(*p == '\n' || (unsigned char)*p >= ' ') {
			TH_LOG("a control character, %#x", *p);
		}
	EXPECT_EQ(0, close(fd));
}

/* As HOLDERS does: the number of a process that is gone is nobody's. */
TEST_F(table, session_whose_opener_is_gone)
{
	struct ro_kid kid;
	struct row row;
	__u64 session;

	/* The heir becomes the test's child when its parent is killed. */
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd = ro_open();

		if (fork()) {
			ro_kid_say(&kid, info_of(fd).session);
			pause();
		}
		ro_kid_await(&kid);
		_exit(0);
	}
	session = ro_kid_hear(&kid);
	find_row(SESSIONS, session, &row);
	ASSERT_EQ(8, row.n);
	EXPECT_NUMBER(kid.pid, row.field[2]);
	kill(kid.pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, ro_reap(kid.pid));
	find_row(SESSIONS, session, &row);
	ASSERT_EQ(8, row.n);
	EXPECT_STREQ("0", row.field[2]);
	EXPECT_STREQ(ro_own_comm(), row.field[3]);
	ro_kid_say(&kid, -1);
	EXPECT_LT(0, waitpid(-1, NULL, 0));
	ro_pipe_close(&kid.pipe);
}

TEST_F(table, root_only)
{
	static const char * const files[] = { "stats", "objects", "sessions" };
	int dir = open(REFOBJ_DEBUGFS, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct ro_kid kid;
	struct stat st;
	size_t i;

	ASSERT_LE(0, dir);
	for (i = 0; i < RO_ARRAY_SIZE(files); i++) {
		EXPECT_EQ(0, fstatat(dir, files[i], &st, 0));
		EXPECT_EQ(0U, st.st_mode & 077);
	}
	/* From within: what guards the way there is not what is tested. */
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		EXPECT_EQ(0, fchdir(dir) ? errno : 0);
		EXPECT_EQ(0, setresuid(STRANGER, STRANGER, STRANGER));
		for (i = 0; i < RO_ARRAY_SIZE(files); i++) {
			EXPECT_EQ(-1, open(files[i], O_RDONLY));
			EXPECT_EQ(EACCES, errno);
		}
		_exit(0);
	}
	EXPECT_EQ(0, ro_kid_reap(&kid));
	close(dir);
}

/*
 * The same text, however it is read.
 */
FIXTURE(reading) {
	struct ro_look look;
	int fd;
	__u64 id[40];
	char *whole;
};

FIXTURE_VARIANT(reading) {
	const char *path;
};

FIXTURE_VARIANT_ADD(reading, stats) { .path = STATS, };
FIXTURE_VARIANT_ADD(reading, objects) { .path = OBJECTS, };
FIXTURE_VARIANT_ADD(reading, sessions) { .path = SESSIONS, };

FIXTURE_SETUP(reading)
{
	const char *why = ro_look_open(&self->look);
	char name[32];
	int i;

	if (why)
		SKIP(return, "%s", why);
	self->fd = ro_open();
	for (i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "reading %d", i);
		ASSERT_EQ(1, ro_create(self->fd, name, 0, 1 + i, NULL));
	}
	self->whole = strdup(slurp(variant->path, 1 << 20));
	ASSERT_NE(NULL, self->whole);
}

FIXTURE_TEARDOWN(reading)
{
	close(self->fd);
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

TEST_F(reading, in_small_pieces)
{
	EXPECT_STREQ(self->whole, slurp(variant->path, 1));
	EXPECT_STREQ(self->whole, slurp(variant->path, 7));
	EXPECT_STREQ(self->whole, slurp(variant->path, 100));
	EXPECT_STREQ(self->whole, slurp(variant->path, 4095));
}

TEST_F(reading, at_any_place)
{
	size_t len = strlen(self->whole), at;
	char buf[64];
	int fd = open(variant->path, O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	/* Forth and back. */
	for (at = 0; at + sizeof(buf) < len; at += 97) {
		EXPECT_LT(0, pread(fd, buf, sizeof(buf), at));
		EXPECT_EQ(0, strncmp(buf, self->whole + at, 1));
	}
	while (at > 97) {
		ssize_t n;

		at -= 97;
		n = pread(fd, buf, sizeof(buf), at);
		EXPECT_LT(0, n);
		EXPECT_EQ(0, strncmp(buf, self->whole + at, n));
	}
	EXPECT_EQ(0, pread(fd, buf, sizeof(buf), len));
	EXPECT_EQ(0, pread(fd, buf, sizeof(buf), len + 10000));
	close(fd);
}

TEST_F(reading, again_after_lseek)
{
	size_t len = strlen(self->whole);
	char *buf = calloc(1, len + 2);
	int fd = open(variant->path, O_RDONLY | O_CLOEXEC), i;

	ASSERT_LE(0, fd);
	for (i = 0; i < 3; i++) {
		size_t got = 0;
		ssize_t n;

		EXPECT_EQ(0, lseek(fd, 0, SEEK_SET));
		while ((n = read(fd, buf + got, len + 1 - got)) > 0)
			got += n;
		EXPECT_EQ(0, n);
		EXPECT_EQ(len, got);
		EXPECT_STREQ(self->whole, buf);
	}
	EXPECT_EQ(10, lseek(fd, 10, SEEK_SET));
	EXPECT_LT(0, read(fd, buf, 5));
	EXPECT_EQ(0, strncmp(buf, self->whole + 10, 5));
	close(fd);
	free(buf);
}

TEST_F(reading, by_two_at_once)
{
	size_t len = strlen(self->whole), got[2] = { };
	char *buf[2] = { calloc(1, len + 8), calloc(1, len + 8) };
	int fd[2], i, more;

	for (i = 0; i < 2; i++)
		fd[i] = open(variant->path, O_RDONLY | O_CLOEXEC);
	do {
		more = 0;
		for (i = 0; i < 2; i++) {
			ssize_t n = read(fd[i], buf[i] + got[i],
					 len + 4 - got[i] < 50U + 31 * i ?
					 len + 4 - got[i] : 50U + 31 * i);

			if (n > 0) {
				got[i] += n;
				more = 1;
			}
		}
	} while (more);
	for (i = 0; i < 2; i++) {
		EXPECT_STREQ(self->whole, buf[i]);
		close(fd[i]);
		free(buf[i]);
	}
}

/* Counts the rows of the objects in @id: how many are there exactly once. */
static int rows_once(char *text, const __u64 *id, int n, const char *skip)
{
	unsigned char *seen = calloc(n, 1);
	int once = 0, i;
	char *line, *rest;

	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		unsigned long long have = 0;
		int low = 0, high = n;

		if (sscanf(line, "%*u %llu ", &have) != 1)
			continue;
		while (low < high) {
			int mid = (low + high) / 2;

			if (id[mid] < have)
				low = mid + 1;
			else
				high = mid;
		}
		if (low < n && id[low] == have && seen[low] < 9)
			seen[low]++;
	}
	for (i = 0; i < n; i++)
		if (!skip || !skip[i])
			once += seen[i] == 1;
	free(seen);
	return once;
}

static int by_id(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

TEST_F(table, five_thousand_objects)
{
	__u64 *id = calloc(MANY, sizeof(*id));
	int fd = ro_open(), i;

	for (i = 0; i < MANY; i++)
		ASSERT_EQ(1, ro_create(fd, NULL, 0, 1, &id[i]));
	qsort(id, MANY, sizeof(*id), by_id);
	EXPECT_EQ(MANY, rows_once(slurp(OBJECTS, 3000), id, MANY, NULL));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, rows_once(slurp(OBJECTS, 3000), id, MANY, NULL));
	free(id);
}

/* Between two reads half of the objects die and others come. */
TEST_F(table, changes_while_it_is_read)
{
	int fd = ro_open(), file, i, alive = 0;
	char *text, gone[1000] = { };
	size_t room = 1 << 20, len = 0;
	__u64 id[1000];
	ssize_t n;

	for (i = 0; i < 1000; i++)
		ASSERT_EQ(1, ro_create(fd, NULL, 0, 1, &id[i]));
	qsort(id, 1000, sizeof(*id), by_id);
	text = calloc(1, room);
	file = open(OBJECTS, O_RDONLY | O_CLOEXEC);
	for (i = 0; i < 1000; i++) {
		if (len < room / 2 && i % 50 == 0) {
			n = read(file, text + len, 800);
			EXPECT_LT(0, n);
			len += n;
		}
		gone[i] = (i * 7) % 3 == 0;
		if (gone[i]) {
			EXPECT_EQ(1, ro_release(fd, id[i], 1));
			EXPECT_EQ(1, ro_create(fd, NULL, 0, 1, NULL));
		} else {
			alive++;
		}
	}
	while ((n = read(file, text + len, room - 1 - len)) > 0)
		len += n;
	EXPECT_EQ(0, n);
	close(file);
	EXPECT_EQ(alive, rows_once(text, id, 1000, gone));
	free(text);
	EXPECT_EQ(0, close(fd));
}

TEST_HARNESS_MAIN
