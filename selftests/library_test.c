// SPDX-License-Identifier: GPL-2.0-only
/*
 * librefobj: each call does what its command does, says what went wrong by its
 * return value, leaves errno alone, and knows a forked child from its parent.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "refobj_test.h"
#include <librefobj.h>

#define LONG_NAME	"a name of sixty-four bytes, which is one more than there is room"

FIXTURE(library) {
	struct refobj_session *s;
};

FIXTURE_SETUP(library)
{
	if (access(REFOBJ_DEV, F_OK))
		SKIP(return, "no " REFOBJ_DEV ": the module is not loaded");
	ASSERT_EQ(0, refobj_open(&self->s));
}

FIXTURE_TEARDOWN(library)
{
	refobj_close(self->s);
}

TEST_F(library, close_of_nothing_is_nothing)
{
	refobj_close(NULL);
}

TEST_F(library, open_without_device)
{
	struct refobj_session *s;

	setenv("REFOBJ_DEVICE", "/nonexistent/refobj", 1);
	EXPECT_EQ(-ENOENT, refobj_open(&s));
}

TEST_F(library, open_of_another_device)
{
	struct refobj_session *s;

	setenv("REFOBJ_DEVICE", "/dev/null", 1);
	EXPECT_EQ(-ENOTTY, refobj_open(&s));
}

TEST_F(library, descriptor_is_close_on_exec)
{
	EXPECT_EQ(FD_CLOEXEC, fcntl(refobj_fd(self->s), F_GETFD));
}

TEST_F(library, info)
{
	struct refobj_info info;

	memset(&info, 0xcc, sizeof(info));
	ASSERT_EQ(0, refobj_info(self->s, &info));
	EXPECT_EQ(REFOBJ_VERSION, info.version);
	EXPECT_EQ(REFOBJ_USERS_MAX, info.users_max);
	EXPECT_STREQ("0.1.0", refobj_version());
}

TEST_F(library, errno_is_left_alone)
{
	errno = EXDEV;
	EXPECT_EQ(-ENOENT, refobj_release(self->s, ~0ULL, 1));
	EXPECT_EQ(EXDEV, errno);
}

TEST_F(library, create_and_release)
{
	uint64_t id = 0;

	EXPECT_EQ(1, refobj_create(self->s, "lib-create", NULL, 2, &id));
	EXPECT_NE(0, id);
	EXPECT_EQ(-EEXIST, refobj_create(self->s, "lib-create", NULL, 1, NULL));
	EXPECT_EQ(0, refobj_release(self->s, id, 1));
	EXPECT_EQ(1, refobj_release(self->s, id, 1));
	EXPECT_EQ(-ESTALE, refobj_release(self->s, id, 1));
}

TEST_F(library, create_persistent_with_attributes)
{
	struct refobj_attr attr = {
		.flags = REFOBJ_PERSISTENT, .mode = 0640, .type = "tag",
	};
	struct refobj_stat st;
	uint64_t id;

	ASSERT_EQ(0, refobj_create(self->s, "lib-persistent", &attr, 0, &id));
	ASSERT_EQ(0, refobj_stat(self->s, id, &st));
	EXPECT_EQ(REFOBJ_STATE_IDLE, st.state);
	EXPECT_EQ(REFOBJ_PERSISTENT, st.object_flags);
	EXPECT_EQ(0640, st.mode);
	EXPECT_STREQ("tag", st.type);
	EXPECT_STREQ("lib-persistent", st.name);
	EXPECT_EQ(1, refobj_acquire(self->s, id, 1));
	EXPECT_EQ(-EBUSY, refobj_destroy(self->s, id));
	EXPECT_EQ(1, refobj_release(self->s, id, 1));
	EXPECT_EQ(0, refobj_destroy(self->s, id));
	EXPECT_EQ(-ESTALE, refobj_stat(self->s, id, &st));
}

TEST_F(library, attach_says_who_created)
{
	struct refobj_session *other;
	uint64_t id, again;
	int created = -1;

	ASSERT_EQ(0, refobj_open(&other));
	EXPECT_EQ(1, refobj_attach(self->s, "lib-attach", NULL, 1, &id, &created));
	EXPECT_EQ(1, created);
	EXPECT_EQ(0, refobj_attach(other, "lib-attach", NULL, 1, &again, &created));
	EXPECT_EQ(0, created);
	EXPECT_EQ(id, again);
	refobj_close(other);
}

TEST_F(library, attach_existing_only)
{
	struct refobj_attr attr = { .flags = REFOBJ_ATTACH_EXISTING };

	EXPECT_EQ(-ENOENT,
		  refobj_attach(self->s, "lib-none", &attr, 1, NULL, NULL));
}

TEST_F(library, lookup_demands_a_type)
{
	struct refobj_attr attr = { .type = "blue" };
	uint64_t id, found = 0;

	ASSERT_EQ(1, refobj_create(self->s, "lib-lookup", &attr, 1, &id));
	EXPECT_EQ(0, refobj_lookup(self->s, "lib-lookup", NULL, &found));
	EXPECT_EQ(id, found);
	EXPECT_EQ(0, refobj_lookup(self->s, "lib-lookup", "blue", &found));
	EXPECT_EQ(-EPROTOTYPE,
		  refobj_lookup(self->s, "lib-lookup", "red", &found));
	EXPECT_EQ(-ENOENT, refobj_lookup(self->s, "lib-none", NULL, &found));
}

TEST_F(library, acquire_as)
{
	struct refobj_attr attr = { .flags = REFOBJ_PERSISTENT, .type = "t" };
	uint64_t id;

	ASSERT_EQ(0, refobj_create(self->s, "lib-as", &attr, 0, &id));
	EXPECT_EQ(-EAGAIN, refobj_acquire_as(self->s, id, 1,
					     REFOBJ_ACQUIRE_NOT_ZERO, NULL));
	EXPECT_EQ(-EPROTOTYPE, refobj_acquire_as(self->s, id, 1, 0, "u"));
	EXPECT_EQ(1, refobj_acquire_as(self->s, id, 3, 0, "t"));
	EXPECT_EQ(0, refobj_acquire_as(self->s, id, 1,
				       REFOBJ_ACQUIRE_NOT_ZERO, "t"));
	EXPECT_EQ(1, refobj_release_all(self->s, id));
	EXPECT_EQ(0, refobj_destroy(self->s, id));
}

TEST_F(library, release_all_of_a_session)
{
	uint64_t id;
	int i;

	for (i = 0; i < 5; i++)
		ASSERT_EQ(1, refobj_create(self->s, NULL, NULL, i + 1, &id));
	EXPECT_EQ(5, refobj_release_all(self->s, 0));
	EXPECT_EQ(0, refobj_release_all(self->s, 0));
}

TEST_F(library, release_of_too_many_changes_nothing)
{
	struct refobj_stat st;
	uint64_t id;

	ASSERT_EQ(1, refobj_create(self->s, NULL, NULL, 2, &id));
	EXPECT_EQ(-ERANGE, refobj_release(self->s, id, 3));
	ASSERT_EQ(0, refobj_stat(self->s, id, &st));
	EXPECT_EQ(2, st.users);
	EXPECT_EQ(2, st.held);
}

TEST_F(library, strings_that_do_not_fit)
{
	struct refobj_attr attr = { .type = LONG_NAME };
	uint64_t id;

	ASSERT_EQ(64, strlen(LONG_NAME));
	EXPECT_EQ(-ENAMETOOLONG,
		  refobj_create(self->s, LONG_NAME, NULL, 1, &id));
	EXPECT_EQ(-ENAMETOOLONG, refobj_create(self->s, "x", &attr, 1, &id));
	EXPECT_EQ(-ENAMETOOLONG,
		  refobj_attach(self->s, LONG_NAME, NULL, 1, NULL, NULL));
	EXPECT_EQ(-ENAMETOOLONG, refobj_lookup(self->s, LONG_NAME, NULL, &id));
	EXPECT_EQ(-ENAMETOOLONG, refobj_set_why(self->s, 0, LONG_NAME));
	EXPECT_EQ(-ENAMETOOLONG,
		  refobj_acquire_as(self->s, 1, 1, 0, LONG_NAME));
}

TEST_F(library, next_walks_all)
{
	struct refobj_stat st = {};
	bool seen[20] = {};
	uint64_t ids[20];
	int i, ret;

	for (i = 0; i < 20; i++)
		ASSERT_EQ(1, refobj_create(self->s, NULL, NULL, 1, &ids[i]));
	while (!(ret = refobj_next(self->s, &st)))
		for (i = 0; i < 20; i++)
			if (ids[i] == st.id) {
				EXPECT_FALSE(seen[i]);
				seen[i] = true;
			}
	EXPECT_EQ(-ENOENT, ret);
	for (i = 0; i < 20; i++)
		EXPECT_TRUE(seen[i]);
}

TEST_F(library, holders_of_many_sessions)
{
	struct refobj_session *others[200];
	struct refobj_holder *records;
	uint64_t id;
	int i, n;

	ASSERT_EQ(1, refobj_create(self->s, "lib-holders", NULL, 3, &id));
	EXPECT_EQ(0, refobj_set_why(self->s, id, "first"));
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, refobj_open(&others[i]));
		ASSERT_EQ(0, refobj_acquire(others[i], id, 1));
	}
	n = refobj_holders(self->s, id, &records);
	ASSERT_EQ(201, n);
	EXPECT_EQ(3, records[0].count);
	EXPECT_EQ(getpid(), (pid_t)records[0].pid);
	EXPECT_STREQ("first", records[0].why);
	for (i = 1; i < n; i++) {
		EXPECT_EQ(1, records[i].count);
		EXPECT_GT(records[i].session, records[i - 1].session);
	}
	free(records);
	for (i = 0; i < 200; i++)
		refobj_close(others[i]);
}

TEST_F(library, holders_of_an_idle_object)
{
	struct refobj_attr attr = { .flags = REFOBJ_PERSISTENT };
	struct refobj_holder *records = (void *)1;
	uint64_t id;

	ASSERT_EQ(0, refobj_create(self->s, NULL, &attr, 0, &id));
	EXPECT_EQ(0, refobj_holders(self->s, id, &records));
	EXPECT_EQ(NULL, records);
	EXPECT_EQ(0, refobj_destroy(self->s, id));
	EXPECT_EQ(-ESTALE, refobj_holders(self->s, id, &records));
}

TEST_F(library, states_have_names)
{
	EXPECT_STREQ("idle", refobj_strstate(REFOBJ_STATE_IDLE));
	EXPECT_STREQ("ready", refobj_strstate(REFOBJ_STATE_READY));
	EXPECT_STREQ("dead", refobj_strstate(REFOBJ_STATE_DEAD));
	EXPECT_STREQ("unknown", refobj_strstate(99));
}

/* In the child every call is refused, and the parent loses nothing by it. */
TEST_F(library, fork_does_not_share_the_session)
{
	struct refobj_holder *records;
	struct refobj_info info;
	struct refobj_stat st = {};
	uint64_t id;
	pid_t pid;
	int status;

	ASSERT_EQ(1, refobj_create(self->s, "lib-fork", NULL, 2, &id));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		EXPECT_EQ(-ECHILD, refobj_fd(self->s));
		EXPECT_EQ(-ECHILD, refobj_info(self->s, &info));
		EXPECT_EQ(-ECHILD, refobj_create(self->s, NULL, NULL, 1, NULL));
		EXPECT_EQ(-ECHILD, refobj_attach(self->s, "x", NULL, 1, NULL, NULL));
		EXPECT_EQ(-ECHILD, refobj_lookup(self->s, "x", NULL, &id));
		EXPECT_EQ(-ECHILD, refobj_acquire(self->s, id, 1));
		EXPECT_EQ(-ECHILD, refobj_release(self->s, id, 1));
		EXPECT_EQ(-ECHILD, refobj_release_all(self->s, 0));
		EXPECT_EQ(-ECHILD, refobj_stat(self->s, id, &st));
		EXPECT_EQ(-ECHILD, refobj_next(self->s, &st));
		EXPECT_EQ(-ECHILD, refobj_holders(self->s, id, &records));
		EXPECT_EQ(-ECHILD, refobj_destroy(self->s, id));
		EXPECT_EQ(-ECHILD, refobj_set_why(self->s, 0, "x"));
		refobj_close(self->s);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, refobj_stat(self->s, id, &st));
	EXPECT_EQ(2, st.users);
}

