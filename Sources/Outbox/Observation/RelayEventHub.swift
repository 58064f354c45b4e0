import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What the streams of a destination add up to: a gauge has one series for all of them.
final class DestinationTotal: Sendable {
    private let inFlight = Mutex(0)

    /// A stream has more or fewer messages in flight.
    ///
    /// - Parameter show: Shows how many all have, before another stream can.
    func add(inFlight change: Int, _ show: (Int) -> Void) {
        self.inFlight.withLock { count in
            count += change
            show(count)
        }
    }

    /// Shows something that is true of all streams, before another one can.
    func show(_ body: () -> Void) { self.inFlight.withLock { _ in body() } }
}

/// Hands events to the listeners.
final class RelayEventHub: Sendable {
    private struct State {
        var listeners: [Int: AsyncStream<RelayEvent>.Continuation] = [:]
        var nextID = 0
        var isFinished = false
    }

    private let state = Mutex(State())
    private let standing = Mutex(RelayStanding())
    private let count = Atomic(0)
    private let deadLetters = Atomic(0)
    private let streams = Atomic(0)
    private let totals = Mutex<[Destination: DestinationTotal]>([:])

    /// How many messages have become dead letters.
    var deadLetterCount: Int { self.deadLetters.load(ordering: .relaxed) }

    func noteDeadLetter() { self.deadLetters.add(1, ordering: .relaxed) }

    /// How many streams the relay has.
    var streamCount: Int { self.streams.load(ordering: .relaxed) }

    /// A stream has come, or is not this relay's any more.
    func noteStream(_ change: Int) { self.streams.add(change, ordering: .relaxed) }

    /// What the streams of a destination add up to.
    func total(of destination: Destination) -> DestinationTotal {
        self.totals.withLock { totals in
            if let total = totals[destination] { return total }
            let total = DestinationTotal()
            totals[destination] = total
            return total
        }
    }

    /// Whether one of a destination's streams finds it down.
    func isDown(_ destination: Destination) -> Bool { self.standing.withLock { $0.isDown(destination) } }

    /// Whether there is a listener; costs no lock.
    var isListened: Bool { self.count.load(ordering: .relaxed) > 0 }

    /// What the relay is doing.
    var relayState: RelayState { self.standing.withLock(\.state) }

    /// Notes why a stream finds its destination down.
    func down(_ stream: ObjectIdentifier, _ destination: Destination, reason: String) {
        self.standing.withLock { $0.down(stream, destination, reason: reason, at: Date()) }
    }

    /// Notes that a stream finds its destination up, or is not this relay's any more.
    func up(_ stream: ObjectIdentifier) { self.standing.withLock { $0.up(stream) } }

    /// Hands an event to the listeners. Those that are not of single messages are noted before.
    func emit(_ event: RelayEvent) {
        switch event {
        case .delivered, .retried, .parked, .deadLettered: break
        default: self.standing.withLock { $0.take(event, at: Date()) }
        }
        guard self.isListened else { return }
        for listener in self.state.withLock({ Array($0.listeners.values) }) { listener.yield(event) }
    }

    func subscribe(capacity: Int) -> AsyncStream<RelayEvent> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: RelayEvent.self, bufferingPolicy: .bufferingNewest(capacity))
        let id = self.state.withLock { state -> Int? in
            if state.isFinished { return nil }
            state.nextID += 1
            state.listeners[state.nextID] = continuation
            self.count.store(state.listeners.count, ordering: .relaxed)
            return state.nextID
        }
        guard let id else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in self?.remove(id) }
        return stream
    }

    func finish() {
        self.standing.withLock { $0.end(at: Date()) }
        let listeners = self.state.withLock { state in
            state.isFinished = true
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.finish() }
    }

    private func remove(_ id: Int) {
        self.state.withLock { state in
            state.listeners[id] = nil
            self.count.store(state.listeners.count, ordering: .relaxed)
        }
    }
}
