// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is missing, and the command that mends it. Every check looks for itself,
 * so that one that cannot be made does not hide the others.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "refctl.h"

#define DEVICE		"/dev/refobj"
#define SYSFS_MODULE	"/sys/module/refobj"
#define SYSFS_DEV	"/sys/class/misc/refobj/dev"
#define EFIVAR_SB	"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

#define MAKE_KEY \
	"openssl req -new -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=refobj/ -keyout MOK.priv -outform DER -out MOK.der"
#define ENROL \
	"mokutil --import MOK.der, then reboot and confirm the key in the firmware's MOK manager"

enum status { OK, WARN, FAIL, SKIP };

static const char *const status_names[] = { "ok", "warn", "fail", "skip" };

struct check {
	const char *name;
	enum status status;
	char *finding;
	char *mend;
};

/* At least the rows of checks[] below. */
#define CHECKS_MAX	16

static struct check results[CHECKS_MAX];
static size_t n_results;

/* What later checks want to know of earlier ones. */
static struct {
	const char *device;
	struct utsname uts;
	bool loaded;
	char *file;		/* of the module for this kernel, or NULL */
	char *signer;		/* of that file, or NULL */
	bool enforced;		/* will the kernel refuse unsigned modules? */
	bool device_ok;
	struct refobj_session *session;
	struct refobj_info info;
	bool info_ok;
} seen;

/* Takes over both strings; @mend may be NULL. */
static void report(const char *name, enum status status, char *finding,
		   char *mend)
{
	results[n_results++] = (struct check) {
		.name = name, .status = status, .finding = finding,
		.mend = mend,
	};
}

