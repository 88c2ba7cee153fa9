// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules that all commands of /dev/refobj share: sizes, flags, reserved
 * fields, pointers, and that a refused call has changed nothing. One table,
 * the variants of the fixture, drives every command through each of them. Built
 * for 32 bits too, as abi_32.
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

#define NEW_NAME	"abi-new"
#define HELD_NAME	"abi-held"
#define IDLE_NAME	"abi-idle"
#define POISON		0xcc
#define WHY		"the table of commands"
#define LARGEST		4096	/* structure that any kernel accepts */
#define MAX_ARG		16384	/* more than an ioctl number can express */

/* What the commands of a test work on, made anew for each successful call. */
struct world {
	int fd;
	__u64 held;		/* transient, two users, both of fd's session */
	__u64 idle;		/* persistent, no users */
	struct refobj_holder records[4];
};

/* All that can be seen of a world from outside. */
struct snapshot {
	struct refobj_info info;
	struct refobj_stat held;
	struct refobj_stat idle;
	struct refobj_holder holder;
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

/* A command: the row of the table. */
struct command {
	unsigned int cmd;	/* with the kernel's size in it */
	unsigned int min;	/* the shortest structure accepted */
	bool writes;		/* the structure is written back */
	bool changes;		/* a success can be seen in a snapshot */
	int result;		/* of a success */
	__u32 flags;		/* those that it knows */
	void (*build)(struct world *w, void *arg);
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

static unsigned int ksize(const struct command *c)
{
	return _IOC_SIZE(c->cmd);
}

static unsigned long resized(const struct command *c, unsigned int size)
{
	return _IOC(_IOC_DIR(c->cmd), REFOBJ_IOC_MAGIC, _IOC_NR(c->cmd), size);
}

static int world_make(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->fd = ro_open();
	if (w->fd < 0)
		return w->fd;
	if (ro_create(w->fd, HELD_NAME, 0, 2, &w->held) != 1)
		return -1;
	return ro_create(w->fd, IDLE_NAME, REFOBJ_PERSISTENT, 0, &w->idle);
}

static void world_end(struct world *w)
{
	ro_destroy(w->fd, w->idle);
	close(w->fd);
}

static void look(struct world *w, struct snapshot *s)
{
	struct refobj_stat st = { .size = sizeof(st) };
	__u64 id = 0;

	memset(s, 0, sizeof(*s));
	s->info.size = sizeof(s->info);
	ro_ioctl(w->fd, REFOBJ_IOC_INFO, &s->info);
	ro_stat(w->fd, w->held, &s->held);
	ro_stat(w->fd, w->idle, &s->idle);
	ro_holders(w->fd, w->held, &s->holder, 1, NULL);
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

FIXTURE_SETUP(abi)
{
	/* A registry to itself, where that is allowed. */
	if (unshare(CLONE_NEWNET))
		TH_LOG("sharing the registry: %s", strerror(errno));

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
	EXPECT_EQ(c->result, ro_ioctl(w->fd, cmd, arg))
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

	EXPECT_EQ(c->result, ro_ioctl(self->w->fd, c->cmd, arg));
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

	EXPECT_EQ(c->result,
		  ro_ioctl(self->w->fd, resized(c, size), arg));
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
	for (nr = _IOC_NR(REFOBJ_IOC_ADOPT) + 1; nr < 256; nr++)
		for (dir = 0; dir < 4; dir++) {
			EXPECT_EQ(-ENOTTY,
				  ro_ioctl(fd, _IOC(dir, REFOBJ_IOC_MAGIC, nr,
						    sizeof(arg)), arg))
				TH_LOG("number 0x%02x, direction %u", nr, dir);
		}
	close(fd);
}

TEST_HARNESS_MAIN
