/* SPDX-License-Identifier: GPL-2.0-only */
/* Sentences of the scenario language: see refobj-scenario(5). */
%define api.pure full
%define api.prefix {scn_yy}
%define api.location.type {struct scn_loc}
%define parse.error custom
%define parse.lac full
%locations
%parse-param {void *scanner} {struct scn_reader *reader}
%lex-param {void *scanner}

%code requires {
#include "scenario.h"

/* One text that is being read. */
struct scn_reader {
	struct scn_file *file;
	const char *name;	/* of it, as given */
	int line, column;
	int depth;		/* of includes */
	const char *got;	/* the last token */
	int got_length;
	int n_open;		/* blocks that are open, and where they began */
	struct scn_loc open[64];
	struct scn_stmt *result;
};

void scn_reader_open(struct scn_reader *r, const struct scn_loc *loc);
void scn_reader_close(struct scn_reader *r);
}

%code {
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define YYLLOC_DEFAULT(current, rhs, n)				\
	((current) = YYRHSLOC(rhs, (n) ? 1 : 0))

static struct scn_stmt *include(struct scn_reader *r, struct scn_word *path);

static struct scn_stmt *statement(struct scn_reader *r, enum scn_kind kind,
				  const struct scn_loc *loc,
				  struct scn_word *target,
				  struct scn_word *words)
{
	struct scn_stmt *s = scn_alloc(r->file, sizeof(*s));

	s->kind = kind;
	s->loc = *loc;
	s->target = target;
	s->words = words;
	return s;
}

int scn_yylex(YYSTYPE *value, YYLTYPE *loc, void *scanner);
static void scn_yyerror(const YYLTYPE *loc, void *scanner,
			struct scn_reader *r, const char *text);
}

%union {
	struct scn_word *word;
	struct scn_list { struct scn_word *first, **end; } words;
	struct scn_stmt *stmt;
	struct scn_stmts { struct scn_stmt *first, **end; } stmts;
}

%code {
/* A list's end points into the arena, or is NULL while the list is empty. */
static void append_word(struct scn_list *l, struct scn_word *w)
{
	if (l->first)
		*l->end = w;
	else
		l->first = w;
	l->end = &w->next;
}

static void append_stmt(struct scn_stmts *l, struct scn_stmt *s)
{
	if (!s)
		return;
	if (l->first)
		*l->end = s;
	else
		l->first = s;
	l->end = &s->next;
}
}

%token T_NEWLINE "the end of the line"
%token T_SCENARIO "'scenario'"
%token T_PARALLEL "'parallel'"
%token T_REPEAT "'repeat'"
%token T_FOR "'for'"
%token T_IN "'in'"
%token T_AS "'as'"
%token T_IF "'if'"
%token T_ELSE "'else'"
%token T_DEFINE "'define'"
%token T_LET "'let'"
%token T_INCLUDE "'include'"
%token <word> T_WORD "a word"
%token <word> T_STRING "a string"
%token <word> T_COMPARE "a comparison"
%token <word> T_ARITH "an operator"
%token YYEOF 0 "the end of the file"

%type <word> value item
%type <words> items results values names arguments expression
%type <stmts> lines
%type <stmt> line block else

%%

file:
	lines YYEOF		{ reader->result = $1.first; }
	;

lines:
	%empty			{ $$.first = NULL; $$.end = NULL; }
|	lines line		{ $$ = $1; append_stmt(&$$, $2); }
	;

line:
	T_NEWLINE		{ $$ = NULL; }
|	T_WORD items T_NEWLINE {
		$1->next = $2.first;
		$$ = statement(reader, SCN_COMMAND, &@1, NULL, $1);
	}
|	T_WORD items '=' results T_NEWLINE {
		$1->next = $2.first;
		$$ = statement(reader, SCN_COMMAND, &@1, NULL, $1);
		$$->has_results = true;
		$$->results = $4.first;
	}
