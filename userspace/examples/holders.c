// SPDX-License-Identifier: 0BSD
/*
 * Who holds? Usage: holders NAME
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librefobj.h>

int main(int argc, char **argv)
{
	struct refobj_session *session;
	struct refobj_holder *holders;
	uint64_t id;
	int i, n;

	if (argc != 2) {
		fprintf(stderr, "usage: holders NAME\n");
		return 2;
	}
	n = refobj_open(&session);
	if (n < 0) {
		fprintf(stderr, "holders: cannot open refobj: %s\n",
			strerror(-n));
		return 1;
	}
	/* Looking takes no reference: the object may end at any time. */
	n = refobj_lookup(session, argv[1], NULL, &id);
	if (n >= 0)
		n = refobj_holders(session, id, &holders);
	if (n < 0) {
		fprintf(stderr, "holders: %s: %s\n", argv[1], strerror(-n));
		return 1;
	}
	for (i = 0; i < n; i++)
		printf("pid %u (%s) holds %u: %s\n", holders[i].pid,
		       holders[i].comm, holders[i].count, holders[i].why);
	free(holders);
	refobj_close(session);
	return 0;
}
