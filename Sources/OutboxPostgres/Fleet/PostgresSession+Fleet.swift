import Logging
import Outbox
import OutboxRuntime
import OutboxSQL

/// What a session does for its part of the fleet: it looks who has what, takes its share, gives up the rest, and sees to it that the bell has
/// a keeper.
extension PostgresSession {
    /// What relays are told, beside that a producer rings, which has no words.
    enum Word {
        /// The keeper sleeps: whatever did not ring is visible by now, and whatever comes rings.
        static let asleep = "asleep"
        /// The bell is free, or another one's: what comes may not ring.
        static let awake = "awake"
        /// A relay has come, has gone, or has given something up.
        static let fleet = "fleet"
        /// A stream was paused, resumed, or read from elsewhere.
        static let stream = "stream"
        /// Deferred messages were changed by others.
        static let deferred = "deferred"
        /// So begins what is sent to be heard by its own sender, as the doctor does; a relay takes no notice of it.
        static let probe = "probe "
    }

    /// Tells other relays what this one has routes for.
    func join(_ destinations: [Destination], andOthers: Bool, lookingEvery interval: Duration) async throws(LibPQError)
    {
        let routes = self.fleet.join(destinations, andOthers: andOthers, lookingEvery: interval, now: self.clock.now)
        _ = try await self.connection.pipeline([
            self.sameLog, self.bound(self.statements.shareLocks, [self.lockKey, .int4Array(routes)]),
        ])
        try await self.tellToLook()
    }

    /// Tells other relays to look. Where the server's queue of notifications is full, that is put off: a relay that cannot be heard delivers
    /// all the same.
    private func tellToLook() async throws(LibPQError) {
        do throws(LibPQError) {
            try await self.tell(Word.fleet)
            self.fleet.told(true, now: self.clock.now)
        } catch {
            guard self.isOfFullQueue(error) else { throw error }
            self.fleet.told(false, now: self.clock.now)
        }
    }

    /// Whether the server has refused a statement because its queue of notifications is full. The log says so once.
    private func isOfFullQueue(_ error: LibPQError) -> Bool {
        guard error.sqlState == SQLState.programLimitExceeded else { return false }
        if !self.hasMetFullQueue {
            self.logger.warning(
                "The server takes no notification: this relay polls, and balances its streams with others later",
                metadata: ["outbox.error": "\(error)"])
        }
        self.hasMetFullQueue = true
        return true
    }

    func tell(_ word: String) async throws(LibPQError) {
        _ = try await self.connection.query(self.telling(word))
    }

    func telling(_ word: String) -> LibPQStatement {
        self.bound(self.statements.tell, [.text(self.channel), .text(word)])
    }

    /// Looks what other relays have, takes what is this one's share, and notes what is not.
    func lookAtFleet() async throws {
        try await self.receiveAhead()
        let rows = try await self.connection.query(
            self.bound(
                self.statements.look,
                [
                    .int8(Int64(self.logID)), .int4(FleetLock.relays(of: self.subscription)),
                    .int4(Int32(Pulse.silence.seconds)),
                ]))
        let holders = try rows.map { row in try Fleet.Holder(row) }
        let wasCrowded = self.fleet.isQueueCrowded
        let usage = try rows.first?.decode(10, as: Double.self) ?? 0
        let decision = self.fleet.saw(
            holders, listens: self.wakeup.pollingInterval == nil, queueUsage: usage, now: self.clock.now)
        if self.fleet.isQueueCrowded != wasCrowded, self.wakeup.pollingInterval == nil { self.tell(ofQueue: usage) }
        // The keeper may have gone without a word that could be heard.
        if decision.wakes, self.doorbell.isKeeperAsleep { self.hearRing() }
        for holder in decision.end { try await self.end(holder) }
        for (holder, stream) in decision.foreign { self.tell(of: holder, stream) }
        if decision.resigns { try await self.resign() }
        if !decision.drop.isEmpty { try await self.drop(decision.drop) }
        if !decision.take.isEmpty { try await self.take(decision.take) }
        if decision.keep { try await self.keep() }
        if self.fleet.isUntold, !self.fleet.isQueueCrowded { try await self.tellToLook() }
    }

    private func take(_ numbers: [Int32]) async throws(LibPQError) {
        let results = try await self.connection.pipeline([
            self.sameLog, self.bound(self.statements.takeLocks, [self.lockKey, .int4Array(numbers)]),
        ])
        for row in results[1] where try row.decode(1, as: Bool.self) {
            self.fleet.took(StreamID(try row.decode(0, as: Int32.self)))
            self.watch.mustAttach = true
        }
    }

    /// Tries to be the keeper. The last one may have died with the bell, so that producers have not rung since.
    private func keep() async throws(LibPQError) {
        let results: [LibPQResult]
        do throws(LibPQError) {
            results = try await self.connection.pipeline([
                self.sameLog, self.bound(self.statements.keep, [self.lockKey, .text(self.channel), .text(Word.awake)]),
            ])
        } catch {
            guard self.isOfFullQueue(error) else { throw error }
            // The lock outlives its transaction. Whatever the last keeper has said does not hold any more.
            _ = try await self.connection.query(
                self.bound(self.statements.dropLocks, [self.lockKey, .int4Array([FleetLock.keeper])]))
            self.fleet.couldNotKeep(now: self.clock.now)
            self.hearRing()
            return
        }
        guard try results[1][0].decode(0, as: Bool.self) else { return }
        self.hasMetFullQueue = false
        self.fleet.keeps()
        self.doorbell.becameKeeper()
        self.sleepTimer.endPause()
    }

