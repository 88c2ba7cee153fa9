// SPDX-License-Identifier: GPL-2.0-only
/*
 * An object's life: its states, its users, activation and deactivation.
 */
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "refobj.h"
#include "trace.h"

/**
 * struct refobj_linger - what delays the deactivation of an object
 * @work: pending while the object lingers; holds a life then
 * @object: the object
 * @deadline: CLOCK_MONOTONIC before which it is not to be deactivated, in ns
 *	(protected by the object's lock)
 * @ms: for how long
 */
struct refobj_linger {
	struct delayed_work work;
	struct refobj *object;
	u64 deadline;
	u32 ms;
};

static struct kmem_cache *refobj_cache;
static struct workqueue_struct *refobj_wq;

/* The most users that any object ever had, for the statistics. */
static atomic_t refobj_peak = ATOMIC_INIT(0);

/**
 * refobj_users_peak() - the most users that any object ever had
 *
 * Return: the number.
 */
u32 refobj_users_peak(void)
{
	return atomic_read(&refobj_peak);
}

static void refobj_note_peak(struct refobj *object, u32 users)
{
	u32 peak = READ_ONCE(object->users_peak);
	int top;

	if (likely(users <= peak))
		return;
	while (!try_cmpxchg(&object->users_peak, &peak, users))
		if (users <= peak)
			return;

	top = atomic_read(&refobj_peak);
	do {
		if (users <= top)
			return;
	} while (!atomic_try_cmpxchg(&refobj_peak, &top, users));
}

/*
 * Life
 */

static void refobj_free_rcu(struct rcu_head *rcu)
{
	struct refobj *object = container_of(rcu, struct refobj, rcu);

	kfree(object->label);
	kfree(object->linger);
	kfree(object->links);
	refobj_content_free(object->content);
	kmem_cache_free(refobj_cache, object);
}

static void refobj_free(struct kref *life)
{
	struct refobj *object = container_of(life, struct refobj, life);

	refobj_user_put(object->owner);
	/* A lookup may be reading the name or the id still. */
	call_rcu(&object->rcu, refobj_free_rcu);
}

/**
 * refobj_get_unless_zero() - hold an object that was found under RCU
 * @object: the object
 *
 * Return: false if its memory is on the way out.
 */
bool refobj_get_unless_zero(struct refobj *object)
{
	return kref_get_unless_zero(&object->life);
}

/**
 * refobj_put() - drop a life
 * @object: the object
 *
 * Context: no lock of an object, a session or a user held, unless the caller
 * knows of another life.
 */
void refobj_put(struct refobj *object)
{
	kref_put(&object->life, refobj_free);
}

static void refobj_linger_work(struct work_struct *work);

static int refobj_linger_init(struct refobj *object, u32 ms)
{
	struct refobj_linger *linger;

	if (!ms)
		return 0;
	linger = kzalloc(sizeof(*linger), GFP_KERNEL_ACCOUNT);
	if (!linger)
		return -ENOMEM;
	INIT_DELAYED_WORK(&linger->work, refobj_linger_work);
	linger->object = object;
	linger->ms = ms;
	object->linger = linger;
	return 0;
}

/**
 * refobj_linger_ms() - for how long an object lingers
 * @object: the object
 *
 * Return: milliseconds.
 */
u32 refobj_linger_ms(const struct refobj *object)
{
	return object->linger ? object->linger->ms : 0;
}

static void refobj_uncharge_object(struct refobj *object)
{
	refobj_uncharge(object->owner, REFOBJ_QUOTA_OBJECTS, 1);
	refobj_uncharge(object->owner, REFOBJ_QUOTA_BYTES,
			strlen(object->name) + strlen(object->type));
}

/**
 * refobj_object_create() - make an object that nobody can see yet
 * @session: who makes it, owns it and is charged for it
 * @name: valid, or empty
 * @type: valid, or empty
 * @flags: REFOBJ_PERSISTENT, REFOBJ_BUILD
 * @mode: mode bits
 * @linger_ms: for how long it is to linger
 *
 * Context: may sleep.
 *
 * Return: the object, with the registry's life, for refobj_object_publish() or
 * refobj_object_discard(); or -ENOMEM, -EDQUOT.
 */
