/// What a check of an outbox has found.
package struct DoctorFinding: Sendable, Hashable {
    /// How bad it is.
    package enum Severity: String, Sendable, Hashable, Comparable, CaseIterable {
        /// As it should be.
        case ok
        /// It works, and something is not as it should be.
        case warning
        /// Something does not work.
        case error

        /// By how bad they are.
        package static func < (first: Severity, second: Severity) -> Bool { first.rank < second.rank }

        private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    }

    /// The check that has found it: "doorbell".
    package var check: String
    /// How bad it is.
    package var severity: Severity
    /// What was seen.
    package var seen: String
    /// What to do about it; nil: nothing.
    package var advice: String?
    /// The kind of advice, where a program may have a command for it.
    package var remedy: Remedy?

    /// What to do that a program may have a command for.
    package enum Remedy: Sendable, Hashable {
        /// Create the outbox.
        case createSchema
        /// Apply the migrations that are missing.
        case migrate
        /// Restore the rows that say which migrations were applied.
        case restoreVersions
        /// Find out how to accept a migration that was applied with another text.
        case acceptDrift
        /// Restore an object from the migration that made it.
        case restoreObject
        /// Let relays poll more often, for no notification reaches them.
        case pollMoreOften
        /// Run a relay or a janitor.
        case runJanitor
        /// Find the streams that have not passed old messages.
        case findUnpassed
        /// Run a relay.
        case runRelay
        /// Give a relay a route for the destination.
        case addRoute
        /// To see with which errors messages are deferred.
        case listDeferred
        /// To see why messages have died.
        case listDeadLetters
        /// Resume the stream.
        case resumeStream
        /// End the session of a relay, unless it is set not to poll.
        case endSilentRelay(process: Int32)
    }

    /// Creates a finding.
    package init(
        _ check: String, _ severity: Severity, _ seen: String, advice: String? = nil, remedy: Remedy? = nil
    ) {
        self.check = check
        self.severity = severity
        self.seen = seen
        self.advice = advice
        self.remedy = remedy
    }
}
