// SPDX-License-Identifier: GPL-2.0-only
/*
 * refobj_lab: every function of the kernel's refcount_t, called one at a time on a
 * counter that counts nothing. A module of its own, as misuse is its purpose: that
 * warns and saturates, and as no memory hangs on the counter, it does no more.
 */
#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "uapi/linux/refobj_lab.h"

/* The most that a caller's structure can have, as for refobj.ko. */
#define REFOBJ_LAB_SIZE_MAX	4096

/* Calls of a thread of BURST between its looks at the world. */
#define REFOBJ_LAB_STRIDE	256

/**
 * struct refobj_lab - an open file
 * @serial: one command at a time; taken before the two below
 * @counter: nothing depends on its value
 * @mutex: for refcount_dec_and_mutex_lock() to take
 * @spinlock: for refcount_dec_and_lock() and its kin to take
 */
struct refobj_lab {
	struct mutex serial;	/* the commands */
	refcount_t counter;
	struct mutex mutex;	/* nothing */
	spinlock_t spinlock;	/* nothing */
};

/**
 * struct refobj_lab_op - a function that can be called
 * @call: calls it; sets @before if it can tell, and @held; returns its result
 * @plain: calls atomic_t's counterpart, or NULL
 * @n: does it take an operand?
 * @limit: does it take a limit?
 */
struct refobj_lab_op {
	u32 (*call)(struct refobj_lab *lab, struct refobj_lab_call *call);
	u32 (*plain)(struct refobj_lab *lab, struct refobj_lab_call *call);
	bool n;
	bool limit;
};

/* A function's own word on the value before, in a field that user space knows. */
static int *refobj_lab_old(struct refobj_lab_call *call)
{
	return (int *)&call->before;
}

/* Whose locks are free but for what the function under test has taken. */
static u32 refobj_lab_held(struct refobj_lab *lab)
{
	u32 held = 0;

	if (mutex_is_locked(&lab->mutex))
		held |= REFOBJ_LAB_HELD_MUTEX;
	if (spin_trylock(&lab->spinlock))
		spin_unlock(&lab->spinlock);
	else
		held |= REFOBJ_LAB_HELD_SPINLOCK;
	if (irqs_disabled())
		held |= REFOBJ_LAB_HELD_IRQS;
	return held;
}

static u32 refobj_lab_set(struct refobj_lab *lab, struct refobj_lab_call *call)
{
	refcount_set(&lab->counter, call->n);
	return 0;
}

static u32 refobj_lab_read(struct refobj_lab *lab, struct refobj_lab_call *call)
{
	return refcount_read(&lab->counter);
}

static u32 refobj_lab_add(struct refobj_lab *lab, struct refobj_lab_call *call)
{
	__refcount_add(call->n, &lab->counter, refobj_lab_old(call));
	return 0;
}

static u32 refobj_lab_add_plain(struct refobj_lab *lab,
				struct refobj_lab_call *call)
{
	atomic_add(call->n, &lab->counter.refs);
	return 0;
}

static u32 refobj_lab_inc(struct refobj_lab *lab, struct refobj_lab_call *call)
{
	__refcount_inc(&lab->counter, refobj_lab_old(call));
	return 0;
}

static u32 refobj_lab_inc_plain(struct refobj_lab *lab,
				struct refobj_lab_call *call)
{
	atomic_inc(&lab->counter.refs);
	return 0;
}

static u32 refobj_lab_add_not_zero(struct refobj_lab *lab,
				   struct refobj_lab_call *call)
{
	return __refcount_add_not_zero(call->n, &lab->counter,
				       refobj_lab_old(call));
}

static u32 refobj_lab_inc_not_zero(struct refobj_lab *lab,
				   struct refobj_lab_call *call)
{
	return __refcount_inc_not_zero(&lab->counter, refobj_lab_old(call));
}

