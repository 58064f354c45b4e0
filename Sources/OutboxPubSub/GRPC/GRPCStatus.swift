/// How a call of gRPC has ended (https://github.com/grpc/grpc/blob/master/doc/statuscodes.md).
struct GRPCStatus: Hashable {
    /// The codes, by their numbers.
    enum Code: Int {
        case ok = 0
        case cancelled, unknown, invalidArgument, deadlineExceeded, notFound, alreadyExists, permissionDenied
        case resourceExhausted, failedPrecondition, aborted, outOfRange, unimplemented, `internal`, unavailable
        case dataLoss, unauthenticated

        /// As the documentation writes it.
        var name: String {
            switch self {
            case .ok: "OK"
            case .cancelled: "CANCELLED"
            case .unknown: "UNKNOWN"
            case .invalidArgument: "INVALID_ARGUMENT"
            case .deadlineExceeded: "DEADLINE_EXCEEDED"
            case .notFound: "NOT_FOUND"
            case .alreadyExists: "ALREADY_EXISTS"
            case .permissionDenied: "PERMISSION_DENIED"
            case .resourceExhausted: "RESOURCE_EXHAUSTED"
            case .failedPrecondition: "FAILED_PRECONDITION"
            case .aborted: "ABORTED"
            case .outOfRange: "OUT_OF_RANGE"
            case .unimplemented: "UNIMPLEMENTED"
            case .internal: "INTERNAL"
            case .unavailable: "UNAVAILABLE"
            case .dataLoss: "DATA_LOSS"
            case .unauthenticated: "UNAUTHENTICATED"
            }
        }
    }

    let code: Code
    /// What the service says of it, in few characters.
    let message: String
    /// What the service calls it (`google.rpc.ErrorInfo`), such as `ACCESS_TOKEN_EXPIRED`.
    var cause: String?
    /// When to try again, if the service says so (`google.rpc.RetryInfo`).
    var retryDelay: Duration?
    /// What else may be wrong, which the service does not say.
    var hint: String?

    init(_ code: Code, _ message: String, cause: String? = nil, retryDelay: Duration? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
        self.retryDelay = retryDelay
    }

    /// The code by its name, the cause and the message.
    var text: String {
        let parts = [self.code.name, self.cause.map { "(\($0))" }, self.message.isEmpty ? nil : "– \(self.message)"]
        return parts.compactMap { $0 }.joined(separator: " ") + (self.hint.map { "; \($0)" } ?? "")
    }
}
