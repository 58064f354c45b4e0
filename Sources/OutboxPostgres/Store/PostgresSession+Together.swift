import Outbox
import OutboxSQL

/// Streams that are read together, by what has become visible since they were read last; and what is found out of those that were
/// not read for a while. See ``PollPlan``.
extension PostgresSession {
    // MARK: - Reading

    /// - Parameter release: Whether the bell is released with it.
    func readNew(_ plan: PollPlan, release: Bool) -> LibPQStatement {
        let statement =
            Cursor.hasRunning(plan.since) ? self.statements.readNewRunning : self.statements.readNew
        let (names, areWanted) = self.streams.names(of: plan.together)
        let (messages, bytes) = plan.limit
        return self.bound(
            statement,
            [
                .snapshot(plan.since), .textArray(names), .bool(areWanted), .int8(Int64(messages)),
                .int4(Int32(clamping: bytes / max(messages, 1))), release ? self.lockKey : .null,
            ])
    }

    /// Takes over what was read of streams together: all that is new of each, or nothing of any where there may be more.
    func take(new part: LibPQResult, _ plan: PollPlan, _ result: inout ReadResult) -> Doorbell.Found {
        self.isLogReplaced = PostgresPage.logID(of: part) != Int64(self.logID)
        if self.isLogReplaced { return .nothing }
        let snapshot = PostgresPage.snapshot(of: part)
        let destinations = PostgresPage.destinations(of: part)
        for (name, _) in destinations { self.streams.saw(Destination(name)) }
        if part.rowCount > plan.limit.messages {
            if plan.together.count == 1 {
                self.streams[plan.together[0].stream]?.cursor.isComplete = false
            } else {
                self.knowledge.crowded = Set(plan.together.map(\.stream))
            }
            return .full
        }
        var found = Doorbell.Found.nothing
        var taken: Set<StreamID> = []
        var asked: Set<StreamID>?
        for (name, rows) in destinations {
            let sharing = self.streams[Destination(name)]
            if sharing.count > 1, asked == nil { asked = Set(plan.together.map(\.stream)) }
            for id in sharing {
                // What came for a stream that was not asked for is not taken: it is read with what else there is of that.
                guard let stream = self.streams[id], asked?.contains(id) != false else { continue }
                let rows = Self.rows(rows, of: stream, part)
                if rows.isEmpty { continue }
                taken.insert(id)
                found = max(found, self.take(new: part, rows, of: stream, snapshot, &result))
            }
        }
        for request in plan.together where !taken.contains(request.stream) {
            self.streams[request.stream]?.cursor.snapshot = snapshot
        }
        return found
    }

    /// Those of a destination's rows that are a stream's.
    private static func rows(_ rows: Range<Int>, of stream: StreamState, _ part: LibPQResult) -> PageRows {
        if stream.slots == StreamState.allSlots { return PageRows(rows) }
        return PageRows(rows.filter { stream.slots.contains(PostgresPage.slot(of: part, $0)) })
    }

    /// Takes over all that is new of a stream.
    private func take(
        new part: LibPQResult, _ rows: PageRows, of stream: StreamState, _ snapshot: Cursor.Snapshot,
        _ result: inout ReadResult
    ) -> Doorbell.Found {
        if PostgresPage.Extent(part, rows).hasWithheldPayload {
            // Read alone by the next poll, as much as a page may have.
            self.streams[stream.id]?.boundedPages = 16
            return .full
        }
        let position = stream.cursor.position
        let (late, fresh) = rows.split(
            at: rows.firstIndex { PostgresPage.id(of: part, $0) > position } ?? rows.endIndex)
        let (afterLate, afterFresh) = stream.cursor.after(
            lastNew: PostgresPage.id(of: part, rows[rows.endIndex - 1]), current: snapshot)
        self.streams[stream.id]?.readByNumbers(to: afterFresh.position, from: stream.cursor)
        self.streams[stream.id]?.cursor = afterFresh
        self.append(part, PostgresPage.Extent(part, late), stream, afterLate, &result)
        self.append(part, PostgresPage.Extent(part, fresh), stream, afterFresh, &result)
        return .some
    }

    // MARK: - Finding out

    func firstNew(_ ids: [StreamID]) -> LibPQStatement {
        let streams = ids.compactMap { self.streams[$0] }
        return self.bound(
            self.statements.firstNew,
            [
                .int4Array(streams.map(\.id.value)), .textArray(streams.map(\.destination.name)),
                .textArray(streams.map { Cursor.text(of: $0.cursor.newestSnapshot) }),
            ])
    }

    func take(firstNew part: LibPQResult, of ids: [StreamID], _ snapshot: Cursor.Snapshot) throws(LibPQError) {
        var lowest: [StreamID: Int64] = [:]
        for row in 0..<part.rowCount {
            lowest[StreamID(part.int32(row: row, column: 0))] = part.int64(row: row, column: 1)
        }
        for id in ids {
            guard let stream = self.streams[id] else { continue }
            if let cursor = stream.cursor.after(lowestNew: lowest[id], current: snapshot) {
                self.streams[id]?.cursor = cursor
            } else {
                self.streams[id]?.isFarBehind = true
            }
        }
    }

    // MARK: - Looking by ids

    /// Whether it is time to look by ids at what is read by transaction numbers.
    func isTimeToLookByIDs() -> Bool {
        let polling = self.wakeup.pollingInterval.map { min($0, .milliseconds(300)) * 100 }
        guard let interval = polling ?? self.wakeup.fallbackInterval else { return false }
        return self.knowledge.isTimeToLookByIDs(every: interval, now: self.clock.now)
    }

    func beyond(_ ids: [StreamID]) -> LibPQStatement {
        let streams = ids.compactMap { self.streams[$0] }
        return self.bound(
            self.statements.beyond,
            [
                .int4Array(streams.map(\.id.value)), .textArray(streams.map(\.destination.name)),
                .int8Array(streams.map(\.cursor.position)),
            ] + LibPQValue.slots(streams))
    }

    /// - Returns: Whether a stream has messages beyond its position, as it was before this poll: it is read by ids next.
    func take(beyond part: LibPQResult) -> Bool {
        for row in 0..<part.rowCount {
            self.streams[StreamID(part.int32(row: row, column: 0))]?.cursor.isComplete = false
        }
        return part.rowCount > 0
    }
}
