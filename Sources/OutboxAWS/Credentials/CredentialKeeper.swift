import Logging
import OutboxRuntime
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Keeps credentials, and fetches them again before they expire and when the service has refused them.
final class CredentialKeeper: Sendable {
    private struct State {
        var credentials: AWSCredentials?
        /// Why there are none, or none that are new.
        var problem: String?
        var isRefused = false
    }

    private let fetch: @Sendable () async throws -> AWSCredentials
    private let now: @Sendable () -> UTCTime
    private let patience: Duration
    private let logger: Logger
    private let state = Mutex(State())
    private let signal = Signal()
    private let known = Latch()

    /// Those of the SDKs: credentials that are about to expire are not used any more.
    private static let reserve = 300.0
    private static let backoff = Backoff(base: .seconds(1), cap: .seconds(30), jitter: 0.5)
    /// What is refused again and again is not fetched each time.
    private static let pauseAfterRefusal = Duration.seconds(5)

    /// - Parameters:
    ///   - now: The time by which credentials expire: the service's, where it is known that this machine's is off.
    ///   - patience: How long a fetch may take, before it is cancelled and said to be the problem.
    init(
        _ logger: Logger, now: @escaping @Sendable () -> UTCTime = { UTCTime(Date()) },
        patience: Duration = .seconds(30), fetch: @escaping @Sendable () async throws -> AWSCredentials
    ) {
        self.fetch = fetch
        self.logger = logger
        self.now = now
        self.patience = patience
    }

    /// The credentials; nil: there are none, for ``problem``. Whether they have expired is for the service to say, whose clock counts.
    var current: AWSCredentials? { self.state.withLock(\.credentials) }

    /// Why there are no credentials, or no new ones.
    var problem: String? { self.state.withLock(\.problem) }

    /// Waits until it is known whether there are credentials.
    func first() async { await self.known.wait() }

    /// Lets everything that waits go.
    func close() { self.known.open() }

    /// The service does not take them any more.
    func refuse() {
        let isNews = self.state.withLock { state in
            defer { state.isRefused = true }
            return !state.isRefused
        }
        if isNews { self.signal.raise() }
    }

    /// Fetches credentials until the task is cancelled.
    func run() async {
        var random = SystemRandomNumberGenerator()
        var failures = 0
        while !Task.isCancelled {
            _ = self.signal.lower()
            let begin = ContinuousClock.now
            let pause: Duration?
            do {
                let credentials = try await self.fetched()
                self.keep(credentials)
                failures = 0
                let now = Date(timeIntervalSince1970: Double(self.now().seconds))
                pause = credentials.expiration.map {
                    Self.pause(until: $0, now: now, draw: .random(in: 0...1, using: &random))
                }
            } catch {
                if Task.isCancelled { break }
                self.note(error)
                pause = Self.backoff.pause(earlierFailures: failures, random: &random)
                failures += 1
            }
            self.known.open()
            await self.signal.wait(until: pause.map { begin + $0 })
            if self.state.withLock(\.isRefused) { try? await Task.sleep(until: begin + Self.pauseAfterRefusal) }
        }
        self.known.open()
    }

    /// What is fetched in time. A source that goes on after it was cancelled is waited for, but messages are not: they are unavailable.
    private func fetched() async throws -> AWSCredentials {
        try await withThrowingTaskGroup(of: AWSCredentials?.self) { group in
            group.addTask { try await self.fetch() }
            group.addTask {
                try await Task.sleep(for: self.patience)
                return nil
            }
            defer { group.cancelAll() }
            if let credentials = try await group.next() ?? nil { return credentials }
            let error = CredentialError(.failed, "their source has not answered for \(self.patience)")
            self.note(error)
            self.known.open()
            throw error
        }
    }

    private func keep(_ credentials: AWSCredentials) {
        let isNew = self.state.withLock { state in
            defer { state = State(credentials: credentials) }
            return state.credentials != credentials
        }
        if isNew {
            self.logger.debug("There are new credentials", metadata: [LogKey.key: "\(credentials.accessKeyID)"])
        }
    }

    private func note(_ error: any Error) {
        let problem = "no credentials: \((error as? CredentialError)?.description ?? "\(error)")"
        let isNews = self.state.withLock { state in
            defer { state.problem = problem }
            return state.problem != problem
        }
        if isNews {
            self.logger.warning("Credentials could not be fetched", metadata: [LogKey.reason: "\(problem)"])
        }
    }

    /// How long credentials are kept: up to five minutes before they expire, or half of what is left where that is less. A source that
    /// hands out what has expired is asked once in 60 to 90 s, and when the service refuses what it had.
    ///
    /// - Parameter draw: A random number from 0 to 1.
    static func pause(until expiration: Date, now: Date, draw: Double) -> Duration {
        let left = expiration.timeIntervalSince(now)
        if left <= 0 { return .seconds(60 + 30 * draw) }
        return .seconds(min(max(left - self.reserve, left / 2, 1), 86_400))
    }
}
