// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fuzzer of /dev/refobj, guided by the coverage that KCOV gives; see usage().
 *
 * A program is a short list of calls: each has an operation and fields, and a
 * field that is zero asks for what is usual. Objects and descriptors are named
 * by slots, so that what one call gave is what a later one uses. A program that
 * passes edges of the module's code that none passed before joins the corpus,
 * of which new programs are made.
 *
 * Before it runs, a program is written as text to where the host can read it
 * when the kernel has died of it; this text is also what the corpus is kept in.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/io_uring.h>
#include <linux/kcov.h>
#include <linux/refobj.h>

#include "seeds.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define DEVICE		"/dev/refobj"
#define DEBUGFS		"/sys/kernel/debug/refobj/"
#define PARAMETERS	"/sys/module/refobj/parameters/"

#define CALLS		32	/* of a program, at most */
#define SLOTS		8	/* for descriptors, and for ids */
#define CHILDREN	4	/* of a program */
#define CROWD		160	/* sessions that one call opens, at most */
#define QUOTAS		5	/* parameters */
#define WORKERS		16
#define RECENT		8	/* programs of a worker that the record keeps */
#define CORPUS		8192
#define EDGES		(1 << 16)
#define COVER		(1 << 14)	/* points of one call */
#define ROOM		(1 << 16)	/* for records of HOLDERS */
#define GAP		(1 << 24)	/* more than those could fill */
#define RING		8		/* submissions of a ring */

/*
 * Programs
 */

enum op {
	INFO, CREATE, ATTACH, LOOKUP, ACQUIRE, RELEASE, RELEASE_ALL, STAT, HOLDERS,
	DESTROY, SET_WHY, WATCH, WAIT, PUBLISH, SET_PAYLOAD, GET_PAYLOAD, SET_VALUE, GET_VALUE,
	LINK, UNLINK, EXPORT, IMPORT, ADOPT, SUBMIT, RAW, OPEN, CLOSE, DUP, SEND, RECV, POKE,
	FDINFO, DEBUGFS_READ, QUOTA, CROWD_IN, FORK, ALARM, SLEEP, READ, OPS,

	LAST_COMMAND = SUBMIT,
};

struct call {
	uint8_t op;
	uint8_t fd;	/* slot of the descriptor */
	uint8_t to;	/* slot of another */
	uint8_t id;	/* slot of the id, or see resolve() */
	uint8_t size;	/* see sizes[] */
	uint8_t ptr;	/* see enum ptr */
	uint8_t name;	/* see texts[] */
	uint8_t type;	/* see texts[] */
	uint8_t async;	/* by the other thread */
	uint8_t fail;	/* the how manieth allocation, or copy, fails */
	uint8_t uring;	/* by io_uring; see enum uring */
	uint32_t n;
	uint32_t m;
	uint32_t flags;
	uint32_t times;
	uint64_t x;	/* damage: where in the structure, and what (from bit 16) */
};

struct program {
	uint32_t calls;
	struct call call[CALLS + 1];	/* the last is for exchanging two */
};

enum field {
	FD = 1 << 0, TO = 1 << 1, ID = 1 << 2, SIZE = 1 << 3, PTR = 1 << 4,
	NAME = 1 << 5, TYPE = 1 << 6, ASYNC = 1 << 7, FAIL = 1 << 8, N = 1 << 9,
	M = 1 << 10, FLAGS = 1 << 11, TIMES = 1 << 12, URING = 1 << 13, X = 1 << 14,
	TEXT = NAME | TYPE,
	IOCTL = FD | SIZE | PTR | ASYNC | FAIL | TIMES | X,
	NEW = IOCTL | ID | TO | TEXT | N | M | FLAGS,
	PAYLOAD = IOCTL | ID | TO | M | FLAGS,
};

#define FIELD(name)	{ #name, offsetof(struct call, name), sizeof(((struct call *)0)->name) }
static const struct {
	const char *name;
	size_t offset;
	size_t bytes;
} fields[] = {
	FIELD(fd), FIELD(to), FIELD(id), FIELD(size), FIELD(ptr), FIELD(name), FIELD(type),
	FIELD(async), FIELD(fail), FIELD(uring), FIELD(n), FIELD(m), FIELD(flags), FIELD(times),
	FIELD(x),
};

#define COMMAND(name, least) \
	REFOBJ_IOC_##name, least
static const struct {
	const char *name;
	unsigned int fields;
	unsigned int weight;
	unsigned int cmd;
	unsigned int least;	/* size of the structure in its first version */
} ops[OPS] = {
	[INFO]		= { "info", IOCTL, 2, COMMAND(INFO, 104) },
	[CREATE]	= { "create", NEW, 8, COMMAND(CREATE, 120) },
	[ATTACH]	= { "attach", NEW, 12, COMMAND(ATTACH, 128) },
	[LOOKUP]	= { "lookup", IOCTL | ID | TEXT | FLAGS, 4, COMMAND(LOOKUP, 112) },
	[ACQUIRE]	= { "acquire", IOCTL | URING | ID | TYPE | N | M | FLAGS, 9,
			    COMMAND(ACQUIRE, 24) },
	[RELEASE]	= { "release", IOCTL | URING | ID | N | M | FLAGS, 10,
			    COMMAND(RELEASE, 24) },
	[RELEASE_ALL]	= { "release_all", IOCTL | ID | FLAGS, 4, COMMAND(RELEASE_ALL, 16) },
	[STAT]		= { "stat", IOCTL | ID | M | FLAGS, 5, COMMAND(STAT, 176) },
	[HOLDERS]	= { "holders", IOCTL | ID | N | M | TO | FLAGS, 6, COMMAND(HOLDERS, 48) },
	[DESTROY]	= { "destroy", IOCTL | ID | FLAGS, 5, COMMAND(DESTROY, 16) },
	[SET_WHY]	= { "set_why", IOCTL | ID | NAME | FLAGS, 5, COMMAND(SET_WHY, 80) },
	[WATCH]		= { "watch", IOCTL | ID | N | M | FLAGS, 8, COMMAND(WATCH, 32) },
	[WAIT]		= { "wait", IOCTL | URING | ID | TO | NAME | N | M | FLAGS, 7,
			    COMMAND(WAIT, 32) },
	[PUBLISH]	= { "publish", PAYLOAD | URING, 4, COMMAND(PUBLISH, 24) },
	[SET_PAYLOAD]	= { "set_payload", PAYLOAD, 4, COMMAND(SET_PAYLOAD, 24) },
	[GET_PAYLOAD]	= { "get_payload", PAYLOAD, 3, COMMAND(GET_PAYLOAD, 24) },
	[SET_VALUE]	= { "set_value", IOCTL | ID | N | M | FLAGS, 5, COMMAND(SET_VALUE, 40) },
	[GET_VALUE]	= { "get_value", IOCTL | ID | N | M | FLAGS, 3, COMMAND(GET_VALUE, 40) },
	[LINK]		= { "link", IOCTL | ID | TO | FLAGS, 7, COMMAND(LINK, 24) },
	[UNLINK]	= { "unlink", IOCTL | ID | TO | FLAGS, 3, COMMAND(UNLINK, 24) },
	[EXPORT]	= { "export", IOCTL | ID | TO | FLAGS, 5, COMMAND(EXPORT, 16) },
	[IMPORT]	= { "import", IOCTL | ID | TO | N | FLAGS, 4, COMMAND(IMPORT, 24) },
	[ADOPT]		= { "adopt", IOCTL | FLAGS, 2, COMMAND(ADOPT, 8) },
	[SUBMIT]	= { "submit", IOCTL | URING | ID | TO | N | M | FLAGS, 9,
			    COMMAND(SUBMIT, 24) },
	[RAW]		= { "raw", FD | ID | PTR | N | M | X | ASYNC | URING, 3, 0, 0 },
	[OPEN]		= { "open", FD | FLAGS | FAIL, 8, 0, 0 },
	[CLOSE]		= { "close", FD | ASYNC, 5, 0, 0 },
	[DUP]		= { "dup", FD | TO, 2, 0, 0 },
	[SEND]		= { "send", FD, 2, 0, 0 },
	[RECV]		= { "recv", FD, 2, 0, 0 },
	[POKE]		= { "poke", FD | N, 1, 0, 0 },
	[FDINFO]	= { "fdinfo", FD | N, 2, 0, 0 },
	[DEBUGFS_READ]	= { "debugfs", N | M | FAIL | ASYNC, 2, 0, 0 },
	[QUOTA]		= { "quota", N | M, 2, 0, 0 },
	[CROWD_IN]	= { "crowd", NAME | N | ID, 1, 0, 0 },
	[FORK]		= { "fork", N | M | FLAGS, 2, 0, 0 },
	[ALARM]		= { "alarm", N, 1, 0, 0 },
	[SLEEP]		= { "sleep", N, 1, 0, 0 },
	[READ]		= { "read", FD | PTR | N | M | ASYNC | FAIL, 5, 0, 0 },
};

/* The sizes of a structure, by the size of this version. */
static const struct {
	int more;		/* than this version's; or LEAST, FIXED */
	int value;
	int field;		/* what @size says, more than that */
	unsigned char fill;	/* what follows what this version knows */
} sizes[] = {
#define LEAST	(-100)
#define FIXED	(-101)
	{ 0, 0, 0, 0 },
	{ LEAST, 0, 0, 0 },
	{ 8, 0, 0, 0 },
	{ 8, 0, 0, 1 },
	{ -8, 0, 0, 0 },
	{ LEAST, -4, 0, 0 },
	{ FIXED, 4096, 0, 0 },
	{ FIXED, 4096, 0, 0xff },
	{ FIXED, 4100, 0, 0 },
	{ FIXED, 8, 0, 0 },
	{ FIXED, 0, 0, 0 },
	{ 0, 0, 8, 0 },
	{ 0, 0, -4, 0 },
};

enum ptr {
	PTR_GOOD, PTR_NULL, PTR_UNMAPPED, PTR_HALF, PTR_READ_ONLY, PTR_KERNEL, PTR_ODD,
	PTR_SHARED, PTRS,
};

/* How a ring does something; without any of it, as a call that waits */
enum uring {
	URING_CALL = 1 << 0,
	URING_LEAVE = 1 << 1,	/* does not wait for it */
	URING_WORKER = 1 << 2,	/* from the beginning, not only if it would sleep */
	URING_CANCEL = 1 << 3,	/* at once */
	URING_LINK = 1 << 4,	/* something that does nothing comes after it */
	URING_ODD = 1 << 5,	/* the bytes that must be zero are not */
};

