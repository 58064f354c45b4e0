import Testing

@testable import Outbox

extension BatchSchedule {
    fileprivate init(keys: [UInt64?], keyOrder: KeyOrder = .oneAtATime) {
        self.init(count: keys.count, keyOrder: keyOrder) { keys[$0] }
    }
}

@Suite(.timeLimit(.minutes(5))) struct BatchScheduleTests {
    private func sendable(_ schedule: inout BatchSchedule) -> [Int] {
        var indices: [Int] = []
        while let index = schedule.next() { indices.append(index) }
        return indices
    }

    @Test func messagesWithoutKeysDoNotWait() {
        var schedule = BatchSchedule(keys: [nil, nil, nil])
        #expect(self.sendable(&schedule) == [0, 1, 2])
        schedule.settle(1, .retry("no"))
        schedule.settle(0, .delivered)
        #expect(!schedule.isDone)
        schedule.settle(2, .delivered)
        #expect(schedule.isDone)
        #expect(schedule.outcomes == [.delivered, .retry("no"), .delivered])
    }

    @Test func aKeyHasOneMessageOnItsWay() {
        var schedule = BatchSchedule(keys: [1, 1, 2, 1])
        #expect(self.sendable(&schedule) == [0, 2])
        schedule.settle(2, .delivered)
        #expect(self.sendable(&schedule) == [])
        schedule.settle(0, .reject("no"))
        #expect(self.sendable(&schedule) == [1], "what is rejected holds up nothing")
        schedule.settle(1, .delivered)
        #expect(self.sendable(&schedule) == [3])
        schedule.settle(3, .delivered)
        #expect(schedule.isDone)
    }

    @Test func whatIsBehindAFailureIsNotSent() {
        var schedule = BatchSchedule(keys: [1, 1, 2, 1])
        #expect(self.sendable(&schedule) == [0, 2])
        schedule.settle(0, .unavailable("down"))
        #expect(self.sendable(&schedule) == [])
        schedule.settle(2, .delivered)
        #expect(schedule.outcomes == [.unavailable("down"), .behind, .delivered, .behind])
        #expect(schedule.isDone)
    }

    @Test func whatHasOvertakenAFailureComesAgain() {
        var schedule = BatchSchedule(keys: [1, 1, 1, 1], keyOrder: .pipelined)
        #expect(schedule.next() == 0)
        #expect(schedule.next() == 1)
        #expect(schedule.next() == 2)
        schedule.settle(1, .retry("no"))
        schedule.settle(2, .delivered)
        schedule.settle(0, .delivered)
        #expect(schedule.next() == nil)
        #expect(schedule.isDone)
        #expect(schedule.outcomes == [.delivered, .retry("no"), .behind, .behind])
    }

    @Test func whatIsSentAgainComesFirst() {
        var schedule = BatchSchedule(keys: [nil, 1, 1, nil])
        #expect(schedule.next() == 0)
        #expect(schedule.next() == 1)
        schedule.sendAgain(1)
        schedule.sendAgain(0)
        #expect(schedule.inFlight == 0)
        #expect(self.sendable(&schedule) == [0, 1, 3])
        schedule.settle(1, .delivered)
        #expect(self.sendable(&schedule) == [2])
    }

    @Test func whatIsToBeSentAgainIsStoppedByAFailureBeforeIt() {
        var schedule = BatchSchedule(keys: [1, 1, 2, 1], keyOrder: .pipelined)
        #expect(self.sendable(&schedule) == [0, 1, 2, 3])
        schedule.sendAgain(3)
        schedule.sendAgain(1)
        schedule.sendAgain(2)
        #expect(schedule.next() == 1)
        schedule.settle(0, .retry("no"))
        #expect(self.sendable(&schedule) == [2], "3 is behind; 1 is on its way")
        schedule.settle(1, .delivered)
        schedule.settle(2, .delivered)
        #expect(schedule.isDone && schedule.outcomes == [.retry("no"), .behind, .delivered, .behind])
    }

    /// A batch of one key, or of many, that fails message by message: each message is looked at a few times, not once for each.
    @Test(.timeLimit(.minutes(1)), arguments: [true, false], [1, 1000])
    func failingOneByOneIsNotQuadratic(isForward: Bool, keys: Int) {
        let count = 40_000
        var schedule = BatchSchedule(keys: (0..<count).map { UInt64($0 % keys) }, keyOrder: .pipelined)
        while schedule.next() != nil {}
        for index in 0..<count / 2 { schedule.sendAgain(index) }
        while schedule.next() != nil {}
        for step in 0..<count { schedule.settle(isForward ? step : count - 1 - step, .unavailable("down")) }
        #expect(schedule.isDone)
    }

    @Test func theRestHasOneOutcome() {
        var schedule = BatchSchedule(keys: [1, 1, nil])
        #expect(self.sendable(&schedule) == [0, 2])
        schedule.settle(2, .delivered)
        schedule.settleRest(.unavailable("gone"))
        #expect(schedule.outcomes == [.unavailable("gone"), .unavailable("gone"), .delivered])
        #expect(schedule.isDone && schedule.inFlight == 0 && schedule.next() == nil)
    }

    /// What is delivered together has the outcomes and the followers that it has one by one, also for what is settled already.
    @Test(arguments: 0..<200, [BatchSchedule.KeyOrder.oneAtATime, .pipelined])
    func whatIsDeliveredTogetherIsDeliveredOneByOne(_ seed: UInt64, _ keyOrder: BatchSchedule.KeyOrder) {
        var random = SeededGenerator(seed: seed)
        let hasKeys = Bool.random(using: &random)
        let keys = (0..<Int.random(in: 1...40, using: &random)).map { _ -> UInt64? in
            hasKeys ? UInt64.random(in: 0..<8, using: &random) : nil
        }
        var together = BatchSchedule(keys: keys, keyOrder: keyOrder)
        var oneByOne = BatchSchedule(keys: keys, keyOrder: keyOrder)
        var onTheWay: [Int] = []
        while !together.isDone {
            let next = together.takeReady()
            #expect(next == oneByOne.takeReady())
            onTheWay.append(contentsOf: next)
            if onTheWay.isEmpty { break }
            let count = Int.random(in: 1...onTheWay.count, using: &random)
            let settled = Array(onTheWay.shuffled(using: &random).prefix(count))
            onTheWay.removeAll { settled.contains($0) }
            if Int.random(in: 0..<4, using: &random) == 0 {
                for index in settled {
                    together.settle(index, .retry("no"))
                    oneByOne.settle(index, .retry("no"))
                }
            }
            together.settleDelivered(settled)
            for index in settled { oneByOne.settle(index, .delivered) }
            #expect(together.outcomes == oneByOne.outcomes)
            #expect(together.inFlight == oneByOne.inFlight && together.isDone == oneByOne.isDone)
        }
        #expect(together.isDone && onTheWay.isEmpty)
    }

    /// Random batches against a receiver that takes or refuses at random, with lost connections: every message is settled, and
    /// none counts as delivered behind one of its key that has failed. One at a time, at most one of a key is on its way, and nothing
    /// arrives for the first time before an earlier one of its key has.
    @Test(arguments: 0..<200, [BatchSchedule.KeyOrder.oneAtATime, .pipelined])
    func randomSchedules(_ seed: UInt64, _ keyOrder: BatchSchedule.KeyOrder) {
        var random = SeededGenerator(seed: seed)
        let keys = (0..<Int.random(in: 1...60, using: &random)).map { _ -> UInt64? in
            Bool.random(using: &random) ? UInt64.random(in: 0..<6, using: &random) : nil
        }
        var schedule = BatchSchedule(keys: keys, keyOrder: keyOrder)
        var onTheWay: [Int] = []
        var arrived: Set<Int> = []
        var steps = 0
        while !schedule.isDone {
            steps += 1
            #expect(steps < 10_000)
            if steps >= 10_000 { return }
            if Int.random(in: 0..<3, using: &random) > 0, let index = schedule.next() {
                if keyOrder == .oneAtATime, let key = keys[index] {
                    #expect(!onTheWay.contains { keys[$0] == key }, "one at a time")
                    let earlier = (0..<index).filter { keys[$0] == key }
                    #expect(earlier.allSatisfy { arrived.contains($0) || schedule.outcomes[$0] == .reject("never") })
                }
                onTheWay.append(index)
                continue
            }
            guard let place = onTheWay.indices.randomElement(using: &random) else { continue }
            let index = onTheWay.remove(at: place)
            switch Int.random(in: 0..<20, using: &random) {
            case 0: schedule.settle(index, .retry("not now"))
            case 1: schedule.settle(index, .reject("never"))
            case 2: schedule.sendAgain(index)
            default:
                arrived.insert(index)
                schedule.settle(index, .delivered)
            }
            #expect(schedule.inFlight == onTheWay.count)
        }
        #expect(onTheWay.isEmpty)
        for (index, outcome) in schedule.outcomes.enumerated() where keys[index] != nil {
            let hasFailed = (0..<index).contains {
                keys[$0] == keys[index] && schedule.outcomes[$0] == .retry("not now")
            }
            switch outcome {
            case .behind: #expect(hasFailed)
            case .delivered: #expect(!hasFailed)
            default: break
            }
        }
    }
}
