// SPDX-License-Identifier: GPL-2.0-only
/*
 * An actor: a process, or a thread of one, that does what the runner orders, one
 * step after the other. Sessions and descriptors are the process's.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "actor.h"

#define NAMED_MAX	64

/* Not what a call returns that needs none. */
#define NEEDS_SESSION	1

static __thread struct {
	int control;
	int mailbox;
	bool thread;		/* not the first of its process */
	bool builder;		/* since the last step that can make it one */
} self;

/* Two threads of a process may do steps at once; no step keeps this. */
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
	int lab;		/* the descriptor + 1, of the first step that needs it */
	struct {
		char name[40];
		struct refobj_session *session;
	} session[NAMED_MAX];
	struct {
		char name[40];
		int fd;
	} descriptor[NAMED_MAX];
} shared;

int scn_send(int socket, const void *data, size_t size, const int *fds, int n)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(4 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (n) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	while (sendmsg(socket, &msg, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int scn_receive(int socket, void *data, size_t size, int *fds, int n, int *pid)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(4 * sizeof(int)) +
			  CMSG_SPACE(sizeof(struct ucred))];
	} control = { 0 };
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	ssize_t ret;
	int i;

	for (i = 0; i < n; i++)
		fds[i] = -1;
	do {
		ret = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return -errno;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS)
			memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
		else if (c->cmsg_type == SCM_CREDENTIALS && pid)
			*pid = ((struct ucred *)CMSG_DATA(c))->pid;
	}
	return ret;
}

static void born(void)
{
	struct scn_reply reply = { .kind = SCN_REPLY_BORN, .ret = gettid() };

	scn_send(self.control, &reply, sizeof(reply), NULL, 0);
}

/* What blocks now is not to be waited for, if the order says so. */
static void started(const struct scn_order *o)
{
	static const struct scn_reply reply = { .kind = SCN_REPLY_STARTED };

	if (o->options & SCN_BIT(SCN_O_START))
		scn_send(self.control, &reply, sizeof(reply), NULL, 0);
}

static struct refobj_session *find_session(const char *name, bool take)
{
	struct refobj_session *found = NULL;
	int i;

	pthread_mutex_lock(&shared_lock);
	for (i = 0; i < NAMED_MAX && !found; i++)
		if (shared.session[i].session &&
		    !strcmp(shared.session[i].name, name)) {
			found = shared.session[i].session;
			if (take)
				shared.session[i].session = NULL;
		}
	pthread_mutex_unlock(&shared_lock);
	return found;
}

static int open_session(const struct scn_order *o)
{
	struct refobj_session *session;
	int i, ret;

	if (find_session(o->session, false))
		return -EEXIST;
	ret = RETRY(o->options & SCN_BIT(SCN_O_UNBOUND) ?
		    refobj_open_unbound(&session) : refobj_open(&session));
	if (ret < 0)
		return ret;
	pthread_mutex_lock(&shared_lock);
	for (i = 0; i < NAMED_MAX; i++)
		if (!shared.session[i].session)
			break;
	if (i < NAMED_MAX) {
		shared.session[i].session = session;
		snprintf(shared.session[i].name, sizeof(shared.session[i].name),
			 "%s", o->session);
	}
	pthread_mutex_unlock(&shared_lock);
	if (i < NAMED_MAX)
		return ret;
	refobj_close(session);
	return -EMFILE;
}

/* -1: there is none of this name. @take: it is the caller's then. */
static int find_descriptor(const char *name, bool take)
{
	int i, fd = -1;

	pthread_mutex_lock(&shared_lock);
	for (i = 0; i < NAMED_MAX && fd < 0; i++)
		if (*shared.descriptor[i].name &&
		    !strcmp(shared.descriptor[i].name, name)) {
			fd = shared.descriptor[i].fd;
			if (take)
				*shared.descriptor[i].name = '\0';
		}
	pthread_mutex_unlock(&shared_lock);
	return fd;
}

