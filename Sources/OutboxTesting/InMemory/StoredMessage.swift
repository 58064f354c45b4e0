import Outbox
import OutboxRuntime

/// A committed message, as all of the store's lists refer to it.
final class StoredMessage: Sendable {
    let id: Int64
    let content: NewMessage
    let createdAt: Timestamp
    let deliverAt: Timestamp?
    /// A hash of the key, the same in every run.
    let keyHash: UInt64?
    let slot: Int
    /// The bytes of payload and headers, the latter about as long as their JSON.
    let size: Int

    init(id: Int64, content: NewMessage, createdAt: Timestamp) {
        self.id = id
        self.content = content
        self.createdAt = createdAt
        self.deliverAt = content.deliverAt.map { Timestamp($0) }
        self.keyHash = content.key.map { FowlerNollVo.hash($0.utf8) }
        self.size = content.headers.reduce(content.payload.count) { $0 + $1.key.utf8.count + $1.value.utf8.count + 6 }
        self.slot = Int((self.keyHash ?? UInt64(bitPattern: id)) & 1023)
    }
}
