// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ours: what /dev/refobj does, and how that grows. By ioctl, unless a row says that it
 * is the library.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "librefobj-netlink.h"
#include "librefobj.h"

#include "bench.h"

static int session, other;	/* the row's, and that of who else holds something */
static struct refobj_acquire acquire = { .size = sizeof(acquire), .count = 1 };
static struct refobj_release release = { .size = sizeof(release), .count = 1 };
static struct refobj_attach attach = { .size = sizeof(attach), .count = 1 };

static int session_open(void)
{
	return need(open("/dev/refobj", O_RDWR | O_CLOEXEC | O_NONBLOCK),
		    "/dev/refobj");
}

static uint64_t create(int fd, const char *name, uint32_t flags, uint32_t initial)
{
	struct refobj_create args = {
		.size = sizeof(args), .flags = flags, .initial = initial,
	};

	snprintf(args.name, sizeof(args.name), "%s", name);
	need(ioctl(fd, REFOBJ_IOC_CREATE, &args), "CREATE");
	return args.id;
}

static void take(int fd, uint64_t id)
{
	struct refobj_acquire args = {
		.size = sizeof(args), .id = id, .count = 1,
	};

	need(ioctl(fd, REFOBJ_IOC_ACQUIRE, &args), "ACQUIRE");
}

static void watch(int fd, uint64_t id, uint32_t mask)
{
	struct refobj_watch args = {
		.size = sizeof(args), .id = id, .mask = mask,
	};
	struct refobj_event event;

	need(ioctl(fd, REFOBJ_IOC_WATCH, &args), "WATCH");
	need(read(fd, &event, sizeof(event)), "the snapshot");
}

/*
 * A pair. What the row is about is in who else holds the object. Where a pair makes and
 * drops something, RCU frees it a good while later: such rows are of so many that what
 * a sample leaves to be freed is little of it, and are up to 1 % off nevertheless.
 */
static void pair_of(uint64_t id)
{
	acquire.id = id;
	release.id = id;
}

static void pair_run(unsigned long n)
{
	while (n--) {
		need(ioctl(session, REFOBJ_IOC_ACQUIRE, &acquire), "ACQUIRE");
		need(ioctl(session, REFOBJ_IOC_RELEASE, &release), "RELEASE");
	}
}

static void held_by_us(unsigned long value)
{
	(void)value;
	session = session_open();
	pair_of(create(session, "", 0, 1));
}

static void held_by_other(unsigned long value)
{
	(void)value;
	session = session_open();
	other = session_open();
	pair_of(create(other, "", 0, 1));
}

static void persistent(unsigned long value)
{
	(void)value;
	session = session_open();
	pair_of(create(session, "", REFOBJ_PERSISTENT, 0));
}

static struct refobj_session *library;

static void library_prepare(unsigned long value)
{
	uint64_t id;

	(void)value;
	need(refobj_open(&library), "refobj_open()");
	need(refobj_create(library, NULL, NULL, 1, &id), "refobj_create()");
	pair_of(id);
}

static void library_run(unsigned long n)
{
	while (n--) {
		need(refobj_acquire(library, acquire.id, 1), "refobj_acquire()");
		need(refobj_release(library, acquire.id, 1), "refobj_release()");
	}
}

/* 64 pairs in a call; one of them is one time. */
static struct refobj_op batch[128];

static void batch_prepare(unsigned long value)
{
	size_t i;

	held_by_us(value);
	for (i = 0; i < COUNT(batch); i++)
		batch[i] = (struct refobj_op) {
			.op = i % 2 ? REFOBJ_OP_RELEASE : REFOBJ_OP_ACQUIRE,
			.id = acquire.id, .count = 1,
		};
}

static void batch_run(unsigned long n)
{
	struct refobj_submit args = {
		.size = sizeof(args), .ops = (uintptr_t)batch,
		.count = COUNT(batch), .op_size = sizeof(batch[0]),
	};

	for (; n; n -= COUNT(batch) / 2)
		if (ioctl(session, REFOBJ_IOC_SUBMIT, &args) != COUNT(batch))
			failed("SUBMIT", -1);
}

static struct refobj_shared *shared;

static void shared_prepare(unsigned long value)
{
	library_prepare(value);
	need(refobj_shared_open(&shared, library, acquire.id), "refobj_shared_open()");
	need(refobj_shared_get(shared), "refobj_shared_get()");
}

