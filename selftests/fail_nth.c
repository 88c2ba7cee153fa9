// SPDX-License-Identifier: GPL-2.0-only
/*
 * No memory, and results that cannot be written: each call is made with the
 * first, second, third... allocation (or copy from or to the caller) of the
 * kernel failing, until none is left to fail. A call that fails says ENOMEM (or
 * EFAULT) and has changed nothing, loses nothing, and succeeds when it is made
 * again.
 *
 * The first half needs fault injection in the kernel, which distributions leave
 * out (see config); the second, with pages that cannot be written, does not.
 */
#define _GNU_SOURCE
#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define FAIL_NTH	"/proc/self/fail-nth"
#define POINTS_MAX	400	/* no call has as many places to fail */
#define HOLDERS		3

/* How the faults are to be: those of fail-nth do not depend on probability. */
static const struct setting {
	const char *path, *value;
	bool required;
} settings[] = {
	{ "/sys/kernel/debug/failslab/ignore-gfp-wait", "N", true },
	{ "/sys/kernel/debug/failslab/cache-filter", "N", false },
	{ "/sys/kernel/debug/failslab/verbose", "0", true },
	{ "/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N", false },
	{ "/sys/kernel/debug/fail_page_alloc/min-order", "0", false },
	{ "/sys/kernel/debug/fail_page_alloc/verbose", "0", false },
	{ "/sys/kernel/debug/fail_usercopy/verbose", "0", false },
};

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static int read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	text[n > 0 ? n : 0] = 0;
	close(fd);
	return n < 0 ? -errno : 0;
}

/*
 * The world that a call is made in, anew for each
 */
struct world {
	int s;			/* the session that calls */
	int empty;		/* another, that holds nothing */
	int others[HOLDERS];	/* they hold @theirs */
	int extra;		/* what the call opened, or -1 */
	int file;		/* opened for the call to read, or -1 */
	__u64 held, idle, theirs;
};

static int world_make(struct world *w)
{
	int i, ret;

	memset(w, 0, sizeof(*w));
	w->extra = -1;
	w->file = -1;
	w->s = ro_open();
	w->empty = ro_open();
	if (w->s < 0 || w->empty < 0)
		return -ENODEV;
	ret = ro_create(w->s, "held", 0, 3, &w->held) != 1 ||
	      ro_create(w->s, "idle", REFOBJ_PERSISTENT, 0, &w->idle) ||
	      ro_set_why(w->s, 0, "why the session") ||
	      ro_set_why(w->s, w->held, "why the reference");
	for (i = 0; i < HOLDERS; i++) {
		w->others[i] = ro_open();
		if (w->others[i] < 0)
			return -ENODEV;
		ret |= ro_attach(w->others[i], "theirs", 0, 2, &w->theirs,
				 NULL) < 0;
	}
	return ret ? -EIO : 0;
}

static void world_end(struct world *w)
{
	int i;

	if (w->extra >= 0)
		close(w->extra);
	if (w->file >= 0)
		close(w->file);
	ro_release_all(w->empty, 0);
	if (w->s >= 0)
		ro_release_all(w->s, 0);
	ro_destroy(w->empty, w->idle);
	close(w->empty);
	if (w->s >= 0)
		close(w->s);
	for (i = 0; i < HOLDERS; i++)
		close(w->others[i]);
}

/* All that a call might change. */
struct snapshot {
	struct refobj_stat held, idle, theirs, theirs_too;
	struct refobj_holder holder[HOLDERS + 2];
	__u64 objects_used, bytes_used;
	long long objects, sessions, references;
	int holders, found, walked;
	char fdinfo[256];
};

