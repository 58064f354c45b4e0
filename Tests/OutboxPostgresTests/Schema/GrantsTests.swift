import Foundation
import Logging
import Outbox
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// What roles can do with no more than ``OutboxSchema/grants(producer:relay:monitor:)`` gives.
@Suite(.timeLimit(.minutes(10))) struct GrantsTests {
    @Test func aProducerEnqueuesInEveryWay() async throws {
        try await withTestOutbox(prefix: "a\"b it's") { test in
            try await test.withRole { role in
                try await test.connection.execute(script: test.schema.grants(producer: role))
                let connection = try await test.connect(as: role)
                let outbox = PostgresOutbox(schema: test.schema)
                let message = NewMessage(
                    to: "there", route: "r", key: "k", headers: ["a": "b"], deliverAt: .distantPast,
                    options: MessageOptions(maximumAttempts: 1), text: "text")
                try await connection.withTransaction { transaction in
                    try await outbox.enqueue(message, in: transaction)
                    try await outbox.enqueue([message, message], in: transaction)
                    try await outbox.copy([message], in: transaction)
                    for payload in ["'text'", "'\\x00'::bytea", "'{}'::jsonb"] {
                        try await transaction.query(
                            "SELECT \(unescaped: test.name).enqueue('there', \(unescaped: payload))")
                    }
                    try await transaction.query(
                        """
                        INSERT INTO \(unescaped: test.name).message (destination, payload) VALUES ('there', 'text')
                        RETURNING id
                        """)
                }
                #expect(try await test.messages().map(\.id) == Array(1...8))
                await connection.close()
            }
        }
    }

    /// Without the privilege to read which segment is current nothing is enqueued, rather than into another one.
    @Test func aProducerThatMayNotReadTheSequenceIsRefused() async throws {
        try await withTestOutbox { test in
            try await test.withRole { role in
                try await test.connection.execute(script: test.schema.grants(producer: role))
                try await test.connection.execute(
                    script: """
                        SELECT setval('\(test.schema.identifierText).segment_number', 1);
                        REVOKE SELECT ON SEQUENCE \(test.name).segment_number FROM "\(role)"
                        """)
                let connection = try await test.connect(as: role)
                let outbox = PostgresOutbox(schema: test.schema)
                _ = await #expect(throws: (any Error).self) {
                    try await connection.execute(script: "SELECT \(test.name).enqueue('d', 'x')")
                }
                _ = await #expect(throws: (any Error).self) {
                    try await connection.withTransaction { transaction in
                        _ = try await outbox.copy([NewMessage(to: "d", text: "x")], in: transaction)
                    }
                }
                #expect(try await test.messages().isEmpty)
                await connection.close()
            }
        }
    }

    @Test func aProducerUsesIdempotencyKeysInEveryWay() async throws {
        try await withTestOutbox(prefix: "a\"b it's") { test in
            try await test.withRole { role in
                try await test.connection.execute(script: test.schema.grants(producer: role))
                let connection = try await test.connect(as: role)
                let outbox = PostgresOutbox(schema: test.schema)
                let message = NewMessage(to: "there", idempotencyKey: "k", text: "text")
                for round in [1, 2] {
                    try await connection.withTransaction { transaction in
                        var ids = [try await outbox.enqueue(message, in: transaction)]
                        ids += try await outbox.enqueue([message, message], in: transaction)
                        for payload in ["'text'", "'\\x00'::bytea", "'{}'::jsonb"] {
                            let row = try await transaction.query(
                                """
                                SELECT \(unescaped: test.name).enqueue(
                                    'there', \(unescaped: payload), idempotency_key => 'k')
                                """)[0]
                            ids.append(try row.decode(0))
                        }
                        #expect(Set(ids) == [Int64(round)])
                    }
                    try await test.connection.execute(script: "UPDATE \(test.name).idempotency SET expires_at = now()")
                }
                #expect(try await test.messages().count == 2)
                await connection.close()
            }
        }
    }

    @Test func aRelayRemovesIdempotencyKeys() async throws {
        try await withTestOutbox { test in
            _ = try await test.value(
                "SELECT \(test.name).enqueue('there', 'text', idempotency_key => 'a', idempotency_window => '0')",
                as: Int64.self)
            let outbox = PostgresOutbox(schema: test.schema)
            try await test.withRole { role in
                let connection = try await test.connect(as: role)
                try await test.connection.execute(script: test.schema.grants(producer: role))
                let error = await #expect(throws: OutboxError.self) {
                    try await outbox.expireIdempotencyKeys(on: connection)
                }
                #expect(error?.code == .privilege)
                try await test.connection.execute(script: test.schema.grants(relay: role))
                #expect(try await outbox.expireIdempotencyKeys(on: connection) == 1)
                await connection.close()
            }
        }
    }

    /// A producer rings a sleeping relay: the trigger's function is nothing that it could call itself.
    @Test func aProducerRings() async throws {
        try await withTestOutbox { test in
            try await test.withRole { role in
                try await test.connection.execute(script: test.schema.grants(producer: role))
                let oid = try await test.value(
                    "SELECT '\(test.schema.identifierText).message'::regclass::oid", as: Int64.self)
                let sleeper = try await test.connect()
                try await sleeper.query("LISTEN \(unescaped: "outbox_\(oid)")")
                try await sleeper.query("SELECT pg_advisory_lock(\(Int32(truncatingIfNeeded: oid)), 0)")
                let connection = try await test.connect(as: role)
                try await connection.query("SELECT \(unescaped: test.name).enqueue('there', 'text')")
                let activity = try await sleeper.waitForActivity(until: nil)
                guard case .notified(let notifications) = activity else {
                    Issue.record("\(activity)")
                    return
                }
                #expect(notifications.map(\.channel) == ["outbox_\(oid)"])
                await connection.close()
                await sleeper.close()
            }
        }
    }

    @Test func aProducerCanDoNothingElse() async throws {
        try await withTestOutbox { test in
            _ = try await test.value("SELECT \(test.name).enqueue('there', 'secret')", as: Int64.self)
            try await test.withRole { role in
                try await test.connection.execute(script: test.schema.grants(producer: role))
                let connection = try await test.connect(as: role)
                for statement in [
                    "SELECT payload FROM $.message", "SELECT * FROM $.message", "SELECT xid FROM $.message",
                    "TABLE $.message_0", "TABLE $.stream", "TABLE $.deferred", "TABLE $.dead_letter",
                    "TABLE $.migration", "TABLE $.pending", "TABLE $.lag", "SELECT $.stream_lag()",
                    "DELETE FROM $.idempotency", "TRUNCATE $.idempotency", "UPDATE $.idempotency SET key = 'a'",
                    "INSERT INTO $.idempotency VALUES ('there', 'a', 1, now())",
                    "UPDATE $.message SET payload = ''", "DELETE FROM $.message", "TRUNCATE $.message",
                    "INSERT INTO $.message (id, destination, payload) OVERRIDING SYSTEM VALUE VALUES (7, 'there', '')",
                    "INSERT INTO $.message (xid, destination, payload) VALUES ('3', 'there', '')",
                    "INSERT INTO $.message (created_at, destination, payload) VALUES (now(), 'there', '')",
                    "INSERT INTO $.message_0 (segment, destination, payload) VALUES (0, 'there', '')",
                    "INSERT INTO $.message (destination, payload) VALUES ('there', '') RETURNING payload",
                    "INSERT INTO $.deferred DEFAULT VALUES", "DELETE FROM $.stream",
                    "DO 'BEGIN LOCK TABLE $.message IN SHARE MODE; END'",
                    "SELECT nextval('$text.segment_number')", "SELECT setval('$text.segment_number', 3)",
                    "SELECT $.truncate_segment(1::smallint)", "TABLE $.segment",
                    "ALTER TABLE $.message DISABLE TRIGGER doorbell", "DROP TABLE $.message",
                    "CREATE TABLE $.mine ()", "CREATE FUNCTION $.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                ] {
                    let text = statement.replacing("$text", with: test.schema.identifierText)
                        .replacing("$", with: test.name)
                    let error = await #expect(throws: LibPQError.self, "\(statement)") {
                        try await connection.query(LibPQStatement(text))
                    }
                    #expect(error?.sqlState == "42501", "\(statement): \(error.debugDescription)")
                }
                // What RETURNING id needs shows numbers, and no more.
                #expect(try await connection.query("SELECT id FROM \(unescaped: test.name).message").rowCount == 1)
                await connection.close()
            }
        }
    }

    @Test func withoutGrantsARoleCanDoNothing() async throws {
        try await withTestOutbox { test in
            try await test.withRole { role in
                let connection = try await test.connect(as: role)
                let enqueue = await #expect(throws: LibPQError.self) {
                    try await connection.query("SELECT \(unescaped: test.name).enqueue('there', 'text')")
                }
                #expect(enqueue?.sqlState == "42501")
                let status = await #expect(throws: OutboxError.self) {
                    try await OutboxMigrator(schema: test.schema).status(on: connection)
                }
                #expect(status?.code == .privilege)
                await connection.close()
            }
        }
    }

    @Test func aRelayRunsAWholeSession() async throws {
        try await withTestOutbox { test in
            try await test.withRole { role in
                try await test.connection.execute(script: test.schema.grants(relay: role))
                let outbox = PostgresOutbox(schema: test.schema)
                try await test.connection.withTransaction { transaction in
                    try await outbox.enqueue(
                        [
                            NewMessage(to: "there", text: "delivered"), NewMessage(to: "there", text: "rejected"),
                            NewMessage(
                                to: "there", key: "k", options: MessageOptions(maximumDelay: .zero), text: "retried"),
                            NewMessage(to: "there", key: "k", text: "last"),
                        ], in: transaction)
                }
                let attempts = Mutex<[String]>([])
                let relayBox = Mutex<Relay?>(nil)
                let relay = try await Relay(
                    postgres: test.configuration(of: role), outbox: test.schema,
                    routes: [
                        "there": .handler { message in
                            let text = String(decoding: message.payload, as: UTF8.self)
                            attempts.withLock { $0.append(text) }
                            if text == "rejected" { throw DeliveryFailure.reject("no") }
                            if text == "retried" && message.attempt == 1 {
                                throw DeliveryFailure.retry(after: .zero, "later")
                            }
                            if text == "last" { relayBox.withLock { $0 }?.stop() }
                        }
                    ])
                relayBox.withLock { $0 = relay }
                try await relay.run()
                relayBox.withLock { $0 = nil }
                #expect(attempts.withLock { $0.filter { $0 == "retried" }.count } == 2)
                let left = try await test.connection.query(
                    """
                    SELECT (SELECT count(*) FROM \(unescaped: test.name).deferred),
                        (SELECT count(*) FROM \(unescaped: test.name).dead_letter),
                        (SELECT position FROM \(unescaped: test.name).stream)
                    """)
                #expect(left[0].int64s == [0, 1, 4])
            }
        }
    }

    /// Everything an operator or the relay's janitor does, with a relay's grants.
    @Test func aRelayLooksAfterSegmentsAndStreams() async throws {
        try await withTestOutbox { test in
            try await test.withRole { role in
                try await test.connection.execute(
                    script: """
                        \(test.schema.grants(relay: role))
                        INSERT INTO \(test.name).stream (destination, snapshot, position, horizon)
                        VALUES ('there', pg_current_snapshot(), 0, pg_current_xact_id());
                        SELECT \(test.name).enqueue('there', 'text');
                        """)
                let connection = try await test.connect(as: role)
                var policy = SegmentPolicy()
                (policy.retention, policy.maximumAge) = (.zero, .zero)
                let janitor = OutboxJanitor(schema: test.schema, policy: policy)
                #expect(try await janitor.run(on: connection).advancedTo == 1)
                #expect(try await janitor.run(on: connection).segments[0].outcome == .unread)
                try await test.connection.execute(
                    script: "UPDATE \(test.name).stream SET position = 1, snapshot = pg_current_snapshot()")
                let streams = OutboxStreams(schema: test.schema)
                try await streams.pause("there", on: connection)
                try await streams.resume("there", on: connection)
                #expect(try await streams.rewind("there", to: .time(.distantPast), on: connection) == 1)
                #expect(try await streams.discard("there", on: connection).messages == .init(1))
                #expect(try await streams.rewind("there", to: .time(.distantPast), on: connection) == 1)
                #expect(try await janitor.run(on: connection).segments[0].outcome == .unread)
                try await test.connection.execute(script: "UPDATE \(test.name).stream SET position = 1")
                #expect(try await janitor.run(on: connection).segments[0].outcome == .truncated)
                await connection.close()
            }
        }
    }

    /// The grants of a version before the janitor: it delivers, and says once what is missing.
    @Test func withoutTheJanitorsGrantsARelayDelivers() async throws {
        try await withTestOutbox { test in
            try await test.withRole { role in
                try await test.connection.execute(
                    script: """
                        \(test.schema.grants(relay: role))
                        REVOKE ALL ON FUNCTION \(test.name).truncate_segment(smallint) FROM "\(role)";
                        REVOKE ALL ON \(test.name).segment FROM "\(role)";
                        SELECT \(test.name).enqueue('there', 'text');
                        """)
                let log = LogLines(from: .warning)
                let relayBox = Mutex<Relay?>(nil)
                let relay = try await Relay(
                    postgres: test.configuration(of: role), outbox: test.schema,
                    routes: ["there": .handler { _ in relayBox.withLock { $0 }?.stop() }], logger: log.logger)
                relayBox.withLock { $0 = relay }
                try await relay.run()
                relayBox.withLock { $0 = nil }
                #expect(log.warnings.count == 1)
                #expect(log.warnings.first?.contains("EXECUTE ON FUNCTION truncate_segment") == true)
                let connection = try await test.connect(as: role)
                let error = await #expect(throws: OutboxError.self) {
                    try await OutboxJanitor(schema: test.schema).run(on: connection)
                }
                #expect(error?.code == .privilege)
                await connection.close()
            }
        }
    }

    @Test func aRelayCannotWriteTheLog() async throws {
        try await withTestOutbox { test in
            try await test.withRole { role in
                try await test.connection.execute(script: test.schema.grants(relay: role))
                let connection = try await test.connect(as: role)
                for statement in [
                    "INSERT INTO $.message (destination, payload) VALUES ('there', '')",
                    "UPDATE $.message SET payload = ''",
                    "DELETE FROM $.message", "DELETE FROM $.stream", "UPDATE $.migration SET checksum = ''",
                    "UPDATE $.idempotency SET message_id = 0",
                    "INSERT INTO $.idempotency (destination, key, expires_at) VALUES ('there', 'a', now())",
                    "UPDATE $.dead_letter SET attempts = 0", "TRUNCATE $.message", "TRUNCATE $.message_1",
                    "ALTER TABLE $.message DISABLE TRIGGER doorbell",
                ] {
                    let text = statement.replacing("$text", with: test.schema.identifierText)
                        .replacing("$", with: test.name)
                    let error = await #expect(throws: LibPQError.self, "\(statement)") {
                        try await connection.query(LibPQStatement(text))
                    }
                    #expect(error?.sqlState == "42501", "\(statement)")
                }
                await connection.close()
            }
        }
    }
}

extension LibPQRow {
    /// All columns, which are numbers.
    var int64s: [Int64] { (0..<self.result.columnCount).map { self.result.int64(row: self.index, column: $0) } }
}
