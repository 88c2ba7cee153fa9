// SPDX-License-Identifier: GPL-2.0-only
/*
 * Object descriptors: one reference as an open file, wherever that file goes, and
 * what can be read of them.
 */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define PATIENCE	120
#define USER		4321	/* an ordinary one */
#define GONE		999999	/* a descriptor that is not open */
#define ENDS		(REFOBJ_WATCH(REFOBJ_EVENT_ACTIVATED) | \
			 REFOBJ_WATCH(REFOBJ_EVENT_DEACTIVATED))

static int export_fd(int fd, __u64 id)
{
	struct refobj_export e = { .size = sizeof(e), .id = id };

	return ro_ioctl(fd, REFOBJ_IOC_EXPORT, &e);
}

static int import_fd(int fd, int objfd, unsigned int count, __u64 *id)
{
	struct refobj_import i = {
		.size = sizeof(i), .fd = objfd, .count = count, .id = ~0ULL,
	};
	int ret = ro_ioctl(fd, REFOBJ_IOC_IMPORT, &i);

	if (id)
		*id = i.id;
	return ret;
}

static __u64 references_used(int fd)
{
	struct refobj_info info = { .size = sizeof(info) };

	return ro_ioctl(fd, REFOBJ_IOC_INFO, &info) ? ~0ULL :
						      info.references_used;
}

/* What a descriptor's read says: the changes, or -errno. */
static long long changes(int fd)
{
	__u64 n;
	ssize_t len = read(fd, &n, sizeof(n));

	return len < 0 ? -errno : len == sizeof(n) ? (long long)n : -EIO;
}

/* What there is to be polled, now. */
static int look_at(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI };

	return poll(&p, 1, 0) < 0 ? -errno : p.revents;
}

static int send_fd(int sock, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { };
	struct iovec iov = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

static int receive_fd(int sock)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { };
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -errno;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return -ENOMSG;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* A line of a descriptor's fdinfo, without its key. */
static const char *fd_info(int fd, const char *key)
{
	static char line[200];
	size_t len = strlen(key);
	bool found = false;
	char path[40];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = !strncmp(line, key, len) && !strncmp(line + len, ":\t", 2);
	if (f)
		fclose(f);
	if (!found)
		return "not there";
	line[strcspn(line, "\n")] = 0;
	return line + len + 2;
}

static int open_fds(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

FIXTURE(objfds) {
	struct ro_look look;
	__u64 id;	/* persistent, of mode 0600 */
	int fd;		/* a session that holds one reference */
};

FIXTURE_SETUP(objfds)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, ro_create(self->look.fd, "objfds", REFOBJ_PERSISTENT, 0,
			       &self->id));
	self->fd = ro_open();
	ASSERT_EQ(1, ro_acquire(self->fd, self->id, 1, 0));
}

