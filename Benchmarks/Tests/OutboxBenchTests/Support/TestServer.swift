import Foundation
import OutboxPostgres
import OutboxTesting
import Synchronization

/// The server that all tests of this process share.
enum TestServer {
    /// Its address: that of a server which is there, or else of one of this process's own.
    static var url: String {
        get async throws { try await self.started.value }
    }

    /// Runs SQL in a database of it, and returns the first column.
    @discardableResult
    static func sql(_ statement: String, database: String = "postgres") async throws -> [String] {
        let url = try await self.url(of: database)
        let connection = try await LibPQConnection.connect(LibPQConfiguration(url))
        let rows = try await connection.query(LibPQStatement(statement)).map { try $0.decode(0, as: String.self) }
        await connection.close()
        return rows
    }

    /// The address of a database of it.
    static func url(of database: String) async throws -> String { try await self.url + "&dbname=\(database)" }

    private static let started = Task {
        if let url = ProcessInfo.processInfo.environment["OUTBOX_TEST_POSTGRES"] { return url }
        let server = try await EphemeralPostgres.start(.init(parameters: ["max_connections": "200"]))
        Self.kept.withLock { $0 = server }
        return server.url
    }

    /// A server that nothing holds stops.
    private static let kept = Mutex<EphemeralPostgres?>(nil)
}
