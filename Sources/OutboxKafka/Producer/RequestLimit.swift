/// How large a request may be, as learned from brokers that refused them as a whole although every record was fine: a topic's
/// `max.message.bytes` is about requests.
struct RequestLimit: Sendable {
    /// Nil: as configured.
    private(set) var bytes: Int?
    private var seen = 0

    static let first = 512 * 1024
    static let smallest = 16 * 1024

    /// Halves the limit each time that it was still too large.
    mutating func note(oversizedRequests: Int) {
        guard oversizedRequests > self.seen else { return }
        self.seen = oversizedRequests
        self.bytes = self.bytes.map { max(Self.smallest, $0 / 2) } ?? Self.first
    }
}
