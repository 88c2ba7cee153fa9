// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an object protects: a value, and a file. Who may see them, how they are
 * replaced, and that they go when the object is deactivated.
 */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define PATIENCE	120
#define USER		4321	/* an ordinary one */
#define MAX		REFOBJ_VALUE_MAX
#define GONE		999999	/* a descriptor that is not open */

static int create(int fd, unsigned int flags, unsigned int initial,
		  unsigned int mode, __u64 *id)
{
	struct refobj_create c = {
		.size = sizeof(c), .flags = flags, .initial = initial,
		.mode = mode,
	};
	int ret = ro_ioctl(fd, REFOBJ_IOC_CREATE, &c);

	*id = c.id;
	return ret;
}

static int set_value(int fd, __u64 id, const void *data, unsigned int length)
{
	struct refobj_value v = {
		.size = sizeof(v), .id = id, .data = (uintptr_t)data,
		.length = length,
	};

	return ro_ioctl(fd, REFOBJ_IOC_SET_VALUE, &v);
}

static int set_value_if(int fd, __u64 id, const void *data, unsigned int length,
			__u64 version)
{
	struct refobj_value v = {
		.size = sizeof(v), .id = id, .data = (uintptr_t)data,
		.length = length, .version = version, .flags = REFOBJ_VALUE_IF,
	};

	return ro_ioctl(fd, REFOBJ_IOC_SET_VALUE, &v);
}

/* How long the value is, or -errno. */
static int get_value(int fd, __u64 id, void *data, unsigned int room,
		     __u64 *version)
{
	struct refobj_value v = {
		.size = sizeof(v), .id = id, .data = (uintptr_t)data,
		.length = room,
	};
	int ret = ro_ioctl(fd, REFOBJ_IOC_GET_VALUE, &v);

	if (version)
		*version = v.version;
	return ret ? ret : (int)v.length;
}

/* The value and its version in words. */
static const char *value(int fd, __u64 id)
{
	static char text[MAX + 40];
	__u64 version;
	char data[MAX];
	int len = get_value(fd, id, data, sizeof(data), &version);

	if (len < 0)
		snprintf(text, sizeof(text), "error %d", -len);
	else
		snprintf(text, sizeof(text), "%llu:%.*s", version, len, data);
	return text;
}

static int set_file(int fd, __u64 id, int file)
{
	struct refobj_payload p = { .size = sizeof(p), .id = id, .fd = file };

	return ro_ioctl(fd, REFOBJ_IOC_SET_PAYLOAD, &p);
}

static int get_file(int fd, __u64 id)
{
	struct refobj_payload p = { .size = sizeof(p), .id = id };

	return ro_ioctl(fd, REFOBJ_IOC_GET_PAYLOAD, &p);
}

static int publish_file(int fd, __u64 id, int file)
{
	struct refobj_payload p = {
		.size = sizeof(p), .id = id, .fd = file,
		.flags = REFOBJ_PUBLISH_FILE,
	};

	return ro_ioctl(fd, REFOBJ_IOC_PUBLISH, &p);
}

static int export_fd(int fd, __u64 id)
{
	struct refobj_export e = { .size = sizeof(e), .id = id };

	return ro_ioctl(fd, REFOBJ_IOC_EXPORT, &e);
}

static __u64 bytes_used(int fd)
{
	struct refobj_info info = { .size = sizeof(info) };

	return ro_ioctl(fd, REFOBJ_IOC_INFO, &info) ? ~0ULL : info.bytes_used;
}

static __u64 inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

/* The inode of the object's file, or -errno. */
static long long file_inode(int fd, __u64 id)
{
	int file = get_file(fd, id);
	long long ino;

	if (file < 0)
		return file;
	ino = inode(file);
	close(file);
	return ino;
}

/* Another open file description of the same file. */
static int reopen(int fd)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* The number of open descriptors. */
static int open_fds(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

FIXTURE(payloads) {
	struct ro_look look;
	__u64 id;	/* persistent, of mode 0644 */
	int fd;		/* a session that holds one reference */
	int memfd;
};

FIXTURE_SETUP(payloads)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, create(self->look.fd, REFOBJ_PERSISTENT, 0, 0644, &self->id));
	self->fd = ro_open();
	ASSERT_EQ(1, ro_acquire(self->fd, self->id, 1, 0));
	self->memfd = memfd_create("payload", MFD_CLOEXEC);
	ASSERT_LE(0, self->memfd);
}

