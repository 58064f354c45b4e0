import Logging
import Outbox
import OutboxMigrations
import TestSupport
import Testing

@testable import OutboxPostgres

/// A role for which an administrator has set every limit of time that there is: `ALTER ROLE … SET`.
@Suite(.schema, .timeLimit(.minutes(3))) struct RoleTimeoutTests {
    /// Every limit of a session that the server knows, whatever its version; those of the network are not meant.
    private static let limits = """
        SELECT name FROM pg_settings
        WHERE name LIKE '%\\_timeout' AND context = 'user' AND name NOT IN ('tcp_user_timeout', 'wal_sender_timeout')
        """

    private struct Bench {
        let relay: RelayBench
        /// How to connect as that role.
        let postgres: LibPQConfiguration
        let limits: Set<String>
    }

    /// - Parameter time: What each limit is set to.
    private func withRole(_ time: String, _ body: (Bench) async throws -> Void) async throws {
        let bench = try await RelayBench.make()
        let role = "limited in \(bench.schema.name)"
        try await bench.script("CREATE ROLE \"\(role)\" LOGIN SUPERUSER")
        var limits: Set<String> = []
        for row in try await bench.sql(Self.limits) { limits.insert(try row.decode(0)) }
        for limit in limits { try await bench.script("ALTER ROLE \"\(role)\" SET \(limit) = '\(time)'") }
        let version = try await bench.count("SELECT current_setting('server_version_num')::bigint")
        #expect(limits.contains("transaction_timeout") == (version >= 170000))
        #expect(limits.count >= 4)
        var postgres = bench.postgres
        postgres.parameters["user"] = role
        try await body(Bench(relay: bench, postgres: postgres, limits: limits))
        try await bench.script("DROP OWNED BY \"\(role)\" CASCADE; DROP ROLE \"\(role)\"")
    }

    /// What a session has of the limits, in the words of `SHOW`.
    private func show(_ limits: Set<String>, _ connection: LibPQConnection) async throws -> [String: String] {
        var shown: [String: String] = [:]
        for limit in limits { shown[limit] = try await connection.value("SHOW \(unescaped: limit)") }
        return shown
    }

    @Test func aRelaysSessionHasNone() async throws {
        try await self.withRole("1min") { bench in
            let store = PostgresStore(postgres: bench.postgres, schema: bench.relay.schema)
            let session = try await store.openSession(subscription: "main", logger: Logger(label: "test"))
            let connection = try #require(session as? PostgresSession).connection
            #expect(try await self.show(bench.limits, connection) == bench.limits.reduce(into: [:]) { $0[$1] = "0" })
            // It stays so for what the session does later.
            _ = try await session.attach(["d"])
            _ = try await session.read([], until: .now)
            #expect(try await self.show(bench.limits, connection) == bench.limits.reduce(into: [:]) { $0[$1] = "0" })
            await session.close()
        }
    }

    /// It sleeps, waits for a lock and has a handler at work for longer than any of them.
    @Test func aRelayOutlivesThemAll() async throws {
        try await self.withRole("500ms") { bench in
            let deliveries = Deliveries()
            let gate = Gate()
            let store = PostgresStore(
                postgres: bench.postgres, schema: bench.relay.schema, wakeup: .notify(fallback: nil))
            // A relay that is alone looks every 30 of these.
            var settings = RelayBench.quick
            settings.standbyInterval = .seconds(1)
            let relay = bench.relay.relay(
                [
                    "d": .handler(parking: .never) { message in
                        if message.key == "slow" { await gate.enter() }
                        deliveries.add(message)
                    }
                ], settings: settings, store: store)
            /// The session that owns the stream, if it has been idle for longer than the limits.
            let idle = """
                SELECT coalesce(max(pid), 0)::bigint FROM pg_locks JOIN pg_stat_activity USING (pid)
                WHERE \(RelayBench.ownsStream) AND pg_stat_activity.state = 'idle' AND clock_timestamp() - state_change > '1 s'
                """
            try await bench.relay.run(relay) {
                try await bench.relay.sql("SELECT $outbox.enqueue('d', '1')")
                var session = 0
                try await eventually("it has been idle for longer") {
                    session = try await bench.relay.count(idle)
                    return deliveries.count == 1 && session > 0
                }
                try await bench.relay.sql("SELECT $outbox.enqueue('d', '2', key => 'slow')")
                await gate.waitUntilEntered()
                try await eventually("its handler has been at work for longer") {
                    try await bench.relay.count(idle) == session
                }
                await gate.open()
                try await eventually("all is stored") { try await bench.relay.pendingCount() == 0 }
                #expect(deliveries.texts == ["1", "2"])
                try await eventually("by the same session") { try await bench.relay.count(idle) == session }
            }
        }
    }

    /// How long a migration takes is not known before. How long it waits for locks, which others wait behind, is the administrator's to say.
    @Test func aMigrationHasNoneButForLocks() async throws {
        try await self.withRole("2s") { bench in
            let schema = try OutboxSchema(name: SchemaScope.current.name + "_migrated")
            let newest = Migrations.all.last?.version ?? 0
            let look = Migrations.File(
                version: newest + 1, name: "look",
                up: """
                    SELECT pg_catalog.pg_sleep(2.5);
                    CREATE TABLE {{schema}}.seen AS SELECT name, setting FROM pg_catalog.pg_settings;
                    """, down: "DROP TABLE {{schema}}.seen;")
            let connection = try await LibPQConnection.connect(bench.postgres)
            try await OutboxMigrator(schema: schema, migrations: Migrations.all + [look]).up(on: connection)
            var seen: [String: String] = [:]
            for row in try await connection.query("SELECT * FROM \(unescaped: schema.identifier).seen") {
                seen[try row.decode(0)] = try row.decode(1)
            }
            for limit in bench.limits {
                // The one of sessions that lie idle outside of a transaction means nothing in it.
                let isKept = ["lock_timeout", "idle_session_timeout"].contains(limit)
                #expect(seen[limit] == (isKept ? "2000" : "0"), "\(limit)")
            }
            // The session is the caller's, and has again what it had.
            #expect(try await self.show(bench.limits, connection) == bench.limits.reduce(into: [:]) { $0[$1] = "2s" })
            await connection.close()
        }
    }

    /// The sessions of a pool are the application's, with its limits. One that the server has ended for them is never given out.
    @Test func aPoolKeepsThemAndReplacesWhatTheyEnd() async throws {
        // Long enough that a process which does not get a processor for a while is not what ends a session.
        try await self.withRole("5s") { bench in
            let pool = LibPQConnectionPool(bench.postgres, maximumConnections: 1)
            for limit in bench.limits.sorted() {
                let process = try await pool.withConnection { connection in
                    let shown = try await self.show([limit], connection)
                    #expect(shown == [limit: "5s"])
                    if limit == "transaction_timeout" {
                        let error = await thrown {
                            try await connection.withTransaction { transaction in
                                try await transaction.query("SET LOCAL statement_timeout = 0")
                                try await transaction.query("SELECT pg_sleep(60)")
                            }
                        }
                        #expect(clientError(error)?.sqlState == "25P04", "\(String(describing: error))")
                    }
                    return connection.processID
                }
                // Lying idle ends it.
                try await eventually("the session has ended") {
                    try await bench.relay.count(
                        "SELECT count(*) FROM pg_stat_activity WHERE pid = \(process)") == 0
                }
                #expect(try await pool.withConnection { try await $0.value("SELECT 1") } == 1)
            }
            await pool.close()
        }
    }
}
