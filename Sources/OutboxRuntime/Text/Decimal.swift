/// Numbers as decimal digits, written in place.
package enum Decimal {
    /// How many digits a number has.
    package static func count(of value: UInt64) -> Int {
        var rest = value
        var count = 1
        while rest >= 10_000 {
            rest /= 10_000
            count += 4
        }
        return count + (rest >= 1000 ? 3 : rest >= 100 ? 2 : rest >= 10 ? 1 : 0)
    }

    /// Writes the digits of a number, two at a time.
    ///
    /// - Parameter count: How many it has.
    package static func write(_ value: UInt64, count: Int, to digits: UnsafeMutableRawPointer) {
        var rest = value
        var place = count
        while place >= 2 {
            place -= 2
            let pair = unsafe self.pairs.utf8Start + 2 * Int(truncatingIfNeeded: rest % 100)
            unsafe (digits + place).copyMemory(from: pair, byteCount: 2)
            rest /= 100
        }
        if place == 1 { unsafe digits.storeBytes(of: 0x30 + UInt8(truncatingIfNeeded: rest % 10), as: UInt8.self) }
    }

    /// The numbers from 0 to 99, each with two digits.
    private static var pairs: StaticString {
        """
        0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
        5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899
        """
    }
}
