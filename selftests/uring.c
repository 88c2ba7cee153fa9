// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands that are submitted to io_uring: their results, in chains too, and what
 * becomes of a WAIT that sleeps in one of io_uring's workers.
 *
 * That it sleeps is seen by the count of waits: what holds already is looked for
 * when it is submitted, which counts as one, and the worker's is another.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <liburing.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define ENTRIES		16
#define NONE		INT_MIN

/* A ring, and the results that have come, by the tags of what was submitted. */
struct ring {
	struct io_uring io;
	int results[ENTRIES];
};

/* Why there is none, or NULL. */
static const char *ring_open(struct ring *ring, unsigned int flags)
{
	static char why[96];
	unsigned int i;
	int ret = io_uring_queue_init(ENTRIES, &ring->io, flags);

	for (i = 0; i < ENTRIES; i++)
		ring->results[i] = NONE;
	if (!ret)
		return NULL;
	snprintf(why, sizeof(why), "no io_uring: %s%s", strerror(-ret),
		 ret == -EPERM ? ", see kernel.io_uring_disabled" : "");
	return why;
}

static struct io_uring_sqe *push_raw(struct ring *ring, int fd, __u32 cmd,
				     struct refobj_uring_cmd c,
				     unsigned int tag, unsigned int flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->io);

	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, NULL, 0, 0);
	sqe->cmd_op = cmd;
	memcpy((char *)sqe + offsetof(struct io_uring_sqe, cmd), &c, sizeof(c));
	sqe->user_data = tag;
	sqe->flags = flags;
	return sqe;
}

static void push(struct ring *ring, int fd, __u32 cmd, const void *arg,
		 unsigned int tag, unsigned int flags)
{
	struct refobj_uring_cmd c = { .arg = (uintptr_t)arg };

	push_raw(ring, fd, cmd, c, tag, flags);
}

/* The result of a submission, when it comes. */
static int result(struct ring *ring, unsigned int tag)
{
	struct io_uring_cqe *cqe;
	int ret;

	while (ring->results[tag] == NONE) {
		ret = io_uring_wait_cqe(&ring->io, &cqe);
		if (ret == -EINTR)
			continue;
		if (ret)
			return NONE + 1;
		ring->results[cqe->user_data] = cqe->res;
		io_uring_cqe_seen(&ring->io, cqe);
	}
	ret = ring->results[tag];
	ring->results[tag] = NONE;
	return ret;
}

/* The same where it must be there already. */
static int result_now(struct ring *ring, unsigned int tag)
{
	struct io_uring_cqe *cqe;

	return io_uring_peek_cqe(&ring->io, &cqe) ? NONE : result(ring, tag);
}

/* One command: what ioctl() would say. */
static int run(struct ring *ring, int fd, __u32 cmd, const void *arg)
{
	push(ring, fd, cmd, arg, 0, 0);
	/* A polling thread may not yet have said that it took the one before. */
	return io_uring_submit(&ring->io) > 0 ? result(ring, 0) : NONE;
}

static int cancel(struct ring *ring, unsigned int tag)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->io);

	io_uring_prep_cancel64(sqe, tag, 0);
	sqe->user_data = ENTRIES - 1;
	return io_uring_submit(&ring->io) == 1 ? result(ring, ENTRIES - 1) : NONE;
}

static struct refobj_acquire acquire(__u64 id, __u32 count, __u32 flags)
{
	return (struct refobj_acquire){
		.size = sizeof(struct refobj_acquire), .flags = flags,
		.id = id, .count = count,
	};
}

static struct refobj_release release(__u64 id, __u32 count)
{
	return (struct refobj_release){
		.size = sizeof(struct refobj_release), .id = id, .count = count,
	};
}

static struct refobj_condition until(__u64 id, unsigned int what)
{
	return (struct refobj_condition){ .id = id, .until = what };
}

static struct refobj_wait wait_for(const struct refobj_condition *c,
				   unsigned int n, __u64 timeout_ns)
{
	return (struct refobj_wait){
		.size = sizeof(struct refobj_wait), .conditions = (uintptr_t)c,
		.count = n, .condition_size = sizeof(*c),
		.timeout_ns = timeout_ns,
	};
}

/* A counter of debugfs reaches a value. */
static bool comes_to(const struct ro_look *look, const char *name, long long n)
{
	uint64_t end = ro_deadline(20);

	while (ro_look_since(look, name) != n)
		if (ro_now_ns() > end || sched_yield())
			return false;
	return true;
}

