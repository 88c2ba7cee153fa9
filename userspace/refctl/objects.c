// SPDX-License-Identifier: GPL-2.0-only
/* The verbs that look at objects, and those that make and remove them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "refctl.h"

/* Rows of any kind, growing. */
struct rows {
	char *data;
	size_t n;
	size_t size;	/* of one */
};

static void *add_row(struct rows *rows, const void *row)
{
	/* doubled at every power of two */
	if (!(rows->n & (rows->n - 1)))
		rows->data = xrealloc(rows->data, rows->n ? 2 * rows->n : 1,
				      rows->size);
	return memcpy(rows->data + rows->n++ * rows->size, row, rows->size);
}

struct object_row {
	struct refobj_stat stat;
	uint64_t now;		/* CLOCK_MONOTONIC */
};

#define OBJECT(row) ((const struct object_row *)(row))

static void get_id(struct cell *cell, const void *row)
{
	cell_uint(cell, OBJECT(row)->stat.id);
}

static void get_name(struct cell *cell, const void *row)
{
	cell_string(cell, OBJECT(row)->stat.name);
}

static void get_type(struct cell *cell, const void *row)
{
	cell_string(cell, OBJECT(row)->stat.type);
}

static void get_state(struct cell *cell, const void *row)
{
	cell_string(cell, refobj_strstate(OBJECT(row)->stat.state));
}

static void get_users(struct cell *cell, const void *row)
{
	cell_uint(cell, OBJECT(row)->stat.users);
}

static void get_holders(struct cell *cell, const void *row)
{
	cell_uint(cell, OBJECT(row)->stat.holders);
}

static void get_mode(struct cell *cell, const void *row)
{
	cell_mode(cell, OBJECT(row)->stat.mode);
}

static void get_owner(struct cell *cell, const void *row)
{
	char *name = owner_name(OBJECT(row)->stat.uid);

	cell_string(cell, name);
	free(name);
}

static void get_peak(struct cell *cell, const void *row)
{
	cell_uint(cell, OBJECT(row)->stat.users_peak);
}

/* What happened after @now was read is no age below zero. */
static uint64_t since(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

static void get_created(struct cell *cell, const void *row)
{
	const struct object_row *o = row;

	cell_age(cell, o->stat.created_ns, since(o->now, o->stat.created_ns));
}

static void get_age(struct cell *cell, const void *row)
{
	const struct object_row *o = row;
	uint64_t age = since(o->now, o->stat.created_ns);

	cell_age(cell, age, age);
}

static void get_activations(struct cell *cell, const void *row)
{
	cell_uint(cell, OBJECT(row)->stat.activations);
}

static void get_deactivations(struct cell *cell, const void *row)
{
	cell_uint(cell, OBJECT(row)->stat.deactivations);
}

static void get_uid(struct cell *cell, const void *row)
{
	cell_uint(cell, OBJECT(row)->stat.uid);
}

static void get_gid(struct cell *cell, const void *row)
{
	cell_uint(cell, OBJECT(row)->stat.gid);
}

static void get_flags(struct cell *cell, const void *row)
{
	uint32_t flags = OBJECT(row)->stat.object_flags;

	cell->json = json_object_new_array();
	if (flags & REFOBJ_PERSISTENT)
		json_object_array_add(cell->json,
				      json_object_new_string("persistent"));
	if (flags & REFOBJ_BUILD)
		json_object_array_add(cell->json,
				      json_object_new_string("build"));
	if (flags & (REFOBJ_PERSISTENT | REFOBJ_BUILD))
		cell->text = xprintf("%s%s%s",
				     flags & REFOBJ_PERSISTENT ? "persistent" : "",
				     flags & REFOBJ_PERSISTENT &&
				     flags & REFOBJ_BUILD ? "," : "",
				     flags & REFOBJ_BUILD ? "build" : "");
}

static void get_linger(struct cell *cell, const void *row)
{
	cell_uint(cell, OBJECT(row)->stat.linger_ms);
}

static void get_builder(struct cell *cell, const void *row)
{
	if (OBJECT(row)->stat.builder)
		cell_uint(cell, OBJECT(row)->stat.builder);
}

static void get_watches(struct cell *cell, const void *row)
{
	cell_uint(cell, OBJECT(row)->stat.watches);
}

static void get_value(struct cell *cell, const void *row)
{
	cell_uint(cell, OBJECT(row)->stat.value_size);
}

static void get_version(struct cell *cell, const void *row)
{
	cell_uint(cell, OBJECT(row)->stat.value_version);
}

static void get_file(struct cell *cell, const void *row)
{
	cell_bool(cell, OBJECT(row)->stat.has_file);
}

static void get_edges(struct cell *cell, const void *row)
{
	cell_uint(cell, OBJECT(row)->stat.edges);
}

static void get_held(struct cell *cell, const void *row)
{
	cell_uint(cell, OBJECT(row)->stat.held);
}

#define D	COLUMN_DEFAULT
#define R	COLUMN_RIGHT
#define T	COLUMN_TRUNC

static const struct column object_columns[] = {
	{ "ID", D | R, 0, "never given to another object", get_id },
	{ "NAME", D, 0, "name, if it has one", get_name },
	{ "TYPE", D, 0, "type tag, if it has one", get_type },
	{ "STATE", D, 0, "idle, building, ready or lingering", get_state },
	{ "USERS", D | R, 0, "all references together", get_users },
	{ "HOLDERS", D | R, 0, "how many hold references", get_holders },
	{ "MODE", D, 0, "permission bits, octal", get_mode },
	{ "OWNER", D, 0, "owner's name, or number without one", get_owner },
	{ "PEAK", R, 0, "the most users it ever had", get_peak },
	{ "CREATED", R, 0, "created how long ago (JSON: CLOCK_MONOTONIC ns)",
	  get_created },
	{ "AGE", R, 0, "time since the creation (JSON: ns)", get_age },
	{ "ACTIVATIONS", R, 0, "how often the users left zero",
	  get_activations },
	{ "DEACTIVATIONS", R, 0, "how often they came back to zero",
	  get_deactivations },
	{ "UID", R, 0, "owner", get_uid },
	{ "GID", R, 0, "owner's group", get_gid },
	{ "FLAGS", 0, 0, "persistent, build, both or nothing", get_flags },
	{ "HELD", R, 0, "references that refctl itself holds", get_held },
	{ "LINGER", R, 0, "milliseconds by which it outlives its last release",
	  get_linger },
	{ "BUILDER", R, 0, "process that is to make it ready, if it has a number here",
	  get_builder },
	{ "WATCHES", R, 0, "sessions that watch it", get_watches },
	{ "VALUE", R, 0, "bytes of its value", get_value },
	{ "VERSION", R, 0, "how often the value has been set", get_version },
	{ "FILE", 0, 0, "has it a file?", get_file },
	{ "EDGES", R, 0, "objects that it needs", get_edges },
};

static const struct table objects_table = {
	.name = "objects", .columns = object_columns,
	.n_columns = ARRAY_SIZE(object_columns),
};

static const struct table show_table = {
	.name = "objects", .flags = TABLE_RECORDS, .columns = object_columns,
	.n_columns = ARRAY_SIZE(object_columns),
};

const char *object_label(const struct refobj_stat *stat)
{
	static char label[32];

	if (*stat->name)
		return stat->name;
	snprintf(label, sizeof(label), "id=%" PRIu64, (uint64_t)stat->id);
	return label;
}

struct holder_row {
	struct refobj_holder holder;
	char needed_by[REFOBJ_NAME_SIZE];	/* if that is an object */
	struct refobj_stat stat;
	uint64_t now;		/* CLOCK_MONOTONIC */
	uint64_t boottime;
};

#define HOLDER(row) (&((const struct holder_row *)(row))->holder)

static void get_object(struct cell *cell, const void *row)
{
	const struct holder_row *h = row;

	cell_string(cell, h->stat.name);
	if (!cell->text)
		cell->text = xstrdup(object_label(&h->stat));
}

static void get_object_id(struct cell *cell, const void *row)
{
	cell_uint(cell, ((const struct holder_row *)row)->stat.id);
}

static void get_pid(struct cell *cell, const void *row)
{
	if (HOLDER(row)->pid)
		cell_uint(cell, HOLDER(row)->pid);
}

static bool is_object(const void *row)
{
	return HOLDER(row)->kind == REFOBJ_HOLDER_OBJECT;
}

static void get_comm(struct cell *cell, const void *row)
{
	cell_string(cell, HOLDER(row)->comm);
}

/* Does this file, of /proc/PID/fdinfo, have that line? */
static bool has_line(int dir, const char *name, const char *line)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	char text[1024];
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return strstr(text, line);
}

