// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one uid may have: objects, references, watches, and bytes of text and of
 * values. The limits are the module's parameters, which each test sets above what
 * the uid has already and which are restored whatever becomes of the test.
 */
#define _GNU_SOURCE
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/resource.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define PARAMETERS	"/sys/module/refobj/parameters/"
#define USER		65534	/* the uid and gid whose quota is tried */
#define STRANGER	65533
#define CACHE		64	/* what a session may keep charged, by INFO */

/* EVENTS is of each session, and not of a uid. */
enum quota { OBJECTS, REFERENCES, BYTES, WATCHES, QUOTAS, EVENTS = QUOTAS, LIMITS };

static const char * const parameter[LIMITS] = {
	[OBJECTS] = PARAMETERS "max_objects",
	[REFERENCES] = PARAMETERS "max_references",
	[BYTES] = PARAMETERS "max_bytes",
	[WATCHES] = PARAMETERS "max_watches",
	[EVENTS] = PARAMETERS "max_events",
};

static int read_parameter(enum quota q, char *text, int size)
{
	int fd = open(parameter[q], O_RDONLY | O_CLOEXEC), len;

	if (fd < 0)
		return -errno;
	len = read(fd, text, size - 1);
	close(fd);
	if (len <= 0)
		return -EIO;
	text[len] = 0;
	return 0;
}

static int write_parameter(enum quota q, const char *text)
{
	int fd = open(parameter[q], O_WRONLY | O_CLOEXEC), len = strlen(text);
	int ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, len) == len ? 0 : -errno;
	close(fd);
	return ret;
}

/*
 * A session of @uid, with @caps effective when it was opened, for the use of
 * this process, which stays root. Group 0 is what opens the device node.
 */
static int open_as(uid_t uid, __u64 caps)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2], now[2];
	const gid_t node = 0;
	int fd;

	if (setgroups(1, &node) || setresuid(uid, uid, 0) ||
	    syscall(SYS_capget, &head, data))
		return -errno;
	memcpy(now, data, sizeof(now));
	now[0].effective = caps & now[0].permitted;
	now[1].effective = caps >> 32 & now[1].permitted;
	if (syscall(SYS_capset, &head, now))
		return -errno;
	fd = ro_open();
	if (setresuid(0, 0, 0))
		abort();
	data[0].effective = data[0].permitted;
	data[1].effective = data[1].permitted;
	if (syscall(SYS_capset, &head, data))
		abort();
	return fd;
}

static __u64 used(int fd, enum quota q)
{
	struct refobj_info info = { .size = sizeof(info) };

	if (ro_ioctl(fd, REFOBJ_IOC_INFO, &info))
		return ~0ULL;
	switch (q) {
	case OBJECTS:
		return info.objects_used;
	case REFERENCES:
		return info.references_used;
	case BYTES:
		return info.bytes_used;
	default:
		return info.watches_used;
	}
}

static __u64 max(int fd, enum quota q)
{
	struct refobj_info info = { .size = sizeof(info) };

	if (ro_ioctl(fd, REFOBJ_IOC_INFO, &info))
		return 0;
	switch (q) {
	case OBJECTS:
		return info.objects_max;
	case REFERENCES:
		return info.references_max;
	case BYTES:
		return info.bytes_max;
	default:
		return info.watches_max;
	}
}

static int create_mode(int fd, const char *name, const char *type, __u32 mode,
		       __u32 flags, __u32 initial, __u64 *id)
{
	struct refobj_create c = {
		.size = sizeof(c), .flags = flags, .mode = mode,
		.initial = initial,
	};
	int ret;

	snprintf(c.name, sizeof(c.name), "%s", name);
	snprintf(c.type, sizeof(c.type), "%s", type);
	ret = ro_ioctl(fd, REFOBJ_IOC_CREATE, &c);
	if (id)
		*id = c.id;
	return ret;
}

static int create(int fd, const char *name, __u32 initial, __u64 *id)
{
	return create_mode(fd, name, "", 0666, 0, initial, id);
}

static int watch(int fd, __u64 id, unsigned int mask)
{
	struct refobj_watch a = { .size = sizeof(a), .id = id, .mask = mask };

	return ro_ioctl(fd, REFOBJ_IOC_WATCH, &a);
}

static int set_value(int fd, __u64 id, unsigned int length)
{
	static const char bytes[REFOBJ_VALUE_MAX] = { 1 };
	struct refobj_value a = {
		.size = sizeof(a), .id = id, .data = (uintptr_t)bytes,
		.length = length,
	};

	return ro_ioctl(fd, REFOBJ_IOC_SET_VALUE, &a);
}

static int value_length(int fd, __u64 id)
{
	struct refobj_value a = { .size = sizeof(a), .id = id };
	int ret = ro_ioctl(fd, REFOBJ_IOC_GET_VALUE, &a);

	return ret < 0 ? ret : (int)a.length;
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

static int import(int fd, int objfd, unsigned int n)
{
	struct refobj_import a = {
		.size = sizeof(a), .fd = objfd, .count = n,
	};

	return ro_ioctl(fd, REFOBJ_IOC_IMPORT, &a);
}

FIXTURE(quota) {
	char saved[LIMITS][32];
	__u64 base[QUOTAS];	/* what USER had before */
	int fd, second;		/* two sessions of USER */
	int stranger;
	int root;
};

FIXTURE_SETUP(quota)
{
	int q;

	if (geteuid())
		SKIP(return, "needs root, to set limits and act as others");
	if (access(REFOBJ_DEV, F_OK))
		SKIP(return, "no " REFOBJ_DEV ": load refobj.ko");
	if (unshare(CLONE_NEWNET))
		SKIP(return, "no network namespaces");
	self->root = ro_open();
	ASSERT_LE(0, self->root);
	self->fd = open_as(USER, 0);
	ASSERT_LE(0, self->fd);
	self->second = open_as(USER, 0);
	ASSERT_LE(0, self->second);
	self->stranger = open_as(STRANGER, 0);
	ASSERT_LE(0, self->stranger);
	for (q = 0; q < LIMITS; q++)
		ASSERT_EQ(0, read_parameter(q, self->saved[q],
					    sizeof(self->saved[q])));
	for (q = 0; q < QUOTAS; q++)
		self->base[q] = used(self->fd, q);
}

FIXTURE_TEARDOWN_PARENT(quota)
{
	int q;

	for (q = 0; q < LIMITS; q++)
		EXPECT_EQ(0, write_parameter(q, self->saved[q]));
}

/* Let USER have @more than before. */
static int allow(FIXTURE_DATA(quota) * self, enum quota q, __u64 more)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu",
		 (unsigned long long)(self->base[q] + more));
	return write_parameter(q, text);
}

