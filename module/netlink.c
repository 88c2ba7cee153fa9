// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family: what is in a registry, for those who look at all of it,
 * and a group of events. refobj_netlink.h has the rules, who sees what among them.
 *
 * A dump comes in parts, in whatever process reads the socket. Its place is an id, or
 * a mark in a list, which keeps an object's memory but nothing else; it is judged by
 * the credentials that opened the socket.
 */
#include <linux/cred.h>
#include <linux/genetlink.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "compat.h"
#include "refobj.h"
#include "uapi/linux/refobj_netlink.h"

/* Holders that are read at once. */
#define NL_BATCH	8

static struct genl_family nl_family;

/*
 * Off before the family goes. Who tells an event looks at it under an object's lock,
 * which is as good as rcu_read_lock().
 */
static bool nl_events;

/*
 * Who may see
 */

static bool nl_admin(struct sk_buff *request, const struct net *net)
{
	return netlink_ns_capable(request, net->user_ns, CAP_NET_ADMIN);
}

static struct file *nl_file(struct sk_buff *request)
{
	struct socket *socket = NETLINK_CB(request).sk->sk_socket;

	return socket ? socket->file : NULL;
}

static bool nl_sees_object(struct sk_buff *request, const struct refobj *object)
{
	struct file *file = nl_file(request);

	return (file && refobj_file_may(file, object, 4)) ||
	       nl_admin(request, object->registry->net);
}

static bool nl_sees_uid(struct sk_buff *request, const struct net *net, kuid_t uid)
{
	struct file *file = nl_file(request);

	return (file && uid_eq(file->f_cred->euid, uid)) || nl_admin(request, net);
}

/* A step of a dump that may pass over much before it finds something to tell. */
static int nl_breathe(void)
{
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/* What a dump's step returns: 0 would be the end. */
static int nl_step(const struct sk_buff *skb, int err)
{
	if (err == -EMSGSIZE && skb->len)
		return skb->len;
	return err ?: skb->len;
}

/* The header of a part of a dump; NULL if it does not fit. */
static void *nl_begin(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd)
{
	void *header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				   cb->nlh->nlmsg_seq, &nl_family, NLM_F_MULTI,
				   cmd);

	if (header)
		genl_dump_check_consistent(cb, header);
	return header;
}

/* Was anything created or destroyed between two parts? Never 0. */
static void nl_note_generation(struct netlink_callback *cb,
			       const struct refobj_registry *registry)
{
	cb->seq = (u32)atomic_read(&registry->generation) << 1 | 1;
}

static struct refobj_registry *nl_registry(const struct sk_buff *skb)
{
	return refobj_registry_of(sock_net(skb->sk));
}

/*
 * Objects
 */

static int nl_put_object(struct sk_buff *skb, const struct refobj_stat *s)
{
	if (nla_put_u64_64bit(skb, REFOBJ_A_OBJECT_ID, s->id,
			      REFOBJ_A_OBJECT_PAD) ||
	    (*s->name && nla_put_string(skb, REFOBJ_A_OBJECT_NAME, s->name)) ||
	    (*s->type && nla_put_string(skb, REFOBJ_A_OBJECT_TYPE, s->type)) ||
	    nla_put_u32(skb, REFOBJ_A_OBJECT_STATE, s->state) ||
	    nla_put_u32(skb, REFOBJ_A_OBJECT_FLAGS, s->object_flags) ||
	    nla_put_u32(skb, REFOBJ_A_OBJECT_MODE, s->mode) ||
	    nla_put_u32(skb, REFOBJ_A_OBJECT_UID, s->uid) ||
	    nla_put_u32(skb, REFOBJ_A_OBJECT_GID, s->gid) ||
	    nla_put_u32(skb, REFOBJ_A_OBJECT_USERS, s->users) ||
	    nla_put_u32(skb, REFOBJ_A_OBJECT_USERS_PEAK, s->users_peak) ||
	    nla_put_u32(skb, REFOBJ_A_OBJECT_HOLDERS, s->holders) ||
	    nla_put_u64_64bit(skb, REFOBJ_A_OBJECT_CREATED_NS, s->created_ns,
			      REFOBJ_A_OBJECT_PAD) ||
	    nla_put_u64_64bit(skb, REFOBJ_A_OBJECT_ACTIVATIONS, s->activations,
			      REFOBJ_A_OBJECT_PAD) ||
	    nla_put_u64_64bit(skb, REFOBJ_A_OBJECT_DEACTIVATIONS,
			      s->deactivations, REFOBJ_A_OBJECT_PAD) ||
	    nla_put_u32(skb, REFOBJ_A_OBJECT_LINGER_MS, s->linger_ms) ||
	    nla_put_u32(skb, REFOBJ_A_OBJECT_WATCHES, s->watches) ||
	    nla_put_u64_64bit(skb, REFOBJ_A_OBJECT_VALUE_VERSION,
			      s->value_version, REFOBJ_A_OBJECT_PAD) ||
	    nla_put_u32(skb, REFOBJ_A_OBJECT_VALUE_SIZE, s->value_size) ||
	    (s->has_file && nla_put_flag(skb, REFOBJ_A_OBJECT_HAS_FILE)) ||
	    (s->builder &&
	     nla_put_u32(skb, REFOBJ_A_OBJECT_BUILDER, s->builder)) ||
	    nla_put_u32(skb, REFOBJ_A_OBJECT_EDGES, s->edges))
		return -EMSGSIZE;
	return 0;
}

