#include "support.h"

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether there was no error. The first one is kept. */
static int check(reference_result *result, const char *what, int is_well) {
    if (!is_well && !result->error[0]) snprintf(result->error, sizeof result->error, "%s failed", what);
    return is_well;
}

static amqp_connection_state_t open_channel(
    const char *host, int port, amqp_bytes_t queue, reference_result *result) {
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    if (check(result, "connecting", socket && amqp_socket_open(socket, host, port) == AMQP_STATUS_OK) &&
        check(
            result, "logging in",
            amqp_login(connection, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest").reply_type ==
                AMQP_RESPONSE_NORMAL) &&
        check(result, "opening a channel", amqp_channel_open(connection, 1) != NULL) &&
        check(result, "asking for confirms", amqp_confirm_select(connection, 1) != NULL) &&
        check(
            result, "declaring the queue",
            amqp_queue_declare(connection, 1, queue, 0, 1, 0, 0, amqp_empty_table) != NULL))
        return connection;
    amqp_destroy_connection(connection);
    return NULL;
}

/* Takes one frame. Returns how many messages it confirms, -1 where there is none in time or something else has come. */
static int64_t confirmed(amqp_connection_state_t connection, const struct timeval *limit, uint64_t *last) {
    amqp_frame_t frame;
    amqp_maybe_release_buffers(connection);
    if (amqp_simple_wait_frame_noblock(connection, &frame, limit) != AMQP_STATUS_OK) return -1;
    if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD) return -1;
    amqp_basic_ack_t *ack = frame.payload.method.decoded;
    if (!ack->multiple) return 1;
    int64_t count = (int64_t)(ack->delivery_tag - *last);
    *last = ack->delivery_tag;
    return count;
}

reference_result reference_amqp(
    const char *host, int port, const char *queue_name, int64_t messages, int size, int window) {
    reference_result result = {0};
    amqp_bytes_t queue = amqp_cstring_bytes(queue_name);
    amqp_connection_state_t connection = open_channel(host, port, queue, &result);
    if (!connection) return result;
    amqp_bytes_t payload = {.len = (size_t)size, .bytes = calloc(1, (size_t)size + 1)};
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};
    const struct timeval at_once = {0, 0}, patience = {30, 0};
    int64_t sent = 0, done = 0;
    /* Single confirmations may come between those of many: what those have counted is not counted twice, as long as the broker
       confirms in order, as it does for one queue. */
    uint64_t last = 0;
    double began = reference_now();
    while (done < messages && !result.error[0]) {
        if (sent < messages && sent - done < window) {
            int status = amqp_basic_publish(connection, 1, amqp_empty_bytes, queue, 1, 0, &properties, payload);
            check(&result, "publishing", status == AMQP_STATUS_OK);
            sent++;
            if (sent % 64) continue;
        }
        int is_full = sent == messages || sent - done >= window;
        int64_t count = confirmed(connection, is_full ? &patience : &at_once, &last);
        if (count < 0) {
            check(&result, "waiting for confirms", !is_full);
            continue;
        }
        if (count == 1) last++;
        done += count;
    }
    result.seconds = reference_now() - began;
    result.messages = done;
    result.bytes = done * size;
    free(payload.bytes);
    amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(connection);
    return result;
}