static void shared_run(unsigned long n)
{
	while (n--) {
		need(refobj_shared_get(shared), "refobj_shared_get()");
		need(refobj_shared_put(shared), "refobj_shared_put()");
	}
}

/*
 * By name
 */
static void attach_prepare(unsigned long value)
{
	(void)value;
	session = session_open();
	memcpy(attach.name, "bench", sizeof("bench"));
}

static void attach_existing(unsigned long value)
{
	attach_prepare(value);
	other = session_open();
	create(other, attach.name, 0, 1);
}

static void attach_run(unsigned long n)
{
	while (n--) {
		need(ioctl(session, REFOBJ_IOC_ATTACH, &attach), "ATTACH");
		release.id = attach.id;
		need(ioctl(session, REFOBJ_IOC_RELEASE, &release), "RELEASE");
	}
}

static void lookup_run(unsigned long n)
{
	struct refobj_lookup args = { .size = sizeof(args), .name = "bench" };

	while (n--)
		need(ioctl(session, REFOBJ_IOC_LOOKUP, &args), "LOOKUP");
}

static void session_run(unsigned long n)
{
	while (n--)
		close(session_open());
}

/*
 * Descriptors, files, values
 */
static void export_run(unsigned long n)
{
	struct refobj_export args = { .size = sizeof(args), .id = acquire.id };

	while (n--)
		close(need(ioctl(session, REFOBJ_IOC_EXPORT, &args), "EXPORT"));
}

static int exported;

static void import_prepare(unsigned long value)
{
	struct refobj_export args = { .size = sizeof(args) };

	held_by_other(value);
	args.id = acquire.id;
	exported = need(ioctl(other, REFOBJ_IOC_EXPORT, &args), "EXPORT");
}

static void import_run(unsigned long n)
{
	struct refobj_import args = {
		.size = sizeof(args), .fd = exported, .count = 1,
	};

	while (n--) {
		need(ioctl(session, REFOBJ_IOC_IMPORT, &args), "IMPORT");
		need(ioctl(session, REFOBJ_IOC_RELEASE, &release), "RELEASE");
	}
}

static void file_prepare(unsigned long value)
{
	struct refobj_payload args = { .size = sizeof(args) };

	held_by_us(value);
	args.id = acquire.id;
	args.fd = need(memfd_create("bench", MFD_CLOEXEC), "memfd_create()");
	need(ioctl(session, REFOBJ_IOC_SET_PAYLOAD, &args), "SET_PAYLOAD");
}

static void file_run(unsigned long n)
{
	struct refobj_payload args = { .size = sizeof(args), .id = acquire.id };

	while (n--)
		close(need(ioctl(session, REFOBJ_IOC_GET_PAYLOAD, &args),
			   "GET_PAYLOAD"));
}

static void value_run(unsigned long n)
{
	char bytes[64] = "";
	struct refobj_value args = {
		.size = sizeof(args), .id = acquire.id,
		.data = (uintptr_t)bytes, .length = sizeof(bytes),
	};

	while (n--) {
		need(ioctl(session, REFOBJ_IOC_SET_VALUE, &args), "SET_VALUE");
		args.version = 0;
		need(ioctl(session, REFOBJ_IOC_GET_VALUE, &args), "GET_VALUE");
		args.version = 0;
	}
}

/*
 * Waits
 */
static void wait_for(uint64_t id, uint32_t until)
{
	struct refobj_condition condition = { .id = id, .until = until };
	struct refobj_wait args = {
		.size = sizeof(args), .conditions = (uintptr_t)&condition,
		.count = 1, .condition_size = sizeof(condition),
		.timeout_ns = REFOBJ_UNLIMITED,
	};

	need(ioctl(session, REFOBJ_IOC_WAIT, &args), "WAIT");
}

static void wait_run(unsigned long n)
{
	while (n--)
		wait_for(acquire.id, REFOBJ_UNTIL_ACTIVE);
}

/* Two objects: one that we use when we call, one that the other uses to answer. */
static uint64_t call, answer;

static void answer_start(void)
{
	close(session);
	session = session_open();
	pair_of(answer);
}

