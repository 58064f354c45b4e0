import Logging
import Outbox

/// One session owns the streams, and another takes over.
extension StoreConformance {
    static let ownershipChecks: [Check] = [
        Check("one session owns a subscription") { fixture in
            try await CheckedSession.with(fixture) { _ in
                let second = try await fixture.store.openSession(
                    subscription: "main", logger: Logger(label: "outbox.conformance"))
                do {
                    let isOwner = try await second.acquire()
                    try require(!isOwner, "two sessions own one subscription")
                } catch {
                    await second.close()
                    throw error
                }
                await second.close()
            }
        },

        Check("ownership is handed over when a session is closed") { fixture in
            let first = try await CheckedSession.open(fixture)
            await first.close()
            // Opening waits for ownership, and throws when it does not come.
            try await CheckedSession.with(fixture) { _ in }
        },

        Check("what a session is asked after it was cut off fails and can be tried again with another") { fixture in
            _ = try await fixture.enqueue(.numbered(1))
            try await CheckedSession.with(fixture) { session in
                let pages = try await session.receive(1)
                try await fixture.cutSessions()
                try await Self.expectRetriable("a read") {
                    _ = try await session.read([], until: session.limit)
                }
                try await Self.expectRetriable("a commit") {
                    try await session.settle(through: pages.last)
                }
            }
            try await CheckedSession.with(fixture) { session in _ = try await session.receive(1) }
        },

        Check("a read that waits fails when its session is cut off") { fixture in
            try await CheckedSession.with(fixture) { session in
                let request = ReadRequest(
                    stream: try session.stream(.orders), messages: 10, bytes: 1 << 20, deferred: false)
                let limit = session.limit
                async let read = session.read([request], until: limit)
                try await fixture.cutSessions()
                do {
                    _ = try await read
                } catch let error as RelayError where error.isRetriable {
                    return
                }
                throw ConformanceFailure("a read went on after its session was cut off")
            }
        },

        Check("the commit of a session that was cut off changes nothing") { fixture in
            let ids = try await fixture.enqueue(.numbered(5))
            try await CheckedSession.with(fixture) { session in
                let pages = try await session.receive(5)
                try await fixture.cutSessions()
                try? await session.settle(through: pages.last) { settlement in
                    settlement.dead = [Death(id: ids[0], attempts: 1, reason: .rejected, error: nil)]
                    settlement.deferred = [
                        Deferral(id: ids[1], attempts: 1, due: .after(.zero), ordered: false, error: nil)
                    ]
                }
            }
            try require(try await fixture.deadLetters(), equals: [], "the dead letters")
            try require(try await fixture.deferred(), equals: [], "the deferred messages")
            try await CheckedSession.with(fixture) { session in
                try require(try await session.receive(5).ids, equals: ids, "the messages read by the next session")
            }
        },
    ]

    private static func acquire(_ session: any RelaySession, _: isolated any Actor) async throws -> Bool {
        try await session.acquire()
    }

    private static func expectRetriable(_ what: String, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as RelayError {
            try require(error.isRetriable, "\(what) of a session that was cut off failed, but not retriably: \(error)")
            return
        }
        throw ConformanceFailure("\(what) of a session that was cut off succeeded")
    }
}