/* A child opens its own; its parent's stays closed to it, and it to its child. */
TEST_F(library, fork_and_open)
{
	struct refobj_session *mine;
	struct refobj_info info;
	pid_t pid, grandchild;
	int status;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		EXPECT_EQ(0, refobj_open(&mine));
		EXPECT_EQ(0, refobj_info(mine, &info));
		EXPECT_EQ(-ECHILD, refobj_info(self->s, &info));
		grandchild = fork();
		if (!grandchild) {
			EXPECT_EQ(-ECHILD, refobj_info(mine, &info));
			EXPECT_EQ(-ECHILD, refobj_info(self->s, &info));
			_exit(0);
		}
		EXPECT_EQ(grandchild, waitpid(grandchild, &status, 0));
		EXPECT_EQ(0, refobj_info(mine, &info));
		refobj_close(mine);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, refobj_info(self->s, &info));
}

struct hammer {
	struct refobj_session *session;
	uint64_t id;
	int failures;
};

static void *hammer(void *arg)
{
	struct hammer *h = arg;
	int i;

	for (i = 0; i < 5000; i++) {
		h->failures += refobj_acquire(h->session, h->id, 1) < 0;
		h->failures += refobj_release(h->session, h->id, 1) < 0;
	}
	return NULL;
}

TEST_F(library, threads_share_a_session)
{
	struct hammer h[4];
	struct refobj_stat st;
	pthread_t thread[4];
	uint64_t id;
	int i;

	ASSERT_EQ(1, refobj_create(self->s, "lib-threads", NULL, 1, &id));
	for (i = 0; i < 4; i++) {
		h[i] = (struct hammer) { self->s, id, 0 };
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, hammer, &h[i]));
	}
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		EXPECT_EQ(0, h[i].failures);
	}
	ASSERT_EQ(0, refobj_stat(self->s, id, &st));
	EXPECT_EQ(1, st.users);
	EXPECT_EQ(1, st.held);
}

TEST_HARNESS_MAIN
