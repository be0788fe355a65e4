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
		-f) [ "$verb" = events ] || skip=$word ;;
		--file | -t | --timeout | --kernel | --run | --seed | --since | --set) skip=$word ;;
		--results | --junit | --only | --runs | --for | --tries) skip=$word ;;
		-*) ;;
		*) [ -z "$verb" ] && verb=$word || seen=$((seen + 1)) ;;
		esac
	done
	[ "$verb $before" != "events -f" ] || before=''
	case $before in
	-f | --file | --run | --results | --junit) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return ;;
	--kernel) mapfile -t COMPREPLY < <(compgen -W '6.12 7.3' -- "$cur") && return ;;
	-t | --timeout | --for) mapfile -t COMPREPLY < <(compgen -W '5s 30s 2m' -- "$cur") && return ;;
	--seed | --since | --set | --only | --runs | --tries) return ;;
	esac
	if [[ $cur == -* ]]; then
		list='--file --timeout --stdin --kernel --run --seed --set --virtual --overcommit --fresh --wipe --kill --lose --hold-others --follow --since --no-kernel --xterm --svg --iso --all --json --results --junit --only --dry-run --runs --for --tries --quiet --help --version'
	elif [ -z "$verb" ]; then
		list='check up down status graph exec cp restart kill freeze thaw power events wait time sleep run-until logs console snapshot rollback gdb pack unpack fault test explore shrink env'
	else
		case $verb in
		check | up | down | status | graph) mapfile -t COMPREPLY < <(compgen -f -X '!*.lab' -- "$cur") && return ;;
		cp)
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			list=guests
			;;
		exec) [ "$seen" -gt 0 ] || list='all guests' ;;
		console | gdb) [ "$seen" -gt 0 ] || list=guests ;;
		fault)
			[ "$seen" -gt 0 ] || list='power guests'
			[ "$seen $before" != '1 power' ] || list='add del clear list'
			[ "$before" != add ] || list='delay drop stuck lie late'
			;;
		restart | kill | freeze | thaw | events | logs) list=guests ;;
		snapshot | rollback) list=$("${COMP_WORDS[0]}" "${file[@]}" snapshot 2>/dev/null) ;;
		test | explore) mapfile -t COMPREPLY < <(compgen -f -X '!*.test' -- "$cur") && return ;;
		shrink) mapfile -t COMPREPLY < <(compgen -d -- "$cur") && return ;;
		pack | unpack) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return ;;
		sleep | run-until) list='10s 1m' ;;
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
