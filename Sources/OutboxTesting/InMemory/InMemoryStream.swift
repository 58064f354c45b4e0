import DequeModule
import Outbox

/// The messages of one destination, or those with some of the slots, as one subscription has them: what is to be read, what was read, what
/// is deferred and what is dead.
struct InMemoryStream {
    struct DeadRow {
        let message: StoredMessage
        let attempts: Int
        let reason: Death.Reason
        let error: String?
        let diedAt: Timestamp
    }

    let id: StreamID
    let destination: Destination
    /// Messages with one of these are the stream's.
    private(set) var slots = 0...1023
    var deferred = DeferredQueue()
    var dead: [Int64: DeadRow] = [:]
    /// What was noted of the relay's last start.
    private(set) var start = StreamStart()

    /// How many of the destination's messages, in the order of their commits, the stream has taken notice of.
    private var noticed = 0
    /// Noticed and not read, by id: a late message comes before those that it is late for.
    private var waiting: Deque<StoredMessage> = []
    /// Read and not settled, in the order of reading.
    private var inFlight: Deque<InMemoryPage> = []

    init(id: StreamID, destination: Destination) {
        self.id = id
        self.destination = destination
    }

    /// A stream as another one, but for its id and what was noted of the relay's last start.
    init(_ other: InMemoryStream, id: StreamID) {
        self.init(id: id, destination: other.destination)
        self.slots = other.slots
        self.deferred = other.deferred
        self.dead = other.dead
        self.noticed = other.noticed
        self.waiting = other.waiting
    }

    /// The stream with the lower and with the upper half of its slots, nothing of which is in flight.
    func split() -> (lower: InMemoryStream, upper: InMemoryStream) {
        let middle = (self.slots.lowerBound + self.slots.upperBound) / 2
        return (
            self.limited(to: self.slots.lowerBound...middle),
            self.limited(to: min(middle + 1, self.slots.upperBound)...self.slots.upperBound)
        )
    }

    private func limited(to slots: ClosedRange<Int>) -> InMemoryStream {
        var stream = self
        stream.rewind()
        stream.slots = slots
        stream.waiting.removeAll { !slots.contains($0.slot) }
        stream.deferred.limit(to: slots)
        stream.dead = stream.dead.filter { slots.contains($0.value.message.slot) }
        return stream
    }

    /// Read or not, but not settled. By id.
    func unsettled(of committed: [StoredMessage]) -> [StoredMessage] {
        let unnoticed = committed[self.noticed...].filter { self.slots.contains($0.slot) }
        let all = self.inFlight.flatMap { page in page.rows.map(\.message) } + self.waiting + unnoticed
        return all.sorted { $0.id < $1.id }
    }

    // MARK: - Reading

    mutating func read(messages: Int, bytes: Int, of committed: [StoredMessage], now: Timestamp) -> InMemoryPage? {
        self.notice(committed)
        var rows: [InMemoryPage.Row] = []
        var pageBytes = 0
        while rows.count < messages, pageBytes < bytes, let next = self.waiting.first {
            pageBytes += next.size
            self.waiting.removeFirst()
            rows.append(
                InMemoryPage.Row(message: next, isScheduled: next.deliverAt.map { $0 > now } ?? false))
        }
        if rows.isEmpty { return nil }
        let page = InMemoryPage(stream: self.id, destination: self.destination, origin: .log, rows: rows)
        self.inFlight.append(page)
        return page
    }

    /// Takes what is committed for read.
    mutating func skip(_ committed: [StoredMessage]) { self.noticed = committed.count }

    private mutating func notice(_ committed: [StoredMessage]) {
        for message in committed[self.noticed...] where self.slots.contains(message.slot) {
            var index = self.waiting.endIndex
            while index > 0, self.waiting[index - 1].id > message.id { index -= 1 }
            self.waiting.insert(message, at: index)
        }
        self.noticed = committed.count
    }

    // MARK: - Settling

    func isInFlight(_ page: any MessagePage) -> Bool {
        self.inFlight.contains { $0 === page }
    }

    /// Whether something of it was read and is not settled.
    var hasInFlight: Bool { !self.inFlight.isEmpty }

    /// Moves the cursor behind a page.
    mutating func pass(_ page: any MessagePage) {
        guard let index = self.inFlight.firstIndex(where: { $0 === page }) else { return }
        self.inFlight.removeFirst(index + 1)
    }

    /// What was read and not settled is to be read again: its session has ended.
    mutating func rewind() {
        let unread = self.inFlight.flatMap { page in page.rows.map(\.message) } + self.waiting
        self.waiting = Deque(unread.sorted { $0.id < $1.id })
        self.inFlight = []
        self.deferred.landAll()
    }

    /// Applies a settlement that has been checked.
    mutating func apply(_ settlement: Settlement, log: [Int64: StoredMessage], now: Timestamp) {
        for deferral in settlement.deferred {
            guard let message = log[deferral.id] else { continue }
            self.deferred.insert(
                DeferredQueue.Row(
                    message: message, attempts: deferral.attempts, due: Self.due(deferral.due, of: message, now: now),
                    isOrdered: deferral.ordered, error: deferral.error))
        }
        for death in settlement.dead {
            if let message = log[death.id] { self.bury(message, death, now: now) }
        }
        for id in settlement.deferredDelivered { self.deferred.remove(id) }
        for deferral in settlement.deferredAgain {
            self.deferred.update(deferral.id) { row in
                row.attempts = deferral.attempts
                row.due = Self.due(deferral.due, of: row.message, now: now)
                row.isOrdered = deferral.ordered
                // A message that waits behind others has not failed again: the error that it failed with before stays.
                row.error = deferral.error ?? row.error
            }
        }
        for death in settlement.deferredDead {
            if let row = self.deferred.remove(death.id) { self.bury(row.message, death, row.error, now: now) }
        }
        self.deferred.land(
            Set(settlement.deferredDelivered + settlement.deferredAgain.map(\.id) + settlement.deferredDead.map(\.id)))
        self.deferred.promote(Set(settlement.keys), now: now)
        if let page = settlement.through { self.pass(page) }
        self.start = settlement.start ?? self.start
    }

    private mutating func bury(_ message: StoredMessage, _ death: Death, _ error: String? = nil, now: Timestamp) {
        guard self.dead[message.id] == nil else { return }
        self.dead[message.id] = DeadRow(
            message: message, attempts: death.attempts, reason: death.reason, error: death.error ?? error,
            diedAt: now)
    }

    private static func due(_ due: Deferral.Due, of message: StoredMessage, now: Timestamp) -> Timestamp? {
        switch due {
        case .after(let delay): now + max(.zero, delay)
        case .scheduled: message.deliverAt ?? now
        case .behindKey: nil
        }
    }
}
