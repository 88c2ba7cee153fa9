// SPDX-License-Identifier: GPL-2.0-only
/*
 * No memory, and results that cannot be written: each call is made with the
 * first, second, third... allocation (or copy from or to the caller) of the
 * kernel failing, until none is left to fail. A call that fails says ENOMEM (or
 * EFAULT) and has changed nothing, loses nothing, and succeeds when it is made
 * again.
 *
 * The first half needs fault injection in the kernel, which distributions leave
 * out (see config); the second, with pages that cannot be written, does not.
 */
#define _GNU_SOURCE
#include <linux/genetlink.h>
#include <linux/refobj_netlink.h>
#include <sys/socket.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define FAIL_NTH	"/proc/self/fail-nth"
#define POINTS_MAX	400	/* no call has as many places to fail */
#define HOLDERS		3

/* How the faults are to be: those of fail-nth do not depend on probability. */
static const struct setting {
	const char *path, *value;
	bool required;
} settings[] = {
	{ "/sys/kernel/debug/failslab/ignore-gfp-wait", "N", true },
	{ "/sys/kernel/debug/failslab/cache-filter", "N", false },
	{ "/sys/kernel/debug/failslab/verbose", "0", true },
	{ "/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N", false },
	{ "/sys/kernel/debug/fail_page_alloc/min-order", "0", false },
	{ "/sys/kernel/debug/fail_page_alloc/verbose", "0", false },
	{ "/sys/kernel/debug/fail_usercopy/verbose", "0", false },
};

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static int read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	text[n > 0 ? n : 0] = 0;
	close(fd);
	return n < 0 ? -errno : 0;
}

/*
 * The world that a call is made in, anew for each
 */
struct world {
	int s;			/* the session that calls */
	int empty;		/* another, that holds nothing */
	int others[HOLDERS];	/* they hold @theirs */
	int extra;		/* what the call opened, or -1 */
	int file;		/* opened for the call to read, or -1 */
	int memfd;		/* a payload */
	int objfd;		/* object descriptor of @theirs, or -1 */
	__u64 held, idle, theirs;
	__u64 building;		/* by @s */
	__u64 vacant;		/* that nobody builds and @s holds */
	__u64 needed;		/* by @held */
};

#define VALUE	"a value"

static int watch(int fd, __u64 id, unsigned int mask)
{
	struct refobj_watch a = {
		.size = sizeof(a), .id = id, .mask = mask, .cookie = id,
	};

	return ro_ioctl(fd, REFOBJ_IOC_WATCH, &a);
}

static int set_payload(int fd, __u64 id, int file)
{
	struct refobj_payload a = { .size = sizeof(a), .id = id, .fd = file };

	return ro_ioctl(fd, REFOBJ_IOC_SET_PAYLOAD, &a);
}

static int set_value(int fd, __u64 id, const char *text)
{
	struct refobj_value a = {
		.size = sizeof(a), .id = id, .data = (uintptr_t)text,
		.length = strlen(text),
	};

	return ro_ioctl(fd, REFOBJ_IOC_SET_VALUE, &a);
}

static int get_value(int fd, __u64 id, char *text, unsigned int room)
{
	struct refobj_value a = {
		.size = sizeof(a), .id = id, .data = (uintptr_t)text,
		.length = room,
	};
	int ret = ro_ioctl(fd, REFOBJ_IOC_GET_VALUE, &a);

	return ret < 0 ? ret : (int)a.length;
}

static int link_to(int fd, __u64 id, __u64 dep)
{
	struct refobj_link a = { .size = sizeof(a), .id = id, .dep = dep };

	return ro_ioctl(fd, REFOBJ_IOC_LINK, &a);
}

static int export(int fd, __u64 id)
{
	struct refobj_export a = { .size = sizeof(a), .id = id };

	return ro_ioctl(fd, REFOBJ_IOC_EXPORT, &a);
}

/* What there is beyond references */
static int world_fill(struct world *w)
{
	int builder = w->others[1];

	w->memfd = memfd_create("payload", MFD_CLOEXEC);
	w->objfd = export(w->others[0], w->theirs);
	return w->memfd < 0 || w->objfd < 0 ||
	       ro_create(w->s, "building", REFOBJ_BUILD, 1, &w->building) !=
	       (REFOBJ_FIRST | REFOBJ_BUILDER) ||
	       ro_create(builder, "vacant", REFOBJ_BUILD, 1, &w->vacant) !=
	       (REFOBJ_FIRST | REFOBJ_BUILDER) ||
	       ro_acquire(w->s, w->vacant, 1, 0) ||
	       ro_release(builder, w->vacant, 1) ||
	       ro_create(w->s, "needed", REFOBJ_PERSISTENT, 0, &w->needed) ||
	       link_to(w->s, w->held, w->needed) ||
	       set_payload(w->s, w->held, w->memfd) ||
	       set_value(w->s, w->held, VALUE) ||
	       watch(w->s, w->idle, REFOBJ_WATCH_ALL) ||
	       watch(w->s, w->theirs, REFOBJ_WATCH_ALL) ||
	       watch(w->others[0], w->held, REFOBJ_WATCH_ALL);
}

static int world_make(struct world *w)
{
	int i, ret;

	memset(w, 0, sizeof(*w));
	w->extra = -1;
	w->file = -1;
	w->s = ro_open();
	w->empty = ro_open();
	if (w->s < 0 || w->empty < 0)
		return -ENODEV;
	ret = ro_create(w->s, "held", 0, 3, &w->held) != 1 ||
	      ro_create(w->s, "idle", REFOBJ_PERSISTENT, 0, &w->idle) ||
	      ro_set_why(w->s, 0, "why the session") ||
	      ro_set_why(w->s, w->held, "why the reference");
	for (i = 0; i < HOLDERS; i++) {
		w->others[i] = ro_open();
		if (w->others[i] < 0)
			return -ENODEV;
		ret |= ro_attach(w->others[i], "theirs", 0, 2, &w->theirs,
				 NULL) < 0;
	}
	return ret || world_fill(w) ? -EIO : 0;
}

static void world_end(struct world *w)
{
	int i;

	if (w->extra >= 0)
		close(w->extra);
	if (w->file >= 0)
		close(w->file);
	if (w->objfd >= 0)
		close(w->objfd);
	close(w->memfd);
	ro_release_all(w->empty, 0);
	if (w->s >= 0)
		ro_release_all(w->s, 0);
	ro_destroy(w->empty, w->idle);
	ro_destroy(w->empty, w->needed);
	close(w->empty);
	if (w->s >= 0)
		close(w->s);
	for (i = 0; i < HOLDERS; i++)
		close(w->others[i]);
}

