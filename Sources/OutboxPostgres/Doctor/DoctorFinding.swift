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

    /// Creates a finding.
    package init(_ check: String, _ severity: Severity, _ seen: String, advice: String? = nil) {
        self.check = check
        self.severity = severity
        self.seen = seen
        self.advice = advice
    }
}
