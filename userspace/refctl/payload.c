// SPDX-License-Identifier: GPL-2.0-only
/* The verbs that work with what objects protect: values and files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "refctl.h"

int borrow_object(struct refobj_session *session, const char *arg,
		  unsigned int flags, const char *idle,
		  struct refobj_stat *stat)
{
	uint64_t id;
	int ret;

	/*
	 * Not from zero: an idle object would be activated for this, and forget at
	 * once. If the others go meanwhile, ours is the last reference, and the end
	 * comes when we are through.
	 */
	flags |= REFOBJ_ACQUIRE_NOT_ZERO;
	do {
		ret = find_object(session, arg, stat);
		if (ret)
			return ret;
		ret = RETRY(refobj_acquire_as(session, stat->id, 1, flags,
					      NULL));
	} while (ret == -ESTALE && !parse_id(arg, &id));
	if (ret == -EAGAIN)
		complain(arg, "nobody uses the object: %s", idle);
	else if (ret < 0)
		complain_object(session, arg, ret);
	return ret;
}

/*
 * Building
 */

/* Runs a command of the shell, whose output goes to a file. */
static int run_into(const char *name, const char *cmd, int fd)
{
	const char *const argv[] = { "sh", "-c", cmd, NULL };
	int saved, status;

	fflush(stdout);
	saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	dup2(fd, STDOUT_FILENO);
	status = run_command(name, (char **)argv);
	if (saved >= 0)
		dup2(saved, STDOUT_FILENO);
	else
		close(STDOUT_FILENO);
	close(saved);
	return status;
}

static bool run_builder(struct refobj_session *session, const char *name,
			uint64_t id, const char *cmd)
{
	int fd, status, ret;

	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0) {
		complain(name, "no memory to build it in: %s", strerror(errno));
		return false;
	}
	status = run_into(name, cmd, fd);
	if (status) {
		complain(name, "the command that builds it failed with status %d: %s",
			 status, escape(cmd));
		goto fail;
	}
	/* The offset is that of all who will have this file. */
	lseek(fd, 0, SEEK_SET);
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
		  F_SEAL_SEAL)) {
		complain(name,
			 "what was built cannot be sealed: %s: does something that CMD started write to it still?",
			 strerror(errno));
		goto fail;
	}
	ret = RETRY(refobj_publish(session, id, fd));
	if (ret < 0) {
		complain_object(session, name, ret);
		goto fail;
	}
	close(fd);
	return true;

fail:
	close(fd);
	return false;
}

/* Waits until it is ready, or for @cmd's sake ours to build; negative: complained. */
static int wait_until_ready(struct refobj_session *session, const char *name,
			    uint64_t id, bool build, uint64_t deadline)
{
	struct refobj_condition condition = {
		.id = id, .until = REFOBJ_UNTIL_READY,
		.flags = build ? REFOBJ_COND_BUILD : 0,
	};
	int ret;

	do {
		ret = RETRY(refobj_wait_many(session, &condition, 1, 0, deadline));
		/* who may not write it can only wait for others */
	} while (ret == -EACCES && condition.flags && !(condition.flags = 0));
	if (ret == -ETIMEDOUT)
		complain(name,
			 "the time is over, and it is not ready: see who builds it: refctl show");
	else if (ret < 0)
		complain_object(session, name, ret);
	return ret;
}

bool build_object(struct refobj_session *session, const char *name, uint64_t id,
		  bool builder, const char *cmd, uint64_t deadline)
{
	int ret = REFOBJ_BUILDER;

	if (!builder)
		ret = wait_until_ready(session, name, id, cmd, deadline);
	if (ret < 0)
		return false;
	return !(ret & REFOBJ_BUILDER) || run_builder(session, name, id, cmd);
}

/*
 * set
 */

enum {
	OPT_IF_VERSION = 256,
};

static struct {
	bool conditional;
	uint64_t version;
} set;

static bool set_option(int code, const char *arg)
{
	(void)code;
	set.conditional = true;
	if (parse_number(arg, 10, 0, UINT64_MAX, &set.version))
		return true;
	complain(NULL, "bad version '%s': see it with: refctl show -o version",
		 escape(arg));
	return false;
}

/* Standard input up to one byte more than a value can have; -1: complained. */
static ssize_t read_input(char *value, size_t size)
{
	size_t n = fread(value, 1, size, stdin);

	if (ferror(stdin)) {
		complain(NULL, "cannot read standard input: %s", strerror(errno));
		return -1;
	}
	return (ssize_t)n;
}

