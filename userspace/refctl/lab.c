// SPDX-License-Identifier: GPL-2.0-only
/* The verb that drives the kernel's refcount_t, through refobj_lab.ko. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lab_api.h"
#include "refctl.h"

#define PANIC_ON_WARN	"/proc/sys/kernel/panic_on_warn"

/* One call, or a burst of them. */
struct lab_row {
	const struct lab_function *function;
	int32_t n;
	uint32_t before;
	uint32_t after;
	uint32_t result;
	uint32_t warning;
	uint32_t held;
	uint32_t calls;
	uint32_t succeeded;
	uint64_t ns;
};

/* "max-1" is easier to read than 2147483646. */
static void cell_value(struct cell *cell, uint32_t value)
{
	if (value == REFOBJ_LAB_SATURATED)
		cell->text = xstrdup("saturated");
	else if (value == REFOBJ_LAB_MAX)
		cell->text = xstrdup("max");
	else if (value < REFOBJ_LAB_MAX && value > REFOBJ_LAB_MAX - 10)
		cell->text = xprintf("max-%" PRIu32, REFOBJ_LAB_MAX - value);
	else
		cell->text = xprintf("%" PRIu32, value);
	cell->json = json_object_new_uint64(value);
}

static void get_function(struct cell *cell, const void *row)
{
	cell_string(cell, ((const struct lab_row *)row)->function->name);
}

static void get_n(struct cell *cell, const void *row)
{
	const struct lab_row *r = row;

	if (!r->function->n)
		return;
	cell->text = xprintf("%" PRId32, r->n);
	cell->json = json_object_new_int(r->n);
}

static void get_before(struct cell *cell, const void *row)
{
	cell_value(cell, ((const struct lab_row *)row)->before);
}

static void get_after(struct cell *cell, const void *row)
{
	cell_value(cell, ((const struct lab_row *)row)->after);
}

static void get_result(struct cell *cell, const void *row)
{
	const struct lab_row *r = row;

	if (r->function->returns == LAB_NOTHING)
		return;
	if (r->calls > 1) {
		/* no one result */
		cell->text = xprintf("true: %" PRIu32, r->succeeded);
	} else if (r->function->returns == LAB_VALUE) {
		cell_value(cell, r->result);
	} else {
		cell->text = xstrdup(r->result ? "true" : "false");
		cell->json = json_object_new_boolean(r->result);
	}
}

static void get_warning(struct cell *cell, const void *row)
{
	const struct lab_row *r = row;

	if (r->warning && r->warning < LAB_WARNINGS)
		cell_string(cell, lab_warnings[r->warning].name);
}

static void get_message(struct cell *cell, const void *row)
{
	const struct lab_row *r = row;

	if (r->warning && r->warning < LAB_WARNINGS)
		cell_string(cell, lab_warnings[r->warning].message);
}

static void get_held(struct cell *cell, const void *row)
{
	uint32_t held = ((const struct lab_row *)row)->held;

	if (held & REFOBJ_LAB_HELD_MUTEX)
		cell_string(cell, "mutex");
	else if (held & REFOBJ_LAB_HELD_SPINLOCK)
		cell_string(cell, held & REFOBJ_LAB_HELD_IRQS ?
			    "spinlock,irqs" : "spinlock");
}

static void get_calls(struct cell *cell, const void *row)
{
	cell_uint(cell, ((const struct lab_row *)row)->calls);
}

static void get_succeeded(struct cell *cell, const void *row)
{
	const struct lab_row *r = row;

	if (r->function->returns == LAB_TRUTH)
		cell_uint(cell, r->succeeded);
}

static void get_ns(struct cell *cell, const void *row)
{
	const struct lab_row *r = row;

	if (r->ns)
		cell_uint(cell, r->ns);
}

#define D	COLUMN_DEFAULT
#define R	COLUMN_RIGHT

