// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first builds, the others wait: who becomes the builder of an object, and to
 * whom the role goes when he dies.
 */
#define _GNU_SOURCE
#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define PATIENCE	240
#define FIRST		REFOBJ_FIRST
#define BUILDER		REFOBJ_BUILDER
#define PERSISTENT	(REFOBJ_PERSISTENT | REFOBJ_BUILD)
#define USER		4321	/* an ordinary one */

FIXTURE(build) {
	struct ro_look look;	/* whose session acts */
	int fd;			/* whose session is told, and which acts too */
	__u64 id;		/* persistent, idle */
};

FIXTURE_SETUP(build)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	self->fd = ro_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ro_create(self->look.fd, "build", PERSISTENT, 0,
			       &self->id));
	ASSERT_EQ(0, ro_watch(self->fd, self->id, REFOBJ_WATCH_DEFAULT, 0));
	ASSERT_STREQ("snapshot none idle 0", ro_told(self->fd));
}

FIXTURE_TEARDOWN(build)
{
	close(self->fd);
	EXPECT_EQ(0, ro_destroy(self->look.fd, self->id));
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

static pid_t builder_of(int fd, __u64 id)
{
	struct refobj_stat st;

	return ro_stat(fd, id, &st) ? -1 : (pid_t)st.builder;
}

static int state_of(int fd, __u64 id)
{
	struct refobj_stat st;

	return ro_stat(fd, id, &st) ? -1 : (int)st.state;
}

/*
 * A child that holds the object, and is its builder from the start, or waits until
 * it is ready, or for it to build. It says what came of that, and does what it is
 * then told.
 */
enum candidate { STARTS, WAITS, BUILDS };
enum order { PUBLISH = 1, RELEASE };

static void candidate(struct ro_kid *kid, __u64 id, enum candidate how)
{
	int64_t word;
	int fd;

	if (ro_kid_fork(kid))
		return;
	fd = ro_open();
	ro_kid_say(kid, 10000 + ro_acquire(fd, id, 1,
					   how == STARTS ?
					   REFOBJ_ACQUIRE_BUILD : 0));
	if (how == BUILDS)
		ro_kid_say(kid, ro_wait_build(fd, id, RO_FOREVER));
	else if (how == WAITS)
		ro_kid_say(kid, ro_wait(fd, id, REFOBJ_UNTIL_READY, 0,
					RO_FOREVER));
	while ((word = ro_kid_hear(kid)) > 0)
		ro_kid_say(kid, word == PUBLISH ? ro_publish(fd, id) :
						  ro_release_all(fd, id));
	_exit(0);
}

/* It sleeps: whoever starts later will have waited less. */
static bool is_candidate(struct ro_kid *kid)
{
	return ro_kid_hear(kid) == 10000 && ro_kid_sleeps(kid);
}

static int order(struct ro_kid *kid, enum order what)
{
	ro_kid_say(kid, what);
	return ro_kid_hear(kid);
}

/* Whoever makes it and holds it builds it. */
TEST_F(build, its_maker)
{
	unsigned int created = 9;
	int fd = self->look.fd;
	__u64 id = 0;

	EXPECT_EQ(FIRST | BUILDER, ro_create(fd, "new", REFOBJ_BUILD, 1, &id));
	EXPECT_EQ(REFOBJ_STATE_BUILDING, state_of(fd, id));
	EXPECT_EQ(getpid(), builder_of(fd, id));
	/* Nobody else does. */
	EXPECT_EQ(0, ro_attach(self->fd, "new", REFOBJ_BUILD, 1, NULL, NULL));
	EXPECT_EQ(0, ro_acquire(self->fd, id, 1, REFOBJ_ACQUIRE_BUILD));
	EXPECT_EQ(0, ro_release(self->fd, id, 2));
	EXPECT_EQ(1, ro_release(fd, id, 1));
	EXPECT_EQ(FIRST | BUILDER, ro_attach(fd, "new", REFOBJ_BUILD, 1, &id,
					     &created));
	EXPECT_EQ(1U, created);
	EXPECT_EQ(1, ro_release(fd, id, 1));
	/* An object that is not to be built has no builder. */
	EXPECT_EQ(FIRST, ro_attach(fd, "new", 0, 1, &id, NULL));
	EXPECT_EQ(0, ro_attach(self->fd, "new", REFOBJ_BUILD, 1, NULL, NULL));
	EXPECT_EQ(0, ro_acquire(fd, id, 1, REFOBJ_ACQUIRE_BUILD));
	EXPECT_EQ(REFOBJ_STATE_READY, state_of(fd, id));
	EXPECT_EQ(-EPERM, ro_publish(fd, id));
	EXPECT_EQ(0, ro_release(self->fd, id, 1));
	EXPECT_EQ(1, ro_release_all(fd, id));
}

/* Of what is there already, the first to ask; told with the activation, or alone. */
TEST_F(build, the_first_to_ask)
{
	int fd = self->look.fd;
	__u64 id = self->id;

	EXPECT_EQ(FIRST, ro_acquire(fd, id, 1, 0));
	EXPECT_EQ(REFOBJ_STATE_BUILDING, state_of(fd, id));
	EXPECT_EQ(0, builder_of(fd, id));
	EXPECT_EQ(0, ro_attach(self->fd, "build", 0, 1, NULL, NULL));
	EXPECT_EQ(BUILDER, ro_acquire(self->fd, id, 1, REFOBJ_ACQUIRE_BUILD));
	EXPECT_EQ(0, ro_acquire(self->fd, id, 1, REFOBJ_ACQUIRE_BUILD));
	EXPECT_EQ(0, ro_acquire(fd, id, 1, REFOBJ_ACQUIRE_BUILD));
	EXPECT_STREQ("activated acquire building 1; "
		     "builder acquire building 3", ro_told(self->fd));
	EXPECT_EQ(0, ro_release_all(self->fd, id));
	EXPECT_EQ(1, ro_release_all(fd, id));
	EXPECT_STREQ("builder release building 2; deactivated release idle 0",
		     ro_told(self->fd));

	EXPECT_EQ(FIRST | BUILDER, ro_acquire(fd, id, 1000,
					      REFOBJ_ACQUIRE_BUILD));
	EXPECT_EQ(1, ro_release_all(fd, id));
	EXPECT_STREQ("activated acquire building 1000; "
		     "builder acquire building 1000; "
		     "deactivated release idle 0", ro_told(self->fd));
	EXPECT_EQ(FIRST | BUILDER, ro_attach(fd, "build", REFOBJ_BUILD, 1, NULL,
					     NULL));
	EXPECT_EQ(1, ro_release_all(fd, id));

	/* Not who is refused: the role stays free. */
	EXPECT_EQ(-EAGAIN, ro_acquire(fd, id, 1, REFOBJ_ACQUIRE_BUILD |
						 REFOBJ_ACQUIRE_NOT_ZERO));
	EXPECT_EQ(FIRST, ro_acquire(fd, id, 1, 0));
	EXPECT_EQ(BUILDER, ro_acquire(self->fd, id, 1,
				      REFOBJ_ACQUIRE_BUILD |
				      REFOBJ_ACQUIRE_NOT_ZERO));
	EXPECT_EQ(0, ro_release_all(fd, id));
	EXPECT_EQ(1, ro_release_all(self->fd, id));
}

/* Only the builder publishes, once; whoever waits for that is woken. */
TEST_F(build, publish)
{
	struct ro_kid kid[3];
	__u64 id = self->id;
	int i;

	EXPECT_EQ(-EPERM, ro_publish(self->look.fd, id));
	EXPECT_EQ(-ENOENT, ro_publish(self->look.fd, 0));
	EXPECT_EQ(FIRST | BUILDER, ro_acquire(self->look.fd, id, 1,
					      REFOBJ_ACQUIRE_BUILD));
	EXPECT_EQ(-EPERM, ro_publish(self->fd, id));
	EXPECT_EQ(0, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(-EPERM, ro_publish(self->fd, id));
	for (i = 0; i < 3; i++) {
		candidate(&kid[i], id, i % 2 ? BUILDS : WAITS);
		EXPECT_TRUE(is_candidate(&kid[i]));
	}
	EXPECT_EQ(-ETIMEDOUT, ro_wait(self->fd, id, REFOBJ_UNTIL_READY, 0, 0));
	EXPECT_EQ(0, ro_publish(self->look.fd, id));
	EXPECT_EQ(-EPERM, ro_publish(self->look.fd, id));
	EXPECT_EQ(REFOBJ_STATE_READY, state_of(self->look.fd, id));
	EXPECT_EQ(0, builder_of(self->look.fd, id));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, ro_kid_hear(&kid[i]));
		EXPECT_EQ(-EPERM, order(&kid[i], PUBLISH));
		EXPECT_EQ(0, ro_kid_end(&kid[i]));
	}
	EXPECT_EQ(0, ro_wait_build(self->fd, id, 0));
	EXPECT_EQ(0, ro_acquire(self->fd, id, 1, REFOBJ_ACQUIRE_BUILD));
	EXPECT_EQ(0, ro_release_all(self->fd, id));
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
	EXPECT_STREQ("activated acquire building 1; builder acquire building 1; "
		     "ready publish ready 5; died exit ready 4 x1; "
		     "died exit ready 3 x1; died exit ready 2 x1; "
		     "deactivated release idle 0", ro_told(self->fd));
	/* It is to be built anew, and may be published by whoever does that. */
	EXPECT_EQ(FIRST | BUILDER, ro_acquire(self->fd, id, 1,
					      REFOBJ_ACQUIRE_BUILD));
	EXPECT_EQ(-EPERM, ro_publish(self->look.fd, id));
	EXPECT_EQ(0, ro_publish(self->fd, id));
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
	EXPECT_EQ(2, ro_look_since(&self->look, "publishes"));
}

