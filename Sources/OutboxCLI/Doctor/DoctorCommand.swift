import ArgumentParser
import OutboxPostgres

/// `outbox doctor`: what keeps an outbox from working, or will.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look for what keeps the outbox from working, or will, and say what to do.",
        discussion: """
            CHECKS:
              server      a primary, of a version without known faults of NOTIFY
              pooler      whether a pooler gives the session away
              clock       how far the server's clock is from this one
              queue       how full the queue of notifications is
              xmin        what keeps vacuum from cleaning up: transactions, also
                          prepared ones, replication slots, standbys
              schema      of the version that this program needs, as it was made
              objects     triggers, indexes, partitions, constraints
              privileges  what a role lacks, as the GRANTs to run
              doorbell    rings as producers do, and listens as relays do
              autovacuum  switched off for the outbox or for all
              segments    whether the log is tidied up
              relay       whether one works, and for every destination

            It changes nothing, and relays do not notice it. Connect as a relay does, through the same pooler if there is \
            one. Ends with 0 where all is well, 2 where there are warnings, 1 where something does not work.

            EXAMPLES:
              outbox doctor
              outbox doctor --relay shop_relay --producer shop
              outbox doctor --json | jq -r '.findings[] | select(.severity != "ok") | .advice'
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var subscription: SubscriptionOption

    @Option(help: ArgumentHelp("Look at the privileges of a role that enqueues.", valueName: "role"))
    var producer: String?

    @Option(
        help: ArgumentHelp(
            "Look at the privileges of a relay's role. Default, if no role is named: the one that connects.",
            valueName: "role"))
    var relay: String?

    @Option(help: ArgumentHelp("Look at the privileges of a role that watches.", valueName: "role"))
    var monitor: String?

    @Option(
        help: ArgumentHelp("How long a transaction may keep vacuum from cleaning up.", valueName: "interval"),
        transform: Interval.init(parsing:))
    var transactionAge = Interval(OutboxDoctor.Limits().transactionAge)

    @Option(
        help: ArgumentHelp("What is kept of the log: the relay's --retention.", valueName: "interval"),
        transform: Interval.init(parsing:))
    var retention = Interval(OutboxDoctor.Limits().retention)

    @Flag(help: "Print what was found as JSON.")
    var json = false

    func run() async throws {
        var limits = OutboxDoctor.Limits()
        limits.transactionAge = self.transactionAge.duration
        limits.retention = self.retention.duration
        let schema = try self.server.schema
        let doctor = OutboxDoctor(
            schema: schema, subscription: try self.subscription.name(self.server),
            roles: .init(producer: self.producer, relay: self.relay, monitor: self.monitor), limits: limits)
        let findings = try await doctor.examine(self.server.configuration(application: "doctor"))
        if self.json { DoctorOutput.printJSON(findings, of: schema) } else { DoctorOutput.print(findings, of: schema) }
        switch findings.map(\.severity).max() {
        case .error: throw ExitCode(ExitStatus.failure.rawValue)
        case .warning: throw ExitCode(ExitStatus.warnings.rawValue)
        default: return
        }
    }
}
