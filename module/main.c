// SPDX-License-Identifier: GPL-2.0-only
/*
 * refobj: crash-safe reference counting between processes. The device, and the
 * module's coming and going. refobj.h says how the parts hang together.
 */
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>

#include "refobj.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static int refobj_open(struct inode *inode, struct file *file)
{
	struct refobj_session *session = refobj_session_open(file);

	if (IS_ERR(session))
		return PTR_ERR(session);
	file->private_data = session;
	return stream_open(inode, file);
}

static int refobj_flush(struct file *file, fl_owner_t id)
{
	refobj_session_flush(file->private_data, id);
	return 0;
}

static int refobj_release(struct inode *inode, struct file *file)
{
	refobj_session_close(file->private_data);
	return 0;
}

static ssize_t refobj_read(struct file *file, char __user *to, size_t size,
			   loff_t *pos)
{
	return refobj_events_read(file->private_data, to, size,
				  file->f_flags & O_NONBLOCK);
}

static __poll_t refobj_poll(struct file *file, struct poll_table_struct *table)
{
	struct refobj_session *session = file->private_data;

	return refobj_events_poll(&session->queue, file, table);
}

static void refobj_show_fdinfo(struct seq_file *m, struct file *file)
{
	refobj_session_show(m, file->private_data);
}

static const struct file_operations refobj_fops = {
	.owner		= THIS_MODULE,
	.open		= refobj_open,
	.flush		= refobj_flush,
	.release	= refobj_release,
	.read		= refobj_read,
	.poll		= refobj_poll,
	.unlocked_ioctl	= refobj_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.uring_cmd	= refobj_uring_cmd,
	.show_fdinfo	= refobj_show_fdinfo,
};

static struct miscdevice refobj_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "refobj",
	.fops	= &refobj_fops,
	.mode	= 0660,
};

static int __init refobj_init(void)
{
	int err;

	err = refobj_object_init();
	if (err)
		return err;
	err = refobj_session_init();
	if (err)
		goto exit_object;
	err = refobj_registry_init();
	if (err)
		goto exit_session;
	err = refobj_netlink_init();
	if (err)
		goto exit_registry;
	refobj_debugfs_init();
	/* Last: from here on it is used. */
	err = misc_register(&refobj_device);
	if (err)
		goto exit_debugfs;
	return 0;

exit_debugfs:
	refobj_debugfs_exit();
	refobj_netlink_exit();
exit_registry:
	refobj_registry_exit();
exit_session:
	refobj_session_exit();
exit_object:
	refobj_object_exit();
	return err;
}

static void __exit refobj_exit(void)
{
	misc_deregister(&refobj_device);
	refobj_debugfs_exit();
	refobj_netlink_exit();
	refobj_registry_exit();
	refobj_session_exit();
	refobj_object_exit();
}

module_init(refobj_init);
module_exit(refobj_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The refobj developers");
MODULE_DESCRIPTION("Crash-safe reference counting between processes");
MODULE_VERSION("0.1.0");
