// SPDX-License-Identifier: GPL-2.0-only
/*
 * From statements to the steps of each scenario: variables, loops, calls and
 * conditions are evaluated here, as they depend on nothing that a process does;
 * so all that can be wrong in a file is found before the first process starts.
 */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "../lab_api.h"
#include "scenario.h"

/* Statements evaluated in one file, steps or not. */
#define WORK_MAX	400000

#define BIT(o)		SCN_BIT(SCN_O_##o)
/* Of every step of an actor. */
#define ROLES		(BIT(AS_BUILDER) | BIT(UNLESS_BUILDER))

#define NEW_OBJECT	(BIT(MODE) | BIT(TYPE) | BIT(LINGER) |		\
			 BIT(PERSISTENT) | BIT(BUILD))

#define STAT_FIELDS							\
	"users state holders held peak activations deactivations mode "	\
	"uid gid name type linger watches version size file builder edges"
#define EVENT_FIELDS	"users cause state count pid object cookie"

const struct scn_verb scn_verbs[] = {
	{ "open", SCN_OPEN, .words = "?s", .options = BIT(UNBOUND),
	  .synopsis = "open [SESSION] [unbound]" },
	{ "close", SCN_CLOSE, .words = "?s", .synopsis = "close [SESSION]" },
	{ "create", SCN_CREATE, .words = "O",
	  .options = NEW_OBJECT | BIT(INITIAL) | BIT(UNNAMED),
	  .results = "first builder",
	  .synopsis =
		"create OBJECT [persistent] [build] [unnamed] [initial N] [mode N] [type WORD] [linger TIME]",
	},
	{ "attach", SCN_ATTACH, .words = "O",
	  .options = NEW_OBJECT | BIT(COUNT) | BIT(EXISTING),
	  .results = "first builder created",
	  .synopsis =
		"attach OBJECT [existing] [count N] [persistent] [build] [mode N] [type WORD] [linger TIME]",
	},
	{ "lookup", SCN_LOOKUP, .words = "O", .options = BIT(TYPE),
	  .synopsis = "lookup OBJECT [type WORD]" },
	{ "acquire", SCN_ACQUIRE, .words = "o",
	  .options = BIT(COUNT) | BIT(TIMES) | BIT(TYPE) | BIT(BUILD) |
		     BIT(NOT_ZERO),
	  .results = "first builder",
	  .synopsis =
		"acquire OBJECT [count N] [times N] [not-zero] [build] [type WORD]",
	},
	{ "release", SCN_RELEASE, .words = "o",
	  .options = BIT(COUNT) | BIT(TIMES), .results = "last",
	  .synopsis = "release OBJECT [count N] [times N]" },
	{ "release-all", SCN_RELEASE_ALL, .words = "?o", .result = 'n',
	  .synopsis = "release-all [OBJECT]" },
	{ "stat", SCN_STAT, .words = "o", .fields = STAT_FIELDS,
	  .synopsis = "stat OBJECT" },
	{ "info", SCN_INFO, .words = "",
	  .fields = "objects references bytes watches",
	  .synopsis = "info" },
	{ "holders", SCN_HOLDERS, .words = "o",
	  .fields = "total sessions fds objects kind count pid uid why",
	  .synopsis = "holders OBJECT" },
	{ "destroy", SCN_DESTROY, .words = "o", .synopsis = "destroy OBJECT" },
	{ "why", SCN_WHY, .words = "ox", .synopsis = "why OBJECT TEXT" },
	{ "publish", SCN_PUBLISH, .words = "o?x", .options = BIT(TIMES),
	  .synopsis = "publish OBJECT [TEXT [times N]]" },
	{ "set", SCN_SET, .words = "ox", .options = BIT(TIMES) | BIT(VERSION),
	  .synopsis = "set OBJECT TEXT [times N] [version N]" },
	{ "get", SCN_GET, .words = "o", .result = 't',
	  .fields = "version size", .synopsis = "get OBJECT" },
	{ "set-file", SCN_SET_FILE, .words = "ox", .options = BIT(TIMES),
	  .synopsis = "set-file OBJECT TEXT [times N]" },
	{ "get-file", SCN_GET_FILE, .words = "o", .result = 't',
	  .fields = "size", .synopsis = "get-file OBJECT" },
	{ "link", SCN_LINK, .words = "oo", .synopsis = "link OBJECT OBJECT" },
	{ "unlink", SCN_UNLINK, .words = "oo",
	  .synopsis = "unlink OBJECT OBJECT" },
	{ "export", SCN_EXPORT, .words = "oF",
	  .synopsis = "export OBJECT DESCRIPTOR" },
	{ "import", SCN_IMPORT, .words = "f?O",
	  .synopsis = "import DESCRIPTOR [OBJECT]" },
	{ "send", SCN_SEND, .words = "fa", .synopsis = "send DESCRIPTOR ACTOR" },
	{ "receive", SCN_RECEIVE, .words = "F",
	  .synopsis = "receive DESCRIPTOR" },
	{ "drop", SCN_DROP, .words = "f", .synopsis = "drop DESCRIPTOR" },
	{ "watch", SCN_WATCH, .words = "oE", .options = BIT(COOKIE),
	  .synopsis = "watch OBJECT [EVENT...] [cookie N]" },
	{ "unwatch", SCN_UNWATCH, .words = "o", .synopsis = "unwatch OBJECT" },
	{ "wait", SCN_WAIT, .words = "ou",
	  .options = BIT(WITHIN) | BIT(BUILD) | BIT(START),
	  .results = "builder",
	  .synopsis =
		"wait OBJECT idle|active|ready|dead|users N [build] [within TIME] [start]",
	},
	{ "finish", SCN_FINISH, .words = "", .options = BIT(WITHIN),
	  .results = "builder", .synopsis = "finish [within TIME]" },
	{ "expect", SCN_EXPECT, .words = "e",
	  .options = BIT(WITHIN) | BIT(START),
	  .fields = EVENT_FIELDS,
	  .synopsis = "expect EVENT|nothing [FIELD VALUE]... [within TIME] [start]" },
	{ "await", SCN_AWAIT, .words = "e", .options = BIT(WITHIN),
	  .fields = EVENT_FIELDS,
	  .synopsis = "await EVENT [FIELD VALUE]... [within TIME]" },
	{ "adopt", SCN_ADOPT, .words = "", .options = BIT(NOBODY),
	  .synopsis = "adopt [nobody]" },
	{ "fork", SCN_FORK, .words = "A", .synopsis = "fork ACTOR" },
	{ "thread", SCN_THREAD, .words = "A", .synopsis = "thread ACTOR" },
	{ "exec", SCN_EXEC, .words = "", .synopsis = "exec" },
	{ "exit", SCN_EXIT, .words = "?n", .synopsis = "exit [STATUS]" },
	{ "lab", SCN_LAB, .words = "l", .options = BIT(LIMIT),
	  .result = 'n', .fields = "before after warning mutex spinlock irqs",
	  .synopsis = "lab FUNCTION [N] [limit N]" },

	{ "actor", SCN_ACTOR, true, .words = "A+",
	  .options = BIT(USER) | BIT(GROUP) | BIT(NETNS) | BIT(PIDNS) |
		     BIT(CLOSED),
	  .synopsis =
		"actor ACTOR... [user N] [group N] [netns WORD] [pidns WORD] [closed]",
	},
	{ "kill", SCN_KILL, true, .words = "a+", .options = BIT(SIGNAL),
	  .synopsis = "kill ACTOR... [signal NAME]" },
	{ "counters", SCN_COUNTERS, true, .words = "", .fields = "*",
	  .synopsis = "counters COUNTER VALUE..." },
	{ "debugfs", SCN_DEBUGFS, true, .words = "xx",
	  .synopsis = "debugfs FILE TEXT" },
	{ "no-debugfs", SCN_NO_DEBUGFS, true, .words = "xx",
	  .synopsis = "no-debugfs FILE TEXT" },
	{ "log", SCN_LOG, true, .words = "x", .synopsis = "log TEXT" },
	{ "no-log", SCN_NO_LOG, true, .words = "x", .synopsis = "no-log TEXT" },
	{ "barrier", SCN_BARRIER, true, .words = "", .synopsis = "barrier" },
	{ "deadline", SCN_DEADLINE, true, .words = "d",
	  .synopsis = "deadline TIME" },
	{ "requires", SCN_REQUIRES, true, .words = "r",
	  .synopsis = "requires root|counters|log|lab|kernel VERSION|feature WORD" },
	{ "leave-nothing", SCN_LEAVE_NOTHING, true, .words = "",
	  .synopsis = "leave-nothing" },
	{ .name = NULL }
};