/* All that a call might change. */
struct snapshot {
	struct refobj_stat held, idle, theirs, theirs_too;
	struct refobj_stat building, vacant, needed;
	struct refobj_holder holder[HOLDERS + 3];
	__u64 objects_used, bytes_used, watches_used;
	long long objects, sessions, references, edges;
	int holders, found, walked;
	int events, their_events;
	char value[32];
	char fdinfo[256];
};

static void look(struct world *w, struct snapshot *s)
{
	struct refobj_info info = { .size = sizeof(info) };
	struct refobj_stat st = { .id = 0 };
	char path[40], text[512], *ours;
	int other = w->others[0];
	int self = w->s < 0 ? other : w->s;
	__u64 id;

	memset(s, 0, sizeof(*s));
	ro_ioctl(other, REFOBJ_IOC_INFO, &info);
	s->objects_used = info.objects_used;
	s->bytes_used = info.bytes_used;
	s->watches_used = info.watches_used;
	s->objects = ro_debugfs_stat("objects");
	s->sessions = ro_debugfs_stat("sessions");
	s->references = ro_debugfs_stat("references");
	s->edges = ro_debugfs_stat("edges");
	ro_stat(self, w->held, &s->held);
	ro_stat(other, w->idle, &s->idle);
	ro_stat(self, w->theirs, &s->theirs);
	ro_stat(w->empty, w->theirs, &s->theirs_too);
	ro_stat(self, w->building, &s->building);
	ro_stat(self, w->vacant, &s->vacant);
	ro_stat(self, w->needed, &s->needed);
	s->holders = ro_holders(other, w->held, s->holder, 1, NULL);
	s->holders += 10 * ro_holders(other, w->theirs, s->holder + 1,
				      HOLDERS + 1, NULL);
	s->holders += 100 * ro_holders(other, w->needed,
				       s->holder + HOLDERS + 2, 1, NULL);
	ioctl(self, FIONREAD, &s->events);
	ioctl(other, FIONREAD, &s->their_events);
	get_value(self, w->held, s->value, sizeof(s->value));
	s->found = ro_lookup(other, "new", &id);
	for (;;) {
		__u64 last = st.id;

		memset(&st, 0, sizeof(st));
		st.size = sizeof(st);
		st.flags = REFOBJ_STAT_NEXT;
		st.id = last;
		if (ro_ioctl(other, REFOBJ_IOC_STAT, &st))
			break;
		s->walked++;
	}
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", w->s);
	if (w->s >= 0 && !read_file(path, text, sizeof(text))) {
		ours = strstr(text, "refobj-");
		snprintf(s->fdinfo, sizeof(s->fdinfo), "%s", ours ?: "?");
	}
}

/*
 * The calls: what the kernel said, or -errno
 */

static int do_open(struct world *w)
{
	w->extra = open(REFOBJ_DEV, O_RDWR | O_CLOEXEC);
	return w->extra < 0 ? -errno : 0;
}

/* By a uid that has no account yet. Group 0 is what opens the device node. */
static int do_open_as_another(struct world *w)
{
	int ret;

	if (seteuid(4321))
		return -errno;
	ret = do_open(w);
	/* It needs memory too, which fails once. */
	if (seteuid(0) && seteuid(0))
		abort();
	return ret;
}

/* Cannot fail, and ends all that the session held. */
static int do_close(struct world *w)
{
	int ret = close(w->s) ? -errno : 0;

	w->s = -1;
	return ret;
}

static int do_info(struct world *w)
{
	struct refobj_info info = { .size = sizeof(info) };

	return ro_ioctl(w->s, REFOBJ_IOC_INFO, &info);
}

static int create(int fd, const char *name, const char *type,
		  unsigned int flags, unsigned int initial)
{
	struct refobj_create c = {
		.size = sizeof(c), .flags = flags, .initial = initial,
	};

	strncpy(c.name, name, sizeof(c.name) - 1);
	strncpy(c.type, type, sizeof(c.type) - 1);
	return ro_ioctl(fd, REFOBJ_IOC_CREATE, &c);
}

static int do_create_named(struct world *w)
{
	return create(w->s, "new", "type", 0, 5);
}

static int do_create_anonymous(struct world *w)
{
	return create(w->empty, "", "", 0, 500);
}

static int do_create_idle(struct world *w)
{
	return create(w->s, "new", "", REFOBJ_PERSISTENT, 0);
}

static int do_attach_new(struct world *w)
{
	return ro_attach(w->empty, "new", 0, 2, NULL, NULL);
}

static int do_attach_existing(struct world *w)
{
	return ro_attach(w->empty, "theirs", 0, 2, NULL, NULL);
}

static int do_attach_idle(struct world *w)
{
	return ro_attach(w->s, "idle", REFOBJ_ATTACH_EXISTING, 300, NULL, NULL);
}

static int do_attach_held(struct world *w)
{
	return ro_attach(w->s, "held", 0, 2, NULL, NULL);
}

static int do_lookup(struct world *w)
{
	__u64 id;

	return ro_lookup(w->s, "theirs", &id);
}

static int do_acquire_new(struct world *w)
{
	return ro_acquire(w->empty, w->theirs, 2, 0);
}

static int do_acquire_idle(struct world *w)
{
	return ro_acquire(w->empty, w->idle, 1000, 0);
}

static int do_acquire_held(struct world *w)
{
	return ro_acquire(w->s, w->held, 2, 0);
}

static int do_release(struct world *w)
{
	return ro_release(w->s, w->held, 2);
}

static int do_release_last(struct world *w)
{
	return ro_release(w->s, w->held, 3);
}

static int do_release_all(struct world *w)
{
	return ro_release_all(w->s, w->held);
}

static int do_release_session(struct world *w)
{
	return ro_release_all(w->s, 0);
}

static int do_stat(struct world *w)
{
	struct refobj_stat st;

	return ro_stat(w->s, w->theirs, &st);
}

static int do_stat_next(struct world *w)
{
	struct refobj_stat st = {
		.size = sizeof(st), .flags = REFOBJ_STAT_NEXT,
	};

	return ro_ioctl(w->s, REFOBJ_IOC_STAT, &st);
}

static int do_holders(struct world *w)
{
	struct refobj_holder holder[HOLDERS];

	return ro_holders(w->s, w->theirs, holder, HOLDERS, NULL);
}

