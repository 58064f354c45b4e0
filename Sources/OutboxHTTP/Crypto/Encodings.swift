import CCrypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Bytes as text (RFC 4648).
package enum Base64 {
    /// The usual alphabet, with padding.
    package static func encoded(_ bytes: [UInt8]) -> String {
        unsafe String(unsafeUninitializedCapacity: self.encodedCount(bytes.count)) { text in
            unsafe bytes.withUnsafeBytes { unsafe self.write($0, to: UnsafeMutableRawBufferPointer(text)) }
            return text.count
        }
    }

    /// How long the text of so many bytes is, with padding.
    package static func encodedCount(_ count: Int) -> Int { (count + 2) / 3 * 4 }

    /// Two letters for each number of twelve bits, in memory one after the other.
    private static let pairs: [UInt16] = {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        return (0..<4096).map { UInt16(littleEndian: UInt16(letters[$0 >> 6]) | UInt16(letters[$0 & 63]) << 8) }
    }()

    /// Writes the usual alphabet, with padding.
    ///
    /// - Parameter text: As long as ``encodedCount(_:)`` says.
    package static func write(_ bytes: UnsafeRawBufferPointer, to text: UnsafeMutableRawBufferPointer) {
        precondition(text.count == self.encodedCount(bytes.count))
        guard let start = bytes.baseAddress, let output = text.baseAddress else { return }
        let done = unsafe outbox_base64(
            start.assumingMemoryBound(to: UInt8.self), bytes.count, output.assumingMemoryBound(to: UInt8.self))
        unsafe self.write(bytes, from: done, to: text)
    }

    /// Writes what is left, on any processor.
    ///
    /// - Parameter place: How many bytes are written already, a multiple of 3.
    package static func write(_ bytes: UnsafeRawBufferPointer, from place: Int, to text: UnsafeMutableRawBufferPointer)
    {
        let pairs = self.pairs
        var (from, to) = (place, place / 3 * 4)
        // Six bytes at a time, out of the eight that one load has.
        while from + 8 <= bytes.count {
            let bits = unsafe UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: from, as: UInt64.self))
            for part in 0..<4 {
                let pair = pairs[Int(truncatingIfNeeded: bits >> (52 - 12 * part)) & 4095]
                unsafe text.storeBytes(of: pair, toByteOffset: to + 2 * part, as: UInt16.self)
            }
            from += 6
            to += 8
        }
        while from < bytes.count {
            let rest = min(3, bytes.count - from)
            let bits = (0..<rest).reduce(0) { unsafe $0 | Int(bytes[from + $1]) << (16 - 8 * $1) }
            unsafe text.storeBytes(of: pairs[bits >> 12], toByteOffset: to, as: UInt16.self)
            unsafe text.storeBytes(of: pairs[bits & 4095], toByteOffset: to + 2, as: UInt16.self)
            for place in rest..<3 { unsafe text[to + 1 + place] = UInt8(ascii: "=") }
            from += 3
            to += 4
        }
    }

    /// The alphabet for addresses and tokens, without padding.
    package static func encodedForURL(_ bytes: [UInt8]) -> String {
        String(
            self.encoded(bytes).compactMap { character -> Character? in
                switch character {
                case "+": "-"
                case "/": "_"
                case "=": nil
                default: character
                }
            })
    }

    /// The bytes of either alphabet, with padding or without; nil: it is neither.
    package static func decoded(_ text: String) -> [UInt8]? {
        var text = text.filter { $0 != "=" }.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
        while text.count % 4 != 0 { text.append("=") }
        return Data(base64Encoded: String(text)).map { Array($0) }
    }
}

/// Bytes as hexadecimal digits.
package enum Hexadecimal {
    /// Small letters, two a byte.
    package static func encoded(_ bytes: [UInt8]) -> String {
        String(decoding: self.bytes(bytes), as: UTF8.self)
    }

    /// The same as bytes.
    package static func bytes(_ bytes: [UInt8]) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: 2 * bytes.count) { text, count in
            for (place, byte) in bytes.enumerated() {
                unsafe text[2 * place] = self.digit(byte >> 4)
                unsafe text[2 * place + 1] = self.digit(byte & 15)
            }
            count = 2 * bytes.count
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value
    }
}
