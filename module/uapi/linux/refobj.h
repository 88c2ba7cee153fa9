/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * refobj: crash-safe reference counting between processes, kept by the kernel.
 *
 * The contract of /dev/refobj. It needs no other header of the project and may
 * be used from C and C++.
 *
 * Every command takes a pointer to a structure whose first field, @size, is the
 * size of that structure as the caller was compiled with; the ioctl number
 * carries the same size. The rules of extension are those of
 * copy_struct_from_user():
 *
 *  - a caller older than the kernel passes a shorter structure: the missing
 *    fields count as zero, and zero always means "as before";
 *  - a caller newer than the kernel passes a longer one: bytes that this kernel
 *    does not know must be zero, else %E2BIG;
 *  - the kernel writes back at most the caller's @size bytes.
 *
 * Results are written before a change takes effect, so that a call that fails
 * has changed nothing in the kernel; the output fields are then unspecified.
 * What an output field holds on entry does not matter.
 *
 * Errors (every command; what each adds is said with it):
 *
 * ============== ============================================================
 * %ENOTTY        not a command of this device
 * %EFAULT        the structure, or an array that it points to, is not there
 * %EINVAL        @size is too small or differs from the number's, or a known
 *                field has a bad value
 * %E2BIG         non-zero bytes beyond what this kernel knows, or @size above
 *                4096
 * %EOPNOTSUPP    a flag that this kernel does not know, or a reserved field
 *                that is not zero
 * %ENOMEM        no memory
 * %ENOENT        no object of this name, or an id that was never given out
 * %ESTALE        the object of this id has died, or is not in this registry
 * %EACCES        the object's mode does not let the caller do this
 * %EEXIST        CREATE: the name is taken
 * %EPROTOTYPE    the object's type is not the one demanded
 * %ERANGE        RELEASE: more than the session holds; nothing was released
 * %EOVERFLOW     the users would pass REFOBJ_USERS_MAX
 * %EDQUOT        a quota of the caller's uid is used up
 * %EPERM         the command needs a reference that the session does not hold
 * %EAGAIN        ACQUIRE with REFOBJ_ACQUIRE_NOT_ZERO: the object is idle;
 *                SET_VALUE with REFOBJ_VALUE_IF: the value has changed; WATCH:
 *                the queue has no room for the snapshot; read(2): nothing there
 * %EBUSY         DESTROY: the object has users
 * %EINTR         a signal came before anything was done
 * %ETIMEDOUT     WAIT: the time has come, and nothing that was waited for
 * %ELOOP         LINK: the owner would need itself
 * %EBADF         a descriptor that is not open, or only for its path
 * %EMFILE        no descriptor is free (also %ENFILE)
 * %EXDEV         IMPORT: the object is of another registry
 * %EOWNERDEAD    the session has ended with the process that owned it
 * ============== ============================================================
 *
 * OWNERSHIP. A session belongs to the process that opened it, to be exact to its
 * table of descriptors, which threads share. It ends, and drops all it held, when
 * that process exits, execs with the descriptor close-on-exec, or closes its last
 * descriptor of the session, though a forked child, or a descriptor on its way
 * through a socket, keeps the file open. Until then who else has a descriptor may
 * use the session as the owner does, or become its owner with ADOPT; afterwards
 * every command and read(2) answers %EOWNERDEAD, and poll(2) EPOLLHUP. ADOPT with
 * REFOBJ_ADOPT_NOBODY, right after open(2), makes a session that belongs to the
 * open file instead and ends with its last descriptor, wherever that is.
 *
 * EVENTS. read(2) on a session gives whole &struct refobj_event records of what
 * it watches, oldest first; a buffer that no record fits in is %EINVAL, and with
 * O_NONBLOCK an empty queue %EAGAIN. A record is gone from the queue only when it
 * has been copied. FIONREAD tells the bytes that are there, poll(2) EPOLLIN.
 *
 * OBJECT DESCRIPTORS, from EXPORT, are one reference as an open file. poll(2) says
 * EPOLLIN when the object has changed (see &enum refobj_event_type; counts do not
 * matter) since the first poll(2) or the last read(2), which gives the number of
 * changes as a __u64 and does not wait: %EAGAIN. While one is open the object has
 * a user, so it cannot die; /proc/PID/fdinfo/FD tells which it is.
 *
 * IO_URING. ACQUIRE, RELEASE, PUBLISH, SUBMIT and WAIT can be submitted to io_uring(7) as
 * IORING_OP_URING_CMD, see &struct refobj_uring_cmd.
 */
#ifndef _UAPI_LINUX_REFOBJ_H
#define _UAPI_LINUX_REFOBJ_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * 0xBB is a type byte that Documentation/userspace-api/ioctl/ioctl-number.rst
 * lists for nobody, from 6.1 to 7.2; the block 0x00 to 0x3f is ours, 0x40 to 0x7f
 * that of <linux/refobj_lab.h>.
 */
#define REFOBJ_IOC_MAGIC	0xBB

/* 0.1.0; told by INFO, for people: programs look at the features. */
#define REFOBJ_VERSION		0x000100

/* The most users an object can have: %EOVERFLOW beyond. */
#define REFOBJ_USERS_MAX	(1U << 29)
/* The most references that one call acquires or releases: %EINVAL beyond. */
#define REFOBJ_COUNT_MAX	(1U << 16)

/*
 * Sizes of the string fields, with the terminating NUL that each must have.
 * Strings are printable UTF-8: no control characters (C0, DEL, C1), no line or
 * paragraph separators, no bidirectional controls, nothing unassignable. Names
 * and types must not contain '/' either. %EINVAL otherwise.
 */
#define REFOBJ_NAME_SIZE	64
#define REFOBJ_TYPE_SIZE	32
#define REFOBJ_WHY_SIZE		64
#define REFOBJ_COMM_SIZE	16

/* The longest value of an object, in bytes. */
#define REFOBJ_VALUE_MAX	4096
/* The longest time to linger, in milliseconds: a day. */
#define REFOBJ_LINGER_MAX	86400000U
/* The most conditions that one call waits for. */
#define REFOBJ_WAIT_MAX		64
/* The most operations that one call of SUBMIT carries out. */
#define REFOBJ_SUBMIT_MAX	4096
/* The most watches that an object can have: %EDQUOT beyond. */
#define REFOBJ_WATCHES_MAX	4096

