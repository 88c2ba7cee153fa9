/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of librefobj share. None of it leaves the shared library. */
#ifndef LIBREFOBJ_INTERNAL_H
#define LIBREFOBJ_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>

#include "librefobj.h"

#define INTERNAL	__attribute__((visibility("hidden")))

/* Records that dispatching takes from the queue at once. */
#define DISPATCH_BATCH	32

struct watch;

/**
 * struct refobj_session - one open of the device
 * @fd: non-blocking
 * @process: that may use it, see refobj__mark_process()
 * @lock: protects what follows; no callback runs under it
 * @watches: those with callbacks: chains of ids
 * @n_chains: in @watches: 0 or a power of two
 * @n_watches: with callbacks
 * @last_cookie: of a watch with callbacks
 * @depth: calls of refobj_dispatch() in each other
 * @dispatcher: the thread that is in them
 * @events: that were read and have not been handled
 * @next_event: the first of them
 * @n_events: how many are left
 */
struct refobj_session {
	int fd;
	uint64_t process;
	pthread_mutex_t lock;
	struct watch **watches;
	size_t n_chains;
	size_t n_watches;
	uint64_t last_cookie;
	unsigned int depth;
	pthread_t dispatcher;
	struct refobj_event events[DISPATCH_BATCH];
	unsigned int next_event;
	unsigned int n_events;
};

/* Lets this process be told from its children; 0 or a negative errno. */
INTERNAL int refobj__mark_process(void);
INTERNAL const uint64_t *refobj__process_word(void);
INTERNAL bool refobj__is_ours(const struct refobj_session *session);

/* An ioctl with the conventions of librefobj.h. */
INTERNAL int refobj__call(const struct refobj_session *session,
			  unsigned long cmd, void *arg);

/* Copies a string, NULL being an empty one; 0 or -ENAMETOOLONG. */
INTERNAL int refobj__put_string(char *field, size_t size, const char *string);

/* Frees all watches, and tells their owners if @tell. */
INTERNAL void refobj__free_watches(struct refobj_session *session, bool tell);

#endif /* LIBREFOBJ_INTERNAL_H */
