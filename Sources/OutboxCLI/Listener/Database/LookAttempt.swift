import OutboxPostgres
import OutboxRuntime
import Synchronization

/// One look at the database, in a session that is kept or in a new one.
final class LookAttempt: Sendable {
    /// How long a statement may take.
    static let statementLimit = Duration.seconds(4)
    /// How long all of a look may take, connecting included: less than a scraper waits.
    static let limit = Duration.seconds(7)

    let target: LookTarget
    /// How far messages of a stream are counted.
    let countLimit: Int
    /// What to compare with; nil: nothing.
    let earlier: OutboxStatus?
    /// Since when the server counts; nil: there is no session yet.
    private let countingSince = Mutex<ContinuousClock.Instant?>(nil)

    init(target: LookTarget, countLimit: Int, since earlier: OutboxStatus? = nil) {
        self.target = target
        self.countLimit = countLimit
        self.earlier = earlier
    }

    /// Whether it is the counting that has taken too long, and not the way to the server.
    func hasCountedTooLong(now: ContinuousClock.Instant) -> Bool {
        self.countingSince.withLock { begin in begin.map { now - $0 >= Self.statementLimit } ?? false }
    }

    /// Looks once; a second time where the session that was kept turns out to be gone.
    ///
    /// - Returns: The session, to be kept, and what was found.
    /// - Throws: Why nothing was; the session is closed then.
    func run(on kept: LibPQConnection?) async throws -> (LibPQConnection, OutboxStatus) {
        try await Self.within(Self.limit) {
            if let kept {
                do {
                    return (kept, try await self.look(on: kept))
                } catch {
                    let isLost = !(await kept.isUsable)
                    await kept.close()
                    if !isLost || Task.isCancelled { throw error }
                }
            }
            let connection = try await self.connect()
            do {
                return (connection, try await self.look(on: connection))
            } catch {
                await connection.close()
                throw error
            }
        }
    }

    private func connect() async throws -> LibPQConnection {
        self.countingSince.withLock { $0 = nil }
        var server = self.target.server
        server.parameters["connect_timeout"] = "4"
        let connection = try await LibPQConnection.connect(server, logger: .quiet)
        do {
            // Not as parameters of the login, which poolers refuse. Between two scrapes the session may be idle for as long as they are apart.
            let limits = """
                SELECT set_config('statement_timeout', '\(Int(Self.statementLimit.inSeconds))s', false),
                       set_config('idle_session_timeout', '0', false)
                """
            _ = try await connection.query(LibPQStatement(limits, []))
            return connection
        } catch {
            await connection.close()
            throw error
        }
    }

    private func look(on connection: LibPQConnection) async throws -> OutboxStatus {
        self.countingSince.withLock { $0 = .now }
        return try await OutboxInspector(schema: self.target.schema).status(
            subscription: self.target.subscription, since: self.earlier, countLimit: self.countLimit, on: connection)
    }

    /// Runs something that is cancelled when it takes too long.
    static func within<Result: Sendable>(
        _ limit: Duration, _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Result.self) { tasks in
            tasks.addTask { try await body() }
            tasks.addTask {
                try await Task.sleep(for: limit)
                throw CommandFailure(.unavailable, "the server has not answered within \(limit.short)")
            }
            defer { tasks.cancelAll() }
            guard let result = try await tasks.next() else { throw CancellationError() }
            return result
        }
    }
}
