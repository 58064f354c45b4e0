/// When the database is looked at for scrapes: on demand, one look at a time, and rarely enough that looking costs the server little however often
/// something scrapes.
///
/// A value type without a clock: the time is an argument.
struct LookSchedule {
    /// What a scrape does.
    enum Step: Hashable {
        /// It takes the last look, which is recent.
        case take
        /// It waits for the look that goes on.
        case wait
        /// It waits for a look that begins now.
        case begin
    }

    /// The shortest pause between two looks.
    static let shortest = Duration.seconds(5)
    /// The longest one.
    static let longest = Duration.seconds(60)
    /// By how much longer a pause is than the look before it: a server spends a twentieth of its time at most.
    static let share = 20
    /// How far messages of a stream are counted, at first.
    static let counted = 100_000
    static let leastCounted = 1000
    /// After a look that took less, it is counted as far as before again.
    static let short = Duration.seconds(1)

    private var isLooking = false
    /// Until when the last look is recent.
    private var end: ContinuousClock.Instant?
    /// How far messages of a stream are counted: less far where that has taken too long.
    private(set) var countLimit = Self.counted

    /// Something scrapes.
    mutating func ask(now: ContinuousClock.Instant) -> Step {
        if self.isLooking { return .wait }
        if let end, now < end { return .take }
        self.isLooking = true
        return .begin
    }

    /// What the last look has found is of another outbox.
    mutating func forget() { self.end = nil }

    /// A look has ended, well or not.
    ///
    /// - Parameters:
    ///   - time: How long it took.
    ///   - wasTooLong: Whether it was ended because of that.
    mutating func ended(after time: Duration, wasTooLong: Bool, now: ContinuousClock.Instant) {
        self.isLooking = false
        self.end = now + min(max(time * Self.share, Self.shortest), Self.longest)
        if wasTooLong {
            self.countLimit = max(self.countLimit / 10, Self.leastCounted)
            // The next scrape is to have numbers again.
            self.end = now + Self.shortest
        } else if self.countLimit < Self.counted, time < Self.short {
            self.countLimit = min(self.countLimit * 10, Self.counted)
        }
    }
}
