# bash completion for umf-cow
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash

_umf_cow()
{
	local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} word verb='' list=''

	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ $word == -* ]] || { verb=$word && break; }
	done
	case $before in
	-O | --format) list='raw cow qcow2' ;;
	--at) list='flush mark entry' ;;
	-s | --size | -n | --depth | --until | --entries | --check | --from) return ;;
	-b | --backing) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return ;;
	*)
		case $verb in
		'') list='create info check snapshot clone rollback merge convert mount replay --help --version' ;;
		create) list='--backing --size --relative --force' ;;
		info) list='--backing --json' ;;
		check) list='--backing --json --repair' ;;
		snapshot) list='--relative' ;;
		clone) list='--relative --force --copy' ;;
		merge) list='--backing --in-place --depth --relative --force' ;;
		convert) list='--backing --format --relative --force' ;;
		mount) list='--backing --write --foreground' ;;
		replay) list='--until --entries --check --at --from' ;;
		esac
		[[ -z $verb ]] || list+=' --quiet --progress'
		;;
	esac
	if [[ -n $verb && $cur != -* && $before != -O && $before != --format && $before != --at ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -W "$list" -- "$cur")
	fi
}

complete -o filenames -F _umf_cow umf-cow
