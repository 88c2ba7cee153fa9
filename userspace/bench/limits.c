// SPDX-License-Identifier: GPL-2.0-only
/*
 * The limits: what no such module can go below. And the peers: what programs count
 * with today.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/refobj.h>

#include "bench.h"

static int fd, fds[2];
static void *memory;		/* shared */

static void getppid_run(unsigned long n)
{
	while (n--)
		syscall(SYS_getppid);
}

static void device(unsigned long value)
{
	(void)value;
	fd = need(open("/dev/refobj", O_RDWR | O_CLOEXEC), "/dev/refobj");
}

/*
 * The cheapest that the device knows: it reads one word of the session, and writes it
 * to the caller's memory. A number that is not the device's takes longer: refusals are
 * counted.
 */
static void ioctl_run(unsigned long n)
{
	int bytes;

	while (n--) {
		ioctl(fd, FIONREAD, &bytes);
		ioctl(fd, FIONREAD, &bytes);
	}
}

static void shared(unsigned long value)
{
	(void)value;
	memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		skip("mmap(): %s", strerror(errno));
}

static void atomic_run(unsigned long n)
{
	while (n--) {
		__atomic_add_fetch((int *)memory, 1, __ATOMIC_RELAXED);
		__atomic_sub_fetch((int *)memory, 1, __ATOMIC_ACQ_REL);
	}
}

static void null_prepare(unsigned long value)
{
	(void)value;
	fd = need(open("/dev/null", O_RDWR | O_CLOEXEC), "/dev/null");
}

static void dup_run(unsigned long n)
{
	while (n--)
		close(dup(fd));
}

static void eventfd_prepare(unsigned long value)
{
	(void)value;
	fd = need(eventfd(0, EFD_SEMAPHORE), "eventfd()");
}

static void eventfd_run(unsigned long n)
{
	uint64_t one = 1;

	while (n--) {
		need(write(fd, &one, sizeof(one)), "write()");
		need(read(fd, &one, sizeof(one)), "read()");
	}
}

static void pipe_prepare(unsigned long value)
{
	(void)value;
	need(pipe2(fds, O_CLOEXEC), "pipe2()");
}

static void pipe_run(unsigned long n)
{
	char token = 0;

	while (n--) {
		need(write(fds[1], &token, 1), "write()");
		need(read(fds[0], &token, 1), "read()");
	}
}

static void sem_prepare(unsigned long value)
{
	shared(value);
	need(sem_init(memory, 1, 0), "sem_init()");
}

static void sem_run(unsigned long n)
{
	while (n--) {
		sem_post(memory);
		sem_wait(memory);
	}
}

static void robust_prepare(unsigned long value)
{
	pthread_mutexattr_t attr;

	shared(value);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	need(-pthread_mutex_init(memory, &attr), "pthread_mutex_init()");
}

static void robust_run(unsigned long n)
{
	int *count = (int *)((char *)memory + 2048);

	while (n--) {
		pthread_mutex_lock(memory);
		++*count;
		pthread_mutex_unlock(memory);
		pthread_mutex_lock(memory);
		--*count;
		pthread_mutex_unlock(memory);
	}
}

static void socket_prepare(unsigned long value)
{
	null_prepare(value);
	need(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds),
	     "socketpair()");
}

static void scm_run(unsigned long n)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
	};
	int got;

	while (n--) {
		struct cmsghdr *c = &control.align;

		msg.msg_controllen = sizeof(control.buf);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
		need(sendmsg(fds[0], &msg, 0), "sendmsg()");
		need(recvmsg(fds[1], &msg, 0), "recvmsg()");
		memcpy(&got, CMSG_DATA(c), sizeof(got));
		close(got);
	}
}

/* Opened anew, as both kinds of lock belong to an open file. */
static int reopen(int file)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return need(open(path, O_RDWR | O_CLOEXEC), path);
}

static struct flock range = {
	.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1,
};

/* The process that measures is one of the holders, or would be. */
static void flock_prepare(unsigned long holders)
{
	fd = need(memfd_create("bench", MFD_CLOEXEC), "memfd_create()");
	while (--holders)
		need(flock(reopen(fd), LOCK_SH), "flock()");
}

static void flock_run(unsigned long n)
{
	while (n--) {
		need(flock(fd, LOCK_SH), "flock()");
		need(flock(fd, LOCK_UN), "flock()");
	}
}

static void ofd_prepare(unsigned long holders)
{
	fd = need(memfd_create("bench", MFD_CLOEXEC), "memfd_create()");
	while (--holders)
		need(fcntl(reopen(fd), F_OFD_SETLK, &range), "fcntl()");
}

static void ofd_run(unsigned long n)
{
	while (n--) {
		range.l_type = F_RDLCK;
		need(fcntl(fd, F_OFD_SETLK, &range), "fcntl()");
		range.l_type = F_UNLCK;
		need(fcntl(fd, F_OFD_SETLK, &range), "fcntl()");
	}
}

