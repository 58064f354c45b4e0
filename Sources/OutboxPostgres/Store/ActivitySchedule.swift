/// Debounces what a relay announces in its session's name: a state is announced once it has lasted for a second.
///
/// So it says something once a second at most, and nothing of what is over sooner: a relay that is woken now and then,
/// delivers and sleeps again is silent. A value type without I/O or clock.
struct ActivitySchedule: Sendable {
    private var announced: ActivityReport
    private var current: ActivityReport
    /// Since when they have been different.
    private var since: ContinuousClock.Instant?

    /// How long something lasts before it is worth telling.
    static let patience: Duration = .seconds(1)

    init(announced: ActivityReport) {
        self.announced = announced
        self.current = announced
    }

    /// Takes note of what there is to say now.
    mutating func note(_ report: ActivityReport, now: ContinuousClock.Instant) {
        self.current = report
        self.since = report == self.announced ? nil : self.since ?? now
    }

    /// When to say it; nil: that has been said.
    var due: ContinuousClock.Instant? { self.since.map { $0 + Self.patience } }

    /// What to say, if it is time; it counts as said.
    mutating func take(now: ContinuousClock.Instant) -> ActivityReport? {
        guard let due = self.due, now >= due else { return nil }
        self.announced = self.current
        self.since = nil
        return self.announced
    }
}