static const struct scn_verb together = {
	"parallel", SCN_TOGETHER, true, .words = "", .synopsis = "parallel",
};

static const struct {
	const char *name;
	/* n number, i a signed one, d duration, t word, o octal, s signal, 0 none */
	char value;
} options[SCN_OPTIONS] = {
	[SCN_O_COUNT] = { "count", 'n' },
	[SCN_O_INITIAL] = { "initial", 'n' },
	[SCN_O_MODE] = { "mode", 'o' },
	[SCN_O_TYPE] = { "type", 't' },
	[SCN_O_LINGER] = { "linger", 'd' },
	[SCN_O_VERSION] = { "version", 'n' },
	[SCN_O_WITHIN] = { "within", 'd' },
	[SCN_O_USER] = { "user", 'n' },
	[SCN_O_GROUP] = { "group", 'n' },
	[SCN_O_NETNS] = { "netns", 't' },
	[SCN_O_PIDNS] = { "pidns", 't' },
	[SCN_O_TIMES] = { "times", 'n' },
	[SCN_O_COOKIE] = { "cookie", 'n' },
	[SCN_O_SIGNAL] = { "signal", 's' },
	[SCN_O_LIMIT] = { "limit", 'i' },
	[SCN_O_PERSISTENT] = { "persistent" },
	[SCN_O_BUILD] = { "build" },
	[SCN_O_UNNAMED] = { "unnamed" },
	[SCN_O_EXISTING] = { "existing" },
	[SCN_O_NOT_ZERO] = { "not-zero" },
	[SCN_O_UNBOUND] = { "unbound" },
	[SCN_O_NOBODY] = { "nobody" },
	[SCN_O_CLOSED] = { "closed" },
	[SCN_O_START] = { "start" },
	[SCN_O_AS_BUILDER] = { "as-builder" },
	[SCN_O_UNLESS_BUILDER] = { "unless-builder" },
};

/* Those that end a process which has not said otherwise, as actors have not. */
static const int signals[] = {
	SIGHUP, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL,
	SIGUSR1, SIGSEGV, SIGUSR2, SIGALRM, SIGTERM,
};

/* What can be waited for, "users" with a number. */
static const char *const until_names[] = {
	[REFOBJ_UNTIL_IDLE] = "idle", [REFOBJ_UNTIL_ACTIVE] = "active",
	[REFOBJ_UNTIL_READY] = "ready", [REFOBJ_UNTIL_USERS] = "users",
	[REFOBJ_UNTIL_DEAD] = "dead",
};

static const char states[] = "idle building ready lingering dead";
static const char causes[] =
	"none acquire release close exit object linger destroy publish namespace signal-N";
static const char features[] = "events linger build payload edges fds owner";

struct variable {
	struct variable *next;
	const char *name;
	const char *text;
};

/* The variables of a block; those of the blocks around it are seen, too. */
struct frame {
	struct frame *up;
	bool wall;		/* of a scenario or call: nothing outside is set */
	struct variable *variables;
};

struct definition {
	struct definition *next;
	const struct scn_stmt *stmt;
};

struct planner {
	struct scn_file *file;
	struct frame *frame;
	struct definition *definitions;
	struct scn_scenario *scenario;	/* NULL outside */
	struct scn_scenario **scenarios_end;
	struct scn_step **end;		/* where the next step goes */
	bool parallel;
	int depth;
	int n_scenarios;
	long work;
	/* of the scenario */
	struct {
		bool known, alive, started, closed;
		int process;	/* whose thread it is; its own for the first */
		struct scn_loc gone;
	} actor[SCN_ACTORS_MAX];
};

const char *scn_option_name(enum scn_option_id id)
{
	return options[id].name;
}

const char *scn_errno_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "unknown";
}

int scn_errno(const char *name)
{
	int e;

	if (*name != 'E')
		return 0;
	for (e = 1; e < 256; e++) {
		const char *is = strerrorname_np(e);

		if (is && !strcmp(is, name))
			return e;
	}
	return 0;
}

/* Is @word one of @list, which has blanks between? */
static bool among(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; list; list = strchr(list, ' ')) {
		list += *list == ' ';
		if (!strncmp(list, word, n) && (!list[n] || list[n] == ' '))
			return true;
	}
	return false;
}

/* How many letters differ: the distance of Levenshtein, of short words. */
static int distance(const char *a, const char *b)
{
	size_t n = strlen(b), i, j;
	int row[32], diagonal, above;

	if (n >= ARRAY_SIZE(row) || strlen(a) >= ARRAY_SIZE(row))
		return 99;
	for (j = 0; j <= n; j++)
		row[j] = j;
	for (i = 1; a[i - 1]; i++) {
		diagonal = row[0];
		row[0] = i;
		for (j = 1; j <= n; j++) {
			int cost = diagonal + (a[i - 1] != b[j - 1]);

			above = row[j];
			if (above + 1 < cost)
				cost = above + 1;
			if (row[j - 1] + 1 < cost)
				cost = row[j - 1] + 1;
			diagonal = above;
			row[j] = cost;
		}
	}
	return row[n];
}

/* The words of @list, and which one was probably meant, as advice. */
static const char *suggest(struct planner *p, const char *list,
			   const char *word)
{
	const char *best = NULL, *at;
	int least = 3, best_length = 0;

	for (at = list; *at;) {
		int n = strcspn(at, " "), d;
		char one[32];

		if (n < (int)sizeof(one)) {
			snprintf(one, sizeof(one), "%.*s", n, at);
			d = distance(word, one);
			if (d < least && d < n) {
				least = d;
				best = at;
				best_length = n;
			}
		}
		at += n;
		at += *at == ' ';
	}
	if (best)
		return scn_printf(p->file, "did you mean '%.*s'?", best_length,
				  best);
	return *list ? scn_printf(p->file, "there are: %s", list) :
		       "there is none here";
}

static const char *verb_names(struct planner *p, bool runner)
{
	const struct scn_verb *v;
	const char *list = "";

	for (v = scn_verbs; v->name; v++)
		if (v->runner == runner)
			list = scn_printf(p->file, "%s%s%s", list,
					  *list ? " " : "", v->name);
	return list;
}

static uint64_t allowed(const struct scn_verb *v)
{
	return v->options | (v->runner ? 0 : ROLES);
}

static const char *option_names(struct planner *p, const struct scn_verb *v)
{
	const char *list = "";
	int i;

	for (i = 0; i < SCN_OPTIONS; i++)
		if (allowed(v) & SCN_BIT(i) && options[i].name)
			list = scn_printf(p->file, "%s%s%s", list,
					  *list ? " " : "", options[i].name);
	if (v->fields && *v->fields != '*')
		list = scn_printf(p->file, "%s%s%s", list, *list ? " " : "",
				  v->fields);
	return list;
}

/*
 * Variables
 */
static struct variable *find_variable(struct frame *f, const char *name,
				      size_t n, bool to_set)
{
	struct variable *v;

	for (; f; f = to_set && f->wall ? NULL : f->up)
		for (v = f->variables; v; v = v->next)
			if (!strncmp(v->name, name, n) && !v->name[n])
				return v;
	return NULL;
}

