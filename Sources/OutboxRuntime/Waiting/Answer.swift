import Synchronization

/// What one task waits for and another task or thread gives, once.
package final class Answer<Value: Sendable>: Sendable {
    private enum State {
        case open
        case waiting(CheckedContinuation<Value, any Error>)
        case given(Result<Value, any Error>)
        case taken
    }

    private let state = Mutex(State.open)

    package init() {}

    /// Whether it is given, or the task that waits was cancelled.
    package var isOver: Bool {
        self.state.withLock { state in
            switch state {
            case .open, .waiting: false
            case .given, .taken: true
            }
        }
    }

    /// Gives the answer, unless there is one.
    package func give(_ result: Result<Value, any Error>) {
        let continuation = self.state.withLock { state -> CheckedContinuation<Value, any Error>? in
            switch state {
            case .open:
                state = .given(result)
                return nil
            case .waiting(let continuation):
                state = .taken
                return continuation
            case .given, .taken:
                return nil
            }
        }
        continuation?.resume(with: result)
    }

    /// Waits for the answer. One task, once.
    ///
    /// - Throws: `CancellationError` as soon as the task is cancelled, and what is given.
    package func wait() async throws -> Value {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result = self.state.withLock { state -> Result<Value, any Error>? in
                    switch state {
                    case .open:
                        state = .waiting(continuation)
                        return nil
                    case .given(let result):
                        state = .taken
                        return result
                    case .waiting, .taken:
                        preconditionFailure("an answer is waited for once")
                    }
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            self.give(.failure(CancellationError()))
        }
    }
}
