import Outbox

/// Where a subscription begins with a destination of which it has no stream.
extension StoreConformance {
    static let firstPositionChecks: [Check] = [
        Check("a stream that begins now has nothing of what had been committed, and all that is committed later") {
            fixture in
            _ = try await fixture.enqueue(.numbered(3))
            let late = try await fixture.begin()
            let lateIDs = try await late.enqueue(.numbered(2))
            let rolledBack = try await fixture.begin()
            _ = try await rolledBack.enqueue(.numbered(1))
            _ = try await fixture.enqueue(.numbered(2))
            var ids: [Int64] = []
            try await CheckedSession.with(fixture, from: .now) { session in
                try await session.receiveNothing("nothing has been committed since")
                ids = try await fixture.enqueue(.numbered(2))
                try require(try await session.receive(2).ids, equals: ids, "what was read")
            }
            try await rolledBack.rollback()
            try await late.commit()
            try await CheckedSession.with(fixture, from: .now) { session in
                let pages = try await session.receive(4)
                try require(pages.ids, equals: lateIDs + ids, "what the next session has read")
                try await session.settle(through: pages.last)
                try await session.receiveNothing("all has been read")
            }
            try await CheckedSession.with(fixture, from: .now) { session in
                try await session.receiveNothing("all has been settled")
            }
        },

        Check("a subscription that begins now leaves others as they are") { fixture in
            let ids = try await fixture.enqueue(.numbered(3))
            try await CheckedSession.with(fixture, subscription: "second", from: .now) { session in
                try await session.receiveNothing("the second subscription begins now")
            }
            try await CheckedSession.with(fixture) { session in
                try require(try await session.receive(3).ids, equals: ids, "what the first subscription has read")
            }
        },

        Check("a stream that there is does not begin elsewhere") { fixture in
            let ids = try await fixture.enqueue(.numbered(3))
            try await CheckedSession.with(fixture) { session in _ = try await session.receive(3) }
            try await CheckedSession.with(fixture, from: .now) { session in
                try require(try await session.receive(3).ids, equals: ids, "what was read of a stream that there was")
            }
            try await CheckedSession.with(fixture, subscription: "second", from: .now) { _ in }
            try await CheckedSession.with(fixture, subscription: "second", from: .startOfLog) { session in
                try await session.receiveNothing("the stream had begun where all was read")
            }
        },

        Check("of all destinations, one that comes later begins with its first message where others begin now") {
            fixture in
            _ = try await fixture.enqueue(.numbered(3))
            let first = try await OpenSession(fixture, [], andOthers: true, from: .now)
            try await first.use {
                let whole = first.streams
                let ids = try await fixture.enqueue(.numbered(2, to: .invoices))
                let stream = try await first.attached(1)[0]
                try require(try await first.receive(2, of: [stream.id]).ids, equals: ids, "what was read of it")
                let more = try await fixture.enqueue(.numbered(1))
                try require(try await first.receive(1, of: whole).ids, equals: more, "what was read of the other one")
            }
            // What came while no session was there is of a subscription that there is.
            let refunds = Destination("refunds")
            let ids = try await fixture.enqueue(.numbered(2, to: refunds))
            let second = try await OpenSession(fixture, [.orders, .invoices], andOthers: true, from: .now)
            try await second.use {
                try await second.owns(3)
                // Two of invoices and one of orders were not settled.
                let pages = try await second.receive(5, of: second.streams)
                try require(Set(pages.ids).isSuperset(of: ids), "nothing of \(refunds) was read, but \(pages.ids)")
            }
        },
    ]
}
