/// When a relay's session maintains the segments: seldom, and not at all while neither time nor messages change anything.
///
/// A value without a clock: the time is an argument.
struct JanitorSchedule: Sendable, Hashable {
    private let interval: Duration
    private var lastPass: ContinuousClock.Instant?
    private var due: ContinuousClock.Instant?
    private var hasRead = false

    init(interval: Duration) {
        self.interval = max(interval, .zero)
    }

    /// Messages were read: segments have grown, and may be passed soon.
    mutating func messagesWereRead() {
        self.hasRead = true
    }

    /// When to look; nil: not before messages are read.
    func nextPass(now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        guard let lastPass else { return now }
        let earliest = lastPass + self.interval
        if self.hasRead { return earliest }
        return self.due.map { max($0, earliest) }
    }

    /// A look was taken.
    ///
    /// - Parameter next: After what time something will be due even if nothing is read; nil: nothing will.
    mutating func passed(at now: ContinuousClock.Instant, next: Duration?) {
        self.lastPass = now
        self.hasRead = false
        self.due = next.map { now + $0 }
    }
}
