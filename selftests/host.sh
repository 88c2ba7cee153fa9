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
generated=$top/build/userspace/obj/refctl/scenario

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
	printf '#include <linux/%s>\n' refobj.h refobj_lab.h refobj_netlink.h |
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

# Twice the same list: what the library LIBRARY exports, and what HEADER has.
functions_have_pages() {
	local function missing=0
	for function in $(nm -D --defined-only "$top"/build/userspace/librefobj{,-netlink}.so.1 |
		awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }'); do
		# The parts of inline functions are described with these.
		[[ $function = *__* || -s $top/build/userspace/man3/$function.3 ]] && continue
		echo "no manual page: $function"
		missing=1
	done
	[[ $function && $missing -eq 0 ]]
}

exports_are_declared() {
	nm -D --defined-only "$top/build/userspace/$1.so.1" |
		awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' | sort >"$dir/exported"
	# Inline functions are in no library, but what they call is.
	gcc -E -P -I"$top/module/uapi" "$top/userspace/lib/$2" >"$dir/header"
	grep -oE 'static inline int refobj_[a-z_]+' "$dir/header" | grep -oE '[a-z_]+$' >"$dir/inline" || true
	grep -oE '\brefobj_[a-z_]+ *\(' "$dir/header" | tr -d ' (' | sort -u |
		grep -vxFf "$dir/inline" >"$dir/declared"
	[[ -s $dir/declared ]] && diff "$dir/exported" "$dir/declared"
}

