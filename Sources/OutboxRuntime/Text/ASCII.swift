/// Bytes below 128.
package enum ASCII {
    /// Whether all bytes are.
    package static func isAll(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        var all: UInt64 = 0
        while index + 8 <= bytes.count {
            unsafe all |= bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            index += 8
        }
        while index < bytes.count {
            unsafe all |= UInt64(bytes[index])
            index += 1
        }
        return all & 0x8080_8080_8080_8080 == 0
    }
}
