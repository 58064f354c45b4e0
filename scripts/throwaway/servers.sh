# For scripts that need servers of their own, to be sourced by bash in the root of the repository: each server is owned by a shell, that of the
# tests (Sources/OutboxTestServers), which ends it and removes its folder when the script ends, also by SIGKILL.
#
#     work=$(make_work NAME)             a folder that the servers' users may enter; the caller removes it
#     read -r a b <<<"$(free_ports 2)"   ports that are free at this moment
#     start_postgres NAME PORT           begins to start one on 127.0.0.1, without passwords; $postgres_bin are its programs
#     own NAME SCRIPT WORD               begins to start another one, with the environment that its script names
#     await NAME...                      waits until they accept connections, or fails
#     folder NAME                        prints where its files are
#     signal NAME WORD...                tells its owner: “stop INT”, “crash”, “start PORT 120”
#     end_servers                        ends all, and waits for that
#     eventually COMMAND...              waits until a command succeeds, for a minute
#     apart COMMAND...                   starts a command in the background that ends with this script and that Ctrl-C does not reach

servers=() inputs=()

make_work() {
    local folder
    folder=$(mktemp -d "${TMPDIR:-/tmp}/outbox-$1.XXXXXX")
    chmod 0755 "$folder"
    mkfifo "$folder/never"
    echo "$folder"
}

free_ports() {
    python3 -c '
import socket, sys
sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for each in sockets: each.bind(("127.0.0.1", 0))
print(*[each.getsockname()[1] for each in sockets])' "$1"
}

postgres_bin=${OUTBOX_POSTGRES_BIN:-}
if [[ ! $postgres_bin ]]; then
    postgres_bin=$({ ls -d /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb /opt/homebrew/opt/postgresql@*/bin/initdb 2>/dev/null || true; } |
        sort -V | tail -n 1)
    postgres_bin=$(dirname "${postgres_bin:-$(command -v initdb)}")
fi

# A session of its own, so that Ctrl-C leaves the order of the end to the script.
own() {
    local name=$1 script=$2 as=() input
    if [[ $EUID -eq 0 && $script == Postgres/* ]]; then as=(setpriv --reuid postgres --regid postgres --init-groups); fi
    mkfifo "$work/$name.in"
    OUTBOX_SERVER_PARENT=${TMPDIR:-/tmp} OUTBOX_SERVER_NAME=outbox-${name%%-*} setsid ${as[@]+"${as[@]}"} \
        sh -c "$(cat Sources/OutboxTestServers/Supervision/supervisor.sh "Sources/OutboxTestServers/$script")" \
        <"$work/$name.in" >"$work/$name.log" 2>&1 &
    servers+=($!)
    exec {input}>"$work/$name.in"
    inputs+=("$input")
    declare -g "input_of_${name//-/_}=$input"
    printf '\n' >&"$input"
    signal "$name" start "$3" 120
}
start_postgres() {
    OUTBOX_PG_BIN=$postgres_bin OUTBOX_PG_LOCALE=C OUTBOX_PG_AUTH=trust \
        OUTBOX_PG_CONF="listen_addresses = '127.0.0.1'${postgres_settings:+$'\n'$postgres_settings}" own "$1" Postgres/postgres.sh "$2"
}
signal() {
    local input=input_of_${1//-/_} asked=asked_of_${1//-/_}
    shift
    declare -g "$asked=$((${!asked:-1} + 1))"
    echo "$*" >&"${!input}"
}
# The first answer is that the folder is there.
answered() {
    local asked=asked_of_${1//-/_}
    [[ $(grep -c '^ok' "$work/$1.log") -ge ${!asked} ]] || grep -q '^failed' "$work/$1.log"
}
await() {
    local name
    for name in "$@"; do
        if ! eventually answered "$name" || grep -q '^failed' "$work/$name.log"; then
            echo "$name does not start:" >&2
            tail -n 20 "$work/$name.log" >&2
            return 1
        fi
    done
}
folder() { sed -n '1s/^ok //p' "$work/$1.log"; }
end_servers() {
    local input server
    # An owner ends when its input does.
    for input in ${inputs[@]+"${inputs[@]}"}; do exec {input}>&-; done
    for server in ${servers[@]+"${servers[@]}"}; do wait "$server" || true; done
    inputs=()
}

eventually() {
    local n=0
    until "$@"; do
        n=$((n + 1))
        [[ $n -lt 600 ]] || return 1
        # Without a process, which Ctrl-C would end as well.
        read -rt 0.1 <>"$work/never" || true
    done
}

# It does not hold the inputs of the servers' owners either.
apart() {
    local close='' input bound=()
    for input in ${inputs[@]+"${inputs[@]}"}; do close+="exec $input>&-; "; done
    if command -v setpriv >/dev/null; then bound=(setpriv --pdeathsig KILL); fi
    exec setsid bash -c "$close exec \"\$@\"" apart ${bound[@]+"${bound[@]}"} "$@"
}
