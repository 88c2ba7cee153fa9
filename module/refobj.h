/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rooms of refobj.ko share.
 *
 * REFCNT
 *
 * An object has two counts. @users is the user's: a real refcount_t, all
 * references together. @life is the memory's: the registry holds one for as
 * long as the object can be found; every holder (a session's entry, an object
 * descriptor, an edge), every watcher and the linger timer hold one, and so does
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
 * LOCKING, in this order; all but the first are spinlocks that nothing sleeps
 * under, and none is taken in interrupt context:
 *
 *   refobj_registry.edges       (a mutex) what needs what
 *     refobj_user.lock          the sessions of a uid
 *       refobj_session.entries  (its xa_lock: "the session lock") the entries
 *                               of a session, their counts, its own sums
 *       refobj_session.watchers (its xa_lock) what the session watches
 *         refobj.lock           an object's state, holders, watchers, waiters
 *           refobj_names        (the buckets' locks) names
 *           refobj_registry.objects   (its xa_lock) ids
 *           refobj_registry.settle    edges that do not fit their owner's state
 *           refobj_queue.lock   the events that a session has not read
 *
 * refobj_registry.sessions and the table of users are locked by themselves,
 * with nothing inside. refobj_registries_mutex, outside of all these, keeps the
 * list of registries; it may sleep.
 *
 * LIFETIME
 *
 * The last release of a transient object, or DESTROY of one without users,
 * marks the object dead, takes its name out of the table and its id out of the
 * registry before it lets go of the object's lock. A name or id is looked up
 * under RCU and proves nothing: who wants the object takes its lock and finds
 * it dead or keeps it from dying. So a name never leads to a dying object.
 *
 * A holder is linked into its object while it counts anything; it is unlinked
 * under the object's lock before it, or the session it belongs to, is freed: the
 * object's lock alone lets one look at its holders and their sessions. The same
 * holds for watchers and their queues, and for waiters.
 *
 * A session ends once, with its owner or with its file, whichever is first; then
 * it holds, watches and waits for nothing, and nothing comes anew.
 *
 * Who changes an object's state calls refobj_settle() when it has let go of all
 * locks: the edges of that object, and what follows from them, are brought in
 * line there, one by one and without recursion.
 */
#ifndef REFOBJ_INTERNAL_H
#define REFOBJ_INTERNAL_H

#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/rhashtable-types.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "uapi/linux/refobj.h"

struct file;
struct io_uring_cmd;
struct net;
struct pid;
struct poll_table_struct;
struct refobj_bytes;
struct refobj_content;
struct refobj_linger;
struct refobj_links;
struct refobj_waiting;
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

/* Operations of SUBMIT that are on the stack, and done under one hold of a lock. */
#define REFOBJ_SUBMIT_BATCH	43

enum refobj_quota {
	REFOBJ_QUOTA_OBJECTS,
	REFOBJ_QUOTA_REFERENCES,
	REFOBJ_QUOTA_BYTES,
	REFOBJ_QUOTA_WATCHES,
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
 * @generation: changes when an object comes or goes
 * @told: events that netlink told, or would have
 * @edges: protects all edges of these objects, and what follows
 * @all_edges: &struct refobj_edge_place, in the order in which the edges were made
 * @stack: objects whose edges are being settled, the innermost first
 * @settler: who is settling (written by itself only)
 * @visit: grows with every search for a cycle
 * @settle: protects @unsettled and, as a leaf, the numbers below; these and
 *	@settled are also read locklessly
 * @unsettled: objects whose edges are still to be settled, oldest first
 * @nr_unsettled: how many were ever put there
 * @nr_settled: how many of these are done with, and all that followed from them
 */
struct refobj_registry {
	struct list_head node;
	u64 serial;
	struct net *net;
	struct xarray objects;
	atomic_t nr_objects;
	struct xarray sessions;
	atomic_t generation;
	atomic64_t told;
	struct mutex edges;	/* see above for what it protects */
	struct list_head all_edges;
	struct list_head stack;
	struct task_struct *settler;
	u64 visit;
	spinlock_t settle;	/* protects @unsettled */
	struct list_head unsettled;
	unsigned long nr_unsettled;
	unsigned long nr_settled;
};

/**
 * struct refobj - an object
 * @users: all references; see REFCNT above
 * @lock: protects what says so, and every step of @users to or from zero
 * @life: memory
 * @state: &enum refobj_state (protected by @lock)
 * @users_peak: the most @users ever (raised locklessly, by cmpxchg)
 * @attention: who wants to hear of every step of @users (written under @lock)
 * @told: @users as they were told last (protected by @lock)
 * @nr_holders: entries in @holders, marks not counted (protected by @lock)
 * @holders: &struct refobj_mark, in order of arrival (protected by @lock)
 * @holder_seq: of the newest holder (protected by @lock)
 * @activations: times that it was activated (protected by @lock)
 * @deactivations: times that it was deactivated (protected by @lock)
 * @watchers: &struct refobj_watcher (protected by @lock)
 * @waiters: &struct refobj_waiter (protected by @lock)
 * @event_seq: of the last event (protected by @lock)
 * @builder: holder that is to publish, or NULL (protected by @lock)
 * @content: payload, or NULL: nothing was ever set (protected by @lock)
 * @links: edges from and to the object, or NULL: there never were any (set once,
 *	under @lock)
 * @id: identity; this and all that follows is invariant after publication
 * @registry: where the object lives
 * @owner: whom the object and its label are charged to; holds a reference
 * @uid: owner
 * @gid: owner's group
 * @flags: REFOBJ_PERSISTENT, REFOBJ_BUILD
 * @mode: mode bits
 * @nr_watchers: in @watchers (protected by @lock)
 * @linger: what delays deactivation, or NULL
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
	u32 attention;
	u32 told;
	u32 nr_holders;
	struct list_head holders;
	u64 holder_seq;
	u64 activations;
	u64 deactivations;
	struct list_head watchers;
	struct list_head waiters;
	u64 event_seq;
	struct refobj_mark *builder;
	struct refobj_content *content;
	struct refobj_links *links;

	u64 id;
	struct refobj_registry *registry;
	struct refobj_user *owner;
	kuid_t uid;
	kgid_t gid;
	u32 flags;
	u16 mode;
	u16 nr_watchers;
	struct refobj_linger *linger;
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
 * @id: the object's; 0 while parked, see &refobj_session.parked
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

/**
 * struct refobj_edge_place - a place in a registry's list of edges
 * @node: in &refobj_registry.all_edges
 * @edge: it is an edge's, and not a reader's
 */
struct refobj_edge_place {
	struct list_head node;
	bool edge;
};

/**
 * struct refobj_edge_record - what is told of an edge
 * @owner: id of the object that needs the other
 * @dep: id of the other
 * @since_ns: CLOCK_MONOTONIC when it came to hold
 * @held: it does
 */
struct refobj_edge_record {
	u64 owner;
	u64 dep;
	u64 since_ns;
	bool held;
};

/**
 * struct refobj_act - what changes an object, for those who watch it
 * @cause: &enum refobj_cause
 * @pid: the process, or NULL; kept by the caller
 */
struct refobj_act {
	u32 cause;
	struct pid *pid;
};

/**
 * struct refobj_process - a process, as it was when it came to own something
 * @rcu: frees it
 * @pid: holds a reference
 * @start_ns: CLOCK_BOOTTIME at which it started
 * @comm: its command name then
 */
struct refobj_process {
	struct rcu_head rcu;
	struct pid *pid;
	u64 start_ns;
	char comm[TASK_COMM_LEN];
};

/**
 * struct refobj_record - an event that is still to be read
 * @event: all but @pid is filled in
 * @pid: holds a reference, or NULL
 */
struct refobj_record {
	struct refobj_event event;
	struct pid *pid;
};

/**
 * struct refobj_queue - the events that a session, or an object descriptor, has
 *	not read
 * @lock: protects the rest but @reader
 * @wait: readers, pollers
 * @reader: one reader at a time
 * @records: a ring of @capacity and one more, or NULL: changes are only counted
 * @capacity: records that fit, not counting one that says that some were lost
 * @head: index of the oldest
 * @used: how many there are (also read locklessly)
 * @reading: the oldest of them, which a reader has copied and not yet removed
 * @seq: of the newest
 * @hung: nothing will come any more (also read locklessly)
 */
struct refobj_queue {
	spinlock_t lock;	/* see above for what it protects */
	wait_queue_head_t wait;
	struct mutex reader;	/* serialises readers */
	struct refobj_record *records;
	u32 capacity;
	u32 head;
	u32 used;
	u32 reading;
	u64 seq;
	bool hung;
};

/**
 * struct refobj_watcher - who is told what becomes of an object
 * @node: in &refobj.watchers, until the object is dead
 * @object: holds a life
 * @queue: where to (invariant)
 * @cookie: comes with every record (protected by the object's lock)
 * @mask: types to tell (likewise)
 * @dead: the object is (likewise)
 */
struct refobj_watcher {
	struct list_head node;
	struct refobj *object;
	struct refobj_queue *queue;
	u64 cookie;
	u32 mask;
	bool dead;
};

/* Why references were dropped, in the statistics: a signal's number, or these. */
enum refobj_drop {
	REFOBJ_DROP_EXIT	= 0,
	REFOBJ_DROP_CLOSE	= 65,
	REFOBJ_DROPS,
};

/**
 * struct refobj_session - one open of /dev/refobj
 * @entries: &struct refobj_entry by slot; its lock is the session lock
 * @nr_entries: how many (protected by the session lock)
 * @slack: released references that are still charged (likewise)
 * @references: sum of the entries' counts (likewise)
 * @last: the entry that was found last, to be found at once; or NULL (likewise)
 * @parked: an entry that holds nothing, kept in @entries with its life of the object
 *	for an acquire that comes back to it; or NULL (likewise)
 * @parked_id: its object; the entry's own id is 0 then, so that it is not found
 * @waits: &struct refobj_waiting of its running WAITs (likewise)
 * @why: reason, or NULL (written under the session lock)
 * @process: who owns it (written under the session lock)
 * @owner: table of descriptors with which it ends, or NULL (likewise)
 * @ended: it has nothing and gets nothing any more (likewise)
 * @cause: &enum refobj_cause of the last close of a descriptor
 * @closer: who did that last while nobody owned the session, or NULL
 * @watchers: &struct refobj_watcher by slot
 * @queue: events
 * @id: identity; this and all that follows is invariant
 * @registry: of the namespace that opened it; holds the namespace
 * @user: whom all of it is charged to; holds a reference
 * @user_node: in &refobj_user.sessions (protected by &refobj_user.lock)
 * @file: the open file, which is this session's life
 * @unlimited: opened with CAP_SYS_RESOURCE
 */
struct refobj_session {
	struct xarray entries;
	u32 nr_entries;
	u32 slack;
	u64 references;
	struct refobj_entry *last;
	struct refobj_entry *parked;
	u64 parked_id;
	struct list_head waits;
	struct refobj_why __rcu *why;
	struct refobj_process __rcu *process;
	void *owner;
	bool ended;
	u32 cause;
	struct pid *closer;
	struct xarray watchers;
	struct refobj_queue queue;

	u64 id;
	struct refobj_registry *registry;
	struct refobj_user *user;
	struct list_head user_node;
	struct file *file;
	bool unlimited;
};

/* The errors that the uapi header documents, each counted by itself. */
#define REFOBJ_ERRNOS(X)						\
	X(ENOTTY) X(EFAULT) X(EINVAL) X(E2BIG) X(EOPNOTSUPP) X(ENOMEM)	\
	X(ENOENT) X(ESTALE) X(EACCES) X(EEXIST) X(EPROTOTYPE) X(ERANGE)	\
	X(EOVERFLOW) X(EDQUOT) X(EPERM) X(EAGAIN) X(EBUSY) X(EINTR)	\
	X(ETIMEDOUT) X(ELOOP) X(EBADF) X(EMFILE) X(EXDEV) X(EOWNERDEAD)

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
 * @sessions_revoked: sessions that ended while others had their file open
 * @events: records told, to however many
 * @events_lost: records for which there was no room
 * @waits: WAIT calls that looked, whether or not they had to sleep
 * @publishes: PUBLISH calls that succeeded
 * @exports: object descriptors made
 * @links: edges made
 * @unlinks: edges that have gone
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
	u64 sessions_revoked;
	u64 events;
	u64 events_lost;
	u64 waits;
	u64 publishes;
	u64 exports;
	u64 links;
	u64 unlinks;
	u64 dropped[REFOBJ_DROPS];
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
u32 refobj_registry_nr(const struct refobj_registry *registry);
unsigned long refobj_quota_max(enum refobj_quota quota);
int refobj_charge(struct refobj_user *user, enum refobj_quota quota,
		  unsigned long n, bool unlimited);
void refobj_uncharge(struct refobj_user *user, enum refobj_quota quota,
		     unsigned long n);

extern struct list_head refobj_registries;
extern struct mutex refobj_registries_mutex;

/* object.c: an object's life */

/* How refobj_hold_locked() holds. */
#define REFOBJ_HOLD_NOT_ZERO	(1U << 0)	/* do not activate */
#define REFOBJ_HOLD_BUILD	(1U << 1)	/* be the builder, if one is wanted */
#define REFOBJ_HOLD_EDGE	(1U << 2)	/* whatever the maximum of users */

/* What refobj_unhold_locked() and refobj_object_destroy() did. */
#define REFOBJ_UNHELD_LAST	(1U << 0)	/* deactivated it */
#define REFOBJ_UNHELD_KILLED	(1U << 1)	/* the caller puts the registry's life */

int refobj_object_init(void);
void refobj_object_exit(void);
void refobj_object_flush(void);
struct refobj *refobj_object_create(struct refobj_session *session,
				    const char *name, const char *type,
				    u32 flags, u32 mode, u32 linger_ms);
void refobj_object_discard(struct refobj *object);
bool refobj_get_unless_zero(struct refobj *object);
void refobj_put(struct refobj *object);
int __refobj_users_add_many(struct refobj *object, u32 n);
int __refobj_users_added(struct refobj *object, u32 n, u32 users);
int refobj_hold_locked(struct refobj *object, struct refobj_mark *holder,
		       u32 n, u32 how, const struct refobj_act *act);
int refobj_unhold_locked(struct refobj *object, struct refobj_mark *holder,
			 u32 n, const struct refobj_act *act);
bool refobj_claim_locked(struct refobj *object, struct refobj_mark *holder,
			 const struct refobj_act *act);
int refobj_ready_locked(struct refobj *object, struct refobj_mark *holder,
			const struct refobj_act *act);
int refobj_object_publish(struct refobj *object, struct refobj_mark *holder,
			  u32 n, u32 how);
int refobj_object_destroy(struct refobj *object, u32 cause);
u32 refobj_linger_ms(const struct refobj *object);
u32 refobj_users_peak(void);

/* edge.c: dependencies and the cascade */
void refobj_unsettled_locked(struct refobj *object);
void __refobj_settle(struct refobj_registry *registry);
int refobj_edge_link(struct refobj_session *session, struct refobj *owner,
		     struct refobj *dep);
int refobj_edge_unlink(struct refobj *owner, struct refobj *dep);
u32 refobj_edges(const struct refobj *object);
void refobj_edge_holder(struct refobj_holder *record,
			const struct refobj_mark *mark);
int refobj_edges_read(struct refobj_registry *registry,
		      struct refobj_edge_place *place,
		      struct refobj_edge_record *record, struct refobj **owner);
void refobj_edges_end(struct refobj_registry *registry,
		      struct refobj_edge_place *place);

/* payload.c: values and files */
struct refobj_bytes *refobj_bytes_new(struct refobj_session *session,
				      const void __user *data, u32 length);
void refobj_bytes_put(struct refobj_bytes *bytes);
int refobj_bytes_copy(const struct refobj_bytes *bytes, void __user *to,
		      u32 *length);
struct refobj_content *refobj_content_new(void);
void refobj_content_free(struct refobj_content *content);
struct file *refobj_content_file(int fd);
void refobj_content_give_locked(struct refobj *object,
				struct refobj_content **content);
struct file *refobj_content_set_file_locked(struct refobj *object,
					    struct file *file);
struct file *refobj_content_get_file_locked(struct refobj *object);
int refobj_content_set_bytes_locked(struct refobj *object,
				    struct refobj_bytes **bytes,
				    const u64 *version);
struct refobj_bytes *refobj_content_get_bytes_locked(struct refobj *object,
						     u64 *version);
void refobj_content_drop_locked(struct refobj *object);
void refobj_content_stat_locked(const struct refobj *object,
				struct refobj_stat *stat);

/* event.c: watches, queues, waits */
void refobj_queue_init(struct refobj_queue *queue);
void refobj_queue_destroy(struct refobj_queue *queue);
void refobj_queue_hang(struct refobj_queue *queue);
ssize_t refobj_events_read(struct refobj_session *session, char __user *to,
			   size_t size, bool nonblock);
__poll_t refobj_events_poll(struct refobj_queue *queue, struct file *file,
			    struct poll_table_struct *table);
u32 refobj_events_size(const struct refobj_queue *queue);
void __refobj_event_locked(struct refobj *object, u32 type, u32 cause,
			   struct pid *pid, u32 count);
void __refobj_changed_locked(struct refobj *object, u32 low, u32 cause,
			     struct pid *pid);
void refobj_tell_users(struct refobj *object, u32 low, u32 cause);
void refobj_watchers_end_locked(struct refobj *object,
				const struct refobj_act *act);
int refobj_watcher_link_locked(struct refobj *object,
			       struct refobj_watcher *watcher);
void refobj_watcher_unlink_locked(struct refobj_watcher *watcher);
int refobj_watch(struct refobj_session *session, struct refobj *object,
		 u32 mask, u64 cookie);
int refobj_unwatch(struct refobj_session *session, u64 id);
void refobj_unwatch_all(struct refobj_session *session);
void refobj_waiters_unheld_locked(struct refobj *object,
				  const struct refobj_mark *holder);
struct refobj_mark *refobj_waiters_heir_locked(struct refobj *object,
					       struct pid **pid);
int refobj_wait(struct refobj_session *session,
		const struct refobj_condition *conditions, u32 count, bool all,
		u64 timeout_ns);
void refobj_waits_end_locked(struct refobj_session *session);

/* session.c: entries, ownership, teardown */
int refobj_session_init(void);
void refobj_session_exit(void);
struct refobj_session *refobj_session_open(struct file *file);
void refobj_session_flush(struct refobj_session *session, void *owner);
void refobj_session_close(struct refobj_session *session);
int refobj_session_adopt(struct refobj_session *session, bool nobody);
bool refobj_file_may(const struct file *file, const struct refobj *object,
		     u32 want);
bool refobj_session_next(struct refobj_registry *registry, u64 *id,
			 struct refobj_holder *record, kuid_t *uid,
			 u32 *objects, u64 *references, bool *ended);
bool refobj_session_may(struct refobj_session *session,
			const struct refobj *object, u32 want);
int refobj_session_charge(struct refobj_session *session, u32 n);
struct refobj *refobj_session_find(struct refobj_session *session, u64 id,
				   u32 want);
struct refobj_entry *refobj_session_held(struct refobj_session *session, u64 id,
					 u32 want);
int refobj_session_lacks(struct refobj_session *session, u64 id, int err);
int refobj_session_acquire_held(struct refobj_session *session, u64 id, u32 n);
int refobj_session_acquire(struct refobj_session *session, u64 id,
			   struct refobj *object, u32 n, u32 how,
			   const char *type);
int refobj_session_publish(struct refobj_session *session,
			   struct refobj *object, u32 n);
int refobj_session_release(struct refobj_session *session, u64 id, u32 n);
u32 refobj_session_run_held(struct refobj_session *session,
			    struct refobj_op *ops, u32 n);
int refobj_session_release_all(struct refobj_session *session);
int refobj_session_set_why(struct refobj_session *session, u64 id,
			   const char *text);
void refobj_stat(struct refobj *object, struct refobj_stat *stat);
void refobj_session_stat(struct refobj_session *session, struct refobj *object,
			 struct refobj_stat *stat);
void refobj_session_show(struct seq_file *m, struct refobj_session *session);
int refobj_holders_read(struct refobj *object, struct refobj_mark *place,
			u64 *cursor, struct refobj_holder *records, u32 n);
bool refobj_holders_end(struct refobj *object, struct refobj_mark *place);
struct refobj_process *refobj_process_new(void);
void refobj_process_put(struct refobj_process *process);
pid_t refobj_process_nr(const struct refobj_process *process);
void refobj_process_tell(const struct refobj_process *process,
			 struct refobj_holder *record);

/* objfd.c: exported references */
int refobj_objfd_export(struct refobj_session *session, u64 id);
struct refobj *refobj_objfd_object(int fd);
void refobj_objfd_holder(struct refobj_holder *record,
			 const struct refobj_mark *mark);

/* ioctl.c: the command table and argument checks */
long refobj_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
int refobj_uring_cmd(struct io_uring_cmd *ioucmd, unsigned int issue_flags);

/* debugfs.c: counters and tables for a person */
void refobj_debugfs_init(void);
void refobj_debugfs_exit(void);
void refobj_count_refusal(int err);
u64 refobj_stats_sum(unsigned int i);

/* netlink.c: looking at a whole registry, and listening to it */
int refobj_netlink_init(void);
void refobj_netlink_exit(void);
bool refobj_netlink_heard(const struct refobj_registry *registry);
void refobj_netlink_event(struct refobj_registry *registry,
			  const struct refobj_event *event, struct pid *pid);

static inline unsigned long refobj_slot(u64 id)
{
	return id & REFOBJ_SLOT_MASK;
}

static inline bool refobj_is_active(const struct refobj *object)
{
	lockdep_assert_held(&object->lock);

	return object->state != REFOBJ_STATE_IDLE &&
	       object->state != REFOBJ_STATE_DEAD;
}

/* The process that runs the command is the one that acts. */
#define refobj_act_now(_cause)						\
	((struct refobj_act) { .cause = (_cause), .pid = task_tgid(current) })

/* Does anybody hear of an object's events? Mostly not. */
static inline bool refobj_is_heard(const struct refobj *object)
{
	lockdep_assert_held(&object->lock);

	return unlikely(!list_empty(&object->watchers) ||
			refobj_netlink_heard(object->registry));
}

/* An event of an object; to nobody it costs the counting and a look. */
static inline void refobj_event_locked(struct refobj *object, u32 type,
				       const struct refobj_act *act, u32 count)
{
	object->event_seq++;
	if (refobj_is_heard(object))
		__refobj_event_locked(object, type, act->cause, act->pid,
				      count);
}

/*
 * After references were dropped, which left @low: who waits for few users is woken
 * though others, who need no lock, may have acquired some since.
 */
static inline void refobj_dropped_locked(struct refobj *object, u32 low,
					 const struct refobj_act *act)
{
	if (unlikely(object->attention || !list_empty(&object->waiters)))
		__refobj_changed_locked(object, low, act->cause, act->pid);
}

/* After any other change: tell of the users, wake who waited for it. */
static inline void refobj_changed_locked(struct refobj *object,
					 const struct refobj_act *act)
{
	refobj_dropped_locked(object, U32_MAX, act);
}

/*
 * After a step of the users without the object's lock: tell those who want to
 * hear of it. Pairs with refobj_attend_locked(): either it reads the users after
 * this step, or its attention is seen here.
 */
static inline void refobj_users_moved(struct refobj *object, u32 low, u32 cause)
{
	smp_mb__after_atomic();	/* see above */
	if (unlikely(READ_ONCE(object->attention)))
		refobj_tell_users(object, low, cause);
}

/**
 * refobj_users() - the users of an object
 * @object: the object
 *
 * Return: the number; see refobj_users_add_held() for why it is capped.
 */
static inline u32 refobj_users(const struct refobj *object)
{
	return min_t(u32, refcount_read(&object->users), REFOBJ_USERS_MAX);
}

/**
 * refobj_users_add_held() - take references where some are held
 * @object: the object
 * @n: how many, at most REFOBJ_COUNT_MAX
 *
 * No user can saturate the refcount. A step is checked against
 * REFOBJ_USERS_MAX = 2^29 first; between the check and the addition other tasks
 * may add what they checked. A lockless step adds at most 2^8, and there are at
 * most PID_MAX_LIMIT = 2^22 tasks to be caught there: 2^30 together. A larger
 * step, of at most 2^16, is checked and added under the object's lock, so there
 * is one of those. Edges add one each and are not refused; from less than 2^23
 * objects as many may come. 2^29 + 2^30 + 2^16 + 2^23 is less than INT_MAX, where
 * refcount_t saturates; <linux/refcount.h> argues likewise for the values beyond.
 * The sums of a session are bounded by @users, so they cannot wrap either.
 *
 * Context: under the lock of a session that holds a reference, which keeps the
 * users from zero.
 *
 * Return: 0, or -EOVERFLOW.
 */
static __always_inline int refobj_users_add_held(struct refobj *object, u32 n)
{
	u32 users;
	int old;

	if (unlikely(n > REFOBJ_LOCKLESS_MAX))
		return __refobj_users_add_many(object, n);
	if (unlikely(refcount_read(&object->users) > REFOBJ_USERS_MAX - n))
		return -EOVERFLOW;
	if (WARN_ON_ONCE(!__refcount_add_not_zero(n, &object->users, &old)))
		return -ESTALE;
	smp_mb__after_atomic();	/* see refobj_users_moved() */
	users = old + n;
	/* The peak is never above the maximum. */
	if (unlikely(users > READ_ONCE(object->users_peak) ||
		     READ_ONCE(object->attention)))
		return __refobj_users_added(object, n, users);
	return 0;
}

/**
 * refobj_users_sub_held() - drop references where some remain held
 * @object: the object
 * @n: how many
 *
 * Context: under the lock of a session that holds more than @n.
 */
static __always_inline void refobj_users_sub_held(struct refobj *object, u32 n)
{
	int old;

	WARN_ON_ONCE(__refcount_sub_and_test(n, &object->users, &old));
	refobj_users_moved(object, old - n, REFOBJ_CAUSE_RELEASE);
}

/*
 * Bring edges in line with what the caller has changed. Without edges, which is
 * the rule, nothing is ever put to be settled.
 */
static inline void refobj_settle(struct refobj_registry *registry)
{
	if (READ_ONCE(registry->nr_settled) != READ_ONCE(registry->nr_unsettled))
		__refobj_settle(registry);
}

#endif /* REFOBJ_INTERNAL_H */
