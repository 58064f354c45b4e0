import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(5))) struct CancellationTests {
    @Test func aRunningStatement() async throws {
        let (connection, observer) = (try await connect(), try await connect())
        let task = Task { try await connection.query("SELECT pg_sleep(600)") }
        try await observer.waitUntilRunning(connection.processID, "pg_sleep")
        task.cancel()
        #expect(await postgresError { try await task.value }?.code == .cancelled)
        #expect(try await connection.value("SELECT 1") == 1)
    }

    @Test func aStatementThatTheServerMayNotHaveSeenYet() async throws {
        let connection = try await connect()
        for _ in 0..<20 {
            let task = Task { try await connection.query("SELECT pg_sleep(600)") }
            await Task.yield()
            task.cancel()
            #expect(await postgresError { try await task.value }?.code == .cancelled)
        }
        #expect(try await connection.value("SELECT 1") == 1)
    }

    @Test func aStatementThatIsCancelledByTheServer() async throws {
        let connection = try await connect()
        try await connection.query("SET statement_timeout = 1")
        let error = await postgresError { try await connection.query("SELECT pg_sleep(600)") }
        #expect(error?.code == .server)
        #expect(error?.sqlState == "57014")
    }

    @Test func whoeverWaitsForHisTurn() async throws {
        let (connection, observer) = (try await connect(), try await connect())
        let first = Task { try await connection.query("SELECT pg_sleep(600)") }
        try await observer.waitUntilRunning(connection.processID, "pg_sleep")
        let second = Task { try await connection.query("SELECT 1") }
        let third = Task { try await connection.value("SELECT 3", as: Int.self) }
        second.cancel()
        #expect(await postgresError { try await second.value }?.code == .cancelled)
        first.cancel()
        #expect(await postgresError { try await first.value }?.code == .cancelled)
        #expect(try await third.value == 3)
    }

    @Test func aPipeline() async throws {
        let (connection, observer) = (try await connect(), try await connect())
        try await connection.execute(script: "CREATE TEMP TABLE t (a int)")
        let task = Task {
            try await connection.pipeline([
                "INSERT INTO t VALUES (1)", "SELECT pg_sleep(600)", "INSERT INTO t VALUES (2)",
            ])
        }
        try await observer.waitUntilRunning(connection.processID, "pg_sleep")
        task.cancel()
        let error = await postgresError { try await task.value }
        #expect(error?.code == .cancelled)
        #expect(error?.statementIndex == 1)
        #expect(try await connection.value("SELECT count(*) FROM t") == 0)
    }

    @Test func aScript() async throws {
        let (connection, observer) = (try await connect(), try await connect())
        let task = Task { try await connection.execute(script: "SELECT 1; SELECT pg_sleep(600); SELECT 2") }
        try await observer.waitUntilRunning(connection.processID, "pg_sleep")
        task.cancel()
        #expect(await postgresError { try await task.value }?.code == .cancelled)
        #expect(try await connection.value("SELECT 1") == 1)
    }

    @Test func alreadyCancelledTasksSendNothing() async throws {
        let connection = try await connect()
        let task = Task {
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            try await connection.query("CREATE TEMP TABLE never (a int)")
        }
        #expect(await postgresError { try await task.value }?.code == .cancelled)
        #expect(try await connection.value("SELECT to_regclass('never') IS NULL") == true)
    }

    /// Whatever the moment, a statement returns its own result or says that it was cancelled, and no request hits another statement.
    @Test func atAnyMoment() async throws {
        let connections = [try await connect(), try await connect(), try await connect(), try await connect()]
        var generator = SystemRandomNumberGenerator()
        for round in 0..<1000 {
            let connection = connections[round % connections.count]
            let (kind, pauses) = (Int.random(in: 0..<4, using: &generator), Int.random(in: 0..<12, using: &generator))
            let task = Task { () throws -> Int in
                switch kind {
                case 0: return try await connection.value("SELECT \(round)")
                case 1: return try await connection.value("SELECT \(round) FROM pg_sleep(0.001)")
                case 2:
                    let results = try await connection.pipeline([
                        "SELECT 1", "SELECT pg_sleep(0.0005)", "SELECT \(round)",
                    ])
                    return try results[2][0].decode(0)
                default:
                    return try await connection.withTransaction { try await $0.query("SELECT \(round)")[0].decode(0) }
                }
            }
            for _ in 0..<pauses { await Task.yield() }
            task.cancel()
            // Not cancelled, so it must not fail, whatever happens to the other; unless it is sent in the other's transaction, which has
            // failed and is about to be rolled back.
            do {
                #expect(try await connection.value("SELECT \(-round)") == -round)
            } catch let error as LibPQError where kind == 3 && error.sqlState == "25P02" {}
            do {
                #expect(try await task.value == round)
            } catch let error as LibPQError {
                #expect(error.code == .cancelled)
            } catch let error as LibPQTransactionError {
                #expect(error.beginError?.code == .cancelled)
            }
        }
        for connection in connections { #expect(await connection.transactionStatus == .idle) }
    }
}
