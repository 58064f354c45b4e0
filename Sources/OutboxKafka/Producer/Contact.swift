/// Whether brokers can be reached, as far as is known.
///
/// Losing sight of all brokers is no outage yet: librdkafka keeps what it has, and a cluster that restarts is back soon.
/// It becomes one when nothing was seen of any of them for the time allowed.
struct Contact: Sendable {
    typealias Instant = ContinuousClock.Instant

    enum Phase: Sendable, Hashable {
        /// Never seen one.
        case starting(since: Instant)
        case up
        /// All of them went out of sight.
        case lost(since: Instant)
        case down
    }

    private(set) var phase: Phase
    /// What went wrong last, for operators.
    private(set) var reason: String
    private let patience: Duration
    /// Whether it is down because of something else than silence.
    private var isFallen = false
    /// What was said of why it is down; nil: nothing yet.
    private var saidCause: String?

    init(patience: Duration, now: Instant) {
        self.patience = patience
        self.phase = .starting(since: now)
        self.reason = "no broker has answered"
    }

    /// Whether brokers have to be asked for an answer, because nothing else would show that they are there.
    var isInDoubt: Bool { self.phase != .up }

    /// A broker has answered.
    ///
    /// - Returns: Whether that is news.
    mutating func reached() -> Bool {
        if self.phase == .up { return false }
        self.phase = .up
        self.isFallen = false
        self.saidCause = nil
        return true
    }

    /// Something went wrong that may explain what follows.
    mutating func failed(_ reason: String) {
        self.reason = reason
        self.isFallen = false
    }

    /// All brokers are out of sight.
    mutating func lost(now: Instant) {
        if self.phase == .up { self.phase = .lost(since: now) }
    }

    /// Nothing can be delivered, whatever brokers answer; until one answers again.
    mutating func fallen(_ reason: String) {
        self.reason = reason
        self.isFallen = true
        self.phase = .down
    }

    /// Why they are down, where that is news: for the first time, or for another cause than was said.
    mutating func news() -> String? {
        guard self.phase == .down else { return nil }
        let cause = Self.cause(of: self.reason)
        if cause == self.saidCause { return nil }
        self.saidCause = cause
        return self.isFallen ? self.reason : "no broker within reach: \(self.reason)"
    }

    /// What is the same in a reason for each broker and attempt: without names, numbers and the part that reports it.
    private static func cause(of reason: String) -> String {
        reason.replacing(#/^Local: [^:]*: /#, with: "").replacing(#/[^\s]+\/(bootstrap|[0-9]+): /#, with: "")
            .replacing(#/ \(after .*/#, with: "").replacing(#/[0-9]+/#, with: "0")
    }

    /// Time has passed.
    ///
    /// - Returns: Whether they count as down from now on.
    mutating func check(now: Instant) -> Bool {
        switch self.phase {
        case .starting(let since), .lost(let since):
            guard now - since >= self.patience else { return false }
            self.phase = .down
            return true
        case .up, .down:
            return false
        }
    }
}
