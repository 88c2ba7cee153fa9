// SPDX-License-Identifier: GPL-2.0-only
/*
 * SUBMIT: many operations in a call, each as a call of its own would have been; what is
 * refused, what is not there, and who comes in between.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define BATCH	43	/* the most that is done before it is looked whether to go on */
#define MANY	1000

FIXTURE(submit) {
	struct ro_look look;
	int fd;
	__u64 idle;	/* persistent, without users */
	__u64 held;	/* transient, 2 users, of fd's session */
	struct refobj_op op[REFOBJ_SUBMIT_MAX + 1];
};

FIXTURE_SETUP(submit)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	self->fd = ro_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ro_create(self->fd, NULL, REFOBJ_PERSISTENT, 0, &self->idle));
	ASSERT_EQ(1, ro_create(self->fd, NULL, 0, 2, &self->held));
}

FIXTURE_TEARDOWN(submit)
{
	if (self->idle) {
		EXPECT_LE(0, ro_release_all(self->fd, 0));
		EXPECT_EQ(0, ro_destroy(self->fd, self->idle));
		close(self->fd);
	}
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

static int submit(int fd, struct refobj_op *ops, unsigned int n, unsigned int flags)
{
	struct refobj_submit a = {
		.size = sizeof(a), .flags = flags, .ops = (uintptr_t)ops,
		.count = n, .op_size = sizeof(*ops),
	};

	return ro_ioctl(fd, REFOBJ_IOC_SUBMIT, &a);
}

static struct refobj_op acquire(__u64 id, unsigned int n)
{
	return (struct refobj_op) {
		.op = REFOBJ_OP_ACQUIRE, .id = id, .count = n, .result = 4711,
	};
}

static struct refobj_op release(__u64 id, unsigned int n)
{
	return (struct refobj_op) {
		.op = REFOBJ_OP_RELEASE, .id = id, .count = n, .result = 4711,
	};
}

TEST_F(submit, results_are_those_of_single_calls)
{
	const int results[] = { 1, 0, 0, 0, 0, 0, 1 };
	struct refobj_op *op = self->op;
	int i;

	op[0] = acquire(self->idle, 1);
	op[1] = acquire(self->idle, 9);
	op[2] = acquire(self->held, 300);
	op[3] = release(self->idle, 9);
	op[4] = release(self->held, 301);
	op[5] = acquire(self->held, 1);
	op[6] = release(self->idle, 1);
	ASSERT_EQ(7, submit(self->fd, op, 7, 0));
	for (i = 0; i < 7; i++)
		EXPECT_EQ(results[i], op[i].result)
			TH_LOG("operation %d", i);
	EXPECT_EQ(0, ro_users(self->fd, self->idle));
	EXPECT_EQ(2, ro_users(self->fd, self->held));
}

TEST_F(submit, builds_and_asks_whether_it_is_in_use)
{
	struct refobj_op *op = self->op;
	__u64 id;

	ASSERT_EQ(0, ro_create(self->fd, NULL, REFOBJ_PERSISTENT | REFOBJ_BUILD, 0, &id));
	op[0] = acquire(id, 1);
	op[0].flags = REFOBJ_ACQUIRE_NOT_ZERO;
	op[1] = acquire(id, 1);
	op[1].flags = REFOBJ_ACQUIRE_BUILD;
	op[2] = acquire(id, 1);
	op[2].flags = REFOBJ_ACQUIRE_NOT_ZERO | REFOBJ_ACQUIRE_BUILD;
	ASSERT_EQ(3, submit(self->fd, op, 3, REFOBJ_SUBMIT_ALL));
	EXPECT_EQ(-EAGAIN, op[0].result);
	EXPECT_EQ(REFOBJ_FIRST | REFOBJ_BUILDER, op[1].result);
	EXPECT_EQ(0, op[2].result);
	EXPECT_EQ(0, ro_publish(self->fd, id));
	EXPECT_EQ(1, ro_release(self->fd, id, 2));
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(submit, ends_after_the_first_that_is_refused)
{
	struct refobj_op *op = self->op;

	op[0] = acquire(self->held, 1);
	op[1] = release(self->held, 9);
	op[2] = acquire(self->held, 1);
	EXPECT_EQ(2, submit(self->fd, op, 3, 0));
	EXPECT_EQ(0, op[0].result);
	EXPECT_EQ(-ERANGE, op[1].result);
	EXPECT_EQ(3, ro_users(self->fd, self->held));
	EXPECT_EQ(3, submit(self->fd, op, 3, REFOBJ_SUBMIT_ALL));
	EXPECT_EQ(0, op[0].result);
	EXPECT_EQ(-ERANGE, op[1].result);
	EXPECT_EQ(0, op[2].result);
	EXPECT_EQ(5, ro_users(self->fd, self->held));
}

/* Each of these is refused, and has changed nothing. */
TEST_F(submit, each_bad_operation_is_refused)
{
	struct refobj_op *op = self->op;
	unsigned int n = 0, i;
	int want[64];
	__u64 dead;

	ASSERT_EQ(1, ro_create(self->fd, NULL, 0, 1, &dead));
	ASSERT_EQ(1, ro_release(self->fd, dead, 1));

#define REFUSED(_want, _op)	(op[n] = (_op), want[n++] = (_want))
	REFUSED(-EINVAL, acquire(self->held, 0));
	REFUSED(-EINVAL, release(self->held, 0));
	REFUSED(-EINVAL, acquire(self->held, REFOBJ_COUNT_MAX + 1));
	REFUSED(-EINVAL, release(self->held, UINT32_MAX));
	REFUSED(-ENOENT, acquire(0, 1));
	REFUSED(-ENOENT, release(0, 1));
	REFUSED(-ENOENT, acquire(self->held + (1ULL << 40), 1));
	REFUSED(-ESTALE, acquire(dead, 1));
	REFUSED(-ESTALE, release(dead, 1));
	REFUSED(-ERANGE, release(self->idle, 1));
	REFUSED(-ERANGE, release(self->held, 3));
	REFUSED(-EINVAL, acquire(self->held, 1));
	op[n - 1].op = 0;
	REFUSED(-EINVAL, acquire(self->held, 1));
	op[n - 1].op = REFOBJ_OP_RELEASE + 1;
	for (i = 2; i < 32; i++) {
		REFUSED(-EOPNOTSUPP, acquire(self->held, 1));
		op[n - 1].flags = 1U << i;
	}
	REFUSED(-EOPNOTSUPP, release(self->held, 1));
	op[n - 1].flags = 1;
	ASSERT_EQ(n, submit(self->fd, op, n, REFOBJ_SUBMIT_ALL));
	for (i = 0; i < n; i++)
		EXPECT_EQ(want[i], op[i].result)
			TH_LOG("operation %u", i);
	for (i = 0; i < n; i++)
		EXPECT_EQ(1, submit(self->fd, &op[i], n - i, 0));
	EXPECT_EQ(2, ro_users(self->fd, self->held));
	EXPECT_EQ(0, ro_users(self->fd, self->idle));
}

TEST_F(submit, who_may_not_read_it_is_refused)
{
	int other = ro_open_as(4321);

	ASSERT_LE(0, other);
	self->op[0] = acquire(self->held, 1);
	EXPECT_EQ(1, submit(other, self->op, 1, 0));
	EXPECT_EQ(-EACCES, self->op[0].result);
	close(other);
}

/* The session's own sum of its references, as its descriptor tells it. */
static long long sum_of(int fd)
{
	char path[64], line[128];
	long long sum = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "refobj-references: %lld", &sum);
	if (f)
		fclose(f);
	return sum;
}

TEST_F(submit, counts_what_it_did)
{
	struct ro_counts before;
	unsigned int i;

	ASSERT_EQ(0, ro_counts_read(&before));
	for (i = 0; i < 100; i++)
		self->op[i] = i & 1 ? release(self->idle, 2) : acquire(self->idle, 2);
	self->op[100] = acquire(self->held, 3);
	self->op[101] = release(self->held, 2);
	self->op[102] = release(self->held, 4);
	ASSERT_EQ(103, submit(self->fd, self->op, 103, 0));
	EXPECT_EQ(-ERANGE, self->op[102].result);
	EXPECT_EQ(3, sum_of(self->fd));
	EXPECT_EQ(51, ro_counts_since(&before, "acquires"));
	EXPECT_EQ(51, ro_counts_since(&before, "releases"));
	EXPECT_EQ(103, ro_counts_since(&before, "references_acquired"));
	EXPECT_EQ(102, ro_counts_since(&before, "references_released"));
	EXPECT_EQ(50, ro_counts_since(&before, "activations"));
	EXPECT_EQ(50, ro_counts_since(&before, "deactivations"));
	EXPECT_EQ(1, ro_counts_since(&before, "refused_ERANGE"));
}

TEST_F(submit, as_many_as_there_may_be)
{
	unsigned int i;

	for (i = 0; i < REFOBJ_SUBMIT_MAX; i++)
		self->op[i] = acquire(self->held, 1 + i % 3);
	self->op[i] = self->op[0];
	EXPECT_EQ(-EINVAL, submit(self->fd, self->op, i + 1, 0));
	EXPECT_EQ(2, ro_users(self->fd, self->held));
	ASSERT_EQ(i, submit(self->fd, self->op, i, 0));
	EXPECT_EQ(2 + i / 3 * 6 + 1, ro_users(self->fd, self->held));
}

TEST_F(submit, many_objects)
{
	static __u64 id[MANY];
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(0, ro_create(self->fd, NULL, REFOBJ_PERSISTENT, 0, &id[i]));
		self->op[i] = acquire(id[i], 1 + i);
	}
	ASSERT_EQ(MANY, submit(self->fd, self->op, MANY, 0));
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(1, self->op[i].result);
		ASSERT_EQ(1 + i, ro_users(self->fd, id[i]));
		self->op[i] = release(id[MANY - 1 - i], MANY - i);
	}
	ASSERT_EQ(MANY, submit(self->fd, self->op, MANY, 0));
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(1, self->op[i].result);
		ASSERT_EQ(0, ro_destroy(self->fd, id[i]));
	}
}

