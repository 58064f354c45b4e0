import Synchronization

/// A floating-point number that threads change without a lock.
struct AtomicDouble: ~Copyable, Sendable {
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: self.bits.load(ordering: .relaxed)) }

    func set(_ value: Double) { self.bits.store(value.bitPattern, ordering: .relaxed) }

    func add(_ amount: Double) {
        var seen = self.bits.load(ordering: .relaxed)
        while true {
            let sum = (Double(bitPattern: seen) + amount).bitPattern
            let (isExchanged, current) = self.bits.weakCompareExchange(
                expected: seen, desired: sum, ordering: .relaxed)
            if isExchanged { return }
            seen = current
        }
    }
}
