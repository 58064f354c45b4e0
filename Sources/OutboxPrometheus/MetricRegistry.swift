package import CoreMetrics
import Synchronization

/// Keeps the metrics of swift-metrics in this process for a scraper: counters, meters and gauges, recorders, timers.
///
/// A name and a set of labels have one handler, also where it is made twice, with labels in another order: what is held is changed by
/// atomics alone, so that recording waits for nothing. A lock is taken when a metric is made and when all are read.
package final class MetricRegistry: MetricsFactory {
    private enum Handler {
        case counter(CounterSeries)
        case gauge(GaugeSeries)
        case histogram(HistogramSeries)

        var object: AnyObject {
            switch self {
            case .counter(let series): series
            case .gauge(let series): series
            case .histogram(let series): series
            }
        }
    }

    private struct State: Sendable {
        var families: [String: (family: MetricFamily, series: [LabelSet: Handler])] = [:]
        /// All names that samples have.
        var names: Set<String>
    }

    private let state: Mutex<State>
    private let help: [String: String]

    /// Bounds for durations, in seconds.
    package static let seconds: [Double] = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600, 3600]
    /// Bounds for all else.
    static let numbers: [Double] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000]

    /// - Parameters:
    ///   - help: What metrics are, by their label in swift-metrics.
    ///   - reserved: Names of metrics that are written beside those of the registry.
    package init(help: [String: String] = [:], reserved: Set<String> = []) {
        self.help = help
        self.state = Mutex(State(names: reserved))
    }

    /// All series as they are now.
    package var families: [MetricFamily] {
        let families = self.state.withLock { Array($0.families.values) }
        return families.map { family, series in
            var family = family
            for (labels, handler) in series {
                switch handler {
                case .counter(let series): family.add(labels, series.value)
                case .gauge(let series): family.add(labels, series.value)
                case .histogram(let series):
                    let counts = series.counts
                    family.add(labels, .distribution(bounds: series.bounds, counts: counts, sum: series.total))
                }
            }
            return family
        }
    }

    // MARK: - Making

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        self.counter(label, dimensions)
    }

    package func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        self.counter(label, dimensions)
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        self.gauge(label, dimensions)
    }

    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        aggregate
            ? self.histogram(label, MetricName.metric(label), dimensions, bounds: Self.numbers)
            : self.gauge(label, dimensions)
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let name = MetricName.metric(label)
        let unit = name.hasSuffix("_seconds") ? "" : "_seconds"
        return self.histogram(label, name + unit, dimensions, bounds: Self.seconds)
    }

    private func counter(_ label: String, _ dimensions: [(String, String)]) -> CounterSeries {
        let name = MetricName.metric(label)
        let unit = name.hasSuffix("_total") ? "" : "_total"
        let made = self.handler(label, name + unit, .counter, LabelSet(dimensions.map { ($0, $1) })) {
            .counter(CounterSeries())
        }
        if case .counter(let series) = made { return series }
        return CounterSeries()
    }

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> GaugeSeries {
        let name = MetricName.metric(label)
        let made = self.handler(label, name, .gauge, LabelSet(dimensions.map { ($0, $1) })) { .gauge(GaugeSeries()) }
        if case .gauge(let series) = made { return series }
        return GaugeSeries()
    }

    private func histogram(
        _ label: String, _ name: String, _ dimensions: [(String, String)], bounds: [Double]
    ) -> HistogramSeries {
        let made = self.handler(label, name, .histogram, LabelSet(dimensions, without: "le")) {
            .histogram(HistogramSeries(bounds: bounds))
        }
        if case .histogram(let series) = made { return series }
        return HistogramSeries(bounds: bounds)
    }

    /// The handler of a series.
    ///
    /// - Returns: nil: the name is another metric's, or one of another kind. What is recorded then is not shown, for a name has one kind.
    private func handler(
        _ label: String, _ name: String, _ kind: MetricFamily.Kind, _ labels: LabelSet, _ make: () -> Handler
    ) -> Handler? {
        self.state.withLock { state in
            if let known = state.families[name] {
                guard known.family.kind == kind else { return nil }
                if let handler = known.series[labels] { return handler }
            } else {
                let family = MetricFamily(name, kind, self.help[label] ?? "A metric of the process: \(label).")
                guard state.names.isDisjoint(with: family.sampleNames) else { return nil }
                state.names.formUnion(family.sampleNames)
                state.families[name] = (family, [:])
            }
            let handler = make()
            state.families[name]?.series[labels] = handler
            return handler
        }
    }

    // MARK: - Removing

    package func destroyCounter(_ handler: any CounterHandler) { self.remove(handler) }
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { self.remove(handler) }
    package func destroyMeter(_ handler: any MeterHandler) { self.remove(handler) }
    package func destroyRecorder(_ handler: any RecorderHandler) { self.remove(handler) }
    package func destroyTimer(_ handler: any TimerHandler) { self.remove(handler) }

    /// Removes a series. Its name stays that of its kind.
    private func remove(_ handler: AnyObject) {
        self.state.withLock { state in
            for name in state.families.keys {
                guard let labels = state.families[name]?.series.first(where: { $0.value.object === handler })?.key
                else { continue }
                state.families[name]?.series[labels] = nil
                return
            }
        }
    }
}
