// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What becomes of objects: waiting for it, reading of it, being called back.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define NSEC_PER_MSEC	1000000ULL
#define NSEC_PER_SEC	1000000000ULL

/*
 * Waiting
 */

/* How far this time namespace's CLOCK_MONOTONIC is ahead of the host's. */
static int64_t clock_offset_ns(void)
{
	FILE *file = fopen("/proc/self/timens_offsets", "re");
	int64_t seconds, ns, offset = 0;
	char name[16];

	/* No such file: no such namespaces. */
	if (!file)
		return 0;
	while (fscanf(file, "%15s %" SCNd64 " %" SCNd64, name, &seconds,
		      &ns) == 3)
		if (!strcmp(name, "monotonic"))
			offset = seconds * (int64_t)NSEC_PER_SEC + ns;
	fclose(file);
	return offset;
}

uint64_t refobj_deadline(int64_t ms)
{
	struct timespec now;
	int saved = errno;
	uint64_t ns;

	if (ms < 0)
		return UINT64_MAX;
	if (!ms)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = now.tv_sec * NSEC_PER_SEC + now.tv_nsec - clock_offset_ns();
	errno = saved;
	if ((uint64_t)ms > (INT64_MAX - ns) / NSEC_PER_MSEC)
		return UINT64_MAX;
	return ns + ms * NSEC_PER_MSEC;
}

int refobj_wait_many(struct refobj_session *session,
		     const struct refobj_condition *conditions, unsigned int n,
		     unsigned int flags, uint64_t deadline_ns)
{
	struct refobj_wait args = {
		.size = sizeof(args), .flags = flags,
		.conditions = (uintptr_t)conditions, .count = n,
		.condition_size = sizeof(*conditions),
		.timeout_ns = deadline_ns,
	};

	return refobj__call(session, REFOBJ_IOC_WAIT, &args);
}

int refobj_wait(struct refobj_session *session, uint64_t id, uint32_t until,
		uint64_t deadline_ns)
{
	struct refobj_condition condition = { .id = id, .until = until };

	return refobj_wait_many(session, &condition, 1, 0, deadline_ns);
}

int refobj_wait_users(struct refobj_session *session, uint64_t id,
		      uint32_t users, uint64_t deadline_ns)
{
	struct refobj_condition condition = {
		.id = id, .until = REFOBJ_UNTIL_USERS, .users = users,
	};

	return refobj_wait_many(session, &condition, 1, 0, deadline_ns);
}

/*
 * Watches with callbacks. A session watches an object once, so the id finds the
 * watch, and its cookie tells whether an event is of an earlier one.
 */

/**
 * struct watch - a watch with callbacks
 * @next: in its chain
 * @id: of the object
 * @cookie: of the kernel's watch
 * @lost: number of the event of type LOST that it was told last
 * @refs: the table's, and one for each callback that runs; under the session's
 *	lock
 * @callbacks: to be called
 * @data: for them
 */
struct watch {
	struct watch *next;
	uint64_t id;
	uint64_t cookie;
	uint64_t lost;
	unsigned int refs;
	struct refobj_callbacks callbacks;
	void *data;
};

static struct watch **chain_of(struct watch **chains, size_t n, uint64_t id)
{
	return &chains[(id ^ id >> 32) & (n - 1)];
}

/* Where the pointer to the watch of an object is, or would be; NULL: nowhere. */
static struct watch **find_watch(struct refobj_session *session, uint64_t id)
{
	struct watch **w;

	if (!session->n_chains)
		return NULL;
	w = chain_of(session->watches, session->n_chains, id);
	while (*w && (*w)->id != id)
		w = &(*w)->next;
	return w;
}

/* Makes room for one more. */
static int grow_watches(struct refobj_session *session)
{
	size_t n = session->n_chains ? 2 * session->n_chains : 16, i;
	struct watch **chains, **to, *w, *next;

	if (session->n_watches < session->n_chains)
		return 0;
	chains = calloc(n, sizeof(*chains));
	if (!chains)
		return -ENOMEM;
	for (i = 0; i < session->n_chains; i++) {
		for (w = session->watches[i]; w; w = next) {
			next = w->next;
			to = chain_of(chains, n, w->id);
			w->next = *to;
			*to = w;
		}
	}
	free(session->watches);
	session->watches = chains;
	session->n_chains = n;
	return 0;
}

