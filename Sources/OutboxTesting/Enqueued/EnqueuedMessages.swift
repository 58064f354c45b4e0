#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// Messages that were enqueued, by id, with a description that a failed test can show.
public struct EnqueuedMessages: Sendable, Hashable, RandomAccessCollection {
    private let messages: [EnqueuedMessage]
    /// What was asked for.
    private let question: String

    init(_ messages: [EnqueuedMessage], question: String) {
        self.messages = messages
        self.question = question
    }

    /// 0.
    public var startIndex: Int { self.messages.startIndex }
    /// How many there are.
    public var endIndex: Int { self.messages.endIndex }
    /// The message at an index.
    public subscript(index: Int) -> EnqueuedMessage { self.messages[index] }

    /// The one message that there is.
    ///
    /// - Throws: ``UnexpectedMessages`` with a description of those that there are, if it is not one.
    public func only() throws(UnexpectedMessages) -> EnqueuedMessage {
        guard self.messages.count == 1 else { throw UnexpectedMessages(expected: "one message", found: self) }
        return self.messages[0]
    }

    /// Decodes the JSON payload of each.
    ///
    /// - Throws: What the decoder throws.
    public func decode<Value: Decodable>(
        _ type: Value.Type = Value.self, decoder: JSONDecoder = JSONDecoder()
    ) throws -> [Value] {
        try self.messages.map { try $0.decode(type, decoder: decoder) }
    }
}

extension EnqueuedMessages: CustomStringConvertible {
    /// How many there are, and a line each.
    public var description: String {
        let count = self.messages.count == 1 ? "1 message" : "\(self.messages.count) messages"
        let head = "\(count) \(self.question)"
        return self.messages.isEmpty ? head : "\(head):\n" + self.messages.map { "  \($0)" }.joined(separator: "\n")
    }
}

/// Other messages were enqueued than a test expects.
public struct UnexpectedMessages: Error, Sendable, CustomStringConvertible {
    /// What was expected, and what there is.
    public let description: String

    init(expected: String, found: EnqueuedMessages) {
        self.description = "expected \(expected), found \(found)"
    }
}
