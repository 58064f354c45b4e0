import Synchronization

/// Hands events to the listeners.
final class RelayEventHub: Sendable {
    private struct State {
        var listeners: [Int: AsyncStream<RelayEvent>.Continuation] = [:]
        var nextID = 0
        var isFinished = false
    }

    private let state = Mutex(State())
    private let count = Atomic(0)
    private let deadLetters = Atomic(0)

    /// How many messages have become dead letters.
    var deadLetterCount: Int { self.deadLetters.load(ordering: .relaxed) }

    func noteDeadLetter() { self.deadLetters.add(1, ordering: .relaxed) }

    /// Whether there is a listener; costs no lock.
    var isListened: Bool { self.count.load(ordering: .relaxed) > 0 }

    func emit(_ event: RelayEvent) {
        guard self.isListened else { return }
        for listener in self.state.withLock({ Array($0.listeners.values) }) { listener.yield(event) }
    }

    func subscribe(capacity: Int) -> AsyncStream<RelayEvent> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: RelayEvent.self, bufferingPolicy: .bufferingNewest(capacity))
        let id = self.state.withLock { state -> Int? in
            if state.isFinished { return nil }
            state.nextID += 1
            state.listeners[state.nextID] = continuation
            self.count.store(state.listeners.count, ordering: .relaxed)
            return state.nextID
        }
        guard let id else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in self?.remove(id) }
        return stream
    }

    func finish() {
        let listeners = self.state.withLock { state in
            state.isFinished = true
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.finish() }
    }

    private func remove(_ id: Int) {
        self.state.withLock { state in
            state.listeners[id] = nil
            self.count.store(state.listeners.count, ordering: .relaxed)
        }
    }
}
