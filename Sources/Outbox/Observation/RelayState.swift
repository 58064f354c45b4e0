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
    }

    /// Whether the relay is at work.
    public internal(set) var phase: Phase
    /// The destinations that are down, of those that this relay delivers: their messages wait.
    public internal(set) var down: [Destination: Outage] = [:]

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
    /// By the observer of the stream, of which a destination can have several.
    private var outages: [ObjectIdentifier: (destination: Destination, outage: RelayState.Outage)] = [:]

    /// As others see it: a destination is down as long as one of its streams finds it down.
    var state: RelayState {
        var state = RelayState(phase: self.phase)
        for (destination, outage) in self.outages.values {
            if let other = state.down[destination], other.since <= outage.since { continue }
            state.down[destination] = outage
        }
        return state
    }

    /// Takes what happened to the relay as a whole.
    mutating func take(_ event: RelayEvent, at now: Date) {
        switch event {
        case .standby: self.phase = .standby
        case .started: self.phase = .delivering
        case .disconnected(let reason, _):
            if case .disconnected(_, let since) = self.phase {
                self.phase = .disconnected(reason: reason, since: since)
            } else {
                self.phase = .disconnected(reason: reason, since: now)
            }
        case .stopped: self.phase = .ended
        case .delivered, .retried, .parked, .deadLettered, .opened, .stillDown, .closed: break
        }
    }

    /// Notes that the relay has ended, however it has.
    mutating func end() {
        self.phase = .ended
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