FIXTURE(uring) {
	struct ro_look look;
	struct ring ring;
	bool is_open;
	int fd;
	__u64 id;	/* persistent, idle */
};

FIXTURE_SETUP(uring)
{
	const char *why = ro_look_open(&self->look);

	if (!why)
		why = ring_open(&self->ring, 0);
	if (why)
		SKIP(return, "%s", why);
	self->is_open = true;
	self->fd = ro_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT, 0,
			       &self->id));
}

FIXTURE_TEARDOWN(uring)
{
	if (self->is_open)
		io_uring_queue_exit(&self->ring.io);
	close(self->fd);
	/* A request may let go of the session after it has been completed. */
	EXPECT_TRUE(comes_to(&self->look, "sessions", 1));
	if (self->id)
		EXPECT_EQ(0, ro_destroy(self->look.fd, self->id));
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

TEST_F(uring, info_tells)
{
	struct refobj_info info = { .size = sizeof(info) };

	EXPECT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_INFO, &info));
	EXPECT_TRUE(info.features & REFOBJ_FEATURE_URING);
}

/*
 * Results
 */
TEST_F(uring, acquire_and_release)
{
	struct refobj_acquire a = acquire(self->id, 2, 0);
	struct refobj_release r = release(self->id, 2);

	EXPECT_EQ(REFOBJ_FIRST, run(&self->ring, self->fd, REFOBJ_IOC_ACQUIRE, &a));
	EXPECT_EQ(2, ro_users(self->fd, self->id));
	EXPECT_EQ(0, run(&self->ring, self->fd, REFOBJ_IOC_ACQUIRE, &a));
	EXPECT_EQ(0, run(&self->ring, self->fd, REFOBJ_IOC_RELEASE, &r));
	EXPECT_EQ(2, ro_users(self->fd, self->id));
	EXPECT_EQ(REFOBJ_LAST, run(&self->ring, self->fd, REFOBJ_IOC_RELEASE, &r));
	EXPECT_EQ(0, ro_users(self->fd, self->id));
}

/* Whichever thread runs the command, the process is the one that did it. */
TEST_F(uring, by_a_worker_and_by_the_polling_thread)
{
	struct refobj_acquire a = acquire(self->id, 1, 0);
	struct refobj_release r = release(self->id, 1);
	struct ring polled;
	pid_t pid;

	ASSERT_EQ(0, ro_watch(self->look.fd, self->id,
			      REFOBJ_WATCH(REFOBJ_EVENT_ACTIVATED), 0));
	EXPECT_STREQ("snapshot none idle 0", ro_told(self->look.fd));
	push(&self->ring, self->fd, REFOBJ_IOC_ACQUIRE, &a, 0, IOSQE_ASYNC);
	ASSERT_EQ(1, io_uring_submit(&self->ring.io));
	EXPECT_EQ(REFOBJ_FIRST, result(&self->ring, 0));
	EXPECT_STREQ("activated acquire ready 1", ro_told_by(self->look.fd, &pid));
	EXPECT_EQ(getpid(), pid);
	push(&self->ring, self->fd, REFOBJ_IOC_RELEASE, &r, 0, IOSQE_ASYNC);
	ASSERT_EQ(1, io_uring_submit(&self->ring.io));
	EXPECT_EQ(REFOBJ_LAST, result(&self->ring, 0));

	ASSERT_EQ(NULL, ring_open(&polled, IORING_SETUP_SQPOLL));
	EXPECT_EQ(REFOBJ_FIRST, run(&polled, self->fd, REFOBJ_IOC_ACQUIRE, &a));
	EXPECT_STREQ("activated acquire ready 1", ro_told_by(self->look.fd, &pid));
	EXPECT_EQ(getpid(), pid);
	EXPECT_EQ(REFOBJ_LAST, run(&polled, self->fd, REFOBJ_IOC_RELEASE, &r));
	io_uring_queue_exit(&polled.io);
	EXPECT_EQ(0, ro_watch(self->look.fd, self->id, 0, 0));
}

