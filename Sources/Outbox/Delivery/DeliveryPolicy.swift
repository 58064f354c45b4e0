import OutboxRuntime

/// What becomes of a message before an attempt, after it, and while it lasts.
///
/// A value without I/O, clock or lock; random numbers are given.
struct DeliveryPolicy: Sendable {
    typealias Verdict = PageTicket.Verdict

    /// How often, and after what pauses, a message is tried.
    let retry: any DeliveryRetryStrategy

    /// What is known of a message when that is decided.
    struct Facts: Sendable {
        let id: Int64
        /// How often delivery was tried before; what ended the process is an attempt too.
        var attempts: Int
        /// How often the process has ended while it delivered this message alone.
        var crashes = 0
        /// Whether later messages of its key wait for it: it has a key, and order matters.
        var isOrdered = false
        /// Whether an earlier message of its key waits for another attempt.
        var isBehind = false
        /// What it overrides of ``DeliveryPolicy/retry``, or why that cannot be read.
        var options = Result<MessageOptions, MessageDefect>.success(MessageOptions())
    }

    /// Where a message stands among those of its key that were read.
    enum Position: Hashable, Sendable {
        /// No earlier one waits for another attempt.
        case first
        /// It waits behind an earlier one, and is noted so.
        case behind
        /// It waits behind an earlier one, as is noted already.
        case behindAlready

        /// A message of the log.
        ///
        /// - Parameter isBlocked: Whether an earlier one of its key is deferred, or is going to be.
        init(isBlocked: Bool) { self = isBlocked ? .behind : .first }

        /// A deferred message that has a key, of a destination where order matters.
        ///
        /// - Parameters:
        ///   - hasFailed: Whether an earlier one of its key on the page has failed.
        ///   - isHeld: Whether it was read only because an earlier one of its key was.
        ///   - isOrdered: Whether the store knows it as one behind which others wait.
        init(hasFailed: Bool, isHeld: Bool, isOrdered: Bool) {
            if isHeld {
                self = .behind
            } else if hasFailed {
                self = isOrdered ? .behindAlready : .behind
            } else {
                self = .first
            }
        }

        /// Nil: it may be tried.
        func verdict(_ facts: @autoclosure () -> Facts) -> Verdict? {
            switch self {
            case .first: nil
            case .behindAlready: .untouched
            case .behind: .deferred(facts().deferral(.behindKey, error: nil))
            }
        }
    }

    // MARK: - Before an attempt

    /// The end of a message that has no attempt left; nil: it has.
    func exhausted(_ facts: Facts) -> Verdict? {
        let maximum = (try? facts.options.get())?.maximumAttempts ?? self.retry.maximumAttempts
        if facts.attempts < maximum { return nil }
        if facts.crashes == 0 { return .dead(facts.death(.exhausted, nil)) }
        let times = facts.crashes == 1 ? "once" : "\(facts.crashes) times"
        return .dead(
            facts.death(.crashed, "the relay's process ended \(times) while it delivered this message alone"))
    }

    // MARK: - After an attempt

    /// What an outcome means for a message.
    ///
    /// - Returns: nil: it is delivered.
    func verdict(on facts: Facts, _ outcome: Outcome, random: inout some RandomNumberGenerator) -> Verdict? {
        if case .delivered = outcome.kind { return nil }
        let options: MessageOptions
        switch facts.options {
        case .success(let read): options = read
        case .failure(let defect): return .dead(facts.counted.death(.undecodable, defect.description))
        }
        let attempt = facts.attempts + 1
        switch outcome.kind {
        case .delivered:
            return nil
        case .rejected(let reason):
            return .dead(facts.counted.death(.rejected, reason))
        case .behind, .unavailable:
            // Not counted, and a pause all the same, so that it is not tried again and again.
            let pause = self.retry.delay(afterAttempts: attempt, options: options, random: &random)
            return .deferred(facts.waiting(pause, error: outcome.reason))
        case .postponed(let pause, let reason):
            return .deferred(facts.waiting(pause, error: reason))
        case .retry(let requested, let reason):
            let decision = self.retry.decision(
                afterAttempts: attempt, requested: requested, options: options, random: &random)
            switch decision {
            case .retry(let pause): return .deferred(facts.counted.waiting(pause, error: reason))
            case .exhausted: return .dead(facts.counted.death(.exhausted, reason))
            }
        }
    }

    // MARK: - While an attempt lasts

    /// How a message is noted while its handler goes on.
    ///
    /// - Parameter isBegun: Whether that is an attempt: one begins with contact.
    func parked(_ facts: Facts, isBegun: Bool) -> Verdict {
        .parked((isBegun ? facts.counted : facts).waiting(.zero, error: "the relay ended before the handler had"))
    }

    /// How a message that was parked goes on waiting when its destination is down.
    func parkedWhileDown(_ facts: Facts, _ outcome: Outcome) -> Verdict {
        .deferred(facts.waiting(.zero, error: outcome.reason))
    }
}

extension DeliveryPolicy.Facts {
    /// With one attempt more.
    fileprivate var counted: Self {
        var facts = self
        facts.attempts += 1
        return facts
    }

    /// It waits so long, or behind an earlier one of its key: with a time of its own it could come before that one.
    ///
    /// - Parameter pause: As a strategy or a handler says. No clock has a time that is much later than the longest.
    fileprivate func waiting(_ pause: Duration, error: String?) -> Deferral {
        let pause = min(max(pause, .zero), DurationText.longest)
        return self.deferral(self.isBehind ? .behindKey : .after(pause), error: error)
    }

    func deferral(_ due: Deferral.Due, error: String?) -> Deferral {
        Deferral(
            id: self.id, attempts: self.attempts, due: due, ordered: self.isOrdered, error: error.map(Self.shortened))
    }

    func death(_ reason: Death.Reason, _ error: String?) -> Death {
        Death(id: self.id, attempts: self.attempts, reason: reason, error: error.map(Self.shortened))
    }

    /// What is kept of an error: the first 1000 characters, without NUL, which Postgres cannot store.
    private static func shortened(_ text: String) -> String {
        String(text.prefix(1000).map { $0 == "\0" ? " " : $0 })
    }
}
