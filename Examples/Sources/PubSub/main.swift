// Delivers from an outbox in memory to a topic that is there:
// PUBSUB_EMULATOR_HOST=localhost:8085 swift run --package-path Examples PubSub pubsub://my-project/orders
import Foundation
import Logging
import Outbox
import OutboxPubSub
import OutboxTesting

guard CommandLine.arguments.count == 2 else {
    print("usage: PubSub pubsub://PROJECT/TOPIC")
    exit(64)
}
let outbox = InMemoryOutbox()
for number in 1...100 {
    try outbox.enqueue(
        NewMessage(to: .events, route: "order.placed", key: "customer-\(number % 10)", text: "order \(number)"))
}
let transport = try PubSubTransport(CommandLine.arguments[1])
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
print("\(100 - outbox.deadLetters().count) messages confirmed by Pub/Sub")
