import Outbox
import OutboxPostgres
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// How deferred messages are printed.
enum DeferredOutput {
    /// A line each, with as much of the error as has room.
    static func table(_ messages: [DeferredMessage]) -> Table {
        var table = Table(
            ("ID", .right), ("DESTINATION", .left), ("ROUTE", .left), ("KEY", .left), ("ATTEMPTS", .right),
            ("DEFERRED FOR", .right), ("NEXT", .left), ("ERROR", .left))
        for message in messages {
            table.add(
                String(message.id), message.destination.name.plain(30), (message.route ?? "-").plain(30),
                (message.key ?? "-").plain(30), String(message.attempts), FailureOutput.age(message.deferredAt),
                self.next(message), message.error ?? "-")
        }
        return table
    }

    private static func next(_ message: DeferredMessage) -> String {
        guard let next = message.nextAttemptAt else { return "behind its key" }
        let rest = next.timeIntervalSinceNow
        return rest > 0 ? "in \(Duration.seconds(rest).short)" : "due"
    }

    /// All of one.
    static func print(_ message: DeferredMessage, on terminal: Terminal = .output) {
        let before = [("id", String(message.id)), ("subscription", message.subscription)]
        let after = [
            ("attempts", String(message.attempts)), ("error", message.error ?? "-"),
            ("deferred at", RFC3339.text(message.deferredAt)),
            ("next attempt", message.nextAttemptAt.map(RFC3339.text) ?? "behind its key"),
            ("payload", "\(message.payloadSize.grouped) bytes"),
        ]
        MessageFields(message).print(before, after, payload: message.payload, on: terminal)
    }

    /// Prints a list for a program.
    static func printJSON(_ messages: [DeferredMessage]) {
        var json = JSONWriter()
        json.beginArray()
        for message in messages { self.write(message, &json) }
        json.endArray()
        json.print()
    }

    /// Prints one for a program.
    static func printJSON(_ message: DeferredMessage) {
        var json = JSONWriter()
        self.write(message, &json)
        json.print()
    }

    private static func write(_ message: DeferredMessage, _ json: inout JSONWriter) {
        json.beginObject()
        json.name("id")
        json.integer(message.id)
        json.name("subscription")
        json.string(message.subscription)
        MessageFields(message).write(into: &json)
        json.name("attempts")
        json.integer(message.attempts)
        json.name("error")
        json.string(message.error)
        json.name("deferred_at")
        json.string(RFC3339.text(message.deferredAt))
        json.name("next_attempt_at")
        json.string(message.nextAttemptAt.map(RFC3339.text))
        json.name("payload_size")
        json.integer(message.payloadSize)
        if let payload = message.payload {
            unsafe payload.withUnsafeBytes { bytes in unsafe json.payload(bytes) }
        }
        json.endObject()
    }
}
