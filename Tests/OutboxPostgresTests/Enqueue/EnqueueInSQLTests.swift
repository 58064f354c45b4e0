import Foundation
import Outbox
import Testing

@testable import OutboxPostgres

/// What applications in other languages do: the function, a plain INSERT, and what the constraints refuse.
@Suite struct EnqueueInSQLTests {
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
            let stored = try await test.messages()
            #expect(
                stored.map(\.payload) == [
                    [0, 255], Array("té\\xt".utf8), Array("{\"a\": 1}".utf8), Array("text".utf8),
                ])
            #expect(stored[3].key == "k" && stored[3].route == "r" && stored[3].headers == "{\"a\": \"b\"}")
            #expect(stored[3].deliverAt?.timeIntervalSince1970 == 1_893_456_000)
            #expect(try MessageOptions(json: stored[3].options ?? "").maximumAttempts == 3)
        }
    }

    /// Every call that was possible before there were idempotency keys is, and with them by name and by position; none is
    /// ambiguous, whatever the payload's type.
    @Test(arguments: ["'text'", "'text'::text", "'\\x00ff'::bytea", "'{}'::jsonb"])
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
                        + "'\(test.schema.identifierText)'::regnamespace", as: Int.self) == 3)
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
        ("'', 'x'", "destination_length"),
        ("repeat('d', 256), 'x'", "destination_length"),
        ("'d', 'x', key => ''", "key_length"),
        ("'d', 'x', key => repeat('é', 513)", "key_length"),
        ("'d', 'x', route => ''", "route_length"),
        ("'d', 'x', headers => '[]'", "headers_object_of_strings"),
        ("'d', 'x', headers => '\"a\"'", "headers_object_of_strings"),
        ("'d', 'x', headers => 'null'", "headers_object_of_strings"),
        ("'d', 'x', headers => '{\"a\":1}'", "headers_object_of_strings"),
        ("'d', 'x', headers => '{\"a\":\"b\",\"c\":null}'", "headers_object_of_strings"),
        ("'d', 'x', headers => '{\"a\":[\"b\"]}'", "headers_object_of_strings"),
        ("'d', 'x', options => '3'", "options_object"),
        ("'d', decode(repeat('00', 67108865), 'hex')", "payload_length"),
    ])
    func constraintsRefuseByName(arguments: String, constraint: String) async throws {
        try await withTestOutbox { test in
            let error = await #expect(throws: PostgresError.self) {
                try await test.value("SELECT \(test.name).enqueue(\(arguments))", as: Int64.self)
            }
            #expect(error?.sqlState == "23514")
            #expect(error?.constraint == constraint)
            #expect(error.map { "\($0)".contains(constraint) } == true)
        }
    }

    @Test func aMessageHasADestinationAndAPayload() async throws {
        try await withTestOutbox { test in
            for (arguments, column) in [("NULL, 'x'", "destination"), ("'d', NULL::text", "payload")] {
                let error = await #expect(throws: PostgresError.self) {
                    try await test.value("SELECT \(test.name).enqueue(\(arguments))", as: Int64.self)
                }
                #expect(error?.column == column)
            }
        }
    }

    /// What validation lets through the constraints let through, and the other way round.
    @Test func constraintsAndValidationAgree() async throws {
        try await withTestOutbox { test in
            for length in [1, 254, 255, 256, 1023, 1024, 1025] {
                let text = String(repeating: "x", count: length)
                for message in [
                    NewMessage(to: Destination(text), text: ""), NewMessage(to: "there", route: text, text: ""),
                    NewMessage(to: "there", key: text, text: ""),
                ] {
                    let isValid = (try? message.validate()) != nil
                    let statement = SQLStatement(
                        "INSERT INTO \(test.name).message (destination, route, key, payload) VALUES ($1, $2, $3, '')",
                        [.text(message.destination.name), message.route.sqlValue, message.key.sqlValue])
                    let taken = (try? await test.connection.query(statement)) != nil
                    #expect(taken == isValid, "\(length)")
                }
            }
        }
    }
}
