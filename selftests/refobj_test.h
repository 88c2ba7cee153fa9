/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every refobj selftest shares: the ioctls as calls that return what the
 * kernel said (a value, or -errno), and processes that are ordered by messages.
 * They use the uapi header alone, so that the kernel is tested, not the library.
 */
#ifndef REFOBJ_TEST_H
#define REFOBJ_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/refobj.h>

#define REFOBJ_DEV	"/dev/refobj"
#define REFOBJ_DEBUGFS	"/sys/kernel/debug/refobj"

/*
 * How much longer than usual everything takes, as vm/run says of kernels that look
 * for mistakes: for deadlines, which only end what hangs, and for how often what
 * is left to chance is tried.
 */
static inline unsigned int ro_slow(void)
{
	const char *slow = getenv("REFOBJ_SLOW");
	int times = slow ? atoi(slow) : 1;

	return times > 0 ? times : 1;
}

/*
 * The harness, included after this, ends a test that hangs by alarm(). Nothing else
 * is to be ended by it: machines were seen that need four times as long as others.
 */
static inline unsigned int ro_alarm(unsigned int seconds)
{
	return alarm(4 * seconds * ro_slow());
}

#define alarm ro_alarm

/* An ioctl as the kernel sees it: the result, or -errno. */
static inline int ro_ioctl(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

static inline int ro_open(void)
{
	int fd = open(REFOBJ_DEV, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static inline int ro_adopt(int fd, unsigned int flags)
{
	struct refobj_adopt a = { .size = sizeof(a), .flags = flags };

	return ro_ioctl(fd, REFOBJ_IOC_ADOPT, &a);
}

/* A session that lives as long as its file, whoever has that. */
static inline int ro_open_unbound(void)
{
	int fd = ro_open();
	int ret = fd < 0 ? fd : ro_adopt(fd, REFOBJ_ADOPT_NOBODY);

	if (!ret)
		return fd;
	if (fd >= 0)
		close(fd);
	return ret;
}

static inline int ro_create(int fd, const char *name, unsigned int flags,
			    unsigned int initial, __u64 *id)
{
	struct refobj_create c = {
		.size = sizeof(c), .flags = flags, .initial = initial,
	};
	int ret;

	if (name)
		strncpy(c.name, name, sizeof(c.name) - 1);
	ret = ro_ioctl(fd, REFOBJ_IOC_CREATE, &c);
	if (id)
		*id = c.id;
	return ret;
}

static inline int ro_attach(int fd, const char *name, unsigned int flags,
			    unsigned int count, __u64 *id, unsigned int *created)
{
	struct refobj_attach a = {
		.size = sizeof(a), .flags = flags, .count = count,
	};
	int ret;

	strncpy(a.name, name, sizeof(a.name) - 1);
	ret = ro_ioctl(fd, REFOBJ_IOC_ATTACH, &a);
	if (id)
		*id = a.id;
	if (created)
		*created = a.created;
	return ret;
}

static inline int ro_lookup(int fd, const char *name, __u64 *id)
{
	struct refobj_lookup l = { .size = sizeof(l) };
	int ret;

	strncpy(l.name, name, sizeof(l.name) - 1);
	ret = ro_ioctl(fd, REFOBJ_IOC_LOOKUP, &l);
	if (id)
		*id = l.id;
	return ret;
}

static inline int ro_acquire(int fd, __u64 id, unsigned int count,
			     unsigned int flags)
{
	struct refobj_acquire a = {
		.size = sizeof(a), .flags = flags, .id = id, .count = count,
	};

	return ro_ioctl(fd, REFOBJ_IOC_ACQUIRE, &a);
}

static inline int ro_release(int fd, __u64 id, unsigned int count)
{
	struct refobj_release r = {
		.size = sizeof(r), .id = id, .count = count,
	};

	return ro_ioctl(fd, REFOBJ_IOC_RELEASE, &r);
}

static inline int ro_release_all(int fd, __u64 id)
{
	struct refobj_release_all r = { .size = sizeof(r), .id = id };

	return ro_ioctl(fd, REFOBJ_IOC_RELEASE_ALL, &r);
}

static inline int ro_stat(int fd, __u64 id, struct refobj_stat *st)
{
	memset(st, 0, sizeof(*st));
	st->size = sizeof(*st);
	st->id = id;
	return ro_ioctl(fd, REFOBJ_IOC_STAT, st);
}

/* The users of an object, or -errno. */
static inline int ro_users(int fd, __u64 id)
{
	struct refobj_stat st;
	int ret = ro_stat(fd, id, &st);

	return ret < 0 ? ret : (int)st.users;
}

/* Up to @n holders; the number written, or -errno. */
static inline int ro_holders(int fd, __u64 id, struct refobj_holder *rec,
			     unsigned int n, unsigned int *total)
{
	struct refobj_holders h = {
		.size = sizeof(h), .id = id, .records = (uintptr_t)rec,
		.capacity = n, .record_size = sizeof(*rec),
	};
	int ret = ro_ioctl(fd, REFOBJ_IOC_HOLDERS, &h);

	if (total)
		*total = h.total;
	return ret < 0 ? ret : (int)h.count;
}

static inline int ro_destroy(int fd, __u64 id)
{
	struct refobj_destroy d = { .size = sizeof(d), .id = id };

	return ro_ioctl(fd, REFOBJ_IOC_DESTROY, &d);
}

static inline int ro_set_why(int fd, __u64 id, const char *why)
{
	struct refobj_set_why w = { .size = sizeof(w), .id = id };

	strncpy(w.why, why, sizeof(w.why) - 1);
	return ro_ioctl(fd, REFOBJ_IOC_SET_WHY, &w);
}

/*
 * Events, waits, builders
 */

#define RO_FOREVER	(~0ULL)		/* as the time of a WAIT */

static inline int ro_watch(int fd, __u64 id, unsigned int mask, __u64 cookie)
{
	struct refobj_watch w = {
		.size = sizeof(w), .id = id, .mask = mask, .cookie = cookie,
	};

	return ro_ioctl(fd, REFOBJ_IOC_WATCH, &w);
}

/* Whole records, up to @n of them; how many were read, or -errno. */
static inline int ro_read_events(int fd, struct refobj_event *events,
				 unsigned int n)
{
	ssize_t len = read(fd, events, n * sizeof(*events));

	return len < 0 ? -errno : (int)(len / sizeof(*events));
}

/* How many records there are to read, or -errno. */
static inline int ro_unread(int fd)
{
	int bytes = -1;
	int ret = ro_ioctl(fd, FIONREAD, &bytes);

	return ret < 0 ? ret : bytes / (int)sizeof(struct refobj_event);
}

static inline int ro_wait_for(int fd, const struct refobj_condition *conditions,
			      unsigned int n, unsigned int flags,
			      __u64 timeout_ns)
{
	struct refobj_wait w = {
		.size = sizeof(w), .flags = flags,
		.conditions = (uintptr_t)conditions, .count = n,
		.condition_size = sizeof(*conditions),
		.timeout_ns = timeout_ns,
	};

	return ro_ioctl(fd, REFOBJ_IOC_WAIT, &w);
}

static inline int ro_wait(int fd, __u64 id, unsigned int until,
			  unsigned int users, __u64 timeout_ns)
{
	const struct refobj_condition c = {
		.id = id, .until = until, .users = users,
	};

	return ro_wait_for(fd, &c, 1, 0, timeout_ns);
}

/* Until the object is ready, or this session is to build it. */
static inline int ro_wait_build(int fd, __u64 id, __u64 timeout_ns)
{
	const struct refobj_condition c = {
		.id = id, .until = REFOBJ_UNTIL_READY,
		.flags = REFOBJ_COND_BUILD,
	};

	return ro_wait_for(fd, &c, 1, 0, timeout_ns);
}

static inline int ro_publish(int fd, __u64 id)
{
	struct refobj_payload p = { .size = sizeof(p), .id = id };

	return ro_ioctl(fd, REFOBJ_IOC_PUBLISH, &p);
}

static inline int ro_create_linger(int fd, const char *name, unsigned int flags,
				   unsigned int initial, unsigned int ms,
				   __u64 *id)
{
	struct refobj_create c = {
		.size = sizeof(c), .flags = flags, .initial = initial,
		.linger_ms = ms,
	};
	int ret;

	if (name)
		strncpy(c.name, name, sizeof(c.name) - 1);
	ret = ro_ioctl(fd, REFOBJ_IOC_CREATE, &c);
	if (id)
		*id = c.id;
	return ret;
}

/*
 * Two ends of a conversation, one 64-bit word a message: what orders the steps
 * of two processes. Both ends exist in both processes; an end of file (the
 * other side has died) reads as -1.
 */
struct ro_pipe {
	int up[2];	/* child to parent */
	int down[2];	/* parent to child */
};

static inline int ro_pipe_open(struct ro_pipe *p)
{
	if (pipe2(p->up, O_CLOEXEC) || pipe2(p->down, O_CLOEXEC))
		return -errno;
	return 0;
}

/* In the child after fork(), and in the parent: keep one's own ends only. */
static inline void ro_pipe_child(struct ro_pipe *p)
{
	close(p->up[0]);
	close(p->down[1]);
}

static inline void ro_pipe_parent(struct ro_pipe *p)
{
	close(p->up[1]);
	close(p->down[0]);
}

static inline void ro_pipe_close(struct ro_pipe *p)
{
	close(p->up[0]);
	close(p->down[1]);
}

static inline void ro_say_fd(int fd, int64_t word)
{
	if (write(fd, &word, sizeof(word)) != sizeof(word))
		_exit(99);
}

static inline int64_t ro_hear_fd(int fd)
{
	int64_t word;

	return read(fd, &word, sizeof(word)) == sizeof(word) ? word : -1;
}

static inline void ro_child_say(struct ro_pipe *p, int64_t word)
{
	ro_say_fd(p->up[1], word);
}

static inline int64_t ro_child_hear(struct ro_pipe *p)
{
	return ro_hear_fd(p->down[0]);
}

static inline void ro_parent_say(struct ro_pipe *p, int64_t word)
{
	ro_say_fd(p->down[1], word);
}

static inline int64_t ro_parent_hear(struct ro_pipe *p)
{
	return ro_hear_fd(p->up[0]);
}

/* The value behind a name in debugfs' stats, or -1: not there, or not root. */
static inline long long ro_debugfs_stat(const char *name)
{
	long long value = -1, v;
	char key[64];
	FILE *f = fopen(REFOBJ_DEBUGFS "/stats", "re");

	if (!f)
		return -1;
	while (fscanf(f, "%63s %lld", key, &v) == 2)
		if (!strcmp(key, name))
			value = v;
	fclose(f);
	return value;
}

#endif /* REFOBJ_TEST_H */
