// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family: what it tells is what the ioctls tell, to who may know
 * it; dumps of more than a message, while objects come and go; events.
 */
#define _GNU_SOURCE
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/refobj_netlink.h>
#include <sched.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define OTHER_UID	4711

/* A socket, and what the last message of an answer was. */
struct nl {
	struct mnl_socket *socket;
	unsigned int seq;
	__u16 family;
	__u32 group;
	char why[200];			/* the kernel's words, if it refused */
	bool interrupted;		/* NLM_F_DUMP_INTR was seen */
};

/* What a callback is handed: the attributes by number, and the caller's. */
typedef int (*nl_told)(struct nlattr **attrs, void *arg);

struct nl_answer {
	struct nl *nl;
	nl_told told;
	void *arg;
	unsigned int max;
};

static int nl_attr(const struct nlattr *attr, void *data)
{
	struct nlattr **attrs = data;

	if (mnl_attr_get_type(attr) < 64)
		attrs[mnl_attr_get_type(attr)] = (struct nlattr *)attr;
	return MNL_CB_OK;
}

static int nl_message(const struct nlmsghdr *h, void *data)
{
	struct nl_answer *answer = data;
	struct nlattr *attrs[64] = { NULL };

	mnl_attr_parse(h, sizeof(struct genlmsghdr), nl_attr, attrs);
	return answer->told && answer->told(attrs, answer->arg) ? MNL_CB_ERROR :
								  MNL_CB_OK;
}

static int nl_ack(const struct nlmsghdr *h, void *data)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(h);
	struct nl_answer *answer = data;
	const struct nlattr *attr;
	size_t skip = sizeof(*err);

	if (!err->error)
		return MNL_CB_STOP;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += err->msg.nlmsg_len - sizeof(err->msg);
	if (h->nlmsg_flags & NLM_F_ACK_TLVS)
		mnl_attr_for_each(attr, h, skip)
			if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
				snprintf(answer->nl->why,
					 sizeof(answer->nl->why), "%s",
					 mnl_attr_get_str(attr));
	errno = -err->error;
	return MNL_CB_ERROR;
}

static int nl_done(const struct nlmsghdr *h, void *data)
{
	int err = *(int *)mnl_nlmsg_get_payload(h);

	(void)data;
	if (err >= 0)
		return MNL_CB_STOP;
	errno = -err;
	return MNL_CB_ERROR;
}

/* One part of an answer: 1 if more follows, 0, or -errno. */
static int nl_receive(struct nl *nl, nl_told told, void *arg)
{
	mnl_cb_t control[] = {
		[NLMSG_ERROR] = nl_ack, [NLMSG_DONE] = nl_done,
	};
	struct nl_answer answer = { .nl = nl, .told = told, .arg = arg };
	char buffer[32768] __attribute__((aligned(8)));
	struct nlmsghdr *h;
	ssize_t n;
	int left, ret;

	n = mnl_socket_recvfrom(nl->socket, buffer, sizeof(buffer));
	if (n < 0)
		return -errno;
	left = n;
	/* libmnl would end here: it is for who wants to start anew. */
	for (h = (void *)buffer; mnl_nlmsg_ok(h, left);
	     h = mnl_nlmsg_next(h, &left)) {
		nl->interrupted |= h->nlmsg_flags & NLM_F_DUMP_INTR;
		h->nlmsg_flags &= ~NLM_F_DUMP_INTR;
	}
	ret = mnl_cb_run2(buffer, n, nl->seq, 0, nl_message, &answer, control,
			  RO_ARRAY_SIZE(control));
	return ret < 0 ? -errno : ret > 0;
}

static struct nlmsghdr *nl_request(struct nl *nl, char *buffer, __u8 cmd, int flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *g;

	h->nlmsg_type = nl->family;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = ++nl->seq;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->cmd = cmd;
	g->version = 1;
	nl->why[0] = '\0';
	nl->interrupted = false;
	return h;
}

static int nl_send(struct nl *nl, const struct nlmsghdr *h)
{
	return mnl_socket_sendto(nl->socket, h, h->nlmsg_len) < 0 ? -errno : 0;
}

static int nl_talk(struct nl *nl, const struct nlmsghdr *h, nl_told told, void *arg)
{
	int ret = nl_send(nl, h);

	while (!ret) {
		ret = nl_receive(nl, told, arg);
		if (ret == 1)
			ret = 0;
		else
			return ret;
	}
	return ret;
}

static int nl_family(struct nlattr **attrs, void *arg)
{
	struct nl *nl = arg;
	struct nlattr *group, *of;

	if (attrs[CTRL_ATTR_FAMILY_ID])
		nl->family = mnl_attr_get_u16(attrs[CTRL_ATTR_FAMILY_ID]);
	if (attrs[CTRL_ATTR_MCAST_GROUPS])
		mnl_attr_for_each_nested(group, attrs[CTRL_ATTR_MCAST_GROUPS])
			mnl_attr_for_each_nested(of, group)
				if (mnl_attr_get_type(of) == CTRL_ATTR_MCAST_GRP_ID)
					nl->group = mnl_attr_get_u32(of);
	return 0;
}

static int nl_open(struct nl *nl)
{
	char buffer[1024] __attribute__((aligned(8)));
	struct nlmsghdr *h;
	int on = 1;

	memset(nl, 0, sizeof(*nl));
	nl->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!nl->socket || mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID))
		return -errno;
	mnl_socket_setsockopt(nl->socket, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl->socket, NETLINK_CAP_ACK, &on, sizeof(on));
	nl->family = GENL_ID_CTRL;
	h = nl_request(nl, buffer, CTRL_CMD_GETFAMILY, NLM_F_ACK);
	mnl_attr_put_strz(h, CTRL_ATTR_FAMILY_NAME, REFOBJ_GENL_NAME);
	return nl_talk(nl, h, nl_family, nl);
}

