// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints of events/refobj: one for each transition, in its order, with what
 * was so at that moment. They are read as text from an instance of tracefs that each
 * test has to itself.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "refobj_proc.h"
#include "../kselftest_harness.h"

#define TRACEFS		"/sys/kernel/tracing"
#define TEXT_MAX	65536

/* What scripts may rely on: none may go, and none may lose a field. */
static const struct {
	const char *name;
	const char *fields;
} points[] = {
	{ "refobj_create", "object net uid mode flags type name" },
	{ "refobj_acquire", "object holder kind count users cause signal" },
	{ "refobj_release", "object holder kind count users cause signal" },
	{ "refobj_drop", "object holder kind count users cause signal" },
	{ "refobj_activate", "object users cause signal by" },
	{ "refobj_publish", "object users cause signal by" },
	{ "refobj_deactivate", "object users cause signal by" },
	{ "refobj_destroy", "object users cause signal by" },
	{ "refobj_session_open", "session net uid cause signal" },
	{ "refobj_session_revoke", "session net uid cause signal" },
	{ "refobj_session_close", "session net uid cause signal" },
	{ "refobj_link", "owner dep" },
	{ "refobj_unlink", "owner dep" },
	{ "refobj_wait", "session object until conditions result" },
	{ "refobj_event_lost", "session object seq type" },
};

FIXTURE(trace) {
	char path[100];		/* of the instance */
	char *text;		/* what it told last */
	char *wanted;
	int fd;
	__u64 session;
	unsigned int net;
};

static int write_to(const char *dir, const char *file, const char *text)
{
	char path[200];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		ret = -errno;
	close(fd);
	return ret;
}

static int read_from(const char *dir, const char *file, char *text, size_t size)
{
	char path[200];
	size_t n = 0;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (n < size - 1 && (got = read(fd, text + n, size - 1 - n)) > 0)
		n += got;
	text[n] = '\0';
	close(fd);
	return 0;
}

static __u64 session_of(int fd)
{
	struct refobj_info info = { .size = sizeof(info) };

	return ro_ioctl(fd, REFOBJ_IOC_INFO, &info) ? 0 : info.session;
}

FIXTURE_SETUP(trace)
{
	const char *why = ro_obstacle();
	struct stat st;

	if (why)
		SKIP(return, "%s", why);
	if (access(TRACEFS "/instances", X_OK))
		mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	if (access(TRACEFS "/events/refobj", X_OK))
		SKIP(return, "no " TRACEFS "/events/refobj: a kernel without CONFIG_TRACING");
	snprintf(self->path, sizeof(self->path), TRACEFS "/instances/refobj-%d",
		 getpid());
	ASSERT_EQ(0, mkdir(self->path, 0700));
	self->text = malloc(TEXT_MAX);
	self->wanted = malloc(TEXT_MAX);
	ASSERT_TRUE(self->text && self->wanted);
	self->wanted[0] = '\0';
	ASSERT_EQ(0, stat("/proc/self/ns/net", &st));
	self->net = st.st_ino;
	self->fd = ro_open();
	ASSERT_LE(0, self->fd);
	self->session = session_of(self->fd);
	ASSERT_EQ(0, write_to(self->path, "events/refobj/enable", "1"));
}

FIXTURE_TEARDOWN(trace)
{
	close(self->fd);
	write_to(self->path, "events/refobj/enable", "0");
	rmdir(self->path);
	free(self->text);
	free(self->wanted);
}

/* A line that must come. */
static void __attribute__((format(printf, 2, 3)))
want(char *wanted, const char *format, ...)
{
	size_t n = strlen(wanted);
	va_list args;

	va_start(args, format);
	n += vsnprintf(wanted + n, TEXT_MAX - n - 1, format, args);
	va_end(args);
	snprintf(wanted + n, TEXT_MAX - n, "\n");
}

/* What came since the last call, each line from the name of the tracepoint on. */
static int told(const char *dir, char *text)
{
	char *from, *to = text, *line, *rest = NULL;
	int err = read_from(dir, "trace", text, TEXT_MAX);

	if (err)
		return err;
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		from = *line == '#' ? NULL : strstr(line, ": refobj_");
		if (!from)
			continue;
		memmove(to, from + 2, strlen(from + 2) + 1);
		to += strlen(to);
		*to++ = '\n';
	}
	*to = '\0';
	return write_to(dir, "trace", "");
}