/* The object that a request names by its id or, if @by_name, by that; with a life. */
static struct refobj *nl_find_object(struct sk_buff *skb,
				     const struct nlattr *by_id,
				     const struct nlattr *by_name,
				     struct netlink_ext_ack *extack)
{
	struct refobj_registry *registry = nl_registry(skb);
	struct refobj *object;

	if (!by_id == !by_name) {
		NL_SET_ERR_MSG(extack, "one of the object's id and its name is wanted");
		return ERR_PTR(-EINVAL);
	}
	if (by_id) {
		object = refobj_find_id(registry, nla_get_u64(by_id));
		if (IS_ERR(object)) {
			if (PTR_ERR(object) == -ESTALE)
				NL_SET_ERR_MSG_ATTR(extack, by_id,
						    "the object with this id is gone");
			else
				NL_SET_ERR_MSG_ATTR(extack, by_id,
						    "no object ever had this id");
			return object;
		}
	} else {
		object = refobj_find_name(registry, nla_data(by_name));
		if (!object) {
			NL_SET_ERR_MSG_ATTR(extack, by_name,
					    "no object has this name");
			return ERR_PTR(-ENOENT);
		}
	}
	if (!nl_sees_object(skb, object)) {
		refobj_put(object);
		NL_SET_ERR_MSG(extack, "the object's mode lets you not read it");
		return ERR_PTR(-EACCES);
	}
	return object;
}

static int nl_get_object(struct sk_buff *skb, struct genl_info *info)
{
	struct refobj_stat *stat;
	struct refobj *object;
	struct sk_buff *reply;
	void *header;
	int err;

	object = nl_find_object(skb, info->attrs[REFOBJ_A_OBJECT_ID],
				info->attrs[REFOBJ_A_OBJECT_NAME],
				info->extack);
	if (IS_ERR(object))
		return PTR_ERR(object);
	err = -ENOMEM;
	stat = kzalloc(sizeof(*stat), GFP_KERNEL_ACCOUNT);
	reply = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!stat || !reply)
		goto free;
	refobj_stat(object, stat);
	err = -ESTALE;
	if (stat->state == REFOBJ_STATE_DEAD) {
		NL_SET_ERR_MSG(info->extack, "the object has just died");
		goto free;
	}
	err = -EMSGSIZE;
	header = genlmsg_put_reply(reply, info, &nl_family, 0,
				   REFOBJ_CMD_OBJECT_GET);
	if (!header || nl_put_object(reply, stat))
		goto free;
	genlmsg_end(reply, header);
	kfree(stat);
	refobj_put(object);
	return genlmsg_reply(reply, info);

free:
	nlmsg_free(reply);
	kfree(stat);
	refobj_put(object);
	return err;
}

