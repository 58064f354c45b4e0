import Outbox
import OutboxHTTP

/// Which of a message's headers are sent as headers of the request, and under which names.
struct HeaderRule: Sendable {
    private let exact: Set<String>
    /// What names may begin with; without the asterisk.
    private let prefixes: [String]
    private let prefix: String

    /// - Parameters:
    ///   - names: Names of headers, `x-*` for those that begin so, and `*` for all.
    ///   - prefix: What is put before the names of those that are sent, but for the trace context's.
    init(_ names: [String], prefix: String) throws(TransportConfigurationError) {
        var exact: Set<String> = []
        var prefixes: [String] = []
        for name in names {
            let name = name.lowercased()
            let plain = name.hasSuffix("*") ? String(name.dropLast()) : name
            guard Self.isName(plain) || plain.isEmpty && name == "*", !plain.contains("*") else {
                throw TransportConfigurationError("“headers” has names of headers, such as x-tenant, x-* or *")
            }
            if name.hasSuffix("*") {
                prefixes.append(plain)
            } else if prefix.isEmpty, Self.isReserved(name) {
                throw TransportConfigurationError("the header “\(name)” cannot come from a message")
            } else {
                exact.insert(name)
            }
        }
        guard prefix.isEmpty || Self.isName(prefix), !Self.isReserved(prefix.lowercased() + "x") else {
            throw TransportConfigurationError("“header_prefix” begins the name of a header, such as x-event-")
        }
        self.exact = exact
        self.prefixes = prefixes
        self.prefix = prefix
    }

    /// The headers to be sent.
    ///
    /// - Throws: What names a header that is asked for by its own name, or a value that would end the header.
    func headers(of message: [String: String]) throws(MessageRefusal) -> [HTTPHeader] {
        var headers: [HTTPHeader] = []
        for (name, value) in message.sorted(by: { $0.key < $1.key }) {
            let lower = name.lowercased()
            guard self.exact.contains(lower) || self.prefixes.contains(where: { lower.hasPrefix($0) }) else { continue }
            let sentName = Self.traceContext.contains(lower) ? name : self.prefix + name
            if !Self.isName(sentName) || Self.isReserved(sentName.lowercased()) { continue }
            if let defect = Self.defect(of: value) {
                throw MessageRefusal(reason: "the header “\(name)” \(defect)")
            }
            headers.append(HTTPHeader(sentName, value))
        }
        return headers
    }

    /// What keeps a value from being one of a header; nil: nothing.
    static func defect(of value: String) -> String? {
        let isRefused = value.utf8.contains { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7F }
        return isRefused ? "has a line break or another control character" : nil
    }

    static func isName(_ name: String) -> Bool { !name.isEmpty && name.utf8.allSatisfy(HTTPHeader.isTokenByte) }

    /// Names that say something of the connection or the request itself, that others rely on to be the sender's, or that this transport
    /// writes.
    ///
    /// - Parameter name: In small letters.
    static func isReserved(_ name: String) -> Bool {
        self.reserved.contains(name) || self.reservedPrefixes.contains { name.hasPrefix($0) }
    }

    private static let reservedPrefixes = ["proxy-", "webhook-", "ce-", "sec-", "x-forwarded-"]
    private static let reserved: Set<String> = [
        // Of the connection (RFC 9110, 7.6.1), and of how the body is divided.
        "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings", "content-length",
        "content-encoding", "expect",
        // Of the request.
        "host", "date", "via", "content-type", "accept-encoding", "user-agent", "idempotency-key",
        // With which the receiver decides who it is.
        "authorization", "cookie", "forwarded", "x-real-ip",
    ]
    /// Whether a header says who the sender is, by something that a receiver could use as well.
    ///
    /// - Parameter name: In small letters.
    static func isCredential(_ name: String) -> Bool {
        ["authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"].contains(name)
    }

    private static let traceContext: Set<String> = ["traceparent", "tracestate", "baggage"]
}
