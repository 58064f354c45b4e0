import Outbox
import OutboxPostgres
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// How the state of an outbox is shown to a person.
enum StatusOutput {
    /// The lines of it.
    ///
    /// - Parameter isComparison: Whether rates are known, for it was compared with an earlier one.
    static func lines(_ status: OutboxStatus, isComparison: Bool, on terminal: Terminal) -> [String] {
        var lines = self.relays(status, terminal) + [""]
        lines += self.streams(status, isComparison: isComparison).lines(on: terminal)
        lines += self.outages(status, terminal)
        let names = status.unregistered.map { $0.destination.name.plain(60) }
        let idle = names.count > 20 ? names.prefix(20) + ["\((names.count - 20).grouped) more"] : names
        if !idle.isEmpty {
            lines.append("")
            lines.append(
                terminal.styled("no relay delivers: ", .yellow) + idle.joined(separator: ", ")
                    + " (messages wait until one has a route for them)")
        }
        let bytes = status.segments.map(\.bytes).reduce(0, +)
        lines.append("")
        lines.append("log: \(self.size(bytes)) in \(status.segments.count) segments")
        return lines + self.segments(status).lines(on: terminal)
    }

    private static func relays(_ status: OutboxStatus, _ terminal: Terminal) -> [String] {
        let working = !status.relays.contains(where: \.isOwner) ? [terminal.styled("no relay is working", .yellow)] : []
        return working
            + status.relays.map { relay in
                let name = relay.applicationName.map { " (\($0.plain(40)))" } ?? ""
                let host = relay.host.map { $0 == "local" ? " on the server's host" : " on \($0.plain(60))" } ?? ""
                let since = relay.connectedAt.map {
                    ", connected for \(Duration.seconds(status.takenAt.timeIntervalSince($0)).short)"
                }
                let state = !relay.isOwner ? "stands by" : relay.isAsleep ? "asleep until notified" : "awake"
                let kind = relay.isOwner ? "relay" : "standby"
                let share =
                    relay.isOwner && relay.streamCount < status.streams.count
                    ? ", \(relay.streamCount) of \(status.streams.count) streams" : ""
                return "\(kind): server process \(relay.processID)\(name)\(host)\(since ?? "")\(share), \(state)"
            }
    }

    /// Why destinations are down: those that have been for the longest time first.
    private static func outages(_ status: OutboxStatus, _ terminal: Terminal) -> [String] {
        let down = status.streams.compactMap { stream in stream.outage.map { (stream.title, $0) } }
            .sorted { ($1.1.time, $0.0) < ($0.1.time, $1.0) }
        if down.isEmpty { return [] }
        return [""]
            + down.prefix(20).map { title, outage in
                terminal.styled("down: ", .red)
                    + "\(title.plain(60)) for \(outage.time.short): \(outage.reason.plain(200))"
            } + (down.count > 20 ? ["down: \((down.count - 20).grouped) more"] : [])
    }

    private static func streams(_ status: OutboxStatus, isComparison: Bool) -> Table {
        let rate: [(String, Table.Alignment)] = isComparison ? [("PER SECOND", .right)] : []
        var table = Table(
            [("DESTINATION", .left), ("STATE", .left), ("WAITING", .right), ("OLDEST", .right)] + rate
                + [("IN FLIGHT", .right), ("DEFERRED", .right), ("DEAD", .right)])
        // Trouble first: what does not fit on a screen is what is well.
        for waiting in status.unregistered {
            let name = waiting.destination.name
            table.add(
                [name, OutboxStatus.State.neverServed.rawValue, waiting.messages.description, waiting.lagTime.short]
                    + (isComparison ? ["-"] : []) + ["-", "-", "-"], style: .red)
        }
        let order = status.streams.enumerated().sorted { one, other in
            (self.rank(one.element), one.offset) < (self.rank(other.element), other.offset)
        }
        for (_, stream) in order {
            let rate = isComparison ? [stream.rate.map { Int($0.rounded()).grouped } ?? "-"] : []
            table.add(
                [stream.title, stream.state.rawValue, stream.lag.description, stream.oldest?.short ?? "-"] + rate
                    + [
                        stream.inFlight?.description ?? "-", stream.deferred.description, stream.dead.description,
                    ], style: self.style(stream))
        }
        return table
    }

    /// Where a stream stands in the table: the less, the more it needs an operator.
    private static func rank(_ stream: OutboxStatus.Stream) -> Int {
        switch stream.state {
        // One that nothing waits for may be a thing of the past.
        case .neverServed, .notServed: stream.oldest == nil ? 3 : 0
        case .down: 1
        case .paused: 2
        case .delivering: stream.dead.value > 0 ? 4 : 5
        }
    }

    private static func style(_ stream: OutboxStatus.Stream) -> Terminal.Style? {
        switch stream.state {
        case .neverServed, .notServed: stream.oldest == nil ? .yellow : .red
        case .down: .red
        case .paused: .yellow
        case .delivering: stream.dead.value > 0 ? .yellow : nil
        }
    }

    private static func segments(_ status: OutboxStatus) -> Table {
        var table = Table(("SEGMENT", .right), ("SIZE", .right), ("STATE", .left))
        for segment in status.segments {
            table.add(String(segment.number), self.size(segment.bytes), segment.isCurrent ? "current" : "")
        }
        return table
    }

    /// Bytes in the unit that keeps the number short.
    static func size(_ bytes: Int) -> String {
        var value = Double(bytes)
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if value < 1024 { return "\((value * 10).rounded() / 10) \(unit)" }
            value /= 1024
        }
        return "\((value * 10).rounded() / 10) TiB"
    }
}
