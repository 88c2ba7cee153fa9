// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libsmartcols.h>

#include "refctl.h"

#define COLUMNS_MAX	32

struct output output;

/* What -o chose of the verb's table. */
static struct {
	const struct table *table;
	const struct column *columns[COLUMNS_MAX];
	size_t n;
	bool exact;	/* a list, not additions to the default */
	const struct column *sort;
} selection;

void cell_uint(struct cell *cell, uint64_t value)
{
	cell->text = xprintf("%" PRIu64, value);
	cell->json = json_object_new_uint64(value);
}

void cell_string(struct cell *cell, const char *value)
{
	char *clean;

	if (!*value)
		return;
	clean = utf8_clean(value);
	cell->text = xstrdup(value);
	cell->json = json_object_new_string(clean);
	free(clean);
}

void cell_bool(struct cell *cell, bool value)
{
	cell->text = xstrdup(value ? "yes" : "no");
	cell->json = json_object_new_boolean(value);
}

void cell_mode(struct cell *cell, uint32_t mode)
{
	cell->text = xprintf("%04" PRIo32, mode);
	cell->json = json_object_new_string(cell->text);
}

void cell_age(struct cell *cell, uint64_t value, uint64_t age)
{
	cell->text = relative_time(age);
	cell->json = json_object_new_uint64(value);
}

bool output_is_prose(void)
{
	return !output.json && !output.raw && !output.columns;
}

static const struct column *find_column(const struct table *table,
					const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < table->n_columns; i++)
		if (!strncasecmp(table->columns[i].name, name, len) &&
		    !table->columns[i].name[len])
			return &table->columns[i];
	return NULL;
}

static void select_column(const struct column *column)
{
	size_t i;

	for (i = 0; i < selection.n; i++)
		if (selection.columns[i] == column)
			return;
	if (selection.n < COLUMNS_MAX)
		selection.columns[selection.n++] = column;
}

static bool is_default(const struct table *table, const struct column *column)
{
	return table->flags & TABLE_RECORDS || column->flags & COLUMN_DEFAULT;
}

static void select_defaults(const struct table *table)
{
	size_t i;

	for (i = 0; i < table->n_columns; i++)
		if (is_default(table, &table->columns[i]))
			select_column(&table->columns[i]);
}

/* The column of this name, or NULL: complained. */
static const struct column *named_column(const struct table *table,
					 const char *name, size_t len)
{
	const struct column *column = len ? find_column(table, name, len) : NULL;
	char *copy;

	if (column)
		return column;
	copy = xprintf("%.*s", (int)len, name);
	complain(NULL, "unknown column '%s': see: refctl %s --list-columns",
		 escape(copy), current_verb);
	free(copy);
	return NULL;
}

bool table_select(const struct table *table)
{
	const char *list = output.columns, *sort = output.sort;

	selection.table = table;
	if (sort) {
		sort += *sort == '-';
		selection.sort = named_column(table, sort, strlen(sort));
		if (!selection.sort)
			return false;
	}
	if (!list || *list == '+')
		select_defaults(table);
	if (!list)
		return true;
	selection.exact = *list != '+';
	list += *list == '+';
	for (;;) {
		size_t len = strcspn(list, ",");
		const struct column *column = named_column(table, list, len);

		if (!column)
			return false;
		select_column(column);
		if (!list[len])
			return true;
		list += len + 1;
	}
}

/* The text columns of @table, which need not be the verb's own. */
static size_t text_columns(const struct table *table,
			   const struct column **columns)
{
	size_t n = 0, i;

	if (selection.table == table) {
		for (; n < selection.n; n++)
			columns[n] = selection.columns[n];
		return n;
	}
	for (i = 0; i < table->n_columns && n < COLUMNS_MAX; i++)
		if (is_default(table, &table->columns[i]))
			columns[n++] = &table->columns[i];
	return n;
}

static const void *row_at(const void *rows, size_t i, size_t size)
{
	return (const char *)rows + i * size;
}

static char *cell_text(const struct column *column, const void *row)
{
	struct cell cell = { 0 };

	column->get(&cell, row);
	json_object_put(cell.json);
	return cell.text ? cell.text : xstrdup("-");
}

static struct json_object *cell_json(const struct column *column,
				     const void *row)
{
	struct cell cell = { 0 };

	column->get(&cell, row);
	free(cell.text);
	return cell.json;
}

static void print_records(const struct column **columns, size_t n_columns,
			  const void *rows, size_t n, size_t size)
{
	int width = 0;
	size_t i, j;

	for (j = 0; j < n_columns; j++)
		if ((int)strlen(columns[j]->name) > width)
			width = (int)strlen(columns[j]->name);
	for (i = 0; i < n; i++) {
		for (j = 0; j < n_columns; j++) {
			char *text = cell_text(columns[j], row_at(rows, i, size));
			char *name = xstrdup(columns[j]->name), *c;

			for (c = name; *c; c++)
				*c = (char)tolower((unsigned char)*c);
			printf("%s:%*s %s\n", name, width - (int)strlen(name),
			       "", escape(text));
			free(name);
			free(text);
		}
	}
}