/* Takes the watch of an object out; NULL if there is none. */
static struct watch *take_watch(struct refobj_session *session, uint64_t id)
{
	struct watch **at = find_watch(session, id), *w = at ? *at : NULL;

	if (w) {
		*at = w->next;
		session->n_watches--;
	}
	return w;
}

/* Drops a reference; without the session's lock, as it may call back. */
static void put_watch(struct refobj_session *session, struct watch *w)
{
	unsigned int left;

	if (!w)
		return;
	pthread_mutex_lock(&session->lock);
	left = --w->refs;
	pthread_mutex_unlock(&session->lock);
	if (left)
		return;
	if (w->callbacks.on_end)
		w->callbacks.on_end(w->data);
	free(w);
}

void refobj__free_watches(struct refobj_session *session, bool tell)
{
	struct watch *w, *next;
	size_t i;

	for (i = 0; i < session->n_chains; i++) {
		for (w = session->watches[i]; w; w = next) {
			next = w->next;
			if (tell && w->callbacks.on_end)
				w->callbacks.on_end(w->data);
			free(w);
		}
	}
	free(session->watches);
}

static int watch_call(struct refobj_session *session, uint64_t id,
		      uint32_t mask, uint64_t cookie)
{
	struct refobj_watch args = {
		.size = sizeof(args), .id = id, .mask = mask, .cookie = cookie,
	};

	return refobj__call(session, REFOBJ_IOC_WATCH, &args);
}

int refobj_watch(struct refobj_session *session, uint64_t id, uint32_t mask,
		 uint64_t cookie)
{
	struct watch *old = NULL;
	int ret;

	if (!mask)
		return -EINVAL;
	if (!refobj__is_ours(session))
		return -ECHILD;
	pthread_mutex_lock(&session->lock);
	ret = watch_call(session, id, mask, cookie);
	if (!ret)
		old = take_watch(session, id);
	pthread_mutex_unlock(&session->lock);
	put_watch(session, old);
	return ret;
}

static uint32_t callbacks_mask(const struct refobj_callbacks *c)
{
	/* The end is told in any case. */
	uint32_t mask = REFOBJ_WATCH(REFOBJ_EVENT_DESTROYED);

	if (c->on_activate)
		mask |= REFOBJ_WATCH(REFOBJ_EVENT_ACTIVATED);
	if (c->on_ready)
		mask |= REFOBJ_WATCH(REFOBJ_EVENT_READY);
	if (c->on_count)
		mask |= REFOBJ_WATCH(REFOBJ_EVENT_COUNT);
	if (c->on_deactivate)
		mask |= REFOBJ_WATCH(REFOBJ_EVENT_DEACTIVATED);
	if (c->on_died)
		mask |= REFOBJ_WATCH(REFOBJ_EVENT_HOLDER_DIED);
	if (c->on_builder)
		mask |= REFOBJ_WATCH(REFOBJ_EVENT_BUILDER_CHANGED);
	return mask;
}

int refobj_watch_callbacks(struct refobj_session *session, uint64_t id,
			   const struct refobj_callbacks *callbacks, void *data)
{
	struct watch *w, *old = NULL, **to;
	int ret;

	if (!refobj__is_ours(session))
		return -ECHILD;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->id = id;
	w->refs = 1;
	w->callbacks = *callbacks;
	w->data = data;

	/* All of it under the lock, so that the snapshot finds its watch. */
	pthread_mutex_lock(&session->lock);
	ret = grow_watches(session);
	w->cookie = session->last_cookie + 1;
	if (!ret)
		ret = watch_call(session, id, callbacks_mask(callbacks),
				 w->cookie);
	if (!ret) {
		session->last_cookie = w->cookie;
		old = take_watch(session, id);
		to = chain_of(session->watches, session->n_chains, id);
		w->next = *to;
		*to = w;
		session->n_watches++;
	}
	pthread_mutex_unlock(&session->lock);
	put_watch(session, old);
	if (ret)
		free(w);
	return ret;
}

