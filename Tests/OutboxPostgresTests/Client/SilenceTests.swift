import Foundation
import Logging
import OutboxTestServers
import TestSupport
import Testing

@testable import OutboxPostgres

/// A server that owes an answer and says nothing.
@Suite(.timeLimit(.minutes(5))) struct SilenceTests {
    /// Long enough for a second connection on a machine that is busy.
    static let limit = Duration.seconds(3)

    private func withProxy<R>(
        limit: Duration = Self.limit, _ body: (FreezingProxy, LibPQConfiguration) async throws -> R
    ) async throws -> R {
        let proxy = try FreezingProxy(to: try await serverSocket())
        defer { proxy.end() }
        return try await body(proxy, try await configuration(through: proxy, limit: limit))
    }

    private func isThere(_ process: Int32) async throws -> Bool {
        let observer = try await connect()
        let isThere: Bool = try await observer.value(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = \(process))")
        await observer.close()
        return isThere
    }

    enum Work: CaseIterable {
        case query, pipeline, script, copy, begin, commit, rollback, savepoint, listen
    }

    /// New connections can be made, so the server says that the session waits for its client; and is told to end it.
    @Test(arguments: Work.allCases) func aFrozenPathEndsTheSession(work: Work) async throws {
        try await withProxy { proxy, configuration in
            let connection = try await LibPQConnection.connect(configuration)
            let error = await thrown {
                switch work {
                case .query:
                    proxy.freeze()
                    try await connection.query("SELECT 1")
                case .pipeline:
                    proxy.freeze()
                    _ = try await connection.pipeline(["SELECT 1", "SELECT 2"])
                case .script:
                    proxy.freeze()
                    try await connection.execute(script: "SELECT 1; SELECT 2")
                case .copy:
                    try await connection.execute(script: "CREATE TEMPORARY TABLE t (a text)")
                    _ = try await connection.copyIn("COPY t FROM STDIN") { writer in
                        try await writer.write("a\n")
                        proxy.freeze()
                        try await writer.write("b\n")
                    }
                case .begin:
                    proxy.freeze()
                    _ = try await connection.withTransaction { _ in }
                case .commit:
                    _ = try await connection.withTransaction { transaction in
                        try await transaction.query("SELECT 1")
                        proxy.freeze()
                    }
                case .rollback:
                    _ = try await connection.withTransaction { transaction in
                        try await transaction.query("SELECT 1")
                        proxy.freeze()
                        throw TestError()
                    }
                case .savepoint:
                    _ = try await connection.withTransaction { transaction in
                        try await transaction.withSavepoint { _ in proxy.freeze() }
                    }
                case .listen:
                    proxy.freeze()
                    _ = try await connection.notifications(on: "a")
                }
            }
            #expect(clientError(error)?.code == .connectionLost, "\(String(describing: error))")
            #expect(clientError(error)?.isRetriable == true)
            #expect(clientError(error)?.isOutcomeUnknown == (work == .commit))
            #expect((error as? LibPQTransactionError)?.isCommitUnknown ?? false == (work == .commit))
            #expect(await connection.isUsable == false)
            try await eventually("the session is ended") { try await !isThere(connection.processID) }
        }
    }

    /// Nothing can be asked over: what is not heard is lost.
    @Test func aPathThatIsFrozenForNewConnectionsToo() async throws {
        try await withProxy(limit: .seconds(1)) { proxy, configuration in
            let connection = try await LibPQConnection.connect(configuration)
            proxy.freeze()
            proxy.limitNew(.init(toServer: 0))
            let error = await postgresError { try await connection.query("SELECT 1") }
            #expect(error?.code == .connectionLost)
            #expect(error?.isRetriable == true)
        }
    }

    /// Wherever it freezes: in the login, between and within messages, in either direction.
    @Test func afterAnyByte() async throws {
        let work: @Sendable (LibPQConnection) async throws -> Void = { connection in
            try await connection.withTransaction { transaction in
                try await transaction.query("SELECT repeat('x', 300), \(7)")
                _ = try await transaction.pipeline(["SELECT 1", LibPQStatement("SELECT 2", name: "two")])
            }
            try await connection.execute(script: "CREATE TEMPORARY TABLE t (a text)")
            _ = try await connection.copyIn("COPY t FROM STDIN") { writer in
                try await writer.write("a\n")
                try await writer.write("b\n")
            }
        }
        let passed = try await withProxy { proxy, configuration in
            let connection = try await LibPQConnection.connect(configuration)
            try await work(connection)
            return proxy.passed
        }
        await withTaskGroup(of: Void.self) { group in
            for round in 0..<40 {
                let limits =
                    round.isMultiple(of: 2)
                    ? FreezingProxy.Limits(toServer: Int.random(in: 0..<passed.toServer))
                    : FreezingProxy.Limits(toClient: Int.random(in: 0..<passed.toClient))
                group.addTask {
                    let error = await thrown {
                        try await self.withProxy(limit: .seconds(1)) { proxy, configuration in
                            var configuration = configuration
                            configuration.parameters["connect_timeout"] = "2"
                            proxy.limitNew(limits)
                            let connection = try await LibPQConnection.connect(configuration)
                            try await work(connection)
                        }
                    }
                    let code = clientError(error)?.code
                    #expect(code == .connectionLost || code == .timeout, "\(limits): \(String(describing: error))")
                }
            }
        }
    }

    /// A large statement that the path does not take.
    @Test func whileSending() async throws {
        try await withProxy { proxy, configuration in
            let connection = try await LibPQConnection.connect(configuration)
            let observer = try await connect()
            try await observer.stop(connection.processID)
            let bytes = LibPQValue.bytes([UInt8](repeating: 1, count: 64 << 20))
            let error = await postgresError { try await connection.query(LibPQStatement("SELECT length($1)", [bytes])) }
            #expect(error?.code == .connectionLost)
            try await observer.resume(connection.processID)
        }
    }

    /// The process stands still before it has seen the statement.
    @Test func aServerProcessThatIsStopped() async throws {
        var configuration = try await testPostgres()
        configuration.answerTimeout = Self.limit
        let connection = try await LibPQConnection.connect(configuration)
        let observer = try await connect()
        try await observer.stop(connection.processID)
        let error = await postgresError { try await connection.query("SELECT 1") }
        #expect(error?.code == .connectionLost)
        try await observer.resume(connection.processID)
        try await eventually("the session is ended") { try await !isThere(connection.processID) }
    }

    /// Silent for longer than the limit, and at work.
    @Test(arguments: [false, true]) func aServerAtWorkIsWaitedFor(throughTheProxy isProxied: Bool) async throws {
        let recorder = LogLines(from: .trace)
        try await withProxy(limit: .seconds(10)) { _, proxied in
            var direct = try await testPostgres()
            direct.answerTimeout = proxied.answerTimeout
            let connection = try await LibPQConnection.connect(isProxied ? proxied : direct, logger: recorder.logger)
            #expect(try await connection.value("SELECT pg_sleep(12)::text") == "")
            try await connection.execute(script: "SELECT pg_sleep(12)")
            await connection.close()
        }
        // Once for each.
        #expect(recorder.all.filter { $0.hasPrefix("notice A statement takes long") }.count == 2)
    }

    @Test func aLockIsWaitedForAndItsHolderIsNamed() async throws {
        let recorder = LogLines(from: .trace)
        let holder = try await connect()
        var configuration = try await testPostgres()
        configuration.answerTimeout = .seconds(4)
        let waiter = try await LibPQConnection.connect(configuration, logger: recorder.logger)
        let lock = Int64.random(in: 0 ... .max)
        try await holder.query("SELECT pg_advisory_lock(\(lock))")
        let waiting = Task { try await waiter.query("SELECT pg_advisory_lock(\(lock))").rowCount }
        try await eventually("the log names the holder") {
            recorder.all.contains {
                $0.hasPrefix("warning A statement waits for a lock") && $0.contains("\(holder.processID)")
            }
        }
        await holder.close()
        #expect(try await waiting.value == 1)
        await waiter.close()
    }

    /// Nothing is committed as far as the client can know, so it waits, and says for what.
    @Test func aCommitThatWaitsForAStandbySaysSo() async throws {
        let recorder = LogLines(from: .trace)
        let server = try await serverOfItsOwn(["synchronous_standby_names": "nowhere", "synchronous_commit": "off"])
        var own = try LibPQConfiguration(server.url)
        own.answerTimeout = .seconds(4)
        let writer = try await LibPQConnection.connect(own, logger: recorder.logger)
        let watcher = try await LibPQConnection.connect(LibPQConfiguration(server.url))
        try await writer.query("SET synchronous_commit = on")
        let writing = Task { try await writer.execute(script: "CREATE TABLE t (a int)") }
        try await eventually("the log says what it waits for") {
            recorder.all.contains { $0.hasPrefix("warning A commit waits for a synchronous standby") }
        }
        try await watcher.query("SELECT pg_cancel_backend(\(writer.processID))")
        try await writing.value
        for connection in [writer, watcher] { await connection.close() }
        await server.stop()
    }

    /// The caller does not wait for a server that is silent, nor does closing.
    @Test func closingAndCancellingAFrozenConnection() async throws {
        try await withProxy(limit: .seconds(2)) { proxy, configuration in
            let closed = try await LibPQConnection.connect(configuration)
            let cancelled = try await LibPQConnection.connect(configuration)
            proxy.freeze()
            proxy.limitNew(.init(toServer: 0))
            let running = Task { try await closed.query("SELECT 1") }
            while await !closed.turn.isTaken { await Task.yield() }
            await closed.close()
            #expect(await postgresError { try await running.value }?.code == .connectionLost)
            let other = Task { try await cancelled.query("SELECT 1") }
            while await !cancelled.turn.isTaken { await Task.yield() }
            other.cancel()
            #expect(await postgresError { try await other.value }?.code == .connectionLost)
        }
    }

    @Test func noLimitIsNoLimit() async throws {
        var configuration = try await testPostgres()
        configuration.answerTimeout = nil
        let connection = try await LibPQConnection.connect(configuration)
        #expect(try await connection.value("SELECT 1") == 1)
        configuration.answerTimeout = .zero
        #expect(await postgresError { try await LibPQConnection.connect(configuration) }?.code == .configuration)
    }

    /// Those that lay idle on the same path are not tried one after the other.
    @Test func aPoolGivesUpAllConnectionsOfAFrozenPath() async throws {
        try await withProxy { proxy, configuration in
            let pool = LibPQConnectionPool(configuration, maximumConnections: 5)
            let meeting = Meeting(5)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<5 {
                    group.addTask { try await pool.withConnection { _ in await meeting.pass() } }
                }
                try await group.waitForAll()
            }
            proxy.freeze()
            let error = await thrown { try await pool.withConnection { try await $0.query("SELECT 1") } }
            #expect(clientError(error)?.code == .connectionLost)
            for _ in 0..<5 {
                #expect(try await pool.withConnection { try await $0.value("SELECT 1") } == 1)
            }
            await pool.close()
        }
    }

    @Test func aPoolWithoutAFreeConnectionSaysSo() async throws {
        let pool = LibPQConnectionPool(try await testPostgres(), maximumConnections: 1, leaseTimeout: .milliseconds(50))
        try await pool.withConnection { _ in
            let error = await postgresError { try await pool.withConnection { _ in } }
            #expect(error?.code == .timeout)
            #expect(error?.description.contains("maximumConnections") == true)
        }
        #expect(try await pool.withConnection { try await $0.value("SELECT 1") } == 1)
        await pool.close()
    }

    @Test func thePoolerCheckEnds() async throws {
        try await withProxy(limit: .seconds(1)) { proxy, configuration in
            let connection = try await LibPQConnection.connect(configuration)
            proxy.freeze()
            proxy.limitNew(.init(toServer: 0))
            let check = PoolerCheck(
                connection: connection, configuration: configuration,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            #expect(await postgresError { try await check() }?.code == .connectionLost)
        }
    }
}

extension LibPQConnection {
    /// Stops a process of the server, which this connection's role may not do: the test may.
    fileprivate func stop(_ process: Int32) async throws {
        kill(process, SIGSTOP)
        try await eventually("it has stopped") { ProcessState.isStopped(process) }
    }

    fileprivate func resume(_ process: Int32) async throws {
        kill(process, SIGCONT)
    }
}
