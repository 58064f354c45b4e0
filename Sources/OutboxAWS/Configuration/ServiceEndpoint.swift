import OutboxHTTP

/// Where a service is.
struct ServiceEndpoint: Sendable, Hashable {
    /// With a path, at least a slash.
    let url: String
    /// Whether it is another than the region's.
    let isGiven: Bool

    /// - Parameters:
    ///   - given: The address that a configuration has; nil: that of the environment, of the profile, or of the region.
    ///   - profile: The profile of the shared files.
    /// - Throws: A ``CredentialError`` for one that is no address, and where the environment or the profile demands one of the region's others.
    init(
        _ service: AWSService, given: String?, region: String, _ surroundings: Surroundings, _ profile: SharedProfile
    ) throws(CredentialError) {
        let ignored =
            (surroundings["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] ?? profile["ignore_configured_endpoint_urls"])?
            .lowercased() == "true"
        let variables = ignored ? [] : [service.endpointVariable, "AWS_ENDPOINT_URL"]
        let other =
            given.map { ("endpoint", $0) }
            ?? variables.lazy.compactMap { name in surroundings[name].map { (name, $0) } }.first
            ?? (ignored ? nil : profile["endpoint_url"].map { ("endpoint_url", $0) })
        if other == nil { try Self.refuseVariants(surroundings, profile, service) }
        self.isGiven = other != nil
        let (name, value) = other ?? ("region", "https://\(service.name).\(region).\(Self.suffix(of: region))")
        guard let origin = HTTPRequest.origin(of: value), origin.hasPrefix("http://") || origin.hasPrefix("https://"),
            origin.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !value.contains(where: { "?#".contains($0) })
        else {
            throw CredentialError(.invalid, "“\(name)” is no address such as https://host:port")
        }
        let path = value.dropFirst(origin.count)
        self.url = origin + (path.isEmpty ? "/" : path)
    }

    /// Requests that have to go to an endpoint with FIPS do not go to another one without a word.
    private static func refuseVariants(
        _ surroundings: Surroundings, _ profile: SharedProfile, _ service: AWSService
    ) throws(CredentialError) {
        for (variable, key) in [
            ("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"), ("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"),
        ] where (surroundings[variable] ?? profile[key])?.lowercased() == "true" {
            throw CredentialError(
                .invalid,
                "\(variable), or \(key) of the profile, is true: give the address, \(service.endpointVariable)")
        }
    }

    /// Regions by what their names begin with.
    ///
    /// https://docs.aws.amazon.com/general/latest/gr/rande.html
    private static let partitions: [(region: String, name: String, domain: String)] = [
        ("cn-", name: "aws-cn", domain: "amazonaws.com.cn"),
        ("us-gov-", "aws-us-gov", "amazonaws.com"), ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
        ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"), ("us-iso-", "aws-iso", "c2s.ic.gov"),
        ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"), ("eusc-", "aws-eusc", "amazonaws.eu"),
    ]

    /// The domain of a region's partition.
    static func suffix(of region: String) -> String {
        self.partitions.first { region.hasPrefix($0.region) }?.domain ?? "amazonaws.com"
    }

    /// The name of a region's partition, with which ARNs begin.
    static func partition(of region: String) -> String {
        self.partitions.first { region.hasPrefix($0.region) }?.name ?? "aws"
    }

    /// Whether a text can be a region: it becomes a part of a host's name.
    static func isRegion(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 63 && text.first != "-" && text.last != "-"
            && text.utf8.allSatisfy {
                (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-")
            }
    }
}
