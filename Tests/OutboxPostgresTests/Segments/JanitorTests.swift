import Logging
import Outbox
import OutboxTestServers
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

@Suite(.schema, .timeLimit(.minutes(10))) struct JanitorTests {
    @Test func theRingTurnsUnderARelayAndNothingIsLost() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        var visited: Set<Int> = []
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }])) {
            for round in 1...12 {
                try await bench.sql("SELECT $outbox.enqueue('d', '\(round)', key => 'k') FROM generate_series(1, 20)")
                try await eventually("round \(round) is committed") { try await bench.pendingCount() == 0 }
                // In one look the oldest segment is emptied, and the log goes on to it or to another.
                if let next = try await bench.clean().advancedTo { visited.insert(next) }
                #expect(try await bench.count("SELECT count(*) FROM $outbox.message") <= 80)
            }
        }
        #expect(visited == [0, 1, 2, 3])
        #expect(deliveries.count == 240)
        #expect(deliveries.isOrderedByKey)
    }

    @Test func aRelayDoesItByItself() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let store = PostgresStore(
            postgres: bench.postgres, schema: bench.schema, wakeup: .notify(fallback: nil), segments: .eager)
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }], store: store)) {
            for round in 1...8 {
                try await bench.sql("SELECT $outbox.enqueue('d', '\(round)')")
                try await eventually("round \(round) is delivered and gone") {
                    try await bench.count("SELECT count(*) FROM $outbox.message") == 0
                }
            }
            try await eventually("with nothing to do it sleeps") { try await bench.isAsleep() }
        }
        #expect(deliveries.texts == (1...8).map(String.init))
    }

    @Test func expiredIdempotencyKeysAreRemovedByARelayAndOthersKept() async throws {
        let bench = try await RelayBench.make()
        let store = PostgresStore(
            postgres: bench.postgres, schema: bench.schema, wakeup: .notify(fallback: nil), segments: .eager)
        try await bench.sql(
            """
            SELECT $outbox.enqueue(
                'd', 'x', idempotency_key => i::text, idempotency_window => CASE WHEN i % 3 > 0 THEN '0'::interval ELSE '1 day' END)
            FROM generate_series(1, 3000) AS i
            """)
        try await bench.run(bench.relay(["d": .handler { _ in }], store: store)) {
            // More than are removed in one look.
            try await eventually("they are removed") {
                try await bench.count("SELECT count(*) FROM $outbox.idempotency") == 1000
            }
        }
        #expect(try await bench.clean().expiredKeys == 0)
    }

    @Test func whatIsYoungerThanTheRetentionIsKept() async throws {
        let bench = try await RelayBench.make()
        try await bench.deliver("kept", turningTo: 1)
        var policy = SegmentPolicy.eager
        policy.retention = .seconds(3600)
        #expect(try await bench.clean(policy).outcome(0) == .retained)
        try await bench.sql("UPDATE $outbox.segment SET since = now() - interval '1 hour'")
        #expect(try await bench.clean(policy).outcome(0) == .truncated)
    }

    /// Without a reader, and with a full ring, everything goes to the segment that is current.
    @Test func theRingDoesNotGoOnToASegmentThatIsNotEmpty() async throws {
        let bench = try await RelayBench.make()
        for round in 1...6 {
            try await bench.sql("SELECT $outbox.enqueue('d', '\(round)')")
            try await bench.clean()
        }
        #expect(
            try await bench.sql("SELECT segment::integer FROM $outbox.message ORDER BY id").map { try $0.decode(0) }
                == [0, 1, 2, 3, 3, 3])
        let deliveries = Deliveries()
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }])) {
            try await eventually("all are committed") { try await bench.pendingCount() == 0 && deliveries.count == 6 }
        }
        let report = try await bench.clean()
        #expect(report.segments.map(\.outcome) == [.truncated, .truncated, .truncated, .current])
        #expect(report.advancedTo == 0)
    }

    /// A message to a destination that no relay has a route for keeps its segment. The ring goes on without that one, and the
    /// log does not grow.
    @Test func oneSegmentThatIsNeverPassedDoesNotStopTheRing() async throws {
        let bench = try await RelayBench.make()
        try await bench.sql("SELECT $outbox.enqueue('mistyped', 'x')")
        var visited: [Int] = []
        for round in 1...7 {
            try await bench.deliver("\(round)")
            let report = try await bench.clean()
            if let next = report.advancedTo { visited.append(next) }
            #expect(report.outcome(0) == (round == 1 ? .current : .unread))
            #expect(try await bench.count("SELECT count(*) FROM $outbox.message") <= 4)
        }
        #expect(visited == [1, 2, 3, 1, 2, 3, 1])
    }

    /// Slots that two streams of a subscription both have do not make up for those that none has.
    @Test func overlappingStreamsDoNotHideAGap() async throws {
        let bench = try await RelayBench.make()
        try await bench.sql("SELECT $outbox.enqueue('d', 'x', key => 'k' || i) FROM generate_series(1, 3000) AS i")
        try await bench.script(
            """
            INSERT INTO $outbox.stream (destination, slot_low, slot_high, snapshot, position, horizon)
            SELECT 'd', low, high, pg_current_snapshot(), $outbox.last_id(), pg_current_xact_id()
            FROM (VALUES (0, 900), (200, 1000)) AS slots (low, high)
            """)
        func isPassed() async throws -> Bool {
            try await bench.sql("SELECT $outbox.segment_is_passed(0::smallint)")[0].decode(0)
        }
        #expect(try await !isPassed())
        try await bench.script("UPDATE $outbox.stream SET slot_high = 1023 WHERE slot_low = 200")
        #expect(try await isPassed())
    }

    /// What is locked by an operator is looked at another time, and the rest of the pass is made.
    @Test func aLockOnTheStreamsIsBusy() async throws {
        let bench = try await RelayBench.make()
        try await bench.deliver("passed", turningTo: 1)
        let other = try await LibPQConnection.connect(bench.postgres)
        try await other.execute(script: bench.render("BEGIN; LOCK TABLE $outbox.stream IN ACCESS EXCLUSIVE MODE"))
        #expect(try await bench.clean().outcome(0) == .busy)
        try await other.execute(script: "ROLLBACK")
        #expect(try await bench.clean().outcome(0) == .truncated)
        await other.close()
    }

    /// What is looked at grows with the destinations, not with their square: an index has the streams of each. On a server of
    /// its own: a snapshot names the transactions that run beside it, and each is looked for.
    @Test func whetherASegmentIsPassedIsLinearInDestinations() async throws {
        let (few, many) = try await EphemeralPostgres.with(.init(parameters: ["autovacuum": "off"])) { server in
            (try await self.pagesRead(500, on: server), try await self.pagesRead(2000, on: server))
        }
        // Without the index, seven times as many.
        #expect(few > 0 && many <= 5 * few, "\(few) pages for 500 destinations, \(many) for 2,000")
    }

    /// How many pages a look at a segment reads that all streams have passed.
    private func pagesRead(_ destinations: Int, on server: EphemeralPostgres) async throws -> Int {
        let bench = try await RelayBench.make(
            postgres: LibPQConfiguration(server.url), suffix: "\(destinations)")
        try await bench.script(
            "INSERT INTO $outbox.message (destination, payload) SELECT 'd' || i, '' FROM generate_series(1, \(destinations)) AS i")
        // In another transaction, whose snapshot sees them, and not updated: other tests keep old versions of rows.
        try await bench.script(
            """
            INSERT INTO $outbox.stream (destination, snapshot, position, horizon)
            SELECT 'd' || i, pg_current_snapshot(), $outbox.last_id(), pg_current_xact_id() FROM generate_series(1, \(destinations)) AS i
            """)
        try await bench.script("VACUUM ANALYZE $outbox.stream")
        let plan = try await bench.sql(
            "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) SELECT $outbox.segment_is_passed(0::smallint)"
        ).map { row in try row.decode(0, as: String.self) }
        let buffers = try #require(plan.first { $0.contains("Buffers: shared") })
        #expect(try await bench.sql("SELECT $outbox.segment_is_passed(0::smallint)")[0].decode(0, as: Bool.self))
        return buffers.split(separator: " ").filter { $0.hasPrefix("hit=") || $0.hasPrefix("read=") }
            .compactMap { Int($0.drop { $0 != "=" }.dropFirst()) }.reduce(0, +)
    }

    /// A transaction that was read past: its messages are in a segment that is old, and no stream has seen them.
    @Test(arguments: [false, true]) func anOpenTransactionKeepsItsSegment(isPrepared: Bool) async throws {
        let bench = try await RelayBench.make()
        let producer = try await LibPQConnection.connect(bench.postgres)
        try await producer.execute(script: bench.render("BEGIN; SELECT $outbox.enqueue('d', 'late')"))
        if isPrepared { try await producer.execute(script: "PREPARE TRANSACTION '\(bench.schema.name)'") }
        try await bench.deliver("passed", turningTo: 1)
        #expect(try await bench.clean().outcome(0) == .busy)
        try await producer.execute(script: isPrepared ? "COMMIT PREPARED '\(bench.schema.name)'" : "COMMIT")
        #expect(try await bench.clean().outcome(0) == .unread)
        let deliveries = Deliveries()
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }])) {
            try await eventually("it is committed") { try await bench.pendingCount() == 0 && deliveries.count == 1 }
        }
        #expect(deliveries.texts == ["late"])
        #expect(try await bench.clean().outcome(0) == .truncated)
    }

    /// All looks passed; what commits while the lock is waited for is seen by the second look, and by nothing else.
    @Test func whatCommitsBeforeTheLockIsGrantedIsSeen() async throws {
        let bench = try await RelayBench.make()
        let producer = try await LibPQConnection.connect(bench.postgres)
        try await producer.execute(script: bench.render("BEGIN; SELECT $outbox.enqueue('d', 'late')"))
        try await bench.deliver("passed", turningTo: 1)
        // Long enough for the test to get in between.
        try await bench.sql("ALTER FUNCTION $outbox.truncate_segment(smallint) SET lock_timeout = '60s'")
        async let report = bench.clean(.hourly)
        try await eventually("it waits for the lock") {
            try await bench.count(
                "SELECT count(*) FROM pg_locks WHERE relation = '$outbox.message_0'::regclass AND NOT granted") == 1
        }
        try await producer.execute(script: "COMMIT")
        #expect(try await report.outcome(0) == .unread)
        #expect(try await bench.count("SELECT count(*) FROM $outbox.message") == 2)
    }

    @Test func whatWasRolledBackKeepsNothing() async throws {
        let bench = try await RelayBench.make()
        let producer = try await LibPQConnection.connect(bench.postgres)
        try await producer.execute(script: bench.render("BEGIN; SELECT $outbox.enqueue('d', 'never'); ROLLBACK"))
        try await bench.sql("SELECT setval('\(bench.schema.identifierText).segment_number', 1)")
        #expect(try await bench.clean().outcome(0) == .truncated)
    }

    /// The lock is not waited for, and no producer waits while it is requested.
    @Test func aLongQueryPutsItOffAndProducersDoNotWait() async throws {
        let bench = try await RelayBench.make()
        try await bench.deliver("passed", turningTo: 1)
        let analyst = try await LibPQConnection.connect(bench.postgres)
        try await analyst.execute(
            script: bench.render("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM $outbox.message"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let producer = try await LibPQConnection.connect(bench.postgres)
                try await producer.execute(script: "SET lock_timeout = '1ms'")
                while !Task.isCancelled {
                    try await producer.execute(script: bench.render("SELECT $outbox.enqueue('d', 'meanwhile')"))
                }
            }
            for _ in 1...5 { #expect(try await bench.clean(.hourly).outcome(0) == .busy) }
            group.cancelAll()
            do {
                try await group.waitForAll()
            } catch let error as LibPQError {
                #expect(error.code == .cancelled)
            }
        }
        #expect(try await analyst.query(LibPQStatement(bench.render("SELECT FROM $outbox.message"))).rowCount == 1)
        try await analyst.execute(script: "COMMIT")
        #expect(try await bench.clean(.hourly).outcome(0) == .truncated)
    }

    /// It has read the number of a segment that is not current any more, or not even there any more, and inserts late.
    @Test func aProducerWithAnOldNumberIsRight() async throws {
        let bench = try await RelayBench.make()
        try await bench.deliver("passed", turningTo: 1)
        try await bench.sql("INSERT INTO $outbox.message (destination, payload, segment) VALUES ('d', 'late', 0)")
        #expect(try await bench.clean(.hourly).outcome(0) == .unread)
        try await bench.deliver(nil)
        #expect(try await bench.clean(.hourly).outcome(0) == .truncated)
        try await bench.sql("INSERT INTO $outbox.message (destination, payload, segment) VALUES ('d', 'later', 0)")
        #expect(try await bench.clean(.hourly).outcome(0) == .unread)
        #expect(try await bench.deliver(nil) == ["later"])
        #expect(try await bench.clean(.hourly).outcome(0) == .truncated)
    }

    @Test func aDestinationWithoutAStreamKeepsItsMessages() async throws {
        let bench = try await RelayBench.make()
        try await bench.sql("SELECT $outbox.enqueue('nobody', 'waits')")
        try await bench.deliver("passed", turningTo: 1)
        #expect(try await bench.clean().outcome(0) == .unread)
        let deliveries = Deliveries()
        try await bench.run(bench.relay(["nobody": .handler { deliveries.add($0) }])) {
            try await eventually("it is committed") { try await bench.pendingCount() == 0 && deliveries.count == 1 }
        }
        #expect(try await bench.clean().outcome(0) == .truncated)
    }

    /// Half of the slots have a stream: the other half may belong to one that is being made.
    @Test func slotsWithoutAStreamKeepTheirMessages() async throws {
        let bench = try await RelayBench.make()
        try await bench.deliver("passed", turningTo: 1)
        try await bench.sql("UPDATE $outbox.stream SET slot_high = 511")
        #expect(try await bench.clean(.hourly).outcome(0) == .unread)
        try await bench.sql(
            """
            INSERT INTO $outbox.stream (destination, slot_low, snapshot, position, horizon)
            SELECT destination, 512, snapshot, position, horizon FROM $outbox.stream
            """)
        #expect(try await bench.clean(.hourly).outcome(0) == .truncated)
    }

    @Test func aPausedStreamKeepsItsMessages() async throws {
        let bench = try await RelayBench.make()
        let streams = OutboxStreams(schema: bench.schema)
        try await bench.deliver("first")
        try await streams.pause("d", on: bench.admin)
        try await bench.sql("SELECT $outbox.enqueue('d', 'waits')")
        try await bench.sql("SELECT setval('\(bench.schema.identifierText).segment_number', 1)")
        let deliveries = Deliveries()
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }, "e": .handler { _ in }])) {
            try await eventually("a relay is at work") { try await bench.ownerCount() == 1 }
            #expect(try await bench.clean(.hourly).outcome(0) == .unread)
            try await streams.resume("d", on: bench.admin)
            try await eventually("it is committed") { try await bench.pendingCount() == 0 && deliveries.count == 1 }
        }
        #expect(try await bench.clean(.hourly).outcome(0) == .truncated)
    }

    @Test func everySubscriptionCounts() async throws {
        let bench = try await RelayBench.make()
        try await bench.deliver("for two", turningTo: 1)
        var settings = RelayBench.quick
        settings.subscription = "audit"
        try await bench.sql(
            """
            INSERT INTO $outbox.stream (subscription, destination, snapshot, position, horizon)
            VALUES ('audit', 'd', pg_current_snapshot(), 0, pg_current_xact_id())
            """)
        #expect(try await bench.clean(.hourly).outcome(0) == .unread)
        let deliveries = Deliveries()
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }], settings: settings)) {
            try await eventually("the other has it") {
                try await bench.count("SELECT min(position) FROM $outbox.stream") == 1
            }
        }
        #expect(try await bench.clean(.hourly).outcome(0) == .truncated)
    }

    @Test func whatWaitsOrIsDeadIsACopy() async throws {
        let bench = try await RelayBench.make()
        try await bench.sql("SELECT $outbox.enqueue('d', 'waits', key => 'k'), $outbox.enqueue('d', 'dies')")
        let isUp = Atomic(false)
        let deliveries = Deliveries()
        let relay = bench.relay([
            "d": .handler(retry: .constant(.seconds(3600), maximumAttempts: 9)) { message in
                if String(decoding: message.payload, as: UTF8.self) == "dies" { throw DeliveryFailure.reject("no") }
                if !isUp.load(ordering: .relaxed) { throw DeliveryFailure.retry("down") }
                deliveries.add(message)
            }
        ])
        try await bench.run(relay) {
            try await eventually("one waits, one is dead") {
                let count = (try await bench.deferredCount(), try await bench.deadCount())
                return count == (1, 1)
            }
            try await bench.sql("SELECT setval('\(bench.schema.identifierText).segment_number', 1)")
            #expect(try await bench.clean(.hourly).outcome(0) == .truncated)
            isUp.store(true, ordering: .relaxed)
            try await bench.sql("UPDATE $outbox.deferred SET next_attempt_at = now()")
            try await eventually("it is delivered") { deliveries.texts == ["waits"] }
        }
        let letters = try await OutboxInspector(schema: bench.schema).deadLetters(on: bench.admin)
        #expect(letters.map(\.payloadSize) == [4])
    }

    /// The numbers restart under a stored cursor that has passed them, and no relay has noticed yet.
    @Test func aLogWhoseNumbersBeganAnewIsNotTakenForPassed() async throws {
        let bench = try await RelayBench.make()
        for _ in 1...3 { try await bench.deliver("old") }
        try await bench.script("TRUNCATE $outbox.message RESTART IDENTITY")
        try await bench.sql("SELECT $outbox.enqueue('d', 'new')")
        try await bench.sql("SELECT setval('\(bench.schema.identifierText).segment_number', 1)")
        #expect(try await bench.clean(.hourly).outcome(0) == .unread)
        #expect(try await bench.deliver(nil) == ["new"])
        #expect(try await bench.clean(.hourly).outcome(0) == .truncated)
    }

    /// After a dump and restore, rows have numbers that the server has not reached.
    @Test func rowsOfAnotherServersNumbersArePassed() async throws {
        let bench = try await RelayBench.make()
        try await bench.sql(
            """
            INSERT INTO $outbox.message (xid, destination, payload)
            SELECT '9000000000', 'd', '' FROM generate_series(1, 10)
            """)
        // A cursor of this server's numbers is behind them.
        let deliveries = Deliveries()
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }])) {
            try await eventually("all are committed") {
                try await bench.count("SELECT coalesce(max(position), 0) FROM $outbox.stream") == 10
            }
        }
        #expect(deliveries.count == 10)
        try await bench.sql("SELECT setval('\(bench.schema.identifierText).segment_number', 1)")
        #expect(try await bench.clean(.hourly).outcome(0) == .truncated)
    }

    /// The second look would see no more than the first, or what is this transaction's own.
    @Test func aSegmentIsEmptiedInATransactionOfItsOwn() async throws {
        let bench = try await RelayBench.make()
        try await bench.deliver("passed", turningTo: 1)
        for begin in ["BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN; SELECT $outbox.enqueue('d', 'own')"] {
            try await bench.script(begin)
            let error = await #expect(throws: LibPQError.self) {
                try await bench.sql("SELECT $outbox.truncate_segment(0::smallint)")
            }
            #expect(error?.sqlState == "25000")
            try await bench.script("ROLLBACK")
        }
        for number in ["NULL", "4", "-1"] {
            await #expect(throws: LibPQError.self) {
                try await bench.sql("SELECT $outbox.truncate_segment((\(number))::smallint)")
            }
        }
        #expect(try await bench.count("SELECT count(*) FROM $outbox.message") == 1)
    }

    /// The time of a change that was not noted is when it is noticed, not when the last one was.
    @Test func aRingThatSomebodyElseTurnedIsNoted() async throws {
        let bench = try await RelayBench.make()
        try await bench.deliver("passed")
        try await bench.sql("UPDATE $outbox.segment SET since = now() - interval '1 year'")
        try await bench.sql("SELECT setval('\(bench.schema.identifierText).segment_number', 1)")
        var policy = SegmentPolicy.eager
        policy.retention = .seconds(3600)
        let report = try await bench.clean(policy)
        #expect(report.outcome(0) == .retained && report.outcome(1) == .current)
    }
}

