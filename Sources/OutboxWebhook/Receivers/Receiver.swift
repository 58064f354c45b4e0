import OutboxRuntime

/// What is known of one receiver, a scheme with host and port: whether it is down, throttles or is slow, and what it is sent.
///
/// A value without I/O and clock. The states are those of a breaker: closed; open until a time; and then half open, when one message is
/// let through as a probe.
struct Receiver: Sendable {
    /// What may be done with a message for it now.
    enum Admission: Sendable, Hashable {
        case pass
        /// It is the only one that is sent, to find out.
        case probe
        /// Not before that time has passed.
        case wait(Duration, reason: String)
    }

    /// When, and how, a receiver is left alone.
    struct Policy: Sendable {
        /// After how many messages in a row that have failed it counts as down.
        let failures: Int
        /// The pauses between probes; nil: the destination's own breaker has them.
        let pauses: Backoff?
        /// How long it may give no answer at all before further messages are not lined up behind those that wait; nil: for ever.
        let patience: Duration?
        /// How many messages are handed over to it at least before that matters.
        let lineUp: Int
        /// How long a message waits for its turn at most; nil: as long as it takes.
        let longestWait: Duration?
        /// How many are lined up at most; nil: any number.
        let longestLine: Int?
    }

    private enum State: Hashable {
        case closed
        case open(until: ContinuousClock.Instant)
        /// The probe's number.
        case probing(Int)
    }

    private let policy: Policy
    private var state = State.closed
    /// How many messages have failed in a row; several attempts of one in a row are one.
    private var failures = 0
    private var lastFailed: Int64?
    /// How often it was found to be down in a row.
    private var openings = 0
    /// The pause that it was left alone for last.
    private var lastPause = Duration.zero
    /// When the last pause ends or has ended, or it has failed last without one.
    private var troubleEnd: ContinuousClock.Instant?
    private var throttledUntil: ContinuousClock.Instant?
    private var throttlings = 0
    /// Why it is left alone.
    private(set) var reason = ""
    /// Handed over to the client, and not back yet.
    private(set) var outstanding = 0
    /// When it has last answered, or began to have something to answer.
    private var lastSign: ContinuousClock.Instant?

    init(_ policy: Policy) { self.policy = policy }

    var isDown: Bool { self.state != .closed }

    /// Whether its success changes nothing.
    var isSound: Bool {
        self.state == .closed && self.failures == 0 && self.lastFailed == nil && self.openings == 0
            && self.throttlings == 0
    }

    /// Whether nothing is known of it that a new one would not know, or that matters any more: messages may never name it again.
    func isForgettable(at now: ContinuousClock.Instant) -> Bool {
        if self.outstanding > 0 { return false }
        if let troubleEnd, now - troubleEnd > Self.memory { return true }
        return self.state == .closed && self.failures == 0 && self.throttlings == 0
            && self.throttledUntil.map { $0 <= now } ?? true
    }

    /// For how long after its last pause is known that a receiver has failed.
    private static let memory = Duration.seconds(3600)

    /// Whether a probe of it is one of the few that are under way at a time: it was silent, or refused, several times already.
    var needsProbeSlot: Bool { self.openings > 3 }

    /// For how long messages wait that cannot be sent while it is down: as long as it was left alone last. Each of them is written at the
    /// end of its wait.
    var waitWhileDown: Duration { max(self.lastPause, self.policy.pauses?.base ?? .zero) }

    // MARK: Messages

    /// Whether a message may be handed over to the client.
    func admission(at now: ContinuousClock.Instant) -> Admission {
        if let throttledUntil, throttledUntil > now { return .wait(throttledUntil - now, reason: self.reason) }
        switch self.state {
        case .open(let end) where end > now: return .wait(end - now, reason: self.reason)
        case .open: return .probe
        case .probing: return .wait(self.waitWhileDown, reason: self.reason)
        case .closed: break
        }
        if let longestLine = self.policy.longestLine, self.outstanding >= longestLine {
            return .wait(.seconds(1), reason: "as many messages as are sent in some seconds wait for the receiver")
        }
        if let patience = self.policy.patience, self.outstanding >= self.policy.lineUp, let lastSign,
            now - lastSign > patience
        {
            return .wait(patience, reason: "the receiver is slow")
        }
        return .pass
    }

