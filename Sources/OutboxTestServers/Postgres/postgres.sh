# What is particular to Postgres; see supervisor.sh.
#
# Environment  OUTBOX_PG_BIN     folder of initdb and postgres
#              OUTBOX_PG_LOCALE  locale of the databases
#              OUTBOX_PG_AUTH    how TCP connections authenticate: trust or scram-sha-256
#              OUTBOX_PG_CONF    lines to add to postgresql.conf
#              OUTBOX_PG_PRIMARY connection string of a server: a standby of that one is made
# The secret is the superuser's password. A start's word is the port.

# INT is Postgres's fast shutdown, QUIT its immediate one.
graceful=INT forced=QUIT

prepare() {
    if [ -n "${OUTBOX_PG_PRIMARY:-}" ]; then copy || return 1; else create || return 1; fi
    printf '%s\n' "$OUTBOX_PG_CONF" >>"$folder/data/postgresql.conf"
}

copy() {
    if ! "$OUTBOX_PG_BIN/pg_basebackup" -D "$folder/data" -d "$OUTBOX_PG_PRIMARY" -c fast --no-sync \
        </dev/null >"$folder/copy" 2>&1; then
        cat "$folder/copy"
        return 1
    fi
    # Not with -R, which writes down options of its own libpq: the server's may be an older one. Later lines count.
    : >"$folder/data/standby.signal"
    printf "primary_conninfo = '%s'\n" "$OUTBOX_PG_PRIMARY" >>"$folder/data/postgresql.conf"
}

create() {
    set -- -D "$folder/data" -U postgres -E UTF8 --locale="$OUTBOX_PG_LOCALE" --lc-messages=C --no-sync \
        --no-instructions --auth-local=trust --auth-host="$OUTBOX_PG_AUTH"
    if [ -n "$secret" ]; then
        printf '%s\n' "$secret" >"$folder/password"
        set -- "$@" --pwfile="$folder/password"
    fi
    if ! "$OUTBOX_PG_BIN/initdb" "$@" </dev/null >"$folder/initdb" 2>&1; then
        cat "$folder/initdb"
        return 1
    fi
    rm -f "$folder/password" "$folder/initdb"
}

launch() {
    "$OUTBOX_PG_BIN/postgres" -D "$folder/data" -k "$folder" -p "$1" </dev/null >>"$folder/log" 2>&1 &
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

# Left only by a crash: a shared memory segment that outlives its processes.
clear() {
    if [ -n "$folder" ] && [ -f "$folder/data/postmaster.pid" ]; then
        ipcrm -m "$(sed -n '7s/.* //p' "$folder/data/postmaster.pid")" 2>/dev/null
    fi
}

serve