/* A quota or limit without a bound, in &struct refobj_info. */
#define REFOBJ_UNLIMITED	(~(__u64)0)

/**
 * enum refobj_state - where an object is in its life
 * @REFOBJ_STATE_IDLE: persistent, and nobody uses it
 * @REFOBJ_STATE_READY: has users
 * @REFOBJ_STATE_DEAD: gone; its id answers %ESTALE
 * @REFOBJ_STATE_BUILDING: has users, and what it stands for is being made
 * @REFOBJ_STATE_LINGERING: was ready, and has no users for now; an acquire within
 *	its linger time makes it ready again as if nothing had been
 *
 * An object is active in all but the idle and the dead state. What is building
 * does not linger: there is nothing yet to keep.
 */
enum refobj_state {
	REFOBJ_STATE_IDLE	= 1,
	REFOBJ_STATE_READY	= 2,
	REFOBJ_STATE_DEAD	= 3,
	REFOBJ_STATE_BUILDING	= 4,
	REFOBJ_STATE_LINGERING	= 5,
};

/**
 * enum refobj_holder_kind - what holds a reference
 * @REFOBJ_HOLDER_SESSION: an open file of /dev/refobj
 * @REFOBJ_HOLDER_FD: an object descriptor, made by EXPORT
 * @REFOBJ_HOLDER_OBJECT: an active object that needs this one, see LINK
 */
enum refobj_holder_kind {
	REFOBJ_HOLDER_SESSION	= 1,
	REFOBJ_HOLDER_FD	= 2,
	REFOBJ_HOLDER_OBJECT	= 3,
};

/*
 * Flags of an object, for CREATE and ATTACH, reported by STAT.
 *
 * REFOBJ_PERSISTENT: the object outlives its last release and is removed by
 * DESTROY, or with its network namespace, or with the module. Without it the
 * last release ends the object.
 *
 * REFOBJ_BUILD: once activated the object is building until its builder says
 * PUBLISH. The builder is the session of the first acquire that asks for it: by
 * CREATE or ATTACH with this flag, or by ACQUIRE with REFOBJ_ACQUIRE_BUILD. When
 * that session drops its last reference on the object, by release or by death,
 * one of those that wait for it with REFOBJ_COND_BUILD becomes the builder, or if
 * there is none the next to ask. Only who may write the object becomes its
 * builder. ATTACH to an object without this flag asks for nothing.
 */
#define REFOBJ_PERSISTENT	(1U << 0)
#define REFOBJ_BUILD		(1U << 1)

/* ATTACH only: do not create; %ENOENT if there is no object of this name. */
#define REFOBJ_ATTACH_EXISTING	(1U << 16)

/* ACQUIRE only: %EAGAIN, rather than an activation, if nobody uses the object. */
#define REFOBJ_ACQUIRE_NOT_ZERO	(1U << 0)

/* ACQUIRE only: become the builder, if the object is building and has none. */
#define REFOBJ_ACQUIRE_BUILD	(1U << 1)

/*
 * What CREATE, ATTACH and ACQUIRE return: bits that tell whether this was the
 * first acquire (the object was activated), and whether the session is now the
 * builder; WAIT adds the latter to what it returns. RELEASE returns
 * REFOBJ_LAST or 0.
 */
#define REFOBJ_FIRST		1
#define REFOBJ_LAST		1
#define REFOBJ_BUILDER		256

/* STAT only: the next object after @id that the caller may read. */
#define REFOBJ_STAT_NEXT	(1U << 0)

/* WAIT only: for all conditions and not for any. */
#define REFOBJ_WAIT_ALL		(1U << 0)

/* PUBLISH only: the file of @fd is the object's payload. */
#define REFOBJ_PUBLISH_FILE	(1U << 0)

/* SET_VALUE only: if the value's version is still @version. */
#define REFOBJ_VALUE_IF		(1U << 0)

/* SUBMIT only: go on after an operation that was refused. */
#define REFOBJ_SUBMIT_ALL	(1U << 0)

/* ADOPT only: the session belongs to nobody, and lives as long as its file. */
#define REFOBJ_ADOPT_NOBODY	(1U << 0)

/**
 * enum refobj_cause - why something happened
 * @REFOBJ_CAUSE_NONE: nothing did: a snapshot
 * @REFOBJ_CAUSE_ACQUIRE: CREATE, ATTACH, ACQUIRE, IMPORT or EXPORT
 * @REFOBJ_CAUSE_RELEASE: RELEASE or RELEASE_ALL
 * @REFOBJ_CAUSE_CLOSE: a session or an object descriptor was closed
 * @REFOBJ_CAUSE_EXIT: the process that owned the session has exited
 * @REFOBJ_CAUSE_OBJECT: an object that needs this one was activated, deactivated
 *	or linked to it
 * @REFOBJ_CAUSE_LINGER: the time to linger is over
 * @REFOBJ_CAUSE_DESTROY: DESTROY
 * @REFOBJ_CAUSE_PUBLISH: PUBLISH
 * @REFOBJ_CAUSE_NAMESPACE: the network namespace, or the module, went
 * @REFOBJ_CAUSE_SIGNAL: plus the signal's number: the process that owned the
 *	session was killed by it
 */
enum refobj_cause {
	REFOBJ_CAUSE_NONE	= 0,
	REFOBJ_CAUSE_ACQUIRE	= 1,
	REFOBJ_CAUSE_RELEASE	= 2,
	REFOBJ_CAUSE_CLOSE	= 3,
	REFOBJ_CAUSE_EXIT	= 4,
	REFOBJ_CAUSE_OBJECT	= 5,
	REFOBJ_CAUSE_LINGER	= 6,
	REFOBJ_CAUSE_DESTROY	= 7,
	REFOBJ_CAUSE_PUBLISH	= 8,
	REFOBJ_CAUSE_NAMESPACE	= 9,
	REFOBJ_CAUSE_SIGNAL	= 256,
};

