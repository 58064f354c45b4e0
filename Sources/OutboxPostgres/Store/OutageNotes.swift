import Outbox

/// Which outages are in the rows of the session's streams, and which are to be written there: those that have begun, have another reason or are
/// over, once that has lasted for a second. What an earlier session has left there is written over.
///
/// A value type without I/O or clock.
struct OutageNotes {
    private var written: [StreamID: StreamActivity.Outage] = [:]
    private var current: [StreamID: StreamActivity.Outage] = [:]
    /// Since when they have been different.
    private var since: ContinuousClock.Instant?

    /// What to write of a stream; nil as the outage: it is over.
    typealias Change = (stream: StreamID, outage: StreamActivity.Outage?)

    /// The row of a stream that the session takes says that its destination is down, which an earlier session has written.
    mutating func found(_ stream: StreamID, now: ContinuousClock.Instant) {
        // No outage of this session is equal to it.
        self.written[stream] = StreamActivity.Outage(reason: "", since: now)
    }

    /// Takes note of what all streams of the session do now. Nothing is to be written of one that is the session's no more.
    mutating func note(_ activity: [StreamID: StreamActivity], now: ContinuousClock.Instant) {
        let hasOutage = activity.values.contains { $0.outage != nil }
        if !hasOutage, self.written.isEmpty, self.current.isEmpty { return }
        self.written = self.written.filter { activity[$0.key] != nil }
        self.current = hasOutage ? activity.compactMapValues(\.outage) : [:]
        self.since = self.current == self.written ? nil : self.since ?? now
    }

    /// When to write something; nil: that has been done.
    var due: ContinuousClock.Instant? { self.since.map { $0 + ActivitySchedule.patience } }

    /// What to write, if it is time.
    func changes(now: ContinuousClock.Instant) -> [Change] {
        guard let due = self.due, now >= due else { return [] }
        let over = self.written.keys.filter { self.current[$0] == nil }.map { ($0, nil as StreamActivity.Outage?) }
        return over + self.current.filter { self.written[$0.key] != $0.value }.map { ($0.key, $0.value) }
    }

    /// Changes were written; what was not is tried again in a second.
    mutating func wrote(_ changes: [Change], now: ContinuousClock.Instant) {
        for change in changes { self.written[change.stream] = change.outage }
        self.since = self.current == self.written ? nil : now
    }
}
