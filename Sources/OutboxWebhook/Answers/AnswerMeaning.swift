import OutboxHTTP

/// What an answer, or that there is none, says of a message and of its receiver.
enum AnswerMeaning: Sendable, Hashable {
    case delivered
    /// This message will always be refused.
    case refused(String)
    /// The attempt has failed, and a later one may not. Several in a row say that the receiver is down.
    case failed(String, retryAfter: Duration?)
    /// The same, and what is wrong is more likely the address or who is sent from than the message: to be said loudly.
    case misconfigured(String)
    /// The receiver asks to be left alone for a while.
    case throttled(String, retryAfter: Duration?)
    /// The receiver says that it will never be there again.
    case gone(String)
    /// Nothing was sent: there is no connection.
    case unreached(String)
    /// Nothing was sent: the address is one that is not connected to.
    case forbidden(String)

    /// - Parameters:
    ///   - now: In seconds since 1970.
    ///   - longest: The longest `Retry-After` that is obeyed.
    init(_ response: HTTPResponse, now: Int64, longestRetryAfter longest: Duration) {
        if Self.isSuccess(response.status) {
            self = .delivered
            return
        }
        let reason = "the receiver has answered \(Self.name(of: response.status))"
        let retryAfter = RetryAfter.duration(of: response, now: now, longest: longest)
        self =
            switch response.status {
            case 300..<400: .misconfigured("\(reason), and redirects are not followed\(Self.target(of: response))")
            case 401, 403, 404, 405, 407: .misconfigured(reason)
            // 409: the same `Idempotency-Key` is still being worked on; 421: another connection may do; 423: it is locked for now.
            case 408, 409, 421, 423, 425: .failed(reason, retryAfter: retryAfter)
            case 410: .gone(reason)
            case 429: .throttled(reason, retryAfter: retryAfter)
            case 400..<500: .refused(reason)
            case 503 where retryAfter != nil: .throttled(reason, retryAfter: retryAfter)
            default: .failed(reason, retryAfter: retryAfter)
            }
    }

    init(_ failure: HTTPFailure) {
        self =
            switch failure.kind {
            case .invalidRequest: .refused(failure.reason)
            case .refusedAddress: .forbidden(failure.reason)
            // Our own trouble, which says nothing of the receiver.
            case .noResources: .throttled(failure.reason, retryAfter: nil)
            case .notResolved, .notConnected, .tls, .timedOut, .connectionLost, .notHTTP, .closed, .cancelled,
                .withdrawn:
                failure.mayHaveArrived
                    ? .failed("no answer: \(failure.reason)", retryAfter: nil)
                    : .unreached("no connection: \(failure.reason)")
            }
    }

    /// Whether a status says that the receiver has accepted a message.
    static func isSuccess(_ status: Int) -> Bool { (200..<300).contains(status) }

    /// Where a redirect leads to, without path and query.
    private static func target(of response: HTTPResponse) -> String {
        guard let location = response.value(of: "location"), let origin = HTTPRequest.origin(of: location) else {
            return ""
        }
        // What a receiver has sent goes to logs and terminals.
        let printable = origin.utf8.filter { (0x21...0x7E).contains($0) }
        return " (to \(String(decoding: printable.prefix(100), as: UTF8.self)))"
    }

    /// The number, and the name that RFC 9110 has for it.
    static func name(of status: Int) -> String {
        guard let name = self.names[status] else { return "\(status)" }
        return "\(status) \(name)"
    }

    private static let names = [
        301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified", 307: "Temporary Redirect",
        308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden",
        404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required",
        408: "Request Timeout", 409: "Conflict", 410: "Gone", 411: "Length Required", 412: "Precondition Failed",
        413: "Content Too Large", 414: "URI Too Long", 415: "Unsupported Media Type", 421: "Misdirected Request",
        422: "Unprocessable Content", 423: "Locked", 425: "Too Early", 426: "Upgrade Required",
        428: "Precondition Required",
        429: "Too Many Requests", 431: "Request Header Fields Too Large", 500: "Internal Server Error",
        501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
    ]
}