static const struct column lab_columns[] = {
	{ "FUNCTION", D, 0, "what was called, without refcount_", get_function },
	{ "N", D | R, 0, "its operand", get_n },
	{ "BEFORE", D | R, 0, "the value before", get_before },
	{ "RESULT", D, 0, "what the function returned", get_result },
	{ "AFTER", D | R, 0, "the value after", get_after },
	{ "HELD", D, 0,
	  "what was locked on return: mutex, or spinlock, with irqs if interrupts were off",
	  get_held },
	{ "WARNING", D, 0, "which of the places that warn was passed; not told of a burst",
	  get_warning },
	{ "MESSAGE", D, 0, "what the kernel logs there, the first time",
	  get_message },
	{ "CALLS", R, 0, "how many calls there were", get_calls },
	{ "SUCCEEDED", R, 0, "how many of them returned true", get_succeeded },
	{ "NS", R, 0, "nanoseconds that all calls of a burst took", get_ns },
};

static const struct table lab_table = {
	.name = "lab", .columns = lab_columns,
	.n_columns = ARRAY_SIZE(lab_columns),
};

static struct {
	uint32_t from;
	int32_t limit;
	bool limited;
	uint32_t threads;
	uint32_t times;
} options = { .from = 1 };

/* A value by name, "max" and so on, or by number. */
static bool parse_value(const char *arg, uint32_t *value)
{
	uint64_t n;

	if (!strcmp(arg, "saturated")) {
		*value = REFOBJ_LAB_SATURATED;
	} else if (!strcmp(arg, "max")) {
		*value = REFOBJ_LAB_MAX;
	} else if (!strncmp(arg, "max-", 4) &&
		   parse_number(arg + 4, 10, 0, REFOBJ_LAB_MAX, &n)) {
		*value = REFOBJ_LAB_MAX - (uint32_t)n;
	} else if (parse_number(arg, 0, 0, UINT32_MAX, &n)) {
		*value = (uint32_t)n;
	} else {
		return false;
	}
	return true;
}

/* An int as the function takes it: also a value, and a negative number. */
static bool parse_operand(const char *arg, int32_t *operand)
{
	uint32_t value;
	uint64_t n;

	if (*arg == '-' && parse_number(arg + 1, 0, 0, 1ULL << 31, &n)) {
		*operand = (int32_t)-(int64_t)n;
		return true;
	}
	if (!parse_value(arg, &value))
		return false;
	*operand = (int32_t)value;
	return true;
}

static bool parse_count(const char *what, const char *arg, uint64_t max,
			uint32_t *count)
{
	uint64_t n;

	if (!parse_number(arg, 10, 1, max, &n)) {
		complain(NULL, "bad number of %s '%s': 1 to %" PRIu64 " are possible",
			 what, escape(arg), max);
		return false;
	}
	*count = (uint32_t)n;
	return true;
}

static bool lab_option(int code, const char *arg)
{
	switch (code) {
	case 'f':
		if (parse_value(arg, &options.from))
			return true;
		complain(NULL,
			 "bad value '%s': 0 to 4294967295 are wanted, max, max-1 and so on, or saturated",
			 escape(arg));
		return false;
	case 'l':
		options.limited = true;
		if (parse_operand(arg, &options.limit))
			return true;
		complain(NULL, "bad limit '%s': an int is wanted, max, or max-1 and so on",
			 escape(arg));
		return false;
	case 't':
		return parse_count("threads", arg, REFOBJ_LAB_THREADS_MAX,
				   &options.threads);
	}
	return parse_count("calls", arg, REFOBJ_LAB_BURST_MAX, &options.times);
}

/* "inc", "refcount_inc", ...; NULL: complained. */
static const struct lab_function *find_function(const char *arg)
{
	const char *name = arg;
	int i;

	if (!strncmp(name, "__", 2))
		name += 2;
	if (!strncmp(name, "refcount_", 9))
		name += 9;
	i = lab_function(name);
	if (i >= 0)
		return &lab_functions[i];
	usage_error("unknown function '%s': refctl lab --help lists them",
		    escape(arg));
	return NULL;
}

