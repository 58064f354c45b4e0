#include "references.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the event queue has said so far. */
typedef struct {
    int64_t confirmed;
    int64_t failed;
} reports;

static int configure(rd_kafka_conf_t *conf, const char *name, const char *value, reference_result *result) {
    if (rd_kafka_conf_set(conf, name, value, result->error, sizeof result->error) != RD_KAFKA_CONF_OK) return 0;
    /* A topic's property is first looked for among those of the client, which leaves its trace. */
    result->error[0] = 0;
    return 1;
}

static rd_kafka_t *make_producer(const char *brokers, int window, double linger_ms, reference_result *result) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char most[32], linger[32];
    snprintf(most, sizeof most, "%d", window);
    snprintf(linger, sizeof linger, "%g", linger_ms);
    int is_good = configure(conf, "bootstrap.servers", brokers, result) &&
                  configure(conf, "enable.idempotence", "true", result) && configure(conf, "acks", "all", result) &&
                  configure(conf, "partitioner", "murmur2_random", result) &&
                  configure(conf, "linger.ms", linger, result) &&
                  configure(conf, "queue.buffering.max.messages", most, result);
    /* What it says of a property of topics before it finds out that it is one. */
    if (is_good) result->error[0] = 0;
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR);
    rd_kafka_t *producer =
        is_good ? rd_kafka_new(RD_KAFKA_PRODUCER, conf, result->error, sizeof result->error) : NULL;
    if (!producer) rd_kafka_conf_destroy(conf);
    return producer;
}

/* Takes what has been reported, waiting for the first event. */
static void take_reports(rd_kafka_queue_t *queue, reports *so_far, int milliseconds) {
    rd_kafka_event_t *event;
    while ((event = rd_kafka_queue_poll(queue, milliseconds))) {
        const rd_kafka_message_t *messages[256];
        size_t count;
        while (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR &&
               (count = rd_kafka_event_message_array(event, messages, 256)) > 0) {
            for (size_t index = 0; index < count; index++) {
                if (messages[index]->err) so_far->failed++; else so_far->confirmed++;
            }
        }
        rd_kafka_event_destroy(event);
        milliseconds = 0;
    }
}

static void produce_all(
    rd_kafka_t *producer, rd_kafka_topic_t *topic, int64_t messages, int size, int keys, reference_result *result) {
    rd_kafka_queue_t *queue = rd_kafka_queue_get_main(producer);
    char *payload = calloc(1, (size_t)size + 1);
    reports so_far = {0};
    for (int64_t number = 0; number < messages;) {
        char key[32], id[32];
        int key_length = snprintf(key, sizeof key, "key-%lld", (long long)(number % keys));
        int id_length = snprintf(id, sizeof id, "%lld", (long long)number);
        rd_kafka_headers_t *headers = rd_kafka_headers_new(2);
        rd_kafka_header_add(headers, "outbox-id", -1, id, id_length);
        rd_kafka_header_add(headers, "outbox-enqueued-at", -1, "1700000000123", 13);
        rd_kafka_resp_err_t error = rd_kafka_producev(
            producer, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_VALUE(payload, (size_t)size),
            RD_KAFKA_V_KEY(key, (size_t)key_length), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
        if (!error) {
            number++;
            continue;
        }
        rd_kafka_headers_destroy(headers);
        if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            snprintf(result->error, sizeof result->error, "%s", rd_kafka_err2str(error));
            break;
        }
        take_reports(queue, &so_far, 100);
    }
    double limit = reference_now() + 60;
    while (so_far.confirmed + so_far.failed < messages && !result->error[0] && reference_now() < limit)
        take_reports(queue, &so_far, 100);
    if (so_far.confirmed < messages && !result->error[0])
        snprintf(result->error, sizeof result->error, "%lld records were not confirmed",
                 (long long)(messages - so_far.confirmed));
    result->messages = so_far.confirmed;
    result->bytes = so_far.confirmed * size;
    rd_kafka_purge(producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    take_reports(queue, &so_far, 0);
    free(payload);
    rd_kafka_queue_destroy(queue);
}

reference_result reference_kafka(
    const char *brokers, const char *topic_name, int64_t messages, int size, int keys, int window, double linger_ms) {
    reference_result result = {0};
    rd_kafka_t *producer = make_producer(brokers, window, linger_ms, &result);
    if (!producer) return result;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, topic_name, NULL);
    /* The first answer of a broker is not in the time. */
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(producer, 0, topic, &metadata, 10000) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
    double began = reference_now();
    produce_all(producer, topic, messages, size, keys, &result);
    result.seconds = reference_now() - began;
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    return result;
}
