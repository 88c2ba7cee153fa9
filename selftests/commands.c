// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each command of /dev/refobj does, returns and refuses, and the counts of
 * the packages that refobj comes from.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include "refobj_test.h"
#include "../kselftest_harness.h"

/* An id far beyond those given out, and not the largest. */
#define NEVER_ISSUED	0x1000000000000ULL

FIXTURE(cmd) {
	int fd;
	int other;	/* a second session of the same process */
};

/*
 * A registry to themselves, where that is allowed. One for all tests: to make and
 * remove a network namespace for each takes longer than what they test.
 */
static void __attribute__((constructor)) own_registry(void)
{
	if (unshare(CLONE_NEWNET))
		printf("# sharing the registry: %s\n", strerror(errno));
}

static void setup(struct __test_metadata *_metadata, int *fd, int *other)
{
	*fd = ro_open();
	if (*fd == -ENOENT)
		SKIP(return, "no " REFOBJ_DEV ": load refobj.ko");
	ASSERT_LE(0, *fd);
	*other = ro_open();
	ASSERT_LE(0, *other);
}

FIXTURE_SETUP(cmd)
{
	setup(_metadata, &self->fd, &self->other);
}

FIXTURE_TEARDOWN(cmd)
{
	close(self->other);
	close(self->fd);
}

static __u64 monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* A type that fits; other calls with a type go without a helper. */
static int create_typed(int fd, const char *name, const char *type, __u64 *id)
{
	struct refobj_create c = { .size = sizeof(c), .initial = 1 };
	int ret;

	snprintf(c.name, sizeof(c.name), "%s", name);
	snprintf(c.type, sizeof(c.type), "%s", type);
	ret = ro_ioctl(fd, REFOBJ_IOC_CREATE, &c);
	*id = c.id;
	return ret;
}

static int attach_typed(int fd, const char *name, const char *type)
{
	struct refobj_attach a = { .size = sizeof(a), .count = 1 };

	snprintf(a.name, sizeof(a.name), "%s", name);
	snprintf(a.type, sizeof(a.type), "%s", type);
	return ro_ioctl(fd, REFOBJ_IOC_ATTACH, &a);
}

static int lookup_typed(int fd, const char *name, const char *type)
{
	struct refobj_lookup l = { .size = sizeof(l) };

	snprintf(l.name, sizeof(l.name), "%s", name);
	snprintf(l.type, sizeof(l.type), "%s", type);
	return ro_ioctl(fd, REFOBJ_IOC_LOOKUP, &l);
}

static int acquire_typed(int fd, __u64 id, const char *type, __u32 flags)
{
	struct refobj_acquire a = {
		.size = sizeof(a), .flags = flags, .id = id, .count = 1,
	};

	snprintf(a.type, sizeof(a.type), "%s", type);
	return ro_ioctl(fd, REFOBJ_IOC_ACQUIRE, &a);
}

static int create_mode(int fd, const char *name, __u32 mode, __u64 *id)
{
	struct refobj_create c = {
		.size = sizeof(c), .mode = mode, .initial = 1,
	};
	int ret;

	snprintf(c.name, sizeof(c.name), "%s", name);
	ret = ro_ioctl(fd, REFOBJ_IOC_CREATE, &c);
	*id = c.id;
	return ret;
}

/* The next object after @id into @st. */
static int next(int fd, __u64 id, struct refobj_stat *st)
{
	memset(st, 0, sizeof(*st));
	st->size = sizeof(*st);
	st->flags = REFOBJ_STAT_NEXT;
	st->id = id;
	return ro_ioctl(fd, REFOBJ_IOC_STAT, st);
}

static int count_objects(int fd)
{
	struct refobj_stat st;
	__u64 id = 0;
	int n = 0;

	for (; !next(fd, id, &st); id = st.id)
		n++;
	return n;
}

/* The reason that is shown for the first holder of @id. */
static const char *shown_why(int fd, __u64 id)
{
	static struct refobj_holder h;

	memset(&h, 0, sizeof(h));
	return ro_holders(fd, id, &h, 1, NULL) == 1 ? h.why : "(nobody)";
}

/* Field 22 of /proc/self/stat, when this process started. */
static unsigned long long start_ticks(void)
{
	char line[1024] = { 0 }, *at;
	FILE *f = fopen("/proc/self/stat", "re");
	int field;

	if (!f)
		return 0;
	at = fgets(line, sizeof(line), f);
	fclose(f);
	if (at)
		at = strrchr(line, ')');
	for (field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

/* The device */

TEST_F(cmd, device_opens_for_reading_writing_and_both)
{
	const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };
	struct refobj_info info;
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		fd = open(REFOBJ_DEV, modes[i] | O_CLOEXEC);
		ASSERT_LE(0, fd);
		memset(&info, 0, sizeof(info));
		info.size = sizeof(info);
		EXPECT_EQ(0, ro_ioctl(fd, REFOBJ_IOC_INFO, &info));
		EXPECT_EQ(1, ro_create(fd, NULL, 0, 1, NULL));
		close(fd);
	}
}

TEST_F(cmd, device_has_no_position)
{
	char c;

	EXPECT_EQ(-1, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, pread(self->fd, &c, 1, 0));
	EXPECT_EQ(ESPIPE, errno);
}

TEST_F(cmd, device_cannot_be_read_written_or_mapped)
{
	char c = 0;

	EXPECT_EQ(-1, read(self->fd, &c, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, &c, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 1, PROT_READ, MAP_SHARED, self->fd, 0));
	EXPECT_EQ(ENODEV, errno);
}

/* INFO */

TEST_F(cmd, info_tells_the_limits_of_the_header)
{
	struct refobj_info info = { .size = sizeof(info) };

	ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_INFO, &info));
	EXPECT_EQ(sizeof(info), info.size);
	EXPECT_EQ(0, info.flags);
	EXPECT_EQ(REFOBJ_VERSION, info.version);
	EXPECT_EQ(REFOBJ_NAME_SIZE - 1, info.name_max);
	EXPECT_EQ(REFOBJ_TYPE_SIZE - 1, info.type_max);
	EXPECT_EQ(REFOBJ_WHY_SIZE - 1, info.why_max);
	EXPECT_EQ(REFOBJ_FEATURE_EVENTS | REFOBJ_FEATURE_LINGER |
		  REFOBJ_FEATURE_BUILD | REFOBJ_FEATURE_PAYLOAD |
		  REFOBJ_FEATURE_EDGES | REFOBJ_FEATURE_FDS |
		  REFOBJ_FEATURE_OWNER | REFOBJ_FEATURE_SUBMIT,
		  /* Whether there is io_uring is the kernel's affair. */
		  info.features & ~REFOBJ_FEATURE_URING);
	EXPECT_EQ(REFOBJ_USERS_MAX, info.users_max);
	EXPECT_EQ(REFOBJ_COUNT_MAX, info.count_max);
}

TEST_F(cmd, info_tells_each_session_its_own_id)
{
	struct refobj_info a = { .size = sizeof(a) }, b = a;

	ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_INFO, &a));
	ASSERT_EQ(0, ro_ioctl(self->other, REFOBJ_IOC_INFO, &b));
	EXPECT_NE(0, a.session);
	EXPECT_LT(a.session, b.session);
	EXPECT_EQ(a.registry, b.registry);
}

TEST_F(cmd, info_tells_the_network_namespace)
{
	struct refobj_info info = { .size = sizeof(info) };
	char link[64] = { 0 }, registry[64];

	ASSERT_LT(0, readlink("/proc/self/ns/net", link, sizeof(link) - 1));
	ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_INFO, &info));
	snprintf(registry, sizeof(registry), "net:[%llu]",
		 (unsigned long long)info.registry);
	EXPECT_STREQ(link, registry);
}

TEST_F(cmd, info_shows_no_quota_to_a_privileged_session)
{
	struct refobj_info info = { .size = sizeof(info) };

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_INFO, &info));
	EXPECT_EQ(REFOBJ_UNLIMITED, info.objects_max);
	EXPECT_EQ(REFOBJ_UNLIMITED, info.references_max);
	EXPECT_EQ(REFOBJ_UNLIMITED, info.bytes_max);
	EXPECT_EQ(REFOBJ_UNLIMITED, info.watches_max);
}

/* CREATE */

TEST_F(cmd, create_transient_holds_the_initial_references)
{
	struct refobj_stat st;
	__u64 id = 0;

	EXPECT_EQ(1, ro_create(self->fd, "c", 0, 5, &id));
	EXPECT_NE(0, id);
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(REFOBJ_STATE_READY, st.state);
	EXPECT_EQ(5, st.users);
	EXPECT_EQ(5, st.held);
	EXPECT_EQ(1, st.holders);
	EXPECT_EQ(1, st.activations);
	EXPECT_EQ(0, ro_release(self->fd, id, 4));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
}

