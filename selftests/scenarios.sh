#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The scenarios, with real processes on this kernel: refctl run, which prints KTAP.
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
cd "$here" || exit 1
exec "$refctl" run --keep-going "$@" scenarios