FIXTURE_TEARDOWN(objfds)
{
	if (!self->id)
		return;
	close(self->fd);
	EXPECT_EQ(0, ro_users(self->look.fd, self->id));
	EXPECT_EQ(0, ro_destroy(self->look.fd, self->id));
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

/*
 * EXPORT
 */
TEST_F(objfds, are_one_reference)
{
	struct refobj_holder rec[3] = { };
	__u64 before = ro_now_ns(), after;
	struct refobj_stat st;
	unsigned int total;
	int objfd;

	EXPECT_EQ(0, ro_set_why(self->fd, self->id, "a session's"));
	objfd = export_fd(self->fd, self->id);
	after = ro_now_ns();
	ASSERT_LE(0, objfd);
	EXPECT_EQ(2, ro_holders(self->look.fd, self->id, rec, 3, &total));
	EXPECT_EQ(2, total);
	EXPECT_EQ(REFOBJ_HOLDER_SESSION, rec[0].kind);
	EXPECT_EQ(REFOBJ_HOLDER_FD, rec[1].kind);
	EXPECT_EQ(1, rec[1].count);
	EXPECT_EQ(0, rec[1].session);
	EXPECT_EQ(getpid(), rec[1].pid);
	EXPECT_EQ(0, rec[1].uid);
	EXPECT_EQ(rec[0].start_ns, rec[1].start_ns);
	EXPECT_LE(before, rec[1].since_ns);
	EXPECT_GE(after, rec[1].since_ns);
	EXPECT_STREQ(ro_own_comm(), rec[1].comm);
	EXPECT_STREQ("", rec[1].why);
	EXPECT_EQ(0, ro_stat(self->fd, self->id, &st));
	EXPECT_EQ(2, st.users);
	EXPECT_EQ(2, st.holders);
	EXPECT_EQ(1, st.held);
	/* It is not the session's to release. */
	EXPECT_EQ(-ERANGE, ro_release(self->fd, self->id, 2));
	EXPECT_EQ(0, close(objfd));
	EXPECT_EQ(1, ro_users(self->fd, self->id));
	EXPECT_EQ(1, ro_holders(self->look.fd, self->id, rec, 3, NULL));
}

TEST_F(objfds, need_a_reference_to_be_made)
{
	struct refobj_export e = {
		.size = sizeof(e), .id = self->id, .flags = 1,
	};
	int fd = self->look.fd, n = open_fds();
	__u64 dead;

	EXPECT_EQ(-EPERM, export_fd(fd, self->id));
	EXPECT_EQ(-ENOENT, export_fd(fd, 0));
	EXPECT_EQ(1, ro_create(fd, NULL, 0, 1, &dead));
	EXPECT_EQ(1, ro_release(fd, dead, 1));
	EXPECT_EQ(-ESTALE, export_fd(fd, dead));
	EXPECT_EQ(-EOPNOTSUPP, ro_ioctl(self->fd, REFOBJ_IOC_EXPORT, &e));
	EXPECT_EQ(0, ro_acquire(fd, self->id, 1, 0));
	EXPECT_EQ(0, ro_release(fd, self->id, 1));
	EXPECT_EQ(-EPERM, export_fd(fd, self->id));
	EXPECT_EQ(n, open_fds());
	EXPECT_EQ(1, ro_users(fd, self->id));
}

TEST_F(objfds, close_on_exec)
{
	int objfd = export_fd(self->fd, self->id);
	struct ro_kid kid;

	EXPECT_EQ(FD_CLOEXEC, fcntl(objfd, F_GETFD));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		ro_kid_await(&kid);
		ro_kid_become_cat(&kid);
	}
	EXPECT_EQ(0, close(objfd));
	EXPECT_EQ(2, ro_users(self->fd, self->id));
	ro_kid_say(&kid, 1);
	EXPECT_TRUE(ro_kid_is_cat(&kid));
	EXPECT_EQ(1, ro_users(self->fd, self->id));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
}

TEST_F(objfds, live_as_long_as_any_copy)
{
	int objfd = export_fd(self->fd, self->id), copy = dup(objfd);
	struct ro_kid kid;

	EXPECT_EQ(2, ro_users(self->fd, self->id));
	EXPECT_EQ(0, close(objfd));
	EXPECT_EQ(2, ro_users(self->fd, self->id));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		ro_kid_await(&kid);
		_exit(0);
	}
	EXPECT_EQ(0, close(copy));
	EXPECT_EQ(2, ro_users(self->fd, self->id));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	EXPECT_EQ(1, ro_users(self->fd, self->id));
}

TEST_F(objfds, of_one_session_are_many)
{
	struct refobj_stat st;
	int objfd[40], i;

	for (i = 0; i < 40; i++) {
		objfd[i] = export_fd(self->fd, self->id);
		ASSERT_LE(0, objfd[i]);
	}
	EXPECT_EQ(0, ro_stat(self->fd, self->id, &st));
	EXPECT_EQ(41, st.users);
	EXPECT_EQ(41, st.holders);
	for (i = 0; i < 40; i++)
		EXPECT_EQ(0, close(objfd[i * 7 % 40]));
	EXPECT_EQ(1, ro_users(self->fd, self->id));
}

TEST_F(objfds, live_when_the_session_has_ended)
{
	struct refobj_holder rec[2] = { };
	int objfd = export_fd(self->fd, self->id);
	__u64 id;

	EXPECT_EQ(0, ro_watch(self->look.fd, self->id, ENDS, 0));
	EXPECT_EQ(0, close(self->fd));
	EXPECT_EQ(1, ro_holders(self->look.fd, self->id, rec, 2, NULL));
	EXPECT_EQ(REFOBJ_HOLDER_FD, rec[0].kind);
	EXPECT_STREQ("snapshot none ready 2", ro_told(self->look.fd));
	self->fd = ro_open();
	EXPECT_EQ(0, import_fd(self->fd, objfd, 1, &id));
	EXPECT_EQ(self->id, id);
	EXPECT_EQ(0, close(objfd));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_STREQ("deactivated release idle 0", ro_told(self->look.fd));
}

/* With nothing else to hold it, a transient object is the descriptor's. */
TEST_F(objfds, keep_a_transient_object)
{
	__u64 id, found = 0;
	int objfd, other;

	ASSERT_EQ(1, ro_create(self->fd, "transient", 0, 1, &id));
	objfd = export_fd(self->fd, id);
	ASSERT_LE(0, objfd);
	EXPECT_EQ(0, ro_release(self->fd, id, 1));
	EXPECT_EQ(0, ro_lookup(self->look.fd, "transient", &found));
	EXPECT_EQ(id, found);
	other = ro_open();
	EXPECT_EQ(0, import_fd(other, objfd, 2, &found));
	EXPECT_EQ(id, found);
	EXPECT_EQ(0, ro_release(other, id, 2));
	EXPECT_EQ(0, close(other));
	EXPECT_EQ(-EBUSY, ro_destroy(self->look.fd, id));
	EXPECT_EQ(0, close(objfd));
	EXPECT_EQ(-ESTALE, ro_users(self->look.fd, id));
	EXPECT_EQ(-ENOENT, ro_lookup(self->look.fd, "transient", NULL));
}

