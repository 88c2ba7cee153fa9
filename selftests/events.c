// SPDX-License-Identifier: GPL-2.0-only
/*
 * Watches, and the events that read(2) tells of them.
 *
 * An event is in the queue before the call that caused it returns, or before the
 * process whose death did is a zombie: nothing here sleeps to see one.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define PATIENCE	120

#define BIT_OF(type)	REFOBJ_WATCH(REFOBJ_EVENT_##type)
/* Both ends of an activation: one record for an acquire, and one for a release. */
#define ENDS		(BIT_OF(ACTIVATED) | BIT_OF(DEACTIVATED))

FIXTURE(events) {
	struct ro_look look;	/* whose session acts */
	int fd;			/* whose session is told */
	__u64 id;		/* persistent, idle */
	__u64 watches;		/* charged before */
};

FIXTURE_SETUP(events)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	self->fd = ro_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ro_create(self->look.fd, "events", REFOBJ_PERSISTENT, 0,
			       &self->id));
	self->watches = ro_watches_used(self->fd);
}

FIXTURE_TEARDOWN(events)
{
	close(self->fd);
	if (self->id)
		EXPECT_EQ(0, ro_destroy(self->look.fd, self->id));
	EXPECT_EQ(self->watches, ro_watches_used(self->look.fd));
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

/*
 * read(2), poll(2)
 */
TEST_F(events, read_gives_whole_records)
{
	struct refobj_event e[8];
	char *buf = (char *)e;
	int i;

	ASSERT_EQ(72U, sizeof(e[0]));
	memset(e, 0x5a, sizeof(e));
	ASSERT_EQ(0, ro_watch(self->fd, self->id, ENDS, 0x123456789abcdef0ULL));
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 3));
	EXPECT_EQ(7 * 72, ro_unread(self->fd) * 72);

	for (i = 0; i < 72; i++) {
		EXPECT_EQ(-1, read(self->fd, buf, i));
		EXPECT_EQ(EINVAL, errno);
	}
	EXPECT_EQ(0x5a, buf[0]);
	EXPECT_EQ(72, read(self->fd, buf, 143));
	EXPECT_EQ(0x5a, buf[72]);
	EXPECT_EQ(72U, e[0].size);
	EXPECT_EQ(REFOBJ_EVENT_SNAPSHOT, e[0].type);
	EXPECT_EQ(REFOBJ_CAUSE_NONE, e[0].cause);
	EXPECT_EQ(REFOBJ_STATE_IDLE, e[0].state);
	EXPECT_EQ(self->id, e[0].id);
	EXPECT_EQ(1ULL, e[0].seq);
	EXPECT_EQ(0x123456789abcdef0ULL, e[0].cookie);
	EXPECT_EQ(0U, e[0].users);
	EXPECT_EQ(0U, e[0].count);
	EXPECT_EQ(0U, e[0].pid);
	EXPECT_EQ(0U, e[0].flags);

	EXPECT_EQ(2 * 72, read(self->fd, buf, 3 * 72 - 1));
	EXPECT_EQ(0x5a, buf[2 * 72]);
	EXPECT_EQ(2ULL, e[0].seq);
	EXPECT_EQ(3ULL, e[1].seq);
	EXPECT_EQ(4, ro_unread(self->fd));
	EXPECT_EQ(4 * 72, read(self->fd, buf, sizeof(e)));
	EXPECT_EQ(0, ro_unread(self->fd));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(4ULL + i, e[i].seq);
		EXPECT_EQ(i % 2 ? REFOBJ_EVENT_DEACTIVATED :
				  REFOBJ_EVENT_ACTIVATED, e[i].type);
		EXPECT_EQ(0x123456789abcdef0ULL, e[i].cookie);
		EXPECT_EQ((__u32)getpid(), e[i].pid);
	}
}

/* A batch of records is copied at a time: whatever their number, all come. */
TEST_F(events, read_gives_as_many_as_fit)
{
	struct refobj_event e[64];
	int n, i, ret;

	ASSERT_EQ(0, ro_watch(self->fd, self->id, ENDS, 0));
	EXPECT_EQ(1, ro_read_events(self->fd, e, 64));
	for (n = 1; n <= 40; n++) {
		__u64 seq = 0;

		ASSERT_EQ(1, ro_bounce(self->look.fd, self->id, 20));
		for (i = 0; i < 40; i += ret) {
			ret = ro_read_events(self->fd, e, n);
			ASSERT_EQ(n < 40 - i ? n : 40 - i, ret);
			ASSERT_TRUE(!seq || e[0].seq == seq + 1);
			seq = e[ret - 1].seq;
		}
	}
}

