import Outbox

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Messages that wait for a later attempt.
extension StoreConformance {
    static let deferralChecks: [Check] = [
        Check("a message deferred for a time is read when that time is over, and not before") { fixture in
            try await CheckedSession.with(fixture) { session in
                let message = NewMessage(
                    to: .orders, route: "r", key: "k", headers: ["a": "b"], options: MessageOptions(maximumAttempts: 3),
                    text: "content")
                let ids = try await session.enqueueDeferred(fixture, [message]) { _, id in
                    Deferral(id: id, attempts: 2, due: .after(.seconds(3600)), ordered: false, error: "refused")
                }
                try require(try await session.pollDeferred().rows.map(\.id), equals: [], "the messages due at once")
                try await fixture.makeDue()
                let rows = try await session.receiveDeferred()
                try require(rows.map(\.id), equals: ids, "the messages due")
                try Self.compare(rows[0].page, rows[0].row, with: message, id: ids[0])
                try require(rows[0].attempts, equals: 2, "attempts")
                try require(!rows[0].isHeld && !rows[0].isOrdered, "it is neither held nor ordered")
                try require(!rows[0].page.isScheduled(at: rows[0].row), "a deferred message is never scheduled")
                try await session.receiveNothing("a deferred message is not in the log any more")
            }
        },

        Check("a message deferred for a short time becomes due by itself") { fixture in
            try await CheckedSession.with(fixture) { session in
                let ids = try await session.enqueueDeferred(fixture, .numbered(1)) { _, id in
                    Deferral(id: id, attempts: 1, due: .after(.milliseconds(30)), ordered: false, error: nil)
                }
                try require(try await session.receiveDeferred().map(\.id), equals: ids, "the messages due")
            }
        },

        Check("a scheduled message is due at its time") { fixture in
            try await CheckedSession.with(fixture) { session in
                let message = NewMessage(to: .orders, deliverAt: Date() + 3600, text: "later")
                let ids = try await session.enqueueDeferred(fixture, [message]) { _, id in
                    Deferral(id: id, attempts: 0, due: .scheduled, ordered: false, error: nil)
                }
                let (rows, nextDue) = try await session.pollDeferred()
                try require(rows.map(\.id), equals: [], "the messages due at once")
                try Self.requireAnHour(nextDue)
                try await fixture.makeDue()
                try require(try await session.receiveDeferred().map(\.id), equals: ids, "the messages due")
            }
        },

        Check("the session reports when the next deferred message is due") { fixture in
            try await CheckedSession.with(fixture) { session in
                try require(try await session.pollDeferred().nextDue, equals: nil, "the next due of none")
                _ = try await session.enqueueDeferred(fixture, .numbered(3)) { index, id in
                    Deferral(
                        id: id, attempts: 1, due: .after(.seconds([7200, 3600, 10800][index])), ordered: false,
                        error: nil)
                }
                try Self.requireAnHour(try await session.pollDeferred().nextDue)
            }
        },

        Check("a deferred message that is excluded is neither read nor due") { fixture in
            try await CheckedSession.with(fixture) { session in
                let messages = (0..<3).map { _ in NewMessage(to: .orders, key: "k", text: "") }
                let ids = try await session.enqueueDeferred(fixture, messages) { index, id in
                    Deferral(
                        id: id, attempts: 1, due: index == 0 ? .after(.zero) : .behindKey, ordered: true, error: nil)
                }
                let excluded = try await session.pollDeferred(excluding: [ids[0]])
                try require(
                    excluded.rows.map(\.id), equals: [], "the messages read, those behind the excluded one included")
                try require(excluded.nextDue, equals: nil, "the next due of none but an excluded one")
                try require(try await session.receiveDeferred().map(\.id), equals: ids, "the messages due when none is")
            }
        },

        Check("the session reports when another session has changed deferred messages") { fixture in
            try await CheckedSession.with(fixture) { session in
                let ids = try await fixture.enqueue(.numbered(1))
                let pages = try await session.receive(1)
                try await session.settle(through: pages.last) { settlement in
                    settlement.dead = [Death(id: ids[0], attempts: 4, reason: .exhausted, error: "no")]
                }
                let deadline = session.limit
                async let replay: Void = fixture.replay(deadLetter: ids[0])
                while try await !session.read([], until: deadline).deferredChanged {
                    try require(deadline > .now, "a dead letter was replayed, but the session was not told")
                }
                try await replay
                let rows = try await session.receiveDeferred()
                try require(rows.map(\.id), equals: ids, "the messages due")
                try require(rows[0].attempts, equals: 0, "attempts of a message that was replayed")
                try require(try await fixture.deadLetters(), equals: [], "the dead letters")
            }
        },

        Check("what a session changes itself is not reported as a change by another one") { fixture in
            try await CheckedSession.with(fixture) { session in
                _ = try await session.enqueueDeferred(fixture, .numbered(2)) { _, id in
                    Deferral(id: id, attempts: 1, due: .after(.zero), ordered: false, error: nil)
                }
                let rows = try await session.receiveDeferred()
                try await session.settle { $0.deferredDelivered = rows.map(\.id) }
                let result = try await session.read([], until: .now + .milliseconds(20))
                try require(!result.deferredChanged, "a session was told of its own changes")
            }
        },
    ]

    private static func requireAnHour(_ duration: Duration?) throws {
        // As long as a slow machine may have taken since.
        let isAnHour = duration.map { (Duration.seconds(3300)...(.seconds(3660))).contains($0) } ?? false
        try require(isAnHour, "the next deferred message is due in an hour, but the session reported \(duration as Any)")
    }
}
