import Outbox
import OutboxTesting
import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct SQSEntryTests {
    private func entry(
        _ new: NewMessage, queue: MessageTemplate = "orders", _ content: SQSConfiguration.Content = .init()
    ) throws -> SQSEntry {
        let messages = LentBatch(MessageBatch([new]))
        let table = self.table(messages, queue, content)
        if let refusal = table.list.refusal(at: 0) { throw refusal }
        // One that is sent as it is has none.
        let entry = try SQSEntry(messages.batch[0], to: SQSQueue(table.list.targets[0]), content)
        #expect(table.list.byteCount(at: 0) == entry.byteCount)
        return table.entry(at: 0) ?? entry
    }

    private func table(
        _ messages: LentBatch, _ queue: MessageTemplate, _ content: SQSConfiguration.Content = .init()
    ) -> EntryTable<SQSEntry> {
        SendMessageBatch(queue: queue, content: content).table(of: messages)
    }

    private func refusal(
        _ new: NewMessage, queue: MessageTemplate = "orders", _ content: SQSConfiguration.Content = .init()
    ) -> String {
        do {
            _ = try self.entry(new, queue: queue, content)
            return ""
        } catch {
            return (error as? MessageRefusal)?.reason ?? "\(error)"
        }
    }

    // MARK: Text

    @Test(arguments: [
        "\t", "\n", "\r", " ", "\u{7F}", "\u{D7FF}", "\u{E000}", "\u{FFFD}", "\u{10000}", "\u{10FFFF}", "ü",
        "\u{1FFFE}",
    ])
    func takesTheCharactersThatSQSTakes(_ text: String) throws { #expect(try self.entry(.text(text)).body == text) }

    @Test(arguments: [
        "\u{0}", "\u{1}", "\u{8}", "\u{B}", "\u{C}", "\u{E}", "\u{1F}", "\u{FFFE}", "\u{FFFF}", "a\u{FFFF}b",
    ])
    func refusesOthers(_ text: String) throws {
        #expect(self.refusal(.text(text)).contains("encoding=base64"))
        #expect(try self.entry(.text(text), .init(encoding: .base64)).body.isEmpty == false)
        #expect(SQSText.isText(try self.entry(.text(text), .init(encoding: .envelope)).body))
    }

    /// The quick look at bytes and the one at characters agree.
    @Test func plainBytesAreText() {
        var random = SystemRandomNumberGenerator()
        let usual: [UInt8] = [0x09, 0x0A, 0x0D, 0x20, 0x22, 0x41, 0x5C, 0x7E, 0x7F]
        var plain = 0
        for round in 0..<4000 {
            var bytes = (0..<round % 40).map { _ in usual.randomElement(using: &random)! }
            if round % 2 == 1, let place = bytes.indices.randomElement(using: &random) {
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
            let text = String(validating: bytes, as: UTF8.self)
            let isPlain = unsafe bytes.withUnsafeBytes { unsafe SQSText.isPlain($0) }
            #expect(
                isPlain == (text.map { $0.utf8.allSatisfy { $0 < 0x80 } && SQSText.isText($0) } ?? false), "\(bytes)")
            let taken = unsafe bytes.withUnsafeBytes { unsafe SQSText.text($0) }
            #expect(taken == text.flatMap { SQSText.isText($0) ? $0 : nil })
            plain += isPlain ? 1 : 0
        }
        #expect(plain > 1000)
    }

    @Test func refusesWhatIsNoText() throws {
        let message = NewMessage(to: "orders", payload: [0xFF, 0xFE])
        #expect(self.refusal(message).contains("encoding=base64"))
        #expect(try self.entry(message, .init(encoding: .base64)).body == "//4=")
        let envelope = try EnvelopeReader(.init(try self.entry(message, .init(encoding: .envelope)).body.utf8))
        #expect(envelope.bytes == [0xFF, 0xFE])
    }

    @Test func refusesAnEmptyPayload() throws {
        #expect(self.refusal(.text("")).contains("empty"))
        #expect(self.refusal(.text(""), .init(encoding: .base64)).contains("empty"))
        #expect(
            try EnvelopeReader(.init(try self.entry(.text(""), .init(encoding: .envelope)).body.utf8)).bytes.isEmpty)
    }

    @Test func anEnvelopeHasAllOfAMessage() throws {
        let entry = try self.entry(
            .text("a\"\n", key: "k", headers: ["b": "", "c d": "ö\u{1}"]), .init(encoding: .envelope))
        let envelope = try EnvelopeReader(.init(entry.body.utf8))
        #expect(envelope.payload == "a\"\n" && envelope.key == "k" && envelope.route == "orders")
        #expect(envelope.headers == ["b": "", "c d": "ö\u{1}"])
        #expect(entry.attributes == [SQSAttribute(name: "outbox-id", value: "\(envelope.id)")])
        #expect(envelope.enqueuedAt == 1_700_000_000_000)
    }

    @Test func refusesWhatIsTooLargeWithItsAttributes() throws {
        let own = 9 + 6 + 1
        #expect(
            try self.entry(.text(String(repeating: "a", count: SQSEntry.maximumBytes)), .init(idAttribute: nil))
                .byteCount == 1_048_576)
        #expect(self.refusal(.text(String(repeating: "a", count: SQSEntry.maximumBytes - own + 30))).contains("bytes"))
        #expect(self.refusal(.text("a", headers: ["b": String(repeating: "c", count: 1_048_576)])).contains("bytes"))
    }

    // MARK: Attributes

    @Test func headersAreAttributes() throws {
        let entry = try self.entry(
            .text("a", headers: ["traceparent": "00-1", "B": "ö"]), .init(enqueuedAtAttribute: "at"))
        #expect(entry.attributes.map(\.name) == ["outbox-id", "at", "B", "traceparent"])
        #expect(entry.attributes.map(\.value).dropFirst() == ["1700000000000", "ö", "00-1"])
    }

    private static func headers(_ count: Int) -> [String: String] {
        Dictionary(uniqueKeysWithValues: (0..<count).map { ("h\($0)", "v\($0)") })
    }

    @Test func asManyAsFit() throws {
        #expect(try self.entry(.text("a", headers: Self.headers(9))).attributes.count == 10)
        #expect(self.refusal(.text("a", headers: Self.headers(10))).contains("11 attributes"))
        #expect(try self.entry(.text("a", headers: Self.headers(10)), .init(idAttribute: nil)).attributes.count == 10)
        #expect(try self.entry(.text("a", headers: Self.headers(30)), .init(headers: .none)).attributes.count == 1)
    }

    @Test(arguments: [
        ["a b": "x"], ["AWS.x": "x"], ["amazon.x": "x"], [".x": "x"], ["x.": "x"], ["x..y": "x"], ["ö": "x"], ["x": ""],
        ["x": "\u{0}"], [String(repeating: "n", count: 257): "x"],
    ])
    func refusesWhatIsNoAttribute(_ headers: [String: String]) throws {
        #expect(self.refusal(.text("a", headers: headers)).contains("headers=folded"))
        let folded = try self.entry(.text("a", headers: headers), .init(headers: .folded)).attributes
        #expect(folded.map(\.name) == ["outbox-id", "outbox-headers"])
    }

    @Test func theRestIsFolded() throws {
        let attributes = try self.entry(.text("a", headers: Self.headers(10)), .init(headers: .folded)).attributes
        #expect(attributes.count == 10)
        #expect(attributes.last == SQSAttribute(name: "outbox-headers", value: #"{"h8":"v8","h9":"v9"}"#))
        #expect(self.refusal(.text("a", headers: ["b c": "\u{FFFF}"]), .init(headers: .folded)).contains("U+FFFE"))
        // What fits is not folded.
        #expect(
            try self.entry(.text("a", headers: Self.headers(9)), .init(headers: .folded)).attributes.last?.name == "h8")
    }

    // MARK: FIFO

    @Test func aFIFOQueueHasGroupsByKey() throws {
        let entry = try self.entry(.text("a", key: "customer-1"), queue: "orders.fifo")
        #expect(entry.group == "customer-1" && entry.delay == nil)
        #expect(entry.deduplicationID == "\(entry.attributes[0].value)-1700000000000")
        let other = try self.entry(.text("a"), queue: "orders.fifo")
        #expect(other.group == other.attributes[0].value)
        let standard = try self.entry(.text("a", key: "k"))
        #expect(standard.group == nil && standard.deduplicationID == nil)
        #expect(try self.entry(.text("a", key: "k"), .init(group: "{key}")).group == "k")
    }

    @Test(arguments: ["", " ", "a b", "ключ", "a\n", String(repeating: "k", count: 129)])
    func aKeyThatIsNoGroupIsHashed(_ key: String) {
        let group = SQSEntry.identifier(key)
        #expect(group.hasPrefix("sha256-") && group.utf8.count == 71)
        #expect(group == SQSEntry.identifier(key) && group != SQSEntry.identifier(key + "x"))
    }

    @Test(arguments: ["a", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", String(repeating: "k", count: 128)])
    func aKeyThatIsAGroupStays(_ key: String) { #expect(SQSEntry.identifier(key) == key) }

    // MARK: Queue and delay

    @Test func theQueueIsATemplatesText() throws {
        let messages = LentBatch(MessageBatch([NewMessage.text("a"), .text("a", route: "b"), .text("b")]))
        let table = self.table(messages, "{route}.fifo")
        #expect(
            table.list.targets == ["orders.fifo", "b.fifo"] && (0..<3).map { table.list.target(at: $0) } == [0, 1, 0])
        #expect(table.hasFIFO && !self.table(messages, "{route}").hasFIFO)
        #expect(self.refusal(.text("a", route: nil), queue: "{route}").contains("no route"))
        #expect(self.refusal(.text("a", route: "a b"), queue: "{route}").contains("is no queue"))
        let url = self.table(messages, "https://h/1/{route}.fifo")
        #expect(url.list.targets == ["https://h/1/orders.fifo", "https://h/1/b.fifo"] && url.hasFIFO)
    }

    @Test func aDelay() throws {
        #expect(try self.entry(.text("a"), .init(delay: "30s")).delay == 30)
        #expect(try self.entry(.text("a", headers: ["sqs-delay": "1500ms"]), .init(delay: "30s")).delay == 2)
        #expect(try self.entry(.text("a", headers: ["sqs-delay": "0"])).attributes.count == 1, "it is not delivered")
        #expect(self.refusal(.text("a", headers: ["sqs-delay": "16m"])).contains("15 minutes"))
        #expect(self.refusal(.text("a", headers: ["sqs-delay": "soon"])).contains("15 minutes"))
        #expect(self.refusal(.text("a", headers: ["sqs-delay": "1s"]), queue: "o.fifo").contains("FIFO"))
    }
}