TEST_F(cmd, create_transient_without_a_reference_is_refused)
{
	__u64 id;

	EXPECT_EQ(-EINVAL, ro_create(self->fd, "c", 0, 0, NULL));
	EXPECT_EQ(-ENOENT, ro_lookup(self->fd, "c", &id));
}

TEST_F(cmd, create_persistent_without_a_reference_is_idle)
{
	struct refobj_stat st;
	__u64 id;

	EXPECT_EQ(0, ro_create(self->fd, "c", REFOBJ_PERSISTENT, 0, &id));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(REFOBJ_STATE_IDLE, st.state);
	EXPECT_EQ(REFOBJ_PERSISTENT, st.object_flags);
	EXPECT_EQ(0, st.users);
	EXPECT_EQ(0, st.users_peak);
	EXPECT_EQ(0, st.holders);
	EXPECT_EQ(0, st.activations);
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(cmd, create_persistent_with_references_is_active)
{
	struct refobj_stat st;
	__u64 id;

	EXPECT_EQ(1, ro_create(self->fd, "c", REFOBJ_PERSISTENT, 2, &id));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(REFOBJ_STATE_READY, st.state);
	EXPECT_EQ(2, st.users);
	EXPECT_EQ(1, ro_release(self->fd, id, 2));
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(cmd, create_with_the_most_initial_references)
{
	__u64 id;

	EXPECT_EQ(1, ro_create(self->fd, "c", 0, REFOBJ_COUNT_MAX, &id));
	EXPECT_EQ(REFOBJ_COUNT_MAX, ro_users(self->fd, id));
}

TEST_F(cmd, create_with_too_many_or_negative_references_is_refused)
{
	const unsigned int counts[] = { REFOBJ_COUNT_MAX + 1, INT_MAX,
					1U << 31, (unsigned int)-1 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		EXPECT_EQ(-EINVAL, ro_create(self->fd, "c", 0, counts[i], NULL))
			TH_LOG("%u", counts[i]);
		EXPECT_EQ(-EINVAL, ro_create(self->fd, "c", REFOBJ_PERSISTENT,
					     counts[i], NULL))
			TH_LOG("%u", counts[i]);
	}
	EXPECT_EQ(-ENOENT, ro_lookup(self->fd, "c", NULL));
}

TEST_F(cmd, create_is_exclusive)
{
	struct refobj_stat before, after;
	__u64 id, found;

	ASSERT_EQ(1, ro_create(self->fd, "c", 0, 1, &id));
	ASSERT_EQ(0, ro_stat(self->fd, id, &before));
	EXPECT_EQ(-EEXIST, ro_create(self->fd, "c", 0, 1, NULL));
	EXPECT_EQ(-EEXIST, ro_create(self->other, "c", 0, 1, NULL));
	EXPECT_EQ(-EEXIST,
		  ro_create(self->other, "c", REFOBJ_PERSISTENT, 0, NULL));
	ASSERT_EQ(0, ro_stat(self->fd, id, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	EXPECT_EQ(0, ro_lookup(self->fd, "c", &found));
	EXPECT_EQ(id, found);
}

TEST_F(cmd, create_is_exclusive_towards_an_idle_object)
{
	__u64 id;

	ASSERT_EQ(0, ro_create(self->fd, "c", REFOBJ_PERSISTENT, 0, &id));
	EXPECT_EQ(-EEXIST, ro_create(self->fd, "c", 0, 1, NULL));
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(cmd, create_again_after_death_gives_a_new_id)
{
	__u64 first, second, found;

	ASSERT_EQ(1, ro_create(self->fd, "c", 0, 1, &first));
	ASSERT_EQ(1, ro_release(self->fd, first, 1));
	ASSERT_EQ(1, ro_create(self->fd, "c", 0, 1, &second));
	EXPECT_LT(first, second);
	EXPECT_EQ(0, ro_lookup(self->fd, "c", &found));
	EXPECT_EQ(second, found);
	EXPECT_EQ(-ESTALE, ro_users(self->fd, first));
}

TEST_F(cmd, create_without_a_name)
{
	struct refobj_stat st;
	__u64 a, b;

	EXPECT_EQ(1, ro_create(self->fd, NULL, 0, 1, &a));
	EXPECT_EQ(1, ro_create(self->fd, NULL, 0, 1, &b));
	EXPECT_NE(a, b);
	ASSERT_EQ(0, ro_stat(self->fd, a, &st));
	EXPECT_STREQ("", st.name);
	EXPECT_EQ(0, ro_acquire(self->other, a, 1, 0));
}

TEST_F(cmd, create_has_mode_0600_unless_told)
{
	struct refobj_stat st;
	__u64 id;

	ASSERT_EQ(1, create_mode(self->fd, "c", 0, &id));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(0600, st.mode);
	ASSERT_EQ(1, create_mode(self->fd, "d", 0664, &id));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(0664, st.mode);
}

TEST_F(cmd, create_with_other_mode_bits_is_refused)
{
	__u64 id;
	int bit;

	for (bit = 0; bit < 32; bit++) {
		if (REFOBJ_MODE_MASK & 1U << bit)
			continue;
		EXPECT_EQ(-EINVAL, create_mode(self->fd, "c",
					       0600 | 1U << bit, &id))
			TH_LOG("bit %d", bit);
	}
	EXPECT_EQ(-ENOENT, ro_lookup(self->fd, "c", &id));
}

/* ATTACH */

TEST_F(cmd, attach_creates_what_is_not_there)
{
	unsigned int created = 0;
	struct refobj_stat st;
	__u64 id = 0;

	EXPECT_EQ(1, ro_attach(self->fd, "a", 0, 3, &id, &created));
	EXPECT_EQ(1, created);
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(3, st.users);
	EXPECT_EQ(3, st.held);
	EXPECT_EQ(0, st.object_flags);
	EXPECT_EQ(REFOBJ_MODE_DEFAULT, st.mode);
	EXPECT_STREQ("a", st.name);
}

TEST_F(cmd, attach_joins_what_is_there)
{
	unsigned int created = 1;
	__u64 id, joined;

	ASSERT_EQ(1, ro_create(self->fd, "a", 0, 1, &id));
	EXPECT_EQ(0, ro_attach(self->other, "a", 0, 2, &joined, &created));
	EXPECT_EQ(0, created);
	EXPECT_EQ(id, joined);
	EXPECT_EQ(3, ro_users(self->fd, id));
}

TEST_F(cmd, attach_activates_an_idle_object)
{
	unsigned int created = 1;
	__u64 id, joined;

	ASSERT_EQ(0, ro_create(self->fd, "a", REFOBJ_PERSISTENT, 0, &id));
	EXPECT_EQ(1, ro_attach(self->other, "a", 0, 1, &joined, &created));
	EXPECT_EQ(0, created);
	EXPECT_EQ(id, joined);
	EXPECT_EQ(1, ro_release(self->other, id, 1));
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(cmd, attach_makes_a_persistent_object_when_told)
{
	struct refobj_stat st;
	__u64 id;

	ASSERT_EQ(1, ro_attach(self->fd, "a", REFOBJ_PERSISTENT, 1, &id, NULL));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(REFOBJ_STATE_IDLE, st.state);
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(cmd, attach_leaves_the_kind_of_an_existing_object)
{
	struct refobj_stat st;
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "a", 0, 1, &id));
	EXPECT_EQ(0, ro_attach(self->fd, "a", REFOBJ_PERSISTENT, 1, NULL, NULL));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(0, st.object_flags);
}

TEST_F(cmd, attach_existing_creates_nothing)
{
	__u64 id;

	EXPECT_EQ(-ENOENT, ro_attach(self->fd, "a", REFOBJ_ATTACH_EXISTING, 1,
				     NULL, NULL));
	EXPECT_EQ(-ENOENT, ro_lookup(self->fd, "a", &id));
	EXPECT_EQ(0, count_objects(self->fd));
}

TEST_F(cmd, attach_existing_joins)
{
	unsigned int created = 1;
	__u64 id, joined;

	ASSERT_EQ(1, ro_create(self->fd, "a", 0, 1, &id));
	EXPECT_EQ(0, ro_attach(self->other, "a", REFOBJ_ATTACH_EXISTING, 1,
			       &joined, &created));
	EXPECT_EQ(id, joined);
	EXPECT_EQ(0, created);
}

TEST_F(cmd, attach_gives_a_new_object_its_type_and_mode)
{
	struct refobj_attach a = {
		.size = sizeof(a), .mode = 0640, .count = 1,
		.name = "a", .type = "camera",
	};
	struct refobj_stat st;

	ASSERT_EQ(1, ro_ioctl(self->fd, REFOBJ_IOC_ATTACH, &a));
	ASSERT_EQ(0, ro_stat(self->fd, a.id, &st));
	EXPECT_STREQ("camera", st.type);
	EXPECT_EQ(0640, st.mode);
}

TEST_F(cmd, attach_may_demand_a_type)
{
	__u64 id;

	ASSERT_EQ(1, create_typed(self->fd, "a", "camera", &id));
	EXPECT_EQ(0, attach_typed(self->other, "a", "camera"));
	EXPECT_EQ(0, attach_typed(self->other, "a", ""));
	EXPECT_EQ(-EPROTOTYPE, attach_typed(self->other, "a", "volume"));
	EXPECT_EQ(-EPROTOTYPE, attach_typed(self->other, "a", "camer"));
	EXPECT_EQ(-EPROTOTYPE, attach_typed(self->other, "a", "camera2"));
	EXPECT_EQ(3, ro_users(self->fd, id));
}

TEST_F(cmd, attach_demanding_a_type_of_an_untyped_object_is_refused)
{
	ASSERT_EQ(1, ro_create(self->fd, "a", 0, 1, NULL));
	EXPECT_EQ(-EPROTOTYPE, attach_typed(self->other, "a", "camera"));
}

TEST_F(cmd, attach_without_a_name_is_refused)
{
	EXPECT_EQ(-EINVAL, ro_attach(self->fd, "", 0, 1, NULL, NULL));
	EXPECT_EQ(-EINVAL, ro_attach(self->fd, "", REFOBJ_ATTACH_EXISTING, 1,
				     NULL, NULL));
	EXPECT_EQ(0, count_objects(self->fd));
}

TEST_F(cmd, attach_of_no_or_too_many_references_is_refused)
{
	const unsigned int counts[] = { 0, REFOBJ_COUNT_MAX + 1,
					(unsigned int)-1 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		EXPECT_EQ(-EINVAL, ro_attach(self->fd, "a", 0, counts[i], NULL,
					     NULL))
			TH_LOG("%u", counts[i]);
	}
	EXPECT_EQ(0, count_objects(self->fd));
	EXPECT_EQ(1, ro_attach(self->fd, "a", 0, REFOBJ_COUNT_MAX, NULL, NULL));
}

TEST_F(cmd, attach_with_other_mode_bits_creates_nothing)
{
	struct refobj_attach a = {
		.size = sizeof(a), .mode = 0700, .count = 1, .name = "a",
	};

	EXPECT_EQ(-EINVAL, ro_ioctl(self->fd, REFOBJ_IOC_ATTACH, &a));
	EXPECT_EQ(0, count_objects(self->fd));
}

/* LOOKUP */

TEST_F(cmd, lookup_finds_the_id_and_takes_no_reference)
{
	__u64 id, found = 0;

	ASSERT_EQ(1, ro_create(self->fd, "l", 0, 1, &id));
	EXPECT_EQ(0, ro_lookup(self->other, "l", &found));
	EXPECT_EQ(id, found);
	EXPECT_EQ(1, ro_users(self->fd, id));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(-ENOENT, ro_lookup(self->other, "l", &found));
}

TEST_F(cmd, lookup_of_no_name_is_refused)
{
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, NULL, 0, 1, NULL));
	EXPECT_EQ(-EINVAL, ro_lookup(self->fd, "", &id));
}

TEST_F(cmd, lookup_may_demand_a_type)
{
	__u64 id;

	ASSERT_EQ(1, create_typed(self->fd, "l", "camera", &id));
	EXPECT_EQ(0, lookup_typed(self->other, "l", ""));
	EXPECT_EQ(0, lookup_typed(self->other, "l", "camera"));
	EXPECT_EQ(-EPROTOTYPE, lookup_typed(self->other, "l", "volume"));
	EXPECT_EQ(-ENOENT, lookup_typed(self->other, "m", "volume"));
}

/* ACQUIRE */

TEST_F(cmd, acquire_tells_the_first_from_the_others)
{
	__u64 id;

	ASSERT_EQ(0, ro_create(self->fd, "q", REFOBJ_PERSISTENT, 0, &id));
	EXPECT_EQ(1, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(0, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(0, ro_acquire(self->other, id, 1, 0));
	EXPECT_EQ(3, ro_users(self->fd, id));
	EXPECT_EQ(0, ro_release_all(self->other, id));
	EXPECT_EQ(1, ro_release_all(self->fd, id));
	EXPECT_EQ(1, ro_acquire(self->other, id, 7, 0));
	EXPECT_EQ(1, ro_release(self->other, id, 7));
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(cmd, acquire_of_no_or_too_many_references_is_refused)
{
	const unsigned int counts[] = { 0, REFOBJ_COUNT_MAX + 1, INT_MAX,
					1U << 31, (unsigned int)-2 };
	unsigned int i;
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "q", 0, 1, &id));
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		EXPECT_EQ(-EINVAL, ro_acquire(self->fd, id, counts[i], 0))
			TH_LOG("%u", counts[i]);
	}
	EXPECT_EQ(1, ro_users(self->fd, id));
}

/* 2^8 and 2^16 are where the kernel's way of counting changes. */
TEST_F(cmd, acquire_and_release_of_every_power_of_two)
{
	unsigned int n;
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "q", 0, 1, &id));
	for (n = 1; n <= REFOBJ_COUNT_MAX; n *= 2) {
		EXPECT_EQ(0, ro_acquire(self->fd, id, n, 0));
		EXPECT_EQ(n + 1, ro_users(self->fd, id));
		EXPECT_EQ(0, ro_release(self->fd, id, n));
		EXPECT_EQ(1, ro_users(self->fd, id));
		EXPECT_EQ(0, ro_acquire(self->other, id, n - n / 2, 0));
		EXPECT_EQ(0, ro_release(self->other, id, n - n / 2));
		EXPECT_EQ(1, ro_users(self->fd, id));
	}
}

TEST_F(cmd, acquire_not_zero_does_not_activate)
{
	struct refobj_stat st;
	__u64 id;

	ASSERT_EQ(0, ro_create(self->fd, "q", REFOBJ_PERSISTENT, 0, &id));
	EXPECT_EQ(-EAGAIN, ro_acquire(self->fd, id, 1, REFOBJ_ACQUIRE_NOT_ZERO));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(REFOBJ_STATE_IDLE, st.state);
	EXPECT_EQ(0, st.users);
	EXPECT_EQ(0, st.activations);
	EXPECT_EQ(0, st.held);
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(cmd, acquire_not_zero_joins_users)
{
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "q", 0, 1, &id));
	EXPECT_EQ(0, ro_acquire(self->other, id, 1, REFOBJ_ACQUIRE_NOT_ZERO));
	EXPECT_EQ(2, ro_users(self->fd, id));
}