TEST_F(events, times_are_of_the_monotonic_clock)
{
	struct refobj_event e[3];
	__u64 start = ro_now_ns(), middle;

	ASSERT_EQ(0, ro_watch(self->fd, self->id, ENDS, 0));
	EXPECT_EQ(1, ro_acquire(self->look.fd, self->id, 1, 0));
	middle = ro_now_ns();
	EXPECT_EQ(1, ro_release(self->look.fd, self->id, 1));
	EXPECT_EQ(3, ro_read_events(self->fd, e, 3));
	EXPECT_LE(start, e[0].time_ns);
	EXPECT_LE(e[0].time_ns, e[1].time_ns);
	EXPECT_LE(e[1].time_ns, middle);
	EXPECT_LE(middle, e[2].time_ns);
	EXPECT_LE(e[2].time_ns, ro_now_ns());
}

TEST_F(events, nonblocking_read_says_eagain)
{
	struct refobj_event e;

	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_RDWR | O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, ro_read_events(self->fd, &e, 1));
	ASSERT_EQ(0, ro_watch(self->fd, self->id, ENDS, 0));
	EXPECT_EQ(1, ro_read_events(self->fd, &e, 1));
	EXPECT_EQ(-EAGAIN, ro_read_events(self->fd, &e, 1));
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
	EXPECT_EQ(1, ro_read_events(self->fd, &e, 1));
	EXPECT_EQ(1, ro_read_events(self->fd, &e, 1));
	EXPECT_EQ(-EAGAIN, ro_read_events(self->fd, &e, 1));
}

/* In a child: what a read(2) of one record says, which may block. */
static void read_one(struct ro_kid *kid, int fd)
{
	struct refobj_event e = { };
	int ret;

	if (ro_kid_fork(kid))
		return;
	ro_kid_say(kid, 1);
	ret = ro_read_events(fd, &e, 1);
	ro_kid_say(kid, ret < 0 ? 1000 - ret : (int)e.type);
	_exit(0);
}

TEST_F(events, blocking_read_is_woken)
{
	struct ro_kid kid;

	ASSERT_EQ(0, ro_watch(self->fd, self->id, ENDS, 0));
	EXPECT_STREQ("snapshot none idle 0", ro_told(self->fd));
	read_one(&kid, self->fd);
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_TRUE(ro_kid_sleeps(&kid));
	EXPECT_EQ(1, ro_acquire(self->look.fd, self->id, 1, 0));
	EXPECT_EQ(REFOBJ_EVENT_ACTIVATED, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_reap(&kid));
	EXPECT_EQ(1, ro_release(self->look.fd, self->id, 1));
}

/* Nothing is ever watched: the read ends with the session, for all who share it. */
TEST_F(events, blocked_read_ends_with_the_session)
{
	struct ro_kid kid;
	int fd = ro_open();

	read_one(&kid, fd);
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_TRUE(ro_kid_sleeps(&kid));
	close(fd);
	EXPECT_EQ(1000 + EOWNERDEAD, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_reap(&kid));
}

static int handled_fd;

static void say_handled(int sig)
{
	ro_say_fd(handled_fd, sig);
}

static void read_one_handling(struct ro_kid *kid, int fd, int flags)
{
	struct sigaction sa = { .sa_handler = say_handled, .sa_flags = flags };
	struct refobj_event e = { };
	int ret;

	if (ro_kid_fork(kid))
		return;
	handled_fd = kid->pipe.up[1];
	sigaction(SIGUSR1, &sa, NULL);
	ro_kid_say(kid, 1);
	ret = ro_read_events(fd, &e, 1);
	ro_kid_say(kid, ret < 0 ? 1000 - ret : (int)e.type);
	_exit(0);
}

TEST_F(events, blocked_read_is_interrupted)
{
	struct ro_kid kid;

	read_one_handling(&kid, self->fd, 0);
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_TRUE(ro_kid_sleeps(&kid));
	kill(kid.pid, SIGUSR1);
	EXPECT_EQ(SIGUSR1, ro_kid_hear(&kid));
	EXPECT_EQ(1000 + EINTR, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_reap(&kid));
}

