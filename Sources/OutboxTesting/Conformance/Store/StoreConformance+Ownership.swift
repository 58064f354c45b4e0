import Logging
import Outbox

/// Each stream has one owner, and what a session has goes to others when it ends, or by being handed over.
extension StoreConformance {
    static let ownershipChecks: [Check] = [
        Check("one session owns a stream") { fixture in
            try await SharingSession.with(fixture, [[.orders], [.orders]]) { sessions in
                try require(sessions[0].streams.count, equals: 1, "the streams of the first session")
                try require(sessions[1].streams, equals: [], "the streams of a second one with the same route")
            }
        },

        Check("sessions with different routes work side by side") { fixture in
            try await SharingSession.with(fixture, [[.orders], [.invoices]]) { sessions in
                try await SharingSession.settle(sessions) { $0[0].streams.count == 1 && $0[1].streams.count == 1 }
            }
        },

        Check("sessions with the same routes end with as many streams each") { fixture in
            try await SharingSession.with(fixture, [SharingSession.many, SharingSession.many, SharingSession.many]) {
                sessions in
                try await SharingSession.settle(sessions) { $0.map(\.streams.count).sorted() == [2, 2, 2] }
            }
        },

        Check("a stream that only some sessions have a route for goes to them") { fixture in
            try await SharingSession.with(fixture, [[.orders, .invoices], [.orders, "audit"]]) { sessions in
                try await SharingSession.settle(sessions) { sessions in
                    let all = sessions.flatMap(\.streams)
                    return all.count == 3 && Set(all).count == 3
                }
            }
        },

        Check("what a session has is taken over when it is closed") { fixture in
            try await SharingSession.with(fixture, [[.orders], [.orders]]) { sessions in
                await sessions[0].close()
                try await SharingSession.settle([sessions[1]]) { $0[0].streams.count == 1 }
            }
        },

        Check("what a session has is taken over when it leaves") { fixture in
            try await SharingSession.with(fixture, [[.orders], [.orders]]) { sessions in
                await sessions[0].leave()
                await sessions[0].close()
                try await SharingSession.settle([sessions[1]]) { $0[0].streams.count == 1 }
            }
        },

        Check("a stream that is handed over is read on from where it was committed") { fixture in
            let early = try await fixture.enqueue(SharingSession.many.flatMap { NewMessage.numbered(3, to: $0) })
            try await SharingSession.with(fixture, [SharingSession.many]) { sessions in
                try await sessions[0].receive(early.count)
                let second = try await SharingSession(fixture, SharingSession.many)
                try await second.use {
                    try await SharingSession.settle([sessions[0], second]) { $0.map(\.streams.count) == [3, 3] }
                    let late = try await fixture.enqueue(SharingSession.many.flatMap { NewMessage.numbered(2, to: $0) })
                    try await SharingSession.settle([sessions[0], second]) {
                        $0.flatMap(\.ids).count >= early.count + late.count
                    }
                    try require(
                        (sessions[0].ids + second.ids).sorted(), equals: (early + late).sorted(), "what both have read")
                    try require(second.ids.count, equals: 6, "how many the second one has read")
                }
            }
        },

        Check("a session that is cut off while it hands over leaves what it had not committed") { fixture in
            let ids = try await fixture.enqueue(SharingSession.many.flatMap { NewMessage.numbered(2, to: $0) })
            try await SharingSession.with(fixture, [SharingSession.many]) { sessions in
                let first = sessions[0]
                first.commits = false
                try await first.receive(ids.count)
                let second = try await SharingSession(fixture, SharingSession.many)
                try await second.use {
                    try await SharingSession.settle([first]) { !$0[0].surplus.isEmpty }
                    try require(second.streams, equals: [], "what the second one has before that")
                    try await fixture.cutSessions()
                }
            }
            try await SharingSession.with(fixture, [SharingSession.many]) { sessions in
                try await sessions[0].receive(ids.count)
                try require(sessions[0].ids.sorted(), equals: ids.sorted(), "what a later session has read")
            }
        },

        Check("two sessions that both want everything have each stream once, also of destinations that come") {
            fixture in
            try await SharingSession.with(fixture, [[], []], andOthers: true) { sessions in
                for round in 1...3 {
                    let names = (1...4).map { Destination("d\(round).\($0)") }
                    _ = try await fixture.enqueue(names.flatMap { NewMessage.numbered(1, to: $0) })
                    try await SharingSession.settle(sessions) { sessions in
                        let all = sessions.flatMap(\.streams)
                        return all.count == 4 * round && Set(all).count == all.count
                            && sessions.allSatisfy { $0.streams.count == 2 * round }
                    }
                }
            }
        },

        Check("relays that come and go lose nothing, repeat nothing and keep the order of keys") { fixture in
            try await RelaysAtWork(fixture).run()
        },

        Check("what a session is asked after it was cut off fails and can be tried again with another") { fixture in
            _ = try await fixture.enqueue(.numbered(1))
            try await CheckedSession.with(fixture) { session in
                let pages = try await session.receive(1)
                try await fixture.cutSessions()
                try await Self.expectRetriable("a read") {
                    _ = try await session.read([], until: session.limit)
                }
                try await Self.expectRetriable("a confirmation") { try await session.confirm() }
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
