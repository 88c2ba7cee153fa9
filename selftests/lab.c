// SPDX-License-Identifier: GPL-2.0-only
/*
 * The real refcount_t, row by row, through refobj_lab.ko: what each function of its
 * API returns and leaves behind, and what the kernel says of misuse. First what the
 * lab answers, then what is in the log: one splat or none, the right one. LKDTM's
 * REFCOUNT_* are among the rows, and where the kernel has LKDTM, it must agree.
 *
 * Needs a boot of its own, in which splats are expected and panic_on_warn is off:
 * lab.sh loads the module and runs this.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include <linux/refobj_lab.h>

#include "refobj_test.h"
#include "../kselftest_harness.h"

#define DEVICE		"/dev/refobj-lab"
#define REARM		"/sys/kernel/debug/clear_warn_once"
#define FAIL_NTH	"/proc/self/fail-nth"
#define FAILSLAB	"/sys/kernel/debug/failslab"
#define LKDTM		"/sys/kernel/debug/provoke-crash/DIRECT"

#define MAX		REFOBJ_LAB_MAX
#define SAT		REFOBJ_LAB_SATURATED
#define F(function)	REFOBJ_LAB_##function
#define W(warning)	REFOBJ_LAB_WARN_##warning

_Static_assert(sizeof(struct refobj_lab_call) == 40, "not as released");
_Static_assert(sizeof(struct refobj_lab_burst) == 48, "not as released");

/*
 * The kernel
 */

/* Those whose refcount.h differs; what is between two is as the older one. */
enum kernel { V6_1, V6_12, V7_2, KERNELS };

/* What the log says of each warning; two of them say the same at two places. */
static const char *const texts[] = {
	[W(NONE)]		= NULL,
	[W(ADD_NOT_ZERO_OVF)]	= "refcount_t: saturated; leaking memory.",
	[W(ADD_OVF)]		= "refcount_t: saturated; leaking memory.",
	[W(ADD_UAF)]		= "refcount_t: addition on 0; use-after-free.",
	[W(SUB_UAF)]		= "refcount_t: underflow; use-after-free.",
	[W(DEC_LEAK)]		= "refcount_t: decrement hit 0; leaking memory.",
	[W(DEC_NOT_ONE)]	= "refcount_t: underflow; use-after-free.",
};

static enum kernel this_kernel(void)
{
	struct utsname uts;
	int major = 0, minor = 0;

	uname(&uts);
	if (sscanf(uts.release, "%d.%d", &major, &minor) != 2)
		return V7_2;
	if (major > 7 || (major == 7 && minor >= 2))
		return V7_2;
	return major == 7 || (major == 6 && minor >= 12) ? V6_12 : V6_1;
}