FIXTURE_TEARDOWN(payloads)
{
	if (!self->id)
		return;
	close(self->memfd);
	close(self->fd);
	ro_release_all(self->look.fd, 0);
	EXPECT_EQ(0, ro_destroy(self->look.fd, self->id));
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

/*
 * The value
 */
TEST_F(payloads, value_is_what_was_set)
{
	char data[16] = "###############";
	struct refobj_stat st;
	int other = ro_open();

	EXPECT_EQ(0, ro_acquire(other, self->id, 1, 0));
	EXPECT_STREQ("0:", value(self->fd, self->id));
	EXPECT_EQ(0, set_value(self->fd, self->id, "hello", 5));
	EXPECT_STREQ("1:hello", value(self->fd, self->id));
	EXPECT_STREQ("1:hello", value(other, self->id));
	EXPECT_EQ(0, set_value(other, self->id, "bye", 3));
	EXPECT_STREQ("2:bye", value(self->fd, self->id));
	EXPECT_EQ(0, ro_stat(self->fd, self->id, &st));
	EXPECT_EQ(2, st.value_version);
	EXPECT_EQ(3, st.value_size);
	EXPECT_EQ(0, st.has_file);
	/* What is behind the value is nobody's. */
	EXPECT_EQ(3, get_value(self->fd, self->id, data, 15, NULL));
	EXPECT_STREQ("bye############", data);
	EXPECT_EQ(0, close(other));
}

TEST_F(payloads, value_has_bounds)
{
	char data[MAX + 1], back[MAX + 1];
	int i;

	for (i = 0; i <= MAX; i++)
		data[i] = i * 7 + i / 256;
	EXPECT_EQ(0, set_value(self->fd, self->id, data, 1));
	EXPECT_EQ(1, get_value(self->fd, self->id, back, sizeof(back), NULL));
	EXPECT_EQ(0, set_value(self->fd, self->id, data, MAX));
	EXPECT_EQ(-EINVAL, set_value(self->fd, self->id, data, MAX + 1));
	EXPECT_EQ(-EINVAL, set_value(self->fd, self->id, data, ~0U));
	memset(back, 0, sizeof(back));
	EXPECT_EQ(MAX, get_value(self->fd, self->id, back, sizeof(back), NULL));
	EXPECT_EQ(0, memcmp(data, back, MAX));
	EXPECT_EQ(0, back[MAX]);
}

TEST_F(payloads, value_of_no_bytes_is_none)
{
	__u64 was = bytes_used(self->fd);
	struct refobj_stat st;

	EXPECT_EQ(0, set_value(self->fd, self->id, "hello", 5));
	EXPECT_EQ(was + 5, bytes_used(self->fd));
	EXPECT_EQ(0, set_value(self->fd, self->id, NULL, 0));
	EXPECT_EQ(was, bytes_used(self->fd));
	EXPECT_STREQ("2:", value(self->fd, self->id));
	EXPECT_EQ(0, ro_stat(self->fd, self->id, &st));
	EXPECT_EQ(0, st.value_size);
	EXPECT_EQ(0, set_value(self->fd, self->id, NULL, 0));
	EXPECT_STREQ("3:", value(self->fd, self->id));
}

TEST_F(payloads, value_is_replaced_if_it_is_that_version)
{
	__u64 was = bytes_used(self->fd);
	struct refobj_value v = {
		.size = sizeof(v), .id = self->id, .version = 1,
		.data = (uintptr_t)"x", .length = 1,
	};

	EXPECT_EQ(-EAGAIN, set_value_if(self->fd, self->id, "no", 2, 1));
	EXPECT_EQ(was, bytes_used(self->fd));
	EXPECT_EQ(0, set_value_if(self->fd, self->id, "a", 1, 0));
	EXPECT_EQ(-EAGAIN, set_value_if(self->fd, self->id, "no", 2, 0));
	EXPECT_EQ(-EAGAIN, set_value_if(self->fd, self->id, "no", 2, 2));
	EXPECT_EQ(-EAGAIN, set_value_if(self->fd, self->id, "no", 2, ~0ULL));
	EXPECT_EQ(-EAGAIN, set_value_if(self->fd, self->id, NULL, 0, 0));
	EXPECT_STREQ("1:a", value(self->fd, self->id));
	EXPECT_EQ(was + 1, bytes_used(self->fd));
	EXPECT_EQ(0, set_value_if(self->fd, self->id, "bc", 2, 1));
	EXPECT_EQ(0, set_value_if(self->fd, self->id, NULL, 0, 2));
	EXPECT_STREQ("3:", value(self->fd, self->id));
	/* A version that nobody asks to look at. */
	EXPECT_EQ(-EINVAL, ro_ioctl(self->fd, REFOBJ_IOC_SET_VALUE, &v));
	v.flags = REFOBJ_VALUE_IF << 1;
	EXPECT_EQ(-EOPNOTSUPP, ro_ioctl(self->fd, REFOBJ_IOC_SET_VALUE, &v));
	v.flags = REFOBJ_VALUE_IF;
	EXPECT_EQ(-EOPNOTSUPP, ro_ioctl(self->fd, REFOBJ_IOC_GET_VALUE, &v));
	EXPECT_STREQ("3:", value(self->fd, self->id));
}

/* The failures that @n increments took, or -errno. */
static int64_t increment(int fd, __u64 id, int n)
{
	__u64 version, count;
	int64_t again = 0;
	int ret;

	while (n) {
		ret = get_value(fd, id, &count, sizeof(count), &version);
		if (ret != sizeof(count))
			return ret < 0 ? ret : -EIO;
		count++;
		ret = set_value_if(fd, id, &count, sizeof(count), version);
		if (!ret)
			n--;
		else if (ret == -EAGAIN)
			again++;
		else
			return ret;
	}
	return again;
}

TEST_F_TIMEOUT(payloads, counters_of_several_processes_add_up, PATIENCE)
{
	int i, n = ro_times(2000);
	__u64 count = 0, version;
	struct ro_kid kid[4];

	ASSERT_EQ(0, set_value(self->fd, self->id, &count, sizeof(count)));
	for (i = 0; i < 4; i++) {
		ASSERT_LE(0, ro_kid_fork(&kid[i]));
		if (!kid[i].pid) {
			int fd = ro_open();

			ro_acquire(fd, self->id, 1, 0);
			ro_kid_await(&kid[i]);
			ro_kid_say(&kid[i], increment(fd, self->id, n));
			_exit(0);
		}
	}
	for (i = 0; i < 4; i++)
		ro_kid_say(&kid[i], 1);
	for (i = 0; i < 4; i++) {
		EXPECT_LE(0, ro_kid_hear(&kid[i]));
		EXPECT_EQ(0, ro_kid_reap(&kid[i]));
	}
	EXPECT_EQ(8, get_value(self->fd, self->id, &count, 8, &version));
	EXPECT_EQ(4 * n, count);
	EXPECT_EQ(4 * n + 1, version);
}

/* Values that can be told: all bytes are the same, and say how many there are. */
static int write_values(int fd, __u64 id, int n)
{
	unsigned char data[MAX];
	int c, ret = 0;

	while (n-- && !ret) {
		c = n % 255 + 1;
		memset(data, c, c * 16);
		ret = set_value(fd, id, data, c * 16);
	}
	return ret;
}

static int read_values(int fd, __u64 id, int n)
{
	unsigned char data[MAX];
	__u64 version, last = 0;
	int i, len;

	while (n--) {
		len = get_value(fd, id, data, sizeof(data), &version);
		if (len < 0)
			return len;
		if (version < last)
			return -ESTALE;
		last = version;
		if (!len || len != data[0] * 16)
			return -EIO;
		for (i = 1; i < len; i++)
			if (data[i] != data[0])
				return -EIO;
	}
	return 0;
}

TEST_F_TIMEOUT(payloads, value_is_read_as_a_whole, PATIENCE)
{
	int i, n = ro_times(5000);
	struct ro_kid kid[4];

	ASSERT_EQ(0, write_values(self->fd, self->id, 1));
	for (i = 0; i < 4; i++) {
		ASSERT_LE(0, ro_kid_fork(&kid[i]));
		if (!kid[i].pid) {
			int fd = ro_open();

			ro_acquire(fd, self->id, 1, 0);
			ro_kid_await(&kid[i]);
			ro_kid_say(&kid[i], i % 2 ?
				   write_values(fd, self->id, n) :
				   read_values(fd, self->id, n));
			_exit(0);
		}
	}
	for (i = 0; i < 4; i++)
		ro_kid_say(&kid[i], 1);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(0, ro_kid_hear(&kid[i]));
		EXPECT_EQ(0, ro_kid_reap(&kid[i]));
	}
}

