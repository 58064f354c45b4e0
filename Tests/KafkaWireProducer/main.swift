import Outbox
import OutboxKafka

// Delivers messages to a broker that is no relation of librdkafka's, for scripts/kafka-wire:
//
//     KafkaWireProducer contents URL
//     KafkaWireProducer numbered URL COUNT KEYS LANES BATCH
//     KafkaWireProducer one URL

let arguments = CommandLine.arguments.dropFirst()
guard let mode = arguments.first, let url = arguments.dropFirst().first else { fatalError("a mode and an address") }
let rest = Array(arguments.dropFirst(2))
switch mode {
case "contents": try await Contents.deliver(to: KafkaTransport(url))
case "numbered": try await NumberedMessages(rest.compactMap(Int.init)).deliver(to: KafkaTransport(url))
case "one": try await OneMessage.deliver(to: url)
default: fatalError("there is no mode \(mode)")
}
