import DequeModule

/// Which messages of a batch may be in flight, and the outcome of each. A transport uses it to keep the order by
/// key while it waits for many confirmations at once.
///
/// ```swift
/// var schedule = BatchSchedule(batch)
/// while !schedule.isDone {
///     while let index = schedule.next() { publish(batch[index], tag: index) }
///     let (index, outcome) = await confirmation()
///     schedule.settle(index, outcome)
/// }
/// return schedule.outcomes
/// ```
///
/// When a message has failed, later messages of its key are not sent any more: they are ``Outcome/behind``.
///
/// A value type without I/O. One at a time, each message costs a look-up in a hash table at the beginning; pipelined, only once
/// something has failed.
public struct BatchSchedule: Sendable {
    /// How many messages of one key may be on their way.
    public struct KeyOrder: Sendable, Hashable {
        fileprivate let isPipelined: Bool

        /// One: the next is sent when it is known that it has arrived. A key is as fast as confirmations return; different
        /// keys do not wait for each other.
        public static let oneAtATime = KeyOrder(isPipelined: false)
        /// Any number, for systems that refuse what follows a message that they refused, and for receivers that can
        /// bear a detour: where a message fails alone, later ones of its key may have arrived before it, and all of them
        /// are sent again after it.
        public static let pipelined = KeyOrder(isPipelined: true)
    }

    /// What is known of a message. Nearly all are delivered in the end, and a byte is enough for that.
    private enum State: UInt8 {
        case open
        case delivered
        case other
    }

    private let hashOfKey: @Sendable (Int) -> UInt64?
    /// For each message the hash of its key; nil: it is not ordered. Pipelined, empty until something has failed.
    private var keys: [UInt64?] = []
    /// By key its messages, in order; empty until something has failed.
    private var places: [UInt64: [Int]] = [:]
    private let isPipelined: Bool
    private var states: [State]
    /// The outcomes of those that have another than “delivered”; empty while there is none.
    private var others: [Outcome?] = []
    /// One at a time, for each message the ones of its key before and after it, -1: none. Empty where no key has two.
    private var neighbours: [(before: Int, after: Int)] = []
    /// By key the first message that failed.
    private var failures: [UInt64: Int] = [:]
    /// What is ready to be sent again.
    private var readyAgain: Set<Int> = []
    /// The first message that was not asked for yet.
    private var cursor = 0
    /// Messages before the cursor that can be sent, in order; and some that are settled by now.
    private var ready: Deque<Int> = []
    private var unsettled: Int
    /// How many messages are on their way.
    package private(set) var inFlight = 0

    /// Begins with nothing sent.
    public init(_ batch: MessageBatch, keyOrder: KeyOrder = .oneAtATime) {
        self.init(count: batch.count, keyOrder: keyOrder) { batch.orderingKey(at: $0) }
    }

    /// Begins with nothing sent.
    package init(_ batch: LentBatch, keyOrder: KeyOrder = .oneAtATime) {
        self.init(count: batch.count, keyOrder: keyOrder) { batch.orderingKey(at: $0) }
    }

    package init(
        count: Int, keyOrder: KeyOrder = .oneAtATime, hashOfKey: @escaping @Sendable (Int) -> UInt64?
    ) {
        self.hashOfKey = hashOfKey
        self.isPipelined = keyOrder.isPipelined
        self.states = Array(repeating: .open, count: count)
        self.unsettled = count
        if !self.isPipelined {
            self.findKeys()
            self.findNeighbours()
        }
    }

    private mutating func findNeighbours() {
        var numbering = KeyNumbering(most: self.keys.count)
        // By the number of a key.
        var lastOfKey: [Int] = []
        lastOfKey.reserveCapacity(self.keys.count)
        for (index, key) in self.keys.enumerated() {
            guard let key else { continue }
            let number = numbering.number(of: key)
            if number == lastOfKey.count {
                lastOfKey.append(index)
                continue
            }
            let before = lastOfKey[number]
            lastOfKey[number] = index
            if self.neighbours.isEmpty { self.neighbours = Array(repeating: (-1, -1), count: self.keys.count) }
            self.neighbours[index].before = before
            self.neighbours[before].after = index
        }
    }

    private mutating func findKeys() {
        if self.keys.isEmpty { self.keys = self.states.indices.map(self.hashOfKey) }
    }

    /// Whether every message is settled.
    public var isDone: Bool { self.unsettled == 0 }

    /// What became of the messages. Complete when it is done; until then, what is unsettled counts as ``Outcome/behind``.
    public var outcomes: [Outcome] {
        if self.isDone, self.others.isEmpty { return Array(repeating: .delivered, count: self.states.count) }
        return self.states.indices.map { index in
            switch self.states[index] {
            case .open: .behind
            case .delivered: .delivered
            case .other: self.others[index] ?? .behind
            }
        }
    }

    /// The next message to be sent, which is on its way from now on.
    ///
    /// - Returns: Its place in the batch; nil: none, before something is settled.
    public mutating func next() -> Int? {
        while let index = self.ready.popFirst() {
            if self.states[index] != .open { continue }
            if !self.readyAgain.isEmpty { self.readyAgain.remove(index) }
            self.inFlight += 1
            return index
        }
        while self.cursor < self.states.count {
            let index = self.cursor
            self.cursor += 1
            if self.begin(index) { return index }
        }
        return nil
    }

