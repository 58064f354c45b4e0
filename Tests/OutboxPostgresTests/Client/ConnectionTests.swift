import Foundation
import Testing

@testable import OutboxPostgres

@Suite struct ConnectionTests {
    @Test func selects() async throws {
        let connection = try await Connection.connect(testPostgres())
        let result = try await connection.query("SELECT \(Int32(41)) + 1 AS answer, \("hé") AS word")
        #expect(result.rowCount == 1)
        #expect(result.columnNames == ["answer", "word"])
        #expect(try result[0].decode("answer", as: Int.self) == 42)
        #expect(try result[0].decode(1, as: String.self) == "hé")
        #expect(connection.processID > 0)
    }

    @Test func preparedAndPipelined() async throws {
        let connection = try await Connection.connect(testPostgres())
        for round in 0..<3 {
            let results = try await connection.pipeline([
                SQLStatement("SELECT $1::int8 * 2", [.int8(Int64(round))], name: "double"),
                SQLStatement("SELECT $1::int8 * 2", [.int8(7)], name: "double"),
                SQLStatement("SELECT g FROM generate_series(1::int8, $1) g", [10_000]),
            ])
            #expect(results[0].int64(row: 0, column: 0) == Int64(round * 2))
            #expect(results[1].int64(row: 0, column: 0) == 14)
            #expect(results[2].rowCount == 10_000)
            #expect(results[2].int64(row: 9999, column: 0) == 10_000)
        }
        let prepared = try await connection.query("SELECT count(*) FROM pg_prepared_statements")
        #expect(try prepared[0].decode(0, as: Int.self) == 1)
    }

    @Test func pipelineFailsAtTheFirstBadStatement() async throws {
        let connection = try await Connection.connect(testPostgres())
        let error = await #expect(throws: PostgresError.self) {
            try await connection.pipeline(["SELECT 1", "SELECT 1/0", SQLStatement("SELECT 3", name: "three")])
        }
        #expect(error?.statementIndex == 1)
        #expect(error?.sqlState == "22012")
        #expect(try await connection.query(SQLStatement("SELECT 3", name: "three"))[0].decode(0, as: Int.self) == 3)
    }

    @Test func script() async throws {
        let connection = try await Connection.connect(testPostgres())
        try await connection.execute(script: "CREATE TEMP TABLE a (b int); INSERT INTO a VALUES (1), (2)")
        #expect(try await connection.query("DELETE FROM a").affectedRows == 2)
        await #expect(throws: PostgresError.self) { try await connection.execute(script: "SELECT 1; SELECT oops; SELECT 2") }
        #expect(try await connection.query("SELECT 1").rowCount == 1)
    }

    @Test func activity() async throws {
        let listener = try await Connection.connect(testPostgres())
        let sender = try await Connection.connect(testPostgres())
        try await listener.query("LISTEN smoke")
        listener.wake()
        #expect(try await listener.waitForActivity(until: nil) == .woken)
        async let activity = listener.waitForActivity(until: nil)
        try await sender.query("SELECT pg_notify('smoke', 'hello')")
        let expected = Notification(channel: "smoke", payload: "hello", processID: sender.processID)
        #expect(try await activity == .notified([expected]))
        #expect(try await listener.waitForActivity(until: .now) == .deadline)
    }

    @Test func killed() async throws {
        let victim = try await Connection.connect(testPostgres())
        let killer = try await Connection.connect(testPostgres())
        let wait = Task { try await victim.waitForActivity(until: nil) }
        try await killer.query("SELECT pg_terminate_backend(\(victim.processID))")
        let error = await #expect(throws: PostgresError.self) { try await wait.value }
        #expect(error?.code == .connectionLost)
        #expect(error?.sqlState == "57P01")
    }

    @Test func cancels() async throws {
        let connection = try await Connection.connect(testPostgres())
        let task = Task { try await connection.query("SELECT pg_sleep(600)") }
        task.cancel()
        let error = await #expect(throws: PostgresError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        #expect(try await connection.query("SELECT 1").rowCount == 1)
    }
}
