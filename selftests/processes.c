// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions between processes: descriptors that are inherited, copied and sent,
 * threads, namespaces, and what HOLDERS and fdinfo tell of whom.
 *
 * A session that belongs to nobody is an open file: it lives while a descriptor of
 * it, in whatever process or in flight, is open. These tests hold that contract;
 * what becomes of those that belong to a process is told in owner.c.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define THREADS		8

FIXTURE(processes) {
	struct ro_look look;
};

FIXTURE_SETUP(processes)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	/* Who loses its parent by design becomes a child of the test. */
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
}

FIXTURE_TEARDOWN(processes)
{
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

static __u64 session_id(int fd)
{
	struct refobj_info info = { .size = sizeof(info) };

	return ro_ioctl(fd, REFOBJ_IOC_INFO, &info) ? 0 : info.session;
}

static __u64 registry_id(int fd)
{
	struct refobj_info info = { .size = sizeof(info) };

	return ro_ioctl(fd, REFOBJ_IOC_INFO, &info) ? 0 : info.registry;
}

static int held(int fd, __u64 id)
{
	struct refobj_stat st;
	int ret = ro_stat(fd, id, &st);

	return ret < 0 ? ret : (int)st.held;
}

/* The first holder of an object; all zero if there is none. */
static const struct refobj_holder *first_holder(int fd, __u64 id)
{
	static struct refobj_holder rec;

	memset(&rec, 0, sizeof(rec));
	ro_holders(fd, id, &rec, 1, NULL);
	return &rec;
}

/*
 * Copies of the descriptor.
 */
TEST_F(processes, fork_shares_the_session)
{
	struct ro_kid kid;
	__u64 id = 0;
	int fd = ro_open();

	ASSERT_EQ(1, ro_create(fd, NULL, 0, 1, &id));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		ro_kid_say(&kid, ro_acquire(fd, id, 4, 0));
		ro_kid_await(&kid);
		ro_kid_say(&kid, ro_release(fd, id, 3));
		_exit(0);
	}
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(5, held(fd, id));
	EXPECT_EQ(0, held(self->look.fd, id));
	EXPECT_EQ(5, ro_users(self->look.fd, id));
	ro_kid_say(&kid, 1);
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_reap(&kid));
	/* What the child acquired stays the session's. */
	EXPECT_EQ(2, held(fd, id));
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	EXPECT_EQ(1, ro_release(fd, id, 2));
	EXPECT_EQ(0, close(fd));
}

TEST_F(processes, fork_child_may_close_its_copy)
{
	struct ro_kid kid;
	__u64 id = 0;
	int fd = ro_open();

	ASSERT_EQ(1, ro_create(fd, NULL, 0, 2, &id));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid)
		_exit(close(fd));
	EXPECT_EQ(0, ro_kid_reap(&kid));
	EXPECT_EQ(2, held(fd, id));
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_close"));
}

/*
 * A process opens a session, forks a child that keeps it, and goes in the given
 * way; the child, which speaks now, waits. Returns the opener's pid.
 */
static pid_t leave_to_child(struct ro_kid *kid, int sig, void (*child)(int fd))
{
	int fd;

	if (ro_kid_fork(kid))
		return kid->pid;
	fd = ro_open_unbound();
	if (!fork()) {
		child(fd);
		_exit(0);
	}
	if (sig)
		kill(getpid(), sig);
	_exit(0);
}

static struct ro_kid heir;

static void heir_of_death(int fd)
{
	__u64 id = 0;

	ro_create(fd, "heirloom", 0, 3, &id);
	ro_kid_say(&heir, getpid());
	ro_kid_say(&heir, id);
	ro_kid_await(&heir);
	ro_kid_say(&heir, ro_acquire(fd, id, 1, 0));
	ro_kid_say(&heir, ro_release(fd, id, 2));
	ro_kid_await(&heir);
	close(fd);
	ro_kid_say(&heir, 1);
	ro_kid_await(&heir);
}

/* The session goes on, HOLDERS tells that its opener is gone. */
TEST_F(processes, session_survives_its_opener)
{
	const struct refobj_holder *rec;
	pid_t child;
	__u64 id;

	ASSERT_LT(0, leave_to_child(&heir, SIGKILL, heir_of_death));
	child = ro_kid_hear(&heir);
	ASSERT_LT(0, child);
	id = ro_kid_hear(&heir);
	EXPECT_EQ(-SIGKILL, ro_reap(heir.pid));

	EXPECT_EQ(3, ro_users(self->look.fd, id));
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	rec = first_holder(self->look.fd, id);
	EXPECT_EQ(3U, rec->count);
	EXPECT_EQ(0U, rec->pid);
	EXPECT_STREQ(ro_own_comm(), rec->comm);

	ro_kid_say(&heir, 1);
	EXPECT_EQ(0, ro_kid_hear(&heir));
	EXPECT_EQ(0, ro_kid_hear(&heir));
	EXPECT_EQ(2, ro_users(self->look.fd, id));
	ro_kid_say(&heir, 1);
	EXPECT_EQ(1, ro_kid_hear(&heir));
	EXPECT_EQ(-ENOENT, ro_lookup(self->look.fd, "heirloom", NULL));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_close"));
	ro_kid_say(&heir, -1);
	EXPECT_EQ(0, ro_reap(child));
	ro_pipe_close(&heir.pipe);
}

static void heir_of_exit(int fd)
{
	__u64 id = 0;

	ro_create(fd, NULL, 0, 3, &id);
	ro_kid_say(&heir, getpid());
	ro_kid_say(&heir, id);
	ro_kid_await(&heir);
}

