/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * refobj_lab: the kernel's refcount_t, one function at a time.
 *
 * The contract of /dev/refobj-lab, for those who study and test refcount_t: never
 * for a machine that is used for anything else. Each open file owns a counter, a
 * bare refcount_t that starts at 1 and counts nothing: whatever becomes of it, no
 * memory is freed by it. Each function of the kernel's API is a command; wrong use
 * does what the kernel does then, which is to warn in its log, once for each place
 * in its code, and to saturate. Where panic_on_warn is set, that is a panic.
 *
 * To open the device takes CAP_SYS_ADMIN: %EPERM. Commands on one counter run one
 * after the other; only BURST works on it from many threads.
 *
 * Every command takes a pointer to a structure whose first field, @size, is the
 * size of that structure as the caller was compiled with; the ioctl number carries
 * the same size. It is extended by the rules of <linux/refobj.h>. The commands
 * return 0, or
 *
 * ============== ============================================================
 * %ENOTTY        not a command of this device
 * %EFAULT        the structure is not there, or cannot be written
 * %EINVAL        @size is too small or differs from the number's, or a field has
 *                a bad value
 * %E2BIG         non-zero bytes beyond what this kernel knows, or @size above
 *                4096
 * %EOPNOTSUPP    a flag that is not known, a reserved field that is not zero, or
 *                a function that this kernel does not have
 * %ENOMEM        no memory
 * %EINTR         a fatal signal came while others used the counter, or during
 *                BURST, whose operations may have been done in part
 * ============== ============================================================
 *
 * A command that fails has not changed the counter, except for BURST's %EINTR.
 */
#ifndef _UAPI_LINUX_REFOBJ_LAB_H
#define _UAPI_LINUX_REFOBJ_LAB_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* The type byte of <linux/refobj.h>; of its numbers, 0x40 to 0x7f are the lab's. */
#define REFOBJ_LAB_IOC_MAGIC	0xBB
#define REFOBJ_LAB_IOC_BASE	0x40

/* Values as refcount_read() gives them: the largest that counts, ... */
#define REFOBJ_LAB_MAX		0x7fffffffU
/* ... and where wrong use leads to. */
#define REFOBJ_LAB_SATURATED	0xc0000000U

/* The most threads of a BURST, and operations of all its threads together. */
#define REFOBJ_LAB_THREADS_MAX	64
#define REFOBJ_LAB_BURST_MAX	(1U << 24)

/**
 * enum refobj_lab_function - the functions of the refcount API
 * @REFOBJ_LAB_SET: refcount_set(), takes @n
 * @REFOBJ_LAB_SET_RELEASE: refcount_set_release(), takes @n
 * @REFOBJ_LAB_READ: refcount_read()
 * @REFOBJ_LAB_ADD: refcount_add(), takes @n
 * @REFOBJ_LAB_INC: refcount_inc()
 * @REFOBJ_LAB_ADD_NOT_ZERO: refcount_add_not_zero(), takes @n
 * @REFOBJ_LAB_INC_NOT_ZERO: refcount_inc_not_zero()
 * @REFOBJ_LAB_ADD_NOT_ZERO_ACQUIRE: refcount_add_not_zero_acquire(), takes @n
 * @REFOBJ_LAB_INC_NOT_ZERO_ACQUIRE: refcount_inc_not_zero_acquire()
 * @REFOBJ_LAB_ADD_NOT_ZERO_LIMITED_ACQUIRE:
 *	__refcount_add_not_zero_limited_acquire(), takes @n and @limit
 * @REFOBJ_LAB_INC_NOT_ZERO_LIMITED_ACQUIRE:
 *	__refcount_inc_not_zero_limited_acquire(), takes @limit
 * @REFOBJ_LAB_SUB_AND_TEST: refcount_sub_and_test(), takes @n
 * @REFOBJ_LAB_DEC_AND_TEST: refcount_dec_and_test()
 * @REFOBJ_LAB_DEC: refcount_dec()
 * @REFOBJ_LAB_DEC_IF_ONE: refcount_dec_if_one()
 * @REFOBJ_LAB_DEC_NOT_ONE: refcount_dec_not_one()
 * @REFOBJ_LAB_DEC_AND_MUTEX_LOCK: refcount_dec_and_mutex_lock()
 * @REFOBJ_LAB_DEC_AND_LOCK: refcount_dec_and_lock()
 * @REFOBJ_LAB_DEC_AND_LOCK_IRQSAVE: refcount_dec_and_lock_irqsave()
 *
 * The two last groups of acquiring functions, and SET_RELEASE, are missing in older
 * kernels: %EOPNOTSUPP.
 */
