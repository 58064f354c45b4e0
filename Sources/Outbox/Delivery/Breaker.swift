/// Whether a destination is down, judged by the outcomes of its messages.
///
/// Closed, everything is delivered. Open, nothing is, until a pause is over: then one message is, as a probe. Its success
/// closes the breaker, its failure doubles the pause. Meanwhile a message that could not be delivered is *held*: kept in
/// memory, as if it had not been tried.
///
/// A value type without clock, lock or await.
package struct Breaker: Sendable {
    /// The permission to call a handler.
    package enum Pass: Sendable, Hashable {
        /// With any number of messages.
        case call
        /// With one message; the probe has a number.
        case probe(Int)
    }

    /// One message that a handler was called with.
    package struct Attempt: Sendable, Hashable {
        package let id: Int64
        /// The hash of the message's key: failures of one key may have one cause, failures of many keys are the destination's.
        package let subject: UInt64
        /// Whether it was held before.
        package let isRetry: Bool

        package init(id: Int64, subject: UInt64, isRetry: Bool) {
            self.id = id
            self.subject = subject
            self.isRetry = isRetry
        }
    }

    /// What became of it.
    package enum Result: Sendable, Hashable {
        case delivered
        /// The message was rejected, which says nothing about the destination.
        case rejected
        case failed(String)
        case unavailable(String)
    }

    /// What to do with the message.
    package enum Verdict: Sendable, Hashable {
        /// What its outcome says.
        case settle
        /// Nothing: it is tried again when the destination is up.
        case hold
    }

    /// A change to report.
    package enum Change: Sendable, Hashable {
        case opened(reason: String, retryAfter: Duration)
        /// The probe has failed. With a reason, if it differs from the last reported one.
        case reopened(news: String?, retryAfter: Duration)
        case closed
    }

    private enum State: Hashable {
        case closed
        case open(probeAt: ContinuousClock.Instant)
        case probing(Int)
    }

    private let policy: BreakerPolicy
    private var state = State.closed
    /// The subjects that have failed since the last success.
    private var streak: Set<UInt64> = []
    private var failedProbes = 0
    private var lastProbe = 0
    /// The last reported reason why the destination is down.
    private var toldReason = ""
    /// Messages that reported the destination as unavailable while others were delivered.
    private var suspects: Set<Int64> = []

    /// How many suspects are remembered before all are forgotten.
    private static let maximumSuspects = 1000

    package init(policy: BreakerPolicy) {
        self.policy = policy
    }

    /// Whether the destination counts as down.
    package var isOpen: Bool { self.state != .closed }

    /// Whether a success would change nothing.
    package var isQuiet: Bool { self.state == .closed && self.streak.isEmpty }

    /// When the next probe may be made; nil: it is under way, or the breaker is closed.
    package var probeAt: ContinuousClock.Instant? {
        if case .open(let instant) = self.state { return instant }
        return nil
    }

    /// Whether a probe is under way.
    package var isProbing: Bool {
        if case .probing = self.state { true } else { false }
    }

    /// A worker asks to call the handler.
    ///
    /// - Returns: nil: wait.
    package mutating func begin(now: ContinuousClock.Instant) -> Pass? {
        switch self.state {
        case .closed:
            return .call
        case .open(let probeAt):
            if now < probeAt { return nil }
            self.lastProbe += 1
            self.state = .probing(self.lastProbe)
            return .probe(self.lastProbe)
        case .probing:
            return nil
        }
    }

    /// A handler was called.
    package mutating func report(
        _ attempt: Attempt, _ result: Result, pass: Pass, now: ContinuousClock.Instant,
        random: inout some RandomNumberGenerator
    ) -> (verdict: Verdict, change: Change?) {
        if case .probe(let number) = pass, self.isOpen {
            return self.probed(number, result, now: now, random: &random)
        }
        switch result {
        case .delivered:
            // A call that began before the breaker opened does not close it: it says how the destination was.
            if self.state == .closed { self.streak.removeAll() }
            return (.settle, nil)
        case .rejected:
            return (.settle, nil)
        case .failed, .unavailable:
            if self.state != .closed { return (.hold, nil) }
        }
        self.streak.insert(attempt.subject)
        guard let reason = self.opens(attempt, result) else { return (.settle, nil) }
        self.failedProbes = 0
        let delay = self.policy.delay(afterProbes: 0, random: &random)
        self.state = .open(probeAt: now + delay)
        self.toldReason = Self.withoutNumbers(result.reason)
        return (.hold, .opened(reason: reason, retryAfter: delay))
    }

    /// A handler takes long. If that is the probe, it counts as one that has failed: there will be another.
    package mutating func takesLong(
        _ pass: Pass, now: ContinuousClock.Instant, random: inout some RandomNumberGenerator
    ) -> Change? {
        guard case .probe(let number) = pass, self.state == .probing(number) else { return nil }
        return self.reopen("it does not answer: a probe takes longer than a delivery may", now: now, random: &random)
    }

    private mutating func probed(
        _ number: Int, _ result: Result, now: ContinuousClock.Instant, random: inout some RandomNumberGenerator
    ) -> (verdict: Verdict, change: Change?) {
        // Of a probe that has taken long, only a success counts.
        let isAwaited = self.state == .probing(number)
        switch result {
        case .delivered:
            self.state = .closed
            self.streak.removeAll()
            return (.settle, .closed)
        case .rejected where isAwaited:
            // It may never have reached the destination: another probe follows at once.
            self.state = .open(probeAt: now)
            return (.settle, .reopened(news: nil, retryAfter: .zero))
        case .failed where isAwaited, .unavailable where isAwaited:
            return (.hold, self.reopen(result.reason, now: now, random: &random))
        case .rejected:
            return (.settle, nil)
        case .failed, .unavailable:
            return (.hold, nil)
        }
    }

    private mutating func reopen(
        _ reason: String, now: ContinuousClock.Instant, random: inout some RandomNumberGenerator
    ) -> Change {
        self.failedProbes += 1
        let delay = self.policy.delay(afterProbes: self.failedProbes, random: &random)
        self.state = .open(probeAt: now + delay)
        let comparable = Self.withoutNumbers(reason)
        if comparable.isEmpty || comparable == self.toldReason { return .reopened(news: nil, retryAfter: delay) }
        self.toldReason = comparable
        return .reopened(news: reason, retryAfter: delay)
    }

    /// Ports, ids and times do not make it another reason.
    private static func withoutNumbers(_ reason: String) -> String {
        String(reason.filter { !$0.isNumber })
    }

    /// Why the breaker opens after a failure, if it does.
    private mutating func opens(_ attempt: Attempt, _ result: Result) -> String? {
        switch result {
        case .unavailable(let reason):
            let isSuspect = attempt.isRetry || self.suspects.contains(attempt.id)
            if !isSuspect || self.streak.count > 1 { return reason }
            // The destination has come back, and this message alone finds it down.
            if self.suspects.count >= Self.maximumSuspects { self.suspects.removeAll() }
            self.suspects.insert(attempt.id)
            return nil
        case .failed(let reason):
            return self.streak.count >= self.policy.failures ? "\(self.streak.count) failures in a row: \(reason)" : nil
        case .delivered, .rejected:
            return nil
        }
    }
}

extension Breaker.Result {
    /// What went wrong, if something did.
    fileprivate var reason: String {
        switch self {
        case .delivered, .rejected: ""
        case .failed(let reason), .unavailable(let reason): reason
        }
    }
}
