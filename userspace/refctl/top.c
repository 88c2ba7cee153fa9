// SPDX-License-Identifier: GPL-2.0-only
/* refctl top: the busiest objects, again and again, as netlink tells them. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <ncurses.h>

#include "refctl.h"

static struct {
	bool batch;
	uint64_t count;		/* 0: without an end */
	int64_t every_ms;
} top = { .every_ms = 2000 };

struct top_row {
	struct refobj_stat stat;
	uint64_t rate;		/* activations a second since the last look */
};

/* What was seen at a time. */
struct sight {
	struct top_row *row;
	size_t n;
	uint64_t ns;
};

#define TOP(row) ((const struct top_row *)(row))

static void get_id(struct cell *cell, const void *row)
{
	cell_uint(cell, TOP(row)->stat.id);
}

static void get_name(struct cell *cell, const void *row)
{
	cell_string(cell, TOP(row)->stat.name);
}

static void get_state(struct cell *cell, const void *row)
{
	cell_string(cell, refobj_strstate(TOP(row)->stat.state));
}

static void get_users(struct cell *cell, const void *row)
{
	cell_uint(cell, TOP(row)->stat.users);
}

static void get_holders(struct cell *cell, const void *row)
{
	cell_uint(cell, TOP(row)->stat.holders);
}

static void get_rate(struct cell *cell, const void *row)
{
	cell_uint(cell, TOP(row)->rate);
}

static void get_activations(struct cell *cell, const void *row)
{
	cell_uint(cell, TOP(row)->stat.activations);
}

static void get_watches(struct cell *cell, const void *row)
{
	cell_uint(cell, TOP(row)->stat.watches);
}

#define D	COLUMN_DEFAULT
#define R	COLUMN_RIGHT

/* The widths are those on the screen. */
static const struct column top_columns[] = {
	{ "ID", D | R, 8, "never given to another object", get_id },
	{ "NAME", D, 24, "name, if it has one", get_name },
	{ "STATE", D, 9, "idle, building, ready or lingering", get_state },
	{ "USERS", D | R, 9, "all references together", get_users },
	{ "HOLDERS", D | R, 7, "how many hold references", get_holders },
	{ "RATE", D | R, 7, "activations a second, since the last look", get_rate },
	{ "ACTIVATIONS", D | R, 11, "how often the users left zero", get_activations },
	{ "WATCHES", R, 7, "sessions that watch it", get_watches },
};

static const struct table top_table = {
	.name = "top", .columns = top_columns,
	.n_columns = ARRAY_SIZE(top_columns),
};

static int by_id(const void *a, const void *b)
{
	uint64_t x = TOP(a)->stat.id, y = TOP(b)->stat.id;

	return (x > y) - (x < y);
}

/* The busiest first, then the most used, then the oldest. */
static int by_rate(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;

	if (x->rate != y->rate)
		return x->rate < y->rate ? 1 : -1;
	if (x->stat.users != y->stat.users)
		return x->stat.users < y->stat.users ? 1 : -1;
	return by_id(a, b);
}

static int by_users(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;

	if (x->stat.users != y->stat.users)
		return x->stat.users < y->stat.users ? 1 : -1;
	return by_rate(a, b);
}

static int (*order)(const void *a, const void *b) = by_rate;

static int add_object(const struct refobj_stat *object, void *arg)
{
	struct sight *s = arg;

	/* doubled at every power of two */
	if (!(s->n & (s->n - 1)))
		s->row = xrealloc(s->row, s->n ? 2 * s->n : 1, sizeof(*s->row));
	s->row[s->n++] = (struct top_row) { .stat = *object };
	return 0;
}

/* Looks anew; false: complained. Rates are those since @s was seen. */
static bool look(struct refobj_nl *nl, struct sight *s)
{
	struct sight old = *s;
	const struct top_row *was;
	uint64_t begin;
	size_t i;
	int ret;

	*s = (struct sight) { .ns = host_clock(CLOCK_MONOTONIC) };
	ret = refobj_nl_objects(nl, NULL, add_object, s);
	if (old.n)
		qsort(old.row, old.n, sizeof(*old.row), by_id);
	for (i = 0; i < s->n && old.ns; i++) {
		was = old.n ? bsearch(&s->row[i], old.row, old.n, sizeof(*old.row),
				      by_id) : NULL;
		begin = was ? was->stat.activations : 0;
		s->row[i].rate = (s->row[i].stat.activations - begin) * 1000000000 /
				 (s->ns > old.ns ? s->ns - old.ns : 1);
	}
	if (s->n)
		qsort(s->row, s->n, sizeof(*s->row), order);
	free(old.row);
	if (ret < 0)
		complain_netlink(nl, ret);
	return ret >= 0;
}

/*
 * The screen
 */

