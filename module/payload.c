// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an object protects: a value of a few bytes, and a file. Both go when the
 * object is deactivated.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "refobj.h"

/**
 * struct refobj_bytes - a value, never changed
 * @ref: one for the object, and one for each reader
 * @user: whom it is charged to; holds a reference
 * @unlimited: whatever the limit
 * @charged: bytes that are: @length while it is an object's (written under the
 *	object's lock)
 * @length: of @data
 * @data: the bytes
 */
struct refobj_bytes {
	struct kref ref;
	struct refobj_user *user;
	bool unlimited;
	u32 charged;
	u32 length;
	u8 data[];
};

/**
 * struct refobj_content - the payload of an object (protected by its lock)
 * @file: holds a reference, or NULL
 * @bytes: holds a reference, or NULL
 * @version: how often @bytes has been set
 */
struct refobj_content {
	struct file *file;
	struct refobj_bytes *bytes;
	u64 version;
};

/**
 * refobj_bytes_new() - a value, from user space
 * @session: who sets it and will be charged for it
 * @data: where it is
 * @length: 1 to REFOBJ_VALUE_MAX
 *
 * Context: may sleep.
 *
 * Return: the value; -ENOMEM, -EFAULT.
 */
struct refobj_bytes *refobj_bytes_new(struct refobj_session *session,
				      const void __user *data, u32 length)
{
	struct refobj_bytes *bytes;

	bytes = kmalloc(struct_size(bytes, data, length), GFP_KERNEL_ACCOUNT);
	if (!bytes)
		return ERR_PTR(-ENOMEM);
	kref_init(&bytes->ref);
	kref_get(&session->user->ref);
	bytes->user = session->user;
	bytes->unlimited = session->unlimited;
	bytes->charged = 0;
	bytes->length = length;
	if (copy_from_user(bytes->data, data, length)) {
		refobj_bytes_put(bytes);
		return ERR_PTR(-EFAULT);
	}
	return bytes;
}

static void bytes_free(struct kref *ref)
{
	struct refobj_bytes *bytes = container_of(ref, struct refobj_bytes, ref);

	refobj_uncharge(bytes->user, REFOBJ_QUOTA_BYTES, bytes->charged);
	refobj_user_put(bytes->user);
	kfree(bytes);
}

/**
 * refobj_bytes_put() - drop a reference on a value
 * @bytes: the value, or NULL
 */
void refobj_bytes_put(struct refobj_bytes *bytes)
{
	if (bytes)
		kref_put(&bytes->ref, bytes_free);
}

/**
 * refobj_bytes_copy() - a value, to user space
 * @bytes: the value, or NULL
 * @to: where to
 * @length: room there; set to what there is
 *
 * Return: 0 or -EFAULT.
 */
int refobj_bytes_copy(const struct refobj_bytes *bytes, void __user *to,
		      u32 *length)
{
	u32 n = bytes ? min(bytes->length, *length) : 0;

	*length = bytes ? bytes->length : 0;
	return n && copy_to_user(to, bytes->data, n) ? -EFAULT : 0;
}

/**
 * refobj_content_new() - room for a payload
 *
 * Return: it, or NULL.
 */
struct refobj_content *refobj_content_new(void)
{
	return kzalloc(sizeof(struct refobj_content), GFP_KERNEL_ACCOUNT);
}

/**
 * refobj_content_free() - free what is empty
 * @content: it, or NULL
 */
void refobj_content_free(struct refobj_content *content)
{
	kfree(content);
}

/**
 * refobj_content_give_locked() - let an object have a payload
 * @object: the object, locked
 * @content: from refobj_content_new(); NULL afterwards if it was wanted
 */
void refobj_content_give_locked(struct refobj *object,
				struct refobj_content **content)
{
	lockdep_assert_held(&object->lock);

	if (object->content)
		return;
	object->content = *content;
	*content = NULL;
}

/**
 * refobj_content_file() - a file that may be a payload
 * @fd: descriptor of the current process
 *
 * Only what cannot in turn hold a session, as could a socket with a descriptor in
 * its queue, or an epoll set: that would be a cycle that nobody breaks.
 *
 * Return: the file, with a reference for the caller; -EBADF, -EINVAL.
 */
