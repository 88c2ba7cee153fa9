// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs refobj/: what happened and what is there, of all registries, for a
 * person with root's eyes. Not an interface for programs to depend on.
 */
#include <linux/debugfs.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/user_namespace.h>
#include <net/net_namespace.h>

#include "refobj.h"

DEFINE_PER_CPU(struct refobj_stats, refobj_stats);

static struct dentry *refobj_debugfs;

/*
 * Statistics
 */

static const struct {
	int err;
	const char *name;
} refobj_errnos[] = {
#define REFOBJ_X(name) { name, "refused_" #name },
	REFOBJ_ERRNOS(REFOBJ_X)
#undef REFOBJ_X
};

/**
 * refobj_count_refusal() - count a call that failed
 * @err: with what
 */
void refobj_count_refusal(int err)
{
	unsigned int i;

	/* What the caller sees of it, if he sees anything. */
	if (err == -ERESTARTSYS)
		err = -EINTR;
	for (i = 0; i < ARRAY_SIZE(refobj_errnos); i++)
		if (refobj_errnos[i].err == -err)
			break;
	refobj_count(refused[i], 1);
}

/* Counters go on while they are summed up: good for a person. */
static u64 refobj_sum(size_t offset)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*(u64 *)((char *)per_cpu_ptr(&refobj_stats, cpu) +
					  offset));
	return sum;
}

/**
 * refobj_stats_sum() - a number of the statistics
 * @i: which, counted in &struct refobj_stats
 *
 * Return: its sum over all processors.
 */
u64 refobj_stats_sum(unsigned int i)
{
	return refobj_sum(i * sizeof(u64));
}

#define refobj_total(field)	refobj_sum(offsetof(struct refobj_stats, field))

/* What is there now: a sum read earlier may miss what a later one counts. */
static u64 refobj_live(u64 come, u64 gone)
{
	return come > gone ? come - gone : 0;
}

