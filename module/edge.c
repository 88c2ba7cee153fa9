// SPDX-License-Identifier: GPL-2.0-only
/*
 * Edges: "owner needs dep", and what follows from an owner's coming and going.
 *
 * While its owner is active an edge is a holder of its dep. The two change under
 * different locks, so an edge follows its owner: whoever changes an owner's state
 * puts it among the unsettled, under its lock, and calls refobj_settle() when he
 * has let go of all locks. There the edges of unsettled objects are brought in
 * line with the state that the owner has by then. A dep that changes its state by
 * that is settled before the rest: it goes on top of a stack that is made of the
 * objects themselves. So a cascade needs neither recursion nor memory, it may be
 * left off and taken up by another task at any point, and it goes from an owner to
 * its deps, depth first.
 */
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uidgid.h>

#include "refobj.h"
#include "trace.h"

/**
 * struct refobj_links - the edges of an object (protected by
 *	&refobj_registry.edges, but for @unsettled)
 * @object: whose
 * @held: &struct refobj_edge to what it needs, that hold it
 * @idle: those that hold nothing
 * @owners: edges from what needs the object
 * @nr_edges: to what it needs (also read locklessly)
 * @nr_owners: in @owners
 * @node: in &refobj_registry.unsettled or &refobj_registry.stack
 * @unsettled: it is there, and has a life of the object (protected by the
 *	object's lock)
 * @visited: by the search of that number
 * @search: in the list of what a search has still to look at
 */
struct refobj_links {
	struct refobj *object;
	struct list_head held;
	struct list_head idle;
	struct list_head owners;
	u32 nr_edges;
	u32 nr_owners;
	struct list_head node;
	bool unsettled;
	u64 visited;
	struct list_head search;
};

/**
 * struct refobj_edge - an owner needs a dep
 * @mark: in the dep's holders, while it holds
 * @since_ns: CLOCK_MONOTONIC when it came to hold
 * @held: it holds the dep
 * @owner: its owner, which frees its edges when it dies
 * @dep: holds a life
 * @user: whom it is charged to; holds a reference
 * @owner_node: in the owner's @held or @idle
 * @dep_node: in the dep's @owners
 * @place: in the registry's list
 */
struct refobj_edge {
	struct refobj_mark mark;
	u64 since_ns;
	bool held;
	struct refobj *owner;
	struct refobj *dep;
	struct refobj_user *user;
	struct list_head owner_node;
	struct list_head dep_node;
	struct refobj_edge_place place;
};

static const struct refobj_act edge_act = { .cause = REFOBJ_CAUSE_OBJECT };

/**
 * refobj_edges() - how many objects an object needs
 * @object: the object
 *
 * Return: the number.
 */
u32 refobj_edges(const struct refobj *object)
{
	const struct refobj_links *links = READ_ONCE(object->links);

	return links ? READ_ONCE(links->nr_edges) : 0;
}

/**
 * refobj_edge_holder() - tell what needs an object
 * @record: zeroed
 * @mark: an edge's
 *
 * Context: under the lock of the object, in whose holders the edge is.
 */
void refobj_edge_holder(struct refobj_holder *record,
			const struct refobj_mark *mark)
{
	const struct refobj_edge *edge =
		container_of(mark, struct refobj_edge, mark);

	record->count = 1;
	record->session = edge->owner->id;
	record->uid = from_kuid_munged(current_user_ns(), edge->owner->uid);
	record->since_ns = edge->since_ns;
}

/**
 * refobj_unsettled_locked() - an object has been activated or deactivated, or died
 * @object: the object, locked
 */
void refobj_unsettled_locked(struct refobj *object)
{
	struct refobj_registry *registry = object->registry;
	struct refobj_links *links = object->links;

	lockdep_assert_held(&object->lock);

	if (!links || links->unsettled)
		return;
	links->unsettled = true;
	kref_get(&object->life);
	if (READ_ONCE(registry->settler) == current) {
		/* What follows from the top of the stack comes before it. */
		list_add(&links->node, &registry->stack);
		return;
	}
	spin_lock(&registry->settle);
	list_add_tail(&links->node, &registry->unsettled);
	WRITE_ONCE(registry->nr_unsettled, registry->nr_unsettled + 1);
	spin_unlock(&registry->settle);
}