static int keep_descriptor(const char *name, int fd)
{
	int i;

	if (fd < 0)
		return fd;
	if (find_descriptor(name, false) >= 0) {
		close(fd);
		return -EEXIST;
	}
	pthread_mutex_lock(&shared_lock);
	for (i = 0; i < NAMED_MAX; i++)
		if (!*shared.descriptor[i].name) {
			snprintf(shared.descriptor[i].name,
				 sizeof(shared.descriptor[i].name), "%s", name);
			shared.descriptor[i].fd = fd;
			break;
		}
	pthread_mutex_unlock(&shared_lock);
	if (i < NAMED_MAX)
		return 0;
	close(fd);
	return -EMFILE;
}

static int drop_descriptor(const char *name)
{
	int fd = find_descriptor(name, true);

	return fd < 0 ? -EBADF : close(fd);
}

/* The number that an order has for an option, else one. */
static int64_t number_or_one(const struct scn_order *o, int option)
{
	return o->options & SCN_BIT(option) ? o->value[option] : 1;
}

/* The text of an order as often as it says, to be freed. */
static char *whole_text(const struct scn_order *o, size_t *size)
{
	size_t times = number_or_one(o, SCN_O_TIMES), i;
	char *text;

	if (times > (1 << 20))
		times = 1 << 20;
	*size = times * o->text_length;
	text = xrealloc(NULL, *size + 1, 1);
	for (i = 0; i < times; i++)
		memcpy(text + i * o->text_length, o->text, o->text_length);
	return text;
}

/* A memfd of the text; its name is seen in /proc only. */
static int text_file(const struct scn_order *o)
{
	size_t size, done = 0;
	char *text = whole_text(o, &size);
	int fd = memfd_create("scenario", MFD_CLOEXEC);

	while (fd >= 0 && done < size) {
		ssize_t n = write(fd, text + done, size - done);

		if (n < 0) {
			close(fd);
			fd = -1;
		} else {
			done += n;
		}
	}
	free(text);
	return fd < 0 ? -errno : fd;
}

static int publish(struct refobj_session *s, const struct scn_order *o)
{
	int fd = -1, ret;

	if (o->has_text) {
		fd = text_file(o);
		if (fd < 0)
			return fd;
	}
	ret = o->verb == SCN_PUBLISH ? refobj_publish(s, o->id[0], fd) :
				       refobj_set_file(s, o->id[0], fd);
	if (fd >= 0)
		close(fd);
	return ret;
}

static int get_file(struct refobj_session *s, const struct scn_order *o,
		    struct scn_reply *r)
{
	int fd = refobj_get_file(s, o->id[0]);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return fd;
	n = pread(fd, r->text, SCN_TEXT_MAX, 0);
	r->text[n < 0 ? 0 : n] = '\0';
	r->size = fstat(fd, &st) ? 0 : st.st_size;
	close(fd);
	return n < 0 ? -EIO : 0;
}

static int set_value(struct refobj_session *s, const struct scn_order *o)
{
	size_t size;
	char *text = whole_text(o, &size);
	int ret;

	if (o->options & SCN_BIT(SCN_O_VERSION))
		ret = refobj_set_value_if(s, o->id[0], o->value[SCN_O_VERSION],
					  text, size);
	else
		ret = refobj_set_value(s, o->id[0], text, size);
	free(text);
	return ret;
}

static int holders(struct refobj_session *s, const struct scn_order *o,
		   struct scn_reply *r)
{
	struct refobj_holder *records;
	int n = refobj_holders(s, o->id[0], &records), i;

	if (n < 0)
		return n;
	r->holders.total = n;
	for (i = 0; i < n; i++)
		switch (records[i].kind) {
		case REFOBJ_HOLDER_SESSION:
			r->holders.sessions++;
			break;
		case REFOBJ_HOLDER_FD:
			r->holders.fds++;
			break;
		case REFOBJ_HOLDER_OBJECT:
			r->holders.objects++;
			break;
		}
	if (n)
		r->holders.first = records[0];
	free(records);
	return 0;
}

static int create(struct refobj_session *s, const struct scn_order *o,
		  struct scn_reply *r)
{
	struct refobj_attr attr = {
		.mode = o->value[SCN_O_MODE],
		.type = *o->type ? o->type : NULL,
		.linger_ms = o->value[SCN_O_LINGER],
	};
	const char *name = o->options & SCN_BIT(SCN_O_UNNAMED) ? NULL : o->name;
	int created = 0, ret;
	bool persistent = o->options & SCN_BIT(SCN_O_PERSISTENT);

