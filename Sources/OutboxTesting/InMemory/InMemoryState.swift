import Outbox
import OutboxRuntime

/// Everything that a store in memory holds. A value type without clock, lock or await.
struct InMemoryState {
    private struct Address: Hashable {
        let subscription: String
        let destination: Destination
    }

    private(set) var lastID: Int64 = 0
    /// The committed messages by id.
    private(set) var log: [Int64: StoredMessage] = [:]
    /// The committed messages of each destination, in the order of their commits.
    private var committed: [Destination: [StoredMessage]] = [:]
    private var streams: [StreamID: InMemoryStream] = [:]
    /// The streams of each destination, in the order of their slots.
    private var addresses: [Address: [StreamID]] = [:]
    private(set) var sessions: [Int: Session] = [:]
    private var lastSession = 0
    private var idempotencyKeys = IdempotencyKeys()
    private var lastTransaction = 0

    // MARK: - Enqueueing

    /// The number of a new transaction.
    mutating func begin() -> Int {
        self.lastTransaction += 1
        return self.lastTransaction
    }

    /// Draws a message's id; if there was one with its idempotency key, takes that one's.
    ///
    /// - Parameters:
    ///   - message: The message.
    ///   - now: When the transaction began.
    ///   - window: For how long the message keeps others with its key out.
    ///   - transaction: The transaction's number.
    /// - Throws: If another transaction holds the key.
    mutating func draw(
        for message: NewMessage, now: Timestamp, window: Duration, transaction: Int
    ) throws(InvalidMessage) -> (id: Int64, isFirst: Bool) {
        let first = try self.idempotencyKeys.first(like: message, now: now, transaction: transaction)
        if let first { return (first, false) }
        self.lastID += 1
        self.idempotencyKeys.hold(for: message, id: self.lastID, until: now + window, transaction: transaction)
        return (self.lastID, true)
    }

    mutating func rollback(_ transaction: Int) {
        self.idempotencyKeys.rollback(transaction)
    }

    /// Makes the messages of a transaction visible.
    ///
    /// - Returns: Whom to tell.
    mutating func commit(_ messages: [StoredMessage], transaction: Int) -> [Signal] {
        self.idempotencyKeys.commit(transaction)
        for message in messages {
            self.log[message.id] = message
            if self.committed[message.content.destination] == nil { self.attachNext { $0.includesOthers } }
            self.committed[message.content.destination, default: []].append(message)
        }
        return messages.isEmpty ? [] : self.sessions.values.filter(\.hasJoined).map(\.signal)
    }

    // MARK: - Sessions

    mutating func openSession(subscription: String, signal: Signal) -> Int {
        self.lastSession += 1
        self.sessions[self.lastSession] = Session(subscription: subscription, signal: signal)
        return self.lastSession
    }

    /// - Returns: Whom to tell.
    mutating func closeSession(_ number: Int) -> [Signal] {
        self.sessions[number] = nil
        return self.shareAgain()
    }

    /// All relays look what is theirs.
    private mutating func shareAgain() -> [Signal] {
        self.attachNext { _ in true }
        return self.sessions.values.filter(\.hasJoined).map(\.signal)
    }

    /// Breaks every session.
    ///
    /// - Returns: Whom to tell.
    mutating func cutSessions() -> [Signal] {
        for number in self.sessions.keys {
            self.sessions[number]?.isCut = true
            self.sessions[number]?.hasJoined = false
            self.sessions[number]?.streams = []
            self.sessions[number]?.leaving = []
        }
        return self.sessions.values.map(\.signal)
    }

    /// - Returns: What is the session's, and whom to tell.
    mutating func attach(
        _ destinations: [Destination], andOthers: Bool, from position: FirstPosition, session number: Int,
        now: Timestamp
    ) throws(RelayError) -> (attached: [AttachedStream], signals: [Signal]) {
        _ = try self.session(number)
        self.sessions[number]?.hasJoined = true
        self.sessions[number]?.deferredChanged = false
        self.sessions[number]?.destinations += destinations
        if andOthers { self.sessions[number]?.includesOthers = true }
        if position == .now { self.register(destinations, andOthers: andOthers, now: number) }
        let attached = self.attachMissing(to: number, now: now)
        return (attached, self.shareAgain())
    }

