import Outbox
import OutboxRuntime
import OutboxSQL

extension PostgresSession {
    /// Makes settlements durable; see ``/Outbox/RelaySession/commit(_:)``.
    func store(_ settlements: [Settlement]) async throws -> [StreamID: RelayStoreError] {
        try await self.receiveAhead()
        let plans = settlements.compactMap(self.plan).filter { !$0.statements.isEmpty }
        if plans.isEmpty { return [:] }
        guard let refusal = try await self.refusal(of: plans) else { return [:] }
        if plans.count == 1 { return [plans[0].stream: refusal] }
        // The cause may lie in one of the streams: the others do not wait for it.
        var refused: [StreamID: RelayStoreError] = [:]
        for plan in plans {
            // What is refused of each is refused of all.
            refused[plan.stream] = refused.count >= 3 ? refusal : try await self.refusal(of: [plan])
        }
        return refused
    }

    /// What makes one settlement durable, and which of the statements return what is to be known.
    private struct CommitPlan {
        let stream: StreamID
        var statements: [LibPQStatement] = []
        /// Which statement moves the cursor, and where to.
        var move: (index: Int, cursor: Cursor)?
        /// Which one notes the start.
        var note: Int?
        /// Whether the first one is the check of the numbers of what is copied.
        var checksNumbers = false
        /// How many messages which one defers.
        var deferral: (index: Int, count: Int)?
    }

    private func plan(_ settlement: Settlement) -> CommitPlan? {
        guard let stream = self.streams[settlement.stream] else { return nil }
        var plan = CommitPlan(stream: stream.id)
        // They come first of a stream's verdicts, after the check of the numbers.
        if !settlement.deferred.isEmpty { plan.deferral = (1, settlement.deferred.count) }
        plan.statements = self.verdicts(settlement, stream)
        plan.checksNumbers =
            !(settlement.deferred.isEmpty && settlement.dead.isEmpty && settlement.deferredDead.isEmpty)
        // A page that was read before another session moved the cursor says nothing about where it is now.
        if let page = settlement.through as? PostgresPage, let cursor = page.cursor,
            page.generation == stream.generation
        {
            plan.move = (plan.statements.count, cursor)
            plan.statements.append(self.move(stream, to: cursor))
        }
        if let start = settlement.start {
            plan.note = plan.statements.count
            plan.statements.append(self.note(start, of: stream))
        }
        return plan
    }

    /// Makes settlements durable, all or nothing.
    ///
    /// - Returns: Why the server has refused that, though the session goes on; nil: it is done.
    private func refusal(of plans: [CommitPlan]) async throws -> RelayStoreError? {
        do {
            try await self.execute(plans)
            return nil
        } catch let error as LibPQError {
            let explained = self.explained(error, plans)
            // The session's log, and with it its locks, are others.
            if error.sqlState == SQLState.divisionByZero, error.statementIndex == 0 { throw explained }
            guard error.isRefusalOfWork, await self.connection.isUsable else { throw explained }
            if error.sqlState != SQLState.lockNotAvailable { return explained }
            let holders = try await self.lockHolders()
            if holders.isEmpty { return explained }
            return RelayStoreError(
                "What is to be written is locked by another session: \(holders.joined(separator: "; "))",
                remedy: .retry,
                underlying: error)
        }
    }

    /// What a failure of a commit means. Of a plan that copies messages, the first statement is the check of their numbers.
    private func explained(_ error: LibPQError, _ plans: [CommitPlan]) -> RelayStoreError {
        guard error.sqlState == SQLState.divisionByZero, let failed = error.statementIndex, failed > 0 else {
            return self.explained(error)
        }
        var index = Self.commitPreamble
        for plan in plans {
            if plan.checksNumbers, failed == index { return self.numbersTaken(error) }
            index += plan.statements.count
        }
        return RelayStoreError(error)
    }

    /// How many statements come before those of the plans.
    private static let commitPreamble = 2