/*
 * On their way
 */
TEST_F(objfds, pass_through_a_socket)
{
	struct ro_kid kid;
	int s[2], objfd;
	__u64 id;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd = ro_open();

		objfd = receive_fd(s[1]);
		ro_kid_say(&kid, import_fd(fd, objfd, 5, &id));
		ro_kid_say(&kid, id);
		ro_kid_await(&kid);
		ro_kid_say(&kid, close(objfd));
		ro_kid_await(&kid);
		_exit(0);
	}
	objfd = export_fd(self->fd, self->id);
	EXPECT_EQ(0, send_fd(s[0], objfd));
	EXPECT_EQ(0, close(objfd));
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(self->id, ro_kid_hear(&kid));
	EXPECT_EQ(7, ro_users(self->fd, self->id));
	ro_kid_say(&kid, 1);
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(6, ro_users(self->fd, self->id));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	EXPECT_EQ(1, ro_users(self->fd, self->id));
	EXPECT_EQ(0, close(s[0]));
	EXPECT_EQ(0, close(s[1]));
}

/*
 * F7 of SEEDS.md: the sender is dead, the receiver has not looked yet, and the
 * object never was without a user.
 */
TEST_F(objfds, stay_in_flight_when_the_sender_is_killed)
{
	struct refobj_holder rec[2] = { };
	struct ro_kid kid;
	int s[2], objfd;
	pid_t sender;
	__u64 id;

	ASSERT_EQ(1, ro_release(self->fd, self->id, 1));
	ASSERT_EQ(0, ro_watch(self->look.fd, self->id, ENDS, 0));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd = ro_open();

		prctl(PR_SET_NAME, "sender");
		ro_acquire(fd, self->id, 1, 0);
		objfd = export_fd(fd, self->id);
		ro_kid_say(&kid, send_fd(s[0], objfd));
		ro_kid_await(&kid);
		_exit(0);
	}
	sender = kid.pid;
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(2, ro_holders(self->look.fd, self->id, rec, 2, NULL));
	EXPECT_EQ(sender, rec[1].pid);
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	EXPECT_EQ(1, ro_holders(self->look.fd, self->id, rec, 2, NULL));
	EXPECT_EQ(REFOBJ_HOLDER_FD, rec[0].kind);
	/* Who made it is gone, and is still known by name. */
	EXPECT_EQ(0, rec[0].pid);
	EXPECT_STREQ("sender", rec[0].comm);
	objfd = receive_fd(s[1]);
	ASSERT_LE(0, objfd);
	EXPECT_EQ(0, import_fd(self->fd, objfd, 1, &id));
	EXPECT_EQ(self->id, id);
	EXPECT_EQ(2, ro_users(self->look.fd, self->id));
	EXPECT_EQ(0, close(objfd));
	EXPECT_STREQ("snapshot none idle 0; activated acquire ready 1",
		     ro_told(self->look.fd));
	EXPECT_EQ(1, ro_release(self->fd, self->id, 1));
	EXPECT_EQ(0, close(s[0]));
	EXPECT_EQ(0, close(s[1]));
}

TEST_F_TIMEOUT(objfds, are_dropped_when_they_are_never_received, PATIENCE)
{
	int s[2], objfd = export_fd(self->fd, self->id);

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
	EXPECT_EQ(0, send_fd(s[0], objfd));
	EXPECT_EQ(0, close(objfd));
	EXPECT_EQ(0, close(s[0]));
	EXPECT_EQ(2, ro_users(self->fd, self->id));
	EXPECT_EQ(0, close(s[1]));
	EXPECT_EQ(0, ro_wait(self->fd, self->id, REFOBJ_UNTIL_USERS, 1,
			     RO_FOREVER));
}

/*
 * In a socket that is in its own queue: the kernel looks for such when it closes
 * another one.
 */