static int do_destroy(struct world *w)
{
	return ro_destroy(w->s, w->idle);
}

static int do_set_why_session(struct world *w)
{
	return ro_set_why(w->s, 0, "another reason");
}

static int do_set_why_reference(struct world *w)
{
	return ro_set_why(w->s, w->held, "another reason");
}

static int do_set_why_none(struct world *w)
{
	return ro_set_why(w->s, w->held, "");
}

static int do_create_building(struct world *w)
{
	return create(w->empty, "new", "", REFOBJ_BUILD, 1);
}

static int do_create_lingering(struct world *w)
{
	struct refobj_create c = {
		.size = sizeof(c), .flags = REFOBJ_PERSISTENT, .name = "new",
		.linger_ms = 60000,
	};

	return ro_ioctl(w->s, REFOBJ_IOC_CREATE, &c);
}

static int do_attach_vacant(struct world *w)
{
	return ro_attach(w->empty, "vacant", REFOBJ_BUILD, 1, NULL, NULL);
}

static int do_acquire_vacant(struct world *w)
{
	return ro_acquire(w->s, w->vacant, 1, REFOBJ_ACQUIRE_BUILD);
}

/* The first watch of a session, which gives it a queue */
static int do_watch_first(struct world *w)
{
	return watch(w->empty, w->theirs, REFOBJ_WATCH_ALL);
}

static int do_watch_another(struct world *w)
{
	return watch(w->s, w->held, REFOBJ_WATCH_DEFAULT);
}

static int do_watch_again(struct world *w)
{
	return watch(w->s, w->theirs, REFOBJ_WATCH(REFOBJ_EVENT_COUNT));
}

static int do_watch_end(struct world *w)
{
	return watch(w->s, w->theirs, 0);
}

static int do_read(struct world *w)
{
	struct refobj_event event[3];
	ssize_t n = read(w->s, event, sizeof(event));

	return n < 0 ? -errno : (int)(n / sizeof(event[0]));
}

static int do_fionread(struct world *w)
{
	int n;

	return ioctl(w->s, FIONREAD, &n) ? -errno : 0;
}

static int wait_for(int fd, struct refobj_condition *c, unsigned int n,
		    unsigned int flags)
{
	struct refobj_wait a = {
		.size = sizeof(a), .flags = flags,
		.conditions = (uintptr_t)c, .count = n,
		.condition_size = sizeof(*c), .timeout_ns = ~0ULL,
	};

	return ro_ioctl(fd, REFOBJ_IOC_WAIT, &a);
}

static int do_wait_any(struct world *w)
{
	struct refobj_condition c[] = {
		{ .id = w->idle, .until = REFOBJ_UNTIL_ACTIVE },
		{ .id = w->theirs, .until = REFOBJ_UNTIL_READY },
	};

	return wait_for(w->s, c, 2, 0);
}

static int do_wait_all(struct world *w)
{
	struct refobj_condition c[] = {
		{ .id = w->held, .until = REFOBJ_UNTIL_USERS, .users = 3 },
		{ .id = w->idle, .until = REFOBJ_UNTIL_IDLE },
	};

	return wait_for(w->s, c, 2, REFOBJ_WAIT_ALL);
}

static int do_wait_build(struct world *w)
{
	struct refobj_condition c = {
		.id = w->vacant, .until = REFOBJ_UNTIL_READY,
		.flags = REFOBJ_COND_BUILD,
	};

	return wait_for(w->s, &c, 1, 0);
}

static int do_submit(struct world *w)
{
	struct refobj_op op = {
		.op = REFOBJ_OP_ACQUIRE, .id = w->idle, .count = 1,
	};
	struct refobj_submit a = {
		.size = sizeof(a), .ops = (uintptr_t)&op, .count = 1,
		.op_size = sizeof(op),
	};
	int ret = ro_ioctl(w->s, REFOBJ_IOC_SUBMIT, &a);

	return ret < 0 ? ret : op.result;
}

static int do_publish(struct world *w)
{
	struct refobj_payload a = { .size = sizeof(a), .id = w->building };

	return ro_ioctl(w->s, REFOBJ_IOC_PUBLISH, &a);
}

static int do_publish_file(struct world *w)
{
	struct refobj_payload a = {
		.size = sizeof(a), .flags = REFOBJ_PUBLISH_FILE,
		.id = w->building, .fd = w->memfd,
	};

	return ro_ioctl(w->s, REFOBJ_IOC_PUBLISH, &a);
}

static int do_set_payload(struct world *w)
{
	return set_payload(w->s, w->building, w->memfd);
}

static int do_set_payload_none(struct world *w)
{
	return set_payload(w->s, w->held, -1);
}

static int do_get_payload(struct world *w)
{
	struct refobj_payload a = { .size = sizeof(a), .id = w->held };

	w->extra = ro_ioctl(w->s, REFOBJ_IOC_GET_PAYLOAD, &a);
	return w->extra < 0 ? w->extra : 0;
}

static int do_set_value(struct world *w)
{
	return set_value(w->s, w->building, "another value");
}

static int do_set_value_again(struct world *w)
{
	return set_value(w->s, w->held, "a longer value");
}

static int do_set_value_none(struct world *w)
{
	return set_value(w->s, w->held, "");
}

static int do_get_value(struct world *w)
{
	char text[32];

	return get_value(w->s, w->held, text, sizeof(text));
}

static int do_link(struct world *w)
{
	return link_to(w->s, w->held, w->idle);
}

static int do_link_idle(struct world *w)
{
	return link_to(w->s, w->idle, w->needed);
}

static int do_unlink(struct world *w)
{
	struct refobj_link a = {
		.size = sizeof(a), .id = w->held, .dep = w->needed,
	};

	return ro_ioctl(w->s, REFOBJ_IOC_UNLINK, &a);
}

static int do_export(struct world *w)
{
	w->extra = export(w->s, w->held);
	return w->extra < 0 ? w->extra : 0;
}

static int import(int fd, struct world *w)
{
	struct refobj_import a = {
		.size = sizeof(a), .fd = w->objfd, .count = 2,
	};

	return ro_ioctl(fd, REFOBJ_IOC_IMPORT, &a);
}

static int do_import_new(struct world *w)
{
	return import(w->empty, w);
}

static int do_import_held(struct world *w)
{
	return import(w->others[2], w);
}

static int do_adopt(struct world *w)
{
	struct refobj_adopt a = { .size = sizeof(a) };

	return ro_ioctl(w->s, REFOBJ_IOC_ADOPT, &a);
}

