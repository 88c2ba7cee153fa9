// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scenario language without a kernel: what the parser makes of a text, where
 * it says that something is wrong, and whether the expectations of steps are met
 * by what must meet them and by nothing else. TAP; built by host.sh.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenario.h"

static int tests, failures;

static void __printf(2, 3) result(int ok, const char *fmt, ...)
{
	va_list args;

	tests++;
	failures += !ok;
	printf("%sok %d ", ok ? "" : "not ", tests);
	va_start(args, fmt);
	for (char *s = NULL, *c; s || vasprintf(&s, fmt, args) > 0;) {
		for (c = s; *c; c++)
			putchar(*c == '\n' || *c == '#' ? '|' : *c);
		free(s);
		break;
	}
	va_end(args);
	putchar('\n');
}

/* The plan of a text; what was wrong with it in @errors, to be freed. */
static struct scn_file *plan(const char *text, char **errors)
{
	size_t size;
	FILE *to = open_memstream(errors, &size);
	struct scn_file *file;

	if (!to)
		abort();
	file = scn_read_text("t", text, strlen(text), to);
	scn_plan(file, 1);
	fclose(to);
	return file;
}

/*
 * What the parser makes of a text, in brackets
 */
static void write_words(FILE *to, const struct scn_word *w)
{
	for (; w; w = w->next)
		fprintf(to, w->quoted ? " \"%s\"" : w->op ? " `%s`" : " %s",
			w->text);
}

static void write_statements(FILE *to, const struct scn_stmt *s)
{
	static const char *const kinds[] = {
		[SCN_COMMAND] = "do", [SCN_LET] = "let",
		[SCN_DEFINE] = "define", [SCN_CALL] = "call",
		[SCN_REPEAT] = "repeat", [SCN_FOR] = "for", [SCN_IF] = "if",
		[SCN_PARALLEL] = "parallel", [SCN_SCENARIO] = "scenario",
		[SCN_INCLUDE] = "include",
	};

	for (; s; s = s->next) {
		fprintf(to, "(%s@%d:%d", kinds[s->kind], s->loc.line,
			s->loc.column);
		if (s->target)
			fprintf(to, " %s:", s->target->text);
		write_words(to, s->words);
		if (s->has_results) {
			fputs(" =", to);
			write_words(to, s->results);
		}
		if (s->body) {
			fputs(" {", to);
			write_statements(to, s->body);
			putc('}', to);
		}
		if (s->other) {
			fputs(" else {", to);
			write_statements(to, s->other);
			putc('}', to);
		}
		putc(')', to);
	}
}

static void test_statements(const char *text, const char *wanted)
{
	struct scn_file *file;
	char *got;
	size_t size;
	FILE *to = open_memstream(&got, &size);

	if (!to)
		abort();
	file = scn_read_text("t", text, strlen(text), to);
	write_statements(to, file->statements);
	fclose(to);
	result(!strcmp(wanted, got), "statements: %s", text);
	if (strcmp(wanted, got) != 0)
		printf("# wanted %s\n# got    %s\n", wanted, got);
	scn_free(file);
	free(got);
}

static const struct { const char *text, *wanted; } statements[] = {
	{ "", "" },
	{ "# only a comment", "" },
	{ "\n\n  \t\r\n", "" },
	{ "actor a b", "(do@1:1 actor a b)" },
	{ "a: stat x = users >= 2 state ready # c\n",
	  "(do@1:1 a: stat x = users `>=` 2 state ready)" },
	{ "  a.two: open two", "(do@1:3 a.two: open two)" },
	{ "a: set x \"\\\"q\\\" \\\\\\n\\t\" = EPERM",
	  "(do@1:1 a: set x \"\"q\" \\\n\t\" = EPERM)" },
	{ "a: set x \\\n  \"y\"\nb: exit",
	  "(do@1:1 a: set x \"y\")(do@3:1 b: exit)" },
	{ "\xc3\xa4 \"\xc3\xa4\" x",
	  "t:1:1: expected a word, a number or a string, got the byte 0xc3; "
	  "put text in \"quotes\"\n"
	  "t:1:3: expected the beginning of a statement, got '\"\xc3\xa4\"'; "
	  "see refobj-scenario(5)\n" },
	{ "let n = 1 + $m * 2", "(let@1:1 n: 1 `+` $m `*` 2)" },
	{ "call_me()\ncall(1, \"two\", $x)",
	  "(call@1:1 call_me:)(call@2:1 call: 1 \"two\" $x)" },
	{ "define f(a, b) {\n x: exit\n}\ndefine g() {\n}\n",
	  "(define@1:1 f: a b {(do@2:2 x: exit)})(define@4:1 g:)" },
	{ "repeat 3 as i {\n}\nrepeat $n {\nf()\n}",
	  "(repeat@1:1 i: 3)(repeat@3:1 $n {(call@4:1 f:)})" },
	{ "for x in a, \"b c\", 3 {\nf()\n}",
	  "(for@1:1 x: a \"b c\" 3 {(call@2:1 f:)})" },
	{ "if $x != kill {\nf()\n} else {\ng()\n}",
	  "(if@1:1 $x `!=` kill {(call@2:1 f:)} else {(call@4:1 g:)})" },
	{ "scenario \"t\" {\n parallel {\n a: exit\n barrier\n }\n}",
	  "(scenario@1:1 \"t\" {(parallel@2:2 {(do@3:2 a: exit)(do@4:2 barrier)})})" },
};