#ifdef REFOBJ_HAVE_REFCOUNT_SET_RELEASE
static u32 refobj_lab_set_release(struct refobj_lab *lab,
				  struct refobj_lab_call *call)
{
	refcount_set_release(&lab->counter, call->n);
	return 0;
}
#endif

#ifdef REFOBJ_HAVE_REFCOUNT_ACQUIRE
static u32 refobj_lab_add_not_zero_acquire(struct refobj_lab *lab,
					   struct refobj_lab_call *call)
{
	return __refcount_add_not_zero_acquire(call->n, &lab->counter,
					       refobj_lab_old(call));
}

static u32 refobj_lab_inc_not_zero_acquire(struct refobj_lab *lab,
					   struct refobj_lab_call *call)
{
	return __refcount_inc_not_zero_acquire(&lab->counter,
					       refobj_lab_old(call));
}
#endif

#ifdef REFOBJ_HAVE_REFCOUNT_LIMITED
static u32 refobj_lab_add_limited(struct refobj_lab *lab,
				  struct refobj_lab_call *call)
{
	return __refcount_add_not_zero_limited_acquire(call->n, &lab->counter,
						       refobj_lab_old(call),
						       call->limit);
}

static u32 refobj_lab_inc_limited(struct refobj_lab *lab,
				  struct refobj_lab_call *call)
{
	return __refcount_inc_not_zero_limited_acquire(&lab->counter,
						       refobj_lab_old(call),
						       call->limit);
}
#endif

static u32 refobj_lab_sub_and_test(struct refobj_lab *lab,
				   struct refobj_lab_call *call)
{
	return __refcount_sub_and_test(call->n, &lab->counter,
				       refobj_lab_old(call));
}

static u32 refobj_lab_sub_and_test_plain(struct refobj_lab *lab,
					 struct refobj_lab_call *call)
{
	return atomic_sub_and_test(call->n, &lab->counter.refs);
}

static u32 refobj_lab_dec_and_test(struct refobj_lab *lab,
				   struct refobj_lab_call *call)
{
	return __refcount_dec_and_test(&lab->counter, refobj_lab_old(call));
}

static u32 refobj_lab_dec_and_test_plain(struct refobj_lab *lab,
					 struct refobj_lab_call *call)
{
	return atomic_dec_and_test(&lab->counter.refs);
}

static u32 refobj_lab_dec(struct refobj_lab *lab, struct refobj_lab_call *call)
{
	__refcount_dec(&lab->counter, refobj_lab_old(call));
	return 0;
}

static u32 refobj_lab_dec_plain(struct refobj_lab *lab,
				struct refobj_lab_call *call)
{
	atomic_dec(&lab->counter.refs);
	return 0;
}

static u32 refobj_lab_dec_if_one(struct refobj_lab *lab,
				 struct refobj_lab_call *call)
{
	return refcount_dec_if_one(&lab->counter);
}

static u32 refobj_lab_dec_not_one(struct refobj_lab *lab,
				  struct refobj_lab_call *call)
{
	return refcount_dec_not_one(&lab->counter);
}

static u32 refobj_lab_dec_and_mutex_lock(struct refobj_lab *lab,
					 struct refobj_lab_call *call)
{
	bool last = refcount_dec_and_mutex_lock(&lab->counter, &lab->mutex);

	call->held = refobj_lab_held(lab);
	if (last)
		mutex_unlock(&lab->mutex);
	return last;
}

static u32 refobj_lab_dec_and_lock(struct refobj_lab *lab,
				   struct refobj_lab_call *call)
{
	if (refcount_dec_and_lock(&lab->counter, &lab->spinlock)) {
		__acquire(&lab->spinlock);	/* for sparse */
		call->held = refobj_lab_held(lab);
		spin_unlock(&lab->spinlock);
		return true;
	}
	call->held = refobj_lab_held(lab);
	return false;
}

static u32 refobj_lab_dec_and_lock_irqsave(struct refobj_lab *lab,
					   struct refobj_lab_call *call)
{
	unsigned long flags;