static int refobj_stats_show(struct seq_file *m, void *unused)
{
	u64 destroyed = refobj_total(destroyed);
	u64 created = refobj_total(created);
	u64 closed = refobj_total(sessions_closed);
	u64 opened = refobj_total(sessions_opened);
	u64 unlinks = refobj_total(unlinks);
	u64 links = refobj_total(links);
	u64 released = refobj_total(references_released);
	u64 dropped[REFOBJ_DROPS], all_dropped = 0, acquired;
	int i;

	for (i = 0; i < REFOBJ_DROPS; i++) {
		dropped[i] = refobj_sum(offsetof(struct refobj_stats, dropped) +
					i * sizeof(u64));
		all_dropped += dropped[i];
	}
	acquired = refobj_total(references_acquired);

	seq_printf(m, "created %llu\n", created);
	seq_printf(m, "destroyed %llu\n", destroyed);
	seq_printf(m, "attaches %llu\n", refobj_total(attaches));
	seq_printf(m, "acquires %llu\n", refobj_total(acquires));
	seq_printf(m, "releases %llu\n", refobj_total(releases));
	seq_printf(m, "references_acquired %llu\n", acquired);
	seq_printf(m, "references_released %llu\n", released);
	seq_printf(m, "references_dropped %llu\n", all_dropped);
	seq_printf(m, "activations %llu\n", refobj_total(activations));
	seq_printf(m, "deactivations %llu\n", refobj_total(deactivations));

	seq_printf(m, "sessions_revoked %llu\n",
		   refobj_total(sessions_revoked));
	seq_printf(m, "events %llu\n", refobj_total(events));
	seq_printf(m, "events_lost %llu\n", refobj_total(events_lost));
	seq_printf(m, "waits %llu\n", refobj_total(waits));
	seq_printf(m, "publishes %llu\n", refobj_total(publishes));
	seq_printf(m, "exports %llu\n", refobj_total(exports));

	seq_printf(m, "dropped_close %llu\n", dropped[REFOBJ_DROP_CLOSE]);
	seq_printf(m, "dropped_exit %llu\n", dropped[REFOBJ_DROP_EXIT]);
	for (i = REFOBJ_DROP_EXIT + 1; i < REFOBJ_DROP_CLOSE; i++)
		if (dropped[i])
			seq_printf(m, "dropped_signal_%d %llu\n", i, dropped[i]);

	for (i = 0; i < REFOBJ_REFUSALS; i++)
		seq_printf(m, "%s %llu\n",
			   i < REFOBJ_REFUSED_OTHER ? refobj_errnos[i].name :
						      "refused_other",
			   refobj_sum(offsetof(struct refobj_stats, refused) +
				      i * sizeof(u64)));

	seq_printf(m, "objects %llu\n", refobj_live(created, destroyed));
	seq_printf(m, "sessions %llu\n", refobj_live(opened, closed));
	seq_printf(m, "references %llu\n",
		   refobj_live(acquired, released + all_dropped));
	seq_printf(m, "edges %llu\n", refobj_live(links, unlinks));
	seq_printf(m, "users_peak %u\n", refobj_users_peak());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(refobj_stats);

/*
 * Tables: one line for each entry of one xarray of each registry
 */

/**
 * struct refobj_table - what a table shows
 * @header: its first line
 * @offset: of the xarray in &struct refobj_registry
 * @show: writes a line, or nothing if the entry has gone
 */
struct refobj_table {
	const char *header;
	size_t offset;
	void (*show)(struct seq_file *m, struct refobj_registry *registry,
		     unsigned long index);
};

/**
 * struct refobj_reader - how far a reader has come
 * @table: which
 * @registry: the present one, valid while the registries are locked
 * @serial: its serial, which finds it, or the next, again
 * @index: of the present entry
 */
struct refobj_reader {
	const struct refobj_table *table;
	struct refobj_registry *registry;
	u64 serial;
	unsigned long index;
};

/* Find the first entry at or after the reader's place. */
static void *refobj_table_find(struct refobj_reader *reader)
{
	struct refobj_registry *registry;

	lockdep_assert_held(&refobj_registries_mutex);

	list_for_each_entry(registry, &refobj_registries, node) {
		struct xarray *xa = (void *)registry + reader->table->offset;

		if (registry->serial < reader->serial)
			continue;
		if (registry->serial > reader->serial) {
			reader->serial = registry->serial;
			reader->index = 0;
		}
		if (xa_find(xa, &reader->index, ULONG_MAX, XA_PRESENT)) {
			reader->registry = registry;
			return reader;
		}
	}
	return NULL;
}

static void *refobj_table_start(struct seq_file *m, loff_t *pos)
{
	struct refobj_reader *reader = m->private;

	mutex_lock(&refobj_registries_mutex);
	if (!*pos) {
		reader->serial = 0;
		reader->index = 0;
		return SEQ_START_TOKEN;
	}
	return refobj_table_find(reader);
}

static void *refobj_table_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct refobj_reader *reader = m->private;

	++*pos;
	if (v != SEQ_START_TOKEN)
		reader->index++;
	return refobj_table_find(reader);
}

static void refobj_table_stop(struct seq_file *m, void *v)
{
	mutex_unlock(&refobj_registries_mutex);
}

static int refobj_table_show(struct seq_file *m, void *v)
{
	struct refobj_reader *reader = m->private;

	if (v == SEQ_START_TOKEN)
		seq_puts(m, reader->table->header);
	else
		reader->table->show(m, reader->registry, reader->index);
	return 0;
}

static const struct seq_operations refobj_table_ops = {
	.start	= refobj_table_start,
	.next	= refobj_table_next,
	.stop	= refobj_table_stop,
	.show	= refobj_table_show,
};

