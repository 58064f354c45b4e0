import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(5))) struct ActivityTests {
    @Test func notified() async throws {
        let (listener, sender) = (try await connect(), try await connect())
        let channel = "activity_\(listener.processID)"
        try await listener.query("LISTEN \(unescaped: channel)")
        async let activity = listener.waitForActivity(until: nil)
        try await sender.query("SELECT pg_notify(\(channel), 'hello')")
        let expected = LibPQNotification(channel: channel, payload: "hello", processID: sender.processID)
        #expect(try await activity == .notified([expected]))
    }

    @Test func notificationsThatCameWithAnAnswer() async throws {
        let connection = try await connect()
        let channel = "activity_\(connection.processID)"
        _ = try await connection.pipeline([
            "LISTEN \(unescaped: channel)", "SELECT pg_notify(\(channel), '1'), pg_notify(\(channel), '2')",
        ])
        try await connection.query("SELECT 1")
        let activity = try await connection.waitForActivity(until: nil)
        guard case .notified(let notifications) = activity else {
            Issue.record("\(activity)")
            return
        }
        #expect(notifications.map(\.payload) == ["1", "2"])
        #expect(try await connection.waitForActivity(until: .now) == .deadline)
    }

    @Test func aWakeBeforeTheWaitIsNotLost() async throws {
        let connection = try await connect()
        connection.wake()
        connection.wake()
        #expect(try await connection.waitForActivity(until: nil) == .woken)
        #expect(try await connection.waitForActivity(until: .now) == .deadline)
    }

    @Test func aWakeDuringAStatementIsNotLost() async throws {
        let connection = try await connect()
        async let result = connection.query("SELECT 1")
        connection.wake()
        _ = try await result
        #expect(try await connection.waitForActivity(until: nil) == .woken)
    }

    @Test func everyWakeIsSeenOrFollowedByOne() async throws {
        let connection = try await connect()
        let waker = Task {
            while !Task.isCancelled {
                connection.wake()
                await Task.yield()
            }
        }
        for _ in 0..<2000 { #expect(try await connection.waitForActivity(until: nil) == .woken) }
        waker.cancel()
    }

    @Test func deadlinesPass() async throws {
        let connection = try await connect()
        let deadline = ContinuousClock.now + .milliseconds(3)
        #expect(try await connection.waitForActivity(until: deadline) == .deadline)
        #expect(ContinuousClock.now >= deadline)
        #expect(try await connection.waitForActivity(until: .now - .seconds(1)) == .deadline)
    }

    @Test func statementsRunDuringAWait() async throws {
        let connection = try await connect()
        let wait = Task { try await connection.waitForActivity(until: nil) }
        for number in 0..<50 { #expect(try await connection.value("SELECT \(number)") == number) }
        connection.wake()
        #expect(try await wait.value == .woken)
    }

    @Test func cancelled() async throws {
        let connection = try await connect()
        for _ in 0..<100 {
            let wait = Task { try await connection.waitForActivity(until: nil) }
            if Bool.random() { await Task.yield() }
            wait.cancel()
            #expect(await postgresError { try await wait.value }?.code == .cancelled)
        }
        #expect(try await connection.value("SELECT 1") == 1)
    }

    @Test func closed() async throws {
        let connection = try await connect()
        let wait = Task { try await connection.waitForActivity(until: nil) }
        await Task.yield()
        await connection.close()
        #expect(await postgresError { try await wait.value }?.code == .connectionLost)
    }

    @Test func staysOnTheThreadOfTheLoop() async throws {
        let (listener, sender) = (try await connect(), try await connect())
        try await listener.measure(sender)
    }
}

extension LibPQConnection {
    /// Isolated to the connection, as the relay's loop is.
    fileprivate func measure(_ sender: LibPQConnection) async throws {
        try await query("LISTEN \(unescaped: "thread_\(processID)")")
        #expect(loop.isCurrent)
        for _ in 0..<10 {
            async let sent = sender.query("SELECT pg_notify(\("thread_\(processID)"), '')")
            guard case .notified = try await waitForActivity(until: nil) else {
                Issue.record("not notified")
                return
            }
            #expect(loop.isCurrent)
            _ = try await sent
        }
    }
}
