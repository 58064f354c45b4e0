# Owns one throwaway Postgres: its folder, its server process, and their end.
#
# It lives as long as the other end of its standard input: when that closes, because the parent said so or because the
# parent died in whatever way, the server is stopped and the folder removed.
#
# Environment  OUTBOX_PG_BIN     folder of initdb and postgres
#              OUTBOX_PG_PARENT  where to make the server's folder
#              OUTBOX_PG_LOCALE  locale of the databases
#              OUTBOX_PG_AUTH    how TCP connections authenticate: trust or scram-sha-256
#              OUTBOX_PG_CONF    lines to add to postgresql.conf
# Input        line 1: the superuser's password, or nothing; not in the environment, where other processes could see it
#              then: start PORT SECONDS | stop SIGNAL | crash
# Output       first, when the folder is ready, and after each command: ok … or failed …; anything else explains a failure
set -u
umask 077
cd /
# The parent is gone when writing fails; the folder still has to be removed.
trap '' PIPE

folder='' server=''

# A zombie still answers kill -0, so the state has to be looked at.
running() {
    if [ -d /proc/self ]; then
        read -r state 2>/dev/null <"/proc/$1/stat" || return 1
    else
        state=") $(ps -o stat= -p "$1")" || return 1
    fi
    case $state in *') Z'* | *') X'*) return 1 ;; esac
}

# Line 8 of postmaster.pid is the status; line 1 tells this server from one that crashed before it.
ready() {
    pid='' status=''
    {
        read -r pid
        for _ in 2 3 4 5 6 7; do read -r _; done
        read -r status
    } 2>/dev/null <"$folder/data/postmaster.pid"
    [ "$pid" = "$server" ] && [ "$status" = ready ]
}

start() {
    if [ -n "$server" ]; then echo 'failed running'; return; fi
    "$OUTBOX_PG_BIN/postgres" -D "$folder/data" -k "$folder" -p "$1" </dev/null >>"$folder/log" 2>&1 &
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
            stop QUIT
            echo 'failed limit'
            return
        fi
        sleep 0.01
    done
    echo "ok $server"
}

# INT is Postgres's fast shutdown, QUIT its immediate one. A fast one that hangs is made immediate after 10 seconds.
stop() {
    [ -n "$server" ] || return 0
    kill -s "$1" "$server" 2>/dev/null
    tries=1000
    while [ "$tries" -gt 0 ] && running "$server"; do
        tries=$((tries - 1))
        sleep 0.01
    done
    kill -s QUIT "$server" 2>/dev/null
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
    # The next start is refused while a child still has the shared memory attached.
    for child in $children; do
        while running "$child"; do sleep 0.01; done
    done
}

finish() {
    trap '' HUP INT TERM
    stop INT
    if [ -n "$folder" ]; then
        # Left only by a crash, and with it a shared memory segment that outlives its processes.
        if [ -f "$folder/data/postmaster.pid" ]; then
            ipcrm -m "$(sed -n '7s/.* //p' "$folder/data/postmaster.pid")" 2>/dev/null
        fi
        rm -rf "$folder"
    fi
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

IFS= read -r password || exit 0
folder=$(mktemp -d "$OUTBOX_PG_PARENT/outbox-postgres.XXXXXX") || { echo 'failed folder'; exit 1; }

set -- -D "$folder/data" -U postgres -E UTF8 --locale="$OUTBOX_PG_LOCALE" --lc-messages=C --no-sync --no-instructions \
    --auth-local=trust --auth-host="$OUTBOX_PG_AUTH"
if [ -n "$password" ]; then
    printf '%s\n' "$password" >"$folder/password"
    set -- "$@" --pwfile="$folder/password"
fi
if ! "$OUTBOX_PG_BIN/initdb" "$@" </dev/null >"$folder/initdb" 2>&1; then
    cat "$folder/initdb"
    echo 'failed initdb'
    exit 1
fi
rm -f "$folder/password" "$folder/initdb"
printf '%s\n' "$OUTBOX_PG_CONF" >>"$folder/data/postgresql.conf"
echo "ok $folder"

while read -r command first second; do
    case $command in
    start) start "$first" "$second" ;;
    stop) stop "$first"; echo ok ;;
    crash) crash; echo ok ;;
    *) echo "failed unknown command" ;;
    esac
done
