// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What an object protects: its file and its value, and memory shared that way.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

/* What no process can change any more. */
#define SEALED	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int file_call(struct refobj_session *session, unsigned long cmd,
		     uint64_t id, uint32_t flags, int fd)
{
	struct refobj_payload args = {
		.size = sizeof(args), .flags = flags, .id = id, .fd = fd,
	};

	return refobj__call(session, cmd, &args);
}

int refobj_publish(struct refobj_session *session, uint64_t id, int fd)
{
	bool with_file = fd != -1;

	return file_call(session, REFOBJ_IOC_PUBLISH, id,
			 with_file ? REFOBJ_PUBLISH_FILE : 0,
			 with_file ? fd : 0);
}

int refobj_set_file(struct refobj_session *session, uint64_t id, int fd)
{
	return file_call(session, REFOBJ_IOC_SET_PAYLOAD, id, 0, fd);
}

int refobj_get_file(struct refobj_session *session, uint64_t id)
{
	int ret = file_call(session, REFOBJ_IOC_GET_PAYLOAD, id, 0, 0);
	struct refobj_stat stat;

	/* What is not there, the object or only its file? */
	if (ret == -ENOENT && !refobj_stat(session, id, &stat))
		ret = -ENODATA;
	return ret;
}

static int value_call(struct refobj_session *session, uint64_t id,
		      uint32_t flags, uint64_t version, const void *data,
		      size_t length)
{
	struct refobj_value args = {
		.size = sizeof(args), .flags = flags, .id = id,
		.data = (uintptr_t)data, .version = version, .length = length,
	};

	if (length > REFOBJ_VALUE_MAX)
		return -EINVAL;
	return refobj__call(session, REFOBJ_IOC_SET_VALUE, &args);
}

int refobj_set_value(struct refobj_session *session, uint64_t id,
		     const void *data, size_t length)
{
	return value_call(session, id, 0, 0, data, length);
}

int refobj_set_value_if(struct refobj_session *session, uint64_t id,
			uint64_t version, const void *data, size_t length)
{
	return value_call(session, id, REFOBJ_VALUE_IF, version, data, length);
}

int refobj_get_value(struct refobj_session *session, uint64_t id, void *data,
		     size_t size, uint64_t *version)
{
	struct refobj_value args = {
		.size = sizeof(args), .id = id, .data = (uintptr_t)data,
		.length = size < REFOBJ_VALUE_MAX ? size : REFOBJ_VALUE_MAX,
	};
	int ret = refobj__call(session, REFOBJ_IOC_GET_VALUE, &args);

	if (ret < 0)
		return ret;
	if (version)
		*version = args.version;
	return args.length;
}

/*
 * Blobs
 */

/* A sealed memfd of what @fill writes, or a negative errno. */
static int make_memfd(size_t size,
		      int (*fill)(void *memory, size_t size, void *arg),
		      void *arg)
{
	void *memory;
	int fd, ret;

	if (!size || size > PTRDIFF_MAX)
		return -EINVAL;
	fd = memfd_create("refobj", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	/* Here, and not by SIGBUS while it is filled, memory may be missing. */
	if (fallocate(fd, 0, 0, (off_t)size)) {
		ret = -errno;
		goto close_fd;
	}
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		ret = -errno;
		goto close_fd;
	}
	ret = fill(memory, size, arg);
	/* As long as it is mapped for writing it cannot be sealed. */
	munmap(memory, size);
	if (ret > 0)
		ret = -EINVAL;
	if (!ret && fcntl(fd, F_ADD_SEALS, SEALED | F_SEAL_SEAL))
		ret = -errno;
	if (!ret)
		return fd;

close_fd:
	close(fd);
	return ret;
}

static int copy_bytes(void *memory, size_t size, void *arg)
{
	memcpy(memory, arg, size);
	return 0;
}

int refobj_publish_memfd(struct refobj_session *session, uint64_t id,
			 const void *data, size_t size)
{
	int saved = errno, fd, ret;

	fd = make_memfd(size, copy_bytes, (void *)data);
	ret = fd;
	if (fd >= 0) {
		ret = refobj_publish(session, id, fd);
		close(fd);
	}
	errno = saved;
	return ret;
}

/* Maps a file that nobody can change, or take away from under the mapping. */
static int map_sealed(struct refobj_blob *blob, int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *data;

	if (seals < 0 || (seals & SEALED) != SEALED)
		return -EPROTO;
	if (fstat(fd, &st))
		return -errno;
	if (!st.st_size || (uint64_t)st.st_size > SIZE_MAX)
		return -EPROTO;
	/*
	 * Private is as good: nobody writes, so the pages are the file's. Before
	 * 6.7 a sealed file cannot be mapped shared.
	 */
	data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	blob->data = data;
	blob->size = st.st_size;
	return 0;
}

static int blob_map(struct refobj_blob *blob)
{
	int fd = refobj_get_file(blob->ref.session, blob->ref.id), ret;

	if (fd < 0)
		return fd;
	ret = map_sealed(blob, fd);
	close(fd);
	return ret;
}

/* Until somebody has built it, or it is for us to build. */
static int blob_wait(struct refobj_blob *blob, uint64_t deadline_ns)
{
	struct refobj_condition condition = {
		.id = blob->ref.id, .until = REFOBJ_UNTIL_READY,
		.flags = REFOBJ_COND_BUILD,
	};
	int ret;

	ret = refobj_wait_many(blob->ref.session, &condition, 1, 0, deadline_ns);
	if (ret != -EACCES)
		return ret;
	/* Who may not write the object can wait for others to build it. */
	condition.flags = 0;
	return refobj_wait_many(blob->ref.session, &condition, 1, 0,
				deadline_ns);
}

int refobj_blob_open(struct refobj_blob *blob, struct refobj_session *session,
		     const char *name, const struct refobj_attr *attr,
		     uint64_t deadline_ns)
{
	struct refobj_attr ours = attr ? *attr : (struct refobj_attr) { 0 };
	int saved = errno, ret;
	uint64_t id;

	ours.flags |= REFOBJ_BUILD;
	*blob = (struct refobj_blob) { 0 };
	ret = refobj_attach(session, name, &ours, 1, &id, NULL);
	if (ret < 0)
		return ret;
	blob->ref = (struct refobj_ref) { session, id };
	if (!(ret & REFOBJ_BUILDER))
		ret = blob_wait(blob, deadline_ns);
	if (ret >= 0)
		ret &= REFOBJ_BUILDER;
	if (!ret)
		ret = blob_map(blob);
	if (ret < 0)
		refobj_blob_close(blob);
	errno = saved;
	return ret;
}

int refobj_blob_build(struct refobj_blob *blob, size_t size,
		      int (*fill)(void *memory, size_t size, void *arg),
		      void *arg)
{
	struct refobj_blob built = { .ref = blob->ref };
	int saved = errno, fd, ret;

	fd = make_memfd(size, fill, arg);
	ret = fd;
	if (fd >= 0) {
		/* Mapped first: when it is published nothing can fail any more. */
		ret = map_sealed(&built, fd);
		if (!ret) {
			ret = refobj_publish(blob->ref.session, blob->ref.id,
					     fd);
			if (ret)
				munmap((void *)built.data, built.size);
			else
				*blob = built;
		}
		close(fd);
	}
	errno = saved;
	return ret;
}

int refobj_blob_close(struct refobj_blob *blob)
{
	int saved = errno, ret;

	if (blob->data)
		munmap((void *)blob->data, blob->size);
	blob->data = NULL;
	blob->size = 0;
	ret = refobj_ref_close(&blob->ref);
	errno = saved;
	return ret;
}
