// Sends from an outbox in memory to a receiver that is there: swift run --package-path Examples Webhooks 'https://hooks.example.com/x?outbox.secret=whsec_…'
import Foundation
import Logging
import Outbox
import OutboxTesting
import OutboxWebhook

guard CommandLine.arguments.count == 2 else {
    print("usage: Webhooks https://HOST/PATH?outbox.secret=whsec_…")
    exit(64)
}
let outbox = InMemoryOutbox()
for number in 1...10 {
    try outbox.enqueue(
        NewMessage(
            to: .subscribers, route: "order.placed", key: "customer-\(number % 3)", text: "{\"order\":\(number)}"))
}
let hooks = try WebhookTransport(CommandLine.arguments[1])
let relay = Relay(store: outbox, routes: [.subscribers: .transport(hooks)])

let told = relay.events
async let running: Void = relay.run()
var settled = 0
for await event in told {
    switch event {
    case .delivered, .deadLettered: settled += 1
    default: break
    }
    if settled == 10 { relay.stop() }
}
try await running
print("\(10 - outbox.deadLetters().count) messages accepted by the receiver")
