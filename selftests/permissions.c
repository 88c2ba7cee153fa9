// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may see, acquire and destroy an object: its mode bits against the
 * credentials that opened the session, capabilities, and user namespaces.
 */
#define _GNU_SOURCE
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "refobj_test.h"
#include "../kselftest_harness.h"

/* Who meets an object of uid and gid 1000. */
enum who { owner, group, group_primary, other, root };

#define OWNER_UID	1000
#define OWNER_GID	1000

static const struct {
	uid_t uid;
	gid_t gid;
	gid_t extra;	/* a second supplementary group */
} people[] = {
	[owner] = { OWNER_UID, OWNER_GID, OWNER_GID },
	[group] = { 1001, 1001, OWNER_GID },
	[group_primary] = { 1002, OWNER_GID, 1002 },
	[other] = { 1003, 1003, 1003 },
};

/*
 * A session opened as an ordinary user, for the use of this process, which
 * stays root. Group 0 is what opens the device node.
 */
static int open_as_ids(uid_t uid, gid_t gid, gid_t extra)
{
	const gid_t groups[] = { 0, extra };
	int fd;

	if (setgroups(2, groups) || setresgid(gid, gid, 0) ||
	    setresuid(uid, uid, 0))
		return -errno;
	fd = ro_open();
	if (setresuid(0, 0, 0) || setresgid(0, 0, 0) || setgroups(0, NULL))
		abort();
	return fd;
}

static int open_as(enum who who)
{
	if (who == root)
		return ro_open();
	return open_as_ids(people[who].uid, people[who].gid,
			   people[who].extra);
}

/* For good, as a real process of that user does. */
static int become(enum who who)
{
	const gid_t groups[] = { 0, people[who].extra };
	gid_t gid = people[who].gid;
	uid_t uid = people[who].uid;

	return setgroups(2, groups) || setresgid(gid, gid, gid) ||
	       setresuid(uid, uid, uid);
}

/* Which capabilities are effective; all that are permitted stay so. */
static int set_effective(__u64 caps)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -errno;
	data[0].effective = caps & data[0].permitted;
	data[1].effective = caps >> 32 & data[1].permitted;
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

static int create_mode(int fd, const char *name, __u32 mode, __u32 flags,
		       __u32 initial, __u64 *id)
{
	struct refobj_create c = {
		.size = sizeof(c), .flags = flags, .mode = mode,
		.initial = initial,
	};
	int ret;

	snprintf(c.name, sizeof(c.name), "%s", name);
	ret = ro_ioctl(fd, REFOBJ_IOC_CREATE, &c);
	*id = c.id;
	return ret;
}

/* Is @id among the objects that a walk tells? */
static bool walk_tells(int fd, __u64 id)
{
	struct refobj_stat st;
	__u64 at = 0;

	for (;; at = st.id) {
		memset(&st, 0, sizeof(st));
		st.size = sizeof(st);
		st.flags = REFOBJ_STAT_NEXT;
		st.id = at;
		if (ro_ioctl(fd, REFOBJ_IOC_STAT, &st))
			return false;
		if (st.id == id)
			return true;
	}
}

static const char *obstacle(void)
{
	if (geteuid())
		return "needs root, to act as others";
	if (access(REFOBJ_DEV, F_OK))
		return "no " REFOBJ_DEV ": load refobj.ko";
	if (unshare(CLONE_NEWNET))
		return "no network namespaces";
	return NULL;
}

/* The mode bits: a row for each mode and class */

enum answer { NO, YES };

FIXTURE(mode) {
	int root;
	int fd;		/* opened as the one in question */
	__u64 id;	/* persistent, idle, of OWNER_UID */
};

FIXTURE_VARIANT(mode) {
	__u32 mode;
	enum who who;
	enum answer read;
	enum answer write;
};