static void answer_work(void)
{
	wait_for(call, REFOBJ_UNTIL_ACTIVE);
	need(ioctl(session, REFOBJ_IOC_ACQUIRE, &acquire), "ACQUIRE");
	wait_for(call, REFOBJ_UNTIL_IDLE);
	need(ioctl(session, REFOBJ_IOC_RELEASE, &release), "RELEASE");
}

static void wake_prepare(unsigned long value)
{
	(void)value;
	session = session_open();
	call = create(session, "", REFOBJ_PERSISTENT, 0);
	answer = create(session, "", REFOBJ_PERSISTENT, 0);
	helper(answer_start, answer_work);
	pair_of(call);
}

/* Two round trips a turn. */
static void wake_run(unsigned long n)
{
	for (; n; n -= 2) {
		need(ioctl(session, REFOBJ_IOC_ACQUIRE, &acquire), "ACQUIRE");
		wait_for(answer, REFOBJ_UNTIL_ACTIVE);
		need(ioctl(session, REFOBJ_IOC_RELEASE, &release), "RELEASE");
		wait_for(answer, REFOBJ_UNTIL_IDLE);
	}
}

/*
 * Events
 */
static int *watchers;
static unsigned long nwatchers;

static void watchers_prepare(unsigned long n)
{
	unsigned long i;

	nwatchers = n;
	watchers = calloc(n, sizeof(*watchers));
	if (!watchers)
		skip("no memory");
	for (i = 0; i < n; i++) {
		watchers[i] = session_open();
		watch(watchers[i], acquire.id, REFOBJ_WATCH_DEFAULT);
	}
}

static void watched_held(unsigned long n)
{
	held_by_other(n);
	watchers_prepare(n);
}

static void watched_idle(unsigned long n)
{
	persistent(n);
	watchers_prepare(n);
}

static void events_run(unsigned long n)
{
	struct refobj_event events[4];
	unsigned long i;

	while (n--) {
		pair_run(1);
		/* activated, ready, deactivated */
		for (i = 0; i < nwatchers; i++)
			need(read(watchers[i], events, sizeof(events)), "read()");
	}
}

static void counts_prepare(unsigned long value)
{
	held_by_other(value);
	watchers_prepare(1);
	watch(watchers[0], acquire.id, REFOBJ_WATCH_ALL);
}

static void watch_run(unsigned long n)
{
	struct refobj_watch args = {
		.size = sizeof(args), .id = acquire.id,
		.mask = REFOBJ_WATCH_DEFAULT,
	};
	struct refobj_event event;

	while (n--) {
		args.mask = REFOBJ_WATCH_DEFAULT;
		need(ioctl(session, REFOBJ_IOC_WATCH, &args), "WATCH");
		need(read(session, &event, sizeof(event)), "read()");
		args.mask = 0;
		need(ioctl(session, REFOBJ_IOC_WATCH, &args), "WATCH");
	}
}

/*
 * One object and many holders. Here and below the parent of the rows makes what they
 * share, and its session holds it.
 */
static int crowd;
static uint64_t popular;

static void holders_grow(unsigned long n)
{
	static unsigned long made;

	for (; made < n; made++) {
		if (made) {
			take(session_open(), popular);
		} else {
			crowd = session_open();
			popular = create(crowd, "", 0, 1);
		}
	}
}

static void popular_prepare(unsigned long value)
{
	(void)value;
	session = session_open();
	pair_of(popular);
}

static void popular_held(unsigned long value)
{
	popular_prepare(value);
	take(session, popular);
}

static const unsigned long holder_counts[] = { 1, 10, 100, 1000, 10000, 100000, 0 };
static const struct axis holders = {
	"holders of one", holder_counts, holders_grow
};

/*
 * Objects that have been, as numbers are given out in turn, to all registries: what is
 * looked up by a large one is deeper in a tree. So the rows without an axis, which come
 * first, tell of a young machine, and the axes after this one of an old.
 */
static void age_grow(unsigned long n)
{
	static unsigned long made;

	if (!made)
		session = session_open();
	for (; made < n; made++) {
		release.id = create(session, "", 0, 1);
		need(ioctl(session, REFOBJ_IOC_RELEASE, &release), "RELEASE");
	}
}

/* With the last it is as deep as it gets in the rows below, up to 16 million. */
static const unsigned long age_counts[] = { 1, 1000, 100000, 300000, 0 };
static const struct axis age = { "objects that have been", age_counts, age_grow };