/* Does an object fit all that a dump asks for? */
static bool nl_selects(struct nlattr **attrs, const struct refobj_stat *s)
{
	const struct nlattr *prefix = attrs[REFOBJ_A_OBJECT_PREFIX];
	const struct nlattr *type = attrs[REFOBJ_A_OBJECT_TYPE];
	const struct nlattr *state = attrs[REFOBJ_A_OBJECT_STATE];
	const struct nlattr *uid = attrs[REFOBJ_A_OBJECT_UID];

	if (prefix && strncmp(s->name, nla_data(prefix), strlen(nla_data(prefix))))
		return false;
	if (type && strcmp(s->type, nla_data(type)))
		return false;
	if (state && s->state != nla_get_u32(state))
		return false;
	if (uid && s->uid != nla_get_u32(uid))
		return false;
	return !attrs[REFOBJ_A_OBJECT_UNUSED] || !s->users;
}

/* In a callback's context: the id of the object that was told, or passed over, last */
struct nl_at {
	u64 id;
};

static int nl_dump_objects(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct refobj_registry *registry = nl_registry(cb->skb);
	struct nlattr **attrs = refobj_dump_attrs(cb);
	struct nl_at *at = (void *)cb->ctx;
	struct refobj_stat *stat;
	struct refobj *object;
	void *header;
	int err = 0;

	stat = kzalloc(sizeof(*stat), GFP_KERNEL_ACCOUNT);
	if (!stat)
		return -ENOMEM;
	nl_note_generation(cb, registry);
	while (!err && (object = refobj_find_next(registry, at->id))) {
		u64 id = object->id;

		if (nl_sees_object(cb->skb, object)) {
			refobj_stat(object, stat);
			if (stat->state != REFOBJ_STATE_DEAD &&
			    nl_selects(attrs, stat)) {
				header = nl_begin(skb, cb, REFOBJ_CMD_OBJECT_GET);
				err = header ? nl_put_object(skb, stat) :
					       -EMSGSIZE;
				if (!err)
					genlmsg_end(skb, header);
				else if (header)
					genlmsg_cancel(skb, header);
			}
		}
		refobj_put(object);
		if (err)
			break;
		at->id = id;
		err = nl_breathe();
	}
	kfree(stat);
	return nl_step(skb, err);
}

/*
 * Holders
 */

/**
 * struct nl_holders - a dump of holders
 * @object: whose are told now, with a life, or NULL
 * @last: its id, or that of the one before
 * @one: of this object only
 * @place: in its list
 * @cursor: the holder that was read last
 * @n: holders in @records
 * @at: the next of them to be told
 * @records: holders
 */
struct nl_holders {
	struct refobj *object;
	u64 last;
	bool one;
	struct refobj_mark place;
	u64 cursor;
	int n;
	int at;
	struct refobj_holder records[NL_BATCH];
};

static struct nl_holders **nl_holders_of(struct netlink_callback *cb)
{
	return (struct nl_holders **)cb->ctx;
}

static void nl_holders_leave(struct nl_holders *dump)
{
	if (!dump->object)
		return;
	if (dump->place.node.next)
		refobj_holders_end(dump->object, &dump->place);
	refobj_put(dump->object);
	dump->object = NULL;
	memset(&dump->place, 0, sizeof(dump->place));
	dump->cursor = 0;
}

static int nl_start_holders(struct netlink_callback *cb)
{
	const struct nlattr *id = refobj_dump_attrs(cb)[REFOBJ_A_HOLDER_OBJECT];
	struct nl_holders *dump;
	int err;

	dump = kzalloc(sizeof(*dump), GFP_KERNEL_ACCOUNT);
	if (!dump)
		return -ENOMEM;
	if (id) {
		dump->object = nl_find_object(cb->skb, id, NULL, cb->extack);
		if (IS_ERR(dump->object)) {
			err = PTR_ERR(dump->object);
			kfree(dump);
			return err;
		}
		dump->one = true;
	}
	*nl_holders_of(cb) = dump;
	return 0;
}

static int nl_done_holders(struct netlink_callback *cb)
{
	struct nl_holders *dump = *nl_holders_of(cb);

	if (dump) {
		nl_holders_leave(dump);
		kfree(dump);
	}
	return 0;
}

/* The next holder into records[at]: 1, 0 at the end, or -EINTR. */
static int nl_next_holder(struct sk_buff *request, struct nl_holders *dump,
			  struct refobj_registry *registry)
{
	int err;