#define LONG63	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
static const char * const texts[] = {
	"", "one", "two", "three", "four", "five",
	LONG63, LONG63 "a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	"with space\\", "a/b", "line\n", "\x7f", "\xc3\xa9\xe4\xb8\x96\xf0\x9f\x98\x80",
	"\xff", "\xc3", "\xe4\xb8", "\xf0\x9f\x98", "\xc0\xaf", "\xe0\x80\xaf",
	"\xf0\x80\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc2\x85", "\xe2\x80\xa8",
	"\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x80\x8e", "\xef\xbb\xbf", "\xef\xb7\x90",
	"\xef\xbf\xbe", "\x80", "\xc3(", "\xe4(\x96",
};

/* How long objects linger, and WAIT waits: not for ever, as nobody may come */
static const uint32_t lingers[] = {
	0, 1, 3, 20, REFOBJ_LINGER_MAX, REFOBJ_LINGER_MAX + 1, ~0U,
};

static const unsigned int waits_us[] = { 0, 0, 300, 3000, 10000, 20000 };

static const uint32_t numbers[] = {
	0, 1, 2, 3, 7, 8, 24, 63, 64, 65, 100, 119, 120, 121, 128, 255, 256, 257, 0444, 0600,
	0666, 4095, 4096, 4097, 65535, 65536, 65537, 1U << 29, 1U << 30, 1U << 31, ~0U,
};

/* Which the worker's second thread and its children share with it */
static struct shared {
	_Atomic unsigned long programs;
	_Atomic unsigned long calls;
	_Atomic unsigned int edges;
	_Atomic unsigned int results;
	_Atomic unsigned int in_corpus;
	_Atomic unsigned int trouble;
	_Atomic unsigned int stop;
	_Atomic uint64_t last_id;	/* the highest that was given out, about */
	char text[256];			/* what the trouble is */
	struct {
		_Atomic unsigned long at;	/* programs that it began */
		_Atomic bool fresh;		/* something was passed for the first time */
		uint64_t id[SLOTS];
	} worker[WORKERS];
	_Atomic unsigned char edge[EDGES];
	_Atomic unsigned char result[OPS * 256];
	struct {
		_Atomic bool ready;
		struct program program;
	} corpus[CORPUS];
} *sh;

/* What a thread that runs calls needs */
struct runner {
	char *arena;		/* two pages, and two that are not there */
	char *writable;		/* one page, twice */
	char *read_only;
	int kcov;
	uint64_t *cover;
	char *records;		/* room for holders, and a gap behind it */
	int nth;		/* /proc/thread-self/fail-nth */
	bool tracing;
	struct ring {
		bool open;
		int fd;
		char *queues;
		struct io_uring_sqe *sqes;
		struct io_uring_params p;
		uint64_t last;		/* submission */
		unsigned int flying;	/* not heard of */
	} ring;
};

static struct {
	struct runner main, other, child[CHILDREN];
	unsigned int number;		/* of this worker */
	bool is_child;
	bool verbose;
	_Atomic int fd[SLOTS];
	int crowd[CROWD];
	int pair[2];
	int file[SLOTS];		/* that may be payloads, or may not */
	bool quota_changed;
	unsigned int children;
	struct {
		pid_t pid;
		int how;
	} born[CHILDREN];
	pthread_t thread;
	sem_t work, done;
	struct call call;		/* for the other thread */
	bool busy;
	int record[RECENT];
	unsigned long recorded;
} w;

static struct {
	unsigned int seconds;
	unsigned int workers;
	uint64_t seed;
	const char *out;
	unsigned int times;
	bool verbose;
	bool quiet;
} opt = { .seconds = 60, .workers = 3, .seed = 1, .times = 20 };

static uint64_t text_base;
static uint64_t text_end;
static bool guided;
static bool faults;

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *format, ...)
{
	va_list args;

	fputs("fuzz: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

/* The first to find something says what. */
static void __attribute__((format(printf, 1, 2))) trouble(const char *format, ...)
{
	va_list args;

	if (atomic_exchange(&sh->trouble, 1))
		return;
	va_start(args, format);
	vsnprintf(sh->text, sizeof(sh->text), format, args);
	va_end(args);
	atomic_store(&sh->stop, 1);
}

/*
 * Random numbers: splitmix64
 */

static uint64_t rng;

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static uint64_t next(void)
{
	return mix(rng += 0x9e3779b97f4a7c15ULL);
}

static unsigned int below(unsigned int n)
{
	return next() % n;
}

static bool one_in(unsigned int n)
{
	return !below(n);
}

/*
 * Text
 */

static uint64_t get_field(const struct call *call, unsigned int i)
{
	const char *at = (const char *)call + fields[i].offset;

	switch (fields[i].bytes) {
	case 1:
		return *(uint8_t *)at;
	case 4:
		return *(uint32_t *)at;
	default:
		return *(uint64_t *)at;
	}
}

static void set_field(struct call *call, unsigned int i, uint64_t value)
{
	char *at = (char *)call + fields[i].offset;

	switch (fields[i].bytes) {
	case 1:
		*(uint8_t *)at = value;
		break;
	case 4:
		*(uint32_t *)at = value;
		break;
	default:
		*(uint64_t *)at = value;
	}
}

static size_t print_call(char *to, size_t room, const struct call *call)
{
	size_t len = snprintf(to, room, "%s", ops[call->op].name);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		uint64_t value = get_field(call, i);

		if (value)
			len += snprintf(to + len, room - len,
					value < 10000 ? " %s=%ju" : " %s=%#jx",
					fields[i].name, (uintmax_t)value);
	}
	return len;
}

static size_t print_program(char *to, size_t room, const struct program *p)
{
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < p->calls; i++) {
		len += print_call(to + len, room - len, &p->call[i]);
		to[len++] = '\n';
	}
	to[len] = 0;
	return len;
}

static bool parse_call(struct call *call, char *line)
{
	char *word, *value, *end, *rest;
	unsigned int i;

	memset(call, 0, sizeof(*call));
	word = strtok_r(line, " \t", &rest);
	for (i = 0; i < OPS && strcmp(ops[i].name, word); i++)
		;
	if (i == OPS)
		return false;
	call->op = i;
	while ((word = strtok_r(NULL, " \t", &rest))) {
		value = strchr(word, '=');
		if (!value)
			return false;
		*value++ = 0;
		for (i = 0; i < ARRAY_SIZE(fields) && strcmp(fields[i].name, word); i++)
			;
		if (i == ARRAY_SIZE(fields))
			return false;
		set_field(call, i, strtoull(value, &end, 0));
		if (*end)
			return false;
	}
	return true;
}

/* The least of the ids from which the programs of a text once ran */
static uint64_t first_id = ~0ULL;

/*
 * Programs in a text end with an empty line. "# worker N" says whose the next
 * ones are; other remarks are passed over.
 */
static void parse(const char *text, const char *from,
		  void (*take)(const struct program *p, unsigned int worker))
{
	unsigned int number = 0, worker = 0;
	struct program p = { 0 };
	char line[512], *ids;

	while (*text) {
		size_t len = strcspn(text, "\n");

		number++;
		snprintf(line, sizeof(line), "%.*s", (int)len, text);
		text += len + !!text[len];
		if (*line == '#') {
			if (!strncmp(line, "# worker ", 9))
				worker = strtoul(line + 9, NULL, 10);
			ids = strstr(line, "ids from ");
			if (ids && strtoull(ids + 9, NULL, 10) < first_id)
				first_id = strtoull(ids + 9, NULL, 10);
			continue;
		}
		if (line[strspn(line, " \t")]) {
			if (p.calls == CALLS)
				die("%s:%u: more than %u calls in a program", from, number, CALLS);
			if (!parse_call(&p.call[p.calls], line))
				die("%s:%u: not a call, or not a field of one", from, number);
			p.calls++;
		}
		if ((!*line || !*text) && p.calls) {
			take(&p, worker % WORKERS);
			p.calls = 0;
		}
	}
}

static char *load(const char *path)
{
	size_t size = 0, room = 1 << 20;
	char *text = malloc(room);
	FILE *f = fopen(path, "re");

	if (!f)
		die("%s: %s", path, strerror(errno));
	while ((size += fread(text + size, 1, room - size - 1, f)) == room - 1) {
		room *= 2;
		text = realloc(text, room);
	}
	fclose(f);
	text[size] = 0;
	return text;
}

/*
 * Making programs
 */

/* Mostly one of a few, so that calls meet at the same object. */
static unsigned int choose_id(void)
{
	return one_in(8) ? below(SLOTS + 4) : below(3);
}

static void choose_field(struct call *call, unsigned int field)
{
	switch (field) {
	case FD:
		call->fd = one_in(4) ? below(SLOTS) : below(2);
		break;
	case TO:
		call->to = below(SLOTS);
		if (call->op == PUBLISH || call->op == SET_PAYLOAD)
			call->to = one_in(2) ? 0 : below(2 * SLOTS + 1);
		else if (call->op == LINK || call->op == UNLINK)
			call->to = choose_id();
		break;
	case ID:
		call->id = choose_id();
		break;
	case SIZE:
		call->size = one_in(8) ? below(ARRAY_SIZE(sizes)) : 0;
		break;
	case PTR:
		call->ptr = one_in(8) ? below(PTRS) : 0;
		break;
	case NAME:
		call->name = one_in(6) ? below(ARRAY_SIZE(texts)) : below(4);
		break;
	case TYPE:
		call->type = one_in(6) ? below(ARRAY_SIZE(texts)) : one_in(3) ? below(3) : 0;
		break;
	case ASYNC:
		call->async = one_in(6);
		break;
	case FAIL:
		call->fail = one_in(10) ? 1 + below(8) : 0;
		break;
	case N:
	case M:
		if (call->op == WATCH && field == N)
			call->n = one_in(8) ? below(~0U) : one_in(4) ? 1U << below(9) :
				  one_in(4) ? 0 : one_in(2) ? REFOBJ_WATCH_ALL :
							      REFOBJ_WATCH_DEFAULT;
		else if (call->op == WAIT || call->op == SUBMIT)
			*(field == N ? &call->n : &call->m) =
				one_in(8) ? numbers[below(ARRAY_SIZE(numbers))] : below(128);
		else if (call->op == SET_VALUE && field == M)
			call->m = one_in(2) ? 0 : below(4);
		else if (call->op == FORK && field == N)
			call->n = 1 + below(6);
		else if (call->op == CROWD_IN && field == N)
			call->n = one_in(8) ? 1 + below(CROWD) : 1 + below(8);
		else if (call->op == HOLDERS && field == M)
			call->m = one_in(3) ? numbers[below(ARRAY_SIZE(numbers))] : 120;
		else if (call->op <= LAST_COMMAND && field == M &&
			 (call->op > ATTACH || !one_in(3)))
			call->m = one_in(12) ? below(~0U) : 0;
		else if (field == N && !one_in(3))
			call->n = 1 + below(3);
		else
			*(field == N ? &call->n : &call->m) = one_in(20) ?
				below(~0U) : numbers[below(ARRAY_SIZE(numbers))];
		break;
	case FLAGS:
		call->flags = one_in(16) ? below(~0U) : one_in(3) ? 1U << below(18) :
			      below(call->op >= CREATE && call->op <= ACQUIRE ? 4 : 2);
		break;
	case URING:
		call->uring = one_in(4) ? URING_CALL : one_in(4) ? URING_CALL | below(64) : 0;
		break;
	case TIMES:
		call->times = one_in(60) ? below(150) : 0;
		break;
	case X:
		call->x = one_in(16) ? next() : 0;
		break;
	}
}