    /// Gives up streams.
    ///
    /// - Returns: Whom to tell.
    mutating func release(_ streams: [StreamID], session number: Int) throws(RelayError) -> [Signal] {
        let session = try self.member(number)
        for id in streams {
            if session.streams.contains(id), self.streams[id]?.hasInFlight == true {
                throw RelayError(.misuse, "The stream \(id) was released with pages on their way.")
            }
            self.sessions[number]?.streams.remove(id)
            self.sessions[number]?.leaving.remove(id)
            self.sessions[number]?.asked[id] = nil
        }
        return self.shareAgain()
    }

    /// What all relays of a subscription have and could have, as a plan for one of them.
    private mutating func plan(for number: Int, _ session: Session) -> SharePlan<Int> {
        let members = self.sessions.filter { $0.value.hasJoined && $0.value.subscription == session.subscription }
        for destination in session.destinations {
            _ = self.streams(of: destination, subscription: session.subscription)
        }
        if session.includesOthers {
            for destination in self.committed.keys {
                _ = self.streams(of: destination, subscription: session.subscription)
            }
        }
        var streams: [SharePlan<Int>.Stream] = []
        for id in self.streams(of: session.subscription) {
            guard let destination = self.streams[id]?.destination else { continue }
            let candidates = members.filter { $0.value.includesOthers || $0.value.destinations.contains(destination) }
            if candidates[number] == nil { continue }
            let owner = members.first { $0.value.streams.contains(id) || $0.value.leaving.contains(id) }
            streams.append(SharePlan.Stream(id, owner: owner?.key, candidates: Set(candidates.keys)))
        }
        let planned = Set(streams.map(\.id))
        let beside = members.mapValues { $0.streams.union($0.leaving).subtracting(planned).count }
        return SharePlan(
            streams, beside: beside, fixed: Set(session.asked.keys).union(session.leaving), for: number)
    }

    /// Attaches the streams that are a session's share and have no owner.
    private mutating func attachMissing(to number: Int, now: Timestamp) -> [AttachedStream] {
        guard let session = self.sessions[number] else { return [] }
        self.sessions[number]?.mustAttach = false
        var attached: [AttachedStream] = []
        for id in self.plan(for: number, session).taken {
            guard let destination = self.streams[id]?.destination else { continue }
            self.sessions[number]?.streams.insert(id)
            self.streams[id]?.rewind()
            self.streams[id]?.deferred.promote(nil, now: now)
            attached.append(
                AttachedStream(
                    id: id, destination: destination, deferredKeys: self.streams[id]?.deferred.keys ?? [:],
                    start: self.streams[id]?.start ?? StreamStart()))
        }
        return attached
    }

    /// The streams of a session that are for others, which it was not asked for within a minute.
    private mutating func surplus(of number: Int, now: Timestamp) -> [StreamID] {
        guard var session = self.sessions[number] else { return [] }
        session.asked = session.asked.filter { now < $0.value + Handover.rest }
        self.sessions[number] = session
        // What is being handed over counts as its own.
        if session.asked.keys.contains(where: session.streams.contains) { return [] }
        let given = self.plan(for: number, session).given
        for id in given { self.sessions[number]?.asked[id] = now }
        return given
    }

    private mutating func attachNext(_ isTold: (Session) -> Bool) {
        for (number, session) in self.sessions where session.hasJoined && isTold(session) {
            self.sessions[number]?.mustAttach = true
        }
    }

