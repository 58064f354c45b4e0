import ArgumentParser
import Outbox
import OutboxPostgres

/// `outbox stream split`.
struct StreamSplitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "split",
        abstract: "Divide a destination into streams, which relays share.",
        discussion: """
            One relay at a time delivers a stream, so a destination that is one stream is delivered by one relay. Messages with \
            one key are of one stream, and their order is kept. Relays at work finish what they have begun and hand it over; \
            nothing is delivered twice because of it.

            EXAMPLES:
              outbox stream split event-bus --into 8
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var stream: StreamOptions

    @OptionGroup
    var handover: HandoverOptions

    @Option(help: ArgumentHelp("How many streams there are to be, 1 to 1024.", valueName: "count"))
    var into: Int

    func run() async throws {
        let schema = try self.server.schema
        let before = try await self.server.withConnection(application: "stream") { connection in
            try await OutboxStreams(schema: schema).split(
                Destination(self.stream.destination), into: self.into,
                subscription: try self.stream.subscription.name(self.server),
                waitingFor: self.handover.limit, on: connection)
        }
        Terminal.output.print(
            before == self.into
                ? "\(self.stream.destination.plain()) has \(self.into) streams already"
                : "split \(self.stream.destination.plain()) into \(self.into) streams, of \(before) before")
    }
}

/// `outbox stream merge`.
struct StreamMergeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract: "Make one stream of a destination that was split.",
        discussion: """
            Relays at work finish what they have begun and hand it over. What some streams have read and others have not is put \
            among the deferred messages and delivered from there at once, in the order of its keys: a row is written for each, so \
            it is refused while more than --max-unread wait. The role has to be allowed to DELETE from stream and to SELECT from pending.

            EXAMPLES:
              outbox stream merge event-bus
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var stream: StreamOptions

    @OptionGroup
    var handover: HandoverOptions

    @Option(help: ArgumentHelp("How many messages may be waiting.", valueName: "count"))
    var maxUnread = OutboxStreams.mostUnread

    func run() async throws {
        let schema = try self.server.schema
        let merged = try await self.server.withConnection(application: "stream") { connection in
            try await OutboxStreams(schema: schema).merge(
                Destination(self.stream.destination), mostUnread: self.maxUnread,
                subscription: try self.stream.subscription.name(self.server),
                waitingFor: self.handover.limit, on: connection)
        }
        let name = self.stream.destination.plain()
        Terminal.output.print(
            merged.streams == 1
                ? "\(name) has one stream already"
                : "merged \(merged.streams) streams of \(name); \(merged.messages) messages are delivered from among the deferred ones"
        )
    }
}
