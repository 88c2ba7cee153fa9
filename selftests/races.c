// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many at once: processes and threads that race for names, for the first and
 * the last reference, for ids that are dying, and readers beside them. What
 * must hold at every moment is checked by the racers themselves; what must add
 * up is added up when all have gone.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define WORKERS		8	/* at most */
#define PATIENCE	240	/* seconds, where a sanitizer slows all down */

/* What the racers share. All counting is atomic. */
struct arena {
	pthread_barrier_t barrier;
	int surprised_at;	/* line of the first surprise, or 0 */
	long surprise;		/* what was seen there */
	unsigned long firsts;	/* calls that said "this was the first" */
	unsigned long lasts;
	unsigned long created;
	unsigned long destroyed;
	unsigned long won;
	unsigned long wins;	/* of this round */
	unsigned long users;
	int going;		/* racers that have not finished */
	__u64 id;
	__u64 holds[WORKERS];	/* the id that each holds at this moment */
	unsigned long progress[WORKERS];
	struct {
		int ret;
		unsigned int created;
		__u64 id;
	} did[WORKERS];

	/* Set before the race. */
	int racers;
	int rounds;
	int fd;			/* a session that all may use, or -1 */
	unsigned int flags;
	__u64 object[WORKERS];
};

static struct arena *arena;

#define ADD(p, n)	__atomic_add_fetch(p, n, __ATOMIC_SEQ_CST)
#define GET(p)		__atomic_load_n(p, __ATOMIC_SEQ_CST)
#define SET(p, v)	__atomic_store_n(p, v, __ATOMIC_SEQ_CST)

static void surprised(int line, long seen)
{
	int none = 0;

	if (__atomic_compare_exchange_n(&arena->surprised_at, &none, line,
					false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		arena->surprise = seen;
}

/* For racers: they go on, or the others would wait for them. */
#define MUST(condition, seen) do { \
	if (!(condition)) \
		surprised(__LINE__, (seen)); \
} while (0)

static void meet(void)
{
	pthread_barrier_wait(&arena->barrier);
}

/* How often: less where each takes longer, but some. */
static int often(int times)
{
	return (times + ro_slow() - 1) / ro_slow();
}

static void arena_open(int racers, int rounds)
{
	pthread_barrierattr_t attr;

	arena = ro_shared(sizeof(*arena));
	if (!arena)
		abort();
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&arena->barrier, &attr, racers);
	arena->racers = racers;
	arena->rounds = often(rounds);
	arena->going = racers;
	arena->fd = -1;
}

/* The session of a racer: the common one, or its own. */
static int racer_session(void)
{
	int fd = arena->fd;

	if (fd < 0) {
		fd = ro_open();
		MUST(fd >= 0, fd);
	}
	return fd;
}

/* Starts a process for each racer, all at once; @pid gets their numbers. */
static void start_processes(void (*racer)(int me), pid_t *pid)
{
	int gate[2], i;
	char c;

	if (pipe2(gate, O_CLOEXEC))
		abort();
	fflush(stdout);
	for (i = 0; i < arena->racers; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(gate[1]);
			MUST(!read(gate[0], &c, 1), 0);
			racer(i);
			ADD(&arena->going, -1);
			_exit(0);
		}
		MUST(pid[i] > 0, errno);
	}
	close(gate[0]);
	close(gate[1]);
}

static void end_processes(const pid_t *pid)
{
	int i;

	for (i = 0; i < arena->racers; i++) {
		int status = ro_reap(pid[i]);

		MUST(!status, status);
	}
}

static void race_processes(void (*racer)(int me))
{
	pid_t pid[WORKERS];

	start_processes(racer, pid);
	end_processes(pid);
}

struct thread_start {
	void (*racer)(int me);
	int me;
};

static void *thread_main(void *arg)
{
	struct thread_start *start = arg;

	meet();
	start->racer(start->me);
	ADD(&arena->going, -1);
	return NULL;
}

static void race_threads(void (*racer)(int me))
{
	struct thread_start start[WORKERS];
	pthread_t thread[WORKERS];
	int i;

	for (i = 0; i < arena->racers; i++) {
		start[i].racer = racer;
		start[i].me = i;
		if (pthread_create(&thread[i], NULL, thread_main, &start[i]))
			abort();
	}
	for (i = 0; i < arena->racers; i++)
		pthread_join(thread[i], NULL);
}

/* The first thing that was not as it must be, or nothing. */
static const char *surprise(void)
{
	static char text[64];

	if (arena->surprised_at)
		snprintf(text, sizeof(text), "line %d: %ld",
			 arena->surprised_at, arena->surprise);
	return text;
}

FIXTURE(races) {
	struct ro_look look;
};