int refobj_unwatch(struct refobj_session *session, uint64_t id)
{
	struct watch *old;
	int ret;

	if (!refobj__is_ours(session))
		return -ECHILD;
	pthread_mutex_lock(&session->lock);
	ret = watch_call(session, id, 0, 0);
	/* To the kernel it is over when its end has been read: not so to us. */
	old = !ret || ret == -ENOENT ? take_watch(session, id) : NULL;
	pthread_mutex_unlock(&session->lock);
	if (old)
		ret = 0;
	put_watch(session, old);
	return ret;
}

/*
 * Events
 */

int refobj_read_events(struct refobj_session *session,
		       struct refobj_event *events, unsigned int n)
{
	char *to = (char *)events, *from = to;
	struct refobj_event *e;
	int saved = errno, count = 0;
	ssize_t size;
	size_t left, step;

	if (!refobj__is_ours(session))
		return -ECHILD;
	/* Not read(): no cancellation in the midst of refobj_dispatch(). */
	size = syscall(SYS_read, session->fd, events, n * sizeof(*events));
	if (size < 0) {
		count = errno == EAGAIN ? 0 : -errno;
		errno = saved;
		return count;
	}
	/* A newer kernel's records may be longer than ours. */
	for (left = size; left >= sizeof(*events); left -= step) {
		e = (struct refobj_event *)from;
		step = e->size;
		if (step < sizeof(*events) || step > left)
			break;
		from += step;
		if (to != (char *)e)
			memmove(to, e, sizeof(*events));
		to += sizeof(*events);
		count++;
	}
	return count;
}

static void call_back(struct refobj_session *session, struct watch *w,
		      const struct refobj_event *event)
{
	const struct refobj_callbacks *c = &w->callbacks;
	void (*function)(struct refobj_session *session,
			 const struct refobj_event *event, void *data) = NULL;

	switch (event->type) {
	case REFOBJ_EVENT_SNAPSHOT:
		function = c->on_snapshot;
		break;
	case REFOBJ_EVENT_ACTIVATED:
		function = c->on_activate;
		break;
	case REFOBJ_EVENT_READY:
		function = c->on_ready;
		break;
	case REFOBJ_EVENT_COUNT:
		function = c->on_count;
		break;
	case REFOBJ_EVENT_DEACTIVATED:
		function = c->on_deactivate;
		break;
	case REFOBJ_EVENT_HOLDER_DIED:
		function = c->on_died;
		break;
	case REFOBJ_EVENT_BUILDER_CHANGED:
		function = c->on_builder;
		break;
	case REFOBJ_EVENT_DESTROYED:
		function = c->on_destroyed;
		break;
	case REFOBJ_EVENT_LOST:
		function = c->on_lost;
		break;
	}
	if (function)
		function(session, event, w->data);
}

/* A watch up to @last that has not been told of this loss, or NULL. */
static struct watch *find_unaware(struct refobj_session *session,
				  uint64_t lost, uint64_t last)
{
	struct watch *w;
	size_t i;

	for (i = 0; i < session->n_chains; i++)
		for (w = session->watches[i]; w; w = w->next)
			if (w->callbacks.on_lost && w->lost != lost &&
			    w->cookie <= last)
				return w;
	return NULL;
}

/* Whose events are missing nobody knows: tell all. Called with the lock. */
static void tell_of_loss(struct refobj_session *session,
			 const struct refobj_event *event)
{
	/* Not those that were made in answer to it. */
	uint64_t last = session->last_cookie;
	struct watch *w;

	while ((w = find_unaware(session, event->seq, last))) {
		w->lost = event->seq;
		w->refs++;
		pthread_mutex_unlock(&session->lock);
		call_back(session, w, event);
		put_watch(session, w);
		pthread_mutex_lock(&session->lock);
	}
}