/* Who may not write the object may hold it, and does not become its builder. */
TEST_F(build, needs_permission)
{
	struct refobj_create c = {
		.size = sizeof(c), .flags = PERSISTENT, .mode = 0644,
		.name = "readable",
	};
	int other = ro_open_as(USER);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, ro_ioctl(self->look.fd, REFOBJ_IOC_CREATE, &c));
	EXPECT_EQ(FIRST, ro_acquire(other, c.id, 1, REFOBJ_ACQUIRE_BUILD));
	EXPECT_EQ(0, ro_acquire(other, c.id, 1, REFOBJ_ACQUIRE_BUILD));
	EXPECT_EQ(0, ro_attach(other, "readable", REFOBJ_BUILD, 1, NULL, NULL));
	EXPECT_EQ(REFOBJ_STATE_BUILDING, state_of(self->look.fd, c.id));
	EXPECT_EQ(0, builder_of(self->look.fd, c.id));
	EXPECT_EQ(-EACCES, ro_wait_build(other, c.id, 0));
	EXPECT_EQ(-EACCES, ro_publish(other, c.id));
	EXPECT_EQ(-ETIMEDOUT, ro_wait(other, c.id, REFOBJ_UNTIL_READY, 0, 0));
	EXPECT_EQ(BUILDER, ro_acquire(self->look.fd, c.id, 1,
				      REFOBJ_ACQUIRE_BUILD));
	EXPECT_EQ(-EACCES, ro_publish(other, c.id));
	EXPECT_EQ(0, ro_publish(self->look.fd, c.id));
	EXPECT_EQ(0, ro_wait(other, c.id, REFOBJ_UNTIL_READY, 0, 0));
	EXPECT_EQ(0, ro_release_all(other, c.id));
	EXPECT_EQ(1, ro_release(self->look.fd, c.id, 1));
	EXPECT_EQ(0, ro_destroy(self->look.fd, c.id));
	close(other);
}