TEST_F(events, blocked_read_is_restarted)
{
	struct ro_kid kid;
	int i;

	ASSERT_EQ(0, ro_watch(self->fd, self->id, ENDS, 0));
	EXPECT_STREQ("snapshot none idle 0", ro_told(self->fd));
	read_one_handling(&kid, self->fd, SA_RESTART);
	EXPECT_EQ(1, ro_kid_hear(&kid));
	for (i = 0; i < 3; i++) {
		EXPECT_TRUE(ro_kid_sleeps(&kid));
		kill(kid.pid, SIGUSR1);
		EXPECT_EQ(SIGUSR1, ro_kid_hear(&kid));
	}
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
	EXPECT_EQ(REFOBJ_EVENT_ACTIVATED, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_reap(&kid));
}

TEST_F(events, poll_tells_that_there_is_something)
{
	struct pollfd p = { .fd = self->fd, .events = POLLIN | POLLOUT };

	EXPECT_EQ(0, poll(&p, 1, 0));
	ASSERT_EQ(0, ro_watch(self->fd, self->id, ENDS, 0));
	EXPECT_EQ(1, poll(&p, 1, 0));
	EXPECT_EQ(POLLIN, p.revents);
	EXPECT_STREQ("snapshot none idle 0", ro_told(self->fd));
	EXPECT_EQ(0, poll(&p, 1, 0));
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
	EXPECT_EQ(1, poll(&p, 1, 0));
	EXPECT_EQ(2, ro_unread(self->fd));
}

TEST_F(events, blocked_poll_is_woken)
{
	struct ro_kid kid;

	ASSERT_EQ(0, ro_watch(self->fd, self->id, ENDS, 0));
	EXPECT_STREQ("snapshot none idle 0", ro_told(self->fd));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		struct pollfd p = { .fd = self->fd, .events = POLLIN };

		ro_kid_say(&kid, 1);
		poll(&p, 1, -1);
		ro_kid_say(&kid, p.revents);
		_exit(0);
	}
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_TRUE(ro_kid_sleeps(&kid));
	EXPECT_EQ(1, ro_acquire(self->look.fd, self->id, 1, 0));
	EXPECT_EQ(POLLIN, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_reap(&kid));
	EXPECT_EQ(1, ro_release(self->look.fd, self->id, 1));
}

TEST_F(events, epoll_level_and_edge)
{
	struct epoll_event level = { .events = EPOLLIN, .data.u32 = 1 };
	struct epoll_event edge = { .events = EPOLLIN | EPOLLET, .data.u32 = 2 };
	int by_level = epoll_create1(EPOLL_CLOEXEC);
	int by_edge = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event got = { };
	int i;

	ASSERT_EQ(0, epoll_ctl(by_level, EPOLL_CTL_ADD, self->fd, &level));
	ASSERT_EQ(0, epoll_ctl(by_edge, EPOLL_CTL_ADD, self->fd, &edge));
	EXPECT_EQ(0, epoll_wait(by_level, &got, 1, 0));
	EXPECT_EQ(0, epoll_wait(by_edge, &got, 1, 0));

	ASSERT_EQ(0, ro_watch(self->fd, self->id, ENDS, 0));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(1, epoll_wait(by_level, &got, 1, 0));
		EXPECT_EQ(1U, got.data.u32);
		EXPECT_EQ(!i, epoll_wait(by_edge, &got, 1, 0));
	}
	/* What comes while something is unread is a new edge. */
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
	EXPECT_EQ(1, epoll_wait(by_edge, &got, 1, 0));
	EXPECT_EQ(0, epoll_wait(by_edge, &got, 1, 0));
	EXPECT_EQ(1, epoll_wait(by_level, &got, 1, 0));
	EXPECT_EQ(3, ro_unread(self->fd));
	ro_told(self->fd);
	EXPECT_EQ(0, epoll_wait(by_level, &got, 1, 0));
	EXPECT_EQ(0, epoll_wait(by_edge, &got, 1, 0));
	close(by_edge);
	close(by_level);
}

