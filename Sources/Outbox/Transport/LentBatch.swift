#if canImport(FoundationEssentials)
package import FoundationEssentials
#else
package import Foundation
#endif

/// A page that says where its messages lie in memory.
package protocol LendingPage: MessagePage {
    /// Adds the parts of messages of the page, which stay where they are for as long as the page lives.
    ///
    /// - Parameter extent: Which parts.
    func lend(_ messages: ArraySlice<Message>, _ extent: LentMessage.Extent, to lent: inout [LentMessage])
}

/// The parts of a message that transports look at most, where they lie. None is to be used after the batch or page that lends it is gone.
@safe package struct LentMessage {
    package let payload: UnsafeRawBufferPointer
    /// In UTF-8; nil: the message has none.
    package let key: UnsafeRawBufferPointer?
    private let rest: Rest?

    /// The parts beside payload and key.
    package struct Rest {
        package let id: Int64
        package let createdAt: Date
        package let hasRoute: Bool
        package let hasHeaders: Bool

        package init(id: Int64, createdAt: Date, hasRoute: Bool, hasHeaders: Bool) {
            self.id = id
            self.createdAt = createdAt
            self.hasRoute = hasRoute
            self.hasHeaders = hasHeaders
        }
    }

    /// Which parts are looked up: each takes a few nanoseconds.
    package enum Extent: Sendable {
        case payloadAndKey
        case all
    }

    package init(payload: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer?, _ rest: Rest?) {
        unsafe self.payload = payload
        unsafe self.key = key
        self.rest = rest
    }

    /// The id, and others that are looked up on demand, of a batch with ``Extent/all``.
    package var id: Int64 { self.whole.id }
    package var createdAt: Date { self.whole.createdAt }
    package var hasRoute: Bool { self.whole.hasRoute }
    package var hasHeaders: Bool { self.whole.hasHeaders }

    private var whole: Rest {
        guard let rest else { preconditionFailure("a batch was not looked up with what is asked for") }
        return rest
    }

    /// The hash of its key; equal for equal keys.
    package var keyHash: UInt64? { unsafe self.key.map { unsafe KeyHash.of($0) } }
}

/// A batch whose messages were looked up once.
///
/// A ``Message`` is a page and a row: each look at a part of it is a call of the page, and each copy of it counts the references to a page that many
/// threads use. Where thousands of messages become a request, that takes longer than the request does.
@safe package final class LentBatch: Sendable {
    package let batch: MessageBatch
    // Safe to share: immutable, and what they point to belongs to pages that the batch keeps, or to the copies.
    private nonisolated(unsafe) let messages: [LentMessage]
    /// What a page does not lend.
    // Safe to share: immutable, and written before the batch is shared.
    private nonisolated(unsafe) let copies: [UnsafeMutableRawBufferPointer]

    /// - Parameter extent: Which parts of the messages are looked up. Default all.
    package init(_ batch: MessageBatch, _ extent: LentMessage.Extent = .all) {
        self.batch = batch
        var messages: [LentMessage] = []
        messages.reserveCapacity(batch.count)
        var copies = unsafe [UnsafeMutableRawBufferPointer]()
        batch.forEachRun { page, places in
            if let page = page as? any LendingPage {
                page.lend(batch.messages[places], extent, to: &messages)
            } else {
                for place in places { unsafe messages.append(Self.copy(page, batch.messages[place].row, &copies)) }
            }
        }
        unsafe self.messages = messages
        unsafe self.copies = copies
    }

    deinit {
        unsafe self.copies.forEach { unsafe $0.deallocate() }
    }

    private static func copy(
        _ page: any MessagePage, _ row: Int, _ copies: inout [UnsafeMutableRawBufferPointer]
    ) -> LentMessage {
        func kept(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
            unsafe copy.copyMemory(from: bytes)
            unsafe copies.append(copy)
            return UnsafeRawBufferPointer(copy)
        }
        let payload = unsafe page.withPayload(at: row) { bytes in unsafe kept(bytes) }
        var key: UnsafeRawBufferPointer?
        if var text = page.text(.key, at: row) {
            unsafe key = text.withUTF8 { bytes in unsafe kept(UnsafeRawBufferPointer(bytes)) }
        }
        return unsafe LentMessage(
            payload: payload, key: key,
            .init(
                id: page.id(at: row), createdAt: page.createdAt(at: row), hasRoute: page.text(.route, at: row) != nil,
                hasHeaders: page.text(.headers, at: row) != nil))
    }

    /// How many messages there are.
    package var count: Int { self.batch.count }

    /// Lends the messages, by their places in the batch.
    package func withMessages<Result>(_ body: (UnsafeBufferPointer<LentMessage>) -> Result) -> Result {
        unsafe self.messages.withUnsafeBufferPointer(body)
    }

    /// The hash of the key by which a message is ordered, if it is; equal for equal keys of the batch.
    package func orderingKey(at position: Int) -> UInt64? {
        self.batch.isOrderedByKey ? unsafe self.messages[position].keyHash : nil
    }
}

extension MessageBatch {
    /// Calls for the places of messages of a page that stand one behind the other.
    fileprivate func forEachRun(_ body: (any MessagePage, Range<Int>) -> Void) {
        var start = 0
        while start < self.count {
            let page = self.messages[start].page
            var end = start + 1
            while end < self.count, self.messages[end].page === page { end += 1 }
            body(page, start..<end)
            start = end
        }
    }
}
