// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several at a time, on two processors, whose clock cannot count instructions: so this is
 * time, which other work on the machine disturbs, and told as a ratio only.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/refobj.h>

#include "bench.h"

#define PAIRS	30000
#define SAMPLES	5

static const unsigned int crowds[] = { 1, 2, 4, 8 };

static pthread_barrier_t *gate;		/* shared with children */
static int session;
static uint64_t object;

static int session_open(void)
{
	return need(open("/dev/refobj", O_RDWR | O_CLOEXEC), "/dev/refobj");
}

static void hold(int fd)
{
	struct refobj_acquire args = { .size = sizeof(args), .id = object, .count = 1 };

	need(ioctl(fd, REFOBJ_IOC_ACQUIRE, &args), "ACQUIRE");
}

static void pairs(int fd)
{
	struct refobj_acquire acquire = {
		.size = sizeof(acquire), .id = object, .count = 1,
	};
	struct refobj_release release = {
		.size = sizeof(release), .id = object, .count = 1,
	};
	unsigned int i;

	pthread_barrier_wait(gate);
	for (i = 0; i < PAIRS; i++) {
		need(ioctl(fd, REFOBJ_IOC_ACQUIRE, &acquire), "ACQUIRE");
		need(ioctl(fd, REFOBJ_IOC_RELEASE, &release), "RELEASE");
	}
	pthread_barrier_wait(gate);
}

static void *thread(void *arg)
{
	(void)arg;
	pairs(session);
	return NULL;
}

static void process(void)
{
	int fd;

	if (fork())
		return;
	/* Its own session, as its parent's is not good here. */
	fd = session_open();
	hold(fd);
	pairs(fd);
	_exit(0);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* How long it takes @n of them to do their pairs. */
static double once(unsigned int n, bool threads)
{
	pthread_barrierattr_t attr;
	pthread_t ids[8];
	unsigned int i;
	double start;

	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(gate, &attr, n + 1);
	for (i = 0; i < n; i++) {
		if (!threads)
			process();
		else if (pthread_create(&ids[i], NULL, thread, NULL))
			failed("pthread_create()", -1);
	}
	pthread_barrier_wait(gate);
	start = now();
	pthread_barrier_wait(gate);
	start = now() - start;
	for (i = 0; i < n; i++) {
		if (threads)
			pthread_join(ids[i], NULL);
		else
			wait(NULL);
	}
	return start;
}

void contended(const char *kernel)
{
	struct refobj_create create = { .size = sizeof(create), .initial = 1 };
	double best[2][COUNT(crowds)], took;
	unsigned int way, i, k;

	gate = mmap(NULL, sizeof(*gate), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (gate == MAP_FAILED)
		failed("mmap()", -1);
	session = session_open();
	/* Others may hold it, by whatever uid they run. */
	create.mode = 0666;
	need(ioctl(session, REFOBJ_IOC_CREATE, &create), "CREATE");
	object = create.id;
	for (way = 0; way < 2; way++) {
		for (i = 0; i < COUNT(crowds); i++) {
			for (k = 0; k < SAMPLES; k++) {
				took = once(crowds[i], way == 0);
				if (!k || took < best[way][i])
					best[way][i] = took;
			}
			printf("{\"kernel\": \"%s\", \"row\": \"%s\", \"kind\": \"noisy\", ",
			       kernel, "pair, time of each, to that of one alone");
			printf("\"axis\": \"%s\", \"value\": %u, \"ratio\": %.2f}\n",
			       way ? "processes on an object" : "threads in a session",
			       crowds[i], best[way][i] / best[way][0]);
			fflush(stdout);
		}
	}
}
