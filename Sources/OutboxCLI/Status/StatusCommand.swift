import ArgumentParser
import Outbox
import OutboxPostgres

/// `outbox status`: how far behind the relays are.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what waits, what is retried, what is dead, and which relay delivers.",
        discussion: """
            STATE: delivering, a relay has it; down, its relay probes the destination until it is up; not served, no relay that runs \
            has a route for it; paused; never served, no relay has ever had a route for it. OLDEST is the oldest message that \
            should have been delivered, in the log or deferred. What is in flight, and whether a destination is down, is what \
            the relay has said within the last second; “-” where none says it. A role needs no more than what \
            “outbox schema --grants --monitor” grants.

            With --check only what is not well is printed, and the exit status says whether all is: 0, or 2. That is \
            a message that waits for longer than --max-age (60s), more than --max-dead (0) dead letters of a stream, \
            more than --max-waiting messages, and an outbox without a relay.

            With --watch it is shown again and again: on a screen of its own on a terminal, where q ends it, / filters by \
            destination, arrows, j, k, PageUp, PageDown, g and G scroll and ? lists the keys, and which goes on when the server \
            has been away; else a block or a line of JSON an interval. PER SECOND is what cursors have passed since the last look. \
            Counting ends at 100,000. An interrupt ends it with 0, and so does a reader that goes away.

            EXAMPLES:
              outbox status
              outbox status --watch --interval 5s
              outbox status --watch --json | jq -c '.streams[] | [.destination, .waiting]'
              outbox status --check --max-age 5m --max-dead 10
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var subscription: SubscriptionOption

    @Flag(name: [.long, .customShort("w")], help: "Show it again and again, with rates.")
    var watch = false

    @Option(
        help: ArgumentHelp("How often, with --watch.", valueName: "interval"), transform: Interval.init(parsing:))
    var interval: Interval?

    @Flag(help: "Print the status as JSON.")
    var json = false

    @Flag(help: "Print only what is not well, and say with the exit status whether all is.")
    var check = false

    @Option(
        help: ArgumentHelp(
            "With --check: how long a message may wait that should have been delivered. Default: 60s.",
            valueName: "interval"),
        transform: Interval.init(parsing:))
    var maxAge: Interval?

    @Option(
        help: ArgumentHelp("With --check: how many dead letters a stream may have. Default: 0.", valueName: "count"))
    var maxDead: Int?

    @Option(
        help: ArgumentHelp(
            "With --check: how many messages of a stream may wait. Default: any number.", valueName: "count"))
    var maxWaiting: Int?

    func validate() throws {
        if !self.check, self.maxAge != nil || self.maxDead != nil || self.maxWaiting != nil {
            throw ValidationError("--max-age, --max-dead and --max-waiting go with --check.")
        }
        if self.check, self.watch { throw ValidationError("--check looks once: it does not go with --watch.") }
        if (self.maxDead ?? 0) < 0 || (self.maxWaiting ?? 0) < 0 {
            throw ValidationError("--max-dead and --max-waiting are 0 or more.")
        }
        if let interval, !self.watch || interval.duration < .milliseconds(50) {
            throw ValidationError("--interval goes with --watch and is at least 50ms.")
        }
    }

    func run() async throws {
        if self.watch {
            let interval = self.interval?.duration ?? .seconds(2)
            let subscription = try self.subscription.name(self.server)
            if !self.json, StatusScreen.isPossible {
                return try await StatusScreen(server: self.server, subscription: subscription, interval: interval).run()
            }
            return try await StatusWatch(
                server: self.server, subscription: subscription, interval: interval, json: self.json
            ).run()
        }
        let schema = try self.server.schema
        let status = try await self.server.withConnection(application: "status") { connection in
            let status = try await OutboxInspector(schema: schema).status(
                subscription: try self.subscription.name(self.server), on: connection)
            if !self.check, status.streams.isEmpty, status.relays.isEmpty {
                try await self.subscription.refuseUnknown(self.server, on: connection)
            }
            return status
        }
        if self.check {
            let check = StatusCheck(
                age: self.maxAge?.duration ?? .seconds(60), dead: self.maxDead ?? 0, waiting: self.maxWaiting)
            let findings = check.findings(status)
            if self.json {
                StatusOutput.printJSON(findings)
            } else {
                for finding in findings { Terminal.output.print(finding.plain()) }
                if findings.isEmpty { Terminal.output.print("all is well") }
            }
            if !findings.isEmpty { throw ExitCode(ExitStatus.warnings.rawValue) }
        } else if self.json {
            StatusOutput.printJSON(status)
        } else {
            for line in StatusOutput.lines(status, isComparison: false, on: .output) { Terminal.output.print(line) }
        }
    }
}
