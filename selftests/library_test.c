// SPDX-License-Identifier: GPL-2.0-only
/*
 * librefobj: each call does what its command does, says what went wrong by its
 * return value, leaves errno alone, and knows a forked child from its parent.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"
#include "library.h"

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
	EXPECT_STREQ("building", refobj_strstate(REFOBJ_STATE_BUILDING));
	EXPECT_STREQ("lingering", refobj_strstate(REFOBJ_STATE_LINGERING));
	EXPECT_STREQ("unknown", refobj_strstate(99));
}

/* In the child every call is refused, and the parent loses nothing by it. */
TEST_F(library, fork_does_not_share_the_session)
{
	const struct refobj_callbacks callbacks = { 0 };
	struct refobj_condition condition = { 0 };
	struct refobj_holder *records;
	struct refobj_stat st = {};
	struct refobj_event event;
	struct refobj_info info;
	struct refobj_blob blob;
	struct refobj_ref ref;
	uint64_t id, n;
	char c = 'c';
	pid_t pid;

	ASSERT_EQ(1, refobj_create(self->s, "lib-fork", NULL, 1, &id));
	ASSERT_EQ(0, refobj_ref_open(&ref, self->s, id, NULL));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		LIB_EXPECT(-ECHILD, refobj_fd(self->s));
		LIB_EXPECT(-ECHILD, refobj_info(self->s, &info));
		LIB_EXPECT(-ECHILD, refobj_create(self->s, NULL, NULL, 1, NULL));
		LIB_EXPECT(-ECHILD, refobj_attach(self->s, "x", NULL, 1, NULL, NULL));
		LIB_EXPECT(-ECHILD, refobj_lookup(self->s, "x", NULL, &id));
		LIB_EXPECT(-ECHILD, refobj_acquire(self->s, id, 1));
		LIB_EXPECT(-ECHILD, refobj_release(self->s, id, 1));
		LIB_EXPECT(-ECHILD, refobj_release_all(self->s, 0));
		LIB_EXPECT(-ECHILD, (int)refobj_submit(self->s, NULL, 1, 0));
		LIB_EXPECT(-ECHILD, refobj_stat(self->s, id, &st));
		LIB_EXPECT(-ECHILD, refobj_next(self->s, &st));
		LIB_EXPECT(-ECHILD, refobj_holders(self->s, id, &records));
		LIB_EXPECT(-ECHILD, refobj_destroy(self->s, id));
		LIB_EXPECT(-ECHILD, refobj_set_why(self->s, 0, "x"));
		LIB_EXPECT(-ECHILD, refobj_is_type(self->s, id, NULL));
		LIB_EXPECT(-ECHILD, refobj_publish(self->s, id, -1));
		LIB_EXPECT(-ECHILD, refobj_set_file(self->s, id, -1));
		LIB_EXPECT(-ECHILD, refobj_get_file(self->s, id));
		LIB_EXPECT(-ECHILD, refobj_set_value(self->s, id, &c, 1));
		LIB_EXPECT(-ECHILD, refobj_set_value_if(self->s, id, 0, &c, 1));
		LIB_EXPECT(-ECHILD, refobj_get_value(self->s, id, &c, 1, &n));
		LIB_EXPECT(-ECHILD, refobj_link(self->s, id, id));
		LIB_EXPECT(-ECHILD, refobj_unlink(self->s, id, id));
		LIB_EXPECT(-ECHILD, refobj_export(self->s, id));
		LIB_EXPECT(-ECHILD, refobj_import(self->s, 0, &id));
		LIB_EXPECT(-ECHILD, refobj_wait(self->s, id, REFOBJ_UNTIL_IDLE, 0));
		LIB_EXPECT(-ECHILD, refobj_wait_users(self->s, id, 1, 0));
		LIB_EXPECT(-ECHILD, refobj_wait_many(self->s, &condition, 1, 0, 0));
		LIB_EXPECT(-ECHILD, refobj_watch(self->s, id, 2, 0));
		LIB_EXPECT(-ECHILD, refobj_unwatch(self->s, id));
		LIB_EXPECT(-ECHILD, refobj_read_events(self->s, &event, 1));
		LIB_EXPECT(-ECHILD, refobj_watch_callbacks(self->s, id, &callbacks, NULL));
		LIB_EXPECT(-ECHILD, refobj_dispatch(self->s));
		LIB_EXPECT(-ECHILD, refobj_ref_close(&ref));
		LIB_EXPECT(-ECHILD, refobj_ref_open(&ref, self->s, id, NULL));
		LIB_EXPECT(-ECHILD, refobj_publish_memfd(self->s, id, &c, 1));
		LIB_EXPECT(-ECHILD, refobj_blob_open(&blob, self->s, "x", NULL, 0));
		refobj_close(self->s);
		LIB_EXIT();
	}
	ASSERT_EQ(0, ro_reap(pid));
	EXPECT_EQ(2, lib_users(self->s, id));
	EXPECT_EQ(0, refobj_ref_close(&ref));
	EXPECT_EQ(1, lib_users(self->s, id));
}

