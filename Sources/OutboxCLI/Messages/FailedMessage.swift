import ArgumentParser
import Outbox
import OutboxPostgres
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A message that was not delivered, as the program shows it: a deferred one or a dead letter.
protocol FailedMessage {
    var id: Int64 { get }
    var subscription: String { get }
    var destination: Destination { get }
    var route: String? { get }
    var key: String? { get }
    var headersJSON: String? { get }
    var createdAt: Date { get }
    var attempts: Int { get }
    var error: String? { get }
    var payloadSize: Int { get }
    var payload: [UInt8]? { get }

    /// What such messages are called: "no dead letters".
    static var plural: String { get }
    /// The columns that only this kind has.
    static var columns: [(String, Table.Alignment)] { get }
    /// What stands in them.
    var cells: [String] { get }
    /// What only this kind has: the name in JSON, the value there, and the value for people.
    var details: [(name: StaticString, value: String?, shown: String)] { get }
}

extension DeadLetter: FailedMessage {
    static var plural: String { "dead letters" }
    static var columns: [(String, Table.Alignment)] { [("REASON", .left), ("DEAD FOR", .right)] }
    var cells: [String] { [self.reason.rawValue, FailureOutput.age(self.diedAt)] }
    var details: [(name: StaticString, value: String?, shown: String)] {
        let diedAt = RFC3339.text(self.diedAt)
        return [("reason", self.reason.rawValue, self.reason.rawValue), ("died_at", diedAt, diedAt)]
    }
}

extension DeferredMessage: FailedMessage {
    static var plural: String { "deferred messages" }
    static var columns: [(String, Table.Alignment)] { [("DEFERRED FOR", .right), ("NEXT", .left)] }
    var cells: [String] { [FailureOutput.age(self.deferredAt), self.next] }
    var details: [(name: StaticString, value: String?, shown: String)] {
        let deferredAt = RFC3339.text(self.deferredAt)
        let next = self.nextAttemptAt.map(RFC3339.text)
        return [("deferred_at", deferredAt, deferredAt), ("next_attempt_at", next, next ?? self.never)]
    }

    /// Why no attempt has a time: it waits behind another one, or its time never comes.
    private var never: String { self.key == nil ? "never" : "behind its key" }

    private var next: String {
        guard let nextAttemptAt else { return self.never }
        let rest = nextAttemptAt.timeIntervalSinceNow
        return rest > 0 ? "in \(Duration.seconds(rest).short)" : "due"
    }
}

/// How messages are printed that were not delivered.
enum FailedMessageOutput {
    /// A line each, with as much of the error as has room.
    static func print<Failed: FailedMessage>(_ messages: [Failed], as options: ListOptions) {
        if options.json { return self.printJSON(messages) }
        if messages.isEmpty { return Terminal.output.print("no \(Failed.plural)") }
        self.table(messages).print()
        options.note(messages.count)
    }

    static func table<Failed: FailedMessage>(_ messages: [Failed]) -> Table {
        var table = Table(
            [("ID", .right), ("DESTINATION", .left), ("ROUTE", .left), ("KEY", .left), ("ATTEMPTS", .right)]
                + Failed.columns + [("ERROR", .left)])
        for message in messages {
            table.add(
                [
                    String(message.id), message.destination.name.plain(30), (message.route ?? "-").plain(30),
                    (message.key ?? "-").plain(30), String(message.attempts),
                ] + message.cells + [message.error ?? "-"])
        }
        return table
    }

    /// All of one.
    static func print(_ message: some FailedMessage, on terminal: Terminal = .output) {
        let lines =
            [("id", String(message.id)), ("subscription", message.subscription)] + MessageFields(message).lines
            + [("attempts", String(message.attempts)), ("error", message.error ?? "-")]
            + message.details.map { ("\($0.name)".split(separator: "_").joined(separator: " "), $0.shown) }
            + [("payload", "\(message.payloadSize.grouped) bytes")]
        for (name, value) in lines {
            let title = name + String(repeating: " ", count: max(17 - name.count, 1))
            terminal.print(terminal.styled(title, .faint) + value.plain())
        }
        guard let payload = message.payload, !payload.isEmpty else { return }
        terminal.print("")
        if let text = String(validating: payload, as: UTF8.self) {
            terminal.print(text.plain(keepingLines: true))
        } else {
            terminal.print("base64: " + Data(payload).base64EncodedString())
        }
    }

    private static func printJSON(_ messages: [some FailedMessage]) {
        var json = JSONWriter()
        json.beginArray()
        for message in messages { self.write(message, &json) }
        json.endArray()
        json.print()
    }

    /// Prints one for a program.
    static func printJSON(_ message: some FailedMessage) {
        var json = JSONWriter()
        self.write(message, &json)
        json.print()
    }

    private static func write(_ message: some FailedMessage, _ json: inout JSONWriter) {
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
        for detail in message.details {
            json.name(detail.name)
            json.string(detail.value)
        }
        json.name("payload_size")
        json.integer(message.payloadSize)
        if let payload = message.payload {
            unsafe payload.withUnsafeBytes { bytes in unsafe json.payload(bytes) }
        }
        json.endObject()
    }
}

/// Which one is shown, and how.
struct ShowOptions: ParsableArguments {
    @Argument(help: "The message's id.")
    var id: Int64

    @OptionGroup
    var subscription: SubscriptionOption

    @Flag(help: "Print it as JSON.")
    var json = false

    /// Shows it.
    ///
    /// - Throws: ``CommandFailure``, where there is none.
    func print<Failed: FailedMessage>(_ message: Failed?, command: String) throws {
        guard let message else {
            throw CommandFailure(
                .failure, "there is none of \(Failed.plural) with the id \(self.id); see: outbox \(command) list")
        }
        if self.json { FailedMessageOutput.printJSON(message) } else { FailedMessageOutput.print(message) }
    }
}
