import Foundation
import Logging
import Outbox
@testable import OutboxPostgres
import Synchronization
import Testing

@Suite struct SmokeTests {
    @Test func drains() async throws {
        let url = ProcessInfo.processInfo.environment["OUTBOX_TEST_POSTGRES"]!
        let configuration = try ConnectionConfiguration(url)
        let schema = try OutboxSchema(name: "smoke \(UInt32.random(in: 0 ... .max))")
        let admin = try await Connection.connect(configuration)
        try await admin.execute(script: schema.sql)
        let count = 200_000
        try await admin.execute(script: """
            INSERT INTO \(schema.identifier).message (destination, payload, key)
            SELECT 'd', convert_to(repeat('x', 200), 'UTF8'), 'k' || (i % 1000) FROM generate_series(1, \(count)) AS i
            """)
        try await admin.execute(script: "VACUUM ANALYZE \(schema.identifier).message")
        let delivered = Atomic(0)
        let (done, signal) = AsyncStream.makeStream(of: Void.self)
        var logger = Logger(label: "smoke")
        logger.logLevel = .debug
        let relay = Relay(
            store: PostgresStore(postgres: configuration, schema: schema),
            routes: ["d": .handler { _ in
                if delivered.add(1, ordering: .relaxed).newValue == count { signal.finish() }
            }], logger: logger)
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await relay.run() }
            group.addTask { for await _ in done {} ; print("drained", ContinuousClock.now - start); relay.stop() }
            try await group.waitForAll()
        }
        print("took", ContinuousClock.now - start)
        let rows = try await admin.query("SELECT position, committed_at, (SELECT max(id) FROM \(unescaped: schema.identifier).message) FROM \(unescaped: schema.identifier).stream")
        print(try rows[0].decode(0, as: Int64.self), try rows[0].decode(2, as: Int64.self))
        #expect(delivered.load(ordering: .relaxed) == count)
    }
}
