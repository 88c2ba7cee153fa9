// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <mntent.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "util.h"

#define NSEC_PER_SEC	1000000000ULL

const char *current_verb;

static void out_of_memory(void)
{
	fputs("refctl: out of memory\n", stderr);
	exit(EXIT_FAILED);
}

void *xrealloc(void *ptr, size_t n, size_t size)
{
	ptr = reallocarray(ptr, n, size);
	if (!ptr)
		out_of_memory();
	return ptr;
}

char *xstrdup(const char *s)
{
	char *copy = strdup(s);

	if (!copy)
		out_of_memory();
	return copy;
}

char *xprintf(const char *fmt, ...)
{
	va_list args;
	char *s;

	va_start(args, fmt);
	if (vasprintf(&s, fmt, args) < 0)
		out_of_memory();
	va_end(args);
	return s;
}

static void complain_prefix(const char *subject)
{
	fputs("refctl: ", stderr);
	if (current_verb)
		fprintf(stderr, "%s: ", current_verb);
	if (subject)
		fprintf(stderr, "%s: ", escape(subject));
}

void complain(const char *subject, const char *fmt, ...)
{
	va_list args;

	complain_prefix(subject);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

/* What an errno of the device means to a person, and what to do about it. */
static const struct advice {
	int err;
	const char *name;
	const char *what;
	const char *todo;
} advices[] = {
	{ ENOENT, "ENOENT", "no such object",
	  "list those you may see: refctl ls" },
	{ ESTALE, "ESTALE", "the object has died",
	  "list those you may see: refctl ls" },
	{ EACCES, "EACCES", "permission denied",
	  "ask its owner, or run refctl as its owner or as root" },
	{ EEXIST, "EEXIST", "an object of this name exists already",
	  "look at it with refctl show, or take another name" },
	{ EPROTOTYPE, "EPROTOTYPE", "the object has another type",
	  "look at it with refctl show" },
	{ ERANGE, "ERANGE", "more than is held",
	  "see what is held: refctl holders" },
	{ EOVERFLOW, "EOVERFLOW", "the object would have too many users",
	  "see who holds how many: refctl holders" },
	{ EDQUOT, "EDQUOT", "a quota of your uid is used up",
	  "see which: refctl doctor; release something, or have root raise it" },
	{ EPERM, "EPERM", "this needs a reference that is not held",
	  "hold the object: refctl hold" },
	{ EAGAIN, "EAGAIN", "nobody uses the object",
	  "try again when it is in use" },
	{ EBUSY, "EBUSY", "in use",
	  "it can be removed once its holders release it or exit" },
	{ EINVAL, "EINVAL", "the kernel does not take this value",
	  "names, types and reasons are printable UTF-8, names and types without '/'" },
	{ ENAMETOOLONG, "ENAMETOOLONG", "too long",
	  "names and reasons have at most 63 bytes, types 31" },
	{ ENOMEM, "ENOMEM", "the kernel has no memory for this",
	  "free some, or raise the memory limit of your cgroup" },
	{ ENOTTY, "ENOTTY", "the device does not know this command",
	  "library and module may not match: refctl doctor" },
	{ EOPNOTSUPP, "EOPNOTSUPP", "this module does not know an option used",
	  "library and module may not match: refctl doctor" },
	{ E2BIG, "E2BIG", "this module is older than the library",
	  "see both versions: refctl doctor" },
	{ ELOOP, "ELOOP", "it would need itself",
	  "look at what needs what: refctl tree" },
	{ EOWNERDEAD, "EOWNERDEAD", "the session has ended with its owner",
	  "open another one" },
	{ ENODATA, "ENODATA", "the object has no file",
	  "give it one: refctl publish" },
	{ EPROTO, "EPROTO", "the object's file is not sealed",
	  "ask its builder" },
};

static const struct advice *find_advice(int err)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(advices); i++)
		if (advices[i].err == abs(err))
			return &advices[i];
	return NULL;
}