static int do_adopt_nobody(struct world *w)
{
	struct refobj_adopt a = {
		.size = sizeof(a), .flags = REFOBJ_ADOPT_NOBODY,
	};

	return ro_ioctl(w->s, REFOBJ_IOC_ADOPT, &a);
}

/* The first one lets the descriptor be told. */
static int do_objfd_poll(struct world *w)
{
	struct pollfd p = { .fd = w->objfd, .events = POLLIN };

	return poll(&p, 1, 0) < 0 ? -errno : p.revents;
}

static int do_objfd_close(struct world *w)
{
	int ret = close(w->objfd) ? -errno : 0;

	w->objfd = -1;
	return ret;
}

/* Looking /proc/PID up has errors of its own: the file is opened before. */
static int prepare_fdinfo(struct world *w)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", w->s);
	w->file = open(path, O_RDONLY | O_CLOEXEC);
	return w->file < 0 ? -errno : 0;
}

static int do_fdinfo(struct world *w)
{
	char text[512];

	return pread(w->file, text, sizeof(text), 0) < 0 ? -errno : 0;
}

/*
 * Netlink, without a library that would allocate
 */

/* What the family and its group are; by prepare_netlink(). */
static unsigned int nl_family, nl_group;

static int nl_socket(void)
{
	struct timeval patience = { .tv_sec = 20 };
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);

	if (fd < 0 || connect(fd, (void *)&to, sizeof(to)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		return -errno;
	return fd;
}

struct nl_request {
	struct nlmsghdr h;
	struct genlmsghdr g;
	struct nlattr a;
	char payload[16];
};

/* Asks; the answer's last message is in @answer. 0 or what it was refused with. */
static int nl_ask(int fd, struct nl_request *r, size_t payload, char *answer,
		  size_t size)
{
	const struct nlmsghdr *h;
	ssize_t n;
	int err;

	r->h.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) + (payload ? NLA_HDRLEN : 0) +
			 NLA_ALIGN(payload);
	r->h.nlmsg_flags |= NLM_F_REQUEST;
	r->g.version = 1;
	r->a.nla_len = NLA_HDRLEN + payload;
	if (send(fd, r, r->h.nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		n = recv(fd, answer, size, 0);
		if (n < 0)
			return -errno;
		for (h = (void *)answer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
				memcpy(&err, NLMSG_DATA(h), sizeof(err));
				return err;
			}
			if (!(h->nlmsg_flags & NLM_F_MULTI))
				return 0;
		}
	}
}

static const struct nlattr *nl_next(const struct nlattr *a)
{
	return (const void *)((const char *)a + NLA_ALIGN(a->nla_len));
}

#define NL_DATA(a)	((const void *)((const char *)(a) + NLA_HDRLEN))

static int prepare_netlink(struct world *w)
{
	static char answer[8192] __attribute__((aligned(8)));
	struct nl_request r = {
		.h.nlmsg_type = GENL_ID_CTRL, .g.cmd = CTRL_CMD_GETFAMILY,
		.a.nla_type = CTRL_ATTR_FAMILY_NAME, .payload = REFOBJ_GENL_NAME,
	};
	const struct nlmsghdr *h = (void *)answer;
	const struct nlattr *a, *group;
	int ret;

	w->extra = nl_socket();
	if (w->extra < 0)
		return w->extra;
	ret = nl_ask(w->extra, &r, sizeof(REFOBJ_GENL_NAME), answer, sizeof(answer));
	if (ret)
		return ret;
	for (a = (void *)(answer + NLMSG_LENGTH(GENL_HDRLEN));
	     (const char *)a < answer + h->nlmsg_len; a = nl_next(a)) {
		if (a->nla_type == CTRL_ATTR_FAMILY_ID)
			memcpy(&nl_family, NL_DATA(a), sizeof(__u16));
		if (a->nla_type != CTRL_ATTR_MCAST_GROUPS)
			continue;
		/* one group: its name, and its number */
		for (group = NL_DATA((const struct nlattr *)NL_DATA(a));
		     (const char *)group < (const char *)a + a->nla_len;
		     group = nl_next(group))
			if (group->nla_type == CTRL_ATTR_MCAST_GRP_ID)
				memcpy(&nl_group, NL_DATA(group), sizeof(nl_group));
	}
	return nl_family && nl_group ? 0 : -ENOENT;
}

static int prepare_listener(struct world *w)
{
	int ret = prepare_netlink(w);

	if (!ret)
		ret = setsockopt(w->extra, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &nl_group,
				 sizeof(nl_group)) ? -errno : 0;
	return ret;
}

/* No room for a message is no memory. After a failure the rest of an answer may come. */
static int nl_call(struct world *w, int cmd, int flags, int attr, __u64 id)
{
	static char answer[32768] __attribute__((aligned(8)));
	struct nl_request r = {
		.h = { .nlmsg_type = nl_family, .nlmsg_flags = flags },
		.g.cmd = cmd, .a.nla_type = attr,
	};
	int ret;

	memcpy(r.payload, &id, sizeof(id));
	ret = nl_ask(w->extra, &r, attr ? sizeof(id) : 0, answer, sizeof(answer));
	if (ret < 0) {
		close(w->extra);
		w->extra = nl_socket();
	}
	return ret == -ENOBUFS ? -ENOMEM : ret;
}

static int do_nl_object(struct world *w)
{
	return nl_call(w, REFOBJ_CMD_OBJECT_GET, 0, REFOBJ_A_OBJECT_ID, w->held);
}

static int do_nl_objects(struct world *w)
{
	return nl_call(w, REFOBJ_CMD_OBJECT_GET, NLM_F_DUMP, 0, 0);
}

static int do_nl_holders(struct world *w)
{
	return nl_call(w, REFOBJ_CMD_HOLDER_GET, NLM_F_DUMP, 0, 0);
}

static int do_nl_holders_of_one(struct world *w)
{
	return nl_call(w, REFOBJ_CMD_HOLDER_GET, NLM_F_DUMP, REFOBJ_A_HOLDER_OBJECT,
		       w->theirs);
}

static int do_nl_sessions(struct world *w)
{
	return nl_call(w, REFOBJ_CMD_SESSION_GET, NLM_F_DUMP, 0, 0);
}

static int do_nl_edges(struct world *w)
{
	return nl_call(w, REFOBJ_CMD_EDGE_GET, NLM_F_DUMP, 0, 0);
}

