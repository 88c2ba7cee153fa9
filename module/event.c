// SPDX-License-Identifier: GPL-2.0-only
/*
 * What becomes of an object, for those who want to know: watches and the queues
 * that their events go to, and waits.
 */
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "refobj.h"
#include "trace.h"

/* Records that one hold of a queue's lock copies out. */
#define REFOBJ_READ_BATCH	8

/* A reader's batch must be less than what fits: see queue_push(). */
#define REFOBJ_QUEUE_MIN	16
#define REFOBJ_QUEUE_MAX	65536

static unsigned int max_events = 512;

static int max_events_set(const char *text, const struct kernel_param *kp)
{
	return param_set_uint_minmax(text, kp, REFOBJ_QUEUE_MIN,
				     REFOBJ_QUEUE_MAX);
}

static const struct kernel_param_ops max_events_ops = {
	.set	= max_events_set,
	.get	= param_get_uint,
};

module_param_cb(max_events, &max_events_ops, &max_events, 0644);
MODULE_PARM_DESC(max_events,
		 "Unread events that a session keeps, 16 to 65536, for sessions to come (default 512)");

/*
 * Queues
 */

/**
 * refobj_queue_init() - a queue that only counts
 * @queue: zeroed
 */
void refobj_queue_init(struct refobj_queue *queue)
{
	spin_lock_init(&queue->lock);
	init_waitqueue_head(&queue->wait);
	mutex_init(&queue->reader);
}

static struct refobj_record *queue_at(struct refobj_queue *q, u32 n)
{
	u32 index = q->head + n;

	/* One more than the capacity: see queue_push(). */
	return &q->records[index > q->capacity ? index - q->capacity - 1 : index];
}

/* Give a queue room for events; a session does so with its first watch. */
static int queue_grow(struct refobj_queue *q)
{
	struct refobj_record *records;
	u32 capacity;

	if (smp_load_acquire(&q->records))	/* pairs with the store below */
		return 0;
	capacity = READ_ONCE(max_events);
	records = kvcalloc(capacity + 1, sizeof(*records), GFP_KERNEL_ACCOUNT);
	if (!records)
		return -ENOMEM;
	spin_lock(&q->lock);
	if (!q->records) {
		q->capacity = capacity;
		/* Pairs with the look above: who sees it may watch. */
		smp_store_release(&q->records, records);
		records = NULL;
	}
	spin_unlock(&q->lock);
	kvfree(records);
	return 0;
}

static void queue_drop(struct refobj_queue *q, u32 n)
{
	u32 i;

	lockdep_assert_held(&q->lock);

	for (i = 0; i < n; i++)
		put_pid(queue_at(q, i)->pid);
	q->head = queue_at(q, n) - q->records;
	WRITE_ONCE(q->used, q->used - n);
}

/**
 * refobj_queue_destroy() - free what nobody has read
 * @queue: of which no watcher is left
 */
void refobj_queue_destroy(struct refobj_queue *queue)
{
	if (!queue->records)
		return;
	spin_lock(&queue->lock);
	queue_drop(queue, queue->used);
	spin_unlock(&queue->lock);
	kvfree(queue->records);
}

/**
 * refobj_queue_hang() - nothing will come any more
 * @queue: its readers are told
 */
void refobj_queue_hang(struct refobj_queue *queue)
{
	spin_lock(&queue->lock);
	WRITE_ONCE(queue->hung, true);
	wake_up_poll(&queue->wait, EPOLLHUP | EPOLLIN | EPOLLRDNORM);
	spin_unlock(&queue->lock);
}

/*
 * Put an event into a queue. Where there is no room a record that says how many
 * are missing takes their place: there is always room for that one, as the ring
 * is larger by one than the capacity, and as a full queue whose last record it is
 * counts there. (If a reader is about to take that last record away, he takes all
 * that are left, and the queue is not full: a batch is less than the capacity.)
 * Nothing is allocated: telling cannot fail, but for a snapshot, which is not lost
 * but refused: false.
 */