/* S5 of SEEDS.md: who has let go may not look any more. */
TEST_F(payloads, need_a_reference)
{
	int fd = self->look.fd;
	__u64 dead;

	EXPECT_EQ(0, set_value(self->fd, self->id, "hello", 5));
	EXPECT_EQ(0, set_file(self->fd, self->id, self->memfd));
	EXPECT_STREQ("error 1", value(fd, self->id));
	EXPECT_EQ(0, ro_acquire(fd, self->id, 1, 0));
	EXPECT_STREQ("1:hello", value(fd, self->id));
	EXPECT_EQ(inode(self->memfd), file_inode(fd, self->id));
	EXPECT_EQ(0, ro_release(fd, self->id, 1));
	EXPECT_STREQ("error 1", value(fd, self->id));
	EXPECT_EQ(-EPERM, set_value(fd, self->id, "bye", 3));
	EXPECT_EQ(-EPERM, set_value(fd, self->id, NULL, 0));
	EXPECT_EQ(-EPERM, set_value_if(fd, self->id, "bye", 3, 0));
	EXPECT_EQ(-EPERM, get_file(fd, self->id));
	EXPECT_EQ(-EPERM, set_file(fd, self->id, self->memfd));
	EXPECT_EQ(-EPERM, set_file(fd, self->id, -1));
	EXPECT_EQ(-EPERM, ro_publish(fd, self->id));
	EXPECT_STREQ("1:hello", value(self->fd, self->id));
	EXPECT_EQ(inode(self->memfd), file_inode(self->fd, self->id));
	/* Nor is there anything to look at. */
	EXPECT_EQ(1, create(fd, 0, 1, 0, &dead));
	EXPECT_EQ(1, ro_release(fd, dead, 1));
	EXPECT_EQ(-ESTALE, set_value(fd, dead, "bye", 3));
	EXPECT_EQ(-ESTALE, get_value(fd, dead, NULL, 0, NULL));
	EXPECT_EQ(-ESTALE, set_file(fd, dead, self->memfd));
	EXPECT_EQ(-ESTALE, get_file(fd, dead));
	EXPECT_EQ(-ENOENT, set_value(fd, 0, "bye", 3));
	EXPECT_EQ(-ENOENT, get_value(fd, 0, NULL, 0, NULL));
	EXPECT_EQ(-ENOENT, set_file(fd, 0, self->memfd));
}

