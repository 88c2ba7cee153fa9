#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Debian's packages: they build, lintian has nothing to say, DKMS builds the module for
# each of the KERNELs (of selftests/vm/kernel), and in a virtual machine of the first one
# a member of the group refobj uses refobj as soon as they are installed. KTAP.
#
# Usage: packages.sh KERNEL...
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
vm=$top/selftests/vm

fails() {
	if "$@"; then
		return 1
	fi
}

# guest FOLDER: in the virtual machine, as root; in FOLDER are the packages, and what
# DKMS made
guest() {
	local krel
	krel=$(uname -r)
	set -ex
	# what a machine that has booted with systemd does
	mkdir -p /run/udev
	/lib/systemd/systemd-udevd --daemon
	# the compiler would take minutes here: what DKMS made on the host is there instead
	mkdir -p "/lib/modules/$krel/updates/dkms"
	cp "$1/modules/$krel/"*.ko* "/lib/modules/$krel/updates/dkms/"
	depmod
	rm -f "/lib/modules/$krel/build"

	useradd --system member
	# not what others do then: man's index takes minutes here
	dpkg --no-triggers -i "$1"/{refobj-dkms,librefobj1,librefobj-netlink1,refctl}_*.deb
	grep -q '^refobj ' /proc/modules
	udevadm settle
	[[ $(stat -c '%a %U %G' /dev/refobj) = '660 root refobj' ]]
	usermod -aG refobj member
	as_member() { setpriv --reuid member --regid member --init-groups "$@"; }
	as_member refctl doctor || true
	as_member refctl hold --why 'it works' thing -- refctl holders thing | grep 'it works'
	# who asks for the netlink family gets the module
	modprobe -r refobj
	refctl sessions
	grep -q '^refobj ' /proc/modules
	fails setpriv --reuid nobody --regid nogroup --clear-groups refctl ls
	[[ -e /usr/share/man/man1/refctl.1.gz && -e /usr/share/man/man4/refobj.4.gz ]]

	dpkg --no-triggers -r refctl librefobj-netlink1 librefobj1 refobj-dkms
	fails grep '^refobj ' /proc/modules
	[[ ! -e /dev/refobj && ! -e /usr/src/refobj-0.1.0/Kbuild && ! -e /usr/bin/refctl &&
	   ! -e /usr/lib/udev/rules.d/60-refobj.rules ]]
	udevadm control --exit
}

if [[ ${1-} = --guest ]]; then
	guest "$2"
	exit
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/refobj-packages.XXXXXX")
trap 'rm -rf "$dir"' EXIT
n=0 bad=0

t() {
	local name=$1
	shift
	n=$((n + 1))
	if "$@" >"$dir/log" 2>&1; then
		echo "ok $n $name"
	else
		echo "not ok $n $name"
		tail -n 40 "$dir/log" | cut -c -200 | sed 's/^/# /'
		bad=$((bad + 1))
	fi
}

build() {
	mkdir "$dir/refobj"
	(cd "$top" && git ls-files -z -co --exclude-standard | tar c --null -T -) |
		tar x -C "$dir/refobj" &&
		(cd "$dir/refobj" && dpkg-buildpackage -us -uc -b) &&
		dpkg-deb -x "$dir"/refobj-dkms_*.deb "$dir/root"
}

lint() {
	lintian --allow-root --fail-on error,warning "$dir"/*.changes | tee "$dir/lintian"
	[[ ${PIPESTATUS[0]} -eq 0 && ! -s $dir/lintian ]]
}

# In a mount namespace whose /lib/modules has nothing but this kernel's headers, as dkms
# has depmod(8) look there.
with_dkms() {
	local KREL KDIR MODDIR version=refobj/0.1.0 at
	eval "$("$vm/kernel" path "$1")"
	at=/lib/modules/$KREL
	set -ex
	mount -t tmpfs tmpfs /lib/modules
	mkdir -p "$at"
	cp "$MODDIR"/modules.{order,builtin*} "$at/"
	ln -s "$KDIR" "$at/build"
	dkms() {
		command dkms "$1" --dkmstree "$dir/dkms" --sourcetree "$dir/root/usr/src" "${@:2}"
	}
	mkdir -p "$dir/dkms"
	dkms add "$version"
	dkms build "$version" -k "$KREL/x86_64"
	dkms install "$version" -k "$KREL/x86_64"
	dkms status "$version" | grep "$KREL.*installed"
	modinfo -k "$KREL" refobj refobj_lab
	mkdir -p "$dir/modules/$KREL"
	cp "$at/updates/dkms/"*.ko* "$dir/modules/$KREL/"
	dkms remove "$version" --all
	[[ -z $(find "$at" -name '*.ko*') && -z $(dkms status "$version") ]]
}
export -f with_dkms
export vm dir

# Nothing of it is installed on this machine: the guest's own layer has it.
in_guest() {
	"$vm/run" --quiet --kernel "$1" --no-module --timeout 3600 --share "$dir" -- \
		"$top/selftests/packages.sh" --guest "$dir"
}

echo 'KTAP version 1'
echo "1..$((3 + $#))"
t 'the packages build' build
t 'lintian has nothing to say' lint
for kernel; do
	# shellcheck disable=SC2016 # for the other shell
	t "dkms adds, builds, installs and removes the module for $kernel" \
		unshare -m bash -c 'with_dkms "$1"' bash "$kernel"
done
t 'a member of the group uses it as soon as it is installed' in_guest "$1"
((bad == 0))
