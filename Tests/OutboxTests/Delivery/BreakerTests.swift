import Testing

@testable import Outbox

@Suite struct BreakerTests {
    private let start = ContinuousClock.now
    private let policy = BreakerPolicy.opening(
        afterFailures: 3, initialDelay: .milliseconds(100), maximumDelay: .seconds(1))

    /// A breaker with what it needs around it.
    private struct Bench {
        var breaker: Breaker
        var now: ContinuousClock.Instant
        var random = SystemRandomNumberGenerator()

        mutating func report(
            _ id: Int64, _ result: Breaker.Result, key: UInt64? = nil, isRetry: Bool = false, pass: Breaker.Pass = .call
        ) -> (verdict: Breaker.Verdict, change: Breaker.Change?) {
            self.breaker.report(
                Breaker.Attempt(id: id, subject: key ?? UInt64(id), isRetry: isRetry), result, pass: pass,
                now: self.now,
                random: &self.random)
        }

        /// Waits for the next probe and makes it.
        mutating func probe(_ id: Int64, _ result: Breaker.Result) throws -> (
            verdict: Breaker.Verdict, change: Breaker.Change?
        ) {
            self.now = try #require(self.breaker.probeAt)
            #expect(self.breaker.begin(now: self.now) == .probe)
            return self.report(id, result, pass: .probe)
        }
    }

    private func bench() -> Bench { Bench(breaker: Breaker(policy: self.policy), now: self.start) }

    private func isOpened(_ change: Breaker.Change?) -> Bool {
        if case .opened = change { true } else { false }
    }

    @Test func closedEverythingPasses() {
        var bench = self.bench()
        #expect(bench.breaker.begin(now: self.start) == .call)
        #expect(bench.report(1, .delivered) == (.settle, nil))
        #expect(bench.report(2, .rejected) == (.settle, nil))
        #expect(bench.breaker.isQuiet && !bench.breaker.isOpen && bench.breaker.probeAt == nil)
    }

    @Test func unavailableOpensAtOnce() throws {
        var bench = self.bench()
        let (verdict, change) = bench.report(1, .unavailable("down"))
        #expect(verdict == .hold)
        guard case .opened(let reason, let delay) = change else {
            Issue.record("not opened: \(String(describing: change))")
            return
        }
        #expect(reason == "down")
        #expect((.milliseconds(50)...(.milliseconds(100))).contains(delay))
        #expect(bench.breaker.probeAt == self.start + delay)
        #expect(bench.breaker.isOpen && !bench.breaker.isQuiet)
        #expect(bench.breaker.begin(now: self.start) == nil)
        // What was under way when it opened: neither closes it nor spends an attempt.
        #expect(bench.report(2, .delivered) == (.settle, nil))
        #expect(bench.report(3, .rejected) == (.settle, nil))
        #expect(bench.report(4, .unavailable("down")) == (.hold, nil))
        #expect(bench.report(5, .failed("broken")) == (.hold, nil))
        #expect(bench.breaker.isOpen)
    }

    @Test func onlyOneProbesAndTheFirstSuccessCloses() throws {
        var bench = self.bench()
        _ = bench.report(1, .unavailable("down"))
        bench.now = try #require(bench.breaker.probeAt)
        #expect(bench.breaker.begin(now: bench.now - .nanoseconds(1)) == nil)
        #expect(bench.breaker.begin(now: bench.now) == .probe)
        #expect(bench.breaker.begin(now: bench.now + .seconds(9)) == nil)
        #expect(bench.breaker.probeAt == nil)
        #expect(bench.report(6, .delivered) == (.settle, nil), "a call from before does not close it")
        #expect(bench.breaker.isOpen)
        #expect(bench.report(2, .delivered, pass: .probe) == (.settle, .closed))
        #expect(bench.breaker.isQuiet)
        #expect(bench.breaker.begin(now: bench.now) == .call)
    }