/*
 * Many objects
 */
static uint64_t *all;			/* their ids */

static void objects_grow(unsigned long n)
{
	static unsigned long made;
	char name[32];

	if (!made) {
		crowd = session_open();
		all = calloc(1000000, sizeof(*all));
		if (!all)
			skip("no memory");
	}
	for (; made < n; made++) {
		snprintf(name, sizeof(name), "bench-%lu", made);
		all[made] = create(crowd, name, 0, 1);
	}
}

static const unsigned long object_counts[] = { 1, 1000, 100000, 1000000, 0 };
static const struct axis objects = {
	"objects in the registry", object_counts, objects_grow
};

static const unsigned long told_counts[] = { 1, 1000, 100000, 1000000, 0 };
static const struct axis told_objects = {
	"objects in the registry", told_counts, objects_grow
};

/* A session may be used by who has its descriptor. */
static void crowd_pair(unsigned long n)
{
	session = crowd;
	pair_of(all[n / 2]);
}

static struct refobj_nl *netlink;

static void dump_prepare(unsigned long value)
{
	(void)value;
	need(refobj_nl_open(&netlink), "refobj_nl_open()");
}

static int dump_told(const struct refobj_stat *object, void *arg)
{
	(void)object;
	++*(unsigned long *)arg;
	return 0;
}

static void dump_run(unsigned long n)
{
	unsigned long told = 0;

	need(refobj_nl_objects(netlink, NULL, dump_told, &told),
	     "refobj_nl_objects()");
	if (told != n)
		skip("%lu objects were told, not %lu", told, n);
}

static void walk_prepare(unsigned long value)
{
	(void)value;
	session = session_open();
}

static void walk_run(unsigned long n)
{
	struct refobj_stat stat = { .size = sizeof(stat) };

	while (n--) {
		stat.flags = REFOBJ_STAT_NEXT;
		need(ioctl(session, REFOBJ_IOC_STAT, &stat), "STAT");
	}
}

static void take_all_arm(unsigned long n)
{
	session = session_open();
	while (n--)
		take(session, all[n]);
}

/*
 * Many references of a session
 */
static void hold_many(unsigned long n)
{
	while (n--)
		create(session, "", 0, 1);
}

static void references_prepare(unsigned long n)
{
	held_by_other(n);
	hold_many(n);
}

static void teardown_arm(unsigned long n)
{
	session = session_open();
	hold_many(n);
}

static void teardown_run(unsigned long n)
{
	(void)n;
	close(session);
}

static unsigned long victims;		/* references */

static void victim_hold(void)
{
	session = session_open();
	hold_many(victims);
}

static void victim_arm(unsigned long n)
{
	victims = n;
	victim(victim_hold);
}

static void victim_take_all(void)
{
	take_all_arm(victims);
}

static void victim_of_many(unsigned long n)
{
	victims = n;
	victim(victim_take_all);
}

static void victim_of_one(unsigned long value)
{
	(void)value;
	victim_arm(1);
}

static const unsigned long reference_counts[] = { 1, 1000, 100000, 1000000, 0 };
static const struct axis references = {
	"references in the session", reference_counts, NULL
};

static const unsigned long death_counts[] = { 1, 1000, 100000, 0 };
static const struct axis dead = {
	"references in the session", death_counts, NULL
};

/*
 * Edges
 */
static void link_to(uint64_t id, uint64_t dep)
{
	struct refobj_link args = { .size = sizeof(args), .id = id, .dep = dep };

	need(ioctl(session, REFOBJ_IOC_LINK, &args), "LINK");
}

/* The first needs all others, or each needs the next. */
static void graph(unsigned long edges, int chain)
{
	uint64_t *nodes = calloc(edges + 1, sizeof(*nodes));
	unsigned long i;

	session = session_open();
	if (!nodes)
		skip("no memory");
	for (i = 0; i <= edges; i++)
		nodes[i] = create(session, "", REFOBJ_PERSISTENT, 0);
	/* from the end, as LINK looks for a way back */
	for (i = edges; i; i--)
		link_to(nodes[chain ? i - 1 : 0], nodes[i]);
	pair_of(nodes[0]);
	free(nodes);
}

static void star_prepare(unsigned long edges)
{
	graph(edges, 0);
}

static void chain_prepare(unsigned long edges)
{
	graph(edges, 1);
}