/* With PREEMPT_RT a spinlock leaves interrupts alone. */
static bool realtime(void)
{
	struct utsname uts;

	uname(&uts);
	return strstr(uts.version, "PREEMPT_RT");
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* Each place that warns does so once, until this. */
static int rearm(void)
{
	return write_file(REARM, "1");
}

/* Tell vm/run, which looks for splats, of what is to come; NULL: no more. */
static void announce(const char *text)
{
	char line[128];

	if (text)
		snprintf(line, sizeof(line), "refobj-expect: %s", text);
	else
		snprintf(line, sizeof(line), "refobj-expect-end");
	write_file("/dev/kmsg", line);
}

/* The log from here on. */
static int log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/*
 * How many lines the kernel has logged since the last call that have @word in them,
 * the first of which, without its prefix, goes to @line.
 */
static int log_count(int log, const char *word, char *line, size_t size)
{
	char record[2048], *text;
	ssize_t len;
	int n = 0;

	line[0] = '\0';
	for (;;) {
		len = read(log, record, sizeof(record) - 1);
		if (len < 0 && errno == EPIPE)
			continue;	/* older ones were overwritten */
		if (len <= 0)
			return n;
		record[len] = '\0';
		text = strchr(record, ';');
		/* the facility of what user space writes is not 0 */
		if (!text || atoi(record) > 7)
			continue;
		text[strcspn(text, "\n")] = '\0';
		if (strstr(++text, word) && !n++)
			snprintf(line, size, "%s", text);
	}
}

/*
 * The lab
 */

static int lab_open(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int lab_call(int lab, unsigned int function, __s32 n, __s32 limit,
		    struct refobj_lab_call *call)
{
	/* what is there on entry must not matter */
	*call = (struct refobj_lab_call) {
		.size = sizeof(*call), .n = n, .limit = limit, .before = 0xa5,
		.after = 0xa5, .result = 0xa5, .warning = 0xa5, .held = 0xa5,
	};
	return ro_ioctl(lab, REFOBJ_LAB_IOC_CALL(function), call);
}

static int lab_set(int lab, __u32 value)
{
	struct refobj_lab_call call;

	return lab_call(lab, F(SET), value, 0, &call);
}

/* The value, which no test expects to be this. */
static __u32 lab_value(int lab)
{
	struct refobj_lab_call call;
	int ret = lab_call(lab, F(READ), 0, 0, &call);

	return ret ? 0xdeadbeef : call.result;
}

static int lab_burst(int lab, unsigned int function, unsigned int threads,
		     unsigned int times, unsigned int flags,
		     struct refobj_lab_burst *burst)
{
	*burst = (struct refobj_lab_burst) {
		.size = sizeof(*burst), .flags = flags, .function = function,
		.threads = threads, .times = times, .before = 0xa5,
		.after = 0xa5, .succeeded = 0xa5, .ns = 0xa5,
	};
	return ro_ioctl(lab, REFOBJ_LAB_IOC_BURST, burst);
}

/*
 * Rows
 */

/* What comes of a call. */
struct outcome {
	bool missing;		/* this kernel has no such function */
	__u32 result;
	__u32 after;
	__u32 warning;
	__u32 held;
};

/* On all kernels. */
#define SAME(...)	{ { __VA_ARGS__ }, { __VA_ARGS__ }, { __VA_ARGS__ } }

struct step {
	enum refobj_lab_function function;
	__s32 n;
	__u32 result;
	__u32 after;
};

struct row {
	__u32 from;
	struct step legal[9];	/* first, and none of them is SET */
	enum refobj_lab_function function;
	__s32 n;
	__s32 limit;
	struct outcome on[KERNELS];
};

/* A call, and what the log has of it. */
static void check_call(struct __test_metadata *_metadata, int lab, int log,
		       enum refobj_lab_function function, __s32 n, __s32 limit,
		       const struct outcome *want)
{
	const char *text = texts[want->warning];
	struct refobj_lab_call call;
	char line[256];
	__u32 before = lab_value(lab);
	int ret, lines;

	ASSERT_EQ(0, rearm());
	log_count(log, "", line, sizeof(line));
	if (text)
		announce(text);
	ret = lab_call(lab, function, n, limit, &call);
	if (text)
		announce(NULL);
	lines = log_count(log, "refcount_t: ", line, sizeof(line));

	if (want->missing) {
		EXPECT_EQ(-EOPNOTSUPP, ret);
		EXPECT_EQ(before, lab_value(lab));
	} else {
		ASSERT_EQ(0, ret);
		EXPECT_EQ(before, call.before);
		EXPECT_EQ(want->result, call.result);
		EXPECT_EQ(want->after, call.after);
		EXPECT_EQ(want->warning, call.warning);
		EXPECT_EQ(want->held, call.held);
		EXPECT_EQ(call.after, lab_value(lab));
	}
	EXPECT_EQ(text ? 1 : 0, lines);
	EXPECT_STREQ(text ? text : "", line);
}

static void check_row(struct __test_metadata *_metadata, int lab, int log,
		      const struct row *row)
{
	struct outcome want = row->on[this_kernel()];
	const struct step *s;

	if (realtime())
		want.held &= ~REFOBJ_LAB_HELD_IRQS;
	ASSERT_EQ(0, lab_set(lab, row->from));
	ASSERT_EQ(row->from, lab_value(lab));
	for (s = row->legal; s->function != F(SET); s++) {
		const struct outcome fine = {
			.result = s->result, .after = s->after,
		};

		check_call(_metadata, lab, log, s->function, s->n, 0, &fine);
	}
	check_call(_metadata, lab, log, row->function, row->n, row->limit,
		   &want);
}

/*
 * Rows that LKDTM has
 */

FIXTURE(lkdtm) {
	int lab;
	int log;
};

FIXTURE_VARIANT(lkdtm) {
	const char *name;
	const char *said;	/* by LKDTM, of the value that it finds */
	struct row row;
};

#define OVERFLOWN	"Overflow detected: saturated"
#define ZERO		"Zero detected: saturated"
#define NEGATIVE	"Negative detected: saturated"
#define STILL		"Saturation detected: still saturated"

#define LKDTM_ROW(_name, _said, ...)					\
	FIXTURE_VARIANT_ADD(lkdtm, _name) {				\
		.name = #_name, .said = (_said), .row = { __VA_ARGS__ },	\
	}

LKDTM_ROW(REFCOUNT_INC_OVERFLOW, OVERFLOWN, .from = MAX - 1,
	  .legal = { { F(DEC), 0, 0, MAX - 2 }, { F(INC), 0, 0, MAX - 1 },
		     { F(INC), 0, 0, MAX } },
	  .function = F(INC), .on = SAME(.after = SAT, .warning = W(ADD_OVF)));
LKDTM_ROW(REFCOUNT_ADD_OVERFLOW, OVERFLOWN, .from = MAX - 1,
	  .legal = { { F(DEC), 0, 0, MAX - 2 }, { F(DEC), 0, 0, MAX - 3 },
		     { F(DEC), 0, 0, MAX - 4 }, { F(DEC), 0, 0, MAX - 5 },
		     { F(ADD), 4, 0, MAX - 1 } },
	  .function = F(ADD), .n = 4,
	  .on = SAME(.after = SAT, .warning = W(ADD_OVF)));
LKDTM_ROW(REFCOUNT_INC_NOT_ZERO_OVERFLOW, OVERFLOWN, .from = MAX,
	  .function = F(INC_NOT_ZERO),
	  .on = SAME(.result = 1, .after = SAT,
		     .warning = W(ADD_NOT_ZERO_OVF)));
LKDTM_ROW(REFCOUNT_ADD_NOT_ZERO_OVERFLOW, OVERFLOWN, .from = MAX,
	  .function = F(ADD_NOT_ZERO), .n = 6,
	  .on = SAME(.result = 1, .after = SAT,
		     .warning = W(ADD_NOT_ZERO_OVF)));
LKDTM_ROW(REFCOUNT_DEC_ZERO, ZERO, .from = 2,
	  .legal = { { F(DEC), 0, 0, 1 } }, .function = F(DEC),
	  .on = SAME(.after = SAT, .warning = W(DEC_LEAK)));
LKDTM_ROW(REFCOUNT_DEC_NEGATIVE, NEGATIVE, .from = 0, .function = F(DEC),
	  .on = SAME(.after = SAT, .warning = W(DEC_LEAK)));
LKDTM_ROW(REFCOUNT_DEC_AND_TEST_NEGATIVE, NEGATIVE, .from = 0,
	  .function = F(DEC_AND_TEST),
	  .on = SAME(.after = SAT, .warning = W(SUB_UAF)));
LKDTM_ROW(REFCOUNT_SUB_AND_TEST_NEGATIVE, NEGATIVE, .from = 3,
	  .function = F(SUB_AND_TEST), .n = 5,
	  .on = SAME(.after = SAT, .warning = W(SUB_UAF)));
LKDTM_ROW(REFCOUNT_SUB_AND_TEST_ZERO, NEGATIVE, .from = 0,
	  .function = F(SUB_AND_TEST), .n = 0,
	  .on = {
		[V6_1]	= { .result = 1, .after = 0 },
		[V6_12]	= { .after = SAT, .warning = W(SUB_UAF) },
		[V7_2]	= { .after = SAT, .warning = W(SUB_UAF) },
	  });
LKDTM_ROW(REFCOUNT_INC_ZERO, ZERO, .from = 0,
	  .legal = { { F(INC_NOT_ZERO), 0, 0, 0 } }, .function = F(INC),
	  .on = SAME(.after = SAT, .warning = W(ADD_UAF)));
LKDTM_ROW(REFCOUNT_ADD_ZERO, ZERO, .from = 0,
	  .legal = { { F(ADD_NOT_ZERO), 3, 0, 0 } }, .function = F(ADD), .n = 3,
	  .on = SAME(.after = SAT, .warning = W(ADD_UAF)));
LKDTM_ROW(REFCOUNT_INC_SATURATED, STILL, .from = SAT, .function = F(INC),
	  .on = SAME(.after = SAT, .warning = W(ADD_OVF)));
LKDTM_ROW(REFCOUNT_DEC_SATURATED, STILL, .from = SAT, .function = F(DEC),
	  .on = SAME(.after = SAT, .warning = W(DEC_LEAK)));
LKDTM_ROW(REFCOUNT_ADD_SATURATED, STILL, .from = SAT, .function = F(ADD),
	  .n = 8, .on = SAME(.after = SAT, .warning = W(ADD_OVF)));
LKDTM_ROW(REFCOUNT_INC_NOT_ZERO_SATURATED, STILL, .from = SAT,
	  .function = F(INC_NOT_ZERO),
	  .on = SAME(.result = 1, .after = SAT,
		     .warning = W(ADD_NOT_ZERO_OVF)));
LKDTM_ROW(REFCOUNT_ADD_NOT_ZERO_SATURATED, STILL, .from = SAT,
	  .function = F(ADD_NOT_ZERO), .n = 7,
	  .on = SAME(.result = 1, .after = SAT,
		     .warning = W(ADD_NOT_ZERO_OVF)));
LKDTM_ROW(REFCOUNT_DEC_AND_TEST_SATURATED, STILL, .from = SAT,
	  .function = F(DEC_AND_TEST),
	  .on = SAME(.after = SAT, .warning = W(SUB_UAF)));
LKDTM_ROW(REFCOUNT_SUB_AND_TEST_SATURATED, STILL, .from = SAT,
	  .function = F(SUB_AND_TEST), .n = 8,
	  .on = SAME(.after = SAT, .warning = W(SUB_UAF)));

FIXTURE_SETUP(lkdtm)
{
	self->lab = lab_open();
	if (self->lab == -ENOENT)
		SKIP(return, "no " DEVICE ": load refobj_lab.ko");
	ASSERT_LE(0, self->lab);
	self->log = log_open();
	ASSERT_LE(0, self->log);
}

FIXTURE_TEARDOWN(lkdtm)
{
	close(self->log);
	close(self->lab);
}

TEST_F(lkdtm, lab)
{
	check_row(_metadata, self->lab, self->log, &variant->row);
}

/* Is @name in LKDTM's list of what it can do? */
static bool lkdtm_has(const char *name)
{
	FILE *f = fopen(LKDTM, "re");
	bool found = false;
	char line[128];

	while (f && !found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		found = !strcmp(line, name);
	}
	if (f)
		fclose(f);
	return found;
}

/* The same through LKDTM: the same splat, and the value as it sees it. */
TEST_F(lkdtm, provoked)
{
	const struct outcome *want = &variant->row.on[this_kernel()];
	const char *text = texts[want->warning];
	char line[256], said[256];
	int log = log_open();

	if (access(LKDTM, F_OK))
		SKIP(goto out, "no LKDTM in this kernel");
	if (!lkdtm_has(variant->name))
		SKIP(goto out, "this kernel's LKDTM does not have it");
	ASSERT_EQ(0, rearm());
	log_count(log, "", line, sizeof(line));
	log_count(self->log, "", line, sizeof(line));
	if (text)
		announce(text);
	ASSERT_EQ(0, write_file(LKDTM, variant->name));
	if (text)
		announce(NULL);
	EXPECT_EQ(text ? 1 : 0,
		  log_count(self->log, "refcount_t: ", line, sizeof(line)));
	EXPECT_STREQ(text ? text : "", line);
	EXPECT_EQ(1, log_count(log, "detected: ", said, sizeof(said)));
	EXPECT_STREQ(variant->said, strstr(said, ": ") ?
				    strstr(said, ": ") + 2 : said);
	/* which is what the lab saw */
	EXPECT_EQ(SAT, want->after);
out:
	close(log);
}

/*
 * Rows that it does not have
 */

FIXTURE(row) {
	int lab;
	int log;
};

FIXTURE_VARIANT(row) {
	struct row row;
};

#define API_ROW(name, ...)						\
	FIXTURE_VARIANT_ADD(row, name) { .row = { __VA_ARGS__ } }

/* What differs from kernel to kernel, besides REFCOUNT_SUB_AND_TEST_ZERO above. */
#define BY_KERNEL(name, _function, _n, _from, _v6_1, _v6_12, _v7_2)	\
	API_ROW(name, .function = (_function), .n = (_n), .from = (_from),	\
	    .on = { [V6_1] = _v6_1, [V6_12] = _v6_12, [V7_2] = _v7_2 })
#define MISSING		{ .missing = true }
#define TRUE(value)	{ .result = 1, .after = (value) }
#define FALSE(value)	{ .result = 0, .after = (value) }
#define VOID(value)	{ .after = (value) }
#define SATURATES	{ .result = 1, .after = SAT, .warning = W(ADD_NOT_ZERO_OVF) }

#define INC_ACQUIRE	F(INC_NOT_ZERO_ACQUIRE)
#define ADD_ACQUIRE	F(ADD_NOT_ZERO_ACQUIRE)

/*        name              function        n    from     6.1      6.12       7.2 */
BY_KERNEL(set_release,      F(SET_RELEASE), 5,   1,       MISSING, VOID(5),   VOID(5));
BY_KERNEL(set_release_sat,  F(SET_RELEASE), SAT, 1,       MISSING, VOID(SAT), VOID(SAT));
BY_KERNEL(inc_acquire_0,    INC_ACQUIRE,    0,   0,       MISSING, FALSE(0),  FALSE(0));
BY_KERNEL(inc_acquire_1,    INC_ACQUIRE,    0,   1,       MISSING, TRUE(2),   TRUE(2));
BY_KERNEL(inc_acquire_max,  INC_ACQUIRE,    0,   MAX,     MISSING, SATURATES, FALSE(MAX));
BY_KERNEL(inc_acquire_sat,  INC_ACQUIRE,    0,   SAT,     MISSING, SATURATES, FALSE(SAT));
BY_KERNEL(add_acquire_0,    ADD_ACQUIRE,    7,   0,       MISSING, FALSE(0),  FALSE(0));
BY_KERNEL(add_acquire_1,    ADD_ACQUIRE,    7,   1,       MISSING, TRUE(8),   TRUE(8));
BY_KERNEL(add_acquire_fits, ADD_ACQUIRE,    7,   MAX - 7, MISSING, TRUE(MAX), TRUE(MAX));
BY_KERNEL(add_acquire_over, ADD_ACQUIRE,    7,   MAX - 6, MISSING, SATURATES, FALSE(MAX - 6));
BY_KERNEL(add_acquire_max,  ADD_ACQUIRE,    7,   MAX,     MISSING, SATURATES, FALSE(MAX));
BY_KERNEL(add_acquire_sat,  ADD_ACQUIRE,    7,   SAT,     MISSING, SATURATES, FALSE(SAT));

/* With a limit, which later kernels have only. */
#define LIMITED(name, _function, _n, _limit, _from, ...)		\
	API_ROW(name, .function = (_function), .n = (_n), .limit = (_limit), \
	    .from = (_from),						\
	    .on = { MISSING, MISSING, [V7_2] = __VA_ARGS__ })
#define ADD_LIMITED	F(ADD_NOT_ZERO_LIMITED_ACQUIRE)
#define INC_LIMITED	F(INC_NOT_ZERO_LIMITED_ACQUIRE)

LIMITED(inc_limited_0, INC_LIMITED, 0, 3, 0, FALSE(0));
LIMITED(inc_limited_below, INC_LIMITED, 0, 3, 2, TRUE(3));
LIMITED(inc_limited_at, INC_LIMITED, 0, 3, 3, FALSE(3));
LIMITED(inc_limited_max, INC_LIMITED, 0, MAX, MAX, FALSE(MAX));
LIMITED(inc_limited_sat, INC_LIMITED, 0, MAX, SAT, FALSE(SAT));
/* A small limit lets a saturated count pass, and it saturates. */
LIMITED(inc_limited_small_sat, INC_LIMITED, 0, 3, SAT, SATURATES);
LIMITED(add_limited_0, ADD_LIMITED, 2, 3, 0, FALSE(0));
LIMITED(add_limited_1, ADD_LIMITED, 2, 3, 1, TRUE(3));
LIMITED(add_limited_over, ADD_LIMITED, 3, 3, 1, FALSE(1));
LIMITED(add_limited_max, ADD_LIMITED, 2, MAX, MAX, FALSE(MAX));
LIMITED(add_limited_sat, ADD_LIMITED, 2, MAX, SAT, FALSE(SAT));

API_ROW(set, .from = 1, .function = F(SET), .n = 7, .on = SAME(.after = 7));
API_ROW(set_sat, .from = 1, .function = F(SET), .n = SAT, .on = SAME(.after = SAT));
API_ROW(read_0, .from = 0, .function = F(READ), .on = SAME(.after = 0));
API_ROW(read_max, .from = MAX, .function = F(READ),
	.on = SAME(.result = MAX, .after = MAX));
/* 3221225472, and not a negative number */
API_ROW(read_sat, .from = SAT, .function = F(READ),
	.on = SAME(.result = 3221225472U, .after = SAT));

API_ROW(inc_1, .from = 1, .function = F(INC), .on = SAME(.after = 2));
API_ROW(add_1, .from = 1, .function = F(ADD), .n = 9, .on = SAME(.after = 10));
/* Adding nothing to nothing is a use after free, too. */
API_ROW(add_nothing_0, .from = 0, .function = F(ADD), .n = 0,
	.on = SAME(.after = SAT, .warning = W(ADD_UAF)));
API_ROW(inc_not_zero_0, .from = 0, .function = F(INC_NOT_ZERO),
	.on = SAME(.after = 0));
API_ROW(inc_not_zero_1, .from = 1, .function = F(INC_NOT_ZERO),
	.on = SAME(.result = 1, .after = 2));
API_ROW(add_not_zero_1, .from = 1, .function = F(ADD_NOT_ZERO), .n = 5,
	.on = SAME(.result = 1, .after = 6));
/* A negative operand is let pass, and may silently lead to 0. */
API_ROW(add_not_zero_negative, .from = 3, .function = F(ADD_NOT_ZERO), .n = -2,
	.on = SAME(.result = 1, .after = 1));
API_ROW(add_not_zero_negative_to_0, .from = 3, .function = F(ADD_NOT_ZERO), .n = -3,
	.on = SAME(.result = 1, .after = 0));
API_ROW(add_not_zero_negative_below, .from = 3, .function = F(ADD_NOT_ZERO), .n = -4,
	.on = SAME(.result = 1, .after = SAT, .warning = W(ADD_NOT_ZERO_OVF)));

API_ROW(sub_and_test_to_0, .from = 3, .function = F(SUB_AND_TEST), .n = 3,
	.on = SAME(.result = 1, .after = 0));
API_ROW(sub_and_test_to_1, .from = 3, .function = F(SUB_AND_TEST), .n = 2,
	.on = SAME(.after = 1));
API_ROW(dec_and_test_1, .from = 1, .function = F(DEC_AND_TEST),
	.on = SAME(.result = 1, .after = 0));
API_ROW(dec_and_test_2, .from = 2, .function = F(DEC_AND_TEST),
	.on = SAME(.after = 1));
API_ROW(dec_1, .from = 1, .function = F(DEC),
	.on = SAME(.after = SAT, .warning = W(DEC_LEAK)));

API_ROW(dec_if_one_0, .from = 0, .function = F(DEC_IF_ONE), .on = SAME(.after = 0));
API_ROW(dec_if_one_1, .from = 1, .function = F(DEC_IF_ONE),
	.on = SAME(.result = 1, .after = 0));
API_ROW(dec_if_one_2, .from = 2, .function = F(DEC_IF_ONE), .on = SAME(.after = 2));
API_ROW(dec_if_one_sat, .from = SAT, .function = F(DEC_IF_ONE),
	.on = SAME(.after = SAT));

/* From 0 it warns by itself, leaves the value alone, and says that it was not 1. */
API_ROW(dec_not_one_0, .from = 0, .function = F(DEC_NOT_ONE),
	.on = SAME(.result = 1, .after = 0, .warning = W(DEC_NOT_ONE)));
API_ROW(dec_not_one_1, .from = 1, .function = F(DEC_NOT_ONE), .on = SAME(.after = 1));
API_ROW(dec_not_one_2, .from = 2, .function = F(DEC_NOT_ONE),
	.on = SAME(.result = 1, .after = 1));
API_ROW(dec_not_one_sat, .from = SAT, .function = F(DEC_NOT_ONE),
	.on = SAME(.result = 1, .after = SAT));

/* The lock is held on return if the last one went, and only then. */
API_ROW(dec_and_mutex_lock_0, .from = 0, .function = F(DEC_AND_MUTEX_LOCK),
	.on = SAME(.after = 0, .warning = W(DEC_NOT_ONE)));
API_ROW(dec_and_mutex_lock_1, .from = 1, .function = F(DEC_AND_MUTEX_LOCK),
	.on = SAME(.result = 1, .after = 0,
		   .held = REFOBJ_LAB_HELD_MUTEX));
API_ROW(dec_and_mutex_lock_2, .from = 2, .function = F(DEC_AND_MUTEX_LOCK),
	.on = SAME(.after = 1));
API_ROW(dec_and_mutex_lock_sat, .from = SAT, .function = F(DEC_AND_MUTEX_LOCK),
	.on = SAME(.after = SAT));
API_ROW(dec_and_lock_0, .from = 0, .function = F(DEC_AND_LOCK),
	.on = SAME(.after = 0, .warning = W(DEC_NOT_ONE)));
API_ROW(dec_and_lock_1, .from = 1, .function = F(DEC_AND_LOCK),
	.on = SAME(.result = 1, .after = 0,
		   .held = REFOBJ_LAB_HELD_SPINLOCK));
API_ROW(dec_and_lock_2, .from = 2, .function = F(DEC_AND_LOCK),
	.on = SAME(.after = 1));
API_ROW(dec_and_lock_sat, .from = SAT, .function = F(DEC_AND_LOCK),
	.on = SAME(.after = SAT));
API_ROW(dec_and_lock_irqsave_0, .from = 0, .function = F(DEC_AND_LOCK_IRQSAVE),
	.on = SAME(.after = 0, .warning = W(DEC_NOT_ONE)));
API_ROW(dec_and_lock_irqsave_1, .from = 1, .function = F(DEC_AND_LOCK_IRQSAVE),
	.on = SAME(.result = 1, .after = 0,
		   .held = REFOBJ_LAB_HELD_SPINLOCK | REFOBJ_LAB_HELD_IRQS));
API_ROW(dec_and_lock_irqsave_2, .from = 2, .function = F(DEC_AND_LOCK_IRQSAVE),
	.on = SAME(.after = 1));
API_ROW(dec_and_lock_irqsave_sat, .from = SAT, .function = F(DEC_AND_LOCK_IRQSAVE),
	.on = SAME(.after = SAT));

FIXTURE_SETUP(row)
{
	self->lab = lab_open();
	if (self->lab == -ENOENT)
		SKIP(return, "no " DEVICE ": load refobj_lab.ko");
	ASSERT_LE(0, self->lab);
	self->log = log_open();
	ASSERT_LE(0, self->log);
}

FIXTURE_TEARDOWN(row)
{
	close(self->log);
	close(self->lab);
}

TEST_F(row, lab)
{
	check_row(_metadata, self->lab, self->log, &variant->row);
}

/*
 * The lab itself
 */

FIXTURE(lab) {
	int lab;
	int log;
	struct refobj_lab_call call;
	struct refobj_lab_burst burst;
	char line[256];
};

FIXTURE_SETUP(lab)
{
	self->lab = lab_open();
	if (self->lab == -ENOENT)
		SKIP(return, "no " DEVICE ": load refobj_lab.ko");
	ASSERT_LE(0, self->lab);
	self->log = log_open();
	ASSERT_LE(0, self->log);
	ASSERT_EQ(0, rearm());
}

FIXTURE_TEARDOWN(lab)
{
	close(self->log);
	close(self->lab);
}

/* One misuse for each place that warns. */
static const struct misuse {
	enum refobj_lab_function function;
	__u32 from;
	__u32 warning;
} misuses[] = {
	{ F(INC_NOT_ZERO), MAX, W(ADD_NOT_ZERO_OVF) },
	{ F(INC), MAX, W(ADD_OVF) },
	{ F(INC), 0, W(ADD_UAF) },
	{ F(DEC_AND_TEST), 0, W(SUB_UAF) },
	{ F(DEC), 1, W(DEC_LEAK) },
	{ F(DEC_NOT_ONE), 0, W(DEC_NOT_ONE) },
};

/*
 * Six places, each of which warns once, until it is armed again: though some have the
 * same text, none silences another. The lab tells of the warning every time.
 */
TEST_F(lab, each_place_warns_once)
{
	unsigned int round, i;

	announce("refcount_t: ");
	for (round = 0; round < 3; round++) {
		if (round == 2)
			ASSERT_EQ(0, rearm());
		for (i = 0; i < ARRAY_SIZE(misuses); i++) {
			const struct misuse *m = &misuses[i];

			ASSERT_EQ(0, lab_set(self->lab, m->from));
			ASSERT_EQ(0, lab_call(self->lab, m->function, 0, 0,
					      &self->call));
			EXPECT_EQ(m->warning, self->call.warning);
			EXPECT_EQ(round != 1,
				  log_count(self->log, "refcount_t: ",
					    self->line, sizeof(self->line)));
			EXPECT_STREQ(round != 1 ? texts[m->warning] : "",
				     self->line);
		}
	}
	announce(NULL);
}

TEST_F(lab, counters_are_private_and_start_at_1)
{
	int other = lab_open();

	ASSERT_LE(0, other);
	EXPECT_EQ(1, lab_value(self->lab));
	ASSERT_EQ(0, lab_set(self->lab, 7));
	EXPECT_EQ(7, lab_value(self->lab));
	EXPECT_EQ(1, lab_value(other));
	close(other);
}

/* The features agree with what the table of rows takes this kernel for. */
TEST_F(lab, functions_of_this_kernel)
{
	enum kernel kernel = this_kernel();
	unsigned int function;

	for (function = 0; function < REFOBJ_LAB_FUNCTIONS; function++) {
		int want = 0;

		switch (function) {
		case F(SET_RELEASE):
		case F(ADD_NOT_ZERO_ACQUIRE):
		case F(INC_NOT_ZERO_ACQUIRE):
			want = kernel < V6_12 ? -EOPNOTSUPP : 0;
			break;
		case F(ADD_NOT_ZERO_LIMITED_ACQUIRE):
		case F(INC_NOT_ZERO_LIMITED_ACQUIRE):
			want = kernel < V7_2 ? -EOPNOTSUPP : 0;
			break;
		}
		ASSERT_EQ(0, lab_set(self->lab, 2));
		EXPECT_EQ(want, lab_call(self->lab, function, 0, 0,
					 &self->call)) {
			TH_LOG("function %u", function);
		}
		if (want) {
			EXPECT_EQ(want, lab_burst(self->lab, function, 1, 1, 0,
						  &self->burst));
		}
	}
}

/*
 * Many at once
 */

#define THREADS		4U
#define TIMES		1000U
#define CALLS		(THREADS * TIMES)

/* What many calls at once come to, whatever their order. */
static const struct race {
	const char *name;
	enum refobj_lab_function function;
	__u32 from;
	__u32 after;
	__u32 succeeded;
	__u32 warning;
} races[] = {
	{ "inc", F(INC), 1, 1 + CALLS, 0, W(NONE) },
	{ "inc up to the maximum", F(INC), MAX - CALLS, MAX, 0, W(NONE) },
	{ "inc past the maximum", F(INC), MAX - 1, SAT, 0, W(ADD_OVF) },
	{ "inc when saturated", F(INC), SAT, SAT, 0, W(ADD_OVF) },
	{ "inc_not_zero", F(INC_NOT_ZERO), 1, 1 + CALLS, CALLS, W(NONE) },
	{ "inc_not_zero from 0", F(INC_NOT_ZERO), 0, 0, 0, W(NONE) },
	{ "inc_not_zero past the maximum", F(INC_NOT_ZERO), MAX - 1, SAT, CALLS,
	  W(ADD_NOT_ZERO_OVF) },
	{ "dec", F(DEC), 1 + CALLS, 1, 0, W(NONE) },
	{ "dec past 1", F(DEC), CALLS, SAT, 0, W(DEC_LEAK) },
	{ "dec_and_test", F(DEC_AND_TEST), CALLS, 0, 1, W(NONE) },
	{ "dec_and_test past 0", F(DEC_AND_TEST), CALLS / 2, SAT, 1,
	  W(SUB_UAF) },
	{ "dec_if_one", F(DEC_IF_ONE), 1, 0, 1, W(NONE) },
	{ "dec_not_one", F(DEC_NOT_ONE), CALLS, 1, CALLS - 1, W(NONE) },
	{ "dec_and_mutex_lock", F(DEC_AND_MUTEX_LOCK), CALLS, 0, 1, W(NONE) },
	{ "dec_and_lock", F(DEC_AND_LOCK), CALLS, 0, 1, W(NONE) },
	{ "dec_and_lock_irqsave", F(DEC_AND_LOCK_IRQSAVE), CALLS, 0, 1,
	  W(NONE) },
};

TEST_F(lab, many_at_once)
{
	const struct race *race;
	size_t i;
	int lines;

	for (i = 0; i < ARRAY_SIZE(races); i++) {
		race = &races[i];
		ASSERT_EQ(0, rearm());
		ASSERT_EQ(0, lab_set(self->lab, race->from));
		if (race->warning)
			announce(texts[race->warning]);
		ASSERT_EQ(0, lab_burst(self->lab, race->function, THREADS,
				       TIMES, 0, &self->burst));
		if (race->warning)
			announce(NULL);
		EXPECT_EQ(race->from, self->burst.before);
		EXPECT_EQ(race->after, self->burst.after) {
			TH_LOG("%s", race->name);
		}
		EXPECT_EQ(race->succeeded, self->burst.succeeded) {
			TH_LOG("%s", race->name);
		}
		/* told, though a coarse clock may tell nothing of it */
		EXPECT_NE(0xa5, self->burst.ns);
		EXPECT_EQ(race->after, lab_value(self->lab));
		/*
		 * Once, though many threads came by it; but those that come at the
		 * same time do not see each other.
		 */
		lines = log_count(self->log, "refcount_t: ", self->line,
				  sizeof(self->line));
		EXPECT_LE(race->warning ? 1 : 0, lines) {
			TH_LOG("%s", race->name);
		}
		EXPECT_GE(race->warning ? (int)THREADS : 0, lines) {
			TH_LOG("%s", race->name);
		}
		EXPECT_STREQ(race->warning ? texts[race->warning] : "",
			     self->line);
	}
}

/*
 * LKDTM's two timings, which go up to INT_MAX and back: here as far as takes no time
 * to speak of, as they are about the value in the end.
 */
static void timing(struct __test_metadata *_metadata, int lab, int flags)
{
	const unsigned int times = 100000;
	struct refobj_lab_burst burst;

	ASSERT_EQ(0, lab_set(lab, 1));
	ASSERT_EQ(0, lab_burst(lab, F(INC), 1, times, flags, &burst));
	EXPECT_EQ(1 + times, burst.after);
	TH_LOG("inc: %llu ns for each", (unsigned long long)burst.ns / times);
	ASSERT_EQ(0, lab_burst(lab, F(DEC_AND_TEST), 1, times, flags, &burst));
	EXPECT_EQ(1, burst.after);
	EXPECT_EQ(0, burst.succeeded);
	TH_LOG("dec_and_test: %llu ns for each",
	       (unsigned long long)burst.ns / times);
	ASSERT_EQ(0, lab_burst(lab, F(DEC_AND_TEST), 1, 1, flags, &burst));
	EXPECT_EQ(0, burst.after);
	EXPECT_EQ(1, burst.succeeded);
}

TEST_F(lab, REFCOUNT_TIMING)
{
	timing(_metadata, self->lab, 0);
	EXPECT_EQ(0, log_count(self->log, "refcount_t: ", self->line,
			       sizeof(self->line)));
}

TEST_F(lab, ATOMIC_TIMING)
{
	timing(_metadata, self->lab, REFOBJ_LAB_BURST_ATOMIC);
	/* which wraps in silence, where a refcount_t saturates */
	ASSERT_EQ(0, lab_set(self->lab, MAX));
	ASSERT_EQ(0, lab_burst(self->lab, F(INC), 2, 5,
			       REFOBJ_LAB_BURST_ATOMIC, &self->burst));
	EXPECT_EQ(MAX + 10, self->burst.after);
	EXPECT_EQ(0, log_count(self->log, "refcount_t: ", self->line,
			       sizeof(self->line)));
}

/* How many kernel threads of the lab's there are. */
static int lab_threads(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char path[300], comm[32];
	int n = 0;
	FILE *f;

	while (proc && (entry = readdir(proc))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(comm, sizeof(comm), f) &&
		    !strncmp(comm, "refobj_lab/", 11))
			n++;
		fclose(f);
	}
	if (proc)
		closedir(proc);
	return n;
}

TEST_F(lab, burst_is_killable)
{
	int status;
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		while (!lab_set(self->lab, 1) &&
		       !lab_burst(self->lab, F(INC), 8,
				  REFOBJ_LAB_BURST_MAX / 8, 0, &self->burst))
			;
		_exit(1);
	}
	/* all are there: the next is the start */
	while (lab_threads() < 8 && !waitpid(pid, &status, WNOHANG))
		;
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
	EXPECT_EQ(0, lab_threads());
	/* before it was through, ... */
	EXPECT_GT(1 + REFOBJ_LAB_BURST_MAX, lab_value(self->lab));
	/* ... and the counter is as usable as before */
	EXPECT_EQ(0, lab_set(self->lab, 3));
	EXPECT_EQ(3, lab_value(self->lab));
}

