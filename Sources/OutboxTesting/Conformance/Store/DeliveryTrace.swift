import Outbox
import Synchronization

/// What the handlers of a check were called with, and what went wrong with the order of keys.
final class DeliveryTrace: Sendable {
    struct State {
        /// The ids, in the order of their deliveries.
        var ids: [Destination: [Int64]] = [:]
        var faults: [String] = []
        fileprivate var lastOfKey: [String: Int64] = [:]
        fileprivate var running: Set<String> = []

        /// How many deliveries were repetitions.
        var repetitionCount: Int { self.ids.values.reduce(0) { $0 + $1.count - Set($1).count } }
        /// How many there were, repetitions included.
        var count: Int { self.ids.values.reduce(0) { $0 + $1.count } }

        /// Whether all these were delivered.
        func has(_ ids: [Destination: [Int64]]) -> Bool {
            ids.allSatisfy { destination, ids in Set(ids).isSubset(of: self.ids[destination] ?? []) }
        }
    }

    private let patience: Duration
    private let state = Mutex(State())

    init(patience: Duration) { self.patience = patience }

    var now: State { self.state.withLock { $0 } }

    /// Delivers a message; those of a key one after the other, and each for the first time after those before it.
    func deliver(_ message: Message) async {
        let (id, destination) = (message.id, message.destination)
        let key = message.key.map { "\(destination) \($0)" }
        self.state.withLock { state in
            guard let key else { return }
            if !state.running.insert(key).inserted {
                state.faults.append("two of \(key) were delivered at the same time")
            }
            let last = state.lastOfKey[key] ?? 0
            if id < last, !state.ids[destination, default: []].contains(id) {
                state.faults.append("\(id) of \(key) came after \(last)")
            }
            state.lastOfKey[key] = max(id, last)
        }
        await Task.yield()
        self.state.withLock { state in
            state.ids[destination, default: []].append(id)
            if let key { state.running.remove(key) }
        }
    }

    func eventually(_ what: String, _ isTrue: (State) -> Bool) async throws {
        let deadline = ContinuousClock.now + self.patience
        while !self.state.withLock({ isTrue($0) }) {
            try require(deadline > .now, "this did not come true in time: \(what)")
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
