import Outbox
import OutboxSQL

extension PostgresSession {
    func read(_ requests: [ReadRequest], until deadline: ContinuousClock.Instant?) async throws -> ReadResult {
        var result: ReadResult
        do {
            if let ahead = try await self.takeAhead(self.unpaused(requests)) {
                result = ahead
            } else {
                try await self.runJanitorIfDue()
                try await self.announceIfDue()
                result = try await self.poll(
                    requests, until: [deadline, self.activitySchedule?.due].compactMap { $0 }.min())
            }
        } catch let error as PostgresError {
            throw self.explained(error)
        }
        if self.isLogReplaced { throw Self.logReplaced }
        // Nothing is due of a paused stream until it is resumed, which is told.
        for request in requests where request.deferred && self.streams[request.stream]?.isPaused == true {
            result.nextDue[request.stream] = .some(nil)
        }
        return result
    }

    /// What is asked of streams that are not paused.
    private func unpaused(_ requests: [ReadRequest]) -> [ReadRequest] {
        requests.filter { self.streams[$0.stream]?.isPaused == false }
    }

    private func poll(
        _ requests: [ReadRequest], until deadline: ContinuousClock.Instant?
    ) async throws -> ReadResult {
        if let result = try await self.takeNews() { return result }
        // Once it is known which are paused.
        var requests = self.unpaused(requests)
        if !requests.contains(where: { $0.messages > 0 }) || self.isNewlyRequested(requests) {
            // Awake for another reason than an empty log: producers need not ring.
            if self.doorbell.isHeld { try await self.releaseBell() }
        }
        while true {
            if let result = try await self.takeNews() { return result }
            let reads = requests.contains { $0.messages > 0 }
            switch reads ? self.doorbell.step : .sleep {
            case .poll(let release, let arm):
                let result = try await self.exchange(requests, release: release, arm: arm)
                if !result.pages.isEmpty || !result.nextDue.isEmpty || self.isLogReplaced {
                    try await self.readAhead(requests, after: result)
                    return result
                }
            case .pause(let duration):
                if let result = try await self.readDeferred(&requests) { return result }
                if try await self.lookBackOnce() {
                    self.doorbell.pauseEnded()
                    continue
                }
                let end = self.pauseEnd ?? self.clock.now + duration
                self.pauseEnd = end
                if let result = try await self.wait(until: [end, deadline, self.deferredChangeDue], reads) {
                    return result
                }
                if self.clock.now >= end {
                    self.pauseEnd = nil
                    self.doorbell.pauseEnded()
                    if let janitorDue, self.clock.now >= janitorDue { return ReadResult() }
                } else {
                    return ReadResult()
                }
            case .sleep:
                let fallback = reads ? self.fallbackPoll : nil
                if let fallback, self.clock.now >= fallback {
                    self.doorbell.rang()
                    continue
                }
                if let result = try await self.readDeferred(&requests) { return result }
                if try await self.lookBackOnce() { continue }
                let other = [deadline, self.janitorDue, self.reloadDue, self.deferredChangeDue].compactMap { $0 }.min()
                if let result = try await self.wait(until: [other, fallback], reads) { return result }
                if let other, self.clock.now >= other { return ReadResult() }
            }
        }
    }

    /// When to look although no producer has rung; nil: never. The same for as long as nothing is looked for, however often the relay
    /// is woken for other reasons meanwhile.
    private var fallbackPoll: ContinuousClock.Instant? {
        if self.fallbackDue == nil { self.fallbackDue = self.wakeup.fallbackInterval.map { self.clock.now + $0 } }
        return self.fallbackDue
    }

    /// Says what the relay is doing, if that has changed and it is time.
    private func announceIfDue() async throws(PostgresError) {
        guard let report = self.activitySchedule?.take(now: self.clock.now) else { return }
        let text = report.text(named: self.sessionName)
        _ = try await self.connection.query(self.bound(self.statements.announce, [.text(text)]))
    }

