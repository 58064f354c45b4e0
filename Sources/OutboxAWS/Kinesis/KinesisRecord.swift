import Outbox
import OutboxHTTP

/// A message as Kinesis takes it.
struct KinesisRecord: ServiceEntry, Hashable {
    let stream: String
    let partitionKey: String
    let explicitHashKey: String?
    let data: [UInt8]

    var target: String { self.stream }
    var isFIFO: Bool { false }
    var byteCount: Int { self.data.count + self.partitionKey.utf8.count }

    /// What a request may have in all, and a record of a stream whose limit was raised (since October 2025). Of another stream it is 1 MiB.
    static let maximumBytes = 10_485_760
    /// What several records have in all: what else the service counts is not documented.
    static let packedBytes = maximumBytes - 65_536

    /// - Throws: Why Kinesis would never take it.
    init(_ message: Message, _ configuration: KinesisConfiguration) throws(MessageRefusal) {
        let stream = try configuration.stream.part(of: message, "stream")
        guard Self.isStream(stream) else {
            throw MessageRefusal("“\(stream.prefix(150))” is no stream: \(Self.rule)", isOfTarget: true)
        }
        self.stream = stream
        let key =
            try configuration.partitionKey?.part(of: message, "partition key") ?? message.key ?? String(message.id)
        // As Java counts characters, which the service is written in.
        let isTaken = (1...256).contains(key.utf16.count)
        self.partitionKey = isTaken ? key : "sha256-" + Hexadecimal.encoded(Digest.sha256(Array(key.utf8)))
        self.explicitHashKey = try configuration.explicitHashKey?.part(of: message, "explicit hash key")
        if let number = self.explicitHashKey, !Self.isHashKey(number) {
            throw MessageRefusal("the explicit hash key “\(number.prefix(60))” is no number from 0 to 2^128 - 1")
        }
        self.data = configuration.content.isEnvelope ? MessageEnvelope.json(of: message) : message.payload
        guard self.byteCount <= Self.maximumBytes else {
            throw MessageRefusal("\(self.byteCount) bytes with its partition key; Kinesis takes \(Self.maximumBytes)")
        }
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
