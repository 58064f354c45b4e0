import Outbox

/// Where each message of a batch goes, and what it counts.
struct EntryList: Sendable {
    private struct Row {
        /// The number of its target; -1: the message can never be delivered.
        let target: Int
        let byteCount: Int
    }

    private var rows: [Row] = []
    /// By number what targets are called; messages for one are kept together.
    private(set) var targets: [String] = []
    private var numberOfTarget: [String: Int] = [:]
    /// By place.
    private var refusals: [Int: MessageRefusal] = [:]

    /// - Parameter count: How many messages there will be.
    init(count: Int) { self.rows.reserveCapacity(count) }

    /// The number of a target.
    mutating func number(of target: String) -> Int {
        // What follows is for the same target most of the time.
        if let last = self.targets.last, last == target { return self.targets.count - 1 }
        if let number = self.numberOfTarget[target] { return number }
        self.numberOfTarget[target] = self.targets.count
        self.targets.append(target)
        return self.targets.count - 1
    }

    mutating func add(target: Int, byteCount: Int) { self.rows.append(Row(target: target, byteCount: byteCount)) }

    mutating func add(_ refusal: MessageRefusal) {
        self.refusals[self.rows.count] = refusal
        self.rows.append(Row(target: -1, byteCount: 0))
    }

    /// Why a message can never be delivered; nil: it can.
    func refusal(at index: Int) -> MessageRefusal? { self.rows[index].target < 0 ? self.refusals[index] : nil }

    /// The number of a message's target.
    func target(at index: Int) -> Int { self.rows[index].target }

    /// What a message counts towards the service's limit.
    func byteCount(at index: Int) -> Int { self.rows[index].byteCount }
}

/// The messages of a batch as a service takes them.
struct EntryTable<Entry: Sendable>: Sendable {
    let messages: LentBatch
    private(set) var list: EntryList
    private var entries: [Entry?] = []
    /// Whether a target keeps the order of what comes, so that what is sent behind a message that is refused would stay before it.
    private(set) var hasFIFO = false

    init(_ messages: LentBatch) {
        self.messages = messages
        self.list = EntryList(count: messages.count)
        self.entries.reserveCapacity(messages.count)
    }

    /// The number of a target.
    mutating func number(of target: String) -> Int { self.list.number(of: target) }

    /// Adds the next message of the batch.
    ///
    /// - Parameter entry: nil: it is sent as it is.
    mutating func add(target: Int, byteCount: Int, _ entry: Entry?) {
        self.list.add(target: target, byteCount: byteCount)
        self.entries.append(entry)
    }

    /// Adds the next message of the batch, which can never be delivered.
    mutating func add(_ refusal: MessageRefusal) {
        self.list.add(refusal)
        self.entries.append(nil)
    }

    mutating func noteFIFO() { self.hasFIFO = true }

    /// What is sent of a message; nil: the message as it is.
    func entry(at index: Int) -> Entry? { self.entries[index] }
}