	if (refcount_dec_and_lock_irqsave(&lab->counter, &lab->spinlock,
					  &flags)) {
		__acquire(&lab->spinlock);	/* for sparse */
		call->held = refobj_lab_held(lab);
		spin_unlock_irqrestore(&lab->spinlock, flags);
		return true;
	}
	call->held = refobj_lab_held(lab);
	return false;
}

/* What this kernel lacks has no call. */
static const struct refobj_lab_op refobj_lab_ops[REFOBJ_LAB_FUNCTIONS] = {
	[REFOBJ_LAB_SET] = { .call = refobj_lab_set, .n = true },
	[REFOBJ_LAB_READ] = { .call = refobj_lab_read },
	[REFOBJ_LAB_ADD] = {
		.call = refobj_lab_add, .n = true,
		.plain = refobj_lab_add_plain,
	},
	[REFOBJ_LAB_INC] = {
		.call = refobj_lab_inc,
		.plain = refobj_lab_inc_plain,
	},
	[REFOBJ_LAB_ADD_NOT_ZERO] = {
		.call = refobj_lab_add_not_zero, .n = true,
	},
	[REFOBJ_LAB_INC_NOT_ZERO] = { .call = refobj_lab_inc_not_zero },
#ifdef REFOBJ_HAVE_REFCOUNT_SET_RELEASE
	[REFOBJ_LAB_SET_RELEASE] = { .call = refobj_lab_set_release, .n = true },
#endif
#ifdef REFOBJ_HAVE_REFCOUNT_ACQUIRE
	[REFOBJ_LAB_ADD_NOT_ZERO_ACQUIRE] = {
		.call = refobj_lab_add_not_zero_acquire, .n = true,
	},
	[REFOBJ_LAB_INC_NOT_ZERO_ACQUIRE] = {
		.call = refobj_lab_inc_not_zero_acquire,
	},
#endif
#ifdef REFOBJ_HAVE_REFCOUNT_LIMITED
	[REFOBJ_LAB_ADD_NOT_ZERO_LIMITED_ACQUIRE] = {
		.call = refobj_lab_add_limited, .n = true, .limit = true,
	},
	[REFOBJ_LAB_INC_NOT_ZERO_LIMITED_ACQUIRE] = {
		.call = refobj_lab_inc_limited, .limit = true,
	},
#endif
	[REFOBJ_LAB_SUB_AND_TEST] = {
		.call = refobj_lab_sub_and_test, .n = true,
		.plain = refobj_lab_sub_and_test_plain,
	},
	[REFOBJ_LAB_DEC_AND_TEST] = {
		.call = refobj_lab_dec_and_test,
		.plain = refobj_lab_dec_and_test_plain,
	},
	[REFOBJ_LAB_DEC] = {
		.call = refobj_lab_dec,
		.plain = refobj_lab_dec_plain,
	},
	[REFOBJ_LAB_DEC_IF_ONE] = { .call = refobj_lab_dec_if_one },
	[REFOBJ_LAB_DEC_NOT_ONE] = { .call = refobj_lab_dec_not_one },
	[REFOBJ_LAB_DEC_AND_MUTEX_LOCK] = {
		.call = refobj_lab_dec_and_mutex_lock,
	},
	[REFOBJ_LAB_DEC_AND_LOCK] = { .call = refobj_lab_dec_and_lock },
	[REFOBJ_LAB_DEC_AND_LOCK_IRQSAVE] = {
		.call = refobj_lab_dec_and_lock_irqsave,
	},
};

/*
 * Which warning a call has come by. Nobody else changes the counter meanwhile, so
 * what it did tells: the paths that warn leave a mark that no other path leaves.
 */
