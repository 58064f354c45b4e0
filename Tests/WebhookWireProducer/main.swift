import Outbox
import OutboxWebhook

// Sends messages to a receiver that verifies them with other people's libraries, for scripts/webhook-wire:
//
//     WebhookWireProducer contents URL
//     WebhookWireProducer numbered URL COUNT KEYS LANES BATCH
//     WebhookWireProducer one URL [HOST]
//     WebhookWireProducer lookups URL COUNT
//
// Secrets come from the environment, as the program takes them.

let arguments = CommandLine.arguments.dropFirst()
guard let mode = arguments.first, let url = arguments.dropFirst().first else { fatalError("a mode and an address") }
let rest = Array(arguments.dropFirst(2))
switch mode {
case "contents": try await Contents.deliver(to: WireRelay.transport(url))
case "numbered": try await NumberedMessages(rest.compactMap(Int.init)).deliver(to: WireRelay.transport(url))
case "one": try await OneMessage.deliver(to: url, host: rest.first)
case "lookups": try await Lookups.send(to: url, count: rest.first.flatMap { Int($0) } ?? 1)
default: fatalError("there is no mode \(mode)")
}
