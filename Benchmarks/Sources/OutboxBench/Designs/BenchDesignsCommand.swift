import ArgumentParser
import BenchmarkDesigns

/// `outbox-bench designs`: the outbox beside usual designs of one.
struct BenchDesignsCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "designs",
        abstract: "Beside a status column with SKIP LOCKED and NOTIFY, and beside a lease with UPDATE and DELETE.",
        discussion: """
            Their workers are loops in C with pages of 1,000; ours is a relay with a closure that does nothing. Rows left for \
            vacuum are those that delivery has updated or deleted.

            EXAMPLES:
              outbox-bench designs
              outbox-bench designs --messages 1000000 --clients 64
            """)

    @OptionGroup
    var options: BenchOptions

    @Option(help: ArgumentHelp("How many messages wait, for each measurement.", valueName: "count"))
    var messages = 200_000

    @Option(help: ArgumentHelp("How many producers commit at the same time.", valueName: "count"))
    var clients = 32

    @Option(help: ArgumentHelp("How many transactions of one message, for each measurement.", valueName: "count"))
    var commits = 10_000

    @Option(help: ArgumentHelp("How long a payload is, in bytes.", valueName: "bytes"))
    var size = 200

    func validate() throws {
        try BenchLimits.check(messages: self.messages)
        try BenchLimits.check(messages: self.commits)
        try BenchLimits.check(clients: [self.clients])
        try BenchLimits.check(size: self.size)
    }

    func measure(_ harness: Harness) async throws -> [Comparison] {
        try await harness.server.withOutbox { own in
            try await harness.server.withOutbox { status in
                try await harness.server.withOutbox { lease in
                    let others = [
                        try await DesignUnderTest(.status, status), try await DesignUnderTest(.lease, lease),
                    ]
                    let drains = try await harness.rounds(
                        "designs, drain",
                        [{ try await self.drain(own) }] + others.map { other in { try await self.drain(other) } })
                    let commits = try await harness.rounds(
                        "designs, commits",
                        [{ try await self.commits(own) }] + others.map { other in { try await self.commits(other) } })
                    return others.indices.flatMap { index in
                        self.comparisons(others[index].design.name, drains, commits, index + 1)
                    }
                }
            }
        }
    }

    private func comparisons(
        _ reference: String, _ drains: [[Drained]], _ commits: [[Double]], _ index: Int
    ) -> [Comparison] {
        func comparison(_ name: String, _ unit: String, _ values: [Double], _ others: [Double]) -> Comparison {
            Comparison(name, reference: reference, unit: unit, goal: .none, values: values, referenceValues: others)
        }
        return [
            comparison(
                "drain, \(self.messages.grouped) waiting", "messages/s", drains[0].map(\.rate),
                drains[index].map(\.rate)),
            comparison("commits, \(self.clients) producers", "commits/s", commits[0], commits[index]),
            comparison(
                "rows left for vacuum by \(self.messages.grouped)", "rows", drains[0].map(\.rowsLeft),
                drains[index].map(\.rowsLeft)),
        ]
    }

    // MARK: - The outbox

    private func drain(_ outbox: BenchOutbox) async throws -> Drained {
        try await outbox.empty()
        try await outbox.fill(self.messages, size: self.size)
        let before = try await outbox.written()
        let rate = try await outbox.drain(self.messages)
        return Drained(rate: rate, rowsLeft: Double((try await outbox.written() - before).changedRows))
    }

    private func commits(_ outbox: BenchOutbox) async throws -> Double {
        try await outbox.empty()
        return try await outbox.withRelay { deliveries in
            let load = Load(clients: self.clients, messages: self.commits)
            let outcome = try await load(outbox.insert(size: self.size), on: outbox.server)
            try await deliveries.reach(outcome.messages)
            return outcome.rate
        }
    }

    // MARK: - The others

    private func drain(_ other: DesignUnderTest) async throws -> Drained {
        try await other.empty()
        try await other.outbox.fill(self.messages, size: self.size, table: other.design.tableName)
        let before = try await other.outbox.written()
        let worker = try await other.withWorker { goal in goal.set(self.messages) }
        return Drained(
            rate: worker.rate, rowsLeft: Double((try await other.outbox.written() - before).changedRows))
    }

    private func commits(_ other: DesignUnderTest) async throws -> Double {
        try await other.empty()
        let load = Load(clients: self.clients, messages: self.commits)
        var rate = Double.nan
        _ = try await other.withWorker { goal in
            let outcome = try await load(
                other.outbox.insert(size: self.size, table: other.design.tableName), on: other.outbox.server)
            rate = outcome.rate
            goal.set(outcome.messages)
        }
        return rate
    }
}

/// What came of a backlog.
private struct Drained: Sendable {
    let rate: Double
    let rowsLeft: Double
}
