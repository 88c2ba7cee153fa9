// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module against a model of it. Random operations are done by several real
 * processes, which open, share, inherit, execute with and lose sessions; after
 * each operation its result and everything that can be seen are compared with a
 * model of a few arrays. Now and then all processes act at once, in no order:
 * then the sums must be right. What has edges, descriptors or a builder is left out
 * of that, as nobody could tell what is to become of it.
 *
 * The coordinator has a registry (a network namespace) and a uid to itself, so
 * that nothing is seen which the model does not know. It knows the workers'
 * descriptors: session s of a worker is its descriptor FD_SESSION + s, and object
 * descriptor s is FD_OBJECT + s.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/sched.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "model.h"
#include "refobj_proc.h"

#define fallthrough	__attribute__((__fallthrough__))
#ifndef __printf
#define __printf(a, b)	__attribute__((format(printf, a, b)))
#endif

#define BURST		40	/* steps of a worker */
#define SEEN		(OBJECTS + WORKERS * BURST)
#define SLACK		64	/* released references that a session keeps charged */
#define REFERENCES_MAX	900000	/* stay below the quota */
#define HOLDERS_MAX	(SESSIONS + EXPORTS + OBJECTS)
#define EVENTS_MAX	512	/* unread, more than which a session does not keep */
#define EVENTS_MANY	200	/* unread, at which it is time to read some */
#define READ_MAX	16
#define STEPS		50	/* of a SUBMIT; more than the module does at a time */
#define NOBODY		(-1)

/* The worker's descriptors; those below and between are the coordinator's. */
#define FD_PRIVATE	3
#define FD_DOWN		40	/* + 2 * worker: what it is told */
#define FD_UP		41	/* + 2 * worker: what it answers */
#define FD_FILE		55	/* the payload, everybody's */
#define FD_OURS		60	/* + 2 * worker: the coordinator's ends */
#define FD_OBSERVER	90
#define FD_SESSION	100
#define FD_OBJECT	110

const char * const verb[KINDS + 1] = {
	[SPAWN] = "spawn", [FORK] = "fork", [EXEC] = "exec", [KILL] = "kill",
	[EXIT] = "exit", [OPEN] = "open", [CLOSE] = "close", [DUP] = "dup",
	[TAKE] = "take", [CREATE] = "create", [ATTACH] = "attach",
	[LOOKUP] = "lookup", [ACQUIRE] = "acquire", [RELEASE] = "release",
	[RELEASE_ALL] = "release_all", [RELEASE_SESSION] = "release_session",
	[STAT] = "stat", [HOLDERS] = "holders", [WALK] = "walk",
	[DESTROY] = "destroy", [SET_WHY] = "set_why",
	[SET_WHY_SESSION] = "set_why_session", [ADOPT] = "adopt",
	[WATCH] = "watch", [READ] = "read", [WAIT] = "wait",
	[PUBLISH] = "publish", [SET_FILE] = "set_file",
	[GET_FILE] = "get_file", [SET_VALUE] = "set_value",
	[GET_VALUE] = "get_value", [LINK] = "link", [UNLINK] = "unlink",
	[EXPORT] = "export", [IMPORT] = "import",
	[CLOSE_OBJFD] = "close_objfd", [READ_OBJFD] = "read_objfd",
	[SUBMIT] = "submit",
	[TOGETHER] = "together",
	[FLASH] = "flash",
};

/* What a worker is told: an operation, with what it cannot know by itself. */
struct order {
	struct op op;
	__u64 id;
	__u64 dep;
	__u64 version;
	pid_t pid;
	struct refobj_op step[STEPS];	/* SUBMIT */
	unsigned int steps;
};

struct reply {
	int ret;
	unsigned int n, total, created;
	__u64 id;
	__u64 version;
	int polled, unread;		/* READ: bytes; READ_OBJFD: changes */
	struct refobj_stat stat;
	union {
		struct refobj_holder holder[HOLDERS_MAX + 1];
		struct refobj_event event[READ_MAX];
		unsigned char value[REFOBJ_VALUE_MAX];
		__u64 walk[4 * OBJECTS];
		int result[STEPS];
	};
};

/*
 * What a worker knows when all act together. A session is its alone if no other
 * worker has it: then it knows what the session holds.
 */
struct orders {
	__u64 id[OBJECTS];
	__u64 session[FDS];
	unsigned int held[FDS][OBJECTS];
	unsigned char open[FDS];
	unsigned char alone[FDS];
	unsigned char mortal[FDS];	/* it may end with another worker */
	unsigned char same[FDS];	/* first descriptor of that session */
	unsigned char shy[OBJECTS];	/* not to be touched */
	unsigned char objects;		/* those before it may be */
};

/* What it reports of each step, before and after. */
struct event {
	unsigned char kind, s, o, after;
	unsigned int n, flags, created;
	int ret;
	__u64 id;
	char wrong[80];
};

struct outcome *out;
struct limits limits = { .actors = WORKERS, .objects = OBJECTS, .kills = -1 };
unsigned int patience = 1;

/*
 * Random numbers
 */

static uint64_t rnd_state;

static unsigned int rnd(unsigned int below)
{
	uint64_t z = rnd_state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (z ^ z >> 31) % below;
}

static bool one_in(unsigned int n)
{
	return !rnd(n);
}

/*
 * Messages
 */

static bool send_all(int fd, const void *data, size_t size)
{
	return write(fd, data, size) == (ssize_t)size;
}

static bool receive_all(int fd, void *data, size_t size)
{
	char *p = data;
	ssize_t n;

	for (; size; size -= n, p += n) {
		n = read(fd, p, size);
		if (n <= 0)
			return false;
	}
	return true;
}

static const char *object_name(unsigned int o)
{
	static char name[16];

	name[0] = 0;
	if (o < NAMED)
		snprintf(name, sizeof(name), "object-%u", o);
	return name;
}

/* Those of a session and those of a reference differ: see settle(). */
static const char * const why_text[WHYS] = {
	"", "needed", "needed for something", "open", "open because of something",
};

/*
 * The worker
 */

static int set_why(int fd, __u64 id, unsigned int why)
{
	struct refobj_set_why w = { .size = sizeof(w), .id = id };

	memcpy(w.why, why_text[why], strlen(why_text[why]));
	return ro_ioctl(fd, REFOBJ_IOC_SET_WHY, &w);
}

static int stat_next(int fd, __u64 id, struct refobj_stat *st)
{
	memset(st, 0, sizeof(*st));
	st->size = sizeof(*st);
	st->flags = REFOBJ_STAT_NEXT;
	st->id = id;
	return ro_ioctl(fd, REFOBJ_IOC_STAT, st);
}

/* All holders, @step at a time. */
static int all_holders(int fd, __u64 id, unsigned int step,
		       struct refobj_holder *records, unsigned int *n,
		       unsigned int *total)
{
	struct refobj_holders h = {
		.size = sizeof(h), .id = id,
		.record_size = sizeof(*records),
	};
	int ret;

	*n = 0;
	do {
		h.records = (uintptr_t)(records + *n);
		h.capacity = HOLDERS_MAX + 1 - *n;
		if (step && step < h.capacity)
			h.capacity = step;
		ret = ro_ioctl(fd, REFOBJ_IOC_HOLDERS, &h);
		if (ret < 0)
			return ret;
		*n += h.count;
		*total = h.total;
	} while (h.cursor && *n <= HOLDERS_MAX);
	return 0;
}

static int walk(int fd, __u64 *ids, unsigned int max, unsigned int *n)
{
	struct refobj_stat st = { .id = 0 };
	int ret;

	for (*n = 0;; ids[(*n)++] = st.id) {
		ret = stat_next(fd, st.id, &st);
		if (ret < 0)
			return ret == -ENOENT ? 0 : ret;
		if (*n == max)
			return -ENOSPC;
	}
}

static int open_session(int want, bool cloexec, __u64 *session)
{
	struct refobj_info info = { .size = sizeof(info) };
	int fd = open(REFOBJ_DEV, O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = ro_ioctl(fd, REFOBJ_IOC_INFO, &info);
	*session = info.session;
	if (!ret && fcntl(fd, F_SETFL, O_NONBLOCK))
		ret = -errno;
	if (!ret && dup3(fd, want, cloexec ? O_CLOEXEC : 0) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* Another descriptor of another worker's session. */
static int take_session(pid_t pid, int fd, int want, bool cloexec)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0), ret = 0;

	if (pidfd < 0)
		return -errno;
	fd = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (fd < 0 || dup3(fd, want, cloexec ? O_CLOEXEC : 0) < 0)
		ret = -errno;
	if (fd >= 0)
		close(fd);
	close(pidfd);
	return ret;
}

/* fork() of a child of the coordinator. */
static pid_t fork_sibling(void)
{
	struct clone_args args = { .flags = CLONE_PARENT };
	long ret = syscall(SYS_clone3, &args, sizeof(args));

	return ret < 0 ? -errno : ret;
}

static void worker_exec(unsigned int w)
{
	char number[12];

	snprintf(number, sizeof(number), "%u", w);
	execl("/proc/self/exe", "model", "stress", "worker", number,
	      (char *)NULL);
	_exit(97);
}

static unsigned int object_flags(const struct op *op)
{
	return (op->flag & 1 ? REFOBJ_PERSISTENT : 0) |
	       (op->flag & 4 ? REFOBJ_BUILD : 0);
}

static unsigned int attach_flags(const struct op *op)
{
	return object_flags(op) | (op->flag & 2 ? REFOBJ_ATTACH_EXISTING : 0);
}

static unsigned int acquire_flags(const struct op *op)
{
	return (op->flag & 1 ? REFOBJ_ACQUIRE_NOT_ZERO : 0) |
	       (op->flag & 2 ? REFOBJ_ACQUIRE_BUILD : 0);
}

static int worker_adopt(int fd, bool nobody)
{
	struct refobj_adopt a = {
		.size = sizeof(a), .flags = nobody ? REFOBJ_ADOPT_NOBODY : 0,
	};

	return ro_ioctl(fd, REFOBJ_IOC_ADOPT, &a);
}

static __u64 cookie_of(const struct op *op)
{
	return (__u64)op->n << 32 | op->flag;
}

/* What READ does not need is asked for first, as it changes nothing. */
static int worker_read(int fd, unsigned int n, struct reply *r)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, 1, 0) < 0)
		return -errno;
	r->polled = p.revents;
	if (ioctl(fd, FIONREAD, &r->unread))
		r->unread = -errno;
	return ro_read_events(fd, r->event, n < READ_MAX ? n : READ_MAX);
}

static int worker_wait(int fd, const struct order *order)
{
	const struct op *op = &order->op;
	const struct refobj_condition c = {
		.id = order->id, .until = op->flag & 7, .users = op->n,
		.flags = op->flag & 8 ? REFOBJ_COND_BUILD : 0,
	};

	return ro_wait_for(fd, &c, 1, op->n & 1 ? REFOBJ_WAIT_ALL : 0, 0);
}

static int worker_file(unsigned int cmd, int fd, const struct order *order)
{
	const struct op *op = &order->op;
	struct refobj_payload a = { .size = sizeof(a), .id = order->id };
	struct stat ours, theirs;
	int ret;

	if (op->kind == PUBLISH && op->flag)
		a.flags = REFOBJ_PUBLISH_FILE;
	if (op->kind == SET_FILE || a.flags)
		a.fd = op->kind == SET_FILE && op->flag ? -1 : FD_FILE;
	ret = ro_ioctl(fd, cmd, &a);
	if (op->kind != GET_FILE || ret < 0)
		return ret;
	if (fstat(ret, &theirs) || fstat(FD_FILE, &ours) ||
	    ours.st_ino != theirs.st_ino)
		return -EBADRQC;
	close(ret);
	return 0;
}

/* A value is of one byte, which follows from its length. */
static unsigned char value_byte(unsigned int length)
{
	return 7 * length + 1;
}

static int worker_set_value(int fd, const struct order *order)
{
	static unsigned char bytes[REFOBJ_VALUE_MAX];
	struct refobj_value a = {
		.size = sizeof(a), .id = order->id, .data = (uintptr_t)bytes,
		.length = order->op.n, .version = order->version,
		.flags = order->op.flag ? REFOBJ_VALUE_IF : 0,
	};

	memset(bytes, value_byte(order->op.n), sizeof(bytes));
	return ro_ioctl(fd, REFOBJ_IOC_SET_VALUE, &a);
}

static int worker_get_value(int fd, __u64 id, struct reply *r)
{
	struct refobj_value a = {
		.size = sizeof(a), .id = id, .data = (uintptr_t)r->value,
		.length = sizeof(r->value),
	};
	int ret = ro_ioctl(fd, REFOBJ_IOC_GET_VALUE, &a);

	r->n = a.length;
	r->version = a.version;
	return ret;
}

static int worker_link(unsigned int cmd, int fd, const struct order *order)
{
	struct refobj_link a = {
		.size = sizeof(a), .id = order->id, .dep = order->dep,
	};

	return ro_ioctl(fd, cmd, &a);
}

static int worker_export(int fd, const struct order *order)
{
	struct refobj_export a = { .size = sizeof(a), .id = order->id };
	int ret = ro_ioctl(fd, REFOBJ_IOC_EXPORT, &a), objfd = ret;

	if (ret < 0)
		return ret;
	ret = dup3(objfd, FD_OBJECT + order->op.n,
		   order->op.flag ? O_CLOEXEC : 0) < 0 ? -errno : 0;
	close(objfd);
	return ret;
}

static int worker_import(int fd, const struct op *op, __u64 *id)
{
	struct refobj_import a = {
		.size = sizeof(a), .fd = FD_OBJECT + op->o, .count = op->n,
	};
	int ret = ro_ioctl(fd, REFOBJ_IOC_IMPORT, &a);

	*id = a.id;
	return ret;
}