static unsigned int chance(unsigned int below)
{
	static __u64 state = 1;

	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned int)(state >> 33) % below;
}

/* The same by single calls, on objects that are twins: each result, and each count. */
TEST_F(submit, does_what_single_calls_do)
{
	enum { OBJECTS = 5 };
	int single = ro_open(), round, times = ro_times(300);
	struct refobj_op *op = self->op;
	__u64 here[OBJECTS], there[OBJECTS];
	struct refobj_stat a, b;
	unsigned int i, n, done;

	ASSERT_LE(0, single);
	for (i = 0; i < OBJECTS; i++) {
		ASSERT_EQ(0, ro_create(self->fd, NULL, REFOBJ_PERSISTENT, 0, &here[i]));
		ASSERT_EQ(0, ro_create(single, NULL, REFOBJ_PERSISTENT, 0, &there[i]));
	}
	for (round = 0; round < times; round++) {
		unsigned int which[3 * BATCH], all = chance(2);

		n = 1 + chance(3 * BATCH);
		for (i = 0; i < n; i++) {
			which[i] = chance(OBJECTS);
			op[i] = chance(2) ? acquire(here[which[i]], 1 + chance(4)) :
					    release(here[which[i]], 1 + chance(4));
			if (op[i].op == REFOBJ_OP_ACQUIRE && !chance(4))
				op[i].flags = REFOBJ_ACQUIRE_NOT_ZERO;
			if (!chance(40))
				op[i].count = 0;
		}
		done = submit(self->fd, op, n, all ? REFOBJ_SUBMIT_ALL : 0);
		ASSERT_LE(1, done);
		ASSERT_GE(n, done);
		for (i = 0; i < done; i++) {
			__u64 id = there[which[i]];

			ASSERT_EQ(op[i].op == REFOBJ_OP_ACQUIRE ?
				  ro_acquire(single, id, op[i].count, op[i].flags) :
				  ro_release(single, id, op[i].count), op[i].result)
				TH_LOG("round %d, operation %u of %u", round, i, n);
			ASSERT_EQ(true, all || i + 1 == done || op[i].result >= 0);
		}
		ASSERT_EQ(true, done == n || (!all && op[done - 1].result < 0));
		for (i = 0; i < OBJECTS; i++) {
			ASSERT_EQ(0, ro_stat(self->fd, here[i], &a));
			ASSERT_EQ(0, ro_stat(single, there[i], &b));
			ASSERT_EQ(b.users, a.users);
			ASSERT_EQ(b.held, a.held);
			ASSERT_EQ(b.state, a.state);
			ASSERT_EQ(b.users_peak, a.users_peak);
			ASSERT_EQ(b.activations, a.activations);
			ASSERT_EQ(b.deactivations, a.deactivations);
		}
	}
	EXPECT_LE(0, ro_release_all(self->fd, 0));
	close(single);
	for (i = 0; i < OBJECTS; i++) {
		EXPECT_EQ(0, ro_destroy(self->fd, here[i]));
		EXPECT_EQ(0, ro_destroy(self->fd, there[i]));
	}
}