/* The role that nobody has goes to the next who asks, in whatever way. */
TEST_F(build, a_vacant_role)
{
	struct refobj_condition c[2] = {
		{ .id = self->id, .until = REFOBJ_UNTIL_DEAD },
		{ .id = self->id, .until = REFOBJ_UNTIL_READY,
		  .flags = REFOBJ_COND_BUILD },
	};
	int fd = self->look.fd, i;
	__u64 id = self->id;

	EXPECT_EQ(FIRST, ro_acquire(self->fd, id, 1, 0));
	/* Without a reference nobody builds, whether or not he waits for more. */
	EXPECT_EQ(-EPERM, ro_wait_build(fd, id, 0));
	EXPECT_EQ(-EPERM, ro_wait_for(fd, c, 2, 0, 0));
	ro_told(self->fd);
	for (i = 0; i < 6; i++) {
		EXPECT_EQ(0, ro_acquire(fd, id, 1, 0));
		switch (i) {
		case 0:
			EXPECT_EQ(BUILDER, ro_acquire(fd, id, 1,
						      REFOBJ_ACQUIRE_BUILD));
			break;
		case 1:
			EXPECT_EQ(BUILDER, ro_attach(fd, "build", REFOBJ_BUILD,
						     1, NULL, NULL));
			break;
		case 2:
			EXPECT_EQ(BUILDER, ro_wait_build(fd, id, RO_FOREVER));
			break;
		case 3:
			EXPECT_EQ(BUILDER, ro_wait_build(fd, id, 0));
			break;
		case 4:
			EXPECT_EQ(1 | BUILDER, ro_wait_for(fd, c, 2, 0,
							   RO_FOREVER));
			break;
		case 5:
			/* At once, though not all have held. */
			EXPECT_EQ(1 | BUILDER,
				  ro_wait_for(fd, c, 2, REFOBJ_WAIT_ALL,
					      RO_FOREVER));
		}
		EXPECT_EQ(getpid(), builder_of(fd, id));
		/* It is no longer to be had, by the same session either. */
		EXPECT_EQ(-ETIMEDOUT, ro_wait_build(fd, id, 0));
		EXPECT_EQ(-ETIMEDOUT, ro_wait_build(self->fd, id, 0));
		EXPECT_EQ(0, ro_release_all(fd, id));
		EXPECT_EQ(0, builder_of(fd, id));
		EXPECT_EQ(REFOBJ_STATE_BUILDING, state_of(fd, id));
	}
	EXPECT_EQ(1, ro_release(self->fd, id, 1));
}