TEST_F(payloads, who_may_only_read_changes_nothing)
{
	int fd = ro_open_as(USER), writable;
	__u64 was;

	ASSERT_LE(0, fd);
	was = bytes_used(fd);
	EXPECT_EQ(0, set_value(self->fd, self->id, "hello", 5));
	EXPECT_EQ(0, set_file(self->fd, self->id, self->memfd));
	EXPECT_EQ(0, ro_acquire(fd, self->id, 1, 0));
	EXPECT_EQ(-EACCES, set_value(fd, self->id, "bye", 3));
	EXPECT_EQ(-EACCES, set_value(fd, self->id, NULL, 0));
	EXPECT_EQ(-EACCES, set_value_if(fd, self->id, "bye", 3, 1));
	EXPECT_EQ(-EACCES, set_file(fd, self->id, self->memfd));
	EXPECT_EQ(-EACCES, set_file(fd, self->id, -1));
	EXPECT_EQ(-EACCES, ro_publish(fd, self->id));
	EXPECT_EQ(was, bytes_used(fd));
	EXPECT_STREQ("1:hello", value(fd, self->id));
	EXPECT_EQ(inode(self->memfd), file_inode(fd, self->id));
	/* The file's access mode is the publisher's. */
	writable = get_file(fd, self->id);
	EXPECT_EQ(O_RDWR, fcntl(writable, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(0, close(writable));
	EXPECT_EQ(0, close(fd));
}

TEST_F(payloads, are_gone_after_the_deactivation)
{
	__u64 was = bytes_used(self->fd);
	struct refobj_stat st;

	EXPECT_EQ(0, set_value(self->fd, self->id, "hello", 5));
	EXPECT_EQ(0, set_file(self->fd, self->id, self->memfd));
	EXPECT_EQ(0, ro_stat(self->fd, self->id, &st));
	EXPECT_EQ(1, st.has_file);
	/* Not the last one. */
	EXPECT_EQ(0, ro_acquire(self->look.fd, self->id, 1, 0));
	EXPECT_EQ(0, ro_release(self->fd, self->id, 1));
	EXPECT_STREQ("1:hello", value(self->look.fd, self->id));
	EXPECT_EQ(1, ro_release(self->look.fd, self->id, 1));
	EXPECT_EQ(was, bytes_used(self->fd));
	EXPECT_EQ(0, ro_stat(self->fd, self->id, &st));
	EXPECT_EQ(0, st.value_size);
	EXPECT_EQ(0, st.has_file);
	/* The version counts over all activations: nobody takes the old for new. */
	EXPECT_EQ(1, ro_acquire(self->fd, self->id, 1, 0));
	EXPECT_STREQ("1:", value(self->fd, self->id));
	EXPECT_EQ(-ENOENT, get_file(self->fd, self->id));
	EXPECT_EQ(0, set_value(self->fd, self->id, "again", 5));
	EXPECT_STREQ("2:again", value(self->fd, self->id));
}

/* The bytes are of who set them, as long as they are there. */
TEST_F(payloads, bytes_are_charged_to_who_set_them)
{
	int fd = ro_open_as(USER), see = ro_open_as(USER);
	__u64 id, was, root = bytes_used(self->fd);
	char data[MAX] = "";

	ASSERT_LE(0, fd);
	ASSERT_LE(0, see);
	ASSERT_EQ(1, create(fd, 0, 1, 0666, &id));
	was = bytes_used(see);
	EXPECT_EQ(0, set_value(fd, id, data, 100));
	EXPECT_EQ(was + 100, bytes_used(see));
	EXPECT_EQ(0, set_value(fd, id, data, 40));
	EXPECT_EQ(was + 40, bytes_used(see));
	EXPECT_EQ(0, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(0, set_value(self->fd, id, data, 7));
	EXPECT_EQ(was, bytes_used(see));
	EXPECT_EQ(root + 7, bytes_used(self->fd));
	EXPECT_EQ(0, set_value(fd, id, data, MAX));
	EXPECT_EQ(was + MAX, bytes_used(see));
	EXPECT_EQ(root, bytes_used(self->fd));
	/* Still, when the session has gone that set them. */
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(was + MAX, bytes_used(see));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(was, bytes_used(see));
	EXPECT_EQ(0, close(see));
}

/* The user itself has gone: nobody but the value knows whom it is charged to. */
TEST_F(payloads, bytes_outlive_the_last_session_of_the_user)
{
	int fd = ro_open_as(USER);
	char data[MAX] = "";
	__u64 id, was;

	ASSERT_LE(0, fd);
	was = bytes_used(fd);
	ASSERT_EQ(1, create(self->fd, 0, 1, 0666, &id));
	EXPECT_EQ(0, ro_acquire(fd, id, 1, 0));
	EXPECT_EQ(0, set_value(fd, id, data, MAX));
	EXPECT_EQ(0, close(fd));
	fd = ro_open_as(USER);
	EXPECT_EQ(was + MAX, bytes_used(fd));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, set_value(self->fd, id, NULL, 0));
	fd = ro_open_as(USER);
	EXPECT_EQ(was, bytes_used(fd));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
}

TEST_F(payloads, truncated_read_tells_the_length)
{
	char data[] = "######";
	__u64 version = 0;

	EXPECT_EQ(0, set_value(self->fd, self->id, "hello", 5));
	EXPECT_EQ(5, get_value(self->fd, self->id, data, 2, &version));
	EXPECT_STREQ("he####", data);
	EXPECT_EQ(1, version);
	EXPECT_EQ(5, get_value(self->fd, self->id, NULL, 0, &version));
	EXPECT_EQ(5, get_value(self->fd, self->id, data, ~0U, &version));
	EXPECT_STREQ("hello#", data);
}

TEST_F(payloads, bad_address_changes_nothing)
{
	size_t page = sysconf(_SC_PAGESIZE);
	__u64 was = bytes_used(self->fd);
	char *end = ro_shared(2 * page);

	ASSERT_NE(NULL, end);
	ASSERT_EQ(0, munmap(end + page, page));
	end += page;
	EXPECT_EQ(-EFAULT, set_value(self->fd, self->id, NULL, 1));
	EXPECT_STREQ("0:", value(self->fd, self->id));
	EXPECT_EQ(0, set_value(self->fd, self->id, "hello", 5));
	EXPECT_EQ(-EFAULT, set_value(self->fd, self->id, NULL, 5));
	EXPECT_EQ(-EFAULT, set_value(self->fd, self->id, end - 4, 5));
	EXPECT_EQ(-EFAULT, set_value_if(self->fd, self->id, end - 4, 5, 1));
	EXPECT_EQ(0, memcmp("1:hello", value(self->fd, self->id), 8));
	EXPECT_EQ(was + 5, bytes_used(self->fd));
	EXPECT_EQ(-EFAULT, get_value(self->fd, self->id, NULL, 5, NULL));
	EXPECT_EQ(-EFAULT, get_value(self->fd, self->id, end - 4, 5, NULL));
	/* There is room for what is there, and no more is touched. */
	EXPECT_EQ(5, get_value(self->fd, self->id, end - 5, MAX, NULL));
	EXPECT_EQ(0, memcmp("hello", end - 5, 5));
	EXPECT_EQ(0, munmap(end - page, page));
}

/*
 * The file
 */
TEST_F(payloads, file_is_the_same)
{
	int other = ro_open(), got[2];
	struct refobj_stat st;

	ASSERT_EQ(0, ftruncate(self->memfd, 4096));
	EXPECT_EQ(-ENOENT, get_file(self->fd, self->id));
	EXPECT_EQ(0, set_file(self->fd, self->id, self->memfd));
	EXPECT_EQ(0, ro_stat(self->fd, self->id, &st));
	EXPECT_EQ(1, st.has_file);
	EXPECT_EQ(0, ro_acquire(other, self->id, 1, 0));
	got[0] = get_file(self->fd, self->id);
	got[1] = get_file(other, self->id);
	ASSERT_LE(0, got[0]);
	ASSERT_LE(0, got[1]);
	EXPECT_NE(got[0], got[1]);
	EXPECT_NE(self->memfd, got[0]);
	EXPECT_EQ(inode(self->memfd), inode(got[0]));
	EXPECT_EQ(inode(self->memfd), inode(got[1]));
	EXPECT_EQ(FD_CLOEXEC, fcntl(got[0], F_GETFD));
	EXPECT_EQ(FD_CLOEXEC, fcntl(got[1], F_GETFD));
	/* Not only the file: it is the same open file description. */
	EXPECT_EQ(1234, lseek(self->memfd, 1234, SEEK_SET));
	EXPECT_EQ(1234, lseek(got[0], 0, SEEK_CUR));
	EXPECT_EQ(1234, lseek(got[1], 0, SEEK_CUR));
	EXPECT_EQ(0, close(got[0]));
	EXPECT_EQ(0, close(got[1]));
	EXPECT_EQ(0, close(other));
}

TEST_F(payloads, file_that_may_only_be_read)
{
	char path[40];
	int ro, got;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->memfd);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, ro);
	EXPECT_EQ(0, set_file(self->fd, self->id, ro));
	EXPECT_EQ(0, close(ro));
	got = get_file(self->fd, self->id);
	EXPECT_EQ(O_RDONLY, fcntl(got, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(-1, write(got, "x", 1));
	EXPECT_EQ(0, close(got));
}

enum kind {
	CLOSED, PATH, SOCKET, PIPE, FOLDER, EPOLL, EVENTFD, TIMERFD, DEVNULL,
	SESSION, OBJECT,
};

/* A descriptor that leads to no regular file, or -errno. */
static int open_kind(enum kind kind, int fd, __u64 id)
{
	int pair[2];

	switch (kind) {
	case CLOSED:
		return GONE;
	case PATH:
		return open("/proc/self/exe", O_PATH | O_CLOEXEC);
	case SOCKET:
		return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	case PIPE:
		if (pipe2(pair, O_CLOEXEC))
			return -errno;
		close(pair[1]);
		return pair[0];
	case FOLDER:
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case EPOLL:
		return epoll_create1(EPOLL_CLOEXEC);
	case EVENTFD:
		return eventfd(0, EFD_CLOEXEC);
	case TIMERFD:
		return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	case DEVNULL:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case SESSION:
		return ro_open();
	case OBJECT:
		return export_fd(fd, id);
	default:
		return -EINVAL;
	}
}

FIXTURE(kinds) {
	struct ro_look look;
	__u64 id;	/* persistent, building */
	int fd;		/* the builder's */
	int memfd;
};

FIXTURE_VARIANT(kinds) {
	enum kind kind;
	int err;
};

FIXTURE_VARIANT_ADD(kinds, closed) { CLOSED, -EBADF };
FIXTURE_VARIANT_ADD(kinds, path) { PATH, -EBADF };
FIXTURE_VARIANT_ADD(kinds, socket) { SOCKET, -EINVAL };
FIXTURE_VARIANT_ADD(kinds, pipe) { PIPE, -EINVAL };
FIXTURE_VARIANT_ADD(kinds, folder) { FOLDER, -EINVAL };
FIXTURE_VARIANT_ADD(kinds, epoll) { EPOLL, -EINVAL };
FIXTURE_VARIANT_ADD(kinds, eventfd) { EVENTFD, -EINVAL };
FIXTURE_VARIANT_ADD(kinds, timerfd) { TIMERFD, -EINVAL };
FIXTURE_VARIANT_ADD(kinds, dev_null) { DEVNULL, -EINVAL };
FIXTURE_VARIANT_ADD(kinds, session) { SESSION, -EINVAL };
FIXTURE_VARIANT_ADD(kinds, object) { OBJECT, -EINVAL };

FIXTURE_SETUP(kinds)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	self->fd = ro_open();
	ASSERT_EQ(REFOBJ_FIRST | REFOBJ_BUILDER,
		  create(self->fd, REFOBJ_PERSISTENT | REFOBJ_BUILD, 1, 0,
			 &self->id));
	self->memfd = memfd_create("payload", MFD_CLOEXEC);
	ASSERT_LE(0, self->memfd);
}

FIXTURE_TEARDOWN(kinds)
{
	if (!self->id)
		return;
	close(self->memfd);
	close(self->fd);
	EXPECT_EQ(0, ro_destroy(self->look.fd, self->id));
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

/* Neither as a new file nor to publish; what there was stays. */
TEST_F(kinds, are_refused)
{
	int bad = open_kind(variant->kind, self->fd, self->id);
	struct refobj_stat st;

	ASSERT_LE(0, bad);
	EXPECT_EQ(variant->err, set_file(self->fd, self->id, bad));
	EXPECT_EQ(variant->err, publish_file(self->fd, self->id, bad));
	EXPECT_EQ(-ENOENT, get_file(self->fd, self->id));
	EXPECT_EQ(0, set_file(self->fd, self->id, self->memfd));
	EXPECT_EQ(variant->err, set_file(self->fd, self->id, bad));
	EXPECT_EQ(variant->err, publish_file(self->fd, self->id, bad));
	EXPECT_EQ(inode(self->memfd), file_inode(self->fd, self->id));
	EXPECT_EQ(0, ro_stat(self->fd, self->id, &st));
	EXPECT_EQ(REFOBJ_STATE_BUILDING, st.state);
	EXPECT_EQ(getpid(), st.builder);
	if (variant->kind != CLOSED)
		EXPECT_EQ(0, close(bad));
}

TEST_F(payloads, no_file_is_minus_one)
{
	struct refobj_payload p = { .size = sizeof(p), .id = self->id };

	EXPECT_EQ(0, set_file(self->fd, self->id, -1));
	EXPECT_EQ(0, set_file(self->fd, self->id, self->memfd));
	EXPECT_EQ(-EBADF, set_file(self->fd, self->id, -2));
	EXPECT_EQ(inode(self->memfd), file_inode(self->fd, self->id));
	EXPECT_EQ(0, set_file(self->fd, self->id, -1));
	EXPECT_EQ(-ENOENT, get_file(self->fd, self->id));
	EXPECT_EQ(0, set_file(self->fd, self->id, -1));
	/* GET_PAYLOAD takes none, and none has flags or more. */
	EXPECT_EQ(0, set_file(self->fd, self->id, self->memfd));
	p.fd = self->memfd;
	EXPECT_EQ(-EINVAL, ro_ioctl(self->fd, REFOBJ_IOC_GET_PAYLOAD, &p));
	p.flags = REFOBJ_PUBLISH_FILE;
	EXPECT_EQ(-EOPNOTSUPP, ro_ioctl(self->fd, REFOBJ_IOC_SET_PAYLOAD, &p));
	p.flags = 0;
	p.reserved = 1;
	EXPECT_EQ(-EOPNOTSUPP, ro_ioctl(self->fd, REFOBJ_IOC_SET_PAYLOAD, &p));
	p.fd = 0;
	EXPECT_EQ(-EOPNOTSUPP, ro_ioctl(self->fd, REFOBJ_IOC_GET_PAYLOAD, &p));
}

/*
 * A file description that has a lock, which nobody but the object keeps open:
 * who waits for the lock gets it when the object lets go. Returns another
 * description, from which it cannot be locked.
 */
static int give_locked_file(int fd, __u64 id)
{
	int locked = memfd_create("locked", MFD_CLOEXEC), other;
	int ret;

	other = reopen(locked);
	ret = flock(locked, LOCK_EX) ? -errno : set_file(fd, id, locked);
	close(locked);
	return ret ? ret : other;
}

static int try_lock(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) ? -errno : 0;
}

TEST_F(payloads, file_is_dropped_at_the_last_release)
{
	int locked = give_locked_file(self->fd, self->id);

	ASSERT_LE(0, locked);
	EXPECT_EQ(-EAGAIN, try_lock(locked));
	EXPECT_EQ(0, ro_acquire(self->look.fd, self->id, 1, 0));
	EXPECT_EQ(0, ro_release(self->fd, self->id, 1));
	EXPECT_EQ(-EAGAIN, try_lock(locked));
	EXPECT_EQ(1, ro_release(self->look.fd, self->id, 1));
	EXPECT_EQ(0, flock(locked, LOCK_EX));
	EXPECT_EQ(0, close(locked));
}

TEST_F(payloads, file_is_dropped_when_it_is_replaced)
{
	int locked = give_locked_file(self->fd, self->id);

	ASSERT_LE(0, locked);
	EXPECT_EQ(-EAGAIN, try_lock(locked));
	EXPECT_EQ(0, set_file(self->fd, self->id, self->memfd));
	EXPECT_EQ(0, flock(locked, LOCK_EX));
	EXPECT_EQ(0, close(locked));
	locked = give_locked_file(self->fd, self->id);
	ASSERT_LE(0, locked);
	EXPECT_EQ(-EAGAIN, try_lock(locked));
	EXPECT_EQ(0, set_file(self->fd, self->id, -1));
	EXPECT_EQ(0, flock(locked, LOCK_EX));
	EXPECT_EQ(0, close(locked));
}

/* Who is refused has not left the file with the object either. */
TEST_F(payloads, file_is_not_kept_when_it_is_refused)
{
	int locked = give_locked_file(self->look.fd, self->id), fd;

	EXPECT_EQ(-EPERM, locked);
	fd = reopen(self->memfd);
	ASSERT_EQ(0, flock(fd, LOCK_EX));
	EXPECT_EQ(-EPERM, set_file(self->look.fd, self->id, fd));
	EXPECT_EQ(-EPERM, publish_file(self->fd, self->id, fd));
	EXPECT_EQ(-EAGAIN, try_lock(self->memfd));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, flock(self->memfd, LOCK_EX));
}

