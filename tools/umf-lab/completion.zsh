#compdef umf-lab
# zsh completion for umf-lab
# SPDX-License-Identifier: GPL-2.0

_umf_lab_guests()
{
	compadd "$@" -- ${(f)"$(umf-lab ${opt_args[-f]:+-f} ${opt_args[-f]} status 2>/dev/null | sed '/^power switch /d; /: is not up$/d; s/ .*//')"}
}

_umf_lab()
{
	local context state line
	local -A opt_args

	_arguments -C '(-f --file)'{-f,--file}'[lab file]:file:_files' '(-t --timeout)'{-t,--timeout}'[how long]:time:(5s 30s 2m)' \
		'(-i --stdin)'{-i,--stdin} '--kernel[line or path]:kernel:(6.12 7.3)' '--run[run folder]:folder:_files -/' '--seed[number]:seed:' '*--set[variable of the lab file]:name=value:' --virtual --overcommit --fresh \
		--wipe --kill --lose --hold-others --follow '--since[time]:time:(-30s)' --no-kernel --xterm --svg --iso --all --json '--results[folder]:folder:_files -/' '--junit[file]:file:_files' '--only[faults]:faults:' --dry-run '--runs[how many]:number:' '--for[how long]:time:(10m 1h)' '--tries[how often]:number:' '(-q --quiet)'{-q,--quiet} --help --version \
		'1:verb:(check up down status graph exec cp restart kill freeze thaw power events wait time sleep run-until logs console snapshot rollback gdb pack unpack fault test explore shrink env)' '*::word:->words'
	[[ $state == words ]] || return
	case $line[1] in
	check | up | down | status | graph) _files -g '*.lab' ;;
	cp) _files; _umf_lab_guests -S : ;;
	exec) (( CURRENT > 1 )) || { compadd -- all; _umf_lab_guests; } ;;
	console | gdb) (( CURRENT > 1 )) || _umf_lab_guests ;;
	fault)
		(( CURRENT > 1 )) || { compadd -- power; _umf_lab_guests }
		[[ $CURRENT != 3 || $line[2] != power ]] || compadd -- add del clear list
		;;
	restart | kill | freeze | thaw | events | logs) _umf_lab_guests ;;
	snapshot | rollback) compadd -- ${(f)"$(umf-lab ${opt_args[-f]:+-f} ${opt_args[-f]} snapshot 2>/dev/null)"} ;;
	pack | unpack) _files ;;
	test | explore) _files -g '*.test' ;;
	shrink) _files -/ ;;
	power) (( CURRENT > 1 )) && _umf_lab_guests || compadd -- on off status ;;
	sleep | run-until) compadd -- 10s 1m ;;
	wait) compadd -- ended; _umf_lab_guests ;;
	esac
}

_umf_lab "$@"
