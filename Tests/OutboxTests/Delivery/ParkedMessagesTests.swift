import Testing

@testable import Outbox

@Suite(.timeLimit(.minutes(5))) struct ParkedMessagesTests {
    private enum Step: CaseIterable {
        case endFirst, endSecond, store, take, abandon
    }

    private let first = ParkedMessage(id: 1, attempts: 2, key: "k", keyHash: 5)
    private let second = ParkedMessage(id: 2, attempts: 0, key: nil, keyHash: nil)

    private func sequences(_ length: Int) -> [[Step]] {
        if length == 0 { return [[]] }
        return self.sequences(length - 1).flatMap { before in Step.allCases.map { before + [$0] } }
    }

    /// Every order of what can happen to two messages of a page, against what must hold.
    @Test func anEndingIsTakenOnceAndNotBeforeItsRowIsThere() {
        for steps in self.sequences(6) {
            var parked = ParkedMessages()
            parked.park([self.first, self.second], page: 7)
            var ended: Set<Int64> = []
            var taken: [Int64] = []
            var isStored = false
            for step in steps {
                switch step {
                case .endFirst:
                    parked.end(1, nil)
                    if !taken.contains(1) { ended.insert(1) }
                case .endSecond:
                    parked.end(2, nil)
                    if !taken.contains(2) { ended.insert(2) }
                case .store:
                    parked.stored(page: 7)
                    isStored = true
                case .abandon:
                    parked.abandon()
                    ended.formUnion(Set([1, 2]).subtracting(taken))
                case .take:
                    taken += parked.take().map(\.message.id)
                }
                let open = Set([1, 2]).subtracting(taken)
                let isOver = steps.count > 0 && step == .take && isStored
                if isOver { #expect(open.isDisjoint(with: ended), "\(steps)") }
                #expect(Set(taken).isSubset(of: ended) && Set(taken).count == taken.count, "\(steps)")
                #expect(taken.isEmpty || isStored, "\(steps)")
                #expect(Set(parked.ids) == open, "those that are not to be read: \(steps)")
                #expect(parked.isRunning == !open.subtracting(ended).isEmpty, "\(steps)")
                #expect(parked.committable == (isStored ? open.intersection(ended).count : 0), "\(steps)")
            }
        }
    }

    @Test func otherPagesSayNothing() {
        var parked = ParkedMessages()
        parked.park([self.first], page: 7)
        parked.end(1, nil)
        parked.stored(page: 6)
        #expect(parked.take().isEmpty)
        parked.end(99, nil)
        #expect(parked.ids == [1])
    }

    @Test func whatIsAbandonedWasNoAttempt() throws {
        var parked = ParkedMessages()
        parked.park([self.first, self.second], page: 7)
        parked.stored(page: 7)
        parked.end(2, nil)
        parked.abandon()
        let endings = parked.take()
        try #require(endings.map(\.message.id) == [1, 2])
        #expect(
            endings[0].verdict
                == .deferred(Deferral(id: 1, attempts: 2, due: .after(.zero), ordered: true, error: nil)))
        #expect(endings[1].verdict == nil, "it had ended before")
        #expect(ParkedMessages.removedKeys(endings) == [], "the first is still there, and the second has no key")
        #expect(ParkedMessages.removedKeys([(self.first, nil)]) == [5])
    }
}
