// SPDX-License-Identifier: GPL-2.0-only
/*
 * librefobj's blobs: memory that the first one builds, the others map, and the
 * last one frees, whoever dies in between.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"
#include "library.h"

#define NAME	"lib-blob"
#define SIZE	100000

FIXTURE(blob) {
	struct refobj_session *s;
	struct refobj_session *other;
};

FIXTURE_SETUP(blob)
{
	if (access(REFOBJ_DEV, F_OK))
		SKIP(return, "no " REFOBJ_DEV ": the module is not loaded");
	ASSERT_EQ(0, refobj_open(&self->s));
	ASSERT_EQ(0, refobj_open(&self->other));
}

FIXTURE_TEARDOWN(blob)
{
	refobj_close(self->s);
	refobj_close(self->other);
}

/* Fills memory with a byte; less than zero is an error instead. */
static int fill(void *memory, size_t size, void *arg)
{
	int c = *(int *)arg;
	const char *zeroed = memory;

	if (c < 0)
		return c;
	if (zeroed[0] || zeroed[size - 1])
		return -ENOTEMPTY;
	memset(memory, c, size);
	return 0;
}

static bool filled(const struct refobj_blob *blob, char c)
{
	const char *data = blob->data;

	return data && blob->size == SIZE && data[0] == c &&
	       !memcmp(data, data + 1, SIZE - 1);
}

static bool exists(struct refobj_session *s)
{
	uint64_t id;

	return !refobj_lookup(s, NAME, NULL, &id);
}

static int build(struct refobj_blob *blob, int c)
{
	return refobj_blob_build(blob, SIZE, fill, &c);
}

TEST_F(blob, first_builds_and_others_map)
{
	struct refobj_attr attr = { .type = "weights", .mode = 0640 };
	struct refobj_blob blob, same;
	struct refobj_stat st;

	ASSERT_EQ(REFOBJ_BUILDER,
		  refobj_blob_open(&blob, self->s, NAME, &attr, UINT64_MAX));
	EXPECT_EQ(NULL, blob.data);
	ASSERT_EQ(0, refobj_stat(self->s, blob.ref.id, &st));
	EXPECT_EQ(REFOBJ_STATE_BUILDING, st.state);
	EXPECT_STREQ("weights", st.type);
	EXPECT_EQ(0640, st.mode);
	ASSERT_EQ(0, build(&blob, 'w'));
	EXPECT_TRUE(filled(&blob, 'w'));
	ASSERT_EQ(0, refobj_blob_open(&same, self->other, NAME, NULL, 0));
	EXPECT_EQ(blob.ref.id, same.ref.id);
	EXPECT_TRUE(filled(&same, 'w'));
	EXPECT_EQ(-EPERM, build(&same, 'x'));
	EXPECT_TRUE(filled(&same, 'w'));
	EXPECT_EQ(0, refobj_blob_close(&blob));
	EXPECT_EQ(NULL, blob.data);
	EXPECT_EQ(0, refobj_blob_close(&blob));
	EXPECT_TRUE(filled(&same, 'w'));
	EXPECT_EQ(1, refobj_blob_close(&same));
	EXPECT_EQ(0, refobj_blob_close(&same));
	EXPECT_FALSE(exists(self->s));
}

/* Nobody can change or shorten what the others have mapped. */
TEST_F(blob, is_sealed)
{
	struct refobj_blob blob;
	int fd;

	ASSERT_EQ(REFOBJ_BUILDER,
		  refobj_blob_open(&blob, self->s, NAME, NULL, UINT64_MAX));
	ASSERT_EQ(0, build(&blob, 'w'));
	fd = refobj_get_file(self->s, blob.ref.id);
	ASSERT_LE(0, fd);
	EXPECT_EQ(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
		  fcntl(fd, F_GET_SEALS));
	EXPECT_EQ(-1, pwrite(fd, "x", 1, 0));
	EXPECT_EQ(-1, ftruncate(fd, 1));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
				   MAP_SHARED, fd, 0));
	close(fd);
	EXPECT_EQ(1, refobj_blob_close(&blob));
}

TEST_F(blob, building_may_fail_and_be_tried_again)
{
	struct refobj_blob blob, same;
	int c = 'w';

	ASSERT_EQ(REFOBJ_BUILDER,
		  refobj_blob_open(&blob, self->s, NAME, NULL, UINT64_MAX));
	EXPECT_EQ(-EIO, build(&blob, -EIO));
	EXPECT_EQ(-EINVAL, refobj_blob_build(&blob, 0, fill, &c));
	EXPECT_EQ(-EINVAL, refobj_blob_build(&blob, SIZE_MAX, fill, &c));
	EXPECT_EQ(NULL, blob.data);
	/* The others wait meanwhile, and have nothing when they give up. */
	EXPECT_EQ(-ETIMEDOUT, refobj_blob_open(&same, self->other, NAME, NULL,
					       refobj_deadline(1)));
	EXPECT_EQ(1, lib_users(self->s, blob.ref.id));
	EXPECT_EQ(0, refobj_blob_close(&same));
	EXPECT_EQ(0, build(&blob, 'w'));
	EXPECT_EQ(1, refobj_blob_close(&blob));
}