/*
 * What steps a text becomes
 */
static void write_steps(FILE *to, const struct scn_step *step)
{
	for (; step; step = step->next) {
		fprintf(to, "%s;", step->text);
		if (step->body) {
			putc('[', to);
			write_steps(to, step->body);
			putc(']', to);
		}
	}
}

static void test_steps(const char *text, const char *wanted)
{
	const struct scn_scenario *s;
	struct scn_file *file;
	char *got, *errors;
	size_t size;
	FILE *to = open_memstream(&got, &size);

	if (!to)
		abort();
	file = plan(text, &errors);
	fputs(errors, to);
	for (s = file->scenarios; s; s = s->next) {
		fprintf(to, "%s:", s->title);
		write_steps(to, s->steps);
	}
	fclose(to);
	result(!strcmp(wanted, got), "steps: %.100s", text);
	if (strcmp(wanted, got) != 0)
		printf("# wanted %s\n# got    %s\n", wanted, got);
	scn_free(file);
	free(errors);
	free(got);
}

#define S(steps)	"scenario \"t\" {\n" steps "\n}\n"

static const struct { const char *text, *wanted; } steps[] = {
	{ S("actor a b\nkill a b"), "t:actor a;actor b;kill a;kill b;" },
	{ S("let n = 20 / 2 - 2 * 3 + 6\nrepeat $n as i {\nif $i > 8 {\nactor a$i\n}\n}"),
	  "t:actor a9;actor a10;" },
	{ S("let n = 3\nactor a\na: create 1-$n.x\na: create \"-1\""),
	  "t:actor a;a: create 1-3.x;a: create \"-1\";" },
	{ S("actor a\na: create \"x\\ny\""), "t:actor a;a: create \"x?y\";" },
	{ S("let n = 7 / 2\nlet m = $n - 5 % 2\nactor x${n}y$m"),
	  "t:actor x3y2;" },
	{ S("let n = 1\nrepeat 2 {\nlet n = $n * 3\n}\nactor a$n"),
	  "t:actor a9;" },
	{ S("repeat 0 {\nactor a\n}\nactor b"), "t:actor b;" },
	{ "define f(who, what) {\n$who: create $what\n}\n"
	  S("actor a\nf(a, x)\nf(a, \"y z\")"),
	  "t:actor a;a: create x;a: create y z;" },
	{ "let v = 1\ndefine f() {\nlet v = 2\n}\n" S("f()\nactor a$v"),
	  "t:actor a1;" },
	{ "for e in one, two {\nscenario \"s $e\" {\nactor $e\n}\n}",
	  "s one:actor one;s two:actor two;" },
	{ "let v = 1\n" S("let v = 2") S("actor a$v"), "t:t:actor a1;" },
	{ S("actor a\na: create x\na: set x \"$ $$ 5$\""),
	  "t:actor a;a: create x;a: set x \"$ $$ 5$\";" },
	{ S("if a == a {\nactor a\n} else {\nactor b\n}\nif 01 == 1 {\nactor c\n}"),
	  "t:actor a;actor c;" },
	{ S("if a != a {\nactor a\n} else {\nactor b\n}\nif 2 <= 1 {\nactor c\n}"),
	  "t:actor b;" },
	{ S("actor a b\nparallel {\na: create x\nbarrier\nb: attach x\n}\na: exit"),
	  "t:actor a;actor b;parallel;[a: create x;barrier;b: attach x;]a: exit;" },
	{ S("actor a\na: exit 3\nactor a\nkill a"),
	  "t:actor a;a: exit 3;actor a;kill a;" },
	{ S("actor a\na: fork b\nb: adopt nobody\nb: exec\nb: exit"),
	  "t:actor a;a: fork b;b: adopt nobody;b: exec;b: exit;" },
	{ S("actor a\na: create x\na: wait x users 2 within 5s start\na: finish = ETIMEDOUT"),
	  "t:actor a;a: create x;a: wait x users 2 within 5s start;a: finish = ETIMEDOUT;" },
	{ S("actor a\nleave-nothing\nactor a"), "t:actor a;leave-nothing;actor a;" },
	{ S("actor a\na: thread b\nb: exit\na: thread b\nb: exec\nactor a"),
	  "t:actor a;a: thread b;b: exit;a: thread b;b: exec;actor a;" },
	{ S("actor a b\na: fork c\na: thread d\nkill b d signal TERM\nc: exit\nactor a d"),
	  "t:actor a;actor b;a: fork c;a: thread d;"
	  "kill b signal TERM;kill d signal TERM;c: exit;actor a;actor d;" },
	{ S("actor a\na: create x\na: watch x count destroyed cookie 7"),
	  "t:actor a;a: create x;a: watch x count destroyed cookie 7;" },
	{ S("actor a\na: lab inc_not_zero_limited_acquire limit -1 = 0\n"
	    "a: lab add -3 = after 1 warning none"),
	  "t:actor a;a: lab inc_not_zero_limited_acquire limit -1 = 0;"
	  "a: lab add -3 = after 1 warning none;" },
	{ S("requires lab\ndebugfs objects \"x\"\nno-debugfs stats \"y\""),
	  "t:requires lab;debugfs objects \"x\";no-debugfs stats \"y\";" },
};