TEST_F(cmd, acquire_may_demand_a_type)
{
	__u64 id;

	ASSERT_EQ(1, create_typed(self->fd, "q", "camera", &id));
	EXPECT_EQ(0, acquire_typed(self->other, id, "camera", 0));
	EXPECT_EQ(0, acquire_typed(self->other, id, "", 0));
	EXPECT_EQ(-EPROTOTYPE, acquire_typed(self->other, id, "volume", 0));
	EXPECT_EQ(-EPROTOTYPE, acquire_typed(self->fd, id, "volume",
					     REFOBJ_ACQUIRE_NOT_ZERO));
	EXPECT_EQ(3, ro_users(self->fd, id));
}

/* Row S7 of the seeds: the count is bounded, and intact at the bound. */
TEST_F(cmd, acquire_up_to_the_most_users)
{
	struct refobj_stat st;
	unsigned int n;
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "q", 0, REFOBJ_COUNT_MAX, &id));
	for (n = REFOBJ_COUNT_MAX; n < REFOBJ_USERS_MAX; n += REFOBJ_COUNT_MAX) {
		ASSERT_EQ(0, ro_acquire(n & REFOBJ_COUNT_MAX ? self->other :
					self->fd, id, REFOBJ_COUNT_MAX, 0));
	}
	EXPECT_EQ(REFOBJ_USERS_MAX, ro_users(self->fd, id));

	EXPECT_EQ(-EOVERFLOW, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(-EOVERFLOW, ro_acquire(self->other, id, 256, 0));
	EXPECT_EQ(-EOVERFLOW, ro_acquire(self->fd, id, 257, 0));
	EXPECT_EQ(-EOVERFLOW, ro_acquire(self->fd, id, REFOBJ_COUNT_MAX, 0));
	EXPECT_EQ(-EOVERFLOW, ro_acquire(self->fd, id, 1,
					 REFOBJ_ACQUIRE_NOT_ZERO));
	EXPECT_EQ(-EOVERFLOW, ro_attach(self->other, "q", 0, 1, NULL, NULL));
	EXPECT_EQ(REFOBJ_USERS_MAX, ro_users(self->fd, id));

	EXPECT_EQ(0, ro_release(self->fd, id, 1000));
	EXPECT_EQ(-EOVERFLOW, ro_acquire(self->fd, id, 1001, 0));
	EXPECT_EQ(0, ro_acquire(self->fd, id, 800, 0));
	EXPECT_EQ(-EOVERFLOW, ro_acquire(self->fd, id, 201, 0));
	EXPECT_EQ(0, ro_acquire(self->fd, id, 200, 0));
	EXPECT_EQ(-EOVERFLOW, ro_acquire(self->fd, id, 1, 0));

	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(REFOBJ_USERS_MAX, st.users);
	EXPECT_EQ(REFOBJ_USERS_MAX, st.users_peak);
	EXPECT_EQ(0, ro_release_all(self->other, id));
	EXPECT_EQ(1, ro_release_all(self->fd, id));
}