/*
 * The contract
 */

TEST_F(lab, commands_that_there_are_not)
{
	struct refobj_lab_call call = { .size = sizeof(call) };
	const unsigned long unknown[] = {
		_IOWR(REFOBJ_LAB_IOC_MAGIC, 0x3f, struct refobj_lab_call),
		REFOBJ_LAB_IOC_CALL(REFOBJ_LAB_FUNCTIONS),
		_IOWR(REFOBJ_LAB_IOC_MAGIC, 0x7e, struct refobj_lab_burst),
		_IOWR(REFOBJ_LAB_IOC_MAGIC, 0x80, struct refobj_lab_call),
		_IOWR(REFOBJ_LAB_IOC_MAGIC + 1, 0x44, struct refobj_lab_call),
		_IOW(REFOBJ_LAB_IOC_MAGIC, 0x44, struct refobj_lab_call),
		_IOR(REFOBJ_LAB_IOC_MAGIC, 0x44, struct refobj_lab_call),
		_IO(REFOBJ_LAB_IOC_MAGIC, 0x44),
		REFOBJ_IOC_INFO,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		EXPECT_EQ(-ENOTTY, ro_ioctl(self->lab, unknown[i], &call)) {
			TH_LOG("command %#lx", unknown[i]);
		}
	}
	EXPECT_EQ(1, lab_value(self->lab));
}