FIXTURE_VARIANT_ADD(mode, 0600_owner) { 0600, owner, YES, YES };
FIXTURE_VARIANT_ADD(mode, 0600_group) { 0600, group, NO, NO };
FIXTURE_VARIANT_ADD(mode, 0600_other) { 0600, other, NO, NO };
FIXTURE_VARIANT_ADD(mode, 0640_owner) { 0640, owner, YES, YES };
FIXTURE_VARIANT_ADD(mode, 0640_group) { 0640, group, YES, NO };
FIXTURE_VARIANT_ADD(mode, 0640_other) { 0640, other, NO, NO };
FIXTURE_VARIANT_ADD(mode, 0660_owner) { 0660, owner, YES, YES };
FIXTURE_VARIANT_ADD(mode, 0660_group) { 0660, group, YES, YES };
FIXTURE_VARIANT_ADD(mode, 0660_other) { 0660, other, NO, NO };
FIXTURE_VARIANT_ADD(mode, 0666_owner) { 0666, owner, YES, YES };
FIXTURE_VARIANT_ADD(mode, 0666_group) { 0666, group, YES, YES };
FIXTURE_VARIANT_ADD(mode, 0666_other) { 0666, other, YES, YES };
FIXTURE_VARIANT_ADD(mode, 0604_owner) { 0604, owner, YES, YES };
FIXTURE_VARIANT_ADD(mode, 0604_group) { 0604, group, NO, NO };
FIXTURE_VARIANT_ADD(mode, 0604_other) { 0604, other, YES, NO };
FIXTURE_VARIANT_ADD(mode, 0606_owner) { 0606, owner, YES, YES };
FIXTURE_VARIANT_ADD(mode, 0606_group) { 0606, group, NO, NO };
FIXTURE_VARIANT_ADD(mode, 0606_other) { 0606, other, YES, YES };
FIXTURE_VARIANT_ADD(mode, 0060_owner) { 0060, owner, NO, NO };
FIXTURE_VARIANT_ADD(mode, 0060_group) { 0060, group, YES, YES };
FIXTURE_VARIANT_ADD(mode, 0060_other) { 0060, other, NO, NO };
FIXTURE_VARIANT_ADD(mode, 0066_owner) { 0066, owner, NO, NO };
FIXTURE_VARIANT_ADD(mode, 0066_group) { 0066, group, YES, YES };
FIXTURE_VARIANT_ADD(mode, 0066_other) { 0066, other, YES, YES };
FIXTURE_VARIANT_ADD(mode, 0006_owner) { 0006, owner, NO, NO };
FIXTURE_VARIANT_ADD(mode, 0006_group) { 0006, group, NO, NO };
FIXTURE_VARIANT_ADD(mode, 0006_other) { 0006, other, YES, YES };
FIXTURE_VARIANT_ADD(mode, 0200_owner) { 0200, owner, NO, YES };
FIXTURE_VARIANT_ADD(mode, 0200_group) { 0200, group, NO, NO };
FIXTURE_VARIANT_ADD(mode, 0200_other) { 0200, other, NO, NO };
FIXTURE_VARIANT_ADD(mode, 0400_owner) { 0400, owner, YES, NO };
FIXTURE_VARIANT_ADD(mode, 0400_group) { 0400, group, NO, NO };
FIXTURE_VARIANT_ADD(mode, 0400_other) { 0400, other, NO, NO };
FIXTURE_VARIANT_ADD(mode, 0444_owner) { 0444, owner, YES, NO };
FIXTURE_VARIANT_ADD(mode, 0444_group) { 0444, group, YES, NO };
FIXTURE_VARIANT_ADD(mode, 0444_other) { 0444, other, YES, NO };
FIXTURE_VARIANT_ADD(mode, 0222_owner) { 0222, owner, NO, YES };
FIXTURE_VARIANT_ADD(mode, 0222_group) { 0222, group, NO, YES };
FIXTURE_VARIANT_ADD(mode, 0222_other) { 0222, other, NO, YES };
FIXTURE_VARIANT_ADD(mode, 0660_group_primary) { 0660, group_primary, YES, YES };
FIXTURE_VARIANT_ADD(mode, 0606_group_primary) { 0606, group_primary, NO, NO };
FIXTURE_VARIANT_ADD(mode, 0200_root) { 0200, root, YES, YES };