/* RELEASE */

TEST_F(cmd, release_tells_the_last_from_the_others)
{
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "r", 0, 3, &id));
	EXPECT_EQ(0, ro_release(self->fd, id, 1));
	EXPECT_EQ(0, ro_release(self->fd, id, 1));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
}

TEST_F(cmd, release_of_all_at_once_is_the_last)
{
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "r", 0, 1000, &id));
	EXPECT_EQ(1, ro_release(self->fd, id, 1000));
	EXPECT_EQ(-ESTALE, ro_users(self->fd, id));
}

TEST_F(cmd, release_of_more_than_held_releases_nothing)
{
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "r", 0, 3, &id));
	EXPECT_EQ(-ERANGE, ro_release(self->fd, id, 4));
	EXPECT_EQ(-ERANGE, ro_release(self->fd, id, REFOBJ_COUNT_MAX));
	EXPECT_EQ(3, ro_users(self->fd, id));
}

TEST_F(cmd, release_of_what_another_session_holds_is_refused)
{
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "r", 0, 3, &id));
	EXPECT_EQ(-ERANGE, ro_release(self->other, id, 1));
	EXPECT_EQ(0, ro_acquire(self->other, id, 1, 0));
	EXPECT_EQ(-ERANGE, ro_release(self->other, id, 2));
	EXPECT_EQ(4, ro_users(self->fd, id));
}

TEST_F(cmd, release_of_no_or_too_many_references_is_refused)
{
	const unsigned int counts[] = { 0, REFOBJ_COUNT_MAX + 1, INT_MAX,
					1U << 31, (unsigned int)-1 };
	unsigned int i;
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "r", 0, 3, &id));
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		EXPECT_EQ(-EINVAL, ro_release(self->fd, id, counts[i]))
			TH_LOG("%u", counts[i]);
	}
	EXPECT_EQ(3, ro_users(self->fd, id));
}

TEST_F(cmd, last_release_ends_a_transient_object_and_its_name)
{
	__u64 id, found;

	ASSERT_EQ(1, ro_create(self->fd, "r", 0, 1, &id));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(-ESTALE, ro_users(self->fd, id));
	EXPECT_EQ(-ENOENT, ro_lookup(self->fd, "r", &found));
	EXPECT_EQ(0, count_objects(self->fd));
}

TEST_F(cmd, last_release_leaves_a_persistent_object_idle)
{
	struct refobj_stat st;
	__u64 id, found;

	ASSERT_EQ(1, ro_create(self->fd, "r", REFOBJ_PERSISTENT, 1, &id));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(REFOBJ_STATE_IDLE, st.state);
	EXPECT_EQ(0, st.users);
	EXPECT_EQ(0, ro_lookup(self->fd, "r", &found));
	EXPECT_EQ(id, found);
	EXPECT_EQ(-ERANGE, ro_release(self->fd, id, 1));
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

/* RELEASE_ALL */

TEST_F(cmd, release_all_of_one_object)
{
	__u64 a, b;

	ASSERT_EQ(1, ro_create(self->fd, "a", 0, 5, &a));
	ASSERT_EQ(1, ro_create(self->fd, "b", 0, 5, &b));
	EXPECT_EQ(0, ro_acquire(self->other, a, 2, 0));
	EXPECT_EQ(0, ro_release_all(self->fd, a));
	EXPECT_EQ(2, ro_users(self->fd, a));
	EXPECT_EQ(5, ro_users(self->fd, b));
	EXPECT_EQ(1, ro_release_all(self->fd, b));
	EXPECT_EQ(-ESTALE, ro_users(self->fd, b));
}

TEST_F(cmd, release_all_of_what_is_not_held_is_refused)
{
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "a", 0, 1, &id));
	EXPECT_EQ(-ERANGE, ro_release_all(self->other, id));
	EXPECT_EQ(1, ro_users(self->fd, id));
}

TEST_F(cmd, release_all_of_the_session_counts_last_releases)
{
	__u64 a, b, c, d;

	ASSERT_EQ(1, ro_create(self->fd, "a", 0, 1, &a));
	ASSERT_EQ(1, ro_create(self->fd, "b", 0, 20, &b));
	ASSERT_EQ(1, ro_create(self->fd, "c", REFOBJ_PERSISTENT, 3, &c));
	ASSERT_EQ(1, ro_create(self->fd, "d", 0, 1, &d));
	ASSERT_EQ(0, ro_acquire(self->other, d, 1, 0));
	EXPECT_EQ(3, ro_release_all(self->fd, 0));
	EXPECT_EQ(-ESTALE, ro_users(self->fd, a));
	EXPECT_EQ(-ESTALE, ro_users(self->fd, b));
	EXPECT_EQ(0, ro_users(self->fd, c));
	EXPECT_EQ(1, ro_users(self->fd, d));
	EXPECT_EQ(0, ro_release_all(self->fd, 0));
	EXPECT_EQ(0, ro_destroy(self->fd, c));
}

TEST_F(cmd, release_all_of_an_empty_session)
{
	EXPECT_EQ(0, ro_release_all(self->fd, 0));
}

TEST_F(cmd, release_all_of_many_objects)
{
	int i;

	for (i = 0; i < 1000; i++)
		ASSERT_EQ(1, ro_create(self->fd, NULL, 0, 1 + i % 3, NULL));
	EXPECT_EQ(1000, ro_release_all(self->fd, 0));
	EXPECT_EQ(0, count_objects(self->fd));
}

/* STAT */

TEST_F(cmd, stat_tells_all_of_an_object)
{
	struct refobj_create c = {
		.size = sizeof(c), .flags = REFOBJ_PERSISTENT, .mode = 0644,
		.initial = 4, .name = "stat me", .type = "a type",
	};
	__u64 start = monotonic_ns();
	struct refobj_stat st;

	ASSERT_EQ(1, ro_ioctl(self->fd, REFOBJ_IOC_CREATE, &c));
	ASSERT_EQ(0, ro_acquire(self->other, c.id, 3, 0));
	ASSERT_EQ(0, ro_release(self->fd, c.id, 2));
	ASSERT_EQ(0, ro_stat(self->fd, c.id, &st));
	EXPECT_EQ(sizeof(st), st.size);
	EXPECT_EQ(0, st.flags);
	EXPECT_EQ(c.id, st.id);
	EXPECT_EQ(REFOBJ_STATE_READY, st.state);
	EXPECT_EQ(REFOBJ_PERSISTENT, st.object_flags);
	EXPECT_EQ(0644, st.mode);
	EXPECT_EQ(geteuid(), st.uid);
	EXPECT_EQ(getegid(), st.gid);
	EXPECT_EQ(5, st.users);
	EXPECT_EQ(7, st.users_peak);
	EXPECT_EQ(2, st.holders);
	EXPECT_LE(start, st.created_ns);
	EXPECT_GE(monotonic_ns(), st.created_ns);
	EXPECT_EQ(1, st.activations);
	EXPECT_EQ(0, st.deactivations);
	EXPECT_EQ(2, st.held);
	EXPECT_EQ(0, st.reserved);
	EXPECT_STREQ("stat me", st.name);
	EXPECT_STREQ("a type", st.type);

	ASSERT_EQ(0, ro_stat(self->other, c.id, &st));
	EXPECT_EQ(3, st.held);

	ro_release_all(self->fd, 0);
	ro_release_all(self->other, 0);
	EXPECT_EQ(0, ro_destroy(self->fd, c.id));
}

TEST_F(cmd, stat_counts_activations_and_deactivations)
{
	struct refobj_stat st;
	__u64 id;
	int i;

	ASSERT_EQ(0, ro_create(self->fd, "s", REFOBJ_PERSISTENT, 0, &id));
	for (i = 1; i <= 5; i++) {
		EXPECT_EQ(1, ro_acquire(self->fd, id, i, 0));
		EXPECT_EQ(0, ro_acquire(self->other, id, 1, 0));
		ASSERT_EQ(0, ro_stat(self->fd, id, &st));
		EXPECT_EQ(i, st.activations);
		EXPECT_EQ(i - 1, st.deactivations);
		EXPECT_EQ(0, ro_release(self->fd, id, i));
		EXPECT_EQ(1, ro_release(self->other, id, 1));
		ASSERT_EQ(0, ro_stat(self->fd, id, &st));
		EXPECT_EQ(i, st.activations);
		EXPECT_EQ(i, st.deactivations);
	}
	EXPECT_EQ(6, st.users_peak);
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(cmd, stat_peak_is_that_of_all_sessions_together)
{
	struct refobj_stat st;
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "s", 0, 10, &id));
	ASSERT_EQ(0, ro_acquire(self->other, id, 300, 0));
	ASSERT_EQ(0, ro_release(self->other, id, 300));
	ASSERT_EQ(0, ro_acquire(self->other, id, 20, 0));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(30, st.users);
	EXPECT_EQ(310, st.users_peak);
}