TEST_F_TIMEOUT(objfds, are_dropped_in_a_socket_that_holds_itself, PATIENCE)
{
	int s[2], objfd = export_fd(self->fd, self->id);
	struct refobj_event e[2];

	ASSERT_EQ(0, ro_watch(self->look.fd, self->id,
			      REFOBJ_WATCH(REFOBJ_EVENT_COUNT), 0));
	ASSERT_EQ(1, ro_read_events(self->look.fd, e, 2));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
	EXPECT_EQ(0, send_fd(s[0], objfd));
	EXPECT_EQ(0, send_fd(s[0], s[1]));
	EXPECT_EQ(0, send_fd(s[1], s[0]));
	EXPECT_EQ(0, close(objfd));
	EXPECT_EQ(0, close(s[0]));
	EXPECT_EQ(0, close(s[1]));
	EXPECT_EQ(2, ro_users(self->fd, self->id));
	EXPECT_EQ(0, close(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
	EXPECT_EQ(0, ro_wait(self->fd, self->id, REFOBJ_UNTIL_USERS, 1,
			     RO_FOREVER));
	/* By whoever looked, or by a worker of the kernel, who is nobody. */
	EXPECT_EQ(1, ro_read_events(self->look.fd, e, 2));
	EXPECT_EQ(REFOBJ_CAUSE_CLOSE, e[0].cause);
	EXPECT_TRUE(!e[0].pid || e[0].pid == (__u32)getpid());
}

/*
 * IMPORT
 */
TEST_F(objfds, are_the_permission)
{
	int fd = ro_open_as(USER), objfd, again;
	__u64 id;

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EACCES, ro_lookup(fd, "objfds", NULL));
	EXPECT_EQ(-EACCES, ro_acquire(fd, self->id, 1, 0));
	objfd = export_fd(self->fd, self->id);
	EXPECT_EQ(0, import_fd(fd, objfd, 3, &id));
	EXPECT_EQ(self->id, id);
	EXPECT_EQ(5, ro_users(self->fd, self->id));
	/* As an open file: what is held may be held again, and passed on. */
	EXPECT_EQ(0, ro_acquire(fd, id, 1, 0));
	again = export_fd(fd, id);
	EXPECT_LE(0, again);
	EXPECT_EQ(7, ro_users(self->fd, self->id));
	EXPECT_EQ(-EACCES, ro_destroy(fd, id));
	EXPECT_EQ(0, close(again));
	EXPECT_EQ(0, ro_release_all(fd, id));
	EXPECT_EQ(-EACCES, ro_acquire(fd, id, 1, 0));
	EXPECT_EQ(2, ro_users(self->fd, self->id));
	/* Not used up. */
	EXPECT_EQ(0, import_fd(fd, objfd, 1, &id));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, close(objfd));
}

TEST_F(objfds, import_of_other_descriptors)
{
	int p[2], other[] = {
		open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
		memfd_create("objfds", MFD_CLOEXEC),
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
		epoll_create1(EPOLL_CLOEXEC), eventfd(0, EFD_CLOEXEC),
		open("/dev/null", O_RDWR | O_CLOEXEC),
		open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		ro_open(), dup(self->fd),
	};
	int path = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	__u64 used = references_used(self->fd);
	unsigned int i;

	EXPECT_EQ(-EBADF, import_fd(self->fd, -1, 1, NULL));
	EXPECT_EQ(-EBADF, import_fd(self->fd, GONE, 1, NULL));
	ASSERT_LE(0, path);
	EXPECT_EQ(-EBADF, import_fd(self->fd, path, 1, NULL));
	ASSERT_EQ(0, pipe2(p, O_CLOEXEC));
	EXPECT_EQ(-EINVAL, import_fd(self->fd, p[0], 1, NULL));
	EXPECT_EQ(-EINVAL, import_fd(self->fd, p[1], 1, NULL));
	for (i = 0; i < RO_ARRAY_SIZE(other); i++) {
		ASSERT_LE(0, other[i]);
		EXPECT_EQ(-EINVAL, import_fd(self->fd, other[i], 1, NULL)) {
			TH_LOG("descriptor %u", i);
		}
		close(other[i]);
	}
	EXPECT_EQ(1, ro_users(self->fd, self->id));
	EXPECT_EQ(used, references_used(self->fd));
	close(p[0]);
	close(p[1]);
	close(path);
}

TEST_F(objfds, import_of_too_few_or_many)
{
	int objfd = export_fd(self->fd, self->id);
	struct refobj_import i = {
		.size = sizeof(i), .fd = objfd, .count = 1, .flags = 1,
	};

	EXPECT_EQ(-EINVAL, import_fd(self->fd, objfd, 0, NULL));
	EXPECT_EQ(-EINVAL, import_fd(self->fd, objfd, REFOBJ_COUNT_MAX + 1, NULL));
	EXPECT_EQ(-EINVAL, import_fd(self->fd, objfd, ~0U, NULL));
	EXPECT_EQ(-EOPNOTSUPP, ro_ioctl(self->fd, REFOBJ_IOC_IMPORT, &i));
	EXPECT_EQ(2, ro_users(self->fd, self->id));
	EXPECT_EQ(0, import_fd(self->fd, objfd, REFOBJ_COUNT_MAX, NULL));
	EXPECT_EQ(REFOBJ_COUNT_MAX + 2, ro_users(self->fd, self->id));
	EXPECT_EQ(0, close(objfd));
}

