package import Outbox
import OutboxRuntime

/// Which messages are meant that were not delivered, deferred ones or dead letters: those of which everything holds that is given.
package struct FailureFilter: Sendable, Hashable {
    /// Of that subscription; nil: of any.
    package var subscription: String?
    /// With one of those numbers.
    package var ids: [Int64]?
    /// Addressed to that destination.
    package var destination: Destination?
    /// Deferred, or given up, longer ago than that.
    package var olderThan: Duration?
    /// Deferred, or given up, less long ago than that.
    package var newerThan: Duration?
    /// With that text in the last error, in that case of letters.
    package var errorContains: String?

    /// The first parameters of deferred_filter and dead_letter_filter.
    var binds: [LibPQValue] {
        [
            self.subscription.sqlValue, self.ids.map(LibPQValue.int8Array) ?? .null, (self.destination?.name).sqlValue,
            self.olderThan.map(Self.microseconds).sqlValue, self.newerThan.map(Self.microseconds).sqlValue,
            self.errorContains.sqlValue,
        ]
    }

    /// At most 6000 years, so that what it is taken from remains a time that Postgres knows.
    private static func microseconds(_ duration: Duration) -> Int64 {
        let limit = 189_000_000_000.0
        return Int64(min(max(duration.seconds, -limit), limit) * 1_000_000)
    }
}
