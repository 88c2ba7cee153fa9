// SPDX-License-Identifier: GPL-2.0-only
/* The verbs that follow objects, and that wait for them. */
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <poll.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "refctl.h"

#define NSEC_PER_SEC	1000000000ULL
#define NSEC_PER_MSEC	1000000ULL

static const char timeout_exits[] =
	"    0  done\n"
	"    1  failed: no such object, it has died, no permission, no module, ...\n"
	"    2  the time was over first\n"
	"    3  wrong usage\n";

/*
 * watch
 */

enum {
	OPT_TIMEOUT = 256,
	OPT_COUNTS,
};

static struct {
	uint64_t count;		/* 0: without an end */
	int64_t timeout_ms;	/* -1: never */
	uint32_t mask;
} watch = { .timeout_ms = -1, .mask = REFOBJ_WATCH_DEFAULT };

/* What is watched; the cookie is the index. */
struct watched {
	uint64_t id;
	char name[REFOBJ_NAME_SIZE];
	bool unsure;	/* how things stand with it: to be watched (anew) */
	bool gone;
};

struct event_row {
	struct refobj_event event;
	const struct watched *object;	/* NULL: of none */
};

#define EVENT(row) (&((const struct event_row *)(row))->event)

/* The events' clock is the host's CLOCK_MONOTONIC. */
static void get_time(struct cell *cell, const void *row)
{
	uint64_t age = host_clock(CLOCK_MONOTONIC) - EVENT(row)->time_ns, ns;
	struct timespec now;
	struct tm tm;
	time_t seconds;

	clock_gettime(CLOCK_REALTIME, &now);
	ns = now.tv_sec * NSEC_PER_SEC + now.tv_nsec - age;
	seconds = (time_t)(ns / NSEC_PER_SEC);
	localtime_r(&seconds, &tm);
	cell->text = xprintf("%02d:%02d:%02d.%03d", tm.tm_hour, tm.tm_min,
			     tm.tm_sec, (int)(ns % NSEC_PER_SEC / NSEC_PER_MSEC));
	cell->json = json_object_new_uint64(EVENT(row)->time_ns);
}

static void get_event_object(struct cell *cell, const void *row)
{
	const struct watched *o = ((const struct event_row *)row)->object;

	if (!o)
		return;
	cell_string(cell, o->name);
	if (!cell->text)
		cell->text = xprintf("id=%" PRIu64, o->id);
}

static void get_event_id(struct cell *cell, const void *row)
{
	if (EVENT(row)->id)
		cell_uint(cell, EVENT(row)->id);
}

static void get_event(struct cell *cell, const void *row)
{
	cell_string(cell, refobj_strevent(EVENT(row)->type));
}

static void get_event_state(struct cell *cell, const void *row)
{
	if (EVENT(row)->type != REFOBJ_EVENT_LOST)
		cell_string(cell, refobj_strstate(EVENT(row)->state));
}

static void get_event_users(struct cell *cell, const void *row)
{
	if (EVENT(row)->type != REFOBJ_EVENT_LOST)
		cell_uint(cell, EVENT(row)->users);
}

static void get_cause(struct cell *cell, const void *row)
{
	if (EVENT(row)->cause)
		cell_string(cell, refobj_strcause(EVENT(row)->cause));
}

static void get_event_pid(struct cell *cell, const void *row)
{
	if (EVENT(row)->pid)
		cell_uint(cell, EVENT(row)->pid);
}

static void get_event_count(struct cell *cell, const void *row)
{
	if (EVENT(row)->count)
		cell_uint(cell, EVENT(row)->count);
}

static void get_seq(struct cell *cell, const void *row)
{
	cell_uint(cell, EVENT(row)->seq);
}

static void get_object_seq(struct cell *cell, const void *row)
{
	cell_uint(cell, EVENT(row)->object_seq);
}

#define D	COLUMN_DEFAULT
#define R	COLUMN_RIGHT