/* A child opens its own; its parent's stays closed to it, and it to its child. */
TEST_F(library, fork_and_open)
{
	struct refobj_session *mine;
	struct refobj_info info;
	pid_t pid, grandchild;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		LIB_EXPECT(0, refobj_open(&mine));
		LIB_EXPECT(0, refobj_info(mine, &info));
		LIB_EXPECT(-ECHILD, refobj_info(self->s, &info));
		grandchild = fork();
		if (!grandchild) {
			LIB_EXPECT(-ECHILD, refobj_info(mine, &info));
			LIB_EXPECT(-ECHILD, refobj_info(self->s, &info));
			LIB_EXIT();
		}
		LIB_EXPECT(0, ro_reap(grandchild));
		LIB_EXPECT(0, refobj_info(mine, &info));
		refobj_close(mine);
		LIB_EXIT();
	}
	ASSERT_EQ(0, ro_reap(pid));
	EXPECT_EQ(0, refobj_info(self->s, &info));
}

/*
 * A daemon: the parent opens and holds, its child takes over, and the parent
 * exits. What is held stays until the child's end.
 */
TEST_F(library, adopt_after_fork)
{
	struct refobj_attr attr = { .flags = REFOBJ_PERSISTENT };
	struct refobj_session *s;
	struct ro_pipe pipe;
	pid_t parent, child;
	uint64_t id;

	ASSERT_EQ(0, refobj_create(self->s, "lib-adopt", &attr, 0, &id));
	ASSERT_EQ(0, ro_pipe_open(&pipe));
	parent = fork();
	ASSERT_LE(0, parent);
	if (!parent) {
		struct ro_pipe inner;

		LIB_EXPECT(0, ro_pipe_open(&inner));
		LIB_EXPECT(0, refobj_open(&s));
		LIB_EXPECT(1, refobj_acquire(s, id, 1));
		child = fork();
		if (!child) {
			LIB_EXPECT(-ECHILD, refobj_acquire(s, id, 1));
			LIB_EXPECT(0, refobj_adopt(s, 0));
			LIB_EXPECT(0, refobj_acquire(s, id, 1));
			ro_child_say(&inner, 0);
			/* until told, after the parent's end */
			LIB_EXPECT(5, ro_child_hear(&pipe));
			LIB_EXPECT(0, refobj_release(s, id, 1));
			ro_child_say(&pipe, lib_failures);
			ro_child_hear(&pipe);
			_exit(0);
		}
		LIB_EXPECT(0, ro_parent_hear(&inner));
		LIB_EXIT();
	}
	ASSERT_EQ(0, ro_reap(parent));
	EXPECT_EQ(2, lib_users(self->s, id));
	ro_parent_say(&pipe, 5);
	EXPECT_EQ(0, ro_parent_hear(&pipe));
	EXPECT_EQ(1, lib_users(self->s, id));
	ro_parent_say(&pipe, 6);
	EXPECT_EQ(0, refobj_wait(self->s, id, REFOBJ_UNTIL_IDLE, UINT64_MAX));
	EXPECT_EQ(0, refobj_destroy(self->s, id));
}

/* Too late: the owner has died, and the session with it. */
TEST_F(library, adopt_after_the_end)
{
	struct refobj_attr attr = { .flags = REFOBJ_PERSISTENT };
	struct refobj_session *s;
	struct ro_pipe pipe;
	pid_t parent;
	uint64_t id;

	ASSERT_EQ(0, refobj_create(self->s, NULL, &attr, 0, &id));
	ASSERT_EQ(0, ro_pipe_open(&pipe));
	parent = fork();
	ASSERT_LE(0, parent);
	if (!parent) {
		LIB_EXPECT(0, refobj_open(&s));
		LIB_EXPECT(1, refobj_acquire(s, id, 1));
		if (fork())
			LIB_EXIT();
		ro_child_hear(&pipe);
		LIB_EXPECT(-EOWNERDEAD, refobj_adopt(s, 0));
		LIB_EXPECT(-ECHILD, refobj_acquire(s, id, 1));
		refobj_close(s);
		ro_child_say(&pipe, lib_failures);
		_exit(0);
	}
	ASSERT_EQ(0, ro_reap(parent));
	EXPECT_EQ(0, lib_users(self->s, id));
	ro_parent_say(&pipe, 1);
	EXPECT_EQ(0, ro_parent_hear(&pipe));
	EXPECT_EQ(0, refobj_destroy(self->s, id));
}