    /// Waits for a notification, ``wake()`` or the first of some instants.
    ///
    /// - Returns: What to return to the relay, if it is to be told at once.
    private func wait(
        until instants: [ContinuousClock.Instant?], _ reads: Bool
    ) async throws(PostgresError) -> ReadResult? {
        switch try await self.connection.waitForActivity(until: instants.compactMap { $0 }.min()) {
        case .woken:
            return ReadResult()
        case .deadline:
            return nil
        case .notified(let notifications):
            return try await self.take(notifications)
        }
    }

    /// Whether something is asked for that was not looked at after the bell was taken.
    private func isNewlyRequested(_ requests: [ReadRequest]) -> Bool {
        requests.contains { $0.messages > 0 && !self.watched.contains($0.stream) }
    }

    private func releaseBell() async throws(PostgresError) {
        _ = try await self.connection.query(self.bound(self.statements.release, [self.lockKey]))
        self.doorbell.released()
    }

    // MARK: - One round trip

    /// Which of a pipeline's results belongs to what.
    enum Answer {
        case none
        case bell
        case snapshot
        case late(ReadRequest)
        case fresh(ReadRequest)
        case catchup(ReadRequest, Cursor.Catchup)
        case due(ReadRequest)
        case nextDue(ReadRequest)
    }

    /// A poll that the server has been asked for.
    struct SentPoll {
        let requests: [ReadRequest]
        let isReleasing: Bool
        let answers: [Answer]
        let pipeline: SentPipeline
    }

    /// Reads what is due of the deferred messages, leaving the doorbell alone.
    func readDeferred(_ requests: inout [ReadRequest]) async throws(PostgresError) -> ReadResult? {
        let due = requests.filter(\.deferred)
        if due.isEmpty { return nil }
        for index in requests.indices { requests[index].deferred = false }
        var plan: [(SQLStatement, Answer)] = []
        for request in due { self.planDeferred(request, &plan) }
        // Last: what was read waited for who was dropping the outbox, and is of the one that came after it.
        plan.append((self.sameLog, .none))
        let results: [QueryResult]
        do throws(PostgresError) {
            results = try await self.connection.pipeline(plan.map(\.0))
        } catch {
            guard error.sqlState == SQLState.divisionByZero, error.statementIndex == plan.count - 1 else { throw error }
            self.isLogReplaced = true
            return ReadResult()
        }
        var result = ReadResult()
        for (answer, part) in zip(plan.map(\.1), results) { self.takeDeferred(answer, part, &result) }
        return result
    }

    /// Releases or takes the bell and reads everything asked for, in one pipeline.
    private func exchange(
        _ requests: [ReadRequest], release: Bool, arm: Bool
    ) async throws(PostgresError) -> ReadResult {
        try await self.receive(try await self.send(requests, release: release, arm: arm))
    }

    func send(_ requests: [ReadRequest], release: Bool, arm: Bool) async throws(PostgresError) -> SentPoll {
        var plan: [(SQLStatement, Answer)] = []
        if arm { plan.append((self.bound(self.statements.arm, [self.lockKey]), .bell)) }
        // The snapshot must be taken after the bell, so it is another transaction's.
        let ends = plan.indices.map { $0 }
        if !arm || self.doorbell.policy.pollsAfterArming { self.planReading(requests, release: release, &plan) }
        let pipeline = try await self.connection.begin(plan.map(\.0), endingTransactionsAfter: ends)
        return SentPoll(requests: requests, isReleasing: release, answers: plan.map(\.1), pipeline: pipeline)
    }

