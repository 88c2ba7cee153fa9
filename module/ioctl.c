// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands of /dev/refobj: the table, and the checks of their arguments.
 */
#include <linux/build_bug.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <net/net_namespace.h>

#include <asm/ioctls.h>

#include "compat.h"
#include "refobj.h"

/* No structure, of any version, is larger: a page, whatever the page size. */
#define REFOBJ_SIZE_MAX		4096

union refobj_args {
	struct {
		__u32 size;
		__u32 flags;
		__u64 id;
	} head;				/* how every structure begins */
	struct refobj_info info;
	struct refobj_create create;
	struct refobj_attach attach;
	struct refobj_lookup lookup;
	struct refobj_acquire acquire;
	struct refobj_release release;
	struct refobj_release_all release_all;
	struct refobj_stat stat;
	struct refobj_holders holders;
	struct refobj_destroy destroy;
	struct refobj_set_why set_why;
	struct refobj_watch watch;
	struct refobj_wait wait;
	struct refobj_payload payload;
	struct refobj_value value;
	struct refobj_link link;
	struct refobj_export export;
	struct refobj_import import;
	struct refobj_adopt adopt;
	struct refobj_submit submit;
};

/**
 * struct refobj_call - one call of a command
 * @session: on which
 * @args: the copied structure; user memory is not read again
 * @user: the caller's structure
 * @size: how much of it to write back
 * @nowait: -EAGAIN rather than to sleep until something happens
 */
struct refobj_call {
	struct refobj_session *session;
	union refobj_args args;
	void __user *user;
	size_t size;
	bool nowait;
};

/*
 * Write the results. A command that changes something calls this before the
 * change: nothing may fail for the caller's memory afterwards.
 */
static int refobj_reply(struct refobj_call *call)
{
	return copy_to_user(call->user, &call->args, call->size) ? -EFAULT : 0;
}

static bool refobj_name_valid(const char *name)
{
	return refobj_text_valid(name, REFOBJ_NAME_SIZE, false);
}

static bool refobj_type_valid(const char *type)
{
	return refobj_text_valid(type, REFOBJ_TYPE_SIZE, false);
}

static bool refobj_count_valid(u32 n)
{
	return n && n <= REFOBJ_COUNT_MAX;
}

static bool refobj_mode_valid(u32 mode)
{
	return !(mode & ~REFOBJ_MODE_MASK);
}

static int refobj_cmd_info(struct refobj_call *call)
{
	struct refobj_session *s = call->session;
	struct refobj_info *info = &call->args.info;
	u64 max[REFOBJ_QUOTAS], used[REFOBJ_QUOTAS];
	int i;

	for (i = 0; i < REFOBJ_QUOTAS; i++) {
		max[i] = s->unlimited ? REFOBJ_UNLIMITED : refobj_quota_max(i);
		used[i] = atomic_long_read(&s->user->used[i]);
	}
	*info = (struct refobj_info) {
		.size			= info->size,
		.version		= REFOBJ_VERSION,
		.features		= REFOBJ_FEATURE_EVENTS |
					  REFOBJ_FEATURE_LINGER |
					  REFOBJ_FEATURE_BUILD |
					  REFOBJ_FEATURE_PAYLOAD |
					  REFOBJ_FEATURE_EDGES |
					  REFOBJ_FEATURE_FDS |
					  REFOBJ_FEATURE_OWNER |
					  REFOBJ_FEATURE_SUBMIT |
					  (IS_ENABLED(CONFIG_IO_URING) ?
					   REFOBJ_FEATURE_URING : 0),
		.name_max		= REFOBJ_NAME_SIZE - 1,
		.type_max		= REFOBJ_TYPE_SIZE - 1,
		.why_max		= REFOBJ_WHY_SIZE - 1,
		.users_max		= REFOBJ_USERS_MAX,
		.count_max		= REFOBJ_COUNT_MAX,
		.objects_max		= max[REFOBJ_QUOTA_OBJECTS],
		.objects_used		= used[REFOBJ_QUOTA_OBJECTS],
		.references_max		= max[REFOBJ_QUOTA_REFERENCES],
		.references_used	= used[REFOBJ_QUOTA_REFERENCES],
		.bytes_max		= max[REFOBJ_QUOTA_BYTES],
		.bytes_used		= used[REFOBJ_QUOTA_BYTES],
		.watches_max		= max[REFOBJ_QUOTA_WATCHES],
		.watches_used		= used[REFOBJ_QUOTA_WATCHES],
		.session		= s->id,
		.registry		= s->registry->net->ns.inum,
	};
	return refobj_reply(call);
}

static int refobj_cmd_create(struct refobj_call *call)
{
	struct refobj_create *args = &call->args.create;
	struct refobj *object;
	int err;

	if (args->reserved)
		return -EOPNOTSUPP;
	if (!refobj_name_valid(args->name) || !refobj_type_valid(args->type) ||
	    !refobj_mode_valid(args->mode) ||
	    args->linger_ms > REFOBJ_LINGER_MAX)
		return -EINVAL;
	if (args->initial ? !refobj_count_valid(args->initial) :
			    !(args->flags & REFOBJ_PERSISTENT))
		return -EINVAL;

	object = refobj_object_create(call->session, args->name, args->type,
				      args->flags,
				      args->mode ?: REFOBJ_MODE_DEFAULT,
				      args->linger_ms);
	if (IS_ERR(object))
		return PTR_ERR(object);
	args->id = object->id;
	err = refobj_reply(call);
	if (err) {
		refobj_object_discard(object);
		return err;
	}
	return refobj_session_publish(call->session, object, args->initial);
}