static void choose_call(struct call *call)
{
	static unsigned int total;
	unsigned int i, pick;

	if (!total)
		for (i = 0; i < OPS; i++)
			total += ops[i].weight;
	memset(call, 0, sizeof(*call));
	pick = below(total);
	for (i = 0; pick >= ops[i].weight; i++)
		pick -= ops[i].weight;
	call->op = i;
	for (i = 1; i <= X; i <<= 1)
		if (ops[call->op].fields & i)
			choose_field(call, i);
}

/* Let it be about what another one is about. */
static void relate(struct call *call, const struct call *other)
{
	unsigned int both = ops[call->op].fields & ops[other->op].fields;

	if (both & FD)
		call->fd = other->fd;
	if (both & TO)
		call->to = other->to;
	if (both & ID)
		call->id = other->id;
	if (both & NAME)
		call->name = other->name;
	if (both & TYPE)
		call->type = other->type;
}

static void insert_call(struct program *p, unsigned int at)
{
	if (p->calls == CALLS)
		return;
	memmove(&p->call[at + 1], &p->call[at], (p->calls - at) * sizeof(p->call[0]));
	choose_call(&p->call[at]);
	if (at && one_in(2))
		relate(&p->call[at], &p->call[below(at)]);
	p->calls++;
}

static void delete_call(struct program *p, unsigned int at)
{
	p->calls--;
	memmove(&p->call[at], &p->call[at + 1], (p->calls - at) * sizeof(p->call[0]));
}

static const struct program *from_corpus(void)
{
	unsigned int n = atomic_load(&sh->in_corpus), i;

	if (!n)
		return NULL;
	/* What came late is what is worth trying around. */
	i = one_in(2) ? below(n) : n - 1 - below(n / 8 + 1);
	return atomic_load(&sh->corpus[i].ready) ? &sh->corpus[i].program : NULL;
}

static void splice_in(struct program *p)
{
	const struct program *q = from_corpus();
	unsigned int at, from, n;

	if (!q)
		return;
	at = below(p->calls + 1);
	from = below(q->calls);
	n = 1 + below(q->calls - from);
	if (n > CALLS - at)
		n = CALLS - at;
	if (!n)
		return;
	memcpy(&p->call[at], &q->call[from], n * sizeof(p->call[0]));
	if (at + n > p->calls)
		p->calls = at + n;
}

static void mutate(struct program *p)
{
	unsigned int rounds = 1 + below(4), at, field;

	while (rounds--) {
		if (!p->calls) {
			insert_call(p, 0);
			continue;
		}
		at = below(p->calls);
		switch (below(8)) {
		case 0:
		case 1:
			insert_call(p, below(p->calls + 1));
			break;
		case 2:
			delete_call(p, at);
			break;
		case 3:
			splice_in(p);
			break;
		case 4:
			if (at) {
				p->call[CALLS] = p->call[at];
				p->call[at] = p->call[at - 1];
				p->call[at - 1] = p->call[CALLS];
			}
			break;
		default:
			field = 1U << below(15);
			if (ops[p->call[at].op].fields & field)
				choose_field(&p->call[at], field);
			else
				rounds++;
		}
	}
}

static void generate(struct program *p, uint64_t seed)
{
	const struct program *old;
	unsigned int n;

	rng = seed;
	old = one_in(8) ? NULL : from_corpus();
	if (old) {
		*p = *old;
		mutate(p);
		return;
	}
	n = 3 + below(CALLS / 2);
	p->calls = 0;
	if (!one_in(12)) {
		memset(&p->call[0], 0, sizeof(p->call[0]));
		p->call[0].op = OPEN;
		p->calls = 1;
	}
	while (p->calls < n)
		insert_call(p, p->calls);
}

/*
 * Coverage
 */

static void cover_open(struct runner *r)
{
	r->kcov = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (r->kcov < 0)
		return;
	if (ioctl(r->kcov, KCOV_INIT_TRACE, COVER))
		die("KCOV_INIT_TRACE: %s", strerror(errno));
	r->cover = mmap(NULL, COVER * 8, PROT_READ | PROT_WRITE, MAP_SHARED, r->kcov, 0);
	if (r->cover == MAP_FAILED)
		die("kcov: %s", strerror(errno));
}

/* From here on, what this thread passes is noted. */
static void cover_start(struct runner *r)
{
	r->tracing = r->cover && !ioctl(r->kcov, KCOV_ENABLE, KCOV_TRACE_PC);
}

static void note(_Atomic unsigned char *map, unsigned int at, _Atomic unsigned int *count)
{
	if (!atomic_load(&map[at]) && !atomic_exchange(&map[at], 1)) {
		atomic_fetch_add(count, 1);
		atomic_store(&sh->worker[w.number].fresh, true);
	}
}

static void cover_reset(struct runner *r)
{
	if (r->tracing)
		__atomic_store_n(r->cover, 0, __ATOMIC_RELAXED);
}

static void cover_collect(struct runner *r)
{
	uint64_t n, i, pc, last = 0;

	if (!r->tracing)
		return;
	n = __atomic_load_n(r->cover, __ATOMIC_RELAXED);
	for (i = 1; i <= n && i < COVER; i++) {
		pc = r->cover[i];
		/* Where the module is changes from boot to boot. */
		if (pc < text_base || pc >= text_end)
			continue;
		pc -= text_base;
		note(sh->edge, (mix(pc) ^ (mix(last) >> 1)) % EDGES, &sh->edges);
		last = pc;
	}
}

static void find_module(void)
{
	char line[512], name[64];
	unsigned long long size, base;
	FILE *f = fopen("/proc/modules", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %llu %*s %*s %*s %llx", name, &size, &base) == 3 &&
		    !strcmp(name, "refobj")) {
			text_base = base;
			text_end = base + size;
		}
	}
	if (f)
		fclose(f);
}

/*
 * Running calls
 */

static void runner_init(struct runner *r)
{
	long page = sysconf(_SC_PAGESIZE);
	int fd;

	r->records = mmap(NULL, ROOM + GAP, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r->arena = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (r->records == MAP_FAILED || mprotect(r->records, ROOM, PROT_READ | PROT_WRITE) ||
	    r->arena == MAP_FAILED || fd < 0 || ftruncate(fd, 2 * page))
		die("no memory");
	mprotect(r->arena + 2 * page, 2 * page, PROT_NONE);
	r->writable = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	r->read_only = mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, fd, 0);
	if (r->writable == MAP_FAILED || r->read_only == MAP_FAILED)
		die("no memory");
	close(fd);
	/* What the kernel reads: values are made of it. */
	memset(r->records, 0x5a, ROOM);
	r->nth = -1;
	cover_open(r);
}

/* A place for @size bytes, as good as @ptr says. */
static void *place(struct runner *r, unsigned int ptr, const void *data, size_t size,
		   uint64_t x)
{
	long page = sysconf(_SC_PAGESIZE);
	size_t there;
	char *at;

	switch (ptr) {
	case PTR_NULL:
		return NULL;
	case PTR_UNMAPPED:
		return r->arena + 2 * page;
	case PTR_HALF:
		there = size ? (x >> 8) % size : 0;
		at = r->arena + 2 * page - there;
		memcpy(at, data, there);
		return at;
	case PTR_READ_ONLY:
		memcpy(r->writable, data, size);
		return r->read_only;
	case PTR_KERNEL:
		return (void *)~0xfffffUL;
	case PTR_ODD:
		at = r->arena + 1 + x % 7;
		break;
	case PTR_SHARED:
		at = r->writable;
		break;
	default:
		at = r->arena;
	}
	memcpy(at, data, size);
	return at;
}

static uint64_t resolve(unsigned int slot)
{
	const uint64_t *id = sh->worker[w.number].id;

	switch (slot) {
	case SLOTS:
		return 0;
	case SLOTS + 1:
		return ~0ULL;
	case SLOTS + 2:
		return id[0] + (1 << 24);
	case SLOTS + 3:
		return id[0] + 100000;
	default:
		return id[slot % SLOTS];
	}
}

static void put_text(char *to, size_t room, unsigned int text)
{
	const char *s = texts[text % ARRAY_SIZE(texts)];

	/* Without the NUL if it does not fit */
	memcpy(to, s, strnlen(s, room));
}

union args {
	struct {
		__u32 size;
		__u32 flags;
		__u64 id;
	} head;
	struct refobj_create create;
	struct refobj_attach attach;
	struct refobj_lookup lookup;
	struct refobj_acquire acquire;
	struct refobj_release release;
	struct refobj_stat stat;
	struct refobj_holders holders;
	struct refobj_set_why set_why;
	struct refobj_watch watch;
	struct refobj_wait wait;
	struct refobj_payload payload;
	struct refobj_value value;
	struct refobj_link link;
	struct refobj_import import;
	struct refobj_submit submit;
	char bytes[8192];
};

