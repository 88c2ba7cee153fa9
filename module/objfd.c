// SPDX-License-Identifier: GPL-2.0-only
/*
 * Object descriptors: one reference as an open file, that may travel.
 */
#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <net/net_namespace.h>

#include "refobj.h"
#include "trace.h"

/**
 * struct refobj_objfd - an object descriptor
 * @mark: in the object's holders
 * @since_ns: CLOCK_MONOTONIC when it was made
 * @object: its own, or NULL while it is being made; holds the namespace
 * @user: whom its reference is charged to; holds a reference
 * @uid: effective uid that made it
 * @process: which made it
 * @watcher: tells @queue; linked with the first poll
 * @watched: @watcher is linked (protected by the object's lock)
 * @queue: counts changes
 * @seen: changes that a reader has been told of (protected by the queue's lock)
 */
struct refobj_objfd {
	struct refobj_mark mark;
	u64 since_ns;
	struct refobj *object;
	struct refobj_user *user;
	kuid_t uid;
	struct refobj_process *process;
	struct refobj_watcher watcher;
	bool watched;
	struct refobj_queue queue;
	u64 seen;
};

static void objfd_free(struct refobj_objfd *objfd)
{
	refobj_process_put(objfd->process);
	kfree(objfd);
}

static int objfd_release(struct inode *inode, struct file *file)
{
	struct refobj_act act = refobj_act_now(REFOBJ_CAUSE_CLOSE);
	struct refobj_objfd *objfd = file->private_data;
	struct refobj *object = objfd->object;
	int done;

	/* A worker of the kernel closes what was never received, for nobody. */
	if (current->flags & PF_KTHREAD)
		act.pid = NULL;

	if (object) {
		struct refobj_registry *registry = object->registry;

		spin_lock(&object->lock);
		if (objfd->watched)
			refobj_watcher_unlink_locked(&objfd->watcher);
		trace_refobj_drop(object, REFOBJ_HOLDER_FD, 0, 1, 1, act.cause);
		done = refobj_unhold_locked(object, &objfd->mark, 1, &act);
		spin_unlock(&object->lock);
		refobj_count(dropped[REFOBJ_DROP_CLOSE], 1);
		refobj_settle(registry);
		if (done & REFOBJ_UNHELD_KILLED)
			refobj_put(object);
		refobj_put(object);
		refobj_uncharge(objfd->user, REFOBJ_QUOTA_REFERENCES, 1);
		refobj_user_put(objfd->user);
		put_net(registry->net);
	}
	objfd_free(objfd);
	return 0;
}

/* Changes since the last read; @seq is set to the number of the newest. */
static u64 objfd_changes(struct refobj_objfd *objfd, u64 *seq)
{
	u64 changes;

	spin_lock(&objfd->queue.lock);
	*seq = objfd->queue.seq;
	changes = *seq - objfd->seen;
	spin_unlock(&objfd->queue.lock);
	return changes;
}

/* All up to that one have been told. */
static void objfd_see(struct refobj_objfd *objfd, u64 seq)
{
	spin_lock(&objfd->queue.lock);
	/* Two readers may have been told of the same ones. */
	objfd->seen = max(objfd->seen, seq);
	spin_unlock(&objfd->queue.lock);
}

static __poll_t objfd_poll(struct file *file, struct poll_table_struct *table)
{
	struct refobj_objfd *objfd = file->private_data;
	struct refobj *object = objfd->object;
	int err = 0;
	u64 seq;

	poll_wait(file, &objfd->queue.wait, table);
	spin_lock(&object->lock);
	if (!objfd->watched) {
		err = refobj_watcher_link_locked(object, &objfd->watcher);
		objfd->watched = !err;
		/* The snapshot is no change. */
		objfd_changes(objfd, &seq);
		objfd_see(objfd, seq);
	}
	spin_unlock(&object->lock);
	if (err)
		return EPOLLERR;
	return objfd_changes(objfd, &seq) ? EPOLLIN | EPOLLRDNORM : 0;
}

static ssize_t objfd_read(struct file *file, char __user *to, size_t size,
			  loff_t *pos)
{
	struct refobj_objfd *objfd = file->private_data;
	u64 changes, seq;

	if (size < sizeof(changes))
		return -EINVAL;
	changes = objfd_changes(objfd, &seq);
	if (!changes)
		return -EAGAIN;
	if (copy_to_user(to, &changes, sizeof(changes)))
		return -EFAULT;
	objfd_see(objfd, seq);
	return sizeof(changes);
}

