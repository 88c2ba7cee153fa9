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
 *  - No call blocks, none is a cancellation point, and none is restarted
 *    behind the caller's back: %-EINTR is passed on.
 *  - Thread safety: every function may be called from any thread at any time on
 *    one session, refobj_close() excepted, which must be the last call.
 *    Acquiring and releasing allocate nothing and take no lock in user space.
 *  - Fork: a session belongs to the process that opened it. In a child made by
 *    fork() every call on it fails with %-ECHILD, so that the child cannot
 *    release, unknowingly, what its parent holds; refobj_close() there frees the
 *    child's copy. While a child keeps the inherited descriptor open, so the
 *    session stays open, even past the parent's death: a child that lives on
 *    without exec should close it. The descriptor is close-on-exec.
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
 * @flags: REFOBJ_PERSISTENT or 0
 * @mode: mode bits, or 0 for REFOBJ_MODE_DEFAULT (0600)
 * @type: type tag, or NULL for none
 *
 * A zeroed one, or a NULL pointer to it, asks for a transient object of mode
 * 0600 without a type.
 */
struct refobj_attr {
	uint32_t flags;
	uint32_t mode;
	const char *type;
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
 * refobj_close() - end a session
 * @session: the session, or NULL
 *
 * Drops every reference that the session holds. In a forked child only the
 * child's copy is freed. No other call may be under way on the session.
 */
void refobj_close(struct refobj_session *session);

/**
 * refobj_fd() - the session's file descriptor
 * @session: the session
 *
 * For poll(2) and the like; it stays the session's: do not close it.
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
 * Return: 1 if the object is active (@initial is not 0), else 0; %-EEXIST if
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
 * Return: 1 if this was the first acquire, else 0; a negative errno.
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
 * @flags: REFOBJ_ACQUIRE_NOT_ZERO or 0
 * @type: the type demanded, or NULL
 *
 * Return: as refobj_acquire(); %-EPROTOTYPE, %-EAGAIN.
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
 * Return: 1 if this was the last release, else 0; %-ERANGE if the session holds
 * fewer: nothing is released then.
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
 * refobj_strstate() - the name of a state
 * @state: &enum refobj_state
 *
 * Return: a constant string: "idle", "ready", "dead" or "unknown".
 */
const char *refobj_strstate(uint32_t state);

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