/* What an unbound session holds lives on with a child that has it open. */
TEST_F(library, unbound)
{
	struct refobj_attr attr = { .flags = REFOBJ_PERSISTENT };
	struct refobj_session *s;
	struct ro_pipe pipe;
	pid_t parent;
	uint64_t id;

	ASSERT_EQ(0, refobj_create(self->s, NULL, &attr, 0, &id));
	ASSERT_EQ(0, ro_pipe_open(&pipe));
	parent = fork();
	ASSERT_LE(0, parent);
	if (!parent) {
		LIB_EXPECT(0, refobj_open_unbound(&s));
		LIB_EXPECT(1, refobj_acquire(s, id, 1));
		if (fork())
			LIB_EXIT();
		ro_child_hear(&pipe);
		/* to use it, and not to bind it */
		LIB_EXPECT(0, refobj_adopt(s, REFOBJ_ADOPT_NOBODY));
		LIB_EXPECT(0, refobj_acquire(s, id, 1));
		if (fork()) {
			ro_child_say(&pipe, lib_failures);
			_exit(0);
		}
		ro_child_hear(&pipe);
		_exit(0);
	}
	ASSERT_EQ(0, ro_reap(parent));
	EXPECT_EQ(1, lib_users(self->s, id));
	ro_parent_say(&pipe, 1);
	EXPECT_EQ(0, ro_parent_hear(&pipe));
	EXPECT_EQ(2, lib_users(self->s, id));
	ro_parent_say(&pipe, 2);
	EXPECT_EQ(0, refobj_wait(self->s, id, REFOBJ_UNTIL_IDLE, UINT64_MAX));
	EXPECT_EQ(0, refobj_destroy(self->s, id));
}

/* Who has lost a session to another owner is told when that one has died. */
TEST_F(library, session_of_a_dead_owner)
{
	struct refobj_session *s;
	struct refobj_event event;
	struct refobj_info info;
	struct ro_kid kid;

	ASSERT_EQ(0, refobj_open(&s));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		LIB_EXPECT(0, refobj_adopt(s, 0));
		LIB_EXIT();
	}
	ASSERT_EQ(0, ro_kid_reap(&kid));
	EXPECT_EQ(-EOWNERDEAD, refobj_info(s, &info));
	EXPECT_EQ(-EOWNERDEAD, refobj_read_events(s, &event, 1));
	EXPECT_EQ(-EOWNERDEAD, refobj_dispatch(s));
	EXPECT_EQ(-EOWNERDEAD, refobj_adopt(s, 0));
	refobj_close(s);
}

TEST_F(library, linger)
{
	struct refobj_attr attr = { .linger_ms = REFOBJ_LINGER_MAX };
	struct refobj_stat st;
	uint64_t id, again;
	int created;

	ASSERT_EQ(1, refobj_create(self->s, "lib-linger", &attr, 1, &id));
	ASSERT_EQ(0, refobj_stat(self->s, id, &st));
	EXPECT_EQ(REFOBJ_LINGER_MAX, st.linger_ms);
	EXPECT_EQ(0, refobj_release(self->s, id, 1));
	EXPECT_EQ(REFOBJ_STATE_LINGERING, lib_state(self->s, id));
	EXPECT_EQ(0, refobj_attach(self->s, "lib-linger", NULL, 1, &again, NULL));
	EXPECT_EQ(id, again);
	EXPECT_EQ(0, refobj_release(self->s, id, 1));
	EXPECT_EQ(0, refobj_destroy(self->s, id));
	EXPECT_EQ(1, refobj_attach(self->s, "lib-linger", &attr, 1, &id, &created));
	EXPECT_EQ(1, created);
	ASSERT_EQ(0, refobj_stat(self->s, id, &st));
	EXPECT_EQ(REFOBJ_LINGER_MAX, st.linger_ms);
	EXPECT_EQ(0, refobj_release(self->s, id, 1));
	EXPECT_EQ(0, refobj_destroy(self->s, id));
}

TEST_F(library, build_and_publish)
{
	struct refobj_attr attr = { .flags = REFOBJ_BUILD };
	struct refobj_session *other;
	uint64_t id;

	ASSERT_EQ(0, refobj_open(&other));
	EXPECT_EQ(REFOBJ_FIRST | REFOBJ_BUILDER,
		  refobj_create(self->s, "lib-build", &attr, 1, &id));
	EXPECT_EQ(REFOBJ_STATE_BUILDING, lib_state(self->s, id));
	EXPECT_EQ(0, refobj_attach(other, "lib-build", &attr, 1, NULL, NULL));
	EXPECT_EQ(-EPERM, refobj_publish(other, id, -1));
	/* The builder gives up: the next who asks is it. */
	EXPECT_EQ(0, refobj_release(self->s, id, 1));
	EXPECT_EQ(REFOBJ_BUILDER,
		  refobj_acquire_as(other, id, 1, REFOBJ_ACQUIRE_BUILD, NULL));
	EXPECT_EQ(0, refobj_publish(other, id, -1));
	EXPECT_EQ(REFOBJ_STATE_READY, lib_state(self->s, id));
	EXPECT_EQ(-EPERM, refobj_publish(other, id, -1));
	refobj_close(other);
	EXPECT_EQ(-ESTALE, lib_state(self->s, id));
}

