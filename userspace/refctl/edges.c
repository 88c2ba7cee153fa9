// SPDX-License-Identifier: GPL-2.0-only
/* The verbs that work with what objects need, and that show it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
	ROW_HIDDEN,	/* what an object needs that the caller may not see */
};

struct tree_row {
	enum row_kind kind;
	size_t parent;
	const struct node *node;
	const struct refobj_holder *holder;
	uint32_t number;
	bool held;		/* by the one above */
};

static struct {
	struct node *nodes;	/* by id */
	size_t n_nodes;
	struct refobj_nl_edge *edges;	/* by who needs */
	size_t n_edges;
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
		cell->text = xprintf("%s%s%s", object_label(&TREE(row)->node->stat),
				     TREE(row)->parent == NO_PARENT ||
				     TREE(row)->held ? "" : " (not held)",
				     TREE(row)->kind == ROW_AGAIN ?
				     " (see above)" : "");
		break;
	case ROW_HOLDER:
		if (h->pid)
			snprintf(pid, sizeof(pid), "pid %u", h->pid);
		cell->text = xprintf("%s%s (%s)", h->kind == REFOBJ_HOLDER_FD ?
				     "descriptor of " : "", pid, h->comm);
		break;
	case ROW_HIDDEN:
		cell->text = xprintf("(%u more that you may not see)",
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
		cell_string(cell, "hidden");
}

static void get_tree_held(struct cell *cell, const void *row)
{
	if (is_object_row(row) && TREE(row)->parent != NO_PARENT)
		cell_bool(cell, TREE(row)->held);
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
	else if (TREE(row)->kind == ROW_HIDDEN)
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
	{ "KIND", 0, 0, "object, session, descriptor, or hidden: what you may not see",
	  get_tree_kind },
	{ "HELD", 0, 0, "does what is above it hold it, as it does while in use?",
	  get_tree_held },
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

static int by_node_id(const void *a, const void *b)
{
	uint64_t x = ((const struct node *)a)->stat.id;
	uint64_t y = ((const struct node *)b)->stat.id;

	return (x > y) - (x < y);
}

static struct node *find_node(uint64_t id)
{
	struct node wanted = { .stat.id = id };

	return tree.n_nodes ? bsearch(&wanted, tree.nodes, tree.n_nodes,
				      sizeof(wanted), by_node_id) : NULL;
}

static int by_needing(const void *a, const void *b)
{
	const struct refobj_nl_edge *x = a, *y = b;

	if (x->object != y->object)
		return x->object > y->object ? 1 : -1;
	return (x->dep > y->dep) - (x->dep < y->dep);
}

static int keep_edge(const struct refobj_nl_edge *edge, void *arg)
{
	(void)arg;
	/* doubled at every power of two */
	if (!(tree.n_edges & (tree.n_edges - 1)))
		tree.edges = xrealloc(tree.edges, tree.n_edges ? 2 * tree.n_edges : 1,
				      sizeof(*tree.edges));
	tree.edges[tree.n_edges++] = *edge;
	return 0;
}

/* The first edge of an object, or of one after it. */
static size_t first_edge(uint64_t id)
{
	size_t low = 0, high = tree.n_edges, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (tree.edges[middle].object < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What needs what, also while it is idle: only netlink tells that. */
static bool read_edges(void)
{
	struct refobj_nl *nl = open_netlink();
	struct node *dep;
	size_t i;
	int ret;

	if (!nl)
		return false;
	ret = refobj_nl_edges(nl, keep_edge, NULL);
	if (ret < 0)
		complain_netlink(nl, ret);
	refobj_nl_close(nl);
	if (tree.n_edges)
		qsort(tree.edges, tree.n_edges, sizeof(*tree.edges), by_needing);
	for (i = 0; i < tree.n_edges; i++) {
		dep = find_node(tree.edges[i].dep);
		if (dep && find_node(tree.edges[i].object))
			dep->needed = true;
	}
	return ret >= 0;
}

/* All that can be seen; false: complained. */
static bool read_nodes(struct refobj_session *session)
{
	struct refobj_stat stat = { 0 };
	int ret;

	while (!(ret = RETRY(refobj_next(session, &stat)))) {
		struct node node = { .stat = stat };

		ret = RETRY(refobj_holders(session, stat.id, &node.holders));
		if (ret < 0)
			continue;	/* it has died just now */
		node.n_holders = ret;
		/* doubled at every power of two */
		if (!(tree.n_nodes & (tree.n_nodes - 1)))
			tree.nodes = xrealloc(tree.nodes,
					      tree.n_nodes ? 2 * tree.n_nodes : 1,
					      sizeof(*tree.nodes));
		tree.nodes[tree.n_nodes++] = node;
	}
	if (ret != -ENOENT) {
		complain_errno(NULL, ret, NULL);
		return false;
	}
	return read_edges();
}

static size_t add_tree_row(enum row_kind kind, size_t parent,
			   const struct node *node)
{
	struct tree_row row = { .kind = kind, .parent = parent, .node = node };

	tree.rows = xrealloc(tree.rows, tree.n_rows + 1, sizeof(*tree.rows));
	tree.rows[tree.n_rows] = row;
	return tree.n_rows++;
}

/* An object, who holds it, and what it needs: by a stack, as chains are long. */
static void tell(struct node *root)
{
	struct todo {
		struct node *node;
		size_t parent;
		bool held;
	} *stack = NULL, now;
	size_t depth = 0, first, i, at, j;
	struct node *dep;
	uint32_t known;
	int k;

	stack = xrealloc(stack, 1, sizeof(*stack));
	stack[depth++] = (struct todo) { root, NO_PARENT, false };
	while (depth) {
		now = stack[--depth];
		at = add_tree_row(now.node->told ? ROW_AGAIN : ROW_OBJECT,
				  now.parent, now.node);
		tree.rows[at].held = now.held;
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
		for (i = first_edge(now.node->stat.id); i < tree.n_edges &&
		     tree.edges[i].object == now.node->stat.id; i++) {
			dep = find_node(tree.edges[i].dep);
			if (!dep)
				continue;
			known++;
			stack = xrealloc(stack, depth + 1, sizeof(*stack));
			stack[depth++] = (struct todo) { dep, at, tree.edges[i].held };
		}
		/* the first one on top */
		for (i = first, j = depth; i + 1 < j; i++) {
			struct todo swap = stack[--j];

			stack[j] = stack[i];
			stack[i] = swap;
		}
		if (now.node->stat.edges > known) {
			add_tree_row(ROW_HIDDEN, at, now.node);
			tree.rows[tree.n_rows - 1].number =
				now.node->stat.edges - known;
		}
	}
	free(stack);
}

/* Reads all and tells the given objects, or those that no other needs. */
static int tell_all(int argc, char **argv)
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
	return status;
}

static void forget_all(void)
{
	size_t i;

	for (i = 0; i < tree.n_nodes; i++)
		free(tree.nodes[i].holders);
	free(tree.nodes);
	free(tree.edges);
	free(tree.rows);
}

static int run_tree(int argc, char **argv)
{
	int status = tell_all(argc, argv);

	if (status == EXIT_OK || tree.n_rows)
		table_print(&tree_table, tree.rows, tree.n_rows,
			    sizeof(*tree.rows));
	forget_all();
	return status;
}

const struct verb verb_tree = {
	.name = "tree",
	.args = "[OPTIONS] [NAME|ID...]",
	.summary = "show what needs what, and who holds it",
	.help = "Shows the given objects, or those that no other needs; below each one who holds\n"
		"it and what it needs. An object that is idle holds nothing of it: \"not held\".",
	.table = &tree_table,
	.usage_status = EXIT_USAGE,
	.run = run_tree,
};

/*
 * graph
 */

static const char *graph_svg;

/* A string of DOT's, with the escapes that the tool's text has. */
static void put_dot(FILE *f, const char *s)
{
	for (s = escape(s); *s; s++) {
		if (*s == '"' || *s == '\\')
			putc('\\', f);
		putc(*s, f);
	}
}

static void put_holders(FILE *f, const struct node *node)
{
	const struct refobj_holder *h;
	char who[64];
	int i;

	for (i = 0; i < node->n_holders; i++) {
		h = &node->holders[i];
		if (h->kind == REFOBJ_HOLDER_OBJECT)
			continue;
		/* a session is one box, whatever it holds; a descriptor holds one thing */
		if (h->kind == REFOBJ_HOLDER_SESSION)
			snprintf(who, sizeof(who), "session%" PRIu64, (uint64_t)h->session);
		else
			snprintf(who, sizeof(who), "fd%" PRIu64 "_%d",
				 (uint64_t)node->stat.id, i);
		fprintf(f, "\t%s [shape=ellipse, label=\"", who);
		put_dot(f, h->comm);
		if (h->pid)
			fprintf(f, " (%u)", h->pid);
		fprintf(f, "%s\"];\n\t%s -> object%" PRIu64 " [label=\"%u",
			h->kind == REFOBJ_HOLDER_FD ? "\\ndescriptor" : "", who,
			(uint64_t)node->stat.id, h->count);
		if (*h->why)
			fputs(": ", f);
		put_dot(f, h->why);
		fputs("\"];\n", f);
	}
}

static void put_graph(FILE *f)
{
	const struct refobj_nl_edge *edge;
	const struct node *node, *dep;
	size_t i;

	fputs("digraph refobj {\n\trankdir=LR;\n\tnode [shape=box];\n", f);
	for (i = 0; i < tree.n_nodes; i++) {
		node = &tree.nodes[i];
		if (!node->told)
			continue;
		fprintf(f, "\tobject%" PRIu64 " [label=\"", (uint64_t)node->stat.id);
		put_dot(f, object_label(&node->stat));
		fprintf(f, "\\n%s, %u user%s\"];\n", refobj_strstate(node->stat.state),
			node->stat.users, node->stat.users == 1 ? "" : "s");
		put_holders(f, node);
	}
	for (i = 0; i < tree.n_edges; i++) {
		edge = &tree.edges[i];
		node = find_node(edge->object);
		dep = find_node(edge->dep);
		if (node && node->told && dep)
			fprintf(f, "\tobject%" PRIu64 " -> object%" PRIu64 "%s;\n",
				edge->object, edge->dep, edge->held ? "" : " [style=dashed]");
	}
	fputs("}\n", f);
}

/* By dot, of the package graphviz. */
static int draw_graph(void)
{
	int status, fds[2];
	pid_t pid;
	FILE *f;

	if (pipe2(fds, O_CLOEXEC)) {
		complain(NULL, "pipe: %s", strerror(errno));
		return EXIT_FAILED;
	}
	pid = fork();
	if (!pid) {
		signal(SIGPIPE, SIG_DFL);
		dup2(fds[0], STDIN_FILENO);
		execlp("dot", "dot", "-Tsvg", "-o", graph_svg, (char *)NULL);
		_exit(EXIT_NOCOMMAND);
	}
	close(fds[0]);
	f = pid > 0 ? fdopen(fds[1], "w") : NULL;
	if (!f) {
		complain("dot", "%s", strerror(errno));
		close(fds[1]);
		return EXIT_FAILED;
	}
	signal(SIGPIPE, SIG_IGN);	/* its end is seen by its status */
	put_graph(f);
	fclose(f);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return EXIT_OK;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOCOMMAND)
		complain("dot", "cannot be run: install graphviz, or leave out --svg");
	else
		complain(graph_svg, "dot failed");
	return EXIT_FAILED;
}

static int run_graph(int argc, char **argv)
{
	int status = tell_all(argc, argv);

	if (status == EXIT_OK || tree.n_rows) {
		if (!graph_svg)
			put_graph(stdout);
		else if (draw_graph())
			status = EXIT_FAILED;
	}
	forget_all();
	return status;
}

static bool graph_option(int code, const char *arg)
{
	(void)code;
	graph_svg = arg;
	return true;
}

static const struct option_text graph_options[] = {
	{ "svg", 256, "FILE", "draw it, which needs dot of graphviz" },
	{ NULL, 0, NULL, NULL }
};

const struct verb verb_graph = {
	.name = "graph",
	.args = "[OPTIONS] [NAME|ID...]",
	.summary = "draw what needs what, and who holds it",
	.help = "Prints what refctl tree shows in the language of graphviz: objects are boxes,\n"
		"sessions and descriptors ellipses; an arrow is a reference, with its number and\n"
		"reason, or dashed what an idle object will need.",
	.options = graph_options,
	.usage_status = EXIT_USAGE,
	.option = graph_option,
	.run = run_graph,
};
