import Outbox

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// When the transaction began that enqueued a message.
enum EnqueueTime {
    /// Milliseconds since 1970, as text; neither before 1970 nor after 9999.
    static func milliseconds(of message: Message) -> String { String(self.milliseconds(of: message.createdAt)) }

    /// The same as a number.
    static func milliseconds(of time: Date) -> UInt64 {
        UInt64(min(max(0, time.timeIntervalSince1970 * 1000), 253_402_300_799_999))
    }
}