/* A command of @size bytes. */
static unsigned long sized(unsigned long cmd, size_t size)
{
	return _IOC(_IOC_DIR(cmd), _IOC_TYPE(cmd), _IOC_NR(cmd), size);
}

TEST_F(lab, sizes)
{
	const unsigned long cmds[] = { REFOBJ_LAB_IOC_INC, REFOBJ_LAB_IOC_BURST };
	union {
		__u32 size;
		struct refobj_lab_call call;
		struct refobj_lab_burst burst;
		char bytes[8192];
	} args;
	size_t i, known;

	for (i = 0; i < 2; i++) {
		memset(&args, 0, sizeof(args));
		if (i)
			args.burst = (struct refobj_lab_burst) {
				.function = F(INC), .threads = 1, .times = 1,
			};
		known = _IOC_SIZE(cmds[i]);
		ASSERT_EQ(0, lab_set(self->lab, 1));
		args.size = known - 4;
		EXPECT_EQ(-EINVAL, ro_ioctl(self->lab,
					    sized(cmds[i], known - 4), &args));
		args.size = 0;
		EXPECT_EQ(-EINVAL, ro_ioctl(self->lab, sized(cmds[i], 0),
					    &args));
		EXPECT_EQ(-EINVAL, ro_ioctl(self->lab, cmds[i], &args));
		args.size = known + 8;
		EXPECT_EQ(-EINVAL, ro_ioctl(self->lab, cmds[i], &args));
		/* of a later version, which has something to say */
		args.bytes[known + 7] = 1;
		EXPECT_EQ(-E2BIG, ro_ioctl(self->lab,
					   sized(cmds[i], known + 8), &args));
		args.bytes[known + 7] = 0;
		args.size = 4104;
		EXPECT_EQ(-E2BIG, ro_ioctl(self->lab, sized(cmds[i], 4104),
					   &args));
		EXPECT_EQ(1, lab_value(self->lab));
		/* of one that has nothing */
		args.size = known + 8;
		EXPECT_EQ(0, ro_ioctl(self->lab, sized(cmds[i], known + 8),
				      &args));
		args.size = 4096;
		EXPECT_EQ(0, ro_ioctl(self->lab, sized(cmds[i], 4096), &args));
		EXPECT_EQ(4096, args.size);
		EXPECT_EQ(3, lab_value(self->lab));
	}
}

