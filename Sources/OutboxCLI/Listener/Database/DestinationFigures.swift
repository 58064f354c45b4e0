import Outbox
import OutboxPostgres

/// What the streams of a destination add up to.
struct DestinationFigures: Sendable {
    let name: String
    var waiting = 0
    var oldest: Duration?
    var deferred = 0
    var oldestDeferred: Duration?
    var dead = 0
    /// Whether all streams were counted to the end.
    var isExact = true
    /// Messages a second that relays have passed since the look before; nil: unknown.
    var rate: Double?
    /// Messages that relays have read and not yet committed; nil: none says it.
    var inFlight: Int?
    /// Why it is down, and for how long; nil: it is not, or no relay has noted it yet.
    var outage: OutboxStatus.Outage?
    /// That of the stream that needs an operator most.
    var state: OutboxStatus.State
    /// What that one needs an operator for.
    var urgency: Urgency
}

extension DestinationFigures {
    /// Each destination of a status.
    static func all(_ status: OutboxStatus) -> [DestinationFigures] {
        var all: [String: DestinationFigures] = [:]
        for stream in status.streams {
            all[stream.destination.name, default: DestinationFigures(stream)].add(stream)
        }
        return Array(all.values)
            + status.unregistered.map { waiting in
                DestinationFigures(
                    name: waiting.destination.name, waiting: waiting.messages.value, oldest: waiting.lagTime,
                    isExact: waiting.messages.isExact, state: .neverServed, urgency: .notServed)
            }
    }

    /// Nothing yet of a stream's destination.
    private init(_ stream: OutboxStatus.Stream) {
        self.init(name: stream.destination.name, state: stream.state, urgency: Urgency(stream))
    }

    private mutating func add(_ stream: OutboxStatus.Stream) {
        self.waiting += stream.lag.value
        self.oldest = [self.oldest, stream.lagTime].compactMap { $0 }.max()
        self.deferred += stream.deferred.value
        self.oldestDeferred = [self.oldestDeferred, stream.deferredTime].compactMap { $0 }.max()
        self.dead += stream.dead.value
        if !stream.lag.isExact || !stream.deferred.isExact || !stream.dead.isExact { self.isExact = false }
        if let rate = stream.rate { self.rate = (self.rate ?? 0) + rate }
        if let inFlight = stream.inFlight { self.inFlight = (self.inFlight ?? 0) + inFlight }
        self.outage = [self.outage, stream.outage].compactMap { $0 }.max { $0.time < $1.time }
        let urgency = Urgency(stream)
        if urgency < self.urgency { (self.state, self.urgency) = (stream.state, urgency) }
    }
}
