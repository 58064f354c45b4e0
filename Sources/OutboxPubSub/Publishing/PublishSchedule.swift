import Outbox

/// Which messages of a batch share a request, when it may be sent, and what became of each.
///
/// All messages of a request have one topic and one ordering key, as the service demands. Of an ordering key one request is on its way, and
/// messages of a key of the outbox are on their way in one request only, so that what fails is resumed in order.
///
/// A value without I/O.
struct PublishSchedule {
    /// How large a request may be.
    struct Limits {
        var messages: Int
        var bytes: Int
    }

    /// Messages that are sent together.
    struct Request: Equatable {
        let number: Int
        let target: PublishableMessage.Target
        fileprivate let targetNumber: Int
        /// Their places in the batch, in order.
        let indexes: [Int]
    }

    private struct Item {
        /// The number of its target; -1: it is not sent.
        var target = -1
        /// The number of the key by which it is ordered; -1: it is not.
        var key = -1
        var size = 0
        /// How many messages its request may have: fewer, once a larger one was refused.
        var limit = 0
    }

    /// What messages have in common, a target or a key of the outbox.
    private struct Group {
        /// Whether messages of it are on their way.
        var isBusy = false
        /// Whether one of them has failed, so that nothing more of it is sent.
        var hasFailed = false
        /// When requests are made: in which round the rest was noted.
        private var round = 0
        /// The request that is being filled with it; -1: none.
        private var draft = -1
        /// Whether one of them has to wait, and so those after it.
        private var isBlocked = false

        mutating func draft(in round: Int) -> Int { self.enter(round).draft }
        mutating func isBlocked(in round: Int) -> Bool { self.enter(round).isBlocked }
        mutating func put(_ draft: Int, in round: Int) {
            _ = self.enter(round)
            self.draft = draft
        }
        mutating func block(in round: Int) {
            _ = self.enter(round)
            self.isBlocked = true
        }

        private mutating func enter(_ round: Int) -> (draft: Int, isBlocked: Bool) {
            if self.round != round { (self.round, self.draft, self.isBlocked) = (round, -1, false) }
            return (self.draft, self.isBlocked)
        }
    }

    /// A request that is being filled.
    private struct Draft {
        let target: Int
        var indexes: [Int] = []
        var bytes = 0
        var limit: Int
    }

    private let limits: Limits
    /// By their places in the batch.
    private var items: [Item]
    private var settled: [Outcome?]
    private var unsettled: Int
    /// What is not sent yet, in order.
    private var pending: [Int] = []
    private var targets: [PublishableMessage.Target] = []
    private var numberOfTarget: [PublishableMessage.Target: Int] = [:]
    private var numberOfKey: KeyNumbering
    /// By number.
    private var groupOfTarget: [Group] = []
    private var groupOfKey: [Group] = []
    /// How often requests were made.
    private var round = 0
    private var lastNumber = 0
    /// How many requests are on their way.
    private(set) var inFlight = 0

    init(count: Int, limits: Limits) {
        self.limits = limits
        self.items = Array(repeating: Item(), count: count)
        self.settled = Array(repeating: nil, count: count)
        self.unsettled = count
        self.numberOfKey = KeyNumbering(most: count)
        self.pending.reserveCapacity(count)
        self.groupOfKey.reserveCapacity(count)
    }

    /// Takes a message, in the order of the batch.
    mutating func add(
        _ index: Int, target: PublishableMessage.Target, size: Int, key: UInt64?, isAlone: Bool = false
    ) {
        self.add(index, targetNumber: self.number(of: target), size: size, key: key, isAlone: isAlone)
    }

    /// The same for a target by its number.
    ///
    /// - Parameter isAlone: Whether it has a request of its own.
    mutating func add(_ index: Int, targetNumber: Int, size: Int, key: UInt64?, isAlone: Bool = false) {
        var item = Item(target: targetNumber, size: size, limit: isAlone ? 1 : self.limits.messages)
        if let key {
            item.key = self.numberOfKey.number(of: key)
            if item.key == self.groupOfKey.count { self.groupOfKey.append(Group()) }
        }
        self.items[index] = item
        self.pending.append(index)
    }

    /// The number of a target.
    mutating func number(of target: PublishableMessage.Target) -> Int {
        // What follows is for the same target most of the time.
        if let last = self.targets.last, last == target { return self.targets.count - 1 }
        if let number = self.numberOfTarget[target] { return number }
        self.numberOfTarget[target] = self.targets.count
        self.targets.append(target)
        self.groupOfTarget.append(Group())
        return self.targets.count - 1
    }

    /// Takes a message that is not to be sent.
    mutating func refuse(_ index: Int, _ reason: String) { self.settle(index, .reject(reason)) }

    /// Whether every message is settled.
    var isDone: Bool { self.unsettled == 0 }

    /// What became of the messages; what is unsettled counts as behind.
    var outcomes: [Outcome] { self.settled.map { $0 ?? .behind } }

