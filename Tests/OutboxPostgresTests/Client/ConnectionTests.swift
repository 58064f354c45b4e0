import Logging
import TestSupport
import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(5))) struct ConnectionTests {
    @Test func knowsItsServer() async throws {
        let connection = try await connect()
        #expect(try await connection.value("SELECT pg_backend_pid()") == connection.processID)
        #expect(
            try await connection.value("SELECT current_setting('server_version_num')::int") == connection.serverVersion)
        #expect(await connection.parameterStatus("client_encoding") == "UTF8")
        #expect(await connection.parameterStatus("nonsense") == nil)
    }

    @Test func runsPreparedStatementsInOneRoundTripEach() async throws {
        let connection = try await connect()
        for round in 0..<3 {
            let results = try await connection.pipeline([
                LibPQStatement("SELECT $1::int8 * 2", [.int8(Int64(round))], name: "double"),
                LibPQStatement("SELECT $1::int8 * 2", [.int8(7)], name: "double"),
                LibPQStatement("SELECT g FROM generate_series(1::int8, $1) g", [.int8(10_000)]),
            ])
            #expect(results[0].int64(row: 0, column: 0) == Int64(round * 2))
            #expect(results[1].int64(row: 0, column: 0) == 14)
            #expect(results[2].rowCount == 10_000)
            #expect(results[2].int64(row: 9999, column: 0) == 10_000)
        }
        #expect(try await connection.value("SELECT count(*) FROM pg_prepared_statements") == 1)
    }

    /// A transaction that is not begun by BEGIN ends with the pipeline. What the server refuses then comes after the results of all
    /// statements, and nothing of them is there.
    @Test(arguments: [
        "UNIQUE DEFERRABLE INITIALLY DEFERRED", "REFERENCES other DEFERRABLE INITIALLY DEFERRED", "trigger",
    ])
    func whatIsRefusedAtTheEndIsThrown(constraint: String) async throws {
        let connection = try await connect()
        let isTrigger = constraint == "trigger"
        try await connection.execute(
            script: """
                CREATE TEMP TABLE other (b int PRIMARY KEY);
                CREATE TEMP TABLE late (a int \(isTrigger ? "" : constraint));
                CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql
                    AS $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '40001'; END $$;
                \(isTrigger ? "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse()" : "")
                """)
        let state = isTrigger ? "40001" : constraint.hasPrefix("UNIQUE") ? "23505" : "23503"
        let insert: LibPQStatement = "INSERT INTO late VALUES (1), (1)"
        for _ in 1...2 {
            #expect(await postgresError { try await connection.query(insert) }?.sqlState == state)
            let whole = await postgresError { try await connection.pipeline([insert, "SELECT 7"]) }
            // Of their transaction, which is called by its last statement.
            #expect(whole?.sqlState == state && whole?.statementIndex == 1)
            #expect(whole?.description.contains("refused to commit") == true)
            // In the middle of a pipeline too; what comes after that is another transaction.
            let first = await postgresError {
                try await connection.finish(
                    try await connection.begin(
                        [insert, "INSERT INTO other VALUES (8)", "SELECT 9"], endingTransactionsAfter: [0]))
            }
            #expect(first?.sqlState == state && first?.statementIndex == 0)
            #expect(try await connection.value("DELETE FROM other RETURNING b") == 8)
            let last = await postgresError {
                try await connection.finish(
                    try await connection.begin(
                        ["INSERT INTO other VALUES (8)", insert, "SELECT 9"], endingTransactionsAfter: [0]))
            }
            #expect(last?.sqlState == state && last?.statementIndex == 2)
            #expect(try await connection.value("DELETE FROM other RETURNING b") == 8)
            // An error of a statement is that of the whole, not what came of it at the end.
            #expect(await postgresError { try await connection.pipeline([insert, "SELECT 1/0"]) }?.sqlState == "22012")
            #expect(
                await postgresError { try await connection.execute(script: "INSERT INTO late VALUES (1), (1)") }?
                    .sqlState == state)
        }
        #expect(try await connection.value("SELECT count(*) FROM late") == 0)
        let committed = await thrown {
            try await connection.withTransaction { transaction in try await transaction.query(insert) }
        }
        #expect((committed as? LibPQTransactionError)?.commitError?.sqlState == state)
        #expect(try await connection.query("SELECT 5")[0].decode(0) == 5)
    }

    @Test func prepareAgainForAnotherType() async throws {
        let connection = try await connect()
        func run(_ value: LibPQValue) async throws -> Int? {
            try await connection.query(LibPQStatement("SELECT $1::int8 + 1", [value], name: "next"))[0].decode(0)
        }
        #expect(try await run(.null) == nil)
        #expect(try await run(.int8(1)) == 2)
        #expect(try await run(.int4(2)) == 3)
        #expect(try await run(.null) == nil)
        #expect(try await run(.int8(3)) == 4)
    }

    @Test func recoversFromAPreparedStatementThatIsGone() async throws {
        let connection = try await connect()
        let statement = LibPQStatement("SELECT 5", name: "five")
        try await connection.query(statement)
        try await connection.query("DEALLOCATE ALL")
        #expect(await postgresError { try await connection.query(statement) }?.sqlState == "26000")
        #expect(try await connection.query(statement)[0].decode(0) == 5)
    }

    @Test func recoversFromAPlanThatIsOutdated() async throws {
        let connection = try await connect()
        let statement = LibPQStatement("SELECT * FROM shape", name: "shape")
        try await connection.execute(script: "CREATE TEMP TABLE shape (a int)")
        try await connection.query(statement)
        try await connection.execute(script: "ALTER TABLE shape ADD b int")
        #expect(await postgresError { try await connection.query(statement) }?.sqlState == "0A000")
        #expect(try await connection.query(statement).columnNames == ["a", "b"])
    }

    @Test func refusesTwoTextsUnderOneName() async throws {
        let connection = try await connect()
        try await connection.query(LibPQStatement("SELECT 1", name: "same"))
        let error = await postgresError { try await connection.query(LibPQStatement("SELECT 2", name: "same")) }
        #expect(error?.code == .invalidValue)
        #expect(try await connection.query(LibPQStatement("SELECT 1", name: "same")).rowCount == 1)
    }

    @Test func pipelineFailsAtTheFirstBadStatement() async throws {
        let connection = try await connect()
        try await connection.execute(script: "CREATE TEMP TABLE t (a int)")
        let error = await postgresError {
            try await connection.pipeline([
                "INSERT INTO t VALUES (1)", "SELECT 1/0", LibPQStatement("SELECT 3", name: "three"), "SELECT oops",
            ])
        }
        #expect(error?.statementIndex == 1)
        #expect(error?.sqlState == "22012")
        #expect(try await connection.value("SELECT count(*) FROM t") == 0)
        #expect(try await connection.query(LibPQStatement("SELECT 3", name: "three"))[0].decode(0) == 3)
    }

    @Test func pipelineSendsNothingIfAStatementCannotBeSent() async throws {
        let connection = try await connect()
        try await connection.execute(script: "CREATE TEMP TABLE t (a int)")
        let error = await postgresError {
            try await connection.pipeline(["INSERT INTO t VALUES (1)", LibPQStatement("SELECT $1::text", [.text("a\0b")])])
        }
        #expect(error?.code == .invalidValue)
        #expect(try await connection.value("SELECT count(*) FROM t") == 0)
    }

    @Test func pipelineLargerThanAllBuffers() async throws {
        let connection = try await connect()
        let megabyte = [UInt8](repeating: 7, count: 1 << 20)
        let statements = (0..<24).map { _ in LibPQStatement("SELECT $1::bytea || $1", [.bytes(megabyte)]) }
        let results = try await connection.pipeline(statements)
        #expect(results.allSatisfy { $0.length(row: 0, column: 0) == 2 << 20 })
    }

    @Test func emptyPipelineAndEmptyStatement() async throws {
        let connection = try await connect()
        #expect(try await connection.pipeline([]).isEmpty)
        #expect(try await connection.query("").rowCount == 0)
        #expect(try await connection.pipeline(["", "SELECT 1"])[1].rowCount == 1)
    }

    @Test func scripts() async throws {
        let connection = try await connect()
        try await connection.execute(script: "CREATE TEMP TABLE a (b int); INSERT INTO a VALUES (1), (2)")
        #expect(try await connection.query("DELETE FROM a").affectedRows == 2)
        let error = await postgresError { try await connection.execute(script: "SELECT 1; SELECT oops; SELECT 2") }
        #expect(error?.sqlState == "42703")
        #expect(error?.position == 18)
        try await connection.execute(script: "")
        #expect(try await connection.value("SELECT 1") == 1)
    }

    @Test(arguments: ["SELECT '", ""]) func refusesNullInText(start: String) async throws {
        let text = start + "\0'"
        let connection = try await connect()
        #expect(await postgresError { try await connection.query(LibPQStatement(text)) }?.code == .invalidValue)
        #expect(await postgresError { try await connection.execute(script: text) }?.code == .invalidValue)
        #expect(await postgresError { try await connection.query("SELECT \(text)") }?.code == .invalidValue)
        #expect(
            await postgresError { try await connection.query(LibPQStatement("SELECT 1", name: text)) }?.code
                == .invalidValue)
        #expect(try await connection.value("SELECT 1") == 1)
    }

    @Test func refusesTooManyParameters() async throws {
        let connection = try await connect()
        let statement = LibPQStatement("SELECT 1", Array(repeating: .int8(1), count: 65_536))
        #expect(await postgresError { try await connection.query(statement) }?.code == .invalidValue)
    }

    @Test func callersTakeTurns() async throws {
        let connection = try await connect()
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<500 {
                group.addTask {
                    if number.isMultiple(of: 7) {
                        return await postgresError { try await connection.query("SELECT 1/0") }?.sqlState == "22012"
                    }
                    return try await connection.value("SELECT \(number)") == number
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
    }

    @Test func logsNotices() async throws {
        let recorder = LogLines(from: .trace)
        let connection = try await connect(recorder.logger)
        try await connection.execute(script: "DO $$ BEGIN RAISE NOTICE 'mind the gap'; END $$")
        #expect(recorder.all.contains { $0.hasPrefix("debug") && $0.contains("mind the gap") })
    }

    @Test func errorsTellWhatTheyAreAbout() async throws {
        let connection = try await connect()
        try await connection.execute(script: "CREATE TEMP TABLE person (id int CONSTRAINT only_once UNIQUE)")
        try await connection.query("INSERT INTO person VALUES (4711)")
        let error = try #require(
            await postgresError { try await connection.query("INSERT INTO person VALUES (\(4711))") })
        #expect(error.sqlState == "23505")
        #expect(error.constraint == "only_once")
        #expect(error.table == "person")
        #expect(!error.isRetriable)
        #expect(!error.debugDescription.contains("4711"))
    }

    @Test func closedConnectionsRefuse() async throws {
        let connection = try await connect()
        await connection.close()
        await connection.close()
        #expect(await postgresError { try await connection.query("SELECT 1") }?.code == .connectionLost)
        #expect(await postgresError { try await connection.begin().commit() }?.code == .connectionLost)
        #expect(await connection.isUsable == false)
    }

    @Test func closesWhileAStatementRuns() async throws {
        let connection = try await connect()
        let observer = try await connect()
        let query = Task { try await connection.query("SELECT pg_sleep(600)") }
        try await observer.waitUntilRunning(connection.processID, "pg_sleep")
        // Not before: either task may come first.
        let queued = Task { try await connection.query("SELECT 1") }
        await connection.close()
        #expect(await postgresError { try await query.value }?.code == .connectionLost)
        #expect(await postgresError { try await queued.value }?.code == .connectionLost)
        try await observer.query("SELECT pg_terminate_backend(\(connection.processID))")
    }

    @Test func refusesCopyWhereItDoesNotBelong() async throws {
        let connection = try await connect()
        #expect(await postgresError { try await connection.query(" copy (SELECT 1) TO STDOUT") }?.code == .copy)
        #expect(try await connection.value("SELECT 1") == 1)
        #expect(await postgresError { try await connection.query("/**/ COPY (SELECT 1) TO STDOUT") }?.code == .copy)
        #expect(await postgresError { try await connection.query("SELECT 1") }?.code == .copy)
    }
}