/* The last holder is killed, while somebody sleeps until the lock is free. */
TEST_F_TIMEOUT(payloads, file_is_dropped_when_the_last_holder_dies, PATIENCE)
{
	struct ro_kid holder, sleeper;
	int locked;

	ASSERT_EQ(0, ro_holder_start(&holder, self->id, 1));
	locked = give_locked_file(self->fd, self->id);
	ASSERT_LE(0, locked);
	EXPECT_EQ(0, ro_release(self->fd, self->id, 1));
	ASSERT_LE(0, ro_kid_fork(&sleeper));
	if (!sleeper.pid) {
		ro_kid_say(&sleeper, try_lock(locked));
		ro_kid_say(&sleeper, flock(locked, LOCK_EX) ? -errno : 0);
		_exit(0);
	}
	EXPECT_EQ(-EAGAIN, ro_kid_hear(&sleeper));
	EXPECT_TRUE(ro_await_sleep(sleeper.pid));
	EXPECT_EQ(1, ro_users(self->look.fd, self->id));
	EXPECT_EQ(-SIGKILL, ro_kid_kill(&holder, SIGKILL));
	EXPECT_EQ(0, ro_kid_hear(&sleeper));
	EXPECT_EQ(0, ro_kid_reap(&sleeper));
	EXPECT_EQ(0, ro_users(self->look.fd, self->id));
	EXPECT_EQ(0, close(locked));
}