    func receive(_ poll: SentPoll) async throws(PostgresError) -> ReadResult {
        let results = try await self.connection.finish(poll.pipeline)
        var result = ReadResult()
        var granted: Bool?
        var snapshot: Cursor.Snapshot = []
        var late: QueryResult?
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
            case .late:
                late = part
            case .fresh(let request):
                guard let late else { continue }
                found = max(found, self.take(late: late, fresh: part, request, snapshot, &result))
            case .catchup(let request, let catchup):
                found = max(found, self.take(catchup: part, request, catchup, &result))
            case .due, .nextDue:
                self.takeDeferred(answer, part, &result)
            }
        }
        if granted == true { self.watched = Set(poll.requests.filter { $0.messages > 0 }.map(\.stream)) }
        self.pauseEnd = nil
        if poll.requests.contains(where: { $0.messages > 0 }) { self.fallbackDue = nil }
        if found != .nothing { self.janitorSchedule?.messagesWereRead() }
        let messages = result.pages.reduce(0) { $0 + $1.count }
        self.doorbell.polled(found, messages: messages, released: poll.isReleasing, granted: granted)
        return result
    }

    private func planReading(_ requests: [ReadRequest], release: Bool, _ plan: inout [(SQLStatement, Answer)]) {
        plan.append((self.bound(self.statements.beginRead), .none))
        // Who does not ring because of that is found by a later poll, at the latest by the one after the bell is taken again.
        if release { plan.append((self.bound(self.statements.release, [self.lockKey]), .none)) }
        plan.append((self.bound(self.statements.currentSnapshot), .snapshot))
        for request in requests {
            if request.messages > 0 { self.planLog(request, &plan) }
            if request.deferred { self.planDeferred(request, &plan) }
        }
        plan.append((self.bound(self.statements.endRead), .none))
    }

    // MARK: - The log

    private func planLog(_ request: ReadRequest, _ plan: inout [(SQLStatement, Answer)]) {
        guard let stream = self.streams[request.stream] else { return }
        let cursor = stream.cursor
        let destination = SQLValue.text(stream.destination.name)
        let (low, high) = (stream.slots.lowerBound, stream.slots.upperBound)
        let limits: [SQLValue] = [.int8(Int64(request.messages)), .int8(Int64(request.bytes))]
        switch cursor.read {
        case .catchup(let catchup):
            let binds: [SQLValue] =
                [.snapshot(cursor.snapshot), .int8(cursor.position), .snapshot(catchup.snapshot)]
                + [.int8(catchup.position), destination, .int2(low), .int2(high)] + limits
                + [.transactionID(cursor.horizon)]
            plan.append((self.bound(self.statements.readCatchup, binds), .catchup(request, catchup)))
        case .lateAndFresh:
            let late: [SQLValue] =
                [.snapshot(cursor.snapshot), .transactionID(cursor.horizon), .int8(cursor.position), destination]
                + [.int4(Int32(low)), .int4(Int32(high))] + limits
            plan.append((self.bound(self.statements.readLate, late), .late(request)))
            let fresh: [SQLValue] = [.int8(cursor.position), destination, .int2(low), .int2(high)]
            if stream.boundedPages > 0 {
                plan.append((self.bound(self.statements.readFreshBounded, fresh + limits), .fresh(request)))
            } else {
                let longest = SQLValue.int4(Int32(clamping: request.bytes / max(request.messages, 1)))
                plan.append(
                    (self.bound(self.statements.readFresh, fresh + [limits[0], longest]), .fresh(request)))
            }
        }
    }

    private func take(
        late: QueryResult, fresh: QueryResult, _ request: ReadRequest, _ snapshot: Cursor.Snapshot,
        _ result: inout ReadResult
    ) -> Doorbell.Found {
        guard let stream = self.streams[request.stream] else { return .nothing }
        let latePart = Self.part(late, request)
        var freshPart = Self.part(fresh, request)
        let isWithheld = PostgresPage.hasWithheldPayload(fresh)
        if isWithheld {
            // Not read: the next poll brings it, as much as a page may have.
            freshPart = Cursor.Part(lastID: nil, isFull: true)
            self.streams[request.stream]?.boundedPages = 16
        } else if stream.boundedPages > 0, freshPart.lastID != nil {
            self.streams[request.stream]?.boundedPages -= 1
        }
        let (afterLate, afterFresh) = stream.cursor.after(late: latePart, fresh: freshPart, current: snapshot)
        self.streams[request.stream]?.cursor = afterFresh ?? afterLate
        self.append(late, stream, afterLate, &result)
        guard let afterFresh, !isWithheld else { return .full }
        self.append(fresh, stream, afterFresh, &result)
        if latePart.lastID == nil && freshPart.lastID == nil { return .nothing }
        return freshPart.isFull ? .full : .some
    }

    private func take(
        catchup part: QueryResult, _ request: ReadRequest, _ catchup: Cursor.Catchup, _ result: inout ReadResult
    ) -> Doorbell.Found {
        guard let stream = self.streams[request.stream] else { return .nothing }
        let after = stream.cursor.after(catchup: Self.part(part, request), of: catchup)
        self.streams[request.stream]?.cursor = after
        self.append(part, stream, after, &result)
        // Empty or not, what is fresh has not been looked at.
        return .full
    }

    private func append(_ part: QueryResult, _ stream: StreamState, _ cursor: Cursor, _ result: inout ReadResult) {
        if part.rowCount == 0 { return }
        result.pages.append(
            PostgresPage(
                part, stream: stream.id, destination: stream.destination, origin: .log,
                isVerified: self.headersVerified, cursor: cursor, generation: stream.generation))
    }

    /// Whether there may be more behind a part: it was cut by count or by bytes.
    private static func part(_ result: QueryResult, _ request: ReadRequest) -> Cursor.Part {
        let isFull = result.rowCount >= request.messages || PostgresPage.byteCount(of: result) >= request.bytes
        return Cursor.Part(lastID: PostgresPage.lastID(of: result), isFull: isFull)
    }

    // MARK: - Deferred messages

    private func planDeferred(_ request: ReadRequest, _ plan: inout [(SQLStatement, Answer)]) {
        guard let stream = self.streams[request.stream] else { return }
        let subscription = SQLValue.text(self.subscription)
        let destination = SQLValue.text(stream.destination.name)
        let limit = request.messages > 0 ? request.messages : 1000
        let excluded = SQLValue.int8Array(request.excluding)
        let due: [SQLValue] = [subscription, destination, .int8(Int64(limit)), .int8(Int64(request.bytes)), excluded]
        plan.append((self.bound(self.statements.readDue, due), .due(request)))
        plan.append((self.bound(self.statements.nextDue, [subscription, destination, excluded]), .nextDue(request)))
    }

    private func takeDeferred(_ answer: Answer, _ part: QueryResult, _ result: inout ReadResult) {
        switch answer {
        case .due(let request):
            guard part.rowCount > 0, let stream = self.streams[request.stream] else { return }
            result.pages.append(
                PostgresPage(
                    part, stream: stream.id, destination: stream.destination, origin: .deferred, isVerified: false,
                    cursor: nil, generation: stream.generation))
        case .nextDue(let request):
            // A page of what is due is on its way: the relay asks again when it is committed.
            let isOnItsWay = result.pages.contains { $0.stream == request.stream && $0.origin == .deferred }
            let microseconds = isOnItsWay || part.rowCount == 0 ? nil : part.int64(row: 0, column: 0)
            var due = microseconds.map { Duration.microseconds(max($0, 0)) }
            // Who only polls is not told of what others put there.
            if let interval = self.wakeup.pollingInterval, !isOnItsWay { due = min(due ?? interval, interval) }
            result.nextDue[request.stream] = .some(due)
        default:
            break
        }
    }
}

extension SQLValue {
    /// A snapshot, as Postgres gave it.
    static func snapshot(_ snapshot: Cursor.Snapshot) -> SQLValue {
        .binary(type: PostgresType.pgSnapshot, snapshot)
    }

    /// A transaction's number.
    static func transactionID(_ number: UInt64?) -> SQLValue {
        guard let number else { return .null }
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
        return .binary(type: PostgresType.xid8, bytes)
    }
}
