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

    /// Whether to wait on until a result is complete, whatever the socket does.
    private(set) var waitsForResult = false
    private var continuation: CheckedContinuation<Void, Never>?

    var isWaiting: Bool { continuation != nil }

    mutating func wait(_ continuation: CheckedContinuation<Void, Never>, forResult: Bool) {
        self.continuation = continuation
        self.waitsForResult = forResult
    }

    mutating func resume() {
        continuation.take()?.resume()
    }
}