TEST_F(cmd, stat_counts_holders_and_not_references)
{
	struct refobj_stat st;
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "s", 0, 10, &id));
	ASSERT_EQ(0, ro_acquire(self->fd, id, 10, 0));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(1, st.holders);
	ASSERT_EQ(0, ro_acquire(self->other, id, 1, 0));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(2, st.holders);
	ASSERT_EQ(0, ro_release(self->fd, id, 20));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(1, st.holders);
	EXPECT_EQ(0, st.held);
}

TEST_F(cmd, stat_next_tells_each_object_once)
{
	__u64 ids[20], id = 0;
	struct refobj_stat st;
	int i, seen[20] = { 0 };
	char name[16];

	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		ASSERT_EQ(1, ro_create(self->fd, i % 2 ? name : NULL, 0, i + 1,
				       &ids[i]));
	}
	for (; !next(self->other, id, &st); id = st.id) {
		for (i = 0; i < 20; i++) {
			if (ids[i] != st.id)
				continue;
			seen[i]++;
			EXPECT_EQ(i + 1, st.users);
			snprintf(name, sizeof(name), "n%d", i);
			EXPECT_STREQ(i % 2 ? name : "", st.name);
		}
	}
	EXPECT_EQ(-ENOENT, next(self->other, id, &st));
	for (i = 0; i < 20; i++)
		EXPECT_EQ(1, seen[i]);
}

TEST_F(cmd, stat_next_goes_on_from_an_object_that_died)
{
	struct refobj_stat st;
	__u64 id = 0;
	int i;

	for (i = 0; i < 10; i++)
		ASSERT_EQ(1, ro_create(self->fd, NULL, 0, 1, NULL));
	for (i = 0; !next(self->fd, id, &st); i++) {
		id = st.id;
		ASSERT_EQ(1, ro_release(self->fd, id, 1));
	}
	EXPECT_EQ(10, i);
	EXPECT_EQ(0, count_objects(self->fd));
}

TEST_F(cmd, stat_next_ends)
{
	struct refobj_stat st;
	__u64 id;

	EXPECT_EQ(-ENOENT, next(self->fd, 0, &st));
	ASSERT_EQ(1, ro_create(self->fd, NULL, 0, 1, &id));
	ASSERT_EQ(0, next(self->fd, 0, &st));
	EXPECT_EQ(id, st.id);
	EXPECT_EQ(-ENOENT, next(self->fd, id, &st));
	EXPECT_EQ(-ENOENT, next(self->fd, NEVER_ISSUED, &st));
	EXPECT_EQ(-ENOENT, next(self->fd, ~0ULL, &st));
}

/* HOLDERS */

TEST_F(cmd, holders_tells_who_holds)
{
	struct refobj_info info = { .size = sizeof(info) };
	struct refobj_holder h;
	unsigned int total;
	char comm[32];
	__u64 id, before;
	FILE *f;

	memset(&h, 0xcc, sizeof(h));
	before = monotonic_ns();
	ASSERT_EQ(1, ro_create(self->fd, "h", 0, 7, &id));
	ASSERT_EQ(0, ro_set_why(self->fd, id, "to be seen"));
	ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_INFO, &info));
	ASSERT_EQ(1, ro_holders(self->other, id, &h, 1, &total));
	EXPECT_EQ(1, total);
	EXPECT_EQ(REFOBJ_HOLDER_SESSION, h.kind);
	EXPECT_EQ(7, h.count);
	EXPECT_EQ(info.session, h.session);
	EXPECT_EQ(getpid(), h.pid);
	EXPECT_EQ(geteuid(), h.uid);
	EXPECT_LE(before, h.since_ns);
	EXPECT_GE(monotonic_ns(), h.since_ns);
	EXPECT_STREQ("to be seen", h.why);

	EXPECT_EQ(start_ticks(),
		  h.start_ns / (1000000000ULL / sysconf(_SC_CLK_TCK)));

	f = fopen("/proc/self/comm", "re");
	ASSERT_NE(NULL, f);
	ASSERT_EQ(1, fscanf(f, "%31s", comm));
	fclose(f);
	EXPECT_STREQ(comm, h.comm);
}

TEST_F(cmd, holders_shows_the_command_name_of_now)
{
	struct refobj_holder h;
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "h", 0, 1, &id));
	ASSERT_EQ(0, prctl(PR_SET_NAME, "renamed"));
	ASSERT_EQ(1, ro_holders(self->fd, id, &h, 1, NULL));
	EXPECT_STREQ("renamed", h.comm);
}

TEST_F(cmd, holders_are_told_in_the_order_in_which_they_came)
{
	struct refobj_info info = { .size = sizeof(info) };
	struct refobj_holder h[4];
	__u64 id, session[3];
	unsigned int total;
	int fds[3], i;

	fds[0] = self->other;
	fds[1] = self->fd;
	fds[2] = ro_open();
	ASSERT_LE(0, fds[2]);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, ro_ioctl(fds[i], REFOBJ_IOC_INFO, &info));
		session[i] = info.session;
		ASSERT_EQ(i == 0, ro_attach(fds[i], "h", 0, i + 1, &id, NULL));
	}
	/* Taking more does not move a holder to the end. */
	ASSERT_EQ(0, ro_acquire(fds[0], id, 9, 0));
	ASSERT_EQ(3, ro_holders(self->fd, id, h, 4, &total));
	EXPECT_EQ(3, total);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(session[i], h[i].session);
		EXPECT_EQ(i ? i + 1 : 10, h[i].count);
		if (i)
			EXPECT_LE(h[i - 1].since_ns, h[i].since_ns);
	}
	close(fds[2]);
	EXPECT_EQ(2, ro_holders(self->fd, id, h, 4, &total));
}

TEST_F(cmd, holders_can_be_walked_in_small_steps)
{
	struct refobj_holder rec;
	struct refobj_holders h = {
		.size = sizeof(h), .records = (uintptr_t)&rec,
		.capacity = 1, .record_size = sizeof(rec),
	};
	unsigned int mask = 0, i;
	int fds[8];

	for (i = 0; i < 8; i++) {
		fds[i] = ro_open();
		ASSERT_LE(0, fds[i]);
		ASSERT_LE(0, ro_attach(fds[i], "h", 0, 1U << i, &h.id, NULL));
	}
	for (i = 0; i < 8; i++) {
		h.count = 0;
		h.total = 0;
		ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_HOLDERS, &h));
		ASSERT_EQ(1, h.count);
		EXPECT_EQ(8, h.total);
		EXPECT_EQ(0, mask & rec.count);
		mask |= rec.count;
		ASSERT_EQ(i < 7, h.cursor != 0);
	}
	EXPECT_EQ(255, mask);
	for (i = 0; i < 8; i++)
		close(fds[i]);
}

TEST_F(cmd, holders_walk_survives_a_holder_that_leaves)
{
	struct refobj_holder rec[8];
	struct refobj_holders h = {
		.size = sizeof(h), .records = (uintptr_t)rec,
		.capacity = 2, .record_size = sizeof(*rec),
	};
	unsigned int i;
	int fds[5];

	for (i = 0; i < 5; i++) {
		fds[i] = ro_open();
		ASSERT_LE(0, fds[i]);
		ASSERT_LE(0, ro_attach(fds[i], "h", 0, i + 1, &h.id, NULL));
	}
	ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_HOLDERS, &h));
	ASSERT_EQ(2, h.count);
	/* The one told last, and the one to be told next. */
	close(fds[1]);
	close(fds[2]);
	h.capacity = 8;
	h.count = 0;
	h.total = 0;
	ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_HOLDERS, &h));
	ASSERT_EQ(2, h.count);
	EXPECT_EQ(3, h.total);
	EXPECT_EQ(0, h.cursor);
	EXPECT_EQ(4, rec[0].count);
	EXPECT_EQ(5, rec[1].count);
	close(fds[0]);
	close(fds[3]);
	close(fds[4]);
}

TEST_F(cmd, holders_capacity_zero_asks_for_the_total)
{
	struct refobj_holders h = {
		.size = sizeof(h), .record_size = sizeof(struct refobj_holder),
	};

	ASSERT_EQ(1, ro_create(self->fd, "h", 0, 1, &h.id));
	ASSERT_EQ(0, ro_acquire(self->other, h.id, 1, 0));
	EXPECT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_HOLDERS, &h));
	EXPECT_EQ(0, h.count);
	EXPECT_EQ(2, h.total);
}