/*
 * What is wrong, and where: of each text, the one complaint, to its end or to
 * that of what is written here.
 */
static const struct { const char *text, *wanted; } errors[] = {
	/* the lexer */
	{ "a: set x \"abc\n",
	  "1:10: expected '\"' at the end of the string, got the end of the line; close it",
	},
	{ "a: set x \"a\\qb\"\n",
	  "1:10: expected an escape \\n, \\t, \\\" or \\\\ in the string, got '\\q'; for a backslash",
	},
	{ "a: set ; x\n",
	  "1:8: expected a word, a number or a string, got ';'; put text in \"quotes\"",
	},
	{ "a: set \x01 x\n",
	  "1:8: expected a word, a number or a string, got the byte 0x01; put text",
	},
	/* the parser */
	{ "= x\n",
	  "1:1: expected the beginning of a statement, got '='; see refobj-scenario(5)",
	},
	{ "a:\n", "1:3: expected a word, got the end of the line; complete the line" },
	{ "a: stat x =\n",
	  "1:12: expected a word, a string or a comparison, got the end of the line; complete the line, or end it with '\\'",
	},
	{ "a: stat x, y\n",
	  "1:10: expected the end of the line, a word, a string, a comparison or '=', got ','; put what follows on a line of its own",
	},
	{ "scenario \"a\" {\nactor a\n",
	  "3:1: expected the beginning of a statement, got the end of the file; close with '}' the block that begins at line 1, column 14",
	},
	{ "}\n", "1:1: expected the beginning of a statement, got '}'; see refobj" },
	{ "scenario x {\n}\n", "1:10: expected a string, got 'x'; see refobj" },
	{ "scenario \"x\"\n",
	  "1:13: expected '{', got the end of the line; put the '{' on the line of its statement",
	},
	{ "repeat 3 as repeat {\n}\n",
	  "1:13: expected a word, got 'repeat'; it is a word of the language",
	},
	{ "if a b {\n}\n", "1:6: expected a comparison, got 'b'; see refobj" },
	{ "let x 3\n", "1:7: expected '=', got '3'; see refobj" },
	{ "let x = 3 +\n",
	  "1:12: expected a word or a string, got the end of the line; complete",
	},
	{ "a: stat x parallel\n",
	  "1:11: expected the end of the line, a word, a string, a comparison or '=', got 'parallel'; begin it on a line of its own",
	},
	{ "include \"x.inc\"\n", "1:9: expected a file that can be read, got 'x.inc': " },
	/* names and variables */
	{ "let x = $y\n",
	  "1:9: expected a variable that has a value, got '$y'; set it before: let y = ...",
	},
	{ "let x.y = 1\n",
	  "1:5: expected a name of letters, digits and '_', got 'x.y'; choose another",
	},
	{ "let random = 1\n",
	  "1:5: expected a name of letters, digits and '_', got 'random'; choose",
	},
	{ "let x = a + 1\n",
	  "1:9: expected a number from -2147483648 to 2147483647, got 'a'; write it in digits",
	},
	{ "let x = 1 / 0\n", "1:13: expected a divisor, got 0; divide by something else" },
	{ "let x = 2000000000 * 2\n",
	  "1:20: expected a result of 32 bits, got 4000000000; use smaller numbers",
	},
	{ "if a < b {\n}\n",
	  "1:6: expected numbers on both sides of '<', got 'a' and 'b'; words can",
	},
	{ "define f() {\n}\ndefine f() {\n}\n",
	  "3:8: expected a new name to define, got 'f', which is defined at t:1; choose another",
	},
	{ "f()\n",
	  "1:1: expected a definition, got 'f'; there is none here, or: define f(...) { ... }",
	},
	{ "define ff() {\n}\nfg()\n",
	  "3:1: expected a definition, got 'fg'; did you mean 'ff'?",
	},
	{ "define f(a) {\n}\nf()\n",
	  "3:1: expected 1 arguments of 'f', got 0; see its definition at t:1",
	},
	{ "define f() {\nf()\n}\nf()\n",
	  "2:1: expected at most 16 blocks and calls within each other, got more; does a definition call itself?",
	},
	{ "repeat x {\n}\n",
	  "1:8: expected a number from 0 to 100000, got 'x'; write it in digits",
	},
	{ "repeat 100000 {\nrepeat 100000 {\nlet x = 1\n}\n}\n",
	  "3:1: expected at most 400000 statements to be done, got more; repeat less often",
	},
	/* scenarios */
	{ "actor a\n",
	  "1:1: expected 'scenario' around this step, got it outside; write: scenario \"TITLE\" { ... }",
	},
	{ "parallel {\n}\n",
	  "1:1: expected 'parallel' within a scenario, got it outside; write: scenario",
	},
	{ "scenario \"\" {\n}\n",
	  "1:10: expected a title of one line, got nothing; say what the scenario shows",
	},
	{ "scenario \"a\\nb\" {\n}\n",
	  "1:10: expected a title of one line, got several lines; say",
	},
	{ S("scenario \"u\" {\n}"),
	  "2:1: expected steps in a scenario, got another 'scenario'; close the one of line 1 first",
	},
	{ S("repeat 60000 {\nbarrier\n}"),
	  "3:1: expected 'barrier' within 'parallel', got it outside; steps outside come one after the other anyway",
	},
	{ S("parallel {\nparallel {\n}\n}"),
	  "3:1: expected steps in 'parallel', got another 'parallel'; all in one",
	},
	{ S("parallel {\nactor a\n}"),
	  "3:1: expected steps of actors or 'barrier' in 'parallel', got 'actor'; put it before or after the block",
	},
	{ S("actor a\nrepeat 100000 {\na: info\n}"),
	  "4:1: expected at most 100000 steps in a scenario, got more; repeat less often",
	},
	/* verbs */
	{ S("actor a\na: acqire x"),
	  "3:4: expected a verb, got 'acqire'; did you mean 'acquire'?",
	},
	{ S("axtor a"), "2:1: expected a statement, got 'axtor'; did you mean 'actor'?" },
	{ S("zzzzzz a"),
	  "2:1: expected a statement, got 'zzzzzz'; there are: actor kill counters",
	},
	{ S("create x"),
	  "2:1: expected a statement, got the verb 'create'; say who does it: ACTOR: create OBJECT",
	},
	{ S("actor a\na: kill a"),
	  "3:4: expected a verb of an actor, got 'kill'; write it without the actor",
	},
	{ S("actor a\na: create"),
	  "3:4: expected an object after 'create', got the end of the line; usage: create OBJECT",
	},
	{ S("actor a\na: create x persistnt"),
	  "3:13: expected the end of 'create' or one of its options, got 'persistnt'; did you mean 'persistent'?; usage: create",
	},
	{ S("actor a\na: create x build build"),
	  "3:19: expected 'build' once, got it again; leave one out",
	},
	{ S("actor a\na: create x mode"),
	  "3:13: expected a value after 'mode', got nothing; usage: create",
	},
	{ S("actor a\na: create x mode 0698"),
	  "3:18: expected octal mode bits, got '0698'; such as 0600",
	},
	{ S("actor a\na: create x linger 5"),
	  "3:20: expected a time, got '5'; write a number and its unit: 200ms, 5s or 2m",
	},
	{ S("actor a\na: create x initial many"),
	  "3:21: expected a number from 0 to 4294967295, got 'many'; write",
	},
	{ S("actor a\na: create x type \"\""),
	  "3:18: expected a name of type of 1 to 32 bytes, got ''; choose another",
	},
	{ S("actor a\na: create x\na: publish x y z"),
	  "4:16: expected the end of 'publish' or one of its options, got 'z'; there are: times",
	},
	{ S("actor a\na: create \"\""),
	  "3:11: expected a name of an object of 1 to 64 bytes, got ''; choose another",
	},
	{ S("actor a\na: acquire x"),
	  "3:12: expected an object that was created, attached or looked up before, got 'x'; there is none here",
	},
	{ S("actor a\na: create thing\na: acquire thin"),
	  "4:12: expected an object that was created, attached or looked up before, got 'thin'; did you mean 'thing'?",
	},
	{ S("actor a\na: create x\na: watch x snapshit"),
	  "4:12: expected an event that can be watched, got 'snapshit'; did you mean 'snapshot'?",
	},
	{ S("actor a\na: create x\na: watch x lost"),
	  "4:12: expected an event that can be watched, got 'lost'; ",
	},
	{ S("actor a\na: create x\na: watch x cookie 1 ready"),
	  "4:21: expected the end of 'watch' or one of its options, got 'ready'; ",
	},
	{ S("actor a\na: create x\na: wait x asleep"),
	  "4:11: expected what to wait for, got 'asleep'; there are: idle active",
	},
	{ S("actor a\na: create x\na: wait x users"),
	  "4:11: expected a number after 'wait', got the end of the line; usage: wait",
	},
	{ S("actor a\na: exit 256"),
	  "3:9: expected a number from 0 to 255, got '256'; write it in digits",
	},
	/* actors */
	{ S("a: info"),
	  "2:1: expected an actor, got 'a'; there is none here, or declare it before: actor a",
	},
	{ S("actor ab\nac: info"),
	  "3:1: expected an actor, got 'ac'; did you mean 'ab'?, or declare it before: actor ac",
	},
	{ S("actor a\nactor a"),
	  "3:7: expected a new actor, got 'a', which is there since line 2; choose another name, or end it before",
	},
	{ S("actor a.b"),
	  "2:7: expected a name that begins with a letter and has no '.', got 'a.b'; the '.' is between",
	},
	{ S("actor a\na: exit\na: info"),
	  "4:1: expected an actor that is alive, got 'a', which ended at line 3; declare it again: actor a",
	},
	{ S("actor a\nkill a\nkill a"),
	  "4:6: expected an actor that is alive, got 'a', which ended at line 3; ",
	},
	{ S("repeat 65 as i {\nactor a$i\n}"),
	  "3:7: expected at most 64 actors in a scenario, got one more; use the names of dead ones again",
	},
	{ S("actor a\nrepeat 1025 as i {\na: create o$i\n}"),
	  "4:11: expected at most 1024 objects in a scenario, got one more; use a name again",
	},
	{ S("actor a\na.123456789012345678901234567890123: info"),
	  "3:1: expected a name of a session of at most 32 bytes, got '123456789012345678901234567890123'; choose",
	},
	/* results and conditions */
	{ S("actor a\na: create x = firzt"),
	  "3:15: expected a result of 'create', got 'firzt'; did you mean 'first'?, or the name of an errno",
	},
	{ S("actor a\na: create x = ENOSUCH"),
	  "3:15: expected a result of 'create', got 'ENOSUCH'; there are: ok first builder, or the name of an errno",
	},
	{ S("actor a\na: create x = first EEXIST"),
	  "3:1: expected either EEXIST or a success, got both; a call that fails has no results",
	},
	{ S("actor a\na: create x = first not-first"),
	  "3:1: expected a result or its contrary, got both; leave one out",
	},
	{ S("actor a = 3"), "2:11: expected no '=' with 'actor', got '3'; usage: actor" },
	{ S("actor a\na: create x\na: stat x = user 1"),
	  "4:13: expected a result of 'stat', got 'user'; did you mean 'users'?",
	},
	{ S("actor a\na: create x\na: stat x = users"),
	  "4:13: expected a value after 'users', got nothing; write: users VALUE, or users >= VALUE",
	},
	{ S("actor a\na: create x\na: stat x = users >= many"),
	  "4:22: expected a number from ",
	},
	{ S("actor a\na: create x\na: stat x = state reaady"),
	  "4:19: expected a state, got 'reaady'; did you mean 'ready'?",
	},
	{ S("actor a\na: create x\na: stat x = state > ready"),
	  "4:13: expected == or != for 'state', got another comparison; only numbers",
	},
	{ S("actor a\na: create x\na: stat x = mode 9"),
	  "4:18: expected octal mode bits, got '9'; such as 0600",
	},
	{ S("actor a\na: create x\na: stat x = builder b"),
	  "4:21: expected an actor or 0, got 'b'; there are: a",
	},
	{ S("actor a\na: expect actvated"),
	  "3:11: expected an event, got 'actvated'; did you mean 'activated'?",
	},
	{ S("actor a\na: expect activated cause releaze"),
	  "3:27: expected a cause, got 'releaze'; did you mean 'release'?",
	},
	{ S("actor a\na: expect activated object x"),
	  "3:28: expected an object that was created, attached or looked up before, got 'x'; ",
	},
	{ S("actor a\na: expect activated = first"),
	  "3:23: expected no '=' with 'expect', got 'first'; usage: expect",
	},
	/* the order of steps */
	{ S("actor a\na: finish"),
	  "3:1: expected a step '... start' of 'a' before 'finish', got none; start one",
	},
	{ S("actor a\na: expect ready start\na: info"),
	  "4:1: expected 'finish' after the step '... start' of 'a', got another step; write 'finish' first",
	},
	{ S("actor a\na: expect ready start"),
	  "2:7: expected a 'finish' of what 'a' started, got the end of the scenario; add: a: finish = ...",
	},
	{ S("actor a\na: create x\na: wait x idle start = EINTR"),
	  "4:1: expected no result of what is only started, got one; write it after 'finish ='",
	},
	{ S("actor a\nparallel {\na: expect ready start\n}"),
	  "4:1: expected no 'start' in 'parallel', got it; ",
	},
	{ S("actor a\nparallel {\na: fork b\n}"),
	  "4:1: expected no 'fork' in 'parallel', got it; put it before the block",
	},
	/* threads and processes */
	{ S("actor a\nparallel {\na: thread b\n}"),
	  "4:1: expected no 'thread' in 'parallel', got it; put it before the block",
	},
	{ S("actor a\na: thread a"),
	  "3:11: expected a new actor, got 'a', which is there since line 2; choose",
	},
	{ S("actor a\na: thread b\nb: exit 1"),
	  "4:1: expected no status of a thread, got 1; only processes have one",
	},
	{ S("actor a\na: thread b\na: exit\nb: info"),
	  "5:1: expected an actor that is alive, got 'b', which ended at line 4; declare",
	},
	{ S("actor a\na: thread b\nkill b\na: info"),
	  "5:1: expected an actor that is alive, got 'a', which ended at line 4; declare",
	},
	{ S("actor a\na: thread b\nb: exec\na: info"),
	  "5:1: expected an actor that is alive, got 'a', which ended at line 4; declare",
	},
	{ S("actor a\na: thread b\nb: thread c\nkill a\nc: info"),
	  "6:1: expected an actor that is alive, got 'c', which ended at line 5; declare",
	},
	{ S("actor a\nkill a signal TRAM"),
	  "3:15: expected a signal that ends a process, got 'TRAM'; did you mean 'TRAP'?",
	},
	{ S("actor a\nkill a signal SIGSTOP"),
	  "3:15: expected a signal that ends a process, got 'SIGSTOP'; there are: HUP",
	},
	/* the lab */
	{ S("actor a\na: lab"),
	  "3:4: expected a function after 'lab', got the end of the line; usage: lab",
	},
	{ S("actor a\na: lab decr"),
	  "3:8: expected a function of refcount_t, got 'decr'; ",
	},
	{ S("actor a\na: lab add"),
	  "3:8: expected a number after 'lab', got the end of the line; usage: lab",
	},
	{ S("actor a\na: lab set 2147483648"),
	  "3:12: expected a number from -2147483648 to 2147483647, got '2147483648'; write",
	},
	{ S("actor a\na: lab inc 2"),
	  "3:12: expected the end of 'lab' or one of its options, got '2'; ",
	},
	{ S("actor a\na: lab inc = after 1 warning LEAK"),
	  "3:30: expected a warning, got 'LEAK'; there are: none ADD_NOT_ZERO_OVF",
	},
	/* of the runner */
	{ S("debugfs objects"),
	  "2:1: expected a text after 'debugfs', got the end of the line; usage: debugfs",
	},
	{ S("requires roots"),
	  "2:10: expected a requirement, got 'roots'; did you mean 'root'?",
	},
	{ S("requires kernel"),
	  "2:10: expected a value after 'requires', got the end of the line; usage: requires",
	},
	{ S("requires kernel new"), "2:17: expected a kernel version, got 'new'; such as 6.12" },
	{ S("requires feature flying"),
	  "2:18: expected a feature, got 'flying'; there are: events",
	},
	{ S("deadline 3"), "2:10: expected a time, got '3'; write a number and its unit" },
	{ S("counters"),
	  "2:1: expected a counter after 'counters', got the end of the line; usage: counters",
	},
	{ S("counters objects"),
	  "2:10: expected a value after 'objects', got nothing; write: objects VALUE",
	},
};

