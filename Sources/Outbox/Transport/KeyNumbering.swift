/// Numbers the keys of a batch, from 0, in the order in which they come.
///
/// Keys are hashes already, so a `Dictionary`, which hashes them again with a function that attackers cannot foresee, takes several times as
/// long. Linear probing in a table that is half empty; where a key is looked for is said by its upper bits times the golden ratio (Knuth, The
/// Art of Computer Programming, volume 3, section 6.4).
package struct KeyNumbering: Sendable {
    /// The number of the key whose place it is; -1: none.
    private var numbers: [Int32]
    private var keys: [UInt64] = []
    private let shift: Int

    /// - Parameter count: How many keys there are at most.
    package init(most count: Int) {
        let bits = max(1, Int.bitWidth - (2 * max(1, count) - 1).leadingZeroBitCount)
        self.numbers = Array(repeating: -1, count: 1 << bits)
        self.shift = UInt64.bitWidth - bits
        self.keys.reserveCapacity(count)
    }

    /// How many keys have a number.
    package var count: Int { self.keys.count }

    /// The number of a key; the next one, if it is new.
    package mutating func number(of key: UInt64) -> Int {
        var place = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> UInt64(self.shift))
        while true {
            let number = Int(self.numbers[place])
            if number < 0 { break }
            if self.keys[number] == key { return number }
            place = (place + 1) & (self.numbers.count - 1)
        }
        self.numbers[place] = Int32(self.keys.count)
        self.keys.append(key)
        return self.keys.count - 1
    }
}