static const struct column event_columns[] = {
	{ "TIME", D, 12, "when (JSON: CLOCK_MONOTONIC ns)", get_time },
	{ "OBJECT", D, 16, "name, or id=ID without one (JSON: null)",
	  get_event_object },
	{ "EVENT", D, 15, "what happened", get_event },
	{ "STATE", D, 9, "state afterwards", get_event_state },
	{ "USERS", D | R, 5, "all references together, afterwards",
	  get_event_users },
	{ "CAUSE", D, 9, "why it happened", get_cause },
	{ "PID", D | R, 7, "process that caused it, or that died, or that builds now",
	  get_event_pid },
	{ "COUNT", R, 5, "references that a death dropped, or events lost",
	  get_event_count },
	{ "ID", R, 6, "id of the object", get_event_id },
	{ "SEQ", R, 5, "number in this output; a gap is what was lost",
	  get_seq },
	{ "OBJECT_SEQ", R, 10, "number among the events of the object",
	  get_object_seq },
};

#undef D
#undef R

static const struct table event_table = {
	.name = "event", .columns = event_columns,
	.n_columns = ARRAY_SIZE(event_columns),
};

/* All objects that the caller may see, or those named; false: some are not. */
static bool find_watched(struct refobj_session *session, int argc, char **argv,
			 struct watched **list, size_t *n)
{
	struct refobj_stat stat = { 0 };
	bool good = true;
	int i, ret;

	*list = NULL;
	*n = 0;
	for (i = 0; !argc || i < argc; i++) {
		if (argc) {
			if (find_object(session, argv[i], &stat)) {
				good = false;
				continue;
			}
		} else {
			ret = RETRY(refobj_next(session, &stat));
			if (ret == -ENOENT)
				break;
			if (ret) {
				complain_errno(NULL, ret, NULL);
				return false;
			}
		}
		*list = xrealloc(*list, *n + 1, sizeof(**list));
		(*list)[*n].id = stat.id;
		(*list)[*n].unsure = true;
		(*list)[*n].gone = false;
		memcpy((*list)[*n].name, stat.name, sizeof(stat.name));
		(*n)++;
	}
	return good;
}

/* Watches what is unsure, as far as the queue has room; false: complained. */
static bool watch_anew(struct refobj_session *session, struct watched *list,
		       size_t n)
{
	bool good = true;
	size_t i;
	int ret;

	for (i = 0; i < n; i++) {
		struct refobj_stat stat = { .id = list[i].id };

		if (list[i].gone || !list[i].unsure)
			continue;
		ret = RETRY(refobj_watch(session, list[i].id, watch.mask, i));
		if (ret == -EAGAIN)
			break;	/* first there must be room */
		list[i].unsure = false;
		list[i].gone = ret < 0;
		/* it may die at any time: that is no failure */
		if (ret >= 0 || ret == -ESTALE)
			continue;
		memcpy(stat.name, list[i].name, sizeof(stat.name));
		complain_object(session, object_label(&stat), ret);
		good = false;
	}
	return good;
}

static bool any_left(const struct watched *list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!list[i].gone)
			return true;
	return false;
}

/* Prints what there is; how many events of those that count, or negative. */
static int print_events(struct refobj_session *session, struct watched *list,
			size_t n, uint64_t most)
{
	struct refobj_event events[16];
	int got, i, counted = 0;
	size_t j;

	got = RETRY(refobj_read_events(session, events, ARRAY_SIZE(events)));
	if (got < 0) {
		complain_errno(NULL, got, NULL);
		return got;
	}
	for (i = 0; i < got; i++) {
		struct event_row row = { .event = events[i] };
		bool lost = events[i].type == REFOBJ_EVENT_LOST;

		if (!lost && events[i].cookie < n)
			row.object = &list[events[i].cookie];
		if (events[i].type == REFOBJ_EVENT_DESTROYED && row.object)
			list[events[i].cookie].gone = true;
		table_stream(&event_table, &row);
		counted += events[i].type != REFOBJ_EVENT_SNAPSHOT;
		if (most && (uint64_t)counted == most)
			break;
		/* how things stand now is the best that can be told */
		for (j = 0; lost && j < n; j++)
			list[j].unsure = true;
	}
	return counted;
}

