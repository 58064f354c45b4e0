/// The hash FNV-1a of 64 bits (Fowler, Noll and Vo): short, and the same everywhere and for ever.
///
/// http://www.isthe.com/chongo/tech/comp/fnv/
package enum FowlerNollVo {
    @inlinable package static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { hash, byte in (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
}