static bool queue_push(struct refobj_queue *q, struct refobj_event *event,
		       struct pid *pid)
{
	struct refobj_record *last = NULL;

	spin_lock(&q->lock);
	if (event->type == REFOBJ_EVENT_SNAPSHOT && q->records &&
	    q->used >= q->capacity) {
		spin_unlock(&q->lock);
		return false;
	}
	event->seq = ++q->seq;
	if (!q->records)
		goto wake;
	/* What a reader has copied does not change any more. */
	if (q->used > q->reading)
		last = queue_at(q, q->used - 1);

	if (last && event->type == REFOBJ_EVENT_COUNT &&
	    last->event.type == REFOBJ_EVENT_COUNT &&
	    last->event.id == event->id) {
		event->seq = last->event.seq;
		q->seq--;
		put_pid(last->pid);
		last->event = *event;
		last->pid = get_pid(pid);
	} else if (q->used < q->capacity) {
		last = queue_at(q, q->used);
		last->event = *event;
		last->pid = get_pid(pid);
		WRITE_ONCE(q->used, q->used + 1);
	} else {
		refobj_count(events_lost, 1);
		/* The queues of object descriptors have no records to lose. */
		trace_refobj_event_lost(container_of(q, struct refobj_session,
						     queue)->id, event);
		if (last && last->event.type == REFOBJ_EVENT_LOST) {
			last->event.count++;
		} else {
			last = queue_at(q, q->used);
			*last = (struct refobj_record) {
				.event = {
					.size		= sizeof(*event),
					.type		= REFOBJ_EVENT_LOST,
					.seq		= event->seq,
					.time_ns	= event->time_ns,
					.count		= 1,
				},
			};
			WRITE_ONCE(q->used, q->used + 1);
		}
	}
wake:
	wake_up_poll(&q->wait, EPOLLIN | EPOLLRDNORM);
	spin_unlock(&q->lock);
	return true;
}

/* The watch of an object that is dead is over when that has been read. */
static void watch_reap(struct refobj_session *s, u64 id)
{
	struct refobj_watcher *w;

	xa_lock(&s->watchers);
	w = xa_load(&s->watchers, refobj_slot(id));
	if (w && w->object->id == id) {
		bool dead;

		/* Who killed it may still be at it. */
		spin_lock(&w->object->lock);
		dead = w->dead;
		spin_unlock(&w->object->lock);
		if (dead)
			__xa_erase(&s->watchers, refobj_slot(id));
		else
			w = NULL;
	} else {
		w = NULL;
	}
	xa_unlock(&s->watchers);
	if (w) {
		refobj_uncharge(s->user, REFOBJ_QUOTA_WATCHES, 1);
		refobj_put(w->object);
		kfree(w);
	}
}

/* Some records were lost, among them perhaps those that end a watch. */
static void watch_reap_all(struct refobj_session *s)
{
	unsigned long slot = 0;
	struct refobj_watcher *w;
	u64 id;

	for (;; slot++) {
		xa_lock(&s->watchers);
		w = xa_find(&s->watchers, &slot, ULONG_MAX, XA_PRESENT);
		id = w ? w->object->id : 0;
		xa_unlock(&s->watchers);
		if (!w)
			break;
		watch_reap(s, id);
		cond_resched();
	}
}

/* Copy a batch out, and remove what has arrived; 0 if there was nothing. */
static ssize_t queue_read_batch(struct refobj_session *s, char __user *to,
				u32 room)
{
	struct refobj_event events[REFOBJ_READ_BATCH];
	struct refobj_queue *q = &s->queue;
	struct pid_namespace *ns = task_active_pid_ns(current);
	u32 i, n, done;

	spin_lock(&q->lock);
	n = min3(q->used, room, (u32)REFOBJ_READ_BATCH);
	for (i = 0; i < n; i++) {
		struct refobj_record *record = queue_at(q, i);

		events[i] = record->event;
		events[i].pid = record->pid ? pid_nr_ns(record->pid, ns) : 0;
	}
	q->reading = n;
	spin_unlock(&q->lock);

	for (done = 0; done < n; done++)
		if (copy_to_user(to + done * sizeof(*events), &events[done],
				 sizeof(*events)))
			break;

	spin_lock(&q->lock);
	q->reading = 0;
	queue_drop(q, done);
	spin_unlock(&q->lock);

	for (i = 0; i < done; i++)
		if (events[i].type == REFOBJ_EVENT_DESTROYED)
			watch_reap(s, events[i].id);
		else if (events[i].type == REFOBJ_EVENT_LOST)
			watch_reap_all(s);
	if (done < n && !done)
		return -EFAULT;
	return done * sizeof(*events);
}