    /// The requests that may be sent now, which are on their way from now on.
    mutating func next() -> [Request] {
        if self.pending.isEmpty { return [] }
        self.round += 1
        var drafts: [Draft] = []
        var rest: [Int] = []
        for index in self.pending {
            let item = self.items[index]
            if item.key >= 0, self.groupOfKey[item.key].hasFailed {
                self.settle(index, .behind)
                continue
            }
            if !self.isBlocked(item), let draft = self.draft(for: item, among: &drafts) {
                drafts[draft].indexes.append(index)
                drafts[draft].bytes += item.size
                drafts[draft].limit = min(drafts[draft].limit, item.limit)
                if item.key >= 0 { self.groupOfKey[item.key].put(draft, in: self.round) }
            } else {
                rest.append(index)
                if item.key >= 0 { self.groupOfKey[item.key].block(in: self.round) }
                if self.keepsOrder(item.target) { self.groupOfTarget[item.target].block(in: self.round) }
            }
        }
        self.pending = rest
        return drafts.map { self.begin($0) }
    }

    /// Whether the service keeps the order of a target's messages.
    private func keepsOrder(_ target: Int) -> Bool { self.targets[target].orderingKey != nil }

    /// Whether a message has to wait for others that are on their way, or that wait themselves.
    private mutating func isBlocked(_ item: Item) -> Bool {
        if self.groupOfTarget[item.target].isBusy || self.groupOfTarget[item.target].isBlocked(in: self.round) {
            return true
        }
        return item.key >= 0
            && (self.groupOfKey[item.key].isBusy || self.groupOfKey[item.key].isBlocked(in: self.round))
    }

    /// The draft that a message goes into; nil: it has to wait.
    private mutating func draft(for item: Item, among drafts: inout [Draft]) -> Int? {
        // Where others of its key are.
        let place = item.key < 0 ? -1 : self.groupOfKey[item.key].draft(in: self.round)
        let open = self.groupOfTarget[item.target].draft(in: self.round)
        if open >= 0 {
            let hasRoom =
                drafts[open].indexes.count < min(drafts[open].limit, item.limit)
                && drafts[open].bytes + item.size <= self.limits.bytes
            if hasRoom { return place < 0 || place == open ? open : nil }
            if self.keepsOrder(item.target) { return nil }
        }
        if place >= 0 { return nil }
        drafts.append(Draft(target: item.target, limit: item.limit))
        self.groupOfTarget[item.target].put(drafts.count - 1, in: self.round)
        return drafts.count - 1
    }

    private mutating func begin(_ draft: Draft) -> Request {
        self.lastNumber += 1
        self.inFlight += 1
        if self.keepsOrder(draft.target) { self.groupOfTarget[draft.target].isBusy = true }
        self.note(draft.indexes, isBusy: true)
        return Request(
            number: self.lastNumber, target: self.targets[draft.target], targetNumber: draft.target,
            indexes: draft.indexes)
    }

    /// Notes of the keys of messages whether one is on its way.
    private mutating func note(_ indexes: [Int], isBusy: Bool) {
        for index in indexes {
            let key = self.items[index].key
            if key >= 0 { self.groupOfKey[key].isBusy = isBusy }
        }
    }

    /// All messages of a request have that outcome; of each key, those behind the first are behind if it is a failure.
    mutating func settle(_ request: Request, _ outcome: Outcome) {
        self.release(request)
        for index in request.indexes {
            let key = self.items[index].key
            if key >= 0, self.groupOfKey[key].hasFailed {
                self.settle(index, .behind)
                continue
            }
            self.settle(index, outcome)
            if key >= 0, !outcome.isFinal { self.groupOfKey[key].hasFailed = true }
        }
    }

    /// The service has refused a request, and does not say which of its messages is to blame: it is sent again in two halves.
    ///
    /// - Parameter reason: That of a message that is refused alone, which goes to dead letter.
    mutating func divide(_ request: Request, _ reason: String) {
        if request.indexes.count == 1 { return self.settle(request, .reject(reason)) }
        self.release(request)
        for index in request.indexes { self.items[index].limit = (request.indexes.count + 1) / 2 }
        self.pending = (self.pending + request.indexes).sorted()
    }

    /// Nothing more is sent: what waits has that outcome. Nothing is on its way any more.
    mutating func settlePending(_ outcome: Outcome) {
        for index in self.pending {
            let key = self.items[index].key
            if key >= 0, self.groupOfKey[key].hasFailed {
                self.settle(index, .behind)
                continue
            }
            self.settle(index, outcome)
            if key >= 0 { self.groupOfKey[key].hasFailed = true }
        }
        self.pending = []
    }

    private mutating func release(_ request: Request) {
        self.inFlight -= 1
        self.groupOfTarget[request.targetNumber].isBusy = false
        self.note(request.indexes, isBusy: false)
    }

    private mutating func settle(_ index: Int, _ outcome: Outcome) {
        guard self.settled[index] == nil else { return }
        self.settled[index] = outcome
        self.unsettled -= 1
    }
}

extension Outcome {
    /// Whether the message does not come again.
    var isFinal: Bool {
        switch self.kind {
        case .delivered, .rejected: true
        case .retry, .unavailable, .behind, .postponed: false
        }
    }
}