/* Opens the device, or complains and returns -1. */
static int open_lab(void)
{
	struct utsname uts;
	char *panic;
	bool panics;
	int fd;

	panic = read_line(PANIC_ON_WARN);
	panics = panic && strcmp(panic, "0") != 0;
	free(panic);
	if (panics) {
		complain(NULL,
			 "this kernel panics when it warns, which misuse makes it do: if the machine may be risked, run: sysctl kernel.panic_on_warn=0");
		return -1;
	}
	fd = open(LAB_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		uname(&uts);
		complain(LAB_DEVICE,
			 "no such device: load the lab's module, on a machine for tests: modprobe refobj_lab, or in refobj's source: insmod build/%s/module/refobj_lab.ko",
			 uts.release);
		break;
	case EACCES:
	case EPERM:
		complain(LAB_DEVICE,
			 "permission denied: only root may, with CAP_SYS_ADMIN: run refctl as root");
		break;
	default:
		complain(LAB_DEVICE, "%s", strerror(errno));
	}
	return -1;
}

static void complain_call(const struct lab_function *f, int err)
{
	if (err == EOPNOTSUPP)
		complain(f->name,
			 "this kernel does not have it: refctl lab table shows what it has");
	else
		complain_errno(f->name, err, NULL);
}

/* Sets the counter and calls the function; 0 or an errno. */
static int call_function(int fd, uint32_t from, int32_t limit,
			 struct lab_row *row)
{
	unsigned int function = (unsigned int)(row->function - lab_functions);
	struct refobj_lab_call call = {
		.size = sizeof(call), .n = (int32_t)from,
	};

	if (ioctl(fd, REFOBJ_LAB_IOC_SET, &call))
		return errno;
	call.n = row->n;
	call.limit = limit;
	if (ioctl(fd, REFOBJ_LAB_IOC_CALL(function), &call))
		return errno;
	row->before = call.before;
	row->after = call.after;
	row->result = call.result;
	row->warning = call.warning;
	row->held = call.held;
	row->calls = 1;
	row->succeeded = row->function->returns == LAB_TRUTH && call.result;
	return 0;
}

static int call_burst(int fd, struct lab_row *row)
{
	struct refobj_lab_call set = {
		.size = sizeof(set), .n = (int32_t)options.from,
	};
	struct refobj_lab_burst burst = {
		.size = sizeof(burst),
		.function = (uint32_t)(row->function - lab_functions),
		.threads = options.threads ? options.threads : 1,
		.times = options.times ? options.times : 1,
		.n = row->n, .limit = options.limit,
	};

	if (ioctl(fd, REFOBJ_LAB_IOC_SET, &set) ||
	    ioctl(fd, REFOBJ_LAB_IOC_BURST, &burst))
		return errno;
	row->before = burst.before;
	row->after = burst.after;
	row->calls = burst.threads * burst.times;
	row->succeeded = burst.succeeded;
	row->ns = burst.ns;
	return 0;
}

static int run_function(int argc, char **argv)
{
	const struct lab_function *f = find_function(argv[0]);
	struct lab_row row = { .function = f };
	bool burst = options.threads || options.times;
	int fd, err;

	if (!f)
		return EXIT_USAGE;
	if (f->n && argc < 2)
		return usage_error("%s takes an operand: refctl lab %s N",
				   f->name, f->name);
	if (argc > (f->n ? 2 : 1))
		return usage_error("too many words: %s takes %s", f->name,
				   f->n ? "one operand" : "no operand");
	if (f->n && !parse_operand(argv[1], &row.n))
		return usage_error("bad operand '%s': an int is wanted, max, max-1, or saturated",
				   escape(argv[1]));
	if (f->limit && !options.limited)
		return usage_error("%s takes a limit: --limit N", f->name);
	if (!f->limit && options.limited)
		return usage_error("%s takes no limit", f->name);
	if (burst && f->returns == LAB_VALUE)
		return usage_error("%s changes nothing: a burst of it shows nothing",
				   f->name);
	if ((uint64_t)options.threads * options.times > REFOBJ_LAB_BURST_MAX)
		return usage_error("too much: the calls of all threads may be %u",
				   REFOBJ_LAB_BURST_MAX);
	fd = open_lab();
	if (fd < 0)
		return EXIT_FAILED;
	err = burst ? call_burst(fd, &row) :
		      call_function(fd, options.from, options.limit, &row);
	close(fd);
	if (err) {
		complain_call(f, err);
		return EXIT_FAILED;
	}
	table_print(&lab_table, &row, 1, sizeof(row));
	return EXIT_OK;
}

/* Each function, called on each of these. */
static const uint32_t values[] = {
	0, 1, 2, REFOBJ_LAB_MAX - 1, REFOBJ_LAB_MAX, REFOBJ_LAB_SATURATED,
};