static int run_set(int argc, char **argv)
{
	static char input[REFOBJ_VALUE_MAX + 1];
	struct refobj_session *session;
	struct refobj_stat stat = { 0 };
	const char *value = argc > 1 ? argv[1] : "-";
	ssize_t length;
	int ret;

	if (!argc)
		return usage_error("which object? give a name or an id");
	if (argc > 2)
		return usage_error("one value is wanted, not %d", argc - 1);
	length = (ssize_t)strlen(value);
	if (!strcmp(value, "-")) {
		length = read_input(input, sizeof(input));
		value = input;
	}
	if (length < 0)
		return EXIT_FAILED;
	if (length > REFOBJ_VALUE_MAX) {
		complain(argv[0],
			 "a value has at most %u bytes: larger things are published as a file: refctl publish",
			 REFOBJ_VALUE_MAX);
		return EXIT_FAILED;
	}
	session = open_session();
	if (!session)
		return EXIT_FAILED;
	ret = borrow_object(session, argv[0], 0,
			    "a value would be forgotten as soon as it is set: hold it first: refctl hold",
			    &stat);
	if (ret >= 0) {
		ret = set.conditional ?
			RETRY(refobj_set_value_if(session, stat.id, set.version,
						  value, length)) :
			RETRY(refobj_set_value(session, stat.id, value, length));
		if (ret == -EAGAIN)
			complain(argv[0],
				 "the value's version is not %llu any more: look at it again: refctl cat",
				 (unsigned long long)set.version);
		else if (ret < 0)
			complain_object(session, argv[0], ret);
	}
	refobj_close(session);
	return ret < 0 ? EXIT_FAILED : EXIT_OK;
}

static const struct option_text set_options[] = {
	{ "if-version", OPT_IF_VERSION, "N",
	  "only if the value's version is still N (see refctl show)" },
	{ NULL, 0, NULL, NULL }
};

const struct verb verb_set = {
	.name = "set",
	.args = "[OPTIONS] NAME|ID [VALUE|-]",
	.summary = "set the value of an object",
	.help = "Sets the value of an object that is in use: up to 4096 bytes for its holders.\n"
		"Without VALUE, or with -, it is read from standard input; an empty one takes the\n"
		"value away. The object forgets it when nobody uses it any more, so that of an idle\n"
		"object cannot be set.",
	.options = set_options,
	.usage_status = EXIT_USAGE,
	.option = set_option,
	.run = run_set,
};

/*
 * publish
 */

static int open_file(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st)) {
		complain(path, "%s: name a file that you may read",
			 strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		complain(path, "not a regular file: only those can be published");
		close(fd);
		return -1;
	}
	return fd;
}

static void complain_builder(struct refobj_session *session, const char *arg,
			     uint64_t id)
{
	struct refobj_stat stat;

	if (!RETRY(refobj_stat(session, id, &stat)) && stat.builder)
		complain(arg, "pid %u is building the object: only it can publish",
			 stat.builder);
	else
		complain(arg, "another process is building the object: only it can publish");
}

static int run_publish(int argc, char **argv)
{
	struct refobj_session *session;
	struct refobj_stat stat = { 0 };
	int fd, ret;

	if (argc != 2)
		return usage_error("an object and a file are wanted");
	fd = open_file(argv[1]);
	if (fd < 0)
		return EXIT_FAILED;
	session = open_session();
	if (!session) {
		close(fd);
		return EXIT_FAILED;
	}
	ret = borrow_object(session, argv[0], REFOBJ_ACQUIRE_BUILD,
			    "it would let go of the file at once: hold it first: refctl hold",
			    &stat);
	if (ret >= 0) {
		bool builder = ret & REFOBJ_BUILDER;

		if (!builder)
			ret = RETRY(refobj_stat(session, stat.id, &stat));
		if (ret >= 0 && !builder &&
		    stat.state == REFOBJ_STATE_BUILDING) {
			complain_builder(session, argv[0], stat.id);
			ret = -EPERM;
		} else {
			if (ret >= 0)
				ret = builder ?
					RETRY(refobj_publish(session, stat.id, fd)) :
					RETRY(refobj_set_file(session, stat.id, fd));
			if (ret < 0)
				complain_object(session, argv[0], ret);
		}
	}
	refobj_close(session);
	close(fd);
	return ret < 0 ? EXIT_FAILED : EXIT_OK;
}

