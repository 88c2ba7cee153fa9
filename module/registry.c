// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registries: where objects are found, by id and by name, in the network
 * namespace that they live in; and what a uid may use of all of them.
 */
#include <linux/jhash.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rhashtable.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "refobj.h"

/* Quotas per uid; a lowered one refuses what is new and takes nothing away. */
static unsigned long max_objects = 65536;
module_param(max_objects, ulong, 0644);
MODULE_PARM_DESC(max_objects,
		 "Objects that one uid may own (default 65536)");

static unsigned long max_references = 1UL << 20;
module_param(max_references, ulong, 0644);
MODULE_PARM_DESC(max_references,
		 "References that the sessions of one uid may hold (default 1048576)");

static unsigned long max_bytes = 4UL << 20;
module_param(max_bytes, ulong, 0644);
MODULE_PARM_DESC(max_bytes,
		 "Bytes of names, types, reasons and values that one uid may use (default 4194304)");

static unsigned long max_watches = 65536;
module_param(max_watches, ulong, 0644);
MODULE_PARM_DESC(max_watches,
		 "Watches that the sessions of one uid may have (default 65536)");

LIST_HEAD(refobj_registries);
/* Protects that list; see refobj.h for its place among the locks. */
DEFINE_MUTEX(refobj_registries_mutex);

static unsigned int refobj_net_id;
static atomic64_t refobj_last_id = ATOMIC64_INIT(0);
static DEFINE_XARRAY(refobj_accounts);

/*
 * Text
 */

