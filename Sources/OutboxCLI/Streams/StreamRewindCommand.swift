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
            How long it keeps what was delivered is the relay's --retention. Nothing that has not been delivered is left out. It says how many \
            messages come again, and asks; without a terminal it wants --yes.

            EXAMPLES:
              outbox stream rewind event-bus --to-id 4711 --dry-run
              outbox stream rewind event-bus --to-id 4711 --yes
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

    @Flag(help: "Only say how many messages would come again.")
    var dryRun = false

    @Flag(help: "Do not ask.")
    var yes = false

    @Flag(help: "Print where it goes on as JSON.")
    var json = false

    func validate() throws {
        if (self.toID == nil) == (self.toTime == nil) { throw ValidationError("Give either --to-id or --to-time.") }
        if self.dryRun, self.yes { throw ValidationError("--dry-run and --yes exclude each other.") }
    }

    func run() async throws {
        let schema = try self.server.schema
        let target = self.toID.map { RewindTarget.id($0) } ?? .time(self.toTime!.date)
        let (streams, name) = (OutboxStreams(schema: schema), self.stream.destination.plain())
        if !self.yes {
            let extent = try await self.server.withConnection(application: "stream") { connection in
                try await streams.extentOfRewind(
                    Destination(self.stream.destination), to: target,
                    subscription: try self.stream.subscription.name(self.server),
                    on: connection)
            }
            if self.dryRun, self.json { return self.printJSON(extent?.first, extent?.messages) }
            if let extent {
                let output = self.dryRun ? Terminal.output : Terminal.error
                output.print(
                    "would deliver \(name) again from message \(extent.first) on: \(extent.messages) \(extent.messages.value == 1 ? "message" : "messages")"
                )
                if self.dryRun { return }
                try Confirmation.ask("deliver again", past: "rewound")
            } else if self.dryRun {
                return Terminal.output.print("\(name) would stay where it is: nothing was delivered from there on")
            }
        }
        let first = try await self.server.withConnection(application: "stream") { connection in
            try await streams.rewind(
                Destination(self.stream.destination), to: target,
                subscription: try self.stream.subscription.name(self.server), on: connection
            )
        }
        if self.json { return self.printJSON(first) }
        Terminal.output.print(
            first.map { "\(name) is delivered again from message \($0) on" }
                ?? "\(name) stays where it is: nothing was delivered from there on")
    }

    private func printJSON(_ first: Int64?, _ messages: OutboxStatus.Count? = nil) {
        var json = JSONWriter()
        json.beginObject()
        json.name("first_id")
        if let first { json.integer(Int(first)) } else { json.null() }
        if let messages { json.count("messages", messages, exact: "messages_exact") }
        json.endObject()
        json.print()
    }
}
