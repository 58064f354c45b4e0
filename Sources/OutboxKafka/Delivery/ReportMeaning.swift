import CRdKafka

/// What librdkafka's word on a record means for the message.
enum ReportMeaning: Hashable {
    /// All in-sync replicas have it.
    case delivered
    /// The producer ended before the record's fate was known, or before it was sent: it has to be sent again.
    case sendAgain
    /// The broker has refused a request in which the record was. If it was the only one there, it never will be taken.
    case refused
    /// No producer will ever take the record.
    case impossible
    /// The topic is not there, or is not ours to write.
    case topicRefused
    /// It failed, and may succeed later.
    case failed
    /// Nothing can be delivered to this cluster at the moment.
    case unavailable

    init(_ code: rd_kafka_resp_err_t) {
        self =
            switch code {
            case RD_KAFKA_RESP_ERR_NO_ERROR:
                .delivered
            case RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, RD_KAFKA_RESP_ERR__DESTROY,
                RD_KAFKA_RESP_ERR__FATAL, RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE, RD_KAFKA_RESP_ERR__FENCED,
                RD_KAFKA_RESP_ERR__STATE, RD_KAFKA_RESP_ERR__INCONSISTENT, RD_KAFKA_RESP_ERR__RETRY,
                RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER,
                RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
                RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
                .sendAgain
            case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
                RD_KAFKA_RESP_ERR_INVALID_MSG, RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, RD_KAFKA_RESP_ERR_INVALID_RECORD,
                RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
                .refused
            case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, RD_KAFKA_RESP_ERR__INVALID_ARG,
                RD_KAFKA_RESP_ERR__BAD_MSG:
                .refused
            case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
                RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
                RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TOPIC_DELETION_DISABLED:
                .topicRefused
            case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
                RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__AUTHENTICATION,
                RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM,
                RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE, RD_KAFKA_RESP_ERR__SSL:
                .unavailable
            default:
                .failed
            }
    }

    /// What librdkafka would not even queue.
    init(refusedLocally code: rd_kafka_resp_err_t) {
        self =
            switch code {
            // It has measured this one record.
            case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR__INVALID_ARG: .impossible
            default: ReportMeaning(code)
            }
    }
}

/// librdkafka's text for a code.
func errorText(_ code: rd_kafka_resp_err_t) -> String {
    unsafe rd_kafka_err2str(code).map { unsafe String(cString: $0) } ?? "error \(code.rawValue)"
}
