/// How many messages a page of a stream has: as many as are delivered in half a second, as far as that is known.
///
/// What has begun of a page is finished before a relay ends or hands the stream over, so a page that takes long keeps the next relay waiting.
/// A stream begins with small pages, and has large ones after the first that is settled fast. A value type without I/O or clock.
package struct PagePace: Sendable {
    /// How long it may take to deliver a page.
    package static let span = Duration.milliseconds(500)

    /// How many messages a page has at most.
    package private(set) var messages: Int
    private let least: Int
    private let most: Int
    private var lastSettled: ContinuousClock.Instant?

    /// - Parameters:
    ///   - least: How many messages a page has room for, however slow they are.
    ///   - most: How many it has at most, however fast they are.
    package init(least: Int, most: Int) {
        self.least = min(least, most)
        self.most = most
        self.messages = self.least
    }

    /// A page is settled.
    ///
    /// - Parameters:
    ///   - count: How many messages it has.
    ///   - submitted: Since when it could be delivered.
    ///   - now: The time.
    package mutating func settled(_ count: Int, submitted: ContinuousClock.Instant, now: ContinuousClock.Instant) {
        // Pages that come one after the other share the time.
        let began = max(submitted, self.lastSettled ?? submitted)
        self.lastSettled = now
        let seconds = max((now - began) / .seconds(1), 1e-6)
        let paced = Double(count) / seconds * (Self.span / .seconds(1))
        self.messages = min(max(paced < Double(self.most) ? Int(paced) : self.most, self.least), self.most)
    }
}
