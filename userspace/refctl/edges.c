// SPDX-License-Identifier: GPL-2.0-only
/* The verbs that work with what objects need, and that show it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "refctl.h"

/*
 * link, unlink
 */

static int change_edge(int argc, char **argv,
		       int (*change)(struct refobj_session *session,
				     uint64_t id, uint64_t dep),
		       const char *done)
{
	struct refobj_stat owner = { 0 }, dep = { 0 };
	struct refobj_session *session;
	int ret;

	if (argc != 2)
		return usage_error("two objects are wanted: OWNER and what it needs");
	session = open_session();
	if (!session)
		return EXIT_FAILED;
	ret = find_object(session, argv[0], &owner);
	if (!ret)
		ret = find_object(session, argv[1], &dep);
	if (!ret) {
		ret = RETRY(change(session, owner.id, dep.id));
		if (ret == -EEXIST)
			complain(argv[0], "it needs %s already: see refctl tree",
				 escape(argv[1]));
		else if (ret == -ENOENT)
			complain(argv[0], "it does not need %s: see refctl tree",
				 escape(argv[1]));
		else if (ret == -ELOOP)
			complain(argv[0], "if it needed %s it would need itself: see refctl tree",
				 escape(argv[1]));
		else if (ret < 0)
			complain_object(session, argv[0], ret);
		else
			printf("%s %s %s\n", escape(argv[0]), done,
			       escape(argv[1]));
	}
	refobj_close(session);
	return ret < 0 ? EXIT_FAILED : EXIT_OK;
}

static int run_link(int argc, char **argv)
{
	return change_edge(argc, argv, refobj_link, "now needs");
}

static int run_unlink(int argc, char **argv)
{
	return change_edge(argc, argv, refobj_unlink, "no longer needs");
}

const struct verb verb_link = {
	.name = "link",
	.args = "[OPTIONS] OWNER DEP",
	.summary = "let an object need another",
	.help = "While OWNER is in use it holds a reference on DEP, so that what it needs lives\n"
		"as long as it is used. The last release of OWNER drops it. This lasts until refctl\n"
		"unlink, or until either object is gone. It needs write permission on OWNER.",
	.usage_status = EXIT_USAGE,
	.run = run_link,
};

const struct verb verb_unlink = {
	.name = "unlink",
	.args = "[OPTIONS] OWNER DEP",
	.summary = "let an object need another no more",
	.help = "Undoes refctl link; what OWNER holds on DEP is dropped.",
	.usage_status = EXIT_USAGE,
	.run = run_unlink,
};

/*
 * tree
 */

/* An object and who holds it. */
struct node {
	struct refobj_stat stat;
	struct refobj_holder *holders;
	int n_holders;
	bool needed;	/* by an object that is seen */
	bool told;
};

enum row_kind {
	ROW_OBJECT,
	ROW_AGAIN,	/* an object that was told before */
	ROW_HOLDER,
	ROW_IDLE,	/* what an idle object needs, which is not known */
};

struct tree_row {
	enum row_kind kind;
	size_t parent;
	const struct node *node;
	const struct refobj_holder *holder;
	uint32_t number;
};

static struct {
	struct node *nodes;
	size_t n_nodes;
	struct tree_row *rows;
	size_t n_rows;
} tree;

#define TREE(row) ((const struct tree_row *)(row))

static bool is_object_row(const struct tree_row *row)
{
	return row->kind == ROW_OBJECT || row->kind == ROW_AGAIN;
}

static void get_tree_name(struct cell *cell, const void *row)
{
	const struct refobj_holder *h = TREE(row)->holder;
	char pid[32] = "a process without a pid here";

	switch (TREE(row)->kind) {
	case ROW_OBJECT:
	case ROW_AGAIN:
		cell_string(cell, TREE(row)->node->stat.name);
		free(cell->text);
		cell->text = xprintf("%s%s", object_label(&TREE(row)->node->stat),
				     TREE(row)->kind == ROW_AGAIN ?
				     " (see above)" : "");
		break;
	case ROW_HOLDER:
		if (h->pid)
			snprintf(pid, sizeof(pid), "pid %u", h->pid);
		cell->text = xprintf("%s%s (%s)", h->kind == REFOBJ_HOLDER_FD ?
				     "descriptor of " : "", pid, h->comm);
		break;
	case ROW_IDLE:
		cell->text = xprintf("(%u more, not held while it is idle)",
				     TREE(row)->number);
		break;
	}
}

