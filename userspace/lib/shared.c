// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Handles that threads share: the kernel holds one reference for all of them, which
 * the process counts by itself. Without a system call but for the first and the last.
 */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

/**
 * struct shared - a handle
 * @head: what the inline functions see; its count goes to and from zero under @lock
 * @lock: see @head
 * @session: that holds the reference
 * @id: the object
 */
struct shared {
	struct refobj_shared head;
	pthread_mutex_t lock;
	struct refobj_session *session;
	uint64_t id;
};

static struct shared *whole(struct refobj_shared *shared)
{
	return (struct shared *)shared;
}

int refobj_shared_open(struct refobj_shared **shared, struct refobj_session *session,
		       uint64_t id)
{
	struct shared *new;

	if (!refobj__is_ours(session))
		return -ECHILD;
	new = malloc(sizeof(*new));
	if (!new)
		return -ENOMEM;
	*new = (struct shared) {
		.head = {
			.here = refobj__process_word(),
			.process = *refobj__process_word(),
		},
		.session = session,
		.id = id,
	};
	pthread_mutex_init(&new->lock, NULL);
	*shared = &new->head;
	return 0;
}

/* Has the session come to this process by adoption, the handle comes with it. */
static int follow(struct shared *s)
{
	if (!refobj__is_ours(s->session))
		return -ECHILD;
	__atomic_store_n(&s->head.process, *s->head.here, __ATOMIC_RELAXED);
	return 0;
}

int refobj__shared_get(struct refobj_shared *shared)
{
	struct shared *s = whole(shared);
	int ret = follow(s);
	unsigned int n;

	if (ret)
		return ret;
	pthread_mutex_lock(&s->lock);
	n = __atomic_load_n(&shared->count, __ATOMIC_RELAXED);
	/* Nobody else takes it from zero; from there on others may move it. */
	while (n) {
		if (n == REFOBJ_SHARED_MAX) {
			ret = -EOVERFLOW;
			break;
		}
		if (__atomic_compare_exchange_n(&shared->count, &n, n + 1, 1,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			break;
	}
	if (!n) {
		ret = refobj_acquire(s->session, s->id, 1);
		if (ret >= 0)
			__atomic_store_n(&shared->count, 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&s->lock);
	return ret;
}

int refobj__shared_put(struct refobj_shared *shared)
{
	struct shared *s = whole(shared);
	int ret = follow(s);
	unsigned int n;

	if (ret)
		return ret;
	pthread_mutex_lock(&s->lock);
	n = __atomic_load_n(&shared->count, __ATOMIC_RELAXED);
	do {
		if (!n) {
			ret = -ERANGE;
			break;
		}
	} while (!__atomic_compare_exchange_n(&shared->count, &n, n - 1, 1,
					      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	/* Who wants it now waits for the lock, and acquires anew. */
	if (n == 1)
		ret = refobj_release(s->session, s->id, 1);
	pthread_mutex_unlock(&s->lock);
	return ret;
}

int refobj_shared_close(struct refobj_shared *shared)
{
	struct shared *s;
	int ret = 0;

	if (!shared)
		return 0;
	s = whole(shared);
	if (shared->count)
		ret = refobj_release(s->session, s->id, 1);
	pthread_mutex_destroy(&s->lock);
	free(s);
	return ret;
}
