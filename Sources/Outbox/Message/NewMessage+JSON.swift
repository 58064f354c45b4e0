import OutboxRuntime

extension NewMessage {
    /// The headers as the text of a JSON object, by name; nil where there are none.
    package var headersJSON: String? {
        if self.headers.isEmpty { return nil }
        var json = JSONWriter()
        json.beginObject()
        for (name, value) in self.headers.sorted(by: { $0.key < $1.key }) {
            json.name(of: name)
            json.string(value)
        }
        json.endObject()
        return String(decoding: json.bytes, as: UTF8.self)
    }
}
