import Outbox
import OutboxRuntime

/// What came of the demonstration, and whether it is what an outbox promises.
struct DemoReport {
    let snapshot: DemoLedger.Snapshot
    /// The ids in the application's own table: what really committed.
    let committed: Set<Int64>
    /// Whether the event bus is a broker.
    let hasBroker: Bool
    /// How many dead letters were replayed.
    let replayed: Int
    /// How many dead letters there are in the end.
    let deadLetters: Int

    /// What was promised, and whether it was kept.
    var checks: [(text: String, isKept: Bool)] {
        let lost = self.committed.subtracting(self.snapshot.delivered).count
        let invented = self.snapshot.delivered.subtracting(self.committed).count
        let undone = self.snapshot.delivered.intersection(self.snapshot.rolledBack).count
        let missing = self.snapshot.counts[.eventBus, default: .init()].enqueued - self.snapshot.arrived.count
        let broker = [
            (
                "everything for the event bus is in RabbitMQ: \(self.snapshot.arrived.count.grouped) messages, "
                    + "\(missing) missing, \(self.snapshot.arrivedAgain) repeated", missing == 0
            )
        ]
        return [
            (
                "everything committed was delivered: \(self.committed.count.grouped) messages, \(lost) missing",
                lost == 0
            ),
            ("nothing else was delivered: \(invented) unknown", invented == 0),
            ("nothing rolled back was delivered: \(undone) of \(self.snapshot.rolledBack.count.grouped)", undone == 0),
            (
                "messages of one key arrived in order: \(self.snapshot.outOfOrder) did not",
                self.snapshot.outOfOrder == 0
            ),
            ("no dead letter is left: \(self.deadLetters)", self.deadLetters == 0),
        ] + (self.hasBroker ? broker : [])
    }

    /// The counts of each destination, and how long its messages took from the commit to the handler's first call.
    func table() -> Table {
        var table = Table(
            ("DESTINATION", .left), ("ENQUEUED", .right), ("ROLLED BACK", .right), ("DELIVERED", .right),
            ("RETRIED", .right), ("DEAD", .right), ("P50", .right), ("P99", .right), ("MAX", .right))
        func add(_ name: String, _ counts: DemoLedger.Counts, _ latencies: [Duration]) {
            let sorted = latencies.sorted()
            func percentile(_ share: Double) -> String {
                sorted.isEmpty ? "-" : sorted[min(Int(Double(sorted.count) * share), sorted.count - 1)].short
            }
            table.add(
                name, counts.enqueued.grouped, counts.rolledBack.grouped, counts.delivered.grouped,
                counts.retried.grouped, counts.dead.grouped, percentile(0.5), percentile(0.99), percentile(1))
        }
        for destination in DemoHandlers.destinations {
            add(
                destination.name, self.snapshot.counts[destination] ?? DemoLedger.Counts(),
                self.snapshot.latencies[destination] ?? [])
        }
        add("all", self.snapshot.total, self.snapshot.latencies.values.flatMap(\.self))
        return table
    }

    /// Prints everything.
    func print(on terminal: Terminal = .output) {
        terminal.print("")
        self.table().print(on: terminal)
        terminal.print("")
        terminal.print(
            "P50, P99, MAX: from COMMIT to the handler's first call; mails wait behind those of their key that are retried"
        )
        if self.hasBroker {
            terminal.print("and of the event bus until it was read from RabbitMQ, which is read every 10 ms")
        }
        terminal.print("")
        for check in self.checks {
            let sign = check.isKept ? terminal.styled("✓", .green) : terminal.styled("✗", .red)
            terminal.print("\(sign) \(check.text)")
        }
    }
}
