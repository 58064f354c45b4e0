/// Until when a connection of the listener may be as it is: a client that sends half a request, nothing, or takes no answer is let go.
///
/// A value type without a clock: the time is an argument.
struct ConnectionDeadline {
    private let limits: ListenerLimits
    /// Requests that have begun and are not answered.
    private var begun = 0
    /// Whether nothing more is read after the answer.
    private(set) var isLast = false
    /// When the connection is closed.
    private(set) var deadline: ContinuousClock.Instant

    /// The connection was made.
    init(_ limits: ListenerLimits, now: ContinuousClock.Instant) {
        self.limits = limits
        self.deadline = now + limits.firstRequest
    }

    /// The head of a request has come.
    ///
    /// - Parameter hasBody: Whether something follows, which nothing reads.
    mutating func requestBegins(hasBody: Bool, now: ContinuousClock.Instant) {
        self.begun += 1
        if hasBody { self.isLast = true }
        // What comes behind a request does not extend the time for it.
        if self.begun == 1 { self.deadline = now + self.limits.answer }
    }

    /// An answer says that it is the last.
    mutating func answerIsLast() { self.isLast = true }

    /// An answer has been sent.
    ///
    /// - Returns: Whether to close the connection for output, and what is left of it soon.
    mutating func answerEnds(now: ContinuousClock.Instant) -> Bool {
        self.begun -= 1
        // An answer to what was no request: the parser's.
        if self.begun < 0 || self.isLast {
            self.isLast = true
            self.deadline = now + self.limits.linger
            return true
        }
        self.deadline = now + (self.begun == 0 ? self.limits.nextRequest : self.limits.answer)
        return false
    }

    func isOver(_ now: ContinuousClock.Instant) -> Bool { now >= self.deadline }
}
