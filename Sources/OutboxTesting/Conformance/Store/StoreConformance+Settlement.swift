import Outbox

/// What is made durable with a settlement.
extension StoreConformance {
    static let settlementChecks: [Check] = [
        Check("a commit of nothing succeeds and changes nothing") { fixture in
            let ids = try await fixture.enqueue(.numbered(2))
            try await CheckedSession.with(fixture) { session in
                try await session.commit([])
                try await session.settle()
                _ = try await session.receive(2)
                try await session.settle()
            }
            try await CheckedSession.with(fixture) { session in
                try require(try await session.receive(2).ids, equals: ids, "the messages read by the next session")
            }
        },

        Check("one commit settles several streams") { fixture in
            _ = try await fixture.enqueue(.numbered(1) + .numbered(1, to: .invoices))
            try await CheckedSession.with(fixture, [.orders, .invoices]) { session in
                var settlements: [Settlement] = []
                for destination in [Destination.orders, .invoices] {
                    var settlement = Settlement(stream: try session.stream(destination))
                    settlement.through = try await session.receive(1, of: destination).last
                    settlements.append(settlement)
                }
                try await session.commit(settlements)
            }
            try await CheckedSession.with(fixture, [.orders, .invoices]) { session in
                try await session.receiveNothing("the messages for orders have been settled")
                try await session.receiveNothing(of: .invoices, "the messages for invoices have been settled")
            }
        },

        Check("a deferred message keeps id, attempts, order and error") { fixture in
            try await CheckedSession.with(fixture) { session in
                let ids = try await session.enqueueDeferred(fixture, .numbered(2, key: "k")) { index, id in
                    Deferral(
                        id: id, attempts: 3 + index, due: .after(.seconds(3600)), ordered: index == 0,
                        error: index == 0 ? "erreur née \"1\"" : nil)
                }
                let expected = ids.enumerated().map { index, id in
                    DeferredSnapshot(
                        id: id, attempts: 3 + index, nextAttemptAt: nil, isOrdered: index == 0,
                        error: index == 0 ? "erreur née \"1\"" : nil)
                }
                try require(try await Self.deferredWithoutTime(fixture), equals: expected, "the deferred messages")
            }
            try await CheckedSession.with(fixture) { session in
                try await session.receiveNothing("the cursor has passed the messages that were deferred")
            }
        },

        Check("a deferred message that fails again is changed") { fixture in
            try await CheckedSession.with(fixture) { session in
                let ids = try await session.enqueueDeferred(fixture, .numbered(1, key: "k")) { _, id in
                    Deferral(id: id, attempts: 1, due: .after(.zero), ordered: false, error: "first")
                }
                _ = try await session.receiveDeferred()
                try await session.settle { settlement in
                    settlement.deferredAgain = [
                        Deferral(id: ids[0], attempts: 2, due: .after(.seconds(3600)), ordered: true, error: "second")
                    ]
                    settlement.keys = ["k"]
                }
                let expected = DeferredSnapshot(
                    id: ids[0], attempts: 2, nextAttemptAt: nil, isOrdered: true, error: "second")
                try require(try await Self.deferredWithoutTime(fixture), equals: [expected], "the deferred messages")
                try require(try await session.pollDeferred().rows.map(\.id), equals: [], "the messages due")
                try await fixture.makeDue()
                try require(try await session.receiveDeferred().map(\.attempts), equals: [2], "attempts")
            }
        },

        Check("a deferred message that is delivered is gone") { fixture in
            try await CheckedSession.with(fixture) { session in
                let ids = try await session.enqueueDeferred(fixture, .numbered(3)) { _, id in
                    Deferral(id: id, attempts: 1, due: .after(.zero), ordered: false, error: nil)
                }
                let rows = try await session.receiveDeferred()
                try require(rows.map(\.id), equals: ids, "the messages due")
                try await session.settle { $0.deferredDelivered = [ids[0], ids[2]] }
                try require(try await fixture.deferred().map(\.id), equals: [ids[1]], "the deferred messages")
                try require(try await fixture.deadLetters(), equals: [], "the dead letters")
            }
        },

        Check("a dead letter keeps id, attempts, reason and error") { fixture in
            try await CheckedSession.with(fixture) { session in
                let reasons = Death.Reason.allCases
                let ids = try await fixture.enqueue(.numbered(reasons.count))
                let pages = try await session.receive(reasons.count)
                let expected = zip(ids, reasons).enumerated().map { index, death in
                    DeadLetterSnapshot(
                        id: death.0, attempts: index, reason: death.1, error: index == 0 ? nil : "error \(index)")
                }
                try await session.settle(through: pages.last) { settlement in
                    settlement.dead = expected.map {
                        Death(id: $0.id, attempts: $0.attempts, reason: $0.reason, error: $0.error)
                    }
                }
                try require(try await fixture.deadLetters(), equals: expected, "the dead letters")
                try require(try await fixture.deferred(), equals: [], "the deferred messages")
            }
            try await CheckedSession.with(fixture) { session in
                try await session.receiveNothing("the cursor has passed the dead letters")
            }
        },

        Check("a deferred message that dies is a dead letter with all that it had") { fixture in
            try await CheckedSession.with(fixture) { session in
                let message = NewMessage(to: .orders, route: "r", key: "k", headers: ["a": "b"], text: "content")
                let ids = try await session.enqueueDeferred(fixture, [message]) { _, id in
                    Deferral(id: id, attempts: 1, due: .after(.zero), ordered: false, error: "first")
                }
                _ = try await session.receiveDeferred()
                try await session.settle { settlement in
                    settlement.deferredDead = [Death(id: ids[0], attempts: 2, reason: .exhausted, error: "second")]
                }
                let expected = DeadLetterSnapshot(id: ids[0], attempts: 2, reason: .exhausted, error: "second")
                try require(try await fixture.deadLetters(), equals: [expected], "the dead letters")
                try require(try await fixture.deferred(), equals: [], "the deferred messages")
                try await fixture.replay(deadLetter: ids[0])
                let rows = try await session.receiveDeferred()
                try Self.compare(rows[0].page, rows[0].row, with: message, id: ids[0])
            }
        },

        Check("a deferred message that dies without an error keeps the one that it had") { fixture in
            try await CheckedSession.with(fixture) { session in
                let ids = try await session.enqueueDeferred(fixture, .numbered(1)) { _, id in
                    Deferral(id: id, attempts: 1, due: .after(.zero), ordered: false, error: "first")
                }
                _ = try await session.receiveDeferred()
                try await session.settle { settlement in
                    settlement.deferredDead = [Death(id: ids[0], attempts: 1, reason: .exhausted, error: nil)]
                }
                let expected = DeadLetterSnapshot(id: ids[0], attempts: 1, reason: .exhausted, error: "first")
                try require(try await fixture.deadLetters(), equals: [expected], "the dead letters")
            }
        },

        Check("what is deferred and delivered in one commit is gone") { fixture in
            try await CheckedSession.with(fixture) { session in
                let ids = try await fixture.enqueue(.numbered(2, key: "k"))
                let pages = try await session.receive(2)
                try await session.settle(through: pages.last) { settlement in
                    settlement.deferred = [
                        Deferral(id: ids[0], attempts: 1, due: .after(.zero), ordered: true, error: nil),
                        Deferral(id: ids[1], attempts: 0, due: .behindKey, ordered: true, error: nil),
                    ]
                    settlement.deferredDelivered = [ids[0]]
                    settlement.keys = ["k"]
                }
                try require(try await fixture.deferred().map(\.id), equals: [ids[1]], "the deferred messages")
                try require(try await session.receiveDeferred().map(\.id), equals: [ids[1]], "the messages due")
            }
        },

        Check("what is noted of a start is there for the next session") { fixture in
            let starts = [
                StreamStart(count: 2), StreamStart(count: 3, suspect: 1 << 40, suspectAttempts: 5), StreamStart(),
            ]
            try await CheckedSession.with(fixture, [.orders, .invoices]) { session in
                try require(session.attached.map(\.start), equals: [StreamStart(), StreamStart()], "the first starts")
                try await session.settle { $0.start = StreamStart(count: 1) }
            }
            var expected = StreamStart(count: 1)
            for start in starts {
                try await CheckedSession.with(fixture, [.orders, .invoices]) { session in
                    let found = Dictionary(
                        session.attached.map { ($0.destination, $0.start) }, uniquingKeysWith: { first, _ in first })
                    try require(found, equals: [.orders: expected, .invoices: StreamStart()], "what was noted")
                    try await session.settle { $0.start = start }
                    // Whatever else is committed leaves it as it is.
                    _ = try await fixture.enqueue(.numbered(1))
                    let pages = try await session.receive(1)
                    try await session.settle(through: pages.last)
                }
                expected = start
            }
        },
    ]

    private static func deferredWithoutTime(_ fixture: any StoreFixture) async throws -> [DeferredSnapshot] {
        try await fixture.deferred().map { snapshot in
            var snapshot = snapshot
            snapshot.nextAttemptAt = nil
            return snapshot
        }
    }
}
