@testable import Outbox
import Testing

@Suite(.timeLimit(.minutes(5))) struct LedgerTests {
    private func filled(_ counts: [Int]) -> (Ledger<String>, [Int]) {
        var ledger = Ledger<String>()
        var sequences: [Int] = []
        for (index, count) in counts.enumerated() {
            sequences.append(ledger.nextSequence)
            ledger.add("page \(index)", origin: .log, count: count, bytes: count * 10)
        }
        return (ledger, sequences)
    }

    @Test func theCursorNeverPassesAnUnsettledPage() {
        // Every order in which four pages can settle.
        for order in permutations([0, 1, 2, 3]) {
            var (ledger, sequences) = self.filled([1, 2, 3, 4])
            var settled: Set<Int> = []
            var taken: [String] = []
            for index in order {
                ledger.settle(sequences[index])
                settled.insert(index)
                let prefix = (0..<4).prefix { settled.contains($0) }.count
                taken += ledger.takeCommittable().log
                #expect(taken == (0..<prefix).map { "page \($0)" })
            }
            #expect(ledger.isEmpty)
            #expect(ledger.messages == 0)
            #expect(ledger.bytes == 0)
        }
    }

    @Test func whatIsReadAndNotCommittedIsCounted() {
        var (ledger, sequences) = self.filled([5, 7])
        #expect(ledger.messages == 12)
        #expect(ledger.bytes == 120)
        #expect(ledger.committable == 0)
        ledger.settle(sequences[1])
        #expect(ledger.committable == 0, "the first page is not settled")
        #expect(ledger.isUnsettled)
        ledger.settle(sequences[0])
        #expect(ledger.committable == 12)
        #expect(!ledger.isUnsettled)
        #expect(ledger.messages == 12, "settled is not committed")
        _ = ledger.takeCommittable()
        #expect(ledger.messages == 0)
        #expect(ledger.committable == 0)
    }

    @Test func deferredPagesDoNotHoldTheCursor() {
        var ledger = Ledger<String>()
        let deferred = ledger.nextSequence
        ledger.add("deferred", origin: .deferred, count: 2, bytes: 2)
        let log = ledger.nextSequence
        ledger.add("log", origin: .log, count: 3, bytes: 3)
        #expect(ledger.hasDeferred)
        ledger.settle(log)
        let first = ledger.takeCommittable()
        #expect(first.log == ["log"])
        #expect(first.deferred == nil)
        ledger.settle(deferred)
        #expect(ledger.hasDeferred, "until it is committed there is no other")
        #expect(ledger.committable == 2)
        #expect(ledger.takeCommittable().deferred == "deferred")
        #expect(!ledger.hasDeferred)
    }

    @Test func settlingSomethingUnknownChangesNothing() {
        var (ledger, _) = self.filled([1])
        ledger.settle(99)
        #expect(ledger.committable == 0)
        #expect(ledger.isUnsettled)
    }
}

/// All orders of some elements.
func permutations<Element>(_ elements: [Element]) -> [[Element]] {
    if elements.count <= 1 { return [elements] }
    return elements.indices.flatMap { index -> [[Element]] in
        var rest = elements
        let first = rest.remove(at: index)
        return permutations(rest).map { [first] + $0 }
    }
}
