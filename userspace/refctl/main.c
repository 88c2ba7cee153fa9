// SPDX-License-Identifier: GPL-2.0-only
/*
 * refctl: look at and work with the objects of /dev/refobj.
 *
 * Options first, then a verb, then the verb's options and words; the common
 * options may stand on either side of the verb.
 */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "refctl.h"

#define OPTIONS_MAX	32

/* Added to the code of an option whose letter is another's. */
#define LETTER_TAKEN	1024

static const struct verb *const verbs[] = {
	&verb_ls, &verb_show, &verb_holders, &verb_leaks, &verb_sessions,
	&verb_tree, &verb_graph, &verb_top, &verb_stats,
	&verb_watch, &verb_monitor, &verb_wait, &verb_create, &verb_rm, &verb_link,
	&verb_unlink, &verb_set, &verb_publish, &verb_cat, &verb_hold,
	&verb_get, &verb_on_demand, &verb_lab, &verb_run, &verb_stress,
	&verb_doctor,
};

/* For verbs with a table. */
static const struct option_text table_options[] = {
	{ "json", 'J', NULL, "print JSON" },
	{ "output", 'o', "LIST",
	  "columns to print; +LIST adds to the default ones" },
	{ "sort", 's', "COLUMN", "sort by it; -COLUMN: the other way round" },
	{ "noheadings", 'n', NULL, "print no headings" },
	{ "raw", 'r', NULL, "print for scripts: no alignment, blanks as \\x20" },
	{ "list-columns", 'H', NULL, "list the columns that -o takes" },
	{ NULL, 0, NULL, NULL }
};

/* For all. */
static const struct option_text basic_options[] = {
	{ "version", 'V', NULL, "print the version" },
	{ "help", 'h', NULL, "print this help" },
	{ NULL, 0, NULL, NULL }
};

static const struct verb *verb;

int usage_error(const char *fmt, ...)
{
	va_list args;
	char *text;

	if (fmt) {
		va_start(args, fmt);
		if (vasprintf(&text, fmt, args) < 0)
			abort();
		va_end(args);
		complain(NULL, "%s", text);
		free(text);
	}
	if (verb)
		fprintf(stderr, "Try 'refctl %s --help' for more information.\n",
			verb->name);
	else
		fputs("Try 'refctl --help' for more information.\n", stderr);
	return verb ? verb->usage_status : EXIT_USAGE;
}

struct refobj_session *open_session(void)
{
	const char *device = getenv("REFOBJ_DEVICE");
	struct refobj_session *session;
	int ret = RETRY(refobj_open(&session));

	if (ret >= 0)
		return session;
	if (!device)
		device = "/dev/refobj";
	switch (ret) {
	case -ENOENT:
	case -ENXIO:
	case -ENODEV:
		complain(device, "no such device: is the module loaded? run: refctl doctor");
		break;
	case -EACCES:
	case -EPERM:
		complain(device, "no permission to open the device: run: refctl doctor");
		break;
	case -ENOTTY:
		complain(device, "this is not refobj's device: run: refctl doctor");
		break;
	default:
		complain(device, "%s: run: refctl doctor", strerror(-ret));
	}
	return NULL;
}

void complain_netlink(const struct refobj_nl *nl, int err)
{
	if (*refobj_nl_why(nl))
		complain("netlink", "%s", refobj_nl_why(nl));
	else
		complain_errno("netlink", err, NULL);
}

struct refobj_nl *open_netlink(void)
{
	struct refobj_nl *nl;
	int ret = refobj_nl_open(&nl);

	if (!ret)
		return nl;
	if (ret == -ENOENT)
		complain("netlink",
			 "no family refobj: is the module loaded? run: refctl doctor");
	else
		complain_errno("netlink", ret, NULL);
	return NULL;
}

bool parse_id(const char *arg, uint64_t *id)
{
	if (*arg == '#')
		arg++;
	else if (!strncmp(arg, "id=", 3))
		arg += 3;
	else
		return false;
	return parse_number(arg, 10, 0, UINT64_MAX, id);
}

bool parse_mode(const char *arg, uint32_t *mode)
{
	uint64_t n;

	if (!parse_number(arg, 8, 1, REFOBJ_MODE_MASK, &n) ||
	    n & ~(uint64_t)REFOBJ_MODE_MASK) {
		complain(NULL,
			 "bad mode '%s': octal read and write bits are wanted, such as 0600 or 0664",
			 escape(arg));
		return false;
	}
	*mode = (uint32_t)n;
	return true;
}

