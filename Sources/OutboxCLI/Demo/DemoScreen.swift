import Outbox

/// Shows the demonstration as it goes: a block that is drawn again and again on a terminal, else plain lines.
struct DemoScreen: Sendable {
    let ledger: DemoLedger
    let terminal: Terminal

    init(ledger: DemoLedger, terminal: Terminal = .output) {
        self.ledger = ledger
        self.terminal = terminal
    }

    /// Says what happens next.
    func headline(_ text: String) {
        self.terminal.print(self.terminal.styled("▸ ", .cyan) + self.terminal.styled(text, .bold))
    }

    /// Adds to what was said last.
    func detail(_ text: String) {
        self.terminal.print("  " + text)
    }

    /// Shows the state until the task is cancelled, and then a last time.
    func run() async {
        var drawn = 0
        var notes = self.ledger.snapshot.notes
        let pause: Duration = self.terminal.isInteractive ? .milliseconds(100) : .seconds(1)
        if !self.terminal.isInteractive { try? await Task.sleep(for: pause) }
        while true {
            let isLast = Task.isCancelled
            let snapshot = self.ledger.snapshot
            if self.terminal.isInteractive {
                let lines = self.block(snapshot)
                // One write, so that nothing flickers.
                let up = drawn > 0 ? "\u{1B}[\(drawn)A" : ""
                self.terminal.write("\u{1B}[?25l" + up + lines.map { "\u{1B}[2K" + $0 + "\n" }.joined() + "\u{1B}[?25h")
                drawn = lines.count
            } else {
                // Retries are many: two of them will do.
                let new = snapshot.notes(since: notes)
                for note in new.filter({ !$0.isImportant }).suffix(2) + new.filter(\.isImportant) {
                    self.detail(note.text)
                }
                notes = snapshot.notes
                self.detail(self.summary(snapshot))
            }
            if isLast { return }
            try? await Task.sleep(for: pause)
        }
    }

    private func summary(_ snapshot: DemoLedger.Snapshot) -> String {
        let total = snapshot.total
        return "\(snapshot.transactions.grouped) commits, \(snapshot.rollbacks.grouped) rollbacks; "
            + "\(total.enqueued.grouped) enqueued, \(total.delivered.grouped) delivered, "
            + "\(total.retried.grouped) retried, \(total.dead.grouped) dead"
    }

    private func block(_ snapshot: DemoLedger.Snapshot) -> [String] {
        let width = min(self.terminal.width, 100)
        var lines = [self.clipped("  " + self.summary(snapshot), width), ""]
        for destination in DemoHandlers.destinations {
            let counts = snapshot.counts[destination] ?? DemoLedger.Counts()
            lines.append(self.bar(destination.name, counts, width: width))
        }
        lines.append("")
        let recent = snapshot.recent.suffix(5)
        for note in recent {
            let style: Terminal.Style = note.isImportant ? .red : .faint
            lines.append(self.terminal.styled(self.clipped("  " + note.text, width), style))
        }
        lines += [String](repeating: "", count: 5 - recent.count)
        return lines
    }

    private func bar(_ name: String, _ counts: DemoLedger.Counts, width: Int) -> String {
        let cells = max(width - 44, 10)
        let share = counts.enqueued == 0 ? 0 : Double(counts.delivered) / Double(counts.enqueued)
        let filled = min(Int((share * Double(cells)).rounded(.down)), cells)
        let title = name + String(repeating: " ", count: max(11 - name.count, 0))
        let bar =
            self.terminal.styled(String(repeating: "█", count: filled), .green)
            + self.terminal.styled(String(repeating: "░", count: cells - filled), .faint)
        return "  \(title) \(bar) \(counts.delivered.grouped)/\(counts.enqueued.grouped)"
            + (counts.retried > 0 ? "  ↻ \(counts.retried.grouped)" : "")
            + (counts.dead > 0 ? "  ✗ \(counts.dead)" : "")
    }

    private func clipped(_ text: String, _ width: Int) -> String {
        text.count <= width ? text : text.prefix(width - 1) + "…"
    }
}
