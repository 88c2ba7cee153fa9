// SPDX-License-Identifier: GPL-2.0-only
/* The names of what refobj_lab.ko offers. */
#include <stddef.h>
#include <string.h>

#include "lab_api.h"

const struct lab_function lab_functions[REFOBJ_LAB_FUNCTIONS] = {
	[REFOBJ_LAB_SET] = { "set", LAB_NOTHING, true, false },
	[REFOBJ_LAB_SET_RELEASE] = { "set_release", LAB_NOTHING, true, false },
	[REFOBJ_LAB_READ] = { "read", LAB_VALUE, false, false },
	[REFOBJ_LAB_ADD] = { "add", LAB_NOTHING, true, false },
	[REFOBJ_LAB_INC] = { "inc", LAB_NOTHING, false, false },
	[REFOBJ_LAB_ADD_NOT_ZERO] = { "add_not_zero", LAB_TRUTH, true, false },
	[REFOBJ_LAB_INC_NOT_ZERO] = { "inc_not_zero", LAB_TRUTH, false, false },
	[REFOBJ_LAB_ADD_NOT_ZERO_ACQUIRE] = { "add_not_zero_acquire", LAB_TRUTH,
					      true, false },
	[REFOBJ_LAB_INC_NOT_ZERO_ACQUIRE] = { "inc_not_zero_acquire", LAB_TRUTH,
					      false, false },
	[REFOBJ_LAB_ADD_NOT_ZERO_LIMITED_ACQUIRE] = {
		"add_not_zero_limited_acquire", LAB_TRUTH, true, true },
	[REFOBJ_LAB_INC_NOT_ZERO_LIMITED_ACQUIRE] = {
		"inc_not_zero_limited_acquire", LAB_TRUTH, false, true },
	[REFOBJ_LAB_SUB_AND_TEST] = { "sub_and_test", LAB_TRUTH, true, false },
	[REFOBJ_LAB_DEC_AND_TEST] = { "dec_and_test", LAB_TRUTH, false, false },
	[REFOBJ_LAB_DEC] = { "dec", LAB_NOTHING, false, false },
	[REFOBJ_LAB_DEC_IF_ONE] = { "dec_if_one", LAB_TRUTH, false, false },
	[REFOBJ_LAB_DEC_NOT_ONE] = { "dec_not_one", LAB_TRUTH, false, false },
	[REFOBJ_LAB_DEC_AND_MUTEX_LOCK] = { "dec_and_mutex_lock", LAB_TRUTH, false,
					    false },
	[REFOBJ_LAB_DEC_AND_LOCK] = { "dec_and_lock", LAB_TRUTH, false, false },
	[REFOBJ_LAB_DEC_AND_LOCK_IRQSAVE] = { "dec_and_lock_irqsave", LAB_TRUTH,
					      false, false },
};

const struct lab_warning lab_warnings[LAB_WARNINGS] = {
	[REFOBJ_LAB_WARN_NONE] = { "none", NULL },
	[REFOBJ_LAB_WARN_ADD_NOT_ZERO_OVF] = { "ADD_NOT_ZERO_OVF",
					       "saturated; leaking memory" },
	[REFOBJ_LAB_WARN_ADD_OVF] = { "ADD_OVF", "saturated; leaking memory" },
	[REFOBJ_LAB_WARN_ADD_UAF] = { "ADD_UAF",
				      "addition on 0; use-after-free" },
	[REFOBJ_LAB_WARN_SUB_UAF] = { "SUB_UAF", "underflow; use-after-free" },
	[REFOBJ_LAB_WARN_DEC_LEAK] = { "DEC_LEAK",
				       "decrement hit 0; leaking memory" },
	[REFOBJ_LAB_WARN_DEC_NOT_ONE] = { "DEC_NOT_ONE",
					  "underflow; use-after-free" },
};

int lab_function(const char *name)
{
	int i;

	for (i = 0; i < REFOBJ_LAB_FUNCTIONS; i++)
		if (!strcmp(lab_functions[i].name, name))
			return i;
	return -1;
}