	if (persistent)
		attr.flags |= REFOBJ_PERSISTENT;
	if (o->options & SCN_BIT(SCN_O_BUILD))
		attr.flags |= REFOBJ_BUILD;
	if (o->verb == SCN_CREATE)
		return refobj_create(s, name, &attr,
				     o->options & SCN_BIT(SCN_O_INITIAL) ?
				     o->value[SCN_O_INITIAL] : !persistent,
				     &r->id);
	if (o->options & SCN_BIT(SCN_O_EXISTING))
		attr.flags |= REFOBJ_ATTACH_EXISTING;
	ret = refobj_attach(s, name, &attr, number_or_one(o, SCN_O_COUNT),
			    &r->id, &created);
	return ret < 0 ? ret : ret | (created ? (int)SCN_CREATED : 0);
}

static int acquire(struct refobj_session *s, const struct scn_order *o)
{
	const char *type = *o->type ? o->type : NULL;
	uint64_t times = number_or_one(o, SCN_O_TIMES);
	unsigned int flags = 0;
	int ret = 0;

	if (o->options & SCN_BIT(SCN_O_NOT_ZERO))
		flags |= REFOBJ_ACQUIRE_NOT_ZERO;
	if (o->options & SCN_BIT(SCN_O_BUILD))
		flags |= REFOBJ_ACQUIRE_BUILD;
	while (times-- && ret >= 0)
		ret = refobj_acquire_as(s, o->id[0],
					number_or_one(o, SCN_O_COUNT), flags,
					type);
	return ret;
}

static int release(struct refobj_session *s, const struct scn_order *o)
{
	uint64_t times = number_or_one(o, SCN_O_TIMES);
	int ret = 0;

	while (times-- && ret >= 0)
		ret = refobj_release(s, o->id[0],
				     number_or_one(o, SCN_O_COUNT));
	return ret;
}

static int wait_for(struct refobj_session *s, const struct scn_order *o)
{
	struct refobj_condition c = {
		.id = o->id[0], .until = o->number,
		.users = o->number == REFOBJ_UNTIL_USERS ?
			 o->value[SCN_O_COUNT] : 0,
		.flags = o->options & SCN_BIT(SCN_O_BUILD) ?
			 REFOBJ_COND_BUILD : 0,
	};
	uint64_t deadline = refobj_deadline(o->within_ms);

	started(o);
	return RETRY(refobj_wait_many(s, &c, 1, 0, deadline));
}

/* The next event, which is in the reply; -ETIME if none comes in time. */
static int next_event(struct refobj_session *s, const struct scn_order *o,
		      struct scn_reply *r)
{
	uint64_t deadline = refobj_deadline(o->within_ms);
	bool nothing = o->has_text;
	int ret;

	started(o);

	for (;;) {
		struct pollfd p = { .fd = refobj_fd(s), .events = POLLIN };
		int64_t left;

		if (p.fd < 0)
			return p.fd;
		ret = RETRY(refobj_read_events(s, &r->event, 1));
		if (ret > 0)
			r->has_event = 1;
		if (ret || nothing)
			return ret < 0 ? ret : 0;
		left = (int64_t)(deadline - host_clock(CLOCK_MONOTONIC)) / 1000000;
		if (left <= 0)
			return -ETIME;
		poll(&p, 1, left);
	}
}

/* One call of a function of the kernel's refcount_t. */
static int lab(const struct scn_order *o, struct scn_reply *r)
{
	int fd;

	pthread_mutex_lock(&shared_lock);
	if (!shared.lab)
		shared.lab = open(LAB_DEVICE, O_RDWR | O_CLOEXEC) + 1;
	fd = shared.lab - 1;
	pthread_mutex_unlock(&shared_lock);
	if (fd < 0)
		return -errno;
	r->lab.size = sizeof(r->lab);
	r->lab.n = o->value[SCN_O_COUNT];
	r->lab.limit = o->value[SCN_O_LIMIT];
	if (ioctl(fd, REFOBJ_LAB_IOC_CALL(o->number), &r->lab))
		return -errno;
	return 0;
}

static void clean_descriptors(void)
{
	int low = self.control < self.mailbox ? self.control : self.mailbox;
	int high = self.control < self.mailbox ? self.mailbox : self.control;

	if (low > 3)
		close_range(3, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0U, 0);
}