static int submit(int fd, unsigned int flags, struct refobj_op *steps,
		  unsigned int n)
{
	struct refobj_submit a = {
		.size = sizeof(a), .flags = flags, .ops = (uintptr_t)steps,
		.count = n, .op_size = sizeof(*steps),
	};

	return ro_ioctl(fd, REFOBJ_IOC_SUBMIT, &a);
}

static int worker_submit(int fd, struct order *order, struct reply *r)
{
	int tried = submit(fd, order->op.flag ? REFOBJ_SUBMIT_ALL : 0,
			   order->step, order->steps), i;

	for (i = 0; i < tried; i++)
		r->result[i] = order->step[i].result;
	return tried;
}

/* The number of changes since the first time, or since the last. */
static int worker_read_objfd(int fd, struct reply *r)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	__u64 changes;

	if (poll(&p, 1, 0) < 0)
		return -errno;
	r->polled = p.revents;
	if (read(fd, &changes, sizeof(changes)) != sizeof(changes))
		return -errno;
	r->unread = changes;
	return 0;
}

static int worker_do(struct order *order, struct reply *r)
{
	const struct op *op = &order->op;
	int fd = FD_SESSION + op->s;

	switch (op->kind) {
	case OPEN:
		return open_session(fd, op->flag, &r->id);
	case CLOSE:
		return close(fd) ? -errno : 0;
	case DUP:
		return dup3(fd, FD_SESSION + op->n,
			    op->flag ? O_CLOEXEC : 0) < 0 ? -errno : 0;
	case TAKE:
		return take_session(order->pid, FD_SESSION + op->o, fd,
				    op->flag);
	case CREATE:
		return ro_create(fd, object_name(op->o), object_flags(op),
				 op->n, &r->id);
	case ATTACH:
		return ro_attach(fd, object_name(op->o), attach_flags(op),
				 op->n, &r->id, &r->created);
	case LOOKUP:
		return ro_lookup(fd, object_name(op->o), &r->id);
	case ACQUIRE:
		return ro_acquire(fd, order->id, op->n, acquire_flags(op));
	case RELEASE:
		return ro_release(fd, order->id, op->n);
	case RELEASE_ALL:
		return ro_release_all(fd, order->id);
	case RELEASE_SESSION:
		return ro_release_all(fd, 0);
	case STAT:
		return ro_stat(fd, order->id, &r->stat);
	case HOLDERS:
		return all_holders(fd, order->id, op->n, r->holder, &r->n,
				   &r->total);
	case WALK:
		return walk(fd, r->walk, RO_ARRAY_SIZE(r->walk), &r->n);
	case DESTROY:
		return ro_destroy(fd, order->id);
	case SET_WHY:
		return set_why(fd, order->id, op->n);
	case SET_WHY_SESSION:
		return set_why(fd, 0, op->n);
	case ADOPT:
		return worker_adopt(fd, op->flag);
	case WATCH:
		return ro_watch(fd, order->id, op->n, cookie_of(op));
	case READ:
		return worker_read(fd, op->n, r);
	case WAIT:
		return worker_wait(fd, order);
	case PUBLISH:
		return worker_file(REFOBJ_IOC_PUBLISH, fd, order);
	case SET_FILE:
		return worker_file(REFOBJ_IOC_SET_PAYLOAD, fd, order);
	case GET_FILE:
		return worker_file(REFOBJ_IOC_GET_PAYLOAD, fd, order);
	case SET_VALUE:
		return worker_set_value(fd, order);
	case GET_VALUE:
		return worker_get_value(fd, order->id, r);
	case LINK:
		return worker_link(REFOBJ_IOC_LINK, fd, order);
	case UNLINK:
		return worker_link(REFOBJ_IOC_UNLINK, fd, order);
	case EXPORT:
		return worker_export(fd, order);
	case IMPORT:
		return worker_import(fd, op, &r->id);
	case CLOSE_OBJFD:
		return close(FD_OBJECT + op->n) ? -errno : 0;
	case READ_OBJFD:
		return worker_read_objfd(FD_OBJECT + op->n, r);
	case SUBMIT:
		return worker_submit(fd, order, r);
	default:
		return -EBADRQC;
	}
}

static void worker_together(unsigned int w, unsigned int seed);