const struct verb verb_publish = {
	.name = "publish",
	.args = "[OPTIONS] NAME|ID FILE",
	.summary = "give an object a file, and make it ready",
	.help = "Hands an open file to an object that is in use, for all who hold it, in place\n"
		"of the one before. If the object is to be built and nobody does, it is ready\n"
		"then. The object lets go of the file when nobody uses it any more; the file itself\n"
		"stays where it is.",
	.usage_status = EXIT_USAGE,
	.run = run_publish,
};

/*
 * cat
 */

enum {
	OPT_FILE = 256,
	OPT_VALUE,
};

static int cat_what;

static bool cat_option(int code, const char *arg)
{
	(void)arg;
	cat_what = code;
	return true;
}

/* By position: the offset is everybody's. */
static int copy_file(const char *arg, int fd)
{
	char buffer[65536];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, buffer, sizeof(buffer), at)) > 0) {
		if (fwrite(buffer, 1, n, stdout) != (size_t)n)
			return 0;	/* main() complains */
		at += n;
	}
	if (!n)
		return 0;
	complain(arg, "cannot read the object's file: %s", strerror(errno));
	return -EIO;
}

static int cat_file(struct refobj_session *session, const char *arg, uint64_t id)
{
	int fd = RETRY(refobj_get_file(session, id)), ret;

	if (fd >= 0) {
		ret = copy_file(arg, fd);
		close(fd);
		return ret;
	}
	if (fd == -ENODATA && cat_what != OPT_FILE)
		complain(arg,
			 "it has neither a value nor a file: give it one: refctl set, refctl publish");
	else
		complain_object(session, arg, fd);
	return fd;
}

static int cat_object(struct refobj_session *session, const char *arg,
		      uint64_t id)
{
	static char value[REFOBJ_VALUE_MAX];
	int n;

	if (cat_what == OPT_FILE)
		return cat_file(session, arg, id);
	n = RETRY(refobj_get_value(session, id, value, sizeof(value), NULL));
	if (n > 0) {
		fwrite(value, 1, n, stdout);
		return 0;
	}
	if (n < 0) {
		complain_object(session, arg, n);
	} else if (cat_what == OPT_VALUE) {
		complain(arg, "it has no value: give it one: refctl set");
		n = -ENODATA;
	} else {
		n = cat_file(session, arg, id);
	}
	return n;
}

static int run_cat(int argc, char **argv)
{
	struct refobj_session *session;
	int status = EXIT_OK, i;

	if (!argc)
		return usage_error("which object? give a name or an id");
	session = open_session();
	if (!session)
		return EXIT_FAILED;
	for (i = 0; i < argc; i++) {
		struct refobj_stat stat = { 0 };

		if (borrow_object(session, argv[i], 0,
				  "it has neither a value nor a file then",
				  &stat) < 0) {
			status = EXIT_FAILED;
			continue;
		}
		if (cat_object(session, argv[i], stat.id))
			status = EXIT_FAILED;
		RETRY(refobj_release(session, stat.id, 1));
	}
	refobj_close(session);
	return status;
}

static const struct option_text cat_options[] = {
	{ "value", OPT_VALUE, NULL, "the value, or fail if there is none" },
	{ "file", OPT_FILE, NULL, "the file, or fail if there is none" },
	{ NULL, 0, NULL, NULL }
};

const struct verb verb_cat = {
	.name = "cat",
	.args = "[OPTIONS] NAME|ID...",
	.summary = "print the value of an object, or its file",
	.help = "Prints the value of each object, or if it has none what is in its file. This\n"
		"needs a reference, which is held until it is printed.",
	.options = cat_options,
	.usage_status = EXIT_USAGE,
	.option = cat_option,
	.run = run_cat,
};

/*
 * get
 */

enum {
	OPT_BUILD = 256,
	OPT_TIMEOUT,
	OPT_LINGER,
};

static struct {
	const char *build;
	int64_t timeout_ms;
	struct refobj_attr attr;
} get = { .timeout_ms = -1 };

static bool get_option(int code, const char *arg)
{
	switch (code) {
	case OPT_BUILD:
		get.build = arg;
		get.attr.flags |= REFOBJ_BUILD;
		return true;
	case OPT_TIMEOUT:
		return parse_timeout(arg, &get.timeout_ms);
	case OPT_LINGER:
		return parse_linger(arg, &get.attr.linger_ms);
	case 't':
		get.attr.type = arg;
		return true;
	case 'm':
		return parse_mode(arg, &get.attr.mode);
	}
	return false;
}

