import Logging
import Outbox
import OutboxSQL

extension PostgresSession {
    /// How the payload of a NOTIFY begins that is sent to be heard by its own sender, as the doctor does; a relay takes no notice of it.
    static let probe = "probe "
    /// The payload that tells that a stream was paused, resumed or read from elsewhere.
    static let streamChange = "stream"

    /// Takes notice of what others have done, which a session that never waits would not be told otherwise.
    ///
    /// - Returns: What to return to the relay, if it is to be told at once.
    func takeNews() async throws -> ReadResult? {
        if self.deferredNews.take(now: self.clock.now) { return ReadResult(deferredChanged: true) }
        if let reloadDue, let interval = self.wakeup.pollingInterval, self.clock.now >= reloadDue {
            self.reloadDue = self.clock.now + interval
            if let result = try await self.reloadStreams() { return result }
        }
        guard let notifications = await self.connection.takeArrivedNotifications() else { return nil }
        return try await self.take(notifications)
    }

    /// Whether a notification of this session's channel is a reason to look at the log.
    static func isRing(_ notification: LibPQNotification) -> Bool {
        notification.payload != "deferred" && !notification.payload.hasPrefix(Self.probe)
    }

    /// - Returns: What to return to the relay, if it is to be told at once.
    func take(_ notifications: [LibPQNotification]) async throws -> ReadResult? {
        // Both may have come at once: the ring is noted either way.
        if notifications.contains(where: { $0.channel == self.channel && Self.isRing($0) }) { self.hearRing() }
        return try await self.takeOther(notifications)
    }

    /// There is a reason to look at the log.
    func hearRing() {
        self.doorbell.rang()
        self.sleepTimer.endPause()
    }

    /// Takes notice of what notifications say beside that there is a reason to look at the log.
    ///
    /// - Returns: What to return to the relay, if it is to be told at once.
    func takeOther(_ notifications: [LibPQNotification]) async throws -> ReadResult? {
        let payloads = notifications.filter { $0.channel == self.channel }.map(\.payload)
        var result = payloads.contains(Self.streamChange) ? try await self.reloadStreams() : nil
        if payloads.contains("deferred"), self.deferredNews.heard(now: self.clock.now) {
            result = ReadResult(deferredChanged: true)
        }
        return result
    }

    /// What was read, and is being read, is of other slots than the stream has now: stored as its cursor, it would pass over messages.
    private static let slotsChanged = RelayError(
        .logChanged, "The slots of a stream were changed while a relay was reading it; a new session reads from the stored cursors.")

    /// Reads the streams' rows again, and takes over what others have done to them: they are paused, resumed, or read from
    /// elsewhere.
    ///
    /// - Returns: What to return to the relay; nil: nothing has changed.
    /// - Throws: Where a stream has other slots now: this session ends.
    func reloadStreams() async throws -> ReadResult? {
        let names = LibPQValue.textArray(self.streams.all.map(\.destination.name))
        let result = try await self.connection.query(
            self.bound(self.statements.load, [.text(self.subscription), names]))
        var hasChanged = false
        var hasResumed = false
        for row in result {
            let stored = try StreamState(row)
            guard let known = self.streams[stored.id] else { continue }
            if stored.slots != known.slots { throw Self.slotsChanged }
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
            if stored.isPaused != known.isPaused {
                hasChanged = true
                if known.isPaused { hasResumed = true }
            }
        }
        if !hasChanged { return nil }
        self.numbers.isDue = true
        self.doorbell.rang()
        self.sleepTimer.endPause()
        // While a stream was paused, it was not asked when its deferred messages are due.
        return ReadResult(deferredChanged: hasResumed)
    }
}