static void set_variable(struct planner *p, const char *name, const char *text)
{
	struct variable *v = find_variable(p->frame, name, strlen(name), true);

	if (!v) {
		v = scn_alloc(p->file, sizeof(*v));
		v->name = name;
		v->next = p->frame->variables;
		p->frame->variables = v;
	}
	v->text = text;
}

static uint64_t next_random(struct scn_file *file)
{
	uint64_t x = file->random ? file->random : 0x9e3779b97f4a7c15;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	file->random = x;
	return x >> 33;
}

/* @w with the variables in it replaced; NULL: complained. */
static struct scn_word *expand(struct planner *p, const struct scn_word *w)
{
	struct scn_word *copy = scn_alloc(p->file, sizeof(*copy));
	const char *s = w->text, *name, *value;
	char *text = NULL;
	size_t length = 0, n;
	struct variable *v;

	*copy = *w;
	copy->next = NULL;
	if (!strchr(s, '$'))
		return copy;
	while (*s) {
		const char *rest;
		char number[24];

		if (*s != '$') {
			n = strcspn(s, "$");
			value = s;
			rest = s + n;
		} else {
			bool braces = s[1] == '{';

			name = s + 1 + braces;
			n = 0;
			if (isalpha((unsigned char)*name) || *name == '_')
				while (isalnum((unsigned char)name[n]) ||
				       name[n] == '_')
					n++;
			if (!n || (braces && name[n] != '}')) {
				/* a dollar in a string */
				value = s;
				rest = s + 1;
				n = 1;
			} else {
				rest = name + n + braces;
				v = find_variable(p->frame, name, n, false);
				if (v) {
					value = v->text;
				} else if (n == 6 &&
					   !strncmp(name, "random", 6)) {
					snprintf(number, sizeof(number), "%llu",
						 (unsigned long long)
						 next_random(p->file));
					value = number;
				} else {
					scn_error(p->file, &w->loc,
						  "expected a variable that has a value, got '$%.*s'; set it before: let %.*s = ...",
						  (int)n, name, (int)n, name);
					free(text);
					return NULL;
				}
				n = strlen(value);
			}
		}
		if (length + n > 65536) {
			scn_error(p->file, &w->loc,
				  "expected a text of at most 65536 bytes, got a longer one; use 'times'");
			free(text);
			return NULL;
		}
		text = xrealloc(text, length + n + 1, 1);
		memcpy(text + length, value, n);
		length += n;
		text[length] = '\0';
		s = rest;
	}
	copy->text = scn_strndup(p->file, text ? text : "", length);
	free(text);
	return copy;
}

/* A list of words with all variables replaced. False: complained. */
static bool expand_all(struct planner *p, const struct scn_word *words,
		       struct scn_word **list)
{
	struct scn_word **end = list;

	for (; words; words = words->next) {
		*end = expand(p, words);
		if (!*end)
			return false;
		end = &(*end)->next;
	}
	*end = NULL;
	return true;
}

static bool number_of(const char *text, int64_t *n)
{
	const char *digits = text + (*text == '-');
	uint64_t u;

	if (!isdigit((unsigned char)*digits) ||
	    !parse_number(digits, *digits == '0' && digits[1] == 'x' ? 16 : 10,
			  0, INT64_MAX, &u))
		return false;
	*n = *text == '-' ? -(int64_t)u : (int64_t)u;
	return true;
}

static bool want_number(struct planner *p, const struct scn_word *w,
			int64_t min, int64_t max, int64_t *n)
{
	if (!w->quoted && number_of(w->text, n) && *n >= min && *n <= max)
		return true;
	scn_error(p->file, &w->loc,
		  "expected a number from %lld to %lld, got '%s'; write it in digits",
		  (long long)min, (long long)max, w->text);
	return false;
}

/* A time such as 200ms, 5s or 2m, in milliseconds. */
static bool want_time(struct planner *p, const struct scn_word *w, int64_t *ms)
{
	static const struct { const char *unit; int64_t ms; } units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "m", 60000 },
	};
	char digits[16];
	int64_t n;
	size_t i;

	i = strspn(w->text, "0123456789");
	if (i && i < sizeof(digits) && !w->quoted) {
		const char *unit = w->text + i;

		snprintf(digits, sizeof(digits), "%.*s", (int)i, w->text);
		for (i = 0; i < ARRAY_SIZE(units); i++)
			if (!strcmp(unit, units[i].unit) &&
			    number_of(digits, &n) && n <= 86400000) {
				*ms = n * units[i].ms;
				return true;
			}
	}
	scn_error(p->file, &w->loc,
		  "expected a time, got '%s'; write a number and its unit: 200ms, 5s or 2m",
		  w->text);
	return false;
}

/* @a op @b in @a. False: complained. */
static bool calculate(struct planner *p, int64_t *a, const struct scn_word *op,
		      int64_t b)
{
	if (!b && (*op->text == '/' || *op->text == '%')) {
		scn_error(p->file, &op->next->loc,
			  "expected a divisor, got 0; divide by something else");
		return false;
	}
	switch (*op->text) {
	case '+':
		*a += b;
		break;
	case '-':
		*a -= b;
		break;
	case '*':
		*a *= b;
		break;
	case '/':
		*a /= b;
		break;
	case '%':
		*a %= b;
		break;
	default:
		return false;
	}
	if (*a >= INT32_MIN && *a <= INT32_MAX)
		return true;
	scn_error(p->file, &op->loc,
		  "expected a result of 32 bits, got %lld; use smaller numbers",
		  (long long)*a);
	return false;
}

/* A value alone is any text; with operators, of which * / % come first, a number. */
static bool evaluate(struct planner *p, struct scn_word *w, const char **text)
{
	int64_t sum = 0, term, next;
	struct scn_word *op, *pending = NULL;

	*text = w->text;
	if (!w->next)
		return true;
	if (!want_number(p, w, INT32_MIN, INT32_MAX, &term))
		return false;
	for (op = w->next; op; op = op->next->next) {
		if (!want_number(p, op->next, INT32_MIN, INT32_MAX, &next))
			return false;
		if (strchr("*/%", *op->text)) {
			if (!calculate(p, &term, op, next))
				return false;
			continue;
		}
		if (!pending)
			sum = term;
		else if (!calculate(p, &sum, pending, term))
			return false;
		pending = op;
		term = next;
	}
	if (!pending)
		sum = term;
	else if (!calculate(p, &sum, pending, term))
		return false;
	*text = scn_printf(p->file, "%lld", (long long)sum);
	return true;
}

static enum scn_op op_of(const char *text)
{
	if (*text == '!')
		return SCN_NE;
	if (*text == '<')
		return text[1] ? SCN_LE : SCN_LT;
	if (*text == '>')
		return text[1] ? SCN_GE : SCN_GT;
	return SCN_EQ;
}

static bool holds(enum scn_op op, int64_t order)
{
	switch (op) {
	case SCN_EQ:
		return !order;
	case SCN_NE:
		return order;
	case SCN_LT:
		return order < 0;
	case SCN_LE:
		return order <= 0;
	case SCN_GT:
		return order > 0;
	default:
		return order >= 0;
	}
}

/* a, operator, b: 1 or 0; -1: complained. */
static int condition(struct planner *p, struct scn_word *a)
{
	struct scn_word *op = a->next, *b = op->next;
	enum scn_op is = op_of(op->text);
	int64_t left, right;

	if (number_of(a->text, &left) && number_of(b->text, &right))
		return holds(is, (left > right) - (left < right));
	if (is == SCN_EQ || is == SCN_NE)
		return holds(is, strcmp(a->text, b->text));
	scn_error(p->file, &op->loc,
		  "expected numbers on both sides of '%s', got '%s' and '%s'; words can only be compared with == and !=",
		  op->text, a->text, b->text);
	return -1;
}

/*
 * Names
 */