/* Acquire what the name leads to; -ESTALE if that has just died. */
static int refobj_attach_existing(struct refobj_call *call,
				  struct refobj *object)
{
	struct refobj_attach *args = &call->args.attach;
	u32 how = args->flags & REFOBJ_BUILD ? REFOBJ_HOLD_BUILD : 0;
	int err;

	if (!refobj_session_may(call->session, object, 4))
		return -EACCES;
	if (*args->type && strcmp(args->type, object->type))
		return -EPROTOTYPE;
	args->id = object->id;
	args->created = 0;
	err = refobj_reply(call);
	if (err)
		return err;
	return refobj_session_acquire(call->session, object->id, object,
				      args->count, how, "");
}

static int refobj_attach_new(struct refobj_call *call)
{
	struct refobj_attach *args = &call->args.attach;
	struct refobj *object;
	int err;

	object = refobj_object_create(call->session, args->name, args->type,
				      args->flags & (REFOBJ_PERSISTENT |
						     REFOBJ_BUILD),
				      args->mode ?: REFOBJ_MODE_DEFAULT,
				      args->linger_ms);
	if (IS_ERR(object))
		return PTR_ERR(object);
	args->id = object->id;
	args->created = 1;
	err = refobj_reply(call);
	if (err) {
		refobj_object_discard(object);
		return err;
	}
	return refobj_session_publish(call->session, object, args->count);
}

static int refobj_cmd_attach(struct refobj_call *call)
{
	struct refobj_attach *args = &call->args.attach;
	struct refobj *object;
	bool again;
	int ret;

	if (args->reserved || args->reserved2)
		return -EOPNOTSUPP;
	if (!*args->name || !refobj_name_valid(args->name) ||
	    !refobj_type_valid(args->type) || !refobj_mode_valid(args->mode) ||
	    !refobj_count_valid(args->count) ||
	    args->linger_ms > REFOBJ_LINGER_MAX)
		return -EINVAL;

	/* A round is lost only to another process that created or released. */
	do {
		object = refobj_find_name(call->session->registry, args->name);
		if (object) {
			ret = refobj_attach_existing(call, object);
			refobj_put(object);
			again = ret == -ESTALE;
		} else if (args->flags & REFOBJ_ATTACH_EXISTING) {
			ret = -ENOENT;
			again = false;
		} else {
			ret = refobj_attach_new(call);
			again = ret == -EEXIST;
		}
		if (again && signal_pending(current))
			return -EINTR;
		cond_resched();
	} while (again);
	if (ret >= 0)
		refobj_count(attaches, 1);
	return ret;
}

static int refobj_cmd_lookup(struct refobj_call *call)
{
	struct refobj_lookup *args = &call->args.lookup;
	struct refobj *object;
	int err = 0;

	if (!*args->name || !refobj_name_valid(args->name) ||
	    !refobj_type_valid(args->type))
		return -EINVAL;
	object = refobj_find_name(call->session->registry, args->name);
	if (!object)
		return -ENOENT;
	if (!refobj_session_may(call->session, object, 4))
		err = -EACCES;
	else if (*args->type && strcmp(args->type, object->type))
		err = -EPROTOTYPE;
	args->id = object->id;
	refobj_put(object);
	return err ?: refobj_reply(call);
}

static u32 refobj_acquire_how(u32 flags)
{
	u32 how = 0;

	if (flags & REFOBJ_ACQUIRE_NOT_ZERO)
		how |= REFOBJ_HOLD_NOT_ZERO;
	if (flags & REFOBJ_ACQUIRE_BUILD)
		how |= REFOBJ_HOLD_BUILD;
	return how;
}

static int refobj_cmd_acquire(struct refobj_call *call)
{
	struct refobj_acquire *args = &call->args.acquire;
	int ret;

	if (args->reserved)
		return -EOPNOTSUPP;
	if (!refobj_count_valid(args->count) || !refobj_type_valid(args->type))
		return -EINVAL;
	ret = refobj_session_acquire(call->session, args->id, NULL, args->count,
				     refobj_acquire_how(args->flags),
				     args->type);
	if (ret >= 0)
		refobj_count(acquires, 1);
	return ret;
}

static int refobj_cmd_release(struct refobj_call *call)
{
	struct refobj_release *args = &call->args.release;
	int ret;

	if (args->reserved)
		return -EOPNOTSUPP;
	if (!refobj_count_valid(args->count))
		return -EINVAL;
	ret = refobj_session_release(call->session, args->id, args->count);
	if (ret >= 0)
		refobj_count(releases, 1);
	return ret;
}

static int refobj_cmd_release_all(struct refobj_call *call)
{
	u64 id = call->args.release_all.id;
	int ret;

	if (!id)
		return refobj_session_release_all(call->session);
	ret = refobj_session_release(call->session, id, 0);
	if (ret >= 0)
		refobj_count(releases, 1);
	return ret;
}

