import Outbox

/// Messages in the binary format of `COPY` (its reference page in the manual of Postgres, "Binary Format").
struct CopyRows {
    /// How many bytes are worth sending.
    private static let chunkSize = 1 << 16

    private let segment: Int16
    private var buffer: [UInt8]

    init(segment: Int16) {
        self.segment = segment
        self.buffer = Array("PGCOPY\n".utf8) + [0xFF, UInt8(ascii: "\r"), UInt8(ascii: "\n"), 0]
        self.buffer.append(bigEndian: Int32(0)) // flags
        self.buffer.append(bigEndian: Int32(0)) // the length of a header extension
    }

    /// Appends a message that has been checked: the columns of the statement copy_messages.
    mutating func append(_ message: NewMessage) throws(InvalidMessage) {
        let deliverAt = try message.deliverAtMicroseconds()
        self.buffer.append(bigEndian: Int16(8))
        self.buffer.append(bigEndian: Int32(2))
        self.buffer.append(bigEndian: self.segment)
        self.append(text: message.destination.name)
        self.append(text: message.route)
        self.append(text: message.key)
        self.append(jsonb: message.headersJSON)
        self.append(integer: deliverAt)
        self.append(jsonb: message.options.json)
        self.buffer.append(bigEndian: Int32(message.payload.count))
        self.buffer.append(contentsOf: message.payload)
    }

    /// What has gathered, if it is worth sending.
    mutating func takeChunk() -> [UInt8]? {
        if self.buffer.count < Self.chunkSize { return nil }
        defer {
            self.buffer = []
            self.buffer.reserveCapacity(Self.chunkSize * 2)
        }
        return self.buffer
    }

    /// What is left, and the end.
    consuming func finish() -> [UInt8] {
        self.buffer.append(bigEndian: Int16(-1))
        return self.buffer
    }

    private mutating func append(text: String?) {
        guard let text else { return self.appendNull() }
        self.buffer.append(bigEndian: Int32(text.utf8.count))
        self.buffer.append(contentsOf: text.utf8)
    }

    private mutating func append(jsonb text: String?) {
        guard let text else { return self.appendNull() }
        self.buffer.append(bigEndian: Int32(text.utf8.count + 1))
        self.buffer.append(1) // the version of jsonb's binary format
        self.buffer.append(contentsOf: text.utf8)
    }

    private mutating func append(integer: Int64?) {
        guard let integer else { return self.appendNull() }
        self.buffer.append(bigEndian: Int32(8))
        self.buffer.append(bigEndian: integer)
    }

    private mutating func appendNull() {
        self.buffer.append(bigEndian: Int32(-1))
    }
}
