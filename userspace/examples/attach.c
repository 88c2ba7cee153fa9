// SPDX-License-Identifier: 0BSD
/*
 * Attach or create: whoever comes first sets things up, the others find them
 * set up. Run it twice at once: cc attach.c $(pkg-config --cflags --libs librefobj)
 */
#include <stdio.h>
#include <string.h>

#include <librefobj.h>

int main(void)
{
	struct refobj_attr attr = { .type = "example" };
	struct refobj_session *session;
	int ret, created;
	uint64_t id;

	ret = refobj_open(&session);
	if (ret < 0) {
		fprintf(stderr, "attach: cannot open refobj: %s\n",
			strerror(-ret));
		return 1;
	}
	ret = refobj_attach(session, "example-cache", &attr, 1, &id, &created);
	if (ret < 0) {
		fprintf(stderr, "attach: example-cache: %s\n", strerror(-ret));
		return 1;
	}
	printf("%s object %llu\n", created ? "created" : "joined",
	       (unsigned long long)id);

	/* Whatever ends this process, the kernel drops its reference. */
	ret = refobj_release(session, id, 1);
	if (ret == 1)
		puts("I was the last: the object is gone");
	refobj_close(session);
	return ret < 0;
}
