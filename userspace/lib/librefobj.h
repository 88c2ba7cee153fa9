/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * librefobj: the C interface to /dev/refobj.
 *
 * Conventions, as liburing's:
 *
 *  - A function returns 0 or a positive fact on success and a negative errno on
 *    failure; errno itself is not touched on purpose. The errors of the kernel
 *    are in <linux/refobj.h>; each function below names what it can add.
 *  - A call that fails has changed nothing; its results are then unspecified.
 *  - No call blocks but refobj_wait(), its kin and refobj_blob_open(), and none
 *    is restarted behind the caller's back: %-EINTR is passed on.
 *  - Thread safety: every function may be called from any thread at any time on
 *    one session, refobj_close() excepted, which must be the last call.
 *    Acquiring and releasing allocate nothing and take no lock in user space.
 *  - Times: a deadline is in nanoseconds of CLOCK_MONOTONIC as the host sees it,
 *    whatever the time namespace: refobj_deadline() makes one. 0 only looks and
 *    does not wait; UINT64_MAX waits for ever.
 *  - Fork: a session belongs to the process that opened it, and ends with that
 *    process; every call on it fails with %-EOWNERDEAD from then on. In a child
 *    made by fork() every call on it fails with %-ECHILD, so that the child
 *    cannot release, unknowingly, what its parent holds, until the child says
 *    refobj_adopt(); refobj_close() there frees the child's copy. The descriptor
 *    is close-on-exec. If other threads may be in a call on the session at the
 *    moment of the fork(), the child must do nothing but close it.
 *
 * Linking: pkg-config --cflags --libs librefobj
 */
#ifndef LIBREFOBJ_H
#define LIBREFOBJ_H

#include <stddef.h>
#include <stdint.h>

#include <linux/refobj.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A session: one open of the device. Opaque; owned by refobj_open's caller. */
struct refobj_session;

/**
 * struct refobj_attr - what a new object is to be
 * @flags: REFOBJ_PERSISTENT, REFOBJ_BUILD
 * @mode: mode bits, or 0 for REFOBJ_MODE_DEFAULT (0600)
 * @type: type tag, or NULL for none
 * @linger_ms: milliseconds for which the last release is put off, in case that
 *	another acquire comes; 0 to REFOBJ_LINGER_MAX
 *
 * A zeroed one, or a NULL pointer to it, asks for a transient object of mode
 * 0600 without a type that does not linger.
 */
struct refobj_attr {
	uint32_t flags;
	uint32_t mode;
	const char *type;
	uint32_t linger_ms;
};

/**
 * refobj_open() - open a session
 * @session: where the new session is put; the caller ends it with refobj_close()
 *
 * Opens /dev/refobj, or the device that the environment variable REFOBJ_DEVICE
 * names (not looked at in a set-user-ID program).
 *
 * Return: 0; %-ENOENT: no device (the module is not loaded); %-EACCES: no
 * permission to open it; %-ENOTTY: the device is not refobj; others of open(2).
 */
int refobj_open(struct refobj_session **session);

/**
 * refobj_open_unbound() - open a session that belongs to no process
 * @session: where the new session is put; the caller ends it with refobj_close()
 *
 * As refobj_open(), but the session lives as long as its descriptor is open
 * anywhere, in a child or on its way through a socket, whoever has died
 * meanwhile. This gives up what refobj is for: whoever keeps the descriptor by
 * mistake keeps the references. A reference that is to travel is better passed as
 * one, see refobj_export().
 *
 * Return: as refobj_open().
 */
int refobj_open_unbound(struct refobj_session **session);

/**
 * refobj_adopt() - use a session in this process, and own it
 * @session: the session, inherited by fork()
 * @flags: 0; REFOBJ_ADOPT_NOBODY to use it here without owning it: it then
 *	belongs to nobody, see refobj_open_unbound()
 *
 * For a daemon that has forked, before its parent exits: what the session holds
 * and watches stays, callbacks too, and it ends with this process now. The
 * process that had it may go on using it until then.
 *
 * Return: 0; %-EOWNERDEAD: the session has ended already; %-ENOMEM.
 */