/* Obeys until it is told to go, or killed; never returns. */
static _Noreturn void worker(unsigned int w)
{
	static struct reply r;
	struct order order;
	unsigned int child;
	pid_t pid;

	/* fork() clears it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	while (receive_all(FD_DOWN + 2 * w, &order, sizeof(order))) {
		switch (order.op.kind) {
		case EXIT:
			_exit(0);
		case EXEC:
			worker_exec(w);
			break;
		case TOGETHER:
			worker_together(w, order.op.n);
			continue;
		}
		memset(&r, 0, sizeof(r));
		if (order.op.kind == FORK) {
			child = order.op.n;
			pid = fork_sibling();
			if (!pid) {
				w = child;
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
				continue;
			}
			r.ret = pid;
		} else {
			r.ret = worker_do(&order, &r);
		}
		if (!send_all(FD_UP + 2 * w, &r, sizeof(r)))
			break;
	}
	_exit(96);
}

/*
 * All together: each worker does what it likes and reports what it did; what is
 * impossible, whatever the others do, it says at once.
 */

static struct orders me;
static int hot;			/* the object that all want, or -1 */

/* Does a session that is this worker's alone hold the object, except @but? */
static bool mine_but(unsigned int o, int but)
{
	int s;

	for (s = 0; s < FDS; s++)
		if (s != but && me.alone[s] && me.held[s][o])
			return true;
	return false;
}

static bool mine(unsigned int o)
{
	return mine_but(o, -1);
}

/* A name led to this id. */
static const char *met(unsigned int o, __u64 id)
{
	if (mine(o) && id != me.id[o])
		return "a name that is held leads elsewhere";
	me.id[o] = id;
	return NULL;
}

static const char *step_attach(struct event *e, int fd)
{
	e->ret = ro_attach(fd, object_name(e->o), e->flags, e->n, &e->id,
			   &e->created);
	if (e->ret == -ENOENT && e->flags & REFOBJ_ATTACH_EXISTING)
		return mine(e->o) ? "not found, though held" : NULL;
	if (e->ret < 0)
		return "ATTACH cannot fail so";
	if (e->created && e->ret != 1)
		return "created, and not the first";
	if (mine(e->o) && (e->created || e->ret))
		return "created or first, though held";
	return met(e->o, e->id);
}

static const char *step_create(struct event *e, int fd)
{
	e->ret = ro_create(fd, object_name(e->o), e->flags, e->n, &e->id);
	if (e->ret == -EEXIST)
		return NULL;
	if (e->ret != !!e->n)
		return "CREATE cannot answer so";
	e->created = 1;
	if (mine(e->o))
		return "created twice";
	return met(e->o, e->id);
}

/* Now and then it is SUBMIT that acquires or releases. */
static int submit_one(int fd, unsigned int op, const struct event *e)
{
	struct refobj_op step = {
		.op = op, .id = e->id, .count = e->n,
		.flags = op == REFOBJ_OP_ACQUIRE ? e->flags : 0,
	};
	int ret = submit(fd, 0, &step, 1);

	return ret == 1 ? step.result : ret;
}

static const char *step_acquire(struct event *e, int fd)
{
	e->ret = one_in(3) ? submit_one(fd, REFOBJ_OP_ACQUIRE, e) :
			     ro_acquire(fd, e->id, e->n, e->flags);
	if (mine(e->o))
		return e->ret ? "held, and not acquired again" : NULL;
	if (e->ret >= 0 || e->ret == -ESTALE ||
	    (e->ret == -EAGAIN && e->flags))
		return NULL;
	return "ACQUIRE cannot fail so";
}

/* @held: by a session that is alone, else -1. */
static const char *step_release(struct event *e, int fd, long held)
{
	bool all = e->kind == RELEASE_ALL;

	e->ret = all ? ro_release_all(fd, e->id) :
		 one_in(3) ? submit_one(fd, REFOBJ_OP_RELEASE, e) :
			     ro_release(fd, e->id, e->n);
	if (held < 0) {
		if (e->ret >= 0 || e->ret == -ERANGE || e->ret == -ESTALE)
			return NULL;
		return "RELEASE cannot fail so";
	}
	if (held ? e->n > held : true) {
		if (e->ret == -ERANGE || (e->ret == -ESTALE && !mine(e->o)))
			return NULL;
		return "released more than was held";
	}
	if (e->ret < 0)
		return "what is held was not released";
	if (e->ret && (e->n < held || mine_but(e->o, e->s)))
		return "the last release, though held";
	return NULL;
}

static const char *step_stat(struct event *e, int fd, long held)
{
	struct refobj_stat st;

	e->ret = ro_stat(fd, e->id, &st);
	if (e->ret)
		return e->ret != -ESTALE ? "STAT cannot fail so" :
		       mine(e->o) ? "dead, though held" : NULL;
	if (held >= 0 && st.held != held)
		return "STAT does not know what is held";
	if (st.users < st.holders ||
	    st.state != (st.users ? REFOBJ_STATE_READY : REFOBJ_STATE_IDLE) ||
	    st.activations - st.deactivations != !!st.users ||
	    (mine(e->o) && !st.users))
		return "STAT contradicts itself";
	return NULL;
}

static const char *step_holders(struct event *e, int fd, long held)
{
	static struct refobj_holder holder[HOLDERS_MAX + 1];
	unsigned int n, total, i, j;
	bool found = false;

	/* With other sessions coming and going, some may not fit. */
	e->ret = all_holders(fd, e->id, e->n, holder, &n, &total);
	if (e->ret)
		return e->ret != -ESTALE ? "HOLDERS cannot fail so" :
		       mine(e->o) ? "dead, though held" : NULL;
	for (i = 0; i < n; i++) {
		if (!holder[i].count)
			return "a holder of nothing";
		for (j = 0; j < i; j++)
			if (holder[i].session == holder[j].session &&
			    holder[i].since_ns == holder[j].since_ns)
				return "a holder is told twice";
		if (held >= 0 && holder[i].session == me.session[e->s]) {
			found = true;
			if (holder[i].count != held)
				return "HOLDERS is wrong about this session";
		}
	}
	return held > 0 && !found && n <= HOLDERS_MAX ?
	       "HOLDERS does not tell this session" : NULL;
}

static const char *step_walk(struct event *e, int fd)
{
	static __u64 ids[4 * OBJECTS];
	unsigned int n, i, o;

	e->ret = walk(fd, ids, RO_ARRAY_SIZE(ids), &n);
	if (e->ret)
		return e->ret == -ENOSPC ? NULL : "a walk cannot fail so";
	for (i = 1; i < n; i++)
		if (ids[i] <= ids[i - 1])
			return "a walk goes back";
	for (o = 0; o < OBJECTS; o++) {
		if (!mine(o))
			continue;
		for (i = 0; i < n && ids[i] != me.id[o]; i++)
			;
		if (i == n)
			return "a walk passes over what is held";
	}
	return NULL;
}

static const char *step_lookup(struct event *e, int fd)
{
	e->ret = ro_lookup(fd, object_name(e->o), &e->id);
	if (!e->ret)
		return met(e->o, e->id);
	if (e->ret != -ENOENT)
		return "LOOKUP cannot fail so";
	return mine(e->o) ? "not found, though held" : NULL;
}

static const char *step_destroy(struct event *e, int fd)
{
	e->ret = ro_destroy(fd, e->id);
	if (mine(e->o))
		return e->ret != -EBUSY ? "DESTROY of what is held" : NULL;
	if (e->ret && e->ret != -EBUSY && e->ret != -ESTALE)
		return "DESTROY cannot fail so";
	return NULL;
}

/* A session for one object, closed with what it holds. */
static const char *step_flash(struct event *e)
{
	const char *wrong;
	int fd = ro_open();

	if (fd < 0)
		return "a session cannot be opened";
	if (e->o < NAMED)
		wrong = step_attach(e, fd);
	else
		wrong = step_acquire(e, fd);
	close(fd);
	return wrong;
}

/* One of the steps below, or 0 for none that is possible. */
static int choose(struct event *e, bool usable)
{
	static const unsigned char some[] = {
		ATTACH, ATTACH, ATTACH, CREATE, ACQUIRE, ACQUIRE, ACQUIRE,
		RELEASE, RELEASE, RELEASE, RELEASE, RELEASE_ALL, STAT,
		HOLDERS, WALK, LOOKUP, DESTROY, FLASH,
	};
	int kind = usable ? some[rnd(RO_ARRAY_SIZE(some))] : FLASH;

	e->o = hot < 0 || one_in(4) ? rnd(me.objects) : (unsigned int)hot;
	if (me.shy[e->o])
		return 0;
	e->id = me.id[e->o];
	e->n = one_in(8) ? 1 + rnd(300) : 1 + rnd(3);
	switch (kind) {
	case ATTACH:
		e->flags = (one_in(4) ? REFOBJ_ATTACH_EXISTING : 0) |
			   (one_in(4) ? REFOBJ_PERSISTENT : 0);
		return e->o < NAMED ? ATTACH : 0;
	case CREATE:
		e->flags = one_in(2) ? REFOBJ_PERSISTENT : 0;
		if (e->flags && one_in(2))
			e->n = 0;
		return e->o < NAMED ? CREATE : 0;
	case LOOKUP:
		return e->o < NAMED ? LOOKUP : 0;
	case ACQUIRE:
		e->flags = one_in(4) ? REFOBJ_ACQUIRE_NOT_ZERO : 0;
		return e->id ? ACQUIRE : 0;
	case RELEASE_ALL:
		return e->id && me.alone[e->s] ? RELEASE_ALL : 0;
	case FLASH:
		return e->id || e->o < NAMED ? FLASH : 0;
	case WALK:
		return WALK;
	default:
		return e->id ? kind : 0;
	}
}

static const char *worker_step_on(struct event *e)
{
	int fd = FD_SESSION + e->s;
	bool alone = me.alone[e->s];
	unsigned int *held = &me.held[e->s][e->o];
	const char *wrong;

	switch (e->kind) {
	case ATTACH:
		wrong = step_attach(e, fd);
		break;
	case CREATE:
		wrong = step_create(e, fd);
		break;
	case ACQUIRE:
		wrong = step_acquire(e, fd);
		break;
	case RELEASE_ALL:
		e->n = *held;
		fallthrough;
	case RELEASE:
		wrong = step_release(e, fd, alone ? (long)*held : -1);
		if (alone && e->ret >= 0)
			*held -= e->n;
		return wrong;
	case STAT:
		return step_stat(e, fd, alone ? (long)*held : -1);
	case HOLDERS:
		return step_holders(e, fd, alone ? (long)*held : -1);
	case WALK:
		return step_walk(e, fd);
	case LOOKUP:
		return step_lookup(e, fd);
	case DESTROY:
		return step_destroy(e, fd);
	default:
		return step_flash(e);
	}
	if (alone && e->ret >= 0)
		*held += e->n;
	return wrong;
}

/* The owner of a session may be killed at any moment. */
static const char *worker_step(struct event *e)
{
	const char *wrong = worker_step_on(e);

	if (e->ret == -EOWNERDEAD && e->kind != FLASH)
		return me.mortal[e->s] ? NULL : "the session has ended";
	return wrong;
}

static void worker_together(unsigned int w, unsigned int seed)
{
	static const struct event done = { .kind = DONE };
	int up = FD_UP + 2 * w, i;
	unsigned int open_fds = 0, s;
	const char *wrong;

	if (!receive_all(FD_DOWN + 2 * w, &me, sizeof(me)))
		_exit(95);
	for (s = 0; s < FDS; s++)
		open_fds += me.open[s];
	rnd_state = seed * 16ULL + w;
	hot = seed & 1 ? (int)(seed / 2 % NAMED % me.objects) : -1;
	for (i = 0; i < BURST; i++) {
		struct event e = { 0 };

		if (open_fds) {
			do
				e.s = rnd(FDS);
			while (!me.open[e.s]);
			e.s = me.same[e.s];
		}
		e.kind = choose(&e, open_fds);
		if (!e.kind)
			continue;
		send_all(up, &e, sizeof(e));
		wrong = worker_step(&e);
		e.after = 1;
		if (wrong) {
			snprintf(e.wrong, sizeof(e.wrong), "%s", wrong);
			e.n = e.kind;
			e.kind = WRONG;
		}
		send_all(up, &e, sizeof(e));
		if (one_in(4))
			sched_yield();
	}
	send_all(up, &done, sizeof(done));
}

/*
 * The model
 */

/* A watch of the present object of this place */
struct watch {
	unsigned int mask;		/* 0: there is none */
	__u64 cookie;
};

/* An event that is to be read; what it does not say is not compared. */
struct told {
	unsigned int type, cause, state, o;
	__u64 id, object_seq, cookie;
	unsigned int users, count;
	pid_t pid;
	bool ends;			/* reading it gives the watch back */
};

static struct session {
	bool live;			/* a descriptor of it is open */
	bool ended;			/* with its owner */
	__u64 id;
	int owner;			/* worker, or NOBODY */
	pid_t pid;			/* who opened or adopted it */
	pid_t closer;			/* who closed it last while it was nobody's */
	unsigned int why;
	unsigned int held[OBJECTS];
	unsigned int held_why[OBJECTS];
	unsigned int since[OBJECTS];	/* order of arrival */
	struct watch watch[OBJECTS];
	struct told told[EVENTS_MAX];
	unsigned int unread;
	__u64 seq;			/* of the last that was read */
} sessions[SESSIONS];

static struct object {
	bool alive, persistent, build;
	unsigned int state;
	__u64 id;			/* dead or alive; 0: never created */
	__u64 past;			/* the id before */
	unsigned int peak;
	unsigned int activations, deactivations;
	__u64 seq;			/* of its last event */
	int builder;			/* session, or NOBODY */
	__u64 version;
	unsigned int length;		/* of the value */
	bool file;
	bool unsettled;
} objects[OBJECTS];

/* Object descriptors */
static struct export {
	bool live;
	unsigned int o;
	pid_t pid;			/* who made it */
	unsigned int since;
	bool polled;
	unsigned int changes;		/* that nobody has read */
} exports[EXPORTS];

/* "The first needs the second" */
static struct edge {
	bool there, holds;
	unsigned int made;		/* order of making */
	unsigned int since;		/* order of arrival */
} edges[OBJECTS][OBJECTS];

static struct worker {
	pid_t pid;			/* 0: none */
	int pidfd;
	int fd[FDS];			/* of sessions[], or -1 */
	bool cloexec[FDS];
	int objfd[OBJFDS];		/* of exports[], or -1 */
	bool objfd_cloexec[OBJFDS];
} workers[WORKERS];

/* What changes something: why, and which process */
struct act {
	unsigned int cause;
	pid_t pid;
};

static unsigned int arrivals;

static _Noreturn __printf(1, 2) void fail(const char *format, ...);

static bool active(const struct session *s)
{
	return s->live && !s->ended;
}

static unsigned int users(unsigned int o)
{
	unsigned int sum = 0, i;

	for (i = 0; i < SESSIONS; i++)
		if (active(&sessions[i]))
			sum += sessions[i].held[o];
	for (i = 0; i < EXPORTS; i++)
		sum += exports[i].live && exports[i].o == o;
	for (i = 0; i < OBJECTS; i++)
		sum += edges[i][o].holds;
	return sum;
}

static unsigned int all_users(void)
{
	unsigned int sum = 0, o;

	for (o = 0; o < OBJECTS; o++)
		sum += users(o);
	return sum;
}

static unsigned int edges_of(unsigned int o)
{
	unsigned int n = 0, d;

	for (d = 0; d < OBJECTS; d++)
		n += edges[o][d].there;
	return n;
}

static void tell(struct session *s, unsigned int o, unsigned int type,
		 struct act act, unsigned int count)
{
	if (s->unread == EVENTS_MAX)
		fail("the model has no room for an event");
	s->told[s->unread++] = (struct told) {
		.type = type, .cause = act.cause, .state = objects[o].state,
		.o = o, .id = objects[o].id, .object_seq = objects[o].seq,
		.cookie = s->watch[o].cookie, .users = users(o),
		.count = count, .pid = act.pid,
		.ends = type == REFOBJ_EVENT_DESTROYED,
	};
}

/* Something has become of an object. */
static void happened(unsigned int o, unsigned int type, struct act act,
		     unsigned int count)
{
	unsigned int i;

	objects[o].seq++;
	for (i = 0; i < SESSIONS; i++) {
		struct session *s = &sessions[i];

		if (!active(s) || !s->watch[o].mask)
			continue;
		if (type == REFOBJ_EVENT_DESTROYED ||
		    s->watch[o].mask & REFOBJ_WATCH(type))
			tell(s, o, type, act, count);
		if (type == REFOBJ_EVENT_DESTROYED)
			s->watch[o].mask = 0;
	}
	for (i = 0; i < EXPORTS; i++)
		if (exports[i].live && exports[i].o == o && exports[i].polled)
			exports[i].changes++;
}

static void born(unsigned int o, __u64 id, bool persistent)
{
	out->objects++;
	objects[o] = (struct object) {
		.alive = true, .persistent = persistent, .id = id,
		.past = objects[o].id ?: objects[o].past,
		.state = REFOBJ_STATE_IDLE, .builder = NOBODY,
	};
}

/* Its edges go when they are settled, as in the module. */
static void died(unsigned int o, struct act act)
{
	objects[o].alive = false;
	objects[o].state = REFOBJ_STATE_DEAD;
	objects[o].unsettled = true;
	happened(o, REFOBJ_EVENT_DESTROYED, act, 0);
}

static void activated(unsigned int o, struct act act)
{
	struct object *object = &objects[o];

	object->activations++;
	object->unsettled = true;
	object->state = object->build ? REFOBJ_STATE_BUILDING :
					REFOBJ_STATE_READY;
	happened(o, REFOBJ_EVENT_ACTIVATED, act, 0);
	if (!object->build)
		happened(o, REFOBJ_EVENT_READY, act, 0);
}

static void deactivated(unsigned int o, struct act act)
{
	struct object *object = &objects[o];

	object->deactivations++;
	object->unsettled = true;
	object->length = 0;
	object->file = false;
	object->builder = NOBODY;
	object->state = REFOBJ_STATE_IDLE;
	happened(o, REFOBJ_EVENT_DEACTIVATED, act, 0);
	if (!object->persistent)
		died(o, act);
}

/* A holder has come, or taken more; it is counted already. 1 if the first. */
static int held(unsigned int o, unsigned int n, struct act act)
{
	int first = users(o) == n;

	if (users(o) > objects[o].peak)
		objects[o].peak = users(o);
	if (first)
		activated(o, act);
	return first;
}

/* A holder has gone; it is not counted any more. 1 if it was the last. */
static int unheld(unsigned int o, struct act act)
{
	if (users(o))
		return 0;
	deactivated(o, act);
	return 1;
}

/* Of the edges to what @o needs, that hold or do not, the one made first */
static struct edge *first_edge(unsigned int o, bool holds, unsigned int *dep)
{
	struct edge *first = NULL;
	unsigned int d;

	for (d = 0; d < OBJECTS; d++) {
		struct edge *edge = &edges[o][d];

		if (!edge->there || edge->holds != holds ||
		    (first && edge->made > first->made))
			continue;
		first = edge;
		*dep = d;
	}
	return first;
}

/*
 * Bring the edges of an object in line with it: first one edge, and all that
 * follows from it, then the next. At most as deep as there are objects.
 */
static void settle_object(unsigned int o) /* NOLINT(misc-no-recursion) */
{
	const struct act act = { .cause = REFOBJ_CAUSE_OBJECT };
	bool on = objects[o].state == REFOBJ_STATE_READY ||
		  objects[o].state == REFOBJ_STATE_BUILDING;
	struct edge *edge;
	unsigned int d;

	objects[o].unsettled = false;
	while ((edge = first_edge(o, !on, &d))) {
		edge->holds = on;
		if (on) {
			edge->since = ++arrivals;
			held(d, 1, act);
		} else {
			unheld(d, act);
		}
		if (objects[d].unsettled)
			settle_object(d);
	}
	if (objects[o].alive)
		return;
	for (d = 0; d < OBJECTS; d++) {
		edges[o][d].there = false;
		edges[d][o].there = false;
	}
}

/* Which of several is settled first makes no difference. */
static void settle_all(void)
{
	unsigned int o;

	for (o = 0; o < OBJECTS; o++)
		if (objects[o].unsettled)
			settle_object(o);
}

static int take(struct session *s, unsigned int o, unsigned int n,
		struct act act)
{
	if (!s->held[o])
		s->since[o] = ++arrivals;
	s->held[o] += n;
	return held(o, n, act);
}

/* Become the builder, if one is wanted. */
static int claim(struct session *s, unsigned int o, pid_t pid)
{
	const struct act act = { REFOBJ_CAUSE_ACQUIRE, pid };

	if (objects[o].state != REFOBJ_STATE_BUILDING ||
	    objects[o].builder != NOBODY)
		return 0;
	objects[o].builder = s - sessions;
	happened(o, REFOBJ_EVENT_BUILDER_CHANGED, act, 0);
	return REFOBJ_BUILDER;
}

static bool is_death(unsigned int cause)
{
	return cause == REFOBJ_CAUSE_EXIT || cause > REFOBJ_CAUSE_SIGNAL;
}

static int drop(struct session *s, unsigned int o, unsigned int n,
		struct act act)
{
	s->held[o] -= n;
	if (s->held[o])
		return 0;
	s->held_why[o] = 0;
	if (is_death(act.cause))
		happened(o, REFOBJ_EVENT_HOLDER_DIED, act, n);
	if (objects[o].builder == s - sessions) {
		objects[o].builder = NOBODY;
		if (users(o))
			happened(o, REFOBJ_EVENT_BUILDER_CHANGED,
				 (struct act) { .cause = act.cause }, 0);
	}
	return unheld(o, act);
}

/* In the order of their ids, and what follows afterwards. */
static int drop_all(struct session *s, struct act act)
{
	bool done[OBJECTS] = { false };
	int lasts = 0, next;
	unsigned int o;

	for (;;) {
		next = -1;
		for (o = 0; o < OBJECTS; o++)
			if (s->held[o] && !done[o] &&
			    (next < 0 || objects[o].id < objects[next].id))
				next = o;
		if (next < 0)
			break;
		done[next] = true;
		lasts += drop(s, next, s->held[next], act);
	}
	settle_all();
	return lasts;
}

/* How many workers' descriptors lead to a session. */
static int copies(int session)
{
	int n = 0, w, s;

	for (w = 0; w < WORKERS; w++)
		for (s = 0; workers[w].pid && s < FDS; s++)
			n += workers[w].fd[s] == session;
	return n;
}

static int export_copies(int export)
{
	int n = 0, w, s;

	for (w = 0; w < WORKERS; w++)
		for (s = 0; workers[w].pid && s < OBJFDS; s++)
			n += workers[w].objfd[s] == export;
	return n;
}

static void end_session(struct session *s, unsigned int cause)
{
	unsigned int o;

	if (s->ended)
		return;
	/* It ends with its owner, or with him who closes it last. */
	drop_all(s, (struct act) {
		cause, s->owner == NOBODY && s->closer ? s->closer : s->pid,
	});
	s->ended = true;
	s->unread = 0;
	for (o = 0; o < OBJECTS; o++)
		s->watch[o].mask = 0;
}

/*
 * Worker @w has closed a descriptor of this session. The owner's last one ends
 * it; so does the last of all, but that is seen later.
 */
static void closed(int w, int session, unsigned int cause)
{
	struct session *s = &sessions[session];
	int i;

	if (s->owner == NOBODY)
		s->closer = workers[w].pid;
	if (s->owner != w)
		return;
	for (i = 0; !is_death(cause) && i < FDS; i++)
		if (workers[w].fd[i] == session)
			return;
	end_session(s, cause);
}

/* The files that nobody has open any more, which end when all are closed. */
static void end_file(int session, unsigned int cause)
{
	struct session *s = &sessions[session];

	if (session < 0 || !s->live || copies(session))
		return;
	end_session(s, cause);
	s->live = false;
}

static void end_objfd(int export, pid_t pid)
{
	struct export *x = &exports[export];

	if (export < 0 || !x->live || export_copies(export))
		return;
	x->live = false;
	unheld(x->o, (struct act) { REFOBJ_CAUSE_CLOSE, pid });
	settle_all();
}

/* Descriptors of a worker are closed: all, or those of O_CLOEXEC. */
static void close_fds(int w, bool all, unsigned int cause)
{
	int was[FDS], objfd[OBJFDS], i;

	for (i = 0; i < FDS; i++) {
		was[i] = -1;
		if (workers[w].fd[i] < 0 || !(all || workers[w].cloexec[i]))
			continue;
		was[i] = workers[w].fd[i];
		workers[w].fd[i] = -1;
		closed(w, was[i], cause);
	}
	for (i = 0; i < OBJFDS; i++) {
		objfd[i] = -1;
		if (!all && !workers[w].objfd_cloexec[i])
			continue;
		objfd[i] = workers[w].objfd[i];
		workers[w].objfd[i] = -1;
	}
	/* What the task has put off last it does first. */
	for (i = OBJFDS - 1; i >= 0; i--)
		end_objfd(objfd[i], workers[w].pid);
	for (i = FDS - 1; i >= 0; i--)
		end_file(was[i], cause);
}

static bool pid_lives(pid_t pid)
{
	int w;

	for (w = 0; w < WORKERS; w++)
		if (workers[w].pid == pid)
			return true;
	return false;
}

/*
 * The coordinator
 */

static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(out->what, sizeof(out->what), format, args);
	va_end(args);
	out->failed = true;
	_exit(1);
}