static void edge_free(struct refobj_edge *edge)
{
	list_del(&edge->owner_node);
	list_del(&edge->dep_node);
	list_del(&edge->place.node);
	WRITE_ONCE(edge->owner->links->nr_edges,
		   edge->owner->links->nr_edges - 1);
	edge->dep->links->nr_owners--;
	refobj_uncharge(edge->user, REFOBJ_QUOTA_REFERENCES, 1);
	refobj_user_put(edge->user);
	trace_refobj_unlink(edge->owner->id, edge->dep->id);
	refobj_put(edge->dep);
	refobj_count(unlinks, 1);
	kfree(edge);
}

/* Hold the dep; -ESTALE if it is dead. */
static int edge_hold(struct refobj_edge *edge)
{
	int ret;

	edge->since_ns = ktime_get_ns();
	spin_lock(&edge->dep->lock);
	ret = refobj_hold_locked(edge->dep, &edge->mark, 1, REFOBJ_HOLD_EDGE,
				 &edge_act);
	spin_unlock(&edge->dep->lock);
	if (ret < 0)
		return ret;
	refobj_count(references_acquired, 1);
	trace_refobj_acquire(edge->dep, REFOBJ_HOLDER_OBJECT, edge->owner->id,
			     1, 0, REFOBJ_CAUSE_OBJECT);
	edge->held = true;
	list_move_tail(&edge->owner_node, &edge->owner->links->held);
	return 0;
}

static void edge_unhold(struct refobj_edge *edge)
{
	struct refobj *dep = edge->dep;
	int done;

	spin_lock(&dep->lock);
	trace_refobj_release(dep, REFOBJ_HOLDER_OBJECT, edge->owner->id, 1, 1,
			     REFOBJ_CAUSE_OBJECT);
	done = refobj_unhold_locked(dep, &edge->mark, 1, &edge_act);
	spin_unlock(&dep->lock);
	refobj_count(references_released, 1);
	edge->held = false;
	list_move_tail(&edge->owner_node, &edge->owner->links->idle);
	refobj_put(dep);		/* the holder's */
	if (done & REFOBJ_UNHELD_KILLED)
		refobj_put(dep);	/* the registry's */
}

/*
 * One step for the top of the stack; false if there was none left, and it is no
 * longer there.
 */
static bool settle_step(struct refobj_links *links)
{
	struct refobj *object = links->object;
	struct refobj_edge *edge;
	bool active, dead;

	spin_lock(&object->lock);
	active = refobj_is_active(object);
	dead = object->state == REFOBJ_STATE_DEAD;
	if (active ? list_empty(&links->idle) :
		     list_empty(&links->held) &&
		     (!dead || (list_empty(&links->idle) &&
				list_empty(&links->owners)))) {
		/* From here on it is put there anew if it changes. */
		list_del(&links->node);
		links->unsettled = false;
		spin_unlock(&object->lock);
		return false;
	}
	spin_unlock(&object->lock);

	if (active) {
		edge = list_first_entry(&links->idle, struct refobj_edge,
					owner_node);
		if (edge_hold(edge))
			edge_free(edge);
	} else if (!list_empty(&links->held)) {
		edge_unhold(list_first_entry(&links->held, struct refobj_edge,
					     owner_node));
	} else if (!list_empty(&links->idle)) {
		edge_free(list_first_entry(&links->idle, struct refobj_edge,
					   owner_node));
	} else {
		/* Nothing active needed what is dead. */
		edge_free(list_first_entry(&links->owners, struct refobj_edge,
					   dep_node));
	}
	return true;
}

/* The oldest of the unsettled becomes the bottom of the stack. */
static struct refobj_links *settle_next(struct refobj_registry *registry)
{
	struct refobj_links *links;

	spin_lock(&registry->settle);
	links = list_first_entry_or_null(&registry->unsettled,
					 struct refobj_links, node);
	if (links)
		list_move(&links->node, &registry->stack);
	spin_unlock(&registry->settle);
	return links;
}

/**
 * __refobj_settle() - bring edges in line with their owners
 * @registry: of the objects
 *
 * Returns when all that was unsettled at the call is settled, by whomever. Lets go
 * of the mutex now and then, so that no cascade keeps others from theirs.
 *
 * Context: may sleep.
 */
void __refobj_settle(struct refobj_registry *registry)
{
	unsigned long until = READ_ONCE(registry->nr_unsettled);
	struct refobj_links *links;
	struct refobj *object;
	int n;

	do {
		mutex_lock(&registry->edges);
		WRITE_ONCE(registry->settler, current);
		for (n = 0; n < REFOBJ_BATCH; n++) {
			links = list_first_entry_or_null(&registry->stack,
							 struct refobj_links,
							 node);
			if (!links)
				links = settle_next(registry);
			if (!links)
				break;
			object = links->object;
			if (settle_step(links))
				continue;
			refobj_put(object);
			if (list_empty(&registry->stack))
				WRITE_ONCE(registry->nr_settled,
					   registry->nr_settled + 1);
		}
		WRITE_ONCE(registry->settler, NULL);
		mutex_unlock(&registry->edges);
		cond_resched();
	} while ((long)(READ_ONCE(registry->nr_settled) - until) < 0);
}

