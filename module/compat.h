/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that refobj is built for, 6.1 to 7.2. Nothing
 * else knows of versions; features are tested for, as stable kernels get them too.
 */
#ifndef REFOBJ_COMPAT_H
#define REFOBJ_COMPAT_H

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <net/genetlink.h>

/* Since 6.8; before, a part of the other. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#include <linux/io_uring/cmd.h>
#else
#include <linux/io_uring.h>
#endif

/*
 * Since 6.5. A cache that is merged with another of its size cannot be seen to be
 * empty, and leaves its name in /sys/kernel/slab when it is destroyed.
 */
#ifndef SLAB_NO_MERGE
#define SLAB_NO_MERGE	0
#endif

/* Since 6.16, where anonymous inodes look like regular files. */
#ifndef IS_ANON_FILE
#define IS_ANON_FILE(inode)	((void)(inode), false)
#endif

/* Since 6.8 it can also write the number to user space; no macro tells. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define refobj_receive_fd(file, flags)	receive_fd(file, NULL, flags)
#else
#define refobj_receive_fd(file, flags)	receive_fd(file, flags)
#endif

/* Since 6.10 a tracepoint knows where its string comes from; no macro tells. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define refobj_assign_str(field, from) do {	\
	(void)(from);				\
	__assign_str(field);			\
} while (0)
#else
#define refobj_assign_str(field, from)	__assign_str(field, from)
#endif

/* The attributes of a dump's request. Since 6.7 they are in one place for all calls. */
static inline struct nlattr **refobj_dump_attrs(struct netlink_callback *cb)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	return genl_info_dump(cb)->attrs;
#else
	return genl_dumpit_info(cb)->attrs;
#endif
}

/* The command's own bytes of a submission. Since 6.5 all of it can be seen. */
static inline const void *refobj_uring_sqe_cmd(const struct io_uring_cmd *ioucmd)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	return ioucmd->sqe->cmd;
#else
	return ioucmd->cmd;
#endif
}

/* Since 6.18 without a second result. */
static inline void refobj_uring_done(struct io_uring_cmd *ioucmd, int ret,
				     unsigned int issue_flags)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
	io_uring_cmd_done(ioucmd, ret, issue_flags);
#else
	io_uring_cmd_done(ioucmd, ret, 0, issue_flags);
#endif
}

/*
 * Functions of refcount_t that came after 6.1, and to stable kernels after that: as
 * inline ones, of which no macro tells. module/Kbuild looks into the header.
 */
#ifdef REFOBJ_HAS_refcount_set_release
#define REFOBJ_HAVE_REFCOUNT_SET_RELEASE
#endif
#ifdef REFOBJ_HAS___refcount_add_not_zero_acquire
#define REFOBJ_HAVE_REFCOUNT_ACQUIRE
#endif
#ifdef REFOBJ_HAS___refcount_add_not_zero_limited_acquire
#define REFOBJ_HAVE_REFCOUNT_LIMITED
#endif

#endif /* REFOBJ_COMPAT_H */