extension SegmentPolicy {
    /// Every segment with something in it is finished, and every one that is passed is emptied.
    static var eager: SegmentPolicy {
        var policy = SegmentPolicy()
        policy.retention = .zero
        policy.maximumAge = .zero
        policy.maximumBytes = 1
        policy.interval = .milliseconds(1)
        return policy
    }

    /// Keeps nothing, and does not go on.
    static var hourly: SegmentPolicy {
        var policy = SegmentPolicy()
        policy.retention = .zero
        return policy
    }
}

extension JanitorReport {
    func outcome(_ number: Int) -> Outcome? { self.segments.first { $0.number == number }?.outcome }
}

extension RelayBench {
    @discardableResult
    func clean(_ policy: SegmentPolicy = .eager) async throws -> JanitorReport {
        try await OutboxJanitor(schema: self.schema, policy: policy).run(on: LibPQConnection.connect(self.postgres))
    }

    /// Delivers what is there of the destination d, a further message included.
    ///
    /// - Parameter number: The segment that is current afterwards.
    @discardableResult
    func deliver(_ text: String?, turningTo number: Int? = nil) async throws -> [String] {
        if let text { try await self.sql("SELECT $outbox.enqueue('d', '\(text)')") }
        let deliveries = Deliveries()
        // Nothing is emptied but by the test.
        let store = PostgresStore(
            postgres: self.postgres, schema: self.schema, wakeup: .notify(fallback: nil), segments: nil)
        try await self.run(self.relay(["d": .handler { deliveries.add($0) }], store: store)) {
            try await eventually("all of d is committed") {
                try await self.count(
                    """
                    SELECT count(*) FROM $outbox.message
                    WHERE destination = 'd' AND NOT EXISTS (
                        SELECT FROM $outbox.stream
                        WHERE stream.destination = message.destination AND message.id <= stream.position
                            AND pg_visible_in_snapshot(message.xid, stream.snapshot))
                    """) == 0
            }
        }
        if let number { try await self.sql("SELECT setval('\(self.schema.identifierText).segment_number', \(number))") }
        return deliveries.texts
    }
}