struct refobj *refobj_object_create(struct refobj_session *session,
				    const char *name, const char *type,
				    u32 flags, u32 mode, u32 linger_ms)
{
	const struct cred *cred = session->file->f_cred;
	size_t name_len = strlen(name), type_len = strlen(type);
	struct refobj_user *user = session->user;
	struct refobj *object;
	int err = -ENOMEM;

	object = kmem_cache_zalloc(refobj_cache, GFP_KERNEL_ACCOUNT);
	if (!object)
		return ERR_PTR(-ENOMEM);
	object->name = "";
	object->type = "";
	if (name_len + type_len) {
		object->label = kmalloc(name_len + type_len + 2,
					GFP_KERNEL_ACCOUNT);
		if (!object->label)
			goto free_object;
		object->name = object->label;
		object->type = object->label + name_len + 1;
		memcpy(object->label, name, name_len + 1);
		memcpy(object->label + name_len + 1, type, type_len + 1);
	}
	err = refobj_linger_init(object, linger_ms);
	if (err)
		goto free_object;

	err = refobj_charge(user, REFOBJ_QUOTA_OBJECTS, 1, session->unlimited);
	if (err)
		goto free_object;
	err = refobj_charge(user, REFOBJ_QUOTA_BYTES, name_len + type_len,
			    session->unlimited);
	if (err)
		goto uncharge_object;

	refcount_set(&object->users, 0);
	spin_lock_init(&object->lock);
	kref_init(&object->life);
	INIT_LIST_HEAD(&object->holders);
	INIT_LIST_HEAD(&object->watchers);
	INIT_LIST_HEAD(&object->waiters);
	object->registry = session->registry;
	object->owner = user;
	object->uid = cred->euid;
	object->gid = cred->egid;
	object->flags = flags;
	object->mode = mode;
	object->created_ns = ktime_get_ns();

	err = refobj_reserve(object);
	if (err)
		goto uncharge_bytes;
	kref_get(&user->ref);
	return object;

uncharge_bytes:
	refobj_uncharge(user, REFOBJ_QUOTA_BYTES, name_len + type_len);
uncharge_object:
	refobj_uncharge(user, REFOBJ_QUOTA_OBJECTS, 1);
free_object:
	kfree(object->linger);
	kfree(object->label);
	kmem_cache_free(refobj_cache, object);
	return ERR_PTR(err);
}

/**
 * refobj_object_discard() - undo refobj_object_create()
 * @object: never published
 */
void refobj_object_discard(struct refobj *object)
{
	refobj_unpublish(object);
	refobj_uncharge_object(object);
	refobj_put(object);
}

/*
 * Users
 */

/*
 * Add to the users of an object that has some, which the caller sees to; see
 * refobj_users_add_held() for why none can saturate the refcount. Edges add one each
 * and are not refused, so that an object that was activated has what it needs.
 */
static int refobj_users_add(struct refobj *object, u32 n, bool edge)
{
	int old;

	if (n > REFOBJ_USERS_MAX - refobj_users(object) && !edge)
		return -EOVERFLOW;
	if (WARN_ON_ONCE(!__refcount_add_not_zero(n, &object->users, &old)))
		return -ESTALE;
	if (unlikely(old + n > REFOBJ_USERS_MAX) && !edge) {
		WARN_ON_ONCE(refcount_sub_and_test(n, &object->users));
		return -EOVERFLOW;
	}
	refobj_note_peak(object, old + n);
	return 0;
}

/**
 * __refobj_users_add_many() - refobj_users_add_held() of more than a lockless step
 * @object: the object
 * @n: how many, at most REFOBJ_COUNT_MAX
 *
 * Return: 0, or -EOVERFLOW.
 */
int __refobj_users_add_many(struct refobj *object, u32 n)
{
	int err;

	spin_lock(&object->lock);
	err = refobj_users_add(object, n, false);
	spin_unlock(&object->lock);
	if (!err)
		refobj_users_moved(object, U32_MAX, REFOBJ_CAUSE_ACQUIRE);
	return err;
}

/**
 * __refobj_users_added() - what is seldom left to do after a lockless addition
 * @object: the object
 * @n: how many were added
 * @users: what there are now
 *
 * Return: 0, or -EOVERFLOW: others were faster, and it is undone. Meanwhile the value
 * was above the maximum, which nobody is shown.
 */
