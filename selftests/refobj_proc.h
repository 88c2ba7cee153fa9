/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the multi-process selftests share beyond refobj_test.h: children that
 * are spoken with and reaped, debugfs counters before and after, and workers
 * that start at one moment and race.
 */
#ifndef REFOBJ_PROC_H
#define REFOBJ_PROC_H

#include <grp.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "refobj_test.h"

#define RO_ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Why these tests cannot run here, or NULL. */
static inline const char *ro_obstacle(void)
{
	if (geteuid())
		return "not root";
	if (access(REFOBJ_DEV, F_OK))
		return "no " REFOBJ_DEV ": the module is not loaded";
	if (!access(REFOBJ_DEBUGFS "/stats", R_OK))
		return NULL;
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	if (!access(REFOBJ_DEBUGFS "/stats", R_OK))
		return NULL;
	return "no " REFOBJ_DEBUGFS ": a kernel without debugfs";
}

/* All of debugfs' stats at one moment. */
struct ro_counts {
	unsigned int n;
	struct {
		char name[40];
		long long value;
	} row[128];
};

static inline int ro_counts_read(struct ro_counts *c)
{
	FILE *f = fopen(REFOBJ_DEBUGFS "/stats", "re");

	c->n = 0;
	if (!f)
		return -errno;
	while (c->n < RO_ARRAY_SIZE(c->row) &&
	       fscanf(f, "%39s %lld", c->row[c->n].name,
		      &c->row[c->n].value) == 2)
		c->n++;
	fclose(f);
	return c->n ? 0 : -ENODATA;
}

/* A counter; without a line, as a cause that never occurred, it is 0. */
static inline long long ro_counts_of(const struct ro_counts *c,
				     const char *name)
{
	unsigned int i;

	for (i = 0; i < c->n; i++)
		if (!strcmp(c->row[i].name, name))
			return c->row[i].value;
	return 0;
}

/* By how much a counter has grown. */
static inline long long ro_counts_since(const struct ro_counts *before,
					const char *name)
{
	struct ro_counts now;

	if (ro_counts_read(&now))
		return -1;
	return ro_counts_of(&now, name) - ro_counts_of(before, name);
}

/* The sum of what has been dropped, taken over the single causes. */
static inline long long ro_counts_dropped(const struct ro_counts *c)
{
	long long sum = 0;
	unsigned int i;

	for (i = 0; i < c->n; i++)
		if (!strncmp(c->row[i].name, "dropped_", 8))
			sum += c->row[i].value;
	return sum;
}

/* An onlooker's session, and the counters of before it was opened. */
struct ro_look {
	struct ro_counts before;
	int fd;
};

/* Why there is nothing to look at, or NULL. */
static inline const char *ro_look_open(struct ro_look *look)
{
	const char *why = ro_obstacle();

	if (why)
		return why;
	if (ro_counts_read(&look->before))
		return REFOBJ_DEBUGFS "/stats cannot be read";
	look->fd = ro_open();
	return look->fd < 0 ? "cannot open " REFOBJ_DEV : NULL;
}

static inline long long ro_look_since(const struct ro_look *look,
				      const char *name)
{
	return ro_counts_since(&look->before, name);
}

/*
 * The references that were dropped for this cause; -1 if others were dropped
 * too, or if the causes do not add up.
 */
static inline long long ro_look_dropped(const struct ro_look *look,
					const char *cause)
{
	long long all, ours, total;
	struct ro_counts now;

	if (ro_counts_read(&now))
		return -1;
	all = ro_counts_dropped(&now) - ro_counts_dropped(&look->before);
	ours = ro_counts_of(&now, cause) - ro_counts_of(&look->before, cause);
	total = ro_counts_of(&now, "references_dropped") -
		ro_counts_of(&look->before, "references_dropped");
	return ours == all && all == total ? ours : -1;
}

/* What ro_look_close() returns if a test has left nothing behind. */
#define RO_NOTHING	"0 objects, 0 references, 0 sessions"

static inline const char *ro_look_close(struct ro_look *look)
{
	static char left[96];
	struct ro_counts now;

	close(look->fd);
	if (ro_counts_read(&now))
		return "nothing to be seen";
	snprintf(left, sizeof(left),
		 "%lld objects, %lld references, %lld sessions",
		 ro_counts_of(&now, "objects") -
		 ro_counts_of(&look->before, "objects"),
		 ro_counts_of(&now, "references") -
		 ro_counts_of(&look->before, "references"),
		 ro_counts_of(&now, "sessions") -
		 ro_counts_of(&look->before, "sessions"));
	return left;
}

