#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Bytes as text (RFC 4648).
package enum Base64 {
    /// The usual alphabet, with padding.
    package static func encoded(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

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
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(2 * bytes.count)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