/* As lsof finds it, so only in processes that the caller may look into. */
static void get_fd(struct cell *cell, const void *row)
{
	const struct holder_row *h = row;
	bool session = h->holder.kind == REFOBJ_HOLDER_SESSION;
	char *path, *line;
	struct dirent *e;
	DIR *dir;

	if (is_object(row) || !h->holder.pid)
		return;
	path = xprintf("/proc/%u/fdinfo", h->holder.pid);
	dir = opendir(path);
	free(path);
	if (!dir)
		return;
	line = xprintf("%s:\t%" PRIu64 "\n", session ? "refobj-session" : "refobj-object",
		       (uint64_t)(session ? h->holder.session : h->stat.id));
	while ((e = readdir(dir))) {
		if (*e->d_name == '.' || !has_line(dirfd(dir), e->d_name, line))
			continue;
		cell_uint(cell, strtoul(e->d_name, NULL, 10));
		break;
	}
	free(line);
	closedir(dir);
}

static void get_holder_uid(struct cell *cell, const void *row)
{
	cell_uint(cell, HOLDER(row)->uid);
}

static void get_user(struct cell *cell, const void *row)
{
	char *name = owner_name(HOLDER(row)->uid);

	cell_string(cell, name);
	free(name);
}

static void get_count(struct cell *cell, const void *row)
{
	cell_uint(cell, HOLDER(row)->count);
}

static void get_since(struct cell *cell, const void *row)
{
	const struct holder_row *h = row;

	cell_age(cell, h->holder.since_ns, since(h->now, h->holder.since_ns));
}

static void get_why(struct cell *cell, const void *row)
{
	char *why;

	if (!is_object(row)) {
		cell_string(cell, HOLDER(row)->why);
		return;
	}
	why = xprintf("needed by %s",
		      ((const struct holder_row *)row)->needed_by);
	cell_string(cell, why);
	free(why);
}

static void get_session(struct cell *cell, const void *row)
{
	if (HOLDER(row)->kind == REFOBJ_HOLDER_SESSION)
		cell_uint(cell, HOLDER(row)->session);
}

static void get_needed_by(struct cell *cell, const void *row)
{
	if (is_object(row))
		cell_uint(cell, HOLDER(row)->session);
}