TEST_F(uring, errors)
{
	struct refobj_acquire a = acquire(self->id, 0, 0);
	struct refobj_release r = release(self->id, 1);
	struct refobj_release_all all = { .size = sizeof(all) };
	struct refobj_uring_cmd c = { .arg = (uintptr_t)&r, .reserved = 1 };
	struct ring *ring = &self->ring;
	int bytes;

	EXPECT_EQ(-EINVAL, run(ring, self->fd, REFOBJ_IOC_ACQUIRE, &a));
	a = acquire(self->id + 1000000, 1, 0);
	EXPECT_EQ(-ENOENT, run(ring, self->fd, REFOBJ_IOC_ACQUIRE, &a));
	a = acquire(self->id, 1, 1U << 31);
	EXPECT_EQ(-EOPNOTSUPP, run(ring, self->fd, REFOBJ_IOC_ACQUIRE, &a));
	EXPECT_EQ(-EFAULT, run(ring, self->fd, REFOBJ_IOC_ACQUIRE, (void *)1));
	EXPECT_EQ(-EFAULT, run(ring, self->fd, REFOBJ_IOC_WAIT, NULL));

	ASSERT_EQ(REFOBJ_FIRST, ro_acquire(self->fd, self->id, 1, 0));
	r = release(self->id, 2);
	EXPECT_EQ(-ERANGE, run(ring, self->fd, REFOBJ_IOC_RELEASE, &r));
	r = release(self->id, 1);
	push_raw(ring, self->fd, REFOBJ_IOC_RELEASE, c, 0, 0);
	ASSERT_EQ(1, io_uring_submit(&ring->io));
	EXPECT_EQ(-EOPNOTSUPP, result(ring, 0));
	/* Commands that are not to be submitted, and what is none. */
	EXPECT_EQ(-EOPNOTSUPP, run(ring, self->fd, REFOBJ_IOC_RELEASE_ALL, &all));
	EXPECT_EQ(-EOPNOTSUPP, run(ring, self->fd, FIONREAD, &bytes));
	EXPECT_EQ(-EOPNOTSUPP, run(ring, self->fd, 0, &r));
	EXPECT_EQ(-EOPNOTSUPP,
		  run(ring, self->fd, REFOBJ_IOC_RELEASE ^ 1U << _IOC_TYPESHIFT, &r));
	EXPECT_EQ(-ENOTTY,
		  run(ring, self->fd, REFOBJ_IOC_RELEASE ^ _IOC_READ << _IOC_DIRSHIFT, &r));
	EXPECT_EQ(1, ro_users(self->fd, self->id));
	EXPECT_EQ(REFOBJ_LAST, run(ring, self->fd, REFOBJ_IOC_RELEASE, &r));
	EXPECT_EQ(6, ro_look_since(&self->look, "refused_EOPNOTSUPP"));
}

/* A ring can keep the session's file: that is not a descriptor, which it ends with. */
TEST_F(uring, registered_file)
{
	struct refobj_acquire a = acquire(self->id, 1, 0);
	struct ring *ring = &self->ring;

	ASSERT_EQ(0, io_uring_register_files(&ring->io, &self->fd, 1));
	push(ring, 0, REFOBJ_IOC_ACQUIRE, &a, 0, IOSQE_FIXED_FILE);
	ASSERT_EQ(1, io_uring_submit(&ring->io));
	EXPECT_EQ(REFOBJ_FIRST, result(ring, 0));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, ro_users(self->look.fd, self->id));
	push(ring, 0, REFOBJ_IOC_ACQUIRE, &a, 0, IOSQE_FIXED_FILE);
	ASSERT_EQ(1, io_uring_submit(&ring->io));
	EXPECT_EQ(-EOWNERDEAD, result(ring, 0));
	EXPECT_EQ(0, io_uring_unregister_files(&ring->io));
}

/* A ring that polls for completions: newer kernels let it have ours all the same. */
TEST_F(uring, polled_completions)
{
	struct refobj_acquire a = acquire(self->id, 1, 0);
	struct ring polled;
	int ret;

	ASSERT_EQ(NULL, ring_open(&polled, IORING_SETUP_IOPOLL));
	ret = run(&polled, self->fd, REFOBJ_IOC_ACQUIRE, &a);
	if (ret == -EOPNOTSUPP) {
		EXPECT_EQ(0, ro_users(self->fd, self->id));
	} else {
		EXPECT_EQ(REFOBJ_FIRST, ret);
		EXPECT_EQ(REFOBJ_LAST, ro_release(self->fd, self->id, 1));
	}
	io_uring_queue_exit(&polled.io);
}