	while (dump->at == dump->n) {
		err = nl_breathe();
		if (err)
			return err;
		if (!dump->object) {
			if (dump->one)
				return 0;
			dump->object = refobj_find_next(registry, dump->last);
			if (!dump->object)
				return 0;
			dump->last = dump->object->id;
			if (!nl_sees_object(request, dump->object)) {
				refobj_put(dump->object);
				dump->object = NULL;
				continue;
			}
		}
		dump->at = 0;
		memset(dump->records, 0, sizeof(dump->records));
		dump->n = refobj_holders_read(dump->object, &dump->place,
					      &dump->cursor, dump->records,
					      NL_BATCH);
		if (!dump->n)
			nl_holders_leave(dump);
		else if (dump->n < 0)
			dump->n = 0;	/* only others' marks so far */
	}
	return 1;
}

static int nl_put_holder(struct sk_buff *skb, u64 id,
			 const struct refobj_holder *h)
{
	if (nla_put_u64_64bit(skb, REFOBJ_A_HOLDER_OBJECT, id,
			      REFOBJ_A_HOLDER_PAD) ||
	    nla_put_u32(skb, REFOBJ_A_HOLDER_KIND, h->kind) ||
	    nla_put_u32(skb, REFOBJ_A_HOLDER_COUNT, h->count) ||
	    (h->session &&
	     nla_put_u64_64bit(skb, REFOBJ_A_HOLDER_SESSION, h->session,
			       REFOBJ_A_HOLDER_PAD)) ||
	    (h->pid && nla_put_u32(skb, REFOBJ_A_HOLDER_PID, h->pid)) ||
	    nla_put_u32(skb, REFOBJ_A_HOLDER_UID, h->uid) ||
	    (h->start_ns &&
	     nla_put_u64_64bit(skb, REFOBJ_A_HOLDER_START_NS, h->start_ns,
			       REFOBJ_A_HOLDER_PAD)) ||
	    nla_put_u64_64bit(skb, REFOBJ_A_HOLDER_SINCE_NS, h->since_ns,
			      REFOBJ_A_HOLDER_PAD) ||
	    (*h->comm && nla_put_string(skb, REFOBJ_A_HOLDER_COMM, h->comm)) ||
	    (*h->why && nla_put_string(skb, REFOBJ_A_HOLDER_WHY, h->why)))
		return -EMSGSIZE;
	return 0;
}

static int nl_dump_holders(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct refobj_registry *registry = nl_registry(cb->skb);
	struct nl_holders *dump = *nl_holders_of(cb);
	void *header;
	int ret;

	nl_note_generation(cb, registry);
	while ((ret = nl_next_holder(cb->skb, dump, registry)) > 0) {
		header = nl_begin(skb, cb, REFOBJ_CMD_HOLDER_GET);
		ret = header ? nl_put_holder(skb, dump->object->id,
					     &dump->records[dump->at]) :
			       -EMSGSIZE;
		if (ret) {
			if (header)
				genlmsg_cancel(skb, header);
			break;
		}
		genlmsg_end(skb, header);
		dump->at++;
	}
	return nl_step(skb, ret);
}

/*
 * Sessions
 */

static int nl_put_session(struct sk_buff *skb, u64 id,
			  const struct refobj_holder *h, u32 objects,
			  u64 references, bool ended)
{
	if (nla_put_u64_64bit(skb, REFOBJ_A_SESSION_ID, id,
			      REFOBJ_A_SESSION_PAD) ||
	    (h->pid && nla_put_u32(skb, REFOBJ_A_SESSION_PID, h->pid)) ||
	    nla_put_u32(skb, REFOBJ_A_SESSION_UID, h->uid) ||
	    nla_put_u64_64bit(skb, REFOBJ_A_SESSION_START_NS, h->start_ns,
			      REFOBJ_A_SESSION_PAD) ||
	    (*h->comm && nla_put_string(skb, REFOBJ_A_SESSION_COMM, h->comm)) ||
	    (*h->why && nla_put_string(skb, REFOBJ_A_SESSION_WHY, h->why)) ||
	    nla_put_u32(skb, REFOBJ_A_SESSION_OBJECTS, objects) ||
	    nla_put_u64_64bit(skb, REFOBJ_A_SESSION_REFERENCES, references,
			      REFOBJ_A_SESSION_PAD) ||
	    (ended && nla_put_flag(skb, REFOBJ_A_SESSION_ENDED)))
		return -EMSGSIZE;
	return 0;
}