TEST_F(library, type_of_an_object)
{
	struct refobj_attr attr = { .type = "blue" };
	uint64_t id, plain;

	ASSERT_EQ(1, refobj_create(self->s, NULL, &attr, 1, &id));
	ASSERT_EQ(1, refobj_create(self->s, NULL, NULL, 1, &plain));
	EXPECT_EQ(1, refobj_is_type(self->s, id, "blue"));
	EXPECT_EQ(0, refobj_is_type(self->s, id, "blu"));
	EXPECT_EQ(0, refobj_is_type(self->s, id, NULL));
	EXPECT_EQ(1, refobj_is_type(self->s, plain, NULL));
	EXPECT_EQ(1, refobj_is_type(self->s, plain, ""));
	EXPECT_EQ(0, refobj_is_type(self->s, plain, "blue"));
	EXPECT_EQ(-ENOENT, refobj_is_type(self->s, ~0ULL, "blue"));
}

/* S5: read and written while it is held, refused afterwards. */
TEST_F(library, value)
{
	struct refobj_attr attr = { .flags = REFOBJ_PERSISTENT };
	char value[REFOBJ_VALUE_MAX + 1] = "", longest[REFOBJ_VALUE_MAX];
	uint64_t id, version = 99;

	memset(longest, 'x', sizeof(longest));
	ASSERT_EQ(0, refobj_create(self->s, "lib-value", &attr, 0, &id));
	EXPECT_EQ(-EPERM, refobj_set_value(self->s, id, "abc", 3));
	ASSERT_EQ(1, refobj_acquire(self->s, id, 1));
	EXPECT_EQ(0, refobj_get_value(self->s, id, value, sizeof(value), &version));
	EXPECT_EQ(0, version);
	EXPECT_EQ(0, refobj_set_value(self->s, id, "abc", 3));
	EXPECT_EQ(3, refobj_get_value(self->s, id, value, sizeof(value), &version));
	EXPECT_STREQ("abc", value);
	EXPECT_EQ(1, version);
	/* what there is, of which only a part fits */
	memset(value, 0, sizeof(value));
	EXPECT_EQ(3, refobj_get_value(self->s, id, value, 2, NULL));
	EXPECT_STREQ("ab", value);
	EXPECT_EQ(3, refobj_get_value(self->s, id, NULL, 0, NULL));

	EXPECT_EQ(-EAGAIN, refobj_set_value_if(self->s, id, 0, "def", 3));
	EXPECT_EQ(0, refobj_set_value_if(self->s, id, 1, "def", 3));
	EXPECT_EQ(-EAGAIN, refobj_set_value_if(self->s, id, 1, "ghi", 3));
	EXPECT_EQ(3, refobj_get_value(self->s, id, value, sizeof(value), &version));
	EXPECT_EQ('d', value[0]);
	EXPECT_EQ(2, version);

	EXPECT_EQ(-EINVAL, refobj_set_value(self->s, id, value, sizeof(value)));
	EXPECT_EQ(-EINVAL, refobj_set_value(self->s, id, value, SIZE_MAX));
	EXPECT_EQ(0, refobj_set_value(self->s, id, longest, sizeof(longest)));
	EXPECT_EQ(REFOBJ_VALUE_MAX,
		  refobj_get_value(self->s, id, value, SIZE_MAX, NULL));
	EXPECT_EQ(0, memcmp(value, longest, sizeof(longest)));
	EXPECT_EQ(0, refobj_set_value(self->s, id, NULL, 0));
	EXPECT_EQ(0, refobj_get_value(self->s, id, value, sizeof(value), NULL));

	EXPECT_EQ(0, refobj_set_value(self->s, id, "abc", 3));
	EXPECT_EQ(1, refobj_release(self->s, id, 1));
	EXPECT_EQ(-EPERM, refobj_get_value(self->s, id, value, 3, NULL));
	ASSERT_EQ(1, refobj_acquire(self->s, id, 1));
	EXPECT_EQ(0, refobj_get_value(self->s, id, value, 3, NULL));
	EXPECT_EQ(1, refobj_release(self->s, id, 1));
	EXPECT_EQ(0, refobj_destroy(self->s, id));
}

