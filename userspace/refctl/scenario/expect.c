// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is what came what was expected? Nothing here knows a process or the kernel, so
 * that it can be tested by itself: what it misses, no scenario finds.
 */
#include <stdarg.h>
#include <string.h>

#include "scenario.h"

static const char *const ops[] = {
	[SCN_EQ] = "", [SCN_NE] = "!= ", [SCN_LT] = "< ", [SCN_LE] = "<= ",
	[SCN_GT] = "> ", [SCN_GE] = ">= ",
};

static const struct {
	unsigned int bit;
	const char *name;
} bits[] = {
	{ REFOBJ_FIRST, "first" },
	{ REFOBJ_BUILDER, "builder" },
	{ SCN_CREATED, "created" },
};

static bool __printf(3, 4) differs(char *why, size_t size, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, size, fmt, args);
	va_end(args);
	return false;
}

static const struct scn_fact *find(const struct scn_facts *facts,
				   const char *name)
{
	int i;

	for (i = 0; i < facts->n; i++)
		if (!strcmp(facts->fact[i].name, name))
			return &facts->fact[i];
	return NULL;
}

static bool compare(enum scn_op op, int order)
{
	switch (op) {
	case SCN_EQ:
		return order == 0;
	case SCN_NE:
		return order != 0;
	case SCN_LT:
		return order < 0;
	case SCN_LE:
		return order <= 0;
	case SCN_GT:
		return order > 0;
	case SCN_GE:
		return order >= 0;
	}
	return false;
}

static bool match_condition(const struct scn_condition *c,
			    const struct scn_facts *facts,
			    uint64_t (*resolve)(const struct scn_condition *c,
						void *arg),
			    void *arg, char *why, size_t size)
{
	const struct scn_fact *fact = find(facts, c->field);
	int64_t wanted, got;
	int order;

	if (!fact)
		return differs(why, size, "expected %s %s%s, got no %s",
			       c->field, ops[c->op], c->text, c->field);
	if (c->kind == SCN_TEXT || fact->text) {
		const char *text = fact->text ? fact->text : "";

		if (compare(c->op, strcmp(text, c->text)))
			return true;
		return differs(why, size, "expected %s %s%s, got '%s'",
			       c->field, ops[c->op], c->text, text);
	}
	wanted = c->kind == SCN_NUMBER ? c->number :
					 (int64_t)resolve(c, arg);
	got = (int64_t)fact->number;
	order = got > wanted ? 1 : got < wanted ? -1 : 0;
	if (compare(c->op, order))
		return true;
	if (!strcmp(c->field, "mode"))
		return differs(why, size, "expected mode %s%04llo, got %04llo",
			       ops[c->op], (unsigned long long)wanted,
			       (unsigned long long)got);
	return differs(why, size, c->kind == SCN_NUMBER ?
		       "expected %s %s%s, got %lld" :
		       "expected %s %s%s (%lld), got %lld",
		       c->field, ops[c->op], c->text,
		       c->kind == SCN_NUMBER ? (long long)got :
					       (long long)wanted,
		       (long long)got);
}

bool scn_match(const struct scn_expected *expected,
	       const struct scn_facts *facts,
	       uint64_t (*resolve)(const struct scn_condition *c, void *arg),
	       void *arg, char *why, size_t size)
{
	const struct scn_condition *c;
	size_t i;

	*why = '\0';
	if (facts->ret < 0) {
		if (expected->error == -facts->ret)
			return true;
		return differs(why, size, "expected %s, got %s (%s)",
			       expected->error ?
			       scn_errno_name(expected->error) : "no error",
			       scn_errno_name(-facts->ret),
			       strerror(-facts->ret));
	}
	if (expected->error)
		return differs(why, size, "expected %s, got a success (%lld)",
			       scn_errno_name(expected->error),
			       (long long)facts->ret);
	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		const char *name = !i && expected->last ? "last" : bits[i].name;
		bool is = facts->ret & bits[i].bit;

		if (expected->set & bits[i].bit && !is)
			return differs(why, size, "expected %s, got not-%s",
				       name, name);
		if (expected->clear & bits[i].bit && is)
			return differs(why, size, "expected not-%s, got %s",
				       name, name);
	}
	if (expected->has_number && expected->number != facts->ret)
		return differs(why, size, "expected %lld, got %lld",
			       (long long)expected->number,
			       (long long)facts->ret);
	if (expected->text &&
	    strcmp(expected->text, facts->text ? facts->text : "") != 0)
		return differs(why, size, "expected \"%.60s\", got \"%.60s\"",
			       expected->text, facts->text ? facts->text : "");
	for (c = expected->conditions; c; c = c->next)
		if (!match_condition(c, facts, resolve, arg, why, size))
			return false;
	return true;
}
