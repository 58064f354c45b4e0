import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(5))) struct NotificationsTests {
    @Test func arriveInOrder() async throws {
        let (listener, sender) = (try await connect(), try await connect())
        let channel = "Ordered \"channel\" \(listener.processID)"
        let notifications = try await listener.notifications(on: channel)
        async let sent: Void = {
            for number in 0..<100 { try await sender.query("SELECT pg_notify(\(channel), \(String(number)))") }
        }()
        var received: [String] = []
        for try await notification in notifications {
            #expect(notification.channel == channel)
            received.append(notification.payload)
            if received.count == 100 { break }
        }
        #expect(received == (0..<100).map(String.init))
        try await sent
    }

    @Test func severalChannelsOnOneConnection() async throws {
        let connection = try await connect()
        let (one, two) = ("one_\(connection.processID)", "two_\(connection.processID)")
        let first = try await connection.notifications(on: one).makeAsyncIterator()
        let second = try await connection.notifications(on: two).makeAsyncIterator()
        try await connection.query("SELECT pg_notify(\(two), 'b'), pg_notify(\(one), 'a')")
        #expect(try await first.next()?.payload == "a")
        #expect(try await second.next()?.payload == "b")
        #expect(try await connection.waitForActivity(until: .now) == .deadline)
    }

    @Test func stopsListeningWhenDropped() async throws {
        let connection = try await connect()
        func listening() async throws -> Int {
            try await connection.value("SELECT count(*) FROM pg_listening_channels()")
        }
        do {
            let notifications = try await connection.notifications(on: "dropped")
            let again = try await connection.notifications(on: "dropped")
            #expect(try await listening() == 1)
            _ = (notifications, again)
        }
        while try await listening() != 0 { await Task.yield() }
        let anew = try await connection.notifications(on: "dropped")
        #expect(try await listening() == 1)
        _ = anew
    }

    @Test func stopsListeningOnlyOutsideOfATransaction() async throws {
        let connection = try await connect()
        _ = try await connection.notifications(on: "dropped")
        let transaction = try await connection.begin()
        #expect(await postgresError { try await transaction.query("SELECT 1/0") }?.sqlState == "22012")
        #expect(await postgresError { try await transaction.query("SELECT 1") }?.sqlState == "25P02")
        try await transaction.rollback()
        #expect(try await connection.value("SELECT count(*) FROM pg_listening_channels()") == 0)
    }

    @Test func throwsWhenTheServerGoes() async throws {
        let (listener, killer) = (try await connect(), try await connect())
        let notifications = try await listener.notifications(on: "loss")
        let task = Task { for try await _ in notifications {} }
        try await killer.terminate(listener)
        let error = await postgresError { try await task.value }
        #expect(error?.code == .connectionLost)
        #expect(error?.sqlState == "57P01")
    }

    @Test func endsWhenClosedOrCancelled() async throws {
        let connection = try await connect()
        let notifications = try await connection.notifications(on: "end")
        let cancelled = Task { for try await _ in notifications {} }
        cancelled.cancel()
        try await cancelled.value
        let closed = Task { for try await _ in notifications {} }
        await connection.close()
        try await closed.value
    }

    @Test func invalidNames() async throws {
        let connection = try await connect()
        for name in ["", String(repeating: "ü", count: 32), "a\0b"] {
            #expect(await postgresError { try await connection.notifications(on: name) }?.code == .invalidValue)
        }
    }

    /// A quote with a combining accent is one character to Swift, and a quote and an accent to the server.
    @Test(arguments: ["a\"b", "a\"\u{301}b", "\"\u{301}; SELECT 1/0; --", "\u{301}"]) func anyNameIsAChannel(
        name: String
    ) async throws {
        let connection = try await connect()
        let notifications = try await connection.notifications(on: name)
        try await connection.query("SELECT pg_notify(\(name), 'x')")
        let iterator = notifications.makeAsyncIterator()
        #expect(try await iterator.next()?.channel == name)
        await connection.close()
    }
}