static void nl_close(struct nl *nl)
{
	mnl_socket_close(nl->socket);
}

/* An answer that is kept as it comes: 64 attributes of up to so many messages. */
struct row {
	__u64 number[64];
	char text[64][256];
	unsigned char has[64];
};

struct rows {
	unsigned int n, max;
	struct row *row;
};

static int keep(struct nlattr **attrs, void *arg)
{
	struct rows *rows = arg;
	struct row *row;
	int i;

	if (rows->n == rows->max)
		return -1;
	row = &rows->row[rows->n++];
	memset(row, 0, sizeof(*row));
	for (i = 0; i < 64; i++) {
		if (!attrs[i])
			continue;
		row->has[i] = 1;
		switch (mnl_attr_get_payload_len(attrs[i])) {
		case 4:
			row->number[i] = mnl_attr_get_u32(attrs[i]);
			break;
		case 8:
			row->number[i] = mnl_attr_get_u64(attrs[i]);
			break;
		}
		/* a text may be as long as a number */
		snprintf(row->text[i], sizeof(row->text[i]), "%.*s",
			 (int)mnl_attr_get_payload_len(attrs[i]),
			 (char *)mnl_attr_get_payload(attrs[i]));
	}
	return 0;
}

#define ROWS	64

FIXTURE(netlink) {
	struct nl nl;
	struct rows rows;
	char buffer[1024] __attribute__((aligned(8)));
	int fd;
};

FIXTURE_SETUP(netlink)
{
	const char *why = ro_obstacle();
	int ret;

	if (why)
		SKIP(return, "%s", why);
	if (unshare(CLONE_NEWNET))
		SKIP(return, "no network namespaces: %s", strerror(errno));
	ret = nl_open(&self->nl);
	if (ret == -ENOENT)
		SKIP(return, "no family refobj: an old module");
	ASSERT_EQ(0, ret);
	self->rows.max = ROWS;
	self->rows.row = calloc(ROWS, sizeof(struct row));
	ASSERT_TRUE(!!self->rows.row);
	self->fd = ro_open();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(netlink)
{
	free(self->rows.row);
	nl_close(&self->nl);
	close(self->fd);
}

/* Ends with an answer to a dump in self->rows. */
#define DUMP(cmd, ...) ({						\
	struct nlmsghdr *h = nl_request(&self->nl, self->buffer,	\
					REFOBJ_CMD_##cmd, NLM_F_DUMP);	\
									\
	__VA_ARGS__;							\
	self->rows.n = 0;						\
	nl_talk(&self->nl, h, keep, &self->rows);			\
})

#define GET(cmd, ...) ({						\
	struct nlmsghdr *h = nl_request(&self->nl, self->buffer,	\
					REFOBJ_CMD_##cmd, NLM_F_ACK);	\
									\
	__VA_ARGS__;							\
	self->rows.n = 0;						\
	nl_talk(&self->nl, h, keep, &self->rows);			\
})

#define U64(attr, n)	mnl_attr_put_u64(h, REFOBJ_A_##attr, n)
#define U32(attr, n)	mnl_attr_put_u32(h, REFOBJ_A_##attr, n)
#define STRZ(attr, s)	mnl_attr_put_strz(h, REFOBJ_A_##attr, s)

static int create(int fd, const char *name, const char *type, unsigned int flags,
		  unsigned int initial, unsigned int mode, __u64 *id)
{
	struct refobj_create c = {
		.size = sizeof(c), .flags = flags, .initial = initial, .mode = mode,
	};
	int ret;

	memcpy(c.name, name, strlen(name));
	memcpy(c.type, type, strlen(type));
	ret = ro_ioctl(fd, REFOBJ_IOC_CREATE, &c);
	*id = c.id;
	return ret;
}

static void check_object(struct __test_metadata *_metadata, const struct row *row,
			 const struct refobj_stat *st)
{
	static const struct {
		int attr;
		size_t at;
	} four[] = {
#define FOUR(A, f) { REFOBJ_A_OBJECT_##A, offsetof(struct refobj_stat, f) }
		FOUR(STATE, state), FOUR(FLAGS, object_flags), FOUR(MODE, mode),
		FOUR(UID, uid), FOUR(GID, gid), FOUR(USERS, users),
		FOUR(USERS_PEAK, users_peak), FOUR(HOLDERS, holders),
		FOUR(LINGER_MS, linger_ms), FOUR(WATCHES, watches),
		FOUR(VALUE_SIZE, value_size), FOUR(BUILDER, builder),
		FOUR(EDGES, edges),
	}, eight[] = {
		FOUR(ID, id), FOUR(CREATED_NS, created_ns),
		FOUR(ACTIVATIONS, activations),
		FOUR(DEACTIVATIONS, deactivations),
		FOUR(VALUE_VERSION, value_version),
	};
	unsigned int i;

	for (i = 0; i < RO_ARRAY_SIZE(four); i++)
		EXPECT_EQ(*(__u32 *)((char *)st + four[i].at),
			  row->number[four[i].attr])
			TH_LOG("attribute %d", four[i].attr);
	for (i = 0; i < RO_ARRAY_SIZE(eight); i++)
		EXPECT_EQ(*(__u64 *)((char *)st + eight[i].at),
			  row->number[eight[i].attr])
			TH_LOG("attribute %d", eight[i].attr);
	EXPECT_STREQ(st->name, row->text[REFOBJ_A_OBJECT_NAME]);
	EXPECT_STREQ(st->type, row->text[REFOBJ_A_OBJECT_TYPE]);
	EXPECT_EQ(st->has_file, row->has[REFOBJ_A_OBJECT_HAS_FILE]);
}

