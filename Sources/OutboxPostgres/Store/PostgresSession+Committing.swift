import Outbox
import OutboxSQL

extension PostgresSession {
    func commit(_ settlements: [Settlement]) async throws {
        do throws(PostgresError) {
            try await self.receiveAhead()
        } catch {
            throw self.explained(error)
        }
        var statements = [self.sameLog]
        /// Which statement moves which stream's cursor.
        var moves: [(index: Int, stream: StreamID)] = []
        /// Which statement notes what of which stream.
        var notes: [(index: Int, stream: StreamID)] = []
        /// How many messages which statement defers.
        var deferrals: [(index: Int, count: Int)] = []
        for settlement in settlements {
            guard let stream = self.streams[settlement.stream] else { continue }
            // They come first of a stream's verdicts, after the check of the numbers.
            if !settlement.deferred.isEmpty { deferrals.append((statements.count + 1, settlement.deferred.count)) }
            statements += self.verdicts(settlement, stream)
            // A page that was read before somebody put the cursor elsewhere says nothing about where it is now.
            if let page = settlement.through as? PostgresPage, let cursor = page.cursor,
                page.generation == stream.generation
            {
                moves.append((statements.count, stream.id))
                statements.append(self.move(stream, to: cursor))
            }
            if let start = settlement.start {
                notes.append((statements.count, stream.id))
                statements.append(self.note(start, of: stream))
            }
        }
        if statements.count == 1 { return }
        do {
            // One pipeline without BEGIN is one transaction, which ends with it.
            let results = try await self.connection.pipeline(statements)
            for (index, count) in deferrals where results[index].affectedRows < count {
                self.deferredIsUncertain = true
            }
            var unmoved: [StreamID] = []
            for (index, stream) in moves {
                if results[index].rowCount == 1, let place = results[index][0].bytes(0) {
                    self.streams[stream]?.place = place
                } else {
                    unmoved.append(stream)
                }
            }
            // The row has moved once more.
            for (index, stream) in notes where results[index].rowCount == 1 {
                if let place = results[index][0].bytes(0) { self.streams[stream]?.place = place }
            }
            if !unmoved.isEmpty { try await self.explain(unmoved) }
        } catch let error as PostgresError {
            throw self.explained(error)
        }
    }

    /// The statement that fails where the log is another than the session's.
    var sameLog: SQLStatement { self.bound(self.statements.sameLog, [.int8(Int64(self.logID))]) }

    /// What the failure of a pipeline that begins with ``sameLog`` means.
    func explained(_ error: PostgresError) -> RelayStoreError {
        guard error.sqlState == SQLState.divisionByZero else { return RelayStoreError(error) }
        if error.statementIndex == 0 { return Self.logReplaced }
        return RelayStoreError(
            """
            The log's numbers have begun anew, while messages with such numbers are still deferred or dead. Nothing is lost, \
            and nothing is delivered until they are gone: replay or discard the dead letters, empty \
            \(self.schema.identifier).deferred, or number the log on from where it was.
            """, isRetriable: false, underlying: error)
    }

    static var logReplaced: RelayStoreError {
        RelayStoreError("The outbox was dropped and created anew while a relay was reading it.", isRetriable: true)
    }

    /// Somebody has put a stream's cursor elsewhere: it is read from there. What was made durable with the page, that its
    /// messages wait or are dead, is right all the same.
    private func explain(_ unmoved: [StreamID]) async throws {
        let known = self.streams
        _ = try await self.reloadStreams()
        for stream in unmoved where known[stream]?.generation == self.streams[stream]?.generation {
            throw RelayStoreError(
                """
                The stream \(stream) is gone: somebody has removed its row, or the whole outbox, while a relay was reading it.
                """, isRetriable: true)
        }
    }

    private func move(_ stream: StreamState, to cursor: Cursor) -> SQLStatement {
        self.bound(
            self.statements.moveCursor,
            [
                .binary(type: PostgresType.tid, stream.place), .int4(stream.id.value), .snapshot(cursor.snapshot),
                .int8(cursor.position), cursor.catchup.map { .snapshot($0.snapshot) } ?? .null,
                cursor.catchup.map { .int8($0.position) } ?? .null,
                .transactionID(cursor.storedHorizon), .int4(stream.generation),
            ])
    }

    private func note(_ start: StreamStart, of stream: StreamState) -> SQLStatement {
        self.bound(
            self.statements.noteStart,
            [
                .int4(stream.id.value), .int4(Int32(clamping: start.count)), start.suspect.map { .int8($0) } ?? .null,
                .int4(Int32(clamping: start.suspectAttempts)),
            ])
    }

    /// The statements that make what was not simply delivered durable, in an order in which each finds what it needs.
    private func verdicts(_ settlement: Settlement, _ stream: StreamState) -> [SQLStatement] {
        let subscription = SQLValue.text(self.subscription)
        let destination = SQLValue.text(stream.destination.name)
        var statements: [SQLStatement] = []
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

    private func binds(_ deferrals: [Deferral]) -> [SQLValue] {
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

    private func errors(_ errors: [String?]) -> SQLValue {
        .textArray(errors.map { $0.map(self.characters.storable) })
    }

    private func binds(_ deaths: [Death]) -> [SQLValue] {
        [
            .int8Array(deaths.map(\.id)), .int4Array(deaths.map { Int32(clamping: $0.attempts) }),
            .textArray(deaths.map(\.reason.rawValue)), self.errors(deaths.map(\.error)),
        ]
    }
}