    private func execute(_ plans: [CommitPlan]) async throws {
        // One pipeline without BEGIN is one transaction, which ends with it.
        let all: [LibPQResult]
        do throws(LibPQError) {
            all = try await self.connection.pipeline([self.sameLog, self.idsHaveRisen] + plans.flatMap(\.statements))
        } catch {
            if error.sqlState == SQLState.divisionByZero, let failed = error.statementIndex {
                if failed == 1 { throw Self.idsBeganAgain }
                var index = Self.commitPreamble
                for plan in plans {
                    // Trying again does not help: it is the session's reading that has passed something.
                    if let move = plan.move, failed == index + move.index {
                        throw self.numbersOfAnotherTime(error, plan.stream)
                    }
                    index += plan.statements.count
                }
            }
            throw error
        }
        self.lastID = try all[1][0].decode(0)
        var results = all[Self.commitPreamble...]
        var unmoved: [StreamID] = []
        for plan in plans {
            let own = Array(results.prefix(plan.statements.count))
            results = results.dropFirst(plan.statements.count)
            if let (index, count) = plan.deferral, own[index].affectedRows < count { self.deferredIsUncertain = true }
            if let move = plan.move {
                if own[move.index].rowCount == 1, let place = own[move.index][0].bytes(0) {
                    self.streams[plan.stream]?.place = place
                    self.streams[plan.stream]?.stored(move.cursor)
                } else {
                    unmoved.append(plan.stream)
                }
            }
            // The row has moved once more.
            if let note = plan.note, own[note].rowCount == 1, let place = own[note][0].bytes(0) {
                self.streams[plan.stream]?.place = place
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
    func explained(_ error: LibPQError) -> RelayStoreError {
        let isAnotherLog = error.sqlState == SQLState.divisionByZero && error.statementIndex == 0
        return isAnotherLog ? Self.logReplaced : RelayStoreError(error)
    }

    private func numbersTaken(_ error: LibPQError) -> RelayStoreError {
        RelayStoreError(
            """
            The log's numbers have begun anew, while messages with such numbers are still deferred or dead. Nothing is lost, \
            and nothing more of this destination is stored until they are gone: replay or discard the dead letters, empty \
            \(self.schema.identifier).deferred, or number the log on from where it was.
            """, remedy: .retry, underlying: error)
    }

    private func numbersOfAnotherTime(_ error: LibPQError, _ stream: StreamID) -> RelayStoreError {
        RelayStoreError(
            """
            Messages with transaction numbers of another time were put into the log while a relay was reading it, for \
            \(self.streams[stream]?.destination.name ?? "\(stream)"): all since the stored cursor is read again, by ids.
            """, remedy: .retry, underlying: error)
    }

    static var logReplaced: RelayStoreError {
        RelayStoreError("The outbox was dropped and created anew while a relay was reading it.", isRetriable: true)
    }

    /// Somebody has put a stream's cursor elsewhere: it is read from there. What was made durable with the page, that its
    /// messages wait or are dead, is right all the same.
    private func explain(_ unmoved: [StreamID]) async throws {
        let known = self.streams
        do throws(LibPQError) {
            _ = try await self.reloadStreams()
        } catch {
            // The commit is made: that this is not known is no reason to try it again in this session.
            throw RelayStoreError(error)
        }
        for stream in unmoved where known[stream]?.generation == self.streams[stream]?.generation {
            throw RelayStoreError(
                """
                The stream \(stream) is gone: somebody has removed its row, or the whole outbox, while a relay was reading it.
                """, isRetriable: true)
        }
    }

    private func move(_ stream: StreamState, to cursor: Cursor) -> LibPQStatement {
        let unchecked = stream.unchecked(before: cursor)
        return self.bound(
            self.statements.moveCursor,
            [
                .binary(type: PostgresType.tid, stream.place), .int4(stream.id.value), .snapshot(cursor.snapshot),
                .int8(cursor.position), cursor.catchup.map { .snapshot($0.snapshot) } ?? .null,
                cursor.catchup.map { .int8($0.position) } ?? .null,
                .transactionID(cursor.storedHorizon), .int4(stream.generation),
                unchecked.map { .snapshot($0.snapshot) } ?? .null, unchecked.map { .int8($0.position) } ?? .null,
                unchecked.map { .int8($0.end) } ?? .null, .text(stream.destination.name),
            ])
    }

    private func note(_ start: StreamStart, of stream: StreamState) -> LibPQStatement {
        self.bound(
            self.statements.noteStart,
            [
                .int4(stream.id.value), .int4(Int32(clamping: start.count)), start.suspect.map { .int8($0) } ?? .null,
                .int4(Int32(clamping: start.suspectAttempts)),
            ])
    }

    /// The statements that make what was not simply delivered durable, in an order in which each finds what it needs.
    private func verdicts(_ settlement: Settlement, _ stream: StreamState) -> [LibPQStatement] {
        let subscription = LibPQValue.text(self.subscription)
        let destination = LibPQValue.text(stream.destination.name)
        var statements: [LibPQStatement] = []
        let copied = settlement.deferred.map(\.id) + settlement.dead.map(\.id) + settlement.deferredDead.map(\.id)
        if !copied.isEmpty {
            statements.append(self.bound(self.statements.sameNumbers, [subscription, destination, .int8Array(copied)]))
        }
        if !settlement.deferred.isEmpty {
            let binds = [subscription, destination] + self.binds(settlement.deferred)
            statements.append(self.bound(self.statements.insertDeferred, binds))
        }
        if !settlement.dead.isEmpty {
            let binds = [subscription, destination] + self.binds(settlement.dead)
            statements.append(self.bound(self.statements.insertDead, binds))
        }
        if !settlement.deferredDelivered.isEmpty {
            let binds = [subscription, .int8Array(settlement.deferredDelivered)]
            statements.append(self.bound(self.statements.deleteDeferred, binds))
        }
        if !settlement.deferredAgain.isEmpty {
            let binds = [subscription] + self.binds(settlement.deferredAgain)
            statements.append(self.bound(self.statements.updateDeferred, binds))
        }
        if !settlement.deferredDead.isEmpty {
            let binds = [subscription] + self.binds(settlement.deferredDead)
            statements.append(self.bound(self.statements.moveDead, binds))
        }
        if !settlement.keys.isEmpty {
            let binds = [subscription, destination, .textArray(settlement.keys)]
            statements.append(self.bound(self.statements.promoteKeys, binds))
        }
        return statements
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