struct file *refobj_content_file(int fd)
{
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (S_ISREG(file_inode(file)->i_mode) && !IS_ANON_FILE(file_inode(file)))
		return file;
	fput(file);
	return ERR_PTR(-EINVAL);
}

/**
 * refobj_content_set_file_locked() - replace the file
 * @object: the object, locked, with room for a payload
 * @file: the new one, with its reference, or NULL
 *
 * Return: the old one, or NULL, for the caller to put.
 */
struct file *refobj_content_set_file_locked(struct refobj *object,
					    struct file *file)
{
	lockdep_assert_held(&object->lock);

	swap(object->content->file, file);
	return file;
}

/**
 * refobj_content_get_file_locked() - the file
 * @object: the object, locked
 *
 * Return: it, with a reference for the caller, or NULL.
 */
struct file *refobj_content_get_file_locked(struct refobj *object)
{
	lockdep_assert_held(&object->lock);

	if (!object->content || !object->content->file)
		return NULL;
	return get_file(object->content->file);
}

/*
 * Charge a value that takes the place of another. Of one uid only the difference
 * is charged, so that a value may be replaced by one of its size whatever the
 * quota.
 */
static int bytes_charge(struct refobj_bytes *new, struct refobj_bytes *old)
{
	u32 had = old && old->user == new->user ? old->charged : 0;
	int err;

	if (new->length > had) {
		err = refobj_charge(new->user, REFOBJ_QUOTA_BYTES,
				    new->length - had, new->unlimited);
		if (err)
			return err;
	} else {
		refobj_uncharge(new->user, REFOBJ_QUOTA_BYTES,
				had - new->length);
	}
	new->charged = new->length;
	if (had)
		old->charged = 0;
	return 0;
}

/**
 * refobj_content_set_bytes_locked() - replace the value
 * @object: the object, locked, with room for a payload
 * @bytes: the new one, with its reference, or NULL; then the old one, for the
 *	caller to put
 * @version: that the old one must have, or NULL
 *
 * Return: 0; -EAGAIN: it has another version; -EDQUOT.
 */
int refobj_content_set_bytes_locked(struct refobj *object,
				    struct refobj_bytes **bytes,
				    const u64 *version)
{
	struct refobj_content *content = object->content;
	int err = 0;

	lockdep_assert_held(&object->lock);

	if (version && *version != content->version)
		return -EAGAIN;
	if (*bytes)
		err = bytes_charge(*bytes, content->bytes);
	if (err)
		return err;
	content->version++;
	swap(content->bytes, *bytes);
	return 0;
}

/**
 * refobj_content_get_bytes_locked() - the value
 * @object: the object, locked
 * @version: set to its version
 *
 * Return: it, with a reference for the caller, or NULL.
 */
struct refobj_bytes *refobj_content_get_bytes_locked(struct refobj *object,
						     u64 *version)
{
	struct refobj_content *content = object->content;

	lockdep_assert_held(&object->lock);

	*version = content ? content->version : 0;
	if (!content || !content->bytes)
		return NULL;
	kref_get(&content->bytes->ref);
	return content->bytes;
}

/**
 * refobj_content_drop_locked() - the object is being deactivated
 * @object: the object, locked
 *
 * fput() leaves the closing to a better place, so it may be called here.
 */
void refobj_content_drop_locked(struct refobj *object)
{
	struct refobj_content *content = object->content;

	lockdep_assert_held(&object->lock);

	if (!content)
		return;
	refobj_bytes_put(content->bytes);
	content->bytes = NULL;
	if (content->file)
		fput(content->file);
	content->file = NULL;
}

/**
 * refobj_content_stat_locked() - tell about the payload
 * @object: the object, locked
 * @stat: filled in
 */
void refobj_content_stat_locked(const struct refobj *object,
				struct refobj_stat *stat)
{
	const struct refobj_content *content = object->content;

	lockdep_assert_held(&object->lock);

	stat->value_version = content ? content->version : 0;
	stat->value_size = content && content->bytes ? content->bytes->length : 0;
	stat->has_file = content && content->file;
}
