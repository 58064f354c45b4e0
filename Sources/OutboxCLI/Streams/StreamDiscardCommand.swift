import ArgumentParser
import Outbox
import OutboxPostgres
import OutboxRuntime

/// `outbox stream discard`.
struct StreamDiscardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard",
        abstract: "Throw away what waits for a destination.",
        discussion: """
            All that is committed by now and not delivered, in the log or deferred, of one subscription; dead letters stay. What is enqueued later \
            waits for a relay with a route for it again. It says how many messages it is about, and asks; without a terminal it wants --yes.

            What a relay has read already is still delivered: of a destination that is down, up to what it reads at once. End the relay first where none \
            of it may go out.

            EXAMPLES:
              outbox stream discard misspelled --dry-run
              outbox stream discard misspelled --yes
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var stream: StreamOptions

    @Flag(help: "Only say how many messages it would be.")
    var dryRun = false

    @Flag(help: "Do not ask.")
    var yes = false

    @Flag(help: "Print how many it were as JSON.")
    var json = false

    func validate() throws {
        if self.dryRun, self.yes { throw ValidationError("--dry-run and --yes exclude each other.") }
    }

    func run() async throws {
        if !self.yes {
            let discarded = try await self.discard(dryRun: true)
            // Where there is nothing, it ends: what comes from now on was not asked about.
            let ends = self.dryRun || discarded.messages.value + discarded.deferred.value == 0
            if ends, self.json { return self.printJSON(discarded) }
            (ends ? Terminal.output : Terminal.error).print("would discard \(self.text(discarded))")
            if ends { return }
            try Confirmation.ask("discard them", past: "discarded")
        }
        let discarded = try await self.discard(dryRun: false)
        if self.json { self.printJSON(discarded) } else { Terminal.output.print("discarded \(self.text(discarded))") }
    }

    private func discard(dryRun: Bool) async throws -> OutboxStreams.Discarded {
        let streams = OutboxStreams(schema: try self.server.schema)
        return try await self.server.withConnection(application: "stream") { connection in
            try await streams.discard(
                Destination(self.stream.destination), dryRun: dryRun,
                subscription: try self.stream.subscription.name(self.server),
                on: connection)
        }
    }

    private func text(_ discarded: OutboxStreams.Discarded) -> String {
        let messages = "\(discarded.messages) \(discarded.messages.value == 1 ? "message" : "messages")"
        return "\(messages) in the log and \(discarded.deferred) deferred for \(self.stream.destination.plain())"
    }

    private func printJSON(_ discarded: OutboxStreams.Discarded) {
        var json = JSONWriter()
        json.beginObject()
        json.count("messages", discarded.messages, exact: "messages_exact")
        json.count("deferred", discarded.deferred, exact: "deferred_exact")
        json.name("dry_run")
        json.bool(self.dryRun)
        json.endObject()
        json.print()
    }
}
