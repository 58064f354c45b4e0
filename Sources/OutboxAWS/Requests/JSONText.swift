import OutboxRuntime

/// Bodies of small requests.
enum JSONText {
    /// An object of texts; those that are nil are left out.
    static func object(_ members: KeyValuePairs<String, String?>) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        for (name, value) in members {
            guard let value else { continue }
            writer.name(of: name)
            writer.string(value)
        }
        writer.endObject()
        return writer.take()
    }
}