/* Something that may be a payload, or may not; see files_open() */
static int file_of(unsigned int slot)
{
	if (slot >= 2 * SLOTS)
		return -1;
	return slot < SLOTS ? w.file[slot] : w.fd[slot - SLOTS];
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Where a structure points to: a good place, or one that ends too soon */
static char *array(struct runner *r, const struct call *call)
{
	return r->records + (call->ptr ? ROOM - (call->x >> 24) % 1024 : 0);
}

static void fill_wait(struct runner *r, const struct call *call, struct refobj_wait *a)
{
	unsigned int time = call->name % ARRAY_SIZE(waits_us), i;
	unsigned int count = call->m < 128 ? 1 + call->m % 4 : call->m % 80;
	char *at = array(r, call);

	for (i = 0; i < count; i++) {
		struct refobj_condition c = {
			.id = resolve((call->id + i * call->to) % (SLOTS + 4)),
			.until = call->n < 128 ? 1 + (call->n + i) % 5 : call->n,
		};

		if (c.until == REFOBJ_UNTIL_USERS || call->n > 65536)
			c.users = call->n / 8;
		if (c.until == REFOBJ_UNTIL_READY && call->n & 64)
			c.flags = REFOBJ_COND_BUILD;
		if (at + sizeof(c) <= r->records + ROOM)
			memcpy(at, &c, sizeof(c));
		at += sizeof(c);
	}
	a->conditions = (uintptr_t)array(r, call);
	a->count = count;
	a->condition_size = call->m == 63 ? 16 : sizeof(struct refobj_condition);
	a->timeout_ns = waits_us[time] ? now_ns() + 1000 * waits_us[time] : time;
}

/* Some that acquire, some that release, and some that are nothing of the kind. */
static void fill_submit(struct runner *r, const struct call *call, struct refobj_submit *a)
{
	unsigned int count = call->m < 128 ? 1 + call->m : call->m % 5000, i;
	char *at = array(r, call);

	for (i = 0; i < count && at + sizeof(struct refobj_op) <= r->records + ROOM; i++) {
		uint32_t x = mix(call->n + i);
		struct refobj_op op = {
			.op = x % 64 ? 1 + x % 2 : x >> 20,
			.id = resolve((call->id + (x >> 8) % 3 * call->to) % (SLOTS + 4)),
			.count = (x >> 12) % 64 ? 1 + (x >> 16) % 4 : call->n,
		};

		if (x % 16 == 1)
			op.flags = x >> 28;
		memcpy(at, &op, sizeof(op));
		at += sizeof(op);
	}
	a->ops = (uintptr_t)array(r, call);
	a->count = count;
	a->op_size = call->m == 63 ? 16 : sizeof(struct refobj_op);
}

static void fill(struct runner *r, const struct call *call, union args *a)
{
	memset(a, 0, sizeof(*a));
	a->head.flags = call->flags;
	if (call->op > ATTACH && call->op != WAIT && call->op != IMPORT && call->op != ADOPT &&
	    call->op != SUBMIT)
		a->head.id = resolve(call->id);
	switch (call->op) {
	case CREATE:
		a->create.mode = call->m;
		a->create.linger_ms = lingers[call->to % ARRAY_SIZE(lingers)];
		a->create.initial = call->n;
		put_text(a->create.name, sizeof(a->create.name), call->name);
		put_text(a->create.type, sizeof(a->create.type), call->type);
		break;
	case ATTACH:
		a->attach.mode = call->m;
		a->attach.linger_ms = lingers[call->to % ARRAY_SIZE(lingers)];
		a->attach.count = call->n;
		put_text(a->attach.name, sizeof(a->attach.name), call->name);
		put_text(a->attach.type, sizeof(a->attach.type), call->type);
		break;
	case LOOKUP:
		put_text(a->lookup.name, sizeof(a->lookup.name), call->name);
		put_text(a->lookup.type, sizeof(a->lookup.type), call->type);
		break;
	case ACQUIRE:
		a->acquire.count = call->n;
		a->acquire.reserved = call->m;
		put_text(a->acquire.type, sizeof(a->acquire.type), call->type);
		break;
	case RELEASE:
		a->release.count = call->n;
		a->release.reserved = call->m;
		break;
	case STAT:
		a->stat.reserved = call->m;
		break;
	case HOLDERS:
		a->holders.capacity = call->n;
		a->holders.record_size = call->m;
		a->holders.cursor = call->to;
		a->holders.records = (uintptr_t)array(r, call);
		break;
	case SET_WHY:
		put_text(a->set_why.why, sizeof(a->set_why.why), call->name);
		break;
	case WATCH:
		a->watch.mask = call->n;
		a->watch.reserved = call->m;
		a->watch.cookie = mix(call->n);
		break;
	case WAIT:
		fill_wait(r, call, &a->wait);
		break;
	case SUBMIT:
		fill_submit(r, call, &a->submit);
		break;
	case PUBLISH:
		if (call->flags & REFOBJ_PUBLISH_FILE)
			a->payload.fd = file_of(call->to);
		a->payload.reserved = call->m;
		break;
	case SET_PAYLOAD:
		a->payload.fd = file_of(call->to);
		a->payload.reserved = call->m;
		break;
	case GET_PAYLOAD:
		a->payload.reserved = call->m;
		break;
	case SET_VALUE:
	case GET_VALUE:
		a->value.data = (uintptr_t)array(r, call);
		a->value.length = call->n;
		a->value.version = call->m;
		break;
	case LINK:
	case UNLINK:
		a->link.dep = resolve(call->to);
		break;
	case IMPORT:
		a->import.fd = w.fd[call->to % SLOTS];
		a->import.count = call->n;
		break;
	}
}

/* The id that a call gave. */
static uint64_t given_id(const struct call *call, const union args *a)
{
	switch (call->op) {
	case CREATE:
		return a->create.id;
	case ATTACH:
		return a->attach.id;
	case IMPORT:
		return a->import.id;
	default:
		return a->head.id;
	}
}

static void set_slot(unsigned int slot, int fd)
{
	int old = atomic_exchange(&w.fd[slot % SLOTS], fd);

	if (old >= 0)
		close(old);
}

static bool documented(int err)
{
	switch (err) {
	case ENOTTY: case EFAULT: case EINVAL: case E2BIG: case EOPNOTSUPP: case ENOMEM:
	case ENOENT: case ESTALE: case EACCES: case EEXIST: case EPROTOTYPE: case ERANGE:
	case EOVERFLOW: case EDQUOT: case EPERM: case EAGAIN: case EBUSY: case EINTR:
	case ETIMEDOUT: case ELOOP: case EBADF: case EMFILE: case EXDEV: case EOWNERDEAD:
		return true;
	default:
		return false;
	}
}

/* A structure that is being put together */
static __thread union args build;

static void fail_nth(struct runner *r, unsigned int nth)
{
	char text[8];

	if (!faults)
		return;
	/* Thread-self is another one after a fork. */
	if (r->nth < 0)
		r->nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	snprintf(text, sizeof(text), "%u", nth);
	if (pwrite(r->nth, text, strlen(text), 0) < 0 && nth)
		faults = false;
}

static void hold_alarm(int how)
{
	sigset_t alarms;

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(how, &alarms, NULL);
}

/*
 * The next call to the kernel is what is to fail. Only the call: the faults of
 * pages that this program touches before it would be told in the log.
 */
static void arm(struct runner *r, const struct call *call)
{
	if (!call->fail)
		return;
	/* Nor a signal's frame, which without a copy is a SIGSEGV. */
	hold_alarm(SIG_BLOCK);
	fail_nth(r, call->fail);
}

static void disarm(struct runner *r, const struct call *call)
{
	if (!call->fail)
		return;
	fail_nth(r, 0);
	hold_alarm(SIG_UNBLOCK);
}

/*
 * Rings. What is left flying may find other bytes where its structure was, and may then
 * never end by itself: the ring is closed after the program.
 */

static bool ring_open(struct ring *ring)
{
	struct io_uring_params *p = &ring->p;
	unsigned int i;

	if (ring->open)
		return true;
	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(SYS_io_uring_setup, RING, p);
	if (ring->fd < 0)
		return false;
	ring->queues = mmap(NULL, p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe),
			    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
			    IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, RING * sizeof(*ring->sqes), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQES);
	if (!(p->features & IORING_FEAT_SINGLE_MMAP) || ring->queues == MAP_FAILED ||
	    ring->sqes == MAP_FAILED)
		die("io_uring: no memory");
	for (i = 0; i < RING; i++)
		((unsigned int *)(ring->queues + p->sq_off.array))[i] = i;
	ring->open = true;
	return true;
}

static void ring_close(struct ring *ring)
{
	if (!ring->open || !ring->flying)
		return;
	munmap(ring->queues,
	       ring->p.cq_off.cqes + ring->p.cq_entries * sizeof(struct io_uring_cqe));
	munmap(ring->sqes, RING * sizeof(*ring->sqes));
	close(ring->fd);
	ring->open = false;
}

/* True if the last submission has been heard of: what became of it is in @result. */
static bool ring_hear(struct ring *ring, int *result)
{
	unsigned int *head = (unsigned int *)(ring->queues + ring->p.cq_off.head);
	unsigned int *tail = (unsigned int *)(ring->queues + ring->p.cq_off.tail);
	struct io_uring_cqe *cqes = (struct io_uring_cqe *)(ring->queues + ring->p.cq_off.cqes);
	unsigned int at = *head;
	bool heard = false;

	for (; at != __atomic_load_n(tail, __ATOMIC_ACQUIRE); at++) {
		const struct io_uring_cqe *cqe = &cqes[at & (ring->p.cq_entries - 1)];

		if (!cqe->user_data)
			continue;
		ring->flying--;
		if (cqe->user_data == ring->last) {
			*result = cqe->res;
			heard = true;
		}
	}
	__atomic_store_n(head, at, __ATOMIC_RELEASE);
	return heard;
}