FIXTURE_SETUP(mode)
{
	const char *why_not = obstacle();
	int fd;

	if (why_not)
		SKIP(return, "%s", why_not);
	self->root = ro_open();
	ASSERT_LE(0, self->root);
	fd = open_as(owner);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, create_mode(fd, "object", variant->mode,
				 REFOBJ_PERSISTENT, 0, &self->id));
	close(fd);
	self->fd = open_as(variant->who);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(mode)
{
	close(self->fd);
	ro_destroy(self->root, self->id);
	close(self->root);
}

TEST_F(mode, read_lets_see)
{
	int ret = variant->read ? 0 : -EACCES;
	struct refobj_stat st;
	__u64 id;

	EXPECT_EQ(ret, ro_stat(self->fd, self->id, &st));
	EXPECT_EQ(ret, ro_lookup(self->fd, "object", &id));
	EXPECT_EQ(ret, ro_holders(self->fd, self->id, NULL, 0, NULL));
	EXPECT_EQ(variant->read, walk_tells(self->fd, self->id));
}

TEST_F(mode, read_lets_acquire)
{
	int ret = variant->read ? 1 : -EACCES;
	unsigned int created = 0;
	__u64 id;

	EXPECT_EQ(ret, ro_acquire(self->fd, self->id, 1, 0));
	EXPECT_EQ(variant->read, ro_users(self->root, self->id));
	ro_release_all(self->fd, 0);

	EXPECT_EQ(ret, ro_attach(self->fd, "object", 0, 1, &id, &created));
	EXPECT_EQ(variant->read, ro_users(self->root, self->id));
	EXPECT_EQ(0, ro_lookup(self->root, "object", &id));
	EXPECT_EQ(self->id, id);
	ro_release_all(self->fd, 0);

	/* Without permission not even idleness is told. */
	EXPECT_EQ(variant->read ? -EAGAIN : -EACCES,
		  ro_acquire(self->fd, self->id, 1, REFOBJ_ACQUIRE_NOT_ZERO));
}

TEST_F(mode, write_lets_destroy)
{
	EXPECT_EQ(variant->write ? 0 : -EACCES,
		  ro_destroy(self->fd, self->id));
	EXPECT_EQ(variant->write ? -ESTALE : 0,
		  ro_users(self->root, self->id));
}

/* What goes beyond the bits */

FIXTURE(perm) {
	int root;
	__u64 id;	/* persistent, idle, mode 0600, of OWNER_UID */
};

FIXTURE_SETUP(perm)
{
	const char *why_not = obstacle();
	int fd;

	if (why_not)
		SKIP(return, "%s", why_not);
	self->root = ro_open();
	ASSERT_LE(0, self->root);
	fd = open_as(owner);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, create_mode(fd, "object", 0600, REFOBJ_PERSISTENT, 0,
				 &self->id));
	close(fd);
}

FIXTURE_TEARDOWN(perm)
{
	ro_destroy(self->root, self->id);
	close(self->root);
}

/* What @id's STAT says in a child that did @prepare; 1 if that failed. */
static int in_child(int (*prepare)(int *fd), __u64 id)
{
	struct refobj_stat st;
	struct ro_pipe p;
	int fd = -1, ret;
	pid_t pid;

	if (ro_pipe_open(&p))
		return 1;
	pid = fork();
	if (!pid) {
		ro_pipe_child(&p);
		ret = prepare(&fd);
		ro_child_say(&p, ret || fd < 0 ? 1 : ro_stat(fd, id, &st));
		_exit(0);
	}
	ro_pipe_parent(&p);
	ret = ro_parent_hear(&p);
	waitpid(pid, NULL, 0);
	ro_pipe_close(&p);
	return ret;
}

static int open_as_owner_process(int *fd)
{
	int err = become(owner);

	*fd = ro_open();
	return err;
}