/*
 * Making and removing edges
 */

/* Give an object links, so that its next change is seen here. */
static int links_make(struct refobj *object)
{
	struct refobj_links *links;

	if (READ_ONCE(object->links))
		return 0;
	links = kzalloc(sizeof(*links), GFP_KERNEL_ACCOUNT);
	if (!links)
		return -ENOMEM;
	links->object = object;
	INIT_LIST_HEAD(&links->held);
	INIT_LIST_HEAD(&links->idle);
	INIT_LIST_HEAD(&links->owners);

	spin_lock(&object->lock);
	if (!object->links) {
		WRITE_ONCE(object->links, links);
		links = NULL;
	}
	spin_unlock(&object->lock);
	kfree(links);
	return 0;
}

static struct refobj_edge *edge_in(struct list_head *edges, struct refobj *dep)
{
	struct refobj_edge *edge;

	list_for_each_entry(edge, edges, owner_node)
		if (edge->dep == dep)
			return edge;
	return NULL;
}

/* By the shorter way: an object may need many, and be needed by many. */
static struct refobj_edge *edge_find(struct refobj *owner, struct refobj *dep)
{
	struct refobj_edge *edge;

	lockdep_assert_held(&owner->registry->edges);

	if (owner->links->nr_edges < dep->links->nr_owners)
		return edge_in(&owner->links->held, dep) ?:
		       edge_in(&owner->links->idle, dep);
	list_for_each_entry(edge, &dep->links->owners, dep_node)
		if (edge->owner == owner)
			return edge;
	return NULL;
}

/* Put what these edges lead to on the list of what is still to be looked at. */
static void search_edges(struct list_head *search, struct list_head *edges,
			 u64 visit)
{
	struct refobj_edge *edge;

	list_for_each_entry(edge, edges, owner_node) {
		struct refobj_links *links = edge->dep->links;

		if (links->visited == visit)
			continue;
		links->visited = visit;
		list_add(&links->search, search);
	}
}

/* Would the owner need itself? 0, -ELOOP, or -EINTR if that takes too long. */
static int edge_loops(struct refobj *owner, struct refobj *dep)
{
	u64 visit = ++owner->registry->visit;
	struct refobj_links *links = dep->links;
	LIST_HEAD(search);

	lockdep_assert_held(&owner->registry->edges);

	/* What nothing needs is on no way; so chains and fans grow quickly. */
	if (list_empty(&owner->links->owners))
		return 0;
	list_add(&links->search, &search);
	while ((links = list_first_entry_or_null(&search, struct refobj_links,
						 search))) {
		if (links == owner->links)
			return -ELOOP;
		if (fatal_signal_pending(current))
			return -EINTR;
		list_del(&links->search);
		search_edges(&search, &links->held, visit);
		search_edges(&search, &links->idle, visit);
		cond_resched();
	}
	return 0;
}

/* With the mutex of the registry. */
static int edge_add(struct refobj_edge *edge)
{
	struct refobj *owner = edge->owner, *dep = edge->dep;
	bool active, dead;
	int err;

	if (edge_find(owner, dep))
		return -EEXIST;
	err = edge_loops(owner, dep);
	if (err)
		return err;

	/* What changes after these looks waits to be settled until we are done. */
	spin_lock(&owner->lock);
	active = refobj_is_active(owner);
	dead = owner->state == REFOBJ_STATE_DEAD;
	spin_unlock(&owner->lock);
	if (dead)
		return -ESTALE;
	list_add_tail(&edge->owner_node, &owner->links->idle);
	if (active) {
		err = edge_hold(edge);
	} else {
		spin_lock(&dep->lock);
		if (dep->state == REFOBJ_STATE_DEAD)
			err = -ESTALE;
		spin_unlock(&dep->lock);
	}
	if (err) {
		list_del(&edge->owner_node);
		return err;
	}
	list_add_tail(&edge->dep_node, &dep->links->owners);
	list_add_tail(&edge->place.node, &owner->registry->all_edges);
	WRITE_ONCE(owner->links->nr_edges, owner->links->nr_edges + 1);
	dep->links->nr_owners++;
	refobj_count(links, 1);
	trace_refobj_link(owner->id, dep->id);
	return 0;
}

