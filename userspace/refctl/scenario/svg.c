// SPDX-License-Identifier: GPL-2.0-only
/*
 * A picture of what happened: a lane for each actor, with its steps and the
 * events it was told, in the order in which they ended, and below them the users
 * of each object as a curve of steps.
 */
#include <inttypes.h>

#include "scenario.h"

#define LEFT	140	/* of the first mark */
#define STEP	30	/* from mark to mark */
#define LANE	34
#define CURVE	46	/* height of a curve with its margin */
#define LABELS	170	/* above the lanes, for what is written slanted */

static const char style[] =
	"text { font: 11px sans-serif }\n"
	".t { font-weight: bold; font-size: 13px }\n"
	".l { stroke: #ccc }\n"
	".s { fill: #3465a4 }\n"
	".e { fill: #c17d11 }\n"
	".k, .f { fill: #cc0000 }\n"
	".u { fill: none; stroke: #4e9a06; stroke-width: 2 }\n";

static void put_text(FILE *to, const char *s, int most)
{
	for (; *s && most--; s++) {
		switch (*s) {
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '&':
			fputs("&amp;", to);
			break;
		default:
			/* XML has no other control characters */
			putc((unsigned char)*s < ' ' ? ' ' : *s, to);
		}
	}
}

static void draw_mark(FILE *to, const struct scn_mark *m, int x, int top, int y)
{
	fprintf(to, "<g><title>%" PRId64 ".%03" PRId64 " ms  ",
		m->ns / 1000000, m->ns / 1000 % 1000);
	put_text(to, m->text, -1);
	if (*m->result) {
		fputs(" -&gt; ", to);
		put_text(to, m->result, -1);
	}
	fputs("</title>", to);
	switch (m->kind) {
	case SCN_MARK_EVENT:
		fprintf(to, "<path class=\"e\" d=\"M%d %dl6 6l-6 6l-6 -6z\"/>", x,
			y - 6);
		break;
	case SCN_MARK_END:
		fprintf(to, "<path class=\"k\" d=\"M%d %dh4v12h-4z\"/>", x - 2,
			y - 6);
		break;
	default:
		fprintf(to, "<circle class=\"s\" cx=\"%d\" cy=\"%d\" r=\"5\"/>", x,
			y);
	}
	fprintf(to, "<text transform=\"translate(%d,%d) rotate(-60)\">", x + 4,
		top - 6);
	put_text(to, m->text, 28);
	fputs("</text></g>\n", to);
}

static void draw_curve(FILE *to, const struct scn_mark *marks, int n, int which,
		       const char *name, int y)
{
	uint32_t most = 1, last = 0;
	int i, height = CURVE - 16;

	for (i = 0; i < n; i++)
		if (marks[i].users[which] > most)
			most = marks[i].users[which];
	fprintf(to, "<text x=\"8\" y=\"%d\">", y);
	put_text(to, name, 20);
	fprintf(to, ": %u</text><path class=\"u\" d=\"M%d %d", most, LEFT, y);
	for (i = 0; i < n; i++) {
		if (i && marks[i].users[which] == last)
			continue;
		last = marks[i].users[which];
		fprintf(to, "H%dV%d", LEFT + i * STEP,
			y - (int)((uint64_t)last * height / most));
	}
	fprintf(to, "H%d\"/>\n", LEFT + n * STEP);
}

void scn_draw(FILE *to, struct scn_size *size, const struct scn_scenario *s,
	      const struct scn_mark *marks, int n, const char *message)
{
	int curves = s->n_objects < SCN_CURVES ? s->n_objects : SCN_CURVES;
	int top = size->height + 24 + LABELS, y, i;
	int width = LEFT + (n + 1) * STEP + LABELS;

	fprintf(to, "<text class=\"t\" x=\"8\" y=\"%d\">", size->height + 18);
	put_text(to, s->title, -1);
	fputs("</text>\n", to);
	for (i = 0; i < s->n_actors; i++) {
		y = top + i * LANE + LANE / 2;
		fprintf(to, "<text x=\"8\" y=\"%d\">", y + 4);
		put_text(to, s->actors[i].name, 20);
		fprintf(to,
			"</text><line class=\"l\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n",
			LEFT, y, LEFT + n * STEP, y);
	}
	for (i = 0; i < n; i++)
		draw_mark(to, &marks[i], LEFT + i * STEP, top,
			  top + marks[i].actor * LANE + LANE / 2);
	y = top + s->n_actors * LANE;
	for (i = 0; i < curves; i++) {
		y += CURVE;
		draw_curve(to, marks, n, i, s->objects[i].name, y);
	}
	if (message) {
		y += 24;
		fprintf(to, "<text class=\"f\" x=\"8\" y=\"%d\">", y);
		put_text(to, message, -1);
		fputs("</text>\n", to);
	}
	size->height = y + 24;
	if (width > size->width)
		size->width = width;
}

void scn_draw_all(FILE *to, const struct scn_size *size, const char *drawn)
{
	fprintf(to,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\">\n<style>\n%s</style>\n%s</svg>\n",
		size->width, size->height, style, drawn);
}
