// SPDX-License-Identifier: 0BSD
/*
 * Shared memory that the first one fills, the others map, and the last one frees.
 * Run it in several terminals, and kill -9 whichever you like.
 * Usage: blob NAME
 */
#include <stdio.h>
#include <string.h>

#include <librefobj.h>

/* What takes long: here it would load its gigabytes. */
static int fill(void *memory, size_t size, void *arg)
{
	snprintf(memory, size, "the bytes of %s", (const char *)arg);
	return 0;
}

int main(int argc, char **argv)
{
	struct refobj_session *session;
	struct refobj_blob blob;
	int ret;

	if (argc != 2) {
		fprintf(stderr, "usage: blob NAME\n");
		return 2;
	}
	ret = refobj_open(&session);
	if (ret < 0) {
		fprintf(stderr, "blob: cannot open refobj: %s\n", strerror(-ret));
		return 1;
	}
	/* Waits if another one is filling it, and takes over if that one dies. */
	ret = refobj_blob_open(&blob, session, argv[1], NULL, refobj_deadline(-1));
	if (ret == REFOBJ_BUILDER) {
		puts("I am the first: filling it");
		fflush(stdout);
		ret = refobj_blob_build(&blob, 1 << 20, fill, argv[1]);
	}
	if (ret < 0) {
		fprintf(stderr, "blob: %s: %s\n", argv[1], strerror(-ret));
		return 1;
	}
	printf("mapped %zu bytes: %s\n", blob.size, (const char *)blob.data);
	fflush(stdout);
	getchar();
	if (refobj_blob_close(&blob) == 1)
		puts("I was the last: it is gone");
	refobj_close(session);
	return 0;
}
