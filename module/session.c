// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: who owns references, how they come and go, and what becomes of
 * them when the owner dies.
 */
#include <linux/capability.h>
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
static int session_charge(struct refobj_session *s, u32 n)
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

	if (signal_pending(current))
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
 * refobj_session_may() - does the mode of an object let a session do something?
 * @session: judged by the credentials that opened it, so that a privileged
 *	process that is handed it does not lend it its privilege
 * @object: the object
 * @want: 4 to read, 2 to write
 *
 * Return: true if so.
 */
bool refobj_session_may(struct refobj_session *session,
			const struct refobj *object, u32 want)
{
	struct user_namespace *ns = object->registry->net->user_ns;
	const struct cred *cred = session->file->f_cred;
	u32 mode = object->mode;

	if (uid_eq(cred->euid, object->uid))
		mode >>= 6;
	else if (session_in_group(cred, object->gid))
		mode >>= 3;
	if ((mode & want) == want)
		return true;
	return kuid_has_mapping(ns, object->uid) &&
	       kgid_has_mapping(ns, object->gid) &&
	       file_ns_capable(session->file, ns, CAP_DAC_OVERRIDE);
}

/*
 * Entries
 */

static struct refobj_entry *session_find(struct refobj_session *s, u64 id)
{
	struct refobj_entry *e = xa_load(&s->entries, refobj_slot(id));

	lockdep_assert_held(&s->entries.xa_lock);

	/* An id of old may have had this slot. */
	return e && e->id == id ? e : NULL;
}

/* Why the session has no entry of @id: the errno for who expected one. */
static int session_lacks(struct refobj_session *s, u64 id, int err)
{
	struct refobj *object = refobj_find_id(s->registry, id);

	if (IS_ERR(object))
		return PTR_ERR(object);
	refobj_put(object);
	return err;
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
static void session_linked(struct refobj_session *s, u32 n)
{
	s->nr_entries++;
	s->references += n;
	refobj_count(references_acquired, n);
}

/*
 * Unlink an entry from its object and drop its references. The caller has taken
 * it out of @s->entries and calls session_free_entry() without any lock.
 */
static int session_unlink(struct refobj_session *s, struct refobj_entry *e)
{
	int last;

	lockdep_assert_held(&s->entries.xa_lock);

	s->nr_entries--;
	s->references -= e->count;
	session_uncharge(s, e->count);
	spin_lock(&e->object->lock);
	last = refobj_unhold_locked(e->object, &e->mark, e->count);
	spin_unlock(&e->object->lock);
	e->killed = last == 2;
	return !!last;
}

static void session_free_why(struct refobj_session *s,
			     struct refobj_why __rcu **slot)
{
	struct refobj_why *why = rcu_dereference_protected(*slot, true);

	if (!why)
		return;
	refobj_uncharge(s->user, REFOBJ_QUOTA_BYTES, why->len);
	kfree_rcu(why, rcu);
}

static void session_free_entry(struct refobj_session *s, struct refobj_entry *e)
{
	if (e->killed)
		refobj_put(e->object);	/* the registry's */
	refobj_put(e->object);
	session_free_why(s, &e->why);
	kmem_cache_free(refobj_entry_cache, e);
}

/* Take more of what the session holds already. */
static int session_acquire_held(struct refobj_session *s,
				struct refobj_entry *e, u32 n)
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
	s->references += n;
	refobj_count(references_acquired, n);
	return 0;
}

/* Take the first references of the session; -EBUSY if it turns out to hold. */
static int session_acquire_new(struct refobj_session *s, struct refobj *object,
			       u32 n, bool not_zero)
{
	struct refobj_entry *e;
	int ret;

	e = session_new_entry(s, object, n);
	if (!e)
		return -ENOMEM;

	xa_lock(&s->entries);
	/* May drop the lock, but before it looks whether the slot is free. */
	ret = __xa_insert(&s->entries, refobj_slot(e->id), e,
			  GFP_KERNEL_ACCOUNT);
	if (ret)
		goto unlock;
	ret = session_charge(s, n);
	if (ret)
		goto erase;
	spin_lock(&object->lock);
	ret = refobj_hold_locked(object, &e->mark, n, not_zero);
	spin_unlock(&object->lock);
	if (ret < 0) {
		session_uncharge(s, n);
		goto erase;
	}
	session_linked(s, n);
	xa_unlock(&s->entries);
	return ret;

erase:
	__xa_erase(&s->entries, refobj_slot(e->id));
unlock:
	xa_unlock(&s->entries);
	kmem_cache_free(refobj_entry_cache, e);
	return ret;
}

