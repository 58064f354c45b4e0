import Outbox

/// A session that is looked at, or changed, from outside.
actor WatchedSession: RelaySession {
    private let session: any RelaySession
    private let onRead: @Sendable (inout ReadResult) -> Void
    private let onConfirm: @Sendable () throws -> Void
    private let onNote: @Sendable () -> Void

    init(
        _ session: any RelaySession, onRead: @escaping @Sendable (inout ReadResult) -> Void = { _ in },
        onConfirm: @escaping @Sendable () throws -> Void = {}, onNote: @escaping @Sendable () -> Void = {}
    ) {
        self.session = session
        self.onRead = onRead
        self.onConfirm = onConfirm
        self.onNote = onNote
    }

    func read(_ requests: [ReadRequest], until deadline: ContinuousClock.Instant?) async throws -> ReadResult {
        var result = try await self.session.read(requests, until: deadline)
        self.onRead(&result)
        return result
    }

    func confirm() async throws {
        try self.onConfirm()
        try await self.session.confirm()
    }

    func note(_ activity: [StreamID: StreamActivity]) { self.onNote() }

    func attach(
        _ destinations: [Destination], andOthers: Bool, from position: FirstPosition, lookingEvery interval: Duration
    ) async throws -> [AttachedStream] {
        try await self.session.attach(destinations, andOthers: andOthers, from: position, lookingEvery: interval)
    }

    func commit(_ settlements: [Settlement]) async throws -> [StreamID: RelayError] {
        try await self.session.commit(settlements)
    }

    func release(_ streams: [StreamID]) async throws { try await self.session.release(streams) }

    func deferredKeys() async throws -> [StreamID: [UInt64: Int]] { try await self.session.deferredKeys() }

    nonisolated func wake() { self.session.wake() }

    func leave() async { await self.session.leave() }

    func close() async { await self.session.close() }
}