/* The first line that a program prints, to be freed, or NULL. */
static char *first_line_of(const char *const argv[])
{
	char *line = NULL;
	size_t size = 0;
	int fds[2], null;
	FILE *file;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return NULL;
	pid = fork();
	if (!pid) {
		/* kmod's programs are where users have no PATH to */
		char *path = getenv("PATH");

		path = xprintf("%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
		setenv("PATH", path, 1);
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		dup2(fds[1], STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(fds[1]);
	file = pid > 0 ? fdopen(fds[0], "r") : NULL;
	if (!file) {
		close(fds[0]);
	} else {
		if (getline(&line, &size, file) < 0) {
			free(line);
			line = NULL;
		}
		fclose(file);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (line)
		line[strcspn(line, "\n")] = '\0';
	if (line && !*line) {
		free(line);
		line = NULL;
	}
	return line;
}

/* The module's file for the running kernel, as depmod knows it. */
static char *find_module_file(void)
{
	char *path, *line = NULL, *found = NULL, *end;
	size_t size = 0;
	FILE *file;

	path = xprintf("/lib/modules/%s/modules.dep", seen.uts.release);
	file = fopen(path, "re");
	free(path);
	if (!file)
		return NULL;
	while (!found && getline(&line, &size, file) >= 0) {
		const char *base;

		end = strchr(line, ':');
		if (!end)
			continue;
		*end = '\0';
		base = strrchr(line, '/');
		base = base ? base + 1 : line;
		if (!strncmp(base, "refobj.ko", 9) &&
		    (!base[9] || base[9] == '.'))
			found = *line == '/' ? xstrdup(line) :
				xprintf("/lib/modules/%s/%s", seen.uts.release,
					line);
	}
	free(line);
	fclose(file);
	return found;
}

static void check_module(const char *name)
{
	char *state = read_line(SYSFS_MODULE "/initstate");
	char *version = read_line(SYSFS_MODULE "/version");

	seen.loaded = state && !strcmp(state, "live");
	if (seen.loaded)
		report(name, OK, xprintf("loaded%s%s", version ? ", version " : "",
					 version ? version : ""), NULL);
	else if (state)
		report(name, FAIL, xprintf("not ready: %s", state),
		       xstrdup("wait for it, then look into: dmesg"));
	else if (seen.file)
		report(name, FAIL, xstrdup("not loaded"),
		       xstrdup("modprobe refobj"));
	else
		report(name, FAIL, xstrdup("not loaded"),
		       xprintf("in refobj's source: make && insmod build/%s/module/refobj.ko",
			       seen.uts.release));
	free(state);
	free(version);
}

static void check_module_file(const char *name)
{
	if (seen.file)
		report(name, OK, xstrdup(seen.file), NULL);
	else
		report(name, seen.loaded ? WARN : FAIL,
		       xprintf("not installed for this kernel, %s%s",
			       seen.uts.release, seen.loaded ?
			       ": it will be missing after the next boot" : ""),
		       xstrdup("in refobj's source: make && make modules_install && depmod -a"));
}

static bool secure_boot_on(bool *known)
{
	unsigned char value[5];
	ssize_t n = -1;
	int fd;

	fd = open(EFIVAR_SB, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, value, sizeof(value));
		close(fd);
	}
	/* four bytes of attributes, then the value */
	*known = n == sizeof(value) || access("/sys/firmware/efi", F_OK);
	return n == sizeof(value) && value[4] == 1;
}

/* "integrity" out of "none [integrity] confidentiality", to be freed. */
static char *read_lockdown(void)
{
	char *line = read_line("/sys/kernel/security/lockdown"), *from, *to;
	char *mode = NULL;

	from = line ? strchr(line, '[') : NULL;
	to = from ? strchr(from, ']') : NULL;
	if (to)
		mode = xprintf("%.*s", (int)(to - from - 1), from + 1);
	free(line);
	return mode;
}

static void check_secure_boot(const char *name)
{
	char *enforce = read_line("/sys/module/module/parameters/sig_enforce");
	char *lockdown = read_lockdown();
	bool known, on = secure_boot_on(&known), locked;

	locked = lockdown && strcmp(lockdown, "none") != 0;
	seen.enforced = on || locked || (enforce && *enforce == 'Y');
	report(name, OK,
	       xprintf("Secure Boot %s, lockdown %s: the kernel %s",
		       on ? "on" : known ? "off" : "unknown",
		       lockdown ? lockdown : "unknown",
		       seen.enforced ? "refuses modules that are not signed" :
		       "takes modules that are not signed"), NULL);
	free(enforce);
	free(lockdown);
}

static void check_signature(const char *name)
{
	char *taint;

	if (seen.signer && (seen.loaded || !seen.enforced)) {
		report(name, OK, xprintf("signed by %s", seen.signer), NULL);
		return;
	}
	if (seen.signer) {
		report(name, WARN,
		       xprintf("signed by %s; that key must be enrolled",
			       seen.signer),
		       xstrdup(ENROL));
		return;
	}
	taint = read_line(SYSFS_MODULE "/taint");
	if (!seen.enforced)
		report(name, OK, xstrdup("not signed, and need not be"), NULL);
	else if (taint && !strchr(taint, 'E'))
		report(name, OK, xstrdup("the kernel took the loaded module's signature"),
		       NULL);
	else
		report(name, seen.loaded ? WARN : FAIL,
		       xstrdup("not signed, and this kernel refuses such modules"),
		       xprintf("%s && %s/%s/build/%s sha256 MOK.priv MOK.der %s && %s",
			       MAKE_KEY, "/lib/modules", seen.uts.release,
			       "scripts/sign-file",
			       seen.file ? seen.file : "refobj.ko", ENROL));
	free(taint);
}

static void check_node(const char *name)
{
	char *dev = read_line(SYSFS_DEV), *major_minor;
	struct stat st;

	if (stat(seen.device, &st)) {
		unsigned int ma, mi;
		char *mend;

		if (errno != ENOENT)
			mend = xprintf("look into: ls -l %s", seen.device);
		else if (dev && sscanf(dev, "%u:%u", &ma, &mi) == 2)
			mend = xprintf("mknod -m 660 %s c %u %u", seen.device,
				       ma, mi);
		else
			mend = xstrdup("load the module: it makes the node");
		report(name, FAIL, xprintf("%s: %s", seen.device,
					   strerror(errno)), mend);
	} else if (!S_ISCHR(st.st_mode)) {
		report(name, FAIL, xprintf("%s is not a character device",
					   seen.device),
		       xprintf("mv %s %s.old; rmmod refobj; modprobe refobj",
			       seen.device, seen.device));
	} else {
		major_minor = xprintf("%u:%u", major(st.st_rdev),
				      minor(st.st_rdev));
		if (dev && strcmp(dev, major_minor) != 0)
			report(name, FAIL,
			       xprintf("%s is device %s, the module has %s",
				       seen.device, major_minor, dev),
			       xprintf("rm %s; rmmod refobj; modprobe refobj",
				       seen.device));
		else
			report(name, OK, xprintf("%s, device %s", seen.device,
						 major_minor), NULL);
		seen.device_ok = true;
		free(major_minor);
	}
	free(dev);
}

static void explain_denied(const char *name, const struct stat *st)
{
	char *user = owner_name(geteuid()), *owner = owner_name(st->st_uid);
	struct group *gr = getgrgid(st->st_gid);
	char *group = gr ? xstrdup(gr->gr_name) : xprintf("%u", st->st_gid);
	char *mend;

	if (st->st_gid && (st->st_mode & 060) == 060)
		mend = xprintf("as root: usermod -aG %s %s; log in again",
			       group, user);
	else
		mend = xprintf("as root: %s; usermod -aG refobj %s; %s %s; %s %s; %s",
			       "groupadd -fr refobj", user, "chgrp refobj",
			       seen.device, "chmod 660", seen.device,
			       "log in again");
	report(name, FAIL,
	       xprintf("%s may not open %s (owner %s, group %s, mode %04o)",
		       user, seen.device, owner, group, st->st_mode & 07777),
	       mend);
	free(user);
	free(owner);
	free(group);
}

static void check_permission(const char *name)
{
	struct stat st;
	int ret;

	if (!seen.device_ok || stat(seen.device, &st)) {
		report(name, SKIP, xstrdup("no device to open"), NULL);
		return;
	}
	ret = RETRY(refobj_open(&seen.session));
	if (ret >= 0) {
		report(name, OK, xprintf("%s can be opened", seen.device),
		       NULL);
		return;
	}
	seen.session = NULL;
	if (ret == -EACCES || ret == -EPERM)
		explain_denied(name, &st);
	else if (ret == -ENOTTY)
		report(name, FAIL, xprintf("%s is not refobj's device",
					   seen.device),
		       xstrdup("unset REFOBJ_DEVICE, or name the right one in it"));
	else
		report(name, FAIL, xprintf("cannot open %s: %s", seen.device,
					   strerror(-ret)),
		       xstrdup("rmmod refobj; modprobe refobj; dmesg"));
}

static char *version_string(uint32_t version)
{
	return xprintf("%u.%u.%u", version >> 16, version >> 8 & 0xff,
		       version & 0xff);
}

static void check_answer(const char *name)
{
	char *module, *wanted;
	int ret;

	if (!seen.session) {
		report(name, SKIP, xstrdup("no session to ask on"), NULL);
		return;
	}
	ret = RETRY(refobj_info(seen.session, &seen.info));
	if (ret < 0) {
		report(name, FAIL, xprintf("the module does not answer: %s",
					   strerror(-ret)),
		       xstrdup("rmmod refobj; modprobe refobj; dmesg"));
		return;
	}
	seen.info_ok = true;
	module = version_string(seen.info.version);
	wanted = version_string(REFOBJ_VERSION);
	/* both directions work by contract; a newer library may ask too much */
	if (seen.info.version < REFOBJ_VERSION)
		report(name, WARN,
		       xprintf("module %s is older than refctl's interface %s",
			       module, wanted),
		       xstrdup("install this version's module; rmmod refobj; modprobe refobj"));
	else
		report(name, OK, xprintf("module %s, librefobj %s, refctl %s",
					 module, refobj_version(),
					 REFCTL_VERSION), NULL);
	free(module);
	free(wanted);
}

/* "objects 3 of 100" onto *@text; a mending command if it is 90 % or more. */
static void add_quota(char **text, char **mend, const char *what, uint64_t used,
		      uint64_t max)
{
	char *longer, *limit;

	limit = max == REFOBJ_UNLIMITED ? xstrdup("(no limit)") :
		xprintf("of %" PRIu64, max);
	longer = xprintf("%s%s%s %" PRIu64 " %s", *text, **text ? ", " : "",
			 what, used, limit);
	free(limit);
	free(*text);
	*text = longer;
	if (max != REFOBJ_UNLIMITED && used >= max - max / 10 && !*mend)
		*mend = xprintf("as root: echo %" PRIu64 " > %s/parameters/max_%s",
				max ? 2 * max : 1, SYSFS_MODULE, what);
}

static void check_quota(const char *name)
{
	const struct refobj_info *i = &seen.info;
	char *text, *mend = NULL;

	if (!seen.info_ok) {
		report(name, SKIP, xstrdup("no session to ask on"), NULL);
		return;
	}
	text = xstrdup("");
	add_quota(&text, &mend, "objects", i->objects_used, i->objects_max);
	add_quota(&text, &mend, "references", i->references_used,
		  i->references_max);
	add_quota(&text, &mend, "bytes", i->bytes_used, i->bytes_max);
	add_quota(&text, &mend, "watches", i->watches_used, i->watches_max);
	report(name, mend ? WARN : OK, text, mend);
}

static void check_debugfs(const char *name)
{
	const char *debugfs = debugfs_path();
	char *path;

	if (!debugfs) {
		report(name, WARN,
		       xstrdup("not mounted: refctl stats has nothing to read"),
		       xstrdup("as root: mount -t debugfs none /sys/kernel/debug"));
		return;
	}
	path = xprintf("%s/refobj/stats", debugfs);
	if (!access(path, R_OK))
		report(name, OK, xprintf("%s can be read", path), NULL);
	else if (errno == EACCES)
		report(name, WARN, xprintf("%s: only root may read it", path),
		       xstrdup("run as root: refctl stats"));
	else
		report(name, WARN, xprintf("%s: %s", path, strerror(errno)),
		       xstrdup(seen.loaded ? "use a kernel with CONFIG_DEBUG_FS" :
			       "load the module"));
	free(path);
}

static void check_taint(const char *name)
{
	static const char letters[] = "PFSRMBUDAWCIOELKXTN";
	/* what tells of trouble: bad page, oops, warning, lockup */
	static const char bad[] = "BDWL";
	char set[sizeof(letters)] = "", found[sizeof(bad)] = "";
	char *line = read_line("/proc/sys/kernel/tainted");
	uint64_t taint;
	size_t i;

	if (!line || !parse_number(line, 10, 0, UINT64_MAX, &taint)) {
		report(name, SKIP,
		       xstrdup("/proc/sys/kernel/tainted cannot be read"),
		       NULL);
		free(line);
		return;
	}
	free(line);
	for (i = 0; i < sizeof(letters) - 1; i++) {
		if (!(taint >> i & 1))
			continue;
		set[strlen(set)] = letters[i];
		if (strchr(bad, letters[i]))
			found[strlen(found)] = letters[i];
	}
	if (*found)
		report(name, WARN,
		       xprintf("the kernel has reported trouble since boot (taint %s)",
			       set),
		       xstrdup("see what: dmesg | grep -E 'WARNING|BUG|Oops|lockup|Bad page'"));
	else
		report(name, OK, *set ? xprintf("no trouble (taint %s)", set) :
		       xstrdup("none"), NULL);
}

static const struct {
	const char *name;
	void (*look)(const char *name);
} checks[] = {
	{ "module", check_module },
	{ "module-file", check_module_file },
	{ "secure-boot", check_secure_boot },
	{ "signature", check_signature },
	{ "node", check_node },
	{ "permission", check_permission },
	{ "answer", check_answer },
	{ "quota", check_quota },
	{ "debugfs", check_debugfs },
	{ "taint", check_taint },
};

static_assert(ARRAY_SIZE(checks) <= CHECKS_MAX, "room for every result");

#define CHECK(row) ((const struct check *)(row))

static void get_check(struct cell *cell, const void *row)
{
	cell_string(cell, CHECK(row)->name);
}

static void get_status(struct cell *cell, const void *row)
{
	cell_string(cell, status_names[CHECK(row)->status]);
}

static void get_finding(struct cell *cell, const void *row)
{
	cell_string(cell, CHECK(row)->finding);
}

static void get_mend(struct cell *cell, const void *row)
{
	if (CHECK(row)->mend)
		cell_string(cell, CHECK(row)->mend);
}

static const struct column check_columns[] = {
	{ "STATUS", COLUMN_DEFAULT, 0, "ok, warn, fail or skip", get_status },
	{ "CHECK", COLUMN_DEFAULT, 0, "what was looked at", get_check },
	{ "FINDING", COLUMN_DEFAULT, 0, "what was found", get_finding },
	{ "MEND", COLUMN_DEFAULT, 0, "the command that mends it", get_mend },
};

static const struct table checks_table = {
	.name = "checks", .columns = check_columns,
	.n_columns = ARRAY_SIZE(check_columns),
};

static void print_prose(void)
{
	static const char *const words[] = { "ok", "warn", "FAIL", "-" };
	static const char *const colours[] = { "32", "33", "1;31", "2" };
	bool coloured = colours_wanted();
	size_t i;

	for (i = 0; i < n_results; i++) {
		const struct check *c = &results[i];
		int pad = 4 - (int)strlen(words[c->status]);

		if (coloured)
			printf("\033[%sm%s\033[0m", colours[c->status],
			       words[c->status]);
		else
			fputs(words[c->status], stdout);
		printf("%*s  %-11s  %s\n", pad, "", c->name,
		       escape(c->finding));
		if (c->mend)
			printf("%*s-> %s\n", 19, "", escape(c->mend));
	}
}

static int run_doctor(int argc, char **argv)
{
	const char *device = getenv("REFOBJ_DEVICE");
	bool good = true;
	size_t i;

	if (argc)
		return usage_error("it takes no argument: '%s'", escape(argv[0]));
	seen.device = device ? device : DEVICE;
	uname(&seen.uts);
	seen.file = find_module_file();
	if (seen.file)
		seen.signer = first_line_of((const char *const[]) {
			"modinfo", "-F", "signer", seen.file, NULL });
	for (i = 0; i < ARRAY_SIZE(checks); i++)
		checks[i].look(checks[i].name);
	refobj_close(seen.session);

	for (i = 0; i < n_results; i++)
		good = good && results[i].status != FAIL;
	if (output.json) {
		struct json_object *top = json_top();

		json_object_object_add(top, "ok", json_object_new_boolean(good));
		json_object_object_add(top, checks_table.name,
				       table_rows(&checks_table, results,
						  n_results, sizeof(*results)));
		json_print(top);
	} else if (output_is_prose()) {
		print_prose();
	} else {
		table_text(&checks_table, results, n_results, sizeof(*results),
			   NULL);
	}
	for (i = 0; i < n_results; i++) {
		free(results[i].finding);
		free(results[i].mend);
	}
	free(seen.file);
	free(seen.signer);
	return good ? EXIT_OK : EXIT_FAILED;
}

const struct verb verb_doctor = {
	.name = "doctor",
	.args = "[OPTIONS]",
	.summary = "say what is missing, and the command that mends it",
	.help = "Looks at what refobj needs, one by one: each line is ok, warn, FAIL, or - if it\n"
		"could not be looked at, with the command that mends it. Fails if anything is\n"
		"missing.",
	.table = &checks_table,
	.usage_status = EXIT_USAGE,
	.run = run_doctor,
};
