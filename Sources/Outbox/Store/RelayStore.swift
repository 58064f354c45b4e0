public import Logging

/// What a relay reads from and settles in: the only thing that the core knows of a database.
///
/// `OutboxPostgres` has the one for production, `OutboxTesting` one in memory. Both pass the same conformance suite.
public protocol RelayStore: Sendable {
    /// Opens a session for a subscription. A relay holds one at a time.
    ///
    /// - Throws: ``RelayError`` with the code for what happened, by which the relay tries again or ends. Any other error ends it with
    ///   ``RelayError/Code/unexpected``.
    func openSession(subscription: String, logger: Logger) async throws -> any RelaySession
}

/// One relay's connection to its store.
///
/// An actor on which the relay's own loop runs too, so that a wake-up costs no change of thread: a store whose connection has an
/// executor of its own gives it to its sessions. The relay calls one method after the other; only ``wake()``, and ``close()`` at the
/// end of the time that a relay has to end, come while another call waits.
///
/// What its methods throw is a ``RelayError``, as from ``RelayStore/openSession(subscription:logger:)``.
public protocol RelaySession: Actor {
    /// Joins the relays of the subscription, finds the destinations' streams, and creates those that do not exist.
    ///
    /// Relays share the streams for which they have routes, as many each, without waiting for each other: a session takes what no other
    /// one has and is its share, which may be nothing. Ownership ends with the session, or with ``release(_:)``. Only a stream's owner can
    /// read it and commit what was read.
    ///
    /// Called once. From then on ``read(_:until:)`` tells of streams that come and go: when other relays join and leave, and when
    /// a stream is changed by others so that it is not read as before, such as by being split, by which it goes, and comes again.
    ///
    /// - Parameters:
    ///   - destinations: Those that the relay has a route for.
    ///   - andOthers: Whether to attach the streams of all other destinations that there are messages for too, also of those that come
    ///     later.
    ///   - position: Where streams begin that do not exist. A destination that comes later, and that the relay has no route of its own for,
    ///     begins with its first message.
    ///   - interval: How often to look what other relays have and leave, while there are any.
    func attach(
        _ destinations: [Destination], andOthers: Bool, from position: FirstPosition, lookingEvery interval: Duration
    ) async throws -> [AttachedStream]

    /// Gives up streams: those that a read has called surplus, with nothing of them on its way and everything committed; and those that it
    /// has called detached, when no handler is called with their messages any more. Others may take them from now on, and this
    /// session too.
    func release(_ streams: [StreamID]) async throws

    /// Returns the next pages as soon as there is one, or else when the session is woken or the deadline has come.
    ///
    /// What was read of the log before is not read again in the same session, settled or not, as long as its stream stays attached. A
    /// session that has nothing to read sleeps without a timer, until a producer's commit wakes it.
    ///
    /// - Parameters:
    ///   - requests: What to read; nothing is read of a stream that is not mentioned. If empty, only waits.
    ///   - deadline: When to return at the latest; nil: no limit.
    func read(_ requests: [ReadRequest], until deadline: ContinuousClock.Instant?) async throws -> ReadResult

    /// Makes the outcomes of finished pages durable: moves cursors, inserts, updates and removes deferred messages and
    /// dead letters, of each stream all or nothing.
    ///
    /// What is of a stream that is not the session's any more, which the relay may not have been told yet, does not move its cursor: its
    /// messages are read again.
    ///
    /// - Returns: The streams of which nothing was made durable although the session goes on, and why: the store has refused it,
    ///   or another session keeps what it needs locked. The relay brings the same settlement again later, and nothing else of that
    ///   stream before. What is of no other stream is durable.
    @discardableResult
    func commit(_ settlements: [Settlement]) async throws -> [StreamID: RelayError]

    /// Asks the store something, whatever it is. A session that is over throws.
    ///
    /// Called when nothing was asked for a while, before handlers are called with what was read: a process may have been stopped
    /// meanwhile, and another session have its streams. The default does nothing: for stores whose sessions end with their process alone.
    func confirm() async throws

    /// The keys for which ordered deferred messages exist now. Called when a ``ReadResult`` says that
    /// another session has changed them.
    func deferredKeys() async throws -> [StreamID: [UInt64: Int]]

    /// Tells what the relay is doing with its streams, before each ``read(_:until:)``. A store may show it to
    /// observers, as long as that costs nothing for a message. The default does nothing.
    func note(_ activity: [StreamID: StreamActivity])

    /// Makes the current or the next ``read(_:until:)`` return without waiting. From any thread.
    nonisolated func wake()

    /// Gives up all streams, and tells other relays so. Nothing is read or committed after it.
    func leave() async

    /// Gives up ownership and closes the session.
    func close() async
}

extension RelaySession {
    /// Attaches the streams of some destinations, and of no others.
    package func attach(_ destinations: [Destination]) async throws -> [AttachedStream] {
        try await self.attach(destinations, andOthers: false, from: .startOfLog, lookingEvery: .seconds(1))
    }

    /// Does nothing: such a session ends with its process alone.
    public func confirm() async throws {}

