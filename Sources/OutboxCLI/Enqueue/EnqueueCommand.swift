import ArgumentParser
import Outbox
import OutboxPostgres
import OutboxRuntime

/// `outbox enqueue`: one message from the command line, or many from NDJSON by COPY.
struct EnqueueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enqueue",
        abstract: "Enqueue one message, or many from a file or stdin.",
        discussion: """
            With --from, each line is a JSON object with "destination", one of "payload" (a string), "payload_base64" \
            and "payload_json" (any JSON, taken as it is written), and optionally "route", "key", "idempotency_key", \
            "headers" (an object of strings), "deliver_at" (RFC 3339), "max_attempts" and "max_delay" (seconds). What \
            "outbox relay" writes can be read again. All lines are one transaction: if one is wrong, nothing is \
            enqueued.

            A message with the idempotency key that one for the same destination has had within the window is not \
            enqueued again; the id that is printed is the first one's.

            EXAMPLES:
              outbox enqueue event-bus '{"id": 1}' --route order.created --key 1
              outbox enqueue email "Hello" --deliver-at 2030-01-01T09:00:00Z
              outbox enqueue email "Goodbye" --idempotency-key user-7-left --idempotency-window 7d
              outbox enqueue --from messages.ndjson
              zcat messages.gz | outbox enqueue --from -
            """)

    @OptionGroup
    var server: ServerOptions

    @Argument(help: "The messaging system that the message is for.")
    var destination: String?

    @Argument(help: "The content, as UTF-8.")
    var payload: String?

    @Option(help: ArgumentHelp("Topic, queue, routing key or path inside the destination.", valueName: "route"))
    var route: String?

    @Option(help: ArgumentHelp("Messages with the same key arrive in order.", valueName: "key"))
    var key: String?

    @Option(
        help: ArgumentHelp("Enqueues nothing if the destination has had that key within the window.", valueName: "key"))
    var idempotencyKey: String?

    @Option(
        help: ArgumentHelp("For how long an idempotency key keeps others out (default: 1d).", valueName: "interval"),
        transform: Interval.init(parsing:))
    var idempotencyWindow: Interval?

    @Option(
        name: .customLong("header"), help: ArgumentHelp("A header; repeatable.", valueName: "name=value"),
        transform: HeaderArgument.init(parsing:))
    var headers: [HeaderArgument] = []

    @Option(
        help: ArgumentHelp("Not delivered before that time (RFC 3339).", valueName: "time"),
        transform: TimeArgument.init(parsing:))
    var deliverAt: TimeArgument?

    @Option(help: ArgumentHelp("How often delivery is tried, in all.", valueName: "count"))
    var maxAttempts: Int?

    @Option(
        help: ArgumentHelp("The longest pause between two attempts, such as 30s.", valueName: "interval"),
        transform: Interval.init(parsing:))
    var maxDelay: Interval?

    @Option(help: ArgumentHelp("Enqueue the lines of an NDJSON file; - is stdin.", valueName: "file"))
    var from: String?

    @Flag(help: "Print what was enqueued as JSON.")
    var json = false

    func run() async throws {
        try self.check()
        if let from { try await self.enqueue(linesOf: from) } else { try await self.enqueue(self.message()) }
    }

    /// Not in validate(), which is asked before an option that does not exist is complained about.
    private func check() throws {
        if self.from != nil {
            let isMixed =
                self.destination != nil || self.route != nil || self.key != nil || self.idempotencyKey != nil
                || !self.headers.isEmpty || self.deliverAt != nil || self.maxAttempts != nil || self.maxDelay != nil
            guard isMixed else { return }
            throw CommandFailure(.usage, "With --from, destination, payload and their options stand in the lines.")
        }
        if self.destination == nil || self.payload == nil {
            throw CommandFailure(.usage, "Give a destination and a payload, or --from a file.")
        }
        var names: Set<String> = []
        for header in self.headers where !names.insert(header.name).inserted {
            throw CommandFailure(.usage, "--header: “\(header.name)” is there twice.")
        }
        if self.idempotencyWindow != nil, self.idempotencyKey == nil {
            throw CommandFailure(.usage, "--idempotency-window goes with --idempotency-key, or with --from.")
        }
        if let attempts = self.maxAttempts, attempts < 1 {
            throw CommandFailure(.usage, "--max-attempts is at least 1.")
        }
    }

    private func message() -> NewMessage {
        NewMessage(
            to: Destination(self.destination ?? ""), route: self.route, key: self.key,
            idempotencyKey: self.idempotencyKey,
            headers: Dictionary(uniqueKeysWithValues: self.headers.map { ($0.name, $0.value) }),
            deliverAt: self.deliverAt?.date,
            options: MessageOptions(maximumAttempts: self.maxAttempts, maximumDelay: self.maxDelay?.duration),
            text: self.payload ?? "")
    }

    private func enqueue(_ message: NewMessage) async throws {
        try message.validate()
        let schema = try self.server.schema
        let outbox = self.outbox(schema)
        let id = try await self.server.withConnection(application: "enqueue") { connection in
            try await connection.withTransaction { transaction in
                try await outbox.enqueue(message, in: transaction)
            }
        }
        if self.json {
            self.printJSON(count: 1, id: id)
        } else {
            Terminal.output.print("enqueued \(id)")
        }
    }

    private func enqueue(linesOf path: String) async throws {
        let schema = try self.server.schema
        let file = try InputFile(path)
        let lines = MessageLines(file)
        let outbox = self.outbox(schema)
        let count = try await self.server.withConnection(application: "enqueue") { connection in
            do {
                return try await connection.withTransaction { transaction in
                    try await lines.enqueue(into: outbox, in: transaction)
                }
            } catch {
                // The line that ended the COPY says more than what became of the COPY.
                throw lines.failure ?? error
            }
        }
        if self.json {
            self.printJSON(count: count, id: nil)
        } else {
            Terminal.output.print("enqueued \(count.grouped) \(count == 1 ? "message" : "messages")")
        }
    }

    private func outbox(_ schema: OutboxSchema) -> PostgresOutbox {
        PostgresOutbox(
            schema: schema, maximumPayload: NewMessage.largestPayload,
            idempotencyWindow: self.idempotencyWindow?.duration ?? .seconds(24 * 60 * 60))
    }

    private func printJSON(count: Int, id: Int64?) {
        var json = JSONWriter()
        json.beginObject()
        json.name("enqueued")
        json.integer(count)
        if let id {
            json.name("id")
            json.integer(id)
        }
        json.endObject()
        json.print()
    }
}
