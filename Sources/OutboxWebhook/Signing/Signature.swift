import OutboxHTTP

/// The headers of Standard Webhooks: which message it is, when it was sent, and that it comes from the sender.
struct Signature: Sendable {
    /// Every attempt has the same.
    let id: String
    /// The body as it is sent.
    let content: [UInt8]
    /// All of them sign, so that a receiver that has the old or the new one of a rotation finds a signature it can verify.
    let keys: [WebhookKey]

    /// - Parameter seconds: The time of the attempt, in seconds since 1970; receivers refuse what is more than some minutes off.
    func headers(at seconds: Int64) -> [HTTPHeader] {
        var headers = [HTTPHeader("webhook-id", self.id), HTTPHeader("webhook-timestamp", "\(seconds)")]
        if !self.keys.isEmpty {
            let head = Array("\(self.id).\(seconds).".utf8)
            let signatures = self.keys.map { $0.signature(of: head, self.content) }
            headers.append(HTTPHeader("webhook-signature", signatures.joined(separator: " ")))
        }
        return headers
    }
}
