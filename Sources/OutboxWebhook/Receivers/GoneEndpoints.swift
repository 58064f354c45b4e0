/// The addresses, without their queries, that have answered 410: their messages are not sent, but for one from time to time, because what
/// says that it is gone for good may be mistaken.
///
/// A value without I/O and clock. It forgets with the process.
struct GoneEndpoints: Sendable {
    /// When each was asked last.
    private var asked: [String: ContinuousClock.Instant] = [:]

    /// How often one is asked again.
    static let interval = Duration.seconds(600)
    /// How many are kept at most. Those beyond are asked with every message.
    static let capacity = 10_000

    /// Whether a message for an address is not to be sent.
    mutating func holds(_ endpoint: String, at now: ContinuousClock.Instant) -> Bool {
        guard let last = self.asked[endpoint] else { return false }
        if now - last < Self.interval { return true }
        self.asked[endpoint] = now
        return false
    }

    /// An address has answered 410.
    ///
    /// - Returns: Whether that is new.
    mutating func add(_ endpoint: String, at now: ContinuousClock.Instant) -> Bool {
        let isNew = self.asked[endpoint] == nil
        if isNew, self.asked.count >= Self.capacity { return true }
        self.asked[endpoint] = now
        return isNew
    }

    /// An address has answered something else.
    ///
    /// - Returns: Whether it was gone.
    mutating func remove(_ endpoint: String) -> Bool {
        self.asked.isEmpty ? false : self.asked.removeValue(forKey: endpoint) != nil
    }
}
