import Foundation
import Logging
import OutboxPostgres
import TestSupport
import Testing

@testable import OutboxCLI

/// The session of the listener, and its looks.
@Suite(.timeLimit(.minutes(5))) struct DatabaseLooksTests {
    /// However many scrape, there is one look, in one session, which the first one of them opens.
    @Test func scrapesShareALookAndASession() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "d", "x")
        let name = "metrics of \(outbox.schema)"
        // No time passes: a second look has no other reason than that the first was not shared.
        let now = ContinuousClock.now
        let looks = DatabaseLooks(
            target: try self.target(outbox, name: name), logger: LogLines(from: .critical).logger, now: { now })
        let sessions = "SELECT count(*)::text FROM pg_stat_activity WHERE application_name = '\(name)'"
        try await withThrowingTaskGroup(of: DatabaseLook?.self) { tasks in
            defer { tasks.cancelAll() }
            tasks.addTask {
                await looks.run()
                return nil
            }
            #expect(try await outbox.sql(sessions) == ["0"])
            for _ in 0..<50 { tasks.addTask { await looks.current() } }
            var found: [DatabaseLook] = []
            while found.count < 50, let look = try await tasks.next() { if let look { found.append(look) } }
            #expect(Set(found.map(\.succeededAt)).count == 1)
            #expect(found.allSatisfy { $0.figures?.destinations.map(\.name) == ["d"] })
            #expect(try await outbox.sql(sessions) == ["1"])
            let limit = try await outbox.sql(
                "SELECT count(*)::text FROM pg_stat_activity WHERE application_name = '\(name)' AND state = 'idle'")
            #expect(limit == ["1"], "it leaves no transaction open")
        }
    }

    /// What a configuration that was read again names is looked at from then on.
    @Test func anotherOutboxIsFollowed() async throws {
        let (first, second) = (try await TestOutbox.migrated(), try await TestOutbox.migrated())
        try await first("enqueue", "one", "x")
        try await second("enqueue", "two", "x")
        let looks = DatabaseLooks(
            target: try self.target(first, name: "metrics"), logger: LogLines(from: .critical).logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            defer { tasks.cancelAll() }
            tasks.addTask { await looks.run() }
            #expect(await looks.current().figures?.destinations.map(\.name) == ["one"])
            looks.follow(try self.target(second, name: "metrics"))
            #expect(await looks.current().figures?.destinations.map(\.name) == ["two"])
        }
    }

    /// A scrape that waits while another outbox is named has the numbers of that one, and not none.
    @Test func aScrapeThatWaitsFollowsToo() async throws {
        let (first, second) = (try await TestOutbox.migrated(), try await TestOutbox.migrated())
        try await second("enqueue", "two", "x")
        let name = "metrics of \(first.schema)"
        let looks = DatabaseLooks(
            target: try self.target(first, name: name), logger: LogLines(from: .critical).logger)
        let holder = try await LibPQConnection.connect(LibPQConfiguration(first.url))
        try await holder.query("BEGIN")
        try await holder.execute(script: "LOCK TABLE \(first.schema).stream IN ACCESS EXCLUSIVE MODE")
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            defer { tasks.cancelAll() }
            tasks.addTask { await looks.run() }
            async let look = looks.current()
            try await eventually("the look waits") {
                try await second.sql(
                    "SELECT count(*)::text FROM pg_stat_activity WHERE application_name = '\(name)' AND wait_event_type = 'Lock'"
                ) == ["1"]
            }
            looks.follow(try self.target(second, name: "metrics"))
            try await holder.query("ROLLBACK")
            #expect(await look.figures?.destinations.map(\.name) == ["two"])
        }
        await holder.close()
    }

    /// One who looks after a change sees the change, also where a look had begun before it.
    @Test func aLookThatBeganBeforeAChangeIsNotShownAfterIt() async throws {
        let outbox = try await TestOutbox.migrated()
        let name = "metrics of \(outbox.schema)"
        let looks = DatabaseLooks(
            target: try self.target(outbox, name: name), logger: LogLines(from: .critical).logger)
        let holder = try await LibPQConnection.connect(LibPQConfiguration(outbox.url))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            defer { tasks.cancelAll() }
            tasks.addTask { await looks.run() }
            // It has its snapshot before the change is made, and waits for a lock that it asks for later.
            try await holder.query("BEGIN")
            try await holder.execute(script: "LOCK TABLE \(outbox.schema).dead_letter IN ACCESS EXCLUSIVE MODE")
            async let before = looks.current()
            try await eventually("the look waits") {
                try await outbox.sql(
                    "SELECT count(*)::text FROM pg_stat_activity WHERE application_name = '\(name)' AND wait_event_type = 'Lock'"
                ) == ["1"]
            }
            try await outbox("enqueue", "new", "x")
            looks.lookAgain()
            async let after = looks.recent()
            try await holder.query("ROLLBACK")
            #expect(await before.figures?.destinations.map(\.name) == ["new"])
            #expect(await after.figures?.destinations.map(\.name) == ["new"])
        }
        await holder.close()
    }

    /// A server that is not there is found out, and the numbers are left out.
    @Test func aLookThatFailsHasNoNumbers() async throws {
        let target = LookTarget(
            server: try LibPQConfiguration("host=/nonexistent"), schema: OutboxSchema(), subscription: "main")
        let log = LogLines(from: .warning)
        let looks = DatabaseLooks(target: target, logger: log.logger)
        await withTaskGroup(of: Void.self) { tasks in
            defer { tasks.cancelAll() }
            tasks.addTask { await looks.run() }
            let look = await looks.current()
            #expect(look.figures == nil && look.succeededAt == nil)
            #expect(log.lines.map(\.text) == ["The database cannot be looked at for metrics"])
        }
    }

    private func target(_ outbox: TestOutbox, name: String) throws -> LookTarget {
        var server = try LibPQConfiguration(outbox.url)
        server.parameters["application_name"] = name
        return LookTarget(server: server, schema: try OutboxSchema(name: outbox.schema), subscription: "main")
    }
}