TEST_F(processes, heir_is_killed)
{
	pid_t child;
	__u64 id;

	ASSERT_LT(0, leave_to_child(&heir, 0, heir_of_exit));
	child = ro_kid_hear(&heir);
	ASSERT_LT(0, child);
	id = ro_kid_hear(&heir);
	/* Not ro_kid_reap(): the end of the pipe would let the heir exit. */
	EXPECT_EQ(0, ro_reap(heir.pid));
	EXPECT_EQ(3, ro_users(self->look.fd, id));
	EXPECT_EQ(0, kill(child, SIGKILL));
	EXPECT_EQ(-SIGKILL, ro_reap(child));
	EXPECT_EQ(-ESTALE, ro_users(self->look.fd, id));
	EXPECT_EQ(3, ro_look_dropped(&self->look, "dropped_signal_9"));
	ro_pipe_close(&heir.pipe);
}

static void daemonize(int fd)
{
	setsid();
	if (!fork())
		heir_of_exit(fd);
}

TEST_F(processes, daemon_keeps_the_session)
{
	pid_t child;
	__u64 id;

	ASSERT_LT(0, leave_to_child(&heir, 0, daemonize));
	child = ro_kid_hear(&heir);
	ASSERT_LT(0, child);
	id = ro_kid_hear(&heir);
	EXPECT_EQ(0, ro_reap(heir.pid));
	/* Between the two another one has gone, left to the test to reap. */
	EXPECT_LT(0, waitpid(-1, NULL, 0));
	EXPECT_EQ(3, ro_users(self->look.fd, id));
	EXPECT_EQ(0U, first_holder(self->look.fd, id)->pid);
	EXPECT_EQ(0, kill(child, SIGTERM));
	EXPECT_EQ(-SIGTERM, ro_reap(child));
	EXPECT_EQ(3, ro_look_dropped(&self->look, "dropped_signal_15"));
	ro_pipe_close(&heir.pipe);
}

TEST_F(processes, dup_is_the_same_session)
{
	int fd = ro_open(), copy;
	__u64 id = 0;

	ASSERT_EQ(1, ro_create(fd, NULL, 0, 2, &id));
	copy = dup(fd);
	EXPECT_EQ(session_id(fd), session_id(copy));
	EXPECT_EQ(0, ro_acquire(copy, id, 3, 0));
	EXPECT_EQ(5, held(fd, id));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(5, held(copy, id));
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	EXPECT_EQ(0, close(copy));
	EXPECT_EQ(-ESTALE, ro_users(self->look.fd, id));
	EXPECT_EQ(5, ro_look_dropped(&self->look, "dropped_close"));
}

TEST_F(processes, dup2_over_a_session_ends_it)
{
	int fd = ro_open(), other = ro_open();
	__u64 id = 0;

	ASSERT_EQ(1, ro_create(fd, NULL, 0, 2, &id));
	EXPECT_EQ(fd, dup2(other, fd));
	EXPECT_EQ(-ESTALE, ro_users(self->look.fd, id));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_close"));
	EXPECT_EQ(session_id(other), session_id(fd));
	close(fd);
	close(other);
}

TEST_F(processes, each_open_is_a_session)
{
	int fd = ro_open(), other = ro_open();
	unsigned int total = 0;
	__u64 id = 0;

	EXPECT_NE(session_id(fd), session_id(other));
	ASSERT_EQ(1, ro_create(fd, NULL, 0, 2, &id));
	EXPECT_EQ(-ERANGE, ro_release(other, id, 1));
	EXPECT_EQ(0, ro_acquire(other, id, 1, 0));
	EXPECT_EQ(-ERANGE, ro_release(other, id, 2));
	EXPECT_EQ(0, ro_holders(self->look.fd, id, NULL, 0, &total));
	EXPECT_EQ(2U, total);
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(1, ro_users(self->look.fd, id));
	EXPECT_EQ(0, close(other));
	EXPECT_EQ(3, ro_look_dropped(&self->look, "dropped_close"));
}

TEST_F(processes, sent_to_another_process)
{
	struct ro_kid kid;
	int sv[2], fd;
	__u64 id = 0;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		fd = ro_open_unbound();
		ro_create(fd, NULL, 0, 2, &id);
		ro_kid_say(&kid, id);
		EXPECT_EQ(0, ro_send_fd(sv[0], fd));
		close(fd);
		ro_kid_say(&kid, 1);
		ro_kid_await(&kid);
		_exit(0);
	}
	id = ro_kid_hear(&kid);
	fd = ro_receive_fd(sv[1]);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, ro_kid_hear(&kid));
	/* The receiver uses it, the opener is the one that is shown. */
	EXPECT_EQ(2, held(fd, id));
	EXPECT_EQ(0, ro_acquire(fd, id, 1, 0));
	EXPECT_EQ((__u32)kid.pid, first_holder(self->look.fd, id)->pid);
	EXPECT_EQ(0, ro_kid_end(&kid));
	EXPECT_EQ(0U, first_holder(self->look.fd, id)->pid);
	EXPECT_EQ(3, ro_users(self->look.fd, id));
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(-ESTALE, ro_users(self->look.fd, id));
	EXPECT_EQ(3, ro_look_dropped(&self->look, "dropped_close"));
	close(sv[0]);
	close(sv[1]);
}

/* F7 of SEEDS.md, with a session: the sender dies before it is received. */
TEST_F(processes, sender_dies_while_it_is_in_flight)
{
	struct refobj_stat st;
	struct ro_kid kid;
	int sv[2], fd;
	__u64 id = 0;

	ASSERT_EQ(0, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT, 0, &id));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		fd = ro_open_unbound();
		EXPECT_EQ(1, ro_acquire(fd, id, 2, 0));
		EXPECT_EQ(0, ro_send_fd(sv[0], fd));
		kill(getpid(), SIGKILL);
	}
	EXPECT_EQ(-SIGKILL, ro_kid_reap(&kid));
	EXPECT_EQ(2, ro_users(self->look.fd, id));
	EXPECT_EQ(0U, first_holder(self->look.fd, id)->pid);
	fd = ro_receive_fd(sv[1]);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, ro_release(fd, id, 1));
	EXPECT_EQ(0, ro_stat(fd, id, &st));
	EXPECT_EQ(1U, st.users);
	EXPECT_EQ(1U, st.held);
	EXPECT_EQ(0ULL, st.deactivations);
	EXPECT_EQ(1, ro_release(fd, id, 1));
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	EXPECT_EQ(0, ro_destroy(self->look.fd, id));
	close(fd);
	close(sv[0]);
	close(sv[1]);
}

