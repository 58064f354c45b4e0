import Outbox

/// How far the delivery of what is enqueued is.
extension InMemoryState {
    /// All committed messages, by id.
    var all: [StoredMessage] { self.log.values.sorted { $0.id < $1.id } }

    /// Whether a relay of the subscription has a session.
    func isServed(_ subscription: String) -> Bool {
        self.sessions.values.contains { $0.subscription == subscription }
    }

    /// How far the delivery of some destinations is.
    ///
    /// - Returns: Whether there is something to deliver now, or that is being delivered; and what waits for later.
    func progress(
        of subscription: String, now: Timestamp, _ isDelivered: (Destination) -> Bool
    ) -> (isBusy: Bool, later: [DeferredQueue.Row]) {
        let streams = self.contents(of: subscription).filter { isDelivered($0.destination) }
        let isBusy =
            streams.contains { $0.deferred.isBusy(now: now) }
            || self.unsettled(of: subscription).contains { isDelivered($0.content.destination) }
        return (isBusy, streams.flatMap(\.deferred.rows.values))
    }
}