/* The id could not be told: nothing was acquired. */
TEST_F(objfds, import_that_cannot_tell)
{
	int objfd = export_fd(self->fd, self->id);
	struct refobj_import *i = ro_shared(sizeof(*i));
	__u64 used = references_used(self->fd);
	struct refobj_stat st;

	ASSERT_NE(NULL, i);
	*i = (struct refobj_import){ .size = sizeof(*i), .fd = objfd, .count = 9 };
	ASSERT_EQ(0, mprotect(i, sizeof(*i), PROT_READ));
	EXPECT_EQ(-EFAULT, ro_ioctl(self->fd, REFOBJ_IOC_IMPORT, i));
	EXPECT_EQ(-EFAULT, ro_ioctl(self->look.fd, REFOBJ_IOC_IMPORT, i));
	EXPECT_EQ(0, ro_stat(self->fd, self->id, &st));
	EXPECT_EQ(2, st.users);
	EXPECT_EQ(1, st.held);
	EXPECT_EQ(2, st.holders);
	EXPECT_EQ(used, references_used(self->fd));
	ASSERT_EQ(0, mprotect(i, sizeof(*i), PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_IMPORT, i));
	EXPECT_EQ(self->id, i->id);
	EXPECT_EQ(11, ro_users(self->fd, self->id));
	EXPECT_EQ(0, close(objfd));
	EXPECT_EQ(0, munmap(i, sizeof(*i)));
}

/*
 * Quotas and limits
 */
TEST_F(objfds, are_charged_as_references)
{
	int fd = ro_open_as(USER), see = ro_open_as(USER), objfd[2];
	struct refobj_holder rec[3];
	__u64 id, was;

	ASSERT_LE(0, fd);
	ASSERT_LE(0, see);
	ASSERT_EQ(1, ro_create(fd, NULL, 0, 1, &id));
	was = references_used(see);
	objfd[0] = export_fd(fd, id);
	objfd[1] = export_fd(fd, id);
	ASSERT_LE(0, objfd[1]);
	EXPECT_EQ(was + 2, references_used(see));
	EXPECT_EQ(3, ro_holders(self->look.fd, id, rec, 3, NULL));
	EXPECT_EQ(USER, rec[1].uid);
	EXPECT_EQ(USER, rec[2].uid);
	EXPECT_EQ(-ENOENT, export_fd(fd, 0));
	EXPECT_EQ(was + 2, references_used(see));
	EXPECT_EQ(0, close(objfd[0]));
	EXPECT_EQ(was + 1, references_used(see));
	/* With the session goes all but the descriptor. */
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(1, references_used(see));
	/* To whoever made it, not to whoever has it or imports from it. */
	fd = ro_open();
	EXPECT_EQ(0, import_fd(fd, objfd[1], 1, NULL));
	EXPECT_EQ(1, references_used(see));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, close(see));
	EXPECT_EQ(0, close(objfd[1]));
	see = ro_open_as(USER);
	EXPECT_EQ(0, references_used(see));
	EXPECT_EQ(0, close(see));
}

TEST_F(objfds, beyond_the_quota)
{
	unsigned long max = ro_get_parameter("max_references");
	int fd = ro_open_as(USER), objfd[3], n = 0, ret[2];
	__u64 id;

	ASSERT_LE(0, fd);
	ASSERT_EQ(1, ro_create(fd, NULL, 0, 1, &id));
	ASSERT_EQ(0, ro_set_parameter("max_references", 3));
	for (n = 0; n < 3; n++)
		objfd[n] = export_fd(fd, id);
	ret[0] = import_fd(fd, objfd[0], 1, NULL);
	close(objfd[1]);
	ret[1] = export_fd(fd, id);
	ASSERT_EQ(0, ro_set_parameter("max_references", max));
	EXPECT_LE(0, objfd[0]);
	EXPECT_LE(0, objfd[1]);
	EXPECT_EQ(-EDQUOT, objfd[2]);
	EXPECT_EQ(-EDQUOT, ret[0]);
	EXPECT_LE(0, ret[1]);
	EXPECT_EQ(3, ro_users(fd, id));
	EXPECT_EQ(0, close(objfd[0]));
	EXPECT_EQ(0, close(ret[1]));
	EXPECT_EQ(0, close(fd));
}

