// Delivers from an outbox in memory to a queue or a stream that is there:
//     swift run --package-path Examples AWS 'sqs://orders.fifo?region=eu-central-1'
//     swift run --package-path Examples AWS 'kinesis://clicks?region=eu-central-1'
import Foundation
import Logging
import Outbox
import OutboxAWS
import OutboxTesting

guard CommandLine.arguments.count == 2 else {
    print("usage: AWS sqs://QUEUE?region=REGION | kinesis://STREAM?region=REGION")
    exit(64)
}
let outbox = InMemoryOutbox()
for number in 1...100 {
    try outbox.enqueue(
        NewMessage(to: .orders, route: "order.placed", key: "customer-\(number % 10)", text: "order \(number)"))
}
let address = CommandLine.arguments[1]
let transport: any Transport =
    address.hasPrefix("kinesis:") ? try KinesisTransport(address) : try SQSTransport(address)
let relay = Relay(store: outbox, routes: [.orders: .transport(transport)])

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
print("\(100 - outbox.deadLetters().count) messages confirmed by AWS")