TEST_F(library, file)
{
	char text[4] = "";
	int memfd, fd;
	uint64_t id;

	memfd = memfd_create("library_test", MFD_CLOEXEC);
	ASSERT_LE(0, memfd);
	ASSERT_EQ(3, pwrite(memfd, "abc", 3, 0));
	ASSERT_EQ(1, refobj_create(self->s, NULL, NULL, 1, &id));
	EXPECT_EQ(-ENODATA, refobj_get_file(self->s, id));
	EXPECT_EQ(-ENOENT, refobj_get_file(self->s, ~0ULL));
	EXPECT_EQ(-EINVAL, refobj_set_file(self->s, id, refobj_fd(self->s)));
	EXPECT_EQ(-EBADF, refobj_set_file(self->s, id, 999));
	EXPECT_EQ(0, refobj_set_file(self->s, id, memfd));
	close(memfd);
	fd = refobj_get_file(self->s, id);
	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(3, pread(fd, text, sizeof(text), 0));
	EXPECT_STREQ("abc", text);
	close(fd);
	EXPECT_EQ(0, refobj_set_file(self->s, id, -1));
	EXPECT_EQ(-ENODATA, refobj_get_file(self->s, id));
	EXPECT_EQ(1, refobj_release(self->s, id, 1));
	EXPECT_EQ(-ESTALE, refobj_get_file(self->s, id));
}

/* An owner that is active holds what it needs. */
TEST_F(library, edges)
{
	struct refobj_attr attr = { .flags = REFOBJ_PERSISTENT };
	uint64_t dog, owner;

	ASSERT_EQ(1, refobj_create(self->s, "lib-dog", NULL, 1, &dog));
	ASSERT_EQ(0, refobj_create(self->s, "lib-owner", &attr, 0, &owner));
	EXPECT_EQ(-ENOENT, refobj_unlink(self->s, owner, dog));
	EXPECT_EQ(0, refobj_link(self->s, owner, dog));
	EXPECT_EQ(-EEXIST, refobj_link(self->s, owner, dog));
	EXPECT_EQ(-ELOOP, refobj_link(self->s, dog, owner));
	EXPECT_EQ(-ELOOP, refobj_link(self->s, dog, dog));
	EXPECT_EQ(1, lib_users(self->s, dog));
	ASSERT_EQ(1, refobj_acquire(self->s, owner, 1));
	EXPECT_EQ(2, lib_users(self->s, dog));
	EXPECT_EQ(0, refobj_release(self->s, dog, 1));
	EXPECT_EQ(1, lib_users(self->s, dog));
	EXPECT_EQ(1, refobj_release(self->s, owner, 1));
	EXPECT_EQ(-ESTALE, lib_users(self->s, dog));
	EXPECT_EQ(-ESTALE, refobj_unlink(self->s, owner, dog));
	EXPECT_EQ(0, refobj_destroy(self->s, owner));
}

TEST_F(library, export_and_import)
{
	struct refobj_session *other;
	uint64_t id, again = 0;
	int fd;

	ASSERT_EQ(0, refobj_open(&other));
	ASSERT_EQ(1, refobj_create(self->s, NULL, NULL, 1, &id));
	EXPECT_EQ(-EPERM, refobj_export(other, id));
	fd = refobj_export(self->s, id);
	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(0, refobj_release(self->s, id, 1));
	EXPECT_EQ(1, lib_users(self->s, id));
	EXPECT_EQ(0, refobj_import(other, fd, &again));
	EXPECT_EQ(id, again);
	EXPECT_EQ(0, refobj_import(other, fd, NULL));
	EXPECT_EQ(3, lib_users(self->s, id));
	close(fd);
	EXPECT_EQ(2, lib_users(self->s, id));
	EXPECT_EQ(-EBADF, refobj_import(other, fd, NULL));
	EXPECT_EQ(-EINVAL, refobj_import(other, refobj_fd(other), NULL));
	refobj_close(other);
	EXPECT_EQ(-ESTALE, lib_users(self->s, id));
}

/* S10: dispose twice is harmless. */
TEST_F(library, handle_drops_once)
{
	struct refobj_attr attr = { .type = "t" };
	struct refobj_ref ref = { 0 }, last;
	uint64_t id;

	EXPECT_EQ(0, refobj_ref_close(&ref));
	ASSERT_EQ(1, refobj_create(self->s, NULL, &attr, 2, &id));
	EXPECT_EQ(-EPROTOTYPE, refobj_ref_open(&ref, self->s, id, "u"));
	EXPECT_EQ(0, ref.id);
	EXPECT_EQ(0, refobj_ref_close(&ref));
	EXPECT_EQ(0, refobj_ref_open(&ref, self->s, id, "t"));
	EXPECT_EQ(0, refobj_ref_open(&last, self->s, id, NULL));
	EXPECT_EQ(4, lib_users(self->s, id));
	EXPECT_EQ(0, refobj_ref_close(&ref));
	EXPECT_EQ(0, refobj_ref_close(&ref));
	EXPECT_EQ(3, lib_users(self->s, id));
	EXPECT_EQ(0, refobj_release(self->s, id, 2));
	EXPECT_EQ(1, refobj_ref_close(&last));
	EXPECT_EQ(0, refobj_ref_close(&last));
	EXPECT_EQ(-ESTALE, refobj_ref_open(&ref, self->s, id, NULL));
	EXPECT_EQ(0, refobj_ref_close(&ref));
}