static void get_start(struct cell *cell, const void *row)
{
	const struct holder_row *h = row;

	if (is_object(row))
		return;
	cell_age(cell, h->holder.start_ns,
		 since(h->boottime, h->holder.start_ns));
}

static void get_leak_state(struct cell *cell, const void *row)
{
	cell_string(cell, refobj_strstate(((const struct holder_row *)row)->stat.state));
}

static void get_kind(struct cell *cell, const void *row)
{
	static const char *const kinds[] = {
		[REFOBJ_HOLDER_SESSION] = "session",
		[REFOBJ_HOLDER_FD] = "descriptor",
		[REFOBJ_HOLDER_OBJECT] = "object",
	};
	uint32_t kind = HOLDER(row)->kind;

	cell_string(cell, kind && kind < ARRAY_SIZE(kinds) ? kinds[kind] :
		    "unknown");
}

static const struct column holder_columns[] = {
	{ "OBJECT", D, 0, "name, or id=ID without one (JSON: null)",
	  get_object },
	{ "PID", D | R, 0, "process, if it has a number here", get_pid },
	{ "COMM", D, 0, "its command name", get_comm },
	{ "FD", D | R, 0, "its descriptor, if you may look into the process", get_fd },
	{ "UID", D | R, 0, "its user, as of the opening", get_holder_uid },
	{ "COUNT", D | R, 0, "references it holds", get_count },
	{ "SINCE", D | R, 0, "held for how long (JSON: from when, CLOCK_MONOTONIC ns)",
	  get_since },
	{ "WHY", D | T, 0.3, "the reason given", get_why },
	{ "SESSION", R, 0, "id of the session that holds them", get_session },
	{ "START", R, 0, "age of the process (JSON: its start, CLOCK_BOOTTIME ns)",
	  get_start },
	{ "KIND", 0, 0, "what holds them: session, descriptor or object", get_kind },
	{ "NEEDED_BY", R, 0, "id of the object that holds them, if one does",
	  get_needed_by },
	{ "ID", R, 0, "id of the object", get_object_id },
	{ "USER", 0, 0, "name of UID", get_user },
};

/* What show says of an object's holders need not name the object again. */
static const struct table held_by_table = {
	.name = "held_by", .columns = holder_columns + 1,
	.n_columns = ARRAY_SIZE(holder_columns) - 1,
};

static const struct table holders_table = {
	.name = "holders", .columns = holder_columns,
	.n_columns = ARRAY_SIZE(holder_columns),
};

int find_object(struct refobj_session *session, const char *arg,
		struct refobj_stat *stat)
{
	uint64_t id;
	int ret;

	if (parse_id(arg, &id)) {
		ret = RETRY(refobj_stat(session, id, stat));
	} else {
		/* one that dies between the calls may have a successor */
		do {
			ret = RETRY(refobj_lookup(session, arg, NULL, &id));
			if (!ret)
				ret = RETRY(refobj_stat(session, id, stat));
		} while (ret == -ESTALE);
	}
	if (ret < 0)
		complain_object(session, arg, ret);
	return ret;
}

/* Does the name begin with one of the words, or are there none? */
static bool matches(const char *name, int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++)
		if (!strncmp(name, argv[i], strlen(argv[i])))
			return true;
	return !argc;
}

/* Adds the objects of these prefixes; 0 or a complained negative errno. */
static int list_objects(struct refobj_session *session, struct rows *rows,
			int argc, char **argv)
{
	struct object_row row = { .now = host_clock(CLOCK_MONOTONIC) };
	int ret;

	while (!(ret = RETRY(refobj_next(session, &row.stat))))
		if (matches(row.stat.name, argc, argv))
			add_row(rows, &row);
	if (ret == -ENOENT)
		return 0;
	complain_errno(NULL, ret, NULL);
	return ret;
}

/* Which objects ls lists, and how often. */
static struct {
	const char *type;	/* NULL: any */
	uint32_t state;		/* 0: any */
	bool has_uid;
	uint32_t uid;
	bool unused;
	int64_t every_ms;	/* -1: once */
} ls = { .every_ms = -1 };

static bool ls_wants(const struct refobj_stat *stat)
{
	return (!ls.type || !strcmp(stat->type, ls.type)) &&
	       (!ls.state || stat->state == ls.state) &&
	       (!ls.has_uid || stat->uid == ls.uid) &&
	       (!ls.unused || !stat->users);
}

/* 0 or a complained negative errno. */
static int print_ls(struct refobj_session *session, int argc, char **argv)
{
	struct rows rows = { .size = sizeof(struct object_row) };
	int ret = list_objects(session, &rows, argc, argv);
	size_t i, n = 0;

	for (i = 0; i < rows.n; i++) {
		const void *row = rows.data + i * rows.size;

		if (ls_wants(&OBJECT(row)->stat))
			memmove(rows.data + n++ * rows.size, row, rows.size);
	}
	if (!ret)
		table_print(&objects_table, rows.data, n, rows.size);
	free(rows.data);
	return ret;
}

static int run_ls(int argc, char **argv)
{
	struct refobj_session *session = open_session();
	int ret;

	if (!session)
		return EXIT_FAILED;
	for (;;) {
		if (ls.every_ms >= 0 && isatty(STDOUT_FILENO))
			fputs("\033[H\033[J", stdout);
		ret = print_ls(session, argc, argv);
		if (ret || ls.every_ms < 0 || fflush(stdout) || ferror(stdout))
			break;
		poll(NULL, 0, (int)(ls.every_ms % INT32_MAX));
	}
	refobj_close(session);
	return ret ? EXIT_FAILED : EXIT_OK;
}

