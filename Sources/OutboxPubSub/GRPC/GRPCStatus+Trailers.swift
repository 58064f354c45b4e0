import OutboxHTTP
import OutboxRuntime

extension GRPCStatus {
    /// The longest text of a service that is repeated in an outcome.
    static let longestMessage = 400

    /// Reads what the headers of an answer say, trailers and an answer of trailers alone included.
    ///
    /// - Returns: nil: they say nothing, so it is no answer of gRPC.
    init?(_ response: HTTPResponse) {
        guard let number = response.value(of: "grpc-status").flatMap({ Int($0) }) else { return nil }
        // Codes that are not known are UNKNOWN, as the specification has it.
        self.init(
            Code(rawValue: number) ?? .unknown,
            Self.shortened(Self.percentDecoded(response.value(of: "grpc-message") ?? "")))
        if let details = response.value(of: "grpc-status-details-bin"),
            let bytes = Base64.decoded(details)
        {
            self.read(details: bytes[...])
        }
        if self.code == .unauthenticated { self.hint = ClockDifference(response)?.description }
    }

    /// Text of a service as it can stand in a line: without control characters, and not longer than a line or two.
    static func shortened(_ text: String) -> String {
        let line = String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
        return line.count <= self.longestMessage ? line : line.prefix(self.longestMessage) + "…"
    }

    /// Percent signs stand for bytes; one that does not is left as it is, as the specification has it.
    static func percentDecoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            if byte == UInt8(ascii: "%"), digits.count == 2, let text = String(digits), text.allSatisfy(\.isHexDigit),
                let value = UInt8(text, radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A `google.rpc.Status`: field 3 has the details, each a `google.protobuf.Any`.
    private mutating func read(details: ArraySlice<UInt8>) {
        var reader = ProtobufReader(details)
        while let (field, value) = try? reader.next() {
            guard field == 3, case .bytes(let content) = value else { continue }
            var detail = ProtobufReader(content)
            var type = ""
            var body: ArraySlice<UInt8> = []
            while let (field, value) = try? detail.next() {
                if field == 1 { type = value.text ?? "" }
                if field == 2, case .bytes(let bytes) = value { body = bytes }
            }
            if type.hasSuffix("/google.rpc.RetryInfo") { self.retryDelay = Self.retryDelay(body) }
            if type.hasSuffix("/google.rpc.ErrorInfo") { self.cause = Self.cause(body) }
        }
    }

    private static func cause(_ info: ArraySlice<UInt8>) -> String? {
        var reader = ProtobufReader(info)
        while let (field, value) = try? reader.next() {
            if field == 1 { return value.text.map(self.shortened) }
        }
        return nil
    }

    private static func retryDelay(_ info: ArraySlice<UInt8>) -> Duration? {
        var reader = ProtobufReader(info)
        while let (field, value) = try? reader.next() {
            guard field == 1, case .bytes(let duration) = value else { continue }
            var parts = ProtobufReader(duration)
            var delay = Duration.zero
            while let (field, value) = try? parts.next() {
                guard case .number(let number) = value, let number = Int64(exactly: number) else { return nil }
                if field == 1 { delay += .seconds(min(number, 86_400)) }
                if field == 2 { delay += .nanoseconds(min(number, 999_999_999)) }
            }
            return delay
        }
        return nil
    }
}
