/// The conversation with the server that has the turn. Confined to the connection.
struct Exchange {
    /// Distinguishes it from earlier ones, for cancellations that arrive late.
    var id = 0
    /// Whether the cancellation of the task leaves it alone.
    var isShielded = false
    /// Bytes for the server are waiting until the socket takes them.
    var needsFlush = false
    var cancel = CancelSchedule()
    /// By when a statement whose task was cancelled has to be over.
    var cancellationEnd: ContinuousClock.Instant?
    /// Until the cancel request on its way has been dealt with.
    var cancelWaiter: CheckedContinuation<Void, Never>?
    /// How long the server has been silent; nil: there is no limit.
    var silence: SilenceWatch?
    /// What the server executes, to be recognised by in its list of sessions where there is a pooler.
    var statements: [LibPQStatement] = []
    /// What the log says already about why the server takes long.
    var knownWork: ServerWork?

    /// Whether to wait on until a result is complete, whatever the socket does.
    private(set) var waitsForResult = false
    private var continuation: CheckedContinuation<Void, Never>?

    var isWaiting: Bool { continuation != nil }

    /// When the connection wants to be called, if the socket has nothing before.
    var deadline: ContinuousClock.Instant? {
        [cancel.deadline, cancellationEnd, silence?.deadline].compactMap { $0 }.min()
    }

    /// Whether the statement should have been cancelled by now.
    func isOverdue(now: ContinuousClock.Instant) -> Bool {
        cancellationEnd.map { $0 <= now } ?? false
    }

    mutating func wait(_ continuation: CheckedContinuation<Void, Never>, forResult: Bool) {
        self.continuation = continuation
        self.waitsForResult = forResult
        silence?.begin(now: .now)
    }

    mutating func resume() {
        silence?.end()
        continuation.take()?.resume()
    }
}
