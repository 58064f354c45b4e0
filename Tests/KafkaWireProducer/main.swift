import Outbox
import OutboxKafka
import OutboxTesting

// Delivers messages of every kind to a broker that is no relation of librdkafka's, for scripts/kafka-wire:
//
//     KafkaWireProducer kafka://HOST:PORT?topic=TOPIC
//
// What is to be found there is written to standard output, a line a message: key, payload and headers in hexadecimal.

func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { byte in
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
    }.joined()
}

var messages: [NewMessage] = (0..<500).map { number in
    NewMessage(
        to: "wire", key: "key-\(number % 7)",
        headers: number % 3 == 0 ? ["trace": "00-\(number)-01", "ö": "zwölf", "empty": ""] : [:],
        text: "message \(number)")
}
messages.append(NewMessage(to: "wire", payload: []))
messages.append(NewMessage(to: "wire", key: "ключ", payload: Array(0...255)))
messages.append(NewMessage(to: "wire", key: "large", payload: (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }))

let outbox = InMemoryOutbox()
for message in messages { try outbox.enqueue(message) }
let transport = try KafkaTransport(CommandLine.arguments[1])
let relay = Relay(store: outbox, routes: ["wire": .transport(transport)])
let events = relay.events(bufferingNewest: 10_000)
try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await relay.run() }
    var remaining = messages.count
    for await event in events {
        switch event {
        case .delivered: remaining -= 1
        case .deadLettered, .retried, .opened: fatalError("\(event)")
        default: break
        }
        if remaining == 0 { break }
    }
    relay.stop()
    try await group.waitForAll()
}
for message in messages {
    let headers = message.headers.sorted { $0.key < $1.key }
        .map { hexadecimal($0.key.utf8) + "=" + hexadecimal($0.value.utf8) }.joined(separator: ",")
    print(message.key.map { hexadecimal($0.utf8) } ?? "-", hexadecimal(message.payload), headers, separator: " ")
}
