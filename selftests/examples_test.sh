#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The examples, run with real processes: each says what its story promises. KTAP.
# They are found in the project's build folder, from the source and from where
# kselftest has installed this.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
n=0 failed=0 skipped=0
bin='' source=''
for build in "$here/../build" "$here/../.."; do
	if [[ -x $build/userspace/examples/blob ]]; then
		bin=$build/userspace
		source=$build/../userspace/examples
		break
	fi
done
export REFOBJ_BIN=$bin

# t NAME: run the function of this name, in a shell and a network namespace of its
# own, so that it begins with nothing, as one test
t() {
	local status=0 said
	n=$((n + 1))
	said=$(unshare --net "$BASH" "${BASH_SOURCE[0]}" "$1" 2>&1) || status=$?
	case $status in
	0) echo "ok $n ${1//_/ }" ;;
	4)
		echo "ok $n ${1//_/ } # SKIP $said"
		skipped=$((skipped + 1))
		;;
	*)
		echo "not ok $n ${1//_/ }"
		printf '%s\n' "$said" | sed 's/^/# /'
		failed=$((failed + 1))
		;;
	esac
}

fail() {
	printf '%s\n' "$*"
	exit 1
}

# start NAME COMMAND...: a process that is spoken with, and dies with the test
declare -A pid in out
start() {
	local name=$1
	shift
	mkfifo "$dir/$name.in" "$dir/$name.out"
	"$@" <"$dir/$name.in" >"$dir/$name.out" &
	pid[$name]=$!
	exec {fd}>"$dir/$name.in"
	in[$name]=$fd
	exec {fd}<"$dir/$name.out"
	out[$name]=$fd
}

# hear NAME LINE: the next line that it says
hear() {
	local line=
	read -r line <&"${out[$1]}" || line=${line:-nothing}
	[[ $line == "$2" ]] || fail "$1 said '$line' and not '$2'"
}

# enter NAME: its user presses Enter
enter() { echo >&"${in[$1]}"; }

# finish NAME: it ends well, and says no more
finish() {
	hear "$1" nothing
	wait "${pid[$1]}" || fail "$1 ended with status $?"
}

# says COMMAND <EXPECTED: exactly that
says() {
	local expected
	expected=$(cat)
	diff <(printf '%s\n' "$expected") <("$@" 2>&1) || exit 1
}

nothing_left() {
	"$bin/refctl" wait "$1" --dead --timeout 0 || fail "$1 is still there"
}

attach_tells_the_first() {
	says "$bin/examples/attach" <<-END
	created object $(($(newest) + 1))
	I was the last: the object is gone
	END
}

# the id that was given out last
newest() {
	"$bin/refctl" hold newest -- "$bin/refctl" ls -n -o id newest | tr -d ' '
}

holders_tells_who_holds() {
	start hold "$bin/examples/hold" thing 'for a test'
	hear hold holding
	says "$bin/examples/holders" thing <<-END
	pid ${pid[hold]} (hold) holds 1: for a test
	END
	enter hold
	finish hold
	nothing_left thing
}

# "Find a leak": three commands lead from what is there to whom to ask
a_leak_is_found() {
	start encoder "$bin/examples/hold" recording 'night shot'
	hear encoder holding
	says "$bin/refctl" ls --state ready -n -o name,users <<-END
	recording     1
	END
	[[ -z $("$bin/refctl" leaks --older 1h) ]] || fail 'it has not been held for an hour'
	"$bin/refctl" leaks --older 0 -n -r -o object,count,pid,user,why,processes >"$dir/leaks"
	grep -qE "^recording 1 ${pid[encoder]} root night\\\\x20shot hold\\(${pid[encoder]}\\)\\\\x20<\\\\x20.*\\(1\\)\$" \
		"$dir/leaks" || fail "leaks said $(cat "$dir/leaks")"
	"$bin/refctl" show recording | grep -q 'night shot' || fail 'show does not say why'
	enter encoder
	finish encoder
	nothing_left recording
}

