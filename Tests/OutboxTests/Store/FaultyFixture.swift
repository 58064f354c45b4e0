import Logging
import Outbox
import OutboxTesting
import Synchronization

/// A fixture whose store has a fault, or none.
struct FaultyFixture: StoreFixture {
    private let inner = InMemoryFixture()
    private let faulty: FaultyStore
    let fault: Fault?

    init(_ fault: Fault?) {
        self.fault = fault
        self.faulty = FaultyStore(store: self.inner.store, fault: fault)
    }

    /// Another with the same fault.
    func fresh() -> FaultyFixture { FaultyFixture(self.fault) }

    var store: any RelayStore { self.faulty }
    // What a faulty store does not do at all need not be waited for.
    var patience: Duration { self.fault == nil ? .seconds(60) : .milliseconds(300) }
    var rounds: Int { 100 }

    func enqueue(_ messages: [NewMessage]) async throws -> [Int64] { try await self.inner.enqueue(messages) }
    func deferred() async throws -> [DeferredSnapshot] { try await self.inner.deferred() }
    func deadLetters() async throws -> [DeadLetterSnapshot] { try await self.inner.deadLetters() }
    func makeDue() async throws { try await self.inner.makeDue() }
    func replay(deadLetter id: Int64) async throws { try await self.inner.replay(deadLetter: id) }
    func split(_ destination: Destination) async throws { try await self.inner.split(destination) }
    func cutSessions() async throws { try await self.inner.cutSessions() }

    func begin() async throws -> any FixtureTransaction {
        Transaction(inner: try await self.inner.begin(), fixture: self)
    }

    private struct Transaction: FixtureTransaction {
        let inner: any FixtureTransaction
        let fixture: FaultyFixture

        func enqueue(_ messages: [NewMessage]) async throws -> [Int64] {
            if self.fixture.fault == .showsUncommitted { return try await self.fixture.enqueue(messages) }
            return try await self.inner.enqueue(messages)
        }

        func commit() async throws { try await self.inner.commit() }

        func rollback() async throws {
            if self.fixture.fault == .commitsRollbacks { return try await self.inner.commit() }
            try await self.inner.rollback()
        }
    }
}

/// A store whose sessions have a fault.
final class FaultyStore: RelayStore {
    let store: any RelayStore
    let fault: Fault?
    /// The highest id read so far, of each destination.
    let highest = Mutex<[Destination: Int64]>([:])
    private let kept = Mutex<[any RelaySession]>([])
    private let streams = Mutex<[AttachedStream]>([])

    /// Streams were attached by a session.
    func note(_ streams: [AttachedStream]) { self.streams.withLock { $0 += streams } }

    /// The streams of some destinations that sessions have attached.
    func known(_ destinations: [Destination]) -> [AttachedStream] {
        self.streams.withLock { $0 }.filter { destinations.contains($0.destination) }
    }

    init(store: any RelayStore, fault: Fault?) {
        self.store = store
        self.fault = fault
    }

    func openSession(subscription: String, logger: Logger) async throws -> any RelaySession {
        let name = self.fault == .mixesSubscriptions ? "main" : subscription
        let session = try await self.store.openSession(subscription: name, logger: logger)
        if self.fault == .keepsOwnership { self.kept.withLock { $0.append(session) } }
        return FaultySession(session, store: self)
    }
}
