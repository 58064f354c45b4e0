import Synchronization

/// Where writers pass one by one, and where they can be held up until all have finished.
final class TrafficGate: Sendable {
    private struct State {
        var closers = 0
        var writing = 0
    }

    private let state = Mutex(State())

    /// Runs `body` once the gate is open.
    func pass(_ body: () async throws -> Void) async throws {
        while !self.state.withLock({ state in
            if state.closers > 0 { return false }
            state.writing += 1
            return true
        }) {
            try await Task.sleep(for: .milliseconds(5))
        }
        defer { self.state.withLock { $0.writing -= 1 } }
        try await body()
    }

    /// Runs `body` while no writer is inside.
    func whileClosed<Result>(_ body: () async throws -> Result) async throws -> Result {
        self.close()
        defer { self.open() }
        while self.state.withLock({ $0.writing }) > 0 { try await Task.sleep(for: .milliseconds(5)) }
        return try await body()
    }

    /// No more come in; those inside go on. Closed twice, it is to be opened twice.
    func close() { self.state.withLock { $0.closers += 1 } }

    func open() { self.state.withLock { $0.closers -= 1 } }
}