/* Do something by the ring. Like a call; 0 also if nothing was heard of it yet. */
static int ring_run(struct runner *r, const struct call *call, int fd, unsigned int cmd,
		    void *arg)
{
	struct refobj_uring_cmd bytes = {
		.arg = (uintptr_t)arg, .reserved = call->uring & URING_ODD ? call->n : 0,
	};
	struct __kernel_timespec soon = { .tv_nsec = 20000000 };
	struct io_uring_getevents_arg ext = { .ts = (uintptr_t)&soon };
	struct ring *ring = &r->ring;
	unsigned int *head = (unsigned int *)(ring->queues + ring->p.sq_off.head);
	unsigned int *tail = (unsigned int *)(ring->queues + ring->p.sq_off.tail);
	unsigned int n = 1, tries = 4, mask = RING - 1;
	struct io_uring_sqe *sqe = &ring->sqes[*tail & mask];
	int result = 0, ret;

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->flags = (call->uring & URING_WORKER ? IOSQE_ASYNC : 0) |
		     (call->uring & URING_LINK ? IOSQE_IO_LINK : 0);
	sqe->fd = fd;
	sqe->cmd_op = cmd;
	sqe->user_data = ++ring->last;
	memcpy(sqe->cmd, &bytes, sizeof(bytes));
	if (call->uring & URING_LINK) {
		sqe = &ring->sqes[(*tail + n++) & mask];
		memset(sqe, 0, sizeof(*sqe));
		sqe->opcode = IORING_OP_NOP;
	}
	if (call->uring & URING_CANCEL) {
		sqe = &ring->sqes[(*tail + n++) & mask];
		memset(sqe, 0, sizeof(*sqe));
		sqe->opcode = IORING_OP_ASYNC_CANCEL;
		sqe->fd = -1;
		sqe->addr = ring->last;
	}
	__atomic_store_n(tail, *tail + n, __ATOMIC_RELEASE);
	cover_reset(r);
	/* Nothing is to fail: the kernel warns where a ring's worker gets no stack. */
	ret = syscall(SYS_io_uring_enter, ring->fd, n, 0, IORING_ENTER_GETEVENTS, NULL, 0);
	if (ret < 0)
		ret = -errno;
	cover_collect(r);
	/* What was not taken is not to be submitted with the next. */
	__atomic_store_n(tail, __atomic_load_n(head, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
	if (ret < 1)
		return ret;
	ring->flying++;
	while (!ring_hear(ring, &result) && !(call->uring & URING_LEAVE) && tries--)
		syscall(SYS_io_uring_enter, ring->fd, 0, 1,
			IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &ext, sizeof(ext));
	return result;
}

static int do_ioctl(struct runner *r, const struct call *call, int fd, unsigned int cmd,
		    void *arg)
{
	int ret;

	if (call->uring && ring_open(&r->ring))
		return ring_run(r, call, fd, cmd, arg);
	cover_reset(r);
	arm(r, call);
	ret = ioctl(fd, cmd, arg);
	if (ret < 0)
		ret = -errno;
	disarm(r, call);
	cover_collect(r);
	return ret;
}

static int do_command(struct runner *r, const struct call *call, int fd)
{
	unsigned int known = _IOC_SIZE(ops[call->op].cmd), cmd;
	unsigned int size_of = call->size % ARRAY_SIZE(sizes);
	union args *a;
	int size, ret;

	if (sizes[size_of].more == FIXED)
		size = sizes[size_of].value;
	else if (sizes[size_of].more == LEAST)
		size = ops[call->op].least + sizes[size_of].value;
	else
		size = known + sizes[size_of].more;
	fill(r, call, &build);
	if (size > (int)known)
		memset(build.bytes + known, sizes[size_of].fill, size - known);
	build.head.size = size + sizes[size_of].field;
	if (call->x && size && !call->ptr)
		build.bytes[call->x % size] ^= call->x >> 16;
	/* Not where memory of ours may be, nor for ever */
	if (call->op == HOLDERS && !call->ptr)
		build.holders.records = (uintptr_t)r->records;
	if (call->op == GET_VALUE && !call->ptr)
		build.value.data = (uintptr_t)r->records;
	if (call->op == SUBMIT && !call->ptr)
		build.submit.ops = (uintptr_t)r->records;
	if (call->op == WAIT && build.wait.timeout_ns > now_ns() + 50000000)
		build.wait.timeout_ns = 0;

	cmd = _IOC(_IOC_DIR(ops[call->op].cmd), REFOBJ_IOC_MAGIC, _IOC_NR(ops[call->op].cmd), size);
	a = place(r, call->ptr, &build, size > 4096 ? 4096 : size, call->x);
	ret = do_ioctl(r, call, fd, cmd, a);
	if (ret >= 0 && ((call->op >= CREATE && call->op <= LOOKUP) || call->op == IMPORT ||
			 (call->op == STAT && a->head.flags & REFOBJ_STAT_NEXT))) {
		uint64_t id = given_id(call, a);

		sh->worker[w.number].id[call->id % SLOTS] = id;
		/* Where others write too it may be anything. */
		if (call->ptr == PTR_GOOD && id > atomic_load(&sh->last_id))
			atomic_store(&sh->last_id, id);
	}
	if ((call->op == EXPORT || call->op == GET_PAYLOAD) && ret >= 0)
		set_slot(call->to, ret);
	return ret;
}

static int do_raw(struct runner *r, const struct call *call, int fd)
{
	unsigned int cmd = call->x, size;
	uint64_t data[1024];
	unsigned int i;
	int ret;

	/* Mostly ours, or nearly so */
	if (call->n & 1)
		cmd = (cmd & ~0xff00U) | REFOBJ_IOC_MAGIC << 8;
	if (call->n & 2)
		cmd = (cmd & ~0xf0U);
	if (call->n & 4)
		cmd |= _IOC(_IOC_READ | _IOC_WRITE, 0, 0, 0);
	if (call->n & 8)
		cmd &= ~_IOC(0, 0, 0, 0x3f00);
	size = _IOC_SIZE(cmd);
	for (i = 0; i < ARRAY_SIZE(data); i++)
		data[i] = mix(call->x + i) & (call->m ? ~0ULL : 0x0f0f);
	memcpy(data, &size, sizeof(size));
	data[1] = resolve(call->id);
	data[2] = (uintptr_t)r->records;
	/* Not the commands of all files, which would get at other things. */
	if (_IOC_TYPE(cmd) != REFOBJ_IOC_MAGIC)
		cmd = (cmd & ~0xff00U) | 0xba00;
	ret = do_ioctl(r, call, fd, cmd,
		       place(r, call->ptr, data, size > 4096 ? 4096 : size, call->x));
	if (_IOC_TYPE(cmd) == REFOBJ_IOC_MAGIC && ret >= 0 && !call->uring &&
	    (_IOC_NR(cmd) == _IOC_NR(REFOBJ_IOC_EXPORT) ||
	     _IOC_NR(cmd) == _IOC_NR(REFOBJ_IOC_GET_PAYLOAD)))
		set_slot(SLOTS - 1, ret);
	return ret;
}

static void read_some(const char *path, size_t chunk)
{
	static __thread char data[65536];
	unsigned int reads = 64;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (!chunk || chunk > sizeof(data))
		chunk = sizeof(data);
	while (reads-- && read(fd, data, chunk) > 0)
		;
	close(fd);
}

static const char * const quotas[QUOTAS] = {
	"max_objects", "max_references", "max_bytes", "max_watches", "max_events",
};

/* A worker that is killed leaves them as it made them; nobody after us is to find that. */
static void quotas_restore(bool save)
{
	static char value[QUOTAS][24];
	unsigned int i;

	for (i = 0; i < QUOTAS; i++) {
		char path[128];
		ssize_t ret = -1;
		int fd;

		snprintf(path, sizeof(path), PARAMETERS "%s", quotas[i]);
		fd = open(path, save ? O_RDONLY | O_CLOEXEC : O_WRONLY | O_CLOEXEC);
		if (fd >= 0)
			ret = save ? read(fd, value[i], sizeof(value[i]) - 1) :
				     write(fd, value[i], strlen(value[i]));
		if (ret < 0)
			die("%s: %s", path, strerror(errno));
		close(fd);
	}
}

static int do_quota(const struct call *call)
{
	static const char * const values[] = { "1048576", "0", "1", "2", "8", "64", "100" };
	const char *value = values[call->m % ARRAY_SIZE(values)];
	char path[128];
	int fd, ret;

	/* Every session that watches has memory for so many events. */
	if (call->n % QUOTAS == QUOTAS - 1 && value == values[0])
		value = "512";
	snprintf(path, sizeof(path), PARAMETERS "%s", quotas[call->n % QUOTAS]);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, value, strlen(value)) < 0 ? -errno : 0;
	close(fd);
	w.quota_changed = true;
	return ret;
}

static int do_poke(const struct call *call, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
	struct epoll_event event = { .events = EPOLLIN };
	int bytes = 0, epoll;
	struct stat st;
	char c = 0;
	void *at;

	switch (call->n % 9) {
	case 0:
		return read(fd, &c, 1);
	case 1:
		return write(fd, &c, 1);
	case 2:
		return poll(&p, 1, 0);
	case 3:
		at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
		if (at != MAP_FAILED)
			munmap(at, 4096);
		return 0;
	case 4:
		return lseek(fd, 8, SEEK_SET);
	case 5:
		return fstat(fd, &st);
	case 6:
		return ioctl(fd, FIONREAD, call->n & 16 ? NULL : &bytes);
	case 7:
		epoll = epoll_create1(EPOLL_CLOEXEC);
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
		epoll_wait(epoll, &event, 1, call->n % 3);
		return close(epoll);
	default:
		return fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC);
	}
}

/* Without waiting for ever: whoever could say something may have been killed */
static int do_read(struct runner *r, const struct call *call, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	poll(&p, 1, call->m % 3);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	arm(r, call);
	n = read(fd, array(r, call), call->n % ROOM);
	return n < 0 ? -errno : n;
}