nl_compiles() {
	printf '#include <librefobj-netlink.h>\nint main(void) { refobj_nl_close(0); return 0; }\n' |
		"$1" -x "$2" -Wall -Wextra -Werror -pedantic -I"$top/module/uapi" \
			-I"$top/userspace/lib/netlink" - -x none \
			"$top/build/userspace/librefobj-netlink.a" -lmnl -o "$dir/out" &&
		"$dir/out"
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

# What reads scenarios, with sanitizers; "expect" is apart, to be spoilt.
scenario_cc() {
	gcc-12 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -std=gnu11 \
		-D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-function \
		-I"$top/userspace/refctl/scenario" -I"$generated" \
		-I"$top/userspace/lib" -isystem "$top/module/uapi" "$@"
}

scenario_builds() {
	local source
	make -s -C "$top/userspace" "$generated/parse.c" "$generated/lex.c" || return
	for source in "$generated"/{parse,lex}.c \
		"$top"/userspace/refctl/{util,lab_api,scenario/plan,scenario/expect}.c \
		"$top"/selftests/{scenario_test,fuzz/scenario_fuzz}.c; do
		scenario_cc -c "$source" -o "$dir/$(basename "$source" .c).o" || return
	done
	link_scenario scenario_test expect && link_scenario scenario_fuzz expect
}

# link_scenario PROGRAM EXPECT
link_scenario() {
	scenario_cc "$dir/$1.o" "$dir"/{parse,lex,plan,util,lab_api}.o "$dir/$2.o" \
		"$top/build/userspace/librefobj.a" -pthread -o "$dir/$1"
}

scenario_passes() {
	"$dir/scenario_test" >"$dir/tap" || { grep -A 2 '^not ok' "$dir/tap"; return 1; }
}

# What is planted in the logic of expectations must make its test fail.
planted_bugs_are_caught() {
	local bug missed=0
	while read -r bug; do
		perl -0pe "$bug" "$top/userspace/refctl/scenario/expect.c" >"$dir/spoilt.c"
		if cmp -s "$top/userspace/refctl/scenario/expect.c" "$dir/spoilt.c"; then
			echo "nothing to spoil: $bug"
			missed=1
			continue
		fi
		scenario_cc -Wno-error -w -c "$dir/spoilt.c" -o "$dir/spoilt.o" &&
			link_scenario scenario_test spoilt || return
		if scenario_passes >/dev/null 2>&1; then
			echo "not caught: $bug"
			missed=1
		fi
	done <<-'END'
		s/order == 0/order >= 0/
		s/order != 0/order > 0/
		s/order < 0/order <= 0/
		s/order <= 0/order < 0/
		s/order > 0/order >= 0/
		s/order >= 0/order > 0/
		s/if \(expected->error == -facts->ret\)/if (expected->error)/
		s/if \(expected->error == -facts->ret\)/if (1)/
		s/if \(expected->error\)\n/if (0)\n/
		s/expected->set & bits/expected->clear & bits/
		s/expected->clear & bits/expected->set & bits/
		s/expected->has_number &&/0 &&/
		s/expected->text &&\n/0 &&\n/
		s/if \(!match_condition/if (0 && !match_condition/
		s/for \(c = expected->conditions; c; c = c->next\)/if ((c = expected->conditions))/
		s/if \(!fact\)/if (0)/
		s/got > wanted \? 1/got > wanted ? -1/
		s/c->kind == SCN_NUMBER \? c->number :/1 ? c->number :/
		s/strcmp\(text, c->text\)\)/0)/
	END
	link_scenario scenario_test expect
	return $missed
}

# Every verb, option, result and field of the language is in its manual page.
scenario_manual_is_complete() {
	local word missing=0
	for word in $(sed -nE 's/^\t(\{|\[SCN_O_[A-Z_]*\] = \{) "([a-z-]+)".*/\2/p
			s/^\t *\.(results|fields) = "([^"*]+)".*/\2/p' \
			"$top/userspace/refctl/scenario/plan.c") \
		$(sed -nE '/define STAT_FIELDS/,/define EVENT_FIELDS/s/.*"([^"]+)".*/\1/p' \
			"$top/userspace/refctl/scenario/plan.c"); do
		grep -qE "^\\.(It Ic|Ic|Cm).*\\b$word\\b|^\\.It .*Cm $word\\b" \
			"$top/userspace/man/refobj-scenario.5" && continue
		echo "not in the manual page: $word"
		missing=1
	done
	return $missing
}

# Every verb and every event is in some scenario, so that each command is told of.
scenarios_use_everything() {
	local word words missing=0
	read -rd '' -a words < <(sed -nE 's/^\t\{ "([a-z-]+)", SCN_.*/\1/p
		/^static const char event_names/,/;/s/^\t"(.*)";/\1/p' \
		"$top/userspace/refctl/scenario/plan.c")
	((${#words[@]} > 40)) || return
	for word in "${words[@]}"; do
		grep -qrE --include='*.scn' "^[[:space:]]*([^#]*[: ])?$word\b" \
			"$top/selftests/scenarios" && continue
		echo "in no scenario: $word"
		missing=1
	done
	return $missing
}

manuals_are_well_formed() {
	mandoc -T lint -W warning "$top"/userspace/man/*.[1-9] \
		"$top"/build/userspace/man3/{librefobj,librefobj-netlink}.3 \
		"$top"/build/userspace/man3/refobj_{session,payload,edge,wait,event,handle,blob,word}.3
}

# manual_has PAGE WORD...: all of them are there
manual_has() {
	local page=$top/userspace/man/$1 word missing=0
	shift
	(($# > 4)) || return
	for word; do
		grep -qE "(^| )$word( |\$)" "$page" && continue
		echo "not in the manual page: $word"
		missing=1
	done
	return $missing
}

# All verbs and long options of the tool
refctl_manual_is_complete() {
	local refctl=$top/build/userspace/refctl verbs verb options
	mapfile -t verbs < <("$refctl" --help | sed -nE '/^Verbs:/,/^$/s/^  ([a-z-]+) .*/\1/p')
	manual_has refctl.1 "${verbs[@]}" || return
	mapfile -t options < <(for verb in "${verbs[@]}"; do
		"$refctl" "$verb" --help
	done | sed -nE 's/^ .*  ?--([a-z-]+) .*/-\1/p' | sort -u)
	manual_has refctl.1 "${options[@]}"
}

# All commands, of the device and of netlink; tracepoints, parameters, counters
module_manual_is_complete() {
	local words
	mapfile -t words < <(
		cd "$top/module" || exit
		grep -ohE 'define REFOBJ_IOC_[A-LN-Z_][A-Z_]+' uapi/linux/refobj.h | cut -d ' ' -f 2
		sed -nE '/^enum refobj_cmd/,/private/s/^\t(REFOBJ_CMD_[A-Z_]+).*/\1/p' uapi/linux/refobj_netlink.h
		sed -nE 's/^(TRACE_EVENT\(|DEFINE_EVENT\(.*, )(refobj_[a-z_]+),/\2/p' trace.h
		sed -nE 's/^module_param[a-z_]*\(([a-z_]+),.*/\1/p' ./*.c
		sed -nE 's/.*seq_printf\(m, "([a-z_]+) %.*/\1/p' debugfs.c)
	((${#words[@]} > 60)) && manual_has refobj.4 "${words[@]}"
}

echo "TAP version 13"
t "uapi headers compile as C11" compiles gcc -x c -std=c11
t "uapi headers compile as C++11" compiles g++ -x c++ -std=c++11
t "uapi headers have one layout for 32 and 64 bit" \
	compiles gcc-12 -x c -std=c11 -m32 -c -isystem /usr/include/x86_64-linux-gnu
t "library header compiles as C" api_compiles gcc c
t "library header compiles as C++" api_compiles g++ c++
t "library exports what its header declares" exports_are_declared librefobj librefobj.h
t "netlink library's header compiles as C" nl_compiles gcc c
t "netlink library's header compiles as C++" nl_compiles g++ c++
t "netlink library exports what its header declares" \
	exports_are_declared librefobj-netlink netlink/librefobj-netlink.h
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
t "the check of the netlink spec finds what differs" \
	"$top/selftests/netlink_spec_test.py"
t "the netlink spec agrees with the header and the module" \
	"$top/selftests/netlink_spec.py" "$top/module/uapi/linux/refobj.yaml" \
	"$top/module/uapi/linux/refobj_netlink.h" "$top/module/netlink.c"
t "scenarios: build with sanitizers" scenario_builds
t "scenarios: parser, plan, errors and expectations" scenario_passes
t "scenarios: planted bugs are caught" planted_bugs_are_caught
t "scenarios: the manual page is complete" scenario_manual_is_complete
t "manual pages are well-formed" manuals_are_well_formed
t "each function of the libraries has a page" functions_have_pages
t "refctl(1) has every verb and option" refctl_manual_is_complete
t "refobj(4) has every command, tracepoint, parameter and counter" \
	module_manual_is_complete
t "scenarios: every verb and event is used" scenarios_use_everything
t "scenarios: fuzzed" "$dir/scenario_fuzz" 3000 "${RANDOM}" "$top"/selftests/scenarios/{,lab/}*.scn
t "completion for bash" "$top/selftests/completion_test.sh"
t "make help" make -C "$top" help
echo "1..$n"
((bad == 0))
