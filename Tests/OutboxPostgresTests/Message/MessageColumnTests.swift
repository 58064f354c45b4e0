import Outbox
import OutboxSQL
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// The description of a message's columns: that it is what the schema has, and that a column goes where its description says.
@Suite(.schema, .timeLimit(.minutes(10))) struct MessageColumnTests {
    /// The description with one more column, as a later version of the schema may have it.
    private static let extended = MessageColumns(MessageColumns.standard.all + [tenant])

    private static let tenant = MessageColumn(
        "tenant", .text, position: PostgresPage.Column.firstRead + MessageColumns.standard.read.count
    ) { $0.headers["tenant"].sqlValue }

    /// What a migration that adds the column does.
    private static func addTenant(to bench: RelayBench) async throws {
        for table in ["message", "deferred", "dead_letter"] {
            try await bench.script("ALTER TABLE $outbox.\(table) ADD COLUMN tenant text")
        }
        let parameters = "text, bytea, text, text, jsonb, timestamptz, jsonb, text, interval"
        let name = "\(bench.schema.name).enqueue(\(parameters))"
        var definition: String = try await bench.sql("SELECT pg_get_functiondef($1::regprocedure)", [.text(name)])[0]
            .decode(0)
        for (text, other) in [
            ("idempotency_window interval DEFAULT '1 day'::interval", "tenant text DEFAULT NULL"),
            ("deliver_at, options)\n", "deliver_at, options, tenant)\n"),
            ("enqueue.options)", "enqueue.options, enqueue.tenant)"),
        ] {
            let replaced = definition.split(separator: text, omittingEmptySubsequences: false)
            #expect(replaced.count == 2, "\(text) is there once")
            definition = replaced.joined(separator: other.hasPrefix("tenant") ? "\(text), \(other)" : other)
        }
        try await bench.admin.execute(script: definition)
    }

    @Test func aColumnThatIsDescribedGoesFromTheProducerToTheHandlerAndStays() async throws {
        let bench = try await RelayBench.make()
        try await Self.addTenant(to: bench)
        let outbox = PostgresOutbox(
            schema: bench.schema, maximumPayload: 1 << 20, idempotencyWindow: .seconds(60), columns: Self.extended)
        func message(_ text: String, idempotencyKey: String? = nil) -> NewMessage {
            NewMessage(
                to: "d", route: "r", key: text, idempotencyKey: idempotencyKey, headers: ["tenant": "\(text)'s"],
                text: text)
        }
        try await bench.admin.withTransaction { transaction in
            try await outbox.enqueue(message("one"), in: transaction)
            try await outbox.enqueue(message("idempotent", idempotencyKey: "1"), in: transaction)
            try await outbox.enqueue([message("many"), message("retry")], in: transaction)
            try await outbox.enqueue(
                [
                    message("many idempotent", idempotencyKey: "2"), message("reject"),
                    NewMessage(to: "d", text: "none"),
                ],
                in: transaction)
            try await outbox.copy([message("copied")], in: transaction)
        }
        let texts = ["one", "idempotent", "many", "many idempotent", "none", "copied"]

        let store = PostgresStore(
            postgres: bench.postgres, schema: bench.schema, wakeup: .notify(fallback: nil),
            statements: bench.schema.statements(Self.extended), policy: nil)
        let tenants = Mutex<[String: String]>([:])
        let isRefused = Atomic(true)
        let relay = bench.relay(
            [
                "d": .handler { message in
                    let page = try #require(message.page as? PostgresPage)
                    let text = String(decoding: message.payload, as: UTF8.self)
                    let tenant = page.text(column: try #require(Self.tenant.position), at: message.row, isJSON: false)
                    // What comes after it is where it was.
                    #expect(message.route == (text == "none" ? nil : "r"))
                    if isRefused.load(ordering: .relaxed), text == "reject" { throw DeliveryFailure.reject("no") }
                    if message.attempt == 1, text == "retry" { throw DeliveryFailure.retry("later") }
                    #expect(message.attempt == (text == "retry" ? 2 : 1))
                    tenants.withLock { $0[text] = tenant ?? "no tenant" }
                }
            ], store: store)
        let inspector = OutboxInspector(schema: bench.schema, columns: Self.extended)
        let expected = Dictionary(uniqueKeysWithValues: texts.map { ($0, $0 == "none" ? "no tenant" : "\($0)'s") })
        try await bench.run(relay) {
            try await eventually("it is dead") { try await bench.deadCount() == 1 }
            try await eventually("the second attempt is made") { tenants.withLock { $0["retry"] } != nil }
            let find = bench.schema.inspectionStatements(Self.extended).findDeadLetter
            let letters = try await inspector.deadLetters(on: bench.admin)
            let row = try await bench.admin.query(LibPQStatement(find, [.text("main"), .int8(letters[0].id), .null]))[0]
            #expect(try row.decode("tenant", as: String.self) == "reject's")
            isRefused.store(false, ordering: .relaxed)
            try await inspector.replay(matching: DeadLetterFilter(), on: bench.admin)
            try await eventually("the dead one is delivered") { tenants.withLock { $0["reject"] } != nil }
        }
        #expect(
            tenants.withLock { $0 } == expected.merging(["retry": "retry's", "reject": "reject's"]) { one, _ in one })
        #expect(try await bench.pendingCount() == 0)
    }

    /// One that was tried before it became dead is moved from one table to the other.
    @Test func aColumnStaysWithAMessageThatBecomesDeadAfterItWasDeferred() async throws {
        let bench = try await RelayBench.make()
        try await Self.addTenant(to: bench)
        let outbox = PostgresOutbox(
            schema: bench.schema, maximumPayload: 1 << 20, idempotencyWindow: .seconds(60), columns: Self.extended)
        try await bench.admin.withTransaction { transaction in
            try await outbox.enqueue(NewMessage(to: "d", headers: ["tenant": "t"], text: "x"), in: transaction)
        }
        let store = PostgresStore(
            postgres: bench.postgres, schema: bench.schema, wakeup: .notify(fallback: nil),
            statements: bench.schema.statements(Self.extended), policy: nil)
        let relay = bench.relay(
            [
                "d": .handler { message in
                    if message.attempt == 1 { throw DeliveryFailure.retry("later") }
                    throw DeliveryFailure.reject("never")
                }
            ], store: store)
        try await bench.run(relay) {
            try await eventually("it is dead") { try await bench.deadCount() == 1 }
        }
        let row = try await bench.sql("SELECT tenant, attempts FROM $outbox.dead_letter")[0]
        #expect(try row.decode(0, as: String.self) == "t")
        #expect(try row.decode(1, as: Int.self) == 2)
    }

    @Test(arguments: [false, true]) func everyStatementThatReadsHasThePagesColumns(areExtended: Bool) async throws {
        let bench = try await RelayBench.make()
        if areExtended { try await Self.addTenant(to: bench) }
        let columns = areExtended ? Self.extended : .standard
        let all = bench.schema.statements(columns)
        for (statement, parameters, further) in [
            (all.readFresh, 6, []), (all.readFreshBounded, 6, []), (all.readLate, 8, []), (all.readCatchup, 10, []),
            (all.readNew, 6, ["destination"]), (all.readNewRunning, 6, ["destination"]),
            (all.readDue, 7, ["attempts", "ordered", "held"]),
        ] {
            let result = try await bench.admin.query(
                LibPQStatement(statement.text, Array(repeating: .null, count: parameters)))
            let names = ["id", "slot", "scheduled", "payload"] + columns.read.map(\.name) + further
            #expect(result.columnNames == names, "\(statement.name ?? "read_due")")
            #expect(result.type(column: PostgresPage.Column.id) == PostgresType.int8)
            #expect(result.type(column: PostgresPage.Column.slot) == PostgresType.int2)
            #expect(result.type(column: PostgresPage.Column.scheduled) == PostgresType.bool)
            #expect(result.type(column: PostgresPage.Column.payload) == PostgresType.bytea)
            for column in columns.read {
                #expect(result.type(column: try #require(column.position)) == column.type.oid, "\(column.name)")
            }
        }
    }

    @Test func theSchemaHasWhatIsDescribed() async throws {
        let bench = try await RelayBench.make()
        struct Found: Hashable {
            var name: String
            var type: Int64
            var array: Int64
        }
        func columns(of table: String, where condition: String = "true") async throws -> Set<Found> {
            Set(
                try await bench.sql(
                    """
                    SELECT attname::text, atttypid, typarray FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
                    WHERE attrelid = '$outbox.\(table)'::regclass AND attnum > 0 AND NOT attisdropped AND \(condition)
                    """
                ).map { row in Found(name: try row.decode(0), type: try row.decode(1), array: try row.decode(2)) })
        }
        func described(_ columns: [MessageColumn]) -> Set<Found> {
            Set(columns.map { Found(name: $0.name, type: Int64($0.type.oid), array: Int64($0.type.array)) })
        }
        let standard = MessageColumns.standard
        let own = "attname NOT IN ('xid', 'id', 'segment')"
        #expect(try await columns(of: "message", where: own) == described(standard.all))
        // Of what has a default, a producer sets nothing.
        #expect(try await columns(of: "message", where: "\(own) AND NOT atthasdef") == described(standard.sent))
        for function in ["message_is_valid", "examine_message"] {
            let arguments: String = try await bench.sql(
                "SELECT pg_get_function_arguments(oid) FROM pg_proc WHERE proname = $1 AND pronamespace = $2::regnamespace",
                [.text(function), .text(bench.schema.identifier)])[0].decode(0)
            #expect(arguments == standard.checked.map { "\($0.name) \($0.type.name)" }.joined(separator: ", "))
        }
        for table in ["deferred", "dead_letter"] {
            #expect(try await columns(of: table).isSuperset(of: described(standard.kept)), "\(table)")
        }
    }

    @Test func listsOfColumns() {
        let columns = MessageColumns([
            MessageColumn("a", .text, position: 4) { _ in .null },
            MessageColumn("b", .jsonb, isKept: false) { _ in .null },
            MessageColumn("c", .bytea, position: 5, isChecked: true),
        ])
        #expect(columns.list("sent") == "a, b")
        #expect(columns.list("kept") == "a, c")
        #expect(columns.list("kept except a") == "c")
        #expect(columns.list("checked") == "c")
        #expect(columns.list("read of page") == "page.a, page.c")
        #expect(columns.list("read.nulls") == "NULL::pg_catalog.text AS a, NULL::pg_catalog.bytea AS c")
        #expect(columns.list("sent.parameters") == "$1, $2")
        #expect(
            columns.list("sent.arrays from $3")
                == "pg_catalog.unnest($3::pg_catalog.text[]), pg_catalog.unnest($4::pg_catalog.jsonb[])")
        #expect(columns.list("sent.arguments from $2") == "a => $2::pg_catalog.text, b => $3::pg_catalog.jsonb")
        #expect(columns.list("sent.arguments of row") == "a => row.a, b => row.b")
    }
}
