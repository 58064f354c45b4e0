import Logging
import ServiceLifecycle
import Synchronization
import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(5))) struct ConnectionPoolTests {
    @Test func reusesConnections() async throws {
        let pool = ConnectionPool(try await testPostgres(), maximumConnections: 3)
        var processes: Set<Int32> = []
        for _ in 0..<5 { processes.insert(try await pool.withConnection { $0.processID }) }
        #expect(processes.count == 1)
        await pool.close()
    }

    @Test func boundsConnectionsAndServesEverybody() async throws {
        let pool = ConnectionPool(try await testPostgres(), maximumConnections: 3)
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
        let pool = ConnectionPool(try await testPostgres(), maximumConnections: 1)
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

    @Test func transactions() async throws {
        let pool = ConnectionPool(try await testPostgres(), maximumConnections: 1)
        let error = await thrown { try await pool.withTransaction { _ in throw TestError(number: 3) } }
        #expect(error as? TestError == TestError(number: 3))
        #expect(try await pool.withTransaction { try await $0.query("SELECT 1").rowCount } == 1)
        await pool.close()
    }

    @Test func rollsBackWhatWasLeftOpen() async throws {
        let pool = ConnectionPool(try await testPostgres(), maximumConnections: 1)
        try await pool.withConnection { try await $0.query("BEGIN") }
        try await pool.withConnection { connection in
            #expect(await connection.transactionStatus == .idle)
            _ = try await connection.begin()
        }
        try await pool.withConnection { #expect(await $0.transactionStatus == .idle) }
        await pool.close()
    }

    @Test func waitersCanBeCancelled() async throws {
        let pool = ConnectionPool(try await testPostgres(), maximumConnections: 1)
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
        let pool = ConnectionPool(configuration, maximumConnections: 2)
        await withTaskGroup(of: String?.self) { group in
            for _ in 0..<20 {
                group.addTask { await postgresError { try await pool.withConnection { _ in } }?.sqlState }
            }
            for await state in group { #expect(state == "3D000") }
        }
    }

    @Test func closing() async throws {
        let pool = ConnectionPool(try await testPostgres(), maximumConnections: 1)
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
        let pool = ConnectionPool(try await testPostgres(), maximumConnections: 1)
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
        let pool = ConnectionPool(try await testPostgres(), maximumConnections: 1)
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