enum {
	OPT_TYPE = 256,
	OPT_STATE,
	OPT_UID,
	OPT_WATCH,
};

static bool ls_state(const char *arg)
{
	for (ls.state = REFOBJ_STATE_IDLE; ls.state <= REFOBJ_STATE_LINGERING; ls.state++)
		if (!strcmp(arg, refobj_strstate(ls.state)))
			return true;
	complain(NULL, "unknown state '%s': idle, building, ready or lingering is wanted",
		 escape(arg));
	return false;
}

static bool ls_option(int code, const char *arg)
{
	const struct passwd *pw;
	uint64_t n;

	switch (code) {
	case OPT_TYPE:
		ls.type = arg;
		return true;
	case OPT_STATE:
		return ls_state(arg);
	case OPT_UID:
		pw = getpwnam(arg);
		if (!pw && !parse_number(arg, 10, 0, UINT32_MAX - 1, &n)) {
			complain(NULL, "unknown user '%s'", escape(arg));
			return false;
		}
		ls.has_uid = true;
		ls.uid = pw ? pw->pw_uid : (uint32_t)n;
		return true;
	case 'u':
		ls.unused = true;
		return true;
	default:
		return parse_timeout(arg, &ls.every_ms);
	}
}

static const struct option_text ls_options[] = {
	{ "type", OPT_TYPE, "TYPE", "only of this type, '' for those without one" },
	{ "state", OPT_STATE, "STATE", "only idle, building, ready or lingering ones" },
	{ "uid", OPT_UID, "USER", "only of this owner, by name or number" },
	{ "unused", 'u', NULL, "only those that nobody uses" },
	{ "watch", OPT_WATCH, "SECONDS", "again and again, after so long" },
	{ NULL, 0, NULL, NULL }
};

const struct verb verb_ls = {
	.name = "ls",
	.args = "[OPTIONS] [NAME-PREFIX...]",
	.summary = "list the objects that you may see",
	.help = "Lists the objects that you may see, in order of their ids; with prefixes only\n"
		"those whose name begins with one of them.",
	.options = ls_options,
	.table = &objects_table,
	.usage_status = EXIT_USAGE,
	.option = ls_option,
	.run = run_ls,
};

/* The name of the object that holds another. */
static void name_owner(struct refobj_session *session, struct holder_row *row)
{
	struct refobj_stat owner = { 0 };

	/* who may see an object need not see what needs it */
	if (RETRY(refobj_stat(session, row->holder.session, &owner)))
		owner.id = row->holder.session;
	snprintf(row->needed_by, sizeof(row->needed_by), "%s",
		 object_label(&owner));
}

/* Adds the holders of an object; 0 or a negative errno, not complained. */
static int list_holders(struct refobj_session *session,
			const struct refobj_stat *stat, struct rows *rows)
{
	struct holder_row row = { .stat = *stat };
	struct refobj_holder *holders;
	int n, i;

	n = RETRY(refobj_holders(session, stat->id, &holders));
	if (n < 0)
		return n;
	row.now = host_clock(CLOCK_MONOTONIC);
	row.boottime = host_clock(CLOCK_BOOTTIME);
	for (i = 0; i < n; i++) {
		row.holder = holders[i];
		if (is_object(&row))
			name_owner(session, &row);
		add_row(rows, &row);
	}
	free(holders);
	return 0;
}

static int run_holders(int argc, char **argv)
{
	struct rows rows = { .size = sizeof(struct holder_row) };
	struct rows objects = { .size = sizeof(struct object_row) };
	struct refobj_session *session = open_session();
	struct object_row object = { 0 };
	int ret, status = EXIT_OK, i;
	size_t j;

	if (!session)
		return EXIT_FAILED;
	for (i = 0; i < argc; i++) {
		if (!find_object(session, argv[i], &object.stat))
			add_row(&objects, &object);
		else
			status = EXIT_FAILED;
	}
	if (!argc && list_objects(session, &objects, 0, NULL))
		status = EXIT_FAILED;
	for (j = 0; j < objects.n; j++) {
		const struct object_row *o = (void *)(objects.data +
						      j * objects.size);

		ret = list_holders(session, &o->stat, &rows);
		/* what died since it was found has no holders */
		if (ret && ret != -ESTALE && ret != -ENOENT) {
			complain_object(session, object_label(&o->stat), ret);
			status = EXIT_FAILED;
		}
	}
	refobj_close(session);
	if (status == EXIT_OK || rows.n)
		table_print(&holders_table, rows.data, rows.n, rows.size);
	free(objects.data);
	free(rows.data);
	return status;
}

const struct verb verb_holders = {
	.name = "holders",
	.args = "[OPTIONS] [NAME|ID...]",
	.summary = "list who holds objects, since when, and why",
	.help = "Lists who holds the given objects, or all those that you may see.",
	.table = &holders_table,
	.usage_status = EXIT_USAGE,
	.run = run_holders,
};

/*
 * leaks
 */

static uint64_t leaks_older = 60 * 1000000000ULL;

