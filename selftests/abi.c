// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules that all commands of /dev/refobj share: sizes, flags, reserved
 * fields, bad values, pointers, and that a refused call has changed nothing. One
 * table, the variants of the fixture, drives every command through each of them.
 * Built for 32 bits too, as abi_32.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>

#include "refobj_test.h"
#include "../kselftest_harness.h"

#define ASSERT_OFFSET(type, field, bytes)			\
	static_assert(offsetof(struct type, field) == (bytes),	\
		      #type "." #field " has moved")

ASSERT_OFFSET(refobj_info, features, 24);
ASSERT_OFFSET(refobj_info, registry, 96);
ASSERT_OFFSET(refobj_info, watches_max, 104);
ASSERT_OFFSET(refobj_create, id, 16);
ASSERT_OFFSET(refobj_create, type, 88);
ASSERT_OFFSET(refobj_create, linger_ms, 120);
ASSERT_OFFSET(refobj_attach, id, 16);
ASSERT_OFFSET(refobj_attach, created, 24);
ASSERT_OFFSET(refobj_attach, type, 96);
ASSERT_OFFSET(refobj_attach, linger_ms, 128);
ASSERT_OFFSET(refobj_lookup, id, 8);
ASSERT_OFFSET(refobj_lookup, type, 80);
ASSERT_OFFSET(refobj_acquire, id, 8);
ASSERT_OFFSET(refobj_acquire, type, 24);
ASSERT_OFFSET(refobj_release, id, 8);
ASSERT_OFFSET(refobj_release_all, id, 8);
ASSERT_OFFSET(refobj_stat, id, 8);
ASSERT_OFFSET(refobj_stat, created_ns, 48);
ASSERT_OFFSET(refobj_stat, held, 72);
ASSERT_OFFSET(refobj_stat, type, 144);
ASSERT_OFFSET(refobj_stat, linger_ms, 176);
ASSERT_OFFSET(refobj_stat, watches, 180);
ASSERT_OFFSET(refobj_stat, value_version, 184);
ASSERT_OFFSET(refobj_stat, value_size, 192);
ASSERT_OFFSET(refobj_stat, has_file, 196);
ASSERT_OFFSET(refobj_stat, builder, 200);
ASSERT_OFFSET(refobj_stat, edges, 204);
ASSERT_OFFSET(refobj_holder, session, 8);
ASSERT_OFFSET(refobj_holder, start_ns, 24);
ASSERT_OFFSET(refobj_holder, why, 56);
ASSERT_OFFSET(refobj_holders, records, 16);
ASSERT_OFFSET(refobj_holders, cursor, 24);
ASSERT_OFFSET(refobj_holders, total, 44);
ASSERT_OFFSET(refobj_destroy, id, 8);
ASSERT_OFFSET(refobj_set_why, id, 8);
ASSERT_OFFSET(refobj_set_why, why, 16);
ASSERT_OFFSET(refobj_event, type, 4);
ASSERT_OFFSET(refobj_event, cause, 8);
ASSERT_OFFSET(refobj_event, state, 12);
ASSERT_OFFSET(refobj_event, id, 16);
ASSERT_OFFSET(refobj_event, seq, 24);
ASSERT_OFFSET(refobj_event, object_seq, 32);
ASSERT_OFFSET(refobj_event, time_ns, 40);
ASSERT_OFFSET(refobj_event, cookie, 48);
ASSERT_OFFSET(refobj_event, users, 56);
ASSERT_OFFSET(refobj_event, count, 60);
ASSERT_OFFSET(refobj_event, pid, 64);
ASSERT_OFFSET(refobj_event, flags, 68);
ASSERT_OFFSET(refobj_watch, id, 8);
ASSERT_OFFSET(refobj_watch, mask, 16);
ASSERT_OFFSET(refobj_watch, cookie, 24);
ASSERT_OFFSET(refobj_condition, until, 8);
ASSERT_OFFSET(refobj_condition, users, 12);
ASSERT_OFFSET(refobj_condition, flags, 16);
ASSERT_OFFSET(refobj_condition, reserved, 20);
ASSERT_OFFSET(refobj_wait, conditions, 8);
ASSERT_OFFSET(refobj_wait, count, 16);
ASSERT_OFFSET(refobj_wait, condition_size, 20);
ASSERT_OFFSET(refobj_wait, timeout_ns, 24);
ASSERT_OFFSET(refobj_payload, id, 8);
ASSERT_OFFSET(refobj_payload, fd, 16);
ASSERT_OFFSET(refobj_payload, reserved, 20);
ASSERT_OFFSET(refobj_value, id, 8);
ASSERT_OFFSET(refobj_value, data, 16);
ASSERT_OFFSET(refobj_value, version, 24);
ASSERT_OFFSET(refobj_value, length, 32);
ASSERT_OFFSET(refobj_value, reserved, 36);
ASSERT_OFFSET(refobj_link, id, 8);
ASSERT_OFFSET(refobj_link, dep, 16);
ASSERT_OFFSET(refobj_export, id, 8);
ASSERT_OFFSET(refobj_import, fd, 8);
ASSERT_OFFSET(refobj_import, count, 12);
ASSERT_OFFSET(refobj_import, id, 16);
ASSERT_OFFSET(refobj_adopt, flags, 4);
ASSERT_OFFSET(refobj_op, flags, 4);
ASSERT_OFFSET(refobj_op, id, 8);
ASSERT_OFFSET(refobj_op, count, 16);
ASSERT_OFFSET(refobj_op, result, 20);
ASSERT_OFFSET(refobj_submit, ops, 8);
ASSERT_OFFSET(refobj_submit, count, 16);
ASSERT_OFFSET(refobj_submit, op_size, 20);
ASSERT_OFFSET(refobj_uring_cmd, reserved, 8);

#define NEW_NAME	"abi-new"
#define HELD_NAME	"abi-held"
#define IDLE_NAME	"abi-idle"
#define VALUE		"a value of the table"
#define POISON		0xcc
#define WHY		"the table of commands"
#define LARGEST		4096	/* structure that any kernel accepts */
#define MAX_ARG		16384	/* more than an ioctl number can express */
#define A_DESCRIPTOR	(-4096)	/* result: any new, close-on-exec descriptor */

/* What the commands of a test work on, made anew for each successful call. */
struct world {
	int fd;
	int file;		/* a memfd */
	int objfd;		/* object descriptor of @filled */
	int made;		/* descriptor that a command has made, or -1 */
	__u64 held;		/* transient, two users, both of fd's session */
	__u64 idle;		/* persistent, no users, watched */
	__u64 building;		/* transient, to be published by fd, watched */
	__u64 filled;		/* transient, with payload, watched */
	__u64 needed;		/* persistent, by @filled */
	struct refobj_holder records[4];
	struct refobj_condition condition;
	struct refobj_op ops[2];
	char value[64];
};

/* All that can be seen of a world from outside. */
struct snapshot {
	struct refobj_info info;
	struct refobj_stat held, idle, building, filled, needed;
	struct refobj_holder holder, need;
	char value[64];
	int value_length;
	int events;		/* bytes to read */
	int new_found;
	int objects;
};

static void build_nothing(struct world *w, void *arg)
{
}

static void build_create(struct world *w, void *arg)
{
	*(struct refobj_create *)arg = (struct refobj_create) {
		.initial = 1, .name = NEW_NAME, .type = "abi",
	};
}

static void build_attach(struct world *w, void *arg)
{
	*(struct refobj_attach *)arg = (struct refobj_attach) {
		.count = 1, .name = NEW_NAME, .type = "abi",
	};
}

static void build_lookup(struct world *w, void *arg)
{
	*(struct refobj_lookup *)arg = (struct refobj_lookup) {
		.name = HELD_NAME,
	};
}

static void build_acquire(struct world *w, void *arg)
{
	struct refobj_acquire *a = arg;

	a->id = w->held;
	a->count = 1;
}

static void build_release(struct world *w, void *arg)
{
	struct refobj_release *r = arg;

	r->id = w->held;
	r->count = 1;
}

static void build_release_all(struct world *w, void *arg)
{
	struct refobj_release_all *r = arg;

	r->id = w->held;
}

static void build_stat(struct world *w, void *arg)
{
	struct refobj_stat *st = arg;

	st->id = w->held;
}

static void build_holders(struct world *w, void *arg)
{
	struct refobj_holders *h = arg;

	h->id = w->held;
	h->records = (uintptr_t)w->records;
	h->capacity = 4;
	h->record_size = sizeof(struct refobj_holder);
}

static void build_destroy(struct world *w, void *arg)
{
	struct refobj_destroy *d = arg;

	d->id = w->idle;
}

static void build_set_why(struct world *w, void *arg)
{
	*(struct refobj_set_why *)arg = (struct refobj_set_why) {
		.why = WHY,
	};
}

static void build_watch(struct world *w, void *arg)
{
	*(struct refobj_watch *)arg = (struct refobj_watch) {
		.id = w->held, .mask = REFOBJ_WATCH_ALL,
		.cookie = 0x0123456789abcdefULL,
	};
}

static int damage_watch(struct world *w, void *arg, unsigned int which)
{
	struct refobj_watch *a = arg;

	switch (which) {
	case 0 ... 23:
		a->mask |= 1U << (which + 8);
		return -EINVAL;
	case 24:
		a->mask |= REFOBJ_WATCH(REFOBJ_EVENT_SNAPSHOT);
		return -EINVAL;
	case 25:
		a->mask = 0;
		return -ENOENT;
	case 26:
		a->id = 0;
		return -ENOENT;
	default:
		return 0;
	}
}

static void build_wait(struct world *w, void *arg)
{
	w->condition = (struct refobj_condition) {
		.id = w->held, .until = REFOBJ_UNTIL_READY,
	};
	*(struct refobj_wait *)arg = (struct refobj_wait) {
		.conditions = (uintptr_t)&w->condition, .count = 1,
		.condition_size = sizeof(w->condition),
	};
}

static void build_submit(struct world *w, void *arg)
{
	w->ops[0] = (struct refobj_op) {
		.op = REFOBJ_OP_ACQUIRE, .id = w->held, .count = 2,
	};
	w->ops[1] = (struct refobj_op) {
		.op = REFOBJ_OP_RELEASE, .id = w->held, .count = 1,
	};
	*(struct refobj_submit *)arg = (struct refobj_submit) {
		.ops = (uintptr_t)w->ops, .count = 2, .op_size = sizeof(w->ops[0]),
	};
}

static int damage_submit(struct world *w, void *arg, unsigned int which)
{
	struct refobj_submit *a = arg;

	switch (which) {
	case 0:
		a->ops = 0;
		return -EFAULT;
	case 1:
		a->count = 0;
		return -EINVAL;
	case 2:
		a->count = REFOBJ_SUBMIT_MAX + 1;
		return -EINVAL;
	case 3:
		a->count = UINT32_MAX;
		return -EINVAL;
	case 4:
		a->op_size = sizeof(w->ops[0]) - 8;
		return -EINVAL;
	case 5:
		a->op_size = sizeof(w->ops[0]) + 8;
		return -EINVAL;
	case 6:
		a->op_size = 0;
		return -EINVAL;
	default:
		return 0;
	}
}

static int damage_wait(struct world *w, void *arg, unsigned int which)
{
	struct refobj_condition *c = &w->condition;
	struct refobj_wait *a = arg;

	switch (which) {
	case 0:
		a->conditions = 0;
		return -EFAULT;
	case 1:
		a->count = 0;
		return -EINVAL;
	case 2:
		a->count = REFOBJ_WAIT_MAX + 1;
		return -EINVAL;
	case 3:
		a->count = UINT32_MAX;
		return -EINVAL;
	case 4:
		a->condition_size = sizeof(*c) - 8;
		return -EINVAL;
	case 5:
		a->condition_size = sizeof(*c) + 8;
		return -EINVAL;
	case 6:
		c->until = 0;
		return -EINVAL;
	case 7:
		c->until = REFOBJ_UNTIL_DEAD + 1;
		return -EINVAL;
	case 8:
		c->users = 1;
		return -EINVAL;
	case 9 ... 39:
		c->flags = 2U << (which - 9);
		return -EOPNOTSUPP;
	case 40:
		c->flags = REFOBJ_COND_BUILD;
		c->until = REFOBJ_UNTIL_ACTIVE;
		return -EINVAL;
	case 41:
		c->reserved = 1;
		return -EOPNOTSUPP;
	case 42:
		c->id = 0;
		return -ENOENT;
	case 43:
		c->id = w->idle;
		return -ETIMEDOUT;
	case 44:
		c->id = w->idle;
		a->timeout_ns = 1;	/* long ago */
		return -ETIMEDOUT;
	case 45:
		c->id = w->idle;
		c->flags = REFOBJ_COND_BUILD;
		return -EPERM;
	default:
		return 0;
	}
}

static void build_publish(struct world *w, void *arg)
{
	struct refobj_payload *a = arg;

	a->id = w->building;
}

static int damage_publish(struct world *w, void *arg, unsigned int which)
{
	struct refobj_payload *a = arg;

	switch (which) {
	case 0:
		a->fd = w->file;
		return -EINVAL;
	case 1:
		a->fd = -1;
		return -EINVAL;
	case 2:
		a->id = w->held;
		return -EPERM;
	case 3:
		a->id = w->idle;
		return -EPERM;
	case 4:
		a->id = 0;
		return -ENOENT;
	default:
		return 0;
	}
}

static void build_publish_file(struct world *w, void *arg)
{
	struct refobj_payload *a = arg;

	a->flags = REFOBJ_PUBLISH_FILE;
	a->id = w->building;
	a->fd = w->file;
}

/* What no payload can be, and who cannot have one */
static int damage_file(struct world *w, struct refobj_payload *a,
		       unsigned int which)
{
	switch (which) {
	case 0:
		a->fd = w->fd;
		return -EINVAL;
	case 1:
		a->fd = w->objfd;
		return -EINVAL;
	case 2:
		a->fd = -2;
		return -EBADF;
	case 3:
		a->fd = 1 << 24;
		return -EBADF;
	case 4:
		a->id = w->idle;
		return -EPERM;
	case 5:
		a->id = 0;
		return -ENOENT;
	default:
		return 0;
	}
}

static int damage_publish_file(struct world *w, void *arg, unsigned int which)
{
	struct refobj_payload *a = arg;

	switch (which) {
	case 6:
		a->fd = -1;
		return -EBADF;
	case 7:
		a->id = w->held;
		return -EPERM;
	default:
		return damage_file(w, a, which);
	}
}

static void build_set_payload(struct world *w, void *arg)
{
	struct refobj_payload *a = arg;

	a->id = w->held;
	a->fd = w->file;
}

static int damage_set_payload(struct world *w, void *arg, unsigned int which)
{
	return damage_file(w, arg, which);
}

static void build_get_payload(struct world *w, void *arg)
{
	struct refobj_payload *a = arg;

	a->id = w->filled;
}

static int damage_get_payload(struct world *w, void *arg, unsigned int which)
{
	struct refobj_payload *a = arg;

	switch (which) {
	case 0:
		a->fd = -1;
		return -EINVAL;
	case 1:
		a->id = w->held;
		return -ENOENT;
	case 2:
		a->id = w->idle;
		return -EPERM;
	default:
		return 0;
	}
}

static void build_set_value(struct world *w, void *arg)
{
	struct refobj_value *a = arg;

	memcpy(w->value, VALUE, sizeof(VALUE));
	a->id = w->held;
	a->data = (uintptr_t)w->value;
	a->length = strlen(VALUE);
}

static int damage_set_value(struct world *w, void *arg, unsigned int which)
{
	struct refobj_value *a = arg;

	switch (which) {
	case 0:
		a->data = 0;
		return -EFAULT;
	case 1:
		a->length = REFOBJ_VALUE_MAX + 1;
		return -EINVAL;
	case 2:
		a->length = UINT32_MAX;
		return -EINVAL;
	case 3:
		a->version = 1;
		return -EINVAL;
	case 4:
		a->version = 1;
		a->flags = REFOBJ_VALUE_IF;
		return -EAGAIN;
	case 5:
		a->id = w->filled;
		a->flags = REFOBJ_VALUE_IF;
		return -EAGAIN;
	case 6:
		a->id = w->idle;
		return -EPERM;
	default:
		return 0;
	}
}

static void build_get_value(struct world *w, void *arg)
{
	struct refobj_value *a = arg;

	a->id = w->filled;
	a->data = (uintptr_t)w->value;
	a->length = sizeof(w->value);
}

static int damage_get_value(struct world *w, void *arg, unsigned int which)
{
	struct refobj_value *a = arg;

	switch (which) {
	case 0:
		a->data = 0;
		return -EFAULT;
	case 1:
		a->id = w->idle;
		return -EPERM;
	default:
		return 0;
	}
}

static void build_link(struct world *w, void *arg)
{
	struct refobj_link *a = arg;

	a->id = w->held;
	a->dep = w->idle;
}

static int damage_link(struct world *w, void *arg, unsigned int which)
{
	struct refobj_link *a = arg;

	switch (which) {
	case 0:
		a->dep = a->id;
		return -ELOOP;
	case 1:
		a->id = w->needed;
		a->dep = w->filled;
		return -ELOOP;
	case 2:
		a->id = w->filled;
		a->dep = w->needed;
		return -EEXIST;
	case 3:
		a->id = 0;
		return -ENOENT;
	case 4:
		a->dep = 0;
		return -ENOENT;
	default:
		return 0;
	}
}

static void build_unlink(struct world *w, void *arg)
{
	struct refobj_link *a = arg;

	a->id = w->filled;
	a->dep = w->needed;
}

static int damage_unlink(struct world *w, void *arg, unsigned int which)
{
	struct refobj_link *a = arg;

	switch (which) {
	case 0:
		a->dep = a->id;
		return -ENOENT;
	case 1:
		a->id = w->needed;
		a->dep = w->filled;
		return -ENOENT;
	case 2:
		a->id = w->held;
		return -ENOENT;
	default:
		return 0;
	}
}

static void build_export(struct world *w, void *arg)
{
	struct refobj_export *a = arg;

	a->id = w->held;
}

static int damage_export(struct world *w, void *arg, unsigned int which)
{
	struct refobj_export *a = arg;

	switch (which) {
	case 0:
		a->id = w->idle;
		return -EPERM;
	case 1:
		a->id = 0;
		return -ENOENT;
	default:
		return 0;
	}
}

static void build_import(struct world *w, void *arg)
{
	struct refobj_import *a = arg;

	a->fd = w->objfd;
	a->count = 1;
}

static int damage_import(struct world *w, void *arg, unsigned int which)
{
	struct refobj_import *a = arg;

	switch (which) {
	case 0:
		a->count = 0;
		return -EINVAL;
	case 1:
		a->count = REFOBJ_COUNT_MAX + 1;
		return -EINVAL;
	case 2:
		a->fd = w->fd;
		return -EINVAL;
	case 3:
		a->fd = w->file;
		return -EINVAL;
	case 4:
		a->fd = -1;
		return -EBADF;
	case 5:
		a->fd = 1 << 24;
		return -EBADF;
	default:
		return 0;
	}
}

static int damage_create(struct world *w, void *arg, unsigned int which)
{
	struct refobj_create *a = arg;

	a->linger_ms = which ? UINT32_MAX : REFOBJ_LINGER_MAX + 1;
	return which < 2 ? -EINVAL : 0;
}

static int damage_attach(struct world *w, void *arg, unsigned int which)
{
	struct refobj_attach *a = arg;

	a->linger_ms = which ? UINT32_MAX : REFOBJ_LINGER_MAX + 1;
	return which < 2 ? -EINVAL : 0;
}

/* A command: the row of the table. */
struct command {
	unsigned int cmd;	/* with the kernel's size in it */
	unsigned int min;	/* the shortest structure accepted */
	bool writes;		/* the structure is written back */
	bool changes;		/* a success can be seen in a snapshot */
	int result;		/* of a success */
	__u32 flags;		/* those that it knows */
	void (*build)(struct world *w, void *arg);
	/* Spoil a field: what it then says, or 0: no such way. */
	int (*damage)(struct world *w, void *arg, unsigned int which);
	struct {
		unsigned int start, end;
	} reserved[2],		/* bytes refused unless zero */
	  out[2];		/* bytes that a success overwrites */
};

FIXTURE(abi) {
	struct world *w;
	char *arena;		/* MAX_ARG bytes, then a page that is not there */
	size_t page;
};

FIXTURE_VARIANT(abi) {
	struct command c;
};

FIXTURE_VARIANT_ADD(abi, info) {
	.c = {
		.cmd = REFOBJ_IOC_INFO,
		.min = offsetof(struct refobj_info, watches_max),
		.writes = true,
		.build = build_nothing,
		.out[0].start = offsetof(struct refobj_info, version),
		.out[0].end = sizeof(struct refobj_info),
	},
};

FIXTURE_VARIANT_ADD(abi, create) {
	.c = {
		.cmd = REFOBJ_IOC_CREATE,
		.min = offsetof(struct refobj_create, linger_ms),
		.writes = true,
		.changes = true,
		.result = 1,
		.flags = REFOBJ_PERSISTENT | REFOBJ_BUILD,
		.build = build_create,
		.damage = damage_create,
		.reserved[0].start = offsetof(struct refobj_create, reserved),
		.reserved[0].end = sizeof(struct refobj_create),
		.out[0].start = offsetof(struct refobj_create, id),
		.out[0].end = offsetof(struct refobj_create, name),
	},
};

FIXTURE_VARIANT_ADD(abi, attach) {
	.c = {
		.cmd = REFOBJ_IOC_ATTACH,
		.min = offsetof(struct refobj_attach, linger_ms),
		.writes = true,
		.changes = true,
		.result = 1,
		.flags = REFOBJ_PERSISTENT | REFOBJ_BUILD |
			 REFOBJ_ATTACH_EXISTING,
		.build = build_attach,
		.damage = damage_attach,
		.reserved[0].start = offsetof(struct refobj_attach, reserved),
		.reserved[0].end = offsetof(struct refobj_attach, name),
		.reserved[1].start = offsetof(struct refobj_attach, reserved2),
		.reserved[1].end = sizeof(struct refobj_attach),
		.out[0].start = offsetof(struct refobj_attach, id),
		.out[0].end = offsetof(struct refobj_attach, reserved),
	},
};

FIXTURE_VARIANT_ADD(abi, lookup) {
	.c = {
		.cmd = REFOBJ_IOC_LOOKUP,
		.min = sizeof(struct refobj_lookup),
		.writes = true,
		.build = build_lookup,
		.out[0].start = offsetof(struct refobj_lookup, id),
		.out[0].end = offsetof(struct refobj_lookup, name),
	},
};

FIXTURE_VARIANT_ADD(abi, acquire) {
	.c = {
		.cmd = REFOBJ_IOC_ACQUIRE,
		.min = offsetof(struct refobj_acquire, type),
		.changes = true,
		.flags = REFOBJ_ACQUIRE_NOT_ZERO | REFOBJ_ACQUIRE_BUILD,
		.build = build_acquire,
		.reserved[0].start = offsetof(struct refobj_acquire, reserved),
		.reserved[0].end = offsetof(struct refobj_acquire, type),
	},
};

FIXTURE_VARIANT_ADD(abi, release) {
	.c = {
		.cmd = REFOBJ_IOC_RELEASE,
		.min = sizeof(struct refobj_release),
		.changes = true,
		.build = build_release,
		.reserved[0].start = offsetof(struct refobj_release, reserved),
		.reserved[0].end = sizeof(struct refobj_release),
	},
};

FIXTURE_VARIANT_ADD(abi, release_all) {
	.c = {
		.cmd = REFOBJ_IOC_RELEASE_ALL,
		.min = sizeof(struct refobj_release_all),
		.changes = true,
		.result = 1,
		.build = build_release_all,
	},
};

FIXTURE_VARIANT_ADD(abi, stat) {
	.c = {
		.cmd = REFOBJ_IOC_STAT,
		.min = offsetof(struct refobj_stat, linger_ms),
		.writes = true,
		.flags = REFOBJ_STAT_NEXT,
		.build = build_stat,
		.reserved[0].start = offsetof(struct refobj_stat, reserved),
		.reserved[0].end = offsetof(struct refobj_stat, name),
		.out[0].start = offsetof(struct refobj_stat, state),
		.out[0].end = offsetof(struct refobj_stat, reserved),
		.out[1].start = offsetof(struct refobj_stat, name),
		.out[1].end = sizeof(struct refobj_stat),
	},
};

FIXTURE_VARIANT_ADD(abi, holders) {
	.c = {
		.cmd = REFOBJ_IOC_HOLDERS,
		.min = sizeof(struct refobj_holders),
		.writes = true,
		.build = build_holders,
		.out[0].start = offsetof(struct refobj_holders, count),
		.out[0].end = sizeof(struct refobj_holders),
	},
};

FIXTURE_VARIANT_ADD(abi, destroy) {
	.c = {
		.cmd = REFOBJ_IOC_DESTROY,
		.min = sizeof(struct refobj_destroy),
		.changes = true,
		.build = build_destroy,
	},
};

FIXTURE_VARIANT_ADD(abi, set_why) {
	.c = {
		.cmd = REFOBJ_IOC_SET_WHY,
		.min = sizeof(struct refobj_set_why),
		.changes = true,
		.build = build_set_why,
	},
};

FIXTURE_VARIANT_ADD(abi, watch) {
	.c = {
		.cmd = REFOBJ_IOC_WATCH,
		.min = sizeof(struct refobj_watch),
		.changes = true,
		.build = build_watch,
		.damage = damage_watch,
		.reserved[0].start = offsetof(struct refobj_watch, reserved),
		.reserved[0].end = offsetof(struct refobj_watch, cookie),
	},
};

FIXTURE_VARIANT_ADD(abi, wait) {
	.c = {
		.cmd = REFOBJ_IOC_WAIT,
		.min = sizeof(struct refobj_wait),
		.flags = REFOBJ_WAIT_ALL,
		.build = build_wait,
		.damage = damage_wait,
	},
};

FIXTURE_VARIANT_ADD(abi, publish) {
	.c = {
		.cmd = REFOBJ_IOC_PUBLISH,
		.min = sizeof(struct refobj_payload),
		.changes = true,
		.flags = REFOBJ_PUBLISH_FILE,
		.build = build_publish,
		.damage = damage_publish,
		.reserved[0].start = offsetof(struct refobj_payload, reserved),
		.reserved[0].end = sizeof(struct refobj_payload),
	},
};

FIXTURE_VARIANT_ADD(abi, publish_file) {
	.c = {
		.cmd = REFOBJ_IOC_PUBLISH,
		.min = sizeof(struct refobj_payload),
		.changes = true,
		.flags = REFOBJ_PUBLISH_FILE,
		.build = build_publish_file,
		.damage = damage_publish_file,
		.reserved[0].start = offsetof(struct refobj_payload, reserved),
		.reserved[0].end = sizeof(struct refobj_payload),
	},
};

FIXTURE_VARIANT_ADD(abi, set_payload) {
	.c = {
		.cmd = REFOBJ_IOC_SET_PAYLOAD,
		.min = sizeof(struct refobj_payload),
		.changes = true,
		.build = build_set_payload,
		.damage = damage_set_payload,
		.reserved[0].start = offsetof(struct refobj_payload, reserved),
		.reserved[0].end = sizeof(struct refobj_payload),
	},
};

FIXTURE_VARIANT_ADD(abi, get_payload) {
	.c = {
		.cmd = REFOBJ_IOC_GET_PAYLOAD,
		.min = sizeof(struct refobj_payload),
		.result = A_DESCRIPTOR,
		.build = build_get_payload,
		.damage = damage_get_payload,
		.reserved[0].start = offsetof(struct refobj_payload, reserved),
		.reserved[0].end = sizeof(struct refobj_payload),
	},
};

FIXTURE_VARIANT_ADD(abi, set_value) {
	.c = {
		.cmd = REFOBJ_IOC_SET_VALUE,
		.min = sizeof(struct refobj_value),
		.changes = true,
		.flags = REFOBJ_VALUE_IF,
		.build = build_set_value,
		.damage = damage_set_value,
		.reserved[0].start = offsetof(struct refobj_value, reserved),
		.reserved[0].end = sizeof(struct refobj_value),
	},
};

FIXTURE_VARIANT_ADD(abi, get_value) {
	.c = {
		.cmd = REFOBJ_IOC_GET_VALUE,
		.min = sizeof(struct refobj_value),
		.writes = true,
		.build = build_get_value,
		.damage = damage_get_value,
		.reserved[0].start = offsetof(struct refobj_value, reserved),
		.reserved[0].end = sizeof(struct refobj_value),
		.out[0].start = offsetof(struct refobj_value, version),
		.out[0].end = offsetof(struct refobj_value, reserved),
	},
};

FIXTURE_VARIANT_ADD(abi, link) {
	.c = {
		.cmd = REFOBJ_IOC_LINK,
		.min = sizeof(struct refobj_link),
		.changes = true,
		.build = build_link,
		.damage = damage_link,
	},
};

FIXTURE_VARIANT_ADD(abi, unlink) {
	.c = {
		.cmd = REFOBJ_IOC_UNLINK,
		.min = sizeof(struct refobj_link),
		.changes = true,
		.build = build_unlink,
		.damage = damage_unlink,
	},
};

FIXTURE_VARIANT_ADD(abi, export) {
	.c = {
		.cmd = REFOBJ_IOC_EXPORT,
		.min = sizeof(struct refobj_export),
		.changes = true,
		.result = A_DESCRIPTOR,
		.build = build_export,
		.damage = damage_export,
	},
};

FIXTURE_VARIANT_ADD(abi, import) {
	.c = {
		.cmd = REFOBJ_IOC_IMPORT,
		.min = sizeof(struct refobj_import),
		.writes = true,
		.changes = true,
		.build = build_import,
		.damage = damage_import,
		.out[0].start = offsetof(struct refobj_import, id),
		.out[0].end = sizeof(struct refobj_import),
	},
};

FIXTURE_VARIANT_ADD(abi, adopt) {
	.c = {
		.cmd = REFOBJ_IOC_ADOPT,
		.min = sizeof(struct refobj_adopt),
		.flags = REFOBJ_ADOPT_NOBODY,
		.build = build_nothing,
	},
};

FIXTURE_VARIANT_ADD(abi, submit) {
	.c = {
		.cmd = REFOBJ_IOC_SUBMIT,
		.min = sizeof(struct refobj_submit),
		.flags = REFOBJ_SUBMIT_ALL,
		.changes = true,
		.result = 2,
		.build = build_submit,
		.damage = damage_submit,
	},
};

static unsigned int ksize(const struct command *c)
{
	return _IOC_SIZE(c->cmd);
}

static unsigned long resized(const struct command *c, unsigned int size)
{
	return _IOC(_IOC_DIR(c->cmd), REFOBJ_IOC_MAGIC, _IOC_NR(c->cmd), size);
}

/* A command: its result, or -errno. */
static int call(struct world *w, const struct command *c, unsigned long cmd,
		void *arg)
{
	int ret = ro_ioctl(w->fd, cmd, arg);

	if (c->result != A_DESCRIPTOR || ret < 0)
		return ret;
	w->made = ret;
	return fcntl(ret, F_GETFD) == FD_CLOEXEC ? A_DESCRIPTOR : ret;
}

static int watch(struct world *w, __u64 id)
{
	struct refobj_watch a = {
		.size = sizeof(a), .id = id, .mask = REFOBJ_WATCH_ALL,
		.cookie = id,
	};

	return ro_ioctl(w->fd, REFOBJ_IOC_WATCH, &a);
}

/* The object that has all that an object can have. */
static int world_fill(struct world *w)
{
	struct refobj_payload file = {
		.size = sizeof(file), .id = w->filled, .fd = w->file,
	};
	struct refobj_value value = {
		.size = sizeof(value), .id = w->filled,
		.data = (uintptr_t)VALUE, .length = strlen(VALUE),
	};
	struct refobj_link link = {
		.size = sizeof(link), .id = w->filled, .dep = w->needed,
	};
	struct refobj_export export = {
		.size = sizeof(export), .id = w->filled,
	};

	w->objfd = ro_ioctl(w->fd, REFOBJ_IOC_EXPORT, &export);
	return ro_ioctl(w->fd, REFOBJ_IOC_SET_PAYLOAD, &file) ||
	       ro_ioctl(w->fd, REFOBJ_IOC_SET_VALUE, &value) ||
	       ro_ioctl(w->fd, REFOBJ_IOC_LINK, &link) || w->objfd < 0;
}

static int world_make(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->made = -1;
	w->fd = ro_open();
	if (w->fd < 0)
		return w->fd;
	w->file = memfd_create("abi", MFD_CLOEXEC);
	if (w->file < 0 ||
	    ro_create(w->fd, HELD_NAME, 0, 2, &w->held) != REFOBJ_FIRST ||
	    ro_create(w->fd, IDLE_NAME, REFOBJ_PERSISTENT, 0, &w->idle) ||
	    ro_create(w->fd, NULL, REFOBJ_BUILD, 1, &w->building) !=
	    (REFOBJ_FIRST | REFOBJ_BUILDER) ||
	    ro_create(w->fd, NULL, 0, 1, &w->filled) != REFOBJ_FIRST ||
	    ro_create(w->fd, NULL, REFOBJ_PERSISTENT, 0, &w->needed) ||
	    world_fill(w))
		return -1;
	return watch(w, w->idle) || watch(w, w->building) ||
	       watch(w, w->filled) ? -1 : 0;
}

static void world_end(struct world *w)
{
	if (w->made >= 0)
		close(w->made);
	close(w->objfd);
	close(w->file);
	ro_release_all(w->fd, 0);
	ro_destroy(w->fd, w->idle);
	ro_destroy(w->fd, w->needed);
	close(w->fd);
}

static void look(struct world *w, struct snapshot *s)
{
	struct refobj_value value = {
		.size = sizeof(value), .id = w->filled,
		.data = (uintptr_t)s->value, .length = sizeof(s->value),
	};
	struct refobj_stat st = { .size = sizeof(st) };
	__u64 id = 0;

	memset(s, 0, sizeof(*s));
	s->info.size = sizeof(s->info);
	ro_ioctl(w->fd, REFOBJ_IOC_INFO, &s->info);
	ro_stat(w->fd, w->held, &s->held);
	ro_stat(w->fd, w->idle, &s->idle);
	ro_stat(w->fd, w->building, &s->building);
	ro_stat(w->fd, w->filled, &s->filled);
	ro_stat(w->fd, w->needed, &s->needed);
	ro_holders(w->fd, w->held, &s->holder, 1, NULL);
	ro_holders(w->fd, w->needed, &s->need, 1, NULL);
	ro_ioctl(w->fd, REFOBJ_IOC_GET_VALUE, &value);
	s->value_length = value.length;
	ioctl(w->fd, FIONREAD, &s->events);
	s->new_found = ro_lookup(w->fd, NEW_NAME, &id);
	for (id = 0;; id = st.id) {
		memset(&st, 0, sizeof(st));
		st.size = sizeof(st);
		st.flags = REFOBJ_STAT_NEXT;
		st.id = id;
		if (ro_ioctl(w->fd, REFOBJ_IOC_STAT, &st))
			break;
		s->objects++;
	}
}

/* A valid argument at @arg with its size field saying @size. */
static void *argument(struct world *w, const struct command *c,
		      char *arg, unsigned int size)
{
	memset(arg, 0, size > ksize(c) ? size : ksize(c));
	c->build(w, arg);
	memcpy(arg, &size, sizeof(size));
	return arg;
}

/*
 * A registry to themselves, where that is allowed. One for all tests: to make and
 * remove a network namespace for each takes longer than what they test.
 */
static void __attribute__((constructor)) own_registry(void)
{
	if (unshare(CLONE_NEWNET))
		printf("# sharing the registry: %s\n", strerror(errno));
}

FIXTURE_SETUP(abi)
{
	self->page = sysconf(_SC_PAGESIZE);
	self->arena = mmap(NULL, MAX_ARG + self->page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(self->arena != MAP_FAILED);
	ASSERT_EQ(0, munmap(self->arena + MAX_ARG, self->page));

	self->w = malloc(sizeof(*self->w));
	ASSERT_TRUE(!!self->w);
	switch (world_make(self->w)) {
	case 0:
		break;
	case -ENOENT:
		SKIP(return, "no " REFOBJ_DEV ": load refobj.ko");
	default:
		ASSERT_TRUE(false)
			TH_LOG("cannot set up on " REFOBJ_DEV);
	}
}

FIXTURE_TEARDOWN(abi)
{
	world_end(self->w);
}

/* One call that must be refused with @error and change nothing. */
static void refused(struct __test_metadata *_metadata, struct world *w,
		    int error, unsigned long cmd, void *arg, const char *what,
		    unsigned long which)
{
	struct snapshot before, after;

	look(w, &before);
	EXPECT_EQ(-error, ro_ioctl(w->fd, cmd, arg))
		TH_LOG("%s %lu", what, which);
	look(w, &after);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)))
		TH_LOG("%s %lu: failed, yet something changed", what, which);
}

