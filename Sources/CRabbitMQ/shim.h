#ifndef SWIFT_OUTBOX_CRABBITMQ_SHIM_H
#define SWIFT_OUTBOX_CRABBITMQ_SHIM_H

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

// Variadic functions cannot be called from Swift.

static inline amqp_rpc_reply_t outbox_amqp_login_plain(
    amqp_connection_state_t state, const char *virtual_host, int frame_max, int heartbeat,
    const amqp_table_t *properties, const char *user, const char *password) {
    return amqp_login_with_properties(
        state, virtual_host, AMQP_DEFAULT_MAX_CHANNELS, frame_max, heartbeat, properties, AMQP_SASL_METHOD_PLAIN, user,
        password);
}

static inline amqp_rpc_reply_t outbox_amqp_login_external(
    amqp_connection_state_t state, const char *virtual_host, int frame_max, int heartbeat,
    const amqp_table_t *properties, const char *identity) {
    return amqp_login_with_properties(
        state, virtual_host, AMQP_DEFAULT_MAX_CHANNELS, frame_max, heartbeat, properties, AMQP_SASL_METHOD_EXTERNAL,
        identity);
}

// Macros with casts are not imported into Swift.

enum outbox_amqp_method {
    OUTBOX_AMQP_CONNECTION_CLOSE = 0x000A0032,
    OUTBOX_AMQP_CONNECTION_CLOSE_OK = 0x000A0033,
    OUTBOX_AMQP_CONNECTION_BLOCKED = 0x000A003C,
    OUTBOX_AMQP_CONNECTION_UNBLOCKED = 0x000A003D,
    OUTBOX_AMQP_CHANNEL_CLOSE = 0x00140028,
    OUTBOX_AMQP_CHANNEL_CLOSE_OK = 0x00140029,
    OUTBOX_AMQP_BASIC_PUBLISH = 0x003C0028,
    OUTBOX_AMQP_BASIC_RETURN = 0x003C0032,
    OUTBOX_AMQP_BASIC_ACK = 0x003C0050,
    OUTBOX_AMQP_BASIC_NACK = 0x003C0078,
};

#endif
