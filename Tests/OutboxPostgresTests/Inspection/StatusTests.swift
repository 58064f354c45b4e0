import Foundation
import Outbox
import TestSupport
import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(10))) struct StatusTests {
    /// A cursor that has handled everything up to `position`.
    private func addStream(
        _ test: TestOutbox, _ destination: String, position: Int, slots: ClosedRange<Int> = 0...1023,
        subscription: String = "main"
    ) async throws {
        try await test.connection.query(
            """
            INSERT INTO \(unescaped: test.name).stream
                (subscription, destination, slot_low, slot_high, snapshot, position, horizon)
            SELECT \(subscription), \(destination), \(Int16(slots.lowerBound)), \(Int16(slots.upperBound)),
                pg_current_snapshot(), \(position), pg_current_xact_id()
            """)
    }

    private func enqueue(
        _ test: TestOutbox, _ destination: String, count: Int, on connection: LibPQConnection? = nil
    ) async throws {
        try await (connection ?? test.connection).query(
            """
            INSERT INTO \(unescaped: test.name).message (destination, payload)
            SELECT \(destination), '' FROM generate_series(1, \(count))
            """)
    }

    @Test func anEmptyOutbox() async throws {
        try await withTestOutbox(prefix: "it's \"empty\"") { test in
            let status = try await OutboxInspector(schema: test.schema).status(on: test.connection)
            #expect(status.streams.isEmpty && status.unregistered.isEmpty && status.relay == nil)
            #expect(status.segments.map(\.number) == [0, 1, 2, 3])
            #expect(status.segments.map(\.isCurrent) == [true, false, false, false])
            #expect(status.segments.allSatisfy { $0.bytes > 0 })
        }
    }

    @Test func lagIsWhatIsBehindTheCursor() async throws {
        try await withTestOutbox { test in
            try await self.enqueue(test, "here", count: 10)
            try await self.enqueue(test, "there", count: 5)
            try await self.enqueue(test, "nowhere", count: 3)
            try await self.addStream(test, "here", position: 7)
            try await self.addStream(test, "there", position: 15)
            try await self.addStream(test, "here", position: 0, subscription: "other")
            let inspector = OutboxInspector(schema: test.schema)
            let status = try await inspector.status(on: test.connection)
            #expect(status.streams.map(\.destination) == ["here", "there"])
            #expect(status.streams.map(\.lag) == [.init(3), .init(0)])
            #expect(status.streams[0].lagTime != nil && status.streams[1].lagTime == nil)
            #expect(status.unregistered.map(\.destination) == ["nowhere"])
            #expect(status.unregistered.map(\.messages) == [.init(3)])
            let other = try await inspector.status(subscription: "other", on: test.connection)
            #expect(other.streams.map(\.lag) == [.init(10)])
            #expect(other.unregistered.map(\.destination) == ["nowhere", "there"])
        }
    }

    @Test func countingEndsAtTheLimit() async throws {
        try await withTestOutbox { test in
            try await self.enqueue(test, "here", count: 100)
            try await self.enqueue(test, "nowhere", count: 100)
            try await self.addStream(test, "here", position: 0)
            let inspector = OutboxInspector(schema: test.schema)
            let capped = try await inspector.status(countLimit: 10, on: test.connection)
            #expect(capped.streams.map(\.lag) == [.init(10, isExact: false)])
            #expect(capped.unregistered.map(\.messages.description) == ["≥10"])
            let exact = try await inspector.status(countLimit: 101, on: test.connection)
            #expect(exact.streams.map(\.lag.description) == ["100"])
        }
    }

    /// A message whose transaction ended after its id was passed is behind no cursor by id, and yet unhandled.
    @Test func lateMessagesAreCounted() async throws {
        try await withTestOutbox { test in
            let writer = try await test.connect()
            let transaction = try await writer.begin()
            try await self.enqueue(test, "here", count: 4, on: writer)
            try await self.enqueue(test, "here", count: 2)
            try await self.addStream(test, "here", position: 6)
            let inspector = OutboxInspector(schema: test.schema)
            let before = try await inspector.status(on: test.connection)
            #expect(before.streams.map(\.lag) == [.init(0)])
            try await transaction.commit()
            let after = try await inspector.status(on: test.connection)
            #expect(after.streams.map(\.lag) == [.init(4)])
            #expect(after.streams[0].lagTime != nil)
            // Half of them have been paged through.
            try await test.connection.query(
                """
                UPDATE \(unescaped: test.name).stream
                SET catchup_snapshot = pg_current_snapshot(), catchup_position = 2
                """)
            let paging = try await inspector.status(on: test.connection)
            #expect(paging.streams.map(\.lag) == [.init(2)])
        }
    }

    /// What the counts of several streams of one destination are, they are by slot.
    @Test func splitStreamsShareADestination() async throws {
        try await withTestOutbox { test in
            try await self.enqueue(test, "here", count: 64)
            try await self.addStream(test, "here", position: 0, slots: 0...32)
            try await self.addStream(test, "here", position: 0, slots: 33...1023)
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).deferred (id, created_at, destination, payload)
                    SELECT id, created_at, destination, payload FROM \(test.name).message;
                    INSERT INTO \(test.name).dead_letter
                        (id, created_at, destination, payload, attempts, reason)
                    SELECT id, created_at, destination, payload, 1, 'rejected' FROM \(test.name).message;
                    UPDATE \(test.name).stream SET paused_at = now() WHERE slot_low = 33
                    """)
            let status = try await OutboxInspector(schema: test.schema).status(on: test.connection)
            for counts in [status.streams.map(\.lag), status.streams.map(\.deferred), status.streams.map(\.dead)] {
                // The slot of a message without a key is its id's.
                #expect(counts == [.init(32), .init(32)])
            }
            #expect(status.streams.map(\.slots) == [0...32, 33...1023])
            #expect(status.streams.map { $0.pausedAt != nil } == [false, true])
        }
    }

    @Test func aRelayIsSeenWorkingAndAsleep() async throws {
        try await withTestOutbox { test in
            let relay = try await Relay(
                postgres: test.configuration(), outbox: test.schema, routes: ["here": .handler { _ in }])
            let inspector = OutboxInspector(schema: test.schema)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await relay.run() }
                try await eventually("the relay is asleep") {
                    try await inspector.status(on: test.connection).relay?.isAsleep == true
                }
                let seen = try await inspector.status(on: test.connection).relay
                #expect(seen?.applicationName == "outbox relay")
                #expect(seen?.connectedAt != nil)
                relay.stop()
                try await group.next()
            }
            try await eventually("the relay's session is over") {
                try await inspector.status(on: test.connection).relay == nil
            }
        }
    }

    /// The one that works and those that wait, each once, and of which subscription.
    @Test func relaysAndStandbysAreSeen() async throws {
        try await withTestOutbox { test in
            func relay(_ subscription: String) async throws -> Relay {
                var settings = RelaySettings()
                settings.subscription = subscription
                settings.standbyInterval = .milliseconds(20)
                return try await Relay(
                    postgres: test.configuration(), outbox: test.schema, routes: ["here": .handler { _ in }],
                    settings: settings)
            }
            let relays = [try await relay("main"), try await relay("main"), try await relay("other")]
            let inspector = OutboxInspector(schema: test.schema)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for relay in relays { group.addTask { try await relay.run() } }
                try await eventually("all are there") {
                    let main = try await inspector.status(on: test.connection).relays
                    let other = try await inspector.status(subscription: "other", on: test.connection).relays
                    return main.map(\.isOwner) == [true, false] && other.map(\.isOwner) == [true]
                        && main[0].isAsleep && other[0].isAsleep
                }
                let seen = try await inspector.status(on: test.connection)
                #expect(seen.relay == seen.relays[0])
                #expect(seen.relays.allSatisfy { $0.connectedAt != nil && $0.host != nil })
                #expect(seen.relays.map(\.applicationName) == ["outbox relay", "outbox relay"])
                #expect(seen.relays.map(\.inFlight) == [0, nil])
                for relay in relays { relay.stop() }
                try await group.waitForAll()
            }
            try await eventually("they are gone") { try await inspector.status(on: test.connection).relays.isEmpty }
        }
    }

    /// What only the relay knows comes from its session's name, and goes with it.
    @Test func whatTheRelayIsDoingIsSeen() async throws {
        try await withTestOutbox { test in
            for (destination, count) in [("busy", 3), ("down", 2), ("idle", 0)] {
                try await self.enqueue(test, destination, count: count)
            }
            let gate = AsyncStream<Void>.makeStream()
            let relay = try await Relay(
                postgres: test.configuration(), outbox: test.schema,
                routes: [
                    "busy": .handler { _ in for await _ in gate.stream { return } },
                    "down": .handler { _ in throw DeliveryFailure.unavailable("away") },
                    "idle": .handler { _ in },
                ])
            let inspector = OutboxInspector(schema: test.schema)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await relay.run() }
                try await eventually("it is told") {
                    let status = try await inspector.status(on: test.connection)
                    return status.streams.map(\.inFlight) == [3, 2, 0]
                        && status.streams.map(\.isDown) == [false, true, false]
                        && status.relay?.inFlight == 5
                }
                gate.continuation.finish()
                try await eventually("that it is over is told, too") {
                    let streams = try await inspector.status(on: test.connection).streams
                    return streams.map(\.inFlight) == [0, 2, 0] && streams.map(\.isDown) == [false, true, false]
                }
                relay.stop()
                try await group.waitForAll()
            }
            let after = try await inspector.status(on: test.connection)
            #expect(after.streams.allSatisfy { $0.inFlight == nil && $0.isDown == nil } && after.streams.count == 3)
        }
    }

    /// A rate is what the cursor passed, by the time between two looks; ids of other destinations are not in it.
    @Test func ratesAreDifferencesOfTwoLooks() async throws {
        try await withTestOutbox { test in
            for destination in ["there", "here", "there"] { try await self.enqueue(test, destination, count: 10) }
            for destination in ["here", "there", "rewound"] { try await self.addStream(test, destination, position: 5) }
            let inspector = OutboxInspector(schema: test.schema)
            var first = try await inspector.status(on: test.connection)
            #expect(first.streams.allSatisfy { $0.rate == nil })
            first.takenAt.addTimeInterval(-100)
            try await test.connection.execute(
                script: """
                    UPDATE \(test.name).stream SET position = CASE destination WHEN 'rewound' THEN 1 ELSE 25 END
                    """)
            let second = try await inspector.status(since: first, on: test.connection)
            let elapsed = second.takenAt.timeIntervalSince(first.takenAt)
            let passed = second.streams.map { stream in stream.rate.map { ($0 * elapsed).rounded() } }
            // Of here 11 to 20, of there 6 to 10 and 21 to 25.
            #expect(second.streams.map(\.destination) == ["here", "rewound", "there"])
            #expect(passed == [10, nil, 10])
            let third = try await inspector.status(since: first, countLimit: 4, on: test.connection)
            let since = third.takenAt.timeIntervalSince(first.takenAt)
            #expect(third.streams[0].rate.map { ($0 * since).rounded() } == 4)
        }
    }

    @Test func aMonitorSeesTheStatusAndNoPayloads() async throws {
        try await withTestOutbox { test in
            try await self.enqueue(test, "here", count: 3)
            try await test.withRole { role in
                try await test.connection.execute(script: test.schema.grants(monitor: role))
                let relay = try await Relay(
                    postgres: test.configuration(), outbox: test.schema,
                    routes: ["here": .handler { _ in throw DeliveryFailure.unavailable("away") }])
                let connection = try await test.connect(as: role)
                let inspector = OutboxInspector(schema: test.schema)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await relay.run() }
                    // The name of another role's session is all that it may see of it, and is enough.
                    try await eventually("the monitor sees what the relay says") {
                        let status = try await inspector.status(on: connection)
                        return status.streams.map(\.isDown) == [true] && status.streams.map(\.inFlight) == [3]
                    }
                    let status = try await inspector.status(since: inspector.status(on: connection), on: connection)
                    #expect(status.relay?.connectedAt == nil && status.segments.count == 4)
                    relay.stop()
                    try await group.waitForAll()
                }
                for column in ["payload", "headers", "route", "options"] {
                    for table in ["message", "deferred", "dead_letter"] {
                        let text = "SELECT \(column) FROM \(test.name).\(table)"
                        let error = await #expect(throws: LibPQError.self) {
                            try await connection.query(LibPQStatement(text))
                        }
                        #expect(error?.sqlState == "42501")
                    }
                }
                await connection.close()
            }
        }
    }

    @Test func aRelayRoleCanInspectAndAProducerCannot() async throws {
        try await withTestOutbox { test in
            try await test.withRole { role in
                try await test.connection.execute(script: test.schema.grants(producer: role))
                let connection = try await test.connect(as: role)
                let inspector = OutboxInspector(schema: test.schema)
                let error = await #expect(throws: OutboxError.self) { try await inspector.status(on: connection) }
                #expect(error?.code == .privilege)
                try await test.connection.execute(script: test.schema.grants(relay: role))
                let status = try await inspector.status(on: connection)
                #expect(status.segments.count == 4)
                #expect(try await inspector.replay(matching: DeadLetterFilter(), on: connection) == 0)
                #expect(try await inspector.discard(matching: DeadLetterFilter(), on: connection) == 0)
                await connection.close()
            }
        }
    }

    @Test func saysWhatIsWrongWithTheSchema() async throws {
        try await withTestOutbox(migrated: false) { test in
            let inspector = OutboxInspector(schema: test.schema)
            let missing = await #expect(throws: OutboxError.self) { try await inspector.status(on: test.connection) }
            #expect(missing?.code == .schemaMissing)
            try await test.connection.execute(script: "CREATE SCHEMA \(test.name)")
            let empty = await #expect(throws: OutboxError.self) { try await inspector.deadLetters(on: test.connection) }
            #expect(empty?.code == .schemaMissing)
            try await OutboxMigrator(schema: test.schema).up(on: test.connection)
            try await test.connection.execute(
                script:
                    "INSERT INTO \(test.name).migration (version, name, checksum, readable_by) VALUES (99, 'future', '', 1)"
            )
            _ = try await inspector.status(on: test.connection)
            try await test.connection.execute(
                script:
                    "UPDATE \(test.name).migration SET readable_by = \(OutboxSchema.currentVersion + 1) WHERE version = 99"
            )
            let newer = await #expect(throws: OutboxError.self) { try await inspector.status(on: test.connection) }
            #expect(newer?.code == .schemaTooNew)
        }
    }
}
