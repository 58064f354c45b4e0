import Outbox

/// How a cursor moves, and what a session finds that follows another.
extension StoreConformance {
    static let lateChecks: [Check] = [
        Check("a late transaction is delivered exactly once") { fixture in
            try await CheckedSession.with(fixture) { session in
                let late = try await fixture.begin()
                let lateIDs = try await late.enqueue(.numbered(2))
                let ids = try await fixture.enqueue(.numbered(3))
                try require(lateIDs.allSatisfy { $0 < ids[0] }, "ids are not drawn when messages are enqueued")
                let pages = try await session.receive(3)
                try require(pages.ids, equals: ids, "the messages that others committed before")
                try await session.settle(through: pages.last)
                try await late.commit()
                let latePages = try await session.receive(2)
                try require(latePages.ids, equals: lateIDs, "the messages of the late transaction")
                try await session.receiveNothing("the late messages have been read")
                try await session.settle(through: latePages.last)
            }
            try await CheckedSession.with(fixture) { session in
                try await session.receiveNothing("the late messages have been settled")
            }
        },

        Check("a late transaction is not lost when the cursor was committed past it") { fixture in
            let late = try await fixture.begin()
            let lateIDs = try await late.enqueue(.numbered(2))
            _ = try await fixture.enqueue(.numbered(3))
            try await CheckedSession.with(fixture) { session in
                let pages = try await session.receive(3)
                try await session.settle(through: pages.last)
            }
            try await late.commit()
            try await CheckedSession.with(fixture) { session in
                try require(try await session.receive(2).ids, equals: lateIDs, "the messages of the late transaction")
                try await session.receiveNothing("the late messages have been read")
            }
        },

        Check("late messages come before those that are read with them") { fixture in
            try await CheckedSession.with(fixture) { session in
                let late = try await fixture.begin()
                let lateIDs = try await late.enqueue(.numbered(2))
                _ = try await fixture.enqueue(.numbered(1))
                _ = try await session.receive(1)
                try await late.commit()
                let freshIDs = try await fixture.enqueue(.numbered(2))
                try require(try await session.receive(4).ids, equals: lateIDs + freshIDs, "the messages read")
            }
        },

        Check("a late transaction of many pages is resumed where it was committed") { fixture in
            let late = try await fixture.begin()
            let lateIDs = try await late.enqueue(.numbered(50))
            _ = try await fixture.enqueue(.numbered(3))
            var rest: [Int64] = []
            try await CheckedSession.with(fixture) { session in
                let pages = try await session.receive(3)
                try await session.settle(through: pages.last)
                try await late.commit()
                let latePages = try await session.receive(50, messages: 7)
                try require(latePages.ids, equals: lateIDs, "the messages of the late transaction")
                try await session.settle(through: latePages[2])
                rest = latePages[3...].flatMap(\.ids)
            }
            try await CheckedSession.with(fixture) { session in
                let freshIDs = try await fixture.enqueue(.numbered(2))
                let pages = try await session.receive(rest.count + 2, messages: 7)
                try require(pages.ids, equals: rest + freshIDs, "the messages read by the next session")
                try await session.receiveNothing("all has been read")
            }
        },
    ]

    static let cursorChecks: [Check] = [
        Check("a new session reads again exactly what was not committed") { fixture in
            let ids = try await fixture.enqueue(.numbered(30))
            var rest: [Int64] = []
            try await CheckedSession.with(fixture) { session in
                let pages = try await session.receive(30, messages: 10)
                try await session.settle(through: pages[1])
                rest = pages[2...].flatMap(\.ids)
                try require(rest.count < ids.count, "a page of 10 messages was asked for")
            }
            try await CheckedSession.with(fixture) { session in
                let pages = try await session.receive(rest.count)
                try require(pages.ids, equals: rest, "the messages read by the next session")
                try await session.receiveNothing("all has been read")
                try await session.settle(through: pages.last)
            }
            try await CheckedSession.with(fixture) { session in
                try await session.receiveNothing("all has been settled")
            }
        },

        Check("what nothing was committed of is read again as it was") { fixture in
            let ids = try await fixture.enqueue(.numbered(5))
            for _ in 0..<2 {
                try await CheckedSession.with(fixture) { session in
                    try require(try await session.receive(5).ids, equals: ids, "the messages read")
                }
            }
        },

        Check("messages of a destination that was never registered stay, and are read from the beginning") { fixture in
            let ids = try await fixture.enqueue(.numbered(3, to: .invoices) + .numbered(3))
            try await CheckedSession.with(fixture) { session in
                let pages = try await session.receive(3)
                try await session.settle(through: pages.last)
            }
            let more = try await fixture.enqueue(.numbered(1, to: .invoices))
            try await CheckedSession.with(fixture, [.orders, .invoices]) { session in
                let expected = Array(ids.prefix(3)) + more
                try require(
                    try await session.receive(4, of: .invoices).ids, equals: expected, "the messages for invoices")
                try await session.receiveNothing("the messages for orders have been settled")
            }
        },

        Check("every subscription gets every message") { fixture in
            let ids = try await fixture.enqueue(.numbered(3))
            for subscription in ["main", "second"] {
                try await CheckedSession.with(fixture, subscription: subscription) { session in
                    let pages = try await session.receive(3)
                    try require(pages.ids, equals: ids, "the messages for the subscription \(subscription)")
                    try await session.settle(through: pages.last)
                }
            }
            for subscription in ["main", "second"] {
                try await CheckedSession.with(fixture, subscription: subscription) { session in
                    try await session.receiveNothing("the subscription \(subscription) has settled all")
                }
            }
        },
    ]
}
