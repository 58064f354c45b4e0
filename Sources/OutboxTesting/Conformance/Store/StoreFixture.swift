public import Outbox

/// An empty store for one check, and what the check does to it apart from what a relay does.
///
/// Every check wants a fixture of its own. All of it concerns the subscription "main".
public protocol StoreFixture: Sendable {
    /// The store to be checked.
    var store: any RelayStore { get }

    /// How long a check waits for what should happen at once, before it calls that a failure. Default a minute: a machine
    /// with much else to do may take seconds, and a wake-up that is lost stays lost. Only a failure takes so long.
    var patience: Duration { get }

    /// How often a race is run: a commit against a relay that falls asleep. Default 2,000.
    var rounds: Int { get }

    /// Enqueues messages in one transaction and commits it.
    ///
    /// - Returns: Their ids, in the order of the messages.
    func enqueue(_ messages: [NewMessage]) async throws -> [Int64]

    /// Begins a transaction that stays open while others commit.
    func begin() async throws -> any FixtureTransaction

    /// The deferred messages, by id.
    func deferred() async throws -> [DeferredSnapshot]

    /// The dead letters, by id.
    func deadLetters() async throws -> [DeadLetterSnapshot]

    /// Makes every deferred message that has a due time due now. Those that wait behind their key go on waiting.
    func makeDue() async throws

    /// Turns a dead letter into a deferred message that is due now and was never tried, as an operator would: not
    /// through a session.
    func replay(deadLetter id: Int64) async throws

    /// Makes two streams of one of a destination, each with some of its slots and the stored cursor: not through a session.
    func split(_ destination: Destination) async throws

    /// Breaks the open sessions, without their help.
    func cutSessions() async throws
}

extension StoreFixture {
    /// A minute.
    public var patience: Duration { .seconds(60) }

    /// 2,000.
    public var rounds: Int { 2000 }
}

/// A transaction of a ``StoreFixture`` that a check ends when it likes. The ids are drawn when messages are enqueued.
public protocol FixtureTransaction: Sendable {
    /// Enqueues messages that become visible at the commit.
    func enqueue(_ messages: [NewMessage]) async throws -> [Int64]

    /// Makes what was enqueued visible.
    func commit() async throws

    /// Forgets what was enqueued.
    func rollback() async throws
}
