import DequeModule

/// Which messages of a batch may be on their way, and what became of each: what a transport has to know to keep the order by
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
/// When a message has failed, those after it of its key are not sent any more: they are ``Outcome/behind``.
///
/// A value type without I/O. Each message costs a look-up in a hash table when it is sent and one when it is settled.
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

    /// What is known of a key of which a message was asked for and is not settled.
    private struct KeyState {
        /// On their way, or ready to be.
        var sendable = 0
        var waiting: Deque<Int> = []
        /// The first that failed.
        var failure: Int?
    }

    private let keys: [UInt64?]
    private let isPipelined: Bool
    private var settled: [Outcome?]
    private var keyStates: [UInt64: KeyState] = [:]
    /// The first message that nobody has asked for.
    private var cursor = 0
    /// Messages before the cursor that can be sent, in order.
    private var ready: Deque<Int> = []
    private var unsettled: Int
    /// How many messages are on their way.
    public private(set) var inFlight = 0

    /// Begins with nothing sent.
    public init(_ batch: MessageBatch, keyOrder: KeyOrder = .oneAtATime) {
        self.init(keys: batch.indices.map { batch.orderingKey(at: $0) }, keyOrder: keyOrder)
    }

    /// - Parameter keys: For each message the hash of its key; nil: it is not ordered.
    package init(keys: [UInt64?], keyOrder: KeyOrder = .oneAtATime) {
        self.keys = keys
        self.isPipelined = keyOrder.isPipelined
        self.settled = Array(repeating: nil, count: keys.count)
        self.unsettled = keys.count
    }

    /// Whether every message is settled.
    public var isDone: Bool { self.unsettled == 0 }

    /// What became of the messages. Complete when it is done; until then, what is unsettled counts as ``Outcome/behind``.
    public var outcomes: [Outcome] { self.settled.map { $0 ?? .behind } }

    /// The next message to be sent, which is on its way from now on.
    ///
    /// - Returns: Its place in the batch; nil: none, before something is settled.
    public mutating func next() -> Int? {
        if let index = self.ready.popFirst() {
            self.inFlight += 1
            return index
        }
        while self.cursor < self.keys.count {
            let index = self.cursor
            self.cursor += 1
            if self.begin(index) { return index }
        }
        return nil
    }

    /// - Returns: Whether the message may be sent now.
    private mutating func begin(_ index: Int) -> Bool {
        if let key = self.keys[index] {
            var state = self.keyStates[key, default: KeyState()]
            if state.failure != nil {
                self.close(index, .behind)
                return false
            }
            let isFree = self.isPipelined || state.sendable == 0
            if isFree { state.sendable += 1 } else { state.waiting.append(index) }
            self.keyStates[key] = state
            if !isFree { return false }
        }
        self.inFlight += 1
        return true
    }

    /// A message that was on its way has an outcome.
    public mutating func settle(_ index: Int, _ outcome: Outcome) {
        guard self.settled[index] == nil else { return }
        self.inFlight -= 1
        guard let key = self.keys[index], var state = self.keyStates[key] else { return self.close(index, outcome) }
        state.sendable -= 1
        switch outcome.kind {
        case .delivered where state.failure.map { $0 < index } ?? false:
            // It has overtaken one that failed, and comes again after it.
            self.close(index, .behind)
        case .delivered, .rejected:
            self.close(index, outcome)
        case .retry, .unavailable, .behind:
            self.close(index, outcome)
            self.fail(key, after: index, &state)
        }
        if let next = state.waiting.popFirst() {
            state.sendable += 1
            self.ready.append(next)
        }
        let isOver = state.sendable == 0 && state.failure == nil
        self.keyStates[key] = isOver ? nil : state
    }

    /// Nothing more of the key is sent.
    private mutating func fail(_ key: UInt64, after index: Int, _ state: inout KeyState) {
        state.failure = min(index, state.failure ?? index)
        for later in state.waiting { self.close(later, .behind) }
        state.waiting.removeAll()
        let stopped = self.ready.filter { $0 > index && self.keys[$0] == key }
        if stopped.isEmpty { return }
        self.ready.removeAll { stopped.contains($0) }
        state.sendable -= stopped.count
        for later in stopped { self.close(later, .behind) }
    }

    /// A message that was on its way is to be sent again, because nobody will say what became of it.
    public mutating func sendAgain(_ index: Int) {
        guard self.settled[index] == nil else { return }
        self.inFlight -= 1
        if let key = self.keys[index], let failure = self.keyStates[key]?.failure, failure < index {
            self.keyStates[key]?.sendable -= 1
            return self.close(index, .behind)
        }
        let place = self.ready.firstIndex { $0 > index } ?? self.ready.endIndex
        self.ready.insert(index, at: place)
    }

    /// Nothing more is sent: all that is unsettled has that outcome, on its way or not.
    public mutating func settleRest(_ outcome: Outcome) {
        for index in self.settled.indices where self.settled[index] == nil { self.close(index, outcome) }
        self.cursor = self.keys.count
        self.inFlight = 0
        self.ready.removeAll()
        self.keyStates.removeAll()
    }

    private mutating func close(_ index: Int, _ outcome: Outcome) {
        self.settled[index] = outcome
        self.unsettled -= 1
    }
}
