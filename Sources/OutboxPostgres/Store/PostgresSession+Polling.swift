import Outbox
import OutboxSQL

/// One round trip: what is asked of the server, and what its answers mean.
extension PostgresSession {
    /// Which of a pipeline's results belongs to what.
    enum Answer {
        case none
        case bell
        case snapshot
        case new(PollPlan)
        case firstNew([StreamID])
        case beyond
        case late(ReadRequest)
        case fresh(ReadRequest)
        case catchup(ReadRequest, Cursor.Catchup)
        case due(ReadRequest)
        case nextDue(ReadRequest)
        case nextDueOf([StreamID])
    }

    /// A poll that the server has been asked for.
    struct SentPoll {
        let requests: [ReadRequest]
        let isReleasing: Bool
        /// Whether it leaves something for the next one.
        let isPartial: Bool
        let answers: [Answer]
        let pipeline: SentPipeline
        /// What had been heard of the keeper when it was sent.
        let hearings: Int
        let sentAt = ContinuousClock.now
    }

    /// A poll that was thought out before it is sent.
    struct ReadyPoll {
        let requests: [ReadRequest]
        let isReleasing: Bool
        let plan: PollPlan
        let statements: [LibPQStatement]
        let hearings: Int

        func sent(_ pipeline: SentPipeline) -> SentPoll {
            SentPoll(
                requests: self.requests, isReleasing: self.isReleasing, isPartial: self.plan.isPartial,
                answers: [.new(self.plan)], pipeline: pipeline, hearings: self.hearings)
        }
    }

    /// The poll that follows a ring; nil: it is more than one statement.
    func pollOfRing(_ requests: [ReadRequest]) -> ReadyPoll? {
        var doorbell = self.doorbell
        doorbell.heardRing()
        guard requests.contains(where: { $0.messages > 0 }), !requests.contains(where: \.deferred),
            case .poll(let release, arm: false) = doorbell.step, !(release && doorbell.mustRecall)
        else { return nil }
        // What the plan leaves to another poll is still to be known then.
        var knowledge = self.knowledge
        let plan = PollPlan(requests, of: self.streams, &knowledge)
        if !plan.isOfNewAlone { return nil }
        return ReadyPoll(
            requests: requests, isReleasing: release, plan: plan, statements: [self.readNew(plan, release: release)],
            hearings: doorbell.hearings)
    }

    /// Releases or takes the bell and reads everything asked for, in one pipeline.
    func exchange(_ requests: [ReadRequest], release: Bool, arm: Bool) async throws(LibPQError) -> ReadResult {
        try await self.receive(try await self.send(requests, release: release, arm: arm))
    }

    func send(_ requests: [ReadRequest], release: Bool, arm: Bool) async throws(LibPQError) -> SentPoll {
        var plan: [(LibPQStatement, Answer)] = []
        if arm {
            plan.append((self.bound(self.statements.arm, [self.lockKey]), .bell))
            // Of what was looked at before, it is not known that nothing has come since.
            self.knowledge.looked.removeAll()
        }
        // Others sleep because of what was said before, and what comes when the bell is free does not ring.
        if release, self.doorbell.mustRecall { plan.append((self.telling(Word.awake), .none)) }
        // The snapshot must be taken after the bell, so it is another transaction's.
        let ends = plan.indices.map { $0 }
        var isPartial = false
        if !arm || self.doorbell.policy.pollsAfterArming {
            isPartial = self.planReading(requests, release: release, &plan)
        }
        let pipeline = try await self.connection.begin(plan.map(\.0), endingTransactionsAfter: ends)
        return SentPoll(
            requests: requests, isReleasing: release, isPartial: isPartial, answers: plan.map(\.1), pipeline: pipeline,
            hearings: self.doorbell.hearings)
    }