TEST_F(processes, never_received_is_dropped)
{
	int sv[2], fd = ro_open_unbound();
	__u64 id = 0;

	ASSERT_EQ(1, ro_create(fd, NULL, 0, 2, &id));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	EXPECT_EQ(0, ro_send_fd(sv[0], fd));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(2, ro_users(self->look.fd, id));
	EXPECT_EQ(0, close(sv[0]));
	EXPECT_EQ(2, ro_users(self->look.fd, id));
	EXPECT_EQ(0, close(sv[1]));
	EXPECT_EQ(-ESTALE, ro_users(self->look.fd, id));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_close"));
}

/* The receiving queue holds the last copy, and its owner is killed. */
TEST_F(processes, killed_with_a_session_in_its_queue)
{
	struct ro_kid kid;
	int sv[2], fd;
	__u64 id = 0;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		fd = ro_open_unbound();
		ro_create(fd, NULL, 0, 2, &id);
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) ||
		    ro_send_fd(sv[0], fd) || close(fd))
			_exit(90);
		ro_kid_say(&kid, id);
		ro_kid_await(&kid);
		_exit(0);
	}
	id = ro_kid_hear(&kid);
	EXPECT_EQ(2, ro_users(self->look.fd, id));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	EXPECT_EQ(-ESTALE, ro_users(self->look.fd, id));
	EXPECT_EQ(2, ro_look_since(&self->look, "references_dropped"));
}

TEST_F(processes, pidfd_getfd_is_a_copy)
{
	struct ro_kid kid;
	int pidfd, fd;
	__u64 id = 0;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		fd = ro_open_unbound();
		ro_create(fd, NULL, 0, 2, &id);
		ro_kid_say(&kid, fd);
		ro_kid_say(&kid, id);
		ro_kid_await(&kid);
		_exit(0);
	}
	fd = ro_kid_hear(&kid);
	id = ro_kid_hear(&kid);
	pidfd = syscall(SYS_pidfd_open, kid.pid, 0);
	ASSERT_LE(0, pidfd);
	fd = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	EXPECT_EQ(2, held(fd, id));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_close"));
	close(pidfd);
}

/* By itself: vfork() may clobber what its caller has in registers. */
static pid_t vfork_true(void)
{
	pid_t pid = vfork();

	if (!pid) {
		execlp("true", "true", (char *)NULL);
		_exit(98);
	}
	return pid;
}

TEST_F(processes, vfork_and_exec_leave_it_alone)
{
	int fd = ro_open(), i;
	__u64 id = 0;

	ASSERT_EQ(1, ro_create(fd, NULL, 0, 2, &id));
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(0, ro_reap(vfork_true()));
		EXPECT_EQ(2, held(fd, id));
	}
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	EXPECT_EQ(0, close(fd));
}

TEST_F(processes, shared_table_of_descriptors)
{
	struct ro_kid kid;
	__u64 id = 0;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd = ro_open();
		pid_t pid;

		ro_create(fd, NULL, 0, 2, &id);
		ro_kid_say(&kid, id);
		/* What dies here shares the table: nothing is closed. */
		pid = ro_fork_sharing_files();
		if (!pid)
			_exit(0);
		ro_kid_say(&kid, ro_reap(pid));
		ro_kid_await(&kid);
		/* A close by the other is a close for both. */
		pid = ro_fork_sharing_files();
		if (!pid)
			_exit(close(fd));
		ro_kid_say(&kid, ro_reap(pid));
		ro_kid_say(&kid, close(fd) ? errno : 0);
		ro_kid_await(&kid);
		_exit(0);
	}
	id = ro_kid_hear(&kid);
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(2, ro_users(self->look.fd, id));
	ro_kid_say(&kid, 1);
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(EBADF, ro_kid_hear(&kid));
	EXPECT_EQ(-ESTALE, ro_users(self->look.fd, id));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_close"));
	EXPECT_EQ(0, ro_kid_end(&kid));
}

TEST_F(processes, unshared_table_of_descriptors)
{
	struct ro_kid kid;
	__u64 id = 0;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd = ro_open();
		pid_t pid;

		ro_create(fd, NULL, 0, 2, &id);
		pid = ro_fork_sharing_files();
		if (!pid) {
			/* Its own table from here on: a copy is closed. */
			EXPECT_EQ(0, unshare(CLONE_FILES));
			_exit(close(fd));
		}
		ro_kid_say(&kid, id);
		ro_kid_say(&kid, ro_reap(pid));
		ro_kid_await(&kid);
		_exit(0);
	}
	id = ro_kid_hear(&kid);
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(2, ro_users(self->look.fd, id));
	EXPECT_EQ(0, ro_kid_end(&kid));
	EXPECT_EQ(2, ro_look_dropped(&self->look, "dropped_exit"));
}

/* F4 of SEEDS.md: the maker of the objects dies, its helpers hold them. */
TEST_F(processes, objects_outlive_their_maker)
{
	struct ro_kid maker, helper[3];
	__u64 id = 0, same = 0;
	int i;

	ASSERT_LE(0, ro_kid_fork(&maker));
	if (!maker.pid) {
		ro_create(ro_open(), "library", 0, 1, &id);
		ro_kid_say(&maker, id);
		ro_kid_await(&maker);
		_exit(0);
	}
	id = ro_kid_hear(&maker);
	for (i = 0; i < 3; i++) {
		ASSERT_LE(0, ro_kid_fork(&helper[i]));
		if (!helper[i].pid) {
			ro_kid_say(&helper[i], ro_acquire(ro_open(), id, 1, 0));
			ro_kid_await(&helper[i]);
			_exit(0);
		}
		EXPECT_EQ(0, ro_kid_hear(&helper[i]));
	}
	EXPECT_EQ(4, ro_users(self->look.fd, id));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&maker, SIGKILL));
	EXPECT_EQ(3, ro_users(self->look.fd, id));
	/* Those who come later find the same object. */
	EXPECT_EQ(0, ro_attach(self->look.fd, "library", 0, 1, &same, NULL));
	EXPECT_EQ(id, same);
	EXPECT_EQ(0, ro_release(self->look.fd, id, 1));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, ro_kid_end(&helper[i]));
	EXPECT_EQ(-ENOENT, ro_lookup(self->look.fd, "library", NULL));
	EXPECT_EQ(1, ro_look_since(&self->look, "dropped_signal_9"));
	EXPECT_EQ(3, ro_look_since(&self->look, "dropped_exit"));
}