static int open_as_other_process(int *fd)
{
	int err = become(other);

	*fd = ro_open();
	return err;
}

static int open_then_drop_root(int *fd)
{
	*fd = ro_open();
	return become(other);
}

static int open_with_dac_override_alone(int *fd)
{
	int err = prctl(PR_SET_KEEPCAPS, 1) || become(other) ||
		  set_effective(1ULL << CAP_DAC_OVERRIDE);

	*fd = ro_open();
	return err;
}

static int open_with_all_but_dac_override(int *fd)
{
	int err = prctl(PR_SET_KEEPCAPS, 1) || become(other) ||
		  set_effective(~(1ULL << CAP_DAC_OVERRIDE));

	*fd = ro_open();
	return err;
}

static int open_as_root_without_dac_override(int *fd)
{
	int err = set_effective(~(1ULL << CAP_DAC_OVERRIDE));

	*fd = ro_open();
	return err;
}

static int open_with_dac_override_then_drop_it(int *fd)
{
	*fd = ro_open();
	return set_effective(0);
}

TEST_F(perm, a_process_of_the_owner_may)
{
	EXPECT_EQ(0, in_child(open_as_owner_process, self->id));
}

TEST_F(perm, a_process_of_another_may_not)
{
	EXPECT_EQ(-EACCES, in_child(open_as_other_process, self->id));
}

TEST_F(perm, a_session_opened_as_root_keeps_roots_rights)
{
	EXPECT_EQ(0, in_child(open_then_drop_root, self->id));
	EXPECT_EQ(0, in_child(open_with_dac_override_then_drop_it, self->id));
}

TEST_F(perm, a_session_opened_as_a_user_gains_nothing_from_root)
{
	struct refobj_stat st;
	int fd = open_as(other);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, geteuid());
	EXPECT_EQ(-EACCES, ro_stat(fd, self->id, &st));
	EXPECT_EQ(-EACCES, ro_acquire(fd, self->id, 1, 0));
	EXPECT_EQ(-EACCES, ro_destroy(fd, self->id));
	close(fd);
}

TEST_F(perm, cap_dac_override_passes)
{
	EXPECT_EQ(0, in_child(open_with_dac_override_alone, self->id));
}

TEST_F(perm, no_other_capability_passes)
{
	EXPECT_EQ(-EACCES, in_child(open_with_all_but_dac_override, self->id));
}

TEST_F(perm, uid_0_alone_does_not_pass)
{
	EXPECT_EQ(-EACCES, in_child(open_as_root_without_dac_override,
				    self->id));
}

TEST_F(perm, owner_is_who_opened_the_session)
{
	struct refobj_stat st;
	int fd = open_as(group);
	__u64 id;

	ASSERT_LE(0, fd);
	ASSERT_EQ(1, ro_create(fd, NULL, 0, 1, &id));
	ASSERT_EQ(0, ro_stat(self->root, id, &st));
	EXPECT_EQ(people[group].uid, st.uid);
	EXPECT_EQ(people[group].gid, st.gid);
	close(fd);
}

TEST_F(perm, owner_is_the_effective_uid_and_gid)
{
	const gid_t node = 0;
	struct refobj_stat st;
	__u64 id;
	int fd;

	ASSERT_EQ(0, setgroups(1, &node));
	ASSERT_EQ(0, setresgid(1111, 1235, 0));
	ASSERT_EQ(0, setresuid(1111, 1234, 0));
	fd = ro_open();
	ASSERT_EQ(0, setresuid(0, 0, 0));
	ASSERT_EQ(0, setresgid(0, 0, 0));
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, ro_create(fd, NULL, 0, 1, &id));
	ASSERT_EQ(0, ro_stat(self->root, id, &st));
	EXPECT_EQ(1234, st.uid);
	EXPECT_EQ(1235, st.gid);
	close(fd);
}