static int follow(struct refobj_session *session, struct watched *list,
		  size_t n, bool good)
{
	uint64_t deadline = refobj_deadline(watch.timeout_ms), now, left;
	struct pollfd p = { .fd = refobj_fd(session), .events = POLLIN };
	uint64_t count = 0;
	int ret, ms;

	for (;;) {
		good = watch_anew(session, list, n) && good;
		if (!any_left(list, n))
			break;
		ms = -1;
		if (watch.timeout_ms >= 0) {
			now = host_clock(CLOCK_MONOTONIC);
			left = deadline > now ? deadline - now : 0;
			ms = (int)((left + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC %
				   INT32_MAX);
		}
		ret = poll(&p, 1, ms);
		if (ret < 0)
			continue;	/* a stop and continue */
		if (!ret) {
			if (host_clock(CLOCK_MONOTONIC) < deadline)
				continue;	/* poll() counts fewer */
			if (watch.count)
				return EXIT_TIMEOUT;
			return good ? EXIT_OK : EXIT_FAILED;
		}
		ret = print_events(session, list, n,
				   watch.count ? watch.count - count : 0);
		if (ret < 0 || ferror(stdout))
			return EXIT_FAILED;
		count += ret;
		if (watch.count && count >= watch.count)
			return good ? EXIT_OK : EXIT_FAILED;
	}
	if (!watch.count || !good)
		return good ? EXIT_OK : EXIT_FAILED;
	complain(NULL, "all that was watched has died after %" PRIu64 " of %" PRIu64
		 " events: list what there is: refctl ls", count, watch.count);
	return EXIT_FAILED;
}

static int run_watch(int argc, char **argv)
{
	struct refobj_session *session = open_session();
	struct watched *list;
	bool good;
	int status;
	size_t n;

	if (!session)
		return EXIT_FAILED;
	good = find_watched(session, argc, argv, &list, &n);
	status = follow(session, list, n, good);
	refobj_close(session);
	free(list);
	return status;
}

static bool watch_option(int code, const char *arg)
{
	switch (code) {
	case 'n':
		if (parse_number(arg, 10, 1, UINT64_MAX, &watch.count))
			return true;
		complain(NULL, "bad number of events '%s': 1 or more are wanted",
			 escape(arg));
		return false;
	case OPT_TIMEOUT:
		return parse_timeout(arg, &watch.timeout_ms);
	case OPT_COUNTS:
		watch.mask = REFOBJ_WATCH_ALL;
		return true;
	}
	return false;
}

static const struct option_text watch_options[] = {
	{ "number", 'n', "COUNT", "end after COUNT events, snapshots not counted" },
	{ "timeout", OPT_TIMEOUT, "SECONDS",
	  "end after this time: a failure if there were not COUNT events" },
	{ "counts", OPT_COUNTS, NULL,
	  "tell every change of the number of users, too" },
	{ NULL, 0, NULL, NULL }
};

const struct verb verb_watch = {
	.name = "watch",
	.args = "[OPTIONS] [NAME|ID...]",
	.summary = "print what becomes of objects, as it happens",
	.help = "Prints a line for each event of the given objects, or of all that there are now\n"
		"and that you may see, until they have died. The first line of each is a snapshot.\n"
		"Watching keeps nothing alive. With --json each line is an object of its own.\n"
		"If events come faster than they can be printed, a line says how many were lost,\n"
		"and snapshots follow.",
	.options = watch_options,
	.table = &event_table,
	.exits = timeout_exits,
	.usage_status = EXIT_USAGE_TIMEOUT,
	.option = watch_option,
	.run = run_watch,
};

/*
 * monitor
 */

static struct {
	uint64_t count;		/* 0: without an end */
	int64_t timeout_ms;	/* -1: never */
	const char *match;	/* NULL: whatever */
} monitor = { .timeout_ms = -1 };

static int by_watched_id(const void *a, const void *b)
{
	uint64_t x = ((const struct watched *)a)->id;
	uint64_t y = ((const struct watched *)b)->id;

	return (x > y) - (x < y);
}

/* What is known of the living objects, a tree of tsearch(3)'s. */
static void *known;

static struct watched *add_known(const struct refobj_stat *stat)
{
	struct watched *object = xrealloc(NULL, 1, sizeof(*object));
	struct watched **at;

	memset(object, 0, sizeof(*object));
	object->id = stat->id;
	memcpy(object->name, stat->name, sizeof(object->name));
	at = tsearch(object, &known, by_watched_id);
	if (!at)
		abort();
	if (*at != object)
		free(object);
	return *at;
}

static int keep_known(const struct refobj_stat *stat, void *arg)
{
	(void)arg;
	add_known(stat);
	return 0;
}

/* The object of an event; one that nobody has heard of is asked for. */
static struct watched *event_object(struct refobj_nl *nl, uint64_t id)
{
	struct watched wanted = { .id = id }, **at;
	struct refobj_stat stat;

	at = tfind(&wanted, &known, by_watched_id);
	if (at)
		return *at;
	/* it may have died since: then its name stays unknown */
	if (refobj_nl_object(nl, id, NULL, &stat) < 0)
		stat = (struct refobj_stat) { .id = id };
	return add_known(&stat);
}

static bool event_wanted(const struct watched *object)
{
	char label[32];

	if (!monitor.match)
		return true;
	snprintf(label, sizeof(label), "id=%" PRIu64, object->id);
	return !fnmatch(monitor.match, *object->name ? object->name : label, 0);
}

static int show_snapshot(const struct refobj_stat *stat, void *arg)
{
	struct event_row row = {
		.event = {
			.type = REFOBJ_EVENT_SNAPSHOT, .state = stat->state,
			.id = stat->id, .users = stat->users,
			.time_ns = host_clock(CLOCK_MONOTONIC),
		},
	};

	(void)arg;
	row.object = add_known(stat);
	if (event_wanted(row.object))
		table_stream(&event_table, &row);
	return 0;
}

/* After what was lost: how things stand with what there still is. */
static int look_anew(struct refobj_nl *asked)
{
	int ret;

	tdestroy(known, free);
	known = NULL;
	ret = refobj_nl_objects(asked, NULL, show_snapshot, NULL);
	if (ret < 0)
		complain_netlink(asked, ret);
	return ret;
}

/* Prints what there is; how many events, or a complained negative errno. */
static int print_heard(struct refobj_nl *heard, struct refobj_nl *asked, uint64_t most)
{
	struct event_row row;
	struct watched *object;
	uint64_t n = 0;
	bool lost;
	int ret = 0;

	while ((!most || n < most) && !ferror(stdout) &&
	       (ret = refobj_nl_next(heard, &row.event)) > 0) {
		lost = row.event.type == REFOBJ_EVENT_LOST;
		object = lost ? NULL : event_object(asked, row.event.id);
		row.object = object;
		if (lost || event_wanted(object)) {
			table_stream(&event_table, &row);
			n += !lost;
		}
		/* when all has been read the count is not known */
		if (lost && !row.event.count && look_anew(asked) < 0)
			return -EIO;
		if (row.event.type == REFOBJ_EVENT_DESTROYED && object) {
			tdelete(object, &known, by_watched_id);
			free(object);
		}
	}
	if (ret < 0)
		complain_netlink(heard, ret);
	return ret < 0 ? ret : (int)n;
}

static int hear_events(struct refobj_nl *heard, struct refobj_nl *asked)
{
	uint64_t deadline = refobj_deadline(monitor.timeout_ms), now, count = 0;
	struct pollfd p = { .fd = refobj_nl_fd(heard), .events = POLLIN };
	int ms = -1, ret;

	for (;;) {
		if (monitor.timeout_ms >= 0) {
			now = host_clock(CLOCK_MONOTONIC);
			if (now >= deadline)
				return monitor.count ? EXIT_TIMEOUT : EXIT_OK;
			ms = (int)((deadline - now + NSEC_PER_MSEC - 1) /
				   NSEC_PER_MSEC % INT32_MAX);
		}
		if (poll(&p, 1, ms) <= 0)
			continue;	/* the time is over, or a stop and continue */
		ret = print_heard(heard, asked, monitor.count ? monitor.count - count : 0);
		if (ret < 0 || ferror(stdout))
			return EXIT_FAILED;
		count += ret;
		if (monitor.count && count >= monitor.count)
			return EXIT_OK;
	}
}

static int run_monitor(int argc, char **argv)
{
	struct refobj_nl *heard = NULL, *asked;
	int ret, status = EXIT_FAILED;

	if (argc)
		return usage_error("unexpected '%s': --match selects by name", escape(argv[0]));
	asked = open_netlink();
	if (asked)
		heard = open_netlink();
	if (heard) {
		/* in this order, so that what comes in between is known or heard of */
		ret = refobj_nl_listen(heard);
		if (!ret)
			ret = refobj_nl_objects(asked, NULL, keep_known, NULL);
		if (ret == -EPERM || ret == -EACCES)
			complain("netlink",
				 "events of all objects need CAP_NET_ADMIN: run it as root, or see: refctl watch");
		else if (ret < 0)
			complain_netlink(asked, ret);
		else
			status = hear_events(heard, asked);
	}
	refobj_nl_close(heard);
	refobj_nl_close(asked);
	tdestroy(known, free);
	return status;
}

static bool monitor_option(int code, const char *arg)
{
	switch (code) {
	case 'n':
		if (parse_number(arg, 10, 1, INT32_MAX, &monitor.count))
			return true;
		complain(NULL, "bad number of events '%s': 1 or more are wanted",
			 escape(arg));
		return false;
	case OPT_TIMEOUT:
		return parse_timeout(arg, &monitor.timeout_ms);
	default:
		monitor.match = arg;
		return true;
	}
}

static const struct option_text monitor_options[] = {
	{ "number", 'n', "COUNT", "end after COUNT events" },
	{ "timeout", OPT_TIMEOUT, "SECONDS",
	  "end after this time: a failure if there were not COUNT events" },
	{ "match", 'm', "PATTERN", "only objects whose name fits, such as 'cam*'" },
	{ NULL, 0, NULL, NULL }
};

const struct verb verb_monitor = {
	.name = "monitor",
	.args = "[OPTIONS]",
	.summary = "print what becomes of all objects, also of those to come",
	.help = "Prints a line for each event of any object of the network namespace; it needs\n"
		"CAP_NET_ADMIN. With --json each line is an object of its own. If events come faster\n"
		"than they can be printed, lines say so and how many were lost, and snapshots tell how\n"
		"things stand. An object that has died before it could be asked for its name is told\n"
		"by its id.",
	.options = monitor_options,
	.table = &event_table,
	.exits = timeout_exits,
	.usage_status = EXIT_USAGE_TIMEOUT,
	.option = monitor_option,
	.run = run_monitor,
};

/*
 * wait
 */

enum {
	OPT_IDLE = OPT_COUNTS + 1,
	OPT_ACTIVE,
	OPT_READY,
	OPT_DEAD,
	OPT_USERS,
};

static struct {
	uint32_t until;
	uint32_t users;
	bool twice;
	int64_t timeout_ms;
} wait_for = { .timeout_ms = -1 };

static bool wait_option(int code, const char *arg)
{
	static const uint32_t conditions[] = {
		[0] = REFOBJ_UNTIL_IDLE,
		[OPT_ACTIVE - OPT_IDLE] = REFOBJ_UNTIL_ACTIVE,
		[OPT_READY - OPT_IDLE] = REFOBJ_UNTIL_READY,
		[OPT_DEAD - OPT_IDLE] = REFOBJ_UNTIL_DEAD,
		[OPT_USERS - OPT_IDLE] = REFOBJ_UNTIL_USERS,
	};
	uint64_t n;

	if (code == OPT_TIMEOUT)
		return parse_timeout(arg, &wait_for.timeout_ms);
	wait_for.twice = wait_for.until;
	wait_for.until = conditions[code - OPT_IDLE];
	if (code != OPT_USERS)
		return true;
	if (!parse_number(arg, 10, 0, REFOBJ_USERS_MAX, &n)) {
		complain(NULL, "bad number of users '%s': 0 to %u are possible",
			 escape(arg), REFOBJ_USERS_MAX);
		return false;
	}
	wait_for.users = (uint32_t)n;
	return true;
}

/* What does not exist is dead: it may have died before we could look. */
static bool death_will_do(void)
{
	return wait_for.until == REFOBJ_UNTIL_IDLE ||
	       wait_for.until == REFOBJ_UNTIL_DEAD ||
	       wait_for.until == REFOBJ_UNTIL_USERS;
}

static void complain_timeout(struct refobj_session *session, const char *arg,
			     uint64_t id)
{
	struct refobj_stat stat;

	if (RETRY(refobj_stat(session, id, &stat)))
		complain(arg, "the time is over");
	else
		complain(arg, "the time is over: it is %s, with %u user%s: see who: refctl holders",
			 refobj_strstate(stat.state), stat.users,
			 stat.users == 1 ? "" : "s");
}

static int run_wait(int argc, char **argv)
{
	uint64_t deadline = refobj_deadline(wait_for.timeout_ms), id;
	struct refobj_condition condition = { 0 };
	struct refobj_session *session;
	int ret = 0;

	if (!argc)
		return usage_error("which object? give a name or an id");
	if (argc > 1)
		return usage_error("one object is wanted, not %d", argc);
	if (!wait_for.until || wait_for.twice)
		return usage_error("one of --idle, --active, --ready, --dead, --users is wanted");
	session = open_session();
	if (!session)
		return EXIT_FAILED;
	if (!parse_id(argv[0], &id))
		ret = RETRY(refobj_lookup(session, argv[0], NULL, &id));
	condition.until = wait_for.until;
	condition.users = wait_for.users;
	condition.id = id;
	if (!ret)
		ret = RETRY(refobj_wait_many(session, &condition, 1, 0,
					     deadline));
	if (ret == -ETIMEDOUT)
		complain_timeout(session, argv[0], id);
	else if (ret == -ENOENT && !parse_id(argv[0], &id) && death_will_do())
		ret = 0;
	else if (ret < 0)
		complain_object(session, argv[0], ret);
	refobj_close(session);
	return ret == -ETIMEDOUT ? EXIT_TIMEOUT : ret < 0 ? EXIT_FAILED : EXIT_OK;
}

static const struct option_text wait_options[] = {
	{ "idle", OPT_IDLE, NULL, "until nobody uses it, or it is dead" },
	{ "active", OPT_ACTIVE, NULL, "until somebody uses it" },
	{ "ready", OPT_READY, NULL, "until somebody uses it, and it has been built" },
	{ "dead", OPT_DEAD, NULL, "until it is dead" },
	{ "users", OPT_USERS, "N", "until it has at most N users, or is dead" },
	{ "timeout", OPT_TIMEOUT, "SECONDS", "give up after this time; 0 only looks" },
	{ NULL, 0, NULL, NULL }
};

const struct verb verb_wait = {
	.name = "wait",
	.args = "NAME|ID --idle|--active|--ready|--dead|--users N [--timeout SECONDS]",
	.summary = "wait until an object is in some state",
	.help = "Waits until the object is in a state, or has been since the call. Waiting keeps\n"
		"nothing alive. A name that is not there counts as dead: the object may have died\n"
		"just before; so --idle, --dead and --users succeed at once, the others fail.",
	.options = wait_options,
	.exits = timeout_exits,
	.usage_status = EXIT_USAGE_TIMEOUT,
	.option = wait_option,
	.run = run_wait,
};
