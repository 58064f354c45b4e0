import OutboxPostgres

/// What a look at the database has found.
struct DatabaseFigures: Sendable {
    var subscription: String
    var destinations: [DestinationFigures] = []
    /// Sessions of relays that have streams.
    var deliveringRelays = 0
    /// Sessions of relays that have none.
    var standbyRelays = 0
    /// The size of the log on disk.
    var logBytes = 0
}

extension DatabaseFigures {
    init(_ status: OutboxStatus) {
        self.init(subscription: status.subscription, destinations: DestinationFigures.all(status))
        self.deliveringRelays = status.workingRelays.count
        self.standbyRelays = status.relays.count - self.deliveringRelays
        self.logBytes = status.segments.reduce(0) { $0 + $1.bytes }
    }
}
