# SPDX-License-Identifier: GPL-2.0-only
#
# Completion for bash: verbs and options as the tool's help has them, so that there is
# one list of each, and the names of objects. Installed as completions/refctl.

# The first long or short name of each option of a help, and the words of usage
_refctl_options() {
	"$1" ${2:+"$2"} --help 2>/dev/null |
		sed -nE '/^Options/,/^$/s/^ +(-[a-zA-Z], )?(--[a-z-]+)( [A-Z].*)?( +.*)?$/\2/p'
}

_refctl() {
	local refctl=$1 cur=$2 prev=$3 verb='' word
	COMPREPLY=()
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		if [[ $word != -* && $word != "$cur" ]]; then
			verb=$word
			break
		fi
	done
	if [[ $cur = -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_refctl_options "$refctl" "$verb")" -- "$cur")
		return
	fi
	if [[ ! $verb ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$("$refctl" --help |
			sed -nE '/^Verbs:/,/^$/s/^  ([a-z-]+) .*/\1/p')" -- "$cur")
		return
	fi
	case $prev in
	--save | --svg | --replay)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	esac
	case $verb in
	run)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	ls | show | holders | leaks | tree | graph | watch | wait | rm | link | unlink | set | publish | cat | hold | get | on-demand)
		mapfile -t COMPREPLY < <(compgen -W "$("$refctl" ls -r -n -o NAME 2>/dev/null)" -- "$cur") ;;
	lab)
		mapfile -t COMPREPLY < <(compgen -W "table $("$refctl" lab --help |
			sed -nE '/^Functions/,/^A negative/s/^  (.*)/\1/p' | tr -d ',' |
			sed -E 's/\b(N|\(with|--limit\))//g')" -- "$cur") ;;
	esac
}

complete -o default -F _refctl refctl