static void die_smartcols(void)
{
	complain(NULL, "cannot lay out the table: out of memory");
	exit(EXIT_FAILED);
}

static struct libscols_table *new_table(const struct column **columns,
					size_t n_columns)
{
	struct libscols_table *tb = scols_new_table();
	size_t j;

	if (!tb || scols_table_enable_raw(tb, output.raw) ||
	    scols_table_enable_noheadings(tb, output.noheadings))
		die_smartcols();
	/* raw has an encoding of its own; else escape() has seen to it */
	if (!output.raw && scols_table_enable_noencoding(tb, 1))
		die_smartcols();
	for (j = 0; j < n_columns; j++) {
		int flags = 0;

		if (columns[j]->flags & COLUMN_RIGHT)
			flags |= SCOLS_FL_RIGHT;
		if (columns[j]->flags & COLUMN_TRUNC)
			flags |= SCOLS_FL_TRUNC;
		if (columns[j]->flags & COLUMN_TREE)
			flags |= SCOLS_FL_TREE;
		if (!scols_table_new_column(tb, columns[j]->name,
					    columns[j]->width, flags))
			die_smartcols();
	}
	return tb;
}

static void print_indented(struct libscols_table *tb, const char *indent)
{
	char *text, *line, *rest;

	if (scols_print_table_to_string(tb, &text))
		die_smartcols();
	for (rest = text; (line = strsep(&rest, "\n")) && *line;)
		printf("%s%s\n", indent, line);
	free(text);
}

void table_text(const struct table *table, const void *rows, size_t n,
		size_t size, const char *indent)
{
	const struct column *columns[COLUMNS_MAX];
	bool records = table->flags & TABLE_RECORDS && !output.raw;
	size_t n_columns = text_columns(table, columns), i, j, at;
	struct libscols_line **lines;
	struct libscols_table *tb;

	if (records) {
		print_records(columns, n_columns, rows, n, size);
		return;
	}
	tb = new_table(columns, n_columns);
	lines = xrealloc(NULL, n + 1, sizeof(struct libscols_line *));
	for (i = 0; i < n; i++) {
		struct libscols_line *line;

		at = table->parent ? table->parent(row_at(rows, i, size)) :
		     NO_PARENT;
		line = scols_table_new_line(tb, at == NO_PARENT ? NULL :
					    lines[at]);
		if (!line)
			die_smartcols();
		lines[i] = line;
		for (j = 0; j < n_columns; j++) {
			char *text = cell_text(columns[j], row_at(rows, i, size));

			if (scols_line_set_data(line, j, output.raw ? text :
						escape(text)))
				die_smartcols();
			free(text);
		}
	}
	if (indent)
		print_indented(tb, indent);
	else if (scols_print_table(tb))
		die_smartcols();
	scols_unref_table(tb);
	free(lines);
}

