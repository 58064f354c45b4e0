package import Logging
import Outbox
import OutboxSQL

/// Looks for what keeps an outbox from working, or will.
///
/// ```swift
/// let findings = try await OutboxDoctor().examine(postgres)
/// for finding in findings where finding.severity != .ok { print(finding.check, finding.seen, finding.advice ?? "") }
/// ```
///
/// It changes nothing and disturbs no relay. Its role needs the grants of a relay or a monitor. If the role may not look at something,
/// that is a finding.
package struct OutboxDoctor: Sendable {
    /// From where on something is worth a warning.
    package struct Limits: Sendable, Hashable {
        /// How long a transaction may keep vacuum from cleaning up. Default 15 min.
        package var transactionAge: Duration = .seconds(900)
        /// How many transactions may have begun since, where no time is known. Default 1,000,000.
        package var transactions = 1_000_000
        /// How far the server's clock may be from this one. Default 1 s.
        package var clockSkew: Duration = .seconds(1)
        /// How full the queue of notifications may be, of 1. Default 0.1; from 0.5 on it is an error.
        package var queueUsage = 0.1
        /// How long messages may wait at a relay that commits nothing. Default 2 min.
        package var silence: Duration = .seconds(120)
        /// How long the oldest message of a stream may wait that should have been delivered. Default 5 min.
        package var age: Duration = .seconds(300)
        /// How long a dead letter is news. Default 24 h.
        package var deathAge: Duration = .seconds(86400)
        /// How long a ring may take. Default 5 s.
        package var ring: Duration = .seconds(5)
        /// How long new messages may go to one segment, which is what the janitor keeps, at least. Default 24 h.
        package var retention: Duration = .seconds(86400)

        /// The default limits.
        package init() {}
    }

    /// The roles whose privileges are checked.
    package struct Roles: Sendable, Hashable {
        /// Of an application that enqueues; nil: it is not checked.
        package var producer: String?
        /// Of a relay; nil: it is not checked.
        package var relay: String?
        /// Of a dashboard, or of `outbox status`; nil: it is not checked.
        package var monitor: String?

        /// Creates a choice of roles. Without any, the role that connects is checked for the privileges of a relay.
        package init(producer: String? = nil, relay: String? = nil, monitor: String? = nil) {
            self.producer = producer
            self.relay = relay
            self.monitor = monitor
        }
    }

    let schema: OutboxSchema
    let subscription: String
    let roles: Roles
    let limits: Limits
    let logger: Logger
    let statements: DoctorStatements

    /// Creates a doctor; nothing is connected before ``examine(_:)``.
    ///
    /// - Parameters:
    ///   - schema: The outbox's schema. Default: "outbox".
    ///   - subscription: Whose relays and streams to look at. Default "main".
    ///   - roles: Whose privileges to look at. Default: those of the role that connects, as a relay's.
    ///   - limits: From where on something is worth a warning.
    ///   - logger: Where the client reports. Default: nowhere.
    package init(
        schema: OutboxSchema = OutboxSchema(), subscription: String = "main", roles: Roles = Roles(),
        limits: Limits = Limits(), logger: Logger = Logger(label: "outbox.doctor") { _ in SwiftLogNoOpLogHandler() }
    ) {
        self.schema = schema
        self.subscription = subscription
        self.roles = roles
        self.limits = limits
        self.logger = logger
        self.statements = schema.doctorStatements
    }

    /// Connects and makes every check, each with one finding at least.
    ///
    /// - Parameter postgres: How a relay connects: through the same pooler, if there is one.
    /// - Throws: ``LibPQError`` when the server cannot be reached, refuses the login or goes away.
    package func examine(_ postgres: LibPQConfiguration) async throws -> [DoctorFinding] {
        let connection = try await LibPQConnection.connect(postgres, logger: self.logger)
        let result: Result<[DoctorFinding], any Error>
        do {
            try await connection.query(LibPQStatement(self.schema.statements.fixSearchPath.text, [.bool(false)]))
            result = .success(try await self.examine(postgres, connection))
        } catch { result = .failure(error) }
        await connection.close()
        return try result.get()
    }

    private func examine(
        _ postgres: LibPQConfiguration, _ connection: LibPQConnection
    ) async throws -> [DoctorFinding] {
        var findings = try await self.make(.server, postgres, connection)
        for check in DoctorCheck.ofServer { findings += try await self.make(check, postgres, connection) }
        let schema = try await self.make(.schema, postgres, connection)
        findings += schema
        // Without the tables of this version there is nothing that could be looked at.
        if schema.contains(where: { $0.severity == .error }) { return findings }
        for check in DoctorCheck.ofOutbox { findings += try await self.make(check, postgres, connection) }
        return findings
    }

    /// Makes a check. A missing privilege or a failure is a finding; the loss of the server is thrown.
    private func make(
        _ check: DoctorCheck, _ postgres: LibPQConfiguration, _ connection: LibPQConnection
    ) async throws -> [DoctorFinding] {
        let findings: [DoctorFinding]
        do {
            findings = try await check.examine(self, postgres, connection)
        } catch {
            if !(await connection.isUsable) || Task.isCancelled { throw error }
            return [self.finding(check.name, of: error)]
        }
        return findings
    }

    private func finding(_ check: String, of error: any Error) -> DoctorFinding {
        let isPrivilege = (error as? OutboxError)?.code == .privilege || (error as? LibPQError)?.sqlState == "42501"
        if isPrivilege {
            return DoctorFinding(
                check, .warning, "this role may not look at that",
                advice: "Look again as a relay's role or as the owner of the schema.")
        }
        return DoctorFinding(check, .error, "the check failed: \(error)")
    }
}

/// One thing that is looked at.
struct DoctorCheck: Sendable {
    /// What it is called.
    let name: String
    /// Looks.
    let examine: @Sendable (OutboxDoctor, LibPQConfiguration, LibPQConnection) async throws -> [DoctorFinding]

    static let server = DoctorCheck(name: "server") { try await $0.server($2) }
    static let schema = DoctorCheck(name: "schema") { try await $0.migrations($2) }

    /// What needs no outbox.
    static let ofServer = [
        DoctorCheck(name: "pooler") { try await $0.pooler($1, $2) },
        DoctorCheck(name: "clock") { try await $0.clock($2) },
        DoctorCheck(name: "queue") { try await $0.queue($2) },
        DoctorCheck(name: "xmin") { try await $0.xmin($2) },
    ]

    /// What needs one.
    static let ofOutbox = [
        DoctorCheck(name: "objects") { try await $0.objects($2) },
        DoctorCheck(name: "privileges") { try await $0.privileges($2) },
        DoctorCheck(name: "numbers") { try await $0.numbers($2) },
        DoctorCheck(name: "locks") { try await $0.locks($2) },
        DoctorCheck(name: "doorbell") { try await $0.doorbell($1, $2) },
        DoctorCheck(name: "autovacuum") { try await $0.autovacuum($2) },
        DoctorCheck(name: "segments") { try await $0.segments($2) },
        DoctorCheck(name: "relay") { try await $0.relay($2) },
        DoctorCheck(name: "delivery") { try await $0.delivery($2) },
    ]
}