static const char *result(int ret)
{
	static char text[2][24];
	static int which;

	which = !which;
	if (ret < 0 && strerrorname_np(-ret))
		snprintf(text[which], sizeof(text[which]), "-%s",
			 strerrorname_np(-ret));
	else
		snprintf(text[which], sizeof(text[which]), "%d", ret);
	return text[which];
}

#define SAME(expected, seen, format, ...) do {				\
	unsigned long long __e = (expected), __s = (seen);		\
	if (__e != __s)							\
		fail(format ": expected %llu, got %llu",		\
		     ##__VA_ARGS__, __e, __s);				\
} while (0)

/* The process in this place has come into being. */
static void worker_started(int w, pid_t pid)
{
	if (pid <= 0)
		fail("no new process: %s", result(pid));
	workers[w].pid = pid;
	workers[w].pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (workers[w].pidfd < 0)
		fail("pidfd_open: %s", result(-errno));
}

/* Its files were closed before it became a zombie. */
static void worker_ended(int w, int expected)
{
	int status = ro_reap(workers[w].pid);

	if (status != expected)
		fail("worker %d ended with %d, not %d", w, status, expected);
	close(workers[w].pidfd);
	close_fds(w, true, expected ? REFOBJ_CAUSE_SIGNAL - expected :
				      REFOBJ_CAUSE_EXIT);
	workers[w].pid = 0;
}

static void spawn(int w)
{
	pid_t pid = fork();
	int s;

	if (!pid) {
		close_range(FD_PRIVATE, FD_DOWN - 1, 0);
		close_range(FD_OURS, FD_SESSION - 1, 0);
		worker(w);
	}
	for (s = 0; s < FDS; s++)
		workers[w].fd[s] = -1;
	for (s = 0; s < OBJFDS; s++)
		workers[w].objfd[s] = -1;
	worker_started(w, pid < 0 ? -errno : pid);
}

static __u64 id_of(const struct op *op)
{
	const struct object *object = &objects[op->o];

	if (op->gen == NEVER)
		return object->id + (1 << 24);
	return op->gen == PAST ? object->past : object->id;
}

/* The steps of the SUBMIT that is to be ordered, and what is to come of them. */
static struct refobj_op submit_step[STEPS];
static int submit_want[STEPS];
static unsigned int submit_steps;

static void order(int w, const struct op *op)
{
	struct order order = { .op = *op };

	if (op->kind == TAKE)
		order.pid = workers[op->n].pid;
	else
		order.id = id_of(op);
	if (op->kind == SUBMIT) {
		memcpy(order.step, submit_step, sizeof(submit_step));
		order.steps = submit_steps;
	}
	if (op->kind == LINK || op->kind == UNLINK)
		order.dep = objects[op->n].id;
	/* The version, or another */
	if (op->kind == SET_VALUE && op->flag)
		order.version = objects[op->o].version + op->flag - 1;
	if (!send_all(FD_OURS + 2 * w, &order, sizeof(order)))
		fail("worker %d cannot be told", w);
}

/* Wait until a worker has something to say. */
static void await(int w)
{
	struct pollfd fds[] = {
		{ .fd = FD_OURS + 1 + 2 * w, .events = POLLIN },
		{ .fd = workers[w].pidfd, .events = POLLIN },
	};

	if (poll(fds, 2, 60000 * (int)patience) <= 0)
		fail("worker %d does not answer", w);
	if (!(fds[0].revents & POLLIN))
		fail("worker %d died: %d", w, ro_reap(workers[w].pid));
}

static struct reply *ask(int w, const struct op *op)
{
	static struct reply r;

	order(w, op);
	await(w);
	if (!receive_all(FD_OURS + 1 + 2 * w, &r, sizeof(r)))
		fail("worker %d cannot be heard", w);
	return &r;
}

/*
 * Comparing all that can be seen
 */

static unsigned int held_why(const struct session *s, unsigned int o)
{
	return s->held_why[o] ?: s->why;
}

static unsigned int holders(unsigned int o)
{
	unsigned int n = 0, i;

	for (i = 0; i < SESSIONS; i++)
		n += active(&sessions[i]) && sessions[i].held[o];
	for (i = 0; i < EXPORTS; i++)
		n += exports[i].live && exports[i].o == o;
	for (i = 0; i < OBJECTS; i++)
		n += edges[i][o].holds;
	return n;
}

static pid_t number_of(pid_t pid)
{
	return pid_lives(pid) ? pid : 0;
}

/* A session that holds; when it came. */
static unsigned int check_holder(unsigned int o, unsigned int i,
				 const struct refobj_holder *holder)
{
	struct session *s;

	for (s = sessions; s < &sessions[RO_ARRAY_SIZE(sessions)]; s++)
		if (active(s) && s->id == holder->session)
			break;
	if (s == &sessions[RO_ARRAY_SIZE(sessions)])
		fail("object %u is held by session %llu, which is gone", o,
		     (unsigned long long)holder->session);
	SAME(s->held[o], holder->count, "count of holder %u of object %u", i,
	     o);
	SAME(number_of(s->pid), holder->pid, "pid of holder %u of object %u",
	     i, o);
	if (strcmp(why_text[held_why(s, o)], holder->why) != 0)
		fail("holder %u of object %u: expected reason '%s', got '%s'",
		     i, o, why_text[held_why(s, o)], holder->why);
	return s->since[o];
}

/* An object that needs it; when it came to hold. */
static unsigned int check_owner(unsigned int o, unsigned int i,
				const struct refobj_holder *holder)
{
	unsigned int x;

	for (x = 0; x < OBJECTS; x++)
		if (edges[x][o].holds && objects[x].id == holder->session)
			break;
	if (x == OBJECTS)
		fail("object %u is held by object of id %llu, which does not need it",
		     o, (unsigned long long)holder->session);
	SAME(1, holder->count, "count of holder %u of object %u", i, o);
	SAME(0, holder->pid, "pid of holder %u of object %u", i, o);
	return edges[x][o].since;
}

/* An object descriptor, which only its arrival tells from others. */
static unsigned int check_export(unsigned int o, unsigned int i,
				 unsigned int before,
				 const struct refobj_holder *holder)
{
	struct export *first = NULL, *x;

	for (x = exports; x < &exports[RO_ARRAY_SIZE(exports)]; x++)
		if (x->live && x->o == o && x->since > before &&
		    (!first || x->since < first->since))
			first = x;
	if (!first)
		fail("object %u is held by too many descriptors", o);
	SAME(REFOBJ_HOLDER_FD, holder->kind, "kind of holder %u of object %u",
	     i, o);
	SAME(0, holder->session, "session of holder %u of object %u", i, o);
	SAME(1, holder->count, "count of holder %u of object %u", i, o);
	SAME(number_of(first->pid), holder->pid,
	     "pid of holder %u of object %u", i, o);
	return first->since;
}

static void check_holders(unsigned int o, const struct refobj_holder *holder,
			  unsigned int n, unsigned int total)
{
	unsigned int before = 0, since, i;

	SAME(holders(o), n, "holders told of object %u", o);
	SAME(holders(o), total, "total holders of object %u", o);
	for (i = 0; i < n; i++, holder++) {
		if (holder->kind == REFOBJ_HOLDER_SESSION)
			since = check_holder(o, i, holder);
		else if (holder->kind == REFOBJ_HOLDER_OBJECT)
			since = check_owner(o, i, holder);
		else
			since = check_export(o, i, before, holder);
		SAME(getuid(), holder->uid, "uid of holder");
		if (since <= before)
			fail("holder %u of object %u is out of order", i, o);
		before = since;
	}
}

static unsigned int flags_of(const struct object *object)
{
	return (object->persistent ? REFOBJ_PERSISTENT : 0) |
	       (object->build ? REFOBJ_BUILD : 0);
}

static unsigned int watches(unsigned int o)
{
	unsigned int n = 0, i;

	for (i = 0; i < SESSIONS; i++)
		n += active(&sessions[i]) && sessions[i].watch[o].mask;
	for (i = 0; i < EXPORTS; i++)
		n += exports[i].live && exports[i].o == o && exports[i].polled;
	return n;
}

static void check_stat(unsigned int o, const struct refobj_stat *st,
		       const struct session *s)
{
	const struct object *object = &objects[o];

	SAME(object->id, st->id, "id of object %u", o);
	SAME(users(o), st->users, "users of object %u", o);
	SAME(object->state, st->state, "state of object %u", o);
	SAME(holders(o), st->holders, "holders of object %u", o);
	SAME(s ? s->held[o] : 0, st->held, "held of object %u", o);
	SAME(object->peak, st->users_peak, "peak of object %u", o);
	SAME(object->activations, st->activations, "activations of object %u",
	     o);
	SAME(object->deactivations, st->deactivations,
	     "deactivations of object %u", o);
	SAME(flags_of(object), st->object_flags, "flags of object %u", o);
	SAME(getuid(), st->uid, "uid of object %u", o);
	SAME(watches(o), st->watches, "watches of object %u", o);
	SAME(object->version, st->value_version, "version of object %u", o);
	SAME(object->length, st->value_size, "size of the value of object %u",
	     o);
	SAME(object->file, st->has_file, "file of object %u", o);
	SAME(object->builder == NOBODY ? 0 :
	     number_of(sessions[object->builder].pid), st->builder,
	     "builder of object %u", o);
	SAME(edges_of(o), st->edges, "edges of object %u", o);
	if (strcmp(object_name(o), st->name) != 0)
		fail("name of object %u: got '%s'", o, st->name);
}

static void check_walk(const __u64 *ids, unsigned int n)
{
	unsigned int alive = 0, o, i;

	for (i = 1; i < n; i++)
		if (ids[i] <= ids[i - 1])
			fail("a walk goes back");
	for (o = 0; o < OBJECTS; o++) {
		if (!objects[o].alive)
			continue;
		alive++;
		for (i = 0; i < n && ids[i] != objects[o].id; i++)
			;
		if (i == n)
			fail("a walk passes over object %u", o);
	}
	SAME(alive, n, "objects met by a walk");
}

static void check_quota(void)
{
	unsigned int alive = 0, bytes = 0, slack = 0, charged = 0, watching = 0;
	unsigned int i, o;
	struct refobj_info info = { .size = sizeof(info) };

	for (o = 0; o < OBJECTS; o++) {
		if (!objects[o].alive)
			continue;
		alive++;
		bytes += strlen(object_name(o)) + objects[o].length;
		/* Whether or not it holds something */
		charged += edges_of(o);
	}
	for (i = 0; i < EXPORTS; i++)
		charged += exports[i].live;
	for (i = 0; i < SESSIONS; i++) {
		if (!sessions[i].live)
			continue;
		slack += SLACK;
		bytes += strlen(why_text[sessions[i].why]);
		for (o = 0; o < OBJECTS; o++) {
			bytes += strlen(why_text[sessions[i].held_why[o]]);
			charged += sessions[i].held[o];
			watching += !!sessions[i].watch[o].mask;
		}
		for (o = 0; o < sessions[i].unread; o++)
			watching += sessions[i].told[o].ends;
	}
	if (ro_ioctl(FD_OBSERVER, REFOBJ_IOC_INFO, &info))
		fail("INFO: %s", result(-errno));
	SAME(alive, info.objects_used, "objects charged");
	SAME(bytes, info.bytes_used, "bytes charged");
	SAME(watching, info.watches_used, "watches charged");
	if (info.references_used < charged ||
	    info.references_used > charged + slack)
		fail("references charged: expected %u to %u, got %llu", charged,
		     charged + slack, (unsigned long long)info.references_used);
}

