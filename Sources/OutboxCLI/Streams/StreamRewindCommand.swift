import ArgumentParser
import Outbox
import OutboxPostgres
import OutboxRuntime

/// `outbox stream rewind`.
struct StreamRewindCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rewind",
        abstract: "Deliver messages again that the log has kept.",
        discussion: """
            How long it keeps what was delivered is the relay's --retention. Nothing that has not been delivered is left out.

            EXAMPLES:
              outbox stream rewind event-bus --to-id 4711
              outbox stream rewind event-bus --to-time 2026-01-31T12:00:00Z
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var stream: StreamOptions

    @Option(help: ArgumentHelp("From the message with that id on.", valueName: "id"))
    var toID: Int64?

    @Option(
        help: ArgumentHelp(
            "From the first message on that was enqueued then or later (RFC 3339).", valueName: "time"),
        transform: TimeArgument.init(parsing:))
    var toTime: TimeArgument?

    @Flag(help: "Print where it goes on as JSON.")
    var json = false

    func validate() throws {
        if (self.toID == nil) == (self.toTime == nil) { throw ValidationError("Give either --to-id or --to-time.") }
    }

    func run() async throws {
        let schema = try self.server.outbox.schema
        let target = self.toID.map { RewindTarget.id($0) } ?? .time(self.toTime!.date)
        let first = try await self.server.withConnection(application: "stream") { connection in
            return try await OutboxStreams(schema: schema).rewind(
                Destination(self.stream.destination), to: target, subscription: self.stream.subscription, on: connection
            )
        }
        if self.json { return self.printJSON(first) }
        let name = self.stream.destination.plain()
        Terminal.output.print(
            first.map { "\(name) is delivered again from message \($0) on" }
                ?? "\(name) stays where it is: nothing was delivered from there on")
    }

    private func printJSON(_ first: Int64?) {
        var json = JSONWriter()
        json.beginObject()
        json.name("first_id")
        if let first { json.integer(Int(first)) } else { json.null() }
        json.endObject()
        json.print()
    }
}