static void add_cell(struct json_object *object, const struct column *column,
		     const void *row)
{
	char key[32], *c;

	snprintf(key, sizeof(key), "%s", column->name);
	for (c = key; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	json_object_object_add(object, key, cell_json(column, row));
}

static struct json_object *row_json(const struct table *table, const void *row)
{
	struct json_object *object = json_object_new_object();
	size_t j;

	if (selection.table == table && selection.exact)
		for (j = 0; j < selection.n; j++)
			add_cell(object, selection.columns[j], row);
	else
		for (j = 0; j < table->n_columns; j++)
			add_cell(object, &table->columns[j], row);
	return object;
}

struct json_object *table_rows(const struct table *table, const void *rows,
			       size_t n, size_t size)
{
	struct json_object *result, **all, *children;
	size_t i, at;

	if (table->flags & TABLE_MAP) {
		result = json_object_new_object();
		for (i = 0; i < n; i++) {
			const void *row = row_at(rows, i, size);
			char *key = cell_text(&table->columns[0], row);

			json_object_object_add(result, key,
					       cell_json(&table->columns[1],
							 row));
			free(key);
		}
		return result;
	}
	result = json_object_new_array();
	all = xrealloc(NULL, n + 1, sizeof(struct json_object *));
	for (i = 0; i < n; i++) {
		const void *row = row_at(rows, i, size);

		all[i] = row_json(table, row);
		if (table->parent)
			json_object_object_add(all[i], "children",
					       json_object_new_array());
		at = table->parent ? table->parent(row) : NO_PARENT;
		children = at == NO_PARENT ? result :
			   json_object_object_get(all[at], "children");
		json_object_array_add(children, all[i]);
	}
	free(all);
	return result;
}

struct json_object *json_top(void)
{
	struct json_object *top = json_object_new_object();

	json_object_object_add(top, "version", json_object_new_int(JSON_VERSION));
	return top;
}

void json_print(struct json_object *top)
{
	puts(json_object_to_json_string_ext(top, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(top);
}

struct sort_key {
	struct json_object *json;
	size_t at;
};

/* By the values of the JSON: numbers as such, "no value" first, equal ones as they were. */
static int compare_keys(const void *a, const void *b)
{
	const struct sort_key *x = a, *y = b;
	uint64_t i, j;
	int ret;

	if (!x->json || !y->json) {
		ret = !!x->json - !!y->json;
	} else if (json_object_is_type(x->json, json_type_int)) {
		i = json_object_get_uint64(x->json);
		j = json_object_get_uint64(y->json);
		ret = (i > j) - (i < j);
	} else {
		ret = strcmp(json_object_get_string(x->json),
			     json_object_get_string(y->json));
	}
	if (*output.sort == '-')
		ret = -ret;
	return ret ? ret : (x->at > y->at) - (x->at < y->at);
}

/* A copy, to be freed. */
static void *sort_rows(const void *rows, size_t n, size_t size)
{
	struct sort_key *keys = xrealloc(NULL, n, sizeof(*keys));
	char *sorted = xrealloc(NULL, n, size);
	size_t i;

	for (i = 0; i < n; i++)
		keys[i] = (struct sort_key) {
			cell_json(selection.sort, row_at(rows, i, size)), i,
		};
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (i = 0; i < n; i++) {
		memcpy(sorted + i * size, row_at(rows, keys[i].at, size), size);
		json_object_put(keys[i].json);
	}
	free(keys);
	return sorted;
}

void table_print(const struct table *table, const void *rows, size_t n,
		 size_t size)
{
	struct json_object *top;
	void *sorted = NULL;

	/* in a tree the order is what it is */
	if (n && !table->parent && selection.table == table && selection.sort)
		sorted = sort_rows(rows, n, size);
	if (sorted)
		rows = sorted;
	if (output.json) {
		top = json_top();
		json_object_object_add(top, table->name,
				       table_rows(table, rows, n, size));
		json_print(top);
	} else {
		table_text(table, rows, n, size, NULL);
	}
	free(sorted);
}

static void stream_cell(const char *text, const struct column *column,
			bool last)
{
	int width = (int)column->width, pad = width - (int)strlen(text);

	if (output.raw)
		printf("%s%s", text, last ? "\n" : " ");
	else if (column->flags & COLUMN_RIGHT)
		printf("%*s%s%s", pad > 0 ? pad : 0, "", text, last ? "\n" : " ");
	else
		printf("%s%*s%s", text, pad > 0 && !last ? pad : 0, "",
		       last ? "\n" : " ");
}

/* As libsmartcols does it. */
static char *raw_text(const char *s)
{
	char *copy = xrealloc(NULL, strlen(s) + 1, 4), *out = copy;

	for (; *s; s++) {
		if (*s == '\\' || isspace((unsigned char)*s) ||
		    !isprint((unsigned char)*s))
			out += sprintf(out, "\\x%02x", (unsigned char)*s);
		else
			*out++ = *s;
	}
	*out = '\0';
	return copy;
}

void table_stream(const struct table *table, const void *row)
{
	static bool headed;
	const struct column *columns[COLUMNS_MAX];
	size_t n = text_columns(table, columns), j;
	struct json_object *object;

	if (output.json) {
		object = json_top();
		json_object_object_add(object, table->name,
				       row_json(table, row));
		puts(json_object_to_json_string_ext(object,
						    JSON_C_TO_STRING_PLAIN |
						    JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(object);
		fflush(stdout);
		return;
	}
	if (!headed && !output.noheadings)
		for (j = 0; j < n; j++)
			stream_cell(columns[j]->name, columns[j], j == n - 1);
	headed = true;
	for (j = 0; j < n; j++) {
		char *text = cell_text(columns[j], row);
		char *raw = output.raw ? raw_text(text) : NULL;

		stream_cell(raw ? raw : escape(text), columns[j], j == n - 1);
		free(raw);
		free(text);
	}
	fflush(stdout);
}

/* The table whose columns are the rows. */
static const struct table *listed;

static void get_column_name(struct cell *cell, const void *row)
{
	cell_string(cell, ((const struct column *)row)->name);
}

static void get_column_default(struct cell *cell, const void *row)
{
	cell_bool(cell, is_default(listed, row));
}

static void get_column_help(struct cell *cell, const void *row)
{
	cell_string(cell, ((const struct column *)row)->help);
}

void table_list_columns(const struct table *table)
{
	static const struct column columns[] = {
		{ "COLUMN", COLUMN_DEFAULT, 0, "name", get_column_name },
		{ "DEFAULT", COLUMN_DEFAULT, 0, "shown without -o",
		  get_column_default },
		{ "DESCRIPTION", COLUMN_DEFAULT, 0, "meaning",
		  get_column_help },
	};
	static const struct table listing = {
		.name = "columns", .columns = columns,
		.n_columns = ARRAY_SIZE(columns),
	};

	listed = table;
	selection.table = NULL;
	table_print(&listing, table->columns, table->n_columns,
		    sizeof(*table->columns));
}
