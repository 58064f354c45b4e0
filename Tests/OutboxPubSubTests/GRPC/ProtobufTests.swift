import Testing

@testable import OutboxPubSub

@Suite(.timeLimit(.minutes(1))) struct ProtobufTests {
    @Test func fieldsAreReadAsTheyWereWritten() throws {
        var inner = ProtobufWriter()
        inner.string(always: 1, "")
        inner.string(always: 2, "ü")
        var writer = ProtobufWriter()
        writer.string(1, "text")
        writer.string(2, "")
        writer.head(3, length: inner.bytes.count)
        writer.written(inner.bytes[...])
        writer.string(2000, String(repeating: "x", count: 300))
        var reader = ProtobufReader(writer.bytes[...])
        var fields: [Int: ProtobufReader.Value] = [:]
        while let (field, value) = try reader.next() { fields[field] = value }
        #expect(fields.keys.sorted() == [1, 3, 2000])
        #expect(fields[1]?.text == "text" && fields[2000]?.text?.count == 300)
        // Tag 1 with nothing, tag 2 with two bytes.
        #expect(fields[3] == .bytes([0x0A, 0, 0x12, 2, 0xC3, 0xBC]))
    }

    @Test func sizesAreThoseThatAreWritten() {
        for length in [1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152] {
            for field in [1, 15, 16, 2047, 2048] {
                var writer = ProtobufWriter()
                writer.string(field, String(repeating: "x", count: length))
                #expect(ProtobufWriter.size(field: field, length: length) == writer.bytes.count)
            }
        }
    }

    @Test(
        arguments: [
            [0x0A], [0x0A, 5, 1], [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], [0x00], [0x0B, 1],
            [0x0C],
            [0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2], [0x08, 0x80], [0x09, 1, 2], [0x0D, 1],
        ] as [[UInt8]])
    func whatIsNoMessageIsRefused(bytes: [UInt8]) {
        #expect(throws: ProtobufReader.Malformed.self) {
            var reader = ProtobufReader(bytes[...])
            while try reader.next() != nil {}
        }
    }

    @Test func bytesAtRandomEndTheReader() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0..<40, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            var reader = ProtobufReader(bytes[...])
            var count = 0
            while let _ = try? reader.next() { count += 1 }
            #expect(count <= bytes.count)
            if let count = PubSubRequest.plainCount(bytes[...]) {
                #expect(PubSubRequest.readCount(bytes[...]) == count, "\(bytes)")
            }
        }
    }

    /// The short way to read an answer says what the long one says, or nothing.
    @Test func idsAreCountedOneByOne() {
        for (ids, isPlain) in [
            ([], true), (["1"], true), ((1...500).map { "1876543210\($0)" }, true), (["", "2"], true), (["é"], false),
            ([String(repeating: "1", count: 128)], false),
        ] as [([String], Bool)] {
            var writer = ProtobufWriter()
            for id in ids { writer.string(always: 1, id) }
            #expect(PubSubRequest.plainCount(writer.bytes[...]) == (isPlain ? ids.count : nil))
            #expect(PubSubRequest.publishedCount(writer.bytes[...]) == ids.count)
            #expect(ids.isEmpty || PubSubRequest.publishedCount(writer.bytes.dropLast()) == nil || ids == ["", "2"])
            writer.string(always: 2, "x")
            #expect(PubSubRequest.publishedCount(writer.bytes[...]) == ids.count)
        }
        #expect(PubSubRequest.plainCount([10]) == nil && PubSubRequest.plainCount([10, 2, 65]) == nil)
    }
}