TEST_F(netlink, an_object_is_told_as_by_stat)
{
	struct refobj_create c = {
		.size = sizeof(c), .initial = 3, .mode = 0640,
		.linger_ms = 77, .flags = REFOBJ_PERSISTENT | REFOBJ_BUILD,
		.name = "lens", .type = "glass",
	};
	struct refobj_stat st;
	__u64 plain;

	ASSERT_EQ(1 | REFOBJ_BUILDER, ro_ioctl(self->fd, REFOBJ_IOC_CREATE, &c));
	ASSERT_EQ(1, ro_create(self->fd, "", 0, 1, &plain));
	ASSERT_EQ(0, ro_watch(self->fd, c.id, REFOBJ_WATCH_DEFAULT, 0));
	ASSERT_EQ(0, ro_stat(self->fd, c.id, &st));

	ASSERT_EQ(0, GET(OBJECT_GET, U64(OBJECT_ID, c.id)));
	ASSERT_EQ(1, self->rows.n);
	check_object(_metadata, self->rows.row, &st);
	ASSERT_EQ(0, GET(OBJECT_GET, STRZ(OBJECT_NAME, "lens")));
	ASSERT_EQ(1, self->rows.n);
	check_object(_metadata, self->rows.row, &st);

	ASSERT_EQ(0, ro_stat(self->fd, plain, &st));
	ASSERT_EQ(0, GET(OBJECT_GET, U64(OBJECT_ID, plain)));
	check_object(_metadata, self->rows.row, &st);
	EXPECT_EQ(0, self->rows.row->has[REFOBJ_A_OBJECT_NAME]);
	EXPECT_EQ(0, self->rows.row->has[REFOBJ_A_OBJECT_BUILDER]);
}

#define EXPECT_REFUSED(err, text, call) do {				\
	EXPECT_EQ(-(err), call);					\
	EXPECT_TRUE(!!strstr(self->nl.why, text))			\
		TH_LOG("said '%s', not '%s'", self->nl.why, text);	\
} while (0)

TEST_F(netlink, what_is_refused_says_why)
{
	char longer[REFOBJ_NAME_SIZE + 1];
	__u64 id, dead;

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	ASSERT_EQ(1, ro_create(self->fd, "dead", 0, 1, &dead));
	ASSERT_EQ(1, ro_release(self->fd, dead, 1));
	ASSERT_EQ(1, ro_create(self->fd, "alive", 0, 1, &id));

	EXPECT_REFUSED(EINVAL, "one of the object's id and its name is wanted",
		       GET(OBJECT_GET));
	EXPECT_REFUSED(EINVAL, "one of the object's id and its name is wanted",
		       GET(OBJECT_GET, U64(OBJECT_ID, id),
			   STRZ(OBJECT_NAME, "alive")));
	EXPECT_REFUSED(ESTALE, "the object with this id is gone",
		       GET(OBJECT_GET, U64(OBJECT_ID, dead)));
	EXPECT_REFUSED(ENOENT, "no object ever had this id",
		       GET(OBJECT_GET, U64(OBJECT_ID, ~0ULL)));
	EXPECT_REFUSED(ENOENT, "no object ever had this id",
		       GET(OBJECT_GET, U64(OBJECT_ID, 0)));
	EXPECT_REFUSED(ENOENT, "no object has this name",
		       GET(OBJECT_GET, STRZ(OBJECT_NAME, "dead")));
	EXPECT_REFUSED(EINVAL, "ttribute", GET(OBJECT_GET,
					       STRZ(OBJECT_NAME, longer)));
	EXPECT_REFUSED(EINVAL, "ttribute", GET(OBJECT_GET,
					       U32(OBJECT_ID, 1)));
	EXPECT_REFUSED(EINVAL, "ttribute", GET(OBJECT_GET,
					       U64(OBJECT_ID, id),
					       U32(OBJECT_MODE, 1)));
	EXPECT_REFUSED(EINVAL, "ttribute", GET(OBJECT_GET,
					       U64(OBJECT_ID, id),
					       mnl_attr_put_u32(h, 60, 1)));
	EXPECT_REFUSED(ERANGE, "", DUMP(OBJECT_GET, U32(OBJECT_STATE, 99)));
	EXPECT_REFUSED(EINVAL, "ttribute", DUMP(SESSION_GET, U32(OBJECT_ID, 1)));
	/* 6.1 has no room for words about the start of a dump */
	EXPECT_EQ(-ESTALE, DUMP(HOLDER_GET, U64(HOLDER_OBJECT, dead)));
	EXPECT_EQ(-EOPNOTSUPP, GET(HOLDER_GET, U64(HOLDER_OBJECT, id)));
	EXPECT_EQ(-EOPNOTSUPP, GET(EVENT_NTF));
	EXPECT_EQ(-EOPNOTSUPP, DUMP(STATS_GET));
	ASSERT_EQ(0, GET(OBJECT_GET, U64(OBJECT_ID, id)));
}

/* The same sequence in each run. */
static unsigned int chance(unsigned int below)
{
	static __u64 state = 1;

	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned int)(state >> 33) % below;
}

/*
 * Well-formed messages, of which some bytes, the length of an attribute or that of the
 * whole are then others: each is answered or refused, none changes anything, and the
 * kernel's detectors have nothing to say.
 */
