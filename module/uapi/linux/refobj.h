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
 * %EAGAIN        ACQUIRE with REFOBJ_ACQUIRE_NOT_ZERO: the object is idle
 * %EBUSY         DESTROY: the object has users
 * %EINTR         a signal came before anything was done
 * ============== ============================================================
 */
#ifndef _UAPI_LINUX_REFOBJ_H
#define _UAPI_LINUX_REFOBJ_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * 0xBB is a type byte that Documentation/userspace-api/ioctl/ioctl-number.rst
 * lists for nobody, from 6.1 to 7.2; the block 0x00 to 0x3f is ours.
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

/* A quota or limit without a bound, in &struct refobj_info. */
#define REFOBJ_UNLIMITED	(~(__u64)0)

/**
 * enum refobj_state - where an object is in its life
 * @REFOBJ_STATE_IDLE: persistent, and nobody uses it
 * @REFOBJ_STATE_READY: has users
 * @REFOBJ_STATE_DEAD: gone; its id answers %ESTALE
 */
enum refobj_state {
	REFOBJ_STATE_IDLE	= 1,
	REFOBJ_STATE_READY	= 2,
	REFOBJ_STATE_DEAD	= 3,
};

/**
 * enum refobj_holder_kind - what holds a reference
 * @REFOBJ_HOLDER_SESSION: an open file of /dev/refobj
 */
enum refobj_holder_kind {
	REFOBJ_HOLDER_SESSION	= 1,
};

/*
 * Flags of an object, for CREATE and ATTACH, reported by STAT.
 *
 * REFOBJ_PERSISTENT: the object outlives its last release and is removed by
 * DESTROY, or with its network namespace, or with the module. Without it the
 * last release ends the object.
 */
#define REFOBJ_PERSISTENT	(1U << 0)

/* ATTACH only: do not create; %ENOENT if there is no object of this name. */
#define REFOBJ_ATTACH_EXISTING	(1U << 16)

/* ACQUIRE only: %EAGAIN, rather than an activation, if nobody uses the object. */
#define REFOBJ_ACQUIRE_NOT_ZERO	(1U << 0)

/* STAT only: the next object after @id that the caller may read. */
#define REFOBJ_STAT_NEXT	(1U << 0)

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
 * @features: out: bits of what came after the first version; none yet
 * @users_max: out: REFOBJ_USERS_MAX of the module
 * @count_max: out: REFOBJ_COUNT_MAX of the module
 * @objects_max: out: quota of objects of the session's uid, or REFOBJ_UNLIMITED
 * @objects_used: out: objects charged to that uid
 * @references_max: out: quota of references of that uid, or REFOBJ_UNLIMITED
 * @references_used: out: references charged to that uid. Every open session
 *	may keep up to 64 references, released or refused, charged for its next
 *	acquire; they are given back before anybody is refused
 * @bytes_max: out: quota of bytes of names, types and reasons, or
 *	REFOBJ_UNLIMITED
 * @bytes_used: out: bytes charged to that uid
 * @session: out: id of this session, as HOLDERS shows it
 * @registry: out: inode number of the network namespace whose objects these are
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
};

/**
 * struct refobj_create - argument of REFOBJ_IOC_CREATE
 * @size: sizeof(struct refobj_create)
 * @flags: in: REFOBJ_PERSISTENT or 0
 * @mode: in: mode bits within REFOBJ_MODE_MASK; 0 means REFOBJ_MODE_DEFAULT
 * @initial: in: references that the session holds on the new object, at most
 *	REFOBJ_COUNT_MAX; a transient object needs one, a persistent may have 0
 * @id: out: the object's id
 * @name: in: unique in the registry, or empty for an object without a name
 * @type: in: a tag, or empty
 *
 * Creates an object; its owner is the effective uid and gid that opened the
 * session.
 *
 * Return: 1 if the object was activated (@initial is not 0), else 0. Errors:
 * %EEXIST, %EDQUOT.
 */
struct refobj_create {
	__u32 size;
	__u32 flags;
	__u32 mode;
	__u32 initial;
	__u64 id;
	char name[REFOBJ_NAME_SIZE];
	char type[REFOBJ_TYPE_SIZE];
};