/* A fault loses nothing, and no record is told in part, wherever it strikes. */
TEST_F(events, a_fault_loses_nothing)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct refobj_event e[12];
	__u64 seq = 1;
	char *mem;
	int k, i;

	mem = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, mprotect(mem + page, page, PROT_NONE));
	ASSERT_EQ(0, ro_watch(self->fd, self->id, ENDS, 0));
	EXPECT_STREQ("snapshot none idle 0", ro_told(self->fd));

	for (k = 0; k < 12; k++) {
		char *to = mem + page - k * sizeof(e[0]) - k % 3 * 35;

		ASSERT_EQ(1, ro_bounce(self->look.fd, self->id, 6));
		if (k) {
			EXPECT_EQ(k, ro_read_events(self->fd, (void *)to, 12));
			memcpy(e, to, k * sizeof(e[0]));
		} else {
			EXPECT_EQ(-EFAULT,
				  ro_read_events(self->fd, (void *)to, 12));
		}
		EXPECT_EQ(12 - k, ro_unread(self->fd));
		EXPECT_EQ(-EFAULT, ro_read_events(self->fd,
						  (void *)(mem + page), 12));
		EXPECT_EQ(12 - k, ro_read_events(self->fd, e + k, 12));
		for (i = 0; i < 12; i++)
			EXPECT_EQ(++seq, e[i].seq);
	}
	munmap(mem, 2 * page);
}

/*
 * A reader that is stopped while its records are copied, by a page that is not
 * there yet.
 */
struct caught {
	struct ro_kid kid;
	struct ro_trap trap;
	int fd;
	int ret;
};

static void *read_into_trap(void *arg)
{
	struct caught *c = arg;

	c->ret = ro_read_events(c->fd, c->trap.mem, 2);
	return NULL;
}

/* Says 1 when it is caught, hears when to go on, says what it read. */
static bool catch_reader(struct caught *c, int fd)
{
	pthread_t thread;
	int ret;

	if (ro_kid_fork(&c->kid))
		return ro_kid_hear(&c->kid) == 1;
	c->fd = fd;
	ret = ro_trap_open(&c->trap, 1, false);
	if (!ret)
		ret = ro_trap_set(&c->trap);
	if (ret || pthread_create(&thread, NULL, read_into_trap, c)) {
		ro_kid_say(&c->kid, 0);
		_exit(0);
	}
	ro_kid_say(&c->kid, ro_trap_wait(&c->trap) == c->trap.mem);
	ro_kid_await(&c->kid);
	ro_trap_let(&c->trap, c->trap.mem);
	pthread_join(thread, NULL);
	ro_kid_say(&c->kid, c->ret);
	if (c->ret > 0)
		ro_kid_say(&c->kid,
			   ((struct refobj_event *)c->trap.mem)[c->ret - 1].users);
	_exit(0);
}

/* What a reader is copying is not changed any more, by a merge or a loss. */
TEST_F(events, what_is_being_read_is_left_alone)
{
	struct caught c;

	ASSERT_EQ(0, ro_watch(self->fd, self->id, BIT_OF(COUNT), 0));
	EXPECT_EQ(1, ro_acquire(self->look.fd, self->id, 1, 0));
	if (!catch_reader(&c, self->fd)) {
		ro_kid_reap(&c.kid);
		EXPECT_EQ(1, ro_release_all(self->look.fd, self->id));
		SKIP(return, "no userfaultfd");
	}
	EXPECT_EQ(0, ro_acquire(self->look.fd, self->id, 1, 0));
	EXPECT_EQ(0, ro_acquire(self->look.fd, self->id, 1, 0));
	EXPECT_EQ(3, ro_unread(self->fd));
	ro_kid_say(&c.kid, 1);
	EXPECT_EQ(2, ro_kid_hear(&c.kid));
	EXPECT_EQ(1, ro_kid_hear(&c.kid));
	EXPECT_EQ(0, ro_kid_reap(&c.kid));
	EXPECT_STREQ("count acquire ready 3", ro_told(self->fd));
	EXPECT_EQ(1, ro_release_all(self->look.fd, self->id));
}

/* Neither is what a killed reader was copying lost. */
TEST_F(events, a_killed_reader_loses_nothing)
{
	struct caught c;

	ASSERT_EQ(0, ro_watch(self->fd, self->id, ENDS, 0));
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
	if (!catch_reader(&c, self->fd)) {
		ro_kid_reap(&c.kid);
		SKIP(return, "no userfaultfd");
	}
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&c.kid, SIGKILL));
	EXPECT_STREQ("snapshot none idle 0; activated acquire ready 1; "
		     "deactivated release idle 0", ro_told(self->fd));
}

