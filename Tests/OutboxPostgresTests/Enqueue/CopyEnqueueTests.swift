import Outbox
import Synchronization
import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(10))) struct CopyEnqueueTests {
    private struct Broken: Error {}

    @Test func aSequenceThatThrowsLeavesTheTransactionUsable() async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            try await test.connection.withTransaction { transaction in
                let messages = AsyncThrowingStream<NewMessage, any Error> { continuation in
                    for _ in 0..<10_000 { continuation.yield(NewMessage(to: "there", text: "text")) }
                    continuation.finish(throwing: Broken())
                }
                await #expect(throws: Broken.self) { try await outbox.copy(messages, in: transaction) }
                try await outbox.enqueue(NewMessage(to: "after", text: ""), in: transaction)
            }
            #expect(try await test.messages().map(\.destination) == ["after"])
        }
    }

    @Test func nothingIsSomethingToCopy() async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            let count = try await test.connection.withTransaction { try await outbox.copy([NewMessage](), in: $0) }
            #expect(count == 0)
        }
    }

    /// The sequence is asked for little more than what the server has taken.
    @Test func aSequenceIsReadNoFasterThanTheServerTakesIt() async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            let blocker = try await test.connect()
            let produced = Mutex(0)
            let connection = try await test.connect()
            let lock = try await blocker.begin()
            // Lets COPY begin, as it locks the table, and stops its first row.
            for number in 0..<4 {
                try await lock.query(
                    "LOCK TABLE \(unescaped: test.name).message_\(unescaped: "\(number)") IN ACCESS EXCLUSIVE MODE")
            }
            async let count = connection.withTransaction { transaction in
                let messages = (0..<20_000).lazy.map { _ in
                    produced.withLock { $0 += 1 }
                    return NewMessage(to: "there", payload: Array(repeating: 1, count: 1000))
                }
                return try await outbox.copy(messages, in: transaction)
            }
            try await test.connection.waitUntil(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = \(connection.processID) AND NOT granted)")
            // A socket's buffers hold a few megabytes at most.
            #expect(produced.withLock { $0 } < 15_000)
            try await lock.commit()
            #expect(try await count == 20_000)
            #expect(produced.withLock { $0 } == 20_000)
        }
    }

    /// The doorbell's trigger fires once a statement, and rows are inserted in bulk.
    @Test func oneStatementRingsOnce() async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            let oid = try await test.value(
                "SELECT '\(test.schema.identifierText).message'::regclass::oid", as: Int64.self)
            try await test.connection.execute(
                script: """
                    CREATE TABLE \(test.name).rung (at int);
                    CREATE OR REPLACE FUNCTION \(test.name).ring() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN INSERT INTO \(test.name).rung VALUES (1); RETURN NULL; END $$
                    """)
            let sleeper = try await test.connect()
            try await sleeper.query("SELECT pg_advisory_lock(\(Int32(truncatingIfNeeded: oid)), 0)")
            let messages = Array(repeating: NewMessage(to: "there", text: "text"), count: 3000)
            try await test.connection.withTransaction { transaction in
                try await outbox.enqueue(messages, in: transaction)
                try await outbox.copy(messages, in: transaction)
            }
            #expect(try await test.value("SELECT count(*) FROM \(test.name).rung", as: Int.self) == 2)
        }
    }
}