static void graph_run(unsigned long n)
{
	(void)n;
	pair_run(1);
}

static const unsigned long edge_counts[] = { 1, 100, 10000, 0 };
static const struct axis edges = { "edges", edge_counts, NULL };

static const unsigned long watch_counts[] = { 1, 10, 1000, 0 };
static const struct axis watching = { "watchers", watch_counts, NULL };

static const struct row rows[] = {
	{ .kind = "ours", .watched = true, .name = "pair, the session holds more", .n = 10000,
	  .prepare = held_by_us, .run = pair_run },
	{ .kind = "ours", .watched = true, .name = "the same through librefobj", .n = 10000,
	  .prepare = library_prepare, .run = library_run },
	{ .kind = "ours", .watched = true, .name = "pair, in a batch of 64", .n = 12800,
	  .prepare = batch_prepare, .run = batch_run },
	{ .kind = "ours", .watched = true, .name = "pair, of a handle that threads share",
	  .n = 100000, .prepare = shared_prepare, .run = shared_run },
	{ .kind = "ours", .watched = true, .name = "pair, another session holds the object",
	  .n = 20000, .prepare = held_by_other, .run = pair_run },
	{ .kind = "ours", .watched = true, .name = "first + last of a persistent object",
	  .n = 20000, .prepare = persistent, .run = pair_run },
	{ .kind = "ours", .watched = true, .name = "attach to what is there + release",
	  .n = 10000, .prepare = attach_existing, .run = attach_run },
	{ .kind = "ours", .name = "lookup of a name", .n = 5000,
	  .prepare = attach_existing, .run = lookup_run },
	{ .kind = "ours", .watched = true, .name = "session open + close", .n = 5000,
	  .run = session_run },
	{ .kind = "ours", .watched = true, .name = "export + close", .n = 10000,
	  .prepare = held_by_us, .run = export_run },
	{ .kind = "ours", .name = "import + release", .n = 10000,
	  .prepare = import_prepare, .run = import_run },
	{ .kind = "ours", .name = "get the file + close", .n = 5000,
	  .prepare = file_prepare, .run = file_run },
	{ .kind = "ours", .name = "set + get a value of 64 bytes", .n = 5000,
	  .prepare = held_by_us, .run = value_run },
	{ .kind = "ours", .watched = true, .name = "wait for what is so already", .n = 5000,
	  .prepare = held_by_us, .run = wait_run },
	{ .kind = "ours", .name = "wait + wake, there and back", .n = 4000,
	  .prepare = wake_prepare, .run = wake_run },
	{ .kind = "ours", .name = "watch + snapshot + unwatch", .n = 10000,
	  .prepare = held_by_other, .run = watch_run },
	{ .kind = "ours", .name = "pair, its count read as an event", .n = 10000,
	  .prepare = counts_prepare, .run = events_run },
	{ .kind = "ours", .name = "SIGKILL + reap, holding a reference",
	  .n = 1, .arm = victim_of_one, .run = kill_run },

	{ .axis = &age, .kind = "ours", .n = 10000,
	  .name = "pair, the session holds more", .prepare = held_by_us,
	  .run = pair_run },
	{ .axis = &age, .kind = "ours", .n = 10000,
	  .name = "pair, another session holds the object",
	  .prepare = held_by_other, .run = pair_run },

	{ .axis = &watching, .kind = "ours", .n = 10000,
	  .name = "pair, watched, nothing to tell",
	  .prepare = watched_held, .run = pair_run },
	{ .axis = &watching, .kind = "ours", .n = 100,
	  .name = "first + last, each watcher reads 3 events",
	  .prepare = watched_idle, .run = events_run },

	{ .axis = &holders, .kind = "ours", .n = 5000,
	  .name = "pair, the session holds more", .prepare = popular_held,
	  .run = pair_run },
	{ .axis = &holders, .kind = "ours", .n = 10000,
	  .name = "pair, others hold the object", .prepare = popular_prepare,
	  .run = pair_run },

	{ .axis = &objects, .kind = "ours", .n = 5000,
	  .name = "pair, the session holds more", .prepare = held_by_us,
	  .run = pair_run },
	{ .axis = &objects, .kind = "ours", .n = 5000,
	  .name = "attach that creates + last release",
	  .prepare = attach_prepare, .run = attach_run },
	{ .axis = &objects, .kind = "ours", .n = 5000,
	  .name = "attach to what is there + release",
	  .prepare = attach_existing, .run = attach_run },
	{ .axis = &objects, .kind = "ours", .n = 5000,
	  .name = "pair, the session holds all of them",
	  .prepare = crowd_pair, .run = pair_run },
	{ .axis = &told_objects, .kind = "ours", .arm = take_all_arm,
	  .name = "session's end, per reference, others hold too",
	  .run = teardown_run },
	{ .axis = &told_objects, .kind = "ours", .arm = victim_of_many,
	  .name = "SIGKILL + reap, per reference, others hold too", .run = kill_run },
	{ .axis = &told_objects, .kind = "ours", .name = "STAT walk, per object",
	  .prepare = walk_prepare, .run = walk_run },
	{ .axis = &told_objects, .kind = "ours", .name = "netlink dump, per object",
	  .prepare = dump_prepare, .run = dump_run },

	{ .axis = &dead, .kind = "ours", .n = 5000,
	  .name = "pair, another session holds the object",
	  .prepare = references_prepare, .run = pair_run },
	{ .axis = &references, .kind = "ours", .arm = teardown_arm,
	  .name = "session's end, per reference, the objects' last",
	  .run = teardown_run },
	{ .axis = &dead, .kind = "ours", .arm = victim_arm,
	  .name = "SIGKILL + reap, per reference", .run = kill_run },

	{ .axis = &edges, .kind = "ours", .prepare = star_prepare,
	  .name = "first + last of who needs many, per edge",
	  .run = graph_run },
	{ .axis = &edges, .kind = "ours", .prepare = chain_prepare,
	  .name = "first + last of a chain, per edge",
	  .run = graph_run },
};

