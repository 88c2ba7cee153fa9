// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench: how many instructions everything takes, in a virtual machine whose clock counts
 * them; a line of JSON for each row. "run" boots it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define SAMPLES	5
/* Of what is done so often for one sample there is one: it takes long, and noise less. */
#define MANY	100000

static const struct rows *const tables[] = {
	&limit_rows, &refobj_rows, &memory_rows,
};

static const char *kernel;		/* as the records call it */
static const struct row *row;		/* of this process */
static unsigned long value;		/* of its axis, or 0 */
static bool helping;			/* this is no row's process but a helper */

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Until what others still have to do is done: RCU, the console's interrupts. */
static void settle(void)
{
	tcdrain(STDOUT_FILENO);
	usleep(100000);
}

static void record_start(void)
{
	printf("{\"kernel\": \"%s\", \"row\": \"%s\", \"kind\": \"%s\", ",
	       kernel, row->name, row->kind);
	if (row->axis)
		printf("\"axis\": \"%s\", \"value\": %lu, ", row->axis->name,
		       value);
	else
		printf("\"axis\": null, \"value\": null, ");
}

void skip(const char *format, ...)
{
	va_list args;

	/* the row's process learns of it */
	if (helping)
		_exit(1);
	record_start();
	printf("\"instructions\": null, \"reason\": \"");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\"}\n");
	fflush(stdout);
	_exit(0);
}

void failed(const char *what, long ret)
{
	skip("%s: %s", what, strerror(ret == -1 ? errno : -ret));
}

int helper(void (*start)(void), void (*work)(void))
{
	int ready[2];
	pid_t pid;
	char byte;

	need(pipe2(ready, O_CLOEXEC), "pipe2()");
	pid = need(fork(), "fork()");
	if (pid) {
		close(ready[1]);
		if (read(ready[0], &byte, 1) != 1)
			skip("another process of the row died");
		close(ready[0]);
		return pid;
	}
	helping = true;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (start)
		start();
	if (write(ready[1], "", 1) != 1)
		_exit(1);
	close(ready[0]);
	close(ready[1]);
	for (;;) {
		if (work)
			work();
		else
			pause();
	}
}

static pid_t doomed;

void victim(void (*start)(void))
{
	doomed = helper(start, NULL);
	/* it sleeps by then */
	usleep(10000);
}

