import OutboxPostgres
import OutboxRuntime
import Synchronization

/// The outbox that the page shows: sessions of its own, opened when they are needed, and a limit to what the server does for a page.
final class WebOutbox: Sendable {
    /// How long a statement may take that shows something.
    static let readLimit = Duration.seconds(5)
    /// How long one may take that changes something: with what a session and its server may take to be there, less than a connection of the
    /// listener waits for an answer.
    static let changeLimit = Duration.seconds(20)
    /// How many sessions the page has at most.
    private static let connections = 3

    private let looks: DatabaseLooks
    private let pool = Mutex<(target: LookTarget, pool: LibPQConnectionPool)?>(nil)

    /// - Parameter looks: Which outbox it is, and what is known of it.
    init(looks: DatabaseLooks) {
        self.looks = looks
    }

    /// Which outbox it is, and as whom the page connects.
    var target: LookTarget { self.looks.target }

    /// A word for an outbox, within this process: forms have it, so that none is about another one than it was made for.
    static func mark(of target: LookTarget) -> String { String(UInt(bitPattern: target.hashValue), radix: 16) }

    /// Runs something in a session, with the outbox that the session is of: it can be another one a moment later.
    ///
    /// - Parameter limit: How long a statement may take.
    func withConnection<Result: Sendable>(
        limit: Duration = WebOutbox.readLimit, _ body: (LibPQConnection, LookTarget) async throws -> Result
    ) async throws -> Result {
        let (pool, target) = await self.currentPool()
        return try await pool.withConnection { connection in
            let milliseconds = Int(limit.inSeconds * 1000)
            _ = try await connection.query(
                LibPQStatement("SELECT set_config('statement_timeout', '\(milliseconds)', false)", []))
            return try await body(connection, target)
        }
    }

    /// Closes the sessions.
    func close() async {
        let pool = self.pool.withLock { state in
            defer { state = nil }
            return state?.pool
        }
        await pool?.close()
    }

    private func currentPool() async -> (LibPQConnectionPool, LookTarget) {
        let target = self.target
        let (pool, old) = self.pool.withLock { state -> (LibPQConnectionPool, LibPQConnectionPool?) in
            if let state, state.target == target { return (state.pool, nil) }
            var server = target.server
            server.parameters["fallback_application_name"] = "outbox web"
            server.parameters["connect_timeout"] = "4"
            let pool = LibPQConnectionPool(
                server, maximumConnections: Self.connections, leaseTimeout: .seconds(5), logger: .quiet)
            let old = state?.pool
            state = (target, pool)
            return (pool, old)
        }
        // Of another outbox, before the configuration was read again.
        await old?.close()
        return (pool, target)
    }
}