TEST_F(netlink, malformed_messages_do_no_harm)
{
	static const int commands[] = {
		REFOBJ_CMD_OBJECT_GET, REFOBJ_CMD_HOLDER_GET, REFOBJ_CMD_SESSION_GET,
		REFOBJ_CMD_EDGE_GET, REFOBJ_CMD_STATS_GET,
	};
	char answer[32768] __attribute__((aligned(8)));
	int fd = mnl_socket_get_fd(self->nl.socket);
	struct refobj_stat before, after;
	unsigned int i, j, at, refused = 0;
	int rounds = ro_times(4000);
	struct nlmsghdr *h;
	ssize_t n;
	__u64 id;

	ASSERT_EQ(1, create(self->fd, "name", "type", 0, 3, 0600, &id));
	ASSERT_EQ(0, ro_stat(self->fd, id, &before));
	for (i = 0; i < (unsigned int)rounds; i++) {
		memset(self->buffer, 0, sizeof(self->buffer));
		h = nl_request(&self->nl, self->buffer, commands[chance(5)],
			       chance(2) ? NLM_F_DUMP : chance(2) ? NLM_F_ACK : 0);
		for (j = chance(2) ? 0 : chance(4); j; j--) {
			switch (chance(3)) {
			case 0:
				mnl_attr_put_u64(h, chance(4), chance(2) ? id : chance(9));
				break;
			case 1:
				mnl_attr_put_u32(h, chance(24), chance(9));
				break;
			default:
				mnl_attr_put_strz(h, chance(24), chance(2) ? "name" : "");
			}
		}
		/* behind the netlink header, which is not this family's to look at */
		for (j = chance(3) ? 0 : chance(4); j; j--) {
			at = sizeof(*h) + chance(h->nlmsg_len - sizeof(*h));
			self->buffer[at] ^= chance(2) ? 1 << chance(8) : (int)chance(256);
		}
		if (!chance(8))
			h->nlmsg_len = sizeof(*h) + chance(h->nlmsg_len - sizeof(*h) + 16);
		if (send(fd, h, h->nlmsg_len, 0) < 0)
			refused++;
		while ((n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT)) > 0)
			if (((struct nlmsghdr *)answer)->nlmsg_type == NLMSG_ERROR &&
			    *(int *)mnl_nlmsg_get_payload((void *)answer))
				refused++;
		ASSERT_EQ(EAGAIN, errno);
	}
	TH_LOG("%u of %d were refused", refused, rounds);
	EXPECT_LT(rounds / 4, refused);
	EXPECT_GT(rounds * 7 / 8, refused);
	ASSERT_EQ(0, ro_stat(self->fd, id, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	EXPECT_EQ(0, GET(OBJECT_GET, U64(OBJECT_ID, id)));
	EXPECT_EQ(3, self->rows.row[0].number[REFOBJ_A_OBJECT_USERS]);
	EXPECT_EQ(0, DUMP(OBJECT_GET));
	EXPECT_EQ(1, self->rows.n);
}

TEST_F(netlink, a_dump_can_be_filtered)
{
	__u64 id[5];

	ASSERT_EQ(1, create(self->fd, "cam-1", "video", 0, 1, 0, &id[0]));
	ASSERT_EQ(0, create(self->fd, "cam-2", "video", REFOBJ_PERSISTENT, 0, 0,
			    &id[1]));
	ASSERT_EQ(1, create(self->fd, "mic-1", "audio", 0, 2, 0, &id[2]));
	ASSERT_EQ(0, create(self->fd, "", "audio", REFOBJ_PERSISTENT, 0, 0, &id[3]));
	ASSERT_EQ(1, create(self->fd, "cam", "", 0, 1, 0, &id[4]));

#define EXPECT_ONES(...) do {						\
	const int ones[] = { __VA_ARGS__ };				\
	unsigned int i;							\
									\
	ASSERT_EQ(RO_ARRAY_SIZE(ones), self->rows.n);			\
	for (i = 0; i < self->rows.n; i++)				\
		EXPECT_EQ(id[ones[i]],					\
			  self->rows.row[i].number[REFOBJ_A_OBJECT_ID]);	\
} while (0)
	ASSERT_EQ(0, DUMP(OBJECT_GET));
	EXPECT_ONES(0, 1, 2, 3, 4);
	ASSERT_EQ(0, DUMP(OBJECT_GET, STRZ(OBJECT_PREFIX, "cam")));
	EXPECT_ONES(0, 1, 4);
	ASSERT_EQ(0, DUMP(OBJECT_GET, STRZ(OBJECT_PREFIX, "cam-")));
	EXPECT_ONES(0, 1);
	ASSERT_EQ(0, DUMP(OBJECT_GET, STRZ(OBJECT_TYPE, "audio")));
	EXPECT_ONES(2, 3);
	ASSERT_EQ(0, DUMP(OBJECT_GET, STRZ(OBJECT_TYPE, "")));
	EXPECT_ONES(4);
	ASSERT_EQ(0, DUMP(OBJECT_GET, U32(OBJECT_STATE, REFOBJ_STATE_IDLE)));
	EXPECT_ONES(1, 3);
	ASSERT_EQ(0, DUMP(OBJECT_GET,
			  mnl_attr_put(h, REFOBJ_A_OBJECT_UNUSED, 0, NULL)));
	EXPECT_ONES(1, 3);
	ASSERT_EQ(0, DUMP(OBJECT_GET, STRZ(OBJECT_TYPE, "video"),
			  U32(OBJECT_STATE, REFOBJ_STATE_READY)));
	EXPECT_ONES(0);
	ASSERT_EQ(0, DUMP(OBJECT_GET, U32(OBJECT_UID, 0)));
	EXPECT_ONES(0, 1, 2, 3, 4);
	ASSERT_EQ(0, DUMP(OBJECT_GET, U32(OBJECT_UID, OTHER_UID)));
	EXPECT_EQ(0, self->rows.n);
	EXPECT_EQ(0, ro_destroy(self->fd, id[1]));
	EXPECT_EQ(0, ro_destroy(self->fd, id[3]));
}

