import Outbox
import TestSupport
import Testing

@testable import OutboxPubSub

/// Random batches, answers and orders of answers: what is always true of the requests and the outcomes.
@Suite(.timeLimit(.minutes(2))) struct PublishScheduleTests {
    private struct Item {
        let target: PublishableMessage.Target
        let size: Int
        let key: UInt64?
        let isPoison: Bool
    }

    private static func items(_ random: inout some RandomNumberGenerator) -> [Item] {
        let keys = Int.random(in: 1...6, using: &random)
        let topics = Int.random(in: 1...3, using: &random)
        let hasOrderingKeys = Bool.random(using: &random)
        let isOrdered = Bool.random(using: &random)
        return (0..<Int.random(in: 1...60, using: &random)).map { _ in
            let key = Bool.random(using: &random) ? Int.random(in: 1...keys, using: &random) : nil
            return Item(
                target: .init(
                    topic: "t\(Int.random(in: 1...topics, using: &random))",
                    orderingKey: hasOrderingKeys ? key.map { "k\($0)" } : nil),
                size: Int.random(in: 1...40, using: &random), key: isOrdered ? key.map { UInt64($0) } : nil,
                isPoison: Int.random(in: 0..<12, using: &random) == 0)
        }
    }

    /// What fails takes nothing else with it when it is tried again: not what is before it of its ordering key, either.
    @Test(arguments: [nil, "k"]) func whatIsSentAloneFailsAlone(orderingKey: String?) {
        var schedule = PublishSchedule(count: 6, limits: .init(messages: 100, bytes: 1000))
        let target = PublishableMessage.Target(topic: "t", orderingKey: orderingKey)
        for index in 0..<6 {
            schedule.add(index, target: target, size: 10, key: orderingKey.map { _ in 7 }, isAlone: index < 4)
        }
        var sent: [[Int]] = []
        while true {
            let requests = schedule.next()
            if requests.isEmpty { break }
            for request in requests {
                sent.append(request.indexes)
                schedule.settle(request, request.indexes.contains(2) ? .retry("INTERNAL") : .delivered)
            }
        }
        if orderingKey == nil {
            #expect(sent == [[0], [1], [2], [3], [4, 5]])
            #expect(schedule.outcomes.map { $0 == .delivered } == [true, true, false, true, true, true])
        } else {
            #expect(sent == [[0], [1], [2]])
            #expect(
                schedule.outcomes == [.delivered, .delivered, .retry("INTERNAL"), .behind, .behind, .behind])
        }
    }

    @Test(arguments: 0..<2000) func whatIsAlwaysTrue(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let items = Self.items(&random)
        let limits = PublishSchedule.Limits(messages: Int.random(in: 1...20, using: &random), bytes: 100)
        var schedule = PublishSchedule(count: items.count, limits: limits)
        for (index, item) in items.enumerated() {
            schedule.add(index, target: item.target, size: item.size, key: item.key)
        }
        var underWay: [PublishSchedule.Request] = []
        var arrived: [Int] = []
        var rounds = 0
        while !schedule.isDone {
            rounds += 1
            #expect(rounds < 5000)
            let news = schedule.next()
            for request in news {
                Self.check(request, items, limits, beside: underWay)
                underWay.append(request)
            }
            #expect(schedule.inFlight == underWay.count)
            if underWay.isEmpty {
                // What was left is behind what has failed.
                #expect(schedule.isDone)
                break
            }
            let request = underWay.remove(at: Int.random(in: 0..<underWay.count, using: &random))
            if request.indexes.contains(where: { items[$0].isPoison }) {
                schedule.divide(request, "poison")
            } else if Int.random(in: 0..<10, using: &random) == 0 {
                schedule.settle(request, .retry("failed"))
            } else {
                arrived += request.indexes
                schedule.settle(request, .delivered)
            }
        }
        Self.check(schedule.outcomes, items, arrived)
    }

    private static func check(
        _ request: PublishSchedule.Request, _ items: [Item], _ limits: PublishSchedule.Limits,
        beside others: [PublishSchedule.Request]
    ) {
        #expect(!request.indexes.isEmpty && request.indexes == request.indexes.sorted())
        #expect(request.indexes.count <= limits.messages)
        #expect(request.indexes.map { items[$0].size }.reduce(0, +) <= limits.bytes)
        let isOfOneTarget = request.indexes.allSatisfy { items[$0].target == request.target }
        #expect(isOfOneTarget)
        let keys = Set(request.indexes.compactMap { items[$0].key })
        for other in others {
            #expect(keys.isDisjoint(with: other.indexes.compactMap { items[$0].key }))
            #expect(request.target.orderingKey == nil || other.target != request.target)
        }
    }

    private static func check(_ outcomes: [Outcome], _ items: [Item], _ arrived: [Int]) {
        #expect(Set(arrived).count == arrived.count)
        var failed: Set<UInt64> = []
        for (index, outcome) in outcomes.enumerated() {
            let item = items[index]
            #expect((outcome == .delivered) == arrived.contains(index))
            if case .rejected = outcome.kind { #expect(item.isPoison) }
            if let key = item.key, failed.contains(key) {
                #expect(outcome == .behind)
            } else {
                #expect(outcome != .behind)
            }
            if let key = item.key, !outcome.isFinal { failed.insert(key) }
        }
        var last: [UInt64: Int] = [:]
        for index in arrived {
            guard let key = items[index].key else { continue }
            #expect(last[key] ?? -1 < index)
            last[key] = index
        }
    }
}
