import Outbox

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A message as EventBridge takes it.
struct EventBridgeEntry: ServiceEntry, Hashable {
    let bus: String
    let source: String
    let detailType: String
    let detail: String
    /// In milliseconds since 1970.
    let time: Int64

    var target: String { self.bus }
    var isFIFO: Bool { false }

    /// As the service counts: 14 bytes for the time.
    var byteCount: Int { self.source.utf8.count + self.detailType.utf8.count + self.detail.utf8.count + 14 }

    /// What a request has in all.
    static let maximumBytes = 1_000_000

    /// - Throws: Why EventBridge would never take it.
    init(_ message: Message, _ configuration: EventBridgeConfiguration) throws(MessageRefusal) {
        self.bus = try configuration.bus.part(of: message, "bus")
        self.source = try configuration.source.part(of: message, "source")
        self.detailType = try configuration.detailType.part(of: message, "type of detail")
        self.time = message.createdAtMilliseconds
        if self.bus.isEmpty { throw MessageRefusal("a bus has a name", isOfTarget: true) }
        guard !self.source.isEmpty, !self.detailType.isEmpty else {
            throw MessageRefusal("source and type of an event are not empty")
        }
        guard !self.source.hasPrefix("aws.") else {
            throw MessageRefusal("a source that begins with “aws.” is the service’s own")
        }
        guard self.detailType.utf16.count <= 128 else {
            throw MessageRefusal("the type of an event has at most 128 characters")
        }
        let bytes = configuration.content.isEnvelope ? MessageEnvelope.json(of: message) : message.payload
        guard let detail = String(validating: bytes, as: UTF8.self), Self.isObject(bytes) else {
            throw MessageRefusal("the payload is no JSON object, which EventBridge demands; content=envelope sends any")
        }
        self.detail = detail
        guard self.byteCount <= Self.maximumBytes else {
            throw MessageRefusal("\(self.byteCount) bytes; EventBridge takes \(Self.maximumBytes)")
        }
    }

    private struct Object: Decodable {
        private enum Key: String, CodingKey { case any }
        init(from decoder: any Decoder) throws { _ = try decoder.container(keyedBy: Key.self) }
    }

    private static func isObject(_ bytes: [UInt8]) -> Bool {
        (try? JSONDecoder().decode(Object.self, from: Data(bytes))) != nil
    }
}
