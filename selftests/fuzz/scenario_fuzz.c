// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzes what reads scenarios: any text must be refused or planned, without a
 * crash, a leak or a hang. A target of libFuzzer:
 *
 *	clang -fsanitize=fuzzer,address -DSCENARIO_LIBFUZZER ...
 *
 * and by itself, built by host.sh with gcc's sanitizers, a loop that changes the
 * files it is given: scenario_fuzz TIMES SEED FILE...
 */
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* a text without a folder: it includes nothing */
	struct scn_file *file = scn_read_text("<fuzz>", (const char *)data,
					      size, NULL);

	scn_plan(file, 1);
	scn_free(file);
	return 0;
}

#ifndef SCENARIO_LIBFUZZER

#define ROOM	65536

static const char *const words[] = {
	"{", "}", "(", ")", "=", ":", ",", "\n", "\"", "\\", "$", "$i", "${x}",
	" repeat 3 as i {\n", " for x in a, b {\n", " if $x == 1 {\n",
	" } else {\n", " parallel {\n", " define f(a) {\n", "f(f)\n", "barrier\n",
	" let x = 1 + 2\n", "include \"x\"\n", "scenario \"s\" {\n", "actor a\n",
	"a: create x\n", "a: wait x users 2 start\n", "a: finish\n", "kill a\n",
	" >= ", " != ", " EPERM", " 4294967296", " -1", " 0x7f", " within 5s",
	" not-first", " state ready", "\xc3\xa4", "\xff", "\t", " as-builder",
};

static uint64_t state;

static size_t chance(size_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return n ? (state >> 11) % n : 0;
}

/* Puts @n bytes in place of @cut at @at, as far as there is room. */
static size_t replace(char *text, size_t size, size_t at, size_t cut,
		      const char *with, size_t n)
{
	if (cut > size - at)
		cut = size - at;
	if (size - cut + n > ROOM)
		return size;
	memmove(text + at + n, text + at + cut, size - at - cut);
	memcpy(text + at, with, n);
	return size - cut + n;
}

static size_t line_end(const char *text, size_t size, size_t at)
{
	const char *end = memchr(text + at, '\n', size - at);

	return end ? (size_t)(end - text) + 1 : size;
}

static size_t change(char *text, size_t size)
{
	static char part[ROOM];
	size_t at = chance(size + 1), n;
	const char *w;
	char byte;

	switch (chance(6)) {
	case 0:
		byte = chance(256);
		return replace(text, size, at, 1, &byte, 1);
	case 1:
		return replace(text, size, at, 1 + chance(8), "", 0);
	case 2:		/* a line, or what is left of it, somewhere else, too */
		n = line_end(text, size, at) - at;
		memcpy(part, text + at, n);
		return replace(text, size, chance(size + 1), 0, part, n);
	case 3:
		n = line_end(text, size, at) - at;
		return replace(text, size, at, n, "", 0);
	default:
		w = words[chance(ARRAY_SIZE(words))];
		return replace(text, size, at, chance(2) * chance(8), w,
			       strlen(w));
	}
}

int main(int argc, char **argv)
{
	static char text[ROOM];
	long i, n = argc > 3 ? atol(argv[1]) : 0;
	size_t size, k;
	FILE *f;

	if (argc < 4) {
		fprintf(stderr, "usage: scenario_fuzz TIMES SEED FILE...\n");
		return 2;
	}
	state = strtoull(argv[2], NULL, 10) * 0x9e3779b97f4a7c15 + 1;
	printf("seed %s\n", argv[2]);
	fflush(stdout);
	for (i = 0; i < n; i++) {
		f = fopen(argv[3 + chance(argc - 3)], "re");
		if (!f)
			return 2;
		size = fread(text, 1, sizeof(text), f);
		fclose(f);
		for (k = chance(8); k--;)
			size = change(text, size);
		LLVMFuzzerTestOneInput((const uint8_t *)text, size);
	}
	printf("%ld texts\n", n);
	return 0;
}
#endif
