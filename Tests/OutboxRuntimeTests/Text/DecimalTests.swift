import OutboxRuntime
import Testing

@Suite(.timeLimit(.minutes(1))) struct DecimalTests {
    private func text(of value: UInt64) -> String {
        let count = Decimal.count(of: value)
        return unsafe String(unsafeUninitializedCapacity: count) { digits in
            unsafe Decimal.write(value, count: count, to: UnsafeMutableRawPointer(digits.baseAddress!))
            return count
        }
    }

    /// Beside the standard library: on both sides of each power of ten, and at random with each number of digits.
    @Test func digitsAreThoseOfTheNumber() {
        var power: UInt64 = 1
        for _ in 0..<20 {
            for value in [power, power - 1, power &+ 1] { #expect(self.text(of: value) == String(value)) }
            for _ in 0..<50 {
                let value = UInt64.random(in: 0...power)
                #expect(self.text(of: value) == String(value))
            }
            let (next, isTooLarge) = power.multipliedReportingOverflow(by: 10)
            if isTooLarge { break }
            power = next
        }
        #expect(self.text(of: .max) == String(UInt64.max))
    }
}
