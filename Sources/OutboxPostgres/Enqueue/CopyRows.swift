import Outbox

/// Messages in the binary format of `COPY` (its reference page in the manual of Postgres, "Binary Format").
struct CopyRows {
    /// How many bytes are worth sending.
    private static let chunkSize = 1 << 16

    private let segment: Int16
    private let columns: [MessageColumn]
    private var buffer: [UInt8]

    /// - Parameter columns: Those of the statement copy_messages, but for the segment, which is its first.
    init(segment: Int16, columns: [MessageColumn]) {
        self.segment = segment
        self.columns = columns
        self.buffer = Array("PGCOPY\n".utf8) + [0xFF, UInt8(ascii: "\r"), UInt8(ascii: "\n"), 0]
        self.buffer.append(bigEndian: Int32(0)) // flags
        self.buffer.append(bigEndian: Int32(0)) // the length of a header extension
    }

    /// Appends a message.
    ///
    /// - Throws: What Postgres could not store of one that has not been checked.
    mutating func append(_ message: NewMessage) throws(InvalidMessage) {
        self.buffer.append(bigEndian: Int16(1 + self.columns.count))
        self.buffer.append(bigEndian: Int32(2))
        self.buffer.append(bigEndian: self.segment)
        for column in self.columns {
            do throws(LibPQError) {
                try self.buffer.append(field: column.value?(message) ?? .null)
            } catch {
                throw InvalidMessage(field: column.name, reason: error.storage.message)
            }
        }
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
}
