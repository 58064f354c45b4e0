import Outbox

/// A broker for benchmarks.
protocol BenchBroker: Sendable {
    /// What it is called in results.
    var name: String { get }
    /// What the program in C is called in results.
    var referenceName: String { get }

    /// A transport that has at most so many messages on their way.
    func transport(window: Int) throws -> any Transport
    /// What the program in C does with messages of that length, with at most so many on their way.
    func reference(messages: Int, size: Int, window: Int) async throws -> Reference.Outcome
    /// Removes what has arrived.
    func empty() async throws
}