/* Called with the lock, which is dropped for the callback. */
static void handle(struct refobj_session *session,
		   const struct refobj_event *event)
{
	struct watch **at, *w;

	if (event->type == REFOBJ_EVENT_LOST) {
		tell_of_loss(session, event);
		return;
	}
	at = find_watch(session, event->id);
	w = at ? *at : NULL;
	if (!w || w->cookie != event->cookie)
		return;
	if (event->type == REFOBJ_EVENT_DESTROYED)
		take_watch(session, event->id);	/* with the table's reference */
	else
		w->refs++;
	pthread_mutex_unlock(&session->lock);
	call_back(session, w, event);
	put_watch(session, w);
	pthread_mutex_lock(&session->lock);
}

int refobj_dispatch(struct refobj_session *session)
{
	struct refobj_event event;
	int done = 0, ret = 0;

	if (!refobj__is_ours(session))
		return -ECHILD;
	pthread_mutex_lock(&session->lock);
	if (session->depth && !pthread_equal(session->dispatcher, pthread_self())) {
		/* It will look into the queue again before it is through. */
		pthread_mutex_unlock(&session->lock);
		return 0;
	}
	session->dispatcher = pthread_self();
	session->depth++;
	for (;;) {
		if (!session->n_events) {
			ret = refobj_read_events(session, session->events,
						 DISPATCH_BATCH);
			if (ret <= 0)
				break;
			session->n_events = ret;
			session->next_event = 0;
		}
		/* A copy: dispatching in a callback may read the next ones. */
		event = session->events[session->next_event++];
		session->n_events--;
		handle(session, &event);
		done++;
	}
	session->depth--;
	pthread_mutex_unlock(&session->lock);
	return done ? done : ret;
}

/*
 * Words
 */

const char *refobj_strstate(uint32_t state)
{
	switch (state) {
	case REFOBJ_STATE_IDLE:
		return "idle";
	case REFOBJ_STATE_READY:
		return "ready";
	case REFOBJ_STATE_DEAD:
		return "dead";
	case REFOBJ_STATE_BUILDING:
		return "building";
	case REFOBJ_STATE_LINGERING:
		return "lingering";
	default:
		return "unknown";
	}
}

const char *refobj_strevent(uint32_t type)
{
	switch (type) {
	case REFOBJ_EVENT_SNAPSHOT:
		return "snapshot";
	case REFOBJ_EVENT_ACTIVATED:
		return "activated";
	case REFOBJ_EVENT_READY:
		return "ready";
	case REFOBJ_EVENT_COUNT:
		return "count";
	case REFOBJ_EVENT_DEACTIVATED:
		return "deactivated";
	case REFOBJ_EVENT_HOLDER_DIED:
		return "holder-died";
	case REFOBJ_EVENT_BUILDER_CHANGED:
		return "builder-changed";
	case REFOBJ_EVENT_DESTROYED:
		return "destroyed";
	case REFOBJ_EVENT_LOST:
		return "lost";
	default:
		return "unknown";
	}
}

const char *refobj_strcause(uint32_t cause)
{
	static __thread char signal[24];

	switch (cause) {
	case REFOBJ_CAUSE_NONE:
		return "none";
	case REFOBJ_CAUSE_ACQUIRE:
		return "acquire";
	case REFOBJ_CAUSE_RELEASE:
		return "release";
	case REFOBJ_CAUSE_CLOSE:
		return "close";
	case REFOBJ_CAUSE_EXIT:
		return "exit";
	case REFOBJ_CAUSE_OBJECT:
		return "object";
	case REFOBJ_CAUSE_LINGER:
		return "linger";
	case REFOBJ_CAUSE_DESTROY:
		return "destroy";
	case REFOBJ_CAUSE_PUBLISH:
		return "publish";
	case REFOBJ_CAUSE_NAMESPACE:
		return "namespace";
	}
	if (cause <= REFOBJ_CAUSE_SIGNAL)
		return "unknown";
	snprintf(signal, sizeof(signal), "signal %" PRIu32,
		 cause - REFOBJ_CAUSE_SIGNAL);
	return signal;
}