/* To io_uring EAGAIN means something else: here it is the result, of one try. */
TEST_F(uring, not_zero)
{
	struct refobj_acquire a = acquire(self->id, 1, REFOBJ_ACQUIRE_NOT_ZERO);

	push(&self->ring, self->fd, REFOBJ_IOC_ACQUIRE, &a, 0, 0);
	push(&self->ring, self->fd, REFOBJ_IOC_ACQUIRE, &a, 1, IOSQE_ASYNC);
	ASSERT_EQ(2, io_uring_submit(&self->ring.io));
	EXPECT_EQ(-EAGAIN, result(&self->ring, 0));
	EXPECT_EQ(-EAGAIN, result(&self->ring, 1));
	EXPECT_EQ(2, ro_look_since(&self->look, "refused_EAGAIN"));
}

TEST_F(uring, publish)
{
	struct refobj_acquire a = { };
	struct refobj_payload p = { .size = sizeof(p) };
	struct refobj_stat st;
	__u64 id = 0;

	ASSERT_EQ(0, ro_create(self->fd, NULL, REFOBJ_PERSISTENT | REFOBJ_BUILD,
			       0, &id));
	a = acquire(id, 1, REFOBJ_ACQUIRE_BUILD);
	p.id = id;
	EXPECT_EQ(-EPERM, run(&self->ring, self->fd, REFOBJ_IOC_PUBLISH, &p));
	push(&self->ring, self->fd, REFOBJ_IOC_ACQUIRE, &a, 0, IOSQE_IO_LINK);
	push(&self->ring, self->fd, REFOBJ_IOC_PUBLISH, &p, 1, 0);
	ASSERT_EQ(2, io_uring_submit(&self->ring.io));
	EXPECT_EQ(REFOBJ_FIRST | REFOBJ_BUILDER, result(&self->ring, 0));
	EXPECT_EQ(0, result(&self->ring, 1));
	EXPECT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(REFOBJ_STATE_READY, st.state);
	EXPECT_EQ(1, ro_release(self->fd, id, 1));

	/* With a file, of the submitter's table of descriptors. */
	EXPECT_EQ(REFOBJ_FIRST | REFOBJ_BUILDER,
		  run(&self->ring, self->fd, REFOBJ_IOC_ACQUIRE, &a));
	p.flags = REFOBJ_PUBLISH_FILE;
	p.fd = memfd_create("uring", MFD_CLOEXEC);
	push(&self->ring, self->fd, REFOBJ_IOC_PUBLISH, &p, 0, IOSQE_ASYNC);
	ASSERT_EQ(1, io_uring_submit(&self->ring.io));
	EXPECT_EQ(0, result(&self->ring, 0));
	close(p.fd);
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

/* Many in one: the result is how many were tried. */
TEST_F(uring, many)
{
	struct refobj_op op[] = {
		{ .op = REFOBJ_OP_ACQUIRE, .id = self->id, .count = 3 },
		{ .op = REFOBJ_OP_RELEASE, .id = self->id, .count = 4 },
		{ .op = REFOBJ_OP_RELEASE, .id = self->id, .count = 3 },
	};
	struct refobj_submit s = {
		.size = sizeof(s), .ops = (uintptr_t)op, .count = 3,
		.op_size = sizeof(op[0]),
	};

	EXPECT_EQ(2, run(&self->ring, self->fd, REFOBJ_IOC_SUBMIT, &s));
	EXPECT_EQ(REFOBJ_FIRST, op[0].result);
	EXPECT_EQ(-ERANGE, op[1].result);
	EXPECT_EQ(3, ro_users(self->fd, self->id));
	op[0].count = 1;
	s.flags = REFOBJ_SUBMIT_ALL;
	EXPECT_EQ(3, run(&self->ring, self->fd, REFOBJ_IOC_SUBMIT, &s));
	EXPECT_EQ(0, op[0].result);
	EXPECT_EQ(REFOBJ_LAST, op[1].result);
	EXPECT_EQ(-ERANGE, op[2].result);
}

/*
 * Chains
 */
TEST_F(uring, chain)
{
	struct refobj_acquire a = acquire(self->id, 1, 0);
	struct refobj_release r = release(self->id, 1);
	int i;

	/* From within the submission, and by workers. */
	for (i = 0; i < 2; i++) {
		int flags = i ? IOSQE_ASYNC : 0;

		push(&self->ring, self->fd, REFOBJ_IOC_ACQUIRE, &a, 0, IOSQE_IO_LINK | flags);
		push(&self->ring, self->fd, REFOBJ_IOC_ACQUIRE, &a, 1, IOSQE_IO_LINK | flags);
		push(&self->ring, self->fd, REFOBJ_IOC_RELEASE, &r, 2, IOSQE_IO_LINK | flags);
		push(&self->ring, self->fd, REFOBJ_IOC_RELEASE, &r, 3, IOSQE_IO_LINK | flags);
		push(&self->ring, self->fd, REFOBJ_IOC_ACQUIRE, &a, 4, IOSQE_IO_LINK | flags);
		push(&self->ring, self->fd, REFOBJ_IOC_RELEASE, &r, 5, flags);
		ASSERT_EQ(6, io_uring_submit(&self->ring.io));
		EXPECT_EQ(REFOBJ_FIRST, result(&self->ring, 0));
		EXPECT_EQ(0, result(&self->ring, 1));
		EXPECT_EQ(0, result(&self->ring, 2));
		EXPECT_EQ(REFOBJ_LAST, result(&self->ring, 3));
		EXPECT_EQ(REFOBJ_FIRST, result(&self->ring, 4));
		EXPECT_EQ(REFOBJ_LAST, result(&self->ring, 5));
	}
}

TEST_F(uring, broken_chain)
{
	struct refobj_acquire a = acquire(self->id, 1, 0);
	struct refobj_acquire n = acquire(self->id, 1, REFOBJ_ACQUIRE_NOT_ZERO);
	struct refobj_release r = release(self->id, 2);

	push(&self->ring, self->fd, REFOBJ_IOC_ACQUIRE, &a, 0, IOSQE_IO_LINK);
	push(&self->ring, self->fd, REFOBJ_IOC_RELEASE, &r, 1, IOSQE_IO_LINK);
	push(&self->ring, self->fd, REFOBJ_IOC_ACQUIRE, &a, 2, IOSQE_IO_LINK);
	push(&self->ring, self->fd, REFOBJ_IOC_ACQUIRE, &a, 3, 0);
	ASSERT_EQ(4, io_uring_submit(&self->ring.io));
	EXPECT_EQ(REFOBJ_FIRST, result(&self->ring, 0));
	EXPECT_EQ(-ERANGE, result(&self->ring, 1));
	EXPECT_EQ(-ECANCELED, result(&self->ring, 2));
	EXPECT_EQ(-ECANCELED, result(&self->ring, 3));
	EXPECT_EQ(1, ro_users(self->fd, self->id));
	EXPECT_EQ(REFOBJ_LAST, ro_release(self->fd, self->id, 1));

	push(&self->ring, self->fd, REFOBJ_IOC_ACQUIRE, &n, 0, IOSQE_IO_LINK);
	push(&self->ring, self->fd, REFOBJ_IOC_ACQUIRE, &a, 1, 0);
	ASSERT_EQ(2, io_uring_submit(&self->ring.io));
	EXPECT_EQ(-EAGAIN, result(&self->ring, 0));
	EXPECT_EQ(-ECANCELED, result(&self->ring, 1));
	EXPECT_EQ(0, ro_users(self->fd, self->id));
}

/*
 * What the ring's memory holds later, other submissions, is not looked at; in what
 * follows a WAIT it would be from 6.10 to 6.13, without IOSQE_ASYNC. A worker that
 * is kept busy has the first WAIT begin late.
 */
TEST_F(uring, chain_after_a_wait)
{
	struct refobj_condition c = until(self->id, REFOBJ_UNTIL_ACTIVE);
	struct refobj_wait w = wait_for(&c, 1, RO_FOREVER);
	struct refobj_acquire a = acquire(self->id, 1, 0);
	unsigned int workers[2] = { 1, 0 };
	struct refobj_condition never = until(self->id, REFOBJ_UNTIL_DEAD);
	struct refobj_wait busy = wait_for(&never, 1, RO_FOREVER);
	int i;

	ASSERT_EQ(0, io_uring_register_iowq_max_workers(&self->ring.io, workers));
	push(&self->ring, self->fd, REFOBJ_IOC_WAIT, &busy, 3, 0);
	ASSERT_EQ(1, io_uring_submit(&self->ring.io));
	ASSERT_TRUE(comes_to(&self->look, "waits", 2));
	push(&self->ring, self->fd, REFOBJ_IOC_WAIT, &w, 0, IOSQE_IO_LINK);
	push(&self->ring, self->fd, REFOBJ_IOC_ACQUIRE, &a, 1, IOSQE_ASYNC);
	ASSERT_EQ(2, io_uring_submit(&self->ring.io));
	EXPECT_EQ(3, ro_look_since(&self->look, "waits"));
	for (i = 0; i < ENTRIES; i++) {
		push(&self->ring, self->fd, REFOBJ_IOC_RELEASE, NULL, 2, 0);
		ASSERT_EQ(1, io_uring_submit(&self->ring.io));
		EXPECT_EQ(-EFAULT, result(&self->ring, 2));
	}
	EXPECT_EQ(-EALREADY, cancel(&self->ring, 3));
	EXPECT_EQ(-EINTR, result(&self->ring, 3));
	ASSERT_TRUE(comes_to(&self->look, "waits", 4));
	EXPECT_EQ(REFOBJ_FIRST, ro_acquire(self->look.fd, self->id, 1, 0));
	EXPECT_EQ(0, result(&self->ring, 0));
	EXPECT_EQ(0, result(&self->ring, 1));
	EXPECT_EQ(2, ro_users(self->fd, self->id));
	EXPECT_EQ(0, ro_release(self->fd, self->id, 1));
	EXPECT_EQ(REFOBJ_LAST, ro_release(self->look.fd, self->id, 1));
}

/*
 * Waits
 */

/* What holds already, and what is only looked for, needs no worker. */
TEST_F(uring, wait_for_what_holds)
{
	struct refobj_condition c[2] = {
		until(self->id, REFOBJ_UNTIL_ACTIVE), until(self->id, REFOBJ_UNTIL_IDLE),
	};
	struct refobj_wait w = wait_for(c, 2, RO_FOREVER);

	push(&self->ring, self->fd, REFOBJ_IOC_WAIT, &w, 0, 0);
	ASSERT_EQ(1, io_uring_submit(&self->ring.io));
	EXPECT_EQ(1, result_now(&self->ring, 0));
	w = wait_for(c, 1, 0);
	push(&self->ring, self->fd, REFOBJ_IOC_WAIT, &w, 0, 0);
	ASSERT_EQ(1, io_uring_submit(&self->ring.io));
	EXPECT_EQ(-ETIMEDOUT, result_now(&self->ring, 0));
	EXPECT_EQ(2, ro_look_since(&self->look, "waits"));
}

TEST_F(uring, wait_for_another_process)
{
	struct refobj_condition c[2] = {
		until(self->id, REFOBJ_UNTIL_DEAD), until(self->id, REFOBJ_UNTIL_IDLE),
	};
	struct refobj_wait w = wait_for(c, 2, RO_FOREVER);
	struct ro_kid kid;

	ASSERT_EQ(REFOBJ_FIRST, ro_holder_start(&kid, self->id, 2));
	push(&self->ring, self->fd, REFOBJ_IOC_WAIT, &w, 0, 0);
	ASSERT_EQ(1, io_uring_submit(&self->ring.io));
	ASSERT_TRUE(comes_to(&self->look, "waits", 2));
	EXPECT_EQ(0, ro_holder_do(&kid, 1));
	EXPECT_EQ(NONE, result_now(&self->ring, 0));
	EXPECT_EQ(1, ro_holder_do(&kid, 1));
	EXPECT_EQ(1, result(&self->ring, 0));

	EXPECT_EQ(REFOBJ_FIRST, ro_holder_do(&kid, RO_HOLDER_ACQUIRE | 1));
	push(&self->ring, self->fd, REFOBJ_IOC_WAIT, &w, 0, 0);
	ASSERT_EQ(1, io_uring_submit(&self->ring.io));
	ASSERT_TRUE(comes_to(&self->look, "waits", 4));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	EXPECT_EQ(1, result(&self->ring, 0));
}

TEST_F(uring, wait_until_a_time)
{
	struct refobj_condition c = until(self->id, REFOBJ_UNTIL_ACTIVE);
	struct refobj_wait w = wait_for(&c, 1, ro_now_ns() + 30000000);
	struct refobj_acquire a = acquire(self->id, 1, 0);

	push(&self->ring, self->fd, REFOBJ_IOC_WAIT, &w, 0, IOSQE_IO_LINK);
	push(&self->ring, self->fd, REFOBJ_IOC_ACQUIRE, &a, 1, 0);
	ASSERT_EQ(2, io_uring_submit(&self->ring.io));
	EXPECT_EQ(-ETIMEDOUT, result(&self->ring, 0));
	EXPECT_LE(w.timeout_ns, ro_now_ns());
	EXPECT_EQ(-ECANCELED, result(&self->ring, 1));
	/* Of two looks the first was no refusal. */
	EXPECT_EQ(1, ro_look_since(&self->look, "refused_ETIMEDOUT"));
	EXPECT_EQ(0, ro_look_since(&self->look, "refused_EAGAIN"));
}

/* One sleeps, the other has no worker yet. */
TEST_F(uring, cancel)
{
	struct refobj_condition c = until(self->id, REFOBJ_UNTIL_ACTIVE);
	struct refobj_wait w = wait_for(&c, 1, RO_FOREVER);
	unsigned int workers[2] = { 1, 0 };

	ASSERT_EQ(0, io_uring_register_iowq_max_workers(&self->ring.io, workers));
	push(&self->ring, self->fd, REFOBJ_IOC_WAIT, &w, 0, 0);
	ASSERT_EQ(1, io_uring_submit(&self->ring.io));
	ASSERT_TRUE(comes_to(&self->look, "waits", 2));
	push(&self->ring, self->fd, REFOBJ_IOC_WAIT, &w, 1, 0);
	push(&self->ring, self->fd, REFOBJ_IOC_WAIT, &w, 2, 0);
	ASSERT_EQ(2, io_uring_submit(&self->ring.io));
	EXPECT_EQ(4, ro_look_since(&self->look, "waits"));
	EXPECT_EQ(0, cancel(&self->ring, 1));
	EXPECT_EQ(-ECANCELED, result(&self->ring, 1));
	/* Being cancelled, but by then it may as well have ended. */
	EXPECT_EQ(-EALREADY, cancel(&self->ring, 0));
	EXPECT_EQ(-EINTR, result(&self->ring, 0));
	/* Now the last one has a worker, which is none the worse for it. */
	ASSERT_TRUE(comes_to(&self->look, "waits", 5));
	EXPECT_EQ(1, ro_bounce(self->fd, self->id, 1));
	EXPECT_EQ(0, result(&self->ring, 2));
}

TEST_F(uring, linked_timeout)
{
	struct refobj_condition c = until(self->id, REFOBJ_UNTIL_ACTIVE);
	struct refobj_wait w = wait_for(&c, 1, RO_FOREVER);
	struct __kernel_timespec ts = { .tv_nsec = 20000000 };
	struct io_uring_sqe *sqe;
	int ret;

	push(&self->ring, self->fd, REFOBJ_IOC_WAIT, &w, 0, IOSQE_IO_LINK);
	sqe = io_uring_get_sqe(&self->ring.io);
	io_uring_prep_link_timeout(sqe, &ts, 0);
	sqe->user_data = 1;
	ASSERT_EQ(2, io_uring_submit(&self->ring.io));
	ret = result(&self->ring, 0);
	/* Before or after a worker had begun it. */
	EXPECT_TRUE(ret == -EINTR || ret == -ECANCELED);
	EXPECT_GT(0, result(&self->ring, 1));
}

/*
 * A process that holds two references, waits by io_uring on its session, and does
 * nothing else.
 */
static void start_waiter(struct ro_kid *kid, __u64 id)
{
	struct refobj_condition c = until(id, REFOBJ_UNTIL_DEAD);
	struct refobj_wait w = wait_for(&c, 1, RO_FOREVER);
	struct ring ring;
	int fd;

	if (ro_kid_fork(kid))
		return;
	fd = ro_open();
	if (ring_open(&ring, 0) || ro_acquire(fd, id, 2, 0) < 0)
		_exit(1);
	push(&ring, fd, REFOBJ_IOC_WAIT, &w, 0, 0);
	io_uring_submit(&ring.io);
	ro_kid_say(kid, 1);
	ro_kid_say(kid, result(&ring, 0));
	ro_kid_await(kid);
	_exit(0);
}

#define ENDS	(REFOBJ_WATCH(REFOBJ_EVENT_HOLDER_DIED) | \
		 REFOBJ_WATCH(REFOBJ_EVENT_DEACTIVATED))

