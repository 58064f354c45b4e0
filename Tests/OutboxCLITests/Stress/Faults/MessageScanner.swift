/// Follows the messages of Postgres's protocol in one direction of a connection.
struct MessageScanner {
    /// A message that ended: its type, the first bytes of what it says, and where in the bytes that were given it ended.
    struct Message {
        let type: UInt8
        let head: [UInt8]
        let end: Int
    }

    /// A client's first message has no type.
    private var needsType: Bool
    private var header: [UInt8] = []
    private var head: [UInt8] = []
    /// How much of a message is still to come; nil: its length is not known yet.
    private var left: Int?

    init(isClient: Bool) {
        self.needsType = !isClient
    }

    /// - Returns: The messages that end within these bytes.
    mutating func take(_ bytes: ArraySlice<UInt8>) -> [Message] {
        var messages: [Message] = []
        var index = bytes.startIndex
        while index < bytes.endIndex {
            if let left = self.left {
                let count = min(left, bytes.endIndex - index)
                // Enough for the names of a portal and of a statement.
                self.head += bytes[index..<min(index + count, index + max(0, 80 - self.head.count))]
                index += count
                self.left = left - count
            } else {
                self.header.append(bytes[index])
                index += 1
                let typeLength = self.needsType ? 1 : 0
                if self.header.count < typeLength + 4 { continue }
                self.left = self.header.suffix(4).reduce(0) { $0 << 8 | Int($1) } - 4
            }
            if self.left == 0 {
                messages.append(Message(type: self.needsType ? self.header[0] : 0, head: self.head, end: index))
                self.needsType = true
                self.header = []
                self.head = []
                self.left = nil
            }
        }
        return messages
    }
}

extension MessageScanner.Message {
    /// Whether a client binds the values of a statement that it has prepared under that name.
    func binds(_ statement: String) -> Bool {
        if self.type != UInt8(ascii: "B") { return false }
        let parts = self.head.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
        return parts.count > 1 && parts[1].elementsEqual(statement.utf8)
    }
}