TEST_F(objfds, no_descriptor_is_free)
{
	__u64 used = references_used(self->fd);
	struct rlimit was, none = { .rlim_cur = 0 };
	int n = open_fds(), got;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &was));
	none.rlim_max = was.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	got = export_fd(self->fd, self->id);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &was));
	EXPECT_EQ(-EMFILE, got);
	EXPECT_EQ(n, open_fds());
	EXPECT_EQ(1, ro_users(self->fd, self->id));
	EXPECT_EQ(used, references_used(self->fd));
}

/*
 * Changes
 */
static int building(int fd, __u64 *id)
{
	return ro_create(fd, NULL, REFOBJ_BUILD, 1, id);
}

TEST_F(objfds, tell_of_changes)
{
	int other = ro_open(), objfd;
	__u64 id;

	ASSERT_EQ(REFOBJ_FIRST | REFOBJ_BUILDER, building(self->fd, &id));
	objfd = export_fd(self->fd, id);
	ASSERT_LE(0, objfd);
	EXPECT_EQ(-EAGAIN, changes(objfd));
	EXPECT_EQ(0, look_at(objfd));
	EXPECT_EQ(0, look_at(objfd));
	EXPECT_EQ(-EAGAIN, changes(objfd));
	/* Counts do not matter. */
	EXPECT_EQ(0, ro_acquire(other, id, 3, 0));
	EXPECT_EQ(0, ro_release(other, id, 2));
	EXPECT_EQ(0, look_at(objfd));
	/* The builder gives up, another becomes it, and is done. */
	EXPECT_EQ(0, ro_release(self->fd, id, 1));
	EXPECT_EQ(POLLIN, look_at(objfd));
	EXPECT_EQ(POLLIN, look_at(objfd));
	EXPECT_EQ(1, changes(objfd));
	EXPECT_EQ(0, look_at(objfd));
	EXPECT_EQ(-EAGAIN, changes(objfd));
	EXPECT_EQ(REFOBJ_BUILDER, ro_acquire(other, id, 1, REFOBJ_ACQUIRE_BUILD));
	EXPECT_EQ(POLLIN, look_at(objfd));
	EXPECT_EQ(0, ro_publish(other, id));
	EXPECT_EQ(POLLIN, look_at(objfd));
	EXPECT_EQ(2, changes(objfd));
	EXPECT_EQ(0, look_at(objfd));
	EXPECT_EQ(-EAGAIN, changes(objfd));
	EXPECT_EQ(0, close(objfd));
	EXPECT_EQ(0, close(other));
}

/* What was before the first poll is not told, nor what nobody polls for. */
TEST_F(objfds, tell_from_the_first_poll_on)
{
	int objfd, late;
	__u64 id;

	ASSERT_EQ(REFOBJ_FIRST | REFOBJ_BUILDER, building(self->fd, &id));
	objfd = export_fd(self->fd, id);
	late = export_fd(self->fd, id);
	ASSERT_LE(0, late);
	EXPECT_EQ(0, look_at(objfd));
	EXPECT_EQ(0, ro_publish(self->fd, id));
	EXPECT_EQ(-EAGAIN, changes(late));
	EXPECT_EQ(0, look_at(late));
	EXPECT_EQ(-EAGAIN, changes(late));
	EXPECT_EQ(POLLIN, look_at(objfd));
	EXPECT_EQ(1, changes(objfd));
	EXPECT_EQ(0, close(objfd));
	EXPECT_EQ(0, close(late));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
}

TEST_F(objfds, tell_of_a_holders_death)
{
	int objfd = export_fd(self->fd, self->id);
	struct ro_kid kid;

	EXPECT_EQ(0, look_at(objfd));
	EXPECT_EQ(0, ro_holder_start(&kid, self->id, 2));
	EXPECT_EQ(0, look_at(objfd));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	EXPECT_EQ(POLLIN, look_at(objfd));
	EXPECT_EQ(1, changes(objfd));
	EXPECT_EQ(0, close(objfd));
}

TEST_F(objfds, reading_that_fails_takes_nothing)
{
	char room[16];
	__u64 id, n;
	int objfd;

	ASSERT_EQ(REFOBJ_FIRST | REFOBJ_BUILDER, building(self->fd, &id));
	objfd = export_fd(self->fd, id);
	ASSERT_LE(0, objfd);
	EXPECT_EQ(-1, read(objfd, room, 7));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, look_at(objfd));
	EXPECT_EQ(0, ro_publish(self->fd, id));
	EXPECT_EQ(-1, read(objfd, room, 7));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, read(objfd, room, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, syscall(SYS_read, objfd, 8L, 8L));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(POLLIN, look_at(objfd));
	memset(room, '#', sizeof(room));
	EXPECT_EQ(8, read(objfd, room, sizeof(room)));
	memcpy(&n, room, 8);
	EXPECT_EQ(1, n);
	EXPECT_EQ('#', room[8]);
	EXPECT_EQ(-1, write(objfd, room, 8));
	EXPECT_EQ(-ENOTTY, ro_ioctl(objfd, FIONREAD, &n));
	EXPECT_EQ(0, close(objfd));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
}

