/// What the metrics of the libraries are, by the labels that they have in swift-metrics.
enum LibraryMetrics {
    static let help = [
        "outbox_messages_delivered_total": "Messages that this relay has delivered, since the process began.",
        "outbox_messages_retried_total":
            "Attempts of this relay that failed and are repeated, since the process began.",
        "outbox_messages_dead_lettered_total":
            "Messages that this relay has made dead letters, since the process began.",
        "outbox_messages_parked_total":
            "Messages of this relay that others have passed because a handler took long, since the process began.",
        "outbox_messages_in_flight": "Messages that this relay has read and not yet committed.",
        "outbox_destination_down":
            "Whether this relay finds the destination down (1), or has its stream and does not (0).",
        "outbox_read_lag":
            "How long ago the first message of each page was enqueued when this relay read it, in seconds.",
        "outbox_kafka_records_queued": "Records that librdkafka has and Kafka has not acknowledged.",
        "outbox_kafka_bytes_queued": "Their size in bytes.",
        "outbox_kafka_records_transmitted": "Records that this producer has sent, since it was made.",
        "outbox_kafka_requests_retried": "Requests that this producer has repeated, since it was made.",
        "outbox_kafka_brokers_connected": "Brokers of the cluster that this producer is connected to.",
        "outbox_kafka_round_trip": "How long brokers take to answer, in seconds: the longest average of one.",
    ]
}