/* What has been mapped, or opened, stays: only the object has let go. */
TEST_F(payloads, mapping_outlives_the_reference)
{
	int got, locked = give_locked_file(self->fd, self->id);
	char *map;

	ASSERT_LE(0, locked);
	got = get_file(self->fd, self->id);
	ASSERT_LE(0, got);
	ASSERT_EQ(0, ftruncate(got, 4096));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, got, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(5, pwrite(got, "hello", 5, 0));
	EXPECT_EQ(1, ro_release(self->fd, self->id, 1));
	EXPECT_EQ(-EPERM, get_file(self->fd, self->id));
	EXPECT_EQ(5, pwrite(got, "still", 5, 0));
	EXPECT_EQ(0, close(got));
	EXPECT_EQ(0, memcmp(map, "still", 5));
	memcpy(map, "alive", 5);
	EXPECT_EQ(0, memcmp(map, "alive", 5));
	/* The mapping alone keeps the description, and so the lock. */
	EXPECT_EQ(-EAGAIN, try_lock(locked));
	EXPECT_EQ(0, munmap(map, 4096));
	EXPECT_EQ(0, flock(locked, LOCK_EX));
	EXPECT_EQ(0, close(locked));
}

TEST_F(payloads, no_descriptor_is_free)
{
	struct rlimit was, none = { .rlim_cur = 0 };
	int n, got;

	ASSERT_EQ(0, set_file(self->fd, self->id, self->memfd));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &was));
	none.rlim_max = was.rlim_max;
	n = open_fds();
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	got = get_file(self->fd, self->id);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &was));
	EXPECT_EQ(-EMFILE, got);
	EXPECT_EQ(n, open_fds());
	EXPECT_EQ(inode(self->memfd), file_inode(self->fd, self->id));
	EXPECT_EQ(n, open_fds());
}

