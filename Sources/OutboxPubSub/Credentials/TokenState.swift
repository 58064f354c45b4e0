import OutboxRuntime

/// What is known of tokens: the one that is valid, when the next one is wanted, and what went wrong.
///
/// A value without a clock and I/O.
struct TokenState {
    /// What deliveries can have.
    enum Answer: Equatable {
        /// A token is asked for, and nothing speaks against it.
        case wait
        case token(Int)
        case none(TokenFailure)
    }

    /// A token is replaced while it is still valid for that long, as Google's libraries do.
    static let lead = Duration.seconds(225)
    /// A token that ends within that time is not shown: a request takes a while.
    static let margin = Duration.seconds(10)
    private static let backoff = Backoff(base: .seconds(1), cap: .seconds(30), jitter: 0.5)

    private var expiry: ContinuousClock.Instant?
    /// Counts tokens; which one is valid.
    private(set) var number = 0
    private var failure: TokenFailure?
    private var failures = 0
    /// When the next one is to be asked for; nil: now.
    private(set) var next: ContinuousClock.Instant?

    func answer(at now: ContinuousClock.Instant) -> Answer {
        if let expiry, now < expiry { return .token(self.number) }
        return self.failure.map { .none($0) } ?? .wait
    }

    /// A token has come.
    mutating func take(lifetime: Duration, at now: ContinuousClock.Instant) {
        self.number += 1
        self.failure = nil
        self.failures = 0
        let lifetime = max(.zero, min(lifetime, .seconds(86_400)))
        // Of one that is short, some is kept for its use.
        self.expiry = now + max(lifetime - Self.margin, lifetime / 2)
        self.next = now + max(.seconds(1), max(lifetime - Self.lead, lifetime / 2))
    }

    /// None has come.
    mutating func fail(_ failure: TokenFailure, at now: ContinuousClock.Instant, draw: Double) {
        self.failure = failure
        self.next = now + Self.backoff.pause(earlierFailures: self.failures, draw: draw)
        self.failures += 1
    }

    /// The service does not accept a token. The next one is asked for, though not faster than when none comes.
    ///
    /// - Returns: Whether it was the one that is valid.
    mutating func reject(_ number: Int, _ failure: TokenFailure, at now: ContinuousClock.Instant, draw: Double) -> Bool
    {
        guard number == self.number, self.expiry != nil else { return false }
        self.expiry = nil
        self.fail(failure, at: now, draw: draw)
        return true
    }
}