/* Behind a reader that is held up, a second one is restarted as everywhere. */
TEST_F(events, a_read_that_waits_for_another_is_restarted)
{
	struct ro_kid kid;
	struct caught c;

	ASSERT_EQ(0, ro_watch(self->fd, self->id, ENDS, 0));
	if (!catch_reader(&c, self->fd)) {
		ro_kid_reap(&c.kid);
		SKIP(return, "no userfaultfd");
	}
	read_one_handling(&kid, self->fd, SA_RESTART);
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_TRUE(ro_kid_sleeps(&kid));
	kill(kid.pid, SIGUSR1);
	EXPECT_EQ(SIGUSR1, ro_kid_hear(&kid));
	EXPECT_TRUE(ro_kid_sleeps(&kid));
	ro_kid_say(&c.kid, 1);
	EXPECT_EQ(1, ro_kid_hear(&c.kid));
	EXPECT_EQ(0, ro_kid_hear(&c.kid));
	EXPECT_EQ(0, ro_kid_reap(&c.kid));
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
	EXPECT_EQ(REFOBJ_EVENT_ACTIVATED, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_reap(&kid));
}

/* Readers of one session get each record once, each in order. */
TEST_F_TIMEOUT(events, two_readers_get_disjoint_records, PATIENCE)
{
	const int pairs = ro_times(2000), all = 2 * pairs + 1;
	struct { int read; char seen[]; } *shared;
	struct ro_kid kid[2];
	int i, fd;

	shared = ro_shared(sizeof(*shared) + all + 1);
	ASSERT_NE(NULL, shared);
	fd = ro_open_with_room(all, self->id, ENDS);
	ASSERT_LE(0, fd);
	for (i = 0; i < 2; i++) {
		struct refobj_event e[5];
		__u64 last = 0;
		int n, j;

		ASSERT_LE(0, ro_kid_fork(&kid[i]));
		if (kid[i].pid)
			continue;
		while ((n = ro_read_events(fd, e, 1 + last % 5)) > 0) {
			for (j = 0; j < n; j++) {
				if (e[j].seq <= last || e[j].seq > all)
					_exit(1);
				last = e[j].seq;
				__atomic_add_fetch(&shared->seen[last], 1,
						   __ATOMIC_RELAXED);
			}
			__atomic_add_fetch(&shared->read, n, __ATOMIC_RELEASE);
		}
		_exit(n == -EOWNERDEAD ? 0 : 2);
	}
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, pairs));
	while (__atomic_load_n(&shared->read, __ATOMIC_ACQUIRE) < all)
		sched_yield();
	close(fd);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, ro_kid_reap(&kid[i]));
	for (i = 1; i <= all; i++)
		ASSERT_EQ(1, shared->seen[i]);
}

/*
 * What is told
 */
TEST_F(events, every_cause_is_told)
{
	struct ro_kid kid;
	pid_t pid;

	ASSERT_EQ(0, ro_watch(self->fd, self->id, REFOBJ_WATCH_ALL, 7));
	EXPECT_STREQ("snapshot none idle 0", ro_told_by(self->fd, &pid));
	EXPECT_EQ(0, pid);

	EXPECT_EQ(1, ro_holder_start(&kid, self->id, 1));
	EXPECT_STREQ("activated acquire ready 1; ready acquire ready 1; "
		     "count acquire ready 1", ro_told_by(self->fd, &pid));
	EXPECT_EQ(kid.pid, pid);
	/* Without and with the object's lock. */
	EXPECT_EQ(0, ro_holder_do(&kid, RO_HOLDER_ACQUIRE + 1));
	EXPECT_STREQ("count acquire ready 2", ro_told_by(self->fd, &pid));
	EXPECT_EQ(kid.pid, pid);
	EXPECT_EQ(0, ro_holder_do(&kid, RO_HOLDER_ACQUIRE + 1000));
	EXPECT_STREQ("count acquire ready 1002", ro_told_by(self->fd, &pid));
	EXPECT_EQ(kid.pid, pid);
	EXPECT_EQ(0, ro_holder_do(&kid, 1000));
	EXPECT_STREQ("count release ready 2", ro_told_by(self->fd, &pid));
	EXPECT_EQ(kid.pid, pid);
	EXPECT_EQ(0, ro_acquire(self->look.fd, self->id, 3, 0));
	EXPECT_STREQ("count acquire ready 5", ro_told_by(self->fd, &pid));
	EXPECT_EQ(getpid(), pid);
	EXPECT_EQ(0, ro_release_all(self->look.fd, self->id));
	EXPECT_STREQ("count release ready 2", ro_told_by(self->fd, &pid));
	EXPECT_EQ(getpid(), pid);
	EXPECT_EQ(1, ro_holder_do(&kid, 2));
	EXPECT_STREQ("count release idle 0; deactivated release idle 0",
		     ro_told_by(self->fd, &pid));
	EXPECT_EQ(kid.pid, pid);

	EXPECT_EQ(1, ro_holder_do(&kid, RO_HOLDER_ACQUIRE + 2));
	EXPECT_EQ(0, ro_acquire(self->look.fd, self->id, 1, 0));
	EXPECT_STREQ("activated acquire ready 2; ready acquire ready 2; "
		     "count acquire ready 3", ro_told_by(self->fd, &pid));
	EXPECT_EQ(0, ro_holder_do(&kid, RO_HOLDER_CLOSE));
	EXPECT_STREQ("count close ready 1", ro_told_by(self->fd, &pid));
	EXPECT_EQ(kid.pid, pid);
	EXPECT_EQ(0, ro_kid_end(&kid));
	EXPECT_EQ(1, ro_release(self->look.fd, self->id, 1));
	EXPECT_STREQ("count release idle 0; deactivated release idle 0",
		     ro_told_by(self->fd, &pid));
	EXPECT_EQ(getpid(), pid);

	EXPECT_EQ(0, ro_destroy(self->look.fd, self->id));
	self->id = 0;
	EXPECT_STREQ("destroyed destroy dead 0", ro_told_by(self->fd, &pid));
	EXPECT_EQ(getpid(), pid);
}

