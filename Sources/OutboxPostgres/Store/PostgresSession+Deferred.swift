import Outbox
import OutboxSQL

/// Reading deferred messages.
extension PostgresSession {
    /// Reads what is due of the deferred messages, leaving the doorbell alone.
    func readDeferred(_ requests: inout [ReadRequest]) async throws(LibPQError) -> ReadResult? {
        let due = requests.filter(\.deferred)
        if due.isEmpty { return nil }
        for index in requests.indices { requests[index].deferred = false }
        var plan: [(LibPQStatement, Answer)] = []
        self.planDeferred(due, &plan)
        // Last: what was read waited for who was dropping the outbox, and is of the one that came after it.
        plan.append((self.sameLog, .none))
        let results: [LibPQResult]
        let now = self.clock.now
        do throws(LibPQError) {
            results = try await self.connection.pipeline(plan.map(\.0))
        } catch {
            guard error.sqlState == SQLState.divisionByZero, error.statementIndex == plan.count - 1 else { throw error }
            self.isLogReplaced = true
            return ReadResult()
        }
        self.askedAt = now
        var result = ReadResult()
        for (answer, part) in zip(plan.map(\.1), results) { self.takeDeferred(answer, part, &result) }
        return result
    }

    /// Asks for what is due of some streams. Of many, it is asked first which have something that is due, for all at once; those are
    /// asked for again, and read.
    func planDeferred(_ requests: [ReadRequest], _ plan: inout [(LibPQStatement, Answer)]) {
        var (alone, together): ([ReadRequest], [ReadRequest]) = (requests, [])
        if requests.count > Self.fewDeferred {
            // What a handler is working on is not known to the question that is for many.
            together = requests.filter { !self.deferredNews.dueStreams.contains($0.stream) && $0.excluding.isEmpty }
            alone = requests.filter { self.deferredNews.dueStreams.contains($0.stream) || !$0.excluding.isEmpty }
        }
        for request in alone.prefix(PollPlan.mostAlone) {
            guard let stream = self.streams[request.stream] else { continue }
            self.deferredNews.dueStreams.remove(request.stream)
            let subscription = LibPQValue.text(self.subscription)
            let destination = LibPQValue.text(stream.destination.name)
            let limit = request.messages > 0 ? request.messages : 1000
            let excluded = LibPQValue.int8Array(request.excluding)
            let due: [LibPQValue] = [
                subscription, destination, .int8(Int64(limit)), .int8(Int64(request.bytes)), excluded,
            ]
            let next = [subscription, destination, excluded]
            plan.append((self.bound(self.statements.readDue, due + stream.slotBinds), .due(request)))
            plan.append((self.bound(self.statements.nextDue, next + stream.slotBinds), .nextDue(request)))
        }
        if together.isEmpty { return }
        let streams = together.compactMap { self.streams[$0.stream] }
        let binds: [LibPQValue] = [
            .text(self.subscription), .int4Array(streams.map(\.id.value)), .textArray(streams.map(\.destination.name)),
        ]
        plan.append(
            (self.bound(self.statements.nextDueOf, binds + LibPQValue.slots(streams)), .nextDueOf(streams.map(\.id))))
    }

    /// How many streams are asked one by one for what is due.
    private static let fewDeferred = 8

    private func takeDue(of streams: [StreamID], _ part: LibPQResult, _ result: inout ReadResult) {
        var known: [StreamID: Int64] = [:]
        for row in 0..<part.rowCount {
            known[StreamID(part.int32(row: row, column: 0))] = part.int64(row: row, column: 1)
        }
        for stream in streams {
            if let microseconds = known[stream], microseconds <= 0 {
                // Read when it is asked for again.
                self.deferredNews.dueStreams.insert(stream)
            } else {
                let due = known[stream].map { Duration.microseconds($0) }
                result.nextDue[stream] = .some(self.toldDue(due))
            }
        }
    }

    /// Who only polls is not told of what others put there.
    private func toldDue(_ due: Duration?) -> Duration? {
        guard let interval = self.wakeup.pollingInterval else { return due }
        return min(due ?? interval, interval)
    }

    /// The keys of the session's streams that later messages have to queue for, and how many messages each has; see
    /// ``/Outbox/RelaySession/deferredKeys()``.
    func readDeferredKeys() async throws(LibPQError) -> [StreamID: [UInt64: Int]] {
        let streams = Array(self.streams.all)
        let names = LibPQValue.textArray(streams.map(\.destination.name))
        let slots = LibPQValue.slots(streams)
        var keys = Dictionary(uniqueKeysWithValues: streams.map { ($0.id, [UInt64: Int]()) })
        try await self.receiveAhead()
        let results = try await self.connection.pipeline([
            self.bound(self.statements.promoteAll, [.text(self.subscription), names] + slots),
            self.bound(
                self.statements.readKeys,
                [.text(self.subscription), .int4Array(streams.map(\.id.value)), names] + slots),
        ])
        // A lock may end without a change, which nothing tells of.
        if try results[0][0].decode(0, as: Int64.self) > 0 {
            self.deferredNews.tellLater(now: self.clock.now)
        }
        let result = results[1]
        for row in 0..<result.rowCount {
            let hash = unsafe result.withBytes(row: row, column: 1) { key in unsafe KeyHash.of(key) }
            let stream = StreamID(result.int32(row: row, column: 0))
            keys[stream]?[hash, default: 0] += Int(result.int64(row: row, column: 2))
        }
        return keys
    }

    func takeDeferred(_ answer: Answer, _ part: LibPQResult, _ result: inout ReadResult) {
        switch answer {
        case .due(let request):
            guard part.rowCount > 0, let stream = self.streams[request.stream] else { return }
            result.pages.append(
                PostgresPage(
                    part, PostgresPage.Extent(part), stream: stream.id, destination: stream.destination,
                    origin: .deferred, isVerified: false,
                    cursor: nil, generation: stream.generation))
        case .nextDue(let request):
            // A page of what is due is on its way: the relay asks again when it is committed.
            let isOnItsWay = result.pages.contains { $0.stream == request.stream && $0.origin == .deferred }
            let microseconds = isOnItsWay || part.rowCount == 0 ? nil : part.int64(row: 0, column: 0)
            let due = microseconds.map { Duration.microseconds(max($0, 0)) }
            result.nextDue[request.stream] = .some(isOnItsWay ? nil : self.toldDue(due))
        case .nextDueOf(let streams):
            self.takeDue(of: streams, part, &result)
        default:
            break
        }
    }
}