int __refobj_users_added(struct refobj *object, u32 n, u32 users)
{
	if (users > REFOBJ_USERS_MAX) {
		WARN_ON_ONCE(refcount_sub_and_test(n, &object->users));
		return -EOVERFLOW;
	}
	refobj_note_peak(object, users);
	refobj_users_moved(object, U32_MAX, REFOBJ_CAUSE_ACQUIRE);
	return 0;
}

/*
 * States. Who calls these has the object's lock, and calls refobj_settle() when
 * he has let go of it.
 */

/* From zero users to some. */
static void refobj_set_users_locked(struct refobj *object, u32 n)
{
	refcount_set(&object->users, n);
	refobj_note_peak(object, n);
}

static void refobj_activate_locked(struct refobj *object, u32 n,
				   const struct refobj_act *act)
{
	refobj_set_users_locked(object, n);
	object->activations++;
	refobj_count(activations, 1);
	if (object->flags & REFOBJ_BUILD)
		object->state = REFOBJ_STATE_BUILDING;
	else
		object->state = REFOBJ_STATE_READY;
	trace_refobj_activate(object, act);
	if (refobj_is_heard(object)) {
		refobj_event_locked(object, REFOBJ_EVENT_ACTIVATED, act, 0);
		if (object->state == REFOBJ_STATE_READY)
			refobj_event_locked(object, REFOBJ_EVENT_READY, act, 0);
	} else {
		object->event_seq += object->state == REFOBJ_STATE_READY ? 2 : 1;
	}
	refobj_unsettled_locked(object);
}

static void refobj_linger_cancel_locked(struct refobj *object)
{
	/* The caller has another life. If the work runs, it will see the state. */
	if (cancel_delayed_work(&object->linger->work))
		refobj_put(object);
}

static void refobj_linger_locked(struct refobj *object)
{
	struct refobj_linger *linger = object->linger;

	object->state = REFOBJ_STATE_LINGERING;
	linger->deadline = ktime_get_ns() + (u64)linger->ms * NSEC_PER_MSEC;
	if (queue_delayed_work(refobj_wq, &linger->work,
			       msecs_to_jiffies(linger->ms)))
		kref_get(&object->life);
}

/* The caller puts the registry's life after it let go of the lock. */
static void refobj_kill_locked(struct refobj *object,
			       const struct refobj_act *act)
{
	refobj_unpublish(object);
	object->state = REFOBJ_STATE_DEAD;
	refobj_uncharge_object(object);
	refobj_count(destroyed, 1);
	trace_refobj_destroy(object, act);
	refobj_watchers_end_locked(object, act);
	refobj_changed_locked(object, act);
	refobj_unsettled_locked(object);
}

static int refobj_deactivate_locked(struct refobj *object,
				    const struct refobj_act *act)
{
	object->deactivations++;
	refobj_count(deactivations, 1);
	trace_refobj_deactivate(object, act);
	refobj_content_drop_locked(object);
	object->state = REFOBJ_STATE_IDLE;
	/* The users first: a transient object takes its watches with it. */
	refobj_changed_locked(object, act);
	refobj_event_locked(object, REFOBJ_EVENT_DEACTIVATED, act, 0);
	if (!(object->flags & REFOBJ_PERSISTENT)) {
		refobj_kill_locked(object, act);
		return REFOBJ_UNHELD_LAST | REFOBJ_UNHELD_KILLED;
	}
	refobj_unsettled_locked(object);
	return REFOBJ_UNHELD_LAST;
}

static void refobj_linger_work(struct work_struct *work)
{
	struct refobj_linger *linger =
		container_of(work, struct refobj_linger, work.work);
	const struct refobj_act act = { .cause = REFOBJ_CAUSE_LINGER };
	struct refobj *object = linger->object;
	bool again = false;
	int done = 0;
	u64 now;

	spin_lock(&object->lock);
	if (object->state == REFOBJ_STATE_LINGERING) {
		/*
		 * It is early if an acquire came and went, and then may be queued
		 * already; or because jiffies are coarse, and late on a busy machine.
		 */
		now = ktime_get_ns();
		if (now < linger->deadline)
			again = queue_delayed_work(refobj_wq, &linger->work,
						   nsecs_to_jiffies(linger->deadline - now) + 1);
		else
			done = refobj_deactivate_locked(object, &act);
	}
	spin_unlock(&object->lock);
	refobj_settle(object->registry);
	/* The work that is queued again has our life of the object. */
	if (again)
		return;
	if (done & REFOBJ_UNHELD_KILLED)
		refobj_put(object);
	refobj_put(object);
}

