import Outbox
import OutboxHTTP
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A message as SQS takes it, where it is not its payload and its id as they are.
final class SQSEntry: Sendable {
    let body: String
    let attributes: [SQSAttribute]
    let group: String?
    let deduplicationID: String?
    /// In seconds; nil: as the queue says.
    let delay: Int?
    let byteCount: Int

    /// What a request may have in all, and so a message (since August 2025).
    static let maximumBytes = 1_048_576

    /// - Throws: Why SQS would never take it.
    init(
        _ message: Message, to queue: SQSQueue, _ content: SQSConfiguration.Content
    ) throws(MessageRefusal) {
        self.body = try Self.body(of: message, content.encoding)
        var headers = message.headers
        let ownDelay = headers.removeValue(forKey: "sqs-delay")
        var own: [SQSAttribute] = []
        if let name = content.idAttribute { own.append(SQSAttribute(name: name, value: String(message.id))) }
        if let name = content.enqueuedAtAttribute {
            own.append(SQSAttribute(name: name, value: String(message.createdAtMilliseconds)))
        }
        self.attributes = try SQSAttribute.attributes(
            own, headers: headers, content.encoding == .envelope ? .none : content.headers)
        self.group = try Self.group(of: message, isFIFO: queue.isFIFO, content.group)
        self.deduplicationID = queue.isFIFO ? try Self.deduplicationID(of: message, content.deduplicationID) : nil
        self.delay = try Self.delay(of: message, ownDelay, isFIFO: queue.isFIFO, content.delay)
        self.byteCount = self.attributes.reduce(self.body.utf8.count) { $0 + $1.byteCount }
        guard self.byteCount <= Self.maximumBytes else {
            throw MessageRefusal("\(self.byteCount) bytes with its attributes; SQS takes \(Self.maximumBytes)")
        }
    }

    /// The payload as a text.
    static func body(
        of message: Message, _ encoding: SQSConfiguration.Encoding, for service: String = "SQS"
    ) throws(MessageRefusal) -> String {
        let text: String?
        switch encoding.kind {
        case .text: text = unsafe message.withPayload { bytes in unsafe SQSText.text(bytes) }
        case .base64: text = Base64.encoded(message.payload)
        case .envelope:
            let envelope = String(decoding: MessageEnvelope.json(of: message), as: UTF8.self)
            text = SQSText.isText(envelope) ? envelope : nil
        }
        guard let text else {
            throw MessageRefusal(
                "the payload is no text that \(service) takes; encoding=base64 and encoding=envelope send any")
        }
        if text.isEmpty {
            throw MessageRefusal("the payload is empty, which \(service) refuses; encoding=envelope sends it")
        }
        return text
    }

    static func group(
        of message: Message, isFIFO: Bool, _ template: MessageTemplate?
    ) throws(MessageRefusal) -> String? {
        if let template { return self.identifier(try template.part(of: message, "group")) }
        return isFIFO ? self.identifier(message.key ?? String(message.id)) : nil
    }

    static func deduplicationID(
        of message: Message, _ template: MessageTemplate?
    ) throws(MessageRefusal) -> String {
        if let template { return self.identifier(try template.part(of: message, "deduplication id")) }
        // Ids alone are those of another outbox too, or of this one after a restore.
        return "\(message.id)-\(message.createdAtMilliseconds)"
    }

    /// The text as it is, where SQS takes it as a group or for deduplication, else a hash of it.
    static func identifier(_ text: String) -> String {
        let isTaken = (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        return isTaken ? text : "sha256-" + Hexadecimal.encoded(Digest.sha256(Array(text.utf8)))
    }

    private static func delay(
        of message: Message, _ header: String?, isFIFO: Bool, _ template: MessageTemplate?
    ) throws(MessageRefusal) -> Int? {
        var text = header
        if text == nil, let template { text = try template.part(of: message, "delay") }
        guard let text else { return nil }
        if isFIFO { throw MessageRefusal("sqs-delay: a FIFO queue takes no delay of a message") }
        guard let seconds = SQSDelay.seconds(text) else {
            throw MessageRefusal("the delay “\(text.prefix(40))” is no time of up to 15 minutes, such as 30s")
        }
        return seconds
    }
}