struct opener {
	struct refobj_session *s;
	struct refobj_blob blob;
	int ret;
};

static void *open_blob(void *arg)
{
	struct opener *o = arg;

	o->ret = refobj_blob_open(&o->blob, o->s, NAME, NULL, UINT64_MAX);
	return NULL;
}

/* Who waits, or comes a moment later, takes over from a builder that gives up. */
TEST_F(blob, builder_gives_up)
{
	struct opener o = { .s = self->other };
	struct refobj_blob blob;
	pthread_t thread;

	ASSERT_EQ(REFOBJ_BUILDER,
		  refobj_blob_open(&blob, self->s, NAME, NULL, UINT64_MAX));
	ASSERT_EQ(0, pthread_create(&thread, NULL, open_blob, &o));
	EXPECT_LE(0, refobj_blob_close(&blob));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(REFOBJ_BUILDER, o.ret);
	EXPECT_EQ(0, build(&o.blob, 'x'));
	EXPECT_EQ(0, refobj_blob_open(&blob, self->s, NAME, NULL, UINT64_MAX));
	EXPECT_TRUE(filled(&blob, 'x'));
	EXPECT_EQ(0, refobj_blob_close(&blob));
	EXPECT_EQ(1, refobj_blob_close(&o.blob));
}

/*
 * F1: eight processes want one blob, and each builder but the last is killed while
 * it builds. The others end with the bytes of the one that was not.
 */
TEST_F(blob, builders_are_killed)
{
	enum { N = 8, SERVED = 1, BUILDS };
	struct ro_kid kid[N], *last = NULL;
	struct refobj_blob blob;
	int i, killed = 0, served = 0, said[N] = { 0 };

	for (i = 0; i < N; i++) {
		ASSERT_LE(0, ro_kid_fork(&kid[i]));
		if (!kid[i].pid) {
			struct refobj_session *s;
			int ret;

			LIB_EXPECT(0, refobj_open(&s));
			ret = refobj_blob_open(&blob, s, NAME, NULL, UINT64_MAX);
			if (ret == REFOBJ_BUILDER) {
				ro_kid_say(&kid[i], BUILDS);
				ro_kid_hear(&kid[i]);
				LIB_EXPECT(0, build(&blob, 'b'));
			} else {
				LIB_EXPECT(0, ret);
			}
			LIB_EXPECT(1, filled(&blob, 'b'));
			ro_kid_say(&kid[i], lib_failures ? -1 : SERVED);
			ro_kid_hear(&kid[i]);
			LIB_EXIT();
		}
	}
	/* One of those that are left says that it builds, and no other word comes. */
	while (!last) {
		struct pollfd p[N];

		for (i = 0; i < N; i++)
			p[i] = (struct pollfd) {
				.fd = said[i] ? -1 : kid[i].pipe.up[0],
				.events = POLLIN,
			};
		ASSERT_LT(0, poll(p, N, -1));
		for (i = 0; i < N && !(p[i].revents & POLLIN); i++)
			;
		ASSERT_NE(N, i);
		ASSERT_EQ(BUILDS, ro_kid_hear(&kid[i]));
		said[i] = BUILDS;
		if (killed == 5) {
			last = &kid[i];
		} else {
			EXPECT_EQ(-SIGKILL, ro_kid_kill(&kid[i], SIGKILL));
			killed++;
		}
	}
	ro_kid_say(last, 0);
	for (i = 0; i < N; i++) {
		if (said[i] && &kid[i] != last)
			continue;
		EXPECT_EQ(SERVED, ro_kid_hear(&kid[i]));
		served++;
	}
	EXPECT_EQ(N - 5, served);
	EXPECT_TRUE(exists(self->s));
	for (i = 0; i < N; i++)
		if (!said[i] || &kid[i] == last)
			EXPECT_EQ(0, ro_kid_end(&kid[i]));
	EXPECT_FALSE(exists(self->s));
}

/* Who may only read waits for others to build. */
TEST_F(blob, reader_without_write_permission)
{
	struct refobj_attr attr = { .mode = 0644 };
	struct refobj_blob blob;
	struct ro_kid kid;

	ASSERT_EQ(REFOBJ_BUILDER,
		  refobj_blob_open(&blob, self->s, NAME, &attr, UINT64_MAX));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		struct refobj_session *s;

		LIB_EXPECT(0, setuid(65534));
		LIB_EXPECT(0, refobj_open(&s));
		LIB_EXPECT(-ETIMEDOUT, refobj_blob_open(&blob, s, NAME, NULL, 0));
		ro_kid_say(&kid, lib_failures);
		LIB_EXPECT(0, refobj_blob_open(&blob, s, NAME, NULL, UINT64_MAX));
		LIB_EXPECT(1, filled(&blob, 'w'));
		LIB_EXIT();
	}
	ASSERT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(0, build(&blob, 'w'));
	EXPECT_EQ(0, ro_kid_reap(&kid));
	EXPECT_EQ(1, refobj_blob_close(&blob));
}