static struct refobj *refobj_get_readable(struct refobj_call *call, u64 id)
{
	struct refobj *object = refobj_find_id(call->session->registry, id);

	if (!IS_ERR(object) && !refobj_session_may(call->session, object, 4)) {
		refobj_put(object);
		return ERR_PTR(-EACCES);
	}
	return object;
}

static struct refobj *refobj_get_next_readable(struct refobj_call *call, u64 id)
{
	struct refobj *object;

	while ((object = refobj_find_next(call->session->registry, id))) {
		if (refobj_session_may(call->session, object, 4))
			return object;
		id = object->id;
		refobj_put(object);
		if (signal_pending(current))
			return ERR_PTR(-EINTR);
		cond_resched();
	}
	return ERR_PTR(-ENOENT);
}

static int refobj_cmd_stat(struct refobj_call *call)
{
	struct refobj_stat *args = &call->args.stat;
	bool next = args->flags & REFOBJ_STAT_NEXT;
	struct refobj *object;

	if (args->reserved)
		return -EOPNOTSUPP;
	do {
		if (next)
			object = refobj_get_next_readable(call, args->id);
		else
			object = refobj_get_readable(call, args->id);
		if (IS_ERR(object))
			return PTR_ERR(object);
		refobj_session_stat(call->session, object, args);
		refobj_put(object);
		/* A walk passes over what died under its eyes. */
	} while (next && args->state == REFOBJ_STATE_DEAD);
	if (args->state == REFOBJ_STATE_DEAD)
		return -ESTALE;
	return refobj_reply(call);
}

static int refobj_copy_holders(struct refobj_holders *args,
			       const struct refobj_holder *records, u32 n)
{
	u8 __user *to = u64_to_user_ptr(args->records);
	size_t size = args->record_size;
	size_t known = min(size, sizeof(*records));
	u32 i;

	to += args->count * size;
	for (i = 0; i < n; i++, to += size)
		if (copy_to_user(to, &records[i], known) ||
		    clear_user(to + known, size - known))
			return -EFAULT;
	args->count += n;
	return 0;
}

static int refobj_read_holders(struct refobj_holders *args,
			       struct refobj *object)
{
	struct refobj_mark place = { .kind = 0 };
	struct refobj_holder *records;
	int n, err = 0;
	u32 room;

