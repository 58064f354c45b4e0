import Foundation

/// What relays have written to a file, line by line, while they go on writing.
final class DeliveryFile {
    /// A message that was delivered.
    struct Item {
        let id: Int64
        let destination: String
        let key: String?
        /// The payload's words; see ``Writer``.
        let tag: Int64
        let number: Int?
    }

    let url: URL
    private var read: UInt64 = 0
    private var rest = Data()

    init(_ url: URL) {
        self.url = url
    }

    static func inTemporaryFolder() -> DeliveryFile {
        DeliveryFile(FileManager.default.temporaryDirectory.appendingPathComponent("outbox-stress-\(UUID()).ndjson"))
    }

    func remove() { try? FileManager.default.removeItem(at: self.url) }

    static func size(of url: URL) -> Int {
        (try? FileManager.default.attributesOfItem(atPath: url.path)[.size] as? Int) ?? 0
    }

    /// The complete lines that have been written since the last call. A relay that is killed while it writes leaves half a
    /// line, to which the next one appends.
    func newItems() throws -> [Item] {
        guard let handle = try? FileHandle(forReadingFrom: self.url) else { return [] }
        defer { try? handle.close() }
        try handle.seek(toOffset: self.read)
        guard let data = try handle.readToEnd(), !data.isEmpty else { return [] }
        self.read += UInt64(data.count)
        self.rest += data
        guard let end = self.rest.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
        let lines = self.rest[...end]
        self.rest = Data(self.rest[(end + 1)...])
        return lines.split(separator: UInt8(ascii: "\n")).compactMap { line in
            Self.item(String(decoding: line, as: UTF8.self))
        }
    }

    /// A line of the sink `file`, or one of ``handler``.
    private static func item(_ text: String) -> Item? {
        // Of a line that another process has appended to half a line, the end counts.
        if let start = text.range(of: #"{"id":"#, options: .backwards),
            let object = try? JSONSerialization.jsonObject(with: Data(text[start.lowerBound...].utf8))
                as? [String: Any],
            let id = object["id"] as? NSNumber, let destination = object["destination"] as? String,
            let payload = object["payload"] as? String
        {
            return Item(id.int64Value, destination, object["key"] as? String, payload)
        }
        let fields = text.split(separator: "|", omittingEmptySubsequences: false).suffix(4)
        guard fields.count == 4, let id = fields.first, let payload = fields.last else { return nil }
        let key = fields[fields.startIndex + 2]
        return Item(Int64(id) ?? 0, String(fields[fields.startIndex + 1]), key.isEmpty ? nil : String(key), String(payload))
    }
}

extension DeliveryFile.Item {
    fileprivate init?(_ id: Int64, _ destination: String, _ key: String?, _ payload: String) {
        let words = payload.split(separator: " ")
        guard let tag = words.first.flatMap({ Int64($0) }) else { return nil }
        self.init(
            id: id, destination: destination, key: key, tag: tag,
            number: words.count > 1 ? Int(words[1]) : nil)
    }
}
