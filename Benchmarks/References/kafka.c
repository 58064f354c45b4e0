#include "support.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int64_t done;
    reference_result *result;
} progress;

static void reported(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    (void)client;
    progress *state = opaque;
    if (message->err && !state->result->error[0])
        snprintf(state->result->error, sizeof state->result->error, "%s", rd_kafka_err2str(message->err));
    state->done++;
}

static rd_kafka_t *make_producer(const char *servers, int window, progress *state) {
    char text[32], *error = state->result->error;
    size_t length = sizeof state->result->error;
    snprintf(text, sizeof text, "%d", window);
    const char *properties[][2] = {
        {"bootstrap.servers", servers}, {"enable.idempotence", "true"}, {"acks", "all"},
        {"enable.gapless.guarantee", "true"}, {"log_level", "3"}, {"linger.ms", "2"}, {"queue.buffering.max.messages", text},
    };
    rd_kafka_conf_t *configuration = rd_kafka_conf_new();
    for (size_t index = 0; index < sizeof properties / sizeof *properties; index++) {
        if (rd_kafka_conf_set(configuration, properties[index][0], properties[index][1], error, length) ==
            RD_KAFKA_CONF_OK)
            continue;
        rd_kafka_conf_destroy(configuration);
        return NULL;
    }
    /* What it says of a property of topics before it finds out that it is one. */
    error[0] = 0;
    rd_kafka_conf_set_dr_msg_cb(configuration, reported);
    rd_kafka_conf_set_opaque(configuration, state);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, error, length);
    if (!client) rd_kafka_conf_destroy(configuration);
    return client;
}

static int produce(rd_kafka_t *client, const char *topic, int64_t number, void *payload, int size) {
    char key[32];
    int length = snprintf(key, sizeof key, "key-%lld", (long long)(number % 10000));
    rd_kafka_resp_err_t code = rd_kafka_producev(
        client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(key, (size_t)length),
        RD_KAFKA_V_VALUE(payload, (size_t)size), RD_KAFKA_V_END);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

reference_result reference_kafka(
    const char *servers, const char *topic, int64_t messages, int size, int window) {
    reference_result result = {0};
    progress state = {0, &result};
    rd_kafka_t *client = make_producer(servers, window, &state);
    if (!client) return result;
    void *payload = calloc(1, (size_t)size + 1);
    /* One that is not counted: when it has arrived, the brokers are known. */
    if (produce(client, topic, 0, payload, size)) rd_kafka_flush(client, 30000);
    if (state.done != 1 && !result.error[0]) snprintf(result.error, sizeof result.error, "no broker has answered");
    state.done = 0;
    int64_t sent = 0;
    double began = reference_now();
    while (state.done < messages && !result.error[0]) {
        if (sent < messages && sent - state.done < window && produce(client, topic, sent, payload, size)) {
            sent++;
            if (sent % 64) continue;
            rd_kafka_poll(client, 0);
        } else {
            rd_kafka_poll(client, 100);
        }
    }
    result.seconds = reference_now() - began;
    result.messages = state.done;
    result.bytes = state.done * size;
    rd_kafka_purge(client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(client, 1000);
    rd_kafka_destroy(client);
    free(payload);
    return result;
}