TEST_F(lab, flags_and_reserved_fields)
{
	struct refobj_lab_call call = { .size = sizeof(call), .flags = 1 };

	EXPECT_EQ(-EOPNOTSUPP, ro_ioctl(self->lab, REFOBJ_LAB_IOC_INC, &call));
	call.flags = 1U << 31;
	EXPECT_EQ(-EOPNOTSUPP, ro_ioctl(self->lab, REFOBJ_LAB_IOC_INC, &call));
	call.flags = 0;
	call.reserved = 1;
	EXPECT_EQ(-EOPNOTSUPP, ro_ioctl(self->lab, REFOBJ_LAB_IOC_INC, &call));
	call.reserved = 0;
	EXPECT_EQ(-EOPNOTSUPP, lab_burst(self->lab, F(INC), 1, 1,
					 REFOBJ_LAB_BURST_ATOMIC << 1,
					 &self->burst));
	EXPECT_EQ(1, lab_value(self->lab));
	EXPECT_EQ(0, ro_ioctl(self->lab, REFOBJ_LAB_IOC_INC, &call));
	EXPECT_EQ(2, lab_value(self->lab));
}

/* An operand, or a limit, for a function that takes none. */
TEST_F(lab, operands)
{
	static const enum refobj_lab_function without[] = {
		F(READ), F(INC), F(INC_NOT_ZERO), F(DEC_AND_TEST), F(DEC),
		F(DEC_IF_ONE), F(DEC_NOT_ONE), F(DEC_AND_MUTEX_LOCK),
		F(DEC_AND_LOCK), F(DEC_AND_LOCK_IRQSAVE),
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(without); i++) {
		EXPECT_EQ(-EINVAL, lab_call(self->lab, without[i], 1, 0,
					    &self->call)) {
			TH_LOG("function %d", without[i]);
		}
	}
	EXPECT_EQ(-EINVAL, lab_call(self->lab, F(ADD), 1, 1, &self->call));
	EXPECT_EQ(-EINVAL, lab_call(self->lab, F(INC), 0, 1, &self->call));
	EXPECT_EQ(1, lab_value(self->lab));
}