/*
 * Threads on one session.
 */
struct crowd {
	int fd;
	__u64 shared;
	unsigned int rounds;
	int *failed;		/* of all threads: the first surprise */
	unsigned long firsts;
	unsigned long lasts;
	unsigned long refused;
};

static void surprise(struct crowd *c, int ret)
{
	int none = 0;

	__atomic_compare_exchange_n(c->failed, &none, ret ? ret : 9999, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Keeps one reference of those that it takes on the shared object. */
static void *hammer_one(void *arg)
{
	struct crowd *c = arg;
	unsigned int i;
	int ret;

	for (i = 0; i < c->rounds; i++) {
		ret = ro_acquire(c->fd, c->shared, 1 + i % 300, 0);
		if (ret)
			surprise(c, ret);
		ret = ro_release(c->fd, c->shared, 1 + i % 300);
		if (ret)
			surprise(c, ret);
	}
	ret = ro_acquire(c->fd, c->shared, 1, 0);
	if (ret)
		surprise(c, ret);
	return NULL;
}

static void *hammer_own(void *arg)
{
	struct crowd *c = arg;
	__u64 id = 0;
	unsigned int i;
	int ret;

	for (i = 0; i < c->rounds; i++) {
		ret = ro_create(c->fd, NULL, 0, 2, &id);
		if (ret != 1)
			surprise(c, ret);
		ret = ro_acquire(c->fd, id, 3, 0);
		if (ret)
			surprise(c, ret);
		ret = ro_release(c->fd, id, 4);
		if (ret)
			surprise(c, ret);
		ret = ro_release(c->fd, id, 1);
		if (ret != 1)
			surprise(c, ret);
		ret = ro_release(c->fd, id, 1);
		if (ret != -ESTALE)
			surprise(c, ret);
	}
	return NULL;
}

/* To and from zero, all the time. */
static void *hammer_persistent(void *arg)
{
	struct crowd *c = arg;
	unsigned int i;
	int ret;

	for (i = 0; i < c->rounds; i++) {
		ret = ro_acquire(c->fd, c->shared, 1, 0);
		if (ret < 0)
			surprise(c, ret);
		else
			c->firsts += ret;
		ret = ro_release(c->fd, c->shared, 1);
		if (ret < 0)
			surprise(c, ret);
		else
			c->lasts += ret;
	}
	return NULL;
}

/* More releases than there are references: each reference goes once. */
static void *release_greedily(void *arg)
{
	struct crowd *c = arg;
	unsigned int i;
	int ret;

	for (i = 0; i < c->rounds; i++) {
		ret = ro_release(c->fd, c->shared, 1);
		if (ret == -ERANGE || ret == -ESTALE)
			c->refused++;
		else if (ret < 0)
			surprise(c, ret);
		else
			c->lasts += ret;
	}
	return NULL;
}

/* Runs threads on one session; @sum gets what they counted. */
static int run_crowd(void *(*fn)(void *), int fd, __u64 shared,
		     unsigned int rounds, struct crowd *sum)
{
	struct crowd c[THREADS];
	pthread_t thread[THREADS];
	int failed = 0, i;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < THREADS; i++) {
		c[i] = (struct crowd){
			.fd = fd, .shared = shared, .rounds = rounds,
			.failed = &failed,
		};
		if (pthread_create(&thread[i], NULL, fn, &c[i]))
			exit(97);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		sum->firsts += c[i].firsts;
		sum->lasts += c[i].lasts;
		sum->refused += c[i].refused;
	}
	return failed;
}

TEST_F(processes, threads_on_one_object)
{
	struct refobj_stat st;
	struct crowd sum;
	__u64 id = 0;
	int fd = ro_open();

	ASSERT_EQ(1, ro_create(fd, NULL, 0, 1, &id));
	EXPECT_EQ(0, run_crowd(hammer_one, fd, id, 1000, &sum));
	EXPECT_EQ(0, ro_stat(fd, id, &st));
	EXPECT_EQ(1U + THREADS, st.users);
	EXPECT_EQ(1U + THREADS, st.held);
	EXPECT_EQ(1U, st.holders);
	EXPECT_GE(1U + THREADS * 300, st.users_peak);
	EXPECT_EQ(1ULL, st.activations);
	EXPECT_EQ(-ERANGE, ro_release(fd, id, 2 + THREADS));
	EXPECT_EQ(1, ro_release(fd, id, 1 + THREADS));
	close(fd);
}

TEST_F(processes, threads_on_their_own_objects)
{
	struct crowd sum;
	int fd = ro_open();

	EXPECT_EQ(0, run_crowd(hammer_own, fd, 0, 250, &sum));
	EXPECT_EQ(250 * THREADS, ro_look_since(&self->look, "destroyed"));
	EXPECT_EQ(0, ro_look_since(&self->look, "references"));
	close(fd);
}

TEST_F(processes, threads_to_and_from_zero)
{
	struct refobj_stat st;
	struct crowd sum;
	__u64 id = 0;
	int fd = ro_open();

	ASSERT_EQ(0, ro_create(fd, NULL, REFOBJ_PERSISTENT, 0, &id));
	EXPECT_EQ(0, run_crowd(hammer_persistent, fd, id, 1000, &sum));
	EXPECT_EQ(0, ro_stat(fd, id, &st));
	EXPECT_EQ(0U, st.users);
	EXPECT_EQ(0U, st.held);
	EXPECT_EQ(sum.firsts, st.activations);
	EXPECT_EQ(sum.lasts, st.deactivations);
	EXPECT_EQ(sum.firsts, sum.lasts);
	EXPECT_EQ(0, ro_destroy(fd, id));
	close(fd);
}

TEST_F(processes, threads_cannot_release_more_than_is_held)
{
	struct crowd sum;
	__u64 id = 0;
	int fd = ro_open();

	ASSERT_EQ(1, ro_create(fd, NULL, 0, 3000, &id));
	EXPECT_EQ(0, run_crowd(release_greedily, fd, id, 500, &sum));
	EXPECT_EQ(1UL, sum.lasts);
	EXPECT_EQ(500UL * THREADS - 3000, sum.refused);
	EXPECT_EQ(3000, ro_look_since(&self->look, "references_released"));
	close(fd);
}

/*
 * Network namespaces: each has a registry of its own.
 */
static int enter_new_netns(void)
{
	return unshare(CLONE_NEWNET) ? -errno : 0;
}

/*
 * A network namespace is taken down by a worker, at a time that nothing tells:
 * wait until what the counter shows has come about, or ten seconds are over.
 */
static bool wait_for_count(struct ro_look *look, const char *name,
			   long long want)
{
	__u64 end = ro_now_ns() + 10000000000ULL * ro_slow();

	while (ro_look_since(look, name) != want) {
		if (ro_now_ns() > end)
			return false;
		poll(NULL, 0, 1);
	}
	return true;
}

FIXTURE(netns) {
	struct ro_look look;
	int home;	/* the namespace of the test */
};

FIXTURE_SETUP(netns)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	self->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (self->home < 0)
		SKIP(return, "a kernel without network namespaces");
}