FIXTURE_SETUP(races)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN(races)
{
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

/*
 * Attach against the last release of one name.
 *
 * A racer shows what it holds from after its attach to before its release. Two
 * that show something at one moment hold it at that moment, so it must be one
 * object: no name ever has two.
 */
FIXTURE(attach) {
	struct ro_look look;
};

FIXTURE_VARIANT(attach) {
	int racers;
	int rounds;
	bool one_session;
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(attach, two) {
	.racers = 2, .rounds = 4000,
};

FIXTURE_VARIANT_ADD(attach, four) {
	.racers = 4, .rounds = 2000,
};

FIXTURE_VARIANT_ADD(attach, eight) {
	.racers = 8, .rounds = 1000,
};

FIXTURE_VARIANT_ADD(attach, four_on_one_session) {
	.racers = 4, .rounds = 2000, .one_session = true,
};

FIXTURE_VARIANT_ADD(attach, four_persistent) {
	.racers = 4, .rounds = 2000, .flags = REFOBJ_PERSISTENT,
};

FIXTURE_SETUP(attach)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	arena_open(variant->racers, variant->rounds);
	arena->flags = variant->flags;
	if (variant->one_session)
		arena->fd = ro_open();
}

FIXTURE_TEARDOWN(attach)
{
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

static void attach_and_release(int me)
{
	unsigned int seed = me, created, n;
	int fd = racer_session(), i, o, ret;
	struct refobj_stat st;
	__u64 id;

	for (i = 0; i < arena->rounds; i++) {
		int dice = rand_r(&seed) >> 8;

		n = 1 + dice % 3;
		ret = ro_attach(fd, "race", arena->flags, n, &id, &created);
		MUST(ret == 0 || ret == 1, ret);
		if (ret < 0)
			continue;
		ADD(&arena->firsts, ret);
		ADD(&arena->created, created);
		/* A transient object is created and activated in one. */
		if (!arena->flags)
			MUST((unsigned int)ret == created, ret);
		SET(&arena->holds[me], id);
		for (o = 0; o < arena->racers; o++) {
			__u64 other = GET(&arena->holds[o]);

			MUST(!other || other == id, other);
		}
		if (dice % 16 == 3)
			sched_yield();
		if (dice % 16 == 4) {
			ret = ro_stat(fd, id, &st);
			MUST(!ret, ret);
			MUST(st.state == REFOBJ_STATE_READY, st.state);
			MUST(st.users >= st.held && st.held >= n, st.held);
		}
		SET(&arena->holds[me], 0);
		ret = ro_release(fd, id, n);
		MUST(ret == 0 || ret == 1, ret);
		if (ret > 0)
			ADD(&arena->lasts, ret);
	}
}

TEST_F_TIMEOUT(attach, races_the_last_release, PATIENCE)
{
	__u64 id = 0;

	race_processes(attach_and_release);
	EXPECT_STREQ("", surprise());
	EXPECT_LT(0UL, arena->created);
	EXPECT_EQ(arena->firsts, arena->lasts);
	EXPECT_EQ((long long)arena->created,
		  ro_look_since(&self->look, "created"));
	EXPECT_EQ((long long)arena->firsts,
		  ro_look_since(&self->look, "activations"));
	EXPECT_EQ((long long)arena->lasts,
		  ro_look_since(&self->look, "deactivations"));
	EXPECT_EQ((long long)arena->racers * arena->rounds,
		  ro_look_since(&self->look, "attaches"));
	if (arena->flags) {
		EXPECT_EQ(1UL, arena->created);
		EXPECT_EQ(0, ro_lookup(self->look.fd, "race", &id));
		EXPECT_EQ(0, ro_users(self->look.fd, id));
		EXPECT_EQ(0, ro_destroy(self->look.fd, id));
	}
	EXPECT_EQ(-ENOENT, ro_lookup(self->look.fd, "race", NULL));
	EXPECT_EQ((long long)arena->created,
		  ro_look_since(&self->look, "destroyed"));
	if (arena->fd >= 0)
		close(arena->fd);
}

/* All at the same moment: one creates and is first, one is last. */
static void attach_together(int me)
{
	unsigned int created, firsts, i;
	int fd = racer_session(), round, ret;
	__u64 id;

	for (round = 0; round < arena->rounds; round++) {
		meet();
		ret = ro_attach(fd, "race", 0, 1, &id, &created);
		arena->did[me].ret = ret;
		arena->did[me].created = created;
		arena->did[me].id = id;
		meet();
		for (i = created = firsts = 0; i < (unsigned int)arena->racers;
		     i++) {
			MUST(arena->did[i].ret >= 0, arena->did[i].ret);
			MUST(arena->did[i].id == id, arena->did[i].id);
			firsts += arena->did[i].ret;
			created += arena->did[i].created;
		}
		MUST(firsts == 1, firsts);
		MUST(created == 1, created);
		meet();
		ret = ro_release(fd, id, 1);
		MUST(ret >= 0, ret);
		ADD(&arena->lasts, ret);
	}
}

TEST_F_TIMEOUT(races, attach_at_the_same_moment, PATIENCE)
{
	arena_open(4, 300);
	race_processes(attach_together);
	EXPECT_STREQ("", surprise());
	EXPECT_EQ((unsigned long)arena->rounds, arena->lasts);
	EXPECT_EQ(arena->rounds, ro_look_since(&self->look, "created"));
	EXPECT_EQ(arena->rounds, ro_look_since(&self->look, "destroyed"));
}

static void create_together(int me)
{
	int fd = racer_session(), round, ret;
	__u64 id;

	(void)me;
	for (round = 0; round < arena->rounds; round++) {
		meet();
		ret = ro_create(fd, "race", 0, 1, &id);
		MUST(ret == 1 || ret == -EEXIST, ret);
		if (ret == 1) {
			ADD(&arena->wins, 1);
			ADD(&arena->won, 1);
		}
		meet();
		MUST(GET(&arena->wins) == 1, GET(&arena->wins));
		meet();
		if (ret == 1) {
			SET(&arena->wins, 0);
			ret = ro_release(fd, id, 1);
			MUST(ret == 1, ret);
		}
	}
}

TEST_F_TIMEOUT(races, create_is_won_by_one, PATIENCE)
{
	arena_open(4, 300);
	race_processes(create_together);
	EXPECT_STREQ("", surprise());
	EXPECT_EQ((unsigned long)arena->rounds, arena->won);
	EXPECT_EQ(arena->rounds, ro_look_since(&self->look, "created"));
	EXPECT_EQ(3 * arena->rounds,
		  ro_look_since(&self->look, "refused_EEXIST"));
}

/* One makes objects and lets them go, the others try to hold them by id. */
static void acquire_the_dying(int me)
{
	int fd = racer_session(), i, ret;
	struct refobj_stat st;
	__u64 id;

	if (!me) {
		for (i = 0; i < arena->rounds; i++) {
			ret = ro_create(fd, NULL, 0, 1, &id);
			MUST(ret == 1, ret);
			SET(&arena->id, id);
			if (i % 8)
				sched_yield();
			ret = ro_release(fd, id, 1);
			MUST(ret == 0 || ret == 1, ret);
			ADD(&arena->lasts, ret);
		}
		return;
	}
	while (GET(&arena->going) == arena->racers) {
		id = GET(&arena->id);
		if (!id)
			continue;
		ret = ro_acquire(fd, id, 1, 0);
		MUST(ret == 0 || ret == -ESTALE, ret);
		if (ret)
			continue;
		ADD(&arena->won, 1);
		ret = ro_stat(fd, id, &st);
		MUST(!ret, ret);
		MUST(st.state == REFOBJ_STATE_READY, st.state);
		ret = ro_release(fd, id, 1);
		MUST(ret == 0 || ret == 1, ret);
		ADD(&arena->lasts, ret);
	}
}

TEST_F_TIMEOUT(races, acquire_by_id_against_death, PATIENCE)
{
	arena_open(4, 3000);
	race_processes(acquire_the_dying);
	EXPECT_STREQ("", surprise());
	EXPECT_EQ((unsigned long)arena->rounds, arena->lasts);
	EXPECT_EQ(arena->rounds, ro_look_since(&self->look, "destroyed"));
	EXPECT_EQ((long long)arena->won,
		  ro_look_since(&self->look, "acquires"));
}

/* Half of them activate, the other half must not. */
static void acquire_not_zero(int me)
{
	unsigned int flags = me % 2 ? REFOBJ_ACQUIRE_NOT_ZERO : 0;
	int fd = racer_session(), i, ret;
	__u64 id = arena->object[0];

	for (i = 0; i < arena->rounds; i++) {
		ret = ro_acquire(fd, id, 1, flags);
		if (flags)
			MUST(ret == 0 || ret == -EAGAIN, ret);
		else
			MUST(ret == 0 || ret == 1, ret);
		if (ret < 0)
			continue;
		ADD(&arena->firsts, ret);
		if (i % 8 == 3)
			sched_yield();
		ret = ro_release(fd, id, 1);
		MUST(ret == 0 || ret == 1, ret);
		ADD(&arena->lasts, ret);
	}
}

TEST_F_TIMEOUT(races, not_zero_never_activates, PATIENCE)
{
	struct refobj_stat st;

	arena_open(4, 2000);
	ASSERT_EQ(0, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT, 0,
			       &arena->object[0]));
	race_processes(acquire_not_zero);
	EXPECT_STREQ("", surprise());
	EXPECT_EQ(0, ro_stat(self->look.fd, arena->object[0], &st));
	EXPECT_EQ(0U, st.users);
	EXPECT_EQ(arena->firsts, st.activations);
	EXPECT_EQ(arena->lasts, st.deactivations);
	EXPECT_EQ(arena->firsts, arena->lasts);
	EXPECT_EQ(0, ro_destroy(self->look.fd, arena->object[0]));
}

/* Threads of one session take their first reference at the same moment. */
static void hold_together(int me)
{
	struct refobj_stat st;
	int round, ret;

	for (round = 0; round < arena->rounds; round++) {
		if (!me) {
			ret = ro_create(arena->fd, NULL, REFOBJ_PERSISTENT, 0,
					&arena->object[0]);
			MUST(!ret, ret);
		}
		meet();
		ret = ro_acquire(arena->fd, arena->object[0], 1 + me, 0);
		MUST(ret == 0 || ret == 1, ret);
		ADD(&arena->wins, ret);
		meet();
		if (!me) {
			MUST(arena->wins == 1, arena->wins);
			arena->wins = 0;
			ret = ro_stat(arena->fd, arena->object[0], &st);
			MUST(!ret, ret);
			MUST(st.held == 10 && st.users == 10, st.held);
			MUST(st.holders == 1, st.holders);
			MUST(st.activations == 1, st.activations);
		}
		meet();
		/* And they give them back: one of them the last. */
		ret = ro_release(arena->fd, arena->object[0], 1 + me);
		MUST(ret == 0 || ret == 1, ret);
		ADD(&arena->wins, ret);
		meet();
		if (!me) {
			MUST(arena->wins == 1, arena->wins);
			arena->wins = 0;
			ret = ro_destroy(arena->fd, arena->object[0]);
			MUST(!ret, ret);
		}
	}
}

TEST_F_TIMEOUT(races, threads_become_one_holder, PATIENCE)
{
	arena_open(4, 150);
	arena->fd = ro_open();
	race_threads(hold_together);
	EXPECT_STREQ("", surprise());
	close(arena->fd);
}

/* The first sessions of a uid: they find, or make, one account. */
static void open_the_first(int me)
{
	struct refobj_info info = { .size = sizeof(info) };
	int round, ret, fd;

	for (round = 0; round < arena->rounds; round++) {
		/* Group 0 opens the device; the uid has been there before. */
		ret = seteuid(70000 + round % 3);
		MUST(!ret, errno);
		meet();
		fd = ro_open();
		MUST(fd >= 0, fd);
		ret = ro_create(fd, NULL, 0, 1 + me, NULL);
		MUST(ret == 1, ret);
		meet();
		ret = ro_ioctl(fd, REFOBJ_IOC_INFO, &info);
		MUST(!ret, ret);
		MUST(info.objects_used == (__u64)arena->racers,
		     info.objects_used);
		MUST(info.references_used == 10, info.references_used);
		meet();
		close(fd);
		ret = seteuid(0);
		MUST(!ret, errno);
	}
}

TEST_F_TIMEOUT(races, sessions_of_a_uid_have_one_account, PATIENCE)
{
	arena_open(4, 300);
	race_processes(open_the_first);
	EXPECT_STREQ("", surprise());
	EXPECT_EQ(4 * arena->rounds, ro_look_since(&self->look, "created"));
}

/* Two use a persistent object by name, two remove it. */
static void destroy_the_used(int me)
{
	int fd = racer_session(), i, ret;
	unsigned int created;
	__u64 id;

	for (i = 0; i < arena->rounds; i++) {
		if (me % 2) {
			ret = ro_lookup(fd, "race", &id);
			MUST(!ret || ret == -ENOENT, ret);
			if (ret)
				continue;
			ret = ro_destroy(fd, id);
			MUST(!ret || ret == -EBUSY || ret == -ESTALE, ret);
			if (!ret)
				ADD(&arena->destroyed, 1);
			continue;
		}
		ret = ro_attach(fd, "race", REFOBJ_PERSISTENT, 1, &id,
				&created);
		MUST(ret == 0 || ret == 1, ret);
		ADD(&arena->firsts, ret);
		ADD(&arena->created, created);
		ret = ro_destroy(fd, id);
		MUST(ret == -EBUSY, ret);
		ret = ro_release(fd, id, 1);
		MUST(ret == 0 || ret == 1, ret);
		ADD(&arena->lasts, ret);
		/* By the id: it is there, or gone for good. */
		ret = ro_acquire(fd, id, 1, 0);
		MUST(ret == 0 || ret == 1 || ret == -ESTALE, ret);
		if (ret < 0)
			continue;
		ADD(&arena->firsts, ret);
		ret = ro_release_all(fd, id);
		MUST(ret == 0 || ret == 1, ret);
		ADD(&arena->lasts, ret);
	}
}

TEST_F_TIMEOUT(races, destroy_against_acquire, PATIENCE)
{
	__u64 id = 0;

	arena_open(4, 1500);
	race_processes(destroy_the_used);
	EXPECT_STREQ("", surprise());
	if (!ro_lookup(self->look.fd, "race", &id)) {
		EXPECT_EQ(0, ro_destroy(self->look.fd, id));
		arena->destroyed++;
	}
	EXPECT_EQ(arena->created, arena->destroyed);
	EXPECT_EQ(arena->firsts, arena->lasts);
	EXPECT_EQ((long long)arena->created,
		  ro_look_since(&self->look, "destroyed"));
	EXPECT_EQ((long long)arena->firsts,
		  ro_look_since(&self->look, "activations"));
}

/* Threads of one session take, and throw away what they all have. */
static void throw_away(int me)
{
	unsigned int seed = 100 + me;
	int i, ret;

	for (i = 0; i < arena->rounds; i++) {
		__u64 id = arena->object[(rand_r(&seed) >> 8) % WORKERS];

		switch (me) {
		case 0:
		case 1:
			ret = ro_acquire(arena->fd, id, 1 + i % 3, 0);
			MUST(ret == 0 || ret == 1, ret);
			ADD(&arena->firsts, ret);
			break;
		case 2:
			ret = ro_release_all(arena->fd, 0);
			MUST(ret >= 0 && ret <= WORKERS, ret);
			ADD(&arena->lasts, ret);
			break;
		case 3:
			ret = ro_release_all(arena->fd, id);
			MUST(ret >= 0 || ret == -ERANGE, ret);
			if (ret > 0)
				ADD(&arena->lasts, ret);
			break;
		case 4:
			ret = ro_release(arena->fd, id, 1);
			MUST(ret >= 0 || ret == -ERANGE, ret);
			if (ret > 0)
				ADD(&arena->lasts, ret);
			break;
		default:
			ret = ro_set_why(arena->fd, id, "held for a moment");
			MUST(ret == 0 || ret == -EPERM, ret);
		}
	}
}

TEST_F_TIMEOUT(races, release_all_against_acquire, PATIENCE)
{
	struct refobj_stat st;
	int i;

	arena_open(6, 2000);
	arena->fd = ro_open();
	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, ro_create(self->look.fd, NULL, REFOBJ_PERSISTENT,
				       0, &arena->object[i]));
	race_threads(throw_away);
	EXPECT_STREQ("", surprise());
	arena->lasts += ro_release_all(arena->fd, 0);
	EXPECT_EQ(arena->firsts, arena->lasts);
	EXPECT_EQ((long long)arena->firsts,
		  ro_look_since(&self->look, "activations"));
	EXPECT_EQ(0, ro_look_since(&self->look, "references"));
	for (i = 0; i < WORKERS; i++) {
		EXPECT_EQ(0, ro_stat(self->look.fd, arena->object[i], &st));
		EXPECT_EQ(0U, st.users);
		EXPECT_EQ(0U, st.holders);
		EXPECT_EQ(0, ro_destroy(self->look.fd, arena->object[i]));
	}
	close(arena->fd);
}

