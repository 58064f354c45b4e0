import Outbox

/// What a session has to find out of streams that come and go, and has to tell its relay of them.
///
/// Of destinations that come it is not told: it looks for them, once a second at most and only after polls. A relay that sleeps is
/// woken by the first message of a new destination as by any other, so that it polls and then looks. While some slots of a destination have
/// no stream, it looks all the time: a row that is inserted by SQL wakes no relay. A value type without I/O or clock.
struct StreamWatch {
    /// The destinations whose streams are the session's, those that were found included.
    private(set) var destinations: [Destination]
    /// Whether all other destinations' are too.
    let includesOthers: Bool
    private var known: Set<Destination>

    /// Streams that the session has lost, which the relay is to be told of.
    private(set) var lost: [StreamID] = []
    /// Whether there are streams to be taken in.
    var mustAttach = false
    /// Whether a stream was resumed, so that its deferred messages have to be asked for.
    private var hasResumed = false

    /// Whether a poll was made since the last look.
    private var hasPolled = true
    private var lookedAt: ContinuousClock.Instant?
    /// How long after a look the next one is made.
    private var interval = StreamWatch.shortestInterval

    private static let shortestInterval = Duration.seconds(1)
    /// How often to look where nothing is polled, so that no producer wakes the relay.
    private static let idleInterval = Duration.seconds(2)

    init(_ destinations: [Destination] = [], andOthers: Bool = false) {
        self.destinations = destinations
        self.known = Set(destinations)
        self.includesOthers = andOthers
    }

    /// Destinations that there are now.
    mutating func found(_ destinations: [Destination]) {
        for destination in destinations where self.known.insert(destination).inserted {
            self.destinations.append(destination)
            self.mustAttach = true
        }
    }

    // MARK: - When to look

    mutating func polled() { self.hasPolled = true }

    /// When to look for streams; nil: not before something else happens.
    ///
    /// - Parameters:
    ///   - isWanted: Whether there may be one that nothing tells of, because some slots have none.
    ///   - isWoken: Whether a producer's commit wakes the relay, so that it polls.
    ///   - pollingInterval: How often the relay polls; nil: when it is woken.
    func due(isWanted: Bool, isWoken: Bool, pollingInterval: Duration?) -> ContinuousClock.Instant? {
        guard self.includesOthers || isWanted, let lookedAt else { return nil }
        if self.hasPolled { return lookedAt + self.interval }
        return isWoken && !isWanted ? nil : lookedAt + max(self.interval, Self.idleInterval, pollingInterval ?? .zero)
    }

    /// A look has begun and ended. One that takes long is made seldom.
    mutating func looked(from start: ContinuousClock.Instant, to end: ContinuousClock.Instant) {
        self.lookedAt = end
        self.interval = max(Self.shortestInterval, (end - start) * 100)
        self.hasPolled = false
    }

    // MARK: - What to tell

    mutating func lost(_ stream: StreamID) {
        self.lost.append(stream)
        self.mustAttach = true
    }

    mutating func resumed() { self.hasResumed = true }

    /// What the relay has not been told; nil: nothing.
    mutating func takeNews() -> ReadResult? {
        if self.lost.isEmpty, !self.hasResumed { return nil }
        defer { (self.lost, self.hasResumed) = ([], false) }
        return ReadResult(deferredChanged: self.hasResumed, detached: self.lost)
    }
}
