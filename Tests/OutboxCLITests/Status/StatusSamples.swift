import Foundation
import OutboxRuntime

@testable import Outbox
@testable import OutboxPostgres

extension OutboxStatus {
    /// A status as a server could have given it.
    static func sample(_ streams: [Stream], unregistered: [UnregisteredDestination] = []) -> OutboxStatus {
        OutboxStatus(
            subscription: "main", takenAt: Date(timeIntervalSince1970: 1_800_000_000), streams: streams,
            unregistered: unregistered, segments: [Segment(number: 0, bytes: 8192, isCurrent: true)],
            relays: [RelayProcess(processID: 7, streams: streams.map(\.id), isAsleep: false)])
    }
}

extension OutboxStatus.Stream {
    /// A stream that a relay delivers.
    static func sample(
        _ destination: String, waiting: Int = 0, oldest: Duration? = nil, dead: Int = 0, isServed: Bool = true,
        isPaused: Bool = false, downFor: Duration? = nil, reason: String = "refused"
    ) -> OutboxStatus.Stream {
        OutboxStatus.Stream(
            id: 1, destination: Destination(destination), slots: 0...1023, position: 0,
            lag: OutboxStatus.Count(waiting), lagTime: oldest, rate: 12, inFlight: 3, isDown: downFor != nil,
            notedOutage: downFor.map { OutboxStatus.Outage(reason: reason, time: $0) }, deferred: OutboxStatus.Count(0),
            dead: OutboxStatus.Count(dead), pausedAt: isPaused ? Date(timeIntervalSince1970: 0) : nil,
            owner: isServed ? 7 : nil)
    }
}
