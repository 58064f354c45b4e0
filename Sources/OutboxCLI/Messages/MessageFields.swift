import Outbox
import OutboxPostgres
import OutboxRuntime
import Subprocess

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What the program shows of a message, beside its number and its payload: in the lines that `outbox relay` writes, to a command,
/// and of one that was not delivered. ``MessageLine`` reads the same.
struct MessageFields {
    let destination: String
    let route: String?
    let key: String?
    /// As the server wrote them, which is on one line.
    let headersJSON: String?
    let createdAt: Date

    /// What is in a line and in the environment of a command, as the help of `relay` says it.
    static let lineHelp = """
        id, destination, route, key,
                        headers, created_at, attempt, payload (payload_base64
                        where it is not UTF-8)
        """
    static let variableHelp = """
        OUTBOX_ID, OUTBOX_DESTINATION, OUTBOX_ROUTE,
                        OUTBOX_KEY, OUTBOX_ATTEMPT, OUTBOX_HEADERS (JSON)
        """

    init(_ message: Message) {
        self.destination = message.destination.name
        self.route = message.route
        self.key = message.key
        self.headersJSON = message.headersJSON ?? "{}"
        self.createdAt = message.createdAt
    }

    init(_ message: some FailedMessage) {
        self.destination = message.destination.name
        self.route = message.route
        self.key = message.key
        self.headersJSON = message.headersJSON
        self.createdAt = message.createdAt
    }

    /// As members of a JSON object.
    func write(into json: inout JSONWriter) {
        json.name("destination")
        json.string(self.destination)
        json.name("route")
        json.string(self.route)
        json.name("key")
        json.string(self.key)
        json.name("headers")
        json.raw(self.headersJSON ?? "null")
        json.name("created_at")
        json.string(RFC3339.text(self.createdAt))
    }

    /// As lines for people: a name and a value.
    var lines: [(String, String)] {
        [
            ("destination", self.destination), ("route", self.route ?? "-"), ("key", self.key ?? "-"),
            ("headers", self.headersJSON ?? "-"), ("created at", RFC3339.text(self.createdAt)),
        ]
    }

    /// As environment variables of a command.
    var variables: [Subprocess.Environment.Key: String?] {
        [
            "OUTBOX_DESTINATION": self.destination, "OUTBOX_ROUTE": self.route ?? "", "OUTBOX_KEY": self.key ?? "",
            "OUTBOX_HEADERS": self.headersJSON ?? "{}",
        ]
    }
}

extension JSONWriter {
    /// Writes a message as a line.
    mutating func line(_ message: Message) {
        self.beginObject()
        self.name("id")
        self.integer(message.id)
        MessageFields(message).write(into: &self)
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