static void *close_handle(void *arg)
{
	refobj_ref_close(arg);
	return NULL;
}

TEST_F(library, handle_drops_once_for_many_threads)
{
	struct refobj_ref ref;
	pthread_t thread[4];
	uint64_t id;
	int round, i;

	ASSERT_EQ(1, refobj_create(self->s, NULL, NULL, 100, &id));
	for (round = 1; round <= 50; round++) {
		ASSERT_EQ(0, refobj_ref_open(&ref, self->s, id, NULL));
		for (i = 0; i < 4; i++)
			ASSERT_EQ(0, pthread_create(&thread[i], NULL,
						    close_handle, &ref));
		for (i = 0; i < 4; i++)
			ASSERT_EQ(0, pthread_join(thread[i], NULL));
		ASSERT_EQ(100, lib_users(self->s, id));
	}
}

TEST_F(library, submit)
{
	static struct refobj_op op[REFOBJ_SUBMIT_MAX + 100];
	const size_t many = RO_ARRAY_SIZE(op);
	uint64_t id;
	size_t i;

	ASSERT_EQ(1, refobj_create(self->s, NULL, NULL, 1, &id));
	for (i = 0; i < many; i++)
		op[i] = (struct refobj_op) {
			.op = REFOBJ_OP_ACQUIRE, .id = id, .count = 1,
		};
	EXPECT_EQ(many, refobj_submit(self->s, op, many, 0));
	EXPECT_EQ(1 + many, lib_users(self->s, id));
	op[7].id = 0;
	EXPECT_EQ(8, refobj_submit(self->s, op, many, 0));
	EXPECT_EQ(8 + many, lib_users(self->s, id));
	EXPECT_EQ(-ENOENT, op[7].result);
	EXPECT_EQ(many, refobj_submit(self->s, op, many, REFOBJ_SUBMIT_ALL));
	EXPECT_EQ(7 + 2 * many, lib_users(self->s, id));
	/* the last of a call to the kernel, and more would follow */
	op[7].id = id;
	op[REFOBJ_SUBMIT_MAX - 1].id = 0;
	EXPECT_EQ(REFOBJ_SUBMIT_MAX, refobj_submit(self->s, op, many, 0));
	EXPECT_EQ(-EINVAL, refobj_submit(self->s, op, 0, 0));
	EXPECT_EQ(-EFAULT, refobj_submit(self->s, NULL, 1, 0));
	EXPECT_EQ(-EOPNOTSUPP, refobj_submit(self->s, op, 1, 1U << 31));
	EXPECT_EQ(6 + 2 * many + REFOBJ_SUBMIT_MAX, lib_users(self->s, id));
}

/* The kernel counts one for all, and knows when it goes. */
TEST_F(library, shared_handle)
{
	struct refobj_attr attr = { .flags = REFOBJ_PERSISTENT };
	struct refobj_shared *shared;
	struct refobj_holder *records;
	uint64_t id;
	int i;

	ASSERT_EQ(0, refobj_create(self->s, NULL, &attr, 0, &id));
	ASSERT_EQ(0, refobj_shared_open(&shared, self->s, id));
	EXPECT_EQ(0, lib_users(self->s, id));
	EXPECT_EQ(-ERANGE, refobj_shared_put(shared));
	EXPECT_EQ(1, refobj_shared_get(shared));
	for (i = 0; i < 100; i++)
		EXPECT_EQ(0, refobj_shared_get(shared));
	ASSERT_EQ(1, refobj_holders(self->s, id, &records));
	EXPECT_EQ(1, records->count);
	EXPECT_EQ(getpid(), records->pid);
	free(records);
	for (i = 0; i < 100; i++)
		EXPECT_EQ(0, refobj_shared_put(shared));
	EXPECT_EQ(1, lib_users(self->s, id));
	EXPECT_EQ(1, refobj_shared_put(shared));
	EXPECT_EQ(-ERANGE, refobj_shared_put(shared));
	EXPECT_EQ(0, lib_users(self->s, id));

	/* what is held goes with the handle */
	EXPECT_EQ(1, refobj_shared_get(shared));
	EXPECT_EQ(0, refobj_shared_get(shared));
	EXPECT_EQ(1, refobj_shared_close(shared));
	EXPECT_EQ(0, lib_users(self->s, id));
	EXPECT_EQ(0, refobj_shared_close(NULL));

	/* the errors are the kernel's */
	ASSERT_EQ(0, refobj_shared_open(&shared, self->s, id));
	EXPECT_EQ(1, refobj_shared_get(shared));
	EXPECT_EQ(1, refobj_release_all(self->s, id));
	EXPECT_EQ(-ERANGE, refobj_shared_put(shared));
	EXPECT_EQ(0, refobj_destroy(self->s, id));
	EXPECT_EQ(-ESTALE, refobj_shared_get(shared));
	EXPECT_EQ(0, refobj_shared_close(shared));
}

