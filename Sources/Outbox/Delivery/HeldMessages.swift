/// The messages of one lane that wait for their destination to be up: each was tried, or is behind one of its key that
/// was. In the order in which they are to be delivered.
struct HeldMessages {
    private var runs: [LaneRun.Rows] = []
    private var keys: Set<UInt64> = []
    /// Whether the lane has work in its queue to try them again.
    var isQueued = false

    var isEmpty: Bool { self.runs.isEmpty }

    /// Whether a message of that key is among them, so that later ones have to wait too.
    func contains(key: UInt64) -> Bool { self.keys.contains(key) }

    mutating func add(_ row: Int32, of ticket: PageTicket, key: UInt64?) {
        if let key { self.keys.insert(key) }
        if self.runs.last?.ticket === ticket {
            self.runs[self.runs.count - 1].rows.append(row)
        } else {
            self.runs.append(LaneRun.Rows(ticket: ticket, rows: [row], isRetry: true))
        }
    }

    /// Takes all of them, to be tried again.
    mutating func take() -> [LaneRun.Rows] {
        defer { self = HeldMessages() }
        return self.runs
    }
}
