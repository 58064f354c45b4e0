/// What a relay is doing with one of its streams, for observers.
public struct StreamActivity: Sendable, Hashable {
    /// Messages that have been read and are not yet committed.
    public var inFlight: Int
    /// Why and since when the destination counts as down; nil: it does not.
    public var outage: Outage?

    /// A time in which a destination counts as down.
    public struct Outage: Sendable, Hashable {
        /// What a handler or a transport has said last that was something new, on one line.
        public var reason: String
        /// When it began.
        public var since: ContinuousClock.Instant

        package init(reason: String, since: ContinuousClock.Instant) {
            self.reason = reason
            self.since = since
        }
    }

    /// Creates the description of what is done.
    package init(inFlight: Int, outage: Outage? = nil) {
        self.inFlight = inFlight
        self.outage = outage
    }
}
