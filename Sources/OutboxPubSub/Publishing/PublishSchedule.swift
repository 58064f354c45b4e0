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
        /// Their places in the batch, in order.
        let indexes: [Int]
    }

    private struct Item {
        let target: PublishableMessage.Target
        let size: Int
        /// By which it is ordered; nil: it is not.
        let key: UInt64?
        /// How many messages its request may have: fewer, once a larger one was refused.
        var limit: Int
    }

    /// A request that is being filled.
    private struct Draft {
        let target: PublishableMessage.Target
        var indexes: [Int] = []
        var bytes = 0
        var limit: Int
    }

    private let limits: Limits
    /// By their places in the batch; nil: it is not to be sent.
    private var items: [Item?]
    private var settled: [Outcome?]
    private var unsettled: Int
    /// What is not sent yet, in order.
    private var pending: [Int] = []
    private var busyKeys: Set<UInt64> = []
    private var busyTargets: Set<PublishableMessage.Target> = []
    private var failedKeys: Set<UInt64> = []
    private var lastNumber = 0
    /// How many requests are on their way.
    private(set) var inFlight = 0

    init(count: Int, limits: Limits) {
        self.limits = limits
        self.items = Array(repeating: nil, count: count)
        self.settled = Array(repeating: nil, count: count)
        self.unsettled = count
    }

    /// Takes a message, in the order of the batch.
    mutating func add(_ index: Int, target: PublishableMessage.Target, size: Int, key: UInt64?) {
        self.items[index] = Item(target: target, size: size, key: key, limit: self.limits.messages)
        self.pending.append(index)
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
        var drafts: [Draft] = []
        /// The draft of each target that is still filled, and where each key has been put.
        var open: [PublishableMessage.Target: Int] = [:]
        var places: [UInt64: Int] = [:]
        var blockedKeys: Set<UInt64> = []
        var blockedTargets = self.busyTargets
        var rest: [Int] = []
        for index in self.pending {
            guard let item = self.items[index] else { continue }
            if let key = item.key, self.failedKeys.contains(key) {
                self.settle(index, .behind)
                continue
            }
            let isBlocked =
                blockedTargets.contains(item.target)
                || item.key.map { self.busyKeys.contains($0) || blockedKeys.contains($0) } ?? false
            if !isBlocked, let draft = self.draft(for: item, among: &drafts, open: &open, places: places) {
                drafts[draft].indexes.append(index)
                drafts[draft].bytes += item.size
                drafts[draft].limit = min(drafts[draft].limit, item.limit)
                if let key = item.key { places[key] = draft }
            } else {
                rest.append(index)
                if let key = item.key { blockedKeys.insert(key) }
                if item.target.orderingKey != nil { blockedTargets.insert(item.target) }
            }
        }
        self.pending = rest
        return drafts.filter { !$0.indexes.isEmpty }.map { self.begin($0) }
    }

    /// The draft that a message goes into; nil: it has to wait.
    private func draft(
        for item: Item, among drafts: inout [Draft], open: inout [PublishableMessage.Target: Int], places: [UInt64: Int]
    ) -> Int? {
        let place = item.key.flatMap { places[$0] }
        if let index = open[item.target] {
            let draft = drafts[index]
            let hasRoom =
                draft.indexes.count < min(draft.limit, item.limit) && draft.bytes + item.size <= self.limits.bytes
            if hasRoom { return place == nil || place == index ? index : nil }
            if item.target.orderingKey != nil { return nil }
        }
        if place != nil { return nil }
        drafts.append(Draft(target: item.target, limit: item.limit))
        open[item.target] = drafts.count - 1
        return drafts.count - 1
    }

    private mutating func begin(_ draft: Draft) -> Request {
        self.lastNumber += 1
        self.inFlight += 1
        if draft.target.orderingKey != nil { self.busyTargets.insert(draft.target) }
        for index in draft.indexes {
            if let key = self.items[index]?.key { self.busyKeys.insert(key) }
        }
        return Request(number: self.lastNumber, target: draft.target, indexes: draft.indexes)
    }

    /// All messages of a request have that outcome; of each key, those behind the first are behind if it is a failure.
    mutating func settle(_ request: Request, _ outcome: Outcome) {
        self.release(request)
        for index in request.indexes {
            guard let key = self.items[index]?.key else {
                self.settle(index, outcome)
                continue
            }
            if self.failedKeys.contains(key) {
                self.settle(index, .behind)
                continue
            }
            self.settle(index, outcome)
            if !outcome.isFinal { self.failedKeys.insert(key) }
        }
    }

    /// The service has refused a request, and does not say which of its messages is to blame: it is sent again in two halves.
    ///
    /// - Parameter reason: That of a message that is refused alone, which goes to dead letter.
    mutating func divide(_ request: Request, _ reason: String) {
        if request.indexes.count == 1 { return self.settle(request, .reject(reason)) }
        self.release(request)
        for index in request.indexes { self.items[index]?.limit = (request.indexes.count + 1) / 2 }
        self.pending = (self.pending + request.indexes).sorted()
    }

    /// Nothing more is sent: what waits has that outcome. Nothing is on its way any more.
    mutating func settlePending(_ outcome: Outcome) {
        for index in self.pending {
            guard let key = self.items[index]?.key else {
                self.settle(index, outcome)
                continue
            }
            self.settle(index, self.failedKeys.insert(key).inserted ? outcome : .behind)
        }
        self.pending = []
    }

    private mutating func release(_ request: Request) {
        self.inFlight -= 1
        self.busyTargets.remove(request.target)
        for index in request.indexes {
            if let key = self.items[index]?.key { self.busyKeys.remove(key) }
        }
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
