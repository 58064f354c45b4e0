/// The addresses, without their queries, that have answered 410: their messages are not sent, but for one from time to time, because what
/// says that it is gone for good may be mistaken.
///
/// A value without I/O and clock. It forgets with the process.
struct GoneEndpoints: Sendable {
    /// When each was asked last.
    private var asked: [String: ContinuousClock.Instant] = [:]
    /// When those were dropped last that were not asked for long.
    private var lastTidy: ContinuousClock.Instant?

    /// How often one is asked again.
    static let interval = Duration.seconds(600)
    /// How many are kept at most. Those beyond are asked with every message.
    static let capacity = 10_000

    /// Whether none is gone.
    var isEmpty: Bool { self.asked.isEmpty }

    /// Whether a message for an address is not to be sent.
    func holds(_ endpoint: String, at now: ContinuousClock.Instant) -> Bool {
        self.asked[endpoint].map { now - $0 < Self.interval } ?? false
    }

    /// A message is about to be sent to an address.
    ///
    /// - Returns: Whether it may be: another one may have been sent since ``holds(_:at:)`` has answered.
    mutating func ask(_ endpoint: String, at now: ContinuousClock.Instant) -> Bool {
        guard let last = self.asked[endpoint] else { return true }
        if now - last < Self.interval { return false }
        self.asked[endpoint] = now
        return true
    }

    /// An address has answered 410.
    ///
    /// - Returns: Whether that is new; false where there is no room to remember it.
    mutating func add(_ endpoint: String, at now: ContinuousClock.Instant) -> Bool {
        let isNew = self.asked[endpoint] == nil
        if isNew, self.asked.count >= Self.capacity {
            self.tidy(at: now)
            if self.asked.count >= Self.capacity { return false }
        }
        self.asked[endpoint] = now
        return isNew
    }

    /// Drops those that no message was sent to for longer than the interval: where addresses have the message in them, none comes again.
    private mutating func tidy(at now: ContinuousClock.Instant) {
        // Not with each message while all of them are recent.
        if let lastTidy, now - lastTidy < Self.interval / 10 { return }
        self.lastTidy = now
        self.asked = self.asked.filter { now - $0.value < Self.interval }
    }

    /// A message for an address was delivered.
    ///
    /// - Returns: Whether it was gone.
    mutating func remove(_ endpoint: String) -> Bool {
        self.asked.isEmpty ? false : self.asked.removeValue(forKey: endpoint) != nil
    }
}
