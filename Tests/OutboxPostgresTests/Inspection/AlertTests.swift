import Foundation
import Outbox
import Testing

@testable import OutboxPostgres

/// The SQL of docs/at-3-am.md, by which people are called: a monitor may run it, and it is quiet while all is well.
@Suite(.timeLimit(.minutes(5))) struct AlertTests {
    /// The statements of the table.
    private func statements() throws -> [String] {
        let book = URL(filePath: #filePath).appending(path: "../../../../docs/at-3-am.md").standardizedFileURL
        return try String(contentsOf: book, encoding: .utf8).split(separator: "\n").filter { $0.hasPrefix("| `SELECT") }
            .map { line in String(line.dropFirst(3).prefix { $0 != "`" }) }
    }

    /// The numbers of those by which a person is called.
    private func calls(_ test: TestOutbox, _ connection: LibPQConnection) async throws -> [Int] {
        var calls: [Int] = []
        for (number, statement) in try self.statements().enumerated() {
            let text = statement.replacing("outbox.message'", with: "\(test.schema.identifierText).message'")
                .replacing("outbox.", with: test.name + ".")
            let rows = try await connection.query(LibPQStatement(text))
            // Of sizes it is a truth, of all else whether there is a row.
            if let row = rows.first, try text.contains("sum(") ? row.decode(0) : true { calls.append(number) }
        }
        return calls
    }

    @Test func theyAreQuietUntilSomethingIsWrong() async throws {
        try await withTestOutbox { test in
            try await test.withRole { role in
                try await test.connection.execute(
                    script: """
                        \(test.schema.grants(monitor: role))
                        INSERT INTO \(test.name).stream (destination, snapshot, position, horizon)
                        VALUES ('d', pg_current_snapshot(), 0, pg_current_xact_id());
                        SELECT \(test.name).enqueue('d', 'text');
                        """)
                let monitor = try await test.connect(as: role)
                #expect(try self.statements().count == 5)
                #expect(try await self.calls(test, monitor) == [])
                try await test.connection.execute(
                    script: """
                        INSERT INTO \(test.name).message (destination, payload, created_at) VALUES ('d', '', now() - interval '1 hour');
                        UPDATE \(test.name).stream SET position = 1, snapshot = pg_current_snapshot(), horizon = pg_current_xact_id(),
                            down_since = now() - interval '1 hour', down_reason = 'refused';
                        INSERT INTO \(test.name).dead_letter (id, created_at, destination, payload, attempts, reason)
                        VALUES (1, now(), 'd', '', 1, 'rejected');
                        INSERT INTO \(test.name).deferred (id, created_at, destination, payload)
                        SELECT i, now(), 'd', '' FROM generate_series(10, 1010) AS i;
                        """)
                #expect(try await self.calls(test, monitor) == [0, 1, 2, 3])
                await monitor.close()
            }
        }
    }
}
