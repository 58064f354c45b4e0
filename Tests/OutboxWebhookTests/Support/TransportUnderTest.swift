import Logging
import Outbox
import OutboxTesting
import OutboxWebhook
import TestSupport

/// Transports as tests make and run them.
enum TransportUnderTest {
    /// What receivers of tests share with the transport.
    static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    /// A transport to a receiver on this machine, which is an exception from the guard.
    static func make(
        _ address: String, logger: Logger = LogLines().logger, _ change: (inout WebhookConfiguration) -> Void = { _ in }
    ) throws -> WebhookTransport {
        var configuration = WebhookConfiguration(address: address, allowedAddresses: ["127.0.0.0/8"])
        configuration.signing.keys = [try WebhookKey(Self.secret)]
        change(&configuration)
        return try WebhookTransport(configuration, logger: logger)
    }

    /// Runs a closure with a transport that runs, and closes it.
    static func run<Result: Sendable>(
        _ transport: WebhookTransport, _ body: @Sendable (WebhookTransport) async throws -> Result
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
}

extension WebhookTransport {
    func deliver(_ messages: [NewMessage]) async throws -> [Outcome] { try await self.deliver(MessageBatch(messages)) }
}

extension Outcome {
    /// What it is, in a word.
    var word: String {
        switch self.kind {
        case .delivered: "delivered"
        case .retry: "retry"
        case .rejected: "rejected"
        case .unavailable: "unavailable"
        case .behind: "behind"
        case .postponed: "postponed"
        }
    }
}