/* One thread replaces the session under the others' calls. */
static void replace_session(int me)
{
	int i, ret, fd;
	__u64 id;

	for (i = 0; i < arena->rounds; i++) {
		if (!me) {
			fd = ro_open();
			MUST(fd >= 0, fd);
			ret = dup2(fd, arena->fd);
			MUST(ret == arena->fd, errno);
			close(fd);
			continue;
		}
		ret = ro_attach(arena->fd, "race", 0, 2, &id, NULL);
		/* On a session that has just ended with its last descriptor? */
		MUST(ret == 0 || ret == 1 || ret == -EOWNERDEAD, ret);
		if (ret < 0)
			continue;
		/* Perhaps on another session by now. */
		ret = ro_release(arena->fd, id, 1);
		MUST(ret == 0 || ret == 1 || ret == -ERANGE ||
		     ret == -ESTALE || ret == -EOWNERDEAD, ret);
	}
}

TEST_F_TIMEOUT(races, close_under_a_call, PATIENCE)
{
	arena_open(4, 800);
	arena->fd = ro_open();
	race_threads(replace_session);
	EXPECT_STREQ("", surprise());
	close(arena->fd);
	EXPECT_EQ(-ENOENT, ro_lookup(self->look.fd, "race", NULL));
	EXPECT_EQ(ro_look_since(&self->look, "created"),
		  ro_look_since(&self->look, "destroyed"));
}

