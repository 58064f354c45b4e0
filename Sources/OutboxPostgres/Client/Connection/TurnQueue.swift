internal import DequeModule

/// Lets one task at a time use a connection, in the order in which they came. Confined to the connection.
struct TurnQueue {
    private struct Waiter {
        let id: Int
        let continuation: CheckedContinuation<Bool, Never>
    }

    private(set) var isTaken = false
    private var waiters: Deque<Waiter> = []

    /// - Returns: `false` if there is a queue.
    mutating func takeIfFree() -> Bool {
        guard !isTaken else { return false }
        isTaken = true
        return true
    }

    /// `continuation` is resumed with `true` when it is its turn, with `false` when ``cancel(_:)`` comes first.
    mutating func wait(_ id: Int, _ continuation: CheckedContinuation<Bool, Never>) {
        waiters.append(Waiter(id: id, continuation: continuation))
    }

    mutating func cancel(_ id: Int) {
        guard let index = waiters.firstIndex(where: { $0.id == id }) else { return }
        waiters.remove(at: index).continuation.resume(returning: false)
    }

    mutating func release() {
        if let next = waiters.popFirst() {
            next.continuation.resume(returning: true)
        } else {
            isTaken = false
        }
    }
}
