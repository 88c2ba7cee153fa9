// SPDX-License-Identifier: LGPL-2.1-or-later
/* The family of <linux/refobj_netlink.h>, with libmnl. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "librefobj-netlink.h"

/* The largest message that the kernel makes, and the largest request. */
#define ANSWER_SIZE	32768
#define REQUEST_SIZE	1024

#define ATTRS_MAX	64

struct refobj_nl {
	struct mnl_socket *socket;
	uint32_t seq;
	uint16_t family;
	uint32_t group;
	uint64_t heard;			/* number of the last event; 0: none */
	struct refobj_event kept;	/* that comes after what was lost */
	bool has_kept;
	bool overrun;
	char why[160];
	char request[REQUEST_SIZE] __attribute__((aligned(8)));
	char answer[ANSWER_SIZE] __attribute__((aligned(8)));
};

/* Attributes of a message, by their numbers. */
struct attrs {
	const struct nlattr *by[ATTRS_MAX];
};

/* Rows of a dump, as the kernel gave them; filled by a function for each kind. */
struct rows {
	char *at;
	size_t n, room, size;
	void (*fill)(void *row, const struct attrs *attrs);
	bool interrupted;
	int err;
};

static int sort_attr(const struct nlattr *attr, void *data)
{
	struct attrs *attrs = data;

	if (mnl_attr_get_type(attr) < ATTRS_MAX)
		attrs->by[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

/* Numbers and texts of an attribute; 0 and "" if it is not there, or another thing. */
static uint32_t get_u32(const struct attrs *attrs, int i)
{
	const struct nlattr *a = attrs->by[i];

	return a && mnl_attr_get_payload_len(a) == 4 ? mnl_attr_get_u32(a) : 0;
}

static uint64_t get_u64(const struct attrs *attrs, int i)
{
	const struct nlattr *a = attrs->by[i];

	return a && mnl_attr_get_payload_len(a) == 8 ? mnl_attr_get_u64(a) : 0;
}

static void get_text(const struct attrs *attrs, int i, char *to, size_t size)
{
	const struct nlattr *a = attrs->by[i];

	if (a)
		snprintf(to, size, "%.*s", (int)mnl_attr_get_payload_len(a),
			 (const char *)mnl_attr_get_payload(a));
}

static void fill_object(void *row, const struct attrs *a)
{
	struct refobj_stat *o = row;

	*o = (struct refobj_stat) {
		.size = sizeof(*o),
		.id = get_u64(a, REFOBJ_A_OBJECT_ID),
		.state = get_u32(a, REFOBJ_A_OBJECT_STATE),
		.object_flags = get_u32(a, REFOBJ_A_OBJECT_FLAGS),
		.mode = get_u32(a, REFOBJ_A_OBJECT_MODE),
		.uid = get_u32(a, REFOBJ_A_OBJECT_UID),
		.gid = get_u32(a, REFOBJ_A_OBJECT_GID),
		.users = get_u32(a, REFOBJ_A_OBJECT_USERS),
		.users_peak = get_u32(a, REFOBJ_A_OBJECT_USERS_PEAK),
		.holders = get_u32(a, REFOBJ_A_OBJECT_HOLDERS),
		.created_ns = get_u64(a, REFOBJ_A_OBJECT_CREATED_NS),
		.activations = get_u64(a, REFOBJ_A_OBJECT_ACTIVATIONS),
		.deactivations = get_u64(a, REFOBJ_A_OBJECT_DEACTIVATIONS),
		.linger_ms = get_u32(a, REFOBJ_A_OBJECT_LINGER_MS),
		.watches = get_u32(a, REFOBJ_A_OBJECT_WATCHES),
		.value_version = get_u64(a, REFOBJ_A_OBJECT_VALUE_VERSION),
		.value_size = get_u32(a, REFOBJ_A_OBJECT_VALUE_SIZE),
		.has_file = !!a->by[REFOBJ_A_OBJECT_HAS_FILE],
		.builder = get_u32(a, REFOBJ_A_OBJECT_BUILDER),
		.edges = get_u32(a, REFOBJ_A_OBJECT_EDGES),
	};
	get_text(a, REFOBJ_A_OBJECT_NAME, o->name, sizeof(o->name));
	get_text(a, REFOBJ_A_OBJECT_TYPE, o->type, sizeof(o->type));
}

struct holder_row {
	uint64_t object;
	struct refobj_holder holder;
};

static void fill_holder(void *row, const struct attrs *a)
{
	struct holder_row *r = row;

	*r = (struct holder_row) {
		.object = get_u64(a, REFOBJ_A_HOLDER_OBJECT),
		.holder = {
			.kind = get_u32(a, REFOBJ_A_HOLDER_KIND),
			.count = get_u32(a, REFOBJ_A_HOLDER_COUNT),
			.session = get_u64(a, REFOBJ_A_HOLDER_SESSION),
			.pid = get_u32(a, REFOBJ_A_HOLDER_PID),
			.uid = get_u32(a, REFOBJ_A_HOLDER_UID),
			.start_ns = get_u64(a, REFOBJ_A_HOLDER_START_NS),
			.since_ns = get_u64(a, REFOBJ_A_HOLDER_SINCE_NS),
		},
	};
	get_text(a, REFOBJ_A_HOLDER_COMM, r->holder.comm,
		 sizeof(r->holder.comm));
	get_text(a, REFOBJ_A_HOLDER_WHY, r->holder.why, sizeof(r->holder.why));
}

static void fill_session(void *row, const struct attrs *a)
{
	struct refobj_nl_session *s = row;

	*s = (struct refobj_nl_session) {
		.id = get_u64(a, REFOBJ_A_SESSION_ID),
		.references = get_u64(a, REFOBJ_A_SESSION_REFERENCES),
		.start_ns = get_u64(a, REFOBJ_A_SESSION_START_NS),
		.objects = get_u32(a, REFOBJ_A_SESSION_OBJECTS),
		.pid = get_u32(a, REFOBJ_A_SESSION_PID),
		.uid = get_u32(a, REFOBJ_A_SESSION_UID),
		.ended = a->by[REFOBJ_A_SESSION_ENDED],
	};
	get_text(a, REFOBJ_A_SESSION_COMM, s->comm, sizeof(s->comm));
	get_text(a, REFOBJ_A_SESSION_WHY, s->why, sizeof(s->why));
}

static void fill_edge(void *row, const struct attrs *a)
{
	*(struct refobj_nl_edge *)row = (struct refobj_nl_edge) {
		.object = get_u64(a, REFOBJ_A_EDGE_OBJECT),
		.dep = get_u64(a, REFOBJ_A_EDGE_DEP),
		.since_ns = get_u64(a, REFOBJ_A_EDGE_SINCE_NS),
		.held = a->by[REFOBJ_A_EDGE_HELD],
	};
}

/*
 * Talking
 */

static int refuse(const struct nlmsghdr *h, void *data)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
	struct refobj_nl *nl = data;
	const struct nlattr *attr;
	size_t skip = sizeof(*e);

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*e)) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	if (!e->error)
		return MNL_CB_STOP;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += mnl_nlmsg_get_payload_len(&e->msg);
	if (h->nlmsg_flags & NLM_F_ACK_TLVS)
		mnl_attr_for_each(attr, h, skip)
			if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
			    !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
				snprintf(nl->why, sizeof(nl->why), "%s",
					 mnl_attr_get_str(attr));
	errno = -e->error;
	return MNL_CB_ERROR;
}

