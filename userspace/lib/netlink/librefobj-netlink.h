/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * librefobj-netlink: a whole registry, as the generic netlink family tells it. It is
 * apart from librefobj, as it needs libmnl.
 *
 * Conventions are those of librefobj.h: 0 or a positive fact on success, else a negative
 * errno. A handle is for one thread at a time. Who sees what is said in
 * <linux/refobj_netlink.h>.
 *
 * A dump is collected, and begun anew if objects came or went during it, before the
 * first row is told; after REFOBJ_NL_TRIES it is told as it is, and the call returns
 * REFOBJ_NL_CHANGED. What was there all the time is in it once either way.
 *
 * Linking: pkg-config --cflags --libs librefobj-netlink
 */
#ifndef LIBREFOBJ_NETLINK_H
#define LIBREFOBJ_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/refobj.h>
#include <linux/refobj_netlink.h>

#ifdef __cplusplus
extern "C" {
#endif

#define REFOBJ_NL_TRIES		8
#define REFOBJ_NL_CHANGED	1

/* A socket to the family. Opaque. */
struct refobj_nl;

/**
 * struct refobj_nl_filter - which objects are wanted: those that fit all of it
 * @prefix: their names begin so; NULL: whatever
 * @type: their type, "" for those without; NULL: whatever
 * @state: &enum refobj_state, or 0
 * @has_uid: @uid is meant
 * @uid: their owner
 * @unused: nobody uses them
 */
struct refobj_nl_filter {
	const char *prefix;
	const char *type;
	uint32_t state;
	bool has_uid;
	uint32_t uid;
	bool unused;
};

/**
 * struct refobj_nl_session - a session
 * @id: identity
 * @references: that it holds
 * @start_ns: CLOCK_BOOTTIME nanoseconds at which its process started
 * @objects: that it holds
 * @pid: its process, or 0 if that has no number here
 * @uid: who opened it
 * @ended: its owner has gone, others have it open
 * @comm: its process's command name
 * @why: the reason given for it
 */
struct refobj_nl_session {
	uint64_t id;
	uint64_t references;
	uint64_t start_ns;
	uint32_t objects;
	uint32_t pid;
	uint32_t uid;
	bool ended;
	char comm[REFOBJ_COMM_SIZE];
	char why[REFOBJ_WHY_SIZE];
};

/**
 * struct refobj_nl_edge - an object needs another
 * @object: id of the one
 * @dep: id of the other
 * @since_ns: CLOCK_MONOTONIC nanoseconds at which it came to hold it
 * @held: it holds it now
 */
struct refobj_nl_edge {
	uint64_t object;
	uint64_t dep;
	uint64_t since_ns;
	bool held;
};

/**
 * refobj_nl_open() - a socket to the family, in the caller's network namespace
 * @nl: set to it; for refobj_nl_close()
 *
 * Return: 0; %-ENOENT: there is no family, the module is not loaded or old.
 */
int refobj_nl_open(struct refobj_nl **nl);

/**
 * refobj_nl_close() - the end
 * @nl: from refobj_nl_open(), or NULL
 */
void refobj_nl_close(struct refobj_nl *nl);

/**
 * refobj_nl_why() - what the kernel said about its last refusal
 * @nl: the handle
 *
 * Return: a text, perhaps empty, that is good until the next call.
 */
const char *refobj_nl_why(const struct refobj_nl *nl);

/**
 * refobj_nl_objects() - all objects that fit
 * @nl: the handle
 * @filter: which, or NULL
 * @told: gets each; a negative return ends it
 * @arg: for @told
 *
 * @held of the objects is 0: a socket holds nothing.
 *
 * Return: 0, %REFOBJ_NL_CHANGED, or what @told returned.
 */
int refobj_nl_objects(struct refobj_nl *nl, const struct refobj_nl_filter *filter,
		      int (*told)(const struct refobj_stat *object, void *arg),
		      void *arg);

/**
 * refobj_nl_object() - an object
 * @nl: the handle
 * @id: its id, or 0: by name
 * @name: its name, if @id is 0
 * @object: filled in
 *
 * Return: 0; %-ENOENT, %-ESTALE, %-EACCES.
 */
int refobj_nl_object(struct refobj_nl *nl, uint64_t id, const char *name,
		     struct refobj_stat *object);

/**
 * refobj_nl_holders() - holders
 * @nl: the handle
 * @id: of this object, or 0: of all
 * @told: gets each, with the id of the object; a negative return ends it
 * @arg: for @told
 *
 * Return: as refobj_nl_objects(); %-ENOENT, %-ESTALE, %-EACCES.
 */
int refobj_nl_holders(struct refobj_nl *nl, uint64_t id,
		      int (*told)(uint64_t object,
				  const struct refobj_holder *holder, void *arg),
		      void *arg);

/**
 * refobj_nl_sessions() - sessions
 * @nl: the handle
 * @told: gets each; a negative return ends it
 * @arg: for @told
 *
 * Return: as refobj_nl_objects().
 */
int refobj_nl_sessions(struct refobj_nl *nl,
		       int (*told)(const struct refobj_nl_session *session,
				   void *arg),
		       void *arg);

/**
 * refobj_nl_edges() - what needs what
 * @nl: the handle
 * @told: gets each; a negative return ends it
 * @arg: for @told
 *
 * Return: as refobj_nl_objects().
 */
int refobj_nl_edges(struct refobj_nl *nl,
		    int (*told)(const struct refobj_nl_edge *edge, void *arg),
		    void *arg);

/**
 * refobj_nl_listen() - hear what becomes of all objects
 * @nl: the handle, which is for nothing else from then on
 *
 * Return: 0, %-EPERM: it needs CAP_NET_ADMIN.
 */
int refobj_nl_listen(struct refobj_nl *nl);

/**
 * refobj_nl_fd() - for poll()
 * @nl: the handle
 *
 * Return: the descriptor, which has an event to give when it is readable.
 */
int refobj_nl_fd(const struct refobj_nl *nl);

/**
 * refobj_nl_next() - the next event
 * @nl: a handle that listens
 * @event: filled in
 *
 * Where events were lost, because nobody read them in time, a record of the type
 * %REFOBJ_EVENT_LOST comes: with their number in @count before the event that comes
 * after them, and with 0 when all that there was has been read, as some of the last may
 * be among them. What was known of objects is to be asked for anew.
 *
 * Return: 1, or 0: there is none now.
 */
int refobj_nl_next(struct refobj_nl *nl, struct refobj_event *event);

#ifdef __cplusplus
}
#endif

#endif /* LIBREFOBJ_NETLINK_H */
