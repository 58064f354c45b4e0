import ArgumentParser
import BenchmarkDesigns
import BenchmarkReferences
import Outbox
import OutboxPostgres

/// `outbox-bench insert`: what a row costs the server.
struct BenchInsertCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "insert",
        abstract: "What a row costs the server, beside a plain table, one that notifies, and the log as it was.",
        discussion: """
            Three ways: INSERT in a loop inside the server; INSERT and COMMIT by one producer in C over the wire; a row of a COPY \
            in C. The plain table has five columns and a primary key; the log as it was is that of commit 915a070. No relay runs.

            EXAMPLES:
              outbox-bench insert
              outbox-bench insert --messages 50000 --size 2048 --no-fsync
            """)

    @OptionGroup
    var options: BenchOptions

    @Option(help: ArgumentHelp("How many rows, for each measurement.", valueName: "count"))
    var messages = 20_000

    @Option(help: ArgumentHelp("How long a payload is, in bytes.", valueName: "bytes"))
    var size = 200

    func validate() throws {
        try BenchLimits.check(messages: self.messages)
        try BenchLimits.check(size: self.size)
    }

    /// The log and what it is compared with.
    private struct Table: Sendable {
        let name: String
        let title: String
        var hasSegment = false

        static let log = Table(name: "message", title: "the log", hasSegment: true)
        static let others = [
            Table(name: "plain_message", title: "a plain table"),
            Table(name: "notify_message", title: "NOTIFY for each row"),
            Table(name: "old_message", title: "the log as it was", hasSegment: true),
        ]
    }

    func measure(_ harness: Harness) async throws -> [Comparison] {
        try await harness.server.withOutbox { outbox in
            let tables = [Table.log] + Table.others
            for text in [Design.plainTable, Design.notifyTable, Design.oldTable] { try await outbox.execute(text) }
            for table in tables {
                let loop = Design.insertLoop.split(separator: "{{table}}", omittingEmptySubsequences: false)
                try await outbox.execute(loop.joined(separator: table.name))
            }
            var comparisons: [Comparison] = []
            for (name, plainGoal, oldGoal, measure) in [
                (
                    "INSERT inside the server", Comparison.Goal.ratioAtMost(4.5), Comparison.Goal.ratioAtMost(0.4),
                    self.loop
                ),
                ("INSERT and COMMIT over the wire", .none, .none, self.commits),
                ("a row by COPY", .none, .none, self.copy),
            ] as [(String, Comparison.Goal, Comparison.Goal, (Table, BenchOutbox) async throws -> Double)] {
                let samples = try await harness.rounds(
                    name,
                    tables.map { table in
                        {
                            try await outbox.execute("TRUNCATE {{schema}}.\(table.name)")
                            return try await measure(table, outbox)
                        }
                    })
                for (index, other) in Table.others.enumerated() {
                    let goal = [plainGoal, .none, oldGoal][index]
                    comparisons.append(
                        Comparison(
                            name, reference: other.title, unit: "µs", goal: goal, values: samples[0],
                            referenceValues: samples[index + 1]))
                }
            }
            return comparisons
        }
    }

    private func loop(_ table: Table, _ outbox: BenchOutbox) async throws -> Double {
        let rows = try await outbox.query("SELECT {{schema}}.insert_\(table.name)(\(self.messages), \(self.size))")
        return try rows[0].decode(0, as: Double.self)
    }

    private func commits(_ table: Table, _ outbox: BenchOutbox) async throws -> Double {
        let load = Load(clients: 1, messages: self.messages)
        return 1e6 / (try await load(outbox.insert(size: self.size, table: table.name), on: outbox.server).rate)
    }

    private func copy(_ table: Table, _ outbox: BenchOutbox) async throws -> Double {
        let outcome = try await Reference.run("COPY in C") {
            unsafe reference_copy(
                outbox.server.connectionString, outbox.render("{{schema}}.\(table.name)"), table.hasSegment ? 1 : 0,
                BenchOutbox.destination.name, Int64(self.messages), Int32(self.size))
        }
        return 1e6 / outcome.rate
    }
}