/* The group that matters is found wherever it stands among many. */
TEST_F(perm, any_of_many_groups_counts)
{
	const gid_t groups[] = {
		0, 7, 900, 1001, 20000, 65534, 70000, 2147483648U, 4000000000U,
	};
	unsigned int i;
	__u64 id;
	int fd, own;

	for (i = 1; i < ARRAY_SIZE(groups); i++) {
		own = open_as_ids(OWNER_UID, groups[i], groups[i]);
		ASSERT_LE(0, own);
		ASSERT_EQ(1, create_mode(own, "", 0040, 0, 1, &id));
		ASSERT_EQ(0, setgroups(ARRAY_SIZE(groups), groups));
		ASSERT_EQ(0, setresgid(1, 1, 0));
		ASSERT_EQ(0, setresuid(1, 1, 0));
		fd = ro_open();
		ASSERT_EQ(0, setresuid(0, 0, 0));
		ASSERT_EQ(0, setresgid(0, 0, 0));
		EXPECT_EQ(0, ro_acquire(fd, id, 1, 0))
			TH_LOG("group %u", groups[i]);
		close(fd);
		close(own);
	}
}

TEST_F(perm, holder_is_shown_with_the_euid_of_the_opening)
{
	struct refobj_holder h;
	int fd = open_as(owner);

	ASSERT_LE(0, fd);
	ASSERT_EQ(1, ro_acquire(fd, self->id, 1, 0));
	ASSERT_EQ(1, ro_holders(self->root, self->id, &h, 1, NULL));
	EXPECT_EQ(OWNER_UID, h.uid);
	EXPECT_EQ(getpid(), (pid_t)h.pid);
	close(fd);
}

/* The creator holds an object that it has no permission to read. */
TEST_F(perm, what_is_held_may_be_acquired_again)
{
	struct refobj_stat st;
	int fd = open_as(owner);
	__u64 id;

	ASSERT_LE(0, fd);
	ASSERT_EQ(1, create_mode(fd, "write-only", 0200, REFOBJ_PERSISTENT, 1,
				 &id));
	EXPECT_EQ(-EACCES, ro_stat(fd, id, &st));
	EXPECT_EQ(0, ro_acquire(fd, id, 2, 0));
	EXPECT_EQ(0, ro_acquire(fd, id, 2, REFOBJ_ACQUIRE_NOT_ZERO));
	EXPECT_EQ(5, ro_users(self->root, id));
	EXPECT_EQ(1, ro_release(fd, id, 5));
	EXPECT_EQ(-EACCES, ro_acquire(fd, id, 1, 0));
	EXPECT_EQ(0, ro_destroy(fd, id));
	close(fd);
}

TEST_F(perm, release_and_why_need_no_permission)
{
	struct refobj_holder h;
	int fd = open_as(owner);
	__u64 id;

	ASSERT_LE(0, fd);
	ASSERT_EQ(1, create_mode(fd, "write-only", 0200, 0, 4, &id));
	EXPECT_EQ(0, ro_set_why(fd, id, "mine"));
	ASSERT_EQ(1, ro_holders(self->root, id, &h, 1, NULL));
	EXPECT_STREQ("mine", h.why);
	EXPECT_EQ(0, ro_release(fd, id, 1));
	EXPECT_EQ(-ERANGE, ro_release(fd, id, 4));
	EXPECT_EQ(1, ro_release_all(fd, id));
	close(fd);
}

TEST_F(perm, release_of_what_is_not_held_is_refused_for_all)
{
	int fd = open_as(other);

	ASSERT_LE(0, fd);
	ASSERT_EQ(1, ro_acquire(self->root, self->id, 1, 0));
	EXPECT_EQ(-ERANGE, ro_release(fd, self->id, 1));
	EXPECT_EQ(-EPERM, ro_set_why(fd, self->id, "not mine"));
	EXPECT_EQ(1, ro_release(self->root, self->id, 1));
	close(fd);
}

TEST_F(perm, create_over_an_unreadable_name_is_refused)
{
	int fd = open_as(other);
	__u64 id;

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EEXIST, ro_create(fd, "object", 0, 1, NULL));
	EXPECT_EQ(0, ro_lookup(self->root, "object", &id));
	EXPECT_EQ(self->id, id);
	close(fd);
}