enum refobj_lab_function {
	REFOBJ_LAB_SET				= 0,
	REFOBJ_LAB_SET_RELEASE			= 1,
	REFOBJ_LAB_READ				= 2,
	REFOBJ_LAB_ADD				= 3,
	REFOBJ_LAB_INC				= 4,
	REFOBJ_LAB_ADD_NOT_ZERO			= 5,
	REFOBJ_LAB_INC_NOT_ZERO			= 6,
	REFOBJ_LAB_ADD_NOT_ZERO_ACQUIRE		= 7,
	REFOBJ_LAB_INC_NOT_ZERO_ACQUIRE		= 8,
	REFOBJ_LAB_ADD_NOT_ZERO_LIMITED_ACQUIRE	= 9,
	REFOBJ_LAB_INC_NOT_ZERO_LIMITED_ACQUIRE	= 10,
	REFOBJ_LAB_SUB_AND_TEST			= 11,
	REFOBJ_LAB_DEC_AND_TEST			= 12,
	REFOBJ_LAB_DEC				= 13,
	REFOBJ_LAB_DEC_IF_ONE			= 14,
	REFOBJ_LAB_DEC_NOT_ONE			= 15,
	REFOBJ_LAB_DEC_AND_MUTEX_LOCK		= 16,
	REFOBJ_LAB_DEC_AND_LOCK			= 17,
	REFOBJ_LAB_DEC_AND_LOCK_IRQSAVE		= 18,
};

#define REFOBJ_LAB_FUNCTIONS	19

/**
 * enum refobj_lab_warning - the places where refcount_t warns
 * @REFOBJ_LAB_WARN_NONE: it did not
 * @REFOBJ_LAB_WARN_ADD_NOT_ZERO_OVF: add_not_zero past the maximum, or from a
 *	negative value: "saturated; leaking memory"
 * @REFOBJ_LAB_WARN_ADD_OVF: the same of add: "saturated; leaking memory"
 * @REFOBJ_LAB_WARN_ADD_UAF: add to 0: "addition on 0; use-after-free"
 * @REFOBJ_LAB_WARN_SUB_UAF: sub_and_test below 0: "underflow; use-after-free"
 * @REFOBJ_LAB_WARN_DEC_LEAK: dec to 0 or from below: "decrement hit 0; leaking
 *	memory"
 * @REFOBJ_LAB_WARN_DEC_NOT_ONE: dec_not_one, or a dec_and_lock which is built upon
 *	it, from 0: "underflow; use-after-free"; the value stays 0
 *
 * This tells that the kernel took the path of the warning, as is evident from the
 * function's result and the values. In the log it appears the first time only,
 * until 1 is written to debugfs' clear_warn_once.
 */
enum refobj_lab_warning {
	REFOBJ_LAB_WARN_NONE			= 0,
	REFOBJ_LAB_WARN_ADD_NOT_ZERO_OVF	= 1,
	REFOBJ_LAB_WARN_ADD_OVF			= 2,
	REFOBJ_LAB_WARN_ADD_UAF			= 3,
	REFOBJ_LAB_WARN_SUB_UAF			= 4,
	REFOBJ_LAB_WARN_DEC_LEAK		= 5,
	REFOBJ_LAB_WARN_DEC_NOT_ONE		= 6,
};

/*
 * What was held when the function returned. The lab has released it by the time
 * that the command returns.
 */
#define REFOBJ_LAB_HELD_MUTEX		(1U << 0)
/* Not to be seen on a kernel for one processor, whose spinlocks are nothing. */
#define REFOBJ_LAB_HELD_SPINLOCK	(1U << 1)
/* Interrupts were off; never with PREEMPT_RT, where a spinlock sleeps. */
#define REFOBJ_LAB_HELD_IRQS		(1U << 2)

/**
 * struct refobj_lab_call - one call of one function
 * @size: of this structure
 * @flags: 0
 * @n: in: the function's operand, of any value; 0 if it takes none
 * @limit: in: the limit of the two that take one, else 0
 * @before: out: the value before
 * @after: out: the value after
 * @result: out: what the function returned: the value for READ, 0 if it returns
 *	nothing, else 0 or 1
 * @warning: out: &enum refobj_lab_warning
 * @held: out: REFOBJ_LAB_HELD_*
 * @reserved: 0
 */
