/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that refobj is built for, 6.1 to 7.2. Nothing
 * else knows of versions; features are tested for, as stable kernels get them too.
 */
#ifndef REFOBJ_COMPAT_H
#define REFOBJ_COMPAT_H

#include <linux/slab.h>

/*
 * Since 6.5. A cache that is merged with another of its size cannot be seen to be
 * empty, and leaves its name in /sys/kernel/slab when it is destroyed.
 */
#ifndef SLAB_NO_MERGE
#define SLAB_NO_MERGE	0
#endif

#endif /* REFOBJ_COMPAT_H */