TEST_F(events, a_death_is_told_before_what_comes_of_it)
{
	struct ro_kid kid;
	pid_t pid;

	ASSERT_EQ(0, ro_watch(self->fd, self->id, REFOBJ_WATCH_ALL, 0));
	EXPECT_EQ(1, ro_acquire(self->look.fd, self->id, 1, 0));
	EXPECT_EQ(0, ro_holder_start(&kid, self->id, 5));
	ro_told(self->fd);
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	EXPECT_STREQ("died signal-9 ready 1 x5; count signal-9 ready 1",
		     ro_told_by(self->fd, &pid));
	EXPECT_EQ(kid.pid, pid);

	EXPECT_EQ(0, ro_holder_start(&kid, self->id, 2));
	EXPECT_EQ(1, !ro_release(self->look.fd, self->id, 1));
	ro_told(self->fd);
	EXPECT_EQ(-SIGTERM, ro_kid_kill(&kid, SIGTERM));
	EXPECT_STREQ("died signal-15 ready 0 x2; count signal-15 idle 0; "
		     "deactivated signal-15 idle 0", ro_told_by(self->fd, &pid));
	EXPECT_EQ(kid.pid, pid);

	/* No status is taken for a signal. */
	EXPECT_EQ(1, ro_holder_start(&kid, self->id, 3));
	ro_told(self->fd);
	ro_kid_say(&kid, RO_HOLDER_EXIT + 9);
	EXPECT_EQ(9, ro_kid_reap(&kid));
	EXPECT_STREQ("died exit ready 0 x3; count exit idle 0; "
		     "deactivated exit idle 0", ro_told_by(self->fd, &pid));
	EXPECT_EQ(kid.pid, pid);
}

/* By an object descriptor, and by an object that needs this one. */
TEST_F(events, holders_that_are_no_sessions_are_told)
{
	struct refobj_export ex = { .size = sizeof(ex), .id = self->id };
	struct refobj_import im = { .size = sizeof(im), .count = 2 };
	struct refobj_link link = { .size = sizeof(link), .dep = self->id };
	__u64 owner = 0;
	pid_t pid;

	EXPECT_EQ(1, ro_acquire(self->look.fd, self->id, 1, 0));
	ASSERT_EQ(0, ro_watch(self->fd, self->id, REFOBJ_WATCH_ALL, 0));
	EXPECT_STREQ("snapshot none ready 1", ro_told(self->fd));
	im.fd = ro_ioctl(self->look.fd, REFOBJ_IOC_EXPORT, &ex);
	ASSERT_LE(0, im.fd);
	EXPECT_STREQ("count acquire ready 2", ro_told_by(self->fd, &pid));
	EXPECT_EQ(getpid(), pid);
	EXPECT_EQ(0, ro_ioctl(self->look.fd, REFOBJ_IOC_IMPORT, &im));
	EXPECT_STREQ("count acquire ready 4", ro_told(self->fd));
	EXPECT_EQ(0, ro_release_all(self->look.fd, self->id));
	EXPECT_STREQ("count release ready 1", ro_told(self->fd));
	close(im.fd);
	EXPECT_STREQ("count close idle 0; deactivated close idle 0",
		     ro_told_by(self->fd, &pid));
	EXPECT_EQ(getpid(), pid);

	ASSERT_EQ(0, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT, 0,
			       &owner));
	link.id = owner;
	EXPECT_EQ(0, ro_ioctl(self->look.fd, REFOBJ_IOC_LINK, &link));
	EXPECT_STREQ("", ro_told(self->fd));
	EXPECT_EQ(1, ro_acquire(self->look.fd, owner, 1, 0));
	EXPECT_STREQ("activated object ready 1; ready object ready 1; "
		     "count object ready 1", ro_told_by(self->fd, &pid));
	EXPECT_EQ(0, pid);
	EXPECT_EQ(1, ro_release(self->look.fd, owner, 1));
	EXPECT_STREQ("count object idle 0; deactivated object idle 0",
		     ro_told_by(self->fd, &pid));
	EXPECT_EQ(0, pid);
	EXPECT_EQ(0, ro_destroy(self->look.fd, owner));
}

