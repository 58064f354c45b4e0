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
        return true
    }

    /// Something went wrong that may explain what follows.
    mutating func failed(_ reason: String) { self.reason = reason }

    /// All brokers are out of sight.
    mutating func lost(now: Instant) {
        if self.phase == .up { self.phase = .lost(since: now) }
    }

    /// Nothing can be delivered, whatever brokers answer; until one answers again.
    mutating func fallen(_ reason: String) -> Bool {
        self.reason = reason
        if self.phase == .down { return false }
        self.phase = .down
        return true
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
