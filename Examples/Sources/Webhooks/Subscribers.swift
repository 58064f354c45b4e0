import Outbox
import OutboxWebhook

extension Destination {
    static let subscribers: Destination = "subscribers"
}

/// One receiver, whose address and secrets come from a configuration: during a rotation the new secret and the old one.
func orders(to address: String, secrets: [String]) throws -> WebhookTransport {
    var configuration = WebhookConfiguration(address: address)
    configuration.signing.keys = try secrets.map { try WebhookKey($0) }
    configuration.request.id = "shop-{id}"
    configuration.limits.requestsPerSecond = 50
    return try WebhookTransport(configuration)
}

/// Customers, each with a host of its own below one name, get events of CloudEvents that are signed with a private key. One that is down
/// delays no other.
func subscribers(privateKey: String) throws -> DestinationHandler {
    var configuration = WebhookConfiguration(
        address: "https://{header.customer}.hooks.example.com/events", hosts: ["*.hooks.example.com"])
    configuration.signing.keys = [try WebhookKey(privateKey)]
    configuration.cloudEvents = .init(mode: .structured, source: "/shop")
    return .transport(
        try WebhookTransport(configuration),
        settings: DeliverySettings(
            retry: .exponential(maximumAttempts: 20, initialDelay: .seconds(5), maximumDelay: .seconds(6 * 3600)),
            concurrency: 16))
}

/// The receiver's host is the message's.
func placed(by customer: String) -> NewMessage {
    NewMessage(
        to: .subscribers, route: "order.placed", key: customer, headers: ["customer": customer, "ce-tenant": "eu"],
        text: "{\"order\":7}")
}