    /// Does nothing: other relays of such a store find out by themselves.
    public func leave() async {}

    /// Does nothing: such a store shows no activity.
    public func note(_ activity: [StreamID: StreamActivity]) {}
}

/// A stream that a session owns.
public struct AttachedStream: Sendable {
    /// The stream's number.
    package let id: StreamID
    /// The destination that it is for.
    package let destination: Destination
    /// Hashes of the keys of its ordered deferred messages, and how many each has.
    package let deferredKeys: [UInt64: Int]
    /// What was last noted of processes that ended before they had finished anything.
    package let start: StreamStart

    /// Creates the description of a stream.
    ///
    /// - Parameters:
    ///   - id: The stream's number.
    ///   - destination: The destination that it is for.
    ///   - deferredKeys: Hashes of the keys of its ordered deferred messages, and how many each has.
    ///   - start: What was last noted of processes that ended before they had finished anything.
    public init(
        id: StreamID, destination: Destination, deferredKeys: [UInt64: Int], start: StreamStart = StreamStart()
    ) {
        self.id = id
        self.destination = destination
        self.deferredKeys = deferredKeys
        self.start = start
    }
}

/// What to read of one stream.
public struct ReadRequest: Sendable, Hashable {
    /// The stream.
    public var stream: StreamID
    /// At most that many messages of the log; 0 for none.
    public var messages: Int
    /// A page ends with the message that reaches that many bytes of payload and headers.
    public var bytes: Int
    /// Whether to read the deferred messages that are due, and to say at once when the next one is. Not asked for again
    /// before a page of them that was returned has been committed.
    public var deferred: Bool
    /// Deferred messages that are not read although they are due, nor said to be: a handler is working on them.
    public var excluding: [Int64]
    /// Whether there is room for another such page of the log after this one: a store that knows of more messages may begin to
    /// read them before it is asked, so that it has them when it is.
    public var hasRoomForMore: Bool

    /// Creates a request.
    package init(
        stream: StreamID, messages: Int, bytes: Int, deferred: Bool, excluding: [Int64] = [],
        hasRoomForMore: Bool = false
    ) {
        self.stream = stream
        self.messages = messages
        self.bytes = bytes
        self.deferred = deferred
        self.excluding = excluding
        self.hasRoomForMore = hasRoomForMore
    }
}

/// What a read has brought.
public struct ReadResult: Sendable {
    /// The pages, none of them empty. Of one stream, in the order in which they are to be delivered.
    package var pages: [any MessagePage]
    /// Streams that the session has got, to be read from now on. None of them has a page in the same result.
    package var attached: [AttachedStream]
    /// Streams that the session has lost. What was read of them and is not committed is dropped. After ``RelaySession/release(_:)`` a later
    /// result may attach a stream of the same number again, which is read from its stored cursor.
    package var detached: [StreamID]
    /// Streams that are for other relays. The relay reads nothing more of them, finishes what it has begun, commits and releases them; one
    /// that it cannot finish soon it keeps, and is told of it again later.
    package var surplus: [StreamID]
    /// For the streams whose deferred messages were asked for and looked at: how long until the next is due; nil: there is none, or
    /// the stream is paused. What was asked of a stream that is not here is asked again: a store may return before it has looked.
    package var nextDue: [StreamID: Duration?]
    /// When something was asked that the store has answered since; nil: it is asked again before handlers are called, by
    /// ``RelaySession/confirm()``.
    package var askedAt: ContinuousClock.Instant?
    /// Whether another session has changed deferred messages.
    package var deferredChanged: Bool
    /// Whether everything that was asked for was looked at, and there is nothing: a store may return before it has looked, or look at
    /// a part at a time. A relay that delivers one message at a time after crashes goes on doing that until it is.
    package var lookedAtEverything: Bool

    /// Creates a result.
    ///
    /// - Parameters:
    ///   - pages: The pages, none of them empty. Of one stream, in the order in which they are to be delivered.
    ///   - nextDue: For the streams whose deferred messages were asked for and looked at: how long until the next is due; nil: there is
    ///     none, or the stream is paused. What was asked of a stream that is not here is asked again.
    ///   - deferredChanged: Whether another session has changed deferred messages.
    ///   - lookedAtEverything: Whether everything that was asked for was looked at, and there is nothing.
    ///   - attached: Streams that the session has got.
    ///   - detached: Streams that the session has lost.
    ///   - surplus: Streams that are for other relays.
    ///   - askedAt: When something was asked that the store has answered since; nil: it is asked again before handlers are called, where
    ///     that is not known from a commit.
    public init(
        pages: [any MessagePage] = [], nextDue: [StreamID: Duration?] = [:], deferredChanged: Bool = false,
        lookedAtEverything: Bool = false, attached: [AttachedStream] = [], detached: [StreamID] = [],
        surplus: [StreamID] = [], askedAt: ContinuousClock.Instant? = nil
    ) {
        self.askedAt = askedAt
        self.pages = pages
        self.attached = attached
        self.detached = detached
        self.nextDue = nextDue
        self.deferredChanged = deferredChanged
        self.lookedAtEverything = lookedAtEverything
        self.surplus = surplus
    }
}
