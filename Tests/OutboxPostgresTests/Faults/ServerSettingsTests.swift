import Outbox
import OutboxTestServers
import TestSupport
import Testing

@testable import OutboxPostgres

/// Servers, and sessions beside an outbox, that make work hard.
@Suite(.schema, .timeLimit(.minutes(5))) struct ServerSettingsTests {
    /// A transaction that sees everything as it was before the test keeps each version of each row, and nothing is vacuumed.
    @Test func aPinnedHorizonWithoutAutovacuum() async throws {
        try await EphemeralPostgres.with(.init(parameters: ["autovacuum": "off"])) { server in
            let bench = try await RelayBench.make(postgres: LibPQConfiguration(server.url))
            let pinning = try await LibPQConnection.connect(bench.postgres)
            try await pinning.execute(script: "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
            let deliveries = Deliveries()
            let store = PostgresStore(
                postgres: bench.postgres, schema: bench.schema, wakeup: .notify(fallback: nil), segments: .eager)
            let relay = bench.relay(
                [
                    "d": .handler(retry: .constant(.zero, maximumAttempts: 3)) { message in
                        if message.id.isMultiple(of: 10), message.attempt < 2 { throw DeliveryFailure.retry("no") }
                        deliveries.add(message)
                    }
                ], store: store)
            try await bench.run(relay) {
                for round in 1...40 {
                    try await bench.sql(
                        """
                        INSERT INTO $outbox.message (destination, payload, key)
                        SELECT 'd', '', 'k' || i % 11 FROM generate_series(1, 100) AS i
                        """)
                    try await eventually("round \(round) is delivered") { deliveries.count == 100 * round }
                }
                try await eventually("all is stored, and the log is emptied beside it") {
                    try await bench.deferredCount() + bench.count("SELECT count(*) FROM $outbox.message") == 0
                }
            }
            #expect(deliveries.isOrderedByKey && Set(deliveries.all.map(\.id)).count == 4000)
            let pinned = try await bench.count(
                "SELECT count(*) FROM pg_stat_activity WHERE pid = \(pinning.processID) AND backend_xmin IS NOT NULL")
            #expect(pinned == 1, "to the end")
            await pinning.close()
        }
    }

    /// Producers of each kind at once, two of each, and a relay whose session is ended in between.
    @Test func producersOfEachKind() async throws {
        let bench = try await RelayBench.make()
        try await bench.script("CREATE TABLE $outbox.work (n bigint)")
        let producers = NumberedProducer.Kind.allCases.flatMap { kind in
            ["a", "b"].map { (name: "\(kind) \($0) ", producer: NumberedProducer(bench, name: "\(kind) \($0) ", kind)) }
        }
        let deliveries = Deliveries()
        let relay = bench.relay(["d": .handler { deliveries.add($0) }])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (_, producer) in producers { group.addTask { try await producer.run() } }
            try await bench.run(relay) {
                for count in [20, 40, 60] {
                    try await eventually("each has \(count)") { producers.allSatisfy { $0.producer.count >= count } }
                    try await bench.terminateOwner()
                }
                for (_, producer) in producers { producer.stop() }
                try await group.waitForAll()
                // What was prepared has not rung.
                try await bench.sql("SELECT $outbox.enqueue('d', 'rings')")
                for (name, producer) in producers {
                    try await eventually("all of \(name)") { deliveries.hasAll(of: name, upTo: producer.count) }
                }
                try await eventually("all is stored") { try await bench.pendingCount() == 0 }
            }
        }
    }
}
