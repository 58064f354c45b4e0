import ArgumentParser
import Outbox
import OutboxPostgres
import OutboxRuntime

/// `outbox stream list`.
struct StreamListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the streams of a subscription and how far they are.",
        discussion: """
            POSITION is the highest id that was handled; WAITING is what has not been, late messages included. RELAY is the \
            server process of the relay that delivers the stream. Of a destination that is split each stream has some of the \
            slots from 0 to 1023.

            EXAMPLES:
              outbox stream list
              outbox stream list --json
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var subscription: SubscriptionOption

    @Flag(help: "Print the list as JSON.")
    var json = false

    func run() async throws {
        let schema = try self.server.schema
        let streams = try await self.server.withConnection(application: "stream") { connection in
            return try await OutboxInspector(schema: schema).status(
                subscription: try self.subscription.name(self.server), on: connection
            )
            .streams
        }
        if self.json { return StatusOutput.printJSON(streams) }
        if streams.isEmpty {
            return Terminal.output.print(
                "no streams: no relay has worked for “\(try self.subscription.name(self.server))” yet")
        }
        var table = Table(
            ("DESTINATION", .left), ("POSITION", .right), ("WAITING", .right), ("OLDEST", .right), ("DEFERRED", .right),
            ("DEAD", .right), ("RELAY", .right), ("STATE", .left))
        for stream in streams {
            table.add(
                stream.title, String(stream.position), stream.lag.description,
                stream.oldest?.short ?? "-",
                stream.deferred.description, stream.dead.description, stream.owner.map(String.init) ?? "-",
                stream.pausedAt.map { "paused since \(RFC3339.text($0))" } ?? stream.state.rawValue)
        }
        table.print()
    }
}
