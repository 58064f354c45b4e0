#include "references.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

struct reference_kafka_brokers {
    rd_kafka_t *host;
    rd_kafka_mock_cluster_t *cluster;
};

reference_kafka_brokers *reference_kafka_brokers_start(int brokers, const char *topic, int partitions) {
    char reason[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    /* The brokers' own log is of no interest. */
    rd_kafka_conf_set(conf, "log_level", "0", reason, sizeof reason);
    rd_kafka_t *host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (!host) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(host, brokers);
    if (!cluster) {
        rd_kafka_destroy(host);
        return NULL;
    }
    rd_kafka_mock_topic_create(cluster, topic, partitions, 1);
    reference_kafka_brokers *result = malloc(sizeof *result);
    *result = (reference_kafka_brokers){.host = host, .cluster = cluster};
    return result;
}

const char *reference_kafka_brokers_addresses(const reference_kafka_brokers *brokers) {
    return rd_kafka_mock_cluster_bootstraps(brokers->cluster);
}

void reference_kafka_brokers_stop(reference_kafka_brokers *brokers) {
    rd_kafka_mock_cluster_destroy(brokers->cluster);
    rd_kafka_destroy(brokers->host);
    free(brokers);
}