static int do_nl_stats(struct world *w)
{
	return nl_call(w, REFOBJ_CMD_STATS_GET, 0, 0, 0);
}

/* What cannot be told is lost; the call does not mind. */
static int do_release_heard(struct world *w)
{
	return ro_release(w->s, w->held, 3);
}

static int do_debugfs(const char *path)
{
	char text[4096];
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret = 0;

	if (fd >= 0)
		n = read(fd, text, sizeof(text));
	if (n < 0)
		ret = -errno;
	if (fd >= 0)
		close(fd);
	return ret;
}

static int do_debugfs_stats(struct world *w)
{
	return do_debugfs(REFOBJ_DEBUGFS "/stats");
}

static int do_debugfs_objects(struct world *w)
{
	return do_debugfs(REFOBJ_DEBUGFS "/objects");
}

static int do_debugfs_sessions(struct world *w)
{
	return do_debugfs(REFOBJ_DEBUGFS "/sessions");
}

/* In a registry that has nothing yet. */
static int prepare_registry(struct world *w)
{
	if (unshare(CLONE_NEWNET))
		return -errno;
	w->extra = ro_open();
	return w->extra < 0 ? w->extra : 0;
}

static int do_create_first(struct world *w)
{
	return create(w->extra, "first", "type", 0, 1);
}

static int do_attach_first(struct world *w)
{
	return ro_attach(w->extra, "first", 0, 1, NULL, NULL);
}

/*
 * fail-nth
 */

/* What the world came from, and must come back to. */
struct base {
	struct refobj_info info;
	long long objects, sessions, references, edges;
};

static void base_look(int fd, struct base *base)
{
	memset(base, 0, sizeof(*base));
	base->info.size = sizeof(base->info);
	ro_ioctl(fd, REFOBJ_IOC_INFO, &base->info);
	base->objects = ro_debugfs_stat("objects");
	base->sessions = ro_debugfs_stat("sessions");
	base->references = ro_debugfs_stat("references");
	base->edges = ro_debugfs_stat("edges");
}

/* The next @n-th place to fail fails; 0 disarms. */
static int arm(int fail_nth, unsigned int n)
{
	char text[12];
	int len = snprintf(text, sizeof(text), "%u", n);

	return pwrite(fail_nth, text, len, 0) == len ? 0 : -errno;
}

/*
 * Disarms: 1 if something has failed, 0 if not, or -errno. To look, and to
 * disarm, may be what fails: then nothing had.
 */
static int disarm(int fail_nth)
{
	char text[12] = "";
	int ret = 1;

	if (pread(fail_nth, text, sizeof(text) - 1, 0) < 0) {
		if (errno != EFAULT && errno != ENOMEM)
			return -errno;
		ret = 0;
	} else if (text[0] != '0') {
		ret = 0;
	}
	if (arm(fail_nth, 0) && arm(fail_nth, 0))
		return -EIO;
	return ret;
}

FIXTURE(fail_nth)
{
	char saved[RO_ARRAY_SIZE(settings)][16];
	bool set[RO_ARRAY_SIZE(settings)];
	int fd, observer;
};

FIXTURE_VARIANT(fail_nth)
{
	int (*prepare)(struct world *w);
	int (*call)(struct world *w);
	int result;		/* of success */
	bool changes;		/* something that can be seen */
	bool never_fails;
};

#define CALL(_name, _result, ...)					\
	FIXTURE_VARIANT_ADD(fail_nth, _name)				\
	{								\
		.call = do_##_name, .result = (_result), __VA_ARGS__	\
	}

#define CHANGES .changes = true

CALL(open, 0, CHANGES);
CALL(open_as_another, 0, CHANGES);
CALL(close, 0, CHANGES, .never_fails = true);
CALL(info, 0);
CALL(create_named, 1, CHANGES);
CALL(create_anonymous, 1, CHANGES);
CALL(create_idle, 0, CHANGES);
CALL(create_first, 1, CHANGES, .prepare = prepare_registry);
CALL(attach_new, 1, CHANGES);
CALL(attach_existing, 0, CHANGES);
CALL(attach_idle, 1, CHANGES);
CALL(attach_held, 0, CHANGES);
CALL(attach_first, 1, CHANGES, .prepare = prepare_registry);
CALL(lookup, 0);
CALL(acquire_new, 0, CHANGES);
CALL(acquire_idle, 1, CHANGES);
CALL(acquire_held, 0, CHANGES);
CALL(release, 0, CHANGES);
CALL(release_last, 1, CHANGES);
CALL(release_all, 1, CHANGES);
CALL(release_session, 3, CHANGES);
CALL(stat, 0);
CALL(stat_next, 0);
CALL(holders, HOLDERS);
CALL(destroy, 0, CHANGES);
CALL(set_why_session, 0, CHANGES);
CALL(set_why_reference, 0, CHANGES);
CALL(set_why_none, 0, CHANGES);
CALL(create_building, REFOBJ_FIRST | REFOBJ_BUILDER, CHANGES);
CALL(create_lingering, 0, CHANGES);
CALL(attach_vacant, REFOBJ_BUILDER, CHANGES);
CALL(acquire_vacant, REFOBJ_BUILDER, CHANGES);
CALL(watch_first, 0, CHANGES);
CALL(watch_another, 0, CHANGES);
CALL(watch_again, 0, CHANGES);
CALL(watch_end, 0, CHANGES);
CALL(read, 2, CHANGES);
CALL(fionread, 0);
CALL(wait_any, 1);
CALL(wait_all, 0);
CALL(wait_build, REFOBJ_BUILDER, CHANGES);
CALL(publish, 0, CHANGES);
CALL(publish_file, 0, CHANGES);
CALL(set_payload, 0, CHANGES);
CALL(set_payload_none, 0, CHANGES);
CALL(get_payload, 0);
CALL(set_value, 0, CHANGES);
CALL(set_value_again, 0, CHANGES);
CALL(set_value_none, 0, CHANGES);
CALL(get_value, strlen(VALUE));
CALL(link, 0, CHANGES);
CALL(link_idle, 0, CHANGES);
CALL(unlink, 0, CHANGES);
CALL(export, 0, CHANGES);
CALL(import_new, 0, CHANGES);
CALL(import_held, 0, CHANGES);
CALL(submit, 1, CHANGES);
CALL(adopt, 0);
CALL(adopt_nobody, 0);
CALL(objfd_poll, 0, CHANGES);
CALL(objfd_close, 0, CHANGES, .never_fails = true);
CALL(fdinfo, 0, .prepare = prepare_fdinfo);
CALL(nl_object, 0, .prepare = prepare_netlink);
CALL(nl_objects, 0, .prepare = prepare_netlink);
CALL(nl_holders, 0, .prepare = prepare_netlink);
CALL(nl_holders_of_one, 0, .prepare = prepare_netlink);
CALL(nl_sessions, 0, .prepare = prepare_netlink);
CALL(nl_edges, 0, .prepare = prepare_netlink);
CALL(nl_stats, 0, .prepare = prepare_netlink);
CALL(release_heard, 1, CHANGES, .prepare = prepare_listener);
CALL(debugfs_stats, 0);
CALL(debugfs_objects, 0);
CALL(debugfs_sessions, 0);