/**
 * enum refobj_event_type - what happened
 * @REFOBJ_EVENT_SNAPSHOT: nothing yet: how the object was when WATCH was called;
 *	the first record of every watch, whatever its mask
 * @REFOBJ_EVENT_ACTIVATED: the users left zero, not counting what lingered
 * @REFOBJ_EVENT_READY: PUBLISH was called, or the object has no REFOBJ_BUILD and
 *	was activated
 * @REFOBJ_EVENT_COUNT: the users are now @users. Changes that nobody has read yet
 *	may be told as one
 * @REFOBJ_EVENT_DEACTIVATED: the users are zero, and what lingered is over
 * @REFOBJ_EVENT_HOLDER_DIED: a process died, and its session dropped @count
 *	references; before what became of that
 * @REFOBJ_EVENT_BUILDER_CHANGED: the object has a builder, @pid, or the builder
 *	gave up or died: then @pid is the new one, or 0 if there is none yet
 * @REFOBJ_EVENT_DESTROYED: the object is dead; the last record of its watch,
 *	whatever the mask: the watch has gone
 * @REFOBJ_EVENT_LOST: the queue was full, and @count records are missing here
 *
 * The bit of a type in a mask is 1 << type.
 */
enum refobj_event_type {
	REFOBJ_EVENT_SNAPSHOT		= 0,
	REFOBJ_EVENT_ACTIVATED		= 1,
	REFOBJ_EVENT_READY		= 2,
	REFOBJ_EVENT_COUNT		= 3,
	REFOBJ_EVENT_DEACTIVATED	= 4,
	REFOBJ_EVENT_HOLDER_DIED	= 5,
	REFOBJ_EVENT_BUILDER_CHANGED	= 6,
	REFOBJ_EVENT_DESTROYED		= 7,
	REFOBJ_EVENT_LOST		= 8,
};

#define REFOBJ_WATCH(type)	(1U << (type))
/* All that an object can tell. */
#define REFOBJ_WATCH_ALL	0xfeU
/* The same without the counts, which can be many. */
#define REFOBJ_WATCH_DEFAULT	0xf6U

/**
 * struct refobj_event - a record of read(2) on a session
 * @size: bytes of this record: where the next one is
 * @type: &enum refobj_event_type
 * @cause: &enum refobj_cause
 * @state: &enum refobj_state afterwards
 * @id: the object; 0 if @type is REFOBJ_EVENT_LOST
 * @seq: of the session, 1 for its first record; lost ones are counted, so a gap
 *	is as wide as what is missing
 * @object_seq: of the object: grows with each of its events, told or not
 * @time_ns: CLOCK_MONOTONIC nanoseconds, on the host's clock whatever the
 *	reader's time namespace
 * @cookie: of the watch
 * @users: all references afterwards
 * @count: REFOBJ_EVENT_HOLDER_DIED: references that were dropped;
 *	REFOBJ_EVENT_LOST: records lost; else 0
 * @pid: process that caused it, in the reader's pid namespace; for
 *	REFOBJ_EVENT_HOLDER_DIED the dead one; 0 if it has no number there, or if it
 *	was no process
 * @flags: 0; bits that a reader does not know may be ignored
 */
struct refobj_event {
	__u32 size;
	__u32 type;
	__u32 cause;
	__u32 state;
	__u64 id;
	__u64 seq;
	__u64 object_seq;
	__u64 time_ns;
	__u64 cookie;
	__u32 users;
	__u32 count;
	__u32 pid;
	__u32 flags;
};

/*
 * What &refobj_info.features says: bits of what came after the first version.
 */
#define REFOBJ_FEATURE_EVENTS	(1U << 0)	/* WATCH, read(2), WAIT */
#define REFOBJ_FEATURE_LINGER	(1U << 1)
#define REFOBJ_FEATURE_BUILD	(1U << 2)	/* REFOBJ_BUILD, PUBLISH */
#define REFOBJ_FEATURE_PAYLOAD	(1U << 3)	/* SET_PAYLOAD, SET_VALUE */
#define REFOBJ_FEATURE_EDGES	(1U << 4)	/* LINK */
#define REFOBJ_FEATURE_FDS	(1U << 5)	/* EXPORT, IMPORT */
#define REFOBJ_FEATURE_OWNER	(1U << 6)	/* owner-bound sessions, ADOPT */
#define REFOBJ_FEATURE_SUBMIT	(1U << 7)
#define REFOBJ_FEATURE_URING	(1U << 8)	/* commands by io_uring */

/*
 * Mode bits, as of a file, checked with the credentials that opened the
 * session: the owner's class if the uid is the owner's, else the group's if the
 * gid is among the groups, else the others'. Read lets see and acquire, write
 * lets change and destroy. CAP_DAC_OVERRIDE in the user namespace of the
 * registry's network namespace passes, if that namespace maps the owner.
 */
#define REFOBJ_MODE_MASK	0666
#define REFOBJ_MODE_DEFAULT	0600

/**
 * struct refobj_info - argument of REFOBJ_IOC_INFO
 * @size: sizeof(struct refobj_info)
 * @flags: in: 0
 * @version: out: REFOBJ_VERSION of the module
 * @name_max: out: longest name in bytes, without the NUL
 * @type_max: out: longest type in bytes, without the NUL
 * @why_max: out: longest reason in bytes, without the NUL
 * @features: out: REFOBJ_FEATURE_*
 * @users_max: out: REFOBJ_USERS_MAX of the module
 * @count_max: out: REFOBJ_COUNT_MAX of the module
 * @objects_max: out: quota of objects of the session's uid, or REFOBJ_UNLIMITED
 * @objects_used: out: objects charged to that uid
 * @references_max: out: quota of references of that uid, or REFOBJ_UNLIMITED
 * @references_used: out: references charged to that uid. Every open session
 *	may keep up to 64 references, released or refused, charged for its next
 *	acquire; they are given back before anybody is refused
 * @bytes_max: out: quota of bytes of names, types, reasons and values, or
 *	REFOBJ_UNLIMITED
 * @bytes_used: out: bytes charged to that uid
 * @session: out: id of this session, as HOLDERS shows it
 * @registry: out: inode number of the network namespace whose objects these are
 * @watches_max: out: quota of watches of that uid, or REFOBJ_UNLIMITED
 * @watches_used: out: watches charged to that uid
 *
 * What the module is and what the caller may use, so that nobody has to probe
 * by failing. A session opened with CAP_SYS_RESOURCE has no quotas.
 *
 * Return: 0.
 */
