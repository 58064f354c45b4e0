import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(5))) struct TransactionTests {
    /// A connection with an empty table `t (a int)` of its own.
    func connection() async throws -> LibPQConnection {
        let connection = try await connect()
        try await connection.execute(script: "CREATE TEMP TABLE t (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        return connection
    }

    func count(_ connection: LibPQConnection) async throws -> Int {
        try await connection.value("SELECT count(*) FROM t")
    }

    @Test func commits() async throws {
        let connection = try await connection()
        let answer = try await connection.withTransaction { transaction in
            try await transaction.query("INSERT INTO t VALUES (1)").affectedRows
        }
        #expect(answer == 1)
        #expect(try await count(connection) == 1)
        #expect(await connection.transactionStatus == .idle)
    }

    @Test func rollsBackAndRethrows() async throws {
        let connection = try await connection()
        let error = await thrown {
            try await connection.withTransaction { transaction in
                try await transaction.query("INSERT INTO t VALUES (1)")
                throw TestError(number: 1)
            }
        }
        #expect(error as? TestError == TestError(number: 1))
        #expect(try await count(connection) == 0)
    }

    @Test func isolationAndAccess() async throws {
        let connection = try await connect()
        for isolation in LibPQIsolationLevel.allCases {
            let shown: String = try await connection.withTransaction(isolation: isolation, readOnly: true) {
                transaction in
                try await transaction.query("SHOW transaction_isolation")[0].decode(0)
            }
            #expect(shown == isolation.rawValue.lowercased())
        }
        let error = await postgresError {
            try await connection.withTransaction(readOnly: true) { try await $0.query("CREATE TABLE x ()") }
        }
        #expect(error?.sqlState == "25006")
    }

    @Test func noTransactionInATransaction() async throws {
        let connection = try await connection()
        let outer = try await connection.begin()
        #expect(await postgresError { try await connection.begin().rollback() }?.code == .transactionState)
        let nested = await thrown { try await connection.withTransaction { _ in } } as? LibPQTransactionError
        #expect(nested?.beginError?.code == .transactionState)
        try await outer.query("INSERT INTO t VALUES (1)")
        try await outer.commit()
        #expect(try await count(connection) == 1)
    }

    @Test func failedTransaction() async throws {
        let connection = try await connection()
        let error =
            await thrown {
                try await connection.withTransaction { transaction in
                    try await transaction.query("INSERT INTO t VALUES (1)")
                    #expect(await postgresError { try await transaction.query("SELECT 1/0") }?.sqlState == "22012")
                    #expect(await postgresError { try await transaction.query("SELECT 1") }?.sqlState == "25P02")
                }
            } as? LibPQTransactionError
        #expect(error?.commitError?.code == .transactionState)
        #expect(error?.bodyError == nil)
        #expect(error?.isRetriable == false)
        #expect(try await count(connection) == 0)
    }

    @Test func commitRefused() async throws {
        let connection = try await connection()
        let error =
            await thrown {
                try await connection.withTransaction { try await $0.query("INSERT INTO t VALUES (1), (1)") }
            } as? LibPQTransactionError
        #expect(error?.commitError?.sqlState == "23505")
        #expect(await connection.transactionStatus == .idle)
        try await connection.begin().commit()
    }

    @Test func droppedTransactionsAreRolledBack() async throws {
        let connection = try await connection()
        func drop() async throws {
            let transaction = try await connection.begin()
            try await transaction.query("INSERT INTO t VALUES (1)")
        }
        try await drop()
        #expect(try await count(connection) == 0)
        try await drop()
        let next = try await connection.begin()
        try await next.query("INSERT INTO t VALUES (2)")
        try await next.commit()
        #expect(try await count(connection) == 1)
    }

    @Test func cancelledTransactionsAreRolledBack() async throws {
        let connection = try await connection()
        let observer = try await connect()
        let task = Task {
            try await connection.withTransaction { transaction in
                try await transaction.query("INSERT INTO t VALUES (1)")
                try await transaction.query("SELECT pg_sleep(600)")
            }
        }
        try await observer.waitUntilRunning(connection.processID, "pg_sleep")
        task.cancel()
        #expect(await postgresError { try await task.value }?.code == .cancelled)
        #expect(await connection.transactionStatus == .idle)
        #expect(try await count(connection) == 0)
    }

    @Test func cancelledTasksCommit() async throws {
        let connection = try await connection()
        try await Task {
            try await connection.withTransaction { transaction in
                try await transaction.query("INSERT INTO t VALUES (1)")
                unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            }
        }.value
        #expect(try await count(connection) == 1)
    }

    @Test func lostInTheMiddle() async throws {
        let connection = try await connect()
        let killer = try await connect()
        let error =
            await thrown {
                try await connection.withTransaction { transaction in
                    try await killer.terminate(connection)
                    try await transaction.query("SELECT 1")
                }
            } as? LibPQTransactionError
        #expect((error?.bodyError as? LibPQError)?.code == .connectionLost)
        #expect(error?.rollbackError?.code == .connectionLost)
        #expect(error?.isRetriable == true)
    }

    @Test func lostBeforeCommit() async throws {
        let connection = try await connect()
        let killer = try await connect()
        let error =
            await thrown {
                try await connection.withTransaction { _ in try await killer.terminate(connection) }
            } as? LibPQTransactionError
        #expect(error?.commitError?.code == .connectionLost)
        #expect(error?.isRetriable == false)
    }

    @Test func savepoints() async throws {
        let connection = try await connection()
        try await connection.withTransaction { transaction in
            try await transaction.query("INSERT INTO t VALUES (1)")
            let error = await thrown {
                try await transaction.withSavepoint { inner in
                    try await inner.query("INSERT INTO t VALUES (2)")
                    try await inner.withSavepoint { try await $0.query("INSERT INTO t VALUES (3)") }
                    try await inner.query("SELECT 1/0")
                }
            }
            #expect((error as? LibPQError)?.sqlState == "22012")
            let answer = try await transaction.withSavepoint { inner in
                try await inner.query("INSERT INTO t VALUES (4)").affectedRows
            }
            #expect(answer == 1)
        }
        #expect(try await connection.value("SELECT array_agg(a ORDER BY a) FROM t", as: [Int].self) == [1, 4])
    }

    @Test func savepointsSurviveASwallowedFailure() async throws {
        let connection = try await connection()
        try await connection.withTransaction { transaction in
            let error = await postgresError {
                try await transaction.withSavepoint { _ in
                    _ = await postgresError { try await connection.query("oops") }
                }
            }
            #expect(error?.sqlState == "25P02")
            try await transaction.query("INSERT INTO t VALUES (1)")
        }
        #expect(try await count(connection) == 1)
    }

    @Test func deadlocksAreRetriable() async throws {
        let (first, second) = (try await connect(), try await connect())
        let key = Int64.random(in: .min ... .max)
        let one = try await first.begin()
        let two = try await second.begin()
        try await one.query("SELECT pg_advisory_xact_lock(\(key))")
        try await two.query("SELECT pg_advisory_xact_lock(\(key &+ 1))")
        let waiting = Task {
            await postgresError { try await first.query("SELECT pg_advisory_xact_lock(\(key &+ 1))") }
        }
        let other = await postgresError { try await second.query("SELECT pg_advisory_xact_lock(\(key))") }
        try await two.rollback()
        let victim = await waiting.value ?? other
        #expect(victim?.sqlState == "40P01")
        #expect(victim?.isRetriable == true)
        try await one.rollback()
    }

    /// Sent by hand as well: a COMMIT that rolls back is no success.
    @Test(arguments: ["COMMIT", "  commit work;", "END", "PREPARE TRANSACTION 'x'"]) func aCommitThatRollsBackIsAnError(
        text: String
    ) async throws {
        let connection = try await connection()
        for isScript in [false, true] {
            try await connection.query("BEGIN")
            _ = await postgresError { try await connection.query("oops") }
            let error = await postgresError {
                if isScript {
                    try await connection.execute(script: text)
                } else {
                    try await connection.query(LibPQStatement(text))
                }
            }
            #expect(error?.code == .transactionState)
            #expect(await connection.transactionStatus == .idle)
        }
        let error = await postgresError {
            try await connection.pipeline(["BEGIN", LibPQStatement("INSERT INTO t VALUES (1)"), "ROLLBACK"])
        }
        #expect(error == nil)
        #expect(try await count(connection) == 0)
    }

    /// Lost before COMMIT was sent: nothing is committed, and the same may be done again. Lost while it is on its way: that is not known.
    @Test func whetherItMayHaveBeenCommittedIsSaid() async throws {
        let killer = try await connect()
        let before = try await connect()
        let error = await thrown {
            try await before.withTransaction { transaction in
                try await transaction.query("SELECT 1")
                try await killer.terminate(before)
                while await before.isUsable { await Task.yield() }
            }
        }
        #expect((error as? LibPQTransactionError)?.isCommitUnknown == false)
        #expect((error as? LibPQTransactionError)?.isRetriable == true)

        let during = try await connect()
        try await during.execute(
            script: """
                CREATE TEMP TABLE slow (a int);
                CREATE FUNCTION pg_temp.sleep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN NULL; END $$;
                CREATE CONSTRAINT TRIGGER s AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
                    EXECUTE FUNCTION pg_temp.sleep()
                """)
        let committing = Task {
            await thrown { try await during.withTransaction { try await $0.query("INSERT INTO slow VALUES (1)") } }
        }
        try await killer.waitUntilRunning(during.processID, "COMMIT")
        try await killer.terminate(during)
        let unknown = await committing.value as? LibPQTransactionError
        #expect(unknown?.isCommitUnknown == true)
        #expect(unknown?.isRetriable == false)
        #expect(unknown?.commitError?.sqlState == "57P01")
    }
}
