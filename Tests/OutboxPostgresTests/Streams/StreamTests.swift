import Foundation
import Logging
import Outbox
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

@Suite(.schema, .timeLimit(.minutes(10))) struct PauseTests {
    /// A relay for d, and for e, whose messages show how far it has come.
    private func relay(
        _ bench: RelayBench, _ deliveries: Deliveries, _ marks: Deliveries, wakeup: PostgresStore.Wakeup
    ) -> Relay {
        let store = PostgresStore(postgres: bench.postgres, schema: bench.schema, wakeup: wakeup)
        return bench.relay(["d": .handler { deliveries.add($0) }, "e": .handler { marks.add($0) }], store: store)
    }

    /// Enqueues for d and, in the same transaction or alone, for e, and waits until that has come.
    private func mark(_ bench: RelayBench, _ marks: Deliveries, with text: String? = nil) async throws {
        let count = marks.count
        let other = text.map { ", $outbox.enqueue('d', '\($0)')" } ?? ""
        try await bench.sql("SELECT $outbox.enqueue('e', 'mark')\(other)")
        try await eventually("the mark is delivered") { marks.count > count }
    }

    @Test func aRunningRelayObeysWithoutARestart() async throws {
        let bench = try await RelayBench.make()
        let streams = OutboxStreams(schema: bench.schema)
        let (deliveries, marks) = (Deliveries(), Deliveries())
        let relay = self.relay(bench, deliveries, marks, wakeup: .notify(fallback: nil))
        let events = relay.events
        try await bench.run(relay) {
            try await self.mark(bench, marks, with: "before")
            try await eventually("it is delivered") { deliveries.count == 1 }
            for round in 1...10 {
                try await streams.pause("d", on: bench.admin)
                try await self.mark(bench, marks)
                let count = deliveries.count
                try await self.mark(bench, marks, with: "paused \(round)")
                try await self.mark(bench, marks)
                if round.isMultiple(of: 2) {
                    try await eventually("it sleeps") { try await bench.isAsleep() }
                }
                #expect(deliveries.count == count)
                try await streams.resume("d", on: bench.admin)
                try await eventually("it is delivered when resumed") { deliveries.count == count + 1 }
            }
        }
        let paused = (1...10).map { "paused \($0)" }
        #expect(deliveries.texts == ["before"] + paused)
        for await event in events { if case .disconnected = event { Issue.record("\(event)") } }
    }

    @Test func aRelayThatOnlyPollsObeysToo() async throws {
        let bench = try await RelayBench.make()
        let streams = OutboxStreams(schema: bench.schema)
        let (deliveries, marks) = (Deliveries(), Deliveries())
        try await bench.run(self.relay(bench, deliveries, marks, wakeup: .polling(every: .milliseconds(5)))) {
            try await self.mark(bench, marks, with: "before")
            try await eventually("it is delivered") { deliveries.count == 1 }
            try await streams.pause("d", on: bench.admin)
            try await eventually("the pause is obeyed") {
                let count = deliveries.count
                try await self.mark(bench, marks, with: "paused")
                try await self.mark(bench, marks)
                return deliveries.count == count
            }
            // Nothing to read, and still it looks.
            try await streams.pause("e", on: bench.admin)
            let total = try await bench.count("SELECT count(*) FROM $outbox.message WHERE destination = 'd'")
            try await streams.resume("d", on: bench.admin)
            try await eventually("all are delivered") { deliveries.count == total }
        }
    }

    @Test func aNewSessionObeysAndWhatIsDeferredWaitsToo() async throws {
        let bench = try await RelayBench.make()
        let streams = OutboxStreams(schema: bench.schema)
        let (deliveries, marks) = (Deliveries(), Deliveries())
        try await bench.deliver("before")
        try await streams.pause("d", on: bench.admin)
        try await bench.sql("SELECT $outbox.enqueue('d', 'in the log')")
        try await bench.sql(
            """
            INSERT INTO $outbox.deferred (id, created_at, destination, key, payload, ordered)
            VALUES (1, now(), 'd', 'k', 'deferred', true)
            """)
        try await bench.run(self.relay(bench, deliveries, marks, wakeup: .notify(fallback: nil))) {
            try await self.mark(bench, marks)
            try await bench.sql("UPDATE $outbox.deferred SET next_attempt_at = now()")
            try await self.mark(bench, marks)
            #expect(deliveries.count == 0)
            try await streams.resume("d", on: bench.admin)
            try await eventually("both are delivered") { deliveries.count == 2 }
            try await eventually("and committed") { try await bench.deferredCount() == 0 }
        }
        #expect(Set(deliveries.texts) == ["in the log", "deferred"])
    }

    @Test func aDestinationWithoutAStreamIsAnError() async throws {
        let bench = try await RelayBench.make()
        try await bench.deliver("there")
        let streams = OutboxStreams(schema: bench.schema)
        let pause = await #expect(throws: OutboxError.self) { try await streams.pause("elsewhere", on: bench.admin) }
        #expect(pause?.code == .streamMissing)
        let resume = await #expect(throws: OutboxError.self) {
            try await streams.resume("d", subscription: "other", on: bench.admin)
        }
        #expect(resume?.code == .streamMissing)
        let rewind = await #expect(throws: OutboxError.self) {
            try await streams.rewind("elsewhere", to: .id(1), on: bench.admin)
        }
        #expect(rewind?.code == .streamMissing)
    }
}