static int refobj_table_open(struct inode *inode, struct file *file)
{
	struct refobj_reader *reader;

	reader = __seq_open_private(file, &refobj_table_ops, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->table = inode->i_private;
	return 0;
}

static const struct file_operations refobj_table_fops = {
	.owner		= THIS_MODULE,
	.open		= refobj_table_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= seq_release_private,
};

/* A string as one field of a line; a process may call itself anything. */
static void refobj_show_text(struct seq_file *m, const char *text)
{
	static const char special[] =
		"\001\002\003\004\005\006\a\b\t\n\v\f\r\016\017"
		"\020\021\022\023\024\025\026\027\030\031\032\033\034\035\036\037"
		"\177 \\";

	seq_putc(m, ' ');
	if (*text)
		seq_escape(m, text, special);
	else
		seq_putc(m, '-');
}

static const char *refobj_state_name(u32 state)
{
	switch (state) {
	case REFOBJ_STATE_IDLE:
		return "idle";
	case REFOBJ_STATE_READY:
		return "ready";
	case REFOBJ_STATE_BUILDING:
		return "building";
	case REFOBJ_STATE_LINGERING:
		return "lingering";
	default:
		return "dead";
	}
}

static void refobj_show_object(struct seq_file *m,
			       struct refobj_registry *registry,
			       unsigned long index)
{
	struct user_namespace *ns = seq_user_ns(m);
	u32 state, users, holders;
	struct refobj *object;

	rcu_read_lock();
	object = xa_load(&registry->objects, index);
	if (object && !refobj_get_unless_zero(object))
		object = NULL;
	rcu_read_unlock();
	if (!object)
		return;

	spin_lock(&object->lock);
	state = object->state;
	users = refobj_users(object);
	holders = object->nr_holders;
	spin_unlock(&object->lock);

	seq_printf(m, "%u %llu %s %u %u %u %04o %u %u %c",
		   registry->net->ns.inum, object->id,
		   refobj_state_name(state), users,
		   READ_ONCE(object->users_peak), holders, object->mode,
		   from_kuid_munged(ns, object->uid),
		   from_kgid_munged(ns, object->gid),
		   object->flags & REFOBJ_PERSISTENT ? 'p' : '-');
	refobj_show_text(m, object->type);
	refobj_show_text(m, object->name);
	seq_putc(m, '\n');
	refobj_put(object);
}

static void refobj_show_session(struct seq_file *m,
				struct refobj_registry *registry,
				unsigned long index)
{
	const struct refobj_process *process;
	const struct refobj_why *why;
	struct refobj_session *s;

	/* The lock keeps the session from being freed. */
	xa_lock(&registry->sessions);
	s = xa_load(&registry->sessions, index);
	if (s) {
		rcu_read_lock();
		process = rcu_dereference(s->process);
		seq_printf(m, "%u %llu %d", registry->net->ns.inum, s->id,
			   refobj_process_nr(process));
		refobj_show_text(m, process->comm);
		seq_printf(m, " %u %u %llu",
			   from_kuid_munged(seq_user_ns(m), s->user->uid),
			   READ_ONCE(s->nr_entries), READ_ONCE(s->references));
		why = rcu_dereference(s->why);
		refobj_show_text(m, why ? why->text : "");
		rcu_read_unlock();
		seq_putc(m, '\n');
	}
	xa_unlock(&registry->sessions);
}

static const struct refobj_table refobj_objects_table = {
	.header	= "NET ID STATE USERS PEAK HOLDERS MODE UID GID FLAGS TYPE NAME\n",
	.offset	= offsetof(struct refobj_registry, objects),
	.show	= refobj_show_object,
};

static const struct refobj_table refobj_sessions_table = {
	.header	= "NET ID PID COMM UID OBJECTS REFERENCES WHY\n",
	.offset	= offsetof(struct refobj_registry, sessions),
	.show	= refobj_show_session,
};

/**
 * refobj_debugfs_init() - make the files; whether that works is nobody's matter
 */
void __init refobj_debugfs_init(void)
{
	refobj_debugfs = debugfs_create_dir("refobj", NULL);
	debugfs_create_file("stats", 0400, refobj_debugfs, NULL,
			    &refobj_stats_fops);
	debugfs_create_file("objects", 0400, refobj_debugfs,
			    (void *)&refobj_objects_table, &refobj_table_fops);
	debugfs_create_file("sessions", 0400, refobj_debugfs,
			    (void *)&refobj_sessions_table, &refobj_table_fops);
}

/**
 * refobj_debugfs_exit() - remove them, after their last reader
 */
void refobj_debugfs_exit(void)
{
	debugfs_remove(refobj_debugfs);
}
