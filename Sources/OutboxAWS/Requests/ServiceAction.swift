import Outbox

/// An operation of a service that takes several messages in one request, and says of each what became of it.
protocol ServiceAction: Sendable {
    /// What is known of a message besides itself.
    associatedtype Entry: Sendable

    /// The operation's name.
    var operation: String { get }
    /// What a target is called: a queue, a stream.
    var targetKind: String { get }
    var packer: RequestPacker { get }
    /// Whether all messages go to one target, so that what is wrong with it is wrong for the destination.
    var hasFixedTarget: Bool { get }
    /// What is looked up of all messages before a table is made.
    var extent: LentMessage.Extent { get }

    /// Messages as the service takes them.
    func table(of messages: LentBatch) -> EntryTable<Entry>

    /// A request's body, with the messages at those places.
    func body(of indexes: [Int], in table: EntryTable<Entry>, address: String) -> [UInt8]

    /// Whether an answer with status 200 says, in the words that the service uses most of the time, that all of a request's messages are delivered. False:
    /// that is not known, and ``results(in:of:in:)`` says it. Default false.
    func isConfirmation(_ body: [UInt8], of indexes: [Int]) -> Bool

    /// What an answer with status 200 says of a request's messages, in their order; nil: it is no answer of the service.
    func results(in body: [UInt8], of indexes: [Int], in table: EntryTable<Entry>) -> [EntryResult]?
}

extension ServiceAction {
    func isConfirmation(_ body: [UInt8], of indexes: [Int]) -> Bool { false }
}

/// One for which each message is made an entry that has all that is sent.
protocol EntryAction: ServiceAction where Entry: ServiceEntry {
    /// - Throws: Why the message can never be delivered.
    func entry(for message: Message) throws(MessageRefusal) -> Entry

    /// A request's body.
    func body(of entries: [Entry], address: String) -> [UInt8]

    /// What an answer with status 200 says of a request's messages, in their order; nil: it is no answer of the service.
    func results(in body: [UInt8], of entries: [Entry]) -> [EntryResult]?
}

extension EntryAction {
    /// Entries are made of messages.
    var extent: LentMessage.Extent { .payloadAndKey }

    func table(of messages: LentBatch) -> EntryTable<Entry> {
        var table = EntryTable<Entry>(messages)
        for message in messages.batch {
            do throws(MessageRefusal) {
                let entry = try self.entry(for: message)
                if entry.isFIFO { table.noteFIFO() }
                table.add(target: table.number(of: entry.target), byteCount: entry.byteCount, entry)
            } catch {
                table.add(error)
            }
        }
        return table
    }

    func body(of indexes: [Int], in table: EntryTable<Entry>, address: String) -> [UInt8] {
        self.body(of: indexes.compactMap { table.entry(at: $0) }, address: address)
    }

    func results(in body: [UInt8], of indexes: [Int], in table: EntryTable<Entry>) -> [EntryResult]? {
        self.results(in: body, of: indexes.compactMap { table.entry(at: $0) })
    }
}

/// A message as a service takes it.
protocol ServiceEntry: Sendable {
    /// The queue or stream, as messages for it are kept together.
    var target: String { get }
    /// What counts towards the service's limit.
    var byteCount: Int { get }
    /// Whether the target keeps the order of what comes, so that what is sent behind a message that is refused would stay before it.
    var isFIFO: Bool { get }
}

/// Why a message can never be delivered.
struct MessageRefusal: Error, Sendable, Hashable {
    let reason: String
    /// Whether it is the target that can be none, which is a fault of the configuration where all messages have the same.
    let isOfTarget: Bool

    init(_ reason: String, isOfTarget: Bool = false) {
        self.reason = reason
        self.isOfTarget = isOfTarget
    }
}

/// What a service says of one message of a request.
//
// Indirect: nearly all are delivered, and so a result is one word.
indirect enum EntryResult: Sendable, Hashable {
    case delivered
    /// The message itself is wrong.
    case refused(String)
    /// The service blames the message, or nothing, for a reason that is not known here.
    case unclear(String)
    case throttled(String)
    /// Rights, or the key that the target is encrypted with: no message is at fault.
    case forbidden(String)
    /// The service did not take it now, through no fault of the message.
    case failed(String)

    var isDelivered: Bool { if case .delivered = self { true } else { false } }

    /// What an error of one message means.
    ///
    /// - Parameter isSendersFault: Whether the service blames the message; nil: it does not say.
    init(code: String, reason: String, isSendersFault: Bool?) {
        switch ServiceFailure.meaning(ofCode: code) {
        case .throttled: self = .throttled(reason)
        case .unavailable, .expired, .unauthorized, .missing: self = .failed(reason)
        case .forbidden: self = .forbidden(reason)
        case .invalid where isSendersFault == true: self = .refused(reason)
        case .invalid, .unclear, nil: self = isSendersFault == false ? .failed(reason) : .unclear(reason)
        }
    }
}
