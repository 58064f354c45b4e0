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
        var lines = self.relays(status).map { $0.text(on: terminal) } + [""]
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
        lines.append("")
        lines.append(self.log(status).text(on: terminal))
        return lines + self.segments(status).lines(on: terminal)
    }

    /// Which outbox it is.
    static func title(_ schema: OutboxSchema, subscription: String) -> String {
        "outbox “\(schema.name.plain(40))”, subscription “\(subscription.plain(40))”"
    }

    /// How big the log is.
    static func log(_ status: OutboxStatus) -> ScreenLine {
        let bytes = status.segments.map(\.bytes).reduce(0, +)
        return ScreenLine("log: \(self.size(bytes)) in \(status.segments.count) segments")
    }

    /// A line for each relay.
    static func relays(_ status: OutboxStatus) -> [ScreenLine] {
        let working =
            status.workingRelays.isEmpty ? [ScreenLine("no relay is working", .yellow)] : []
        return working
            + status.relays.map { relay in
                let name = relay.applicationName.map { " (\($0.plain(40)))" } ?? ""
                let host = relay.host.map { $0 == "local" ? " on the server's host" : " on \($0.plain(60))" } ?? ""
                let since = relay.connectedAt.map {
                    ", connected for \(Duration.seconds(status.takenAt.timeIntervalSince($0)).short)"
                }
                let state = Self.activity(of: relay, in: status)
                let kind = relay.isOwner || status.waitsForTheFirst ? "relay" : "standby"
                let share =
                    relay.isOwner && relay.streamCount < status.streams.count
                    ? ", \(relay.streamCount) of \(status.streams.count) streams" : ""
                return ScreenLine(
                    "\(kind): server process \(relay.processID)\(name)\(host)\(since ?? "")\(share), \(state)")
            }
    }

    /// What a relay is doing.
    static func activity(of relay: OutboxStatus.RelayProcess, in status: OutboxStatus) -> String {
        if relay.isOwner { return relay.isAsleep ? "asleep until notified" : "awake" }
        return status.waitsForTheFirst ? "waits for the first message" : "stands by"
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
        let columns = StatusRow.Column.allCases.filter { isComparison || $0 != .rate }
        var table = Table(columns.map { ($0.title, $0.alignment) })
        for row in StatusRow.rows(status) { table.add(columns.map(row.text), style: row.urgency.style) }
        return table
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
