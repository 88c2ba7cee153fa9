// SPDX-License-Identifier: GPL-2.0-only
/* refctl sessions: who has the device open, as netlink tells. */
#include <stdlib.h>
#include <time.h>

#include "refctl.h"

struct session_row {
	struct refobj_nl_session session;
	uint64_t boottime;
};

struct session_rows {
	struct session_row *row;
	size_t n;
	uint64_t boottime;
};

#define SESSION(row) (&((const struct session_row *)(row))->session)

static void get_id(struct cell *cell, const void *row)
{
	cell_uint(cell, SESSION(row)->id);
}

static void get_pid(struct cell *cell, const void *row)
{
	if (SESSION(row)->pid)
		cell_uint(cell, SESSION(row)->pid);
}

static void get_comm(struct cell *cell, const void *row)
{
	cell_string(cell, SESSION(row)->comm);
}

static void get_uid(struct cell *cell, const void *row)
{
	cell_uint(cell, SESSION(row)->uid);
}

static void get_user(struct cell *cell, const void *row)
{
	char *name = owner_name(SESSION(row)->uid);

	cell_string(cell, name);
	free(name);
}

static void get_objects(struct cell *cell, const void *row)
{
	cell_uint(cell, SESSION(row)->objects);
}

static void get_references(struct cell *cell, const void *row)
{
	cell_uint(cell, SESSION(row)->references);
}

static void get_ended(struct cell *cell, const void *row)
{
	cell_bool(cell, SESSION(row)->ended);
}

static void get_start(struct cell *cell, const void *row)
{
	const struct session_row *r = row;
	uint64_t start = r->session.start_ns;

	cell_age(cell, start, r->boottime > start ? r->boottime - start : 0);
}

static void get_why(struct cell *cell, const void *row)
{
	cell_string(cell, SESSION(row)->why);
}

#define D COLUMN_DEFAULT
#define R COLUMN_RIGHT
#define T COLUMN_TRUNC

static const struct column session_columns[] = {
	{ "SESSION", D | R, 0, "never given to another session", get_id },
	{ "PID", D | R, 0, "process that owns it, if it has a number here", get_pid },
	{ "COMM", D, 0, "its command name", get_comm },
	{ "UID", D | R, 0, "who opened it", get_uid },
	{ "OBJECTS", D | R, 0, "how many it holds", get_objects },
	{ "REFERENCES", D | R, 0, "how many it holds on them", get_references },
	{ "WHY", D | T, 0.3, "the reason given for it", get_why },
	{ "USER", 0, 0, "name of UID", get_user },
	{ "ENDED", 0, 0, "its owner has gone, others have it open", get_ended },
	{ "START", R, 0,
	  "age of the process (JSON: its start, CLOCK_BOOTTIME ns)", get_start },
};

static const struct table sessions_table = {
	.name = "sessions", .columns = session_columns,
	.n_columns = ARRAY_SIZE(session_columns),
};

static int add_session(const struct refobj_nl_session *session, void *arg)
{
	struct session_rows *rows = arg;

	rows->row = xrealloc(rows->row, rows->n + 1, sizeof(*rows->row));
	rows->row[rows->n++] = (struct session_row) {
		.session = *session, .boottime = rows->boottime,
	};
	return 0;
}

static int run_sessions(int argc, char **argv)
{
	struct session_rows rows = { .boottime = host_clock(CLOCK_BOOTTIME) };
	struct refobj_nl *nl;
	int ret;

	if (argc)
		return usage_error("unexpected '%s'", escape(argv[0]));
	nl = open_netlink();
	if (!nl)
		return EXIT_FAILED;
	ret = refobj_nl_sessions(nl, add_session, &rows);
	if (ret < 0)
		complain_netlink(nl, ret);
	else
		table_print(&sessions_table, rows.row, rows.n, sizeof(*rows.row));
	refobj_nl_close(nl);
	free(rows.row);
	return ret < 0 ? EXIT_FAILED : EXIT_OK;
}

const struct verb verb_sessions = {
	.name = "sessions",
	.args = "[OPTIONS]",
	.summary = "list who has the device open, and how much it holds",
	.help = "Lists the sessions of the network namespace: all with CAP_NET_ADMIN, else\n"
		"those of your own uid.",
	.table = &sessions_table,
	.usage_status = EXIT_USAGE,
	.run = run_sessions,
};
