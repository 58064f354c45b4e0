import Foundation
import Outbox
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(10))) struct DeadLetterTests {
    /// Ten dead letters of two destinations, died an hour apart, the last one now.
    private func withDeadLetters(_ body: (TestOutbox, OutboxInspector) async throws -> Void) async throws {
        try await withTestOutbox { test in
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).dead_letter (
                        subscription, id, created_at, destination, route, key, headers, payload, attempts, reason,
                        last_error, died_at)
                    SELECT CASE number WHEN 10 THEN 'other' ELSE 'main' END, number, now() - interval '1 day',
                        CASE WHEN number <= 6 THEN 'here' ELSE 'there' END, 'r', 'k', '{"a":"b"}', '\\x0001', number,
                        CASE WHEN number % 2 = 0 THEN 'rejected' ELSE 'exhausted' END, '100% of error ' || number,
                        now() - (10 - number) * interval '1 hour'
                    FROM generate_series(1, 10) AS number
                    """)
            try await body(test, OutboxInspector(schema: test.schema))
        }
    }

    static let filters: [(DeadLetterFilter, [Int64])] = [
        (DeadLetterFilter(), [9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (DeadLetterFilter(subscription: nil), [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (DeadLetterFilter(subscription: "other"), [10]),
        (DeadLetterFilter(subscription: "none"), []),
        (DeadLetterFilter(ids: [3, 1, 77]), [3, 1]),
        (DeadLetterFilter(ids: []), []),
        (DeadLetterFilter(destination: "there"), [9, 8, 7]),
        (DeadLetterFilter(olderThan: .seconds(3600 * 7 + 60)), [2, 1]),
        (DeadLetterFilter(newerThan: .seconds(3600 * 2 + 60)), [9, 8]),
        (DeadLetterFilter(olderThan: .seconds(Int64.max)), []),
        (DeadLetterFilter(newerThan: .seconds(Int64.max)), [9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (DeadLetterFilter(reason: .rejected), [8, 6, 4, 2]),
        (DeadLetterFilter(reason: .crashed), []),
        (DeadLetterFilter(errorContains: "% of error 3"), [3]),
        (DeadLetterFilter(errorContains: "_"), []),
        (DeadLetterFilter(destination: "here", reason: .exhausted, errorContains: "5"), [5]),
    ]

    @Test(arguments: DeadLetterTests.filters.indices)
    func aDryRunCountsWhatIsListedAndChanged(index: Int) async throws {
        let (filter, ids) = Self.filters[index]
        try await self.withDeadLetters { test, inspector in
            let listed = try await inspector.deadLetters(matching: filter, on: test.connection)
            #expect(listed.map(\.id) == ids)
            #expect(try await inspector.replay(matching: filter, dryRun: true, on: test.connection) == ids.count)
            #expect(try await inspector.discard(matching: filter, dryRun: true, on: test.connection) == ids.count)
            #expect(try await inspector.replay(matching: filter, on: test.connection) == ids.count)
            let deferred = try await test.connection.query(
                "SELECT id FROM \(unescaped: test.name).deferred ORDER BY id DESC")
            #expect(try deferred.map { try $0.decode(0, as: Int64.self) } == ids)
            #expect(try await inspector.deadLetters(matching: filter, on: test.connection).isEmpty)
            let left = try await test.value("SELECT count(*) FROM \(test.name).dead_letter", as: Int.self)
            #expect(left == 10 - ids.count)
        }
    }

    @Test func showsAll() async throws {
        try await self.withDeadLetters { test, inspector in
            let letter = try #require(try await inspector.deadLetter(id: 3, on: test.connection))
            #expect(letter.payload == [0, 1] && letter.payloadSize == 2)
            #expect(letter.destination == "here" && letter.route == "r" && letter.key == "k")
            #expect(letter.headersJSON == "{\"a\": \"b\"}")
            #expect(letter.attempts == 3 && letter.reason == .exhausted && letter.error == "100% of error 3")
            #expect(letter.createdAt < letter.diedAt)
            let listed = try await inspector.deadLetters(limit: 2, on: test.connection)
            #expect(listed.map(\.id) == [9, 8])
            #expect(listed.allSatisfy { $0.payload == nil && $0.payloadSize == 2 })
            #expect(try await inspector.deadLetters(limit: -1, on: test.connection).isEmpty)
            #expect(try await inspector.deadLetter(id: 10, on: test.connection) == nil)
            #expect(try await inspector.deadLetter(id: 10, subscription: "other", on: test.connection)?.id == 10)
        }
    }

    @Test func discardsForGood() async throws {
        try await self.withDeadLetters { test, inspector in
            let filter = DeadLetterFilter(destination: "here")
            #expect(try await inspector.discard(matching: filter, on: test.connection) == 6)
            let left = try await inspector.deadLetters(
                matching: DeadLetterFilter(subscription: nil), on: test.connection)
            #expect(left.map(\.id) == [10, 9, 8, 7])
            #expect(try await test.value("SELECT count(*) FROM \(test.name).deferred", as: Int.self) == 0)
        }
    }

    /// Two operators at once: each dead letter is moved by one of them.
    @Test func concurrentReplaysShareTheWork() async throws {
        try await self.withDeadLetters { test, inspector in
            let counts = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let connection = try await test.connect()
                        let count = try await inspector.replay(matching: DeadLetterFilter(), on: connection)
                        await connection.close()
                        return count
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(counts.reduce(0, +) == 9)
            #expect(try await test.value("SELECT count(*) FROM \(test.name).deferred", as: Int.self) == 9)
        }
    }

    /// A message that died is delivered after its replay, by a relay that was asleep.
    @Test func aSleepingRelayDeliversWhatIsReplayed() async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            let inspector = OutboxInspector(schema: test.schema)
            let isRefusing = Mutex(true)
            let delivered = Mutex<[Int]>([])
            let relay = try await Relay(
                store: PostgresStore(
                    postgres: test.configuration(), schema: test.schema, wakeup: .notify(fallback: nil)),
                routes: [
                    "here": .handler { message in
                        if isRefusing.withLock({ $0 }) { throw DeliveryFailure.reject("not now") }
                        delivered.withLock { $0.append(message.attempt) }
                    }
                ])
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await relay.run() }
                try await test.connection.withTransaction { transaction in
                    try await outbox.enqueue(NewMessage(to: "here", key: "k", text: "text"), in: transaction)
                }
                try await eventually("the message is dead and the relay asleep") {
                    let status = try await inspector.status(on: test.connection)
                    return status.streams.first?.dead.value == 1 && status.relay?.isAsleep == true
                }
                isRefusing.withLock { $0 = false }
                #expect(try await inspector.replay(matching: DeadLetterFilter(), on: test.connection) == 1)
                try await eventually("the message is delivered") { delivered.withLock { !$0.isEmpty } }
                relay.stop()
                try await group.next()
            }
            #expect(delivered.withLock { $0 } == [1])
            let status = try await inspector.status(on: test.connection)
            #expect(status.streams.map(\.dead) == [.init(0)] && status.streams.map(\.deferred) == [.init(0)])
        }
    }
}