static void send_fd(int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	if (fd < 0)
		return;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	sendmsg(w.pair[0], &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int recv_fd(void)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	int fd = -1;

	if (recvmsg(w.pair[1], &msg, MSG_DONTWAIT) < 0)
		return -1;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* Many sessions that hold the same object */
static int do_crowd(const struct call *call)
{
	struct refobj_attach a = { .size = sizeof(a), .count = 1 }, copy;
	unsigned int i, n = 0;

	put_text(a.name, sizeof(a.name), call->name);
	for (i = 0; i < CROWD && n < call->n; i++) {
		if (w.crowd[i] >= 0)
			continue;
		w.crowd[i] = open(DEVICE, O_RDWR | O_CLOEXEC);
		copy = a;
		if (w.crowd[i] >= 0 && ioctl(w.crowd[i], REFOBJ_IOC_ATTACH, &copy) >= 0)
			sh->worker[w.number].id[call->id % SLOTS] = copy.id;
		n++;
	}
	return n;
}

static int do_once(struct runner *r, const struct call *call)
{
	int fd = w.fd[call->fd % SLOTS], ret = 0;
	static const char * const debugfs[] = { "stats", "objects", "sessions" };
	struct itimerval alarm = { 0 };
	char path[64];

	if (call->op <= LAST_COMMAND)
		return do_command(r, call, fd);
	cover_reset(r);
	switch (call->op) {
	case RAW:
		return do_raw(r, call, fd);
	case OPEN:
		arm(r, call);
		ret = open(DEVICE, (call->flags & 2 ? O_RDONLY : O_RDWR) |
				   (call->flags & 1 ? O_CLOEXEC : 0));
		if (ret < 0)
			return -errno;
		set_slot(call->fd, ret);
		ret = 0;
		break;
	case CLOSE:
		set_slot(call->fd, -1);
		break;
	case DUP:
		if (fd >= 0)
			set_slot(call->to, dup(fd));
		break;
	case SEND:
		send_fd(fd);
		break;
	case RECV:
		set_slot(call->fd, recv_fd());
		break;
	case POKE:
		do_poke(call, fd);
		break;
	case READ:
		ret = do_read(r, call, fd);
		break;
	case FDINFO:
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
		read_some(path, call->n);
		break;
	case DEBUGFS_READ:
		snprintf(path, sizeof(path), DEBUGFS "%s", debugfs[call->n % 3]);
		arm(r, call);
		read_some(path, call->m);
		break;
	case QUOTA:
		ret = do_quota(call);
		break;
	case CROWD_IN:
		ret = do_crowd(call);
		break;
	case ALARM:
		alarm.it_value.tv_usec = 1 + call->n % 2000;
		setitimer(ITIMER_REAL, &alarm, NULL);
		break;
	case SLEEP:
		usleep(call->n % 5000);
		break;
	}
	cover_collect(r);
	return ret;
}

static void do_call(struct runner *r, const struct call *call)
{
	unsigned int times = call->times % 10000;
	int ret, last = 1 << 30;

	do {
		ret = do_once(r, call);
		disarm(r, call);
		if (ret != last)
			note(sh->result, call->op * 256 + (ret < 0 ? -ret % 256 : ret ? 255 : 0),
			     &sh->results);
		last = ret;
		atomic_fetch_add_explicit(&sh->calls, 1, memory_order_relaxed);
		if (ret < 0 && (call->op <= RAW || call->op == OPEN) && !documented(-ret) &&
		    !(call->uring && ret == -ECANCELED))
			trouble("%s: errno %d (%s) is not a documented one", ops[call->op].name,
				-ret, strerror(-ret));
	} while (times-- > 1 && !atomic_load(&sh->stop));
	if (w.verbose) {
		char text[512];
		size_t len = print_call(text, sizeof(text), call);

		len += snprintf(text + len, sizeof(text) - len, "%s -> %s%s\n",
				w.is_child ? " [child]" : "",
				ret < 0 ? "-" : "", ret < 0 ? strerrorname_np(-ret) : "");
		if (ret >= 0)
			len += snprintf(text + len - 1, sizeof(text) - len, "%d\n", ret) - 1;
		if (write(2, text, len) < 0)
			_exit(3);
	}
}

static void *other_thread(void *unused)
{
	(void)unused;
	cover_start(&w.other);
	for (;;) {
		while (sem_wait(&w.work))
			;
		do_call(&w.other, &w.call);
		sem_post(&w.done);
	}
	return NULL;
}

static void wait_for_other(void)
{
	if (!w.busy)
		return;
	while (sem_wait(&w.done))
		;
	w.busy = false;
}

static void run_calls(struct runner *r, const struct program *p, unsigned int from,
		      unsigned int to);

/* How a child ends, after its calls */
enum how { HOW_EXIT, HOW_KILLED, HOW_KILLED_AT_ONCE, HOW_EXEC, HOW_CRASH, HOWS };

static void be_child(const struct program *p, unsigned int at, unsigned int end, pid_t parent)
{
	struct runner *r = &w.child[w.children];
	const struct call *call = &p->call[at];

	w.is_child = true;
	w.main.nth = -1;
	if (call->flags & 4 && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		_exit(0);
	else if (call->flags & 2 && unshare(CLONE_NEWNET))
		_exit(0);
	if (call->flags & 1 && (setgroups(1, &(gid_t){ 0 }) || setresgid(1000, 1000, 1000) ||
				setresuid(1000 + (call->flags >> 8) % 2, 1000, 1000)))
		_exit(0);
	/* Last, as a change of credentials clears it */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	cover_start(r);
	run_calls(r, p, at + 1, end);
	switch (call->m % HOWS) {
	case HOW_EXIT:
		_exit(0);
	case HOW_EXEC:
		execl("/proc/self/exe", "fuzz", "--nothing", NULL);
		_exit(0);
	case HOW_CRASH:
		raise(SIGSEGV);
		_exit(0);
	default:
		for (;;)
			pause();
	}
}

/* Returns the call that the parent goes on with. */
static unsigned int do_fork(const struct program *p, unsigned int at, unsigned int to)
{
	unsigned int end = at + 1 + p->call[at].n % CALLS;
	pid_t parent = getpid(), pid;

	if (end > to)
		end = to;
	/* A child's calls are done by the parent if there is no child. */
	if (w.is_child || w.children == CHILDREN)
		return at + 1;
	wait_for_other();
	pid = fork();
	if (!pid)
		be_child(p, at, end, parent);
	if (pid < 0)
		return at + 1;
	w.born[w.children].pid = pid;
	w.born[w.children].how = p->call[at].m % HOWS;
	w.children++;
	if (p->call[at].m % HOWS == HOW_KILLED_AT_ONCE) {
		usleep(p->call[at].m / HOWS % 3000);
		kill(pid, SIGKILL);
	}
	return end;
}

static void run_calls(struct runner *r, const struct program *p, unsigned int from,
		      unsigned int to)
{
	while (from < to && !atomic_load(&sh->stop)) {
		const struct call *call = &p->call[from];

		if (call->op == FORK) {
			from = do_fork(p, from, to);
			continue;
		}
		if (call->async && r == &w.main) {
			wait_for_other();
			w.call = *call;
			w.busy = true;
			sem_post(&w.work);
		} else {
			do_call(r, call);
		}
		from++;
	}
}

static void reap(unsigned int i)
{
	struct runner *r = &w.child[i];
	unsigned int tries = 0;
	int status;

	if (w.born[i].how == HOW_KILLED)
		kill(w.born[i].pid, SIGKILL);
	while (waitpid(w.born[i].pid, &status, WNOHANG) != w.born[i].pid) {
		usleep(200);
		/* One that never stops by itself: its parent called stop */
		if (++tries == 25000 || (atomic_load(&sh->stop) && tries == 500))
			kill(w.born[i].pid, SIGKILL);
	}
	/* A child that had no time to collect: its last call */
	r->tracing = r->cover;
	cover_collect(r);
	r->tracing = false;
	cover_reset(r);
}

/*
 * Destroy what can be destroyed. What lingers may keep others, which can be only
 * afterwards. Returns how many are left; the last of them is in @last, if any.
 */
static unsigned int destroy_all_but(int fd, struct refobj_stat *last)
{
	struct refobj_destroy d = { .size = sizeof(d) };
	unsigned int left, gone;
	struct refobj_stat st;

	do {
		left = 0;
		gone = 0;
		memset(&st, 0, sizeof(st));
		st.size = sizeof(st);
		st.flags = REFOBJ_STAT_NEXT;
		while (!ioctl(fd, REFOBJ_IOC_STAT, &st)) {
			d.id = st.id;
			if (!ioctl(fd, REFOBJ_IOC_DESTROY, &d)) {
				gone++;
			} else if (errno != ESTALE) {
				left++;
				*last = st;
			}
		}
	} while (left && gone);
	return left;
}

/* Every program begins where the one before began. */
static void tidy(void)
{
	struct refobj_destroy d = { .size = sizeof(d) };
	struct refobj_stat last;
	unsigned int i;
	int fd;

	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	wait_for_other();
	for (i = 0; i < w.children; i++)
		reap(i);
	w.children = 0;
	ring_close(&w.main.ring);
	ring_close(&w.other.ring);
	cover_reset(&w.main);
	for (i = 0; i < SLOTS; i++)
		set_slot(i, -1);
	cover_collect(&w.main);
	for (i = 0; i < CROWD; i++) {
		if (w.crowd[i] >= 0)
			close(w.crowd[i]);
		w.crowd[i] = -1;
	}
	while ((fd = recv_fd()) >= 0)
		close(fd);
	if (w.quota_changed)
		for (i = 0; i < QUOTAS; i++)
			do_quota(&(struct call){ .n = i });
	w.quota_changed = false;

	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	for (i = 0; i < SLOTS; i++) {
		d.id = sh->worker[w.number].id[i];
		if (d.id)
			ioctl(fd, REFOBJ_IOC_DESTROY, &d);
		sh->worker[w.number].id[i] = 0;
	}
	/* What children made and could not tell of */
	if (w.recorded % 64 == 0)
		destroy_all_but(fd, &last);
	close(fd);
}

static void record(const struct program *p)
{
	static char text[CALLS * 256];
	unsigned int slot = w.recorded++ % RECENT;
	size_t len;

	if (w.record[slot] < 0)
		return;
	len = sprintf(text, "# worker %u: program %lu, ids from %ju\n", w.number,
		      atomic_load(&sh->programs), (uintmax_t)atomic_load(&sh->last_id));
	len += print_program(text + len, sizeof(text) - len - 16, p);
	len += sprintf(text + len, "\n# end\n");
	if (pwrite(w.record[slot], text, len, 0) != (ssize_t)len)
		trouble("cannot write down a program: %s", strerror(errno));
}

/* Run a program. True if it passed where none had passed. */
static bool run_program(const struct program *p)
{
	atomic_store(&sh->worker[w.number].fresh, false);
	record(p);
	atomic_fetch_add(&sh->worker[w.number].at, 1);
	run_calls(&w.main, p, 0, p->calls);
	tidy();
	atomic_fetch_add(&sh->programs, 1);
	return atomic_load(&sh->worker[w.number].fresh);
}

static void add_to_corpus(const struct program *p)
{
	unsigned int at = atomic_fetch_add(&sh->in_corpus, 1);

	if (at >= CORPUS) {
		atomic_store(&sh->in_corpus, CORPUS);
		return;
	}
	sh->corpus[at].program = *p;
	atomic_store(&sh->corpus[at].ready, true);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* What may be a payload, and what may not; see file_of() */
static void files_open(void)
{
	w.file[0] = memfd_create("payload", MFD_CLOEXEC);
	w.file[1] = memfd_create("another", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	w.file[2] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	w.file[3] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	w.file[4] = open(DEBUGFS "stats", O_RDONLY | O_CLOEXEC);
	w.file[5] = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	w.file[6] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w.file[7] = epoll_create1(EPOLL_CLOEXEC);
	if (w.file[0] < 0 || w.file[1] < 0)
		die("memfd_create: %s", strerror(errno));
}

static void worker_init(unsigned int number)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
	sigaction(SIGALRM, &sa, NULL);
	w.number = number;
	w.verbose = opt.verbose;
	for (i = 0; i < SLOTS; i++)
		w.fd[i] = -1;
	for (i = 0; i < CROWD; i++)
		w.crowd[i] = -1;
	files_open();
	for (i = 0; i < RECENT; i++) {
		char path[512];

		w.record[i] = -1;
		if (!opt.out)
			continue;
		snprintf(path, sizeof(path), "%s/program-%u-%u", opt.out, number, i);
		w.record[i] = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	}
	runner_init(&w.main);
	runner_init(&w.other);
	for (i = 0; i < CHILDREN; i++)
		runner_init(&w.child[i]);
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, w.pair) ||
	    sem_init(&w.work, 0, 0) || sem_init(&w.done, 0, 0) ||
	    pthread_create(&w.thread, NULL, other_thread, NULL))
		die("cannot start a worker: %s", strerror(errno));
	cover_start(&w.main);
}

/*
 * What the kernel says
 */

static int kmsg = -1;

static void kmsg_open(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
}

static void kmsg_check(void)
{
	static const char * const words[] = {
		"WARNING:", "BUG:", "KASAN", "UBSAN", "ODEBUG", "refcount_t:",
		"general protection", "locking dependency", "recursive locking",
		"inconsistent lock", "suspicious RCU", "sleeping function", "lock held",
		"unable to handle", "corruption", "Call Trace:", "detected stall",
	};
	/* The title of the report of a data race that is being read */
	static char race[128];
	char line[8192], *text;
	unsigned int i;
	ssize_t len;

	while (kmsg >= 0 && ((len = read(kmsg, line, sizeof(line) - 1)) > 0 || errno == EPIPE)) {
		if (len <= 0)
			continue;
		line[len] = 0;
		text = strchr(line, ';');
		/* Facilities other than the kernel's are what programs wrote. */
		if (!text || strtoul(line, NULL, 10) > 7)
			continue;
		text[1 + strcspn(text + 1, "\n")] = 0;
		/* The kernel has races of its own: ours have our code in a stack. */
		if (strstr(text, "BUG: KCSAN:"))
			snprintf(race, sizeof(race), "%s", text + 1);
		if (*race) {
			if (strstr(text, "[refobj]"))
				trouble("the kernel says: %s", race);
			if (strstr(text, "=========="))
				*race = 0;
			continue;
		}
		for (i = 0; i < ARRAY_SIZE(words); i++)
			if (strstr(text, words[i]))
				trouble("the kernel says: %s", text + 1);
	}
}

/*
 * The ways to use it
 */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static long long stat_of(const char *name)
{
	long long value;
	char key[64];
	FILE *f = fopen(DEBUGFS "stats", "re");

	while (f && fscanf(f, "%63s %lld", key, &value) == 2) {
		if (!strcmp(key, name)) {
			fclose(f);
			return value;
		}
	}
	if (f)
		fclose(f);
	return -1;
}

/* With every session closed, nothing may be left but what is persistent. */
static void check_end(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	double until = now() + 10;
	struct refobj_stat st;
	unsigned int left;

	/* Rings that were closed with something flying let go of its session later. */
	while ((left = destroy_all_but(fd, &st)) && now() < until)
		usleep(50000);
	if (left)
		trouble("object %llu ('%s') in state %u with %u users cannot be destroyed",
			st.id, st.name, st.state, st.users);
	close(fd);
	/* Network namespaces, and children of killed workers, end in their own time. */
	while ((stat_of("objects") > 0 || stat_of("sessions") > 0) && now() < until)
		usleep(50000);
	if (stat_of("objects") > 0 || stat_of("references") > 0 || stat_of("sessions") > 0 ||
	    stat_of("edges") > 0)
		trouble("left at the end: %lld objects, %lld references, %lld sessions, %lld edges",
			stat_of("objects"), stat_of("references"), stat_of("sessions"),
			stat_of("edges"));
	if (stat_of("activations") != stat_of("deactivations"))
		trouble("%lld activations, but %lld deactivations at the end",
			stat_of("activations"), stat_of("deactivations"));
	kmsg_check();
}

static struct program seeds[CORPUS];
static unsigned int seed_worker[CORPUS];
static unsigned int nr_seeds;

static void take_seed(const struct program *p, unsigned int worker)
{
	if (nr_seeds == CORPUS)
		die("more than %u programs", CORPUS);
	seeds[nr_seeds] = *p;
	seed_worker[nr_seeds++] = worker;
}

static void __attribute__((noreturn)) work(unsigned int number, unsigned int lives)
{
	struct program p;
	unsigned int i;

	worker_init(number);
	/* The seeds are shared out; those of a killed worker are run again. */
	if (lives < 2)
		for (i = number; i < nr_seeds && !atomic_load(&sh->stop); i += opt.workers)
			if (run_program(&seeds[i]) || !guided)
				add_to_corpus(&seeds[i]);
	for (i = 0; !atomic_load(&sh->stop); i++) {
		generate(&p, mix(opt.seed) + ((uint64_t)number << 56) +
			     ((uint64_t)lives << 32) + i);
		if (run_program(&p))
			add_to_corpus(&p);
	}
	exit(0);
}

static pid_t start_worker(unsigned int number, unsigned int lives)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid)
		work(number, lives);
	return pid;
}