/* How much more USER has than before. */
static __u64 more(FIXTURE_DATA(quota) * self, enum quota q)
{
	return used(self->second, q) - self->base[q];
}

/* Objects */

TEST_F(quota, objects_up_to_the_limit)
{
	__u64 id;

	ASSERT_EQ(0, allow(self, OBJECTS, 3));
	EXPECT_EQ(1, create(self->fd, "a", 1, NULL));
	EXPECT_EQ(1, create(self->second, "b", 1, NULL));
	EXPECT_EQ(1, create(self->fd, "", 1, NULL));
	EXPECT_EQ(-EDQUOT, create(self->fd, "c", 1, NULL));
	EXPECT_EQ(-EDQUOT, create(self->second, "", 1, NULL));
	EXPECT_EQ(-EDQUOT, ro_create(self->fd, "c", REFOBJ_PERSISTENT, 0, &id));
	EXPECT_EQ(-EDQUOT, ro_attach(self->fd, "c", 0, 1, NULL, NULL));
	EXPECT_EQ(-ENOENT, ro_lookup(self->fd, "c", &id));
	EXPECT_EQ(3, more(self, OBJECTS));
}

TEST_F(quota, objects_at_the_limit_can_be_attached_and_acquired)
{
	__u64 id;

	ASSERT_EQ(0, allow(self, OBJECTS, 1));
	ASSERT_EQ(1, create(self->fd, "a", 1, &id));
	EXPECT_EQ(0, ro_attach(self->second, "a", 0, 1, NULL, NULL));
	EXPECT_EQ(0, ro_acquire(self->second, id, 1, 0));
}

TEST_F(quota, objects_are_given_back_by_the_last_release)
{
	__u64 id;

	ASSERT_EQ(0, allow(self, OBJECTS, 1));
	ASSERT_EQ(1, create(self->fd, "a", 2, &id));
	EXPECT_EQ(0, ro_release(self->fd, id, 1));
	EXPECT_EQ(-EDQUOT, create(self->second, "b", 1, NULL));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(0, more(self, OBJECTS));
	EXPECT_EQ(1, create(self->second, "b", 1, NULL));
}

TEST_F(quota, objects_are_given_back_by_destroy)
{
	__u64 id;

	ASSERT_EQ(0, allow(self, OBJECTS, 1));
	ASSERT_EQ(0, ro_create(self->fd, "a", REFOBJ_PERSISTENT, 0, &id));
	EXPECT_EQ(-EDQUOT, create(self->second, "b", 1, NULL));
	EXPECT_EQ(0, ro_destroy(self->root, id));
	EXPECT_EQ(0, more(self, OBJECTS));
	EXPECT_EQ(1, create(self->second, "b", 1, NULL));
}

TEST_F(quota, objects_are_given_back_by_closing)
{
	ASSERT_EQ(0, allow(self, OBJECTS, 2));
	ASSERT_EQ(1, create(self->fd, "a", 1, NULL));
	ASSERT_EQ(1, create(self->fd, "b", 70, NULL));
	EXPECT_EQ(-EDQUOT, create(self->second, "c", 1, NULL));
	close(self->fd);
	EXPECT_EQ(0, more(self, OBJECTS));
	EXPECT_EQ(0, more(self, REFERENCES));
	EXPECT_EQ(0, more(self, BYTES));
	EXPECT_EQ(1, create(self->second, "c", 1, NULL));
}

TEST_F(quota, persistent_objects_stay_charged_without_their_session)
{
	__u64 id;

	ASSERT_EQ(0, ro_create(self->fd, "a", REFOBJ_PERSISTENT, 0, &id));
	close(self->fd);
	EXPECT_EQ(1, more(self, OBJECTS));
	EXPECT_EQ(1, more(self, BYTES));
	ASSERT_EQ(0, ro_destroy(self->root, id));
	EXPECT_EQ(0, more(self, OBJECTS));
	EXPECT_EQ(0, more(self, BYTES));
}