/* The end of a dump, which may say that it failed. */
static int finish(const struct nlmsghdr *h, void *data)
{
	int err = 0;

	(void)data;
	if (mnl_nlmsg_get_payload_len(h) >= sizeof(err))
		memcpy(&err, mnl_nlmsg_get_payload(h), sizeof(err));
	if (err >= 0)
		return MNL_CB_STOP;
	errno = -err;
	return MNL_CB_ERROR;
}

struct answer {
	struct refobj_nl *nl;
	void (*take)(const struct attrs *attrs, void *arg);
	void *arg;
};

static int take_message(const struct nlmsghdr *h, void *data)
{
	struct answer *answer = data;
	struct attrs attrs = { .by = { NULL } };

	if (mnl_nlmsg_get_payload_len(h) < sizeof(struct genlmsghdr) ||
	    mnl_attr_parse(h, sizeof(struct genlmsghdr), sort_attr, &attrs) < 0) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	answer->take(&attrs, answer->arg);
	return MNL_CB_OK;
}

/* The control messages come with the same argument as the others. */
static int refuse_answer(const struct nlmsghdr *h, void *data)
{
	return refuse(h, ((struct answer *)data)->nl);
}

static struct nlmsghdr *begin(struct refobj_nl *nl, uint8_t cmd, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(nl->request);
	struct genlmsghdr *g;

	h->nlmsg_type = nl->family;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = ++nl->seq;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->cmd = cmd;
	g->version = REFOBJ_GENL_VERSION;
	nl->why[0] = '\0';
	return h;
}