TEST_F(cmd, holders_of_an_idle_object)
{
	struct refobj_holder rec;
	unsigned int total = 1;
	__u64 id;

	ASSERT_EQ(0, ro_create(self->fd, "h", REFOBJ_PERSISTENT, 0, &id));
	EXPECT_EQ(0, ro_holders(self->fd, id, &rec, 1, &total));
	EXPECT_EQ(0, total);
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(cmd, holders_cuts_a_shorter_record)
{
	struct {
		__u32 kind, count;
		unsigned char canary[8];
	} rec[2];
	struct refobj_holders h = {
		.size = sizeof(h), .records = (uintptr_t)rec,
		.capacity = 1, .record_size = 8,
	};
	int i;

	ASSERT_EQ(1, ro_create(self->fd, "h", 0, 7, &h.id));
	memset(rec, 0xcc, sizeof(rec));
	ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_HOLDERS, &h));
	EXPECT_EQ(1, h.count);
	EXPECT_EQ(REFOBJ_HOLDER_SESSION, rec[0].kind);
	EXPECT_EQ(7, rec[0].count);
	for (i = 0; i < 8; i++)
		EXPECT_EQ(0xcc, rec[0].canary[i]);
}

TEST_F(cmd, holders_zeroes_the_end_of_a_longer_record)
{
	const unsigned int sizes[] = { sizeof(struct refobj_holder) + 8, 4096 };
	unsigned char *rec = malloc(3 * 4096);
	struct refobj_holders h = { 0 };
	struct refobj_holder *second;
	unsigned int i, j;
	__u64 id;

	ASSERT_NE(NULL, rec);
	ASSERT_EQ(1, ro_create(self->fd, "h", 0, 7, &id));
	ASSERT_EQ(0, ro_acquire(self->other, id, 9, 0));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(rec, 0xcc, 3 * 4096);
		h = (struct refobj_holders) {
			.size = sizeof(h), .id = id, .records = (uintptr_t)rec,
			.capacity = 2, .record_size = sizes[i],
		};
		ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_HOLDERS, &h));
		ASSERT_EQ(2, h.count);
		for (j = sizeof(*second); j < sizes[i]; j++) {
			ASSERT_EQ(0, rec[j]);
			ASSERT_EQ(0, rec[sizes[i] + j]);
		}
		second = (struct refobj_holder *)(rec + sizes[i]);
		EXPECT_EQ(9, second->count);
		EXPECT_EQ(0xcc, rec[2 * sizes[i]]);
	}
	free(rec);
}

TEST_F(cmd, holders_refuses_other_record_sizes)
{
	const unsigned int sizes[] = { 0, 1, 7, 4097, 65536, UINT_MAX };
	struct refobj_holder rec[2];
	struct refobj_holders h;
	unsigned int i;
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "h", 0, 7, &id));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		h = (struct refobj_holders) {
			.size = sizeof(h), .id = id, .records = (uintptr_t)rec,
			.capacity = 1, .record_size = sizes[i],
		};
		EXPECT_EQ(-EINVAL, ro_ioctl(self->fd, REFOBJ_IOC_HOLDERS, &h))
			TH_LOG("record size %u", sizes[i]);
	}
}

TEST_F(cmd, holders_with_a_huge_capacity_writes_what_there_is)
{
	struct refobj_holder rec[2];
	struct refobj_holders h = {
		.size = sizeof(h), .records = (uintptr_t)rec,
		.capacity = UINT_MAX, .record_size = sizeof(*rec),
	};

	ASSERT_EQ(1, ro_create(self->fd, "h", 0, 7, &h.id));
	memset(rec, 0xcc, sizeof(rec));
	EXPECT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_HOLDERS, &h));
	EXPECT_EQ(1, h.count);
	EXPECT_EQ(0xcccccccc, rec[1].kind);
}

TEST_F(cmd, holders_into_an_unmapped_array_is_refused)
{
	long page = sysconf(_SC_PAGESIZE);
	struct refobj_holders h = {
		.size = sizeof(h), .capacity = 2,
		.record_size = sizeof(struct refobj_holder),
	}, again;
	char *area;

	area = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, area);
	ASSERT_EQ(0, mprotect(area + page, page, PROT_READ));
	ASSERT_EQ(1, ro_create(self->fd, "h", 0, 7, &h.id));
	ASSERT_EQ(0, ro_acquire(self->other, h.id, 1, 0));

	again = h;
	EXPECT_EQ(-EFAULT, ro_ioctl(self->fd, REFOBJ_IOC_HOLDERS, &again));
	again = h;
	again.records = (uintptr_t)area + page;
	EXPECT_EQ(-EFAULT, ro_ioctl(self->fd, REFOBJ_IOC_HOLDERS, &again));
	again = h;
	again.records = (uintptr_t)area + page - sizeof(struct refobj_holder);
	EXPECT_EQ(-EFAULT, ro_ioctl(self->fd, REFOBJ_IOC_HOLDERS, &again));
	again = h;
	again.records = ~0ULL - 4095;
	EXPECT_EQ(-EFAULT, ro_ioctl(self->fd, REFOBJ_IOC_HOLDERS, &again));
}

/* Nobody gave this cursor out, so what it leads to is open; harm is not. */
TEST_F(cmd, holders_from_a_made_up_cursor)
{
	const __u64 cursors[] = { 1, NEVER_ISSUED, ~0ULL };
	struct refobj_holder rec[2];
	struct refobj_holders h;
	unsigned int i;
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "h", 0, 7, &id));
	for (i = 0; i < ARRAY_SIZE(cursors); i++) {
		h = (struct refobj_holders) {
			.size = sizeof(h), .id = id, .cursor = cursors[i],
			.records = (uintptr_t)rec, .capacity = 2,
			.record_size = sizeof(*rec),
		};
		EXPECT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_HOLDERS, &h));
		EXPECT_GE(1, h.count);
		EXPECT_EQ(1, h.total);
	}
}

/*
 * Coming back: a session keeps what it needs to acquire again what it let go of last,
 * and nobody must be able to tell.
 */

TEST_F(cmd, coming_back_is_as_coming)
{
	struct refobj_holder holder;
	__u64 id, now;
	int i;

	ASSERT_EQ(0, ro_create(self->other, NULL, REFOBJ_PERSISTENT, 0, &id));
	for (i = 0; i < 3; i++) {
		now = monotonic_ns();
		ASSERT_EQ(1, ro_acquire(self->fd, id, 7 + i, 0));
		ASSERT_EQ(1, ro_holders(self->other, id, &holder, 1, NULL));
		EXPECT_EQ(7 + i, holder.count);
		EXPECT_LE(now, holder.since_ns);
		EXPECT_STREQ("", holder.why);
		ASSERT_EQ(0, ro_set_why(self->fd, id, "the time before"));
		EXPECT_EQ(1, ro_release(self->fd, id, 7 + i));
		EXPECT_EQ(0, ro_holders(self->other, id, &holder, 1, NULL));
		EXPECT_EQ(-ERANGE, ro_release(self->fd, id, 1));
		EXPECT_EQ(-ERANGE, ro_release_all(self->fd, id));
		EXPECT_EQ(-EPERM, ro_set_why(self->fd, id, "not held"));
		EXPECT_EQ(0, ro_release_all(self->fd, 0));
	}
	EXPECT_EQ(0, ro_destroy(self->other, id));
}