|	T_WORD ':' T_WORD items T_NEWLINE {
		$3->next = $4.first;
		$$ = statement(reader, SCN_COMMAND, &@1, $1, $3);
	}
|	T_WORD ':' T_WORD items '=' results T_NEWLINE {
		$3->next = $4.first;
		$$ = statement(reader, SCN_COMMAND, &@1, $1, $3);
		$$->has_results = true;
		$$->results = $6.first;
	}
|	T_WORD '(' arguments ')' T_NEWLINE {
		$$ = statement(reader, SCN_CALL, &@1, $1, $3.first);
	}
|	T_LET T_WORD '=' expression T_NEWLINE {
		$$ = statement(reader, SCN_LET, &@1, $2, $4.first);
	}
|	T_INCLUDE T_STRING T_NEWLINE {
		$$ = statement(reader, SCN_INCLUDE, &@1, NULL, $2);
		$$->body = include(reader, $2);
	}
|	T_DEFINE T_WORD '(' names ')' block T_NEWLINE {
		$$ = statement(reader, SCN_DEFINE, &@1, $2, $4.first);
		$$->body = $6;
	}
|	T_REPEAT value block T_NEWLINE {
		$$ = statement(reader, SCN_REPEAT, &@1, NULL, $2);
		$$->body = $3;
	}
|	T_REPEAT value T_AS T_WORD block T_NEWLINE {
		$$ = statement(reader, SCN_REPEAT, &@1, $4, $2);
		$$->body = $5;
	}
|	T_FOR T_WORD T_IN values block T_NEWLINE {
		$$ = statement(reader, SCN_FOR, &@1, $2, $4.first);
		$$->body = $5;
	}
|	T_IF value T_COMPARE value block else T_NEWLINE {
		$2->next = $3;
		$3->next = $4;
		$$ = statement(reader, SCN_IF, &@1, NULL, $2);
		$$->body = $5;
		$$->other = $6;
	}
|	T_PARALLEL block T_NEWLINE {
		$$ = statement(reader, SCN_PARALLEL, &@1, NULL, NULL);
		$$->body = $2;
	}
|	T_SCENARIO T_STRING block T_NEWLINE {
		$$ = statement(reader, SCN_SCENARIO, &@1, NULL, $2);
		$$->body = $3;
	}
|	error T_NEWLINE		{ $$ = NULL; yyerrok; }
	;

block:
	'{' lines '}'		{ $$ = $2.first; }
	;

else:
	%empty			{ $$ = NULL; }
|	T_ELSE block		{ $$ = $2; }
	;

items:
	%empty			{ $$.first = NULL; $$.end = NULL; }
|	items item		{ $$ = $1; append_word(&$$, $2); }
	;

item:
	value
|	T_COMPARE
	;

results:
	item			{ $$.first = NULL; append_word(&$$, $1); }
|	results item		{ $$ = $1; append_word(&$$, $2); }
	;

value:
	T_WORD
|	T_STRING
	;

values:
	value			{ $$.first = NULL; append_word(&$$, $1); }
|	values ',' value	{ $$ = $1; append_word(&$$, $3); }
	;

arguments:
	%empty			{ $$.first = NULL; $$.end = NULL; }
|	values
	;

names:
	%empty			{ $$.first = NULL; $$.end = NULL; }
|	T_WORD			{ $$.first = NULL; append_word(&$$, $1); }
|	names ',' T_WORD	{ $$ = $1; append_word(&$$, $3); }
	;

expression:
	value			{ $$.first = NULL; append_word(&$$, $1); }
|	expression T_ARITH value {
		$$ = $1;
		append_word(&$$, $2);
		append_word(&$$, $3);
	}
	;

%%

typedef void *yyscan_t;
int scn_yylex_init_extra(struct scn_reader *extra, yyscan_t *scanner);
int scn_yylex_destroy(yyscan_t scanner);
struct yy_buffer_state *scn_yy_scan_bytes(const char *bytes, int length,
					  yyscan_t scanner);

