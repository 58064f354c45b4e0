/// When a server that owes an answer has been silent for too long. Decides; asks and sends nothing.
///
/// Silence alone does not tell a server that works on a long statement from a path that swallows everything. So, when half
/// of the limit has passed, the server is asked over another connection what the session does. Only if it does not say by the end of the
/// limit that the session is at work, the session counts as lost.
struct SilenceWatch {
    enum Action: Equatable {
        case wait
        /// Ask the server, and say ``serverIsWorking(now:)`` if it works.
        case ask(until: ContinuousClock.Instant)
        case giveUp
    }

    private enum State: Equatable {
        case off
        case listening(until: ContinuousClock.Instant)
        case asking(until: ContinuousClock.Instant)
    }

    private var state = State.off
    /// Half of how long the server may be silent. Kept, for a division of durations takes as long as many an answer.
    private let half: Duration

    /// - Parameter limit: How long the server may be silent while it owes an answer.
    init(limit: Duration) {
        self.half = limit / 2
    }

    /// When ``timePassed(now:)`` wants to be called.
    var deadline: ContinuousClock.Instant? {
        switch state {
        case .off: nil
        case .listening(let deadline), .asking(let deadline): deadline
        }
    }

    var isAsking: Bool {
        if case .asking = state { true } else { false }
    }

    /// An answer is awaited from now on.
    mutating func begin(now: ContinuousClock.Instant) {
        state = .listening(until: now + half)
    }

    /// The socket had, or took, bytes. What the server was asked meanwhile does not matter any more.
    mutating func heard(now: ContinuousClock.Instant) {
        if state != .off { begin(now: now) }
    }

    /// The server says that the session is at work.
    mutating func serverIsWorking(now: ContinuousClock.Instant) {
        if isAsking { begin(now: now) }
    }

    /// No answer is awaited any more.
    mutating func end() {
        state = .off
    }

    mutating func timePassed(now: ContinuousClock.Instant) -> Action {
        switch state {
        case .listening(let deadline) where deadline <= now:
            // Counted from now: this process may have stood still.
            let end = now + half
            state = .asking(until: end)
            return .ask(until: end)
        case .asking(let deadline) where deadline <= now:
            return .giveUp
        default:
            return .wait
        }
    }
}