    /// - Returns: What there is to return at once; nil: nothing.
    mutating func read(
        _ requests: [ReadRequest], session number: Int, now: Timestamp
    ) throws(RelayError) -> ReadResult? {
        let session = try self.member(number)
        if !session.lost.isEmpty {
            self.sessions[number]?.lost = []
            return ReadResult(detached: session.lost)
        }
        if session.mustAttach {
            let surplus = self.surplus(of: number, now: now)
            let attached = self.attachMissing(to: number, now: now)
            if !attached.isEmpty || !surplus.isEmpty { return ReadResult(attached: attached, surplus: surplus) }
        }
        var result = ReadResult(deferredChanged: session.deferredChanged)
        for request in requests {
            guard session.streams.contains(request.stream), var stream = self.streams[request.stream] else {
                throw RelayError(.misuse, "The stream \(request.stream) was not attached by this session.")
            }
            // Taken out, so that the change is made in place.
            self.streams[request.stream] = nil
            defer { self.streams[request.stream] = stream }
            if request.deferred {
                let page = stream.deferred.read(
                    messages: request.messages, bytes: request.bytes, now: now, excluding: Set(request.excluding),
                    stream: stream.id, destination: stream.destination)
                if let page { result.pages.append(page) }
                result.nextDue[stream.id] = .some(stream.deferred.nextDue(now: now, excluding: Set(request.excluding)))
            }
            if request.messages > 0 {
                let page = stream.read(
                    messages: request.messages, bytes: request.bytes,
                    of: self.committed[stream.destination] ?? [], now: now)
                if let page { result.pages.append(page) }
            }
        }
        self.sessions[number]?.deferredChanged = false
        result.lookedAtEverything = result.pages.isEmpty && !result.deferredChanged
        let isEmpty = result.pages.isEmpty && result.nextDue.isEmpty && !result.deferredChanged
        return isEmpty ? nil : result
    }

    mutating func settle(
        _ settlements: [Settlement], session number: Int, now: Timestamp
    ) throws(RelayError) {
        let session = try self.member(number)
        // What was read of a stream that is lost comes again.
        let settlements = settlements.filter { !session.lost.contains($0.stream) }
        for settlement in settlements { try self.check(settlement, session) }
        for settlement in settlements {
            self.streams[settlement.stream]?.apply(settlement, log: self.log, now: now)
        }
    }

    func deferredKeys(session number: Int) throws(RelayError) -> [StreamID: [UInt64: Int]] {
        let session = try self.member(number)
        return self.streams.filter { session.streams.contains($0.key) }.mapValues(\.deferred.keys)
    }

    private func session(_ number: Int) throws(RelayError) -> Session {
        guard let session = self.sessions[number] else {
            throw RelayError(.misuse, "The session is closed.")
        }
        if session.isCut { throw RelayError(.connection, "The session was disconnected.") }
        return session
    }

    private func member(_ number: Int) throws(RelayError) -> Session {
        let session = try self.session(number)
        guard session.hasJoined else {
            throw RelayError(.misuse, "The session has attached nothing.")
        }
        return session
    }

    /// Everything that can be wrong with a settlement is found before anything is changed.
    private func check(_ settlement: Settlement, _ session: Session) throws(RelayError) {
        guard session.streams.contains(settlement.stream), let stream = self.streams[settlement.stream] else {
            throw RelayError(.misuse, "The stream \(settlement.stream) was not attached by this session.")
        }
        if let page = settlement.through, !stream.isInFlight(page) {
            throw RelayError(
                .misuse,
                "The cursor of stream \(stream.id) cannot move behind a page that this session has not read, or has "
                    + "settled before.")
        }
        let ids = settlement.deferred.map(\.id) + settlement.dead.map(\.id)
        for id in ids where self.log[id]?.content.destination != stream.destination {
            throw RelayError(.misuse, "Message \(id) is not in the log of stream \(stream.id).")
        }
    }

    // MARK: - Streams

