/* SPDX-License-Identifier: GPL-2.0-only */
/* What the runner and its actors say to each other, a packet each. */
#ifndef REFCTL_ACTOR_H
#define REFCTL_ACTOR_H

#include "../lab_api.h"
#include "scenario.h"

/* One step, with all that an actor needs for it. */
struct scn_order {
	uint32_t verb;		/* enum scn_verb_id */
	uint32_t number;
	uint64_t id[2];
	uint64_t options;
	int64_t value[SCN_VALUED];
	int64_t within_ms;
	char session[40];
	char name[REFOBJ_NAME_SIZE + 1];	/* one too long is possible */
	char type[REFOBJ_TYPE_SIZE + 1];
	char descriptor[40];
	uint32_t has_text;
	uint32_t text_length;
	char text[SCN_TEXT_MAX + 1];
};

enum scn_reply_kind {
	SCN_REPLY_BORN,		/* the actor is there; ret is its thread's id */
	SCN_REPLY_STARTED,	/* and blocks now, if the order has SCN_O_START */
	SCN_REPLY_DONE,
};

struct scn_reply {
	uint32_t kind;
	uint32_t has_event;
	int64_t ret;
	uint64_t id;
	union {
		struct refobj_stat stat;
		struct refobj_event event;
		struct refobj_info info;
		struct refobj_lab_call lab;
		struct {
			uint32_t total, sessions, fds, objects;
			struct refobj_holder first;
		} holders;
	};
	uint64_t size;		/* of the value or file */
	uint64_t version;
	char text[SCN_TEXT_MAX + 1];	/* what of it fits, ended with a NUL */
};

/* Does orders from @control until it is closed. Never returns. */
void scn_actor(int control, int mailbox) __attribute__((noreturn));

/* Sends a packet with descriptors; 0 or a negative errno. */
int scn_send(int socket, const void *data, size_t size, const int *fds,
	     int n);

/*
 * Receives a packet; @fds has room for @n, those that did not come are -1. The
 * sender's pid is put to @pid if that is not NULL. Bytes, 0 at the end, or a
 * negative errno.
 */
int scn_receive(int socket, void *data, size_t size, int *fds, int n,
		int *pid);

#endif /* REFCTL_ACTOR_H */
