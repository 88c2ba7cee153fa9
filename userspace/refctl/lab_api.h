/* SPDX-License-Identifier: GPL-2.0-only */
/* The names of what refobj_lab.ko offers, for the verb and for scenarios. */
#ifndef REFCTL_LAB_API_H
#define REFCTL_LAB_API_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/refobj_lab.h>

#define LAB_DEVICE	"/dev/refobj-lab"

enum lab_returns { LAB_NOTHING, LAB_TRUTH, LAB_VALUE };

struct lab_function {
	const char *name;	/* without refcount_ */
	enum lab_returns returns;
	bool n;			/* it takes an operand */
	bool limit;
};

/* By enum refobj_lab_function. */
extern const struct lab_function lab_functions[REFOBJ_LAB_FUNCTIONS];

#define LAB_WARNINGS	(REFOBJ_LAB_WARN_DEC_NOT_ONE + 1)

/* As the kernel names the place, and what it says there; of none "none", NULL. */
struct lab_warning {
	const char *name;
	const char *message;
};

/* By enum refobj_lab_warning. */
extern const struct lab_warning lab_warnings[LAB_WARNINGS];

/* The number of a function; -1: there is none of this name. */
int lab_function(const char *name);

#endif /* REFCTL_LAB_API_H */
