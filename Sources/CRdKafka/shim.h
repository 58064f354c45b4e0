#ifndef SWIFT_OUTBOX_CRDKAFKA_SHIM_H
#define SWIFT_OUTBOX_CRDKAFKA_SHIM_H

#include <librdkafka/rdkafka.h>

/* rd_kafka_producev, which Swift cannot call, with all that a message of the outbox has. */
static inline rd_kafka_resp_err_t outbox_kafka_produce(
    rd_kafka_t *producer, rd_kafka_topic_t *topic, int32_t partition, int flags, const void *payload,
    size_t payload_length, const void *key, size_t key_length, int64_t timestamp, rd_kafka_headers_t *headers,
    void *opaque) {
    if (headers)
        return rd_kafka_producev(
            producer, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(flags),
            RD_KAFKA_V_VALUE((void *)payload, payload_length), RD_KAFKA_V_KEY((void *)key, key_length),
            RD_KAFKA_V_TIMESTAMP(timestamp), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(opaque),
            RD_KAFKA_V_END);
    return rd_kafka_producev(
        producer, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(flags),
        RD_KAFKA_V_VALUE((void *)payload, payload_length), RD_KAFKA_V_KEY((void *)key, key_length),
        RD_KAFKA_V_TIMESTAMP(timestamp), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
}

#endif