FIXTURE_TEARDOWN(netns)
{
	close(self->home);
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

/* F3 of SEEDS.md. */
TEST_F(netns, same_name_is_another_object)
{
	__u64 here = 0, there = 0, id = 0;
	int fd;

	ASSERT_EQ(1, ro_create(self->look.fd, "netns", 0, 1, &here));
	ASSERT_EQ(0, enter_new_netns());
	fd = ro_open();
	ASSERT_LE(0, fd);
	EXPECT_EQ(-ENOENT, ro_lookup(fd, "netns", NULL));
	EXPECT_EQ(1, ro_create(fd, "netns", 0, 2, &there));
	EXPECT_NE(here, there);
	EXPECT_EQ(0, ro_lookup(self->look.fd, "netns", &id));
	EXPECT_EQ(here, id);
	EXPECT_EQ(0, ro_lookup(fd, "netns", &id));
	EXPECT_EQ(there, id);
	EXPECT_EQ(1, ro_users(self->look.fd, here));
	EXPECT_EQ(2, ro_users(fd, there));
	EXPECT_EQ(1, ro_release(self->look.fd, here, 1));
	EXPECT_EQ(2, ro_users(fd, there));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, setns(self->home, CLONE_NEWNET));
}

TEST_F(netns, ids_of_others_lead_nowhere)
{
	struct refobj_stat st = { .size = sizeof(st),
				  .flags = REFOBJ_STAT_NEXT };
	__u64 here = 0;
	int fd, ret;

	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &here));
	ASSERT_EQ(0, enter_new_netns());
	fd = ro_open();
	ASSERT_LE(0, fd);
	/* No object of this registry; the header leaves open which it is. */
	ret = ro_users(fd, here);
	EXPECT_TRUE(ret == -ENOENT || ret == -ESTALE);
	ret = ro_acquire(fd, here, 1, 0);
	EXPECT_TRUE(ret == -ENOENT || ret == -ESTALE);
	ret = ro_holders(fd, here, NULL, 0, NULL);
	EXPECT_TRUE(ret == -ENOENT || ret == -ESTALE);
	EXPECT_EQ(-ENOENT, ro_ioctl(fd, REFOBJ_IOC_STAT, &st));
	EXPECT_EQ(1, ro_users(self->look.fd, here));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(1, ro_release(self->look.fd, here, 1));
	EXPECT_EQ(0, setns(self->home, CLONE_NEWNET));
}

TEST_F(netns, session_keeps_its_registry)
{
	__u64 id = 0, registry = registry_id(self->look.fd);
	struct stat st;
	int fd;

	EXPECT_EQ(0, fstat(self->home, &st));
	EXPECT_EQ((__u64)st.st_ino, registry);
	ASSERT_EQ(0, enter_new_netns());
	fd = ro_open();
	EXPECT_EQ(0, stat("/proc/self/ns/net", &st));
	EXPECT_EQ((__u64)st.st_ino, registry_id(fd));
	EXPECT_EQ(registry, registry_id(self->look.fd));
	/* What the old session makes is where the old session is. */
	EXPECT_EQ(1, ro_create(self->look.fd, "netns", 0, 1, &id));
	EXPECT_EQ(-ENOENT, ro_lookup(fd, "netns", NULL));
	EXPECT_EQ(0, setns(self->home, CLONE_NEWNET));
	EXPECT_EQ((__u64)st.st_ino, registry_id(fd));
	EXPECT_EQ(-ENOENT, ro_lookup(fd, "netns", NULL));
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(0, close(fd));
}

TEST_F(netns, objects_end_with_it)
{
	struct ro_kid kid;
	int i;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd, ret = enter_new_netns();
		char name[16];

		fd = ro_open();
		for (i = 0; i < 50 && !ret; i++) {
			snprintf(name, sizeof(name), "netns-%d", i);
			ret = ro_create(fd, i % 2 ? name : NULL,
					REFOBJ_PERSISTENT, 0, NULL);
		}
		ro_kid_say(&kid, ret);
		ro_kid_await(&kid);
		_exit(0);
	}
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(50, ro_look_since(&self->look, "objects"));
	EXPECT_EQ(0, ro_kid_end(&kid));
	EXPECT_TRUE(wait_for_count(&self->look, "objects", 0));
	EXPECT_EQ(50, ro_look_since(&self->look, "destroyed"));
}