	if (!args->capacity)
		return 0;
	records = kmalloc_array(REFOBJ_BATCH, sizeof(*records),
				GFP_KERNEL_ACCOUNT);
	if (!records)
		return -ENOMEM;
	while (!err && (room = args->capacity - args->count)) {
		n = refobj_holders_read(object, &place, &args->cursor, records,
					min_t(u32, room, REFOBJ_BATCH));
		if (!n)
			break;
		if (n > 0)
			err = refobj_copy_holders(args, records, n);
		if (!err && signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	if (!refobj_holders_end(object, &place))
		args->cursor = 0;
	kfree(records);
	return err;
}

static int refobj_cmd_holders(struct refobj_call *call)
{
	struct refobj_holders *args = &call->args.holders;
	struct refobj *object;
	int err;

	if (args->record_size < 8 || args->record_size > REFOBJ_SIZE_MAX)
		return -EINVAL;
	object = refobj_get_readable(call, args->id);
	if (IS_ERR(object))
		return PTR_ERR(object);
	args->count = 0;
	err = refobj_read_holders(args, object);
	spin_lock(&object->lock);
	args->total = object->nr_holders;
	if (object->state == REFOBJ_STATE_DEAD)
		err = -ESTALE;
	spin_unlock(&object->lock);
	refobj_put(object);
	return err ?: refobj_reply(call);
}

static int refobj_cmd_destroy(struct refobj_call *call)
{
	struct refobj_session *s = call->session;
	struct refobj *object;
	int err;

	object = refobj_find_id(s->registry, call->args.destroy.id);
	if (IS_ERR(object))
		return PTR_ERR(object);
	if (refobj_session_may(s, object, 2))
		err = refobj_object_destroy(object, REFOBJ_CAUSE_DESTROY);
	else
		err = -EACCES;
	refobj_put(object);
	return err;
}

static int refobj_cmd_set_why(struct refobj_call *call)
{
	struct refobj_set_why *args = &call->args.set_why;

	if (!refobj_text_valid(args->why, sizeof(args->why), true))
		return -EINVAL;
	return refobj_session_set_why(call->session, args->id, args->why);
}

static int refobj_cmd_watch(struct refobj_call *call)
{
	struct refobj_watch *args = &call->args.watch;
	struct refobj *object;
	int err;

	if (args->reserved)
		return -EOPNOTSUPP;
	if (args->mask & ~REFOBJ_WATCH_ALL)
		return -EINVAL;
	if (!args->mask)
		return refobj_unwatch(call->session, args->id);
	object = refobj_session_find(call->session, args->id, 4);
	if (IS_ERR(object))
		return PTR_ERR(object);
	err = refobj_watch(call->session, object, args->mask, args->cookie);
	refobj_put(object);
	return err;
}

static int refobj_condition_check(const struct refobj_condition *c)
{
	if (c->reserved || c->flags & ~REFOBJ_COND_BUILD)
		return -EOPNOTSUPP;
	if (c->until < REFOBJ_UNTIL_IDLE || c->until > REFOBJ_UNTIL_DEAD ||
	    (c->users && c->until != REFOBJ_UNTIL_USERS) ||
	    (c->flags && c->until != REFOBJ_UNTIL_READY))
		return -EINVAL;
	return 0;
}

static int refobj_cmd_wait(struct refobj_call *call)
{
	struct refobj_wait *args = &call->args.wait;
	struct refobj_condition *conditions;
	int ret = 0;
	u32 i;

	if (!args->count || args->count > REFOBJ_WAIT_MAX ||
	    args->condition_size != sizeof(*conditions))
		return -EINVAL;
	conditions = kmalloc_array(args->count, sizeof(*conditions),
				   GFP_KERNEL_ACCOUNT);
	if (!conditions)
		return -ENOMEM;
	if (copy_from_user(conditions, u64_to_user_ptr(args->conditions),
			   array_size(args->count, sizeof(*conditions))))
		ret = -EFAULT;
	for (i = 0; i < args->count && !ret; i++)
		ret = refobj_condition_check(&conditions[i]);
	if (!ret)
		ret = refobj_wait(call->session, conditions, args->count,
				  args->flags & REFOBJ_WAIT_ALL,
				  call->nowait ? 0 : args->timeout_ns);
	kfree(conditions);
	if (call->nowait &&
	    (ret == -ERESTARTSYS || (ret == -ETIMEDOUT && args->timeout_ns)))
		ret = -EAGAIN;
	return ret;
}

/*
 * What a command that needs a reference returns, after it has let go of the
 * session: where there is no reference there may be no object either.
 */
static int refobj_verdict(struct refobj_call *call, int err)
{
	if (err != -EPERM)
		return err;
	return refobj_session_lacks(call->session, call->args.head.id, err);
}

/* Replace the file of an object that the session holds; @ready: and publish. */
static int refobj_set_file(struct refobj_call *call, struct file **file,
			   bool set, bool ready)
{
	const struct refobj_act act = refobj_act_now(REFOBJ_CAUSE_PUBLISH);
	struct refobj_session *s = call->session;
	struct refobj_content *content = NULL;
	struct refobj_entry *e;
	int err;

	if (set) {
		content = refobj_content_new();
		if (!content)
			return -ENOMEM;
	}
	xa_lock(&s->entries);
	e = refobj_session_held(s, call->args.payload.id, 2);
	err = PTR_ERR_OR_ZERO(e);
	if (!err) {
		spin_lock(&e->object->lock);
		if (ready)
			err = refobj_ready_locked(e->object, &e->mark, &act);
		if (!err && set) {
			refobj_content_give_locked(e->object, &content);
			*file = refobj_content_set_file_locked(e->object,
							       *file);
		}
		spin_unlock(&e->object->lock);
	}
	xa_unlock(&s->entries);
	refobj_content_free(content);
	return refobj_verdict(call, err);
}

static int refobj_put_file(struct refobj_call *call, bool set, bool ready)
{
	struct refobj_payload *args = &call->args.payload;
	struct file *file = NULL;
	int err;

	if (args->reserved)
		return -EOPNOTSUPP;
	if (set && (args->fd != -1 || ready)) {
		file = refobj_content_file(args->fd);
		if (IS_ERR(file))
			return PTR_ERR(file);
	} else if (!set && args->fd) {
		return -EINVAL;
	}
	err = refobj_set_file(call, &file, set, ready);
	if (file)
		fput(file);	/* the old one, or the new one that was refused */
	return err;
}

static int refobj_cmd_publish(struct refobj_call *call)
{
	return refobj_put_file(call,
			       call->args.payload.flags & REFOBJ_PUBLISH_FILE,
			       true);
}

static int refobj_cmd_set_payload(struct refobj_call *call)
{
	return refobj_put_file(call, true, false);
}

static int refobj_cmd_get_payload(struct refobj_call *call)
{
	struct refobj_payload *args = &call->args.payload;
	struct refobj_session *s = call->session;
	struct file *file = NULL;
	struct refobj_entry *e;
	int ret;

	if (args->reserved)
		return -EOPNOTSUPP;
	if (args->fd)
		return -EINVAL;
	xa_lock(&s->entries);
	e = refobj_session_held(s, args->id, 0);
	ret = PTR_ERR_OR_ZERO(e);
	if (!ret) {
		spin_lock(&e->object->lock);
		file = refobj_content_get_file_locked(e->object);
		spin_unlock(&e->object->lock);
	}
	xa_unlock(&s->entries);
	if (ret)
		return refobj_verdict(call, ret);
	if (!file)
		return -ENOENT;
	ret = refobj_receive_fd(file, O_CLOEXEC);
	fput(file);
	return ret;
}

static int refobj_cmd_set_value(struct refobj_call *call)
{
	struct refobj_value *args = &call->args.value;
	bool only_if = args->flags & REFOBJ_VALUE_IF;
	struct refobj_session *s = call->session;
	struct refobj_bytes *bytes = NULL;
	struct refobj_content *content;
	struct refobj_entry *e;
	int err;

	if (args->reserved)
		return -EOPNOTSUPP;
	if (args->length > REFOBJ_VALUE_MAX || (args->version && !only_if))
		return -EINVAL;
	if (args->length) {
		bytes = refobj_bytes_new(s, u64_to_user_ptr(args->data),
					 args->length);
		if (IS_ERR(bytes))
			return PTR_ERR(bytes);
	}
	content = refobj_content_new();
	if (!content) {
		refobj_bytes_put(bytes);
		return -ENOMEM;
	}
	xa_lock(&s->entries);
	e = refobj_session_held(s, args->id, 2);
	err = PTR_ERR_OR_ZERO(e);
	if (!err) {
		spin_lock(&e->object->lock);
		refobj_content_give_locked(e->object, &content);
		err = refobj_content_set_bytes_locked(e->object, &bytes,
						      only_if ? &args->version :
								NULL);
		spin_unlock(&e->object->lock);
	}
	xa_unlock(&s->entries);
	refobj_content_free(content);
	refobj_bytes_put(bytes);	/* as with files */
	return refobj_verdict(call, err);
}

static int refobj_cmd_get_value(struct refobj_call *call)
{
	struct refobj_value *args = &call->args.value;
	struct refobj_session *s = call->session;
	struct refobj_bytes *bytes = NULL;
	struct refobj_entry *e;
	int err;

	if (args->reserved)
		return -EOPNOTSUPP;
	xa_lock(&s->entries);
	e = refobj_session_held(s, args->id, 0);
	err = PTR_ERR_OR_ZERO(e);
	if (!err) {
		spin_lock(&e->object->lock);
		bytes = refobj_content_get_bytes_locked(e->object,
							&args->version);
		spin_unlock(&e->object->lock);
	}
	xa_unlock(&s->entries);
	if (err)
		return refobj_verdict(call, err);
	err = refobj_bytes_copy(bytes, u64_to_user_ptr(args->data),
				&args->length);
	refobj_bytes_put(bytes);
	return err ?: refobj_reply(call);
}

/* LINK and UNLINK; the second object must be visible to who links it. */
static int refobj_cmd_edge(struct refobj_call *call, bool link)
{
	struct refobj_link *args = &call->args.link;
	struct refobj_session *s = call->session;
	struct refobj *owner, *dep;
	int err;

	owner = refobj_session_find(s, args->id, 2);
	if (IS_ERR(owner))
		return PTR_ERR(owner);
	dep = refobj_session_find(s, args->dep, link ? 4 : 0);
	if (IS_ERR(dep)) {
		refobj_put(owner);
		return PTR_ERR(dep);
	}
	err = link ? refobj_edge_link(s, owner, dep) :
		     refobj_edge_unlink(owner, dep);
	refobj_put(owner);
	refobj_put(dep);
	return err;
}

static int refobj_cmd_link(struct refobj_call *call)
{
	return refobj_cmd_edge(call, true);
}

static int refobj_cmd_unlink(struct refobj_call *call)
{
	return refobj_cmd_edge(call, false);
}

static int refobj_cmd_export(struct refobj_call *call)
{
	return refobj_objfd_export(call->session, call->args.export.id);
}

static int refobj_cmd_import(struct refobj_call *call)
{
	struct refobj_import *args = &call->args.import;
	struct refobj *object;
	int ret;

	if (!refobj_count_valid(args->count))
		return -EINVAL;
	object = refobj_objfd_object(args->fd);
	if (IS_ERR(object))
		return PTR_ERR(object);
	args->id = object->id;
	ret = object->registry == call->session->registry ? 0 : -EXDEV;
	if (!ret)
		ret = refobj_reply(call);
	if (!ret)
		ret = refobj_session_acquire(call->session, object->id, object,
					     args->count, 0, "");
	refobj_put(object);
	return ret;
}

static int refobj_cmd_adopt(struct refobj_call *call)
{
	return refobj_session_adopt(call->session, call->args.adopt.flags &
						   REFOBJ_ADOPT_NOBODY);
}

static int refobj_op_check(const struct refobj_op *op)
{
	u32 known = op->op == REFOBJ_OP_ACQUIRE ? REFOBJ_ACQUIRE_NOT_ZERO |
						  REFOBJ_ACQUIRE_BUILD : 0;

	if (unlikely(op->flags & ~known))
		return -EOPNOTSUPP;
	if (unlikely(op->op != REFOBJ_OP_ACQUIRE && op->op != REFOBJ_OP_RELEASE))
		return -EINVAL;
	return likely(refobj_count_valid(op->count)) ? 0 : -EINVAL;
}

/* One that takes more than a step of what is held. */
static int refobj_submit_one(struct refobj_session *s, const struct refobj_op *op)
{
	int ret = refobj_op_check(op);

	if (READ_ONCE(s->ended))
		return -EOWNERDEAD;
	if (!ret && op->op == REFOBJ_OP_ACQUIRE) {
		ret = refobj_session_acquire(s, op->id, NULL, op->count,
					     refobj_acquire_how(op->flags), "");
		if (ret >= 0)
			refobj_count(acquires, 1);
	} else if (!ret) {
		ret = refobj_session_release(s, op->id, op->count);
		if (ret >= 0)
			refobj_count(releases, 1);
	}
	if (ret < 0 && READ_ONCE(s->ended))
		ret = -EOWNERDEAD;
	return ret;
}

/* How many of these were tried; fewer than all if it is to end. */
static u32 refobj_submit_batch(struct refobj_session *s, struct refobj_op *ops,
			       u32 n, bool all)
{
	u32 done = 0;
	int ret;

	while (done < n) {
		done += refobj_session_run_held(s, ops + done, n - done);
		if (done == n)
			break;
		ret = refobj_submit_one(s, &ops[done]);
		ops[done++].result = ret;
		if (ret >= 0)
			continue;
		refobj_count_refusal(ret);
		if (!all || ret == -EOWNERDEAD)
			break;
	}
	return done;
}

/* The results of operations; false on a fault. */
static bool refobj_submit_reply(struct refobj_op __user *user,
				const struct refobj_op *ops, u32 n)
{
	u32 i;

	if (!user_write_access_begin(user, n * sizeof(*user)))
		return false;
	for (i = 0; i < n; i++)
		unsafe_put_user(ops[i].result, &user[i].result, fault);
	user_write_access_end();
	return true;

fault:
	user_write_access_end();
	return false;
}

/*
 * A batch at a time is copied in, and its results out. That they can be written is
 * tried before anything is done: the first and the last result are in the pages, of
 * which a batch has at most two, that hold all of them.
 */
static int refobj_cmd_submit(struct refobj_call *call)
{
	const struct refobj_submit *args = &call->args.submit;
	struct refobj_op __user *user = u64_to_user_ptr(args->ops);
	struct refobj_op ops[REFOBJ_SUBMIT_BATCH];
	u32 done = 0, tried, n;

	BUILD_BUG_ON(sizeof(ops) > PAGE_SIZE);
	if (!args->count || args->count > REFOBJ_SUBMIT_MAX ||
	    args->op_size != sizeof(*ops))
		return -EINVAL;
	do {
		n = min_t(u32, args->count - done, REFOBJ_SUBMIT_BATCH);
		if (copy_from_user(ops, user + done, n * sizeof(*ops)) ||
		    put_user(-ECANCELED, &user[done].result) ||
		    put_user(-ECANCELED, &user[done + n - 1].result))
			return done ?: -EFAULT;
		tried = refobj_submit_batch(call->session, ops, n,
					    args->flags & REFOBJ_SUBMIT_ALL);
		/* What was done is done, and is told by the number. */
		if (!refobj_submit_reply(user + done, ops, tried))
			return done + tried;
		done += tried;
		cond_resched();
	} while (tried == n && done < args->count && !signal_pending(current));
	return done;
}

/**
 * struct refobj_command - a row of the command table
 * @cmd: the whole ioctl number
 * @size: of the structure as this kernel knows it
 * @min_size: of the structure as the first version knew it
 * @flags: the known ones
 * @handler: does it
 */
struct refobj_command {
	unsigned int cmd;
	u16 size;
	u16 min_size;
	u32 flags;
	int (*handler)(struct refobj_call *call);
};

#define REFOBJ_COMMAND(_cmd, _struct, _last, _flags, _handler)		\
	[_IOC_NR(_cmd)] = {						\
		.cmd = (_cmd),						\
		.size = sizeof(struct _struct) +			\
			BUILD_BUG_ON_ZERO(sizeof(struct _struct) !=	\
					  _IOC_SIZE(_cmd)),		\
		.min_size = offsetofend(struct _struct, _last),		\
		.flags = (_flags),					\
		.handler = (_handler),					\
	}

static const struct refobj_command refobj_commands[] = {
	REFOBJ_COMMAND(REFOBJ_IOC_INFO, refobj_info, registry, 0,
		       refobj_cmd_info),
	REFOBJ_COMMAND(REFOBJ_IOC_CREATE, refobj_create, type,
		       REFOBJ_PERSISTENT | REFOBJ_BUILD, refobj_cmd_create),
	REFOBJ_COMMAND(REFOBJ_IOC_ATTACH, refobj_attach, type,
		       REFOBJ_PERSISTENT | REFOBJ_BUILD | REFOBJ_ATTACH_EXISTING,
		       refobj_cmd_attach),
	REFOBJ_COMMAND(REFOBJ_IOC_LOOKUP, refobj_lookup, type, 0,
		       refobj_cmd_lookup),
	REFOBJ_COMMAND(REFOBJ_IOC_ACQUIRE, refobj_acquire, reserved,
		       REFOBJ_ACQUIRE_NOT_ZERO | REFOBJ_ACQUIRE_BUILD,
		       refobj_cmd_acquire),
	REFOBJ_COMMAND(REFOBJ_IOC_RELEASE, refobj_release, reserved, 0,
		       refobj_cmd_release),
	REFOBJ_COMMAND(REFOBJ_IOC_RELEASE_ALL, refobj_release_all, id, 0,
		       refobj_cmd_release_all),
	REFOBJ_COMMAND(REFOBJ_IOC_STAT, refobj_stat, type, REFOBJ_STAT_NEXT,
		       refobj_cmd_stat),
	REFOBJ_COMMAND(REFOBJ_IOC_HOLDERS, refobj_holders, total, 0,
		       refobj_cmd_holders),
	REFOBJ_COMMAND(REFOBJ_IOC_DESTROY, refobj_destroy, id, 0,
		       refobj_cmd_destroy),
	REFOBJ_COMMAND(REFOBJ_IOC_SET_WHY, refobj_set_why, why, 0,
		       refobj_cmd_set_why),
	REFOBJ_COMMAND(REFOBJ_IOC_WATCH, refobj_watch, cookie, 0,
		       refobj_cmd_watch),
	REFOBJ_COMMAND(REFOBJ_IOC_WAIT, refobj_wait, timeout_ns,
		       REFOBJ_WAIT_ALL, refobj_cmd_wait),
	REFOBJ_COMMAND(REFOBJ_IOC_PUBLISH, refobj_payload, reserved,
		       REFOBJ_PUBLISH_FILE, refobj_cmd_publish),
	REFOBJ_COMMAND(REFOBJ_IOC_SET_PAYLOAD, refobj_payload, reserved, 0,
		       refobj_cmd_set_payload),
	REFOBJ_COMMAND(REFOBJ_IOC_GET_PAYLOAD, refobj_payload, reserved, 0,
		       refobj_cmd_get_payload),
	REFOBJ_COMMAND(REFOBJ_IOC_SET_VALUE, refobj_value, reserved,
		       REFOBJ_VALUE_IF, refobj_cmd_set_value),
	REFOBJ_COMMAND(REFOBJ_IOC_GET_VALUE, refobj_value, reserved, 0,
		       refobj_cmd_get_value),
	REFOBJ_COMMAND(REFOBJ_IOC_LINK, refobj_link, dep, 0,
		       refobj_cmd_link),
	REFOBJ_COMMAND(REFOBJ_IOC_UNLINK, refobj_link, dep, 0,
		       refobj_cmd_unlink),
	REFOBJ_COMMAND(REFOBJ_IOC_EXPORT, refobj_export, id, 0,
		       refobj_cmd_export),
	REFOBJ_COMMAND(REFOBJ_IOC_IMPORT, refobj_import, id, 0,
		       refobj_cmd_import),
	REFOBJ_COMMAND(REFOBJ_IOC_ADOPT, refobj_adopt, flags,
		       REFOBJ_ADOPT_NOBODY, refobj_cmd_adopt),
	REFOBJ_COMMAND(REFOBJ_IOC_SUBMIT, refobj_submit, op_size,
		       REFOBJ_SUBMIT_ALL, refobj_cmd_submit),
};

static noinline int refobj_dispatch(struct refobj_session *session,
				    unsigned int cmd, void __user *user,
				    bool nowait)
{
	const struct refobj_command *row;
	unsigned int nr = _IOC_NR(cmd), size = _IOC_SIZE(cmd);
	struct refobj_call call;
	int err;

	if (cmd == FIONREAD)
		return put_user(refobj_events_size(&session->queue),
				(int __user *)user);
	if (_IOC_TYPE(cmd) != REFOBJ_IOC_MAGIC ||
	    nr >= ARRAY_SIZE(refobj_commands))
		return -ENOTTY;
	row = &refobj_commands[array_index_nospec(nr,
						  ARRAY_SIZE(refobj_commands))];
	if (_IOC_DIR(cmd) != _IOC_DIR(row->cmd))
		return -ENOTTY;
	if (size < row->min_size)
		return -EINVAL;
	if (size > REFOBJ_SIZE_MAX)
		return -E2BIG;
	err = copy_struct_from_user(&call.args, row->size, user, size);
	if (err)
		return err;
	if (call.args.head.size != size)
		return -EINVAL;
	if (call.args.head.flags & ~row->flags)
		return -EOPNOTSUPP;
	call.session = session;
	call.user = user;
	call.nowait = nowait;
	call.size = min_t(size_t, size, row->size);
	return row->handler(&call);
}

/*
 * ACQUIRE and RELEASE as they nearly always come: of this kernel's size, with an
 * id, a count and nothing else. They are read into registers, past the table and
 * the union that it needs on the stack, which is most of what they would cost.
 * What is not so, be it a fault, is left to the table: that reads anew, and says
 * what is wrong. A structure of less than a page, whose first and last bytes are
 * readable, is readable.
 */
static __always_inline bool
refobj_read_acquire(const struct refobj_acquire __user *user, u64 *id,
		    u32 *count)
{
	u32 size, flags, reserved;
	char type, end;

	if (!user_read_access_begin(user, sizeof(*user)))
		return false;
	unsafe_get_user(size, &user->size, fault);
	unsafe_get_user(flags, &user->flags, fault);
	unsafe_get_user(*id, &user->id, fault);
	unsafe_get_user(*count, &user->count, fault);
	unsafe_get_user(reserved, &user->reserved, fault);
	unsafe_get_user(type, &user->type[0], fault);
	unsafe_get_user(end, &user->type[REFOBJ_TYPE_SIZE - 1], fault);
	user_read_access_end();
	(void)end;
	return size == sizeof(*user) && !flags && !reserved && !type &&
	       refobj_count_valid(*count);

fault:
	user_read_access_end();
	return false;
}

static __always_inline bool
refobj_read_release(const struct refobj_release __user *user, u64 *id,
		    u32 *count)
{
	u32 size, flags, reserved;

	if (!user_read_access_begin(user, sizeof(*user)))
		return false;
	unsafe_get_user(size, &user->size, fault);
	unsafe_get_user(flags, &user->flags, fault);
	unsafe_get_user(*id, &user->id, fault);
	unsafe_get_user(*count, &user->count, fault);
	unsafe_get_user(reserved, &user->reserved, fault);
	user_read_access_end();
	return size == sizeof(*user) && !flags && !reserved &&
	       refobj_count_valid(*count);

fault:
	user_read_access_end();
	return false;
}

static int refobj_run(struct refobj_session *session, unsigned int cmd,
		      void __user *user)
{
	u32 count;
	int ret;
	u64 id;

	if (cmd == REFOBJ_IOC_ACQUIRE &&
	    refobj_read_acquire(user, &id, &count)) {
		ret = refobj_session_acquire_held(session, id, count);
		if (ret < 0)
			ret = refobj_session_acquire(session, id, NULL, count,
						     0, "");
		if (ret >= 0)
			refobj_count(acquires, 1);
		return ret;
	}
	if (cmd == REFOBJ_IOC_RELEASE &&
	    refobj_read_release(user, &id, &count)) {
		ret = refobj_session_release(session, id, count);
		if (ret >= 0)
			refobj_count(releases, 1);
		return ret;
	}
	return refobj_dispatch(session, cmd, user, false);
}

/* If the session ended meanwhile, what was missed had been dropped with it. */
static noinline int refobj_refused(struct refobj_session *session, int err)
{
	if (READ_ONCE(session->ended))
		err = -EOWNERDEAD;
	refobj_count_refusal(err);
	return err;
}

/**
 * refobj_ioctl() - a command on a session
 * @file: the session's
 * @cmd: its number
 * @arg: pointer to its structure
 *
 * Return: what the command returns; a negative errno has changed nothing.
 */
long refobj_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct refobj_session *session = file->private_data;
	int ret = -EOWNERDEAD;

	if (likely(!READ_ONCE(session->ended)))
		ret = refobj_run(session, cmd, (void __user *)arg);
	return likely(ret >= 0) ? ret : refobj_refused(session, ret);
}

/*
 * In &io_uring_cmd.flags, whose upper eight bits are the kernel's own: the command's
 * argument has been read, and is in the pdu. From 6.10 to 6.13 a worker would be shown
 * the ring's memory, where by then another submission may be.
 */
#define REFOBJ_URING_READ	(1U << 24)

static int refobj_uring_run(struct io_uring_cmd *ioucmd, bool nowait)
{
	struct refobj_session *session = ioucmd->file->private_data;
	const struct refobj_uring_cmd *sqe;
	u64 *arg = (u64 *)ioucmd->pdu;
	int ret = -EOWNERDEAD;

	BUILD_BUG_ON(sizeof(*arg) > sizeof(ioucmd->pdu));
	if (!(ioucmd->flags & REFOBJ_URING_READ)) {
		/* The caller can write to it all the while: one read each. */
		sqe = refobj_uring_sqe_cmd(ioucmd);
		if (READ_ONCE(sqe->reserved))
			return refobj_refused(session, -EOPNOTSUPP);
		*arg = READ_ONCE(sqe->arg);
		ioucmd->flags |= REFOBJ_URING_READ;
	}
	if (!READ_ONCE(session->ended))
		ret = refobj_dispatch(session, ioucmd->cmd_op,
				      u64_to_user_ptr(*arg), nowait);
	return ret >= 0 || (nowait && ret == -EAGAIN) ? ret :
							refobj_refused(session, ret);
}

/**
 * refobj_uring_cmd() - a command on a session, by io_uring
 * @ioucmd: of which the number is an ioctl's
 * @issue_flags: &enum io_uring_cmd_flags
 *
 * A WAIT that would sleep is left to one of io_uring's workers, which sleeps in it
 * as any task and is woken by a signal when the request is cancelled. -EAGAIN is
 * how to say so, and nothing else may be returned: -EAGAIN as a result would have
 * the command run twice, and 6.1 takes a positive number for a failure, which ends
 * a chain of linked requests, or if it comes from a worker never completes it.
 *
 * Return: -EIOCBQUEUED, as it has been completed; -EAGAIN.
 */
int refobj_uring_cmd(struct io_uring_cmd *ioucmd, unsigned int issue_flags)
{
	bool nowait = false;
	int ret;

	switch (_IOC_TYPE(ioucmd->cmd_op) << 8 | _IOC_NR(ioucmd->cmd_op)) {
	case REFOBJ_IOC_MAGIC << 8 | _IOC_NR(REFOBJ_IOC_WAIT):
		nowait = issue_flags & IO_URING_F_NONBLOCK;
		fallthrough;
	case REFOBJ_IOC_MAGIC << 8 | _IOC_NR(REFOBJ_IOC_ACQUIRE):
	case REFOBJ_IOC_MAGIC << 8 | _IOC_NR(REFOBJ_IOC_RELEASE):
	case REFOBJ_IOC_MAGIC << 8 | _IOC_NR(REFOBJ_IOC_PUBLISH):
	case REFOBJ_IOC_MAGIC << 8 | _IOC_NR(REFOBJ_IOC_SUBMIT):
		ret = refobj_uring_run(ioucmd, nowait);
		break;
	default:
		ret = -EOPNOTSUPP;
		refobj_count_refusal(ret);
	}
	if (nowait && ret == -EAGAIN)
		return ret;
	/* There is no system call that could be restarted. */
	if (ret == -ERESTARTSYS)
		ret = -EINTR;
	refobj_uring_done(ioucmd, ret, issue_flags);
	return -EIOCBQUEUED;
}
