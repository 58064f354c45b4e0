import Outbox
import OutboxHTTP
import OutboxRuntime

/// A message as Kinesis takes it, where it is not its key and its payload as they are.
final class KinesisRecord: Sendable {
    /// What it carries.
    private enum Content: Sendable {
        case payload(Message)
        case envelope([UInt8])
    }

    /// What a message becomes.
    final class Form: Sendable {
        let partitionKey: MessageTemplate?
        let explicitHashKey: MessageTemplate?
        let isEnvelope: Bool

        init(_ configuration: KinesisConfiguration) {
            self.partitionKey = configuration.partitionKey
            self.explicitHashKey = configuration.explicitHashKey
            self.isEnvelope = configuration.content.isEnvelope
            self.isPlain = configuration.partitionKey == nil && configuration.explicitHashKey == nil && !self.isEnvelope
        }

        /// Whether messages become their keys and payloads.
        let isPlain: Bool
    }

    /// What a message counts whose record is its key and its payload as they are, in a plain form; nil: its key has to be looked at.
    static func plainByteCount(of message: LentMessage) -> Int? {
        guard let key = unsafe message.key, (1...256).contains(key.count), unsafe ASCII.isAll(key) else { return nil }
        let count = unsafe message.payload.count + key.count
        return count <= self.maximumBytes ? count : nil
    }

    let partitionKey: String
    let explicitHashKey: String?
    private let content: Content
    let byteCount: Int

    /// Lends what it carries.
    func withData<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        switch self.content {
        case .payload(let message): unsafe message.withPayload(body)
        case .envelope(let bytes): unsafe bytes.withUnsafeBytes(body)
        }
    }

    /// What a request may have in all, and a record of a stream whose limit was raised (since October 2025). Of another stream it is 1 MiB.
    static let maximumBytes = 10_485_760
    /// What several records have in all: what else the service counts is not documented.
    static let packedBytes = maximumBytes - 65_536

    /// - Throws: Why Kinesis would never take it.
    init(_ message: Message, _ form: Form) throws(MessageRefusal) {
        let key =
            try form.partitionKey?.part(of: message, "partition key") ?? message.key ?? String(message.id)
        // As Java counts characters, which the service is written in.
        let isTaken = (1...256).contains(key.utf16.count)
        self.partitionKey = isTaken ? key : "sha256-" + Hexadecimal.encoded(Digest.sha256(Array(key.utf8)))
        self.explicitHashKey = try form.explicitHashKey?.part(of: message, "explicit hash key")
        if let number = self.explicitHashKey, !Self.isHashKey(number) {
            throw MessageRefusal("the explicit hash key “\(number.prefix(60))” is no number from 0 to 2^128 - 1")
        }
        self.content =
            form.isEnvelope ? .envelope(MessageEnvelope.json(of: message)) : .payload(message)
        let count =
            switch self.content {
            case .payload(let message): unsafe message.withPayload { $0.count }
            case .envelope(let bytes): bytes.count
            }
        self.byteCount = count + self.partitionKey.utf8.count
        guard self.byteCount <= Self.maximumBytes else {
            throw MessageRefusal("\(self.byteCount) bytes with its partition key; Kinesis takes \(Self.maximumBytes)")
        }
    }

    /// The text, as the name of a stream.
    ///
    /// - Throws: Why it can be none.
    static func checkedStream(_ text: String) throws(MessageRefusal) -> String {
        if self.isStream(text) { return text }
        throw MessageRefusal("“\(text.prefix(150))” is no stream: \(self.rule)", isOfTarget: true)
    }

    /// What a name is.
    static let rule = "a name is 1 to 128 letters, digits, hyphens, underscores and periods"

    /// Whether a text can be the name of a stream.
    static func isStream(_ name: String) -> Bool {
        (1...128).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }

    /// Whether a text is a number below 2^128.
    static func isHashKey(_ text: String) -> Bool {
        UInt128(text) != nil && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }
}
