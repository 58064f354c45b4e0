import Synchronization

/// Counts what a handler is given, and knows when it has been given all.
final class Deliveries: Sendable {
    private let delivered = Atomic(0)
    private let goal = Atomic(Int.max)
    private let last = Atomic(0)
    private let start = Mutex<ContinuousClock.Instant?>(nil)
    private let (instants, continuation) = AsyncStream.makeStream(of: ContinuousClock.Instant.self)

    /// How many there were.
    var count: Int { self.delivered.load(ordering: .sequentiallyConsistent) }

    /// For how many was waited the last time.
    var expected: Int { self.last.load(ordering: .relaxed) }

    /// When the relay had connected and had its streams; nil: it has not.
    var started: ContinuousClock.Instant? { self.start.withLock { $0 } }

    /// The relay has connected and has its streams.
    func begin() {
        self.start.withLock { $0 = .now }
    }

    /// Counts one.
    func add() {
        // Together with `reach`: whoever comes second sees what the first has written.
        let count = self.delivered.add(1, ordering: .sequentiallyConsistent).newValue
        if count == self.goal.load(ordering: .sequentiallyConsistent) { self.continuation.yield(.now) }
    }

    /// Nothing comes any more.
    func end() {
        self.continuation.finish()
    }

    /// Waits until there were so many. May be called again with more.
    ///
    /// - Returns: When that was.
    @discardableResult
    func reach(_ count: Int) async throws -> ContinuousClock.Instant {
        self.last.store(count, ordering: .relaxed)
        self.goal.store(count, ordering: .sequentiallyConsistent)
        if self.count >= count {
            // It may also have been told, or be about to be.
            self.goal.store(.max, ordering: .sequentiallyConsistent)
            return .now
        }
        for await instant in self.instants where self.count >= count { return instant }
        throw BenchFailure("the relay has ended after \(self.count) of \(count) messages")
    }
}
