import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(10))) struct PoolStateTests {
    typealias State = PoolState<Int, String>

    @Test func opensUpToTheMaximumThenQueues() {
        var state = State(maximum: 2)
        let grants = [state.requestNow(), state.requestNow(), state.requestNow()]
        #expect(grants == [.connect, .connect, nil])
        let requests = [state.request(1, "a"), state.request(2, "b")]
        #expect(requests.allSatisfy(isWaiting))
        let first = state.giveBack(10, generation: 0)
        #expect(first.resume?.waiter == "a")
        #expect(first.resume?.grant == .lease(10))
        let second = state.giveUpSlot()
        #expect(second.resume?.waiter == "b")
        #expect(second.resume?.grant == .connect)
        #expect(state.slotsTaken == 2)
    }

    @Test func prefersTheMostRecentlyUsed() {
        var state = State(maximum: 2)
        _ = (state.requestNow(), state.requestNow())
        _ = (state.giveBack(1, generation: 0), state.giveBack(2, generation: 0))
        let grants = [state.requestNow(), state.requestNow()]
        #expect(grants == [.lease(2), .lease(1)])
    }

    @Test func cancelsOnlyWhoStillWaits() {
        var state = State(maximum: 1)
        _ = state.requestNow()
        _ = (state.request(1, "a"), state.request(2, "b"))
        let cancelled = [state.cancel(1), state.cancel(1)]
        #expect(cancelled == ["a", nil])
        let next = state.giveBack(7, generation: 0).resume?.waiter
        #expect(next == "b")
        let tooLate = state.cancel(2)
        #expect(tooLate == nil)
    }

    @Test func closes() {
        var state = State(maximum: 2)
        _ = (state.requestNow(), state.requestNow())
        _ = state.giveBack(1, generation: 0)
        let closed = state.close()
        #expect(closed.idle == [1])
        let grant = state.requestNow()
        #expect(grant == .closed)
        let mayKeep = state.connected()
        #expect(!mayKeep)
        let last = state.giveBack(2, generation: 0)
        #expect(last.close == 2)
        #expect(state.slotsTaken == 0)
        let again = state.close()
        #expect(again.idle.isEmpty)
    }

    /// Random histories: never more slots than allowed, no caller waits while a slot is free or a connection idle, first come first served.
    @Test func invariants() {
        for seed in 0..<200 {
            var generator = SplitMix(state: UInt64(seed))
            let maximum = Int.random(in: 1...4, using: &generator)
            var state = State(maximum: maximum)
            var (leased, connecting, queue): ([Int], Int, [Int]) = ([], 0, [])
            var nextResource = 0
            func perform(_ action: State.Return) {
                guard let (waiter, grant) = action.resume else { return }
                #expect(waiter == String(queue.removeFirst()))
                if case .lease(let resource) = grant { leased.append(resource) } else { connecting += 1 }
            }
            for step in 0..<200 {
                switch Int.random(in: 0..<6, using: &generator) {
                case 0, 1:
                    switch state.request(step, String(step)) {
                    case .waiting: queue.append(step)
                    case .granted(.lease(let resource)): leased.append(resource)
                    case .granted: connecting += 1
                    }
                case 2 where connecting > 0:
                    connecting -= 1
                    nextResource += 1
                    leased.append(nextResource)
                case 3 where connecting > 0:
                    connecting -= 1
                    perform(state.giveUpSlot())
                case 4 where !leased.isEmpty:
                    let resource = leased.remove(at: Int.random(in: 0..<leased.count, using: &generator))
                    perform(
                        Bool.random(using: &generator) ? state.giveBack(resource, generation: 0) : state.giveUpSlot())
                case 5 where !queue.isEmpty:
                    let id = queue.remove(at: Int.random(in: 0..<queue.count, using: &generator))
                    let cancelled = state.cancel(id)
                    #expect(cancelled == String(id))
                default: break
                }
                #expect(state.slotsTaken <= maximum)
                #expect(state.slotsTaken == leased.count + connecting + state.idleCount)
                #expect(state.waiterCount == queue.count)
                if !queue.isEmpty { #expect(state.slotsTaken == maximum && state.idleCount == 0) }
            }
        }
    }

    private func isWaiting(_ request: State.Request) -> Bool {
        if case .waiting = request { true } else { false }
    }
}

/// A small generator with a seed (Steele, Lea and Flood, “Fast splittable pseudorandom number generators”, 2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
