import CoreMetrics
import Synchronization

/// How often values were below some bounds, and their sum. Durations are in seconds.
final class HistogramSeries: TimerHandler, RecorderHandler {
    /// A count that has a place of its own in memory: an array cannot have atomics as elements.
    private final class Cell: Sendable {
        let count = Atomic(0)
    }

    /// In ascending order. What is above the last one is counted too.
    let bounds: [Double]
    private let cells: [Cell]
    private let sum = AtomicDouble()

    init(bounds: [Double]) {
        self.bounds = bounds
        self.cells = (0...bounds.count).map { _ in Cell() }
    }

    /// For each bound how many values were not above it; then how many there were.
    var counts: [Int] {
        var total = 0
        return self.cells.map { cell in
            total += cell.count.load(ordering: .relaxed)
            return total
        }
    }

    var total: Double { self.sum.value }

    func recordNanoseconds(_ duration: Int64) { self.record(Double(duration) / 1_000_000_000) }

    func record(_ value: Int64) { self.record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        let index = self.bounds.firstIndex { value <= $0 } ?? self.bounds.count
        self.cells[index].count.wrappingAdd(1, ordering: .relaxed)
        self.sum.add(value)
    }
}
