#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Load refobj_lab.ko, which lies beside $REFOBJ_KO, and run on it the tests that are
# named, or all that there are. What they provoke makes the kernel warn: for a guest of
# vm/run of its own, as .ci/check lab-KERNEL starts it.
set -u

here=$(cd "$(dirname "$0")" && pwd)
ko=${REFOBJ_KO%/*}/refobj_lab.ko
bad=0

# The small Debian of other architectures has them here only.
command -v insmod >/dev/null || {
	insmod() { busybox insmod "$@"; }
	rmmod() { busybox rmmod "$@"; }
}

echo 0 >/proc/sys/kernel/panic_on_warn
insmod "$ko" || { echo "Bail out! $ko cannot be loaded"; exit 1; }
if [ $# -eq 0 ]; then
	set -- "$here/../build/selftests/lab" "$here/refctl_lab_test.py"
	echo 'refobj-expect: refcount_t: ' >/dev/kmsg
	"$here/../build/userspace/refctl" run --keep-going "$here/scenarios/lab" || bad=1
	echo 'refobj-expect-end' >/dev/kmsg
	# what the kernel says once it must say again
	echo 1 >/sys/kernel/debug/clear_warn_once
fi
for test; do
	"$test" || bad=1
done
rmmod refobj_lab || bad=1
exit $bad