static void test_error(const char *text, const char *wanted)
{
	struct scn_file *file;
	char *got, *other;
	int ok;

	file = plan(text, &got);
	other = strchr(got, '\n');
	ok = !strncmp(got, "t:", 2) &&
	     !strncmp(got + 2, wanted, strlen(wanted)) &&
	     strstr(got, ": expected ") && strstr(got, ", got ") &&
	     strstr(got, "; ") && other && file->errors;
	result(ok, "error: %s", wanted);
	if (!ok)
		printf("# of %s# got  %s", text, got);
	scn_free(file);
	free(got);
}

/* The same of texts that are too large to be written down. */
static void test_large(const char *head, const char *part, int times,
		       const char *tail, const char *wanted)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		abort();
	fputs(head, to);
	while (times--)
		fputs(part, to);
	fputs(tail, to);
	fclose(to);
	test_error(text, wanted);
	free(text);
}

static void test_bounds(void)
{
	test_large("", "parallel {\n", 20000, "",
		   "3333:10: expected less nesting, got 'memory exhausted'; make parts");
	test_large("\n", "repeat 1 {\n", 17,
		   "f()\n}\n}\n}\n}\n}\n}\n}\n}\n}\n}\n}\n}\n}\n}\n}\n}\n}\n",
		   "18:1: expected at most 16 blocks and calls within each other, got more; ");
	test_large("let x = \"", "12345678", 1024,
		   "\"\nlet y = \"$x$x$x$x$x$x$x$x$x\"\n",
		   "2:9: expected a text of at most 65536 bytes, got a longer one; use 'times'");
	test_large("scenario \"s\" {\nactor a\na: create x\na: set x \"",
		   "12345678", 513, "\"\n}\n",
		   "4:10: expected a text of at most 4096 bytes, got 4104; use 'times'");
	test_large("repeat 1001 {\nscenario \"s\" {\n}\n", "", 0, "}\n",
		   "2:1: expected at most 1000 scenarios in a file, got more; make two files of it");
}