/* Operations of which only the first ones are there, or can be written. */
static struct refobj_op *half(unsigned int n, __u64 id, int protection)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct refobj_op *op = (void *)(at + page - n * sizeof(*op));
	unsigned int i;

	for (i = 0; i <= n; i++)
		op[i] = acquire(id, 1);
	if (mprotect(at + page, page, protection))
		return NULL;
	return op;
}

TEST_F(submit, what_was_done_before_memory_that_is_not_there)
{
	const int protections[] = { PROT_NONE, PROT_READ };
	unsigned int i, n, sum = 2;
	struct refobj_op *op;
	int done;

	for (i = 0; i < 2; i++) {
		for (n = 1; n < 3 * BATCH; n++) {
			op = half(n, self->held, protections[i]);
			ASSERT_NE(NULL, op);
			done = submit(self->fd, op, n + 1, 0);
			if (done > 0)
				sum += done;
			else
				ASSERT_EQ(-EFAULT, done);
			/* It goes by batches, and knows what it has done. */
			ASSERT_GE((int)n, done);
			ASSERT_LT((int)n - BATCH, done < 0 ? 0 : done);
			ASSERT_EQ(sum, ro_users(self->fd, self->held));
			munmap((void *)((uintptr_t)op & -sysconf(_SC_PAGESIZE)),
			       2 * sysconf(_SC_PAGESIZE));
		}
	}
}

