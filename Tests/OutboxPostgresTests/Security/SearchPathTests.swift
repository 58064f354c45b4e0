import Foundation
import Logging
import Outbox
import OutboxTestServers
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// Roles that may create objects in a schema which others have in their `search_path` must not get their code run by them.
@Suite(.timeLimit(.minutes(10))) struct SearchPathTests {
    /// A database of its own, in which every session finds the traps before anything of the server's.
    private func withTraps(_ body: (TrappedOutbox) async throws -> Void) async throws {
        let server = try await TestServer.shared
        let name = "traps_\(UUID().uuidString.prefix(8).lowercased())"
        let roles = ["producer", "relay", "monitor"].map { "\(name)_\($0)" }
        let admin = try await LibPQConnection.connect(LibPQConfiguration(server.url))
        try await admin.execute(script: "CREATE DATABASE \(name)")
        for role in roles { try await admin.execute(script: "CREATE ROLE \(role) LOGIN") }
        var configuration = try LibPQConfiguration(server.url)
        configuration.parameters["dbname"] = name
        let result: Result<Void, any Error>
        do {
            let builder = try await LibPQConnection.connect(configuration)
            try await Traps.set(on: builder)
            try await builder.execute(script: "ALTER DATABASE \(name) SET search_path = traps, pg_catalog, public")
            await builder.close()
            let owner = try await LibPQConnection.connect(configuration)
            let trapped = TrappedOutbox(
                configuration: configuration, owner: owner, producer: roles[0], relay: roles[1], monitor: roles[2])
            try await body(trapped)
            await owner.close()
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try await admin.execute(script: "DROP DATABASE \(name) WITH (FORCE)")
        for role in roles { try await admin.execute(script: "DROP ROLE \(role)") }
        await admin.close()
        try result.get()
    }

    struct TrappedOutbox {
        let schema = OutboxSchema()
        let configuration: LibPQConfiguration
        let owner: LibPQConnection
        let producer: String
        let relay: String
        let monitor: String

        func configuration(of role: String) -> LibPQConfiguration {
            var configuration = self.configuration
            configuration.parameters["user"] = role
            return configuration
        }

        func withConnection(_ role: String, _ body: (LibPQConnection) async throws -> Void) async throws {
            let connection = try await LibPQConnection.connect(self.configuration(of: role))
            let result: Result<Void, any Error>
            do { result = .success(try await body(connection)) } catch { result = .failure(error) }
            await connection.close()
            try result.get()
        }
    }

    /// Each kind of trap is there: what is not qualified falls into one.
    private static let careless = [
        "SELECT now()", "SELECT pg_notify('a', 'b')", "SELECT convert_to('a', 'UTF8')", "SELECT count(*) FROM public.t",
        "SELECT max(n) FROM public.t", "SELECT 'a'::pg_catalog.text || 1::pg_catalog.oid",
        "SELECT 1 FROM public.t WHERE n = 1",
        "SELECT 1 FROM public.t WHERE n BETWEEN 1 AND 2", "SELECT 1 FROM public.t WHERE n IS DISTINCT FROM 3",
        "SELECT NULLIF(n, 3) FROM public.t", "SELECT 'a'::text", "SELECT format('%s', 'a'::pg_catalog.text)",
        "SELECT relname FROM pg_class", "SELECT hashtext('a')", "SELECT n & 1::pg_catalog.int2 FROM public.t",
    ]

    @Test func theTrapsAreSet() async throws {
        try await self.withTraps { trapped in
            try await trapped.owner.execute(script: "CREATE TABLE public.t AS SELECT 1::pg_catalog.int4 AS n")
            for statement in Self.careless {
                _ = await #expect(throws: LibPQError.self, "\(statement)") {
                    try await trapped.owner.query(LibPQStatement(statement))
                }
            }
            #expect(try await Traps.sprung(on: trapped.owner) >= Int64(Self.careless.count - 2))
        }
    }

    @Test func nothingOfOursFallsIntoATrap() async throws {
        try await self.withTraps { trapped in
            // As the superuser that migrates: by the program, and by a script in another's transaction and without one.
            let migrator = OutboxMigrator(schema: trapped.schema)
            try await migrator.up(on: trapped.owner)
            _ = try await migrator.status(on: trapped.owner)
            try await migrator.down(to: 0, on: trapped.owner)
            try await trapped.owner.execute(script: trapped.schema.sql)
            try await trapped.owner.execute(script: "BEGIN")
            try await trapped.owner.execute(script: trapped.schema.down)
            try await trapped.owner.execute(script: trapped.schema.sql)
            try await trapped.owner.execute(script: "COMMIT")
            let path = try await trapped.owner.query("SHOW search_path")[0].decode(0, as: String.self)
            #expect(path == "traps, pg_catalog, public")
            try await trapped.owner.execute(
                script: trapped.schema.grants(
                    producer: trapped.producer, relay: trapped.relay, monitor: trapped.monitor))

            let deliveries = Deliveries()
            let relay = self.relay(trapped, deliveries)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await relay.run() }
                for _ in 1...2 {
                    try await self.produce(trapped)
                    try await self.operate(trapped)
                }
                // As the superuser that runs the doctor.
                let findings = try await OutboxDoctor(schema: trapped.schema).examine(trapped.configuration)
                for finding in findings where !["xmin", "autovacuum"].contains(finding.check) {
                    #expect(finding.severity == .ok, "\(finding.check): \(finding.seen)")
                }
                try await eventually("everything is delivered", within: .seconds(60)) {
                    let status = try await OutboxInspector(schema: trapped.schema).status(on: trapped.owner)
                    return status.streams.count == 1 && status.streams[0].lag == .init(0)
                        && status.streams[0].deferred == .init(0)
                }
                relay.stop()
                try await group.waitForAll()
            }
            // Twelve are enqueued in each round and two of them repeat others; those that are rejected are replayed.
            #expect(Set(deliveries.all.map(\.id)).count == 2 * 10 - 1)
            try await migrator.down(to: 0, on: trapped.owner)
            #expect(try await Traps.sprung(on: trapped.owner) == 0)
        }
    }

    /// A relay with the least privileges, to which every kind of outcome happens.
    private func relay(_ trapped: TrappedOutbox, _ deliveries: Deliveries) -> Relay {
        let store = PostgresStore(
            postgres: trapped.configuration(of: trapped.relay), schema: trapped.schema, wakeup: .notify(fallback: nil),
            segments: .eager)
        var logger = Logger(label: "outbox.test")
        logger.logLevel = .critical
        return Relay(
            store: store,
            routes: [
                "d": .handler(retry: .constant(.milliseconds(5))) { message in
                    deliveries.add(message)
                    let text = String(decoding: message.payload, as: UTF8.self)
                    if text == "later", message.attempt < 3 { throw DeliveryFailure.retry("not yet") }
                    if text == "never" { throw DeliveryFailure.reject("no") }
                }
            ], settings: RelayBench.quick, logger: logger)
    }

    /// As an application.
    private func produce(_ trapped: TrappedOutbox) async throws {
        try await trapped.withConnection(trapped.producer) { connection in
            let outbox = PostgresOutbox(schema: trapped.schema)
            func message(_ text: String, key: String? = nil, once: String? = nil) -> NewMessage {
                NewMessage(
                    to: "d", route: "r", key: key, idempotencyKey: once, headers: ["a": "b"],
                    options: MessageOptions(maximumAttempts: 5, maximumDelay: .seconds(1)), text: text)
            }
            try await connection.withTransaction { transaction in
                try await outbox.enqueue(message("later", key: "k"), in: transaction)
                try await outbox.enqueue([message("x", key: "k"), message("never", key: "other")], in: transaction)
                try await outbox.enqueue(message("x", once: "once"), in: transaction)
                try await outbox.enqueue([message("x", once: "once"), message("x")], in: transaction)
                try await outbox.copy([message("x")], in: transaction)
            }
            for call in [
                "'d', 'text'", "'d', '\\x00'::pg_catalog.bytea, key => 'k'", "'d', '{}'::pg_catalog.json",
                "'d', '{}'::pg_catalog.jsonb, options => '{\"max_attempts\":3,\"max_delay\":1}'",
                "'d', 'x', idempotency_key => 'once', deliver_at => '2020-01-01Z'",
            ] {
                try await connection.execute(script: "SELECT outbox.enqueue(\(call))")
            }
            // What is refused says so and nothing else.
            for (call, state) in [
                ("'', 'x'", "23514"), ("'d', 'x', ''", "23514"), ("'d', 'x', route => ''", "23514"),
                ("'d', 'x', headers => '[]'", "23514"), ("'d', 'x', options => '[]'", "23514"),
                ("'d', 'x', options => '{\"max_attempts\":0}'", "23514"),
                ("'d', 'x', options => '{\"max_attempts\":1,\"max_delay\":-1}'", "23514"),
                ("'d', pg_catalog.decode(pg_catalog.repeat('00', 67108865), 'hex')", "23514"),
                ("'d', 'x', idempotency_key => ''", "23514"), ("'d', 42", "42804"), ("'d', 'x', 42", "42804"),
                ("NULL, 'x'", "23502"),
            ] {
                let error = await #expect(throws: LibPQError.self) {
                    try await connection.execute(script: "SELECT outbox.enqueue(\(call))")
                }
                #expect(error?.sqlState == state)
            }
        }
    }

    /// As operators.
    private func operate(_ trapped: TrappedOutbox) async throws {
        try await trapped.withConnection(trapped.relay) { connection in
            let inspector = OutboxInspector(schema: trapped.schema)
            let streams = OutboxStreams(schema: trapped.schema)
            try await eventually("one is dead", within: .seconds(60)) {
                try await !inspector.deadLetters(on: connection).isEmpty
            }
            let first = try await inspector.status(on: connection)
            _ = try await inspector.status(since: first, on: connection)
            var filter = DeadLetterFilter()
            filter.common.destination = "d"
            filter.common.errorContains = "no"
            filter.common.newerThan = .seconds(3600)
            let dead = try await inspector.deadLetters(matching: filter, on: connection)
            _ = try await inspector.deadLetter(id: dead[0].id, on: connection)
            #expect(try await inspector.replay(matching: filter, dryRun: true, on: connection) == dead.count)
            try await streams.pause("d", on: connection)
            try await inspector.replay(matching: filter, on: connection)
            try await streams.rewind("d", to: .id(Int64.max), on: connection)
            try await streams.rewind("d", to: .time(Date.distantFuture), on: connection)
            try await streams.resume("d", on: connection)
            try await eventually("it is dead again", within: .seconds(60)) {
                try await !inspector.deadLetters(on: connection).isEmpty
            }
            try await inspector.discard(matching: filter, on: connection)
            try await OutboxJanitor(schema: trapped.schema, policy: .eager).run(on: connection)
            try await PostgresOutbox(schema: trapped.schema).expireIdempotencyKeys(on: connection)
        }
        try await trapped.withConnection(trapped.monitor) { connection in
            for view in ["pending", "lag"] { try await connection.execute(script: "TABLE outbox.\(view)") }
            _ = try await OutboxInspector(schema: trapped.schema).status(on: connection)
        }
        _ = try await OutboxDoctor(schema: trapped.schema).examine(trapped.configuration(of: trapped.monitor))
    }
}
