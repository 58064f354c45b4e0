// Delivers from an outbox in memory to a RabbitMQ that this program starts, and looks at what has arrived.
import Logging
import Outbox
import OutboxAMQP
import OutboxTestServers
import OutboxTesting

let logger = Logger(label: "rabbitmq") { _ in SwiftLogNoOpLogHandler() }
let broker = try await EphemeralRabbitMQ.start()

let outbox = InMemoryOutbox()
for number in 1...100 {
    try outbox.enqueue(
        NewMessage(to: .eventBus, route: "order.placed", key: "customer-\(number % 10)", text: "order \(number)"))
}
// No queue is bound for it.
try outbox.enqueue(
    NewMessage(
        to: .eventBus, route: "stock.low", options: MessageOptions(maximumAttempts: 1), text: "only 3 are left"))

let bus = try AMQPTransport(orders(at: broker.port), logger: logger)
let relay = Relay(store: outbox, routes: [.eventBus: .transport(bus)], logger: logger)

let events = relay.events
async let running: Void = relay.run()
var settled = 0
for await event in events {
    switch event {
    case .delivered, .deadLettered: settled += 1
    default: break
    }
    if settled == 101 { relay.stop() }
}
try await running

// A quorum queue tells how many messages it has only now and then.
var queues = ""
let limit = ContinuousClock.now + .seconds(60)
while !queues.contains("warehouse\t100"), .now < limit {
    try await Task.sleep(for: .milliseconds(100))
    queues = try await broker.rabbitmqctl("list_queues", "name", "messages")
}
precondition(queues.contains("warehouse\t100"), "everything that was bound for the queue is in it")
let dead = outbox.deadLetters()
precondition(dead.map(\.error) == ["unroutable: 312 NO_ROUTE"], "what has no queue is a failure, and not a loss")
await broker.stop()
print("100 messages confirmed by RabbitMQ, 1 that no queue wanted is a dead letter")
