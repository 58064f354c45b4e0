import Outbox
import OutboxRuntime
import OutboxSQL

extension PostgresSession {
    /// Makes settlements durable; see ``/Outbox/RelaySession/commit(_:)``.
    func store(_ settlements: [Settlement]) async throws -> [StreamID: RelayError] {
        try await self.receiveAhead()
        // In the order of the streams' numbers: an administrator who locks several rows in that order cannot end up in a deadlock with this.
        let works = settlements.compactMap(self.work).filter { !$0.steps.isEmpty }
            .sorted { $0.stream.value < $1.stream.value }
        if works.isEmpty { return [:] }
        guard let refusal = try await self.refusal(of: works) else { return [:] }
        if works.count == 1 { return [works[0].stream: refusal] }
        // The cause may lie in one of the streams: the others do not wait for it.
        var refused: [StreamID: RelayError] = [:]
        for work in works {
            // What is refused of each is refused of all.
            refused[work.stream] = refused.count >= 3 ? refusal : try await self.refusal(of: [work])
        }
        return refused
    }

    /// Makes works durable, all or nothing.
    ///
    /// - Returns: Why the server has refused that, though the session goes on; nil: it is done.
    private func refusal(of works: [CommitPlan.StreamWork]) async throws -> RelayError? {
        let plan = CommitPlan(
            preamble: [(.sameLog, self.sameLog), (.idsHaveRisen, self.numbers.haveRisen(self.statements))], works)
        let results: [LibPQResult]
        let now = self.clock.now
        do throws(LibPQError) {
            results = try await self.connection.pipeline(plan.statements)
        } catch {
            return try await self.refusal(of: plan, error)
        }
        self.askedAt = now
        try await self.take(results, of: plan)
        return nil
    }

    /// What it means that a commit has failed.
    ///
    /// - Returns: Why the server has refused it, though the session goes on.
    /// - Throws: What ends the session.
    private func refusal(of plan: CommitPlan, _ error: LibPQError) async throws -> RelayError {
        if error.sqlState == SQLState.divisionByZero {
            switch plan.step(of: error) {
            case .sameLog: throw Self.logReplaced
            case .idsHaveRisen: throw NumberWatch.idsBeganAgain
            // Trying again does not help: it is the session's reading that has passed something.
            case .moving(let stream, _): throw self.numbersOfAnotherTime(error, stream)
            case .numbers:
                guard await self.connection.isUsable else { throw self.numbersTaken(error) }
                return self.numbersTaken(error)
            default: break
            }
        }
        let explained = RelayError(error)
        guard error.isRefusalOfWork, await self.connection.isUsable else { throw explained }
        if error.sqlState != SQLState.lockNotAvailable { return explained }
        let holders = try await self.lockHolders()
        if holders.isEmpty { return explained }
        return RelayError(
            .unavailable, "What is to be written is locked by another session: \(holders.joined(separator: "; "))",
            underlying: error)
    }

    /// Takes over what a commit that was made has returned.
    private func take(_ results: [LibPQResult], of plan: CommitPlan) async throws {
        var unmoved: [StreamID] = []
        for (step, result) in zip(plan.steps.map(\.step), results) {
            switch step {
            case .sameLog, .numbers, .changing:
                break
            case .idsHaveRisen:
                try self.numbers.haveRisen(result)
            case .deferring(let count):
                if result.affectedRows < count { self.deferredNews.isUncertain = true }
            case .moving(let stream, let cursor):
                if let place = result.first?.bytes(0) {
                    self.streams[stream]?.place = place
                    self.streams[stream]?.stored(cursor)
                } else {
                    unmoved.append(stream)
                }
            case .noting(let stream):
                // The row has moved once more.
                if let place = result.first?.bytes(0) { self.streams[stream]?.place = place }
            }
        }
        if !unmoved.isEmpty { try await self.explain(unmoved) }
    }

    /// Who holds locks on the tables that a relay writes to, in words.
    func lockHolders() async throws(LibPQError) -> [String] {
        try await self.connection.query(LibPQStatement(self.statements.lockHolders.text)).map {
            row throws(LibPQError) in try row.decode(0, as: String.self)
        }
    }

    /// The statement that fails where the log is another than the session's.
    var sameLog: LibPQStatement { self.bound(self.statements.sameLog, [.int8(Int64(self.logID))]) }

    /// What the failure of a pipeline with ``sameLog`` means.
    func explained(_ error: LibPQError) -> RelayError {
        let isAnotherLog = error.sqlState == SQLState.divisionByZero && error.statementIndex == 0
        return isAnotherLog ? Self.logReplaced : RelayError(error)
    }

    private func numbersTaken(_ error: LibPQError) -> RelayError {
        RelayError(
            .logChanged,
            """
            The log's numbers have begun again, while messages with such numbers are still deferred or dead. Nothing is lost, \
            and nothing more of this destination is stored until they are gone: replay or discard the dead letters, empty \
            \(self.schema.identifier).deferred, or number the log on from where it was.
            """, underlying: error)
    }

    private func numbersOfAnotherTime(_ error: LibPQError, _ stream: StreamID) -> RelayError {
        RelayError(
            .logChanged,
            """
            Messages with transaction numbers of another time were put into the log while a relay was reading it, for \
            \(self.streams[stream]?.destination.name ?? "\(stream)"): all since the stored cursor is read again, by ids.
            """, underlying: error)
    }