/* Holds the object; @builder: it is ours to build. False: complained. */
static bool get_object(struct refobj_session *session, const char *arg,
		       uint64_t *id, bool *builder)
{
	struct refobj_stat stat = { 0 };
	int ret;

	if (!get.build) {
		ret = borrow_object(session, arg, 0, "it has no file then", &stat);
		*id = stat.id;
		if (ret >= 0 && get.attr.type &&
		    strcmp(stat.type, get.attr.type) != 0) {
			complain_errno(arg, -EPROTOTYPE, NULL);
			return false;
		}
	} else {
		ret = parse_id(arg, id) ?
			RETRY(refobj_acquire_as(session, *id, 1,
						REFOBJ_ACQUIRE_BUILD,
						get.attr.type)) :
			RETRY(refobj_attach(session, arg, &get.attr, 1, id,
					    NULL));
		if (ret < 0)
			complain_object(session, arg, ret);
	}
	*builder = ret >= 0 && ret & REFOBJ_BUILDER;
	return ret >= 0;
}

/* @text with every {} replaced, to be freed. */
static char *replace_braces(const char *text, const char *path)
{
	char *result = xstrdup(""), *longer;
	const char *braces;

	for (; (braces = strstr(text, "{}")); text = braces + 2) {
		longer = xprintf("%s%.*s%s", result, (int)(braces - text), text,
				 path);
		free(result);
		result = longer;
	}
	longer = xprintf("%s%s", result, text);
	free(result);
	return longer;
}

static int run_with_file(const char *name, int fd, int argc, char **argv)
{
	char **args = xrealloc(NULL, argc + 1, sizeof(*args)), *path;
	int status, i;

	/* the command inherits it; run_command() forks */
	fcntl(fd, F_SETFD, 0);
	path = xprintf("/proc/self/fd/%d", fd);
	for (i = 0; i < argc; i++)
		args[i] = replace_braces(argv[i], path);
	args[argc] = NULL;
	status = run_command(name, args);
	for (i = 0; i < argc; i++)
		free(args[i]);
	free(args);
	free(path);
	close(fd);
	return status;
}

static int run_get(int argc, char **argv)
{
	uint64_t deadline = refobj_deadline(get.timeout_ms), id;
	struct refobj_session *session;
	char why[REFOBJ_WHY_SIZE];
	int status = EXIT_HOLD, fd, i;
	bool builder;

	if (!argc)
		return usage_error("an object's name is missing");
	if (argc < 2)
		return usage_error("a command is missing after '%s'",
				   escape(argv[0]));
	for (i = 1; i < argc && !strstr(argv[i], "{}"); i++)
		;
	if (i == argc)
		return usage_error("where is the file to go? {} is missing in the command");
	session = open_session();
	if (!session)
		return EXIT_HOLD;
	command_as_why(why, sizeof(why), argv + 1);
	RETRY(refobj_set_why(session, 0, why));
	if (get_object(session, argv[0], &id, &builder) &&
	    build_object(session, argv[0], id, builder, get.build, deadline)) {
		fd = RETRY(refobj_get_file(session, id));
		if (fd < 0)
			complain_object(session, argv[0], fd);
		else
			status = run_with_file(argv[0], fd, argc - 1, argv + 1);
	}
	RETRY(refobj_release_all(session, 0));
	refobj_close(session);
	return status;
}

static const struct option_text get_options[] = {
	{ "build", OPT_BUILD, "CMD",
	  "if it is not built yet, have the shell run CMD, which prints it" },
	{ "type", 't', "TYPE", "demand this type; a new object gets it" },
	{ "mode", 'm', "MODE",
	  "permission bits of a new object, octal (default: 0600)" },
	{ "linger", OPT_LINGER, "MS",
	  "a new object outlives its last release by MS milliseconds" },
	{ "timeout", OPT_TIMEOUT, "SECONDS",
	  "give up if it is not ready by then" },
	{ NULL, 0, NULL, NULL }
};

const struct verb verb_get = {
	.name = "get",
	.args = "[OPTIONS] NAME|ID [OPTIONS] [--] COMMAND [ARGUMENT...]",
	.summary = "run a command on the file of an object",
	.help = "Holds an object, waits until it is ready, and runs COMMAND with the path of the\n"
		"object's file in place of {}; exits as COMMAND does. Signals sent to refctl are\n"
		"passed on to COMMAND.\n\n"
		"With --build the object is created if there is none. Of all who come at the same\n"
		"time one runs CMD and the others wait; if that one fails or dies, another one takes\n"
		"over. What was built cannot be changed, and lives in memory as long as somebody\n"
		"holds the object.",
	.options = get_options,
	.usage_status = EXIT_HOLD,
	.command = true,
	.option = get_option,
	.run = run_get,
};