static void check_all(void)
{
	static struct refobj_holder holder[HOLDERS_MAX + 1];
	__u64 ids[4 * OBJECTS], id;
	struct refobj_stat st;
	unsigned int o, n, total;
	int ret;

	for (o = 0; o < OBJECTS; o++) {
		bool alive = objects[o].alive;

		ret = ro_stat(FD_OBSERVER, objects[o].id, &st);
		if (ret != (alive ? 0 : objects[o].id ? -ESTALE : -ENOENT))
			fail("object %u is %s, but STAT of it answers %s", o,
			     alive ? "alive" : "not there", result(ret));
		if (alive) {
			check_stat(o, &st, NULL);
			ret = all_holders(FD_OBSERVER, objects[o].id, 0, holder,
					  &n, &total);
			if (ret)
				fail("HOLDERS of object %u: %s", o, result(ret));
			check_holders(o, holder, n, total);
		}
		if (o >= NAMED)
			continue;
		ret = ro_lookup(FD_OBSERVER, object_name(o), &id);
		if (ret != (alive ? 0 : -ENOENT))
			fail("object %u is %s, but LOOKUP of it answers %s", o,
			     alive ? "alive" : "not there", result(ret));
		if (alive)
			SAME(objects[o].id, id, "id behind the name of object %u",
			     o);
	}
	ret = walk(FD_OBSERVER, ids, RO_ARRAY_SIZE(ids), &n);
	if (ret)
		fail("a walk: %s", result(ret));
	check_walk(ids, n);
	check_quota();
}

/*
 * All workers together
 */

/* What became of one id. */
static struct seen {
	__u64 id;
	unsigned int o;
	bool before;			/* there when it started */
	bool persistent;
	bool fuzzy;			/* somebody died or closed while holding */
	unsigned int created, destroyed, firsts, lasts;
	long held[SESSIONS];
	bool released[SESSIONS];
} seen[SEEN];
static unsigned int nr_seen;

static struct seen *seen_id(__u64 id, unsigned int o)
{
	unsigned int i;

	for (i = 0; i < nr_seen; i++)
		if (seen[i].id == id)
			return &seen[i];
	if (nr_seen == SEEN)
		fail("too many objects");
	memset(&seen[nr_seen], 0, sizeof(*seen));
	seen[nr_seen].id = id;
	seen[nr_seen].o = o;
	return &seen[nr_seen++];
}

static void account(int w, const struct event *e)
{
	int session = workers[w].fd[e->s];
	struct seen *x;

	if (e->kind == WRONG)
		fail("worker %d, session %d, %s of object %u: %s (%s)", w,
		     e->s, verb[e->n], e->o, e->wrong, result(e->ret));
	if (e->ret < 0 || !e->id || e->kind == WALK)
		return;
	x = seen_id(e->id, e->o);
	switch (e->kind) {
	case ATTACH:
	case CREATE:
	case FLASH:
		if (e->created) {
			x->created++;
			x->persistent = e->flags & REFOBJ_PERSISTENT &&
					e->o < NAMED;
		}
		fallthrough;
	case ACQUIRE:
		x->firsts += e->ret;
		if (e->kind == FLASH)
			x->fuzzy = true;
		else
			x->held[session] += e->n;
		break;
	case RELEASE:
	case RELEASE_ALL:
		x->lasts += e->ret;
		x->held[session] -= e->n;
		x->released[session] = true;
		break;
	case DESTROY:
		x->destroyed++;
		break;
	}
}

/* A worker was killed while it did this: take the module's word for it. */
static void believe(unsigned int o)
{
	struct object *object = &objects[o];
	static struct refobj_holder holder[HOLDERS_MAX + 1];
	struct refobj_stat st;
	unsigned int n, total, i, sum = 0;
	int ret, s;

	for (s = 0; s < SESSIONS; s++)
		sessions[s].held[o] = 0;
	if (o < NAMED) {
		__u64 id;

		ret = ro_lookup(FD_OBSERVER, object_name(o), &id);
		if (ret && ret != -ENOENT)
			fail("LOOKUP of object %u: %s", o, result(ret));
		if (!ret && id != object->id)
			born(o, id, false);
	}
	ret = ro_stat(FD_OBSERVER, object->id, &st);
	object->alive = !ret;
	if (ret)
		return;
	object->persistent = st.object_flags & REFOBJ_PERSISTENT;
	object->activations = st.activations;
	object->deactivations = st.deactivations;
	SAME(!!st.users, st.activations - st.deactivations,
	     "activations less deactivations of object %u", o);
	ret = all_holders(FD_OBSERVER, object->id, 0, holder, &n, &total);
	if (ret)
		fail("HOLDERS of object %u: %s", o, result(ret));
	for (i = 0; i < n; i++) {
		for (s = 0; s < SESSIONS; s++)
			if (active(&sessions[s]) &&
			    sessions[s].id == holder[i].session)
				sessions[s].held[o] = holder[i].count;
		sum += holder[i].count;
	}
	SAME(sum, st.users, "users of object %u, the sum of its holders", o);
}

/* The present object of this place, from what became of all that it had. */
static void conclude(unsigned int o)
{
	struct seen *present = NULL, *x;
	struct object *object = &objects[o];
	unsigned int activations = 0, i;
	__u64 past = object->past;
	int s, n_alive = 0;

	for (x = seen; x < seen + nr_seen; x++) {
		long sum = 0;
		bool alive;

		if (x->o != o)
			continue;
		for (s = 0; s < SESSIONS; s++) {
			if (!active(&sessions[s]))
				continue;
			if (x->held[s] < 0)
				fail("session %d released %ld too many of id %llu",
				     s, -x->held[s], (unsigned long long)x->id);
			sum += x->held[s];
		}
		SAME(!x->before, x->created, "creations of object %u", o);
		if (x->destroyed > 1 || (x->destroyed && !x->persistent))
			fail("id %llu was destroyed %u times",
			     (unsigned long long)x->id, x->destroyed);
		alive = x->persistent ? !x->destroyed : sum > 0;
		if (!alive)
			SAME(0, sum, "references on a dead object %u", o);
		n_alive += alive;
		if (!x->persistent) {
			SAME(!x->before, x->firsts, "first acquires of object %u",
			     o);
			if (x->fuzzy ? x->lasts > !alive : x->lasts != !alive)
				fail("%u last releases of %s object %u",
				     x->lasts, alive ? "the living" : "the dead",
				     o);
		}
		if (!present || alive || (!n_alive && x->id > present->id))
			present = x;
	}
	if (n_alive > 1)
		fail("%d objects of name %u", n_alive, o);
	if (!present)
		return;

	if (object->id && object->id != present->id)
		past = object->id;
	for (x = seen; x < seen + nr_seen; x++)
		if (x->o == o && x != present && x->id > past)
			past = x->id;

	activations = present->firsts;
	i = present->lasts;
	if (present->before) {
		activations += object->activations;
		i += object->deactivations;
	}
	object->id = present->id;
	object->past = past;
	object->persistent = present->persistent;
	object->alive = n_alive;
	for (s = 0; s < SESSIONS; s++)
		if (active(&sessions[s]))
			sessions[s].held[o] = present->held[s];
	object->activations = activations;
	object->deactivations = activations - !!users(o);
	if (present->fuzzy ? i > object->deactivations :
			     i != object->deactivations)
		fail("object %u: %u first acquires, %u last releases, %u users",
		     o, activations, i, users(o));
}

/*
 * What no order of events tells: the peak, who came first, and whether a reason
 * has gone with the last reference and a new one come.
 */
static void settle(unsigned int o, unsigned int peak_before)
{
	static struct refobj_holder holder[HOLDERS_MAX + 1];
	unsigned int n, total, i, x;
	struct refobj_stat st;
	int s;

	for (s = 0; s < SESSIONS; s++)
		if (!active(&sessions[s]) || !sessions[s].held[o])
			sessions[s].held_why[o] = 0;
	if (!objects[o].alive || ro_stat(FD_OBSERVER, objects[o].id, &st))
		return;
	if (st.users_peak < peak_before || st.users_peak < users(o))
		fail("peak of object %u fell from %u to %u, with %u users", o,
		     peak_before, st.users_peak, users(o));
	objects[o].peak = st.users_peak;

	if (all_holders(FD_OBSERVER, objects[o].id, 0, holder, &n, &total))
		return;
	for (i = 0; i < n; i++) {
		for (s = 0; s < SESSIONS; s++)
			if (active(&sessions[s]) &&
			    sessions[s].id == holder[i].session)
				break;
		if (s == SESSIONS)
			continue;
		sessions[s].since[o] = ++arrivals;
		if (!strcmp(why_text[held_why(&sessions[s], o)], holder[i].why))
			continue;
		for (x = 0; x < nr_seen; x++)
			if (seen[x].o == o && seen[x].released[s])
				sessions[s].held_why[o] = 0;
	}
}

/* What others need, or hold by descriptors, or build is left alone. */
static bool shy(unsigned int o)
{
	unsigned int i;

	for (i = 0; i < OBJECTS; i++)
		if (edges[o][i].there || edges[i][o].there)
			return true;
	for (i = 0; i < EXPORTS; i++)
		if (exports[i].live && exports[i].o == o)
			return true;
	return objects[o].alive && objects[o].build;
}

static void give_orders(const struct op *op, int w)
{
	struct orders orders = { .objects = limits.objects };
	int s, i, o;

	for (o = 0; o < OBJECTS; o++) {
		orders.id[o] = objects[o].id;
		orders.shy[o] = shy(o);
	}
	for (s = 0; s < FDS; s++) {
		int session = workers[w].fd[s], n = 0;

		if (session < 0 || sessions[session].ended)
			continue;
		orders.open[s] = 1;
		orders.session[s] = sessions[session].id;
		orders.same[s] = s;
		for (i = FDS - 1; i >= 0; i--) {
			if (workers[w].fd[i] != session)
				continue;
			orders.same[s] = i;
			n++;
		}
		orders.alone[s] = copies(session) == n;
		orders.mortal[s] = sessions[session].owner != NOBODY &&
				   sessions[session].owner != w;
		/* What is held is told of the first descriptor alone. */
		if (orders.same[s] != s)
			orders.alone[s] = 0;
		for (o = 0; o < OBJECTS && orders.alone[s]; o++)
			orders.held[s][o] = sessions[session].held[o];
	}
	order(w, op);
	if (!send_all(FD_OURS + 2 * w, &orders, sizeof(orders)))
		fail("worker %d cannot be told", w);
}

static int corpse = -1;		/* a worker that has been killed just now */

/*
 * Reads a worker's event; true if it was its last, or it is dead and there is
 * none. What it was about to do is left in @last, or DONE.
 */
static bool hear_event(int w, struct event *last)
{
	struct pollfd up = { .fd = FD_OURS + 1 + 2 * w, .events = POLLIN };
	struct event e;

	if (poll(&up, 1, 0) <= 0)
		return w == corpse;
	if (!receive_all(up.fd, &e, sizeof(e)))
		fail("worker %d cannot be heard", w);
	*last = e;
	if (e.kind == DONE)
		return true;
	if (e.after) {
		account(w, &e);
		last->kind = DONE;
	}
	return false;
}

/* SIGKILL in the middle; what it said before is still to be heard. */
static void kill_within(int w)
{
	int status;

	out->kills++;
	kill(workers[w].pid, SIGKILL);
	status = ro_reap(workers[w].pid);
	if (status != -SIGKILL)
		fail("worker %d ended with %d, not %d", w, status, -SIGKILL);
	close(workers[w].pidfd);
	corpse = w;
}

/*
 * Its sessions have gone, with all they held. What became of the objects that
 * all wanted is concluded; of the others the model knows it.
 */
static void bury(int w, const bool *alone)
{
	unsigned int o;
	int i, s, n;

	for (i = 0; i < SESSIONS; i++) {
		for (n = 0, s = 0; s < FDS; s++)
			n += workers[w].fd[s] == i;
		if (sessions[i].owner != w && copies(i) > n)
			continue;
		for (o = 0; o < OBJECTS; o++)
			if (!alone[o])
				sessions[i].held[o] = 0;
	}
	close_fds(w, true, REFOBJ_CAUSE_SIGNAL + SIGKILL);
	workers[w].pid = 0;
	corpse = -1;
}

/* What does not follow from the references, of an object that all wanted. */
static void conclude_rest(unsigned int o, const struct object *was)
{
	struct object *object = &objects[o];
	int s;

	object->builder = NOBODY;
	object->build = false;
	object->state = !object->alive ? REFOBJ_STATE_DEAD :
			users(o) ? REFOBJ_STATE_READY : REFOBJ_STATE_IDLE;
	if (!object->id)
		object->state = 0;
	if (!object->alive || object->id != was->id) {
		object->version = 0;
		for (s = 0; s < SESSIONS; s++)
			sessions[s].watch[o].mask = 0;
	}
	if (!object->alive || object->id != was->id ||
	    object->deactivations != was->deactivations) {
		object->length = 0;
		object->file = false;
	}
}

/* How many events an object has had, its next watch tells. */
static void count_events(unsigned int o)
{
	struct refobj_event e;
	int ret;

	if (!objects[o].alive)
		return;
	ret = ro_watch(FD_OBSERVER, objects[o].id,
		       REFOBJ_WATCH(REFOBJ_EVENT_DESTROYED), 0);
	if (ret || ro_read_events(FD_OBSERVER, &e, 1) != 1)
		fail("object %u cannot be watched: %s", o, result(ret));
	SAME(REFOBJ_EVENT_SNAPSHOT, e.type, "first event of object %u", o);
	SAME(objects[o].id, e.id, "id of the first event of object %u", o);
	objects[o].seq = e.object_seq;
	ret = ro_watch(FD_OBSERVER, objects[o].id, 0, 0);
	if (ret)
		fail("object %u is not watched: %s", o, result(ret));
}