#define EXPECT_TOLD() do {						\
	ASSERT_EQ(0, told(self->path, self->text));			\
	EXPECT_STREQ(self->wanted, self->text);				\
	self->wanted[0] = '\0';						\
} while (0)

#define WANT(...)	want(self->wanted, __VA_ARGS__)

#define WANT_REFERENCES(name, object, kind, holder, count, users, cause, signal) \
	WANT("refobj_" name ": object=%llu kind=" kind			\
	     " holder=%llu count=%u users=%u cause=" cause " signal=%u",	\
	     object, holder, count, users, signal)

#define WANT_TRANSITION(name, object, users, cause, signal, by)		\
	WANT("refobj_" name ": object=%llu users=%u cause=" cause		\
	     " signal=%u by=%d", object, users, signal, by)

TEST_F(trace, there_are_these)
{
	char dir[100], *at, *field, *rest, fields[200], word[100];
	unsigned int i, n = 0;
	struct dirent *d;
	DIR *events;

	events = opendir(TRACEFS "/events/refobj");
	ASSERT_TRUE(!!events);
	while ((d = readdir(events)))
		n += d->d_type == DT_DIR && d->d_name[0] != '.';
	closedir(events);
	EXPECT_EQ(RO_ARRAY_SIZE(points), n);
	for (i = 0; i < RO_ARRAY_SIZE(points); i++) {
		snprintf(dir, sizeof(dir), TRACEFS "/events/refobj/%s",
			 points[i].name);
		ASSERT_EQ(0, read_from(dir, "format", self->text, TEXT_MAX))
			TH_LOG("%s", points[i].name);
		at = strstr(self->text, "print fmt:");
		ASSERT_TRUE(!!at);
		EXPECT_TRUE(!strstr(at, "%p"))
			TH_LOG("%s shows a pointer", points[i].name);
		snprintf(fields, sizeof(fields), "%s", points[i].fields);
		for (field = strtok_r(fields, " ", &rest); field;
		     field = strtok_r(NULL, " ", &rest)) {
			snprintf(word, sizeof(word), "%s=", field);
			EXPECT_TRUE(!!strstr(at, word))
				TH_LOG("%s does not print %s", points[i].name,
				       field);
			snprintf(word, sizeof(word), " %s;", field);
			EXPECT_TRUE(!!strstr(self->text, word))
				TH_LOG("%s has no %s", points[i].name, field);
		}
	}
}

TEST_F(trace, life_of_a_transient_object)
{
	struct refobj_create c = {
		.size = sizeof(c), .initial = 2, .mode = 0640,
		.name = "lens", .type = "glass",
	};
	unsigned long long id, s = self->session;
	int me = getpid();

	ASSERT_EQ(1, ro_ioctl(self->fd, REFOBJ_IOC_CREATE, &c));
	id = c.id;
	WANT("refobj_create: object=%llu net=%u uid=0 mode=0640 flags=0x0 type=glass name=lens",
	     id, self->net);
	WANT_TRANSITION("activate", id, 2, "acquire", 0, me);
	WANT_REFERENCES("acquire", id, "session", s, 2, 2,
			"acquire", 0);
	ASSERT_EQ(0, ro_acquire(self->fd, id, 3, 0));
	WANT_REFERENCES("acquire", id, "session", s, 3, 5,
			"acquire", 0);
	ASSERT_EQ(0, ro_release(self->fd, id, 1));
	WANT_REFERENCES("release", id, "session", s, 1, 4,
			"release", 0);
	ASSERT_EQ(1, ro_release(self->fd, id, 4));
	WANT_REFERENCES("release", id, "session", s, 4, 0,
			"release", 0);
	WANT_TRANSITION("deactivate", id, 0, "release", 0, me);
	WANT_TRANSITION("destroy", id, 0, "release", 0, me);
	EXPECT_TOLD();

	/* What fails is no transition. */
	EXPECT_EQ(-ESTALE, ro_acquire(self->fd, id, 1, 0));
	EXPECT_EQ(-ESTALE, ro_release(self->fd, id, 1));
	EXPECT_EQ(-ENOENT, ro_acquire(self->fd, ~0ULL, 1, 0));
	EXPECT_TOLD();
}

