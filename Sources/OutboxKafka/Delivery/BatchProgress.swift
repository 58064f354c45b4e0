import Outbox

/// What a batch has sent, and what became of it. As long as everything is delivered, which is nearly always, it only counts;
/// the schedule, which looks up every key, is made when something else happens, or when records of a key wait for each other.
struct BatchProgress {
    private let batch: MessageBatch
    /// Nil: everything that was reported is delivered.
    private var schedule: BatchSchedule?
    /// The first record that was not sent, while there is no schedule.
    private var cursor = 0
    private var isDelivered: [Bool] = []
    private var deliveredCount = 0

    /// - Parameter isPipelined: Whether records of a key are under way together.
    init(_ batch: MessageBatch, isPipelined: Bool) {
        self.batch = batch
        if isPipelined {
            self.isDelivered = Array(repeating: false, count: batch.count)
        } else {
            self.schedule = BatchSchedule(batch, keyOrder: .oneAtATime)
        }
    }

    var isDone: Bool { self.schedule?.isDone ?? (self.deliveredCount == self.batch.count) }

    var inFlight: Int { self.schedule?.inFlight ?? (self.cursor - self.deliveredCount) }

    var outcomes: [Outcome] {
        self.schedule?.outcomes ?? Array(repeating: .delivered, count: self.batch.count)
    }

    /// The next record to be sent.
    mutating func next() -> Int? {
        if self.schedule != nil { return self.schedule?.next() }
        guard self.cursor < self.batch.count else { return nil }
        defer { self.cursor += 1 }
        return self.cursor
    }

    /// A record was confirmed.
    mutating func deliver(_ index: Int) {
        if self.schedule != nil { return self.schedule!.settle(index, .delivered) }
        self.isDelivered[index] = true
        self.deliveredCount += 1
    }

    /// A record has another outcome.
    mutating func settle(_ index: Int, _ outcome: Outcome) {
        self.makeSchedule()
        self.schedule?.settle(index, outcome)
    }

    /// A record that was to be sent was not taken, because there is no room.
    mutating func takeBack(_ index: Int) {
        if self.schedule == nil { self.cursor = index } else { self.schedule?.sendAgain(index) }
    }

    /// A record that was sent is to be sent again.
    mutating func sendAgain(_ index: Int) {
        self.makeSchedule()
        self.schedule?.sendAgain(index)
    }

    /// All that is not settled has that outcome.
    mutating func settleRest(_ outcome: Outcome) {
        self.makeSchedule()
        self.schedule?.settleRest(outcome)
    }

    private mutating func makeSchedule() {
        if self.schedule != nil { return }
        var schedule = BatchSchedule(self.batch, keyOrder: .pipelined)
        // Nothing waits and nothing has failed, so they come as they came.
        for _ in 0..<self.cursor { _ = schedule.next() }
        for index in 0..<self.cursor where self.isDelivered[index] { schedule.settle(index, .delivered) }
        self.schedule = schedule
    }
}
