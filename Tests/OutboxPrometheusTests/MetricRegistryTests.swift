import CoreMetrics
import Testing

@testable import OutboxPrometheus

/// What is recorded by swift-metrics, and what of it is shown.
@Suite(.timeLimit(.minutes(1))) struct MetricRegistryTests {
    private let registry = MetricRegistry(help: ["jobs": "Jobs."], reserved: ["taken"])

    private var text: String { String(decoding: Exposition.bytes(self.registry.families, .text), as: UTF8.self) }

    /// The lines of samples.
    private var samples: [String] { self.text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init) }

    @Test func aCounterCountsWholeAndOtherNumbers() {
        let counter = Counter(label: "jobs", dimensions: [("b", "2"), ("a", "1")], factory: self.registry)
        counter.increment(by: 2)
        counter.increment(by: -5)
        // In another order it is the same series.
        Counter(label: "jobs", dimensions: [("a", "1"), ("b", "2")], factory: self.registry).increment()
        FloatingPointCounter(label: "jobs", dimensions: [("a", "1"), ("b", "2")], factory: self.registry)
            .increment(by: 0.5)
        #expect(
            self.text == """
                # HELP jobs_total Jobs.
                # TYPE jobs_total counter
                jobs_total{a="1",b="2"} 3.5

                """)
        counter.reset()
        #expect(self.samples == [#"jobs_total{a="1",b="2"} 0"#])
    }

    @Test func aSuffixThatIsThereIsNotRepeated() {
        Counter(label: "done_total", factory: self.registry).increment()
        Timer(label: "wait_seconds", factory: self.registry).recordSeconds(1)
        #expect(self.samples.contains("done_total 1") && self.samples.contains("wait_seconds_count 1"))
    }

    @Test func aMeterAndAGaugeAreGauges() {
        let meter = Meter(label: "open", factory: self.registry)
        meter.set(5)
        meter.increment(by: 1.5)
        meter.decrement()
        Gauge(label: "depth", factory: self.registry).record(-3)
        #expect(self.samples == ["depth -3", "open 5.5"])
        #expect(self.text.contains("# TYPE depth gauge\n") && self.text.contains("# TYPE open gauge\n"))
    }

    @Test func aTimerIsAHistogramInSeconds() {
        let timer = Timer(label: "lag", dimensions: [("le", "x")], factory: self.registry)
        timer.recordNanoseconds(1_000_000)
        timer.recordMilliseconds(100)
        timer.recordSeconds(90)
        timer.recordSeconds(7200)
        #expect(
            self.samples == [
                #"lag_seconds_bucket{exported_le="x",le="0.005"} 1"#,
                #"lag_seconds_bucket{exported_le="x",le="0.025"} 1"#,
                #"lag_seconds_bucket{exported_le="x",le="0.1"} 2"#,
                #"lag_seconds_bucket{exported_le="x",le="0.5"} 2"#,
                #"lag_seconds_bucket{exported_le="x",le="2.5"} 2"#,
                #"lag_seconds_bucket{exported_le="x",le="10.0"} 2"#,
                #"lag_seconds_bucket{exported_le="x",le="60.0"} 2"#,
                #"lag_seconds_bucket{exported_le="x",le="600.0"} 3"#,
                #"lag_seconds_bucket{exported_le="x",le="3600.0"} 3"#,
                #"lag_seconds_bucket{exported_le="x",le="+Inf"} 4"#,
                #"lag_seconds_count{exported_le="x"} 4"#,
                #"lag_seconds_sum{exported_le="x"} 7290.101"#,
            ])
    }

    @Test func aRecorderIsAHistogram() {
        let recorder = Recorder(label: "size", factory: self.registry)
        recorder.record(7)
        recorder.record(Double.nan)
        #expect(self.samples.contains(#"size_bucket{le="10.0"} 1"#) && self.samples.contains("size_count 1"))
    }

    /// A name has one kind, and one meaning.
    @Test func aNameIsOneMetricsAlone() {
        Counter(label: "x_total", factory: self.registry).increment()
        Counter(label: "x", factory: self.registry).increment()
        Gauge(label: "x_total", factory: self.registry).record(9)
        Timer(label: "y", factory: self.registry).recordSeconds(1)
        Gauge(label: "y_seconds_count", factory: self.registry).record(9)
        Gauge(label: "taken", factory: self.registry).record(9)
        #expect(self.samples.filter { $0.hasPrefix("x") } == ["x_total 2"])
        #expect(!self.text.contains(" 9\n"))
    }

    @Test func whatIsDestroyedIsShownNoMore() {
        let counter = Counter(label: "a", dimensions: [("n", "1")], factory: self.registry)
        Counter(label: "a", dimensions: [("n", "2")], factory: self.registry).increment()
        counter.destroy()
        #expect(self.samples == [#"a_total{n="2"} 1"#])
    }

    @Test(arguments: [
        ("a.b-c", "a_b_c"), ("9lives", "_9lives"), ("", "_"), ("ü", "_"), ("a:b", "a:b"), ("a b\n", "a_b_"),
    ])
    func aNameIsMadeValid(label: String, name: String) {
        Gauge(label: label, dimensions: [("__x:y", "1"), ("_x_y", "2")], factory: self.registry).record(1)
        #expect(self.samples == [#"\#(name){_x_y="1"} 1"#])
    }

    /// Recording waits for no reader, and nothing is lost.
    @Test func allThreadsAreCounted() async {
        let counter = Counter(label: "n", factory: self.registry)
        let parts = FloatingPointCounter(label: "parts", factory: self.registry)
        let timer = Timer(label: "t", factory: self.registry)
        await withTaskGroup(of: Void.self) { tasks in
            for _ in 0..<8 {
                tasks.addTask {
                    for _ in 0..<1000 {
                        counter.increment()
                        parts.increment(by: 0.25)
                        timer.recordSeconds(1)
                    }
                }
                tasks.addTask { _ = self.registry.families }
            }
        }
        #expect(self.samples.contains("n_total 8000") && self.samples.contains("parts_total 2000"))
        #expect(self.samples.contains("t_seconds_count 8000") && self.samples.contains("t_seconds_sum 8000"))
    }
}