/* Racers that come and go as holders of objects, for the readers to see. */
static void churn_holders(int me)
{
	int fd[4], i, ret;

	(void)me;
	for (i = 0; i < 4; i++)
		fd[i] = ro_open();
	for (i = 0; i < arena->rounds && !GET(&arena->won); i++) {
		ret = ro_acquire(fd[i % 4], arena->object[i % 2], 1, 0);
		MUST(ret == 0, ret);
		if (i % 32 == 5) {
			close(fd[(i + 1) % 4]);
			fd[(i + 1) % 4] = ro_open();
		}
		if (i >= 3)
			ro_release_all(fd[(i - 3) % 4], 0);
	}
}

#define STEADY	10

/* One walk over the holders; how many of @steady were told exactly once. */
static int walk_holders(int fd, __u64 id, unsigned int capacity,
			const __u64 *steady)
{
	struct refobj_holder rec[8];
	struct refobj_holders h = {
		.size = sizeof(h), .id = id, .records = (uintptr_t)rec,
		.capacity = capacity, .record_size = sizeof(rec[0]),
	};
	int seen[STEADY] = { }, once = 0, ret, calls = 0, last = -1;
	unsigned int i, j;

	do {
		h.count = 0;
		h.total = 0;
		ret = ro_ioctl(fd, REFOBJ_IOC_HOLDERS, &h);
		MUST(!ret, ret);
		MUST(h.count <= capacity, h.count);
		MUST(h.total >= STEADY, h.total);
		for (i = 0; i < h.count; i++) {
			MUST(rec[i].count > 0, rec[i].count);
			for (j = 0; j < STEADY; j++) {
				if (rec[i].session != steady[j])
					continue;
				seen[j]++;
				/* They came in this order. */
				MUST((int)j > last, j);
				last = j;
			}
		}
	} while (!ret && h.cursor && ++calls < 10000);
	MUST(calls < 10000, calls);
	for (j = 0; j < STEADY; j++)
		once += seen[j] == 1;
	return once;
}

TEST_F_TIMEOUT(races, holders_while_they_come_and_go, PATIENCE)
{
	__u64 steady[STEADY], id;
	pid_t pid[WORKERS];
	int fd[STEADY], i;

	arena_open(2, 1000000);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1,
				       &arena->object[i]));
	id = arena->object[0];
	/* Some come before the others, some in between, some after. */
	for (i = 0; i < STEADY; i++) {
		struct refobj_info info = { .size = sizeof(info) };

		fd[i] = ro_open();
		ASSERT_EQ(0, ro_ioctl(fd[i], REFOBJ_IOC_INFO, &info));
		steady[i] = info.session;
		ASSERT_EQ(0, ro_acquire(fd[i], id, 1, 0));
		if (i == STEADY / 2)
			start_processes(churn_holders, pid);
	}
	for (i = 0; i < often(400); i++)
		EXPECT_EQ(STEADY, walk_holders(self->look.fd, id, 1 + i % 8,
					       steady));
	SET(&arena->won, 1);
	end_processes(pid);
	EXPECT_STREQ("", surprise());
	for (i = 0; i < STEADY; i++)
		close(fd[i]);
	EXPECT_EQ(2, ro_release_all(self->look.fd, 0));
}

static void churn_objects(int me)
{
	int fd = racer_session(), i, ret;
	unsigned int seed = me;
	char name[16];
	__u64 id[64];

	for (i = 0; !GET(&arena->won); i++) {
		int at = i % 64;

		if (i >= 64) {
			ret = ro_release(fd, id[at], 1);
			MUST(ret == 1, ret);
		}
		snprintf(name, sizeof(name), "churn %d %d", me, at);
		ret = ro_create(fd, rand_r(&seed) & 1024 ? name : NULL, 0, 1,
				&id[at]);
		MUST(ret == 1, ret);
	}
}

/* Objects that stay, among those that do not. */
static void create_steady(int fd, __u64 *id)
{
	int i;

	for (i = 0; i < STEADY; i++) {
		int ret = ro_create(fd, NULL, 0, 1, &id[i]);

		MUST(ret == 1, ret);
		/* Objects of the others come in between. */
		if (i % 3 == 2)
			sched_yield();
	}
}

TEST_F_TIMEOUT(races, walk_of_objects_that_come_and_go, PATIENCE)
{
	struct refobj_stat st;
	pid_t pid[WORKERS];
	__u64 id[STEADY];
	int i, j;

	arena_open(2, 0);
	start_processes(churn_objects, pid);
	create_steady(self->look.fd, id);
	for (i = 0; i < often(60); i++) {
		int seen[STEADY] = { }, ret, steps = 0;
		__u64 at = 0;

		do {
			memset(&st, 0, sizeof(st));
			st.size = sizeof(st);
			st.flags = REFOBJ_STAT_NEXT;
			st.id = at;
			ret = ro_ioctl(self->look.fd, REFOBJ_IOC_STAT, &st);
			at = st.id;
			for (j = 0; !ret && j < STEADY; j++)
				seen[j] += at == id[j];
			MUST(ret || st.state == REFOBJ_STATE_READY, st.state);
		} while (!ret && ++steps < 100000);
		EXPECT_EQ(-ENOENT, ret);
		for (j = 0; j < STEADY; j++)
			EXPECT_EQ(1, seen[j]);
	}
	SET(&arena->won, 1);
	end_processes(pid);
	EXPECT_STREQ("", surprise());
	EXPECT_EQ(STEADY, ro_release_all(self->look.fd, 0));
}

