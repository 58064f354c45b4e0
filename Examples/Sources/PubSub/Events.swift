import Outbox
import OutboxPubSub

extension Destination {
    static let events: Destination = "events"
}

/// A topic for each route, in the region where ordering keys are kept in order, with the key of a service account.
func events(project: String, keyFile: String) throws -> PubSubTransport {
    var configuration = PubSubConfiguration(project: project, topic: "shop-{route|other}")
    configuration.endpoint = "europe-west1-pubsub.googleapis.com"
    configuration.credentials = .file(keyFile)
    configuration.delivery.timeout = .seconds(10)
    return try PubSubTransport(configuration)
}