/* Reaps a child: its exit status, or minus the signal that killed it. */
static inline int ro_reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		if (errno != EINTR)
			return -1000;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* A child process, and how to speak with it. */
struct ro_kid {
	pid_t pid;
	struct ro_pipe pipe;
};

/*
 * fork(): 0 in the child, which must _exit() and dies with the test. Where its
 * parent hangs up, a hearing child gets -1.
 */
static inline pid_t ro_kid_fork(struct ro_kid *kid)
{
	if (ro_pipe_open(&kid->pipe))
		return -1;
	kid->pid = fork();
	if (kid->pid) {
		ro_pipe_parent(&kid->pipe);
	} else {
		ro_pipe_child(&kid->pipe);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	}
	return kid->pid;
}

static inline void ro_kid_say(struct ro_kid *kid, int64_t word)
{
	if (kid->pid)
		ro_parent_say(&kid->pipe, word);
	else
		ro_child_say(&kid->pipe, word);
}

static inline int64_t ro_kid_hear(struct ro_kid *kid)
{
	return kid->pid ? ro_parent_hear(&kid->pipe) :
			  ro_child_hear(&kid->pipe);
}

static inline int ro_kid_reap(struct ro_kid *kid)
{
	int status = ro_reap(kid->pid);

	ro_pipe_close(&kid->pipe);
	return status;
}

/*
 * Ends a child that waits for a word. It is told, not only hung up on: other
 * children may have inherited this end of the pipe.
 */
static inline int ro_kid_end(struct ro_kid *kid)
{
	int status;

	ro_parent_say(&kid->pipe, -1);
	close(kid->pipe.down[1]);
	status = ro_reap(kid->pid);
	close(kid->pipe.up[0]);
	return status;
}

static inline int ro_kid_kill(struct ro_kid *kid, int sig)
{
	kill(kid->pid, sig);
	return ro_kid_reap(kid);
}

/* In a child: goes on when the parent says so, ends when it hangs up. */
static inline void ro_kid_await(struct ro_kid *kid)
{
	if (ro_kid_hear(kid) < 0)
		_exit(0);
}

/*
 * In a child: becomes cat(1), which answers whatever the parent says once it
 * runs and returns from main() when the parent hangs up.
 */
static inline void ro_kid_become_cat(struct ro_kid *kid)
{
	dup2(kid->pipe.down[0], STDIN_FILENO);
	dup2(kid->pipe.up[1], STDOUT_FILENO);
	execlp("cat", "cat", (char *)NULL);
	_exit(98);
}

/* Says a word and hears it back from cat(1); false if it does not run. */
static inline bool ro_kid_is_cat(struct ro_kid *kid)
{
	ro_kid_say(kid, 0x7265666f626a0a0aLL);
	return ro_kid_hear(kid) == 0x7265666f626a0a0aLL;
}

/*
 * A child that holds an object, and does what it is told: a number of references
 * to release, or one of these. It says what that returned, and exits when its
 * parent hangs up.
 */
#define RO_HOLDER_ACQUIRE	(1LL << 32)	/* plus how many */
#define RO_HOLDER_CLOSE		(1LL << 33)
#define RO_HOLDER_EXIT		(1LL << 34)	/* plus the status; says nothing */

/* What its first acquire returned. */
static inline int ro_holder_start(struct ro_kid *kid, __u64 id, unsigned int n)
{
	int64_t word;
	int fd;

	if (ro_kid_fork(kid))
		return ro_kid_hear(kid);
	fd = ro_open();
	word = ro_acquire(fd, id, n, 0);
	for (;;) {
		ro_kid_say(kid, word);
		word = ro_kid_hear(kid);
		if (word < 0)
			_exit(0);
		if (word & RO_HOLDER_EXIT)
			_exit(word & 0xff);
		if (word & RO_HOLDER_CLOSE)
			word = close(fd);
		else if (word & RO_HOLDER_ACQUIRE)
			word = ro_acquire(fd, id, (__u32)word, 0);
		else
			word = ro_release(fd, id, word);
	}
}

static inline int ro_holder_do(struct ro_kid *kid, int64_t word)
{
	ro_kid_say(kid, word);
	return ro_kid_hear(kid);
}

