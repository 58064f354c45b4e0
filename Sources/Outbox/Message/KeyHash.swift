/// The hash by which messages of one key are told from others.
///
/// It is asked for once for each message, where a hash that attackers cannot foresee of the standard library's strength takes longer than all else
/// that is done for the key. Two keys with one hash wait for each other, which breaks no promise, and cannot be arranged from outside: which keys have one
/// depends on numbers that the process has drawn. So hashes are compared within one process only.
///
/// Sixteen bytes at a time, folded by a multiplication whose halves are added without carry (Wang Yi, wyhash, https://github.com/wangyi-fudan/wyhash).
package enum KeyHash {
    private static let seeds = (UInt64.random(in: 1...UInt64.max), UInt64.random(in: 1...UInt64.max))

    /// The hash of a key, in UTF-8.
    package static func of(_ key: UnsafeRawBufferPointer) -> UInt64 {
        let (first, second) = self.seeds
        var state = second
        var place = 0
        while key.count - place > 16 {
            state = unsafe self.folded(self.word(key, place) ^ first, self.word(key, place + 8) ^ state)
            place += 16
        }
        let (low, high) = unsafe self.end(of: key, from: place)
        // The length comes last: beside bytes of the key, a longer one that lacks them would have the same hash.
        let count = UInt64(truncatingIfNeeded: key.count)
        return self.folded(self.folded(low ^ first, high ^ state) ^ second, first ^ count)
    }

    /// The hash of a text's UTF-8.
    package static func of(_ key: String) -> UInt64 {
        var key = key
        return key.withUTF8 { bytes in unsafe self.of(UnsafeRawBufferPointer(bytes)) }
    }

    private static func folded(_ one: UInt64, _ other: UInt64) -> UInt64 {
        let product = one.multipliedFullWidth(by: other)
        return product.high ^ product.low
    }

    /// The last sixteen bytes or fewer, some of them twice.
    private static func end(of key: UnsafeRawBufferPointer, from place: Int) -> (UInt64, UInt64) {
        switch key.count - place {
        case 8...: return unsafe (self.word(key, place), self.word(key, key.count - 8))
        case 4...:
            return unsafe (
                UInt64(key.loadUnaligned(fromByteOffset: place, as: UInt32.self)),
                UInt64(key.loadUnaligned(fromByteOffset: key.count - 4, as: UInt32.self))
            )
        case 0: return (0, 0)
        case let rest:
            let last = unsafe UInt64(key[key.count - 1])
            return unsafe (UInt64(key[place]) << 16 | UInt64(key[place + rest / 2]) << 8 | last, 0)
        }
    }

    private static func word(_ key: UnsafeRawBufferPointer, _ place: Int) -> UInt64 {
        unsafe key.loadUnaligned(fromByteOffset: place, as: UInt64.self)
    }
}