static void look(struct world *w, struct snapshot *s)
{
	struct refobj_info info = { .size = sizeof(info) };
	struct refobj_stat st = { .id = 0 };
	char path[40], text[512], *ours;
	int other = w->others[0];
	__u64 id;

	memset(s, 0, sizeof(*s));
	ro_ioctl(other, REFOBJ_IOC_INFO, &info);
	s->objects_used = info.objects_used;
	s->bytes_used = info.bytes_used;
	s->objects = ro_debugfs_stat("objects");
	s->sessions = ro_debugfs_stat("sessions");
	s->references = ro_debugfs_stat("references");
	ro_stat(w->s < 0 ? other : w->s, w->held, &s->held);
	ro_stat(other, w->idle, &s->idle);
	ro_stat(w->s < 0 ? other : w->s, w->theirs, &s->theirs);
	ro_stat(w->empty, w->theirs, &s->theirs_too);
	s->holders = ro_holders(other, w->held, s->holder, 1, NULL);
	s->holders += 10 * ro_holders(other, w->theirs, s->holder + 1,
				      HOLDERS + 1, NULL);
	s->found = ro_lookup(other, "new", &id);
	for (;;) {
		__u64 last = st.id;

		memset(&st, 0, sizeof(st));
		st.size = sizeof(st);
		st.flags = REFOBJ_STAT_NEXT;
		st.id = last;
		if (ro_ioctl(other, REFOBJ_IOC_STAT, &st))
			break;
		s->walked++;
	}
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", w->s);
	if (w->s >= 0 && !read_file(path, text, sizeof(text))) {
		ours = strstr(text, "refobj-");
		snprintf(s->fdinfo, sizeof(s->fdinfo), "%s", ours ?: "?");
	}
}

/*
 * The calls: what the kernel said, or -errno
 */

static int do_open(struct world *w)
{
	w->extra = open(REFOBJ_DEV, O_RDWR | O_CLOEXEC);
	return w->extra < 0 ? -errno : 0;
}

/* By a uid that has no account yet. Group 0 is what opens the device node. */
static int do_open_as_another(struct world *w)
{
	int ret;

	if (seteuid(4321))
		return -errno;
	ret = do_open(w);
	/* It needs memory too, which fails once. */
	if (seteuid(0) && seteuid(0))
		abort();
	return ret;
}

/* Cannot fail, and ends all that the session held. */
static int do_close(struct world *w)
{
	int ret = close(w->s) ? -errno : 0;

	w->s = -1;
	return ret;
}

static int do_info(struct world *w)
{
	struct refobj_info info = { .size = sizeof(info) };

	return ro_ioctl(w->s, REFOBJ_IOC_INFO, &info);
}

static int create(int fd, const char *name, const char *type,
		  unsigned int flags, unsigned int initial)
{
	struct refobj_create c = {
		.size = sizeof(c), .flags = flags, .initial = initial,
	};

	strncpy(c.name, name, sizeof(c.name) - 1);
	strncpy(c.type, type, sizeof(c.type) - 1);
	return ro_ioctl(fd, REFOBJ_IOC_CREATE, &c);
}

static int do_create_named(struct world *w)
{
	return create(w->s, "new", "type", 0, 5);
}

static int do_create_anonymous(struct world *w)
{
	return create(w->empty, "", "", 0, 500);
}

static int do_create_idle(struct world *w)
{
	return create(w->s, "new", "", REFOBJ_PERSISTENT, 0);
}

static int do_attach_new(struct world *w)
{
	return ro_attach(w->empty, "new", 0, 2, NULL, NULL);
}

static int do_attach_existing(struct world *w)
{
	return ro_attach(w->empty, "theirs", 0, 2, NULL, NULL);
}

static int do_attach_idle(struct world *w)
{
	return ro_attach(w->s, "idle", REFOBJ_ATTACH_EXISTING, 300, NULL, NULL);
}

static int do_attach_held(struct world *w)
{
	return ro_attach(w->s, "held", 0, 2, NULL, NULL);
}

static int do_lookup(struct world *w)
{
	__u64 id;

	return ro_lookup(w->s, "theirs", &id);
}

static int do_acquire_new(struct world *w)
{
	return ro_acquire(w->empty, w->theirs, 2, 0);
}

static int do_acquire_idle(struct world *w)
{
	return ro_acquire(w->empty, w->idle, 1000, 0);
}

static int do_acquire_held(struct world *w)
{
	return ro_acquire(w->s, w->held, 2, 0);
}

static int do_release(struct world *w)
{
	return ro_release(w->s, w->held, 2);
}

static int do_release_last(struct world *w)
{
	return ro_release(w->s, w->held, 3);
}

static int do_release_all(struct world *w)
{
	return ro_release_all(w->s, w->held);
}

static int do_release_session(struct world *w)
{
	return ro_release_all(w->s, 0);
}

static int do_stat(struct world *w)
{
	struct refobj_stat st;

	return ro_stat(w->s, w->theirs, &st);
}