/* A process's name and parent (0: none here); false: it is gone, or another by now. */
static bool find_process(uint32_t pid, uint64_t start_ns, char **comm, uint32_t *parent)
{
	char *path = xprintf("/proc/%" PRIu32 "/stat", pid), *line = read_line(path);
	const char *open = line ? strchr(line, '(') : NULL;
	const char *close = line ? strrchr(line, ')') : NULL;
	unsigned long long start, tick = 1000000000ULL / sysconf(_SC_CLK_TCK);
	bool found;

	free(path);
	/* proc(5): state, ppid, 17 more, and the start, in ticks */
	found = open && close &&
		sscanf(close, ") %*c %" SCNu32
		       " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
		       parent, &start) == 2 &&
		(!start_ns || start == start_ns / tick);
	if (found)
		*comm = xprintf("%.*s", (int)(close - open - 1), open + 1);
	free(line);
	return found;
}

/* The process, what started it, and so on up to the first. */
static void get_processes(struct cell *cell, const void *row)
{
	const struct refobj_holder *h = HOLDER(row);
	uint32_t pid = is_object(row) ? 0 : h->pid, parent;
	uint64_t start_ns = h->start_ns;
	struct json_object *process;
	char *comm, *clean, *longer;

	for (; pid && find_process(pid, start_ns, &comm, &parent);
	     pid = parent, start_ns = 0) {
		longer = xprintf("%s%s%s(%" PRIu32 ")", cell->text ? cell->text : "",
				 cell->text ? " < " : "", comm, pid);
		free(cell->text);
		cell->text = longer;
		if (!cell->json)
			cell->json = json_object_new_array();
		process = json_object_new_object();
		json_object_object_add(process, "pid", json_object_new_int64(pid));
		clean = utf8_clean(comm);
		json_object_object_add(process, "comm", json_object_new_string(clean));
		free(clean);
		free(comm);
		json_object_array_add(cell->json, process);
	}
}

static const struct column leak_columns[] = {
	{ "OBJECT", D, 0, "name, or id=ID without one (JSON: null)",
	  get_object },
	{ "SINCE", D | R, 0, "held for how long (JSON: from when, CLOCK_MONOTONIC ns)",
	  get_since },
	{ "COUNT", D | R, 0, "references held", get_count },
	{ "PID", D | R, 0, "process, if it has a number here", get_pid },
	{ "USER", D, 0, "its user, as of the opening", get_user },
	{ "WHY", D, 0, "the reason given", get_why },
	{ "PROCESSES", D | T, 0.3, "the process, what started it, and so on, if it lives",
	  get_processes },
	{ "COMM", 0, 0, "command name of the process", get_comm },
	{ "UID", R, 0, "number of USER", get_holder_uid },
	{ "KIND", 0, 0, "what holds them: session, descriptor or object", get_kind },
	{ "SESSION", R, 0, "id of the session that holds them", get_session },
	{ "NEEDED_BY", R, 0, "id of the object that holds them, if one does",
	  get_needed_by },
	{ "STATE", 0, 0, "of the object", get_leak_state },
	{ "ID", R, 0, "id of the object", get_object_id },
};

static const struct table leaks_table = {
	.name = "leaks", .columns = leak_columns,
	.n_columns = ARRAY_SIZE(leak_columns),
};

static int keep_object(const struct refobj_stat *object, void *arg)
{
	struct object_row row = { .stat = *object };

	add_row(arg, &row);
	return 0;
}

static int keep_holder(uint64_t object, const struct refobj_holder *holder,
		       void *arg)
{
	struct holder_row row = { .holder = *holder, .stat.id = object };

	add_row(arg, &row);
	return 0;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = OBJECT(a)->stat.id, y = OBJECT(b)->stat.id;

	return (x > y) - (x < y);
}

static int by_since(const void *a, const void *b)
{
	uint64_t x = HOLDER(a)->since_ns, y = HOLDER(b)->since_ns;

	return (x > y) - (x < y);
}

static const struct refobj_stat *known_object(const struct rows *objects, uint64_t id)
{
	struct object_row wanted = { .stat.id = id }, *found;

	found = objects->n ? bsearch(&wanted, objects->data, objects->n,
				     objects->size, by_id) : NULL;
	return found ? &found->stat : NULL;
}

static int run_leaks(int argc, char **argv)
{
	struct rows objects = { .size = sizeof(struct object_row) };
	struct rows holders = { .size = sizeof(struct holder_row) };
	uint64_t now = host_clock(CLOCK_MONOTONIC);
	struct refobj_nl *nl = open_netlink();
	const struct refobj_stat *stat;
	struct refobj_stat nameless;
	struct holder_row *row;
	size_t i, n = 0;
	int ret;

	if (!nl)
		return EXIT_FAILED;
	/* first who holds: an object that is not among those afterwards has died */
	ret = refobj_nl_holders(nl, 0, keep_holder, &holders);
	if (ret >= 0)
		ret = refobj_nl_objects(nl, NULL, keep_object, &objects);
	if (ret < 0)
		complain_netlink(nl, ret);
	refobj_nl_close(nl);
	if (objects.n)
		qsort(objects.data, objects.n, objects.size, by_id);
	for (i = 0; i < holders.n; i++) {
		row = (struct holder_row *)(void *)(holders.data + i * holders.size);
		stat = known_object(&objects, row->stat.id);
		if (!stat || !matches(stat->name, argc, argv) ||
		    since(now, row->holder.since_ns) < leaks_older)
			continue;
		row->stat = *stat;
		row->now = now;
		if (is_object(row)) {
			nameless = (struct refobj_stat) { .id = row->holder.session };
			stat = known_object(&objects, row->holder.session);
			snprintf(row->needed_by, sizeof(row->needed_by), "%s",
				 object_label(stat ? stat : &nameless));
		}
		memcpy(holders.data + n++ * holders.size, row, sizeof(*row));
	}
	if (n)
		qsort(holders.data, n, holders.size, by_since);
	if (ret >= 0)
		table_print(&leaks_table, holders.data, n, holders.size);
	free(holders.data);
	free(objects.data);
	return ret < 0 ? EXIT_FAILED : EXIT_OK;
}

