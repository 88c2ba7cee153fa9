/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The generic netlink family "refobj": what is in the registry of a network namespace,
 * for those who look at all of it. It changes nothing. The contract, with the types of
 * the attributes, is refobj.yaml beside this file, in the kernel's format for such.
 *
 * WHO SEES WHAT
 *
 * An object and its holders are seen by who may read the object (its mode, judged by
 * the credentials that opened the socket), a session by its own uid. With
 * CAP_NET_ADMIN in the user namespace that owns the network namespace all of it is
 * seen, and events can be listened to. Statistics are the whole machine's: they need
 * CAP_NET_ADMIN in the initial user namespace.
 *
 * DUMPS
 *
 * A dump tells each object, holder, session or edge that is there all the time exactly
 * once, however many come and go meanwhile. If objects came or went between two
 * messages, NLM_F_DUMP_INTR is set in what follows: one more dump tells the rest.
 *
 * Uids and gids are as the reader's user namespace has them, pids as his pid
 * namespace, 0 if they are not there.
 */
#ifndef _UAPI_LINUX_REFOBJ_NETLINK_H
#define _UAPI_LINUX_REFOBJ_NETLINK_H

#define REFOBJ_GENL_NAME	"refobj"
#define REFOBJ_GENL_VERSION	1

#define REFOBJ_GENL_MCGRP_EVENTS	"events"

/**
 * enum refobj_cmd - commands of the family
 * @REFOBJ_CMD_OBJECT_GET: do: the object of %REFOBJ_A_OBJECT_ID, or of
 *	%REFOBJ_A_OBJECT_NAME. Errors: %ENOENT, %ESTALE (it is dead), %EACCES,
 *	%EINVAL (none of them, or both). Dump: all objects, or those that fit all of
 *	%REFOBJ_A_OBJECT_PREFIX, %REFOBJ_A_OBJECT_TYPE, %REFOBJ_A_OBJECT_STATE,
 *	%REFOBJ_A_OBJECT_UID and %REFOBJ_A_OBJECT_UNUSED
 * @REFOBJ_CMD_HOLDER_GET: dump: the holders of the object of
 *	%REFOBJ_A_HOLDER_OBJECT, or of all objects. Errors: as for an object
 * @REFOBJ_CMD_SESSION_GET: dump: sessions
 * @REFOBJ_CMD_EDGE_GET: dump: what needs what, whether or not it is active; seen
 *	by who sees the first of the two
 * @REFOBJ_CMD_STATS_GET: do: what was done since the module was loaded
 * @REFOBJ_CMD_EVENT_NTF: in the group "events": what a watch of all objects would
 *	be told, but %REFOBJ_EVENT_COUNT
 */
enum refobj_cmd {
	REFOBJ_CMD_OBJECT_GET = 1,
	REFOBJ_CMD_HOLDER_GET,
	REFOBJ_CMD_SESSION_GET,
	REFOBJ_CMD_EDGE_GET,
	REFOBJ_CMD_STATS_GET,
	REFOBJ_CMD_EVENT_NTF,

	/* private: */
	__REFOBJ_CMD_MAX,
	REFOBJ_CMD_MAX = (__REFOBJ_CMD_MAX - 1)
};

/* Of an object, as in struct refobj_stat; the last two only select. */
enum refobj_a_object {
	REFOBJ_A_OBJECT_ID = 1,
	REFOBJ_A_OBJECT_NAME,
	REFOBJ_A_OBJECT_TYPE,
	REFOBJ_A_OBJECT_STATE,
	REFOBJ_A_OBJECT_FLAGS,
	REFOBJ_A_OBJECT_MODE,
	REFOBJ_A_OBJECT_UID,
	REFOBJ_A_OBJECT_GID,
	REFOBJ_A_OBJECT_USERS,
	REFOBJ_A_OBJECT_USERS_PEAK,
	REFOBJ_A_OBJECT_HOLDERS,
	REFOBJ_A_OBJECT_CREATED_NS,
	REFOBJ_A_OBJECT_ACTIVATIONS,
	REFOBJ_A_OBJECT_DEACTIVATIONS,
	REFOBJ_A_OBJECT_LINGER_MS,
	REFOBJ_A_OBJECT_WATCHES,
	REFOBJ_A_OBJECT_VALUE_VERSION,
	REFOBJ_A_OBJECT_VALUE_SIZE,
	REFOBJ_A_OBJECT_HAS_FILE,
	REFOBJ_A_OBJECT_BUILDER,
	REFOBJ_A_OBJECT_EDGES,
	REFOBJ_A_OBJECT_PREFIX,
	REFOBJ_A_OBJECT_UNUSED,
	REFOBJ_A_OBJECT_PAD,

