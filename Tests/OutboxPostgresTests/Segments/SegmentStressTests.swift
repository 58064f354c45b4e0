import Foundation
import Outbox
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// Writers of every kind, two subscriptions, and janitors that leave nothing lying about.
@Suite(.schema, .timeLimit(.minutes(StressSettings.minutes(atLeast: 10)))) struct SegmentStressTests {
    @Test func nothingIsLostAndTheLogIsEmptied() async throws {
        let bench = try await RelayBench.make()
        let (first, second) = (Deliveries(), Deliveries())
        let state = State()
        let transactions = StressSettings.seconds(otherwise: 1) * 60
        let store = PostgresStore(
            postgres: bench.postgres, schema: bench.schema, wakeup: .notify(fallback: nil), segments: .eager)
        var audit = RelayBench.quick
        audit.subscription = "audit"
        audit.page.messages = 20
        let main = bench.relay(["a": .handler { first.add($0) }, "b": .handler { first.add($0) }], store: store)
        let other = bench.relay(
            ["a": .handler { second.add($0) }, "b": .handler { second.add($0) }], settings: audit, store: store)
        try await bench.run(main) {
            try await bench.run(other) {
                try await eventually("both have their streams") {
                    try await bench.count("SELECT count(*) FROM $outbox.stream") == 4
                }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for writer in 1...6 {
                        group.addTask {
                            try await Self.write(bench, state, writer: UInt64(writer), transactions) {
                                min(first.count, second.count)
                            }
                            state.ended()
                        }
                    }
                    group.addTask { try await Self.clean(bench, state, until: 6) }
                    try await group.waitForAll()
                }
                let count = state.committed.count
                try await eventually("all are delivered") {
                    first.count >= count && second.count >= count
                }
                try await eventually("nothing is left") {
                    try await bench.count("SELECT count(*) FROM $outbox.message") == 0
                }
            }
        }
        let ids = state.committed.sorted()
        #expect(first.all.map(\.id).sorted() == ids)
        #expect(second.all.map(\.id).sorted() == ids)
        #expect(state.hasTurned, "the ring has turned meanwhile")
    }

    private final class State: Sendable {
        private let ids = Mutex<(ids: [Int64], writers: Int)>(([], 0))
        let files = Files()

        var committed: [Int64] { self.ids.withLock(\.ids) }
        /// Whether partitions were emptied often enough for all of them to have been.
        var hasTurned: Bool { self.files.count > 4 }
        var endedWriters: Int { self.ids.withLock(\.writers) }

        func add(_ ids: [Int64]) { self.ids.withLock { $0.ids += ids } }
        func ended() { self.ids.withLock { $0.writers += 1 } }
    }

    private final class Files: Sendable {
        private let seen = Mutex<Set<Int64>>([])
        var count: Int { self.seen.withLock(\.count) }
        func insert(_ files: Int64) { self.seen.withLock { _ = $0.insert(files) } }
    }

    /// A third janitor, beside those of the two relays.
    private static func clean(_ bench: RelayBench, _ state: State, until writers: Int) async throws {
        let connection = try await LibPQConnection.connect(bench.postgres)
        while state.endedWriters < writers {
            try await OutboxJanitor(schema: bench.schema, policy: .eager).run(on: connection)
            // A partition that was emptied has another file.
            let row = try await connection.query(
                LibPQStatement(
                    bench.render(
                        "SELECT sum(pg_relation_filenode(inhrelid)::bigint)::bigint FROM pg_inherits "
                            + "WHERE inhparent = '$outbox.message'::regclass")))[0]
            state.files.insert(try row.decode(0))
        }
        await connection.close()
    }

    /// Transactions that are short, long, rolled back, rolled back in part, or overtaken by other writers.
    ///
    /// They wait for the relays when those are far behind: a segment that was not read cannot be emptied, and on a slow
    /// machine the ring would stand still for as long as they write.
    private static func write(
        _ bench: RelayBench, _ state: State, writer: UInt64, _ transactions: Int,
        delivered: @escaping @Sendable () -> Int
    ) async throws {
        var random = SeededGenerator(seed: writer)
        let connection = try await LibPQConnection.connect(bench.postgres)
        func enqueue() async throws -> [Int64] {
            let destination = Bool.random(using: &random) ? "a" : "b"
            let count = Int.random(in: 1...30, using: &random)
            return try await connection.query(
                LibPQStatement(
                    bench.render("SELECT $outbox.enqueue('\(destination)', 'x') FROM generate_series(1, \(count))"))
            ).map { row in try row.decode(0) }
        }
        var number = 0
        // Long enough for the ring to turn, and not for ever if it does not.
        while number < transactions || (!state.hasTurned && number < 100 * transactions) {
            number += 1
            try await eventually("the relays are near") { state.committed.count - delivered() < 2000 }
            try await connection.execute(script: "BEGIN")
            var ids = try await enqueue()
            if Int.random(in: 0..<4, using: &random) == 0 {
                try await connection.execute(script: "SAVEPOINT s")
                _ = try await enqueue()
                try await connection.execute(script: "ROLLBACK TO s")
            }
            // Held open while others commit and segments come and go.
            for _ in 0..<Int.random(in: 0...1, using: &random) * 10 {
                try await connection.query("SELECT pg_sleep(0.001)")
            }
            ids += try await enqueue()
            if Int.random(in: 0..<5, using: &random) == 0 {
                try await connection.execute(script: "ROLLBACK")
            } else {
                try await connection.execute(script: "COMMIT")
                state.add(ids)
            }
        }
        await connection.close()
    }
}