/* Sends a request and takes all of the answer. */
static int talk(struct refobj_nl *nl, const struct nlmsghdr *request,
		void (*take)(const struct attrs *attrs, void *arg), void *arg,
		bool *interrupted)
{
	mnl_cb_t control[NLMSG_DONE + 1] = {
		[NLMSG_ERROR] = refuse_answer, [NLMSG_DONE] = finish,
	};
	struct answer answer = { .nl = nl, .take = take, .arg = arg };
	struct nlmsghdr *h;
	int left, ret = 1;
	ssize_t n;

	if (mnl_socket_sendto(nl->socket, request, request->nlmsg_len) < 0)
		return -errno;
	while (ret > 0) {
		n = mnl_socket_recvfrom(nl->socket, nl->answer,
					sizeof(nl->answer));
		if (n < 0)
			return -errno;
		/* libmnl would stop there, with the rest still to come. */
		left = (int)n;
		for (h = (struct nlmsghdr *)nl->answer; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_flags & NLM_F_DUMP_INTR && interrupted)
				*interrupted = true;
			h->nlmsg_flags &= (uint16_t)~NLM_F_DUMP_INTR;
		}
		ret = mnl_cb_run2(nl->answer, (size_t)n, request->nlmsg_seq,
				  mnl_socket_get_portid(nl->socket),
				  take_message, &answer, control,
				  NLMSG_DONE + 1);
	}
	return ret < 0 ? -errno : 0;
}

static void take_family(const struct attrs *attrs, void *arg)
{
	const struct nlattr *id = attrs->by[CTRL_ATTR_FAMILY_ID];
	const struct nlattr *groups = attrs->by[CTRL_ATTR_MCAST_GROUPS];
	const struct nlattr *group, *of;
	struct refobj_nl *nl = arg;

	if (id && !mnl_attr_validate(id, MNL_TYPE_U16))
		nl->family = mnl_attr_get_u16(id);
	if (!groups || mnl_attr_validate(groups, MNL_TYPE_NESTED))
		return;
	/* there is one */
	mnl_attr_for_each_nested(group, groups)
		mnl_attr_for_each_nested(of, group)
			if (mnl_attr_get_type(of) == CTRL_ATTR_MCAST_GRP_ID &&
			    !mnl_attr_validate(of, MNL_TYPE_U32))
				nl->group = mnl_attr_get_u32(of);
}

int refobj_nl_open(struct refobj_nl **result)
{
	struct refobj_nl *nl = calloc(1, sizeof(*nl));
	struct nlmsghdr *h;
	int on = 1, ret;

	if (!nl)
		return -ENOMEM;
	nl->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!nl->socket ||
	    mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_setsockopt(nl->socket, NETLINK_EXT_ACK, &on,
				  sizeof(on)) < 0 ||
	    mnl_socket_setsockopt(nl->socket, NETLINK_CAP_ACK, &on,
				  sizeof(on)) < 0) {
		ret = -errno;
		goto fail;
	}
	nl->family = GENL_ID_CTRL;
	h = begin(nl, CTRL_CMD_GETFAMILY, NLM_F_ACK);
	mnl_attr_put_strz(h, CTRL_ATTR_FAMILY_NAME, REFOBJ_GENL_NAME);
	ret = talk(nl, h, take_family, nl, NULL);
	if (ret)
		goto fail;
	*result = nl;
	return 0;

fail:
	refobj_nl_close(nl);
	return ret;
}

void refobj_nl_close(struct refobj_nl *nl)
{
	if (!nl)
		return;
	if (nl->socket)
		mnl_socket_close(nl->socket);
	free(nl);
}

const char *refobj_nl_why(const struct refobj_nl *nl)
{
	return nl->why;
}

/*
 * Dumps
 */

static void take_row(const struct attrs *attrs, void *arg)
{
	struct rows *rows = arg;
	char *more;

	if (rows->n == rows->room) {
		size_t room = rows->room ? 2 * rows->room : 64;

		more = rows->err ? NULL : reallocarray(rows->at, room, rows->size);
		if (!more) {
			rows->err = -ENOMEM;
			return;
		}
		rows->at = more;
		rows->room = room;
	}
	rows->fill(rows->at + rows->n++ * rows->size, attrs);
}