/* How often a table has a line whose second field is this id. */
static int lines_of(const char *text, __u64 id)
{
	char want[32];
	const char *p;
	int n = 0;

	snprintf(want, sizeof(want), " %llu ", (unsigned long long)id);
	for (p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		const char *second = strchr(p, ' ');

		n += second && !strncmp(second, want, strlen(want));
	}
	return n;
}

TEST_F_TIMEOUT(races, tables_of_what_comes_and_goes, PATIENCE)
{
	static const char * const path[] = {
		REFOBJ_DEBUGFS "/objects", REFOBJ_DEBUGFS "/sessions",
		REFOBJ_DEBUGFS "/stats",
	};
	struct refobj_info info = { .size = sizeof(info) };
	static char text[1 << 18];
	pid_t pid[WORKERS];
	__u64 id[STEADY];
	int i, j;

	arena_open(2, 0);
	ASSERT_EQ(0, ro_ioctl(self->look.fd, REFOBJ_IOC_INFO, &info));
	start_processes(churn_objects, pid);
	create_steady(self->look.fd, id);
	for (i = 0; i < often(60); i++) {
		int fd = open(path[i % 3], O_RDONLY | O_CLOEXEC);
		size_t len = 0;
		ssize_t n;

		while ((n = read(fd, text + len, 200 + i)) > 0 &&
		       len + 1000 < sizeof(text))
			len += n;
		EXPECT_EQ(0, n);
		text[len] = 0;
		close(fd);
		if (i % 3 == 1)
			EXPECT_EQ(1, lines_of(text, info.session));
		for (j = 0; i % 3 == 0 && j < STEADY; j++)
			EXPECT_EQ(1, lines_of(text, id[j]));
	}
	SET(&arena->won, 1);
	end_processes(pid);
	EXPECT_STREQ("", surprise());
	EXPECT_EQ(STEADY, ro_release_all(self->look.fd, 0));
}

/*
 * Killed anywhere.
 */
static void attach_for_ever(int me)
{
	static const char * const name[] = { "one", "two", "three" };
	unsigned int seed = getpid(), n;
	int fd = racer_session(), ret;
	__u64 id;

	for (;;) {
		int dice = rand_r(&seed) >> 8;

		n = 1 + dice % 400;
		ret = ro_attach(fd, name[dice % 3], 0, n, &id, NULL);
		MUST(ret == 0 || ret == 1, ret);
		ret = ro_acquire(fd, id, 1, 0);
		MUST(ret == 0, ret);
		ret = ro_release(fd, id, n);
		MUST(ret == 0, ret);
		ret = ro_release(fd, id, 1);
		MUST(ret == 0 || ret == 1, ret);
		if (dice % 64 == 7) {
			close(fd);
			fd = ro_open();
		}
		ADD(&arena->progress[me], 1);
	}
}

/* The place to strike is drawn: some way on in the victim's work. */
static pid_t start_victim(int me)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		attach_for_ever(me);
	}
	return pid;
}

TEST_F_TIMEOUT(races, killed_anywhere, PATIENCE)
{
	struct ro_counts now;
	unsigned int seed = 1848, spin;
	pid_t pid[4];
	int i;

	arena_open(4, 0);
	for (i = 0; i < 4; i++)
		pid[i] = start_victim(i);
	for (i = 0; i < often(100); i++) {
		int me = (rand_r(&seed) >> 8) % 4;
		unsigned long goal = GET(&arena->progress[me]) +
				     (rand_r(&seed) >> 8) % 4;

		while (GET(&arena->progress[me]) < goal)
			sched_yield();
		for (spin = (rand_r(&seed) >> 8) % 2000; spin; spin--)
			__asm__ volatile("" ::: "memory");
		kill(pid[me], SIGKILL);
		ASSERT_EQ(-SIGKILL, ro_reap(pid[me]));
		pid[me] = start_victim(me);
	}
	for (i = 0; i < 4; i++) {
		kill(pid[i], SIGKILL);
		ASSERT_EQ(-SIGKILL, ro_reap(pid[i]));
	}
	EXPECT_STREQ("", surprise());
	EXPECT_EQ(-ENOENT, ro_lookup(self->look.fd, "one", NULL));
	EXPECT_EQ(-ENOENT, ro_lookup(self->look.fd, "two", NULL));
	EXPECT_EQ(-ENOENT, ro_lookup(self->look.fd, "three", NULL));
	ASSERT_EQ(0, ro_counts_read(&now));
	EXPECT_EQ(ro_look_since(&self->look, "created"),
		  ro_look_since(&self->look, "destroyed"));
	EXPECT_EQ(ro_look_since(&self->look, "activations"),
		  ro_look_since(&self->look, "deactivations"));
	EXPECT_EQ(0, ro_look_since(&self->look, "references"));
	EXPECT_EQ(1, ro_look_since(&self->look, "sessions"));
}

/* Of a crowd of holders all are killed at once. */
static void hold_and_wait(int me)
{
	int fd = racer_session(), ret;

	ret = ro_acquire(fd, arena->object[0], 1 + me, 0);
	MUST(ret == 0, ret);
	ro_create(fd, "race", REFOBJ_PERSISTENT, 0, NULL);
	ADD(&arena->won, 1);
	for (;;)
		pause();
}

TEST_F_TIMEOUT(races, crowd_killed_at_once, PATIENCE)
{
	pid_t pid[WORKERS];
	int round, i;
	__u64 id;

	arena_open(WORKERS, 0);
	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &arena->object[0]));
	for (round = 0; round < often(10); round++) {
		arena->won = 0;
		start_processes(hold_and_wait, pid);
		while (GET(&arena->won) < WORKERS)
			sched_yield();
		EXPECT_EQ(1 + WORKERS * (WORKERS + 1) / 2,
			  ro_users(self->look.fd, arena->object[0]));
		for (i = 0; i < WORKERS; i++)
			kill(pid[i], SIGKILL);
		for (i = 0; i < WORKERS; i++)
			EXPECT_EQ(-SIGKILL, ro_reap(pid[i]));
		EXPECT_EQ(1, ro_users(self->look.fd, arena->object[0]));
		EXPECT_EQ(0, ro_lookup(self->look.fd, "race", &id));
		EXPECT_EQ(0, ro_destroy(self->look.fd, id));
	}
	EXPECT_STREQ("", surprise());
	EXPECT_EQ(1, ro_release(self->look.fd, arena->object[0], 1));
}

/*
 * The maximum of users: together they never pass it.
 */
