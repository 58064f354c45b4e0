import OutboxRuntime
import OutboxTesting
import Synchronization
import TestSupport
import Testing

@testable import Outbox

/// Streams that come and go while a relay is at work.
@Suite(.timeLimit(.minutes(5))) struct MovingStreamsTests {
    /// Ends a relay when everything was delivered or is dead, by its events.
    private func isDone(_ count: Int) -> @Sendable (RelayEvent) -> Bool {
        let ids = Mutex<Set<Int64>>([])
        return { event in
            switch event {
            case .delivered(let id, _, _), .deadLettered(let id, _, _, _, _):
                ids.withLock { ids in
                    ids.insert(id)
                    return ids.count == count
                }
            default: false
            }
        }
    }

    /// A relay calls the handler of a destination so often at a time, however many streams it has of it.
    @Test func theStreamsOfADestinationShareItsConcurrency() async throws {
        let outbox = InMemoryOutbox()
        for number in 1...400 { try outbox.enqueue(NewMessage(to: "d", key: "k\(number)", text: "")) }
        let state = Mutex((calls: 0, running: 0, most: 0))
        let relay = RelayUnderTest.make(
            outbox,
            [
                "d": .handler(concurrency: 4) { _ in
                    let isFirst = state.withLock { state in
                        state.calls += 1
                        state.running += 1
                        state.most = max(state.most, state.running)
                        return state.calls == 1
                    }
                    if isFirst { for _ in 1...3 { outbox.split("d") } }
                    for _ in 1...20 { await Task.yield() }
                    state.withLock { $0.running -= 1 }
                }
            ])
        let isDone = self.isDone(400)
        _ = try await RelayUnderTest.run(relay) { isDone($0) ? .gracefully : nil }
        let most = state.withLock(\.most)
        #expect(most == 4, "\(most) at a time")
    }

    /// What was read of a stream that is lost is not committed, and comes again when the handlers that have it have ended. Other
    /// destinations do not wait.
    @Test(arguments: [BreakerPolicy.opening(), .off]) func whatHandlersHaveIsDeliveredAgainAfterThem(
        breaker: BreakerPolicy
    ) async throws {
        let outbox = InMemoryOutbox()
        for number in 1...40 { try outbox.enqueue(NewMessage(to: "d", key: "k\(number)", text: "")) }
        let gate = Latch()
        let (calls, others) = (Calls(), Calls())
        let relay = RelayUnderTest.make(
            outbox,
            [
                "d": .handler(concurrency: 1, breaker: breaker, parking: .never) { message in
                    calls.begin(message)
                    defer { calls.end() }
                    if calls.all.count > 1 { return }
                    outbox.split("d")
                    try outbox.enqueue(NewMessage(to: "other", text: ""))
                    try await gate.pass()
                },
                // Read after the relay was told of the split, and again after it has asked for what is next.
                "other": .handler { message in
                    others.begin(message)
                    if others.all.count < 3 {
                        try outbox.enqueue(NewMessage(to: "other", text: ""))
                    } else {
                        #expect(calls.ids == [1])
                        #expect(outbox.pending().count { $0.message.destination == "d" } == 40, "nothing is committed")
                        gate.open()
                    }
                },
            ])
        let isDone = self.isDone(43)
        let events = try await RelayUnderTest.run(relay) { isDone($0) ? .gracefully : nil }
        #expect(!events.contains { if case .disconnected = $0 { true } else { false } })
        #expect(calls.attempts(of: 1) == [1, 1], "nothing is known of what became of it")
        #expect(calls.ids.count == 41 && Set(calls.ids).count == 40, "nothing else had begun")
        #expect(calls.most <= 2)
        #expect(outbox.pending().isEmpty)
    }

    /// A parked message goes on while its stream is lost, and is not delivered a second time beside that.
    @Test func aParkedMessageIsDeliveredAgainWhenItsHandlerHasEnded() async throws {
        let outbox = InMemoryOutbox()
        for number in 1...20 {
            try outbox.enqueue(NewMessage(to: "d", key: number == 1 ? "slow" : "k\(number)", text: ""))
        }
        let gate = Latch()
        let (calls, slow, others) = (Calls(), Calls(), Calls())
        let relay = RelayUnderTest.make(
            outbox,
            [
                "d": .handler(concurrency: 2, parking: .after(.milliseconds(2))) { message in
                    calls.begin(message)
                    defer { calls.end() }
                    guard message.id == 1 else { return }
                    slow.begin(message)
                    defer { slow.end() }
                    if slow.all.count == 1 { try await gate.pass() }
                },
                "other": .handler { message in
                    others.begin(message)
                    if others.all.count < 3 {
                        try outbox.enqueue(NewMessage(to: "other", text: ""))
                    } else {
                        gate.open()
                    }
                },
            ])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                _ = try await RelayUnderTest.run(relay) { event in
                    if case .parked = event {
                        outbox.split("d")
                        _ = try? outbox.enqueue(NewMessage(to: "other", text: ""))
                    }
                    return nil
                }
            }
            try await eventually("all is settled") {
                gate.isOpen && outbox.pending().isEmpty && outbox.deferred().isEmpty
            }
            relay.stop()
            try await group.waitForAll()
        }
        #expect(slow.most == 1)
        #expect(slow.ids.count == 2, "what became of the first attempt was not stored")
        #expect(Set(calls.ids).count == 20)
        #expect(outbox.pending().isEmpty && outbox.deferred().isEmpty)
    }

    /// A handler that does not end keeps its destination waiting for as long as handlers may take at the relay's end. Then it is cancelled.
    @Test func aHandlerThatDoesNotEndIsCancelledWithItsSession() async throws {
        let outbox = InMemoryOutbox()
        for number in 1...10 { try outbox.enqueue(NewMessage(to: "d", key: "k\(number)", text: "")) }
        let never = Latch()
        let calls = Calls()
        let relay = RelayUnderTest.make(
            outbox,
            [
                "d": .handler(concurrency: 1, parking: .never) { message in
                    calls.begin(message)
                    if calls.all.count > 1 { return }
                    outbox.split("d")
                    try await never.pass()
                }
            ]
        ) { $0.shutdown.deadline = .milliseconds(30) }
        let isDone = self.isDone(10)
        let events = try await RelayUnderTest.run(relay) { isDone($0) ? .gracefully : nil }
        let reasons = events.compactMap { event in if case .disconnected(let reason, _) = event { reason } else { nil }
        }
        #expect(reasons.count == 1 && reasons[0].contains("handlers have not ended"))
        #expect(calls.attempts(of: 1) == [1, 1] && Set(calls.ids).count == 10)
    }

    /// Whatever becomes of messages: each is settled, and none is begun before those of its key are.
    @Test(arguments: UInt64(1)...30) func splitsLoseNothingAndKeepTheOrderOfKeys(seed: UInt64) async throws {
        struct Trace {
            var settled: Set<Int64> = []
            var running: Set<String> = []
            var faults: [String] = []
            var splits = 0
        }
        let outbox = InMemoryOutbox()
        let random = Mutex(SeededGenerator(seed: seed))
        @Sendable func next(_ range: Range<Int>) -> Int { random.withLock { Int.random(in: range, using: &$0) } }
        let count = 400
        var keys: [String: [Int64]] = [:]
        for _ in 0..<count {
            let key = "k\(next(0..<30))"
            keys[key, default: []].append(try outbox.enqueue(NewMessage(to: "d", key: key, text: "")))
        }
        let known = keys
        let trace = Mutex(Trace())
        let relay = RelayUnderTest.make(
            outbox,
            [
                "d": .handler(
                    retry: .constant(.zero, maximumAttempts: 1000), concurrency: 6, parking: .after(.milliseconds(5))
                ) {
                    message in
                    let (id, key) = (message.id, message.key ?? "")
                    let mustSplit = next(0..<25) == 0
                    trace.withLock { trace in
                        if !trace.running.insert(key).inserted { trace.faults.append("two of \(key) at the same time") }
                        let before = known[key]?.prefix { $0 < id } ?? []
                        if !trace.settled.isSuperset(of: before) {
                            trace.faults.append("\(id) came before others of \(key)")
                        }
                        if mustSplit { trace.splits += 1 }
                    }
                    if mustSplit { outbox.split("d") }
                    for _ in 0..<next(0..<4) { await Task.yield() }
                    let outcome = next(0..<20)
                    trace.withLock { trace in
                        trace.running.remove(key)
                        if outcome > 1 { trace.settled.insert(id) }
                    }
                    if outcome == 0 { throw DeliveryFailure.retry(after: .zero, "later") }
                    if outcome == 1 { throw DeliveryFailure.unavailable("down") }
                    if outcome == 2 { throw DeliveryFailure.reject("never") }
                }
            ])
        let events = try await withThrowingTaskGroup(of: [RelayEvent].self) { group in
            group.addTask { try await RelayUnderTest.run(relay) { _ in nil } }
            try await eventually("all is settled, seed \(seed)") {
                trace.withLock { $0.settled.count == count } && outbox.pending().isEmpty && outbox.deferred().isEmpty
            }
            relay.stop()
            return try await group.next() ?? []
        }
        #expect(!events.contains { if case .disconnected = $0 { true } else { false } }, "seed \(seed)")
        #expect(trace.withLock(\.faults) == [], "seed \(seed)")
        #expect(trace.withLock(\.splits) > 0, "seed \(seed)")
    }

    /// After crashes, one message at a time is delivered, of streams that are split meanwhile too.
    @Test func oneMessageAtATimeIsDeliveredOfStreamsThatAreSplit() async throws {
        let outbox = InMemoryOutbox()
        for number in 1...60 { try outbox.enqueue(NewMessage(to: "d", key: "k\(number)", text: "")) }
        for _ in 0..<2 {
            let began = Latch()
            let relay = RelayUnderTest.make(
                outbox,
                [
                    "d": .handler { _ in
                        began.open()
                        try await Latch().pass()
                    }
                ])
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { do { try await relay.run() } catch is CancellationError {} }
                try await began.pass()
                group.cancelAll()
            }
        }
        let calls = Calls()
        let relay = RelayUnderTest.make(
            outbox,
            [
                "d": .handler(concurrency: 8) { message in
                    calls.begin(message)
                    defer { calls.end() }
                    if [1, 3, 4, 12].contains(calls.all.count) { outbox.split("d") }
                    await Task.yield()
                    if calls.all.count < 16 { #expect(calls.most == 1) }
                }
            ])
        let isDone = self.isDone(60)
        let events = try await RelayUnderTest.run(relay) { isDone($0) ? .gracefully : nil }
        #expect(!events.contains { if case .disconnected = $0 { true } else { false } })
        #expect(Set(calls.ids).count == 60)
        #expect(outbox.pending().isEmpty)
    }

    /// A destination that is handled by the route for all others, and comes while the relay works.
    @Test func othersAreDeliveredAsTheyCome() async throws {
        let outbox = InMemoryOutbox()
        try outbox.enqueue(NewMessage(to: "own", text: ""))
        let (own, others) = (Calls(), Calls())
        var routes: RelayRoutes = ["own": .handler { own.begin($0) }]
        routes.others = .handler { message in
            others.begin(message)
            if message.id < 10 { try outbox.enqueue(NewMessage(to: Destination("d\(message.id)"), text: "")) }
        }
        let isDone = self.isDone(10)
        let relay = RelayUnderTest.make(outbox, routes)
        _ = try await RelayUnderTest.run(relay) { event in
            if case .delivered(1, "own", _) = event { _ = try? outbox.enqueue(NewMessage(to: "first", text: "")) }
            return isDone(event) ? .gracefully : nil
        }
        #expect(own.ids == [1])
        #expect(others.ids == Array(2...10))
    }

    // MARK: - Parts

    @Test func aDispatcherThatHasEndedIsForgotten() async throws {
        let workers = DeliveryWorkers()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await workers.run() }
            weak var forgotten: Dispatcher?
            do {
                let dispatcher = Dispatcher(
                    handler: .handler { _ in }, deferredKeys: [:], observer: .unobserved("d"), onSettled: { _ in },
                    onParkedEnd: { _ in }, onChange: {})
                forgotten = dispatcher
                workers.start(dispatcher)
                dispatcher.abandon()
                #expect(dispatcher.hasEnded)
                workers.remove(dispatcher)
            }
            try await eventually("it is gone") { forgotten == nil }
            workers.close()
            try await group.waitForAll()
        }
    }

    @Test func callsOfAStreamThatIsGoneAreNotBegun() async throws {
        let calls = WatchedCalls {}
        func call(_ stream: Int32, _ id: Int64) -> WatchedCalls.Call {
            .init(stream: StreamID(stream), id: id, page: 0)
        }
        async let first = calls.begin(call(1, 1))
        async let second = calls.begin(call(2, 2))
        async let third = calls.begin(call(1, 3))
        try await eventually("all wait") { calls.waitingStreams.count == 2 && calls.next(except: []) != nil }
        calls.forget(StreamID(1))
        try await eventually("the third one has come") {
            calls.forget(StreamID(1))
            return calls.waitingStreams == [StreamID(2)]
        }
        calls.grant(call(2, 2))
        let isBegun = await [second, first, third]
        #expect(isBegun == [true, false, false])
    }

    @Test func aStreamThatComesIsAStartOfItsOwn() {
        let (first, second) = (StreamID(1), StreamID(2))
        var watch = CrashWatch([first: StreamStart()], resumed: []) { _ in 10 }
        _ = watch.begin(first, pages: [0])
        watch.add(second, StreamStart(count: 1), isResumed: false, firstPage: 10)
        #expect(!watch.isCareful)
        #expect(watch.start(of: second) == StreamStart(count: 2))
        #expect(watch.begin(second, pages: [7]) == StreamStart(count: 2))
        #expect(watch.commit(second, pages: [7]) == StreamStart())
        watch.remove(first)
        #expect(watch.commit(first, pages: [0]) == nil && watch.stored(first) == nil)
        // The process has delivered it before, so that what was noted is no crash.
        watch.add(first, StreamStart(count: 1), isResumed: true, firstPage: 10)
        #expect(!watch.isCareful && watch.start(of: first) == nil)
        watch.add(second, StreamStart(count: 2), isResumed: false, firstPage: 10)
        #expect(watch.isCareful)
    }

    @Test func aPageOfAnotherStreamSettlesNothing() {
        var ledger = Ledger<Int>(firstSequence: 1 << 32)
        ledger.add(0, origin: .log, count: 1, bytes: 1)
        ledger.settle(0)
        #expect(ledger.isUnsettled && ledger.isUnsettled(1 << 32) && !ledger.isUnsettled(0))
        ledger.settle(1 << 32)
        #expect(!ledger.isUnsettled && ledger.committable == 1)
    }
}
