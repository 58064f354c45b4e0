import Testing

@testable import OutboxAMQP

@Suite(.timeLimit(.minutes(10))) struct ConfirmWindowTests {
    private func window(_ count: Int) -> ConfirmWindow<Int> {
        var window = ConfirmWindow<Int>()
        for number in 1...count { window.append(number) }
        return window
    }

    private func confirm(
        _ window: inout ConfirmWindow<Int>, _ tag: UInt64, isMultiple: Bool = false
    ) -> [Int] {
        var confirmations: [ConfirmWindow<Int>.Confirmation] = []
        window.confirm(tag, isMultiple: isMultiple, into: &confirmations)
        return confirmations.map(\.entry)
    }

    @Test func confirmsOneOrAllUpToOne() {
        var window = self.window(10)
        #expect(self.confirm(&window, 3) == [3])
        #expect(window.oldest == 1)
        #expect(self.confirm(&window, 5, isMultiple: true) == [1, 2, 4, 5])
        #expect(window.oldest == 6)
        #expect(window.count == 5)
        window.append(11)
        #expect(self.confirm(&window, 0, isMultiple: true) == [6, 7, 8, 9, 10, 11])
        #expect(window.count == 0)
        #expect(window.oldest == nil)
    }

    @Test func ignoresWhatNobodyWaitsFor() {
        var window = self.window(3)
        #expect(self.confirm(&window, 2) == [2])
        #expect(self.confirm(&window, 2) == [])
        #expect(self.confirm(&window, 4) == [])
        #expect(self.confirm(&window, 4, isMultiple: true) == [])
        #expect(self.confirm(&window, 0) == [])
        #expect(self.confirm(&window, 3, isMultiple: true) == [1, 3])
        #expect(self.confirm(&window, 1, isMultiple: true) == [])
        #expect(self.confirm(&window, .max, isMultiple: true) == [])
        #expect(self.confirm(&window, 0, isMultiple: true) == [])
    }

    @Test func aReturnBelongsToTheNextMessageThatItCanBe() {
        var window = ConfirmWindow<String>()
        for name in ["a", "b", "a", "c"] { window.append(name) }
        #expect(window.markReturned("first") { $0 == "a" })
        #expect(window.markReturned("second") { $0 == "a" })
        #expect(!window.markReturned("third") { $0 == "a" })
        #expect(!window.markReturned("passed") { $0 == "b" })
        var confirmations: [ConfirmWindow<String>.Confirmation] = []
        window.confirm(4, isMultiple: true, into: &confirmations)
        #expect(confirmations.map(\.returned) == ["first", nil, "second", nil])
    }

    @Test func afterAChannelIsGoneNumbersBeginAgain() {
        var window = self.window(5)
        _ = self.confirm(&window, 2, isMultiple: true)
        #expect(window.removeAll() == [3, 4, 5])
        window.append(9)
        #expect(self.confirm(&window, 1) == [9])
    }

    /// Against a set of what is open, with random acknowledgements of every kind.
    @Test(arguments: 0..<50) func randomConfirmations(_ seed: Int) {
        var random = SplitMix(state: UInt64(seed))
        var window = ConfirmWindow<Int>()
        var open: Set<Int> = []
        var last = 0
        for _ in 0..<500 {
            if Bool.random(using: &random) || last == 0 {
                last += 1
                window.append(last)
                open.insert(last)
            } else {
                let tag = Int.random(in: 1...last, using: &random)
                let isMultiple = Bool.random(using: &random)
                let expected = open.filter { isMultiple ? $0 <= tag : $0 == tag }
                #expect(self.confirm(&window, UInt64(tag), isMultiple: isMultiple) == expected.sorted())
                open.subtract(expected)
            }
            #expect(window.count == open.count)
            #expect(window.oldest == open.min())
        }
    }
}

struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