FIXTURE_SETUP(fail_nth)
{
	const char *why = ro_obstacle();
	unsigned int i;

	self->fd = -1;
	if (why)
		SKIP(return, "%s", why);
	self->fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	if (self->fd < 0)
		SKIP(return, "no " FAIL_NTH
		     ": a kernel without fault injection (CONFIG_FAULT_INJECTION)");
	if (unshare(CLONE_NEWNET))
		SKIP(return, "no network namespaces");
	for (i = 0; i < RO_ARRAY_SIZE(settings); i++) {
		if (!read_file(settings[i].path, self->saved[i],
			       sizeof(self->saved[i])) &&
		    !write_file(settings[i].path, settings[i].value))
			self->set[i] = true;
		else if (settings[i].required)
			SKIP(return, "%s cannot be set: see config",
			     settings[i].path);
	}
	self->observer = ro_open();
	ASSERT_LE(0, self->observer);
}

FIXTURE_TEARDOWN(fail_nth)
{
	unsigned int i;

	if (self->fd >= 0)
		disarm(self->fd);
	for (i = 0; i < RO_ARRAY_SIZE(settings); i++)
		if (self->set[i])
			EXPECT_EQ(0, write_file(settings[i].path,
						self->saved[i]));
}

#define LEFT \
	"%lld objects, %lld sessions, %lld references, %lld edges, %lld bytes, %lld watches"

TEST_F_TIMEOUT(fail_nth, until_nothing_fails, 300)
{
	unsigned int n, refused = 0;
	struct snapshot before, after;
	struct base base, now;
	struct world w;
	int failed, ret;

	for (n = 1; n < POINTS_MAX; n++) {
		base_look(self->observer, &base);
		ASSERT_EQ(0, world_make(&w));
		if (variant->prepare)
			ASSERT_EQ(0, variant->prepare(&w));
		look(&w, &before);

		ASSERT_EQ(0, arm(self->fd, n));
		ret = variant->call(&w);
		failed = disarm(self->fd);
		ASSERT_LE(0, failed);

		look(&w, &after);
		if (ret < 0) {
			refused++;
			EXPECT_EQ(1, failed);
			EXPECT_FALSE(variant->never_fails);
			EXPECT_TRUE(ret == -ENOMEM || ret == -EFAULT)
				TH_LOG("%u: %s", n, strerror(-ret));
			EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)))
				TH_LOG("%u: failed, yet something changed",
				       n);
			ret = variant->call(&w);
			look(&w, &after);
		}
		EXPECT_EQ(variant->result, ret)
			TH_LOG("%u: %s", n,
			       failed ? "in spite of it, or again" :
					"nothing failed");
		EXPECT_EQ(variant->changes,
			  memcmp(&before, &after, sizeof(before)) != 0)
			TH_LOG("%u: succeeded, with a wrong effect", n);

		/* What create_idle made. */
		if (!ro_lookup(self->observer, "new", &w.theirs))
			ro_destroy(self->observer, w.theirs);
		world_end(&w);
		base_look(self->observer, &now);
		ASSERT_EQ(0, memcmp(&base, &now, sizeof(base)))
			TH_LOG("%u: left: " LEFT, n,
			       now.objects - base.objects,
			       now.sessions - base.sessions,
			       now.references - base.references,
			       now.edges - base.edges,
			       (long long)(now.info.bytes_used -
					   base.info.bytes_used),
			       (long long)(now.info.watches_used -
					   base.info.watches_used));
		if (!failed)
			break;
	}
	EXPECT_GT(POINTS_MAX, n);
	TH_LOG("%u places to fail, of which %u refused the call", n - 1,
	       refused);
}

/*
 * The nodes of the tables are allocated in two ways, one after the other: a
 * single failure passes unseen. Here all of them fail, and nothing else does.
 */

/* Set by slub_debug=A,radix_tree_node on the kernel's command line. */
#define NODES	"/sys/kernel/slab/radix_tree_node/failslab"
#define MARKED	"/proc/self/make-it-fail"

static const struct setting node_settings[] = {
	{ "/sys/kernel/debug/failslab/verbose", "0", true },
	{ "/sys/kernel/debug/failslab/ignore-gfp-wait", "N", true },
	{ "/sys/kernel/debug/failslab/cache-filter", "Y", true },
	{ "/sys/kernel/debug/failslab/task-filter", "Y", true },
	{ "/sys/kernel/debug/failslab/times", "-1", true },
	/* The last: from here on they fail, for who is marked. */
	{ "/sys/kernel/debug/failslab/probability", "100", true },
};

FIXTURE(no_nodes)
{
	char saved[RO_ARRAY_SIZE(node_settings)][16];
	bool set[RO_ARRAY_SIZE(node_settings)];
	int observer;
};

FIXTURE_VARIANT(no_nodes)
{
	int (*prepare)(struct world *w);
	int (*call)(struct world *w);
	int result;
};

static int prepare_netns(struct world *w)
{
	return unshare(CLONE_NEWNET) ? -errno : 0;
}

#define NODE_CALL(_name, _result, ...)					\
	FIXTURE_VARIANT_ADD(no_nodes, _name)				\
	{								\
		.call = do_##_name, .result = (_result), __VA_ARGS__	\
	}

NODE_CALL(open, 0, .prepare = prepare_netns);
NODE_CALL(open_as_another, 0);
NODE_CALL(create_first, 1, .prepare = prepare_registry);
NODE_CALL(create_anonymous, 1);
NODE_CALL(attach_new, 1);
NODE_CALL(attach_existing, 0);
NODE_CALL(acquire_new, 0);