/**
 * refobj_edge_link() - make an edge
 * @session: who makes it and is charged for it
 * @owner: the object that needs the other; the caller has a life
 * @dep: the object that is needed, of the same registry; likewise
 *
 * Context: may sleep.
 *
 * Return: 0; -ELOOP, -EEXIST, -ESTALE, -EDQUOT, -ENOMEM, -EINTR.
 */
int refobj_edge_link(struct refobj_session *session, struct refobj *owner,
		     struct refobj *dep)
{
	struct refobj_registry *registry = owner->registry;
	struct refobj_edge *edge;
	int err;

	if (owner == dep)
		return -ELOOP;
	err = links_make(owner) ?: links_make(dep);
	if (err)
		return err;
	edge = kzalloc(sizeof(*edge), GFP_KERNEL_ACCOUNT);
	if (!edge)
		return -ENOMEM;
	edge->mark.kind = REFOBJ_HOLDER_OBJECT;
	edge->place.edge = true;
	edge->owner = owner;
	edge->dep = dep;
	edge->user = session->user;
	err = refobj_session_charge(session, 1);
	if (err)
		goto free;
	err = mutex_lock_interruptible(&registry->edges);
	if (err)
		goto uncharge;
	err = edge_add(edge);
	if (!err) {
		kref_get(&session->user->ref);
		kref_get(&dep->life);
	}
	mutex_unlock(&registry->edges);
	if (err)
		goto uncharge;
	refobj_settle(registry);
	return 0;

uncharge:
	refobj_uncharge(session->user, REFOBJ_QUOTA_REFERENCES, 1);
free:
	kfree(edge);
	return err;
}

/**
 * refobj_edge_unlink() - remove an edge
 * @owner: the object that needs the other; the caller has a life
 * @dep: the object that is needed; likewise
 *
 * Context: may sleep.
 *
 * Return: 0, -ENOENT: there is no such edge, or -EINTR.
 */
int refobj_edge_unlink(struct refobj *owner, struct refobj *dep)
{
	struct refobj_registry *registry = owner->registry;
	struct refobj_edge *edge = NULL;
	int err;

	err = mutex_lock_interruptible(&registry->edges);
	if (err)
		return err;
	if (READ_ONCE(owner->links) && READ_ONCE(dep->links))
		edge = edge_find(owner, dep);
	if (edge) {
		/* Whatever its owner's state: it may be still unsettled. */
		if (edge->held)
			edge_unhold(edge);
		edge_free(edge);
	}
	mutex_unlock(&registry->edges);
	refobj_settle(registry);
	return edge ? 0 : -ENOENT;
}

/**
 * refobj_edges_read() - tell the next edge of a registry
 * @registry: which
 * @place: the reader's place, zeroed before the first call; refobj_edges_end()
 *	follows the last
 * @record: filled in
 * @owner: the object that needs the other, with a life for the caller
 *
 * An edge that is there all the time is told once, whatever comes and goes.
 *
 * Context: may sleep.
 *
 * Return: 1, 0 at the end, or -EINTR.
 */
int refobj_edges_read(struct refobj_registry *registry,
		      struct refobj_edge_place *place,
		      struct refobj_edge_record *record, struct refobj **owner)
{
	struct refobj_edge_place *next = place;
	const struct refobj_edge *edge;
	int ret = 0;

	if (mutex_lock_interruptible(&registry->edges))
		return -EINTR;
	if (!place->node.next)
		list_add(&place->node, &registry->all_edges);
	list_for_each_entry_continue(next, &registry->all_edges, node) {
		if (!next->edge)
			continue;
		edge = container_of(next, struct refobj_edge, place);
		kref_get(&edge->owner->life);
		*owner = edge->owner;
		*record = (struct refobj_edge_record) {
			.owner = edge->owner->id, .dep = edge->dep->id,
			.since_ns = edge->since_ns, .held = edge->held,
		};
		list_move(&place->node, &next->node);
		ret = 1;
		break;
	}
	mutex_unlock(&registry->edges);
	return ret;
}

/**
 * refobj_edges_end() - a reader is done
 * @registry: which
 * @place: the reader's, no longer in the list afterwards
 *
 * Context: may sleep.
 */
void refobj_edges_end(struct refobj_registry *registry,
		      struct refobj_edge_place *place)
{
	if (!place->node.next)
		return;
	mutex_lock(&registry->edges);
	list_del(&place->node);
	mutex_unlock(&registry->edges);
}