TEST_F(lab, bursts_that_are_refused)
{
	struct refobj_lab_burst burst = {
		.size = sizeof(burst), .function = F(INC), .threads = 1,
		.times = 1, .n = 1,
	};
	int lab = self->lab;

	EXPECT_EQ(-EINVAL, ro_ioctl(lab, REFOBJ_LAB_IOC_BURST, &burst));
	burst.n = 0;
	burst.limit = 1;
	EXPECT_EQ(-EINVAL, ro_ioctl(lab, REFOBJ_LAB_IOC_BURST, &burst));
	EXPECT_EQ(-EINVAL, lab_burst(lab, F(INC), 0, 1, 0, &burst));
	EXPECT_EQ(-EINVAL, lab_burst(lab, F(INC), 1, 0, 0, &burst));
	EXPECT_EQ(-EINVAL, lab_burst(lab, F(INC), REFOBJ_LAB_THREADS_MAX + 1, 1,
				     0, &burst));
	EXPECT_EQ(-EINVAL, lab_burst(lab, F(INC), 1, REFOBJ_LAB_BURST_MAX + 1,
				     0, &burst));
	EXPECT_EQ(-EINVAL, lab_burst(lab, F(INC), 2,
				     REFOBJ_LAB_BURST_MAX / 2 + 1, 0, &burst));
	EXPECT_EQ(-EINVAL, lab_burst(lab, F(READ), 1, 1, 0, &burst));
	EXPECT_EQ(-EINVAL, lab_burst(lab, REFOBJ_LAB_FUNCTIONS, 1, 1, 0,
				     &burst));
	EXPECT_EQ(-EINVAL, lab_burst(lab, ~0U, 1, 1, 0, &burst));
	EXPECT_EQ(-EINVAL, lab_burst(lab, F(INC_NOT_ZERO), 1, 1,
				     REFOBJ_LAB_BURST_ATOMIC, &burst));
	EXPECT_EQ(1, lab_value(lab));
	EXPECT_EQ(0, lab_burst(lab, F(INC), REFOBJ_LAB_THREADS_MAX, 1, 0,
			       &burst));
	EXPECT_EQ(1 + REFOBJ_LAB_THREADS_MAX, lab_value(lab));
}