/* The number of a process is that in the reader's namespace. */
TEST_F(events, pid_is_of_the_readers_namespace)
{
	struct ro_kid kid;
	struct refobj_event e[4];
	pid_t inner;

	ASSERT_EQ(0, ro_watch(self->fd, self->id, ENDS, 0));
	EXPECT_EQ(1, ro_bounce(self->look.fd, self->id, 1));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		if (unshare(CLONE_NEWPID)) {
			ro_kid_say(&kid, -1);
			_exit(0);
		}
		inner = fork();
		if (!inner) {
			int fd = ro_open();

			prctl(PR_SET_PDEATHSIG, SIGKILL);
			/* The snapshot and what the process outside has done. */
			if (ro_read_events(self->fd, e, 3) != 3)
				_exit(1);
			ro_kid_say(&kid, e[1].pid);
			ro_kid_say(&kid, e[2].pid);
			ro_bounce(fd, self->id, 2);
			if (ro_read_events(self->fd, e, 2) != 2)
				_exit(1);
			ro_kid_say(&kid, e[1].pid);
			_exit(0);
		}
		ro_kid_say(&kid, inner);
		_exit(ro_reap(inner));
	}
	/* Of two processes: in whatever order they speak. */
	inner = 0;
	{
		int64_t word[4];
		int i, zeros = 0, ones = 0;

		for (i = 0; i < 4; i++) {
			word[i] = ro_kid_hear(&kid);
			if (word[i] < 0)
				break;
			zeros += !word[i];
			ones += word[i] == 1;
			if (word[i] > 1)
				inner = word[i];
		}
		if (!i) {
			ro_kid_reap(&kid);
			SKIP(return, "no pid namespaces");
		}
		EXPECT_EQ(2, zeros);
		EXPECT_EQ(1, ones);
	}
	EXPECT_EQ(0, ro_kid_reap(&kid));
	EXPECT_EQ(2, ro_read_events(self->fd, e, 4));
	EXPECT_EQ((__u32)inner, e[0].pid);
	EXPECT_EQ((__u32)inner, e[1].pid);
}

TEST_F(events, mask_filters)
{
	static const struct { unsigned int mask; const char *told; } row[] = {
		{ BIT_OF(ACTIVATED), "activated acquire ready 3" },
		{ BIT_OF(READY), "ready acquire ready 3" },
		{ BIT_OF(COUNT), "count signal-9 idle 0" },
		{ BIT_OF(DEACTIVATED), "deactivated signal-9 idle 0" },
		{ BIT_OF(HOLDER_DIED), "died signal-9 ready 0 x3" },
		{ BIT_OF(BUILDER_CHANGED), "" },
		{ BIT_OF(DESTROYED), "" },
		{ REFOBJ_WATCH_DEFAULT, "activated acquire ready 3; "
		  "ready acquire ready 3; died signal-9 ready 0 x3; "
		  "deactivated signal-9 idle 0" },
	};
	struct ro_kid kid;
	unsigned int i;

	for (i = 0; i < RO_ARRAY_SIZE(row); i++) {
		ASSERT_EQ(0, ro_watch(self->fd, self->id, row[i].mask, 0));
		EXPECT_STREQ("snapshot none idle 0", ro_told(self->fd));
		EXPECT_EQ(1, ro_holder_start(&kid, self->id, 3));
		EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
		EXPECT_STREQ(row[i].told, ro_told(self->fd));
	}
}

