import Logging
import Outbox
import TestSupport
import Testing

@testable import OutboxPostgres

/// A session that has been careful, and becomes so again because of a stream that comes later.
@Suite(.schema, .timeLimit(.minutes(5))) struct SecondCareTests {
    /// Makes a stream of which two processes have delivered nothing before they ended, and a message of it.
    private func addSuspicious(_ destination: String, _ bench: RelayBench) async throws {
        try await bench.script(
            """
            BEGIN;
            INSERT INTO $outbox.stream (destination, snapshot, position, horizon, starts)
            SELECT '\(destination)', pg_current_snapshot(), (SELECT coalesce(max(id), 0) FROM $outbox.message), pg_current_xact_id(), 2;
            SELECT $outbox.enqueue('\(destination)', '\(destination)');
            COMMIT
            """)
    }

    private func suspects(_ bench: RelayBench) async throws -> Int {
        try await bench.count("SELECT count(*) FROM $outbox.stream WHERE suspect IS NOT NULL")
    }

    @Test func itsCallsAreNotedToo() async throws {
        let bench = try await RelayBench.make()
        let log = LogLines(from: .notice)
        let deliveries = Deliveries()
        let gate = Gate()
        var routes = RelayRoutes()
        routes.others = .handler(parking: .never) { message in
            if message.destination == "second" { await gate.enter() }
            deliveries.add(message)
        }
        func timesOver() -> Int { log.lines.count { $0.text == "Many messages at a time are delivered again" } }
        try await self.addSuspicious("first", bench)
        try await bench.run(Relay(store: bench.store, routes: routes, settings: RelayBench.quick, logger: log.logger)) {
            try await eventually("it was careful") { timesOver() == 1 }
            #expect(deliveries.texts == ["first"])
            try await self.addSuspicious("second", bench)
            await gate.waitUntilEntered()
            // If the process ends now, it is known by what.
            #expect(try await self.suspects(bench) == 1)
            await gate.open()
            try await eventually("it is careful no more") { timesOver() == 2 }
            try await eventually("and has noted that") { try await self.suspects(bench) == 0 }
            #expect(deliveries.texts == ["first", "second"])
        }
    }
}