    /// All messages that can be sent now, which are on their way from now on.
    package mutating func takeReady() -> [Int] {
        var ready: [Int] = []
        ready.reserveCapacity(self.states.count - self.cursor + self.ready.count)
        while let index = self.next() { ready.append(index) }
        return ready
    }

    /// - Returns: Whether the message may be sent now.
    private mutating func begin(_ index: Int) -> Bool {
        if self.failure(before: index) {
            self.close(index, .behind)
            return false
        }
        // The one before it is on its way, or ready: this one is ready when that is settled.
        if !self.neighbours.isEmpty {
            let before = self.neighbours[index].before
            if before >= 0, self.states[before] == .open { return false }
        }
        self.inFlight += 1
        return true
    }

    /// Whether one of the message's key, before it, has failed.
    private func failure(before index: Int) -> Bool {
        if self.failures.isEmpty { return false }
        guard let key = self.keys[index], let failure = self.failures[key] else { return false }
        return failure < index
    }

    /// A message that was on its way has an outcome.
    public mutating func settle(_ index: Int, _ outcome: Outcome) {
        guard self.states[index] == .open else { return }
        self.inFlight -= 1
        switch outcome.kind {
        case .delivered where self.failure(before: index):
            // It has overtaken one that failed, and comes again after it.
            self.close(index, .behind)
        case .delivered, .rejected:
            self.close(index, outcome)
        case .retry, .unavailable, .postponed, .behind:
            self.close(index, outcome)
            self.findKeys()
            if let key = self.keys[index] { self.fail(key, at: index) }
        }
        if !self.neighbours.isEmpty { self.release(self.neighbours[index].after) }
    }

    /// Messages that were on their way have an outcome each.
    ///
    /// - Returns: The first that says that the destination is down.
    package mutating func settle(_ indexes: [Int], _ outcomes: [Outcome]) -> Outcome? {
        var unavailable: Outcome?
        for (index, outcome) in zip(indexes, outcomes) {
            self.settle(index, outcome)
            if unavailable == nil, outcome.isUnavailable { unavailable = outcome }
        }
        return unavailable
    }

    /// Messages that were on their way are delivered.
    package mutating func settleDelivered(_ indexes: [Int]) {
        if !self.failures.isEmpty || !self.neighbours.isEmpty {
            for index in indexes { self.settle(index, .delivered) }
            return
        }
        for index in indexes where self.states[index] == .open {
            self.states[index] = .delivered
            self.unsettled -= 1
            self.inFlight -= 1
        }
    }

    /// A message is the next one of its key, if it was asked for already.
    private mutating func release(_ index: Int) {
        if index >= 0, index < self.cursor, self.states[index] == .open { self.ready.append(index) }
    }

    /// Nothing more of the key is sent.
    private mutating func fail(_ key: UInt64, at index: Int) {
        let end = self.failures[key] ?? self.states.count
        // What is after the first failure was dealt with then: each message of a key is looked at once.
        if end < index { return }
        self.failures[key] = index
        if self.places.isEmpty {
            for (place, key) in self.keys.enumerated() {
                if let key { self.places[key, default: []].append(place) }
            }
        }
        let own = self.places[key] ?? []
        for place in Self.firstPlace(in: own, after: index)..<own.count {
            let later = own[place]
            if later >= end { break }
            if self.states[later] == .delivered {
                // What has overtaken it comes again after it.
                self.note(later, .behind)
            } else if self.readyAgain.remove(later) != nil {
                self.close(later, .behind)
            } else if !self.isPipelined, later < self.cursor, self.states[later] == .open {
                // It waits for the one that has failed.
                self.close(later, .behind)
            }
        }
    }

    /// Where those after an index begin.
    private static func firstPlace(in own: [Int], after index: Int) -> Int {
        var (low, high) = (0, own.count)
        while low < high {
            let middle = (low + high) / 2
            if own[middle] > index { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// A message that was on its way is to be sent again, because its outcome will never be reported.
    package mutating func sendAgain(_ index: Int) {
        guard self.states[index] == .open else { return }
        self.inFlight -= 1
        if self.failure(before: index) { return self.close(index, .behind) }
        self.readyAgain.insert(index)
        let place = self.ready.last.map { $0 < index } ?? true ? nil : self.ready.firstIndex { $0 > index }
        self.ready.insert(index, at: place ?? self.ready.endIndex)
    }

    /// Nothing more is sent: all that is unsettled has that outcome, on its way or not.
    public mutating func settleRest(_ outcome: Outcome) {
        for index in self.states.indices where self.states[index] == .open { self.close(index, outcome) }
        self.cursor = self.states.count
        self.inFlight = 0
        self.ready.removeAll()
    }

    private mutating func close(_ index: Int, _ outcome: Outcome) {
        self.note(index, outcome)
        self.unsettled -= 1
    }

    private mutating func note(_ index: Int, _ outcome: Outcome) {
        if outcome.kind == .delivered {
            self.states[index] = .delivered
            return
        }
        if self.others.isEmpty { self.others = Array(repeating: nil, count: self.states.count) }
        self.others[index] = outcome
        self.states[index] = .other
    }
}