/* A descriptor on its way through a socket. */
static inline int ro_send_fd(int sock, int fd)
{
	char data = 0, control[CMSG_SPACE(sizeof(int))] = { };
	struct iovec iov = { .iov_base = &data, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

static inline int ro_receive_fd(int sock)
{
	char data, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = &data, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -EIO;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return -EBADMSG;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* fork(), but for the table of descriptors, which stays one. */
static inline pid_t ro_fork_sharing_files(void)
{
	/* struct clone_args: flags, ..., exit_signal, stack, ... */
	const __u64 args[8] = { CLONE_FILES, 0, 0, 0, SIGCHLD };

	return syscall(SYS_clone3, args, sizeof(args));
}

static inline const char *ro_own_comm(void)
{
	static char comm[16];

	prctl(PR_GET_NAME, comm);
	return comm;
}

static inline uint64_t ro_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* A moment by which what is waited for must have come: seconds from now. */
static inline uint64_t ro_deadline(unsigned int seconds)
{
	return ro_now_ns() + seconds * ro_slow() * 1000000000ULL;
}

/*
 * Waits until a process, or a thread, sleeps interruptibly: who has said that it
 * is about to make a call that blocks is in it then. False if it does not.
 */
static inline bool ro_await_sleep(pid_t pid)
{
	uint64_t end = ro_deadline(20);
	char path[40], text[256], *at;
	int fd, len;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	do {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
		close(fd);
		if (len <= 0)
			return false;
		text[len] = 0;
		/* The state is behind the name, in which there may be anything. */
		at = strrchr(text, ')');
		if (!at || at[2] == 'Z' || at[2] == 'X')
			return false;
		if (at[2] == 'S')
			return true;
		sched_yield();
	} while (ro_now_ns() < end);
	return false;
}

/* Does a child still sleep in the call of which it has not said what it returned? */
static inline bool ro_kid_sleeps(struct ro_kid *kid)
{
	struct pollfd p = { .fd = kid->pipe.up[0], .events = POLLIN };

	return ro_await_sleep(kid->pid) && !poll(&p, 1, 0);
}

/* A record in words: type, cause, state and users afterwards, and the count. */
static inline int ro_event_text(char *to, size_t size,
				const struct refobj_event *e)
{
	static const char * const types[] = {
		"snapshot", "activated", "ready", "count", "deactivated",
		"died", "builder", "destroyed", "lost",
	};
	static const char * const causes[] = {
		"none", "acquire", "release", "close", "exit", "object",
		"linger", "destroy", "publish", "namespace",
	};
	static const char * const states[] = {
		"-", "idle", "ready", "dead", "building", "lingering",
	};
	char cause[24] = "?", count[16] = "";

	if (e->cause > REFOBJ_CAUSE_SIGNAL)
		snprintf(cause, sizeof(cause), "signal-%u",
			 e->cause - REFOBJ_CAUSE_SIGNAL);
	else if (e->cause < RO_ARRAY_SIZE(causes))
		snprintf(cause, sizeof(cause), "%s", causes[e->cause]);
	if (e->count)
		snprintf(count, sizeof(count), " x%u", e->count);
	return snprintf(to, size, "%s %s %s %u%s",
			e->type < RO_ARRAY_SIZE(types) ? types[e->type] : "?",
			cause,
			e->state < RO_ARRAY_SIZE(states) ? states[e->state] :
							   "?",
			e->users, count);
}

/*
 * All that a session has been told and has not read, in words. Whoever has
 * caused it is through with his call, or has been reaped, so it is there. @pid is
 * set to the process that is named in all of it, or to -1.
 */
static inline const char *ro_told_by(int fd, pid_t *pid)
{
	static char text[4096];
	struct refobj_event e;
	size_t at = 0;
	int ret;

	text[0] = 0;
	*pid = -1;
	while (ro_unread(fd) > 0 && at < sizeof(text) - 100) {
		ret = ro_read_events(fd, &e, 1);
		if (ret != 1 || e.size != sizeof(e))
			return "a bad record";
		if (!at || *pid != (pid_t)e.pid)
			*pid = at ? -1 : (pid_t)e.pid;
		if (at)
			at += sprintf(text + at, "; ");
		at += ro_event_text(text + at, sizeof(text) - at, &e);
	}
	return text;
}

static inline const char *ro_told(int fd)
{
	pid_t any;

	return ro_told_by(fd, &any);
}

/* A module parameter: 0, or -errno. */
static inline int ro_set_parameter(const char *name, unsigned long value)
{
	char path[96], text[24];
	int fd, len, ret;

	snprintf(path, sizeof(path), "/sys/module/refobj/parameters/%s", name);
	len = snprintf(text, sizeof(text), "%lu", value);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, text, len) == len ? 0 : -errno;
	close(fd);
	return ret;
}

static inline unsigned long ro_get_parameter(const char *name)
{
	unsigned long value = 0;
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/refobj/parameters/%s", name);
	f = fopen(path, "re");
	if (f) {
		if (fscanf(f, "%lu", &value) != 1)
			value = 0;
		fclose(f);
	}
	return value;
}

static inline __u64 ro_watches_used(int fd)
{
	struct refobj_info info = { .size = sizeof(info) };

	return ro_ioctl(fd, REFOBJ_IOC_INFO, &info) ? ~0ULL : info.watches_used;
}

/* How many times it is to be tried where a sanitizer slows all down. */
static inline int ro_times(int n)
{
	return (n + ro_slow() - 1) / ro_slow();
}

/* A session with room for so many events, which watches an object. */
static inline int ro_open_with_room(unsigned int room, __u64 id, unsigned int mask)
{
	unsigned long was = ro_get_parameter("max_events");
	int fd = ro_open(), ret;

	ret = ro_set_parameter("max_events", room);
	if (!ret)
		ret = ro_watch(fd, id, mask, 0);
	ro_set_parameter("max_events", was);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

/* Two events each, with the mask ENDS. */
static inline int ro_bounce(int fd, __u64 id, int n)
{
	int ret = 0;

	while (n-- && ret >= 0) {
		ret = ro_acquire(fd, id, 1, 0);
		if (ret >= 0)
			ret = ro_release(fd, id, 1);
	}
	return ret;
}

/*
 * A session opened as an ordinary user, for the use of this process, which stays
 * root. Group 0 is what opens the device node.
 */
static inline int ro_open_as(uid_t uid)
{
	const gid_t node = 0;
	int fd;

	if (setgroups(1, &node) || setresuid(uid, uid, 0))
		return -errno;
	fd = ro_open();
	if (setresuid(0, 0, 0) || setgroups(0, NULL))
		abort();
	return fd;
}

/* Memory that forked children share; zeroed. */
static inline void *ro_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/*
 * Memory that stops whoever touches it, or writes to it, the kernel included,
 * until it is let pass: so an ioctl is held still in the middle of its work.
 */
struct ro_trap {
	int fd;		/* userfaultfd: readable when somebody is caught */
	void *mem;
	size_t size;
	bool writes;	/* reading goes through */
};

/* @size in pages; 0, or -errno: the kernel has no such traps. */
static inline int ro_trap_open(struct ro_trap *t, size_t pages, bool writes)
{
	t->size = pages * sysconf(_SC_PAGESIZE);
	t->writes = writes;
	t->mem = mmap(NULL, t->size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t->fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	return t->mem == MAP_FAILED || t->fd < 0 ? -errno : 0;
}

/* Sets the trap. What is to be read from it has been put in before. */
static inline int ro_trap_set(struct ro_trap *t)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = t->writes ? UFFD_FEATURE_PAGEFAULT_FLAG_WP : 0,
	};
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)t->mem, .len = t->size },
		.mode = t->writes ? UFFDIO_REGISTER_MODE_WP :
				    UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_writeprotect wp = {
		.range = reg.range, .mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	if (ioctl(t->fd, UFFDIO_API, &api) ||
	    ioctl(t->fd, UFFDIO_REGISTER, &reg) ||
	    (t->writes && ioctl(t->fd, UFFDIO_WRITEPROTECT, &wp)))
		return -errno;
	return 0;
}

/* Waits until somebody is caught: the address of the page, or NULL. */
static inline void *ro_trap_wait(struct ro_trap *t)
{
	uintptr_t mask = ~(uintptr_t)(sysconf(_SC_PAGESIZE) - 1);
	struct pollfd p = { .fd = t->fd, .events = POLLIN };
	struct uffd_msg msg;

	if (poll(&p, 1, -1) != 1 ||
	    read(t->fd, &msg, sizeof(msg)) != sizeof(msg) ||
	    msg.event != UFFD_EVENT_PAGEFAULT)
		return NULL;
	return (void *)((uintptr_t)msg.arg.pagefault.address & mask);
}

/* Lets whoever is caught at this page pass. */
static inline int ro_trap_let(struct ro_trap *t, void *page)
{
	struct uffdio_range range = {
		.start = (uintptr_t)page, .len = sysconf(_SC_PAGESIZE),
	};
	struct uffdio_writeprotect wp = { .range = range };
	struct uffdio_zeropage zero = { .range = range };

	if (t->writes ? ioctl(t->fd, UFFDIO_WRITEPROTECT, &wp) :
			ioctl(t->fd, UFFDIO_ZEROPAGE, &zero))
		return -errno;
	return 0;
}

/* The same where reading was caught, and this is what is to be read there. */
static inline int ro_trap_fill(struct ro_trap *t, void *page, const void *from)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)page, .src = (uintptr_t)from,
		.len = sysconf(_SC_PAGESIZE),
	};

	return ioctl(t->fd, UFFDIO_COPY, &copy) ? -errno : 0;
}

#endif /* REFOBJ_PROC_H */
