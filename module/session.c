// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: who owns references, how they come and go, and what becomes of
 * them when the owner dies.
 */
#include <linux/capability.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/user_namespace.h>
#include <net/net_namespace.h>

#include "compat.h"
#include "refobj.h"
#include "trace.h"

static struct kmem_cache *refobj_entry_cache;
static atomic64_t refobj_last_session = ATOMIC64_INIT(0);

/*
 * Quota of references
 */

/*
 * A pair of acquire and release must not write the account that all processes
 * of a uid share: what a session releases it keeps charged, up to a bound, for
 * what it acquires next.
 */
static __always_inline int session_charge(struct refobj_session *s, u32 n)
{
	int err;

	lockdep_assert_held(&s->entries.xa_lock);

	if (s->slack >= n) {
		s->slack -= n;
		return 0;
	}
	err = refobj_charge(s->user, REFOBJ_QUOTA_REFERENCES, n - s->slack,
			    s->unlimited);
	if (!err)
		s->slack = 0;
	return err;
}

static void session_uncharge(struct refobj_session *s, u32 n)
{
	lockdep_assert_held(&s->entries.xa_lock);

	s->slack += n;
	if (s->slack > REFOBJ_SLACK_MAX) {
		refobj_uncharge(s->user, REFOBJ_QUOTA_REFERENCES,
				s->slack - REFOBJ_SLACK_MAX / 2);
		s->slack = REFOBJ_SLACK_MAX / 2;
	}
}

/*
 * Before anybody is refused, all sessions of the uid give back what they keep.
 * True if that was something, and worth another try.
 */
static bool session_reclaim(struct refobj_user *user)
{
	struct refobj_session *s;
	bool some = false;

	/* Who dies is not told, and must not go on for ever. */
	if (fatal_signal_pending(current))
		return false;

	spin_lock(&user->lock);
	list_for_each_entry(s, &user->sessions, user_node) {
		if (!READ_ONCE(s->slack))
			continue;
		xa_lock(&s->entries);
		if (s->slack) {
			refobj_uncharge(user, REFOBJ_QUOTA_REFERENCES, s->slack);
			s->slack = 0;
			some = true;
		}
		xa_unlock(&s->entries);
	}
	spin_unlock(&user->lock);
	return some;
}

/**
 * refobj_session_charge() - charge references that are no session's
 * @session: that makes them
 * @n: how many; given back with refobj_uncharge()
 *
 * Return: 0 or -EDQUOT.
 */
int refobj_session_charge(struct refobj_session *session, u32 n)
{
	int err;

	do {
		err = refobj_charge(session->user, REFOBJ_QUOTA_REFERENCES, n,
				    session->unlimited);
	} while (err && session_reclaim(session->user));
	return err;
}

/*
 * Permission
 */

