/// Why a request has no answer.
package struct HTTPFailure: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Kind: Sendable, Hashable {
        /// It cannot be sent as it is.
        case invalidRequest
        /// The host has addresses that the client does not connect to, and no other.
        case refusedAddress
        /// The host's name has no address, or none could be asked for it.
        case notResolved
        /// There is no connection to the host, or to the proxy.
        case notConnected
        /// TLS could not be agreed on, or the certificate is not trusted.
        case tls
        /// It took too long; the reason says what.
        case timedOut
        /// The connection ended before the answer did.
        case connectionLost
        /// What came is no answer in HTTP.
        case notHTTP
        /// The process has no memory or no file descriptor left, which says nothing of the other side.
        case noResources
        /// The client is closed.
        case closed
        /// It was cancelled, or the client was.
        case cancelled
        /// It was not admitted, or taken back before it was begun.
        case withdrawn
    }

    package let kind: Kind
    /// What happened, without what could be secret.
    package let reason: String
    /// Whether the other side may have got it: some of it was sent.
    package let mayHaveArrived: Bool
    /// The status, where the answer has begun.
    package let status: Int?

    package init(_ kind: Kind, _ reason: String, mayHaveArrived: Bool = false, status: Int? = nil) {
        self.kind = kind
        self.reason = reason
        self.mayHaveArrived = mayHaveArrived
        self.status = status
    }

    package var description: String { self.reason }
}
