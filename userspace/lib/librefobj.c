// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * librefobj: sessions, and a call for each command that works on objects.
 * librefobj.h has the contract.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define DEFAULT_DEVICE	"/dev/refobj"

/*
 * Which process this is, without a system call: a word in a page that the
 * kernel wipes in every forked child, by whatever call it was made. A child that
 * opens a session of its own fills the word anew; a counter beside the pid keeps
 * a pid that comes round again from passing for its ancestor.
 */
static uint64_t *process_word;
static pthread_mutex_t process_lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t this_process(void)
{
	return __atomic_load_n(process_word, __ATOMIC_RELAXED);
}

int refobj__mark_process(void)
{
	static uint32_t forks;
	int ret = 0;
	void *page;

	pthread_mutex_lock(&process_lock);
	if (!process_word) {
		long size = sysconf(_SC_PAGESIZE);

		page = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED) {
			ret = -errno;
		} else if (madvise(page, size, MADV_WIPEONFORK)) {
			ret = -errno;
			munmap(page, size);
		} else {
			process_word = page;
		}
	}
	if (!ret && !this_process()) {
		forks++;
		__atomic_store_n(process_word,
				 (uint64_t)forks << 32 | (uint32_t)getpid(),
				 __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&process_lock);
	return ret;
}

const uint64_t *refobj__process_word(void)
{
	return process_word;
}

bool refobj__is_ours(const struct refobj_session *session)
{
	return __atomic_load_n(&session->process, __ATOMIC_RELAXED) ==
	       this_process();
}

int refobj__call(const struct refobj_session *session, unsigned long cmd,
		 void *arg)
{
	int saved = errno, ret;

	if (!refobj__is_ours(session))
		return -ECHILD;
	ret = ioctl(session->fd, cmd, arg);
	if (ret < 0) {
		ret = -errno;
		errno = saved;
	}
	return ret;
}

int refobj__put_string(char *field, size_t size, const char *string)
{
	size_t len = string ? strlen(string) : 0;

	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(field, string ? string : "", len + 1);
	return 0;
}

static int set_owner(struct refobj_session *session, unsigned int flags)
{
	struct refobj_adopt args = { .size = sizeof(args), .flags = flags };

	return refobj__call(session, REFOBJ_IOC_ADOPT, &args);
}

