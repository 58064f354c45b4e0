import Foundation
import Outbox
import Testing

@testable import OutboxPostgres

/// What applications in other languages do: the function, a plain INSERT, and what the constraints refuse.
@Suite(.timeLimit(.minutes(10))) struct EnqueueInSQLTests {
    @Test func theFunctionTakesBytesTextAndJSON() async throws {
        try await withTestOutbox { test in
            #expect(try await test.value("SELECT \(test.name).enqueue('there', '\\x00ff'::bytea)", as: Int64.self) == 1)
            #expect(try await test.value("SELECT \(test.name).enqueue('there', 'té\\xt')", as: Int64.self) == 2)
            #expect(
                try await test.value("SELECT \(test.name).enqueue('there', '{\"a\":1}'::jsonb)", as: Int64.self) == 3)
            let id = try await test.value(
                """
                SELECT \(test.name).enqueue(
                    destination => 'there', payload => 'text', key => 'k', route => 'r', headers => '{"a":"b"}',
                    deliver_at => '2030-01-01Z', options => '{"max_attempts":3}')
                """, as: Int64.self)
            #expect(id == 4)
            // As it is, where jsonb is as Postgres writes it.
            #expect(
                try await test.value("SELECT \(test.name).enqueue('there', '{\"b\":1,\"a\":2}'::json)", as: Int64.self)
                    == 5)
            let stored = try await test.messages()
            #expect(
                stored.map(\.payload) == [
                    [0, 255], Array("té\\xt".utf8), Array("{\"a\": 1}".utf8), Array("text".utf8),
                    Array("{\"b\":1,\"a\":2}".utf8),
                ])
            #expect(stored[3].key == "k" && stored[3].route == "r" && stored[3].headers == "{\"a\": \"b\"}")
            #expect(stored[3].deliverAt?.timeIntervalSince1970 == 1_893_456_000)
            #expect(try MessageOptions(json: stored[3].options ?? "").maximumAttempts == 3)
        }
    }

    /// Every call that was possible before there were idempotency keys is, and with them by name and by position; none is
    /// ambiguous, whatever the payload's type.
    @Test(arguments: ["'text'", "'text'::text", "'\\x00ff'::bytea", "'{}'::jsonb", "'{}'::json"])
    func theFunctionTakesAnIdempotencyKey(payload: String) async throws {
        try await withTestOutbox { test in
            let calls: [(String, Int64)] = [
                ("'there', $", 1), ("'there', $, 'k'", 2), ("'there', $, NULL, NULL", 3),
                ("'there', $, 'k', 'r', '{}', '2030-01-01Z', '{}'", 4),
                ("'there', $, 'k', 'r', '{}', NULL, '{}', 'a'", 5),
                ("'there', $, 'k', 'r', '{}', NULL, '{}', 'a', '1 hour'", 5),
                ("'there', $, idempotency_key => 'a'", 5), ("payload => $, destination => 'there', key => 'k'", 6),
                ("destination => 'there', payload => $, idempotency_key => 'b', idempotency_window => '7 days'", 7),
                ("'there', $, 'k', idempotency_key => 'b', deliver_at => now()", 7),
                ("'there', $, idempotency_key => NULL", 8), ("'there', $, idempotency_key => 'c'", 9),
            ]
            for (arguments, expected) in calls {
                let call = "SELECT \(test.name).enqueue(\(arguments.replacing("$", with: payload)))"
                let id = try await test.value(call, as: Int64.self)
                #expect(id == expected, "\(call)")
            }
            #expect(try await test.messages().map(\.id) == Array(1...9))
            #expect(
                try await test.value(
                    "SELECT count(*) FROM pg_proc WHERE proname = 'enqueue' AND pronamespace = "
                        + "'\(test.schema.identifierText)'::regnamespace", as: Int.self) == 6)
        }
    }

    /// One statement that calls the function many times.
    @Test func aSelectEnqueuesEachKeyOnce() async throws {
        try await withTestOutbox { test in
            let ids = try await test.value(
                """
                SELECT array_agg(\(test.name).enqueue('there', 'text', idempotency_key => 'order-' || number % 3))
                FROM generate_series(0, 8) AS number
                """, as: [Int64].self)
            #expect(ids == [1, 2, 3, 1, 2, 3, 1, 2, 3])
            #expect(try await test.messages().count == 3)
        }
    }

    /// What a hostile or careless search_path holds is not called in place of Postgres's own.
    @Test func theFunctionDoesNotDependOnTheSearchPath() async throws {
        try await withTestOutbox { test in
            try await test.connection.execute(script: "SET search_path = ''")
            #expect(try await test.value("SELECT \(test.name).enqueue('there', 'text')", as: Int64.self) == 1)
        }
    }

    @Test func aPlainInsertIsEnough() async throws {
        try await withTestOutbox { test in
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).message (destination, payload) VALUES ('there', 'one'), ('there', 'two')
                    """)
            #expect(try await test.messages().map(\.id) == [1, 2])
        }
    }

    @Test(arguments: [
        ("'', 'x'", "destination", "has 0 bytes; 1 to 255"),
        ("repeat('d', 256), 'x'", "destination", "has 256 bytes; 1 to 255"),
        ("'d', 'x', key => ''", "key", "has 0 bytes; 1 to 1024"),
        ("'d', 'x', key => repeat('é', 513)", "key", "has 1026 bytes; 1 to 1024"),
        ("'d', 'x', route => ''", "route", "has 0 bytes; 1 to 1024"),
        ("'d', 'x', route => repeat('r', 1025)", "route", "has 1025 bytes; 1 to 1024"),
        ("'d', 'x', headers => '[]'", "headers", "an object of strings"),
        ("'d', 'x', headers => '\"a\"'", "headers", "an object of strings"),
        ("'d', 'x', headers => 'null'", "headers", "an object of strings"),
        ("'d', 'x', headers => '{\"a\":1}'", "headers", "an object of strings"),
        ("'d', 'x', headers => '{\"a\":\"b\",\"c\":null}'", "headers", "an object of strings"),
        ("'d', 'x', headers => '{\"a\":[\"b\"]}'", "headers", "an object of strings"),
        (
            "'d', 'x', headers => jsonb_build_object('a', repeat('b', 65528))", "headers",
            "has 65537 bytes as text; at most 65536"
        ),
        ("'d', 'x', options => '3'", "options", "max_attempts and max_delay"),
        ("'d', 'x', options => '[]'", "options", "max_attempts and max_delay"),
        ("'d', 'x', options => '{\"max_atempts\":3}'", "options", "max_attempts and max_delay"),
        ("'d', 'x', options => '{\"max_attempts\":0}'", "options", "a whole number from 1"),
        ("'d', 'x', options => '{\"max_attempts\":1.5}'", "options", "a whole number from 1"),
        ("'d', 'x', options => '{\"max_attempts\":2147483648}'", "options", "a whole number from 1"),
        ("'d', 'x', options => '{\"max_attempts\":\"3\"}'", "options", "a whole number from 1"),
        ("'d', 'x', options => '{\"max_attempts\":null,\"max_delay\":1}'", "options", "a whole number from 1"),
        ("'d', 'x', options => '{\"max_attempts\":3,\"max_delay\":-1}'", "options", "a number of seconds from 0"),
        ("'d', 'x', options => '{\"max_delay\":true}'", "options", "a number of seconds from 0"),
        (
            "'d', 'x', options => ('{\"max_delay\":0.' || repeat('1', 2000) || '}')::jsonb", "options",
            "more than 1024 bytes"
        ),
        ("'d', decode(repeat('00', 67108865), 'hex')", "payload", "has 67108865 bytes; at most 67108864"),
    ])
    func whatIsNotValidIsRefusedByField(arguments: String, field: String, reason: String) async throws {
        try await withTestOutbox(prefix: "it's \"refused\"") { test in
            let error = await #expect(throws: LibPQError.self) {
                try await test.value("SELECT \(test.name).enqueue(\(arguments))", as: Int64.self)
            }
            #expect(error?.sqlState == "23514")
            #expect(error?.constraint == "message_is_valid" && error?.table == "message" && error?.column == field)
            #expect(error?.schema == test.schema.name)
            #expect(error.map { "\($0)".contains("invalid message: \(field) ") && "\($0)".contains(reason) } == true)
        }
    }

    /// What is at the edge of what is allowed.
    @Test(arguments: [
        "'d', 'x', headers => '{}'", "'d', 'x', headers => jsonb_build_object('a', repeat('b', 65527))",
        "'d', 'x', options => '{}'", "'d', 'x', options => '{\"max_attempts\":3.0,\"max_delay\":0.5}'",
        "'d', 'x', options => '{\"max_attempts\":2147483647,\"max_delay\":1000000000}'",
        "'d', 'x', deliver_at => '294276-12-31 23:59:59Z'", "'d', 'x', deliver_at => '4713-01-01 BC'",
        "'d', 'x', deliver_at => 'infinity'",
        "'d', decode(repeat('00', 67108864), 'hex')",
    ])
    func whatIsValidIsTaken(arguments: String) async throws {
        try await withTestOutbox { test in
            #expect(try await test.value("SELECT \(test.name).enqueue(\(arguments))", as: Int64.self) == 1)
            if let options = try await test.messages()[0].options { _ = try MessageOptions(json: options) }
        }
    }

    /// The server's own errors show the whole row. What the outbox refuses shows nothing of it, in no field of the report.
    @Test(arguments: [
        "'secret', NULL::text, 'secret', headers => '{\"secret\":\"secret\"}'", "NULL, 'secret', 'secret'",
        "'', 'secret', 'secret', headers => '{\"secret\":\"secret\"}'", "'d', 'secret', headers => '[\"secret\"]'",
        "'d', 'secret', options => '{\"secret\":\"secret\"}'",
        "'d', 'secret', idempotency_key => repeat('secret', 200)",
        "'', 'secret', idempotency_key => 'secret'",
        "'d', 'secret', idempotency_key => 'k', idempotency_window => NULL",
        "'d', 'secret', 42", "'d', ARRAY['secret']",
    ])
    func nothingOfARefusedMessageIsInTheError(arguments: String) async throws {
        try await withTestOutbox { test in
            try await self.expectNothingShown("PERFORM \(test.name).enqueue(\(arguments))")
        }
    }

    /// The same of rows that are inserted as they are.
    @Test(arguments: [
        ("destination, payload, key", "NULL, 'secret', 'secret'", "23502"),
        ("destination, payload, key, headers", "'d', NULL, 'secret', '{\"a\":\"secret\"}'", "23502"),
        ("destination, key, options", "'d', 'secret', '{\"max_attempts\":1}'", "23502"),
        ("payload, key", "'secret', 'secret'", "23502"),
        ("destination, payload, key", "'', 'secret', 'secret'", "23514"),
        ("destination, payload, headers", "'d', 'secret', '[\"secret\"]'", "23514"),
        ("destination, payload, options", "'d', 'secret', '{\"secret\":\"secret\"}'", "23514"),
    ])
    func nothingOfARefusedRowIsInTheError(columns: String, values: String, state: String) async throws {
        try await withTestOutbox { test in
            let insert = "INSERT INTO \(test.name).message (\(columns)) VALUES (\(values))"
            try await self.expectNothingShown(insert)
            let error = await #expect(throws: LibPQError.self) { try await test.connection.execute(script: insert) }
            #expect(error?.sqlState == state && error?.constraint == "message_is_valid" && error?.column != nil)
            #expect(try await test.value("SELECT count(*) FROM \(test.name).message", as: Int64.self) == 0)
        }
    }

    private func expectNothingShown(_ statement: String) async throws {
        let failure = await #expect(throws: Program.Failure.self) {
            try await TestServer.shared.psql(
                """
                DO $$
                DECLARE detail text; context text; message text; hint text;
                BEGIN
                    \(statement);
                EXCEPTION WHEN OTHERS THEN
                    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, context = PG_EXCEPTION_CONTEXT,
                        message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
                    -- The call itself is in the context, as it is in this statement.
                    RAISE EXCEPTION 'reported: % % % %', message, hint, detail,
                        (SELECT string_agg(line, ' ') FROM string_to_table(context, E'\\n') AS line
                         WHERE line NOT LIKE 'SQL statement%');
                END $$
                """)
        }
        let report = failure?.output.split(separator: "\n").first { $0.contains("reported: ") } ?? ""
        #expect(!report.isEmpty && !report.contains("secret"), "\(failure?.output ?? "")")
    }

    /// Keys are numbers as often as texts. The server's own error would be that there is no such function.
    @Test(arguments: [
        ("'d', 'x', 42", "enqueue takes no key of type integer", "Cast the key to text"),
        ("'d', 'x'::text, key => '{}'::jsonb", "enqueue takes no key of type jsonb", "Cast the key to text"),
        ("'d', '{}'::jsonb, 42::bigint", "enqueue takes no key of type bigint", "Cast the key to text"),
        ("'d', '{}'::json, 42::bigint", "enqueue takes no key of type bigint", "Cast the key to text"),
        ("'d', '\\x'::bytea, 42::bigint, 'r'", "enqueue takes no key of type bigint", "Cast the key to text"),
        ("'d', 42", "enqueue takes no payload of type integer", "Cast the payload to bytea, text, json or jsonb"),
        (
            "'d', row(1, 2), 'k'", "enqueue takes no payload of type record",
            "Cast the payload to bytea, text, json or jsonb"
        ),
        (
            "'d', 4.2, key => 42", "enqueue takes no payload of type numeric and no key of type integer",
            "Cast the key to text"
        ),
    ])
    func aHintSaysWhatToCast(arguments: String, message: String, hint: String) async throws {
        try await withTestOutbox { test in
            let error = await #expect(throws: LibPQError.self) {
                try await test.value("SELECT \(test.name).enqueue(\(arguments))", as: Int64.self)
            }
            #expect(error?.sqlState == "42804")
            let report = error.map { String(reflecting: $0) } ?? ""
            #expect(report.contains(message) && report.contains(hint), "\(report)")
        }
    }

    /// The types that a driver is told for what it does not name the type of: those that every driver knows.
    @Test func aDriverIsToldOrdinaryTypes() async throws {
        try await withTestOutbox { test in
            let log = test.name + ".message"
            try await test.connection.execute(
                script: """
                    PREPARE row AS INSERT INTO \(log) (destination, payload, key, route, headers, options, deliver_at)
                        VALUES ($1, $2, $3, $4, $5, $6, $7);
                    PREPARE text AS SELECT \(test.name).enqueue($1, $2, $3);
                    PREPARE bytes AS SELECT \(test.name).enqueue($1, $2::bytea, key => $3, headers => $4, deliver_at => $5);
                    PREPARE document AS SELECT \(test.name).enqueue($1, $2::jsonb, options => $3, idempotency_key => $4);
                    """)
            let types = try await test.connection.query(
                "SELECT name, parameter_types::text[] FROM pg_prepared_statements WHERE from_sql ORDER BY name"
            ).map { row in
                "\(try row.decode(0, as: String.self)) \(try row.decode(1, as: [String].self).joined(separator: " "))"
            }
            #expect(
                types == [
                    "bytes text bytea text jsonb timestamp with time zone", "document text jsonb jsonb text",
                    "row text bytea text text jsonb jsonb timestamp with time zone", "text text text text",
                ])
        }
    }

    @Test func aMessageHasADestinationAndAPayload() async throws {
        try await withTestOutbox { test in
            for (arguments, column) in [
                ("NULL, 'x'", "destination"), ("'d', NULL::text", "payload"), ("'d', NULL::jsonb", "payload"),
            ] {
                let error = await #expect(throws: LibPQError.self) {
                    try await test.value("SELECT \(test.name).enqueue(\(arguments))", as: Int64.self)
                }
                #expect(error?.sqlState == "23502" && error?.column == column)
            }
        }
    }

    /// The client counts what JSON puts around and between the texts as the server writes it.
    @Test(arguments: [("x", 1), ("é", 2), ("\"", 2), ("\\", 2), ("\n", 2), ("\u{1}", 6), ("\u{7f}", 1), ("/", 1)])
    func limitsOfHeadersAgree(fill: String, length: Int) async throws {
        try await withTestOutbox { test in
            for excess in -1...1 {
                let padding = NewMessage.largestHeaders - "{\"a\": \"\"}".utf8.count - 100 * length + excess
                let value = String(repeating: fill, count: 100) + String(repeating: "y", count: padding)
                let message = NewMessage(to: "there", headers: ["a": value], text: "")
                #expect(try self.isValid(message, field: "headers") == (excess <= 0))
                let statement = LibPQStatement(
                    "INSERT INTO \(test.name).message (destination, headers, payload) VALUES ('there', $1, '')",
                    [message.headersJSON.map { .json($0) } ?? .null])
                let taken = try await self.isTaken(statement, column: "headers", by: test.connection)
                #expect(taken == (excess <= 0))
            }
        }
    }

    /// What validation lets through the constraints let through, and the other way round.
    @Test func constraintsAndValidationAgree() async throws {
        try await withTestOutbox { test in
            for length in [1, 254, 255, 256, 1023, 1024, 1025] {
                let text = String(repeating: "x", count: length)
                for (column, message) in [
                    ("destination", NewMessage(to: Destination(text), text: "")),
                    ("route", NewMessage(to: "there", route: text, text: "")),
                    ("key", NewMessage(to: "there", key: text, text: "")),
                ] {
                    let statement = LibPQStatement(
                        "INSERT INTO \(test.name).message (destination, route, key, payload) VALUES ($1, $2, $3, '')",
                        [.text(message.destination.name), message.route.sqlValue, message.key.sqlValue])
                    let taken = try await self.isTaken(statement, column: column, by: test.connection)
                    #expect(try self.isValid(message, field: column) == taken, "\(column), \(length)")
                }
            }
        }
    }

    /// An error about another field fails the test.
    private func isValid(_ message: NewMessage, field: String) throws(InvalidMessage) -> Bool {
        do {
            try message.validate()
            return true
        } catch where error.field == field {
            return false
        }
    }

    /// Any other error than that of the constraint, for this column, fails the test.
    private func isTaken(
        _ statement: LibPQStatement, column: String, by connection: LibPQConnection
    ) async throws(LibPQError) -> Bool {
        do {
            try await connection.query(statement)
            return true
        } catch where error.constraint == "message_is_valid" && error.column == column {
            return false
        }
    }
}