static int semaphore;
static struct sembuf step[2] = {
	{ .sem_op = 1, .sem_flg = SEM_UNDO },
	{ .sem_op = -1, .sem_flg = SEM_UNDO },
};

static void semaphore_hold(void)
{
	need(semop(semaphore, &step[0], 1), "semop()");
}

static void semop_prepare(unsigned long holders)
{
	semaphore = need(semget(IPC_PRIVATE, 1, 0600), "semget()");
	while (--holders)
		helper(semaphore_hold, NULL);
}

static void semop_run(unsigned long n)
{
	while (n--) {
		need(semop(semaphore, &step[0], 1), "semop()");
		need(semop(semaphore, &step[1], 1), "semop()");
	}
}

static int there[2], back[2];

static void echo(void)
{
	uint64_t one;

	if (read(there[0], &one, sizeof(one)) < 0 ||
	    write(back[0], &one, sizeof(one)) < 0)
		_exit(1);
}

static void echo_prepare(unsigned long value)
{
	(void)value;
	there[0] = need(eventfd(0, 0), "eventfd()");
	back[0] = need(eventfd(0, 0), "eventfd()");
	helper(NULL, echo);
}

static void echo_run(unsigned long n)
{
	uint64_t one = 1;

	while (n--) {
		need(write(there[0], &one, sizeof(one)), "write()");
		need(read(back[0], &one, sizeof(one)), "read()");
	}
}

static void semaphore_prepare(unsigned long value)
{
	(void)value;
	semop_prepare(1);
}

static void semaphore_victim(unsigned long value)
{
	(void)value;
	victim(semaphore_hold);
}

static void file_prepare(unsigned long value)
{
	(void)value;
	fd = need(memfd_create("bench", MFD_CLOEXEC), "memfd_create()");
}

static void ofd_hold(void)
{
	need(fcntl(reopen(fd), F_OFD_SETLK, &range), "fcntl()");
}

static void ofd_victim(unsigned long value)
{
	(void)value;
	victim(ofd_hold);
}

static void idle_victim(unsigned long value)
{
	(void)value;
	victim(NULL);
}

static const unsigned long few[] = { 1, 10, 100, 1000, 0 };
static const struct axis holders = { "holders of one", few, NULL };

static const struct row rows[] = {
	{ .kind = "limit", .name = "2 ioctls that return at once", .n = 10000,
	  .prepare = device, .run = ioctl_run },
	{ .kind = "limit", .name = "getppid", .n = 10000, .run = getppid_run },
	{ .kind = "limit", .name = "atomic add + subtract in shared memory",
	  .n = 1000000, .prepare = shared, .run = atomic_run },
	{ .kind = "limit", .name = "SIGKILL + reap, holding nothing", .n = 1,
	  .arm = idle_victim, .run = kill_run },

	{ .kind = "peer", .name = "POSIX semaphore post + wait", .n = 100000,
	  .prepare = sem_prepare, .run = sem_run },
	{ .kind = "peer", .name = "robust mutex around a count, up + down",
	  .n = 100000, .prepare = robust_prepare, .run = robust_run },
	{ .kind = "peer", .name = "dup + close", .n = 10000,
	  .prepare = null_prepare, .run = dup_run },
	{ .kind = "peer", .name = "eventfd write + read", .n = 10000,
	  .prepare = eventfd_prepare, .run = eventfd_run },
	{ .kind = "peer", .name = "pipe token write + read", .n = 10000,
	  .prepare = pipe_prepare, .run = pipe_run },
	{ .kind = "peer", .name = "SCM_RIGHTS send + receive + close",
	  .n = 5000, .prepare = socket_prepare, .run = scm_run },
	{ .kind = "peer", .name = "eventfd round trip between processes",
	  .n = 5000, .prepare = echo_prepare, .run = echo_run },
	{ .kind = "peer", .name = "SIGKILL + reap, holding a SEM_UNDO",
	  .n = 1, .prepare = semaphore_prepare, .arm = semaphore_victim,
	  .run = kill_run },
	{ .kind = "peer", .name = "SIGKILL + reap, holding an OFD lock",
	  .n = 1, .prepare = file_prepare, .arm = ofd_victim, .run = kill_run },

	{ .axis = &holders, .kind = "peer", .name = "semop +1, -1 SEM_UNDO",
	  .n = 5000, .prepare = semop_prepare, .run = semop_run },
	{ .axis = &holders, .kind = "peer", .name = "flock shared + unlock",
	  .n = 2000, .prepare = flock_prepare, .run = flock_run },
	{ .axis = &holders, .kind = "peer", .name = "OFD read lock + unlock",
	  .n = 2000, .prepare = ofd_prepare, .run = ofd_run },
};

const struct rows limit_rows = { rows, COUNT(rows) };