static int do_stat_next(struct world *w)
{
	struct refobj_stat st = {
		.size = sizeof(st), .flags = REFOBJ_STAT_NEXT,
	};

	return ro_ioctl(w->s, REFOBJ_IOC_STAT, &st);
}

static int do_holders(struct world *w)
{
	struct refobj_holder holder[HOLDERS];

	return ro_holders(w->s, w->theirs, holder, HOLDERS, NULL);
}

static int do_destroy(struct world *w)
{
	return ro_destroy(w->s, w->idle);
}

static int do_set_why_session(struct world *w)
{
	return ro_set_why(w->s, 0, "another reason");
}

static int do_set_why_reference(struct world *w)
{
	return ro_set_why(w->s, w->held, "another reason");
}

static int do_set_why_none(struct world *w)
{
	return ro_set_why(w->s, w->held, "");
}

/* Looking /proc/PID up has errors of its own: the file is opened before. */
static int prepare_fdinfo(struct world *w)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", w->s);
	w->file = open(path, O_RDONLY | O_CLOEXEC);
	return w->file < 0 ? -errno : 0;
}

static int do_fdinfo(struct world *w)
{
	char text[512];

	return pread(w->file, text, sizeof(text), 0) < 0 ? -errno : 0;
}

static int do_debugfs(const char *path)
{
	char text[4096];
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret = 0;

	if (fd >= 0)
		n = read(fd, text, sizeof(text));
	if (n < 0)
		ret = -errno;
	if (fd >= 0)
		close(fd);
	return ret;
}

static int do_debugfs_stats(struct world *w)
{
	return do_debugfs(REFOBJ_DEBUGFS "/stats");
}

static int do_debugfs_objects(struct world *w)
{
	return do_debugfs(REFOBJ_DEBUGFS "/objects");
}

static int do_debugfs_sessions(struct world *w)
{
	return do_debugfs(REFOBJ_DEBUGFS "/sessions");
}

/* In a registry that has nothing yet. */
static int prepare_registry(struct world *w)
{
	if (unshare(CLONE_NEWNET))
		return -errno;
	w->extra = ro_open();
	return w->extra < 0 ? w->extra : 0;
}

static int do_create_first(struct world *w)
{
	return create(w->extra, "first", "type", 0, 1);
}

static int do_attach_first(struct world *w)
{
	return ro_attach(w->extra, "first", 0, 1, NULL, NULL);
}

/*
 * fail-nth
 */

/* What the world came from, and must come back to. */
struct base {
	struct refobj_info info;
	long long objects, sessions, references;
};

static void base_look(int fd, struct base *base)
{
	memset(base, 0, sizeof(*base));
	base->info.size = sizeof(base->info);
	ro_ioctl(fd, REFOBJ_IOC_INFO, &base->info);
	base->objects = ro_debugfs_stat("objects");
	base->sessions = ro_debugfs_stat("sessions");
	base->references = ro_debugfs_stat("references");
}

/* The next @n-th place to fail fails; 0 disarms. */
static int arm(int fail_nth, unsigned int n)
{
	char text[12];
	int len = snprintf(text, sizeof(text), "%u", n);

	return pwrite(fail_nth, text, len, 0) == len ? 0 : -errno;
}

/*
 * Disarms: 1 if something has failed, 0 if not, or -errno. To look, and to
 * disarm, may be what fails: then nothing had.
 */
static int disarm(int fail_nth)
{
	char text[12] = "";
	int ret = 1;

	if (pread(fail_nth, text, sizeof(text) - 1, 0) < 0) {
		if (errno != EFAULT && errno != ENOMEM)
			return -errno;
		ret = 0;
	} else if (text[0] != '0') {
		ret = 0;
	}
	if (arm(fail_nth, 0) && arm(fail_nth, 0))
		return -EIO;
	return ret;
}

FIXTURE(fail_nth)
{
	char saved[RO_ARRAY_SIZE(settings)][16];
	bool set[RO_ARRAY_SIZE(settings)];
	int fd, observer;
};

FIXTURE_VARIANT(fail_nth)
{
	int (*prepare)(struct world *w);
	int (*call)(struct world *w);
	int result;		/* of success */
	bool changes;		/* something that can be seen */
	bool never_fails;
};