/* Who may not read an object does not see it, nor its holders. */
TEST_F(netlink, the_mode_says_who_sees)
{
	__u64 secret, public;
	struct ro_kid kid;

	ASSERT_EQ(1, create(self->fd, "secret", "", 0, 1, 0600, &secret));
	ASSERT_EQ(1, create(self->fd, "public", "", 0, 1, 0604, &public));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		bool ok = !setresgid(OTHER_UID, OTHER_UID, OTHER_UID) &&
			  !setresuid(OTHER_UID, OTHER_UID, OTHER_UID);

		nl_close(&self->nl);
		ok = ok && !nl_open(&self->nl);
		ok = ok && !DUMP(OBJECT_GET) && self->rows.n == 1 &&
		     self->rows.row->number[REFOBJ_A_OBJECT_ID] == public;
		ok = ok && GET(OBJECT_GET, U64(OBJECT_ID, secret)) == -EACCES &&
		     strstr(self->nl.why, "mode lets you not read");
		ok = ok && GET(OBJECT_GET, STRZ(OBJECT_NAME, "secret")) == -EACCES;
		ok = ok && DUMP(HOLDER_GET, U64(HOLDER_OBJECT, secret)) == -EACCES;
		ok = ok && !DUMP(HOLDER_GET) && self->rows.n == 1 &&
		     self->rows.row->number[REFOBJ_A_HOLDER_OBJECT] == public;
		ok = ok && !DUMP(SESSION_GET) && !self->rows.n;
		ok = ok && GET(STATS_GET) == -EPERM;
		ok = ok && mnl_socket_setsockopt(self->nl.socket,
						 NETLINK_ADD_MEMBERSHIP,
						 &self->nl.group,
						 sizeof(self->nl.group)) &&
		     errno == EPERM;
		_exit(!ok);
	}
	EXPECT_EQ(0, ro_kid_reap(&kid));
	ASSERT_EQ(0, DUMP(OBJECT_GET));
	EXPECT_EQ(2, self->rows.n);
}

struct seen {
	__u64 first;
	unsigned int n, times[4096];
	unsigned int others;
};

static int note(struct nlattr **attrs, void *arg)
{
	__u64 id = mnl_attr_get_u64(attrs[REFOBJ_A_OBJECT_ID]);
	struct seen *seen = arg;

	if (id < seen->first || id - seen->first >= seen->n)
		seen->others++;
	else
		seen->times[id - seen->first]++;
	return 0;
}

static unsigned int told_once(const struct seen *seen)
{
	unsigned int i, n = 0;

	for (i = 0; i < seen->n; i++)
		n += seen->times[i] == 1;
	return n;
}

/* More than a message; between two of them objects come and go. */
TEST_F(netlink, what_is_there_all_the_time_is_told_once)
{
	static struct seen seen;
	struct nlmsghdr *h;
	unsigned int i, parts = 0;
	__u64 id, gone;
	int ret;

	seen.n = 2000;
	for (i = 0; i < seen.n; i++) {
		ASSERT_EQ(0, ro_create(self->fd, "", REFOBJ_PERSISTENT, 0, &id));
		if (!i)
			seen.first = id;
	}
	/* undisturbed */
	h = nl_request(&self->nl, self->buffer, REFOBJ_CMD_OBJECT_GET, NLM_F_DUMP);
	ASSERT_EQ(0, nl_talk(&self->nl, h, note, &seen));
	EXPECT_EQ(seen.n, told_once(&seen));
	EXPECT_EQ(0, seen.others);
	EXPECT_FALSE(self->nl.interrupted);

	/* the last goes, others come and go */
	memset(seen.times, 0, sizeof(seen.times));
	h = nl_request(&self->nl, self->buffer, REFOBJ_CMD_OBJECT_GET, NLM_F_DUMP);
	ASSERT_EQ(0, nl_send(&self->nl, h));
	while ((ret = nl_receive(&self->nl, note, &seen)) == 1) {
		if (!parts++)
			ASSERT_EQ(0, ro_destroy(self->fd,
						seen.first + seen.n - 1));
		ASSERT_EQ(1, ro_create(self->fd, "", 0, 1, &gone));
		ASSERT_EQ(1, ro_release(self->fd, gone, 1));
	}
	EXPECT_EQ(0, ret);
	EXPECT_LT(3, parts);
	EXPECT_TRUE(self->nl.interrupted);
	EXPECT_EQ(seen.n - 1, told_once(&seen));
	EXPECT_EQ(0, seen.times[seen.n - 1]);
	for (i = 0; i < seen.n - 1; i++)
		ASSERT_EQ(0, ro_destroy(self->fd, seen.first + i));
}

TEST_F(netlink, holders_are_told_as_by_the_ioctl)
{
	struct refobj_link link = { .size = sizeof(link) };
	struct refobj_export x = { .size = sizeof(x) };
	struct refobj_holder rec[8];
	unsigned int total, i;
	__u64 owner, id;
	int other, objfd;

	ASSERT_EQ(1, create(self->fd, "dep", "", 0, 2, 0, &id));
	ASSERT_EQ(0, ro_set_why(self->fd, id, "because"));
	other = ro_open();
	ASSERT_EQ(0, ro_acquire(other, id, 5, 0));
	ASSERT_EQ(1, ro_create(self->fd, "owner", 0, 1, &owner));
	link.id = owner;
	link.dep = id;
	ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_LINK, &link));
	x.id = id;
	objfd = ro_ioctl(self->fd, REFOBJ_IOC_EXPORT, &x);
	ASSERT_LE(0, objfd);
	ASSERT_EQ(4, ro_holders(self->fd, id, rec, 8, &total));

	ASSERT_EQ(0, DUMP(HOLDER_GET, U64(HOLDER_OBJECT, id)));
	ASSERT_EQ(4, self->rows.n);
	for (i = 0; i < 4; i++) {
		const struct row *row = &self->rows.row[i];

		EXPECT_EQ(id, row->number[REFOBJ_A_HOLDER_OBJECT]);
		EXPECT_EQ(rec[i].kind, row->number[REFOBJ_A_HOLDER_KIND]);
		EXPECT_EQ(rec[i].count, row->number[REFOBJ_A_HOLDER_COUNT]);
		EXPECT_EQ(rec[i].session, row->number[REFOBJ_A_HOLDER_SESSION]);
		EXPECT_EQ(rec[i].pid, row->number[REFOBJ_A_HOLDER_PID]);
		EXPECT_EQ(rec[i].uid, row->number[REFOBJ_A_HOLDER_UID]);
		EXPECT_EQ(rec[i].start_ns, row->number[REFOBJ_A_HOLDER_START_NS]);
		EXPECT_EQ(rec[i].since_ns, row->number[REFOBJ_A_HOLDER_SINCE_NS]);
		EXPECT_STREQ(rec[i].comm, row->text[REFOBJ_A_HOLDER_COMM]);
		EXPECT_STREQ(rec[i].why, row->text[REFOBJ_A_HOLDER_WHY]);
	}
	ASSERT_EQ(0, DUMP(HOLDER_GET));
	EXPECT_EQ(5, self->rows.n);
	close(objfd);
	close(other);
}