int refobj_adopt(struct refobj_session *session, unsigned int flags);

/**
 * refobj_close() - end a session
 * @session: the session, or NULL
 *
 * Drops every reference that the session holds, and ends its watches, whose
 * on_end() is called. In a forked child that has not adopted the session only the
 * child's copy is freed and nothing is called. No other call may be under way on
 * the session, so this is not for callbacks.
 */
void refobj_close(struct refobj_session *session);

/**
 * refobj_fd() - the session's file descriptor
 * @session: the session
 *
 * For poll(2) and the like: POLLIN says that refobj_dispatch(), or
 * refobj_read_events(), has something to do, POLLHUP that the session has ended.
 * It is non-blocking, and stays the session's: do not close or change it.
 *
 * Return: the descriptor, or %-ECHILD in a forked child.
 */
int refobj_fd(const struct refobj_session *session);

/**
 * refobj_info() - limits, features and quotas
 * @session: the session
 * @info: filled in
 *
 * Return: 0 or a negative errno.
 */
int refobj_info(struct refobj_session *session, struct refobj_info *info);

/**
 * refobj_create() - make a new object
 * @session: the session, which will hold the initial references
 * @name: unique in the registry, or NULL for an object without a name
 * @attr: what it is to be, or NULL
 * @initial: references to start with; a transient object needs at least 1
 * @id: where the object's id is put, or NULL
 *
 * Return: REFOBJ_FIRST (1) if the object is active (@initial is not 0), and
 * REFOBJ_BUILDER (256) with it if the caller is to build it; else 0; %-EEXIST if
 * the name is taken; %-ENAMETOOLONG if a string does not fit.
 */
int refobj_create(struct refobj_session *session, const char *name,
		  const struct refobj_attr *attr, unsigned int initial,
		  uint64_t *id);

/**
 * refobj_attach() - acquire an object by name, creating it if there is none
 * @session: the session
 * @name: the name
 * @attr: what a new object is to be, or NULL; its type, if any, is demanded of
 *	an existing object
 * @count: references to acquire, 1 to REFOBJ_COUNT_MAX
 * @id: where the object's id is put, or NULL
 * @created: set to 1 if this call made the object, else to 0, or NULL
 *
 * One atomic step; add REFOBJ_ATTACH_EXISTING to @attr's flags not to create.
 *
 * Return: REFOBJ_FIRST (1) if this was the first acquire, and REFOBJ_BUILDER
 * (256) if the caller is to build the object; else 0; a negative errno.
 */
int refobj_attach(struct refobj_session *session, const char *name,
		  const struct refobj_attr *attr, unsigned int count,
		  uint64_t *id, int *created);

/**
 * refobj_lookup() - the id behind a name
 * @session: the session
 * @name: the name
 * @type: the type that the object must have, or NULL
 * @id: where the id is put
 *
 * Return: 0, or a negative errno: %-ENOENT, %-EACCES, %-EPROTOTYPE.
 */
int refobj_lookup(struct refobj_session *session, const char *name,
		  const char *type, uint64_t *id);

/**
 * refobj_acquire() - take references
 * @session: the session
 * @id: the object
 * @count: how many, 1 to REFOBJ_COUNT_MAX
 *
 * Return: 1 if this was the first acquire, else 0; a negative errno.
 */
int refobj_acquire(struct refobj_session *session, uint64_t id,
		   unsigned int count);

/**
 * refobj_acquire_as() - take references of an object of a given type
 * @session: the session
 * @id: the object
 * @count: how many
 * @flags: REFOBJ_ACQUIRE_NOT_ZERO, REFOBJ_ACQUIRE_BUILD
 * @type: the type demanded, or NULL
 *
 * Return: as refobj_acquire(), and REFOBJ_BUILDER (256) if the caller is to build
 * the object; %-EPROTOTYPE, %-EAGAIN.
 */
int refobj_acquire_as(struct refobj_session *session, uint64_t id,
		      unsigned int count, unsigned int flags,
		      const char *type);

/**
 * refobj_release() - drop references
 * @session: the session
 * @id: the object
 * @count: how many, 1 to REFOBJ_COUNT_MAX
 *
 * Return: 1 if this was the last release, else 0, also if the object lingers;
 * %-ERANGE if the session holds fewer: nothing is released then.
 */