void scn_reader_open(struct scn_reader *r, const struct scn_loc *loc)
{
	if (r->n_open < (int)ARRAY_SIZE(r->open))
		r->open[r->n_open] = *loc;
	r->n_open++;
}

void scn_reader_close(struct scn_reader *r)
{
	if (r->n_open)
		r->n_open--;
}

/* Of bison itself: no memory, or too deep. */
static void scn_yyerror(const YYLTYPE *loc, void *scanner,
			struct scn_reader *r, const char *text)
{
	(void)scanner;
	scn_error(r->file, loc,
		  "expected less nesting, got '%s'; make parts of it definitions",
		  text);
}

/* What to do about a token that does not belong where it is. */
static const char *advice(struct scn_reader *r, int got, bool line_end,
			  bool block, char *room, size_t size)
{
	if (got == YYSYMBOL_YYEOF && r->n_open) {
		const struct scn_loc *o =
			&r->open[r->n_open < (int)ARRAY_SIZE(r->open) ?
				 r->n_open - 1 : (int)ARRAY_SIZE(r->open) - 1];

		snprintf(room, size,
			 "close with '}' the block that begins at line %d, column %d",
			 o->line, o->column);
		return room;
	}
	if (got == YYSYMBOL_YYEOF)
		return "end the last line";
	if (got >= YYSYMBOL_T_SCENARIO && got <= YYSYMBOL_T_INCLUDE)
		return line_end ? "begin it on a line of its own" :
		       "it is a word of the language: put it in \"quotes\" to mean a name";
	if (got == YYSYMBOL_T_NEWLINE)
		return block ? "put the '{' on the line of its statement" :
			       "complete the line, or end it with '\\' to go on in the next";
	if (line_end)
		return "put what follows on a line of its own";
	return "see refobj-scenario(5)";
}

static int yyreport_syntax_error(const yypcontext_t *context, void *scanner,
				 struct scn_reader *r)
{
	enum { MOST = 8 };
	yysymbol_kind_t expected[MOST], got = yypcontext_token(context);
	int n = yypcontext_expected_tokens(context, expected, MOST), i;
	bool line_end = false, block = false;
	char list[256] = "", room[96], token[48];
	size_t length = 0;

	(void)scanner;
	for (i = 0; i < n; i++) {
		line_end |= expected[i] == YYSYMBOL_T_NEWLINE;
		block |= n == 1 && !strcmp(yysymbol_name(expected[i]), "'{'");
		length += snprintf(list + length, sizeof(list) - length, "%s%s",
				   !i ? "" : i < n - 1 ? ", " : " or ",
				   yysymbol_name(expected[i]));
		if (length >= sizeof(list))
			break;
	}
	if (!n)
		snprintf(list, sizeof(list), "%s", "the beginning of a statement");
	if (got == YYSYMBOL_YYEOF || got == YYSYMBOL_T_NEWLINE)
		snprintf(token, sizeof(token), "%s", yysymbol_name(got));
	else
		snprintf(token, sizeof(token), "'%.*s'",
			 r->got_length < 40 ? r->got_length : 40, r->got);
	scn_error(r->file, yypcontext_location(context),
		  "expected %s, got %s; %s", list, token,
		  advice(r, got, line_end, block, room, sizeof(room)));
	return 0;
}

/*
 * The arena
 */
struct scn_chunk {
	struct scn_chunk *next;
	max_align_t data[];
};

void *scn_alloc(struct scn_file *file, size_t size)
{
	struct scn_chunk *c = calloc(1, sizeof(*c) + size);

	if (!c)
		abort();
	c->next = file->chunks;
	file->chunks = c;
	return c->data;
}

char *scn_strndup(struct scn_file *file, const char *s, size_t n)
{
	char *copy = scn_alloc(file, n + 1);

	memcpy(copy, s, n);
	return copy;
}

