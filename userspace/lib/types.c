// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * References as handles, and what can be done with the type of an object.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

int refobj_ref_open(struct refobj_ref *ref, struct refobj_session *session,
		    uint64_t id, const char *type)
{
	int ret;

	*ref = (struct refobj_ref) { 0 };
	ret = refobj_acquire_as(session, id, 1, 0, type);
	if (ret >= 0)
		*ref = (struct refobj_ref) { session, id };
	return ret;
}

int refobj_ref_close(struct refobj_ref *ref)
{
	uint64_t id;

	/* A child's copy is no reference: it is left as it is, and so is ours. */
	if (ref->session && !refobj__is_ours(ref->session))
		return -ECHILD;
	id = __atomic_exchange_n(&ref->id, 0, __ATOMIC_ACQ_REL);
	return id ? refobj_release(ref->session, id, 1) : 0;
}

struct type {
	struct type *next;
	const void *operations;
	char name[REFOBJ_TYPE_SIZE];
};

struct refobj_types {
	pthread_rwlock_t lock;
	struct type *first;
	const void *generic;
};

int refobj_types_new(struct refobj_types **types, const void *generic)
{
	struct refobj_types *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	pthread_rwlock_init(&new->lock, NULL);
	new->generic = generic;
	*types = new;
	return 0;
}

void refobj_types_free(struct refobj_types *types)
{
	struct type *type, *next;

	if (!types)
		return;
	for (type = types->first; type; type = next) {
		next = type->next;
		free(type);
	}
	pthread_rwlock_destroy(&types->lock);
	free(types);
}

static struct type *find_type(const struct refobj_types *types,
			      const char *name)
{
	struct type *type;

	for (type = types->first; type; type = type->next)
		if (!strcmp(type->name, name))
			break;
	return type;
}

int refobj_types_add(struct refobj_types *types, const char *type,
		     const void *operations)
{
	struct type *new;
	int ret;

	if (!type || !operations)
		return -EINVAL;
	new = malloc(sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->operations = operations;
	ret = refobj__put_string(new->name, sizeof(new->name), type);
	if (ret) {
		free(new);
		return ret;
	}
	pthread_rwlock_wrlock(&types->lock);
	if (find_type(types, type)) {
		ret = -EEXIST;
	} else {
		new->next = types->first;
		types->first = new;
		new = NULL;
	}
	pthread_rwlock_unlock(&types->lock);
	free(new);
	return ret;
}

int refobj_types_find(struct refobj_types *types, const char *type,
		      const void **operations)
{
	const struct type *found;

	pthread_rwlock_rdlock(&types->lock);
	found = find_type(types, type);
	pthread_rwlock_unlock(&types->lock);
	/* A type is never taken out. */
	if (!found && !types->generic)
		return -EPROTOTYPE;
	*operations = found ? found->operations : types->generic;
	return !!found;
}

int refobj_types_open(struct refobj_types *types,
		      struct refobj_session *session, uint64_t id,
		      struct refobj_ref *ref, const void **operations)
{
	struct refobj_stat stat;
	int ret;

	*ref = (struct refobj_ref) { 0 };
	ret = refobj_stat(session, id, &stat);
	if (!ret)
		ret = refobj_types_find(types, stat.type, operations);
	/* The type of an object never changes. */
	return ret < 0 ? ret : refobj_ref_open(ref, session, id, NULL);
}