static int tally(struct nlattr **attrs, void *arg)
{
	(void)attrs;
	++*(unsigned int *)arg;
	return 0;
}

/* A dump of holders that is not read to its end keeps nothing alive. */
TEST_F(netlink, a_dump_of_many_holders_can_be_left)
{
	unsigned int told = 0, i, n = 600;
	struct nlmsghdr *h;
	int fd[600];
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "", 0, 1, &id));
	for (i = 0; i < n; i++) {
		fd[i] = ro_open();
		ASSERT_EQ(0, ro_acquire(fd[i], id, 1, 0));
	}
	h = nl_request(&self->nl, self->buffer, REFOBJ_CMD_HOLDER_GET, NLM_F_DUMP);
	mnl_attr_put_u64(h, REFOBJ_A_HOLDER_OBJECT, id);
	ASSERT_EQ(0, nl_talk(&self->nl, h, tally, &told));
	EXPECT_EQ(n + 1, told);

	h = nl_request(&self->nl, self->buffer, REFOBJ_CMD_HOLDER_GET, NLM_F_DUMP);
	ASSERT_EQ(0, nl_send(&self->nl, h));
	told = 0;
	ASSERT_EQ(1, nl_receive(&self->nl, tally, &told));
	EXPECT_LT(0, told);
	for (i = 0; i < n; i++)
		close(fd[i]);
	/* in the middle of it the object goes */
	ASSERT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(-ESTALE, ro_users(self->fd, id));
	EXPECT_EQ(0, nl_receive(&self->nl, tally, &told) & ~1);
	h = nl_request(&self->nl, self->buffer, REFOBJ_CMD_HOLDER_GET, NLM_F_DUMP);
	nl_close(&self->nl);
	ASSERT_EQ(0, nl_open(&self->nl));
}

TEST_F(netlink, sessions)
{
	struct refobj_info info = { .size = sizeof(info) };
	struct refobj_holder rec[1];
	const struct row *row;
	unsigned int total;
	__u64 id;

	ASSERT_EQ(1, ro_create(self->fd, "", 0, 3, &id));
	ASSERT_EQ(0, ro_set_why(self->fd, 0, "tests"));
	ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_INFO, &info));
	ASSERT_EQ(1, ro_holders(self->fd, id, rec, 1, &total));
	ASSERT_EQ(0, DUMP(SESSION_GET));
	ASSERT_EQ(1, self->rows.n);
	row = self->rows.row;
	EXPECT_EQ(info.session, row->number[REFOBJ_A_SESSION_ID]);
	EXPECT_EQ(getpid(), row->number[REFOBJ_A_SESSION_PID]);
	EXPECT_EQ(0, row->number[REFOBJ_A_SESSION_UID]);
	EXPECT_EQ(1, row->number[REFOBJ_A_SESSION_OBJECTS]);
	EXPECT_EQ(3, row->number[REFOBJ_A_SESSION_REFERENCES]);
	EXPECT_EQ(rec->start_ns, row->number[REFOBJ_A_SESSION_START_NS]);
	EXPECT_STREQ(rec->comm, row->text[REFOBJ_A_SESSION_COMM]);
	EXPECT_STREQ("tests", row->text[REFOBJ_A_SESSION_WHY]);
	EXPECT_EQ(0, row->has[REFOBJ_A_SESSION_ENDED]);
}

/* More than a message of them, and one whose owner has gone. */
TEST_F(netlink, many_sessions)
{
	static const char why[] = "one of very many that are there for a test";
	int fd[300], ended, i, told = 0;
	struct nlmsghdr *h;
	struct ro_kid kid;

	for (i = 0; i < 300; i++) {
		fd[i] = ro_open();
		ASSERT_LE(0, fd[i]);
		/* Of several lengths, so that messages end anywhere. */
		ASSERT_EQ(0, ro_set_why(fd[i], 0, why + i % 31));
	}
	h = nl_request(&self->nl, self->buffer, REFOBJ_CMD_SESSION_GET, NLM_F_DUMP);
	ASSERT_EQ(0, nl_send(&self->nl, h));
	ASSERT_EQ(1, nl_receive(&self->nl, tally, &told));
	EXPECT_LT(told, 301);
	while (nl_receive(&self->nl, tally, &told) == 1)
		;
	EXPECT_EQ(301, told);
	for (i = 0; i < 300; i++)
		close(fd[i]);

	ended = ro_open();
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		/* has a copy of it */
		ro_kid_await(&kid);
		_exit(0);
	}
	close(ended);
	ASSERT_EQ(0, DUMP(SESSION_GET));
	ASSERT_EQ(2, self->rows.n);
	EXPECT_EQ(1, self->rows.row[1].has[REFOBJ_A_SESSION_ENDED]);
	ro_kid_say(&kid, 0);
	ASSERT_EQ(0, ro_kid_reap(&kid));
}

