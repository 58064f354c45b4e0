import Outbox
import OutboxAWS

extension Destination {
    static let orders: Destination = "orders"
    static let clicks: Destination = "clicks"
}

/// A FIFO queue in which the messages of a key stay in order; headers beyond the tenth attribute in one more.
func orders() throws -> SQSTransport {
    var configuration = SQSConfiguration(queue: "orders.fifo")
    configuration.content.headers = .folded
    configuration.content.enqueuedAtAttribute = "enqueued-at"
    configuration.aws.region = "eu-central-1"
    return try SQSTransport(configuration)
}

/// A stream whose records have the message's id and headers beside the payload.
func clicks() throws -> KinesisTransport {
    var configuration = KinesisConfiguration(stream: "clicks", content: .envelope)
    configuration.aws.region = "eu-central-1"
    return try KinesisTransport(configuration)
}

/// Credentials that the application has from somewhere else.
func withCredentials(from vault: Vault) throws -> SQSTransport {
    var configuration = try SQSConfiguration(url: "sqs://{route}?region=eu-central-1")
    configuration.aws.credentials = .custom {
        let lease = try await vault.lease("aws/outbox")
        return AWSCredentials(
            accessKeyID: lease.key, secretAccessKey: lease.secret, sessionToken: lease.token, expiration: lease.end)
    }
    return try SQSTransport(configuration)
}

/// A message that is hidden in the queue at first.
func reminder() -> NewMessage {
    NewMessage(to: .orders, route: "reminders", headers: ["sqs-delay": "10m"], text: "{}")
}

/// A topic whose subscribers get the headers as attributes, and a bus whose rules look into the payload.
func announcements() throws -> [any Transport] {
    [
        try SNSTransport("sns://news.fifo?region=eu-central-1&account=123456789012"),
        try EventBridgeTransport("eventbridge://shop?region=eu-central-1&source=shop.orders"),
    ]
}