static void exhaust(int me)
{
	int fd = racer_session(), round, ret;
	unsigned int seed = 7 * me, n, held;
	__u64 id = arena->object[0];

	for (round = 0; round < arena->rounds; round++) {
		held = 0;
		meet();
		do {
			n = 1 + (rand_r(&seed) >> 8) % 300;
			ret = ro_acquire(fd, id, n, 0);
			MUST(ret == 0 || ret == -EOVERFLOW, ret);
			held += ret ? 0 : n;
		} while (!ret);
		ADD(&arena->users, held);
		meet();
		MUST(GET(&arena->users) <= 1000, GET(&arena->users));
		/* One takes what is left: not one more, not one less. */
		while (!me && !(ret = ro_acquire(fd, id, 1, 0))) {
			held++;
			ADD(&arena->users, 1);
		}
		MUST(ret == -EOVERFLOW, ret);
		meet();
		MUST(GET(&arena->users) == 1000, GET(&arena->users));
		ret = ro_users(fd, id);
		MUST(ret == REFOBJ_USERS_MAX, ret);
		meet();
		if (held) {
			ret = ro_release_all(fd, id);
			MUST(ret == 0, ret);
		}
		SET(&arena->users, 0);
	}
}

/* All hold one already, one more is left, and all want it. */
static void want_the_last(int me)
{
	int fd = racer_session(), i, ret;
	__u64 id = arena->object[0];

	(void)me;
	ret = ro_acquire(fd, id, 1, 0);
	MUST(ret == 0, ret);
	meet();
	for (i = 0; i < arena->rounds; i++) {
		ret = ro_acquire(fd, id, 1, 0);
		MUST(ret == 0 || ret == -EOVERFLOW, ret);
		if (ret)
			continue;
		MUST(ADD(&arena->users, 1) == 1, GET(&arena->users));
		ADD(&arena->users, -1);
		ret = ro_release(fd, id, 1);
		MUST(ret == 0, ret);
	}
	meet();
}

/* An object with room for so many more; the look's session has the others. */
static int nearly_exhaust(int fd, unsigned int room)
{
	unsigned int i;
	int ret;

	ret = ro_create(fd, NULL, 0, REFOBJ_COUNT_MAX - room,
			&arena->object[0]);
	for (i = 1; ret >= 0 && i < REFOBJ_USERS_MAX / REFOBJ_COUNT_MAX; i++)
		ret = ro_acquire(fd, arena->object[0], REFOBJ_COUNT_MAX, 0);
	return ret;
}

TEST_F_TIMEOUT(races, users_max_is_reached_together, PATIENCE)
{
	struct refobj_stat st;

	arena_open(4, 60);
	ASSERT_EQ(0, nearly_exhaust(self->look.fd, 1000));
	race_processes(exhaust);
	EXPECT_STREQ("", surprise());
	EXPECT_EQ(0, ro_stat(self->look.fd, arena->object[0], &st));
	EXPECT_EQ(REFOBJ_USERS_MAX - 1000, st.users);
	EXPECT_EQ(REFOBJ_USERS_MAX, st.users_peak);
	EXPECT_EQ(1, ro_release_all(self->look.fd, arena->object[0]));
}

TEST_F_TIMEOUT(races, users_max_is_never_passed, PATIENCE)
{
	struct refobj_stat st;

	arena_open(4, 10000);
	ASSERT_EQ(0, nearly_exhaust(self->look.fd, 4 + 1));
	race_processes(want_the_last);
	EXPECT_STREQ("", surprise());
	EXPECT_EQ(0, ro_stat(self->look.fd, arena->object[0], &st));
	EXPECT_EQ(REFOBJ_USERS_MAX - 5, st.users);
	EXPECT_EQ(REFOBJ_USERS_MAX, st.users_peak);
	EXPECT_EQ(1, ro_release_all(self->look.fd, arena->object[0]));
}

/*
 * Reasons are replaced as a whole.
 */
#define LONG_WHY \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void replace_why(int me)
{
	static const char * const why[] = { LONG_WHY, "b", "" };
	struct refobj_holder rec;
	int i, ret;

	for (i = 0; i < arena->rounds; i++) {
		if (me < 2) {
			ret = ro_set_why(arena->fd, me ? arena->object[0] : 0,
					 why[i % 3]);
			MUST(!ret, ret);
			continue;
		}
		ret = ro_holders(arena->fd, arena->object[0], &rec, 1, NULL);
		MUST(ret == 1, ret);
		MUST(!strcmp(rec.why, LONG_WHY) || !strcmp(rec.why, "b") ||
		     !rec.why[0], rec.why[0]);
	}
}

TEST_F_TIMEOUT(races, reasons_are_never_torn, PATIENCE)
{
	arena_open(4, 1500);
	arena->fd = ro_open();
	ASSERT_EQ(1, ro_create(arena->fd, NULL, 0, 1, &arena->object[0]));
	race_threads(replace_why);
	EXPECT_STREQ("", surprise());
	close(arena->fd);
}

/* Forked children use and lose the session while its owner does, too. */
static void fork_and_leave(int me)
{
	int i, ret;
	__u64 id;

	for (i = 0; i < arena->rounds; i++) {
		pid_t pid;

		ret = ro_attach(arena->fd, "race", 0, 1, &id, NULL);
		MUST(ret == 0 || ret == 1, ret);
		pid = fork();
		if (!pid) {
			ret = ro_acquire(arena->fd, id, 1, 0);
			MUST(ret == 0, ret);
			if (me % 2)
				kill(getpid(), SIGKILL);
			_exit(0);
		}
		ret = ro_reap(pid);
		MUST(ret == (me % 2 ? -SIGKILL : 0), ret);
		ret = ro_release(arena->fd, id, 2);
		MUST(ret == 0 || ret == 1, ret);
	}
}

TEST_F_TIMEOUT(races, fork_while_it_is_used, PATIENCE)
{
	arena_open(4, 40);
	arena->fd = ro_open();
	race_processes(fork_and_leave);
	EXPECT_STREQ("", surprise());
	EXPECT_EQ(0, ro_look_since(&self->look, "references_dropped"));
	EXPECT_EQ(0, ro_look_since(&self->look, "references"));
	close(arena->fd);
}

/* Namespaces die with what is in them while the tables are read. */
static void live_in_a_namespace(int me)
{
	int i, ret, fd;

	for (i = 0; i < arena->rounds; i++) {
		ret = unshare(CLONE_NEWNET);
		MUST(!ret, errno);
		fd = ro_open();
		ret = ro_create(fd, "race", REFOBJ_PERSISTENT, me % 2, NULL);
		MUST(ret == me % 2, ret);
		ret = ro_create(fd, NULL, 0, 1, NULL);
		MUST(ret == 1, ret);
		close(fd);
	}
}

TEST_F_TIMEOUT(races, namespaces_that_come_and_go, PATIENCE)
{
	__u64 end = ro_now_ns() + 20000000000ULL * ro_slow();
	pid_t pid[WORKERS];
	char buf[4096];

	if (access("/proc/self/ns/net", F_OK))
		SKIP(return, "a kernel without network namespaces");
	arena_open(2, 8);
	start_processes(live_in_a_namespace, pid);
	while (GET(&arena->going)) {
		int fd = open(REFOBJ_DEBUGFS "/objects", O_RDONLY | O_CLOEXEC);
		ssize_t n;

		do {
			n = read(fd, buf, 100);
		} while (n > 0);
		EXPECT_EQ(0, n);
		close(fd);
	}
	end_processes(pid);
	EXPECT_STREQ("", surprise());
	/* A worker takes the namespaces down, and tells nobody. */
	while (ro_look_since(&self->look, "objects") && ro_now_ns() < end)
		poll(NULL, 0, 1);
	EXPECT_EQ(4 * arena->rounds, ro_look_since(&self->look, "destroyed"));
}

