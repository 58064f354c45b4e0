import CoreMetrics

/// A number that goes up and down: of a meter, or the last one that a recorder was given which does not aggregate.
final class GaugeSeries: MeterHandler, RecorderHandler {
    private let number = AtomicDouble()

    var value: Double { self.number.value }

    func set(_ value: Int64) { self.number.set(Double(value)) }
    func set(_ value: Double) { self.number.set(value) }
    func record(_ value: Int64) { self.number.set(Double(value)) }
    func record(_ value: Double) { self.number.set(value) }

    func increment(by amount: Double) {
        if amount.isFinite { self.number.add(amount) }
    }

    func decrement(by amount: Double) {
        if amount.isFinite { self.number.add(-amount) }
    }
}