@Suite(.schema, .timeLimit(.minutes(10))) struct RewindTests {
    private func fill(_ bench: RelayBench, _ numbers: ClosedRange<Int>) async throws {
        for number in numbers { try await bench.sql("SELECT $outbox.enqueue('d', '\(number)', key => 'k')") }
    }

    @Test func toAnIdWithoutARelay() async throws {
        let bench = try await RelayBench.make()
        let streams = OutboxStreams(schema: bench.schema)
        try await self.fill(bench, 1...10)
        try await bench.deliver(nil)
        #expect(try await streams.rewind("d", to: .id(11), on: bench.admin) == nil)
        #expect(try await streams.rewind("d", to: .id(8), on: bench.admin) == 8)
        #expect(try await bench.deliver(nil) == ["8", "9", "10"])
        #expect(try await streams.rewind("d", to: .id(-5), on: bench.admin) == 1)
        #expect(try await bench.deliver(nil) == (1...10).map(String.init))
    }

    @Test func toATime() async throws {
        let bench = try await RelayBench.make()
        let streams = OutboxStreams(schema: bench.schema)
        // By the hour, but the third was enqueued by a transaction that had begun early.
        for (number, hours) in [5, 4, 9, 3, 2].enumerated() {
            try await bench.sql(
                """
                INSERT INTO $outbox.message (destination, key, payload, created_at)
                VALUES ('d', 'k', convert_to('\(number + 1)', 'UTF8'), now() - \(hours) * interval '1 hour')
                """)
        }
        try await bench.deliver(nil)
        func ago(_ hours: Double) -> RewindTarget { .time(Date(timeIntervalSinceNow: -hours * 3600)) }
        #expect(try await streams.rewind("d", to: ago(1), on: bench.admin) == nil)
        #expect(try await bench.deliver(nil) == [])
        #expect(try await streams.rewind("d", to: ago(3.5), on: bench.admin) == 4)
        #expect(try await bench.deliver(nil) == ["4", "5"])
        #expect(try await streams.rewind("d", to: ago(4.5), on: bench.admin) == 2)
        #expect(try await bench.deliver(nil) == ["2", "3", "4", "5"])
    }

    @Test func whatTheLogHasNotKeptDoesNotCome() async throws {
        let bench = try await RelayBench.make()
        try await self.fill(bench, 1...3)
        try await bench.deliver(nil, turningTo: 1)
        try await self.fill(bench, 4...5)
        try await bench.deliver(nil)
        #expect(try await bench.clean(.hourly).outcome(0) == .truncated)
        try await OutboxStreams(schema: bench.schema).rewind("d", to: .id(1), on: bench.admin)
        #expect(try await bench.deliver(nil) == ["4", "5"])
    }

    /// Once it is rewound, what it has not read again is kept.
    @Test func aRewoundStreamKeepsItsMessages() async throws {
        let bench = try await RelayBench.make()
        try await self.fill(bench, 1...3)
        try await bench.deliver(nil, turningTo: 1)
        try await OutboxStreams(schema: bench.schema).rewind("d", to: .id(3), on: bench.admin)
        #expect(try await bench.clean(.hourly).outcome(0) == .unread)
        #expect(try await bench.deliver(nil) == ["3"])
    }

    @Test func underARunningRelay() async throws {
        let bench = try await RelayBench.make()
        let streams = OutboxStreams(schema: bench.schema)
        let (deliveries, others) = (Deliveries(), Deliveries())
        let relay = bench.relay(["d": .handler { deliveries.add($0) }, "e": .handler { others.add($0) }])
        let events = relay.events
        try await bench.run(relay) {
            try await self.fill(bench, 1...10)
            try await bench.sql("SELECT $outbox.enqueue('e', 'once')")
            try await eventually("all are committed") { try await bench.pendingCount() == 0 }
            for round in 1...10 {
                if round.isMultiple(of: 2) { try await eventually("it sleeps") { try await bench.isAsleep() } }
                try await streams.rewind("d", to: .id(6), on: bench.admin)
                try await eventually("they come again") { deliveries.count == 10 + 5 * round }
                try await eventually("all are committed") { try await bench.pendingCount() == 0 }
            }
        }
        let numbers = Array(1...10) + (1...10).flatMap { _ in Array(6...10) }
        #expect(deliveries.texts == numbers.map { String($0) })
        #expect(others.count == 1)
        for await event in events { if case .disconnected = event { Issue.record("\(event)") } }
    }

    /// A page that was read before is settled after: it must not move the cursor back over what is to come again.
    @Test(arguments: [true, false]) func aCommitThatIsUnderWayDoesNotUndoIt(listens: Bool) async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let gate = Gate()
        try await self.fill(bench, 1...10)
        try await bench.deliver(nil)
        // A relay that never looks again learns it from its commit alone.
        let store = PostgresStore(
            postgres: bench.postgres, schema: bench.schema,
            wakeup: listens ? .notify(fallback: nil) : .polling(every: .seconds(3600)))
        let relay = bench.relay(
            [
                "d": .handler(parking: .never) { message in
                    deliveries.add(message)
                    if message.id == 11 { await gate.enter() }
                    if message.id == 12 { throw DeliveryFailure.reject("no") }
                }
            ], store: store)
        try await bench.sql("SELECT $outbox.enqueue('d', '11'), $outbox.enqueue('d', '12')")
        try await bench.run(relay) {
            await gate.waitUntilEntered()
            try await eventually("the other is settled") { deliveries.count == 2 }
            try await OutboxStreams(schema: bench.schema).rewind("d", to: .id(3), on: bench.admin)
            await gate.open()
            try await eventually("all are committed") {
                try await bench.count("SELECT position FROM $outbox.stream") == 12
            }
        }
        #expect(Set(deliveries.texts.prefix(2)) == ["11", "12"])
        #expect(deliveries.texts.dropFirst(2).sorted() == (3...12).map(String.init).sorted())
        #expect(try await bench.deadCount() == 1)
    }

    /// An operator writes another cursor into the row by hand.
    @Test func aCursorThatIsSetByHandIsTakenOver() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }])) {
            try await self.fill(bench, 1...5)
            try await eventually("all are committed") { try await bench.pendingCount() == 0 && deliveries.count == 5 }
            try await bench.sql("UPDATE $outbox.stream SET position = 0")
            try await eventually("all come again") { deliveries.count == 10 }
        }
        #expect(deliveries.texts == ["1", "2", "3", "4", "5", "1", "2", "3", "4", "5"])
    }

    /// A late part of 50 messages, 10 a page, is left after its second page; ids 1 to 50 are late, 51 was passed.
    @Test(arguments: [5, 20, 21, 35, 51]) func inTheMiddleOfALongLatePart(target: Int) async throws {
        let bench = try await RelayBench.make()
        let late = try await LibPQConnection.connect(bench.postgres)
        try await late.execute(
            script: bench.render(
                "BEGIN; SELECT $outbox.enqueue('d', i::text) FROM generate_series(1, 50) AS i ORDER BY i"))
        try await bench.deliver("51")
        try await late.execute(script: "COMMIT")

        var logger = Logger(label: "outbox.test")
        logger.logLevel = .critical
        let session = try await bench.store.openSession(subscription: "main", logger: logger)
        let stream = try #require(try await session.attach(["d"]).first)
        for page in 1...2 {
            let result = try await session.read(
                [ReadRequest(stream: stream.id, messages: 10, bytes: 1 << 20, deferred: false)], until: nil)
            #expect(result.pages.map { $0.id(at: 0) } == [Int64(page * 10 - 9)])
            var settlement = Settlement(stream: stream.id)
            settlement.through = result.pages.last
            try await session.commit([settlement])
        }
        await session.close()
        #expect(try await bench.count("SELECT catchup_position FROM $outbox.stream") == 20)

        // What is below is late still where it was; what is not comes, read before or not.
        #expect(
            try await OutboxStreams(schema: bench.schema).rewind("d", to: .id(Int64(target)), on: bench.admin)
                == Int64(target))
        #expect(try await bench.deliver(nil).compactMap(Int.init).sorted() == Array(min(21, target)...51))
    }

    /// What waits for a later attempt comes from the log as well, and is not deferred twice.
    @Test func aDeferredMessageThatComesAgainIsDeferredOnce() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let isUp = Atomic(false)
        let relay = bench.relay([
            "d": .handler(retry: .constant(.seconds(3600), maximumAttempts: 9)) { message in
                if !isUp.load(ordering: .relaxed) { throw DeliveryFailure.retry("down") }
                deliveries.add(message)
            }
        ])
        try await bench.run(relay) {
            try await bench.sql("SELECT $outbox.enqueue('d', 'first', key => 'k')")
            try await eventually("it waits") { try await bench.deferredCount() == 1 }
            try await OutboxStreams(schema: bench.schema).rewind("d", to: .id(1), on: bench.admin)
            try await eventually("it has come again") { try await bench.pendingCount() == 0 }
            #expect(try await bench.deferredCount() == 1)
            isUp.store(true, ordering: .relaxed)
            try await bench.sql("UPDATE $outbox.deferred SET next_attempt_at = now()")
            try await eventually("it is delivered") { try await bench.deferredCount() == 0 && deliveries.count == 1 }
            // The key is free again: what comes now is delivered without a detour.
            try await bench.sql("CREATE RULE no_detour AS ON INSERT TO $outbox.deferred DO INSTEAD NOTHING")
            try await bench.sql("SELECT $outbox.enqueue('d', 'second', key => 'k')")
            try await eventually("so is what came later") { deliveries.texts == ["first", "second"] }
        }
    }
}
