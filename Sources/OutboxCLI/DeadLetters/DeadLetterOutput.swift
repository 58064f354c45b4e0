import Outbox
import OutboxPostgres
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// How dead letters are printed.
enum DeadLetterOutput {
    /// A line each, with as much of the error as has room.
    static func table(_ letters: [DeadLetter]) -> Table {
        var table = Table(
            ("ID", .right), ("DESTINATION", .left), ("ROUTE", .left), ("KEY", .left), ("ATTEMPTS", .right),
            ("REASON", .left), ("DEAD FOR", .right), ("ERROR", .left))
        for letter in letters {
            table.add(
                String(letter.id), letter.destination.name.plain(30), (letter.route ?? "-").plain(30),
                (letter.key ?? "-").plain(30), String(letter.attempts), letter.reason.rawValue,
                FailureOutput.age(letter.diedAt),
                letter.error ?? "-")
        }
        return table
    }

    /// All of one.
    static func print(_ letter: DeadLetter, on terminal: Terminal = .output) {
        let before = [("id", String(letter.id)), ("subscription", letter.subscription)]
        let after = [
            ("attempts", String(letter.attempts)), ("reason", letter.reason.rawValue),
            ("error", letter.error ?? "-"), ("died at", RFC3339.text(letter.diedAt)),
            ("payload", "\(letter.payloadSize.grouped) bytes"),
        ]
        MessageFields(letter).print(before, after, payload: letter.payload, on: terminal)
    }

    /// Prints a list for a program.
    static func printJSON(_ letters: [DeadLetter]) {
        var json = JSONWriter()
        json.beginArray()
        for letter in letters { self.write(letter, &json) }
        json.endArray()
        json.print()
    }

    /// Prints one for a program.
    static func printJSON(_ letter: DeadLetter) {
        var json = JSONWriter()
        self.write(letter, &json)
        json.print()
    }

    private static func write(_ letter: DeadLetter, _ json: inout JSONWriter) {
        json.beginObject()
        json.name("id")
        json.integer(letter.id)
        json.name("subscription")
        json.string(letter.subscription)
        MessageFields(letter).write(into: &json)
        json.name("attempts")
        json.integer(letter.attempts)
        json.name("reason")
        json.string(letter.reason.rawValue)
        json.name("error")
        json.string(letter.error)
        json.name("died_at")
        json.string(RFC3339.text(letter.diedAt))
        json.name("payload_size")
        json.integer(letter.payloadSize)
        if let payload = letter.payload {
            unsafe payload.withUnsafeBytes { bytes in unsafe json.payload(bytes) }
        }
        json.endObject()
    }
}