int refobj_release(struct refobj_session *session, uint64_t id,
		   unsigned int count);

/**
 * refobj_release_all() - drop all that the session holds
 * @session: the session
 * @id: the object, or 0 for every object
 *
 * Return: of how many objects this was the last release, or a negative errno.
 */
int refobj_release_all(struct refobj_session *session, uint64_t id);

/**
 * refobj_submit() - acquire and release many
 * @session: the session
 * @ops: what to do, one after the other; @result of each that was tried is set
 * @count: how many, 1 or more
 * @flags: REFOBJ_SUBMIT_ALL to go on after one that was refused
 *
 * Each is as a call of its own, for a fraction of its cost.
 *
 * Return: how many were tried: @count, or up to the one that was refused; fewer
 * without a refusal if a signal came, or if memory of @ops is not there; a negative
 * errno if that was so before anything was tried.
 */
long refobj_submit(struct refobj_session *session, struct refobj_op *ops,
		   size_t count, unsigned int flags);

/**
 * refobj_stat() - what is known of an object
 * @session: the session
 * @id: the object
 * @stat: filled in
 *
 * Return: 0 or a negative errno.
 */
int refobj_stat(struct refobj_session *session, uint64_t id,
		struct refobj_stat *stat);

/**
 * refobj_next() - walk all objects that the caller may read
 * @session: the session
 * @stat: zeroed before the first call, then as the last call left it; filled in
 *
 * Return: 0; %-ENOENT when there are no more.
 */
int refobj_next(struct refobj_session *session, struct refobj_stat *stat);

/**
 * refobj_holders() - who holds an object
 * @session: the session
 * @id: the object
 * @records: set to an array that the caller frees with free(), NULL if empty
 *
 * Return: the number of records, or a negative errno.
 */
int refobj_holders(struct refobj_session *session, uint64_t id,
		   struct refobj_holder **records);

/**
 * refobj_destroy() - remove an idle persistent object
 * @session: the session
 * @id: the object
 *
 * Return: 0; %-EBUSY if it has users; other negative errnos.
 */
int refobj_destroy(struct refobj_session *session, uint64_t id);

/**
 * refobj_set_why() - say why something is held
 * @session: the session
 * @id: an object that the session holds, or 0 for the session as a whole
 * @why: at most 63 bytes, or NULL for none
 *
 * Return: 0; %-ENAMETOOLONG; other negative errnos.
 */
int refobj_set_why(struct refobj_session *session, uint64_t id,
		   const char *why);

/**
 * refobj_is_type() - is an object of this type?
 * @session: the session
 * @id: the object
 * @type: the type; NULL or empty: has it none?
 *
 * A type never changes, so the answer stays true.
 *
 * Return: 1 if so, else 0; a negative errno.
 */
int refobj_is_type(struct refobj_session *session, uint64_t id,
		   const char *type);

/*
 * Payloads. All need a reference; %-EPERM without.
 */

/**
 * refobj_publish() - say that an object is ready, as its builder
 * @session: the session, which is the builder
 * @id: the object
 * @fd: a regular file that becomes the object's, or -1 for none; it stays the
 *	caller's to close
 *
 * Return: 0; %-EPERM: not the builder, or no reference; %-EINVAL: not a regular
 * file; other negative errnos.
 */
int refobj_publish(struct refobj_session *session, uint64_t id, int fd);

/**
 * refobj_set_file() - replace the file of an object
 * @session: the session
 * @id: the object
 * @fd: a regular file, or -1 for none; it stays the caller's to close
 *
 * The object keeps the file until it is deactivated.
 *
 * Return: 0; %-EINVAL: not a regular file; other negative errnos.
 */
int refobj_set_file(struct refobj_session *session, uint64_t id, int fd);

/**
 * refobj_get_file() - open the file of an object
 * @session: the session
 * @id: the object
 *
 * Return: a new close-on-exec descriptor that the caller closes, of the open file
 * that was set, so with its access mode and its offset; %-ENODATA: the object has
 * no file; other negative errnos.
 */
