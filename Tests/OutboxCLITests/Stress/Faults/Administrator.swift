import OutboxPostgres
import Synchronization

/// A session beside those of the relays. It is opened again, and what was asked is asked again, when the server goes away.
final class Administrator: Sendable {
    private let url: String
    private let session = Mutex<LibPQConnection?>(nil)

    init(url: String) {
        self.url = url
    }

    func query(_ statement: LibPQStatement) async throws -> LibPQResult {
        try await self.repeated { connection in try await connection.query(statement) }
    }

    func execute(script: String) async throws {
        try await self.repeated { connection in try await connection.execute(script: script) }
    }

    private func repeated<Result: Sendable>(_ body: (LibPQConnection) async throws -> Result) async throws -> Result {
        let deadline = ContinuousClock.now + .seconds(120)
        while true {
            do {
                return try await body(try await self.connection())
            } catch let error as LibPQError where error.isRetriable && ContinuousClock.now < deadline {
                await self.session.withLock { $0.take() }?.close()
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private func connection() async throws -> LibPQConnection {
        if let connection = self.session.withLock({ $0 }) { return connection }
        let connection = try await LibPQConnection.connect(LibPQConfiguration(self.url))
        self.session.withLock { $0 = connection }
        return connection
    }
}