    /// A message is handed over.
    ///
    /// - Parameter probe: Its number, if it is one.
    mutating func begin(probe: Int?, at now: ContinuousClock.Instant) {
        if let probe { self.state = .probing(probe) }
        if self.outstanding == 0 { self.lastSign = now }
        self.outstanding += 1
    }

    /// A message is back, whatever became of it.
    mutating func end(probe: Int?, at now: ContinuousClock.Instant) {
        self.outstanding -= 1
        self.lastSign = now
        // It was cancelled, and has found nothing out.
        if let probe, self.state == .probing(probe) { self.state = .open(until: now) }
    }

    /// Whether a message whose turn it is may be sent.
    ///
    /// - Parameter probe: Its number, if it is one.
    /// - Returns: nil: it may; else why not.
    func refusal(probe: Int?, handedOver: ContinuousClock.Instant, at now: ContinuousClock.Instant) -> String? {
        if let throttledUntil, throttledUntil > now { return self.reason }
        switch self.state {
        case .closed:
            if let longestWait = self.policy.longestWait, now - handedOver > longestWait {
                return "the receiver is slow"
            }
            return nil
        case .probing(probe ?? -1): return nil
        case .open, .probing: return self.reason
        }
    }

    // MARK: Answers

    /// It has answered in a way that says nothing against it.
    ///
    /// - Returns: Whether it was down.
    mutating func succeed() -> Bool {
        let wasDown = self.isDown
        self.state = .closed
        self.failures = 0
        self.lastFailed = nil
        self.openings = 0
        self.throttlings = 0
        return wasDown
    }

    /// A message has failed.
    ///
    /// - Parameters:
    ///   - message: Its number.
    ///   - isCertain: Whether this one failure says that the receiver is down.
    ///   - draw: A random number from 0 to 1.
    /// - Returns: Whether it is down from now on, and was not before.
    mutating func fail(
        message: Int64, _ reason: String, isCertain: Bool, at now: ContinuousClock.Instant, draw: Double
    ) -> Bool {
        if self.lastFailed != message { self.failures += 1 }
        self.lastFailed = message
        self.troubleEnd = max(self.troubleEnd ?? now, now)
        let wasDown = self.isDown
        guard wasDown || isCertain || self.failures >= self.policy.failures else { return false }
        // Those that were under way when it went down say nothing new.
        if case .open(let end) = self.state, end > now { return false }
        self.reason = reason
        let pause = self.policy.pauses?.pause(earlierFailures: self.openings, draw: draw) ?? .zero
        self.openings += 1
        self.lastPause = pause
        self.troubleEnd = now + pause
        self.state = .open(until: now + pause)
        return !wasDown
    }

    /// It asks to be left alone. It is for a time that grows with each answer in a row that does so, if it has not asked for longer: what
    /// waits counts no attempts, and would be sent for ever.
    ///
    /// - Parameter pause: For how long; nil: it has not said.
    /// - Returns: For how long it is left alone.
    mutating func throttle(
        _ reason: String, for pause: Duration?, at now: ContinuousClock.Instant, draw: Double
    ) -> Duration {
        let usual = Backoff(base: .seconds(1), cap: .seconds(60), jitter: 0.5)
        let pause = max(pause ?? .zero, usual.pause(earlierFailures: self.throttlings, draw: draw))
        if !(self.throttledUntil.map { $0 > now } ?? false) { self.throttlings += 1 }
        self.reason = reason
        self.throttledUntil = max(self.throttledUntil ?? now, now + pause)
        self.troubleEnd = self.throttledUntil
        // A probe was answered, and is none any more.
        if self.isDown {
            self.lastPause = pause
            self.state = .open(until: now + pause)
        }
        return pause
    }
}