int refobj_get_file(struct refobj_session *session, uint64_t id);

/**
 * refobj_set_value() - replace the value of an object
 * @session: the session
 * @id: the object
 * @data: the new value
 * @length: bytes, 0 to REFOBJ_VALUE_MAX; 0 takes the value away
 *
 * The object keeps the value until it is deactivated.
 *
 * Return: 0; %-EINVAL: too long; %-EDQUOT; other negative errnos.
 */
int refobj_set_value(struct refobj_session *session, uint64_t id,
		     const void *data, size_t length);

/**
 * refobj_set_value_if() - replace the value of an object, if nobody else has
 * @session: the session
 * @id: the object
 * @version: that the value to be replaced has, from refobj_get_value()
 * @data: the new value
 * @length: bytes, 0 to REFOBJ_VALUE_MAX
 *
 * Return: 0; %-EAGAIN: it has another version by now; else as
 * refobj_set_value().
 */
int refobj_set_value_if(struct refobj_session *session, uint64_t id,
			uint64_t version, const void *data, size_t length);

/**
 * refobj_get_value() - read the value of an object
 * @session: the session
 * @id: the object
 * @data: where to
 * @size: bytes that fit there; REFOBJ_VALUE_MAX is always enough
 * @version: set to how often the value has been set, or NULL
 *
 * Return: the length of the value in bytes, of which as many as fit have been
 * written; 0 if there is none; a negative errno.
 */
int refobj_get_value(struct refobj_session *session, uint64_t id, void *data,
		     size_t size, uint64_t *version);

/*
 * Edges, and references that travel
 */

/**
 * refobj_link() - let an object need another
 * @session: the session
 * @id: the object that needs the other, "the owner"
 * @dep: the object that is needed
 *
 * While the owner is active it holds one reference on what it needs.
 *
 * Return: 0; %-EEXIST: so it is already; %-ELOOP: the owner would need itself;
 * other negative errnos.
 */
int refobj_link(struct refobj_session *session, uint64_t id, uint64_t dep);

/**
 * refobj_unlink() - let an object need another no more
 * @session: the session
 * @id: the owner
 * @dep: the object that it needs
 *
 * Return: 0; %-ENOENT: it does not need it; other negative errnos.
 */
int refobj_unlink(struct refobj_session *session, uint64_t id, uint64_t dep);

/**
 * refobj_export() - make a reference that is a descriptor
 * @session: the session, which holds the object
 * @id: the object
 *
 * The new reference is dropped with the last close of the descriptor, which may
 * be passed through a socket, and is safe on its way.
 *
 * Return: a new close-on-exec descriptor that the caller closes, or a negative
 * errno.
 */
int refobj_export(struct refobj_session *session, uint64_t id);

/**
 * refobj_import() - take a reference from a descriptor
 * @session: the session, which then holds one reference more
 * @fd: a descriptor from refobj_export(), wherever that was; it stays the
 *	caller's to close, and keeps its own reference until then
 * @id: where the object's id is put, or NULL
 *
 * Return: 0; %-EINVAL: another kind of file; %-EXDEV: the object is of another
 * network namespace; other negative errnos.
 */
int refobj_import(struct refobj_session *session, int fd, uint64_t *id);

/*
 * Waiting
 */

/**
 * refobj_deadline() - a deadline from now
 * @ms: milliseconds; negative means never
 *
 * Return: the deadline for the functions below; 0 for 0, which does not wait.
 */
uint64_t refobj_deadline(int64_t ms);

/**
 * refobj_wait() - sleep until an object is in some state
 * @session: the session
 * @id: the object
 * @until: &enum refobj_until, but REFOBJ_UNTIL_USERS
 * @deadline_ns: when to give up
 *
 * Return: 0; %-ETIMEDOUT; %-EINTR; %-ESTALE: the object has died, and will not be
 * active or ready; other negative errnos.
 */
int refobj_wait(struct refobj_session *session, uint64_t id, uint32_t until,
		uint64_t deadline_ns);