/* Read all that a session was told of, which no model could expect. */
static void drain(int session)
{
	struct session *s = &sessions[session];
	struct op op = { .kind = READ, .n = READ_MAX };
	struct {
		__u64 id, seq;
	} last[OBJECTS] = { { 0 } };
	struct reply *r;
	unsigned int i;
	int w;

	for (w = 0; w < WORKERS * FDS; w++)
		if (workers[w / FDS].pid && workers[w / FDS].fd[w % FDS] == session)
			break;
	op.w = w / FDS;
	op.s = w % FDS;
	for (;;) {
		r = ask(op.w, &op);
		if (r->ret == -EAGAIN)
			break;
		if (r->ret <= 0)
			fail("events cannot be read: %s", result(r->ret));
		for (i = 0; i < (unsigned int)r->ret; i++) {
			struct refobj_event *e = &r->event[i];
			unsigned int o = e->id % OBJECTS;

			SAME(s->seq + 1, e->seq, "number of an event");
			s->seq = e->seq;
			if (e->type == REFOBJ_EVENT_LOST)
				s->seq += e->count - 1;
			/* What has taken the place of another is not compared. */
			if (e->type && e->type != REFOBJ_EVENT_LOST &&
			    last[o].id == e->id && last[o].seq >= e->object_seq)
				fail("events of an object out of order");
			last[o].id = e->id;
			last[o].seq = e->object_seq;
		}
	}
	s->unread = 0;
}

static void together(const struct op *op)
{
	int victim = op->flag ? op->flag - 1 : -1, left = 0, w, s, at = 0;
	bool doubtful[OBJECTS] = { false };
	struct event last[WORKERS];
	struct object was[OBJECTS];
	bool alone[OBJECTS], done[WORKERS];
	unsigned int o;

	nr_seen = 0;
	for (o = 0; o < OBJECTS; o++) {
		struct seen *x;

		was[o] = objects[o];
		alone[o] = shy(o);
		if (!objects[o].alive || alone[o])
			continue;
		x = seen_id(objects[o].id, o);
		x->before = true;
		x->persistent = objects[o].persistent;
		for (s = 0; s < SESSIONS; s++)
			x->held[s] = active(&sessions[s]) ?
				     sessions[s].held[o] : 0;
	}
	for (w = 0; w < WORKERS; w++) {
		done[w] = !workers[w].pid;
		last[w].kind = DONE;
		if (done[w])
			continue;
		give_orders(op, w);
		left++;
	}
	if (victim >= 0 && done[victim])
		victim = -1;

	while (left) {
		struct pollfd fds[2 * WORKERS];
		int n = 0;

		for (w = 0; w < WORKERS; w++) {
			if (done[w])
				continue;
			fds[n++] = (struct pollfd) {
				.fd = FD_OURS + 1 + 2 * w, .events = POLLIN,
			};
			fds[n++] = (struct pollfd) {
				.fd = workers[w].pidfd, .events = POLLIN,
			};
		}
		if (poll(fds, n, 60000 * (int)patience) <= 0)
			fail("the workers do not answer");
		for (n = 0, w = 0; w < WORKERS; w++) {
			if (done[w])
				continue;
			n += 2;
			if (!fds[n - 2].revents) {
				if (fds[n - 1].revents)
					fail("worker %d died: %d", w,
					     ro_reap(workers[w].pid));
				continue;
			}
			done[w] = hear_event(w, &last[w]);
			if (w == victim && !done[w] && at++ == (int)op->o) {
				kill_within(w);
				while (!hear_event(w, &last[w]))
					;
				done[w] = true;
			}
			left -= done[w];
		}
	}

	if (victim >= 0 && victim == corpse) {
		/* A session that it owned has ended for those too who share it. */
		for (o = 0; o < nr_seen; o++)
			seen[o].fuzzy = true;
		if (last[victim].kind != DONE)
			doubtful[last[victim].o] = true;
		bury(victim, alone);
	}
	for (o = 0; o < OBJECTS; o++)
		if (!alone[o] && !doubtful[o])
			conclude(o);
	for (o = 0; o < OBJECTS; o++) {
		if (alone[o])
			continue;
		if (doubtful[o]) {
			struct seen *x;

			/* The newest of which anybody spoke. */
			for (x = seen; x < seen + nr_seen; x++)
				if (x->o == o && x->id > objects[o].id)
					born(o, x->id, x->persistent);
			believe(o);
		}
		conclude_rest(o, &was[o]);
		settle(o, was[o].alive && was[o].id == objects[o].id ?
			  was[o].peak : 0);
	}
	for (o = 0; o < OBJECTS; o++)
		count_events(o);
	for (s = 0; s < SESSIONS; s++)
		if (active(&sessions[s]))
			drain(s);
	/* Ended sessions hold nothing when their place is taken again. */
	for (s = 0; s < SESSIONS; s++)
		if (!sessions[s].live)
			memset(&sessions[s], 0, sizeof(sessions[s]));
}

/*
 * One operation: done, and compared with what the model says of it
 */

static int new_session(__u64 id, int w, pid_t pid)
{
	int i;

	for (i = 0; i < SESSIONS; i++) {
		if (sessions[i].live)
			continue;
		sessions[i] = (struct session) {
			.live = true, .id = id, .pid = pid, .owner = w,
		};
		return i;
	}
	fail("too many sessions");
}

/* Let descriptor @s of @w be of this session, or none; and what it was closed. */
static void set_fd(int w, int s, int session, bool cloexec)
{
	int was = workers[w].fd[s];

	workers[w].fd[s] = session;
	workers[w].cloexec[s] = cloexec;
	if (was < 0)
		return;
	closed(w, was, REFOBJ_CAUSE_CLOSE);
	end_file(was, REFOBJ_CAUSE_CLOSE);
}

static bool count_valid(unsigned int n)
{
	return n && n <= REFOBJ_COUNT_MAX;
}

/* What the id of an operation leads to: 0, or the errno. */
static int expect_id(const struct op *op)
{
	const struct object *object = &objects[op->o];

	if (op->gen == NEVER)
		return -ENOENT;
	if (op->gen == PAST)
		return object->past ? -ESTALE : -ENOENT;
	return object->alive ? 0 : object->id ? -ESTALE : -ENOENT;
}

/* REFOBJ_FIRST, REFOBJ_BUILDER, for one more holder or reference */
static int expect_first(unsigned int o, bool build)
{
	if (!users(o))
		return REFOBJ_FIRST |
		       (build && objects[o].build ? REFOBJ_BUILDER : 0);
	return build && objects[o].state == REFOBJ_STATE_BUILDING &&
	       objects[o].builder == NOBODY ? REFOBJ_BUILDER : 0;
}

static int expect_create(const struct op *op)
{
	if (op->n ? !count_valid(op->n) : !(op->flag & 1))
		return -EINVAL;
	if (objects[op->o].alive)
		return -EEXIST;
	return !op->n ? 0 : REFOBJ_FIRST | (op->flag & 4 ? REFOBJ_BUILDER : 0);
}

static int expect_attach(const struct op *op)
{
	if (!count_valid(op->n))
		return -EINVAL;
	if (objects[op->o].alive)
		return expect_first(op->o, op->flag & 4);
	if (op->flag & 2)
		return -ENOENT;
	return REFOBJ_FIRST | (op->flag & 4 ? REFOBJ_BUILDER : 0);
}

static int expect_acquire(const struct op *op)
{
	if (!count_valid(op->n))
		return -EINVAL;
	if (expect_id(op))
		return expect_id(op);
	if (!users(op->o) && op->flag & 1)
		return -EAGAIN;
	return expect_first(op->o, op->flag & 2);
}

static int expect_release(const struct op *op, const struct session *s,
			  unsigned int n)
{
	if (op->kind == RELEASE && !count_valid(op->n))
		return -EINVAL;
	if (expect_id(op))
		return expect_id(op);
	if (n > s->held[op->o] || !s->held[op->o])
		return -ERANGE;
	return users(op->o) == n;
}

static int expect_destroy(const struct op *op)
{
	if (expect_id(op))
		return expect_id(op);
	return users(op->o) ? -EBUSY : 0;
}

/* The command needs a reference. */
static int expect_held(const struct op *op, const struct session *s)
{
	return expect_id(op) ?: s->held[op->o] ? 0 : -EPERM;
}

static int expect_publish(const struct op *op, const struct session *s)
{
	return expect_held(op, s) ?:
	       objects[op->o].builder == s - sessions ? 0 : -EPERM;
}

static int expect_get_file(const struct op *op, const struct session *s)
{
	return expect_held(op, s) ?: objects[op->o].file ? 0 : -ENOENT;
}

static int expect_set_value(const struct op *op, const struct session *s)
{
	if (op->n > REFOBJ_VALUE_MAX)
		return -EINVAL;
	return expect_held(op, s) ?: op->flag > 1 ? -EAGAIN : 0;
}

static int expect_wait(const struct op *op, const struct session *s)
{
	unsigned int until = op->flag & 7, o = op->o;
	bool build = op->flag & 8, hopeless, met;
	int err = expect_id(op);

	if (until < REFOBJ_UNTIL_IDLE || until > REFOBJ_UNTIL_DEAD ||
	    (op->n && until != REFOBJ_UNTIL_USERS) ||
	    (build && until != REFOBJ_UNTIL_READY))
		return -EINVAL;
	hopeless = until == REFOBJ_UNTIL_ACTIVE || until == REFOBJ_UNTIL_READY;
	if (err)
		return err == -ESTALE && !hopeless ? 0 : err;
	if (build && !s->held[o])
		return -EPERM;
	if (build && expect_first(o, true))
		return REFOBJ_BUILDER;
	switch (until) {
	case REFOBJ_UNTIL_IDLE:
		met = objects[o].state == REFOBJ_STATE_IDLE;
		break;
	case REFOBJ_UNTIL_ACTIVE:
		met = objects[o].state != REFOBJ_STATE_IDLE;
		break;
	case REFOBJ_UNTIL_READY:
		met = objects[o].state == REFOBJ_STATE_READY;
		break;
	case REFOBJ_UNTIL_USERS:
		met = users(o) <= op->n;
		break;
	default:
		met = false;
	}
	return met ? 0 : -ETIMEDOUT;
}

/* Is there a way along edges? At most as long as there are objects. */
static bool leads(unsigned int from, unsigned int to) /* NOLINT(misc-no-recursion) */
{
	unsigned int d;

	if (from == to)
		return true;
	for (d = 0; d < OBJECTS; d++)
		if (edges[from][d].there && leads(d, to))
			return true;
	return false;
}

static int expect_link(const struct op *op)
{
	const struct object *dep = &objects[op->n];
	int err = expect_id(op);

	if (err)
		return err;
	if (!dep->alive)
		return dep->id ? -ESTALE : -ENOENT;
	if (op->kind == UNLINK)
		return edges[op->o][op->n].there ? 0 : -ENOENT;
	if (edges[op->o][op->n].there)
		return -EEXIST;
	return leads(op->n, op->o) ? -ELOOP : 0;
}

/* The unread record that ends the watch of this id, if there is one. */
static struct told *last_told(struct session *s, __u64 id)
{
	unsigned int i;

	for (i = 0; i < s->unread; i++)
		if (s->told[i].ends && s->told[i].id == id)
			return &s->told[i];
	return NULL;
}

static int expect_watch(const struct op *op, struct session *s)
{
	if (op->n & ~REFOBJ_WATCH_ALL)
		return -EINVAL;
	if (op->n)
		return expect_id(op);
	if (op->gen == PRESENT && s->watch[op->o].mask)
		return 0;
	return last_told(s, id_of(op)) ? 0 : -ENOENT;
}

static void do_watch(const struct op *op, struct session *s)
{
	struct told *last;

	if (op->n) {
		s->watch[op->o].mask = op->n;
		s->watch[op->o].cookie = cookie_of(op);
		tell(s, op->o, REFOBJ_EVENT_SNAPSHOT, (struct act) { 0 }, 0);
		return;
	}
	last = last_told(s, id_of(op));
	if (last)
		last->ends = false;
	else
		s->watch[op->o].mask = 0;
}

/*
 * An event was read: of all that are expected of its object, the first. In which
 * order the objects had theirs the model does not know.
 */
static void check_event(struct session *s, const struct refobj_event *e)
{
	struct told *t = s->told;
	unsigned int o;

	while (t < s->told + s->unread && t->id != e->id)
		t++;
	if (t == s->told + s->unread)
		fail("event %llu, of type %u, was not expected",
		     (unsigned long long)e->seq, e->type);
	o = t->o;
	SAME(sizeof(*e), e->size, "size of an event");
	SAME(t->type, e->type, "type of an event of object %u", o);
	SAME(t->cause, e->cause, "cause of event %u of object %u", e->type, o);
	SAME(t->state, e->state, "state of event %u of object %u", e->type, o);
	SAME(s->seq + 1, e->seq, "number of an event of object %u", o);
	SAME(t->object_seq, e->object_seq,
	     "number of event %u among those of object %u", e->type, o);
	SAME(t->cookie, e->cookie, "cookie of event %u of object %u", e->type,
	     o);
	SAME(t->users, e->users, "users of event %u of object %u", e->type, o);
	SAME(t->count, e->count, "count of event %u of object %u", e->type, o);
	SAME(t->pid, e->pid, "pid of event %u of object %u", e->type, o);
	SAME(0, e->flags, "flags of an event");
	s->seq = e->seq;
	s->unread--;
	memmove(t, t + 1, (s->told + s->unread - t) * sizeof(*t));
}

static unsigned int to_read(const struct op *op)
{
	return !op->n ? 1 : op->n < READ_MAX ? op->n : READ_MAX;
}