void kill_run(unsigned long n)
{
	(void)n;
	kill(doomed, SIGKILL);
	waitpid(doomed, NULL, 0);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void nothing(unsigned long n)
{
	(void)n;
}

static double sample(void (*run)(unsigned long n), unsigned long n)
{
	uint64_t start;

	if (row->arm)
		row->arm(value);
	/* each sample begins with nothing put off, so that all are alike */
	settle();
	start = now();
	run(n);
	return now() - start;
}

static void measure(void)
{
	unsigned long n = row->n ? row->n : value;
	int samples = n >= MANY && !row->n ? 1 : SAMPLES;
	double took[SAMPLES], clock;
	uint64_t start;
	int i;

	for (i = 0; i < SAMPLES; i++) {
		start = now();
		nothing(n);
		took[i] = now() - start;
	}
	qsort(took, SAMPLES, sizeof(took[0]), by_size);
	clock = took[SAMPLES / 2];
	/* the first runs meet cold caches, the allocator's above all */
	if (samples > 1)
		sample(row->run, n);
	for (i = 0; i < samples; i++)
		took[i] = (sample(row->run, n) - clock) / n;
	qsort(took, samples, sizeof(took[0]), by_size);
	record_start();
	printf("\"instructions\": %.1f, \"least\": %.1f, \"most\": %.1f, \"samples\": %d}\n",
	       took[samples / 2], took[0], took[samples - 1], samples);
}

/* Kilobytes that the kernel uses for itself. */
static double kernel_memory(void)
{
	static const char *const names[] = {
		"Slab:", "VmallocUsed:", "Percpu:",
	};
	FILE *file = fopen("/proc/meminfo", "re");
	char name[64];
	double sum = 0, kb;
	size_t i;

	if (!file)
		skip("/proc/meminfo: %s", strerror(errno));
	while (fscanf(file, "%63s %lf%*[^\n]", name, &kb) == 2)
		for (i = 0; i < COUNT(names); i++)
			if (!strcmp(name, names[i]))
				sum += kb;
	fclose(file);
	return sum;
}

static void weigh(void)
{
	double before, after;

	settle();
	before = kernel_memory();
	row->run(value);
	settle();
	after = kernel_memory();
	record_start();
	printf("\"bytes\": %.1f}\n", (after - before) * 1024 / value);
}

static void one(const struct row *which, unsigned long at)
{
	pid_t pid;
	int status;

	row = which;
	value = at;
	fflush(stdout);
	settle();
	pid = fork();
	if (!pid) {
		/* a registry of its own, and semaphores */
		if (!row->axis || !row->axis->grow)
			need(unshare(CLONE_NEWNET | CLONE_NEWIPC), "unshare()");
		if (row->prepare)
			row->prepare(value);
		if (!strcmp(row->kind, "memory"))
			weigh();
		else
			measure();
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		perror("bench: cannot start a row");
		exit(1);
	}
	if (status) {
		fprintf(stderr, "bench: %s (%lu): its process ended with status %#x\n",
			row->name, value, status);
		exit(1);
	}
}

/* The first row is what all are compared with. */
static bool wanted(const struct row *r, const char *only)
{
	if (!only || r == limit_rows.rows)
		return true;
	return strcmp(only, "--watched") ? !!strstr(r->name, only) : r->watched;
}

/* The rows of an axis; those of one value together, as growing takes long. */
static void along(const struct axis *axis, const char *only)
{
	static const unsigned long none[] = { 0 };
	const unsigned long *at = axis ? axis->values : none;
	unsigned long grown = 0;
	size_t i, k;

	do {
		for (i = 0; i < COUNT(tables); i++) {
			for (k = 0; k < tables[i]->count; k++) {
				const struct row *r = &tables[i]->rows[k];

				if (r->axis != axis || !wanted(r, only))
					continue;
				row = r;
				if (axis && axis->grow && grown != *at) {
					if (!grown)
						need(unshare(CLONE_NEWNET),
						     "unshare()");
					grown = *at;
					axis->grow(grown);
				}
				one(r, *at);
			}
		}
	} while (axis && *++at);
}

/* What an axis has made goes with the process that made it. */
static void axis_start(const struct axis *axis, const char *only)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		along(axis, only);
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status) {
		fprintf(stderr, "bench: the rows of %s were not all measured\n",
			axis ? axis->name : "no axis");
		exit(1);
	}
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0) {
		fprintf(stderr, "bench: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	close(fd);
}

/* Two instructions a turn; whatever else the clock counts shows. */
static void check_clock(void)
{
	unsigned long n = 10000000;
	uint64_t start = now(), took;

	asm volatile("1: dec %0; jnz 1b" : "+r"(n));
	took = now() - start;
	if (took < 20000000 || took > 20400000) {
		fprintf(stderr,
			"bench: the clock does not count instructions (20,000,000 took %" PRIu64
			"): boot with --icount, as userspace/bench/run does\n", took);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	static const char *const quotas[] = {
		"max_objects", "max_references", "max_bytes", "max_watches",
	};
	struct rlimit files = { 1000000, 1000000 };
	const struct axis *done[16];
	size_t ndone = 0, i, k, j;
	char path[128];

	if (argc < 2 || !getenv("REFOBJ_VM")) {
		fprintf(stderr, "Usage: bench KERNEL [PART-OF-A-NAME | --watched | --contended]\n"
			"In a virtual machine only: userspace/bench/run boots one.\n");
		return 2;
	}
	kernel = argv[1];
	if (argv[2] && !strcmp(argv[2], "--contended")) {
		contended(kernel);
		return 0;
	}
	check_clock();
	for (i = 0; i < COUNT(quotas); i++) {
		snprintf(path, sizeof(path), "/sys/module/refobj/parameters/%s",
			 quotas[i]);
		write_to(path, "4000000000");
	}
	write_to("/proc/sys/kernel/threads-max", "100000");
	if (setrlimit(RLIMIT_NOFILE, &files)) {
		perror("bench: cannot have a million descriptors");
		return 1;
	}
	axis_start(NULL, argv[2]);
	for (i = 0; i < COUNT(tables); i++) {
		for (k = 0; k < tables[i]->count; k++) {
			const struct axis *axis = tables[i]->rows[k].axis;

			for (j = 0; j < ndone && done[j] != axis; j++)
				;
			if (!axis || j < ndone)
				continue;
			if (ndone == COUNT(done))
				return 1;
			done[ndone++] = axis;
			axis_start(axis, argv[2]);
		}
	}
	return 0;
}
