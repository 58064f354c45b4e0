import Outbox
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// What was once called healthy and was not: nobody delivers, everything fails, everything is dead, or it cannot be seen.
@Suite(.timeLimit(.minutes(5))) struct NeverHealthyTests {
    private func doctor(_ test: TestOutbox) -> OutboxDoctor {
        var limits = OutboxDoctor.Limits()
        limits.age = .zero
        limits.silence = .zero
        return OutboxDoctor(schema: test.schema, limits: limits)
    }

    private func relay(_ test: TestOutbox, _ routes: RelayRoutes) async throws -> Relay {
        var settings = RelaySettings()
        settings.standbyInterval = .milliseconds(20)
        return try await Relay(postgres: test.configuration(), outbox: test.schema, routes: routes, settings: settings)
    }

    private func run(_ relay: Relay, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await relay.run() }
            try await body()
            relay.stop()
            try await group.waitForAll()
        }
    }

    private func enqueue(_ test: TestOutbox, _ destinations: String...) async throws {
        for destination in destinations {
            try await test.connection.query("SELECT \(unescaped: test.name).enqueue(\(destination), 'secret'::text)")
        }
    }

    /// A relay without a route for a destination that another relay once had.
    @Test func aDestinationThatNoRelayServes() async throws {
        try await withTestOutbox { test in
            let inspector = OutboxInspector(schema: test.schema)
            try await self.enqueue(test, "mail", "orders")
            try await self.run(self.relay(test, ["mail": .handler { _ in }, "orders": .handler { _ in }])) {
                try await eventually("both are delivered") {
                    try await inspector.status(on: test.connection).streams.map(\.state) == [.delivering, .delivering]
                }
            }
            try await eventually("none runs") {
                try await inspector.status(on: test.connection).streams.map(\.state) == [.notServed, .notServed]
            }
            try await self.run(self.relay(test, ["orders": .handler { _ in }])) {
                try await self.enqueue(test, "mail", "nobody")
                try await eventually("the one that is served is") {
                    try await inspector.status(on: test.connection).streams.map(\.state) == [.notServed, .delivering]
                }
                let findings = try await self.doctor(test).examine(test.configuration())
                #expect(findings.contains { $0.severity == .error && $0.seen.hasPrefix("“mail” is not served") })
                #expect(
                    findings.contains {
                        $0.severity == .error && $0.check == "delivery" && $0.seen.contains("not served")
                    })
                #expect(findings.count { $0.severity == .error && $0.seen.contains("“nobody”") } == 2, "\(findings)")
                #expect(!findings.contains { $0.severity != .ok && $0.seen.contains("“orders”") })
            }
        }
    }

    /// A destination that refuses everything has nothing in the log.
    @Test func messagesThatAreTriedAgainAndAgain() async throws {
        try await withTestOutbox { test in
            let inspector = OutboxInspector(schema: test.schema)
            try await test.connection.query(
                "SELECT \(unescaped: test.name).enqueue('later', 'x'::text, deliver_at => now() + interval '1 day')")
            try await self.enqueue(test, "refuses")
            let routes: RelayRoutes = [
                "later": .handler { _ in },
                "refuses": .handler(retry: .constant(.seconds(3600), maximumAttempts: 9), breaker: .off) { _ in
                    throw DeliveryFailure.retry("no such address")
                },
            ]
            try await self.run(self.relay(test, routes)) {
                try await eventually("both are deferred") {
                    try await inspector.status(on: test.connection).streams.map(\.deferred) == [.init(1), .init(1)]
                }
                let streams = try await inspector.status(on: test.connection).streams
                #expect(streams.map { $0.oldest != nil } == [false, true], "one waits for its time")
                let findings = try await self.doctor(test).examine(test.configuration())
                let deferred = findings.filter { $0.check == "delivery" && $0.severity == .warning }
                #expect(deferred.map { $0.seen.contains("“refuses” is deferred") } == [true])
            }
        }
    }

    /// Why and since when, without a look into the relay's log; and it is over when it is over.
    @Test func aDestinationThatIsDownSaysWhy() async throws {
        try await withTestOutbox { test in
            let inspector = OutboxInspector(schema: test.schema)
            let isUp = Mutex(false)
            let routes: RelayRoutes = [
                "up": .handler { _ in },
                "down": .handler(
                    retry: .constant(.milliseconds(10), maximumAttempts: 1000),
                    breaker: .opening(
                        afterFailures: 1, initialDelay: .milliseconds(10), maximumDelay: .milliseconds(10))
                ) { _ in
                    if !isUp.withLock({ $0 }) { throw DeliveryFailure.unavailable("no route\n\0to host") }
                },
            ]
            try await self.enqueue(test, "down", "up")
            try await self.run(self.relay(test, routes)) {
                var outage: OutboxStatus.Outage?
                try await eventually("it is noted") {
                    let streams = try await inspector.status(on: test.connection).streams
                    outage = streams.first?.outage
                    return outage != nil && streams.map(\.state) == [.down, .delivering]
                }
                #expect(outage?.reason.contains("no route  to host") == true, "\(outage as Any)")
                #expect(outage.map { $0.time > .zero && $0.time < .seconds(300) } == true, "\(outage as Any)")
                let findings = try await self.doctor(test).examine(test.configuration())
                #expect(findings.contains { $0.seen.contains("“down” is down for") && $0.seen.contains("no route") })
                let noted = try await test.value(
                    "SELECT down_reason FROM \(test.name).lag WHERE destination = 'down' AND down_since < now()",
                    as: String.self)
                #expect(noted == outage?.reason)
                isUp.withLock { $0 = true }
                try await eventually("it is up, and noted") {
                    try await inspector.status(on: test.connection).streams.allSatisfy {
                        $0.state == .delivering && $0.notedOutage == nil
                    }
                }
            }
        }
    }

    /// A relay that is started again with what is right does not leave it in the row.
    @Test func anOutageThatEndedWithItsRelayIsOver() async throws {
        try await withTestOutbox { test in
            let inspector = OutboxInspector(schema: test.schema)
            try await self.enqueue(test, "d")
            let down = DestinationHandler.handler(
                breaker: .opening(afterFailures: 1, initialDelay: .milliseconds(10), maximumDelay: .milliseconds(10))
            ) { _ in throw DeliveryFailure.unavailable("password") }
            try await self.run(self.relay(test, ["d": down])) {
                try await eventually("it is noted") {
                    try await inspector.status(on: test.connection).streams.first?.outage != nil
                }
            }
            #expect(try await test.value("SELECT down_reason FROM \(test.name).lag", as: String?.self) != nil)
            try await self.run(self.relay(test, ["d": .handler { _ in }])) {
                try await eventually("it is over") {
                    try await test.value("SELECT down_reason FROM \(test.name).lag", as: String?.self) == nil
                }
            }
        }
    }

    /// A row that an operator's transaction keeps does not keep the relay.
    @Test func anOutageIsNotedWhenTheRowIsFree() async throws {
        try await withTestOutbox { test in
            let inspector = OutboxInspector(schema: test.schema)
            let isUp = Mutex(true)
            try await self.run(
                self.relay(
                    test,
                    [
                        "down": .handler(
                            breaker: .opening(
                                afterFailures: 1, initialDelay: .milliseconds(10), maximumDelay: .milliseconds(10))
                        ) {
                            _ in
                            if !isUp.withLock({ $0 }) { throw DeliveryFailure.unavailable("refused") }
                        }, "up": .handler { _ in },
                    ])
            ) {
                // What a process notes of a stream before the first delivery is noted.
                try await self.enqueue(test, "up", "down")
                try await eventually("it delivers") {
                    let streams = try await inspector.status(on: test.connection).streams
                    return streams.count == 2 && streams.allSatisfy { $0.lag == .init(0) && $0.committedAt != nil }
                }
                let operatorConnection = try await test.connect()
                let transaction = try await operatorConnection.begin()
                _ = try await operatorConnection.query(
                    "SELECT FROM \(unescaped: test.name).stream WHERE destination = 'down' FOR UPDATE")
                isUp.withLock { $0 = false }
                try await self.enqueue(test, "down")
                try await eventually("it is down") {
                    try await inspector.status(on: test.connection).streams.map(\.state) == [.down, .delivering]
                }
                try await self.enqueue(test, "up")
                try await eventually("the other stream goes on") {
                    try await inspector.status(on: test.connection).streams.last?.lag == .init(0)
                }
                #expect(try await inspector.status(on: test.connection).streams.first?.outage == nil)
                try await transaction.rollback()
                try await eventually("it is noted") {
                    try await inspector.status(on: test.connection).streams.first?.outage?.reason.contains("refused")
                        == true
                }
            }
        }
    }

    /// What the log holds no more counts in the view.
    @Test func deferredMessagesCountInTheLag() async throws {
        try await withTestOutbox { test in
            try await test.connection.query(
                "SELECT \(unescaped: test.name).enqueue('d', 'x'::text, deliver_at => now() + interval '1 day')")
            try await self.enqueue(test, "d")
            let routes: RelayRoutes = [
                "d": .handler(retry: .constant(.seconds(3600), maximumAttempts: 9), breaker: .off) { _ in
                    throw DeliveryFailure.retry("no")
                }
            ]
            try await self.run(self.relay(test, routes)) {
                try await eventually("both are deferred") {
                    let row = try await test.connection.query(
                        "SELECT messages, deferred, seconds FROM \(unescaped: test.name).lag"
                    ).first
                    guard let row else { return false }
                    return try row.decode("messages", as: Int64.self) == 0
                        && row.decode("deferred", as: Int64.self) == 2
                        && row.decode("seconds", as: Double.self) > 0
                }
                // One that waits for its time is not late.
                try await test.connection.query("DELETE FROM \(unescaped: test.name).deferred WHERE attempts > 0")
                #expect(try await test.value("SELECT seconds FROM \(test.name).lag", as: Double.self) == 0)
                #expect(try await test.value("SELECT deferred FROM \(test.name).lag", as: Int64.self) == 1)
            }
        }
    }

    @Test func deadLettersAreToldOf() async throws {
        try await withTestOutbox { test in
            let inspector = OutboxInspector(schema: test.schema)
            try await self.enqueue(test, "d", "d")
            try await self.run(self.relay(test, ["d": .handler { _ in throw DeliveryFailure.reject("no") }])) {
                try await eventually("they are dead") {
                    try await inspector.status(on: test.connection).streams.map(\.dead) == [.init(2)]
                }
                let findings = try await self.doctor(test).examine(test.configuration())
                #expect(findings.contains { $0.check == "delivery" && $0.seen.hasPrefix("2 dead letters of “d”") })
            }
        }
    }

    /// A role that does not see since when others' transactions are open does not say that none is.
    @Test func whatARoleCannotSeeIsNotWell() async throws {
        try await withTestOutbox { test in
            try await test.withRole { role in
                try await test.connection.execute(script: test.schema.grants(relay: role))
                let xmin = try await self.doctor(test).examine(test.configuration(of: role)).filter {
                    $0.check == "xmin"
                }
                #expect(xmin.map(\.severity) == [.warning])
                #expect(
                    xmin[0].advice?.contains("GRANT pg_read_all_stats TO \(SQLIdentifier(role).quoted)") == true)
                try await test.connection.execute(script: "GRANT pg_read_all_stats TO \(SQLIdentifier(role).quoted)")
                let seen = try await self.doctor(test).examine(test.configuration(of: role)).filter {
                    $0.check == "xmin"
                }
                #expect(seen.allSatisfy { $0.advice?.contains("pg_read_all_stats") != true })
            }
        }
    }

    /// Times, reasons and errors, and nothing of what messages say.
    @Test func aMonitorSeesWhyMessagesFail() async throws {
        try await withTestOutbox { test in
            try await test.withRole { role in
                try await test.connection.execute(script: test.schema.grants(monitor: role))
                let connection = try await test.connect(as: role)
                for text in [
                    "SELECT last_error, count(*), min(next_attempt_at), max(attempts) FROM \(test.name).deferred GROUP BY last_error",
                    "SELECT reason, last_error, count(*), max(died_at) FROM \(test.name).dead_letter GROUP BY reason, last_error",
                ] {
                    #expect(try await connection.query(LibPQStatement(text)).isEmpty)
                }
                await connection.close()
            }
        }
    }
}