TEST_F(netlink, edges_of_the_idle_too)
{
	struct refobj_link link = { .size = sizeof(link) };
	unsigned int told = 0, i;
	struct nlmsghdr *h;
	struct nl other;
	__u64 id[602];

	for (i = 0; i < 602; i++)
		ASSERT_EQ(0, ro_create(self->fd, "", REFOBJ_PERSISTENT, 0, &id[i]));
	link.id = id[0];
	link.dep = id[1];
	ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_LINK, &link));
	ASSERT_EQ(0, DUMP(EDGE_GET));
	ASSERT_EQ(1, self->rows.n);
	EXPECT_EQ(id[0], self->rows.row->number[REFOBJ_A_EDGE_OBJECT]);
	EXPECT_EQ(id[1], self->rows.row->number[REFOBJ_A_EDGE_DEP]);
	EXPECT_EQ(0, self->rows.row->has[REFOBJ_A_EDGE_HELD]);
	ASSERT_EQ(1, ro_acquire(self->fd, id[0], 1, 0));
	ASSERT_EQ(0, DUMP(EDGE_GET));
	EXPECT_EQ(1, self->rows.row->has[REFOBJ_A_EDGE_HELD]);
	EXPECT_LT(0, self->rows.row->number[REFOBJ_A_EDGE_SINCE_NS]);

	/* more than a message, and what was told goes meanwhile */
	for (i = 2; i < 602; i++) {
		link.dep = id[i];
		ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_LINK, &link));
	}
	h = nl_request(&self->nl, self->buffer, REFOBJ_CMD_EDGE_GET, NLM_F_DUMP);
	ASSERT_EQ(0, nl_send(&self->nl, h));
	ASSERT_EQ(1, nl_receive(&self->nl, tally, &told));
	EXPECT_LT(told, 601);
	link.dep = id[1];
	ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_UNLINK, &link));
	while (nl_receive(&self->nl, tally, &told) == 1)
		;
	EXPECT_EQ(601, told);
	/* one that is left half-way, which is nothing to another one */
	h = nl_request(&self->nl, self->buffer, REFOBJ_CMD_EDGE_GET, NLM_F_DUMP);
	ASSERT_EQ(0, nl_send(&self->nl, h));
	ASSERT_EQ(0, nl_open(&other));
	told = 0;
	h = nl_request(&other, self->buffer, REFOBJ_CMD_EDGE_GET, NLM_F_DUMP);
	ASSERT_EQ(0, nl_talk(&other, h, tally, &told));
	EXPECT_EQ(600, told);
	nl_close(&other);
	ASSERT_EQ(1, ro_release(self->fd, id[0], 1));
	for (i = 0; i < 602; i++)
		ASSERT_EQ(0, ro_destroy(self->fd, id[i]));
}