/*
 * Races without chance: a call is held still where it writes its results, and
 * meanwhile the world changes.
 */
struct held_still {
	struct ro_trap trap;
	unsigned long cmd;
	void *arg;
	int fd;
	int ret;
	int done[2];
};

static void *call_held_still(void *arg)
{
	struct held_still *h = arg;

	h->ret = ro_ioctl(h->fd, h->cmd, h->arg);
	close(h->done[1]);
	return NULL;
}

FIXTURE(still) {
	struct ro_look look;
	struct held_still h;
	pthread_t thread;
};

FIXTURE_SETUP(still)
{
	const char *why = ro_look_open(&self->look);

	if (why)
		SKIP(return, "%s", why);
	self->h.fd = ro_open();
	ASSERT_EQ(0, pipe2(self->h.done, O_CLOEXEC));
}

FIXTURE_TEARDOWN(still)
{
	close(self->h.fd);
	EXPECT_STREQ(RO_NOTHING, ro_look_close(&self->look));
}

/* Until the call is caught again, or over: the page, or NULL. */
static void *next_stop(struct held_still *h)
{
	struct pollfd p[2] = {
		{ .fd = h->trap.fd, .events = POLLIN },
		{ .fd = h->done[0] },
	};

	poll(p, 2, -1);
	return p[0].revents & POLLIN ? ro_trap_wait(&h->trap) : NULL;
}

/* The argument lies in the page, and its writing is what is caught. */
static int catch_writing(struct held_still *h, const void *arg, size_t size)
{
	int ret = ro_trap_open(&h->trap, 1, true);

	if (ret)
		return ret;
	h->arg = memcpy(h->trap.mem, arg, size);
	return ro_trap_set(&h->trap);
}

TEST_F(still, create_meets_create)
{
	struct refobj_create c = {
		.size = sizeof(c), .initial = 1, .name = "still",
	};
	int ret = catch_writing(&self->h, &c, sizeof(c));
	__u64 id = 0, same = 0;
	void *page;

	if (ret)
		SKIP(return, "no such userfaultfd: %s", strerror(-ret));
	self->h.cmd = REFOBJ_IOC_CREATE;
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, call_held_still,
				    &self->h));
	page = next_stop(&self->h);
	ASSERT_NE(NULL, page);
	/* It has taken effect for nobody, so the name is free. */
	EXPECT_EQ(-ENOENT, ro_lookup(self->look.fd, "still", NULL));
	EXPECT_EQ(1, ro_create(self->look.fd, "still", 0, 1, &id));
	EXPECT_EQ(0, ro_trap_let(&self->h.trap, page));
	EXPECT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(-EEXIST, self->h.ret);
	EXPECT_EQ(0, ro_lookup(self->look.fd, "still", &same));
	EXPECT_EQ(id, same);
	EXPECT_EQ(1, ro_look_since(&self->look, "created"));
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
}

TEST_F(still, attach_meets_create)
{
	struct refobj_attach a = {
		.size = sizeof(a), .count = 2, .name = "still",
	};
	int ret = catch_writing(&self->h, &a, sizeof(a));
	__u64 id = 0;
	void *page;

	if (ret)
		SKIP(return, "no such userfaultfd: %s", strerror(-ret));
	self->h.cmd = REFOBJ_IOC_ATTACH;
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, call_held_still,
				    &self->h));
	page = next_stop(&self->h);
	ASSERT_NE(NULL, page);
	EXPECT_EQ(1, ro_create(self->look.fd, "still", 0, 1, &id));
	EXPECT_EQ(0, ro_trap_let(&self->h.trap, page));
	EXPECT_EQ(0, pthread_join(self->thread, NULL));
	/* It goes on to the object that has come before its own. */
	memcpy(&a, self->h.arg, sizeof(a));
	EXPECT_EQ(0, self->h.ret);
	EXPECT_EQ(id, a.id);
	EXPECT_EQ(0U, a.created);
	EXPECT_EQ(3, ro_users(self->look.fd, id));
	EXPECT_EQ(0, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(1, ro_release(self->h.fd, id, 2));
}

/* It has found an object, which dies before it is held. */
TEST_F(still, attach_meets_the_last_release)
{
	struct refobj_attach a = {
		.size = sizeof(a), .count = 2, .name = "still",
	};
	int ret = catch_writing(&self->h, &a, sizeof(a));
	__u64 id = 0;
	void *page;

	if (ret)
		SKIP(return, "no such userfaultfd: %s", strerror(-ret));
	ASSERT_EQ(1, ro_create(self->look.fd, "still", 0, 1, &id));
	self->h.cmd = REFOBJ_IOC_ATTACH;
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, call_held_still,
				    &self->h));
	page = next_stop(&self->h);
	ASSERT_NE(NULL, page);
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(-ENOENT, ro_lookup(self->look.fd, "still", NULL));
	EXPECT_EQ(0, ro_trap_let(&self->h.trap, page));
	EXPECT_EQ(0, pthread_join(self->thread, NULL));
	/* Never the dead one: a new one. */
	memcpy(&a, self->h.arg, sizeof(a));
	EXPECT_EQ(1, self->h.ret);
	EXPECT_EQ(1U, a.created);
	EXPECT_NE(id, a.id);
	EXPECT_EQ(2, ro_users(self->look.fd, a.id));
	EXPECT_EQ(-ESTALE, ro_users(self->look.fd, id));
	EXPECT_EQ(1, ro_release(self->h.fd, a.id, 2));
}

/* Room for the records of @n holders in a trap that catches each page. */
static int catch_records(struct held_still *h, struct refobj_holders *args,
			 __u64 id, unsigned int n)
{
	size_t size = n * sizeof(struct refobj_holder);
	int ret = ro_trap_open(&h->trap, 1 + size / sysconf(_SC_PAGESIZE),
			       false);

	if (ret)
		return ret;
	*args = (struct refobj_holders){
		.size = sizeof(*args), .id = id, .capacity = n,
		.records = (uintptr_t)h->trap.mem,
		.record_size = sizeof(struct refobj_holder),
	};
	h->cmd = REFOBJ_IOC_HOLDERS;
	h->arg = args;
	return ro_trap_set(&h->trap);
}

/*
 * A signal that does not kill: it is pending while the call goes on.
 */
static void nothing(int sig)
{
}

static int signal_pending_there(pthread_t thread)
{
	struct sigaction sa = { .sa_handler = nothing };

	return sigaction(SIGUSR1, &sa, NULL) ?: pthread_kill(thread, SIGUSR1);
}