/* One call that must succeed and have its effect; the world is new afterwards. */
static void accepted(struct __test_metadata *_metadata, struct world *w,
		     const struct command *c, unsigned long cmd,
		     void *arg, const char *what, unsigned long which)
{
	struct snapshot before, after;
	bool changed;

	look(w, &before);
	EXPECT_EQ(c->result, call(w, c, cmd, arg))
		TH_LOG("%s %lu", what, which);
	look(w, &after);
	changed = memcmp(&before, &after, sizeof(before)) != 0;
	if (c->build == build_set_why)
		EXPECT_STREQ(WHY, after.holder.why);
	EXPECT_EQ(c->changes, changed)
		TH_LOG("%s %lu: succeeded without its effect", what, which);
	world_end(w);
	ASSERT_EQ(0, world_make(w));
}

TEST_F(abi, kernel_size_is_accepted)
{
	const struct command *c = &variant->c;
	unsigned int size = ksize(c);

	accepted(_metadata, self->w, c, c->cmd,
		 argument(self->w, c, self->arena, size), "size", size);
}

TEST_F(abi, structure_at_the_end_of_a_page_is_accepted)
{
	const struct command *c = &variant->c;
	unsigned int size = ksize(c);
	char *arg = self->arena + MAX_ARG - size;

	accepted(_metadata, self->w, c, c->cmd,
		 argument(self->w, c, arg, size), "size", size);
}