TEST_F(trace, a_persistent_object_is_destroyed_on_demand)
{
	unsigned long long id;
	__u64 new;

	ASSERT_EQ(0, ro_create(self->fd, "base", REFOBJ_PERSISTENT, 0, &new));
	id = new;
	WANT("refobj_create: object=%llu net=%u uid=0 mode=0600 flags=0x1 type= name=base",
	     id, self->net);
	ASSERT_EQ(0, ro_destroy(self->fd, id));
	WANT_TRANSITION("destroy", id, 0, "destroy", 0, getpid());
	EXPECT_TOLD();
}

TEST_F(trace, a_killed_process_drops)
{
	unsigned long long id, s;
	struct ro_kid kid;
	__u64 new;

	ASSERT_EQ(1, ro_create(self->fd, "", 0, 1, &new));
	id = new;
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		int fd = ro_open();

		ro_kid_say(&kid, session_of(fd));
		ro_kid_say(&kid, ro_acquire(fd, id, 7, 0));
		pause();
	}
	s = ro_kid_hear(&kid);
	ASSERT_EQ(0, ro_kid_hear(&kid));
	ASSERT_EQ(0, told(self->path, self->text));
	ASSERT_EQ(-SIGKILL, ro_kid_kill(&kid, SIGKILL));
	WANT_REFERENCES("drop", id, "session", s, 7, 1,
			"signal", 9);
	WANT("refobj_session_close: session=%llu net=%u uid=0 cause=signal signal=9",
	     s, self->net);
	EXPECT_TOLD();
}

TEST_F(trace, a_session_that_outlives_its_owner_is_revoked)
{
	unsigned long long id, s;
	struct ro_kid kid;
	int fd = ro_open();
	__u64 new;

	ASSERT_LE(0, fd);
	s = session_of(fd);
	WANT("refobj_session_open: session=%llu net=%u uid=0 cause=none signal=0",
	     s, self->net);
	ASSERT_EQ(1, ro_create(fd, "", 0, 1, &new));
	id = new;
	ASSERT_LE(0, ro_kid_fork(&kid));
	if (!kid.pid) {
		/* has a copy of it */
		ro_kid_await(&kid);
		_exit(0);
	}
	EXPECT_TRUE(!told(self->path, self->text) &&
		    strstr(self->text, self->wanted));
	self->wanted[0] = '\0';
	close(fd);
	WANT_REFERENCES("drop", id, "session", s, 1, 0,
			"close", 0);
	WANT_TRANSITION("deactivate", id, 0, "close", 0, getpid());
	WANT_TRANSITION("destroy", id, 0, "close", 0, getpid());
	WANT("refobj_session_revoke: session=%llu net=%u uid=0 cause=close signal=0",
	     s, self->net);
	EXPECT_TOLD();
	ro_kid_say(&kid, 0);
	ASSERT_EQ(0, ro_kid_reap(&kid));
	WANT("refobj_session_close: session=%llu net=%u uid=0 cause=exit signal=0",
	     s, self->net);
	EXPECT_TOLD();
}