/* All rows of what @h asks for; to be freed, whatever is returned. */
static int collect(struct refobj_nl *nl, struct nlmsghdr *h, struct rows *rows)
{
	int tries, ret = 0;

	for (tries = 0; tries < REFOBJ_NL_TRIES; tries++) {
		rows->n = 0;
		rows->interrupted = false;
		h->nlmsg_seq = ++nl->seq;
		ret = talk(nl, h, take_row, rows, &rows->interrupted);
		if (ret || rows->err || !rows->interrupted)
			break;
	}
	return ret ? ret : rows->err;
}

/* A text that fits its attribute and the request. */
static int put_text(struct nlmsghdr *h, uint16_t attr, const char *text, size_t size)
{
	if (strlen(text) >= size)
		return -ENAMETOOLONG;
	return mnl_attr_put_strz_check(h, REQUEST_SIZE, attr, text) ? 0 : -EMSGSIZE;
}

static int put_filter(struct nlmsghdr *h, const struct refobj_nl_filter *f)
{
	int ret = 0;

	if (f->prefix)
		ret = put_text(h, REFOBJ_A_OBJECT_PREFIX, f->prefix,
			       REFOBJ_NAME_SIZE);
	if (!ret && f->type)
		ret = put_text(h, REFOBJ_A_OBJECT_TYPE, f->type, REFOBJ_TYPE_SIZE);
	if (!ret && ((f->state &&
		      !mnl_attr_put_u32_check(h, REQUEST_SIZE,
					      REFOBJ_A_OBJECT_STATE, f->state)) ||
		     (f->has_uid &&
		      !mnl_attr_put_u32_check(h, REQUEST_SIZE,
					      REFOBJ_A_OBJECT_UID, f->uid)) ||
		     (f->unused &&
		      !mnl_attr_put_check(h, REQUEST_SIZE, REFOBJ_A_OBJECT_UNUSED,
					  0, NULL))))
		ret = -EMSGSIZE;
	return ret;
}

#define NEXT_ROW(rows, i, type) ((const type *)(const void *)((rows)->at + (i) * sizeof(type)))

int refobj_nl_objects(struct refobj_nl *nl, const struct refobj_nl_filter *filter,
		      int (*told)(const struct refobj_stat *object, void *arg),
		      void *arg)
{
	struct rows rows = { .size = sizeof(struct refobj_stat), .fill = fill_object };
	struct nlmsghdr *h = begin(nl, REFOBJ_CMD_OBJECT_GET, NLM_F_DUMP);
	int ret = filter ? put_filter(h, filter) : 0;
	size_t i;

	if (!ret)
		ret = collect(nl, h, &rows);
	for (i = 0; i < rows.n && ret >= 0; i++)
		ret = told(NEXT_ROW(&rows, i, struct refobj_stat), arg);
	free(rows.at);
	return ret < 0 ? ret : rows.interrupted;
}

int refobj_nl_holders(struct refobj_nl *nl, uint64_t id,
		      int (*told)(uint64_t object,
				  const struct refobj_holder *holder, void *arg),
		      void *arg)
{
	struct rows rows = { .size = sizeof(struct holder_row), .fill = fill_holder };
	struct nlmsghdr *h = begin(nl, REFOBJ_CMD_HOLDER_GET, NLM_F_DUMP);
	const struct holder_row *row;
	int ret = 0;
	size_t i;

	if (id && !mnl_attr_put_u64_check(h, REQUEST_SIZE, REFOBJ_A_HOLDER_OBJECT, id))
		ret = -EMSGSIZE;
	if (!ret)
		ret = collect(nl, h, &rows);
	for (i = 0; i < rows.n && ret >= 0; i++) {
		row = NEXT_ROW(&rows, i, struct holder_row);
		ret = told(row->object, &row->holder, arg);
	}
	free(rows.at);
	return ret < 0 ? ret : rows.interrupted;
}