/* A misuse whose result cannot be told is not made: nothing changes, none warns. */
TEST_F(lab, memory_that_is_not_there)
{
	const long page = sysconf(_SC_PAGESIZE);
	struct refobj_lab_burst *burst;
	struct refobj_lab_call *call;

	ASSERT_EQ(0, lab_set(self->lab, MAX));
	EXPECT_EQ(-EFAULT, ro_ioctl(self->lab, REFOBJ_LAB_IOC_INC, NULL));
	EXPECT_EQ(-EFAULT, ro_ioctl(self->lab, REFOBJ_LAB_IOC_BURST, NULL));

	call = mmap(NULL, page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, call);
	burst = (void *)call;
	call->size = sizeof(*call);
	ASSERT_EQ(0, mprotect(call, page, PROT_READ));
	EXPECT_EQ(-EFAULT, ro_ioctl(self->lab, REFOBJ_LAB_IOC_INC, call));
	ASSERT_EQ(0, mprotect(call, page, PROT_READ | PROT_WRITE));
	*burst = (struct refobj_lab_burst) {
		.size = sizeof(*burst), .function = F(INC), .threads = 2,
		.times = 2,
	};
	ASSERT_EQ(0, mprotect(call, page, PROT_READ));
	EXPECT_EQ(-EFAULT, ro_ioctl(self->lab, REFOBJ_LAB_IOC_BURST, burst));
	munmap(call, page);
	EXPECT_EQ(MAX, lab_value(self->lab));
	EXPECT_EQ(0, log_count(self->log, "refcount_t: ", self->line,
			       sizeof(self->line)));
}

