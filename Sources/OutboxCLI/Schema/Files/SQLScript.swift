/// Divides a script into its statements.
enum SQLScript {
    /// The statements, in their order, without the semicolons behind them; a comment belongs to the statement that it precedes.
    ///
    /// Reads what is in migrations: literals, quoted names, comments to the end of a line, and texts between `$outbox$`, which
    /// no schema has in its name.
    static func statements(of script: String) -> [String] {
        let bytes = Array(script.utf8)
        var statements: [[UInt8]] = []
        var start = 0
        var hasContent = false
        var index = 0
        func find(_ end: [UInt8], from index: Int) -> Int {
            var index = index
            while index < bytes.count {
                if bytes[index...].starts(with: end) { return index + end.count }
                index += 1
            }
            return bytes.count
        }
        while index < bytes.count {
            let rest = bytes[index...]
            switch bytes[index] {
            case UInt8(ascii: ";"):
                statements.append(Array(bytes[start..<index]))
                index += 1
                start = index
                hasContent = false
            case UInt8(ascii: "-") where rest.starts(with: "--".utf8):
                index = find([UInt8(ascii: "\n")], from: index)
            case let quote where quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\""):
                // A doubled quote ends one text and begins the next.
                index = find([quote], from: index + 1)
                hasContent = true
            case UInt8(ascii: "$") where rest.starts(with: Self.dollar):
                index = find(Self.dollar, from: index + Self.dollar.count)
                hasContent = true
            case let byte:
                if byte > UInt8(ascii: " ") { hasContent = true }
                index += 1
            }
        }
        if hasContent { statements.append(Array(bytes[start...])) }
        return statements.map(self.trimmed)
    }

    private static let dollar = Array("$outbox$".utf8)

    private static func trimmed(_ bytes: [UInt8]) -> String {
        let isSpace = { (byte: UInt8) in byte <= UInt8(ascii: " ") }
        let tail = bytes.drop(while: isSpace)
        let end = tail.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? tail.startIndex
        return String(decoding: tail[..<end], as: UTF8.self)
    }
}