static bool session_in_group(const struct cred *cred, kgid_t gid)
{
	const struct group_info *groups = cred->group_info;
	int low = 0, high = groups->ngroups;

	if (gid_eq(cred->egid, gid))
		return true;
	/* The kernel keeps the groups sorted. */
	while (low < high) {
		int mid = low + (high - low) / 2;

		if (gid_eq(groups->gid[mid], gid))
			return true;
		if (gid_lt(groups->gid[mid], gid))
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

/**
 * refobj_file_may() - does the mode of an object let who opened a file do something?
 * @file: judged by the credentials that opened it, so that a privileged process that
 *	is handed it does not lend it its privilege
 * @object: the object
 * @want: 4 to read, 2 to write
 *
 * Return: true if so.
 */
bool refobj_file_may(const struct file *file, const struct refobj *object,
		     u32 want)
{
	struct user_namespace *ns = object->registry->net->user_ns;
	const struct cred *cred = file->f_cred;
	u32 mode = object->mode;

	if (uid_eq(cred->euid, object->uid))
		mode >>= 6;
	else if (session_in_group(cred, object->gid))
		mode >>= 3;
	if ((mode & want) == want)
		return true;
	return kuid_has_mapping(ns, object->uid) &&
	       kgid_has_mapping(ns, object->gid) &&
	       file_ns_capable(file, ns, CAP_DAC_OVERRIDE);
}

/**
 * refobj_session_may() - does the mode of an object let a session do something?
 * @session: the session, which is as its file is
 * @object: the object
 * @want: 4 to read, 2 to write
 *
 * Return: true if so.
 */
bool refobj_session_may(struct refobj_session *session,
			const struct refobj *object, u32 want)
{
	return refobj_file_may(session->file, object, want);
}

/*
 * Processes
 */

/**
 * refobj_process_new() - the current process, to be remembered
 *
 * Return: it, for refobj_process_put(), or NULL.
 */
struct refobj_process *refobj_process_new(void)
{
	struct refobj_process *process;

	process = kmalloc(sizeof(*process), GFP_KERNEL_ACCOUNT);
	if (!process)
		return NULL;
	process->pid = get_pid(task_tgid(current));
	process->start_ns = current->group_leader->start_boottime;
	get_task_comm(process->comm, current->group_leader);
	return process;
}

static void process_free_rcu(struct rcu_head *rcu)
{
	struct refobj_process *process =
		container_of(rcu, struct refobj_process, rcu);

	put_pid(process->pid);
	kfree(process);
}

/**
 * refobj_process_put() - forget a process
 * @process: nobody finds it any more; who has found it under RCU may still look
 */
void refobj_process_put(struct refobj_process *process)
{
	call_rcu(&process->rcu, process_free_rcu);
}

/**
 * refobj_process_nr() - the number of a process
 * @process: kept by the caller
 *
 * Return: its number in the current pid namespace; 0 if it has none there, or
 * is gone: the number may be another's by now.
 */
pid_t refobj_process_nr(const struct refobj_process *process)
{
	pid_t nr = 0;

	rcu_read_lock();
	if (pid_task(process->pid, PIDTYPE_TGID))
		nr = pid_nr_ns(process->pid, task_active_pid_ns(current));
	rcu_read_unlock();
	return nr;
}

/**
 * refobj_process_tell() - tell of a process that holds something
 * @process: kept by the caller
 * @record: where to
 */
void refobj_process_tell(const struct refobj_process *process,
			 struct refobj_holder *record)
{
	struct task_struct *task;

	record->start_ns = process->start_ns;
	rcu_read_lock();
	task = pid_task(process->pid, PIDTYPE_TGID);
	if (task) {
		record->pid = refobj_process_nr(process);
		get_task_comm(record->comm, task);
	} else {
		memcpy(record->comm, process->comm, sizeof(record->comm));
	}
	rcu_read_unlock();
}

/*
 * Entries
 */

/* The way to it is as long as its slot is large, but for the one found last. */
static struct refobj_entry *session_find(struct refobj_session *s, u64 id)
{
	struct refobj_entry *e = s->last;

	lockdep_assert_held(&s->entries.xa_lock);

	if (e && e->id == id)
		return e;
	/* In its slot is what is parked. */
	if (s->parked && s->parked_id == id)
		return NULL;
	e = xa_load(&s->entries, refobj_slot(id));
	/* An id of old may have had this slot. */
	if (!e || e->id != id)
		return NULL;
	s->last = e;
	return e;
}

/**
 * refobj_session_lacks() - why a session has no entry of an object
 * @session: the session, not locked
 * @id: the object
 * @err: what to say if the object is there
 *
 * Return: -ENOENT, -ESTALE, or @err.
 */
int refobj_session_lacks(struct refobj_session *session, u64 id, int err)
{
	struct refobj *object = refobj_find_id(session->registry, id);

	if (IS_ERR(object))
		return PTR_ERR(object);
	refobj_put(object);
	return err;
}

/**
 * refobj_session_find() - find an object by its id
 * @session: who asks
 * @id: the object
 * @want: 4 to read, 2 to write. What is held may be read
 *
 * Return: the object, with a life for the caller; -ENOENT, -ESTALE, -EACCES.
 */
struct refobj *refobj_session_find(struct refobj_session *session, u64 id,
				   u32 want)
{
	struct refobj *object = refobj_find_id(session->registry, id);
	bool held = false;

	if (IS_ERR(object) || refobj_session_may(session, object, want))
		return object;
	if (want == 4) {
		xa_lock(&session->entries);
		held = session_find(session, id);
		xa_unlock(&session->entries);
	}
	if (held)
		return object;
	refobj_put(object);
	return ERR_PTR(-EACCES);
}

/**
 * refobj_session_held() - the entry of an object that a session holds
 * @session: the session, locked
 * @id: the object
 * @want: 2 to write, or 0
 *
 * Return: the entry; -EPERM: the session does not hold the object, see
 * refobj_session_lacks(); -EACCES.
 */
struct refobj_entry *refobj_session_held(struct refobj_session *session, u64 id,
					 u32 want)
{
	struct refobj_entry *e = session_find(session, id);

	if (!e)
		return ERR_PTR(-EPERM);
	return refobj_session_may(session, e->object, want) ? e :
							      ERR_PTR(-EACCES);
}

static bool type_matches(const struct refobj *object, const char *type)
{
	return !*type || !strcmp(object->type, type);
}

static struct refobj_entry *session_new_entry(struct refobj_session *s,
					      struct refobj *object, u32 n)
{
	struct refobj_entry *e;

	e = kmem_cache_zalloc(refobj_entry_cache, GFP_KERNEL_ACCOUNT);
	if (!e)
		return NULL;
	e->mark.kind = REFOBJ_HOLDER_SESSION;
	e->id = object->id;
	e->object = object;
	e->session = s;
	e->since_ns = ktime_get_ns();
	e->count = n;
	return e;
}

/* The entry is in the object's list: count it. */
static void session_linked(struct refobj_session *s, struct refobj_entry *e)
{
	s->nr_entries++;
	s->references += e->count;
	refobj_count(references_acquired, e->count);
	trace_refobj_acquire(e->object, REFOBJ_HOLDER_SESSION, s->id, e->count,
			     0, REFOBJ_CAUSE_ACQUIRE);
}

/*
 * Unlink an entry from its object and drop its references. The caller takes it out
 * of @s->entries and calls session_free_entry() without any lock, or parks it.
 */
static int session_unlink(struct refobj_session *s, struct refobj_entry *e,
			  const struct refobj_act *act)
{
	int done;

	lockdep_assert_held(&s->entries.xa_lock);

	if (s->last == e)
		s->last = NULL;
	s->nr_entries--;
	s->references -= e->count;
	session_uncharge(s, e->count);
	spin_lock(&e->object->lock);
	if (act->cause == REFOBJ_CAUSE_RELEASE)
		trace_refobj_release(e->object, REFOBJ_HOLDER_SESSION, s->id,
				     e->count, e->count, act->cause);
	else
		trace_refobj_drop(e->object, REFOBJ_HOLDER_SESSION, s->id,
				  e->count, e->count, act->cause);
	done = refobj_unhold_locked(e->object, &e->mark, e->count, act);
	spin_unlock(&e->object->lock);
	e->killed = done & REFOBJ_UNHELD_KILLED;
	return done & REFOBJ_UNHELD_LAST;
}

static void session_free_why(struct refobj_session *s,
			     struct refobj_why __rcu **slot)
{
	struct refobj_why *why = rcu_dereference_protected(*slot, true);

	if (!why)
		return;
	refobj_uncharge(s->user, REFOBJ_QUOTA_BYTES, why->len);
	RCU_INIT_POINTER(*slot, NULL);
	kfree_rcu(why, rcu);
}

/* All that an entry has but its own memory. */
static void session_empty_entry(struct refobj_session *s, struct refobj_entry *e)
{
	if (e->killed)
		refobj_put(e->object);	/* the registry's */
	refobj_put(e->object);
	session_free_why(s, &e->why);
}

static void session_free_entry(struct refobj_session *s, struct refobj_entry *e)
{
	session_empty_entry(s, e);
	kmem_cache_free(refobj_entry_cache, e);
}

/*
 * Who drops his last reference often comes back for it. What he would have to free,
 * and then to make again, stays where it is: for one object of each session, the one
 * that was let go of last. It keeps the object's memory, but nothing else of it.
 */
static struct refobj_entry *session_park(struct refobj_session *s,
					 struct refobj_entry *e)
{
	struct refobj_entry *old = s->parked;

	lockdep_assert_held(&s->entries.xa_lock);

	if (old)
		__xa_erase(&s->entries, refobj_slot(s->parked_id));
	session_free_why(s, &e->why);
	s->parked = e;
	s->parked_id = e->id;
	e->id = 0;
	return old;
}

/* Nothing is parked any more; the caller frees what was. */
static struct refobj_entry *session_unpark(struct refobj_session *s)
{
	struct refobj_entry *e = s->parked;

	lockdep_assert_held(&s->entries.xa_lock);

	if (e)
		__xa_erase(&s->entries, refobj_slot(s->parked_id));
	s->parked = NULL;
	return e;
}

/* Be the builder of what the session holds already, if one is wanted. */
static noinline int session_claim(struct refobj_session *s, struct refobj_entry *e)
{
	const struct refobj_act act = refobj_act_now(REFOBJ_CAUSE_ACQUIRE);
	struct refobj *object = e->object;
	bool claimed;

	lockdep_assert_held(&s->entries.xa_lock);

	if (!refobj_session_may(s, object, 2))
		return 0;
	spin_lock(&object->lock);
	claimed = refobj_claim_locked(object, &e->mark, &act);
	spin_unlock(&object->lock);
	return claimed ? REFOBJ_BUILDER : 0;
}

/* Out of the way of what is not traced. */
static noinline void session_trace_acquire(struct refobj_session *s,
					   struct refobj_entry *e, u32 n)
{
	trace_refobj_acquire(e->object, REFOBJ_HOLDER_SESSION, s->id, n, 0,
			     REFOBJ_CAUSE_ACQUIRE);
}

static noinline void session_trace_release(struct refobj_session *s,
					   struct refobj_entry *e, u32 n)
{
	trace_refobj_release(e->object, REFOBJ_HOLDER_SESSION, s->id, n, n,
			     REFOBJ_CAUSE_RELEASE);
}

/* Take more of what the session holds already; the caller adds to its sum. */
static __always_inline int session_acquire_held(struct refobj_session *s,
						struct refobj_entry *e, u32 n,
						u32 how)
{
	int err;

	err = session_charge(s, n);
	if (err)
		return err;
	err = refobj_users_add_held(e->object, n);
	if (err) {
		session_uncharge(s, n);
		return err;
	}
	WRITE_ONCE(e->count, e->count + n);
	if (trace_refobj_acquire_enabled())
		session_trace_acquire(s, e, n);
	return unlikely(how & REFOBJ_HOLD_BUILD) ? session_claim(s, e) : 0;
}

/* May the session become a holder of what it has found? */
static int session_admits(struct refobj_session *s, const struct refobj *object,
			  const char *type)
{
	if (!refobj_session_may(s, object, 4))
		return -EACCES;
	return type_matches(object, type) ? 0 : -EPROTOTYPE;
}

static u32 session_how(struct refobj_session *s, const struct refobj *object,
		       u32 how)
{
	if (how & REFOBJ_HOLD_BUILD && !refobj_session_may(s, object, 2))
		how &= ~REFOBJ_HOLD_BUILD;
	return how;
}

/* Take the first references again; @checked: the caller has seen to permission. */
static noinline int session_acquire_parked(struct refobj_session *s, bool checked,
					   u32 n, u32 how, const char *type)
{
	const struct refobj_act act = refobj_act_now(REFOBJ_CAUSE_ACQUIRE);
	struct refobj_entry *e = s->parked;
	struct refobj *object = e->object;
	int ret = 0;

	lockdep_assert_held(&s->entries.xa_lock);

	if (s->ended)
		return -EOWNERDEAD;
	spin_lock(&object->lock);
	if (object->state == REFOBJ_STATE_DEAD)
		ret = -ESTALE;
	else if (!checked)
		ret = session_admits(s, object, type);
	if (!ret)
		ret = session_charge(s, n);
	if (ret)
		goto unlock;
	/* Who looks at the holders sees it from here on. */
	e->since_ns = ktime_get_ns();
	e->count = n;
	ret = refobj_hold_locked(object, &e->mark, n,
				 session_how(s, object, how), &act);
	if (ret < 0)
		session_uncharge(s, n);
unlock:
	spin_unlock(&object->lock);
	if (ret < 0)
		return ret;
	e->id = s->parked_id;
	s->parked = NULL;
	session_linked(s, e);
	/* The holder has a life of its own, so this is not the last. */
	refobj_put(object);
	return ret;
}

/*
 * Take the first references of the session; -EBUSY if it turns out to hold. Not
 * inlined, as all that is not taking more of what is held: its locals would cost
 * the way that matters.
 */
static noinline int session_acquire_new(struct refobj_session *s,
					struct refobj *object, u32 n, u32 how)
{
	const struct refobj_act act = refobj_act_now(REFOBJ_CAUSE_ACQUIRE);
	struct refobj_entry *e, *old;
	int ret;

	e = session_new_entry(s, object, n);
	if (!e)
		return -ENOMEM;

	xa_lock(&s->entries);
	old = session_unpark(s);
	/* May drop the lock, but before it looks whether the slot is free. */
	ret = __xa_insert(&s->entries, refobj_slot(e->id), e,
			  GFP_KERNEL_ACCOUNT);
	if (ret)
		goto unlock;
	ret = s->ended ? -EOWNERDEAD : session_charge(s, n);
	if (ret)
		goto erase;
	spin_lock(&object->lock);
	ret = refobj_hold_locked(object, &e->mark, n, how, &act);
	spin_unlock(&object->lock);
	if (ret < 0) {
		session_uncharge(s, n);
		goto erase;
	}
	session_linked(s, e);
	xa_unlock(&s->entries);
	refobj_settle(s->registry);
	goto free_old;

erase:
	__xa_erase(&s->entries, refobj_slot(e->id));
unlock:
	xa_unlock(&s->entries);
	kmem_cache_free(refobj_entry_cache, e);
free_old:
	if (old)
		session_free_entry(s, old);
	return ret;
}

/* What is not held may be parked; else -ENOENT. */
static noinline int session_acquire_again(struct refobj_session *s, u64 id, u32 n)
	__releases(&s->entries.xa_lock)
{
	int ret = -ENOENT;

	if (s->parked && s->parked_id == id)
		ret = session_acquire_parked(s, false, n, 0, "");
	xa_unlock(&s->entries);
	refobj_settle(s->registry);
	return ret;
}

/**
 * refobj_session_acquire_held() - take more of what the session holds, or held last
 * @session: for whom
 * @id: the object
 * @n: how many, 1 to REFOBJ_COUNT_MAX
 *
 * The shortest way of what is done most; refobj_session_acquire() knows all others.
 *
 * Return: REFOBJ_FIRST or 0, or a negative errno: to be done the other way, and told
 * by that.
 */
int refobj_session_acquire_held(struct refobj_session *session, u64 id, u32 n)
{
	struct refobj_entry *e;
	int ret;

	xa_lock(&session->entries);
	e = session_find(session, id);
	if (!e)
		return session_acquire_again(session, id, n);
	ret = session_acquire_held(session, e, n, 0);
	if (!ret) {
		session->references += n;
		refobj_count(references_acquired, n);
	}
	xa_unlock(&session->entries);
	return ret;
}

/**
 * refobj_session_acquire() - take references
 * @session: for whom
 * @id: the object
 * @object: the object if the caller has found it (and has a life), else NULL;
 *	permission and type have been checked then
 * @n: how many, 1 to REFOBJ_COUNT_MAX
 * @how: REFOBJ_HOLD_*; who may not write the object does not build it
 * @type: the type demanded, or empty; only if @object is NULL
 *
 * What is held may be held again: permission is asked of a new holder only.
 *
 * Context: may sleep.
 *
 * Return: REFOBJ_FIRST if this activated the object, and REFOBJ_BUILDER; else 0,
 * or a negative errno.
 */
int refobj_session_acquire(struct refobj_session *session, u64 id,
			   struct refobj *object, u32 n, u32 how,
			   const char *type)
{
	struct refobj_entry *e;
	bool found = false;
	int ret;

	for (;;) {
		xa_lock(&session->entries);
		e = session_find(session, id);
		if (e) {
			if (type_matches(e->object, type))
				ret = session_acquire_held(session, e, n, how);
			else
				ret = -EPROTOTYPE;
			if (ret >= 0) {
				session->references += n;
				refobj_count(references_acquired, n);
			}
			xa_unlock(&session->entries);
		} else if (session->parked && session->parked_id == id) {
			ret = session_acquire_parked(session, object, n, how,
						     type);
			xa_unlock(&session->entries);
			refobj_settle(session->registry);
		} else {
			xa_unlock(&session->entries);
			if (!object) {
				object = refobj_find_id(session->registry, id);
				if (IS_ERR(object))
					return PTR_ERR(object);
				found = true;
				ret = session_admits(session, object, type);
				if (ret)
					break;
			}
			ret = session_acquire_new(session, object, n,
						  session_how(session, object, how));
			if (ret == -EBUSY)
				continue; /* another thread was faster */
		}
		if (ret != -EDQUOT || !session_reclaim(session->user))
			break;
	}
	if (found)
		refobj_put(object);
	return ret;
}

/**
 * refobj_session_publish() - let a new object be found, and hold it
 * @session: for whom
 * @object: from refobj_object_create(); discarded on failure
 * @n: initial references, 0 to REFOBJ_COUNT_MAX
 *
 * Context: may sleep.
 *
 * Return: REFOBJ_FIRST if the object is active, and REFOBJ_BUILDER if it is to be
 * built; 0 if idle; -EEXIST, -EDQUOT, -ENOMEM, -EOWNERDEAD.
 */
int refobj_session_publish(struct refobj_session *session,
			   struct refobj *object, u32 n)
{
	struct refobj_entry *e, *old = NULL;
	int err, ret;
	bool more;

	if (!n) {
		err = refobj_object_publish(object, NULL, 0, 0);
		if (err)
			refobj_object_discard(object);
		return err;
	}

	e = session_new_entry(session, object, n);
	if (!e) {
		refobj_object_discard(object);
		return -ENOMEM;
	}

	xa_lock(&session->entries);
	while ((err = session_charge(session, n)) == -EDQUOT) {
		xa_unlock(&session->entries);
		more = session_reclaim(session->user);
		xa_lock(&session->entries);
		if (!more)
			goto unlock;
	}
	old = session_unpark(session);
	/* Nobody else can have an entry of an id that nobody has seen. */
	err = __xa_insert(&session->entries, refobj_slot(e->id), e,
			  GFP_KERNEL_ACCOUNT);
	if (err)
		goto uncharge;
	err = session->ended ? -EOWNERDEAD : 0;
	if (err)
		goto erase;
	/* Who makes it builds it, unless its mode forbids even that. */
	ret = refobj_object_publish(object, &e->mark, n,
				    refobj_session_may(session, object, 2) ?
					    REFOBJ_HOLD_BUILD : 0);
	err = ret;
	if (ret < 0)
		goto erase;
	session_linked(session, e);
	xa_unlock(&session->entries);
	goto free_old;

erase:
	__xa_erase(&session->entries, refobj_slot(e->id));
uncharge:
	session_uncharge(session, n);
unlock:
	xa_unlock(&session->entries);
	kmem_cache_free(refobj_entry_cache, e);
	refobj_object_discard(object);
free_old:
	if (old)
		session_free_entry(session, old);
	return err;
}

/* Drop some of what the session holds, and keep some; the caller mends its sum. */
static __always_inline void session_release_held(struct refobj_session *s,
						 struct refobj_entry *e, u32 n)
{
	WRITE_ONCE(e->count, e->count - n);
	session_uncharge(s, n);
	if (trace_refobj_release_enabled())
		session_trace_release(s, e, n);
	refobj_users_sub_held(e->object, n);
}

/* Drop all references on an object, as the session's own doing. */
static noinline int session_release_entry(struct refobj_session *s,
					  struct refobj_entry *e)
	__releases(&s->entries.xa_lock)
{
	const struct refobj_act act = refobj_act_now(REFOBJ_CAUSE_RELEASE);
	u32 count = e->count;
	int last;

	last = session_unlink(s, e, &act);
	if (e->killed)
		__xa_erase(&s->entries, refobj_slot(e->id));
	else
		e = session_park(s, e);
	xa_unlock(&s->entries);
	refobj_settle(s->registry);
	if (e)
		session_free_entry(s, e);
	refobj_count(references_released, count);
	return last;
}

/**
 * refobj_session_release() - drop references
 * @session: whose
 * @id: the object
 * @n: how many, 1 to REFOBJ_COUNT_MAX; 0 means all
 *
 * Return: REFOBJ_LAST if this deactivated the object, else 0; -ERANGE if the
 * session holds fewer, -ENOENT, -ESTALE.
 */
int refobj_session_release(struct refobj_session *session, u64 id, u32 n)
{
	struct refobj_entry *e;

	xa_lock(&session->entries);
	e = session_find(session, id);
	if (!e) {
		xa_unlock(&session->entries);
		return refobj_session_lacks(session, id, -ERANGE);
	}
	if (n > e->count) {
		xa_unlock(&session->entries);
		return -ERANGE;
	}
	if (!n || n == e->count)
		return session_release_entry(session, e);
	session_release_held(session, e, n);
	session->references -= n;
	xa_unlock(&session->entries);
	refobj_count(references_released, n);
	return 0;
}

/**
 * refobj_session_run_held() - carry out operations on what is held
 * @session: whose
 * @ops: them; @result is set
 * @n: how many, 1 to REFOBJ_SUBMIT_BATCH
 *
 * Return: how many were done. The next takes more than a step from and to some
 * references that the session has on the object: it is invalid, or to be refused, or
 * makes or drops a holder.
 */
u32 refobj_session_run_held(struct refobj_session *session,
			    struct refobj_op *ops, u32 n)
{
	const struct refobj_op *end = ops + n;
	u32 acquired = 0, released = 0, releases = 0, done;
	struct refobj_op *op = ops;
	struct refobj_entry *e;

	xa_lock(&session->entries);
	e = session_find(session, op->id);
	for (; e && op != end; op++) {
		/* Zero, which is no count, wraps. */
		if (op->flags || op->count - 1 >= REFOBJ_COUNT_MAX)
			break;
		if (op->id != e->id) {
			e = session_find(session, op->id);
			if (!e)
				break;
		}
		if (op->op == REFOBJ_OP_ACQUIRE) {
			if (session_acquire_held(session, e, op->count, 0))
				break;
			acquired += op->count;
		} else if (op->op == REFOBJ_OP_RELEASE && op->count < e->count) {
			session_release_held(session, e, op->count);
			released += op->count;
			releases++;
		} else {
			break;
		}
		op->result = 0;
	}
	session->references += acquired;
	session->references -= released;
	xa_unlock(&session->entries);
	done = op - ops;
	refobj_count(references_acquired, acquired);
	refobj_count(acquires, done - releases);
	refobj_count(releases, releases);
	refobj_count(references_released, released);
	return done;
}

/*
 * Take a node of the array out, with all entries that it has: to take out each by
 * itself is half of what the end of a session costs.
 */
static void session_drop_node(struct refobj_session *s, unsigned long index)
{
	XA_STATE_ORDER(xas, &s->entries, index, XA_CHUNK_SHIFT);

	xas_store(&xas, NULL);
}

/*
 * Drop all entries, a batch under each hold of the lock. Returns how many objects
 * were deactivated; counts the entries and their references.
 */
static int session_drop_all(struct refobj_session *s, u64 *entries,
			    u64 *references, const struct refobj_act *act)
{
	void *batch[REFOBJ_BATCH / 2 + XA_CHUNK_SIZE];
	unsigned long index = 0;
	struct refobj_entry *e;
	int lasts = 0, n, i;

	do {
		n = 0;
		xa_lock(&s->entries);
		while (n < REFOBJ_BATCH / 2 &&
		       (e = xa_find(&s->entries, &index, REFOBJ_SLOT_MASK, XA_PRESENT))) {
			XA_STATE(xas, &s->entries, index);

			xas_for_each(&xas, e, index | XA_CHUNK_MASK) {
				if (!IS_ENABLED(CONFIG_XARRAY_MULTI))
					xas_store(&xas, NULL);
				if (e == s->parked) {
					s->parked = NULL;
				} else {
					*references += e->count;
					(*entries)++;
					lasts += session_unlink(s, e, act);
				}
				batch[n++] = e;
			}
			if (IS_ENABLED(CONFIG_XARRAY_MULTI))
				session_drop_node(s, index);
			index = (index | XA_CHUNK_MASK) + 1;
		}
		xa_unlock(&s->entries);
		refobj_settle(s->registry);

		for (i = 0; i < n; i++)
			session_empty_entry(s, batch[i]);
		if (n)
			kmem_cache_free_bulk(refobj_entry_cache, n, batch);
		cond_resched();
	} while (n >= REFOBJ_BATCH / 2);
	return lasts;
}

/**
 * refobj_session_release_all() - drop all references of a session
 * @session: whose
 *
 * Return: how many objects were deactivated.
 */
int refobj_session_release_all(struct refobj_session *session)
{
	const struct refobj_act act = refobj_act_now(REFOBJ_CAUSE_RELEASE);
	u64 entries = 0, references = 0;
	int lasts = session_drop_all(session, &entries, &references, &act);

	refobj_count(releases, entries);
	refobj_count(references_released, references);
	return lasts;
}

/**
 * refobj_session_set_why() - give a reason
 * @session: the session
 * @id: an object that it holds, or 0 for the session itself
 * @text: valid, or empty
 *
 * Context: may sleep.
 *
 * Return: 0; -ENOENT, -ESTALE, -EPERM (no reference), -EDQUOT, -ENOMEM.
 */
int refobj_session_set_why(struct refobj_session *session, u64 id,
			   const char *text)
{
	struct refobj_why __rcu **slot = &session->why;
	struct refobj_why *new = NULL, *old;
	u32 len = strlen(text), old_len;
	struct refobj_entry *e;
	int err = 0;

	if (len) {
		new = kmalloc(struct_size(new, text, len + 1),
			      GFP_KERNEL_ACCOUNT);
		if (!new)
			return -ENOMEM;
		new->len = len;
		memcpy(new->text, text, len + 1);
	}

	xa_lock(&session->entries);
	if (id) {
		e = session_find(session, id);
		if (!e) {
			xa_unlock(&session->entries);
			kfree(new);
			return refobj_session_lacks(session, id, -EPERM);
		}
		slot = &e->why;
	}
	old = rcu_dereference_protected(*slot,
					lockdep_is_held(&session->entries.xa_lock));
	old_len = old ? old->len : 0;
	if (len > old_len)
		err = refobj_charge(session->user, REFOBJ_QUOTA_BYTES,
				    len - old_len, session->unlimited);
	else
		refobj_uncharge(session->user, REFOBJ_QUOTA_BYTES,
				old_len - len);
	if (!err)
		rcu_assign_pointer(*slot, new);
	xa_unlock(&session->entries);

	if (err)
		kfree(new);
	else if (old)
		kfree_rcu(old, rcu);
	return err;
}

/* The number of the process that is to publish; its session is kept by the lock. */
static pid_t builder_nr(const struct refobj *object)
{
	const struct refobj_entry *e;
	pid_t nr;

	lockdep_assert_held(&object->lock);

	if (!object->builder)
		return 0;
	e = container_of(object->builder, struct refobj_entry, mark);
	rcu_read_lock();
	nr = refobj_process_nr(rcu_dereference(e->session->process));
	rcu_read_unlock();
	return nr;
}

/**
 * refobj_stat() - tell about an object
 * @object: the object; the caller has a life
 * @stat: all but @size, @flags and @held is filled in
 */
void refobj_stat(struct refobj *object, struct refobj_stat *stat)
{
	struct user_namespace *ns = current_user_ns();

	stat->id = object->id;
	stat->object_flags = object->flags;
	stat->mode = object->mode;
	stat->uid = from_kuid_munged(ns, object->uid);
	stat->gid = from_kgid_munged(ns, object->gid);
	stat->created_ns = object->created_ns;
	stat->linger_ms = refobj_linger_ms(object);
	stat->edges = refobj_edges(object);
	strscpy_pad(stat->name, object->name, sizeof(stat->name));
	strscpy_pad(stat->type, object->type, sizeof(stat->type));

	spin_lock(&object->lock);
	stat->state = object->state;
	stat->users = refobj_users(object);
	stat->users_peak = READ_ONCE(object->users_peak);
	stat->holders = object->nr_holders;
	stat->activations = object->activations;
	stat->deactivations = object->deactivations;
	stat->watches = object->nr_watchers;
	refobj_content_stat_locked(object, stat);
	stat->builder = builder_nr(object);
	spin_unlock(&object->lock);
}

/**
 * refobj_session_stat() - tell about an object, as a session sees it
 * @session: whose references @held counts
 * @object: the object; the caller has a life
 * @stat: all but @size and @flags is filled in
 */
void refobj_session_stat(struct refobj_session *session, struct refobj *object,
			 struct refobj_stat *stat)
{
	struct refobj_entry *e;

	/* What is held is among the users: both are of one moment. */
	xa_lock(&session->entries);
	e = session_find(session, object->id);
	stat->held = e ? e->count : 0;
	refobj_stat(object, stat);
	xa_unlock(&session->entries);
}

/*
 * Holders
 */

/* The object's lock keeps the entry and its session. */
static void entry_fill(struct refobj_holder *record,
		       const struct refobj_entry *e)
{
	const struct refobj_session *s = e->session;
	const struct refobj_why *why;

	record->count = READ_ONCE(e->count);
	record->session = s->id;
	record->uid = from_kuid_munged(current_user_ns(),
				       s->file->f_cred->euid);
	record->since_ns = e->since_ns;

	rcu_read_lock();
	refobj_process_tell(rcu_dereference(s->process), record);
	why = rcu_dereference(e->why) ?: rcu_dereference(s->why);
	if (why)
		memcpy(record->why, why->text, why->len);
	rcu_read_unlock();
}

static void holder_fill(struct refobj_holder *record,
			const struct refobj_mark *mark)
{
	memset(record, 0, sizeof(*record));
	record->kind = mark->kind;
	switch (mark->kind) {
	case REFOBJ_HOLDER_SESSION:
		entry_fill(record,
			   container_of(mark, struct refobj_entry, mark));
		break;
	case REFOBJ_HOLDER_FD:
		refobj_objfd_holder(record, mark);
		break;
	default:
		refobj_edge_holder(record, mark);
	}
}

/**
 * refobj_holders_read() - tell some of an object's holders
 * @object: the object; the caller has a life
 * @place: the reader's place in the list; zeroed before the first call, and
 *	handed to refobj_holders_end() after the last
 * @cursor: sequence number of the last holder told; moved on
 * @records: filled in
 * @n: how many fit, 1 to REFOBJ_BATCH
 *
 * Passes over at most REFOBJ_BATCH holders, told or not, under one hold of the
 * lock; the place in the list is where it goes on.
 *
 * Return: records filled, 0 at the end of the list, or -EAGAIN: none found yet.
 */
int refobj_holders_read(struct refobj *object, struct refobj_mark *place,
			u64 *cursor, struct refobj_holder *records, u32 n)
{
	struct refobj_mark *mark = place;
	u32 passed = 0, filled = 0;
	int ret;

	spin_lock(&object->lock);
	if (!place->node.next)
		list_add(&place->node, &object->holders);
	for (;;) {
		ret = filled;
		if (filled == n || list_is_last(&mark->node, &object->holders))
			break;
		ret = filled ?: -EAGAIN;
		if (passed++ == REFOBJ_BATCH)
			break;
		mark = list_next_entry(mark, node);
		if (!mark->kind || mark->seq <= *cursor)
			continue;
		holder_fill(&records[filled++], mark);
		*cursor = mark->seq;
	}
	if (mark != place)
		list_move(&place->node, &mark->node);
	spin_unlock(&object->lock);
	return ret;
}

/**
 * refobj_holders_end() - a reader is done
 * @object: the object
 * @place: the reader's, no longer in the list afterwards
 *
 * Return: true if holders follow that the reader has not been told of.
 */
bool refobj_holders_end(struct refobj *object, struct refobj_mark *place)
{
	struct refobj_mark *mark = place;
	bool more = false;

	spin_lock(&object->lock);
	/* Only other readers' places are passed over. */
	list_for_each_entry_continue(mark, &object->holders, node) {
		more = mark->kind;
		if (more)
			break;
	}
	list_del(&place->node);
	spin_unlock(&object->lock);
	return more;
}

/*
 * Opening, owning and closing
 */

/**
 * refobj_session_open() - start a session for the current process
 * @file: the new file, whose life is the session's
 *
 * Return: the session, or -ENOMEM.
 */
struct refobj_session *refobj_session_open(struct file *file)
{
	struct refobj_process *process;
	struct refobj_session *s;
	int err = -ENOMEM;

	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		return ERR_PTR(-ENOMEM);
	process = refobj_process_new();
	if (!process)
		goto free;
	s->user = refobj_user_get(file->f_cred->euid);
	if (!s->user)
		goto put_process;
	xa_init_flags(&s->entries, XA_FLAGS_ACCOUNT);
	xa_init_flags(&s->watchers, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&s->waits);
	refobj_queue_init(&s->queue);
	s->registry = refobj_registry_of(get_net(current->nsproxy->net_ns));
	s->file = file;
	s->owner = current->files;
	RCU_INIT_POINTER(s->process, process);
	s->unlimited = capable(CAP_SYS_RESOURCE);
	s->id = atomic64_inc_return(&refobj_last_session);

	err = xa_insert(&s->registry->sessions, s->id, s, GFP_KERNEL_ACCOUNT);
	if (err)
		goto put_net;
	spin_lock(&s->user->lock);
	list_add_tail(&s->user_node, &s->user->sessions);
	spin_unlock(&s->user->lock);
	refobj_count(sessions_opened, 1);
	trace_refobj_session_open(s, REFOBJ_CAUSE_NONE);
	return s;

put_net:
	put_net(s->registry->net);
	refobj_user_put(s->user);
put_process:
	refobj_process_put(process);
free:
	kfree(s);
	return ERR_PTR(err);
}

/* Whose end is the session's: its process, or of nobody's who closed it last. */
static struct pid *session_get_pid(struct refobj_session *s)
{
	struct pid *pid;

	if (!READ_ONCE(s->owner) && s->closer)
		return get_pid(s->closer);
	rcu_read_lock();
	pid = get_pid(rcu_dereference(s->process)->pid);
	rcu_read_unlock();
	return pid;
}

/*
 * End a session: from here on it has nothing, and gets nothing. False if it had
 * ended before, or if it is not @owner's any more: an adoption that came first is
 * not undone.
 */
static bool session_end(struct refobj_session *s, const void *owner, u32 cause)
{
	struct refobj_act act = { .cause = cause };
	u64 entries = 0, references = 0;
	u32 drop;

	xa_lock(&s->entries);
	if (s->ended || (owner && s->owner != owner)) {
		xa_unlock(&s->entries);
		return false;
	}
	WRITE_ONCE(s->ended, true);
	refobj_waits_end_locked(s);
	xa_unlock(&s->entries);

	act.pid = session_get_pid(s);
	session_drop_all(s, &entries, &references, &act);
	put_pid(act.pid);
	if (cause > REFOBJ_CAUSE_SIGNAL)
		drop = cause - REFOBJ_CAUSE_SIGNAL;
	else
		drop = cause == REFOBJ_CAUSE_EXIT ? REFOBJ_DROP_EXIT :
						    REFOBJ_DROP_CLOSE;
	refobj_count(dropped[drop], references);
	refobj_unwatch_all(s);
	refobj_queue_hang(&s->queue);
	return true;
}

static int is_file(const void *file, struct file *other, unsigned int fd)
{
	return other == file;
}

/* Has the current process a descriptor of the session? */
static bool session_is_open_here(struct refobj_session *s)
{
	return iterate_fd(current->files, 0, is_file, s->file);
}

static void session_revoked(const struct refobj_session *s, u32 cause)
{
	refobj_count(sessions_revoked, 1);
	trace_refobj_session_revoke(s, cause);
}

/*
 * What the current process, which exits, dies of: what its parent will be told (see
 * wait_task_zombie()). A thread has a status of its own if it left before the others.
 */
static u32 end_of_process(void)
{
	const struct signal_struct *sig = current->signal;
	int code = READ_ONCE(sig->flags) & SIGNAL_GROUP_EXIT ?
		   READ_ONCE(sig->group_exit_code) : current->exit_code;

	code &= 0x7f;
	return code && code <= _NSIG ? REFOBJ_CAUSE_SIGNAL + code :
				       REFOBJ_CAUSE_EXIT;
}

/**
 * refobj_session_flush() - a descriptor of the session is being closed
 * @session: the session
 * @owner: the table of descriptors that it was in
 *
 * If it was the owner's last, the session ends, whoever else has it open. Notes
 * what the end of the session, if it comes with the last descriptor of all, is due
 * to: the closing may be left to another task.
 */
void refobj_session_flush(struct refobj_session *session, void *owner)
{
	u32 cause = current->flags & PF_EXITING ? end_of_process() :
						  REFOBJ_CAUSE_CLOSE;

	WRITE_ONCE(session->cause, cause);
	if (!READ_ONCE(session->owner))
		put_pid(xchg(&session->closer, get_pid(task_tgid(current))));
	if (!owner || READ_ONCE(session->owner) != owner)
		return;
	/*
	 * A table that is not the current one, or that of a process that exits,
	 * is going altogether.
	 */
	if (!(current->flags & PF_EXITING) && current->files == owner &&
	    session_is_open_here(session))
		return;
	/* The descriptor that is being closed has one of the references. */
	if (session_end(session, owner, cause) && file_count(session->file) > 1)
		session_revoked(session, cause);
}

/**
 * refobj_session_adopt() - make the current process the owner
 * @session: the session
 * @nobody: or rather nobody
 *
 * Return: 0; -EOWNERDEAD, -ENOMEM.
 */
int refobj_session_adopt(struct refobj_session *session, bool nobody)
{
	struct refobj_process *process;
	int err = 0;

	process = refobj_process_new();
	if (!process)
		return -ENOMEM;
	xa_lock(&session->entries);
	if (session->ended) {
		err = -EOWNERDEAD;
	} else {
		process = rcu_replace_pointer(session->process, process,
					      lockdep_is_held(&session->entries.xa_lock));
		WRITE_ONCE(session->owner, nobody ? NULL : current->files);
	}
	xa_unlock(&session->entries);
	refobj_process_put(process);
	/* Another thread may have closed it here before it was ours to end. */
	if (!err && !nobody && !session_is_open_here(session) &&
	    session_end(session, current->files, REFOBJ_CAUSE_CLOSE))
		session_revoked(session, REFOBJ_CAUSE_CLOSE);
	return err;
}

/**
 * refobj_session_close() - the end of a session's file
 * @session: no call is under way on it, nor will be
 *
 * Context: any task, possibly one that is exiting and has no namespaces left.
 */
void refobj_session_close(struct refobj_session *session)
{
	session_end(session, NULL, session->cause);
	trace_refobj_session_close(session, session->cause);

	xa_erase(&session->registry->sessions, session->id);
	spin_lock(&session->user->lock);
	list_del(&session->user_node);
	spin_unlock(&session->user->lock);
	/* Out of the list: nobody else takes the slack back. */
	refobj_uncharge(session->user, REFOBJ_QUOTA_REFERENCES, session->slack);
	session_free_why(session, &session->why);
	refobj_queue_destroy(&session->queue);
	put_pid(session->closer);
	refobj_process_put(rcu_dereference_protected(session->process, true));
	refobj_user_put(session->user);
	put_net(session->registry->net);
	refobj_count(sessions_closed, 1);
	kfree(session);
}

/**
 * refobj_session_next() - tell about the next session of a registry
 * @registry: which
 * @id: of the session before, or 0; of the one that is told
 * @record: its process and its reason, filled in
 * @uid: who opened it
 * @objects: how many it holds
 * @references: how many they are together
 * @ended: it has ended with its owner
 *
 * A session that is open all the time is told once, whatever comes and goes.
 *
 * Return: false if there is none.
 */
bool refobj_session_next(struct refobj_registry *registry, u64 *id,
			 struct refobj_holder *record, kuid_t *uid,
			 u32 *objects, u64 *references, bool *ended)
{
	const struct refobj_why *why;
	struct refobj_session *s;
	unsigned long index = *id;

	memset(record, 0, sizeof(*record));
	/* The lock keeps the session from being freed. */
	xa_lock(&registry->sessions);
	s = xa_find_after(&registry->sessions, &index, ULONG_MAX, XA_PRESENT);
	if (s) {
		*id = s->id;
		*uid = s->user->uid;
		*objects = READ_ONCE(s->nr_entries);
		*references = READ_ONCE(s->references);
		*ended = READ_ONCE(s->ended);
		record->uid = from_kuid_munged(current_user_ns(), *uid);
		rcu_read_lock();
		refobj_process_tell(rcu_dereference(s->process), record);
		why = rcu_dereference(s->why);
		if (why)
			memcpy(record->why, why->text, why->len);
		rcu_read_unlock();
	}
	xa_unlock(&registry->sessions);
	return s;
}

/**
 * refobj_session_show() - the session's lines in /proc/PID/fdinfo
 * @m: where to
 * @session: open
 */
void refobj_session_show(struct seq_file *m, struct refobj_session *session)
{
	const struct refobj_why *why;
	u64 references;
	u32 entries;
	pid_t nr;

	xa_lock(&session->entries);
	entries = session->nr_entries;
	references = session->references;
	xa_unlock(&session->entries);
	rcu_read_lock();
	nr = refobj_process_nr(rcu_dereference(session->process));
	rcu_read_unlock();

	seq_printf(m, "refobj-session:\t%llu\n", session->id);
	seq_printf(m, "refobj-registry:\t%u\n",
		   session->registry->net->ns.inum);
	seq_printf(m, "refobj-pid:\t%d\n", nr);
	seq_printf(m, "refobj-ended:\t%d\n", READ_ONCE(session->ended));
	seq_printf(m, "refobj-objects:\t%u\n", entries);
	seq_printf(m, "refobj-references:\t%llu\n", references);
	rcu_read_lock();
	why = rcu_dereference(session->why);
	seq_puts(m, "refobj-why:\t");
	if (why)
		seq_puts(m, why->text);
	seq_putc(m, '\n');
	rcu_read_unlock();
}

/**
 * refobj_session_init() - set up
 *
 * Return: 0 or -ENOMEM.
 */
int __init refobj_session_init(void)
{
	refobj_entry_cache = KMEM_CACHE(refobj_entry,
					SLAB_ACCOUNT | SLAB_NO_MERGE);
	return refobj_entry_cache ? 0 : -ENOMEM;
}

/**
 * refobj_session_exit() - tear down, after the last session
 */
void refobj_session_exit(void)
{
	/* process_free_rcu() is code of this module. */
	rcu_barrier();
	kmem_cache_destroy(refobj_entry_cache);
}
