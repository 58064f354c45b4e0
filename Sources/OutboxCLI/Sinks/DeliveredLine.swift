import Outbox

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension JSONWriter {
    /// Writes a message as a line.
    mutating func line(_ message: Message) {
        self.beginObject()
        self.name("id")
        self.integer(message.id)
        self.name("destination")
        self.string(message.destination.name)
        self.name("route")
        self.string(message.route)
        self.name("key")
        self.string(message.key)
        self.name("headers")
        // As the server wrote it, which is on one line.
        self.raw(message.headersJSON)
        self.name("created_at")
        self.string(Timestamp.text(message.createdAt))
        self.name("attempt")
        self.integer(message.attempt)
        unsafe message.withPayload { payload in unsafe self.payload(payload) }
        self.endObject()
        self.newline()
    }

    /// Writes a payload: as a string where it is UTF-8, else in base64.
    mutating func payload(_ payload: UnsafeRawBufferPointer) {
        if unsafe Self.isUTF8(payload) {
            self.name("payload")
            unsafe self.string(utf8: payload)
        } else {
            self.name("payload_base64")
            self.raw(unsafe "\"" + Data(payload).base64EncodedString() + "\"")
        }
    }

    private static func isUTF8(_ payload: UnsafeRawBufferPointer) -> Bool {
        // Most payloads are ASCII, which is faster to see.
        if unsafe payload.allSatisfy({ $0 < 0x80 }) { return true }
        return unsafe String(validating: payload, as: UTF8.self) != nil
    }
}

extension Message {
    /// The headers as a JSON object.
    var headersJSON: String { self.page.headersJSON(at: self.row) ?? "{}" }
}
