import Logging
import OutboxRuntime
import Synchronization

/// Keeps a token that is valid: asks for the next one before the last one expires, and again where none comes.
final class TokenKeeper: Sendable {
    /// A token as requests show it.
    struct Current: Sendable {
        let value: String
        let quotaProject: String?
        /// Which one it is.
        fileprivate let number: Int
    }

    private struct State {
        var tokens = TokenState()
        var token: PubSubCredentials.Token?
        /// Opened when the next token has come, or has not.
        var news = Latch()
        var hasEnded = false
    }

    private let source: any TokenSource
    private let quotaProject: String?
    private let logger: Logger
    private let state = Mutex(State())
    /// Raised when the next one is wanted earlier.
    private let signal = Signal()

    init(_ source: any TokenSource, quotaProject: String?, logger: Logger) {
        self.source = source
        self.quotaProject = quotaProject
        self.logger = logger
    }

    /// Keeps a token until the task is cancelled.
    func run() async {
        defer { self.tell { $0.hasEnded = true } }
        while !Task.isCancelled {
            _ = self.signal.lower()
            let next = self.state.withLock(\.tokens.next)
            if let next, next > .now {
                await self.signal.wait(until: next)
                continue
            }
            do {
                let token = try await self.source.token()
                self.tell { state in
                    state.token = token
                    state.tokens.take(lifetime: token.lifetime, at: .now)
                }
            } catch is CancellationError {
                return
            } catch {
                self.note(error as? TokenFailure ?? TokenFailure("\(error)"))
            }
        }
    }

    /// Changes the state, and lets those go on that wait for it.
    private func tell<Result: Sendable>(_ change: (inout State) -> Result) -> Result {
        let (result, news) = self.state.withLock { state in
            defer { state.news = Latch() }
            return (change(&state), state.news)
        }
        news.open()
        return result
    }

    private func note(_ failure: TokenFailure) {
        let isStillValid = self.tell { state in
            state.tokens.fail(failure, at: .now, draw: .random(in: 0...1))
            if case .token = state.tokens.answer(at: .now) { return true }
            return false
        }
        if isStillValid {
            self.logger.warning(
                "No new token for Pub/Sub; the last one is still valid", metadata: [LogKey.error: "\(failure)"])
        }
    }

    /// The token that is valid; waits for one that is asked for.
    ///
    /// - Throws: A ``TokenFailure``, at once where none has come lately.
    func current() async throws(TokenFailure) -> Current {
        while true {
            let (answer, token, news) = self.state.withLock { state in
                (state.tokens.answer(at: .now), state.token, state.hasEnded ? nil : state.news)
            }
            if case .none(let failure) = answer { throw failure }
            if case .token(let number) = answer, let token {
                return Current(
                    value: token.value, quotaProject: token.quotaProject ?? self.quotaProject, number: number)
            }
            guard let news, !Task.isCancelled else { throw TokenFailure("the transport has ended") }
            await news.wait()
        }
    }

    /// The service does not accept a token: the next one is asked for soon.
    func reject(_ token: Current, _ reason: String) {
        let isNew = self.state.withLock { state in
            state.tokens.reject(token.number, TokenFailure(reason), at: .now, draw: .random(in: 0...1))
        }
        if isNew { self.signal.raise() }
    }
}
