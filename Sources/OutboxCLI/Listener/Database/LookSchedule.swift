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
        /// It takes the last look, and another one begins now.
        case renew
    }

    /// The shortest pause between two looks.
    static let shortest = Duration.seconds(5)
    /// The longest one.
    static let longest = Duration.seconds(60)
    /// By how much longer a pause is than the look before it: a server spends a fiftieth of the time of one processor at most, since what is counted
    /// of an outbox in which much waits is counted while a relay delivers it.
    static let share = 50
    /// For how long after it was recent a look is still shown to a person who would have to wait for another one, which then begins.
    static let patience = Duration.seconds(20)
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

    /// Something scrapes, or a person looks.
    ///
    /// - Parameter patience: For how long the last look is taken when it is not recent any more.
    mutating func ask(now: ContinuousClock.Instant, patience: Duration = .zero) -> Step {
        let isTaken = self.end.map { now < $0 + patience } ?? false
        if self.isLooking { return isTaken ? .take : .wait }
        if let end, now < end { return .take }
        self.isLooking = true
        return isTaken ? .renew : .begin
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