/* It has lost its round, and a signal is there when the next is to start. */
TEST_F(still, attach_is_interrupted)
{
	struct refobj_attach a = {
		.size = sizeof(a), .count = 2, .name = "still",
	};
	int ret = catch_writing(&self->h, &a, sizeof(a));
	__u64 id = 0;
	void *page;

	if (ret)
		SKIP(return, "no such userfaultfd: %s", strerror(-ret));
	self->h.cmd = REFOBJ_IOC_ATTACH;
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, call_held_still,
				    &self->h));
	page = next_stop(&self->h);
	ASSERT_NE(NULL, page);
	EXPECT_EQ(1, ro_create(self->look.fd, "still", 0, 1, &id));
	EXPECT_EQ(0, signal_pending_there(self->thread));
	EXPECT_EQ(0, ro_trap_let(&self->h.trap, page));
	EXPECT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(-EINTR, self->h.ret);
	/* Nothing was done. */
	EXPECT_EQ(1, ro_users(self->look.fd, id));
	EXPECT_EQ(1, ro_look_since(&self->look, "created"));
	EXPECT_EQ(0, ro_look_since(&self->look, "attaches"));
	EXPECT_EQ(1, ro_look_since(&self->look, "refused_EINTR"));
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
}

TEST_F(still, holders_are_interrupted)
{
	struct refobj_holders h;
	__u64 id = 0;
	void *page;
	int ret;

	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &id));
	ret = catch_records(&self->h, &h, id, 8);
	if (ret) {
		ro_release(self->look.fd, id, 1);
		SKIP(return, "no such userfaultfd: %s", strerror(-ret));
	}
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, call_held_still,
				    &self->h));
	page = next_stop(&self->h);
	ASSERT_NE(NULL, page);
	EXPECT_EQ(0, signal_pending_there(self->thread));
	EXPECT_EQ(0, ro_trap_let(&self->h.trap, page));
	EXPECT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(-EINTR, self->h.ret);
	/* The place where the caller is has not moved. */
	EXPECT_EQ(0ULL, h.cursor);
	EXPECT_EQ(0U, h.count);
	EXPECT_EQ(1, ro_ioctl(self->h.fd, self->h.cmd, &h) ?: (int)h.count);
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
}

/*
 * A walk over many objects that the caller may not see ends at a signal, and
 * goes on where it was.
 */
TEST_F(still, walk_is_interrupted)
{
	struct refobj_stat *st;
	__u64 id[3] = { };
	void *page;
	int i, ret;

	close(self->h.fd);
	ASSERT_EQ(0, seteuid(65534));
	self->h.fd = ro_open();
	ASSERT_EQ(0, seteuid(0));
	ASSERT_LE(0, self->h.fd);
	ret = ro_trap_open(&self->h.trap, 1, false) ?:
	      ro_trap_set(&self->h.trap);
	if (ret)
		SKIP(return, "no such userfaultfd: %s", strerror(-ret));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &id[i]));
	st = aligned_alloc(sysconf(_SC_PAGESIZE), sysconf(_SC_PAGESIZE));
	ASSERT_NE(NULL, st);
	*st = (struct refobj_stat){
		.size = sizeof(*st), .flags = REFOBJ_STAT_NEXT,
	};
	self->h.cmd = REFOBJ_IOC_STAT;
	self->h.arg = self->h.trap.mem;
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, call_held_still,
				    &self->h));
	page = next_stop(&self->h);
	ASSERT_NE(NULL, page);
	EXPECT_EQ(0, signal_pending_there(self->thread));
	EXPECT_EQ(0, ro_trap_fill(&self->h.trap, page, st));
	EXPECT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(-EINTR, self->h.ret);
	/* Without a signal there is nothing for it to see. */
	EXPECT_EQ(-ENOENT, ro_ioctl(self->h.fd, self->h.cmd, self->h.arg));
	free(st);
	EXPECT_EQ(3, ro_release_all(self->look.fd, 0));
}

#define CROWD	220

/* At each page that is written some holders go, and others come. */
TEST_F(still, holders_change_in_the_middle_of_a_walk)
{
	unsigned int i, j, changes = 0, left = 1;
	int fd[CROWD], came[40], ret;
	struct refobj_holder *rec;
	struct refobj_holders h;
	__u64 session[CROWD];
	void *page;
	__u64 id = 0;

	ASSERT_EQ(1, ro_create(self->look.fd, NULL, 0, 1, &id));
	for (i = 0; i < CROWD; i++) {
		struct refobj_info info = { .size = sizeof(info) };

		fd[i] = ro_open();
		ASSERT_EQ(0, ro_ioctl(fd[i], REFOBJ_IOC_INFO, &info));
		session[i] = info.session;
		ASSERT_EQ(0, ro_acquire(fd[i], id, 1, 0));
	}
	ret = catch_records(&self->h, &h, id, 2 * CROWD);
	if (!ret) {
		ASSERT_EQ(0, pthread_create(&self->thread, NULL,
					    call_held_still, &self->h));
		while ((page = next_stop(&self->h))) {
			/* All but every third go, in leaps over the crowd. */
			for (i = 0; i < 40 && left < CROWD; i++) {
				if (left % 3) {
					close(fd[left]);
					fd[left] = -1;
				}
				left = left + 67 >= CROWD && left % 67 != 66 ?
				       left % 67 + 1 : left + 67;
			}
			if (changes < RO_ARRAY_SIZE(came)) {
				came[changes] = ro_open();
				EXPECT_EQ(0, ro_acquire(came[changes], id, 1,
							0));
				changes++;
			}
			EXPECT_EQ(0, ro_trap_let(&self->h.trap, page));
		}
		EXPECT_EQ(0, pthread_join(self->thread, NULL));
		EXPECT_EQ(0, self->h.ret);
		EXPECT_LT(3U, changes);
		EXPECT_EQ(0ULL, h.cursor);
		rec = self->h.trap.mem;
		/* Who stayed is told once, whoever else at most once. */
		for (i = 0; i < CROWD; i++) {
			unsigned int told = 0;

			for (j = 0; j < h.count; j++)
				told += rec[j].session == session[i];
			EXPECT_GE(1U, told);
			EXPECT_LE(i % 3 == 0, told);
		}
		for (j = 1; j < h.count; j++)
			EXPECT_LE(rec[j - 1].since_ns, rec[j].since_ns);
	}
	for (i = 0; i < CROWD; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	for (i = 0; i < changes; i++)
		close(came[i]);
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
	if (ret)
		SKIP(return, "no such userfaultfd: %s", strerror(-ret));
}

/* The object dies in the middle of the walk over its holders. */
TEST_F(still, walk_meets_death)
{
	struct refobj_holders h;
	__u64 id = 0, again = 0;
	void *page;
	int ret;

	ASSERT_EQ(1, ro_create(self->look.fd, "still", 0, 1, &id));
	ret = catch_records(&self->h, &h, id, 8);
	if (ret) {
		ro_release(self->look.fd, id, 1);
		SKIP(return, "no such userfaultfd: %s", strerror(-ret));
	}
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, call_held_still,
				    &self->h));
	page = next_stop(&self->h);
	ASSERT_NE(NULL, page);
	EXPECT_EQ(1, ro_release(self->look.fd, id, 1));
	EXPECT_EQ(-ENOENT, ro_lookup(self->look.fd, "still", NULL));
	EXPECT_EQ(1, ro_create(self->look.fd, "still", 0, 1, &again));
	EXPECT_EQ(0, ro_trap_let(&self->h.trap, page));
	EXPECT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(-ESTALE, self->h.ret);
	EXPECT_EQ(1, ro_release(self->look.fd, again, 1));
}

TEST_HARNESS_MAIN
