import Outbox
import Testing

@Suite(.timeLimit(.minutes(1))) struct KeyNumberingTests {
    /// Beside a dictionary, with keys that come again, also ones that share their upper bits or their lower ones.
    @Test(arguments: [1, 2, 3, 17, 125, 1000])
    func aKeyHasTheNumberThatItGotWhenItCameFirst(count: Int) {
        var random = SystemRandomNumberGenerator()
        for shift in [0, 20, 48, 63] as [UInt64] {
            var numbering = KeyNumbering(most: count)
            var expected: [UInt64: Int] = [:]
            for _ in 0..<3 * count {
                let key = UInt64.random(in: 0..<UInt64(2 * count), using: &random) << shift
                if expected[key] == nil, expected.count == count { continue }
                let number = expected[key] ?? expected.count
                expected[key] = number
                #expect(numbering.number(of: key) == number)
                #expect(numbering.count == expected.count)
            }
        }
    }

    @Test func manyDifferentKeysFit() {
        var numbering = KeyNumbering(most: 4096)
        for key in 0..<4096 as Range<UInt64> { #expect(numbering.number(of: key << 52) == Int(key)) }
        for key in 0..<4096 as Range<UInt64> { #expect(numbering.number(of: key << 52) == Int(key)) }
    }
}
