import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(5))) struct CopyTests {
    func connection() async throws -> LibPQConnection {
        let connection = try await connect()
        try await connection.execute(script: "CREATE TEMP TABLE t (a int, b text)")
        return connection
    }

    func count(_ connection: LibPQConnection) async throws -> Int {
        try await connection.value("SELECT count(*) FROM t")
    }

    @Test func fromASequence() async throws {
        let connection = try await connection()
        let chunks = AsyncStream { continuation in
            for number in 0..<1000 { continuation.yield(Array("\(number)\trow \(number)\n".utf8)) }
            continuation.finish()
        }
        #expect(try await connection.copyIn("COPY t FROM STDIN", from: chunks) == 1000)
        #expect(try await connection.value("SELECT sum(a) FROM t") == 499_500)
        #expect(try await connection.query(LibPQStatement("SELECT 1", name: "one")).rowCount == 1)
    }

    @Test func moreThanTheBuffersHold() async throws {
        let connection = try await connection()
        let line = "1\t" + String(repeating: "x", count: 100_000) + "\n"
        let rows = try await connection.copyIn("COPY t FROM STDIN") { writer in
            for _ in 0..<300 { try await writer.write(line) }
        }
        #expect(rows == 300)
    }

    @Test func nothingAtAll() async throws {
        let connection = try await connection()
        #expect(try await connection.copyIn("COPY t FROM STDIN") { _ in } == 0)
        #expect(try await connection.copyIn("COPY t FROM STDIN") { try await $0.write([]) } == 0)
    }

    @Test func inATransaction() async throws {
        let connection = try await connection()
        let error = await thrown {
            try await connection.withTransaction { transaction in
                #expect(try await transaction.copyIn("COPY t FROM STDIN") { try await $0.write("1\ta\n") } == 1)
                throw TestError()
            }
        }
        #expect(error is TestError)
        #expect(try await count(connection) == 0)
    }

    @Test func theWriterFails() async throws {
        let connection = try await connection()
        let error = await thrown {
            try await connection.copyIn("COPY t FROM STDIN") { writer in
                try await writer.write("1\ta\n")
                throw TestError(number: 5)
            }
        }
        #expect(error as? TestError == TestError(number: 5))
        #expect(try await count(connection) == 0)
    }

    @Test func theServerRefusesTheStatement() async throws {
        let connection = try await connection()
        let error = await postgresError { try await connection.copyIn("COPY nothing FROM STDIN") { _ in } }
        #expect(error?.sqlState == "42P01")
        #expect(try await count(connection) == 0)
    }

    @Test func theServerRefusesTheDataMidway() async throws {
        let connection = try await connection()
        let error = await postgresError {
            try await connection.copyIn("COPY t FROM STDIN") { writer in
                try await writer.write("secret\ta\n")
                for _ in 0..<200 { try await writer.write("1\t" + String(repeating: "x", count: 50_000) + "\n") }
            }
        }
        #expect(error?.sqlState == "22P02")
        #expect(error?.description.contains("secret") == false)
        #expect(try await count(connection) == 0)
    }

    @Test(arguments: ["SELECT 1", "", "COPY", "INSERT INTO t VALUES (1)", "SELECT 1; COPY t FROM STDIN; SELECT 2"])
    func notACopy(statement: String) async throws {
        let connection = try await connection()
        let error = await postgresError {
            try await connection.copyIn(statement) { _ in Issue.record("not to be called") }
        }
        #expect(error?.code == .copy || error?.sqlState == "42601")
        #expect(try await connection.value("SELECT 1") == 1)
    }

    @Test func copyOut() async throws {
        let connection = try await connection()
        #expect(await postgresError { try await connection.copyIn("COPY t TO STDOUT") { _ in } }?.code == .copy)
    }

    @Test func copyInAScript() async throws {
        let connection = try await connection()
        #expect(
            await postgresError { try await connection.execute(script: "SELECT 1; COPY t FROM STDIN") }?.code == .copy)
    }

    @Test func cancelledWhileWriting() async throws {
        let connection = try await connection()
        let (started, start) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            try await connection.copyIn("COPY t FROM STDIN") { writer in
                while true {
                    try await writer.write("1\ta\n")
                    start.yield()
                }
            }
        }
        for await _ in started { break }
        task.cancel()
        #expect(await postgresError { try await task.value }?.code == .cancelled)
        #expect(try await count(connection) == 0)
    }

    @Test func cancelledWhileTheServerDoesNotRead() async throws {
        let (connection, locker) = (try await connect(), try await connect())
        let table = "copy_\(connection.processID)"
        try await locker.execute(script: "CREATE TABLE \(table) (a text)")
        let lock = try await locker.begin()
        try await lock.query("LOCK TABLE \(unescaped: table)")
        let task = Task {
            try await connection.copyIn("COPY \(table) FROM STDIN") { writer in
                while true { try await writer.write(String(repeating: "x", count: 60_000) + "\n") }
            }
        }
        try await lock.connection.waitUntil(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = \(connection.processID) AND wait_event_type = 'Lock')"
        )
        task.cancel()
        #expect(await postgresError { try await task.value }?.code == .cancelled)
        #expect(try await connection.value("SELECT 1") == 1)
        try await lock.rollback()
        try await locker.execute(script: "DROP TABLE \(table)")
    }

    @Test func lostMidway() async throws {
        let (connection, killer) = (try await connection(), try await connect())
        let error = await postgresError {
            try await connection.copyIn("COPY t FROM STDIN") { writer in
                try await writer.write("1\ta\n")
                try await killer.terminate(connection)
                while true { try await writer.write(String(repeating: "x", count: 60_000) + "\n") }
            }
        }
        #expect(error?.code == .connectionLost)
    }

    @Test func lostBeforeTheEnd() async throws {
        let (connection, killer) = (try await connection(), try await connect())
        let error = await postgresError {
            try await connection.copyIn("COPY t FROM STDIN") { _ in try await killer.terminate(connection) }
        }
        #expect(error?.code == .connectionLost)
    }

    @Test func noStatementWithinTheClosure() async throws {
        let connection = try await connection()
        let error = await postgresError {
            try await connection.copyIn("COPY t FROM STDIN") { _ in try await connection.query("SELECT 1") }
        }
        #expect(error?.code == .copy)
        #expect(try await count(connection) == 0)
    }

    @Test func aWriterOutlivesItsCopy() async throws {
        let connection = try await connection()
        var escaped: CopyWriter?
        try await connection.copyIn("COPY t FROM STDIN") { escaped = $0 }
        let writer = try #require(escaped)
        #expect(await postgresError { try await writer.write("1\ta\n") }?.code == .copy)
        #expect(try await count(connection) == 0)
    }

    @Test func othersWaitForTheEnd() async throws {
        let connection = try await connection()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<20 {
                group.addTask {
                    let rows = try await connection.copyIn("COPY t FROM STDIN") { try await $0.write("\(number)\ta\n") }
                    #expect(rows == 1)
                }
                group.addTask {
                    let answer: Int = try await connection.value("SELECT \(number)")
                    #expect(answer == number)
                }
            }
            try await group.waitForAll()
        }
        #expect(try await count(connection) == 20)
    }

    /// The text has to be one statement. One more that wants data would be asked for its result for ever.
    @Test func severalStatementsAreRefusedAndTheConnectionGoesOn() async throws {
        let connection = try await connect()
        try await connection.execute(script: "CREATE TEMPORARY TABLE two (a text)")
        for text in ["COPY two FROM STDIN; COPY two FROM STDIN", "COPY two FROM STDIN; SELECT 1/0"] {
            let error = await postgresError { try await connection.copyIn(text) { try await $0.write("x\n") } }
            #expect(error?.code == .copy || error?.sqlState == "22012")
            #expect(try await connection.value("SELECT count(*) FROM two") == 0)
        }
        #expect(try await connection.copyIn("COPY two FROM STDIN; SELECT 1") { try await $0.write("x\ny\n") } == 2)
        let error = await postgresError {
            try await connection.copyIn("COPY two FROM STDIN; COPY two TO STDOUT") { try await $0.write("x\n") }
        }
        #expect(error?.code == .copy)
        #expect(await connection.isUsable == false)
    }
}