static bool name_ok(struct planner *p, const struct scn_word *w,
		    const char *what, size_t max)
{
	if (*w->text && strlen(w->text) <= max && !w->op)
		return true;
	scn_error(p->file, &w->loc,
		  "expected a name of %s of 1 to %zu bytes, got '%s'; choose another",
		  what, max, w->text);
	return false;
}

static int find_name(const struct scn_name *names, int n, const char *name)
{
	int i;

	for (i = 0; i < n; i++)
		if (!strcmp(names[i].name, name))
			return i;
	return -1;
}

static const char *list_names(struct planner *p, const struct scn_name *names,
			      int n)
{
	const char *list = "";
	int i;

	for (i = 0; i < n && i < 20; i++)
		list = scn_printf(p->file, "%s%s%s", list, *list ? " " : "",
				  names[i].name);
	return list;
}

/* The index of an object; @make: this step may make it known. -1: complained. */
static int object_of(struct planner *p, const struct scn_word *w, bool make)
{
	struct scn_scenario *s = p->scenario;
	int i = find_name(s->objects, s->n_objects, w->text);

	if (i >= 0)
		return i;
	if (!make) {
		scn_error(p->file, &w->loc,
			  "expected an object that was created, attached or looked up before, got '%s'; %s",
			  w->text,
			  suggest(p, list_names(p, s->objects, s->n_objects),
				  w->text));
		if (s->n_objects < SCN_OBJECTS_MAX)
			s->objects[s->n_objects++].name = w->text;
		return -1;
	}
	if (!name_ok(p, w, "an object", REFOBJ_NAME_SIZE))
		return -1;
	if (s->n_objects == SCN_OBJECTS_MAX) {
		scn_error(p->file, &w->loc,
			  "expected at most %d objects in a scenario, got one more; use a name again",
			  SCN_OBJECTS_MAX);
		return -1;
	}
	s->objects[s->n_objects].name = w->text;
	s->objects[s->n_objects].loc = w->loc;
	return s->n_objects++;
}

static int actor_of(struct planner *p, const struct scn_word *w)
{
	struct scn_scenario *s = p->scenario;
	int i = find_name(s->actors, s->n_actors, w->text);

	if (i < 0) {
		scn_error(p->file, &w->loc,
			  "expected an actor, got '%s'; %s, or declare it before: actor %s",
			  w->text,
			  suggest(p, list_names(p, s->actors, s->n_actors),
				  w->text), w->text);
		/* once is enough */
		if (s->n_actors < SCN_ACTORS_MAX) {
			s->actors[s->n_actors].name = w->text;
			p->actor[s->n_actors].process = s->n_actors;
			p->actor[s->n_actors++].alive = true;
		}
	} else if (!p->actor[i].alive) {
		scn_error(p->file, &w->loc,
			  "expected an actor that is alive, got '%s', which ended at line %d; declare it again: actor %s",
			  w->text, p->actor[i].gone.line, w->text);
		i = -1;
	}
	return i;
}

static int new_actor(struct planner *p, const struct scn_word *w)
{
	struct scn_scenario *s = p->scenario;
	int i = find_name(s->actors, s->n_actors, w->text);

	if (!name_ok(p, w, "an actor", 32))
		return -1;
	if (strchr(w->text, '.') || isdigit((unsigned char)*w->text)) {
		scn_error(p->file, &w->loc,
			  "expected a name that begins with a letter and has no '.', got '%s'; the '.' is between an actor and its session",
			  w->text);
		return -1;
	}
	if (i >= 0 && p->actor[i].alive) {
		scn_error(p->file, &w->loc,
			  "expected a new actor, got '%s', which is there since line %d; choose another name, or end it before",
			  w->text, s->actors[i].loc.line);
		return -1;
	}
	if (i < 0) {
		if (s->n_actors == SCN_ACTORS_MAX) {
			scn_error(p->file, &w->loc,
				  "expected at most %d actors in a scenario, got one more; use the names of dead ones again",
				  SCN_ACTORS_MAX);
			return -1;
		}
		i = s->n_actors++;
		s->actors[i].name = w->text;
	}
	s->actors[i].loc = w->loc;
	p->actor[i].known = true;
	p->actor[i].alive = true;
	p->actor[i].started = false;
	p->actor[i].process = i;
	return i;
}

/*
 * Steps
 */
static int event_of(const char *name)
{
	int i;

	for (i = REFOBJ_EVENT_SNAPSHOT; i <= REFOBJ_EVENT_LOST; i++)
		if (!strcmp(refobj_strevent(i), name))
			return i;
	return -1;
}

static const char event_names[] =
	"snapshot activated ready count deactivated holder-died builder-changed destroyed lost";

static bool known_warning(struct planner *p, const struct scn_word *w)
{
	const char *list = "";
	int i;

	for (i = 0; i < LAB_WARNINGS; i++) {
		if (!strcmp(lab_warnings[i].name, w->text))
			return true;
		list = scn_printf(p->file, "%s%s%s", list, i ? " " : "",
				  lab_warnings[i].name);
	}
	scn_error(p->file, &w->loc, "expected a warning, got '%s'; %s", w->text,
		  suggest(p, list, w->text));
	return false;
}

/* A field, an operator perhaps, and a value. Advances @w past them. */
static bool take_condition(struct planner *p, struct scn_step *step,
			   struct scn_word **w)
{
	struct scn_condition *c = scn_alloc(p->file, sizeof(*c)), **end;
	struct scn_word *field = *w, *value = field->next;

	c->field = field->text;
	c->loc = field->loc;
	c->op = SCN_EQ;
	if (value && value->op) {
		c->op = op_of(value->text);
		value = value->next;
	}
	if (!value || value->op) {
		scn_error(p->file, &field->loc,
			  "expected a value after '%s', got %s; write: %s VALUE, or %s >= VALUE",
			  field->text, value ? value->text : "nothing",
			  field->text, field->text);
		return false;
	}
	*w = value->next;
	c->text = value->text;
	if (!strcmp(c->field, "state") && !among(states, value->text)) {
		scn_error(p->file, &value->loc,
			  "expected a state, got '%s'; %s", value->text,
			  suggest(p, states, value->text));
		return false;
	}
	if (!strcmp(c->field, "cause") &&
	    (strncmp(value->text, "signal-", 7) != 0 || !value->text[7]) &&
	    !among(causes, value->text)) {
		scn_error(p->file, &value->loc,
			  "expected a cause, got '%s'; %s", value->text,
			  suggest(p, causes, value->text));
		return false;
	}
	if (!strcmp(c->field, "warning") && !known_warning(p, value))
		return false;
	if (!strcmp(c->field, "object")) {
		c->kind = SCN_ID;
		c->number = object_of(p, value, false);
		if (c->number < 0)
			return false;
	} else if (among("state cause type name why kind warning", c->field)) {
		c->kind = SCN_TEXT;
	} else if (!strcmp(c->field, "mode")) {
		uint64_t n;

		if (!parse_number(value->text, 8, 0, 0777, &n)) {
			scn_error(p->file, &value->loc,
				  "expected octal mode bits, got '%s'; such as 0600",
				  value->text);
			return false;
		}
		c->kind = SCN_NUMBER;
		c->number = n;
	} else if (among("pid builder", c->field) &&
		   !isdigit((unsigned char)*value->text)) {
		c->kind = SCN_PID;
		c->number = find_name(p->scenario->actors,
				      p->scenario->n_actors, value->text);
		if (c->number < 0) {
			scn_error(p->file, &value->loc,
				  "expected an actor or 0, got '%s'; %s",
				  value->text,
				  suggest(p, list_names(p, p->scenario->actors,
							p->scenario->n_actors),
					  value->text));
			return false;
		}
	} else {
		c->kind = SCN_NUMBER;
		if (!want_number(p, value, INT64_MIN, INT64_MAX, &c->number))
			return false;
	}
	if (c->op != SCN_EQ && c->op != SCN_NE && c->kind != SCN_NUMBER) {
		scn_error(p->file, &field->loc,
			  "expected == or != for '%s', got another comparison; only numbers are smaller or larger",
			  field->text);
		return false;
	}
	for (end = &step->expected.conditions; *end; end = &(*end)->next)
		;
	*end = c;
	return true;
}

