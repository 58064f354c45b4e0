import Synchronization

/// Runs the workers of a session's streams beside the relay's loop, which starts them as streams come.
final class DeliveryWorkers: Sendable {
    private let dispatchers = Mutex<[ObjectIdentifier: Dispatcher]>([:])
    private let starts: AsyncStream<Dispatcher>
    private let input: AsyncStream<Dispatcher>.Continuation

    init() {
        (self.starts, self.input) = AsyncStream.makeStream()
    }

    /// Runs a dispatcher's workers until it is closed.
    func start(_ dispatcher: Dispatcher) {
        self.dispatchers.withLock { $0[ObjectIdentifier(dispatcher)] = dispatcher }
        self.input.yield(dispatcher)
    }

    /// Forgets a dispatcher that has ended.
    func remove(_ dispatcher: Dispatcher) {
        self.dispatchers.withLock { $0[ObjectIdentifier(dispatcher)] = nil }
    }

    /// Runs what is started, until ``close()``.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await dispatcher in self.starts { group.addTask { await dispatcher.run() } }
        }
    }

    /// Closes every dispatcher: its workers finish the calls they are in.
    func close() {
        self.input.finish()
        for dispatcher in self.dispatchers.withLock({ Array($0.values) }) { dispatcher.close() }
    }
}