TEST_F(library, shared_handle_at_its_maximum)
{
	struct refobj_shared *shared;
	uint64_t id;

	ASSERT_EQ(1, refobj_create(self->s, NULL, NULL, 1, &id));
	ASSERT_EQ(0, refobj_shared_open(&shared, self->s, id));
	EXPECT_EQ(0, refobj_shared_get(shared));
	shared->count = REFOBJ_SHARED_MAX - 1;
	EXPECT_EQ(0, refobj_shared_get(shared));
	EXPECT_EQ(-EOVERFLOW, refobj_shared_get(shared));
	EXPECT_EQ(REFOBJ_SHARED_MAX, shared->count);
	EXPECT_EQ(0, refobj_shared_put(shared));
	EXPECT_EQ(0, refobj_shared_put(shared));
	EXPECT_EQ(REFOBJ_SHARED_MAX - 2, shared->count);
	EXPECT_EQ(2, lib_users(self->s, id));
	EXPECT_EQ(0, refobj_shared_close(shared));
	EXPECT_EQ(1, lib_users(self->s, id));
}

/* A child neither holds what its parent does, nor drops it. */
TEST_F(library, shared_handle_after_fork)
{
	struct refobj_shared *shared;
	struct refobj_session *s;
	struct ro_pipe pipe;
	pid_t pid, child;
	uint64_t id;

	ASSERT_EQ(1, refobj_create(self->s, NULL, NULL, 1, &id));
	ASSERT_EQ(0, ro_pipe_open(&pipe));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct ro_pipe inner;

		LIB_EXPECT(0, ro_pipe_open(&inner));
		LIB_EXPECT(0, refobj_open(&s));
		LIB_EXPECT(0, refobj_shared_open(&shared, s, id));
		LIB_EXPECT(0, refobj_shared_get(shared));
		LIB_EXPECT(0, refobj_shared_get(shared));
		LIB_EXPECT(0, refobj_shared_get(shared));
		child = fork();
		if (!child) {
			LIB_EXPECT(-ECHILD, refobj_shared_get(shared));
			LIB_EXPECT(0, refobj_shared_put(shared));
			LIB_EXPECT(0, refobj_shared_put(shared));
			LIB_EXPECT(-ECHILD, refobj_shared_put(shared));
			LIB_EXPECT(0, refobj_adopt(s, 0));
			LIB_EXPECT(0, refobj_shared_get(shared));
			LIB_EXPECT(2, (int)shared->count);
			ro_child_say(&inner, 0);
			/* until told, after the parent's end */
			LIB_EXPECT(5, ro_child_hear(&pipe));
			LIB_EXPECT(0, refobj_shared_put(shared));
			LIB_EXPECT(2, lib_users(s, id));
			LIB_EXPECT(0, refobj_shared_put(shared));
			LIB_EXPECT(1, lib_users(s, id));
			LIB_EXPECT(0, refobj_shared_close(shared));
			ro_child_say(&pipe, lib_failures);
			ro_child_hear(&pipe);
			_exit(0);
		}
		LIB_EXPECT(0, ro_parent_hear(&inner));
		LIB_EXIT();
	}
	ASSERT_EQ(0, ro_reap(pid));
	EXPECT_EQ(2, lib_users(self->s, id));
	ro_parent_say(&pipe, 5);
	EXPECT_EQ(0, ro_parent_hear(&pipe));
	EXPECT_EQ(1, lib_users(self->s, id));
	ro_parent_say(&pipe, 6);

	/* and without an adoption it is the child's copy that goes */
	ASSERT_EQ(0, refobj_shared_open(&shared, self->s, id));
	EXPECT_EQ(0, refobj_shared_get(shared));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct refobj_shared *other;

		LIB_EXPECT(-ECHILD, refobj_shared_open(&other, self->s, id));
		LIB_EXPECT(-ECHILD, refobj_shared_close(shared));
		LIB_EXIT();
	}
	ASSERT_EQ(0, ro_reap(pid));
	EXPECT_EQ(2, lib_users(self->s, id));
	EXPECT_EQ(0, refobj_shared_close(shared));
}

struct sharing {
	struct refobj_session *s;
	struct refobj_shared *shared;
	uint64_t id;
	int rounds;
	int firsts, lasts, bad;
};