TEST_F(cmd, coming_back_to_what_has_died)
{
	__u64 id, next;

	ASSERT_EQ(0, ro_create(self->other, "back", REFOBJ_PERSISTENT, 0, &id));
	ASSERT_EQ(1, ro_acquire(self->fd, id, 1, 0));
	ASSERT_EQ(1, ro_release(self->fd, id, 1));
	ASSERT_EQ(0, ro_destroy(self->other, id));
	EXPECT_EQ(-ESTALE, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(-ESTALE, ro_acquire(self->fd, id, 1, REFOBJ_ACQUIRE_NOT_ZERO));
	EXPECT_EQ(-ESTALE, ro_release(self->fd, id, 1));
	EXPECT_EQ(-ENOENT, ro_lookup(self->fd, "back", &next));
	EXPECT_EQ(1, ro_attach(self->fd, "back", 0, 1, &next, NULL));
	EXPECT_LT(id, next);
	EXPECT_EQ(-ESTALE, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(1, ro_release(self->fd, next, 1));
}

TEST_F(cmd, coming_back_asks_what_coming_asks)
{
	struct refobj_create c = {
		.size = sizeof(c), .flags = REFOBJ_PERSISTENT, .type = "type",
	};
	struct refobj_acquire a = { .size = sizeof(a), .count = 1, .type = "other" };

	ASSERT_EQ(0, ro_ioctl(self->other, REFOBJ_IOC_CREATE, &c));
	a.id = c.id;
	ASSERT_EQ(1, ro_acquire(self->fd, c.id, 1, 0));
	EXPECT_EQ(-EPROTOTYPE, ro_ioctl(self->fd, REFOBJ_IOC_ACQUIRE, &a));
	ASSERT_EQ(1, ro_release(self->fd, c.id, 1));
	EXPECT_EQ(-EPROTOTYPE, ro_ioctl(self->fd, REFOBJ_IOC_ACQUIRE, &a));
	EXPECT_EQ(-EAGAIN, ro_acquire(self->fd, c.id, 1, REFOBJ_ACQUIRE_NOT_ZERO));
	EXPECT_EQ(0, ro_users(self->other, c.id));
	strncpy(a.type, "type", sizeof(a.type) - 1);
	EXPECT_EQ(1, ro_ioctl(self->fd, REFOBJ_IOC_ACQUIRE, &a));
	EXPECT_EQ(1, ro_users(self->other, c.id));
	EXPECT_EQ(1, ro_release(self->fd, c.id, 1));
	EXPECT_EQ(0, ro_destroy(self->other, c.id));
}

TEST_F(cmd, coming_back_builds)
{
	__u64 id;
	int i;

	ASSERT_EQ(0, ro_create(self->other, NULL, REFOBJ_PERSISTENT | REFOBJ_BUILD, 0, &id));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(REFOBJ_FIRST | REFOBJ_BUILDER,
			  ro_acquire(self->fd, id, 1, REFOBJ_ACQUIRE_BUILD));
		EXPECT_EQ(0, ro_publish(self->fd, id));
		EXPECT_EQ(1, ro_release(self->fd, id, 1));
	}
	EXPECT_EQ(0, ro_destroy(self->other, id));
}

/* One is kept: the others are as they were, in any order. */
TEST_F(cmd, coming_back_to_each_of_several)
{
	__u64 id[4];
	int i, j;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, ro_create(self->other, NULL, REFOBJ_PERSISTENT, 0, &id[i]));
	for (i = 0; i < 64; i++) {
		for (j = 0; j < 3; j++)
			ASSERT_EQ(1, ro_acquire(self->fd, id[i >> (2 * j) & 3], 1, 0) |
				     ro_release_all(self->fd, id[i >> (2 * j) & 3]));
		ASSERT_EQ(1, ro_acquire(self->fd, id[i & 3], 2, 0));
		ASSERT_EQ(1, ro_acquire(self->fd, id[(i + 1) & 3], 2, 0));
		ASSERT_EQ(1, ro_release(self->fd, id[i & 3], 2));
		ASSERT_EQ(1, ro_release_all(self->fd, 0));
	}
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(0, ro_users(self->other, id[i]));
		EXPECT_EQ(0, ro_destroy(self->other, id[i]));
	}
}

/* Where another's descriptor was the permission, it is not kept. */
TEST_F(cmd, coming_back_needs_the_permission)
{
	struct refobj_export e = { .size = sizeof(e) };
	struct refobj_import m = { .size = sizeof(m), .count = 1 };
	int stranger;
	__u64 id;

	ASSERT_EQ(0, ro_create(self->fd, NULL, REFOBJ_PERSISTENT, 0, &id));
	ASSERT_EQ(1, ro_acquire(self->fd, id, 1, 0));
	e.id = id;
	m.fd = ro_ioctl(self->fd, REFOBJ_IOC_EXPORT, &e);
	ASSERT_LE(0, m.fd);
	ASSERT_EQ(0, seteuid(4321));
	stranger = ro_open();
	ASSERT_EQ(0, seteuid(0));
	if (stranger == -EACCES)
		SKIP(return, REFOBJ_DEV " is closed to other users");
	ASSERT_LE(0, stranger);
	EXPECT_EQ(-EACCES, ro_acquire(stranger, id, 1, 0));
	ASSERT_EQ(0, ro_ioctl(stranger, REFOBJ_IOC_IMPORT, &m));
	EXPECT_EQ(0, ro_acquire(stranger, id, 1, 0));
	EXPECT_EQ(0, ro_release(stranger, id, 2));
	EXPECT_EQ(-EACCES, ro_acquire(stranger, id, 1, 0));
	EXPECT_EQ(0, ro_ioctl(stranger, REFOBJ_IOC_IMPORT, &m));
	EXPECT_EQ(0, ro_release(stranger, id, 1));
	EXPECT_EQ(0, close(m.fd));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(0, ro_destroy(self->fd, id));
	EXPECT_EQ(-ESTALE, ro_acquire(stranger, id, 1, 0));
	close(stranger);
}

/* DESTROY */

TEST_F(cmd, destroy_ends_an_idle_object_and_its_name)
{
	__u64 id, found;

	ASSERT_EQ(0, ro_create(self->fd, "d", REFOBJ_PERSISTENT, 0, &id));
	EXPECT_EQ(0, ro_destroy(self->other, id));
	EXPECT_EQ(-ESTALE, ro_users(self->fd, id));
	EXPECT_EQ(-ENOENT, ro_lookup(self->fd, "d", &found));
	EXPECT_EQ(-ESTALE, ro_destroy(self->fd, id));
	EXPECT_EQ(0, count_objects(self->fd));
}

TEST_F(cmd, destroy_of_a_used_object_is_refused)
{
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "d", REFOBJ_PERSISTENT, 1, &id));
	EXPECT_EQ(-EBUSY, ro_destroy(self->fd, id));
	EXPECT_EQ(-EBUSY, ro_destroy(self->other, id));
	EXPECT_EQ(1, ro_users(self->fd, id));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(cmd, destroy_of_a_transient_object_is_refused)
{
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "d", 0, 1, &id));
	EXPECT_EQ(-EBUSY, ro_destroy(self->fd, id));
	EXPECT_EQ(1, ro_users(self->fd, id));
}

/* SET_WHY */

TEST_F(cmd, why_of_the_session_shows_for_all_that_it_holds)
{
	__u64 a, b;

	ASSERT_EQ(1, ro_create(self->fd, "a", 0, 1, &a));
	EXPECT_STREQ("", shown_why(self->other, a));
	EXPECT_EQ(0, ro_set_why(self->fd, 0, "a session's reason"));
	EXPECT_STREQ("a session's reason", shown_why(self->other, a));
	ASSERT_EQ(1, ro_create(self->fd, "b", 0, 1, &b));
	EXPECT_STREQ("a session's reason", shown_why(self->other, b));
}

TEST_F(cmd, why_of_a_reference_goes_before_that_of_the_session)
{
	__u64 a, b;

	ASSERT_EQ(1, ro_create(self->fd, "a", 0, 1, &a));
	ASSERT_EQ(1, ro_create(self->fd, "b", 0, 1, &b));
	EXPECT_EQ(0, ro_set_why(self->fd, 0, "in general"));
	EXPECT_EQ(0, ro_set_why(self->fd, a, "in particular"));
	EXPECT_STREQ("in particular", shown_why(self->other, a));
	EXPECT_STREQ("in general", shown_why(self->other, b));
}

TEST_F(cmd, why_can_be_replaced_and_taken_away)
{
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "a", 0, 1, &id));
	EXPECT_EQ(0, ro_set_why(self->fd, 0, "the session"));
	EXPECT_EQ(0, ro_set_why(self->fd, id, "first, and longer"));
	EXPECT_EQ(0, ro_set_why(self->fd, id, "second"));
	EXPECT_STREQ("second", shown_why(self->other, id));
	EXPECT_EQ(0, ro_set_why(self->fd, id, ""));
	EXPECT_STREQ("the session", shown_why(self->other, id));
	EXPECT_EQ(0, ro_set_why(self->fd, 0, ""));
	EXPECT_STREQ("", shown_why(self->other, id));
	EXPECT_EQ(0, ro_set_why(self->fd, id, ""));
}

TEST_F(cmd, why_of_what_is_not_held_is_refused)
{
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "a", 0, 1, &id));
	EXPECT_EQ(-EPERM, ro_set_why(self->other, id, "none of my business"));
	EXPECT_EQ(-EPERM, ro_set_why(self->other, id, ""));
	EXPECT_STREQ("", shown_why(self->other, id));
}

TEST_F(cmd, why_goes_with_the_last_reference_of_the_session)
{
	__u64 id;

	ASSERT_EQ(1, ro_create(self->other, "a", REFOBJ_PERSISTENT, 2, &id));
	ASSERT_EQ(0, ro_set_why(self->other, id, "for a while"));
	ASSERT_EQ(0, ro_release(self->other, id, 1));
	EXPECT_STREQ("for a while", shown_why(self->fd, id));
	ASSERT_EQ(1, ro_release(self->other, id, 1));
	EXPECT_EQ(-EPERM, ro_set_why(self->other, id, "too late"));
	ASSERT_EQ(1, ro_acquire(self->other, id, 1, 0));
	EXPECT_STREQ("", shown_why(self->fd, id));
	ASSERT_EQ(1, ro_release(self->other, id, 1));
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(cmd, why_is_each_holders_own)
{
	struct refobj_holder h[2];
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "a", 0, 1, &id));
	ASSERT_EQ(0, ro_acquire(self->other, id, 1, 0));
	ASSERT_EQ(0, ro_set_why(self->fd, id, "one"));
	ASSERT_EQ(0, ro_set_why(self->other, id, "two"));
	ASSERT_EQ(2, ro_holders(self->fd, id, h, 2, NULL));
	EXPECT_STREQ("one", h[0].why);
	EXPECT_STREQ("two", h[1].why);
}

