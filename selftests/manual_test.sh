#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The examples of refctl(1) and refobj(4), as they stand there: the latter are perf,
# trace-cmd and bpftrace on the tracepoints. KTAP.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
n=0 failed=0 skipped=0

skip_all() {
	echo "TAP version 13"
	echo "1..0 # SKIP $1"
	exit 4
}

for build in "$here/../build/userspace" "$here/../../userspace"; do
	[[ -x $build/refctl ]] && break
done
manual=$build/../../userspace/man
[[ -x $build/refctl && -r $manual/refctl.1 ]] || skip_all "refctl is not built, or its manual is not here"
[[ -c /dev/refobj ]] || skip_all "no /dev/refobj: the module is not loaded"
((EUID == 0)) || skip_all "not root"
export PATH=$build:$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1

# example PAGE BEGINNING NUMBER: the NUMBERth that begins so
example() {
	awk -v begin="$2" -v number="$3" '
	/^\.Sh / { inside = $2 == "EXAMPLES" }
	inside && /^\.Bd/ { block = ""; next }
	inside && /^\.Ed/ {
		if (index(block, begin " ") == 1 && ++n == number)
			printf "%s", block
		next
	}
	inside { gsub(/\\e/, "\\"); block = block $0 "\n" }' "$manual/$1"
}

# t WHAT NEEDS PAGE BEGINNING NUMBER STATUS PATTERN...: it ends so, and its output has
# all of them; NEEDS is a file that the kernel must have, and the example's first word a
# program
t() {
	local what=$1 needs=$2 page=$3 begin=$4 number=$5 want=$6 pattern missing='' status=0
	shift 6
	n=$((n + 1))
	if ! command -v "${begin%% *}" >/dev/null || [[ ! -e $needs ]]; then
		echo "ok $n $what # SKIP no ${begin%% *}, or a kernel without $needs"
		skipped=$((skipped + 1))
		return
	fi
	bash -ec "$(example "$page" "$begin" "$number")" >out 2>&1 || status=$?
	for pattern; do
		grep -qE "$pattern" out || missing=$pattern
	done
	if [[ $missing || $status -ne $want ]]; then
		echo "not ok $n $what"
		echo "# status $status, or '$missing' is missing:"
		sed 's/^/# /' out
		failed=$((failed + 1))
	else
		echo "ok $n $what"
	fi
}

pipe=/sys/kernel/tracing/per_cpu/cpu0/trace_pipe_raw
echo "TAP version 13"
echo "1..10"
t "hold" / refctl.1 'refctl hold' 1 0 '^camera +[0-9]+ refctl .* a call$'
t "get" / refctl.1 'refctl get' 1 0 '^1000 /proc/self/fd/'
t "wait" / refctl.1 'refctl wait' 1 0
"$build/refctl" hold camera -- sleep 1000 &
until "$build/refctl" wait camera --active --timeout 60 2>/dev/null; do :; done
t "ls" / refctl.1 'refctl ls' 1 0 '^camera$'
kill %1
wait
t "leaks" / refctl.1 'refctl leaks' 1 0 '"leaks": \[\]'
if command -v dot >/dev/null; then
	t "graph" / refctl.1 'refctl create' 1 0 'recorder now needs camera'
else
	n=$((n + 1)) skipped=$((skipped + 1))
	echo "ok $n graph # SKIP no dot"
fi
t "perf counts transitions" /proc/sys/kernel/perf_event_paranoid refobj.4 perf 1 0 \
	'\b1 +refobj:refobj_activate' '\b1 +refobj:refobj_destroy' '\b0 +refobj:refobj_drop'
t "trace-cmd tells them" $pipe refobj.4 trace-cmd 1 0 \
	'refctl-[0-9]+ .*refobj_acquire: .*count=1 users=1' 'refobj_release: .*cause=release'
t "bpftrace makes a histogram of hold times" /sys/fs/bpf refobj.4 bpftrace 1 0 \
	'^@held_us\[[0-9]+\]:' '1 \|@+'
t "trace-cmd tells of deaths" $pipe refobj.4 trace-cmd 2 0 \
	'refctl-[0-9]+ .*refobj_drop: .*count=1 users=0 cause=signal signal=9'
echo "# Totals: pass:$((n - failed - skipped)) fail:$failed xfail:0 xpass:0 skip:$skipped error:0"
((failed == 0))