static int nl_dump_sessions(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct refobj_registry *registry = nl_registry(cb->skb);
	struct nl_at *at = (void *)cb->ctx;
	struct refobj_holder *record;
	u64 references, id = at->id;
	void *header;
	u32 objects;
	bool ended;
	kuid_t uid;
	int err = 0;

	record = kzalloc(sizeof(*record), GFP_KERNEL_ACCOUNT);
	if (!record)
		return -ENOMEM;
	nl_note_generation(cb, registry);
	while (!err && refobj_session_next(registry, &id, record, &uid, &objects,
					   &references, &ended)) {
		if (nl_sees_uid(cb->skb, registry->net, uid)) {
			header = nl_begin(skb, cb, REFOBJ_CMD_SESSION_GET);
			err = header ? nl_put_session(skb, id, record, objects,
						      references, ended) :
				       -EMSGSIZE;
			if (err) {
				if (header)
					genlmsg_cancel(skb, header);
				break;
			}
			genlmsg_end(skb, header);
		}
		at->id = id;
		err = nl_breathe();
	}
	kfree(record);
	return nl_step(skb, err);
}

/*
 * Edges
 */

/**
 * struct nl_edges - a dump of edges
 * @registry: whose; the socket holds the namespace
 * @place: in the registry's list
 * @edge: the one that is to be told next, if @have
 * @have: it was read, and there was no room for it
 */
struct nl_edges {
	struct refobj_registry *registry;
	struct refobj_edge_place place;
	struct refobj_edge_record edge;
	bool have;
};

static struct nl_edges **nl_edges_of(struct netlink_callback *cb)
{
	return (struct nl_edges **)cb->ctx;
}

static int nl_start_edges(struct netlink_callback *cb)
{
	struct nl_edges *dump = kzalloc(sizeof(*dump), GFP_KERNEL_ACCOUNT);

	if (!dump)
		return -ENOMEM;
	dump->registry = nl_registry(cb->skb);
	*nl_edges_of(cb) = dump;
	return 0;
}

static int nl_done_edges(struct netlink_callback *cb)
{
	struct nl_edges *dump = *nl_edges_of(cb);

	if (dump) {
		refobj_edges_end(dump->registry, &dump->place);
		kfree(dump);
	}
	return 0;
}

static int nl_put_edge(struct sk_buff *skb, const struct refobj_edge_record *e)
{
	if (nla_put_u64_64bit(skb, REFOBJ_A_EDGE_OBJECT, e->owner,
			      REFOBJ_A_EDGE_PAD) ||
	    nla_put_u64_64bit(skb, REFOBJ_A_EDGE_DEP, e->dep,
			      REFOBJ_A_EDGE_PAD) ||
	    (e->held && nla_put_flag(skb, REFOBJ_A_EDGE_HELD)) ||
	    (e->held && nla_put_u64_64bit(skb, REFOBJ_A_EDGE_SINCE_NS,
					  e->since_ns, REFOBJ_A_EDGE_PAD)))
		return -EMSGSIZE;
	return 0;
}

static int nl_dump_edges(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nl_edges *dump = *nl_edges_of(cb);
	struct refobj_registry *registry = dump->registry;
	struct refobj *owner;
	void *header;
	int ret = 0;

	nl_note_generation(cb, registry);
	while (!ret) {
		if (!dump->have) {
			ret = refobj_edges_read(registry, &dump->place,
						&dump->edge, &owner);
			if (ret <= 0)
				break;
			dump->have = nl_sees_object(cb->skb, owner);
			refobj_put(owner);
			ret = nl_breathe();
			continue;
		}
		header = nl_begin(skb, cb, REFOBJ_CMD_EDGE_GET);
		ret = header ? nl_put_edge(skb, &dump->edge) : -EMSGSIZE;
		if (!ret) {
			genlmsg_end(skb, header);
			dump->have = false;
		} else if (header) {
			genlmsg_cancel(skb, header);
		}
	}
	return nl_step(skb, ret);
}

/*
 * Statistics
 */

