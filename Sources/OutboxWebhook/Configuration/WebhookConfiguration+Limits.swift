public import Outbox

extension WebhookConfiguration {
    /// What each receiver (a scheme, host and port) gets at most, and how long is waited for it. No time is longer than a day.
    public struct Limits: Sendable {
        /// The longest time that a connection may take, from the host's name to the end of TLS. Default 5 s.
        public var connectTimeout: Duration
        /// The longest time from the beginning of a request to the end of its answer. Default 15 s.
        public var timeout: Duration
        /// How many requests to one receiver are under way at most. Default 32.
        public var requestsPerHost: Int
        /// How many requests one receiver is sent in a second at most; nil, the default: any number. At least one in a day.
        public var requestsPerSecond: Double?
        /// How many messages of one key may be on their way. Default ``/Outbox/BatchSchedule/KeyOrder/oneAtATime``.
        public var keyOrder: BatchSchedule.KeyOrder

        /// Creates limits; see the properties for the defaults.
        public init(
            connectTimeout: Duration = .seconds(5), timeout: Duration = .seconds(15), requestsPerHost: Int = 32,
            requestsPerSecond: Double? = nil, keyOrder: BatchSchedule.KeyOrder = .oneAtATime
        ) {
            self.connectTimeout = connectTimeout
            self.timeout = timeout
            self.requestsPerHost = requestsPerHost
            self.requestsPerSecond = requestsPerSecond
            self.keyOrder = keyOrder
        }
    }

    /// What becomes of messages for a receiver that is down or gone.
    public struct Outage: Sendable, Hashable {
        /// After how many messages in a row that have failed a receiver counts as down. One that cannot be connected to is down at
        /// once. Default 5.
        public var failures: Int
        /// How long a receiver that is down, of several of a destination, is left alone before one message tries it again; doubled with
        /// each that fails. Default 1 s.
        public var initialPause: Duration
        /// The longest such pause. Default 1 min.
        public var maximumPause: Duration
        /// The longest time for which a receiver's `Retry-After` is obeyed. Default 1 h.
        public var maximumRetryAfter: Duration
        /// What becomes of messages for a receiver that has answered 410. nil, the default: ``Gone/held`` where all messages of a
        /// destination go to one place, else ``Gone/rejected``.
        public var gone: Gone?

        /// Creates settings; see the properties for the defaults.
        public init(
            failures: Int = 5, initialPause: Duration = .seconds(1), maximumPause: Duration = .seconds(60),
            maximumRetryAfter: Duration = .seconds(3600), gone: Gone? = nil
        ) {
            self.failures = failures
            self.initialPause = initialPause
            self.maximumPause = maximumPause
            self.maximumRetryAfter = maximumRetryAfter
            self.gone = gone
        }
    }

    /// What becomes of messages for a receiver that has answered 410, which says that it is gone for good.
    public struct Gone: Sendable, Hashable {
        let isHeld: Bool

        /// They wait, as for a receiver that is down, until an operator changes the route, or the receiver is back.
        public static let held = Gone(isHeld: true)
        /// They become dead letters at once, from where they can be replayed.
        public static let rejected = Gone(isHeld: false)
    }
}
