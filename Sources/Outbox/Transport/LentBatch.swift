#if canImport(FoundationEssentials)
package import FoundationEssentials
#else
package import Foundation
#endif

/// A page that says where its messages lie in memory.
package protocol LendingPage: MessagePage {
    /// Adds the parts of messages of the page, which stay where they are for as long as the page lives.
    func lend(_ messages: ArraySlice<Message>, to lent: inout [LentMessage])
}

/// The parts of a message that transports look at most, where they lie. None is to be used after the batch or page that lends it is gone.
@safe package struct LentMessage {
    package let id: Int64
    package let payload: UnsafeRawBufferPointer
    /// In UTF-8; nil: the message has none.
    package let key: UnsafeRawBufferPointer?
    package let hasRoute: Bool
    package let hasHeaders: Bool
    package let createdAt: Date

    package init(
        id: Int64, payload: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer?, hasRoute: Bool, hasHeaders: Bool,
        createdAt: Date
    ) {
        self.id = id
        unsafe self.payload = payload
        unsafe self.key = key
        self.hasRoute = hasRoute
        self.hasHeaders = hasHeaders
        self.createdAt = createdAt
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

    package init(_ batch: MessageBatch) {
        self.batch = batch
        var messages: [LentMessage] = []
        messages.reserveCapacity(batch.count)
        var copies = unsafe [UnsafeMutableRawBufferPointer]()
        batch.forEachRun { page, places in
            if let page = page as? any LendingPage {
                page.lend(batch.messages[places], to: &messages)
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
            id: page.id(at: row), payload: payload, key: key, hasRoute: page.text(.route, at: row) != nil,
            hasHeaders: page.text(.headers, at: row) != nil,
            createdAt: page.createdAt(at: row))
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
