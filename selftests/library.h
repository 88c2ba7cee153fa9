/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of librefobj share. */
#ifndef REFOBJ_LIBRARY_H
#define REFOBJ_LIBRARY_H

#include <stdio.h>

#include <librefobj.h>

/*
 * What the harness knows of a child's failed expectations dies with the child:
 * these are counted, and the child ends with LIB_EXIT().
 */
static int lib_failures;

#define LIB_EXPECT(want, got)						\
	do {								\
		long long _got = (got), _want = (want);			\
									\
		if (_got == _want)					\
			break;						\
		lib_failures++;						\
		fprintf(stderr, "# %s:%d: in a child: %s is %lld, not %lld\n", \
			__FILE__, __LINE__, #got, _got, _want);		\
	} while (0)

#define LIB_EXIT()	_exit(lib_failures ? 1 : 0)

/* The users of an object, or a negative errno. */
static inline int lib_users(struct refobj_session *s, uint64_t id)
{
	struct refobj_stat st;
	int ret = refobj_stat(s, id, &st);

	return ret ? ret : (int)st.users;
}

static inline int lib_state(struct refobj_session *s, uint64_t id)
{
	struct refobj_stat st;
	int ret = refobj_stat(s, id, &st);

	return ret ? ret : (int)st.state;
}

#endif /* REFOBJ_LIBRARY_H */