/* A file that includes one beside it, and one that includes itself. */
static void test_includes(void)
{
	char dir[] = "/tmp/scenario-test-XXXXXX", *name, *errors;
	static const char *const texts[] = {
		"include \"1.scn\"\nscenario \"$v\" {\n}\n", "let v = 7\n",
		"include \"2.scn\"\n",
	};
	struct scn_file *file;
	size_t size;
	FILE *f;
	int i;

	if (!mkdtemp(dir))
		abort();
	for (i = 0; i < 3; i++) {
		if (asprintf(&name, "%s/%d.scn", dir, i) < 0)
			abort();
		f = fopen(name, "we");
		if (!f)
			abort();
		fputs(texts[i], f);
		fclose(f);
		free(name);
	}
	for (i = 0; i < 3; i += 2) {
		f = open_memstream(&errors, &size);
		if (!f || asprintf(&name, "%s/%d.scn", dir, i) < 0)
			abort();
		file = scn_read(name, f);
		if (file)
			scn_plan(file, 1);
		fclose(f);
		if (i)
			result(strstr(errors, "/2.scn:1:9: expected at most 16 files") &&
			       strstr(errors, "got one more; does a file include itself?"),
			       "a file that includes itself");
		else
			result(file && !*errors && file->scenarios &&
			       !strcmp(file->scenarios->title, "7"),
			       "a file that includes another");
		scn_free(file);
		free(errors);
		free(name);
	}
	for (i = 0; i < 3; i++) {
		if (asprintf(&name, "%s/%d.scn", dir, i) < 0)
			abort();
		unlink(name);
		free(name);
	}
	rmdir(dir);
	result(!scn_read(dir, NULL), "no file");
}