    /// Whether the bell is to be taken later, because other relays' messages are coming in.
    func isLogBusy() async throws(LibPQError) -> Bool {
        guard self.fleet.hasOthers else { return false }
        let last = try await self.connection.query(self.bound(self.statements.lastID))[0].decode(0, as: Int64.self)
        return self.traffic.isForOthers(lastID: last)
    }

    private func drop(_ numbers: [Int32]) async throws(LibPQError) {
        try await self.dropping(numbers, telling: true)
    }

    /// Gives up locks, and tells other relays to look. They are given up even if that cannot be told.
    private func dropping(_ numbers: [Int32], telling tells: Bool) async throws(LibPQError) {
        var statements = [self.bound(self.statements.dropLocks, [self.lockKey, .int4Array(numbers)])]
        if tells { statements.append(self.telling(Word.fleet)) }
        do throws(LibPQError) {
            _ = try await self.connection.pipeline(statements)
        } catch {
            guard self.isOfFullQueue(error) else { throw error }
            self.fleet.told(false, now: self.clock.now)
        }
    }

    /// Says something as the keeper. Where the server does not take that, others cannot rely on what this session says: it is the keeper no more.
    func tellAsKeeper(_ word: String) async throws(LibPQError) {
        do throws(LibPQError) {
            try await self.tell(word)
        } catch {
            guard self.isOfFullQueue(error) else { throw error }
            self.fleet.couldNotKeep(now: self.clock.now)
            try await self.freeBell()
        }
    }

    /// Lets another relay take the bell, or none.
    private func resign() async throws(LibPQError) {
        // First: what comes when it is free does not ring. Others that do not hear it because the queue is full see it with their next look.
        do throws(LibPQError) {
            try await self.tell(Word.awake)
        } catch {
            guard self.isOfFullQueue(error) else { throw error }
        }
        try await self.freeBell()
    }

    private func freeBell() async throws(LibPQError) {
        try await self.drop([FleetLock.keeper] + (self.doorbell.isHeld ? [0] : []))
        self.doorbell.resigned()
    }

    /// Gives up streams; see ``/Outbox/RelaySession/release(_:)``.
    func giveUp(_ streams: [StreamID]) async throws {
        try await self.receiveAhead()
        for stream in streams where self.fleet.owns(stream) { self.forget(stream) }
        let numbers = self.fleet.release(streams, now: self.clock.now)
        if numbers.isEmpty { return }
        try await self.dropping(numbers, telling: self.fleet.hasOthers)
    }

    /// Gives up everything; see ``/Outbox/RelaySession/leave()``.
    func leaveFleet() async {
        if !self.fleet.hasOthers { return }
        // First: what comes when the bell is free does not ring.
        try? await self.tell(Word.awake)
        _ = try? await self.connection.query(
            self.bound(self.statements.leave, [.text(self.channel), .text(Word.fleet)]))
    }

    // MARK: - Sessions that are in the way

    private func end(_ holder: Fleet.Holder) async throws(LibPQError) {
        let metadata: Logger.Metadata = [
            "outbox.process": "\(holder.process)", "outbox.role": "\(holder.role)",
            "outbox.application": "\(ActivityReport.reading(holder.application).name)",
        ]
        do throws(LibPQError) {
            _ = try await self.connection.query(self.bound(self.statements.endSession, [.int4(holder.process)]))
            self.logger.error(
                "A relay that owns streams has been silent for too long, stopped or out of reach: its session is ended, and its streams are taken over",
                metadata: metadata)
        } catch {
            guard error.sqlState == SQLState.insufficientPrivilege else { throw error }
            self.logger.error(
                """
                A relay that owns streams has been silent for too long, stopped or out of reach, and this one's role may not end its \
                session: nothing of its streams is delivered until it goes on or SELECT pg_terminate_backend(\(holder.process)) ends it
                """, metadata: metadata)
        }
    }

    private func tell(ofQueue usage: Double) {
        let metadata: Logger.Metadata = ["outbox.queue_usage": "\(usage)"]
        if self.fleet.isQueueCrowded {
            self.logger.warning(
                """
                The server's queue of notifications fills up, because a session listens and does not end its transaction: producers do not \
                ring any more, so that they can commit, and relays poll
                """, metadata: metadata)
        } else {
            self.logger.notice(
                "The server's queue of notifications has room again: producers ring, and relays sleep",
                metadata: metadata)
        }
    }

    private func tell(of holder: Fleet.Holder, _ stream: StreamID) {
        self.logger.error(
            """
            A session that is no relay holds the lock of a stream, so nothing of the stream is delivered; SELECT \
            pg_terminate_backend(\(holder.process)) ends it
            """,
            metadata: [
                "outbox.process": "\(holder.process)", "outbox.role": "\(holder.role)",
                "outbox.application": "\(ActivityReport.reading(holder.application).name)",
                "outbox.stream": "\(stream)",
            ])
    }
}

extension Fleet.Holder {
    /// Reads a row of the statement `look`.
    init(_ row: LibPQRow) throws(LibPQError) {
        self.process = try row.decode(0)
        self.isOwn = try row.decode(1)
        self.owned = Self.numbers(try row.decode(2))
        self.waits = Self.numbers(try row.decode(3))
        self.routes = Self.numbers(try row.decode(4))
        self.isMember = try row.decode(5)
        self.isRelay = try row.decode(6)
        self.isSilent = try row.decode(7)
        self.role = try row.decode(8)
        self.application = try row.decode(9)
    }

    private static func numbers(_ text: String) -> Set<Int32> {
        Set(text.split(separator: ",").compactMap { Int32($0) })
    }
}
