// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every kind of mistake that the debug kernels promise to report, made on
 * request: the name of one is written to /sys/kernel/debug/detector/provoke.
 * Never for a machine that is used for anything else.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/ref_tracker.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

static DEFINE_MUTEX(mutex_a);
static DEFINE_MUTEX(mutex_b);
static DEFINE_SPINLOCK(spin);
static int __rcu *shared;
static unsigned long racy;
/* Where results go that the compiler must not find useless */
static int sink;

/* A number that the compiler knows nothing about */
static noinline int unknown(int n)
{
	OPTIMIZER_HIDE_VAR(n);
	return n;
}

static char *block(size_t size)
{
	char *p = kzalloc(unknown(size), GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(p);
	return p;
}

static int use_after_free(void)
{
	char *p = block(32), *stale = p;

	if (!p)
		return -ENOMEM;
	OPTIMIZER_HIDE_VAR(stale);
	kfree(p);
	WRITE_ONCE(sink, READ_ONCE(stale[unknown(3)]));
	return 0;
}

static int out_of_bounds(void)
{
	char *p = block(17);

	if (!p)
		return -ENOMEM;
	WRITE_ONCE(sink, READ_ONCE(p[unknown(17)]));
	kfree(p);
	return 0;
}

static int double_free(void)
{
	char *p = block(32), *stale = p;

	OPTIMIZER_HIDE_VAR(stale);
	kfree(p);
	kfree(stale);
	return 0;
}

static int sleep_in_atomic(void)
{
	spin_lock(&spin);
	might_sleep();
	spin_unlock(&spin);
	return 0;
}

static int preemptible_cpu(void)
{
	WRITE_ONCE(sink, smp_processor_id());
	return 0;
}

static int abba(void)
{
	mutex_lock(&mutex_a);
	mutex_lock(&mutex_b);
	mutex_unlock(&mutex_b);
	mutex_unlock(&mutex_a);

	mutex_lock(&mutex_b);
	mutex_lock(&mutex_a);
	mutex_unlock(&mutex_a);
	mutex_unlock(&mutex_b);
	return 0;
}

static int lock_held(void)
{
	mutex_lock(&mutex_a);
	return 0;
}

static int suspicious_rcu(void)
{
	WRITE_ONCE(sink, rcu_dereference(shared) ? 1 : 0);
	return 0;
}

static int refcount_saturation(void)
{
	refcount_t r;

	refcount_set(&r, REFCOUNT_MAX);
	refcount_inc(&r);
	return 0;
}

static int refcount_underflow(void)
{
	refcount_t r;

	refcount_set(&r, 0);
	refcount_dec(&r);
	return 0;
}

static int list_corruption(void)
{
	struct list_head *head = (void *)block(sizeof(*head)), node;

	if (!head)
		return -ENOMEM;
	INIT_LIST_HEAD(head);
	list_add(&node, head);
	list_del(&node);
	list_del(&node);
	kfree(head);
	return 0;
}

static void never(struct timer_list *unused)
{
}

static int free_active_timer(void)
{
	struct timer_list *t = (void *)block(sizeof(*t));

	if (!t)
		return -ENOMEM;
	timer_setup(t, never, 0);
	mod_timer(t, jiffies + 3600 * HZ);
	kfree(t);
	return 0;
}

static int shift_too_far(void)
{
	WRITE_ONCE(sink, 1 << unknown(40));
	return 0;
}

static int index_too_large(void)
{
	static int few[4];

	/* the compiler checks no volatile access */
	few[unknown(4)] = unknown(1);
	WRITE_ONCE(sink, few[unknown(0)]);
	return 0;
}

#ifdef CONFIG_REF_TRACKER
static int tracked_reference(void)
{
	struct ref_tracker_dir dir;
	struct ref_tracker *tracker;

	ref_tracker_dir_init(&dir, 4);
	ref_tracker_alloc(&dir, &tracker, GFP_KERNEL);
	ref_tracker_dir_exit(&dir);
	return 0;
}
#endif

/* More than one: a stale copy on some stack may hide some of them. */
static int leak(void)
{
	int i;

	for (i = 0; i < 10; i++)
		if (!block(100 + i))
			return -ENOMEM;
	return 0;
}

static int fault(void)
{
	char *p = block(48);

	if (!p)
		return -ENOMEM;
	kfree(p);
	return 0;
}

static int count_racily(void *unused)
{
	while (!kthread_should_stop()) {
		racy++;
		barrier();
		cond_resched();
	}
	return 0;
}

static int race(void)
{
	struct task_struct *other = kthread_run(count_racily, NULL, "detector");
	unsigned long end = jiffies + 5 * HZ;

	if (IS_ERR(other))
		return PTR_ERR(other);
	while (time_before(jiffies, end)) {
		racy++;
		barrier();
		cond_resched();
	}
	return kthread_stop(other);
}

static int soft_lockup(void)
{
	unsigned long end = jiffies + 60 * HZ;

	preempt_disable();
	while (time_before(jiffies, end))
		cpu_relax();
	preempt_enable();
	return 0;
}

static int hung_task(void)
{
	schedule_timeout_uninterruptible(120 * HZ);
	return 0;
}

static const struct mistake {
	const char *name;
	int (*make)(void);
} mistakes[] = {
	{ "use-after-free", use_after_free },
	{ "out-of-bounds", out_of_bounds },
	{ "double-free", double_free },
	{ "sleep-in-atomic", sleep_in_atomic },
	{ "preemptible-cpu", preemptible_cpu },
	{ "abba", abba },
	{ "lock-held", lock_held },
	{ "suspicious-rcu", suspicious_rcu },
	{ "refcount-saturation", refcount_saturation },
	{ "refcount-underflow", refcount_underflow },
	{ "list-corruption", list_corruption },
	{ "free-active-timer", free_active_timer },
	{ "shift", shift_too_far },
	{ "index", index_too_large },
#ifdef CONFIG_REF_TRACKER
	{ "tracked-reference", tracked_reference },
#endif
	{ "leak", leak },
	{ "fault", fault },
	{ "data-race", race },
	{ "soft-lockup", soft_lockup },
	{ "hung-task", hung_task },
};

static ssize_t provoke(struct file *file, const char __user *buf, size_t len,
		       loff_t *pos)
{
	char name[32] = "";
	size_t i;
	int ret;

	if (len >= sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, buf, len))
		return -EFAULT;
	strim(name);
	for (i = 0; i < ARRAY_SIZE(mistakes); i++)
		if (!strcmp(name, mistakes[i].name)) {
			ret = mistakes[i].make();
			return ret < 0 ? ret : len;
		}
	return -EINVAL;
}

static const struct file_operations provoke_fops = {
	.owner = THIS_MODULE,
	.write = provoke,
};

static struct dentry *folder;

static int __init detector_init(void)
{
	folder = debugfs_create_dir("detector", NULL);
	debugfs_create_file("provoke", 0200, folder, NULL, &provoke_fops);
	return 0;
}
module_init(detector_init);

static void __exit detector_exit(void)
{
	debugfs_remove_recursive(folder);
}
module_exit(detector_exit);

MODULE_DESCRIPTION("Provokes what debug kernels detect");
MODULE_LICENSE("GPL");