static bool missing(struct planner *p, const struct scn_step *step,
		    const struct scn_word *verb, const char *what)
{
	scn_error(p->file, &verb->loc,
		  "expected %s after '%s', got the end of the line; usage: %s",
		  what, step->verb->name, step->verb->synopsis);
	return false;
}

static bool want_signal(struct planner *p, const struct scn_word *w,
			int64_t *number)
{
	const char *list = "";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		const char *name = sigabbrev_np(signals[i]);

		if (!strcmp(name, w->text)) {
			*number = signals[i];
			return true;
		}
		list = scn_printf(p->file, "%s%s%s", list, *list ? " " : "", name);
	}
	scn_error(p->file, &w->loc,
		  "expected a signal that ends a process, got '%s'; %s", w->text,
		  suggest(p, list, w->text));
	return false;
}

/* A function of the lab, and its operand. Advances @w past them. */
static bool take_function(struct planner *p, struct scn_step *step,
			  struct scn_word **w)
{
	int f = lab_function((*w)->text), i;
	const char *list = "";

	if (f < 0) {
		for (i = 0; i < REFOBJ_LAB_FUNCTIONS; i++)
			list = scn_printf(p->file, "%s%s%s", list,
					  i ? " " : "", lab_functions[i].name);
		scn_error(p->file, &(*w)->loc,
			  "expected a function of refcount_t, got '%s'; %s",
			  (*w)->text, suggest(p, list, (*w)->text));
		return false;
	}
	step->number = f;
	if (lab_functions[f].n) {
		if (!(*w)->next)
			return missing(p, step, *w, "a number");
		*w = (*w)->next;
		if (!want_number(p, *w, INT32_MIN, INT32_MAX,
				 &step->value[SCN_O_COUNT]))
			return false;
	}
	*w = (*w)->next;
	return true;
}

/* An option with its value, if @*w is one. False: complained. */
static bool take_option(struct planner *p, struct scn_step *step,
			struct scn_word **w, bool *taken)
{
	struct scn_word *word = *w, *value = word->next;
	int i;

	*taken = false;
	for (i = 0; i < SCN_OPTIONS; i++)
		if (options[i].name && allowed(step->verb) & SCN_BIT(i) &&
		    !word->quoted && !strcmp(options[i].name, word->text))
			break;
	if (i == SCN_OPTIONS)
		return true;
	*taken = true;
	if (step->options & SCN_BIT(i)) {
		scn_error(p->file, &word->loc,
			  "expected '%s' once, got it again; leave one out",
			  word->text);
		return false;
	}
	step->options |= SCN_BIT(i);
	*w = value;
	if (!options[i].value)
		return true;
	if (!value || value->op) {
		scn_error(p->file, &word->loc,
			  "expected a value after '%s', got %s; usage: %s",
			  word->text, value ? value->text : "nothing",
			  step->verb->synopsis);
		return false;
	}
	*w = value->next;
	switch (options[i].value) {
	case 'd':
		return want_time(p, value, &step->value[i]);
	case 'o': {
		uint64_t n;

		if (!parse_number(value->text, 8, 0, UINT32_MAX, &n)) {
			scn_error(p->file, &value->loc,
				  "expected octal mode bits, got '%s'; such as 0600",
				  value->text);
			return false;
		}
		step->value[i] = n;
		return true;
	}
	case 't':
		if (!name_ok(p, value, options[i].name, REFOBJ_TYPE_SIZE))
			return false;
		if (i == SCN_O_TYPE)
			step->type = value->text;
		else if (i == SCN_O_NETNS)
			step->netns = value->text;
		else
			step->pidns = value->text;
		return true;
	case 's':
		return want_signal(p, value, &step->value[i]);
	case 'i':
		return want_number(p, value, INT32_MIN, INT32_MAX,
				   &step->value[i]);
	default:
		/* what is out of range is for the kernel to refuse */
		return want_number(p, value, 0, UINT32_MAX, &step->value[i]);
	}
}

static bool take_requirement(struct planner *p, struct scn_step *step,
			     struct scn_word **w)
{
	static const char all[] = "root counters log lab kernel feature";
	struct scn_word *word = *w;
	unsigned int major, minor;
	char more;

	if (!among(all, word->text)) {
		scn_error(p->file, &word->loc,
			  "expected a requirement, got '%s'; %s", word->text,
			  suggest(p, all, word->text));
		return false;
	}
	step->words[0] = word->text;
	*w = word->next;
	if (strcmp(word->text, "kernel") != 0 &&
	    strcmp(word->text, "feature") != 0)
		return true;
	if (!*w)
		return missing(p, step, word, "a value");
	word = *w;
	*w = word->next;
	step->words[1] = word->text;
	if (!strcmp(step->words[0], "feature")) {
		if (among(features, word->text))
			return true;
		scn_error(p->file, &word->loc,
			  "expected a feature, got '%s'; %s", word->text,
			  suggest(p, features, word->text));
		return false;
	}
	if (sscanf(word->text, "%u.%u%c", &major, &minor, &more) == 2)
		return true;
	scn_error(p->file, &word->loc,
		  "expected a kernel version, got '%s'; such as 6.12",
		  word->text);
	return false;
}

/* One of the words that must come; see struct scn_verb. */
static bool take_word(struct planner *p, struct scn_step *step, char kind,
		      struct scn_word **at)
{
	struct scn_word *w = *at;
	int n_words = step->words[0] ? 1 : 0, i;
	struct scn_condition *c;
	int64_t n;

	switch (kind) {
	case 'o':
	case 'O':
		i = object_of(p, w, kind == 'O');
		if (i < 0)
			return false;
		step->object[step->object[0] >= 0] = i;
		break;
	case 'a':
		step->peer = actor_of(p, w);
		if (step->peer < 0)
			return false;
		break;
	case 'A':
		step->peer = new_actor(p, w);
		if (step->peer < 0)
			return false;
		break;
	case 'f':
	case 'F':
	case 's':
		if (!name_ok(p, w, kind == 's' ? "a session" : "a descriptor",
			     32))
			return false;
		step->words[n_words] = w->text;
		break;
	case 'x':
		if (strlen(w->text) > SCN_TEXT_MAX) {
			scn_error(p->file, &w->loc,
				  "expected a text of at most %d bytes, got %zu; use 'times'",
				  SCN_TEXT_MAX, strlen(w->text));
			return false;
		}
		step->words[n_words] = w->text;
		break;
	case 'l':
		return take_function(p, step, at);
	case 'n':
		if (!want_number(p, w, 0, 255, &n))
			return false;
		step->number = n;
		break;
	case 'd':
		if (!want_time(p, w, &n))
			return false;
		p->scenario->deadline_ms = n;
		break;
	case 'e':
		if (!strcmp(w->text, "nothing")) {
			step->words[0] = w->text;
			break;
		}
		i = event_of(w->text);
		if (i < 0) {
			scn_error(p->file, &w->loc,
				  "expected an event, got '%s'; %s", w->text,
				  suggest(p, event_names, w->text));
			return false;
		}
		step->number = i;
		c = scn_alloc(p->file, sizeof(*c));
		c->field = "event";
		c->kind = SCN_TEXT;
		c->text = w->text;
		c->loc = w->loc;
		step->expected.conditions = c;
		break;
	case 'u':
		for (i = 1; i < (int)ARRAY_SIZE(until_names); i++)
			if (!strcmp(until_names[i], w->text))
				break;
		if (i == ARRAY_SIZE(until_names)) {
			scn_error(p->file, &w->loc,
				  "expected what to wait for, got '%s'; %s",
				  w->text, suggest(p, "idle active ready users dead",
						   w->text));
			return false;
		}
		step->number = i;
		if (i == REFOBJ_UNTIL_USERS) {
			if (!w->next)
				return missing(p, step, w, "a number");
			w = w->next;
			if (!want_number(p, w, 0, UINT32_MAX,
					 &step->value[SCN_O_COUNT]))
				return false;
		}
		break;
	default:
		return take_requirement(p, step, at);
	}
	*at = w->next;
	return true;
}

