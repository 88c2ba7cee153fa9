// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine with a million objects and ten thousand sessions, which work for a quarter of
 * the time; then "refctl stress" does. Memory returns to where it was, and the counters add
 * up; of a stall the kernel's log would tell.
 * On demand: "make soak". KTAP.
 */
#define _GNU_SOURCE
#include <sys/resource.h>

#include "refobj_proc.h"
#include "../kselftest.h"

#define OBJECTS		1000000
#define SESSIONS	10000
#define HELD		20		/* objects of a session */
#define TESTS		6

static __u64 *id;
static int *session;
static double longest_ms;		/* of a call */

static void need(long ret, const char *what)
{
	if (ret < 0)
		ksft_exit_fail_msg("%s: %s\n", what, strerror(-ret));
}

/* Kilobytes that the kernel uses for itself, when what is being freed has been. */
static long kernel_memory(void)
{
	long now = 0, before, value;
	int same = 0;
	char name[64];
	FILE *f;

	while (same < 3) {
		before = now;
		now = 0;
		f = fopen("/proc/sys/vm/drop_caches", "we");
		if (f) {
			fputs("3\n", f);
			fclose(f);
		}
		sleep(1);
		f = fopen("/proc/meminfo", "re");
		if (!f)
			ksft_exit_fail_msg("/proc/meminfo: %s\n", strerror(errno));
		while (fscanf(f, "%63s %ld%*[^\n]", name, &value) == 2)
			if (!strcmp(name, "Slab:") || !strcmp(name, "VmallocUsed:"))
				now += value;
		fclose(f);
		same = labs(now - before) < 512 ? same + 1 : 0;
	}
	return now;
}

static unsigned int chance(unsigned int below)
{
	static __u64 state = 1;

	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned int)(state >> 33) % below;
}

static void open_session(unsigned int i)
{
	unsigned int k;

	session[i] = ro_open();
	need(session[i], REFOBJ_DEV);
	for (k = 0; k < HELD; k++)
		need(ro_acquire(session[i], id[chance(OBJECTS)], 1 + chance(3), 0), "ACQUIRE");
}

/* One call after the other, in any of the sessions. */
static void work(unsigned int seconds)
{
	uint64_t end = ro_now_ns() + seconds * 1000000000ULL, told = ro_now_ns(), start, took;
	unsigned long calls = 0;
	unsigned int i;

	while (ro_now_ns() < end) {
		i = chance(SESSIONS);
		start = ro_now_ns();
		switch (chance(8)) {
		case 0:
			close(session[i]);
			open_session(i);
			break;
		case 1:
			need(ro_release_all(session[i], 0), "RELEASE_ALL");
			break;
		case 2:
			need(ro_watch(session[i], id[chance(OBJECTS)],
				      REFOBJ_WATCH_DEFAULT, 0), "WATCH");
			break;
		default:
			need(ro_acquire(session[i], id[chance(OBJECTS)], 1, 0), "ACQUIRE");
		}
		took = ro_now_ns() - start;
		if (took / 1e6 > longest_ms)
			longest_ms = took / 1e6;
		calls++;
		if (start - told > 30000000000ULL) {
			told = start;
			ksft_print_msg("%u s to go, %lu calls, the longest took %.1f ms\n",
				       (unsigned int)((end - start) / 1000000000), calls,
				       longest_ms);
		}
	}
	ksft_print_msg("%lu calls\n", calls);
}

static pid_t stress(const char *seconds)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execlp("refctl", "refctl", "stress", "--seconds", seconds, (char *)NULL);
	_exit(127);
}

static void check(bool good, const char *what)
{
	ksft_test_result(good, "%s\n", what);
}

int main(int argc, char **argv)
{
	const char *seconds = argc > 1 ? argv[1] : "3600", *why = ro_obstacle();
	struct rlimit files = { SESSIONS + 100, SESSIONS + 100 };
	struct ro_counts before;
	long memory, after;
	char name[32];
	unsigned int i;
	int crowd;

	ksft_print_header();
	if (why)
		ksft_exit_skip("%s\n", why);
	ksft_set_plan(TESTS);
	id = calloc(OBJECTS, sizeof(*id));
	session = calloc(SESSIONS, sizeof(*session));
	if (!id || !session || setrlimit(RLIMIT_NOFILE, &files))
		ksft_exit_fail_msg("no memory, or no descriptors\n");
	memset(id, 1, OBJECTS * sizeof(*id));

	memory = kernel_memory();
	need(ro_counts_read(&before), "stats");
	crowd = ro_open();
	need(crowd, REFOBJ_DEV);
	for (i = 0; i < OBJECTS; i++) {
		snprintf(name, sizeof(name), "soak-%u", i);
		need(ro_create(crowd, name, REFOBJ_PERSISTENT, 0, &id[i]), "CREATE");
	}
	for (i = 0; i < SESSIONS; i++)
		open_session(i);
	ksft_print_msg("%d objects, %d sessions, %ld kB\n", OBJECTS, SESSIONS,
		       kernel_memory() - memory);
	work(atoi(seconds) / 4);
	/* It looks at the counters, so it is alone at work. */
	snprintf(name, sizeof(name), "%d", atoi(seconds) - atoi(seconds) / 4);
	check(ro_reap(stress(name)) == 0, "the stress agrees with its model");

	for (i = 0; i < SESSIONS; i++)
		close(session[i]);
	for (i = 0; i < OBJECTS; i++)
		need(ro_destroy(crowd, id[i]), "DESTROY");
	close(crowd);
	check(ro_counts_since(&before, "created") == ro_counts_since(&before, "destroyed") &&
	      ro_counts_since(&before, "created") >= OBJECTS,
	      "as many objects destroyed as created");
	check(ro_counts_since(&before, "references_acquired") ==
	      ro_counts_since(&before, "references_released") +
	      ro_counts_since(&before, "references_dropped"),
	      "as many references dropped or released as acquired");
	check(ro_counts_since(&before, "activations") ==
	      ro_counts_since(&before, "deactivations"),
	      "as many deactivations as activations");
	check(!ro_counts_since(&before, "objects") && !ro_counts_since(&before, "references") &&
	      !ro_counts_since(&before, "sessions"), "nothing is left");
	after = kernel_memory();
	ksft_print_msg("memory: %ld kB before, %ld kB after; the longest call took %.1f ms\n",
		       memory, after, longest_ms);
	check(after < memory + 16384, "memory is where it was, but for 16 MB");
	ksft_finished();
}