/* An open session is enough to keep the namespace, and with it its objects. */
TEST_F(netns, lives_while_a_session_is_open)
{
	struct ro_kid kid;
	__u64 id = 0;
	int fd;

	ASSERT_EQ(0, enter_new_netns());
	fd = ro_open();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setns(self->home, CLONE_NEWNET));
	EXPECT_EQ(0, ro_create(fd, "netns", REFOBJ_PERSISTENT, 0, &id));
	/* Another namespace comes and goes: time for this one to go. */
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		close(fd);
		EXPECT_EQ(0, enter_new_netns());
		_exit(ro_create(ro_open(), NULL, REFOBJ_PERSISTENT, 0, NULL));
	}
	EXPECT_EQ(0, ro_kid_reap(&kid));
	EXPECT_TRUE(wait_for_count(&self->look, "destroyed", 1));
	EXPECT_EQ(0, ro_users(fd, id));
	EXPECT_EQ(1, ro_acquire(fd, id, 1, 0));
	EXPECT_EQ(0, close(fd));
	EXPECT_TRUE(wait_for_count(&self->look, "objects", 0));
}

/*
 * Who holds: HOLDERS, STAT and fdinfo.
 */
FIXTURE(holders) {
	struct ro_look look;
	__u64 id;
};

FIXTURE_SETUP(holders)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, ro_create(self->look.fd, "held", REFOBJ_PERSISTENT, 0,
			       &self->id));
}

FIXTURE_TEARDOWN(holders)
{
	EXPECT_EQ(0, ro_destroy(self->look.fd, self->id));
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

/* Field 22 of /proc/PID/stat, in clock ticks, or -1. */
static long long start_ticks(pid_t pid)
{
	char path[40], line[1024] = "";
	long long ticks = -1;
	char *p;
	FILE *f;
	int i;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		line[0] = 0;
	if (f)
		fclose(f);
	/* The third field follows the last parenthesis. */
	p = strrchr(line, ')');
	for (i = 2; p && i < 22; i++)
		p = strchr(p + 1, ' ');
	if (p)
		sscanf(p, "%lld", &ticks);
	return ticks;
}

TEST_F(holders, tell_the_process)
{
	long long tick = 1000000000LL / sysconf(_SC_CLK_TCK);
	__u64 before = ro_now_ns(), session;
	const struct refobj_holder *rec;
	struct ro_kid kid;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd = ro_open();

		ro_acquire(fd, self->id, 3, 0);
		ro_kid_say(&kid, session_id(fd));
		ro_kid_await(&kid);
		_exit(0);
	}
	session = ro_kid_hear(&kid);
	rec = first_holder(self->look.fd, self->id);
	EXPECT_EQ((__u32)REFOBJ_HOLDER_SESSION, rec->kind);
	EXPECT_EQ(3U, rec->count);
	EXPECT_EQ(session, rec->session);
	EXPECT_EQ((__u32)kid.pid, rec->pid);
	EXPECT_EQ(geteuid(), rec->uid);
	EXPECT_EQ(start_ticks(kid.pid), (long long)rec->start_ns / tick);
	EXPECT_LE(before, rec->since_ns);
	EXPECT_GE(ro_now_ns(), rec->since_ns);
	EXPECT_STREQ(ro_own_comm(), rec->comm);
	EXPECT_STREQ("", rec->why);
	EXPECT_EQ(0, ro_kid_end(&kid));
}

static void *open_and_acquire(void *arg)
{
	int fd = ro_open();

	prctl(PR_SET_NAME, "not the leader");
	ro_acquire(fd, *(__u64 *)arg, 1, 0);
	return (void *)(intptr_t)fd;
}

/* Opened by a thread: what is told is the process. */
TEST_F(holders, tell_the_process_of_a_thread)
{
	long long tick = 1000000000LL / sysconf(_SC_CLK_TCK);
	const struct refobj_holder *rec;
	pthread_t thread;
	void *fd = NULL;

	ASSERT_EQ(0, pthread_create(&thread, NULL, open_and_acquire,
				    &self->id));
	ASSERT_EQ(0, pthread_join(thread, &fd));
	rec = first_holder(self->look.fd, self->id);
	EXPECT_EQ((__u32)getpid(), rec->pid);
	EXPECT_EQ(start_ticks(getpid()), (long long)rec->start_ns / tick);
	EXPECT_STREQ(ro_own_comm(), rec->comm);
	EXPECT_EQ(0, close((intptr_t)fd));
}

TEST_F(holders, tell_the_present_name)
{
	struct ro_kid kid;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		ro_acquire(ro_open(), self->id, 1, 0);
		ro_kid_say(&kid, 1);
		ro_kid_await(&kid);
		ro_kid_say(&kid, prctl(PR_SET_NAME, "exactly15 bytes"));
		ro_kid_await(&kid);
		_exit(0);
	}
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_STREQ(ro_own_comm(), first_holder(self->look.fd, self->id)->comm);
	ro_kid_say(&kid, 1);
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_STREQ("exactly15 bytes",
		     first_holder(self->look.fd, self->id)->comm);
	EXPECT_EQ(0, ro_kid_end(&kid));
}

/* The uid is that of the opening, whatever the process becomes. */
TEST_F(holders, tell_the_uid_of_the_opening)
{
	struct refobj_stat st;
	struct ro_kid kid;
	__u64 id = 0;

	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd;

		/* Group 0 may open the device, whatever the user. */
		EXPECT_EQ(0, seteuid(4321));
		fd = ro_open();
		EXPECT_LE(0, fd);
		EXPECT_EQ(0, seteuid(0));
		/* The object is root's, 0600: not this session's to acquire. */
		EXPECT_EQ(-EACCES, ro_acquire(fd, self->id, 1, 0));
		EXPECT_EQ(1, ro_create(fd, "of 4321", 0, 1, NULL));
		ro_kid_say(&kid, 1);
		ro_kid_await(&kid);
		_exit(0);
	}
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_lookup(self->look.fd, "of 4321", &id));
	EXPECT_EQ(0, ro_stat(self->look.fd, id, &st));
	EXPECT_EQ(4321U, st.uid);
	EXPECT_EQ(0U, st.gid);
	EXPECT_EQ(4321U, first_holder(self->look.fd, id)->uid);
	EXPECT_EQ(0, ro_kid_end(&kid));
}

