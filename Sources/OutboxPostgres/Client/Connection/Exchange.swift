/// The conversation with the server that has the turn. Confined to the connection.
struct Exchange {
    /// Distinguishes it from earlier ones, for cancellations that arrive late.
    var id = 0
    /// Whether the cancellation of the task leaves it alone.
    var isShielded = false
    /// Bytes for the server are waiting until the socket takes them.
    var needsFlush = false
    var cancel = CancelSchedule()
    /// Until the cancel request on its way has been dealt with.
    var cancelWaiter: CheckedContinuation<Void, Never>?

    private var continuation: CheckedContinuation<SocketEvents, Never>?

    var isWaiting: Bool { continuation != nil }

    mutating func wait(_ continuation: CheckedContinuation<SocketEvents, Never>) {
        self.continuation = continuation
    }

    mutating func resume(_ events: SocketEvents) {
        continuation.take()?.resume(returning: events)
    }
}