/* A copy is the same file: what one reads the other has not got any more. */
TEST_F(objfds, copies_share_the_changes)
{
	int objfd, copy;
	__u64 id;

	ASSERT_EQ(REFOBJ_FIRST | REFOBJ_BUILDER, building(self->fd, &id));
	objfd = export_fd(self->fd, id);
	copy = dup(objfd);
	EXPECT_EQ(0, look_at(objfd));
	EXPECT_EQ(0, ro_publish(self->fd, id));
	EXPECT_EQ(POLLIN, look_at(copy));
	EXPECT_EQ(1, changes(copy));
	EXPECT_EQ(0, look_at(objfd));
	EXPECT_EQ(-EAGAIN, changes(objfd));
	EXPECT_EQ(0, close(objfd));
	EXPECT_EQ(0, close(copy));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
}

TEST_F_TIMEOUT(objfds, wake_who_polls, PATIENCE)
{
	struct ro_kid kid;
	int objfd;
	__u64 id;

	ASSERT_EQ(REFOBJ_FIRST | REFOBJ_BUILDER, building(self->fd, &id));
	objfd = export_fd(self->fd, id);
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		struct pollfd p = { .fd = objfd, .events = POLLIN };

		ro_kid_say(&kid, 1);
		ro_kid_say(&kid, poll(&p, 1, -1));
		ro_kid_say(&kid, changes(objfd));
		_exit(0);
	}
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_TRUE(ro_await_sleep(kid.pid));
	EXPECT_EQ(0, ro_publish(self->fd, id));
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_reap(&kid));
	EXPECT_EQ(0, close(objfd));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
}

TEST_F_TIMEOUT(objfds, wake_who_has_an_epoll, PATIENCE)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 77 }, got;
	int ep = epoll_create1(EPOLL_CLOEXEC), objfd;
	struct ro_kid kid;
	__u64 id;

	ASSERT_EQ(REFOBJ_FIRST | REFOBJ_BUILDER, building(self->fd, &id));
	objfd = export_fd(self->fd, id);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, objfd, &ev));
	EXPECT_EQ(0, epoll_wait(ep, &got, 1, 0));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		ro_kid_say(&kid, 1);
		ro_kid_say(&kid, epoll_wait(ep, &got, 1, -1));
		ro_kid_say(&kid, got.data.u64);
		_exit(0);
	}
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_TRUE(ro_await_sleep(kid.pid));
	EXPECT_EQ(0, ro_publish(self->fd, id));
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_EQ(77, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_reap(&kid));
	EXPECT_EQ(1, epoll_wait(ep, &got, 1, 0));
	EXPECT_EQ(1, changes(objfd));
	EXPECT_EQ(0, epoll_wait(ep, &got, 1, 0));
	/* The descriptor goes while the set has it. */
	EXPECT_EQ(0, close(objfd));
	EXPECT_EQ(1, ro_users(self->fd, id));
	EXPECT_EQ(0, epoll_wait(ep, &got, 1, 0));
	EXPECT_EQ(0, close(ep));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
}

TEST_F(objfds, fdinfo)
{
	struct refobj_create c = {
		.size = sizeof(c), .initial = 1, .name = "its name",
		.type = "its type",
	};
	struct refobj_info info = { .size = sizeof(info) };
	char id[24], registry[24];
	int objfd;

	ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_INFO, &info));
	ASSERT_EQ(1, ro_ioctl(self->fd, REFOBJ_IOC_CREATE, &c));
	objfd = export_fd(self->fd, c.id);
	ASSERT_LE(0, objfd);
	snprintf(id, sizeof(id), "%llu", c.id);
	snprintf(registry, sizeof(registry), "%llu", info.registry);
	EXPECT_STREQ(id, fd_info(objfd, "refobj-object"));
	EXPECT_STREQ(registry, fd_info(objfd, "refobj-registry"));
	EXPECT_STREQ("its name", fd_info(objfd, "refobj-name"));
	EXPECT_STREQ("its type", fd_info(objfd, "refobj-type"));
	EXPECT_STREQ("2", fd_info(objfd, "refobj-users"));
	EXPECT_EQ(1, ro_release_all(self->fd, self->id));
	EXPECT_EQ(0, ro_release(self->fd, c.id, 1));
	EXPECT_STREQ("1", fd_info(objfd, "refobj-users"));
	EXPECT_EQ(0, close(objfd));
}

/*
 * Namespaces
 */

/* They go in the end, by a worker, of which nothing tells. */
static bool wait_for_objects(struct ro_look *look, long long want)
{
	__u64 end = ro_deadline(20);

	while (ro_look_since(look, "objects") != want) {
		if (ro_now_ns() > end)
			return false;
		sched_yield();
	}
	return true;
}