/**
 * refobj_wait_users() - sleep until an object has few users
 * @session: the session
 * @id: the object
 * @users: at most so many, all together
 * @deadline_ns: when to give up
 *
 * Return: 0; %-ETIMEDOUT; %-EINTR; other negative errnos. A dead object has none.
 */
int refobj_wait_users(struct refobj_session *session, uint64_t id,
		      uint32_t users, uint64_t deadline_ns);

/**
 * refobj_wait_many() - sleep until one, or each, of some conditions has held
 * @session: the session
 * @conditions: what to wait for
 * @n: how many, 1 to REFOBJ_WAIT_MAX
 * @flags: REFOBJ_WAIT_ALL or 0
 * @deadline_ns: when to give up
 *
 * Return: the index of the condition that held, plus REFOBJ_BUILDER (256) if the
 * session is to build that object; 0 if all have held; else as refobj_wait().
 */
int refobj_wait_many(struct refobj_session *session,
		     const struct refobj_condition *conditions, unsigned int n,
		     unsigned int flags, uint64_t deadline_ns);

/*
 * Events: either with callbacks and refobj_dispatch(), or record by record with
 * refobj_read_events(), which takes away what the former would have got.
 */

/**
 * refobj_watch() - have the session told what becomes of an object
 * @session: the session
 * @id: the object
 * @mask: REFOBJ_WATCH_DEFAULT, or bits within REFOBJ_WATCH_ALL; not 0
 * @cookie: comes with each record
 *
 * For refobj_read_events(). Takes the place of another watch of the object by
 * this session, callbacks too.
 *
 * Return: 0; %-EAGAIN: unread events fill the queue; %-EDQUOT; other negative
 * errnos.
 */
int refobj_watch(struct refobj_session *session, uint64_t id, uint32_t mask,
		 uint64_t cookie);

/**
 * refobj_unwatch() - watch an object no more
 * @session: the session
 * @id: the object
 *
 * No callback of the watch is started any more; one that runs in another thread
 * may still run, and on_end() is called after it. Without callbacks, what is in
 * the queue stays there.
 *
 * Return: 0; %-ENOENT: it was not watched, or its end has been told.
 */
int refobj_unwatch(struct refobj_session *session, uint64_t id);

/**
 * refobj_read_events() - take records from the queue
 * @session: the session
 * @events: filled in, oldest first
 * @n: how many fit, at least 1
 *
 * Return: how many there were, 0 if none; %-EOWNERDEAD: the session has ended;
 * other negative errnos.
 */
int refobj_read_events(struct refobj_session *session,
		       struct refobj_event *events, unsigned int n);

/**
 * struct refobj_callbacks - what a watch calls
 * @on_snapshot: how the object was when the watch began: always the first
 * @on_activate: the first acquire
 * @on_ready: the object can be used: at once, or when its builder has published
 * @on_count: the number of users has changed; several changes may be one call
 * @on_deactivate: the last release, or the end of the time to linger
 * @on_died: a process has died, and its references were dropped
 * @on_builder: another process is to build the object, or nobody so far
 * @on_destroyed: the object is dead, and the watch over
 * @on_lost: events have been lost, of any watch of the session. To know where
 *	things stand, watch the object anew
 * @on_end: the watch has ended, for whatever reason, and no callback of it runs or
 *	will run: the place to free @data of refobj_watch_callbacks()
 *
 * Any may be NULL; the kernel is not asked for events that nobody wants.
 * @event is valid during the call. A callback may call anything on the session but
 * refobj_close(): it may end its own watch, and it may dispatch, which handles
 * what came later before it returns.
 */
struct refobj_callbacks {
	void (*on_snapshot)(struct refobj_session *session,
			    const struct refobj_event *event, void *data);
	void (*on_activate)(struct refobj_session *session,
			    const struct refobj_event *event, void *data);
	void (*on_ready)(struct refobj_session *session,
			 const struct refobj_event *event, void *data);
	void (*on_count)(struct refobj_session *session,
			 const struct refobj_event *event, void *data);
	void (*on_deactivate)(struct refobj_session *session,
			      const struct refobj_event *event, void *data);
	void (*on_died)(struct refobj_session *session,
			const struct refobj_event *event, void *data);
	void (*on_builder)(struct refobj_session *session,
			   const struct refobj_event *event, void *data);
	void (*on_destroyed)(struct refobj_session *session,
			     const struct refobj_event *event, void *data);
	void (*on_lost)(struct refobj_session *session,
			const struct refobj_event *event, void *data);
	void (*on_end)(void *data);
};

