import Foundation
import OutboxRuntime
import Testing

@Suite(.timeLimit(.minutes(5))) struct JSONWriterTests {
    /// Beside Foundation's reader: each string is read as what was written, whatever stands where in it.
    @Test func stringsAreReadAsTheyWereWritten() throws {
        var random = SystemRandomNumberGenerator()
        let special = "\"\\\n\r\t\u{0}\u{1}\u{1F}\u{20}\u{7F}ü漢🙂/".unicodeScalars.map { $0 }
        for round in 0..<2000 {
            var text = String.UnicodeScalarView()
            // Long ones are escaped in pieces.
            for _ in 0..<(round % 10 == 0 ? Int.random(in: 240...800, using: &random) : round % 50) {
                text.append(Int.random(in: 0..<4, using: &random) == 0 ? special.randomElement(using: &random)! : "x")
            }
            var writer = JSONWriter(capacity: round % 7)
            writer.string(String(text))
            let bytes = writer.take()
            #expect(try JSONDecoder().decode(String.self, from: Data(bytes)) == String(text))
            #expect(!bytes.contains { $0 < 0x20 })
        }
    }

    @Test(arguments: [0, 9, 10, 99, 100, -1, -10, .min, .max])
    func numbersAreWrittenInDigits(_ number: Int64) {
        var writer = JSONWriter()
        writer.beginArray()
        writer.integer(number)
        writer.literal(",\"n-")
        writer.part(integer: number)
        writer.literal("\"")
        writer.endArray()
        #expect(String(decoding: writer.take(), as: UTF8.self) == "[\(number),\"n-\(number)\"]")
    }

    @Test func aPlainStringIsFilledInPlace() {
        var writer = JSONWriter()
        writer.beginArray()
        unsafe writer.string(plainCount: 3) { unsafe $0.copyBytes(from: Array("abc".utf8)) }
        unsafe writer.string(plainCount: 0) { unsafe #expect($0.isEmpty) }
        writer.endArray()
        #expect(String(decoding: writer.take(), as: UTF8.self) == #"["abc",""]"#)
    }
}