TEST_F(perm, attach_existing_tells_unreadable_from_absent)
{
	int fd = open_as(other);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EACCES, ro_attach(fd, "object", REFOBJ_ATTACH_EXISTING, 1,
				     NULL, NULL));
	EXPECT_EQ(-ENOENT, ro_attach(fd, "absent", REFOBJ_ATTACH_EXISTING, 1,
				     NULL, NULL));
	close(fd);
}

TEST_F(perm, a_type_is_not_told_without_permission)
{
	struct refobj_attach a = {
		.size = sizeof(a), .count = 1, .name = "object", .type = "x",
	};
	struct refobj_lookup l = {
		.size = sizeof(l), .name = "object", .type = "x",
	};
	struct refobj_acquire q = {
		.size = sizeof(q), .id = self->id, .count = 1, .type = "x",
	};
	int fd = open_as(other);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EACCES, ro_ioctl(fd, REFOBJ_IOC_ATTACH, &a));
	EXPECT_EQ(-EACCES, ro_ioctl(fd, REFOBJ_IOC_LOOKUP, &l));
	EXPECT_EQ(-EACCES, ro_ioctl(fd, REFOBJ_IOC_ACQUIRE, &q));
	close(fd);
}

TEST_F(perm, destroy_without_permission_does_not_tell_of_users)
{
	int fd = open_as(other);

	ASSERT_LE(0, fd);
	ASSERT_EQ(1, ro_acquire(self->root, self->id, 1, 0));
	EXPECT_EQ(-EACCES, ro_destroy(fd, self->id));
	EXPECT_EQ(1, ro_release(self->root, self->id, 1));
	EXPECT_EQ(-EACCES, ro_destroy(fd, self->id));
	close(fd);
}

TEST_F(perm, a_walk_passes_over_the_unreadable)
{
	__u64 id[4];
	int fd = open_as(other), own = open_as(owner), i;

	ASSERT_LE(0, fd);
	ASSERT_LE(0, own);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(1, create_mode(own, "", i % 2 ? 0604 : 0640, 0, 1,
					 &id[i]));
	}
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(i % 2, walk_tells(fd, id[i]));
		EXPECT_TRUE(walk_tells(own, id[i]));
		EXPECT_TRUE(walk_tells(self->root, id[i]));
	}
	close(own);
	close(fd);
}

TEST_F(perm, the_device_node_keeps_others_out)
{
	struct ro_pipe p;
	pid_t pid;

	ASSERT_EQ(0, ro_pipe_open(&p));
	pid = fork();
	if (!pid) {
		ro_pipe_child(&p);
		if (setgroups(0, NULL) || setresgid(1003, 1003, 1003) ||
		    setresuid(1003, 1003, 1003))
			_exit(1);
		ro_child_say(&p, -ro_open());
		_exit(0);
	}
	ro_pipe_parent(&p);
	EXPECT_EQ(EACCES, ro_parent_hear(&p));
	waitpid(pid, NULL, 0);
	ro_pipe_close(&p);
}

/* User namespaces: uids 0 to 9 of a child are this one's 2000 to 2009 */

#define FIRST_UID	2000
#define FIRST_GID	3000
#define UNMAPPED	5000
#define OVERFLOW_ID	65534

enum request {
	ASK_UID, ASK_GID, ASK_HOLDER_UID, ASK_ACQUIRE, ASK_DESTROY, ASK_CREATE,
	ASK_REGISTRY, ASK_EXEMPT,
};