TEST_F(trace, an_edge_holds)
{
	unsigned long long owner, dep, s = self->session;
	struct refobj_link link = { .size = sizeof(link) };
	int me = getpid();
	__u64 a, b;

	ASSERT_EQ(0, ro_create(self->fd, "", REFOBJ_PERSISTENT, 0, &a));
	ASSERT_EQ(0, ro_create(self->fd, "", REFOBJ_PERSISTENT, 0, &b));
	owner = a;
	dep = b;
	ASSERT_EQ(0, told(self->path, self->text));
	link.id = a;
	link.dep = b;
	ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_LINK, &link));
	WANT("refobj_link: owner=%llu dep=%llu", owner, dep);
	ASSERT_EQ(1, ro_acquire(self->fd, owner, 1, 0));
	WANT_TRANSITION("activate", owner, 1, "acquire", 0, me);
	WANT_REFERENCES("acquire", owner, "session", s, 1, 1,
			"acquire", 0);
	WANT_TRANSITION("activate", dep, 1, "object", 0, 0);
	WANT_REFERENCES("acquire", dep, "object", owner, 1, 1,
			"object", 0);
	ASSERT_EQ(0, ro_ioctl(self->fd, REFOBJ_IOC_UNLINK, &link));
	WANT_REFERENCES("release", dep, "object", owner, 1, 0,
			"object", 0);
	WANT_TRANSITION("deactivate", dep, 0, "object", 0, 0);
	WANT("refobj_unlink: owner=%llu dep=%llu", owner, dep);
	EXPECT_TOLD();
	ASSERT_EQ(1, ro_release(self->fd, owner, 1));
	EXPECT_EQ(0, ro_destroy(self->fd, owner));
	EXPECT_EQ(0, ro_destroy(self->fd, dep));
}

TEST_F(trace, a_descriptor_holds)
{
	struct refobj_export x = { .size = sizeof(x) };
	unsigned long long id;
	__u64 new;
	int objfd;

	ASSERT_EQ(1, ro_create(self->fd, "", 0, 1, &new));
	id = new;
	x.id = id;
	ASSERT_EQ(0, told(self->path, self->text));
	objfd = ro_ioctl(self->fd, REFOBJ_IOC_EXPORT, &x);
	ASSERT_LE(0, objfd);
	WANT_REFERENCES("acquire", id, "fd", 0ULL, 1, 2,
			"acquire", 0);
	close(objfd);
	WANT_REFERENCES("drop", id, "fd", 0ULL, 1, 1,
			"close", 0);
	EXPECT_TOLD();
}

TEST_F(trace, a_builder_publishes_and_a_waiter_is_served)
{
	unsigned long long id, s = self->session;
	__u64 new;

	ASSERT_EQ(1 | REFOBJ_BUILDER,
		  ro_create(self->fd, "", REFOBJ_BUILD, 1, &new));
	id = new;
	ASSERT_EQ(0, told(self->path, self->text));
	ASSERT_EQ(-ETIMEDOUT,
		  ro_wait(self->fd, id, REFOBJ_UNTIL_READY, 0, 1));
	WANT("refobj_wait: session=%llu object=%llu until=%u conditions=1 result=%d",
	     s, id, REFOBJ_UNTIL_READY, -ETIMEDOUT);
	ASSERT_EQ(0, ro_publish(self->fd, id));
	WANT_TRANSITION("publish", id, 1, "publish", 0, getpid());
	ASSERT_EQ(0, ro_wait(self->fd, id, REFOBJ_UNTIL_READY, 0, 1));
	WANT("refobj_wait: session=%llu object=%llu until=%u conditions=1 result=0",
	     s, id, REFOBJ_UNTIL_READY);
	EXPECT_TOLD();
}

TEST_F(trace, a_lost_event_is_told)
{
	__u64 new;
	unsigned long long s;
	int fd;

	ASSERT_EQ(0, ro_create(self->fd, "", REFOBJ_PERSISTENT, 0, &new));
	fd = ro_open_with_room(16, new, REFOBJ_WATCH(REFOBJ_EVENT_ACTIVATED));
	ASSERT_LE(0, fd);
	s = session_of(fd);
	ASSERT_LE(0, ro_bounce(self->fd, new, 17));
	ASSERT_EQ(0, told(self->path, self->text));
	WANT("refobj_event_lost: session=%llu object=%llu type=%u seq=17", s,
	     (unsigned long long)new, REFOBJ_EVENT_ACTIVATED);
	self->wanted[strlen(self->wanted) - 1] = '\0';
	EXPECT_TRUE(!!strstr(self->text, self->wanted))
		TH_LOG("no %s", self->wanted);
	EXPECT_EQ(0, ro_destroy(self->fd, new));
	close(fd);
}