TEST_F(blob, type_is_demanded)
{
	struct refobj_attr attr = { .type = "weights" }, wrong = { .type = "x" };
	struct refobj_blob blob, other;

	ASSERT_EQ(REFOBJ_BUILDER,
		  refobj_blob_open(&blob, self->s, NAME, &attr, UINT64_MAX));
	ASSERT_EQ(0, build(&blob, 'w'));
	EXPECT_EQ(-EPROTOTYPE,
		  refobj_blob_open(&other, self->other, NAME, &wrong, 0));
	EXPECT_EQ(0, refobj_blob_close(&other));
	EXPECT_EQ(1, refobj_blob_close(&blob));
}

TEST_F(blob, bytes_that_are_at_hand)
{
	struct refobj_attr attr = { .flags = REFOBJ_BUILD };
	char bytes[SIZE], c = 'c';
	struct refobj_blob blob;
	uint64_t id;

	memset(bytes, 'p', sizeof(bytes));
	ASSERT_EQ(257, refobj_create(self->s, NAME, &attr, 1, &id));
	EXPECT_EQ(-EINVAL, refobj_publish_memfd(self->s, id, &c, 0));
	EXPECT_EQ(-EPERM, refobj_publish_memfd(self->other, id, &c, 1));
	EXPECT_EQ(0, refobj_publish_memfd(self->s, id, bytes, sizeof(bytes)));
	EXPECT_EQ(-EPERM, refobj_publish_memfd(self->s, id, &c, 1));
	bytes[0] = '-';
	ASSERT_EQ(0, refobj_blob_open(&blob, self->other, NAME, NULL, 0));
	EXPECT_TRUE(filled(&blob, 'p'));
	EXPECT_EQ(0, refobj_blob_close(&blob));
}

/* What could change or vanish under the mapping is not mapped. */
TEST_F(blob, files_that_are_refused)
{
	struct refobj_attr attr = { .flags = REFOBJ_BUILD };
	char path[] = "/tmp/library_blob.XXXXXX";
	int memfd, empty, file, seals;
	struct refobj_blob blob;
	uint64_t id;

	ASSERT_EQ(257, refobj_create(self->s, NAME, &attr, 1, &id));
	ASSERT_EQ(0, refobj_publish(self->s, id, -1));
	EXPECT_EQ(-ENODATA, refobj_blob_open(&blob, self->other, NAME, NULL, 0));

	file = mkstemp(path);
	ASSERT_LE(0, file);
	unlink(path);
	ASSERT_EQ(0, ftruncate(file, SIZE));
	ASSERT_EQ(0, refobj_set_file(self->s, id, file));
	EXPECT_EQ(-EPROTO, refobj_blob_open(&blob, self->other, NAME, NULL, 0));

	memfd = memfd_create("library_blob", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	empty = memfd_create("library_blob", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ASSERT_LE(0, memfd);
	ASSERT_LE(0, empty);
	ASSERT_EQ(0, ftruncate(memfd, SIZE));
	ASSERT_EQ(0, refobj_set_file(self->s, id, memfd));
	EXPECT_EQ(-EPROTO, refobj_blob_open(&blob, self->other, NAME, NULL, 0));
	for (seals = F_SEAL_SHRINK; seals < F_SEAL_WRITE; seals <<= 1) {
		ASSERT_EQ(0, fcntl(memfd, F_ADD_SEALS, seals));
		EXPECT_EQ(-EPROTO, refobj_blob_open(&blob, self->other, NAME,
						    NULL, 0));
	}
	ASSERT_EQ(0, fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE));
	EXPECT_EQ(0, refobj_blob_open(&blob, self->other, NAME, NULL, 0));
	EXPECT_EQ(SIZE, blob.size);
	EXPECT_EQ(0, refobj_blob_close(&blob));

	ASSERT_EQ(0, fcntl(empty, F_ADD_SEALS,
			   F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
	ASSERT_EQ(0, refobj_set_file(self->s, id, empty));
	EXPECT_EQ(-EPROTO, refobj_blob_open(&blob, self->other, NAME, NULL, 0));
	/* None of those that failed has left a reference behind. */
	EXPECT_EQ(1, lib_users(self->s, id));
	close(memfd);
	close(empty);
	close(file);
}

TEST_HARNESS_MAIN