/*
 * A copy of this process that is the runner's child, so that the runner can wait
 * for it. It has the same sessions and descriptors, and orders of its own.
 */
static int fork_actor(int control, int mailbox)
{
	long pid;

	if (control < 0 || mailbox < 0)
		return -EPROTO;
	pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(self.control);
		close(self.mailbox);
		self.control = control;
		self.mailbox = mailbox;
		self.thread = false;
		born();
		return 0;
	}
	close(control);
	close(mailbox);
	return pid < 0 ? -errno : 1;
}

static void *do_orders(void *sockets);

/* A thread of this process that has orders of its own. */
static int start_thread(const int *fds)
{
	int *sockets = xrealloc(NULL, 2, sizeof(*sockets)), err;
	pthread_t thread;

	sockets[0] = fds[0];
	sockets[1] = fds[1];
	err = pthread_create(&thread, NULL, do_orders, sockets);
	if (!err) {
		pthread_detach(thread);
		return 0;
	}
	close(fds[0]);
	close(fds[1]);
	free(sockets);
	return -err;
}

/* A thread ends alone; its sockets tell of it. */
static void end_thread(void)
{
	close(self.mailbox);
	close(self.control);
	pthread_exit(NULL);
}

static int exec_actor(void)
{
	char *argument = xprintf("--actor=%d,%d", self.control, self.mailbox);

	fcntl(self.control, F_SETFD, 0);
	fcntl(self.mailbox, F_SETFD, 0);
	execl("/proc/self/exe", "refctl", "run", argument, NULL);
	free(argument);
	return -errno;
}

static int receive_descriptor(const char *name)
{
	char byte;
	int fd, ret = scn_receive(self.mailbox, &byte, 1, &fd, 1, NULL);

	if (ret <= 0)
		return ret ? ret : -EPIPE;
	return keep_descriptor(name, fd < 0 ? -EBADF : fd);
}

/* What needs no session; NEEDS_SESSION for the rest. */
static int without_session(const struct scn_order *o, const int *fds,
			   struct scn_reply *r)
{
	struct refobj_session *s;
	int fd;

	switch (o->verb) {
	case SCN_OPEN:
		return open_session(o);
	case SCN_CLOSE:
		s = find_session(o->session, true);
		if (!s)
			return -EBADF;
		refobj_close(s);
		return 0;
	case SCN_SEND:
		fd = find_descriptor(o->descriptor, false);
		return fd >= 0 ? scn_send(fds[0], "", 1, &fd, 1) : -EBADF;
	case SCN_RECEIVE:
		return receive_descriptor(o->descriptor);
	case SCN_DROP:
		return drop_descriptor(o->descriptor);
	case SCN_EXEC:
		return exec_actor();
	case SCN_THREAD:
		return start_thread(fds);
	case SCN_LAB:
		return lab(o, r);
	case SCN_EXIT:
		if (self.thread)
			end_thread();
		_exit(o->number);
	default:
		return NEEDS_SESSION;
	}
}

static int with_session(struct refobj_session *s, const struct scn_order *o,
			struct scn_reply *r)
{
	uint32_t mask;
	int fd, ret;