/**
 * refobj_watch_callbacks() - have functions called for what becomes of an object
 * @session: the session
 * @id: the object
 * @callbacks: which; copied
 * @data: handed to them
 *
 * They are called by refobj_dispatch(). Takes the place of another watch of the
 * object by this session, whose on_end() is called.
 *
 * Return: 0; %-ENOMEM; else as refobj_watch().
 */
int refobj_watch_callbacks(struct refobj_session *session, uint64_t id,
			   const struct refobj_callbacks *callbacks,
			   void *data);

/**
 * refobj_dispatch() - call back for all events that there are
 * @session: the session
 *
 * When refobj_fd() is readable, or at any time. One thread at a time calls back,
 * so the callbacks of a session come one after the other, in the order of the
 * events; where another thread is at it, this call leaves the work to it and
 * returns 0. Events of watches without callbacks are passed over.
 *
 * Return: how many events there were, or a negative errno: %-EOWNERDEAD.
 */
int refobj_dispatch(struct refobj_session *session);

/*
 * Handles
 */

/**
 * struct refobj_ref - one reference, that is dropped once
 * @session: that holds it
 * @id: the object; 0 if there is no reference (any more), so a zeroed handle is
 *	a closed one
 */
struct refobj_ref {
	struct refobj_session *session;
	uint64_t id;
};

/**
 * refobj_ref_open() - take a reference with a handle
 * @ref: the handle; filled in, whatever was in it; refobj_ref_close() ends it
 * @session: the session
 * @id: the object
 * @type: the type demanded, or NULL
 *
 * Return: 1 if this was the first acquire, else 0; a negative errno, and the
 * handle is a closed one.
 */
int refobj_ref_open(struct refobj_ref *ref, struct refobj_session *session,
		    uint64_t id, const char *type);

/**
 * refobj_ref_close() - drop the reference of a handle, if it has one
 * @ref: the handle
 *
 * Closing it again is harmless, from another thread at the same time too.
 *
 * Return: 1 if this was the last release, else 0, also if the handle was closed;
 * a negative errno if the reference was gone by other means.
 */
int refobj_ref_close(struct refobj_ref *ref);

/* The most that a shared handle counts: %-EOVERFLOW beyond. */
#define REFOBJ_SHARED_MAX	(1U << 31)

/**
 * struct refobj_shared - one reference, that the threads of a process count
 * @count: by how many it is held; 0: the kernel holds no reference
 * @here: what tells this process from its children
 * @process: the process that the handle is good in
 *
 * Of refobj_shared_open(). The fields are for the functions below only.
 */
struct refobj_shared {
	unsigned int count;
	const uint64_t *here;
	uint64_t process;
};

/**
 * refobj_shared_open() - make a handle for all threads of the process
 * @shared: set to the handle; the caller ends it with refobj_shared_close()
 * @session: that is to hold the reference; it must outlive the handle
 * @id: the object
 *
 * For what is taken and dropped often: while anybody in the process holds the
 * handle the kernel holds one reference for all of them, and drops it when the
 * process dies; taking another is a step of a count in the process's own memory.
 * Nothing is acquired yet.
 *
 * In a forked child it cannot be held any more, and letting go of it only counts
 * there, until the child has adopted the session: it is good again then, with what
 * is left of the count that it had at the fork.
 *
 * Return: 0; %-ENOMEM; %-ECHILD.
 */
int refobj_shared_open(struct refobj_shared **shared,
		       struct refobj_session *session, uint64_t id);

/**
 * refobj_shared_close() - end a handle
 * @shared: the handle, or NULL; no other call may be under way on it
 *
 * Drops the reference, if the handle is still held. In a forked child that has not
 * adopted the session only the child's copy is freed.
 *
 * Return: as refobj_release() if it was held, else 0.
 */
