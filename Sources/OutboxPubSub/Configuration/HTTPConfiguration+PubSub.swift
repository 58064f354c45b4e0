import Outbox
import OutboxHTTP

extension HTTPConfiguration {
    /// For the service.
    init(_ configuration: PubSubConfiguration, endpoint: PubSubEndpoint) {
        self.init()
        self.connectTimeout = configuration.delivery.connectTimeout
        self.timeout = configuration.delivery.timeout
        self.idleTimeout = configuration.delivery.timeout
        self.tls = configuration.tls
        self.proxy = configuration.proxy
        self.requestsPerHost = configuration.delivery.requestsInFlight
        // A connection of HTTP/2 takes as many requests as the service lets it, 100 as a rule. Without TLS, some versions of libcurl share none.
        self.connectionsPerHost =
            endpoint.isPlain
            ? configuration.delivery.requestsInFlight : 1 + configuration.delivery.requestsInFlight / 100
        self.version = endpoint.isPlain ? .http2WithoutUpgrade : .http2
    }

    /// For those that issue tokens, whose certificates are public.
    init(tokensOf configuration: PubSubConfiguration) {
        self.init()
        self.connectTimeout = configuration.delivery.connectTimeout
        self.timeout = .seconds(30)
        self.proxy = configuration.proxy
    }
}
