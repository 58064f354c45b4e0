import Logging
import Outbox
import OutboxRuntime
import OutboxSQL

extension PostgresSession {
    /// The next pages, as soon as there are any; see ``/Outbox/RelaySession/read(_:until:)``.
    func next(_ requests: [ReadRequest], until deadline: ContinuousClock.Instant?) async throws -> ReadResult {
        var result: ReadResult
        self.hasLookedAtAll = false
        if self.numbers.isDue {
            try await self.receiveAhead()
            try await self.checkIDs()
            self.numbers.isDue = false
        }
        if let news = try await self.takeStreamNews() { return news }
        if let ahead = try await self.takeAhead(self.unpaused(requests)) {
            result = ahead
        } else {
            try await self.runJanitorIfDue()
            try await self.announceIfDue()
            result = try await self.poll(
                requests, until: [deadline, self.announcer.due].compactMap { $0 }.min())
        }
        if self.isLogReplaced { throw Self.logReplaced }
        // Nothing is due of a paused stream until it is resumed, which is told.
        for request in requests where request.deferred && self.streams[request.stream]?.isPaused == true {
            result.nextDue[request.stream] = .some(nil)
        }
        result.lookedAtEverything = self.lookedAtEverything(requests, result)
        return result
    }

    private func lookedAtEverything(_ requests: [ReadRequest], _ result: ReadResult) -> Bool {
        guard result.pages.isEmpty, !result.deferredChanged else { return false }
        let log =
            self.hasLookedAtAll || self.doorbell.step == .sleep || !self.unpaused(requests).contains { $0.messages > 0 }
        return log && requests.allSatisfy { !$0.deferred || result.nextDue.index(forKey: $0.stream) != nil }
    }

    /// What is asked of streams that are not paused.
    private func unpaused(_ requests: [ReadRequest]) -> [ReadRequest] {
        requests.filter { self.streams[$0.stream]?.isPaused == false }
    }

    private func poll(
        _ requests: [ReadRequest], until deadline: ContinuousClock.Instant?
    ) async throws -> ReadResult {
        if self.unpaused(requests).contains(where: { $0.messages > 0 }) { self.fleet.reads(now: self.clock.now) }
        if let result = try await self.takeNews() { return result }
        // Once it is known which are paused.
        var requests = self.unpaused(requests)
        if !requests.contains(where: { $0.messages > 0 }) || self.isNewlyRequested(requests) {
            // Awake for another reason than an empty log: producers need not ring.
            if self.doorbell.isHeld {
                try await self.releaseBell()
            } else if self.doorbell.isKeeperAsleep {
                self.doorbell.rang()
            }
        }
        while true {
            let reads = requests.contains { $0.messages > 0 }
            if reads { self.fleet.reads(now: self.clock.now) }
            if let result = try await self.takeNews() { return result }
            switch reads ? self.doorbell.step : .sleep {
            case .poll(let release, var arm):
                // The bell is taken later. What there is for this relay is read all the same.
                if arm { arm = try await !self.isLogBusy() }
                let result = try await self.exchange(requests, release: release, arm: arm)
                if !result.pages.isEmpty || !result.nextDue.isEmpty || self.isLogReplaced {
                    try await self.readAhead(requests, after: result)
                    return result
                }
                if self.doorbell.isLookingOn {
                    // There may be many to look at.
                    let now = self.clock.now
                    if let result = try await self.wait(until: [now]) { return result }
                    if let deadline, now >= deadline { return ReadResult() }
                }
            case .pause(let duration):
                if let result = try await self.readDeferred(&requests) { return result }
                if try await self.lookBackOnce() {
                    self.doorbell.pauseEnded()
                    continue
                }
                let end = self.sleepTimer.pauseEnd(after: duration, now: self.clock.now)
                let due = [end, deadline, self.deferredNews.due, self.lookDue, self.fleet.lookDue]
                if let result = try await self.wait(until: due) { return result }
                if self.clock.now >= end {
                    self.sleepTimer.endPause()
                    self.doorbell.pauseEnded()
                    if let janitorDue, self.clock.now >= janitorDue { return ReadResult() }
                } else if let due = self.fleet.lookDue, self.clock.now >= due {
                    continue
                } else {
                    return ReadResult()
                }
            case .sleep:
                if reads, self.doorbell.mustAnnounce, self.fleet.hasOthers {
                    self.doorbell.announced()
                    try await self.tellAsKeeper(Word.asleep)
                    continue
                }
                let fallback = reads ? self.fallbackPoll : nil
                if let fallback, self.clock.now >= fallback {
                    self.doorbell.rang()
                    continue
                }
                if let result = try await self.readDeferred(&requests) { return result }
                if try await self.lookBackOnce() { continue }
                let other = [deadline, self.janitorDue, self.reloadDue, self.deferredNews.due, self.lookDue]
                    .compactMap { $0 }.min()
                if let result = try await self.sleep(until: [other, fallback, self.fleet.lookDue], requests) {
                    return result
                }
                if let other, self.clock.now >= other { return ReadResult() }
            }
        }
    }