TEST_F(netlink, statistics)
{
	struct row before;
	__u64 id;

	ASSERT_EQ(0, GET(STATS_GET));
	before = self->rows.row[0];
	ASSERT_EQ(1, ro_create(self->fd, "", 0, 7, &id));
	EXPECT_EQ(-ERANGE, ro_release(self->fd, id, 8));
	ASSERT_EQ(1, ro_release(self->fd, id, 7));
	ASSERT_EQ(0, GET(STATS_GET));
#define GREW(attr)	(self->rows.row->number[REFOBJ_A_STATS_##attr] - \
			 before.number[REFOBJ_A_STATS_##attr])
	EXPECT_EQ(1, GREW(CREATED));
	EXPECT_EQ(1, GREW(DESTROYED));
	EXPECT_EQ(7, GREW(REFERENCES_ACQUIRED));
	EXPECT_EQ(7, GREW(REFERENCES_RELEASED));
	EXPECT_EQ(1, GREW(ACTIVATIONS));
	EXPECT_EQ(1, GREW(DEACTIVATIONS));
	EXPECT_EQ(1, GREW(RELEASES));
	EXPECT_EQ(1, GREW(REFUSED));
	EXPECT_EQ(0, GREW(DROPPED_CLOSE));
	EXPECT_EQ(ro_debugfs_stat("activations"),
		  self->rows.row->number[REFOBJ_A_STATS_ACTIVATIONS]);
	EXPECT_EQ(ro_debugfs_stat("dropped_close"),
		  self->rows.row->number[REFOBJ_A_STATS_DROPPED_CLOSE]);
}

struct heard {
	unsigned int n;
	struct refobj_event event[64];
};

static int hear(struct nlattr **attrs, void *arg)
{
	struct heard *heard = arg;

	if (!attrs[REFOBJ_A_EVENT_RECORD] || heard->n == 64 ||
	    mnl_attr_get_payload_len(attrs[REFOBJ_A_EVENT_RECORD]) !=
	    sizeof(heard->event[0]))
		return -1;
	memcpy(&heard->event[heard->n++],
	       mnl_attr_get_payload(attrs[REFOBJ_A_EVENT_RECORD]),
	       sizeof(heard->event[0]));
	return 0;
}

static int listen_to(struct nl *nl)
{
	return mnl_socket_setsockopt(nl->socket, NETLINK_ADD_MEMBERSHIP,
				     &nl->group, sizeof(nl->group)) ? -errno : 0;
}

/* Events that are there already. */
static int hear_all(struct nl *nl, struct heard *heard)
{
	struct pollfd p = { .fd = mnl_socket_get_fd(nl->socket), .events = POLLIN };
	int ret = 0;

	nl->seq = 0;
	while (!ret && poll(&p, 1, 0) > 0) {
		ret = nl_receive(nl, hear, heard);
		if (ret == 1)
			ret = 0;
	}
	return ret;
}

/* What a watch is told, everybody hears who listens. */
TEST_F(netlink, events_are_those_of_a_watch)
{
	static struct heard heard;
	struct refobj_event read[64];
	struct nl elsewhere;
	int i, n, home;
	struct ro_kid kid;
	__u64 id;

	ASSERT_EQ(0, listen_to(&self->nl));
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	ASSERT_EQ(0, nl_open(&elsewhere));
	ASSERT_EQ(0, listen_to(&elsewhere));
	ASSERT_EQ(0, setns(home, CLONE_NEWNET));

	ASSERT_EQ(0, ro_create(self->fd, "", REFOBJ_PERSISTENT | REFOBJ_BUILD, 0,
			       &id));
	ASSERT_EQ(0, ro_watch(self->fd, id, REFOBJ_WATCH_ALL &
			      ~REFOBJ_WATCH(REFOBJ_EVENT_COUNT), 9));
	ASSERT_EQ(1 | REFOBJ_BUILDER,
		  ro_acquire(self->fd, id, 1, REFOBJ_ACQUIRE_BUILD));
	ASSERT_EQ(0, ro_publish(self->fd, id));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd = ro_open();

		ro_kid_say(&kid, ro_acquire(fd, id, 4, 0));
		pause();
	}
	ASSERT_EQ(0, ro_kid_hear(&kid));
	ASSERT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	ASSERT_EQ(1, ro_release(self->fd, id, 1));
	ASSERT_EQ(0, ro_destroy(self->fd, id));

	n = ro_read_events(self->fd, read, 64);
	ASSERT_LT(5, n);
	heard.n = 0;
	ASSERT_EQ(0, hear_all(&self->nl, &heard));
	/* but the snapshot, which is the watch's alone */
	ASSERT_EQ(n - 1, heard.n);
	for (i = 1; i < n; i++) {
		const struct refobj_event *e = &heard.event[i - 1];

		EXPECT_EQ(read[i].size, e->size);
		EXPECT_EQ(read[i].type, e->type);
		EXPECT_EQ(read[i].cause, e->cause);
		EXPECT_EQ(read[i].state, e->state);
		EXPECT_EQ(read[i].id, e->id);
		EXPECT_EQ(read[i].object_seq, e->object_seq);
		EXPECT_EQ(read[i].time_ns, e->time_ns);
		EXPECT_EQ(read[i].users, e->users);
		EXPECT_EQ(read[i].count, e->count);
		EXPECT_EQ(0, e->cookie);
		EXPECT_EQ(0, e->pid);
		EXPECT_EQ(i, e->seq);
	}
	heard.n = 0;
	ASSERT_EQ(0, hear_all(&elsewhere, &heard));
	EXPECT_EQ(0, heard.n);
	nl_close(&elsewhere);
	close(home);
}

/* Without a watch, too; and in the first namespace with who did it. */
TEST_F(netlink, a_transient_life_is_heard)
{
	static const unsigned int types[] = {
		REFOBJ_EVENT_ACTIVATED, REFOBJ_EVENT_READY,
		REFOBJ_EVENT_DEACTIVATED, REFOBJ_EVENT_DESTROYED,
	};
	static struct heard heard;
	struct nl nl;
	unsigned int i;
	__u64 id;
	int init, fd;

	init = open("/proc/1/ns/net", O_RDONLY | O_CLOEXEC);
	if (init < 0 || setns(init, CLONE_NEWNET))
		SKIP(return, "process 1 lets nobody into its network namespace");
	ASSERT_EQ(0, nl_open(&nl));
	ASSERT_EQ(0, listen_to(&nl));
	fd = ro_open();
	ASSERT_EQ(1, ro_create(fd, "", 0, 1, &id));
	ASSERT_EQ(1, ro_release(fd, id, 1));
	heard.n = 0;
	ASSERT_EQ(0, hear_all(&nl, &heard));
	ASSERT_EQ(4, heard.n);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(types[i], heard.event[i].type);
		EXPECT_EQ(id, heard.event[i].id);
		EXPECT_EQ(getpid(), heard.event[i].pid);
	}
	close(fd);
	close(init);
	nl_close(&nl);
}

/* Who does not read is told that he lost some, and the numbers tell how many. */
TEST_F(netlink, a_flood_is_noticed)
{
	static struct heard heard;
	int small = 1, ret, i;
	__u64 id, last;

	ASSERT_EQ(0, listen_to(&self->nl));
	ASSERT_EQ(0, setsockopt(mnl_socket_get_fd(self->nl.socket), SOL_SOCKET,
				SO_RCVBUF, &small, sizeof(small)));
	ASSERT_EQ(0, ro_create(self->fd, "", REFOBJ_PERSISTENT, 0, &id));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(1, ro_acquire(self->fd, id, 1, 0));
		ASSERT_EQ(1, ro_release(self->fd, id, 1));
	}
	heard.n = 0;
	ret = hear_all(&self->nl, &heard);
	EXPECT_EQ(-ENOBUFS, ret);
	ASSERT_EQ(0, hear_all(&self->nl, &heard));
	ASSERT_LT(0, heard.n);
	last = heard.event[heard.n - 1].seq;
	EXPECT_LT(last, 300);
	heard.n = 0;
	ASSERT_EQ(1, ro_acquire(self->fd, id, 1, 0));
	ASSERT_EQ(0, hear_all(&self->nl, &heard));
	ASSERT_LT(0, heard.n);
	EXPECT_EQ(301, heard.event[0].seq);
	ASSERT_EQ(1, ro_release(self->fd, id, 1));
	ASSERT_EQ(0, ro_destroy(self->fd, id));
}

TEST_HARNESS_MAIN