static bool queue_is_readable(const struct refobj_queue *q)
{
	return READ_ONCE(q->used) || READ_ONCE(q->hung);
}

/**
 * refobj_events_read() - read(2) on a session
 * @session: whose events
 * @to: where to
 * @size: bytes that fit
 * @nonblock: do not wait for the first
 *
 * Return: bytes of whole records; -EINVAL, -EAGAIN, -EFAULT (nothing is lost),
 * -ERESTARTSYS, -EOWNERDEAD.
 */
ssize_t refobj_events_read(struct refobj_session *session, char __user *to,
			   size_t size, bool nonblock)
{
	struct refobj_queue *q = &session->queue;
	size_t room = size / sizeof(struct refobj_event);
	ssize_t n, done = 0;
	int err;

	if (!room)
		return -EINVAL;
	do {
		if (READ_ONCE(q->hung))
			return -EOWNERDEAD;
		if (!queue_is_readable(q)) {
			if (nonblock)
				return -EAGAIN;
			err = wait_event_interruptible(q->wait,
						       queue_is_readable(q));
			if (err)
				return err;
			continue;
		}
		if (mutex_lock_interruptible(&q->reader))
			return -ERESTARTSYS;
		do {
			n = queue_read_batch(session, to + done,
					     min_t(size_t, room, U32_MAX));
			if (n <= 0)
				break;
			done += n;
			room -= n / sizeof(struct refobj_event);
			cond_resched();
		} while (room && !signal_pending(current));
		mutex_unlock(&q->reader);
		if (n < 0 && !done)
			return n;
	} while (!done);	/* Another reader was faster. */
	return done;
}

/**
 * refobj_events_poll() - poll(2)
 * @queue: of a session
 * @file: polled
 * @table: as ->poll() has it
 *
 * Return: EPOLLIN if there is something to read, EPOLLHUP if nothing will be.
 */
__poll_t refobj_events_poll(struct refobj_queue *queue, struct file *file,
			    struct poll_table_struct *table)
{
	poll_wait(file, &queue->wait, table);
	if (READ_ONCE(queue->hung))
		return EPOLLHUP;
	return READ_ONCE(queue->used) ? EPOLLIN | EPOLLRDNORM : 0;
}

/**
 * refobj_events_size() - FIONREAD
 * @queue: of a session
 *
 * Return: bytes that there are to read.
 */
u32 refobj_events_size(const struct refobj_queue *queue)
{
	return READ_ONCE(queue->used) * sizeof(struct refobj_event);
}

/*
 * Events
 */

static void event_fill_locked(struct refobj_event *event,
			      const struct refobj *object, u32 type, u32 cause,
			      u32 count)
{
	lockdep_assert_held(&object->lock);

	*event = (struct refobj_event) {
		.size		= sizeof(*event),
		.type		= type,
		.cause		= cause,
		.state		= object->state,
		.id		= object->id,
		.object_seq	= object->event_seq,
		.time_ns	= ktime_get_ns(),
		.users		= refobj_users(object),
		.count		= count,
	};
}

static bool watcher_tell(struct refobj_watcher *w, struct refobj_event *event,
			 struct pid *pid)
{
	event->cookie = w->cookie;
	if (!queue_push(w->queue, event, pid))
		return false;
	refobj_count(events, 1);
	return true;
}

/**
 * __refobj_event_locked() - tell the watchers
 * @object: the object, locked
 * @type: &enum refobj_event_type
 * @cause: &enum refobj_cause
 * @pid: who did it, or NULL
 * @count: of the record
 */