#define CALL(_name, _result, ...)					\
	FIXTURE_VARIANT_ADD(fail_nth, _name)				\
	{								\
		.call = do_##_name, .result = (_result), __VA_ARGS__	\
	}

#define CHANGES .changes = true

CALL(open, 0, CHANGES);
CALL(open_as_another, 0, CHANGES);
CALL(close, 0, CHANGES, .never_fails = true);
CALL(info, 0);
CALL(create_named, 1, CHANGES);
CALL(create_anonymous, 1, CHANGES);
CALL(create_idle, 0, CHANGES);
CALL(create_first, 1, CHANGES, .prepare = prepare_registry);
CALL(attach_new, 1, CHANGES);
CALL(attach_existing, 0, CHANGES);
CALL(attach_idle, 1, CHANGES);
CALL(attach_held, 0, CHANGES);
CALL(attach_first, 1, CHANGES, .prepare = prepare_registry);
CALL(lookup, 0);
CALL(acquire_new, 0, CHANGES);
CALL(acquire_idle, 1, CHANGES);
CALL(acquire_held, 0, CHANGES);
CALL(release, 0, CHANGES);
CALL(release_last, 1, CHANGES);
CALL(release_all, 1, CHANGES);
CALL(release_session, 1, CHANGES);
CALL(stat, 0);
CALL(stat_next, 0);
CALL(holders, HOLDERS);
CALL(destroy, 0, CHANGES);
CALL(set_why_session, 0, CHANGES);
CALL(set_why_reference, 0, CHANGES);
CALL(set_why_none, 0, CHANGES);
CALL(fdinfo, 0, .prepare = prepare_fdinfo);
CALL(debugfs_stats, 0);
CALL(debugfs_objects, 0);
CALL(debugfs_sessions, 0);

FIXTURE_SETUP(fail_nth)
{
	const char *why = ro_obstacle();
	unsigned int i;

	self->fd = -1;
	if (why)
		SKIP(return, "%s", why);
	self->fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	if (self->fd < 0)
		SKIP(return, "no " FAIL_NTH
		     ": a kernel without fault injection (CONFIG_FAULT_INJECTION)");
	if (unshare(CLONE_NEWNET))
		SKIP(return, "no network namespaces");
	for (i = 0; i < RO_ARRAY_SIZE(settings); i++) {
		if (!read_file(settings[i].path, self->saved[i],
			       sizeof(self->saved[i])) &&
		    !write_file(settings[i].path, settings[i].value))
			self->set[i] = true;
		else if (settings[i].required)
			SKIP(return, "%s cannot be set: see config",
			     settings[i].path);
	}
	self->observer = ro_open();
	ASSERT_LE(0, self->observer);
}

FIXTURE_TEARDOWN(fail_nth)
{
	unsigned int i;

	if (self->fd >= 0)
		disarm(self->fd);
	for (i = 0; i < RO_ARRAY_SIZE(settings); i++)
		if (self->set[i])
			EXPECT_EQ(0, write_file(settings[i].path,
						self->saved[i]));
}

TEST_F_TIMEOUT(fail_nth, until_nothing_fails, 300)
{
	unsigned int n, refused = 0;
	struct snapshot before, after;
	struct base base, now;
	struct world w;
	int failed, ret;

	for (n = 1; n < POINTS_MAX; n++) {
		base_look(self->observer, &base);
		ASSERT_EQ(0, world_make(&w));
		if (variant->prepare)
			ASSERT_EQ(0, variant->prepare(&w));
		look(&w, &before);

		ASSERT_EQ(0, arm(self->fd, n));
		ret = variant->call(&w);
		failed = disarm(self->fd);
		ASSERT_LE(0, failed);

		look(&w, &after);
		if (ret < 0) {
			refused++;
			EXPECT_EQ(1, failed);
			EXPECT_FALSE(variant->never_fails);
			EXPECT_TRUE(ret == -ENOMEM || ret == -EFAULT)
				TH_LOG("%u: %s", n, strerror(-ret));
			EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)))
				TH_LOG("%u: failed, yet something changed",
				       n);
			ret = variant->call(&w);
			look(&w, &after);
		}
		EXPECT_EQ(variant->result, ret)
			TH_LOG("%u: %s", n,
			       failed ? "in spite of it, or again" :
					"nothing failed");
		EXPECT_EQ(variant->changes,
			  memcmp(&before, &after, sizeof(before)) != 0)
			TH_LOG("%u: succeeded, with a wrong effect", n);

		/* What create_idle made. */
		if (!ro_lookup(self->observer, "new", &w.theirs))
			ro_destroy(self->observer, w.theirs);
		world_end(&w);
		base_look(self->observer, &now);
		ASSERT_EQ(0, memcmp(&base, &now, sizeof(base)))
			TH_LOG("%u: left: %lld objects, %lld sessions, %lld references, %lld bytes",
			       n, now.objects - base.objects,
			       now.sessions - base.sessions,
			       now.references - base.references,
			       (long long)(now.info.bytes_used -
					   base.info.bytes_used));
		if (!failed)
			break;
	}
	EXPECT_GT(POINTS_MAX, n);
	TH_LOG("%u places to fail, of which %u refused the call", n - 1,
	       refused);
}