void complain_errno(const char *subject, int err, const char *detail)
{
	const struct advice *a = find_advice(err);

	complain_prefix(subject);
	fputs(a ? a->what : strerror(abs(err)), stderr);
	if (detail)
		fprintf(stderr, " (%s)", detail);
	fprintf(stderr, ": %s\n", a ? a->todo : "run: refctl doctor");
}

const char *errno_name(int err)
{
	const struct advice *a = find_advice(err);

	return a ? a->name : strerrorname_np(abs(err));
}

/* The length of the character at @s, or 0 if it is not UTF-8. */
static size_t utf8_decode(const char *s, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *u = (const unsigned char *)s;
	size_t len, i;

	if (*u < 0x80) {
		*c = *u;
		return 1;
	}
	len = *u >= 0xf0 ? 4 : *u >= 0xe0 ? 3 : 2;
	if (*u < 0xc0 || *u > 0xf7)
		return 0;
	*c = *u & (0x7f >> len);
	for (i = 1; i < len; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (u[i] & 0x3f);
	}
	if (*c < least[len] || *c > 0x10ffff || (*c >= 0xd800 && *c <= 0xdfff))
		return 0;
	return len;
}

/* What the kernel takes in a string, besides the '/' of names. */
static bool printable(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c <= 0x9f))
		return false;
	/* line and paragraph separators, bidirectional controls, byte order */
	if (c == 0x061c || c == 0xfeff || c == 0x200e || c == 0x200f ||
	    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
		return false;
	return (c & 0xfffe) != 0xfffe && (c < 0xfdd0 || c > 0xfdef);
}

const char *escape(const char *s)
{
	static char *ring[4];
	static unsigned int next;
	char **slot = &ring[next++ % ARRAY_SIZE(ring)];
	mbstate_t state = { 0 };
	char *out;

	out = xrealloc(*slot, strlen(s) + 1, 4);
	*slot = out;
	while (*s) {
		size_t len;
		wchar_t wc;
		uint32_t c;

		len = mbrtowc(&wc, s, MB_CUR_MAX, &state);
		if (len == (size_t)-1 || len == (size_t)-2) {
			memset(&state, 0, sizeof(state));
			len = 0;
		}
		if (len && iswprint((wint_t)wc) && utf8_decode(s, &c) == len &&
		    printable(c)) {
			memcpy(out, s, len);
			out += len;
			s += len;
		} else {
			if (!len)
				len = 1;
			for (; len; len--)
				out += sprintf(out, "\\x%02x",
					       (unsigned char)*s++);
		}
	}
	*out = '\0';
	return *slot;
}

char *utf8_clean(const char *s)
{
	char *copy = xrealloc(NULL, strlen(s) + 1, 3), *out = copy;

	while (*s) {
		uint32_t c;
		size_t len = utf8_decode(s, &c);

		if (len) {
			out = mempcpy(out, s, len);
			s += len;
		} else {
			out = mempcpy(out, "\xef\xbf\xbd", 3);
			s++;
		}
	}
	*out = '\0';
	return copy;
}

void utf8_printable(char *dst, size_t size, const char *s)
{
	char *end = dst + size - 1;

	while (*s) {
		uint32_t c;
		size_t len = utf8_decode(s, &c);
		bool good = len && printable(c);

		if (dst + (good ? len : 1) > end)
			break;
		if (good)
			dst = mempcpy(dst, s, len);
		else
			*dst++ = '?';
		s += len ? len : 1;
	}
	*dst = '\0';
}

uint64_t host_clock(clockid_t clock)
{
	const char *wanted = clock == CLOCK_BOOTTIME ? "boottime" : "monotonic";
	struct timespec now;
	int64_t ns, seconds, nanoseconds;
	char name[16];
	FILE *file;

	clock_gettime(clock, &now);
	ns = (int64_t)(now.tv_sec * NSEC_PER_SEC + now.tv_nsec);
	file = fopen("/proc/self/timens_offsets", "re");
	if (!file)
		return ns;
	while (fscanf(file, "%15s %" SCNd64 " %" SCNd64, name, &seconds,
		      &nanoseconds) == 3)
		if (!strcmp(name, wanted))
			ns -= seconds * (int64_t)NSEC_PER_SEC + nanoseconds;
	fclose(file);
	return ns;
}

