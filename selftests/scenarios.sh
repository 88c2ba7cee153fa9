#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The scenarios, with real processes on this kernel, and the five steps of the manual
# page as it has them: refctl run, which prints KTAP.
# The tool is $REFCTL, else that of the project's build folder, else that in PATH.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
refctl=${REFCTL-}
for tool in "$here/../build/userspace/refctl" "$here/../../userspace/refctl" "$(command -v refctl)"; do
	[[ ! $refctl && -x $tool ]] && refctl=$tool
done
if [[ ! $refctl ]]; then
	echo '1..0 # SKIP refctl is not built; run: make userspace'
	exit 4
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/manual"
ln -s "$here/scenarios" "$dir/scenarios"
for page in "$here"/../userspace/man/refobj-scenario.5 "$here"/../../../userspace/man/refobj-scenario.5; do
	[[ -e $page ]] || continue
	awk -v dir="$dir/manual" '
		/^\.\\" step / { file = dir "/step_" $3 ".scn" }
		/^\.Ed/ { file = "" }
		file && !/^\./ { print >file }' "$page"
	break
done
cd "$dir" || exit 1
steps=(manual/*.scn)
if ((${#steps[@]} != 5)); then
	echo "Bail out! refobj-scenario.5 has ${#steps[@]} steps, or is not found"
	exit 1
fi
"$refctl" run --keep-going "$@" scenarios manual
