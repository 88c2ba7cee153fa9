/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, under events/refobj in tracefs: one for each transition, with values
 * only, under the lock that protects what they tell. Their names and fields are
 * there for good, as scripts use them.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM refobj

#if !defined(REFOBJ_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define REFOBJ_TRACE_H

#include <linux/pid.h>
#include <linux/tracepoint.h>

#include "compat.h"
#include "refobj.h"

/* So that perf and trace-cmd, which read the formats, know the numbers, too. */
TRACE_DEFINE_ENUM(REFOBJ_CAUSE_NONE);
TRACE_DEFINE_ENUM(REFOBJ_CAUSE_ACQUIRE);
TRACE_DEFINE_ENUM(REFOBJ_CAUSE_RELEASE);
TRACE_DEFINE_ENUM(REFOBJ_CAUSE_CLOSE);
TRACE_DEFINE_ENUM(REFOBJ_CAUSE_EXIT);
TRACE_DEFINE_ENUM(REFOBJ_CAUSE_OBJECT);
TRACE_DEFINE_ENUM(REFOBJ_CAUSE_LINGER);
TRACE_DEFINE_ENUM(REFOBJ_CAUSE_DESTROY);
TRACE_DEFINE_ENUM(REFOBJ_CAUSE_PUBLISH);
TRACE_DEFINE_ENUM(REFOBJ_CAUSE_NAMESPACE);
TRACE_DEFINE_ENUM(REFOBJ_CAUSE_SIGNAL);
TRACE_DEFINE_ENUM(REFOBJ_HOLDER_SESSION);
TRACE_DEFINE_ENUM(REFOBJ_HOLDER_FD);
TRACE_DEFINE_ENUM(REFOBJ_HOLDER_OBJECT);

/* A cause is kept in two fields: what it is, and which signal. */
#define refobj_trace_cause(cause)	min_t(u32, cause, REFOBJ_CAUSE_SIGNAL)
#define refobj_trace_signal(cause)					\
	((cause) > REFOBJ_CAUSE_SIGNAL ? (cause) - REFOBJ_CAUSE_SIGNAL : 0)

#define refobj_show_cause(cause)					\
	__print_symbolic(cause,						\
			 { REFOBJ_CAUSE_NONE,		"none" },	\
			 { REFOBJ_CAUSE_ACQUIRE,	"acquire" },	\
			 { REFOBJ_CAUSE_RELEASE,	"release" },	\
			 { REFOBJ_CAUSE_CLOSE,		"close" },	\
			 { REFOBJ_CAUSE_EXIT,		"exit" },	\
			 { REFOBJ_CAUSE_OBJECT,		"object" },	\
			 { REFOBJ_CAUSE_LINGER,		"linger" },	\
			 { REFOBJ_CAUSE_DESTROY,	"destroy" },	\
			 { REFOBJ_CAUSE_PUBLISH,	"publish" },	\
			 { REFOBJ_CAUSE_NAMESPACE,	"namespace" },	\
			 { REFOBJ_CAUSE_SIGNAL,		"signal" })

#define refobj_show_kind(kind)						\
	__print_symbolic(kind,						\
			 { REFOBJ_HOLDER_SESSION,	"session" },	\
			 { REFOBJ_HOLDER_FD,		"fd" },		\
			 { REFOBJ_HOLDER_OBJECT,	"object" })

TRACE_EVENT(refobj_create,
	TP_PROTO(const struct refobj *object),
	TP_ARGS(object),
	TP_STRUCT__entry(
		__field(u64, object)
		__field(u32, net)
		__field(u32, uid)
		__field(u32, mode)
		__field(u32, flags)
		__string(type, object->type)
		__string(name, object->name)
	),
	TP_fast_assign(
		__entry->object = object->id;
		__entry->net = refobj_registry_nr(object->registry);
		__entry->uid = __kuid_val(object->uid);
		__entry->mode = object->mode;
		__entry->flags = object->flags;
		refobj_assign_str(type, object->type);
		refobj_assign_str(name, object->name);
	),
	TP_printk("object=%llu net=%u uid=%u mode=%04o flags=0x%x type=%s name=%s",
		  __entry->object, __entry->net, __entry->uid, __entry->mode,
		  __entry->flags, __get_str(type), __get_str(name))
);

/*
 * References of a holder: a session, a descriptor (0), or an object that needs it. Of
 * the users @less are about to go, so that a release is told before what it causes.
 */
DECLARE_EVENT_CLASS(refobj_references,
	TP_PROTO(const struct refobj *object, u32 kind, u64 holder, u32 count,
		 u32 less, u32 cause),
	TP_ARGS(object, kind, holder, count, less, cause),
	TP_STRUCT__entry(
		__field(u64, object)
		__field(u64, holder)
		__field(u32, kind)
		__field(u32, count)
		__field(u32, users)
		__field(u32, cause)
		__field(u32, signal)
	),
	TP_fast_assign(
		__entry->object = object->id;
		__entry->holder = holder;
		__entry->kind = kind;
		__entry->count = count;
		__entry->users = refobj_users(object) - less;
		__entry->cause = refobj_trace_cause(cause);
		__entry->signal = refobj_trace_signal(cause);
	),
	TP_printk("object=%llu kind=%s holder=%llu count=%u users=%u cause=%s signal=%u",
		  __entry->object, refobj_show_kind(__entry->kind),
		  __entry->holder, __entry->count, __entry->users,
		  refobj_show_cause(__entry->cause), __entry->signal)
);

DEFINE_EVENT(refobj_references, refobj_acquire,
	TP_PROTO(const struct refobj *object, u32 kind, u64 holder, u32 count,
		 u32 less, u32 cause),
	TP_ARGS(object, kind, holder, count, less, cause));

