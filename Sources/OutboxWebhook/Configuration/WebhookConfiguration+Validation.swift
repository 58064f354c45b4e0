import Outbox
import OutboxHTTP
import OutboxRuntime

extension WebhookConfiguration {
    /// Refuses limits that cannot be. What concerns addresses, headers and keys is refused by what is made of them.
    func validateLimits() throws(TransportConfigurationError) {
        try Self.require(self.limits.requestsPerHost >= 1, "a receiver gets at least one request at a time")
        try Self.require(
            self.limits.requestsPerSecond.map { $0 >= 1 / 86_400 && $0 <= 1e6 } ?? true,
            "a number of requests in a second is at most 1,000,000, and at least one request a day")
        try Self.require(self.outage.failures >= 1, "a receiver is down after at least one failure")
        try Self.require(self.request.maximumMessageSize >= 1, "the longest message has at least one byte")
        let times = [
            ("timeout", self.limits.timeout), ("connect timeout", self.limits.connectTimeout),
            ("first pause", self.outage.initialPause), ("longest pause", self.outage.maximumPause),
            ("longest Retry-After", self.outage.maximumRetryAfter),
        ]
        for (name, time) in times {
            try Self.require(
                time > .zero && time <= .seconds(86_400), "the \(name) is more than nothing, and at most a day")
        }
        try Self.require(
            self.outage.initialPause <= self.outage.maximumPause, "the first pause is at most as long as the longest")
    }

    /// How requests are sent.
    func httpConfiguration() throws(TransportConfigurationError) -> HTTPConfiguration {
        var http = HTTPConfiguration()
        http.connectTimeout = self.limits.connectTimeout
        http.timeout = self.limits.timeout
        // One that says nothing has all of the time.
        http.idleTimeout = self.limits.timeout
        http.tls = self.tls
        http.proxy = self.proxy
        http.connectionsPerHost = self.limits.requestsPerHost
        http.requestsPerHost = self.limits.requestsPerHost
        http.requestsPerSecondAndHost = self.limits.requestsPerSecond
        http.longestResponse = Self.longestResponse
        var exceptions: [AllowedAddress] = []
        for text in self.allowedAddresses {
            do throws(InvalidText) {
                exceptions.append(try AllowedAddress(text))
            } catch {
                throw TransportConfigurationError("Webhook: allowed addresses: \(error)")
            }
        }
        http.addresses = .publicOnly(except: exceptions)
        http.userAgent = "swift-outbox"
        return http
    }

    /// Of an answer only the status and the headers matter.
    private static let longestResponse = 16 << 10

    private static func require(_ condition: Bool, _ complaint: String) throws(TransportConfigurationError) {
        if !condition { throw TransportConfigurationError("Webhook: \(complaint)") }
    }
}