/* Serve requests on @fd: a request and an id, answered by one word. */
static void serve(struct ro_pipe *p, int fd)
{
	struct refobj_info info = { .size = sizeof(info) };
	struct refobj_holder h;
	struct refobj_stat st;
	long long word;
	__u64 id;
	int ret;

	while ((word = ro_child_hear(p)) >= 0) {
		id = ro_child_hear(p);
		ret = ro_stat(fd, id, &st);
		switch ((enum request)word) {
		case ASK_UID:
			ro_child_say(p, ret ?: (long long)st.uid);
			break;
		case ASK_GID:
			ro_child_say(p, ret ?: (long long)st.gid);
			break;
		case ASK_HOLDER_UID:
			ret = ro_holders(fd, id, &h, 1, NULL);
			ro_child_say(p, ret == 1 ? (long long)h.uid : ret);
			break;
		case ASK_ACQUIRE:
			ro_child_say(p, ro_acquire(fd, id, 1, 0));
			break;
		case ASK_DESTROY:
			ro_child_say(p, ro_destroy(fd, id));
			break;
		case ASK_CREATE:
			ret = ro_create(fd, "made inside", 0, 1, &id);
			ro_child_say(p, ret == 1 ? (long long)id : ret);
			break;
		case ASK_REGISTRY:
			ret = ro_ioctl(fd, REFOBJ_IOC_INFO, &info);
			ro_child_say(p, ret ?: (long long)info.registry);
			break;
		case ASK_EXEMPT:
			ret = ro_ioctl(fd, REFOBJ_IOC_INFO, &info);
			ro_child_say(p, ret ?:
				     info.objects_max == REFOBJ_UNLIMITED);
			break;
		}
	}
}

FIXTURE(userns) {
	struct ro_pipe p;
	pid_t pid;
	int root;	/* sees the child's registry */
};

FIXTURE_VARIANT(userns) {
	int unshare;
};

/* uid 0 of a user namespace, in a network namespace of its own or in ours. */
FIXTURE_VARIANT_ADD(userns, own_registry) {
	.unshare = CLONE_NEWUSER | CLONE_NEWNET,
};

FIXTURE_VARIANT_ADD(userns, our_registry) {
	.unshare = CLONE_NEWUSER,
};

static int write_map(pid_t pid, const char *file, int first)
{
	char path[64], map[64];
	int fd, len, ret;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	len = snprintf(map, sizeof(map), "0 %d 10\n", first);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, map, len) == len ? 0 : -errno;
	close(fd);
	return ret;
}

static int enter_netns_of(pid_t pid)
{
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = setns(fd, CLONE_NEWNET) ? -errno : 0;
	close(fd);
	return ret;
}

FIXTURE_SETUP(userns)
{
	const char *why_not = obstacle();
	const gid_t node = 0;
	int fd;

	if (why_not)
		SKIP(return, "%s", why_not);
	ASSERT_EQ(0, ro_pipe_open(&self->p));
	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (!self->pid) {
		ro_pipe_child(&self->p);
		if (setgroups(1, &node) || unshare(variant->unshare)) {
			ro_child_say(&self->p, errno);
			_exit(0);
		}
		ro_child_say(&self->p, 0);
		ro_child_hear(&self->p);
		if (setresgid(0, 0, 0) || setresuid(0, 0, 0))
			_exit(1);
		fd = ro_open();
		ro_child_say(&self->p, fd);
		if (fd >= 0)
			serve(&self->p, fd);
		_exit(0);
	}
	ro_pipe_parent(&self->p);
	if (ro_parent_hear(&self->p))
		SKIP(return, "no user namespaces");
	ASSERT_EQ(0, write_map(self->pid, "uid_map", FIRST_UID));
	ASSERT_EQ(0, write_map(self->pid, "gid_map", FIRST_GID));
	ro_parent_say(&self->p, 0);
	ASSERT_LE(0, ro_parent_hear(&self->p));
	ASSERT_EQ(0, enter_netns_of(self->pid));
	self->root = ro_open();
	ASSERT_LE(0, self->root);
}

FIXTURE_TEARDOWN(userns)
{
	ro_pipe_close(&self->p);
	waitpid(self->pid, NULL, 0);
	close(self->root);
}

static long long ask(struct ro_pipe *p, enum request what, __u64 id)
{
	ro_parent_say(p, what);
	ro_parent_say(p, id);
	return ro_parent_hear(p);
}