#define NL_STAT(attr, field)						\
	{ REFOBJ_A_STATS_##attr, offsetof(struct refobj_stats, field) / sizeof(u64), 1 }

/* An attribute is the sum of so many numbers from one on. */
static const struct {
	u16 attr;
	u16 first;
	u16 n;
} nl_stats[] = {
	NL_STAT(CREATED, created),
	NL_STAT(DESTROYED, destroyed),
	NL_STAT(ATTACHES, attaches),
	NL_STAT(ACQUIRES, acquires),
	NL_STAT(RELEASES, releases),
	NL_STAT(REFERENCES_ACQUIRED, references_acquired),
	NL_STAT(REFERENCES_RELEASED, references_released),
	NL_STAT(ACTIVATIONS, activations),
	NL_STAT(DEACTIVATIONS, deactivations),
	NL_STAT(SESSIONS_OPENED, sessions_opened),
	NL_STAT(SESSIONS_CLOSED, sessions_closed),
	NL_STAT(SESSIONS_REVOKED, sessions_revoked),
	NL_STAT(EVENTS, events),
	NL_STAT(EVENTS_LOST, events_lost),
	NL_STAT(WAITS, waits),
	NL_STAT(PUBLISHES, publishes),
	NL_STAT(EXPORTS, exports),
	NL_STAT(LINKS, links),
	NL_STAT(UNLINKS, unlinks),
	NL_STAT(DROPPED_CLOSE, dropped[REFOBJ_DROP_CLOSE]),
	NL_STAT(DROPPED_EXIT, dropped[REFOBJ_DROP_EXIT]),
	{ REFOBJ_A_STATS_DROPPED_SIGNAL,
	  offsetof(struct refobj_stats, dropped[1]) / sizeof(u64),
	  REFOBJ_DROP_CLOSE - 1 },
	{ REFOBJ_A_STATS_REFUSED,
	  offsetof(struct refobj_stats, refused) / sizeof(u64), REFOBJ_REFUSALS },
};

static int nl_get_stats(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *reply;
	int err = -EMSGSIZE;
	void *header;
	u32 i, j;

	reply = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!reply)
		return -ENOMEM;
	header = genlmsg_put_reply(reply, info, &nl_family, 0,
				   REFOBJ_CMD_STATS_GET);
	if (!header)
		goto free;
	for (i = 0; i < ARRAY_SIZE(nl_stats); i++) {
		u64 sum = 0;

		for (j = 0; j < nl_stats[i].n; j++)
			sum += refobj_stats_sum(nl_stats[i].first + j);
		if (nla_put_u64_64bit(reply, nl_stats[i].attr, sum,
				      REFOBJ_A_STATS_PAD))
			goto free;
	}
	genlmsg_end(reply, header);
	return genlmsg_reply(reply, info);

free:
	nlmsg_free(reply);
	return err;
}

/*
 * Events
 */

enum { NL_GROUP_EVENTS };

static const struct genl_multicast_group nl_groups[] = {
	[NL_GROUP_EVENTS] = {
		.name	= REFOBJ_GENL_MCGRP_EVENTS,
		.flags	= GENL_MCAST_CAP_NET_ADMIN,
	},
};

/**
 * refobj_netlink_heard() - does anybody listen?
 * @registry: to what becomes of its objects
 *
 * Context: under an object's lock.
 *
 * Return: true if so.
 */
bool refobj_netlink_heard(const struct refobj_registry *registry)
{
	struct net *net = registry->net;

	return READ_ONCE(nl_events) && net->genl_sock &&
	       genl_has_listeners(&nl_family, net, NL_GROUP_EVENTS) > 0;
}

/**
 * refobj_netlink_event() - tell those who listen, as refobj_netlink_heard() said
 * @registry: where it happened
 * @event: what, but for @seq and @pid
 * @pid: who did it, or NULL
 *
 * Where there is no memory the number in @seq is passed over, and so the event is
 * known to be lost.
 *
 * Context: under the same hold of an object's lock.
 */
void refobj_netlink_event(struct refobj_registry *registry,
			  const struct refobj_event *event, struct pid *pid)
{
	struct refobj_event record = *event;
	struct net *net = registry->net;
	struct sk_buff *skb;
	void *header;

	record.seq = atomic64_inc_return(&registry->told);
	record.pid = net_eq(net, &init_net) ? pid_nr(pid) : 0;
	skb = genlmsg_new(nla_total_size(sizeof(record)), GFP_ATOMIC);
	if (!skb)
		return;
	header = genlmsg_put(skb, 0, 0, &nl_family, 0, REFOBJ_CMD_EVENT_NTF);
	if (!header || nla_put(skb, REFOBJ_A_EVENT_RECORD, sizeof(record),
			       &record)) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, header);
	genlmsg_multicast_netns(&nl_family, net, skb, 0, NL_GROUP_EVENTS,
				GFP_ATOMIC);
}