TEST_F(holders, come_in_the_order_of_their_coming)
{
	struct refobj_holder rec[6];
	__u64 session[6];
	int fd[6], i;

	for (i = 0; i < 6; i++) {
		fd[i] = ro_open();
		session[i] = session_id(fd[i]);
	}
	for (i = 5; i >= 0; i--)
		EXPECT_EQ(i == 5, ro_acquire(fd[i], self->id, 1 + i, 0));
	/* One leaves and comes back: it is the last one now. */
	EXPECT_EQ(0, ro_release(fd[3], self->id, 4));
	EXPECT_EQ(0, ro_acquire(fd[3], self->id, 9, 0));
	/* More of what one has changes no order. */
	EXPECT_EQ(0, ro_acquire(fd[5], self->id, 1, 0));
	EXPECT_EQ(6, ro_holders(self->look.fd, self->id, rec, 6, NULL));
	EXPECT_EQ(session[5], rec[0].session);
	EXPECT_EQ(7U, rec[0].count);
	EXPECT_EQ(session[4], rec[1].session);
	EXPECT_EQ(session[2], rec[2].session);
	EXPECT_EQ(session[1], rec[3].session);
	EXPECT_EQ(session[0], rec[4].session);
	EXPECT_EQ(session[3], rec[5].session);
	EXPECT_EQ(9U, rec[5].count);
	for (i = 1; i < 6; i++)
		EXPECT_LE(rec[i - 1].since_ns, rec[i].since_ns);
	for (i = 0; i < 6; i++)
		EXPECT_EQ(0, close(fd[i]));
}

#define MANY_HOLDERS	150

/*
 * A few at a time: each call passes over those that were told before, which are
 * more than it looks at in one go.
 */
TEST_F(holders, come_a_few_at_a_time)
{
	struct refobj_holder rec[7];
	struct refobj_holders h = {
		.size = sizeof(h), .id = self->id, .records = (uintptr_t)rec,
		.capacity = RO_ARRAY_SIZE(rec), .record_size = sizeof(rec[0]),
	};
	int fd[MANY_HOLDERS];
	unsigned int i, told = 0;

	for (i = 0; i < MANY_HOLDERS; i++) {
		fd[i] = ro_open();
		ASSERT_EQ(!i, ro_acquire(fd[i], self->id, 1 + i, 0));
	}
	do {
		h.count = 0;
		ASSERT_EQ(0, ro_ioctl(self->look.fd, REFOBJ_IOC_HOLDERS, &h));
		EXPECT_EQ((unsigned int)MANY_HOLDERS, h.total);
		for (i = 0; i < h.count; i++)
			EXPECT_EQ(1 + told++, rec[i].count);
	} while (h.cursor && h.count);
	EXPECT_EQ((unsigned int)MANY_HOLDERS, told);
	for (i = 0; i < MANY_HOLDERS; i++)
		close(fd[i]);
}

TEST_F(holders, tell_why)
{
	int fd = ro_open();

	EXPECT_EQ(-EPERM, ro_set_why(fd, self->id, "not held yet"));
	EXPECT_EQ(1, ro_acquire(fd, self->id, 2, 0));
	EXPECT_STREQ("", first_holder(self->look.fd, self->id)->why);
	EXPECT_EQ(0, ro_set_why(fd, 0, "of the session"));
	EXPECT_STREQ("of the session",
		     first_holder(self->look.fd, self->id)->why);
	EXPECT_EQ(0, ro_set_why(fd, self->id, "of the reference"));
	EXPECT_STREQ("of the reference",
		     first_holder(self->look.fd, self->id)->why);
	EXPECT_EQ(0, ro_release(fd, self->id, 1));
	EXPECT_STREQ("of the reference",
		     first_holder(self->look.fd, self->id)->why);
	/* It goes with the last reference. */
	EXPECT_EQ(1, ro_release(fd, self->id, 1));
	EXPECT_EQ(1, ro_acquire(fd, self->id, 1, 0));
	EXPECT_STREQ("of the session",
		     first_holder(self->look.fd, self->id)->why);
	EXPECT_EQ(0, ro_set_why(fd, self->id, "again"));
	EXPECT_EQ(0, ro_set_why(fd, self->id, ""));
	EXPECT_STREQ("of the session",
		     first_holder(self->look.fd, self->id)->why);
	EXPECT_EQ(0, ro_set_why(fd, 0, ""));
	EXPECT_STREQ("", first_holder(self->look.fd, self->id)->why);
	EXPECT_EQ(0, close(fd));
}

/*
 * F3 of SEEDS.md: pids are told as the reader's namespace counts. The child is
 * number 1 in its own, and sees nothing of the parent.
 */
TEST_F(holders, tell_the_readers_pids)
{
	struct refobj_holder rec[2];
	int fd = ro_open(), own;
	long long word[2];
	struct ro_kid kid;

	ASSERT_EQ(1, ro_acquire(fd, self->id, 1, 0));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		pid_t pid;

		if (unshare(CLONE_NEWPID))
			_exit(92);
		pid = fork();
		if (pid) {
			ro_kid_say(&kid, pid);
			_exit(ro_reap(pid));
		}
		close(fd);
		own = ro_open();
		EXPECT_EQ(0, ro_acquire(own, self->id, 1, 0));
		EXPECT_EQ(2, ro_holders(own, self->id, rec, 2, NULL));
		EXPECT_EQ(0U, rec[0].pid);
		EXPECT_STREQ(ro_own_comm(), rec[0].comm);
		EXPECT_EQ(1, getpid());
		EXPECT_EQ(1U, rec[1].pid);
		/* Not the session's namespace counts, but the reader's. */
		EXPECT_EQ(2, ro_holders(self->look.fd, self->id, rec, 2, NULL));
		EXPECT_EQ(0U, rec[0].pid);
		EXPECT_EQ(1U, rec[1].pid);
		ro_kid_say(&kid, -2);
		ro_kid_await(&kid);
		_exit(0);
	}
	word[0] = ro_kid_hear(&kid);
	word[1] = ro_kid_hear(&kid);
	EXPECT_EQ(2, ro_holders(self->look.fd, self->id, rec, 2, NULL));
	EXPECT_EQ((__u32)getpid(), rec[0].pid);
	EXPECT_EQ(word[0] == -2 ? word[1] : word[0], (long long)rec[1].pid);
	EXPECT_EQ(0, ro_kid_end(&kid));
	EXPECT_EQ(0, close(fd));
}

