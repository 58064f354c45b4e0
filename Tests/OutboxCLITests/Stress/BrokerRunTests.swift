import Foundation
import Outbox
import OutboxPostgres
import OutboxRuntime
import OutboxTestServers
import RabbitMQMailbox
import Testing

/// From transactions in Postgres, through the program, to a RabbitMQ, where everything that can be broken is.
@Suite(.timeLimit(.minutes(10))) struct BrokerRunTests {
    private static let queue = "orders of all"

    private static func address(_ broker: EphemeralRabbitMQ) -> String {
        "amqp://127.0.0.1:\(broker.port)?exchange=orders&type=topic&queue=orders%20of%20all&binding_key=%23&window=500"
    }

    @Test func everythingIsInTheQueuesWhateverBreaks() async throws {
        let outbox = try await TestOutbox.migrated()
        try await EphemeralRabbitMQ.with { broker in
            try await RelayProcess.with([
                "relay", "--postgres", outbox.url, "--schema", outbox.schema, "--route",
                "orders=\(Self.address(broker))",
                "--initial-delay", "50ms", "--max-delay", "200ms", "--max-attempts", "1000", "--window", "2000",
                "--log-level",
                "critical",
            ]) { relay in try await Self.run(relay, broker, outbox) }
        }
    }

    private static func run(_ relay: RelayProcess, _ broker: EphemeralRabbitMQ, _ outbox: TestOutbox) async throws {
        let mailbox = Mailbox(port: broker.port)
        let end = Latch()
        let expected = try await withThrowingTaskGroup(of: Int.self) { group in
            for writer in 0..<4 {
                group.addTask { try await Self.write(writer, to: outbox) { end.isOpen } }
            }
            group.addTask {
                defer { end.open() }
                try await Self.disturb(relay, broker, mailbox, outbox)
                return 0
            }
            return try await group.reduce(0, +)
        }
        try relay.ensureRunning()
        try await until("everything is delivered") {
            try relay.ensureRunning()
            let left = try await outbox.sql("SELECT coalesce(sum(messages), 0)::text FROM {{schema}}.lag")
            let deferred = try await outbox.count("deferred")
            return left == ["0"] && deferred == 0
        }
        #expect(try await relay.stop() == 0)
        #expect(try await outbox.count("dead_letter") == 0)
        try await Self.check(try await mailbox.takeAll(Self.queue), expected, disturbances: relay.disturbances)
    }

    /// Commits messages of a few keys, numbered by key, and rolls some back, until it is told to end.
    ///
    /// - Returns: How many have committed.
    private static func write(
        _ writer: Int, to outbox: TestOutbox, until isOver: @Sendable () -> Bool
    ) async throws -> Int {
        let connection = try await LibPQConnection.connect(LibPQConfiguration(outbox.url))
        var number = 0
        while !isOver() {
            // Not faster than brokers with one confirmed message a key can follow.
            let statement = """
                SELECT \(outbox.schema).enqueue('orders', \(number) + i || ' ' || key, key => key, route => 'a.b')
                FROM generate_series(0, 19) AS i, LATERAL (SELECT '\(writer)-' || i % 5 AS key) AS keys
                """
            try await connection.execute(script: "BEGIN; \(statement); ROLLBACK")
            try await connection.execute(script: "BEGIN; \(statement); COMMIT")
            number += 20
            try await Task.sleep(for: .milliseconds(20))
        }
        await connection.close()
        return number
    }

    /// Breaks one thing after the other, each when more has arrived since the one before.
    private static func disturb(
        _ relay: RelayProcess, _ broker: EphemeralRabbitMQ, _ mailbox: Mailbox, _ outbox: TestOutbox
    ) async throws {
        func arrivals() async throws -> Int { try await mailbox.count(of: Self.queue) }
        func goOn() async throws {
            try await until("more arrives") {
                try relay.ensureRunning()
                return (try? await arrivals()) != nil
            }
            let before = try await arrivals()
            try await until("200 more arrive") {
                try relay.ensureRunning()
                return try await arrivals() >= before + 200
            }
        }
        try await goOn()
        _ = try await broker.rabbitmqctl("close_all_connections", "a test")
        relay.noteDisturbance()
        try await goOn()
        try await relay.kill()
        try await goOn()
        try await mailbox.deleteExchange("orders")
        relay.noteDisturbance()
        try await goOn()
        try await broker.kill()
        relay.noteDisturbance()
        try await broker.startAgain()
        try await goOn()
        _ = try await outbox.sql(
            """
            SELECT count(pg_terminate_backend(pid))::text FROM pg_locks JOIN pg_stat_activity USING (pid)
            WHERE locktype = 'advisory' AND classid = '{{schema}}.message'::regclass::oid
                AND application_name LIKE 'outbox relay%'
            """)
        relay.noteDisturbance()
        try await goOn()
    }

    private static func check(_ mails: [Mail], _ expected: Int, disturbances: Int) async throws {
        var seen: Set<String> = []
        var last: [Substring: Int] = [:]
        var repeated = 0
        var disordered = 0
        for mail in mails {
            let text = String(decoding: mail.payload, as: UTF8.self)
            let key = try #require(text.split(separator: " ").last)
            let number = try #require(mail.number)
            guard seen.insert(text).inserted else {
                repeated += 1
                continue
            }
            if number <= last[key] ?? -1 { disordered += 1 }
            last[key] = max(number, last[key] ?? -1)
        }
        #expect(seen.count == expected, "\(expected - seen.count) of \(expected) are missing")
        #expect(disordered == 0, "\(disordered) arrived after a later one of their key")
        #expect(repeated <= disturbances * 2000, "\(repeated) repeated by \(disturbances) disturbances")
        print(
            "\(expected) messages, \(disturbances) disturbances, \(expected - seen.count) lost, \(disordered) out of order, "
                + "\(repeated) repeated")
    }
}