static void *share(void *arg)
{
	struct sharing *a = arg;
	int i, ret;

	for (i = 0; i < a->rounds; i++) {
		ret = refobj_shared_get(a->shared);
		__atomic_fetch_add(ret < 0 ? &a->bad : &a->firsts, !!ret, __ATOMIC_RELAXED);
		/* who holds the handle holds the object */
		if (!(i & 15) && lib_users(a->s, a->id) != 1)
			__atomic_fetch_add(&a->bad, 1, __ATOMIC_RELAXED);
		ret = refobj_shared_put(a->shared);
		__atomic_fetch_add(ret < 0 ? &a->bad : &a->lasts, !!ret, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST_F(library, shared_handle_of_many_threads)
{
	struct refobj_attr attr = { .flags = REFOBJ_PERSISTENT };
	struct sharing a = { .s = self->s, .rounds = ro_times(5000) };
	struct refobj_stat stat;
	pthread_t thread[4];
	int i;

	ASSERT_EQ(0, refobj_create(self->s, NULL, &attr, 0, &a.id));
	ASSERT_EQ(0, refobj_shared_open(&a.shared, self->s, a.id));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, share, &a));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
	EXPECT_EQ(0, a.bad);
	EXPECT_EQ(a.firsts, a.lasts);
	EXPECT_EQ(0, refobj_stat(self->s, a.id, &stat));
	EXPECT_EQ(0, stat.users);
	EXPECT_EQ(a.firsts, stat.activations);
	EXPECT_EQ(a.lasts, stat.deactivations);
	EXPECT_EQ(0, refobj_shared_close(a.shared));
	EXPECT_EQ(0, refobj_destroy(self->s, a.id));
}

/* S11: what can be done with a type; unknown ones are refused, or generic. */
TEST_F(library, types)
{
	static const int dog_operations = 1, plain_operations = 2, generic = 3;
	struct refobj_attr dog_attr = { .type = "dog" }, cat_attr = { .type = "cat" };
	struct refobj_types *strict, *lax;
	const void *operations = NULL;
	uint64_t dog, cat, plain;
	struct refobj_ref ref;

	ASSERT_EQ(1, refobj_create(self->s, NULL, &dog_attr, 1, &dog));
	ASSERT_EQ(1, refobj_create(self->s, NULL, &cat_attr, 1, &cat));
	ASSERT_EQ(1, refobj_create(self->s, NULL, NULL, 1, &plain));
	ASSERT_EQ(0, refobj_types_new(&strict, NULL));
	ASSERT_EQ(0, refobj_types_new(&lax, &generic));
	EXPECT_EQ(-EINVAL, refobj_types_add(strict, "dog", NULL));
	EXPECT_EQ(-EINVAL, refobj_types_add(strict, NULL, &dog_operations));
	EXPECT_EQ(-ENAMETOOLONG,
		  refobj_types_add(strict, LONG_NAME, &dog_operations));
	EXPECT_EQ(0, refobj_types_add(strict, "dog", &dog_operations));
	EXPECT_EQ(0, refobj_types_add(lax, "dog", &dog_operations));
	EXPECT_EQ(0, refobj_types_add(strict, "", &plain_operations));
	EXPECT_EQ(-EEXIST, refobj_types_add(strict, "dog", &plain_operations));

	EXPECT_EQ(1, refobj_types_find(strict, "dog", &operations));
	EXPECT_EQ(&dog_operations, operations);
	EXPECT_EQ(-EPROTOTYPE, refobj_types_find(strict, "cat", &operations));
	EXPECT_EQ(0, refobj_types_find(lax, "cat", &operations));
	EXPECT_EQ(&generic, operations);

	operations = NULL;
	EXPECT_EQ(0, refobj_types_open(strict, self->s, dog, &ref, &operations));
	EXPECT_EQ(&dog_operations, operations);
	EXPECT_EQ(2, lib_users(self->s, dog));
	EXPECT_EQ(0, refobj_ref_close(&ref));
	EXPECT_EQ(1, lib_users(self->s, dog));
	EXPECT_EQ(0, refobj_types_open(strict, self->s, plain, &ref, &operations));
	EXPECT_EQ(&plain_operations, operations);
	EXPECT_EQ(0, refobj_ref_close(&ref));
	EXPECT_EQ(-EPROTOTYPE,
		  refobj_types_open(strict, self->s, cat, &ref, &operations));
	EXPECT_EQ(1, lib_users(self->s, cat));
	EXPECT_EQ(0, refobj_ref_close(&ref));
	EXPECT_EQ(0, refobj_types_open(lax, self->s, cat, &ref, &operations));
	EXPECT_EQ(&generic, operations);
	EXPECT_EQ(2, lib_users(self->s, cat));
	EXPECT_EQ(0, refobj_ref_close(&ref));
	EXPECT_EQ(-ENOENT,
		  refobj_types_open(lax, self->s, ~0ULL, &ref, &operations));
	refobj_types_free(strict);
	refobj_types_free(lax);
	refobj_types_free(NULL);
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
