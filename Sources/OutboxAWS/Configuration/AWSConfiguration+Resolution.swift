import Outbox
import OutboxHTTP

extension AWSConfiguration {
    /// What holds when the environment and the profile have been asked.
    struct Resolved: Sendable {
        let region: String
        let endpoint: ServiceEndpoint
        let http: HTTPConfiguration
        /// How STS is reached.
        let sts: HTTPConfiguration
    }

    /// Whether a text is the number of an account.
    static func isAccount(_ text: String) -> Bool {
        text.utf8.count == 12 && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }

    /// Asks the environment and the profile for what is not given.
    func resolved(for service: AWSService, _ surroundings: Surroundings) throws(TransportConfigurationError) -> Resolved
    {
        let profile = SharedProfile(self.profile, surroundings)
        let region =
            self.region ?? surroundings["AWS_REGION"] ?? surroundings["AWS_DEFAULT_REGION"]
            ?? profile["region"]
        guard let region else {
            throw TransportConfigurationError(
                "\(service.title): there is no region: give region=, or set AWS_REGION, or the region of a profile")
        }
        guard ServiceEndpoint.isRegion(region) else {
            throw TransportConfigurationError(
                "\(service.title): a region is small letters, digits and hyphens, such as eu-central-1")
        }
        do throws(CredentialError) {
            let endpoint = try ServiceEndpoint(service, given: self.endpoint, region: region, surroundings, profile)
            let http = try self.http(service)
            var sts = http
            // An authority and a certificate are those of the address that was given, which STS does not have.
            if endpoint.isGiven { sts.tls = TLSSettings() }
            return Resolved(region: region, endpoint: endpoint, http: http, sts: sts)
        } catch {
            throw TransportConfigurationError("\(service.title): \(error)")
        }
    }

    private func http(_ service: AWSService) throws(CredentialError) -> HTTPConfiguration {
        let connection = self.connection
        guard (1...10_000).contains(connection.maximumConnections) else {
            throw CredentialError(.invalid, "there are from 1 to 10,000 connections")
        }
        var configuration = HTTPConfiguration()
        configuration.connectTimeout = connection.connectTimeout
        configuration.timeout = connection.timeout
        configuration.idleTimeout = connection.timeout
        configuration.tls = connection.tls
        configuration.proxy = connection.proxy
        configuration.connectionsPerHost = connection.maximumConnections
        configuration.requestsPerHost = connection.maximumConnections
        return configuration
    }
}