/* The next event, when it comes, in words. */
static const char *next_event(int fd)
{
	static char text[128];
	struct refobj_event e;

	if (ro_read_events(fd, &e, 1) != 1)
		return "nothing";
	ro_event_text(text, sizeof(text), &e);
	return text;
}

TEST_F(uring, killed_while_it_waits)
{
	struct ro_kid kid;
	int i;

	for (i = 0; i < ro_times(10); i++) {
		start_waiter(&kid, self->id);
		ASSERT_EQ(1, ro_kid_hear(&kid));
		ASSERT_TRUE(comes_to(&self->look, "waits", 2 * (i + 1)));
		ASSERT_EQ(0, ro_watch(self->look.fd, self->id, ENDS, 0));
		EXPECT_STREQ("snapshot none ready 2", next_event(self->look.fd));
		kill(kid.pid, SIGKILL);
		EXPECT_STREQ("died signal-9 ready 0 x2", next_event(self->look.fd));
		EXPECT_STREQ("deactivated signal-9 idle 0", next_event(self->look.fd));
		EXPECT_EQ(-SIGKILL, ro_kid_reap(&kid));
		EXPECT_EQ(0, ro_watch(self->look.fd, self->id, 0, 0));
	}
}

/* Nothing was cancelled, but the worker has to stop like the others. */
TEST_F(uring, stopped_while_it_waits)
{
	struct ro_kid kid;

	start_waiter(&kid, self->id);
	ASSERT_EQ(1, ro_kid_hear(&kid));
	ASSERT_TRUE(comes_to(&self->look, "waits", 2));
	kill(kid.pid, SIGSTOP);
	EXPECT_EQ(kid.pid, waitpid(kid.pid, NULL, WUNTRACED));
	kill(kid.pid, SIGCONT);
	EXPECT_EQ(-EINTR, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_end(&kid));
}