static const char *kind_name(char kind)
{
	switch (kind) {
	case 'o':
	case 'O':
		return "an object";
	case 'a':
	case 'A':
		return "an actor";
	case 'f':
	case 'F':
		return "a descriptor";
	case 's':
		return "a session";
	case 'x':
		return "a text";
	case 'd':
		return "a time";
	case 'e':
		return "an event";
	case 'u':
		return "what to wait for";
	case 'r':
		return "a requirement";
	case 'l':
		return "a function";
	default:
		return "a number";
	}
}

/* Is @w an option of the verb, so that an optional word was left out? */
static bool is_option(const struct scn_verb *verb, const struct scn_word *w)
{
	int i;

	for (i = 0; i < SCN_OPTIONS; i++)
		if (allowed(verb) & SCN_BIT(i) && options[i].name &&
		    !w->quoted && !strcmp(options[i].name, w->text))
			return true;
	return false;
}

/*
 * The words after the verb. With '+' in its words only the first of those that
 * may be repeated is taken, and @again set to the next.
 */
static bool take_words(struct planner *p, struct scn_step *step,
		       struct scn_word *verb, struct scn_word *w,
		       struct scn_word **again)
{
	const char *kind;
	bool taken;

	*again = NULL;
	for (kind = step->verb->words; *kind; kind++) {
		bool optional = *kind == '?';

		kind += optional;
		if (*kind == 'E') {
			for (; w && !w->op && !is_option(step->verb, w);
			     w = w->next) {
				int e = event_of(w->text);

				if (e <= 0 || e == REFOBJ_EVENT_LOST) {
					scn_error(p->file, &w->loc,
						  "expected an event that can be watched, got '%s'; %s",
						  w->text,
						  suggest(p, event_names, w->text));
					return false;
				}
				step->number |= REFOBJ_WATCH(e);
			}
			continue;
		}
		if (!w || w->op || (optional && is_option(step->verb, w))) {
			if (optional)
				continue;
			return missing(p, step, verb, kind_name(*kind));
		}
		if (!take_word(p, step, *kind, &w))
			return false;
		if (kind[1] == '+') {
			kind++;
			if (w && !w->op && !is_option(step->verb, w)) {
				*again = w;
				while (w && !w->op && !is_option(step->verb, w))
					w = w->next;
			}
		}
	}
	while (w) {
		if (!take_option(p, step, &w, &taken))
			return false;
		if (taken)
			continue;
		if (step->verb->fields && !w->op && !w->quoted &&
		    among("expect await counters", step->verb->name) &&
		    (*step->verb->fields == '*' ||
		     among(step->verb->fields, w->text))) {
			if (!take_condition(p, step, &w))
				return false;
			continue;
		}
		scn_error(p->file, &w->loc,
			  "expected the end of '%s' or one of its options, got '%s'; %s; usage: %s",
			  step->verb->name, w->text,
			  suggest(p, option_names(p, step->verb), w->text),
			  step->verb->synopsis);
		return false;
	}
	return true;
}

static unsigned int result_bit(const char *word)
{
	if (!strcmp(word, "builder"))
		return REFOBJ_BUILDER;
	if (!strcmp(word, "created"))
		return SCN_CREATED;
	return REFOBJ_FIRST;
}

/* What is after the '='. */
static bool take_results(struct planner *p, struct scn_step *step,
			 struct scn_word *w)
{
	const struct scn_verb *verb = step->verb;
	struct scn_expected *e = &step->expected;
	const char *list;
	bool taken;

	if (verb->runner || among("expect await", verb->name)) {
		scn_error(p->file, &w->loc,
			  "expected no '=' with '%s', got '%s'; usage: %s",
			  verb->name, w->text, verb->synopsis);
		return false;
	}
	while (w) {
		bool no = !strncmp(w->text, "not-", 4);
		const char *word = no ? w->text + 4 : w->text;

		if (!take_option(p, step, &w, &taken))
			return false;
		if (taken)
			continue;
		if (verb->result == 't' && w->quoted && !e->text) {
			e->text = w->text;
		} else if (verb->result == 'n' && !e->has_number && !w->quoted &&
			   number_of(w->text, &e->number)) {
			e->has_number = true;
		} else if (!w->quoted && scn_errno(w->text) && !e->error) {
			e->error = scn_errno(w->text);
		} else if (!w->quoted && verb->results &&
			   among(verb->results, word)) {
			unsigned int bit = result_bit(word);

			e->last = !strcmp(verb->results, "last");
			if (no)
				e->clear |= bit;
			else
				e->set |= bit;
		} else if (!w->quoted && !w->op && verb->fields &&
			   among(verb->fields, w->text)) {
			if (!take_condition(p, step, &w))
				return false;
			continue;
		} else if (w->quoted || strcmp(w->text, "ok") != 0) {
			list = scn_printf(p->file, "ok%s%s%s%s",
					  verb->results ? " " : "",
					  verb->results ? verb->results : "",
					  verb->fields ? " " : "",
					  verb->fields ? verb->fields : "");
			scn_error(p->file, &w->loc,
				  "expected a result of '%s', got '%s'; %s, or the name of an errno%s",
				  verb->name, w->text,
				  suggest(p, list, w->text),
				  verb->result == 't' ? ", or a \"text\"" :
				  verb->result == 'n' ? ", or a number" : "");
			return false;
		}
		w = w->next;
	}
	if (e->error && (e->set || e->clear || e->text || e->has_number ||
			 e->conditions)) {
		scn_error(p->file, &step->loc,
			  "expected either %s or a success, got both; a call that fails has no results",
			  scn_errno_name(e->error));
		return false;
	}
	if (e->set & e->clear) {
		scn_error(p->file, &step->loc,
			  "expected a result or its contrary, got both; leave one out");
		return false;
	}
	return true;
}

/* The line that is done, for people. */
static const char *line_text(struct planner *p, const struct scn_word *target,
			     const struct scn_word *words,
			     const struct scn_word *results)
{
	const struct scn_word *w;
	const char *copy;
	char *text;
	size_t size, i;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	if (target)
		fprintf(f, "%s: ", target->text);
	for (w = words; w; w = w->next)
		fprintf(f, w->quoted ? "%s\"%.60s\"" : "%s%.60s",
			w == words ? "" : " ", w->text);
	for (w = results; w; w = w->next)
		fprintf(f, w->quoted ? "%s\"%.60s\"" : "%s%.60s",
			w == results ? " = " : " ", w->text);
	fclose(f);
	for (i = 0; i < size; i++)
		if (iscntrl((unsigned char)text[i]))
			text[i] = '?';
	copy = scn_strndup(p->file, text, size);
	free(text);
	return copy;
}

static void actor_gone(struct planner *p, int actor, const struct scn_loc *loc)
{
	p->actor[actor].alive = false;
	p->actor[actor].gone = *loc;
}

/* Its threads end with a process; @but stays. */
static void process_gone(struct planner *p, int process, int but,
			 const struct scn_loc *loc)
{
	int i;

	for (i = 0; i < p->scenario->n_actors; i++)
		if (i != but && p->actor[i].process == process &&
		    p->actor[i].alive)
			actor_gone(p, i, loc);
}