void __refobj_event_locked(struct refobj *object, u32 type, u32 cause,
			   struct pid *pid, u32 count)
{
	struct refobj_watcher *w;
	struct refobj_event event;

	event_fill_locked(&event, object, type, cause, count);
	if (type != REFOBJ_EVENT_COUNT && refobj_netlink_heard(object->registry))
		refobj_netlink_event(object->registry, &event, pid);
	list_for_each_entry(w, &object->watchers, node)
		if (w->mask & REFOBJ_WATCH(type))
			watcher_tell(w, &event, pid);
}

/**
 * refobj_watchers_end_locked() - the object has died
 * @object: the object, locked and dead
 * @act: why
 */
void refobj_watchers_end_locked(struct refobj *object,
				const struct refobj_act *act)
{
	struct refobj_watcher *w, *next;
	struct refobj_event event;

	bool heard = refobj_netlink_heard(object->registry);

	object->event_seq++;
	if (list_empty(&object->watchers) && !heard)
		return;
	event_fill_locked(&event, object, REFOBJ_EVENT_DESTROYED, act->cause, 0);
	if (heard)
		refobj_netlink_event(object->registry, &event, act->pid);
	list_for_each_entry_safe(w, next, &object->watchers, node) {
		watcher_tell(w, &event, act->pid);
		refobj_watcher_unlink_locked(w);
		w->dead = true;
	}
}

/* Somebody wants to hear of every step of the users, from now on. */
static void refobj_attend_locked(struct refobj *object)
{
	WRITE_ONCE(object->attention, object->attention + 1);
	/* Pairs with refobj_users_moved(), before the users are read. */
	smp_mb();
}

static void refobj_unattend_locked(struct refobj *object)
{
	WRITE_ONCE(object->attention, object->attention - 1);
}

/* Tell the users, if they are others than what was told last. */
static void tell_users_locked(struct refobj *object, u32 cause, struct pid *pid)
{
	u32 users = refobj_users(object);

	if (!object->attention || users == object->told)
		return;
	object->told = users;
	object->event_seq++;
	__refobj_event_locked(object, REFOBJ_EVENT_COUNT, cause, pid, 0);
}

/**
 * refobj_watcher_link_locked() - let a watcher be told
 * @object: the object, locked
 * @watcher: not linked; @mask and @cookie are set
 *
 * Return: 0 and a snapshot is on its way; -ESTALE, -EDQUOT, -EAGAIN.
 */
int refobj_watcher_link_locked(struct refobj *object,
			       struct refobj_watcher *watcher)
{
	bool count = watcher->mask & REFOBJ_WATCH(REFOBJ_EVENT_COUNT);
	struct refobj_event event;

	lockdep_assert_held(&object->lock);

	if (object->state == REFOBJ_STATE_DEAD)
		return -ESTALE;
	if (object->nr_watchers == REFOBJ_WATCHES_MAX)
		return -EDQUOT;
	if (count) {
		/* Others first, so that all are told alike. */
		refobj_attend_locked(object);
		tell_users_locked(object, REFOBJ_CAUSE_NONE, NULL);
	}
	event_fill_locked(&event, object, REFOBJ_EVENT_SNAPSHOT,
			  REFOBJ_CAUSE_NONE, 0);
	if (!watcher_tell(watcher, &event, NULL)) {
		if (count)
			refobj_unattend_locked(object);
		return -EAGAIN;
	}
	object->nr_watchers++;
	list_add_tail(&watcher->node, &object->watchers);
	return 0;
}

/**
 * refobj_watcher_unlink_locked() - tell a watcher no more
 * @watcher: linked into its object, which is locked
 */
void refobj_watcher_unlink_locked(struct refobj_watcher *watcher)
{
	struct refobj *object = watcher->object;

	lockdep_assert_held(&object->lock);

	if (watcher->mask & REFOBJ_WATCH(REFOBJ_EVENT_COUNT))
		refobj_unattend_locked(object);
	object->nr_watchers--;
	list_del(&watcher->node);
}

