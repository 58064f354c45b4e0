import Logging
import Outbox
import OutboxSQL

extension PostgresSession {
    /// Takes notice of what others have done, which a session that never waits would not be told otherwise.
    ///
    /// - Returns: What to return to the relay, if it is to be told at once.
    func takeNews() async throws -> ReadResult? {
        if let result = try await self.takeStreamNews() { return result }
        if self.deferredNews.take(now: self.clock.now) { return ReadResult(deferredChanged: true) }
        if let reloadDue, let interval = self.wakeup.pollingInterval, self.clock.now >= reloadDue {
            self.reloadDue = self.clock.now + interval
            if try await self.reloadStreams() { return self.watch.takeNews() ?? ReadResult() }
        }
        if let due = self.fleet.lookDue, self.clock.now >= due {
            try await self.lookAtFleet()
            if let result = try await self.takeStreamNews() { return result }
        }
        if let due = self.lookDue, self.clock.now >= due {
            try await self.lookForStreams()
            if let result = try await self.takeStreamNews() { return result }
        }
        guard let notifications = await self.connection.takeArrivedNotifications() else { return nil }
        return try await self.take(notifications)
    }

    /// Whether a notification of this session's channel is a reason to look at the log, for all relays alike. What is not known is.
    static func isRing(_ notification: LibPQNotification) -> Bool {
        ![Word.deferred, Word.asleep].contains(notification.payload) && !notification.payload.hasPrefix(Word.probe)
    }

    /// Takes notice of what notifications say to all relays, in their order.
    func hear(_ notifications: [LibPQNotification]) {
        for notification in notifications where notification.channel == self.channel {
            if [Word.fleet, Word.awake].contains(notification.payload) { self.fleet.heard(now: self.clock.now) }
            if notification.payload == Word.asleep {
                self.hearAsleep(isOwn: self.fleet.isOwn(notification.processID))
            } else if notification.payload == Word.awake, self.fleet.isOwn(notification.processID) {
                continue
            } else if Self.isRing(notification) {
                self.hearRing()
            }
        }
    }

    /// The keeper sleeps: what was not looked at since may have something in it that did not ring.
    private func hearAsleep(isOwn: Bool) {
        if isOwn { return self.doorbell.heardOwnAsleep() }
        self.doorbell.heardAsleep()
        self.knowledge.looked.removeAll()
        self.watched.removeAll()
        self.sleepTimer.endPause()
    }

    /// - Returns: What to return to the relay, if it is to be told at once.
    func take(_ notifications: [LibPQNotification]) async throws -> ReadResult? {
        // Both may have come at once: the ring is noted either way.
        self.hear(notifications)
        return try await self.takeOther(notifications)
    }

    /// There is a reason to look at the log, which all relays hear.
    func hearRing() {
        self.doorbell.heardRing()
        self.sleepTimer.endPause()
    }

    /// Takes notice of what notifications say beside that there is a reason to look at the log.
    ///
    /// - Returns: What to return to the relay, if it is to be told at once.
    func takeOther(_ notifications: [LibPQNotification]) async throws -> ReadResult? {
        let payloads = notifications.filter { $0.channel == self.channel }.map(\.payload)
        var result: ReadResult?
        if payloads.contains(Word.stream), try await self.reloadStreams() {
            result = self.watch.takeNews() ?? ReadResult()
        }
        if payloads.contains(Word.deferred), self.deferredNews.heard(now: self.clock.now) {
            result = result ?? ReadResult()
            result?.deferredChanged = true
        }
        return result
    }

    /// Reads the streams' rows again, and takes over what others have done to them: they are paused, resumed, or read from
    /// elsewhere. A stream that is gone, or that has other slots now, is let go: what was read of it, and is being read, is of other slots,
    /// and would pass over messages. It comes again, with those that share its slots, when the relay knows.
    ///
    /// - Returns: Whether something has changed, so that the relay is to be told.
    func reloadStreams() async throws -> Bool {
        let names = LibPQValue.textArray(self.watch.destinations.map(\.name))
        let result = try await self.connection.query(
            self.bound(self.statements.load, [.text(self.subscription), names]))
        var gone = Set(self.streams.all.map(\.id))
        var hasChanged = false
        var all: [StreamState] = []
        for row in result {
            let stored = try StreamState(row)
            all.append(stored)
            guard let known = self.streams[stored.id] else {
                if self.fleet.owns(stored.id) { self.watch.mustAttach = true }
                continue
            }
            if stored.slots != known.slots || stored.destination != known.destination { continue }
            gone.remove(stored.id)
            if self.take(stored, over: known) { hasChanged = true }
        }
        for stream in gone { self.letGo(stream) }
        self.fleet.loaded(all, now: self.clock.now)
        if !hasChanged, gone.isEmpty, !self.watch.mustAttach { return false }
        self.numbers.isDue = true
        self.doorbell.rang()
        self.sleepTimer.endPause()
        return true
    }

    /// - Returns: Whether others have changed the stream.
    private func take(_ stored: StreamState, over known: StreamState) -> Bool {
        var hasChanged = false
        if stored.generation != known.generation {
            // What was read and not committed is read again; its pages, if they are settled later, move nothing.
            self.streams[stored.id] = stored
            self.knowledge.crowded.remove(stored.id)
            self.logger.info(
                "A cursor was moved by another session; reading from there",
                metadata: [
                    "outbox.destination": "\(stored.destination)", "outbox.position": "\(stored.cursor.position)",
                ])
            hasChanged = true
        }
        self.streams[stored.id]?.place = stored.place
        self.streams[stored.id]?.isPaused = stored.isPaused
        if stored.isPaused == known.isPaused { return hasChanged }
        // While a stream was paused, it was not asked when its deferred messages are due.
        if known.isPaused { self.watch.resumed() }
        return true
    }
}
