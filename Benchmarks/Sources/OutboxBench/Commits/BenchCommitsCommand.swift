import ArgumentParser
import BenchmarkDesigns
import Outbox
import OutboxPostgres

/// `outbox-bench commits`: what an outbox costs those who enqueue.
struct BenchCommitsCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "commits",
        abstract:
            "Transactions of one message, beside a plain table, the same table without a trigger, and one that notifies.",
        discussion: """
            A relay delivers meanwhile, to a closure that does nothing. Beside the table without a trigger, it looks every \
            20 ms; beside the one that notifies, it listens; nothing reads the plain table of five columns. The producers are one \
            thread in C.

            EXAMPLES:
              outbox-bench commits
              outbox-bench commits --clients 1,8,32,64,128 --seconds 5
              outbox-bench commits --no-fsync
            """)

    @OptionGroup
    var options: BenchOptions

    @Option(help: ArgumentHelp("How many producers commit at the same time.", valueName: "counts"))
    var clients = NumberList([32, 64])

    @Option(help: ArgumentHelp("How long they commit, for each measurement.", valueName: "seconds"))
    var seconds = 2.0

    @Option(help: ArgumentHelp("How many commits at most, for each measurement; 0: any number.", valueName: "count"))
    var messages = 0

    @Option(help: ArgumentHelp("How long a payload is, in bytes.", valueName: "bytes"))
    var size = 200

    func validate() throws {
        try BenchLimits.check(clients: self.clients.numbers)
        try BenchLimits.check(size: self.size)
        if !(0.01...3600).contains(self.seconds) { throw ValidationError("--seconds is 0.01 to 3600.") }
        if self.messages < 0 { throw ValidationError("--messages is not negative.") }
    }

    func measure(_ harness: Harness) async throws -> [Comparison] {
        try await harness.server.withOutbox { bell in
            try await harness.server.withOutbox { silent in
                try await harness.server.withOutbox { loud in
                    try await silent.execute("DROP TRIGGER doorbell ON {{schema}}.message")
                    try await loud.execute(Design.notifyPerRow)
                    try await silent.execute(Design.plainTable)
                    var comparisons: [Comparison] = []
                    for clients in self.clients.numbers {
                        comparisons += try await self.measure(harness, clients, bell, silent, loud)
                    }
                    return comparisons
                }
            }
        }
    }

    private func measure(
        _ harness: Harness, _ clients: Int, _ bell: BenchOutbox, _ silent: BenchOutbox, _ loud: BenchOutbox
    ) async throws -> [Comparison] {
        let name = "commits, \(clients) producer\(clients == 1 ? "" : "s")"
        let samples = try await harness.rounds(
            name,
            [
                { try await self.commits(clients, bell, .notify()) },
                { try await self.commits(clients, silent, .polling(every: .milliseconds(20))) },
                { try await self.commits(clients, loud, .notify()) },
                { try await self.plainCommits(clients, silent) },
            ])
        func comparison(_ reference: String, _ goal: Comparison.Goal, _ values: [Double]) -> Comparison {
            Comparison(
                name, reference: reference, unit: "commits/s", goal: goal, values: samples[0], referenceValues: values)
        }
        // Between a few producers the lock on the cluster is no crowd: the goal is for many.
        return [
            comparison("no trigger, a relay that polls", .ratioAtLeast(0.95), samples[1]),
            // With few producers each waits for the network and the disk; with many the server's own work is what counts.
            comparison("a plain table, no relay", clients == 32 ? .ratioAtLeast(0.6) : .none, samples[3]),
            comparison("NOTIFY for each row", clients >= 32 ? .ratioAtLeast(5) : .none, samples[2]),
        ]
    }

    /// Commits a second into a table that nothing reads.
    private func plainCommits(_ clients: Int, _ outbox: BenchOutbox) async throws -> Double {
        try await outbox.execute("TRUNCATE {{schema}}.plain_message")
        let load = Load(clients: clients, seconds: self.seconds, messages: self.messages)
        return try await load(outbox.insert(size: self.size, table: "plain_message"), on: outbox.server).rate
    }

    /// Commits a second, while a relay delivers.
    private func commits(_ clients: Int, _ outbox: BenchOutbox, _ wakeup: PostgresStore.Wakeup) async throws -> Double {
        try await outbox.empty()
        let load = Load(clients: clients, seconds: self.seconds, messages: self.messages)
        return try await outbox.withRelay(wakeup: wakeup) { deliveries in
            let outcome = try await load(outbox.insert(size: self.size), on: outbox.server)
            try await deliveries.reach(outcome.messages)
            return outcome.rate
        }
    }
}
