import Foundation
import Outbox
import OutboxSQL
import Testing

@testable import OutboxPostgres

/// A message is enqueued once for an idempotency key, in whatever way.
@Suite(.timeLimit(.minutes(10))) struct IdempotencyTests {
    // MARK: - One after the other

    @Test(arguments: KeyedWay.allCases)
    func theFirstOnesNumberIsReturned(way: KeyedWay) async throws {
        try await withTestOutbox(prefix: "it's \"one\"") { test in
            let outbox = PostgresOutbox(schema: test.schema)
            let ids = try await test.connection.withTransaction { transaction in
                [
                    try await way.enqueue(.keyed("a", "first"), outbox, in: transaction),
                    try await way.enqueue(.keyed("a", "second"), outbox, in: transaction),
                    try await way.enqueue(.keyed("b"), outbox, in: transaction),
                    try await way.enqueue(.keyed("a", to: "elsewhere"), outbox, in: transaction),
                    try await way.enqueue(.keyed(nil), outbox, in: transaction),
                    try await way.enqueue(.keyed(nil), outbox, in: transaction),
                ]
            }
            #expect(ids == [1, 1, 2, 3, 4, 5])
            for again in KeyedWay.allCases {
                #expect(try await again.enqueue(.keyed("a"), outbox, on: test.connection) == 1)
            }
            let stored = try await test.messages()
            #expect(stored.map(\.id) == [1, 2, 3, 4, 5])
            #expect(stored[0].payload == Array("first".utf8))
        }
    }

    @Test(arguments: KeyedWay.allCases)
    func whatWasRolledBackHadNoKey(way: KeyedWay) async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            await #expect(throws: CancellationError.self) {
                try await test.connection.withTransaction { transaction in
                    _ = try await way.enqueue(.keyed("a"), outbox, in: transaction)
                    throw CancellationError()
                }
            }
            try await test.connection.withTransaction { transaction in
                await #expect(throws: CancellationError.self) {
                    try await transaction.withSavepoint { transaction in
                        _ = try await way.enqueue(.keyed("a", "savepoint"), outbox, in: transaction)
                        throw CancellationError()
                    }
                }
                let id = try await way.enqueue(.keyed("a", "stays"), outbox, in: transaction)
                #expect(try await way.enqueue(.keyed("a", "again"), outbox, in: transaction) == id)
            }
            #expect(try await test.messages().map(\.payload) == [Array("stays".utf8)])
        }
    }

    /// The key of a savepoint that was released belongs to the transaction.
    @Test func aReleasedSavepointKeepsItsKey() async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            try await test.connection.withTransaction { transaction in
                let id = try await transaction.withSavepoint { transaction in
                    try await outbox.enqueue(.keyed("a"), in: transaction)
                }
                #expect(try await outbox.enqueue(.keyed("a"), in: transaction) == id)
            }
            #expect(try await test.messages().count == 1)
        }
    }

    // MARK: - The window

    @Test func theWindowIsADayUnlessItIsGiven() async throws {
        try await withTestOutbox { test in
            let week = PostgresOutbox(schema: test.schema, idempotencyWindow: .seconds(7 * 24 * 60 * 60))
            try await test.connection.withTransaction { transaction in
                for way in KeyedWay.allCases {
                    let outbox = PostgresOutbox(schema: test.schema)
                    _ = try await way.enqueue(.keyed("day \(way)"), outbox, in: transaction)
                }
                try await week.enqueue(.keyed("week"), in: transaction)
                try await week.enqueue([.keyed("week too")], in: transaction)
                let always = PostgresOutbox(schema: test.schema, idempotencyWindow: .seconds(1e17))
                try await always.enqueue(.keyed("always"), in: transaction)
                let never = PostgresOutbox(schema: test.schema, idempotencyWindow: .seconds(-1))
                let ids = [
                    try await never.enqueue(.keyed("never"), in: transaction),
                    try await never.enqueue(.keyed("never"), in: transaction),
                ]
                #expect(ids[0] < ids[1])
                let hours = try await transaction.query(
                    """
                    SELECT array_agg((extract(epoch FROM expires_at - now()) / 3600)::bigint ORDER BY expires_at)
                    FROM \(unescaped: test.name).idempotency
                    """)[0].decode(0, as: [Int64].self)
                #expect(hours == [0, 24, 24, 24, 168, 168, 8_766_000])
            }
        }
    }

    @Test(arguments: KeyedWay.allCases)
    func aKeyWhoseWindowIsOverIsTakenOver(way: KeyedWay) async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            #expect(try await way.enqueue(.keyed("a"), outbox, on: test.connection) == 1)
            try await test.expireIdempotencyKeys()
            #expect(try await way.enqueue(.keyed("a"), outbox, on: test.connection) == 2)
            #expect(try await way.enqueue(.keyed("a"), outbox, on: test.connection) == 2)
            #expect(try await test.messages().map(\.id) == [1, 2])
            #expect(try await test.value("SELECT count(*) FROM \(test.name).idempotency", as: Int.self) == 1)
        }
    }

    @Test func expiredKeysAreRemovedInBatches() async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            let messages = (0..<25).map { NewMessage.keyed("\($0)") }
            try await test.connection.withTransaction { transaction in
                _ = try await outbox.enqueue(messages, in: transaction)
            }
            #expect(try await outbox.expireIdempotencyKeys(on: test.connection) == 0)
            try await test.connection.execute(
                script: "UPDATE \(test.name).idempotency SET expires_at = now() - interval '1 day' WHERE key < '2'")
            // One is being taken over.
            let other = try await test.connect()
            let transaction = try await other.begin()
            let id = try await outbox.enqueue(.keyed("1"), in: transaction)
            #expect(try await outbox.expireIdempotencyKeys(batch: 4, on: test.connection) == 11)
            try await transaction.commit()
            await other.close()
            let left = try await test.value(
                "SELECT array_agg(key ORDER BY key) FROM \(test.name).idempotency", as: [String].self)
            #expect(left == ["1", "2", "20", "21", "22", "23", "24", "3", "4", "5", "6", "7", "8", "9"])
            #expect(try await KeyedWay.one.enqueue(.keyed("1"), outbox, on: test.connection) == id)
            #expect(try await KeyedWay.one.enqueue(.keyed("10"), outbox, on: test.connection) == id + 1)
            #expect(try await outbox.expireIdempotencyKeys(on: test.connection) == 0)
        }
    }

    @Test(arguments: [true, false])
    func removingReadsNoMoreThanItRemoves(isAnalysed: Bool) async throws {
        try await withTestOutbox { test in
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).idempotency (destination, key, message_id, expires_at)
                    SELECT 'there', number, number, now() + number * interval '1 minute' - interval '3 hours'
                    FROM generate_series(1, 20000) AS number
                    """)
            if isAnalysed { try await test.connection.execute(script: "VACUUM ANALYZE \(test.name).idempotency") }
            let statement = "EXPLAIN (COSTS OFF) " + test.schema.enqueueStatements.expireIdempotencyKeys
            let plan = try await test.connection.query(LibPQStatement(statement, [.int8(100)]))
                .map { row in try row.decode(0, as: String.self) }
            #expect(plan.contains { $0.contains("Tid Scan on idempotency") }, "\(plan)")
            #expect(plan.contains { $0.contains("Index Scan using idempotency_expires_at") }, "\(plan)")
            #expect(try await PostgresOutbox(schema: test.schema).expireIdempotencyKeys(on: test.connection) == 180)
        }
    }

    // MARK: - Many at once

    @Test func manyInOneStatement() async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            _ = try await KeyedWay.one.enqueue(.keyed("old"), outbox, on: test.connection)
            let messages = [
                NewMessage(
                    to: "there", route: "r", key: "k", idempotencyKey: "a", headers: ["h": "v"],
                    deliverAt: Date(timeIntervalSince1970: 1_900_000_000), options: MessageOptions(maximumAttempts: 3),
                    payload: [0, 255]),
                .keyed(nil, "none"), .keyed("old"), .keyed("a", "again"), .keyed("b", "b"),
                .keyed("a", to: "elsewhere", "other"), .keyed(nil, "none"), .keyed("b", "again"),
            ]
            let ids = try await test.connection.withTransaction { try await outbox.enqueue(messages, in: $0) }
            #expect(ids == [2, 3, 1, 2, 4, 5, 6, 4])
            let again = try await test.connection.query(
                outbox.statement(for: messages.filter { $0.idempotencyKey != nil }))
            #expect(try again.map { try $0.decode("id", as: Int64.self) } == [2, 1, 2, 4, 5, 4])
            let stored = try await test.messages()
            #expect(
                stored.map { String(decoding: $0.payload, as: UTF8.self) }.dropFirst(2) == [
                    "none", "b", "other", "none",
                ])
            let row = stored[1]
            #expect(row.route == "r" && row.key == "k" && row.payload == [0, 255] && row.headers == "{\"h\": \"v\"}")
            #expect(row.deliverAt == messages[0].deliverAt)
            #expect(try row.options.map { try MessageOptions(json: $0) } == messages[0].options)
        }
    }

    @Test func oneByOneEveryFieldComesThrough() async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            let message = NewMessage(
                to: "there", route: "r", key: "k", idempotencyKey: "a", headers: ["h": "v"],
                deliverAt: Date(timeIntervalSince1970: 1_900_000_000), options: MessageOptions(maximumAttempts: 3),
                payload: [0, 255])
            let statement = try outbox.statement(for: message)
            #expect(statement.binds.count == MessageColumns.standard.sent.count + 2)
            #expect(try await test.connection.query(statement)[0].decode("id", as: Int64.self) == 1)
            let row = try await test.messages()[0]
            #expect(row.route == "r" && row.key == "k" && row.payload == [0, 255] && row.headers == "{\"h\": \"v\"}")
            #expect(row.deliverAt == message.deliverAt)
            #expect(try row.options.map { try MessageOptions(json: $0) } == message.options)
        }
    }

    @Test func copyRefusesAKey() async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            try await test.connection.withTransaction { transaction in
                let error = await #expect(throws: InvalidMessage.self) {
                    try await outbox.copy([.keyed(nil), .keyed("a")], in: transaction)
                }
                #expect(error?.field == "idempotencyKey")
                try await outbox.enqueue(.keyed("a"), in: transaction)
            }
            #expect(try await test.messages().count == 1)
        }
    }

    /// A message without a key costs nothing more: the statement is a plain INSERT, and no row of the keys' table is touched.
    @Test func withoutAKeyNothingChanges() async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            for statement in [try outbox.statement(for: .keyed(nil)), try outbox.statement(for: [.keyed(nil)])] {
                #expect(statement.text.contains("INSERT INTO \(test.name).message"))
                #expect(statement.binds.count == MessageColumns.standard.sent.count)
            }
            try await test.connection.withTransaction { transaction in
                // What the session has not reported yet is in it, of the migration too.
                let uses: LibPQStatement = """
                    SELECT (seq_scan + coalesce(idx_scan, 0) + n_tup_ins)::bigint FROM pg_stat_xact_user_tables
                    WHERE relid = \(test.schema.identifier + ".idempotency")::regclass
                    """
                let before = try await transaction.query(uses)[0].decode(0, as: Int64.self)
                try await outbox.enqueue(.keyed(nil), in: transaction)
                try await outbox.enqueue([.keyed(nil)], in: transaction)
                _ = try await KeyedWay.function.enqueue(.keyed(nil), outbox, in: transaction)
                let after = try await transaction.query(uses)[0].decode(0, as: Int64.self)
                #expect(after == before)
            }
        }
    }

    // MARK: - What is refused

    @Test func theSchemaMustKnowKeys() async throws {
        try await withTestOutbox { test in
            let functions = try await test.connection.query(
                "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = \(test.name)::regnamespace AND proname = 'enqueue'"
            ).map { row in try row.decode(0, as: String.self) }
            try await test.connection.execute(script: "DROP FUNCTION \(functions.joined(separator: ", ")) CASCADE")
            let outbox = PostgresOutbox(schema: test.schema)
            #expect(try await KeyedWay.one.enqueue(.keyed(nil), outbox, on: test.connection) == 1)
            let error = await #expect(throws: OutboxError.self) {
                try await KeyedWay.one.enqueue(.keyed("a"), outbox, on: test.connection)
            }
            #expect(error?.code == .schemaTooOld)
        }
    }

    /// Any producer may write to the table of keys. One that makes a row by hand must not swallow another's message.
    @Test func aKeyThatWasTakenByHandIsAnError() async throws {
        try await withTestOutbox { test in
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).idempotency (destination, key, expires_at) VALUES ('there', 'a', 'infinity')
                    """)
            for way in KeyedWay.allCases {
                let error = await #expect(throws: (any Error).self) {
                    try await way.enqueue(.keyed("a"), PostgresOutbox(schema: test.schema), on: test.connection)
                }
                #expect(error.map { "\($0)".contains("no message was enqueued with it") } == true)
            }
            #expect(try await test.messages().isEmpty)
        }
    }

    @Test(arguments: [0, 1, 1024, 1025])
    func constraintAndValidationAgree(length: Int) async throws {
        try await withTestOutbox { test in
            let message = NewMessage.keyed(String(repeating: "x", count: length))
            let isValid = (try? message.validate()) != nil
            #expect(isValid == (1...1024).contains(length))
            let outbox = PostgresOutbox(schema: test.schema)
            do {
                _ = try await KeyedWay.function.enqueue(message, outbox, on: test.connection)
                #expect(isValid)
            } catch let error as LibPQError {
                #expect(!isValid && error.constraint == "idempotency_key_length")
            }
        }
    }
}