/* A part of the builder's references may go, and the role stays. */
TEST_F(build, with_the_last_reference)
{
	int fd = self->look.fd;

	EXPECT_EQ(FIRST | BUILDER, ro_acquire(fd, self->id, 3,
					      REFOBJ_ACQUIRE_BUILD));
	EXPECT_EQ(0, ro_acquire(self->fd, self->id, 1, 0));
	EXPECT_EQ(0, ro_release(fd, self->id, 2));
	EXPECT_EQ(getpid(), builder_of(fd, self->id));
	EXPECT_EQ(0, ro_release(fd, self->id, 1));
	EXPECT_EQ(0, builder_of(fd, self->id));
	EXPECT_EQ(-EPERM, ro_publish(fd, self->id));
	EXPECT_EQ(1, ro_release(self->fd, self->id, 1));
}

/* Whose session let go of the object while it waited is no heir any more. */
TEST_F(build, without_a_reference)
{
	int fd = ro_open();
	struct ro_kid kid;

	EXPECT_EQ(FIRST | BUILDER, ro_acquire(self->look.fd, self->id, 1,
					      REFOBJ_ACQUIRE_BUILD));
	EXPECT_EQ(0, ro_acquire(self->fd, self->id, 1, 0));
	EXPECT_EQ(0, ro_acquire(fd, self->id, 1, 0));
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		ro_kid_say(&kid, 1);
		ro_kid_say(&kid, ro_wait_build(fd, self->id, RO_FOREVER));
		_exit(0);
	}
	EXPECT_EQ(1, ro_kid_hear(&kid));
	EXPECT_TRUE(ro_kid_sleeps(&kid));
	EXPECT_EQ(0, ro_release(fd, self->id, 1));
	EXPECT_EQ(0, ro_acquire(fd, self->id, 1, 0));
	ro_told(self->fd);
	EXPECT_EQ(0, ro_release(self->look.fd, self->id, 1));
	EXPECT_EQ(0, builder_of(self->fd, self->id));
	EXPECT_STREQ("builder release building 2", ro_told(self->fd));
	EXPECT_EQ(BUILDER, ro_acquire(self->fd, self->id, 1,
				      REFOBJ_ACQUIRE_BUILD));
	EXPECT_TRUE(ro_kid_sleeps(&kid));
	EXPECT_EQ(0, ro_publish(self->fd, self->id));
	EXPECT_EQ(0, ro_kid_hear(&kid));
	EXPECT_EQ(0, ro_kid_reap(&kid));
	close(fd);
	EXPECT_EQ(1, ro_release_all(self->fd, self->id));
}

/*
 * Heirs: of a builder that releases, and of one that is killed
 */
FIXTURE(heir) {
	struct ro_look look;
	int fd;			/* whose session is told */
	__u64 id;		/* persistent, idle */
};

FIXTURE_VARIANT(heir) {
	int signal;		/* that kills builders, or 0: they release */
};

FIXTURE_VARIANT_ADD(heir, of_the_living) {
	.signal = 0,
};