    static var logReplaced: RelayError {
        RelayError(.logChanged, "The outbox was dropped and created again while a relay was reading it.")
    }

    /// Another session has moved a stream's cursor: the stream is read from there. What was made durable with the page, that its
    /// messages wait or are dead, is right all the same.
    private func explain(_ unmoved: [StreamID]) async throws {
        let known = self.streams
        do {
            // The relay is told by the next read.
            _ = try await self.reloadStreams()
        } catch let error as LibPQError {
            // The commit is made: that this is not known is no reason to try it again in this session.
            throw RelayError(error)
        }
        for stream in unmoved where known[stream]?.generation == self.streams[stream]?.generation {
            throw RelayError(
                .logChanged,
                "The stream \(stream) is gone: its row was removed, or the whole outbox, while a relay was reading it.")
        }
    }

    private func binds(_ stream: StreamState, to cursor: Cursor) -> [LibPQValue] {
        let unchecked = stream.unchecked(before: cursor)
        return [
            .binary(type: PostgresType.tid, stream.place), .int4(stream.id.value), .snapshot(cursor.snapshot),
            .int8(cursor.position), cursor.catchup.map { .snapshot($0.snapshot) } ?? .null,
            cursor.catchup.map { .int8($0.position) } ?? .null,
            .transactionID(cursor.storedHorizon), .int4(stream.generation),
            unchecked.map { .snapshot($0.snapshot) } ?? .null, unchecked.map { .int8($0.position) } ?? .null,
            unchecked.map { .int8($0.end) } ?? .null, .text(stream.destination.name),
            .int2(stream.slots.lowerBound), .int2(stream.slots.upperBound),
        ]
    }

    private func binds(_ start: StreamStart, of stream: StreamState) -> [LibPQValue] {
        [
            .int4(stream.id.value), .int4(Int32(clamping: start.count)), start.suspect.map { .int8($0) } ?? .null,
            .int4(Int32(clamping: start.suspectAttempts)),
        ]
    }

    /// What makes a settlement durable; nil: its stream is gone.
    private func work(_ settlement: Settlement) -> CommitPlan.StreamWork? {
        guard let stream = self.streams[settlement.stream] else { return nil }
        var work = CommitPlan.StreamWork(stream: stream.id)
        func add(_ step: CommitPlan.Step, _ statement: Statements.Statement, _ binds: [LibPQValue]) {
            work.steps.append((step, self.bound(statement, binds)))
        }
        let subscription = LibPQValue.text(self.subscription)
        let destination = LibPQValue.text(stream.destination.name)
        let copied = settlement.deferred.map(\.id) + settlement.dead.map(\.id) + settlement.deferredDead.map(\.id)
        if !copied.isEmpty {
            add(.numbers(stream.id), self.statements.sameNumbers, [subscription, destination, .int8Array(copied)])
        }
        if !settlement.deferred.isEmpty {
            add(
                .deferring(settlement.deferred.count), self.statements.insertDeferred,
                [subscription, destination] + self.binds(settlement.deferred))
        }
        if !settlement.dead.isEmpty {
            add(
                .changing, self.statements.insertDead, [subscription, destination] + self.binds(settlement.dead))
        }
        if !settlement.deferredDelivered.isEmpty {
            add(
                .changing, self.statements.deleteDeferred, [subscription, .int8Array(settlement.deferredDelivered)])
        }
        if !settlement.deferredAgain.isEmpty {
            add(.changing, self.statements.updateDeferred, [subscription] + self.binds(settlement.deferredAgain))
        }
        if !settlement.deferredDead.isEmpty {
            add(.changing, self.statements.moveDead, [subscription] + self.binds(settlement.deferredDead))
        }
        if !settlement.keys.isEmpty {
            add(.changing, self.statements.promoteKeys, [subscription, destination, .textArray(settlement.keys)])
        }
        // A page that was read before another session moved the cursor says nothing about where it is now.
        if let page = settlement.through as? PostgresPage, let cursor = page.cursor,
            page.generation == stream.generation
        {
            add(.moving(stream.id, to: cursor), self.statements.moveCursor, self.binds(stream, to: cursor))
        }
        if let start = settlement.start {
            add(.noting(stream.id), self.statements.noteStart, self.binds(start, of: stream))
        }
        return work
    }

    private func binds(_ deferrals: [Deferral]) -> [LibPQValue] {
        let delays = deferrals.map { deferral -> Int64 in
            switch deferral.due {
            case .after(let duration): Int64(min(max(duration.seconds, 0), 1e9) * 1e6)
            case .behindKey: -1
            case .scheduled: -2
            }
        }
        return [
            .int8Array(deferrals.map(\.id)), .int4Array(deferrals.map { Int32(clamping: $0.attempts) }),
            .int8Array(delays), .int4Array(deferrals.map { $0.ordered ? 1 : 0 }), self.errors(deferrals.map(\.error)),
        ]
    }

    private func errors(_ errors: [String?]) -> LibPQValue {
        .textArray(errors.map { $0.map(self.characters.storable) })
    }

    private func binds(_ deaths: [Death]) -> [LibPQValue] {
        [
            .int8Array(deaths.map(\.id)), .int4Array(deaths.map { Int32(clamping: $0.attempts) }),
            .textArray(deaths.map(\.reason.rawValue)), self.errors(deaths.map(\.error)),
        ]
    }
}