/* Watch anew what is watched. */
static int watch_again(struct refobj_watcher *w, u32 mask, u64 cookie)
{
	struct refobj *object = w->object;
	int err = -ESTALE;
	u32 old_mask;
	u64 old_cookie;

	spin_lock(&object->lock);
	if (!w->dead) {
		old_mask = w->mask;
		old_cookie = w->cookie;
		refobj_watcher_unlink_locked(w);
		w->mask = mask;
		w->cookie = cookie;
		err = refobj_watcher_link_locked(object, w);
		if (err) {
			/* Only its queue can refuse it: back to where it was. */
			w->mask = old_mask;
			w->cookie = old_cookie;
			if (old_mask & REFOBJ_WATCH(REFOBJ_EVENT_COUNT))
				refobj_attend_locked(object);
			object->nr_watchers++;
			list_add_tail(&w->node, &object->watchers);
		}
	}
	spin_unlock(&object->lock);
	return err;
}

/**
 * refobj_watch() - watch an object
 * @session: who; may see the object
 * @object: the object; the caller has a life
 * @mask: types, not 0
 * @cookie: of the watch
 *
 * Context: may sleep.
 *
 * Return: 0; -ESTALE, -EDQUOT, -EAGAIN, -ENOMEM, -EOWNERDEAD.
 */
int refobj_watch(struct refobj_session *session, struct refobj *object,
		 u32 mask, u64 cookie)
{
	unsigned long slot = refobj_slot(object->id);
	struct refobj_watcher *w, *old;
	int err;
	u64 id;

	/* A watch that is replaced costs nothing that could be refused. */
	xa_lock(&session->watchers);
	old = xa_load(&session->watchers, slot);
	if (old && old->object == object) {
		err = watch_again(old, mask, cookie);
		xa_unlock(&session->watchers);
		return err;
	}
	xa_unlock(&session->watchers);

	err = queue_grow(&session->queue);
	if (err)
		return err;
	w = kzalloc(sizeof(*w), GFP_KERNEL_ACCOUNT);
	if (!w)
		return -ENOMEM;
	w->object = object;
	w->queue = &session->queue;
	w->mask = mask;
	w->cookie = cookie;
	err = refobj_charge(session->user, REFOBJ_QUOTA_WATCHES, 1,
			    session->unlimited);
	if (err)
		goto free;

	xa_lock(&session->watchers);
	/* May drop the lock, but before it looks whether the slot is free. */
	while ((err = __xa_insert(&session->watchers, slot, w,
				  GFP_KERNEL_ACCOUNT)) == -EBUSY) {
		old = xa_load(&session->watchers, slot);
		if (old->object == object) {
			err = watch_again(old, mask, cookie);
			goto unlock;
		}
		/* Dead, as its slot has been given anew; nobody read that. */
		id = old->object->id;
		xa_unlock(&session->watchers);
		watch_reap(session, id);
		xa_lock(&session->watchers);
	}
	if (err)
		goto unlock;
	if (READ_ONCE(session->ended)) {
		err = -EOWNERDEAD;
	} else {
		spin_lock(&object->lock);
		err = refobj_watcher_link_locked(object, w);
		if (!err)
			kref_get(&object->life);
		spin_unlock(&object->lock);
	}
	if (err)
		__xa_erase(&session->watchers, slot);
	else
		w = NULL;
unlock:
	xa_unlock(&session->watchers);
	if (w)
		refobj_uncharge(session->user, REFOBJ_QUOTA_WATCHES, 1);
free:
	kfree(w);
	return err;
}

static void watch_free(struct refobj_session *s, struct refobj_watcher *w)
{
	struct refobj *object = w->object;

	spin_lock(&object->lock);
	if (!w->dead)
		refobj_watcher_unlink_locked(w);
	spin_unlock(&object->lock);
	refobj_uncharge(s->user, REFOBJ_QUOTA_WATCHES, 1);
	refobj_put(object);
	kfree(w);
}