FIXTURE_VARIANT_ADD(heir, of_the_dead) {
	.signal = SIGKILL,
};

FIXTURE_SETUP(heir)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	self->fd = ro_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ro_create(self->look.fd, "heir", PERSISTENT, 0, &self->id));
	ASSERT_EQ(0, ro_watch(self->fd, self->id,
			      REFOBJ_WATCH(REFOBJ_EVENT_BUILDER_CHANGED), 0));
}

FIXTURE_TEARDOWN(heir)
{
	close(self->fd);
	EXPECT_EQ(0, ro_destroy(self->look.fd, self->id));
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

/* The builder goes; when this is through, another is. */
static void gone(struct ro_kid *kid, int signal)
{
	if (signal) {
		ro_kid_kill(kid, signal);
	} else {
		order(kid, RELEASE);
		ro_kid_end(kid);
	}
}

/* The role goes to one, who has waited longest, and is told; the others sleep on. */
TEST_F(heir, is_one_of_those_who_wait)
{
	struct ro_kid first, plain, kid[3];
	char text[64];
	pid_t pid;
	int i, j;

	candidate(&first, self->id, STARTS);
	EXPECT_EQ(10000 + (FIRST | BUILDER), ro_kid_hear(&first));
	candidate(&plain, self->id, WAITS);
	EXPECT_TRUE(is_candidate(&plain));
	for (i = 0; i < 3; i++) {
		candidate(&kid[i], self->id, BUILDS);
		EXPECT_TRUE(is_candidate(&kid[i]));
	}
	EXPECT_STREQ("snapshot none idle 0; builder acquire building 1",
		     ro_told(self->fd));
	for (i = 0; i < 2; i++) {
		gone(i ? &kid[i - 1] : &first, variant->signal);
		EXPECT_EQ(BUILDER, ro_kid_hear(&kid[i]));
		EXPECT_EQ(kid[i].pid, builder_of(self->fd, self->id));
		snprintf(text, sizeof(text), "builder %s building %d",
			 variant->signal ? "signal-9" : "release", 4 - i);
		EXPECT_STREQ(text, ro_told_by(self->fd, &pid));
		EXPECT_EQ(kid[i].pid, pid);
		EXPECT_TRUE(ro_kid_sleeps(&plain));
		for (j = i + 1; j < 3; j++)
			EXPECT_TRUE(ro_kid_sleeps(&kid[j]));
	}
	EXPECT_EQ(0, order(&kid[1], PUBLISH));
	EXPECT_EQ(0, ro_kid_hear(&plain));
	EXPECT_EQ(0, ro_kid_hear(&kid[2]));
	EXPECT_EQ(-EPERM, order(&kid[2], PUBLISH));
	EXPECT_STREQ("", ro_told(self->fd));
	EXPECT_EQ(0, ro_kid_end(&plain));
	EXPECT_EQ(0, ro_kid_end(&kid[1]));
	EXPECT_EQ(0, ro_kid_end(&kid[2]));
}

TEST_F(heir, is_nobody_if_nobody_waits)
{
	struct ro_kid first, next, plain;
	char text[64];
	pid_t pid;

	candidate(&first, self->id, STARTS);
	EXPECT_EQ(10000 + (FIRST | BUILDER), ro_kid_hear(&first));
	candidate(&plain, self->id, WAITS);
	EXPECT_TRUE(is_candidate(&plain));
	ro_told(self->fd);
	gone(&first, variant->signal);
	EXPECT_EQ(0, builder_of(self->fd, self->id));
	EXPECT_EQ(REFOBJ_STATE_BUILDING, state_of(self->fd, self->id));
	snprintf(text, sizeof(text), "builder %s building 1",
		 variant->signal ? "signal-9" : "release");
	EXPECT_STREQ(text, ro_told_by(self->fd, &pid));
	EXPECT_EQ(0, pid);
	EXPECT_TRUE(ro_kid_sleeps(&plain));

	candidate(&next, self->id, STARTS);
	EXPECT_EQ(10000 + BUILDER, ro_kid_hear(&next));
	EXPECT_STREQ("builder acquire building 2", ro_told_by(self->fd, &pid));
	EXPECT_EQ(next.pid, pid);
	EXPECT_EQ(0, order(&next, PUBLISH));
	EXPECT_EQ(0, ro_kid_hear(&plain));
	EXPECT_EQ(0, ro_kid_end(&plain));
	EXPECT_EQ(0, ro_kid_end(&next));
}

/* An heir that is killed when it inherits passes the role on. */
TEST_F_TIMEOUT(heir, is_killed_as_it_inherits, PATIENCE)
{
	int round, rounds = ro_times(150);
	struct ro_kid kid[3];
	int i;

	for (round = 0; round < rounds; round++) {
		for (i = 0; i < 3; i++) {
			candidate(&kid[i], self->id, i ? BUILDS : STARTS);
			if (i) {
				ASSERT_TRUE(is_candidate(&kid[i]));
				continue;
			}
			ASSERT_EQ(10000 + (FIRST | BUILDER),
				  ro_kid_hear(&kid[i]));
		}
		if (round % 3 == 1)
			kill(kid[1].pid, SIGKILL);
		if (variant->signal)
			kill(kid[0].pid, SIGKILL);
		else
			ro_kid_say(&kid[0], RELEASE);
		if (round % 3 == 2)
			ASSERT_EQ(BUILDER, ro_kid_hear(&kid[1]));
		kill(kid[1].pid, SIGKILL);
		ASSERT_EQ(BUILDER, ro_kid_hear(&kid[2]));
		ASSERT_EQ(kid[2].pid, builder_of(self->fd, self->id));
		ASSERT_EQ(0, order(&kid[2], PUBLISH));
		ASSERT_EQ(-SIGKILL, ro_kid_reap(&kid[1]));
		ASSERT_EQ(-variant->signal, variant->signal ?
					    ro_kid_reap(&kid[0]) :
					    ro_kid_end(&kid[0]));
		ASSERT_EQ(0, ro_kid_end(&kid[2]));
		ASSERT_EQ(REFOBJ_STATE_IDLE, state_of(self->fd, self->id));
		ro_told(self->fd);
	}
}

/*
 * F1 of SEEDS.md: processes that know nothing of each other want one blob. The
 * first makes it, and is killed while it does, at any point; so are some of those
 * who take over. Whoever is not killed gets the blob, and all get the same.
 */
#define WORKERS		8
#define ROUNDS		1000
#define STEPS		5

struct plan {
	int kills;		/* builders that are still to kill themselves */
	int step;		/* where they do */
	int slowness;		/* how much time a step takes */
	int builder;		/* who builds now, for its parent to kill */
	unsigned int publishes;
};

FIXTURE(blob) {
	struct ro_look look;
	struct plan *plan;
};

FIXTURE_SETUP(blob)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	self->plan = ro_shared(sizeof(*self->plan));
	ASSERT_NE(NULL, self->plan);
}

