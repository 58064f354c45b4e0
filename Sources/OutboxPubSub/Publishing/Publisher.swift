import Logging
import Outbox
import OutboxHTTP
import OutboxRuntime
import Synchronization

/// What all deliveries of a transport share: the client, how requests are made, and what is known of the service.
final class Publisher: Sendable {
    let client: HTTPClient
    let template: PublishTemplate
    let limits: PublishSchedule.Limits
    private let project: String
    private let endpoint: PubSubEndpoint
    private let timeout: Duration
    private let publish: GRPCMethod
    /// Where all messages go to one topic.
    private let topic: (name: String, parameters: HTTPHeader)?
    private let tokens: TokenKeeper?
    private let throttle = Throttle()
    private let state = Mutex(TransportHealth.starting)
    /// Whether the service has failed on a request: from then on a message that was tried before is sent alone, so that those beside the one that it
    /// fails on are delivered. Before, no message is looked at for that.
    private let hasFailed = Atomic(false)

    init(_ configuration: PubSubConfiguration, endpoint: PubSubEndpoint, client: HTTPClient, tokens: TokenKeeper?) {
        self.client = client
        self.template = PublishTemplate(configuration)
        // What a request has besides its messages: its topic, whose name has at most 255 bytes.
        let head = ProtobufWriter.size(
            field: 1, length: ResourceName.topic("", project: configuration.project).utf8.count + 255)
        self.limits = .init(
            messages: configuration.delivery.messagesPerRequest, bytes: configuration.delivery.bytesPerRequest - head)
        self.project = configuration.project
        self.endpoint = endpoint
        self.timeout = configuration.delivery.timeout
        self.publish = GRPCMethod(
            "/google.pubsub.v1.Publisher/Publish", at: endpoint.base, timeout: configuration.delivery.timeout)
        self.topic = configuration.topic.constant.map { topic in
            let name = ResourceName.topic(topic, project: configuration.project)
            return (name, Self.parameters("topic", name))
        }
        self.tokens = tokens
    }

    /// Whether a message that was tried before is sent alone.
    var sendsRetriesAlone: Bool { self.hasFailed.load(ordering: .relaxed) }

    func noteFailure() { self.hasFailed.store(true, ordering: .relaxed) }

    /// What is known of the service.
    var health: TransportHealth { self.state.withLock { $0 } }

    func note(_ health: TransportHealth) {
        self.state.withLock { state in
            if state != .closed { state = health }
        }
    }

    /// The token that requests show; waits for the first one.
    ///
    /// - Throws: A ``TokenFailure`` where there is none.
    func access() async throws(TokenFailure) -> Access {
        guard let tokens else { return Access(token: nil) }
        return Access(token: try await tokens.current())
    }

    /// A call of `Publish`.
    ///
    /// - Parameter places: Where the messages are in what is written.
    func call(to topic: String, _ written: [UInt8], at places: [Range<Int>], access: Access) -> HTTPRequest {
        let (name, parameters) =
            self.topic
            ?? {
                let name = self.fullName(of: topic)
                return (name, Self.parameters("topic", name))
            }()
        return self.publish.call(
            PubSubRequest.publish(topic: name, written, at: places), self.metadata(parameters, access))
    }

    /// A call about a topic.
    ///
    /// - Parameter field: What the topic is called in the request.
    func call(_ path: String, _ field: String, _ name: String, _ message: [UInt8], access: Access) -> HTTPRequest {
        GRPCMethod(path, at: self.endpoint.base, timeout: self.timeout).call(
            GRPCMethod.prefix(message.count) + message, self.metadata(Self.parameters(field, name), access))
    }

    /// The service's front end finds the topic's place by these.
    private static func parameters(_ field: String, _ name: String) -> HTTPHeader {
        HTTPHeader("x-goog-request-params", "\(field)=\(HTTPHeader.escaped(name))")
    }

    private func metadata(_ parameters: HTTPHeader, _ access: Access) -> [HTTPHeader] {
        guard let token = access.token else { return [parameters] }
        let shown = [parameters, HTTPHeader("authorization", "Bearer \(token.value)")]
        return token.quotaProject.map { shown + [HTTPHeader("x-goog-user-project", $0)] } ?? shown
    }

    func fullName(of topic: String) -> String { ResourceName.topic(topic, project: self.project) }

    /// The outcome of a request's messages, as far as it does not depend on how many there are; and what it says of the service.
    func outcome(of meaning: PublishMeaning, topic: String, access: Access) -> Outcome {
        switch meaning {
        case .delivered:
            self.throttle.clear()
            self.note(.up)
            return .delivered
        case .refused(let reason):
            self.note(.up)
            return .reject(reason)
        case .failed(let reason):
            return .retry(reason)
        case .throttled(let reason, let delay):
            self.note(.up)
            return .postpone(after: self.throttle.pause(atLeast: delay), reason)
        case .topicRefused(let reason):
            let text = "the topic \(self.fullName(of: topic)): \(reason)"
            // Where the topic is a message's own, others may fare better.
            if self.template.topicVaries { return .retry(text) }
            return self.unavailable(text)
        case .unauthenticated(let reason):
            if let token = access.token { self.tokens?.reject(token, reason) }
            let hint = access.token == nil ? "; no credentials are configured" : ""
            return self.unavailable(reason + hint)
        case .unavailable(let reason):
            return self.unavailable(reason)
        case .ended(let reason):
            return .unavailable(reason)
        }
    }

    private func unavailable(_ reason: String) -> Outcome {
        self.note(.down(reason))
        return .unavailable(reason)
    }
}

/// What requests of a delivery show.
struct Access: Sendable {
    /// nil: nothing.
    let token: TokenKeeper.Current?
}

extension HTTPHeader {
    /// A text as the value of a parameter.
    static func escaped(_ text: String) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count + 16)
        for byte in text.utf8 {
            if self.isUnreserved(byte) {
                bytes.append(byte)
            } else {
                bytes.append(contentsOf: "%\(Hexadecimal.encoded([byte]).uppercased())".utf8)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether a byte stands for itself in the value of a parameter (RFC 3986, unreserved).
    static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~".utf8.contains(byte)
        }
    }
}
