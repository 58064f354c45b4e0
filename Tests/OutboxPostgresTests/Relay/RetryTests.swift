import Outbox
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

@Suite(.schema, .timeLimit(.minutes(10))) struct RetryTests {
    private struct Refused: Error, CustomStringConvertible {
        let description: String
    }

    private let soon = BackoffRetryStrategy.constant(.milliseconds(1), maximumAttempts: 5)

    @Test func aMessageThatFailsTwiceIsDeliveredTheThirdTime() async throws {
        let bench = try await RelayBench.make()
        let attempts = Mutex<[Int]>([])
        try await bench.sql("SELECT $outbox.enqueue('d', 'x')")
        let relay = bench.relay([
            "d": .handler(retry: self.soon) { message in
                attempts.withLock { $0.append(message.attempt) }
                if message.attempt < 3 { throw Refused(description: "not yet") }
            }
        ])
        try await bench.run(relay) {
            try await eventually("the third attempt is made") { attempts.withLock(\.count) >= 3 }
            try await eventually("nothing waits any more") { try await bench.deferredCount() == 0 }
        }
        #expect(attempts.withLock { $0 } == [1, 2, 3])
        #expect(try await bench.deadCount() == 0)
        #expect(try await bench.pendingCount() == 0)
    }

    @Test func aMessageThatKeepsFailingEndsInDeadLetterAndIsAnnounced() async throws {
        let bench = try await RelayBench.make()
        let calls = Atomic(0)
        let listener = try await LibPQConnection.connect(bench.postgres)
        let oid = try await bench.count("SELECT '$outbox.message'::regclass::oid::bigint")
        try await listener.execute(script: "LISTEN outbox_dead_letter_\(oid)")
        try await bench.sql("SELECT $outbox.enqueue('d', 'poison', key => 'k', headers => '{\"a\": \"b\"}')")
        let relay = bench.relay([
            "d": .handler(retry: self.soon) { _ in
                calls.add(1, ordering: .relaxed)
                throw Refused(description: "still broken")
            }
        ])
        let stream = relay.events
        async let events = stream.reduce(into: [RelayEvent]()) { $0.append($1) }
        try await bench.run(relay) {
            try await eventually("it is dead") { try await bench.deadCount() == 1 }
        }
        let seen = await events
        #expect(calls.load(ordering: .relaxed) == 5)
        let dead = try await bench.sql(
            "SELECT attempts, reason, last_error, convert_from(payload, 'UTF8'), key, headers->>'a' FROM $outbox.dead_letter")
        #expect(try dead[0].decode(0, as: Int32.self) == 5)
        #expect(try dead[0].decode(1, as: String.self) == "exhausted")
        #expect(try dead[0].decode(2, as: String.self) == "still broken")
        #expect(try dead[0].decode(3, as: String.self) == "poison")
        #expect(try dead[0].decode(4, as: String.self) == "k")
        #expect(try dead[0].decode(5, as: String.self) == "b")
        #expect(try await bench.deferredCount() == 0)
        guard case .notified(let notifications) = try await listener.waitForActivity(until: .now + .seconds(120)) else {
            Issue.record("the dead letter was not announced")
            return
        }
        #expect(notifications.map(\.payload) == ["d"])
        #expect(seen.first == .started)
        #expect(seen.last == .stopped)
        #expect(
            seen.filter { if case .retried = $0 { true } else { false } }.count == 4)
        #expect(
            seen.contains(
                .deadLettered(id: 1, destination: "d", attempts: 5, reason: .exhausted, error: "still broken")))
    }

    @Test func aRejectedMessageIsDeadAtOnce() async throws {
        let bench = try await RelayBench.make()
        try await bench.script("SELECT $outbox.enqueue('d', 'bad'); SELECT $outbox.enqueue('d', 'good')")
        let deliveries = Deliveries()
        let relay = bench.relay([
            "d": .handler { message in
                if message.payload == Array("bad".utf8) { throw DeliveryFailure.reject("not an order") }
                deliveries.add(message)
            }
        ])
        try await bench.run(relay) {
            try await eventually("one is dead") { try await bench.deadCount() == 1 }
            try await eventually("one is delivered") { deliveries.count == 1 }
        }
        let dead = try await bench.sql("SELECT reason, attempts, last_error FROM $outbox.dead_letter")
        #expect(try dead[0].decode(0, as: String.self) == "rejected")
        #expect(try dead[0].decode(1, as: Int32.self) == 1)
        #expect(try dead[0].decode(2, as: String.self) == "not an order")
    }

    @Test func laterMessagesOfAKeyQueueBehindAFailedOneAndOthersPass() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let isBroken = Atomic(true)
        try await bench.sql(
            """
            INSERT INTO $outbox.message (destination, payload, key)
            SELECT 'd', convert_to(i::text, 'UTF8'), 'k' || i % 10 FROM generate_series(1, 1000) AS i
            """)
        let relay = bench.relay([
            "d": .handler(retry: .constant(.milliseconds(5), maximumAttempts: 100_000)) { message in
                if message.key == "k3", isBroken.load(ordering: .relaxed) { throw Refused(description: "down") }
                deliveries.add(message)
            }
        ])
        try await bench.run(relay) {
            try await eventually("the others pass") { deliveries.count == 900 }
            try await eventually("k3 waits") { try await bench.deferredCount() == 100 }
            // More of the key come from the log while the key's queue is held up, and while it drains.
            try await bench.sql(
                """
                INSERT INTO $outbox.message (destination, payload, key)
                SELECT 'd', convert_to(i::text, 'UTF8'), 'k3' FROM generate_series(1001, 1050) AS i
                """)
            try await eventually("they queue") { try await bench.deferredCount() == 150 }
            isBroken.store(false, ordering: .relaxed)
            try await bench.sql(
                """
                INSERT INTO $outbox.message (destination, payload, key)
                SELECT 'd', convert_to(i::text, 'UTF8'), 'k3' FROM generate_series(1051, 1100) AS i
                """)
            try await eventually("everything is delivered") { deliveries.count >= 1100 }
            try await eventually("nothing waits any more") { try await bench.deferredCount() == 0 }
        }
        #expect(deliveries.count == 1100)
        #expect(deliveries.isOrderedByKey)
        #expect(try await bench.deadCount() == 0)
    }

    @Test func withoutOrderingLaterMessagesOfAKeyPass() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        try await bench.script(
            "SELECT $outbox.enqueue('d', '1', key => 'k'); SELECT $outbox.enqueue('d', '2', key => 'k')")
        let relay = bench.relay([
            "d": .handler(retry: .constant(.seconds(3600)), ordering: .unordered) { message in
                if message.payload == [UInt8(ascii: "1")] { throw Refused(description: "down") }
                deliveries.add(message)
            }
        ])
        try await bench.run(relay) {
            try await eventually("the second passes") { deliveries.texts == ["2"] }
        }
        #expect(try await bench.deferredCount() == 1)
    }

    @Test func aBatchFailsInPart() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        try await bench.sql(
            """
            INSERT INTO $outbox.message (destination, payload, key)
            SELECT 'd', convert_to(i::text, 'UTF8'), 'k' || i % 3 FROM generate_series(1, 30) AS i
            """)
        let relay = bench.relay([
            "d": .batch(maximumCount: 10, retry: self.soon) { messages in
                var failed: Set<String?> = []
                return messages.map { message in
                    if failed.contains(message.key) || (message.key == "k1" && message.attempt == 1) {
                        failed.insert(message.key)
                        return .retry("later")
                    }
                    deliveries.add(message)
                    return .delivered
                }
            }
        ])
        try await bench.run(relay) {
            try await eventually("all are delivered") { deliveries.count >= 30 }
            try await eventually("nothing waits any more") { try await bench.deferredCount() == 0 }
        }
        #expect(deliveries.count == 30)
        #expect(deliveries.isOrderedByKey)
    }

    @Test func aBatchHandlerThatReturnsTooFewOutcomesDeliversNothing() async throws {
        let bench = try await RelayBench.make()
        try await bench.script("SELECT $outbox.enqueue('d', '1'); SELECT $outbox.enqueue('d', '2')")
        let relay = bench.relay(["d": .batch(retry: .never, concurrency: 1) { _ in [.delivered] }])
        try await bench.run(relay) {
            try await eventually("both are dead") { try await bench.deadCount() == 2 }
        }
    }

    @Test func scheduledMessagesWaitForTheirTime() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        try await bench.script(
            """
            SELECT $outbox.enqueue('d', 'tomorrow', key => 'k', deliver_at => now() + interval '1 day');
            SELECT $outbox.enqueue('d', 'now', key => 'k');
            SELECT $outbox.enqueue('d', 'yesterday', key => 'k', deliver_at => now() - interval '1 day');
            SELECT $outbox.enqueue('d', 'shortly', deliver_at => now() + interval '50 milliseconds');
            """)
        let relay = bench.relay(["d": .handler { deliveries.add($0) }])
        try await bench.run(relay) {
            try await eventually("what is due is delivered") { deliveries.count == 3 }
            #expect(Set(deliveries.texts) == ["now", "yesterday", "shortly"])
            try await eventually("one waits") {
                try await bench.count("SELECT count(*) FROM $outbox.deferred WHERE next_attempt_at > now() + '1 hour'") == 1
            }
            // Another session's change of deferred rings.
            try await bench.sql("UPDATE $outbox.deferred SET next_attempt_at = now()")
            try await eventually("its time has come") { deliveries.texts.contains("tomorrow") }
            try await eventually("nothing waits any more") { try await bench.deferredCount() == 0 }
        }
        #expect(deliveries.all.allSatisfy { $0.attempt == 1 })
    }

    /// The server may refuse a commit after every statement of it went well: a deferred trigger of an application, a collision, a
    /// crash. Then nothing of it is there: what was delivered comes again, and no dead letter is reported.
    @Test(arguments: ["dead_letter", "deferred", "stream"])
    func aCommitThatIsRefusedAtItsEndIsNone(table: String) async throws {
        let bench = try await RelayBench.make()
        try await bench.script(
            """
            CREATE TABLE $outbox.refuses (); INSERT INTO $outbox.refuses DEFAULT VALUES;
            CREATE FUNCTION $outbox.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF EXISTS (SELECT FROM $outbox.refuses) THEN RAISE EXCEPTION 'refused' USING ERRCODE = '40001'; END IF;
                RETURN NULL;
            END $$;
            CREATE CONSTRAINT TRIGGER refuse AFTER INSERT OR UPDATE ON $outbox.\(table) DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION $outbox.refuse();
            SELECT $outbox.enqueue('d', 'bad'); SELECT $outbox.enqueue('d', 'good');
            """)
        let deliveries = Deliveries()
        let relay = bench.relay([
            "d": .handler(retry: .constant(.milliseconds(1))) { message in
                deliveries.add(message)
                if String(decoding: message.payload, as: UTF8.self) == "bad" {
                    if table == "deferred", message.attempt > 1 { return }
                    throw table == "deferred" ? DeliveryFailure.retry("not yet") : DeliveryFailure.reject("no")
                }
            }
        ])
        if table == "stream" { try await bench.script("TRUNCATE $outbox.refuses") }
        let events = relay.events
        let dead = Atomic(0)
        let listener = Task {
            for await event in events { if case .deadLettered = event { dead.add(1, ordering: .relaxed) } }
        }
        try await bench.run(relay) {
            if table == "stream" {
                try await eventually("both are settled") { try await bench.pendingCount() == 0 }
                try await bench.script("INSERT INTO $outbox.refuses DEFAULT VALUES; SELECT $outbox.enqueue('d', 'good')")
            }
            try await eventually("all are delivered") {
                deliveries.texts.filter { $0 == "good" }.count == (table == "stream" ? 2 : 1)
            }
            #expect(try await bench.deadCount() == (table == "stream" ? 1 : 0))
            if table != "stream" { #expect(dead.load(ordering: .relaxed) == 0) }
            try await bench.script("TRUNCATE $outbox.refuses")
            try await eventually("all are settled") {
                if try await bench.pendingCount() != 0 { return false }
                return try await bench.deferredCount() == 0
            }
        }
        await listener.value
        #expect(try await bench.deadCount() == (table == "deferred" ? 0 : 1))
        #expect(deliveries.texts.contains("bad"))
    }

    @Test func aMessageOverridesTheRetryPolicy() async throws {
        let bench = try await RelayBench.make()
        let attempts = Mutex<[String: Int]>([:])
        try await bench.script(
            """
            SELECT $outbox.enqueue('d', 'once', options => '{"max_attempts": 1}');
            SELECT $outbox.enqueue('d', 'thrice', options => '{"max_attempts": 3, "max_delay": 0.001}');
            ALTER TABLE $outbox.message DROP CONSTRAINT message_is_valid;
            SELECT $outbox.enqueue('d', 'garbled', options => '{"max_attempts": "many"}');
            """)
        let relay = bench.relay([
            "d": .handler(retry: .constant(.seconds(3600))) { message in
                attempts.withLock { $0[String(decoding: message.payload, as: UTF8.self), default: 0] += 1 }
                throw Refused(description: "down")
            }
        ])
        try await bench.run(relay) {
            try await eventually("all are dead") { try await bench.deadCount() == 3 }
        }
        #expect(attempts.withLock { $0 } == ["once": 1, "thrice": 3, "garbled": 1])
        #expect(
            try await bench.count("SELECT count(*) FROM $outbox.dead_letter WHERE reason = 'undecodable'") == 1)
    }

    @Test func unavailableIsNotCountedAsAnAttempt() async throws {
        let bench = try await RelayBench.make()
        let calls = Atomic(0)
        try await bench.sql("SELECT $outbox.enqueue('d', 'x')")
        let relay = bench.relay([
            "d": .handler(retry: .constant(.milliseconds(1), maximumAttempts: 2)) { message in
                #expect(message.attempt == 1)
                if calls.add(1, ordering: .relaxed).newValue < 6 { throw DeliveryFailure.unavailable("maintenance") }
            }
        ])
        try await bench.run(relay) {
            try await eventually("it is delivered") { calls.load(ordering: .relaxed) == 6 }
            try await eventually("nothing waits any more") { try await bench.deferredCount() == 0 }
        }
        #expect(try await bench.deadCount() == 0)
    }

    @Test func aRowThatIsNotAMessageGoesToDeadLetterAndStopsNothing() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        try await bench.script(
            """
            ALTER TABLE $outbox.message DROP CONSTRAINT message_is_valid;
            INSERT INTO $outbox.message (destination, payload, headers) VALUES
                ('d', 'bad', '["a"]'), ('d', 'bad', '{"a": 1}'), ('d', 'bad', '3'), ('d', 'good', '{"a": "1"}');
            """)
        let relay = bench.relay(["d": .handler { deliveries.add($0) }])
        try await bench.run(relay) {
            try await eventually("the good one is delivered") { deliveries.texts == ["good"] }
            try await eventually("the others are dead") { try await bench.deadCount() == 3 }
        }
        let reasons = try await bench.sql("SELECT DISTINCT reason, last_error, attempts FROM $outbox.dead_letter")
        #expect(reasons.rowCount == 1)
        #expect(try reasons[0].decode(0, as: String.self) == "undecodable")
        #expect(try reasons[0].decode(1, as: String.self) == "headers: not an object of strings")
        #expect(try reasons[0].decode(2, as: Int32.self) == 0)
    }
}
