import Testing

@testable import Outbox

@Suite(.timeLimit(.minutes(5))) struct LaneQueueTests {
    /// Random schedules of adding, asking, waking, finishing and taking a lane away, against what must always hold.
    @Test(arguments: 0..<20) func aLaneIsSequentialAndNothingIsLost(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let lanes = Int.random(in: 1...8, using: &random)
        // Some workers come by themselves, others are started.
        let maximumWorkers = Int.random(in: 0...8, using: &random)
        var queue = LaneQueue<Int, Int>(lanes: lanes, maximumWorkers: maximumWorkers)
        var added: [Int: [Int]] = [:]
        var done: [Int: [Int]] = [:]
        var busy: [Int: LaneAssignment<Int>] = [:] // by worker
        var waiting: Set<Int> = []
        var idle = Set(maximumWorkers == 0 ? 0..<6 : 0..<0)
        var starting: [Int] = []
        var started = 0
        var next = 0

        func start(_ worker: Int, _ assignment: LaneAssignment<Int>) {
            #expect(!busy.values.contains { $0.lane == assignment.lane }, "two workers in one lane")
            busy[worker] = assignment
            idle.remove(worker)
            waiting.remove(worker)
        }
        func woken(_ wake: LaneQueue<Int, Int>.Wake?) {
            switch wake {
            case .resume(let worker, let assignment):
                #expect(waiting.contains(worker))
                start(worker, assignment)
                woken(queue.wakeOne()) // What a woken worker does first.
            case .start:
                #expect(waiting.isEmpty, "one is started only if none waits")
                starting.append(100 + started)
                started += 1
                #expect(started == queue.workers && started <= maximumWorkers)
            case nil:
                break
            }
        }
        func begin() {
            if starting.isEmpty { return }
            let worker = starting.removeFirst()
            queue.begin()
            idle.insert(worker)
            ask(worker, finished: nil)
        }
        func ask(_ worker: Int, finished: Int?) {
            switch queue.next(finished: finished) {
            case .work(let assignment, let wake):
                start(worker, assignment)
                woken(wake)
            case .wait:
                queue.wait(worker)
                idle.remove(worker)
                waiting.insert(worker)
            case .finished:
                Issue.record("finished without having been closed")
            }
        }
        func finish(_ worker: Int) {
            guard let assignment = busy.removeValue(forKey: worker) else { return }
            done[assignment.lane, default: []].append(assignment.work)
            ask(worker, finished: assignment.lane)
        }

        for _ in 0..<2000 {
            switch Int.random(in: 0..<5, using: &random) {
            case 4:
                begin()
            case 0:
                for _ in 0..<Int.random(in: 1...10, using: &random) {
                    let lane = Int.random(in: 0..<lanes, using: &random)
                    queue.add(next, to: lane)
                    added[lane, default: []].append(next)
                    next += 1
                }
                woken(queue.wakeOne())
            case 1:
                if let worker = idle.sorted().first { ask(worker, finished: nil) }
            case 2:
                // The lane is taken from its worker, which goes on with its work.
                guard let worker = busy.keys.sorted().randomElement(using: &random) else { break }
                guard let assignment = busy.removeValue(forKey: worker) else { break }
                let lane = assignment.lane
                done[lane, default: []].append(assignment.work)
                added[lane]?.insert(next, at: done[lane]?.count ?? 0)
                queue.addFirst([next], to: lane)
                next += 1
                queue.release(lane)
                idle.insert(worker)
                woken(queue.wakeOne())
            default:
                if let worker = busy.keys.sorted().randomElement(using: &random) { finish(worker) }
            }
            #expect(queue.running == busy.count)
            // No worker waits while there is work: it has been handed on. Nor does work wait, if one more worker can be started.
            if !waiting.isEmpty || (starting.isEmpty && idle.isEmpty && started < maximumWorkers) {
                let open = added.reduce(0) { $0 + $1.value.count } - done.reduce(0) { $0 + $1.value.count }
                #expect(open == busy.count + openInBusyLanes(added, done, busy))
            }
        }
        for worker in idle.sorted() { ask(worker, finished: nil) }
        while !starting.isEmpty { begin() }
        while let worker = busy.keys.sorted().first { finish(worker) }
        #expect(done == added.filter { !$0.value.isEmpty })
        #expect(Set(queue.close()) == waiting)
    }

    /// Whatever is going on: held back, the pages that have begun are finished, in all lanes, and no other is; later everything is.
    @Test(arguments: 0..<50) func whatIsHeldBackIsWholePages(seed: UInt64) {
        struct Part: Equatable {
            let page: Int
            let lane: Int
        }
        var random = SeededGenerator(seed: seed)
        let lanes = Int.random(in: 1...6, using: &random)
        var queue = LaneQueue<Part, Int>(lanes: lanes, maximumWorkers: 0)
        var (added, done): ([Part], [Part]) = ([], [])
        var busy: [Int: LaneAssignment<Part>] = [:]
        var page = 0
        func ask(_ worker: Int) {
            let finished = busy.removeValue(forKey: worker)
            if let finished { done.append(finished.work) }
            guard case .work(let assignment, _) = queue.next(finished: finished?.lane) else { return }
            busy[worker] = assignment
        }
        func step() {
            if Int.random(in: 0..<3, using: &random) > 0 { return ask(Int.random(in: 0..<3, using: &random)) }
            page += 1
            for lane in 0..<lanes where Bool.random(using: &random) {
                queue.add(Part(page: page, lane: lane), to: lane, page: page)
                added.append(Part(page: page, lane: lane))
            }
        }
        for _ in 0..<5 {
            for _ in 0..<Int.random(in: 0..<30, using: &random) { step() }
            let last = queue.hold()
            let begun = (done + busy.values.map(\.work)).map(\.page).max()
            #expect(begun == nil || last == begun)
            for _ in 0..<10 { step() }
            while !busy.isEmpty { for worker in 0..<3 { ask(worker) } }
            #expect(Set(done.map(\.page)).allSatisfy { $0 <= last }, "nothing of later pages has begun")
            #expect(added.allSatisfy { $0.page > last || done.contains($0) }, "all of these pages is done")
            queue.goOn()
        }
        for worker in 0..<3 { ask(worker) }
        while !busy.isEmpty { for worker in 0..<3 { ask(worker) } }
        #expect(done.count == added.count)
        for lane in 0..<lanes {
            #expect(done.filter { $0.lane == lane } == added.filter { $0.lane == lane }, "each lane in order")
        }
    }

    /// What waits in lanes that a worker is working on.
    private func openInBusyLanes(
        _ added: [Int: [Int]], _ done: [Int: [Int]], _ busy: [Int: LaneAssignment<Int>]
    ) -> Int {
        busy.values.reduce(0) { sum, assignment in
            sum + (added[assignment.lane]?.count ?? 0) - (done[assignment.lane]?.count ?? 0) - 1
        }
    }

    @Test func closingDropsWhatHasNotBegun() {
        var queue = LaneQueue<Int, Int>(lanes: 2, maximumWorkers: 2)
        queue.add(1, to: 0)
        guard case .work(let assignment, nil) = queue.next(finished: nil) else {
            Issue.record("no work")
            return
        }
        queue.add(2, to: 0)
        queue.add(3, to: 1)
        #expect(queue.close().isEmpty)
        guard case .finished = queue.next(finished: assignment.lane) else {
            Issue.record("went on after having been closed")
            return
        }
        queue.add(4, to: 0)
        if queue.wakeOne() != nil { Issue.record("woke a worker after having been closed") }
    }
}

/// A reproducible source of randomness (SplitMix64, Steele et al., "Fast splittable pseudorandom number generators", 2014).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        self.state = seed
    }

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