/*
 * PUBLISH
 */
TEST_F(payloads, publish_with_and_without_a_file)
{
	struct refobj_payload p = { .size = sizeof(p), .fd = self->memfd };
	struct refobj_stat st;
	__u64 id;
	int i;

	ASSERT_EQ(0, create(self->fd, REFOBJ_PERSISTENT | REFOBJ_BUILD, 0, 0, &id));
	p.id = id;
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(REFOBJ_FIRST | REFOBJ_BUILDER,
			  ro_acquire(self->fd, id, 1, REFOBJ_ACQUIRE_BUILD));
		if (i == 0) {
			/* A file that the flags say nothing of. */
			EXPECT_EQ(-EINVAL, ro_ioctl(self->fd,
						    REFOBJ_IOC_PUBLISH, &p));
			EXPECT_EQ(0, ro_publish(self->fd, id));
			EXPECT_EQ(-ENOENT, get_file(self->fd, id));
		} else if (i == 1) {
			EXPECT_EQ(0, publish_file(self->fd, id, self->memfd));
		} else {
			/* What was set while it was being built is kept. */
			EXPECT_EQ(0, set_file(self->fd, id, self->memfd));
			EXPECT_EQ(0, ro_publish(self->fd, id));
		}
		if (i)
			EXPECT_EQ(inode(self->memfd), file_inode(self->fd, id));
		EXPECT_EQ(0, ro_stat(self->fd, id, &st));
		EXPECT_EQ(REFOBJ_STATE_READY, st.state);
		EXPECT_EQ(0, st.builder);
		EXPECT_EQ(!!i, st.has_file);
		/* Once is enough. */
		EXPECT_EQ(-EPERM, ro_publish(self->fd, id));
		EXPECT_EQ(1, ro_release(self->fd, id, 1));
	}
	EXPECT_EQ(0, ro_destroy(self->fd, id));
}

