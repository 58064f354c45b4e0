import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(5))) struct ConnectTests {
    func failure(_ overrides: [String: String]) async throws -> LibPQError {
        var configuration = try await testPostgres()
        configuration.parameters = overrides
        return try #require(await postgresError { try await LibPQConnection.connect(configuration) })
    }

    @Test func noServer() async throws {
        let error = try await failure(["host": "127.0.0.1", "port": "1"])
        #expect(error.code == .connect)
        #expect(error.isRetriable)
        #expect(error.description.contains("no server is listening"))
    }

    @Test func noSocket() async throws {
        let error = try await failure(["host": "/nowhere"])
        #expect(error.code == .connect)
        #expect(error.description.contains("/nowhere"))
    }

    @Test func unknownHost() async throws {
        let error = try await failure(["host": "no-such-host.invalid"])
        #expect(error.code == .connect)
    }

    @Test func unknownDatabase() async throws {
        let error = try await failure(["dbname": "no_such_database"])
        #expect(error.code == .connect)
        #expect(error.sqlState == "3D000")
        #expect(!error.isRetriable)
    }

    @Test func unknownRole() async throws {
        let error = try await failure(["user": "no_such_role", "password": "hunter2"])
        #expect(error.sqlState == "28000" || error.sqlState == "28P01")
        #expect(!error.debugDescription.contains("hunter2"))
    }

    @Test func unknownParameter() async throws {
        let error = try await failure(["aplication_name": "x"])
        #expect(error.code == .configuration)
        #expect(error.description.contains("application_name"))
    }

    @Test func badValue() async throws {
        let error = try await failure(["sslmode": "sometimes"])
        #expect(error.code == .configuration)
    }

    @Test func cancelled() async throws {
        // A backlog that never accepts: the kernel connects, no process answers.
        let listener = try SilentListener()
        var configuration = try await testPostgres()
        configuration.parameters = ["host": "127.0.0.1", "port": "\(listener.port)", "connect_timeout": "0"]
        let task = Task { [configuration] in try await LibPQConnection.connect(configuration) }
        await listener.accept()
        task.cancel()
        #expect(await postgresError { try await task.value }?.code == .cancelled)
    }

    @Test func cancelledBefore() async throws {
        let configuration = try await testPostgres()
        let task = Task {
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            return try await LibPQConnection.connect(configuration)
        }
        #expect(await postgresError { try await task.value }?.code == .cancelled)
    }

    @Test func timesOut() async throws {
        let listener = try SilentListener()
        let error = try await failure(["host": "127.0.0.1", "port": "\(listener.port)", "connect_timeout": "2"])
        #expect(error.code == .timeout)
        #expect(error.isRetriable)
    }

    @Test func hostsAreTriedInOrder() async throws {
        var configuration = try await testPostgres()
        let resolved = try configuration.resolved()
        guard let host = resolved["host"], let port = resolved["port"] else { return }
        configuration.parameters = ["host": "127.0.0.1,\(host)", "port": "1,\(port)"]
        let connection = try await LibPQConnection.connect(configuration)
        #expect(try await connection.value("SELECT 1") == 1)
    }
}
