import Outbox

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension OutboxStatus.Stream {
    /// Reads a row of the statement stream_status.
    init(_ row: LibPQRow, countLimit: Int) throws(LibPQError) {
        let low = try row.decode("slot_low", as: Int.self)
        let (reason, time) = (
            try row.decode("down_reason", as: String?.self), try row.decode("down_microseconds", as: Int64?.self)
        )
        self.init(
            id: try row.decode("id"), destination: Destination(try row.decode("destination")),
            slots: low...max(low, try row.decode("slot_high", as: Int.self)),
            position: try row.decode("position"),
            lag: OutboxStatus.Count(try row.decode("lag", as: Int.self), limit: countLimit),
            lagTime: try row.decode("oldest_microseconds", as: Int64?.self).map { .microseconds(max($0, 0)) },
            notedOutage: reason.map { OutboxStatus.Outage(reason: $0, time: .microseconds(max(time ?? 0, 0))) },
            deferred: OutboxStatus.Count(try row.decode("deferred", as: Int.self), limit: countLimit),
            deferredTime: try row.decode("deferred_microseconds", as: Int64?.self).map { .microseconds(max($0, 0)) },
            dead: OutboxStatus.Count(try row.decode("dead", as: Int.self), limit: countLimit),
            diedAt: try row.decode("died_at", as: Date?.self),
            pausedAt: try row.decode("paused_at", as: Date?.self),
            committedAt: try row.decode("committed_at", as: Date?.self))
    }
}

extension OutboxStatus.UnregisteredDestination {
    /// Reads a row of the statement unregistered.
    init(_ row: LibPQRow, countLimit: Int) throws(LibPQError) {
        self.init(
            destination: Destination(try row.decode("destination")),
            messages: OutboxStatus.Count(try row.decode("messages", as: Int.self), limit: countLimit),
            lagTime: .microseconds(max(try row.decode("oldest_microseconds", as: Int64.self), 0)))
    }
}

extension OutboxStatus.Segment {
    /// Reads a row of the statement segments.
    init(_ row: LibPQRow) throws(LibPQError) {
        self.init(
            number: try row.decode("number"), bytes: try row.decode("bytes"), isCurrent: try row.decode("is_current"))
    }
}

extension OutboxStatus.RelayProcess {
    /// Reads a row of the statement relays, but for what is in the session's name.
    init(_ row: LibPQRow) throws(LibPQError) {
        self.init(
            processID: try row.decode("pid"),
            streams: try row.decode("streams", as: String.self).split(separator: ",").compactMap { Int32($0) },
            host: try row.decode("host"),
            connectedAt: try row.decode("backend_start"),
            silence: try row.decode("silent_microseconds", as: Int64?.self).map { .microseconds(max($0, 0)) },
            isAsleep: try row.decode("is_asleep"))
    }
}

extension OutboxStatus {
    /// Adds a relay, and what it says of its streams in its session's name.
    mutating func add(_ name: String?, _ relay: RelayProcess) {
        let said = name.map(ActivityReport.reading)
        var relay = relay
        relay.applicationName = said?.name
        relay.inFlight = relay.isOwner ? said?.report?.inFlight : nil
        self.relays.append(relay)
        let owned = Set(relay.streams)
        for index in self.streams.indices where owned.contains(self.streams[index].id) {
            self.streams[index].owner = relay.processID
            let activity = said?.report?.activity(of: self.streams[index].id)
            self.streams[index].inFlight = activity?.inFlight
            self.streams[index].isDown = activity?.isDown
        }
    }

    /// Notes at which rate cursors have moved since an earlier status.
    ///
    /// - Parameter passed: How many messages the cursor of each stream has passed.
    mutating func compare(with earlier: OutboxStatus, passed: [Int32: Int]) {
        let seconds = self.takenAt.timeIntervalSince(earlier.takenAt)
        guard seconds > 0 else { return }
        for index in self.streams.indices {
            self.streams[index].rate = passed[self.streams[index].id].map { Double($0) / seconds }
        }
    }
}

extension OutboxStatus.Count {
    /// What was counted up to a limit.
    init(_ counted: Int, limit: Int) {
        self.init(min(counted, limit), isExact: counted < limit)
    }
}