/* An object of a user of the parent's namespace, in the child's registry. */
static int foreign(uid_t uid, gid_t gid, __u32 mode, __u64 *id)
{
	int fd = open_as_ids(uid, gid, gid);

	if (fd < 0)
		return fd;
	return create_mode(fd, "foreign", mode, 0, 1, id) == 1 ? fd : -1;
}

TEST_F(userns, its_root_can_use_the_registry)
{
	struct refobj_info info = { .size = sizeof(info) };
	long long id = ask(&self->p, ASK_CREATE, 0);

	ASSERT_LT(0, id);
	ASSERT_EQ(0, ro_ioctl(self->root, REFOBJ_IOC_INFO, &info));
	EXPECT_EQ(info.registry, ask(&self->p, ASK_REGISTRY, 0));
	EXPECT_EQ(0, ask(&self->p, ASK_ACQUIRE, id));
	EXPECT_EQ(2, ro_users(self->root, id));
}

TEST_F(userns, ids_are_shown_as_the_reader_sees_them)
{
	long long id = ask(&self->p, ASK_CREATE, 0);
	struct refobj_holder h;
	struct refobj_stat st;

	ASSERT_LT(0, id);
	EXPECT_EQ(0, ask(&self->p, ASK_UID, id));
	EXPECT_EQ(0, ask(&self->p, ASK_GID, id));
	EXPECT_EQ(0, ask(&self->p, ASK_HOLDER_UID, id));
	ASSERT_EQ(0, ro_stat(self->root, id, &st));
	EXPECT_EQ(FIRST_UID, st.uid);
	EXPECT_EQ(FIRST_GID, st.gid);
	ASSERT_EQ(1, ro_holders(self->root, id, &h, 1, NULL));
	EXPECT_EQ(FIRST_UID, h.uid);
}

TEST_F(userns, ids_without_a_mapping_are_shown_as_nobody)
{
	__u64 id;
	int fd = foreign(UNMAPPED, UNMAPPED, 0666, &id);

	ASSERT_LE(0, fd);
	EXPECT_EQ(OVERFLOW_ID, ask(&self->p, ASK_UID, id));
	EXPECT_EQ(OVERFLOW_ID, ask(&self->p, ASK_GID, id));
	EXPECT_EQ(OVERFLOW_ID, ask(&self->p, ASK_HOLDER_UID, id));
	close(fd);
}

TEST_F(userns, its_root_overrides_mapped_owners_in_its_own_registry_only)
{
	bool own = variant->unshare & CLONE_NEWNET;
	__u64 id;
	int fd = foreign(FIRST_UID + 1, FIRST_GID + 1, 0600, &id);

	ASSERT_LE(0, fd);
	EXPECT_EQ(own ? 1 : -EACCES, ask(&self->p, ASK_UID, id));
	EXPECT_EQ(own ? 0 : -EACCES, ask(&self->p, ASK_ACQUIRE, id));
	EXPECT_EQ(own ? -EBUSY : -EACCES, ask(&self->p, ASK_DESTROY, id));
	close(fd);
}

TEST_F(userns, its_root_does_not_override_unmapped_owners)
{
	__u64 id;
	int fd = foreign(UNMAPPED, UNMAPPED, 0600, &id);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EACCES, ask(&self->p, ASK_UID, id));
	EXPECT_EQ(-EACCES, ask(&self->p, ASK_ACQUIRE, id));
	EXPECT_EQ(-EACCES, ask(&self->p, ASK_DESTROY, id));
	close(fd);
}

/* The numbers are mapped before they are compared: 0 here is not 0 there. */
TEST_F(userns, its_root_is_not_our_root)
{
	__u64 id;

	ASSERT_EQ(1, create_mode(self->root, "of root", 0600, 0, 1, &id));
	EXPECT_EQ(-EACCES, ask(&self->p, ASK_UID, id));
}

TEST_F(userns, its_root_has_quotas)
{
	EXPECT_EQ(0, ask(&self->p, ASK_EXEMPT, 0));
}

TEST_HARNESS_MAIN