struct refobj_lab_call {
	__u32 size;
	__u32 flags;
	__s32 n;
	__s32 limit;
	__u32 before;
	__u32 after;
	__u32 result;
	__u32 warning;
	__u32 held;
	__u32 reserved;
};

/*
 * The atomic_t operation instead, without the checks: for the functions ADD, INC,
 * SUB_AND_TEST, DEC_AND_TEST and DEC; %EINVAL with others.
 */
#define REFOBJ_LAB_BURST_ATOMIC	(1U << 0)

/**
 * struct refobj_lab_burst - many calls of one function at once
 * @size: of this structure
 * @flags: REFOBJ_LAB_BURST_ATOMIC
 * @function: in: &enum refobj_lab_function, but not READ
 * @threads: in: so many kernel threads, started together; 1 to
 *	REFOBJ_LAB_THREADS_MAX
 * @times: in: calls of each thread; those of all are 1 to REFOBJ_LAB_BURST_MAX
 * @n: in: as in &struct refobj_lab_call
 * @limit: in: the same
 * @before: out: the value before
 * @after: out: the value after
 * @succeeded: out: how many calls returned true; 0 if the function returns nothing
 * @ns: out: nanoseconds from the start to the last thread's end
 *
 * A function that took a lock has it released before its thread goes on.
 */
struct refobj_lab_burst {
	__u32 size;
	__u32 flags;
	__u32 function;
	__u32 threads;
	__u32 times;
	__s32 n;
	__s32 limit;
	__u32 before;
	__u32 after;
	__u32 succeeded;
	__u64 ns;
};

/* The command that calls a function. */
#define REFOBJ_LAB_IOC_CALL(function)				\
	_IOWR(REFOBJ_LAB_IOC_MAGIC, REFOBJ_LAB_IOC_BASE + (function), \
	      struct refobj_lab_call)

#define REFOBJ_LAB_IOC_SET	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_SET)
#define REFOBJ_LAB_IOC_SET_RELEASE \
	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_SET_RELEASE)
#define REFOBJ_LAB_IOC_READ	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_READ)
#define REFOBJ_LAB_IOC_ADD	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_ADD)
#define REFOBJ_LAB_IOC_INC	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_INC)
#define REFOBJ_LAB_IOC_ADD_NOT_ZERO \
	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_ADD_NOT_ZERO)
#define REFOBJ_LAB_IOC_INC_NOT_ZERO \
	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_INC_NOT_ZERO)
#define REFOBJ_LAB_IOC_ADD_NOT_ZERO_ACQUIRE \
	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_ADD_NOT_ZERO_ACQUIRE)
#define REFOBJ_LAB_IOC_INC_NOT_ZERO_ACQUIRE \
	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_INC_NOT_ZERO_ACQUIRE)
#define REFOBJ_LAB_IOC_ADD_NOT_ZERO_LIMITED_ACQUIRE \
	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_ADD_NOT_ZERO_LIMITED_ACQUIRE)
#define REFOBJ_LAB_IOC_INC_NOT_ZERO_LIMITED_ACQUIRE \
	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_INC_NOT_ZERO_LIMITED_ACQUIRE)
#define REFOBJ_LAB_IOC_SUB_AND_TEST \
	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_SUB_AND_TEST)
#define REFOBJ_LAB_IOC_DEC_AND_TEST \
	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_DEC_AND_TEST)
#define REFOBJ_LAB_IOC_DEC	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_DEC)
#define REFOBJ_LAB_IOC_DEC_IF_ONE \
	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_DEC_IF_ONE)
#define REFOBJ_LAB_IOC_DEC_NOT_ONE \
	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_DEC_NOT_ONE)
#define REFOBJ_LAB_IOC_DEC_AND_MUTEX_LOCK \
	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_DEC_AND_MUTEX_LOCK)
#define REFOBJ_LAB_IOC_DEC_AND_LOCK \
	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_DEC_AND_LOCK)
#define REFOBJ_LAB_IOC_DEC_AND_LOCK_IRQSAVE \
	REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_DEC_AND_LOCK_IRQSAVE)

#define REFOBJ_LAB_IOC_BURST \
	_IOWR(REFOBJ_LAB_IOC_MAGIC, 0x7f, struct refobj_lab_burst)

#endif /* _UAPI_LINUX_REFOBJ_LAB_H */
