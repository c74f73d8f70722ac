# Completes NAME in fish: NAME completion fish | source
function __NAME_ask
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete -- $words[2..-1] 2>/dev/null
end

function __NAME_wants_files
    set -l answer (__NAME_ask)
    test "$answer[-1]" = :0
end

complete -c NAME -e
complete -c NAME -n 'not __NAME_wants_files' -f -a '(__NAME_ask | string match -v ":*")'
complete -c NAME -n __NAME_wants_files -F