    /// - Returns: Whether something that is wanted is left for the next poll.
    private func planReading(
        _ requests: [ReadRequest], release: Bool, _ plan: inout [(LibPQStatement, Answer)]
    ) -> Bool {
        let poll = PollPlan(requests, of: self.streams, &self.knowledge)
        let deferred = requests.filter(\.deferred)
        let looksByIDs = !poll.together.isEmpty && self.isTimeToLookByIDs()
        if poll.isOfNewAlone, deferred.isEmpty, !looksByIDs {
            // One statement has one snapshot.
            plan.append((self.readNew(poll, release: release), .new(poll)))
            return poll.isPartial
        }
        plan.append((self.bound(self.statements.beginRead), .none))
        // A producer that does not ring because of that is found by a later poll, at the latest by the one after the bell is taken again.
        if release { plan.append((self.bound(self.statements.release, [self.lockKey]), .none)) }
        plan.append((self.bound(self.statements.currentSnapshot), .snapshot))
        if !poll.together.isEmpty { plan.append((self.readNew(poll, release: false), .new(poll))) }
        if looksByIDs { plan.append((self.beyond(poll.together.map(\.stream)), .beyond)) }
        for request in poll.alone { self.planAlone(request, &plan) }
        self.planDeferred(deferred, &plan)
        if !poll.forward.isEmpty {
            // Last: other statements are planned otherwise.
            plan.append((self.bound(self.statements.joinByHash), .none))
            plan.append((self.firstNew(poll.forward), .firstNew(poll.forward)))
        }
        plan.append((self.bound(self.statements.endRead), .none))
        return poll.isPartial
    }

    func receive(_ poll: SentPoll) async throws(LibPQError) -> ReadResult {
        let results = try await self.connection.finish(poll.pipeline)
        self.askedAt = poll.sentAt
        var result = ReadResult()
        var granted: Bool?
        var snapshot: Cursor.Snapshot = []
        var late: LibPQResult?
        var found = Doorbell.Found.nothing
        for (answer, part) in zip(poll.answers, results) {
            switch answer {
            case .none:
                break
            case .bell:
                granted = try part[0].decode(0, as: Bool.self)
            case .snapshot:
                snapshot = part[0].bytes(0) ?? []
                self.isLogReplaced = try part[0].decode(1, as: Int64?.self) != Int64(self.logID)
            case .new(let plan):
                (snapshot, found) = (PostgresPage.snapshot(of: part), max(found, self.take(new: part, plan, &result)))
            case .beyond:
                if self.take(beyond: part) { found = .full }
            case .firstNew(let streams):
                try self.take(firstNew: part, of: streams, snapshot)
            case .late:
                late = part
            case .fresh(let request):
                guard let late else { continue }
                found = max(found, self.take(late: late, fresh: part, request, snapshot, &result))
            case .catchup(let request, let catchup):
                found = max(found, self.take(catchup: part, request, catchup, &result))
            case .due, .nextDue, .nextDueOf:
                self.takeDeferred(answer, part, &result)
            }
        }
        if poll.isPartial { found = found == .nothing ? .partial : .full }
        if found == .nothing { self.hasLookedAtAll = true }
        let asked = poll.requests.lazy.filter { $0.messages > 0 }.map(\.stream)
        if granted == true { self.watched = Set(asked) }
        let isAfterAsleep = self.doorbell.isKeeperAsleep && poll.hearings == self.doorbell.hearings
        if isAfterAsleep { self.watched.formUnion(asked) }
        self.watch.polled()
        self.sleepTimer.polled(ofLog: poll.requests.contains { $0.messages > 0 })
        if found >= .some { self.janitorSchedule?.messagesWereRead() }
        if !snapshot.isEmpty { self.knowledge.saw(snapshot, now: self.clock.now) }
        let messages = result.pages.reduce(0) { $0 + $1.count }
        self.traffic.read(messages)
        let now = self.clock.now
        self.doorbell.polled(
            found, messages: messages, released: poll.isReleasing, granted: granted, isAfterAsleep: isAfterAsleep,
            distance: self.lastFound.map { now - $0 })
        if messages > 0 { self.lastFound = now }
        return result
    }

    // MARK: - Streams that are read one by one