struct refobj_info {
	__u32 size;
	__u32 flags;
	__u32 version;
	__u32 name_max;
	__u32 type_max;
	__u32 why_max;
	__u64 features;
	__u32 users_max;
	__u32 count_max;
	__u64 objects_max;
	__u64 objects_used;
	__u64 references_max;
	__u64 references_used;
	__u64 bytes_max;
	__u64 bytes_used;
	__u64 session;
	__u64 registry;
	__u64 watches_max;
	__u64 watches_used;
};

/**
 * struct refobj_create - argument of REFOBJ_IOC_CREATE
 * @size: sizeof(struct refobj_create)
 * @flags: in: REFOBJ_PERSISTENT, REFOBJ_BUILD
 * @mode: in: mode bits within REFOBJ_MODE_MASK; 0 means REFOBJ_MODE_DEFAULT
 * @initial: in: references that the session holds on the new object, at most
 *	REFOBJ_COUNT_MAX; a transient object needs one, a persistent may have 0
 * @id: out: the object's id
 * @name: in: unique in the registry, or empty for an object without a name
 * @type: in: a tag, or empty
 * @linger_ms: in: milliseconds for which the deactivation waits for another
 *	acquire, at most REFOBJ_LINGER_MAX; 0 deactivates at once
 * @reserved: in: 0
 *
 * Creates an object; its owner is the effective uid and gid that opened the
 * session.
 *
 * Return: REFOBJ_FIRST if the object was activated (@initial is not 0), and
 * REFOBJ_BUILDER if it is to be built; else 0. Errors: %EEXIST, %EDQUOT.
 */
struct refobj_create {
	__u32 size;
	__u32 flags;
	__u32 mode;
	__u32 initial;
	__u64 id;
	char name[REFOBJ_NAME_SIZE];
	char type[REFOBJ_TYPE_SIZE];
	__u32 linger_ms;
	__u32 reserved;
};

/**
 * struct refobj_attach - argument of REFOBJ_IOC_ATTACH
 * @size: sizeof(struct refobj_attach)
 * @flags: in: REFOBJ_ATTACH_EXISTING; REFOBJ_BUILD, which also asks to be the
 *	builder of an existing object; for a new object REFOBJ_PERSISTENT
 * @mode: in: mode bits of a new object, as with CREATE; an existing one keeps
 *	its own
 * @count: in: references to acquire, 1 to REFOBJ_COUNT_MAX
 * @id: out: the object's id
 * @created: out: 1 if this call made the object, else 0
 * @reserved: in: 0
 * @name: in: the name; must not be empty
 * @type: in: the type that an existing object must have, and a new one gets;
 *	empty demands nothing
 * @linger_ms: in: of a new object, as with CREATE
 * @reserved2: in: 0
 *
 * Acquires the object of this name, which is created if there is none, in one
 * atomic step: of any number of callers exactly one is told that it created,
 * and no caller is ever handed an object whose last reference is gone. Needs
 * read permission on an existing object, even if the session holds it.
 *
 * Return: REFOBJ_FIRST if the object was activated, and REFOBJ_BUILDER if the
 * session is to build it; else 0. Errors: %ENOENT, %EACCES, %EPROTOTYPE,
 * %EOVERFLOW, %EDQUOT, %EINTR.
 */
struct refobj_attach {
	__u32 size;
	__u32 flags;
	__u32 mode;
	__u32 count;
	__u64 id;
	__u32 created;
	__u32 reserved;
	char name[REFOBJ_NAME_SIZE];
	char type[REFOBJ_TYPE_SIZE];
	__u32 linger_ms;
	__u32 reserved2;
};

/**
 * struct refobj_lookup - argument of REFOBJ_IOC_LOOKUP
 * @size: sizeof(struct refobj_lookup)
 * @flags: in: 0
 * @id: out: the object's id
 * @name: in: the name; must not be empty
 * @type: in: the type that the object must have; empty demands nothing
 *
 * Finds an object by name; needs read permission. It takes no reference: the
 * object may be gone before the next call, which is then told %ESTALE.
 *
 * Return: 0. Errors: %ENOENT, %EACCES, %EPROTOTYPE.
 */
struct refobj_lookup {
	__u32 size;
	__u32 flags;
	__u64 id;
	char name[REFOBJ_NAME_SIZE];
	char type[REFOBJ_TYPE_SIZE];
};

/**
 * struct refobj_acquire - argument of REFOBJ_IOC_ACQUIRE
 * @size: sizeof(struct refobj_acquire), or 24 for one without @type
 * @flags: in: REFOBJ_ACQUIRE_NOT_ZERO, REFOBJ_ACQUIRE_BUILD
 * @id: in: the object
 * @count: in: references to acquire, 1 to REFOBJ_COUNT_MAX
 * @reserved: in: 0
 * @type: in: the type that the object must have; empty demands nothing
 *
 * Needs read permission unless the session already holds a reference: like an
 * open file, what is held may be held again. Nothing is written back.
 *
 * Return: REFOBJ_FIRST if the object was activated, and REFOBJ_BUILDER if the
 * session is now its builder; else 0. Errors: %ENOENT, %ESTALE, %EACCES,
 * %EPROTOTYPE, %EAGAIN, %EOVERFLOW, %EDQUOT.
 */
struct refobj_acquire {
	__u32 size;
	__u32 flags;
	__u64 id;
	__u32 count;
	__u32 reserved;
	char type[REFOBJ_TYPE_SIZE];
};

/**
 * struct refobj_release - argument of REFOBJ_IOC_RELEASE
 * @size: sizeof(struct refobj_release)
 * @flags: in: 0
 * @id: in: the object
 * @count: in: references to release, 1 to REFOBJ_COUNT_MAX
 * @reserved: in: 0
 *
 * Nothing is written back.
 *
 * Return: REFOBJ_LAST if the object was deactivated, and has died if it is
 * transient; else 0, also if it lingers. Errors: %ENOENT, %ESTALE, %ERANGE.
 */
struct refobj_release {
	__u32 size;
	__u32 flags;
	__u64 id;
	__u32 count;
	__u32 reserved;
};

/**
 * struct refobj_release_all - argument of REFOBJ_IOC_RELEASE_ALL
 * @size: sizeof(struct refobj_release_all)
 * @flags: in: 0
 * @id: in: the object, or 0 for all that the session holds
 *
 * Releases every reference that the session holds on one object, or on all of
 * them. With @id 0, what other threads acquire on the session meanwhile may or
 * may not be released. Nothing is written back.
 *
 * Return: the number of objects that were deactivated. Errors, only with
 * an @id: %ENOENT, %ESTALE, %ERANGE (the session holds none).
 */