char *relative_time(uint64_t ns)
{
	const uint64_t minute = 60, hour = 60 * minute, day = 24 * hour;
	uint64_t seconds = ns / NSEC_PER_SEC;

	if (seconds < minute)
		return xprintf("%" PRIu64 "s", seconds);
	if (seconds < hour)
		return xprintf("%" PRIu64 "m", seconds / minute);
	if (seconds < 2 * day)
		return xprintf("%" PRIu64 "h", seconds / hour);
	return xprintf("%" PRIu64 "d", seconds / day);
}

char *owner_name(uint32_t uid)
{
	static char *last;
	static uint32_t last_uid;
	struct passwd *pw;

	/* one look-up for a table of a thousand rows of one owner */
	if (!last || uid != last_uid) {
		pw = getpwuid(uid);
		free(last);
		last = pw ? xstrdup(pw->pw_name) : xprintf("%" PRIu32, uid);
		last_uid = uid;
	}
	return xstrdup(last);
}

bool parse_number(const char *s, int base, uint64_t min, uint64_t max,
		  uint64_t *value)
{
	unsigned long long n;
	char *end;

	/* strtoull takes signs and blanks, which no number here has */
	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	n = strtoull(s, &end, base);
	if (errno || *end || n < min || n > max)
		return false;
	*value = n;
	return true;
}

bool parse_age(const char *s, uint64_t *ns)
{
	static const struct {
		char letter;
		uint32_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	size_t len = strlen(s), i;
	uint32_t unit = 1;
	char *digits;
	bool good;

	for (i = 0; i < ARRAY_SIZE(units) && len; i++) {
		if (s[len - 1] == units[i].letter) {
			unit = units[i].seconds;
			len--;
			break;
		}
	}
	digits = xprintf("%.*s", (int)len, s);
	/* a million days is as long as anything has been held */
	good = parse_number(digits, 10, 0, 86400000000ULL / unit, ns);
	if (good)
		*ns *= unit * NSEC_PER_SEC;
	free(digits);
	return good;
}

bool parse_seconds(const char *s, int64_t *ms)
{
	uint64_t whole, thousandth = 100;
	const char *point = strchr(s, '.');
	char *digits = xprintf("%.*s", (int)strcspn(s, "."), s);
	bool good;

	/* a thousand years are enough */
	good = parse_number(digits, 10, 0, 1000ULL * 366 * 86400, &whole) &&
	       (!point || point[1]);
	free(digits);
	if (!good)
		return false;
	*ms = (int64_t)whole * 1000;
	while (point && *++point) {
		if (*point < '0' || *point > '9')
			return false;
		if (thousandth)
			*ms += (*point - '0') * (int64_t)thousandth;
		else if (*point != '0' && !(*ms % 1000))
			*ms += 1;
		thousandth /= 10;
	}
	return true;
}

bool colours_wanted(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) &&
	       term && *term && strcmp(term, "dumb") != 0;
}

const char *debugfs_path(void)
{
	static char path[256];
	struct mntent *m;
	FILE *mounts;

	mounts = setmntent("/proc/self/mounts", "re");
	if (!mounts)
		return NULL;
	while ((m = getmntent(mounts)))
		if (!strcmp(m->mnt_type, "debugfs"))
			break;
	if (m)
		snprintf(path, sizeof(path), "%s", m->mnt_dir);
	endmntent(mounts);
	return m ? path : NULL;
}

char *read_line(const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (!file)
		return NULL;
	len = getline(&line, &size, file);
	fclose(file);
	if (len < 0) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\n")] = '\0';
	return line;
}
