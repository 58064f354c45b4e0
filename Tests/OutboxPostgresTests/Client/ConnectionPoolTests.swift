import Logging
import OutboxTestServers
import ServiceLifecycle
import Synchronization
import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(5))) struct ConnectionPoolTests {
    @Test func reusesConnections() async throws {
        let pool = LibPQConnectionPool(try await testPostgres(), maximumConnections: 3)
        var processes: Set<Int32> = []
        for _ in 0..<5 { processes.insert(try await pool.withConnection { $0.processID }) }
        #expect(processes.count == 1)
        await pool.close()
    }

    @Test func aLimitThatNoClockHasIsNone() async throws {
        let pool = LibPQConnectionPool(
            try await testPostgres(), maximumConnections: 1, leaseTimeout: .seconds(Int64.max))
        for number in 0..<3 {
            #expect(try await pool.withConnection { try await $0.value("SELECT \(number)") } == number)
        }
    }

    @Test func boundsConnectionsAndServesEverybody() async throws {
        // How long the last of them waits depends on what else this machine does.
        let pool = LibPQConnectionPool(try await testPostgres(), maximumConnections: 3, leaseTimeout: nil)
        let usage = Usage()
        try await withThrowingTaskGroup(of: Int32.self) { group in
            for number in 0..<200 {
                group.addTask {
                    try await pool.withConnection { connection in
                        usage.begin()
                        defer { usage.end() }
                        let answer: Int = try await connection.value("SELECT \(number)")
                        #expect(answer == number)
                        return connection.processID
                    }
                }
            }
            var processes: Set<Int32> = []
            for try await process in group { processes.insert(process) }
            #expect(processes.count <= 3)
        }
        #expect(usage.most <= 3)
        await pool.close()
    }

    @Test func replacesLostConnections() async throws {
        let pool = LibPQConnectionPool(try await testPostgres(), maximumConnections: 1)
        let killer = try await connect()
        let first = try await pool.withConnection { connection in
            try await killer.terminate(connection)
            return connection.processID
        }
        let second = try await pool.withConnection { connection in
            let answer: Int = try await connection.value("SELECT 1")
            #expect(answer == 1)
            return connection.processID
        }
        #expect(first != second)
        // Lost while it lay idle.
        try await killer.query("SELECT pg_terminate_backend(\(second), 60000)")
        #expect(try await pool.withConnection { try await $0.value("SELECT 1") } == 1)
        await pool.close()
    }

    /// A session that cannot write is none for a pool of writers, however alive it is. A new one may be.
    @Test(arguments: ["DATABASE", "ROLE"]) func replacesSessionsThatCannotWrite(setting: String) async throws {
        let server = try await serverOfItsOwn([:])
        let configuration = try LibPQConfiguration(server.url)
        let admin = try await LibPQConnection.connect(configuration)
        try await admin.execute(script: "CREATE TABLE t (a int)")
        let what = setting == "ROLE" ? "ROLE postgres" : "DATABASE postgres"
        try await admin.execute(script: "ALTER \(what) SET default_transaction_read_only = on")
        let pool = LibPQConnectionPool(configuration, maximumConnections: 4)
        let meeting = Meeting(4)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { try await pool.withConnection { _ in await meeting.pass() } } }
            try await group.waitForAll()
        }
        try await admin.execute(
            script: "SET default_transaction_read_only = off; ALTER \(what) RESET default_transaction_read_only")
        let refusal = await thrown { try await pool.withTransaction { try await $0.query("INSERT INTO t VALUES (1)") } }
        #expect(clientError(refusal)?.sqlState == "25006")
        #expect(clientError(refusal)?.description.contains("target_session_attrs") == true)
        // One refusal is enough for all that were open.
        for _ in 0..<4 { try await pool.withTransaction { try await $0.query("INSERT INTO t VALUES (1)") } }
        #expect(try await admin.value("SELECT count(*) FROM t") == 4)
        await pool.close()
        await admin.close()
        await server.stop()
    }

    /// The transaction was to be one that only reads: the session is as good as any.
    @Test func keepsASessionWhoseUserAskedForReadOnly() async throws {
        let pool = LibPQConnectionPool(try await testPostgres(), maximumConnections: 1)
        let first = try await pool.withConnection { $0.processID }
        let error = await thrown {
            try await pool.withTransaction(readOnly: true) { try await $0.query("CREATE TABLE never (a int)") }
        }
        #expect(clientError(error)?.sqlState == "25006")
        #expect(try await pool.withConnection { $0.processID } == first)
        await pool.close()
    }

    /// What one user has changed in the session, the next does not find.
    @Test(
        arguments: [
            "SET search_path = pg_temp", "SET ROLE pg_monitor", "SET session_replication_role = replica",
            "SET default_transaction_read_only = on", "CREATE TEMPORARY TABLE left_behind (a int)",
            "LISTEN left_behind",
            "DO $$ BEGIN SET search_path = pg_temp; END $$", "PREPARE left_behind AS SELECT 1",
            "DECLARE left_behind CURSOR WITH HOLD FOR SELECT 1", "SET standard_conforming_strings = off",
        ], [false, true])
    func lendsSessionsAsNewOnesAre(change: String, asAScript isScript: Bool) async throws {
        let pool = LibPQConnectionPool(try await testPostgres(), maximumConnections: 1)
        let facts: LibPQStatement = """
            SELECT concat_ws(' ', current_user, current_setting('search_path'), current_setting('session_replication_role'),
                current_setting('transaction_read_only'), current_setting('standard_conforming_strings'),
                to_regclass('pg_temp.left_behind'), (SELECT count(*) FROM pg_listening_channels()),
                (SELECT count(*) FROM pg_prepared_statements WHERE name = 'left_behind'),
                (SELECT count(*) FROM pg_cursors WHERE name = 'left_behind'))
            """
        let named = LibPQStatement("SELECT 7", name: "seven")
        let (first, before) = try await pool.withConnection { connection in
            let before: String = try await connection.value(facts)
            try await connection.query(named)
            if isScript {
                try await connection.execute(script: "BEGIN; SELECT 1; COMMIT; \(change); SELECT 2")
            } else {
                try await connection.query(LibPQStatement(change))
            }
            return (connection.processID, before)
        }
        let (second, after) = try await pool.withConnection { connection in
            #expect(try await connection.value(named) == 7)
            return (connection.processID, try await connection.value(facts, as: String.self))
        }
        #expect(first == second)
        #expect(before == after)
        await pool.close()
    }

    /// It costs a round trip, and what was prepared: not for what ends with the transaction.
    @Test func keepsWhatIsPreparedWhereNothingChanged() async throws {
        let pool = LibPQConnectionPool(try await testPostgres(), maximumConnections: 1)
        for _ in 0..<3 {
            try await pool.withTransaction { transaction in
                try await transaction.query("SET LOCAL lock_timeout = '1s'")
                try await transaction.query("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
                try await transaction.query(LibPQStatement("SELECT 7", name: "seven"))
                try await transaction.query("NOTIFY nothing")
            }
        }
        let count: Int = try await pool.withConnection { connection in
            #expect(await !connection.hasChangedSession)
            return try await connection.value("SELECT count(*) FROM pg_prepared_statements")
        }
        #expect(count == 1)
        await pool.close()
    }

    @Test func aSequenceOfNotificationsEndsWithItsLease() async throws {
        let pool = LibPQConnectionPool(try await testPostgres(), maximumConnections: 1)
        let notifications = try await pool.withConnection { try await $0.notifications(on: "lease") }
        for try await _ in notifications {}
        await pool.close()
    }

    @Test func transactions() async throws {
        let pool = LibPQConnectionPool(try await testPostgres(), maximumConnections: 1)
        let error = await thrown { try await pool.withTransaction { _ in throw TestError(number: 3) } }
        #expect(error as? TestError == TestError(number: 3))
        #expect(try await pool.withTransaction { try await $0.query("SELECT 1").rowCount } == 1)
        await pool.close()
    }

    @Test func rollsBackWhatWasLeftOpen() async throws {
        let pool = LibPQConnectionPool(try await testPostgres(), maximumConnections: 1)
        try await pool.withConnection { try await $0.query("BEGIN") }
        try await pool.withConnection { connection in
            #expect(await connection.transactionStatus == .idle)
            _ = try await connection.begin()
        }
        try await pool.withConnection { #expect(await $0.transactionStatus == .idle) }
        await pool.close()
    }

    @Test func waitersCanBeCancelled() async throws {
        let pool = LibPQConnectionPool(try await testPostgres(), maximumConnections: 1)
        try await pool.withConnection { _ in
            for _ in 0..<100 {
                let waiter = Task { try await pool.withConnection { _ in } }
                if Bool.random() { await Task.yield() }
                waiter.cancel()
                #expect(await postgresError { try await waiter.value }?.code == .cancelled)
            }
        }
        #expect(try await pool.withConnection { try await $0.value("SELECT 1") } == 1)
        await pool.close()
    }

    @Test func failuresToConnectReachEveryWaiter() async throws {
        var configuration = try await testPostgres()
        configuration.parameters = ["dbname": "no_such_database"]
        let pool = LibPQConnectionPool(configuration, maximumConnections: 2)
        await withTaskGroup(of: String?.self) { group in
            for _ in 0..<20 {
                group.addTask { await postgresError { try await pool.withConnection { _ in } }?.sqlState }
            }
            for await state in group { #expect(state == "3D000") }
        }
    }

    @Test func closing() async throws {
        let pool = LibPQConnectionPool(try await testPostgres(), maximumConnections: 1)
        let connection = try await pool.withConnection { connection in
            let waiter = Task { try await pool.withConnection { _ in } }
            await Task.yield()
            await pool.close()
            #expect(await postgresError { try await waiter.value }?.code == .poolClosed)
            let answer: Int = try await connection.value("SELECT 1")
            #expect(answer == 1)
            return connection
        }
        #expect(await connection.isUsable == false)
        #expect(await postgresError { try await pool.withConnection { _ in } }?.code == .poolClosed)
    }

    @Test func runsUntilShutdown() async throws {
        let pool = LibPQConnectionPool(try await testPostgres(), maximumConnections: 1)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let services = ServiceGroup(services: [pool], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await services.run() }
            #expect(try await pool.withConnection { try await $0.value("SELECT 1") } == 1)
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
        }
        #expect(await postgresError { try await pool.withConnection { _ in } }?.code == .poolClosed)
    }

    @Test func runsUntilCancelled() async throws {
        let pool = LibPQConnectionPool(try await testPostgres(), maximumConnections: 1)
        let run = Task { try await pool.run() }
        run.cancel()
        try await run.value
        #expect(await postgresError { try await pool.withConnection { _ in } }?.code == .poolClosed)
    }
}

/// Counts how many are at it, and how many were at most.
private final class Usage: Sendable {
    private let counts = Mutex([0, 0])

    var most: Int { counts.withLock { $0[1] } }

    func begin() {
        counts.withLock { counts in
            counts[0] += 1
            counts[1] = max(counts[1], counts[0])
        }
    }

    func end() {
        counts.withLock { $0[0] -= 1 }
    }
}