/* The next character of valid UTF-8 at *@p, or -1; the text ends in NUL. */
static s32 refobj_next_char(const u8 **p)
{
	static const u32 least[] = { 0, 0x80, 0x800, 0x10000 };
	const u8 *s = *p;
	unsigned int i, more;
	u32 c = *s++;

	if (c < 0x80)
		more = 0;
	else if ((c & 0xe0) == 0xc0)
		more = 1;
	else if ((c & 0xf0) == 0xe0)
		more = 2;
	else if ((c & 0xf8) == 0xf0)
		more = 3;
	else
		return -1;

	if (more)
		c &= 0x3f >> more;
	for (i = 0; i < more; i++) {
		if ((*s & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (*s++ & 0x3f);
	}
	/* Overlong forms, surrogates, beyond Unicode. */
	if (c < least[more] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return -1;
	*p = s;
	return c;
}

/* What could forge or garble a line of a table or a terminal. */
static bool refobj_unprintable(u32 c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) ||	/* C0, DEL, C1 */
	       c == 0x061c || c == 0x200e || c == 0x200f || /* direction marks */
	       (c >= 0x2028 && c <= 0x202e) ||		/* separators, bidi */
	       (c >= 0x2066 && c <= 0x2069) ||		/* bidi isolates */
	       c == 0xfeff ||				/* byte order mark */
	       (c >= 0xfdd0 && c <= 0xfdef) ||		/* noncharacters */
	       (c & 0xfffe) == 0xfffe;
}

/**
 * refobj_text_valid() - is this a string that may be shown to others?
 * @text: the string, from user space
 * @size: of its field
 * @slash: may it contain '/'
 *
 * Return: true if it ends within its field and is printable UTF-8.
 */
bool refobj_text_valid(const char *text, size_t size, bool slash)
{
	const u8 *p = (const u8 *)text;

	if (strnlen(text, size) == size)
		return false;
	while (*p) {
		s32 c = refobj_next_char(&p);

		if (c < 0 || refobj_unprintable(c) || (c == '/' && !slash))
			return false;
	}
	return true;
}

/*
 * Names: one table for all registries, so that a namespace that uses none costs
 * nothing; it grows and shrinks by itself.
 */

struct refobj_name_key {
	const struct refobj_registry *registry;
	const char *name;
};

static u32 refobj_name_hash(const void *data, u32 len, u32 seed)
{
	const struct refobj_name_key *key = data;

	return jhash(key->name, strlen(key->name),
		     seed ^ (u32)key->registry->serial);
}

static u32 refobj_name_obj_hash(const void *data, u32 len, u32 seed)
{
	const struct refobj *object = data;
	struct refobj_name_key key = {
		.registry = object->registry, .name = object->name,
	};

	return refobj_name_hash(&key, len, seed);
}

static int refobj_name_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct refobj_name_key *key = arg->key;
	const struct refobj *object = obj;

	return key->registry != object->registry ||
	       strcmp(key->name, object->name);
}

static const struct rhashtable_params refobj_names_params = {
	.head_offset		= offsetof(struct refobj, name_node),
	.key_len		= sizeof(struct refobj_name_key),
	.hashfn			= refobj_name_hash,
	.obj_hashfn		= refobj_name_obj_hash,
	.obj_cmpfn		= refobj_name_cmp,
	.automatic_shrinking	= true,
};

static struct rhashtable refobj_names;

/**
 * refobj_find_name() - look a name up
 * @registry: where
 * @name: not empty
 *
 * Return: the object, with a life for the caller, or NULL. It may be dead
 * already, as its lock will tell.
 */
struct refobj *refobj_find_name(struct refobj_registry *registry,
				const char *name)
{
	struct refobj_name_key key = { .registry = registry, .name = name };
	struct refobj *object;

	rcu_read_lock();
	object = rhashtable_lookup(&refobj_names, &key, refobj_names_params);
	if (object && !refobj_get_unless_zero(object))
		object = NULL;
	rcu_read_unlock();
	return object;
}

/*
 * Ids
 */

static bool refobj_was_given(u64 id)
{
	return id <= (u64)atomic64_read(&refobj_last_id);
}

/**
 * refobj_find_id() - look an id up
 * @registry: where
 * @id: the id
 *
 * Return: the object, with a life for the caller (it may be dead already, as
 * its lock will tell); -ESTALE if the id was given out once, else -ENOENT.
 */
struct refobj *refobj_find_id(struct refobj_registry *registry, u64 id)
{
	struct refobj *object;

	rcu_read_lock();
	object = xa_load(&registry->objects, refobj_slot(id));
	if (object && (object->id != id || !refobj_get_unless_zero(object)))
		object = NULL;
	rcu_read_unlock();
	if (object)
		return object;
	return ERR_PTR(id && refobj_was_given(id) ? -ESTALE : -ENOENT);
}

/**
 * refobj_find_next() - walk a registry
 * @registry: which
 * @id: of the object before, dead or alive, or 0
 *
 * The order is that of the slots, so an object that lives during the whole walk
 * is met once, whatever comes and goes.
 *
 * Return: the next object, with a life for the caller, or NULL if there is none
 * or nobody can have been given @id.
 */
struct refobj *refobj_find_next(struct refobj_registry *registry, u64 id)
{
	unsigned long slot = refobj_slot(id);
	struct refobj *object;

	if (!refobj_was_given(id))
		return NULL;
	rcu_read_lock();
	do {
		object = xa_find_after(&registry->objects, &slot,
				       REFOBJ_SLOT_MASK, XA_PRESENT);
	} while (object && !refobj_get_unless_zero(object));
	rcu_read_unlock();
	return object;
}

/**
 * refobj_reserve() - give a new object its id and its slot
 * @object: not yet visible to anybody
 *
 * Context: may sleep. After it refobj_publish() cannot fail for want of memory
 * for the id. Undone by refobj_unpublish().
 *
 * Return: 0, -ENOMEM, or -EDQUOT if the registry is full.
 */
int refobj_reserve(struct refobj *object)
{
	struct refobj_registry *registry = object->registry;
	int step = 1, err;

	if (atomic_inc_return(&registry->nr_objects) > REFOBJ_OBJECTS_MAX) {
		atomic_dec(&registry->nr_objects);
		return -EDQUOT;
	}
	/*
	 * Slot 0 stays free: it is where a walk starts. An occupied slot is met
	 * only after 2^24 ids; then long steps leave a full stretch quickly.
	 */
	do {
		object->id = atomic64_add_return(step, &refobj_last_id);
		if (refobj_slot(object->id))
			err = xa_insert(&registry->objects,
					refobj_slot(object->id), NULL,
					GFP_KERNEL_ACCOUNT);
		else
			err = -EBUSY;
		step = SZ_64K + 1;
	} while (err == -EBUSY);
	if (err)
		atomic_dec(&registry->nr_objects);
	return err;
}

/**
 * refobj_publish() - let a reserved object be found by its name and its id
 * @object: complete; its lock is held, so that whoever finds it waits for the
 *	caller's last touches
 *
 * The name comes first: it alone can be refused, when nobody can yet have
 * found the object.
 *
 * Return: 0, -EEXIST if the name is taken, or -ENOMEM.
 */
int refobj_publish(struct refobj *object)
{
	int err;

	lockdep_assert_held(&object->lock);

	if (*object->name) {
		struct refobj_name_key key = {
			.registry = object->registry, .name = object->name,
		};

		err = rhashtable_lookup_insert_key(&refobj_names, &key,
						   &object->name_node,
						   refobj_names_params);
		if (err)
			/* All others say: no memory to grow the table now. */
			return err == -EEXIST ? err : -ENOMEM;
	}
	/* The slot is reserved: this allocates nothing. */
	xa_store(&object->registry->objects, refobj_slot(object->id), object,
		 GFP_NOWAIT);
	atomic_inc(&object->registry->generation);
	return 0;
}

/**
 * refobj_unpublish() - take an object's name and id away
 * @object: published, with its lock held, or only reserved
 */
void refobj_unpublish(struct refobj *object)
{
	if (object->state && *object->name)
		rhashtable_remove_fast(&refobj_names, &object->name_node,
				       refobj_names_params);
	xa_erase(&object->registry->objects, refobj_slot(object->id));
	atomic_inc(&object->registry->generation);
	atomic_dec(&object->registry->nr_objects);
}

/*
 * Quotas
 */

/**
 * refobj_user_get() - the account of a uid
 * @uid: the uid
 *
 * Return: the account, with a reference for the caller, or NULL: no memory.
 */
struct refobj_user *refobj_user_get(kuid_t uid)
{
	struct refobj_user *user, *new = NULL;
	int err;

	for (;;) {
		xa_lock(&refobj_accounts);
		user = xa_load(&refobj_accounts, __kuid_val(uid));
		if (user)
			kref_get(&user->ref);
		xa_unlock(&refobj_accounts);
		if (user)
			break;

		if (!new) {
			new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
			if (!new)
				return NULL;
			kref_init(&new->ref);
			new->uid = uid;
			spin_lock_init(&new->lock);
			INIT_LIST_HEAD(&new->sessions);
		}
		err = xa_insert(&refobj_accounts, __kuid_val(uid), new,
				GFP_KERNEL_ACCOUNT);
		if (!err)
			return new;
		if (err != -EBUSY)
			break;
	}
	kfree(new);
	return user;
}

static void refobj_user_free(struct kref *ref)
	__releases(&refobj_accounts.xa_lock)
{
	struct refobj_user *user = container_of(ref, struct refobj_user, ref);

	__xa_erase(&refobj_accounts, __kuid_val(user->uid));
	xa_unlock(&refobj_accounts);
	kfree(user);
}

/**
 * refobj_user_put() - drop a reference on an account
 * @user: the account
 *
 * The last put and the account's way out of the table are one step, under the
 * table's lock: refobj_user_get() never revives an account.
 */
void refobj_user_put(struct refobj_user *user)
{
	kref_put_lock(&user->ref, refobj_user_free, &refobj_accounts.xa_lock);
}

/**
 * refobj_registry_nr() - the number of a registry's namespace
 * @registry: the registry
 *
 * Return: the inode number of the network namespace.
 */
u32 refobj_registry_nr(const struct refobj_registry *registry)
{
	return registry->net->ns.inum;
}

/**
 * refobj_quota_max() - the present limit of a quota
 * @quota: which
 *
 * Return: the limit for one uid.
 */
unsigned long refobj_quota_max(enum refobj_quota quota)
{
	switch (quota) {
	case REFOBJ_QUOTA_OBJECTS:
		return READ_ONCE(max_objects);
	case REFOBJ_QUOTA_REFERENCES:
		return READ_ONCE(max_references);
	case REFOBJ_QUOTA_BYTES:
		return READ_ONCE(max_bytes);
	default:
		return READ_ONCE(max_watches);
	}
}

/**
 * refobj_charge() - charge something to a uid
 * @user: the account
 * @quota: which
 * @n: how much
 * @unlimited: charge it whatever the limit
 *
 * Return: 0, or -EDQUOT with nothing charged.
 */
int refobj_charge(struct refobj_user *user, enum refobj_quota quota,
		  unsigned long n, bool unlimited)
{
	unsigned long max = unlimited ? LONG_MAX : refobj_quota_max(quota);
	long old = atomic_long_read(&user->used[quota]);

	do {
		if (n > max || old > max - n)
			return -EDQUOT;
	} while (!atomic_long_try_cmpxchg(&user->used[quota], &old, old + n));
	return 0;
}

/**
 * refobj_uncharge() - give back what refobj_charge() charged
 * @user: the account
 * @quota: which
 * @n: how much
 */
void refobj_uncharge(struct refobj_user *user, enum refobj_quota quota,
		     unsigned long n)
{
	atomic_long_sub(n, &user->used[quota]);
}

/*
 * Network namespaces
 */

/**
 * refobj_registry_of() - the registry of a network namespace
 * @net: the namespace
 *
 * Return: the registry, which lives as long as the namespace.
 */
struct refobj_registry *refobj_registry_of(struct net *net)
{
	return net_generic(net, refobj_net_id);
}

static int __net_init refobj_net_init(struct net *net)
{
	struct refobj_registry *registry = refobj_registry_of(net);
	static u64 last_serial;

	registry->net = net;
	xa_init_flags(&registry->objects, XA_FLAGS_ACCOUNT);
	xa_init_flags(&registry->sessions, XA_FLAGS_ACCOUNT);
	mutex_init(&registry->edges);
	INIT_LIST_HEAD(&registry->all_edges);
	INIT_LIST_HEAD(&registry->stack);
	spin_lock_init(&registry->settle);
	INIT_LIST_HEAD(&registry->unsettled);
	mutex_lock(&refobj_registries_mutex);
	registry->serial = ++last_serial;
	list_add_tail(&registry->node, &refobj_registries);
	mutex_unlock(&refobj_registries_mutex);
	return 0;
}

/*
 * Every session and every object descriptor holds its namespace, so none is left
 * and nobody can acquire. What remains is idle or lingers, or is needed by what
 * lingers and becomes idle when that goes: pass by pass the registry empties.
 */
static void __net_exit refobj_net_exit(struct net *net)
{
	struct refobj_registry *registry = refobj_registry_of(net);
	struct refobj *object;
	u64 id;

	mutex_lock(&refobj_registries_mutex);
	list_del(&registry->node);
	mutex_unlock(&refobj_registries_mutex);

	do {
		id = 0;
		while ((object = refobj_find_next(registry, id))) {
			id = object->id;
			refobj_object_destroy(object, REFOBJ_CAUSE_NAMESPACE);
			refobj_put(object);
			cond_resched();
		}
		/* Whose linger time ended just now may not be through. */
		refobj_object_flush();
	} while (!xa_empty(&registry->objects));
	WARN_ON_ONCE(!xa_empty(&registry->sessions));
}

static struct pernet_operations refobj_net_ops = {
	.init	= refobj_net_init,
	.exit	= refobj_net_exit,
	.id	= &refobj_net_id,
	.size	= sizeof(struct refobj_registry),
};

/**
 * refobj_registry_init() - set up the tables, and a registry in each namespace
 *
 * Return: 0 or a negative errno.
 */
int __init refobj_registry_init(void)
{
	int err;

	err = rhashtable_init(&refobj_names, &refobj_names_params);
	if (err)
		return err;
	err = register_pernet_subsys(&refobj_net_ops);
	if (err)
		rhashtable_destroy(&refobj_names);
	return err;
}

/**
 * refobj_registry_exit() - the end of all registries and what is left in them
 */
void refobj_registry_exit(void)
{
	unregister_pernet_subsys(&refobj_net_ops);
	rhashtable_destroy(&refobj_names);
	WARN_ON_ONCE(!xa_empty(&refobj_accounts));
}
