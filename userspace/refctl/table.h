/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one emitter: rows go in, a text table or JSON comes out.
 *
 * A verb describes its columns once. Text shows the default ones and what -o
 * names; JSON has all of them under their lower-case names, unless -o names
 * them one by one.
 */
#ifndef REFCTL_TABLE_H
#define REFCTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

/* The version of the JSON that refctl prints; changed when a key changes. */
#define JSON_VERSION	1

/* One value of one row in both shapes; a NULL text shows as "-". */
struct cell {
	char *text;
	struct json_object *json;
};

void cell_uint(struct cell *cell, uint64_t value);
void cell_string(struct cell *cell, const char *value);	/* "" is no value */
void cell_bool(struct cell *cell, bool value);
void cell_mode(struct cell *cell, uint32_t mode);
/* @value in JSON; the time since, @age nanoseconds, in text. */
void cell_age(struct cell *cell, uint64_t value, uint64_t age);

#define COLUMN_DEFAULT	0x1	/* shown without -o */
#define COLUMN_RIGHT	0x2	/* numbers */
#define COLUMN_TRUNC	0x4	/* may be cut on a narrow terminal */
#define COLUMN_TREE	0x8	/* shows the tree, in tables that are one */

struct column {
	const char *name;
	unsigned int flags;
	double width;			/* hint, as libsmartcols takes it */
	const char *help;
	/* Fills a zeroed cell, or leaves it: no value. */
	void (*get)(struct cell *cell, const void *row);
};

#define TABLE_RECORDS	0x1	/* text: "column: value", all columns */
#define TABLE_MAP	0x2	/* JSON: an object, column 0 is the key */

struct table {
	const char *name;		/* the key of the rows in JSON */
	unsigned int flags;
	const struct column *columns;
	size_t n_columns;
	/*
	 * Of a tree: the index of the row that a row is under, or NO_PARENT. Parents
	 * come first. JSON: "children".
	 */
	size_t (*parent)(const void *row);
};

#define NO_PARENT	((size_t)-1)

/* The options that choose the shape, common to all verbs with a table. */
struct output {
	bool json;
	bool raw;
	bool noheadings;
	bool list_columns;
	const char *columns;		/* -o */
	const char *sort;		/* -s: a column, after '-' the other way round */
};

extern struct output output;

/* Does a person read sentences (true), or a program rows? */
bool output_is_prose(void);

/* Takes -o and -s for @table, the verb's own. False: an unknown column, complained. */
bool table_select(const struct table *table);

/* Prints @n rows of @size bytes each, which -s sorts first. */
void table_print(const struct table *table, const void *rows, size_t n,
		 size_t size);

/* In parts, for verbs that add something. */
void table_text(const struct table *table, const void *rows, size_t n,
		size_t size, const char *indent);
struct json_object *table_rows(const struct table *table, const void *rows,
			       size_t n, size_t size);
struct json_object *json_top(void);
void json_print(struct json_object *top);	/* and frees it */

/*
 * One row at once: text in columns that are at least as wide as their hints, under
 * headings before the first one; JSON on a line of its own, with its version.
 */
void table_stream(const struct table *table, const void *row);

/* -H: what -o may name. */
void table_list_columns(const struct table *table);

#endif /* REFCTL_TABLE_H */
