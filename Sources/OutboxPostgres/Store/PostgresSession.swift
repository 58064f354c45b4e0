import Logging
import Outbox
import OutboxSQL

/// A relay's session: one connection that owns the streams, works the doorbell, reads and commits.
///
/// It runs on its connection's executor, the thread that waits for the connection's socket.
actor PostgresSession: RelaySession {
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe self.connection.unownedExecutor }

    nonisolated let connection: LibPQConnection
    let subscription: String
    let schema: OutboxSchema
    let statements: Statements
    let wakeup: PostgresStore.Wakeup
    /// Nil: this session does not look after the segments.
    let segments: SegmentPolicy?
    let logger: Logger

    /// The log's oid: the first half of every lock's key and part of the channel's name.
    var logID: UInt32 = 0
    /// Whether the log is not the one that this session's locks and channel are for.
    var isLogReplaced = false
    var headersVerified = false
    var streams = StreamTable()
    var doorbell: Doorbell
    /// What the next poll is planned by.
    var knowledge = PollPlan.Knowledge()
    /// Whether a poll of the current read has completed a look at everything, and found nothing.
    var hasLookedAtAll = false
    /// A poll that the relay has not asked for yet; see ``readAhead(_:after:)``.
    var ahead = ReadAhead()
    /// Which characters the database can store.
    var characters = StorableCharacters.all
    /// When messages were found last.
    var lastFound: ContinuousClock.Instant?
    var sleepTimer = SleepTimer()
    /// The streams that were read after the bell was taken: only of those it is known that nothing is there.
    var watched: Set<StreamID> = []
    /// When to look after the segments; nil: never.
    var janitorSchedule: JanitorSchedule?
    var janitorHasFailed = false
    /// When to look whether the streams were changed; nil: a notification tells.
    var reloadDue: ContinuousClock.Instant?
    var deferredNews = DeferredNews()
    var numbers = NumberWatch()
    /// What came since the cursors with which the session began, as far as it was not looked at yet.
    var lookBack: LookBack?
    var ownership = Ownership()
    var announcer = Announcer(name: "")
    let clock = ContinuousClock()

    init(
        connection: LibPQConnection, subscription: String, schema: OutboxSchema, statements: Statements,
        wakeup: PostgresStore.Wakeup, segments: SegmentPolicy?, policy: Doorbell.Policy, logger: Logger
    ) {
        self.connection = connection
        self.subscription = subscription
        self.schema = schema
        self.statements = statements
        self.wakeup = wakeup
        self.segments = segments
        self.janitorSchedule = segments.map { JanitorSchedule(interval: $0.interval) }
        self.reloadDue = wakeup.pollingInterval.map { ContinuousClock.now + $0 }
        self.doorbell = Doorbell(policy: policy)
        self.logger = logger
    }

    nonisolated func wake() {
        self.connection.wake()
    }

    func note(_ activity: [StreamID: StreamActivity]) {
        self.announcer.note(activity, now: self.clock.now)
    }

    func close() async {
        await self.connection.close()
    }

    // MARK: - What a relay asks for

    // A relay understands its own kind of error and ends with any other: the type of each of these says that none leaves.

    func acquire() async throws(RelayError) -> Bool {
        do { return try await self.takeOwnership() } catch { throw self.explained(error) }
    }

    func attach(_ destinations: [Destination]) async throws(RelayError) -> [AttachedStream] {
        do { return try await self.begin(with: destinations) } catch { throw self.explained(error) }
    }

    func read(
        _ requests: [ReadRequest], until deadline: ContinuousClock.Instant?
    ) async throws(RelayError) -> ReadResult {
        do { return try await self.next(requests, until: deadline) } catch { throw self.explained(error) }
    }

    @discardableResult
    func commit(_ settlements: [Settlement]) async throws(RelayError) -> [StreamID: RelayError] {
        do { return try await self.store(settlements) } catch { throw self.explained(error) }
    }

    func deferredKeys() async throws(RelayError) -> [StreamID: [UInt64: Int]] {
        do { return try await self.readDeferredKeys() } catch { throw self.explained(error) }
    }

    /// What a failure means for the relay.
    private func explained(_ error: any Error) -> RelayError {
        (error as? LibPQError).map(self.explained) ?? RelayError(explaining: error)
    }

    // MARK: - Beginning

    private func begin(with destinations: [Destination]) async throws -> [AttachedStream] {
        let names = LibPQValue.textArray(destinations.map(\.name))
        let subscription = LibPQValue.text(self.subscription)
        if self.wakeup.pollingInterval == nil {
            try await self.connection.query(LibPQStatement("LISTEN \(self.channel)", []))
        }
        let numbers = try await self.checkNumbers()
        self.numbers.began(lastID: numbers.lastID, filenode: numbers.filenode)
        let results = try await self.connection.pipeline([
            self.bound(self.statements.register, [subscription, names]),
            self.bound(
                self.statements.restart, [subscription, names, .int8(numbers.lastID), .bool(numbers.rise)]),
            self.bound(self.statements.load, [subscription, names]),
            self.bound(self.statements.announce, [.text(self.announcer.firstName)]),
            LibPQStatement("SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())", []),
        ])
        self.announcer.began()
        for row in results[1] { self.tellOfRestart(try row.decode(0), cause: try row.decode(1)) }
        for row in results[2] {
            let stream = try StreamState(row)
            if self.ownership.owns(stream) { self.streams.add(stream) }
        }
        let end = results[4][0].bytes(0).map { bytes in bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        let mended = Set(try results[1].map { row in StreamID(try row.decode(2, as: Int32.self)) })
        // Ids below the position may still come: nothing of these is bounded by what was stored.
        for id in mended { self.streams[id]?.cursor.horizon = nil }
        self.lookBack = LookBack(
            self.streams.all.compactMap { stream in
                // All that is late for those that were mended is read anyway.
                guard let horizon = stream.cursor.horizon, !mended.contains(stream.id) else { return nil }
                return LookBack.Stream(
                    id: stream.id, destination: stream.destination, snapshot: stream.cursor.snapshot,
                    position: stream.cursor.position, horizon: horizon, generation: stream.generation)
            }, end: end ?? 0)
        let patience = self.clock.now + .seconds(1)
        while self.clock.now < patience, try await self.lookBackOnce() {}
        let keys = try await self.readDeferredKeys()
        return self.streams.all.map { stream in
            AttachedStream(
                id: stream.id, destination: stream.destination, deferredKeys: keys[stream.id] ?? [:],
                start: stream.start)
        }
    }

    /// Has it found out more or less often what there is of streams that were not read for a while; for tests.
    func bringForward(every interval: Duration) { self.knowledge.forwardInterval = interval }

    /// Whether a poll was sent that the relay has not asked for; for tests.
    var hasAskedAhead: Bool { self.ahead.isSent }

    /// A statement with its values.
    func bound(_ statement: Statements.Statement, _ binds: [LibPQValue] = []) -> LibPQStatement {
        LibPQStatement(statement.text, binds, name: statement.name)
    }

    /// The log's oid as the first half of an advisory lock's key.
    var lockKey: LibPQValue { .int4(Int32(bitPattern: self.logID)) }

    /// The channel on which producers ring.
    var channel: String { "outbox_\(self.logID)" }
}

extension LibPQRow {
    /// A column's value as the server sent it, copied; nil where it is null.
    func bytes(_ column: Int) -> [UInt8]? {
        if self.result.isNull(row: self.index, column: column) { return nil }
        return unsafe self.result.withBytes(row: self.index, column: column) { bytes in unsafe Array(bytes) }
    }
}
