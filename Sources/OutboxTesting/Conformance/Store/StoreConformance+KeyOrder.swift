import Outbox

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension StoreConformance {
    static let keyOrderChecks: [Check] = [
        Check("a message waits behind the first of its key, and is read with it in order") { fixture in
            try await CheckedSession.with(fixture) { session in
                let ids = try await Self.enqueueQueue(fixture, session, 3)
                let waiting = try await fixture.deferred().filter { $0.nextAttemptAt == nil }.map(\.id)
                try require(waiting, equals: Array(ids.dropFirst()), "the messages without a due time")
                try require(try await session.pollDeferred().rows.map(\.id), equals: [], "the messages due at once")
                try await fixture.makeDue()
                let rows = try await session.receiveDeferred()
                try require(rows.map(\.id), equals: ids, "the key's queue")
                try require(rows.allSatisfy { $0.isOrdered && !$0.isHeld }, "all are ordered, none is held")
            }
        },

        Check("the first waiting message of a touched key is due when those before it are delivered") { fixture in
            try await CheckedSession.with(fixture) { session in
                let ids = try await Self.enqueueQueue(fixture, session, 3)
                try await fixture.makeDue()
                for id in ids {
                    let rows = try await session.receiveDeferred(messages: 1)
                    try require(rows.map(\.id), equals: [id], "the next message of the key")
                    try await session.settle { settlement in
                        settlement.deferredDelivered = [id]
                        settlement.keys = ["k"]
                    }
                }
                try require(try await fixture.deferred(), equals: [], "the deferred messages")
            }
        },

        Check("a message that waits is not due before its key is touched") { fixture in
            try await CheckedSession.with(fixture) { session in
                let ids = try await session.enqueueDeferred(fixture, [NewMessage(to: .orders, key: "k", text: "1")]) {
                    _, id in Deferral(id: id, attempts: 1, due: .after(.seconds(3600)), ordered: true, error: nil)
                }
                let more = try await fixture.enqueue(.numbered(1, key: "k"))
                let pages = try await session.receive(1)
                try await session.settle(through: pages.last) { settlement in
                    settlement.deferred = [
                        Deferral(id: more[0], attempts: 0, due: .behindKey, ordered: true, error: nil)
                    ]
                    settlement.keys = ["k"]
                }
                let due = try await fixture.deferred().map { $0.nextAttemptAt != nil }
                try require(due, equals: [true, false], "whether \(ids + more) have a due time")
                try require(
                    try await session.pollDeferred().rows.map(\.id), equals: [],
                    "the messages due when a key was touched whose first message has a due time")
            }
        },

        Check("a key whose first message fails again holds up those behind it, and no other key") { fixture in
            try await CheckedSession.with(fixture) { session in
                let ids = try await Self.enqueueQueue(fixture, session, 2)
                let other = try await session.enqueueDeferred(fixture, .numbered(1, key: "other")) { _, id in
                    Deferral(id: id, attempts: 1, due: .after(.seconds(3600)), ordered: true, error: nil)
                }
                try await fixture.makeDue()
                let rows = try await session.receiveDeferred()
                try require(rows.map(\.id), equals: ids + other, "the messages due")
                // As a relay does: the second stays as it is and is not mentioned.
                try await session.settle { settlement in
                    settlement.deferredAgain = [
                        Deferral(id: ids[0], attempts: 2, due: .after(.seconds(3600)), ordered: true, error: "no")
                    ]
                    settlement.deferredDelivered = other
                    settlement.keys = ["other"]
                }
                try require(try await session.pollDeferred().rows.map(\.id), equals: [], "the messages due")
                try await fixture.makeDue()
                try require(try await session.receiveDeferred().map(\.id), equals: ids, "the key's queue")
            }
        },

        Check("a message whose time comes is held while an earlier one of its key waits") { fixture in
            try await CheckedSession.with(fixture) { session in
                let first = try await session.enqueueDeferred(fixture, .numbered(1, key: "k")) { _, id in
                    Deferral(id: id, attempts: 1, due: .after(.seconds(3600)), ordered: true, error: nil)
                }
                let scheduled = ["k", "l"].map { NewMessage(to: .orders, key: $0, text: "") }
                let others = try await session.enqueueDeferred(fixture, scheduled) { _, id in
                    Deferral(id: id, attempts: 0, due: .after(.zero), ordered: false, error: nil)
                }
                let rows = try await session.receiveDeferred()
                try require(rows.map(\.id), equals: others, "the messages due")
                try require(rows.map(\.isHeld), equals: [true, false], "whether they are held")
                try await session.settle { settlement in
                    settlement.deferredAgain = [
                        Deferral(id: others[0], attempts: 0, due: .behindKey, ordered: true, error: nil)
                    ]
                    settlement.deferredDelivered = [others[1]]
                    settlement.keys = ["k"]
                }
                try await fixture.makeDue()
                let queue = try await session.receiveDeferred()
                try require(queue.map(\.id), equals: [first[0], others[0]], "the key's queue")
                try require(queue.map(\.isOrdered), equals: [true, true], "whether they are ordered")
            }
        },

        Check("ordered deferred messages are counted by key") { fixture in
            try await CheckedSession.with(fixture) { session in
                let messages = ["k", "l", "k", "m"].map { NewMessage(to: .orders, key: $0, text: "") }
                let ids = try await fixture.enqueue(messages)
                let pages = try await session.receive(4)
                var hashes: [String: UInt64] = [:]
                for page in pages {
                    for row in 0..<page.count { hashes[page.text(.key, at: row) ?? ""] = page.keyHash(at: row) }
                }
                try require(Set(hashes.values).count, equals: 3, "different hashes of three keys")
                try await session.settle(through: pages.last) { settlement in
                    settlement.deferred = ids.enumerated().map { index, id in
                        Deferral(id: id, attempts: 1, due: .after(.seconds(3600)), ordered: index < 3, error: nil)
                    }
                    settlement.keys = ["k", "l"]
                }
                let expected = [hashes["k"]!: 2, hashes["l"]!: 1]
                let stream = try session.stream(.orders)
                try require(try await session.deferredKeys()[stream] ?? [:], equals: expected, "the keys' counts")
                await session.close()
                try await CheckedSession.with(fixture) { next in
                    try require(next.attached[0].deferredKeys, equals: expected, "the counts of an attached stream")
                }
            }
        },
    ]

    /// Defers messages of the key "k": the first for an hour, the others behind it.
    private static func enqueueQueue(
        _ fixture: any StoreFixture, _ session: CheckedSession, _ count: Int
    ) async throws -> [Int64] {
        try await session.enqueueDeferred(fixture, .numbered(count, key: "k")) { index, id in
            Deferral(
                id: id, attempts: index == 0 ? 1 : 0, due: index == 0 ? .after(.seconds(3600)) : .behindKey,
                ordered: true, error: nil)
        }
    }
}