TEST_F(abi, unaligned_structure_is_accepted)
{
	const struct command *c = &variant->c;
	unsigned int size = ksize(c);
	char *arg = malloc(size);

	ASSERT_TRUE(!!arg);
	argument(self->w, c, arg, size);
	memcpy(self->arena + 1, arg, size);
	accepted(_metadata, self->w, c, c->cmd, self->arena + 1,
		 "size", size);
	free(arg);
}

TEST_F(abi, size_field_zero_is_refused)
{
	const struct command *c = &variant->c;
	char *arg = argument(self->w, c, self->arena, ksize(c));

	memset(arg, 0, sizeof(__u32));
	refused(_metadata, self->w, EINVAL, c->cmd, arg, "size", 0);
}

TEST_F(abi, every_size_below_the_smallest_is_refused)
{
	const struct command *c = &variant->c;
	unsigned int size;

	for (size = 0; size < c->min; size++)
		refused(_metadata, self->w, EINVAL, resized(c, size),
			argument(self->w, c, self->arena, size),
			"size", size);
}

TEST_F(abi, every_size_from_the_smallest_is_accepted)
{
	const struct command *c = &variant->c;
	unsigned int size;

	for (size = c->min; size <= ksize(c); size++)
		accepted(_metadata, self->w, c, resized(c, size),
			 argument(self->w, c, self->arena, size),
			 "size", size);
}

