import Outbox

/// The relays of a log, as a session sees them in the server's locks, and what it has itself.
///
/// A lock in the session that commits the cursor is ownership, a shared one says which destinations a relay has routes for, and what there
/// is of both is all that relays know of each other: see ``/Outbox/SharePlan``. A value type without I/O or clock.
struct Fleet {
    /// A session that holds locks of the log.
    struct Holder {
        let process: Int32
        /// Whether it is this session.
        let isOwn: Bool
        /// The streams that it owns; and, as -1, that it is the keeper.
        let owned: Set<Int32>
        /// The streams that it waits for.
        let waits: Set<Int32>
        /// What it has routes for.
        let routes: Set<Int32>
        /// Whether it is a relay of the same subscription.
        let isMember: Bool
        /// Whether it is a relay.
        let isRelay: Bool
        /// Whether it has been silent for too long.
        let isSilent: Bool
        let role: String
        let application: String
    }

    /// What to do after a look.
    struct Decision {
        /// Streams' locks to try.
        var take: [Int32] = []
        /// Whether to try to be the keeper.
        var keep = false
        /// Whether to be the keeper no more.
        var resigns = false
        /// Whether the bell has no keeper, and will have none: a session that sleeps by the word of one polls.
        var wakes = false
        /// Streams' locks to give up.
        var drop: [Int32] = []
        /// Sessions to end.
        var end: [Holder] = []
        /// Sessions that own streams and are no relays.
        var foreign: [(holder: Holder, stream: StreamID)] = []
    }

    private let subscription: String
    /// How often to look while there are other relays.
    private var interval = Duration.seconds(1)
    private var process: Int32 = 0
    private var joinedAt: ContinuousClock.Instant?
    /// All streams that the relay has a route for, by their numbers.
    private var known: [StreamID: Destination] = [:]
    /// Those whose locks this session has.
    private var locked: Set<StreamID> = []
    /// Those that it has lost, while its relay may still be calling handlers.
    private var leaving: Set<StreamID> = []
    /// Since when streams are seen without an owner that are for others.
    private var freeSince: [StreamID: ContinuousClock.Instant] = [:]
    /// Until when streams stay: no other relay has taken them, or they could not be given.
    private var fixedUntil: [StreamID: ContinuousClock.Instant] = [:]
    /// Whether to look once more: what was told of may come a moment later.
    private var looksAgain = false
    /// Whether a session waits for a stream.
    private var isAwaited = false
    /// Streams that are being handed over, and since when.
    private var givenAt: [StreamID: ContinuousClock.Instant] = [:]
    /// When sessions that are in the way were last dealt with.
    private var metAt: [Int32: ContinuousClock.Instant] = [:]
    /// Since when sessions that are no relays have had streams.
    private var foreignSince: [Int32: ContinuousClock.Instant] = [:]

    /// Whether there is another relay at the log, of whatever subscription.
    private(set) var hasOthers = false
    /// Whether this session is the one that takes the bell.
    private(set) var isKeeper = false
    /// Whether it reads, which a keeper does.
    private(set) var readAt: ContinuousClock.Instant?
    /// Whether others were not told of what is in the locks, because the server takes no notification.
    private(set) var isUntold = false
    /// Streams that are for others, which the relay is to be told of.
    private(set) var surplus: [StreamID] = []
    /// When to look next; nil: not before something happens.
    private(set) var lookDue: ContinuousClock.Instant?
    /// Whether the server's queue of notifications is too full to ring.
    private(set) var isQueueCrowded = false
    /// Whether some slots of a destination have no stream, so that one may come of which nothing tells.
    private(set) var isIncomplete = false

    /// How long a session that is no relay may have a stream before that is told: longer than an operator's program needs that splits
    /// or merges, once it has what it waited for.
    static let foreignPatience = Duration.seconds(10)

    /// From how full the server's queue of notifications is, 0 to 1, there is no keeper, and so no producer rings: one that rings when it is full
    /// cannot commit. The server itself warns from here on.
    static let crowdedQueue = 0.5

    /// Below which there is one again.
    static let roomyQueue = 0.25

    /// After how many intervals a keeper that is alone looks: nothing else tells it that producers ring into a queue that fills up.
    static let lonelyLook = 30

    init(subscription: String) { self.subscription = subscription }

    // MARK: - What the session has

    /// The session joins the relays of its subscription.
    ///
    /// - Returns: The locks by which it says what it has routes for.
    mutating func join(
        _ destinations: [Destination], andOthers: Bool, lookingEvery interval: Duration, now: ContinuousClock.Instant
    ) -> [Int32] {
        self.interval = max(interval, .milliseconds(1))
        self.joinedAt = now
        self.lookDue = now
        let names: [String?] = destinations.map(\.name) + (andOthers ? [nil] : [])
        return Set(names.map { FleetLock.route($0, subscription: self.subscription) }).sorted()
    }

