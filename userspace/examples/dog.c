// SPDX-License-Identifier: 0BSD
/*
 * A dog and its owner. The owner needs the dog: an edge says so, and the kernel
 * keeps the dog as long as the owner is there, though the process that had the
 * dog is killed. In the end the owner goes first, and then the dog.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <librefobj.h>

static void tell(struct refobj_session *session,
		 const struct refobj_event *event, void *name)
{
	(void)session;
	printf("the %s: %s, by %s\n", (const char *)name,
	       refobj_strevent(event->type), refobj_strcause(event->cause));
}

/* Has a dog until it is killed. */
static void kennel(int ready)
{
	struct refobj_session *session;
	uint64_t dog;

	if (refobj_open(&session) < 0 ||
	    refobj_create(session, "dog", NULL, 1, &dog) < 0 ||
	    refobj_set_value(session, dog, "Rex", 4) < 0 ||
	    write(ready, "!", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

int main(void)
{
	const struct refobj_callbacks callbacks = {
		.on_died = tell, .on_destroyed = tell,
	};
	char dog_name[] = "dog", owner_name[] = "owner", name[16] = "";
	struct refobj_session *session;
	struct refobj_stat stat;
	uint64_t dog = 0, owner = 0;
	int ready[2], ret;
	pid_t pid;

	if (pipe(ready))
		return 1;
	pid = fork();
	if (!pid)
		kennel(ready[1]);
	close(ready[1]);
	if (pid < 0 || read(ready[0], name, 1) != 1)
		return 1;

	ret = refobj_open(&session);
	if (!ret)
		ret = refobj_lookup(session, "dog", NULL, &dog);
	if (!ret)
		ret = refobj_create(session, "owner", NULL, 1, &owner);
	if (ret >= 0)
		ret = refobj_link(session, owner, dog);
	if (ret >= 0)
		ret = refobj_watch_callbacks(session, dog, &callbacks, dog_name);
	if (ret >= 0)
		ret = refobj_watch_callbacks(session, owner, &callbacks,
					     owner_name);
	if (ret >= 0)
		ret = refobj_stat(session, dog, &stat);
	if (ret < 0) {
		fprintf(stderr, "dog: %s\n", strerror(-ret));
		kill(pid, SIGKILL);
		return 1;
	}
	printf("the dog has %u users: its process, and the owner\n", stat.users);

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	refobj_dispatch(session);

	/* The owner walks the dog: a reference for a while, and its value. */
	if (refobj_acquire(session, dog, 1) == 0 &&
	    refobj_get_value(session, dog, name, sizeof(name), NULL) > 0)
		printf("%s walks\n", name);
	refobj_release(session, dog, 1);

	if (refobj_release(session, owner, 1) == 1)
		puts("the owner is let go");
	refobj_dispatch(session);
	refobj_close(session);
	return 0;
}
