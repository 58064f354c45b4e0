import Synchronization

/// A source of random numbers for several tasks. It is locked for a number, not for what is decided by it.
final class SharedRandom: RandomNumberGenerator, Sendable {
    private let source: Mutex<any RandomNumberGenerator & Sendable>

    init(_ source: any RandomNumberGenerator & Sendable) {
        self.source = Mutex(source)
    }

    func next() -> UInt64 { self.source.withLock { $0.next() } }
}