/**
 * refobj_unwatch() - watch an object no more
 * @session: who
 * @id: the object
 *
 * Return: 0, or -ENOENT: it was not watched.
 */
int refobj_unwatch(struct refobj_session *session, u64 id)
{
	struct refobj_watcher *w;

	xa_lock(&session->watchers);
	w = xa_load(&session->watchers, refobj_slot(id));
	if (w && w->object->id == id)
		__xa_erase(&session->watchers, refobj_slot(id));
	else
		w = NULL;
	xa_unlock(&session->watchers);
	if (!w)
		return -ENOENT;
	watch_free(session, w);
	return 0;
}

/**
 * refobj_unwatch_all() - watch nothing any more
 * @session: has ended, so nothing comes anew
 */
void refobj_unwatch_all(struct refobj_session *session)
{
	struct refobj_watcher *w;
	unsigned long slot;

	/* Who looked before the session ended is through after this. */
	xa_lock(&session->watchers);
	xa_unlock(&session->watchers);
	xa_for_each(&session->watchers, slot, w) {
		w = xa_erase(&session->watchers, slot);
		if (w)
			watch_free(session, w);
		cond_resched();
	}
}

/*
 * Waits
 */

/* No result yet. */
#define REFOBJ_WAITING	INT_MIN

/**
 * struct refobj_waiter - one condition that somebody waits for
 * @node: in &refobj.waiters
 * @all: the wait that it is part of
 * @object: holds a life; NULL if nothing remains to wait for
 * @holder: of the waiting session, while it is ready to build (protected by the
 *	object's lock), or NULL
 * @until: &enum refobj_until
 * @users: for REFOBJ_UNTIL_USERS
 * @met: has held (protected by the object's lock)
 */
struct refobj_waiter {
	struct list_head node;
	struct refobj_waiting *all;
	struct refobj *object;
	struct refobj_mark *holder;
	u32 until;
	u32 users;
	bool met;
};

/**
 * struct refobj_waiting - a running WAIT
 * @node: in &refobj_session.waits
 * @task: who sleeps
 * @result: what it is to return, or REFOBJ_WAITING; set once
 * @stale: a condition will never hold; another may still do so at the same moment
 * @left: conditions that must still hold
 * @every: all of them must
 * @waiters: the conditions
 */
struct refobj_waiting {
	struct list_head node;
	struct task_struct *task;
	atomic_t result;
	bool stale;
	atomic_t left;
	bool every;
	struct refobj_waiter waiters[];
};

/* The first to end a wait decides what it returns. */
static bool waiting_end(struct refobj_waiting *all, int result)
{
	int none = REFOBJ_WAITING;

	if (!atomic_try_cmpxchg(&all->result, &none, result))
		return false;
	wake_up_process(all->task);
	return true;
}

/*
 * A death that makes one condition stale may be what another one waits for: the
 * sleeper looks for a result once more when that object's lock has been let go.
 */
static void waiting_stale(struct refobj_waiting *all)
{
	WRITE_ONCE(all->stale, true);
	wake_up_process(all->task);
}

static int waiter_index(const struct refobj_waiter *w)
{
	return w - w->all->waiters;
}

/* 1 if the condition holds, 0 if not yet, -ESTALE if it never will. */
static int waiter_verdict(u32 until, u32 users, u32 state, u32 now)
{
	if (state == REFOBJ_STATE_DEAD)
		return until == REFOBJ_UNTIL_ACTIVE ||
		       until == REFOBJ_UNTIL_READY ? -ESTALE : 1;
	switch (until) {
	case REFOBJ_UNTIL_IDLE:
		return state == REFOBJ_STATE_IDLE;
	case REFOBJ_UNTIL_ACTIVE:
		return state != REFOBJ_STATE_IDLE;
	case REFOBJ_UNTIL_READY:
		return state == REFOBJ_STATE_READY ||
		       state == REFOBJ_STATE_LINGERING;
	case REFOBJ_UNTIL_USERS:
		return now <= users;
	default:
		return 0;
	}
}

