import Outbox

/// A broker for benchmarks.
protocol BenchBroker: Sendable {
    /// What it is called in results.
    var name: String { get }
    /// What messages are made of.
    var content: BenchOutbox.Content { get }
    /// What the program in C is called in results.
    var referenceName: String { get }

    /// A transport that has at most so many messages on their way.
    func transport(window: Int) throws -> any Transport
    /// The same, for payloads that need not be text: those of the latency are numbers.
    func transportOfBytes(window: Int) throws -> any Transport
    /// What the program in C does with messages of that length, with at most so many on their way.
    func reference(messages: Int, size: Int, window: Int) async throws -> Reference.Outcome
    /// What another program in C is called that does no more than send, where there is one.
    var bareReferenceName: String? { get }
    /// What that one does.
    func bareReference(messages: Int, size: Int, window: Int) async throws -> Reference.Outcome
    /// Removes what has arrived.
    func empty() async throws
}

extension BenchBroker {
    var content: BenchOutbox.Content { .digests }
    var bareReferenceName: String? { nil }

    func transportOfBytes(window: Int) throws -> any Transport { try self.transport(window: window) }

    func bareReference(messages: Int, size: Int, window: Int) async throws -> Reference.Outcome {
        try await self.reference(messages: messages, size: size, window: window)
    }
}
