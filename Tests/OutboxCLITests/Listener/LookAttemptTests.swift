import OutboxPostgres
import Testing

@testable import OutboxCLI

/// One look at the database.
@Suite(.timeLimit(.minutes(2))) struct LookAttemptTests {
    /// The server ends a session that was idle, as at a failover: the next scrape has its numbers all the same, by another one.
    @Test func aSessionThatIsGoneIsReplaced() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "d", "x")
        let name = "attempt of \(outbox.schema)"
        var server = try LibPQConfiguration(outbox.url)
        server.parameters["application_name"] = name
        let target = LookTarget(
            server: server, schema: try OutboxSchema(name: outbox.schema), subscription: "main")
        let (first, _) = try await LookAttempt(target: target, countLimit: 10).run(on: nil)
        let limits = "SELECT current_setting('statement_timeout') || ' ' || current_setting('idle_session_timeout')"
        let set = try await first.query(LibPQStatement(limits, [])).map { row in try row.decode(0, as: String.self) }
        #expect(set == ["4s 0"])
        let ended = try await outbox.sql(
            "SELECT pg_terminate_backend(pid, 60000)::text FROM pg_stat_activity WHERE application_name = '\(name)'")
        #expect(ended == ["true"])
        let (second, figures) = try await LookAttempt(target: target, countLimit: 10).run(on: first)
        #expect(DatabaseFigures(figures).destinations.map(\.name) == ["d"])
        await second.close()
    }

    /// What keeps a session from being opened says nothing of how long the server counts.
    @Test func anUnreachableServerDoesNotCountTooLong() async throws {
        let attempt = LookAttempt(
            target: LookTarget(
                server: try LibPQConfiguration("host=/nonexistent"), schema: OutboxSchema(), subscription: "main"),
            countLimit: 10)
        await #expect(throws: LibPQError.self) { _ = try await attempt.run(on: nil) }
        #expect(!attempt.hasCountedTooLong(now: .now + .seconds(60)))
    }
}
