# bash completion for umf-lab
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash

_umf_lab()
{
	local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} word='' verb='' skip='' list='' seen=0
	local -a file=()

	COMPREPLY=()
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		if [ -n "$skip" ]; then
			[[ $skip != -f && $skip != --file && $skip != --run ]] || file+=("$skip" "$word")
			skip=''
			continue
		fi
		case $word in
		-f | --file | -t | --timeout | --kernel | --run | --seed) skip=$word ;;
		-*) ;;
		*) [ -z "$verb" ] && verb=$word || seen=$((seen + 1)) ;;
		esac
	done
	case $before in
	-f | --file | --run) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return ;;
	--kernel) mapfile -t COMPREPLY < <(compgen -W '6.12 7.3' -- "$cur") && return ;;
	-t | --timeout) mapfile -t COMPREPLY < <(compgen -W '5s 30s 2m' -- "$cur") && return ;;
	--seed) return ;;
	esac
	if [[ $cur == -* ]]; then
		list='--file --timeout --stdin --kernel --run --seed --fresh --wipe --kill --lose --follow --xterm --iso --all --json --quiet --help --version'
	elif [ -z "$verb" ]; then
		list='check up down status exec cp restart kill freeze thaw power wait logs console snapshot rollback gdb pack unpack fault env'
	else
		case $verb in
		check | up | down | status) mapfile -t COMPREPLY < <(compgen -f -X '!*.lab' -- "$cur") && return ;;
		cp)
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			list=guests
			;;
		exec) [ "$seen" -gt 0 ] || list='all guests' ;;
		console | gdb | fault) [ "$seen" -gt 0 ] || list=guests ;;
		restart | kill | freeze | thaw | logs) list=guests ;;
		snapshot | rollback) list=$("${COMP_WORDS[0]}" "${file[@]}" snapshot 2>/dev/null) ;;
		pack | unpack) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return ;;
		wait) list="ended guests" ;;
		power) [ "$seen" -gt 0 ] && list=guests || list='on off status' ;;
		esac
		if [[ $list == *guests ]]; then
			list="${list%guests} $("${COMP_WORDS[0]}" "${file[@]}" status 2>/dev/null | sed '/^power switch /d; /: is not up$/d; s/ .*//')"
		fi
	fi
	mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$list" -- "$cur")
}

complete -o filenames -F _umf_lab umf-lab
