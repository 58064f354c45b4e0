import Logging
import OutboxRuntime

/// What is made durable of a stream, and what was refused.
extension StreamDelivery {
    /// Takes what is settled, which may be nothing.
    func takeWork() -> CommitWork {
        let taken = self.ledger.takeCommittable()
        let pages = taken.log + [taken.deferred].compactMap { $0 }
        for ticket in pages { self.parked.stored(page: ticket.sequence) }
        let endings = self.parked.take()
        var settlement = Settlement(stream: self.id)
        for ticket in pages { settlement.add(ticket) }
        for ending in endings { settlement.add(ending) }
        return CommitWork(settlement: settlement, pages: pages, endings: endings)
    }

    /// Keeps what was refused, to be tried again.
    func keep(_ work: CommitWork, refusedFor error: RelayError, now: ContinuousClock.Instant, _ logger: Logger) {
        var refused = self.refused ?? RefusedCommit(now: now)
        refused.work = work.settlement.isEmpty ? nil : work
        let isNews = refused.refused(error.message, now: now)
        self.refused = refused
        if !isNews { return }
        logger.warning(
            refused.hasOutcomes
                ? "Outcomes cannot be stored; that is tried again, and nothing more of the destination is delivered than its window has room for"
                : "The start of a delivery cannot be stored; that is tried again, and nothing of the destination is delivered before",
            metadata: [
                LogKey.destination: "\(self.destination.inLog)", LogKey.error: "\(error)",
                LogKey.attempts: "\(refused.attempts)",
            ])
    }

    /// What was taken is durable.
    func committed(_ work: CommitWork, now: ContinuousClock.Instant, _ logger: Logger) {
        if let before = self.refused {
            logger.notice(
                before.hasOutcomes ? "Outcomes are stored again" : "Messages are delivered again",
                metadata: [LogKey.destination: "\(self.destination.inLog)"])
        }
        self.refused = nil
        let observer = self.dispatcher.observer
        for ticket in work.pages {
            let exceptions = ticket.exceptions
            self.dispatcher.committed(deferred: ticket.blockedKeys, removed: ticket.removedKeys)
            for exception in exceptions { observer.committed(exception.verdict) }
            observer.inFlight(self.ledger.messages)
            // Something was deferred or has left: find out when the next is due.
            if !exceptions.isEmpty || ticket.page.origin == .deferred { self.deferredDue = now }
        }
        if work.endings.isEmpty { return }
        self.dispatcher.committed(deferred: [], removed: ParkedMessages.removedKeys(work.endings))
        for ending in work.endings {
            if let verdict = ending.verdict { observer.committed(verdict) }
        }
        self.deferredDue = now
    }
}