FIXTURE_SETUP(no_nodes)
{
	const char *why = ro_obstacle();
	char text[4];
	unsigned int i;

	if (why)
		SKIP(return, "%s", why);
	if (unshare(CLONE_NEWNET))
		SKIP(return, "no network namespaces");
	if (access(MARKED, W_OK))
		SKIP(return, "no " MARKED
		     ": a kernel without fault injection (CONFIG_FAULT_INJECTION)");
	if (read_file(NODES, text, sizeof(text)) || text[0] != '1')
		SKIP(return, NODES " is not 1");
	for (i = 0; i < RO_ARRAY_SIZE(node_settings); i++) {
		if (read_file(node_settings[i].path, self->saved[i],
			      sizeof(self->saved[i])) ||
		    write_file(node_settings[i].path, node_settings[i].value))
			SKIP(return, "%s cannot be set: see config",
			     node_settings[i].path);
		self->set[i] = true;
	}
	self->observer = ro_open();
	ASSERT_LE(0, self->observer);
}

FIXTURE_TEARDOWN(no_nodes)
{
	unsigned int i;

	write_file(MARKED, "0");
	for (i = RO_ARRAY_SIZE(node_settings); i--;)
		if (self->set[i])
			EXPECT_EQ(0, write_file(node_settings[i].path,
						self->saved[i]));
}

TEST_F(no_nodes, refused)
{
	struct snapshot before, after;
	struct base base, now;
	struct world w;
	int round, ret;

	/* First as ever, so that all that the call runs through is at hand. */
	for (round = 0; round < 2; round++) {
		base_look(self->observer, &base);
		ASSERT_EQ(0, world_make(&w));
		if (variant->prepare)
			ASSERT_EQ(0, variant->prepare(&w));
		look(&w, &before);
		if (round) {
			ASSERT_EQ(0, write_file(MARKED, "1"));
			ret = variant->call(&w);
			ASSERT_EQ(0, write_file(MARKED, "0"));
			EXPECT_EQ(-ENOMEM, ret);
			look(&w, &after);
			EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
		}
		EXPECT_EQ(variant->result, variant->call(&w));
		look(&w, &after);
		EXPECT_NE(0, memcmp(&before, &after, sizeof(before)));
		world_end(&w);
		base_look(self->observer, &now);
		EXPECT_EQ(0, memcmp(&base, &now, sizeof(base)));
	}
}

/*
 * Results that cannot be written, from each byte of the structure on
 */

enum rest { READ_ONLY, NOT_THERE, RESTS };

FIXTURE(copy_out)
{
	struct world w;
	struct base base;
	long page;
	char *mem;		/* two pages, the second writable or not */
	int observer;
};

FIXTURE_SETUP(copy_out)
{
	const char *why = ro_obstacle();

	if (why)
		SKIP(return, "%s", why);
	if (unshare(CLONE_NEWNET))
		SKIP(return, "no network namespaces");
	self->page = sysconf(_SC_PAGESIZE);
	self->mem = mmap(NULL, 2 * self->page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->mem);
	self->observer = ro_open();
	ASSERT_LE(0, self->observer);
	base_look(self->observer, &self->base);
	ASSERT_EQ(0, world_make(&self->w));
}

FIXTURE_TEARDOWN(copy_out)
{
	struct base now;
	__u64 id;

	if (!ro_lookup(self->observer, "new", &id))
		ro_destroy(self->observer, id);
	world_end(&self->w);
	base_look(self->observer, &now);
	EXPECT_EQ(0, memcmp(&self->base, &now, sizeof(now)));
}

/*
 * One call with only the first @there bytes of @arg writable; the rest can be
 * read. It is refused and changes nothing.
 */
static void refused(struct __test_metadata *_metadata,
		    FIXTURE_DATA(copy_out) * self, int fd, unsigned long cmd,
		    const void *arg, unsigned int there)
{
	char *at = self->mem + self->page - there;
	struct snapshot before, after;

	memcpy(at, arg, _IOC_SIZE(cmd));
	look(&self->w, &before);
	ASSERT_EQ(0, mprotect(self->mem + self->page, self->page, PROT_READ));
	EXPECT_EQ(-EFAULT, ro_ioctl(fd, cmd, at))
		TH_LOG("%u bytes can be written", there);
	look(&self->w, &after);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)))
		TH_LOG("%u bytes can be written: failed, yet something changed",
		       there);
	ASSERT_EQ(0, mprotect(self->mem + self->page, self->page,
			      PROT_READ | PROT_WRITE));
}

/* And then it succeeds. */
static void refused_at_each_byte(struct __test_metadata *_metadata,
				 FIXTURE_DATA(copy_out) * self, int fd,
				 unsigned long cmd, void *arg, int result)
{
	unsigned int there;

	for (there = 0; there < _IOC_SIZE(cmd); there++)
		refused(_metadata, self, fd, cmd, arg, there);
	EXPECT_EQ(result, ro_ioctl(fd, cmd, arg));
}

TEST_F_TIMEOUT(copy_out, info, 120)
{
	struct refobj_info arg = { .size = sizeof(arg) };

	refused_at_each_byte(_metadata, self, self->w.s, REFOBJ_IOC_INFO, &arg,
			     0);
}

TEST_F_TIMEOUT(copy_out, create, 120)
{
	struct refobj_create arg = {
		.size = sizeof(arg), .initial = 3, .name = "new", .type = "type",
	};

	refused_at_each_byte(_metadata, self, self->w.empty, REFOBJ_IOC_CREATE,
			     &arg, 1);
}

TEST_F_TIMEOUT(copy_out, create_idle, 120)
{
	struct refobj_create arg = {
		.size = sizeof(arg), .flags = REFOBJ_PERSISTENT, .name = "new",
	};

	refused_at_each_byte(_metadata, self, self->w.s, REFOBJ_IOC_CREATE,
			     &arg, 0);
}

TEST_F_TIMEOUT(copy_out, attach_new, 120)
{
	struct refobj_attach arg = {
		.size = sizeof(arg), .count = 3, .name = "new",
	};

	refused_at_each_byte(_metadata, self, self->w.empty, REFOBJ_IOC_ATTACH,
			     &arg, 1);
}

TEST_F_TIMEOUT(copy_out, attach_existing, 120)
{
	struct refobj_attach arg = {
		.size = sizeof(arg), .count = 3, .name = "theirs",
	};

	refused_at_each_byte(_metadata, self, self->w.empty, REFOBJ_IOC_ATTACH,
			     &arg, 0);
}

