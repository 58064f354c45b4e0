/// When to ask the server to cancel a statement. Decides; sends nothing.
///
/// One request may not be enough: it travels on a connection of its own, and if it overtakes the statement, the server has nothing
/// to cancel and forgets it. So it is repeated until the statement has ended.
struct CancelSchedule {
    enum State: Equatable {
        case idle
        case sending
        case waiting(until: ContinuousClock.Instant)
    }

    private(set) var state = State.idle
    private var pause = CancelSchedule.firstPause

    static let firstPause = Duration.milliseconds(50)
    static let longestPause = Duration.seconds(1)

    /// Whether the statement is to be cancelled.
    var isRequested: Bool { state != .idle }
    /// Whether a request is on its way. Until it has arrived, no other statement must run, or it would be hit instead.
    var isSending: Bool { state == .sending }

    /// When ``timePassed(now:)`` wants to be called.
    var deadline: ContinuousClock.Instant? {
        if case .waiting(let deadline) = state { deadline } else { nil }
    }

    /// The task was cancelled. Returns whether to send a request.
    mutating func request() -> Bool {
        guard state == .idle else { return false }
        state = .sending
        return true
    }

    /// The request has been dealt with.
    mutating func requestEnded(now: ContinuousClock.Instant) {
        guard state == .sending else { return }
        state = .waiting(until: now + pause)
        pause = min(pause * 2, Self.longestPause)
    }

    /// Returns whether to send a request.
    mutating func timePassed(now: ContinuousClock.Instant) -> Bool {
        guard case .waiting(let deadline) = state, deadline <= now else { return false }
        state = .sending
        return true
    }
}
