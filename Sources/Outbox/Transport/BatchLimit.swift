/// What a batch may have at most, where a transport's other side takes no more at once.
///
/// A relay gives a transport no batch that has more, but for a single message that is larger: that goes alone.
public struct BatchLimit: Sendable, Hashable {
    /// No limit: how many messages a batch has is said by the destination's settings alone.
    public static let none = BatchLimit()

    /// How many messages; nil: no limit.
    public let messages: Int?
    /// How many bytes, as ``size(of:)`` counts them; nil: no limit.
    public let bytes: Int?
    /// What each message counts beside its own bytes.
    public let bytesPerMessage: Int

    /// Creates a limit. Numbers below 1 count as 1, and bytes per message below 0 as 0.
    ///
    /// - Parameters:
    ///   - messages: How many messages. Default: no limit.
    ///   - bytes: How many bytes, as ``size(of:)`` counts them. Default: no limit.
    ///   - bytesPerMessage: What each message counts beside its own bytes, for what the other side puts around it. Default 0.
    public init(messages: Int? = nil, bytes: Int? = nil, bytesPerMessage: Int = 0) {
        self.messages = messages.map { max(1, $0) }
        self.bytes = bytes.map { max(1, $0) }
        self.bytesPerMessage = max(0, bytesPerMessage)
    }

    /// How many bytes a message counts: those of its payload, key and route, those of its headers as the text of a JSON object, which is
    /// never shorter than their names and values, and ``bytesPerMessage``. Texts count as UTF-8.
    public func size(of message: Message) -> Int {
        let texts = [MessageText.key, .route, .headers].reduce(0) { $0 + (message.page.text($1, at: message.row)?.utf8.count ?? 0) }
        return unsafe message.withPayload { bytes in bytes.count } + texts + self.bytesPerMessage
    }
}

/// What a batch that is being made has room for.
package struct BatchRoom {
    private let limit: BatchLimit
    private var messages: Int
    private var bytes: Int?
    private var isEmpty = true

    /// - Parameter maximumCount: How many messages, if the limit is not lower.
    package init(_ limit: BatchLimit, maximumCount: Int) {
        self.limit = limit
        self.messages = min(limit.messages ?? maximumCount, maximumCount)
        self.bytes = limit.bytes
    }

    /// Whether a message fits. The first one always does.
    package func fits(_ message: Message) -> Bool {
        if self.isEmpty { return true }
        return self.messages > 0 && (self.bytes.map { self.limit.size(of: message) <= $0 } ?? true)
    }

    /// A message is added.
    package mutating func add(_ message: Message) {
        self.isEmpty = false
        self.messages -= 1
        if let bytes { self.bytes = bytes - self.limit.size(of: message) }
    }
}
