import Logging
import Outbox
import OutboxAMQP
import OutboxAWS
import OutboxKafka
import OutboxPubSub
import OutboxRuntime
import OutboxWebhook

/// A broker that the relay of the command line publishes to: an address whose scheme says which kind it is.
///
/// What an address leaves out of user and password is taken from the environment, where `ps` does not show it.
struct BrokerSink: Hashable, Sendable {
    private enum Kind: CaseIterable {
        case amqp
        case kafka
        case sqs
        case kinesis
        case sns
        case eventBridge
        case pubSub
        case webhook

        /// The schemes of its addresses, and the ports of hosts that name none.
        var ports: [String: Int] {
            switch self {
            case .amqp: AMQPConfiguration.ports
            case .kafka: KafkaConfiguration.ports
            case .sqs: SQSConfiguration.ports
            case .kinesis: KinesisConfiguration.ports
            case .sns: SNSConfiguration.ports
            case .eventBridge: EventBridgeConfiguration.ports
            case .pubSub: PubSubConfiguration.ports
            case .webhook: WebhookConfiguration.ports
            }
        }

        /// What the variables with user and password begin with; nil: its credentials come from elsewhere.
        var variable: String? {
            switch self {
            case .amqp: "OUTBOX_AMQP"
            case .kafka: "OUTBOX_KAFKA"
            case .sqs, .kinesis, .sns, .eventBridge, .pubSub: nil
            case .webhook: "OUTBOX_WEBHOOK"
            }
        }
    }

    /// All schemes that there are.
    static let schemes = Kind.allCases.flatMap(\.ports.keys).sorted()

    /// What the other side is shown, where it does not stand in the address.
    enum Credential: String {
        case username = "USERNAME"
        case password = "PASSWORD"
        case secret = "SECRET"
        case token = "TOKEN"
    }

    private let kind: Kind
    private let address: String
    /// What a configuration file says of them, which goes before the environment.
    var credentials: [Credential: String] = [:]

    /// The beginning of the address, up to its host.
    var scheme: String { self.address.prefix { $0 != ":" } + "://" }

    /// Those that can be given beside the address.
    var usableCredentials: Set<Credential> {
        switch self.kind {
        case .amqp, .kafka: [.username, .password]
        case .webhook: [.username, .password, .secret, .token]
        case .sqs, .kinesis, .sns, .eventBridge, .pubSub: []
        }
    }

    /// - Returns: nil: it is not the address of a broker.
    init?(_ text: String) {
        guard let end = text.firstRange(of: "://") else { return nil }
        let scheme = text[..<end.lowerBound].lowercased()
        guard let kind = Kind.allCases.first(where: { $0.ports[scheme] != nil }) else { return nil }
        self.kind = kind
        self.address = text
    }

    /// Makes the transport.
    ///
    /// - Parameter environment: The process's variables.
    /// - Throws: A ``CommandFailure`` that says what is wrong with the address, and does not repeat it: it may have a
    ///   password.
    func transport(environment: [String: String], logger: Logger) throws -> any Transport {
        var environment = environment
        if let variable = self.kind.variable {
            for (credential, text) in self.credentials { environment["\(variable)_\(credential.rawValue)"] = text }
        }
        do throws(TransportConfigurationError) {
            switch self.kind {
            case .amqp: return try AMQPTransport(self.completeAddress(environment), logger: logger)
            case .kafka: return try KafkaTransport(self.completeAddress(environment), logger: logger)
            case .sqs: return try SQSTransport(self.address, logger: logger)
            case .kinesis: return try KinesisTransport(self.address, logger: logger)
            case .sns: return try SNSTransport(self.address, logger: logger)
            case .eventBridge: return try EventBridgeTransport(self.address, logger: logger)
            case .pubSub: return try PubSubTransport(self.address, logger: logger)
            case .webhook:
                var configuration = try WebhookConfiguration(url: self.address)
                try configuration.takeSecrets(from: environment)
                return try WebhookTransport(configuration, logger: logger)
            }
        } catch {
            throw CommandFailure(.usage, "the address of a broker: \(error)")
        }
    }

    /// What is wrong with the credentials of a file: the address has them itself, or they are half of what is needed; nil: nothing is.
    func credentialDefect(environment: [String: String]) -> String? {
        guard !self.credentials.isEmpty, let variable = self.kind.variable else { return nil }
        func isGiven(_ credential: Credential) -> Bool {
            self.credentials[credential] != nil || environment["\(variable)_\(credential.rawValue)"] != nil
        }
        let login = [Credential.username, .password, .token].first { self.credentials[$0] != nil }
        if let login {
            let name = login.rawValue.lowercased()
            if self.hasLogin { return "\(name) has no effect: the address has a login" }
            if self.credentials[.token] != nil, self.credentials[.username] != nil {
                return "token and username exclude each other"
            }
            if login != .token, !isGiven(.username) { return "password needs a username" }
            if login != .token, !isGiven(.password) {
                return "username needs a password, from password_file or password_env"
            }
        }
        if self.credentials[.secret] != nil, self.hasSecrets { return "secret has no effect: the address has keys" }
        return nil
    }

    /// What is wrong with the keys that a file names, without repeating them; nil: nothing is.
    var secretDefect: String? {
        guard self.kind == .webhook, let text = self.credentials[.secret] else { return nil }
        do throws(TransportConfigurationError) {
            return try WebhookConfiguration.keys(in: text).isEmpty ? "there is no key in it" : nil
        } catch {
            return error.description
        }
    }

    private var webhook: WebhookConfiguration? {
        self.kind == .webhook ? try? WebhookConfiguration(url: self.address) : nil
    }

    private var hasLogin: Bool {
        if self.kind == .webhook { return self.webhook?.credentials != nil }
        return (try? BrokerURL(self.address, ports: self.kind.ports))?.user != nil
    }

    private var hasSecrets: Bool {
        guard let signing = self.webhook?.signing else { return false }
        return !signing.keys.isEmpty || !signing.keysByHost.isEmpty || signing.keyFile != nil
    }

    /// The address with the user and the password that it leaves out.
    private func completeAddress(_ environment: [String: String]) throws(TransportConfigurationError) -> String {
        guard let variable = self.kind.variable else { return self.address }
        let url: BrokerURL
        do throws(InvalidText) {
            url = try BrokerURL(self.address, ports: self.kind.ports)
        } catch {
            throw TransportConfigurationError(error)
        }
        guard let user = url.user ?? environment["\(variable)_USERNAME"],
            let password = url.password ?? environment["\(variable)_PASSWORD"]
        else { return self.address }
        return BrokerURL.address(self.address, user: user, password: password)
    }
}