TEST_F_TIMEOUT(copy_out, attach_idle, 120)
{
	struct refobj_attach arg = {
		.size = sizeof(arg), .count = 3, .name = "idle",
	};

	refused_at_each_byte(_metadata, self, self->w.s, REFOBJ_IOC_ATTACH,
			     &arg, 1);
}

TEST_F_TIMEOUT(copy_out, lookup, 120)
{
	struct refobj_lookup arg = { .size = sizeof(arg), .name = "theirs" };

	refused_at_each_byte(_metadata, self, self->w.s, REFOBJ_IOC_LOOKUP,
			     &arg, 0);
}

TEST_F_TIMEOUT(copy_out, stat, 120)
{
	struct refobj_stat arg = { .size = sizeof(arg), .id = self->w.held };

	refused_at_each_byte(_metadata, self, self->w.s, REFOBJ_IOC_STAT,
			     &arg, 0);
}

TEST_F_TIMEOUT(copy_out, stat_next, 120)
{
	struct refobj_stat arg = {
		.size = sizeof(arg), .flags = REFOBJ_STAT_NEXT,
	};

	refused_at_each_byte(_metadata, self, self->w.s, REFOBJ_IOC_STAT,
			     &arg, 0);
}

TEST_F_TIMEOUT(copy_out, holders, 120)
{
	struct refobj_holder records[HOLDERS];
	struct refobj_holders arg = {
		.size = sizeof(arg), .id = self->w.theirs,
		.records = (uintptr_t)records, .capacity = HOLDERS,
		.record_size = sizeof(records[0]),
	};

	refused_at_each_byte(_metadata, self, self->w.s, REFOBJ_IOC_HOLDERS,
			     &arg, 0);
}

TEST_F_TIMEOUT(copy_out, get_value, 120)
{
	char text[32];
	struct refobj_value arg = {
		.size = sizeof(arg), .id = self->w.held,
		.data = (uintptr_t)text, .length = sizeof(text),
	};

	refused_at_each_byte(_metadata, self, self->w.s, REFOBJ_IOC_GET_VALUE,
			     &arg, 0);
}

TEST_F_TIMEOUT(copy_out, bytes_of_a_value, 120)
{
	unsigned int all = strlen(VALUE), there;
	char *second = self->mem + self->page;
	struct snapshot before, after;

	look(&self->w, &before);
	ASSERT_EQ(0, mprotect(second, self->page, PROT_READ));
	for (there = 0; there <= all; there++) {
		EXPECT_EQ(there < all ? -EFAULT : (int)all,
			  get_value(self->w.s, self->w.held, second - there,
				    all))
			TH_LOG("%u of %u bytes can be written", there, all);
	}
	look(&self->w, &after);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
}

TEST_F_TIMEOUT(copy_out, import_new, 120)
{
	struct refobj_import arg = {
		.size = sizeof(arg), .fd = self->w.objfd, .count = 2,
	};

	refused_at_each_byte(_metadata, self, self->w.empty, REFOBJ_IOC_IMPORT,
			     &arg, 0);
}

TEST_F_TIMEOUT(copy_out, import_held, 120)
{
	struct refobj_import arg = {
		.size = sizeof(arg), .fd = self->w.objfd, .count = 2,
	};

	refused_at_each_byte(_metadata, self, self->w.others[1],
			     REFOBJ_IOC_IMPORT, &arg, 0);
}

/* A record that cannot be written whole is still there to be read. */
TEST_F_TIMEOUT(copy_out, events, 120)
{
	const unsigned int size = sizeof(struct refobj_event);
	char *second = self->mem + self->page;
	struct refobj_event event[2];
	struct snapshot before, after;
	unsigned int there;
	ssize_t n;

	look(&self->w, &before);
	ASSERT_EQ(2 * size, before.events);
	ASSERT_EQ(0, mprotect(second, self->page, PROT_READ));
	for (there = 0; there < size; there++) {
		n = read(self->w.s, second - there, 2 * size);
		EXPECT_EQ(-1, n)
			TH_LOG("%u bytes can be written", there);
		EXPECT_EQ(EFAULT, errno);
	}
	look(&self->w, &after);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	/* One fits, and half of the other */
	EXPECT_EQ(size, read(self->w.s, second - size - size / 2, 2 * size));
	memcpy(event, second - size - size / 2, size);
	EXPECT_EQ(1, event[0].seq);
	EXPECT_EQ(self->w.idle, event[0].id);
	EXPECT_EQ(size, read(self->w.s, event, sizeof(event)));
	EXPECT_EQ(2, event[0].seq);
	EXPECT_EQ(self->w.theirs, event[0].id);
	EXPECT_EQ(REFOBJ_EVENT_SNAPSHOT, event[0].type);
}

/* The same of the records, cut, whole and filled up with zeros. */
static void records_refused(struct __test_metadata *_metadata,
			    FIXTURE_DATA(copy_out) * self, unsigned int size,
			    enum rest rest)
{
	unsigned int all = HOLDERS * size, there;
	char *second = self->mem + self->page;
	struct snapshot before, after;

	look(&self->w, &before);
	ASSERT_EQ(0, mprotect(second, self->page,
			      rest == READ_ONLY ? PROT_READ : PROT_NONE));
	for (there = 0; there <= all; there++) {
		struct refobj_holders arg = {
			.size = sizeof(arg), .id = self->w.theirs,
			.records = (uintptr_t)(second - there),
			.capacity = HOLDERS, .record_size = size,
		};

		EXPECT_EQ(there < all ? -EFAULT : 0,
			  ro_ioctl(self->w.s, REFOBJ_IOC_HOLDERS, &arg))
			TH_LOG("%u of %u bytes can be written", there, all);
	}
	look(&self->w, &after);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	ASSERT_EQ(0, mprotect(second, self->page, PROT_READ | PROT_WRITE));
}

TEST_F_TIMEOUT(copy_out, records_of_holders, 120)
{
	const unsigned int sizes[] = { 8, sizeof(struct refobj_holder), 200 };
	unsigned int i;
	int rest;

	for (i = 0; i < RO_ARRAY_SIZE(sizes); i++)
		for (rest = 0; rest < RESTS; rest++)
			records_refused(_metadata, self, sizes[i], rest);
	/* Readers that failed have left no mark: all can be let go. */
	close(self->w.objfd);
	self->w.objfd = -1;
	for (i = 0; i < HOLDERS; i++)
		EXPECT_EQ(i == HOLDERS - 1,
			  ro_release_all(self->w.others[i], self->w.theirs));
}

TEST_HARNESS_MAIN