bool parse_linger(const char *arg, uint32_t *ms)
{
	uint64_t n;

	if (!parse_number(arg, 10, 0, REFOBJ_LINGER_MAX, &n)) {
		complain(NULL, "bad time '%s': 0 to %u milliseconds are possible",
			 escape(arg), REFOBJ_LINGER_MAX);
		return false;
	}
	*ms = (uint32_t)n;
	return true;
}

bool parse_timeout(const char *arg, int64_t *ms)
{
	if (parse_seconds(arg, ms))
		return true;
	complain(NULL, "bad time-out '%s': seconds are wanted, such as 10 or 0.5",
		 escape(arg));
	return false;
}

void complain_object(struct refobj_session *session, const char *arg, int err)
{
	struct refobj_stat stat = { 0 };
	char *detail = NULL, *owner;
	uint64_t id;

	/* only who may see the object can be told how it is protected */
	if (err == -EACCES &&
	    (parse_id(arg, &id) || !refobj_lookup(session, arg, NULL, &id)) &&
	    !refobj_stat(session, id, &stat)) {
		owner = owner_name(stat.uid);
		detail = xprintf("mode %04o, owner %s", stat.mode,
				 escape(owner));
		free(owner);
	}
	complain_errno(arg, err, detail);
	free(detail);
}

static bool has_option(const struct option_text *o, int code)
{
	for (; o && o->name; o++)
		if (o->code == code)
			return true;
	return false;
}

static void print_options(const struct option_text *o)
{
	bool own = verb && o == verb->options;

	for (; o && o->name; o++) {
		bool letter = o->code < 256 &&
			(own || !verb || !has_option(verb->options, o->code));
		char *text = xprintf("%s%c%s --%s%s%s", letter ? "-" : " ",
				     letter ? o->code : ' ',
				     letter ? "," : " ", o->name,
				     o->arg ? " " : "", o->arg ? o->arg : "");

		printf(" %-24s  %s\n", text, o->help);
		free(text);
	}
}

static void print_exit_codes(void)
{
	const char *self = verb ? verb->name : "refctl";

	puts("\nExit codes:");
	if (verb && verb->exits) {
		fputs(verb->exits, stdout);
		return;
	}
	if (!verb || !verb->command)
		puts("    0  done\n"
		     "    1  failed: no such object, in use, no permission, no module, ...\n"
		     "    2  wrong usage");
	if (!verb)
		puts("watch and wait have 2 for a time-out, 3 for wrong usage. hold and get have\n"
		     "the exit status of COMMAND, or");
	if (!verb || verb->command)
		printf("  125  %s itself failed, or was used wrongly: COMMAND was not run\n"
		       "  126  COMMAND cannot be run\n"
		       "  127  COMMAND was not found\n"
		       "128+N  signal N killed COMMAND\n", self);
	if (verb && verb->command)
		puts("else the exit status of COMMAND");
}

static void print_help(void)
{
	size_t i;

	puts("Usage: refctl [OPTIONS] VERB [OPTIONS] [ARGUMENTS]\n\n"
	     "Look at and work with refobj's objects: what is counted, and who holds it.\n\n"
	     "Verbs:");
	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		printf("  %-9s %s\n", verbs[i]->name, verbs[i]->summary);
	puts("\nOptions, before or after the verb (see also refctl VERB --help):");
	print_options(table_options);
	print_options(basic_options);
	puts("\nAn object is given by its name or by its id, written id=17 or '#17'.\n"
	     "REFOBJ_DEVICE in the environment names another device than /dev/refobj;\n"
	     "NO_COLOR, if not empty, forbids colours.");
	print_exit_codes();
}

static void print_verb_help(void)
{
	printf("Usage: refctl %s %s\n\n%s\n", verb->name, verb->args,
	       verb->help);
	puts("\nOptions:");
	print_options(verb->options);
	if (verb->table)
		print_options(table_options);
	print_options(basic_options);
	print_exit_codes();
}

/* The form that getopt_long() takes. */
struct getopt_args {
	char shorts[2 * OPTIONS_MAX + 2];
	struct option longs[OPTIONS_MAX + 1];
	size_t n;
};