TEST_F(quota, persistent_objects_stay_charged_without_any_session)
{
	__u64 id;
	int fd;

	ASSERT_EQ(0, ro_create(self->fd, "a", REFOBJ_PERSISTENT, 0, &id));
	close(self->fd);
	close(self->second);
	fd = open_as(USER, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(self->base[OBJECTS] + 1, used(fd, OBJECTS));
	ASSERT_EQ(0, ro_destroy(self->root, id));
	EXPECT_EQ(self->base[OBJECTS], used(fd, OBJECTS));
}

TEST_F(quota, objects_are_their_creators_and_references_their_holders)
{
	__u64 before = used(self->stranger, REFERENCES);
	__u64 id;

	ASSERT_EQ(1, create(self->fd, "a", 1, &id));
	ASSERT_EQ(0, ro_acquire(self->stranger, id, 5, 0));
	EXPECT_EQ(before + 5, used(self->stranger, REFERENCES));
	ASSERT_EQ(0, ro_release(self->fd, id, 1));
	close(self->fd);
	EXPECT_EQ(1, more(self, OBJECTS));
	EXPECT_EQ(0, more(self, REFERENCES));
	ASSERT_EQ(1, ro_release(self->stranger, id, 5));
	EXPECT_EQ(0, more(self, OBJECTS));
	EXPECT_EQ(0, more(self, BYTES));
}

/* References */

TEST_F(quota, references_up_to_the_limit)
{
	__u64 id;

	ASSERT_EQ(0, allow(self, REFERENCES, 10));
	ASSERT_EQ(1, create(self->fd, "a", 4, &id));
	EXPECT_EQ(-EDQUOT, ro_acquire(self->fd, id, 7, 0));
	EXPECT_EQ(0, ro_acquire(self->fd, id, 5, 0));
	EXPECT_EQ(0, ro_acquire(self->second, id, 1, 0));
	EXPECT_EQ(-EDQUOT, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(-EDQUOT, ro_acquire(self->second, id, 1, 0));
	EXPECT_EQ(-EDQUOT, ro_acquire(self->fd, id, REFOBJ_COUNT_MAX, 0));
	EXPECT_EQ(-EDQUOT, ro_attach(self->fd, "a", 0, 1, NULL, NULL));
	EXPECT_EQ(10, ro_users(self->fd, id));
	EXPECT_EQ(10, more(self, REFERENCES));
}

TEST_F(quota, references_of_the_largest_steps)
{
	__u64 id;

	ASSERT_EQ(0, allow(self, REFERENCES, 3 * REFOBJ_COUNT_MAX));
	ASSERT_EQ(1, create(self->fd, "a", REFOBJ_COUNT_MAX, &id));
	EXPECT_EQ(0, ro_acquire(self->fd, id, REFOBJ_COUNT_MAX, 0));
	EXPECT_EQ(0, ro_acquire(self->second, id, REFOBJ_COUNT_MAX, 0));
	EXPECT_EQ(-EDQUOT, ro_acquire(self->second, id, 1, 0));
	EXPECT_EQ(0, ro_release(self->fd, id, REFOBJ_COUNT_MAX));
	EXPECT_EQ(0, ro_acquire(self->second, id, REFOBJ_COUNT_MAX, 0));
	EXPECT_EQ(-EDQUOT, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(3 * REFOBJ_COUNT_MAX, ro_users(self->fd, id));
}

TEST_F(quota, create_beyond_the_references_makes_no_object)
{
	__u64 id;

	ASSERT_EQ(0, allow(self, REFERENCES, 10));
	EXPECT_EQ(-EDQUOT, create(self->fd, "a", 11, NULL));
	EXPECT_EQ(-EDQUOT, ro_create(self->fd, "a", REFOBJ_PERSISTENT, 11, &id));
	EXPECT_EQ(-ENOENT, ro_lookup(self->fd, "a", &id));
	EXPECT_EQ(0, more(self, OBJECTS));
	EXPECT_EQ(0, more(self, BYTES));
	EXPECT_EQ(1, create(self->fd, "a", 10, NULL));
}

TEST_F(quota, attach_beyond_the_references_makes_no_object)
{
	__u64 id;

	ASSERT_EQ(0, allow(self, REFERENCES, 10));
	EXPECT_EQ(-EDQUOT, ro_attach(self->fd, "a", 0, 11, NULL, NULL));
	EXPECT_EQ(-ENOENT, ro_lookup(self->fd, "a", &id));
	EXPECT_EQ(0, more(self, OBJECTS));
	EXPECT_EQ(0, more(self, BYTES));
	EXPECT_EQ(1, ro_attach(self->fd, "a", 0, 10, NULL, NULL));
}

/* A first acquire that is refused does not activate. */
TEST_F(quota, acquire_beyond_the_references_leaves_an_object_idle)
{
	struct refobj_stat st;
	__u64 id;

	ASSERT_EQ(0, allow(self, REFERENCES, 10));
	ASSERT_EQ(0, ro_create(self->fd, "a", REFOBJ_PERSISTENT, 0, &id));
	EXPECT_EQ(-EDQUOT, ro_acquire(self->fd, id, 11, 0));
	EXPECT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(REFOBJ_STATE_IDLE, st.state);
	EXPECT_EQ(0, st.users);
	EXPECT_EQ(0, st.activations);
	EXPECT_EQ(0, st.holders);
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(quota, released_references_can_be_acquired_again)
{
	__u64 id;

	ASSERT_EQ(0, allow(self, REFERENCES, 10));
	ASSERT_EQ(1, create(self->fd, "a", 10, &id));
	EXPECT_EQ(-EDQUOT, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(0, ro_release(self->fd, id, 3));
	EXPECT_EQ(0, ro_acquire(self->fd, id, 3, 0));
	EXPECT_EQ(-EDQUOT, ro_acquire(self->fd, id, 1, 0));
}

/* What a session keeps charged is nobody's loss. */
TEST_F(quota, released_references_can_be_acquired_by_another_session)
{
	unsigned int n;
	__u64 id;

	ASSERT_EQ(1, ro_create(self->root, "a", 0, 1, &id));
	ASSERT_EQ(0, allow(self, REFERENCES, 2 * CACHE));
	for (n = 1; n <= 2 * CACHE; n++) {
		ASSERT_EQ(1, create(self->fd, "b", n, &id));
		ASSERT_EQ(1, ro_release(self->fd, id, n));
		ASSERT_EQ(1, create(self->second, "b", 2 * CACHE, &id));
		ASSERT_EQ(-EDQUOT, ro_acquire(self->fd, id, 1, 0));
		ASSERT_EQ(1, ro_release(self->second, id, 2 * CACHE));
	}
}

TEST_F(quota, references_kept_by_many_sessions_are_given_back)
{
	int fds[16], i;
	__u64 id;

	ASSERT_EQ(0, allow(self, REFERENCES, 16 * CACHE));
	for (i = 0; i < 16; i++) {
		fds[i] = open_as(USER, 0);
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(1, create(fds[i], "a", CACHE, &id));
		ASSERT_EQ(1, ro_release(fds[i], id, CACHE));
	}
	EXPECT_GE(16 * CACHE, more(self, REFERENCES));
	EXPECT_EQ(1, create(self->fd, "a", 16 * CACHE, &id));
	EXPECT_EQ(16 * CACHE, more(self, REFERENCES));
	EXPECT_EQ(-EDQUOT, ro_acquire(fds[0], id, 1, 0));
	for (i = 0; i < 16; i++)
		close(fds[i]);
}

TEST_F(quota, a_session_keeps_no_more_than_told)
{
	__u64 id;

	ASSERT_EQ(1, create(self->fd, "a", 1000, &id));
	EXPECT_EQ(1000, more(self, REFERENCES));
	ASSERT_EQ(0, ro_release(self->fd, id, 900));
	EXPECT_LE(100, more(self, REFERENCES));
	EXPECT_GE(100 + CACHE, more(self, REFERENCES));
	ASSERT_EQ(1, ro_release(self->fd, id, 100));
	EXPECT_GE(CACHE, more(self, REFERENCES));
	close(self->fd);
	EXPECT_EQ(0, more(self, REFERENCES));
}

static void nothing(int sig)
{
}

struct creation {
	struct refobj_create *args;
	int fd;
	int ret;
};

static void *create_in_a_trap(void *arg)
{
	struct creation *c = arg;

	c->ret = ro_ioctl(c->fd, REFOBJ_IOC_CREATE, c->args);
	return NULL;
}

/* A signal that comes in the middle of the call is no reason to refuse it. */
TEST_F(quota, references_kept_are_given_back_in_spite_of_a_signal)
{
	struct sigaction sa = { .sa_handler = nothing };
	struct creation c = { .fd = self->fd };
	pthread_t thread;
	struct ro_trap trap;
	void *page;
	__u64 id;
	int ret;

	ret = ro_trap_open(&trap, 1, true);
	if (!ret) {
		c.args = trap.mem;
		*c.args = (struct refobj_create) {
			.size = sizeof(*c.args), .initial = 20,
		};
		ret = ro_trap_set(&trap);
	}
	if (ret)
		SKIP(return, "no such userfaultfd: %s", strerror(-ret));
	ASSERT_EQ(0, allow(self, REFERENCES, 30));
	ASSERT_EQ(1, create(self->second, "", 30, &id));
	ASSERT_EQ(0, ro_release(self->second, id, 29));
	ASSERT_EQ(30, more(self, REFERENCES));

	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, create_in_a_trap, &c));
	page = ro_trap_wait(&trap);
	ASSERT_NE(NULL, page);
	/* Pending from now on, until the call is over. */
	EXPECT_EQ(0, pthread_kill(thread, SIGUSR1));
	EXPECT_EQ(0, ro_trap_let(&trap, page));
	EXPECT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(1, c.ret);
	EXPECT_EQ(21, more(self, REFERENCES));
}

TEST_F(quota, references_are_given_back_by_release_all)
{
	__u64 id;

	ASSERT_EQ(0, allow(self, REFERENCES, 300));
	ASSERT_EQ(1, create(self->fd, "a", 200, &id));
	ASSERT_EQ(1, create(self->fd, "b", 100, NULL));
	EXPECT_EQ(1, ro_release_all(self->fd, id));
	EXPECT_EQ(1, create(self->second, "a", 200, NULL));
	EXPECT_EQ(1, ro_release_all(self->second, 0));
	EXPECT_EQ(1, ro_release_all(self->fd, 0));
	EXPECT_EQ(1, create(self->second, "a", 300, NULL));
}

TEST_F(quota, edges_are_references_of_who_made_them)
{
	__u64 id, dep, before = used(self->stranger, REFERENCES);

	ASSERT_EQ(0, allow(self, REFERENCES, 3));
	ASSERT_EQ(1, create(self->fd, "a", 1, &id));
	ASSERT_EQ(1, create(self->fd, "b", 1, &dep));
	EXPECT_EQ(0, link_to(self->fd, REFOBJ_IOC_LINK, id, dep));
	EXPECT_EQ(3, more(self, REFERENCES));
	EXPECT_EQ(0, link_to(self->fd, REFOBJ_IOC_UNLINK, id, dep));
	EXPECT_EQ(2, more(self, REFERENCES));
	/* Another's edge is another's, and stays when its maker goes. */
	EXPECT_EQ(0, link_to(self->stranger, REFOBJ_IOC_LINK, id, dep));
	EXPECT_EQ(2, more(self, REFERENCES));
	EXPECT_EQ(before + 1, used(self->stranger, REFERENCES));
	EXPECT_EQ(0, ro_acquire(self->second, dep, 1, 0));
	EXPECT_EQ(-EDQUOT, link_to(self->fd, REFOBJ_IOC_LINK, dep, id));
	/* It goes with its owner. */
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(before, used(self->stranger, REFERENCES));
}

/* An edge that holds nothing is charged too: it may have to hold at any time. */
TEST_F(quota, edges_of_idle_objects_are_charged)
{
	__u64 id, dep;

	ASSERT_EQ(0, allow(self, REFERENCES, 1));
	ASSERT_EQ(0, ro_create(self->fd, "a", REFOBJ_PERSISTENT, 0, &id));
	ASSERT_EQ(0, ro_create(self->fd, "b", REFOBJ_PERSISTENT, 0, &dep));
	EXPECT_EQ(0, link_to(self->fd, REFOBJ_IOC_LINK, id, dep));
	EXPECT_EQ(1, more(self, REFERENCES));
	EXPECT_EQ(-EDQUOT, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(0, ro_destroy(self->fd, dep));
	EXPECT_EQ(0, more(self, REFERENCES));
	EXPECT_EQ(1, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(quota, edge_beyond_the_references_is_not_made)
{
	struct refobj_stat st;
	__u64 id, dep;

	ASSERT_EQ(0, allow(self, REFERENCES, 1));
	ASSERT_EQ(1, create(self->fd, "a", 1, &id));
	ASSERT_EQ(0, ro_create(self->fd, "b", REFOBJ_PERSISTENT, 0, &dep));
	EXPECT_EQ(-EDQUOT, link_to(self->fd, REFOBJ_IOC_LINK, id, dep));
	EXPECT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(0, st.edges);
	EXPECT_EQ(0, ro_users(self->fd, dep));
	EXPECT_EQ(0, ro_destroy(self->fd, dep));
}

TEST_F(quota, object_descriptors_are_references)
{
	int fd, objfd;
	__u64 id;

	ASSERT_EQ(0, allow(self, REFERENCES, 2));
	ASSERT_EQ(1, create(self->fd, "a", 1, &id));
	objfd = export(self->fd, id);
	ASSERT_LE(0, objfd);
	EXPECT_EQ(2, more(self, REFERENCES));
	EXPECT_EQ(-EDQUOT, export(self->fd, id));
	EXPECT_EQ(-EDQUOT, import(self->second, objfd, 1));
	EXPECT_EQ(2, ro_users(self->fd, id));
	/* Its session's end is not its own. */
	close(self->fd);
	EXPECT_EQ(1, more(self, REFERENCES));
	EXPECT_EQ(1, more(self, OBJECTS));
	EXPECT_EQ(-EDQUOT, import(self->second, objfd, 2));
	EXPECT_EQ(0, import(self->second, objfd, 1));
	close(self->second);
	fd = open_as(USER, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(self->base[REFERENCES] + 1, used(fd, REFERENCES));
	close(objfd);
	EXPECT_EQ(self->base[REFERENCES], used(fd, REFERENCES));
	EXPECT_EQ(self->base[OBJECTS], used(fd, OBJECTS));
	close(fd);
}

/* The reserve that sessions keep is given back to edges and descriptors too. */
TEST_F(quota, references_kept_by_sessions_are_given_to_edges)
{
	__u64 id, dep, other;
	int objfd;

	ASSERT_EQ(0, allow(self, REFERENCES, CACHE));
	ASSERT_EQ(1, create(self->second, "a", CACHE, &other));
	ASSERT_EQ(1, ro_release(self->second, other, CACHE));
	ASSERT_EQ(1, create(self->root, "b", 1, &id));
	ASSERT_EQ(1, create(self->root, "c", 1, &dep));
	EXPECT_EQ(0, link_to(self->fd, REFOBJ_IOC_LINK, id, dep));
	EXPECT_EQ(1, more(self, REFERENCES));
	ASSERT_EQ(1, create(self->second, "a", CACHE - 1, &other));
	EXPECT_EQ(0, ro_release(self->second, other, CACHE - 2));
	objfd = export(self->second, other);
	ASSERT_LE(0, objfd);
	EXPECT_EQ(3, more(self, REFERENCES));
	close(objfd);
}

/* Watches */

TEST_F(quota, watches_up_to_the_limit)
{
	struct refobj_stat st;
	__u64 a, b, c;

	ASSERT_EQ(0, allow(self, WATCHES, 3));
	ASSERT_EQ(1, create(self->root, "a", 1, &a));
	ASSERT_EQ(1, create(self->root, "b", 1, &b));
	ASSERT_EQ(1, create(self->root, "c", 1, &c));
	EXPECT_EQ(0, watch(self->fd, a, REFOBJ_WATCH_ALL));
	EXPECT_EQ(0, watch(self->fd, b, REFOBJ_WATCH_ALL));
	EXPECT_EQ(0, watch(self->second, a, REFOBJ_WATCH_ALL));
	EXPECT_EQ(-EDQUOT, watch(self->fd, c, REFOBJ_WATCH_ALL));
	EXPECT_EQ(-EDQUOT, watch(self->second, c, REFOBJ_WATCH_ALL));
	EXPECT_EQ(3, more(self, WATCHES));
	EXPECT_EQ(0, ro_stat(self->fd, c, &st));
	EXPECT_EQ(0, st.watches);
	EXPECT_EQ(0, watch(self->stranger, c, REFOBJ_WATCH_ALL));
	EXPECT_EQ(0, watch(self->fd, b, 0));
	EXPECT_EQ(2, more(self, WATCHES));
	EXPECT_EQ(0, watch(self->second, c, REFOBJ_WATCH_ALL));
}

TEST_F(quota, watches_at_the_limit_can_be_replaced)
{
	__u64 id;
	int i;

	ASSERT_EQ(0, allow(self, WATCHES, 1));
	ASSERT_EQ(1, create(self->root, "a", 1, &id));
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(0, watch(self->fd, id, REFOBJ_WATCH_ALL));
		EXPECT_EQ(1, more(self, WATCHES));
	}
	ASSERT_EQ(0, allow(self, WATCHES, 0));
	EXPECT_EQ(0, watch(self->fd, id, REFOBJ_WATCH_DEFAULT));
	EXPECT_EQ(-EDQUOT, watch(self->second, id, REFOBJ_WATCH_DEFAULT));
	EXPECT_EQ(1, more(self, WATCHES));
}

/* The last record must have been read: until then there is something to keep. */
TEST_F(quota, watches_are_given_back_when_the_end_has_been_read)
{
	struct refobj_event event;
	__u64 id;

	ASSERT_EQ(0, allow(self, WATCHES, 1));
	ASSERT_EQ(1, create(self->fd, "a", 1, &id));
	EXPECT_EQ(0, watch(self->second, id,
			   REFOBJ_WATCH(REFOBJ_EVENT_DESTROYED)));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(sizeof(event), read(self->second, &event, sizeof(event)));
	EXPECT_EQ(REFOBJ_EVENT_SNAPSHOT, event.type);
	EXPECT_EQ(1, more(self, WATCHES));
	EXPECT_EQ(sizeof(event), read(self->second, &event, sizeof(event)));
	EXPECT_EQ(REFOBJ_EVENT_DESTROYED, event.type);
	EXPECT_EQ(0, more(self, WATCHES));
}

TEST_F(quota, watches_are_given_back_by_closing)
{
	__u64 a, b;

	ASSERT_EQ(0, allow(self, WATCHES, 2));
	ASSERT_EQ(1, create(self->root, "a", 1, &a));
	ASSERT_EQ(1, create(self->root, "b", 1, &b));
	EXPECT_EQ(0, watch(self->fd, a, REFOBJ_WATCH_ALL));
	EXPECT_EQ(0, watch(self->fd, b, REFOBJ_WATCH_ALL));
	EXPECT_EQ(1, ro_release(self->root, b, 1));
	EXPECT_EQ(2, more(self, WATCHES));
	close(self->fd);
	EXPECT_EQ(0, more(self, WATCHES));
	EXPECT_EQ(0, watch(self->second, a, REFOBJ_WATCH_ALL));
}

/* Not even who has no quota watches what too many watch. */
TEST_F_TIMEOUT(quota, watches_of_one_object, 120)
{
	struct rlimit many = { REFOBJ_WATCHES_MAX + 100,
			       REFOBJ_WATCHES_MAX + 100 };
	int *fds = calloc(REFOBJ_WATCHES_MAX, sizeof(*fds)), i;
	struct refobj_stat st;
	__u64 id;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &many));
	/* What they have not read takes room. */
	ASSERT_EQ(0, write_parameter(EVENTS, "16"));
	ASSERT_EQ(1, create(self->root, "a", 1, &id));
	for (i = 0; i < REFOBJ_WATCHES_MAX; i++) {
		fds[i] = ro_open();
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(0, watch(fds[i], id, REFOBJ_WATCH_DEFAULT));
	}
	EXPECT_EQ(-EDQUOT, watch(self->root, id, REFOBJ_WATCH_DEFAULT));
	EXPECT_EQ(0, watch(fds[7], id, REFOBJ_WATCH_ALL));
	EXPECT_EQ(0, ro_stat(self->root, id, &st));
	EXPECT_EQ(REFOBJ_WATCHES_MAX, st.watches);
	EXPECT_EQ(0, watch(fds[8], id, 0));
	EXPECT_EQ(0, watch(self->root, id, REFOBJ_WATCH_DEFAULT));
	EXPECT_EQ(1, ro_release(self->root, id, 1));
	for (i = 0; i < REFOBJ_WATCHES_MAX; i++)
		close(fds[i]);
	free(fds);
}

/* Bytes */

TEST_F(quota, bytes_of_values)
{
	__u64 id;

	ASSERT_EQ(1, create(self->fd, "", 1, &id));
	ASSERT_EQ(0, ro_acquire(self->stranger, id, 1, 0));
	EXPECT_EQ(0, set_value(self->fd, id, 10));
	EXPECT_EQ(10, more(self, BYTES));
	EXPECT_EQ(0, set_value(self->fd, id, 4));
	EXPECT_EQ(4, more(self, BYTES));
	EXPECT_EQ(0, set_value(self->stranger, id, REFOBJ_VALUE_MAX));
	EXPECT_EQ(0, more(self, BYTES));
	EXPECT_EQ(0, set_value(self->fd, id, 100));
	EXPECT_EQ(0, set_value(self->fd, id, 0));
	EXPECT_EQ(0, more(self, BYTES));
	EXPECT_EQ(0, set_value(self->fd, id, 7));
	/* Who set it has left: it is still there. */
	EXPECT_EQ(0, ro_release(self->fd, id, 1));
	EXPECT_EQ(7, more(self, BYTES));
	EXPECT_EQ(7, value_length(self->stranger, id));
	EXPECT_EQ(1, ro_release(self->stranger, id, 1));
	EXPECT_EQ(0, more(self, BYTES));
}

TEST_F(quota, a_value_beyond_the_limit_leaves_the_old_one)
{
	__u64 id;

	ASSERT_EQ(0, allow(self, BYTES, 10));
	ASSERT_EQ(1, create(self->fd, "", 1, &id));
	EXPECT_EQ(-EDQUOT, set_value(self->fd, id, 11));
	EXPECT_EQ(0, value_length(self->fd, id));
	EXPECT_EQ(0, set_value(self->fd, id, 5));
	EXPECT_EQ(-EDQUOT, set_value(self->fd, id, 11));
	EXPECT_EQ(5, value_length(self->fd, id));
	EXPECT_EQ(5, more(self, BYTES));
	EXPECT_EQ(0, set_value(self->fd, id, 4));
	EXPECT_EQ(4, more(self, BYTES));
	/* One takes the place of the other: they need not fit together. */
	EXPECT_EQ(0, set_value(self->fd, id, 10));
	EXPECT_EQ(0, set_value(self->fd, id, 9));
	EXPECT_EQ(9, more(self, BYTES));
}

TEST_F(quota, bytes_are_those_of_name_and_type)
{
	ASSERT_EQ(1, create_mode(self->fd, "name", "type!", 0, 0, 1, NULL));
	EXPECT_EQ(9, more(self, BYTES));
	ASSERT_EQ(1, create_mode(self->fd, "", "type!", 0, 0, 1, NULL));
	EXPECT_EQ(14, more(self, BYTES));
	ASSERT_EQ(1, create_mode(self->fd, "", "", 0, 0, 1, NULL));
	EXPECT_EQ(14, more(self, BYTES));
	ASSERT_EQ(1, create_mode(self->fd, "\xe2\x82\xac", "", 0, 0, 1, NULL));
	EXPECT_EQ(17, more(self, BYTES));
	EXPECT_EQ(4, ro_release_all(self->fd, 0));
	EXPECT_EQ(0, more(self, BYTES));
}

TEST_F(quota, bytes_up_to_the_limit)
{
	__u64 id;

	ASSERT_EQ(0, allow(self, BYTES, 10));
	EXPECT_EQ(-EDQUOT, create(self->fd, "elevenbytes", 1, NULL));
	EXPECT_EQ(-ENOENT, ro_lookup(self->fd, "elevenbytes", &id));
	EXPECT_EQ(0, more(self, OBJECTS));
	ASSERT_EQ(1, create_mode(self->fd, "eight888", "t2", 0, 0, 1, &id));
	EXPECT_EQ(-EDQUOT, create(self->second, "x", 1, NULL));
	EXPECT_EQ(-EDQUOT, ro_attach(self->second, "x", 0, 1, NULL, NULL));
	EXPECT_EQ(1, create(self->second, "", 1, NULL));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(1, create(self->second, "ten1010101", 1, NULL));
}

TEST_F(quota, bytes_of_reasons)
{
	__u64 id;

	ASSERT_EQ(1, create(self->fd, "", 2, &id));
	ASSERT_EQ(0, ro_set_why(self->fd, 0, "four"));
	EXPECT_EQ(4, more(self, BYTES));
	ASSERT_EQ(0, ro_set_why(self->fd, id, "seven77"));
	EXPECT_EQ(11, more(self, BYTES));
	ASSERT_EQ(0, ro_set_why(self->fd, 0, "six666"));
	EXPECT_EQ(13, more(self, BYTES));
	ASSERT_EQ(0, ro_set_why(self->fd, id, ""));
	EXPECT_EQ(6, more(self, BYTES));
	ASSERT_EQ(0, ro_set_why(self->fd, id, "again"));
	ASSERT_EQ(0, ro_release(self->fd, id, 1));
	EXPECT_EQ(11, more(self, BYTES));
	ASSERT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(6, more(self, BYTES));
	close(self->fd);
	EXPECT_EQ(0, more(self, BYTES));
}

TEST_F(quota, a_reason_beyond_the_limit_leaves_the_old_one)
{
	struct refobj_holder h;
	__u64 id;

	ASSERT_EQ(0, allow(self, BYTES, 10));
	ASSERT_EQ(1, create(self->fd, "", 1, &id));
	ASSERT_EQ(0, ro_set_why(self->fd, id, "because"));
	EXPECT_EQ(-EDQUOT, ro_set_why(self->fd, id, "eleven bytes"));
	EXPECT_EQ(-EDQUOT, ro_set_why(self->fd, 0, "four"));
	ASSERT_EQ(1, ro_holders(self->fd, id, &h, 1, NULL));
	EXPECT_STREQ("because", h.why);
	EXPECT_EQ(7, more(self, BYTES));
	EXPECT_EQ(0, ro_set_why(self->fd, 0, "3rd"));
	EXPECT_EQ(0, ro_set_why(self->fd, id, "shorter"));
	EXPECT_EQ(0, ro_set_why(self->fd, 0, ""));
	EXPECT_EQ(0, ro_set_why(self->fd, id, "ten 101010"));
}

/* Whose quota, and which */

TEST_F(quota, another_uid_is_not_touched)
{
	__u64 id;

	ASSERT_EQ(0, allow(self, OBJECTS, 1));
	ASSERT_EQ(0, allow(self, REFERENCES, 100));
	ASSERT_EQ(1, create(self->fd, "a", 100, &id));
	EXPECT_EQ(-EDQUOT, create(self->fd, "b", 1, NULL));
	EXPECT_EQ(-EDQUOT, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(0, ro_acquire(self->stranger, id, 1, 0));
	EXPECT_EQ(1, create(self->stranger, "b", 1, NULL));
}

TEST_F(quota, root_is_exempt)
{
	__u64 id;

	ASSERT_EQ(0, write_parameter(OBJECTS, "0"));
	ASSERT_EQ(0, write_parameter(REFERENCES, "0"));
	ASSERT_EQ(0, write_parameter(BYTES, "0"));
	ASSERT_EQ(0, write_parameter(WATCHES, "0"));
	EXPECT_EQ(1, create(self->root, "a", REFOBJ_COUNT_MAX, &id));
	EXPECT_EQ(0, ro_acquire(self->root, id, REFOBJ_COUNT_MAX, 0));
	EXPECT_EQ(0, ro_set_why(self->root, id, "because I can"));
	EXPECT_EQ(0, set_value(self->root, id, REFOBJ_VALUE_MAX));
	EXPECT_EQ(0, watch(self->root, id, REFOBJ_WATCH_ALL));
	EXPECT_EQ(REFOBJ_UNLIMITED, max(self->root, OBJECTS));
	EXPECT_EQ(REFOBJ_UNLIMITED, max(self->root, REFERENCES));
	EXPECT_EQ(REFOBJ_UNLIMITED, max(self->root, BYTES));
	EXPECT_EQ(REFOBJ_UNLIMITED, max(self->root, WATCHES));
}

TEST_F(quota, of_zero_allows_nothing)
{
	__u64 id;

	ASSERT_EQ(1, create(self->root, "a", 1, &id));
	ASSERT_EQ(0, write_parameter(REFERENCES, "0"));
	EXPECT_EQ(-EDQUOT, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(-EDQUOT, create(self->fd, "", 1, NULL));
	ASSERT_EQ(0, write_parameter(REFERENCES, self->saved[REFERENCES]));
	ASSERT_EQ(0, write_parameter(OBJECTS, "0"));
	EXPECT_EQ(-EDQUOT, create(self->fd, "", 1, NULL));
	ASSERT_EQ(0, write_parameter(OBJECTS, self->saved[OBJECTS]));
	ASSERT_EQ(0, write_parameter(BYTES, "0"));
	EXPECT_EQ(-EDQUOT, create(self->fd, "b", 1, NULL));
	EXPECT_EQ(1, create(self->fd, "", 1, NULL));
	ASSERT_EQ(0, write_parameter(WATCHES, "0"));
	EXPECT_EQ(-EDQUOT, watch(self->fd, id, REFOBJ_WATCH_ALL));
}

TEST_F(quota, cap_sys_resource_when_opening_is_what_exempts)
{
	int exempt = open_as(USER, 1ULL << CAP_SYS_RESOURCE);
	int bound = open_as(0, ~(1ULL << CAP_SYS_RESOURCE));

	ASSERT_LE(0, exempt);
	ASSERT_LE(0, bound);
	ASSERT_EQ(0, write_parameter(OBJECTS, "0"));
	EXPECT_EQ(REFOBJ_UNLIMITED, max(exempt, OBJECTS));
	EXPECT_EQ(1, create(exempt, "a", 1, NULL));
	EXPECT_EQ(0, max(bound, OBJECTS));
	EXPECT_EQ(-EDQUOT, create(bound, "b", 1, NULL));
	close(exempt);
	close(bound);
}

TEST_F(quota, info_shows_the_limits_of_now)
{
	char text[32];
	int q;

	for (q = 0; q < QUOTAS; q++) {
		snprintf(text, sizeof(text), "%llu\n",
			 (unsigned long long)max(self->fd, q));
		EXPECT_STREQ(self->saved[q], text);
		ASSERT_EQ(0, allow(self, q, 12345 + q));
		EXPECT_EQ(self->base[q] + 12345 + q, max(self->fd, q));
		EXPECT_EQ(self->base[q] + 12345 + q, max(self->stranger, q));
	}
}

TEST_F(quota, lowered_limits_refuse_only_what_is_new)
{
	__u64 id;

	ASSERT_EQ(1, create(self->fd, "a", 100, &id));
	ASSERT_EQ(1, create(self->fd, "b", 100, NULL));
	ASSERT_EQ(0, ro_set_why(self->fd, id, "because"));
	ASSERT_EQ(0, allow(self, OBJECTS, 1));
	ASSERT_EQ(0, allow(self, REFERENCES, 50));
	ASSERT_EQ(0, allow(self, BYTES, 1));

	EXPECT_EQ(100, ro_users(self->fd, id));
	EXPECT_EQ(-EDQUOT, create(self->fd, "", 1, NULL));
	EXPECT_EQ(-EDQUOT, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(-EDQUOT, ro_set_why(self->fd, id, "because of it"));
	EXPECT_EQ(0, ro_release(self->fd, id, 99));
	EXPECT_EQ(-EDQUOT, ro_acquire(self->second, id, 1, 0));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(-EDQUOT, create(self->fd, "", 1, NULL));
	EXPECT_EQ(1, ro_release_all(self->fd, 0));
	EXPECT_EQ(1, create(self->fd, "c", 50, NULL));
}

TEST_F(quota, is_one_for_all_network_namespaces)
{
	int elsewhere;

	ASSERT_EQ(0, allow(self, OBJECTS, 2));
	ASSERT_EQ(1, create(self->fd, "a", 1, NULL));
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	elsewhere = open_as(USER, 0);
	ASSERT_LE(0, elsewhere);
	EXPECT_EQ(1, create(elsewhere, "a", 1, NULL));
	EXPECT_EQ(-EDQUOT, create(elsewhere, "b", 1, NULL));
	EXPECT_EQ(-EDQUOT, create(self->fd, "b", 1, NULL));
	EXPECT_EQ(2, more(self, OBJECTS));
	close(elsewhere);
	EXPECT_EQ(1, create(self->fd, "b", 1, NULL));
}

TEST_F(quota, is_given_back_by_a_killed_process)
{
	struct ro_pipe p;
	__u64 id;
	pid_t pid;
	int fd;

	ASSERT_EQ(0, allow(self, OBJECTS, 1));
	ASSERT_EQ(0, allow(self, REFERENCES, 100));
	ASSERT_EQ(0, allow(self, WATCHES, 1));
	ASSERT_EQ(0, ro_pipe_open(&p));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		ro_pipe_child(&p);
		if (setresuid(USER, USER, USER))
			_exit(1);
		fd = ro_open();
		ro_child_say(&p, create(fd, "a", 100, &id) +
				 watch(fd, id, REFOBJ_WATCH_ALL));
		pause();
		_exit(0);
	}
	ro_pipe_parent(&p);
	ASSERT_EQ(1, ro_parent_hear(&p));
	EXPECT_EQ(-EDQUOT, create(self->fd, "b", 1, NULL));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(1, create(self->fd, "b", 100, &id));
	EXPECT_EQ(0, watch(self->fd, id, REFOBJ_WATCH_ALL));
	ro_pipe_close(&p);
}

TEST_F(quota, refused_calls_charge_nothing)
{
	struct refobj_create *c;
	__u64 id;
	int i;

	c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, c);
	*c = (struct refobj_create) {
		.size = sizeof(*c), .initial = 1, .name = "read-only",
	};
	ASSERT_EQ(0, mprotect(c, sizeof(*c), PROT_READ));
	ASSERT_EQ(1, create(self->root, "taken", 1, NULL));
	ASSERT_EQ(1, ro_create(self->root, "private", 0, 1, NULL));
	ASSERT_EQ(1, create(self->fd, "mine", 1, &id));
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(-EEXIST, create(self->fd, "taken", 9, NULL));
		ASSERT_EQ(-EFAULT, ro_ioctl(self->fd, REFOBJ_IOC_CREATE, c));
		ASSERT_EQ(-EACCES, ro_attach(self->fd, "private", 0, 9, NULL,
					     NULL));
		ASSERT_EQ(-ENOENT, ro_acquire(self->fd, id + 1000000, 9, 0));
		ASSERT_EQ(-ERANGE, ro_release(self->fd, id, 9));
		ASSERT_EQ(-EPERM, ro_set_why(self->second, id, "not mine"));
	}
	EXPECT_EQ(1, more(self, OBJECTS));
	EXPECT_EQ(4, more(self, BYTES));
	/* What a session keeps at hand is told apart by asking for it. */
	EXPECT_GE(1 + CACHE, more(self, REFERENCES));
	ASSERT_EQ(0, allow(self, REFERENCES, 100));
	EXPECT_EQ(-EDQUOT, create(self->second, "", 100, NULL));
	EXPECT_EQ(1, create(self->second, "", 99, NULL));
	EXPECT_EQ(100, more(self, REFERENCES));
}

TEST_HARNESS_MAIN
