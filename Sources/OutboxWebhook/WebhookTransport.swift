public import Logging
public import Outbox
import OutboxHTTP
import OutboxRuntime
import Synchronization

/// Sends messages to webhooks: a request of HTTP for each, signed as Standard Webhooks has it, as it is or as an event of CloudEvents.
///
/// ```swift
/// let hooks = try WebhookTransport("https://hooks.example.com/orders?outbox.secret=whsec_…")
/// let relay = Relay(postgres: postgres, routes: [.orders: .transport(hooks)])
/// ```
///
/// A message is delivered when the receiver has answered with a status from 200 to 299. Every attempt has the same id, by which the
/// receiver knows what came twice. Only addresses of the Internet are connected to, unless others are allowed by name.
public final class WebhookTransport: Transport {
    private enum Run {
        case created
        case running
        case closed
    }

    private let client: HTTPClient
    private let service: WebhookService
    private let keyOrder: BatchSchedule.KeyOrder
    private let connectTimeout: Duration
    private let state = Mutex(Run.created)

    /// Creates a transport; nothing is connected before there is a message.
    ///
    /// - Throws: What cannot work together, and what is wrong with files of keys and certificates. Nothing that is secret.
    public init(
        _ configuration: WebhookConfiguration, logger: Logger = Logger(label: "outbox.webhook")
    ) throws(TransportConfigurationError) {
        try configuration.validateLimits()
        self.service = try WebhookService(configuration, logger: logger)
        self.client = try HTTPClient(try configuration.httpConfiguration())
        self.keyOrder = configuration.limits.keyOrder
        self.connectTimeout = configuration.limits.connectTimeout
    }

    /// Creates a transport from an address, see ``WebhookConfiguration/init(url:)``.
    ///
    /// - Throws: What is wrong with the address.
    public convenience init(
        _ url: String, logger: Logger = Logger(label: "outbox.webhook")
    ) throws(TransportConfigurationError) {
        try self.init(WebhookConfiguration(url: url), logger: logger)
    }

    /// Sends requests until ``close()`` has finished or the task is cancelled. Runs once.
    public func run() async throws {
        self.state.withLock { if $0 == .created { $0 = .running } }
        defer { self.state.withLock { $0 = .closed } }
        do throws(MailboxError) {
            try await self.client.run()
        } catch {
            throw TransportConfigurationError("Webhook: \(error)")
        }
        try Task.checkCancellation()
    }

    /// Sends the messages, a request each, and waits for the answers.
    ///
    /// - Returns: `Outcome.reject` for what is refused by itself; `Outcome.retry` for what was sent and not accepted; where all messages go
    ///   to one host and it is down, `Outcome.unavailable`. Messages for one of several hosts that is down are postponed.
    /// - Throws: `CancellationError`.
    public func deliver(_ batch: MessageBatch) async throws -> [Outcome] {
        try await self.client.deliver(batch, keyOrder: self.keyOrder, by: self.service)
    }

    /// Asks the receiver, as ``check()`` does, whether it can be connected to; any answer, and none in time, say that it can. Where the
    /// host comes from the message, nothing is known before there is one, and the answer is up.
    public func contact() async -> TransportHealth {
        guard let (address, _) = self.service.address.probe else { return .up }
        var question = self.service.question("OPTIONS", at: address)
        question.timeout = self.connectTimeout
        do {
            _ = try await self.client.send(question)
            return .up
        } catch let failure as HTTPFailure {
            if failure.kind == .closed { return .closed }
            return failure.mayHaveArrived ? .up : .down(failure.reason)
        } catch {
            return .down("the question was cancelled")
        }
    }

    /// Asks the receiver whether it is there, by `OPTIONS`: a method that changes nothing, without a body, an id and a signature, so that it
    /// is not taken for a message. User or token are sent with it.
    ///
    /// Any answer means that it can be reached and that TLS is agreed on. Where the whole address is known, 401, 403, 404, 410 and
    /// redirects are said, although a receiver may answer them to this method alone. Where the path comes from the message, only the
    /// host is asked; where the host does, nothing is known before there is a message, and the answer is up.
    public func check() async -> TransportHealth {
        guard let (address, isWhole) = self.service.address.probe else { return .up }
        do {
            let response = try await self.client.send(self.service.question("OPTIONS", at: address))
            return Self.health(of: response, isWhole: isWhole)
        } catch let failure as HTTPFailure {
            return failure.kind == .closed ? .closed : .down(failure.reason)
        } catch {
            return .down("the check was cancelled")
        }
    }

    private static func health(of response: HTTPResponse, isWhole: Bool) -> TransportHealth {
        switch response.status {
        case 300..<400 where isWhole, 401 where isWhole, 403 where isWhole, 404 where isWhole, 410 where isWhole:
            .down("the receiver can be reached, and answers \(AnswerMeaning.name(of: response.status)) to OPTIONS")
        default: .up
        }
    }

    /// Finishes the deliveries in flight, and ends.
    public func close() async {
        await self.client.close()
        self.state.withLock { $0 = .closed }
    }

    /// Whether the transport runs, and its one receiver, if it has one, is not known to be down.
    public var health: TransportHealth {
        switch self.state.withLock({ $0 }) {
        case .created: return .starting
        case .closed: return .closed
        case .running: break
        }
        guard let (address, _) = self.service.address.probe else { return .up }
        return self.service.receivers.outage(of: address.origin).map { .down($0) } ?? .up
    }

    /// Where the messages go, up to the first part of the path: without user, query and what may be a secret.
    public var description: String { self.service.address.description }
}