int refobj_nl_sessions(struct refobj_nl *nl,
		       int (*told)(const struct refobj_nl_session *session,
				   void *arg),
		       void *arg)
{
	struct rows rows = {
		.size = sizeof(struct refobj_nl_session), .fill = fill_session,
	};
	int ret = collect(nl, begin(nl, REFOBJ_CMD_SESSION_GET, NLM_F_DUMP), &rows);
	size_t i;

	for (i = 0; i < rows.n && ret >= 0; i++)
		ret = told(NEXT_ROW(&rows, i, struct refobj_nl_session), arg);
	free(rows.at);
	return ret < 0 ? ret : rows.interrupted;
}

int refobj_nl_edges(struct refobj_nl *nl,
		    int (*told)(const struct refobj_nl_edge *edge, void *arg),
		    void *arg)
{
	struct rows rows = { .size = sizeof(struct refobj_nl_edge), .fill = fill_edge };
	int ret = collect(nl, begin(nl, REFOBJ_CMD_EDGE_GET, NLM_F_DUMP), &rows);
	size_t i;

	for (i = 0; i < rows.n && ret >= 0; i++)
		ret = told(NEXT_ROW(&rows, i, struct refobj_nl_edge), arg);
	free(rows.at);
	return ret < 0 ? ret : rows.interrupted;
}

static void take_object(const struct attrs *attrs, void *arg)
{
	fill_object(arg, attrs);
}

int refobj_nl_object(struct refobj_nl *nl, uint64_t id, const char *name,
		     struct refobj_stat *object)
{
	struct nlmsghdr *h = begin(nl, REFOBJ_CMD_OBJECT_GET, NLM_F_ACK);
	int ret = 0;

	if (!id)
		ret = put_text(h, REFOBJ_A_OBJECT_NAME, name, REFOBJ_NAME_SIZE);
	else if (!mnl_attr_put_u64_check(h, REQUEST_SIZE, REFOBJ_A_OBJECT_ID, id))
		ret = -EMSGSIZE;
	return ret ? ret : talk(nl, h, take_object, object, NULL);
}

/*
 * Events
 */

int refobj_nl_listen(struct refobj_nl *nl)
{
	return mnl_socket_setsockopt(nl->socket, NETLINK_ADD_MEMBERSHIP, &nl->group,
				     sizeof(nl->group)) < 0 ? -errno : 0;
}

int refobj_nl_fd(const struct refobj_nl *nl)
{
	return mnl_socket_get_fd(nl->socket);
}

static void take_event(const struct attrs *attrs, void *arg)
{
	const struct nlattr *record = attrs->by[REFOBJ_A_EVENT_RECORD];
	struct refobj_nl *nl = arg;
	size_t size;

	if (!record)
		return;
	/* a newer kernel's may be longer */
	size = mnl_attr_get_payload_len(record);
	if (size > sizeof(nl->kept))
		size = sizeof(nl->kept);
	memset(&nl->kept, 0, sizeof(nl->kept));
	memcpy(&nl->kept, mnl_attr_get_payload(record), size);
	nl->has_kept = true;
}

/* Reads the next event, one a message, into nl->kept. */
static int hear(struct refobj_nl *nl)
{
	struct answer answer = { .nl = nl, .take = take_event, .arg = nl };
	ssize_t n;

	while (!nl->has_kept) {
		n = recv(refobj_nl_fd(nl), nl->answer, sizeof(nl->answer),
			 MSG_DONTWAIT);
		if (n < 0 && errno == ENOBUFS) {
			nl->overrun = true;
			continue;
		}
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (mnl_cb_run(nl->answer, (size_t)n, 0, 0, take_message, &answer) < 0)
			return -errno;
	}
	return 1;
}

int refobj_nl_next(struct refobj_nl *nl, struct refobj_event *event)
{
	int ret = hear(nl);
	uint64_t lost = 0;

	if (ret < 0)
		return ret;
	if (ret && nl->heard && nl->kept.seq > nl->heard + 1)
		lost = nl->kept.seq - nl->heard - 1;
	/*
	 * While there is no room the kernel says so once, whatever else it drops: not
	 * before all has been read is it certain that the rest will be heard.
	 */
	if (lost || (nl->overrun && !ret)) {
		*event = (struct refobj_event) {
			.size = sizeof(*event), .type = REFOBJ_EVENT_LOST,
			.count = (uint32_t)lost,
		};
		if (ret)
			nl->heard = nl->kept.seq - 1;
		else
			nl->overrun = false;
		return 1;
	}
	if (!ret)
		return 0;
	*event = nl->kept;
	nl->heard = nl->kept.seq;
	nl->has_kept = false;
	return 1;
}
