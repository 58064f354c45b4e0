import Outbox

extension TransportConformance {
    static let orderChecks: [Check] = [
        Check("messages of a key arrive in order") { fixture in
            try await CheckedTransport.with(fixture) { transport in
                let messages = (0..<500).map { NewMessage.numbered($0, key: "k\($0 % 7)") }
                let outcomes = try await transport.deliver(MessageBatch(messages))
                try require(outcomes.allSatisfy { $0 == .delivered }, "not all of a batch is delivered")
                let numbers = try await transport.arrivedNumbers()
                try require(numbers.count, equals: 500, "messages that have arrived")
                try Self.requireOrder(numbers) { $0 % 7 }
            }
        },

        Check("what follows a refused message of its key does not pass it") { fixture in
            try await CheckedTransport.with(fixture) { transport in
                let messages = (0..<30).map { number in
                    let message = NewMessage.numbered(number, key: "k\(number % 3)")
                    return number == 10 ? fixture.refused(message) : message
                }
                let outcomes = try await transport.deliver(MessageBatch(messages))
                try require(outcomes[10].isRefusal, "the outcome of a refused message is \(outcomes[10])")
                let numbers = try await transport.arrivedNumbers()
                for number in 0..<30 where number != 10 {
                    let isHeldUp = number > 10 && number % 3 == 1 && !outcomes[10].isRejection
                    try require(
                        outcomes[number], equals: isHeldUp ? .behind : .delivered, "the outcome of message \(number)")
                    try require(numbers.contains(number), equals: !isHeldUp, "whether message \(number) has arrived")
                }
            }
        },

        Check("where order does not matter, nothing is behind") { fixture in
            try await CheckedTransport.with(fixture) { transport in
                let messages = (0..<30).map { number in
                    let message = NewMessage.numbered(number, key: "k")
                    return number == 10 ? fixture.refused(message) : message
                }
                let outcomes = try await transport.deliver(MessageBatch(messages, isOrderedByKey: false))
                for number in 0..<30 where number != 10 {
                    try require(outcomes[number], equals: .delivered, "the outcome of message \(number)")
                }
                try require(
                    Set(try await transport.arrivedNumbers()), equals: Set(0..<30).subtracting([10]), "what has arrived"
                )
            }
        },
    ]

    /// First arrivals of each key are in order.
    static func requireOrder(_ numbers: [Int], key: (Int) -> Int) throws(ConformanceFailure) {
        var last: [Int: Int] = [:]
        var seen: Set<Int> = []
        for number in numbers where seen.insert(number).inserted {
            let key = key(number)
            if let before = last[key], before > number {
                throw ConformanceFailure("message \(number) arrived after message \(before) of the same key")
            }
            last[key] = number
        }
    }
}
