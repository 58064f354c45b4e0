/// What a check of an outbox has found.
public struct DoctorFinding: Sendable, Hashable {
    /// How bad it is.
    public enum Severity: String, Sendable, Hashable, Comparable, CaseIterable {
        /// As it should be.
        case ok
        /// It works, and something is not as it should be.
        case warning
        /// Something does not work.
        case error

        /// By how bad they are.
        public static func < (first: Severity, second: Severity) -> Bool { first.rank < second.rank }

        private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    }

    /// The check that has found it: "doorbell".
    public var check: String
    /// How bad it is.
    public var severity: Severity
    /// What was seen.
    public var seen: String
    /// What to do about it; nil: nothing.
    public var advice: String?

    /// Creates a finding.
    public init(_ check: String, _ severity: Severity, _ seen: String, advice: String? = nil) {
        self.check = check
        self.severity = severity
        self.seen = seen
        self.advice = advice
    }
}