static void waiter_judge(struct refobj_waiter *w, int verdict)
{
	if (w->met || !verdict)
		return;
	w->met = true;
	if (verdict < 0)
		waiting_stale(w->all);
	else if (atomic_dec_and_test(&w->all->left))
		waiting_end(w->all, w->all->every ? 0 : waiter_index(w));
}

static void waiters_judge_locked(struct refobj *object, u32 low)
{
	u32 users = min(low, refobj_users(object));
	struct refobj_waiter *w;

	lockdep_assert_held(&object->lock);

	list_for_each_entry(w, &object->waiters, node)
		waiter_judge(w, waiter_verdict(w->until, w->users,
					       object->state, users));
}

/**
 * refobj_waiters_unheld_locked() - a holder has gone, and builds nothing
 * @object: the object, locked
 * @holder: the holder
 */
void refobj_waiters_unheld_locked(struct refobj *object,
				  const struct refobj_mark *holder)
{
	struct refobj_waiter *w;

	list_for_each_entry(w, &object->waiters, node)
		if (w->holder == holder)
			w->holder = NULL;
}

/**
 * refobj_waiters_heir_locked() - find a new builder
 * @object: the object, locked
 * @pid: set to its process, which is kept while the lock is
 *
 * Return: the holder of the waiter that has been waiting longest and is ready to
 * build, whose wait has ended with that; or NULL.
 */
struct refobj_mark *refobj_waiters_heir_locked(struct refobj *object,
					       struct pid **pid)
{
	struct refobj_waiter *w;

	list_for_each_entry(w, &object->waiters, node) {
		if (!w->holder ||
		    !waiting_end(w->all, waiter_index(w) | REFOBJ_BUILDER))
			continue;
		*pid = task_tgid(w->all->task);
		return w->holder;
	}
	return NULL;
}

/**
 * __refobj_changed_locked() - tell of the users, and wake who waited for this
 * @object: the object, locked
 * @low: users after this step; there may be more of them by now
 * @cause: &enum refobj_cause
 * @pid: who did it, or NULL
 */
void __refobj_changed_locked(struct refobj *object, u32 low, u32 cause,
			     struct pid *pid)
{
	tell_users_locked(object, cause, pid);
	waiters_judge_locked(object, low);
}

/**
 * refobj_tell_users() - the users have changed, without the object's lock
 * @object: the object
 * @low: users after this step
 * @cause: &enum refobj_cause
 */
void refobj_tell_users(struct refobj *object, u32 low, u32 cause)
{
	spin_lock(&object->lock);
	__refobj_changed_locked(object, low, cause, task_tgid(current));
	spin_unlock(&object->lock);
}

/* Wait for a condition; @holder is ready to build, or NULL. */
static void waiter_link(struct refobj_waiter *w, struct refobj *object,
			struct refobj_mark *holder)
{
	const struct refobj_act act = refobj_act_now(REFOBJ_CAUSE_ACQUIRE);

	spin_lock(&object->lock);
	w->holder = holder;
	list_add_tail(&w->node, &object->waiters);
	if (w->until == REFOBJ_UNTIL_USERS)
		refobj_attend_locked(object);
	if (holder && object->state == REFOBJ_STATE_BUILDING &&
	    !object->builder &&
	    waiting_end(w->all, waiter_index(w) | REFOBJ_BUILDER))
		refobj_claim_locked(object, holder, &act);
	waiter_judge(w, waiter_verdict(w->until, w->users, object->state,
				       refobj_users(object)));
	spin_unlock(&object->lock);
}