/*
 * Results that cannot be written, from each byte of the structure on
 */

enum rest { READ_ONLY, NOT_THERE, RESTS };

FIXTURE(copy_out)
{
	struct world w;
	struct base base;
	long page;
	char *mem;		/* two pages, the second writable or not */
	int observer;
};

FIXTURE_SETUP(copy_out)
{
	const char *why = ro_obstacle();

	if (why)
		SKIP(return, "%s", why);
	if (unshare(CLONE_NEWNET))
		SKIP(return, "no network namespaces");
	self->page = sysconf(_SC_PAGESIZE);
	self->mem = mmap(NULL, 2 * self->page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->mem);
	self->observer = ro_open();
	ASSERT_LE(0, self->observer);
	base_look(self->observer, &self->base);
	ASSERT_EQ(0, world_make(&self->w));
}

FIXTURE_TEARDOWN(copy_out)
{
	struct base now;
	__u64 id;

	if (!ro_lookup(self->observer, "new", &id))
		ro_destroy(self->observer, id);
	world_end(&self->w);
	base_look(self->observer, &now);
	EXPECT_EQ(0, memcmp(&self->base, &now, sizeof(now)));
}

/*
 * One call with only the first @there bytes of @arg writable; the rest can be
 * read. It is refused and changes nothing.
 */
static void refused(struct __test_metadata *_metadata,
		    FIXTURE_DATA(copy_out) * self, int fd, unsigned long cmd,
		    const void *arg, unsigned int there)
{
	char *at = self->mem + self->page - there;
	struct snapshot before, after;

	memcpy(at, arg, _IOC_SIZE(cmd));
	look(&self->w, &before);
	ASSERT_EQ(0, mprotect(self->mem + self->page, self->page, PROT_READ));
	EXPECT_EQ(-EFAULT, ro_ioctl(fd, cmd, at))
		TH_LOG("%u bytes can be written", there);
	look(&self->w, &after);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)))
		TH_LOG("%u bytes can be written: failed, yet something changed",
		       there);
	ASSERT_EQ(0, mprotect(self->mem + self->page, self->page,
			      PROT_READ | PROT_WRITE));
}

/* And then it succeeds. */
static void refused_at_each_byte(struct __test_metadata *_metadata,
				 FIXTURE_DATA(copy_out) * self, int fd,
				 unsigned long cmd, void *arg, int result)
{
	unsigned int there;

	for (there = 0; there < _IOC_SIZE(cmd); there++)
		refused(_metadata, self, fd, cmd, arg, there);
	EXPECT_EQ(result, ro_ioctl(fd, cmd, arg));
}

TEST_F_TIMEOUT(copy_out, info, 120)
{
	struct refobj_info arg = { .size = sizeof(arg) };

	refused_at_each_byte(_metadata, self, self->w.s, REFOBJ_IOC_INFO, &arg,
			     0);
}

TEST_F_TIMEOUT(copy_out, create, 120)
{
	struct refobj_create arg = {
		.size = sizeof(arg), .initial = 3, .name = "new", .type = "type",
	};

	refused_at_each_byte(_metadata, self, self->w.empty, REFOBJ_IOC_CREATE,
			     &arg, 1);
}

TEST_F_TIMEOUT(copy_out, create_idle, 120)
{
	struct refobj_create arg = {
		.size = sizeof(arg), .flags = REFOBJ_PERSISTENT, .name = "new",
	};

	refused_at_each_byte(_metadata, self, self->w.s, REFOBJ_IOC_CREATE,
			     &arg, 0);
}

