package import Outbox

/// How a client connects, and how long it waits.
package struct HTTPConfiguration: Sendable {
    /// The versions of HTTP that are spoken.
    package enum Version: Sendable, Hashable {
        case http1
        /// HTTP/2 where TLS agrees on it, else HTTP/1.1.
        case upTo2
        /// HTTP/2 where TLS agrees on it, also for large bodies, which some versions of libcurl had better send by HTTP/1.1: what speaks gRPC
        /// takes nothing else.
        case http2
        /// HTTP/2 from the first byte, also without TLS.
        case http2WithoutUpgrade
    }

    /// The longest time that a connection may take, from the host's name to the end of TLS.
    package var connectTimeout: Duration = .seconds(10)
    /// The longest time from the first connection to the end of the answer.
    package var timeout: Duration = .seconds(30)
    /// The longest time in which nothing is sent nor received, in whole seconds; the other side thinks in it.
    package var idleTimeout: Duration = .seconds(30)
    /// How long the addresses of a host's name are used for further connections before they are looked up again, in whole seconds, whatever the
    /// name's own lifetime is.
    package var addressLifetime: Duration = .seconds(60)
    package var tls = TLSSettings()
    /// The address of a proxy, for all hosts, whatever the environment says. Empty: none. nil: that of the environment (`https_proxy`, `http_proxy`,
    /// `no_proxy`) where all addresses may be connected to, else none: a proxy would look up the host itself.
    package var proxy: String?
    /// How many connections to one host there are at most, where fewer than requests, which then have to share them: for HTTP/2, and
    /// without a proxy.
    package var connectionsPerHost = 64
    /// How many requests to one host are under way at most. Further ones wait for their turn, for which no time is counted.
    package var requestsPerHost = 64
    /// How many requests a host is sent in a second at most; nil: any number.
    package var requestsPerSecondAndHost: Double?
    /// How many bytes of an answer's body are read. The rest is not, and the connection is closed.
    package var longestResponse = 1 << 20
    /// Which addresses are connected to.
    package var addresses = AddressPolicy.any
    package var version = Version.upTo2
    package var userAgent = "swift-outbox"

    package init() {}

    /// What cannot be used; nil: all can.
    var defect: String? {
        let times = [("connect", self.connectTimeout), ("request", self.timeout), ("idle", self.idleTimeout)]
        for (name, time) in times where time <= .zero || time > .seconds(86_400) {
            return "the \(name) timeout is more than nothing, up to a day"
        }
        if self.connectionsPerHost < 1 || self.requestsPerHost < 1 {
            return "a host has at least one connection and one request"
        }
        if let rate = self.requestsPerSecondAndHost, !(rate > 0 && rate.isFinite) {
            return "a number of requests in a second is more than nothing"
        }
        if let proxy, !proxy.isEmpty, let defect = ProxyAddress.defect(of: proxy) { return defect }
        return self.tls.defect ?? self.tls.fileDefect
    }
}
