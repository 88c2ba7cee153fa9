// SPDX-License-Identifier: GPL-2.0-only
/*
 * An object's life: its states, its users, activation and deactivation.
 */
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat.h"
#include "refobj.h"

static struct kmem_cache *refobj_cache;

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
 * Context: no lock of an object, a session or a user held.
 */
void refobj_put(struct refobj *object)
{
	kref_put(&object->life, refobj_free);
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
 * @flags: REFOBJ_PERSISTENT or 0
 * @mode: mode bits
 *
 * Context: may sleep.
 *
 * Return: the object, with the registry's life, for refobj_object_publish() or
 * refobj_object_discard(); or -ENOMEM, -EDQUOT.
 */
struct refobj *refobj_object_create(struct refobj_session *session,
				    const char *name, const char *type,
				    u32 flags, u32 mode)
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

/* The caller puts the registry's life after it let go of the lock. */
static void refobj_kill_locked(struct refobj *object)
{
	lockdep_assert_held(&object->lock);

	refobj_unpublish(object);
	object->state = REFOBJ_STATE_DEAD;
	refobj_uncharge_object(object);
	refobj_count(destroyed, 1);
}

/**
 * refobj_object_destroy() - remove an idle object
 * @object: the object; the caller has a life
 *
 * Return: 0, -ESTALE if it is dead, -EBUSY if it has users.
 */
int refobj_object_destroy(struct refobj *object)
{
	int err = 0;

	spin_lock(&object->lock);
	if (object->state == REFOBJ_STATE_DEAD)
		err = -ESTALE;
	else if (object->state != REFOBJ_STATE_IDLE)
		err = -EBUSY;
	else
		refobj_kill_locked(object);
	spin_unlock(&object->lock);
	if (!err)
		refobj_put(object);
	return err;
}

/*
 * Users
 */

/**
 * refobj_users() - the users of an object
 * @object: the object
 *
 * Return: the number; see refobj_users_add() for why it is capped.
 */
u32 refobj_users(const struct refobj *object)
{
	return min_t(u32, refcount_read(&object->users), REFOBJ_USERS_MAX);
}

/*
 * Add to the users of an object that has some, which the caller sees to.
 *
 * No user can saturate the refcount. A step is checked against
 * REFOBJ_USERS_MAX = 2^29 first; between the check and the addition other tasks
 * may add what they checked. A lockless step adds at most 2^8, and there are at
 * most PID_MAX_LIMIT = 2^22 tasks to be caught there: 2^30 together. A larger
 * step, of at most 2^16, is checked and added under the object's lock, so there
 * is one of those. 2^29 + 2^30 + 2^16 is less than INT_MAX, where refcount_t
 * saturates; <linux/refcount.h> argues likewise for the values beyond. The sums
 * of a session are bounded by @users, so they cannot wrap either.
 *
 * Who was overtaken takes his step back and is refused. Meanwhile the value is
 * above the maximum, which nobody is shown.
 */
static int refobj_users_add(struct refobj *object, u32 n)
{
	int old;

	if (n > REFOBJ_USERS_MAX - refobj_users(object))
		return -EOVERFLOW;
	if (WARN_ON_ONCE(!__refcount_add_not_zero(n, &object->users, &old)))
		return -ESTALE;
	if (unlikely(old + n > REFOBJ_USERS_MAX)) {
		WARN_ON_ONCE(refcount_sub_and_test(n, &object->users));
		return -EOVERFLOW;
	}
	refobj_note_peak(object, old + n);
	return 0;
}

/**
 * refobj_users_add_held() - take references where some are held
 * @object: the object
 * @n: how many, at most REFOBJ_COUNT_MAX
 *
 * Context: under the lock of a session that holds a reference, which keeps the
 * users from zero.
 *
 * Return: 0, or -EOVERFLOW.
 */
int refobj_users_add_held(struct refobj *object, u32 n)
{
	int err;

	if (n <= REFOBJ_LOCKLESS_MAX)
		return refobj_users_add(object, n);
	spin_lock(&object->lock);
	err = refobj_users_add(object, n);
	spin_unlock(&object->lock);
	return err;
}

/**
 * refobj_users_sub_held() - drop references where some remain held
 * @object: the object
 * @n: how many
 *
 * Context: under the lock of a session that holds more than @n.
 */
void refobj_users_sub_held(struct refobj *object, u32 n)
{
	WARN_ON_ONCE(refcount_sub_and_test(n, &object->users));
}

static void refobj_activate_locked(struct refobj *object, u32 n)
{
	object->state = REFOBJ_STATE_READY;
	object->activations++;
	refcount_set(&object->users, n);
	refobj_note_peak(object, n);
	refobj_count(activations, 1);
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
 * refobj_hold_locked() - take a new holder's references
 * @object: the object, locked
 * @holder: linked on success; it then has a life
 * @n: how many references, at most REFOBJ_COUNT_MAX
 * @not_zero: refuse rather than activate
 *
 * Return: 1 if this activated the object, 0 if it had users; -ESTALE, -EAGAIN,
 * -EOVERFLOW.
 */
int refobj_hold_locked(struct refobj *object, struct refobj_mark *holder,
		       u32 n, bool not_zero)
{
	bool first = false;
	int err;

	lockdep_assert_held(&object->lock);

	switch (object->state) {
	case REFOBJ_STATE_READY:
		err = refobj_users_add(object, n);
		if (err)
			return err;
		break;
	case REFOBJ_STATE_IDLE:
		if (not_zero)
			return -EAGAIN;
		refobj_activate_locked(object, n);
		first = true;
		break;
	default:
		return -ESTALE;
	}
	refobj_add_holder_locked(object, holder);
	return first;
}

/**
 * refobj_unhold_locked() - drop all of a holder's references
 * @object: the object, locked
 * @holder: unlinked; its life is left to the caller
 * @n: how many references it had
 *
 * Return: 1 if this was the last release; 2 if the object has died of it, and
 * the caller must put the registry's life too; else 0.
 */
int refobj_unhold_locked(struct refobj *object, struct refobj_mark *holder,
			 u32 n)
{
	lockdep_assert_held(&object->lock);

	list_del(&holder->node);
	object->nr_holders--;
	if (!refcount_sub_and_test(n, &object->users))
		return 0;
	object->deactivations++;
	refobj_count(deactivations, 1);
	if (object->flags & REFOBJ_PERSISTENT) {
		object->state = REFOBJ_STATE_IDLE;
		return 1;
	}
	refobj_kill_locked(object);
	return 2;
}

/**
 * refobj_object_publish() - let a new object be found
 * @object: from refobj_object_create()
 * @holder: its first holder, linked on success, or NULL
 * @n: the holder's references
 *
 * Return: 0, -EEXIST if the name is taken, -ENOMEM; the object is still the
 * caller's then.
 */
int refobj_object_publish(struct refobj *object, struct refobj_mark *holder,
			  u32 n)
{
	int err;

	spin_lock(&object->lock);
	err = refobj_publish(object);
	if (!err) {
		refobj_count(created, 1);
		object->state = REFOBJ_STATE_IDLE;
		if (holder) {
			refobj_activate_locked(object, n);
			refobj_add_holder_locked(object, holder);
		}
	}
	spin_unlock(&object->lock);
	return err;
}

/**
 * refobj_object_init() - set up
 *
 * Return: 0 or -ENOMEM.
 */
int __init refobj_object_init(void)
{
	refobj_cache = KMEM_CACHE(refobj, SLAB_ACCOUNT | SLAB_NO_MERGE);
	return refobj_cache ? 0 : -ENOMEM;
}

/**
 * refobj_object_exit() - tear down, after the last object
 */
void refobj_object_exit(void)
{
	/* refobj_free_rcu() is code and cache of this module. */
	rcu_barrier();
	kmem_cache_destroy(refobj_cache);
}
