import Logging
import Outbox
import OutboxSQL

/// Which streams are the session's. One lock stands for all streams of a subscription: the session that holds it has all of them, every
/// other one has none.
///
/// Everything else works with the streams of ``StreamTable``, which has those that this says are the session's, whichever they are.
struct Ownership {
    /// The session that has the lock.
    struct Owner {
        let process: Int32
        let role: String
        let application: String
        let isRelay: Bool
    }

    /// Whether the session has the lock, which it has until it ends.
    private(set) var hasLock = false
    private var told: (process: Int32, at: ContinuousClock.Instant)?

    /// Whether a stream of the session's subscription is the session's.
    func owns(_ stream: StreamState) -> Bool { self.hasLock }

    /// The lock was tried.
    mutating func tried(isGranted: Bool) { self.hasLock = isGranted }

    /// Whether to tell who has the lock: once, and again when it is another session; if it is no relay, every minute.
    mutating func tells(of owner: Owner, now: ContinuousClock.Instant) -> Bool {
        if let told = self.told, told.process == owner.process {
            if owner.isRelay || now - told.at < .seconds(60) { return false }
        }
        self.told = (owner.process, now)
        return true
    }
}

extension PostgresSession {
    /// Tries to get the streams, without waiting; see ``/Outbox/RelaySession/acquire()``.
    func takeOwnership() async throws(LibPQError) -> Bool {
        let results = try await self.connection.pipeline([
            self.sameLog, self.bound(self.statements.own, [self.lockKey, .text(self.subscription)]),
        ])
        self.ownership.tried(isGranted: try results[1][0].decode(0, as: Bool.self))
        if !self.ownership.hasLock { try await self.tellOwner() }
        return self.ownership.hasLock
    }

    private func tellOwner() async throws(LibPQError) {
        let result = try await self.connection.query(
            LibPQStatement(
                self.statements.lockOwner.text, [.int8(Int64(self.logID)), .text(self.subscription)]))
        guard let row = result.first else { return }
        let owner = Ownership.Owner(
            process: try row.decode(0), role: try row.decode(1, as: String?.self) ?? "",
            application: ActivityReport.reading(try row.decode(2, as: String?.self) ?? "").name,
            isRelay: try row.decode(3))
        if !self.ownership.tells(of: owner, now: self.clock.now) { return }
        let metadata: Logger.Metadata = [
            "outbox.process": "\(owner.process)", "outbox.role": "\(owner.role)",
            "outbox.application": "\(owner.application)",
        ]
        if owner.isRelay {
            self.logger.info("The session of the relay that owns the outbox", metadata: metadata)
        } else {
            self.logger.error(
                """
                A session that is no relay holds the lock by which one relay works, so nothing is delivered; SELECT \
                pg_terminate_backend(\(owner.process)) ends it
                """, metadata: metadata)
        }
    }
}