/* The request has the session's file, which this session lives as long as. */
TEST_F(uring, ring_closed_while_it_waits)
{
	struct refobj_condition c = until(self->id, REFOBJ_UNTIL_DEAD);
	struct refobj_wait w = wait_for(&c, 1, RO_FOREVER);
	int fd = ro_open_unbound();

	ASSERT_LE(0, fd);
	EXPECT_EQ(REFOBJ_FIRST, ro_acquire(fd, self->id, 1, 0));
	push(&self->ring, fd, REFOBJ_IOC_WAIT, &w, 0, 0);
	ASSERT_EQ(1, io_uring_submit(&self->ring.io));
	ASSERT_TRUE(comes_to(&self->look, "waits", 2));
	close(fd);
	ASSERT_EQ(0, ro_watch(self->look.fd, self->id, ENDS, 0));
	EXPECT_STREQ("snapshot none ready 1", next_event(self->look.fd));
	io_uring_queue_exit(&self->ring.io);
	self->is_open = false;
	EXPECT_STREQ("deactivated close idle 0", next_event(self->look.fd));
}

/* Who goes on to use a session whose owner has died is told, and he who waits. */
TEST_F(uring, session_ended)
{
	struct refobj_condition c = until(self->id, REFOBJ_UNTIL_DEAD);
	struct refobj_wait w = wait_for(&c, 1, RO_FOREVER);
	struct refobj_acquire a = acquire(self->id, 1, 0);
	struct ro_kid owner;
	struct ring ring;
	pid_t other;
	int fd;

	/* To reap what a child leaves behind. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	ASSERT_LE(0, ro_kid_fork(&owner));
	if (!owner.pid) {
		fd = ro_open();
		other = fork();
		if (other)
			pause();
		if (ring_open(&ring, 0))
			_exit(1);
		push(&ring, fd, REFOBJ_IOC_WAIT, &w, 0, 0);
		io_uring_submit(&ring.io);
		ro_kid_say(&owner, getpid());
		ro_kid_say(&owner, result(&ring, 0));
		ro_kid_say(&owner, run(&ring, fd, REFOBJ_IOC_ACQUIRE, &a));
		ro_kid_say(&owner, run(&ring, fd, REFOBJ_IOC_WAIT, &w));
		_exit(0);
	}
	other = ro_kid_hear(&owner);
	ASSERT_TRUE(comes_to(&self->look, "waits", 2));
	kill(owner.pid, SIGKILL);
	EXPECT_EQ(-EOWNERDEAD, ro_kid_hear(&owner));
	EXPECT_EQ(-EOWNERDEAD, ro_kid_hear(&owner));
	EXPECT_EQ(-EOWNERDEAD, ro_kid_hear(&owner));
	EXPECT_EQ(-SIGKILL, ro_kid_reap(&owner));
	EXPECT_EQ(0, ro_reap(other));
	EXPECT_EQ(0, ro_users(self->look.fd, self->id));
}

TEST_HARNESS_MAIN
