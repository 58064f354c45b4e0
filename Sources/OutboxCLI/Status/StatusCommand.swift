import ArgumentParser
import Outbox
import OutboxPostgres

/// `outbox status`: how far behind the relays are.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what waits, what is retried, what is dead, and which relay delivers.",
        discussion: """
            What is in flight, and whether a destination's breaker is open, is what the relay has said within the last \
            second; “-” where none says it. A role needs no more than what “outbox schema --grants --monitor” grants.

            With --watch it is shown again and again: in its place on a terminal, else a block or a line of JSON an \
            interval. PER SECOND is what cursors have passed since the last look. Counting ends at 100,000. An interrupt ends \
            it with 0, and so does a reader that goes away.

            EXAMPLES:
              outbox status
              outbox status --watch --interval 5s
              outbox status --watch --json | jq -c '.streams[] | [.destination, .lag]'
            """)

    @OptionGroup
    var server: ServerOptions

    @Option(help: ArgumentHelp("The name under which the cursors are kept.", valueName: "name"))
    var subscription = "main"

    @Flag(name: [.long, .customShort("w")], help: "Show it again and again, with rates.")
    var watch = false

    @Option(
        help: ArgumentHelp("How often, with --watch.", valueName: "interval"), transform: Interval.init(parsing:))
    var interval: Interval?

    @Flag(help: "Print the status as JSON.")
    var json = false

    func validate() throws {
        if let interval, !self.watch || interval.duration < .milliseconds(50) {
            throw ValidationError("--interval goes with --watch and is at least 50ms.")
        }
    }

    func run() async throws {
        if self.watch {
            let interval = self.interval?.duration ?? .seconds(2)
            return try await StatusWatch(
                server: self.server, subscription: self.subscription, interval: interval, json: self.json
            ).run()
        }
        let schema = try self.server.outbox.schema
        let status = try await self.server.withConnection(application: "status") { connection in
            return try await OutboxInspector(schema: schema).status(subscription: self.subscription, on: connection)
        }
        if self.json {
            StatusOutput.printJSON(status)
        } else {
            for line in StatusOutput.lines(status, isComparison: false, on: .output) { Terminal.output.print(line) }
        }
    }
}