struct refobj_release_all {
	__u32 size;
	__u32 flags;
	__u64 id;
};

/**
 * struct refobj_stat - argument of REFOBJ_IOC_STAT
 * @size: sizeof(struct refobj_stat)
 * @flags: in: REFOBJ_STAT_NEXT or 0
 * @id: in: the object; with REFOBJ_STAT_NEXT the id that the call before gave,
 *	or 0 to start; out: the object told about
 * @state: out: &enum refobj_state
 * @object_flags: out: REFOBJ_PERSISTENT, REFOBJ_BUILD
 * @mode: out: mode bits
 * @uid: out: owner, as the caller's user namespace sees it
 * @gid: out: owner's group, likewise
 * @users: out: all references together
 * @users_peak: out: the most users that the object ever had
 * @holders: out: how many hold a reference (what HOLDERS lists)
 * @created_ns: out: CLOCK_MONOTONIC nanoseconds of the creation, on the host's
 *	clock whatever the caller's time namespace
 * @activations: out: how often the users left zero
 * @deactivations: out: how often the users came back to zero
 * @held: out: references that the calling session holds
 * @reserved: in and out: 0
 * @name: out: the name, or empty
 * @type: out: the type, or empty
 * @linger_ms: out: time to linger
 * @watches: out: sessions that watch the object
 * @value_version: out: of the value, as GET_VALUE tells it
 * @value_size: out: bytes of the value
 * @has_file: out: 1 if there is a file to GET_PAYLOAD, else 0
 * @builder: out: process whose session is the builder, in the caller's pid
 *	namespace; 0 if there is none, or it has no number there
 * @edges: out: objects that this one needs
 *
 * Needs read permission. With REFOBJ_STAT_NEXT objects without it are passed
 * over, and %ENOENT says that there are no more; an object that lives during
 * the whole walk is told exactly once. The order means nothing.
 *
 * Return: 0. Errors: %ENOENT, %ESTALE, %EACCES, %EINTR.
 */
struct refobj_stat {
	__u32 size;
	__u32 flags;
	__u64 id;
	__u32 state;
	__u32 object_flags;
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u32 users;
	__u32 users_peak;
	__u32 holders;
	__u64 created_ns;
	__u64 activations;
	__u64 deactivations;
	__u32 held;
	__u32 reserved;
	char name[REFOBJ_NAME_SIZE];
	char type[REFOBJ_TYPE_SIZE];
	__u32 linger_ms;
	__u32 watches;
	__u64 value_version;
	__u32 value_size;
	__u32 has_file;
	__u32 builder;
	__u32 edges;
};

/**
 * struct refobj_holder - one record of REFOBJ_IOC_HOLDERS
 * @kind: &enum refobj_holder_kind
 * @count: references that it holds
 * @session: id of the session, or of the object that needs this one; 0 for an
 *	object descriptor
 * @pid: process that owns the session, or made the object descriptor, in the
 *	caller's pid namespace; 0 if it has no number there, or is gone, or if an
 *	object is the holder, which has none of what follows but @uid, that of its
 *	owner, and @since_ns
 * @uid: effective uid that opened the session, as the caller's user namespace
 *	sees it
 * @start_ns: CLOCK_BOOTTIME nanoseconds at which that process started: field 22
 *	of /proc/PID/stat, before rounding; with @pid it names one process
 * @since_ns: CLOCK_MONOTONIC nanoseconds at which the session came to hold the
 *	object
 * @comm: that process's command name now, or as it was when it came to own the
 *	session if the process is gone
 * @why: the reason given for this object, else that of the session, else empty
 */
struct refobj_holder {
	__u32 kind;
	__u32 count;
	__u64 session;
	__u32 pid;
	__u32 uid;
	__u64 start_ns;
	__u64 since_ns;
	char comm[REFOBJ_COMM_SIZE];
	char why[REFOBJ_WHY_SIZE];
};

/**
 * struct refobj_holders - argument of REFOBJ_IOC_HOLDERS
 * @size: sizeof(struct refobj_holders)
 * @flags: in: 0
 * @id: in: the object
 * @records: in: pointer to @capacity records of @record_size bytes each
 * @cursor: in: 0 to start, then what the call before gave; out: where to go on,
 *	0 when all have been told
 * @capacity: in: how many records fit; 0 asks for @total only
 * @record_size: in: sizeof(struct refobj_holder); a shorter record is cut, the
 *	end of a longer one is zeroed; 8 to 4096
 * @count: out: records written
 * @total: out: how many hold a reference now
 *
 * Lists who holds an object, in the order in which they came. Needs read
 * permission. A holder that stays during the whole walk is told exactly once.
 *
 * Return: 0. Errors: %ENOENT, %ESTALE, %EACCES, %EINTR.
 */
struct refobj_holders {
	__u32 size;
	__u32 flags;
	__u64 id;
	__u64 records;
	__u64 cursor;
	__u32 capacity;
	__u32 record_size;
	__u32 count;
	__u32 total;
};

/**
 * struct refobj_destroy - argument of REFOBJ_IOC_DESTROY
 * @size: sizeof(struct refobj_destroy)
 * @flags: in: 0
 * @id: in: the object
 *
 * Removes an object that nobody uses, a lingering one too; needs write
 * permission.
 *
 * Return: 0. Errors: %ENOENT, %ESTALE, %EACCES, %EBUSY.
 */
struct refobj_destroy {
	__u32 size;
	__u32 flags;
	__u64 id;
};

/**
 * struct refobj_set_why - argument of REFOBJ_IOC_SET_WHY
 * @size: sizeof(struct refobj_set_why)
 * @flags: in: 0
 * @id: in: an object that the session holds, or 0 for the session itself
 * @why: in: the reason, printable; empty takes it away
 *
 * Says why the session holds the object, for all who may see the object. The
 * reason of a reference goes with the session's last reference on the object.
 *
 * Return: 0. Errors: %ENOENT, %ESTALE, %EPERM, %EDQUOT.
 */
struct refobj_set_why {
	__u32 size;
	__u32 flags;
	__u64 id;
	char why[REFOBJ_WHY_SIZE];
};