/*
 * Expectations
 */

/* Actor b is process 4711, object x has id 77. */
static uint64_t resolve(const struct scn_condition *c, void *arg)
{
	(void)arg;
	return c->kind == SCN_PID ? 4711 : 77;
}

static struct scn_facts reply(int64_t ret, const char *text)
{
	struct scn_facts f = { .ret = ret, .text = text, .n = 8, .fact = {
		{ .name = "users", .number = 3 },
		{ .name = "state", .text = "ready" },
		{ .name = "mode", .number = 0640 },
		{ .name = "builder", .number = 4711 },
		{ .name = "pid", .number = 4711 },
		{ .name = "object", .number = 77 },
		{ .name = "event", .text = "count" },
		{ .name = "cause", .text = "signal-9" },
	} };

	return f;
}

/* Steps, what comes, and what is said if that is not what was expected. */
static const struct {
	const char *step;
	int64_t ret;
	const char *text;
	const char *why;	/* NULL: as expected */
} expectations[] = {
	{ "acquire x", 0, NULL, NULL },
	{ "acquire x", 1, NULL, NULL },
	{ "acquire x", 256, NULL, NULL },
	{ "acquire x", -ESTALE, NULL, "expected no error, got ESTALE (Stale file handle)" },
	{ "acquire x = ok", 1, NULL, NULL },
	{ "acquire x = ok", -EPERM, NULL,
	  "expected no error, got EPERM (Operation not permitted)",
	},
	{ "acquire x = EPERM", -EPERM, NULL, NULL },
	{ "acquire x = EPERM", -EACCES, NULL,
	  "expected EPERM, got EACCES (Permission denied)",
	},
	{ "acquire x = EPERM", 0, NULL, "expected EPERM, got a success (0)" },
	{ "acquire x = EPERM", 1, NULL, "expected EPERM, got a success (1)" },
	{ "acquire x = first", 1, NULL, NULL },
	{ "acquire x = first", 257, NULL, NULL },
	{ "acquire x = first", 0, NULL, "expected first, got not-first" },
	{ "acquire x = first", 256, NULL, "expected first, got not-first" },
	{ "acquire x = first", -EPERM, NULL,
	  "expected no error, got EPERM (Operation not permitted)",
	},
	{ "acquire x = not-first", 0, NULL, NULL },
	{ "acquire x = not-first", 256, NULL, NULL },
	{ "acquire x = not-first", 1, NULL,
	  "expected not-first, got first",
	},
	{ "acquire x = not-first", -EPERM, NULL,
	  "expected no error, got EPERM (Operation not permitted)",
	},
	{ "acquire x = builder", 256, NULL, NULL },
	{ "acquire x = builder", 1, NULL, "expected builder, got not-builder" },
	{ "acquire x = not-builder", 1, NULL, NULL },
	{ "acquire x = not-builder", 257, NULL, "expected not-builder, got builder" },
	{ "acquire x = first builder", 257, NULL, NULL },
	{ "acquire x = first builder", 256, NULL,
	  "expected first, got not-first",
	},
	{ "acquire x = first builder", 1, NULL, "expected builder, got not-builder" },
	{ "release x = last", 1, NULL, NULL },
	{ "release x = last", 0, NULL, "expected last, got not-last" },
	{ "attach x = created", SCN_CREATED | 1, NULL, NULL },
	{ "attach x = created", 1, NULL, "expected created, got not-created" },
	{ "attach x = not-created", 1, NULL, NULL },
	{ "attach x = not-created", SCN_CREATED, NULL, "expected not-created, got created" },
	{ "release-all = 2", 2, NULL, NULL },
	{ "release-all = 0", 0, NULL, NULL },
	{ "release-all = 2", 3, NULL, "expected 2, got 3" },
	{ "release-all = 0", 1, NULL, "expected 0, got 1" },
	{ "get x = \"abc\"", 0, "abc", NULL },
	{ "get x = \"abc\"", 0, "abd", "expected \"abc\", got \"abd\"" },
	{ "get x = \"abc\"", 0, "ab", "expected \"abc\", got \"ab\"" },
	{ "get x = \"\"", 0, "ab", "expected \"\", got \"ab\"" },
	{ "get x = \"\"", 0, "", NULL },
	{ "get x = \"\"", 0, NULL, NULL },
	{ "get x = \"a\"", 0, NULL, "expected \"a\", got \"\"" },
	{ "get x", 0, "whatever", NULL },
	{ "get x = version 1", 0, "a", "expected version 1, got no version" },
	{ "stat x = users 3", 0, NULL, NULL },
	{ "stat x = users 2", 0, NULL, "expected users 2, got 3" },
	{ "stat x = users 4", 0, NULL, "expected users 4, got 3" },
	{ "stat x = users == 3", 0, NULL, NULL },
	{ "stat x = users != 2", 0, NULL, NULL },
	{ "stat x = users != 4", 0, NULL, NULL },
	{ "stat x = users != 3", 0, NULL, "expected users != 3, got 3" },
	{ "stat x = users < 4", 0, NULL, NULL },
	{ "stat x = users < 3", 0, NULL, "expected users < 3, got 3" },
	{ "stat x = users <= 3", 0, NULL, NULL },
	{ "stat x = users <= 2", 0, NULL, "expected users <= 2, got 3" },
	{ "stat x = users > 2", 0, NULL, NULL },
	{ "stat x = users > 3", 0, NULL, "expected users > 3, got 3" },
	{ "stat x = users >= 3", 0, NULL, NULL },
	{ "stat x = users >= 4", 0, NULL, "expected users >= 4, got 3" },
	{ "stat x = users > -1", 0, NULL, NULL },
	{ "stat x = state ready", 0, NULL, NULL },
	{ "stat x = state idle", 0, NULL, "expected state idle, got 'ready'" },
	{ "stat x = state != idle", 0, NULL, NULL },
	{ "stat x = state != ready", 0, NULL, "expected state != ready, got 'ready'" },
	{ "stat x = mode 0640", 0, NULL, NULL },
	{ "stat x = mode 0600", 0, NULL, "expected mode 0600, got 0640" },
	{ "stat x = users 3 state ready mode 0640", 0, NULL, NULL },
	{ "stat x = users 3 state idle mode 0640", 0, NULL,
	  "expected state idle, got 'ready'",
	},
	{ "stat x = state ready users 1", 0, NULL, "expected users 1, got 3" },
	{ "stat x = builder b", 0, NULL, NULL },
	{ "stat x = builder 0", 0, NULL, "expected builder 0, got 4711" },
	{ "stat x = builder != b", 0, NULL, "expected builder != b (4711), got 4711" },
	{ "stat x = edges 0", 0, NULL, "expected edges 0, got no edges" },
	{ "stat x = ESTALE", -ESTALE, NULL, NULL },
	{ "stat x = ESTALE", 0, NULL, "expected ESTALE, got a success (0)" },
	{ "stat x = users 3", -ESTALE, NULL,
	  "expected no error, got ESTALE (Stale file handle)",
	},
	{ "expect count", 0, NULL, NULL },
	{ "expect ready", 0, NULL, "expected event ready, got 'count'" },
	{ "expect count users 3 cause signal-9 pid b object x", 0, NULL, NULL },
	{ "expect count users 3 cause signal-15", 0, NULL,
	  "expected cause signal-15, got 'signal-9'",
	},
	{ "expect count cause signal", 0, NULL, "" },
	{ "expect ready users 3", 0, NULL, "expected event ready, got 'count'" },
	{ "expect count pid 1", 0, NULL, "expected pid 1, got 4711" },
	{ "await count users 4", 0, NULL, "expected users 4, got 3" },
	{ "wait x idle", 0, NULL, NULL },
	{ "wait x idle = ETIMEDOUT", -ETIMEDOUT, NULL, NULL },
	{ "wait x idle", -ETIMEDOUT, NULL,
	  "expected no error, got ETIMEDOUT (Connection timed out)",
	},
};

