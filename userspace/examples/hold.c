// SPDX-License-Identifier: 0BSD
/*
 * Hold: keep an object alive until Enter is pressed, or until killed.
 * Usage: hold NAME WHY
 */
#include <stdio.h>
#include <string.h>

#include <librefobj.h>

int main(int argc, char **argv)
{
	struct refobj_session *session;
	uint64_t id;
	int ret;

	if (argc != 3) {
		fprintf(stderr, "usage: hold NAME WHY\n");
		return 2;
	}
	ret = refobj_open(&session);
	if (ret < 0) {
		fprintf(stderr, "hold: cannot open refobj: %s\n",
			strerror(-ret));
		return 1;
	}
	ret = refobj_attach(session, argv[1], NULL, 1, &id, NULL);
	if (ret < 0) {
		fprintf(stderr, "hold: %s: %s\n", argv[1], strerror(-ret));
		return 1;
	}
	/* The reason is for whoever asks why this is still alive. */
	ret = refobj_set_why(session, id, argv[2]);
	if (ret < 0)
		fprintf(stderr, "hold: no reason given: %s\n", strerror(-ret));

	puts("holding");
	fflush(stdout);
	getchar();
	refobj_close(session);
	return 0;
}