static void do_read(const struct op *op, struct session *s)
{
	struct reply *r = ask(op->w, op);
	unsigned int n = to_read(op), i;

	if (s->ended) {
		SAME(POLLHUP, r->polled, "poll of a session that has ended");
		SAME(-EOWNERDEAD, r->unread, "FIONREAD");
		SAME(-EOWNERDEAD, r->ret, "read");
		return;
	}
	SAME(s->unread ? POLLIN : 0, r->polled, "poll");
	SAME(s->unread * sizeof(struct refobj_event), r->unread, "FIONREAD");
	if (n > s->unread)
		n = s->unread;
	if (r->ret != (n ? (int)n : -EAGAIN))
		fail("expected %s, got %s", result(n ? (int)n : -EAGAIN),
		     result(r->ret));
	for (i = 0; i < n; i++)
		check_event(s, &r->event[i]);
}

static void do_link(const struct op *op)
{
	struct edge *edge = &edges[op->o][op->n];

	if (op->kind == LINK) {
		*edge = (struct edge) { .there = true, .made = ++arrivals };
		/* It holds at once if it should. */
		settle_object(op->o);
		return;
	}
	edge->there = false;
	if (!edge->holds)
		return;
	edge->holds = false;
	unheld(op->n, (struct act) { .cause = REFOBJ_CAUSE_OBJECT });
	settle_all();
}

static void do_export(const struct op *op)
{
	struct worker *w = &workers[op->w];
	int i;

	for (i = 0; exports[i].live; i++)
		;
	exports[i] = (struct export) {
		.live = true, .o = op->o, .pid = w->pid, .since = ++arrivals,
	};
	w->objfd[op->n] = i;
	w->objfd_cloexec[op->n] = op->flag;
	held(op->o, 1, (struct act) { 0 });
}

static int expect_import(const struct op *op)
{
	if (!count_valid(op->n))
		return -EINVAL;
	return workers[op->w].objfd[op->o] < 0 ? -EBADF : 0;
}

static void do_import(const struct op *op, struct session *s, __u64 id)
{
	unsigned int o = exports[workers[op->w].objfd[op->o]].o;

	SAME(objects[o].id, id, "id of object %u", o);
	take(s, o, op->n, (struct act) { 0 });
}

/* Operations on object descriptors */
static void do_objfd(const struct op *op)
{
	int export = workers[op->w].objfd[op->n];
	struct reply *r = ask(op->w, op);
	struct export *x = &exports[export];

	if (export < 0) {
		SAME(-EBADF, r->ret, "no descriptor");
		return;
	}
	if (op->kind == CLOSE_OBJFD) {
		SAME(0, r->ret, "close");
		workers[op->w].objfd[op->n] = -1;
		end_objfd(export, workers[op->w].pid);
		return;
	}
	x->polled = true;
	SAME(x->changes ? POLLIN : 0, r->polled, "poll of a descriptor");
	if (r->ret != (x->changes ? 0 : -EAGAIN))
		fail("expected %u changes, got %s", x->changes, result(r->ret));
	SAME(x->changes, r->unread, "changes of object %u", x->o);
	x->changes = 0;
}

/* An id of zero means the whole session to these. */
static bool of_session(const struct op *op)
{
	const struct object *object = &objects[op->o];

	return (op->gen == PRESENT && !object->id) ||
	       (op->gen == PAST && !object->past);
}

static int expect_call(const struct op *op, struct session *s)
{
	unsigned int o = op->o;

	switch (op->kind) {
	case CREATE:
		return expect_create(op);
	case ATTACH:
		return expect_attach(op);
	case LOOKUP:
		return objects[o].alive ? 0 : -ENOENT;
	case ACQUIRE:
		return expect_acquire(op);
	case RELEASE:
		return expect_release(op, s, op->n);
	case RELEASE_ALL:
		return expect_release(op, s, s->held[o]);
	case STAT:
	case HOLDERS:
		return expect_id(op);
	case DESTROY:
		return expect_destroy(op);
	case SET_WHY:
	case EXPORT:
	case GET_VALUE:
	case SET_FILE:
		return expect_held(op, s);
	case WATCH:
		return expect_watch(op, s);
	case WAIT:
		return expect_wait(op, s);
	case PUBLISH:
		return expect_publish(op, s);
	case GET_FILE:
		return expect_get_file(op, s);
	case SET_VALUE:
		return expect_set_value(op, s);
	case LINK:
	case UNLINK:
		return expect_link(op);
	case IMPORT:
		return expect_import(op);
	default:
		return 0;
	}
}

static void check_value(unsigned int o, const struct reply *r)
{
	unsigned int i;

	SAME(objects[o].version, r->version, "version of object %u", o);
	SAME(objects[o].length, r->n, "length of the value of object %u", o);
	for (i = 0; i < r->n; i++)
		SAME(value_byte(r->n), r->value[i],
		     "byte %u of the value of object %u", i, o);
}

/* What the call has changed, or told */
static void did_call(const struct op *op, struct session *s,
		     const struct reply *r)
{
	const struct act act = { REFOBJ_CAUSE_ACQUIRE, workers[op->w].pid };
	const struct act end = { REFOBJ_CAUSE_RELEASE, act.pid };
	unsigned int o = op->o, n = op->n;

	switch (op->kind) {
	case ATTACH:
		SAME(!objects[o].alive, r->created, "created");
		fallthrough;
	case CREATE:
		if (!objects[o].alive) {
			born(o, r->id, op->flag & 1);
			objects[o].build = op->flag & 4;
		}
		SAME(objects[o].id, r->id, "id of object %u", o);
		if (!n)
			break;
		take(s, o, n, act);
		if (op->flag & 4)
			claim(s, o, act.pid);
		break;
	case LOOKUP:
		SAME(objects[o].id, r->id, "id of object %u", o);
		break;
	case ACQUIRE:
		take(s, o, n, act);
		if (op->flag & 2)
			claim(s, o, act.pid);
		break;
	case RELEASE:
		drop(s, o, n, end);
		break;
	case RELEASE_ALL:
		drop(s, o, s->held[o], end);
		break;
	case STAT:
		check_stat(o, &r->stat, s);
		break;
	case HOLDERS:
		check_holders(o, r->holder, r->n, r->total);
		break;
	case WALK:
		check_walk(r->walk, r->n);
		break;
	case DESTROY:
		died(o, (struct act) { REFOBJ_CAUSE_DESTROY, act.pid });
		break;
	case SET_WHY:
		s->held_why[o] = n;
		break;
	case SET_WHY_SESSION:
		s->why = n;
		break;
	case ADOPT:
		s->owner = op->flag ? NOBODY : op->w;
		s->pid = act.pid;
		break;
	case WATCH:
		do_watch(op, s);
		break;
	case WAIT:
		if (r->ret == REFOBJ_BUILDER)
			claim(s, o, act.pid);
		break;
	case PUBLISH:
		objects[o].builder = NOBODY;
		objects[o].state = REFOBJ_STATE_READY;
		happened(o, REFOBJ_EVENT_READY,
			 (struct act) { REFOBJ_CAUSE_PUBLISH, act.pid }, 0);
		objects[o].file |= op->flag;
		break;
	case SET_FILE:
		objects[o].file = !op->flag;
		break;
	case SET_VALUE:
		objects[o].version++;
		objects[o].length = n;
		break;
	case GET_VALUE:
		check_value(o, r);
		break;
	case LINK:
	case UNLINK:
		do_link(op);
		break;
	case EXPORT:
		do_export(op);
		break;
	case IMPORT:
		do_import(op, s, r->id);
		break;
	}
	settle_all();
}

/* A session that has nearly as many unread events as it keeps, or -1 */
static int full_session(void)
{
	int i;

	for (i = 0; i < SESSIONS; i++)
		if (active(&sessions[i]) && sessions[i].unread > EVENTS_MANY)
			return i;
	return -1;
}

/*
 * A step of a SUBMIT, from @bits and from what the session holds. False if it is none
 * that there is.
 */
static bool some_step(const struct op *op, const struct session *s,
		      unsigned int bits, struct op *one, struct refobj_op *step)
{
	static const unsigned int counts[] = { 1, 1, 1, 2, 3, 64, 257, 0 };
	bool release = bits & 1, real = bits >> 1 & 31;
	unsigned int code = release ? REFOBJ_OP_RELEASE : REFOBJ_OP_ACQUIRE;

	*one = (struct op) {
		.kind = release ? RELEASE : ACQUIRE, .w = op->w, .s = op->s,
		/* Half of them of one object. */
		.o = (op->o + (bits >> 6 & 1 ? bits >> 7 & 3 : 0)) % OBJECTS,
		.n = counts[bits >> 9 & 7],
		.flag = release || bits >> 12 & 7 ? 0 : bits >> 15 & 3,
		.gen = bits >> 17 & 31 ? PRESENT : bits >> 22 & 1 ? PAST : NEVER,
	};
	/* All that is held, or one too many */
	if (release && bits >> 23 & 1)
		one->n = s->held[one->o] + !(bits >> 24 & 7);
	*step = (struct refobj_op) {
		.op = real ? code : 0, .flags = real && !release ? acquire_flags(one) : 0,
		.id = id_of(one), .count = one->n,
	};
	return real;
}

/*
 * The steps that the number of a SUBMIT leads to, carried out in the model: how many
 * are tried.
 */
static int expect_submit(const struct op *op, struct session *s)
{
	const uint64_t was = rnd_state;
	unsigned int tried = 0, i;
	struct op one;
	int ret = 0;

	rnd_state = op->n;
	submit_steps = one_in(4) ? 1 + rnd(STEPS) : 1 + rnd(6);
	for (i = 0; i < submit_steps; i++) {
		bool real = some_step(op, s, rnd(1 << 27), &one, &submit_step[i]);

		if (ret < 0 && !op->flag)
			continue;
		/* There must be room for what this one tells. */
		if (i && full_session() >= 0) {
			submit_steps = i;
			break;
		}
		ret = real ? expect_call(&one, s) : -EINVAL;
		if (ret >= 0)
			did_call(&one, s, NULL);
		submit_want[i] = ret;
		tried++;
	}
	rnd_state = was;
	return tried;
}

static void check_submit(const struct reply *r)
{
	int i;

	for (i = 0; i < r->ret; i++)
		if (r->result[i] != submit_want[i])
			fail("step %d, op %u of %u of id %llu, flags %u: expected %s, got %s",
			     i, submit_step[i].op, submit_step[i].count,
			     (unsigned long long)submit_step[i].id,
			     submit_step[i].flags, result(submit_want[i]),
			     result(r->result[i]));
}

/* Operations on an open session. */
static void do_call(const struct op *op, struct session *s)
{
	const struct act end = { REFOBJ_CAUSE_RELEASE, workers[op->w].pid };
	struct op whole = *op;
	struct reply *r;
	int want;

	if (op->kind == READ) {
		do_read(op, s);
		return;
	}
	if (of_session(op) && op->kind == RELEASE_ALL)
		whole.kind = RELEASE_SESSION;
	if (of_session(op) && op->kind == SET_WHY)
		whole.kind = SET_WHY_SESSION;
	op = &whole;

	if (s->ended)
		want = -EOWNERDEAD;
	else if (op->kind == RELEASE_SESSION)
		want = drop_all(s, end);
	else if (op->kind == SUBMIT)
		want = expect_submit(op, s);
	else
		want = expect_call(op, s);
	r = ask(op->w, op);
	if (r->ret != want)
		fail("expected %s, got %s", result(want), result(r->ret));
	if (op->kind == SUBMIT)
		check_submit(r);
	else if (want >= 0)
		did_call(op, s, r);
}

/* Operations on descriptors. */
static void do_fd(const struct op *op)
{
	struct worker *w = &workers[op->w];
	int session = w->fd[op->s], want = 0;
	struct reply *r;

	switch (op->kind) {
	case CLOSE:
		want = session < 0 ? -EBADF : 0;
		break;
	case DUP:
		want = op->s == op->n ? -EINVAL : session < 0 ? -EBADF : 0;
		break;
	case TAKE:
		session = workers[op->n].fd[op->o];
		want = session < 0 ? -EBADF : 0;
		break;
	}
	r = ask(op->w, op);
	if (r->ret != want)
		fail("expected %s, got %s", result(want), result(r->ret));
	if (want)
		return;
	switch (op->kind) {
	case OPEN:
		set_fd(op->w, op->s, -1, false);
		session = new_session(r->id, op->w, w->pid);
		set_fd(op->w, op->s, session, op->flag);
		break;
	case CLOSE:
		set_fd(op->w, op->s, -1, false);
		break;
	case DUP:
		set_fd(op->w, op->n, session, op->flag);
		break;
	case TAKE:
		set_fd(op->w, op->s, session, op->flag);
		break;
	}
}

/* Operations on processes. */
static void do_process(const struct op *op)
{
	struct worker *w = &workers[op->w], *child;
	struct reply *r;

	switch (op->kind) {
	case SPAWN:
		spawn(op->w);
		break;
	case FORK:
		child = &workers[op->n];
		r = ask(op->w, op);
		memcpy(child->fd, w->fd, sizeof(w->fd));
		memcpy(child->cloexec, w->cloexec, sizeof(w->cloexec));
		memcpy(child->objfd, w->objfd, sizeof(w->objfd));
		memcpy(child->objfd_cloexec, w->objfd_cloexec,
		       sizeof(w->objfd_cloexec));
		worker_started(op->n, r->ret);
		break;
	case EXEC:
		r = ask(op->w, op);
		if (r->ret)
			fail("exec: %s", result(r->ret));
		close_fds(op->w, false, REFOBJ_CAUSE_CLOSE);
		break;
	case KILL:
		out->kills++;
		kill(w->pid, SIGKILL);
		worker_ended(op->w, -SIGKILL);
		break;
	case EXIT:
		order(op->w, op);
		worker_ended(op->w, 0);
		break;
	}
}

/*
 * So that each part of a sequence is a sequence, what makes no sense is passed
 * over: what a worker that is not there should do, for instance.
 */
