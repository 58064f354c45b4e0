import CRdKafka
import Testing

@testable import OutboxKafka

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite(.timeLimit(.minutes(10))) struct ReportMeaningTests {
    /// What no message would escape is no message's fault, and what is about one record is no outage.
    @Test(
        arguments: [
            (
                ReportMeaning.topicRefused,
                [
                    RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
                    RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
                    RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                    RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
                    RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT,
                    RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE,
                ]
            ),
            (
                .unavailable,
                [
                    RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
                    RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__RESOLVE, RD_KAFKA_RESP_ERR__SSL,
                    RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
                    RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
                    RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS,
                    RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE,
                ]
            ),
            (
                .refused,
                [
                    RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
                    RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
                ]
            ),
            (.timestampRefused, [RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP]),
            (.failed, [RD_KAFKA_RESP_ERR_UNKNOWN, RD_KAFKA_RESP_ERR__FAIL]),
        ])
    func whoseFaultAnErrorIs(_ meaning: ReportMeaning, _ codes: [rd_kafka_resp_err_t]) {
        for code in codes { #expect(ReportMeaning(code) == meaning, "\(errorText(code))") }
    }

    @Test func timesAreThoseThatBrokersTake() {
        let now = Date(timeIntervalSince1970: 1_800_000_000)
        func timestamp(_ date: Date) -> Int64 { RecordTime.timestamp(of: date, .enqueued, now: now) }
        #expect(timestamp(Date(timeIntervalSince1970: 1_700_000_000.123)) == 1_700_000_000_123)
        for future in [now.addingTimeInterval(1), .distantFuture, Date(timeIntervalSince1970: .infinity)] {
            #expect(timestamp(future) == 1_800_000_000_000)
            #expect(RecordTime.milliseconds(future) <= 253_402_300_799_999)
        }
        for past in [.distantPast, Date(timeIntervalSince1970: -1), Date(timeIntervalSince1970: -.infinity)] {
            #expect(timestamp(past) == 1, "nothing, and what is negative, mean something else to Kafka")
            #expect(RecordTime.milliseconds(past) == 0)
        }
        #expect(RecordTime.timestamp(of: .distantPast, .produced, now: now) == RecordTime.produced)
    }
}
