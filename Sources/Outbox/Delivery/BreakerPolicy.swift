import OutboxRuntime

/// When a destination counts as down, and how it is probed until it is up again.
///
/// A destination that is down costs nothing: nothing more is read of it, nothing is written, and no attempt is spent,
/// however long it lasts. What was read stays in memory, and one message at a time is delivered as a probe. The first
/// probe that succeeds ends it.
///
/// The pause before the next probe is drawn between the half and the whole of `initialDelay × 2^n`, n being the number
/// of probes that have failed, and never exceeds `maximumDelay`.
public struct BreakerPolicy: Sendable, Hashable {
    /// How many failures in a row, of different keys, mean that the destination is down. Default 20.
    ///
    /// Messages without a key count one each. ``Outcome/unavailable(_:)`` means it at once.
    package let failures: Int
    /// The longest pause before the first probe. Default 100 ms.
    package let initialDelay: Duration
    /// What a pause never exceeds. Default 30 s.
    package let maximumDelay: Duration

    let isOff: Bool

    /// The destination is down after one ``Outcome/unavailable(_:)`` or that many failures in a row.
    ///
    /// - Parameters:
    ///   - failures: Failures in a row, of different keys, at least 1. Default 20.
    ///   - initialDelay: The longest pause before the first probe. Default 100 ms.
    ///   - maximumDelay: What a pause never exceeds. Default 30 s.
    public static func opening(
        afterFailures failures: Int = 20, initialDelay: Duration = .milliseconds(100),
        maximumDelay: Duration = .seconds(30)
    ) -> BreakerPolicy {
        BreakerPolicy(failures: failures, initialDelay: initialDelay, maximumDelay: maximumDelay, isOff: false)
    }

    /// No breaker: each message that could not be delivered is deferred on its own, and a destination that is down gets
    /// all of its messages moved to `deferred`. Even so, ``Outcome/unavailable(_:)`` counts no attempt.
    public static let off = BreakerPolicy(failures: .max, initialDelay: .zero, maximumDelay: .zero, isOff: true)
}

extension BreakerPolicy {
    /// What cannot be; nil: all can.
    var defect: InvalidSetting? {
        if self.failures < 1 { return InvalidSetting("breaker.failures", "is at least 1") }
        return InvalidSetting.defect(of: "breaker.initialDelay", self.initialDelay)
            ?? InvalidSetting.defect(of: "breaker.maximumDelay", self.maximumDelay)
    }

    /// The pause before the next probe, after so many have failed.
    func delay(afterProbes count: Int, random: inout some RandomNumberGenerator) -> Duration {
        let backoff = Backoff(base: self.initialDelay, cap: self.maximumDelay, jitter: 0.5)
        return backoff.pause(earlierFailures: count, random: &random)
    }
}