/* Start to wait for one condition. */
static int waiter_start(struct refobj_session *session,
			struct refobj_waiter *w,
			const struct refobj_condition *condition)
{
	struct refobj_entry *e;
	struct refobj *object;
	int err = 0;

	w->until = condition->until;
	w->users = condition->users;
	object = refobj_session_find(session, condition->id, 4);
	if (IS_ERR(object)) {
		int verdict = waiter_verdict(w->until, 0, REFOBJ_STATE_DEAD, 0);

		/* Dead long ago is dead. */
		if (PTR_ERR(object) != -ESTALE)
			return PTR_ERR(object);
		waiter_judge(w, verdict);
		return 0;
	}
	if (condition->flags & REFOBJ_COND_BUILD) {
		/* The session keeps the holder while it is being linked. */
		xa_lock(&session->entries);
		e = refobj_session_held(session, condition->id, 2);
		err = PTR_ERR_OR_ZERO(e);
		if (!err)
			waiter_link(w, object, &e->mark);
		xa_unlock(&session->entries);
	} else {
		waiter_link(w, object, NULL);
	}
	if (err)
		refobj_put(object);
	else
		w->object = object;
	return err;
}

static void waiter_stop(struct refobj_waiter *w)
{
	struct refobj *object = w->object;

	if (!object)
		return;
	spin_lock(&object->lock);
	if (w->until == REFOBJ_UNTIL_USERS)
		refobj_unattend_locked(object);
	list_del(&w->node);
	spin_unlock(&object->lock);
	refobj_put(object);
}

/* Sleep until there is a result, a signal, or the time. */
static int waiting_sleep(struct refobj_waiting *all, u64 timeout_ns)
{
	ktime_t time = timeout_ns, *until = &time;
	int err = 0;

	if (timeout_ns > KTIME_MAX)
		until = NULL;
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (atomic_read(&all->result) != REFOBJ_WAITING || err)
			break;
		if (READ_ONCE(all->stale))
			err = -ESTALE;
		else if (signal_pending(current))
			err = -ERESTARTSYS;
		else if (!schedule_hrtimeout_range_clock(until, 0,
							 HRTIMER_MODE_ABS,
							 CLOCK_MONOTONIC))
			err = -ETIMEDOUT;
	}
	__set_current_state(TASK_RUNNING);
	return err;
}

/**
 * refobj_wait() - wait for conditions
 * @session: who may see the objects
 * @conditions: valid
 * @count: how many
 * @every: wait for each of them
 * @timeout_ns: CLOCK_MONOTONIC
 *
 * Context: sleeps.
 *
 * Return: what WAIT returns, or -ERESTARTSYS.
 */
int refobj_wait(struct refobj_session *session,
		const struct refobj_condition *conditions, u32 count,
		bool every, u64 timeout_ns)
{
	struct refobj_waiting *all;
	int ret = 0, result;
	u32 i;

	all = kzalloc(struct_size(all, waiters, count), GFP_KERNEL_ACCOUNT);
	if (!all)
		return -ENOMEM;
	all->task = current;
	all->every = every;
	atomic_set(&all->result, REFOBJ_WAITING);
	atomic_set(&all->left, every ? count : 1);
	for (i = 0; i < count; i++)
		all->waiters[i].all = all;

	xa_lock(&session->entries);
	if (session->ended)
		ret = -EOWNERDEAD;
	else
		list_add(&all->node, &session->waits);
	xa_unlock(&session->entries);
	if (ret)
		goto free;

	for (i = 0; i < count && !ret; i++)
		ret = waiter_start(session, &all->waiters[i], &conditions[i]);
	if (!ret) {
		refobj_count(waits, 1);
		ret = waiting_sleep(all, timeout_ns);
	}

	xa_lock(&session->entries);
	list_del(&all->node);
	xa_unlock(&session->entries);
	while (i--)
		waiter_stop(&all->waiters[i]);
	/* After this nobody can end it any more. A result beats all else. */
	result = atomic_read(&all->result);
	if (result != REFOBJ_WAITING)
		ret = result;
	trace_refobj_wait(session->id, conditions[0].id, conditions[0].until,
			  count, ret);
free:
	kfree(all);
	return ret;
}

/**
 * refobj_waits_end_locked() - a session has ended, and its waits with it
 * @session: the session, locked
 */
void refobj_waits_end_locked(struct refobj_session *session)
{
	struct refobj_waiting *all;

	lockdep_assert_held(&session->entries.xa_lock);

	list_for_each_entry(all, &session->waits, node)
		waiting_end(all, -EOWNERDEAD);
}
