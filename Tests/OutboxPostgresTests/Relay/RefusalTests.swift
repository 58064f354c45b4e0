import Logging
import Outbox
import OutboxSQL
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// Commits that the server refuses, and sessions that it does not let in: what was delivered is not delivered again and again, what
/// is of other streams goes on, and a relay that has worked does not end.
@Suite(.schema, .timeLimit(.minutes(3))) struct RefusalTests {
    /// Refuses, at the end of a transaction, what is done to a table while `refusing` has a row.
    private static func refuse(_ what: String, on table: String, with state: String, _ bench: RelayBench) async throws {
        try await bench.script(
            """
            CREATE TABLE $outbox.refusing (); INSERT INTO $outbox.refusing DEFAULT VALUES;
            CREATE FUNCTION $outbox.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF EXISTS (SELECT FROM $outbox.refusing) THEN
                    RAISE EXCEPTION 'refused by a test' USING ERRCODE = '\(state)';
                END IF;
                RETURN NULL;
            END $$;
            CREATE CONSTRAINT TRIGGER refuse AFTER \(what) ON $outbox.\(table) DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION $outbox.refuse();
            GRANT SELECT ON $outbox.refusing TO PUBLIC
            """)
    }

    /// A deferred constraint, a lock, a full disk, a trigger's own error, a privilege, a full queue of notifications.
    @Test(
        arguments: ["40001", "55P03", "53100", "P0001", "42501", "54000", "23505"],
        ["dead_letter", "deferred", "stream"])
    func outcomesThatAreRefusedAreKeptAndTriedAgain(state: String, table: String) async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        try await Self.refuse(table == "stream" ? "UPDATE" : "INSERT", on: table, with: state, bench)
        let log = LogLines()
        let relay = Relay(
            store: bench.store,
            routes: [
                "d": .handler(retry: .constant(.milliseconds(1), maximumAttempts: 3)) { message in
                    deliveries.add(message)
                    if message.key == "bad" && table == "dead_letter" { throw DeliveryFailure.reject("bad") }
                    if message.key == "bad" && table == "deferred" && message.attempt == 1 {
                        throw DeliveryFailure.retry("bad")
                    }
                },
                "other": .handler { deliveries.add($0) },
            ], settings: RelayBench.quick, logger: log.logger)
        try await bench.run(relay) {
            try await bench.script(
                "SELECT $outbox.enqueue('d', 'x', key => 'bad'); SELECT $outbox.enqueue('d', 'y', key => 'good')")
            try await eventually("it is told") { log.all.contains { $0.contains(state) } }
            if table != "stream" {
                try await bench.sql("SELECT $outbox.enqueue('other', 'z')")
                try await eventually("another stream goes on") {
                    try await bench.count(
                        "SELECT count(*) FROM $outbox.stream WHERE destination = 'other' AND position > 0") == 1
                }
            }
            try await bench.sql("DELETE FROM $outbox.refusing")
            try await eventually("all of it is stored") {
                try await bench.pendingCount() + bench.deferredCount() == 0
            }
        }
        // Each was delivered once, and what failed once more where it was to be tried again.
        let expected = ["x", "y"] + (table == "deferred" ? ["x"] : []) + (table == "stream" ? [] : ["z"])
        #expect(deliveries.texts.sorted() == expected.sorted())
        #expect(try await bench.deadCount() == (table == "dead_letter" ? 1 : 0))
        #expect(!log.all.contains { $0.contains("Session ended") }, "\(log.all)")
    }

    /// An operator has changed a row and not ended the transaction.
    @Test(arguments: [
        "UPDATE $outbox.stream SET paused_at = paused_at WHERE destination = 'b'",
        "SELECT FROM $outbox.stream WHERE destination = 'b' FOR UPDATE",
    ])
    func anOpenTransactionOfAnOperatorStopsItsDestinationOnlyAndIsNamed(statement: String) async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let log = LogLines()
        let relay = Relay(
            store: bench.store, routes: ["b": .handler { deliveries.add($0) }, "c": .handler { deliveries.add($0) }],
            settings: RelayBench.quick, logger: log.logger)
        let operators = try await LibPQConnection.connect(bench.postgres)
        try await bench.run(relay) {
            try await eventually("it sleeps") { try await bench.isAsleep() }
            try await operators.execute(script: bench.render("BEGIN; \(statement)"))
            try await bench.sql("SELECT $outbox.enqueue('b', 'b')")
            try await eventually("it is told, and by whom") {
                log.all.contains { $0.contains("server process \(operators.processID)") }
            }
            for round in 1...3 {
                try await bench.sql("SELECT $outbox.enqueue('c', 'c')")
                try await eventually("the other destination goes on") {
                    try await bench.count(
                        "SELECT count(*) FROM $outbox.stream WHERE destination = 'c' AND position > \(round)") == 1
                }
            }
            try await operators.execute(script: "ROLLBACK")
            try await eventually("all is stored") { try await bench.pendingCount() == 0 }
        }
        #expect(deliveries.texts.sorted() == ["b", "c", "c", "c"])
        await operators.close()
    }

    /// The row is locked before the relay begins, so that the start of its first delivery cannot be noted: after crashes as well,
    /// when each message's start is noted, with few others and with so many that the relay stops to be careful meanwhile.
    @Test(arguments: [(isCareful: false, others: 50), (true, 20), (true, 500)])
    func aLockThatIsThereBeforeTheRelayStopsItsDestinationOnly(isCareful: Bool, others: Int) async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let log = LogLines()
        // So that there are rows to be locked.
        try await bench.run(bench.relay(["b": .handler { _ in }, "c": .handler { _ in }])) {
            try await eventually("it sleeps") { try await bench.isAsleep() }
        }
        if isCareful { try await bench.sql("UPDATE $outbox.stream SET starts = 2 WHERE destination = 'b'") }
        try await bench.sql(
            """
            INSERT INTO $outbox.message (destination, payload, key)
            SELECT 'b', convert_to('b' || i, 'UTF8'), 'k' || i % 3 FROM generate_series(1, 20) AS i
            UNION ALL
            SELECT 'c', convert_to('c' || i, 'UTF8'), 'c' || i % 3 FROM generate_series(1, \(others)) AS i
            """)
        let operators = try await LibPQConnection.connect(bench.postgres)
        try await operators.execute(
            script: bench.render("BEGIN; SELECT FROM $outbox.stream WHERE destination = 'b' FOR UPDATE"))
        var settings = RelayBench.quick
        settings.page.messages = 50
        let relay = Relay(
            store: bench.store, routes: ["b": .handler { deliveries.add($0) }, "c": .handler { deliveries.add($0) }],
            settings: settings, logger: log.logger)
        try await bench.run(relay) {
            try await eventually("it is told, and by whom") {
                log.all.contains { $0.contains("server process \(operators.processID)") }
            }
            try await eventually("the other destination is delivered and stored") {
                try await bench.pendingCount() == 20 && deliveries.count == others
            }
            try await operators.execute(script: "ROLLBACK")
            try await eventually("all is stored") { try await bench.pendingCount() == 0 }
        }
        #expect(deliveries.count == 20 + others && Set(deliveries.texts).count == 20 + others)
        #expect(deliveries.isOrderedByKey)
        #expect(!log.all.contains { $0.contains("Session ended") }, "\(log.all)")
        await operators.close()
    }

    /// Each commit ends the session, as a server does that has to stop at a full disk.
    @Test func aWindowIsNotDeliveredAgainWhileNothingCanBeCommitted() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        try await bench.script(
            """
            CREATE TABLE $outbox.ending (); INSERT INTO $outbox.ending DEFAULT VALUES;
            CREATE FUNCTION $outbox.end() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF EXISTS (SELECT FROM $outbox.ending) THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
                RETURN NULL;
            END $$;
            CREATE TRIGGER ending AFTER UPDATE ON $outbox.stream FOR EACH ROW EXECUTE FUNCTION $outbox.end()
            """)
        let relay = bench.relay(["d": .handler { deliveries.add($0) }])
        let events = relay.events
        try await bench.sql(
            "INSERT INTO $outbox.message (destination, payload) SELECT 'd', '' FROM generate_series(1, 10)")
        try await bench.run(relay) {
            var ends = 0
            for await event in events {
                if case .disconnected = event { ends += 1 }
                if ends == 8 { break }
            }
            #expect(deliveries.count <= 10, "once at most")
            try await bench.sql("DELETE FROM $outbox.ending")
            try await eventually("all is stored") { try await bench.pendingCount() == 0 }
        }
        #expect(deliveries.count <= 20)
    }

    /// What was not wrong when it began is not for ever.
    @Test func aLoginThatIsRefusedEndsARelayOnlyBeforeItHasWorked() async throws {
        let bench = try await RelayBench.make()
        let role = "login of \(bench.schema.name)"
        let deliveries = Deliveries()
        try await bench.script("CREATE ROLE \"\(role)\" NOLOGIN; \(bench.schema.grants(relay: role))")
        var postgres = bench.postgres
        postgres.parameters["user"] = role
        let store = PostgresStore(postgres: postgres, schema: bench.schema)
        func relay() -> Relay { bench.relay(["d": .handler { deliveries.add($0) }], store: store) }
        let error = await #expect(throws: RelayError.self) { try await relay().run() }
        #expect(error?.code == .login && (error?.underlying as? LibPQError)?.sqlState == "28000")
        try await bench.script("ALTER ROLE \"\(role)\" LOGIN")
        let second = relay()
        let events = second.events
        try await bench.run(second) {
            try await eventually("it works") { try await bench.ownerCount() == 1 }
            try await bench.script("ALTER ROLE \"\(role)\" NOLOGIN")
            try await bench.terminateOwner()
            for await event in events {
                if case .disconnected(let reason, _) = event, reason.contains("28000") { break }
            }
            try await bench.script("ALTER ROLE \"\(role)\" LOGIN; SELECT $outbox.enqueue('d', 'x')")
            try await eventually("it works again") { deliveries.count == 1 }
        }
        try await bench.script("DROP OWNED BY \"\(role)\" CASCADE; DROP ROLE \"\(role)\"")
    }

    /// Between its beginning and its first read, a session looks back at what came since the stored cursors. That it ends there is no
    /// other failure than anywhere else.
    @Test func aSessionThatEndsWhileItLooksBackIsReplaced() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        // What is paused is looked at by each session again.
        try await bench.script(
            """
            INSERT INTO $outbox.stream (destination, snapshot, position, horizon, paused_at)
            VALUES ('paused', pg_current_snapshot(), 0, pg_current_xact_id(), now())
            """)
        for _ in 1...10 {
            try await bench.script(
                """
                INSERT INTO $outbox.message (destination, payload)
                SELECT 'paused', convert_to(i::text, 'UTF8') FROM generate_series(1, 10000) AS i
                """)
        }
        let relay = bench.relay(["d": .handler { deliveries.add($0) }, "paused": .handler { _ in }])
        try await bench.run(relay) {
            let owner = """
                (SELECT DISTINCT pid FROM pg_locks WHERE \(RelayBench.ownsStream)) AS owner JOIN pg_stat_activity USING (pid)
                WHERE true
                """
            let beginning = String(bench.schema.statements.lookBack.text.prefix(200))
            var ended = 0
            try await eventually("three sessions have ended while they looked back") {
                ended += try await bench.count(
                    "SELECT count(pg_terminate_backend(pid)) FROM \(owner) AND state = 'active' AND starts_with(query, $1)",
                    [.text(beginning)])
                // One that has got through is asleep, and looks back no more: it is replaced by one that does.
                try await bench.sql(
                    """
                    SELECT pg_terminate_backend(pid) FROM \(owner)
                        AND state = 'idle' AND state_change < clock_timestamp() - interval '200 ms'
                    """)
                return ended >= 3
            }
            try await bench.script("SELECT $outbox.enqueue('d', 'x')")
            try await eventually("another one delivers") { deliveries.count == 1 }
        }
    }

    /// Of every class of the manual's appendix A, one at least.
    @Test func eachClassOfConditionsHasItsRemedy() {
        let retried = [
            "08000", "08001", "08003", "08004", "08006", "08007", "08P01", "25006", "25P03", "25P04", "0A000", "40001",
            "40002", "40003",
            "40P01", "53000", "53100", "53200", "53300", "53400", "54000", "55000", "55006", "55P02", "55P03", "55P04",
            "57000", "57014", "57P01",
            "57P02", "57P03", "57P04", "57P05", "58000", "58030", "58P01", "58P02", "58P03",
        ]
        let retriedOnceItHasWorked = [
            "03000", "09000", "0B000", "0F000", "0L000", "0P000", "0Z000", "20000", "21000", "22000", "22021", "23000",
            "23505", "24000",
            "25000", "25P01", "25P02", "26000", "27000", "28000", "28P01", "2B000", "2BP01", "2D000", "2F000", "34000",
            "38000", "39000",
            "3B000", "3D000", "3F000", "42000", "42501", "42P01", "42P05", "44000", "54001", "F0000", "HV000", "P0000",
            "P0001", "XX000",
            "XX001", "XX002",
        ]
        for state in retried { #expect(SQLState.relayCode(state).remedy == .retry, "\(state)") }
        for state in retriedOnceItHasWorked {
            #expect(SQLState.relayCode(state).remedy == .retryIfItHasWorked, "\(state)")
        }
        // Kept in the session where that can help: never where the session, the server or the log is the wrong one.
        for state in ["25006", "0A000", "26000", "42P05", "42P01", "3F000", "08006", "28P01", "XX000"] {
            #expect(!SQLState.isRefusalOfWork(state), "\(state)")
        }
        for state in [
            "40001", "40P01", "53100", "53200", "54000", "55P03", "57014", "23503", "P0001", "42501", "58030",
        ] {
            #expect(SQLState.isRefusalOfWork(state), "\(state)")
        }
    }
}