static u32 refobj_lab_warning(enum refobj_lab_function function,
			      const struct refobj_lab_call *call)
{
	bool saturated = call->after == (u32)REFCOUNT_SATURATED;

	switch (function) {
	case REFOBJ_LAB_ADD:
	case REFOBJ_LAB_INC:
		if (!saturated)
			break;
		return call->before ? REFOBJ_LAB_WARN_ADD_OVF :
				      REFOBJ_LAB_WARN_ADD_UAF;
	case REFOBJ_LAB_ADD_NOT_ZERO:
	case REFOBJ_LAB_INC_NOT_ZERO:
	case REFOBJ_LAB_ADD_NOT_ZERO_ACQUIRE:
	case REFOBJ_LAB_INC_NOT_ZERO_ACQUIRE:
	case REFOBJ_LAB_ADD_NOT_ZERO_LIMITED_ACQUIRE:
	case REFOBJ_LAB_INC_NOT_ZERO_LIMITED_ACQUIRE:
		/* a saturated counter that is left alone is refused */
		if (saturated && call->result)
			return REFOBJ_LAB_WARN_ADD_NOT_ZERO_OVF;
		break;
	case REFOBJ_LAB_SUB_AND_TEST:
	case REFOBJ_LAB_DEC_AND_TEST:
		if (saturated)
			return REFOBJ_LAB_WARN_SUB_UAF;
		break;
	case REFOBJ_LAB_DEC:
		if (saturated)
			return REFOBJ_LAB_WARN_DEC_LEAK;
		break;
	case REFOBJ_LAB_DEC_NOT_ONE:
	case REFOBJ_LAB_DEC_AND_MUTEX_LOCK:
	case REFOBJ_LAB_DEC_AND_LOCK:
	case REFOBJ_LAB_DEC_AND_LOCK_IRQSAVE:
		if (!call->before)
			return REFOBJ_LAB_WARN_DEC_NOT_ONE;
		break;
	default:
		break;
	}
	return REFOBJ_LAB_WARN_NONE;
}

/*
 * Results are written twice, first to see that they can be; should the structure
 * vanish between the two, the value is put back.
 */
static int refobj_lab_cmd_call(struct refobj_lab *lab,
			       enum refobj_lab_function function,
			       struct refobj_lab_call *call,
			       void __user *user, size_t size)
{
	const struct refobj_lab_op *op = &refobj_lab_ops[function];

	if (call->reserved || !op->call)
		return -EOPNOTSUPP;
	if ((call->n && !op->n) || (call->limit && !op->limit))
		return -EINVAL;
	call->before = 0;
	call->after = 0;
	call->result = 0;
	call->warning = 0;
	call->held = 0;
	if (copy_to_user(user, call, size))
		return -EFAULT;

	call->before = refcount_read(&lab->counter);
	call->result = op->call(lab, call);
	call->after = refcount_read(&lab->counter);
	call->warning = refobj_lab_warning(function, call);
	if (!copy_to_user(user, call, size))
		return 0;
	refcount_set(&lab->counter, (int)call->before);
	return -EFAULT;
}

/**
 * struct refobj_lab_run - a BURST at work
 * @lab: on whose counter
 * @op: what is called
 * @call: with which operands
 * @times: how often, by each thread
 * @waiting: threads that are not at the start yet
 * @running: threads that have not finished
 * @succeeded: calls that returned true
 * @stop: nobody waits for the result any more
 * @end: when the last one had finished
 * @ready: all are at the start
 * @go: the start
 * @done: all have finished
 * @tasks: the threads
 */
struct refobj_lab_run {
	struct refobj_lab *lab;
	u32 (*op)(struct refobj_lab *lab, struct refobj_lab_call *call);
	struct refobj_lab_call call;
	u32 times;
	atomic_t waiting;
	atomic_t running;
	atomic_t succeeded;
	bool stop;
	ktime_t end;
	struct completion ready;
	struct completion go;
	struct completion done;
	struct task_struct *tasks[];
};

