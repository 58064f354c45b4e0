import Outbox

/// What a transport says of each message.
extension TransportConformance {
    static let outcomeChecks: [Check] = [
        Check("a message arrives as it was enqueued, and is delivered") { fixture in
            try await CheckedTransport.with(fixture) { transport in
                let messages = [
                    NewMessage(to: .orders, route: "orders", key: "a", headers: ["b": "ö", "c": ""], text: "zwölf"),
                    NewMessage(to: .orders, route: "orders", payload: []),
                    NewMessage(to: .orders, route: "orders", payload: Array(0...255)),
                    NewMessage(
                        to: .orders, route: "orders", key: "ключ",
                        payload: Array(repeating: 7, count: fixture.longPayloadLength)),
                ]
                let outcomes = try await transport.deliver(MessageBatch(messages))
                try require(outcomes, equals: messages.map { _ in .delivered }, "outcomes")
                let received = try await fixture.received()
                try require(received.count, equals: messages.count, "messages that have arrived")
                for message in messages {
                    guard let arrived = received.first(where: { $0.payload == message.payload }) else {
                        throw ConformanceFailure("a payload of \(message.payload.count) bytes has not arrived")
                    }
                    if let key = arrived.key { try require(key, equals: message.key ?? "", "a key") }
                    guard let headers = arrived.headers else { continue }
                    for (name, value) in message.headers { try require(headers[name], equals: value, "header \(name)") }
                }
            }
        },

        Check("outcomes are in the order of the batch") { fixture in
            try await CheckedTransport.with(fixture) { transport in
                let messages = (0..<60).map { number in
                    let message = NewMessage.numbered(number, key: "k\(number)")
                    return number % 7 == 3 ? fixture.refused(message) : message
                }
                let outcomes = try await transport.deliver(MessageBatch(messages))
                for (number, outcome) in outcomes.enumerated() {
                    if number % 7 == 3 {
                        try require(outcome.isRefusal, "message \(number) was refused, but its outcome is \(outcome)")
                    } else {
                        try require(outcome, equals: .delivered, "the outcome of message \(number)")
                    }
                }
                let expected = (0..<60).filter { $0 % 7 != 3 }
                try require(try await transport.arrivedNumbers().sorted(), equals: expected, "what has arrived")
            }
        },

        Check("a message that is too long is rejected, and no other") { fixture in
            guard let payload = fixture.oversizedPayload else { return }
            try await CheckedTransport.with(fixture) { transport in
                var messages = (0..<20).map { NewMessage.numbered($0, key: "k\($0 % 3)") }
                messages.insert(NewMessage(to: .orders, route: "orders", key: "k1", payload: payload), at: 10)
                let rejected = try await transport.deliverAll(messages)
                try require(rejected.map(\.payload.count), equals: [payload.count], "what was rejected")
                try require(Set(try await transport.arrivedNumbers()), equals: Set(0..<20), "what has arrived")
            }
        },

        Check("a batch that has as much as it may have is delivered") { fixture in
            try await CheckedTransport.with(fixture) { transport in
                let limit = transport.transport.batchLimit
                let many = (0..<min(limit.messages ?? 500, 500)).map { NewMessage.numbered($0, key: "k\($0 % 20)") }
                let outcomes = try await transport.deliver(MessageBatch(many))
                try require(outcomes, equals: many.map { _ in .delivered }, "the outcomes of \(many.count) messages")
                // As many bytes as it may have, in messages that are not too long for anything.
                let bytes = min(limit.bytes ?? .max, 1 << 21)
                var messages: [NewMessage] = []
                var room = bytes
                while room > 0, messages.count < min(limit.messages ?? 100, 100) {
                    let empty = NewMessage(to: .orders, route: "orders", key: "k\(messages.count)", payload: [])
                    let around = limit.size(of: MessageBatch([empty])[0])
                    if around >= room { break }
                    let length = min(room - around, 100_000)
                    messages.append(
                        NewMessage(
                            to: .orders, route: "orders", key: "k\(messages.count)",
                            payload: Array(repeating: 7, count: length)))
                    room -= around + length
                }
                try require(
                    try await transport.deliver(MessageBatch(messages)), equals: messages.map { _ in .delivered },
                    "the outcomes of \(bytes - room) bytes")
                try require(
                    try await fixture.received().count, equals: many.count + messages.count,
                    "messages that have arrived")
            }
        },

        Check("batches are delivered side by side") { fixture in
            try await CheckedTransport.with(fixture) { transport in
                try await withThrowingTaskGroup(of: [Outcome].self) { group in
                    for batch in 0..<8 {
                        group.addTask {
                            let messages = (0..<100).map {
                                NewMessage.numbered(batch * 100 + $0, key: "\(batch)-\($0 % 10)")
                            }
                            return try await transport.deliver(MessageBatch(messages))
                        }
                    }
                    for try await outcomes in group {
                        try require(outcomes.allSatisfy { $0 == .delivered }, "not all of a batch is delivered")
                    }
                }
                try require(try await transport.arrivedNumbers().sorted(), equals: Array(0..<800), "what has arrived")
            }
        },
    ]
}