    /// All streams that the relay has a route for were read from the database.
    mutating func loaded(_ streams: [StreamState], now: ContinuousClock.Instant) {
        let before = Set(self.known.keys)
        self.known = Dictionary(streams.map { ($0.id, $0.destination) }, uniquingKeysWith: { first, _ in first })
        self.isIncomplete = Dictionary(grouping: streams, by: \.destination).values.contains { streams in
            !StreamState.coverAllSlots(streams.map(\.slots))
        }
        if before != Set(self.known.keys) { self.lookDue = now }
    }

    /// Whether a stream is the session's, to be read.
    func owns(_ stream: StreamID) -> Bool { self.locked.contains(stream) && !self.leaving.contains(stream) }

    /// A stream is to be read no more, while the relay may still be calling handlers.
    mutating func lost(_ stream: StreamID) { if self.locked.contains(stream) { self.leaving.insert(stream) } }

    /// A stream's lock was granted.
    mutating func took(_ stream: StreamID) {
        self.locked.insert(stream)
        self.freeSince[stream] = nil
    }

    /// The keeper's lock was granted.
    mutating func keeps() { self.isKeeper = true }

    /// Others were told to look, or the server did not take that: it is tried again with a later look.
    mutating func told(_ isTold: Bool, now: ContinuousClock.Instant) {
        self.isUntold = !isTold
        if !isTold { self.looksLater(now) }
    }

    /// The server did not take the word of a keeper, new or not. Without a keeper every relay polls.
    mutating func couldNotKeep(now: ContinuousClock.Instant) {
        self.isKeeper = false
        self.looksLater(now)
    }

    private mutating func looksLater(_ now: ContinuousClock.Instant) {
        self.lookDue = min(self.lookDue ?? now + self.interval, now + self.interval)
    }

    /// The relay gives up streams.
    ///
    /// - Returns: The locks to give up.
    mutating func release(_ streams: [StreamID], now: ContinuousClock.Instant) -> [Int32] {
        let released = Set(streams).intersection(self.locked)
        self.locked.subtract(released)
        self.leaving.subtract(released)
        self.lookDue = now
        return released.map(\.value).sorted()
    }

    /// Reading is asked for.
    mutating func reads(now: ContinuousClock.Instant) {
        if self.readAt == nil, !self.isKeeper { self.lookDue = now }
        self.readAt = now
    }

    mutating func takeSurplus() -> [StreamID] {
        defer { self.surplus = [] }
        return self.surplus
    }

    /// Whether a server process is this session's.
    func isOwn(_ process: Int32) -> Bool { process == self.process }

    // MARK: - What it sees

    /// Something has changed among the relays.
    mutating func heard(now: ContinuousClock.Instant) {
        self.lookDue = now
        self.looksAgain = true
    }

    /// A look was made.
    ///
    /// - Parameters:
    ///   - listens: Whether the session hears what others tell, and may be the keeper.
    ///   - queueUsage: How full the server's queue of notifications is, 0 to 1.
    mutating func saw(
        _ holders: [Holder], listens: Bool, queueUsage: Double, now: ContinuousClock.Instant
    ) -> Decision {
        var decision = Decision()
        self.isQueueCrowded = queueUsage >= (self.isQueueCrowded ? Self.roomyQueue : Self.crowdedQueue)
        if let own = holders.first(where: \.isOwn) { self.process = own.process }
        let others = holders.filter { !$0.isOwn && $0.isRelay }
        self.hasOthers = !others.isEmpty
        // Who comes later finds this one by itself.
        if !self.hasOthers { self.isUntold = false }
        self.share(holders, now: now, &decision)
        self.keep(holders, listens: listens, now: now, &decision)
        let isPatient = self.joinedAt.map { now - $0 >= Pulse.silence } ?? false
        if isPatient {
            for holder in others where holder.isSilent && !holder.owned.isEmpty && self.meets(holder, now: now) {
                decision.end.append(holder)
            }
        }
        // One that is alone is told of others. What it lacks has another owner, whose end nothing tells.
        let lacks = self.known.keys.contains { !self.locked.contains($0) }
        let looks = self.hasOthers || lacks || !listens || self.isAwaited || self.isQueueCrowded
        let isLonelyKeeper = self.isKeeper || decision.keep
        self.lookDue = looks ? now + self.interval : isLonelyKeeper ? now + self.interval * Self.lonelyLook : nil
        // Who waits for a stream says so before it does, and may be slow to begin. It waits for longer than this.
        if self.looksAgain { self.lookDue = min(self.lookDue ?? now + .seconds(1), now + .seconds(1)) }
        self.looksAgain = false
        return decision
    }

