import Outbox
import OutboxHTTP

/// Where the service is.
struct PubSubEndpoint: Hashable {
    /// What comes before the path of a request: `https://pubsub.googleapis.com`.
    let base: String
    /// Whether it is spoken to without TLS.
    let isPlain: Bool

    static let google = PubSubEndpoint(base: "https://pubsub.googleapis.com", isPlain: false)
    /// The environment variable that names an emulator.
    static let emulatorVariable = "PUBSUB_EMULATOR_HOST"

    private init(base: String, isPlain: Bool) {
        self.base = base
        self.isPlain = isPlain
    }

    /// The endpoint of a configuration.
    ///
    /// - Parameter environment: The process's variables.
    init(_ endpoint: String?, environment: [String: String]) throws(TransportConfigurationError) {
        if let endpoint {
            self = try Self.read(endpoint, of: "endpoint", otherwise: "https://")
        } else if let emulator = environment[Self.emulatorVariable], !emulator.isEmpty {
            self = try Self.read(emulator, of: Self.emulatorVariable, otherwise: "http://")
        } else {
            self = .google
        }
    }

    private static func read(
        _ text: String, of name: String, otherwise scheme: String
    ) throws(TransportConfigurationError) -> PubSubEndpoint {
        let lowercase = text.lowercased()
        let url = lowercase.hasPrefix("http://") || lowercase.hasPrefix("https://") ? text : scheme + text
        let isWhole = url.drop { $0 != "/" }.dropFirst(2).allSatisfy { !"/?# ".contains($0) }
        guard isWhole, let origin = HTTPRequest.origin(of: url), !origin.hasSuffix(":") else {
            throw TransportConfigurationError(
                "“\(name)” is a host such as us-east1-pubsub.googleapis.com, or http://localhost:8085 for one without TLS"
            )
        }
        return PubSubEndpoint(base: origin, isPlain: origin.hasPrefix("http://"))
    }
}
