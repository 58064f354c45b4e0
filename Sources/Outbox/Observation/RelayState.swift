#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// What a relay is doing at this moment, for an application's own health check.
///
/// ```swift
/// router.get("/readyz") { _, _ in relay.state.isReady ? HTTPResponse.Status.ok : .serviceUnavailable }
/// ```
public struct RelayState: Sendable, Hashable {
    /// Whether the relay is at work.
    ///
    /// New ones may be added in a minor version: keep a `default` when you switch.
    public enum Phase: Sendable, Hashable {
        /// It has not had a connection yet.
        case starting
        /// It has streams, and delivers what comes.
        case delivering
        /// Other relays have all streams; it waits for its share, or to take over.
        case standby
        /// It has no connection, and tries again.
        case disconnected(reason: String, since: Date)
        /// It has ended, gracefully or not.
        case ended
    }

    /// A destination that is down.
    public struct Outage: Sendable, Hashable {
        /// What the last probe, or the failure that counted, ended with.
        public let reason: String
        /// When it was found to be down.
        public let since: Date

        /// Creates an outage.
        package init(reason: String, since: Date) {
            self.reason = reason
            self.since = since
        }
    }

    /// Whether the relay is at work.
    public internal(set) var phase: Phase
    /// Since when it is in this phase; for one without a connection, since it lost it.
    public internal(set) var since: Date
    /// The destinations that are down, of those that this relay delivers: their messages wait.
    public internal(set) var down: [Destination: Outage] = [:]

    /// Creates a state.
    package init(phase: Phase, since: Date, down: [Destination: Outage] = [:]) {
        self.phase = phase
        self.since = since
        self.down = down
    }

    /// Whether it has a connection, and delivers or stands by. A destination that is down leaves it ready: no other relay would reach it.
    public var isReady: Bool {
        switch self.phase {
        case .delivering, .standby: true
        case .starting, .disconnected, .ended: false
        }
    }
}

/// Keeps what a relay is doing.
struct RelayStanding: Sendable {
    private(set) var phase = RelayState.Phase.starting
    private(set) var since = Date()
    /// By the observer of the stream, of which a destination can have several.
    private var outages: [ObjectIdentifier: (destination: Destination, outage: RelayState.Outage)] = [:]

    /// As others see it: a destination is down as long as one of its streams finds it down.
    var state: RelayState {
        var state = RelayState(phase: self.phase, since: self.since)
        for (destination, outage) in self.outages.values {
            if let other = state.down[destination], other.since <= outage.since { continue }
            state.down[destination] = outage
        }
        return state
    }

    /// Whether one of a destination's streams finds it down.
    func isDown(_ destination: Destination) -> Bool { self.outages.values.contains { $0.destination == destination } }

    /// Takes what happened to the relay as a whole.
    mutating func take(_ event: RelayEvent, at now: Date) {
        switch event {
        case .standby: self.enter(.standby, at: now)
        case .started: self.enter(.delivering, at: now)
        case .disconnected(let reason, _):
            if case .disconnected(_, let since) = self.phase {
                self.phase = .disconnected(reason: reason, since: since)
            } else {
                self.enter(.disconnected(reason: reason, since: now), at: now)
            }
        case .stopped: self.enter(.ended, at: now)
        case .delivered, .retried, .parked, .deadLettered, .opened, .stillDown, .closed: break
        }
    }

    private mutating func enter(_ phase: RelayState.Phase, at now: Date) {
        if self.phase == phase { return }
        (self.phase, self.since) = (phase, now)
    }

    /// Notes that the relay has ended, however it has.
    mutating func end(at now: Date) {
        self.enter(.ended, at: now)
        self.outages = [:]
    }

    /// Notes why a stream finds its destination down; it is since the first time.
    mutating func down(_ stream: ObjectIdentifier, _ destination: Destination, reason: String, at now: Date) {
        if self.phase == .ended { return }
        let since = self.outages[stream]?.outage.since ?? now
        self.outages[stream] = (destination, RelayState.Outage(reason: reason, since: since))
    }

    /// Notes that a stream finds its destination up, or is not this relay's any more.
    mutating func up(_ stream: ObjectIdentifier) { self.outages[stream] = nil }
}