int refobj_shared_close(struct refobj_shared *shared);

/* The parts of what follows that call the kernel, or refuse. */
int refobj__shared_get(struct refobj_shared *shared);
int refobj__shared_put(struct refobj_shared *shared);

/**
 * refobj_shared_get() - hold what a handle stands for
 * @shared: the handle
 *
 * As refcount_inc(), it orders nothing: who got here by other means has what he
 * needs to see, and a first acquire is a system call.
 *
 * Return: 1 if this was the first acquire of all, else 0; the errors of
 * refobj_acquire() if nobody in the process held it; %-EOVERFLOW; %-ECHILD.
 */
static inline int refobj_shared_get(struct refobj_shared *shared)
{
	unsigned int n = __atomic_load_n(&shared->count, __ATOMIC_RELAXED);

	if (__atomic_load_n(shared->here, __ATOMIC_RELAXED) !=
	    __atomic_load_n(&shared->process, __ATOMIC_RELAXED))
		return refobj__shared_get(shared);
	do {
		/* The maximum is negative. */
		if ((int)n <= 0)
			return refobj__shared_get(shared);
	} while (!__atomic_compare_exchange_n(&shared->count, &n, n + 1, 1,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return 0;
}

/**
 * refobj_shared_put() - let go of what a handle stands for
 * @shared: the handle
 *
 * As refcount_dec_and_test(): all that was done while holding it comes before, for
 * him who lets go last and for what happens then.
 *
 * Return: 1 if this was the last release of all, else 0; %-ERANGE: nobody in the
 * process holds it; the errors of refobj_release(); %-ECHILD in a forked child for
 * the last.
 */
static inline int refobj_shared_put(struct refobj_shared *shared)
{
	unsigned int n = __atomic_load_n(&shared->count, __ATOMIC_RELAXED);

	/* In a child too, where it is the child's copy that is counted down. */
	do {
		if ((int)n <= 1)
			return refobj__shared_put(shared);
	} while (!__atomic_compare_exchange_n(&shared->count, &n, n - 1, 1,
					      __ATOMIC_RELEASE, __ATOMIC_RELAXED));
	return 0;
}

/* Types and what can be done with them. Opaque. */
struct refobj_types;

/**
 * refobj_types_new() - a registry of types
 * @types: where it is put; the caller ends it with refobj_types_free()
 * @generic: operations for types that were not added; NULL makes the registry
 *	strict: such types are refused
 *
 * What operations are is the caller's business: usually a structure of functions.
 * The registry keeps the pointers and never looks behind them.
 *
 * Return: 0 or %-ENOMEM.
 */
int refobj_types_new(struct refobj_types **types, const void *generic);

/**
 * refobj_types_free() - end a registry
 * @types: the registry, or NULL; no other call may be under way on it
 */
void refobj_types_free(struct refobj_types *types);

/**
 * refobj_types_add() - say what can be done with a type
 * @types: the registry
 * @type: the type; empty is that of objects without one; copied
 * @operations: not NULL
 *
 * Return: 0; %-EEXIST: it is there already; %-EINVAL; %-ENAMETOOLONG; %-ENOMEM.
 */
int refobj_types_add(struct refobj_types *types, const char *type,
		     const void *operations);

/**
 * refobj_types_find() - what can be done with a type
 * @types: the registry
 * @type: the type
 * @operations: set to what was added, or to the generic ones
 *
 * Return: 1 if the type was added, 0 if these are the generic operations;
 * %-EPROTOTYPE: unknown to a strict registry.
 */
int refobj_types_find(struct refobj_types *types, const char *type,
		      const void **operations);

/**
 * refobj_types_open() - take a reference, and be told what can be done with it
 * @types: the registry
 * @session: the session
 * @id: the object
 * @ref: the handle, as of refobj_ref_open()
 * @operations: set to those of the object's type
 *
 * Return: as refobj_ref_open(); %-EPROTOTYPE: the object's type is unknown to a
 * strict registry, and no reference was taken.
 */
int refobj_types_open(struct refobj_types *types,
		      struct refobj_session *session, uint64_t id,
		      struct refobj_ref *ref, const void **operations);

/*
 * Memory that the first one fills, the others map, and the last one frees
 */

/**
 * refobj_publish_memfd() - publish bytes, as the builder of an object
 * @session: the session, which is the builder
 * @id: the object
 * @data: the bytes; copied
 * @size: how many, at least 1
 *
 * Makes a memfd of them that nobody can change any more, the caller included.
 *
 * Return: 0; %-EPERM: not the builder; %-ENOSPC or %-ENOMEM: no memory; other
 * negative errnos.
 */
int refobj_publish_memfd(struct refobj_session *session, uint64_t id,
			 const void *data, size_t size);

/**
 * struct refobj_blob - shared memory that lives as long as somebody has it open
 * @ref: the reference that keeps it
 * @data: the bytes, to be read; NULL while they are to be built
 * @size: how many
 */
struct refobj_blob {
	struct refobj_ref ref;
	const void *data;
	size_t size;
};

/**
 * refobj_blob_open() - map a blob, or be told to build it
 * @blob: filled in, whatever was in it; refobj_blob_close() ends it
 * @session: the session; it must not have the blob open already
 * @name: of the blob
 * @attr: what a new object is to be, or NULL; REFOBJ_BUILD is added
 * @deadline_ns: when to give up waiting for another process to build it
 *
 * Who is not the first waits until the builder has published, or takes over from
 * one that has died. What is mapped is what no process can change: the file must
 * be a memfd with the seals F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_WRITE.
 *
 * Return: 0: @blob->data is there; REFOBJ_BUILDER (256): the caller is to build
 * it, with refobj_blob_build(), or to close it for somebody else to do so;
 * %-ETIMEDOUT; %-EINTR; %-ENODATA: the object has no file; %-EPROTO: the file is
 * empty or not sealed; other negative errnos. After a failure @blob is closed.
 */
int refobj_blob_open(struct refobj_blob *blob, struct refobj_session *session,
		     const char *name, const struct refobj_attr *attr,
		     uint64_t deadline_ns);

/**
 * refobj_blob_build() - fill a blob, publish it, and map it
 * @blob: from refobj_blob_open(), which returned REFOBJ_BUILDER
 * @size: bytes, at least 1
 * @fill: writes them to @memory, which is zeroed; returns 0 or a negative errno
 * @arg: handed to @fill
 *
 * Return: 0; what @fill returned; %-EPERM: not the builder; %-ENOSPC or %-ENOMEM:
 * no memory; other negative errnos. After a failure the caller is the builder
 * still: it may try again, or close the blob.
 */
int refobj_blob_build(struct refobj_blob *blob, size_t size,
		      int (*fill)(void *memory, size_t size, void *arg),
		      void *arg);

/**
 * refobj_blob_close() - unmap a blob, and drop the reference
 * @blob: the blob; closing it again is harmless
 *
 * Return: as refobj_ref_close().
 */
int refobj_blob_close(struct refobj_blob *blob);

/*
 * Words
 */

/**
 * refobj_strstate() - the name of a state
 * @state: &enum refobj_state
 *
 * Return: a constant string: "idle", "building", "ready", "lingering", "dead" or
 * "unknown".
 */
const char *refobj_strstate(uint32_t state);

/**
 * refobj_strevent() - the name of a type of event
 * @type: &enum refobj_event_type
 *
 * Return: a constant string: "snapshot", "activated", "ready", "count",
 * "deactivated", "holder-died", "builder-changed", "destroyed", "lost" or
 * "unknown".
 */
const char *refobj_strevent(uint32_t type);

/**
 * refobj_strcause() - the name of a cause
 * @cause: &enum refobj_cause
 *
 * Return: a string: "none", "acquire", "release", "close", "exit", "object",
 * "linger", "destroy", "publish", "namespace" or "unknown", which are constant;
 * "signal 9", which is valid until the thread's next call.
 */
const char *refobj_strcause(uint32_t cause);

/**
 * refobj_version() - the library's version
 *
 * Return: a constant string such as "0.1.0".
 */
const char *refobj_version(void);

#ifdef __cplusplus
}
#endif

#endif /* LIBREFOBJ_H */