/**
 * struct refobj_watch - argument of REFOBJ_IOC_WATCH
 * @size: sizeof(struct refobj_watch)
 * @flags: in: 0
 * @id: in: the object
 * @mask: in: bits of &enum refobj_event_type within REFOBJ_WATCH_ALL; 0 ends the
 *	watch
 * @reserved: in: 0
 * @cookie: in: comes with every record of this watch
 *
 * Has the session told what becomes of an object, from a snapshot on that is the
 * first record: no change comes between the two. A second WATCH of the same
 * object replaces mask and cookie, with a new snapshot. Needs read permission, or
 * a reference. A watch keeps nothing alive and is a weak reference: ACQUIRE with
 * REFOBJ_ACQUIRE_NOT_ZERO makes a reference of it, or says that it is too late.
 * Records that are in the queue stay there when a watch ends.
 *
 * Return: 0. Errors: %ENOENT (also with @mask 0: not watched), %ESTALE, %EACCES,
 * %EDQUOT, %EAGAIN.
 */
struct refobj_watch {
	__u32 size;
	__u32 flags;
	__u64 id;
	__u32 mask;
	__u32 reserved;
	__u64 cookie;
};

/**
 * enum refobj_until - what can be waited for
 * @REFOBJ_UNTIL_IDLE: nobody uses the object, which does not linger; or it is dead
 * @REFOBJ_UNTIL_ACTIVE: it is building, ready, or lingering
 * @REFOBJ_UNTIL_READY: it is ready, or lingering
 * @REFOBJ_UNTIL_USERS: it has at most @users users, or is dead
 * @REFOBJ_UNTIL_DEAD: it is dead
 */
enum refobj_until {
	REFOBJ_UNTIL_IDLE	= 1,
	REFOBJ_UNTIL_ACTIVE	= 2,
	REFOBJ_UNTIL_READY	= 3,
	REFOBJ_UNTIL_USERS	= 4,
	REFOBJ_UNTIL_DEAD	= 5,
};

/*
 * REFOBJ_UNTIL_READY only: build the object, if it has no builder (any more) and
 * the session holds a reference. WAIT then returns at once, even one for all
 * conditions, and says so.
 */
#define REFOBJ_COND_BUILD	(1U << 0)

/**
 * struct refobj_condition - one of those that REFOBJ_IOC_WAIT waits for
 * @id: the object
 * @until: &enum refobj_until
 * @users: for REFOBJ_UNTIL_USERS, else 0
 * @flags: REFOBJ_COND_BUILD or 0
 * @reserved: 0
 */
struct refobj_condition {
	__u64 id;
	__u32 until;
	__u32 users;
	__u32 flags;
	__u32 reserved;
};

/**
 * struct refobj_wait - argument of REFOBJ_IOC_WAIT
 * @size: sizeof(struct refobj_wait)
 * @flags: in: REFOBJ_WAIT_ALL or 0
 * @conditions: in: pointer to @count conditions
 * @count: in: 1 to REFOBJ_WAIT_MAX
 * @condition_size: in: sizeof(struct refobj_condition)
 * @timeout_ns: in: CLOCK_MONOTONIC nanoseconds at which to give up, on the host's
 *	clock; 0 only looks; above the largest __s64, for ever
 *
 * Sleeps until a condition holds; with REFOBJ_WAIT_ALL, until each has held at
 * some moment since the call. Conditions that held only for a moment count. A
 * signal handler that restarts system calls restarts it; what was waited for
 * beats the signal and the time. Needs read permission, or a reference, for each
 * object; keeps nothing alive. Nothing is written back.
 *
 * Return: the index of the condition that held, plus REFOBJ_BUILDER if the
 * session is now the builder of that object; 0 if all have held. Errors:
 * %ETIMEDOUT, %EINTR, %ENOENT, %EACCES, and %ESTALE: an object has died for which
 * that was not waited.
 */
struct refobj_wait {
	__u32 size;
	__u32 flags;
	__u64 conditions;
	__u32 count;
	__u32 condition_size;
	__u64 timeout_ns;
};

/**
 * struct refobj_payload - argument of REFOBJ_IOC_PUBLISH, REFOBJ_IOC_SET_PAYLOAD
 *	and REFOBJ_IOC_GET_PAYLOAD
 * @size: sizeof(struct refobj_payload)
 * @flags: in: PUBLISH: REFOBJ_PUBLISH_FILE or 0; else 0
 * @id: in: the object
 * @fd: in: descriptor of a regular file, of a memfd for example; SET_PAYLOAD: -1
 *	for none; otherwise 0
 * @reserved: in: 0
 *
 * All need a reference (%EPERM); PUBLISH and SET_PAYLOAD need write permission
 * too. PUBLISH makes the object ready and is for its builder only (%EPERM).
 * SET_PAYLOAD replaces the file of an active object. GET_PAYLOAD opens a new
 * close-on-exec descriptor of the file: of the same open file description, so
 * offset and access mode are the publisher's.
 *
 * The object lets go of the file when it is deactivated. Who has mapped it, or
 * keeps a descriptor of it, has it for as long as he likes: the reference
 * protects the object's life, not the memory. Pages of a memfd are charged to
 * the memory cgroup of who touches them first, as always.
 *
 * Return: GET_PAYLOAD: the descriptor; else 0. Errors: %ENOENT (also: there is no
 * file), %ESTALE, %EPERM, %EACCES, %EBADF, %EINVAL (not a regular file), %EMFILE.
 */
struct refobj_payload {
	__u32 size;
	__u32 flags;
	__u64 id;
	__s32 fd;
	__u32 reserved;
};

/**
 * struct refobj_value - argument of REFOBJ_IOC_SET_VALUE and REFOBJ_IOC_GET_VALUE
 * @size: sizeof(struct refobj_value)
 * @flags: in: SET_VALUE: REFOBJ_VALUE_IF or 0; GET_VALUE: 0
 * @id: in: the object
 * @data: in: pointer to the bytes, or to where they go
 * @version: SET_VALUE: in: with REFOBJ_VALUE_IF the version to replace, else 0;
 *	GET_VALUE: out: how often the value has been set, over all activations
 * @length: SET_VALUE: in: bytes, at most REFOBJ_VALUE_MAX; 0 takes the value away;
 *	GET_VALUE: in: room for that many; out: bytes that there are, of which as
 *	many as there is room for have been written
 * @reserved: in: 0
 *
 * A few bytes that all holders share, read and replaced as a whole. Both need a
 * reference (%EPERM), SET_VALUE write permission too. The object forgets the value
 * when it is deactivated. The bytes are charged to the quota of the uid, and to
 * the memory cgroup, of who set them.
 *
 * Return: 0. Errors: %ENOENT, %ESTALE, %EPERM, %EACCES, %EDQUOT, %EAGAIN (not that
 * version any more).
 */