/* Ids, for every command that takes one */

FIXTURE(id) {
	int fd;
	int other;
};

FIXTURE_VARIANT(id) {
	unsigned int cmd;
	bool zero_has_a_meaning;
};

FIXTURE_VARIANT_ADD(id, acquire) {
	.cmd = REFOBJ_IOC_ACQUIRE,
};

FIXTURE_VARIANT_ADD(id, release) {
	.cmd = REFOBJ_IOC_RELEASE,
};

FIXTURE_VARIANT_ADD(id, release_all) {
	.cmd = REFOBJ_IOC_RELEASE_ALL,
	.zero_has_a_meaning = true,
};

FIXTURE_VARIANT_ADD(id, stat) {
	.cmd = REFOBJ_IOC_STAT,
};

FIXTURE_VARIANT_ADD(id, holders) {
	.cmd = REFOBJ_IOC_HOLDERS,
};

FIXTURE_VARIANT_ADD(id, destroy) {
	.cmd = REFOBJ_IOC_DESTROY,
};

FIXTURE_VARIANT_ADD(id, set_why) {
	.cmd = REFOBJ_IOC_SET_WHY,
	.zero_has_a_meaning = true,
};

FIXTURE_SETUP(id)
{
	setup(_metadata, &self->fd, &self->other);
}

FIXTURE_TEARDOWN(id)
{
	close(self->other);
	close(self->fd);
}

static int call(int fd, unsigned int cmd, __u64 id)
{
	struct refobj_stat st;

	switch (cmd) {
	case REFOBJ_IOC_ACQUIRE:
		return ro_acquire(fd, id, 1, 0);
	case REFOBJ_IOC_RELEASE:
		return ro_release(fd, id, 1);
	case REFOBJ_IOC_RELEASE_ALL:
		return ro_release_all(fd, id);
	case REFOBJ_IOC_STAT:
		return ro_stat(fd, id, &st);
	case REFOBJ_IOC_HOLDERS:
		return ro_holders(fd, id, NULL, 0, NULL);
	case REFOBJ_IOC_DESTROY:
		return ro_destroy(fd, id);
	case REFOBJ_IOC_SET_WHY:
		return ro_set_why(fd, id, "why");
	}
	return 1;
}

TEST_F(id, never_given_out_is_unknown)
{
	__u64 last;

	ASSERT_EQ(1, ro_create(self->fd, NULL, 0, 1, &last));
	EXPECT_EQ(-ENOENT, call(self->fd, variant->cmd, last + 1000000));
	EXPECT_EQ(-ENOENT, call(self->fd, variant->cmd, NEVER_ISSUED));
	EXPECT_EQ(-ENOENT, call(self->fd, variant->cmd, ~0ULL));
	if (!variant->zero_has_a_meaning)
		EXPECT_EQ(-ENOENT, call(self->fd, variant->cmd, 0));
}

/* The id differs from a live one only where 32 bits end. */
TEST_F(id, is_not_cut_to_32_bits)
{
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, NULL, 0, 1, &id));
	EXPECT_EQ(-ENOENT, call(self->fd, variant->cmd, id | 1ULL << 40));
	EXPECT_EQ(1, ro_users(self->fd, id));
}

TEST_F(id, of_a_released_transient_object_is_stale)
{
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "x", 0, 1, &id));
	ASSERT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(-ESTALE, call(self->fd, variant->cmd, id));
	EXPECT_EQ(-ESTALE, call(self->other, variant->cmd, id));
}

TEST_F(id, of_a_destroyed_object_is_stale)
{
	__u64 id;

	ASSERT_EQ(0, ro_create(self->fd, "x", REFOBJ_PERSISTENT, 0, &id));
	ASSERT_EQ(0, ro_destroy(self->fd, id));
	EXPECT_EQ(-ESTALE, call(self->fd, variant->cmd, id));
}

/* The id does not lead to the object that has the name now. */
TEST_F(id, stays_stale_when_the_name_lives_again)
{
	__u64 old, id;

	ASSERT_EQ(1, ro_create(self->fd, "x", 0, 1, &old));
	ASSERT_EQ(1, ro_release(self->fd, old, 1));
	ASSERT_EQ(1, ro_create(self->fd, "x", 0, 1, &id));
	EXPECT_EQ(-ESTALE, call(self->fd, variant->cmd, old));
	EXPECT_EQ(1, ro_users(self->fd, id));
}

TEST_F(cmd, ids_only_grow_and_are_never_reused)
{
	__u64 last = 0, id;
	int i;

	for (i = 0; i < 2000; i++) {
		ASSERT_EQ(1, ro_create(i % 2 ? self->fd : self->other,
				       i % 3 ? "again" : NULL, 0, 1, &id));
		ASSERT_LT(last, id);
		last = id;
		ASSERT_EQ(1, ro_release(i % 2 ? self->fd : self->other, id, 1));
	}
}

TEST_F(cmd, closing_a_session_drops_what_it_held)
{
	__u64 shared, alone;

	ASSERT_EQ(1, ro_create(self->fd, "shared", 0, 1, &shared));
	ASSERT_EQ(0, ro_acquire(self->other, shared, 5, 0));
	ASSERT_EQ(1, ro_create(self->other, "alone", 0, 5, &alone));
	close(self->other);
	EXPECT_EQ(1, ro_users(self->fd, shared));
	EXPECT_EQ(-ESTALE, ro_users(self->fd, alone));
	self->other = ro_open();
}

/* The seed packages' own examples, as far as counts show them */

TEST_F(cmd, s1_one_consumer_starts_and_stops_the_producer)
{
	__u64 id;

	ASSERT_EQ(0, ro_create(self->fd, "s1", REFOBJ_PERSISTENT, 0, &id));
	EXPECT_EQ(0, ro_users(self->fd, id));
	EXPECT_EQ(1, ro_acquire(self->other, id, 1, 0));
	EXPECT_EQ(1, ro_users(self->fd, id));
	EXPECT_EQ(1, ro_release(self->other, id, 1));
	EXPECT_EQ(0, ro_users(self->fd, id));
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(cmd, s2_only_the_first_and_last_consumer_count)
{
	__u64 id;

	ASSERT_EQ(0, ro_create(self->fd, "s2", REFOBJ_PERSISTENT, 0, &id));
	EXPECT_EQ(1, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(0, ro_acquire(self->other, id, 1, 0));
	EXPECT_EQ(2, ro_users(self->fd, id));
	EXPECT_EQ(0, ro_release(self->fd, id, 1));
	EXPECT_EQ(1, ro_users(self->fd, id));
	EXPECT_EQ(1, ro_release(self->other, id, 1));
	EXPECT_EQ(0, ro_users(self->fd, id));
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(cmd, s4_instance_manager_switches_the_conversion)
{
	struct refobj_stat st;
	__u64 id;

	ASSERT_EQ(0, ro_create(self->fd, "s4", REFOBJ_PERSISTENT, 0, &id));
	EXPECT_EQ(-EAGAIN, ro_acquire(self->fd, id, 1, REFOBJ_ACQUIRE_NOT_ZERO));
	EXPECT_EQ(1, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(0, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(2, ro_users(self->fd, id));
	EXPECT_EQ(0, ro_release(self->fd, id, 1));
	EXPECT_EQ(1, ro_users(self->fd, id));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(0, ro_users(self->fd, id));
	EXPECT_EQ(1, ro_acquire(self->fd, id, 1, 0));
	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(2, st.activations);
	EXPECT_EQ(1, st.deactivations);
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(cmd, s6_underflow_is_refused_and_changes_nothing)
{
	struct refobj_stat before, after;
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "s6", REFOBJ_PERSISTENT, 1, &id));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	ASSERT_EQ(0, ro_stat(self->fd, id, &before));
	EXPECT_EQ(0, before.users);
	EXPECT_EQ(-ERANGE, ro_release(self->fd, id, 1));
	EXPECT_EQ(-ERANGE, ro_release(self->other, id, 1));
	ASSERT_EQ(0, ro_stat(self->fd, id, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	EXPECT_EQ(1, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(cmd, s10_replaced_dropped_and_disposed_twice)
{
	__u64 first, second;

	ASSERT_EQ(1, ro_create(self->fd, NULL, 0, 1, &first));
	EXPECT_EQ(1, count_objects(self->fd));
	ASSERT_EQ(1, ro_create(self->fd, NULL, 0, 1, &second));
	EXPECT_EQ(1, ro_release(self->fd, first, 1));
	EXPECT_EQ(1, count_objects(self->fd));
	EXPECT_EQ(1, ro_release(self->fd, second, 1));
	EXPECT_EQ(0, count_objects(self->fd));
	EXPECT_EQ(-ESTALE, ro_release(self->fd, second, 1));
	EXPECT_EQ(0, count_objects(self->fd));
}

TEST_HARNESS_MAIN
