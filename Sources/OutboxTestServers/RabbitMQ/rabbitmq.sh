# What is particular to RabbitMQ; see supervisor.sh.
#
# Environment  OUTBOX_RABBITMQ_SERVER  the program rabbitmq-server
#              OUTBOX_RABBITMQ_CONF    the lines of rabbitmq.conf; those with ports are added
#              OUTBOX_RABBITMQ_PLUGINS names with commas between
#              OUTBOX_RABBITMQ_TLS     not empty: there is a listener with TLS, and a client's certificate for that user
# A start's word is four ports with commas between: AMQP, AMQP with TLS, the Erlang node's, epmd's.

graceful=TERM forced=KILL
epmd=''

prepare() {
    mkdir "$folder/data" "$folder/logs" || return 1
    echo "[$OUTBOX_RABBITMQ_PLUGINS]." >"$folder/plugins"
    if [ -n "$OUTBOX_RABBITMQ_TLS" ]; then certify; fi
}

# An authority, what it has signed for the broker and a client, and another authority.
certify() {
    mkdir "$folder/tls" && cd "$folder/tls" || return 1
    {
        for name in authority other; do
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=outbox $name" \
                -keyout "$name-key.pem" -out "$name.pem" || return 1
        done
        echo 'subjectAltName = DNS:localhost' >extensions
        for file in server client; do
            name=$OUTBOX_RABBITMQ_TLS
            if [ "$file" = server ]; then name=localhost; fi
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" \
                -keyout "$file-key.pem" -out "$file.csr" || return 1
            openssl x509 -req -in "$file.csr" -CA authority.pem -CAkey authority-key.pem -CAcreateserial -days 2 \
                -extfile extensions -out "$file.pem" || return 1
        done
    } </dev/null 2>&1
    cd /
}

launch() {
    # shellcheck disable=SC2086 # one word a port
    set -- $(echo "$1" | tr , ' ')
    # Of its own, in the foreground and on loopback: the broker would start one that outlives it.
    if [ -z "$epmd" ] || ! running "$epmd"; then
        ERL_EPMD_ADDRESS=127.0.0.1 epmd -port "$4" </dev/null >"$folder/epmd.log" 2>&1 &
        epmd=$!
    fi
    {
        printf '%s\n' "$OUTBOX_RABBITMQ_CONF"
        echo "listeners.tcp.1 = 127.0.0.1:$1"
        if [ -n "$OUTBOX_RABBITMQ_TLS" ]; then
            echo "listeners.ssl.1 = 127.0.0.1:$2"
            echo "ssl_options.cacertfile = $folder/tls/authority.pem"
            echo "ssl_options.certfile = $folder/tls/server.pem"
            echo "ssl_options.keyfile = $folder/tls/server-key.pem"
            echo "ssl_options.verify = verify_peer"
        fi
    } >"$folder/rabbitmq.conf"
    # Left by a server that has crashed.
    rm -f "$folder/pid"
    # Allowing input keeps the shell from standing between this one and the server.
    HOME=$folder RABBITMQ_ALLOW_INPUT=1 RABBITMQ_NODENAME=outbox@localhost RABBITMQ_MNESIA_BASE=$folder/data \
        RABBITMQ_LOG_BASE=$folder/logs RABBITMQ_CONFIG_FILE=$folder/rabbitmq RABBITMQ_PID_FILE=$folder/pid \
        RABBITMQ_ENABLED_PLUGINS_FILE=$folder/plugins RABBITMQ_CONF_ENV_FILE=/dev/null ERL_CRASH_DUMP=/dev/null \
        ERL_EPMD_PORT=$4 ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_DIST_PORT=$3 \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-noinput -kernel inet_dist_use_interface {127,0,0,1}' \
        "$OUTBOX_RABBITMQ_SERVER" </dev/null >"$folder/log" 2>&1 &
}

# Said last, when all listeners are there.
ready() {
    grep -q ' completed with ' "$folder/log" 2>/dev/null
}

clear() {
    if [ -n "$epmd" ]; then
        kill "$epmd" 2>/dev/null
        wait "$epmd" 2>/dev/null
    fi
}

serve