    private func planAlone(_ request: ReadRequest, _ plan: inout [(LibPQStatement, Answer)]) {
        guard let stream = self.streams[request.stream] else { return }
        let cursor = stream.cursor
        let destination = LibPQValue.text(stream.destination.name)
        let (low, high) = (stream.slots.lowerBound, stream.slots.upperBound)
        let limits: [LibPQValue] = [.int8(Int64(request.messages)), .int8(Int64(request.bytes))]
        switch cursor.read {
        case .catchup(let catchup):
            let binds: [LibPQValue] =
                [.snapshot(cursor.snapshot), .int8(cursor.position), .snapshot(catchup.snapshot)]
                + [.int8(catchup.position), destination, .int2(low), .int2(high)] + limits
                + [.transactionID(cursor.horizon)]
            plan.append((self.bound(self.statements.readCatchup, binds), .catchup(request, catchup)))
        case .lateAndFresh:
            let late: [LibPQValue] =
                [.snapshot(cursor.snapshot), .transactionID(cursor.horizon), .int8(cursor.position), destination]
                + [.int4(Int32(low)), .int4(Int32(high))] + limits
            plan.append((self.bound(self.statements.readLate, late), .late(request)))
            let fresh: [LibPQValue] = [.int8(cursor.position), destination, .int2(low), .int2(high)]
            if stream.boundedPages > 0 {
                plan.append((self.bound(self.statements.readFreshBounded, fresh + limits), .fresh(request)))
            } else {
                let longest = LibPQValue.int4(Int32(clamping: request.bytes / max(request.messages, 1)))
                plan.append(
                    (self.bound(self.statements.readFresh, fresh + [limits[0], longest]), .fresh(request)))
            }
        }
    }

    private func take(
        late: LibPQResult, fresh: LibPQResult, _ request: ReadRequest, _ snapshot: Cursor.Snapshot,
        _ result: inout ReadResult
    ) -> Doorbell.Found {
        guard let stream = self.streams[request.stream] else { return .nothing }
        let lateRows = PostgresPage.Extent(late)
        let freshRows = PostgresPage.Extent(fresh)
        let latePart = Self.part(lateRows, request)
        var freshPart = Self.part(freshRows, request)
        let isWithheld = freshRows.hasWithheldPayload
        if isWithheld {
            // Not read: the next poll brings it, as much as a page may have.
            freshPart = Cursor.Part(lastID: nil, isFull: true)
            self.streams[request.stream]?.boundedPages = 16
        } else if stream.boundedPages > 0 {
            self.streams[request.stream]?.boundedPages -= 1
        }
        let (afterLate, afterFresh) = stream.cursor.after(late: latePart, fresh: freshPart, current: snapshot)
        self.streams[request.stream]?.cursor = afterFresh ?? afterLate
        self.streams[request.stream]?.isFarBehind = false
        self.append(late, lateRows, stream, afterLate, &result)
        guard let afterFresh, !isWithheld else { return .full }
        self.append(fresh, freshRows, stream, afterFresh, &result)
        if latePart.lastID == nil && freshPart.lastID == nil { return .nothing }
        return freshPart.isFull ? .full : .some
    }

    private func take(
        catchup part: LibPQResult, _ request: ReadRequest, _ catchup: Cursor.Catchup, _ result: inout ReadResult
    ) -> Doorbell.Found {
        guard let stream = self.streams[request.stream] else { return .nothing }
        let rows = PostgresPage.Extent(part)
        let after = stream.cursor.after(catchup: Self.part(rows, request), of: catchup)
        self.streams[request.stream]?.cursor = after
        self.append(part, rows, stream, after, &result)
        // Empty or not, what is fresh has not been looked at.
        return .full
    }

    func append(
        _ part: LibPQResult, _ rows: PostgresPage.Extent, _ stream: StreamState, _ cursor: Cursor,
        _ result: inout ReadResult
    ) {
        if rows.rows.isEmpty { return }
        result.pages.append(
            PostgresPage(
                part, rows, stream: stream.id, destination: stream.destination, origin: .log,
                isVerified: self.headersVerified, cursor: cursor, generation: stream.generation))
    }

    /// Whether there may be more behind a part: it was cut by count or by bytes.
    private static func part(_ rows: PostgresPage.Extent, _ request: ReadRequest) -> Cursor.Part {
        Cursor.Part(
            lastID: rows.lastID, isFull: rows.rows.count >= request.messages || rows.byteCount >= request.bytes)
    }
}

extension LibPQValue {
    /// A snapshot, as Postgres gave it.
    static func snapshot(_ snapshot: Cursor.Snapshot) -> LibPQValue {
        .binary(type: PostgresType.pgSnapshot, snapshot)
    }

    /// A transaction's number.
    static func transactionID(_ number: UInt64?) -> LibPQValue {
        guard let number else { return .null }
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
        return .binary(type: PostgresType.xid8, bytes)
    }
}
