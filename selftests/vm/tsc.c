// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints how many thousand times a second the TSC of this machine counts: it is what
 * QEMU gives to a guest. One without ACPI has only the PIT to measure it by, and gives
 * up when the host is busy.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct moment {
	int64_t ns;
	uint64_t tsc;
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Of some tries the one that was disturbed least. */
static struct moment look(void)
{
	struct moment best = { 0 };
	int64_t least = INT64_MAX;
	int i;

	for (i = 0; i < 20; i++) {
		int64_t before = now();
		uint64_t tsc = __rdtsc();
		int64_t took = now() - before;

		if (took < least) {
			least = took;
			best = (struct moment) { before + took / 2, tsc };
		}
	}
	return best;
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	struct moment a = look(), b;

	nanosleep(&pause, NULL);
	b = look();
	printf("%.0f\n", (b.tsc - a.tsc) * 1e6 / (b.ns - a.ns));
	return 0;
}