static bool leaks_option(int code, const char *arg)
{
	(void)code;
	if (parse_age(arg, &leaks_older))
		return true;
	complain(NULL, "bad time '%s': seconds are wanted, or a number with s, m, h or d behind it",
		 escape(arg));
	return false;
}

static const struct option_text leaks_options[] = {
	{ "older", 256, "TIME", "held for longer than that: 90, 90s, 5m, 2h, 3d; else 1m" },
	{ NULL, 0, NULL, NULL }
};

const struct verb verb_leaks = {
	.name = "leaks",
	.args = "[OPTIONS] [NAME-PREFIX...]",
	.summary = "list what has been held for long, by whom, and why",
	.help = "Lists what has been held for longer than a minute, the longest first: who holds\n"
		"it, the reason that was given, and by what the process was started. Of those whose\n"
		"name begins so, or all.",
	.options = leaks_options,
	.table = &leaks_table,
	.usage_status = EXIT_USAGE,
	.option = leaks_option,
	.run = run_leaks,
};

struct show_row {
	struct object_row object;
	struct rows holders;
};

static void print_show_text(const struct show_row *rows, size_t n)
{
	size_t i;

	if (output.raw) {
		table_text(&show_table, rows, n, sizeof(*rows), NULL);
		return;
	}
	for (i = 0; i < n; i++) {
		if (i)
			putchar('\n');
		table_text(&show_table, &rows[i], 1, sizeof(*rows), NULL);
		if (rows[i].holders.n) {
			puts("held by:");
			table_text(&held_by_table, rows[i].holders.data,
				   rows[i].holders.n, rows[i].holders.size,
				   "  ");
		}
	}
}

static void print_show_json(const struct show_row *rows, size_t n)
{
	struct json_object *top = json_top(), *array;
	size_t i;

	array = table_rows(&show_table, rows, n, sizeof(*rows));
	for (i = 0; i < n; i++) {
		const struct rows *h = &rows[i].holders;

		json_object_object_add(json_object_array_get_idx(array, i),
				       held_by_table.name,
				       table_rows(&held_by_table, h->data,
						  h->n, h->size));
	}
	json_object_object_add(top, show_table.name, array);
	json_print(top);
}

static int run_show(int argc, char **argv)
{
	struct rows rows = { .size = sizeof(struct show_row) };
	struct refobj_session *session;
	int status = EXIT_OK, ret, i;
	size_t j;

	if (!argc)
		return usage_error("which object? give a name or an id");
	session = open_session();
	if (!session)
		return EXIT_FAILED;
	for (i = 0; i < argc; i++) {
		struct show_row row = {
			.holders = { .size = sizeof(struct holder_row) },
		};

		ret = find_object(session, argv[i], &row.object.stat);
		row.object.now = host_clock(CLOCK_MONOTONIC);
		if (!ret) {
			ret = list_holders(session, &row.object.stat,
					   &row.holders);
			if (ret)
				complain_object(session, argv[i], ret);
		}
		if (ret)
			status = EXIT_FAILED;
		else
			add_row(&rows, &row);
	}
	refobj_close(session);
	if (output.json)
		print_show_json((void *)rows.data, rows.n);
	else
		print_show_text((void *)rows.data, rows.n);
	for (j = 0; j < rows.n; j++)
		free(((struct show_row *)rows.data)[j].holders.data);
	free(rows.data);
	return status;
}

const struct verb verb_show = {
	.name = "show",
	.args = "[OPTIONS] NAME|ID...",
	.summary = "show all that is known of objects, and who holds them",
	.help = "Shows all that is known of the given objects, and who holds them (JSON: held_by).",
	.table = &show_table,
	.usage_status = EXIT_USAGE,
	.run = run_show,
};

struct stat_row {
	char name[64];
	uint64_t value;
};

static void get_stat_name(struct cell *cell, const void *row)
{
	cell_string(cell, ((const struct stat_row *)row)->name);
}

static void get_stat_value(struct cell *cell, const void *row)
{
	cell_uint(cell, ((const struct stat_row *)row)->value);
}

static const struct column stat_columns[] = {
	{ "NAME", D, 0, "what is counted", get_stat_name },
	{ "VALUE", D | R, 0, "how often since the module was loaded, or how many now",
	  get_stat_value },
};

static const struct table stats_table = {
	.name = "stats", .flags = TABLE_MAP, .columns = stat_columns,
	.n_columns = ARRAY_SIZE(stat_columns),
};

static FILE *open_stats(void)
{
	const char *debugfs = debugfs_path();
	char *path;
	FILE *file;

	if (!debugfs) {
		complain(NULL,
			 "debugfs is not mounted: run as root: mount -t debugfs none /sys/kernel/debug");
		return NULL;
	}
	path = xprintf("%s/refobj/stats", debugfs);
	file = fopen(path, "re");
	if (!file && errno == EACCES)
		complain(path,
			 "permission denied: only root may read debugfs: run refctl as root");
	else if (!file && errno == ENOENT)
		complain(path, "no such file: is the module loaded? run: refctl doctor");
	else if (!file)
		complain(path, "%s: run: refctl doctor", strerror(errno));
	free(path);
	return file;
}

