import Outbox

/// Says in the session's name what the relay is doing, and in the rows of its streams why their destinations are down.
struct Announcer {
    /// What the session is called, without what the relay is doing.
    private let name: String
    /// Nil: the relay does not own the streams yet.
    private var schedule: ActivitySchedule?
    var outages = OutageNotes()

    init(name: String) { self.name = name }

    /// What the session is called before its relay does anything.
    var firstName: String { ActivityReport([:]).text(named: self.name) }

    /// The relay owns the streams; its session has ``firstName``.
    mutating func began() { self.schedule = ActivitySchedule(announced: ActivityReport([:])) }

    mutating func note(_ activity: [StreamID: StreamActivity], now: ContinuousClock.Instant) {
        guard self.schedule != nil else { return }
        self.schedule?.note(ActivityReport(activity), now: now)
        self.outages.note(activity, now: now)
    }

    /// When to say what the relay is doing; nil: that has been said.
    var due: ContinuousClock.Instant? { [self.schedule?.due, self.outages.due].compactMap { $0 }.min() }

    /// What to call the session, if it is time; it counts as done.
    mutating func take(now: ContinuousClock.Instant) -> String? {
        self.schedule?.take(now: now)?.text(named: self.name)
    }
}
