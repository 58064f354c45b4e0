import Outbox
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A message as it is published: where to, and with which properties.
struct Publication {
    /// The exchange that the message itself names.
    var exchange: String?
    var routingKey = ""
    /// Whether the message itself names the routing key.
    var hasOwnRoutingKey = false
    var messageID = ""
    /// Seconds since 1970.
    var timestamp: UInt64 = 0
    var isPersistent = true
    var contentType: String?
    var type: String?
    var correlationID: String?
    var replyTo: String?
    var applicationID: String?
    var priority: UInt8?
    /// Milliseconds, as a text.
    var expiration: String?
    /// What has no property.
    var headers: [String: String] = [:]

    /// Why a message can never be published.
    struct Defect: Error, Equatable {
        let reason: String
    }

    /// Decides what a message becomes.
    ///
    /// - Parameter needsRoutingKey: Whether there is nothing to route by but the key: the default exchange.
    init(
        _ message: Message, _ settings: AMQPConfiguration.Publishing, needsRoutingKey: Bool
    ) throws(Defect) {
        self.isPersistent = settings.isPersistent
        self.contentType = settings.contentType
        self.applicationID = settings.applicationID
        self.priority = settings.priority
        // Rounded up: 0 would drop what no consumer waits for.
        self.expiration = settings.expiration.map { String(Int64(($0.seconds * 1000).rounded(.up))) }
        self.timestamp = UInt64(max(0, message.createdAt.timeIntervalSince1970))
        self.messageID = try Self.text(settings.messageID, message, "message-id")
        if let type = settings.type { self.type = try Self.text(type, message, "type") }
        var overriddenKey: String?
        self.headers = message.headers
        if !self.headers.isEmpty { overriddenKey = try self.takeOverrides() }
        if let overriddenKey {
            self.routingKey = overriddenKey
            self.hasOwnRoutingKey = true
        } else {
            self.routingKey = try Self.text(settings.routingKey, message, "routing key")
        }
        if self.routingKey.isEmpty, self.exchange.map(\.isEmpty) ?? needsRoutingKey {
            throw Defect(reason: "routing key: empty, and the default exchange has nothing else to go by")
        }
        try self.checkLengths()
    }

    /// Moves the headers that are properties to where they belong.
    ///
    /// - Returns: The routing key, if there is one.
    private mutating func takeOverrides() throws(Defect) -> String? {
        if let text = self.take("content-type") { self.contentType = text }
        if let text = self.take("amqp-content-type") { self.contentType = text }
        if let text = self.take("amqp-exchange") { self.exchange = text }
        if let text = self.take("amqp-type") { self.type = text }
        if let text = self.take("amqp-correlation-id") { self.correlationID = text }
        if let text = self.take("amqp-reply-to") { self.replyTo = text }
        if let text = self.take("amqp-app-id") { self.applicationID = text }
        if let text = self.take("amqp-priority") {
            guard let priority = UInt8(text) else {
                throw Defect(reason: "amqp-priority: not a whole number from 0 to 255")
            }
            self.priority = priority
        }
        if let text = self.take("amqp-expiration") {
            guard let milliseconds = UInt32(text) else {
                throw Defect(reason: "amqp-expiration: not a whole number of milliseconds from 0 to 4,294,967,295")
            }
            self.expiration = String(milliseconds)
        }
        return self.take("amqp-routing-key")
    }

    private mutating func take(_ name: String) -> String? { self.headers.removeValue(forKey: name) }

    private static func text(
        _ template: MessageTemplate, _ message: Message, _ what: String
    ) throws(Defect) -> String {
        do throws(MessageTemplate.MissingValue) {
            return try template.text(for: message)
        } catch {
            throw Defect(reason: "\(what): \(error)")
        }
    }

    /// In the protocol these have a length of one byte.
    private func checkLengths() throws(Defect) {
        try Self.checkShort(self.routingKey, "routing key")
        try Self.checkShort(self.messageID, "message-id")
        if let text = self.exchange { try Self.checkShort(text, "amqp-exchange") }
        if let text = self.contentType { try Self.checkShort(text, "content-type") }
        if let text = self.type { try Self.checkShort(text, "type") }
        if let text = self.correlationID { try Self.checkShort(text, "amqp-correlation-id") }
        if let text = self.replyTo { try Self.checkShort(text, "amqp-reply-to") }
        if let text = self.applicationID { try Self.checkShort(text, "amqp-app-id") }
        for name in self.headers.keys { try Self.checkShort(name, "a header’s name") }
    }

    private static func checkShort(_ text: String, _ what: String) throws(Defect) {
        let length = text.utf8.count
        if length > 255 { throw Defect(reason: "\(what): \(length) bytes; AMQP allows 255") }
    }

    /// No less than the bytes that the properties take in a frame.
    var byteCount: Int {
        var count = 64 + self.messageID.utf8.count
        for text in [self.contentType, self.type, self.correlationID, self.replyTo, self.applicationID] {
            count += text.map { $0.utf8.count + 1 } ?? 0
        }
        for (name, value) in self.headers { count += name.utf8.count + value.utf8.count + 6 }
        return count
    }
}
