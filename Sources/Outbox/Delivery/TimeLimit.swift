import OutboxRuntime

/// How long a call of a handler may take.
enum TimeLimit {
    /// Runs a closure, and cancels it after some time.
    ///
    /// - Throws: What the closure throws; ``TimeLimitExceeded`` instead where its time was over, unless it throws a ``DeliveryFailure``: what that says
    ///   of the message, or of the destination, holds.
    static func run<Result: Sendable>(
        _ limit: Duration, _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Result?.self) { tasks in
            tasks.addTask { try await body() }
            tasks.addTask {
                // Cancelled when the closure has ended.
                try? await Task.sleep(for: limit)
                return nil
            }
            defer { tasks.cancelAll() }
            if let result = try await tasks.next(), let result { return result }
            // The caller is being cancelled, or the time is over. What the closure has done in spite of that is done.
            let isOver = !Task.isCancelled
            tasks.cancelAll()
            do {
                while let result = try await tasks.next() { if let result { return result } }
            } catch {
                if !isOver { throw error }
                if let failure = error as? DeliveryFailure { throw failure }
            }
            throw TimeLimitExceeded(limit: limit)
        }
    }
}

/// A handler has taken longer than it may.
struct TimeLimitExceeded: Error, CustomStringConvertible {
    let limit: Duration

    var description: String { "the handler was cancelled: it took longer than \(self.limit.short)" }
}
