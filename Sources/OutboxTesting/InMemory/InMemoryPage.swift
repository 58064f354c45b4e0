import Outbox

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Some messages of a stream, as they were when they were read.
final class InMemoryPage: MessagePage {
    struct Row: Sendable {
        let message: StoredMessage
        var attempts = 0
        var isScheduled = false
        var isHeld = false
        var isOrdered = false
    }

    let stream: StreamID
    let destination: Destination
    let origin: MessageOrigin
    let rows: [Row]
    let byteCount: Int

    init(stream: StreamID, destination: Destination, origin: MessageOrigin, rows: [Row]) {
        self.stream = stream
        self.destination = destination
        self.origin = origin
        self.rows = rows
        self.byteCount = rows.reduce(0) { $0 + $1.message.size }
    }

    // Nothing gets into the store without having been validated.
    var isVerified: Bool { true }
    var count: Int { self.rows.count }

    func id(at row: Int) -> Int64 { self.rows[row].message.id }
    func slot(at row: Int) -> Int { self.rows[row].message.slot }
    func createdAt(at row: Int) -> Date { self.rows[row].message.createdAt.date }
    func attempts(at row: Int) -> Int { self.rows[row].attempts }
    func isScheduled(at row: Int) -> Bool { self.rows[row].isScheduled }
    func isHeld(at row: Int) -> Bool { self.rows[row].isHeld }
    func isOrdered(at row: Int) -> Bool { self.rows[row].isOrdered }
    func keyHash(at row: Int) -> UInt64? { self.rows[row].message.keyHash }

    func text(_ text: MessageText, at row: Int) -> String? {
        let content = self.rows[row].message.content
        switch text {
        case .route: return content.route
        case .key: return content.key
        case .headers: return content.headersJSON
        case .options: return content.options.json
        }
    }

    func withPayload<Result>(at row: Int, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try unsafe self.rows[row].message.content.payload.withUnsafeBytes(body)
    }
}
