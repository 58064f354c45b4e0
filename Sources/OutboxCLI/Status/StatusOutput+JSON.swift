import Outbox
import OutboxPostgres
import OutboxRuntime

extension StatusOutput {
    /// Prints the state of an outbox for a program.
    ///
    /// - Returns: Whether there still is a reader.
    @discardableResult
    static func printJSON(_ status: OutboxStatus) -> Bool {
        var json = JSONWriter()
        json.beginObject()
        json.name("subscription")
        json.string(status.subscription)
        json.name("taken_at")
        json.string(RFC3339.text(status.takenAt))
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
            json.name("state")
            json.string(OutboxStatus.State.neverServed.rawValue)
            json.count("waiting", waiting.messages, exact: "waiting_exact")
            json.seconds("oldest_seconds", waiting.lagTime)
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
        json.name("relays")
        json.beginArray()
        for relay in status.relays { self.write(relay, &json) }
        json.endArray()
        json.endObject()
        return json.print()
    }

    /// Prints streams for a program.
    static func printJSON(_ streams: [OutboxStatus.Stream]) {
        var json = JSONWriter()
        json.beginArray()
        for stream in streams { self.write(stream, &json) }
        json.endArray()
        json.print()
    }

    /// Prints what is not well, for a program.
    static func printJSON(_ findings: [String]) {
        var json = JSONWriter()
        json.beginObject()
        json.name("ok")
        json.bool(findings.isEmpty)
        json.name("findings")
        json.beginArray()
        for finding in findings { json.string(finding) }
        json.endArray()
        json.endObject()
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
        json.name("relay")
        if let owner = stream.owner { json.integer(Int(owner)) } else { json.null() }
        json.name("state")
        json.string(stream.state.rawValue)
        json.name("down_reason")
        json.string(stream.outage?.reason)
        json.seconds("down_seconds", stream.outage?.time)
        json.name("position")
        json.integer(Int(stream.position))
        json.count("waiting", stream.lag, exact: "waiting_exact")
        json.seconds("oldest_seconds", stream.lagTime)
        json.name("per_second")
        if let rate = stream.rate { json.double((rate * 10).rounded() / 10) } else { json.null() }
        json.name("in_flight")
        if let count = stream.inFlight { json.integer(count) } else { json.null() }
        json.count("deferred", stream.deferred, exact: "deferred_exact")
        json.seconds("oldest_deferred_seconds", stream.deferredTime)
        json.count("dead", stream.dead, exact: "dead_exact")
        json.name("died_at")
        json.string(stream.diedAt.map(RFC3339.text))
        json.name("paused_at")
        json.string(stream.pausedAt.map(RFC3339.text))
        json.name("committed_at")
        json.string(stream.committedAt.map(RFC3339.text))
        json.endObject()
    }

    private static func write(_ relay: OutboxStatus.RelayProcess, _ json: inout JSONWriter) {
        json.beginObject()
        json.name("pid")
        json.integer(relay.processID)
        json.name("application_name")
        json.string(relay.applicationName)
        json.name("host")
        json.string(relay.host)
        json.name("connected_at")
        json.string(relay.connectedAt.map(RFC3339.text))
        json.name("streams")
        json.integer(relay.streamCount)
        json.name("asleep")
        json.bool(relay.isAsleep)
        json.name("in_flight")
        if let count = relay.inFlight { json.integer(count) } else { json.null() }
        json.endObject()
    }
}

extension JSONWriter {
    /// Writes a count, and whether it is that many or at least.
    mutating func count(_ name: StaticString, _ count: OutboxStatus.Count, exact: StaticString) {
        self.name(name)
        self.integer(count.value)
        self.name(exact)
        self.bool(count.isExact)
    }

    mutating func seconds(_ name: StaticString, _ duration: Duration?) {
        self.name(name)
        if let duration { self.double((duration.inSeconds * 1000).rounded() / 1000) } else { self.null() }
    }
}