char *scn_printf(struct scn_file *file, const char *fmt, ...)
{
	va_list args;
	char *text, *copy;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	copy = scn_strndup(file, text, strlen(text));
	free(text);
	return copy;
}

void scn_error(struct scn_file *file, const struct scn_loc *loc,
	       const char *fmt, ...)
{
	va_list args;
	char *text;

	if (file->errors++ >= SCN_ERRORS_MAX || !file->errors_to)
		return;
	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	fprintf(file->errors_to, "%s:%d:%d: %s\n", loc->file, loc->line,
		loc->column, text);
	free(text);
	if (file->errors == SCN_ERRORS_MAX)
		fprintf(file->errors_to, "%s: more errors are not shown\n",
			loc->file);
}

void scn_free(struct scn_file *file)
{
	struct scn_chunk *c, *next;

	if (!file)
		return;
	for (c = file->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	free(file);
}

static struct scn_stmt *read_text(struct scn_file *file, const char *name,
				  const char *text, size_t size, int depth)
{
	struct scn_reader reader = {
		.file = file,
		.name = scn_strndup(file, name, strlen(name)),
		.line = 1, .column = 1, .depth = depth,
	};
	void *scanner;
	char *copy;

	/* the last line may lack its end */
	copy = malloc(size + 1);
	if (!copy)
		abort();
	memcpy(copy, text, size);
	if (size && copy[size - 1] != '\n')
		copy[size++] = '\n';
	if (scn_yylex_init_extra(&reader, &scanner))
		abort();
	scn_yy_scan_bytes(copy, size, scanner);
	scn_yyparse(scanner, &reader);
	scn_yylex_destroy(scanner);
	free(copy);
	return reader.result;
}

/* The whole of a file, to be freed; NULL with errno. */
static char *slurp(const char *path, size_t *size)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	char *text;

	if (!f)
		return NULL;
	if (fstat(fileno(f), &st) || !S_ISREG(st.st_mode) ||
	    st.st_size > SCN_FILE_MAX) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EFBIG;
		fclose(f);
		return NULL;
	}
	text = malloc(st.st_size + 1);
	if (!text)
		abort();
	*size = fread(text, 1, st.st_size, f);
	fclose(f);
	return text;
}

static struct scn_stmt *include(struct scn_reader *r, struct scn_word *path)
{
	const char *slash = strrchr(r->name, '/');
	struct scn_stmt *body;
	char *name, *text;
	size_t size;

	if (r->depth >= SCN_DEPTH_MAX) {
		scn_error(r->file, &path->loc,
			  "expected at most %d files that include each other, got one more; does a file include itself?",
			  SCN_DEPTH_MAX);
		return NULL;
	}
	name = *path->text == '/' || !slash ?
		scn_printf(r->file, "%s", path->text) :
		scn_printf(r->file, "%.*s%s", (int)(slash - r->name + 1),
			   r->name, path->text);
	/* a text without a file includes nothing */
	text = *r->name == '<' ? NULL : slurp(name, &size);
	if (!text) {
		scn_error(r->file, &path->loc,
			  "expected a file that can be read, got '%s': %s; the path counts from the folder of this file",
			  name, *r->name == '<' ? "no files here" :
			  strerror(errno));
		return NULL;
	}
	body = read_text(r->file, name, text, size, r->depth + 1);
	free(text);
	return body;
}

struct scn_file *scn_read_text(const char *name, const char *text, size_t size,
			       FILE *errors_to)
{
	struct scn_file *file = calloc(1, sizeof(*file));

	if (!file)
		abort();
	file->errors_to = errors_to;
	file->statements = read_text(file, name, text, size, 0);
	return file;
}

struct scn_file *scn_read(const char *path, FILE *errors_to)
{
	struct scn_file *file;
	size_t size;
	char *text = slurp(path, &size);

	if (!text)
		return NULL;
	file = scn_read_text(path, text, size, errors_to);
	free(text);
	return file;
}
