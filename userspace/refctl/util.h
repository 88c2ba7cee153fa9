/* SPDX-License-Identifier: GPL-2.0-only */
/* What every verb needs: messages, escapes, and the clocks of the kernel. */
#ifndef REFCTL_UTIL_H
#define REFCTL_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Documented in the help. */
enum {
	EXIT_OK		= 0,
	EXIT_FAILED	= 1,
	EXIT_USAGE	= 2,
	/* of verbs that may time out: */
	EXIT_TIMEOUT	= 2,
	EXIT_USAGE_TIMEOUT = 3,
	/* of verbs that run a command, as of env(1) and timeout(1): */
	EXIT_HOLD	= 125,
	EXIT_NOEXEC	= 126,
	EXIT_NOCOMMAND	= 127,
	EXIT_SIGNAL	= 128,
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A library call that a stop and continue of the tool may interrupt. */
#define RETRY(call)						\
	__extension__({						\
		__typeof__(call) _ret;				\
								\
		do {						\
			_ret = (call);				\
		} while (_ret == -EINTR);			\
		_ret;						\
	})

/* What kernel code has in its compiler headers. */
#ifndef __printf
#define __printf(a, b)	__attribute__((format(printf, a, b)))
#endif

/* Memory or the end of the program. */
void *xrealloc(void *ptr, size_t n, size_t size);
char *xstrdup(const char *s);
char *xprintf(const char *fmt, ...) __printf(1, 2);

/* The verb that runs, as messages name it; NULL before it is known. */
extern const char *current_verb;

/* "refctl: VERB: SUBJECT: what": SUBJECT may be NULL. */
void complain(const char *subject, const char *fmt, ...) __printf(2, 3);

/*
 * The same for an errno (positive or negative): what it means here, the detail
 * in parentheses (or NULL), and what to do about it.
 */
void complain_errno(const char *subject, int err, const char *detail);

/* The short name of an errno that the kernel documents, such as "EBUSY". */
const char *errno_name(int err);

/*
 * @s with everything that a terminal might not print as \xNN. The result lives
 * until the fourth call after this one.
 */
const char *escape(const char *s);

/*
 * A copy, to be freed, that is valid UTF-8: what is not becomes U+FFFD.
 */
char *utf8_clean(const char *s);

/*
 * Copies @s to @dst of @size bytes as the kernel accepts a reason: printable
 * UTF-8 ('?' for the rest), cut between characters.
 */
void utf8_printable(char *dst, size_t size, const char *s);

/* Nanoseconds of @clock as the host sees it, outside any time namespace. */
uint64_t host_clock(clockid_t clock);

/* "3s", "5m", "2h", "3d", to be freed. */
char *relative_time(uint64_t ns);

/* "root", or the number for a uid without a name; to be freed. */
char *owner_name(uint32_t uid);

/* A whole number from @min to @max, all of @s. */
bool parse_number(const char *s, int base, uint64_t min, uint64_t max,
		  uint64_t *value);

/* Seconds, possibly with a fraction, as milliseconds, rounded up. */
bool parse_seconds(const char *s, int64_t *ms);

/* "90", "90s", "5m", "2h", "3d", as nanoseconds. */
bool parse_age(const char *s, uint64_t *ns);

/* Colours: on a terminal, and not refused by NO_COLOR or TERM=dumb. */
bool colours_wanted(void);

/* The mount point of debugfs, or NULL; lives until the next call. */
const char *debugfs_path(void);

/* The first line of a file without its newline, to be freed, or NULL. */
char *read_line(const char *path);

#endif /* REFCTL_UTIL_H */