    @Test(arguments: [Breaker.Result.unavailable("down"), .failed("broken")])
    func pausesGrowUpToTheLongestAndBeginAnew(_ failure: Breaker.Result) throws {
        var bench = self.bench()
        _ = bench.report(1, .unavailable("down"))
        for longest in [200, 400, 800, 1000, 1000, 1000] {
            #expect(try bench.probe(1, failure) == (.hold, .reopened))
            let pause = try #require(bench.breaker.probeAt) - bench.now
            #expect((.milliseconds(longest / 2)...(.milliseconds(longest))).contains(pause))
        }
        #expect(try bench.probe(1, .delivered) == (.settle, .closed))
        _ = bench.report(2, .unavailable("down"))
        #expect(try #require(bench.breaker.probeAt) - bench.now <= .milliseconds(100))
    }

    @Test func aRejectedProbeSaysNothing() throws {
        var bench = self.bench()
        _ = bench.report(1, .unavailable("down"))
        #expect(try bench.probe(2, .rejected) == (.settle, .reopened))
        #expect(bench.breaker.isOpen)
        #expect(bench.breaker.probeAt == bench.now, "the next one is asked at once")
    }

    @Test func failuresOfDifferentKeysInARowOpen() {
        var bench = self.bench()
        #expect(bench.report(1, .failed("a")) == (.settle, nil))
        #expect(bench.report(2, .failed("b")) == (.settle, nil))
        #expect(!bench.breaker.isQuiet, "a success has to be told now")
        let (verdict, change) = bench.report(3, .failed("c"))
        #expect(verdict == .hold)
        guard case .opened("3 failures in a row: c", _) = change else {
            Issue.record("not opened: \(String(describing: change))")
            return
        }
    }

    @Test func failuresOfOneKeyDoNot() {
        var bench = self.bench()
        for id in 1...100 { #expect(bench.report(Int64(id), .failed("x"), key: 7) == (.settle, nil)) }
    }

    @Test func aSuccessEndsTheRow() {
        var bench = self.bench()
        for id in 1...100 {
            #expect(bench.report(Int64(id), .failed("x")) == (.settle, nil))
            if id % 2 == 0 { #expect(bench.report(Int64(1000 + id), .delivered) == (.settle, nil)) }
        }
        // A rejection does not.
        _ = bench.report(1, .failed("x"))
        _ = bench.report(2, .failed("x"))
        _ = bench.report(3, .rejected)
        #expect(self.isOpened(bench.report(4, .failed("x")).change))
    }

    @Test func aMessageThatAloneFindsItsDestinationDownOpensOnce() throws {
        var bench = self.bench()
        #expect(self.isOpened(bench.report(1, .unavailable("poison")).change))
        #expect(try bench.probe(1, .unavailable("poison")) == (.hold, .reopened))
        #expect(try bench.probe(2, .delivered) == (.settle, .closed))
        // Held, tried again, found guilty: it is deferred.
        #expect(bench.report(1, .unavailable("poison"), isRetry: true) == (.settle, nil))
        // And does not open when it comes back from there.
        for id in 3...20 {
            #expect(bench.report(Int64(id), .delivered) == (.settle, nil))
            #expect(bench.report(1, .unavailable("poison")) == (.settle, nil))
        }
        // Nor even twice in a row.
        #expect(bench.report(1, .unavailable("poison")) == (.settle, nil))
    }

    @Test func twoSuspectsInARowOpen() throws {
        var bench = self.bench()
        _ = bench.report(1, .unavailable("down"))
        _ = bench.report(2, .unavailable("down"))
        #expect(try bench.probe(3, .delivered) == (.settle, .closed))
        // It was up for a moment only.
        #expect(bench.report(1, .unavailable("down"), isRetry: true) == (.settle, nil))
        let (verdict, change) = bench.report(2, .unavailable("down"), isRetry: true)
        #expect(verdict == .hold)
        #expect(self.isOpened(change))
    }

    @Test func anotherMessageOpensWhateverTheSuspectsDo() throws {
        var bench = self.bench()
        _ = bench.report(1, .unavailable("poison"))
        _ = try bench.probe(2, .delivered)
        _ = bench.report(1, .unavailable("poison"), isRetry: true)
        #expect(self.isOpened(bench.report(3, .unavailable("down")).change))
    }
}