TEST_F(events, counts_are_merged_while_unread)
{
	struct refobj_event e[4];
	int i;

	ASSERT_EQ(0, ro_watch(self->fd, self->id, BIT_OF(COUNT), 0));
	for (i = 1; i <= 100; i++)
		EXPECT_EQ(i == 1, ro_acquire(self->look.fd, self->id, 1, 0));
	EXPECT_EQ(2, ro_read_events(self->fd, e, 4));
	EXPECT_EQ(100U, e[1].users);
	EXPECT_EQ(2ULL, e[1].seq);
	/* Of the object nothing is merged: each step has counted. */
	EXPECT_LE(e[0].object_seq + 100, e[1].object_seq);
	/* Read is read: what comes then is another record. */
	for (i = 1; i <= 3; i++) {
		EXPECT_EQ(0, ro_release(self->look.fd, self->id, 1));
		EXPECT_EQ(1, ro_read_events(self->fd, e, 4));
		EXPECT_EQ(100U - i, e[0].users);
		EXPECT_EQ(2ULL + i, e[0].seq);
	}
	/* What is not the last, or of another object, is not merged with. */
	ASSERT_EQ(0, ro_watch(self->fd, self->id,
			      BIT_OF(COUNT) | BIT_OF(DEACTIVATED), 0));
	EXPECT_EQ(0, ro_release(self->look.fd, self->id, 1));
	EXPECT_EQ(1, ro_release_all(self->look.fd, self->id));
	EXPECT_STREQ("snapshot none ready 97; "
		     "count release idle 0; deactivated release idle 0",
		     ro_told(self->fd));
}

TEST_F(events, counts_of_two_objects_are_not_merged)
{
	__u64 other = 0;

	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &other));
	ASSERT_EQ(0, ro_watch(self->fd, self->id, BIT_OF(COUNT), 0));
	ASSERT_EQ(0, ro_watch(self->fd, other, BIT_OF(COUNT), 0));
	ro_told(self->fd);
	EXPECT_EQ(1, ro_acquire(self->look.fd, self->id, 4, 0));
	EXPECT_EQ(0, ro_acquire(self->look.fd, other, 5, 0));
	EXPECT_EQ(0, ro_acquire(self->look.fd, self->id, 1, 0));
	EXPECT_STREQ("count acquire ready 4; count acquire ready 6; "
		     "count acquire ready 5", ro_told(self->fd));
	EXPECT_EQ(2, ro_release_all(self->look.fd, 0));
	EXPECT_STREQ("count release idle 0; count release idle 0; "
		     "destroyed release dead 0",
		     ro_told(self->fd));
}

/* One sequence for the session, without a gap; one for each object, that grows. */
TEST_F(events, sequences)
{
	struct refobj_event e[128];
	__u64 id[3], last[3] = { };
	int i, n;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT,
				       0, &id[i]));
		ASSERT_EQ(0, ro_watch(self->fd, id[i], REFOBJ_WATCH_ALL, i));
	}
	for (i = 0; i < 15; i++)
		EXPECT_EQ(1, ro_bounce(self->look.fd, id[i % 3], 1));
	n = ro_read_events(self->fd, e, 128);
	/* The count of a release is merged with that of the acquire. */
	ASSERT_EQ(3 + 15 * 4, n);
	for (i = 0; i < n; i++) {
		unsigned int j = e[i].cookie;

		EXPECT_EQ(1ULL + i, e[i].seq);
		ASSERT_GT(3U, j);
		EXPECT_EQ(id[j], e[i].id);
		EXPECT_LE(last[j] + (i >= 3), e[i].object_seq);
		last[j] = e[i].object_seq;
	}
	/* What is not told counts in the object's, and not in the session's. */
	ASSERT_EQ(0, ro_watch(self->fd, id[0], BIT_OF(READY), 0));
	EXPECT_EQ(1, ro_bounce(self->look.fd, id[0], 3));
	ASSERT_EQ(4, ro_read_events(self->fd, e, 128));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(n + 1ULL + i, e[i].seq);
		if (i > 1)
			EXPECT_EQ(e[i - 1].object_seq + 3, e[i].object_seq);
	}
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, ro_destroy(self->look.fd, id[i]));
}

TEST_HARNESS_MAIN