/**
 * refobj_object_destroy() - remove an object that nobody uses
 * @object: the object; the caller has a life
 * @cause: &enum refobj_cause
 *
 * Context: may sleep.
 *
 * Return: 0, -ESTALE if it is dead, -EBUSY if it has users.
 */
int refobj_object_destroy(struct refobj *object, u32 cause)
{
	const struct refobj_act act = refobj_act_now(cause);
	int err = 0, done = 0;

	spin_lock(&object->lock);
	switch (object->state) {
	case REFOBJ_STATE_LINGERING:
		refobj_linger_cancel_locked(object);
		done = refobj_deactivate_locked(object, &act);
		fallthrough;
	case REFOBJ_STATE_IDLE:
		if (!(done & REFOBJ_UNHELD_KILLED))
			refobj_kill_locked(object, &act);
		break;
	case REFOBJ_STATE_DEAD:
		err = -ESTALE;
		break;
	default:
		err = -EBUSY;
	}
	spin_unlock(&object->lock);
	if (!err) {
		refobj_settle(object->registry);
		refobj_put(object);
	}
	return err;
}

static void refobj_add_holder_locked(struct refobj *object,
				     struct refobj_mark *holder)
{
	kref_get(&object->life);
	holder->seq = ++object->holder_seq;
	list_add_tail(&holder->node, &object->holders);
	object->nr_holders++;
}

/**
 * refobj_claim_locked() - become the builder
 * @object: the object, locked
 * @holder: a session's, that may write the object
 * @act: why
 *
 * Return: true if the object is building and had no builder.
 */
bool refobj_claim_locked(struct refobj *object, struct refobj_mark *holder,
			 const struct refobj_act *act)
{
	lockdep_assert_held(&object->lock);

	if (object->state != REFOBJ_STATE_BUILDING || object->builder)
		return false;
	object->builder = holder;
	refobj_event_locked(object, REFOBJ_EVENT_BUILDER_CHANGED, act, 0);
	return true;
}

/* The builder has gone: one of those that wait for it takes over. */
static void refobj_unclaim_locked(struct refobj *object,
				  const struct refobj_act *act)
{
	struct refobj_act heir = { .cause = act->cause };

	object->builder = refobj_waiters_heir_locked(object, &heir.pid);
	refobj_event_locked(object, REFOBJ_EVENT_BUILDER_CHANGED, &heir, 0);
}

/**
 * refobj_ready_locked() - what was to be built is there
 * @object: the object, locked
 * @holder: who says so
 * @act: why
 *
 * Return: 0, or -EPERM: @holder is not the builder.
 */
int refobj_ready_locked(struct refobj *object, struct refobj_mark *holder,
			const struct refobj_act *act)
{
	lockdep_assert_held(&object->lock);

	if (object->builder != holder)
		return -EPERM;
	object->builder = NULL;
	object->state = REFOBJ_STATE_READY;
	trace_refobj_publish(object, act);
	refobj_event_locked(object, REFOBJ_EVENT_READY, act, 0);
	refobj_changed_locked(object, act);
	refobj_count(publishes, 1);
	return 0;
}

/**
 * refobj_hold_locked() - take a new holder's references
 * @object: the object, locked
 * @holder: linked on success; it then has a life
 * @n: how many references, at most REFOBJ_COUNT_MAX
 * @how: REFOBJ_HOLD_*
 * @act: why
 *
 * Return: REFOBJ_FIRST if this activated the object, and REFOBJ_BUILDER if
 * @holder is now its builder; else 0, or -ESTALE, -EAGAIN, -EOVERFLOW.
 */