static int run_stats(int argc, char **argv)
{
	struct rows rows = { .size = sizeof(struct stat_row) };
	struct stat_row row;
	FILE *file = open_stats();
	bool whole;

	if (!file)
		return EXIT_FAILED;
	while (fscanf(file, "%63s %" SCNu64, row.name, &row.value) == 2)
		if (matches(row.name, argc, argv))
			add_row(&rows, &row);
	whole = feof(file) && !ferror(file);
	fclose(file);
	if (whole)
		table_print(&stats_table, rows.data, rows.n, rows.size);
	else
		complain(NULL,
			 "cannot read the stats in debugfs: do module and refctl match? run: refctl doctor");
	free(rows.data);
	return whole ? EXIT_OK : EXIT_FAILED;
}

const struct verb verb_stats = {
	.name = "stats",
	.args = "[OPTIONS] [NAME-PREFIX...]",
	.summary = "print the module's counters (root, debugfs)",
	.help = "Prints the module's counters, which debugfs shows to root; with prefixes only\n"
		"those whose name begins with one of them. They count all network namespaces.",
	.table = &stats_table,
	.usage_status = EXIT_USAGE,
	.run = run_stats,
};

enum {
	OPT_LINGER = 256,
	OPT_BUILD,
};

static struct refobj_attr create_attr = { .flags = REFOBJ_PERSISTENT };

static bool create_option(int code, const char *arg)
{
	switch (code) {
	case 'm':
		return parse_mode(arg, &create_attr.mode);
	case 't':
		create_attr.type = arg;
		return true;
	case OPT_LINGER:
		return parse_linger(arg, &create_attr.linger_ms);
	}
	create_attr.flags |= REFOBJ_BUILD;
	return true;
}

static int run_create(int argc, char **argv)
{
	struct object_row row = { 0 };
	struct refobj_session *session;
	uint64_t id;
	int ret;

	if (!argc)
		return usage_error("a name is missing");
	if (argc > 1)
		return usage_error("one name is wanted, not %d", argc);
	if (parse_id(argv[0], &id))
		return usage_error("'%s' would be taken for an id", escape(argv[0]));
	session = open_session();
	if (!session)
		return EXIT_FAILED;
	/* empty is no name, and an object without one could not be found again */
	ret = *argv[0] ? RETRY(refobj_create(session, argv[0], &create_attr, 0,
					     &id)) : -EINVAL;
	if (ret < 0) {
		complain_object(session, argv[0], ret);
	} else if (output_is_prose()) {
		printf("created %s (id %" PRIu64 ")\n", escape(argv[0]), id);
	} else {
		ret = RETRY(refobj_stat(session, id, &row.stat));
		row.now = host_clock(CLOCK_MONOTONIC);
		if (ret)
			complain_object(session, argv[0], ret);
		else
			table_print(&objects_table, &row, 1, sizeof(row));
	}
	refobj_close(session);
	return ret < 0 ? EXIT_FAILED : EXIT_OK;
}

static const struct option_text create_options[] = {
	{ "type", 't', "TYPE", "type tag" },
	{ "mode", 'm', "MODE", "permission bits, octal (default: 0600)" },
	{ "linger", OPT_LINGER, "MS",
	  "outlive the last release by MS milliseconds (default: 0)" },
	{ "build", OPT_BUILD, NULL,
	  "when it is used it is not ready before somebody has published" },
	{ NULL, 0, NULL, NULL }
};

const struct verb verb_create = {
	.name = "create",
	.args = "[OPTIONS] NAME",
	.summary = "create a persistent object",
	.help = "Creates a persistent object that nobody uses yet. It stays until refctl rm, or\n"
		"the end of the module or of its network namespace. A transient object lives while\n"
		"it is held, so it cannot outlive this command: refctl hold makes one that lives as\n"
		"long as a command runs.",
	.options = create_options,
	.table = &objects_table,
	.usage_status = EXIT_USAGE,
	.option = create_option,
	.run = run_create,
};

static struct {
	bool unused;
	bool dry_run;
} rm;

struct rm_row {
	struct refobj_stat stat;
	bool removed;
	int err;
};

#define RM(row) ((const struct rm_row *)(row))

static void get_rm_id(struct cell *cell, const void *row)
{
	cell_uint(cell, RM(row)->stat.id);
}

static void get_rm_name(struct cell *cell, const void *row)
{
	cell_string(cell, RM(row)->stat.name);
}

static void get_rm_removed(struct cell *cell, const void *row)
{
	cell_bool(cell, RM(row)->removed);
}

static void get_rm_error(struct cell *cell, const void *row)
{
	if (RM(row)->err)
		cell_string(cell, errno_name(RM(row)->err));
}

static const struct column rm_columns[] = {
	{ "ID", D | R, 0, "of the object", get_rm_id },
	{ "NAME", D, 0, "name, if it has one", get_rm_name },
	{ "REMOVED", D, 0, "is it gone? (no with --dry-run)", get_rm_removed },
	{ "ERROR", D, 0, "the errno, if it cannot be removed", get_rm_error },
};

static const struct table rm_table = {
	.name = "objects", .columns = rm_columns,
	.n_columns = ARRAY_SIZE(rm_columns),
};

#define NAMED_HOLDERS	8