/* A verb's own options come first and win: watch's -n is a number. */
static void add_options(struct getopt_args *g, const struct option_text *o)
{
	for (; o && o->name && g->n < OPTIONS_MAX; o++) {
		size_t len = strlen(g->shorts);
		bool taken = o->code < 256 && strchr(g->shorts, o->code);

		g->longs[g->n++] = (struct option) {
			.name = o->name,
			.has_arg = o->arg ? required_argument : no_argument,
			.val = taken ? o->code + LETTER_TAKEN : o->code,
		};
		if (o->code < 256 && !taken)
			sprintf(g->shorts + len, "%c%s", o->code,
				o->arg ? ":" : "");
	}
}

enum { GO_ON = -1 };

static int common_option(int code)
{
	switch (code) {
	case 'J':
		output.json = true;
		return GO_ON;
	case 'o':
		output.columns = optarg;
		return GO_ON;
	case 's':
		output.sort = optarg;
		return GO_ON;
	case 'n':
		output.noheadings = true;
		return GO_ON;
	case 'r':
		output.raw = true;
		return GO_ON;
	case 'H':
		output.list_columns = true;
		return GO_ON;
	case 'V':
		printf("refctl %s (librefobj %s)\n", REFCTL_VERSION,
		       refobj_version());
		return EXIT_OK;
	case 'h':
		if (verb)
			print_verb_help();
		else
			print_help();
		return EXIT_OK;
	default:	/* getopt_long() has complained */
		return usage_error(NULL);
	}
}

/*
 * Takes the options in argv[from...]; @stop makes the first word end them.
 * GO_ON with optind at the rest, or an exit code.
 */
static int parse_options(int argc, char **argv, int from, bool stop)
{
	struct getopt_args g = { .shorts = { stop ? '+' : '\0' } };
	char *first = argv[from - 1], *program;
	int code, ret = GO_ON;

	if (verb)
		add_options(&g, verb->options);
	if (!verb || verb->table)
		add_options(&g, table_options);
	add_options(&g, basic_options);

	/* getopt_long() names argv[0] in its messages */
	program = verb ? xprintf("refctl: %s", verb->name) : xstrdup("refctl");
	argv[from - 1] = program;
	optind = 0;
	while (ret == GO_ON &&
	       (code = getopt_long(argc - from + 1, argv + from - 1, g.shorts,
				   g.longs, NULL)) != -1) {
		if (verb && has_option(verb->options, code)) {
			if (!verb->option(code, optarg))
				ret = usage_error(NULL);
		} else {
			ret = common_option(code % LETTER_TAKEN);
		}
	}
	argv[from - 1] = first;
	free(program);
	optind += from - 1;
	return ret;
}

static const struct verb *find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}

static int run_verb(int argc, char **argv, int at)
{
	int ret, words;

	verb = find_verb(argv[at]);
	if (!verb)
		return usage_error("unknown verb '%s'", escape(argv[at]));
	current_verb = verb->name;
	ret = parse_options(argc, argv, at + 1, verb->command);
	if (ret != GO_ON)
		return ret;
	words = optind;
	if (verb->command && words < argc && strcmp(argv[words - 1], "--") != 0) {
		/* options may follow the object's name, too */
		ret = parse_options(argc, argv, words + 1, true);
		if (ret != GO_ON)
			return ret;
		argv[optind - 1] = argv[words];
		words = optind - 1;
	}
	if (output.json && has_option(verb->options, 'J')) {
		/* it prints JSON, but no table */
		output.json = false;
		verb->option('J', NULL);
	}
	if (!verb->table &&
	    (output.json || output.raw || output.noheadings ||
	     output.columns || output.sort || output.list_columns))
		return usage_error("it prints no table: -J, -o, -s, -n, -r, -H do not go with it");
	if (output.json && output.raw)
		return usage_error("--json and --raw exclude each other");
	if (output.list_columns) {
		table_list_columns(verb->table);
		return EXIT_OK;
	}
	if (verb->table && !table_select(verb->table))
		return usage_error(NULL);
	return verb->run(argc - words, argv + words);
}

int main(int argc, char **argv)
{
	int ret;

	setlocale(LC_CTYPE, "");
	if (!argc)
		return EXIT_USAGE;
	ret = parse_options(argc, argv, 1, true);
	if (ret == GO_ON) {
		if (optind < argc)
			ret = run_verb(argc, argv, optind);
		else
			ret = usage_error("a verb is missing");
	}
	if (fflush(stdout) || ferror(stdout)) {
		complain(NULL, "cannot write the output: %s", strerror(errno));
		if (!ret)
			ret = EXIT_FAILED;
	}
	return ret;
}