    /// Creates the streams that a session wants and that do not exist, with nothing of what is committed.
    private mutating func register(_ destinations: [Destination], andOthers: Bool, now number: Int) {
        guard let subscription = self.sessions[number]?.subscription else { return }
        let isNew = self.streams(of: subscription).isEmpty
        for destination in destinations + (andOthers && isNew ? Array(self.committed.keys) : []) {
            if self.addresses[Address(subscription: subscription, destination: destination)] != nil { continue }
            for id in self.streams(of: destination, subscription: subscription) {
                self.streams[id]?.skip(self.committed[destination] ?? [])
            }
        }
    }

    private mutating func streams(of destination: Destination, subscription: String) -> [StreamID] {
        let address = Address(subscription: subscription, destination: destination)
        if let ids = self.addresses[address] { return ids }
        let id = self.nextStream
        self.addresses[address] = [id]
        self.streams[id] = InMemoryStream(id: id, destination: destination)
        return [id]
    }

    private var nextStream: StreamID { StreamID(Int32(self.streams.count + 1)) }

    private func streams(of subscription: String) -> [StreamID] {
        self.addresses.filter { $0.key.subscription == subscription }.flatMap(\.value)
    }

    /// Makes two streams of the one of a destination that has the most slots. What is in flight of it is read again by these.
    ///
    /// - Returns: Whom to tell.
    mutating func split(_ destination: Destination, subscription: String) -> [Signal] {
        let address = Address(subscription: subscription, destination: destination)
        let ids = self.addresses[address] ?? []
        let widest = ids.max { self.streams[$0]?.slots.count ?? 0 < self.streams[$1]?.slots.count ?? 0 }
        guard let widest, let parts = self.streams[widest]?.split() else { return [] }
        let number = self.nextStream
        self.streams[widest] = parts.lower
        self.streams[number] = InMemoryStream(parts.upper, id: number)
        self.addresses[address] = ids.flatMap { $0 == widest ? [widest, number] : [$0] }
        var signals: [Signal] = []
        for (session, known) in self.sessions where known.streams.contains(widest) {
            self.sessions[session]?.streams.remove(widest)
            self.sessions[session]?.lost.append(widest)
            self.sessions[session]?.leaving.insert(widest)
            self.sessions[session]?.mustAttach = true
            signals.append(known.signal)
        }
        return signals
    }

    /// The streams of a subscription, for a look from outside.
    func contents(of subscription: String) -> [InMemoryStream] {
        self.streams(of: subscription).compactMap { self.streams[$0] }
    }

    /// The messages that a subscription has not settled, those of destinations without a stream included.
    func unsettled(of subscription: String) -> [StoredMessage] {
        let messages = self.committed.flatMap { destination, committed -> [StoredMessage] in
            let ids = self.addresses[Address(subscription: subscription, destination: destination)]
            return ids?.flatMap { self.streams[$0]?.unsettled(of: committed) ?? [] } ?? committed
        }
        return messages.sorted { $0.id < $1.id }
    }

    /// Changes deferred messages or dead letters from outside of any session.
    ///
    /// - Parameters:
    ///   - subscription: Whose; nil: everybody's.
    ///   - body: Makes the change and says whether there was one.
    /// - Returns: Whether there was one, and whom to tell.
    mutating func change(
        _ subscription: String?, now: Timestamp, _ body: (inout InMemoryStream) -> Bool
    ) -> (isChanged: Bool, signals: [Signal]) {
        var isChanged = false
        let ids = subscription.map { self.streams(of: $0) } ?? Array(self.streams.keys)
        for id in ids {
            guard var stream = self.streams.removeValue(forKey: id) else { continue }
            if body(&stream) {
                isChanged = true
                stream.deferred.promote(nil, now: now)
            }
            self.streams[id] = stream
        }
        guard isChanged else { return (false, []) }
        var signals: [Signal] = []
        for (number, session) in self.sessions
        where session.hasJoined && subscription.map({ $0 == session.subscription }) ?? true {
            self.sessions[number]?.deferredChanged = true
            signals.append(session.signal)
        }
        return (true, signals)
    }
}
