import Logging
import Outbox

/// A session as the checks use it: every call comes back in time, and every result
/// is looked at for what must never be.
struct CheckedSession: Sendable {
    let session: any RelaySession
    let attached: [AttachedStream]
    let patience: Duration

    // MARK: - Opening

    /// Runs a closure with a session that has the destinations' streams.
    static func with<Result>(
        _ fixture: any StoreFixture, _ destinations: [Destination] = [.orders], subscription: String = "main",
        from position: FirstPosition = .startOfLog, _ body: (CheckedSession) async throws -> Result
    ) async throws -> Result {
        let session = try await self.open(fixture, destinations, subscription: subscription, from: position)
        do {
            let result = try await body(session)
            await session.close()
            return result
        } catch {
            await session.close()
            throw error
        }
    }

    /// Opens a session, and waits until it has the destinations' streams: the one before may not have lost them yet.
    static func open(
        _ fixture: any StoreFixture, _ destinations: [Destination] = [.orders], subscription: String = "main",
        from position: FirstPosition = .startOfLog
    ) async throws -> CheckedSession {
        let session = try await fixture.store.openSession(
            subscription: subscription, logger: Logger(label: "outbox.conformance"))
        do {
            let deadline = ContinuousClock.now + fixture.patience
            var attached = try await session.attach(
                destinations, andOthers: false, from: position, lookingEvery: .milliseconds(5))
            while Set(attached.map(\.destination)) != Set(destinations) {
                try require(deadline > .now, "no other session has the streams, but a session has not got them")
                attached += try await session.read([], until: deadline).attached
            }
            try require(Set(attached.map(\.id)).count, equals: attached.count, "how many ids the attached streams have")
            return CheckedSession(session: session, attached: attached, patience: fixture.patience)
        } catch {
            await session.close()
            throw error
        }
    }

    /// The stream of a destination.
    func stream(_ destination: Destination) throws -> StreamID {
        guard let stream = self.attached.first(where: { $0.destination == destination }) else {
            throw ConformanceFailure("\(destination) has no stream")
        }
        return stream.id
    }

    /// How long a read may wait at most.
    var limit: ContinuousClock.Instant { .now + self.patience }

    // MARK: - Calls

    func read(_ requests: [ReadRequest], until deadline: ContinuousClock.Instant) async throws -> ReadResult {
        let result = try await withThrowingTaskGroup(of: ReadResult?.self) { group in
            group.addTask { try await self.session.read(requests, until: deadline) }
            group.addTask {
                try await Task.sleep(until: deadline + self.patience, clock: .continuous)
                return nil
            }
            defer { group.cancelAll() }
            guard let result = try await group.next()?.flatMap({ $0 }) else {
                throw ConformanceFailure("a read has not returned \(self.patience) after its deadline")
            }
            return result
        }
        for page in result.pages { try Self.verify(page, requests) }
        return result
    }

    func commit(_ settlements: [Settlement]) async throws {
        let refused = try await self.session.commit(settlements)
        try require(refused.isEmpty, "a commit was refused: \(refused.values.map(\.message))")
    }

    func confirm() async throws { try await self.session.confirm() }

    func deferredKeys() async throws -> [StreamID: [UInt64: Int]] {
        try await self.session.deferredKeys()
    }

    func close() async {
        await self.session.close()
    }

    private static func verify(_ page: any MessagePage, _ requests: [ReadRequest]) throws {
        try require(page.count > 0, "a page is empty")
        try require(
            requests.contains { $0.stream == page.stream }, "a page of stream \(page.stream) was not asked for")
        let ids = page.ids
        try require(zip(ids, ids.dropFirst()).allSatisfy(<), "the ids of a page do not ascend: \(ids)")
        let payloads = (0..<page.count).reduce(0) { $0 + page.payload(at: $1).count }
        let headers = (0..<page.count).reduce(0) { $0 + (page.text(.headers, at: $1)?.utf8.count ?? 0) }
        // Headers count in the form in which they are stored.
        try require(
            (payloads...(payloads + 2 * headers)).contains(page.byteCount)
                && (headers == 0 || page.byteCount > payloads),
            "a page of \(payloads) bytes of payloads and \(headers) of headers counts as \(page.byteCount)")
    }
}
