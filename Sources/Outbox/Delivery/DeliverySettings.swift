package import OutboxRuntime

/// How the messages of a destination are delivered.
///
/// A member that is nil is not given. What it is then, a layer of settings below says (``merged(over:)``), or else the default of the
/// kind of handler. No time is longer than 10,000 days.
public struct DeliverySettings: Sendable {
    /// When a failed message is tried again. Default:
    /// ``DeliveryRetryStrategy/exponential(maximumAttempts:initialDelay:multiplier:maximumDelay:jitter:)`` without arguments.
    public var retry: (any DeliveryRetryStrategy)?
    /// How many messages (or batches) are delivered at the same time, 1 to 1024. Default 64; for batches 4.
    ///
    /// Messages with the same key are always delivered one after the other.
    public var concurrency: Int?
    /// Whether later messages of a key wait while an earlier one is being retried. Default: they do.
    public var ordering: Ordering?
    /// When the destination counts as down, and how it is probed then. Default: after one ``Outcome/unavailable(_:)`` or 20
    /// failures in a row; probes after 100 ms doubling to 30 s.
    public var breaker: BreakerPolicy?
    /// What happens to messages whose handler takes long. Default: they are parked after 2 s; batches after 30 s.
    public var parking: Parking?
    /// How long a call of a closure may take. Default: no limit. Transports have limits of their own, and take none.
    ///
    /// Then its task is cancelled. A closure that throws because of that has failed; a ``DeliveryFailure`` that it makes of it counts as
    /// always: `unavailable` takes the destination down. One that returns all the same has delivered, and one that does not look at
    /// cancellation goes on for as long as it likes.
    public var timeout: Duration?
    /// The most messages of a batch. Default 1000. Handlers that are called with one message at a time have no use for it.
    public var maximumCount: Int?
    /// How many messages a second the destination is given at most, by this relay, on average over a tenth of a second; batches are as small as that
    /// makes them. From 0.001 to 1,000,000. Default: no limit.
    ///
    /// Attempts count, not messages: one that is tried again counts again. Messages that wait for their turn are not parked, and where relays share a
    /// destination's streams, each has the whole limit.
    public var maximumRate: Double?

    /// Creates settings; what is left out is not given.
    public init(
        retry: (any DeliveryRetryStrategy)? = nil, concurrency: Int? = nil, ordering: Ordering? = nil,
        breaker: BreakerPolicy? = nil, parking: Parking? = nil, timeout: Duration? = nil, maximumCount: Int? = nil,
        maximumRate: Double? = nil
    ) {
        self.retry = retry
        self.concurrency = concurrency
        self.ordering = ordering
        self.breaker = breaker
        self.parking = parking
        self.timeout = timeout
        self.maximumCount = maximumCount
        self.maximumRate = maximumRate
    }

    /// What a failed message means for the later ones of its key.
    public struct Ordering: Sendable, Hashable {
        package let isByKey: Bool
        /// Later messages of the key wait behind it. Messages of other keys pass.
        public static let byKey = Ordering(isByKey: true)
        /// Later messages of the key pass as well.
        public static let unordered = Ordering(isByKey: false)
    }

    /// What happens to messages whose handler takes long.
    ///
    /// A message that is *parked* is deferred while the call of its handler continues, so that it holds up only later messages of its
    /// key. The call still counts as one of those that ``DeliverySettings/concurrency`` allows.
    public struct Parking: Sendable, Hashable {
        /// Nil: never.
        let delay: Duration?

        /// Messages are parked when a call has taken that long, which is noticed up to a quarter later. More than zero.
        public static func after(_ delay: Duration) -> Parking { Parking(delay: delay) }
        /// A call may take as long as it likes, and holds up all messages of its destination in the end.
        public static let never = Parking(delay: nil)
    }

    /// These settings, and where they say nothing, those of `lower`.
    ///
    /// The strategies of ``DeliveryRetryStrategy`` that come with this module are merged number by number.
    public func merged(over lower: DeliverySettings) -> DeliverySettings {
        DeliverySettings(
            retry: BackoffRetryStrategy.merge(self.retry, over: lower.retry),
            concurrency: self.concurrency ?? lower.concurrency,
            ordering: self.ordering ?? lower.ordering,
            breaker: self.breaker ?? lower.breaker,
            parking: self.parking ?? lower.parking,
            timeout: self.timeout ?? lower.timeout,
            maximumCount: self.maximumCount ?? lower.maximumCount,
            maximumRate: self.maximumRate ?? lower.maximumRate)
    }
}

extension DeliverySettings {
    /// What a handler is called with: defaults depend on it.
    package enum Kind: Sendable {
        case message
        case batch
    }

    /// Settings that all have a value, and fit.
    package struct Resolved: Sendable {
        package let retry: any DeliveryRetryStrategy
        package let concurrency: Int
        package let ordering: Ordering
        package let breaker: BreakerPolicy
        /// After what time a call's messages are parked; nil: never.
        package let parkedAfter: Duration?
        /// After what time a closure is cancelled; nil: never.
        package let timeout: Duration?
        package let maximumCount: Int
        /// Messages a second; nil: as many as there are.
        package let maximumRate: Double?
    }

    /// Gives what is not given its default.
    package func resolved(for kind: Kind) -> Resolved {
        Resolved(
            retry: self.retry ?? .exponential(),
            concurrency: self.concurrency ?? (kind == .message ? 64 : 4),
            ordering: self.ordering ?? .byKey,
            breaker: self.breaker ?? .opening(),
            parkedAfter: (self.parking ?? .after(.seconds(kind == .message ? 2 : 30))).delay,
            timeout: self.timeout,
            maximumCount: self.maximumCount ?? 1000,
            maximumRate: self.maximumRate)
    }

    /// Gives what is not given its default, and checks everything.
    package func resolve(for kind: Kind) throws(InvalidSetting) -> Resolved {
        let resolved = self.resolved(for: kind)
        if let defect = resolved.defect { throw defect }
        return resolved
    }
}

extension DeliverySettings.Resolved {
    /// What cannot be; nil: all can.
    fileprivate var defect: InvalidSetting? {
        if self.retry.maximumAttempts < 1 { return InvalidSetting("retry.maximumAttempts", "is at least 1") }
        if let defect = (self.retry as? BackoffRetryStrategy)?.defect { return defect }
        if !(1...1024).contains(self.concurrency) { return InvalidSetting("concurrency", "is 1 to 1024") }
        if let defect = self.breaker.defect { return defect }
        if let parkedAfter = self.parkedAfter, parkedAfter <= .zero {
            return InvalidSetting("parking", "is more than 0s")
        }
        if let defect = InvalidSetting.defect(of: "parking", self.parkedAfter ?? .zero) { return defect }
        if let timeout = self.timeout, timeout <= .zero { return InvalidSetting("timeout", "is more than 0s") }
        if let defect = InvalidSetting.defect(of: "timeout", self.timeout ?? .zero) { return defect }
        if self.maximumCount < 1 { return InvalidSetting("maximumCount", "is at least 1") }
        if let rate = self.maximumRate, !(0.001...1_000_000).contains(rate) {
            return InvalidSetting("maximumRate", "is 0.001 to 1000000 messages a second")
        }
        return nil
    }
}
