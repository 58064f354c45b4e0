import Outbox

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// When the transaction began that enqueued a message.
enum EnqueueTime {
    /// Milliseconds since 1970, as text; neither before 1970 nor after 9999.
    static func milliseconds(of message: Message) -> String {
        String(Int64(min(max(0, message.createdAt.timeIntervalSince1970 * 1000), 253_402_300_799_999)))
    }
}
