/// Something that happens once, and that tasks wait for.
struct Latch: Sendable {
    private let stream: AsyncStream<Never>
    private let continuation: AsyncStream<Never>.Continuation

    init() {
        (self.stream, self.continuation) = AsyncStream.makeStream(of: Never.self)
    }

    /// Says that it has happened; from any thread, any number of times.
    func open() {
        self.continuation.finish()
    }

    /// Waits until it has happened, or the task is cancelled. For one task.
    func wait() async {
        for await _ in self.stream {}
    }
}
