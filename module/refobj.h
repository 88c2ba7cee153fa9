/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rooms of refobj.ko share.
 *
 * REFCNT
 *
 * An object has two counts. @users is the user's: a real refcount_t, all
 * references together. @life is the memory's: the registry holds one for as
 * long as the object can be found, every session entry holds one, and so does
 * every running call that found the object for itself. @users may come back
 * from zero (a persistent object is idle, then active again), @life never.
 *
 * A step of @users from a non-zero value to a non-zero value is lockless, and
 * only a session that holds a reference, under its own lock, takes such a step:
 * its reference is what keeps the value from zero. Every step to or from zero
 * happens under the object's lock: down with refcount_sub_and_test(), up with
 * refcount_set(). So refcount_t never sees an increment of zero, a decrement
 * below it, or (see refobj_users_add()) a value past INT_MAX.
 *
 * LOCKING, in this order; all are spinlocks that nothing sleeps under, and none
 * is taken in interrupt context:
 *
 *   refobj_user.lock            the sessions of a uid
 *     refobj_session.entries    (its xa_lock: "the session lock") the entries
 *                               of a session, their counts, its own sums
 *       refobj.lock             an object's state and its holders
 *         refobj_names          (the buckets' locks) names
 *         refobj_registry.objects   (its xa_lock) ids
 *
 * refobj_registry.sessions and the table of users are locked by themselves,
 * with nothing inside. refobj_registries_mutex, outside of all these, keeps the
 * list of registries; it may sleep.
 *
 * LIFETIME
 *
 * The last release of a transient object, or DESTROY of an idle persistent one,
 * marks the object dead, takes its name out of the table and its id out of the
 * registry before it lets go of the object's lock. A name or id is looked up
 * under RCU and proves nothing: who wants the object takes its lock and finds
 * it dead or keeps it from dying. So a name never leads to a dying object.
 *
 * A session entry is linked into its object while it counts anything; it is
 * unlinked under the object's lock before the entry or its session are freed:
 * the object's lock alone lets one look at its holders and their sessions.
 */
#ifndef REFOBJ_INTERNAL_H
#define REFOBJ_INTERNAL_H

#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/rhashtable-types.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/xarray.h>

#include "uapi/linux/refobj.h"

struct file;
struct net;
struct pid;
struct seq_file;

/*
 * An id is a serial number that counts up for ever, over all registries. An
 * object's slot, the index under which its registry and its holders' sessions
 * keep it, is the low bits of its id: live objects of one registry never share
 * one. The cap on objects keeps half of the slots free, so that a new id is
 * found at once.
 */
#define REFOBJ_SLOT_BITS	24
#define REFOBJ_SLOT_MASK	((1UL << REFOBJ_SLOT_BITS) - 1)
#define REFOBJ_OBJECTS_MAX	(1 << (REFOBJ_SLOT_BITS - 1))

/* The most references that one lockless step moves. */
#define REFOBJ_LOCKLESS_MAX	256

/* Released references that a session may keep charged: see session_uncharge() */
#define REFOBJ_SLACK_MAX	64

/* Entries dropped, or holders passed, under one hold of a lock. */
#define REFOBJ_BATCH		64

enum refobj_quota {
	REFOBJ_QUOTA_OBJECTS,
	REFOBJ_QUOTA_REFERENCES,
	REFOBJ_QUOTA_BYTES,
	REFOBJ_QUOTAS,
};

/**
 * struct refobj_user - what a uid uses, over all registries
 * @ref: one for each session and each object of the uid
 * @uid: the uid
 * @lock: protects @sessions
 * @sessions: the open sessions of the uid
 * @used: what is charged, by quota
 */
struct refobj_user {
	struct kref ref;
	kuid_t uid;
	spinlock_t lock;	/* protects @sessions */
	struct list_head sessions;
	atomic_long_t used[REFOBJ_QUOTAS];
};

/**
 * struct refobj_registry - the objects of one network namespace
 * @node: in the list of registries
 * @serial: orders that list, for a reader that comes back
 * @net: the namespace; it lives as long as this, which is part of it
 * @objects: by slot; a reserved entry is an object not yet published
 * @nr_objects: how many, reserved ones included
 * @sessions: by session id
 */
struct refobj_registry {
	struct list_head node;
	u64 serial;
	struct net *net;
	struct xarray objects;
	atomic_t nr_objects;
	struct xarray sessions;
};

/**
 * struct refobj - an object
 * @users: all references; see REFCNT above
 * @lock: protects what says so, and every step of @users to or from zero
 * @life: memory
 * @state: &enum refobj_state (protected by @lock)
 * @users_peak: the most @users ever (raised locklessly, by cmpxchg)
 * @nr_holders: entries in @holders, marks not counted (protected by @lock)
 * @holders: &struct refobj_mark, in order of arrival (protected by @lock)
 * @holder_seq: of the newest holder (protected by @lock)
 * @activations: times that @users left zero (protected by @lock)
 * @deactivations: times that it came back (protected by @lock)
 * @id: identity; this and all that follows is invariant after publication
 * @registry: where the object lives
 * @owner: whom the object and its label are charged to; holds a reference
 * @uid: owner
 * @gid: owner's group
 * @flags: REFOBJ_PERSISTENT
 * @mode: mode bits
 * @created_ns: CLOCK_MONOTONIC at creation
 * @label: the memory of @name and @type, or NULL
 * @name: unique in the registry, or empty
 * @type: tag, or empty
 * @name_node: in the table of names, if @name is not empty
 * @rcu: frees the object
 */
struct refobj {
	refcount_t users;
	spinlock_t lock;	/* see above for what it protects */
	struct kref life;
	u32 state;
	u32 users_peak;
	u32 nr_holders;
	struct list_head holders;
	u64 holder_seq;
	u64 activations;
	u64 deactivations;

	u64 id;
	struct refobj_registry *registry;
	struct refobj_user *owner;
	kuid_t uid;
	kgid_t gid;
	u32 flags;
	u32 mode;
	u64 created_ns;
	char *label;
	const char *name;
	const char *type;
	struct rhash_head name_node;
	struct rcu_head rcu;
};

/**
 * struct refobj_mark - a place in an object's list of holders
 * @node: in &refobj.holders
 * @kind: &enum refobj_holder_kind, or 0 for a reader's place, not a holder
 * @seq: ever growing along the list
 */
struct refobj_mark {
	struct list_head node;
	u32 kind;
	u64 seq;
};

/**
 * struct refobj_why - a reason, replaced as a whole
 * @rcu: frees it
 * @len: of @text, charged to the session's uid
 * @text: with NUL
 */
struct refobj_why {
	struct rcu_head rcu;
	u32 len;
	char text[];
};

/**
 * struct refobj_entry - the references of one session on one object
 * @mark: in the object's holders
 * @id: the object's
 * @object: holds a life
 * @session: whose it is
 * @why: reason, or NULL (written under the session lock)
 * @since_ns: CLOCK_MONOTONIC when it came to be
 * @count: references, never 0 while linked (written under the session lock)
 * @killed: the object died when this entry was dropped
 */
struct refobj_entry {
	struct refobj_mark mark;
	u64 id;
	struct refobj *object;
	struct refobj_session *session;
	struct refobj_why __rcu *why;
	u64 since_ns;
	u32 count;
	bool killed;
};

/* Why a session's references dropped; a signal's is its number plus this. */
enum refobj_cause {
	REFOBJ_CAUSE_CLOSE,
	REFOBJ_CAUSE_EXIT,
	REFOBJ_CAUSE_SIGNAL,
	REFOBJ_CAUSES = REFOBJ_CAUSE_SIGNAL + 65,
};

/**
 * struct refobj_session - one open of /dev/refobj
 * @entries: &struct refobj_entry by slot; its lock is the session lock
 * @nr_entries: how many (protected by the session lock)
 * @slack: released references that are still charged (likewise)
 * @references: sum of the entries' counts (likewise)
 * @why: reason, or NULL (written under the session lock)
 * @cause: &enum refobj_cause of the last close of a descriptor
 * @id: identity; this and all that follows is invariant
 * @registry: of the namespace that opened it; holds the namespace
 * @user: whom references and reasons are charged to; holds a reference
 * @user_node: in &refobj_user.sessions (protected by &refobj_user.lock)
 * @file: the open file, which is this session's life
 * @pid: process that opened it; holds a reference
 * @start_ns: CLOCK_BOOTTIME at which that process started
 * @comm: its command name then
 * @unlimited: opened with CAP_SYS_RESOURCE
 */
struct refobj_session {
	struct xarray entries;
	u32 nr_entries;
	u32 slack;
	u64 references;
	struct refobj_why __rcu *why;
	u32 cause;

	u64 id;
	struct refobj_registry *registry;
	struct refobj_user *user;
	struct list_head user_node;
	struct file *file;
	struct pid *pid;
	u64 start_ns;
	char comm[TASK_COMM_LEN];
	bool unlimited;
};

/* The errors that the uapi header documents, each counted by itself. */
#define REFOBJ_ERRNOS(X)						\
	X(ENOTTY) X(EFAULT) X(EINVAL) X(E2BIG) X(EOPNOTSUPP) X(ENOMEM)	\
	X(ENOENT) X(ESTALE) X(EACCES) X(EEXIST) X(EPROTOTYPE) X(ERANGE)	\
	X(EOVERFLOW) X(EDQUOT) X(EPERM) X(EAGAIN) X(EBUSY) X(EINTR)

enum refobj_refusal {
#define REFOBJ_X(name) REFOBJ_REFUSED_##name,
	REFOBJ_ERRNOS(REFOBJ_X)
#undef REFOBJ_X
	REFOBJ_REFUSED_OTHER,
	REFOBJ_REFUSALS,
};

/**
 * struct refobj_stats - what happened, a copy for each CPU
 * @created: objects
 * @destroyed: objects
 * @attaches: ATTACH calls that succeeded
 * @acquires: ACQUIRE calls that succeeded
 * @releases: RELEASE calls that succeeded, and objects that RELEASE_ALL let go
 * @references_acquired: references, initial ones included
 * @references_released: references, by RELEASE and RELEASE_ALL
 * @activations: of all objects
 * @deactivations: of all objects
 * @sessions_opened: sessions
 * @sessions_closed: sessions
 * @dropped: references that went with their session, by cause
 * @refused: calls, by errno
 */
struct refobj_stats {
	u64 created;
	u64 destroyed;
	u64 attaches;
	u64 acquires;
	u64 releases;
	u64 references_acquired;
	u64 references_released;
	u64 activations;
	u64 deactivations;
	u64 sessions_opened;
	u64 sessions_closed;
	u64 dropped[REFOBJ_CAUSES];
	u64 refused[REFOBJ_REFUSALS];
};

DECLARE_PER_CPU(struct refobj_stats, refobj_stats);
#define refobj_count(field, n)	this_cpu_add(refobj_stats.field, n)

/* registry.c: ids, names, namespaces, quotas */
int refobj_registry_init(void);
void refobj_registry_exit(void);
struct refobj_registry *refobj_registry_of(struct net *net);
bool refobj_text_valid(const char *text, size_t size, bool slash);
struct refobj *refobj_find_id(struct refobj_registry *registry, u64 id);
struct refobj *refobj_find_name(struct refobj_registry *registry,
				const char *name);
struct refobj *refobj_find_next(struct refobj_registry *registry, u64 id);
int refobj_reserve(struct refobj *object);
int refobj_publish(struct refobj *object);
void refobj_unpublish(struct refobj *object);
struct refobj_user *refobj_user_get(kuid_t uid);
void refobj_user_put(struct refobj_user *user);
unsigned long refobj_quota_max(enum refobj_quota quota);
int refobj_charge(struct refobj_user *user, enum refobj_quota quota,
		  unsigned long n, bool unlimited);
void refobj_uncharge(struct refobj_user *user, enum refobj_quota quota,
		     unsigned long n);

extern struct list_head refobj_registries;
extern struct mutex refobj_registries_mutex;

/* object.c: an object's life */
int refobj_object_init(void);
void refobj_object_exit(void);
struct refobj *refobj_object_create(struct refobj_session *session,
				    const char *name, const char *type,
				    u32 flags, u32 mode);
void refobj_object_discard(struct refobj *object);
bool refobj_get_unless_zero(struct refobj *object);
void refobj_put(struct refobj *object);
u32 refobj_users(const struct refobj *object);
int refobj_users_add_held(struct refobj *object, u32 n);
void refobj_users_sub_held(struct refobj *object, u32 n);
int refobj_hold_locked(struct refobj *object, struct refobj_mark *holder,
		       u32 n, bool not_zero);
int refobj_unhold_locked(struct refobj *object, struct refobj_mark *holder,
			 u32 n);
int refobj_object_publish(struct refobj *object, struct refobj_mark *holder,
			  u32 n);
int refobj_object_destroy(struct refobj *object);
u32 refobj_users_peak(void);

/* session.c: entries, ownership, teardown */
int refobj_session_init(void);
void refobj_session_exit(void);
struct refobj_session *refobj_session_open(struct file *file);
void refobj_session_flush(struct refobj_session *session);
void refobj_session_close(struct refobj_session *session);
bool refobj_session_may(struct refobj_session *session,
			const struct refobj *object, u32 want);
int refobj_session_acquire(struct refobj_session *session, u64 id,
			   struct refobj *object, u32 n, bool not_zero,
			   const char *type);
int refobj_session_publish(struct refobj_session *session,
			   struct refobj *object, u32 n);
int refobj_session_release(struct refobj_session *session, u64 id, u32 n);
int refobj_session_release_all(struct refobj_session *session);
int refobj_session_set_why(struct refobj_session *session, u64 id,
			   const char *text);
void refobj_session_stat(struct refobj_session *session, struct refobj *object,
			 struct refobj_stat *stat);
void refobj_session_show(struct seq_file *m, struct refobj_session *session);
pid_t refobj_session_pid(const struct refobj_session *session);
int refobj_holders_read(struct refobj *object, struct refobj_mark *place,
			u64 *cursor, struct refobj_holder *records, u32 n);
bool refobj_holders_end(struct refobj *object, struct refobj_mark *place);

/* ioctl.c: the command table and argument checks */
long refobj_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* debugfs.c: counters and tables for a person */
void refobj_debugfs_init(void);
void refobj_debugfs_exit(void);
void refobj_count_refusal(int err);

static inline unsigned long refobj_slot(u64 id)
{
	return id & REFOBJ_SLOT_MASK;
}

#endif /* REFOBJ_INTERNAL_H */
