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
    /// How many streams a destination gets that has none.
    let streamsPerDestination: Int
    /// The destinations whose streams begin with what is committed from then on, where there are none.
    var beginsNow: Set<Destination> = []
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
    /// When the last read or commit was sent that the server has answered.
    var askedAt: ContinuousClock.Instant?
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
    var fleet: Fleet
    var traffic = LogTraffic()
    var watch = StreamWatch()
    /// Whether the log has said that the server takes no notification.
    var hasMetFullQueue = false
    var announcer = Announcer(name: "")
    let clock = ContinuousClock()

    init(
        connection: LibPQConnection, subscription: String, schema: OutboxSchema, statements: Statements,
        wakeup: PostgresStore.Wakeup, segments: SegmentPolicy?, streamsPerDestination: Int = 1,
        policy: Doorbell.Policy, logger: Logger
    ) {
        self.connection = connection
        self.subscription = subscription
        self.schema = schema
        self.statements = statements
        self.wakeup = wakeup
        self.segments = segments
        self.streamsPerDestination = streamsPerDestination
        self.janitorSchedule = segments.map { JanitorSchedule(interval: $0.interval) }
        self.reloadDue = wakeup.pollingInterval.map { ContinuousClock.now + $0 }
        self.doorbell = Doorbell(policy: policy, isKeeper: false)
        self.fleet = Fleet(subscription: subscription)
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

    func attach(
        _ destinations: [Destination], andOthers: Bool, from position: FirstPosition, lookingEvery interval: Duration
    ) async throws(RelayError) -> [AttachedStream] {
        do {
            return try await self.begin(
                with: destinations, andOthers: andOthers, from: position, lookingEvery: interval)
        } catch { throw self.explained(error) }
    }

    func release(_ streams: [StreamID]) async throws(RelayError) {
        do { try await self.giveUp(streams) } catch { throw self.explained(error) }
    }

    func leave() async {
        await self.leaveFleet()
    }

    func read(
        _ requests: [ReadRequest], until deadline: ContinuousClock.Instant?
    ) async throws(RelayError) -> ReadResult {
        do {
            var result = try await self.next(requests, until: deadline)
            result.askedAt = self.askedAt
            return result
        } catch { throw self.explained(error) }
    }

    @discardableResult
    func commit(_ settlements: [Settlement]) async throws(RelayError) -> [StreamID: RelayError] {
        do { return try await self.store(settlements) } catch { throw self.explained(error) }
    }

    func confirm() async throws(RelayError) {
        do {
            try await self.receiveAhead()
            _ = try await self.connection.query(self.bound(self.statements.lastID))
        } catch { throw self.explained(error) }
    }

    func deferredKeys() async throws(RelayError) -> [StreamID: [UInt64: Int]] {
        do { return try await self.readDeferredKeys() } catch { throw self.explained(error) }
    }

    /// What a failure means for the relay.
    private func explained(_ error: any Error) -> RelayError {
        (error as? LibPQError).map(self.explained) ?? RelayError(explaining: error)
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
