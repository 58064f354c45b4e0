import Outbox
import OutboxRuntime

/// How a transport begins, ends and is cancelled.
extension TransportConformance {
    static let lifecycleChecks: [Check] = [
        Check("closing finishes what is under way") { fixture in
            try await CheckedTransport.with(fixture) { transport in
                try await transport.deliverAll([.numbered(0)])
                let hasBegun = Latch()
                let confirmed = try await withThrowingTaskGroup(of: [Int].self) { group in
                    for batch in 0..<4 {
                        group.addTask {
                            let numbers = (0..<200).map { batch * 1000 + $0 }
                            hasBegun.open()
                            let outcomes = try await transport.deliver(
                                MessageBatch(numbers.map { NewMessage.numbered($0, key: "k\($0)") }))
                            return zip(numbers, outcomes).filter { $0.1 == .delivered }.map(\.0)
                        }
                    }
                    await hasBegun.wait()
                    try await transport.close()
                    return try await group.reduce(into: Set()) { $0.formUnion($1) }
                }
                let outcomes = try? await transport.deliver(MessageBatch([NewMessage.numbered(9999)]))
                try require(outcomes?[0] != .delivered, "a message was delivered after close()")
                let arrived = Set(try await transport.arrivedNumbers())
                let missing = confirmed.subtracting(arrived)
                try require(missing.isEmpty, "\(missing.count) messages were delivered, and are not there")
            }
        },

        Check("a cancelled delivery returns, and harms no other") { fixture in
            try await CheckedTransport.with(fixture) { transport in
                try await transport.deliverAll([.numbered(0)])
                for round in 0..<50 {
                    let numbers = (0..<100).map { 1000 + round * 100 + $0 }
                    let batch = MessageBatch(numbers.map { NewMessage.numbered($0) })
                    await withTaskGroup(of: Void.self) { group in
                        group.addTask { _ = try? await transport.deliver(batch) }
                        for _ in 0..<round { await Task.yield() }
                        group.cancelAll()
                    }
                    try await transport.deliverAll([.numbered(1 + round)])
                }
                let numbers = Set(try await transport.arrivedNumbers())
                try require(numbers.isSuperset(of: 0...50), "what was not cancelled has arrived")
            }
        },

        Check("a transport that is cancelled ends, with everything under way") { fixture in
            let checked = try await CheckedTransport(fixture)
            let hasBegun = Latch()
            try await checked.inTime("a cancelled transport") {
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { try? await checked.transport.run() }
                    group.addTask {
                        // More than is delivered before the end, however fast the machine is.
                        for round in 0... {
                            let batch = MessageBatch((0..<100).map { NewMessage.numbered(round * 100 + $0) })
                            let outcomes = try? await checked.deliver(batch)
                            hasBegun.open()
                            if outcomes == nil || Task.isCancelled { return }
                        }
                    }
                    await hasBegun.wait()
                    group.cancelAll()
                }
            }
        },

        Check("a transport that nothing was asked of can be closed") { fixture in
            for _ in 0..<5 { try await CheckedTransport.with(fixture) { _ in } }
        },
    ]
}
