import Foundation
import OutboxTesting

/// What a consumer makes of an envelope.
struct EnvelopeReader: Decodable {
    let id: Int64
    let enqueuedAt: Int64
    let route: String?
    let key: String?
    let headers: [String: String]
    let payload: String?
    let payloadBase64: String?

    init(_ data: Data) throws { self = try JSONDecoder().decode(EnvelopeReader.self, from: data) }

    var bytes: [UInt8] {
        self.payload.map { Array($0.utf8) } ?? self.payloadBase64.flatMap { Data(base64Encoded: $0) }.map { Array($0) }
            ?? []
    }

    var received: ReceivedMessage {
        ReceivedMessage(payload: self.bytes, key: self.key, headers: self.headers)
    }
}

/// What a consumer makes of an event whose detail is an envelope.
struct EventReader: Decodable {
    let detail: EnvelopeReader

    init(_ data: Data) throws { self = try JSONDecoder().decode(EventReader.self, from: data) }

    var bytes: [UInt8] { self.detail.bytes }
    var received: ReceivedMessage { self.detail.received }
}
