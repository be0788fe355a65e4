#compdef umf-cow
# zsh completion for umf-cow
# SPDX-License-Identifier: GPL-2.0

_umf_cow()
{
	local context state line verb
	local -a common
	common=('(-q --quiet)'{-q,--quiet}'[say nothing but errors]' '--progress[tell how far it is]')

	if (( CURRENT == 2 )); then
		compadd -- create info check snapshot clone rollback merge convert mount replay --help --version
		return
	fi
	verb=$words[2]
	shift words
	(( CURRENT-- ))
	case $verb in
	create) _arguments $common {-b,--backing}'[backing file]:file:_files' {-s,--size}'[bytes]:size:' --relative {-f,--force} '*:file:_files' ;;
	info) _arguments $common {-b,--backing}'[backing file]:file:_files' --json '*:file:_files' ;;
	check) _arguments $common {-b,--backing}'[backing file]:file:_files' --json --repair '*:file:_files' ;;
	snapshot) _arguments $common --relative '*:file:_files' ;;
	clone) _arguments $common --relative {-f,--force} --copy '*:file:_files' ;;
	rollback) _arguments $common '*:file:_files' ;;
	merge) _arguments $common {-b,--backing}'[backing file]:file:_files' --in-place {-n,--depth}'[files]:number:' --relative {-f,--force} '*:file:_files' ;;
	convert) _arguments $common {-b,--backing}'[backing file]:file:_files' {-O,--format}'[format]:format:(raw cow qcow2)' --relative {-f,--force} '*:file:_files' ;;
	replay) _arguments $common '--until[mark]:mark:' '--entries[number]:number:' '--check[shell command]:command:' '--at[where]:where:(flush mark entry)' '--from[mark]:mark:' '*:file:_files' ;;
	mount) _arguments $common {-b,--backing}'[backing file]:file:_files' {-w,--write} --foreground '*:file:_files' ;;
	esac
}

_umf_cow "$@"