/* What an actor may do depends on what it did before. */
static bool check_order(struct planner *p, struct scn_step *step)
{
	int a = step->actor;
	bool finish = step->verb->id == SCN_FINISH;

	if (step->verb->runner) {
		if (p->parallel && step->verb->id != SCN_BARRIER) {
			scn_error(p->file, &step->loc,
				  "expected steps of actors or 'barrier' in 'parallel', got '%s'; put it before or after the block",
				  step->verb->name);
			return false;
		}
		if (!p->parallel && step->verb->id == SCN_BARRIER) {
			scn_error(p->file, &step->loc,
				  "expected 'barrier' within 'parallel', got it outside; steps outside come one after the other anyway");
			return false;
		}
		if (step->verb->id == SCN_KILL)
			process_gone(p, p->actor[step->peer].process, -1,
				     &step->loc);
		if (step->verb->id != SCN_LEAVE_NOTHING)
			return true;
		for (a = 0; a < p->scenario->n_actors; a++)
			if (p->actor[a].alive)
				actor_gone(p, a, &step->loc);
		return true;
	}
	if (p->actor[a].started != finish) {
		if (finish)
			scn_error(p->file, &step->loc,
				  "expected a step '... start' of '%s' before 'finish', got none; start one",
				  p->scenario->actors[a].name);
		else
			scn_error(p->file, &step->loc,
				  "expected 'finish' after the step '... start' of '%s', got another step; write 'finish' first",
				  p->scenario->actors[a].name);
		return false;
	}
	if (finish)
		p->actor[a].started = false;
	if (step->options & SCN_BIT(SCN_O_START)) {
		if (p->parallel) {
			scn_error(p->file, &step->loc,
				  "expected no 'start' in 'parallel', got it; the steps of actors do not wait for each other there");
			return false;
		}
		p->actor[a].started = true;
		if (step->expected.set || step->expected.clear ||
		    step->expected.error) {
			scn_error(p->file, &step->loc,
				  "expected no result of what is only started, got one; write it after 'finish ='");
			return false;
		}
	}
	switch (step->verb->id) {
	case SCN_FORK:
	case SCN_THREAD:
		if (!p->parallel)
			break;
		scn_error(p->file, &step->loc,
			  "expected no '%s' in 'parallel', got it; put it before the block",
			  step->verb->name);
		return false;
	case SCN_EXIT:
		if (p->actor[a].process == a) {
			process_gone(p, a, -1, &step->loc);
			break;
		}
		if (step->number) {
			scn_error(p->file, &step->loc,
				  "expected no status of a thread, got %u; only processes have one",
				  step->number);
			return false;
		}
		actor_gone(p, a, &step->loc);
		break;
	case SCN_EXEC:
		/* the process is that of the thread that did it */
		process_gone(p, p->actor[a].process, a, &step->loc);
		p->actor[a].process = a;
		break;
	default:
		break;
	}
	if (step->verb->id == SCN_THREAD)
		p->actor[step->peer].process = p->actor[a].process;
	return true;
}

static bool command(struct planner *p, const struct scn_stmt *stmt)
{
	struct scn_word *words, *results, *target = NULL, *again;
	const struct scn_verb *verb;
	struct scn_step *step;
	const char *session = "";
	int actor = -1;

	if (!expand_all(p, stmt->words, &words) ||
	    !expand_all(p, stmt->results, &results) || !words)
		return false;
	if (stmt->target) {
		char *dot;

		target = expand(p, stmt->target);
		if (!target)
			return false;
		dot = strchr(target->text, '.');
		if (dot) {
			struct scn_word name = *target;

			name.text = scn_strndup(p->file, target->text,
						dot - target->text);
			session = dot + 1;
			if (strlen(session) > 32) {
				scn_error(p->file, &target->loc,
					  "expected a name of a session of at most 32 bytes, got '%s'; choose another",
					  session);
				return false;
			}
			actor = p->scenario ? actor_of(p, &name) : -1;
		} else {
			actor = p->scenario ? actor_of(p, target) : -1;
		}
		if (p->scenario && actor < 0)
			return false;
	}
	for (verb = scn_verbs; verb->name; verb++)
		if (!strcmp(verb->name, words->text) &&
		    verb->runner == !stmt->target)
			break;
	if (!verb->name) {
		const struct scn_verb *other;

		for (other = scn_verbs; other->name; other++)
			if (!strcmp(other->name, words->text))
				break;
		if (other->name && other->runner)
			scn_error(p->file, &words->loc,
				  "expected a verb of an actor, got '%s'; write it without the actor",
				  words->text);
		else if (other->name)
			scn_error(p->file, &words->loc,
				  "expected a statement, got the verb '%s'; say who does it: ACTOR: %s",
				  words->text, other->synopsis);
		else
			scn_error(p->file, &words->loc,
				  "expected a %s, got '%s'; %s",
				  stmt->target ? "verb" : "statement",
				  words->text,
				  suggest(p, verb_names(p, !stmt->target),
					  words->text));
		return false;
	}
	if (!p->scenario) {
		scn_error(p->file, &stmt->loc,
			  "expected 'scenario' around this step, got it outside; write: scenario \"TITLE\" { ... }");
		return false;
	}
	again = words->next;
	do {
		if (p->scenario->n_steps++ >= SCN_STEPS_MAX) {
			scn_error(p->file, &stmt->loc,
				  "expected at most %d steps in a scenario, got more; repeat less often",
				  SCN_STEPS_MAX);
			return false;
		}
		step = scn_alloc(p->file, sizeof(*step));
		step->loc = stmt->loc;
		step->verb = verb;
		step->actor = actor;
		step->session = session;
		step->object[0] = -1;
		step->object[1] = -1;
		step->peer = -1;
		if (!take_words(p, step, words, again, &again))
			return false;
		if (results && !take_results(p, step, results))
			return false;
		if (!check_order(p, step))
			return false;
		if (verb->id == SCN_COUNTERS && !step->expected.conditions)
			return missing(p, step, words, "a counter");
		step->text = strchr(verb->words, '+') ?
			scn_printf(p->file, "%s %s%s%s", verb->name,
				   p->scenario->actors[step->peer].name,
				   step->options & BIT(SIGNAL) ? " signal " : "",
				   step->options & BIT(SIGNAL) ?
				   sigabbrev_np(step->value[SCN_O_SIGNAL]) : "") :
			line_text(p, target, words, results);
		*p->end = step;
		p->end = &step->next;
	} while (again);
	return true;
}

static bool plan_statements(struct planner *p, const struct scn_stmt *stmt);

static bool block(struct planner *p, const struct scn_stmt *body, bool wall)
{
	struct frame frame = { .up = p->frame, .wall = wall };
	bool ok;

	p->frame = &frame;
	ok = plan_statements(p, body);
	p->frame = frame.up;
	return ok;
}

static bool call(struct planner *p, const struct scn_stmt *stmt)
{
	struct frame frame = { .up = p->frame, .wall = true };
	const struct scn_word *name;
	struct scn_word *arguments, *a;
	struct definition *d;
	const char *known = "";
	int wanted = 0, got = 0;
	bool ok;

	for (d = p->definitions; d; d = d->next) {
		if (!strcmp(d->stmt->target->text, stmt->target->text))
			break;
		known = scn_printf(p->file, "%s%s%s", known, *known ? " " : "",
				   d->stmt->target->text);
	}
	if (!d) {
		scn_error(p->file, &stmt->loc,
			  "expected a definition, got '%s'; %s, or: define %s(...) { ... }",
			  stmt->target->text,
			  suggest(p, known, stmt->target->text),
			  stmt->target->text);
		return false;
	}
	if (!expand_all(p, stmt->words, &arguments))
		return false;
	for (name = d->stmt->words; name; name = name->next)
		wanted++;
	for (a = arguments; a; a = a->next)
		got++;
	if (wanted != got) {
		scn_error(p->file, &stmt->loc,
			  "expected %d arguments of '%s', got %d; see its definition at %s:%d",
			  wanted, stmt->target->text, got, d->stmt->loc.file,
			  d->stmt->loc.line);
		return false;
	}
	p->frame = &frame;
	for (name = d->stmt->words, a = arguments; a;
	     name = name->next, a = a->next)
		set_variable(p, name->text, a->text);
	ok = plan_statements(p, d->stmt->body);
	p->frame = frame.up;
	return ok;
}

