import DequeModule
import Synchronization

/// How many workers of a destination's streams may be at work at a time, in one relay: its handler's concurrency, however many streams the
/// destination is divided into.
final class CallSeats: Sendable {
    private struct Waiter {
        let dispatcher: ObjectIdentifier
        let continuation: CheckedContinuation<Bool, Never>
    }

    private let state: Mutex<(free: Int, waiting: Deque<Waiter>)>

    init(_ count: Int) {
        self.state = Mutex((count, []))
    }

    /// Waits for a seat, after those who came before.
    ///
    /// - Returns: Whether there is one; false: the dispatcher was given up.
    func take(for dispatcher: Dispatcher) async -> Bool {
        // The common case first, without making a continuation.
        if self.state.withLock({ Self.take(&$0) }) { return true }
        return await withCheckedContinuation { continuation in
            let isSeated: Bool? = self.state.withLock { state in
                if Self.take(&state) { return true }
                if dispatcher.isAbandoned { return false }
                state.waiting.append(Waiter(dispatcher: ObjectIdentifier(dispatcher), continuation: continuation))
                return nil
            }
            if let isSeated { continuation.resume(returning: isSeated) }
        }
    }

    private static func take(_ state: inout (free: Int, waiting: Deque<Waiter>)) -> Bool {
        if state.free == 0 { return false }
        state.free -= 1
        return true
    }

    /// Leaves a seat to the next one.
    func give() {
        let next: Waiter? = self.state.withLock { state in
            if let next = state.waiting.popFirst() { return next }
            state.free += 1
            return nil
        }
        next?.continuation.resume(returning: true)
    }

    /// Lets workers of a dispatcher that was given up wait no more.
    func dismiss(_ dispatcher: Dispatcher) {
        let id = ObjectIdentifier(dispatcher)
        let dismissed = self.state.withLock { state in
            let dismissed = state.waiting.filter { $0.dispatcher == id }
            if !dismissed.isEmpty { state.waiting.removeAll { $0.dispatcher == id } }
            return dismissed
        }
        for waiter in dismissed { waiter.continuation.resume(returning: false) }
    }
}