    /// When to look although no producer has rung; nil: never. The same for as long as nothing is looked for, however often the relay
    /// is woken for other reasons meanwhile.
    private var fallbackPoll: ContinuousClock.Instant? {
        self.sleepTimer.fallback(after: self.wakeup.fallbackInterval, now: self.clock.now)
    }

    /// Says what the relay is doing, if that has changed and it is time.
    private func announceIfDue() async throws {
        if let text = self.announcer.take(now: self.clock.now) {
            _ = try await self.connection.query(self.bound(self.statements.announce, [.text(text)]))
        }
        let now = self.clock.now
        let changes = self.announcer.outages.changes(now: now)
        if !changes.isEmpty { try await self.note(changes, now: now) }
    }

    /// Writes why destinations are down. That is for people to read: what keeps it from being written is waited for in no way, and ends nothing.
    private func note(_ changes: [OutageNotes.Change], now: ContinuousClock.Instant) async throws {
        var written: [OutageNotes.Change] = []
        do throws(LibPQError) {
            let results = try await self.connection.pipeline([
                self.sameLog, LibPQStatement("SELECT pg_catalog.set_config('lock_timeout', '100ms', true)", []),
                self.bound(
                    self.statements.noteOutages,
                    [
                        .int4Array(changes.map(\.stream.value)),
                        .int8Array(
                            changes.map { change in
                                change.outage.map { Int64((now - $0.since).seconds * 1000) } ?? 0
                            }),
                        .textArray(changes.map { $0.outage.map { self.characters.storable($0.reason) } }),
                    ]),
            ])
            var streams: Set<StreamID> = []
            for row in results[2] { streams.insert(StreamID(try row.decode(0, as: Int32.self))) }
            written = changes.filter { streams.contains($0.stream) }
        } catch {
            if error.sqlState == SQLState.divisionByZero { throw Self.logReplaced }
            guard error.isRefusalOfWork, await self.connection.isUsable else { throw error }
            self.logger.debug(
                "Why a destination is down could not be written; it is tried again",
                metadata: ["outbox.error": "\(error)"])
        }
        self.announcer.outages.wrote(written, now: now)
    }

    /// Waits for a notification, ``wake()`` or the first of some instants.
    ///
    /// - Returns: What to return to the relay, if it is to be told at once.
    private func wait(until instants: [ContinuousClock.Instant?]) async throws -> ReadResult? {
        try await self.take(self.connection.waitForActivity(until: instants.compactMap { $0 }.min()))
    }

    /// - Returns: What to return to the relay, if it is to be told at once.
    private func take(_ activity: Activity) async throws -> ReadResult? {
        switch activity {
        case .woken:
            return ReadResult()
        case .deadline:
            return nil
        case .notified(let notifications):
            return try await self.take(notifications)
        }
    }

    /// Waits, with the poll ready that a ring is answered by: it is sent by the thread that hears it.
    ///
    /// - Returns: As ``wait(until:_:)``.
    private func sleep(
        until instants: [ContinuousClock.Instant?], _ requests: [ReadRequest]
    ) async throws -> ReadResult? {
        guard let poll = self.pollOfRing(requests) else { return try await self.wait(until: instants) }
        let channel = self.channel
        let (activity, sent) = try await self.connection.waitForActivity(
            until: instants.compactMap { $0 }.min(), sending: poll.statements
        ) { notifications in
            let own = notifications.filter { $0.channel == channel }
            // Streams that were changed are loaded first: one may be paused, or read from elsewhere. So is what relays tell each other.
            let others = [Word.stream, Word.asleep, Word.awake, Word.fleet]
            return own.contains(where: Self.isRing) && !own.contains { others.contains($0.payload) }
        }
        guard let sent else { return try await self.take(activity) }
        self.hearRing()
        var result = try await self.receive(poll.sent(sent))
        if case .notified(let notifications) = activity, let news = try await self.takeOther(notifications) {
            result.deferredChanged = news.deferredChanged
            // What was read of these is dropped.
            result.detached = news.detached
            return result
        }
        if result.pages.isEmpty, !self.isLogReplaced { return nil }
        try await self.readAhead(requests, after: result)
        return result
    }

    /// Whether something is asked for that was not looked at after the bell was taken.
    private func isNewlyRequested(_ requests: [ReadRequest]) -> Bool {
        requests.contains { $0.messages > 0 && !self.watched.contains($0.stream) }
    }

    private func releaseBell() async throws(LibPQError) {
        // Others sleep because of what was said before, and what comes then does not ring.
        if self.doorbell.mustRecall { try await self.tellAsKeeper(Word.awake) }
        if !self.doorbell.isHeld { return }
        _ = try await self.connection.query(self.bound(self.statements.release, [self.lockKey]))
        self.doorbell.released()
    }
}
