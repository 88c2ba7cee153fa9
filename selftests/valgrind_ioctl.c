// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded into what valgrind runs, which knows of an ioctl that it fills in its
 * structure, but not what this points to.
 */
#include <stdarg.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <valgrind/memcheck.h>

#include <linux/refobj.h>

int ioctl(int fd, unsigned long cmd, ...)
{
	struct refobj_holders *holders;
	va_list args;
	void *arg;
	int ret;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	ret = syscall(SYS_ioctl, fd, cmd, arg);
	if (ret >= 0 && cmd == REFOBJ_IOC_HOLDERS) {
		holders = arg;
		VALGRIND_MAKE_MEM_DEFINED((void *)(uintptr_t)holders->records,
					  (size_t)holders->count *
					  holders->record_size);
	}
	return ret;
}
