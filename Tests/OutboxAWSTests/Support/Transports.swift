import Logging
import Outbox
import TestSupport

@testable import OutboxAWS

extension AWSTestbed {
    /// How AWS is reached: this one, with its key.
    var aws: AWSConfiguration {
        var configuration = AWSConfiguration(region: "eu-central-1", endpoint: self.endpoint)
        configuration.credentials = .fixed(AWSCredentials(accessKeyID: self.key, secretAccessKey: self.secret))
        configuration.connection.connectTimeout = .seconds(2)
        return configuration
    }

    func queue(
        _ name: MessageTemplate, log: LogLines = LogLines(from: .critical),
        _ change: (inout SQSConfiguration) -> Void = { _ in }
    ) throws -> SQSTransport {
        var configuration = SQSConfiguration(queue: name, aws: self.aws)
        change(&configuration)
        return try SQSTransport(configuration, logger: log.logger)
    }

    func stream(
        _ name: MessageTemplate, log: LogLines = LogLines(from: .critical),
        _ change: (inout KinesisConfiguration) -> Void = { _ in }
    ) throws -> KinesisTransport {
        var configuration = KinesisConfiguration(stream: name, aws: self.aws)
        change(&configuration)
        return try KinesisTransport(configuration, logger: log.logger)
    }
}

extension AWSTestbed {
    func topic(
        _ arn: MessageTemplate, _ change: (inout SNSConfiguration) -> Void = { _ in }
    ) throws -> SNSTransport {
        var configuration = SNSConfiguration(topic: arn, aws: self.aws)
        change(&configuration)
        return try SNSTransport(configuration, logger: LogLines(from: .critical).logger)
    }

    func bus(
        _ name: MessageTemplate, _ change: (inout EventBridgeConfiguration) -> Void = { _ in }
    ) throws -> EventBridgeTransport {
        var configuration = EventBridgeConfiguration(bus: name, source: "shop", aws: self.aws)
        change(&configuration)
        return try EventBridgeTransport(configuration, logger: LogLines(from: .critical).logger)
    }
}

/// Runs a closure with a transport that runs, and closes it.
func running<Running: Transport, Result: Sendable>(
    _ transport: Running, _ body: (Running) async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await transport.run() }
        defer { group.cancelAll() }
        let result = try await body(transport)
        await transport.close()
        try await group.waitForAll()
        return result
    }
}

extension NewMessage {
    static func text(
        _ text: String, key: String? = nil, route: String? = "orders", headers: [String: String] = [:]
    ) -> NewMessage {
        NewMessage(to: "orders", route: route, key: key, headers: headers, text: text)
    }
}

extension Outcome {
    var isRejection: Bool { if case .rejected = self.kind { true } else { false } }
    var isRetry: Bool { if case .retry = self.kind { true } else { false } }
    var isPostponed: Bool { if case .postponed = self.kind { true } else { false } }
    var isUnavailable: Bool { if case .unavailable = self.kind { true } else { false } }
}

extension [Outcome] {
    var areDelivered: Bool { self.allSatisfy { $0 == .delivered } }
}