static void progress(double begin)
{
	static unsigned long last;
	static double last_time;
	unsigned long programs = atomic_load(&sh->programs);
	double t = now();

	if (!opt.quiet)
		printf("%4.0f s: %lu programs, %.0f/s, %lu calls, %u edges, %u results, %u kept\n",
		       t - begin, programs,
		       (programs - last) / (t - (last_time ? last_time : begin)),
		       atomic_load(&sh->calls), atomic_load(&sh->edges),
		       atomic_load(&sh->results), atomic_load(&sh->in_corpus));
	fflush(stdout);
	last = programs;
	last_time = t;
}

static void save_corpus(void)
{
	unsigned int i, n = atomic_load(&sh->in_corpus);
	static char text[CALLS * 256];
	char path[512];
	FILE *f;

	if (!opt.out)
		return;
	snprintf(path, sizeof(path), "%s/corpus.txt", opt.out);
	f = fopen(path, "we");
	if (!f)
		die("%s: %s", path, strerror(errno));
	for (i = 0; i < n && i < CORPUS; i++) {
		if (!atomic_load(&sh->corpus[i].ready))
			continue;
		print_program(text, sizeof(text), &sh->corpus[i].program);
		fprintf(f, "%s\n", text);
	}
	if (fclose(f))
		die("%s: %s", path, strerror(errno));
}

