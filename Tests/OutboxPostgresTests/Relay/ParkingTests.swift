import OutboxRuntime
import TestSupport
import Testing

@testable import Outbox
@testable import OutboxPostgres

/// A message whose handler takes long, on a server.
@Suite(.schema, .timeLimit(.minutes(10))) struct ParkingTests {
    private struct Refused: Error {}

    private var settings: RelaySettings {
        var settings = RelayBench.quick
        settings.page.messages = 50
        settings.window.messages = 200
        return settings
    }

    @Test func theCursorPassesItAndACrashBringsItAgain() async throws {
        let bench = try await RelayBench.make()
        try await bench.sql(
            """
            INSERT INTO $outbox.message (destination, key, payload)
            SELECT 'd', 'k' || i % 97, '' FROM generate_series(1, 5000) AS i
            """)
        let deliveries = Deliveries()
        let end = Latch()
        let routes: RelayRoutes = [
            "d": .handler(retry: .constant(.zero), parking: .after(.milliseconds(20))) { message in
                // Some fail at first, so deferred messages are read all the time.
                if message.id % 100 == 50, message.attempt == 1 { throw Refused() }
                deliveries.add(message)
                if message.id == 7 {
                    await end.wait()
                    try Task.checkCancellation()
                }
            }
        ]
        let first = bench.relay(routes, settings: self.settings)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await first.run() }
            // Those behind it are the rest of its key.
            try await eventually("the cursor has passed everything, and nothing else is left") {
                let isPassed = try await bench.pendingCount() == 0
                let deferred = try await bench.sql("SELECT min(key), max(key), min(id) FROM $outbox.deferred")[0]
                return try isPassed && deferred.decode(0, as: String?.self) == "k7"
                    && deferred.decode(1, as: String?.self) == "k7" && deferred.decode(2, as: Int64?.self) == 7
            }
            #expect(try await bench.count("SELECT position FROM $outbox.stream") == 5000)
            #expect(deliveries.all.filter { $0.id == 7 }.map(\.attempt) == [1], "once, though it is due")
            group.cancelAll()
            try await group.waitForAll()
        }
        #expect(!deliveries.all.contains { $0.key == "k7" && $0.id > 7 }, "those of its key wait")
        end.open()
        try await bench.run(bench.relay(routes, settings: self.settings)) {
            try await eventually("nothing is left") { try await bench.deferredCount() == 0 }
        }
        #expect(deliveries.all.filter { $0.id == 7 }.map(\.attempt) == [1, 2])
        #expect(Set(deliveries.all.map(\.id)) == Set(1...5000))
        var last: [String: Int64] = [:]
        for item in deliveries.all {
            #expect(item.id >= last[item.key ?? ""] ?? 0)
            last[item.key ?? ""] = item.id
        }
        #expect(try await bench.deadCount() == 0)
    }

    /// What is noted of a start is a row for a stream and process, and is struck out.
    @Test func aStartIsNotedOnceAndStruckOut() async throws {
        let bench = try await RelayBench.make()
        let end = Latch()
        let relay = bench.relay(
            [
                "d": .handler(parking: .never) { _ in
                    await end.wait()
                    try Task.checkCancellation()
                }
            ])
        try await bench.run(relay) {
            try await eventually("the stream is there") {
                try await bench.count("SELECT count(*) FROM $outbox.stream") == 1
            }
            #expect(try await bench.count("SELECT starts FROM $outbox.stream") == 0, "nothing has begun")
            try await bench.sql("SELECT $outbox.enqueue('d', 'x')")
            try await eventually("it is noted") { try await bench.count("SELECT starts FROM $outbox.stream") == 1 }
            end.open()
            try await eventually("it is struck out") { try await bench.count("SELECT starts FROM $outbox.stream") == 0 }
            #expect(try await bench.pendingCount() == 0, "by the commit that passes the first page")
        }
    }
}