TEST_F(abi, larger_with_zero_tail_is_accepted)
{
	const struct command *c = &variant->c;
	const unsigned int sizes[] = { ksize(c) + 1, ksize(c) + 8,
				       LARGEST - 1, LARGEST };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		accepted(_metadata, self->w, c, resized(c, sizes[i]),
			 argument(self->w, c, self->arena, sizes[i]),
			 "size", sizes[i]);
}

TEST_F(abi, larger_with_garbage_tail_is_refused)
{
	const struct command *c = &variant->c;
	const unsigned int sizes[] = { ksize(c) + 8, LARGEST };
	unsigned int i;
	char *arg;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		arg = argument(self->w, c, self->arena, sizes[i]);
		arg[ksize(c)] = 1;
		refused(_metadata, self->w, E2BIG, resized(c, sizes[i]),
			arg, "first byte of the tail at size", sizes[i]);

		arg = argument(self->w, c, self->arena, sizes[i]);
		arg[sizes[i] - 1] = 1;
		refused(_metadata, self->w, E2BIG, resized(c, sizes[i]),
			arg, "last byte of the tail at size", sizes[i]);
	}
}

TEST_F(abi, larger_than_any_structure_is_refused)
{
	const struct command *c = &variant->c;
	const unsigned int sizes[] = { LARGEST + 1, LARGEST + 8, MAX_ARG - 1 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		refused(_metadata, self->w, E2BIG, resized(c, sizes[i]),
			argument(self->w, c, self->arena, sizes[i]),
			"size", sizes[i]);
}

TEST_F(abi, number_and_field_of_different_size_are_refused)
{
	const struct command *c = &variant->c;
	unsigned int size = ksize(c);
	char *arg = argument(self->w, c, self->arena, size);

	memset(arg, 0xff, sizeof(__u32));
	refused(_metadata, self->w, EINVAL, c->cmd, arg,
		"field", UINT32_MAX);

	refused(_metadata, self->w, EINVAL, c->cmd,
		argument(self->w, c, self->arena, size + 8),
		"field", size + 8);
	refused(_metadata, self->w, EINVAL, c->cmd,
		argument(self->w, c, self->arena, size - 1),
		"field", size - 1);
	refused(_metadata, self->w, EINVAL, resized(c, size + 8),
		argument(self->w, c, self->arena, size),
		"number", size + 8);
	refused(_metadata, self->w, EINVAL, resized(c, size - 1),
		argument(self->w, c, self->arena, size),
		"number", size - 1);
}

TEST_F(abi, each_unknown_flag_is_refused)
{
	const struct command *c = &variant->c;
	__u32 flag;
	char *arg;
	int bit;

	for (bit = 0; bit < 32; bit++) {
		flag = 1U << bit;
		if (c->flags & flag)
			continue;
		arg = argument(self->w, c, self->arena, ksize(c));
		memcpy(arg + sizeof(__u32), &flag, sizeof(flag));
		refused(_metadata, self->w, EOPNOTSUPP, c->cmd, arg,
			"flag", bit);
	}
}

TEST_F(abi, each_byte_of_reserved_fields_is_refused)
{
	const struct command *c = &variant->c;
	unsigned int i, at;
	char *arg;

	for (i = 0; i < ARRAY_SIZE(c->reserved); i++) {
		for (at = c->reserved[i].start; at < c->reserved[i].end; at++) {
			arg = argument(self->w, c, self->arena, ksize(c));
			arg[at] = 1;
			refused(_metadata, self->w, EOPNOTSUPP, c->cmd, arg,
				"byte", at);
		}
	}
}

TEST_F(abi, each_bad_value_is_refused)
{
	const struct command *c = &variant->c;
	unsigned int which;
	int error;
	char *arg;

	for (which = 0; c->damage; which++) {
		arg = argument(self->w, c, self->arena, ksize(c));
		error = c->damage(self->w, arg, which);
		if (!error)
			break;
		refused(_metadata, self->w, -error, c->cmd, arg, "damage",
			which);
	}
}

TEST_F(abi, null_pointer_is_refused)
{
	const struct command *c = &variant->c;

	refused(_metadata, self->w, EFAULT, c->cmd, NULL, "NULL", 0);
}

TEST_F(abi, unmapped_pointer_is_refused)
{
	const struct command *c = &variant->c;
	char *hole = self->arena + MAX_ARG;

	refused(_metadata, self->w, EFAULT, c->cmd, hole, "hole", 0);
	refused(_metadata, self->w, EFAULT, c->cmd,
		(void *)(uintptr_t)-4096, "kernel address", 0);
}

TEST_F(abi, structure_across_an_unmapped_page_is_refused)
{
	const struct command *c = &variant->c;
	unsigned int size = ksize(c), there;
	char *end = self->arena + MAX_ARG;

	argument(self->w, c, self->arena, size);
	for (there = 1; there < size; there++) {
		memcpy(end - there, self->arena, there);
		refused(_metadata, self->w, EFAULT, c->cmd, end - there,
			"bytes there:", there);
	}
}

TEST_F(abi, tail_across_an_unmapped_page_is_refused)
{
	const struct command *c = &variant->c;
	unsigned int size = ksize(c);
	char *arg = self->arena + MAX_ARG - size;

	argument(self->w, c, arg, size);
	size += 8;
	memcpy(arg, &size, sizeof(size));
	refused(_metadata, self->w, EFAULT, resized(c, size), arg,
		"size", size);
}

TEST_F(abi, read_only_page)
{
	const struct command *c = &variant->c;
	char *arg = argument(self->w, c, self->arena, ksize(c));

	ASSERT_EQ(0, mprotect(self->arena, MAX_ARG, PROT_READ));
	if (c->writes)
		refused(_metadata, self->w, EFAULT, c->cmd, arg,
			"read-only", 0);
	else
		accepted(_metadata, self->w, c, c->cmd, arg,
			 "read-only", 0);
}

/* The end of the structure can be read and not written. */
TEST_F(abi, read_only_second_half)
{
	const struct command *c = &variant->c;
	unsigned int size = ksize(c);
	char *half = self->arena + self->page;
	char *arg = argument(self->w, c, half - size / 16 * 8, size);

	ASSERT_EQ(0, mprotect(half, self->page, PROT_READ));
	if (c->writes)
		refused(_metadata, self->w, EFAULT, c->cmd, arg,
			"read-only from", half - arg);
	else
		accepted(_metadata, self->w, c, c->cmd, arg,
			 "read-only from", half - arg);
}

TEST_F(abi, no_access_page)
{
	const struct command *c = &variant->c;
	char *arg = argument(self->w, c, self->arena, ksize(c));

	ASSERT_EQ(0, mprotect(self->arena, MAX_ARG, PROT_NONE));
	refused(_metadata, self->w, EFAULT, c->cmd, arg, "PROT_NONE", 0);
}

TEST_F(abi, every_output_is_written_and_nothing_else)
{
	const struct command *c = &variant->c;
	unsigned int size = ksize(c), i, at;
	char *arg = argument(self->w, c, self->arena, size);
	char *before = malloc(size);
	__u32 word;

	ASSERT_TRUE(!!before);
	for (i = 0; i < ARRAY_SIZE(c->out); i++)
		memset(arg + c->out[i].start, POISON,
		       c->out[i].end - c->out[i].start);
	memset(arg + size, POISON, 64);
	memcpy(before, arg, size);

	EXPECT_EQ(c->result, call(self->w, c, c->cmd, arg));
	for (i = 0; i < ARRAY_SIZE(c->out); i++) {
		for (at = c->out[i].start; at < c->out[i].end; at += 4) {
			memcpy(&word, arg + at, sizeof(word));
			EXPECT_NE(POISON * 0x01010101U, word)
				TH_LOG("the output at %u is missing", at);
		}
	}
	for (at = size; at < size + 64; at++) {
		EXPECT_EQ(POISON, (unsigned char)arg[at])
			TH_LOG("byte %u, after the structure, was written", at);
	}
	if (!c->writes)
		EXPECT_EQ(0, memcmp(before, arg, size));
	free(before);
}

TEST_F(abi, tail_of_a_larger_structure_stays_zero)
{
	const struct command *c = &variant->c;
	unsigned int size = ksize(c) + 64, i;
	char *arg = argument(self->w, c, self->arena, size);

	EXPECT_EQ(c->result, call(self->w, c, resized(c, size), arg));
	for (i = ksize(c); i < size; i++) {
		EXPECT_EQ(0, arg[i])
			TH_LOG("byte %u is beyond what the kernel knows", i);
	}
	EXPECT_EQ(0, memcmp(arg, &size, sizeof(size)));
}

TEST_F(abi, wrong_direction_is_no_command)
{
	const struct command *c = &variant->c;
	unsigned int dir;

	for (dir = 0; dir < 4; dir++) {
		if (dir == _IOC_DIR(c->cmd))
			continue;
		refused(_metadata, self->w, ENOTTY,
			_IOC(dir, REFOBJ_IOC_MAGIC, _IOC_NR(c->cmd),
			     ksize(c)),
			argument(self->w, c, self->arena, ksize(c)),
			"direction", dir);
	}
}

TEST_F(abi, wrong_magic_is_no_command)
{
	const struct command *c = &variant->c;
	unsigned int magic;

	for (magic = 0; magic < 256; magic++) {
		if (magic == REFOBJ_IOC_MAGIC)
			continue;
		EXPECT_EQ(-ENOTTY,
			  ro_ioctl(self->w->fd,
				   _IOC(_IOC_DIR(c->cmd), magic,
					_IOC_NR(c->cmd), ksize(c)),
				   argument(self->w, c, self->arena,
					    ksize(c))))
			TH_LOG("magic 0x%02x", magic);
	}
}

/* What structures point to. */
FIXTURE(arrays) {
	struct world *w;
	char *arena;		/* two pages, then one that is not there */
	size_t page;
};

FIXTURE_SETUP(arrays)
{
	self->page = sysconf(_SC_PAGESIZE);
	self->arena = mmap(NULL, 3 * self->page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(self->arena != MAP_FAILED);
	ASSERT_EQ(0, munmap(self->arena + 2 * self->page, self->page));
	self->w = malloc(sizeof(*self->w));
	ASSERT_TRUE(!!self->w);
	switch (world_make(self->w)) {
	case 0:
		break;
	case -ENOENT:
		SKIP(return, "no " REFOBJ_DEV ": load refobj.ko");
	default:
		ASSERT_TRUE(false)
			TH_LOG("cannot set up on " REFOBJ_DEV);
	}
}

FIXTURE_TEARDOWN(arrays)
{
	world_end(self->w);
}

TEST_F(arrays, conditions_across_an_unmapped_page)
{
	const struct refobj_condition c[2] = {
		{ .id = self->w->held, .until = REFOBJ_UNTIL_READY },
		{ .id = self->w->filled, .until = REFOBJ_UNTIL_ACTIVE },
	};
	struct refobj_wait a = {
		.size = sizeof(a), .flags = REFOBJ_WAIT_ALL, .count = 2,
		.condition_size = sizeof(c[0]),
	};
	char *end = self->arena + 2 * self->page;
	unsigned int there;

	for (there = 0; there < sizeof(c); there++) {
		memcpy(end - there, c, there);
		a.conditions = (uintptr_t)end - there;
		refused(_metadata, self->w, EFAULT, REFOBJ_IOC_WAIT, &a,
			"bytes there:", there);
	}
	memcpy(end - sizeof(c), c, sizeof(c));
	a.conditions = (uintptr_t)end - sizeof(c);
	EXPECT_EQ(0, ro_ioctl(self->w->fd, REFOBJ_IOC_WAIT, &a));
}

TEST_F(arrays, value_across_an_unmapped_page)
{
	struct refobj_value a = {
		.size = sizeof(a), .id = self->w->held, .length = 32,
	};
	char *end = self->arena + 2 * self->page;
	unsigned int there;

	for (there = 0; there < a.length; there++) {
		a.data = (uintptr_t)end - there;
		refused(_metadata, self->w, EFAULT, REFOBJ_IOC_SET_VALUE, &a,
			"bytes there:", there);
	}
	a.data = (uintptr_t)end - a.length;
	EXPECT_EQ(0, ro_ioctl(self->w->fd, REFOBJ_IOC_SET_VALUE, &a));
}

TEST_F(arrays, value_of_no_bytes_is_looked_for_nowhere)
{
	struct refobj_value a = {
		.size = sizeof(a), .id = self->w->filled,
		.data = (uintptr_t)self->arena + 2 * self->page,
	};

	EXPECT_EQ(0, ro_ioctl(self->w->fd, REFOBJ_IOC_GET_VALUE, &a));
	EXPECT_EQ(strlen(VALUE), a.length);
	EXPECT_EQ(1, a.version);
	a.length = 0;
	a.version = 0;
	EXPECT_EQ(0, ro_ioctl(self->w->fd, REFOBJ_IOC_SET_VALUE, &a));
	EXPECT_EQ(0, ro_ioctl(self->w->fd, REFOBJ_IOC_GET_VALUE, &a));
	EXPECT_EQ(0, a.length);
	EXPECT_EQ(2, a.version);
}

/* Where there is room for less, less is written; a call that fails leaves all. */
TEST_F(arrays, value_into_each_room)
{
	struct refobj_value a = { .size = sizeof(a), .id = self->w->filled };
	char *end = self->arena + 2 * self->page;
	unsigned int room, at, all = strlen(VALUE);

	for (room = 0; room <= all; room++) {
		memset(end - all - 8, POISON, all + 8);
		a.data = (uintptr_t)end - room;
		a.length = room;
		EXPECT_EQ(0, ro_ioctl(self->w->fd, REFOBJ_IOC_GET_VALUE, &a));
		EXPECT_EQ(all, a.length);
		EXPECT_EQ(0, memcmp(end - room, VALUE, room));
		for (at = room + 1; at <= all + 8; at++) {
			EXPECT_EQ(POISON, (unsigned char)*(end - at))
				TH_LOG("byte %u before", at - room);
		}
		if (room == all)
			break;
		a.length = all;
		refused(_metadata, self->w, EFAULT, REFOBJ_IOC_GET_VALUE, &a,
			"bytes there:", room);
	}
}

TEST_F(arrays, bytes_to_read)
{
	char *end = self->arena + 2 * self->page;
	int bytes = -1;

	/* The snapshots of three watches */
	EXPECT_EQ(0, ioctl(self->w->fd, FIONREAD, &bytes));
	EXPECT_EQ(3 * sizeof(struct refobj_event), bytes);
	EXPECT_EQ(0, ioctl(self->w->fd, FIONREAD, end - sizeof(int)));
	EXPECT_EQ(0, memcmp(&bytes, end - sizeof(int), sizeof(int)));
	refused(_metadata, self->w, EFAULT, FIONREAD, NULL, "NULL", 0);
	refused(_metadata, self->w, EFAULT, FIONREAD, end, "hole", 0);
	refused(_metadata, self->w, EFAULT, FIONREAD, end - 2, "half", 0);
}

/*
 * What programs that were compiled with an older header still pass, and what
 * they may rely on: what follows the structure is theirs, and what they do not
 * know of is as it was before there was such a thing.
 */
FIXTURE(old_caller) {
	int fd;
	union {
		struct refobj_info info;
		struct refobj_create create;
		struct refobj_attach attach;
		struct refobj_acquire acquire;
		struct refobj_stat stat;
		char bytes[256];
	} arg;
};

FIXTURE_SETUP(old_caller)
{
	self->fd = ro_open();
	if (self->fd == -ENOENT)
		SKIP(return, "no " REFOBJ_DEV ": load refobj.ko");
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(old_caller)
{
	close(self->fd);
}

/* A call with the first @size bytes of a structure, which others follow. */
static int call_old(struct __test_metadata *_metadata,
		    FIXTURE_DATA(old_caller) * self, unsigned int cmd,
		    __u32 size)
{
	unsigned int i;
	int ret;

	memcpy(self->arg.bytes, &size, sizeof(size));
	memset(self->arg.bytes + size, POISON, sizeof(self->arg) - size);
	ret = ro_ioctl(self->fd, _IOC(_IOC_DIR(cmd), REFOBJ_IOC_MAGIC,
				      _IOC_NR(cmd), size), &self->arg);
	EXPECT_EQ(0, memcmp(&size, self->arg.bytes, sizeof(size)));
	for (i = size; i < sizeof(self->arg); i++) {
		EXPECT_EQ(POISON, (unsigned char)self->arg.bytes[i])
			TH_LOG("byte %u, after the structure, was written", i);
	}
	return ret;
}

/* An object as it was before there were linger times and builders */
static void is_plain(struct __test_metadata *_metadata,
		     FIXTURE_DATA(old_caller) * self, __u64 id)
{
	struct refobj_stat st;

	ASSERT_EQ(0, ro_stat(self->fd, id, &st));
	EXPECT_EQ(REFOBJ_STATE_READY, st.state);
	EXPECT_EQ(0, st.object_flags);
	EXPECT_EQ(0, st.linger_ms);
	EXPECT_EQ(0, st.builder);
	EXPECT_EQ(1, ro_release(self->fd, id, st.users));
	EXPECT_EQ(-ESTALE, ro_stat(self->fd, id, &st));
}

/* Before there was a quota of watches */
TEST_F(old_caller, asks_for_info_with_104_bytes)
{
	struct refobj_info now = { .size = sizeof(now) };

	EXPECT_EQ(0, call_old(_metadata, self, REFOBJ_IOC_INFO, 104));
	EXPECT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_INFO, &now));
	now.size = 104;
	EXPECT_EQ(0, memcmp(&now, &self->arg, 104));
	EXPECT_LT(0, now.session);
}

/* Before objects lingered */
TEST_F(old_caller, creates_with_120_bytes)
{
	self->arg.create = (struct refobj_create) {
		.initial = 2, .name = NEW_NAME, .type = "abi",
	};
	EXPECT_EQ(1, call_old(_metadata, self, REFOBJ_IOC_CREATE, 120));
	is_plain(_metadata, self, self->arg.create.id);
}

TEST_F(old_caller, attaches_with_128_bytes)
{
	__u64 id;

	self->arg.attach = (struct refobj_attach) {
		.count = 2, .name = NEW_NAME, .type = "abi",
	};
	EXPECT_EQ(1, call_old(_metadata, self, REFOBJ_IOC_ATTACH, 128));
	EXPECT_EQ(1, self->arg.attach.created);
	id = self->arg.attach.id;
	EXPECT_EQ(0, call_old(_metadata, self, REFOBJ_IOC_ATTACH, 128));
	EXPECT_EQ(0, self->arg.attach.created);
	EXPECT_EQ(id, self->arg.attach.id);
	EXPECT_EQ(4, ro_users(self->fd, id));
	is_plain(_metadata, self, id);
}

/* It is told the builder is not he, so it does not wait for what never comes. */
TEST_F(old_caller, attaches_to_what_is_being_built)
{
	int builder = ro_open();
	__u64 id;

	ASSERT_LE(0, builder);
	EXPECT_EQ(REFOBJ_FIRST | REFOBJ_BUILDER,
		  ro_create(builder, NEW_NAME, REFOBJ_BUILD, 1, &id));
	self->arg.attach = (struct refobj_attach) {
		.count = 2, .name = NEW_NAME,
	};
	EXPECT_EQ(0, call_old(_metadata, self, REFOBJ_IOC_ATTACH, 128));
	EXPECT_EQ(id, self->arg.attach.id);
	close(builder);
	EXPECT_EQ(1, ro_release(self->fd, id, 2));
}

/* Before ACQUIRE learned of types */
TEST_F(old_caller, acquires_with_24_bytes)
{
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, NULL, 0, 1, &id));
	self->arg.acquire = (struct refobj_acquire) { .id = id, .count = 3 };
	EXPECT_EQ(0, call_old(_metadata, self, REFOBJ_IOC_ACQUIRE, 24));
	EXPECT_EQ(4, ro_users(self->fd, id));
}