int refobj_hold_locked(struct refobj *object, struct refobj_mark *holder,
		       u32 n, u32 how, const struct refobj_act *act)
{
	int ret = 0;

	lockdep_assert_held(&object->lock);

	switch (object->state) {
	case REFOBJ_STATE_BUILDING:
	case REFOBJ_STATE_READY:
		ret = refobj_users_add(object, n, how & REFOBJ_HOLD_EDGE);
		if (ret)
			return ret;
		break;
	case REFOBJ_STATE_LINGERING:
		refobj_linger_cancel_locked(object);
		object->state = REFOBJ_STATE_READY;
		refobj_set_users_locked(object, n);
		break;
	case REFOBJ_STATE_IDLE:
		if (how & REFOBJ_HOLD_NOT_ZERO)
			return -EAGAIN;
		refobj_activate_locked(object, n, act);
		ret = REFOBJ_FIRST;
		break;
	default:
		return -ESTALE;
	}
	refobj_add_holder_locked(object, holder);
	if (how & REFOBJ_HOLD_BUILD && refobj_claim_locked(object, holder, act))
		ret |= REFOBJ_BUILDER;
	refobj_changed_locked(object, act);
	return ret;
}

/**
 * refobj_unhold_locked() - drop all of a holder's references
 * @object: the object, locked
 * @holder: unlinked; its life is left to the caller
 * @n: how many references it had
 * @act: why
 *
 * Return: REFOBJ_UNHELD_*
 */
int refobj_unhold_locked(struct refobj *object, struct refobj_mark *holder,
			 u32 n, const struct refobj_act *act)
{
	bool last;
	int old;

	lockdep_assert_held(&object->lock);

	list_del(&holder->node);
	object->nr_holders--;
	last = __refcount_sub_and_test(n, &object->users, &old);
	if (act->cause == REFOBJ_CAUSE_EXIT || act->cause > REFOBJ_CAUSE_SIGNAL)
		refobj_event_locked(object, REFOBJ_EVENT_HOLDER_DIED, act, n);
	refobj_waiters_unheld_locked(object, holder);
	if (last)
		object->builder = NULL;
	else if (object->builder == holder)
		refobj_unclaim_locked(object, act);
	if (last && !(object->linger && object->state == REFOBJ_STATE_READY))
		return refobj_deactivate_locked(object, act);
	if (last)
		refobj_linger_locked(object);
	refobj_dropped_locked(object, old - n, act);
	return 0;
}

/**
 * refobj_object_publish() - let a new object be found
 * @object: from refobj_object_create()
 * @holder: its first holder, linked on success, or NULL
 * @n: the holder's references
 * @how: REFOBJ_HOLD_*
 *
 * Return: as refobj_hold_locked(), or -EEXIST if the name is taken, -ENOMEM; the
 * object is still the caller's then.
 */
int refobj_object_publish(struct refobj *object, struct refobj_mark *holder,
			  u32 n, u32 how)
{
	const struct refobj_act act = refobj_act_now(REFOBJ_CAUSE_ACQUIRE);
	int ret;

	spin_lock(&object->lock);
	ret = refobj_publish(object);
	if (!ret) {
		refobj_count(created, 1);
		trace_refobj_create(object);
		object->state = REFOBJ_STATE_IDLE;
		if (holder)
			ret = refobj_hold_locked(object, holder, n, how, &act);
	}
	spin_unlock(&object->lock);
	return ret;
}

/**
 * refobj_object_flush() - wait for what is being deactivated after its linger time
 */
void refobj_object_flush(void)
{
	flush_workqueue(refobj_wq);
}

/**
 * refobj_object_init() - set up
 *
 * Return: 0 or -ENOMEM.
 */
int __init refobj_object_init(void)
{
	refobj_cache = KMEM_CACHE(refobj, SLAB_ACCOUNT | SLAB_NO_MERGE);
	if (!refobj_cache)
		return -ENOMEM;
	refobj_wq = alloc_workqueue("refobj", WQ_UNBOUND, 0);
	if (!refobj_wq) {
		kmem_cache_destroy(refobj_cache);
		return -ENOMEM;
	}
	return 0;
}

/**
 * refobj_object_exit() - tear down, after the last object
 */
void refobj_object_exit(void)
{
	destroy_workqueue(refobj_wq);
	/* refobj_free_rcu() is code and cache of this module. */
	rcu_barrier();
	kmem_cache_destroy(refobj_cache);
}
