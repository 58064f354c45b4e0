import Outbox
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Sends up to 10 events.
///
/// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
struct PutEvents: EntryAction {
    typealias Entry = EventBridgeEntry

    let configuration: EventBridgeConfiguration

    var operation: String { "PutEvents" }
    var targetKind: String { "bus" }
    var packer: RequestPacker { RequestPacker(maximumCount: 10, maximumBytes: EventBridgeEntry.maximumBytes) }
    var hasFixedTarget: Bool { !self.configuration.bus.variesWithinDestination }

    func entry(for message: Message) throws(MessageRefusal) -> EventBridgeEntry {
        try EventBridgeEntry(message, self.configuration)
    }

    func body(of entries: [EventBridgeEntry], address: String) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("Entries")
        writer.beginArray()
        for entry in entries {
            writer.beginObject()
            for (name, value) in [
                ("EventBusName", address), ("Source", entry.source), ("DetailType", entry.detailType),
                ("Detail", entry.detail),
            ] {
                writer.name(of: name)
                writer.string(value)
            }
            writer.name("Time")
            writer.double(Double(entry.time) / 1000)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.take()
    }

    private struct Answer: Decodable {
        struct Entry: Decodable {
            let id: String?
            let code: String?
            let message: String?
            private enum CodingKeys: String, CodingKey {
                case id = "EventId"
                case code = "ErrorCode"
                case message = "ErrorMessage"
            }
        }
        let entries: [Entry]
        private enum CodingKeys: String, CodingKey { case entries = "Entries" }
    }

    func results(in body: [UInt8], of entries: [EventBridgeEntry]) -> [EntryResult]? {
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)),
            answer.entries.count == entries.count
        else {
            return nil
        }
        return answer.entries.map { entry in
            guard let code = entry.code else {
                return entry.id?.isEmpty != false
                    ? .failed("EventBridge did not say what became of the event") : .delivered
            }
            let message = entry.message.map { ": \($0.prefix(400))" } ?? ""
            return EntryResult(code: code, reason: "EventBridge: \(code)\(message)", isSendersFault: true)
        }
    }
}
