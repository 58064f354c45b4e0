import Testing

@testable import Outbox

@Suite(.timeLimit(.minutes(5))) struct BreakerTests {
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
            let begun = self.breaker.begin(now: self.now)
            let pass = try #require(begun)
            #expect(pass != .call && self.breaker.isProbing)
            return self.report(id, result, pass: pass)
        }
    }

    private func bench() -> Bench { Bench(breaker: Breaker(policy: self.policy), now: self.start) }

    private func isOpened(_ change: Breaker.Change?) -> Bool {
        if case .opened = change { true } else { false }
    }

    private func isReopened(_ end: (verdict: Breaker.Verdict, change: Breaker.Change?)) -> Bool {
        if case (.hold, .reopened?) = end { true } else { false }
    }

    private func news(_ end: (verdict: Breaker.Verdict, change: Breaker.Change?)) -> String? {
        if case .reopened(let news, _) = end.change { news } else { nil }
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
        #expect(bench.breaker.begin(now: bench.now) == .probe(1))
        #expect(bench.breaker.begin(now: bench.now + .seconds(9)) == nil)
        #expect(bench.breaker.probeAt == nil)
        #expect(bench.report(6, .delivered) == (.settle, nil), "a call from before does not close it")
        #expect(bench.breaker.isOpen)
        #expect(bench.report(2, .delivered, pass: .probe(1)) == (.settle, .closed))
        #expect(bench.breaker.isQuiet)
        #expect(bench.breaker.begin(now: bench.now) == .call)
    }

    @Test(arguments: [Breaker.Result.unavailable("down"), .failed("broken")])
    func pausesGrowUpToTheLongestAndBeginAnew(_ failure: Breaker.Result) throws {
        var bench = self.bench()
        _ = bench.report(1, .unavailable("down"))
        for longest in [200, 400, 800, 1000, 1000, 1000] {
            #expect(self.isReopened(try bench.probe(1, failure)))
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
        #expect(try bench.probe(2, .rejected) == (.settle, .reopened(news: nil, retryAfter: .zero)))
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
        #expect(self.isReopened(try bench.probe(1, .unavailable("poison"))))
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

    @Test func anotherReasonIsNewsOnce() throws {
        var bench = self.bench()
        for id in 1...3 { _ = bench.report(Int64(id), .failed("port 4711 is closed")) }
        #expect(bench.breaker.isOpen)
        #expect(self.news(try bench.probe(1, .failed("port 4712 is closed"))) == nil, "the same but for a number")
        #expect(self.news(try bench.probe(1, .unavailable("no such host"))) == "no such host")
        #expect(self.news(try bench.probe(1, .failed("no such host"))) == nil)
        #expect(self.news(try bench.probe(1, .unavailable(""))) == nil, "no reason is no other reason")
        #expect(self.news(try bench.probe(1, .failed("port 1 is closed"))) == "port 1 is closed")
        #expect(try bench.probe(1, .delivered) == (.settle, .closed))
        guard case .opened("port 1 is closed", _) = bench.report(9, .unavailable("port 1 is closed")).change else {
            Issue.record("the next outage is told with its reason, whatever was told before")
            return
        }
        #expect(self.news(try bench.probe(9, .unavailable("port 1 is closed"))) == nil)
    }

    @Test func aProbeThatTakesLongHasFailed() throws {
        var bench = self.bench()
        #expect(bench.breaker.takesLong(.call, now: bench.now, random: &bench.random) == nil)
        _ = bench.report(1, .unavailable("down"))
        bench.now = try #require(bench.breaker.probeAt)
        let begun = bench.breaker.begin(now: bench.now)
        let slow = try #require(begun)
        guard case .reopened = bench.breaker.takesLong(slow, now: bench.now, random: &bench.random) else {
            Issue.record("the probe goes on")
            return
        }
        #expect(bench.breaker.takesLong(slow, now: bench.now, random: &bench.random) == nil, "once")
        // It fails after all, which was counted; or is refused, which says nothing.
        let probeAt = bench.breaker.probeAt
        #expect(bench.report(1, .unavailable("down"), pass: slow) == (.hold, nil))
        #expect(bench.report(1, .rejected, pass: slow) == (.settle, nil))
        #expect(bench.breaker.probeAt == probeAt)
        // Another one is under way: that one is not for it to end, but its success ends the outage.
        bench.now = try #require(probeAt)
        let otherBegun = bench.breaker.begin(now: bench.now)
        let other = try #require(otherBegun)
        #expect(bench.report(1, .failed("down"), pass: slow) == (.hold, nil))
        #expect(bench.breaker.isProbing)
        #expect(bench.report(1, .delivered, pass: slow) == (.settle, .closed))
        // The other one is a call like any by now.
        #expect(bench.report(2, .failed("down"), pass: other) == (.settle, nil))
        #expect(!bench.breaker.isOpen)
    }

    /// Whatever happens in whatever order, there is something that leads out of the state: time, or a probe that can end.
    @Test(arguments: 0..<200) func noStateIsForEver(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        var bench = self.bench()
        var underWay: [(id: Int64, pass: Breaker.Pass, hasTakenLong: Bool)] = []
        var id: Int64 = 0
        for _ in 0..<500 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4:
                guard let pass = bench.breaker.begin(now: bench.now) else { break }
                id += 1
                underWay.append((id, pass, false))
            case 4..<7:
                guard !underWay.isEmpty else { break }
                let call = underWay.remove(at: Int.random(in: underWay.indices, using: &random))
                let results: [Breaker.Result] = [
                    .delivered, .rejected, .failed("a"), .failed("b"), .unavailable("a"), .unavailable("c"),
                ]
                let result = results[Int.random(in: results.indices, using: &random)]
                let isRetry = Bool.random(using: &random)
                _ = bench.report(call.id, result, key: UInt64(call.id % 5), isRetry: isRetry, pass: call.pass)
            case 7:
                guard let index = underWay.indices.randomElement(using: &random) else { break }
                underWay[index].hasTakenLong = true
                _ = bench.breaker.takesLong(underWay[index].pass, now: bench.now, random: &bench.random)
            default:
                bench.now += .milliseconds(Int.random(in: 0...400, using: &random))
            }
            if bench.breaker.isOpen {
                let probes = underWay.filter { $0.pass != .call && !$0.hasTakenLong }
                #expect((bench.breaker.probeAt != nil) != bench.breaker.isProbing)
                #expect(bench.breaker.isProbing ? probes.count >= 1 : bench.breaker.probeAt != nil)
                if bench.breaker.isProbing { #expect(probes.contains { $0.pass == .probe(self.last(underWay)) }) }
            } else {
                #expect(bench.breaker.begin(now: bench.now) == .call)
            }
        }
        // What is under way never ends: it takes long, and others are probes.
        for call in underWay { _ = bench.breaker.takesLong(call.pass, now: bench.now, random: &bench.random) }
        if bench.breaker.isOpen { #expect(try bench.probe(0, .delivered) == (.settle, .closed)) }
        #expect(!bench.breaker.isOpen)
    }

    /// The number of the youngest probe.
    private func last(_ underWay: [(id: Int64, pass: Breaker.Pass, hasTakenLong: Bool)]) -> Int {
        underWay.compactMap { if case .probe(let number) = $0.pass { number } else { nil } }.max() ?? 0
    }
}

/// Random numbers that can be had again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var value = self.state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
