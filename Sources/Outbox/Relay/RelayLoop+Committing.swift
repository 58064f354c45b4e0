/// Making outcomes durable, and keeping what was refused.
extension RelayLoop {
    mutating func collect() {
        let (tickets, endings) = self.finished.take()
        if !tickets.isEmpty {
            let now = self.clock.now
            for ticket in tickets { self.streams[ticket.page.stream]?.settle(ticket, now: now) }
        }
        for (id, ending) in endings {
            self.streams[id]?.parked.end(ending.id, ending.verdict)
            for (stream, _) in self.leaving where stream.id == id { stream.parked.end(ending.id, ending.verdict) }
        }
    }

    /// - Returns: When the next commit is due, if one is, beside what was refused.
    mutating func commitIfDue(
        now: ContinuousClock.Instant
    ) async throws -> ContinuousClock.Instant? {
        var committable = 0
        var isIdle = true
        var isFull = self.crashWatch.isCareful
        var retry: ContinuousClock.Instant?
        for stream in self.streams.values {
            if let at = stream.retryAt { retry = min(retry ?? at, at) }
            // Messages that wait for a destination to be up may wait for hours: nothing else may wait for them.
            if stream.isDelivering { isIdle = false }
            if let refused = stream.refused, refused.work != nil || now < refused.retryAt { continue }
            committable += stream.ledger.committable + stream.parked.committable
            if stream.ledger.committable > 0 && stream.isFull(self.settings) { isFull = true }
        }
        let decision = self.schedule.decide(now: now, committable: committable, isIdle: isIdle, isFull: isFull)
        if decision == .now || retry.map({ $0 <= now }) ?? false {
            try await self.commit()
            return nil
        }
        guard case .at(let instant) = decision else { return nil }
        return instant
    }

    /// Commits what there is, with what has to be noted before more is delivered (``StreamDelivery/start``). What is refused of a
    /// stream is kept, and tried again by a later commit.
    ///
    /// - Parameters:
    ///   - starts: What else is to be noted of this process's start. Nothing waits for it.
    ///   - alone: What is to be noted because a handler is going to be called with one message. It is not kept: whether it is still
    ///     to be called is asked again.
    ///   - isLast: Whether what was refused is tried once more, whenever that would be due.
    mutating func commit(
        starts: [StreamID: StreamStart] = [:], alone: (stream: StreamID, start: StreamStart)? = nil,
        isLast: Bool = false
    ) async throws {
        let now = self.clock.now
        var works: [(stream: StreamDelivery, work: CommitWork)] = []
        var settlements: [Settlement] = []
        for (id, stream) in self.streams {
            guard let work = self.takeWork(of: stream, start: starts[id], now: isLast ? nil : now) else { continue }
            var settlement = work.settlement
            settlement.start = stream.start ?? settlement.start
            if let alone, alone.stream == id { settlement.start = alone.start }
            if settlement.isEmpty { continue }
            works.append((stream, work))
            settlements.append(settlement)
        }
        if works.isEmpty { return }
        let refused = try await self.session.commit(settlements)
        if refused.count < works.count {
            self.progress.committed()
            self.mustTry = false
        }
        self.schedule.committed(at: self.clock.now)
        for (stream, work) in works {
            if let error = refused[stream.id] {
                stream.keep(work, refusedFor: error, now: self.clock.now, self.logger)
                continue
            }
            stream.committed(work, now: self.clock.now, self.logger)
            if stream.start == nil { continue }
            stream.start = nil
            self.calls.free(stream.id)
            self.handOut(stream)
        }
    }

    /// What there is to commit of a stream, which may be nothing; nil: nothing now.
    ///
    /// - Parameter now: nil: what was refused is due.
    private mutating func takeWork(
        of stream: StreamDelivery, start: StreamStart?, now: ContinuousClock.Instant?
    ) -> CommitWork? {
        if let start { stream.refused?.note(start, of: stream.id) }
        if let refused = stream.refused {
            if let now, now < refused.retryAt { return nil }
            if let work = refused.work { return work }
        }
        var work = stream.takeWork()
        work.settlement.start = start ?? self.crashWatch.commit(stream.id, pages: work.pages.map(\.sequence))
        return work
    }
}
