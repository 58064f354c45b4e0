import Outbox
import OutboxPostgres

/// How the state of an outbox is printed.
enum StatusOutput {
    /// Prints it for a person.
    static func print(_ status: OutboxStatus, on terminal: Terminal = .output) {
        terminal.print(self.relay(status.relay, terminal))
        terminal.print("")
        self.destinations(status).print(on: terminal)
        let names = status.unregistered.map { $0.destination.name.plain(60) }
        let idle = names.count > 20 ? names.prefix(20) + ["\((names.count - 20).grouped) more"] : names
        if !idle.isEmpty {
            terminal.print("")
            terminal.print(
                terminal.styled("no relay delivers: ", .yellow) + idle.joined(separator: ", ")
                    + " (messages wait until one has a route for them)")
        }
        let bytes = status.segments.map(\.bytes).reduce(0, +)
        terminal.print("")
        terminal.print("log: \(self.size(bytes)) in \(status.segments.count) segments")
    }

    private static func relay(_ relay: OutboxStatus.WorkingRelay?, _ terminal: Terminal) -> String {
        guard let relay else { return terminal.styled("no relay is working", .yellow) }
        let name = relay.applicationName.map { " (\($0))" } ?? ""
        return "relay: server process \(relay.processID)\(name), "
            + (relay.isAsleep ? "asleep until notified" : "awake")
    }

    private static func destinations(_ status: OutboxStatus) -> Table {
        var table = Table(
            ("DESTINATION", .left), ("WAITING", .right), ("OLDEST", .right), ("DEFERRED", .right), ("DEAD", .right),
            ("STATE", .left))
        for stream in status.streams {
            table.add(
                self.name(stream), stream.lag.description, stream.lagTime?.short ?? "-",
                stream.deferred.description, stream.dead.description, stream.pausedAt == nil ? "open" : "paused")
        }
        for waiting in status.unregistered {
            table.add(
                waiting.destination.name, waiting.messages.description, waiting.lagTime.short, "-", "-", "no relay")
        }
        return table
    }

    /// A stream's destination, and its slots where they are not all.
    static func name(_ stream: OutboxStatus.Stream) -> String {
        let slots = stream.slots == 0...1023 ? "" : " [\(stream.slots.lowerBound)-\(stream.slots.upperBound)]"
        return stream.destination.name + slots
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

    /// Prints it for a program.
    static func printJSON(_ status: OutboxStatus) {
        var json = JSONWriter()
        json.beginObject()
        json.name("subscription")
        json.string(status.subscription)
        json.name("streams")
        json.beginArray()
        for stream in status.streams { self.write(stream, &json) }
        json.endArray()
        json.name("unregistered")
        json.beginArray()
        for waiting in status.unregistered {
            json.beginObject()
            json.name("destination")
            json.string(waiting.destination.name)
            json.count("messages", waiting.messages, exact: "messages_exact")
            json.seconds("lag_seconds", waiting.lagTime)
            json.endObject()
        }
        json.endArray()
        json.name("segments")
        json.beginArray()
        for segment in status.segments {
            json.beginObject()
            json.name("number")
            json.integer(segment.number)
            json.name("bytes")
            json.integer(segment.bytes)
            json.name("current")
            json.bool(segment.isCurrent)
            json.endObject()
        }
        json.endArray()
        json.name("relay")
        self.write(status.relay, &json)
        json.endObject()
        json.print()
    }

    /// Prints streams for a program.
    static func printJSON(_ streams: [OutboxStatus.Stream]) {
        var json = JSONWriter()
        json.beginArray()
        for stream in streams { self.write(stream, &json) }
        json.endArray()
        json.print()
    }

    private static func write(_ stream: OutboxStatus.Stream, _ json: inout JSONWriter) {
        json.beginObject()
        json.name("destination")
        json.string(stream.destination.name)
        json.name("slots")
        json.beginArray()
        json.integer(stream.slots.lowerBound)
        json.integer(stream.slots.upperBound)
        json.endArray()
        json.name("position")
        json.integer(Int(stream.position))
        json.count("lag", stream.lag, exact: "lag_exact")
        json.seconds("lag_seconds", stream.lagTime)
        json.count("deferred", stream.deferred, exact: "deferred_exact")
        json.count("dead", stream.dead, exact: "dead_exact")
        json.name("paused_at")
        json.string(stream.pausedAt.map(Timestamp.text))
        json.name("committed_at")
        json.string(stream.committedAt.map(Timestamp.text))
        json.endObject()
    }

    private static func write(_ relay: OutboxStatus.WorkingRelay?, _ json: inout JSONWriter) {
        guard let relay else { return json.null() }
        json.beginObject()
        json.name("pid")
        json.integer(relay.processID)
        json.name("application_name")
        json.string(relay.applicationName)
        json.name("connected_at")
        json.string(relay.connectedAt.map(Timestamp.text))
        json.name("asleep")
        json.bool(relay.isAsleep)
        json.endObject()
    }
}

extension JSONWriter {
    /// Writes a count, and whether it is that many or at least.
    fileprivate mutating func count(_ name: StaticString, _ count: OutboxStatus.Count, exact: StaticString) {
        self.name(name)
        self.integer(count.value)
        self.name(exact)
        self.bool(count.isExact)
    }

    fileprivate mutating func seconds(_ name: StaticString, _ duration: Duration?) {
        self.name(name)
        if let duration { self.double((duration.inSeconds * 1000).rounded() / 1000) } else { self.null() }
    }
}