/* A new network namespace with an object; of the latter a descriptor. */
static int there(int home, __u64 *id)
{
	int fd, objfd = -1;

	if (unshare(CLONE_NEWNET))
		return -errno;
	fd = ro_open();
	if (ro_create(fd, "there", REFOBJ_PERSISTENT, 1, id) == 1)
		objfd = export_fd(fd, *id);
	close(fd);
	return setns(home, CLONE_NEWNET) ? -errno : objfd;
}

TEST_F_TIMEOUT(objfds, lead_not_to_another_namespace, PATIENCE)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), objfd;
	__u64 id = 0, used = references_used(self->fd);

	ASSERT_LE(0, home);
	objfd = there(home, &id);
	ASSERT_LE(0, objfd);
	EXPECT_EQ(-EXDEV, import_fd(self->fd, objfd, 1, NULL));
	EXPECT_EQ(used + 1, references_used(self->fd));
	EXPECT_STREQ("1", fd_info(objfd, "refobj-users"));
	EXPECT_EQ(0, close(objfd));
	EXPECT_TRUE(wait_for_objects(&self->look, 1));
	EXPECT_EQ(used, references_used(self->fd));
	EXPECT_EQ(0, close(home));
}

/*
 * Nothing else is in the first namespace. The second one goes later, and the
 * worker takes them in turn: so if the first could, it would have gone.
 */
TEST_F_TIMEOUT(objfds, keep_their_namespace, PATIENCE)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), objfd, fd;
	__u64 id = 0;

	ASSERT_LE(0, home);
	objfd = there(home, &id);
	ASSERT_LE(0, objfd);
	fd = there(home, &id);
	ASSERT_LE(0, fd);
	EXPECT_EQ(3, ro_look_since(&self->look, "objects"));
	EXPECT_EQ(0, close(fd));
	EXPECT_TRUE(wait_for_objects(&self->look, 2));
	EXPECT_STREQ("there", fd_info(objfd, "refobj-name"));
	EXPECT_STREQ("1", fd_info(objfd, "refobj-users"));
	EXPECT_EQ(0, look_at(objfd));
	EXPECT_EQ(2, ro_look_since(&self->look, "objects"));
	EXPECT_EQ(0, close(objfd));
	EXPECT_TRUE(wait_for_objects(&self->look, 1));
	EXPECT_EQ(0, close(home));
}

/* F3 of SEEDS.md: pids are told as the reader's namespace counts. */
TEST_F(objfds, tell_the_readers_pids)
{
	struct refobj_holder rec[4] = { };
	int objfd = export_fd(self->fd, self->id), i;
	struct ro_kid kid, inner;

	ASSERT_LE(0, objfd);
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		if (unshare(CLONE_NEWPID) || ro_kid_fork(&inner) < 0)
			_exit(92);
		if (!inner.pid) {
			int own = ro_open();

			ro_kid_say(&inner, import_fd(own, objfd, 1, NULL));
			ro_kid_say(&inner, export_fd(own, self->id));
			ro_kid_say(&inner, ro_holders(own, self->id, rec, 4,
						      NULL));
			ro_kid_say(&inner, rec[1].pid);
			ro_kid_say(&inner, strcmp(rec[1].comm, ro_own_comm()));
			ro_kid_say(&inner, rec[3].pid);
			ro_kid_say(&inner, getpid());
			ro_kid_await(&inner);
			_exit(0);
		}
		ro_kid_say(&kid, inner.pid);
		for (i = 0; i < 7; i++)
			ro_kid_say(&kid, ro_kid_hear(&inner));
		ro_kid_await(&kid);
		_exit(ro_kid_kill(&inner, SIGKILL) != -SIGKILL);
	}
	inner.pid = ro_kid_hear(&kid);
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_LE(0, ro_kid_hear(&kid));
	EXPECT_EQ(4, ro_kid_hear(&kid));
	/* Of the outer one it knows the name alone, and itself as number 1. */
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_EQ(4, ro_holders(self->fd, self->id, rec, 4, NULL));
	EXPECT_EQ(REFOBJ_HOLDER_FD, rec[1].kind);
	EXPECT_EQ(getpid(), rec[1].pid);
	EXPECT_EQ(REFOBJ_HOLDER_FD, rec[3].kind);
	EXPECT_EQ(inner.pid, rec[3].pid);
	ro_kid_say(&kid, 1);
	EXPECT_EQ(0, ro_kid_reap(&kid));
	EXPECT_EQ(2, ro_users(self->fd, self->id));
	EXPECT_EQ(0, close(objfd));
}

TEST_HARNESS_MAIN