static void get_tree_kind(struct cell *cell, const void *row)
{
	if (is_object_row(row))
		cell_string(cell, "object");
	else if (TREE(row)->kind == ROW_HOLDER)
		cell_string(cell, TREE(row)->holder->kind == REFOBJ_HOLDER_FD ?
			    "descriptor" : "session");
	else
		cell_string(cell, "idle");
}

static void get_tree_state(struct cell *cell, const void *row)
{
	if (is_object_row(row))
		cell_string(cell, refobj_strstate(TREE(row)->node->stat.state));
}

static void get_tree_users(struct cell *cell, const void *row)
{
	if (is_object_row(row))
		cell_uint(cell, TREE(row)->node->stat.users);
}

static void get_tree_count(struct cell *cell, const void *row)
{
	if (TREE(row)->kind == ROW_HOLDER)
		cell_uint(cell, TREE(row)->holder->count);
	else if (TREE(row)->kind == ROW_IDLE)
		cell_uint(cell, TREE(row)->number);
}

static void get_tree_why(struct cell *cell, const void *row)
{
	if (TREE(row)->kind == ROW_HOLDER)
		cell_string(cell, TREE(row)->holder->why);
}

static void get_tree_id(struct cell *cell, const void *row)
{
	if (is_object_row(row))
		cell_uint(cell, TREE(row)->node->stat.id);
}

static void get_tree_pid(struct cell *cell, const void *row)
{
	if (TREE(row)->kind == ROW_HOLDER && TREE(row)->holder->pid)
		cell_uint(cell, TREE(row)->holder->pid);
}

static void get_tree_comm(struct cell *cell, const void *row)
{
	if (TREE(row)->kind == ROW_HOLDER)
		cell_string(cell, TREE(row)->holder->comm);
}

static void get_tree_type(struct cell *cell, const void *row)
{
	if (is_object_row(row))
		cell_string(cell, TREE(row)->node->stat.type);
}

static size_t get_parent(const void *row)
{
	return TREE(row)->parent;
}

#define D	COLUMN_DEFAULT
#define R	COLUMN_RIGHT

static const struct column tree_columns[] = {
	{ "NAME", D | COLUMN_TREE, 0, "an object below what needs it, or who holds it",
	  get_tree_name },
	{ "STATE", D, 0, "of an object", get_tree_state },
	{ "USERS", D | R, 0, "of an object: all references together",
	  get_tree_users },
	{ "COUNT", D | R, 0, "of a holder: references", get_tree_count },
	{ "WHY", D | COLUMN_TRUNC, 0.3, "of a holder: the reason given",
	  get_tree_why },
	{ "KIND", 0, 0, "object, session, descriptor, or idle: not told",
	  get_tree_kind },
	{ "ID", R, 0, "of an object", get_tree_id },
	{ "TYPE", 0, 0, "of an object", get_tree_type },
	{ "PID", R, 0, "of a holder", get_tree_pid },
	{ "COMM", 0, 0, "of a holder", get_tree_comm },
};

#undef D
#undef R

static const struct table tree_table = {
	.name = "tree", .columns = tree_columns,
	.n_columns = ARRAY_SIZE(tree_columns), .parent = get_parent,
};

static struct node *find_node(uint64_t id)
{
	size_t i;

	for (i = 0; i < tree.n_nodes; i++)
		if (tree.nodes[i].stat.id == id)
			return &tree.nodes[i];
	return NULL;
}

/* All that can be seen; false: complained. */
static bool read_nodes(struct refobj_session *session)
{
	struct refobj_stat stat = { 0 };
	struct node *owner;
	size_t i;
	int ret, j;

	while (!(ret = RETRY(refobj_next(session, &stat)))) {
		struct node node = { .stat = stat };

		ret = RETRY(refobj_holders(session, stat.id, &node.holders));
		if (ret < 0)
			continue;	/* it has died just now */
		node.n_holders = ret;
		tree.nodes = xrealloc(tree.nodes, tree.n_nodes + 1,
				      sizeof(*tree.nodes));
		tree.nodes[tree.n_nodes++] = node;
	}
	if (ret != -ENOENT) {
		complain_errno(NULL, ret, NULL);
		return false;
	}
	for (i = 0; i < tree.n_nodes; i++) {
		for (j = 0; j < tree.nodes[i].n_holders; j++) {
			const struct refobj_holder *h = &tree.nodes[i].holders[j];

			owner = h->kind == REFOBJ_HOLDER_OBJECT ?
				find_node(h->session) : NULL;
			if (owner)
				tree.nodes[i].needed = true;
		}
	}
	return true;
}