static int open_session(struct refobj_session **session, bool bound)
{
	const char *device = secure_getenv("REFOBJ_DEVICE");
	struct refobj_session *new;
	struct refobj_info info;
	int saved = errno, ret;

	ret = refobj__mark_process();
	if (ret)
		goto restore;
	new = calloc(1, sizeof(*new));
	if (!new) {
		ret = -ENOMEM;
		goto restore;
	}
	pthread_mutex_init(&new->lock, NULL);
	new->process = this_process();
	new->fd = open(device ? device : DEFAULT_DEVICE,
		       O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (new->fd < 0) {
		ret = -errno;
		goto free_new;
	}
	/* Whatever the path led to, it must speak our language. */
	ret = refobj_info(new, &info);
	if (!ret && !bound)
		ret = set_owner(new, REFOBJ_ADOPT_NOBODY);
	if (ret)
		goto close_fd;
	*session = new;
	errno = saved;
	return 0;

close_fd:
	close(new->fd);
free_new:
	free(new);
restore:
	errno = saved;
	return ret;
}

int refobj_open(struct refobj_session **session)
{
	return open_session(session, true);
}

int refobj_open_unbound(struct refobj_session **session)
{
	return open_session(session, false);
}

int refobj_adopt(struct refobj_session *session, unsigned int flags)
{
	uint64_t before = session->process;
	bool ours;
	int ret;

	ret = refobj__mark_process();
	if (ret)
		return ret;
	ours = refobj__is_ours(session);
	__atomic_store_n(&session->process, this_process(), __ATOMIC_RELAXED);
	ret = set_owner(session, flags);
	if (ret) {
		__atomic_store_n(&session->process, before, __ATOMIC_RELAXED);
	} else if (!ours && session->depth &&
		   !pthread_equal(session->dispatcher, pthread_self())) {
		/* That thread has stayed in the parent. */
		session->depth = 0;
	}
	return ret;
}

void refobj_close(struct refobj_session *session)
{
	int saved = errno;

	if (!session)
		return;
	/*
	 * In a forked child too: its copy of the descriptor is of no use to it,
	 * and may keep the parent's references alive after the parent.
	 */
	close(session->fd);
	refobj__free_watches(session, refobj__is_ours(session));
	free(session);
	errno = saved;
}

int refobj_fd(const struct refobj_session *session)
{
	return refobj__is_ours(session) ? session->fd : -ECHILD;
}

int refobj_info(struct refobj_session *session, struct refobj_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return refobj__call(session, REFOBJ_IOC_INFO, info);
}

int refobj_create(struct refobj_session *session, const char *name,
		  const struct refobj_attr *attr, unsigned int initial,
		  uint64_t *id)
{
	struct refobj_create args = {
		.size = sizeof(args),
		.flags = attr ? attr->flags : 0,
		.mode = attr ? attr->mode : 0,
		.initial = initial,
		.linger_ms = attr ? attr->linger_ms : 0,
	};
	int ret;

	ret = refobj__put_string(args.name, sizeof(args.name), name);
	if (!ret)
		ret = refobj__put_string(args.type, sizeof(args.type),
					 attr ? attr->type : NULL);
	if (!ret)
		ret = refobj__call(session, REFOBJ_IOC_CREATE, &args);
	if (ret >= 0 && id)
		*id = args.id;
	return ret;
}

int refobj_attach(struct refobj_session *session, const char *name,
		  const struct refobj_attr *attr, unsigned int count,
		  uint64_t *id, int *created)
{
	struct refobj_attach args = {
		.size = sizeof(args),
		.flags = attr ? attr->flags : 0,
		.mode = attr ? attr->mode : 0,
		.count = count,
		.linger_ms = attr ? attr->linger_ms : 0,
	};
	int ret;

	ret = refobj__put_string(args.name, sizeof(args.name), name);
	if (!ret)
		ret = refobj__put_string(args.type, sizeof(args.type),
					 attr ? attr->type : NULL);
	if (!ret)
		ret = refobj__call(session, REFOBJ_IOC_ATTACH, &args);
	if (ret >= 0 && id)
		*id = args.id;
	if (ret >= 0 && created)
		*created = args.created;
	return ret;
}

int refobj_lookup(struct refobj_session *session, const char *name,
		  const char *type, uint64_t *id)
{
	struct refobj_lookup args = { .size = sizeof(args) };
	int ret;

	ret = refobj__put_string(args.name, sizeof(args.name), name);
	if (!ret)
		ret = refobj__put_string(args.type, sizeof(args.type), type);
	if (!ret)
		ret = refobj__call(session, REFOBJ_IOC_LOOKUP, &args);
	if (!ret)
		*id = args.id;
	return ret;
}

int refobj_acquire(struct refobj_session *session, uint64_t id,
		   unsigned int count)
{
	return refobj_acquire_as(session, id, count, 0, NULL);
}

int refobj_acquire_as(struct refobj_session *session, uint64_t id,
		      unsigned int count, unsigned int flags, const char *type)
{
	struct refobj_acquire args = {
		.size = sizeof(args), .flags = flags, .id = id, .count = count,
	};
	int ret = refobj__put_string(args.type, sizeof(args.type), type);

	return ret ? ret : refobj__call(session, REFOBJ_IOC_ACQUIRE, &args);
}

int refobj_release(struct refobj_session *session, uint64_t id,
		   unsigned int count)
{
	struct refobj_release args = {
		.size = sizeof(args), .id = id, .count = count,
	};

	return refobj__call(session, REFOBJ_IOC_RELEASE, &args);
}

int refobj_release_all(struct refobj_session *session, uint64_t id)
{
	struct refobj_release_all args = { .size = sizeof(args), .id = id };

	return refobj__call(session, REFOBJ_IOC_RELEASE_ALL, &args);
}

long refobj_submit(struct refobj_session *session, struct refobj_op *ops,
		   size_t count, unsigned int flags)
{
	struct refobj_submit args = {
		.size = sizeof(args), .flags = flags, .op_size = sizeof(*ops),
	};
	size_t done = 0;
	int ret;

	do {
		args.ops = (uintptr_t)(ops + done);
		args.count = count - done < REFOBJ_SUBMIT_MAX ? count - done :
								REFOBJ_SUBMIT_MAX;
		ret = refobj__call(session, REFOBJ_IOC_SUBMIT, &args);
		if (ret < 0)
			return done ? (long)done : ret;
		done += ret;
		/* Fewer than asked for: a refusal, a signal, or no memory. */
	} while ((uint32_t)ret == args.count && done < count &&
		 (flags & REFOBJ_SUBMIT_ALL || ops[done - 1].result >= 0));
	return done;
}

static int stat_call(struct refobj_session *session, struct refobj_stat *stat,
		     uint64_t id, uint32_t flags)
{
	memset(stat, 0, sizeof(*stat));
	stat->size = sizeof(*stat);
	stat->flags = flags;
	stat->id = id;
	return refobj__call(session, REFOBJ_IOC_STAT, stat);
}

int refobj_stat(struct refobj_session *session, uint64_t id,
		struct refobj_stat *stat)
{
	return stat_call(session, stat, id, 0);
}

int refobj_next(struct refobj_session *session, struct refobj_stat *stat)
{
	return stat_call(session, stat, stat->id, REFOBJ_STAT_NEXT);
}

int refobj_holders(struct refobj_session *session, uint64_t id,
		   struct refobj_holder **records)
{
	struct refobj_holders args = {
		.size = sizeof(args), .id = id,
		.record_size = sizeof(struct refobj_holder),
	};
	struct refobj_holder *all = NULL, *more;
	size_t have = 0, room = 0;
	int ret;

	/* The first call asks only how many; the walk ends with a cursor of 0. */
	do {
		ret = refobj__call(session, REFOBJ_IOC_HOLDERS, &args);
		if (ret)
			goto fail;
		have += args.count;
		if (room && !args.cursor)
			break;
		/* Holders come and go: some more room than was asked for. */
		room = have + (args.total > have ? args.total - have : 0) + 8;
		more = realloc(all, room * sizeof(*all));
		if (!more) {
			ret = -ENOMEM;
			goto fail;
		}
		all = more;
		args.records = (uintptr_t)(all + have);
		args.capacity = room - have;
	} while (1);
	if (!have) {
		free(all);
		all = NULL;
	}
	*records = all;
	return have;

fail:
	free(all);
	return ret;
}

int refobj_destroy(struct refobj_session *session, uint64_t id)
{
	struct refobj_destroy args = { .size = sizeof(args), .id = id };

	return refobj__call(session, REFOBJ_IOC_DESTROY, &args);
}

int refobj_set_why(struct refobj_session *session, uint64_t id, const char *why)
{
	struct refobj_set_why args = { .size = sizeof(args), .id = id };
	int ret = refobj__put_string(args.why, sizeof(args.why), why);

	return ret ? ret : refobj__call(session, REFOBJ_IOC_SET_WHY, &args);
}

int refobj_is_type(struct refobj_session *session, uint64_t id,
		   const char *type)
{
	struct refobj_stat stat;
	int ret = refobj_stat(session, id, &stat);

	return ret ? ret : !strcmp(stat.type, type ? type : "");
}

static int link_call(struct refobj_session *session, unsigned long cmd,
		     uint64_t id, uint64_t dep)
{
	struct refobj_link args = {
		.size = sizeof(args), .id = id, .dep = dep,
	};

	return refobj__call(session, cmd, &args);
}

int refobj_link(struct refobj_session *session, uint64_t id, uint64_t dep)
{
	return link_call(session, REFOBJ_IOC_LINK, id, dep);
}

int refobj_unlink(struct refobj_session *session, uint64_t id, uint64_t dep)
{
	return link_call(session, REFOBJ_IOC_UNLINK, id, dep);
}

int refobj_export(struct refobj_session *session, uint64_t id)
{
	struct refobj_export args = { .size = sizeof(args), .id = id };

	return refobj__call(session, REFOBJ_IOC_EXPORT, &args);
}

int refobj_import(struct refobj_session *session, int fd, uint64_t *id)
{
	struct refobj_import args = {
		.size = sizeof(args), .fd = fd, .count = 1,
	};
	int ret = refobj__call(session, REFOBJ_IOC_IMPORT, &args);

	if (ret >= 0 && id)
		*id = args.id;
	return ret;
}

const char *refobj_version(void)
{
	return LIBREFOBJ_VERSION;
}
