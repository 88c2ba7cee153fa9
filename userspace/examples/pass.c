// SPDX-License-Identifier: 0BSD
/*
 * A reference that travels. A process makes an object without a name, sends a
 * reference through a socket, and dies before anybody has received it. It is safe
 * on its way: the object lives.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <librefobj.h>

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

static int send_fd(int to, int fd)
{
	char byte = 0;
	struct iovec data = { &byte, 1 };
	union control control = { 0 };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	return sendmsg(to, &message, 0) == 1 ? 0 : -1;
}

static int receive_fd(int from)
{
	char byte;
	struct iovec data = { &byte, 1 };
	union control control;
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;
	int fd;

	if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(header), sizeof(int));
	return fd;
}

static void sender(int to)
{
	struct refobj_session *session;
	uint64_t id;
	int fd;

	if (refobj_open(&session) < 0 ||
	    refobj_create(session, NULL, NULL, 1, &id) < 0 ||
	    refobj_set_value(session, id, "a message", 10) < 0)
		_exit(1);
	fd = refobj_export(session, id);
	if (fd < 0 || send_fd(to, fd))
		_exit(1);
	raise(SIGKILL);
}

int main(void)
{
	struct refobj_session *session;
	struct refobj_stat stat;
	char value[16] = "";
	int ends[2], fd, ret;
	uint64_t id = 0;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		return 1;
	pid = fork();
	if (!pid)
		sender(ends[1]);
	if (pid < 0 || waitpid(pid, &ret, 0) != pid || !WIFSIGNALED(ret)) {
		fprintf(stderr, "pass: nothing was sent\n");
		return 1;
	}
	puts("the sender is dead");

	fd = receive_fd(ends[0]);
	ret = refobj_open(&session);
	if (!ret)
		ret = refobj_import(session, fd, &id);
	if (ret >= 0)
		ret = refobj_get_value(session, id, value, sizeof(value), NULL);
	if (ret >= 0)
		ret = refobj_stat(session, id, &stat);
	if (ret < 0) {
		fprintf(stderr, "pass: %s\n", strerror(-ret));
		return 1;
	}
	printf("received: %s; %u users, activated %llu time\n", value,
	       stat.users, (unsigned long long)stat.activations);
	/* The descriptor is a reference of its own. */
	close(fd);
	if (refobj_release(session, id, 1) == 1)
		puts("I was the last: it is gone");
	refobj_close(session);
	return 0;
}
