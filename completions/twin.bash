_twin_completion() {
    local IFS=$'\n' kind value meant=
    COMPREPLY=()
    if [[ ${COMP_WORDS[COMP_CWORD - 1]} == *[\<\>] ]]; then
        compopt -o default 2> /dev/null
        return
    fi
    while IFS=, read -r kind value; do
        case $kind in
            plain) COMPREPLY+=("$value") ;;
            *) meant=$kind ;;
        esac
    done < <(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \
             _TWIN_COMPLETE=complete_bash "$1")
    if [[ $meant == dir ]]; then
        compopt -o dirnames 2> /dev/null
    elif [[ $meant == file && ${#COMPREPLY[@]} -eq 0 ]]; then
        compopt -o default 2> /dev/null
    elif [[ $meant == file ]]; then
        compopt -o filenames 2> /dev/null
        while read -r value; do
            COMPREPLY+=("$value")
        done < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
    fi
}

complete -F _twin_completion twin
