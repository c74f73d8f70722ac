#compdef NAME
# Completes NAME in zsh: source <(NAME completion zsh)
compdef _NAME NAME

_NAME() {
    local -a answer candidates
    local line directive=0
    answer=("${(@f)$(${words[1]} __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for line in "${answer[@]}"; do
        case $line in
            '') ;;
            :*) directive=${line#:} ;;
            *) line=${line//:/\\:}; candidates+=("${line/$'\t'/:}") ;;
        esac
    done
    if (( ${#candidates} == 0 )); then
        (( directive == 0 )) && _files
    elif (( directive == 2 )); then
        _describe candidates candidates -S ''
    else
        _describe candidates candidates
    fi
}

# Run by the shell when it loads this file itself, and not when it is sourced.
if [ "$funcstack[1]" = "_NAME" ]; then
    _NAME
fi