/* "pid 12 (sh)", to be freed. */
static char *describe_holder(struct refobj_session *session,
			     const struct refobj_holder *holder)
{
	struct holder_row row = { .holder = *holder };
	char pid[32] = "a process without a pid here";

	if (is_object(&row)) {
		name_owner(session, &row);
		return xprintf("object %s", escape(row.needed_by));
	}
	if (holder->pid)
		snprintf(pid, sizeof(pid), "pid %u", holder->pid);
	return xprintf("%s%s (%s)", holder->kind == REFOBJ_HOLDER_FD ?
		       "a descriptor of " : "", pid, escape(holder->comm));
}

/* "3 users; held by pid 12 (sh), pid 13 (cat) and 1 more", to be freed. */
static char *describe_holders(struct refobj_session *session,
			      const struct refobj_stat *stat)
{
	struct refobj_holder *holders = NULL;
	int n, i;
	uint64_t users = 0;
	char *text, *longer;

	n = RETRY(refobj_holders(session, stat->id, &holders));
	if (n <= 0)
		return NULL;
	for (i = 0; i < n; i++)
		users += holders[i].count;
	text = xprintf("%" PRIu64 " user%s; held by", users,
		       users == 1 ? "" : "s");
	for (i = 0; i < n && i < NAMED_HOLDERS; i++) {
		char *holder = describe_holder(session, &holders[i]);

		longer = xprintf("%s%s %s", text, i ? "," : "", holder);
		free(holder);
		free(text);
		text = longer;
	}
	if (n > NAMED_HOLDERS) {
		longer = xprintf("%s and %d more", text, n - NAMED_HOLDERS);
		free(text);
		text = longer;
	}
	free(holders);
	return text;
}

/* Removes or, if dry, would; complains as @arg unless the object is gone. */
static void remove_object(struct refobj_session *session, const char *arg,
			  struct rm_row *row)
{
	char *detail;

	if (rm.dry_run)
		row->err = row->stat.users ? -EBUSY : 0;
	else
		row->err = RETRY(refobj_destroy(session, row->stat.id));
	row->removed = !rm.dry_run && !row->err;
	if (row->err == -EBUSY && !rm.unused) {
		detail = describe_holders(session, &row->stat);
		complain_errno(arg, row->err, detail);
		free(detail);
	} else if (row->err && !rm.unused) {
		complain_object(session, arg, row->err);
	}
	if (!row->err && output_is_prose())
		printf("%s %s (id %" PRIu64 ")\n",
		       rm.dry_run ? "would remove" : "removed",
		       escape(object_label(&row->stat)),
		       (uint64_t)row->stat.id);
}

static int remove_named(struct refobj_session *session, struct rows *rows,
			int argc, char **argv)
{
	int status = EXIT_OK, i;

	for (i = 0; i < argc; i++) {
		struct rm_row row = { 0 };

		if (find_object(session, argv[i], &row.stat)) {
			status = EXIT_FAILED;
			continue;
		}
		remove_object(session, argv[i], &row);
		if (row.err)
			status = EXIT_FAILED;
		add_row(rows, &row);
	}
	return status;
}

static int remove_unused(struct refobj_session *session, struct rows *rows)
{
	struct rows objects = { .size = sizeof(struct object_row) };
	int status = EXIT_OK;
	size_t i;

	if (list_objects(session, &objects, 0, NULL))
		status = EXIT_FAILED;
	for (i = 0; i < objects.n; i++) {
		const struct object_row *o = (void *)(objects.data +
						      i * objects.size);
		struct rm_row row = { .stat = o->stat };

		if (o->stat.state != REFOBJ_STATE_IDLE ||
		    !(o->stat.object_flags & REFOBJ_PERSISTENT))
			continue;
		remove_object(session, object_label(&o->stat), &row);
		/* in use again, or removed by another: not unused any more */
		if (row.err == -EBUSY || row.err == -ESTALE ||
		    row.err == -ENOENT)
			continue;
		if (row.err) {
			complain_object(session, object_label(&o->stat),
					row.err);
			status = EXIT_FAILED;
		}
		add_row(rows, &row);
	}
	free(objects.data);
	return status;
}

static int run_rm(int argc, char **argv)
{
	struct rows rows = { .size = sizeof(struct rm_row) };
	struct refobj_session *session;
	int status;

	if (rm.unused && argc)
		return usage_error("--unused goes without names");
	if (!rm.unused && !argc)
		return usage_error("which object? give a name, an id, or --unused");
	session = open_session();
	if (!session)
		return EXIT_FAILED;
	status = rm.unused ? remove_unused(session, &rows) :
		 remove_named(session, &rows, argc, argv);
	refobj_close(session);
	if (!output_is_prose())
		table_print(&rm_table, rows.data, rows.n, rows.size);
	free(rows.data);
	return status;
}

static bool rm_option(int code, const char *arg)
{
	(void)arg;
	if (code == 'u')
		rm.unused = true;
	else
		rm.dry_run = true;
	return true;
}

static const struct option_text rm_options[] = {
	{ "unused", 'u', NULL, "remove all persistent objects that nobody uses" },
	{ "dry-run", 256, NULL, "only say what would be removed" },
	{ NULL, 0, NULL, NULL }
};

const struct verb verb_rm = {
	.name = "rm",
	.args = "[OPTIONS] NAME|ID... | --unused",
	.summary = "remove persistent objects that nobody uses",
	.help = "Removes persistent objects that nobody uses; it needs write permission on them.\n"
		"An object in use is refused, and its holders are named. A transient object ends by\n"
		"itself with its last reference. --dry-run does not check the permission.",
	.options = rm_options,
	.table = &rm_table,
	.usage_status = EXIT_USAGE,
	.option = rm_option,
	.run = run_rm,
};
