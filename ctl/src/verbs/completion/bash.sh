# Completes NAME in bash: source <(NAME completion bash)
__start_NAME() {
    local cur=${COMP_WORDS[COMP_CWORD]} answer line word directive=0
    COMPREPLY=()
    answer=$("${COMP_WORDS[0]}" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) || return
    while IFS= read -r line; do
        case $line in
            '') continue ;;
            :*) directive=${line#:}; continue ;;
        esac
        word=${line%%$'\t'*}
        # bash takes the words around a = for words of their own.
        if [[ $cur == '=' || ( $COMP_CWORD -gt 0 && ${COMP_WORDS[COMP_CWORD-1]} == '=' ) ]]; then
            word=${word#*=}
        fi
        COMPREPLY+=("$word")
    done <<<"$answer"
    if [[ $directive == 2 ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

if [[ $(type -t compopt) == builtin ]]; then
    complete -o default -F __start_NAME NAME
else
    complete -o default -o nospace -F __start_NAME NAME
fi
