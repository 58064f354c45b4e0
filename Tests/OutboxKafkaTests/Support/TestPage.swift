import Outbox
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A page whose payloads lie where they are until the page is gone, as those of a page from Postgres do.
//
// Sendable because nothing of it changes.
@safe final class TestPage: MessagePage, @unchecked Sendable {
    let stream = StreamID(1)
    let origin = MessageOrigin.log
    let destination: Destination
    private let messages: [NewMessage]
    private let firstID: Int64
    private let payloads: [UnsafeMutableRawBufferPointer]
    /// Whether payloads are lent for longer than a call.
    private let isInPlace: Bool

    static let createdAt = Date(timeIntervalSince1970: 1_700_000_000.123)

    init(_ messages: [NewMessage], firstID: Int64 = 1, isInPlace: Bool = true) {
        self.messages = messages
        self.firstID = firstID
        self.isInPlace = isInPlace
        self.destination = messages.first?.destination ?? "events"
        unsafe self.payloads = messages.map { message in
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, message.payload.count), alignment: 1)
            unsafe buffer.copyBytes(from: message.payload)
            return unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<message.payload.count])
        }
    }

    deinit {
        for index in unsafe self.payloads.indices {
            let payload = unsafe self.payloads[index]
            // A read from now on does not see what was sent.
            unsafe payload.initializeMemory(as: UInt8.self, repeating: 0xDD)
            unsafe payload.baseAddress?.deallocate()
        }
    }

    var isVerified: Bool { true }
    var count: Int { self.messages.count }
    var byteCount: Int { self.messages.reduce(0) { $0 + $1.payload.count } }

    func id(at row: Int) -> Int64 { self.firstID + Int64(row) }
    func slot(at row: Int) -> Int { 0 }
    func createdAt(at row: Int) -> Date { Self.createdAt }
    func attempts(at row: Int) -> Int { 0 }
    func isScheduled(at row: Int) -> Bool { false }
    func isHeld(at row: Int) -> Bool { false }
    func isOrdered(at row: Int) -> Bool { false }
    func keyHash(at row: Int) -> UInt64? {
        self.messages[row].key.map { FowlerNollVo.hash($0.utf8) }
    }
    func text(_ text: MessageText, at row: Int) -> String? {
        switch text {
        case .route: self.messages[row].route
        case .key: self.messages[row].key
        case .headers: self.messages[row].headersJSON
        default: nil
        }
    }
    func withPayload<Result>(at row: Int, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try unsafe body(UnsafeRawBufferPointer(self.payloads[row]))
    }
    func payloadInPlace(at row: Int) -> UnsafeRawBufferPointer? {
        unsafe self.isInPlace ? UnsafeRawBufferPointer(self.payloads[row]) : nil
    }
}

extension MessageBatch {
    /// A batch of messages as if they had been read from an outbox.
    init(_ messages: [NewMessage], firstID: Int64 = 1, isInPlace: Bool = true, isOrderedByKey: Bool = true) {
        let page = TestPage(messages, firstID: firstID, isInPlace: isInPlace)
        self.init(messages.indices.map { Message(page: page, row: $0) }, isOrderedByKey: isOrderedByKey)
    }
}

extension NewMessage {
    /// A message whose payload is a number.
    static func numbered(_ number: Int, key: String? = nil, route: String? = "events") -> NewMessage {
        NewMessage(to: "events", route: route, key: key, text: "\(number)")
    }
}

extension Outcome {
    var isDelivered: Bool { self == .delivered }
    var isRejection: Bool { if case .rejected = self.kind { true } else { false } }
    var isRetry: Bool { if case .retry = self.kind { true } else { false } }
    var isPostponed: Bool { if case .postponed = self.kind { true } else { false } }
    var isUnavailable: Bool { if case .unavailable = self.kind { true } else { false } }
}

extension [Outcome] {
    var areDelivered: Bool { self.allSatisfy { $0 == .delivered } }
}
