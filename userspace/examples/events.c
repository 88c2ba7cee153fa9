// SPDX-License-Identifier: 0BSD
/*
 * An event loop with epoll: what becomes of an object, until it is dead.
 * Usage: events NAME
 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include <librefobj.h>

static void tell(struct refobj_session *session,
		 const struct refobj_event *event, void *data)
{
	(void)session;
	(void)data;
	printf("%s: %u users, by %s\n", refobj_strevent(event->type),
	       event->users, refobj_strcause(event->cause));
	fflush(stdout);
}

static void end(void *data)
{
	*(int *)data = 1;
}

int main(int argc, char **argv)
{
	const struct refobj_callbacks callbacks = {
		.on_snapshot = tell, .on_activate = tell, .on_died = tell,
		.on_deactivate = tell, .on_destroyed = tell, .on_end = end,
	};
	struct epoll_event event = { .events = EPOLLIN };
	struct refobj_session *session;
	int loop, ended = 0, ret;
	uint64_t id;

	if (argc != 2) {
		fprintf(stderr, "usage: events NAME\n");
		return 2;
	}
	ret = refobj_open(&session);
	if (ret < 0) {
		fprintf(stderr, "events: cannot open refobj: %s\n",
			strerror(-ret));
		return 1;
	}
	/* Watching takes no reference: it keeps nothing alive. */
	ret = refobj_lookup(session, argv[1], NULL, &id);
	if (!ret)
		ret = refobj_watch_callbacks(session, id, &callbacks, &ended);
	if (ret < 0) {
		fprintf(stderr, "events: %s: %s\n", argv[1], strerror(-ret));
		return 1;
	}
	loop = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(loop, EPOLL_CTL_ADD, refobj_fd(session), &event);
	while (!ended) {
		/* Other descriptors of the program would be in this loop, too. */
		if (epoll_wait(loop, &event, 1, -1) == 1)
			refobj_dispatch(session);
	}
	refobj_close(session);
	return 0;
}