/* With an operand that is not inc's, and leads past the maximum from each side. */
#define TABLE_N		2
#define TABLE_LIMIT	((int32_t)REFOBJ_LAB_MAX)

static int run_table(int argc, char **argv)
{
	struct lab_row rows[REFOBJ_LAB_FUNCTIONS * ARRAY_SIZE(values)];
	bool wanted[REFOBJ_LAB_FUNCTIONS] = { false };
	const struct lab_function *f;
	size_t i, j, n = 0;
	int fd, k, err = 0;

	if (options.threads || options.times || options.limited)
		return usage_error("--threads, --times and --limit are not for table");
	for (k = 0; k < argc; k++) {
		f = find_function(argv[k]);
		if (!f)
			return EXIT_USAGE;
		wanted[f - lab_functions] = true;
	}
	fd = open_lab();
	if (fd < 0)
		return EXIT_FAILED;
	for (i = 0; i < REFOBJ_LAB_FUNCTIONS && !err; i++) {
		if (argc && !wanted[i])
			continue;
		f = &lab_functions[i];
		for (j = 0; j < ARRAY_SIZE(values) && !err; j++) {
			rows[n] = (struct lab_row) {
				.function = f, .n = f->n ? TABLE_N : 0,
			};
			err = call_function(fd, values[j],
					    f->limit ? TABLE_LIMIT : 0,
					    &rows[n]);
			if (!err)
				n++;
		}
		/* what the kernel lacks has no rows, unless it was asked for */
		if (err == EOPNOTSUPP && !argc)
			err = 0;
		else if (err)
			complain_call(f, err);
	}
	close(fd);
	if (err)
		return EXIT_FAILED;
	table_print(&lab_table, rows, n, sizeof(rows[0]));
	return EXIT_OK;
}

static int run_lab(int argc, char **argv)
{
	if (!argc)
		return usage_error("a function is missing, or table");
	if (!strcmp(argv[0], "table"))
		return run_table(argc - 1, argv + 1);
	return run_function(argc, argv);
}

static const struct option_text lab_options[] = {
	{ "from", 'f', "VALUE",
	  "start with this: a number, max, max-1, ..., or saturated (1)" },
	{ "limit", 'l', "N", "the limit of the functions that take one" },
	{ "threads", 't', "K", "call it from K kernel threads at once" },
	{ "times", 'c', "N", "call it N times, in each thread" },
	{ NULL, 0, NULL, NULL }
};

const struct verb verb_lab = {
	.name = "lab",
	.args = "[OPTIONS] FUNCTION [N] | table [FUNCTION...]",
	.summary = "call a function of the kernel's refcount_t (root, for tests)",
	.help = "Calls a function of the kernel's refcount_t on a counter that counts nothing,\n"
		"and prints its result, the value before and after, what it had locked, and\n"
		"whether the kernel warned. Needs the module refobj_lab, and root. Misuse is\n"
		"what it is for: that leaves a warning in the kernel log (once, until 1 is\n"
		"written to debugfs' clear_warn_once), and a tainted kernel.\n"
		"\n"
		"Functions, with or without refcount_ before the name; those with N take an\n"
		"operand:\n"
		"  set N, set_release N, read, add N, inc, add_not_zero N, inc_not_zero,\n"
		"  add_not_zero_acquire N, inc_not_zero_acquire,\n"
		"  add_not_zero_limited_acquire N, inc_not_zero_limited_acquire (with --limit),\n"
		"  sub_and_test N, dec_and_test, dec, dec_if_one, dec_not_one,\n"
		"  dec_and_mutex_lock, dec_and_lock, dec_and_lock_irqsave\n"
		"A negative operand comes after \"--\": refctl lab --from 3 -- add_not_zero -3\n"
		"\n"
		"table calls each function (or those named) on 0, 1, 2, max-1, max and saturated,\n"
		"with an operand of 2 and the limit max, and so shows what this kernel does;\n"
		"functions that it does not have are left out.",
	.options = lab_options,
	.option = lab_option,
	.table = &lab_table,
	.usage_status = EXIT_USAGE,
	.run = run_lab,
};