struct refobj_value {
	__u32 size;
	__u32 flags;
	__u64 id;
	__u64 data;
	__u64 version;
	__u32 length;
	__u32 reserved;
};

/**
 * struct refobj_link - argument of REFOBJ_IOC_LINK and REFOBJ_IOC_UNLINK
 * @size: sizeof(struct refobj_link)
 * @flags: in: 0
 * @id: in: the object that needs the other, "the owner"
 * @dep: in: the object that is needed
 *
 * While the owner is active it holds one reference on what it needs: it is
 * activated first and deactivated first. An edge keeps nothing alive while its
 * owner is idle; it goes with either object. LINK needs write permission on the
 * owner and read permission, or a reference, on the other; UNLINK write permission
 * on the owner. An edge is charged as a reference to the uid that made it.
 *
 * Return: 0. Errors: %ENOENT (UNLINK: also no such edge), %ESTALE, %EACCES,
 * %EEXIST, %ELOOP, %EDQUOT, %EINTR.
 */
struct refobj_link {
	__u32 size;
	__u32 flags;
	__u64 id;
	__u64 dep;
};

/**
 * struct refobj_export - argument of REFOBJ_IOC_EXPORT
 * @size: sizeof(struct refobj_export)
 * @flags: in: 0
 * @id: in: an object that the session holds
 *
 * Makes an object descriptor: a new reference that is an open file of its own,
 * close-on-exec, that may be passed on and is dropped with the last close.
 *
 * Return: the descriptor. Errors: %ENOENT, %ESTALE, %EPERM, %EOVERFLOW, %EDQUOT,
 * %EMFILE.
 */
struct refobj_export {
	__u32 size;
	__u32 flags;
	__u64 id;
};

/**
 * struct refobj_import - argument of REFOBJ_IOC_IMPORT
 * @size: sizeof(struct refobj_import)
 * @flags: in: 0
 * @fd: in: an object descriptor
 * @count: in: references to acquire, 1 to REFOBJ_COUNT_MAX
 * @id: out: the object's id
 *
 * Acquires references on the object of a descriptor, which stays as it is. The
 * descriptor is the permission: the object's mode does not matter.
 *
 * Return: 0. Errors: %EBADF, %EINVAL (another kind of file), %EXDEV, %EOVERFLOW,
 * %EDQUOT.
 */
struct refobj_import {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 count;
	__u64 id;
};

/**
 * struct refobj_adopt - argument of REFOBJ_IOC_ADOPT
 * @size: sizeof(struct refobj_adopt)
 * @flags: in: REFOBJ_ADOPT_NOBODY or 0
 *
 * Makes the caller the owner of the session, as a daemon does after it has forked
 * and before its parent exits; see OWNERSHIP above. What the session holds stays.
 * Quotas and permissions go on to be those of who opened it.
 *
 * Return: 0. Errors: %EOWNERDEAD.
 */
struct refobj_adopt {
	__u32 size;
	__u32 flags;
};

/**
 * enum refobj_op_code - what SUBMIT carries out
 * @REFOBJ_OP_ACQUIRE: as ACQUIRE does, whatever the object's type
 * @REFOBJ_OP_RELEASE: as RELEASE does
 */
enum refobj_op_code {
	REFOBJ_OP_ACQUIRE	= 1,
	REFOBJ_OP_RELEASE	= 2,
};

/**
 * struct refobj_op - one of the operations of REFOBJ_IOC_SUBMIT
 * @op: in: &enum refobj_op_code
 * @flags: in: as those of &struct refobj_acquire, or 0
 * @id: in: the object
 * @count: in: references, 1 to REFOBJ_COUNT_MAX
 * @result: out: what ACQUIRE or RELEASE would have returned; a negative errno is
 *	an operation that was refused and has changed nothing
 */
struct refobj_op {
	__u32 op;
	__u32 flags;
	__u64 id;
	__u32 count;
	__s32 result;
};

/**
 * struct refobj_submit - argument of REFOBJ_IOC_SUBMIT
 * @size: sizeof(struct refobj_submit)
 * @flags: in: REFOBJ_SUBMIT_ALL or 0
 * @ops: in: pointer to @count operations, which must be writable
 * @count: in: 1 to REFOBJ_SUBMIT_MAX
 * @op_size: in: sizeof(struct refobj_op)
 *
 * Carries out operations, one after the other, each as a call of its own would
 * be: others may come in between. It ends after the first that is refused, unless
 * told to go on. It may end earlier, but not before the first, when a signal comes
 * or when it meets memory that is not there or cannot be written; so who wants all
 * of them done submits the rest again.
 *
 * Return: how many operations were tried, at least 1: exactly so many, from the
 * first on, have a result, which is in @result unless the caller takes that memory
 * away meanwhile. What the rest holds as @result is unspecified. Errors: those of
 * every command, before anything was tried.
 */
struct refobj_submit {
	__u32 size;
	__u32 flags;
	__u64 ops;
	__u32 count;
	__u32 op_size;
};

/**
 * struct refobj_uring_cmd - the command bytes of a submission to io_uring
 * @arg: pointer to the command's structure, as for ioctl(2)
 * @reserved: 0
 *
 * Of a struct io_uring_sqe, opcode is IORING_OP_URING_CMD, fd the session, cmd_op
 * the ioctl's number: REFOBJ_IOC_ACQUIRE, REFOBJ_IOC_RELEASE, REFOBJ_IOC_PUBLISH,
 * REFOBJ_IOC_SUBMIT or REFOBJ_IOC_WAIT, and cmd this structure. The result of the
 * completion is what ioctl(2) returns, or the negative error. What @arg points to must
 * stay until then.
 *
 * A WAIT for what does not hold yet sleeps in a worker of io_uring, of which there are
 * few (see IORING_REGISTER_IOWQ_MAX_WORKERS); what happened before the worker has
 * begun does not count. Cancelled it ends with %EINTR, or %ECANCELED if it had not
 * begun, and with %EINTR also when the process is stopped.
 *
 * Any error ends a chain of linked requests. From 6.10 to 6.13 what is linked to a
 * WAIT needs IOSQE_ASYNC: those kernels read a submission of io_uring's commands when
 * its turn has come, and another one may be in its place by then.
 *
 * Errors: %EOPNOTSUPP for other commands, a @reserved that is not 0, and before 7.1 a
 * ring with IORING_SETUP_IOPOLL.
 */