static bool repeat(struct planner *p, const struct scn_stmt *stmt)
{
	struct scn_word *count = expand(p, stmt->words);
	int64_t n, i;

	if (!count || !want_number(p, count, 0, SCN_STEPS_MAX, &n))
		return false;
	for (i = 1; i <= n; i++) {
		struct frame frame = { .up = p->frame };
		bool ok;

		p->frame = &frame;
		if (stmt->target)
			set_variable(p, stmt->target->text,
				     scn_printf(p->file, "%lld", (long long)i));
		ok = plan_statements(p, stmt->body);
		p->frame = frame.up;
		if (!ok)
			return false;
	}
	return true;
}

static bool for_each(struct planner *p, const struct scn_stmt *stmt)
{
	struct scn_word *values, *v;

	if (!expand_all(p, stmt->words, &values))
		return false;
	for (v = values; v; v = v->next) {
		struct frame frame = { .up = p->frame };
		bool ok;

		p->frame = &frame;
		set_variable(p, stmt->target->text, v->text);
		ok = plan_statements(p, stmt->body);
		p->frame = frame.up;
		if (!ok)
			return false;
	}
	return true;
}

static bool plan_parallel(struct planner *p, const struct scn_stmt *stmt)
{
	struct scn_step *step, **end = p->end;
	bool ok;

	if (!p->scenario) {
		scn_error(p->file, &stmt->loc,
			  "expected 'parallel' within a scenario, got it outside; write: scenario \"TITLE\" { ... }");
		return false;
	}
	if (p->parallel) {
		scn_error(p->file, &stmt->loc,
			  "expected steps in 'parallel', got another 'parallel'; all in one block runs together already");
		return false;
	}
	step = scn_alloc(p->file, sizeof(*step));
	step->loc = stmt->loc;
	step->verb = &together;
	step->text = "parallel";
	step->actor = -1;
	step->peer = -1;
	p->end = &step->body;
	p->parallel = true;
	ok = block(p, stmt->body, false);
	p->parallel = false;
	*end = step;
	p->end = &step->next;
	return ok;
}

static bool plan_scenario(struct planner *p, const struct scn_stmt *stmt)
{
	struct scn_scenario *s;
	struct scn_word *title = expand(p, stmt->words);
	bool ok;
	int i;

	if (!title)
		return false;
	if (p->scenario) {
		scn_error(p->file, &stmt->loc,
			  "expected steps in a scenario, got another 'scenario'; close the one of line %d first",
			  p->scenario->loc.line);
		return false;
	}
	if (!*title->text || strchr(title->text, '\n')) {
		scn_error(p->file, &title->loc,
			  "expected a title of one line, got %s; say what the scenario shows",
			  *title->text ? "several lines" : "nothing");
		return false;
	}
	if (p->n_scenarios++ >= SCN_SCENARIOS_MAX) {
		scn_error(p->file, &stmt->loc,
			  "expected at most %d scenarios in a file, got more; make two files of it",
			  SCN_SCENARIOS_MAX);
		return false;
	}
	s = scn_alloc(p->file, sizeof(*s));
	s->title = title->text;
	s->loc = stmt->loc;
	s->deadline_ms = SCN_DEADLINE_MS;
	memset(p->actor, 0, sizeof(p->actor));
	p->scenario = s;
	p->end = &s->steps;
	ok = block(p, stmt->body, true);
	p->scenario = NULL;
	for (i = 0; ok && i < s->n_actors; i++)
		if (p->actor[i].alive && p->actor[i].started) {
			scn_error(p->file, &s->actors[i].loc,
				  "expected a 'finish' of what '%s' started, got the end of the scenario; add: %s: finish = ...",
				  s->actors[i].name, s->actors[i].name);
			ok = false;
		}
	*p->scenarios_end = s;
	p->scenarios_end = &s->next;
	return ok;
}

static bool plan_definition(struct planner *p, const struct scn_stmt *stmt)
{
	struct definition *d;

	for (d = p->definitions; d; d = d->next)
		if (!strcmp(d->stmt->target->text, stmt->target->text)) {
			scn_error(p->file, &stmt->target->loc,
				  "expected a new name to define, got '%s', which is defined at %s:%d; choose another",
				  stmt->target->text, d->stmt->loc.file,
				  d->stmt->loc.line);
			return false;
		}
	d = scn_alloc(p->file, sizeof(*d));
	d->stmt = stmt;
	d->next = p->definitions;
	p->definitions = d;
	return true;
}

static bool let(struct planner *p, const struct scn_stmt *stmt)
{
	struct scn_word *words;
	const char *text;

	if (!expand_all(p, stmt->words, &words) || !words ||
	    !evaluate(p, words, &text))
		return false;
	set_variable(p, stmt->target->text, text);
	return true;
}

/* Whether a name is one: of a variable or a definition. */
static bool plain_name(struct planner *p, const struct scn_stmt *stmt)
{
	const struct scn_word *w = stmt->target;
	const char *s;

	if (!w || stmt->kind == SCN_COMMAND || stmt->kind == SCN_CALL)
		return true;
	for (s = w->text; isalnum((unsigned char)*s) || *s == '_'; s++)
		;
	if (!*s && !isdigit((unsigned char)*w->text) &&
	    strcmp(w->text, "random") != 0)
		return true;
	scn_error(p->file, &w->loc,
		  "expected a name of letters, digits and '_', got '%s'; choose another",
		  w->text);
	return false;
}

static bool statement(struct planner *p, const struct scn_stmt *s)
{
	struct scn_word *words;
	int is;

	if (!plain_name(p, s))
		return false;
	switch (s->kind) {
	case SCN_COMMAND:
		return command(p, s);
	case SCN_LET:
		return let(p, s);
	case SCN_DEFINE:
		return plan_definition(p, s);
	case SCN_CALL:
		return call(p, s);
	case SCN_REPEAT:
		return repeat(p, s);
	case SCN_FOR:
		return for_each(p, s);
	case SCN_PARALLEL:
		return plan_parallel(p, s);
	case SCN_SCENARIO:
		return plan_scenario(p, s);
	case SCN_INCLUDE:
		return plan_statements(p, s->body);
	case SCN_IF:
		/* three, as the grammar has it */
		if (!expand_all(p, s->words, &words) || !words ||
		    !words->next || !words->next->next)
			return false;
		is = condition(p, words);
		return is >= 0 && block(p, is ? s->body : s->other, false);
	}
	return false;
}

/*
 * Goes on after an error, so that one run tells of many; but a loop in which
 * one was made is over.
 */
static bool plan_statements(struct planner *p, const struct scn_stmt *s)
{
	bool ok = true;

	if (s && p->depth >= SCN_DEPTH_MAX) {
		scn_error(p->file, &s->loc,
			  "expected at most %d blocks and calls within each other, got more; does a definition call itself?",
			  SCN_DEPTH_MAX);
		return false;
	}
	p->depth++;
	for (; s && p->file->errors < SCN_ERRORS_MAX; s = s->next) {
		if (p->work++ > WORK_MAX) {
			if (p->work == WORK_MAX + 2)
				scn_error(p->file, &s->loc,
					  "expected at most %d statements to be done, got more; repeat less often",
					  WORK_MAX);
			ok = false;
			break;
		}
		if (!statement(p, s))
			ok = false;
	}
	p->depth--;
	return ok;
}

bool scn_plan(struct scn_file *file, uint64_t seed)
{
	struct frame frame = { .wall = true };
	struct planner p = {
		.file = file, .frame = &frame,
		.scenarios_end = &file->scenarios,
	};

	file->random = seed * 0x9e3779b97f4a7c15 + 1;
	if (file->errors)
		return false;
	return plan_statements(&p, file->statements) && !file->errors;
}
