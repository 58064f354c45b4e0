import ArgumentParser
import Outbox
import OutboxPostgres

/// `outbox stream pause`.
struct StreamPauseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Read nothing more of a destination.",
        discussion: """
            Messages wait in the log, and what was to be tried again waits as well. What a relay has read already is still \
            delivered. The log keeps its messages, so it grows.

            EXAMPLES:
              outbox stream pause mail
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var stream: StreamOptions

    func run() async throws {
        let schema = try self.server.schema
        try await self.server.withConnection(application: "stream") { connection in
            try await OutboxStreams(schema: schema).pause(
                Destination(self.stream.destination), subscription: try self.stream.subscription.name(self.server),
                on: connection)
        }
        Terminal.output.print("paused \(self.stream.destination.plain())")
    }
}

/// `outbox stream resume`.
struct StreamResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Read a destination again, from where it was paused.",
        discussion: """
            EXAMPLES:
              outbox stream resume mail
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var stream: StreamOptions

    func run() async throws {
        let schema = try self.server.schema
        try await self.server.withConnection(application: "stream") { connection in
            try await OutboxStreams(schema: schema).resume(
                Destination(self.stream.destination), subscription: try self.stream.subscription.name(self.server),
                on: connection)
        }
        Terminal.output.print("resumed \(self.stream.destination.plain())")
    }
}
