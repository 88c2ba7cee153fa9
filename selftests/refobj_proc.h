/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the multi-process selftests share beyond refobj_test.h: children that
 * are spoken with and reaped, debugfs counters before and after, and workers
 * that start at one moment and race.
 */
#ifndef REFOBJ_PROC_H
#define REFOBJ_PROC_H

#include <linux/userfaultfd.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
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