struct refobj_uring_cmd {
	__u64 arg;
	__u64 reserved;
};

#define REFOBJ_IOC_INFO		_IOWR(REFOBJ_IOC_MAGIC, 0x00, struct refobj_info)
#define REFOBJ_IOC_CREATE	_IOWR(REFOBJ_IOC_MAGIC, 0x01, struct refobj_create)
#define REFOBJ_IOC_ATTACH	_IOWR(REFOBJ_IOC_MAGIC, 0x02, struct refobj_attach)
#define REFOBJ_IOC_LOOKUP	_IOWR(REFOBJ_IOC_MAGIC, 0x03, struct refobj_lookup)
#define REFOBJ_IOC_ACQUIRE	_IOW(REFOBJ_IOC_MAGIC, 0x04, struct refobj_acquire)
#define REFOBJ_IOC_RELEASE	_IOW(REFOBJ_IOC_MAGIC, 0x05, struct refobj_release)
#define REFOBJ_IOC_RELEASE_ALL	_IOW(REFOBJ_IOC_MAGIC, 0x06, struct refobj_release_all)
#define REFOBJ_IOC_STAT		_IOWR(REFOBJ_IOC_MAGIC, 0x07, struct refobj_stat)
#define REFOBJ_IOC_HOLDERS	_IOWR(REFOBJ_IOC_MAGIC, 0x08, struct refobj_holders)
#define REFOBJ_IOC_DESTROY	_IOW(REFOBJ_IOC_MAGIC, 0x09, struct refobj_destroy)
#define REFOBJ_IOC_SET_WHY	_IOW(REFOBJ_IOC_MAGIC, 0x0a, struct refobj_set_why)
#define REFOBJ_IOC_WATCH	_IOW(REFOBJ_IOC_MAGIC, 0x0b, struct refobj_watch)
#define REFOBJ_IOC_WAIT		_IOW(REFOBJ_IOC_MAGIC, 0x0c, struct refobj_wait)
#define REFOBJ_IOC_PUBLISH	_IOW(REFOBJ_IOC_MAGIC, 0x0d, struct refobj_payload)
#define REFOBJ_IOC_SET_PAYLOAD	_IOW(REFOBJ_IOC_MAGIC, 0x0e, struct refobj_payload)
#define REFOBJ_IOC_GET_PAYLOAD	_IOW(REFOBJ_IOC_MAGIC, 0x0f, struct refobj_payload)
#define REFOBJ_IOC_SET_VALUE	_IOW(REFOBJ_IOC_MAGIC, 0x10, struct refobj_value)
#define REFOBJ_IOC_GET_VALUE	_IOWR(REFOBJ_IOC_MAGIC, 0x11, struct refobj_value)
#define REFOBJ_IOC_LINK		_IOW(REFOBJ_IOC_MAGIC, 0x12, struct refobj_link)
#define REFOBJ_IOC_UNLINK	_IOW(REFOBJ_IOC_MAGIC, 0x13, struct refobj_link)
#define REFOBJ_IOC_EXPORT	_IOW(REFOBJ_IOC_MAGIC, 0x14, struct refobj_export)
#define REFOBJ_IOC_IMPORT	_IOWR(REFOBJ_IOC_MAGIC, 0x15, struct refobj_import)
#define REFOBJ_IOC_ADOPT	_IOW(REFOBJ_IOC_MAGIC, 0x16, struct refobj_adopt)
#define REFOBJ_IOC_SUBMIT	_IOW(REFOBJ_IOC_MAGIC, 0x17, struct refobj_submit)

/* The layout is the same for 32 and 64 bit; a change of any size is an error. */
#ifdef __cplusplus
#define REFOBJ_ASSERT_SIZE(type, bytes) \
	static_assert(sizeof(struct type) == (bytes), #type " changed its size")
#else
#define REFOBJ_ASSERT_SIZE(type, bytes) \
	_Static_assert(sizeof(struct type) == (bytes), #type " changed its size")
#endif

REFOBJ_ASSERT_SIZE(refobj_info, 120);
REFOBJ_ASSERT_SIZE(refobj_create, 128);
REFOBJ_ASSERT_SIZE(refobj_attach, 136);
REFOBJ_ASSERT_SIZE(refobj_lookup, 112);
REFOBJ_ASSERT_SIZE(refobj_acquire, 56);
REFOBJ_ASSERT_SIZE(refobj_release, 24);
REFOBJ_ASSERT_SIZE(refobj_release_all, 16);
REFOBJ_ASSERT_SIZE(refobj_stat, 208);
REFOBJ_ASSERT_SIZE(refobj_holder, 120);
REFOBJ_ASSERT_SIZE(refobj_holders, 48);
REFOBJ_ASSERT_SIZE(refobj_destroy, 16);
REFOBJ_ASSERT_SIZE(refobj_set_why, 80);
REFOBJ_ASSERT_SIZE(refobj_event, 72);
REFOBJ_ASSERT_SIZE(refobj_watch, 32);
REFOBJ_ASSERT_SIZE(refobj_condition, 24);
REFOBJ_ASSERT_SIZE(refobj_wait, 32);
REFOBJ_ASSERT_SIZE(refobj_payload, 24);
REFOBJ_ASSERT_SIZE(refobj_value, 40);
REFOBJ_ASSERT_SIZE(refobj_link, 24);
REFOBJ_ASSERT_SIZE(refobj_export, 16);
REFOBJ_ASSERT_SIZE(refobj_import, 24);
REFOBJ_ASSERT_SIZE(refobj_adopt, 8);
REFOBJ_ASSERT_SIZE(refobj_op, 24);
REFOBJ_ASSERT_SIZE(refobj_submit, 24);
REFOBJ_ASSERT_SIZE(refobj_uring_cmd, 16);

#endif /* _UAPI_LINUX_REFOBJ_H */