static size_t add_tree_row(enum row_kind kind, size_t parent,
			   const struct node *node)
{
	struct tree_row row = { .kind = kind, .parent = parent, .node = node };

	tree.rows = xrealloc(tree.rows, tree.n_rows + 1, sizeof(*tree.rows));
	tree.rows[tree.n_rows] = row;
	return tree.n_rows++;
}

static bool needs(uint64_t owner, const struct node *dep)
{
	int i;

	for (i = 0; i < dep->n_holders; i++)
		if (dep->holders[i].kind == REFOBJ_HOLDER_OBJECT &&
		    dep->holders[i].session == owner)
			return true;
	return false;
}

/* An object, who holds it, and what it needs: by a stack, as chains are long. */
static void tell(struct node *root)
{
	struct todo {
		struct node *node;
		size_t parent;
	} *stack = NULL, now;
	size_t depth = 0, first, i, at, j;
	uint32_t known;
	int k;

	stack = xrealloc(stack, 1, sizeof(*stack));
	stack[depth++] = (struct todo) { root, NO_PARENT };
	while (depth) {
		now = stack[--depth];
		at = add_tree_row(now.node->told ? ROW_AGAIN : ROW_OBJECT,
				  now.parent, now.node);
		if (now.node->told)
			continue;
		now.node->told = true;
		for (k = 0; k < now.node->n_holders; k++) {
			const struct refobj_holder *h = &now.node->holders[k];

			if (h->kind == REFOBJ_HOLDER_OBJECT)
				continue;
			add_tree_row(ROW_HOLDER, at, now.node);
			tree.rows[tree.n_rows - 1].holder = h;
		}
		first = depth;
		known = 0;
		for (i = 0; i < tree.n_nodes; i++) {
			if (!needs(now.node->stat.id, &tree.nodes[i]))
				continue;
			known++;
			stack = xrealloc(stack, depth + 1, sizeof(*stack));
			stack[depth++] = (struct todo) { &tree.nodes[i], at };
		}
		/* the first one on top */
		for (i = first, j = depth; i + 1 < j; i++) {
			struct todo swap = stack[--j];

			stack[j] = stack[i];
			stack[i] = swap;
		}
		if (now.node->stat.state == REFOBJ_STATE_IDLE &&
		    now.node->stat.edges > known) {
			add_tree_row(ROW_IDLE, at, now.node);
			tree.rows[tree.n_rows - 1].number =
				now.node->stat.edges - known;
		}
	}
	free(stack);
}

static int run_tree(int argc, char **argv)
{
	struct refobj_session *session = open_session();
	struct refobj_stat stat = { 0 };
	int status = EXIT_OK, i;
	struct node *node;
	size_t j;

	if (!session)
		return EXIT_FAILED;
	if (!read_nodes(session))
		status = EXIT_FAILED;
	for (i = 0; i < argc; i++) {
		if (find_object(session, argv[i], &stat)) {
			status = EXIT_FAILED;
			continue;
		}
		node = find_node(stat.id);
		if (node)
			tell(node);
	}
	refobj_close(session);
	for (j = 0; !argc && j < tree.n_nodes; j++)
		if (!tree.nodes[j].needed)
			tell(&tree.nodes[j]);
	if (status == EXIT_OK || tree.n_rows)
		table_print(&tree_table, tree.rows, tree.n_rows,
			    sizeof(*tree.rows));
	for (j = 0; j < tree.n_nodes; j++)
		free(tree.nodes[j].holders);
	free(tree.nodes);
	free(tree.rows);
	return status;
}

const struct verb verb_tree = {
	.name = "tree",
	.args = "[OPTIONS] [NAME|ID...]",
	.summary = "show what needs what, and who holds it",
	.help = "Shows the given objects, or those that no other needs; below each one who holds\n"
		"it and what it needs. An object that is idle holds nothing, and of what it will need\n"
		"only the number is told.",
	.table = &tree_table,
	.usage_status = EXIT_USAGE,
	.run = run_tree,
};
