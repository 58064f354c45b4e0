import Logging
import Synchronization
import Testing

@testable import Outbox
@testable import OutboxPostgres

/// An outbox of its own on the shared server, with what a test needs to fill it, run relays on it and look inside.
struct RelayBench: Sendable {
    let postgres: LibPQConfiguration
    let schema: OutboxSchema
    let admin: LibPQConnection

    /// Creates the outbox in the running test's schema.
    static func make(postgres: LibPQConfiguration? = nil, suffix: String = "") async throws -> RelayBench {
        let scope = SchemaScope.current
        let postgres = try postgres ?? LibPQConfiguration(scope.url)
        let schema = try OutboxSchema(name: scope.name + suffix)
        let admin = try await LibPQConnection.connect(postgres)
        try await admin.execute(script: schema.sql)
        return RelayBench(postgres: postgres, schema: schema, admin: admin)
    }

    /// The same outbox with a new connection, where the server has ended the old one.
    func again() async throws -> RelayBench {
        RelayBench(
            postgres: self.postgres, schema: self.schema, admin: try await LibPQConnection.connect(self.postgres))
    }

    /// The store, without its fallback poll: a lost wake-up stays lost.
    var store: PostgresStore {
        PostgresStore(postgres: self.postgres, schema: self.schema, wakeup: .notify(fallback: nil))
    }

    /// Settings with short waits.
    static var quick: RelaySettings {
        var settings = RelaySettings()
        settings.standbyInterval = .milliseconds(20)
        settings.reconnect.initialDelay = .milliseconds(5)
        settings.reconnect.maximumDelay = .milliseconds(50)
        settings.commit.interval = .milliseconds(5)
        return settings
    }

    /// A relay on this outbox.
    func relay(
        _ routes: RelayRoutes, settings: RelaySettings = RelayBench.quick, store: PostgresStore? = nil
    ) -> Relay {
        var logger = Logger(label: "outbox.test")
        logger.logLevel = .critical
        return Relay(store: store ?? self.store, routes: routes, settings: settings, logger: logger)
    }

    /// Runs a relay beside `body` and ends it gracefully afterwards.
    @discardableResult
    func run<Result: Sendable>(_ relay: Relay, _ body: () async throws -> Result) async throws -> Result {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await relay.run() }
            let result: Result
            do {
                result = try await body()
            } catch {
                relay.stop()
                throw error
            }
            relay.stop()
            try await group.waitForAll()
            return result
        }
    }

    // MARK: - The outbox

    /// Runs SQL in which `$outbox` stands for the schema.
    @discardableResult
    func sql(_ text: String, _ binds: [LibPQValue] = []) async throws -> LibPQResult {
        try await self.admin.query(LibPQStatement(self.render(text), binds))
    }

    func script(_ text: String) async throws {
        try await self.admin.execute(script: self.render(text))
    }

    func render(_ text: String) -> String {
        text.split(separator: "$outbox", omittingEmptySubsequences: false).joined(separator: self.schema.identifier)
    }

    /// The number that a statement returns.
    func count(_ text: String, _ binds: [LibPQValue] = []) async throws -> Int {
        Int(try await self.sql(text, binds)[0].decode(0, as: Int64.self))
    }

    func deferredCount() async throws -> Int { try await self.count("SELECT count(*) FROM $outbox.deferred") }

    func deadCount() async throws -> Int { try await self.count("SELECT count(*) FROM $outbox.dead_letter") }

    /// Messages that no stored cursor has passed.
    func pendingCount() async throws -> Int {
        try await self.count(
            """
            SELECT count(*) FROM $outbox.message
            WHERE NOT EXISTS (
                SELECT FROM $outbox.stream
                WHERE stream.destination = message.destination AND message.id <= stream.position
                    AND pg_visible_in_snapshot(message.xid, stream.snapshot))
            """)
    }

    /// Whether a relay holds the bell, which it does only when it sleeps.
    func isAsleep() async throws -> Bool {
        try await self.count(
            """
            SELECT count(*) FROM pg_locks
            WHERE locktype = 'advisory' AND classid = '$outbox.message'::regclass::oid AND objid = 0
                AND mode = 'ExclusiveLock' AND granted
            """) == 1
    }

    /// Whether a relay is the one that takes the bell.
    func hasKeeper() async throws -> Bool {
        try await self.count(
            """
            SELECT count(*) FROM pg_locks
            WHERE locktype = 'advisory' AND classid = '$outbox.message'::regclass::oid AND objid = 4294967295 AND granted
            """) == 1
    }

    /// Which locks are streams', for a condition on `pg_locks`.
    static let ownsStream =
        "locktype = 'advisory' AND classid = '$outbox.message'::regclass::oid AND objid::bigint BETWEEN 1 AND 2147483647 AND granted"

    /// How many sessions own streams.
    func ownerCount() async throws -> Int {
        try await self.count("SELECT count(DISTINCT pid) FROM pg_locks WHERE \(Self.ownsStream)")
    }

    /// Ends the sessions that own streams from the server's side.
    func terminateOwner() async throws {
        try await self.sql(
            "SELECT pg_terminate_backend(pid) FROM (SELECT DISTINCT pid FROM pg_locks WHERE \(Self.ownsStream)) AS owners"
        )
    }
}

/// What handlers were given, in the order in which they were called.
final class Deliveries: Sendable {
    struct Item: Sendable, Hashable {
        let id: Int64
        let key: String?
        let attempt: Int
        let text: String
    }

    private let items = Mutex<[Item]>([])

    func add(_ message: Message) {
        let item = Item(
            id: message.id, key: message.key, attempt: message.attempt,
            text: String(decoding: message.payload, as: UTF8.self))
        self.items.withLock { $0.append(item) }
    }

    var all: [Item] { self.items.withLock { $0 } }
    var texts: [String] { self.all.map(\.text) }
    var count: Int { self.items.withLock(\.count) }

    /// Whether each key's messages came in the order of their ids.
    var isOrderedByKey: Bool {
        Dictionary(grouping: self.all.filter { $0.key != nil }, by: \.key).values.allSatisfy { items in
            zip(items, items.dropFirst()).allSatisfy { $0.id < $1.id }
        }
    }
}

extension OutboxStatus {
    /// The first relay that delivers.
    var relay: RelayProcess? { self.relays.first(where: \.isOwner) }
}