/*
 * The family
 */

static const struct nla_policy nl_get_object_policy[] = {
	[REFOBJ_A_OBJECT_ID]	= { .type = NLA_U64 },
	[REFOBJ_A_OBJECT_NAME]	= { .type = NLA_NUL_STRING,
				    .len = REFOBJ_NAME_SIZE - 1 },
	[REFOBJ_A_OBJECT_TYPE]	= { .type = NLA_NUL_STRING,
				    .len = REFOBJ_TYPE_SIZE - 1 },
	[REFOBJ_A_OBJECT_STATE]	= NLA_POLICY_RANGE(NLA_U32, REFOBJ_STATE_IDLE,
						   REFOBJ_STATE_LINGERING),
	[REFOBJ_A_OBJECT_UID]	= { .type = NLA_U32 },
	[REFOBJ_A_OBJECT_PREFIX] = { .type = NLA_NUL_STRING,
				     .len = REFOBJ_NAME_SIZE - 1 },
	[REFOBJ_A_OBJECT_UNUSED] = { .type = NLA_FLAG },
};

static const struct nla_policy nl_get_holder_policy[] = {
	[REFOBJ_A_HOLDER_OBJECT] = { .type = NLA_U64 },
};

/* One that takes nothing; without it anything would be taken. */
static const struct nla_policy nl_no_policy[1 + 1];

static const struct genl_ops nl_ops[] = {
	{
		.cmd		= REFOBJ_CMD_OBJECT_GET,
		.doit		= nl_get_object,
		.dumpit		= nl_dump_objects,
		.policy		= nl_get_object_policy,
		.maxattr	= ARRAY_SIZE(nl_get_object_policy) - 1,
	}, {
		.cmd		= REFOBJ_CMD_HOLDER_GET,
		.start		= nl_start_holders,
		.dumpit		= nl_dump_holders,
		.done		= nl_done_holders,
		.policy		= nl_get_holder_policy,
		.maxattr	= ARRAY_SIZE(nl_get_holder_policy) - 1,
	}, {
		.cmd		= REFOBJ_CMD_SESSION_GET,
		.dumpit		= nl_dump_sessions,
		.policy		= nl_no_policy,
		.maxattr	= ARRAY_SIZE(nl_no_policy) - 1,
	}, {
		.cmd		= REFOBJ_CMD_EDGE_GET,
		.start		= nl_start_edges,
		.dumpit		= nl_dump_edges,
		.done		= nl_done_edges,
		.policy		= nl_no_policy,
		.maxattr	= ARRAY_SIZE(nl_no_policy) - 1,
	}, {
		.cmd		= REFOBJ_CMD_STATS_GET,
		.doit		= nl_get_stats,
		.policy		= nl_no_policy,
		.maxattr	= ARRAY_SIZE(nl_no_policy) - 1,
		.flags		= GENL_ADMIN_PERM,
	},
};

static struct genl_family nl_family = {
	.name		= REFOBJ_GENL_NAME,
	.version	= REFOBJ_GENL_VERSION,
	.maxattr	= REFOBJ_A_OBJECT_MAX,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.ops		= nl_ops,
	.n_ops		= ARRAY_SIZE(nl_ops),
	.mcgrps		= nl_groups,
	.n_mcgrps	= ARRAY_SIZE(nl_groups),
};

/**
 * refobj_netlink_init() - be there
 *
 * Return: 0 or a negative errno.
 */
int __init refobj_netlink_init(void)
{
	int err = genl_register_family(&nl_family);

	WRITE_ONCE(nl_events, !err);
	return err;
}

/**
 * refobj_netlink_exit() - be gone, before the registries are
 */
void refobj_netlink_exit(void)
{
	WRITE_ONCE(nl_events, false);
	/* After this nobody tells an event. */
	synchronize_rcu();
	genl_unregister_family(&nl_family);
}

MODULE_ALIAS_GENL_FAMILY(REFOBJ_GENL_NAME);
