/// Messages of one destination that are delivered together, in order.
///
/// Two batches that are on their way at the same time have no key in common.
public struct MessageBatch: Sendable, RandomAccessCollection {
    /// The messages, at least one.
    package let messages: [Message]
    /// Whether messages of one key have to arrive in their order; see ``DeliverySettings/Ordering``.
    public let isOrderedByKey: Bool

    /// Creates a batch.
    public init(_ messages: [Message], isOrderedByKey: Bool = true) {
        self.messages = messages
        self.isOrderedByKey = isOrderedByKey
    }

    /// 0.
    public var startIndex: Int { 0 }
    /// The number of messages.
    public var endIndex: Int { self.messages.count }

    /// A message by its place in the batch.
    public subscript(position: Int) -> Message { self.messages[position] }

    /// The hash of the key by which a message is ordered, if it is.
    package func orderingKey(at position: Int) -> UInt64? {
        guard self.isOrderedByKey else { return nil }
        let message = self.messages[position]
        return message.page.keyHash(at: message.row)
    }
}
