import OutboxHTTP
import OutboxRuntime

/// A unary method of gRPC, whose calls are requests of HTTP/2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
struct GRPCMethod {
    private let url: String
    /// What each call has.
    private let headers: [HTTPHeader]
    private let timeout: Duration

    /// - Parameters:
    ///   - path: The service and the method: `/google.pubsub.v1.Publisher/Publish`.
    ///   - base: What comes before the path: `https://pubsub.googleapis.com`.
    init(_ path: String, at base: String, timeout: Duration) {
        self.url = base + path
        self.headers = [
            HTTPHeader("te", "trailers"), HTTPHeader("content-type", "application/grpc"),
            HTTPHeader("grpc-timeout", Self.timeoutText(timeout)),
        ]
        self.timeout = timeout + Self.grace
    }

    /// What stands before a message of that length: that it is not compressed, and the length, in four bytes.
    static func prefix(_ length: Int) -> [UInt8] {
        [0] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) }
    }

    /// How long that is.
    static let prefixSize = 5

    /// A call.
    ///
    /// - Parameters:
    ///   - body: The message behind its ``prefix(_:)``.
    ///   - metadata: What is sent with it besides what gRPC needs.
    func call(_ body: [UInt8], _ metadata: [HTTPHeader]) -> HTTPRequest {
        HTTPRequest("POST", self.url, headers: self.headers + metadata, body: body, timeout: self.timeout)
    }

    /// The service is to say that it was too slow before the connection is given up.
    private static let grace = Duration.seconds(2)

    /// At most eight digits and a unit.
    static func timeoutText(_ timeout: Duration) -> String {
        let milliseconds = max(1, Int(timeout.seconds * 1000))
        return milliseconds < 100_000_000 ? "\(milliseconds)m" : "\(milliseconds / 1000)S"
    }
}

/// What came of a call.
enum GRPCAnswer: Equatable {
    /// The service has answered with a message.
    case message(ArraySlice<UInt8>)
    /// The service has said what went wrong.
    case failed(GRPCStatus)
    /// What has answered is no service of gRPC, or something before it: nothing is said of the call.
    case notGRPC(GRPCStatus)

    init(_ response: HTTPResponse) {
        guard let status = GRPCStatus(response) else {
            self = .notGRPC(Self.status(ofHTTP: response))
            return
        }
        guard status.code == .ok else {
            self = .failed(status)
            return
        }
        switch Self.message(response.body) {
        case let message? where !response.isCut: self = .message(message)
        default: self = .failed(GRPCStatus(.internal, "the answer has no message, or more than one, or is compressed"))
        }
    }

    /// The only message of a body.
    private static func message(_ body: [UInt8]) -> ArraySlice<UInt8>? {
        guard body.count >= 5, body[0] == 0 else { return nil }
        let length = body[1..<5].reduce(0) { $0 << 8 | Int($1) }
        return length == body.count - 5 ? body[5...] : nil
    }

    /// What an answer means that has no status of gRPC
    /// (https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md).
    private static func status(ofHTTP response: HTTPResponse) -> GRPCStatus {
        let code: GRPCStatus.Code =
            switch response.status {
            case 400: .internal
            case 401: .unauthenticated
            case 403: .permissionDenied
            case 404: .unimplemented
            case 429, 502, 503, 504: .unavailable
            default: .unknown
            }
        let type = response.value(of: "content-type").map { ", \(GRPCStatus.shortened($0))" } ?? ""
        return GRPCStatus(code, "the answer is none of gRPC (HTTP \(response.status)\(type))")
    }
}