	__REFOBJ_A_OBJECT_MAX,
	REFOBJ_A_OBJECT_MAX = (__REFOBJ_A_OBJECT_MAX - 1)
};

/* Of a holder, as in struct refobj_holder; those that are 0 or empty are left out. */
enum refobj_a_holder {
	REFOBJ_A_HOLDER_OBJECT = 1,
	REFOBJ_A_HOLDER_KIND,
	REFOBJ_A_HOLDER_COUNT,
	REFOBJ_A_HOLDER_SESSION,
	REFOBJ_A_HOLDER_PID,
	REFOBJ_A_HOLDER_UID,
	REFOBJ_A_HOLDER_START_NS,
	REFOBJ_A_HOLDER_SINCE_NS,
	REFOBJ_A_HOLDER_COMM,
	REFOBJ_A_HOLDER_WHY,
	REFOBJ_A_HOLDER_PAD,

	__REFOBJ_A_HOLDER_MAX,
	REFOBJ_A_HOLDER_MAX = (__REFOBJ_A_HOLDER_MAX - 1)
};

/* Of a session: its process as in struct refobj_holder, and what it has. */
enum refobj_a_session {
	REFOBJ_A_SESSION_ID = 1,
	REFOBJ_A_SESSION_PID,
	REFOBJ_A_SESSION_UID,
	REFOBJ_A_SESSION_START_NS,
	REFOBJ_A_SESSION_COMM,
	REFOBJ_A_SESSION_WHY,
	REFOBJ_A_SESSION_OBJECTS,
	REFOBJ_A_SESSION_REFERENCES,
	REFOBJ_A_SESSION_ENDED,
	REFOBJ_A_SESSION_PAD,

	__REFOBJ_A_SESSION_MAX,
	REFOBJ_A_SESSION_MAX = (__REFOBJ_A_SESSION_MAX - 1)
};

/* The object %REFOBJ_A_EDGE_OBJECT needs %REFOBJ_A_EDGE_DEP, and holds it or not. */
enum refobj_a_edge {
	REFOBJ_A_EDGE_OBJECT = 1,
	REFOBJ_A_EDGE_DEP,
	REFOBJ_A_EDGE_HELD,
	REFOBJ_A_EDGE_SINCE_NS,
	REFOBJ_A_EDGE_PAD,

	__REFOBJ_A_EDGE_MAX,
	REFOBJ_A_EDGE_MAX = (__REFOBJ_A_EDGE_MAX - 1)
};

/* As in debugfs' "stats", by the names there. */
enum refobj_a_stats {
	REFOBJ_A_STATS_CREATED = 1,
	REFOBJ_A_STATS_DESTROYED,
	REFOBJ_A_STATS_ATTACHES,
	REFOBJ_A_STATS_ACQUIRES,
	REFOBJ_A_STATS_RELEASES,
	REFOBJ_A_STATS_REFERENCES_ACQUIRED,
	REFOBJ_A_STATS_REFERENCES_RELEASED,
	REFOBJ_A_STATS_ACTIVATIONS,
	REFOBJ_A_STATS_DEACTIVATIONS,
	REFOBJ_A_STATS_SESSIONS_OPENED,
	REFOBJ_A_STATS_SESSIONS_CLOSED,
	REFOBJ_A_STATS_SESSIONS_REVOKED,
	REFOBJ_A_STATS_EVENTS,
	REFOBJ_A_STATS_EVENTS_LOST,
	REFOBJ_A_STATS_WAITS,
	REFOBJ_A_STATS_PUBLISHES,
	REFOBJ_A_STATS_EXPORTS,
	REFOBJ_A_STATS_LINKS,
	REFOBJ_A_STATS_UNLINKS,
	REFOBJ_A_STATS_DROPPED_CLOSE,
	REFOBJ_A_STATS_DROPPED_EXIT,
	REFOBJ_A_STATS_DROPPED_SIGNAL,
	REFOBJ_A_STATS_REFUSED,
	REFOBJ_A_STATS_PAD,

	__REFOBJ_A_STATS_MAX,
	REFOBJ_A_STATS_MAX = (__REFOBJ_A_STATS_MAX - 1)
};

/*
 * Of an event: struct refobj_event, as read(2) gives it. @seq counts the events of
 * the network namespace, so that a gap shows what was lost; @cookie is 0; @pid is told
 * in the initial network namespace only, and as the initial pid namespace has it.
 */
enum refobj_a_event {
	REFOBJ_A_EVENT_RECORD = 1,

	__REFOBJ_A_EVENT_MAX,
	REFOBJ_A_EVENT_MAX = (__REFOBJ_A_EVENT_MAX - 1)
};

#endif /* _UAPI_LINUX_REFOBJ_NETLINK_H */
