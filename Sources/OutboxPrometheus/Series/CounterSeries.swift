import CoreMetrics
import Synchronization

/// A number that only grows. One series for whole and for other increments.
final class CounterSeries: CounterHandler, FloatingPointCounterHandler {
    private let whole = Atomic<Int64>(0)
    private let rest = AtomicDouble()

    var value: Double { Double(self.whole.load(ordering: .relaxed)) + self.rest.value }

    func increment(by amount: Int64) {
        if amount > 0 { self.whole.wrappingAdd(amount, ordering: .relaxed) }
    }

    func increment(by amount: Double) {
        if amount.isFinite, amount > 0 { self.rest.add(amount) }
    }

    func reset() {
        self.whole.store(0, ordering: .relaxed)
        self.rest.set(0)
    }
}