# Story 1: the first one builds, the others map, whoever is killed
blob_lives_as_long_as_its_users() {
	local bytes='mapped 1048576 bytes: the bytes of weights'
	start first "$bin/examples/blob" weights
	hear first 'I am the first: filling it'
	hear first "$bytes"
	start second "$bin/examples/blob" weights
	hear second "$bytes"
	kill -KILL "${pid[first]}"
	wait "${pid[first]}" 2>/dev/null
	start third "$bin/examples/blob" weights
	hear third "$bytes"
	enter second
	finish second
	enter third
	hear third 'I was the last: it is gone'
	finish third
	nothing_left weights
	start again "$bin/examples/blob" weights
	hear again 'I am the first: filling it'
}

blob_is_built_from_a_shell() {
	cd "$dir" || exit
	echo '12 bytes ...' >model.bin
	# shellcheck disable=SC2016 # for the script to expand
	printf '#!/bin/sh\nwc -c <"$2"\n' >server
	chmod +x server
	says "$bin/refctl" get weights --build 'cat model.bin' -- ./server --model {} \
		<<-END
	13
	END
	nothing_left weights
}

events_are_told_in_order() {
	"$bin/refctl" create thing >/dev/null
	start events "$bin/examples/events" thing
	hear events 'snapshot: 0 users, by none'
	start one "$bin/examples/hold" thing 'for a test'
	hear one holding
	hear events 'activated: 1 users, by acquire'
	start two "$bin/examples/hold" thing 'for a test'
	hear two holding
	kill -KILL "${pid[two]}"
	hear events 'holder-died: 1 users, by signal 9'
	enter one
	finish one
	hear events 'deactivated: 0 users, by close'
	"$bin/refctl" rm thing >/dev/null
	hear events 'destroyed: 0 users, by destroy'
	finish events
}

# Story 2: started by the first one, stopped after the last one
camera_is_on_while_somebody_looks() {
	[[ -x $source/camera ]] || { echo 'the source is not here'; exit 4; }
	says "$source/camera" <<-END
	   watching camera
	1. Two come to look, one a little later.
	   somebody: video call
	   somebody: recording
	   started camera
	   the camera is on
	2. Both have gone, and the time to linger is over.
	   the camera is off
	   stopped camera
	3. Nobody wants cameras any more.
	   nothing is left
	END
}

# Story 3: the owner keeps the dog, and goes first
dog_outlives_its_process() {
	says "$bin/examples/dog" <<-END
	the dog has 2 users: its process, and the owner
	the dog: holder-died, by signal 9
	Rex walks
	the owner is let go
	the owner: destroyed, by release
	the dog: destroyed, by object
	END
	nothing_left dog
	nothing_left owner
}

# Story 4: safe on its way though the sender is dead
reference_is_passed_on() {
	says "$bin/examples/pass" <<-END
	the sender is dead
	received: a message; 2 users, activated 1 time
	I was the last: it is gone
	END
}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 4
}

if (($#)); then
	dir=$(mktemp -d)
	# shellcheck disable=SC2154 # fd is set by exec
	trap 'rm -rf "$dir"; kill "${pid[@]}" 2>/dev/null' EXIT
	"$1"
	exit
fi

echo "TAP version 13"
[[ $(id -u) -eq 0 ]] || skip_all "not root"
[[ -c /dev/refobj ]] || skip_all "no /dev/refobj: the module is not loaded"
[[ $bin ]] || skip_all "the examples are not built"
command -v unshare >/dev/null || skip_all "no unshare (util-linux)"

tests=(attach_tells_the_first holders_tells_who_holds a_leak_is_found
	blob_lives_as_long_as_its_users blob_is_built_from_a_shell
	events_are_told_in_order
	camera_is_on_while_somebody_looks dog_outlives_its_process
	reference_is_passed_on)
echo "1..${#tests[@]}"
for test in "${tests[@]}"; do
	t "$test"
done
echo "# Totals: pass:$((n - failed - skipped)) fail:$failed xfail:0 xpass:0 skip:$skipped error:0"
((failed == 0))
