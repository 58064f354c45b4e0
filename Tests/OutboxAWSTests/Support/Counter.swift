import Synchronization

/// Counts calls.
final class Counter: Sendable {
    private let value = Atomic(0)

    var count: Int { self.value.load(ordering: .relaxed) }
    func next() -> Int { self.value.add(1, ordering: .relaxed).newValue }
}
