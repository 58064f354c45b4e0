import Logging
import OutboxRuntime

/// Making outcomes durable, and keeping what was refused.
extension RelayLoop {
    mutating func collect() {
        let (tickets, endings) = self.finished.take()
        for ticket in tickets { self.streams[ticket.page.stream]?.ledger.settle(ticket.sequence) }
        for (stream, ending) in endings { self.streams[stream]?.parked.end(ending.id, ending.verdict) }
    }

    /// - Returns: When the next commit is due, if one is.
    mutating func commitIfDue(
        now: ContinuousClock.Instant
    ) async throws -> ContinuousClock.Instant? {
        var committable = 0
        var isIdle = true
        var isFull = self.crashWatch.isCareful
        for stream in self.streams.values {
            // Messages that wait for a destination to be up may wait for hours: nothing else may wait for them.
            if stream.isDelivering { isIdle = false }
            if let refused = stream.refused, refused.work != nil || now < refused.retryAt { continue }
            committable += stream.ledger.committable + stream.parked.committable
            if stream.ledger.committable > 0 && stream.isFull(self.settings) { isFull = true }
        }
        let retry = self.streams.values.compactMap(\.retryAt).min()
        let decision = self.schedule.decide(now: now, committable: committable, isIdle: isIdle, isFull: isFull)
        if decision == .now || retry.map({ $0 <= now }) ?? false {
            try await self.commit()
            return self.streams.values.compactMap(\.retryAt).min()
        }
        guard case .at(let instant) = decision else { return retry }
        return min(instant, retry ?? instant)
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
        var works: [StreamID: CommitWork] = [:]
        var settlements: [Settlement] = []
        for id in self.streams.keys {
            guard let work = self.takeWork(of: id, start: starts[id], now: isLast ? nil : now) else { continue }
            var settlement = work.settlement
            settlement.start = self.streams[id]?.start ?? settlement.start
            if let alone, alone.stream == id { settlement.start = alone.start }
            if settlement.isEmpty { continue }
            works[id] = work
            settlements.append(settlement)
        }
        if works.isEmpty { return }
        let refused = try await self.session.commit(settlements)
        if refused.count < works.count {
            self.progress.committed()
            self.mustTry = false
        }
        self.schedule.committed(at: self.clock.now)
        for (id, work) in works {
            if let error = refused[id] {
                self.keep(work, of: id, refusedFor: error)
            } else {
                if let before = self.streams[id]?.refused {
                    self.logger.notice(
                        before.hasOutcomes ? "Outcomes are stored again" : "Messages are delivered again",
                        metadata: [LogKey.destination: "\(self.destination(of: id))"])
                }
                self.streams[id]?.refused = nil
                self.noteCommitted(id, work.pages, work.endings)
                if self.streams[id]?.start == nil { continue }
                self.streams[id]?.start = nil
                self.calls.free(id)
                self.handOut(id)
            }
        }
    }

    /// What there is to commit of a stream, which may be nothing; nil: nothing now.
    ///
    /// - Parameter now: nil: what was refused is due.
    mutating func takeWork(
        of id: StreamID, start: StreamStart?, now: ContinuousClock.Instant?
    ) -> CommitWork? {
        if let start { self.streams[id]?.refused?.note(start, of: id) }
        if let refused = self.streams[id]?.refused {
            if let now, now < refused.retryAt { return nil }
            if let work = refused.work { return work }
        }
        guard let taken = self.streams[id]?.ledger.takeCommittable() else { return nil }
        let pages = taken.log + [taken.deferred].compactMap { $0 }
        for ticket in pages { self.streams[id]?.parked.stored(page: ticket.sequence) }
        let endings = self.streams[id]?.parked.take() ?? []
        var settlement = Settlement(stream: id)
        for ticket in pages { settlement.add(ticket) }
        for ending in endings { settlement.add(ending) }
        settlement.start = start ?? self.crashWatch.commit(id, pages: pages.map(\.sequence))
        return CommitWork(settlement: settlement, pages: pages, endings: endings)
    }

    /// Keeps what was refused, to be tried again.
    mutating func keep(_ work: CommitWork, of id: StreamID, refusedFor error: RelayError) {
        let now = self.clock.now
        var refused = self.streams[id]?.refused ?? RefusedCommit(now: now)
        refused.work = work.settlement.isEmpty ? nil : work
        let isNews = refused.refused(error.message, now: now)
        self.streams[id]?.refused = refused
        if !isNews { return }
        self.logger.warning(
            refused.hasOutcomes
                ? "Outcomes cannot be stored; that is tried again, and nothing more of the destination is delivered than its window has room for"
                : "The start of a delivery cannot be stored; that is tried again, and nothing of the destination is delivered before",
            metadata: [
                LogKey.destination: "\(self.destination(of: id))", LogKey.error: "\(error)",
                LogKey.attempts: "\(refused.attempts)",
            ])
    }

    func destination(of id: StreamID) -> String {
        self.streams[id]?.dispatcher.observer.destination.name ?? "\(id)"
    }

    mutating func noteCommitted(
        _ id: StreamID, _ pages: [PageTicket], _ endings: [ParkedMessages.Ending]
    ) {
        guard let dispatcher = self.streams[id]?.dispatcher else { return }
        for ticket in pages {
            let exceptions = ticket.exceptions
            dispatcher.committed(deferred: ticket.blockedKeys, removed: ticket.removedKeys)
            for exception in exceptions { dispatcher.observer.committed(exception.verdict) }
            dispatcher.observer.inFlight(self.streams[id]?.ledger.messages ?? 0)
            // Something was deferred or has left: find out when the next is due.
            if !exceptions.isEmpty || ticket.page.origin == .deferred { self.streams[id]?.deferredDue = self.clock.now }
        }
        if endings.isEmpty { return }
        dispatcher.committed(deferred: [], removed: ParkedMessages.removedKeys(endings))
        for ending in endings {
            if let verdict = ending.verdict { dispatcher.observer.committed(verdict) }
        }
        self.streams[id]?.deferredDue = self.clock.now
    }
}
