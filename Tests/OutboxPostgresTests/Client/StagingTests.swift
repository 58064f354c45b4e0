import TestSupport
import Testing

@testable import OutboxPostgres

/// Statements that the thread which reads a notification sends.
@Suite(.timeLimit(.minutes(5))) struct StagingTests {
    /// A connection that listens, another one, and what they have in common.
    private struct Pair {
        let listener: LibPQConnection
        let sender: LibPQConnection
        let channel: String

        init() async throws {
            (listener, sender) = (try await connect(), try await connect())
            channel = "staging_\(listener.processID)"
            try await listener.query("LISTEN \(unescaped: channel)")
        }

        func notify(_ payload: String = "") async throws {
            try await sender.query("SELECT pg_notify(\(channel), \(payload))")
        }

        func wait(
            sending statements: [LibPQStatement], until deadline: ContinuousClock.Instant? = nil
        ) async throws -> (Activity, SentPipeline?) {
            try await listener.waitForActivity(until: deadline, sending: statements) { notifications in
                notifications.contains { $0.payload != "other" } && !notifications.contains { $0.payload == "first" }
            }
        }

        /// Waits until the listener's thread waits with something staged.
        func isStaged() async {
            while await !listener.waitsWithSomethingStaged { await Task.yield() }
        }
    }

    private static let answer = LibPQStatement("SELECT 7")

    private func payloads(_ activity: Activity) -> [String] {
        guard case .notified(let notifications) = activity else { return ["\(activity)"] }
        return notifications.map(\.payload)
    }

    @Test func isSentForTheNotificationOnce() async throws {
        let pair = try await Pair()
        for round in 0..<20 {
            async let waited = pair.wait(sending: [Self.answer, "SELECT \(round)"])
            await pair.isStaged()
            try await pair.notify("\(round)")
            let (activity, sent) = try await waited
            #expect(payloads(activity) == ["\(round)"])
            let results = try await pair.listener.finish(try #require(sent))
            #expect(try results[0][0].decode(0, as: Int.self) == 7)
            #expect(try results[1][0].decode(0, as: Int.self) == round)
            #expect(await !pair.listener.waitsWithSomethingStaged)
            #expect(try await pair.listener.value("SELECT 3") == 3)
        }
    }

    @Test func anotherNotificationEndsTheWaitAndSendsNothing() async throws {
        let pair = try await Pair()
        async let waited = pair.wait(sending: [Self.answer])
        await pair.isStaged()
        try await pair.notify("other")
        let (activity, sent) = try await waited
        #expect(payloads(activity) == ["other"])
        #expect(sent == nil)
        #expect(try await pair.listener.value("SELECT 3") == 3)
    }

    /// What is to be done for one of them comes before what is staged for another.
    @Test func notificationsOfOneTransactionAreJudgedTogether() async throws {
        let pair = try await Pair()
        async let waited = pair.wait(sending: [Self.answer])
        await pair.isStaged()
        try await pair.sender.query(
            "SELECT pg_notify(\(pair.channel), payload) FROM unnest('{ring,first}'::text[]) AS payload")
        let (activity, sent) = try await waited
        #expect(payloads(activity) == ["ring", "first"])
        #expect(sent == nil)
        #expect(try await pair.listener.value("SELECT 3") == 3)
    }

    /// The time that a server may be silent counts for what the thread has sent, too.
    @Test func aServerThatIsSilentEndsTheSession() async throws {
        let proxy = try FreezingProxy(to: try await serverSocket())
        defer { proxy.end() }
        let listener = try await LibPQConnection.connect(
            try await configuration(through: proxy, limit: SilenceTests.limit))
        let sender = try await connect()
        let channel = "staging_\(listener.processID)"
        try await listener.query("LISTEN \(unescaped: channel)" as LibPQStatement)
        let task = Task { () async throws in
            // It ends when the answer cannot pass any more, so that the server is at work on nothing.
            let (_, sent) = try await listener.waitForActivity(
                until: nil, sending: ["SELECT pg_advisory_xact_lock(2, \(listener.processID))"]
            ) { _ in true }
            _ = try await listener.finish(try #require(sent))
        }
        while await !listener.waitsWithSomethingStaged { await Task.yield() }
        try await sender.query("SELECT pg_advisory_lock(2, \(listener.processID))")
        try await sender.query("SELECT pg_notify(\(channel), '')")
        try await sender.waitUntilRunning(listener.processID, "pg_advisory_xact_lock")
        proxy.freeze()
        try await sender.query("SELECT pg_advisory_unlock(2, \(listener.processID))")
        #expect(await postgresError { try await task.value }?.code == .connectionLost)
        #expect(await listener.isUsable == false)
    }

    @Test func whatHasComeBeforeTheWaitSendsNothing() async throws {
        let pair = try await Pair()
        try await pair.notify()
        try await pair.listener.query("SELECT 1")
        let (activity, sent) = try await pair.wait(sending: [Self.answer])
        #expect(payloads(activity) == [""])
        #expect(sent == nil)
    }

    /// To prepare it takes another round trip, and what is staged may never be sent.
    @Test func whatIsNotPreparedYetIsNotStaged() async throws {
        let pair = try await Pair()
        let statement = LibPQStatement("SELECT 8", name: "eight")
        let (activity, sent) = try await pair.wait(sending: [statement], until: .now)
        #expect(activity == .deadline)
        #expect(sent == nil)
        try await pair.listener.query(statement)
        async let waited = pair.wait(sending: [statement])
        await pair.isStaged()
        try await pair.notify()
        let results = try await pair.listener.finish(try #require(try await waited.1))
        #expect(try results[0][0].decode(0, as: Int.self) == 8)
    }

    @Test func aConnectionThatAnotherTaskUsesSendsNothing() async throws {
        let pair = try await Pair()
        async let waited = pair.wait(sending: [Self.answer])
        await pair.isStaged()
        try await pair.sender.query("SELECT pg_advisory_lock(1, \(pair.listener.processID))")
        let other = Task { [pair] () async throws -> Int in
            try await pair.listener.value("SELECT 5 FROM pg_advisory_xact_lock(1, \(pair.listener.processID))")
        }
        try await pair.sender.waitUntilRunning(pair.listener.processID, "pg_advisory_xact_lock")
        try await pair.notify()
        try await pair.sender.query("SELECT pg_advisory_unlock(1, \(pair.listener.processID))")
        #expect(try await other.value == 5)
        let (activity, sent) = try await waited
        #expect(payloads(activity) == [""])
        #expect(sent == nil)
    }

    @Test func aWakeDuringTheAnswerIsNotLost() async throws {
        let pair = try await Pair()
        async let waited = pair.wait(sending: [Self.answer])
        await pair.isStaged()
        try await pair.notify()
        while await pair.listener.waitsWithSomethingStaged { await Task.yield() }
        pair.listener.wake()
        let sent = try await waited.1
        if let sent { _ = try await pair.listener.finish(sent) }
        #expect(try await pair.listener.waitForActivity(until: nil) == .woken)
    }

    @Test func cancellingTheTaskCancelsTheStatement() async throws {
        let pair = try await Pair()
        let task = Task { [pair] in
            let (_, sent) = try await pair.wait(sending: ["SELECT pg_sleep(600)"])
            _ = try await pair.listener.finish(try #require(sent))
        }
        await pair.isStaged()
        try await pair.notify()
        try await pair.sender.waitUntilRunning(pair.listener.processID, "pg_sleep")
        task.cancel()
        #expect(await postgresError { try await task.value }?.code == .cancelled)
        #expect(try await pair.listener.value("SELECT 3") == 3)
    }

    @Test func aRefusalIsTheAnswer() async throws {
        let pair = try await Pair()
        async let waited = pair.wait(sending: ["SELECT 1/0"])
        await pair.isStaged()
        try await pair.notify()
        let sent = try #require(try await waited.1)
        #expect(await postgresError { try await pair.listener.finish(sent) }?.sqlState == "22012")
        #expect(try await pair.listener.value("SELECT 3") == 3)
    }

    @Test func theEndOfTheSessionIsTheAnswer() async throws {
        let pair = try await Pair()
        let task = Task { [pair] in
            let (_, sent) = try await pair.wait(sending: ["SELECT pg_sleep(600)"])
            _ = try await pair.listener.finish(try #require(sent))
        }
        await pair.isStaged()
        try await pair.notify()
        try await pair.sender.waitUntilRunning(pair.listener.processID, "pg_sleep")
        try await pair.sender.terminate(pair.listener)
        #expect(await postgresError { try await task.value }?.code == .connectionLost)
        #expect(await postgresError { try await pair.listener.query("SELECT 1") }?.code == .connectionLost)
    }

    /// The end of a session, a notification and a wake at any moment: each wait ends, and so does each answer.
    @Test func atAnyMoment() async throws {
        let killer = try await connect()
        for _ in 0..<40 {
            let pair = try await Pair()
            let task = Task { [pair] in
                while true {
                    let (_, sent) = try await pair.wait(sending: [Self.answer, "SELECT 2"])
                    if let sent { #expect(try await pair.listener.finish(sent).count == 2) }
                }
            }
            let noise = Task { [pair] in
                while !Task.isCancelled {
                    try await pair.notify(Bool.random() ? "" : "other")
                    pair.listener.wake()
                }
            }
            for _ in 0..<Int.random(in: 0..<200) { await Task.yield() }
            try await killer.terminate(pair.listener)
            #expect(await postgresError { try await task.value }?.code == .connectionLost)
            noise.cancel()
            _ = await noise.result
        }
    }
}

extension LibPQConnection {
    /// Whether a task waits for a notification, with statements to be sent when one comes.
    var waitsWithSomethingStaged: Bool { self.staged.map { $0.waiter != nil && !$0.isSent } ?? false }
}
