import Outbox

/// What a transport says while the other side is away.
extension TransportConformance {
    static let outageChecks: [Check] = [
        Check("connections that break in mid-batch lose nothing and change no order") { fixture in
            try await CheckedTransport.with(fixture) { transport in
                let count = 3000
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await transport.deliverAll(
                            (0..<count).map { NewMessage.numbered($0, key: "k\($0 % 11)") }, batchSize: 100)
                    }
                    group.addTask {
                        for cut in 1...5 {
                            // Not by time: wherever the machine is slow, the batches are.
                            try await transport.untilArrived(count * cut / 8)
                            try await fixture.cutConnections()
                        }
                    }
                    defer { group.cancelAll() }
                    try await group.waitForAll()
                }
                let numbers = try await transport.arrivedNumbers()
                try require(Set(numbers), equals: Set(0..<count), "what has arrived")
                try Self.requireOrder(numbers) { $0 % 11 }
                try require(
                    numbers.count - count <= 5 * 100, "\(numbers.count - count) messages were repeated by 5 cuts")
            }
        },

        Check("an other side that is out of reach is unavailable, and nothing else") { fixture in
            try await CheckedTransport.with(fixture) { transport in
                try await transport.deliverAll([.numbered(0)])
                try require(transport.transport.health.isUp, "a transport that delivers is up")
                try await fixture.stop()
                let messages = (1...20).map { NewMessage.numbered($0, key: "k\($0 % 4)") }
                let outcomes = try await transport.deliver(MessageBatch(messages))
                for outcome in outcomes {
                    try require(
                        outcome.isUnavailable || outcome == .behind, "out of reach, but the outcome is \(outcome)")
                }
                try await transport.eventually("it is known to be down") { !transport.transport.health.isUp }
                try await fixture.start()
                try await transport.deliverAll(messages)
                try require(transport.transport.health.isUp, "a transport that delivers is up")
                try require(Set(try await transport.arrivedNumbers()), equals: Set(0...20), "what has arrived")
            }
        },

        Check("a transport that begins while its other side is out of reach delivers later") { fixture in
            try await fixture.stop()
            try await CheckedTransport.with(fixture) { transport in
                let outcomes = try await transport.deliver(MessageBatch([NewMessage.numbered(1)]))
                try require(outcomes[0].isUnavailable, "out of reach, but the outcome is \(outcomes[0])")
                try await fixture.start()
                try await transport.deliverAll([.numbered(1)])
                try require(Set(try await transport.arrivedNumbers()), equals: [1], "what has arrived")
            }
        },

        Check("whether there is contact is known in time") { fixture in
            try await fixture.stop()
            try await CheckedTransport.with(fixture) { checked in
                let transport = checked.transport
                // A transport that connects with a delivery knows nothing before; all others know that nothing is there.
                _ = try await checked.inTime("contact(), out of reach,") { await transport.contact() }
                try await fixture.start()
                try await checked.deliverAll([.numbered(0)])
                let health = try await checked.inTime("contact()") { await transport.contact() }
                try require(health.isUp, "what has just delivered is in contact, not \(health)")
                try await fixture.stop()
                let cancelled = Task { await transport.contact() }
                cancelled.cancel()
                _ = try await checked.inTime("contact(), cancelled,") { await cancelled.value }
            }
        },

        Check("reconnecting leaves nothing behind") { fixture in
            try await CheckedTransport.with(fixture) { transport in
                try await transport.deliverAll([.numbered(0)])
                let before = OpenResources.now()
                for number in 1...fixture.reconnects {
                    try await fixture.cutConnections()
                    try await transport.deliverAll([.numbered(number)])
                }
                // Other tests of the process open and close files too. What they have open goes away, what leaks stays.
                let most = fixture.reconnects / 4
                try await transport.eventually(
                    "\(fixture.reconnects) connections have left less than \(most) files and threads behind"
                ) {
                    OpenResources.now().growth(since: before) <= most
                }
            }
        },
    ]
}
