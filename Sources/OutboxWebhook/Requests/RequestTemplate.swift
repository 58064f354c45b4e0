import Outbox
import OutboxHTTP

/// How a message becomes a request.
struct RequestTemplate: Sendable {
    let address: AddressTemplate
    private let method: String
    private let id: MessageTemplate
    private let contentType: String
    /// Of every request, by name.
    private let fixedHeaders: [(name: String, value: MessageTemplate)]
    private let fixedNames: Set<String>
    private let authorization: String?
    private let headerRule: HeaderRule
    private let idempotencyHeader: String?
    private let maximumSize: Int
    private let keys: KeyRing
    private let events: EventTemplate?

    init(_ configuration: WebhookConfiguration) throws(TransportConfigurationError) {
        let request = configuration.request
        self.address = try AddressTemplate(configuration.address, hosts: configuration.hosts)
        self.method = request.method.name
        guard request.id.hasID else {
            throw TransportConfigurationError(
                "the message’s id (“id”) contains {id}, by which the receiver knows what came twice")
        }
        if request.id.literals.contains(where: { $0.contains(".") }) {
            throw TransportConfigurationError(
                "the message’s id (“id”) has no full stop, which ends it in what is signed")
        }
        if !request.id.literals.allSatisfy({ $0.utf8.allSatisfy(Self.isPartOfID) }) {
            throw TransportConfigurationError("the message’s id (“id”) is ASCII without spaces, as it is a header")
        }
        self.id = request.id
        self.contentType = request.contentType
        guard HeaderRule.defect(of: request.contentType) == nil, request.contentType.contains("/") else {
            throw TransportConfigurationError("the content’s type is one such as application/json")
        }
        self.headerRule = try HeaderRule(request.messageHeaders, prefix: request.messageHeaderPrefix)
        self.fixedHeaders = request.headers.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
        let idNames = request.idempotencyHeader.map { [$0] } ?? []
        // A message has no say in these.
        self.fixedNames = Set((request.headers.keys + idNames).map { $0.lowercased() })
        self.idempotencyHeader = request.idempotencyHeader
        self.maximumSize = request.maximumMessageSize
        self.authorization = configuration.credentials?.authorization
        self.keys = try KeyRing(configuration.signing)
        self.events = try configuration.cloudEvents.map { events throws(TransportConfigurationError) in
            try EventTemplate(events)
        }
        try self.checkHeaders(hasCredentials: configuration.credentials != nil)
    }

    private func checkHeaders(hasCredentials: Bool) throws(TransportConfigurationError) {
        let ownNames: Set<String> = [
            "connection", "content-length", "content-type", "expect", "host", "te", "trailer", "transfer-encoding",
            "upgrade",
        ]
        let isForOneHost = self.address.hasConstantHost
        for (name, value) in self.fixedHeaders {
            let lower = name.lowercased()
            if !HeaderRule.isName(name) {
                throw TransportConfigurationError("a header of every request has a name that no header can have")
            }
            if ownNames.contains(lower) || lower.hasPrefix("webhook-") || lower.hasPrefix(CloudEvent.prefix) {
                throw TransportConfigurationError("the header “\(name)” is the transport’s own")
            }
            if !isForOneHost, HeaderRule.isCredential(lower) {
                throw TransportConfigurationError(
                    "the header “\(name)” would be shown to every host that a message names; with such a host, sign instead"
                )
            }
            if value.literals.contains(where: { HeaderRule.defect(of: $0) != nil }) {
                throw TransportConfigurationError("the header “\(name)” has a line break or another control character")
            }
        }
        try self.checkIdempotencyHeader(ownNames)
        if let authorization, HeaderRule.defect(of: authorization) != nil {
            throw TransportConfigurationError("the token has a line break or another control character")
        }
        if hasCredentials, self.fixedHeaders.contains(where: { $0.name.lowercased() == "authorization" }) {
            throw TransportConfigurationError("“Authorization” is given twice, as a header and as a user or a token")
        }
        if hasCredentials, !self.address.hasConstantHost {
            throw TransportConfigurationError(
                "a user or a token would be shown to every host that a message names; with such a host, sign instead")
        }
    }

