#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What needs no kernel with the module: the header in C and C++, installing and
# removing, the examples built as a user would, and make's own messages. KTAP.
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0 bad=0

# t NAME COMMAND...: one result; the output of a failure is shown
t() {
	local name=$1
	shift
	n=$((n + 1))
	if "$@" >"$dir/log" 2>&1; then
		echo "ok $n $name"
	else
		echo "not ok $n $name"
		head -n 40 "$dir/log" | cut -c -200 | sed 's/^/# /'
		bad=$((bad + 1))
	fi
}

compiles() {
	local compiler=$1
	shift
	printf '#include <linux/%s>\n' refobj.h refobj_lab.h |
		sed '$a int main(void) { return 0; }' |
		"$compiler" -Wall -Wextra -Werror -pedantic \
			-I"$top/module/uapi" "$@" -o "$dir/out" -
}

api_compiles() {
	printf '#include <librefobj.h>\nint main(void) { return !refobj_version(); }\n' |
		"$1" -x "$2" -Wall -Wextra -Werror -pedantic -I"$top/module/uapi" \
			-I"$top/userspace/lib" - -x none \
			"$top/build/userspace/librefobj.a" -o "$dir/out" && "$dir/out"
}

# Twice the same list: what install says it exports, and what the header has.
exports_are_declared() {
	nm -D --defined-only "$top/build/userspace/librefobj.so.1" |
		awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' | sort >"$dir/exported"
	gcc -E -P -I"$top/module/uapi" "$top/userspace/lib/librefobj.h" |
		grep -oE '\brefobj_[a-z_]+ *\(' | tr -d ' (' | sort -u >"$dir/declared"
	diff "$dir/exported" "$dir/declared"
}

install_all() {
	make -s -C "$top" install DESTDIR="$dir/root" PREFIX=/opt/refobj
}

example_builds() {
	local root=$dir/root/opt/refobj
	# shellcheck disable=SC2046 # pkg-config prints options
	gcc -Wall -Werror "$top/userspace/examples/$1.c" -o "$dir/example" \
		$(PKG_CONFIG_PATH=$root/lib/pkgconfig pkg-config \
			--define-variable=prefix="$root" \
			--define-variable=libdir="$root/lib" \
			--cflags --libs librefobj) &&
		LD_LIBRARY_PATH=$root/lib ldd "$dir/example" | grep librefobj.so.1
}

uninstall_leaves_nothing() {
	make -s -C "$top" uninstall DESTDIR="$dir/root" PREFIX=/opt/refobj &&
		[[ -z $(find "$dir/root" ! -type d) ]]
}

fails_with() {
	local want=$1
	shift
	! "$@" >"$dir/said" 2>&1 && cat "$dir/said" && grep -q -- "$want" "$dir/said"
}

echo "TAP version 13"
t "uapi headers compile as C11" compiles gcc -x c -std=c11
t "uapi headers compile as C++11" compiles g++ -x c++ -std=c++11
t "uapi headers have one layout for 32 and 64 bit" \
	compiles gcc-12 -x c -std=c11 -m32 -c -isystem /usr/include/x86_64-linux-gnu
t "library header compiles as C" api_compiles gcc c
t "library header compiles as C++" api_compiles g++ c++
t "library exports what its header declares" exports_are_declared
t "install" install_all
for example in "$top"/userspace/examples/*.c; do
	example=$(basename "$example" .c)
	t "example $example builds against what is installed" example_builds "$example"
done
t "uninstall leaves nothing" uninstall_leaves_nothing
t "make without kernel headers says what to install" \
	fails_with 'make KDIR=' make -C "$top" module KDIR=/nonexistent
t "the syzkaller description agrees with the header" \
	"$top/selftests/fuzz/check-syzlang"
t "make help" make -C "$top" help
echo "1..$n"
((bad == 0))