const struct rows refobj_rows = { rows, COUNT(rows) };

/*
 * Memory: what so many add. All have a session, with its descriptor.
 */
static void anonymous_make(unsigned long n)
{
	while (n--)
		create(session, "", REFOBJ_PERSISTENT, 0);
}

static void named_make(unsigned long n)
{
	char name[32];

	while (n--) {
		snprintf(name, sizeof(name), "bench-%07lu", n);
		create(session, name, REFOBJ_PERSISTENT, 0);
	}
}

static void session_prepare(unsigned long value)
{
	(void)value;
	session = session_open();
	/* the table of descriptors is not what is weighed */
	close(need(dup3(session, 200000, O_CLOEXEC), "dup3()"));
}

static void sessions_make(unsigned long n)
{
	while (n--)
		session_open();
}

static void files_make(unsigned long n)
{
	while (n--)
		need(open("/dev/null", O_RDWR | O_CLOEXEC), "/dev/null");
}

static uint64_t *ids;

static void ids_prepare(unsigned long value)
{
	size_t i;

	session_prepare(value);
	other = session_open();
	ids = calloc(100000, sizeof(*ids));
	for (i = 0; i < 100000; i++)
		ids[i] = create(other, "", 0, 1);
}

static void references_make(unsigned long n)
{
	while (n--)
		take(session, ids[n]);
}

static void watches_make(unsigned long n)
{
	while (n--)
		watch(session, ids[n], REFOBJ_WATCH_DEFAULT);
}

static const unsigned long weighed_counts[] = { 100000, 0 };
static const struct axis weighed = { "memory, bytes each of", weighed_counts, NULL };

static const struct row weights[] = {
	{ .axis = &weighed, .kind = "memory",
	  .name = "object without a name",
	  .prepare = session_prepare, .run = anonymous_make },
	{ .axis = &weighed, .kind = "memory",
	  .name = "object with a name of 13 bytes",
	  .prepare = session_prepare, .run = named_make },
	{ .axis = &weighed, .kind = "memory",
	  .name = "reference of a session",
	  .prepare = ids_prepare, .run = references_make },
	{ .axis = &weighed, .kind = "memory",
	  .name = "watch",
	  .prepare = ids_prepare, .run = watches_make },
	{ .axis = &weighed, .kind = "memory",
	  .name = "session, with its open file",
	  .prepare = session_prepare, .run = sessions_make },
	{ .axis = &weighed, .kind = "memory",
	  .name = "open file of /dev/null",
	  .prepare = session_prepare, .run = files_make },
};

const struct rows memory_rows = { weights, COUNT(weights) };
