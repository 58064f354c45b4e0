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
    /// That of the stream that needs an operator most.
    var state: OutboxStatus.State
}

extension DestinationFigures {
    /// Each destination of a status.
    static func all(_ status: OutboxStatus) -> [DestinationFigures] {
        var all: [String: DestinationFigures] = [:]
        for stream in status.streams {
            let name = stream.destination.name
            all[name, default: DestinationFigures(name: name, state: stream.state)].add(stream)
        }
        return Array(all.values)
            + status.unregistered.map { waiting in
                DestinationFigures(
                    name: waiting.destination.name, waiting: waiting.messages.value, oldest: waiting.lagTime,
                    state: .neverServed)
            }
    }

    private mutating func add(_ stream: OutboxStatus.Stream) {
        self.waiting += stream.lag.value
        self.oldest = [self.oldest, stream.lagTime].compactMap { $0 }.max()
        self.deferred += stream.deferred.value
        self.oldestDeferred = [self.oldestDeferred, stream.deferredTime].compactMap { $0 }.max()
        self.dead += stream.dead.value
        if Self.rank(stream.state) < Self.rank(self.state) { self.state = stream.state }
    }

    private static func rank(_ state: OutboxStatus.State) -> Int {
        switch state {
        case .neverServed: 0
        case .notServed: 1
        case .down: 2
        case .paused: 3
        case .delivering: 4
        }
    }
}
