/// Numbers as decimal digits, written in place.
package enum Decimal {
    /// How many digits a number has.
    package static func count(of value: UInt64) -> Int {
        var rest = value
        var count = 1
        while rest > 9 {
            rest /= 10
            count += 1
        }
        return count
    }

    /// Writes the digits of a number.
    ///
    /// - Parameter count: How many it has.
    package static func write(_ value: UInt64, count: Int, to digits: UnsafeMutableRawPointer) {
        var rest = value
        for place in (0..<count).reversed() {
            unsafe digits.storeBytes(
                of: 0x30 + UInt8(truncatingIfNeeded: rest % 10), toByteOffset: place, as: UInt8.self)
            rest /= 10
        }
    }
}