/* Every reference that came has gone. */
TEST_F(trace, what_came_went)
{
	long long references = 0, sessions = 0, objects = 0;
	struct refobj_link link = { .size = sizeof(link) };
	char *line, *rest;
	__u64 id[3];
	int i, fd;

	fd = ro_open();
	ASSERT_LE(0, fd);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(1, ro_create(fd, "", 0, i + 1, &id[i]));
	link.id = id[0];
	link.dep = id[1];
	ASSERT_EQ(0, ro_ioctl(fd, REFOBJ_IOC_LINK, &link));
	ASSERT_EQ(0, ro_acquire(fd, id[2], 300, 0));
	ASSERT_EQ(1, ro_release_all(fd, id[2]));
	close(fd);
	ASSERT_EQ(0, told(self->path, self->text));
	for (line = strtok_r(self->text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		char *count = strstr(line, " count=");

		if (!strncmp(line, "refobj_acquire:", 15))
			references += atoll(count + 7);
		else if (!strncmp(line, "refobj_release:", 15) ||
			 !strncmp(line, "refobj_drop:", 12))
			references -= atoll(count + 7);
		else if (!strncmp(line, "refobj_create:", 14))
			objects++;
		else if (!strncmp(line, "refobj_destroy:", 15))
			objects--;
		else if (!strncmp(line, "refobj_session_open:", 20))
			sessions++;
		else if (!strncmp(line, "refobj_session_close:", 21))
			sessions--;
	}
	EXPECT_EQ(0, references);
	EXPECT_EQ(0, objects);
	EXPECT_EQ(0, sessions);
}

/* How long objects were held, as the manual page shows it. */
TEST_F(trace, a_histogram_of_how_long_objects_were_held)
{
	static const char hold[] = "refobj_hold u64 object; u64 ns";
	char path[200], key[64], match[160];
	__u64 new;
	int i, err;

	snprintf(match, sizeof(match), "hist:%s:%s",
		 "keys=object:ns=common_timestamp-$t0",
		 "onmatch(refobj.refobj_activate).refobj_hold(object,$ns)");
	snprintf(path, sizeof(path), "%s/events/refobj/refobj_activate/hist",
		 self->path);
	if (access(path, R_OK))
		SKIP(return, "no histograms: a kernel without CONFIG_HIST_TRIGGERS");
	err = write_to(TRACEFS, "synthetic_events", hold);
	if (err == -ENOENT)
		SKIP(return, "no synthetic events: a kernel without CONFIG_SYNTH_EVENTS");
	ASSERT_EQ(0, err);
	EXPECT_EQ(0, write_to(self->path, "events/refobj/refobj_activate/trigger",
			      "hist:keys=object:t0=common_timestamp"));
	EXPECT_EQ(0, write_to(self->path, "events/refobj/refobj_deactivate/trigger",
			      match));
	EXPECT_EQ(0, write_to(self->path, "events/synthetic/refobj_hold/trigger",
			      "hist:keys=object,ns.log2"));
	ASSERT_EQ(0, ro_create(self->fd, "", REFOBJ_PERSISTENT, 0, &new));
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(1, ro_acquire(self->fd, new, 1, 0));
		EXPECT_EQ(1, ro_release(self->fd, new, 1));
	}
	EXPECT_EQ(0, ro_destroy(self->fd, new));
	ASSERT_EQ(0, read_from(self->path, "events/synthetic/refobj_hold/hist",
			       self->text, TEXT_MAX));
	snprintf(key, sizeof(key), "%llu, ns: ~ 2^", (unsigned long long)new);
	EXPECT_TRUE(!!strstr(self->text, key))
		TH_LOG("no '%s' in %s", key, self->text);
	EXPECT_TRUE(!!strstr(self->text, "Hits: 5"))
		TH_LOG("%s", self->text);
	write_to(self->path, "events/synthetic/refobj_hold/trigger",
		 "!hist:keys=object,ns.log2");
	snprintf(path, sizeof(path), "!%s", match);
	write_to(self->path, "events/refobj/refobj_deactivate/trigger", path);
	write_to(self->path, "events/refobj/refobj_activate/trigger",
		 "!hist:keys=object:t0=common_timestamp");
	write_to(TRACEFS, "synthetic_events", "!refobj_hold u64 object; u64 ns");
}

TEST_HARNESS_MAIN
