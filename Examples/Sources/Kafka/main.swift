// Delivers from an outbox in memory to a Kafka that is there: swift run --package-path Examples Kafka 'kafka://localhost?topic=events'
import Foundation
import Logging
import Outbox
import OutboxKafka
import OutboxTesting

guard CommandLine.arguments.count == 2 else {
    print("usage: Kafka kafka://HOST:PORT?topic=TOPIC")
    exit(64)
}
let outbox = InMemoryOutbox()
for number in 1...100 {
    try outbox.enqueue(
        NewMessage(to: .events, route: "order.placed", key: "customer-\(number % 10)", text: "order \(number)"))
}
let transport = try KafkaTransport(CommandLine.arguments[1])
let relay = Relay(store: outbox, routes: [.events: .transport(transport)])

let told = relay.events
async let running: Void = relay.run()
var settled = 0
for await event in told {
    switch event {
    case .delivered, .deadLettered: settled += 1
    default: break
    }
    if settled == 100 { relay.stop() }
}
try await running
print("\(100 - outbox.deadLetters().count) messages confirmed by Kafka")
