import Outbox

/// What one poll asks the server for, of all that a relay wants of the log.
///
/// Streams that have read everything visible in the same snapshot are read together, by what has become visible since: that costs what
/// is new, not what there is of streams. The others are read one by one, so many at a time that what is new elsewhere does not wait
/// for all of them. Of streams that were not read for a while it is found out together what there is, before they are read: each
/// for itself would look at all that came since for all of them.
///
/// A value type without I/O.
struct PollPlan {
    /// What the session has found out by the polls before.
    struct Knowledge {
        /// The snapshot of the last poll; nil: there was none.
        var newest: Cursor.Snapshot?
        /// Streams that were read together and of which there was more than they have room for.
        var crowded: Set<StreamID> = []
        /// A transaction number that was the next one a while ago: what a stream has not seen of it was not read for a while.
        var longAgo: UInt64 = 0
        /// Whether it is time to look after streams that are not asked for.
        var isDue = false
        /// Streams that were read one by one in this round, which ends when all of them have been.
        var looked: Set<StreamID> = []
        /// How long a stream may go unread before it is found out with others what there is of it.
        var forwardInterval = Duration.seconds(1)
        /// When to find that out again.
        private var forwardDue: ContinuousClock.Instant?
        /// The transaction number that will have been the next one long ago by then.
        private var nextLongAgo: UInt64 = 0
        /// When to look by ids at what is read by transaction numbers; nil: no stream is read so yet.
        private var byIDsDue: ContinuousClock.Instant?

        /// A stream is not the session's any more.
        mutating func forget(_ stream: StreamID) {
            self.crowded.remove(stream)
            self.looked.remove(stream)
        }

        /// A poll has seen this snapshot.
        mutating func saw(_ snapshot: Cursor.Snapshot, now: ContinuousClock.Instant) {
            self.newest = snapshot
            if let due = self.forwardDue, now < due { return }
            self.forwardDue = now + self.forwardInterval
            self.isDue = self.nextLongAgo > self.longAgo
            self.longAgo = self.nextLongAgo
            self.nextLongAgo = Cursor.maximum(of: snapshot) ?? 0
        }

        /// Whether it is time to look by ids, asked with each poll of streams that are read by transaction numbers.
        mutating func isTimeToLookByIDs(every interval: Duration, now: ContinuousClock.Instant) -> Bool {
            if let due = self.byIDsDue, now < due { return false }
            defer { self.byIDsDue = now + interval }
            return self.byIDsDue != nil
        }
    }

    /// How many streams are read one by one in a poll.
    static let mostAlone = 256
    /// How many streams are brought forward in a poll.
    static let mostForward = 4096

    /// The snapshot since which what has become visible is read of ``together``.
    private(set) var since: Cursor.Snapshot = []
    private(set) var together: [ReadRequest] = []
    private(set) var alone: [ReadRequest] = []
    /// Those of which only the lowest new id is asked for.
    private(set) var forward: [StreamID] = []
    /// Whether something that is wanted is not read by this poll.
    private(set) var isPartial = false

    /// - Parameters:
    ///   - requests: What is wanted; what asks for no messages of the log is left out.
    ///   - streams: All streams of the session, asked for or not.
    init(_ requests: [ReadRequest], of streams: StreamTable, _ knowledge: inout Knowledge) {
        var mustLook = knowledge.isDue
        for request in requests where request.messages > 0 {
            guard let stream = streams[request.stream] else { continue }
            if stream.cursor.isComplete, knowledge.crowded.contains(request.stream) {
                self.forward.append(request.stream)
            } else if stream.cursor.isComplete, stream.cursor.snapshot == knowledge.newest,
                streams.canBeReadTogether(stream)
            {
                self.together.append(request)
            } else {
                self.alone.append(request)
                if Self.isBehind(stream, knowledge.longAgo) { mustLook = true }
            }
        }
        self.since = knowledge.newest ?? []
        if mustLook {
            let known = Set(self.forward)
            let longAgo = knowledge.longAgo
            self.forward +=
                streams.all.filter { !known.contains($0.id) && Self.isBehind($0, longAgo) }.map(\.id)
        }
        if self.forward.count > Self.mostForward { self.forward.removeLast(self.forward.count - Self.mostForward) }
        if !self.forward.isEmpty {
            let forward = Set(self.forward)
            self.alone.removeAll { forward.contains($0.stream) }
            self.isPartial = requests.contains { $0.messages > 0 && forward.contains($0.stream) }
        }
        if self.alone.count > Self.mostAlone {
            let left = self.alone.filter { !knowledge.looked.contains($0.stream) }
            self.alone = Array((left.isEmpty ? self.alone : left).prefix(Self.mostAlone))
            if left.isEmpty { knowledge.looked.removeAll() }
            knowledge.looked.formUnion(self.alone.map(\.stream))
            if left.count > self.alone.count || left.isEmpty {
                self.isPartial = true
            } else {
                knowledge.looked.removeAll()
            }
        } else {
            knowledge.looked.removeAll()
        }
        knowledge.isDue = false
        knowledge.crowded.subtract(self.forward)
    }

    private static func isBehind(_ stream: StreamState, _ longAgo: UInt64) -> Bool {
        guard stream.cursor.canBeBroughtForward, !stream.isFarBehind else { return false }
        return Cursor.maximum(of: stream.cursor.newestSnapshot) ?? .max < longAgo
    }

    /// Whether it is one statement.
    var isOfNewAlone: Bool { self.alone.isEmpty && self.forward.isEmpty && !self.together.isEmpty }

    /// How many messages are read at most of all ``together``, so that each has room for all of them; and how many bytes.
    var limit: (messages: Int, bytes: Int) {
        (self.together.map(\.messages).min() ?? 0, self.together.map(\.bytes).min() ?? 0)
    }
}
