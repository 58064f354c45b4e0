import Outbox

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension NewMessage {
    /// The headers as the text of a JSON object, by name; nil where there are none.
    var headersJSON: String? {
        if self.headers.isEmpty { return nil }
        var json: [UInt8] = [UInt8(ascii: "{")]
        for (name, value) in self.headers.sorted(by: { $0.key < $1.key }) {
            if json.count > 1 { json.append(UInt8(ascii: ",")) }
            json.append(jsonString: name)
            json.append(UInt8(ascii: ":"))
            json.append(jsonString: value)
        }
        json.append(UInt8(ascii: "}"))
        return String(decoding: json, as: UTF8.self)
    }

    /// `deliverAt` in microseconds since 2000, as Postgres counts.
    ///
    /// - Throws: If Postgres has no such time: it knows those from 4714 BC to 294276.
    func deliverAtMicroseconds() throws(InvalidMessage) -> Int64? {
        guard let deliverAt = self.deliverAt else { return nil }
        let seconds = deliverAt.timeIntervalSinceReferenceDate + LibPQValue.secondsBetweenEpochs
        guard (-211_813_488_000..<9_223_371_331_200).contains(seconds) else {
            throw InvalidMessage(field: "deliverAt", reason: "is before 4714 BC or after 294276")
        }
        return Int64((seconds * 1_000_000).rounded())
    }
}

extension [UInt8] {
    /// Appends a string of JSON (RFC 8259): quoted; quotes, backslashes and control characters escaped.
    fileprivate mutating func append(jsonString text: String) {
        self.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                self.append(UInt8(ascii: "\\"))
                self.append(byte)
            case 0..<0x20:
                self.append(contentsOf: "\\u00".utf8)
                self.append(Self.hexadecimal[Int(byte >> 4)])
                self.append(Self.hexadecimal[Int(byte & 15)])
            default:
                self.append(byte)
            }
        }
        self.append(UInt8(ascii: "\""))
    }

    private static let hexadecimal = Array("0123456789abcdef".utf8)
}