FIXTURE_TEARDOWN(blob)
{
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

/* One of the points at which a builder may die. */
static void step(struct plan *plan, int which)
{
	int i;

	for (i = 0; i < plan->slowness; i++)
		ro_now_ns();
	if (which == plan->step &&
	    __atomic_sub_fetch(&plan->kills, 1, __ATOMIC_RELAXED) >= 0)
		raise(SIGKILL);
}

static int build_blob(int fd, __u64 id, int64_t stamp, struct plan *plan)
{
	struct refobj_payload p = {
		.size = sizeof(p), .flags = REFOBJ_PUBLISH_FILE, .id = id,
	};
	int ret;

	__atomic_store_n(&plan->builder, getpid(), __ATOMIC_RELEASE);
	step(plan, 0);
	p.fd = memfd_create("blob", MFD_CLOEXEC);
	step(plan, 1);
	if (write(p.fd, &stamp, sizeof(stamp)) != sizeof(stamp))
		return -1;
	step(plan, 2);
	if (ftruncate(p.fd, 65536))
		return -1;
	step(plan, 3);
	ret = ro_ioctl(fd, REFOBJ_IOC_PUBLISH, &p);
	if (!ret)
		__atomic_add_fetch(&plan->publishes, 1, __ATOMIC_RELAXED);
	step(plan, 4);
	close(p.fd);
	return ret;
}

/* What the blob says that this round's came to be; or a negative number. */
static int64_t get_blob(int fd, int64_t round, struct plan *plan)
{
	struct refobj_payload p = { .size = sizeof(p) };
	int64_t stamp = 0;
	int ret, blob;
	__u64 id;

	ret = ro_attach(fd, "blob", REFOBJ_BUILD, 1, &id, NULL);
	if (ret >= 0 && !(ret & BUILDER))
		ret = ro_wait_build(fd, id, ro_deadline(60));
	if (ret >= 0 && ret & BUILDER)
		ret = build_blob(fd, id, round << 32 | getpid(), plan);
	if (ret < 0)
		return -1000 + ret;
	p.id = id;
	blob = ro_ioctl(fd, REFOBJ_IOC_GET_PAYLOAD, &p);
	if (blob < 0)
		return -2000 + blob;
	if (pread(blob, &stamp, sizeof(stamp), 0) != sizeof(stamp) ||
	    lseek(blob, 0, SEEK_END) != 65536)
		return -3000;
	close(blob);
	return stamp;
}

static void work(struct ro_kid *kid, struct plan *plan)
{
	int64_t round;
	int fd;

	if (ro_kid_fork(kid))
		return;
	while ((round = ro_kid_hear(kid)) > 0) {
		fd = ro_open();
		ro_kid_say(kid, get_blob(fd, round, plan));
		ro_kid_await(kid);
		close(fd);
		ro_kid_say(kid, 1);
	}
	_exit(0);
}

TEST_F_TIMEOUT(blob, f1_is_built_once_whoever_is_killed, PATIENCE)
{
	const char *env = getenv("REFOBJ_SEED");
	unsigned int seed = env ? atoi(env) : getpid();
	struct plan *plan = self->plan;
	int rounds = ro_times(ROUNDS);
	struct ro_kid kid[WORKERS];
	int round, i, victim, killed = 0, others = 0;
	int64_t stamp, word;
	__u64 id;

	TH_LOG("REFOBJ_SEED=%u", seed);
	for (i = 0; i < WORKERS; i++)
		work(&kid[i], plan);
	for (round = 1; round <= rounds; round++) {
		bool outside = rand_r(&seed) % 3 == 0;

		plan->kills = outside ? 0 : rand_r(&seed) % 4;
		plan->step = rand_r(&seed) % STEPS;
		plan->slowness = outside ? rand_r(&seed) % 60 : 0;
		plan->builder = 0;
		for (i = 0; i < WORKERS; i++)
			ro_kid_say(&kid[i], round);
		if (outside) {
			/* Killed from without, at no certain point. */
			while (!(victim = __atomic_load_n(&plan->builder,
							  __ATOMIC_ACQUIRE)))
				sched_yield();
			for (i = rand_r(&seed) % 300; i; i--)
				ro_now_ns();
			for (i = 0; kid[i].pid != victim; i++)
				;
			ASSERT_EQ(-SIGKILL, ro_kid_kill(&kid[i], SIGKILL));
			others++;
			work(&kid[i], plan);
			ro_kid_say(&kid[i], round);
		}
		stamp = 0;
		for (i = 0; i < WORKERS; i++) {
			while ((word = ro_kid_hear(&kid[i])) == -1) {
				ASSERT_EQ(-SIGKILL, ro_kid_reap(&kid[i]));
				killed++;
				work(&kid[i], plan);
				ro_kid_say(&kid[i], round);
			}
			ASSERT_LT(0, word);
			ASSERT_EQ(round, word >> 32);
			ASSERT_TRUE(!stamp || word == stamp);
			stamp = word;
		}
		ASSERT_EQ(0, ro_lookup(self->look.fd, "blob", &id));
		ASSERT_EQ(WORKERS, ro_users(self->look.fd, id));
		for (i = 0; i < WORKERS; i++)
			ro_kid_say(&kid[i], 1);
		for (i = 0; i < WORKERS; i++)
			ASSERT_EQ(1, ro_kid_hear(&kid[i]));
		ASSERT_EQ(-ENOENT, ro_lookup(self->look.fd, "blob", NULL));
		ASSERT_EQ(-ESTALE, ro_users(self->look.fd, id));
	}
	TH_LOG("%d rounds: %d builders killed themselves, %d were killed",
	       rounds, killed, others);
	for (i = 0; i < WORKERS; i++)
		EXPECT_EQ(0, ro_kid_end(&kid[i]));
	/* Who was killed in between has not counted what the kernel has. */
	EXPECT_LE(plan->publishes, ro_look_since(&self->look, "publishes"));
	EXPECT_LE(rounds, ro_look_since(&self->look, "publishes"));
}

TEST_HARNESS_MAIN