static void test_expectation(size_t i)
{
	const char *step = expectations[i].step, *why = expectations[i].why;
	struct scn_facts facts = reply(expectations[i].ret,
				       expectations[i].text);
	const struct scn_step *last;
	char said[256], *text, *wrong;
	struct scn_file *file;
	bool ok, is;

	if (asprintf(&text, "scenario \"t\" {\nactor a b\na: create x\na: %s\n}\n",
		     step) < 0)
		abort();
	file = plan(text, &wrong);
	if (*wrong || !file->scenarios) {
		/* not a sentence at all, as the empty "why" says */
		result(why && !*why, "expectation: %s", step);
	} else {
		for (last = file->scenarios->steps; last->next;
		     last = last->next)
			;
		is = scn_match(&last->expected, &facts, resolve, NULL, said,
			       sizeof(said));
		ok = why ? !is && !strcmp(said, why) : is && !*said;
		result(ok, "expectation: %s, of %lld: %s", step,
		       (long long)facts.ret, why ? why : "met");
		if (!ok)
			printf("# said '%s'\n", said);
	}
	scn_free(file);
	free(wrong);
	free(text);
}

int main(void)
{
	size_t i;

	puts("TAP version 13");
	for (i = 0; i < ARRAY_SIZE(statements); i++)
		test_statements(statements[i].text, statements[i].wanted);
	for (i = 0; i < ARRAY_SIZE(steps); i++)
		test_steps(steps[i].text, steps[i].wanted);
	for (i = 0; i < ARRAY_SIZE(errors); i++)
		test_error(errors[i].text, errors[i].wanted);
	test_bounds();
	test_includes();
	for (i = 0; i < ARRAY_SIZE(expectations); i++)
		test_expectation(i);
	printf("1..%d\n", tests);
	return failures != 0;
}