    private mutating func keep(
        _ holders: [Holder], listens: Bool, now: ContinuousClock.Instant, _ decision: inout Decision
    ) {
        let reads = self.readAt.map { now - $0 <= max(self.interval * 2, .seconds(2)) } ?? false
        if !reads { self.readAt = nil }
        if self.isKeeper {
            // Others would wait for what it says.
            if self.isQueueCrowded || !reads && self.hasOthers {
                self.isKeeper = false
                decision.resigns = true
            }
        } else if !holders.contains(where: { $0.owned.contains(FleetLock.keeper) }) {
            decision.wakes = self.isQueueCrowded
            decision.keep = listens && reads && !self.isQueueCrowded
        }
    }

    private mutating func share(_ holders: [Holder], now: ContinuousClock.Instant, _ decision: inout Decision) {
        var owners: [StreamID: Holder] = [:]
        for holder in holders { for number in holder.owned where number > 0 { owners[StreamID(number)] = holder } }
        // What is silent takes nothing.
        let members = holders.filter { $0.isMember && !$0.isSilent || $0.isOwn }
        let everything = FleetLock.route(nil, subscription: self.subscription)
        let general = Set(members.filter { $0.isOwn || $0.routes.contains(everything) }.map(\.process))
        var candidates: [Destination: Set<Int32>] = [:]
        var streams: [SharePlan<Int32>.Stream] = []
        var foreign: [(holder: Holder, stream: StreamID)] = []
        for (id, destination) in self.known {
            let route = FleetLock.route(destination.name, subscription: self.subscription)
            let those =
                candidates[destination]
                ?? general.union(members.lazy.filter { $0.routes.contains(route) }.map(\.process))
            candidates[destination] = those
            streams.append(SharePlan.Stream(id, owner: owners[id]?.process, candidates: those))
            if let owner = owners[id] {
                self.freeSince[id] = nil
                if !owner.isMember, !owner.isOwn { foreign.append((owner, id)) }
            }
        }
        // A moment after one that splits or merges has changed what it waited for, it is gone.
        self.foreignSince = self.foreignSince.filter { since in foreign.contains { $0.holder.process == since.key } }
        for (holder, id) in foreign {
            let since = self.foreignSince[holder.process] ?? now
            self.foreignSince[holder.process] = since
            if now - since >= Self.foreignPatience, self.meets(holder, now: now) {
                decision.foreign.append((holder, id))
            }
        }
        self.fixedUntil = self.fixedUntil.filter { $0.value > now }
        var beside = Dictionary(
            members.map { ($0.process, $0.owned.count { $0 > 0 }) }, uniquingKeysWith: { first, _ in first })
        for stream in streams {
            if let owner = stream.owner, let count = beside[owner] { beside[owner] = count - 1 }
        }
        let plan = SharePlan(
            streams, beside: beside, fixed: Set(self.fixedUntil.keys).union(self.leaving), for: self.process)
        // Who waits for a stream gets it.
        let awaited = holders.reduce(into: Set<StreamID>()) { all, holder in
            all.formUnion(holder.waits.map(StreamID.init))
        }
        let taken = Set(plan.taken).subtracting(awaited)
        decision.take = plan.taken.filter(taken.contains).map(\.value)
        // Those who are to take the others may not be able to: a stream is not left lying for that.
        for stream in streams where stream.owner == nil && !taken.contains(stream.id) && !awaited.contains(stream.id) {
            let since = self.freeSince[stream.id] ?? now
            self.freeSince[stream.id] = since
            if now - since < max(self.interval, .milliseconds(100)) { continue }
            decision.take.append(stream.id.value)
            self.fixedUntil[stream.id] = now + Handover.rest
        }
        // As long as something is being handed over, it counts as this session's: others would be given in its place.
        self.givenAt = self.givenAt.filter { self.owns($0.key) && now - $0.value < Handover.longest * 2 }
        if self.givenAt.isEmpty {
            for stream in plan.given where self.owns(stream) {
                self.surplus.append(stream)
                self.givenAt[stream] = now
                self.fixedUntil[stream] = now + Handover.rest
            }
        }
        for stream in awaited where self.owns(stream) && !self.surplus.contains(stream) { self.surplus.append(stream) }
        self.isAwaited = !awaited.isEmpty
        // Rows that are gone.
        let gone = self.locked.filter { self.known[$0] == nil && !self.leaving.contains($0) }
        for stream in gone { self.locked.remove(stream) }
        decision.drop += gone.map(\.value)
        self.freeSince = self.freeSince.filter { self.known[$0.key] != nil }
    }

    /// Whether to do something about a session that is in the way, which is told in the log: every minute.
    private mutating func meets(_ holder: Holder, now: ContinuousClock.Instant) -> Bool {
        self.metAt = self.metAt.filter { now - $0.value < .seconds(60) }
        if self.metAt[holder.process] != nil { return false }
        self.metAt[holder.process] = now
        return true
    }
}
