#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What bash offers for refctl. Without the module there are no names of objects, which
# a tool of one's own gives here. KTAP; called by host.sh.
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/refctl" <<-END
	#!/bin/bash
	if [[ \$1 = ls && \$2 != --help ]]; then
		printf '%s\n' cam-1 cam-2 mic
	else
		exec "$top/build/userspace/refctl" "\$@"
	fi
END
chmod +x "$dir/refctl"
# shellcheck source=/dev/null
source "$top/userspace/refctl/completion.bash"
n=0 bad=0

# offers WANTED WORD...: with the last word being completed, in any order
offers() {
	local wanted=$1 got
	shift
	COMP_WORDS=(refctl "$@")
	COMP_CWORD=$#
	_refctl "$dir/refctl" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
	got=$(printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd ' ')
	n=$((n + 1))
	if [[ $got = "$wanted" ]]; then
		echo "ok $n refctl $*"
	else
		echo "not ok $n refctl $*"
		echo "# wanted '$wanted', got '$got'"
		bad=1
	fi
}

echo 'TAP version 13'
offers 'hold holders' ho
offers 'sessions set show stats stress' s
offers 'cam-1 cam-2' show cam
offers 'cam-1 cam-2 mic' holders ''
offers 'mic' link cam-1 m
offers '--timeout' watch --ti
offers '--exclusive-create --existing' hold --ex
offers '--json' -J --js
offers '--json' ls --js
offers 'dec dec_and_lock dec_and_lock_irqsave dec_and_mutex_lock dec_and_test dec_if_one dec_not_one' lab de
offers 'table' lab ta
offers '' create x
echo "1..$n"
exit $bad