	switch (o->verb) {
	case SCN_CREATE:
	case SCN_ATTACH:
		return create(s, o, r);
	case SCN_LOOKUP:
		return refobj_lookup(s, o->name, *o->type ? o->type : NULL,
				     &r->id);
	case SCN_ACQUIRE:
		return acquire(s, o);
	case SCN_RELEASE:
		return release(s, o);
	case SCN_RELEASE_ALL:
		return refobj_release_all(s, o->id[0]);
	case SCN_STAT:
		return refobj_stat(s, o->id[0], &r->stat);
	case SCN_INFO:
		return refobj_info(s, &r->info);
	case SCN_HOLDERS:
		return holders(s, o, r);
	case SCN_DESTROY:
		return refobj_destroy(s, o->id[0]);
	case SCN_WHY:
		return refobj_set_why(s, o->id[0], o->text);
	case SCN_PUBLISH:
	case SCN_SET_FILE:
		return publish(s, o);
	case SCN_SET:
		return set_value(s, o);
	case SCN_GET:
		ret = refobj_get_value(s, o->id[0], r->text, SCN_TEXT_MAX,
				       &r->version);
		if (ret < 0)
			return ret;
		r->size = ret;
		r->text[ret < SCN_TEXT_MAX ? ret : SCN_TEXT_MAX] = '\0';
		return 0;
	case SCN_GET_FILE:
		return get_file(s, o, r);
	case SCN_LINK:
		return refobj_link(s, o->id[0], o->id[1]);
	case SCN_UNLINK:
		return refobj_unlink(s, o->id[0], o->id[1]);
	case SCN_EXPORT:
		return keep_descriptor(o->descriptor,
				       refobj_export(s, o->id[0]));
	case SCN_IMPORT:
		fd = find_descriptor(o->descriptor, false);
		return fd >= 0 ? refobj_import(s, fd, &r->id) : -EBADF;
	case SCN_WATCH:
		mask = o->number ? o->number : REFOBJ_WATCH_DEFAULT;
		return refobj_watch(s, o->id[0], mask, o->value[SCN_O_COOKIE]);
	case SCN_UNWATCH:
		return refobj_unwatch(s, o->id[0]);
	case SCN_WAIT:
		return wait_for(s, o);
	case SCN_EXPECT:
	case SCN_AWAIT:
		return next_event(s, o, r);
	case SCN_ADOPT:
		return refobj_adopt(s, o->options & SCN_BIT(SCN_O_NOBODY) ?
				       REFOBJ_ADOPT_NOBODY : 0);
	default:
		return -EPROTO;
	}
}

static void remember_role(const struct scn_order *o, int64_t ret)
{
	if (ret >= 0 && (o->verb == SCN_CREATE || o->verb == SCN_ATTACH ||
			 o->verb == SCN_ACQUIRE || o->verb == SCN_WAIT))
		self.builder = ret & REFOBJ_BUILDER;
}

/* Never returns to a process's first thread; to others when the runner has gone. */
static void *do_orders(void *sockets)
{
	struct scn_order *order = xrealloc(NULL, 1, sizeof(*order));
	struct scn_reply *reply = xrealloc(NULL, 1, sizeof(*reply));
	struct refobj_session *s;
	int fds[4], n;

	if (sockets) {
		self.thread = true;
		self.control = ((int *)sockets)[0];
		self.mailbox = ((int *)sockets)[1];
		free(sockets);
	}
	born();
	for (;;) {
		n = scn_receive(self.control, order, sizeof(*order), fds, 4,
				NULL);
		if (n != sizeof(*order))
			_exit(n ? 1 : 0);
		memset(reply, 0, sizeof(*reply));
		reply->kind = SCN_REPLY_DONE;
		if (order->options & SCN_BIT(self.builder ?
					     SCN_O_UNLESS_BUILDER :
					     SCN_O_AS_BUILDER)) {
			reply->ret = 0;
		} else if (order->verb == SCN_FORK) {
			reply->ret = fork_actor(fds[0], fds[1]);
			if (!reply->ret)
				continue;
			if (reply->ret > 0)
				reply->ret = 0;
			fds[0] = -1;
		} else {
			reply->ret = without_session(order, fds, reply);
			if (order->verb == SCN_THREAD)
				fds[0] = -1;
			if (reply->ret == NEEDS_SESSION) {
				s = find_session(order->session, false);
				reply->ret = s ? with_session(s, order, reply) :
						 -EBADF;
				remember_role(order, reply->ret);
			}
		}
		if (fds[0] >= 0)
			close(fds[0]);
		if (scn_send(self.control, reply, sizeof(*reply), NULL, 0))
			_exit(1);
	}
}

void scn_actor(int control, int mailbox)
{
	static const struct rlimit none = { 0 };
	sigset_t empty;
	int sig;

	/*
	 * A signal that a step sends must end it, whatever the runner or who
	 * started that does about it, and without a core; that of the keyboard is
	 * for the runner.
	 */
	sigemptyset(&empty);
	sigprocmask(SIG_SETMASK, &empty, NULL);
	for (sig = 1; sig < SIGSYS; sig++)
		signal(sig, sig == SIGINT ? SIG_IGN : SIG_DFL);
	setrlimit(RLIMIT_CORE, &none);
	self.control = control;
	self.mailbox = mailbox;
	clean_descriptors();
	do_orders(NULL);
	abort();
}