static void objfd_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct refobj_objfd *objfd = file->private_data;
	const struct refobj *object = objfd->object;

	seq_printf(m, "refobj-object:\t%llu\n", object->id);
	seq_printf(m, "refobj-registry:\t%u\n", object->registry->net->ns.inum);
	seq_printf(m, "refobj-name:\t%s\n", object->name);
	seq_printf(m, "refobj-type:\t%s\n", object->type);
	seq_printf(m, "refobj-users:\t%u\n", refobj_users(object));
}

static const struct file_operations objfd_fops = {
	.owner		= THIS_MODULE,
	.release	= objfd_release,
	.poll		= objfd_poll,
	.read		= objfd_read,
	.llseek		= noop_llseek,
	.show_fdinfo	= objfd_show_fdinfo,
};

/* Let the descriptor have a reference of its own. */
static int objfd_hold(struct refobj_objfd *objfd, struct refobj_session *session,
		      u64 id)
{
	const struct refobj_act act = refobj_act_now(REFOBJ_CAUSE_ACQUIRE);
	struct refobj_entry *e;
	int err;

	err = refobj_session_charge(session, 1);
	if (err)
		return err;
	xa_lock(&session->entries);
	e = refobj_session_held(session, id, 0);
	err = PTR_ERR_OR_ZERO(e);
	if (!err) {
		spin_lock(&e->object->lock);
		err = refobj_hold_locked(e->object, &objfd->mark, 1, 0, &act);
		spin_unlock(&e->object->lock);
	}
	if (!err) {
		objfd->object = e->object;
		objfd->watcher.object = e->object;
	}
	xa_unlock(&session->entries);
	if (err) {
		refobj_uncharge(session->user, REFOBJ_QUOTA_REFERENCES, 1);
		return err == -EPERM ? refobj_session_lacks(session, id, err) :
				       err;
	}
	kref_get(&session->user->ref);
	objfd->user = session->user;
	get_net(session->registry->net);
	refobj_count(references_acquired, 1);
	refobj_count(exports, 1);
	trace_refobj_acquire(objfd->object, REFOBJ_HOLDER_FD, 0, 1, 0,
			     REFOBJ_CAUSE_ACQUIRE);
	return 0;
}

/**
 * refobj_objfd_export() - make an object descriptor
 * @session: that holds the object
 * @id: the object
 *
 * Context: may sleep.
 *
 * Return: the descriptor, or a negative errno.
 */
int refobj_objfd_export(struct refobj_session *session, u64 id)
{
	struct refobj_objfd *objfd;
	struct file *file;
	int fd, err;

	objfd = kzalloc(sizeof(*objfd), GFP_KERNEL_ACCOUNT);
	if (!objfd)
		return -ENOMEM;
	objfd->process = refobj_process_new();
	if (!objfd->process) {
		kfree(objfd);
		return -ENOMEM;
	}
	objfd->mark.kind = REFOBJ_HOLDER_FD;
	objfd->since_ns = ktime_get_ns();
	objfd->uid = session->file->f_cred->euid;
	refobj_queue_init(&objfd->queue);
	objfd->watcher.queue = &objfd->queue;
	objfd->watcher.mask = REFOBJ_WATCH_DEFAULT;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		objfd_free(objfd);
		return fd;
	}
	file = anon_inode_getfile("[refobj]", &objfd_fops, objfd,
				  O_RDONLY | O_CLOEXEC);
	if (IS_ERR(file)) {
		objfd_free(objfd);
		err = PTR_ERR(file);
		goto put_fd;
	}
	/* From here on the file frees what is its own. */
	err = objfd_hold(objfd, session, id);
	if (err) {
		fput(file);
		goto put_fd;
	}
	fd_install(fd, file);
	return fd;

put_fd:
	put_unused_fd(fd);
	return err;
}

/**
 * refobj_objfd_object() - the object of a descriptor
 * @fd: descriptor of the current process
 *
 * Return: the object, with a life for the caller; -EBADF, -EINVAL.
 */
struct refobj *refobj_objfd_object(int fd)
{
	struct file *file = fget(fd);
	struct refobj_objfd *objfd;
	struct refobj *object = ERR_PTR(-EINVAL);

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op == &objfd_fops) {
		objfd = file->private_data;
		object = objfd->object;
		kref_get(&object->life);
	}
	fput(file);
	return object;
}

/**
 * refobj_objfd_holder() - tell of an object descriptor
 * @record: zeroed
 * @mark: a descriptor's
 *
 * Context: under the lock of the object, in whose holders the descriptor is.
 */
void refobj_objfd_holder(struct refobj_holder *record,
			 const struct refobj_mark *mark)
{
	const struct refobj_objfd *objfd =
		container_of(mark, struct refobj_objfd, mark);

	record->count = 1;
	record->uid = from_kuid_munged(current_user_ns(), objfd->uid);
	record->since_ns = objfd->since_ns;
	refobj_process_tell(objfd->process, record);
}