TEST_F(submit, memory_that_is_not_there_at_all)
{
	EXPECT_EQ(-EFAULT, submit(self->fd, NULL, 1, 0));
	EXPECT_EQ(-EFAULT, submit(self->fd, (void *)-4096UL, 1, 0));
	EXPECT_EQ(2, ro_users(self->fd, self->held));
}

struct taker {
	void *at;
	int stop;
};

static void *take(void *arg)
{
	struct taker *t = arg;

	while (!__atomic_load_n(&t->stop, __ATOMIC_RELAXED))
		if (mprotect(t->at, getpagesize(), PROT_READ) ||
		    mprotect(t->at, getpagesize(), PROT_READ | PROT_WRITE))
			break;
	return NULL;
}

/* Whenever results cannot be written any more, the number tells what was done. */
TEST_F(submit, memory_that_is_taken_away_meanwhile)
{
	const int n = 2 * BATCH, size = getpagesize();
	int file = memfd_create("ops", MFD_CLOEXEC);
	int done, i, times = ro_times(5000);
	unsigned int sum = 2;
	struct taker t = { .stop = 0 };
	struct refobj_op *op;
	pthread_t thread;

	ASSERT_GE(size, n * (int)sizeof(*op));
	ASSERT_LE(0, file);
	ASSERT_EQ(0, ftruncate(file, size));
	op = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	ASSERT_NE(MAP_FAILED, op);
	t.at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	ASSERT_NE(MAP_FAILED, t.at);
	ASSERT_EQ(0, pthread_create(&thread, NULL, take, &t));
	while (times--) {
		for (i = 0; i < n; i++)
			op[i] = acquire(self->held, 1);
		done = submit(self->fd, t.at, n, 0);
		if (done > 0)
			sum += done;
		else if (done != -EFAULT)
			break;
		for (i = n; i > 0 && op[i - 1].result; i--)
			;
		if (i > (done > 0 ? done : 0) ||
		    ro_users(self->fd, self->held) != sum)
			break;
	}
	__atomic_store_n(&t.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(-1, times);
	EXPECT_EQ(sum, ro_users(self->fd, self->held));
	munmap(t.at, size);
	munmap(op, size);
	close(file);
}

static void no_op(int sig)
{
}

struct shooter {
	pthread_t target;
	int stop;
};

static void *shoot(void *arg)
{
	struct shooter *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED))
		pthread_kill(s->target, SIGUSR1);
	return NULL;
}