/**
 * struct refobj_attach - argument of REFOBJ_IOC_ATTACH
 * @size: sizeof(struct refobj_attach)
 * @flags: in: REFOBJ_ATTACH_EXISTING, and for a new object REFOBJ_PERSISTENT
 * @mode: in: mode bits of a new object, as with CREATE; an existing one keeps
 *	its own
 * @count: in: references to acquire, 1 to REFOBJ_COUNT_MAX
 * @id: out: the object's id
 * @created: out: 1 if this call made the object, else 0
 * @reserved: in: 0
 * @name: in: the name; must not be empty
 * @type: in: the type that an existing object must have, and a new one gets;
 *	empty demands nothing
 *
 * Acquires the object of this name, which is created if there is none, in one
 * atomic step: of any number of callers exactly one is told that it created,
 * and no caller is ever handed an object whose last reference is gone. Needs
 * read permission on an existing object, even if the session holds it.
 *
 * Return: 1 if this was the first acquire (the object was activated), else 0.
 * Errors: %ENOENT, %EACCES, %EPROTOTYPE, %EOVERFLOW, %EDQUOT, %EINTR.
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
 * @flags: in: REFOBJ_ACQUIRE_NOT_ZERO or 0
 * @id: in: the object
 * @count: in: references to acquire, 1 to REFOBJ_COUNT_MAX
 * @reserved: in: 0
 * @type: in: the type that the object must have; empty demands nothing
 *
 * Needs read permission unless the session already holds a reference: like an
 * open file, what is held may be held again. Nothing is written back.
 *
 * Return: 1 if this was the first acquire (the object was activated), else 0.
 * Errors: %ENOENT, %ESTALE, %EACCES, %EPROTOTYPE, %EAGAIN, %EOVERFLOW, %EDQUOT.
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
 * Return: 1 if this was the last release (the object was deactivated, and has
 * died if it is transient), else 0. Errors: %ENOENT, %ESTALE, %ERANGE.
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
 * Return: the number of objects whose last release this was. Errors, only with
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
 * @object_flags: out: REFOBJ_PERSISTENT
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
};

/**
 * struct refobj_holder - one record of REFOBJ_IOC_HOLDERS
 * @kind: &enum refobj_holder_kind
 * @count: references that it holds
 * @session: id of the session
 * @pid: process that opened the session, in the caller's pid namespace; 0 if it
 *	has no number there, or is gone
 * @uid: its effective uid then, as the caller's user namespace sees it
 * @start_ns: CLOCK_BOOTTIME nanoseconds at which that process started: field 22
 *	of /proc/PID/stat, before rounding; with @pid it names one process
 * @since_ns: CLOCK_MONOTONIC nanoseconds at which the session came to hold the
 *	object
 * @comm: that process's command name now, or as it was at the opening if the
 *	process is gone
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
 * Removes a persistent object that nobody uses; needs write permission.
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

/* The layout is the same for 32 and 64 bit; a change of any size is an error. */
#ifdef __cplusplus
#define REFOBJ_ASSERT_SIZE(type, bytes) \
	static_assert(sizeof(struct type) == (bytes), #type " changed its size")
#else
#define REFOBJ_ASSERT_SIZE(type, bytes) \
	_Static_assert(sizeof(struct type) == (bytes), #type " changed its size")
#endif

REFOBJ_ASSERT_SIZE(refobj_info, 104);
REFOBJ_ASSERT_SIZE(refobj_create, 120);
REFOBJ_ASSERT_SIZE(refobj_attach, 128);
REFOBJ_ASSERT_SIZE(refobj_lookup, 112);
REFOBJ_ASSERT_SIZE(refobj_acquire, 56);
REFOBJ_ASSERT_SIZE(refobj_release, 24);
REFOBJ_ASSERT_SIZE(refobj_release_all, 16);
REFOBJ_ASSERT_SIZE(refobj_stat, 176);
REFOBJ_ASSERT_SIZE(refobj_holder, 120);
REFOBJ_ASSERT_SIZE(refobj_holders, 48);
REFOBJ_ASSERT_SIZE(refobj_destroy, 16);
REFOBJ_ASSERT_SIZE(refobj_set_why, 80);

#endif /* _UAPI_LINUX_REFOBJ_H */