static int write_map(pid_t pid, const char *name, const char *text)
{
	char path[40];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* Uids and gids are told as the reader's user namespace maps them. */
TEST_F(holders, tell_the_readers_uids)
{
	struct ro_kid kid;
	int fd = ro_open();
	long long ret;

	ASSERT_EQ(1, ro_acquire(fd, self->id, 1, 0));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		struct refobj_stat st;

		ro_kid_say(&kid, unshare(CLONE_NEWUSER) ? -errno : 0);
		ro_kid_await(&kid);
		/* Nothing is mapped. */
		EXPECT_EQ(0, ro_stat(self->look.fd, self->id, &st));
		EXPECT_EQ(65534U, st.uid);
		EXPECT_EQ(65534U, st.gid);
		EXPECT_EQ(65534U, first_holder(fd, self->id)->uid);
		ro_kid_say(&kid, 1);
		ro_kid_await(&kid);
		EXPECT_EQ(0, ro_stat(self->look.fd, self->id, &st));
		EXPECT_EQ(5U, st.uid);
		EXPECT_EQ(6U, st.gid);
		EXPECT_EQ(5U, first_holder(fd, self->id)->uid);
		_exit(0);
	}
	ret = ro_kid_hear(&kid);
	if (ret) {
		ro_kid_end(&kid);
		ro_release(fd, self->id, 1);
		close(fd);
		SKIP(return, "no user namespace: %s", strerror(-ret));
	}
	ro_kid_say(&kid, 1);
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_EQ(0, write_map(kid.pid, "uid_map", "5 0 1"));
	EXPECT_EQ(0, write_map(kid.pid, "gid_map", "6 0 1"));
	ro_kid_say(&kid, 1);
	EXPECT_EQ(0, ro_kid_reap(&kid));
	EXPECT_EQ(0, close(fd));
}

/* The text after a key of /proc/PID/fdinfo/FD, or "(none)". */
static const char *info_line(pid_t pid, int fd, const char *key)
{
	static char line[256], path[48];
	size_t len = strlen(key);
	const char *text = NULL;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	f = fopen(path, "re");
	if (!f)
		return "(no fdinfo)";
	while (!text && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, key, len) && line[len] == ':' &&
		    line[len + 1] == '\t')
			text = line + len + 2;
	}
	fclose(f);
	return text ? text : "(none)";
}

#define EXPECT_INFO(number, key) \
	EXPECT_EQ((long long)(number), atoll(info_line(getpid(), fd, key)))

TEST_F(holders, fdinfo_tells_the_session)
{
	int fd = ro_open();

	EXPECT_INFO(session_id(fd), "refobj-session");
	EXPECT_INFO(registry_id(fd), "refobj-registry");
	EXPECT_INFO(getpid(), "refobj-pid");
	EXPECT_STREQ("0", info_line(getpid(), fd, "refobj-ended"));
	EXPECT_STREQ("0", info_line(getpid(), fd, "refobj-objects"));
	EXPECT_STREQ("0", info_line(getpid(), fd, "refobj-references"));
	EXPECT_EQ(1, ro_acquire(fd, self->id, 70, 0));
	EXPECT_EQ(1, ro_create(fd, NULL, 0, 5, NULL));
	EXPECT_EQ(0, ro_set_why(fd, 0, "to be seen"));
	EXPECT_STREQ("2", info_line(getpid(), fd, "refobj-objects"));
	EXPECT_STREQ("75", info_line(getpid(), fd, "refobj-references"));
	EXPECT_STREQ("to be seen", info_line(getpid(), fd, "refobj-why"));
	EXPECT_EQ(1, ro_release(fd, self->id, 70));
	EXPECT_STREQ("1", info_line(getpid(), fd, "refobj-objects"));
	EXPECT_STREQ("5", info_line(getpid(), fd, "refobj-references"));
	EXPECT_EQ(0, close(fd));
}

/* Of another process, or of a copy: the opener's pid, 0 once it is gone. */
TEST_F(holders, fdinfo_tells_the_opener)
{
	int sv[2], fd, number;
	struct ro_kid kid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		fd = ro_open_unbound();
		ro_acquire(fd, self->id, 2, 0);
		ro_kid_say(&kid, fd);
		EXPECT_EQ(0, ro_send_fd(sv[0], fd));
		ro_kid_await(&kid);
		_exit(0);
	}
	number = ro_kid_hear(&kid);
	fd = ro_receive_fd(sv[1]);
	ASSERT_LE(0, fd);
	EXPECT_EQ(kid.pid, atoi(info_line(kid.pid, number, "refobj-pid")));
	EXPECT_STREQ("2", info_line(kid.pid, number, "refobj-references"));
	EXPECT_EQ(kid.pid, atoi(info_line(getpid(), fd, "refobj-pid")));
	EXPECT_EQ(0, ro_kid_end(&kid));
	EXPECT_STREQ("0", info_line(getpid(), fd, "refobj-pid"));
	EXPECT_STREQ("0", info_line(getpid(), fd, "refobj-ended"));
	EXPECT_STREQ("2", info_line(getpid(), fd, "refobj-references"));
	EXPECT_EQ(0, close(fd));
	close(sv[0]);
	close(sv[1]);
}

TEST_HARNESS_MAIN