static void fuzz(void)
{
	unsigned int lives[WORKERS] = { 0 }, i, kills = 0;
	unsigned long at[WORKERS] = { 0 };
	double begin = now(), line = begin + 10, death = begin + 2, moved[WORKERS];
	pid_t pid[WORKERS], dead;
	uint64_t dice = opt.seed;
	int status;

	for (i = 0; i < opt.workers; i++) {
		pid[i] = start_worker(i, 0);
		moved[i] = begin;
	}
	while (!atomic_load(&sh->stop)) {
		double t = now();

		usleep(20000);
		kmsg_check();
		if (t >= line) {
			progress(begin);
			line += 10;
		}
		if (t >= begin + opt.seconds)
			break;
		if (t >= death) {
			dice = mix(dice + 0x9e3779b97f4a7c15ULL);
			kill(pid[dice % opt.workers], SIGKILL);
			death = t + (dice >> 32) % 8000 / 1000.0;
			kills++;
		}
		while ((dead = waitpid(-1, &status, WNOHANG)) > 0) {
			for (i = 0; i < opt.workers && pid[i] != dead; i++)
				;
			if (i == opt.workers)
				continue;
			if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
				trouble("worker %u ended with status %#x", i, status);
			else
				pid[i] = start_worker(i, ++lives[i]);
		}
		for (i = 0; i < opt.workers; i++) {
			unsigned long here = atomic_load(&sh->worker[i].at);

			if (here != at[i]) {
				at[i] = here;
				moved[i] = t;
			} else if (t > moved[i] + 100) {
				trouble("worker %u has been running one program for 100 s", i);
			}
		}
	}
	atomic_store(&sh->stop, 1);
	for (i = 0; i < opt.workers; i++) {
		unsigned int tries;

		for (tries = 0; waitpid(pid[i], NULL, WNOHANG) == 0 && tries < 500; tries++)
			usleep(10000);
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	if (!atomic_load(&sh->trouble))
		check_end();
	progress(begin);
	if (!opt.quiet)
		printf("%u workers were killed\n", kills);
	save_corpus();
}

/*
 * What an object's id is decides where the kernel keeps it. Use ids up until
 * they are what they were, or at least end as those did.
 */
static void use_up_ids(void)
{
	struct refobj_create c = { .size = sizeof(c), .initial = 1 };
	struct refobj_release r = { .size = sizeof(r), .count = 1 };
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	do {
		if (ioctl(fd, REFOBJ_IOC_CREATE, &c) < 0)
			break;
		r.id = c.id;
		ioctl(fd, REFOBJ_IOC_RELEASE, &r);
	} while ((c.id < first_id && first_id - c.id < 1000000) || (c.id - first_id) % 64);
	close(fd);
}

/* Each worker's programs one after the other, those of all workers at once. */
static void replay(void)
{
	unsigned int round, i, number;
	pid_t pid[WORKERS];
	int status;

	for (round = 0; round < opt.times && !atomic_load(&sh->stop); round++) {
		if (first_id != ~0ULL)
			use_up_ids();
		for (number = 0; number < WORKERS; number++) {
			pid[number] = -1;
			for (i = 0; i < nr_seeds && seed_worker[i] != number; i++)
				;
			if (i == nr_seeds)
				continue;
			pid[number] = fork();
			if (pid[number])
				continue;
			worker_init(number);
			for (i = 0; i < nr_seeds; i++) {
				if (seed_worker[i] != number)
					continue;
				if (w.verbose)
					fprintf(stderr, "# worker %u\n", number);
				run_program(&seeds[i]);
			}
			exit(0);
		}
		for (number = 0; number < WORKERS; number++) {
			if (pid[number] < 0)
				continue;
			waitpid(pid[number], &status, 0);
			if (status)
				trouble("worker %u ended with status %#x", number, status);
		}
		kmsg_check();
	}
	if (!atomic_load(&sh->trouble))
		check_end();
}

/*
 * Keep as few programs as pass all edges, and of those the calls that matter.
 */

static uint16_t found[EDGES];

/* Run a program; returns how many edges it passed, which found[] lists. */
static unsigned int find_edges(const struct program *p)
{
	unsigned int i, tries, n = 0;

	memset(sh->edge, 0, sizeof(sh->edge));
	/* A race may go one way or the other. */
	for (tries = 0; tries < 2; tries++)
		run_program(p);
	for (i = 0; i < EDGES; i++)
		if (sh->edge[i])
			found[n++] = i;
	return n;
}

static unsigned int count_wanted(const uint16_t *edge, unsigned int n, const bool *wanted)
{
	unsigned int i, sum = 0;

	for (i = 0; i < n; i++)
		sum += wanted[edge[i]];
	return sum;
}

static unsigned int unwant(const uint16_t *edge, unsigned int n, bool *wanted)
{
	unsigned int sum = count_wanted(edge, n, wanted), i;

	for (i = 0; i < n; i++)
		wanted[edge[i]] = false;
	return sum;
}

/* Leave out every call without which as many of the wanted edges are passed. */
static void shorten(struct program *p, const bool *wanted)
{
	unsigned int want = count_wanted(found, find_edges(p), wanted), at;
	struct program shorter;

	for (at = p->calls; at-- > 0 && p->calls > 1; ) {
		shorter = *p;
		delete_call(&shorter, at);
		if (count_wanted(found, find_edges(&shorter), wanted) >= want)
			*p = shorter;
	}
}

static void minimise(void)
{
	static struct {
		uint16_t *edge;
		unsigned int n;
	} of[CORPUS];
	static bool wanted[EDGES];
	static char text[CALLS * 256];
	unsigned int i, n, best, most, kept = 0, edges = 0;
	char path[512];
	FILE *f;

	if (!guided)
		die("this needs KCOV");
	worker_init(0);
	memset(wanted, 1, sizeof(wanted));
	for (i = 0; i < nr_seeds; i++) {
		of[i].n = find_edges(&seeds[i]);
		of[i].edge = malloc(of[i].n * sizeof(found[0]) + 1);
		memcpy(of[i].edge, found, of[i].n * sizeof(found[0]));
	}
	snprintf(path, sizeof(path), "%s/corpus.txt", opt.out ? opt.out : ".");
	f = fopen(path, "we");
	if (!f)
		die("%s: %s", path, strerror(errno));
	for (;;) {
		for (i = 0, best = 0, most = 0; i < nr_seeds; i++) {
			n = count_wanted(of[i].edge, of[i].n, wanted);
			/* Of two equals the shorter */
			if (n > most || (n && n == most && seeds[i].calls < seeds[best].calls)) {
				most = n;
				best = i;
			}
		}
		if (!most)
			break;
		shorten(&seeds[best], wanted);
		edges += unwant(found, find_edges(&seeds[best]), wanted);
		/* Nor again what only luck passes */
		edges += unwant(of[best].edge, of[best].n, wanted);
		print_program(text, sizeof(text), &seeds[best]);
		fprintf(f, "%s\n", text);
		kept++;
	}
	if (fclose(f))
		die("%s: %s", path, strerror(errno));
	printf("%u of %u programs kept, with %u edges, in %s\n", kept, nr_seeds, edges, path);
}

static int conclude(void)
{
	if (!atomic_load(&sh->trouble))
		return 0;
	printf("TROUBLE: %s\n", sh->text);
	return 1;
}

/* What a command does is not tried where each call of it is refused. */
static unsigned int never_succeeded(bool say)
{
	unsigned int op, n = 0;

	for (op = 0; op <= LAST_COMMAND; op++) {
		if (atomic_load(&sh->result[op * 256]) || atomic_load(&sh->result[op * 256 + 255]))
			continue;
		n++;
		if (say)
			printf("# %s never succeeded\n", ops[op].name);
	}
	return n;
}

/* As a kselftest: the corpus, and a little more, always the same */
static int smoke(void)
{
	unsigned int tries = 0, missing;

	printf("TAP version 13\n1..3\n");
	opt.quiet = true;
	opt.times = 1;
	/* Another worker may have the name, or have used up a quota. */
	do {
		replay();
	} while (never_succeeded(false) && !atomic_load(&sh->trouble) && ++tries < 5);
	printf("# %u programs of the corpus, %u edges, %u results\n", nr_seeds,
	       atomic_load(&sh->edges), atomic_load(&sh->results));
	printf("%sok 1 the corpus does no harm\n", conclude() ? "not " : "");
	fflush(stdout);
	if (atomic_load(&sh->trouble)) {
		printf("ok 2 # SKIP the corpus did harm\nok 3 # SKIP the corpus did harm\n");
		return 1;
	}
	missing = never_succeeded(true);
	printf("%sok 2 the corpus has a success of each command\n", missing ? "not " : "");
	atomic_store(&sh->stop, 0);
	opt.seconds = 3;
	fuzz();
	printf("# %lu programs, %lu calls, %u edges, %u results\n", atomic_load(&sh->programs),
	       atomic_load(&sh->calls), atomic_load(&sh->edges), atomic_load(&sh->results));
	printf("%sok 3 three seconds of fuzzing do no harm\n", conclude() ? "not " : "");
	return atomic_load(&sh->trouble) || missing;
}

static void usage(FILE *to)
{
	fputs("Usage: fuzz_smoke                      a short test (KTAP)\n"
	      "       fuzz_smoke --fuzz [OPTION]...   look for trouble\n"
	      "       fuzz_smoke --replay FILE [OPTION]...\n"
	      "       fuzz_smoke --minimise [OPTION]...\n"
	      "As root, in a machine that may crash: selftests/fuzz/run boots one.\n"
	      "  --seconds N    how long to fuzz (60)\n"
	      "  --workers N    processes (3)\n"
	      "  --seed N       of the random numbers (1)\n"
	      "  --corpus FILE  begin with these programs, not with those built in\n"
	      "  --out DIR      keep here the programs that run now, and corpus.txt\n"
	      "  --times N      replay as often (20)\n"
	      "  -v             say what each call returned\n"
	      "Exit status: 0 no trouble, 1 trouble, 2 wrong command line, 4 no " DEVICE "\n", to);
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 0);

	if (!*text || *end)
		die("'%s' is no count", text);
	return value;
}

static void prepare_faults(void)
{
	static const struct {
		const char *path;
		const char *value;
	} set[] = {
		{ "/sys/kernel/debug/failslab/verbose", "0" },
		{ "/sys/kernel/debug/failslab/ignore-gfp-wait", "N" },
		{ "/sys/kernel/debug/fail_page_alloc/verbose", "0" },
		{ "/sys/kernel/debug/fail_usercopy/verbose", "0" },
	};
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(set); i++) {
		fd = open(set[i].path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (write(fd, set[i].value, 1) < 0)
			die("%s: %s", set[i].path, strerror(errno));
		close(fd);
	}
	faults = !access("/proc/thread-self/fail-nth", W_OK);
}

int main(int argc, char **argv)
{
	enum { SMOKE, FUZZ, REPLAY, MINIMISE } mode = SMOKE;
	const char *corpus = NULL, *file;
	int i, status = 0;

	for (i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(argv[i], "--nothing"))
			return 0;
		if (!strcmp(argv[i], "--help")) {
			usage(stdout);
			return 0;
		}
		if (!strcmp(argv[i], "--fuzz")) {
			mode = FUZZ;
			continue;
		} else if (!strcmp(argv[i], "--minimise")) {
			mode = MINIMISE;
			continue;
		} else if (!strcmp(argv[i], "-v")) {
			opt.verbose = true;
			continue;
		} else if (!strcmp(argv[i], "--replay")) {
			mode = REPLAY;
			corpus = value;
		} else if (!strcmp(argv[i], "--seconds")) {
			opt.seconds = number(value);
		} else if (!strcmp(argv[i], "--workers")) {
			opt.workers = number(value);
		} else if (!strcmp(argv[i], "--seed")) {
			opt.seed = number(value);
		} else if (!strcmp(argv[i], "--times")) {
			opt.times = number(value);
		} else if (!strcmp(argv[i], "--corpus")) {
			corpus = value;
		} else if (!strcmp(argv[i], "--out")) {
			opt.out = value;
		} else {
			usage(stderr);
			return 2;
		}
		i++;
	}
	if (!opt.workers || opt.workers > WORKERS)
		die("--workers must be 1 to %u", WORKERS);
	if (access(DEVICE, R_OK | W_OK)) {
		printf("1..0 # SKIP %s: %s (is the module loaded, and are you root?)\n", DEVICE,
		       strerror(errno));
		return 4;
	}

	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		die("no memory");
	setvbuf(stdout, NULL, _IOLBF, 0);
	find_module();
	kmsg_open();
	prepare_faults();
	guided = text_base && !access("/sys/kernel/debug/kcov", W_OK);
	if (!guided)
		printf("# this kernel has no KCOV: guided by what calls return only\n");
	file = corpus ? corpus : "the corpus";
	parse(corpus ? load(corpus) : fuzz_seeds, file, take_seed);

	quotas_restore(true);
	switch (mode) {
	case SMOKE:
		status = smoke();
		break;
	case FUZZ:
		fuzz();
		never_succeeded(true);
		break;
	case REPLAY:
		replay();
		break;
	case MINIMISE:
		minimise();
		break;
	}
	quotas_restore(false);
	return mode == SMOKE ? status : conclude();
}