/* On purpose */
DEFINE_EVENT(refobj_references, refobj_release,
	TP_PROTO(const struct refobj *object, u32 kind, u64 holder, u32 count,
		 u32 less, u32 cause),
	TP_ARGS(object, kind, holder, count, less, cause));

/* Because the holder has gone, as the cause says */
DEFINE_EVENT(refobj_references, refobj_drop,
	TP_PROTO(const struct refobj *object, u32 kind, u64 holder, u32 count,
		 u32 less, u32 cause),
	TP_ARGS(object, kind, holder, count, less, cause));

DECLARE_EVENT_CLASS(refobj_transition,
	TP_PROTO(const struct refobj *object, const struct refobj_act *act),
	TP_ARGS(object, act),
	TP_STRUCT__entry(
		__field(u64, object)
		__field(u32, users)
		__field(u32, cause)
		__field(u32, signal)
		__field(pid_t, by)
	),
	TP_fast_assign(
		__entry->object = object->id;
		__entry->users = refobj_users(object);
		__entry->cause = refobj_trace_cause(act->cause);
		__entry->signal = refobj_trace_signal(act->cause);
		__entry->by = pid_nr(act->pid);
	),
	TP_printk("object=%llu users=%u cause=%s signal=%u by=%d",
		  __entry->object, __entry->users,
		  refobj_show_cause(__entry->cause), __entry->signal, __entry->by)
);

DEFINE_EVENT(refobj_transition, refobj_activate,
	TP_PROTO(const struct refobj *object, const struct refobj_act *act),
	TP_ARGS(object, act));

DEFINE_EVENT(refobj_transition, refobj_publish,
	TP_PROTO(const struct refobj *object, const struct refobj_act *act),
	TP_ARGS(object, act));

DEFINE_EVENT(refobj_transition, refobj_deactivate,
	TP_PROTO(const struct refobj *object, const struct refobj_act *act),
	TP_ARGS(object, act));

DEFINE_EVENT(refobj_transition, refobj_destroy,
	TP_PROTO(const struct refobj *object, const struct refobj_act *act),
	TP_ARGS(object, act));

DECLARE_EVENT_CLASS(refobj_session,
	TP_PROTO(const struct refobj_session *session, u32 cause),
	TP_ARGS(session, cause),
	TP_STRUCT__entry(
		__field(u64, session)
		__field(u32, net)
		__field(u32, uid)
		__field(u32, cause)
		__field(u32, signal)
	),
	TP_fast_assign(
		__entry->session = session->id;
		__entry->net = refobj_registry_nr(session->registry);
		__entry->uid = __kuid_val(session->user->uid);
		__entry->cause = refobj_trace_cause(cause);
		__entry->signal = refobj_trace_signal(cause);
	),
	TP_printk("session=%llu net=%u uid=%u cause=%s signal=%u",
		  __entry->session, __entry->net, __entry->uid,
		  refobj_show_cause(__entry->cause), __entry->signal)
);

DEFINE_EVENT(refobj_session, refobj_session_open,
	TP_PROTO(const struct refobj_session *session, u32 cause),
	TP_ARGS(session, cause));

/* It has ended with its owner, though others have it open. */
DEFINE_EVENT(refobj_session, refobj_session_revoke,
	TP_PROTO(const struct refobj_session *session, u32 cause),
	TP_ARGS(session, cause));

/* Its last descriptor has gone. */
DEFINE_EVENT(refobj_session, refobj_session_close,
	TP_PROTO(const struct refobj_session *session, u32 cause),
	TP_ARGS(session, cause));

DECLARE_EVENT_CLASS(refobj_edge,
	TP_PROTO(u64 owner, u64 dep),
	TP_ARGS(owner, dep),
	TP_STRUCT__entry(
		__field(u64, owner)
		__field(u64, dep)
	),
	TP_fast_assign(
		__entry->owner = owner;
		__entry->dep = dep;
	),
	TP_printk("owner=%llu dep=%llu", __entry->owner, __entry->dep)
);

DEFINE_EVENT(refobj_edge, refobj_link,
	TP_PROTO(u64 owner, u64 dep), TP_ARGS(owner, dep));

DEFINE_EVENT(refobj_edge, refobj_unlink,
	TP_PROTO(u64 owner, u64 dep), TP_ARGS(owner, dep));

/* A wait is over: what it answered */
TRACE_EVENT(refobj_wait,
	TP_PROTO(u64 session, u64 object, u32 until, u32 conditions, int result),
	TP_ARGS(session, object, until, conditions, result),
	TP_STRUCT__entry(
		__field(u64, session)
		__field(u64, object)
		__field(u32, until)
		__field(u32, conditions)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->session = session;
		__entry->object = object;
		__entry->until = until;
		__entry->conditions = conditions;
		__entry->result = result;
	),
	TP_printk("session=%llu object=%llu until=%u conditions=%u result=%d",
		  __entry->session, __entry->object, __entry->until,
		  __entry->conditions, __entry->result)
);

/* There was no room in the queue of a session. */
TRACE_EVENT(refobj_event_lost,
	TP_PROTO(u64 session, const struct refobj_event *event),
	TP_ARGS(session, event),
	TP_STRUCT__entry(
		__field(u64, session)
		__field(u64, object)
		__field(u64, seq)
		__field(u32, type)
	),
	TP_fast_assign(
		__entry->session = session;
		__entry->object = event->id;
		__entry->seq = event->seq;
		__entry->type = event->type;
	),
	TP_printk("session=%llu object=%llu type=%u seq=%llu",
		  __entry->session, __entry->object, __entry->type,
		  __entry->seq)
);

#endif /* REFOBJ_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
