import Foundation
import OutboxRuntime
import OutboxTestServers
import Synchronization
import Testing

@testable import OutboxPostgres

/// Servers that want a password, or TLS, or go away.
@Suite(.timeLimit(.minutes(5))) struct LoginTests {
    @Test func passwordsAndEncryption() async throws {
        let server = try await EphemeralPostgres.start(.init(network: .loopback(password: "right")))
        let overTCP = try LibPQConfiguration(try #require(server.tcpURL))
        func failure(_ overrides: [String: String]) async throws -> LibPQError {
            var configuration = overTCP
            configuration.parameters = overrides
            return try #require(await postgresError { try await LibPQConnection.connect(configuration) })
        }

        let connection = try await LibPQConnection.connect(overTCP)
        #expect(try await connection.value("SELECT 1") == 1)

        let wrong = try await failure(["password": "hunter2"])
        #expect(wrong.code == .connect)
        #expect(wrong.sqlState == "28P01")
        #expect(!wrong.isRetriable)
        #expect(wrong.description.contains("password is missing or wrong"))
        #expect(!wrong.debugDescription.contains("hunter2"))

        #expect(try await failure(["password": ""]).code == .connect)

        let noTLS = try await failure(["sslmode": "require"])
        #expect(noTLS.code == .connect)
        #expect(noTLS.description.contains("TLS"))

        // Now the server is the one that insists.
        let local = try await LibPQConnection.connect(LibPQConfiguration(server.url))
        let rules: String = try await local.value("SHOW hba_file")
        try "local all all trust\nhostssl all all all scram-sha-256\n".write(
            toFile: rules, atomically: true, encoding: .utf8)
        try await local.query("SELECT pg_reload_conf()")
        var refusal: LibPQError?
        while refusal == nil { refusal = await postgresError { try await LibPQConnection.connect(overTCP) } }
        #expect(refusal?.sqlState == "28000")
        #expect(refusal?.description.contains("TLS") == true)
        await server.stop()
    }

    // MARK: Passwords that change

    @Test func aSourceOfPasswordsIsAskedAtEachLogin() async throws {
        let server = try await EphemeralPostgres.start(.init(network: .loopback(password: "first")))
        var configuration = try LibPQConfiguration(try #require(server.tcpURL))
        // It goes before all other places.
        configuration.parameters["password"] = "wrong"
        let password = Mutex("first")
        let questions = Atomic(0)
        configuration.password = PasswordSource {
            questions.add(1, ordering: .relaxed)
            return password.withLock { $0 }
        }
        let pool = LibPQConnectionPool(configuration, maximumConnections: 1)
        #expect(try await pool.withConnection { try await $0.value("SELECT 1") } == 1)
        let admin = try await LibPQConnection.connect(LibPQConfiguration(server.url))
        try await admin.query("ALTER ROLE CURRENT_USER PASSWORD 'second'")
        let refusal = await postgresError { try await LibPQConnection.connect(configuration) }
        #expect(refusal?.sqlState == "28P01")
        password.withLock { $0 = "second" }
        try await server.restart()
        #expect(try await pool.withConnection { try await $0.value("SELECT 2") } == 2)
        #expect(questions.load(ordering: .relaxed) >= 3)
        #expect(!configuration.description.contains("second"))
        await pool.close()
        await server.stop()
    }

    @Test func aSourceThatFailsIsAFailureToConnect() async throws {
        struct NoToken: Error, CustomStringConvertible { let description = "the cloud is silent" }
        var configuration = try LibPQConfiguration("host=/nonexistent")
        configuration.password = PasswordSource { throw NoToken() }
        let error = await postgresError { try await LibPQConnection.connect(configuration) }
        #expect(error?.code == .connect && error?.isRetriable == true)
        #expect(error?.description.contains("the password cannot be had: the cloud is silent") == true)
    }

    /// Though its closure does not look at cancellation.
    @Test func aTaskThatIsCancelledDoesNotWaitForASource() async throws {
        var configuration = try LibPQConfiguration("host=/nonexistent")
        let (asked, goOn) = (Latch(), Latch())
        defer { goOn.open() }
        configuration.password = PasswordSource {
            asked.open()
            // No child of the task that is cancelled.
            await Task { await goOn.wait() }.value
            return "late"
        }
        let source = configuration
        let task = Task { await postgresError { try await LibPQConnection.connect(source) } }
        await asked.wait()
        task.cancel()
        #expect(await task.value?.code == .cancelled)
    }

    @Test func aPoolOutlivesItsServer() async throws {
        let server = try await EphemeralPostgres.start()
        let pool = LibPQConnectionPool(try LibPQConfiguration(server.url), maximumConnections: 2)
        #expect(try await pool.withConnection { try await $0.value("SELECT 1") } == 1)
        try await server.restart()
        #expect(try await pool.withConnection { try await $0.value("SELECT 2") } == 2)
        await pool.close()
        await server.stop()
    }

    @Test func aServerThatCrashes() async throws {
        let server = try await EphemeralPostgres.start()
        let configuration = try LibPQConfiguration(server.url)
        let waiting = try await LibPQConnection.connect(configuration)
        let busy = try await LibPQConnection.connect(configuration)
        let observer = try await LibPQConnection.connect(configuration)
        let wait = Task { try await waiting.waitForActivity(until: nil) }
        let query = Task { try await busy.query("SELECT pg_sleep(600)") }
        try await observer.waitUntilRunning(busy.processID, "pg_sleep")
        try await server.kill()
        #expect(await postgresError { try await wait.value }?.code == .connectionLost)
        #expect(await postgresError { try await query.value }?.code == .connectionLost)
        let refusal = await postgresError { try await LibPQConnection.connect(configuration) }
        #expect(refusal?.code == .connect)
        #expect(refusal?.isRetriable == true)
        await server.stop()
    }
}