static int refobj_lab_thread(void *data)
{
	struct refobj_lab_run *run = data;
	struct refobj_lab_call call = run->call;
	u32 i, succeeded = 0;

	if (atomic_dec_and_test(&run->waiting))
		complete(&run->ready);
	wait_for_completion(&run->go);
	for (i = 0; i < run->times; i++) {
		succeeded += run->op(run->lab, &call);
		if (i % REFOBJ_LAB_STRIDE)
			continue;
		if (READ_ONCE(run->stop))
			break;
		cond_resched();
	}
	atomic_add(succeeded, &run->succeeded);
	if (atomic_dec_and_test(&run->running)) {
		run->end = ktime_get();
		complete(&run->done);
	}
	return 0;
}

/* Starts the threads together and waits for them. */
static int refobj_lab_run(struct refobj_lab_run *run, u32 threads, u64 *ns)
{
	ktime_t begin;
	int err = 0;
	u32 i;

	for (i = 0; i < threads; i++)
		wake_up_process(run->tasks[i]);
	wait_for_completion(&run->ready);
	begin = ktime_get();
	complete_all(&run->go);
	if (wait_for_completion_killable(&run->done)) {
		WRITE_ONCE(run->stop, true);
		wait_for_completion(&run->done);
		err = -EINTR;
	}
	*ns = ktime_to_ns(ktime_sub(run->end, begin));
	return err;
}

static int refobj_lab_cmd_burst(struct refobj_lab *lab,
				struct refobj_lab_burst *args,
				void __user *user, size_t size)
{
	const struct refobj_lab_op *op;
	struct refobj_lab_run *run;
	struct task_struct *task;
	u32 i = 0;
	int err;

	if (args->function >= REFOBJ_LAB_FUNCTIONS ||
	    args->function == REFOBJ_LAB_READ)
		return -EINVAL;
	op = &refobj_lab_ops[array_index_nospec(args->function,
						REFOBJ_LAB_FUNCTIONS)];
	if (!op->call)
		return -EOPNOTSUPP;
	if ((args->n && !op->n) || (args->limit && !op->limit) ||
	    (args->flags & REFOBJ_LAB_BURST_ATOMIC && !op->plain))
		return -EINVAL;
	if (!args->threads || args->threads > REFOBJ_LAB_THREADS_MAX ||
	    !args->times || args->times > REFOBJ_LAB_BURST_MAX / args->threads)
		return -EINVAL;
	args->before = 0;
	args->after = 0;
	args->succeeded = 0;
	args->ns = 0;
	if (copy_to_user(user, args, size))
		return -EFAULT;

	run = kzalloc(struct_size(run, tasks, args->threads),
		      GFP_KERNEL_ACCOUNT);
	if (!run)
		return -ENOMEM;
	run->lab = lab;
	run->op = args->flags & REFOBJ_LAB_BURST_ATOMIC ? op->plain : op->call;
	run->call.n = args->n;
	run->call.limit = args->limit;
	run->times = args->times;
	atomic_set(&run->waiting, (int)args->threads);
	atomic_set(&run->running, (int)args->threads);
	init_completion(&run->ready);
	init_completion(&run->go);
	init_completion(&run->done);

	for (i = 0; i < args->threads; i++) {
		task = kthread_create(refobj_lab_thread, run, "refobj_lab/%u",
				      i);
		if (IS_ERR(task)) {
			/* a fatal signal, or no memory */
			err = PTR_ERR(task);
			goto stop;
		}
		/* it may be gone before it is stopped */
		run->tasks[i] = get_task_struct(task);
	}
	args->before = refcount_read(&lab->counter);
	err = refobj_lab_run(run, args->threads, &args->ns);
	args->after = refcount_read(&lab->counter);
	args->succeeded = atomic_read(&run->succeeded);
	if (!err && copy_to_user(user, args, size)) {
		refcount_set(&lab->counter, (int)args->before);
		err = -EFAULT;
	}
stop:
	/* Those that were never woken end without a call. */
	while (i--) {
		kthread_stop(run->tasks[i]);
		put_task_struct(run->tasks[i]);
	}
	kfree(run);
	return err;
}

union refobj_lab_args {
	struct {
		__u32 size;
		__u32 flags;
	} head;
	struct refobj_lab_call call;
	struct refobj_lab_burst burst;
};