/* Before there were linger times, watches, payloads, builders and edges */
TEST_F(old_caller, asks_for_stat_with_176_bytes)
{
	struct refobj_stat now;
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, NEW_NAME, 0, 5, &id));
	self->arg.stat = (struct refobj_stat) { .id = id };
	EXPECT_EQ(0, call_old(_metadata, self, REFOBJ_IOC_STAT, 176));
	EXPECT_EQ(0, ro_stat(self->fd, id, &now));
	now.size = 176;
	EXPECT_EQ(0, memcmp(&now, &self->arg, 176));
	EXPECT_EQ(5, now.users);
}

TEST(number_out_of_the_table_is_no_command)
{
	char arg[128] = { 0 };
	unsigned int nr, dir;
	int fd = ro_open();

	if (fd == -ENOENT)
		SKIP(return, "no " REFOBJ_DEV ": load refobj.ko");
	ASSERT_LE(0, fd);
	for (nr = _IOC_NR(REFOBJ_IOC_SUBMIT) + 1; nr < 256; nr++)
		for (dir = 0; dir < 4; dir++) {
			EXPECT_EQ(-ENOTTY,
				  ro_ioctl(fd, _IOC(dir, REFOBJ_IOC_MAGIC, nr,
						    sizeof(arg)), arg))
				TH_LOG("number 0x%02x, direction %u", nr, dir);
		}
	close(fd);
}

TEST_HARNESS_MAIN