/* It may end early for a signal, but not before the first. */
TEST_F(submit, a_signal_ends_it_early)
{
	struct shooter s = { .target = pthread_self() };
	struct sigaction act = { .sa_handler = no_op };
	unsigned int i, sum = 2, early = 0;
	pthread_t thread;
	int done;

	for (i = 0; i < REFOBJ_SUBMIT_MAX; i++)
		self->op[i] = acquire(self->held, 1);
	ASSERT_EQ(0, sigaction(SIGUSR1, &act, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, shoot, &s));
	while (early < 20) {
		done = submit(self->fd, self->op, REFOBJ_SUBMIT_MAX, 0);
		if (done < 1 || done > REFOBJ_SUBMIT_MAX)
			break;
		sum += done;
		early += done < REFOBJ_SUBMIT_MAX;
	}
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(20, early);
	EXPECT_EQ(sum, ro_users(self->fd, self->held));
}

struct worker {
	int fd;
	__u64 id[2];
	int rounds;
	int bad;
};

static void *work(void *arg)
{
	struct refobj_op op[2 * BATCH];
	struct worker *w = arg;
	int i, j;

	for (i = 0; i < w->rounds; i++) {
		for (j = 0; j < BATCH; j++) {
			op[j] = acquire(w->id[j & 1], 1);
			op[BATCH + j] = release(w->id[j & 1], 1);
		}
		w->bad |= submit(w->fd, op, 2 * BATCH, 0) != 2 * BATCH;
	}
	return NULL;
}

/* Two of one session, and two of their own: the last references come and go. */
TEST_F(submit, several_at_a_time)
{
	struct worker w[4] = { { .fd = -1 } };
	pthread_t thread[4];
	int i;

	for (i = 0; i < 4; i++) {
		w[i] = (struct worker) {
			.fd = i < 2 ? self->fd : ro_open(),
			.id = { self->idle, self->held },
			.rounds = ro_times(300),
		};
		ASSERT_LE(0, w[i].fd);
	}
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, work, &w[i]));
	for (i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_EQ(0, w[i].bad);
		if (i >= 2)
			close(w[i].fd);
	}
	EXPECT_EQ(0, ro_users(self->fd, self->idle));
	EXPECT_EQ(2, ro_users(self->fd, self->held));
}

/* Whoever is killed in the middle has dropped it all. */
TEST_F(submit, killed_in_the_middle)
{
	int times = ro_times(30), i;
	struct ro_kid kid;

	for (i = 0; i < times; i++) {
		if (!ro_kid_fork(&kid)) {
			int fd = ro_open();
			unsigned int j;

			for (j = 0; j < REFOBJ_SUBMIT_MAX; j++)
				self->op[j] = acquire(j & 1 ? self->idle : self->held, 1);
			ro_kid_say(&kid, 1);
			while (submit(fd, self->op, REFOBJ_SUBMIT_MAX, 0) > 0)
				;
			_exit(1);
		}
		ASSERT_EQ(1, ro_kid_hear(&kid));
		while (ro_users(self->fd, self->idle) == 0)
			;
		ASSERT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
		ASSERT_EQ(0, ro_users(self->fd, self->idle));
		ASSERT_EQ(2, ro_users(self->fd, self->held));
	}
}

TEST_HARNESS_MAIN