static bool possible(const struct op *op)
{
	/* Whatever is done may be told. */
	if (full_session() >= 0 && op->kind != READ)
		return false;
	switch (op->kind) {
	case SPAWN:
		return !workers[op->w].pid;
	case TOGETHER:
		return all_users() < REFERENCES_MAX / 2;
	case FORK:
		return workers[op->w].pid && !workers[op->n].pid;
	case OPEN:
		return workers[op->w].pid && workers[op->w].fd[op->s] < 0;
	case TAKE:
		return workers[op->w].pid && workers[op->n].pid &&
		       op->n != op->w;
	case CREATE:
		if (op->o >= NAMED && objects[op->o].alive)
			return false;
		break;
	case ATTACH:
	case LOOKUP:
		if (op->o >= NAMED)
			return false;
		break;
	}
	if (op->n > 10000 && all_users() + op->n > REFERENCES_MAX)
		return false;
	/* How many counts are told, depends on when others are read. */
	if (op->kind == WATCH && op->n & REFOBJ_WATCH(REFOBJ_EVENT_COUNT))
		return false;
	if (op->kind == EXPORT && workers[op->w].objfd[op->n] >= 0)
		return false;
	return workers[op->w].pid;
}

static void do_op(const struct op *op)
{
	int session = workers[op->w].fd[op->s];
	struct reply *r;

	if (op->kind == TOGETHER) {
		together(op);
	} else if (op->kind < OPEN) {
		do_process(op);
	} else if (op->kind < CREATE) {
		do_fd(op);
	} else if (op->kind == CLOSE_OBJFD || op->kind == READ_OBJFD) {
		do_objfd(op);
	} else if (workers[op->w].fd[op->s] < 0) {
		r = ask(op->w, op);
		if (r->ret != -EBADF)
			fail("expected -EBADF, got %s", result(r->ret));
	} else {
		do_call(op, &sessions[session]);
	}
	check_all();
}

/*
 * What to do next
 */

static unsigned int some_count(void)
{
	switch (rnd(20)) {
	case 0:
		return 0;
	case 1:
		return REFOBJ_COUNT_MAX + rnd(2);
	case 2:
		return 1 + rnd(REFOBJ_COUNT_MAX);
	case 3:
		return 254 + rnd(5);
	case 4 ... 7:
		return 1 + rnd(200);
	default:
		return 1 + rnd(3);
	}
}

/* What somebody would release: all, some, or one too many. */
static unsigned int some_release(unsigned int held)
{
	switch (rnd(10)) {
	case 0:
		return some_count();
	case 1 ... 2:
		return held + 1;
	case 3 ... 6:
		return held;
	default:
		return held ? 1 + rnd(held) : 1;
	}
}

static void some_op(struct op *op)
{
	static const unsigned char calls[] = {
		CREATE, CREATE, CREATE, ATTACH, ATTACH, ATTACH, ATTACH, LOOKUP,
		ACQUIRE, ACQUIRE, ACQUIRE, ACQUIRE, ACQUIRE, RELEASE, RELEASE,
		RELEASE, RELEASE, RELEASE, RELEASE, RELEASE_ALL, RELEASE_ALL,
		RELEASE_SESSION, STAT, HOLDERS, WALK, DESTROY, DESTROY,
		SET_WHY, SET_WHY_SESSION, ADOPT, WATCH, WATCH, WATCH, READ,
		READ, READ, WAIT, WAIT, PUBLISH, PUBLISH, SET_FILE, GET_FILE,
		SET_VALUE, SET_VALUE, GET_VALUE, LINK, LINK, LINK, UNLINK,
		EXPORT, EXPORT, IMPORT, CLOSE_OBJFD, CLOSE_OBJFD, READ_OBJFD,
		SUBMIT, SUBMIT, SUBMIT,
	};
	static const unsigned char fds[] = {
		OPEN, OPEN, OPEN, OPEN, CLOSE, CLOSE, DUP, TAKE,
	};
	static const unsigned char processes[] = {
		SPAWN, SPAWN, FORK, FORK, FORK, EXEC, KILL, KILL, EXIT,
	};
	unsigned int i, session;

	*op = (struct op) {
		.w = rnd(limits.actors), .s = rnd(FDS),
		.o = rnd(limits.objects),
		.flag = rnd(2),
	};
	if (full_session() >= 0) {
		op->kind = READ;
		op->n = READ_MAX;
		for (i = 0; i < SESSIONS; i++) {
			op->w = i / FDS;
			op->s = i % FDS;
			if (workers[op->w].pid &&
			    workers[op->w].fd[op->s] == full_session())
				return;
		}
	}
	/* Those that are there get more to do. */
	for (i = 0; i < 2 * WORKERS && !workers[op->w].pid; i++)
		op->w = rnd(limits.actors);
	if (!workers[op->w].pid) {
		op->kind = SPAWN;
		return;
	}
	if (limits.kills >= 0 && rnd(100) < (unsigned int)limits.kills) {
		op->kind = KILL;
		return;
	}
	switch (rnd(80)) {
	case 0:
		op->kind = TOGETHER;
		op->n = rnd(1 << 20);
		op->flag = one_in(2) ? 1 + rnd(limits.actors) : 0;
		if (!limits.kills)
			op->flag = 0;
		op->o = rnd(2 * BURST);
		if (limits.in_turn) {
			op->kind = WALK;
			op->o = 0;
		}
		return;
	case 1 ... 7:
		op->kind = processes[rnd(RO_ARRAY_SIZE(processes))];
		if (op->kind == KILL && limits.kills >= 0)
			op->kind = EXIT;	/* those were drawn above */
		op->n = rnd(limits.actors);
		if (op->kind == SPAWN)
			op->w = rnd(limits.actors);
		return;
	case 8 ... 19:
		op->kind = fds[rnd(RO_ARRAY_SIZE(fds))];
		if (op->kind == TAKE) {
			op->n = rnd(limits.actors);
			op->o = rnd(FDS);
		} else {
			op->n = rnd(FDS);
		}
		return;
	}

	for (i = 0; i < 2 * FDS && workers[op->w].fd[op->s] < 0; i++)
		op->s = rnd(FDS);
	if (workers[op->w].fd[op->s] < 0 && !one_in(10)) {
		op->kind = OPEN;
		return;
	}
	session = workers[op->w].fd[op->s];
	op->kind = calls[rnd(RO_ARRAY_SIZE(calls))];
	op->gen = one_in(16) ? one_in(2) ? PAST : NEVER : PRESENT;
	switch (op->kind) {
	case ATTACH:
	case LOOKUP:
		op->o = rnd(limits.objects < NAMED ? limits.objects : NAMED);
		op->flag = (one_in(3) ? 1 : 0) | (one_in(3) ? 2 : 0) |
			   (one_in(4) ? 4 : 0);
		op->n = some_count();
		break;
	case HOLDERS:
		op->n = rnd(4);
		break;
	case RELEASE:
		for (i = 0; i < OBJECTS && workers[op->w].fd[op->s] >= 0 &&
		     !sessions[session].held[op->o]; i++)
			op->o = rnd(limits.objects);
		op->n = some_release(workers[op->w].fd[op->s] < 0 ? 0 :
				     sessions[session].held[op->o]);
		break;
	case SET_WHY:
		op->n = rnd(3);
		break;
	case SET_WHY_SESSION:
		op->n = one_in(3) ? 0 : 3 + rnd(2);
		break;
	case ADOPT:
		op->flag = one_in(4);
		break;
	case WATCH:
		op->n = one_in(5) ? 0 : one_in(3) ? 2 * rnd(128) :
						   REFOBJ_WATCH_DEFAULT;
		op->n &= ~REFOBJ_WATCH(REFOBJ_EVENT_COUNT);
		op->flag = rnd(256);
		break;
	case READ:
		op->n = 1 + rnd(READ_MAX);
		break;
	case WAIT:
		op->flag = one_in(20) ? rnd(16) : 1 + rnd(REFOBJ_UNTIL_DEAD);
		if (op->flag == REFOBJ_UNTIL_READY && one_in(2))
			op->flag |= 8;
		if (op->flag == REFOBJ_UNTIL_USERS)
			op->n = some_count();
		break;
	case SET_VALUE:
		op->n = one_in(10) ? rnd(REFOBJ_VALUE_MAX + 2) : rnd(20);
		op->flag = rnd(3);
		break;
	case LINK:
	case UNLINK:
		op->n = rnd(limits.objects);
		break;
	case EXPORT:
	case CLOSE_OBJFD:
	case READ_OBJFD:
		op->n = rnd(OBJFDS);
		break;
	case IMPORT:
		op->o = rnd(OBJFDS);
		op->n = some_count();
		break;
	case ACQUIRE:
		op->flag = (one_in(4) ? 1 : 0) | (one_in(4) ? 2 : 0);
		op->n = some_count();
		break;
	case SUBMIT:
		op->flag = !one_in(3);
		op->gen = PRESENT;
		op->n = rnd(10000);
		break;
	case CREATE:
		op->flag = rnd(2) | (one_in(4) ? 4 : 0);
		fallthrough;
	default:
		op->n = some_count();
	}
}

/*
 * A run: a coordinator in a new process
 */

static void coordinate(uint64_t seed, unsigned int n, uint64_t until_ns)
{
	/* Nobody else's, as long as this process lives. */
	uid_t uid = 0x100000 + getpid();
	int down[2], up[2], w, s;
	__u64 session;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET))
		fail("no network namespace of its own: %s", result(-errno));
	if (setresuid(uid, uid, uid))
		fail("cannot become uid %u: %s", uid, result(-errno));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 1);
	for (w = 0; w < WORKERS; w++) {
		if (pipe(down) || pipe(up) ||
		    dup2(down[0], FD_DOWN + 2 * w) < 0 ||
		    dup2(up[1], FD_UP + 2 * w) < 0 ||
		    dup3(down[1], FD_OURS + 2 * w, O_CLOEXEC) < 0 ||
		    dup3(up[0], FD_OURS + 1 + 2 * w, O_CLOEXEC) < 0)
			fail("pipes: %s", result(-errno));
		close_range(down[0], up[1], 0);
		for (s = 0; s < FDS; s++)
			workers[w].fd[s] = -1;
		for (s = 0; s < OBJFDS; s++)
			workers[w].objfd[s] = -1;
	}
	w = memfd_create("model", 0);
	if (w < 0 || dup2(w, FD_FILE) < 0)
		fail("memfd_create: %s", result(-errno));
	close(w);
	for (w = 0; w < OBJECTS; w++)
		objects[w].builder = NOBODY;
	if (open_session(FD_OBSERVER, true, &session))
		fail("cannot open " REFOBJ_DEV);
	check_all();

	rnd_state = seed;
	for (w = 0; (unsigned int)w < n; w++) {
		if (until_ns && ro_now_ns() > until_ns)
			break;
		if (seed)
			some_op(&out->op[w]);
		out->n = w + 1;
		out->together = out->op[w].kind == TOGETHER;
		out->idle[w] = !possible(&out->op[w]);
		if (!out->idle[w])
			do_op(&out->op[w]);
	}
	for (w = 0; w < WORKERS; w++) {
		if (!workers[w].pid)
			continue;
		kill(workers[w].pid, SIGKILL);
		worker_ended(w, -SIGKILL);
	}
	check_all();
	/* The network namespace would take what is left, and when it likes. */
	for (w = 0; w < OBJECTS; w++) {
		int ret;

		if (!objects[w].alive)
			continue;
		ret = ro_destroy(FD_OBSERVER, objects[w].id);
		if (ret)
			fail("DESTROY of object %u in the end: %s", w,
			     result(ret));
		died(w, (struct act) { REFOBJ_CAUSE_DESTROY, getpid() });
		settle_all();
		check_all();
	}
	_exit(0);
}

bool model_run(uint64_t seed, unsigned int n, uint64_t until_ns)
{
	long long sessions_before = ro_debugfs_stat("sessions");
	long long references_before = ro_debugfs_stat("references");
	long long edges_before = ro_debugfs_stat("edges");
	int status;
	pid_t pid;

	out->failed = false;
	out->together = false;
	out->kills = 0;
	out->objects = 0;
	out->n = 0;
	pid = fork();
	if (!pid)
		coordinate(seed, n, until_ns);
	status = ro_reap(pid);
	/* Its workers die with it and become this process's. */
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	if (status && !out->failed) {
		out->failed = true;
		snprintf(out->what, sizeof(out->what),
			 "the coordinator ended with %d", status);
	}
	if (!out->failed &&
	    (ro_debugfs_stat("sessions") != sessions_before ||
	     ro_debugfs_stat("edges") != edges_before ||
	     ro_debugfs_stat("references") != references_before)) {
		out->failed = true;
		snprintf(out->what, sizeof(out->what),
			 "debugfs: %lld sessions, %lld edges and %lld references too many at the end",
			 ro_debugfs_stat("sessions") - sessions_before,
			 ro_debugfs_stat("edges") - edges_before,
			 ro_debugfs_stat("references") - references_before);
	}
	/* What a failed run left goes with its namespace, which nothing tells of. */
	if (out->failed) {
		uint64_t end = ro_deadline(20);

		while (ro_debugfs_stat("edges") != edges_before &&
		       ro_now_ns() < end)
			sched_yield();
	}
	return !out->failed;
}

const char *model_prepare(void)
{
	const char *why = ro_obstacle();
	static char text[80];

	if (why)
		return why;
	if (unshare(CLONE_NEWNET)) {
		snprintf(text, sizeof(text), "no network namespaces: %s",
			 strerror(errno));
		return text;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	out = ro_shared(sizeof(*out));
	return out ? NULL : "no memory";
}

void model_worker(unsigned int w)
{
	struct reply r = { .ret = 0 };

	if (w >= WORKERS || !send_all(FD_UP + 2 * w, &r, sizeof(r)))
		_exit(94);
	worker(w);
}
