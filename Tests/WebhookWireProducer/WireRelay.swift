import Foundation
import Logging
import Outbox
import OutboxTesting
import OutboxWebhook

/// Messages on their way from an outbox in memory through a relay to a transport.
struct WireRelay {
    let messages: [NewMessage]
    var settings = DeliverySettings()

    static func transport(_ url: String) throws -> WebhookTransport {
        var configuration = try WebhookConfiguration(url: url)
        try configuration.takeSecrets(from: ProcessInfo.processInfo.environment)
        var logger = Logger(label: "outbox.wire")
        logger.logLevel = .critical
        return try WebhookTransport(configuration, logger: logger)
    }

    /// Delivers, and hands out what happens until `isOver` says that it is enough.
    func deliver(to transport: WebhookTransport, until isOver: (RelayEvent) -> Bool) async throws {
        let outbox = InMemoryOutbox()
        try outbox.enqueue(self.messages)
        var logger = Logger(label: "outbox.wire")
        logger.logLevel = .critical
        let relay = Relay(
            store: outbox, routes: ["wire": .transport(transport, settings: self.settings)], logger: logger)
        let events = relay.events(bufferingNewest: 1_000_000)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await relay.run() }
            for await event in events where isOver(event) { break }
            relay.stop()
            try await group.waitForAll()
        }
    }
}
