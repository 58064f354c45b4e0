import Outbox

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Times of records, in milliseconds since 1970.
enum RecordTime {
    /// What librdkafka takes for the moment at which it is given the record.
    static let produced: Int64 = 0

    /// The timestamp of a record.
    ///
    /// A time of enqueueing in the future, by a clock that is wrong or a row that says `infinity`, counts as now: brokers refuse it,
    /// or keep everything around it for ever.
    static func timestamp(
        of createdAt: @autoclosure () -> Date, _ kind: KafkaConfiguration.Timestamp,
        now: @autoclosure () -> Date = Date()
    ) -> Int64 {
        switch kind.kind {
        case .produced: self.produced
        case .enqueued: max(1, self.milliseconds(min(createdAt(), now())))
        }
    }

    /// The time, not before 1970 and not after 9999.
    static func milliseconds(_ date: Date) -> Int64 {
        Int64(min(max(0, date.timeIntervalSince1970 * 1000), 253_402_300_799_999))
    }
}
