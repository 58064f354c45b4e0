import OutboxPostgres
import Testing

@Suite(.timeLimit(.minutes(10))) struct SQLIdentifierTests {
    @Test(arguments: [
        ("plain", "\"plain\""),
        ("a\"b", "\"a\"\"b\""),
        // A quote and a combining accent are one Character, and yet two scalars to the server.
        ("a\"\u{301}b", "\"a\"\"\u{301}b\""),
        ("\u{301}", "\"\u{301}\""),
    ])
    func doublesQuotes(name: String, quoted: String) {
        #expect(Array(SQLIdentifier(name).quoted.utf8) == Array(quoted.utf8))
    }

    @Test func escapesLiteralsByScalars() {
        #expect(Array(SQLIdentifier.escapedInLiteral("it'\u{301}s").utf8) == Array("it''\u{301}s".utf8))
    }

    @Test(arguments: [
        "", "pg_outbox", "pg_\u{301}", "a\0b", "a$outbox$b", "a$outbox$\u{301}", "{{schema}}", "{\u{301}{{schema",
        String(repeating: "ü", count: 32),
    ])
    func refusesNamesThatNoSchemaCanHave(name: String) {
        #expect(throws: OutboxError.self) { try OutboxSchema(name: name) }
    }
}