    private func checkIdempotencyHeader(_ ownNames: Set<String>) throws(TransportConfigurationError) {
        guard let name = self.idempotencyHeader else { return }
        let lower = name.lowercased()
        if !HeaderRule.isName(name) || ownNames.contains(lower) || HeaderRule.isCredential(lower)
            || lower.hasPrefix("webhook-") || lower.hasPrefix(CloudEvent.prefix)
        {
            throw TransportConfigurationError(
                "the header with the id (“idempotency_header”) has a name that it cannot have")
        }
        if self.fixedHeaders.contains(where: { $0.name.lowercased() == lower }) {
            throw TransportConfigurationError(
                "the header with the id (“idempotency_header”) is given twice, as a header of every request too")
        }
    }

    /// The request for a message, and where it goes.
    ///
    /// - Parameter seconds: The time at which it is sent, in seconds since 1970.
    /// - Throws: Why it can never be sent.
    func request(
        for message: Message, seconds: @escaping @Sendable () -> Int64
    ) throws(MessageRefusal) -> (request: HTTPRequest, address: AddressTemplate.Address) {
        let size = unsafe message.withPayload { $0.count }
        if size > self.maximumSize {
            throw MessageRefusal(reason: "the payload has \(size) bytes; at most \(self.maximumSize) are sent")
        }
        let address = try self.address.address(for: message)
        let headers = message.headersJSON == nil ? [:] : message.headers
        let id = try self.id(of: message)
        let contentType = try self.contentType(of: headers)
        var sent = try self.plainHeaders(message, headers)
        var body: [UInt8]
        if let events {
            let event = try CloudEvent(events, id: id, contentType: contentType, of: message, headers: headers)
            if events.isStructured {
                sent.append(HTTPHeader("Content-Type", CloudEvent.structuredType))
                body = event.body(with: message)
            } else {
                sent.append(HTTPHeader("Content-Type", contentType))
                sent += event.headers
                body = message.payload
            }
        } else {
            sent.append(HTTPHeader("Content-Type", contentType))
            body = message.payload
        }
        if let name = self.idempotencyHeader { sent.append(HTTPHeader(name, id)) }
        var request = HTTPRequest(self.method, address.url, headers: sent, body: body)
        let signature = Signature(id: id, content: body, keys: self.keys.keys(forHost: address.host))
        request.headersOfItsTurn = { signature.headers(at: seconds()) }
        return (request, address)
    }

    /// What says to the receiver who asks, where no message is sent.
    var identity: [HTTPHeader] {
        let fixed = self.fixedHeaders.compactMap { header in header.value.constant.map { HTTPHeader(header.name, $0) } }
        return fixed + (self.authorization.map { [HTTPHeader("Authorization", $0)] } ?? [])
    }

    private func id(of message: Message) throws(MessageRefusal) -> String {
        let id: String
        do throws(MessageTemplate.MissingValue) {
            id = try self.id.text(for: message)
        } catch {
            throw MessageRefusal(reason: "no id: \(error)")
        }
        guard id.utf8.allSatisfy(Self.isPartOfID) else {
            throw MessageRefusal(
                reason: "the id has a space or a full stop, or is not ASCII, so it cannot be signed and sent")
        }
        return id
    }

    private static func isPartOfID(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: ".")
    }

    private func contentType(of headers: [String: String]) throws(MessageRefusal) -> String {
        guard let own = headers.first(where: { $0.key.lowercased() == "content-type" })?.value else {
            return self.contentType
        }
        if let defect = HeaderRule.defect(of: own) {
            throw MessageRefusal(reason: "the header “content-type” \(defect)")
        }
        return own.isEmpty ? self.contentType : own
    }

    /// What is sent whatever the body is.
    private func plainHeaders(_ message: Message, _ headers: [String: String]) throws(MessageRefusal) -> [HTTPHeader] {
        var sent = try self.headerRule.headers(of: headers).filter { !self.fixedNames.contains($0.name.lowercased()) }
        for (name, template) in self.fixedHeaders {
            let value: String
            do throws(MessageTemplate.MissingValue) {
                value = try template.text(for: message)
            } catch {
                throw MessageRefusal(reason: "no header “\(name)”: \(error)")
            }
            if let defect = HeaderRule.defect(of: value) {
                throw MessageRefusal(reason: "the header “\(name)” \(defect)")
            }
            sent.append(HTTPHeader(name, value))
        }
        if let authorization { sent.append(HTTPHeader("Authorization", authorization)) }
        return sent
    }
}
