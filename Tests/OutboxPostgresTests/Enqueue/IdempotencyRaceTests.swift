import Outbox
import TestSupport
import Testing

@testable import OutboxPostgres

/// Transactions that bring one idempotency key at the same time.
@Suite(.timeLimit(.minutes(10))) struct IdempotencyRaceTests {
    /// Waits until the connection's session waits for another one.
    private func isWaiting(_ test: TestOutbox, _ pid: Int32) async throws {
        try await eventually("the other transaction waits") {
            try await test.connection.query(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = \(pid) AND NOT granted)")[0].decode(0)
        }
    }

    private func pid(of connection: LibPQConnection) async throws -> Int32 {
        try await connection.query("SELECT pg_backend_pid()")[0].decode(0)
    }

    enum Ending: CaseIterable {
        case commit, rollback
    }

    @Test(arguments: KeyedWay.allCases, Ending.allCases)
    func theSecondWaitsForTheFirst(way: KeyedWay, ending: Ending) async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            let (one, two) = (try await test.connect(), try await test.connect())
            let pid = try await self.pid(of: two)
            let transaction = try await one.begin()
            let first = try await way.enqueue(.keyed("a", "first"), outbox, in: transaction)
            async let second = way.enqueue(.keyed("a", "second"), outbox, on: two)
            try await self.isWaiting(test, pid)
            switch ending {
            case .commit: try await transaction.commit()
            case .rollback: try await transaction.rollback()
            }
            let id = try await second
            #expect((id == first) == (ending == .commit))
            let stored = try await test.messages()
            #expect(stored.map(\.payload) == [Array((ending == .commit ? "first" : "second").utf8)])
            #expect(stored.map(\.id) == [id])
            await one.close()
            await two.close()
        }
    }

    /// A connection for which it is an error to wait for a transaction that does not end meanwhile.
    private func impatient(_ test: TestOutbox) async throws -> LibPQConnection {
        let connection = try await test.connect()
        try await connection.query("SET lock_timeout = '10s'")
        return connection
    }

    @Test func otherKeysDoNotWait() async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            let one = try await test.connect()
            let transaction = try await one.begin()
            try await outbox.enqueue(.keyed("a"), in: transaction)
            let two = try await self.impatient(test)
            for number in 0..<200 {
                _ = try await KeyedWay.one.enqueue(.keyed("b\(number)"), outbox, on: two)
                _ = try await KeyedWay.one.enqueue(.keyed("b\(number)"), outbox, on: two)
            }
            _ = try await KeyedWay.one.enqueue(.keyed("a", to: "elsewhere"), outbox, on: two)
            _ = try await KeyedWay.one.enqueue(.keyed(nil), outbox, on: two)
            try await transaction.commit()
            #expect(try await test.messages().count == 203)
            await one.close()
            await two.close()
        }
    }

    /// Nor do those that repeat what has been committed wait for each other: nothing is locked for them.
    @Test func repetitionsDoNotWait() async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            let id = try await KeyedWay.one.enqueue(.keyed("a"), outbox, on: test.connection)
            let one = try await test.connect()
            let transaction = try await one.begin()
            #expect(try await outbox.enqueue(.keyed("a"), in: transaction) == id)
            let hasWritten = try await transaction.query("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")[0]
                .decode(0, as: Bool.self)
            #expect(!hasWritten)
            let two = try await self.impatient(test)
            #expect(try await KeyedWay.one.enqueue(.keyed("a"), outbox, on: two) == id)
            try await transaction.commit()
            await one.close()
            await two.close()
        }
    }

    /// Producers that retry each other's work, with rollbacks, savepoints and bulk between them.
    @Test func oneMessageForEachKeyWhoeverEnqueues() async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            let numbers = try await withThrowingTaskGroup(of: [String: Int64].self) { group in
                for producer in 0..<8 {
                    group.addTask {
                        let connection = try await test.connect()
                        var seen: [String: Int64] = [:]
                        for round in 0..<40 {
                            // Ascending, so that no transactions deadlock.
                            let keys = (round..<round + 5).map { "key \(100 + $0)" }
                            do {
                                let ids = try await connection.withTransaction { transaction in
                                    let ids = try await outbox.enqueue(
                                        keys.map { NewMessage.keyed($0) }, in: transaction)
                                    if (producer + round) % 3 == 0 { throw CancellationError() }
                                    return ids
                                }
                                for (key, id) in zip(keys, ids) {
                                    #expect(seen.updateValue(id, forKey: key) ?? id == id)
                                }
                            } catch is CancellationError {
                            }
                        }
                        await connection.close()
                        return seen
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            var first: [String: Int64] = [:]
            for (key, id) in numbers.flatMap({ $0 }) {
                #expect(first.updateValue(id, forKey: key) ?? id == id)
            }
            #expect(first.count == 44)
            #expect(try await test.messages().map(\.id) == first.values.sorted())
        }
    }

    @Test(arguments: [LibPQIsolationLevel.repeatableRead, .serializable])
    func aboveReadCommittedTheTransactionIsToBeRepeated(isolation: LibPQIsolationLevel) async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            let other = try await test.connect()
            let error = await #expect(throws: LibPQError.self) {
                try await other.withTransaction(isolation: isolation) { transaction in
                    try await transaction.query("SELECT count(*) FROM \(unescaped: test.name).message")
                    _ = try await KeyedWay.one.enqueue(.keyed("a"), outbox, on: test.connection)
                    try await outbox.enqueue(.keyed("a"), in: transaction)
                }
            }
            #expect(error?.sqlState == "40001")
            #expect(error?.isRetriable == true)
            let id = try await other.withTransaction(isolation: isolation) { transaction in
                try await outbox.enqueue(.keyed("a"), in: transaction)
            }
            #expect(id == 1)
            #expect(try await test.messages().count == 1)
            await other.close()
        }
    }

    @Test(arguments: Ending.allCases)
    func whoTakesOverIsWaitedFor(ending: Ending) async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            _ = try await KeyedWay.one.enqueue(.keyed("a"), outbox, on: test.connection)
            try await test.expireIdempotencyKeys()
            let (one, two) = (try await test.connect(), try await test.connect())
            let pid = try await self.pid(of: two)
            let transaction = try await one.begin()
            let first = try await outbox.enqueue(.keyed("a"), in: transaction)
            async let second = KeyedWay.one.enqueue(.keyed("a"), outbox, on: two)
            try await self.isWaiting(test, pid)
            switch ending {
            case .commit: try await transaction.commit()
            case .rollback: try await transaction.rollback()
            }
            let id = try await second
            #expect((id == first) == (ending == .commit))
            #expect(try await test.messages().count == 2)
            await one.close()
            await two.close()
        }
    }
}