TEST_F(payloads, publish_is_for_the_builder)
{
	int other = memfd_create("other", MFD_CLOEXEC), fd = self->look.fd;
	struct refobj_stat st, now;
	__u64 id;

	ASSERT_LE(0, other);
	ASSERT_EQ(REFOBJ_FIRST | REFOBJ_BUILDER,
		  create(self->fd, REFOBJ_BUILD, 1, 0, &id));
	EXPECT_EQ(0, set_file(self->fd, id, self->memfd));
	EXPECT_EQ(0, ro_acquire(fd, id, 1, REFOBJ_ACQUIRE_BUILD));
	EXPECT_EQ(0, ro_watch(fd, id, REFOBJ_WATCH_ALL, 0));
	EXPECT_STREQ("snapshot none building 2", ro_told(fd));
	EXPECT_EQ(0, ro_stat(fd, id, &st));
	EXPECT_EQ(-EPERM, ro_publish(fd, id));
	EXPECT_EQ(-EPERM, publish_file(fd, id, other));
	EXPECT_EQ(-EBADF, publish_file(self->fd, id, -1));
	EXPECT_EQ(0, ro_stat(fd, id, &now));
	EXPECT_EQ(0, memcmp(&st, &now, sizeof(st)));
	EXPECT_EQ(inode(self->memfd), file_inode(fd, id));
	EXPECT_STREQ("", ro_told(fd));
	/* Not the builder may well set the file. */
	EXPECT_EQ(0, set_file(fd, id, other));
	EXPECT_EQ(inode(other), file_inode(self->fd, id));
	EXPECT_EQ(0, publish_file(self->fd, id, self->memfd));
	EXPECT_EQ(inode(self->memfd), file_inode(fd, id));
	EXPECT_STREQ("ready publish ready 2", ro_told(fd));
	EXPECT_EQ(-EPERM, publish_file(self->fd, id, other));
	EXPECT_EQ(inode(self->memfd), file_inode(fd, id));
	/* Nobody builds what needs no building. */
	EXPECT_EQ(-EPERM, ro_publish(self->fd, self->id));
	EXPECT_EQ(0, ro_release(self->fd, id, 1));
	EXPECT_EQ(1, ro_release(fd, id, 1));
	EXPECT_EQ(0, close(other));
}

TEST_HARNESS_MAIN