/**
 * refobj_session_acquire() - take references
 * @session: for whom
 * @id: the object
 * @object: the object if the caller has found it (and has a life), else NULL;
 *	permission and type have been checked then
 * @n: how many, 1 to REFOBJ_COUNT_MAX
 * @not_zero: refuse rather than activate
 * @type: the type demanded, or empty; only if @object is NULL
 *
 * What is held may be held again: permission is asked of a new holder only.
 *
 * Context: may sleep.
 *
 * Return: 1 if this activated the object, else 0; or a negative errno.
 */
int refobj_session_acquire(struct refobj_session *session, u64 id,
			   struct refobj *object, u32 n, bool not_zero,
			   const char *type)
{
	struct refobj_entry *e;
	bool found = false;
	int ret;

	for (;;) {
		xa_lock(&session->entries);
		e = session_find(session, id);
		if (!e)
			ret = -ENOENT;
		else if (type_matches(e->object, type))
			ret = session_acquire_held(session, e, n);
		else
			ret = -EPROTOTYPE;
		xa_unlock(&session->entries);

		if (!e) {
			if (!object) {
				object = refobj_find_id(session->registry, id);
				if (IS_ERR(object))
					return PTR_ERR(object);
				found = true;
				if (!refobj_session_may(session, object, 4))
					ret = -EACCES;
				else if (!type_matches(object, type))
					ret = -EPROTOTYPE;
				else
					ret = 0;
				if (ret)
					break;
			}
			ret = session_acquire_new(session, object, n, not_zero);
			if (ret == -EBUSY)
				/* Another thread was faster. */
				continue;
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
 * Return: 1 if the object is active, 0 if idle; -EEXIST, -EDQUOT, -ENOMEM.
 */
int refobj_session_publish(struct refobj_session *session,
			   struct refobj *object, u32 n)
{
	struct refobj_entry *e;
	bool more;
	int err;

	if (!n) {
		err = refobj_object_publish(object, NULL, 0);
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
	/* Nobody else can have an entry of an id that nobody has seen. */
	err = __xa_insert(&session->entries, refobj_slot(e->id), e,
			  GFP_KERNEL_ACCOUNT);
	if (err)
		goto uncharge;
	err = refobj_object_publish(object, &e->mark, n);
	if (err)
		goto erase;
	session_linked(session, n);
	xa_unlock(&session->entries);
	return 1;

erase:
	__xa_erase(&session->entries, refobj_slot(e->id));
uncharge:
	session_uncharge(session, n);
unlock:
	xa_unlock(&session->entries);
	kmem_cache_free(refobj_entry_cache, e);
	refobj_object_discard(object);
	return err;
}

/**
 * refobj_session_release() - drop references
 * @session: whose
 * @id: the object
 * @n: how many, 1 to REFOBJ_COUNT_MAX; 0 means all
 *
 * Return: 1 if this was the last release, else 0; -ERANGE if the session holds
 * fewer, -ENOENT, -ESTALE.
 */
int refobj_session_release(struct refobj_session *session, u64 id, u32 n)
{
	struct refobj_entry *e;
	u32 count;
	int last;

	xa_lock(&session->entries);
	e = session_find(session, id);
	if (!e) {
		xa_unlock(&session->entries);
		return session_lacks(session, id, -ERANGE);
	}
	count = e->count;
	if (n > count) {
		xa_unlock(&session->entries);
		return -ERANGE;
	}
	if (n && n < count) {
		WRITE_ONCE(e->count, count - n);
		session->references -= n;
		session_uncharge(session, n);
		refobj_users_sub_held(e->object, n);
		xa_unlock(&session->entries);
		refobj_count(references_released, n);
		return 0;
	}
	__xa_erase(&session->entries, refobj_slot(id));
	last = session_unlink(session, e);
	xa_unlock(&session->entries);
	session_free_entry(session, e);
	refobj_count(references_released, count);
	return last;
}

/*
 * Drop all entries, a batch under each hold of the lock. Returns for how many
 * objects it was the last release; counts the entries and their references.
 */
static int session_drop_all(struct refobj_session *s, u64 *entries,
			    u64 *references)
{
	XA_STATE(xas, &s->entries, 0);
	struct refobj_entry *e, *next;
	int lasts = 0, n;

	do {
		LIST_HEAD(batch);

		n = 0;
		xas_lock(&xas);
		xas_for_each(&xas, e, REFOBJ_SLOT_MASK) {
			xas_store(&xas, NULL);
			*references += e->count;
			lasts += session_unlink(s, e);
			list_add(&e->mark.node, &batch);
			if (++n == REFOBJ_BATCH) {
				/* Not xas_pause(): e's node may have gone. */
				xas_set(&xas, refobj_slot(e->id) + 1);
				break;
			}
		}
		xas_unlock(&xas);
		*entries += n;

		list_for_each_entry_safe(e, next, &batch, mark.node)
			session_free_entry(s, e);
		cond_resched();
	} while (n == REFOBJ_BATCH);
	return lasts;
}

/**
 * refobj_session_release_all() - drop all references of a session
 * @session: whose
 *
 * Return: for how many objects this was the last release.
 */
int refobj_session_release_all(struct refobj_session *session)
{
	u64 entries = 0, references = 0;
	int lasts = session_drop_all(session, &entries, &references);

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
			return session_lacks(session, id, -EPERM);
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

/**
 * refobj_session_stat() - tell about an object
 * @session: whose references @held counts
 * @object: the object; the caller has a life
 * @stat: all but @size and @flags is filled in
 */
void refobj_session_stat(struct refobj_session *session, struct refobj *object,
			 struct refobj_stat *stat)
{
	struct user_namespace *ns = current_user_ns();
	struct refobj_entry *e;

	stat->id = object->id;
	stat->object_flags = object->flags;
	stat->mode = object->mode;
	stat->uid = from_kuid_munged(ns, object->uid);
	stat->gid = from_kgid_munged(ns, object->gid);
	stat->created_ns = object->created_ns;
	strscpy_pad(stat->name, object->name, sizeof(stat->name));
	strscpy_pad(stat->type, object->type, sizeof(stat->type));

	xa_lock(&session->entries);
	e = session_find(session, object->id);
	stat->held = e ? e->count : 0;
	spin_lock(&object->lock);
	stat->state = object->state;
	stat->users = refobj_users(object);
	stat->users_peak = READ_ONCE(object->users_peak);
	stat->holders = object->nr_holders;
	stat->activations = object->activations;
	stat->deactivations = object->deactivations;
	spin_unlock(&object->lock);
	xa_unlock(&session->entries);
}

/*
 * Holders
 */

/**
 * refobj_session_pid() - the process that opened a session
 * @session: kept from being closed by the caller
 *
 * Return: its number in the current pid namespace; 0 if it has none there, or
 * is gone: the number may be another's by now.
 */
pid_t refobj_session_pid(const struct refobj_session *session)
{
	pid_t nr = 0;

	rcu_read_lock();
	if (pid_task(session->pid, PIDTYPE_TGID))
		nr = pid_nr_ns(session->pid, task_active_pid_ns(current));
	rcu_read_unlock();
	return nr;
}

/* The object's lock keeps the entry, its session and the session's pid. */
static void holder_fill(struct refobj_holder *record,
			const struct refobj_entry *e)
{
	const struct refobj_session *s = e->session;
	const struct refobj_why *why;
	struct task_struct *task;

	memset(record, 0, sizeof(*record));
	record->kind = e->mark.kind;
	record->count = READ_ONCE(e->count);
	record->session = s->id;
	record->uid = from_kuid_munged(current_user_ns(),
				       s->file->f_cred->euid);
	record->start_ns = s->start_ns;
	record->since_ns = e->since_ns;

	rcu_read_lock();
	task = pid_task(s->pid, PIDTYPE_TGID);
	if (task) {
		record->pid = refobj_session_pid(s);
		get_task_comm(record->comm, task);
	} else {
		memcpy(record->comm, s->comm, sizeof(record->comm));
	}
	why = rcu_dereference(e->why) ?: rcu_dereference(s->why);
	if (why)
		memcpy(record->why, why->text, why->len);
	rcu_read_unlock();
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
		holder_fill(&records[filled++],
			    container_of(mark, struct refobj_entry, mark));
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
 * Opening and closing
 */

/**
 * refobj_session_open() - start a session for the current process
 * @file: the new file, whose life is the session's
 *
 * Return: the session, or -ENOMEM.
 */
struct refobj_session *refobj_session_open(struct file *file)
{
	struct refobj_session *s;
	int err;

	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		return ERR_PTR(-ENOMEM);
	s->user = refobj_user_get(file->f_cred->euid);
	if (!s->user) {
		kfree(s);
		return ERR_PTR(-ENOMEM);
	}
	xa_init_flags(&s->entries, XA_FLAGS_ACCOUNT);
	s->registry = refobj_registry_of(get_net(current->nsproxy->net_ns));
	s->file = file;
	s->pid = get_pid(task_tgid(current));
	s->start_ns = current->group_leader->start_boottime;
	get_task_comm(s->comm, current->group_leader);
	s->unlimited = capable(CAP_SYS_RESOURCE);
	s->id = atomic64_inc_return(&refobj_last_session);

	err = xa_insert(&s->registry->sessions, s->id, s, GFP_KERNEL_ACCOUNT);
	if (err) {
		put_pid(s->pid);
		put_net(s->registry->net);
		refobj_user_put(s->user);
		kfree(s);
		return ERR_PTR(err);
	}
	spin_lock(&s->user->lock);
	list_add_tail(&s->user_node, &s->user->sessions);
	spin_unlock(&s->user->lock);
	refobj_count(sessions_opened, 1);
	return s;
}

/**
 * refobj_session_flush() - a descriptor of the session is being closed
 * @session: the session
 *
 * Notes what the end of the session, if this is the last descriptor, is due to:
 * the closing may be left to another task.
 */
void refobj_session_flush(struct refobj_session *session)
{
	u32 cause = REFOBJ_CAUSE_CLOSE;

	if (current->flags & PF_EXITING) {
		cause = current->exit_code & 0x7f;
		cause = cause && cause <= _NSIG ? REFOBJ_CAUSE_SIGNAL + cause :
						  REFOBJ_CAUSE_EXIT;
	}
	WRITE_ONCE(session->cause, cause);
}

/**
 * refobj_session_close() - end a session
 * @session: no call is under way on it, nor will be
 *
 * Context: any task, possibly one that is exiting and has no namespaces left.
 */
void refobj_session_close(struct refobj_session *session)
{
	u64 entries = 0, references = 0;

	session_drop_all(session, &entries, &references);
	refobj_count(dropped[session->cause], references);

	xa_erase(&session->registry->sessions, session->id);
	spin_lock(&session->user->lock);
	list_del(&session->user_node);
	spin_unlock(&session->user->lock);
	/* Out of the list: nobody else takes the slack back. */
	refobj_uncharge(session->user, REFOBJ_QUOTA_REFERENCES, session->slack);
	session_free_why(session, &session->why);
	put_pid(session->pid);
	refobj_user_put(session->user);
	put_net(session->registry->net);
	refobj_count(sessions_closed, 1);
	kfree(session);
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

	xa_lock(&session->entries);
	entries = session->nr_entries;
	references = session->references;
	xa_unlock(&session->entries);

	seq_printf(m, "refobj-session:\t%llu\n", session->id);
	seq_printf(m, "refobj-registry:\t%u\n",
		   session->registry->net->ns.inum);
	seq_printf(m, "refobj-pid:\t%d\n", refobj_session_pid(session));
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
	kmem_cache_destroy(refobj_entry_cache);
}