TEST_F_TIMEOUT(copy_out, attach_new, 120)
{
	struct refobj_attach arg = {
		.size = sizeof(arg), .count = 3, .name = "new",
	};

	refused_at_each_byte(_metadata, self, self->w.empty, REFOBJ_IOC_ATTACH,
			     &arg, 1);
}

TEST_F_TIMEOUT(copy_out, attach_existing, 120)
{
	struct refobj_attach arg = {
		.size = sizeof(arg), .count = 3, .name = "theirs",
	};

	refused_at_each_byte(_metadata, self, self->w.empty, REFOBJ_IOC_ATTACH,
			     &arg, 0);
}

TEST_F_TIMEOUT(copy_out, attach_idle, 120)
{
	struct refobj_attach arg = {
		.size = sizeof(arg), .count = 3, .name = "idle",
	};

	refused_at_each_byte(_metadata, self, self->w.s, REFOBJ_IOC_ATTACH,
			     &arg, 1);
}

TEST_F_TIMEOUT(copy_out, lookup, 120)
{
	struct refobj_lookup arg = { .size = sizeof(arg), .name = "theirs" };

	refused_at_each_byte(_metadata, self, self->w.s, REFOBJ_IOC_LOOKUP,
			     &arg, 0);
}

TEST_F_TIMEOUT(copy_out, stat, 120)
{
	struct refobj_stat arg = { .size = sizeof(arg), .id = self->w.held };

	refused_at_each_byte(_metadata, self, self->w.s, REFOBJ_IOC_STAT,
			     &arg, 0);
}

TEST_F_TIMEOUT(copy_out, stat_next, 120)
{
	struct refobj_stat arg = {
		.size = sizeof(arg), .flags = REFOBJ_STAT_NEXT,
	};

	refused_at_each_byte(_metadata, self, self->w.s, REFOBJ_IOC_STAT,
			     &arg, 0);
}

TEST_F_TIMEOUT(copy_out, holders, 120)
{
	struct refobj_holder records[HOLDERS];
	struct refobj_holders arg = {
		.size = sizeof(arg), .id = self->w.theirs,
		.records = (uintptr_t)records, .capacity = HOLDERS,
		.record_size = sizeof(records[0]),
	};

	refused_at_each_byte(_metadata, self, self->w.s, REFOBJ_IOC_HOLDERS,
			     &arg, 0);
}

/* The same of the records, cut, whole and filled up with zeros. */
static void records_refused(struct __test_metadata *_metadata,
			    FIXTURE_DATA(copy_out) * self, unsigned int size,
			    enum rest rest)
{
	unsigned int all = HOLDERS * size, there;
	char *second = self->mem + self->page;
	struct snapshot before, after;

	look(&self->w, &before);
	ASSERT_EQ(0, mprotect(second, self->page,
			      rest == READ_ONLY ? PROT_READ : PROT_NONE));
	for (there = 0; there <= all; there++) {
		struct refobj_holders arg = {
			.size = sizeof(arg), .id = self->w.theirs,
			.records = (uintptr_t)(second - there),
			.capacity = HOLDERS, .record_size = size,
		};

		EXPECT_EQ(there < all ? -EFAULT : 0,
			  ro_ioctl(self->w.s, REFOBJ_IOC_HOLDERS, &arg))
			TH_LOG("%u of %u bytes can be written", there, all);
	}
	look(&self->w, &after);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	ASSERT_EQ(0, mprotect(second, self->page, PROT_READ | PROT_WRITE));
}

TEST_F_TIMEOUT(copy_out, records_of_holders, 120)
{
	const unsigned int sizes[] = { 8, sizeof(struct refobj_holder), 200 };
	unsigned int i;
	int rest;

	for (i = 0; i < RO_ARRAY_SIZE(sizes); i++)
		for (rest = 0; rest < RESTS; rest++)
			records_refused(_metadata, self, sizes[i], rest);
	/* Readers that failed have left no mark: all can be let go. */
	for (i = 0; i < HOLDERS; i++)
		EXPECT_EQ(i == HOLDERS - 1,
			  ro_release_all(self->w.others[i], self->w.theirs));
}

TEST_HARNESS_MAIN