static void put_row(int y, const void *row)
{
	struct cell cell;
	const char *text;
	size_t j;
	int x = 0, pad;

	move(y, 0);
	for (j = 0; j < ARRAY_SIZE(top_columns) && x < COLS; j++) {
		const struct column *c = &top_columns[j];
		int width = (int)c->width;

		if (!(c->flags & COLUMN_DEFAULT))
			continue;
		cell = (struct cell) { 0 };
		if (row)
			c->get(&cell, row);
		text = row ? escape(cell.text ? cell.text : "-") : c->name;
		pad = width > (int)strlen(text) ? width - (int)strlen(text) : 0;
		if (width > COLS - x)
			width = COLS - x;
		if (c->flags & COLUMN_RIGHT)
			printw("%*s%.*s ", pad, "", width, text);
		else
			printw("%.*s%*s ", width, text, pad, "");
		x += (int)c->width + 1;
		free(cell.text);
		json_object_put(cell.json);
	}
}

static void draw(const struct sight *s)
{
	uint64_t users = 0, rate = 0;
	size_t i;

	for (i = 0; i < s->n; i++) {
		users += s->row[i].stat.users;
		rate += s->row[i].rate;
	}
	erase();
	mvprintw(0, 0, "%zu objects, %" PRIu64 " users, %" PRIu64 " activations a second",
		 s->n, users, rate);
	mvprintw(1, 0, "by %s; r: by rate, u: by users, q: end",
		 order == by_rate ? "rate" : "users");
	attron(A_REVERSE);
	put_row(2, NULL);
	attroff(A_REVERSE);
	for (i = 0; i < s->n && (int)i + 3 < LINES; i++)
		put_row((int)i + 3, &s->row[i]);
	refresh();
}

/* A signal that comes just before curses waits is seen when something else comes. */
static bool was_resized(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row || !size.ws_col ||
	    !is_term_resized(size.ws_row, size.ws_col))
		return false;
	resizeterm(size.ws_row, size.ws_col);
	return true;
}

/* A key, or the time is over; false: it is to end. */
static bool wait_for_key(struct sight *s, uint64_t deadline)
{
	uint64_t now, left;
	int key;

	for (;;) {
		now = host_clock(CLOCK_MONOTONIC);
		if (now >= deadline)
			return true;
		left = (deadline - now) / 1000000 + 1;
		timeout(left < 500 ? (int)left : 500);
		key = getch();
		if (key == 'q' || key == 'Q' || key == 3)
			return false;
		if (key == 'r')
			order = by_rate;
		else if (key == 'u')
			order = by_users;
		if (key == ERR && !was_resized())
			continue;
		/* also what was resized */
		if (s->n)
			qsort(s->row, s->n, sizeof(*s->row), order);
		draw(s);
	}
}

static bool on_screen(struct refobj_nl *nl)
{
	struct sight s = { 0 };
	uint64_t rounds = 0, next;
	bool good;

	if (!isatty(STDOUT_FILENO) || !newterm(NULL, stdout, stdin)) {
		complain(NULL, "this is no terminal that it can draw on: use --batch");
		return false;
	}
	raw();
	noecho();
	curs_set(0);
	while ((good = look(nl, &s))) {
		draw(&s);
		if (top.count && ++rounds == top.count)
			break;
		next = s.ns + (uint64_t)top.every_ms * 1000000;
		if (!wait_for_key(&s, next))
			break;
	}
	endwin();
	free(s.row);
	return good;
}

static bool in_batches(struct refobj_nl *nl)
{
	struct sight s = { 0 };
	uint64_t rounds = 0;
	bool good;

	while ((good = look(nl, &s))) {
		table_print(&top_table, s.row, s.n, sizeof(*s.row));
		if (fflush(stdout) || ferror(stdout) ||
		    (top.count && ++rounds == top.count))
			break;
		poll(NULL, 0, (int)(top.every_ms % INT32_MAX));
		if (!output.json)
			putchar('\n');
	}
	free(s.row);
	return good;
}

static int run_top(int argc, char **argv)
{
	struct refobj_nl *nl;
	bool good;

	if (argc)
		return usage_error("unexpected '%s'", escape(argv[0]));
	nl = open_netlink();
	if (!nl)
		return EXIT_FAILED;
	good = top.batch || output.json ? in_batches(nl) : on_screen(nl);
	refobj_nl_close(nl);
	return good ? EXIT_OK : EXIT_FAILED;
}

static bool top_option(int code, const char *arg)
{
	switch (code) {
	case 'b':
		top.batch = true;
		return true;
	case 'd':
		return parse_timeout(arg, &top.every_ms);
	default:
		if (parse_number(arg, 10, 1, UINT64_MAX, &top.count))
			return true;
		complain(NULL, "bad number of rounds '%s': 1 or more are wanted",
			 escape(arg));
		return false;
	}
}

static const struct option_text top_options[] = {
	{ "batch", 'b', NULL, "print tables, one after the other; --json implies it" },
	{ "delay", 'd', "SECONDS", "look so often; else every 2 seconds" },
	{ "number", 'n', "COUNT", "end after so many looks" },
	{ NULL, 0, NULL, NULL }
};

const struct verb verb_top = {
	.name = "top",
	.args = "[OPTIONS]",
	.summary = "show the busiest objects, again and again",
	.help = "Shows the objects that you may see, first those that are activated most often or\n"
		"have the most users. Keys: r and u choose the order, q ends.",
	.options = top_options,
	.table = &top_table,
	.usage_status = EXIT_USAGE,
	.option = top_option,
	.run = run_top,
};
