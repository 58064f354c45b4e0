# Owns one throwaway server: its folder, its process, and their end.
#
# It lives as long as the other end of its standard input: when that closes, because the parent said so or because the
# parent died in whatever way, the server is stopped and the folder removed.
#
# What is particular to a server follows this text, as functions:
#   prepare      makes in "$folder" what the server needs; explains itself and returns a failure
#   launch WORD  starts the server in the background
#   ready        whether "$server" accepts connections
#   clear        takes away what the server leaves outside its folder, and ends its helpers
# and the signals that it is stopped with: $graceful, and $forced when that has taken too long.
#
# Environment  OUTBOX_SERVER_PARENT  where to make the server's folder
#              OUTBOX_SERVER_NAME    what the folder's name begins with
# Input        line 1: a secret, or nothing; not in the environment, where other processes could see it
#              then: start WORD SECONDS | stop SIGNAL | crash
# Output       first, when the folder is ready, and after each command: ok … or failed …; anything else explains a failure
set -u
umask 077
cd /
# The parent is gone when writing fails; the folder still has to be removed.
trap '' PIPE

folder='' server='' secret=''
clear() { :; }

# A zombie still answers kill -0, so the state has to be looked at.
running() {
    if [ -d /proc/self ]; then
        read -r state 2>/dev/null <"/proc/$1/stat" || return 1
    else
        state=") $(ps -o stat= -p "$1")" || return 1
    fi
    case $state in *') Z'* | *') X'*) return 1 ;; esac
}

start() {
    if [ -n "$server" ]; then echo 'failed running'; return; fi
    launch "$1"
    server=$!
    tries=$(($2 * 100))
    until ready; do
        if ! running "$server"; then
            wait "$server"
            server=''
            echo 'failed exited'
            return
        fi
        tries=$((tries - 1))
        if [ "$tries" -le 0 ]; then
            stop "$forced"
            echo 'failed limit'
            return
        fi
        sleep 0.01
    done
    echo "ok $server"
}

# One that hangs for 10 seconds is forced.
stop() {
    [ -n "$server" ] || return 0
    kill -s "$1" "$server" 2>/dev/null
    tries=1000
    while [ "$tries" -gt 0 ] && running "$server"; do
        tries=$((tries - 1))
        sleep 0.01
    done
    kill -s "$forced" "$server" 2>/dev/null
    wait "$server"
    server=''
}

# As if the power had failed: the server and all its children at once. It is frozen first so that it forks no more.
crash() {
    [ -n "$server" ] || return 0
    kill -s STOP "$server" 2>/dev/null
    children=$(cat "/proc/$server/task/$server/children" 2>/dev/null || pgrep -P "$server")
    # shellcheck disable=SC2086 # one word a child
    kill -s KILL "$server" $children 2>/dev/null
    wait "$server"
    server=''
    # The next start may be refused while a child still has what they share.
    for child in $children; do
        while running "$child"; do sleep 0.01; done
    done
}

finish() {
    trap '' HUP INT TERM
    stop "$graceful"
    clear
    if [ -n "$folder" ]; then rm -rf "$folder"; fi
}

serve() {
    trap finish EXIT
    trap 'exit 1' HUP INT TERM
    IFS= read -r secret || exit 0
    folder=$(mktemp -d "$OUTBOX_SERVER_PARENT/$OUTBOX_SERVER_NAME.XXXXXX") || { echo 'failed folder'; exit 1; }
    prepare || { echo 'failed prepare'; exit 1; }
    echo "ok $folder"
    while read -r command first second; do
        case $command in
        start) start "$first" "$second" ;;
        stop) stop "$first"; echo ok ;;
        crash) crash; echo ok ;;
        *) echo "failed unknown command" ;;
        esac
    done
}