/* Of this process's next calls the @n-th thing that can fail does; 0: none. */
static void fail_nth(int nth, unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	/* which may be it */
	while (pwrite(nth, text, strlen(text), 0) < 0)
		;
}

/* Did it? If this fails in its stead, it may be asked of one more. */
static bool failed(int nth)
{
	char text[16] = "";

	return pread(nth, text, sizeof(text) - 1, 0) < 0 || !atoi(text);
}

/*
 * No memory, or a structure that vanishes, at any point: nothing has changed, even if
 * the function was called by then, and there are no threads left.
 */
TEST_F(lab, whatever_fails)
{
	int ret, nth = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	unsigned int burst, n;
	bool more;

	if (nth < 0)
		SKIP(return, "no fault injection in this kernel");
	write_file(FAILSLAB "/ignore-gfp-wait", "N");
	write_file(FAILSLAB "/verbose", "0");
	write_file("/sys/kernel/debug/fail_usercopy/verbose", "0");
	for (burst = 0; burst < 2; burst++) {
		for (more = true, n = 1; more && n < 100; n++) {
			ASSERT_EQ(0, lab_set(self->lab, 5));
			fail_nth(nth, n);
			ret = burst ? lab_burst(self->lab, F(INC), 3, 4, 0,
						&self->burst) :
				      lab_call(self->lab, F(INC), 0, 0,
					       &self->call);
			more = failed(nth);
			fail_nth(nth, 0);
			EXPECT_TRUE(!ret || ret == -ENOMEM || ret == -EFAULT);
			EXPECT_EQ(ret ? 5 : burst ? 17 : 6,
				  lab_value(self->lab)) {
				TH_LOG("failure %u, which ended as %d", n, ret);
			}
			EXPECT_EQ(0, lab_threads());
		}
		/* at least the three copies; and what each thread takes */
		EXPECT_LT(burst ? 6 : 3, n - 1);
		EXPECT_FALSE(more);
	}
	close(nth);
}

/* As this user, and with these capabilities; what opening says, in a child. */
static int open_as(uid_t uid, bool admin)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];
	int status;
	pid_t pid = fork();

	if (pid)
		return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ?
			-WEXITSTATUS(status) : -EIO;
	if (uid && (setgroups(0, NULL) || setresgid(uid, uid, uid) ||
		    setresuid(uid, uid, uid)))
		_exit(EIO);
	if (!uid && !admin) {
		if (syscall(SYS_capget, &head, data))
			_exit(EIO);
		data[0].effective &= ~(1U << CAP_SYS_ADMIN);
		if (syscall(SYS_capset, &head, data))
			_exit(EIO);
	}
	status = lab_open();
	_exit(status < 0 ? -status : 0);
}

TEST_F(lab, who_may_open_it)
{
	struct stat st;

	ASSERT_EQ(0, stat(DEVICE, &st));
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_EQ(0, st.st_uid);
	EXPECT_EQ(0, open_as(0, true));
	EXPECT_EQ(-EPERM, open_as(0, false));
	EXPECT_EQ(-EACCES, open_as(65534, false));
	/* whatever its mode says */
	ASSERT_EQ(0, chmod(DEVICE, 0666));
	EXPECT_EQ(-EPERM, open_as(65534, false));
	ASSERT_EQ(0, chmod(DEVICE, 0600));
}

TEST_HARNESS_MAIN