static long refobj_lab_ioctl(struct file *file, unsigned int cmd,
			     unsigned long arg)
{
	unsigned int function = _IOC_NR(cmd) - REFOBJ_LAB_IOC_BASE;
	unsigned int size = _IOC_SIZE(cmd), known;
	struct refobj_lab *lab = file->private_data;
	void __user *user = (void __user *)arg;
	union refobj_lab_args args;
	bool burst;
	int err;

	if (_IOC_TYPE(cmd) != REFOBJ_LAB_IOC_MAGIC ||
	    _IOC_DIR(cmd) != (_IOC_READ | _IOC_WRITE))
		return -ENOTTY;
	burst = _IOC_NR(cmd) == _IOC_NR(REFOBJ_LAB_IOC_BURST);
	if (!burst && function >= REFOBJ_LAB_FUNCTIONS)
		return -ENOTTY;
	/* the first version of both structures is all that there is yet */
	known = burst ? sizeof(args.burst) : sizeof(args.call);
	if (size < known)
		return -EINVAL;
	if (size > REFOBJ_LAB_SIZE_MAX)
		return -E2BIG;
	err = copy_struct_from_user(&args, known, user, size);
	if (err)
		return err;
	if (args.head.size != size)
		return -EINVAL;
	if (args.head.flags & ~(burst ? REFOBJ_LAB_BURST_ATOMIC : 0))
		return -EOPNOTSUPP;

	if (mutex_lock_killable(&lab->serial))
		return -EINTR;
	if (burst)
		err = refobj_lab_cmd_burst(lab, &args.burst, user, known);
	else
		err = refobj_lab_cmd_call(lab,
					  array_index_nospec(function,
							     REFOBJ_LAB_FUNCTIONS),
					  &args.call, user, known);
	mutex_unlock(&lab->serial);
	return err;
}

static int refobj_lab_open(struct inode *inode, struct file *file)
{
	struct refobj_lab *lab;

	/* Whoever may make the kernel warn may do without the file's mode. */
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	lab = kzalloc(sizeof(*lab), GFP_KERNEL_ACCOUNT);
	if (!lab)
		return -ENOMEM;
	mutex_init(&lab->serial);
	refcount_set(&lab->counter, 1);
	mutex_init(&lab->mutex);
	spin_lock_init(&lab->spinlock);
	file->private_data = lab;
	return nonseekable_open(inode, file);
}

static int refobj_lab_release(struct inode *inode, struct file *file)
{
	struct refobj_lab *lab = file->private_data;

	mutex_destroy(&lab->mutex);
	mutex_destroy(&lab->serial);
	kfree(lab);
	return 0;
}

static const struct file_operations refobj_lab_fops = {
	.owner		= THIS_MODULE,
	.open		= refobj_lab_open,
	.release	= refobj_lab_release,
	.unlocked_ioctl	= refobj_lab_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice refobj_lab_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "refobj-lab",
	.fops	= &refobj_lab_fops,
	.mode	= 0600,
};

static int __init refobj_lab_init(void)
{
	BUILD_BUG_ON(REFOBJ_LAB_MAX != REFCOUNT_MAX);
	BUILD_BUG_ON(REFOBJ_LAB_SATURATED != (u32)REFCOUNT_SATURATED);
	/* BURST's number is no function's. */
	BUILD_BUG_ON(REFOBJ_LAB_IOC_BASE + REFOBJ_LAB_FUNCTIONS >
		     _IOC_NR(REFOBJ_LAB_IOC_BURST));
	return misc_register(&refobj_lab_device);
}

static void __exit refobj_lab_exit(void)
{
	misc_deregister(&refobj_lab_device);
}

module_init(refobj_lab_init);
module_exit(refobj_lab_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The refobj developers");
MODULE_DESCRIPTION("Calls and misuses refcount_t, function by function");
MODULE_VERSION("0.1.0");
MODULE_INFO(test, "Y");
